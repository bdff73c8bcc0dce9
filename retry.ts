/**
 * When a failing activity is tried again: pure decisions, no timer and no randomness of its own.
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

import { NonRetryableError } from "./errors.ts";
import type { RetryPolicy } from "./types.ts";
import { isFiniteFrom } from "./_value.ts";

/** The policy that an empty {@linkcode RetryPolicy} stands for. */
export const defaultRetryPolicy: Required<RetryPolicy> = Object.freeze({
  maxAttempts: 3,
  initialIntervalMs: 100,
  backoffCoefficient: 2,
  maxIntervalMs: 10_000,
  jitter: Object.freeze([0.5, 1.5] as const),
  isRetryable: (error: unknown): boolean => !(error instanceof NonRetryableError),
});

/** A failed attempt, for {@linkcode retryDelayMs}. */
export interface FailedAttempt {
  /** Which attempt failed, counted from 1. */
  readonly attempt: number;
  /** How it failed. */
  readonly error: unknown;
  /** A random number from 0 to below 1, for the jitter. */
  readonly random: number;
}

/**
 * Decides what follows a failed attempt. A `NonRetryableError` is never retried, whatever the policy says.
 *
 * @param policy The policy; what it leaves out is taken from {@linkcode defaultRetryPolicy}.
 * @param failed The attempt.
 * @returns The delay before the next attempt in milliseconds, or `null` if there is none.
 */
export function retryDelayMs(policy: RetryPolicy, failed: FailedAttempt): number | null {
  const { attempt, error, random } = failed;
  const { maxAttempts, initialIntervalMs, backoffCoefficient, maxIntervalMs, jitter, isRetryable } = complete(policy);
  if (attempt >= maxAttempts || error instanceof NonRetryableError || !isRetryable(error)) {
    return null;
  }
  if (initialIntervalMs === 0) return 0; // 0 times an overflowing coefficient would be NaN
  const delayMs = Math.min(initialIntervalMs * backoffCoefficient ** (attempt - 1), maxIntervalMs);
  if (jitter === false) return delayMs;
  const [min, max] = jitter;
  return delayMs * (min + random * (max - min));
}

/**
 * Checks a policy at the call that takes it.
 *
 * @param policy The policy.
 * @throws {TypeError} If it is no object, or `jitter` or `isRetryable` is of the wrong kind.
 * @throws {RangeError} If a number is out of its range.
 */
export function validateRetryPolicy(policy: RetryPolicy): void {
  if (typeof policy !== "object" || policy === null) {
    throw new TypeError(`Cannot use retry policy: "retry" must be an object, got ${policy}`);
  }
  const { maxAttempts, initialIntervalMs, backoffCoefficient, maxIntervalMs, jitter, isRetryable } = complete(policy);
  if (!(maxAttempts === Infinity || (Number.isInteger(maxAttempts) && maxAttempts >= 1))) {
    throw outOfRange("maxAttempts", "an integer from 1, or Infinity", maxAttempts);
  }
  if (!isFiniteFrom(initialIntervalMs, 0)) {
    throw outOfRange("initialIntervalMs", "a finite number from 0", initialIntervalMs);
  }
  if (!isFiniteFrom(backoffCoefficient, 1)) {
    throw outOfRange("backoffCoefficient", "a finite number from 1", backoffCoefficient);
  }
  if (maxIntervalMs !== Infinity && !isFiniteFrom(maxIntervalMs, 0)) {
    throw outOfRange("maxIntervalMs", "a number from 0", maxIntervalMs);
  }
  if (jitter !== false) {
    if (!Array.isArray(jitter) || jitter.length !== 2) {
      throw new TypeError(
        `Cannot use retry policy: "jitter" must be false or [min, max], got ${jitter}`,
      );
    }
    const [min, max] = jitter;
    if (!isFiniteFrom(min, 0) || !isFiniteFrom(max, min)) {
      throw outOfRange("jitter", "[min, max] with 0 <= min <= max", jitter);
    }
  }
  if (typeof isRetryable !== "function") {
    throw new TypeError(
      `Cannot use retry policy: "isRetryable" must be a function, got ${isRetryable}`,
    );
  }
}

function outOfRange(name: string, rule: string, value: unknown): RangeError {
  return new RangeError(`Cannot use retry policy: "${name}" must be ${rule}, got ${value}`);
}

/** An `undefined` field means its default, as everywhere in JavaScript. */
function complete(policy: RetryPolicy): Required<RetryPolicy> {
  const {
    maxAttempts = defaultRetryPolicy.maxAttempts,
    initialIntervalMs = defaultRetryPolicy.initialIntervalMs,
    backoffCoefficient = defaultRetryPolicy.backoffCoefficient,
    maxIntervalMs = defaultRetryPolicy.maxIntervalMs,
    jitter = defaultRetryPolicy.jitter,
    isRetryable = defaultRetryPolicy.isRetryable,
  } = policy;
  return { maxAttempts, initialIntervalMs, backoffCoefficient, maxIntervalMs, jitter, isRetryable };
}
