/**
 * Interceptors: functions around the calls into a workflow, and around those that it makes.
 *
 * @module
 */

import type {
  ActivityOptions,
  Headers,
  LocalActivityOptions,
  MetricTags,
  Next,
  PayloadTypeInfo,
  SignalTypeInfo,
  Timestamp,
  WorkflowExecution,
} from "./common/mod.ts";
import type { ChildWorkflowOptionsWithDefaults, ContinueAsNewOptions, EventGroupMarker } from "./types.ts";

export type { Headers, Next };

/**
 * Makes the interceptors of a run. It is called once for each run, in the run.
 *
 * @category Temporal
 */
export type WorkflowInterceptorsFactory = () => WorkflowInterceptors;

/**
 * The interceptors of a run. The first is the outermost.
 *
 * @category Temporal
 */
export interface WorkflowInterceptors {
  /** Around calls into the workflow. */
  inbound?: WorkflowInboundCallsInterceptor[] | undefined;
  /** Around calls that the workflow makes. */
  outbound?: WorkflowOutboundCallsInterceptor[] | undefined;
  /** Not supported: there are no activations here. */
  internals?: WorkflowInternalsInterceptor[] | undefined;
}

/**
 * Around calls into a workflow.
 *
 * @category Temporal
 */
export interface WorkflowInboundCallsInterceptor {
  /** Around the workflow function. */
  execute?: (input: WorkflowExecuteInput, next: Next<WorkflowInboundCallsInterceptor, "execute">) => Promise<unknown>;
  /** Around the handler of an update. */
  handleUpdate?: (input: UpdateInput, next: Next<WorkflowInboundCallsInterceptor, "handleUpdate">) => Promise<unknown>;
  /** Around the validator of an update. */
  validateUpdate?: (input: UpdateInput, next: Next<WorkflowInboundCallsInterceptor, "validateUpdate">) => void;
  /** Around the handler of a signal. */
  handleSignal?: (input: SignalInput, next: Next<WorkflowInboundCallsInterceptor, "handleSignal">) => Promise<void>;
  /** Around the handler of a query. It can change the arguments; the answer is what the handler returns. */
  handleQuery?: (input: QueryInput, next: Next<WorkflowInboundCallsInterceptor, "handleQuery">) => Promise<unknown>;
}

/**
 * A call of a workflow function.
 *
 * @category Temporal
 */
export interface WorkflowExecuteInput {
  /** The arguments. */
  readonly args: unknown[];
  /** The headers. */
  readonly headers: Headers;
}

/**
 * A call of the handler or the validator of an update.
 *
 * @category Temporal
 */
export interface UpdateInput {
  /** The ID of the request; empty for a validator. */
  readonly updateId: string;
  /** The name of the update. */
  readonly name: string;
  /** The arguments. */
  readonly args: unknown[];
  /** The headers; empty for a validator. */
  readonly headers: Headers;
}

/**
 * A call of the handler of a signal.
 *
 * @category Temporal
 */
export interface SignalInput {
  /** The name of the signal. */
  readonly signalName: string;
  /** The arguments. */
  readonly args: unknown[];
  /** The headers. */
  readonly headers: Headers;
}

/**
 * A call of the handler of a query.
 *
 * @category Temporal
 */
export interface QueryInput {
  /** Always empty. */
  readonly queryId: string;
  /** The name of the query. */
  readonly queryName: string;
  /** The arguments. */
  readonly args: unknown[];
  /** Always empty. */
  readonly headers: Headers;
}

/**
 * Around calls that a workflow makes.
 *
 * @category Temporal
 */
export interface WorkflowOutboundCallsInterceptor {
  /** Around `sleep`. */
  startTimer?: (input: TimerInput, next: Next<WorkflowOutboundCallsInterceptor, "startTimer">) => Promise<void>;
  /** Around the call of an activity. */
  scheduleActivity?: (
    input: ActivityInput,
    next: Next<WorkflowOutboundCallsInterceptor, "scheduleActivity">,
  ) => Promise<unknown>;
  /** Around the call of a local activity. */
  scheduleLocalActivity?: (
    input: LocalActivityInput,
    next: Next<WorkflowOutboundCallsInterceptor, "scheduleLocalActivity">,
  ) => Promise<unknown>;
  /** Around the start of a child. */
  startChildWorkflowExecution?: (
    input: StartChildWorkflowExecutionInput,
    next: Next<WorkflowOutboundCallsInterceptor, "startChildWorkflowExecution">,
  ) => Promise<[Promise<string>, Promise<unknown>]>;
  /** Around a signal to another workflow. */
  signalWorkflow?: (
    input: SignalWorkflowInput,
    next: Next<WorkflowOutboundCallsInterceptor, "signalWorkflow">,
  ) => Promise<void>;
  /** Around `continueAsNew`. */
  continueAsNew?: (
    input: ContinueAsNewInput,
    next: Next<WorkflowOutboundCallsInterceptor, "continueAsNew">,
  ) => Promise<never>;
  /** Returns the fields of a line of the log. */
  getLogAttributes?: (
    input: GetLogAttributesInput,
    next: Next<WorkflowOutboundCallsInterceptor, "getLogAttributes">,
  ) => Record<string, unknown>;
  /** Not called: metrics are not recorded. */
  getMetricTags?: (
    input: GetMetricTagsInput,
    next: Next<WorkflowOutboundCallsInterceptor, "getMetricTags">,
  ) => MetricTags;
}

