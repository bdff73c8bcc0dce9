/**
 * What a history means for the state: pure functions, the same for every store.
 *
 * @module
 */

import { WorkflowError } from "../errors.ts";
import type {
  AppendBatch,
  CommandEvent,
  StoreListener,
  WorkflowEvent,
  WorkflowStartedEvent,
  WorkflowState,
  WorkflowStatus,
} from "../types.ts";
import { cannot, checkLabels, checkObject, checkText, invalid } from "../util/check.ts";
import { show } from "../util/show.ts";

/** A state without its history, as a store may keep it and change it in place. */
export type StateFields = Mutable<Omit<WorkflowState, "history">>;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** A batch whose events are deeply frozen: a store need not copy them. Only the executor makes it. */
export class FrozenBatch implements AppendBatch {
  readonly workflowId: string;
  readonly runId: string;
  readonly expectedLength: number;
  readonly events: readonly WorkflowEvent[];
  readonly replaces: string | undefined;
  /** Private, so that a structured clone of the batch works: a function cannot be cloned. */
  readonly #author: StoreListener | undefined;

  /** @param author The writer's own listener. A store of this process does not call it for this append. */
  constructor(
    workflowId: string,
    runId: string,
    expectedLength: number,
    events: readonly WorkflowEvent[],
    replaces?: string,
    author?: StoreListener,
  ) {
    this.workflowId = workflowId;
    this.runId = runId;
    this.expectedLength = expectedLength;
    this.events = events;
    this.replaces = replaces;
    this.#author = author;
  }

  get author(): StoreListener | undefined {
    return this.#author;
  }
}

/** Every status there is. */
export const statuses: readonly WorkflowStatus[] = ["running", "completed", "failed", "canceled"];

export function checkStatus(status: unknown, action: string, subject?: unknown): void {
  if (!statuses.includes(status as WorkflowStatus)) {
    throw invalid("status", status, `one of ${statuses.join(", ")}`, action, subject);
  }
}

/** Checks a whole state for its form; the events of its history are left to {@linkcode validateEvent}. */
export function checkState(fields: StateFields, history: unknown, action: string, subject?: unknown): void {
  const { workflowId, runId, workflowName, status, labels, createdAt, updatedAt } = fields;
  const refuse = (name: string, value: unknown, rule: string) => invalid(name, value, rule, action, subject);
  checkText("workflowId", workflowId, action);
  checkStatus(status, action, subject);
  if (typeof runId !== "string") throw refuse("runId", runId, "a string");
  if (typeof workflowName !== "string") throw refuse("workflowName", workflowName, "a string");
  checkLabels(labels, action, subject);
  if (!Array.isArray(history)) throw refuse("history", history, "an array");
  if (!Number.isFinite(createdAt)) throw refuse("createdAt", createdAt, "a finite number");
  if (!Number.isFinite(updatedAt)) throw refuse("updatedAt", updatedAt, "a finite number");
}

/** The status that an event leads to, or `undefined` if the run goes on. */
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

/** The first run of the chain that a run belongs to by continuing as new; its own ID if it continues none. */
export function firstRunOf({ runId, history }: Pick<WorkflowState, "runId" | "history">): string {
  const started = history[0];
  return started?.type === "workflow_started" && started.firstRunId || runId;
}

/** Whether a batch continues a running run as a new one. */
export function continues(batch: AppendBatch): boolean {
  return batch.expectedLength > 0 && batch.events[0].type === "workflow_started";
}

/**
 * The fields of a run that `batch` creates; `checkBatch` has let it pass.
 *
 * @param createdAt Of the run that it continues.
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

/** Brings the fields of a run up to date with the events that were added to it. */
export function advanceRun(fields: StateFields, events: readonly WorkflowEvent[]): void {
  const event = events[events.length - 1];
  fields.updatedAt = event.at;
  const status = finalStatus(event);
  if (status === undefined) return;
  fields.status = status;
  if ("result" in fields) delete fields.result; // somebody may have saved a running state with one
  if ("error" in fields) delete fields.error;
  const { result, error } = event as { readonly result?: unknown; readonly error?: WorkflowState["error"] };
  if (result !== undefined) fields.result = result;
  if (error !== undefined) fields.error = error;
}

/**
 * The compare of compare and append.
 *
 * @param current What is stored, or `null`.
 * @throws {WorkflowError} With code `conflict` if the batch does not continue what is stored.
 */
export function checkBatch(
  current: { readonly runId: string; readonly status: WorkflowStatus } | null,
  length: number,
  batch: AppendBatch,
): void {
  const { workflowId, runId, expectedLength, replaces } = batch;
  const continued = continues(batch);
  const starts = !continued && batch.events[0].type === "workflow_started";
  if (
    starts && (current === null ? replaces === undefined : replaces === current.runId && current.status !== "running")
  ) {
    return;
  }
  if (current === null) throw conflict(workflowId, "it is not there");
  const believed = starts || continued ? replaces : runId;
  if (believed !== undefined && believed !== current.runId) {
    throw conflict(workflowId, `the run is ${show(current.runId)}, the writer expected ${show(believed)}`);
  }
  if (starts) throw conflict(workflowId, `it is ${current.status} already`);
  if (current.status !== "running") throw conflict(workflowId, `it is ${current.status}`);
  if (length !== expectedLength) {
    throw conflict(workflowId, `it has ${length} events, the writer expected ${expectedLength}`);
  }
}

