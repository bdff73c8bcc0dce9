/**
 * Brings Restate's completions into a run, one at a time.
 *
 * 1. No promise of Restate leaves this module. Workflow code that waited for one would get another order of completions in a replay:
 *    the SDK's promises settle in the order in which they are looked at.
 * 2. One `race` over everything that is in flight is the only wait. Restate's journal decides who wins, so the order is the same in
 *    each replay of the invocation.
 * 3. The next race begins when the run is at rest: its executor has said that it has nothing to do (`Clock.release`), and so it has
 *    asked for everything that it will ask for.
 *
 * @module
 */

import type { Clock } from "../../clock.ts";
import { Deferred } from "../../util/deferred.ts";
import { macrotask } from "../../util/macrotask.ts";
import type { RestatePromise } from "./sdk.ts";

/** What wins a race. */
interface Won {
  readonly number: number;
  readonly value?: unknown;
  readonly failure?: Error | undefined;
}

interface InFlight {
  readonly promise: RestatePromise<Won>;
  readonly answer: Deferred<never>;
}

export class Pump {
  readonly #race: (promises: readonly RestatePromise<Won>[]) => PromiseLike<Won>;
  readonly #inFlight = new Map<number, InFlight>();
  #last = 0;

  constructor(race: (promises: readonly RestatePromise<Won>[]) => PromiseLike<Won>) {
    this.#race = race;
  }

  /** A native promise that settles as `promise` does, when its turn has come. It may be awaited later, or never. */
  add<T>(promise: RestatePromise<T>): Promise<T> {
    return this.#add(promise)[1];
  }

  /** The same, and a function that drops it: it takes part in no race any more. */
  addDroppable<T>(promise: RestatePromise<T>): [Promise<T>, drop: () => void] {
    const [number, answer] = this.#add(promise);
    return [answer, () => void this.#inFlight.delete(number)];
  }

  #add<T>(promise: RestatePromise<T>): [number, Promise<T>] {
    const number = ++this.#last;
    const answer = new Deferred<never>();
    this.#inFlight.set(number, { promise: promise.map((value, failure) => ({ number, value, failure })), answer });
    return [number, answer.promise];
  }

  /** Waits for the next completion and hands it on. */
  async next(): Promise<void> {
    const { number, value, failure } = await this.#race([...this.#inFlight.values()].map(({ promise }) => promise));
    const { answer } = this.#inFlight.get(number)!;
    this.#inFlight.delete(number);
    if (failure === undefined) answer.resolve(value as never);
    else answer.reject(failure);
  }
}

/** The time of a run: it stands still while the run works, and is that of the last completion. Its timers are Restate's. */
export class PumpClock implements Clock {
  readonly #sleep: (ms: number) => RestatePromise<void>;
  readonly #pump: Pump;
  #now: number;
  #working = 0;
  #released: Deferred<void> | undefined;

  constructor(now: number, pump: Pump, sleep: (ms: number) => RestatePromise<void>) {
    this.#now = now;
    this.#pump = pump;
    this.#sleep = sleep;
  }

  now(): number {
    return this.#now;
  }

  /** A completion says what time it is. The clock does not go back. */
  reach(now: number): void {
    this.#now = Math.max(this.#now, now);
  }

  setTimer(dueAt: number, callback: () => void): () => void {
    if (dueAt === Infinity) return () => {};
    const [fired, drop] = this.#pump.addDroppable(this.#sleep(Math.max(0, Math.ceil(dueAt - this.#now))));
    fired.then(() => {
      this.reach(dueAt);
      callback();
    });
    return drop;
  }

  hold(working?: boolean): void {
    if (working) this.#working++;
  }

  release(working?: boolean): void {
    if (!working || --this.#working > 0) return;
    this.#released?.resolve();
    this.#released = undefined;
  }

  /** Resolves when the run has nothing to do until a completion comes. */
  async rest(): Promise<void> {
    do {
      if (this.#working > 0) await (this.#released ??= new Deferred()).promise;
      await new Promise<void>(macrotask); // what has just been told may begin more
    } while (this.#working > 0);
  }
}
