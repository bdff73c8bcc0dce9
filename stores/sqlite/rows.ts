/**
 * The rows of a store, the statements that read and write them, and what follows from a row alone.
 *
 * @module
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { escapeText, type Payload, type Query, unescapeText } from "../../storage/mod.ts";
import type { Labels, ParentRun, WorkflowHead, WorkflowStatus } from "../../types.ts";

/** A row of `rockpool_workflows`. */
export interface Row {
  readonly place: number;
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
  readonly input: Payload | null;
  readonly input_codec: string | null;
  readonly outcome: Payload | null;
  readonly outcome_codec: string | null;
  readonly owner: string | null;
  readonly fence: number;
}

/** A row of `rockpool_events`. */
export interface EventsRow {
  readonly events: Payload;
  readonly codec: string | null;
}

/** A workflow as it is stored. */
export interface Raw {
  readonly row: Row;
  /** `undefined` if they were not read. */
  readonly events: readonly EventsRow[] | undefined;
}

export const COLUMNS =
  "place, workflow_id, run_id, first_run_id, parent, workflow_name, status, length, created_at, updated_at, labels, " +
  "input, input_codec, outcome, outcome_codec, owner, fence";

/** The head of a row, without input and outcome. */
export function stubOf(row: Row): WorkflowHead {
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
    ...(row.labels !== null && { labels: Object.freeze(JSON.parse(row.labels)) as Labels }),
    ...(row.parent !== null && { parent: Object.freeze(JSON.parse(row.parent)) as ParentRun }),
  };
}

/** The conditions of a query that SQLite can look up. */
export function conditions(query: Query, after: number | undefined): { where: string; values: (string | number)[] } {
  const { statuses, workflowName, createdAfter, createdBefore, order } = query;
  const parts: string[] = [];
  const values: (string | number)[] = [];
  const add = (sql: string, ...given: (string | number)[]) => {
    parts.push(sql);
    values.push(...given);
  };
  if (statuses !== undefined) add(`status IN (${statuses.map(() => "?").join()})`, ...statuses);
  if (workflowName !== undefined) add("workflow_name = ?", escapeText(workflowName));
  if (createdAfter > -Infinity) add("created_at > ?", createdAfter);
  if (createdBefore < Infinity) add("created_at < ?", createdBefore);
  if (after !== undefined) add(`place ${order === "asc" ? ">" : "<"} ?`, after);
  return { where: parts.length === 0 ? "" : `WHERE ${parts.join(" AND ")}`, values };
}

