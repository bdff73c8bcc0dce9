/**
 * Schedules: workflows that are started again and again, at the times that a rule names. A schedule is a workflow itself,
 * so it survives restarts, is paused by a signal and tells of itself in a query.
 *
 * A rule is any object with `nextRun(after)`, such as a `Cron` of the package `croner`; {@linkcode every} makes one
 * without a parser.
 *
 * @module
 */

export * from "./rule.ts";
export * from "./schedule.ts";
