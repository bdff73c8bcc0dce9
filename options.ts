/**
 * The options of an executor and of its methods, and what an executor reports about a workflow.
 *
 * This module holds types only. The executor checks the values at the call. It is long because every property has its unit,
 * its range and its default.
 *
 * @example
 * ```ts
 * import { Executor, type ExecutorOptions } from "@rockpool/workflow";
 * import { assertEquals } from "@std/assert";
 *
 * const options: ExecutorOptions = { maxConcurrentActivities: 10, maxPayloadBytes: 1_000_000 };
 * await using executor = new Executor(options);
 * const handle = await executor.execute(() => "done", { id: "a", labels: { team: "billing" } });
 * assertEquals(await handle.result(), "done");
 * ```
 *
 * @module
 */

import type { Clock } from "./clock.ts";
import type { Hooks } from "./hooks.ts";
import type { Middleware } from "./middleware.ts";
import type { ActivityContext } from "./activity.ts";
import type { Defined, WorkflowContext, WorkflowLogger } from "./context.ts";
import type { RetryPolicy } from "./retry.ts";
import type { SignalDefinition } from "./definitions.ts";
import type {
  CallHeaders,
  DeepReadonly,
  ErrorRecord,
  Labels,
  WorkflowEvent,
  WorkflowStatus,
  WorkflowStore,
} from "./types.ts";

/**
 * Chooses the function that runs in place of an activity. Returns `undefined` if the activity itself runs.
 *
 * @category Executor
 */
export type ReplaceActivity = (activity: AnyActivity, name: string) => AnyActivity | undefined;

/**
 * A function that an executor can run as an activity, with an input of any type.
 *
 * @category Executor
 */
export type AnyActivity = (input: never, context: ActivityContext) => unknown;

/**
 * A function that an executor can run as a workflow, with an input of any type.
 *
 * @category Executor
 */
// deno-lint-ignore no-explicit-any -- a context for every input: a function that continues with any input is accepted
export type AnyWorkflow = (ctx: WorkflowContext<any>, input: never) => unknown;

/**
 * Options of an {@linkcode Executor}.
 *
 * @category Executor
 */
