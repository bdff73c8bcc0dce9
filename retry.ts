/**
 * When a failed attempt is repeated. The decisions are pure: this module has no timer and no randomness.
 *
 * @example
 * ```ts
 * import { retryDelayMs } from "@rockpool/workflow";
 * import { assertEquals } from "@std/assert";
 *
 * const policy = { maxAttempts: 3, initialIntervalMs: 100, jitter: false } as const;
 * const error = new Error("busy");
 * assertEquals(retryDelayMs(policy, { attempt: 1, error, random: 0 }), 100);
 * assertEquals(retryDelayMs(policy, { attempt: 2, error, random: 0 }), 200);
 * assertEquals(retryDelayMs(policy, { attempt: 3, error, random: 0 }), null); // that was the last one
 * ```
 *
 * @module
 */

import { codeOf, type RetryAfterError } from "./errors.ts";
import { checkFunction, checkNumber, checkOptions, invalid } from "./util/check.ts";
import { isStrayPromise } from "./util/deferred.ts";

/**
 * How often and when a failed attempt is repeated. The first attempt counts.
 *
 * @category Retries
 */
export interface RetryPolicy {
  /**
   * Maximum number of attempts; a positive integer, or `Infinity`.
   *
   * @default {3}
   */
  readonly maxAttempts?: number | undefined;
  /**
   * The delay before the second attempt, in milliseconds, from 0.
   *
   * @default {100}
   */
  readonly initialIntervalMs?: number | undefined;
  /**
   * The factor by which the delay grows with each attempt, from 1.
   *
   * @default {2}
   */
  readonly backoffCoefficient?: number | undefined;
  /**
   * Maximum delay before jitter, in milliseconds, from 0.
   *
   * @default {10_000}
   */
  readonly maxIntervalMs?: number | undefined;
  /**
   * The delay is multiplied by a random factor between these two numbers, from 0. `false` for no jitter.
   *
   * @default {[0.5, 1.5]}
   */
  readonly jitter?: readonly [min: number, max: number] | false | undefined;
  /**
   * Returns whether an attempt that failed with this error is repeated.
   *
   * @default {every error except a `NonRetryableError`}
   */
  readonly isRetryable?: ((error: unknown) => boolean) | undefined;
}

/**
 * A {@linkcode RetryPolicy} with every property.
 *
 * @category Retries
 */
export type CompleteRetryPolicy = { readonly [Name in keyof RetryPolicy]-?: NonNullable<RetryPolicy[Name]> };

/**
 * The defaults of a {@linkcode RetryPolicy}.
 *
 * @category Retries
 */
export const defaultRetryPolicy: CompleteRetryPolicy = /* @__PURE__ */ Object.freeze({
  maxAttempts: 3,
  initialIntervalMs: 100,
  backoffCoefficient: 2,
  maxIntervalMs: 10_000,
  jitter: /* @__PURE__ */ Object.freeze([0.5, 1.5] as const),
  isRetryable: (error: unknown): boolean => codeOf(error) !== "non_retryable",
});

/**
 * A failed attempt, for {@linkcode retryDelayMs}.
 *
 * @category Retries
 */
export interface FailedAttempt {
  /** The attempt that failed, counted from 1. */
  readonly attempt: number;
  /** The error. */
  readonly error: unknown;
  /** A random number from 0 to below 1, for the jitter. */
  readonly random: number;
}

/** The longest delay: 285,000 years. With a longer one, the time of the next attempt could be infinite. */
const MAX_DELAY_MS = 9_007_199_254_740_991;

/**
 * Decides whether another attempt follows a failed one, and when. A `NonRetryableError` is never retried: the
 * policy does not count then. A `RetryAfterError` brings its own delay.
 *
 * @param policy The policy; omitted properties have the defaults of {@linkcode defaultRetryPolicy}.
 * @param failed The attempt.
 * @returns The delay before the next attempt in milliseconds, or `null` if none follows.
 * @throws {TypeError} If `isRetryable` returns a promise.
 * @throws {RangeError} If the `delayMs` of a `RetryAfterError` is not a finite number from 0.
 * @throws What `isRetryable` throws.
 *
 * @category Retries
 */
export function retryDelayMs(policy: RetryPolicy, failed: FailedAttempt): number | null {
  const { attempt, error, random } = failed;
  const { maxAttempts, initialIntervalMs, backoffCoefficient, maxIntervalMs, jitter, isRetryable } = complete(policy);
  if (attempt >= maxAttempts || codeOf(error) === "non_retryable") return null;
  const again = isRetryable(error);
  if (isStrayPromise(again)) throw invalid("isRetryable()", again, "true or false", "use retry policy");
  if (!again) return null;
  if (codeOf(error) === "retry_after") {
    const { delayMs } = error as RetryAfterError;
    checkNumber("delayMs", delayMs, 0, "use a RetryAfterError"); // it may have been changed
    return Math.min(delayMs, MAX_DELAY_MS);
  }
  // The limits keep the products finite: 0 times Infinity is NaN, and an infinite delay never ends.
  const factor = Math.min(backoffCoefficient ** (attempt - 1), Number.MAX_VALUE);
  const delayMs = Math.min(initialIntervalMs * factor, maxIntervalMs, MAX_DELAY_MS);
  if (jitter === false) return delayMs;
  const [min, max] = jitter;
  return Math.min(delayMs * (min + random * (max - min)), MAX_DELAY_MS);
}

/**
 * Checks a policy at the call that takes it.
 *
 * @param policy The policy.
 * @throws {TypeError} If it is no object, has an unknown property, or `jitter` or `isRetryable` is invalid.
 * @throws {RangeError} If a number is out of its range.
 *
 * @category Retries
 */
export function validateRetryPolicy(policy: RetryPolicy): void {
  const action = "use retry policy";
  checkOptions(policy, defaultRetryPolicy, action, undefined, "retry");
  const { maxAttempts, initialIntervalMs, backoffCoefficient, maxIntervalMs, jitter, isRetryable } = complete(policy);
  if (!(maxAttempts === Infinity || (Number.isInteger(maxAttempts) && maxAttempts >= 1))) {
    throw invalid("maxAttempts", maxAttempts, "an integer from 1, or Infinity", action, undefined, RangeError);
  }
  checkNumber("initialIntervalMs", initialIntervalMs, 0, action);
  checkNumber("backoffCoefficient", backoffCoefficient, 1, action);
  if (!(typeof maxIntervalMs === "number" && maxIntervalMs >= 0)) {
    throw invalid("maxIntervalMs", maxIntervalMs, "a number from 0", action, undefined, RangeError);
  }
  if (jitter !== false) {
    if (!Array.isArray(jitter) || jitter.length !== 2) throw invalid("jitter", jitter, "false or [min, max]", action);
    const [min, max] = jitter;
    checkNumber("jitter[0]", min, 0, action);
    checkNumber("jitter[1]", max, min, action);
  }
  checkFunction("isRetryable", isRetryable, action);
}

/** A property that is `undefined` has its default, as an omitted argument does. */
function complete(policy: RetryPolicy): CompleteRetryPolicy {
  const all: Record<string, unknown> = { ...defaultRetryPolicy };
  for (const name in all) {
    const value = policy[name as keyof RetryPolicy];
    if (value !== undefined) all[name] = value;
  }
  return all as unknown as CompleteRetryPolicy;
}
