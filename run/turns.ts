/**
 * The turn scheduler of an executor: when the next event may be applied, how much begins in one macrotask, and whether the
 * executor works at all.
 *
 * 1. A turn ends in a later macrotask than it began, when all microtasks have drained. Runs share macrotasks: any later one will do.
 * 2. The event loop is shared with the rest of the process: at most `PER_MACROTASK` pieces of work begin in one macrotask. A
 *    piece of work is the end of a turn, or what asks by `take()`, `room()` or `repeat()`: a run that becomes live or wakes, a writer
 *    that begins, a timer that is due. What is left continues in the next macrotask, in order.
 * 3. While the executor works, the clock is held: a virtual clock does not move. It is released one macrotask after the last
 *    work ended, so that the callers who waited for that work run first. Work that waits for a later macrotask counts, and each
 *    call of the executor: what it asks for is on its way before the clock moves.
 * 4. Without work, nothing is pending: an idle executor does not keep the process alive.
 * 5. A piece of work that throws is reported, and keeps nothing else from running.
 * 6. A macrotask that never comes blocks nobody: workerd drops it when the request ends in which it was requested. There, each call
 *    of the executor requests it again. Of the requests for one macrotask, only the first that comes does anything.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { ErrorReporter } from "../hooks.ts";
import { Fifo } from "../util/fifo.ts";
import { logError } from "../util/log_error.ts";
import { macrotask } from "../util/macrotask.ts";

/** A count and no time limit: most of the time passes in the microtasks that follow, where nobody looks at a clock. */
const PER_MACROTASK = 256;

/** A macrotask that is requested once at a time. It can be requested again: only the first that comes calls `work`. */
class Macrotask {
  readonly #come: () => void;
  #pending = false;

  constructor(work: () => void) {
    this.#come = () => {
      if (!this.#pending) return;
      this.#pending = false;
      work();
    };
  }

  request(): void {
    if (!this.#pending) macrotask(this.#come);
    this.#pending = true;
  }

  /** The one that is requested, if any, may be lost. */
  requestAgain(): void {
    if (this.#pending) macrotask(this.#come);
  }
}

/** Whether the runtime may drop a macrotask: not if it is known to have one event loop for the whole process, page or worker. */
function canLoseMacrotasks(): boolean {
  return !/^(Deno|Node|Bun|Mozilla)/.test(globalThis.navigator?.userAgent ?? "");
}

/** An open turn, or work for which there was no room. */
type Waiting = { endTurn(): void } | (() => void);

/** Shared by all that is empty. Never changed. */
const none: never[] = [];

export class Turns {
  readonly #clock: Clock;
  readonly #report: ErrorReporter;
  /** What waits for the next macrotasks, in order: a batch for each of them, full but for the last one. */
  readonly #full = new Fifo<Waiting[]>();
  #last: Waiting[] = none;
  /** How many pieces of work may still begin in this macrotask. */
  #room = PER_MACROTASK;
  readonly #next = new Macrotask(() => this.#begin());
  readonly #release = new Macrotask(() => {
    if (this.#work > 0) return;
    this.#held = false;
    this.#clock.release!(true);
  });
  readonly #canLose = canLoseMacrotasks();
  /** How many calls of the executor have begun, where macrotasks and timers can be lost; otherwise 0. */
  calls = 0;
  #work = 0;
  #held = false;

  constructor(clock: Clock, report: ErrorReporter = logError) {
    this.#clock = clock;
    this.#report = report;
  }

  /** Asks to begin a piece of work now. If this macrotask has no room for it, the caller begins it by `later()`. */
  take(): boolean {
    if (this.#room === 0) return false;
    if (--this.#room === PER_MACROTASK / 2) this.#next.request(); // not before: a little work needs no macrotask of its own
    return true;
  }

  /** Calls `work`, or ends a turn, in a later macrotask that has room for it, when all microtasks have drained. */
  later(work: Waiting): void {
    if (this.#last.length > 0) this.#last.push(work);
    else {
      this.#last = [work]; // a push would reserve memory for 17 pieces
      this.enter();
    }
    this.#next.request();
    if (this.#last.length < PER_MACROTASK) return;
    this.#full.push(this.#last);
    this.#last = none;
  }

  /** Asks to begin a piece of work: `undefined` if it may begin now, else a promise that resolves when there is room. */
  room(): Promise<void> | undefined {
    return this.take() ? undefined : new Promise((resolve) => this.later(resolve));
  }

  /** Calls `step`, a piece of work, until it returns false: now and in later macrotasks. */
  repeat(step: () => boolean): void {
    while (this.take()) if (!this.#do(step)) return;
    this.later(() => this.#do(step) && this.repeat(step));
  }

  /** Begins a piece of work. Returns what it returns, or true if it throws. */
  #do(work: Waiting): unknown {
    try {
      return typeof work === "function" ? work() : work.endTurn();
    } catch (error) {
      this.#report(error);
      return true;
    }
  }

  /** The executor works until `promise` settles. */
  during<T>(promise: Promise<T>): Promise<T> {
    if (this.#clock.hold === undefined) return promise;
    this.enter();
    return promise.finally(() => this.leave());
  }

  /** A call of the executor has begun: the clock is held until its microtasks have drained. */
  call(): void {
    if (this.#canLose) {
      this.calls++;
      this.#next.requestAgain();
      this.#release.requestAgain();
    }
    if (this.#clock.hold === undefined) return;
    this.enter();
    this.leave();
  }

  /** The executor begins some work. Calls are counted. */
  enter(): void {
    if (this.#work++ > 0 || this.#held) return;
    this.#held = true;
    this.#clock.hold?.(true);
  }

  /** That work has ended. */
  leave(): void {
    if (--this.#work === 0 && this.#clock.release !== undefined) this.#release.request();
  }

  /** An activity begins. That is no work of the executor: the activity may wait for the clock. */
  beginActivity(): void {
    this.#clock.hold?.();
  }

  /** It has ended. The callers who waited for it run before the clock moves. */
  endActivity(): void {
    this.enter();
    this.#clock.release?.();
    this.leave();
  }

  /** A new macrotask. */
  #begin(): void {
    let batch = this.#last;
    if (this.#full.size > 0) batch = this.#full.shift();
    else this.#last = none;
    this.#room = PER_MACROTASK - batch.length;
    if (batch.length === 0) return;
    for (const work of batch) this.#do(work);
    if (this.#full.size > 0 || this.#last.length > 0) this.#next.request();
    this.leave();
  }
}
