/**
 * Crashes a workflow everywhere: once for every point where its process can die.
 *
 * @example
 * ```ts
 * import type { ActivityContext, WorkflowContext } from "@rockpool/workflow";
 * import { crashTest } from "@rockpool/workflow/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const charged = new Set<string>();
 * const charge = (_cents: number, { idempotencyKey }: ActivityContext) => void charged.add(idempotencyKey);
 *
 * async function order(ctx: WorkflowContext, cents: number) {
 *   await ctx.executeActivity(charge, cents);
 *   const { by } = await ctx.waitForSignal<{ by: string }>("approval");
 *   return `approved by ${by}`;
 * }
 *
 * const { points, undisturbed } = await crashTest(order, {
 *   input: 1995,
 *   signals: [{ atMs: 3 * 24 * 60 * 60 * 1000, name: "approval", payload: { by: "eve" } }],
 *   setUp: () => charged.clear(),
 *   effects: () => charged.size,
 * });
 * assertEquals([points > 10, undisturbed.result], [true, "approved by eve"]);
 * ```
 *
 * @module
 */

import type { ExecutorOptions } from "../../executor.ts";
import type { Workflow, WorkflowContext, WorkflowState, WorkflowStore } from "../../types.ts";
import { checkFunction, checkInteger, checkObject } from "../../util/check.ts";
import { checkReplacements } from "../activity_recorder.ts";
import { Crasher, CrashTestError } from "./crasher.ts";
import type { Deliveries, TimedCancel, TimedDelivery, TimedQuery, TimedSignal, TimedUpdate } from "./deliveries.ts";
import type { ActivityCall, Replacement } from "../fakes.ts";

export { CrashTestError };
export type { Deliveries, TimedCancel, TimedDelivery, TimedQuery, TimedSignal, TimedUpdate };

/** Options of {@linkcode crashTest}. */
export interface CrashTestOptions<
  Input = unknown,
  Output = unknown,
  // deno-lint-ignore no-explicit-any -- signals of any payload
  Signals extends readonly unknown[] = readonly any[],
> extends Deliveries<Signals> {
  /** The workflow's input. */
  readonly input?: Input;
  /**
   * The workflow's ID.
   *
   * @default {"crash-test"}
   */
  readonly id?: string;
  /**
   * How long the workflow may take, in milliseconds, above 0.
   *
   * @default {forever}
   */
  readonly timeoutMs?: number;
  /**
   * What runs in place of activities, as `replace()` answers it. One that is to fail goes by `context.attempt`, not by how often it was called: that
   * differs after a crash.
   *
   * @default {every activity runs itself}
   */
  readonly activities?: readonly Replacement[];
  /**
   * Other workflows that run as children, by name.
   *
   * @default {none}
   */
  readonly workflows?: Readonly<Record<string, (ctx: WorkflowContext, input: never) => unknown>>;
  /**
   * Makes the world new before every run: empties what the activities write to.
   *
   * @default {nothing}
   */
  readonly setUp?: () => void | Promise<void>;
  /**
   * Called when a process has died, before the next one begins. Forget here what only the memory of a process holds, such as
   * module variables: in a test they outlive the crash.
   *
   * @default {nothing}
   */
  readonly onDeath?: () => void | Promise<void>;
  /**
   * What the world looks like after a run, as a value that can be stored: must be the same whatever crashed.
   *
   * @default {nothing is compared}
   */
  readonly effects?: () => unknown;
  /**
   * Looks at every run when it is over, the undisturbed one too; may throw.
   *
   * @default {nothing}
   */
  readonly check?: (run: CrashRun<Output>) => void | Promise<void>;
  /**
   * How many processes die in a run: an integer from 1. Each first death is tried at every point; those that follow hit the
   * recovery, at points that differ from run to run and are the same in every test.
   *
   * @default {1}
   */
  readonly deaths?: number;
  /**
   * Makes the store of a run.
   *
   * @default {a new `InMemoryStore`}
   */
  readonly store?: () => WorkflowStore;
  /**
   * Further options for the executors.
   *
   * @default {none}
   */
  readonly executor?: Omit<ExecutorOptions, "store" | "clock" | "workflows" | "newRunId">;
}

/** The arguments of {@linkcode crashTest} after the workflow: to be left out where that takes no input. */
export type CrashTestArgs<Input, Output, Signals extends readonly unknown[]> = undefined extends Input
  ? [options?: CrashTestOptions<Input, Output, Signals>]
  : [options: CrashTestOptions<Input, Output, Signals> & { readonly input: Input }];

/** A run of {@linkcode crashTest}, when it is over. */
export interface CrashRun<Output = unknown> {
  /** Where its processes died, in words; none in the undisturbed run. */
  readonly crashes: readonly string[];
  /** What the workflow returned, if it completed. */
  readonly result?: Output;
  /** What the workflow threw, if it failed or was cancelled. */
  readonly error?: unknown;
  /** What is stored of the workflow. */
  readonly state: WorkflowState;
  /** What was stored of every run of every workflow, in the order in which they began. */
  readonly states: readonly WorkflowState[];
  /** Every attempt of an activity that was begun, in all processes. */
  readonly calls: readonly ActivityCall[];
}

/** What {@linkcode crashTest} found. */
export interface CrashTestReport<Output = unknown> {
  /** At how many points a process died. */
  readonly points: number;
  /** The run without any crash. */
  readonly undisturbed: CrashRun<Output>;
}

/**
 * Runs a workflow undisturbed, in virtual time; then once for every point where its process can die: before each write to
 * the store, after it with the answer lost, and in the turn that follows the answer. A new process recovers what is stored.
 * Every run must come to the same result or the same error, and to the same history but for times; no activity may run again
 * whose outcome was stored.
 *
 * An activity can take real time. Only when nothing has gone on for a while does virtual time go on without it, to its
 * timeout, say: after 50 ms for one that is replaced, after 3 s for any other.
 *
 * A run in which an activity was interrupted that asked for `atMostOnce` can come to something else; it is left to `check`.
 *
 * @param workflow The workflow.
 * @param args Its input and all else.
 * @returns How many points were tried, and the undisturbed run.
 * @throws {CrashTestError} If a run comes to something else, or `check` throws.
 * @throws {TypeError | RangeError} If an argument is bad.
 */
export async function crashTest<Input, Output, Signals extends readonly unknown[]>(
  workflow: (ctx: WorkflowContext, input: Input) => Output,
  ...args: CrashTestArgs<Input, Awaited<Output>, Signals>
): Promise<CrashTestReport<Awaited<Output>>> {
  const [options = {}] = args as [CrashTestOptions?];
  checkFunction("workflow", workflow, "crash-test");
  checkObject("options", options, "crash-test");
  const { deaths = 1 } = options;
  checkInteger("deaths", deaths, 1, "crash-test");
  checkReplacements(options.activities ?? [], "crash-test");
  const test = new Crasher(workflow as Workflow<never>, options);
  const undisturbed = await test.runUndisturbed();
  const points = await test.crashEverywhere(deaths);
  return { points, undisturbed: undisturbed as CrashRun<Awaited<Output>> };
}
