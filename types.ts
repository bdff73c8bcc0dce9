/**
 * The words of the package: a workflow's state, the events of its history, the filter, and the two ports.
 *
 * - {@linkcode WorkflowStore} is what an executor writes to. The in-memory store implements it; so can yours.
 * - {@linkcode WorkflowContext} is what workflow code holds. The executor implements it; so can an engine's adapter.
 *
 * Importing this module pulls in no implementation. Every time is in milliseconds since the epoch, on the executor's
 * clock; every duration is in milliseconds and says so in its name. One long module on purpose: it
 * holds no code, and whoever reads the vocabulary reads all of it.
 *
 * @module
 */

import type { QueryDefinition, SignalDefinition, UpdateDefinition } from "./definitions.ts";

/** The four statuses of a workflow. `running` is the only one that can still change. */
export type WorkflowStatus = "running" | "completed" | "failed" | "canceled";

/** What an error leaves in the history: enough to throw the same class and message again. */
export interface ErrorRecord {
  /** The error's `name`. */
  readonly name: string;
  /** The error's `message`. */
  readonly message: string;
  /** The error's `stack`, if it had one. */
  readonly stack?: string;
  /** The error's `cause`, if it had one. */
  readonly cause?: ErrorRecord;
  /** The members of an `AggregateError`. */
  readonly errors?: readonly ErrorRecord[];
  /** The error's own enumerable properties that can be stored. */
  readonly data?: Readonly<Record<string, unknown>>;
  /** Present when what was thrown is no `Error`: the thrown value itself. */
  readonly thrown?: { readonly value: unknown };
}

/** What a run is labelled with, to be found by: names and texts. */
export type Labels = Readonly<Record<string, string>>;

/** The run began. Always the first event. */
export interface WorkflowStartedEvent {
  /** The event's type. */
  readonly type: "workflow_started";
  /** When it was recorded. */
  readonly at: number;
  /** The name under which the workflow is registered for recovery. */
  readonly workflowName: string;
  /** The workflow's input. */
  readonly input?: unknown;
  /** How long the workflow may take, in milliseconds; absent if it may take forever. Counts from `startAt` if that is later. */
  readonly timeoutMs?: number;
  /** When the workflow's code begins, if that is later than the event. */
  readonly startAt?: number;
  /** The run's labels, if it has any. */
  readonly labels?: Labels;
  /** The version of the workflow's code, if the executor said one. */
  readonly workflowVersion?: string;
  /** How large a payload of the run may be, about, in bytes; absent if there is no limit. */
  readonly maxPayloadBytes?: number;
  /** Present if the run continues another one: the first run of that chain. */
  readonly firstRunId?: string;
  /** Present if another workflow started this one. */
  readonly parent?: ParentRun;
}

/** The workflow function returned. Always the last event. */
export interface WorkflowCompletedEvent {
  /** The event's type. */
  readonly type: "workflow_completed";
  /** When it was recorded. */
  readonly at: number;
  /** What the workflow function returned. */
  readonly result?: unknown;
}

/** The workflow function threw, or its time was up. Always the last event. */
export interface WorkflowFailedEvent {
  /** The event's type. */
  readonly type: "workflow_failed";
  /** When it was recorded. */
  readonly at: number;
  /** What it threw. */
  readonly error: ErrorRecord;
}

/** The workflow ended because it was cancelled or terminated. Always the last event. */
export interface WorkflowCanceledEvent {
  /** The event's type. */
  readonly type: "workflow_canceled";
  /** When it was recorded. */
  readonly at: number;
  /** The `CanceledError`; a `WorkflowError` with code `terminated` if the workflow was terminated. */
  readonly error: ErrorRecord;
}

/** Somebody asked for the workflow to be cancelled, or its time was up. At most one a run. */
export interface CancelRequestedEvent {
  /** The event's type. */
  readonly type: "cancel_requested";
  /** When it was recorded. */
  readonly at: number;
  /** Why, if a reason was given. */
  readonly reason?: string;
  /** Present when the workflow's own timeout asked: the time that was allowed, in milliseconds. */
  readonly timeoutMs?: number;
}

/** A command: the workflow called an activity, which may run from now on. */
export interface ActivityStartedEvent {
  /** The event's type. */
  readonly type: "activity_started";
  /** When it was recorded. */
  readonly at: number;
  /** The command's position in the run, counted from 0. */
  readonly seq: number;
  /** The activity's name. */
  readonly name: string;
  /** The activity's input. */
  readonly input?: unknown;
}

