/**
 * The turns of an executor: when workflow code may go on, and whether anything is going on at all.
 *
 * 1. A turn ends one macrotask after it began, when all microtasks have drained. All runs share that hop.
 * 2. While there is work, the clock is held. It is released one hop after the last work ended, so that whoever waited
 *    for that work has spoken first.
 * 3. Without work, nothing is pending: an idle executor does not keep the process alive.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { macrotask as hop } from "../util/macrotask.ts";

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
    hop(this.#end);
  }

  /** Work goes on until `promise` settles. */
  during<T>(promise: Promise<T>): Promise<T> {
    if (this.#clock.hold === undefined) return promise;
    this.enter();
    return promise.finally(() => this.leave());
  }

  /** The executor works. Counted. */
  enter(): void {
    if (this.#work++ > 0 || this.#held) return;
    this.#held = true;
    this.#clock.hold?.(true);
  }

  /** It has ended. */
  leave(): void {
    if (--this.#work > 0 || this.#releasing || this.#clock.release === undefined) return;
    this.#releasing = true;
    hop(this.#release);
  }

  /** An activity runs. That is no work of the executor: what it waits for may be the clock. */
  beginActivity(): void {
    this.#clock.hold?.();
  }

  /** It has ended, and whoever waited for it speaks first. */
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
