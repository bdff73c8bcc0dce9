/**
 * Describes open runs: `run "a" (order) waits for signal "approval"`.
 *
 * @module
 */

import type { OpenRun, Wait } from "../options.ts";
import { show } from "../util/show.ts";

/** How many runs, and how many waits of each, are described. */
const MAX_RUNS = 20;
const MAX_WAITS = 5;

/** Describes each run in one line. */
export function describeOpenRuns(runs: readonly OpenRun[], now: number): string[] {
  const lines = runs.slice(0, MAX_RUNS).map(({ workflowId, workflowName, waitsFor }) => {
    const waits = waitsFor.slice(0, MAX_WAITS).map((wait) => describeWait(wait, now));
    if (waits.length === 0) waits.push("a promise that is not of its context");
    if (waitsFor.length > MAX_WAITS) waits.push(`${waitsFor.length - MAX_WAITS} more`);
    return `run ${show(workflowId)} (${workflowName}) waits for ${waits.join(", ")}`;
  });
  if (runs.length > MAX_RUNS) lines.push(`and ${runs.length - MAX_RUNS} more`);
  return lines;
}

function describeWait(wait: Wait, now: number): string {
  const due = (at: number) => `due in ${at - now} ms`;
  switch (wait.type) {
    case "signal":
      return `signal ${show(wait.name)}`;
    case "timer":
      return `a timer ${due(wait.dueAt)}`;
    case "activity": {
      const { name, attempt, status, retryAt } = wait;
      const phases = { running: "is running", retrying: `is ${due(retryAt!)}`, queued: "is queued" };
      return `activity ${show(name)} (attempt ${attempt} ${phases[status]})`;
    }
    case "child":
      return `child ${show(wait.workflowId)}${wait.retryAt === undefined ? "" : ` (an attempt ${due(wait.retryAt)})`}`;
    case "condition":
      return "a condition";
    case "slot":
      return "a slot of maxConcurrentWorkflows";
    case "dormant":
      return wait.wakesAt === undefined
        ? "a delivery (the run is dormant)"
        : `a timer ${due(wait.wakesAt)} (the run is dormant)`;
    case "start":
      return `its start, ${due(wait.startAt)}`;
  }
}
