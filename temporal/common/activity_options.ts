/**
 * The options with which a workflow calls an activity.
 *
 * @module
 */

import type { ActivityCancellationType, VersioningIntent } from "./choices.ts";
import type { Duration } from "./duration.ts";
import type { RetryPolicy } from "./retry_policy.ts";

/**
 * In which order the tasks of a queue are taken. There are no queues of tasks here: it changes nothing.
 *
 * @category Temporal
 */
export interface Priority {
  /** An integer from 1; smaller ones come first. */
  priorityKey?: number | undefined;
  /** Tasks with the same key share their part of the throughput. */
  fairnessKey?: string | undefined;
  /** How large the part of a key is. */
  fairnessWeight?: number | undefined;
}

/**
 * The options of an activity. One of `startToCloseTimeout` and `scheduleToCloseTimeout` is required.
 *
 * @category Temporal
 */
export interface ActivityOptions {
  /**
   * The ID of the call, which the activity can read.
   *
   * @default {the number of the call}
   */
  activityId?: string | undefined;
  /** The queue of the worker. It changes nothing here: activities run in this process. */
  taskQueue?: string | undefined;
  /**
   * How long an attempt may take between two calls of `heartbeat()`.
   *
   * @default {no limit}
   */
  heartbeatTimeout?: Duration | undefined;
  /**
   * How often and when a failed attempt is repeated.
   *
   * @default {without end, after 1 second, doubled up to 100 seconds}
   */
  retry?: RetryPolicy | undefined;
  /**
   * How long one attempt may take.
   *
   * @default {no limit}
   */
  startToCloseTimeout?: Duration | undefined;
  /** How long the activity may wait for a worker. It changes nothing here. */
  scheduleToStartTimeout?: Duration | undefined;
  /**
   * How long all attempts and the delays between them may take.
   *
   * @default {no limit}
   */
  scheduleToCloseTimeout?: Duration | undefined;
  /**
   * Whether a cancelled activity is told, and when its caller is told.
   *
   * @default {"WAIT_CANCELLATION_COMPLETED"}
   */
  cancellationType?: ActivityCancellationType | undefined;
  /** It changes nothing here. */
  allowEagerDispatch?: boolean | undefined;
  /** It changes nothing here. */
  versioningIntent?: VersioningIntent | undefined;
  /** A text for people. */
  summary?: string | undefined;
  /** It changes nothing here. */
  priority?: Priority | undefined;
}

/**
 * The options of a local activity. One of `startToCloseTimeout` and `scheduleToCloseTimeout` is required.
 *
 * @category Temporal
 */
export interface LocalActivityOptions {
  /**
   * How often and when a failed attempt is repeated.
   *
   * @default {without end, after 1 second, doubled up to 100 seconds}
   */
  retry?: RetryPolicy | undefined;
  /**
   * How long one attempt may take.
   *
   * @default {no limit}
   */
  startToCloseTimeout?: Duration | undefined;
  /** How long the activity may wait before it runs. It changes nothing here. */
  scheduleToStartTimeout?: Duration | undefined;
  /**
   * How long all attempts and the delays between them may take.
   *
   * @default {no limit}
   */
  scheduleToCloseTimeout?: Duration | undefined;
  /** It changes nothing here: the delay before an attempt is always a timer of the history. */
  localRetryThreshold?: Duration | undefined;
  /**
   * Whether a cancelled activity is told, and when its caller is told.
   *
   * @default {"WAIT_CANCELLATION_COMPLETED"}
   */
  cancellationType?: ActivityCancellationType | undefined;
  /** A text for people. */
  summary?: string | undefined;
}
