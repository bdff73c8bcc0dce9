/**
 * A worker that runs what the URL names, such as `/12/0` for the first request of case 12.
 *
 * @module
 */

import { perform } from "../scenario.ts";

export default {
  async fetch(request: Request): Promise<Response> {
    const [, index, step] = new URL(request.url).pathname.split("/").map(Number);
    return Response.json(await perform(index, step));
  },
};