export interface ExecutorOptions {
  /**
   * Stores the runs.
   *
   * @default {a new InMemoryStore}
   */
  readonly store?: WorkflowStore | undefined;
  /**
   * Gives the time and the timers.
   *
   * @default {systemClock}
   */
  readonly clock?: Clock | undefined;
  /**
   * The workflows that `recover()` can resume, by name. A workflow that this executor has executed is known too.
   *
   * @default {none}
   */
  readonly workflows?: Readonly<Record<string, AnyWorkflow>> | undefined;
  /**
   * The version of the workflows' code. Every run that begins here records it, for `ctx.workflowVersion`.
   *
   * @default {undefined}
   */
  readonly workflowVersion?: string | undefined;
  /**
   * Functions that are called with each stored event.
   *
   * @default {none}
   */
  readonly hooks?: Hooks | undefined;
  /**
   * Functions that wrap calls. The first is the outermost.
   *
   * @default {none}
   */
  readonly middleware?: readonly Middleware[] | undefined;
  /**
   * Chooses the function that runs in place of an activity, such as a fake in a test. It gets the same input and context,
   * and the activity's options apply. If it returns `undefined`, the activity itself runs.
   *
   * @default {every activity runs itself}
   */
  readonly replaceActivity?: ReplaceActivity | undefined;
  /**
   * Gets the errors that hooks, middleware, loggers, `random`, `isRetryable` and the clock throw, and the errors of runs that
   * `recover()` cannot resume. Nothing waits for what it returns. If it fails itself, the console gets both errors.
   *
   * @default {console.error}
   */
  readonly onError?: ((error: unknown) => void) | undefined;
  /**
   * Gets the lines that workflows write to `ctx.log`, and a warning when a workflow has ended with unhandled messages
   * ({@linkcode Hooks.messagesUnhandled}).
   *
   * @default {console}
   */
  readonly logger?: WorkflowLogger | undefined;
  /**
   * When a call of the store that failed is repeated. With `maxAttempts: Infinity`, a signal through another executor that the
   * store never takes holds up the ones that were sent after it: they keep their order.
   *
   * @default {5 attempts, from 50 ms}
   */
  readonly storeRetry?: RetryPolicy | undefined;
  /**
   * For how long this executor owns its runs without renewing its lease, in milliseconds, from 0. Until then no other executor takes
   * them; an executor that stands still for longer may lose them. It renews its lease three times as often, while it has live
   * runs. `0`: no leases, and nobody else may run the workflows of the store.
   *
   * @default {what the store says: 10,000 for those that processes share; 0 for `InMemoryStore`, and with a `clock` of your own}
   */
  readonly leaseMs?: number | undefined;
  /**
   * Maximum number of activity attempts that run at a time; a positive integer. The others wait in a queue, which does not
   * stop a virtual clock. Runs take turns, so that a run with 10,000 activities does not delay the others.
   *
   * A queued attempt uses up `totalTimeoutMs`, but not `timeoutMs`. An attempt that was given up (timed out, cancelled) no
   * longer counts, although its function continues if it ignores its signal. An activity that waits for another activity of
   * this executor keeps its slot meanwhile.
   *
   * @default {no limit}
   */
  readonly maxConcurrentActivities?: number | undefined;
  /**
   * Maximum number of workflows that run at a time; a positive integer. The others are stored at once, and their code
   * begins in order of arrival when other workflows end. Children do not count, because their parents wait for them.
   *
   * @default {no limit}
   */
  readonly maxConcurrentWorkflows?: number | undefined;
  /**
   * How long a run is idle before it becomes dormant, in milliseconds, from 0. A dormant run is dropped from memory. It is
   * replayed from the store when something arrives: a signal, an update, a query, the time of a timer, the end of a child.
   * A replay takes time in proportion to the history.
   *
   * A run is idle while its code waits only for its context, and not for an activity or an update in progress. A dormant
   * run still counts for `maxConcurrentWorkflows`. No timer is set, because it would move a virtual clock and keep the process
   * alive: idle runs are checked when a run becomes idle. So after a burst they stay in memory until something happens again.
   *
   * @default {never}
   */
  readonly dormantAfterMs?: number | undefined;
  /**
   * Maximum number of events in a history, the last event not counted; a positive integer. A workflow that needs more fails
   * with code `history_too_long`. Its compensations do not run, because they need events too. Before that, a long workflow
   * starts a new run by `ctx.continueAsNew()`. Events that are sent to a run that is live nowhere are stored; the run fails
   * when it is resumed.
   *
   * @default {no limit}
   */
  readonly maxHistoryEvents?: number | undefined;
  /**
   * Maximum size of an input, a payload, a result, all headers or all labels, in bytes (approximately, as JSON in UTF-8); a
   * positive integer. Headers count together with those that they complete: those of the run. A larger value is refused with a `RangeError`: at the call, or as the failure of the activity or workflow that returned
   * it. A run keeps the limit that it began with.
   *
   * @default {no limit}
   */
  readonly maxPayloadBytes?: number | undefined;
  /**
   * Returns a number from 0 to below 1, for the jitter of delays.
   *
   * @default {Math.random}
   */
  readonly random?: (() => number) | undefined;
  /**
   * Returns the ID of a new run: a string that no other run of that workflow has had. It is called before the run is
   * stored, and the start can still fail. The values of `ctx.random()` and `ctx.uuid()` follow from this ID, so a test that
   * chooses the IDs gets the same run again.
   *
   * @default {a random UUID}
   */
  readonly newRunId?: ((workflowId: string) => string) | undefined;
}

/**
 * Options of {@linkcode Executor.execute}.
 *
 * @category Executor
 */
