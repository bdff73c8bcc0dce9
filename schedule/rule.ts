/**
 * When a schedule is due: the port to a parser of cron patterns, and the one rule that needs none.
 *
 * @module
 */

import { checkNumber, checkObject } from "../util/check.ts";

/**
 * Knows the times of a schedule. A `Cron` of the package `croner` is one as it is:
 * `new Cron("0 2 * * *", { timezone: "Europe/Berlin" })`.
 */
export interface ScheduleRule {
  /** Answers the first time later than `after`, or `null` if there is none. Must not change anything. */
  nextRun(after: Date): Date | null;
}

/** Options of {@linkcode every}. */
export interface EveryOptions {
  /**
   * How much later than at whole multiples of the interval since the epoch, in milliseconds.
   *
   * @default {0}
   */
  readonly offsetMs?: number;
}

/**
 * Makes a rule of equal intervals. They are counted from the epoch, not from the start of the schedule: every hour is on
 * the hour (UTC), and a restart changes nothing.
 *
 * @param ms The interval, in milliseconds, above 0.
 * @param options Where the intervals begin.
 * @throws {RangeError} If a number is not finite, or `ms` is not above 0.
 *
 * @example
 * ```ts
 * import { every } from "@rockpool/workflow/schedule";
 * import { assertEquals } from "@std/assert";
 *
 * const quarterPast = every(60 * 60 * 1000, { offsetMs: 15 * 60 * 1000 });
 * assertEquals(quarterPast.nextRun(new Date("2026-05-01T10:20:00Z")), new Date("2026-05-01T11:15:00Z"));
 * ```
 */
export function every(ms: number, options: EveryOptions = {}): ScheduleRule {
  const action = "make a rule";
  checkNumber("ms", ms, Number.MIN_VALUE, action);
  checkObject("options", options, action);
  const { offsetMs = 0 } = options;
  checkNumber("offsetMs", offsetMs, -Infinity, action);
  return Object.freeze({
    nextRun: (after: Date) => new Date((Math.floor((after.getTime() - offsetMs) / ms) + 1) * ms + offsetMs),
  });
}
