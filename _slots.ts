/**
 * A limited number of slots, shared fairly: whoever waits is served in turn, one of each group after the other.
 *
 * @module
 */

import { Fifo } from "./_fifo.ts";

/** A place in the line. */
export interface Ticket {
  /** Leaves the line. */
  cancel(): void;
}

interface Lane {
  readonly group: string;
  readonly waiting: Fifo<{ start: (() => void) | undefined }>;
}

export class Slots {
  #free: number;
  readonly #lanes = new Map<string, Lane>();
  /** The lanes that have somebody, in the order in which they are served. */
  readonly #line = new Fifo<Lane>();

  constructor(count: number) {
    this.#free = count;
  }

  /** Takes a slot if one is free; else calls `start` when one has been taken for it. */
  take(group: string, start: () => void): Ticket | undefined {
    if (this.#free > 0) return void this.#free--;
    let lane = this.#lanes.get(group);
    if (lane === undefined) {
      this.#lanes.set(group, lane = { group, waiting: new Fifo() });
      this.#line.push(lane);
    }
    const place: { start: (() => void) | undefined } = { start };
    lane.waiting.push(place);
    return { cancel: () => void (place.start = undefined) };
  }

  /** Gives a slot back. */
  release(): void {
    this.#free++;
    if (this.#line.size > 0) queueMicrotask(this.#serve); // not here: what starts may end at once, and so on
  }

  readonly #serve = (): void => {
    while (this.#free > 0 && this.#line.size > 0) {
      const lane = this.#line.shift();
      const { start } = lane.waiting.shift();
      if (lane.waiting.size > 0) this.#line.push(lane);
      else this.#lanes.delete(lane.group);
      if (start === undefined) continue;
      this.#free--;
      start();
    }
  };
}
