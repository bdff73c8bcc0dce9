/**
 * The context of an activity, which its code finds by the asynchronous context (`AsyncLocalStorage`).
 *
 * Each attempt has a context of its own. What an attempt may never ask for is made when it does: a signal, a logger, a meter.
 *
 * @module
 */

// deno-lint-ignore-file no-explicit-any -- details, and the client, whose type is in another module

import { AsyncLocalStorage } from "node:async_hooks";
import { systemClock } from "../../clock.ts";
import { quiet } from "../../util/deferred.ts";
import { durationMs } from "../common/duration.ts";
import { IllegalStateError } from "../common/errors.ts";
import { toLogger } from "../common/logger.ts";
import type {
  ActivityCancellationDetails,
  CancelledFailure,
  Duration,
  Logger,
  LogLevel,
  LogMetadata,
  MetricCounter,
  MetricGauge,
  MetricHistogram,
  MetricMeter,
  MetricTags,
  MetricUpDownCounter,
  NumericMetricValueType,
  Priority,
  RetryPolicy,
} from "../common/mod.ts";

/**
 * What is known about an attempt of an activity.
 *
 * @category Temporal
 */
export interface Info {
  /** Names the call: the same for each attempt. */
  readonly taskToken: Uint8Array;
  /** The token in Base64. */
  readonly base64TaskToken: string;
  /** The ID of the call. */
  readonly activityId: string;
  /** The name of the activity. */
  readonly activityType: string;
  /** The namespace. */
  readonly activityNamespace: string;
  /** The number of the attempt, counted from 1. */
  readonly attempt: number;
  /** Whether it is a local activity. */
  readonly isLocal: boolean;
  /** The run that called the activity. */
  readonly workflowExecution?: { readonly workflowId: string; readonly runId: string } | undefined;
  /** The namespace of that run. */
  readonly workflowNamespace?: string | undefined;
  /** The name of its workflow. */
  readonly workflowType?: string | undefined;
  /** When the activity was called, in milliseconds since the epoch. */
  readonly scheduledTimestampMs: number;
  /** How long all attempts may take, in milliseconds; 0 for no limit. */
  readonly scheduleToCloseTimeoutMs: number;
  /** How long this attempt may take, in milliseconds; 0 for no limit. */
  readonly startToCloseTimeoutMs: number;
  /** When this attempt began, in milliseconds since the epoch. */
  readonly currentAttemptScheduledTimestampMs: number;
  /** How long the attempt may take between two heartbeats, in milliseconds. */
  readonly heartbeatTimeoutMs?: number | undefined;
  /** What an earlier attempt gave to its last `heartbeat()`. */
  readonly heartbeatDetails: any;
  /** The queue of the worker. */
  readonly taskQueue: string;
  /** The priority of the call. */
  readonly priority?: Priority | undefined;
  /** The retry policy of the call. */
  readonly retryPolicy?: RetryPolicy | undefined;
  /** The namespace. */
  readonly namespace: string;
  /** The ID of the run of an activity that no workflow called. */
  readonly activityRunId?: string | undefined;
  /** Whether a workflow called the activity. */
  readonly inWorkflow: boolean;
}

/** What makes the parts of a context. */
export interface ContextParts {
  info(): Info;
  /** Takes heartbeats. */
  heartbeat(details?: unknown): void;
  /** Its reason is a {@linkcode CancelledFailure}. */
  readonly signal: AbortSignal;
  /** Why the attempt was cancelled. */
  readonly cancellationDetails: ActivityCancellationDetails | undefined;
  logger(): Logger;
  metricMeter(): MetricMeter;
  readonly client: unknown;
  /** Whether `sleep()` takes no time. */
  readonly skipSleeps: boolean;
}

/**
 * The contexts of attempts: `asyncLocalStorage.getStore()` is that of the current one.
 *
 * @category Temporal
 */
export const asyncLocalStorage: AsyncLocalStorage<Context> = /* @__PURE__ */ new AsyncLocalStorage<Context>();

