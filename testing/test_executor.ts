/**
 * An executor for tests: with virtual time, replaced activities, and errors where a test would hang or leave runs open.
 *
 * 1. An awaited result that can never come rejects with a {@linkcode DeadlockError}.
 * 2. Runs that are open at the end of a test are an error, unless the test closed the executor itself.
 * 3. Tests share nothing: no store, no clock, no global.
 *
 * @example
 * ```ts
 * import { DeadlockError, TestExecutor } from "@rockpool/workflow/testing";
 * import type { WorkflowContext } from "@rockpool/workflow";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const DAY_MS = 86_400_000;
 * async function order(ctx: WorkflowContext) {
 *   return await ctx.waitForSignal("approval", { timeoutMs: 7 * DAY_MS });
 * }
 *
 * await using executor = new TestExecutor();
 * executor.clock.at(3 * DAY_MS, () => executor.signal("a", "approval", "fine"));
 * const handle = await executor.execute(order, { id: "a" });
 * assertEquals(await handle.result(), "fine");
 * assertEquals(executor.clock.now(), 3 * DAY_MS);
 *
 * const patient = async (ctx: WorkflowContext) => await ctx.waitForSignal("approval");
 * const waiting = await executor.execute(patient, { id: "b" });
 * await assertRejects(() => waiting.result(), DeadlockError, 'run "b" (patient) waits for signal "approval"');
 * await executor.cancel("b");
 * await assertRejects(() => waiting.result());
 * ```
 *
 * @module
 */

import { type Clock, VirtualClock } from "../clock.ts";
import { Executor, type WorkflowHandle } from "../executor.ts";
import type { AnyActivity, CloseOptions, ExecuteArgs, ExecutorOptions } from "../options.ts";
import { InMemoryStore } from "../store.ts";
import type { DeepReadonly, WorkflowStore } from "../types.ts";
import type { WorkflowFunction } from "../context.ts";
import type { ActivityContext } from "../activity.ts";
import { checkNumber, checkOptions } from "../util/check.ts";
import { Deferred } from "../util/deferred.ts";
import { ActivityRecorder } from "./activity_recorder.ts";
import { DeadlockWatch } from "./deadlock.ts";
import type { ActivityCall, Replacement } from "./fakes.ts";
import { describeOpenRuns } from "./open_runs.ts";
import { seeded } from "./seeded.ts";

/**
 * Options of a {@linkcode TestExecutor}: the options of an executor, and some of its own. All are optional.
 *
 * @category Testing
 */
export interface TestExecutorOptions<Store extends WorkflowStore = InMemoryStore>
  extends Omit<ExecutorOptions, "store" | "clock" | "replaceActivity"> {
  /**
   * The store. Pass that of another test executor to continue its runs.
   *
   * @default {a new InMemoryStore}
   */
  readonly store?: Store | undefined;
  /**
   * The clock. Pass that of another test executor to run after it, or at the same time.
   *
   * @default {a new VirtualClock, which jumps by itself}
   */
  readonly clock?: VirtualClock | undefined;
  /**
   * Replacements of activities, made by `replace()`. The first one that matches counts. All other activities run themselves.
   *
   * @default {none}
   */
  readonly activities?: readonly Replacement[] | undefined;
  /**
   * How long nothing must have happened, in milliseconds of real time, before an awaited result rejects with a
   * {@linkcode DeadlockError}: from 0, or `Infinity` for never. Meanwhile something that the executor cannot see, such as a
   * request over the network, can still send a signal.
   *
   * While fakes run, the limit is 100 ms at least: the time stands still, and they may wait for it. While other activities run
   * and a run or a callback of the clock waits for a time, it is 10 s at least.
   *
   * @default {100}
   */
  readonly deadlockAfterMs?: number | undefined;
}

