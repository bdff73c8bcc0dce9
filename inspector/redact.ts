/**
 * Replaces values before anything shows or exports them.
 *
 * 1. Everything that the inspector shows of a run comes from a redacted state or head.
 * 2. A value that `redact` throws for, or answers with what cannot be stored, such as a function or a promise, is not shown:
 *    {@linkcode HIDDEN} stands for it.
 * 3. An error stays an error: what is not an error record becomes the message of one.
 *
 * @module
 */

import { encode } from "../history/codec.ts";
import type { ErrorRecord, WorkflowEvent, WorkflowHead, WorkflowState } from "../types.ts";
import { isStrayPromise } from "../util/deferred.ts";
import { showValue } from "../util/show_value.ts";
import type { InspectorOptions, RedactedPlace } from "./settings.ts";

/** Stands for a value that could not be redacted. */
export const HIDDEN = "[redact() failed]";

type Redact = NonNullable<InspectorOptions["redact"]>;
type Run = Pick<WorkflowState, "workflowId" | "workflowName">;

/** The properties of states and events that hold what users gave. */
const VALUES = [
  "input",
  "result",
  "payload",
  "details",
  "heartbeatDetails",
  "value",
  "labels",
  "headers",
  "reason",
  "error",
];

/** Redacts a value at one place. */
export function redactValue(redact: Redact | undefined, value: unknown, where: RedactedPlace): unknown {
  if (redact === undefined) return value;
  try {
    const shown = redact(value, where);
    if (isStrayPromise(shown)) return HIDDEN;
    if (shown !== value) encode(shown, "redact"); // throws
    return shown;
  } catch {
    return HIDDEN;
  }
}

/** Redacts a head. */
export function redactHead(redact: Redact | undefined, head: WorkflowHead): WorkflowHead {
  return redact === undefined ? head : redactRecord(redact, head, head);
}

/** Redacts a state with its history. */
export function redactState(redact: Redact | undefined, state: WorkflowState): WorkflowState {
  if (redact === undefined) return state;
  const names = new Map<number | string, string>();
  const history = state.history.map((event) => redactEvent(redact, event, state, names));
  return { ...redactRecord(redact, state, state), history };
}

/** @param names The names of the commands and updates so far, for their outcomes. */
function redactEvent(
  redact: Redact,
  event: WorkflowEvent,
  run: Run,
  names: Map<number | string, string>,
): WorkflowEvent {
  const key = "seq" in event ? event.seq : "updateId" in event ? event.updateId : "";
  if ("name" in event) names.set(key, event.name);
  const redacted = redactRecord(redact, event, run, event.type, names.get(key));
  if (event.type !== "workflow_started" || event.remembered === undefined) return redacted;
  const updates = event.remembered.updates.map((update) => redactEvent(redact, update, run, names) as typeof update);
  return { ...redacted, remembered: { ...event.remembered, updates } } as WorkflowEvent;
}

function redactRecord<T extends object>(
  redact: Redact,
  record: T,
  { workflowId, workflowName }: Run,
  event?: WorkflowEvent["type"],
  name?: string,
): T {
  const copy = { ...record } as Record<string, unknown>;
  for (const property of VALUES) {
    const value = copy[property];
    if (value === undefined) continue;
    const shown = redactValue(redact, value, { workflowId, workflowName, property, event, name });
    copy[property] = property === "error"
      ? toRecord(shown)
      : property === "labels" || property === "headers"
      ? toTexts(shown)
      : property === "reason" && typeof shown !== "string"
      ? showValue(shown)
      : shown;
  }
  return copy as T;
}

function toRecord(shown: unknown): ErrorRecord {
  const { name, message } = Object(shown) as Partial<ErrorRecord>;
  if (typeof name === "string" && typeof message === "string") return shown as ErrorRecord;
  return { name: "Error", message: typeof shown === "string" ? shown : showValue(shown) };
}

function toTexts(shown: unknown): Record<string, string> {
  if (typeof shown !== "object" || shown === null) return { [HIDDEN]: "" };
  return Object.fromEntries(
    Object.entries(shown).map(([key, text]) => [key, typeof text === "string" ? text : showValue(text)]),
  );
}
