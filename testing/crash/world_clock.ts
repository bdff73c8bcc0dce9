/**
 * The time of a simulated world: one clock for all of its executors. It moves only when the world tells it to. Each process
 * has its own view of the clock, which stops when the process dies.
 *
 * @module
 */

import { type Clock, VirtualClock } from "../../clock.ts";
import { macrotask } from "../../util/macrotask.ts";

export class WorldClock extends VirtualClock {
  /** How many steps the executors have made. If it stays the same, nobody has done anything. */
  steps = 0;

  constructor() {
    super({ autoAdvance: false });
  }
}

/** The clock as one process sees it. */
export class ProcessClock implements Clock {
  readonly #clock: WorldClock;
  #holds = 0;
  #dead = false;

  constructor(clock: WorldClock) {
    this.#clock = clock;
  }

  /** Whether the executor is doing something that is not a wait for a timer. */
  get held(): boolean {
    return this.#holds > 0 && !this.#dead;
  }

  now(): number {
    this.#clock.steps++;
    return this.#clock.now();
  }

  setTimer(dueAt: number, callback: () => void): () => void {
    this.#clock.steps++;
    return this.#clock.setTimer(dueAt, () => {
      if (!this.#dead) callback();
    });
  }

  hold(): void {
    this.#holds++;
  }

  release(): void {
    this.#holds--;
  }

  /** Stops the view: none of its timers fires any more, and nothing of its process counts as work. */
  die(): void {
    this.#dead = true;
  }
}

/** Resolves in the next macrotask, after all microtasks. */
export const nextMacrotask = (): Promise<void> => new Promise(macrotask);
