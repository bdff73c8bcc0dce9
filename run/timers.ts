/**
 * All timers of an executor, behind the one timer that it sets in its clock. What a timer starts is work of the executor: a
 * virtual clock does not move on before that work has ended. Timers that are due together fire in order, as many in one
 * macrotask as the turn scheduler allows.
 *
 * The clock's timer may be lost: workerd drops it when the request ends in which it was set. So after a call of the executor it is
 * set again by the next timer that is set or cleared. So it is after fake timers were installed or removed: those that are removed
 * keep what was set. A clock that can be held loses no timer.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { type Timer, TimerQueue } from "../util/timer_queue.ts";
import type { Turns } from "./turns.ts";

export type { Timer };

export class Timers {
  readonly #clock: Clock;
  readonly #turns: Turns;
  readonly #queue = new TimerQueue();
  #armed: { readonly dueAt: number; readonly clear: () => void } | undefined;
  /** How many calls the executor had got when the clock's timer was set, and what sets timers in the runtime. */
  #calls = 0;
  #setTimeout = setTimeout;
  /** The time at which the clock's timer fired, until all timers that were due then have fired. */
  #firing: number | undefined;

  constructor(clock: Clock, turns: Turns) {
    this.#clock = clock;
    this.#turns = turns;
  }

  set(dueAt: number, callback: () => void): Timer {
    const timer = this.#queue.set(dueAt, callback);
    this.#arm();
    return timer;
  }

  clear(timer: Timer | undefined): void {
    if (timer === undefined) return;
    this.#queue.clear(timer);
    this.#arm();
  }

  /** Sets the clock's timer to the first of these timers; clears it if there is none. */
  #arm(): void {
    if (this.#firing !== undefined) return;
    const dueAt = this.#queue.peek()?.dueAt;
    const mayBeLost = dueAt !== undefined && this.#clock.hold === undefined &&
      (this.#calls !== this.#turns.calls || this.#setTimeout !== setTimeout);
    if (dueAt === this.#armed?.dueAt && !mayBeLost) return;
    this.#armed?.clear();
    this.#calls = this.#turns.calls;
    this.#setTimeout = setTimeout;
    this.#armed = dueAt === undefined ? undefined : { dueAt, clear: this.#clock.setTimer(dueAt, this.#fire) };
  }

  readonly #fire = (): void => {
    this.#armed = undefined;
    this.#turns.enter();
    this.#firing = this.#clock.now();
    this.#turns.repeat(this.#fireNext);
  };

  /** Fires the first timer if it is due. Returns whether it was. */
  readonly #fireNext = (): boolean => {
    if (this.#queue.fire(this.#firing!)) return true;
    this.#firing = undefined;
    this.#arm();
    this.#turns.leave();
    return false;
  };
}
