/**
 * Time as a parameter: the clock of the system, and a virtual clock that jumps.
 *
 * Owns the only calls of `Date.now`, `setTimeout`, `clearTimeout` and `Math.random` in the package, apart from the macrotask and
 * the IDs of `util`. Does not know who waits for a timer.
 *
 * 1. A timer never fires before it is due, even after a very long wait.
 * 2. A virtual clock fires timers in the order of their due times, then in the order in which they were set.
 * 3. A virtual clock moves only by a call, or when the last `hold` is released and a timer is set.
 * 4. A virtual clock that is moved by a call goes from timer to timer. All work that a timer starts is done before the next timer
 *    fires.
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

import { TimerQueue } from "./util/timer_queue.ts";
import { checkBoolean, checkFunction, checkNumber, checkOptions, invalid } from "./util/check.ts";
import { Deferred } from "./util/deferred.ts";
import { macrotask } from "./util/macrotask.ts";

/**
 * The time and the timers of an executor.
 *
 * A clock can be set back or forward. Timers follow the clock: after a step back they wait until it has reached their time
 * again, after a step forward they fire early. `ctx.now()` never goes back. Recorded times (`at`, `updatedAt`) can.
 *
 * @category Time
 */
export interface Clock {
  /** Returns the time, in milliseconds since the epoch; a finite number. */
  now(): number;
  /**
   * Calls `callback` once, not before `dueAt` and not before this call has returned.
   *
   * @param dueAt In milliseconds since the epoch. A time in the past means as soon as possible, `Infinity` means never.
   * @returns A function that clears the timer. It can be called at any time, more than once.
   */
  setTimer(dueAt: number, callback: () => void): () => void;
  /**
   * Optional: work has begun that does not wait for a timer. Calls are counted.
   *
   * @param working Whether the work ends by itself, such as a turn of an executor or a write of a store. An activity may not.
   */
  hold?(working?: boolean): void;
  /** Optional: ends one `hold` of the same kind. */
  release?(working?: boolean): void;
}

/** The longest time that `setTimeout` accepts: about 24.8 days. With a longer time it fires at once. */
const MAX_TIMEOUT_MS = 0x7fff_ffff;

/**
 * The clock of the system. When the system's clock is set forward, a timer that is set already keeps its delay.
 *
 * It reads `Date.now`, `setTimeout` and `clearTimeout` at each call, so the fake timers of a test runner drive it: with
 * `vi.advanceTimersByTimeAsync(30 * 86_400_000)`, a workflow that sleeps for 30 days wakes. A long wait is several timeouts of at
 * most 24.8 days. Nothing else of the engine follows fake timers: a workflow runs in real microtasks and macrotasks, whether the
 * fakes are installed before or after the import. So wait for the result of a workflow, or for what it has done, and not for a number
 * of ticks. Between two sleeps of a workflow real macrotasks pass; where a test moves over several of them, a
 * {@linkcode VirtualClock} is exact.
 *
 * @category Time
 */
export const systemClock: Clock = {
  now: () => Date.now(),
  setTimer(dueAt, callback) {
    checkDueAt(dueAt);
    let id: ReturnType<typeof setTimeout>;
    let clear: typeof clearTimeout;
    const wait = () => {
      clear = clearTimeout; // of the same kind as the timer: fake timers do not clear a real one
      id = setTimeout(fire, Math.min(Math.max(0, Math.ceil(dueAt - Date.now())), MAX_TIMEOUT_MS));
    };
    // A timeout can be too early: it ends one part of a long wait, or the runtime's timer is ahead of `Date.now`.
    const fire = () => Date.now() < dueAt ? wait() : callback();
    wait();
    return () => {
      try {
        clear(id);
      } catch { // the fake timers that the timer belongs to were removed; those of `@std/testing` throw then
      }
    };
  },
};

/**
 * Returns a random number from 0 to below 1. Reads `Math.random` at each call.
 *
 * @category Time
 */
export const systemRandom = (): number => Math.random();

/**
 * Options of a {@linkcode VirtualClock}.
 *
 * @category Time
 */
export interface VirtualClockOptions {
  /**
   * The time at the start, in milliseconds since the epoch.
   *
   * @default {0}
   */
  readonly startAt?: number | undefined;
  /**
   * Whether the clock jumps to the next timer once nobody holds it. If not, it is moved only by `advance`, `advanceTo`,
   * `runUntilIdle` and `next`.
   *
   * @default {true}
   */
  readonly autoAdvance?: boolean | undefined;
}

