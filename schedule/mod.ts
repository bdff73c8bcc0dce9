/**
 * Schedules: workflows that start another workflow repeatedly, at the times that a rule gives. A schedule is itself a
 * workflow. It survives restarts, a signal pauses it, and a query reports its state.
 *
 * A rule is any object with `nextRun(after)`, such as a `Cron` of the package `croner`. {@linkcode every} makes a rule
 * without a parser.
 *
 * @module
 */

export * from "./rule.ts";
export * from "./schedule.ts";
