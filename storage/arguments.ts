/**
 * Checks and copies the states and batches that callers pass to a store.
 *
 * 1. An argument is read once, at the call. What is checked is the copy: a getter can return something else the second time.
 * 2. Values that the store handed out are taken without a copy: nobody could change them.
 *
 * @module
 */

import { type Clock, systemClock } from "../clock.ts";
import type { AppendBatch, ErrorRecord, Labels, WorkflowEvent, WorkflowHead, WorkflowStateInit } from "../types.ts";
import { checkObject, checkText } from "../util/check.ts";
import { Copier } from "../history/copier.ts";
import { FrozenBatch, type StateFields } from "../history/history.ts";
import { listEvents, validateBatch, validateEvent, validateState } from "../history/validate.ts";
import type { Entry } from "./entry.ts";

/** A state that a caller wants to save, checked and copied. */
export interface Draft {
  readonly fields: StateFields;
  readonly events: WorkflowEvent[];
  /** The `createdAt` that the caller gave. */
  readonly createdAt: number | undefined;
  /** Whether it is known that freezing protects every value. */
  readonly clean: boolean;
}

/** What a store has in memory. */
interface Known {
  readonly clock: Clock;
  get(workflowId: string): Entry | undefined;
}

/**
 * @param entries What is stored.
 * @throws {TypeError} If the state is malformed or a value cannot be stored.
 */
export function toDraft(state: WorkflowStateInit, entries: Known): Draft {
  const action = "save workflow";
  checkObject("state", state, action);
  const { workflowId, status, runId = "", workflowName = "", history = [], input, labels, result, error } = state;
  const { createdAt, updatedAt } = state;
  const time = createdAt === undefined || updatedAt === undefined ? entries.clock.now() : NaN;
  const fields: StateFields = {
    workflowId,
    runId,
    workflowName,
    status,
    createdAt: createdAt === undefined ? time : createdAt,
    updatedAt: updatedAt === undefined ? time : updatedAt,
  };
  const before = entries.get(workflowId);
  const known = before?.fields;
  const copier = new Copier();
  if (labels !== undefined) {
    fields.labels = labels === known?.labels ? labels : copier.run(labels, "labels") as Labels;
  }
  validateState(fields, history, action, workflowId);
  if (input !== undefined) fields.input = input === known?.input ? input : copier.run(input, "input");
  if (result !== undefined) fields.result = result === known?.result ? result : copier.run(result, "result");
  if (error !== undefined) fields.error = error === known?.error ? error : copier.run(error, "error") as ErrorRecord;
  const events = copyHistory(history, before, copier);
  return { fields, events, createdAt, clean: !copier.opaque && (before === undefined || before.clean) };
}

function copyHistory(history: readonly WorkflowEvent[], before: Entry | undefined, copier: Copier): WorkflowEvent[] {
  if (history === before?.history) return history as WorkflowEvent[];
  const known = before?.events ?? [];
  const events = listEvents(history, "history");
  for (let i = 0; i < events.length; i++) {
    if (i < known.length && events[i] === known[i]) continue;
    events[i] = copier.run(events[i], "history", i) as WorkflowEvent;
    validateEvent(events[i], "history", i);
  }
  return events;
}

/**
 * A state that a caller wants to save, checked and copied.
 *
 * @category Storage
 */
export interface SavedState {
  /** The state without its history, with the defaults of what was omitted. */
  readonly head: WorkflowHead;
  /** The events, deeply frozen. */
  readonly events: readonly WorkflowEvent[];
  /** The `createdAt` that the caller gave. If it is `undefined`, a stored workflow keeps its own. */
  readonly createdAt: number | undefined;
}

/**
 * Checks and copies the argument of {@linkcode WorkflowStore.save}. It is read once, so a store calls this before it waits for
 * anything.
 *
 * @param state The argument.
 * @param clock Returns the times that are omitted; the time of the system by default.
 * @throws {TypeError} If the state is malformed or a value cannot be stored.
 *
 * @category Storage
 */
export function readState(state: WorkflowStateInit, clock: Clock = systemClock): SavedState {
  const { fields, events, createdAt } = toDraft(state, { clock, get: () => undefined });
  return { head: { ...fields, historyLength: events.length }, events, createdAt };
}

/**
 * Checks the argument of {@linkcode WorkflowStore.load} or {@linkcode WorkflowStore.delete}, and returns it.
 *
 * @param workflowId The argument.
 * @param action What is done, for the message: `"load workflow"`.
 * @throws {TypeError} If it is not a string or is empty.
 *
 * @category Storage
 */
export function readId(workflowId: string, action: string): string {
  checkText("workflowId", workflowId, action);
  return workflowId;
}

/**
 * Checks and copies the argument of {@linkcode WorkflowStore.append}. It is read once, so a store calls this before it waits for
 * anything. The events of an executor are frozen already, and are not copied.
 *
 * @param batch The argument.
 * @returns A batch whose events are deeply frozen.
 * @throws {TypeError} If the batch is malformed or a value cannot be stored.
 *
 * @category Storage
 */
export function readBatch(batch: AppendBatch): AppendBatch {
  if (batch instanceof FrozenBatch) return batch;
  checkObject("batch", batch, "append");
  const { workflowId, runId, expectedLength, events, replaces } = batch;
  const copies: unknown = Array.isArray(events) ? listEvents(events, "events") : events; // validateBatch refuses the rest
  const copier = new Copier();
  if (Array.isArray(copies)) {
    for (let i = 0; i < copies.length; i++) copies[i] = copier.run(copies[i], "events", i);
  }
  const copy = new FrozenBatch(workflowId, runId, expectedLength, copies as WorkflowEvent[], replaces);
  validateBatch(copy);
  return copy;
}
