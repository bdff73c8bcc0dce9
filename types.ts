/**
 * The vocabulary of the history and of the store: a workflow's state, the events of its history, and the port to a store.
 *
 * This module holds types only; importing it loads no other module. It is one long module because a reader of the
 * vocabulary reads all of it. What workflow code receives is in `context.ts`.
 *
 * 1. Every time (`at`, `dueAt`, `createdAt` …) is in milliseconds since the epoch, on the executor's clock.
 * 2. Every duration is in milliseconds, and its name ends in `Ms`.
 * 3. A command is an event by which workflow code asks for something. It has a position `seq` in the run, counted from 0.
 *    The events of its outcome have the same `seq`.
 *
 * @module
 */

/**
 * The status of a run. Only a `running` run can change.
 *
 * @category History
 */
export type WorkflowStatus = "running" | "completed" | "failed" | "canceled";

/**
 * An error as the history stores it. It holds what is needed to throw an error of the same class and message again.
 *
 * @category History
 */
export interface ErrorRecord {
  /** The error's `name`. */
  readonly name: string;
  /** The error's `message`. */
  readonly message: string;
  /** The error's `stack`, if it had one, with a line for each activity and each child workflow that the error left. */
  readonly stack?: string;
  /** The error's `cause`, if it had one. */
  readonly cause?: ErrorRecord;
  /** The members of an `AggregateError` or a `CompensationError`. */
  readonly errors?: readonly ErrorRecord[];
  /** The `error` of a `SuppressedError`: what was thrown last. */
  readonly error?: ErrorRecord;
  /** The `suppressed` of a `SuppressedError`: what was thrown before. */
  readonly suppressed?: ErrorRecord;
  /** The error's own enumerable properties, as far as they can be stored. */
  readonly data?: Readonly<Record<string, unknown>>;
  /** The activity that failed with the error, or from which it comes. */
  readonly activity?: FailedActivity;
  /** Present if the thrown value is not an `Error`: the value itself. */
  readonly thrown?: { readonly value: unknown };
}

/**
 * The activity whose failure an error reports.
 *
 * @category History
 */
export interface FailedActivity {
  /** The activity's name in the history. */
  readonly name: string;
  /** The number of its last attempt, counted from 1; 0 if it ran out of time before the first one. */
  readonly attempt: number;
  /** The ID of the workflow that called it. */
  readonly workflowId: string;
}

/**
 * Labels of a run: texts by name, to find the run by.
 *
 * @category History
 */
export type Labels = Readonly<Record<string, string>>;

/**
 * Headers of a run, a signal or an update: texts by name that travel with it, such as the `traceparent` of a trace. They are for
 * programs; people find runs by {@linkcode Labels}.
 *
 * @category History
 */
export type CallHeaders = Readonly<Record<string, string>>;

/**
 * The run began. Always the first event of a history.
 *
 * @category History
 */
export interface WorkflowStartedEvent {
  /** The event's type. */
  readonly type: "workflow_started";
  /** When the event was recorded. */
  readonly at: number;
  /** The name under which the workflow is registered for recovery. */
  readonly workflowName: string;
  /** The workflow's input. */
  readonly input?: unknown;
  /** How long the workflow may take from its start (`startAt` if present), in milliseconds; absent without a limit. */
  readonly timeoutMs?: number;
  /**
   * When the time is up. Present if the run continues another run and there is a `timeoutMs`: it covers the whole chain. Without
   * it, the time is up `timeoutMs` after the start.
   */
  readonly deadlineAt?: number;
  /** When the workflow's code begins, if that is later than the event. */
  readonly startAt?: number;
  /** The labels with which the run begins, if it has any. */
  readonly labels?: Labels;
  /** The run's headers, if it has any. */
  readonly headers?: CallHeaders;
  /** The version of the workflow's code, if the executor has one. */
  readonly workflowVersion?: string;
  /** Maximum size of a payload of this run, in bytes (approximately); absent without a limit. */
  readonly maxPayloadBytes?: number;
  /** Present if the run continues another run: the ID of the first run of the chain. */
  readonly firstRunId?: string;
  /** Present if another workflow started this one as a child. */
  readonly parent?: ParentRun;
  /** Present if the run continues a run that was cancelled and did not see it: the code begins cancelled. */
  readonly canceled?: true;
  /**
   * Present if events came with this one: signals that were sent with the start, or what the run before has not seen. How many they
   * are together, this one included.
   */
  readonly startEvents?: number;
  /** Present if the run continues another run, and senders chose IDs for their messages. */
  readonly remembered?: RememberedMessages;
  /** Present if the run is a fork: what its random numbers follow from, in place of its own `runId`. */
  readonly seed?: string;
  /** Present if the run is a fork: the run that it began as, and how many events they share. */
  readonly forkedFrom?: ForkSource;
}

/**
 * Where a fork comes from.
 *
 * @category History
 */
export interface ForkSource {
  /** The ID of the source. */
  readonly workflowId: string;
  /** The ID of its run. */
  readonly runId: string;
  /** How many events the fork has of it. */
  readonly events: number;
}

/**
 * The messages that earlier runs of a chain got with an ID that the sender chose: a repeated one is not stored again. The
 * newest 1,000 signals and the newest 1,000 answers are kept.
 *
 * @category History
 */
