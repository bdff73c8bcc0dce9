/**
 * The types of Temporal's workflow interface.
 *
 * This module holds types only, and the two sets of names that belong to them. It is long because its doc comments are the reference
 * of the names.
 *
 * @module
 */

import type {
  ActivityFunction,
  CommonWorkflowOptions,
  Duration,
  HandlerUnfinishedPolicy,
  InitialVersioningBehavior,
  PayloadTypeInfo,
  Priority,
  QueryDefinition,
  RetryPolicy,
  SearchAttributePair,
  SearchAttributes,
  SignalDefinition,
  SuggestContinueAsNewReason,
  TypedSearchAttributes,
  UpdateDefinition,
  VersioningIntent,
  WorkerDeploymentVersion,
} from "./common/mod.ts";

/**
 * The input of a workflow, if it is more than the array of its arguments.
 *
 * @category Temporal
 */
export interface WorkflowInput {
  /** The arguments. */
  readonly args: readonly unknown[];
  /**
   * The memo.
   *
   * @default {none}
   */
  readonly memo?: Readonly<Record<string, unknown>> | undefined;
  /**
   * The search attributes.
   *
   * @default {none}
   */
  readonly searchAttributes?: readonly SearchAttributePair[] | undefined;
  /**
   * The headers for interceptors, as texts.
   *
   * @default {none}
   */
  readonly headers?: string | undefined;
  /**
   * The task queue, for `workflowInfo()`.
   *
   * @default {"default"}
   */
  readonly taskQueue?: string | undefined;
  /**
   * How long the run waits before its code begins, in milliseconds.
   *
   * @default {0}
   */
  readonly startAfterMs?: number | undefined;
  /** The first ancestor, if that is not the parent. */
  readonly root?: RootWorkflowInfo | undefined;
  /** The run that this one continues. */
  readonly continued?: { readonly runId: string; readonly firstRunId: string; readonly startTime: number } | undefined;
}

/**
 * A workflow, as `workflowInfo()` describes it.
 *
 * @category Temporal
 */
export interface WorkflowInfo {
  /** The ID of the workflow. */
  readonly workflowId: string;
  /** The ID of the run. */
  readonly runId: string;
  /** The name of the workflow. */
  readonly workflowType: string;
  /** The search attributes, as lists. */
  readonly searchAttributes: SearchAttributes;
  /** The search attributes. */
  readonly typedSearchAttributes: TypedSearchAttributes;
  /** The memo. */
  readonly memo?: Record<string, unknown> | undefined;
  /** The workflow that started this one as a child. */
  readonly parent?: ParentWorkflowInfo | undefined;
  /** The first ancestor; `undefined` if this is a workflow without a parent. */
  readonly root?: RootWorkflowInfo | undefined;
  /** Always `undefined`: there are no cron schedules. */
  readonly lastResult?: unknown;
  /** Always `undefined`. */
  readonly lastFailure?: Error | undefined;
  /** How many events of the history the workflow has seen. */
  readonly historyLength: number;
  /** Always 0: the size is not counted. */
  readonly historySize: number;
  /** Whether the history has more than 4,096 events. */
  readonly continueAsNewSuggested: boolean;
  /** Always `false`: there are no versions of workers. */
  readonly targetWorkerDeploymentVersionChanged: boolean;
  /** Why the workflow should continue as new. */
  readonly suggestedContinueAsNewReasons?: SuggestContinueAsNewReason[] | undefined;
  /** The task queue. It decides nothing here. */
  readonly taskQueue: string;
  /** Always `"default"`. */
  readonly namespace: string;
  /** The ID of the first run of the chain. */
  readonly firstExecutionRunId: string;
  /** The ID of the run: runs are not reset. */
  readonly originalExecutionRunId: string;
  /** The ID of the run that this one continues. */
  readonly continuedFromExecutionRunId?: string | undefined;
  /** When the first run of the chain started. */
  readonly startTime: Date;
  /** When this run started. */
  readonly runStartTime: Date;
  /** Always `undefined`: the context does not tell it. */
  readonly executionTimeoutMs?: number | undefined;
  /** Always `undefined`. */
  readonly executionExpirationTime?: Date | undefined;
  /** Always `undefined`: the context does not tell it. */
  readonly runTimeoutMs?: number | undefined;
  /** Always 10,000. It decides nothing here. */
  readonly taskTimeoutMs: number;
  /** Always `undefined`: the context does not tell it. */
  readonly retryPolicy?: RetryPolicy | undefined;
  /** Always 1: the context does not tell it. */
  readonly attempt: number;
  /** Always `undefined`. */
  readonly cronSchedule?: string | undefined;
  /** Always `undefined`. */
  readonly cronScheduleToScheduleInterval?: number | undefined;
  /** The executor's `workflowVersion` when the run began. */
  readonly currentBuildId?: string | undefined;
  /** Always `undefined`: there are no versions of workers. */
  readonly currentDeploymentVersion?: WorkerDeploymentVersion | undefined;
  /** What no decision may depend on. */
  readonly unsafe: UnsafeWorkflowInfo;
  /** Always `undefined`: it decides nothing here. */
  readonly priority?: Priority | undefined;
}

