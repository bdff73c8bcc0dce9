/**
 * Interceptors of activities: functions around an attempt, and around what it logs and counts.
 *
 * @module
 */

import type { Headers, MetricTags, Next } from "../common/mod.ts";
import type { Context } from "./context.ts";

/**
 * Makes the interceptors of an attempt.
 *
 * @category Temporal
 */
export type ActivityInterceptorsFactory = (ctx: Context) => ActivityInterceptors;

/**
 * The interceptors of an attempt.
 *
 * @category Temporal
 */
export interface ActivityInterceptors {
  /** Around the call of the function. */
  inbound?: ActivityInboundCallsInterceptor | undefined;
  /** Around what the attempt asks for. */
  outbound?: ActivityOutboundCallsInterceptor | undefined;
}

/**
 * Around the call of the function.
 *
 * @category Temporal
 */
export interface ActivityInboundCallsInterceptor {
  /** Calls `next`, which calls the function. */
  execute?: (input: ActivityExecuteInput, next: Next<ActivityInboundCallsInterceptor, "execute">) => Promise<unknown>;
}

/**
 * A call of an activity.
 *
 * @category Temporal
 */
export interface ActivityExecuteInput {
  /** The arguments. */
  readonly args: unknown[];
  /** The headers. */
  readonly headers: Headers;
}

/**
 * Around what an attempt asks for.
 *
 * @category Temporal
 */
export interface ActivityOutboundCallsInterceptor {
  /** Returns the data that each log message gets. */
  getLogAttributes?: (
    input: GetLogAttributesInput,
    next: Next<ActivityOutboundCallsInterceptor, "getLogAttributes">,
  ) => Record<string, unknown>;
  /** Returns the tags of metrics. */
  getMetricTags?: (
    input: GetMetricTagsInput,
    next: Next<ActivityOutboundCallsInterceptor, "getMetricTags">,
  ) => MetricTags;
}

/**
 * Data of log messages.
 *
 * @category Temporal
 */
export type GetLogAttributesInput = Record<string, unknown>;

/**
 * Tags of metrics.
 *
 * @category Temporal
 */
export type GetMetricTagsInput = MetricTags;
