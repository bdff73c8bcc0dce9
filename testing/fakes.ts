/**
 * Fakes of activities for tests, and the record of each attempt.
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

import { checkFunction, checkNumber, invalid } from "../util/check.ts";
import type { AnyActivity } from "../options.ts";
import type { ActivityContext } from "../activity.ts";

/**
 * A function that runs in place of an activity, with the same input and context, and under the same options.
 *
 * @category Testing
 */
export type Fake<Input = unknown, Output = unknown> = (
  input: Input,
  context: ActivityContext,
) => Output | PromiseLike<Output>;

/**
 * The replacement of an activity; made by {@linkcode replace}.
 *
 * @category Testing
 */
export interface Replacement {
  /** The function that the workflow passes to `executeActivity`, or the name in the history; `undefined` is every activity. */
  readonly activity: AnyActivity | string | undefined;
  /** The function that runs in its place. */
  readonly fake: AnyActivity;
}

/**
 * Replaces an activity in a `TestExecutor`, a `crashTest()` or a `simulate()`.
 *
 * @param activity The function that the workflow passes to `executeActivity`.
 * @param fake The function that runs in its place.
 * @throws {TypeError} If an argument is invalid.
 *
 * @category Testing
 */
export function replace<Input, Output>(
  activity: (input: Input, context: ActivityContext) => Output,
  fake: Fake<NoInfer<Input>, Awaited<NoInfer<Output>>>,
): Replacement;
/**
 * Replaces all activities of a name in a `TestExecutor`, a `crashTest()` or a `simulate()`.
 *
 * @param activity The name in the history.
 * @param fake The function that runs in their place.
 * @throws {TypeError} If an argument is invalid.
 *
 * @category Testing
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
 * Makes a fake that does something else in each attempt: "fail twice, then succeed". The activity's retry policy decides
 * whether there is another attempt.
 *
 * @param fakes The functions of the first, the second, … attempt. The last one also runs in all attempts after it.
 * @throws {TypeError} If there is none, or one is not a function.
 *
 * @category Testing
 */
export function attempts<Input, Output>(...fakes: Fake<Input, Output>[]): Fake<Input, Output> {
  if (fakes.length === 0) throw new TypeError("Cannot replace attempts: the first attempt needs a function");
  fakes.forEach((fake, i) => checkFunction(`fakes[${i}]`, fake, "replace attempts"));
  return (input, context) => fakes[Math.min(context.attempt, fakes.length) - 1](input, context);
}

/** An answer that takes virtual time. Whoever runs the fake waits for it. */
export class TimedAnswer {
  readonly ms: number;
  readonly answer: unknown;

  constructor(ms: number, answer: unknown) {
    this.ms = ms;
    this.answer = answer;
  }
}

/**
 * Makes a fake whose answer takes virtual time, so that it can race a timer, a timeout, a signal or another activity. The function is
 * called when the attempt begins, and its answer or error comes after the time, as that of a service that has done its work before it
 * answers. An attempt that is cancelled or times out meanwhile rejects at once.
 *
 * `takes(Infinity, fake)` is a service that does its work and never answers: the attempt ends by its `timeoutMs` or by a cancellation
 * alone. Without them, the result rejects with a `DeadlockError`.
 *
 * @param ms How long the answer takes, in milliseconds of the test's clock, from 0; `Infinity` for never.
 * @param fake The function that runs.
 * @throws {TypeError | RangeError} If an argument is invalid.
 *
 * @category Testing
 *
 * @example
 * ```ts
 * import type { WorkflowContext } from "@rockpool/workflow";
 * import { replace, takes, TestExecutor } from "@rockpool/workflow/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const quote = (_city: string): string => "from a service";
 * const fastest = (ctx: WorkflowContext) =>
 *   Promise.race([ctx.executeActivity(quote, "Oslo"), ctx.sleep(1000).then(() => `none after ${ctx.now()} ms`)]);
 *
 * await using executor = new TestExecutor({ activities: [replace(quote, takes(3000, () => "12 EUR"))] });
 * const handle = await executor.execute(fastest);
 * assertEquals(await handle.result(), "none after 1000 ms");
 * ```
 */
export function takes<Input, Output>(ms: number, fake: Fake<Input, Output>): Fake<Input, Output> {
  if (ms !== Infinity) checkNumber("ms", ms, 0, "make a fake that takes time");
  checkFunction("fake", fake, "make a fake that takes time");
  return (input, context) => {
    let answer: unknown;
    try {
      answer = fake(input, context);
    } catch (error) {
      answer = Promise.reject(error);
    }
    void Promise.resolve(answer).catch(() => {}); // it may be dropped before anybody waits for it
    return new TimedAnswer(ms, answer) as Output;
  };
}

/**
 * Makes a fake that fails.
 *
 * @param error The error that it throws; a string is the message of an `Error`.
 *
 * @category Testing
 */
export function fails(error: Error | string): () => never {
  return () => {
    throw typeof error === "string" ? new Error(error) : error;
  };
}

/**
 * One attempt of an activity, replaced or not.
 *
 * @category Testing
 */
export interface ActivityCall<Input = unknown, Output = unknown> {
  /** The activity's name in the history. */
  readonly name: string;
  /** The input. */
  readonly input: Input;
  /** The number of the attempt, from 1. */
  readonly attempt: number;
  /** The ID of the workflow. */
  readonly workflowId: string;
  /** The same in all attempts of one activity, and different for every other activity. */
  readonly idempotencyKey: string;
  /** When it began, in milliseconds since the epoch on the executor's clock. */
  readonly at: number;
  /** Whether a fake ran. */
  readonly replaced: boolean;
  /** How it ended; `undefined` while it runs. The outcome of an attempt that timed out can be too late for its run. */
  readonly outcome: ActivityOutcome<Output> | undefined;
}

/**
 * How an attempt ended.
 *
 * @category Testing
 */
export type ActivityOutcome<Output = unknown> =
  | {
    /** It returned. */
    readonly status: "completed";
    /** What it returned. */
    readonly result: Output;
  }
  | {
    /** It threw. */
    readonly status: "failed";
    /** What it threw. */
    readonly error: unknown;
  };
