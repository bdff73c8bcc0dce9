/**
 * Checks the form of the states, batches and events that a store receives. It reads them and changes nothing.
 *
 * `history.ts` checks whether a batch fits the stored run.
 *
 * @module
 */

import { workflowError } from "../errors.ts";
import type { AppendBatch, Delivery, WorkflowEvent, WorkflowState, WorkflowStatus } from "../types.ts";
import { cannot, checkArray, checkObject, checkText, checkTexts, invalid } from "../util/check.ts";
import { show } from "../util/show.ts";

/**
 * The fields of the events of each type; `?` marks a field that may be absent. Inputs, results, payloads and details can be any
 * value.
 */
const shapes: Readonly<Record<WorkflowEvent["type"], string>> = {
  workflow_started:
    "at workflowName timeoutMs? deadlineAt? startAt? workflowVersion? maxPayloadBytes? firstRunId? parent? remembered? canceled? startEvents? seed? forkedFrom?",
  workflow_completed: "at",
  workflow_failed: "at error",
  workflow_canceled: "at error",
  cancel_requested: "at reason? timeoutMs?",
  activity_started: "at seq name",
  activity_attempt_failed: "at seq attempt error retryAt",
  activity_heartbeat: "at seq attempt",
  activity_completed: "at seq attempt",
  activity_failed: "at seq attempt error",
  timer_started: "at seq dueAt waitsFor?",
  timer_fired: "at seq",
  signal_received: "at name senderId? signalId",
  side_effect: "at seq error?",
  compensation_started: "at seq name",
  labels_changed: "at seq labels",
  patched: "at changeId",
  child_started: "at seq name workflowId timeoutMs? closePolicy",
  child_begun: "at seq",
  child_attempt_failed: "at seq attempt error retryAt",
  child_completed: "at seq",
  child_failed: "at seq error",
  update_requested: "at updateId name",
  update_accepted: "at updateId name",
  update_rejected: "at updateId error",
  update_completed: "at updateId error?",
};

type Rule = readonly [words: string, test: (value: unknown, depth: number) => boolean];

const text: Rule = ["a string", (value) => typeof value === "string"];
const number: Rule = ["a finite number", (value) => Number.isFinite(value)];
const isCount = (value: unknown) => Number.isInteger(value) && value as number >= 0;
const count: Rule = ["an integer from 0", isCount];
/** Also at a hole, which `every()` leaves out. */
const each = (value: unknown, test: (one: unknown) => boolean) =>
  Array.isArray(value) && value.findIndex((one) => !test(one)) < 0;
const record: Rule = [
  "valid",
  (value, depth) => fits("name message cause? errors? error? suppressed? activity?", value, depth),
];

/** What the fields must be. Of the others, times, durations and sizes are numbers, and the rest are texts. */
const rules: Readonly<Record<string, Rule>> = {
  seq: count,
  attempt: count,
  closePolicy: ["valid", (value) => /^(cancel|terminate|abandon)$/.test(value as string)],
  forkedFrom: ["valid", (value, depth) => fits("workflowId runId events", value, depth)],
  events: count,
  startEvents: count,
  parent: ["valid", (value, depth) => fits("workflowId runId seq closePolicy attempt?", value, depth)],
  error: record,
  cause: record,
  suppressed: record,
  activity: ["valid", (value, depth) => fits("name attempt workflowId", value, depth)],
  errors: ["valid", (value, depth) => each(value, (one) => record[1](one, depth))],
  waitsFor: ["valid", (value, depth) => value === "condition" || value === "scope" || fits("signal", value, depth)],
  labels: ["an object of strings", (value) => value !== undefined],
  canceled: ["true", (value) => value === true],
  remembered: ["valid", (value, depth) => fits("signalIds updates", value, depth)],
  signalIds: ["valid", (value) => each(value, (one) => typeof one === "string")],
  updates: ["valid", (value, depth) => each(value, (one) => fits(shapes.update_completed, one, depth))],
};

interface Field {
  readonly key: string;
  readonly rule: Rule;
  readonly optional: boolean;
}

/** The fields of a shape, once it was used. */
const fields: Record<string, readonly Field[]> = {};

/** The first field of an object that is not as its shape says. */
function misfit(shape: string, value: object, depth: number): Field | undefined {
  fields[shape] ??= shape.split(" ").map((word) => {
    const key = word.replace("?", "");
    return { key, rule: rules[key] ?? (/(at|ms|bytes)$/i.test(key) ? number : text), optional: key !== word };
  });
  return fields[shape].find(({ key, rule, optional }) => {
    const field = value[key as never];
    return !(optional && field === undefined || rule[1](field, depth));
  });
}

/** @param depth Limits the depth of causes: a cycle would never end. */
function fits(shape: string, value: unknown, depth: number): boolean {
  return typeof value === "object" && value !== null && depth < 100 && misfit(shape, value, depth + 1) === undefined;
}

/** @throws {TypeError} If a field is not as the shape says. */
function checkShape(shape: string, value: object, action: string, subject?: unknown): void {
  const field = misfit(shape, value, 0);
  if (field !== undefined) throw invalid(field.key, value[field.key as never], field.rule[0], action, subject);
}

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
  const { workflowId, status, labels } = fields;
  checkText("workflowId", workflowId, action);
  validateStatus(status, action, subject);
  checkTexts("labels", labels, action, subject);
  checkArray("history", history, action, subject);
  checkShape("runId workflowName createdAt updatedAt", fields, action, subject);
}