/** An attempt failed and another one will follow. */
export interface ActivityAttemptFailedEvent {
  /** The event's type. */
  readonly type: "activity_attempt_failed";
  /** When it was recorded. */
  readonly at: number;
  /** The command's position in the run. */
  readonly seq: number;
  /** Which attempt failed, counted from 1. */
  readonly attempt: number;
  /** How it failed. */
  readonly error: ErrorRecord;
  /** When the next attempt is due. */
  readonly retryAt: number;
  /** The last details that the attempt gave with a heartbeat. */
  readonly heartbeatDetails?: unknown;
}

/** A running attempt told how far it has come. Recorded now and then, not every time; workflow code does not see it. */
export interface ActivityHeartbeatEvent {
  /** The event's type. */
  readonly type: "activity_heartbeat";
  /** When it was recorded. */
  readonly at: number;
  /** The command's position in the run. */
  readonly seq: number;
  /** Which attempt it was, counted from 1. */
  readonly attempt: number;
  /** What the attempt told. */
  readonly details?: unknown;
}

/** An activity returned. */
export interface ActivityCompletedEvent {
  /** The event's type. */
  readonly type: "activity_completed";
  /** When it was recorded. */
  readonly at: number;
  /** The command's position in the run. */
  readonly seq: number;
  /** Which attempt returned, counted from 1. */
  readonly attempt: number;
  /** What it returned. */
  readonly result?: unknown;
}

/** An activity failed for good. */
export interface ActivityFailedEvent {
  /** The event's type. */
  readonly type: "activity_failed";
  /** When it was recorded. */
  readonly at: number;
  /** The command's position in the run. */
  readonly seq: number;
  /** Which attempt was the last, counted from 1; 0 if its time was up before one began. */
  readonly attempt: number;
  /** How it failed. */
  readonly error: ErrorRecord;
}

/** A command: the workflow went to sleep. */
export interface TimerStartedEvent {
  /** The event's type. */
  readonly type: "timer_started";
  /** When it was recorded. */
  readonly at: number;
  /** The command's position in the run, counted from 0. */
  readonly seq: number;
  /** When the timer is due. */
  readonly dueAt: number;
}

/** A timer's time had come. */
export interface TimerFiredEvent {
  /** The event's type. */
  readonly type: "timer_fired";
  /** When it was recorded. */
  readonly at: number;
  /** The command's position in the run. */
  readonly seq: number;
}

/** A signal arrived, whether or not anybody waited for it. */
export interface SignalReceivedEvent {
  /** The event's type. */
  readonly type: "signal_received";
  /** When it was recorded. */
  readonly at: number;
  /** The signal's name. */
  readonly name: string;
  /** What the sender attached. */
  readonly payload?: unknown;
  /** Who sent it, if the sender said. */
  readonly senderId?: string;
  /** Unique per signal: tells a repeated write from a second signal. */
  readonly signalId: string;
}

/** A command: the workflow ran a small function whose answer can differ, and this is what it answered. */
export interface SideEffectEvent {
  /** The event's type. */
  readonly type: "side_effect";
  /** When it was recorded. */
  readonly at: number;
  /** The command's position in the run, counted from 0. */
  readonly seq: number;
  /** What the function answered. */
  readonly value?: unknown;
  /** What the function threw, if it threw. */
  readonly error?: ErrorRecord;
}

/** A command: the workflow failed or was cancelled, and begins to undo something. */
export interface CompensationStartedEvent {
  /** The event's type. */
  readonly type: "compensation_started";
  /** When it was recorded. */
  readonly at: number;
  /** The command's position in the run, counted from 0. */
  readonly seq: number;
  /** The name of the compensation. */
  readonly name: string;
}

/** The run goes the new way of a change in the workflow's code; see {@linkcode WorkflowContext.patched}. */
export interface PatchedEvent {
  /** The event's type. */
  readonly type: "patched";
  /** When it was recorded. */
  readonly at: number;
  /** The change's ID. */
  readonly changeId: string;
}

/** What becomes of a child workflow that runs when its parent's run ends: it is cancelled, terminated, or left alone. */
export type ParentClosePolicy = "cancel" | "terminate" | "abandon";