export interface RememberedMessages {
  /** The IDs of signals, oldest first. */
  readonly signalIds: readonly string[];
  /** The answers of updates, oldest first. */
  readonly updates: readonly (UpdateCompletedEvent | UpdateRejectedEvent)[];
}

/**
 * The workflow function returned. Always the last event of a history.
 *
 * @category History
 */
export interface WorkflowCompletedEvent {
  /** The event's type. */
  readonly type: "workflow_completed";
  /** When the event was recorded. */
  readonly at: number;
  /** The value that the workflow function returned. */
  readonly result?: unknown;
}

/**
 * The workflow function threw, or the workflow's `timeoutMs` was exceeded. Always the last event of a history.
 *
 * @category History
 */
export interface WorkflowFailedEvent {
  /** The event's type. */
  readonly type: "workflow_failed";
  /** When the event was recorded. */
  readonly at: number;
  /** The error that it threw, or the `TimeoutError`. */
  readonly error: ErrorRecord;
}

/**
 * The workflow ended because it was cancelled or terminated. Always the last event of a history.
 *
 * @category History
 */
export interface WorkflowCanceledEvent {
  /** The event's type. */
  readonly type: "workflow_canceled";
  /** When the event was recorded. */
  readonly at: number;
  /** A `CanceledError`, or a `WorkflowError` with code `terminated` if the workflow was terminated. */
  readonly error: ErrorRecord;
}

/**
 * A caller cancelled the workflow, or its `timeoutMs` was exceeded. At most one per run.
 *
 * @category History
 */
export interface CancelRequestedEvent {
  /** The event's type. */
  readonly type: "cancel_requested";
  /** When the event was recorded. */
  readonly at: number;
  /** The reason, if one was given. */
  readonly reason?: string;
  /** Present if the workflow's own timeout cancelled it: that timeout, in milliseconds. */
  readonly timeoutMs?: number;
}

/**
 * A command: the workflow called an activity. The activity runs only after this event is stored. An executor that owns the run by a
 * lease may store it together with the activity's end, or after a while, unless the activity has `atMostOnce`.
 *
 * @category History
 */
export interface ActivityStartedEvent {
  /** The event's type. */
  readonly type: "activity_started";
  /** When the event was recorded. */
  readonly at: number;
  /** The command's position in the run, counted from 0. */
  readonly seq: number;
  /** The activity's name. */
  readonly name: string;
  /** The activity's input. */
  readonly input?: unknown;
}

/**
 * An attempt of an activity failed, and another attempt follows.
 *
 * @category History
 */
export interface ActivityAttemptFailedEvent {
  /** The event's type. */
  readonly type: "activity_attempt_failed";
  /** When the event was recorded. */
  readonly at: number;
  /** The command's position in the run. */
  readonly seq: number;
  /** The attempt that failed, counted from 1. */
  readonly attempt: number;
  /** The error. */
  readonly error: ErrorRecord;
  /** When the next attempt is due. */
  readonly retryAt: number;
  /** The details of the attempt's last heartbeat, if it gave any. */
  readonly heartbeatDetails?: unknown;
}

/**
 * A running attempt reported its progress. Only some heartbeats are recorded. Workflow code does not see this event.
 *
 * @category History
 */
export interface ActivityHeartbeatEvent {
  /** The event's type. */
  readonly type: "activity_heartbeat";
  /** When the event was recorded. */
  readonly at: number;
  /** The command's position in the run. */
  readonly seq: number;
  /** The attempt, counted from 1. */
  readonly attempt: number;
  /** The details that the attempt gave. */
  readonly details?: unknown;
}

/**
 * An activity returned a result.
 *
 * @category History
 */
export interface ActivityCompletedEvent {
  /** The event's type. */
  readonly type: "activity_completed";
  /** When the event was recorded. */
  readonly at: number;
  /** The command's position in the run. */
  readonly seq: number;
  /** The attempt that returned, counted from 1. */
  readonly attempt: number;
  /** The result. */
  readonly result?: unknown;
}

/**
 * An activity failed, and no attempt follows.
 *
 * @category History
 */
export interface ActivityFailedEvent {
  /** The event's type. */
  readonly type: "activity_failed";
  /** When the event was recorded. */
  readonly at: number;
  /** The command's position in the run. */
  readonly seq: number;
  /**
   * The last attempt, counted from 1; 0 if the activity was cancelled, or its `totalTimeoutMs` was exceeded, before the first
   * attempt began.
   */
  readonly attempt: number;
  /** The error. */
  readonly error: ErrorRecord;
}

/**
 * A command: the workflow started a timer, for a sleep or for the `timeoutMs` of a wait or of a scope.
 *
 * @category History
 */
export interface TimerStartedEvent {
  /** The event's type. */
  readonly type: "timer_started";
  /** When the event was recorded. */
  readonly at: number;
  /** The command's position in the run, counted from 0. */
  readonly seq: number;
  /** When the timer is due. */
  readonly dueAt: number;
  /**
   * What the timer limits: a wait for a signal, a wait for a condition, or a scope (`ctx.scope`, `ctx.shield`, `ctx.spawn`). Absent
   * if it is a sleep, and in events of releases that did not record it.
   */
  readonly waitsFor?: { readonly signal: string } | "condition" | "scope";
}

