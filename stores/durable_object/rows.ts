/**
 * The tables of a store in a Durable Object, and how a row is read.
 *
 * Cloudflare charges about a thousand times as much for a row that is written as for one that is read. So an append to a run writes
 * one row, and the row of the workflow stays as it is until the run ends or changes its labels: length and time of a running run
 * follow from its last batch of events. An index costs a row for each change, so there are two only: the IDs, and the running workflows.
 *
 * @module
 */

import type { Payload } from "../../storage/mod.ts";
import type { HeadRow } from "../../storage/rows.ts";
import { cannot } from "../../util/check.ts";
import type { ObjectSql, ObjectStorage } from "./platform.ts";

/**
 * A payload as a column has it: a text or bytes; or the number of its pieces, if it is too large for a row; `null` for none. The
 * platform gives bytes as an `ArrayBuffer`.
 */
export type Cell = string | ArrayBuffer | number | null;

/** A row of `rockpool_workflows` with what its last batch of events says. */
export interface Row extends HeadRow {
  readonly place: number;
  readonly input: Cell;
  readonly input_codec: string | null;
  readonly outcome: Cell;
  readonly outcome_codec: string | null;
}

/** A row of `rockpool_events`. */
export interface EventsRow {
  readonly first: number;
  readonly events: Cell;
  readonly codec: string | null;
}

/** The columns of a workflow, in the order in which they are written. */
const COLUMNS = [
  "place",
  "workflow_id",
  "run_id",
  "first_run_id",
  "parent",
  "workflow_name",
  "status",
  "length",
  "created_at",
  "updated_at",
  "labels",
  "input",
  "input_codec",
  "outcome",
  "outcome_codec",
];

/** Selects rows. A condition follows; the workflow is `w`. */
export const SELECT: string = /* @__PURE__ */ selectText();

function selectText(): string {
  return `SELECT ${COLUMNS.map((column) => `w.${column}`)}, e.ends, e.at FROM rockpool_workflows w
  LEFT JOIN rockpool_events e ON e.workflow = w.place
  AND e.first = (SELECT max(first) FROM rockpool_events WHERE workflow = w.place)`;
}

/** Writes a row. A workflow of the same place keeps what does not change. */
export const UPSERT: string = /* @__PURE__ */ upsertText();

function upsertText(): string {
  return `INSERT INTO rockpool_workflows (${COLUMNS}) VALUES (${COLUMNS.map(() => "?")})
  ON CONFLICT (place) DO UPDATE SET ${COLUMNS.slice(2).map((column) => `${column} = excluded.${column}`)}`;
}

const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE rockpool_workflows (
    place INTEGER PRIMARY KEY, -- the order of creation
    workflow_id TEXT NOT NULL UNIQUE,
    run_id TEXT NOT NULL,
    first_run_id TEXT NOT NULL, -- of the chain
    parent TEXT, -- JSON
    workflow_name TEXT NOT NULL,
    status TEXT NOT NULL,
    length INTEGER NOT NULL, -- of the history when the row was written
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    labels TEXT, -- JSON
    input ANY, -- a payload, and the codec that wrote it; NULL stands for a JSON text
    input_codec TEXT,
    outcome ANY, -- the result and the error
    outcome_codec TEXT
  ) STRICT;
  CREATE INDEX rockpool_workflows_running ON rockpool_workflows (place) WHERE status = 'running';
  CREATE TABLE rockpool_events ( -- one row for each append
    workflow INTEGER NOT NULL,
    first INTEGER NOT NULL, -- the index of its first event
    ends INTEGER NOT NULL, -- the length of the history with it
    at REAL NOT NULL, -- the time of its last event
    events ANY NOT NULL,
    codec TEXT,
    PRIMARY KEY (workflow, first)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE rockpool_pieces ( -- of payloads that are too large for a row
    workflow INTEGER NOT NULL,
    first INTEGER NOT NULL, -- that of the events; -2 for the input, -1 for the outcome
    piece INTEGER NOT NULL,
    payload ANY NOT NULL,
    PRIMARY KEY (workflow, first, piece)
  ) STRICT, WITHOUT ROWID;
  `,
];

/**
 * Makes the tables that are missing.
 *
 * @throws {Error} If the schema is of a later release.
 */
export function migrate(storage: ObjectStorage, action: string): void {
  const { sql } = storage;
  const has = sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'rockpool_meta'").toArray().length > 0;
  const [found] = has ? sql.exec("SELECT value FROM rockpool_meta WHERE key = 'schema'").toArray() : [];
  const version = Number(found?.value ?? 0);
  if (version > MIGRATIONS.length) {
    const known = `this release knows versions up to ${MIGRATIONS.length}: update @rockpool/workflow`;
    throw new Error(`${cannot(action)}: its schema has version ${version}, ${known}`);
  }
  if (version === MIGRATIONS.length) return;
  storage.transactionSync(() => {
    if (!has) {
      sql.exec("CREATE TABLE rockpool_meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID");
    }
    for (const statements of MIGRATIONS.slice(version)) sql.exec(statements);
    sql.exec("INSERT OR REPLACE INTO rockpool_meta VALUES ('schema', ?)", MIGRATIONS.length);
  });
}

/** A row as {@linkcode SELECT} returns it. */
export function toRow(found: Record<string, unknown>): Row {
  const { ends, at, ...row } = found as unknown as Row & { readonly ends: number | null; readonly at: number };
  return ends !== null && ends > row.length ? { ...row, length: ends, updated_at: at } : row;
}

/** A row holds at most 2 MiB. A character of a text takes at most 3 bytes. */
const MOST = { characters: 400_000, bytes: 1_200_000 };

/** Cuts a payload into pieces that fit into a row. */
export function cut(payload: Payload): Payload[] {
  const most = typeof payload === "string" ? MOST.characters : MOST.bytes;
  const pieces: Payload[] = [];
  for (let start = 0; start < payload.length;) {
    let end = start + most;
    if (typeof payload === "string" && /[\ud800-\udbff]/.test(payload[end - 1] ?? "")) end--; // not between two halves
    pieces.push(payload.slice(start, end));
    start = end;
  }
  return pieces;
}

/** Writes a payload, in pieces if it must be. Returns the cell that stands for it. */
export function toCell(sql: ObjectSql, place: number, first: number, payload: Payload | null): Payload | number | null {
  if (payload === null) return null;
  const pieces = cut(payload);
  if (pieces.length <= 1) return payload;
  for (const [i, piece] of pieces.entries()) {
    sql.exec("INSERT OR REPLACE INTO rockpool_pieces VALUES (?, ?, ?, ?)", place, first, i, piece);
  }
  return pieces.length;
}

/** Reads a payload that {@linkcode toCell} has written. */
export function fromCell(sql: ObjectSql, place: number, first: number, cell: Exclude<Cell, null>): Payload {
  if (typeof cell === "string") return cell;
  if (typeof cell !== "number") return new Uint8Array(cell);
  const query = "SELECT payload FROM rockpool_pieces WHERE workflow = ? AND first = ? AND piece < ? ORDER BY piece";
  const pieces = sql.exec(query, place, first, cell).toArray().map(({ payload }) => payload as string | ArrayBuffer);
  if (pieces.every((piece) => typeof piece === "string")) return pieces.join("");
  const bytes = (pieces as ArrayBuffer[]).map((piece) => new Uint8Array(piece));
  const whole = new Uint8Array(bytes.reduce((sum, { length }) => sum + length, 0));
  let end = 0;
  for (const piece of bytes) {
    whole.set(piece, end);
    end += piece.length;
  }
  return whole;
}