/** Which command of which run started a child workflow. */
export interface ParentRun {
  /** The parent's workflow ID. */
  readonly workflowId: string;
  /** The ID of the parent's run. */
  readonly runId: string;
  /** The command's position in that run. */
  readonly seq: number;
  /** What becomes of the child when that run ends. */
  readonly closePolicy: ParentClosePolicy;
}

/** A command: the workflow started a child workflow. */
export interface ChildStartedEvent {
  /** The event's type. */
  readonly type: "child_started";
  /** When it was recorded. */
  readonly at: number;
  /** The command's position in the run, counted from 0. */
  readonly seq: number;
  /** The name of the child's workflow. */
  readonly name: string;
  /** The child's ID. */
  readonly workflowId: string;
  /** The child's input. */
  readonly input?: unknown;
  /** How long the child may take, in milliseconds; absent if it may take forever. */
  readonly timeoutMs?: number;
  /** What becomes of the child when this run ends. */
  readonly closePolicy: ParentClosePolicy;
}

/** A child workflow completed. */
export interface ChildCompletedEvent {
  /** The event's type. */
  readonly type: "child_completed";
  /** When it was recorded. */
  readonly at: number;
  /** The command's position in the run. */
  readonly seq: number;
  /** What the child returned. */
  readonly result?: unknown;
}

/** A child workflow failed, was cancelled, or could not be started. */
export interface ChildFailedEvent {
  /** The event's type. */
  readonly type: "child_failed";
  /** When it was recorded. */
  readonly at: number;
  /** The command's position in the run. */
  readonly seq: number;
  /** How it failed. */
  readonly error: ErrorRecord;
}

/** An update was found valid; its handler runs from now on. */
export interface UpdateAcceptedEvent {
  /** The event's type. */
  readonly type: "update_accepted";
  /** When it was recorded. */
  readonly at: number;
  /** Tells a repeated request from a second one. */
  readonly updateId: string;
  /** The update's name. */
  readonly name: string;
  /** What the caller sent. */
  readonly input?: unknown;
}

/** The handler of an update returned or threw. */
export interface UpdateCompletedEvent {
  /** The event's type. */
  readonly type: "update_completed";
  /** When it was recorded. */
  readonly at: number;
  /** Which update it was. */
  readonly updateId: string;
  /** What the handler returned. */
  readonly result?: unknown;
  /** What the handler threw, if it threw. */
  readonly error?: ErrorRecord;
}

/** An event by which a workflow asks for something; it holds the command's position. */
export type CommandEvent =
  | ActivityStartedEvent
  | TimerStartedEvent
  | ChildStartedEvent
  | SideEffectEvent
  | CompensationStartedEvent;

/** One entry of a run's history. */
export type WorkflowEvent =
  | WorkflowStartedEvent
  | WorkflowCompletedEvent
  | WorkflowFailedEvent
  | WorkflowCanceledEvent
  | CancelRequestedEvent
  | CommandEvent
  | ActivityAttemptFailedEvent
  | ActivityHeartbeatEvent
  | ActivityCompletedEvent
  | ActivityFailedEvent
  | TimerFiredEvent
  | ChildCompletedEvent
  | ChildFailedEvent
  | SignalReceivedEvent
  | UpdateAcceptedEvent
  | UpdateCompletedEvent
  | PatchedEvent;

/** Everything that is stored of a workflow. Deeply frozen when it comes from the in-memory store. */
export interface WorkflowState {
  /** The workflow's ID, chosen by the caller. */
  readonly workflowId: string;
  /** The ID of the run; a new run under the same workflow ID has another one. */
  readonly runId: string;
  /** The name under which the workflow is registered. */
  readonly workflowName: string;
  /** Where the run stands. */
  readonly status: WorkflowStatus;
  /** The workflow's input. */
  readonly input?: unknown;
  /** The run's labels, if it was given any. */
  readonly labels?: Labels;
  /** What the workflow returned, once it is `completed`. */
  readonly result?: unknown;
  /** How the workflow ended, once it is `failed` or `canceled`. */
  readonly error?: ErrorRecord;
  /** What happened, oldest first. */
  readonly history: readonly WorkflowEvent[];
  /** When the run was created. */
  readonly createdAt: number;
  /** When the state last changed. */
  readonly updatedAt: number;
}