const OPTIONS: Readonly<Record<keyof VirtualClockOptions, true>> = { startAt: true, autoAdvance: true };

/**
 * A clock that jumps to the next timer as soon as all runs of its executors are idle. A run that waits for an activity
 * is not idle: the clock cannot know what the activity waits for. To see an activity time out, move the clock with
 * {@linkcode VirtualClock.advance}.
 *
 * @category Time
 *
 * @example A clock that is moved by calls
 * ```ts
 * import { Executor, InMemoryStore, VirtualClock, type WorkflowContext } from "@rockpool/workflow";
 * import { assertEquals } from "@std/assert";
 *
 * const clock = new VirtualClock({ autoAdvance: false });
 * await using executor = new Executor({ store: new InMemoryStore(), clock });
 * let rounds = 0;
 * const handle = await executor.execute(async function poll(ctx: WorkflowContext) {
 *   for (; rounds < 30; rounds++) await ctx.sleep(3_600_000);
 * });
 * await clock.advance(86_400_000);
 * assertEquals([rounds, handle.status], [24, "running"]);
 * await clock.runUntilIdle();
 * assertEquals([rounds, handle.status], [30, "completed"]);
 * ```
 */
export class VirtualClock implements Clock {
  /** Whether the clock jumps to the next timer once nobody holds it. */
  declare readonly autoAdvance: boolean;
  readonly #startAt: number;
  readonly #timers = new TimerQueue();
  #now: number;
  #holds = 0;
  /** How many of the holds end by themselves. */
  #working = 0;
  /** How many calls are moving the clock. A jump that is due meanwhile takes place after the last of them. */
  #moves = 0;
  #missedJump = false;
  #jumping = false;
  #changed: Deferred<void> | undefined;
  /** Errors that callbacks of `at` threw during a move. */
  readonly #failures: unknown[] = [];

  /**
   * Makes a clock that stands still.
   *
   * @param options The time at the start, and whether the clock jumps.
   * @throws {TypeError} If `options` is no object, has an unknown option, or `autoAdvance` is no boolean.
   * @throws {RangeError} If `startAt` is not a finite number.
   */
  constructor(options: VirtualClockOptions = {}) {
    checkOptions(options, OPTIONS, "create a clock");
    const { startAt = 0, autoAdvance = true } = options;
    checkNumber("startAt", startAt, -Infinity, "create a clock");
    checkBoolean("autoAdvance", autoAdvance, "create a clock");
    this.#now = this.#startAt = startAt;
    this.autoAdvance = autoAdvance;
  }

  /** Returns the time, in milliseconds since the epoch. */
  now(): number {
    return this.#now;
  }

