/**
 * The work that needs the database: everything that waits for a disk or a lock. It runs in the thread of the program, or in a worker.
 *
 * 1. What a method gets and returns is plain data, so that both can cross threads. Payloads are written and read elsewhere.
 * 2. A read is of one moment.
 * 3. The writes of a `commit` share a transaction, so that they share the wait for the disk. They take effect in their order. If one
 *    throws, the transaction is rolled back, and each write gets a transaction of its own, so that the faulty one fails alone.
 * 4. A transaction gets a version if it changes something: a number that grows with every transaction of every process.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import { matcherOf, type QueryData } from "../../storage/filter.ts";
import { escapeText, type readClaim } from "../../storage/mod.ts";
import { type EventsRow, type Raw, stubOf } from "../../storage/rows.ts";
import { type Change, Changes } from "./changes.ts";
import { backUp, failure, fileOf, watchFiles } from "./database.ts";
import { Leases } from "./leases.ts";
import { COLUMNS, FEW, find, prepare, type Row, type Statements } from "./rows.ts";
import { Writes } from "./writes.ts";

/** A method of {@linkcode Writes}, and its arguments. */
export type Write = { [K in keyof Writes]: readonly [name: K, ...args: Parameters<Writes[K]>] }[keyof Writes];

/** What a write has returned or thrown. */
export interface Outcome {
  readonly answer?: unknown;
  readonly error?: unknown;
}

/** The outcomes of a commit. */
export interface Committed {
  readonly outcomes: readonly Outcome[];
  /** That of its last transaction; `undefined` if it has changed nothing. */
  readonly version: number | undefined;
}

/** A connection, or one in a worker: then every method returns a promise. */
export type Database = {
  readonly [K in keyof Connection]: (
    ...args: Parameters<Connection[K]>
  ) => ReturnType<Connection[K]> | Promise<Awaited<ReturnType<Connection[K]>>>;
};

export class Connection {
  readonly #db: DatabaseSync;
  readonly #checkFiles: () => void;
  readonly #codec: string | null;
  readonly #changes: Changes;
  readonly #leases: Leases;
  readonly #writes: Writes;
  readonly #sql: Statements;
  /** That of the current transaction. */
  #version: number | undefined;

  /**
   * Takes a database that is open.
   *
   * @param codec The name that is stored beside payloads; `null` for JSON texts.
   * @param checkFiles Throws if the file is no longer where it was.
   */
  constructor(db: DatabaseSync, codec: string | null, checkFiles: () => void = watchFiles(db)) {
    this.#db = db;
    this.#codec = codec;
    this.#checkFiles = checkFiles;
    this.#changes = new Changes(db);
    this.#leases = new Leases(db);
    this.#sql = prepare(db);
    const version = () => this.#version ??= (this.#sql.nextVersion.get() as { value: number }).value;
    this.#writes = new Writes(this.#sql, this.#leases, codec, version);
  }