/**
 * What {@linkcode WorkflowStore.save} takes: a state of which only the ID and the status must be given.
 *
 * @example
 * ```ts
 * import { InMemoryStore } from "@rockpool/workflow";
 * import { assertEquals } from "@std/assert";
 *
 * const store = new InMemoryStore();
 * await store.save({ workflowId: "a", status: "running" });
 * assertEquals((await store.load("a"))?.history, []);
 * ```
 */
export interface WorkflowStateInit {
  /** The workflow's ID: any string but the empty one. */
  readonly workflowId: string;
  /** Where the run stands. */
  readonly status: WorkflowStatus;
  /**
   * The ID of the run.
   *
   * @default {""}
   */
  readonly runId?: string;
  /**
   * The name under which the workflow is registered.
   *
   * @default {""}
   */
  readonly workflowName?: string;
  /**
   * The workflow's input.
   *
   * @default {undefined}
   */
  readonly input?: unknown;
  /**
   * The run's labels.
   *
   * @default {undefined}
   */
  readonly labels?: Labels;
  /**
   * What the workflow returned.
   *
   * @default {undefined}
   */
  readonly result?: unknown;
  /**
   * How the workflow ended.
   *
   * @default {undefined}
   */
  readonly error?: ErrorRecord;
  /**
   * What happened, oldest first.
   *
   * @default {[]}
   */
  readonly history?: readonly WorkflowEvent[];
  /**
   * Milliseconds since the epoch.
   *
   * @default {the stored `createdAt` if the workflow exists, else the time of the call}
   */
  readonly createdAt?: number;
  /**
   * Milliseconds since the epoch.
   *
   * @default {the time of the call}
   */
  readonly updatedAt?: number;
}

/** Which workflows {@linkcode WorkflowStore.list} answers: those that have everything that is given. */
export interface WorkflowFilter {
  /**
   * One status or several.
   *
   * @default {every status}
   */
  readonly status?: WorkflowStatus | readonly WorkflowStatus[];
  /**
   * The name under which the workflow is registered.
   *
   * @default {every name}
   */
  readonly workflowName?: string;
  /**
   * What the workflow's ID begins with.
   *
   * @default {every ID}
   */
  readonly idPrefix?: string;
  /**
   * Labels that the run must have, all of them; it may have more.
   *
   * @default {any labels}
   */
  readonly labels?: Labels;
  /**
   * Only what was created later than this, in milliseconds since the epoch.
   *
   * @default {any time}
   */
  readonly createdAfter?: number;
  /**
   * Only what was created earlier than this, in milliseconds since the epoch.
   *
   * @default {any time}
   */
  readonly createdBefore?: number;
  /**
   * `asc` for what was created first, `desc` for what was created last.
   *
   * @default {"asc"}
   */
  readonly order?: "asc" | "desc";
  /**
   * At most so many: an integer from 0.
   *
   * @default {no limit}
   */
  readonly limit?: number;
}

/** What {@linkcode WorkflowStore.append} takes. */
export interface AppendBatch {
  /** The workflow's ID. */
  readonly workflowId: string;
  /** The run that the events belong to. */
  readonly runId: string;
  /**
   * How many events the writer believes the run to have: an integer from 0. In a batch that continues a run as a new one:
   * the events of the run that `replaces` names.
   */
  readonly expectedLength: number;
  /** The events to add, in order; at least one. */
  readonly events: readonly WorkflowEvent[];
  /**
   * Only with a first event `workflow_started`: the run that the new one replaces. It must be finished; or running, if the
   * new one continues it, which an `expectedLength` above 0 says.
   * @default {undefined}: no workflow of that ID may exist
   */
  readonly replaces?: string;
}

/**
 * Hears of a changed workflow; see {@linkcode WorkflowStore.subscribe}. Gets its ID and, after an append, the length that
 * its history has now; `null` if it was saved or deleted.
 */
export type StoreListener = (workflowId: string, historyLength: number | null) => void;

/**
 * The port to a store. An executor knows nothing else of where its runs are kept.
 *
 * For every method:
 *
 * - It takes effect as one atomic step. Whoever calls after it has settled sees what it did.
 * - It rejects, and does not throw. A rejected call has changed nothing that a reader can see. (A store across a network
 *   may lose its answer after the write; an executor copes with that, since a repeated `append` is a conflict.)
 * - What it is given is copied at the call, and what it answers can be changed by nobody: later changes of the one or the
 *   other do not reach the store.
 * - IDs are told apart as strings are, whatever they contain. Values are what structured clone takes, in every place; any
 *   other is refused with the path to it.
 */
