/**
 * The statement that writes a batch: it compares and writes runs, their events and messages, and tells others.
 *
 * 1. It is one statement, so one transaction and one wait for the disk, whatever the size of the batch is.
 * 2. A write that does not fit changes nothing, and does not affect the others. The statement returns those that fit.
 * 3. Rows are written in the order of their keys as far as the planner keeps it, so that two batches seldom wait for each other. If
 *    they do, Postgres rolls one of them back, and it is sent again.
 * 4. A part that a batch does not need is left out: it would be planned each time.
 *
 * @module
 */

import { hash } from "./literal.ts";
import type { Names } from "./schema.ts";

/** One write. A property that is `null` changes nothing, or compares nothing. */
export interface Write {
  /** What must be stored: nothing (a new workflow), or a row that fits the following. A confirmed row is not changed. */
  readonly kind: "create" | "change" | "confirm";
  readonly id: string;
  readonly expected_run: string | null;
  readonly expected_running: boolean | null;
  readonly expected_length: number | null;
  readonly expected_mail: string | null;
  readonly expected_owner: string | null;
  /** Whether a new history replaces the old one, and whether the workflow becomes the last in the order of creation. */
  readonly fresh: boolean;
  readonly moved: boolean;
  /** The fields that only a new history changes. */
  readonly run_id: string | null;
  readonly first_run_id: string | null;
  readonly parent: string | null;
  readonly workflow_name: string | null;
  readonly created_at: number | null;
  readonly input: string | null;
  /** The other fields. The outcome is written with a new history, or if the status is not `running`. */
  readonly status: string;
  readonly updated_at: number;
  readonly outcome: string | null;
  readonly codec: string | null;
  /** Without a new history, only labels that are not `null` are written. */
  readonly labels: string | null;
  /** Who owns the run from now on, if `claims`. */
  readonly owner: string | null;
  readonly claims: boolean;
  readonly due_at: number | "Infinity" | "-Infinity";
  /** How many events are added, and their payload. */
  readonly count: number;
  readonly events: string | null;
  readonly messages: readonly string[];
  /** Whether it is reported as a saved state. */
  readonly saved: boolean;
}

/** The columns of a write: what a row is compared with, what a history that grows changes, and what a new history changes. */
const COMPARED =
  "expected_run text, expected_running boolean, expected_length bigint, expected_mail bigint, expected_owner text";
const ADDED =
  "status text, updated_at float8, outcome text, codec text, due_at float8, count bigint, events text, messages text[], saved boolean";
const LABELS = "labels text";
const BEGUN =
  "run_id text, first_run_id text, parent text, workflow_name text, created_at float8, labels text, input text, owner text";
const REPLACED = "fresh boolean, moved boolean, claims boolean";

/**
 * Returns the statement and the parameters of a batch. Each row of the answer is a JSON array: the index of a write that fits, and
 * the length of the history now.
 *
 * @param writes Each of another workflow.
 * @param writer Who writes: listeners of the same writer are not told by the database.
 */