  load(workflowId: string): Raw<Row> | undefined {
    return this.#reading("load workflow", () => {
      const row = this.#sql.row.get(escapeText(workflowId)) as unknown as Row | undefined;
      return row && this.#raw(row);
    });
  }

  /** @returns The events from `length` on, and perhaps some before; `undefined` if another run is stored. */
  loadSince(workflowId: string, length: number, runId: string | undefined): Raw<Row> | undefined {
    return this.#reading("load workflow", () => {
      const row = this.#sql.row.get(escapeText(workflowId)) as unknown as Row | undefined;
      if (row === undefined || runId !== undefined && row.run_id !== escapeText(runId)) return undefined;
      if (length <= 0) return this.#raw(row);
      const events = length < row.length ? this.#sql.eventsSince.all(row.place, length) as unknown as EventsRow[] : [];
      return { row, events };
    });
  }

  /** Lists rows, at most `limit`, with their histories or without. */
  list(query: QueryData, after: number | undefined, limit: number, histories: boolean): Raw<Row>[] {
    return this.#reading("list workflows", () => {
      this.#checkFiles();
      const rows = [...this.#rows(query, after, limit)];
      return rows.map((row) => histories ? this.#raw(row) : { row, events: undefined });
    });
  }

  count(query: QueryData): number {
    return this.#reading("count workflows", () => {
      this.#checkFiles();
      if (matcherOf(query) === undefined) {
        const { from, values } = find(query, undefined, this.#isFew);
        const counted = this.#db.prepare(`SELECT count(*) AS count FROM ${from}`).get(...values);
        return (counted as { count: number }).count;
      }
      let count = 0;
      for (const _ of this.#rows(query, undefined, Infinity)) count++;
      return count;
    });
  }

  /** Whether a claim has anything to do. */
  needsClaim(claim: ReturnType<typeof readClaim>): boolean {
    return this.#reading("claim workflows", () => this.#leases.isNeeded(claim));
  }

  /** The path of the file; empty if there is none. Throws if the file is no longer there. */
  locate(): string {
    this.#checkFiles();
    return fileOf(this.#db);
  }

  /** The version of the last transaction. */
  version(): number {
    return this.#changes.version();
  }

  /** See {@linkcode Changes.watch}. */
  watch(since: number): boolean {
    return this.#changes.watch(since);
  }

  unwatch(): void {
    this.#changes.unwatch();
  }

  /** What others have written since the last look. */
  look(): Change[] {
    return this.#changes.look();
  }

  /** Writes. It does not throw. */
  commit(writes: readonly Write[]): Committed {
    this.#changes.begins();
    let version: number | undefined;
    const commit = (writes: readonly Write[]): Outcome[] | undefined => {
      const outcomes = this.#transaction(writes);
      version = this.#version ?? version;
      return outcomes;
    };
    const outcomes = commit(writes) ?? writes.flatMap((write) => commit([write])!);
    return { outcomes, version };
  }

  async backup(path: string): Promise<void> {
    await backUp(this.#db, path);
  }

  close(): void {
    this.#db.close();
  }

  /** @returns `undefined` if one of several writes has failed, so that none took effect. */
  #transaction(writes: readonly Write[]): Outcome[] | undefined {
    let running = false;
    this.#version = undefined;
    try {
      this.#sql.beginWrite.run();
      const outcomes: Outcome[] = [];
      for (const [name, ...args] of writes) {
        running = true;
        const write = this.#writes[name] as (...args: unknown[]) => unknown;
        outcomes.push({ answer: write.apply(this.#writes, args) });
        running = false;
      }
      this.#checkFiles();
      this.#sql.commit.run();
      if (this.#version !== undefined) this.#changes.wrote(this.#version);
      return outcomes;
    } catch (cause) {
      const error = failure("write to the store", cause);
      this.#version = undefined;
      try {
        this.#sql.rollback.run();
      } catch {
        // SQLite has rolled it back, or it did not begin
      }
      return running && writes.length > 1 ? undefined : writes.map(() => ({ error }));
    }
  }

  /** Reads in one transaction, so that all is of one moment. */
  #reading<T>(action: string, read: () => T): T {
    try {
      this.#sql.begin.run();
      try {
        return read();
      } finally {
        this.#sql.commit.run();
      }
    } catch (error) {
      throw failure(action, error);
    }
  }

  readonly #isFew = (from: string, values: readonly (string | number)[]): boolean => {
    const sql = `SELECT count(*) AS count FROM (SELECT 1 FROM ${from} LIMIT ${FEW})`;
    return (this.#db.prepare(sql).get(...values) as { count: number }).count < FEW;
  };

  /** The rows of a query, in order. */
  *#rows(query: QueryData, after: number | undefined, limit: number): Iterable<Row> {
    if (limit === 0) return;
    const { from, values, place } = find(query, after, this.#isFew);
    const matches = matcherOf(query);
    const sql = `SELECT ${COLUMNS} FROM ${from} ORDER BY ${place} ${query.order}`;
    let count = 0;
    for (const row of this.#db.prepare(sql).iterate(...values) as Iterable<unknown> as Iterable<Row>) {
      if (matches?.(stubOf(row)) === false) continue;
      yield row;
      if (++count >= limit) return;
    }
  }

  #raw(row: Row): Raw<Row> {
    if (this.#codec === null) { // one text for the whole history: half the time of a row each
      const { events, coded } = this.#sql.history.get(row.place) as { events: string | null; coded: number };
      if (coded === 0) return { row, events: events === null ? [] : [{ events, codec: null, isWhole: true }] };
    }
    return { row, events: this.#sql.events.all(row.place) as unknown as EventsRow[] };
  }
}
