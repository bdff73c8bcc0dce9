/**
 * Time as a parameter: the system's clock, and a virtual one that jumps.
 *
 * Owns the only calls of `Date.now`, `setTimeout`, `clearTimeout` and `Math.random` in the package. Does not know what waits for a
 * timer.
 *
 * 1. A timer never fires before it is due, however long the wait is.
 * 2. A virtual clock fires timers in the order of their due times, then in the order in which they were set.
 * 3. A virtual clock moves only when told to, or when the last `hold` is taken back and a timer is set.
 * 4. A virtual clock that is told to move goes from timer to timer: what one sets going is done before the next one fires.
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
import { checkFunction, checkNumber, invalid } from "./util/check.ts";
import { Deferred } from "./util/deferred.ts";
import { macrotask } from "./util/macrotask.ts";

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
  /**
   * Optional: something goes on that is not waiting for a timer. Counted.
   *
   * @param working Whether it ends by itself: an executor's turn, say, or the write of a store. An activity may not.
   */
  hold?(working?: boolean): void;
  /** Optional: takes one `hold` back, of the same kind. */
  release?(working?: boolean): void;
}

/** `setTimeout` takes a signed number of 32 bits and fires at once on anything above: about 24.8 days. */
const MAX_TIMEOUT_MS = 0x7fff_ffff;

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
  /**
   * Whether it jumps to the next timer when nobody holds it any more. If not, time passes by hand only: by `advance`,
   * `advanceTo` and `runUntilIdle`.
   *
   * @default {true}
   */
  readonly autoAdvance?: boolean;
}

/**
 * A clock that jumps to the next timer as soon as all runs of its executors are idle. A run that waits for an activity
 * is not idle: the clock cannot know what the activity waits for. Move it by hand with {@linkcode advance} to see an
 * activity time out.
 *
 * @example Time by hand
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
  /** Whether it jumps to the next timer when nobody holds it any more. */
  readonly autoAdvance: boolean;
  readonly #startAt: number;
  readonly #timers = new TimerQueue();
  #now: number;
  #holds = 0;
  /** How many of them end by themselves. */
  #working = 0;
  /** How many calls move it just now. It does not jump meanwhile, but after the last of them, if it would have. */
  #moves = 0;
  #missedJump = false;
  #jumping = false;
  #changed: Deferred<void> | undefined;
  /** What callbacks of `at` threw while it was moved. */
  readonly #failures: unknown[] = [];

  /**
   * Makes a clock that stands still.
   *
   * @param options Where to start, and whether it jumps.
   * @throws {RangeError} If `startAt` is not a finite number.
   */
  constructor(options: VirtualClockOptions = {}) {
    const { startAt = 0, autoAdvance = true } = options;
    checkNumber("startAt", startAt, -Infinity, "create a clock");
    this.#now = this.#startAt = startAt;
    this.autoAdvance = autoAdvance;
  }

  /** The time that it shows, in milliseconds since the epoch. */
  now(): number {
    return this.#now;
  }

  /**
   * Whether nothing happens any more unless somebody does something from outside: nobody holds the clock, and there is no
   * timer that it would go to by itself.
   */
  get idle(): boolean {
    return this.#holds === 0 && this.#moves === 0 &&
      !(this.autoAdvance && (this.#timers.peek()?.dueAt ?? Infinity) < Infinity);
  }

  /** Resolves when it is {@linkcode idle}, without moving it. */
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
   * Calls `callback` at a time of its own: "on day 3 the customer approves". Time stands still until it is done, so it must
   * not wait for what takes time.
   *
   * What it throws is thrown by the `advance`, `advanceTo` or `runUntilIdle` that is under way. If the clock jumps by itself,
   * it is an unhandled rejection.
   *
   * @param ms When, in milliseconds after the time that the clock showed at first, from 0; if that is past, then as soon as
   * the clock fires timers.
   * @param callback What to do.
   * @returns A function that takes it back; it may be called at any time, any number of times.
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
   * Keeps the clock from jumping until {@linkcode release} is called as often. It can be moved by hand meanwhile.
   *
   * @param working Whether a move by hand waits as well.
   */
  hold(working = false): void {
    this.#holds++;
    if (working) this.#working++;
  }

  /**
   * Takes one {@linkcode hold} back; the last one lets the clock jump from timer to timer until it is held again.
   *
   * @param working As it was held.
   * @throws {RangeError} If nobody holds the clock.
   */
  release(working = false): void {
    if (this.#holds === 0) throw new RangeError("Cannot release the clock: nobody holds it");
    this.#holds--;
    if (working) this.#working--;
    this.#tell();
    if (this.autoAdvance && this.#holds === 0) this.#jump();
  }

  /**
   * Moves the clock forward and fires on the way every timer that is due, each at its time. What a timer sets going comes to
   * rest before the next one fires, and sets timers that fire as well: a loop of sleeps goes round. An activity that runs is
   * not waited for, so that its time can run out.
   *
   * A clock that jumps by itself goes on afterwards, unless somebody holds it.
   *
   * @param ms How far, in milliseconds, from 0.
   * @returns When it is there, and everybody is at rest. If nothing goes on, it has moved when the call returns.
   * @throws {RangeError} If `ms` is not a finite number from 0.
   * @throws What a callback of {@linkcode at} threw.
   */
  async advance(ms: number): Promise<void> {
    checkNumber("ms", ms, 0, "advance the clock");
    await this.#move(this.#now + ms);
  }

  /**
   * Moves the clock like {@linkcode advance}, to a certain time.
   *
   * @param time In milliseconds since the epoch, from now.
   * @throws {RangeError} If `time` is past or not a finite number.
   * @throws What a callback of {@linkcode at} threw.
   */
  async advanceTo(time: number): Promise<void> {
    checkNumber("time", time, this.#now, "advance the clock");
    await this.#move(time);
  }

  /**
   * Lets everything run, and moves the clock from timer to timer, until nobody can go on and no timer is set. Runs that wait
   * for something else, such as a signal, stay as they are. Activities are waited for, and so is whoever holds the clock.
   *
   * @throws What a callback of {@linkcode at} threw.
   */
  async runUntilIdle(): Promise<void> {
    await new Promise<void>(macrotask); // what was called just now may not have begun
    await this.#move(Infinity);
  }

  /**
   * Moves the clock to the next timer and fires that, at once: whoever holds the clock, and whatever goes on. A store that
   * takes virtual time needs it, since the executor that waits for it holds the clock.
   *
   * @returns Whether there was a timer.
   */
  next(): boolean {
    return this.#fireNext(Infinity);
  }

  /** Resolves when somebody holds the clock no more, or has moved it. */
  #change(): Promise<void> {
    return (this.#changed ??= new Deferred()).promise;
  }

  #tell(): void {
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
      this.#tell();
      if (this.#missedJump) macrotask(this.#jump); // whoever waits for the move speaks first
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
