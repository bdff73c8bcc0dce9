/**
 * A worker that runs the workflow with the interface of Temporal.
 *
 * @module
 */

import { temporalOutcome } from "../temporal.ts";

export default {
  async fetch(): Promise<Response> {
    return Response.json(await temporalOutcome());
  },
};
