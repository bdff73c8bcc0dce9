/**
 * One attempt of an activity, from the context of this package to the one that Temporal's code knows.
 *
 * 1. An attempt that is cancelled and ends with a `CancelledFailure` or an `AbortError` was cancelled. It throws a `CancelledFailure`.
 * 2. Any other error is an `ApplicationFailure`, also a failure of another class.
 *
 * @module
 */

import type { ActivityContext } from "../../activity.ts";
import type { WorkflowLogger } from "../../context.ts";
import { systemClock } from "../../clock.ts";
import { codeOf } from "../../errors.ts";
import { invalid } from "../../util/check.ts";
import { isStrayPromise } from "../../util/deferred.ts";
import { toBase64 } from "../../util/base64.ts";
import { ActivityCancellationDetails } from "../common/cancellation_details.ts";
import { toThrown } from "../common/convert.ts";
import { optionalDurationMs } from "../common/duration.ts";
import { CompleteAsyncError } from "../common/errors.ts";
import { composeInterceptors } from "../common/interceptors.ts";
import { consoleLogger, toLogger, withMetadata } from "../common/logger.ts";
import {
  type ActivityOptions,
  ApplicationFailure,
  CancelledFailure,
  ensureApplicationFailure,
  type Headers,
  type Logger,
  type MetricMeter,
  noopMetricMeter,
  type TemporalFailure,
} from "../common/mod.ts";
import { type ValueConverter, valueConverter } from "../common/value_converter.ts";
import { asyncLocalStorage, Context, type ContextParts, type Info } from "./context.ts";
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
   * @default {the logger of the executor}
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
  /** The workflow that called. Its log takes messages, unless the host has a logger. */
  readonly workflow?: { readonly log: WorkflowLogger } | undefined;
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
 * @returns What is stored for what the activity returns.
 * @throws {CancelledFailure} If the activity was cancelled.
 * @throws {Error} What is stored for anything else that it throws.
 */
export async function runActivity(fn: AnyActivity, attempt: ActivityAttempt): Promise<unknown> {
  const { toStored } = attempt.host?.converter ?? json;
  const environment = new CalledEnvironment(attempt);
  try {
    return toStored(await environment.execute(fn, attempt.args, attempt.headers ?? {}));
  } catch (error) {
    throw toThrown(environment.failureOf(error), toStored);
  }
}

const none: never[] = [];
const noHost: ActivityHost = {};
const json = /* @__PURE__ */ valueConverter();

/** Whether and why an attempt is cancelled. A signal is made when the code asks for one. */
class Cancellation {
  #controller: AbortController | undefined;
  #failure: CancelledFailure | undefined;
  #details: ActivityCancellationDetails | undefined;

  /** The signal that cancels the attempt. */
  protected get source(): AbortSignal | undefined {
    return undefined;
  }

