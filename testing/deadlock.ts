/**
 * Finds out when a test waits for a result that cannot come any more.
 *
 * 1. Nobody is suspected who does not wait: it counts from the moment in which somebody awaits the result.
 * 2. While something goes on, nobody is suspected either: turns, writes, activities, callbacks of `clock.at()`, and timers
 *    that the clock goes to by itself.
 * 3. What nobody can see, such as a request that comes back to the test over the network, has some real time to show.
 *
 * @module
 */

import { systemClock, type VirtualClock } from "../clock.ts";
import type { OpenRun, WorkflowHandle } from "../executor.ts";
import type { WorkflowStatus } from "../types.ts";
import { describeOpenRuns } from "./open_runs.ts";

/** A result for which a test waits can never come: every run waits, and nothing is left that could wake one. */
export class DeadlockError extends Error {
  /** The runs that are open, and what each one waits for. */
  readonly runs: readonly OpenRun[];

  /**
   * Makes the error.
   *
   * @param message What to say.
   * @param runs The runs that are open.
   */
  constructor(message: string, runs: readonly OpenRun[]) {
    super(message);
    this.name = "DeadlockError";
    this.runs = runs;
  }
}

/** Who waits for a result. */
interface Waiter {
  readonly workflowId: string;
  reject(error: unknown): void;
}

export class DeadlockWatch {
  readonly #clock: VirtualClock;
  readonly #graceMs: number;
  readonly #openRuns: () => OpenRun[];
  readonly #waiters = new Set<Waiter>();
  #watching = false;
  #endPause: (() => void) | undefined;
  /** IDs of the runs that a deadlock was told of. */
  readonly told = new Set<string>();
  /** Counted up whenever the executor has something to do. */
  activity = 0;
  /** What a callback of the clock threw while nobody waited who could have been told. */
  failure: { readonly error: unknown } | undefined;

  constructor(clock: VirtualClock, graceMs: number, openRuns: () => OpenRun[]) {
    this.#clock = clock;
    this.#graceMs = graceMs;
    this.#openRuns = openRuns;
  }

  /** A handle whose results are watched. */
  guard<Result>(handle: WorkflowHandle<Result>): WorkflowHandle<Result> {
    return this.#graceMs === Infinity ? handle : new WatchedHandle(this, handle);
  }

  wait(waiter: Waiter): void {
    this.#waiters.add(waiter);
    if (!this.#watching) void this.#watch();
  }

  done(waiter: Waiter): void {
    if (this.#waiters.delete(waiter) && this.#waiters.size === 0) this.#endPause?.();
  }

  async #watch(): Promise<void> {
    this.#watching = true;
    try {
      while (this.#waiters.size > 0) {
        await (this.#clock.autoAdvance ? this.#clock.runUntilIdle() : this.#clock.whenIdle());
        const { activity } = this;
        await this.#pause();
        if (this.#clock.idle && activity === this.activity) this.#tell();
      }
    } catch (error) { // of a callback of the clock
      if (this.#waiters.size === 0) this.failure = { error };
      this.#rejectAll(() => error);
    } finally {
      this.#watching = false;
    }
  }

  /** Lets real time pass, as long as anybody waits. */
  async #pause(): Promise<void> {
    if (this.#waiters.size === 0) return;
    await new Promise<void>((resolve) => {
      const clear = systemClock.setTimer(systemClock.now() + this.#graceMs, resolve);
      this.#endPause = () => {
        clear();
        resolve();
      };
    });
    this.#endPause = undefined;
  }

  /** Of a workflow that is not live here, nobody here knows what it waits for: it is watched no more. */
  #tell(): void {
    const runs = this.#openRuns();
    const live = new Set(runs.map(({ workflowId }) => workflowId));
    this.#rejectAll(({ workflowId }) => {
      if (!live.has(workflowId)) return undefined;
      for (const { runId } of runs) this.told.add(runId);
      return this.#error(runs);
    });
  }

  #rejectAll(errorOf: (waiter: Waiter) => unknown): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of waiters) {
      const error = errorOf(waiter);
      if (error !== undefined) waiter.reject(error);
    }
  }

  #error(runs: readonly OpenRun[]): DeadlockError {
    const lines = describeOpenRuns(runs, this.#clock.now());
    const why = this.#clock.autoAdvance ? "no timer is set" : "time passes by hand only";
    const all = lines.length === 1
      ? `${lines[0]}; ${why}`
      : `${runs.length} runs wait, and ${why}\n  ${lines.join("\n  ")}`;
    const byHand = this.#clock.autoAdvance ? "" : ", move the clock by advance() or runUntilIdle()";
    const way = `Send what they wait for before you await the result${byHand}, or give the wait a "timeoutMs"`;
    return new DeadlockError(`Deadlock: ${all}\n${way}`, runs);
  }
}

class WatchedHandle<Result> implements WorkflowHandle<Result> {
  readonly #watch: DeadlockWatch;
  readonly #handle: WorkflowHandle<Result>;

  constructor(watch: DeadlockWatch, handle: WorkflowHandle<Result>) {
    this.#watch = watch;
    this.#handle = handle;
  }

  get id(): string {
    return this.#handle.id;
  }

  get runId(): string {
    return this.#handle.runId;
  }

  get status(): WorkflowStatus {
    return this.#handle.status;
  }

  result(options?: { readonly signal?: AbortSignal }): Promise<Result> {
    const result = this.#handle.result(options);
    let reject!: (error: unknown) => void;
    const promise = new AwaitedPromise<Result>((resolve, fail) => result.then(resolve, reject = fail));
    const waiter: Waiter = { workflowId: this.id, reject };
    promise.onAwait = () => this.#watch.wait(waiter);
    const settle = () => {
      promise.onAwait = undefined;
      this.#watch.done(waiter);
    };
    result.then(settle, settle);
    return promise;
  }
}

/** A promise that knows when somebody begins to wait for it. */
class AwaitedPromise<T> extends Promise<T> {
  onAwait: (() => void) | undefined;

  /** What comes of it is a promise like any other. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  override then<A = T, B = never>(
    onfulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onrejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.onAwait?.();
    return super.then(onfulfilled, onrejected);
  }
}
