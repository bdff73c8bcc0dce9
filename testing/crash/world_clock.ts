/**
 * The time of a simulated world: one clock for all of its executors. It moves only when the world tells it to. Each process
 * has its own view of the clock, which stops when the process dies.
 *
 * @module
 */

import { type Clock, systemClock, VirtualClock } from "../../clock.ts";
import { macrotask } from "../../util/macrotask.ts";

export class WorldClock extends VirtualClock {
  #steps = 0;
  #stepped: (() => void) | undefined;

  constructor() {
    super({ autoAdvance: false });
  }

  /** How many steps the executors have made. If it stays the same, nobody has done anything. */
  get steps(): number {
    return this.#steps;
  }

  /** An executor makes a step. */
  step(): void {
    this.#steps++;
    this.#stepped?.();
  }

  /** Resolves at the next step, or after this many milliseconds of real time without one. */
  async nextStep(ms: number): Promise<void> {
    let clear!: () => void;
    await new Promise<void>((resolve) => {
      this.#stepped = resolve;
      clear = systemClock.setTimer(systemClock.now() + ms, resolve);
    });
    this.#stepped = undefined;
    clear();
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
    this.#clock.step();
    return this.#clock.now();
  }

  setTimer(dueAt: number, callback: () => void): () => void {
    this.#clock.step();
    return this.#clock.setTimer(dueAt, () => {
      if (!this.#dead) callback();
    });
  }

  hold(): void {
    this.#holds++;
  }

  release(): void {
    this.#holds--;
    this.#clock.step();
  }

  /** Stops the view: none of its timers fires any more, and nothing of its process counts as work. */
  die(): void {
    this.#dead = true;
  }
}

/** Resolves in the next macrotask, after all microtasks. */
export const nextMacrotask = (): Promise<void> => new Promise(macrotask);
