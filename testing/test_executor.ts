/**
 * An executor for tests: time that takes no time, activities that can be replaced, and words where a test would hang or
 * leave something behind.
 *
 * 1. A result that can never come rejects: a deadlock is told, not waited for.
 * 2. What a test leaves open is an error at its end, unless the test closed the executor itself.
 * 3. Nothing is shared with another test: not the store, not the clock, no global.
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
 * executor.clock.at(3 * DAY_MS, () => executor.signal("a", { name: "approval", payload: "fine" }));
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

import { checkNumber } from "../util/check.ts";
import { type Clock, VirtualClock } from "../clock.ts";
import {
  type AnyActivity,
  type CloseOptions,
  type ExecuteArgs,
  Executor,
  type ExecutorOptions,
  type WorkflowHandle,
} from "../executor.ts";
import { InMemoryStore } from "../store.ts";
import type { ActivityContext, WorkflowContext, WorkflowStore } from "../types.ts";
import { ActivityRecorder } from "./activity_recorder.ts";
import { DeadlockError, DeadlockWatch } from "./deadlock.ts";
import { describeOpenRuns } from "./open_runs.ts";
import type { ActivityCall, Replacement } from "./fakes.ts";
import { seeded } from "./seeded.ts";

export { DeadlockError };

/** Options of a {@linkcode TestExecutor}: those of an executor, none of which must be given, and some of its own. */
export interface TestExecutorOptions<Store extends WorkflowStore = InMemoryStore>
  extends Omit<ExecutorOptions, "store" | "clock" | "replaceActivity"> {
  /**
   * Where the runs are kept; that of another test executor, to go on after it.
   *
   * @default {a new InMemoryStore}
   */
  readonly store?: Store;
  /**
   * Gives the time; that of another test executor, to go on after it or beside it.
   *
   * @default {a new VirtualClock, which jumps by itself}
   */
  readonly clock?: VirtualClock;
  /**
   * What runs in place of activities, as `replace()` answers it; the first that fits. All others run themselves.
   *
   * @default {none}
   */
  readonly activities?: readonly Replacement[];
  /**
   * How long everything must have been at rest, in milliseconds of real time, before a result that is awaited rejects with a
   * {@linkcode DeadlockError}: from 0, or `Infinity` for never. Somebody whom the executor cannot see may be about to send
   * a signal meanwhile, over the network, say.
   *
   * @default {100}
   */
  readonly deadlockAfterMs?: number;
}

/**
 * An executor for tests. Numbers that are not random (`seeded(1)`) give the jitter, unless `random` does.
 *
 * Time does not pass by itself while an activity is at work, replaced or not. To see one time out that never ends, move the
 * time: `await executor.clock.advance(timeoutMs)`.
 *
 * At its end, when it is disposed, it throws if runs are open, unless the test called `close()` or a
 * {@linkcode DeadlockError} has told of them. It throws as well if a replacement took no call and was probably meant for
 * something else: one by name, if activities ran that were not replaced; one by function, if another function of that name
 * ran. It is closed properly all the same.
 */
export class TestExecutor<Store extends WorkflowStore = InMemoryStore> extends Executor {
  /** Where the runs are kept. */
  readonly store: Store;
  /** Gives the time. */
  readonly clock: VirtualClock;
  readonly #activities: ActivityRecorder;
  readonly #watch: DeadlockWatch;
  #closed = false;

  /**
   * Makes an executor.
   *
   * @param options Nothing must be given.
   * @throws {TypeError} If an option is of the wrong kind.
   * @throws {RangeError} If a number among the options is out of its range.
   */
  constructor(options: TestExecutorOptions<Store> = {}) {
    const { clock = new VirtualClock(), activities = [], deadlockAfterMs = 100, ...rest } = options;
    const store = options.store ?? new InMemoryStore({ clock }) as WorkflowStore as Store;
    if (deadlockAfterMs !== Infinity) checkNumber("deadlockAfterMs", deadlockAfterMs, 0, "create an executor");
    const watch: DeadlockWatch = new DeadlockWatch(clock, deadlockAfterMs, () => this.openRuns());
    const watched: Clock = {
      now: () => clock.now(),
      setTimer: (dueAt, callback) => clock.setTimer(dueAt, callback),
      hold(working) {
        watch.activity++;
        clock.hold(working);
      },
      release: (working) => clock.release(working),
    };
    const record = new ActivityRecorder(activities, watched.now);
    const { replaceActivity } = record;
    super({ random: seeded(1), ...rest, store, clock: watched, replaceActivity });
    this.store = store;
    this.clock = clock;
    this.#activities = record;
    this.#watch = watch;
  }

