/**
 * One attempt of an activity, from the context of this package to the one that Temporal's code knows.
 *
 * 1. An attempt that is cancelled and ends with a `CancelledFailure` or an `AbortError` was cancelled. It throws a `CancelledFailure`.
 * 2. Any other error is an `ApplicationFailure`, also a failure of another class.
 *
 * @module
 */

import type { ActivityContext } from "../../activity.ts";
import { systemClock } from "../../clock.ts";
import { codeOf } from "../../errors.ts";
import { invalid } from "../../util/check.ts";
import { isStrayPromise } from "../../util/deferred.ts";
import { toBase64 } from "../../util/base64.ts";
import { ActivityCancellationDetails } from "../common/cancellation_details.ts";
import { optionalDurationMs } from "../common/duration.ts";
import { CompleteAsyncError } from "../common/errors.ts";
import { composeInterceptors } from "../common/interceptors.ts";
import { consoleLogger, withMetadata } from "../common/logger.ts";
import {
  type ActivityOptions,
  ApplicationFailure,
  CancelledFailure,
  ensureApplicationFailure,
  type Headers,
  type Logger,
  type MetricMeter,
  noopMetricMeter,
} from "../common/mod.ts";
import { type ValueConverter, valueConverter } from "../common/value_converter.ts";
import { asyncLocalStorage, Context, type Info } from "./context.ts";
import type {
  ActivityInboundCallsInterceptor,
  ActivityInterceptorsFactory,
  ActivityOutboundCallsInterceptor,
} from "./interceptors.ts";

/** A function that runs as an activity. */
// deno-lint-ignore no-explicit-any -- any parameters
export type AnyActivity = (...args: any[]) => unknown;

/** What the activities of a host share. */
export interface ActivityHost {
  /**
   * Converts details of heartbeats.
   *
   * @default {JSON}
   */
  readonly converter?: ValueConverter | undefined;
  /**
   * Takes log messages.
   *
   * @default {the console, from the level INFO}
   */
  readonly logger?: Logger | undefined;
  /**
   * Makes metrics.
   *
   * @default {one that counts nothing}
   */
  readonly metricMeter?: MetricMeter | undefined;
  /**
   * Are around each attempt. The first is the outermost.
   *
   * @default {none}
   */
  readonly interceptors?: readonly ActivityInterceptorsFactory[] | undefined;
  /**
   * The client that activities get.
   *
   * @default {none}
   */
  readonly client?: unknown;
  /**
   * Whether `sleep()` takes no time.
   *
   * @default {false}
   */
  readonly skipSleeps?: boolean | undefined;
  /** @default {"default"} */
  readonly namespace?: string | undefined;
  /** @default {"default"} */
  readonly taskQueue?: string | undefined;
}

/** One attempt. */
export interface ActivityAttempt {
  readonly host?: ActivityHost | undefined;
  /** The arguments, which the function may change. */
  readonly args: unknown[];
  readonly headers?: Headers | undefined;
  /** The context of this package. */
  readonly context: ActivityContext;
  /** Returns a signal that is aborted when the workflow cancels the call. It is asked for when the activity wants to know. */
  readonly signal?: (() => AbortSignal) | undefined;
  readonly activityType: string;
  readonly activityId: string;
  readonly isLocal: boolean;
  readonly workflowType: string;
  /** The options of the call. */
  readonly options: ActivityOptions;
  /** When the workflow called the activity, in milliseconds since the epoch. */
  readonly scheduledAtMs?: number | undefined;
}

/**
 * Runs an attempt.
 *
 * @param fn The activity.
 * @param attempt What it gets.
 * @returns What the activity returns. It is not converted.
 * @throws {CancelledFailure} If the activity was cancelled.
 * @throws {ApplicationFailure} If it throws anything else.
 */
export function runActivity(fn: AnyActivity, attempt: ActivityAttempt): Promise<unknown> {
  const { context, host = noHost } = attempt;
  const { converter = json } = host;
  const signal = () => context.signal;
  const cancellation = new Cancellation(attempt.signal === undefined ? [signal] : [signal, attempt.signal]);
  const startedAtMs = systemClock.now();
  return runInContext(fn, attempt.args, {
    info: () => infoOf(attempt, converter, startedAtMs),
    heartbeat(details) {
      if (attempt.isLocal) return;
      const stored = details === undefined ? undefined : converter.toStored(details);
      try {
        context.heartbeat(stored);
      } catch (error) {
        if (!context.signal.aborted) throw error; // else nobody waits for the attempt: its signal says so
      }
    },
    cancellation,
    host,
    headers: attempt.headers ?? {},
  });
}

