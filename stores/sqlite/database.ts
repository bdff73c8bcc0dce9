/**
 * Opens a database file: settings, schema, and errors in words.
 *
 * 1. A file is changed only when it is known to be a database with a schema of this release or an earlier one. What is damaged or
 *    newer is left as it is.
 * 2. A migration is a list of statements that never changes once it was released. All that are missing run in one transaction.
 * 3. A file that is deleted, moved or replaced while it is open gets no writes. SQLite itself would write on, to a file without a
 *    name, and lose them.
 * 4. All tables begin with `rockpool_`, so that a file can also hold tables of the user.
 *
 * @module
 */

import { statSync } from "node:fs";
import * as sqlite from "node:sqlite";
import { DatabaseSync } from "node:sqlite";
import { cannot } from "../../util/check.ts";
import { show } from "../../util/show.ts";
import { enterWal } from "./journal.ts";
import { endLeasesOfTheDead } from "./leases.ts";

const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE rockpool_workflows (
    place INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of creation; never used twice
    workflow_id TEXT NOT NULL UNIQUE,
    run_id TEXT NOT NULL,
    first_run_id TEXT NOT NULL, -- of the chain
    parent TEXT, -- JSON
    workflow_name TEXT NOT NULL,
    status TEXT NOT NULL,
    length INTEGER NOT NULL, -- of the history
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    labels TEXT, -- JSON
    input ANY, -- a payload, and the codec that wrote it; NULL stands for a JSON text
    input_codec TEXT,
    outcome ANY, -- the result and the error
    outcome_codec TEXT,
    owner TEXT, -- who created or claimed it last
    free INTEGER NOT NULL DEFAULT 1, -- whether that one has no lease any more
    wake_at REAL NOT NULL DEFAULT -9e999, -- from then on it is due
    fence INTEGER NOT NULL DEFAULT 0, -- how often it was claimed
    version INTEGER NOT NULL, -- of the transaction that wrote it last
    saved_version INTEGER -- of the transaction that saved the whole state last
  ) STRICT;
  CREATE INDEX rockpool_workflows_status ON rockpool_workflows (status, place);
  CREATE INDEX rockpool_workflows_name ON rockpool_workflows (workflow_name, place);
  CREATE INDEX rockpool_workflows_created ON rockpool_workflows (created_at);
  CREATE INDEX rockpool_workflows_version ON rockpool_workflows (version);
  CREATE INDEX rockpool_workflows_free ON rockpool_workflows (wake_at) WHERE status = 'running' AND free;
  CREATE INDEX rockpool_workflows_owner ON rockpool_workflows (owner) WHERE status = 'running';
  CREATE TABLE rockpool_labels ( -- the index of the column "labels"; the triggers write it
    label TEXT NOT NULL, -- name:value
    workflow INTEGER NOT NULL, -- its place
    PRIMARY KEY (label, workflow)
  ) STRICT, WITHOUT ROWID;
  CREATE TRIGGER rockpool_labels_given AFTER INSERT ON rockpool_workflows WHEN new.labels IS NOT NULL BEGIN
    INSERT OR IGNORE INTO rockpool_labels SELECT key || ':' || value, new.place FROM json_each(new.labels);
  END;
  CREATE TRIGGER rockpool_labels_changed AFTER UPDATE OF labels ON rockpool_workflows WHEN new.labels IS NOT old.labels BEGIN
    DELETE FROM rockpool_labels WHERE workflow = old.place
      AND label IN (SELECT key || ':' || value FROM json_each(old.labels));
    INSERT OR IGNORE INTO rockpool_labels SELECT key || ':' || value, new.place FROM json_each(new.labels);
  END;
  CREATE TRIGGER rockpool_labels_removed AFTER DELETE ON rockpool_workflows WHEN old.labels IS NOT NULL BEGIN
    DELETE FROM rockpool_labels WHERE workflow = old.place
      AND label IN (SELECT key || ':' || value FROM json_each(old.labels));
  END;
  CREATE TABLE rockpool_events ( -- one row for each append
    place INTEGER NOT NULL,
    first INTEGER NOT NULL, -- the index of its first event
    events ANY NOT NULL,
    codec TEXT,
    PRIMARY KEY (place, first)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE rockpool_messages ( -- what was delivered to a run, so that it is delivered once
    place INTEGER NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (place, id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE rockpool_results ( -- of transactional activities, as long as their run
    place INTEGER NOT NULL,
    key TEXT NOT NULL, -- the idempotency key
    result ANY, -- a payload; NULL stands for undefined
    codec TEXT,
    PRIMARY KEY (place, key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE rockpool_owners ( -- the leases
    owner TEXT PRIMARY KEY,
    ends_at REAL NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE rockpool_deletions ( -- for other processes that listen; kept for a while
    workflow_id TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    deleted_at REAL NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
];

/** How a database is opened. */
export interface Settings {
  readonly durability: "full" | "relaxed";
  readonly busyTimeoutMs: number;
  readonly readOnly: boolean;
}

/**
 * Opens a file, or makes it.
 *
 * @throws {Error} If it cannot be opened, is damaged, or has a newer schema. The file is left as it is.
 */
export function openDatabase(path: string, { durability, busyTimeoutMs, readOnly }: Settings): DatabaseSync {
  const action = `open store ${show(path)}`;
  let db: DatabaseSync | undefined;
  try {
    db = readOnly ? new DatabaseSync(path, { readOnly }) : new DatabaseSync(path);
    db.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`); // before everything that can wait for a lock
    const found = schemaOf(db);
    if (found > MIGRATIONS.length) {
      const known = `this release knows versions up to ${MIGRATIONS.length}: update @rockpool/workflow`;
      throw new Error(`${cannot(action)}: its schema has version ${found}, ${known}`);
    }
    if (readOnly) {
      if (found === MIGRATIONS.length) return db;
      const why = found === 0
        ? "it has no tables of a store; a store that opens it to write makes them"
        : `its schema has version ${found}, of an earlier release; a store that opens it to write updates it`;
      throw new Error(`${cannot(action)}: ${why}`);
    }
    const mode = enterWal(db);
    if (mode !== "wal" && mode !== "memory") {
      throw new Error(`${cannot(action)}: it cannot use a write-ahead log, its journal mode is ${show(mode)}`);
    }
    db.exec(`PRAGMA synchronous = ${durability === "full" ? "FULL" : "NORMAL"}`);
    if (durability === "full") db.exec("PRAGMA fullfsync = ON"); // on macOS fsync alone does not reach the disk
    if (found < MIGRATIONS.length) migrate(db);
    endLeasesOfTheDead(db, busyTimeoutMs);
    return db;
  } catch (error) {
    db?.close();
    if ((error as Error).message.startsWith("Cannot open store")) throw error;
    throw failure(action, error);
  }
}

/**
 * Returns a function that throws if a file of the database has been deleted, moved or replaced since.
 *
 * Files that the process may not look at are not checked.
 */
export function watchFiles(db: DatabaseSync): () => void {
  const main = fileOf(db);
  const files = main ? [main, `${main}-wal`] : [];
  const found = files.map((file) => [file, identityOf(file)] as const).filter(([, identity]) => identity !== undefined);
  return () => {
    for (const [file, identity] of found) {
      if (identityOf(file) === identity) continue;
      const what = `the file ${show(file)} was deleted, moved or replaced while the store was open`;
      throw new Error(`${what}; put it back, or open the store again`);
    }
  };
}

/** The path of the file; empty in memory. */
export function fileOf(db: DatabaseSync): string {
  const [main] = db.prepare("PRAGMA database_list").all() as unknown as readonly { readonly file: string | null }[];
  return main.file ?? "";
}

/** What stays the same as long as a path leads to the same file; `undefined` if there is none. */
function identityOf(file: string): string | undefined {
  try {
    const { dev, ino } = statSync(file, { bigint: true });
    return `${dev} ${ino}`;
  } catch {
    return undefined;
  }
}

/** The version of the schema; 0 if there is none yet. */
function schemaOf(db: DatabaseSync): number {
  const has = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'rockpool_meta'").get();
  if (has === undefined) return 0;
  return (db.prepare("SELECT value FROM rockpool_meta WHERE key = 'schema'").get() as { value: number }).value;
}

function migrate(db: DatabaseSync): void {
  db.exec("BEGIN IMMEDIATE");
  try {
    const found = schemaOf(db); // another process may have been faster
    if (found === 0) {
      db.exec("CREATE TABLE rockpool_meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID");
      db.exec("INSERT INTO rockpool_meta VALUES ('schema', 0), ('version', 0)");
    }
    for (const statements of MIGRATIONS.slice(found)) db.exec(statements);
    db.prepare("UPDATE rockpool_meta SET value = max(value, ?) WHERE key = 'schema'").run(MIGRATIONS.length);
    db.exec("COMMIT");
  } catch (error) {
    db.exec("ROLLBACK");
    throw error;
  }
}

/**
 * Copies a database to a new file, some pages at a time.
 *
 * @throws {Error} If the file is not empty, or cannot be written.
 */
export async function backUp(db: DatabaseSync, path: string): Promise<void> {
  const action = `back up the store to ${show(path)}`;
  let target: DatabaseSync | undefined;
  try {
    target = new DatabaseSync(path);
    const { count } = target.prepare("SELECT count(*) AS count FROM sqlite_schema").get() as { count: number };
    if (count > 0) throw new Error("the file exists and is not empty");
    target.close();
    target = undefined;
    // Node has it from version 22.16 on. Deno lets only programs with all permissions use VACUUM INTO.
    if (typeof sqlite.backup === "function") await sqlite.backup(db, path);
    else db.prepare("VACUUM INTO ?").run(path);
  } catch (error) {
    target?.close();
    throw failure(action, error);
  }
}

/** The error of a call of SQLite, in words. */
export function failure(action: string, cause: unknown): Error {
  const { errcode, message } = cause as { readonly errcode?: number; readonly message: string };
  const primary = (errcode ?? messages.findIndex((words) => words !== "" && message.includes(words))) & 0xff;
  const why = reasons[primary];
  return new Error(`${cannot(action)}: ${why === undefined ? "" : `${why}: `}${message}`, { cause });
}

/** By the primary result code of SQLite. */
const reasons: Readonly<Record<number, string>> = {
  5: "another process holds a lock for too long",
  6: "another connection holds a lock for too long",
  8: "the file or its folder cannot be written",
  10: "the disk failed",
  11: "the file is damaged; it was left as it is",
  13: "the disk is full",
  14: "the file or its folder is missing, or cannot be opened or written",
  26: "the file is damaged, or no database; it was left as it is",
};

/** Some runtimes give no code, but the words of SQLite. By the code. */
const messages: readonly string[] = /* @__PURE__ */ Object.assign(Array.from({ length: 27 }, () => ""), {
  5: "database is locked",
  8: "readonly database",
  10: "disk I/O error",
  11: "malformed",
  13: "database or disk is full",
  14: "unable to open database file",
  26: "file is not a database",
});
