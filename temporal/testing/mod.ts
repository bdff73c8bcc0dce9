/**
 * Temporal's `@temporalio/testing`, `@temporalio/worker` and `@temporalio/client` in this process, for tests: map the three names to this
 * module, and tests run unchanged, without a server.
 *
 * - `TestWorkflowEnvironment` has a server in memory. With `createTimeSkipping()` time skips while a result is awaited; with
 *   `createLocal()` it is real.
 * - `Worker` loads the module of `workflowsPath` with whatever loads the test, and runs it until its end. All workflows of a worker share
 *   the variables of their module; in Temporal each has its own.
 * - While a worker runs, `Date`, `Math.random` and timers inside of workflows are those of the workflow.
 * - What cannot be had in process (Nexus, plugins, schedules, histories of a Temporal server) is refused with the way out.
 *
 * It needs `node:async_hooks`: Deno, Node, Bun. How to map the names: `docs/coming-from-temporal.md`.
 *
 * @module
 */

export * from "../common/mod.ts";
export {
  type ActivityExecuteInput,
  type ActivityInboundCallsInterceptor,
  type ActivityInterceptors,
  type ActivityInterceptorsFactory,
  type ActivityOutboundCallsInterceptor,
  type CancelReason,
  type Context,
  type GetLogAttributesInput,
  type GetMetricTagsInput,
  type Info,
  MockActivityEnvironment,
  type MockActivityEnvironmentOptions,
} from "../activity/mod.ts";
export type {
  InjectedSink,
  InjectedSinkFunction,
  InjectedSinks,
  ParentWorkflowInfo,
  RootWorkflowInfo,
  Sink,
  SinkFunction,
  Sinks,
  UnsafeRandomSource,
  UnsafeWorkflowInfo,
  WorkflowInfo,
} from "../types.ts";
export {
  ActivityClient,
  type ActivityHandle,
  type ActivityName,
  type ActivityOptions as StandaloneActivityOptions,
  type ActivityResult,
  type TypedActivityClient,
} from "./activity_client.ts";
export {
  Client,
  type ClientOptions,
  type History,
  WithStartWorkflowOperation,
  WorkflowClient,
  type WorkflowHandle,
  type WorkflowHandleWithFirstExecutionRunId,
  type WorkflowHandleWithSignaledRunId,
  type WorkflowHandleWithStartDetails,
  type WorkflowUpdateHandle,
} from "./client.ts";
export type {
  GetWorkflowHandleOptions,
  WorkflowExecutionDescription,
  WorkflowExecutionInfo,
  WorkflowExecutionStatusName,
  WorkflowOptions,
  WorkflowResultOptions,
  WorkflowSignalWithStartOptions,
  WorkflowStartOptions,
  WorkflowUpdateOptions,
} from "./client_options.ts";
export { WorkflowUpdateStage } from "./client_options.ts";
export { WorkflowCoverage } from "./coverage.ts";
export {
  type LocalTestWorkflowEnvironmentOptions,
  TestWorkflowEnvironment,
  type TimeSkippingTestWorkflowEnvironmentOptions,
} from "./environment.ts";
export {
  ActivityExecutionAlreadyStartedError,
  ActivityExecutionFailedError,
  isGrpcServiceError,
  QueryNotRegisteredError,
  QueryRejectedError,
  ServiceError,
  WorkflowContinuedAsNewError,
  WorkflowFailedError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from "./errors.ts";
export { type LoadModule, setModuleLoader } from "./load.ts";
export { Connection, type ConnectionOptions, makeTelemetryFilterString, NativeConnection } from "./connection.ts";
export { DefaultLogger, type LogEntry, Runtime, type RuntimeOptions } from "./logger.ts";
export {
  type BundleOptions,
  type BundlerOptions,
  bundleWorkflowCode,
  type IgnoredWorkerOption,
  type State,
  Worker,
  type WorkerInterceptors,
  type WorkerOptions,
  type WorkflowBundle,
  type WorkflowBundleWithSourceMap,
} from "./worker.ts";