  /**
   * Runs a test with an executor of its own, and disposes of that. A test that fails keeps its own error: with `await using`,
   * a failed test that leaves a run open ends with a `SuppressedError`, of which some test runners show neither part.
   *
   * @param body The test.
   * @param options As of the constructor.
   * @returns What the test answers.
   * @throws What the test throws, or else what is wrong at its end.
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
   * The attempts of one activity so far.
   *
   * @param activity The function that the workflow passes to `executeActivity`.
   */
  callsOf<Input, Output>(
    activity: (input: Input, context: ActivityContext) => Output,
  ): readonly ActivityCall<Input, Awaited<Output>>[];
  /**
   * The attempts of all activities of one name so far.
   *
   * @param activity The name that stands in the history.
   */
  callsOf<Input = unknown, Output = unknown>(activity: string): readonly ActivityCall<Input, Output>[];
  callsOf(activity: AnyActivity | string): readonly ActivityCall<never, never>[] {
    return this.#activities.callsOf(activity) as ActivityCall<never, never>[];
  }

  /** Starts a workflow; see {@linkcode Executor.execute}. */
  override async execute<Input, Output>(
    workflow: (ctx: WorkflowContext, input: Input) => Output,
    ...args: ExecuteArgs<Input>
  ): Promise<WorkflowHandle<Awaited<Output>>> {
    return this.#watch.guard(await super.execute(workflow, ...args));
  }

  /** Finds a run again; see {@linkcode Executor.handle}. */
  override async handle<Result = unknown>(id: string): Promise<WorkflowHandle<Result>> {
    return this.#watch.guard(await super.handle<Result>(id));
  }

  /** Goes on with what is stored; see {@linkcode Executor.recover}. */
  override async recover(): Promise<WorkflowHandle[]> {
    return (await super.recover()).map((handle) => this.#watch.guard(handle));
  }

  /** Stops: whatever is open is meant to be, and {@linkcode Executor.close} does the rest. */
  override close(options?: CloseOptions): Promise<void> {
    this.#closed = true;
    return super.close(options);
  }

  /**
   * Closes, and says what is wrong at the end of the test. What is on its way just now is waited for; time does not pass.
   *
   * @throws {Error} If runs are open that no `DeadlockError` told of, unless the test called `close()`; if a replacement was probably meant for something
   * else.
   * @throws What a callback of the clock threw, if nobody else was told.
   */
  override async [Symbol.asyncDispose](): Promise<void> {
    const complaints: string[] = [];
    try {
      if (!this.#closed) {
        await this.clock.advance(0);
        const untold = this.openRuns().filter(({ runId }) => !this.#watch.told.has(runId));
        const lines = describeOpenRuns(untold, this.clock.now());
        if (lines.length > 0) complaints.push(leak(lines));
      }
    } finally {
      await super.close();
    }
    const misspelt = this.#activities.complaint();
    if (misspelt !== undefined) complaints.push(misspelt);
    if (complaints.length > 0) throw new Error(complaints.join("\n"));
    if (this.#watch.failure !== undefined) throw this.#watch.failure.error;
  }
}

function leak(lines: readonly string[]): string {
  const open = lines.length === 1 ? "A run is still open" : "Runs are still open";
  const way = "Wait for the result, cancel the run, or call close() at the end of the test to leave it";
  return `${open} at the end of the test\n  ${lines.join("\n  ")}\n${way}`;
}