/**
 * A timer fired.
 *
 * @category History
 */
export interface TimerFiredEvent {
  /** The event's type. */
  readonly type: "timer_fired";
  /** When the event was recorded. */
  readonly at: number;
  /** The command's position in the run. */
  readonly seq: number;
}

/**
 * A signal arrived. It is recorded whether or not the workflow waits for it.
 *
 * @category History
 */
export interface SignalReceivedEvent {
  /** The event's type. */
  readonly type: "signal_received";
  /** When the event was recorded. */
  readonly at: number;
  /** The signal's name. */
  readonly name: string;
  /** The payload, if the sender gave one. */
  readonly payload?: unknown;
  /** The sender, if it was given. */
  readonly senderId?: string;
  /** The signal's headers, if it has any. */
  readonly headers?: CallHeaders;
  /**
   * Identifies the signal. A repeated write of the same signal has the same ID. If it begins with `~`, the executor made it, and
   * the next run of the chain does not remember it.
   */
  readonly signalId: string;
}

/**
 * A command: the workflow called `ctx.sideEffect`. The event holds the outcome of the function.
 *
 * @category History
 */
export interface SideEffectEvent {
  /** The event's type. */
  readonly type: "side_effect";
  /** When the event was recorded. */
  readonly at: number;
  /** The command's position in the run, counted from 0. */
  readonly seq: number;
  /** The value that the function returned. */
  readonly value?: unknown;
  /** The error that the function threw, if it threw. */
  readonly error?: ErrorRecord;
}

/**
 * A command: the workflow failed or was cancelled, and one of its compensations begins.
 *
 * @category History
 */
export interface CompensationStartedEvent {
  /** The event's type. */
  readonly type: "compensation_started";
  /** When the event was recorded. */
  readonly at: number;
  /** The command's position in the run, counted from 0. */
  readonly seq: number;
  /** The name of the compensation. */
  readonly name: string;
}

/**
 * A command: the workflow changed its labels by `ctx.setLabels`. From this event on, the run is found by the new ones.
 *
 * @category History
 */
export interface LabelsChangedEvent {
  /** The event's type. */
  readonly type: "labels_changed";
  /** When the event was recorded. */
  readonly at: number;
  /** The command's position in the run, counted from 0. */
  readonly seq: number;
  /** All labels that the run has now. */
  readonly labels: Labels;
}

/**
 * The run takes the new path of a change in the workflow's code; see `ctx.patched`.
 *
 * @category History
 */
export interface PatchedEvent {
  /** The event's type. */
  readonly type: "patched";
  /** When the event was recorded. */
  readonly at: number;
  /** The change's ID. */
  readonly changeId: string;
}

/**
 * What happens to a running child workflow when its parent's run ends: it is cancelled, it is terminated, or it continues.
 *
 * @category History
 */
export type ParentClosePolicy = "cancel" | "terminate" | "abandon";

/**
 * The command and the run that started a child workflow.
 *
 * @category History
 */
export interface ParentRun {
  /** The parent's workflow ID. */
  readonly workflowId: string;
  /** The ID of the parent's run. */
  readonly runId: string;
  /** The command's position in that run. */
  readonly seq: number;
  /** What happens to the child when that run ends. */
  readonly closePolicy: ParentClosePolicy;
  /** The number of the attempt, from 2; absent in the first one. Each attempt is a run of its own. */
  readonly attempt?: number;
}

/**
 * A command: the workflow started a child workflow.
 *
 * @category History
 */
export interface ChildStartedEvent {
  /** The event's type. */
  readonly type: "child_started";
  /** When the event was recorded. */
  readonly at: number;
  /** The command's position in the run, counted from 0. */
  readonly seq: number;
  /** The name of the child's workflow. */
  readonly name: string;
  /** The child's ID. */
  readonly workflowId: string;
  /** The child's input. */
  readonly input?: unknown;
  /** How long the child may take, in milliseconds; absent without a limit. */
  readonly timeoutMs?: number;
  /** What happens to the child when this run ends. */
  readonly closePolicy: ParentClosePolicy;
  /** The child's headers, if it has any. Middleware may have given the child others. */
  readonly headers?: CallHeaders;
}

/**
 * The first event of a child workflow is stored. Recorded only if the parent's code reads `ChildHandle.started` before
 * the child has ended.
 *
 * @category History
 */
export interface ChildBegunEvent {
  /** The event's type. */
  readonly type: "child_begun";
  /** When the event was recorded. */
  readonly at: number;
  /** The command's position in the run. */
  readonly seq: number;
}

/**
 * An attempt of a child workflow failed, and another attempt follows.
 *
 * @category History
 */
export interface ChildAttemptFailedEvent {
  /** The event's type. */
  readonly type: "child_attempt_failed";
  /** When the event was recorded. */
  readonly at: number;
  /** The command's position in the run. */
  readonly seq: number;
  /** The number of the attempt, counted from 1. */
  readonly attempt: number;
  /** The error. */
  readonly error: ErrorRecord;
  /** When the next attempt is due. */
  readonly retryAt: number;
}

