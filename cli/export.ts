/**
 * `export`: writes a run as a file.
 *
 * @module
 */

import { stat, writeFile } from "node:fs/promises";
import { encode } from "../history/codec.ts";
import { formatTimeline, type ReadOptions, toMermaid, toSvg } from "../pictures/mod.ts";
import { historyToText } from "../testing/history_text.ts";
import { toTest } from "../testing/test_writer.ts";
import type { WorkflowState } from "../types.ts";
import { show } from "../util/show.ts";
import { Failure, messageOf } from "./failure.ts";
import type { Flags } from "./options.ts";
import type { Printer } from "./print.ts";
import { readOptions, runAt } from "./show.ts";
import type { Source } from "./runs.ts";
import { reasonOf } from "./source.ts";

const KINDS = ["history", "test", "svg", "mermaid", "gantt", "text", "json"] as const;
/** Whose test function a test calls. */
const RUNNERS = ["deno", "node"] as const;
/** How many children are looked up for a test. */
const MAX_CHILDREN = 200;

export async function exportRun(source: Source, id: string, flags: Flags, printer: Printer): Promise<number> {
  const kind = KINDS.find((kind) => kind === flags.as);
  if (kind === undefined) {
    const got = flags.as === undefined ? "" : `, got ${show(flags.as)}`;
    throw new Failure(2, `--as must be one of ${KINDS.join(", ")}${got}`);
  }
  const runner = RUNNERS.find((runner) => runner === flags.runner);
  if (flags.runner !== undefined && runner === undefined) {
    throw new Failure(2, `--runner must be one of ${RUNNERS.join(", ")}, got ${show(flags.runner)}`);
  }
  const { state, isPast } = await runAt(source, id, flags);
  const options = await readOptions(source, state, isPast, printer);
  const written = await write(kind, state, source, options, { module: flags.module, runner });
  const text = written.endsWith("\n") ? written : `${written}\n`;
  if (flags.output === undefined) {
    printer.out(text);
    return 0;
  }
  await writeOutput(flags.output, text, source);
  return 0;
}

/** Writes a file that a flag names. It is never the file that was read, under whatever name. */
export async function writeOutput(file: string, text: string, source: Source): Promise<void> {
  try {
    if (source.kind !== "inspector") {
      const [from, to] = await Promise.all(
        [source.name, file].map((name) => stat(name, { bigint: true }).catch(() => null)),
      );
      if (from !== null && from.dev === to?.dev && from.ino === to.ino) {
        throw new Failure(2, `Cannot write ${show(file)}: it is the file that is read; name another one`);
      }
    }
    await writeFile(file, text);
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(1, `Cannot write ${show(file)}: ${reasonOf(error)}`);
  }
}

async function write(
  kind: (typeof KINDS)[number],
  state: WorkflowState,
  source: Source,
  options: ReadOptions,
  { module, runner }: { module: string | undefined; runner: (typeof RUNNERS)[number] | undefined },
): Promise<string> {
  try {
    switch (kind) {
      case "history":
        return historyToText(state);
      case "test": {
        const children = await childrenOf(state, source);
        return toTest(state, { children, module, runner });
      }
      case "svg":
        return toSvg(state, options);
      case "mermaid":
        return toMermaid(state, { ...options, kind: "sequence" });
      case "gantt":
        return toMermaid(state, { ...options, kind: "gantt" });
      case "text":
        return formatTimeline(state, { ...options, maxLines: Math.max(10, 2 * state.history.length + 10) });
      case "json":
        return `${JSON.stringify(encode(state, "export workflow"), null, 2)}\n`;
    }
  } catch (error) {
    throw new Failure(1, messageOf(error));
  }
}

/** The children of a run, and their children. */
async function childrenOf(state: WorkflowState, source: Source): Promise<WorkflowState[]> {
  const found = new Map<string, WorkflowState>();
  const queue = [state];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    for (const event of next.history) {
      if (event.type !== "child_started" || found.has(event.workflowId) || found.size >= MAX_CHILDREN) continue;
      const child = await source.load(event.workflowId);
      if (child?.history[0]?.type !== "workflow_started" || child.workflowId === state.workflowId) continue;
      found.set(child.workflowId, child);
      queue.push(child);
    }
  }
  return [...found.values()];
}
