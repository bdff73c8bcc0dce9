/**
 * Calls of workflow code that are refused: after a cancellation, after the end of a scope, or because of a bad argument.
 *
 * 1. A refused call is answered with a promise that rejects. If no code may see the answer any more, it never settles.
 * 2. A loop that catches refusals and tries again would never leave its turn. After `MAX_REFUSALS` in a turn, none settles any
 *    more, and the code is given up: its scope fails with the reason, and so do those around it, up to the run. Code of a scope
 *    whose body has ended is stopped, and nothing fails.
 *
 * @module
 */

import { CanceledError } from "../errors.ts";
import { Deferred } from "../util/deferred.ts";
import type { Scope } from "./scope.ts";

/** The run whose calls are refused. */
export interface Refusing {
  /** The name of the workflow in messages. */
  readonly name: string;
  /** Whether no wait of the code settles any more. */
  readonly stopped: boolean;
  /** Whether decisions are not reported any more. */
  readonly silent: boolean;
}

/** How often code may be refused in one turn: 100,000 rounds, or a million refusals in fewer rounds. */
const MAX_REFUSALS = 1_000_000;
const ROUND = 10;

/** A new promise at each call: a shared promise would keep all its waiters in memory. */
export const never = () => new Promise<never>(() => {});

export class Refusals {
  readonly #run: Refusing;
  #scopeEnded: Error | undefined;
  #scopeClosed: Error | undefined;
  /** How often a call was refused in this turn; the end of the turn sets it back. Refusals that no microtask separates, as in a fan-out, are a round. */
  count = 0;
  #inRound = false;

  constructor(run: Refusing) {
    this.#run = run;
  }

  /** The error of waits that the end of a scope cuts off. */
  get scopeEnded(): Error {
    return this.#scopeEnded ??= new CanceledError(`A scope of ${this.#run.name} has ended`);
  }

  /** The answer to a wait of a scope that has ended or was cancelled, or of code that has ended. */
  refusal(scope: Scope): Promise<never> {
    const { canceled } = scope;
    if (this.#run.silent || canceled === undefined) return never();
    const isLate = scope.closed && canceled === this.#scopeEnded;
    return this.refuse(scope, isLate ? this.#closedError(canceled) : canceled);
  }

  /** The error of a call on the context of a scope that is closed. */
  #closedError({ message }: Error): Error {
    return this.#scopeClosed ??= new CanceledError(`${message}; use the context around it`);
  }

  /** The answer to a call that is refused. */
  refuse(scope: Scope, reason: unknown): Promise<never> {
    if (this.#run.stopped) return never();
    if (!this.#inRound) {
      this.#inRound = true;
      Promise.resolve().then(() => this.#inRound = false);
      this.count += ROUND - 1;
    }
    this.count++;
    if (this.count <= MAX_REFUSALS) return Deferred.rejected(reason);
    this.count = Infinity; // no further one settles before the microtasks have drained
    scope.giveUp({ error: reason });
    return never();
  }
}
