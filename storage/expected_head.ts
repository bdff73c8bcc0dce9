/**
 * What a batch says of the stored run, for stores whose database makes the comparison.
 *
 * @module
 */

import type { BatchKind } from "../history/history.ts";
import type { AppendBatch, WorkflowHead } from "../types.ts";

/**
 * Returns a head that a batch fits, for a store whose database compares: `applyToHead` then says what the batch changes, without a
 * read. Only the ID, the run, the status and the length are known; the other fields of a head that is continued or appended to
 * must not be written. A head that a batch of events leads to has labels only if the batch changes them.
 *
 * @param batch The batch, as `readBatch` returned it.
 * @param kind Its kind.
 * @returns `null` if the batch creates a workflow.
 *
 * @category Storage
 */
export function expectedHead(
  { workflowId, runId, replaces, expectedLength }: AppendBatch,
  kind: BatchKind,
): WorkflowHead | null {
  if (kind === "create" && replaces === undefined) return null;
  const status = kind === "create" ? "completed" : "running";
  const expected = {
    workflowName: "",
    firstRunId: "",
    createdAt: 0,
    updatedAt: 0,
    historyLength: expectedLength,
    status,
  } as const;
  return { ...expected, workflowId, runId: replaces ?? runId };
}
