/**
 * When a schedule is due: the port to a parser of cron patterns, and the rule of equal intervals.
 *
 * @module
 */

import { checkInteger, checkOptions, invalid } from "../util/check.ts";

/**
 * Gives the times of a schedule. A `Cron` of the package `croner` is one:
 * `new Cron("0 2 * * *", { timezone: "Europe/Berlin" })`.
 *
 * @category Schedules
 */
export interface ScheduleRule {
  /** Returns the first time later than `after`, or `null` if there is none. It must not change anything. */
  nextRun(after: Date): Date | null;
}

/**
 * Options of {@linkcode every}.
 *
 * @category Schedules
 */
export interface EveryOptions {
  /**
   * By how much the times are later than whole multiples of the interval since the epoch, in milliseconds; an integer.
   *
   * @default {0}
   */
  readonly offsetMs?: number | undefined;
}

/** The names of these options. */
const optionNames: Readonly<Record<keyof EveryOptions, true>> = { offsetMs: true };

/**
 * Makes a rule of equal intervals. They are counted from the epoch, not from the start of the schedule: a schedule of one
 * hour is due on the hour (UTC), and a restart changes nothing.
 *
 * @param ms The interval, in milliseconds; a positive integer. A `Date` has no fractions of milliseconds.
 * @param options Where the intervals begin.
 * @throws {RangeError} If a number is not an integer, or `ms` is not above 0.
 * @throws {TypeError} If `options` is no object or has an unknown option.
 *
 * @category Schedules
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
  checkInteger("ms", ms, 1, action);
  checkOptions(options, optionNames, action);
  const { offsetMs = 0 } = options;
  if (!Number.isInteger(offsetMs)) {
    throw invalid("offsetMs", offsetMs, "an integer", action, undefined, RangeError);
  }
  const offset = offsetMs % ms;
  return Object.freeze({
    nextRun(after: Date) {
      const next = new Date((Math.floor((after.getTime() - offset) / ms) + 1) * ms + offset);
      return Number.isNaN(next.getTime()) ? null : next; // later than any Date
    },
  });
}
