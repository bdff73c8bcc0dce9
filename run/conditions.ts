/**
 * Waits of workflow code until a condition is true.
 *
 * 1. A condition is checked when its wait begins, and whenever the microtasks of a turn have drained: only code of the workflow
 *    changes what it reads.
 * 2. All are checked, in the order in which their waits began. Then the code of those that are true runs.
 *
 * @module
 */

import { cannot } from "../util/check.ts";
import { Deferred, isStrayPromise } from "../util/deferred.ts";
import { type Few, members, withMember, withoutMember } from "../util/few.ts";
import type { Open, Scope } from "./scope.ts";

class Condition extends Deferred<void> implements Open {
  readonly #check: () => boolean;
  readonly #drop: (condition: Condition) => void;

  /** @param drop Ends the wait. */
  constructor(check: () => boolean, drop: (condition: Condition) => void) {
    super();
    this.#check = check;
    this.#drop = drop;
  }

  cancel(reason: Error): void {
    this.#drop(this);
    this.reject(reason);
  }

  /** Checks again, and returns whether the wait has ended. */
  settle(): boolean {
    try {
      const met = this.#check();
      if (!met) return false;
      if (isStrayPromise(met)) throw new TypeError(`${cannot("wait until")}: the condition returned a promise`);
      this.resolve();
    } catch (error) {
      this.reject(error);
    }
    return true;
  }
}

export class Conditions {
  #open: Few<Condition>;

  /** How many waits have not ended. */
  get size(): number {
    return [...members(this.#open)].length;
  }

  /** Waits until `check` returns true. See `Replay.within()` for what is returned. */
  wait(scope: Scope, check: () => boolean): { promise: Promise<void>; withdraw: () => void; over: boolean } {
    const withdraw = () => {
      this.#drop(condition);
      scope.delete(condition);
    };
    const condition = new Condition(check, withdraw);
    const over = condition.settle();
    if (!over) {
      this.#open = withMember(this.#open, condition);
      scope.add(condition);
    }
    return { promise: condition.promise, withdraw, over };
  }

  #drop(condition: Condition): void {
    this.#open = withoutMember(this.#open, condition);
  }

  /**
   * Checks all again.
   *
   * @param replay Whether it was stopped, perhaps by a condition: no further wait ends then.
   * @returns Whether a wait has ended: its code runs.
   */
  settle(replay: { readonly stopped: boolean }): boolean {
    let settled = false;
    for (const condition of [...members(this.#open)]) {
      if (replay.stopped || !condition.settle()) continue;
      this.#drop(condition);
      settled = true;
    }
    return settled;
  }
}
