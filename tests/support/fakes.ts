/**
 * Activities for random workflows, and the clock of an executor that runs them. They take virtual time, and ignore their
 * signal, heed it, or end some time after it.
 *
 * An activity that is performed again after a restart ends when the first performance would have ended. So a run with
 * restarts has the same history as one without.
 *
 * @module
 */

import { setImmediate } from "node:timers/promises";
import type { ActivityContext, Clock } from "@rockpool/workflow";

/** What an activity does, and for whom. */
export interface Work {
  /** The step of the workflow. */
  readonly path: string;
  /** How many activities the run had issued before. */
  readonly issued: number;
  /** How many attempts fail. */
  readonly failures: number;
  /** Whether it takes some macrotasks, and no virtual time. */
  readonly slow?: boolean | undefined;
  /** How much virtual time the successful attempt takes. */
  readonly takesMs?: number | undefined;
  /** What it does when its signal is aborted; it ignores the signal if this is absent. */
  readonly onAbort?: "throw" | "return" | undefined;
  /** How long after the abort it does so. */
  readonly lateMs?: number | undefined;
  /** Present in an activity that undoes the work of a step: the scope, and what `issued` was when the compensation was added. */
  readonly undoes?: { readonly scope: string; readonly since: number } | undefined;
}

/** A signal that workflow code got. */
export interface Read {
  /** The execution of the code. */
  readonly by: unknown;
  /** The loop; absent if it was a wait for one signal. */
  readonly loop?: string;
  readonly name: string;
  readonly payload: number;
}

/** The activities of one run, over all processes that perform it. */
export class Fakes {
  /** The calls so far, by idempotency key and attempt. A caller may empty it. */
  readonly calls: string[] = [];
  /** The signals that workflow code got, in all executions of it, in order. */
  readonly reads: Read[] = [];
  /** The time of the activities. Without it, they take none. */
  clock: Clock | undefined;
  /** When the attempts end, and when they were aborted. */
  readonly #ends = new Map<string, number>();
  readonly #aborts = new Map<string, number>();

  /** The function of all activities. */
  readonly work = async (work: Work, context: ActivityContext): Promise<number> => {
    const { attempt, idempotencyKey, signal } = context;
    const key = `${idempotencyKey}#${attempt}`;
    this.calls.push(key);
    if (work.slow) await this.#macrotasks(20);
    if (attempt <= work.failures) throw new RangeError(`attempt ${attempt}`);
    if (work.takesMs !== undefined && this.clock !== undefined) await this.#take(key, work.takesMs, work, signal);
    return attempt;
  };

  #take(key: string, takesMs: number, { onAbort, lateMs = 0 }: Work, signal: AbortSignal): Promise<void> {
    const endsAt = once(this.#ends, key, this.clock!.now() + takesMs);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let cancel = () => {};
    const end = (time: number, how: () => void) => {
      cancel();
      cancel = this.#at(time, how);
    };
    const abort = () => {
      const { reason } = signal;
      if (reason.code === "closed") return end(0, () => reject(reason)); // its executor is closed: nobody hears of it
      const at = once(this.#aborts, key, this.clock!.now()) + lateMs;
      // The time of the abort is lost if its process died before it knew: then it is not too late for it.
      if (at < endsAt || lateMs === 0) end(at, onAbort === "throw" ? () => reject(reason) : resolve);
      else end(endsAt, resolve);
    };
    if (onAbort !== undefined && signal.aborted) abort();
    else {
      end(endsAt, resolve);
      if (onAbort !== undefined) signal.addEventListener("abort", abort, { once: true });
    }
    return promise;
  }

  /** Calls `callback` at a time, and lets its microtasks run before time passes. Returns a function that cancels it. */
  #at(time: number, callback: () => void): () => void {
    const clock = this.clock!;
    if (time <= clock.now()) {
      callback();
      return () => {};
    }
    return clock.setTimer(time, () => {
      callback();
      this.#macrotasks(1);
    });
  }

  async #macrotasks(count: number): Promise<void> {
    this.clock?.hold?.();
    for (let i = 0; i < count; i++) await setImmediate();
    setImmediate().then(() => this.clock?.release?.()); // the executor goes on first
  }
}

/** Sets an entry if it is absent, and returns it. */
function once<K, V>(map: Map<K, V>, key: K, value: V): V {
  if (!map.has(key)) map.set(key, value);
  return map.get(key)!;
}

/** The clock of one executor. It counts the timers that are set. Activities do not hold it: {@linkcode Fakes} do. */
export class CountingClock implements Clock {
  /** When the timers that are set are due. */
  readonly #due = new Map<symbol, number>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many timers are set. */
  get timers(): number {
    return this.#due.size;
  }

  /** How long the timers that are set still take, for messages. */
  get rest(): number[] {
    return [...this.#due.values()].map((dueAt) => dueAt - this.now());
  }

  now(): number {
    return this.#clock.now();
  }

  setTimer(dueAt: number, callback: () => void): () => void {
    const timer = Symbol();
    const end = () => this.#due.delete(timer);
    this.#due.set(timer, dueAt);
    const cancel = this.#clock.setTimer(dueAt, () => {
      end();
      callback();
    });
    return () => {
      end();
      cancel();
    };
  }

  hold(working = false): void {
    if (working) this.#clock.hold?.(true);
  }

  release(working = false): void {
    if (working) this.#clock.release?.(true);
  }
}