const none: never[] = [];
const noHost: ActivityHost = {};
const json = /* @__PURE__ */ valueConverter();

/** What {@linkcode runInContext} makes a context of. */
export interface Environment {
  /** Makes what the context shows of the attempt. It is called when the code asks for it. */
  readonly info: () => Info;
  heartbeat(details?: unknown): void;
  readonly cancellation: Cancellation;
  readonly host: ActivityHost;
  readonly headers: Headers;
}

/** Makes a context with its interceptors. */
export function makeContext({ info, heartbeat, cancellation, host }: Environment): {
  readonly context: Context;
  readonly execute: (fn: AnyActivity, args: unknown[], headers: Headers) => Promise<unknown>;
} {
  const { logger = consoleLogger, metricMeter = noopMetricMeter, interceptors = [], client, skipSleeps = false } = host;
  const inbound: ActivityInboundCallsInterceptor[] = interceptors.length === 0 ? none : [];
  const outbound: ActivityOutboundCallsInterceptor[] = interceptors.length === 0 ? none : [];
  const context: Context = new Context({
    info,
    heartbeat,
    signal: () => cancellation.signal,
    cancellationDetails: () => cancellation.details,
    logger: () =>
      withMetadata(logger, () => {
        const getLogAttributes = composeInterceptors(outbound, "getLogAttributes", (data) => data);
        return atOnce(getLogAttributes(logAttributes(context.info)), "getLogAttributes()");
      }),
    metricMeter() {
      const { namespace, taskQueue, activityType } = context.info;
      const getMetricTags = composeInterceptors(outbound, "getMetricTags", (tags) => tags);
      const tags = atOnce(getMetricTags({ namespace, taskQueue, activityType }), "getMetricTags()");
      return atOnce(metricMeter.withTags(tags), "withTags()");
    },
    client,
    skipSleeps,
  });
  for (const make of interceptors) { // which may use the logger
    const made = atOnce(make(context), "interceptors()");
    if (made.inbound !== undefined) inbound.push(made.inbound);
    if (made.outbound !== undefined) outbound.push(made.outbound);
  }
  if (inbound.length === 0) return { context, execute: callDirectly };
  const call = (fn: AnyActivity) => composeInterceptors(inbound, "execute", async ({ args }) => await fn(...args));
  return { context, execute: (fn, args, headers) => call(fn)({ args, headers }) };
}

/** As without interceptors; it is called in an `async` function. */
const callDirectly = (fn: AnyActivity, args: unknown[]) => fn(...args) as Promise<unknown>;

/** What a function returns that must not return a promise: nobody would wait for it. */
function atOnce<T>(returned: T, name: string): T {
  if (typeof returned !== "object" || returned === null || isStrayPromise(returned)) {
    throw invalid(name, returned, "an object, and no promise", "run activity");
  }
  return returned;
}

async function runInContext(fn: AnyActivity, args: unknown[], environment: Environment): Promise<unknown> {
  const { info, cancellation, headers } = environment;
  try {
    const { context, execute } = makeContext(environment);
    return await asyncLocalStorage.run(context, () => execute(fn, args, headers));
  } catch (error) {
    if (error instanceof CompleteAsyncError) throw cannotCompleteLater(info().activityType);
    const isCancellation = error instanceof CancelledFailure || (error as Error | undefined)?.name === "AbortError";
    if (!isCancellation || !cancellation.requested) throw ensureApplicationFailure(error);
    throw error instanceof CancelledFailure ? error : cancellation.failure;
  }
}

function cannotCompleteLater(activityType: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(
    `Cannot complete activity "${activityType}" later: activities that are completed from outside are not supported; let the workflow wait for a signal, which whoever knows the result sends`,
    "CompleteAsyncError",
  );
}

/** Whether and why an attempt is cancelled. A signal is made when the code asks for one. */
export class Cancellation {
  readonly #sources: readonly (() => AbortSignal)[];
  #controller: AbortController | undefined;
  #failure: CancelledFailure | undefined;
  #details: ActivityCancellationDetails | undefined;

  /** @param sources Return signals, each of which cancels the attempt. */
  constructor(sources: readonly (() => AbortSignal)[] = []) {
    this.#sources = sources;
  }

