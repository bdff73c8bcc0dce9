/**
 * Runs the same workflow functions on [Restate](https://restate.dev), a distributed engine: its server keeps the journal of each run,
 * calls the code again after a crash, and owns the timers.
 *
 * {@linkcode restateServices} makes services of workflows. A {@linkcode RestateClient} starts them and talks to them, with the calls of
 * an `Executor`. The SDK (`@restatedev/restate-sdk`) is an argument, so that this package has no dependency. The server is licensed under
 * the Business Source License 1.1, the SDK under the MIT license.
 *
 * What Restate has no counterpart of is refused at the call with the code `unsupported`: labels, `ctx.patched`, heartbeats,
 * `atMostOnce`, `transactional()`. The table is in `docs/engines.md`.
 *
 * @example
 * ```ts ignore
 * import { createEndpointHandler } from "@restatedev/restate-sdk/fetch";
 * import * as sdk from "@restatedev/restate-sdk/fetch";
 * import { RestateClient, restateServices } from "@rockpool/workflow/restate";
 * import { order } from "./order.ts";
 *
 * const workflows = { order };
 * const services = restateServices(sdk, { workflows });
 * Deno.serve({ port: 9080, hostname: "127.0.0.1" }, createEndpointHandler({ services, bidirectional: true }));
 * // once for a deployment: curl localhost:9070/deployments --json '{"uri": "http://localhost:9080"}'
 *
 * const client = new RestateClient("http://localhost:8080", { workflows });
 * const handle = await client.execute(order, { id: "order-1", input: "shell" });
 * console.log(await handle.result());
 * ```
 *
 * @module
 */

import type { Workflow } from "../context.ts";
import { checkFunction, checkObject, checkOptions } from "../util/check.ts";
import { callUser } from "../util/deferred.ts";
import { logError } from "../util/log_error.ts";
import { Code } from "./restate/context.ts";
import { recordHandlers } from "./restate/record.ts";
import { runHandlers } from "./restate/run.ts";
import type { RestateSdk } from "./restate/sdk.ts";
import { checkServiceName, serviceNames } from "./restate/wire.ts";

export { RestateClient, type RestateClientOptions, type RestateHandle } from "./restate/client.ts";
export type { RestateSdk } from "./restate/sdk.ts";

/**
 * Options of {@linkcode restateServices}.
 *
 * @category Restate
 */
export interface RestateServicesOptions {
  /** The workflows by name. Children are workflows of the same service. */
  // deno-lint-ignore no-explicit-any -- workflows of any input
  readonly workflows: Readonly<Record<string, (ctx: any, input: any) => unknown>>;
  /**
   * The name of the services in Restate; letters, digits, `_`, `-` and `.`.
   *
   * @default {"rockpool"}
   */
  readonly name?: string | undefined;
  /**
   * How long Restate keeps a run after its end, in milliseconds: its history, for queries, and its result. The record of a workflow
   * keeps the result until the workflow is started again.
   *
   * @default {one day}
   */
  readonly retentionMs?: number | undefined;
  /**
   * Gets the errors of hooks and loggers, and of messages that a run cannot take.
   *
   * @default {console.error}
   */
  readonly onError?: ((error: unknown) => void) | undefined;
}

const DAY_MS = 86_400_000;
const options: Readonly<Record<keyof RestateServicesOptions, true>> = {
  workflows: true,
  name: true,
  retentionMs: true,
  onError: true,
};

/**
 * Makes services of Restate from workflows, for `createEndpointHandler({ services })` of the SDK.
 *
 * There are two: a virtual object that keeps the record of each workflow by its ID, and a workflow of Restate for each run.
 *
 * @param sdk The module `@restatedev/restate-sdk`, or one of its entries, such as `@restatedev/restate-sdk/fetch`.
 * @param given The workflows, and options.
 * @returns The services.
 * @throws {TypeError} If an argument is invalid or an option is unknown.
 *
 * @category Restate
 */
export function restateServices<Sdk extends RestateSdk>(
  sdk: Sdk,
  given: RestateServicesOptions,
): [ReturnType<Sdk["object"]>, ReturnType<Sdk["workflow"]>] {
  const action = "make services of Restate";
  checkObject("sdk", sdk, action);
  for (const name of ["object", "workflow"] as const) checkFunction(`sdk.${name}`, sdk[name], action);
  checkOptions(given, options, action);
  const { workflows, name = "rockpool", retentionMs = DAY_MS, onError = console.error } = given;
  checkObject("workflows", workflows, action);
  for (const [key, workflow] of Object.entries(workflows)) checkFunction(`workflows.${key}`, workflow, action);
  checkServiceName(name, action);
  checkFunction("onError", onError, action);
  const code = new Code(workflows as Readonly<Record<string, Workflow<never>>>);
  const { exclusive, inner, shared } = recordHandlers(sdk, name, workflows);
  const names = serviceNames(name);
  const { object } = sdk.handlers;
  const inside = { ingressPrivate: true }; // only runs and records call them
  const innerHandlers = Object.entries(inner).map(([key, handler]) => [key, object.exclusive(inside, handler)]);
  const sharedHandlers = Object.entries(shared).map(([key, handler]) => [key, object.shared(handler)]);
  const record = sdk.object({
    name: names.record,
    handlers: { ...exclusive, ...Object.fromEntries([...innerHandlers, ...sharedHandlers]) },
    options: { enableLazyState: true, idempotencyRetention: 600_000, journalRetention: 0 },
  });
  const report = (error: unknown) => callUser(() => onError(error), logError);
  const { run, ...sharedRun } = runHandlers({ sdk, name, code, onError: report });
  const runs = sdk.workflow({
    name: names.run,
    handlers: { ...sharedRun, run: sdk.handlers.workflow.workflow({ ...inside, enableLazyState: true }, run) },
    options: { workflowRetention: retentionMs, explicitCancellation: true },
  });
  return [record, runs] as [ReturnType<Sdk["object"]>, ReturnType<Sdk["workflow"]>];
}
