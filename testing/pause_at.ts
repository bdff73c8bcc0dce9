/**
 * A replacement that stops an activity, so that a test can look around meanwhile.
 *
 * @module
 */

import type { ActivityContext } from "../activity.ts";
import { Deferred } from "../util/deferred.ts";
import { invalid } from "../util/check.ts";
import { type Fake, replace, type Replacement } from "./fakes.ts";

/**
 * A stop at an activity; made by {@linkcode pauseAt}. Pass it in `activities`.
 *
 * @category Testing
 */
export interface ActivityPause<Input = unknown> extends Replacement {
  /** Resolves when an attempt has stopped, with its input and its context. */
  readonly reached: Promise<{ readonly input: Input; readonly context: ActivityContext }>;
  /** Lets the attempt go on. Attempts that begin later do not stop. */
  resume(): void;
  /**
   * Lets the attempt fail.
   *
   * @param error What it throws.
   */
  fail(error: unknown): void;
}

/**
 * Stops the first attempt of an activity, before or after its work. The clock of a `TestExecutor` stands still until
 * {@linkcode ActivityPause.resume} or {@linkcode ActivityPause.fail} is called, unless it is moved.
 *
 * @param activity The function that the workflow passes to `executeActivity`.
 * @param side Whether it stops before its function runs, or after.
 * @param fake The function that runs in its place.
 * @throws {TypeError} If an argument is invalid.
 *
 * @category Testing
 *
 * @example
 * ```ts
 * import type { WorkflowContext } from "@rockpool/workflow";
 * import { pauseAt, TestExecutor } from "@rockpool/workflow/testing";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const log: string[] = [];
 * const charge = (cents: number) => void log.push(`charged ${cents}`);
 * const order = (ctx: WorkflowContext, cents: number) => ctx.executeActivity(charge, cents);
 *
 * const pause = pauseAt(charge, "after");
 * await using executor = new TestExecutor({ activities: [pause] });
 * const handle = await executor.execute(order, { input: 500 });
 * assertEquals(((await pause.reached).input, log), ["charged 500"]);
 * await handle.cancel(); // the customer has paid, and the workflow does not know
 * pause.resume();
 * await assertRejects(() => handle.result());
 * ```
 */
export function pauseAt<Input, Output>(
  activity: (input: Input, context: ActivityContext) => Output,
  side: "before" | "after",
  fake: Fake<NoInfer<Input>, Awaited<NoInfer<Output>>> = activity as never,
): ActivityPause<Input> {
  if (side !== "before" && side !== "after") throw invalid("side", side, '"before" or "after"', "pause activity");
  const reached = new Deferred<{ readonly input: Input; readonly context: ActivityContext }>();
  const resumed = new Deferred<void>();
  let stops = true;
  const stop = (input: Input, context: ActivityContext) => {
    if (!stops) return;
    stops = false;
    reached.resolve({ input, context });
    return resumed.promise;
  };
  const replacement = replace(
    activity,
    (async (input: Input, context: ActivityContext) => {
      if (side === "before") await stop(input, context);
      const answer = await fake(input, context);
      if (side === "after") await stop(input, context);
      return answer;
    }) as typeof fake,
  );
  return {
    ...replacement,
    reached: reached.promise,
    resume: () => resumed.resolve(),
    fail: (error) => resumed.reject(error),
  };
}
