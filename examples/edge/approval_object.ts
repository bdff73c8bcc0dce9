/**
 * The approvals in Durable Objects of a Cloudflare Worker, one object for each approval.
 *
 * An object that waits leaves memory, and costs nothing. The decision makes it again, days later; if nobody decides, its alarm does.
 *
 * `wrangler.jsonc` has what the platform must know. To try it out: `npx wrangler dev`.
 *
 * @module
 */

// @ts-ignore -- a module of the platform
import { DurableObject } from "cloudflare:workers";
import { workflowObject } from "@rockpool/workflow/durable-object";
import { approval, type Approvals, handle } from "./approval.ts";

export class Approval extends workflowObject(DurableObject, { workflows: { approval } }) {}

/** What this example uses of the platform's `DurableObjectNamespace`. */
interface ObjectNamespace {
  getByName(name: string): Approvals;
}

export default {
  async fetch(request: Request, { APPROVALS }: { APPROVALS: ObjectNamespace }): Promise<Response> {
    const id = new URL(request.url).pathname.split("/")[1] ?? "";
    return await handle(APPROVALS.getByName(id), request); // a real Worker checks first who asks
  },
};
