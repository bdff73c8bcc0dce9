/**
 * The settings of an executor: its options, checked, completed, and grouped by who uses them. And the checks of the options of
 * `work()`.
 *
 * @module
 */

import { type Clock, systemClock, systemRandom } from "../clock.ts";
import { allHooks } from "../hooks.ts";
import type { ExecutorOptions, WorkOptions } from "../options.ts";
import { validateRetryPolicy } from "../retry.ts";
import type { WorkflowStore } from "../types.ts";
import type { WorkflowLogger } from "../context.ts";
import type { RetryPolicy } from "../retry.ts";
import {
  cannot,
  checkArray,
  checkFunction,
  checkInteger,
  checkNumber,
  checkObject,
  checkOptionalString,
  checkOptions,
  checkSignal,
  invalid,
} from "../util/check.ts";
import { randomId } from "../util/prng.ts";
import { isPlain, show } from "../util/show.ts";
import { Slots } from "../util/slots.ts";
import type { ActivitySettings } from "./activity.ts";
import type { RunSettings, Stamp } from "./environment.ts";
import { guardClock, guardRandom, guardReporter, guardRunId } from "./guards.ts";

/** The settings of an executor. */
export interface Settings {
  readonly store: WorkflowStore;
  readonly storeRetry: RetryPolicy;
  /** Undefined without leases. */
  readonly leaseMs: number | undefined;
  readonly clock: Clock;
  readonly workflows: NonNullable<ExecutorOptions["workflows"]>;
  readonly dormantAfterMs: number | undefined;
  readonly maxConcurrentWorkflows: number | undefined;
  readonly logger: WorkflowLogger;
  readonly runs: RunSettings;
  readonly activities: ActivitySettings;
}

const executorOptions: Record<keyof ExecutorOptions, true> = {
  store: true,
  clock: true,
  workflows: true,
  workflowVersion: true,
  hooks: true,
  middleware: true,
  replaceActivity: true,
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

/** The names of all hooks. */
function hookOptions(): Record<string, true> {
  return Object.fromEntries(allHooks.map((name) => [name, true]));
}

const defaultStoreRetry: RetryPolicy = { maxAttempts: 5, initialIntervalMs: 50 };

/**
 * Checks the options of an executor and completes them.
 *
 * @param newStore Makes the store, if the options have none.
 */
export function completeOptions(options: ExecutorOptions, newStore: () => WorkflowStore): Settings {
  const action = "create an executor";
  checkOptions(options, executorOptions, action);
  const { store = newStore(), clock = systemClock, random = systemRandom, workflows = {} } = options;
  const { hooks, middleware = [], replaceActivity, logger = console, onError = console.error } = options;
  const { storeRetry = defaultStoreRetry, dormantAfterMs, workflowVersion } = options;
  const { newRunId = randomId } = options;
  if (typeof store?.append !== "function" || typeof store.load !== "function") {
    throw invalid("store", store, "a WorkflowStore", action);
  }
  // A store counts real time: an executor with another clock would not renew its lease when it must.
  const { leaseMs = clock === systemClock && store.leaseMs || 0 } = options;
  checkNumber("leaseMs", leaseMs, 0, action);
  if (leaseMs > 0) {
    for (const method of ["claim", "renew", "release"] as const) {
      if (typeof store[method] === "function") continue;
      throw new TypeError(
        `${cannot(action)}: "leaseMs" needs a store with the method ${show(method)}; 0 is without leases`,
      );
    }
  }
  const limit = (
    name: "maxConcurrentActivities" | "maxConcurrentWorkflows" | "maxHistoryEvents" | "maxPayloadBytes",
  ): number | undefined => {
    const value = options[name];
    if (value !== undefined) checkInteger(name, value, 1, action);
    return value;
  };
  const slotsOf = (count: number | undefined) => count === undefined ? undefined : new Slots(count);
  const activitySlots = slotsOf(limit("maxConcurrentActivities"));
  const maxConcurrentWorkflows = limit("maxConcurrentWorkflows");
  const runSlots = slotsOf(maxConcurrentWorkflows);
  const maxHistoryEvents = limit("maxHistoryEvents");
  const maxPayloadBytes = limit("maxPayloadBytes");
  if (dormantAfterMs !== undefined) checkNumber("dormantAfterMs", dormantAfterMs, 0, action);
  checkOptionalString("workflowVersion", workflowVersion, action);
  for (const level of ["debug", "info", "warn", "error"] as const) {
    checkFunction(`logger.${level}`, logger?.[level], action);
  }
  checkFunction("clock.now", clock?.now, action);
  if (replaceActivity !== undefined) checkFunction("replaceActivity", replaceActivity, action);
  checkFunction("random", random, action);
  checkFunction("newRunId", newRunId, action);
  checkFunction("onError", onError, action);
  checkArray("middleware", middleware, action);
  for (const [i, one] of middleware.entries()) checkFunction(`middleware[${i}]`, one, action);
  if (hooks !== undefined) {
    checkObject("hooks", hooks, action);
    if (isPlain(hooks)) checkOptions(hooks, hookOptions(), action, undefined, "hooks"); // a class may have other members
  }
  checkObject("workflows", workflows, action);
  for (const [name, workflow] of Object.entries(workflows)) checkFunction(`workflows.${name}`, workflow, action);
  validateRetryPolicy(storeRetry);
  const stamp: Stamp = {
    ...(workflowVersion !== undefined && { workflowVersion }),
    ...(maxPayloadBytes !== undefined && { maxPayloadBytes }),
  };
  const report = guardReporter(onError);
  return {
    store,
    storeRetry,
    leaseMs: leaseMs > 0 ? leaseMs : undefined,
    clock: guardClock(clock, report),
    workflows,
    dormantAfterMs,
    maxConcurrentWorkflows,
    logger,
    runs: { hooks, report, slots: runSlots, stamp, newRunId: guardRunId(newRunId), maxHistoryEvents },
    activities: { middleware, replaceActivity, random: guardRandom(random, report), report, slots: activitySlots },
  };
}

const workOptions: Record<keyof WorkOptions, true> = { pollMs: true, maxRuns: true, signal: true };

/** Checks the options of `work`. */
export function validateWork(options: WorkOptions): void {
  const action = "work";
  checkOptions(options, workOptions, action);
  const { pollMs, maxRuns, signal } = options;
  if (pollMs !== undefined) checkNumber("pollMs", pollMs, Number.MIN_VALUE, action);
  if (maxRuns !== undefined && maxRuns !== Infinity) checkInteger("maxRuns", maxRuns, 1, action);
  checkSignal(signal, action);
}
