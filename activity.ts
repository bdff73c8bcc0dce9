/**
 * Activities with options of their own, so that not every call has to repeat them.
 *
 * @example
 * ```ts
 * import { activity, Executor, InMemoryStore, type WorkflowContext } from "@rockpool/workflow";
 * import { assertEquals } from "@std/assert";
 *
 * let calls = 0;
 * const charge = activity((cents: number) => {
 *   if (++calls < 3) throw new Error("The bank is busy");
 *   return `charged ${cents}`;
 * }, { name: "charge", retry: { maxAttempts: 5, initialIntervalMs: 1 } });
 *
 * await using executor = new Executor({ store: new InMemoryStore() });
 * const order = (ctx: WorkflowContext) => ctx.executeActivity(charge, 500);
 * assertEquals(await (await executor.execute(order)).result(), "charged 500");
 * ```
 *
 * @module
 */

import type { ActivityContext, ActivityOptions } from "./types.ts";
import { setDefaults, validateActivity } from "./_activity_options.ts";

/**
 * Gives an activity default options. What a call of `executeActivity` gives takes precedence, property by property.
 *
 * @param fn The activity.
 * @param defaults Its options.
 * @returns A function that does what `fn` does, to be passed to `executeActivity` or called in a unit test.
 * @throws {TypeError | RangeError} If an argument is bad.
 */
export function activity<Input, Output>(
  fn: (input: Input, context: ActivityContext) => Output,
  defaults: ActivityOptions,
): (input: Input, context: ActivityContext) => Output {
  const value = validateActivity(fn, defaults, "define activity");
  const wrapped = (input: Input, context: ActivityContext): Output => fn(input, context);
  Object.defineProperty(wrapped, "name", { value });
  setDefaults(wrapped, defaults);
  return wrapped;
}