/** The statements of a store, prepared once. */
export function prepare(db: DatabaseSync) {
  const inserted =
    "workflow_id, run_id, first_run_id, parent, workflow_name, status, length, created_at, updated_at, labels, " +
    "input, input_codec, outcome, outcome_codec, version, owner, due_at";
  const marks = Array(17).fill("?").join();
  // An owner that is NULL is not compared.
  const isExpected =
    "workflow_id = ? AND run_id = ? AND status = 'running' AND length = ? AND owner IS coalesce(?, owner)";
  const nextOwner = "SELECT owner FROM rockpool_workflows WHERE status = 'running' AND owner >";
  const statements = {
    begin: "BEGIN",
    commit: "COMMIT",
    row: `SELECT ${COLUMNS} FROM rockpool_workflows WHERE workflow_id = ?`,
    events: "SELECT events, codec FROM rockpool_events WHERE place = ? ORDER BY first",
    // From the row on that holds the index.
    eventsSince: `SELECT first, events, codec FROM rockpool_events WHERE place = ?1 AND first >= coalesce(
      (SELECT max(first) FROM rockpool_events WHERE place = ?1 AND first <= ?2), 0) ORDER BY first`,
    save: `INSERT INTO rockpool_workflows (${inserted}, saved_version) VALUES (${marks}, ?)
      ON CONFLICT (workflow_id) DO UPDATE SET run_id = excluded.run_id, first_run_id = excluded.first_run_id,
      parent = excluded.parent, workflow_name = excluded.workflow_name,
      status = excluded.status, length = excluded.length, created_at = coalesce(?, created_at),
      updated_at = excluded.updated_at, labels = excluded.labels, input = excluded.input, input_codec = excluded.input_codec,
      outcome = excluded.outcome, outcome_codec = excluded.outcome_codec, version = excluded.version,
      saved_version = excluded.saved_version, owner = excluded.owner, due_at = excluded.due_at RETURNING place`,
    create: `INSERT INTO rockpool_workflows (${inserted}) VALUES (${marks})
      ON CONFLICT (workflow_id) DO NOTHING RETURNING place`,
    replace:
      `DELETE FROM rockpool_workflows WHERE workflow_id = ? AND run_id = ? AND status <> 'running' RETURNING place`,
    continue:
      `UPDATE rockpool_workflows SET workflow_id = ?, run_id = ?, first_run_id = ?, parent = ?, workflow_name = ?,
      status = ?, length = ?,
      created_at = iif(?, created_at, created_at), updated_at = ?, labels = ?, input = ?, input_codec = ?, outcome = ?,
      outcome_codec = ?, version = ?, due_at = ? WHERE ${isExpected} RETURNING place`,
    advance: `UPDATE rockpool_workflows SET length = ?, updated_at = ?, version = ?, due_at = ?
      WHERE ${isExpected} RETURNING place`,
    finish:
      `UPDATE rockpool_workflows SET length = ?, updated_at = ?, version = ?, due_at = ?, status = ?, outcome = ?, outcome_codec = ?
      WHERE ${isExpected} RETURNING place`,
    confirm: `SELECT place FROM rockpool_workflows WHERE ${isExpected}`,
    insertEvents: "INSERT INTO rockpool_events (place, first, events, codec) VALUES (?, ?, ?, ?)",
    deleteEvents: "DELETE FROM rockpool_events WHERE place = ?",
    insertMessage: "INSERT OR IGNORE INTO rockpool_messages VALUES (?, ?)",
    hasMessage: "SELECT 1 FROM rockpool_messages WHERE place = ? AND message = ?",
    deleteMessages: "DELETE FROM rockpool_messages WHERE place = ?",
    // Runs of nobody, and of each owner that does not live: owners are few, and each is looked up.
    free: `WITH RECURSIVE owners (owner) AS (
        SELECT (${nextOwner} '' ORDER BY owner LIMIT 1)
        UNION ALL SELECT (${nextOwner} owners.owner ORDER BY owner LIMIT 1) FROM owners WHERE owner IS NOT NULL
      ), places (place) AS (
        SELECT place FROM rockpool_workflows WHERE status = 'running' AND owner IS NULL AND due_at <= ?1
        UNION ALL SELECT place FROM owners CROSS JOIN rockpool_workflows w USING (owner)
        WHERE w.status = 'running' AND w.due_at <= ?1 AND owner NOT IN (SELECT owner FROM rockpool_owners)
      )
      SELECT ${COLUMNS} FROM rockpool_workflows WHERE place IN (SELECT place FROM places)
      AND (?2 IS NULL OR workflow_name IN (SELECT value FROM json_each(?2))) ORDER BY place LIMIT ?3`,
    take: "UPDATE rockpool_workflows SET owner = ?, fence = fence + 1 WHERE place = ?",
    give: "UPDATE rockpool_workflows SET owner = NULL WHERE workflow_id = ? AND owner = ?",
    giveAll: "UPDATE rockpool_workflows SET owner = NULL WHERE status = 'running' AND owner = ?",
    lease: "SELECT 1 FROM rockpool_owners WHERE owner = ?",
    overdue: "SELECT 1 FROM rockpool_owners WHERE ends_at <= ? AND owner <> ?",
    endOthers: "DELETE FROM rockpool_owners WHERE ends_at <= ? AND owner <> ?",
    beginLease: "INSERT OR IGNORE INTO rockpool_owners VALUES (?, ?)",
    renewLease: "UPDATE rockpool_owners SET ends_at = ? WHERE owner = ? RETURNING 1",
    endLease: "DELETE FROM rockpool_owners WHERE owner = ?",
    delete: "DELETE FROM rockpool_workflows WHERE workflow_id = ? RETURNING place",
    prune: `DELETE FROM rockpool_workflows WHERE place IN (SELECT place FROM rockpool_workflows
      WHERE status IN ('completed', 'failed', 'canceled') AND updated_at < ? LIMIT ?) RETURNING place, workflow_id`,
    noteDeletion: "INSERT OR REPLACE INTO rockpool_deletions VALUES (?, ?, ?)",
    forgetDeletions: "DELETE FROM rockpool_deletions WHERE deleted_at < ?",
  };
  return Object.fromEntries(
    Object.entries(statements).map(([name, sql]) => [name, db.prepare(sql)]),
  ) as Record<keyof typeof statements, StatementSync>;
}
