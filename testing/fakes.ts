/**
 * What runs in a test in place of activities, and what is known of each call.
 *
 * @example
 * ```ts
 * import { attempts, fails, replace, TestExecutor } from "@rockpool/workflow/testing";
 * import type { WorkflowContext } from "@rockpool/workflow";
 * import { assertEquals } from "@std/assert";
 *
 * async function charge(cents: number): Promise<string> {
 *   return await (await fetch(`https://bank.example/charge?cents=${cents}`)).text();
 * }
 * const order = (ctx: WorkflowContext, cents: number) => ctx.executeActivity(charge, cents, { retry: { maxAttempts: 5 } });
 *
 * await using executor = new TestExecutor({
 *   activities: [replace(charge, attempts(fails("busy"), fails("busy"), (cents) => `charged ${cents}`))],
 * });
 * const handle = await executor.execute(order, { input: 500 });
 * assertEquals(await handle.result(), "charged 500");
 * assertEquals(executor.callsOf(charge).map(({ outcome }) => outcome?.status), ["failed", "failed", "completed"]);
 * ```
 *
 * @module
 */

import { checkFunction, invalid } from "../util/check.ts";
import type { AnyActivity } from "../options.ts";
import type { ActivityContext } from "../activity.ts";

/** What runs in place of an activity, with the same input and context; the options of the activity hold for it. */
export type Fake<Input = unknown, Output = unknown> = (
  input: Input,
  context: ActivityContext,
) => Output | PromiseLike<Output>;

/** An activity that is replaced; see {@linkcode replace}. */
export interface Replacement {
  /** The function, or the name that stands in the history. */
  readonly activity: AnyActivity | string;
  /** What runs in its place. */
  readonly fake: AnyActivity;
}

/**
 * Replaces an activity in a `TestExecutor`.
 *
 * @param activity The function that the workflow passes to `executeActivity`.
 * @param fake What runs in its place.
 * @throws {TypeError} If an argument is bad.
 */
export function replace<Input, Output>(
  activity: (input: Input, context: ActivityContext) => Output,
  fake: Fake<NoInfer<Input>, Awaited<NoInfer<Output>>>,
): Replacement;
/**
 * Replaces all activities of one name in a `TestExecutor`.
 *
 * @param activity The name that stands in the history.
 * @param fake What runs in their place.
 * @throws {TypeError} If an argument is bad.
 */
export function replace<Input = unknown>(activity: string, fake: Fake<Input>): Replacement;
export function replace(activity: AnyActivity | string, fake: AnyActivity): Replacement {
  if (typeof activity !== "function" && (typeof activity !== "string" || activity === "")) {
    throw invalid("activity", activity, "a function or a non-empty string", "replace activity");
  }
  checkFunction("fake", fake, "replace activity", typeof activity === "string" ? activity : activity.name);
  return { activity, fake };
}

/**
 * Makes a fake that does something else in each attempt: "fail twice, then this". Whether there is another attempt is up to
 * the activity's retry policy.
 *
 * @param fakes What each attempt does, the first one first; the last one does for all that come after it.
 * @throws {TypeError} If there is none, or one is no function.
 */
export function attempts<Input, Output>(...fakes: Fake<Input, Output>[]): Fake<Input, Output> {
  if (fakes.length === 0) throw new TypeError("Cannot replace attempts: there must be a function for the first one");
  fakes.forEach((fake, i) => checkFunction(`fakes[${i}]`, fake, "replace attempts"));
  return (input, context) => fakes[Math.min(context.attempt, fakes.length) - 1](input, context);
}

/**
 * Makes a fake that fails.
 *
 * @param error What it throws; a text is the message of an `Error`.
 */
export function fails(error: Error | string): () => never {
  return () => {
    throw typeof error === "string" ? new Error(error) : error;
  };
}

/** One attempt of an activity, replaced or not. */
export interface ActivityCall<Input = unknown, Output = unknown> {
  /** The activity's name in the history. */
  readonly name: string;
  /** What it got. */
  readonly input: Input;
  /** The number of the attempt, from 1. */
  readonly attempt: number;
  /** The workflow's ID. */
  readonly workflowId: string;
  /** The same for all attempts of one activity, and for no other. */
  readonly idempotencyKey: string;
  /** When it began, in milliseconds since the epoch on the executor's clock. */
  readonly at: number;
  /** Whether a fake ran. */
  readonly replaced: boolean;
  /** How it ended; `undefined` while it runs. That of an attempt that was given up may have come too late for its run. */
  readonly outcome: ActivityOutcome<Output> | undefined;
}

/** How an attempt ended. */
export type ActivityOutcome<Output = unknown> =
  | {
    /** It answered. */
    readonly status: "completed";
    /** What it answered. */
    readonly result: Output;
  }
  | {
    /** It threw. */
    readonly status: "failed";
    /** What it threw. */
    readonly error: unknown;
  };
