/**
 * Transactional activities: what the function of a user writes to the file and its result are one transaction.
 *
 * 1. The transaction begins, runs and ends within one synchronous call on the connection of the store. So it is always between two
 *    group commits, and no other code of the process sees it open.
 * 2. A result is stored under its idempotency key if and only if the transaction of its function was committed.
 * 3. The function cannot end the transaction. A statement that would do so is refused; what SQLite has rolled back by itself is
 *    noticed, and nothing is written after it.
 *
 * @module
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { ActivityContext } from "../../activity.ts";
import { escapeText, type Payload } from "../../storage/mod.ts";
import type { Values } from "../../storage/values.ts";
import {
  checkTransactionRun,
  inTransaction,
  storedResult,
  transactionalActivity,
  type TransactionRun,
} from "../../storage/transactional.ts";
import { cannot } from "../../util/check.ts";
import { isStrayPromise, quiet } from "../../util/deferred.ts";
import { show } from "../../util/show.ts";
import { failure } from "./database.ts";

/**
 * A value of a statement. A record has the values of named parameters.
 *
 * @category Store
 */
export type SqliteValue = null | number | bigint | string | Uint8Array | Readonly<Record<string, unknown>>;

/**
 * A compiled statement of a {@linkcode SqliteTransaction}. Its methods throw when the transaction is over.
 *
 * @category Store
 */
export interface SqliteStatement {
  /** Runs it, and says how many rows it has changed. */
  run(...values: SqliteValue[]): { readonly changes: number | bigint; readonly lastInsertRowid: number | bigint };
  /** The first row; `undefined` if there is none. */
  get(...values: SqliteValue[]): Record<string, unknown> | undefined;
  /** All rows. */
  all(...values: SqliteValue[]): Record<string, unknown>[];
}

/**
 * The transaction of a {@linkcode SqliteStore.transactional} activity. Its methods throw when the transaction is over, and for a
 * statement that would end it: `BEGIN`, `COMMIT`, `END`, `ROLLBACK` and `OR ROLLBACK`. Savepoints work.
 *
 * @category Store
 */
export interface SqliteTransaction {
  /** Compiles one statement. */
  prepare(sql: string): SqliteStatement;
  /** Runs statements that need no values. */
  exec(sql: string): void;
}

/** A connection of this thread. */
export interface Connected {
  readonly db: DatabaseSync;
  /** Throws if the file is no longer where it was. */
  readonly checkFiles: () => void;
}

/** What it needs of the store. */
export interface StoreParts {
  /** Throws if the store is closed. */
  readonly check: (action: string) => void;
  /** Returns the connection, the same one each time. */
  readonly connect: () => Connected | Promise<Connected>;
  /** Waits until the store has no other transaction open. */
  readonly idle: () => Promise<void>;
  readonly values: Values;
}

interface Found extends TransactionRun {
  readonly place: number;
  readonly key: string | null;
  readonly result: Payload | null;
  readonly codec: string | null;
}

/** It is released at the end, which shows that the transaction is still the one that has begun. */
const SAVEPOINT = "rockpool_transactional";

/** A connection, and its statements. */
interface Session extends Connected {
  readonly sql: Readonly<Record<"begin" | "commit" | "rollback" | "find" | "insert", StatementSync>>;
}

export class Transactional {
  readonly #parts: StoreParts;
  #session: Session | undefined;
  #isOpen = false;

  constructor(parts: StoreParts) {
    this.#parts = parts;
  }

  activity<Input, Output>(
    fn: (tx: SqliteTransaction, input: Input, context: ActivityContext) => Output,
  ): (input: Input, context: ActivityContext) => Promise<Output> {
    return transactionalActivity(fn, async (name, input: Input, context) => {
      const action = inTransaction(name);
      this.#parts.check(action);
      if (this.#isOpen) {
        throw new TypeError(`${cannot(action)}: it is called within the transaction of another activity`);
      }
      const session = await this.#connect();
      await this.#parts.idle();
      this.#parts.check(action);
      return await this.#run(session, name, context, (tx) => fn(tx, input, context)) as Output;
    });
  }

