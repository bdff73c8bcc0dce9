/**
 * Open runs in words: `run "a" (order) waits for signal "approval"`.
 *
 * @module
 */

import { show } from "../util/show.ts";
import type { OpenRun, Wait } from "../executor.ts";

/** How many runs, and how many waits of each, are told of. */
const MAX_RUNS = 20;
const MAX_WAITS = 5;

/** One line for each run. */
export function linesOf(runs: readonly OpenRun[], now: number): string[] {
  const lines = runs.slice(0, MAX_RUNS).map(({ workflowId, workflowName, waitsFor }) => {
    const waits = waitsFor.slice(0, MAX_WAITS).map((wait) => textOf(wait, now));
    if (waits.length === 0) waits.push("nothing that its context knows: its code waits for a promise of its own");
    if (waitsFor.length > MAX_WAITS) waits.push(`${waitsFor.length - MAX_WAITS} more`);
    return `run ${show(workflowId)} (${workflowName}) waits for ${waits.join(", ")}`;
  });
  if (runs.length > MAX_RUNS) lines.push(`and ${runs.length - MAX_RUNS} more`);
  return lines;
}

function textOf(wait: Wait, now: number): string {
  const due = (at: number) => `due in ${at - now} ms`;
  switch (wait.type) {
    case "signal":
      return `signal ${show(wait.name)}`;
    case "timer":
      return `a timer ${due(wait.dueAt)}`;
    case "activity": {
      const { name, attempt, status, retryAt } = wait;
      const stands = { running: "runs", retrying: `is ${due(retryAt!)}`, queued: "has not begun" };
      return `activity ${show(name)}, whose attempt ${attempt} ${stands[status]}`;
    }
    case "child":
      return `child ${show(wait.workflowId)}`;
    case "condition":
      return "a condition";
    case "slot":
      return "a slot of maxConcurrentWorkflows";
    case "parked":
      return wait.wakesAt === undefined
        ? "something from outside (it is parked)"
        : `a time ${due(wait.wakesAt)} (it is parked)`;
    case "start":
      return `its start, ${due(wait.startAt)}`;
  }
}
