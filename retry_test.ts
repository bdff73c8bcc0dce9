import { assertEquals, assertThrows } from "@std/assert";
import {
  defaultRetryPolicy,
  NonRetryableError,
  RetryAfterError,
  retryDelayMs,
  type RetryPolicy,
} from "@rockpool/workflow";
import { validateRetryPolicy } from "@rockpool/workflow/retry";

const error = new Error("busy");
const none = { maxAttempts: Infinity, maxIntervalMs: Infinity, jitter: false } as const;

/** The delays after the first attempts. */
function delays(policy: RetryPolicy, count: number, random = 0.5): (number | null)[] {
  return Array.from({ length: count }, (_, i) => retryDelayMs(policy, { attempt: i + 1, error, random }));
}

Deno.test("defaultRetryPolicy has 3 attempts, 100 ms, doubled, at most 10 s, jitter 0.5 to 1.5", () => {
  const { isRetryable, ...numbers } = defaultRetryPolicy;
  assertEquals(numbers, {
    maxAttempts: 3,
    initialIntervalMs: 100,
    backoffCoefficient: 2,
    maxIntervalMs: 10_000,
    jitter: [0.5, 1.5],
  });
  assertEquals([isRetryable(error), isRetryable(new NonRetryableError("no"))], [true, false]);
});

Deno.test("defaultRetryPolicy cannot be changed", () => {
  assertEquals([Object.isFrozen(defaultRetryPolicy), Object.isFrozen(defaultRetryPolicy.jitter)], [true, true]);
});

Deno.test("retryDelayMs() counts attempts with the first", () => {
  assertEquals(delays({}, 4), [100, 200, null, null]);
  assertEquals(delays({ maxAttempts: 1 }, 1), [null]);
});

Deno.test("retryDelayMs() treats undefined as omitted", () => {
  const policy = { maxAttempts: undefined, initialIntervalMs: undefined, jitter: undefined, isRetryable: undefined };
  assertEquals(delays(policy, 3), [100, 200, null]);
});

Deno.test("retryDelayMs() multiplies by the coefficient up to the maximum", () => {
  const policy = { maxAttempts: 6, initialIntervalMs: 10, backoffCoefficient: 3, maxIntervalMs: 200, jitter: false };
  assertEquals(delays(policy as RetryPolicy, 5), [10, 30, 90, 200, 200]);
});

Deno.test("retryDelayMs() limits the first delay to the maximum too", () => {
  assertEquals(delays({ ...none, initialIntervalMs: 500, maxIntervalMs: 20 }, 2), [20, 20]);
});

Deno.test("retryDelayMs() spreads the delay between the factors of the jitter", () => {
  const at = (random: number) => delays({ jitter: [0.5, 1.5] }, 1, random)[0];
  assertEquals([at(0), at(0.5), at(0.75)], [50, 100, 125]);
  assertEquals(delays({ jitter: [0, 0] }, 1), [0]);
});

Deno.test("retryDelayMs() applies jitter after the maximum", () => {
  assertEquals(delays({ initialIntervalMs: 100, maxIntervalMs: 100, jitter: [1.5, 1.5] }, 1), [150]);
});

Deno.test("retryDelayMs() returns a finite delay however often it multiplies", () => {
  for (const jitter of [false, [0, 1]] as const) {
    for (const initialIntervalMs of [0, 5e-324, 1, 1e308]) {
      for (const backoffCoefficient of [1, 2, 1e308]) {
        for (const attempt of [1, 2, 3, 2_000, 1e9]) {
          for (const random of [0, 0.999]) {
            const policy = { ...none, initialIntervalMs, backoffCoefficient, jitter };
            const delayMs = retryDelayMs(policy, { attempt, error, random });
            assertEquals(Number.isFinite(delayMs), true, JSON.stringify({ ...policy, attempt, random, delayMs }));
          }
        }
      }
    }
  }
});

Deno.test("retryDelayMs() returns 0 when the first delay is 0", () => {
  assertEquals(delays({ ...none, initialIntervalMs: 0, backoffCoefficient: 1e308 }, 3), [0, 0, 0]);
});

Deno.test("retryDelayMs() returns the delay of a RetryAfterError, if another attempt follows", () => {
  const policy = { maxAttempts: 3, initialIntervalMs: 7, maxIntervalMs: 10, jitter: [5, 6] } as const;
  const after = (delayMs: number) => ({ error: new RetryAfterError("busy", delayMs), random: 0.3 });
  assertEquals([0, 1.5, 86_400_000].map((ms) => retryDelayMs(policy, { attempt: 2, ...after(ms) })), [
    0,
    1.5,
    86_400_000,
  ]);
  assertEquals(retryDelayMs(policy, { attempt: 3, ...after(1) }), null);
  assertEquals(retryDelayMs({ ...policy, isRetryable: () => false }, { attempt: 1, ...after(1) }), null);
});

Deno.test("retryDelayMs() never retries a NonRetryableError, whatever the policy says", () => {
  const failed = { attempt: 1, error: new NonRetryableError("no"), random: 0 };
  assertEquals(retryDelayMs({ isRetryable: () => true }, failed), null);
});

Deno.test("retryDelayMs() calls isRetryable with the error itself, and only when an attempt is left", () => {
  const asked: unknown[] = [];
  const isRetryable = (error: unknown) => {
    asked.push(error);
    return error === "again";
  };
  const policy = { maxAttempts: 2, isRetryable, jitter: false } as const;
  assertEquals(retryDelayMs(policy, { attempt: 1, error: "again", random: 0 }), 100);
  assertEquals(retryDelayMs(policy, { attempt: 1, error: undefined, random: 0 }), null);
  assertEquals(retryDelayMs(policy, { attempt: 2, error: "again", random: 0 }), null);
  assertEquals(asked, ["again", undefined]);
});

