/**
 * The options of an executor and of its methods.
 *
 * @module
 */

import type { Clock } from "./clock.ts";
import type { SignalDefinition } from "./definitions.ts";
import type { Hooks, Middleware } from "./hooks.ts";
import type {
  ActivityContext,
  Labels,
  RetryPolicy,
  WorkflowContext,
  WorkflowEvent,
  WorkflowLogger,
  WorkflowState,
  WorkflowStatus,
  WorkflowStore,
} from "./types.ts";

/** Answers what runs in place of an activity, which has this name in the history; nothing if it runs itself. */
export type ReplaceActivity = (activity: AnyActivity, name: string) => AnyActivity | undefined;

/** A function that an executor may run as an activity. */
export type AnyActivity = (input: never, context: ActivityContext) => unknown;

/** Options of an {@linkcode Executor}. */
export interface ExecutorOptions {
  /** Where the runs are kept. */
  readonly store: WorkflowStore;
  /**
   * Gives the time and the timers.
   *
   * @default {systemClock}
   */
  readonly clock?: Clock;
  /** The workflows that `recover()` can go on with, by name. A workflow that was executed here is known as well. */
  readonly workflows?: Readonly<Record<string, (ctx: WorkflowContext, input: never) => unknown>>;
  /**
   * The version of the workflows' code: recorded in every run that begins here, for `ctx.workflowVersion`.
   *
   * @default {undefined}
   */
  readonly workflowVersion?: string;
  /**
   * Functions that hear of events.
   *
   * @default {none}
   */
  readonly hooks?: Hooks;
  /**
   * Functions that stand around calls, the first outermost.
   *
   * @default {none}
   */
  readonly middleware?: readonly Middleware[];
  /**
   * Gives the function that runs in place of an activity, such as a fake in a test or a stub where the real one cannot run:
   * it gets the same input and context, and the activity's options hold. Nothing if the activity itself is to run.
   *
   * @default {every activity runs itself}
   */
  readonly replaceActivity?: ReplaceActivity;
  /**
   * Gets what hooks and middleware throw, and what `recover()` cannot go on with.
   *
   * @default {console.error}
   */
  readonly onError?: (error: unknown) => void;
  /**
   * Gets what workflows write to `ctx.log`.
   *
   * @default {console}
   */
  readonly logger?: WorkflowLogger;
  /**
   * When a failing store is asked again.
   *
   * @default {5 attempts, from 50 ms}
   */
  readonly storeRetry?: RetryPolicy;
  /**
   * How many attempts of activities may run at a time: an integer from 1. The others wait, without holding the clock; runs
   * take turns, so that one with 10,000 activities holds no other up. `totalTimeoutMs` counts meanwhile, `timeoutMs` does
   * not. An attempt that was given up (timed out, cancelled) counts no more, though its function may go on if it does not
   * heed its signal. An activity that waits for another activity of this executor keeps its place meanwhile.
   *
   * @default {no limit}
   */
  readonly maxConcurrentActivities?: number;
  /**
   * How many workflows may run at a time: an integer from 1. The others are stored at once, and their code begins in order of
   * arrival as others end. Children do not count, since their parents wait for them.
   *
   * @default {no limit}
   */
  readonly maxConcurrentWorkflows?: number;
  /**
   * How long nothing goes on for a run before it is parked, in milliseconds, from 0: dropped from memory, and replayed from
   * the store when something comes for it: a signal, an update, a query, the point in time that it waits for, the end of a
   * child. A replay takes time in proportion to the history. A run rests while all that its code waits for is of its
   * context and no activity; one with an update that is not answered stays. It counts as running, for `maxConcurrentWorkflows`
   * too. No timer is set for it: the executor looks for runs to park when something has come to rest in it.
   *
   * @default {never}
   */
  readonly parkAfterMs?: number;
  /**
   * How many events a history may have beside its last one: an integer from 1. A workflow that would need more fails with code
   * `history_too_long`, and without its compensations, which need events too; before that it goes on by `ctx.continueAsNew()`.
   * What is sent to a run that is live nowhere is stored: it fails when somebody goes on with it.
   *
   * @default {no limit}
   */
  readonly maxHistoryEvents?: number;
  /**
   * How large an input, a payload or a result may be, in bytes as JSON in UTF-8, about: an integer from 1. Whatever is larger
   * is a `RangeError`, at the call or of the activity or the workflow that answers it. A run keeps the limit that it began with.
   *
   * @default {no limit}
   */
  readonly maxPayloadBytes?: number;
  /**
   * Gives numbers from 0 to below 1, for the jitter of delays.
   *
   * @default {Math.random}
   */
  readonly random?: () => number;
  /**
   * Gives the ID of a new run of a workflow: a string that no other run of that workflow has had. Asked before
   * the run is stored, which another executor may have forestalled. What `ctx.random()` and
   * `ctx.uuid()` answer follows from it, so a test that chooses the IDs gets the same run again.
   *
   * @default {a random UUID}
   */
  readonly newRunId?: (workflowId: string) => string;
}