  /** Cancels the attempt. */
  cancel(reason: string, details: ActivityCancellationDetails): void {
    if (this.#failure !== undefined) return;
    this.#failure = new CancelledFailure(reason);
    this.#details = details;
    this.#controller?.abort(this.#failure);
  }

  get requested(): boolean {
    this.#look();
    return this.#failure !== undefined;
  }

  get failure(): CancelledFailure | undefined {
    this.#look();
    return this.#failure;
  }

  get details(): ActivityCancellationDetails | undefined {
    this.#look();
    return this.#details;
  }

  get signal(): AbortSignal {
    if (this.#controller !== undefined) return this.#controller.signal;
    this.#look();
    this.#controller = new AbortController();
    if (this.#failure !== undefined) this.#controller.abort(this.#failure);
    else for (const source of this.#sources) source().addEventListener("abort", () => this.#look(), { once: true });
    return this.#controller.signal;
  }

  #look(): void {
    if (this.#failure !== undefined) return;
    const signal = this.#sources.map((source) => source()).find(({ aborted }) => aborted);
    if (signal !== undefined) this.cancel(...cancellationOf(signal.reason));
  }
}

/** What Temporal calls the reason for which nobody waits for an attempt any more. */
function cancellationOf(reason: unknown): [string, ActivityCancellationDetails] {
  const { message = "", name } = Object(reason) as Partial<Error>;
  const has = (details: keyof ActivityCancellationDetails) => new ActivityCancellationDetails({ [details]: true });
  switch (codeOf(reason) ?? name) {
    case "timeout":
      return ["TIMED_OUT", has("timedOut")];
    case "closed":
    case "lease_lost":
      return ["WORKER_SHUTDOWN", has("workerShutdown")];
    case "canceled":
      if (/^The workflow (has ended|was continued)/.test(message)) break;
      return ["CANCELLED", has("cancelRequested")];
    case "CancelledFailure":
      return ["CANCELLED", has("cancelRequested")];
  }
  return ["NOT_FOUND", has("notFound")];
}

function infoOf(attempt: ActivityAttempt, converter: ValueConverter, startedAtMs: number): Info {
  const { context, activityId, activityType, isLocal, workflowType, options, host = {} } = attempt;
  const { namespace = "default", taskQueue = options.taskQueue ?? "default" } = host;
  const startToCloseTimeoutMs = optionalDurationMs(options.startToCloseTimeout, "startToCloseTimeout");
  const scheduleToCloseTimeoutMs = optionalDurationMs(options.scheduleToCloseTimeout, "scheduleToCloseTimeout");
  const { workflowId, runId, idempotencyKey } = context;
  return {
    get taskToken() {
      return new TextEncoder().encode(idempotencyKey);
    },
    get base64TaskToken() {
      return toBase64(this.taskToken);
    },
    activityId,
    activityType,
    activityNamespace: namespace,
    attempt: context.attempt,
    isLocal,
    workflowExecution: { workflowId, runId },
    workflowNamespace: namespace,
    workflowType,
    scheduledTimestampMs: attempt.scheduledAtMs ?? startedAtMs,
    scheduleToCloseTimeoutMs: scheduleToCloseTimeoutMs ?? 0,
    startToCloseTimeoutMs: startToCloseTimeoutMs ?? scheduleToCloseTimeoutMs ?? 0,
    currentAttemptScheduledTimestampMs: startedAtMs,
    heartbeatTimeoutMs: optionalDurationMs(options.heartbeatTimeout, "heartbeatTimeout"),
    get heartbeatDetails() {
      return converter.fromStored(context.heartbeatDetails);
    },
    taskQueue,
    priority: options.priority,
    retryPolicy: options.retry,
    namespace,
    activityRunId: undefined,
    inWorkflow: true,
  };
}

/** The data that name an attempt in a log. */
function logAttributes(info: Info): Record<string, unknown> {
  const { isLocal, attempt, namespace, base64TaskToken, activityId, activityType, taskQueue, workflowType } = info;
  const attributes = {
    sdkComponent: "activity",
    isLocal,
    attempt,
    namespace,
    taskToken: base64TaskToken,
    activityId,
    activityType,
    taskQueue,
  };
  if (!info.inWorkflow) return { ...attributes, activityRunId: info.activityRunId };
  const { workflowId, runId: workflowRunId } = info.workflowExecution ?? {};
  return { ...attributes, workflowId, workflowRunId, workflowType };
}
