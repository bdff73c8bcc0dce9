/**
 * Computes the state of a workflow from its events. Pure functions, the same for every store.
 *
 * 1. A state follows from its events: status, input, labels, result, error and times.
 * 2. A batch fits a stored run only if nothing was stored since the writer read it. This comparison is all the
 *    concurrency control of the package.
 *
 * @module
 */

import { type WorkflowError, workflowError } from "../errors.ts";
import type {
  ActivityAttemptFailedEvent,
  ActivityHeartbeatEvent,
  ActivityStartedEvent,
  AppendBatch,
  ChildAttemptFailedEvent,
  ChildBegunEvent,
  ChildStartedEvent,
  CommandEvent,
  LabelsChangedEvent,
  StoreListener,
  TimerStartedEvent,
  WorkflowEvent,
  WorkflowHead,
  WorkflowStartedEvent,
  WorkflowState,
  WorkflowStatus,
} from "../types.ts";
import { show } from "../util/show.ts";
import { validateBatch } from "./validate.ts";

/** The fields of a state without its history. A store may keep them and change them in place. */
export type StateFields = Mutable<Omit<WorkflowState, "history">>;

export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** A batch whose events are deeply frozen: a store need not copy them. Only the executor makes it. */
export class FrozenBatch implements AppendBatch {
  declare readonly workflowId: string;
  declare readonly runId: string;
  declare readonly expectedLength: number;
  declare readonly events: readonly WorkflowEvent[];
  readonly replaces?: string | undefined;
  declare readonly owner?: string | undefined;
  declare readonly wakeAt?: number | null | undefined;
  /** Private, so that a structured clone of the batch works: a function cannot be cloned. */
  readonly #author: StoreListener | undefined;

  /**
   * @param author The writer's own listener. A store of this process does not call it for this append.
   * @param lease Who owns the run by a lease, and when it continues by itself.
   */
  constructor(
    workflowId: string,
    runId: string,
    expectedLength: number,
    events: readonly WorkflowEvent[],
    replaces?: string,
    author?: StoreListener,
    lease?: Pick<AppendBatch, "owner" | "wakeAt">,
  ) {
    this.workflowId = workflowId;
    this.runId = runId;
    this.expectedLength = expectedLength;
    this.events = events;
    this.replaces = replaces;
    this.#author = author;
    if (lease !== undefined) {
      this.owner = lease.owner;
      this.wakeAt = lease.wakeAt;
    }
  }

  get author(): StoreListener | undefined {
    return this.#author;
  }
}

/** The status to which an event leads; `undefined` if the run continues. */
export function finalStatus(event: WorkflowEvent): Exclude<WorkflowStatus, "running"> | undefined {
  switch (event.type) {
    case "workflow_completed":
      return "completed";
    case "workflow_failed":
      return "failed";
    case "workflow_canceled":
      return "canceled";
  }
}

type Progress = ActivityAttemptFailedEvent | ActivityHeartbeatEvent | ChildAttemptFailedEvent | ChildBegunEvent;
type EventOfCommand = Extract<WorkflowEvent, { readonly seq: number }>;
type Outcome = Exclude<
  EventOfCommand,
  Progress | ActivityStartedEvent | TimerStartedEvent | ChildStartedEvent | LabelsChangedEvent
>;

/** Whether an event is a command of workflow code. Commands have a position. */
export function isCommand(event: WorkflowEvent): event is CommandEvent {
  return event.type === "activity_started" || event.type === "timer_started" || event.type === "side_effect" ||
    event.type === "compensation_started" || event.type === "child_started" || event.type === "labels_changed";
}

/** Whether an event settles its command, so that workflow code continues. */
export function isOutcome(event: WorkflowEvent): event is Outcome {
  switch (event.type) {
    case "activity_completed":
    case "activity_failed":
    case "child_completed":
    case "child_failed":
    case "timer_fired":
    case "side_effect":
    case "compensation_started":
      return true;
    default:
      return false;
  }
}

/** Whether an event reports progress of a command: it is neither the command nor its outcome. */
export function isProgress(event: WorkflowEvent): event is Progress {
  switch (event.type) {
    case "activity_attempt_failed":
    case "activity_heartbeat":
    case "child_attempt_failed":
    case "child_begun":
      return true;
    default:
      return false;
  }
}

