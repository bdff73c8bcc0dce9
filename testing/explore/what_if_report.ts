/**
 * The report of `whatIf()`: its cells, and how they are shown.
 *
 * @module
 */

import { isOutcome } from "../../history/history.ts";
import { fit } from "../../pictures/text.ts";
import type { ActivityAttemptFailedEvent, WorkflowState } from "../../types.ts";
import { show } from "../../util/show.ts";
import { printable } from "../../util/show_value.ts";
import type { CrashRun } from "../crash/crash_options.ts";
import { messageOf } from "../crash/report.ts";
import type { Trouble } from "../crash/world.ts";
import type { PlayedRun } from "./one_run.ts";

/**
 * What becomes of a workflow. It completes, fails, fails and undoes what it did (`compensated`), or is cancelled. It tries an activity
 * again and again, as the retry policy says (`retrying`), and would continue once the service works: what a policy with more attempts
 * does at its end is not tried. It asks for an answer that a
 * recorded history does not have (`unknown`). It waits forever, or makes events without end (`stuck`), or `check` throws (`wrong`).
 *
 * @category Testing
 */
export type WhatIfEnd =
  | "completed"
  | "failed"
  | "compensated"
  | "canceled"
  | "retrying"
  | "unknown"
  | "stuck"
  | "wrong";

/**
 * One cell of the table of {@linkcode whatIf}.
 *
 * @category Testing
 */
export interface WhatIfCell {
  /** The name of the activity. */
  readonly activity: string;
  /** What else goes wrong in these runs, so that the activity is called, such as `mail fails`; `undefined` if it always is. */
  readonly after: string | undefined;
  /** What goes wrong, in words. */
  readonly what: string;
  /** What becomes of the workflow; the worst, if it is tried at several points. */
  readonly end: WhatIfEnd;
  /** The result or the error, or why it is bad or unknown, in one line. */
  readonly detail: string;
  /** What happened, with the timelines, if it is stuck or wrong. */
  readonly story: string | undefined;
}

/**
 * What {@linkcode whatIf} found.
 *
 * @category Testing
 */
export interface WhatIfReport<Output = unknown> {
  /** The cells, row by row. */
  readonly cells: readonly WhatIfCell[];
  /** The run in which nothing goes wrong. */
  readonly plain: CrashRun<Output>;
  /** The cells whose end is `stuck` or `wrong`, in words: for an assertion that there is none. */
  readonly bad: readonly string[];
  /**
   * What was not tried, in words, and which answers a recorded history does not have: for an assertion that nothing is missing.
   */
  readonly missing: readonly string[];
  /** Shows the cells as a table: a row for each activity. Below it stand the reasons of what is bad, and what is missing. */
  table(): string;
}

/** From good to bad. */
const ENDS: readonly WhatIfEnd[] = [
  "completed",
  "canceled",
  "compensated",
  "failed",
  "retrying",
  "unknown",
  "stuck",
  "wrong",
];

/** How wide a reason may be. */
const WIDTH = 120;

/** Whether a cell is a failure of the workflow. */
export function isBad({ end }: Pick<WhatIfCell, "end">): boolean {
  return end === "stuck" || end === "wrong";
}

/** Whether an end is worse than another one. */
export function isWorse(end: WhatIfEnd, other: WhatIfEnd): boolean {
  return ENDS.indexOf(end) > ENDS.indexOf(other);
}

/** What became of the workflow in a run. */
export function endOf({ trouble, run }: PlayedRun): WhatIfEnd {
  if (trouble?.kind === "endless") return run?.states.some(isRetrying) ? "retrying" : "stuck";
  if (trouble !== undefined) return "wrong";
  const { status, history } = run!.state;
  if (status === "completed") return "completed";
  if (history.some(({ type }) => type === "compensation_started")) return "compensated";
  return status === "canceled" ? "canceled" : "failed";
}

/** Whether a run that makes events without end does so because an activity fails again and again. */
function isRetrying(state: WorkflowState): boolean {
  return lastAttempt([state]) > 0;
}

/** How often an activity has failed that is tried again. */
export function lastAttempt(states: readonly WorkflowState[]): number {
  return Math.max(
    0,
    ...states.flatMap(({ history }) => {
      const ended = new Set(history.flatMap((event) => isOutcome(event) ? [event.seq] : []));
      const open = history.findLast((event) => event.type === "activity_attempt_failed" && !ended.has(event.seq));
      return open === undefined ? [] : [(open as ActivityAttemptFailedEvent).attempt];
    }),
  );
}

/** Says in one line what went wrong: for whom the story is too long. */
export function reasonOf({ kind, error }: Trouble): string {
  const text = kind === "check" ? thrown(error) : messageOf(error);
  if (kind !== "endless") return fit(printable(text), WIDTH);
  const lines = text.split("\n");
  const waits = lines.filter((line) => line.startsWith("  "));
  const short = waits.length === 0
    ? lines[0]
    : waits.join(", ").replaceAll(/ *run "[^"]*" \([^)]*\) (?=waits for)/g, "");
  return fit(printable(short), WIDTH);
}

/** A failed assertion without the lines that frame its values, and without their colors. */
function thrown(error: unknown): string {
  const { name, message } = error instanceof Error ? error : { name: "thrown", message: show(error) };
  // deno-lint-ignore no-control-regex -- the colors of a terminal
  const text = message.replaceAll(/\x1b\[[\d;]*m/g, "").replace("[Diff] Actual / Expected", "");
  return name === "Error" || name === "AssertionError" ? text : `${name}: ${text}`;
}

/** What a cell is about, in words. */
export function nameOf({ activity, what, after }: Pick<WhatIfCell, "activity" | "what" | "after">): string {
  return `${activity} ${what}${after === undefined ? "" : `, after ${after}`}`;
}

/** A table in Markdown: a row for each activity, a column for each way. Then the reasons of what is bad, and what is missing. */
export function formatReport(cells: readonly WhatIfCell[], missing: readonly string[]): string {
  const ways = [...new Set(cells.map(({ what }) => what))];
  const labelOf = ({ activity, after }: WhatIfCell) => after === undefined ? activity : `${activity}, after ${after}`;
  const rows = [
    ["", ...ways],
    ...Array.from(new Set(cells.map(labelOf)), (label) => [
      label,
      ...ways.map((way) => cells.find((cell) => labelOf(cell) === label && cell.what === way)?.end ?? ""),
    ]),
  ].map((row) => row.map((text) => text.replaceAll("|", "\\|")));
  const widths = rows[0].map((_, column) => Math.max(3, ...rows.map((row) => row[column].length)));
  const line = (row: readonly string[]) => `| ${row.map((text, i) => text.padEnd(widths[i])).join(" | ")} |`;
  const notes = [
    ...cells.filter((cell) => isBad(cell) || cell.end === "retrying").map((cell) =>
      `${nameOf(cell)}: ${cell.end}: ${cell.detail}`
    ),
    ...missing.map((what) => `missing: ${what}`),
  ];
  return [
    line(rows[0]),
    line(widths.map((width) => "-".repeat(width))),
    ...rows.slice(1).map(line),
    ...(notes.length === 0 ? [] : ["", ...notes]),
  ].join("\n");
}