/**
 * A child workflow completed.
 *
 * @category History
 */
export interface ChildCompletedEvent {
  /** The event's type. */
  readonly type: "child_completed";
  /** When the event was recorded. */
  readonly at: number;
  /** The command's position in the run. */
  readonly seq: number;
  /** The child's result. */
  readonly result?: unknown;
}

/**
 * A child workflow failed, was cancelled, or could not be started.
 *
 * @category History
 */
export interface ChildFailedEvent {
  /** The event's type. */
  readonly type: "child_failed";
  /** When the event was recorded. */
  readonly at: number;
  /** The command's position in the run. */
  readonly seq: number;
  /** The error. */
  readonly error: ErrorRecord;
  /** Present if the child was not started, because it was cancelled before or could not be started. */
  readonly notBegun?: true;
}

/**
 * An executor that does not run the workflow asks for an update. The executor that runs the workflow accepts or rejects it.
 * Workflow code does not see this event.
 *
 * @category History
 */
export interface UpdateRequestedEvent {
  /** The event's type. */
  readonly type: "update_requested";
  /** When the event was recorded. */
  readonly at: number;
  /** Identifies the request. */
  readonly updateId: string;
  /** The update's name. */
  readonly name: string;
  /** The input that the caller sent. */
  readonly input?: unknown;
  /** The update's headers, if it has any. */
  readonly headers?: CallHeaders;
}

/**
 * The validation refused an update that another executor asked for. Its handler does not run.
 *
 * @category History
 */
export interface UpdateRejectedEvent {
  /** The event's type. */
  readonly type: "update_rejected";
  /** When the event was recorded. */
  readonly at: number;
  /** The ID of the update. */
  readonly updateId: string;
  /** The error that the validation threw. */
  readonly error: ErrorRecord;
}

/**
 * An update was accepted by its validation. Its handler runs after this event is stored.
 *
 * @category History
 */
export interface UpdateAcceptedEvent {
  /** The event's type. */
  readonly type: "update_accepted";
  /** When the event was recorded. */
  readonly at: number;
  /** Identifies the request, as `signalId` identifies a signal. A repeated request has the same ID. */
  readonly updateId: string;
  /** The update's name. */
  readonly name: string;
  /** The input that the caller sent. */
  readonly input?: unknown;
  /** The update's headers, if it has any. */
  readonly headers?: CallHeaders;
}

/**
 * The handler of an update returned or threw, or the workflow ended before it was called.
 *
 * @category History
 */
export interface UpdateCompletedEvent {
  /** The event's type. */
  readonly type: "update_completed";
  /** When the event was recorded. */
  readonly at: number;
  /** The ID of the update. */
  readonly updateId: string;
  /** The value that the handler returned. */
  readonly result?: unknown;
  /**
   * The error that the handler threw, if it threw. Its code is `not_found` if the workflow ended before the handler was called.
   */
  readonly error?: ErrorRecord;
}

/**
 * An event by which workflow code asks for something. It has the position of the command.
 *
 * @category History
 */
export type CommandEvent =
  | ActivityStartedEvent
  | TimerStartedEvent
  | ChildStartedEvent
  | SideEffectEvent
  | CompensationStartedEvent
  | LabelsChangedEvent;

/**
 * One entry of a run's history.
 *
 * @category History
 */
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
  | ChildBegunEvent
  | ChildAttemptFailedEvent
  | ChildCompletedEvent
  | ChildFailedEvent
  | SignalReceivedEvent
  | UpdateRequestedEvent
  | UpdateAcceptedEvent
  | UpdateRejectedEvent
  | UpdateCompletedEvent
  | PatchedEvent;

/**
 * Everything that is stored about a workflow. A state that comes from a store must not be changed; the in-memory store
 * returns it deeply frozen.
 *
 * @category Store
 */
export interface WorkflowState {
  /** The workflow's ID. */
  readonly workflowId: string;
  /** The ID of the run. A new run under the same workflow ID has another one. */
  readonly runId: string;
  /** The name under which the workflow is registered. */
  readonly workflowName: string;
  /** The run's status. */
  readonly status: WorkflowStatus;
  /** The workflow's input. */
  readonly input?: unknown;
  /** The run's labels as they are now, if it was given any. */
  readonly labels?: Labels;
  /** The workflow's result, if it is `completed`. */
  readonly result?: unknown;
  /** The workflow's error, if it is `failed` or `canceled`. */
  readonly error?: ErrorRecord;
  /** The events, oldest first. */
  readonly history: readonly WorkflowEvent[];
  /** When the run was created. */
  readonly createdAt: number;
  /** When the state last changed: the time of the last event. It is earlier than before if the clock was set back. */
  readonly updatedAt: number;
}

/**
 * A state without its history: what lists and comparisons need. A store can read it at a cost that does not depend on the
 * length of the history.
 *
 * @category Store
 */
export interface WorkflowHead extends Omit<WorkflowState, "history"> {
  /** The number of events of the history. */
  readonly historyLength: number;
  /** The ID of the first run of the chain; the run's own ID if it continues no other run. */
  readonly firstRunId: string;
  /** The command that started the run, if another workflow started it as a child. */
  readonly parent?: ParentRun;
}