  /** Cancels the attempt. */
  cancel(reason: string, details: ActivityCancellationDetails): void {
    if (this.#failure !== undefined) return;
    this.#failure = new CancelledFailure(reason);
    this.#details = details;
    this.#controller?.abort(this.#failure);
  }

  get cancellation(): CancelledFailure | undefined {
    this.#look();
    return this.#failure;
  }

  get cancellationDetails(): ActivityCancellationDetails | undefined {
    this.#look();
    return this.#details;
  }

  get signal(): AbortSignal {
    if (this.#controller !== undefined) return this.#controller.signal;
    this.#look();
    this.#controller = new AbortController();
    if (this.#failure !== undefined) this.#controller.abort(this.#failure);
    else this.source?.addEventListener("abort", () => this.#look(), { once: true });
    return this.#controller.signal;
  }

  #look(): void {
    const { source } = this;
    if (source?.aborted) this.cancel(...cancellationOf(source.reason));
  }
}

/** What activities run in: their context, and the interceptors around them. */
export abstract class Environment extends Cancellation implements ContextParts {
  readonly context: Context;
  readonly #host: ActivityHost;
  readonly #inbound: ActivityInboundCallsInterceptor[];
  readonly #outbound: ActivityOutboundCallsInterceptor[];

  constructor(host: ActivityHost) {
    super();
    const { interceptors = none } = host;
    this.#host = host;
    this.#inbound = interceptors.length === 0 ? none : [];
    this.#outbound = interceptors.length === 0 ? none : [];
    this.context = new Context(this);
    for (const make of interceptors) { // which may use the logger
      const made = atOnce(make(this.context), "interceptors()");
      if (made.inbound !== undefined) this.#inbound.push(made.inbound);
      if (made.outbound !== undefined) this.#outbound.push(made.outbound);
    }
  }

  abstract info(): Info;
  abstract heartbeat(details?: unknown): void;

  logger(): Logger {
    return withMetadata(this.#host.logger ?? this.defaultLogger, () => {
      const getLogAttributes = composeInterceptors(this.#outbound, "getLogAttributes", (data) => data);
      return atOnce(getLogAttributes(logAttributes(this.context.info)), "getLogAttributes()");
    });
  }

  metricMeter(): MetricMeter {
    const { namespace, taskQueue, activityType } = this.context.info;
    const getMetricTags = composeInterceptors(this.#outbound, "getMetricTags", (tags) => tags);
    const tags = atOnce(getMetricTags({ namespace, taskQueue, activityType }), "getMetricTags()");
    return atOnce((this.#host.metricMeter ?? noopMetricMeter).withTags(tags), "withTags()");
  }

  protected get defaultLogger(): Logger {
    return consoleLogger;
  }

  get client(): unknown {
    return this.#host.client;
  }

  get skipSleeps(): boolean {
    return this.#host.skipSleeps ?? false;
  }

  /** Calls an activity in the context, through the interceptors. */
  execute(fn: AnyActivity, args: unknown[], headers: Headers): unknown {
    return asyncLocalStorage.run(this.context, () => {
      if (this.#inbound.length === 0) return fn(...args);
      return composeInterceptors(this.#inbound, "execute", async ({ args }) => await fn(...args))({ args, headers });
    });
  }

  /** The failure that an error of the activity is. */
  failureOf(error: unknown): TemporalFailure {
    if (error instanceof CompleteAsyncError) return cannotCompleteLater(this.info().activityType);
    const isCancellation = error instanceof CancelledFailure || (error as Error | undefined)?.name === "AbortError";
    const cancellation = isCancellation ? this.cancellation : undefined;
    if (cancellation === undefined) return ensureApplicationFailure(error);
    return error instanceof CancelledFailure ? error : cancellation;
  }
}

/** That of one attempt of a call by a workflow. */
class CalledEnvironment extends Environment {
  readonly #attempt: ActivityAttempt;
  readonly #startedAtMs: number = systemClock.now();

  constructor(attempt: ActivityAttempt) {
    super(attempt.host ?? noHost);
    this.#attempt = attempt;
  }

  protected override get source(): AbortSignal {
    return this.#attempt.context.signal;
  }

  protected override get defaultLogger(): Logger {
    const log = this.#attempt.workflow?.log;
    return log === undefined ? super.defaultLogger : toLogger((level, message, meta) => {
      log[level === "TRACE" ? "debug" : level.toLowerCase() as keyof WorkflowLogger](message, meta);
    });
  }

  override info(): Info {
    return infoOf(this.#attempt, this.#startedAtMs);
  }

  override heartbeat(details?: unknown): void {
    const { isLocal, context, host } = this.#attempt;
    if (isLocal) return;
    const stored = details === undefined ? undefined : (host?.converter ?? json).toStored(details);
    try {
      context.heartbeat(stored);
    } catch (error) {
      if (!context.signal.aborted) throw error; // else nobody waits for the attempt: its signal says so
    }
  }
}

/** What a function returns that must not return a promise: nobody would wait for it. */
function atOnce<T>(returned: T, name: string): T {
  if (typeof returned !== "object" || returned === null || isStrayPromise(returned)) {
    throw invalid(name, returned, "an object, and no promise", "run activity");
  }
  return returned;
}

function cannotCompleteLater(activityType: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(
    `Cannot complete activity "${activityType}" later: activities that are completed from outside are not supported; let the workflow wait for a signal, which whoever knows the result sends`,
    "CompleteAsyncError",
  );
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

function infoOf(attempt: ActivityAttempt, startedAtMs: number): Info {
  const { context, activityId, activityType, isLocal, workflowType, options, host = noHost } = attempt;
  const { converter = json, namespace = "default", taskQueue = options.taskQueue ?? "default" } = host;
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
