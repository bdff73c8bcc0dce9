/**
 * The time of a scene: one clock for all its executors, which moves only when it is told to. Each executor has its own
 * view of it, which is shut when its process dies.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { TimerQueue } from "../_timer_queue.ts";
import { Turns } from "../_turns.ts";

export class LabClock implements Clock {
  readonly #timers = new TimerQueue();
  #now = 0;
  /** Grows whenever an executor does something. */
  stirred = 0;

  now(): number {
    return this.#now;
  }

  setTimer(dueAt: number, callback: () => void): () => void {
    const timer = this.#timers.set(dueAt, callback);
    return () => this.#timers.clear(timer);
  }

  /** Moves to the next timer and fires it. Answers whether there was one. */
  fireNext(): boolean {
    const timer = this.#timers.peek();
    if (timer === undefined || timer.dueAt === Infinity) return false;
    this.#timers.clear(timer);
    this.#now = Math.max(this.#now, timer.dueAt);
    timer.callback();
    return true;
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

const turns = new Turns({ now: () => 0, setTimer: () => () => {} });

/** Lets all microtasks pass, and whatever was put off to the next turn of the event loop. */
export function hop(): Promise<void> {
  return new Promise((endTurn) => turns.begin({ endTurn }));
}
