/**
 * Checks the form of the states, batches and events that a store receives. It reads them and changes nothing.
 *
 * `history.ts` checks whether a batch fits the stored run.
 *
 * @module
 */

import type { AppendBatch, WorkflowEvent, WorkflowState, WorkflowStatus } from "../types.ts";
import { cannot, checkLabels, checkObject, checkText, invalid } from "../util/check.ts";
import { show } from "../util/show.ts";

/** Where an event of each type may stand in a history. */
const positions: Readonly<Record<WorkflowEvent["type"], "first" | "inner" | "last">> = {
  workflow_started: "first",
  workflow_completed: "last",
  workflow_failed: "last",
  workflow_canceled: "last",
  cancel_requested: "inner",
  activity_started: "inner",
  activity_attempt_failed: "inner",
  activity_heartbeat: "inner",
  activity_completed: "inner",
  activity_failed: "inner",
  timer_started: "inner",
  timer_fired: "inner",
  signal_received: "inner",
  side_effect: "inner",
  compensation_started: "inner",
  patched: "inner",
  child_started: "inner",
  child_completed: "inner",
  child_failed: "inner",
  update_accepted: "inner",
  update_completed: "inner",
};

const statuses: readonly WorkflowStatus[] = ["running", "completed", "failed", "canceled"];

/** @throws {TypeError} If it is no status. */
export function validateStatus(status: unknown, action: string, subject?: unknown): void {
  if (!statuses.includes(status as WorkflowStatus)) {
    throw invalid("status", status, `one of ${statuses.join(", ")}`, action, subject);
  }
}

/**
 * Checks a state. Does not check the events of its history: see {@linkcode validateEvent}.
 *
 * @throws {TypeError} If it is malformed.
 */
export function validateState(
  fields: Omit<WorkflowState, "history">,
  history: unknown,
  action: string,
  subject?: unknown,
): void {
  const { workflowId, runId, workflowName, status, labels, createdAt, updatedAt } = fields;
  const refuse = (name: string, value: unknown, rule: string) => invalid(name, value, rule, action, subject);
  checkText("workflowId", workflowId, action);
  validateStatus(status, action, subject);
  if (typeof runId !== "string") throw refuse("runId", runId, "a string");
  if (typeof workflowName !== "string") throw refuse("workflowName", workflowName, "a string");
  checkLabels(labels, action, subject);
  if (!Array.isArray(history)) throw refuse("history", history, "an array");
  if (!Number.isFinite(createdAt)) throw refuse("createdAt", createdAt, "a finite number");
  if (!Number.isFinite(updatedAt)) throw refuse("updatedAt", updatedAt, "a finite number");
}

/**
 * Checks a batch and its events.
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
  const list: readonly WorkflowEvent[] = events;
  for (let i = 0; i < list.length; i++) validateEvent(list[i], "events", i);
  const starts = list[0].type === "workflow_started";
  const mustStart = expectedLength === 0 || starts && replaces !== undefined;
  if (starts !== mustStart || list.some(({ type }, i) => i > 0 && positions[type] === "first")) {
    throw fail(
      `"workflow_started" must be the first event if "expectedLength" is 0 or the batch "replaces" a run, and no other event`,
    );
  }
  if (replaces !== undefined && !(starts && typeof replaces === "string" && replaces !== runId)) {
    throw fail(`"replaces" must be the ID of another run, and the first event "workflow_started"`);
  }
  for (let i = 0; i < list.length - 1; i++) {
    if (positions[list[i].type] === "last") throw fail(`${show(list[i].type)} must be the last event`);
  }
}

/**
 * Checks one event of a list.
 *
 * @param what The name of the list.
 * @throws {TypeError} If it is malformed.
 */
export function validateEvent(event: WorkflowEvent, what: string, index: number, action = "store"): void {
  const refuse = (name: string, value: unknown, rule: string) =>
    invalid(name, value, rule, `${action} ${what}[${index}]`);
  if (typeof event !== "object" || event === null) throw refuse("event", event, "an object");
  const { type, at } = event;
  if (typeof type !== "string" || !Object.hasOwn(positions, type)) throw refuse("type", type, "the type of an event");
  if (!Number.isFinite(at)) throw refuse("at", at, "a finite number");
  if (type !== "workflow_started") return;
  if (typeof event.workflowName !== "string") throw refuse("workflowName", event.workflowName, "a string");
  checkLabels(event.labels, `${action} ${what}[${index}]`);
}

/**
 * Copies an array of events, but not the events. Refuses a hole first: an array can have billions of holes, and
 * spreading it would use up the memory.
 *
 * @param what The name of the array.
 * @throws {TypeError} If an element is missing.
 */
export function listEvents(events: readonly WorkflowEvent[], what: string): WorkflowEvent[] {
  const none = undefined as never;
  if (events.includes(none)) validateEvent(none, what, events.findIndex((event) => event === none));
  return [...events]; // V8 spreads a frozen array far faster than it slices one
}
