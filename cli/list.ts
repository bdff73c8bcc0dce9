/**
 * `list`: runs as a table, or as lines of JSON.
 *
 * @module
 */

import { printable } from "../util/show_value.ts";
import { type Flags, readFilter, readNumber } from "./options.ts";
import { type Part, type Printer, safeJson } from "./print.ts";
import { recordOf } from "./records.ts";
import type { ListedRun, Source } from "./runs.ts";
import { formatDuration, shortTime, statusPart, waitsOf, waitText } from "./words.ts";

/** A longer history is not read for a line of the table. */
const MAX_EVENTS = 1_000;

export async function list(source: Source, flags: Flags, printer: Printer): Promise<number> {
  const now = printer.now();
  const limit = readNumber("limit", flags.limit, 20, 1);
  const runs = await source.list(readFilter(flags, now), flags.json ? limit : limit + 1);
  const shown = runs.slice(0, limit);
  const rows: Part[][] = [];
  for (const run of shown) {
    const { head } = run;
    const waits = head.status === "running" ? await waitsOfRun(run, source) : undefined;
    if (flags.json) {
      printer.out(`${safeJson(recordOf(head, waits))}\n`);
      continue;
    }
    const { error } = head;
    const note: Part = error !== undefined
      ? { text: printable(`${error.name}: ${error.message}`), color: "red" }
      : { text: waits === undefined ? "" : waitText(waits, now), color: "dim" };
    const took = (head.status === "running" ? now : head.updatedAt) - head.createdAt;
    rows.push([
      statusPart(head.status),
      head.workflowId,
      head.workflowName,
      shortTime(head.createdAt),
      formatDuration(Math.max(0, took)),
      String(head.historyLength),
      note,
    ]);
  }
  if (flags.json) return 0;
  if (rows.length === 0) {
    printer.line("No runs");
    return 0;
  }
  printer.table(["STATUS", "ID", "NAME", "CREATED (UTC)", "TIME", "EVENTS", "ERROR OR WAIT"], rows);
  if (runs.length > limit) printer.line({ text: `The newest ${limit}; --limit shows more`, color: "dim" });
  return 0;
}

async function waitsOfRun({ head, waitsFor, history }: ListedRun, source: Source) {
  if (history === undefined && head.historyLength <= MAX_EVENTS && source.store !== undefined) {
    const state = await source.load(head.workflowId);
    if (state?.runId === head.runId) history = state.history;
  }
  return history === undefined && waitsFor === undefined ? [] : waitsOf(head, history ?? [], waitsFor);
}