/** Whether an event shows that the code of the run was called: only the code and its handlers lead to it. */
export function isOfCode(event: WorkflowEvent): boolean {
  switch (event.type) {
    case "patched":
    case "update_accepted":
    case "update_rejected":
    case "update_completed":
    case "workflow_completed":
      return true;
    case "workflow_failed": // or by the end of its time, terminate(), or a history that is full
      return event.error.name !== "TimeoutError" && event.error.data?.code === undefined;
    default:
      return "seq" in event;
  }
}

/** The ID of the first run of a run's chain; its own ID if it continues no other run. */
export function firstRunOf({ runId, history }: Pick<WorkflowState, "runId" | "history">): string {
  const started = history[0];
  return started?.type === "workflow_started" && started.firstRunId || runId;
}

/**
 * What a batch does to what is stored: it creates a run, continues a run as a new one, appends to a history, or confirms its
 * length without a change.
 *
 * @category Storage
 */
export type BatchKind = "create" | "continue" | "append" | "confirm";

/**
 * Returns which of the four kinds a batch has; see {@linkcode WorkflowStore.append}.
 *
 * @param batch The batch, as `readBatch` returns it.
 *
 * @category Storage
 */
export function batchKind({ events, expectedLength }: AppendBatch): BatchKind {
  if (events.length === 0) return "confirm";
  if (events[0].type !== "workflow_started") return "append";
  return expectedLength > 0 ? "continue" : "create";
}

/**
 * The fields of the run that a batch creates. {@linkcode checkConflict} has accepted the batch.
 *
 * @param createdAt The `createdAt` of the run that it continues, if it continues one.
 */
export function beginRun(batch: AppendBatch, createdAt?: number): StateFields {
  const event = batch.events[0] as WorkflowStartedEvent;
  const fields: StateFields = {
    workflowId: batch.workflowId,
    runId: batch.runId,
    workflowName: event.workflowName,
    status: "running",
    createdAt: createdAt ?? event.at,
    updatedAt: event.at,
  };
  if (event.input !== undefined) fields.input = event.input;
  if (event.labels !== undefined) fields.labels = event.labels;
  return fields;
}

/** Updates the fields of a run after `events` were added to it. */
export function advanceRun(fields: StateFields, events: readonly WorkflowEvent[]): void {
  for (const event of events) if (event.type === "labels_changed") fields.labels = event.labels;
  const event = events[events.length - 1];
  fields.updatedAt = event.at;
  const status = finalStatus(event);
  if (status === undefined) return;
  fields.status = status;
  if ("result" in fields) delete fields.result; // a caller may have saved a running state that has one
  if ("error" in fields) delete fields.error;
  const { result, error } = event as { readonly result?: unknown; readonly error?: WorkflowState["error"] };
  if (result !== undefined) fields.result = result;
  if (error !== undefined) fields.error = error;
}

/**
 * The comparison of compare and append.
 *
 * @param current What is stored, or `null`.
 * @param length The length of the stored history.
 * @throws {WorkflowError} With code `conflict` if the batch does not fit what is stored.
 */
export function checkConflict(
  current: { readonly runId: string; readonly status: WorkflowStatus } | null,
  length: number,
  batch: AppendBatch,
): void {
  const { workflowId, runId, expectedLength, replaces } = batch;
  const kind = batchKind(batch);
  const starts = kind === "create";
  if (
    starts && (current === null ? replaces === undefined : replaces === current.runId && current.status !== "running")
  ) {
    return;
  }
  if (current === null) throw conflict(workflowId, "it is not stored");
  const expected = starts || kind === "continue" ? replaces : runId;
  if (expected !== undefined && expected !== current.runId) {
    throw conflict(workflowId, `the run is ${show(current.runId)}, the writer expected ${show(expected)}`);
  }
  if (starts || current.status !== "running") throw conflict(workflowId, `its status is ${show(current.status)}`);
  if (length !== expectedLength) {
    throw conflict(workflowId, `it has ${length} events, the writer expected ${expectedLength}`);
  }
}

/**
 * Checks that a batch with an `owner` is of the owner of the run. A store calls it before {@linkcode applyToHead}, in the same step.
 *
 * @param head What is stored, or `null`.
 * @param owner Who owns the stored run; `null` for nobody. The lease need not have lasted until now.
 * @param batch The batch.
 * @throws {WorkflowError} With code `lease_lost` if the run is running and belongs to somebody else, or to nobody.
 *
 * @category Storage
 */
