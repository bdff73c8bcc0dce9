/**
 * What a chain remembers of the messages whose sender chose an ID, so that a message that is sent again counts once.
 *
 * The runs of a chain that are live here share one object: a run that continues another one reads nothing again.
 *
 * @module
 */

import type { RememberedMessages, WorkflowEvent } from "../types.ts";
import type { AnswerEvent } from "./events.ts";

/** How many signals, and how many answers, are remembered of earlier runs. */
const MAX = 1000;

/** Begins the IDs that an executor makes for a message. Nobody can repeat that message, so it need not be remembered. */
export const MADE = "~";

/** Whether the sender of a message chose its ID. */
export function isRemembered(id: string): boolean {
  return id[0] !== MADE;
}

/** The ID under which a message is remembered. */
export function repeatable(id: string): string {
  return isRemembered(id) ? id : id.slice(MADE.length);
}

export class Remembered {
  /** `true` if the chain has stored the signal; while it is on its way, whether it gets into the store. Oldest first. */
  readonly signals: Map<string, true | Promise<boolean>> = new Map();
  /** The answers of updates, by their ID, oldest first. */
  readonly answers: Map<string, AnswerEvent> = new Map();

  /** @param earlier What the first event of the run says of earlier runs. */
  constructor(earlier: RememberedMessages | undefined) {
    for (const signalId of earlier?.signalIds ?? []) this.signals.set(signalId, true);
    for (const answer of earlier?.updates ?? []) this.answers.set(answer.updateId, answer);
  }

  /** What the first event of the next run says; `undefined` if there is nothing to say. */
  toMessages(): RememberedMessages | undefined {
    if (this.signals.size + this.answers.size === 0) return undefined;
    return Object.freeze({
      signalIds: Object.freeze([...this.signals.keys()].slice(-MAX)),
      updates: Object.freeze([...this.answers.values()].slice(-MAX)),
    });
  }

  /** The next run has begun: what its first event does not say is forgotten. */
  trim(): void {
    for (const map of [this.signals, this.answers]) {
      for (const id of map.keys()) {
        if (map.size <= MAX) break;
        map.delete(id);
      }
    }
  }
}

/** What the next attempt of a child remembers: a signal that was sent to this one is not sent to the next one. */
export function signalsOf(history: readonly WorkflowEvent[]): RememberedMessages | undefined {
  const [started] = history;
  const { signalIds = [] } = started?.type === "workflow_started" ? started.remembered ?? {} : {};
  const all = new Remembered({ signalIds, updates: [] });
  for (const event of history) {
    if (event.type === "signal_received" && isRemembered(event.signalId)) all.signals.set(event.signalId, true);
  }
  return all.toMessages();
}