  /**
   * Whether nothing can happen without a new call: nobody holds the clock, and there is no timer to which it jumps by
   * itself.
   */
  get idle(): boolean {
    return this.#holds === 0 && this.#moves === 0 &&
      !(this.autoAdvance && (this.#timers.peek()?.dueAt ?? Infinity) < Infinity);
  }

  /** How many timers are set. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Resolves when the clock is {@linkcode VirtualClock.idle}. Does not move it. */
  async whenIdle(): Promise<void> {
    while (!this.idle) await this.#change();
  }

  /** Sets a timer; see {@linkcode Clock.setTimer}. */
  setTimer(dueAt: number, callback: () => void): () => void {
    checkDueAt(dueAt);
    const timer = this.#timers.set(dueAt, callback);
    return () => this.#timers.clear(timer);
  }

  /**
   * Calls `callback` at a time: "on day 3 the customer approves". The clock stands still until `callback` is done, so it must
   * not wait for a timer of this clock.
   *
   * An error of `callback` is thrown by the call of `advance`, `advanceTo` or `runUntilIdle` that moves the clock. If the clock
   * jumps by itself, the error is an unhandled rejection.
   *
   * @param ms When, in milliseconds after the start of the clock, from 0. If that is in the past, then as soon as the clock
   * fires timers.
   * @param callback The function to call.
   * @returns A function that cancels the call. It can be called at any time, more than once.
   * @throws {RangeError} If `ms` is not a finite number from 0.
   * @throws {TypeError} If `callback` is not a function.
   */
  at(ms: number, callback: () => unknown): () => void {
    checkNumber("ms", ms, 0, "set a callback");
    checkFunction("callback", callback, "set a callback");
    return this.setTimer(this.#startAt + ms, async () => {
      this.hold(true);
      try {
        await callback();
      } catch (error) {
        if (this.#moves === 0) throw error;
        this.#failures.push(error);
      } finally {
        this.release(true);
      }
    });
  }

  /**
   * Keeps the clock from jumping until {@linkcode VirtualClock.release} is called as often. It can still be moved by calls.
   *
   * @param working Whether moves by calls wait too.
   */
  hold(working = false): void {
    this.#holds++;
    if (working) this.#working++;
  }

  /**
   * Ends one {@linkcode VirtualClock.hold}. After the last one, the clock jumps from timer to timer until it is held again.
   *
   * @param working The argument of that `hold`.
   * @throws {RangeError} If nobody holds the clock.
   */
  release(working = false): void {
    if (this.#holds === 0) throw new RangeError("Cannot release the clock: nobody holds it");
    this.#holds--;
    if (working) this.#working--;
    this.#notify();
    if (this.autoAdvance && this.#holds === 0) this.#jump();
  }

  /**
   * Moves the clock forward and fires each timer that is due on the way, at its time. The work that a timer starts is finished
   * before the next timer fires. Timers that this work sets fire too, so a loop of sleeps runs on. Running activities are not
   * waited for, so that they can time out.
   *
   * A clock that jumps by itself continues to jump afterwards, unless somebody holds it.
   *
   * @param ms How far, in milliseconds, from 0.
   * @returns Resolves when the clock has moved and all work is finished. If there is no work, the clock has moved when the call
   * returns.
   * @throws {RangeError} If `ms` is not a finite number from 0.
   * @throws What a callback of {@linkcode VirtualClock.at} threw.
   */
  async advance(ms: number): Promise<void> {
    checkNumber("ms", ms, 0, "advance the clock");
    await this.#move(this.#now + ms);
  }

  /**
   * Moves the clock like {@linkcode VirtualClock.advance}, to a given time.
   *
   * @param time In milliseconds since the epoch, from now.
   * @throws {RangeError} If `time` is in the past or not a finite number.
   * @throws What a callback of {@linkcode VirtualClock.at} threw.
   */
  async advanceTo(time: number): Promise<void> {
    checkNumber("time", time, this.#now, "advance the clock");
    await this.#move(time);
  }

  /**
   * Moves the clock from timer to timer until there is no work and no timer. Waits for activities and for everybody who holds
   * the clock. Runs that wait for something else, such as a signal, keep waiting.
   *
   * @throws What a callback of {@linkcode VirtualClock.at} threw.
   */
  async runUntilIdle(): Promise<void> {
    await new Promise<void>(macrotask); // work that was just requested may not hold the clock yet
    await this.#move(Infinity);
  }

  /**
   * Moves the clock to the next timer and fires it, at once, even if the clock is held. A store that takes virtual time needs
   * this, because the executor that waits for the store holds the clock.
   *
   * @returns Whether there was a timer.
   */
  next(): boolean {
    return this.#fireNext(Infinity);
  }

  /** Resolves when a hold or a move has ended. */
  #change(): Promise<void> {
    return (this.#changed ??= new Deferred()).promise;
  }

  #notify(): void {
    this.#changed?.resolve();
    this.#changed = undefined;
  }

  async #move(until: number): Promise<void> {
    this.#moves++;
    try {
      do {
        while ((until === Infinity ? this.#holds : this.#working) > 0) await this.#change();
        if (this.#failures.length > 0) throw this.#failures.shift();
      } while (this.#fireNext(until));
      if (until < Infinity) this.#now = Math.max(this.#now, until);
    } finally {
      this.#moves--;
      this.#notify();
      if (this.#missedJump) macrotask(this.#jump); // after those who wait for the move
      this.#missedJump = false;
    }
  }

  readonly #jump = (): void => {
    if (this.#moves > 0) this.#missedJump = true;
    else if (!this.#jumping) {
      this.#jumping = true;
      try {
        while (this.#holds === 0 && this.#fireNext(Infinity));
      } finally {
        this.#jumping = false;
      }
    }
  };

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
