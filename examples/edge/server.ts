/**
 * The approvals as a server of one process. The executor stands at module scope, so that all requests share it.
 *
 * - Deno: `deno serve --host 127.0.0.1 examples/edge/server.ts`
 * - Bun: `bun run examples/edge/server.ts`
 * - Node: `serve({ ...server })` with `serve` of the npm package `@hono/node-server`, and this module's default export
 *
 * The state dies with the process.
 *
 * @module
 */

import { Executor } from "@rockpool/workflow";
import { approval, handle } from "./approval.ts";

const executor = new Executor({ workflows: { approval } });

export default {
  hostname: "127.0.0.1",
  port: 8000,
  fetch: (request: Request): Promise<Response> => handle(executor, request),
};