export interface WorkflowStore {
  /**
   * Writes the whole state of a workflow, replacing what is stored. What the argument leaves out gets its default,
   * save `createdAt`, which survives. A new workflow is the last in the order of creation; one that is stored keeps its
   * place. To save the same again changes no more than the default of `updatedAt`.
   *
   * @throws {TypeError} If `workflowId` is not a string or empty, the status is not known, a label is not a string, or a
   * value cannot be stored.
   */
  save(state: WorkflowStateInit): Promise<void>;
  /**
   * Answers the stored state, or `null` if there is none. Does not change anything.
   *
   * @throws {TypeError} If `workflowId` is not a string or empty.
   */
  load(workflowId: string): Promise<WorkflowState | null>;
  /**
   * Answers the states that match, in order of creation, or the other way round if the filter says so; with a limit, the
   * first of these. They are all of one moment, and the array is the caller's own. Does not change anything.
   *
   * @throws {TypeError} If a status or the order is not known, or a text or a label is not a string.
   * @throws {RangeError} If `limit` is not an integer from 0, or a time is not a finite number.
   */
  list(filter?: WorkflowFilter): Promise<WorkflowState[]>;
  /**
   * Forgets a workflow, its place in the order of creation and its `createdAt` included. If it is not stored, does
   * nothing.
   *
   * @throws {TypeError} If `workflowId` is not a string or empty.
   */
  delete(workflowId: string): Promise<void>;
  /**
   * Compare and append: adds events to a run if its history still has the length that the writer believes. Of several
   * writers who believe the same, one succeeds, and nobody's events are added twice.
   *
   * A first event `workflow_started` with an expected length of 0 creates the run, last in the order of creation,
   * either anew or in the place of the finished run that `replaces` names. With an expected length above 0 it continues the
   * running run that `replaces` names: the new history takes the place of the old one, and the workflow keeps its
   * `createdAt` and its place in the order of creation. A last event `workflow_completed`,
   * `workflow_failed` or `workflow_canceled` finishes it. Status, input, labels, result, error and times follow
   * from the events: `applyBatch` computes them. Costs as much as the batch, never as much as the history.
   *
   * @throws {WorkflowError} With code `conflict` if the run is not there, is finished, is another run or has another
   * length. Load the state and decide again.
   * @throws {TypeError} If the batch is malformed or a value cannot be stored.
   */
  append(batch: AppendBatch): Promise<void>;
  /**
   * Optional: calls `listener` after each change of a workflow, by whomever, until the returned function is called.
   * Calls that change nothing are not told; several appends to one workflow may be told as one. The listener may call the
   * store, and finds the change made. With it, an executor hears at once of signals sent through another executor, and
   * can wait for runs that another one drives. A listener must not throw; if one does, neither the caller of the method
   * nor another listener is harmed.
   */
  subscribe?(listener: StoreListener): () => void;
}

/** How often and when a failing activity is tried again. Attempts are counted with the first. */
export interface RetryPolicy {
  /**
   * How many attempts at most: an integer from 1, or `Infinity`.
   *
   * @default {3}
   */
  readonly maxAttempts?: number;
  /**
   * The delay before the second attempt, in milliseconds, from 0.
   *
   * @default {100}
   */
  readonly initialIntervalMs?: number;
  /**
   * What the delay is multiplied with each time, from 1.
   *
   * @default {2}
   */
  readonly backoffCoefficient?: number;
  /**
   * No delay is longer than this before jitter, in milliseconds, from 0.
   *
   * @default {10_000}
   */
  readonly maxIntervalMs?: number;
  /**
   * The delay is multiplied with a random factor between the two. `false` for none.
   *
   * @default {[0.5, 1.5]}
   */
  readonly jitter?: readonly [min: number, max: number] | false;
  /**
   * Whether an error is worth another attempt.
   *
   * @default {every error but a `NonRetryableError`}
   */
  readonly isRetryable?: (error: unknown) => boolean;
}

