/**
 * A limited number of slots, shared fairly.
 *
 * 1. Groups take turns, and a group is served in order of arrival: many of one group hold nobody of another up.
 * 2. Nobody overtakes who waits, also not in the moment in which a slot is free.
 * 3. Who leaves the line leaves nothing behind in it, and costs its group no turn.
 *
 * @module
 */

/** A place in the line. */
export interface Ticket {
  /** Leaves the line. */
  cancel(): void;
}

interface Lane {
  readonly group: string;
  readonly waiting: Set<() => void>;
  /** Goes on where it was, over what is added too: to begin anew would pass all that was taken. */
  readonly next: Iterator<() => void>;
}

export class Slots {
  #free: number;
  /** The lanes that have somebody, in the order in which they are served. */
  readonly #lanes = new Map<string, Lane>();
  readonly #next = this.#lanes.values();

  constructor(count: number) {
    this.#free = count;
  }

  /** Takes a slot if one is free; else calls `start`, a function of its own, when one has been taken for it. */
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

  /** Gives a slot back. */
  release(): void {
    this.#free++;
    if (this.#lanes.size > 0) queueMicrotask(this.#serve); // not here: what starts may end at once, and so on
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
