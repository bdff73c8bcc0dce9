import { assertEquals, assertThrows } from "@std/assert";
import { retryDelayMs, validateRetryPolicy } from "../../retry.ts";
import { RetryAfterError, TimeoutError } from "../../errors.ts";
import { toThrown } from "./convert.ts";
import { ApplicationFailure, CancelledFailure, type RetryPolicy, ValueError } from "./mod.ts";
import { toNativeRetryPolicy } from "./retry_policy.ts";

const delays = (policy: RetryPolicy | undefined, attempts: number[], error: unknown = new Error("busy")) =>
  attempts.map((attempt) => retryDelayMs(toNativeRetryPolicy(policy), { attempt, error, random: 0.9 }));

Deno.test("toNativeRetryPolicy() has Temporal's defaults when nothing is given", () => {
  assertEquals(delays(undefined, [1, 2, 3, 7, 8, 1000]), [1000, 2000, 4000, 64_000, 100_000, 100_000]);
  validateRetryPolicy(toNativeRetryPolicy());
});

Deno.test("toNativeRetryPolicy() takes durations as texts, and limits interval and attempts", () => {
  const policy: RetryPolicy = {
    initialInterval: "2s",
    maximumInterval: "1 minute",
    backoffCoefficient: 10,
    maximumAttempts: 4,
  };
  assertEquals(delays(policy, [1, 2, 3, 4]), [2000, 20_000, 60_000, null]);
});

Deno.test("toNativeRetryPolicy() does not repeat failures that are not retryable or of a listed type", () => {
  const policy = { nonRetryableErrorTypes: ["RangeError", "Card"] };
  assertEquals(delays(policy, [1], new RangeError("too large")), [null]);
  assertEquals(delays(policy, [1], ApplicationFailure.retryable("declined", "Card")), [null]);
  assertEquals(delays(policy, [1], ApplicationFailure.nonRetryable("gone", "Gone")), [null]);
  assertEquals(delays(policy, [1], new CancelledFailure("stop")), [null]);
  assertEquals(delays(policy, [1], new TypeError("other")), [1000]);
  assertEquals(delays(policy, [1], new TimeoutError('Activity "a" timed out after 5 ms in attempt 1', 5)), [1000]);
});

Deno.test("toNativeRetryPolicy() uses the delay of a failure, unless its type is listed or the attempts are used up", () => {
  const busy = toThrown(ApplicationFailure.create({ type: "Busy", nextRetryDelay: "7s" }), (value) => value);
  assertEquals(delays({}, [1, 2], busy), [7000, 7000]);
  assertEquals(delays({ maximumAttempts: 2 }, [2], busy), [null]);
  assertEquals(delays({ nonRetryableErrorTypes: ["Busy"] }, [1], busy), [null]);
  assertEquals(delays({}, [1], new RetryAfterError("busy", 3)), [3]);
});

Deno.test("toNativeRetryPolicy() refuses numbers that are out of range", () => {
  const cases: [RetryPolicy, string][] = [
    [{ backoffCoefficient: 0.5 }, '"backoffCoefficient" must be a number from 1, got 0.5'],
    [{ maximumAttempts: 0 }, '"maximumAttempts" must be a positive integer, or Infinity, got 0'],
    [{ maximumAttempts: 1.5 }, '"maximumAttempts" must be'],
    [{ initialInterval: 0 }, '"initialInterval" must be a duration above 0, got 0'],
    [{ initialInterval: "2s", maximumInterval: "1s" }, 'must be at least the "initialInterval" of 2000 ms, got 1s'],
  ];
  for (const [policy, message] of cases) assertThrows(() => toNativeRetryPolicy(policy), ValueError, message);
});
