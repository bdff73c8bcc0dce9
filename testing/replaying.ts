/**
 * Replays a history against the code, up to its end and how that came about.
 *
 * @module
 */

import { NonDeterminismError } from "../errors.ts";
import type { Workflow } from "../context.ts";
import type { ErrorRecord, WorkflowState } from "../types.ts";
import { toErrorRecord } from "../history/error_record.ts";
import { replayHistory } from "../executor.ts";
import { finalStatus } from "../history/history.ts";
import { comparable, describeError, valueText } from "./crash/report.ts";

/**
 * Replays a run and compares how it ends.
 *
 * @param workflows To find the names of children.
 * @throws {NonDeterminismError} If the code does not do what the history says.
 */
export async function replay(
  workflow: Workflow<never>,
  state: WorkflowState,
  workflows: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { outcome, beyond, canceled } = await replayHistory(workflow, state, workflows);
  const last = state.history.at(-1)!;
  if (finalStatus(last) === undefined) return; // it is in flight, and would go on
  const { error, result } = last as { readonly error?: ErrorRecord; readonly result?: unknown };
  if (error?.data?.code === "terminated" || error?.data?.code === "history_too_long") return; // not the code's doing
  const recorded = error === undefined ? `the result ${valueText(result) || "undefined"}` : describeError(error);
  if (beyond !== undefined && outcome === undefined) throw divergence(state, recorded, beyond);
  if (outcome === undefined) throw divergence(state, recorded, "a wait for more than the history holds");
  const thrown = outcome.ok ? undefined : toErrorRecord(outcome.error);
  const returned = outcome.ok
    ? { type: "workflow_completed", at: last.at, result: outcome.value } as const
    : { ...last as { type: "workflow_failed" }, at: last.at, error: thrown! };
  if (comparable(returned) === comparable(last)) return;
  if (canceled !== undefined && error !== undefined && error.message === canceled.message) return; // its time was up
  const actual = thrown === undefined
    ? `the result ${valueText((outcome as { value: unknown }).value) || "undefined"}`
    : describeError(thrown);
  throw divergence(state, recorded, actual);
}

function divergence({ workflowId, history }: WorkflowState, expected: string, actual: string): NonDeterminismError {
  const position = history.filter((event) => "seq" in event).length;
  const message = `Cannot replay workflow "${workflowId}": its code does not end as its history says
  history  ${expected}
  code     ${actual}
  Runs that are in flight would end otherwise: if that is wanted, branch on ctx.patched("a-name-for-the-change")`;
  return new NonDeterminismError(message, { expected, actual, position });
}
