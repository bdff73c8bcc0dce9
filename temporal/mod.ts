/**
 * The names of `@temporalio/workflow`, over the context of this package: workflows that were written for Temporal run unchanged, in one
 * process, on virtual time, and under `crashTest()`, `simulate()` and `explore()`. {@linkcode TemporalHost} takes the workflows in.
 *
 * Not a client of a Temporal server. Differences: see the page "Coming from Temporal" of the documentation. It needs
 * `AsyncLocalStorage` of `node:async_hooks`, which Deno, Node, Bun and workers with a compatibility flag have.
 *
 * @example
 * ```ts
 * import { Executor } from "@rockpool/workflow";
 * import { proxyActivities, sleep, TemporalHost } from "@rockpool/workflow/temporal";
 * import { crashTest } from "@rockpool/workflow/testing";
 *
 * const { charge } = proxyActivities<{ charge(cents: number): Promise<string> }>({ startToCloseTimeout: "1 minute" });
 * async function order(cents: number): Promise<string> {
 *   await sleep("1 day");
 *   return await charge(cents);
 * }
 *
 * const activities = { charge: (cents: number) => Promise.resolve(`charged ${cents}`) };
 * const temporal = new TemporalHost({ workflows: { order }, activities });
 * await crashTest(temporal.workflow("order"), { input: [500], ...temporal.crashOptions });
 * ```
 *
 * @module
 */

export * from "./common/mod.ts";
export {
  type ActivityFunctionWithOptions,
  type ActivityInterfaceFor,
  type ActivityProxyOptions,
  type LocalActivityFunctionWithOptions,
  type LocalActivityInterfaceFor,
  type LocalActivityProxyOptions,
  NotAnActivityMethod,
  proxyActivities,
  proxyLocalActivities,
  scheduleActivity,
  scheduleLocalActivity,
} from "./activities.ts";
export { upsertMemo, upsertSearchAttributes } from "./attributes.ts";
export { ContinueAsNew, continueAsNew, makeContinueAsNewFunc } from "./continue.ts";
export { defineQuery, defineSignal, defineUpdate } from "./definitions.ts";
export { DeterminismViolationError, isCancellation, WorkflowError } from "./errors.ts";
export { TemporalHost, type TemporalHostOptions } from "./host.ts";
export {
  createEventGroup,
  currentUpdateInfo,
  defineWorkflowOptions,
  deprecatePatch,
  getCurrentDetails,
  getRandomStream,
  inWorkflowContext,
  patched,
  setCurrentDetails,
  setWorkflowOptions,
  uuid4,
  workflowInfo,
  workflowRandom,
  type WorkflowRandomStream,
} from "./info.ts";
export type * from "./interceptors.ts";
export {
  allHandlersFinished,
  setDefaultQueryHandler,
  setDefaultSignalHandler,
  setDefaultUpdateHandler,
  setHandler,
} from "./messages.ts";
export { createNexusServiceClient, NexusOperationCancellationType } from "./refused.ts";
export { CancellationScope, type CancellationScopeOptions } from "./scope.ts";
export { log, type LoggerSinks, metricMeter, proxySinks, type WorkflowLogger } from "./sinks.ts";
export { condition, sleep, Trigger } from "./timers.ts";
export * from "./types.ts";
export {
  addDefaultWorkflowOptions,
  type ChildWorkflowDefinitionOptions,
  type ChildWorkflowHandle,
  executeChild,
  startChild,
} from "./children.ts";
export { type ExternalWorkflowHandle, getExternalWorkflowHandle } from "./external.ts";
export { AsyncLocalStorage } from "node:async_hooks";
