/**
 * Times, statuses and waits in words.
 *
 * @module
 */

import { describeWaits, formatDuration, readRun } from "../pictures/mod.ts";
import type { OpenWait } from "../pictures/mod.ts";
import type { Wait } from "../options.ts";
import type { WorkflowEvent, WorkflowHead, WorkflowStatus } from "../types.ts";
import type { Painted } from "./print.ts";

/** A time in UTC, to the millisecond: `2026-11-26T14:02:10.797Z`. */
export function timeText(at: number): string {
  const date = new Date(at);
  return Number.isNaN(+date) ? String(at) : date.toISOString();
}

/** A time in UTC, to the second, as it is read: `2026-11-26 14:02:10`. */
export function shortTime(at: number): string {
  const text = timeText(at);
  return text.endsWith("Z") ? text.slice(0, 19).replace("T", " ") : text;
}

const STATUS_COLORS: Readonly<Record<WorkflowStatus, Painted["color"]>> = {
  running: "blue",
  completed: "green",
  failed: "red",
  canceled: "yellow",
};

export function statusPart(status: WorkflowStatus): Painted {
  return { text: status, color: STATUS_COLORS[status] ?? "dim" };
}

/** What a running run waits for, as far as its executor or its history says it. */
export function waitsOf(
  head: WorkflowHead,
  history: readonly WorkflowEvent[],
  waitsFor: readonly Wait[] | undefined,
): readonly OpenWait[] {
  return readRun({ ...head, history }, waitsFor === undefined ? {} : { waitsFor }).waits;
}

/** The waits of a run as a sentence; empty if none is known. */
export function waitText(waits: readonly OpenWait[], now: number): string {
  return describeWaits(waits, now);
}

export { formatDuration };