/** What an activity gets as its second argument. */
export interface ActivityContext {
  /** Aborted when the attempt times out, the workflow is cancelled or has ended, or the executor is closed. */
  readonly signal: AbortSignal;
  /** Which attempt this is, counted from 1. */
  readonly attempt: number;
  /** The ID of the workflow that called the activity. */
  readonly workflowId: string;
  /** The ID of the run that called the activity. */
  readonly runId: string;
  /** The same for every attempt of this call, also after a restart, and for no other call. */
  readonly idempotencyKey: string;
  /**
   * What an earlier attempt told last with {@linkcode ActivityContext.heartbeat}, as it is stored; `undefined` if there was
   * none. After a restart it can be as old as half of `heartbeatTimeoutMs`, or a second without one.
   */
  readonly heartbeatDetails: unknown;
  /**
   * Tells that the attempt is alive, and how far it has come: the next attempt gets the last details, so an activity that
   * carries on from there need not begin anew. May be called often: what is told is recorded now and then.
   *
   * @param details What structured clone takes. Left out, what was told last stays.
   * @throws {TypeError} If the details cannot be stored.
   * @throws {RangeError} If they are larger than the executor's `maxPayloadBytes`.
   * @throws The reason of `signal`, if nobody waits for the attempt any more: that ends a loop which does not look at
   * `signal`. After the attempt has returned or thrown, nothing happens.
   */
  heartbeat(details?: unknown): void;
}

/** An activity: where side effects go. Takes and returns what structured clone takes. */
export type Activity<Input = unknown, Output = unknown> = (
  input: Input,
  context: ActivityContext,
) => Output | PromiseLike<Output>;

/** Options of {@linkcode WorkflowContext.executeActivity}. */
export interface ActivityOptions {
  /**
   * The name in the history.
   *
   * @default {the function's name, or "anonymous"}
   */
  readonly name?: string;
  /**
   * When to try again; `{}` for the default policy.
   *
   * @default {undefined}: one attempt
   */
  readonly retry?: RetryPolicy;
  /**
   * How long one attempt may take, in milliseconds, above 0. A timed-out attempt may be retried.
   *
   * @default {no limit}
   */
  readonly timeoutMs?: number;
  /**
   * How long all attempts and the delays between them may take, in milliseconds, above 0.
   *
   * @default {no limit}
   */
  readonly totalTimeoutMs?: number;
  /**
   * How long an attempt may go without a heartbeat, in milliseconds, above 0; then it fails with a `TimeoutError`, and may be
   * retried.
   *
   * @default {no limit}
   */
  readonly heartbeatTimeoutMs?: number;
  /**
   * Never run it a second time: no retries, and if the process dies while it runs, it fails with code
   * `activity_interrupted` on recovery.
   *
   * @default {false}
   */
  readonly atMostOnce?: boolean;
}

/** The arguments after the function: the input may be left out where the function takes none. */
export type InputArgs<Input, Options> = undefined extends Input ? [input?: Input, options?: Options]
  : [input: Input, options?: Options];

/**
 * The port that workflow code holds. Everything that can differ between two executions of the code goes through it, so
 * that a run replays from its history exactly as it ran.
 */