// deno-lint-ignore no-explicit-any -- signals of any payload
export interface ExecuteOptions<Input = unknown, Signals extends readonly unknown[] = readonly any[]> {
  /**
   * The workflow's ID; a non-empty string.
   *
   * @default {a random UUID}
   */
  readonly id?: string | undefined;
  /**
   * The workflow's input. Required if the workflow's function requires it.
   *
   * @default {undefined}
   */
  readonly input?: Input | undefined;
  /**
   * Texts by name, to find the run by `WorkflowFilter.labels`; workflow code reads them from `ctx.labels`.
   *
   * @default {none}
   */
  readonly labels?: Labels | undefined;
  /**
   * Texts by name that travel with the run: workflow code reads them from `ctx.headers`, activities from `context.headers`, hooks
   * from `run.headers`. Its children, the messages that it sends and the signals of this call get them too. The next runs of the
   * chain keep them.
   *
   * @default {none}
   */
  readonly headers?: CallHeaders | undefined;
  /**
   * How long the workflow may take from its start, in milliseconds, above 0. Then it fails with a `TimeoutError`.
   *
   * @default {no limit}
   */
  readonly timeoutMs?: number | undefined;
  /**
   * How long after the call the workflow's code begins, in milliseconds, from 0. The run is stored and `running` at once,
   * and its signals wait. A cancellation before that time ends the run, and the function is never called. The delay
   * survives a restart.
   *
   * @default {0}
   */
  readonly startAfterMs?: number | undefined;
  /**
   * When the workflow's code begins, in milliseconds since the epoch on the executor's clock; a time in the past means at
   * once. Otherwise the same as `startAfterMs`. Only one of the two can be given.
   *
   * @default {at once}
   */
  readonly startAt?: number | undefined;
  /**
   * What happens if a workflow of this ID is running:
   *
   * - `"reject"`: the call rejects with code `already_running`.
   * - `"join"`: the call returns a handle to the running workflow, which gets the `signals`. The other options
   *   are ignored.
   * - `"replace"`: the running workflow is terminated, and the new run starts.
   *
   * @default {"reject"}
   */
  readonly onConflict?: "reject" | "join" | "replace" | undefined;
  /**
   * Signals to the workflow. A new run is stored together with them. With `onConflict: "join"`, a workflow that is running gets
   * them; if it ends before that, the new run gets them. A finished workflow that `reuse: "join"` finds takes no new signals:
   * the call rejects with code `not_found`. A signal that it has by its `signalId` is no error.
   *
   * @default {none}
   */
  readonly signals?: readonly [...{ [Key in keyof Signals]: StartSignal<Signals[Key]> }] | undefined;
  /**
   * What happens if a workflow of this ID has finished:
   *
   * - `"replace"`: the new run starts and replaces it.
   * - `"replace-failed"`: the same if it has failed or was canceled. If it has completed, the call rejects with code
   *   `already_finished`.
   * - `"reject"`: the call rejects with code `already_finished`.
   * - `"join"`: the call returns a handle to the finished workflow, and the other options except `signals` are ignored.
   *
   * @default {"replace"}
   */
  readonly reuse?: "replace" | "replace-failed" | "reject" | "join" | undefined;
  /**
   * Cancels the workflow when it is aborted.
   *
   * @default {none}
   */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A signal that {@linkcode Executor.execute} sends with the start of a workflow. The payload can be left out if the definition
 * allows it.
 *
 * @category Executor
 */
// deno-lint-ignore no-explicit-any -- a signal of any payload
export type StartSignal<Payload = any> =
  & SignalOptions
  & {
    /** The signal's name or definition. */
    readonly name: string | SignalDefinition<Payload>;
  }
  & (undefined extends Payload ? { readonly payload?: NoInfer<DeepReadonly<Payload>> | undefined }
    : { readonly payload: NoInfer<DeepReadonly<Payload>> });

/**
 * The arguments of {@linkcode Executor.execute} after the function. The options can be left out where the workflow needs no
 * input. `Signals` are the types of the payloads of its signals, one by one.
 *
 * @category Executor
 */
// deno-lint-ignore no-explicit-any -- signals of any payload
export type ExecuteArgs<Input, Signals extends readonly unknown[] = readonly any[]> = undefined extends Input
  ? [options?: ExecuteOptions<Input & Defined, Signals>]
  : [options: ExecuteOptions<Input & Defined, Signals> & { readonly input: Input & Defined }];

/**
 * Options of {@linkcode Executor.work}.
 *
 * @category Executor
 */
export interface WorkOptions {
  /**
   * How often the executor looks for runs that are due, in milliseconds, above 0. It also looks when the store reports a change.
   *
   * @default {1_000}
   */
  readonly pollMs?: number | undefined;
  /**
   * How many runs are live here at a time at most, from 1: with more, none is taken. Those that this executor starts count, and are
   * not limited.
   *
   * @default {`maxConcurrentWorkflows`, or no limit}
   */
  readonly maxRuns?: number | undefined;
  /**
   * Ends the work when it is aborted. Runs that are live stay live.
   *
   * @default {it ends with `close()`}
   */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Options of {@linkcode Executor.close}.
 *
 * @category Executor
 */
export interface CloseOptions {
  /**
   * How long running activities may continue, so that their outcomes are stored, in milliseconds of the executor's clock,
   * from 0. No new attempt begins meanwhile.
   *
   * @default {0}
   */
  readonly drainMs?: number | undefined;
}

/**
 * Options of {@linkcode Executor.signal}.
 *
 * @category Executor
 */
export interface SignalOptions {
  /**
   * Identifies the signal; a non-empty string that does not begin with `~`. A repeated signal with the same ID is stored once:
   * the call resolves as the first one does, from any executor, also after a restart and after the end of the workflow. Of the
   * earlier runs of a chain (`ctx.continueAsNew`), the newest 1,000 IDs are remembered.
   *
   * @default {an ID that nobody can repeat}
   */
  readonly signalId?: string | undefined;
  /**
   * The sender, for the history.
   *
   * @default {undefined}
   */
  readonly senderId?: string | undefined;
  /**
   * Texts by name that travel with the signal; its receiver reads them from `ReceivedSignal.headers`. A signal that
   * {@linkcode Executor.execute} sends has the headers of the run too; its own take precedence.
   *
   * @default {none}
   */
  readonly headers?: CallHeaders | undefined;
}

/**
 * Options of {@linkcode Executor.update}.
 *
 * @category Executor
 */
export interface UpdateOptions {
  /**
   * Identifies the request; a non-empty string that does not begin with `~`. The handler runs once for an ID: a repeated request
   * gets the same answer, also after a restart and after the end of the workflow. Of the earlier runs of a chain
   * (`ctx.continueAsNew`), the newest 1,000 answers are remembered: they are stored again with the start of each run, so keep
   * them short.
   *
   * @default {an ID that nobody can repeat}
   */
  readonly updateId?: string | undefined;
  /**
   * Texts by name that travel with the update; its handler reads them from `ReceivedUpdate.headers`.
   *
   * @default {none}
   */
  readonly headers?: CallHeaders | undefined;
  /**
   * Ends the wait for the answer when it is aborted. An update that is stored by then is still handled; one that still
   * waits for its handler in this executor is withdrawn.
   *
   * @default {none}
   */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Options of {@linkcode WorkflowHandle.result}.
 *
 * @category Executor
 */
export interface ResultOptions {
  /**
   * Ends the wait when it is aborted. The workflow is not affected.
   *
   * @default {none}
   */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Options of {@linkcode Executor.describe}.
 *
 * @category Executor
 */
export interface DescribeOptions {
  /**
   * Whether the description contains the history.
   *
   * @default {false}
   */
  readonly history?: boolean | undefined;
}

/**
 * A workflow, running or finished, as {@linkcode Executor.describe} reports it.
 *
 * @category Executor
 */
export interface WorkflowDescription {
  /** The workflow's ID. */
  readonly id: string;
  /** The ID of the run. */
  readonly runId: string;
  /** The name under which the workflow is registered. */
  readonly workflowName: string;
  /** The run's status. */
  readonly status: WorkflowStatus;
  /** The workflow's input. */
  readonly input: unknown;
  /** The run's labels; empty if it has none. */
  readonly labels: Labels;
  /** The result of the workflow, if it is `completed`. */
  readonly result?: unknown;
  /** How the workflow ended, if it is `failed` or `canceled`. */
  readonly error?: ErrorRecord | undefined;
  /** When the run was created, in milliseconds since the epoch. */
  readonly createdAt: number;
  /** When the state last changed, in milliseconds since the epoch. */
  readonly updatedAt: number;
  /** How many events the history has. */
  readonly historyLength: number;
  /** What the run waits for, if it is live in this executor; else `undefined`. See {@linkcode OpenRun.waitsFor}. */
  readonly waitsFor?: readonly Wait[] | undefined;
  /** The events, oldest first, if the call asked for them with `{ history: true }`. */
  readonly history?: readonly WorkflowEvent[] | undefined;
}

/**
 * What the code of a run handles: the answer to the query `"handlers"`, which every workflow has. The names are in the order in which
 * the code began to handle them. After the end of the code, only queries are handled.
 *
 * @category Executor
 *
 * @example
 * ```ts
 * import { Executor, type WorkflowContext, type WorkflowHandlers } from "@rockpool/workflow";
 * import { assertEquals } from "@std/assert";
 *
 * async function order(ctx: WorkflowContext) {
 *   ctx.handleQuery("total", () => 12);
 *   await ctx.waitForSignal("paid");
 * }
 * await using executor = new Executor();
 * await executor.execute(order, { id: "order-1" });
 * const handlers = await executor.query<WorkflowHandlers>("order-1", "handlers");
 * assertEquals(handlers, { queries: ["total"], updates: [], signals: ["paid"] });
 * ```
 */
export interface WorkflowHandlers {
  /** The queries that have a handler. */
  readonly queries: readonly string[];
  /** The updates that have a handler. */
  readonly updates: readonly string[];
  /** The signals that the code waits for, or reads in a loop or a handler. Those of `handleOtherSignals` have no names. */
  readonly signals: readonly string[];
}

/**
 * What {@linkcode Executor.describe} returns for the given options: the history is there if the options ask for it.
 *
 * @category Executor
 */
export type Described<Options extends DescribeOptions> = Options extends { readonly history: true }
  ? WorkflowDescription & { readonly history: readonly WorkflowEvent[] }
  : WorkflowDescription;

/**
 * A run that is live in an executor.
 *
 * @category Executor
 */
export interface OpenRun {
  /** The workflow's ID. */
  readonly workflowId: string;
  /** The ID of the run. */
  readonly runId: string;
  /** The name under which the workflow is recorded. */
  readonly workflowName: string;
  /**
   * The operations that the run has begun and that have not ended, whether or not its code awaits them now. Empty while its
   * code runs, while the store works, and while its code waits for a promise that its context did not make.
   */
  readonly waitsFor: readonly Wait[];
}

/**
 * One operation that a run waits for.
 *
 * @category Executor
 */
export type Wait =
  | {
    /** A signal. A wait with a `timeoutMs` also has a `timer`. */
    readonly type: "signal";
    /** The signal's name. */
    readonly name: string;
  }
  | {
    /** A sleep or a timeout. */
    readonly type: "timer";
    /** When it is due, in milliseconds since the epoch. */
    readonly dueAt: number;
  }
  | {
    /** The outcome of an activity. */
    readonly type: "activity";
    /** The activity's name. */
    readonly name: string;
    /** The attempt that runs or comes next, counted from 1. */
    readonly attempt: number;
    /**
     * `running`; `retrying` at `retryAt` after a failure; `queued` while it has no slot, or while this executor does not perform
     * it yet.
     */
    readonly status: "running" | "retrying" | "queued";
    /** When the next attempt is due, in milliseconds since the epoch, if it is `retrying`. */
    readonly retryAt?: number | undefined;
    /**
     * Present if it was cancelled and has not ended: its scope waits for it (`waitForCanceled`), or compensations do. An
     * activity that ignores its `signal` and has no `timeoutMs` holds them up; `terminate()` ends the run.
     */
    readonly canceled?: true | undefined;
  }
  | {
    /** The end of a child workflow. */
    readonly type: "child";
    /** The child's ID. */
    readonly workflowId: string;
    /** When the next attempt is due, in milliseconds since the epoch, if the last one failed. */
    readonly retryAt?: number | undefined;
    /** Present if it was cancelled, and the run waits for its end. */
    readonly canceled?: true | undefined;
  }
  | {
    /** A condition of `ctx.waitUntil`. A wait with a `timeoutMs` also has a `timer`. */
    readonly type: "condition";
  }
  | {
    /** A slot of `maxConcurrentWorkflows`. */
    readonly type: "slot";
  }
  | {
    /** The run is dormant (`dormantAfterMs`): its waits are in the store only. */
    readonly type: "dormant";
    /** When it resumes by itself, in milliseconds since the epoch; `undefined` if it does not. */
    readonly wakesAt?: number | undefined;
  }
  | {
    /** The time at which its code begins. */
    readonly type: "start";
    /** In milliseconds since the epoch. */
    readonly startAt: number;
  };
