/**
 * The options of a client's calls, as Temporal has them, and what its calls return.
 *
 * @module
 */

import type {
  Duration,
  RetryPolicy,
  SearchAttributes,
  SignalDefinition,
  WithWorkflowArgs,
  Workflow,
  WorkflowIdConflictPolicy,
  WorkflowIdReusePolicy,
} from "../common/mod.ts";

/**
 * Options of the start of a workflow.
 *
 * @category Temporal
 */
export interface WorkflowOptions {
  /** The ID of the workflow. */
  workflowId: string;
  /** The workers of this queue run the workflow. */
  taskQueue: string;
  /**
   * Whether `result()` waits for the runs that continue the first one.
   *
   * @default {true}
   */
  followRuns?: boolean | undefined;
  /** How long after the call the workflow begins. */
  startDelay?: Duration | undefined;
  /** Accepted: `eagerlyStarted` of the handle is what it says. It changes nothing else. */
  requestEagerStart?: boolean | undefined;
  /**
   * What happens if a workflow with the ID has ended.
   *
   * @default {"ALLOW_DUPLICATE"}
   */
  workflowIdReusePolicy?: WorkflowIdReusePolicy | undefined;
  /**
   * What happens if a workflow with the ID runs.
   *
   * @default {"FAIL"}
   */
  workflowIdConflictPolicy?: WorkflowIdConflictPolicy | undefined;
  /** How long all runs may take together. */
  workflowExecutionTimeout?: Duration | undefined;
  /** How long a run may take. The shorter one of this and `workflowExecutionTimeout` counts. */
  workflowRunTimeout?: Duration | undefined;
  /** Accepted, without effect. */
  workflowTaskTimeout?: Duration | undefined;
  /** Values that belong to the workflow; `workflowInfo().memo`. */
  memo?: Record<string, unknown> | undefined;
  /** Values to find the workflow by; `workflowInfo().searchAttributes`. */
  searchAttributes?: SearchAttributes | undefined;
  /** Not supported: a workflow that fails is not run again. */
  retry?: RetryPolicy | undefined;
  /** Not supported. */
  cronSchedule?: string | undefined;
  /** Accepted, without effect. */
  // deno-lint-ignore no-explicit-any -- an object or pairs, as Temporal declares it
  typedSearchAttributes?: any | undefined;
  /** Accepted, without effect. */
  priority?: object | undefined;
  /** Accepted, without effect. */
  staticSummary?: string | undefined;
  /** Accepted, without effect. */
  staticDetails?: string | undefined;
  /** Accepted, without effect. */
  versioningOverride?: unknown;
}

/**
 * Options of the start of a workflow, with its arguments.
 *
 * @category Temporal
 */
export type WorkflowStartOptions<T extends Workflow = Workflow> = WithWorkflowArgs<T, WorkflowOptions>;

/**
 * Options of a start together with a signal.
 *
 * @category Temporal
 */
// deno-lint-ignore no-explicit-any -- as Temporal declares it
export type WorkflowSignalWithStartOptions<SignalArgs extends any[] = []> =
  & Omit<WorkflowOptions, "requestEagerStart">
  & { /** The signal. */ signal: SignalDefinition<SignalArgs> | string }
  // deno-lint-ignore no-explicit-any -- as Temporal declares it
  & (SignalArgs extends [any, ...any[]] ? { /** Its arguments. */ signalArgs: SignalArgs } : {
    /** Its arguments. */
    signalArgs?: SignalArgs | undefined;
  });

/**
 * How far an update is when its start returns.
 *
 * @category Temporal
 */
export const WorkflowUpdateStage = {
  /** It has arrived. A start does not return as early as that. */
  ADMITTED: "ADMITTED",
  /** Its validator has accepted it. */
  ACCEPTED: "ACCEPTED",
  /** Its handler has returned. */
  COMPLETED: "COMPLETED",
  /** Not known. */
  UNSPECIFIED: undefined,
} as const;

/**
 * How far an update is when its start returns.
 *
 * @category Temporal
 */
export type WorkflowUpdateStage = (typeof WorkflowUpdateStage)[keyof typeof WorkflowUpdateStage];

/**
 * Options of an update.
 *
 * @category Temporal
 */
export interface WorkflowUpdateOptions {
  /** Identifies the update: the handler runs once for an ID. */
  readonly updateId?: string | undefined;
}

/**
 * Options of `result()`.
 *
 * @category Temporal
 */
export interface WorkflowResultOptions {
  /**
   * Whether to wait for the runs that continue the first one.
   *
   * @default {true}
   */
  followRuns?: boolean | undefined;
}

/**
 * Options of {@linkcode WorkflowClient.getHandle}.
 *
 * @category Temporal
 */
export interface GetWorkflowHandleOptions extends WorkflowResultOptions {
  /** The ID of the first run: a handle to another chain of runs with the same ID is refused. */
  firstExecutionRunId?: string | undefined;
}

/**
 * The names of a workflow's status.
 *
 * @category Temporal
 */
export type WorkflowExecutionStatusName =
  | "CANCELLED"
  | "COMPLETED"
  | "CONTINUED_AS_NEW"
  | "FAILED"
  | "PAUSED"
  | "RUNNING"
  | "TERMINATED"
  | "TIMED_OUT"
  | "UNKNOWN"
  | "UNSPECIFIED";

/**
 * A workflow, as `list()` returns it.
 *
 * @category Temporal
 */
export interface WorkflowExecutionInfo {
  /** The name of the workflow. */
  type: string;
  /** The ID of the workflow. */
  workflowId: string;
  /** The ID of the run. */
  runId: string;
  /** Its task queue. */
  taskQueue: string;
  /** Its status. */
  status: { code: number; name: WorkflowExecutionStatusName };
  /** How many events its history has: those of this package. */
  historyLength: number;
  /** When it began. */
  startTime: Date;
  /** When its code began. */
  executionTime?: Date | undefined;
  /** When it ended. */
  closeTime?: Date | undefined;
  /** Values that belong to it. */
  memo?: Record<string, unknown> | undefined;
  /** Values to find it by, as they were at the start. */
  searchAttributes: SearchAttributes;
  /** The workflow that started it. */
  parentExecution?: { workflowId: string; runId: string } | undefined;
  /** What this package reports about it. */
  raw: unknown;
}

/**
 * A workflow, as `describe()` returns it.
 *
 * @category Temporal
 */
export type WorkflowExecutionDescription = WorkflowExecutionInfo & {
  /** Always `undefined`. */
  staticDetails: () => Promise<string | undefined>;
  /** Always `undefined`. */
  staticSummary: () => Promise<string | undefined>;
};

/** What a start gets. */
export type Started = WorkflowOptions & {
  readonly args?: readonly unknown[] | undefined;
  readonly signals?: readonly { readonly name: string; readonly args: readonly unknown[] }[] | undefined;
};