/**
 * A timer.
 *
 * @category Temporal
 */
export interface TimerInput {
  /** How long, in milliseconds. */
  readonly durationMs: number;
  /** The number of the timer in the run. */
  readonly seq: number;
  /** Its options. */
  readonly options?: TimerOptions | undefined;
}

/**
 * Options of a timer, for a user interface. They change nothing here.
 *
 * @category Temporal
 */
export interface TimerOptions {
  /** A text. */
  readonly summary?: string | undefined;
  /** Groups. */
  readonly eventGroups?: EventGroupMarker[] | undefined;
}

/**
 * A call of an activity.
 *
 * @category Temporal
 */
export interface ActivityInput {
  /** The name of the activity. */
  readonly activityType: string;
  /** The arguments. */
  readonly args: unknown[];
  /** The options. */
  readonly options: ActivityOptions;
  /** The headers. */
  readonly headers: Headers;
  /** The number of the call in the run. */
  readonly seq: number;
  /** It changes nothing here. */
  readonly typeInfo?: PayloadTypeInfo | undefined;
}

/**
 * A call of a local activity.
 *
 * @category Temporal
 */
export interface LocalActivityInput {
  /** The name of the activity. */
  readonly activityType: string;
  /** The arguments. */
  readonly args: unknown[];
  /** The options. */
  readonly options: LocalActivityOptions;
  /** The headers. */
  readonly headers: Headers;
  /** The number of the call in the run. */
  readonly seq: number;
  /** Always `undefined`. */
  readonly originalScheduleTime?: Timestamp | undefined;
  /** Always 1. */
  readonly attempt: number;
  /** It changes nothing here. */
  readonly typeInfo?: PayloadTypeInfo | undefined;
}

/**
 * The start of a child.
 *
 * @category Temporal
 */
export interface StartChildWorkflowExecutionInput {
  /** The name of the workflow. */
  readonly workflowType: string;
  /** The options, with the arguments. */
  readonly options: ChildWorkflowOptionsWithDefaults;
  /** The headers. */
  readonly headers: Headers;
  /** The number of the child in the run. */
  readonly seq: number;
}

/**
 * A signal to another workflow.
 *
 * @category Temporal
 */
export interface SignalWorkflowInput {
  /** The number of the signal in the run. */
  readonly seq: number;
  /** The name of the signal. */
  readonly signalName: string;
  /** The arguments. */
  readonly args: unknown[];
  /** It changes nothing here. */
  readonly typeInfo?: SignalTypeInfo | undefined;
  /** The headers. */
  readonly headers: Headers;
  /** The receiver. */
  readonly target: {
    readonly type: "external";
    readonly workflowExecution: WorkflowExecution;
  } | {
    readonly type: "child";
    readonly childWorkflowId: string;
  };
}

/**
 * A call of `continueAsNew`.
 *
 * @category Temporal
 */
export interface ContinueAsNewInput {
  /** The arguments. */
  readonly args: unknown[];
  /** The headers. */
  readonly headers: Headers;
  /** The options. */
  readonly options: ContinueAsNewInputOptions;
}

/**
 * The options of `continueAsNew`, as interceptors see them.
 *
 * @category Temporal
 */
export type ContinueAsNewInputOptions = ContinueAsNewOptions & { workflowType: string };

/**
 * The fields of a line of the log.
 *
 * @category Temporal
 */
export type GetLogAttributesInput = Record<string, unknown>;

/**
 * The tags of a metric.
 *
 * @category Temporal
 */
export type GetMetricTagsInput = MetricTags;

/**
 * Around the inside of Temporal's worker. Not supported: a host refuses it.
 *
 * @category Temporal
 */
export interface WorkflowInternalsInterceptor {
  /** Not supported. */
  // deno-lint-ignore no-explicit-any -- what Temporal's core gives to it
  activate?(input: any, next: (input: any) => void): void;
  /** Not supported. */
  // deno-lint-ignore no-explicit-any -- what Temporal's core gives to it
  concludeActivation?(input: any, next: (input: any) => any): any;
  /** Not supported. */
  // deno-lint-ignore no-explicit-any -- what Temporal's core gives to it
  dispose?(input: any, next: (input: any) => void): void;
}
