/**
 * `replay`: whether code fits the runs that are stored, for CI before a deployment.
 *
 * @module
 */

import { NonDeterminismError } from "../errors.ts";
import type { Workflow } from "../context.ts";
import type { AnyWorkflow } from "../options.ts";
import { type PatchPaths, replayReport, type ReplayVerdict } from "../testing/replay_report.ts";
import type { WorkflowState } from "../types.ts";
import { show } from "../util/show.ts";
import { importWorkflows } from "./code.ts";
import { Failure, messageOf } from "./failure.ts";
import { type Flags, readFilter, readNumber } from "./options.ts";
import type { Painted, Printer } from "./print.ts";
import { safeJson } from "./print.ts";
import { findRun, type Source } from "./runs.ts";

/** How a run and the code fit. */
type Verdict = ReplayVerdict | "no code";

const COLORS: Readonly<Record<Verdict, Painted["color"]>> = {
  "same": "green",
  "argument changed": "yellow",
  "diverges": "red",
  "no code": "dim",
};

/** Which paths of the changes in the code some history takes: by the ID of the change. */
type Paths = Map<string, PatchPaths>;

export async function replay(source: Source, id: string | undefined, flags: Flags, printer: Printer): Promise<number> {
  const workflows = await importWorkflows(flags.code, "replay");
  const counts = new Map<Verdict, number>();
  const paths: Paths = new Map();
  for await (const state of runsOf(source, id, flags, printer.now())) {
    const [verdict, why] = await judge(state, workflows, paths);
    counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
    if (flags.json) {
      const { workflowId, runId, workflowName, status } = state;
      const line = { id: workflowId, runId, name: workflowName, status, verdict, ...(why !== undefined && { why }) };
      printer.out(`${safeJson(line)}\n`);
      continue;
    }
    printer.line({ text: verdict.padEnd(16), color: COLORS[verdict] }, "  ", state.workflowId);
    if (why !== undefined) printer.text(why.replace(/^/gm, "  "));
  }
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const judged = total - (counts.get("no code") ?? 0);
  if (!flags.json) {
    for (const [changeId, taken] of paths) {
      const missing = taken.new === 0 ? "new" : taken.old === 0 ? "old" : undefined;
      if (missing === undefined) continue;
      printer.line({ text: `patched(${show(changeId)}): no history takes the ${missing} path`, color: "yellow" });
    }
    const sums = [...counts].map(([verdict, count]) => `${count} ${verdict}`);
    printer.line(sums.length === 0 ? "No runs" : sums.join(", "));
  }
  if (judged === 0) {
    const names = Object.keys(workflows).join(", ");
    throw new Failure(
      1,
      `No run was replayed: ${flags.code} exports ${names}, and ${show(source.name)} has ${
        total === 0 ? "no such run" : "no run of these"
      }`,
    );
  }
  const failed = (counts.get("diverges") ?? 0) + (flags.inputs ? counts.get("argument changed") ?? 0 : 0);
  return failed > 0 ? 1 : 0;
}

async function* runsOf(
  source: Source,
  id: string | undefined,
  flags: Flags,
  now: number,
): AsyncIterable<WorkflowState> {
  if (id !== undefined) {
    yield await findRun(source, id);
    return;
  }
  const limit = readNumber("limit", flags.limit, Infinity, 1);
  for (const { head } of await source.list(readFilter(flags, now), limit)) {
    const state = await source.load(head.workflowId);
    if (state !== null) yield state;
  }
}

async function judge(
  state: WorkflowState,
  workflows: Readonly<Record<string, AnyWorkflow>>,
  paths: Paths,
): Promise<[Verdict, why?: string]> {
  const { workflowName } = state;
  if (!Object.hasOwn(workflows, workflowName)) return ["no code", `no workflow ${show(workflowName)} in the module`];
  const { histories: [{ verdict, error }], patches } = await replayReport(
    workflows[workflowName] as Workflow<never>,
    state,
    { workflows },
  );
  for (const [changeId, path] of patches) {
    const taken = paths.get(changeId) ?? { new: 0, old: 0 };
    paths.set(changeId, { new: taken.new + path.new, old: taken.old + path.old });
  }
  return error === undefined
    ? [verdict]
    : [verdict, error instanceof NonDeterminismError ? error.message : messageOf(error)];
}
