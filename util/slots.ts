/**
 * A limited number of slots, shared fairly.
 *
 * 1. Groups are served in turn, and the waiters of a group in order of arrival. So a large group does not delay another one.
 * 2. No waiter is overtaken, not even when a slot becomes free.
 * 3. A waiter that leaves is forgotten, and its group keeps its turn.
 *
 * @module
 */

/** A waiter in the queue. */
export interface Ticket {
  /** Leaves the queue. */
  cancel(): void;
}

interface Lane {
  readonly group: string;
  readonly waiting: Set<() => void>;
  /** One iterator for the whole life of the set. A new one would skip all deleted entries at each step. */
  readonly next: Iterator<() => void>;
}

export class Slots {
  #free: number;
  /** The lanes with waiters, in the order in which they are served. */
  readonly #lanes = new Map<string, Lane>();
  readonly #next = this.#lanes.values();

  constructor(count: number) {
    this.#free = count;
  }

  /** Takes a slot if one is free. Otherwise calls `start`, a new function for each call, once it has a slot. */
  take(group: string, start: () => void): Ticket | undefined {
    if (this.#free > 0 && this.#lanes.size === 0) return void this.#free--;
    let lane = this.#lanes.get(group);
    if (lane === undefined) {
      const waiting = new Set<() => void>();
      this.#lanes.set(group, lane = { group, waiting, next: waiting.values() });
    }
    const { waiting } = lane;
    waiting.add(start);
    return {
      cancel: () => {
        if (waiting.delete(start) && waiting.size === 0) this.#lanes.delete(group);
      },
    };
  }

  /** Frees a slot. */
  release(): void {
    this.#free++;
    if (this.#lanes.size > 0) Promise.resolve().then(this.#serve); // not here: the started work can end at once, which would recurse
  }

  readonly #serve = (): void => {
    while (this.#free > 0 && this.#lanes.size > 0) {
      const lane: Lane = this.#next.next().value!;
      const start: () => void = lane.next.next().value;
      this.#lanes.delete(lane.group);
      lane.waiting.delete(start);
      if (lane.waiting.size > 0) this.#lanes.set(lane.group, lane);
      this.#free--;
      start();
    }
  };
}