export interface WorkflowContext {
  /** The workflow's ID. */
  readonly workflowId: string;
  /** The ID of this run. */
  readonly runId: string;
  /** The run's labels; without a name if it was given none. Cannot be changed. */
  readonly labels: Labels;
  /**
   * The version of the code that the run began with: the executor's `workflowVersion` of that time, also when an executor of
   * another version goes on with it.
   */
  readonly workflowVersion: string | undefined;
  /** Aborted when the workflow is cancelled or its time is up. */
  readonly signal: AbortSignal;
  /** Writes to the executor's logger what happens, and nothing of what is replayed: each line once. */
  readonly log: WorkflowLogger;
  /**
   * Runs an activity and answers its result as it is stored: frozen, without prototypes. A result in the history is
   * not computed again.
   *
   * @throws {TypeError} If an argument is bad or the input cannot be stored.
   * @throws {RangeError} If a number among the options is out of its range.
   */
  executeActivity<Input, Output>(
    activity: (input: Input, context: ActivityContext) => Output,
    ...args: InputArgs<NoInfer<Input>, ActivityOptions>
  ): Promise<Awaited<Output>>;
  /**
   * The signals of one name, in order of arrival. Every iteration is a subscriber from its start (`for await`, or the
   * call of `[Symbol.asyncIterator]()`): it gets what nobody has read yet and all that arrives until it stops.
   */
  receiveSignal<Payload = unknown>(name: string | SignalDefinition<Payload>): AsyncIterable<Payload>;
  /**
   * Waits. The time is kept over a restart.
   *
   * @param ms How long, in milliseconds, from 0.
   * @throws {RangeError} If `ms` is not a finite number from 0.
   */
  sleep(ms: number): Promise<void>;
  /** The time of the event that the workflow saw last, in milliseconds since the epoch. The same on replay. */
  now(): number;
  /** A number from 0 to below 1, like `Math.random()`. The same on replay. */
  random(): number;
  /** A UUID of version 4. The same on replay. */
  uuid(): string;
  /**
   * Runs cleanup that a cancellation does not reach: what `body` waits for goes on, and it can call activities although
   * the workflow is cancelled. A cancellation that arrives meanwhile takes effect when the shield ends. Nothing tells whose
   * call it is, so waits of other branches that begin meanwhile are protected too, until it ends.
   */
  shield<T>(body: () => T | PromiseLike<T>): Promise<T>;
  /**
   * Waits for one signal: the oldest that nobody has read, or else the next. When the time is up first, the signal that
   * comes later is left for whoever asks next.
   *
   * @param name The signal's name.
   * @param options How long to wait.
   * @returns What the sender attached.
   * @throws {TimeoutError} If the time is up.
   */
  waitForSignal<Payload = unknown>(name: string | SignalDefinition<Payload>, options?: WaitOptions): Promise<Payload>;
  /**
   * Answers queries of one name from now on, also when the workflow is over. The handler must answer at once, must not
   * change anything, and cannot call the context. A later handler replaces it.
   */
  handleQuery<Result, Args extends readonly unknown[]>(
    query: string | QueryDefinition<Result, Args>,
    handler: (...args: Args) => NoInfer<Result>,
  ): void;
  /**
   * Answers updates of one name from now on. The handler is workflow code: it may change the workflow's variables and use
   * the context, and what it returns or throws is recorded before the caller hears of it. A later handler replaces it.
   *
   * @param options `validate`: throws if an input is refused, before anything is recorded; it may look at the workflow's
   * variables, but not change them.
   */
  handleUpdate<Result, Input>(
    update: string | UpdateDefinition<Result, Input>,
    handler: (input: Input) => NoInfer<Result> | PromiseLike<NoInfer<Result>>,
    options?: UpdateHandlerOptions<NoInfer<Input>>,
  ): void;
  /**
   * Waits until a condition on the workflow's own variables holds. It is looked at now, and whenever the workflow has
   * seen an event.
   *
   * @param condition Answers whether to go on; must not change anything.
   * @param options How long to wait.
   * @throws {TimeoutError} If the time is up.
   * @throws What `condition` throws.
   */
  waitUntil(condition: () => boolean, options?: WaitOptions): Promise<void>;
  /**
   * Runs a small function whose answer can differ, such as a look at a variable of the process, and answers what it
   * answered the first time: the answer is in the history. For work that can fail or takes time, use an activity.
   *
   * @param body Must not wait; it is not called on replay.
   * @throws What `body` throws, now and on replay.
   */
  sideEffect<T>(body: () => T): Promise<T>;
  /**
   * Promises to undo something if the workflow fails or is cancelled. Compensations run newest first, in a shield; one
   * that fails does not keep the others from running, and the workflow fails with a `CompensationError` that has all
   * errors then.
   *
   * @param body Undoes it, by activities.
   * @param options How to call it in the history.
   */
  addCompensation(body: () => unknown, options?: CompensationOptions): void;
  /**
   * Runs `body` for every item, at most `limit` at a time, begun in order.
   *
   * @param items The items.
   * @param limit How many at a time: an integer from 1.
   * @param body What to do with an item.
   * @returns The results, in the order of the items.
   * @throws The first failure; no further item is begun then, and those begun have ended.
   */
  mapConcurrent<Item, Result>(
    items: Iterable<Item>,
    limit: number,
    body: (item: Item, index: number) => Result | PromiseLike<Result>,
  ): Promise<Result[]>;
  /**
   * Runs another workflow as a child of this one, and answers its result. A cancellation of this workflow reaches the child.
   *
   * @param workflow The function.
   * @param args Its input and the options.
   * @throws What the child throws; a `CanceledError` if the child was cancelled.
   */
  executeChild<Input, Output>(
    workflow: (ctx: WorkflowContext, input: Input) => Output,
    ...args: InputArgs<NoInfer<Input>, ChildOptions>
  ): Promise<Awaited<Output>>;
  /**
   * Starts another workflow as a child of this one, and answers a handle at once.
   *
   * @param workflow The function.
   * @param args Its input and the options.
   */
  startChild<Input, Output>(
    workflow: (ctx: WorkflowContext, input: Input) => Output,
    ...args: InputArgs<NoInfer<Input>, ChildOptions>
  ): ChildHandle<Awaited<Output>>;
  /**
   * Ends this run and starts the workflow anew with another input, under the same ID, with a history of its own. What has
   * not been read of signals goes along, timers and activities that are open do not. Handles of the workflow wait for
   * the end of the whole chain. For workflows that go on for ever.
   *
   * @param input The input of the next run.
   * @returns Never: nothing after it is run.
   * @throws {TypeError} If the input cannot be stored.
   */
  continueAsNew(input?: unknown): Promise<never>;
  /**
   * Tells whether this run goes the new way of a change in the workflow's code: `true` in a run that came here with the
   * new code, `false` in one whose history was made by the old code beyond this point. Always the same in one run.
   *
   * @param changeId Names the change.
   *
   * @example
   * ```ts
   * import type { WorkflowContext } from "@rockpool/workflow";
   *
   * const charge = () => "charged";
   * const reserve = () => "reserved";
   * export async function order(ctx: WorkflowContext) {
   *   if (ctx.patched("reserve-first")) await ctx.executeActivity(reserve);
   *   await ctx.executeActivity(charge);
   * }
   * ```
   */
  patched(changeId: string): boolean;
}