/**
 * A head, and the last events of its history. See {@linkcode WorkflowStore.loadSince}.
 *
 * @category Store
 */
export interface WorkflowTail {
  /** The state without its history. */
  readonly head: WorkflowHead;
  /** The events from the requested index on, oldest first. */
  readonly events: readonly WorkflowEvent[];
}

/**
 * Options of {@linkcode WorkflowStore.heads}: which workflows, in which order, and where the page starts.
 *
 * @category Store
 */
export interface PageOptions extends WorkflowFilter {
  /**
   * The maximum number of workflows in the page: an integer from 1.
   *
   * @default {100}
   */
  readonly limit?: number | undefined;
  /**
   * The `cursor` of the previous page, which had the same `order`.
   *
   * @default {the first page}
   */
  readonly cursor?: string | undefined;
}

/**
 * A page of {@linkcode WorkflowStore.heads}.
 *
 * @category Store
 */
export interface HeadPage {
  /** The heads, in the order of the request. */
  readonly heads: WorkflowHead[];
  /** Where the next page starts; `undefined` if this is the last page. */
  readonly cursor: string | undefined;
}

/**
 * The argument of {@linkcode WorkflowStore.save}: a state of which only the ID and the status are required.
 *
 * @category Store
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
  /** The workflow's ID; a non-empty string. */
  readonly workflowId: string;
  /** The run's status. */
  readonly status: WorkflowStatus;
  /**
   * The ID of the run. A history belongs to its `workflowId` and `runId`: `ctx.uuid()`, idempotency keys and the default IDs of
   * children follow from the `runId`. Under another one, a copied history can get other values than the code saw before; under
   * the same one, outside systems take what the copy does for repetitions. A copy never replaces the children of the original.
   *
   * @default {""}
   */
  readonly runId?: string | undefined;
  /**
   * The name under which the workflow is registered.
   *
   * @default {""}
   */
  readonly workflowName?: string | undefined;
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
  readonly labels?: Labels | undefined;
  /**
   * The workflow's result.
   *
   * @default {undefined}
   */
  readonly result?: unknown;
  /**
   * The workflow's error.
   *
   * @default {undefined}
   */
  readonly error?: ErrorRecord | undefined;
  /**
   * The events, oldest first.
   *
   * @default {[]}
   */
  readonly history?: readonly WorkflowEvent[] | undefined;
  /**
   * When the run was created.
   *
   * @default {the stored `createdAt` if the workflow exists, else the time of the call}
   */
  readonly createdAt?: number | undefined;
  /**
   * When the state last changed.
   *
   * @default {the time of the call}
   */
  readonly updatedAt?: number | undefined;
}

/**
 * Selects the workflows that {@linkcode WorkflowStore.list} returns. A workflow is selected if it matches every given
 * property.
 *
 * @category Store
 */
export interface WorkflowFilter {
  /**
   * One status or several.
   *
   * @default {every status}
   */
  readonly status?: WorkflowStatus | readonly WorkflowStatus[] | undefined;
  /**
   * The name under which the workflow is registered.
   *
   * @default {every name}
   */
  readonly workflowName?: string | undefined;
  /**
   * The beginning of the workflow's ID.
   *
   * @default {every ID}
   */
  readonly idPrefix?: string | undefined;
  /**
   * Labels that the run must have, all of them. It may have more.
   *
   * @default {any labels}
   */
  readonly labels?: Labels | undefined;
  /**
   * Only workflows created later than this time; a finite number.
   *
   * @default {any time}
   */
  readonly createdAfter?: number | undefined;
  /**
   * Only workflows created earlier than this time; a finite number.
   *
   * @default {any time}
   */
  readonly createdBefore?: number | undefined;
  /**
   * `asc`: the first created comes first. `desc`: the last created comes first.
   *
   * @default {"asc"}
   */
  readonly order?: "asc" | "desc" | undefined;
  /**
   * Maximum number of results; a non-negative integer, or `Infinity` for no limit.
   *
   * @default {no limit}
   */
  readonly limit?: number | undefined;
}

/**
 * The argument of {@linkcode WorkflowStore.append}.
 *
 * @category Store
 */
export interface AppendBatch {
  /** The workflow's ID. */
  readonly workflowId: string;
  /** The run that the events belong to. */
  readonly runId: string;
  /**
   * The number of events that the history has, as far as the writer knows; a non-negative integer. In a batch that
   * continues a run as a new run: the number of events of the run that `replaces` names.
   */
  readonly expectedLength: number;
  /** The events to add, in order. A batch without events adds nothing; see {@linkcode WorkflowStore.append}. */
  readonly events: readonly WorkflowEvent[];
  /**
   * The ID of the run that the new run replaces. Allowed only if the first event is `workflow_started`. With an
   * `expectedLength` of 0 the replaced run must be finished. With an `expectedLength` above 0 it must be running, and the
   * new run continues it.
   *
   * @default {no workflow of that ID may exist}
   */
  readonly replaces?: string | undefined;
  /**
   * Who writes, if it owns the run by a lease. A new run belongs to the owner. Any other batch is refused if the run belongs to
   * somebody else by now, or to nobody. A store without {@linkcode WorkflowStore.claim} ignores it.
   *
   * @default {none: the owner of the run is not compared, and a new run has no owner}
   */
  readonly owner?: string | undefined;
  /**
   * When the run continues by itself after these events, in milliseconds since the epoch on the executor's clock: from then on it
   * is due, and {@linkcode WorkflowStore.claim} finds it if no living owner has it. `null`: not before something is delivered. A
   * batch without events does not change it. A store without `claim` ignores it.
   *
   * @default {the run is due at once}
   */
  readonly wakeAt?: number | null | undefined;
}

