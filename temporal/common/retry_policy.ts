/**
 * The retry policy of Temporal, and the policy of this package that means the same.
 *
 * @module
 */

import type { RetryPolicy as NativeRetryPolicy } from "../../retry.ts";
import { isRetryable, toFailure } from "./convert.ts";
import { type Duration, durationMs, optionalDurationMs } from "./duration.ts";
import { ValueError } from "./errors.ts";

/**
 * How often and when a failed activity or workflow is repeated.
 *
 * @category Temporal
 */
export interface RetryPolicy {
  /**
   * The factor by which the delay grows with each attempt, from 1.
   *
   * @default {2}
   */
  backoffCoefficient?: number | undefined;
  /**
   * The delay before the second attempt.
   *
   * @default {1 second}
   */
  initialInterval?: Duration | undefined;
  /**
   * Maximum number of attempts; a positive integer, or `Infinity`.
   *
   * @default {Infinity}
   */
  maximumAttempts?: number | undefined;
  /**
   * Maximum delay.
   *
   * @default {100 times `initialInterval`}
   */
  maximumInterval?: Duration | undefined;
  /**
   * The `type` of each application failure after which no further attempt follows.
   *
   * @default {none}
   */
  nonRetryableErrorTypes?: string[] | undefined;
}

/**
 * Returns the policy of this package that means the same.
 *
 * @param policy The policy; what is left out has Temporal's default, and so has `undefined`.
 * @throws {ValueError} If a number is out of its range.
 * @throws {TypeError} If an interval is no duration.
 *
 * @internal
 */
export function toNativeRetryPolicy(policy: RetryPolicy = {}): NativeRetryPolicy {
  const { backoffCoefficient = 2, maximumAttempts = Infinity, nonRetryableErrorTypes = [] } = policy;
  const initialIntervalMs = durationMs(policy.initialInterval ?? 1000, "retry.initialInterval");
  const maxIntervalMs = optionalDurationMs(policy.maximumInterval, "retry.maximumInterval") ?? 100 * initialIntervalMs;
  if (!(backoffCoefficient >= 1 && backoffCoefficient < Infinity)) {
    throw refused("backoffCoefficient", backoffCoefficient, "a number from 1");
  }
  if (!(maximumAttempts === Infinity || Number.isInteger(maximumAttempts) && maximumAttempts > 0)) {
    throw refused("maximumAttempts", maximumAttempts, "a positive integer, or Infinity");
  }
  if (!(initialIntervalMs > 0 && initialIntervalMs < Infinity)) {
    throw refused("initialInterval", policy.initialInterval, "a duration above 0");
  }
  if (!(maxIntervalMs >= initialIntervalMs)) {
    throw refused(
      "maximumInterval",
      policy.maximumInterval,
      `at least the "initialInterval" of ${initialIntervalMs} ms`,
    );
  }
  return {
    maxAttempts: maximumAttempts,
    initialIntervalMs,
    backoffCoefficient,
    maxIntervalMs,
    jitter: false,
    isRetryable: (error) => isRetryable(toFailure(error), nonRetryableErrorTypes),
  };
}

function refused(name: string, value: unknown, rule: string): ValueError {
  return new ValueError(`Cannot use retry policy: "${name}" must be ${rule}, got ${value}`);
}