Deno.test("validateRetryPolicy() accepts what is in range", () => {
  const policies: RetryPolicy[] = [
    {},
    defaultRetryPolicy,
    { maxAttempts: 1, initialIntervalMs: 0, backoffCoefficient: 1, maxIntervalMs: 0, jitter: [0, 0] },
    { maxAttempts: Infinity, maxIntervalMs: Infinity, jitter: false, isRetryable: () => false },
    { maxAttempts: undefined, jitter: undefined },
  ];
  for (const policy of policies) validateRetryPolicy(policy);
});

const wrong: [policy: unknown, kind: typeof TypeError | typeof RangeError, message: string][] = [
  [undefined, TypeError, `"retry" must be an object, got undefined`],
  [null, TypeError, `"retry" must be an object, got null`],
  [3, TypeError, `"retry" must be an object, got 3`],
  [Symbol("s"), TypeError, `"retry" must be an object, got Symbol(s)`],
  [{ attempts: 3 }, TypeError, `"retry" has no option "attempts"; did you mean "maxAttempts"?`],
  [
    { maxRetries: 3 },
    TypeError,
    `"retry" has no option "maxRetries"; the options are "maxAttempts", "initialIntervalMs", ` +
    `"backoffCoefficient", "maxIntervalMs", "jitter", "isRetryable"`,
  ],
  [{ initialInterval: 3 }, TypeError, `"retry" has no option "initialInterval"; did you mean "initialIntervalMs"?`],
  [{ Jitter: false }, TypeError, `"retry" has no option "Jitter"; did you mean "jitter"?`],
  [{ maxAttempts: 0 }, RangeError, `"maxAttempts" must be an integer from 1, or Infinity, got 0`],
  [{ maxAttempts: 1.5 }, RangeError, `"maxAttempts" must be an integer from 1, or Infinity, got 1.5`],
  [{ maxAttempts: NaN }, RangeError, `"maxAttempts" must be an integer from 1, or Infinity, got NaN`],
  [{ maxAttempts: "3" }, RangeError, `"maxAttempts" must be an integer from 1, or Infinity, got "3"`],
  [{ maxAttempts: null }, RangeError, `"maxAttempts" must be an integer from 1, or Infinity, got null`],
  [{ initialIntervalMs: -1 }, RangeError, `"initialIntervalMs" must be a finite number from 0, got -1`],
  [{ initialIntervalMs: Infinity }, RangeError, `"initialIntervalMs" must be a finite number from 0, got Infinity`],
  [{ backoffCoefficient: 0.9 }, RangeError, `"backoffCoefficient" must be a finite number from 1, got 0.9`],
  [{ backoffCoefficient: {} }, RangeError, `"backoffCoefficient" must be a finite number from 1, got an Object`],
  [{ maxIntervalMs: -1 }, RangeError, `"maxIntervalMs" must be a number from 0, got -1`],
  [{ maxIntervalMs: NaN }, RangeError, `"maxIntervalMs" must be a number from 0, got NaN`],
  [{ maxIntervalMs: Symbol("s") }, RangeError, `"maxIntervalMs" must be a number from 0, got Symbol(s)`],
  [{ jitter: true }, TypeError, `"jitter" must be false or [min, max], got true`],
  [{ jitter: 0.5 }, TypeError, `"jitter" must be false or [min, max], got 0.5`],
  [{ jitter: [1] }, TypeError, `"jitter" must be false or [min, max], got an Array`],
  [{ jitter: Object.create(null) }, TypeError, `"jitter" must be false or [min, max], got an object`],
  [{ jitter: [2, 1] }, RangeError, `"jitter[1]" must be a finite number from 2, got 1`],
  [{ jitter: [-1, 1] }, RangeError, `"jitter[0]" must be a finite number from 0, got -1`],
  [{ jitter: [0, Infinity] }, RangeError, `"jitter[1]" must be a finite number from 0, got Infinity`],
  [{ jitter: [0, Symbol("s")] }, RangeError, `"jitter[1]" must be a finite number from 0, got Symbol(s)`],
  [{ isRetryable: true }, TypeError, `"isRetryable" must be a function, got true`],
  [{ isRetryable: Symbol("s") }, TypeError, `"isRetryable" must be a function, got Symbol(s)`],
];

for (const [policy, kind, message] of wrong) {
  Deno.test(`validateRetryPolicy() throws that ${message}`, () => {
    const error = assertThrows(() => validateRetryPolicy(policy as RetryPolicy), kind);
    assertEquals(error.message, `Cannot use retry policy: ${message}`);
  });
}

Deno.test("retryDelayMs() refuses an isRetryable that returns a promise, and leaves no rejection unhandled", () => {
  for (const answer of [() => Promise.resolve(false), () => Promise.reject(error)]) {
    const policy = { isRetryable: answer as never };
    const call = () => retryDelayMs(policy, { attempt: 1, error, random: 0.5 });
    assertThrows(call, TypeError, 'Cannot use retry policy: "isRetryable()" must be true or false, got a Promise');
  }
});

Deno.test("retryDelayMs() refuses a RetryAfterError whose delay was changed to nonsense", () => {
  for (const delayMs of [NaN, -1, Infinity, "5"]) {
    const late = Object.assign(new RetryAfterError("later", 1), { delayMs });
    assertThrows(() => retryDelayMs({}, { attempt: 1, error: late as Error, random: 0.5 }), RangeError, "delayMs");
  }
});