function conflict(workflowId: string, why: string): WorkflowError {
  return new WorkflowError("conflict", `${cannot("append to workflow", workflowId)}: ${why}`);
}

/**
 * Checks a batch for its form.
 *
 * @throws {TypeError} If it is malformed.
 */
export function validateBatch(batch: AppendBatch): void {
  checkObject("batch", batch, "append");
  const { workflowId, runId, expectedLength, events, replaces } = batch;
  const action = "append to workflow";
  checkText("workflowId", workflowId, action);
  checkText("runId", runId, action, workflowId);
  if (!Number.isInteger(expectedLength) || expectedLength < 0) {
    throw invalid("expectedLength", expectedLength, "an integer from 0", action, workflowId);
  }
  if (!Array.isArray(events) || events.length === 0) {
    throw invalid("events", events, "a non-empty array", action, workflowId);
  }
  const fail = (why: string) => new TypeError(`${cannot(action, workflowId)}: ${why}`);
  for (let i = 0; i < events.length; i++) validateEvent(events[i], "events", i);
  const starts = events[0].type === "workflow_started";
  const begins = expectedLength === 0 || starts && replaces !== undefined;
  if (starts !== begins || events.some(({ type }, i) => i > 0 && type === "workflow_started")) {
    throw fail(
      `"workflow_started" must be the first event, and "expectedLength" 0 with it alone unless it "replaces" a running run`,
    );
  }
  if (replaces !== undefined && !(starts && typeof replaces === "string" && replaces !== runId)) {
    throw fail(`"replaces" must be the ID of another run, and only a batch that starts a run has it`);
  }
  for (let i = 0; i < events.length - 1; i++) {
    if (finalStatus(events[i])) throw fail(`${show(events[i].type)} must be the last event`);
  }
}

const eventTypes: Record<WorkflowEvent["type"], true> = {
  workflow_started: true,
  workflow_completed: true,
  workflow_failed: true,
  workflow_canceled: true,
  cancel_requested: true,
  activity_started: true,
  activity_attempt_failed: true,
  activity_heartbeat: true,
  activity_completed: true,
  activity_failed: true,
  timer_started: true,
  timer_fired: true,
  signal_received: true,
  side_effect: true,
  compensation_started: true,
  patched: true,
  child_started: true,
  child_completed: true,
  child_failed: true,
  update_accepted: true,
  update_completed: true,
};

/** Whether an event is a command of the workflow's, with a position. */
export function isCommand(event: WorkflowEvent): event is CommandEvent {
  return event.type === "activity_started" || event.type === "timer_started" || event.type === "side_effect" ||
    event.type === "compensation_started" || event.type === "child_started";
}

/**
 * Checks an event for its form: the `index`th of `what`.
 *
 * @throws {TypeError} If it is none.
 */
export function validateEvent(event: WorkflowEvent, what: string, index: number, action = "store"): void {
  const refuse = (name: string, value: unknown, rule: string) =>
    invalid(name, value, rule, `${action} ${what}[${index}]`);
  if (typeof event !== "object" || event === null) throw refuse("event", event, "an object");
  const { type, at } = event;
  if (typeof type !== "string" || !Object.hasOwn(eventTypes, type)) throw refuse("type", type, "the type of an event");
  if (!Number.isFinite(at)) throw refuse("at", at, "a finite number");
  if (type !== "workflow_started") return;
  if (typeof event.workflowName !== "string") throw refuse("workflowName", event.workflowName, "a string");
  checkLabels(event.labels, `${action} ${what}[${index}]`);
}

/**
 * The events of an array in an array of their own. Refuses a hole before it spreads the array: there can be billions of
 * them, and the engine would die of it.
 *
 * @throws {TypeError} If one of `events`, which are a `what`, is not there.
 */
export function listEvents(events: readonly WorkflowEvent[], what: string): WorkflowEvent[] {
  const none = undefined as never;
  if (events.includes(none)) validateEvent(none, what, events.findIndex((event) => event === none));
  return [...events]; // V8 spreads a frozen array far faster than it slices one
}

/**
 * Computes what a store keeps after an append, for stores that write whole states. Changes nothing in place.
 *
 * @param state What is stored, or `null`.
 * @param batch The batch.
 * @returns The new state.
 * @throws {WorkflowError} With code `conflict` if the batch does not continue `state`.
 * @throws {TypeError} If the batch is malformed.
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
  validateBatch(batch);
  checkBatch(state, state?.history.length ?? 0, batch);
  const starts = batch.events[0].type === "workflow_started";
  const { history, ...stored } = state ?? { history: [] };
  const fields = starts ? beginRun(batch, continues(batch) ? state!.createdAt : undefined) : stored as StateFields;
  advanceRun(fields, batch.events);
  return { ...fields, history: [...(starts ? [] : history), ...batch.events] };
}
