/**
 * What the stores in databases with SQL have in common: the columns of a workflow that say what its head is.
 *
 * @module
 */

import type { Labels, ParentRun, WorkflowHead, WorkflowStatus } from "../types.ts";
import { type Payload, unescapeText } from "./payloads.ts";

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

/** The columns of a workflow with its input and its outcome. */
export interface PayloadRow extends HeadRow {
  readonly input: Payload | null;
  readonly input_codec: string | null;
  readonly outcome: Payload | null;
  readonly outcome_codec: string | null;
}

/** A row of events, or all rows of a workflow. */
export interface EventsRow {
  readonly events: Payload;
  readonly codec: string | null;
  /** Whether these are all rows: a list of the lists of events. */
  readonly isWhole?: boolean;
}

/** A workflow as it is stored. */
export interface Raw<Row extends PayloadRow = PayloadRow> {
  readonly row: Row;
  /** `undefined` if they were not read. */
  readonly events: readonly EventsRow[] | undefined;
}

/** The values of the columns of a row that its head, input and outcome have. */
export type Columns = readonly (string | number | Uint8Array | null)[];

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
