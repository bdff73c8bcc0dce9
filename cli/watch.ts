/**
 * `watch`: events as they come, of one run until it ends, or of all runs until the command is interrupted.
 *
 * @module
 */

import { formatSince } from "../pictures/mod.ts";
import { encode } from "../history/codec.ts";
import type { WorkflowEvent, WorkflowState } from "../types.ts";
import { show as showName } from "../util/show.ts";
import { showError, showValue } from "../util/show_value.ts";
import { Failure } from "./failure.ts";
import type { Flags } from "./options.ts";
import { type Part, type Printer, safeJson } from "./print.ts";
import { findRun, type Source } from "./runs.ts";

/** How many runs are looked at when something has changed, and nobody says which. */
const RECENT = 50;

export async function watch(source: Source, id: string | undefined, flags: Flags, printer: Printer): Promise<number> {
  if (source.watch === undefined) {
    throw new Failure(2, `Cannot watch ${showName(source.name)}: a ${source.kind} does not change; "show" prints it`);
  }
  const { signal } = printer.io;
  const watcher = new Watcher(source, flags, printer);
  let wake = () => {};
  /** What has changed; `null` stands for any run. */
  const dirty = new Set<string | null>();
  const only = id === undefined ? undefined : (await findRun(source, id)).workflowId;
  if (only !== undefined) dirty.add(only);
  const changed = (id: string | null) => {
    if (only === undefined || id === null || id === only) dirty.add(only ?? id);
    wake();
  };
  if (only === undefined) await watcher.skipPast();
  const stop = source.watch(only, changed);
  if (only === undefined) dirty.add(null); // what has changed meanwhile
  signal?.addEventListener("abort", () => wake(), { once: true });
  try {
    while (signal?.aborted !== true) {
      const [id] = dirty;
      if (id !== undefined) {
        dirty.delete(id);
        if (id === null) {
          await watcher.printRecent();
          continue;
        }
        const state = await source.load(id);
        if (state === null && only !== undefined) throw new Failure(1, `There is no run ${showName(id)} any more`);
        if (state !== null) watcher.print(state, only === undefined);
        if (only !== undefined && state?.status !== "running") return state?.status === "completed" ? 0 : 1;
        continue;
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
        if (dirty.size > 0 || signal?.aborted) resolve();
      });
    }
    return 0;
  } finally {
    stop();
  }
}

class Watcher {
  readonly #source: Source;
  readonly #flags: Flags;
  readonly #printer: Printer;
  /** How many events of a run were printed. */
  readonly #printed = new Map<string, { runId: string; length: number }>();

  constructor(source: Source, flags: Flags, printer: Printer) {
    this.#source = source;
    this.#flags = flags;
    this.#printer = printer;
  }

  /** What has happened before is not printed. */
  async skipPast(): Promise<void> {
    const limit = this.#source.store === undefined ? RECENT : Infinity;
    for (const { head } of await this.#source.list({}, limit)) {
      this.#printed.set(head.workflowId, { runId: head.runId, length: head.historyLength });
    }
  }

  async printRecent(): Promise<void> {
    for (const { head } of (await this.#source.list({}, RECENT)).toReversed()) {
      const printed = this.#printed.get(head.workflowId);
      if (printed?.runId === head.runId && printed.length >= head.historyLength) continue;
      const state = await this.#source.load(head.workflowId);
      if (state !== null) this.print(state, true);
    }
  }

  /** Prints the events of a run that were not printed yet. */
  print(state: WorkflowState, withId: boolean): void {
    const { workflowId, runId, history } = state;
    const known = this.#printed.get(workflowId);
    const from = known?.runId === runId ? known.length : 0;
    this.#printed.set(workflowId, { runId, length: history.length });
    const startedAt = history[0]?.at ?? 0;
    const names = namesOf(history);
    for (let i = from; i < history.length; i++) {
      const event = history[i];
      if (this.#flags.json) {
        const line = { id: workflowId, runId, number: i + 1, event: encode(event, "write an event") };
        this.#printer.out(`${safeJson(line)}\n`);
        continue;
      }
      const id: Part[] = withId ? [{ text: `${workflowId}  `, color: "bold" }] : [];
      const number = String(i + 1).padStart(String(history.length).length);
      const time: Part = { text: `${number}  ${formatSince(event.at - startedAt)}  `, color: "dim" };
      this.#printer.line(...id, time, ...describeEvent(event, names));
    }
  }
}

/** The names of commands and updates, which later events do not repeat. */
function namesOf(history: readonly WorkflowEvent[]): Map<number | string, string> {
  const names = new Map<number | string, string>();
  for (const event of history) {
    if (!("name" in event)) continue;
    if ("seq" in event) names.set(event.seq, event.name);
    else if ("updateId" in event) names.set(event.updateId, event.name);
  }
  return names;
}

/** An event in words: its type, the name of what it belongs to, and its value or error. */
export function describeEvent(event: WorkflowEvent, names: ReadonlyMap<number | string, string>): Part[] {
  const type = event.type.replaceAll("_", " ");
  const key = "seq" in event ? event.seq : "updateId" in event ? event.updateId : undefined;
  const name = "name" in event ? event.name : key === undefined ? undefined : names.get(key);
  const { error, reason, changeId, ...rest } = event as unknown as Record<string, unknown>;
  const value = ["input", "result", "payload", "value", "details"].map((key) => rest[key]).find((one) =>
    one !== undefined
  );
  const parts: Part[] = [type];
  if (name !== undefined) parts.push(" ", { text: name, color: "bold" });
  if (typeof changeId === "string") parts.push(" ", { text: changeId, color: "bold" });
  if (error !== undefined) parts.push("  ", { text: showError(error), color: "red" });
  else if (value !== undefined) parts.push("  ", showValue(value));
  else if (typeof reason === "string") parts.push("  ", showValue(reason));
  return parts;
}