/**
 * Checks a batch and its events.
 *
 * @throws {TypeError} If it is malformed.
 */
export function validateBatch(batch: AppendBatch): void {
  checkObject("batch", batch, "append");
  const { workflowId, runId, expectedLength, events, replaces, owner, wakeAt } = batch;
  const action = "append to workflow";
  checkText("workflowId", workflowId, action);
  checkText("runId", runId, action, workflowId);
  if (owner !== undefined) checkText("owner", owner, action, workflowId);
  if (wakeAt !== undefined && wakeAt !== null && !Number.isFinite(wakeAt)) {
    throw invalid("wakeAt", wakeAt, "a finite number or null", action, workflowId);
  }
  if (!Number.isInteger(expectedLength) || expectedLength < 0) {
    throw invalid("expectedLength", expectedLength, "an integer from 0", action, workflowId);
  }
  checkArray("events", events, action, workflowId);
  const fail = (why: string) => new TypeError(`${cannot(action, workflowId)}: ${why}`);
  const list: readonly WorkflowEvent[] = events;
  for (let i = 0; i < list.length; i++) validateEvent(list[i], "events", i);
  const starts = list[0]?.type === "workflow_started";
  const mustStart = expectedLength === 0 && list.length > 0 || starts && replaces !== undefined;
  if (starts !== mustStart || list.some(({ type }, i) => i > 0 && type === "workflow_started")) {
    throw fail(
      `"workflow_started" must be the first event if "expectedLength" is 0 or the batch "replaces" a run, and no other event`,
    );
  }
  if (replaces !== undefined && !(starts && typeof replaces === "string" && replaces !== runId)) {
    throw fail(`"replaces" must be the ID of another run, and the first event "workflow_started"`);
  }
  for (let i = 0; i < list.length - 1; i++) {
    if (/^workflow_[cf]/.test(list[i].type)) throw fail(`${show(list[i].type)} must be the last event`);
  }
}

/**
 * Checks what is delivered to a run.
 *
 * @throws {TypeError} If it is malformed.
 */
export function validateDelivery({ workflowId, firstRunId, events }: Delivery): void {
  const action = "deliver to workflow";
  checkText("workflowId", workflowId, action);
  if (firstRunId !== undefined) checkText("firstRunId", firstRunId, action, workflowId);
  checkArray("events", events, action, workflowId);
  if (events.length === 0) throw invalid("events", events, "an array with at least one event", action, workflowId);
  for (let i = 0; i < events.length; i++) {
    validateEvent(events[i], "events", i);
    const { type } = events[i];
    if (!delivered.includes(type)) {
      throw invalid(`events[${i}].type`, type, `one of ${delivered.join(", ")}`, action, workflowId);
    }
    if (type === "workflow_canceled" && i < events.length - 1) {
      throw new TypeError(`${cannot(action, workflowId)}: ${show(type)} must be the last event`);
    }
  }
}

const delivered: readonly string[] = ["signal_received", "update_requested", "cancel_requested", "workflow_canceled"];

/**
 * Checks one event of a list.
 *
 * @param what The name of the list.
 * @throws {TypeError} If it is malformed.
 */
export function validateEvent(event: WorkflowEvent, what: string, index: number, action = "store"): void {
  const where = `${action} ${what}[${index}]`;
  checkObject("event", event, where);
  const { type } = event;
  if (typeof type !== "string" || !Object.hasOwn(shapes, type)) {
    throw invalid("type", type, "the type of an event", where);
  }
  checkShape(shapes[type], event, where);
  if ("labels" in event) checkTexts("labels", event.labels, where);
  if ("headers" in event) checkTexts("headers", event.headers, where);
}

/**
 * Checks the events of a stored history.
 *
 * @param from The first event to check.
 * @throws {WorkflowError} With code `invalid_history` if one is malformed.
 */
export function validateHistory(
  history: readonly WorkflowEvent[],
  from: number,
  action: string,
  workflowId: string,
): void {
  try {
    for (let i = from; i < history.length; i++) {
      if (!isUsual(history[i])) validateEvent(history[i], "history", i, "read");
    }
  } catch (cause) {
    const why = (cause as Error).message;
    throw workflowError("invalid_history", action, workflowId, `its history is not valid: ${why}`, { cause });
  }
}

/** Whether an event is valid and of a frequent type. Without this, the checks take a sixth of the time of a recovery. */
function isUsual(event: WorkflowEvent): boolean {
  if (!Number.isFinite(event?.at)) return false;
  switch (event.type) {
    case "activity_started":
      return isCount(event.seq) && typeof event.name === "string";
    case "activity_completed":
      return isCount(event.seq) && isCount(event.attempt);
    case "timer_started":
      return isCount(event.seq) && Number.isFinite(event.dueAt) && event.waitsFor === undefined;
    case "timer_fired":
      return isCount(event.seq);
    case "signal_received":
      return typeof event.name === "string" && typeof event.signalId === "string" && event.senderId === undefined &&
        event.headers === undefined;
    default:
      return false;
  }
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
