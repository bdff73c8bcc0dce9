/**
 * Detects that a test waits for a result that can never come.
 *
 * 1. Only awaited results count, from the moment when the test begins to await them.
 * 2. Nothing counts as a deadlock while something happens: a turn, a write, an activity, a callback of `clock.at()`, or a
 *    timer to which the clock goes by itself.
 * 3. Something may happen that the executor cannot see, such as a request over the network. So a deadlock is reported only
 *    after some real time without any activity.
 * 4. The time stands still while an activity runs. An activity that waits for it never ends: a fake is taken for that if it
 *    does nothing for some real time, another activity only if a run or a callback of the clock waits for a time, and after
 *    much longer.
 *
 * @module
 */

import { systemClock, type VirtualClock } from "../clock.ts";
import type { WorkflowHandle } from "../executor.ts";
import type { OpenRun, ResultOptions, Wait } from "../options.ts";
import type { WorkflowStatus } from "../types.ts";
import type { ActivityCall } from "./fakes.ts";
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

/** How long activities may do nothing, at least, in real time: fakes, and all others if something waits for a time. */
const FAKE_PATIENCE_MS = 100;
const REAL_PATIENCE_MS = 10_000;

/** An awaited result. */
interface Waiter {
  readonly workflowId: string;
  reject(error: unknown): void;
}

export class DeadlockWatch {
  readonly #clock: VirtualClock;
  readonly #graceMs: number;
  readonly #openRuns: () => OpenRun[];
  readonly #calls: () => readonly ActivityCall[];
  readonly #hasOtherTimers: () => boolean;
  readonly #waiters = new Set<Waiter>();
  #watching = false;
  #watchingActivities = false;
  readonly #endPauses = new Set<() => void>();
  /** How many holds of the executor end by themselves, and how many are activities. */
  #working = 0;
  #activities = 0;
  /** IDs of the runs that a deadlock error has named. */
  readonly reported = new Set<string>();
  /** Increases whenever the executor has something to do. */
  #activity = 0;
  /** What a callback of the clock threw while no result was awaited that could reject with it. */
  failure: { readonly error: unknown } | undefined;

  /**
   * @param calls The attempts of activities.
   * @param hasOtherTimers Whether the clock has timers that the executor did not set, such as a callback of `clock.at()`.
   */
  constructor(
    clock: VirtualClock,
    graceMs: number,
    openRuns: () => OpenRun[],
    calls: () => readonly ActivityCall[],
    hasOtherTimers: () => boolean,
  ) {
    this.#clock = clock;
    this.#graceMs = graceMs;
    this.#openRuns = openRuns;
    this.#calls = calls;
    this.#hasOtherTimers = hasOtherTimers;
  }

  /** The executor holds the clock. */
  held(working: boolean | undefined): void {
    this.#activity++;
    if (working) this.#working++;
    else this.#activities++;
  }

  /** The executor ends a hold. */
  released(working: boolean | undefined): void {
    if (working) this.#working--;
    else this.#activities--;
  }

  /** Makes a handle whose results are watched. */
  guard<Result>(handle: WorkflowHandle<Result>): WorkflowHandle<Result> {
    return this.#graceMs === Infinity ? handle : new WatchedHandle(this, handle);
  }