  async #connect(): Promise<Session> {
    const { db, checkFiles } = this.#session ?? await this.#parts.connect();
    return this.#session ??= {
      db,
      checkFiles,
      sql: {
        begin: db.prepare("BEGIN IMMEDIATE"),
        commit: db.prepare("COMMIT"),
        rollback: db.prepare("ROLLBACK"),
        find: db.prepare(
          `SELECT w.place, w.status, w.fence, r.key, r.result, r.codec FROM rockpool_workflows w
          LEFT JOIN rockpool_results r ON r.place = w.place AND r.key = ? WHERE w.workflow_id = ? AND w.run_id = ?`,
        ),
        insert: db.prepare("INSERT INTO rockpool_results VALUES (?, ?, ?, ?)"),
      },
    };
  }

  /** Returns the stored result, or calls the function and stores its result. A promise only if a codec returns one to read with. */
  #run(
    { db, checkFiles, sql }: Session,
    name: string,
    context: ActivityContext,
    call: (tx: SqliteTransaction) => unknown,
  ): unknown {
    const action = inTransaction(name);
    const { idempotencyKey, workflowId, runId, signal } = context;
    const key = escapeText(idempotencyKey);
    this.#sqlite(action, () => {
      checkFiles();
      sql.begin.run();
    });
    let committed = false;
    this.#isOpen = true;
    try {
      const row = this.#sqlite(action, () => sql.find.get(key, escapeText(workflowId), escapeText(runId)));
      const found = row as unknown as Found | undefined;
      if (found !== undefined && found.key !== null) {
        return found.result === null ? undefined : this.#parts.values.read(found.result, found.codec, workflowId);
      }
      checkTransactionRun(found, name, context);
      signal.throwIfAborted();
      db.exec(`SAVEPOINT ${SAVEPOINT}`);
      const result = this.#call(db, name, action, call);
      const stored = storedResult(result, name);
      const payload = this.#payloadOf(stored, workflowId, action);
      this.#sqlite(action, () => {
        sql.insert.run(found!.place, key, payload, this.#parts.values.codec);
        checkFiles();
        sql.commit.run();
      });
      committed = true;
      return stored;
    } finally {
      this.#isOpen = false;
      if (!committed) {
        try {
          sql.rollback.run();
        } catch {
          // SQLite has rolled it back
        }
      }
    }
  }

  /** Calls the function. Throws if the transaction did not outlast it. */
  #call(db: DatabaseSync, name: string, action: string, call: (tx: SqliteTransaction) => unknown): unknown {
    const tx = new Guard(db, action);
    let result: unknown;
    try {
      result = call({ prepare: (sql) => tx.prepare(sql), exec: (sql) => tx.exec(sql) });
    } finally {
      tx.isOver = true;
    }
    if (isStrayPromise(result)) {
      const way = "it must be synchronous; do what takes time in an activity before it";
      throw new TypeError(`${cannot(action)}: the function ${show(name)} returned a promise: ${way}`);
    }
    try {
      db.exec(`RELEASE ${SAVEPOINT}`);
    } catch (cause) {
      const why = "its transaction was rolled back while the function ran, and the function did not throw";
      throw new Error(`${cannot(action)}: ${why}`, { cause });
    }
    return result;
  }

  #payloadOf(value: unknown, workflowId: string, action: string): Payload | null {
    const written = this.#parts.values.write(workflowId, value);
    if (!(written instanceof Promise)) return written[0];
    quiet(written);
    const way =
      "a transaction of SQLite cannot wait for it; use a codec that returns its payloads, or return no result";
    throw new TypeError(`${cannot(action)}: the codec ${show(this.#parts.values.codec)} returns promises: ${way}`);
  }

  /** Does what the store itself does in the transaction. */
  #sqlite<T>(action: string, body: () => T): T {
    try {
      return body();
    } catch (error) {
      throw failure(action, error);
    }
  }
}

/** What a function may do in its transaction. */
class Guard {
  readonly #db: DatabaseSync & { readonly isTransaction?: boolean };
  readonly #action: string;
  isOver = false;

  constructor(db: DatabaseSync, action: string) {
    this.#db = db;
    this.#action = action;
  }

  prepare(sql: string): SqliteStatement {
    this.#check(sql);
    const statement = this.#db.prepare(sql);
    const open = () => {
      this.#check("");
      return statement as unknown as SqliteStatement;
    };
    return {
      run: (...values) => open().run(...values),
      get: (...values) => open().get(...values),
      all: (...values) => open().all(...values),
    };
  }

  exec(sql: string): void {
    this.#check(sql);
    this.#db.exec(sql);
  }

  /** Throws if the transaction is over, or the text would end it. */
  #check(sql: string): void {
    if (this.isOver || this.#db.isTransaction === false) {
      throw new Error(`${cannot(this.#action)}: the transaction is over`);
    }
    const ending = endsTransaction(sql);
    if (ending === undefined) return;
    const way = "the store commits when the function returns, and rolls back when it throws";
    throw new TypeError(`${cannot(this.#action)}: the statement ${show(ending)} would end its transaction: ${way}`);
  }
}

/** The words of a text that would end a transaction; `undefined` if it has none. */
function endsTransaction(sql: string): string | undefined {
  if (typeof sql !== "string") return undefined; // SQLite refuses it
  const bare = sql.replace(
    /--[^\n]*|\/\*[^]*?(?:\*\/|$)|'[^']*'|"[^"]*"|`[^`]*`|\[[^\]]*\]/g,
    (part) => /^[-/]/.test(part) ? " " : "x",
  );
  const found = /(?:^|;)\s*(BEGIN|COMMIT|END|ROLLBACK(?!\s+(?:TRANSACTION\s+)?TO\b))\b|\b(OR\s+ROLLBACK)\b/i.exec(bare);
  return found?.[1] ?? found?.[2];
}
