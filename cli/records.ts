/**
 * Runs as lines of JSON, for programs: the names and forms of properties stay the same from release to release. Times are texts in
 * UTC. Values have the form of golden histories, which keeps their types.
 *
 * @module
 */

import { encode } from "../history/codec.ts";
import type { WorkflowHead, WorkflowState } from "../types.ts";
import { timeText } from "./words.ts";

/** A run without its values. */
export function recordOf(head: WorkflowHead, waits: readonly unknown[] | undefined): Record<string, unknown> {
  const { workflowId, runId, workflowName, status, labels, createdAt, updatedAt, historyLength, parent, error } = head;
  return {
    id: workflowId,
    runId,
    name: workflowName,
    status,
    createdAt: timeText(createdAt),
    updatedAt: timeText(updatedAt),
    events: historyLength,
    ...(labels !== undefined && { labels }),
    ...(parent !== undefined && { parent: parent.workflowId }),
    ...(error !== undefined && { error: { name: error.name, message: error.message } }),
    ...(waits !== undefined && { waitsFor: waits }),
  };
}

/** The values of a run. */
export function valuesOf(state: WorkflowState, withHistory: boolean): Record<string, unknown> {
  const { input, result, error, history } = state;
  const values = { input, result, error, ...(withHistory && { history }) };
  const given = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
  return encode(given, "write a run") as Record<string, unknown>;
}
