/**
 * Time as a parameter: the system's clock, and a virtual one that jumps.
 *
 * Owns the only calls of `Date.now`, `setTimeout`, `clearTimeout` and `Math.random` in the package. Does not know what waits for a
 * timer.
 *
 * 1. A timer never fires before it is due, however long the wait is.
 * 2. A virtual clock fires timers in the order of their due times, then in the order in which they were set.
 * 3. A virtual clock moves only when told to, or when the last `hold` is taken back and a timer is set.
 *
 * @example
 * ```ts
 * import { Executor, InMemoryStore, VirtualClock, type WorkflowContext } from "@rockpool/workflow";
 * import { assertEquals } from "@std/assert";
 *
 * const clock = new VirtualClock();
 * await using executor = new Executor({ store: new InMemoryStore(), clock });
 * const handle = await executor.execute(async function month(ctx: WorkflowContext) {
 *   await ctx.sleep(30 * 24 * 60 * 60 * 1000);
 * });
 * await handle.result(); // takes no time
 * assertEquals(clock.now(), 2_592_000_000);
 * ```
 *
 * @module
 */

import { TimerQueue } from "./_timer_queue.ts";
import { checkNumber, invalid } from "./_check.ts";

/** Gives an executor its time and its timers. */
export interface Clock {
  /** The time, in milliseconds since the epoch. */
  now(): number;
  /**
   * Calls `callback` once, not before `dueAt` and not before this call has returned.
   *
   * @param dueAt In milliseconds since the epoch; in the past means as soon as possible, `Infinity` never.
   * @returns A function that clears the timer; it may be called at any time, any number of times.
   */
  setTimer(dueAt: number, callback: () => void): () => void;
  /** Optional: an executor has work that is not waiting for a timer. Counted. */
  hold?(): void;
  /** Optional: takes one `hold` back. */
  release?(): void;
}

/** `setTimeout` takes a signed number of 32 bits and fires at once on anything above: about 24.8 days. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/**
 * The clock of the machine. Reads `Date.now`, `setTimeout` and `clearTimeout` at each call, so that fake timers work.
 */
export const systemClock: Clock = {
  now: () => Date.now(),
  setTimer(dueAt, callback) {
    checkDueAt(dueAt);
    let id: ReturnType<typeof setTimeout>;
    const wait = () => {
      id = setTimeout(fire, Math.min(Math.max(0, Math.ceil(dueAt - Date.now())), MAX_TIMEOUT_MS));
    };
    // A timeout can be early: it was one part of a long wait, or the runtime's timer is ahead of `Date.now`.
    const fire = () => Date.now() < dueAt ? wait() : callback();
    wait();
    return () => clearTimeout(id);
  },
};

/** Numbers from 0 to below 1 from the machine: `Math.random`, read at each call. */
export const systemRandom = (): number => Math.random();

/** Options of a {@linkcode VirtualClock}. */
export interface VirtualClockOptions {
  /**
   * The time that it shows at first, in milliseconds since the epoch.
   *
   * @default {0}
   */
  readonly startAt?: number;
}

/**
 * A clock that jumps to the next timer as soon as all runs of its executor are idle. A run that waits for an activity
 * is not idle: the clock cannot know what the activity waits for. Move it by hand with {@linkcode advance} to see an
 * activity time out.
 */
export class VirtualClock implements Clock {
  readonly #timers = new TimerQueue();
  #now: number;
  #holds = 0;
  #jumping = false;

  /**
   * Makes a clock that stands still.
   *
   * @param options Where to start.
   * @throws {RangeError} If `startAt` is not a finite number.
   */
  constructor(options: VirtualClockOptions = {}) {
    const { startAt = 0 } = options;
    checkNumber("startAt", startAt, -Infinity, "create a clock");
    this.#now = startAt;
  }

  /** The time that it shows, in milliseconds since the epoch. */
  now(): number {
    return this.#now;
  }

  /** Sets a timer; see {@linkcode Clock.setTimer}. */
  setTimer(dueAt: number, callback: () => void): () => void {
    checkDueAt(dueAt);
    const timer = this.#timers.set(dueAt, callback);
    return () => this.#timers.clear(timer);
  }

  /** Keeps the clock from jumping until {@linkcode release} is called as often. */
  hold(): void {
    this.#holds++;
  }

  /**
   * Takes one {@linkcode hold} back; the last one lets the clock jump from timer to timer until it is held again.
   *
   * @throws {RangeError} If nobody holds the clock.
   */
  release(): void {
    if (this.#holds === 0) throw new RangeError("Cannot release the clock: nobody holds it");
    this.#holds--;
    if (this.#jumping) return;
    this.#jumping = true;
    try {
      while (this.#holds === 0 && this.#fireNext(Infinity));
    } finally {
      this.#jumping = false;
    }
  }

  /**
   * Moves the clock forward and fires on the way every timer that is due, each at its time. Timers that come of them
   * fire too if they are set before this call returns; what a fired timer lets a workflow do comes after.
   *
   * @param ms How far, in milliseconds, from 0.
   * @throws {RangeError} If `ms` is not a finite number from 0.
   */
  advance(ms: number): void {
    checkNumber("ms", ms, 0, "advance the clock");
    const until = this.#now + ms;
    while (this.#fireNext(until));
    this.#now = Math.max(this.#now, until);
  }

  #fireNext(until: number): boolean {
    const timer = this.#timers.peek();
    if (timer === undefined || timer.dueAt > until || timer.dueAt === Infinity) return false;
    this.#timers.clear(timer);
    this.#now = Math.max(this.#now, timer.dueAt);
    timer.callback();
    return true;
  }
}

function checkDueAt(dueAt: number): void {
  if (typeof dueAt !== "number" || Number.isNaN(dueAt)) {
    throw invalid("dueAt", dueAt, "a number", "set a timer", undefined, RangeError);
  }
}
