/**
 * The approvals as a server of one process. The executor stands at module scope, so that all requests share it.
 *
 * - Deno: `deno serve --host 127.0.0.1 examples/edge/server.ts`, on port 8000
 * - Bun: `bun run examples/edge/server.ts`, on port 3000
 * - Node: `serve(server)` with `serve` of the npm package `@hono/node-server` and the default export of this module, on port 3000
 *
 * The state dies with the process.
 *
 * @module
 */

import { Executor } from "@rockpool/workflow";
import { approval, approvalsOf, handle } from "./approval.ts";

const executor = new Executor({ workflows: { approval } });

export default {
  hostname: "127.0.0.1",
  fetch: (request: Request): Promise<Response> => handle(approvalsOf(executor), request),
};
