/**
 * The time of a scene: one clock for all its executors, which moves only when it is told to. Each executor has its own
 * view of it, which is shut when its process dies.
 *
 * @module
 */

import { type Clock, VirtualClock } from "../../clock.ts";
import { macrotask } from "../../util/macrotask.ts";

export class LabClock extends VirtualClock {
  /** Grows whenever an executor does something. */
  stirred = 0;

  constructor() {
    super({ autoAdvance: false });
  }
}

/** The clock as one executor sees it. */
export class ProcessClock implements Clock {
  readonly #clock: LabClock;
  #holds = 0;
  #dead = false;

  constructor(clock: LabClock) {
    this.#clock = clock;
  }

  /** Whether the executor does something that is not waiting for a timer. */
  get held(): boolean {
    return this.#holds > 0 && !this.#dead;
  }

  now(): number {
    this.#clock.stirred++;
    return this.#clock.now();
  }

  setTimer(dueAt: number, callback: () => void): () => void {
    this.#clock.stirred++;
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

  /** Its process has died: no timer of it fires any more, and nobody waits for what it does. */
  die(): void {
    this.#dead = true;
  }
}

/** Lets all microtasks pass, and whatever was put off to the next turn of the event loop. */
export const hop = (): Promise<void> => new Promise(macrotask);
