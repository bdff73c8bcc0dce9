/**
 * The options of an activity: its defaults, what a call changes of them, and the checks.
 *
 * @module
 */

import { validateRetryPolicy } from "./retry.ts";
import type { ActivityOptions } from "./types.ts";
import { cannot, checkFunction, checkNumber, checkObject, checkText, invalid } from "./_check.ts";

type AnyActivity = (...args: never[]) => unknown;

/** Where a function keeps its defaults. */
const defaults = Symbol("defaults");

/** Gives a function defaults. */
export function setDefaults(activity: AnyActivity, options: ActivityOptions): void {
  Object.defineProperty(activity, defaults, { value: Object.freeze({ ...options }) });
}

/** What holds for a call. */
export function optionsOf(activity: AnyActivity, options: ActivityOptions): ActivityOptions {
  const own = (activity as { [defaults]?: ActivityOptions })?.[defaults];
  if (own === undefined || typeof options !== "object" || options === null) return options;
  const all: Record<string, unknown> = { ...own };
  if (options.atMostOnce) delete all.retry;
  for (const [name, value] of Object.entries(options)) if (value !== undefined) all[name] = value;
  return all;
}

/** @returns The activity's name in the history. */
export function validateActivity(activity: AnyActivity, options: ActivityOptions, action: string): string {
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