/**
 * The context of an attempt of an activity.
 *
 * @category Temporal
 *
 * @example
 * ```ts
 * import { Context } from "@rockpool/workflow/temporal/activity";
 *
 * export async function exportRows(count: number): Promise<void> {
 *   const { info, heartbeat, sleep } = Context.current();
 *   for (let row = info.heartbeatDetails ?? 0; row < count; row++) {
 *     await sleep("1 second"); // rejects when the activity is cancelled
 *     heartbeat(row + 1); // the next attempt continues here
 *   }
 * }
 * ```
 */
export class Context {
  readonly #parts: ContextParts;
  #cancelled: Promise<never> | undefined;
  #log: Logger | undefined;
  #metricMeter: MetricMeter | undefined;
  #info: Info | undefined;

  /**
   * Contexts are made by this package.
   *
   * @param parts What makes its parts.
   */
  constructor(parts: ContextParts) {
    this.#parts = parts;
  }

  /**
   * Returns the context of the attempt that the code belongs to.
   *
   * @throws {IllegalStateError} Outside of an activity.
   */
  static current(): Context {
    const context = asyncLocalStorage.getStore();
    if (context !== undefined) return context;
    throw new IllegalStateError(
      "Cannot read the context of an activity: the code runs outside of an activity, or in a callback that has lost the asynchronous context of one; a test of an activity calls it by MockActivityEnvironment.run()",
    );
  }

  /** What is known about the attempt. */
  get info(): Info {
    return this.#info ??= this.#parts.info();
  }

  /** Rejects with a `CancelledFailure` when the activity is cancelled. It never resolves. */
  get cancelled(): Promise<never> {
    return this.#cancelled ??= quiet(
      new Promise<never>((_, reject) => {
        const signal = this.cancellationSignal;
        if (signal.aborted) reject(signal.reason);
        else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      }),
    );
  }

  /** Is aborted when the activity is cancelled, or nobody waits for the attempt any more. The reason is a `CancelledFailure`. */
  get cancellationSignal(): AbortSignal {
    return this.#parts.signal;
  }

  /** Takes log messages. They get data that name the attempt. */
  get log(): Logger {
    return this.#log ??= this.#parts.logger();
  }

  /** Replaces the logger of the attempt. */
  set log(logger: Logger) {
    this.#log = logger;
  }

  /** Makes metrics. */
  get metricMeter(): MetricMeter {
    return this.#metricMeter ??= this.#parts.metricMeter();
  }

  /** Why the activity was cancelled; `undefined` if it was not. */
  get cancellationDetails(): ActivityCancellationDetails | undefined {
    return this.#parts.cancellationDetails;
  }

  /**
   * The client of the worker.
   *
   * @throws {IllegalStateError} If there is none.
   */
  get client(): any {
    const { client } = this.#parts;
    if (client !== undefined) return client;
    throw new IllegalStateError(
      "Cannot get the client of an activity: there is none; a Worker of a TestWorkflowEnvironment brings one, and so does the option client of MockActivityEnvironment",
    );
  }

  /**
   * Reports that the attempt is alive, and its progress. The next attempt finds the last details in `info.heartbeatDetails`. Local
   * activities have no heartbeats: there it does nothing.
   *
   * @param details A value that can be stored.
   * @throws {ValueError} If it cannot be converted.
   */
  get heartbeat(): (details?: unknown) => void {
    return (details) => this.#parts.heartbeat(details);
  }

  /**
   * Waits. It takes real time, also with a virtual clock, which stands still while an activity runs; with the option `skipSleeps` it
   * takes no time.
   *
   * @param ms How long: a number of milliseconds, or a text such as `"3 seconds"`.
   * @throws {CancelledFailure} If the activity is cancelled.
   * @throws {TypeError} If it is no duration.
   */
  get sleep(): (ms: Duration) => Promise<void> {
    return (ms) => {
      const delayMs = durationMs(ms, "ms"); // also checked if no time passes
      return sleepUntilCancelled(this.cancellationSignal, this.#parts.skipSleeps ? 0 : delayMs);
    };
  }
}

