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
 * const order = (ctx: WorkflowContext) => ctx.executeActivity(charge, 500, { timeoutMs: 1000 });
 * assertEquals(await (await executor.execute(order)).result(), "charged 500");
 *
 * assertEquals(charge(7), "charged 7"); // in a unit test, it is the function that it was
 * ```
 *
 * @module
 */

import type { ActivityContext, ActivityOptions } from "./types.ts";
import { cannot, checkFunction, checkNumber, checkObject, checkText, invalid } from "./util/check.ts";
import { validateRetryPolicy } from "./retry.ts";

/**
 * Gives an activity default options. What a call of `executeActivity` gives takes precedence, property by property;
 * `undefined` leaves the default. A call that asks for `atMostOnce` does without a default `retry`.
 *
 * @param fn The activity. If it has defaults already, `defaults` change them in the same way.
 * @param defaults Its options.
 * @returns A function that does what `fn` does, to be passed to `executeActivity` or called in a unit test. `fn` itself
 * gets no defaults.
 * @throws {TypeError | RangeError} If an argument is bad.
 */
export function activity<Fn extends (input: never, context: ActivityContext) => unknown>(
  fn: Fn,
  defaults: ActivityOptions,
): Fn {
  const options = optionsOf(fn, defaults);
  const value = validateActivity(fn, options, "define activity");
  const wrapped = (...args: never[]) => (fn as (...args: never[]) => unknown)(...args);
  Object.defineProperty(wrapped, "name", { value });
  setDefaults(wrapped, options);
  return wrapped as unknown as Fn;
}

/** Any function. */
type AnyFunction = (...args: never[]) => unknown;

/** Where a function keeps its defaults. */
const defaults = Symbol("defaults");

/** Gives a function defaults. */
function setDefaults(activity: AnyFunction, options: ActivityOptions): void {
  Object.defineProperty(activity, defaults, { value: Object.freeze({ ...options }) });
}

/**
 * What holds for a call.
 *
 * @internal
 */
export function optionsOf(activity: AnyFunction, options: ActivityOptions): ActivityOptions {
  const own = (activity as { [defaults]?: ActivityOptions })?.[defaults];
  if (own === undefined || typeof options !== "object" || options === null) return options;
  const all: Record<string, unknown> = { ...own };
  if (options.atMostOnce) delete all.retry;
  for (const [name, value] of Object.entries(options)) if (value !== undefined) all[name] = value;
  return all;
}

/**
 * Checks an activity and its options, and answers its name in the history.
 *
 * @internal
 */
export function validateActivity(activity: AnyFunction, options: ActivityOptions, action: string): string {
  checkFunction("activity", activity, action);
  checkObject("options", options, action);
  const { name = activity.name || "anonymous", retry, atMostOnce = false } = options;
  checkText("name", name, action);
  if (retry !== undefined) validateRetryPolicy(retry);
  if (typeof atMostOnce !== "boolean") throw invalid("atMostOnce", atMostOnce, "a boolean", action, name);
  if (atMostOnce && retry) throw new TypeError(`${cannot(action, name)}: "atMostOnce" and "retry" exclude each other`);
  const { timeoutMs, totalTimeoutMs, heartbeatTimeoutMs } = options;
  if (timeoutMs !== undefined) checkNumber("timeoutMs", timeoutMs, Number.MIN_VALUE, action, name);
  if (totalTimeoutMs !== undefined) checkNumber("totalTimeoutMs", totalTimeoutMs, Number.MIN_VALUE, action, name);
  if (heartbeatTimeoutMs !== undefined) {
    checkNumber("heartbeatTimeoutMs", heartbeatTimeoutMs, Number.MIN_VALUE, action, name);
  }
  return name;
}