/**
 * What no decision of a workflow may depend on.
 *
 * @category Temporal
 */
export interface UnsafeWorkflowInfo {
  /** The time of the last event that the workflow has seen: not the time of the machine, as in Temporal. */
  readonly now: () => number;
  /** Whether a history is being replayed. */
  readonly isReplaying: boolean;
  /** The same. */
  readonly isReplayingHistoryEvents: boolean;
  /** Random numbers. They are the same on replay, and change the later ones: unlike in Temporal. */
  readonly random: UnsafeRandomSource;
}

/**
 * Random numbers.
 *
 * @category Temporal
 */
export interface UnsafeRandomSource {
  /** Returns a number from 0 to below 1. */
  random(): number;
  /** Returns a UUID of version 4. */
  uuid4(): string;
  /**
   * Fills bytes.
   *
   * @param bytes The bytes.
   */
  fillRandom(bytes: Uint8Array): Uint8Array;
}

/**
 * The update whose handler runs.
 *
 * @category Temporal
 */
export interface UpdateInfo {
  /** The ID of the request. */
  readonly id: string;
  /** The name of the update. */
  readonly name: string;
}

/**
 * The workflow that started another one.
 *
 * @category Temporal
 */
export interface ParentWorkflowInfo {
  /** Its ID. */
  workflowId: string;
  /** The ID of its run. */
  runId: string;
  /** Always `"default"`. */
  namespace: string;
}

/**
 * The first ancestor of a workflow.
 *
 * @category Temporal
 */
export interface RootWorkflowInfo {
  /** Its ID. */
  workflowId: string;
  /** The ID of its run. */
  runId: string;
}

/**
 * Groups events in a user interface. It changes nothing here.
 *
 * @category Temporal
 */
export interface EventGroupMarker {
  /**
   * Calls a function.
   *
   * @param fn The function.
   */
  withScope<T>(fn: () => Promise<T>): Promise<T>;
}

/**
 * Options of `makeContinueAsNewFunc`.
 *
 * @category Temporal
 */
export interface ContinueAsNewOptions {
  /**
   * The name of the workflow that the next run executes.
   *
   * @default {that of this run}
   */
  workflowType?: string | undefined;
  /** The task queue, for `workflowInfo()`. */
  taskQueue?: string | undefined;
  /** It changes nothing here: the time limit of the chain stays. */
  workflowRunTimeout?: Duration | undefined;
  /** It changes nothing here. */
  workflowTaskTimeout?: Duration | undefined;
  /** How long the next run waits before its code begins. */
  backoffStartInterval?: Duration | undefined;
  /**
   * The memo of the next run.
   *
   * @default {that of this run}
   */
  memo?: Record<string, unknown> | undefined;
  /**
   * The search attributes of the next run.
   *
   * @default {those of this run}
   */
  searchAttributes?: SearchAttributes | undefined;
  /** The same, with types. */
  typedSearchAttributes?: SearchAttributePair[] | TypedSearchAttributes | undefined;
  /** It changes nothing here. */
  versioningIntent?: VersioningIntent | undefined;
  /** It changes nothing here. */
  initialVersioningBehavior?: InitialVersioningBehavior | undefined;
  /** It changes nothing here: the converter of the host converts all values. */
  typeInfo?: Pick<PayloadTypeInfo, "inputTypes"> | undefined;
  /** It changes nothing here. */
  eventGroups?: EventGroupMarker[] | undefined;
}

