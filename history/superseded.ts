/**
 * Finds superseded events: events that are not stored yet and that the stored history makes pointless.
 *
 * Each event takes a place in a history, such as "the outcome of command 5" or "signal 7f3a". A place is taken once. So an
 * event is superseded when its place is taken: because another writer stored an event of the same kind, or because the store
 * lost its answer and holds this very event.
 *
 * @module
 */

import type { WorkflowEvent } from "../types.ts";
import { isCommand, isOutcome, isProgress } from "./history.ts";

/** The place that an event takes. */
function placeOf(event: WorkflowEvent): string {
  switch (event.type) {
    case "signal_received":
      return `signal ${event.signalId}`;
    case "update_accepted":
    case "update_rejected":
      return `decision ${event.updateId}`;
    case "update_requested":
    case "update_completed":
      return `${event.type} ${event.updateId}`;
    case "patched":
      return `patched ${event.changeId}`;
    default:
      if (!("seq" in event)) return event.type; // there is one of them in a history
      if (isCommand(event)) return `command ${event.seq}`;
      if (isOutcome(event)) return `outcome ${event.seq}`;
      return `${event.type} ${event.seq} ${"attempt" in event ? event.attempt : ""}`;
  }
}

/** The places that stored events have taken. */
export class TakenPlaces {
  readonly #places = new Map<string, WorkflowEvent>();
  /** The last attempt of each command that is known to have failed. */
  readonly #failedAttempts = new Map<number, number>();

  /** @param events The stored events. */
  constructor(events: readonly WorkflowEvent[]) {
    for (const event of events) {
      this.#places.set(placeOf(event), event);
      if (event.type === "activity_attempt_failed" || event.type === "child_attempt_failed") {
        this.#failedAttempts.set(event.seq, event.attempt);
      }
    }
  }

  /** The stored event in the place of an event, if it is taken. */
  get(event: WorkflowEvent): WorkflowEvent | undefined {
    return this.#places.get(placeOf(event));
  }

  /** Whether an event that is not stored has become pointless. */
  supersedes(event: WorkflowEvent): boolean {
    if (this.#places.has(placeOf(event))) return true;
    if (!isProgress(event)) return false;
    const failed = this.#failedAttempts.get(event.seq) ?? 0;
    return "attempt" in event && failed >= event.attempt || this.#places.has(`outcome ${event.seq}`);
  }
}