/**
 * The argument of {@linkcode WorkflowStore.deliver}.
 *
 * @category Store
 */
export interface Delivery {
  /** The workflow's ID. */
  readonly workflowId: string;
  /**
   * The ID of the first run of a chain: only a run of this chain gets the events.
   *
   * @default {any run}
   */
  readonly firstRunId?: string | undefined;
  /** What is delivered, in order; at least one event. A termination (`workflow_canceled`) is the last one. */
  readonly events: readonly DeliveredEvent[];
}

/**
 * What can be sent to a run of any executor: a signal, the request of an update, a cancellation, a termination.
 *
 * @category Store
 */
export type DeliveredEvent =
  | SignalReceivedEvent
  | UpdateRequestedEvent
  | CancelRequestedEvent
  | WorkflowCanceledEvent;

/**
 * The answer of {@linkcode WorkflowStore.deliver}.
 *
 * @category Store
 */
export interface DeliveryReceipt {
  /** The ID of the run that has the events. */
  readonly runId: string;
  /** The length of its history now. */
  readonly historyLength: number;
  /** For each event, in order, whether this call has added it. `false`: the run had it. */
  readonly added: readonly boolean[];
}

/**
 * Options of {@linkcode WorkflowStore.claim}.
 *
 * @category Store
 */
export interface ClaimOptions {
  /** Who claims: a non-empty string that nobody has used before, such as a UUID for each start of an executor. */
  readonly owner: string;
  /** For how long the owner is known to live if its lease begins now, in milliseconds on the store's clock, above 0. */
  readonly leaseMs: number;
  /** Maximum number of runs; an integer from 0. With 0 only the lease of the owner begins. */
  readonly limit: number;
  /**
   * Only runs of workflows that are registered under one of these names.
   *
   * @default {every name}
   */
  readonly names?: readonly string[] | undefined;
  /**
   * Only runs that are due at this time: those whose {@linkcode AppendBatch.wakeAt} is not later; a finite number.
   *
   * @default {every run, also one that waits for a delivery only}
   */
  readonly dueBefore?: number | undefined;
}

/**
 * A run that was claimed. See {@linkcode WorkflowStore.claim}.
 *
 * @category Store
 */
export interface ClaimedRun extends WorkflowHead {
  /**
   * How often the run was claimed, and the earlier runs of its chain. An outside system that has seen a fence refuses smaller ones:
   * they are of an earlier owner.
   */
  readonly fence: number;
}

/**
 * Is called when a workflow has changed; see {@linkcode WorkflowStore.subscribe}.
 *
 * @param workflowId The workflow's ID; `null` if the store may have missed changes of any workflow. The listener looks again then.
 * @param historyLength The length of its history after an append; `null` if it was saved or deleted, or is not known.
 *
 * @category Store
 */
export type StoreListener = (workflowId: string | null, historyLength: number | null) => void;

/**
 * The port to a store. An executor reaches its runs through this interface only. The cases of
 * `@rockpool/workflow/testing/store` check what is stated here.
 *
 * The following is true for every method that returns a promise:
 *
 * - **Atomic.** A call takes effect in one step. A call that begins after it has settled sees the effect. An executor also
 *   tolerates reads that come from a copy which is behind for a while: it performs nothing before an `append` has confirmed
 *   what it has read.
 * - **Errors.** A call rejects; it never throws. A rejected call has changed nothing that a reader can see. A store behind a
 *   network may apply a write and lose the answer. An executor handles this, because a repeated `append` is a conflict.
 * - **Copies.** A store copies its arguments at the call. Nobody can change a stored value through an argument or through a
 *   returned value.
 * - **IDs and values.** Two IDs are the same if they are equal strings, of any characters. A value is what structured clone accepts, in
 *   every place where a value is stored. Any other value is refused, and the error names the path to it.
 *
 * @category Store
 */