export function writeStatement(
  { of, channel }: Names,
  writes: readonly Write[],
  writer: string,
): { text: string; params: string[] } {
  const params: string[] = [];
  const param = (value: string, type: string) => `$${params.push(value)}::text::${type}`;
  const rowsOf = (kind: Write["kind"], ...lists: string[]): string | undefined => {
    const rows = writes.flatMap((write, ord) => write.kind === kind ? [{ ord, ...write }] : []);
    if (rows.length === 0) return undefined;
    const columns = ["ord int", "id text", ...lists].join(", ");
    const json = JSON.stringify(rows, columns.split(", ").map((column) => column.split(" ")[0]));
    return `SELECT b.*, ${hash("b.id")} AS key FROM json_to_recordset(${param(json, "json")}) AS b (${columns})`;
  };
  const number = `nextval('${of("numbers").replaceAll("'", "''")}')`;
  const parts: string[] = [];
  const add = (name: string, text: string) => void parts.push(`${name} AS (${text})`);
  const written: string[] = [];
  const created = rowsOf("create", ADDED, BEGUN);
  if (created !== undefined) {
    add("creates", created);
    add("numbered", `SELECT ${number} AS number, c.* FROM (SELECT * FROM creates ORDER BY ord) c`);
    add(
      "created",
      `INSERT INTO ${
        of("workflows")
      } (place, history, key, workflow_id, run_id, first_run_id, parent, workflow_name, status,
      length, created_at, updated_at, labels, input, input_codec, outcome, outcome_codec, mail, owner, due_at)
      SELECT number, number, key, id, run_id, first_run_id, parent, workflow_name, status, count, created_at, updated_at, labels,
      input, codec, outcome, codec, number, owner, due_at FROM numbered ORDER BY key
      ON CONFLICT (key) DO NOTHING RETURNING key, history`,
    );
    written.push(
      `SELECT c.ord, c.id, n.history, 0 AS first, c.count AS length, c.events, c.codec, c.messages, c.saved
      FROM created n JOIN creates c USING (key)`,
    );
  }
  const replaces = writes.some(({ kind, fresh }) => kind === "change" && fresh);
  const relabels = writes.some(({ kind, labels }) => kind === "change" && labels !== null);
  const changed = rowsOf("change", COMPARED, ADDED, ...(replaces ? [BEGUN, REPLACED] : relabels ? [LABELS] : []));
  if (changed !== undefined) {
    add("changes", `${changed} ORDER BY key`);
    if (replaces) {
      // What is deleted below is what the statement sees, so the row must be the one that it sees.
      add(
        "found",
        `SELECT b.*, w.place, w.history AS old, CASE WHEN b.fresh THEN ${number} END AS number
        FROM changes b JOIN ${of("workflows")} seen USING (key) JOIN ${of("workflows")} w
        ON w.place = seen.place AND w.history = seen.history AND w.length = seen.length
        WHERE ${FITS} ORDER BY w.key FOR UPDATE OF w`,
      );
    }
    const begun = `place = CASE WHEN b.moved THEN b.number ELSE w.place END, history = coalesce(b.number, w.history),
      run_id = coalesce(b.run_id, w.run_id), first_run_id = coalesce(b.first_run_id, w.first_run_id),
      parent = CASE WHEN b.fresh THEN b.parent ELSE w.parent END,
      workflow_name = coalesce(b.workflow_name, w.workflow_name), created_at = coalesce(b.created_at, w.created_at),
      labels = CASE WHEN b.fresh THEN b.labels ELSE coalesce(b.labels, w.labels) END, input = CASE WHEN b.fresh THEN b.input ELSE w.input END,
      input_codec = CASE WHEN b.fresh THEN b.codec ELSE w.input_codec END,
      owner = CASE WHEN b.claims THEN b.owner ELSE w.owner END, fence = CASE WHEN b.moved THEN 0 ELSE w.fence END,`;
    const fresh = replaces ? "b.fresh" : "false";
    const ends = `${fresh} OR b.status <> 'running'`;
    add(
      "changed",
      `UPDATE ${of("workflows")} w SET ${replaces ? begun : relabels ? "labels = coalesce(b.labels, w.labels)," : ""}
      status = b.status, updated_at = b.updated_at, due_at = b.due_at,
      length = CASE WHEN ${fresh} THEN b.count ELSE w.length + b.count END,
      outcome = CASE WHEN ${ends} THEN b.outcome ELSE w.outcome END,
      outcome_codec = CASE WHEN ${ends} THEN b.codec ELSE w.outcome_codec END,
      mail = CASE WHEN ${fresh} OR b.messages <> '{}' THEN w.mail + 1 ELSE w.mail END
      FROM ${replaces ? "found b WHERE w.place = b.place" : `changes b WHERE w.key = b.key AND ${FITS}`}
      RETURNING b.ord, b.id, w.history, w.length - b.count AS first, w.length, b.events, b.codec, b.messages, b.saved`,
    );
    written.push("SELECT ord, id, history, first, length, events, codec, messages, saved FROM changed");
    if (replaces) {
      for (const table of ["events", "messages", "results"] as const) {
        add(
          `old_${table}`,
          `DELETE FROM ${of(table)} t USING found f WHERE f.number IS NOT NULL AND t.history = f.old`,
        );
      }
    }
  }
  const answers: string[] = [];
  if (written.length > 0) {
    add("written", written.join(" UNION ALL "));
    answers.push("SELECT json_build_array(ord, length)::text AS row FROM written");
    add(
      "added",
      `INSERT INTO ${of("events")} (history, first, events, codec)
      SELECT history, first, events, codec FROM written WHERE events IS NOT NULL`,
    );
    if (writes.some(({ messages }) => messages.length > 0)) {
      add(
        "sent",
        `INSERT INTO ${of("messages")} (history, message)
        SELECT w.history, ${hash("m")} FROM written w, unnest(w.messages) m ON CONFLICT DO NOTHING`,
      );
    }
    add(
      "told",
      noteChanges(
        { of, channel },
        param(writer, "text"),
        "SELECT id, CASE WHEN saved THEN NULL ELSE length END AS length FROM written",
      ),
    );
  }
  const confirmed = rowsOf("confirm", COMPARED);
  if (confirmed !== undefined) {
    add("confirms", confirmed);
    answers.push(
      `SELECT json_build_array(b.ord, w.length)::text AS row FROM confirms b JOIN ${
        of("workflows")
      } w USING (key) WHERE ${FITS}`,
    );
  }
  return { text: `WITH ${parts.join(",\n")}\n${answers.join(" UNION ALL ")}`, params };
}

const FITS = `(b.expected_run IS NULL OR w.run_id = b.expected_run)
  AND (b.expected_running IS NULL OR (w.status = 'running') = b.expected_running)
  AND (b.expected_length IS NULL OR w.length = b.expected_length)
  AND (b.expected_mail IS NULL OR w.mail = b.expected_mail)
  AND (b.expected_owner IS NULL OR w.owner = b.expected_owner)`;

/**
 * Notes changes for others, and tells those who listen that there is something to look for. Nothing if nothing has changed.
 *
 * @param changed A query of IDs and lengths.
 */
export function noteChanges({ of, channel }: Names, writer: string, changed: string): string {
  return `INSERT INTO ${of("changes")} (transaction, writer, changed, at)
    SELECT pg_current_xact_id(), ${writer}, json_agg(json_build_array(id, length))::text, clock_timestamp()
    FROM (${changed}) c HAVING count(*) > 0 RETURNING pg_notify('${channel}', ${writer})`;
}
