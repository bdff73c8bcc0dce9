/**
 * Detects that a test waits for a result that can never come.
 *
 * 1. Only awaited results count, from the moment when the test begins to await them.
 * 2. Nothing counts as a deadlock while something happens: a turn, a write, an activity, a callback of `clock.at()`, or a
 *    timer to which the clock goes by itself.
 * 3. Something may happen that the executor cannot see, such as a request over the network. So a deadlock is reported only
 *    after some real time without any activity.
 *
 * @module
 */

import { systemClock, type VirtualClock } from "../clock.ts";
import type { WorkflowHandle } from "../executor.ts";
import type { OpenRun, ResultOptions } from "../options.ts";
import type { WorkflowStatus } from "../types.ts";
import { describeOpenRuns } from "./open_runs.ts";

/**
 * An awaited result can never come: every open run waits, and nothing is left that could continue one of them.
 *
 * @category Testing
 */
export class DeadlockError extends Error {
  /** The open runs, and what each one waits for. */
  readonly runs: readonly OpenRun[];

  /**
   * Makes the error.
   *
   * @param message The text.
   * @param runs The open runs.
   */
  constructor(message: string, runs: readonly OpenRun[]) {
    super(message);
    this.name = "DeadlockError";
    this.runs = runs;
  }
}

/** An awaited result. */
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
  /** IDs of the runs that a deadlock error has named. */
  readonly reported = new Set<string>();
  /** Increases whenever the executor has something to do. */
  activity = 0;
  /** What a callback of the clock threw while no result was awaited that could reject with it. */
  failure: { readonly error: unknown } | undefined;

  constructor(clock: VirtualClock, graceMs: number, openRuns: () => OpenRun[]) {
    this.#clock = clock;
    this.#graceMs = graceMs;
    this.#openRuns = openRuns;
  }

  /** Makes a handle whose results are watched. */
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
        if (this.#clock.idle && activity === this.activity) this.#report();
      }
    } catch (error) { // a callback of the clock threw
      if (this.#waiters.size === 0) this.failure = { error };
      this.#rejectAll(() => error);
    } finally {
      this.#watching = false;
    }
  }

  /** Lets real time pass, as long as a result is awaited. */
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

  /**
   * Rejects the awaited results of live runs. A run that another executor drives is not watched any more: nobody here knows
   * what it waits for.
   */
  #report(): void {
    const runs = this.#openRuns();
    const live = new Set(runs.map(({ workflowId }) => workflowId));
    this.#rejectAll(({ workflowId }) => {
      if (!live.has(workflowId)) return undefined;
      for (const { runId } of runs) this.reported.add(runId);
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
    const why = this.#clock.autoAdvance ? "no timer is set" : "time passes only by hand";
    const waits = lines.length === 1
      ? `${lines[0]}; ${why}`
      : `${runs.length} runs wait, and ${why}\n  ${lines.join("\n  ")}`;
    const byHand = this.#clock.autoAdvance ? "" : ", move the clock with advance() or runUntilIdle()";
    const way = `Send what they wait for before you await the result${byHand}, or give the wait a "timeoutMs"`;
    return new DeadlockError(`Deadlock: ${waits}\n${way}`, runs);
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

  signal: WorkflowHandle["signal"] = (...args) => this.#handle.signal(...args);
  query: WorkflowHandle["query"] = (...args) => this.#handle.query(...args);
  update: WorkflowHandle["update"] = (...args) => this.#handle.update(...args);
  cancel: WorkflowHandle["cancel"] = (...args) => this.#handle.cancel(...args);
  terminate: WorkflowHandle["terminate"] = (...args) => this.#handle.terminate(...args);
  describe: WorkflowHandle["describe"] = (...args) => this.#handle.describe(...args);

  result(options?: ResultOptions): Promise<Result> {
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

/** A promise that notices when it is awaited. */
class AwaitedPromise<T> extends Promise<T> {
  onAwait: (() => void) | undefined;

  /** The promises of `then`, `catch` and `finally` are plain ones. */
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