export function checkOwner(
  head: Pick<WorkflowHead, "runId" | "status"> | null,
  owner: string | null | undefined,
  batch: AppendBatch,
): void {
  const { workflowId, runId, replaces } = batch;
  if (batch.owner === undefined || batch.owner === owner || batchKind(batch) === "create") return;
  if (head === null || head.status !== "running" || head.runId !== (replaces ?? runId)) return; // a conflict
  const why = owner ? "another executor has claimed it" : "its lease has ended";
  throw workflowError("lease_lost", "append to workflow", workflowId, why);
}

function conflict(workflowId: string, why: string): WorkflowError {
  return workflowError("conflict", "append to workflow", workflowId, why);
}

/**
 * Computes the state after an append, for stores that write whole states. Does not change its arguments.
 *
 * @param state What is stored, or `null`.
 * @param batch The batch.
 * @returns The new state; `state` itself if the batch has no events.
 * @throws {WorkflowError} With code `conflict` if the batch does not fit `state`.
 * @throws {TypeError} If the batch is malformed.
 *
 * @category Store
 *
 * @example
 * ```ts
 * import { applyBatch } from "@rockpool/workflow";
 * import { assertEquals } from "@std/assert";
 *
 * const state = applyBatch(null, {
 *   workflowId: "a",
 *   runId: "run-1",
 *   expectedLength: 0,
 *   events: [{ type: "workflow_started", at: 0, workflowName: "greet", input: "hello" }],
 * });
 * assertEquals([state.status, state.input, state.history.length], ["running", "hello", 1]);
 * ```
 */
export function applyBatch(state: WorkflowState | null, batch: AppendBatch): WorkflowState {
  const head = applyToHead(state && headOf(state), batch);
  const kind = batchKind(batch);
  if (kind === "confirm") return state!;
  return toState(head, [...(kind === "append" ? state!.history : []), ...batch.events]);
}

/**
 * Returns the head of a state.
 *
 * @param fields The state without its history.
 * @param history All of its events, oldest first.
 *
 * @category Storage
 */
export function toHead(fields: Omit<WorkflowState, "history">, history: readonly WorkflowEvent[]): WorkflowHead {
  const { runId } = fields;
  return { ...fields, historyLength: history.length, ...originOf(runId, history[0]) };
}

/** The head of a whole state. */
export function headOf({ history, ...fields }: WorkflowState): WorkflowHead {
  return toHead(fields, history);
}

/** What a head says of the first event. */
function originOf(runId: string, started: WorkflowEvent | undefined): Pick<WorkflowHead, "firstRunId" | "parent"> {
  if (started?.type !== "workflow_started") return { firstRunId: runId };
  const { firstRunId = runId, parent } = started;
  return parent === undefined ? { firstRunId } : { firstRunId, parent };
}

/**
 * Puts a state together.
 *
 * @param head The state without its history.
 * @param history All of its events, oldest first.
 *
 * @category Storage
 */
export function toState(
  { historyLength: _1, firstRunId: _2, parent: _3, ...fields }: WorkflowHead,
  history: readonly WorkflowEvent[],
): WorkflowState {
  return { ...fields, history };
}

/**
 * Computes the head after an append, for stores that keep heads and events apart. Does not change its arguments. The cost
 * depends on the batch, not on the length of the history.
 *
 * @param head What is stored, or `null`.
 * @param batch The batch.
 * @returns The new head; `head` itself if the batch has no events.
 * @throws {WorkflowError} With code `conflict` if the batch does not fit `head`.
 * @throws {TypeError} If the batch is malformed.
 *
 * @category Storage
 *
 * @example
 * ```ts
 * import { applyToHead } from "@rockpool/workflow/storage";
 * import { assertEquals } from "@std/assert";
 *
 * const batch = { workflowId: "a", runId: "run-1", expectedLength: 0 };
 * const head = applyToHead(null, { ...batch, events: [{ type: "workflow_started", at: 0, workflowName: "greet" }] });
 * assertEquals([head.status, head.historyLength], ["running", 1]);
 * ```
 */
export function applyToHead(head: WorkflowHead | null, batch: AppendBatch): WorkflowHead {
  if (!(batch instanceof FrozenBatch)) validateBatch(batch);
  checkConflict(head, head?.historyLength ?? 0, batch);
  const kind = batchKind(batch);
  if (kind === "confirm") return head!;
  const { historyLength, ...fields } = kind === "append" ? head! : {
    ...beginRun(batch, kind === "continue" ? head!.createdAt : undefined),
    ...originOf(batch.runId, batch.events[0]),
    historyLength: 0,
  };
  advanceRun(fields, batch.events);
  return { ...fields, historyLength: historyLength + batch.events.length };
}
