/**
 * What the stores in databases with SQL have in common: the columns of a workflow that say what its head is.
 *
 * @module
 */

import type { Labels, ParentRun, WorkflowHead, WorkflowStatus } from "../types.ts";
import { unescapeText } from "./payloads.ts";

/** The columns of a head. IDs and names are written by `escapeText`; `parent` and `labels` are JSON. */
export interface HeadRow {
  readonly workflow_id: string;
  readonly run_id: string;
  readonly first_run_id: string;
  readonly parent: string | null;
  readonly workflow_name: string;
  readonly status: WorkflowStatus;
  readonly length: number;
  readonly created_at: number;
  readonly updated_at: number;
  readonly labels: string | null;
}

/**
 * The head of a row, without input and outcome.
 *
 * @param readLabels Reads the labels, if they are not written as they are.
 */
export function stubOf(row: HeadRow, readLabels: (json: string) => Labels = JSON.parse): WorkflowHead {
  const head = {
    workflowId: unescapeText(row.workflow_id),
    runId: unescapeText(row.run_id),
    workflowName: unescapeText(row.workflow_name),
    status: row.status,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    historyLength: row.length,
    firstRunId: unescapeText(row.first_run_id),
  };
  return {
    ...head,
    ...(row.labels !== null && { labels: Object.freeze(readLabels(row.labels)) }),
    ...(row.parent !== null && { parent: Object.freeze(JSON.parse(row.parent)) as ParentRun }),
  };
}