/**
 * Where lines go, with fields to search for. `console` is one. An executor adds `workflowId`, `runId` and `workflowName`
 * to the fields of its workflows.
 */
export interface WorkflowLogger {
  /** For whoever looks for a fault. */
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** For whoever wants to know what goes on. */
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** For what may become a fault. */
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** For a fault. */
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Options of {@linkcode WorkflowContext.executeChild} and {@linkcode WorkflowContext.startChild}. */
export interface ChildOptions {
  /**
   * The child's workflow ID: any string but the empty one.
   *
   * @default {the run's ID and the command's position}
   */
  readonly id?: string;
  /**
   * How long the child may take, in milliseconds, above 0; then it fails with a `TimeoutError`.
   *
   * @default {forever}
   */
  readonly timeoutMs?: number;
  /**
   * What becomes of the child if it runs when this run ends: `"cancel"`, `"terminate"` or `"abandon"`. An abandoned child is not reached
   * by a cancellation of this workflow either.
   *
   * @default {"cancel"}
   */
  readonly parentClosePolicy?: ParentClosePolicy;
}

/** A way to a child workflow, for its parent. */
export interface ChildHandle<Result = unknown> {
  /** The child's workflow ID. */
  readonly workflowId: string;
  /** Waits for the child. Can be called any number of times. */
  result(): Promise<Result>;
  /**
   * Sends the child a signal, once, over a restart too.
   *
   * @throws {WorkflowError} With code `not_found` if the child has ended.
   */
  signal<Payload = unknown>(name: string | SignalDefinition<Payload>, payload?: NoInfer<Payload>): Promise<void>;
  /**
   * Cancels the child.
   *
   * @throws {WorkflowError} With code `not_found` if the child has ended.
   */
  cancel(reason?: string): Promise<void>;
}

/** Options of {@linkcode WorkflowContext.handleUpdate}. */
export interface UpdateHandlerOptions<Input = unknown> {
  /**
   * Throws if an input is refused.
   *
   * @default {only what the definition says}
   */
  readonly validate?: (input: Input) => void;
}

/** Options of {@linkcode WorkflowContext.waitForSignal} and {@linkcode WorkflowContext.waitUntil}. */
export interface WaitOptions {
  /**
   * How long to wait, in milliseconds, from 0; kept over a restart.
   *
   * @default {forever}
   */
  readonly timeoutMs?: number;
}

/** Options of {@linkcode WorkflowContext.addCompensation}. */
export interface CompensationOptions {
  /**
   * The name in the history.
   *
   * @default {the function's name, or "anonymous"}
   */
  readonly name?: string;
}

/** A workflow: a plain function of its context and its input. */
export type Workflow<Input = unknown, Output = unknown> = (
  ctx: WorkflowContext,
  input: Input,
) => Output | PromiseLike<Output>;
