/**
 * A stored workflow: its fields, its events, and the frozen state that is made of them when it is read.
 *
 * 1. An append costs as much as the batch. The frozen history is built by the next read, and kept until the next write.
 * 2. An array of events that was handed out is never changed: the next append copies it.
 * 3. The messages that a run has are looked up in a set. It is made when the first one is looked up, and kept until a reset.
 *
 * @module
 */

import type { WorkflowEvent, WorkflowHead, WorkflowState, WorkflowTail } from "../types.ts";
import { advanceRun, type StateFields, toHead } from "../history/history.ts";
import { messageIds } from "../history/messages.ts";
import { handOut, needsCopy } from "../history/value.ts";

/**
 * Up to this length, an append makes an array of the exact length. Many workflows wait with two or three events, and a push
 * reserves memory for 16.
 */
const FEW = 8;

export class Entry {
  place = -1;
  slot = -1;
  /** When the store saw it finish. */
  finishedAt = 0;
  /** Its neighbours in the order in which workflows finished. */
  earlier: Entry | null = null;
  later: Entry | null = null;
  declare fields: StateFields;
  declare events: WorkflowEvent[];
  /** Whether `events` was handed out and must not be changed. */
  #shared: boolean;
  /** What a read returns, until something changes. */
  #state: WorkflowState | null = null;
  /** Whether it holds values that freezing cannot protect, so that every read must copy them. */
  #opaque = false;
  /** How many events were searched for such values; -1 if not even the fields were. */
  #examined: number;
  #messages: Set<string> | undefined;

  /**
   * @param events If they are frozen, they were handed out as a history before.
   * @param clean Whether it is known that freezing protects every value.
   */
  constructor(fields: StateFields, events: WorkflowEvent[], clean = false) {
    this.fields = fields;
    this.events = events;
    this.#shared = Object.isFrozen(events);
    this.#examined = clean ? events.length : -1;
  }

  get finished(): boolean {
    return this.fields.status !== "running";
  }

  /** The whole state. Nobody can change it. */
  get state(): WorkflowState {
    return this.#state ?? this.#freeze();
  }

  /** The state without its history. Nobody can change it. */
  get head(): WorkflowHead {
    return handOut(Object.freeze(toHead(this.fields, this.events)));
  }

  /** The head, and the events from an index on. */
  tail(from: number): WorkflowTail {
    return { head: this.head, events: this.events.slice(from).map((event) => handOut(event)) };
  }

  /** Whether the run has a message; see `messageIds`. */
  has(messageId: string): boolean {
    return (this.#messages ??= new Set(messageIds(this.events))).has(messageId);
  }

  /** The history that `state` handed out, if nothing was written since. */
  get history(): readonly WorkflowEvent[] | undefined {
    return this.#state?.history;
  }

  /** Whether it is known that freezing protects every value. */
  get clean(): boolean {
    return !this.#opaque && this.#examined === this.events.length;
  }

  reset(fields: StateFields, events: WorkflowEvent[], clean: boolean): void {
    this.fields = fields;
    this.events = events;
    this.#shared = Object.isFrozen(events);
    this.#state = null;
    this.#opaque = false;
    this.#examined = clean ? events.length : -1;
    this.#messages = undefined;
  }

  append(events: readonly WorkflowEvent[]): void {
    advanceRun(this.fields, events);
    this.#state = null;
    if (this.#messages !== undefined) { for (const id of messageIds(events)) this.#messages.add(id); }
    if (this.#shared || this.events.length < FEW) {
      this.#shared = false;
      this.events = this.events.concat(events);
    } else for (const event of events) this.events.push(event);
  }

  #freeze(): WorkflowState {
    const { fields, events } = this;
    if (this.#isOpaque()) {
      return Object.freeze({ ...handOut(fields), history: Object.freeze(events.map((event) => handOut(event))) });
    }
    this.#shared ||= this.finished && Object.isFrozen(Object.freeze(events)); // no event will follow
    const history = this.#shared ? events : Object.freeze(events.slice());
    return this.#state = Object.freeze({ ...fields, history });
  }

  #isOpaque(): boolean {
    if (this.#examined < 0) {
      const { input, result, error } = this.fields;
      this.#opaque = needsCopy(input) || needsCopy(result) || needsCopy(error);
      this.#examined = 0;
    }
    for (; this.#examined < this.events.length; this.#examined++) {
      this.#opaque ||= needsCopy(this.events[this.#examined]);
    }
    return this.#opaque;
  }
}