const optionNames: Readonly<Record<keyof TestExecutorOptions, true>> = {
  store: true,
  clock: true,
  activities: true,
  deadlockAfterMs: true,
  workflows: true,
  workflowVersion: true,
  hooks: true,
  middleware: true,
  onError: true,
  logger: true,
  storeRetry: true,
  leaseMs: true,
  maxConcurrentActivities: true,
  maxConcurrentWorkflows: true,
  dormantAfterMs: true,
  maxHistoryEvents: true,
  maxPayloadBytes: true,
  random: true,
  newRunId: true,
};

/**
 * An executor for tests. Without the option `random`, the jitter of retries follows from `seeded(1)`.
 *
 * Time does not pass by itself while an activity runs, replaced or not. To test the timeout of an activity that never ends,
 * move the clock: `await executor.clock.advance(timeoutMs)`.
 *
 * Disposal closes the executor. It throws if runs are open, unless the test called `close()` or a {@linkcode DeadlockError}
 * has named them. It also throws if an unused replacement is probably a mistake: one by name, if activities ran that were
 * not replaced; one by function, if another function of the same name ran. If a callback of the clock threw, and no awaited
 * result has rejected with that error, disposal throws it.
 *
 * @category Testing
 */
export class TestExecutor<Store extends WorkflowStore = InMemoryStore> extends Executor {
  /** The store. */
  readonly store: Store;
  /** The clock. */
  readonly clock: VirtualClock;
  readonly #activities: ActivityRecorder;
  readonly #watch: DeadlockWatch;
  #closed = false;

  /**
   * Makes an executor.
   *
   * @param options All are optional.
   * @throws {TypeError} If an option is unknown or of the wrong type.
   * @throws {RangeError} If a number is out of its range.
   */
  constructor(options: TestExecutorOptions<Store> = {}) {
    checkOptions(options, optionNames, "create an executor");
    const { clock = new VirtualClock(), activities = [], deadlockAfterMs = 100, ...rest } = options;
    const store = options.store ?? new InMemoryStore({ clock }) as WorkflowStore as Store;
    if (deadlockAfterMs !== Infinity) checkNumber("deadlockAfterMs", deadlockAfterMs, 0, "create an executor");
    const record = new ActivityRecorder(activities, () => clock.now(), (ms, signal) => wait(watched, ms, signal));
    const openRuns = () => this.openRuns();
    const own = new Set<() => void>(); // clears each timer that the executor has set
    const hasOthers = () => clock.pendingTimers > own.size;
    const watch: DeadlockWatch = new DeadlockWatch(clock, deadlockAfterMs, openRuns, () => record.calls, hasOthers);
    const watched: Clock = {
      now: () => clock.now(),
      setTimer(dueAt, callback) {
        const clear = clock.setTimer(dueAt, () => {
          own.delete(clear);
          callback();
        });
        own.add(clear);
        return () => {
          own.delete(clear);
          clear();
        };
      },
      hold(working) {
        watch.held(working);
        clock.hold(working);
      },
      release(working) {
        watch.released(working);
        clock.release(working);
      },
    };
    const { replaceActivity } = record;
    super({ random: seeded(1), ...rest, store, clock: watched, replaceActivity });
    this[Symbol.asyncDispose] = () => this.#dispose();
    this.store = store;
    this.clock = clock;
    this.#activities = record;
    this.#watch = watch;
  }

  /**
   * Runs a test with a new executor, and disposes of it. A test that fails keeps its own error. With `await using`, a failed
   * test that leaves a run open throws a `SuppressedError`, and some test runners show neither of its parts.
   *
   * @param body The test.
   * @param options The options of the constructor.
   * @returns What the test returns.
   * @throws What the test throws, or else what disposal throws.
   */
  static async use<T, Store extends WorkflowStore = InMemoryStore>(
    body: (executor: TestExecutor<Store>) => T | PromiseLike<T>,
    options?: TestExecutorOptions<Store>,
  ): Promise<T> {
    const executor = new TestExecutor<Store>(options);
    let failed = true;
    try {
      const answer = await body(executor);
      failed = false;
      return answer;
    } finally {
      await (failed ? executor.close() : executor[Symbol.asyncDispose]());
    }
  }