function sleepUntilCancelled(signal: AbortSignal, delayMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const clear = systemClock.setTimer(systemClock.now() + delayMs, () => {
      signal.removeEventListener("abort", stop);
      resolve();
    });
    const stop = () => {
      clear();
      reject(signal.reason);
    };
    signal.addEventListener("abort", stop, { once: true });
  });
}

/**
 * Returns what is known about the current attempt.
 *
 * @throws {IllegalStateError} Outside of an activity.
 *
 * @category Temporal
 */
export function activityInfo(): Info {
  return Context.current().info;
}

/**
 * Takes log messages of the current attempt. Each method throws an `IllegalStateError` outside of an activity.
 *
 * @category Temporal
 */
export const log: Logger = /* @__PURE__ */ toLogger((level: LogLevel, message: string, meta: LogMetadata) =>
  Context.current().log.log(level, message, meta)
);

/**
 * Waits; see {@linkcode Context.sleep}.
 *
 * @param ms How long: a number of milliseconds, or a text such as `"3 seconds"`.
 * @throws {CancelledFailure} If the activity is cancelled.
 * @throws {IllegalStateError} Outside of an activity.
 *
 * @category Temporal
 */
export function sleep(ms: Duration): Promise<void> {
  return Context.current().sleep(ms);
}

/**
 * Reports that the attempt is alive, and its progress; see {@linkcode Context.heartbeat}.
 *
 * @param details A value that can be stored.
 * @throws {IllegalStateError} Outside of an activity.
 *
 * @category Temporal
 */
export function heartbeat(details?: unknown): void {
  Context.current().heartbeat(details);
}

/**
 * Returns a promise that rejects with a `CancelledFailure` when the activity is cancelled.
 *
 * @throws {IllegalStateError} Outside of an activity.
 *
 * @category Temporal
 */
export function cancelled(): Promise<never> {
  return Context.current().cancelled;
}

/**
 * Returns why the activity was cancelled; `undefined` if it was not.
 *
 * @throws {IllegalStateError} Outside of an activity.
 *
 * @category Temporal
 */
export function cancellationDetails(): ActivityCancellationDetails | undefined {
  return Context.current().cancellationDetails;
}

/**
 * Returns a signal that is aborted when the activity is cancelled; see {@linkcode Context.cancellationSignal}.
 *
 * @throws {IllegalStateError} Outside of an activity.
 *
 * @category Temporal
 */
export function cancellationSignal(): AbortSignal {
  return Context.current().cancellationSignal;
}

/**
 * Returns the client of the worker.
 *
 * @throws {IllegalStateError} Outside of an activity, or if there is none.
 *
 * @category Temporal
 */
export function getClient(): any {
  return Context.current().client;
}

/**
 * Makes metrics of the current attempt. Each method throws an `IllegalStateError` outside of an activity.
 *
 * @category Temporal
 */
export const metricMeter: MetricMeter = {
  createCounter: (name: string, unit?: string, description?: string): MetricCounter =>
    Context.current().metricMeter.createCounter(name, unit, description),
  createHistogram: (
    name: string,
    valueType?: NumericMetricValueType,
    unit?: string,
    description?: string,
  ): MetricHistogram => Context.current().metricMeter.createHistogram(name, valueType, unit, description),
  createGauge: (
    name: string,
    valueType?: NumericMetricValueType,
    unit?: string,
    description?: string,
  ): MetricGauge => Context.current().metricMeter.createGauge(name, valueType, unit, description),
  createUpDownCounter(name: string, unit?: string, description?: string): MetricUpDownCounter {
    const meter = Context.current().metricMeter;
    if (meter.createUpDownCounter !== undefined) return meter.createUpDownCounter(name, unit, description);
    throw new IllegalStateError("Cannot make an up-down counter: the metric meter has none");
  },
  withTags: (tags: MetricTags): MetricMeter => Context.current().metricMeter.withTags(tags),
};

export type { CancelledFailure };
