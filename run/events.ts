/**
 * The events that a run records of its code: made of what it did, frozen.
 *
 * @module
 */

import { CanceledError } from "../errors.ts";
import type { CommandEvent, WorkflowEvent } from "../types.ts";
import { toErrorRecord } from "../history/error_record.ts";
import type { Outcome } from "./handlers.ts";
import type { UpdateRequest } from "./live.ts";
import type { Command } from "./replay.ts";
import { toStored } from "../history/value.ts";

/** What is recorded of a command; `from` is when a sleep begins. */
export function commandEvent(...about: Parameters<typeof eventOf>): CommandEvent {
  return Object.freeze(eventOf(...about));
}

function eventOf(
  command: Command,
  seq: number,
  at: number,
  from: number,
  maxBytes: number | undefined,
): CommandEvent {
  const { type } = command;
  switch (type) {
    case "activity_started":
      return { type, at, seq, name: command.name, input: command.input };
    case "timer_started":
      return { type, at, seq, dueAt: from + command.delayMs };
    case "child_started": {
      const { name, workflowId, input, options: { timeoutMs, parentClosePolicy: closePolicy = "cancel" } } = command;
      const event = { type, at, seq, name, workflowId, input, closePolicy } as const;
      return timeoutMs === undefined ? event : { ...event, timeoutMs };
    }
    case "compensation_started":
      return { type, at, seq, name: command.name };
    case "side_effect":
      try {
        return { type, at, seq, value: toStored(command.body(), "value of side effect", undefined, maxBytes) };
      } catch (error) {
        return { type, at, seq, error: toErrorRecord(error) };
      }
  }
}

/** What is recorded of an update that is valid. */
export function acceptanceEvent({ updateId, name, input }: UpdateRequest, at: number): WorkflowEvent {
  return Object.freeze({ type: "update_accepted", at, updateId, name, input });
}

/** What is recorded of the end of an update's handler. */
export function answerEvent(
  updateId: string,
  outcome: Outcome,
  at: number,
  maxBytes: number | undefined,
): WorkflowEvent {
  const fail = (error: unknown): WorkflowEvent =>
    Object.freeze({ type: "update_completed", at, updateId, error: toErrorRecord(error) });
  if (!outcome.ok) return fail(outcome.error);
  try {
    const result = toStored(outcome.value, "answer of update", undefined, maxBytes);
    return Object.freeze({ type: "update_completed", at, updateId, result });
  } catch (error) {
    return fail(error);
  }
}

/**
 * What is recorded of the end of the workflow function.
 *
 * @param canceled The reason of the cancellation that the workflow has seen.
 */
export function finalEvent(outcome: Outcome, canceled: Error | undefined, at: number): WorkflowEvent {
  const fail = (error: unknown): WorkflowEvent =>
    Object.freeze({ type: "workflow_failed", at, error: toErrorRecord(error) });
  if (outcome.ok) return Object.freeze({ type: "workflow_completed", at, result: outcome.value });
  const { error } = outcome;
  if (canceled === undefined || (error !== canceled && !(error instanceof CanceledError))) return fail(error);
  if (!(canceled instanceof CanceledError)) return fail(canceled);
  return Object.freeze({ type: "workflow_canceled", at, error: toErrorRecord(error) });
}
