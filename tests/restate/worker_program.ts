/**
 * A worker: a process that serves the services of a module to a Restate server. `workers.ts` starts it, with a {@linkcode WorkerOptions}
 * in JSON as the only argument.
 *
 * @module
 */

import { createRequire } from "node:module";
import type { ServiceModule, WorkerOptions } from "./workers.ts";

const { module, modules, port, mode, arg } = JSON.parse(Deno.args[0]) as WorkerOptions;
const sdk = createRequire(`${modules}/package.json`)("@restatedev/restate-sdk/fetch");
const { services } = await import(module) as ServiceModule;

const handler = sdk.createEndpointHandler({
  services: await services(sdk, arg),
  bidirectional: mode === "bidirectional",
});
const onListen = () => console.log("ready");
Deno.serve({ hostname: "127.0.0.1", port, onListen }, handler);

for await (const _ of Deno.stdin.readable);
Deno.exit(1); // whoever controls it is gone
