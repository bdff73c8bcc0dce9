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

import { NonRetryableError, RetryAfterError } from "./errors.ts";
import type { RetryPolicy } from "./types.ts";
import { checkFunction, checkNumber, checkObject, invalid } from "./util/check.ts";

/** The policy that an empty {@linkcode RetryPolicy} stands for. */
export const defaultRetryPolicy: Required<RetryPolicy> = /* @__PURE__ */ Object.freeze({
  maxAttempts: 3,
  initialIntervalMs: 100,
  backoffCoefficient: 2,
  maxIntervalMs: 10_000,
  jitter: /* @__PURE__ */ Object.freeze([0.5, 1.5] as const),
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
 * Decides what follows a failed attempt. A `NonRetryableError` is never retried, whatever the policy says; the delay of a
 * `RetryAfterError` is its own.
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
  if (error instanceof RetryAfterError) return error.delayMs;
  // Nothing overflows: neither 0 times Infinity nor a delay that never ends comes of it.
  const factor = Math.min(backoffCoefficient ** (attempt - 1), Number.MAX_VALUE);
  const delayMs = Math.min(initialIntervalMs * factor, maxIntervalMs, Number.MAX_SAFE_INTEGER);
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
  const action = "use retry policy";
  checkObject("retry", policy, action);
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
