/**
 * What a history means for the state: pure functions, the same for every store.
 *
 * @module
 */

import { WorkflowError } from "./errors.ts";
import type { AppendBatch, WorkflowEvent, WorkflowState, WorkflowStatus } from "./types.ts";
import { show } from "./_value.ts";

/** A state without its history, as a store may keep it and change it in place. */
export type StateFields = Mutable<Omit<WorkflowState, "history">>;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** A batch that the executor made: its events are deeply frozen already, and a store need not copy them. */
export class FrozenBatch implements AppendBatch {
  constructor(
    readonly workflowId: string,
    readonly runId: string,
    readonly expectedLength: number,
    readonly events: readonly WorkflowEvent[],
    readonly replaces?: string,
  ) {}
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

/** The fields of a run that `batch` creates. */
export function beginRun(batch: AppendBatch): StateFields {
  const event = batch.events[0];
  if (event.type !== "workflow_started") throw new TypeError("unreachable: checked by checkBatch");
  const fields: StateFields = {
    workflowId: batch.workflowId,
    runId: batch.runId,
    workflowName: event.workflowName,
    status: "running",
    createdAt: event.at,
    updatedAt: event.at,
  };
  if (event.input !== undefined) fields.input = event.input;
  return fields;
}

/** Brings the fields of a run up to date with the events that were added to it. */
export function advanceRun(fields: StateFields, events: readonly WorkflowEvent[]): void {
  const event = events[events.length - 1];
  fields.updatedAt = event.at;
  const status = finalStatus(event);
  if (status === undefined) return;
  fields.status = status;
  if (event.type === "workflow_completed") {
    if (event.result !== undefined) fields.result = event.result;
  } else if (event.type === "workflow_failed" || event.type === "workflow_canceled") {
    fields.error = event.error;
  }
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
  if (batch.events[0].type === "workflow_started") {
    if (
      current === null ? replaces === undefined : replaces === current.runId && current.status !== "running"
    ) return;
    throw conflict(
      workflowId,
      current === null ? "it is not there to be replaced" : `it is ${current.status} already`,
    );
  }
  if (current === null) throw conflict(workflowId, "it is not there");
  if (current.runId !== runId) {
    throw conflict(
      workflowId,
      `the run is ${show(current.runId)}, the writer expected ${show(runId)}`,
    );
  }
  if (current.status !== "running") throw conflict(workflowId, `it is ${current.status}`);
  if (length !== expectedLength) {
    throw conflict(workflowId, `it has ${length} events, the writer expected ${expectedLength}`);
  }
}

function conflict(workflowId: string, why: string): WorkflowError {
  return new WorkflowError("conflict", `Cannot append to workflow ${show(workflowId)}: ${why}`);
}

/**
 * Checks a batch for its form.
 *
 * @throws {TypeError} If it is malformed.
 */
export function validateBatch(batch: AppendBatch): void {
  const { workflowId, runId, expectedLength, events, replaces } = batch;
  const fail = (why: string) => new TypeError(`Cannot append to workflow ${show(workflowId)}: ${why}`);
  if (typeof runId !== "string" || runId === "") {
    throw fail(`"runId" must be a non-empty string, got ${show(runId)}`);
  }
  if (!Number.isInteger(expectedLength) || expectedLength < 0) {
    throw fail(`"expectedLength" must be an integer from 0, got ${show(expectedLength)}`);
  }
  if (!Array.isArray(events) || events.length === 0) {
    throw fail(
      `"events" must be a non-empty array, got ${Array.isArray(events) ? "an empty one" : show(events)}`,
    );
  }
  const starts = events[0].type === "workflow_started";
  if (starts !== (expectedLength === 0)) {
    throw fail(`"workflow_started" must be the first event, and "expectedLength" 0 with it alone`);
  }
  if (replaces !== undefined && !starts) {
    throw fail(`"replaces" is only for a batch that starts a run`);
  }
  for (let i = 0; i < events.length; i++) {
    validateEvent(events[i], `events[${i}]`);
    if (i > 0 && events[i].type === "workflow_started") {
      throw fail(`"workflow_started" must be the first event`);
    }
    if (i < events.length - 1 && finalStatus(events[i])) {
      throw fail(`${show(events[i].type)} must be the last event`);
    }
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
  activity_completed: true,
  activity_failed: true,
  timer_started: true,
  timer_fired: true,
  signal_received: true,
};

/** @throws {TypeError} If `event` is not an event. */
export function validateEvent(event: WorkflowEvent, name: string): void {
  if (typeof event !== "object" || event === null) {
    throw new TypeError(`Cannot store ${name}: it must be an event, got ${show(event)}`);
  }
  if (!Object.hasOwn(eventTypes, event.type)) {
    throw new TypeError(`Cannot store ${name}: unknown event type ${show(event.type)}`);
  }
  if (!Number.isFinite(event.at)) {
    throw new TypeError(
      `Cannot store ${name}: "at" must be a finite number, got ${show(event.at)}`,
    );
  }
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
  const starts = batch.expectedLength === 0;
  const { history, ...stored } = state ?? { history: [] };
  const fields = starts ? beginRun(batch) : stored as StateFields;
  advanceRun(fields, batch.events);
  return { ...fields, history: starts ? batch.events : [...history, ...batch.events] };
}
