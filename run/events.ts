/**
 * The events that a run records and that others deliver to it: plain data. Events that go into the store are frozen. Pure
 * functions.
 *
 * @module
 */

import { CanceledError, WorkflowError, workflowError } from "../errors.ts";
import type {
  CallHeaders,
  SignalReceivedEvent,
  UpdateCompletedEvent,
  UpdateRejectedEvent,
  WorkflowEvent,
  WorkflowState,
} from "../types.ts";
import { isA, noTexts } from "../util/check.ts";
import { show } from "../util/show.ts";
import { fromErrorRecord, toErrorRecord } from "../history/error_record.ts";
import type { Mutable } from "../history/history.ts";
import { handOut, toStored } from "../history/value.ts";
import type { CallOf } from "./calls.ts";
import { withHeaders } from "./headers.ts";

/** How a function ended. */
export type Outcome =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: unknown };

/** What a run answers to a query or an update; `undefined` if the caller must look for the run that answers. */
export type Answer = { readonly value: unknown } | undefined;

/** The answer of an update in the history. */
export type AnswerEvent = UpdateCompletedEvent | UpdateRejectedEvent;

/** The error for a signal of which nobody knows whether it is stored. */
export function unsureSignal(id: string): WorkflowError {
  const why = "another run followed before the store answered, so it may be stored";
  return workflowError("conflict", "signal workflow", id, `${why}; with a "signalId" it can be sent again`);
}

/** Whether an event is the answer of an update. */
export function isAnswer(event: WorkflowEvent): event is AnswerEvent {
  return event.type === "update_completed" || event.type === "update_rejected";
}

/**
 * What the caller of an update gets.
 *
 * @throws The error in the answer.
 */
export function answerOf(answer: AnswerEvent): unknown {
  if (answer.error !== undefined) throw fromErrorRecord(answer.error);
  return handOut((answer as UpdateCompletedEvent).result);
}

/** An update that somebody asks for. Its input is a stored value. */
export interface UpdateRequest {
  readonly updateId: string;
  readonly name: string;
  readonly input?: unknown;
  readonly headers?: CallHeaders;
}

/** The message of the error of a cancellation. */
export function canceledText(what: string, reason: string | undefined): string {
  return `Canceled ${what}${reason ? `: ${reason}` : ""}`;
}

/** A request to cancel a workflow. */
export function cancelEvent(at: number, reason: string | undefined): WorkflowEvent {
  return Object.freeze({ type: "cancel_requested", at, ...(reason !== undefined && { reason }) });
}

/** The last event of a workflow that is terminated. */
export function terminationEvent(at: number, id: string, reason: string | undefined): WorkflowEvent {
  const error = new WorkflowError("terminated", `Terminated workflow ${show(id)}${reason ? `: ${reason}` : ""}`);
  return Object.freeze({ type: "workflow_canceled", at, error: toErrorRecord(error) });
}

/** Whether an event is the last one of a workflow that was terminated. */
export function isTermination(event: WorkflowEvent): boolean {
  return event.type === "workflow_canceled" && event.error.data?.code === "terminated";
}

/** A signal. */
export function signalEvent(
  { name, payload, senderId, headers = noTexts, signalId }: Omit<CallOf<"signal">, "kind" | "workflowId">,
  at: number,
): SignalReceivedEvent {
  const event: Mutable<SignalReceivedEvent> = { type: "signal_received", at, name, payload, signalId };
  if (senderId !== undefined) event.senderId = senderId;
  if (headers !== noTexts) event.headers = headers;
  return Object.freeze(event);
}

/** An update that is sent through the store, or the acceptance of one that is valid. */
export function updateEvent(
  type: "update_requested" | "update_accepted",
  { updateId, name, input, headers }: UpdateRequest,
  at: number,
): WorkflowEvent {
  return Object.freeze({ type, at, updateId, name, input, ...withHeaders(headers) });
}

/**
 * An update has failed.
 *
 * @param type What failed: the handler, or before that the validation of an update that was sent through the store.
 */
export function failedEvent(
  updateId: string,
  error: unknown,
  at: number,
  type: "update_completed" | "update_rejected" = "update_completed",
): AnswerEvent {
  return Object.freeze({ type, at, updateId, error: toErrorRecord(error) });
}

/** The answer of an update's handler. */
export function answerEvent(
  updateId: string,
  outcome: Outcome,
  at: number,
  maxBytes: number | undefined,
): WorkflowEvent {
  if (!outcome.ok) return failedEvent(updateId, outcome.error, at);
  try {
    const result = toStored(outcome.value, "answer of update", undefined, maxBytes);
    return Object.freeze({ type: "update_completed", at, updateId, result });
  } catch (error) {
    return failedEvent(updateId, error, at);
  }
}

/**
 * The last event of a run whose workflow function has ended.
 *
 * @param canceled The reason of the cancellation that workflow code has seen.
 */
export function finalEvent(outcome: Outcome, canceled: Error | undefined, at: number): WorkflowEvent {
  const fail = (error: unknown): WorkflowEvent =>
    Object.freeze({ type: "workflow_failed", at, error: toErrorRecord(error) });
  if (outcome.ok) return Object.freeze({ type: "workflow_completed", at, result: outcome.value });
  const { error } = outcome;
  if (canceled === undefined || (error !== canceled && !isA(error, CanceledError))) return fail(error);
  if (!(canceled instanceof CanceledError)) return fail(canceled);
  return Object.freeze({ type: "workflow_canceled", at, error: toErrorRecord(error) });
}

/** The last event of a run that is stored as finished, made of its state: a state can be saved without one. */
export function endOf({ status, result, error, updatedAt: at }: Omit<WorkflowState, "history">): WorkflowEvent {
  if (status === "completed") return { type: "workflow_completed", at, result };
  return { type: `workflow_${status as "failed"}`, at, error: error ?? toErrorRecord(status) };
}

/** Whether the event was delivered. The next run of the chain gets it, if this one has not seen it. */
export function isDelivered({ type }: WorkflowEvent): boolean {
  return type === "signal_received" || type === "cancel_requested" || type === "update_accepted";
}
