/**
 * A clock that can be set, as that of a system: a step moves the time, and not the timers that wait.
 *
 * @module
 */

import { type Clock, VirtualClock } from "@rockpool/workflow";

export class SettableClock implements Clock {
  /** Moves the time that passes. */
  readonly elapsed = new VirtualClock({ autoAdvance: false });
  #offsetMs: number;

  constructor(startAt: number) {
    this.#offsetMs = startAt;
  }

  now(): number {
    return this.elapsed.now() + this.#offsetMs;
  }

  /** Sets the clock: to an earlier time if `byMs` is negative. */
  step(byMs: number): void {
    this.#offsetMs += byMs;
  }

  /** As `systemClock` does: a timer keeps its delay, and waits for the rest if the clock was set back. */
  setTimer(dueAt: number, callback: () => void): () => void {
    let clear: () => void;
    const wait = () => {
      const inMs = Math.max(0, dueAt - this.now());
      clear = this.elapsed.setTimer(this.elapsed.now() + inMs, () => this.now() < dueAt ? wait() : callback());
    };
    wait();
    return () => clear();
  }

  hold(working?: boolean): void {
    this.elapsed.hold(working);
  }

  release(working?: boolean): void {
    this.elapsed.release(working);
  }
}
