import { assertEquals, assertThrows } from "@std/assert";
import { type Duration, durationMs } from "./duration.ts";

/** What the npm package `ms` returns, which Temporal uses. `deno task temporal-types` compares ours with it. */
const TABLE: [Duration, number][] = [
  [0, 0],
  [1500, 1500],
  [-3, -3],
  ["100", 100],
  ["1ms", 1],
  ["53 milliseconds", 53],
  ["17 msecs", 17],
  ["1 sec", 1000],
  ["1.5s", 1500],
  [".5 seconds" as Duration, 500],
  ["1m", 60_000],
  ["3 mins", 180_000],
  ["1h", 3_600_000],
  ["2.5 hrs", 9_000_000],
  ["2 days", 172_800_000],
  ["3d", 259_200_000],
  ["1 week", 604_800_000],
  ["3w", 1_814_400_000],
  ["1y", 31_557_600_000],
  ["10 YEARS", 315_576_000_000],
  ["-3 min", -180_000],
  ["-.5h" as Duration, -1_800_000],
  ["1 Minute", 60_000],
];

Deno.test("durationMs() returns the milliseconds of a number and of a text", () => {
  for (const [duration, ms] of TABLE) assertEquals(durationMs(duration), ms, `${duration}`);
});

Deno.test("durationMs() refuses what is no duration, and names the argument", () => {
  for (const duration of ["3 dayz", "", "day", "1 2", "1.s", "3 days ago", " 3 days", "NaN", "1e3", NaN, null, {}]) {
    assertThrows(() => durationMs(duration as Duration, "ms"), TypeError, 'Cannot read "ms": it must be a number of');
  }
  assertThrows(
    () => durationMs("3 dayz" as Duration, "startToCloseTimeout"),
    TypeError,
    'Cannot read "startToCloseTimeout": it must be a number of milliseconds or a text such as "30 seconds" or "3 days", got "3 dayz"',
  );
  assertThrows(() => durationMs("1".repeat(101) as Duration), TypeError, "Cannot read");
});