export interface WorkflowStore {
  /**
   * Writes the whole state of a workflow and replaces the stored state. Omitted properties get their defaults, except
   * `createdAt`, which is preserved.
   *
   * Ordering: a new workflow is the last in the order of creation. A stored workflow keeps its place.
   *
   * Idempotency: saving the same state again changes nothing except `updatedAt`, if that is omitted.
   *
   * @param state The state.
   * @throws {TypeError} If `workflowId` is not a string or is empty, the status is unknown, another field is not of its type (a
   * label is a string, a time is a finite number, and `undefined` is an omitted property), an event of the history is malformed,
   * or a value cannot be stored.
   */
  save(state: WorkflowStateInit): Promise<void>;
  /**
   * Returns the stored state, or `null` if there is none. Changes nothing.
   *
   * @param workflowId The workflow's ID.
   * @throws {TypeError} If `workflowId` is not a string or is empty.
   */
  load(workflowId: string): Promise<WorkflowState | null>;
  /**
   * Returns the states that match the filter, as they were at one moment. Changes nothing. The array belongs to the caller.
   *
   * Ordering: the order of creation, or the reverse order if the filter has `order: "desc"`. A `limit` keeps the first
   * states in this order.
   *
   * @param filter Which workflows; all by default.
   * @throws {TypeError} If a status or the order is unknown, or a text or a label is not a string.
   * @throws {RangeError} If `limit` is not a non-negative integer or `Infinity`, or a time is not a finite number.
   */
  list(filter?: WorkflowFilter): Promise<WorkflowState[]>;
  /**
   * Deletes a workflow. Its place in the order of creation and its `createdAt` are deleted too.
   *
   * Idempotency: does nothing if the workflow is not stored.
   *
   * @param workflowId The workflow's ID.
   * @throws {TypeError} If `workflowId` is not a string or is empty.
   */
  delete(workflowId: string): Promise<void>;
  /**
   * Compares and appends: adds events to a run if its history has the expected length. If several writers append with the
   * same expected length, one of them succeeds. No event is added twice.
   *
   * Four kinds of batch:
   *
   * - A first event `workflow_started` with an `expectedLength` of 0 creates a run. It is the last in the order of creation.
   *   It is a new workflow, or it replaces the finished run that `replaces` names.
   * - A first event `workflow_started` with an `expectedLength` above 0 continues the running run that `replaces` names. The
   *   new history replaces the old one. The workflow keeps its `createdAt` and its place in the order of creation.
   * - Any other batch of events adds to the history. A last event `workflow_completed`, `workflow_failed` or
   *   `workflow_canceled` finishes the run.
   * - A batch without events changes nothing, and is not reported to listeners. It is a conflict or not as any other batch.
   *   So an executor confirms that what it has read is still what is stored, before it performs anything because of it.
   *
   * Status, input, labels, result, error and times follow from the events; `applyBatch` computes them. The cost depends on
   * the batch, not on the length of the history.
   *
   * @param batch The events, and where they belong.
   * @throws {WorkflowError} With code `conflict` if the run does not exist, is finished, is another run, or has another
   * length. The caller loads the state and decides again.
   * @throws {WorkflowError} With code `lease_lost` if the batch has an `owner`, and the run is running and does not belong to it;
   * the length does not count then.
   * @throws {TypeError} If the batch is malformed or a value cannot be stored. A batch is malformed if a field is not of its type,
   * an event is of an unknown type or lacks a field, an ID is empty, `workflow_started` is missing from a new history or is not its
   * first event, or a final event is not the last one. This is checked before the comparison.
   */
  append(batch: AppendBatch): Promise<void>;
  /**
   * Optional. Calls `listener` after each change of a workflow by any writer, until the returned function is called. With
   * it, an executor notices at once what another executor has written, and waits for runs that another executor runs.
   *
   * - A call that changes nothing is not reported. Several appends to one workflow may be reported as one.
   * - When the listener is called, the change is visible. The listener may call the store.
   * - A listener must not throw. If one throws, the caller of the method and the other listeners are not affected.
   * - A store that may have missed changes, because a connection was broken, calls the listener with `null` and `null`.
   *
   * @param listener Is called with each change.
   * @returns A function that ends the subscription.
   */
  subscribe?(listener: StoreListener): () => void;
  /**
   * Optional. Returns one page of the heads that match, as they were at one moment. Writes between two pages do not matter: no
   * workflow is repeated, and no workflow that was stored all the time is left out. With it, `recover()` reads no history of a
   * run that is live already.
   *
   * Ordering: as {@linkcode WorkflowStore.list}. The cost depends on the size of the page, not on histories.
   *
   * @param options Which workflows, how many, and where the page starts.
   * @throws {TypeError | RangeError} As `list` does; also if `limit` is not an integer from 1, or `cursor` is not that of a page
   * with the same `order`.
   */
  heads?(options?: PageOptions): Promise<HeadPage>;
  /**
   * Optional. Returns the number of workflows that match. `limit` and `order` of the filter have no effect.
   *
   * @param filter Which workflows; all by default.
   * @throws {TypeError | RangeError} As `list` does.
   */
  count?(filter?: WorkflowFilter): Promise<number>;
  /**
   * Optional. Returns the head of a workflow and the events of its history from an index on, as they were at one moment; `null`
   * if there is no such workflow, or it is another run. Changes nothing. With it, an executor that knows a part of a history reads
   * the rest only.
   *
   * The cost depends on the events that are returned, not on the length of the history.
   *
   * @param workflowId The workflow's ID.
   * @param length How many events to leave out: an integer from 0, or `Infinity` for a head without events.
   * @param runId The run; any run by default.
   * @throws {TypeError | RangeError} If an argument is not of its type, or out of its range.
   */
  loadSince?(workflowId: string, length: number, runId?: string): Promise<WorkflowTail | null>;
  /**
   * Optional. Adds events to the end of the running run of a workflow, to a history of any length. With it, a signal
   * from elsewhere reads no history, and never competes with the executor that runs the workflow.
   *
   * - Each event is added once. It is not added again if the history of the run holds it, or its first event remembers it
   *   (`remembered`, `canceled`): a signal of the same `signalId`, an update of the same `updateId` (also if it was accepted or
   *   answered), any cancellation. The same is true for events of one call.
   * - If every event was added before, the call changes nothing, is not reported to listeners, and does not reject, also if the
   *   run has finished.
   * - A run that gets an event is due at once; see {@linkcode AppendBatch.wakeAt}. Its owner keeps it.
   *
   * @param delivery The events, and who gets them.
   * @returns Which events were added.
   * @throws {WorkflowError} With code `not_found` if there is no such workflow, it is finished, or it is a run of another chain.
   * @throws {TypeError} If the delivery is malformed or a value cannot be stored.
   */
  deliver?(delivery: Delivery): Promise<DeliveryReceipt>;
  /**
   * For how long an executor on this store owns its runs without renewing its lease, unless its options say otherwise, in
   * milliseconds, above 0. Without it, executors use no leases: one executor at a time runs a workflow, and the user sees to that.
   */
  readonly leaseMs?: number | undefined;
  /**
   * Optional, together with {@linkcode WorkflowStore.renew} and {@linkcode WorkflowStore.release}. Takes running runs that no living
   * owner has, and that are due. Begins the lease of the owner if it has none; `renew` extends it.
   *
   * - An owner lives from the call that begins its lease until the lease ends without being extended, or `release`. A claim of
   *   somebody else with a `limit` above 0 makes an end final: it ends every lease whose time is over, whether or not there is a
   *   run to take. Before that, `renew` extends the lease as if it had not ended: a machine that slept loses nothing.
   * - A run belongs to the owner that created or claimed it last; the next run of a chain belongs to the owner of the run that it
   *   continues. A run that is saved belongs to nobody, and is due at once.
   * - Of several calls, one gets a run. Claims are not reported to listeners.
   * - A call that finds nothing to take and no lease to begin or to end should not wait for a disk: executors call it often.
   *
   * Ordering: the order of creation.
   *
   * @param options Who claims what.
   * @returns The runs that the owner has got by this call.
   * @throws {TypeError | RangeError} If an option is not of its type, out of its range, or unknown.
   */
  claim?(options: ClaimOptions): Promise<ClaimedRun[]>;
  /**
   * Optional. Extends the lease of an owner.
   *
   * @param owner The owner.
   * @param leaseMs For how long it is known to live from now on, in milliseconds on the store's clock, above 0.
   * @throws {WorkflowError} With code `lease_lost` if there is no such lease: it never began, was released, or had ended when
   * somebody else claimed. The owner's runs may belong to others.
   * @throws {TypeError | RangeError} If an argument is not of its type, or out of its range.
   */
  renew?(owner: string, leaseMs: number): Promise<void>;
  /**
   * Optional. Gives runs back: they belong to nobody. Does nothing to a run that belongs to somebody else.
   *
   * @param owner The owner.
   * @param workflowIds Which workflows; by default all, and then the lease of the owner ends as well.
   * @throws {TypeError} If an argument is not of its type.
   */
  release?(owner: string, workflowIds?: readonly string[]): Promise<void>;
}