/**
 * When the parent of a cancelled child learns of its end.
 *
 * @category Temporal
 */
export const ChildWorkflowCancellationType = {
  /** The child is not cancelled. The wait for it rejects at once. */
  ABANDON: "ABANDON",
  /** The child is cancelled. The wait for it rejects at once. */
  TRY_CANCEL: "TRY_CANCEL",
  /** The wait rejects when the cancellation of the child is stored. */
  WAIT_CANCELLATION_REQUESTED: "WAIT_CANCELLATION_REQUESTED",
  /** The wait settles with the outcome of the child. */
  WAIT_CANCELLATION_COMPLETED: "WAIT_CANCELLATION_COMPLETED",
} as const;

/**
 * When the parent of a cancelled child learns of its end.
 *
 * @category Temporal
 */
export type ChildWorkflowCancellationType =
  (typeof ChildWorkflowCancellationType)[keyof typeof ChildWorkflowCancellationType];

/**
 * What happens to a child that runs when its parent ends.
 *
 * @category Temporal
 */
export const ParentClosePolicy = {
  /** It is terminated. The default. */
  TERMINATE: "TERMINATE",
  /** It continues. */
  ABANDON: "ABANDON",
  /** It is cancelled. */
  REQUEST_CANCEL: "REQUEST_CANCEL",
  /** The default. */
  PARENT_CLOSE_POLICY_UNSPECIFIED: undefined,
  /** The earlier name of `TERMINATE`. */
  PARENT_CLOSE_POLICY_TERMINATE: "TERMINATE",
  /** The earlier name of `ABANDON`. */
  PARENT_CLOSE_POLICY_ABANDON: "ABANDON",
  /** The earlier name of `REQUEST_CANCEL`. */
  PARENT_CLOSE_POLICY_REQUEST_CANCEL: "REQUEST_CANCEL",
} as const;

/**
 * What happens to a child that runs when its parent ends.
 *
 * @category Temporal
 */
export type ParentClosePolicy = (typeof ParentClosePolicy)[keyof typeof ParentClosePolicy];

/**
 * Options of `startChild` and `executeChild`.
 *
 * @category Temporal
 */
export interface ChildWorkflowOptions extends Omit<CommonWorkflowOptions, "workflowIdConflictPolicy"> {
  /** It changes nothing here: the converter of the host converts all values. */
  typeInfo?: PayloadTypeInfo | undefined;
  /**
   * The ID of the child.
   *
   * @default {a UUID}
   */
  workflowId?: string | undefined;
  /** The task queue, for `workflowInfo()` of the child. */
  taskQueue?: string | undefined;
  /**
   * When the parent learns of the end of a cancelled child.
   *
   * @default {ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED}
   */
  cancellationType?: ChildWorkflowCancellationType | undefined;
  /**
   * What happens to the child when its parent ends.
   *
   * @default {ParentClosePolicy.TERMINATE}
   */
  parentClosePolicy?: ParentClosePolicy | undefined;
  /** It changes nothing here. */
  versioningIntent?: VersioningIntent | undefined;
  /** It changes nothing here. */
  eventGroups?: EventGroupMarker[] | undefined;
}

/**
 * The options of a child that always have a value.
 *
 * @category Temporal
 */
export interface RequiredChildWorkflowOptions {
  /** The ID of the child. */
  workflowId: string;
  /** When the parent learns of the end of a cancelled child. */
  cancellationType: ChildWorkflowCancellationType;
  /** The arguments. */
  args: unknown[];
}

/**
 * The options of a child, as interceptors see them.
 *
 * @category Temporal
 */
export type ChildWorkflowOptionsWithDefaults =
  & Omit<ChildWorkflowOptions, keyof RequiredChildWorkflowOptions>
  & RequiredChildWorkflowOptions;

/**
 * The function that handles a signal, a query or an update of a definition.
 *
 * @category Temporal
 */
export type Handler<
  Ret,
  // deno-lint-ignore no-explicit-any -- as Temporal's users know it
  Args extends any[],
  T extends UpdateDefinition<Ret, Args> | SignalDefinition<Args> | QueryDefinition<Ret, Args>,
