/**
 * `show`: a run, with its timeline, its input, and how it ended or what it waits for.
 *
 * @module
 */

import { stateAt } from "../history/state_at.ts";
import { errorText, valueText } from "../inspector/value.ts";
import { formatTimeline, type ReadOptions } from "../pictures/mod.ts";
import type { WorkflowState } from "../types.ts";
import { type Flags, readNumber } from "./options.ts";
import { type Printer, safeJson } from "./print.ts";
import { recordOf, valuesOf } from "./records.ts";
import { findRun, headOf, type Source } from "./runs.ts";
import { timeText, waitsOf, waitText } from "./words.ts";

export async function show(source: Source, id: string, flags: Flags, printer: Printer): Promise<number> {
  const { state, isPast } = await runAt(source, id, flags);
  const options = await readOptions(source, state, isPast, printer);
  const { waitsFor } = options;
  const head = headOf(state);
  const waits = state.status === "running" ? waitsOf(head, state.history, waitsFor) : undefined;
  if (flags.json) {
    printer.out(`${safeJson({ ...recordOf(head, waits), ...valuesOf(state, flags.events === true) })}\n`);
    return 0;
  }
  const { now = state.updatedAt } = options;
  printer.text(formatTimeline(state, {
    ...(flags.events && { maxLines: Math.max(10, 2 * state.history.length + 10) }),
    ...options,
  }));
  printer.line();
  const { input, result, error, runId, createdAt, updatedAt, labels = {} } = state;
  const texts = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  printer.line({ text: "run      ", color: "dim" }, runId);
  printer.line({ text: "created  ", color: "dim" }, timeText(createdAt));
  printer.line({ text: "updated  ", color: "dim" }, timeText(updatedAt));
  if (texts.length > 0) printer.line({ text: "labels   ", color: "dim" }, texts.join(", "));
  if (input !== undefined) block(printer, "input", valueText(input));
  if (result !== undefined) block(printer, "result", valueText(result));
  if (error !== undefined) block(printer, "error", errorText(error));
  const text = waitText(waits ?? [], now);
  if (text !== "") printer.line({ text: text.replace(/^waits for /, "waits for  "), color: "blue" });
  return 0;
}

/** The run, or as it was after some of its events. */
export async function runAt(
  source: Source,
  id: string,
  flags: Flags,
): Promise<{ readonly state: WorkflowState; readonly isPast: boolean }> {
  const state = await findRun(source, id);
  if (flags.at === undefined) return { state, isPast: false };
  const { length } = state.history;
  const at = readNumber("at", flags.at, length, 1, length);
  return { state: stateAt(state, at), isPast: at < length };
}

/** What pictures of a run need beyond its history, unless it is shown as it was. */
export async function readOptions(
  source: Source,
  { status, workflowId }: WorkflowState,
  isPast: boolean,
  printer: Printer,
): Promise<ReadOptions> {
  if (isPast) return {};
  const waitsFor = status === "running" ? await source.waitsFor?.(workflowId) : undefined;
  return { now: printer.now(), ...(waitsFor !== undefined && { waitsFor }) };
}

/** A value under its name, from the same column on. */
function block(printer: Printer, name: string, text: string): void {
  const [first, ...more] = text.trimEnd().split("\n");
  printer.line({ text: name.padEnd(9), color: "dim" }, first);
  for (const line of more) printer.line(" ".repeat(9), line);
}
