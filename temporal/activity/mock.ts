/**
 * An environment for unit tests of activities: a context that the test cancels, and whose heartbeats it sees.
 *
 * @module
 */

import { EventEmitter } from "node:events";
import { ActivityCancellationDetails, type ActivityFunction, type Logger, type MetricMeter } from "../common/mod.ts";
import { checkTemporalOptions } from "../common/option_tables.ts";
import type { Context, Info } from "./context.ts";
import type { ActivityInterceptorsFactory } from "./interceptors.ts";
import { Environment } from "./run.ts";

/**
 * Options of a {@linkcode MockActivityEnvironment}.
 *
 * @category Temporal
 */
export interface MockActivityEnvironmentOptions {
  /**
   * Are around each activity. The first is the outermost.
   *
   * @default {none}
   */
  interceptors?: ActivityInterceptorsFactory[] | undefined;
  /**
   * Takes log messages.
   *
   * @default {the console, from the level INFO}
   */
  logger?: Logger | undefined;
  /**
   * Makes metrics.
   *
   * @default {one that counts nothing}
   */
  metricMeter?: MetricMeter | undefined;
  /**
   * The client that activities get.
   *
   * @default {none}
   */
  client?: unknown;
  /**
   * Whether `sleep()` of activities takes no time. Without it, it takes real time. Crash tests then take the activities of a host for
   * fakes, which do not wait for anything real: one that never ends holds them up for 50 ms instead of 3 seconds.
   *
   * @default {false}
   */
  skipSleeps?: boolean | undefined;
}

/**
 * Why an activity is cancelled: the message of its `CancelledFailure`.
 *
 * @category Temporal
 */
export type CancelReason =
  | "NOT_FOUND"
  | "CANCELLED"
  | "TIMED_OUT"
  | "WORKER_SHUTDOWN"
  | "PAUSED"
  | "RESET"
  | "HEARTBEAT_DETAILS_CONVERSION_FAILED";

const token = "test";

/**
 * What activities find in `activityInfo()` in a {@linkcode MockActivityEnvironment}, unless the test gives something else.
 *
 * @category Temporal
 */
export const defaultActivityInfo: Info = {
  activityId: "test",
  activityNamespace: "default",
  activityRunId: undefined,
  activityType: "unknown",
  attempt: 1,
  base64TaskToken: /* @__PURE__ */ btoa(token),
  currentAttemptScheduledTimestampMs: 1,
  heartbeatDetails: undefined,
  heartbeatTimeoutMs: undefined,
  inWorkflow: true,
  isLocal: false,
  namespace: "test",
  priority: undefined,
  retryPolicy: undefined,
  scheduleToCloseTimeoutMs: 1000,
  scheduledTimestampMs: 1,
  startToCloseTimeoutMs: 1000,
  taskQueue: "test",
  taskToken: /* @__PURE__ */ new TextEncoder().encode(token),
  workflowExecution: { runId: "00000000-0000-0000-0000-000000000000", workflowId: "test" },
  workflowNamespace: "default",
  workflowType: "test",
};

/**
 * Runs activities in a test. Emits `"heartbeat"` with the details of each heartbeat. All activities that run in it share one context:
 * once it is cancelled, later ones are cancelled from their start.
 *
 * @category Temporal
 *
 * @example
 * ```ts
 * import { heartbeat, sleep } from "@rockpool/workflow/temporal/activity";
 * import { MockActivityEnvironment } from "@rockpool/workflow/temporal/activity";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * async function poll(): Promise<void> {
 *   for (let round = 1;; round++) {
 *     heartbeat(round);
 *     await sleep(1);
 *   }
 * }
 * const env = new MockActivityEnvironment();
 * const rounds: number[] = [];
 * env.on("heartbeat", (round) => rounds.push(round) === 3 && env.cancel());
 * await assertRejects(() => env.run(poll), Error, "CANCELLED");
 * assertEquals(rounds, [1, 2, 3]);
 * ```
 */
export class MockActivityEnvironment extends EventEmitter {
  /** The context of the activities. */
  declare readonly context: Context;
  /**
   * Cancels the activities.
   *
   * @param reason The message of the `CancelledFailure`; by default `"CANCELLED"`.
   * @param details Why; by default, because the workflow asked for it.
   */
  declare readonly cancel: (reason?: CancelReason, details?: ActivityCancellationDetails) => void;
  readonly #environment: Environment;

  /**
   * Makes an environment.
   *
   * @param info Replaces parts of {@linkcode defaultActivityInfo}.
   * @param opts Interceptors, logger, metrics and client.
   */
  constructor(info?: Partial<Info>, opts: MockActivityEnvironmentOptions = {}) {
    super();
    checkTemporalOptions("new MockActivityEnvironment", opts, "make a test environment of activities");
    const environment = this.#environment = new MockEnvironment(
      opts,
      () => ({ ...defaultActivityInfo, ...info }),
      (details) => void this.emit("heartbeat", details),
    );
    this.context = environment.context;
    this.cancel = (reason = "CANCELLED", details = new ActivityCancellationDetails({ cancelRequested: true })) =>
      environment.cancel(reason, details);
  }

  /**
   * Runs an activity.
   *
   * @param fn The activity.
   * @param args Its arguments.
   * @returns What it returns.
   * @throws What it throws.
   */
  // deno-lint-ignore no-explicit-any -- as Temporal's users know it
  async run<P extends any[], R, F extends ActivityFunction<P, R>>(fn: F, ...args: P): Promise<R> {
    return await this.#environment.execute(fn, args, {}) as R;
  }
}

class MockEnvironment extends Environment {
  declare readonly info: () => Info;
  declare readonly heartbeat: (details?: unknown) => void;

  constructor(host: MockActivityEnvironmentOptions, info: () => Info, heartbeat: (details?: unknown) => void) {
    super(host);
    this.info = info;
    this.heartbeat = heartbeat;
  }
}