/**
 * A value as workflow code and callers receive it from the history: frozen, so that nothing in it can be changed.
 *
 * - Objects, arrays and tuples are readonly, with everything in them.
 * - A `Map` or a `Set` cannot be frozen. Every receiver gets a copy of its own, so its type stays mutable. What it holds is
 *   frozen, and readonly. Dates, errors, buffers and other built-in objects are copies too, and stay as they are.
 * - Primitives, functions, `any`, `unknown` and `never` stay as they are. Each member of a union is treated by itself.
 *
 * @category History
 *
 * @example
 * ```ts
 * import type { DeepReadonly } from "@rockpool/workflow";
 *
 * const order: DeepReadonly<{ id: string; items: string[] }> = { id: "a", items: ["shell"] };
 * // @ts-expect-error -- readonly
 * const add = () => order.items.push("pearl");
 * ```
 */
export type DeepReadonly<T> = unknown extends T ? T
  : T extends string | number | boolean | bigint | symbol | null | undefined | ((...args: never) => unknown) ? T
  : T extends Date | RegExp | Error | ArrayBuffer | ArrayBufferView ? T
  : T extends readonly (infer Item)[] ? Item[] extends T ? readonly DeepReadonly<Item>[] : DeepReadonlyObject<T>
  : T extends Map<infer Key, infer Value> ? Map<DeepReadonly<Key>, DeepReadonly<Value>>
  : T extends ReadonlyMap<infer Key, infer Value> ? ReadonlyMap<DeepReadonly<Key>, DeepReadonly<Value>>
  : T extends Set<infer Item> ? Set<DeepReadonly<Item>>
  : T extends ReadonlySet<infer Item> ? ReadonlySet<DeepReadonly<Item>>
  : DeepReadonlyObject<T>;

/**
 * An object or a tuple whose properties are {@linkcode DeepReadonly}. It has a name of its own so that the compiler shows
 * `DeepReadonlyObject<Order>` in its messages, not all properties.
 *
 * @category History
 */
export type DeepReadonlyObject<T> = { readonly [Key in keyof T]: DeepReadonly<T[Key]> };
