/**
 * `inspect`: what a file is, how many runs it holds, and whether it is whole.
 *
 * @module
 */

import { stat } from "node:fs/promises";
import type { WorkflowStatus } from "../types.ts";
import { show } from "../util/show.ts";
import { grouped } from "../util/show_value.ts";
import { Failure, messageOf } from "./failure.ts";
import type { Flags } from "./options.ts";
import { type Printer, safeJson } from "./print.ts";
import { showUrl } from "./remote.ts";
import type { Source, SourceKind } from "./runs.ts";
import { isUrl, kindOf, openSource } from "./source.ts";

const NAMES: Readonly<Record<SourceKind, string>> = {
  sqlite: "an SQLite file with workflows",
  snapshot: "a snapshot of an InMemoryStore",
  history: "the history of a run",
  inspector: "an inspector",
};
/** How many faults are named. */
const MAX_FAULTS = 10;

export async function inspect(file: string, flags: Flags, printer: Printer): Promise<number> {
  if (isUrl(file)) throw new Failure(2, `Cannot inspect ${showUrl(file)}: it is no file; "list" reads an inspector`);
  const kind = await kindOf(file);
  const { size } = await stat(file);
  const faults: string[] = [];
  const counts: Partial<Record<WorkflowStatus, number>> = {};
  let runs = 0;
  let events = 0;
  if (kind !== undefined) {
    let source: Source | undefined;
    try {
      source = await openSource(file);
      if (kind === "sqlite") faults.push(...await checkSqlite(file));
      for (const { head } of await source.list({}, Infinity)) {
        runs++;
        counts[head.status] = (counts[head.status] ?? 0) + 1;
        events += head.historyLength;
        try {
          const state = await source.load(head.workflowId);
          if (state !== null && state.history.length !== head.historyLength) {
            faults.push(`run ${show(head.workflowId)}: ${state.history.length} of ${head.historyLength} events`);
          }
        } catch (error) {
          faults.push(`run ${show(head.workflowId)}: ${messageOf(error)}`);
        }
      }
    } catch (error) {
      faults.push(messageOf(error));
    } finally {
      await source?.close();
    }
  }
  if (flags.json) {
    printer.out(`${safeJson({ file, kind: kind ?? null, bytes: size, runs, events, statuses: counts, faults })}\n`);
  } else {
    printer.line({ text: "file    ", color: "dim" }, file);
    printer.line(
      { text: "kind    ", color: "dim" },
      kind === undefined ? "not known: no SQLite file, snapshot or history" : NAMES[kind],
    );
    printer.line({ text: "size    ", color: "dim" }, `${grouped(size)} bytes`);
    if (kind !== undefined) {
      const parts = Object.entries(counts).map(([status, count]) => `${grouped(count)} ${status}`);
      printer.line(
        { text: "runs    ", color: "dim" },
        `${grouped(runs)}${parts.length > 0 ? `: ${parts.join(", ")}` : ""}`,
      );
      printer.line({ text: "events  ", color: "dim" }, grouped(events));
      printer.line(
        { text: "damage  ", color: "dim" },
        faults.length === 0 ? { text: "none found", color: "green" } : { text: `${faults.length} found`, color: "red" },
      );
    }
    for (const fault of faults.slice(0, MAX_FAULTS)) printer.line("  ", fault);
    if (faults.length > MAX_FAULTS) printer.line(`  ${faults.length - MAX_FAULTS} more`);
  }
  return kind === undefined || faults.length > 0 ? 1 : 0;
}

/** What SQLite itself finds. */
async function checkSqlite(file: string): Promise<string[]> {
  const { DatabaseSync } = await import("node:sqlite");
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    const rows = db.prepare("PRAGMA quick_check").all() as { readonly quick_check?: unknown }[];
    return rows.map((row) => String(row.quick_check)).filter((text) => text !== "ok");
  } catch (error) {
    return [messageOf(error)];
  } finally {
    db.close();
  }
}
