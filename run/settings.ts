/**
 * The settings of an executor, complete and checked, and the checks of a start.
 *
 * @module
 */

import { systemClock, systemRandom } from "../clock.ts";
import type { ErrorReporter } from "../hooks.ts";
import type { ExecuteOptions, ExecutorOptions } from "../options.ts";
import { type RetryPolicy, validateRetryPolicy } from "../retry.ts";
import type { WorkflowStartedEvent } from "../types.ts";
import {
  cannot,
  checkChoice,
  checkFunction,
  checkInteger,
  checkNumber,
  checkObject,
  checkOptionalString,
  checkText,
  invalid,
} from "../util/check.ts";
import { Slots } from "../util/slots.ts";

/** What every run that begins in an executor records of it. */
export type Stamp = Pick<WorkflowStartedEvent, "workflowVersion" | "maxPayloadBytes">;

const defaultStoreRetry: RetryPolicy = { maxAttempts: 5, initialIntervalMs: 50 };

/** Checks the options of an executor and fills in what they leave out. */
export function completeOptions(options: ExecutorOptions) {
  const action = "create an executor";
  const { store, clock = systemClock, workflows = {}, hooks, middleware = [], replaceActivity } = options ?? {};
  const { random = systemRandom, storeRetry = defaultStoreRetry, onError = console.error } = options ?? {};
  const { newRunId = () => crypto.randomUUID() } = options ?? {};
  if (typeof store?.append !== "function" || typeof store.load !== "function") {
    throw invalid("store", store, "a WorkflowStore", action);
  }
  const limit = <T>(
    name: "maxConcurrentActivities" | "maxConcurrentWorkflows" | "maxHistoryEvents" | "maxPayloadBytes",
    use: (value: number) => T,
  ): T | undefined => {
    const value = options[name];
    if (value === undefined) return undefined;
    checkInteger(name, value, 1, action);
    return use(value);
  };
  const slotsOf = (count: number) => new Slots(count);
  const slots = limit("maxConcurrentActivities", slotsOf);
  const runSlots = limit("maxConcurrentWorkflows", slotsOf);
  const maxHistoryEvents = limit("maxHistoryEvents", (value) => value);
  const { workflowVersion, parkAfterMs } = options;
  if (parkAfterMs !== undefined) checkNumber("parkAfterMs", parkAfterMs, 0, action);
  checkOptionalString("workflowVersion", workflowVersion, action);
  /** What every run that begins here records. */
  const stamp: Stamp = {
    ...(workflowVersion === undefined ? {} : { workflowVersion }),
    ...limit("maxPayloadBytes", (maxPayloadBytes) => ({ maxPayloadBytes })),
  };
  const { logger = console } = options ?? {};
  for (const level of ["debug", "info", "warn", "error"] as const) {
    checkFunction(`logger.${level}`, logger?.[level], action);
  }
  checkFunction("clock.now", clock?.now, action);
  if (replaceActivity !== undefined) checkFunction("replaceActivity", replaceActivity, action);
  checkFunction("random", random, action);
  checkFunction("newRunId", newRunId, action);
  checkFunction("onError", onError, action);
  if (!Array.isArray(middleware)) throw invalid("middleware", middleware, "an array", action);
  middleware.forEach((one, i) => checkFunction(`middleware[${i}]`, one, action));
  checkObject("workflows", workflows, action);
  for (const [name, workflow] of Object.entries(workflows)) checkFunction(`workflows.${name}`, workflow, action);
  validateRetryPolicy(storeRetry);
  const report: ErrorReporter = (error) => {
    try {
      onError(error);
    } catch (thrown) {
      console.error(thrown, "thrown by onError for", error);
    }
  };
  const limits = { slots, runSlots, maxHistoryEvents, replaceActivity, newRunId };
  const seeing = { hooks, middleware, report, logger };
  return { store, parkAfterMs, clock, workflows, random, storeRetry, stamp, ...seeing, ...limits };
}

/** Checks the arguments of `execute`. */
export function validateExecution(workflow: unknown, id: unknown, options: ExecuteOptions): void {
  const action = "execute workflow";
  const { timeoutMs, signal, onConflict, reuse, startAfterMs, startAt } = options;
  checkText("id", id, action);
  checkFunction("workflow", workflow, action, id);
  if (timeoutMs !== undefined) checkNumber("timeoutMs", timeoutMs, Number.MIN_VALUE, action, id);
  if (startAfterMs !== undefined) checkNumber("startAfterMs", startAfterMs, 0, action, id);
  if (startAt !== undefined) checkNumber("startAt", startAt, -Infinity, action, id);
  if (startAfterMs !== undefined && startAt !== undefined) {
    throw new TypeError(`${cannot(action, id)}: "startAfterMs" and "startAt" exclude each other`);
  }
  checkChoice("onConflict", onConflict, ["fail", "join", "terminate"], action, id);
  checkChoice("reuse", reuse, ["allow", "reject", "join"], action, id);
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw invalid("signal", signal, "an AbortSignal", action, id);
  }
}
