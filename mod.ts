/**
 * Durable workflows in plain TypeScript, inside your process: an executor that stores each step of a workflow, so that a run that was cut
 * off continues; a store in memory; a readers-writer lock.
 *
 * @example
 * ```ts
 * import { Executor, InMemoryStore, type WorkflowContext } from "@rockpool/workflow";
 * import { assertEquals } from "@std/assert";
 *
 * async function myWorkflow(_ctx: WorkflowContext, input: string) {
 *   return `processed: ${input}`;
 * }
 *
 * const store = new InMemoryStore();
 * const executor = new Executor({ store });
 * const handle = await executor.execute(myWorkflow, { id: "test-wf-1", input: "hello" });
 * assertEquals(await handle.result(), "processed: hello");
 * ```
 *
 * @module
 */

// Running workflows
export { Executor, type WorkflowHandle } from "./executor.ts";
export type {
  CloseOptions,
  Described,
  DescribeOptions,
  ExecuteArgs,
  ExecuteOptions,
  ExecutorOptions,
  OpenRun,
  ReplaceActivity,
  ResultOptions,
  SignalOptions,
  StartSignal,
  UpdateOptions,
  Wait,
  WorkflowDescription,
  WorkflowHandlers,
  WorkOptions,
} from "./options.ts";

// Writing workflows
export type {
  ChildHandle,
  ChildOptions,
  CompensationOptions,
  ContinueAsNewOptions,
  ContinueAsOptions,
  InputArgs,
  MessageOptions,
  ReceivedSignal,
  ReceivedUpdate,
  ScopeContext,
  ScopeOptions,
  UpdateHandlerOptions,
  WaitOptions,
  Workflow,
  WorkflowContext,
  WorkflowFunction,
  WorkflowLogger,
} from "./context.ts";
export {
  defineQuery,
  defineSignal,
  defineUpdate,
  type QueryDefinition,
  type SignalDefinition,
  type UpdateDefinition,
  type UpdateDefinitionOptions,
} from "./definitions.ts";
export type { CallHeaders, DeepReadonly, Labels, ParentClosePolicy } from "./types.ts";

// Writing activities
export {
  type Activity,
  activity,
  type ActivityContext,
  type ActivityFunction,
  type ActivityOptions,
} from "./activity.ts";
export { defaultRetryPolicy, type FailedAttempt, retryDelayMs, type RetryPolicy } from "./retry.ts";

// Errors
export {
  CanceledError,
  CompensationError,
  failedActivity,
  NonDeterminismError,
  NonRetryableError,
  RetryAfterError,
  TimeoutError,
  WorkflowError,
  type WorkflowErrorCode,
} from "./errors.ts";

// Observability
export { composeHooks, type Hooks, type RunInfo, type UnhandledMessages, type WorkflowReplay } from "./hooks.ts";
export type { CallChanges, Middleware, MiddlewareCall, VisitEnd } from "./middleware.ts";

// Time
export { type Clock, systemClock, VirtualClock, type VirtualClockOptions } from "./clock.ts";

// The store and its port
export {
  applyBatch,
  InMemoryStore,
  type InMemoryStoreOptions,
  type StoreChange,
  type StoreWatch,
  type WatchOptions,
  type WorkflowPage,
} from "./store.ts";
export type {
  AppendBatch,
  ClaimedRun,
  ClaimOptions,
  DeliveredEvent,
  Delivery,
  DeliveryReceipt,
  HeadPage,
  PageOptions,
  StoreListener,
  WorkflowFilter,
  WorkflowHead,
  WorkflowState,
  WorkflowStateInit,
  WorkflowStatus,
  WorkflowStore,
  WorkflowTail,
} from "./types.ts";

// The history
export type {
  ActivityAttemptFailedEvent,
  ActivityCompletedEvent,
  ActivityFailedEvent,
  ActivityHeartbeatEvent,
  ActivityStartedEvent,
  CancelRequestedEvent,
  ChildAttemptFailedEvent,
  ChildBegunEvent,
  ChildCompletedEvent,
  ChildFailedEvent,
  ChildStartedEvent,
  CommandEvent,
  CompensationStartedEvent,
  ErrorRecord,
  FailedActivity,
  ForkSource,
  LabelsChangedEvent,
  ParentRun,
  PatchedEvent,
  RememberedMessages,
  SideEffectEvent,
  SignalReceivedEvent,
  TimerFiredEvent,
  TimerStartedEvent,
  UpdateAcceptedEvent,
  UpdateCompletedEvent,
  UpdateRejectedEvent,
  UpdateRequestedEvent,
  WorkflowCanceledEvent,
  WorkflowCompletedEvent,
  WorkflowEvent,
  WorkflowFailedEvent,
  WorkflowStartedEvent,
} from "./types.ts";

// The lock
export { type LockOptions, type Permit, RWLock } from "./lock.ts";
