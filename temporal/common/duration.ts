/**
 * Durations as Temporal writes them: a number of milliseconds, or a text such as `"3 days"`.
 *
 * @module
 */

import { show } from "../../util/show.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** The names of units, and their milliseconds. A year has 365.25 days. */
const units: readonly (readonly [name: RegExp, ms: number])[] = [
  [/^(milliseconds?|msecs?|ms)$/, 1],
  [/^(seconds?|secs?|s)$/, 1000],
  [/^(minutes?|mins?|m)$/, MINUTE_MS],
  [/^(hours?|hrs?|h)$/, 60 * MINUTE_MS],
  [/^(days?|d)$/, DAY_MS],
  [/^(weeks?|w)$/, 7 * DAY_MS],
  [/^(years?|yrs?|y)$/, 365.25 * DAY_MS],
];

/**
 * A unit of time, in lower case.
 *
 * @category Temporal
 */
export type LowerUnit =
  | ("milliseconds" | "millisecond" | "msecs" | "msec" | "ms")
  | ("seconds" | "second" | "secs" | "sec" | "s")
  | ("minutes" | "minute" | "mins" | "min" | "m")
  | ("hours" | "hour" | "hrs" | "hr" | "h")
  | ("days" | "day" | "d")
  | ("weeks" | "week" | "w")
  | ("years" | "year" | "yrs" | "yr" | "y");

/**
 * A unit of time.
 *
 * @category Temporal
 */
export type Unit = LowerUnit | Capitalize<LowerUnit> | Uppercase<LowerUnit>;

/**
 * A duration as a text: a number and a unit, such as `"30 seconds"`, `"1.5h"` or `"3 days"`. Without a unit, the number counts
 * milliseconds.
 *
 * @category Temporal
 */
export type StringValue = `${number}` | `${number}${Unit}` | `${number} ${Unit}`;

/**
 * A duration: a number of milliseconds, or a text such as `"3 days"`.
 *
 * @category Temporal
 */
export type Duration = StringValue | number;

/**
 * A time as Temporal's server sends it. Nothing has one here.
 *
 * @category Temporal
 */
export interface Timestamp {
  /** Seconds since the epoch. */
  // deno-lint-ignore no-explicit-any -- an integer of 64 bits, of a class of its own
  seconds?: any;
  /** Nanoseconds of the last second. */
  nanos?: number | null | undefined;
}

/**
 * Returns a duration as a number of milliseconds.
 *
 * @param duration A number of milliseconds, or a text.
 * @param name What the duration is called in an error.
 * @throws {TypeError} If it is neither a number nor the text of a duration.
 *
 * @internal
 */
export function durationMs(duration: Duration, name = "duration"): number {
  if (typeof duration === "number" && !Number.isNaN(duration)) return duration;
  if (typeof duration === "string" && duration.length <= 100) {
    const [, number, unit = "ms"] = /^(-?\d*\.?\d+) *([a-z]+)?$/i.exec(duration) ?? [];
    const found = number && units.find(([name]) => name.test(unit.toLowerCase()));
    if (found) return Number(number) * found[1];
  }
  throw new TypeError(
    `Cannot read "${name}": it must be a number of milliseconds or a text such as "30 seconds" or "3 days", got ${
      show(duration)
    }`,
  );
}

/**
 * As {@linkcode durationMs}, for an option that may be left out.
 *
 * @internal
 */
export function optionalDurationMs(duration: Duration | null | undefined, name: string): number | undefined {
  return duration === undefined || duration === null ? undefined : durationMs(duration, name);
}