  /** The attempts of all activities so far, replaced or not, in the order in which they began. */
  get calls(): readonly ActivityCall[] {
    return this.#activities.calls;
  }

  /**
   * Returns the attempts of one activity so far.
   *
   * @param activity The function that the workflow passes to `executeActivity`.
   */
  callsOf<Input, Output>(
    activity: (input: Input, context: ActivityContext) => Output,
  ): readonly ActivityCall<Input, Awaited<Output>>[];
  /**
   * Returns the attempts of all activities of a name so far.
   *
   * @param activity The name in the history.
   */
  callsOf<Input = unknown, Output = unknown>(activity: string): readonly ActivityCall<Input, Output>[];
  callsOf(activity: AnyActivity | string): readonly ActivityCall<never, never>[] {
    return this.#activities.callsOf(activity) as ActivityCall<never, never>[];
  }

  /** Starts a workflow; see {@linkcode Executor.execute}. */
  // deno-lint-ignore no-explicit-any -- signals of any payload
  override async execute<Input, Returned, Signals extends readonly unknown[] = readonly any[]>(
    workflow: WorkflowFunction<Input, Returned>,
    ...args: ExecuteArgs<Input, Signals>
  ): Promise<WorkflowHandle<DeepReadonly<Awaited<Returned>>>> {
    return this.#watch.guard(await super.execute(workflow, ...args));
  }

  /** Returns a handle of a run; see {@linkcode Executor.handle}. */
  override async handle<Result = unknown>(id: string): Promise<WorkflowHandle<DeepReadonly<Result>>> {
    return this.#watch.guard(await super.handle<Result>(id));
  }

  /** Resumes all running runs of the store; see {@linkcode Executor.recover}. */
  override async recover(): Promise<WorkflowHandle[]> {
    return (await super.recover()).map((handle) => this.#watch.guard(handle));
  }

  /** Closes the executor, and allows open runs; see {@linkcode Executor.close}. */
  override close(options?: CloseOptions): Promise<void> {
    this.#closed = true;
    return super.close(options);
  }

  /** Closes the executor, and reports problems at the end of the test. Waits for what is in flight, without moving the time. */
  async #dispose(): Promise<void> {
    const complaints: string[] = [];
    try {
      if (!this.#closed) {
        await this.clock.advance(0);
        const unreported = this.openRuns().filter(({ runId }) => !this.#watch.reported.has(runId));
        const lines = describeOpenRuns(unreported, this.clock.now());
        if (lines.length > 0) complaints.push(describeLeak(lines));
      }
    } finally {
      await super.close();
    }
    const complaint = this.#activities.complaint();
    if (complaint !== undefined) complaints.push(complaint);
    if (complaints.length > 0) throw new Error(complaints.join("\n"));
    if (this.#watch.failure !== undefined) throw this.#watch.failure.error;
  }
}

/** Lets an activity wait for virtual time. It does not hold the clock meanwhile, and holds it again in the moment in which it ends. */
async function wait(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const ended = new Deferred<void>();
  const end = () => {
    clock.hold!();
    clear();
    signal.removeEventListener("abort", end);
    ended.resolve();
  };
  const clear = ms === Infinity ? () => {} : clock.setTimer(clock.now() + ms, end);
  signal.addEventListener("abort", end);
  clock.release!();
  await ended.promise;
  signal.throwIfAborted();
}

function describeLeak(lines: readonly string[]): string {
  const open = lines.length === 1 ? "A run is still open" : "Runs are still open";
  const way = "Await the result, cancel the run, or call close() at the end of the test";
  return `${open} at the end of the test\n  ${lines.join("\n  ")}\n${way}`;
}
