/**
 * The turn scheduler of an executor: when the next event may be applied, and whether the executor works at all.
 *
 * 1. A turn ends one macrotask after it began, when all microtasks have drained. All runs share that macrotask.
 * 2. While the executor works, the clock is held: a virtual clock does not move. It is released one macrotask after the last
 *    work ended, so that the callers who waited for that work run first.
 * 3. Without work, nothing is pending: an idle executor does not keep the process alive.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { macrotask } from "../util/macrotask.ts";

export class Turns {
  readonly #clock: Clock;
  #open: { endTurn(): void }[] = [];
  #work = 0;
  #held = false;
  #releasing = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `run.endTurn()` when all microtasks have drained. */
  begin(run: { endTurn(): void }): void {
    if (this.#open.push(run) > 1) return;
    this.enter();
    macrotask(this.#end);
  }

  /** The executor works until `promise` settles. */
  during<T>(promise: Promise<T>): Promise<T> {
    if (this.#clock.hold === undefined) return promise;
    this.enter();
    return promise.finally(() => this.leave());
  }

  /** The executor begins some work. Calls are counted. */
  enter(): void {
    if (this.#work++ > 0 || this.#held) return;
    this.#held = true;
    this.#clock.hold?.(true);
  }

  /** That work has ended. */
  leave(): void {
    if (--this.#work > 0 || this.#releasing || this.#clock.release === undefined) return;
    this.#releasing = true;
    macrotask(this.#release);
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

  readonly #end = (): void => {
    const ended = this.#open;
    this.#open = [];
    for (const run of ended) run.endTurn();
    this.leave();
  };

  readonly #release = (): void => {
    this.#releasing = false;
    if (this.#work > 0) return;
    this.#held = false;
    this.#clock.release!(true);
  };
}