> = T extends UpdateDefinition<infer R, infer A> ? (...args: A) => R | Promise<R>
  : T extends SignalDefinition<infer A> ? (...args: A) => void | Promise<void>
  : T extends QueryDefinition<infer R, infer A> ? (...args: A) => R
  : never;

/**
 * Handles the signals that have no handler.
 *
 * @category Temporal
 */
export type DefaultSignalHandler = (signalName: string, ...args: unknown[]) => void | Promise<void>;

/**
 * Handles the updates that have no handler.
 *
 * @category Temporal
 */
export type DefaultUpdateHandler = (updateName: string, ...args: unknown[]) => Promise<unknown> | unknown;

/**
 * Handles the queries that have no handler.
 *
 * @category Temporal
 */
export type DefaultQueryHandler = (queryName: string, ...args: unknown[]) => unknown;

/**
 * Throws if the arguments of an update are refused.
 *
 * @category Temporal
 */
// deno-lint-ignore no-explicit-any -- as Temporal's users know it
export type UpdateValidator<Args extends any[]> = (...args: Args) => void;

/**
 * Options of `setHandler` for a query.
 *
 * @category Temporal
 */
export interface QueryHandlerOptions {
  /** For the query `__temporal_workflow_metadata`. */
  description?: string | undefined;
}

/**
 * Options of `setHandler` for a signal.
 *
 * @category Temporal
 */
export interface SignalHandlerOptions extends QueryHandlerOptions {
  /**
   * What is done about a call that still runs when the workflow ends.
   *
   * @default {HandlerUnfinishedPolicy.WARN_AND_ABANDON}
   */
  unfinishedPolicy?: HandlerUnfinishedPolicy | undefined;
}

/**
 * Options of `setHandler` for an update.
 *
 * @category Temporal
 */
// deno-lint-ignore no-explicit-any -- as Temporal's users know it
export interface UpdateHandlerOptions<Args extends any[]> extends SignalHandlerOptions {
  /** Throws if the arguments are refused. It is not called on replay, and must not change anything. */
  validator?: UpdateValidator<Args> | undefined;
}

/**
 * A function of a sink.
 *
 * @category Temporal
 */
// deno-lint-ignore no-explicit-any -- as Temporal's users know it
export type SinkFunction = (...args: any[]) => void;

/**
 * Functions by name.
 *
 * @category Temporal
 */
export type Sink = Record<string, SinkFunction>;

/**
 * Sinks by name.
 *
 * @category Temporal
 */
export type Sinks = Record<string, Sink>;

/**
 * A call of a sink.
 *
 * @category Temporal
 */
export interface SinkCall {
  /** The name of the sink. */
  ifaceName: string;
  /** The name of the function. */
  fnName: string;
  /** The arguments. */
  args: unknown[];
  /** The workflow that called. */
  workflowInfo: WorkflowInfo;
}

/**
 * The function that a call of a sink reaches.
 *
 * @category Temporal
 */
export interface InjectedSinkFunction<F extends SinkFunction = SinkFunction> {
  /**
   * Does what the sink is for. What it throws is logged.
   *
   * @param info The workflow that called.
   * @param args The arguments of the call.
   */
  fn(info: WorkflowInfo, ...args: Parameters<F>): void | Promise<void>;
  /**
   * Whether it is called on replay, too.
   *
   * @default {false}
   */
  callDuringReplay?: boolean | undefined;
}

/**
 * The functions of a sink, by name.
 *
 * @category Temporal
 */
export type InjectedSink<T extends Sink> = { [Name in keyof T]: InjectedSinkFunction<T[Name]> };

/**
 * The sinks of a host, by name.
 *
 * @category Temporal
 */
export type InjectedSinks<T extends Sinks = Sinks> = { [Name in keyof T]: InjectedSink<T[Name]> };

/**
 * An activity that is called with options of its own by `executeWithOptions`.
 *
 * @category Temporal
 */
export type Called<T extends ActivityFunction, Options> = T & {
  /**
   * Calls the activity.
   *
   * @param options Options that take precedence.
   * @param args The arguments.
   */
  executeWithOptions(options: Options, args: Parameters<T>): Promise<Awaited<ReturnType<T>>>;
};
