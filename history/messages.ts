/**
 * What was sent to a run, and how it is known again: each signal, each update and the cancellation of a run are stored once.
 *
 * Pure functions, the same for every store.
 *
 * @module
 */

import { workflowError } from "../errors.ts";
import type { AppendBatch, Delivery, WorkflowEvent, WorkflowHead } from "../types.ts";
import { show } from "../util/show.ts";
import { FrozenBatch } from "./history.ts";

/**
 * Identifies what an event delivers among everything that is delivered to a run: a signal, an update (each of its events), the
 * cancellation. `undefined` for all other events.
 */
export function messageId(event: WorkflowEvent): string | undefined {
  if (event.type === "signal_received") return `signal ${event.signalId}`;
  if (event.type === "cancel_requested") return "cancel";
  return "updateId" in event ? `update ${event.updateId}` : undefined;
}

/**
 * Returns the keys of the messages that a run has after `events` were added to it: of those that the events deliver, and of those
 * that a first event remembers. A store keeps them beside the run, until the run is replaced or continued, so that
 * {@linkcode WorkflowStore.deliver} adds each message once.
 *
 * @param events The events of a batch.
 * @returns Texts; one may occur twice.
 *
 * @category Storage
 */
export function messageIds(events: readonly WorkflowEvent[]): string[] {
  const ids: string[] = [];
  for (const event of events) {
    const id = messageId(event);
    if (id !== undefined) ids.push(id);
    if (event.type !== "workflow_started") continue;
    if (event.canceled) ids.push("cancel");
    for (const signalId of event.remembered?.signalIds ?? []) ids.push(`signal ${signalId}`);
    for (const { updateId } of event.remembered?.updates ?? []) ids.push(`update ${updateId}`);
  }
  return ids;
}

/**
 * What a delivery adds to a run. See {@linkcode acceptDelivery}.
 *
 * @category Storage
 */
export interface AcceptedDelivery {
  /** For each event, whether it is added. */
  readonly added: readonly boolean[];
  /** What is to be appended; `undefined` if nothing is. */
  readonly batch: AppendBatch | undefined;
}

/**
 * Decides what a delivery adds to what is stored.
 *
 * @param head What is stored, or `null`.
 * @param delivery What is delivered, as `readDelivery` returned it.
 * @param has Whether the run has a message. It gets one of the texts that {@linkcode messageIds} returns.
 * @throws {WorkflowError} With code `not_found` if there is no such workflow, it is finished, or it is a run of another chain.
 *
 * @category Storage
 */
export function acceptDelivery(
  head: Pick<WorkflowHead, "runId" | "firstRunId" | "status" | "historyLength"> | null,
  { workflowId, firstRunId, events }: Delivery,
  has: (messageId: string) => boolean,
): AcceptedDelivery {
  const refused = (why: string) => workflowError("not_found", "deliver to workflow", workflowId, why);
  if (head === null) throw refused("it does not exist");
  if (firstRunId !== undefined && head.firstRunId !== firstRunId) throw refused("another run has replaced it");
  const sent = new Set<string>();
  const added = events.map((event) => {
    const id = messageId(event);
    if (id === undefined) return true;
    if (sent.has(id) || has(id)) return false;
    sent.add(id);
    return true;
  });
  const more = events.filter((_, i) => added[i]);
  if (more.length === 0) return { added, batch: undefined };
  if (head.status !== "running") throw refused(`its status is ${show(head.status)}`);
  return { added, batch: new FrozenBatch(workflowId, head.runId, head.historyLength, more) };
}