/** Options of {@linkcode Executor.execute}. */
export interface ExecuteOptions<Input = unknown> {
  /**
   * The workflow's ID: any string but the empty one.
   *
   * @default {a random UUID}
   */
  readonly id?: string;
  /** The workflow's input. */
  readonly input?: Input;
  /**
   * What to find the run by: names and texts, for `WorkflowFilter.labels` and `ctx.labels`.
   *
   * @default {none}
   */
  readonly labels?: Labels;
  /**
   * How long the workflow may take from its start, in milliseconds, above 0; then it fails with a `TimeoutError`.
   *
   * @default {forever}
   */
  readonly timeoutMs?: number;
  /**
   * How long after the call the workflow's code begins, in milliseconds, from 0. The run is stored and `running` at once,
   * and signals wait for it; a cancellation before that time ends it without a call of the function. Kept over a restart.
   *
   * @default {0}
   */
  readonly startAfterMs?: number;
  /**
   * When the workflow's code begins, in milliseconds since the epoch on the executor's clock; in the past means at once.
   * Otherwise as `startAfterMs`, which it excludes.
   *
   * @default {at once}
   */
  readonly startAt?: number;
  /**
   * What to do if a workflow of this ID is running: `"fail"` rejects with `already_running`; `"join"` answers a handle to
   * the running one, and leaves the other options out of account; `"terminate"` terminates it and starts the new one.
   *
   * @default {"fail"}
   */
  readonly onConflict?: "fail" | "join" | "terminate";
  /**
   * What to do if a workflow of this ID has finished: `"allow"` replaces it by the new run; `"reject"` rejects with
   * `already_finished`; `"join"` answers a handle to the finished one, and leaves the other options out of account.
   *
   * @default {"allow"}
   */
  readonly reuse?: "allow" | "reject" | "join";
  /**
   * Cancels the workflow when it is aborted.
   *
   * @default {none}
   */
  readonly signal?: AbortSignal;
}

/** The options of {@linkcode Executor.execute}: to be left out where the workflow takes no input. */
export type ExecuteArgs<Input> = undefined extends Input ? [options?: ExecuteOptions<Input>]
  : [options: ExecuteOptions<Input> & { readonly input: Input }];

/** Options of {@linkcode Executor.close}. */
export interface CloseOptions {
  /**
   * How long activities that run may go on, so that their outcomes are stored, in milliseconds of the executor's clock, from
   * 0. No other attempt begins meanwhile.
   *
   * @default {0}
   */
  readonly drainMs?: number;
}

/** A signal to send. */
export interface Signal<Payload = unknown> {
  /** The name that the workflow receives it under. */
  readonly name: string | SignalDefinition<Payload>;
  /**
   * What to attach.
   *
   * @default {undefined}
   */
  readonly payload?: NoInfer<Payload>;
  /**
   * Who sends it, for the history.
   *
   * @default {undefined}
   */
  readonly senderId?: string;
}

/** Options of {@linkcode Executor.update}. */
export interface UpdateOptions {
  /**
   * Tells a repetition from a second request: the same ID gets the same answer, also over a restart, and the handler runs
   * once.
   *
   * @default {a random UUID}
   */
  readonly updateId?: string;
}

/** What {@linkcode Executor.query} answers without a handler, by type of query. */
export interface QueryAnswers {
  /** Where the workflow stands. */
  readonly status: WorkflowStatus;
  /** The workflow's input. */
  readonly input: unknown;
  /** What happened so far. */
  readonly history: readonly WorkflowEvent[];
  /** All that is stored. */
  readonly state: WorkflowState;
}
