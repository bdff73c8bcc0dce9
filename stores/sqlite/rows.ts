/**
 * The rows of a store, the statements that read and write them, and what follows from a row alone.
 *
 * @module
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { behind, type QueryData } from "../../storage/filter.ts";
import { escapeText } from "../../storage/mod.ts";
import type { PayloadRow } from "../../storage/rows.ts";

/** A row of `rockpool_workflows`. */
export interface Row extends PayloadRow {
  readonly place: number;
}

const WORKFLOWS = "rockpool_workflows";
const LABELS = "rockpool_labels";

export const COLUMNS =
  "place, workflow_id, run_id, first_run_id, parent, workflow_name, status, length, created_at, updated_at, labels, " +
  "input, input_codec, outcome, outcome_codec";

/** Where the rows of a query are, in the order of `place`. */
export interface Selection {
  /** The tables and the conditions. */
  readonly from: string;
  readonly values: readonly (string | number)[];
  /** The column to sort by. */
  readonly place: string;
}

/**
 * Where SQLite finds the rows of a query, and perhaps others.
 *
 * @param isFew Whether there are few rows. Only then an index helps that has them in another order than that of `place`.
 */
export function find(
  query: QueryData,
  after: number | undefined,
  isFew: (from: string, values: readonly (string | number)[]) => boolean,
): Selection {
  const { statuses, workflowName, createdAfter, createdBefore, order, idPrefix, labels } = query;
  const parts: string[] = [];
  const values: (string | number)[] = [];
  let usesIndex = statuses !== undefined || workflowName !== undefined;
  const add = (sql: string, ...given: (string | number)[]) => {
    parts.push(sql);
    values.push(...given);
  };
  /** Adds both limits of a column that has an index; `undefined` for none. */
  const addRange = (column: string, both: readonly (readonly [sign: string, limit: string | number | undefined])[]) => {
    const limits = both.filter((one): one is [string, string | number] => one[1] !== undefined);
    const sql = limits.map(([sign]) => `${column} ${sign} ?`).join(" AND ");
    const given = limits.map(([, limit]) => limit);
    const helps = isFew(`${WORKFLOWS} WHERE ${sql}`, given);
    usesIndex ||= helps;
    add(helps ? sql : sql.replaceAll(column, `+${column}`), ...given); // "+": without the index
  };
  if (statuses !== undefined) add(`status IN (${statuses.map(() => "?").join()})`, ...statuses);
  if (workflowName !== undefined) add("workflow_name = ?", escapeText(workflowName));
  // A prefix can end between the halves of a pair.
  const prefix = escapeText(idPrefix.replace(/[\ud800-\udbff]$/, ""));
  if (prefix !== "") addRange("workflow_id", [[">=", prefix], ["<", behind(prefix)]]);
  // With one limit, SQLite would not use the index.
  if (createdAfter > -Infinity || createdBefore < Infinity) {
    addRange("created_at", [[">", createdAfter], ["<", createdBefore]]);
  }
  // The text of a label is found fast, but not only where it is a label.
  for (const [name, value] of labels) add("instr(labels, ?) > 0", `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  // Releases of SQLite do not agree on what "json_each" makes of an escaped name.
  const indexed = labels.filter((label) => !JSON.stringify(label).includes("\\")).map((label) => label.join(":"));
  const ofLabel = `${LABELS} WHERE label = ?`;
  const label = indexed.find((one) => isFew(ofLabel, [one])) ?? (usesIndex ? undefined : indexed[0]);
  const place = label === undefined ? "place" : "workflow"; // the index of labels is in the same order
  if (label !== undefined) add("label = ?", label);
  if (after !== undefined) add(`${place} ${order === "asc" ? ">" : "<"} ?`, after);
  const where = parts.length === 0 ? "" : ` WHERE ${parts.join(" AND ")}`;
  // A cross join begins with its first table.
  const tables = label === undefined ? WORKFLOWS : `${LABELS} CROSS JOIN ${WORKFLOWS} ON place = workflow`;
  return { from: tables + where, values, place };
}

/** So many rows are sorted in less time than it takes to look at all. */
export const FEW = 1000;

/** The statements of a store by name. */
export type Statements = ReturnType<typeof prepare>;

/** The statements of a store, prepared once. */
export function prepare(db: DatabaseSync) {
  const inserted =
    "workflow_id, run_id, first_run_id, parent, workflow_name, status, length, created_at, updated_at, labels, " +
    "input, input_codec, outcome, outcome_codec, version";
  const marks = Array(15).fill("?").join();
  const isExpected = "workflow_id = ? AND run_id = ? AND status = 'running' AND length = ? " +
    "AND coalesce(?, owner) IS owner RETURNING place";
  const statements = {
    begin: "BEGIN",
    beginWrite: "BEGIN IMMEDIATE",
    commit: "COMMIT",
    rollback: "ROLLBACK",
    nextVersion: "UPDATE rockpool_meta SET value = value + 1 WHERE key = 'version' RETURNING value",
    row: `SELECT ${COLUMNS} FROM rockpool_workflows WHERE workflow_id = ?`,
    events: "SELECT events, codec FROM rockpool_events WHERE place = ? ORDER BY first",
    history: `SELECT '[' || group_concat(events) || ']' AS events, count(codec) AS coded
      FROM (SELECT events, codec FROM rockpool_events WHERE place = ? ORDER BY first)`,
    save: `INSERT INTO rockpool_workflows (${inserted}, saved_version) VALUES (${marks}, ?)
      ON CONFLICT (workflow_id) DO UPDATE SET run_id = excluded.run_id, first_run_id = excluded.first_run_id,
      parent = excluded.parent, workflow_name = excluded.workflow_name,
      status = excluded.status, length = excluded.length, created_at = coalesce(?, created_at),
      updated_at = excluded.updated_at, labels = excluded.labels, input = excluded.input, input_codec = excluded.input_codec,
      outcome = excluded.outcome, outcome_codec = excluded.outcome_codec, version = excluded.version,
      saved_version = excluded.saved_version, owner = NULL, free = 1, wake_at = -9e999 RETURNING place`,
    create: `INSERT INTO rockpool_workflows (${inserted}, wake_at, owner, free)
      VALUES (${marks}, ?, ?17, ?17 IS NULL OR ?17 NOT IN (SELECT owner FROM rockpool_owners))
      ON CONFLICT (workflow_id) DO NOTHING RETURNING place`,
    replace:
      `DELETE FROM rockpool_workflows WHERE workflow_id = ? AND run_id = ? AND status <> 'running' RETURNING place`,
    continue:
      `UPDATE rockpool_workflows SET workflow_id = ?, run_id = ?, first_run_id = ?, parent = ?, workflow_name = ?,
      status = ?, length = ?,
      created_at = iif(?, created_at, created_at), updated_at = ?, labels = ?, input = ?, input_codec = ?, outcome = ?,
      outcome_codec = ?, version = ?, wake_at = ? WHERE ${isExpected}`,
    advance: `UPDATE rockpool_workflows SET length = ?, updated_at = ?, version = ?, wake_at = ? WHERE ${isExpected}`,
    finish:
      `UPDATE rockpool_workflows SET length = ?, updated_at = ?, version = ?, status = ?, outcome = ?, outcome_codec = ?
      WHERE ${isExpected}`,
    relabel: "UPDATE rockpool_workflows SET labels = ? WHERE place = ?",
    confirm: `SELECT place FROM rockpool_workflows WHERE ${isExpected.replace(" RETURNING place", "")}`,
    eventsSince: `SELECT events, codec FROM rockpool_events WHERE place = ?1 AND first >=
      (SELECT max(first) FROM rockpool_events WHERE place = ?1 AND first <= ?2) ORDER BY first`,
    hasMessage: "SELECT 1 FROM rockpool_messages WHERE place = ? AND id = ?",
    insertMessage: "INSERT OR IGNORE INTO rockpool_messages VALUES (?, ?)",
    deleteMessages: "DELETE FROM rockpool_messages WHERE place = ?",
    deleteResults: "DELETE FROM rockpool_results WHERE place = ?",
    ownerOf: "SELECT owner FROM rockpool_workflows WHERE workflow_id = ?",
    insertEvents: "INSERT INTO rockpool_events (place, first, events, codec) VALUES (?, ?, ?, ?)",
    deleteEvents: "DELETE FROM rockpool_events WHERE place = ?",
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