  wait(waiter: Waiter): void {
    this.#waiters.add(waiter);
    if (!this.#watching) void this.#watch();
    if (!this.#watchingActivities) void this.#watchActivities();
  }

  done(waiter: Waiter): void {
    if (this.#waiters.delete(waiter) && this.#waiters.size === 0) this.#endAllPauses();
  }

  #endAllPauses(): void {
    for (const end of this.#endPauses) end();
  }

  async #watch(): Promise<void> {
    this.#watching = true;
    try {
      while (this.#waiters.size > 0) {
        await (this.#clock.autoAdvance ? this.#clock.runUntilIdle() : this.#clock.whenIdle());
        const activity = this.#activity;
        await this.#pause(this.#graceMs);
        if (this.#clock.idle && activity === this.#activity) this.#report(false);
      }
    } catch (error) { // a callback of the clock threw
      if (this.#waiters.size === 0) this.failure = { error };
      this.#rejectAll(() => error);
    } finally {
      this.#watching = false;
    }
  }

  /** Finds activities that keep the clock from moving, and that may wait for just that. */
  async #watchActivities(): Promise<void> {
    this.#watchingActivities = true;
    const stepMs = Math.max(this.#graceMs, FAKE_PATIENCE_MS);
    for (let quietMs = 0; this.#waiters.size > 0;) {
      const activity = this.#activity;
      await this.#pause(stepMs);
      quietMs = activity === this.#activity ? quietMs + stepMs : 0;
      if (quietMs > 0 && this.#working === 0 && this.#activities > 0 && this.#isPatienceOver(quietMs)) {
        this.#report(true);
      }
    }
    this.#watchingActivities = false;
  }

  /** The attempts that run. */
  get #running(): ActivityCall[] {
    return this.#calls().filter(({ outcome }) => outcome === undefined);
  }

  #isPatienceOver(quietMs: number): boolean {
    const running = this.#running;
    // If there are fewer, a middleware is at work.
    if (running.length >= this.#activities && running.every(({ replaced }) => replaced)) return true;
    return quietMs >= REAL_PATIENCE_MS &&
      (this.#hasOtherTimers() || this.#openRuns().some(({ waitsFor }) => waitsFor.some(isTimed)));
  }

  /** Lets real time pass, as long as a result is awaited. */
  async #pause(ms: number): Promise<void> {
    if (this.#waiters.size === 0) return;
    await new Promise<void>((resolve) => {
      const end = () => {
        clear();
        this.#endPauses.delete(end);
        resolve();
      };
      const clear = systemClock.setTimer(systemClock.now() + ms, end);
      this.#endPauses.add(end);
    });
  }

  /**
   * Rejects the awaited results of live runs. A run that another executor drives is not watched any more: nobody here knows
   * what it waits for.
   *
   * @param forTime Whether activities run, and nobody knows what they wait for.
   */
  #report(forTime: boolean): void {
    const runs = this.#openRuns();
    const live = new Set(runs.map(({ workflowId }) => workflowId));
    this.#rejectAll(({ workflowId }) => {
      if (!live.has(workflowId)) return undefined;
      for (const { runId } of runs) this.reported.add(runId);
      return this.#error(runs, forTime);
    });
  }

  #rejectAll(errorOf: (waiter: Waiter) => unknown): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    this.#endAllPauses();
    for (const waiter of waiters) {
      const error = errorOf(waiter);
      if (error !== undefined) waiter.reject(error);
    }
  }

  #error(runs: readonly OpenRun[], forTime: boolean): DeadlockError {
    const lines = describeOpenRuns(runs, this.#clock.now());
    const why = forTime
      ? "time does not pass while an activity runs"
      : this.#clock.autoAdvance
      ? "no timer is set"
      : "time passes only by hand";
    const waits = lines.length === 1
      ? `${lines[0]}; ${why}`
      : `${runs.length} runs wait, and ${why}\n  ${lines.join("\n  ")}`;
    const byHand = this.#clock.autoAdvance ? "" : ", move the clock with advance() or runUntilIdle()";
    const replace = this.#running.every(({ replaced }) => replaced) ? "" : ", replace it with replace()";
    const way = forTime
      ? `Let the activity end without a wait for the clock or for a run that sleeps${replace}, or move the clock with advance()`
      : `Send what they wait for before you await the result${byHand}, or give the wait a "timeoutMs"`;
    return new DeadlockError(`Deadlock: ${waits}\n${way}`, runs);
  }
}

function isTimed({ type, ...wait }: Wait): boolean {
  return type === "timer" || type === "start" || "retryAt" in wait || "wakesAt" in wait;
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

  override then<A = T, B = never>(
    onfulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onrejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.onAwait?.();
    return super.then(onfulfilled, onrejected);
  }
}
