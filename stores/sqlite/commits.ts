/**
 * Group commit: all writes of one macrotask share a transaction, so that they share the wait for the disk.
 *
 * 1. Writes take effect in the order of the calls.
 * 2. A promise settles after the commit. Until then nobody sees its write.
 * 3. A write that throws a `WorkflowError` must not have changed anything: it fails alone. After any other error the transaction
 *    is rolled back, and each write gets a transaction of its own, so that the faulty one fails alone.
 * 4. A transaction gets a version if it changes something: a number that grows with every transaction of every process.
 *
 * @module
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { WorkflowError } from "../../errors.ts";
import { macrotask } from "../../util/macrotask.ts";
import { failure } from "./database.ts";

/** One write. */
interface Write {
  readonly run: () => void;
  /** Is called after the commit. */
  readonly committed: () => void;
  readonly rejected: (error: unknown) => void;
  error?: unknown;
}

/** The most writes of one transaction: other work of the process must not wait for too many. */
const MOST = 512;

export class Commits {
  readonly #nextVersion: StatementSync;
  readonly #changed: (version: number) => void;
  readonly #checkFiles: () => void;
  readonly #statements: Record<"begin" | "commit" | "rollback", StatementSync>;
  #queue: Write[] = [];
  #version: number | undefined;

  /**
   * @param checkFiles Throws if the database is no longer where it was.
   * @param changed Is called with the version of each transaction that changed something.
   */
  constructor(db: DatabaseSync, checkFiles: () => void, changed: (version: number) => void) {
    this.#checkFiles = checkFiles;
    this.#changed = changed;
    this.#nextVersion = db.prepare("UPDATE rockpool_meta SET value = value + 1 WHERE key = 'version' RETURNING value");
    this.#statements = {
      begin: db.prepare("BEGIN IMMEDIATE"),
      commit: db.prepare("COMMIT"),
      rollback: db.prepare("ROLLBACK"),
    };
  }

  /** The version of the current transaction. Only writes that change something ask for it. */
  get version(): number {
    return this.#version ??= (this.#nextVersion.get() as { value: number }).value;
  }

  /**
   * Adds a write to the next transaction.
   *
   * @param run Writes, and returns what `add` answers.
   * @param seen Is called once it is visible, before the promise settles.
   */
  add<T>(run: () => T, seen?: (result: T) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      let result: T;
      if (this.#queue.length === 0) macrotask(this.#flush);
      this.#queue.push({
        run: () => void (result = run()),
        committed() {
          resolve(result);
          seen?.(result);
        },
        rejected: reject,
      });
    });
  }

  /** Commits everything that waits. */
  drain(): void {
    while (this.#queue.length > 0) this.#flush();
  }

  readonly #flush = (): void => {
    const writes = this.#queue.splice(0, MOST);
    if (this.#queue.length > 0) macrotask(this.#flush);
    if (writes.length === 0) return; // close() was faster
    if (this.#commit(writes)) return;
    for (const write of writes) this.#commit([write]);
  };

  /** @returns `false` if one of several writes has failed, so that none took effect. */
  #commit(writes: readonly Write[]): boolean {
    let failed: unknown;
    let running = false;
    this.#version = undefined;
    try {
      this.#statements.begin.run();
      for (const write of writes) {
        running = true;
        try {
          write.run();
        } catch (error) {
          if (!(error instanceof WorkflowError)) throw error;
          write.error = error;
        }
        running = false;
      }
      this.#checkFiles();
      this.#statements.commit.run();
    } catch (error) {
      failed = failure("write to the store", error);
      try {
        this.#statements.rollback.run();
      } catch {
        // SQLite has rolled it back, or it did not begin
      }
      for (const write of writes) write.error = undefined;
      if (running && writes.length > 1) return false;
    }
    const version = this.#version;
    if (failed === undefined && version !== undefined) this.#changed(version);
    for (const write of writes) {
      const error = failed ?? write.error;
      if (error === undefined) write.committed();
      else write.rejected(error);
    }
    return true;
  }
}
