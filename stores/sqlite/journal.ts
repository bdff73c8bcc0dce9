/**
 * The journal mode of a database file.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";

/** How often a change of the mode is tried: another connection may be opened between two tries. */
const MOST_TRIES = 50;

/**
 * Changes to the write-ahead log, and holds the shared lock that the log is in use: from then on no process can leave it. SQLite does
 * not wait for a lock when it changes the mode, so this does: another process may be opening the file at the same moment.
 *
 * @returns The mode after that: it is another one if the file cannot have a write-ahead log.
 */
export function enterWal(db: DatabaseSync): string {
  const mode = (text: string) => (db.prepare(text).get() as { journal_mode: string }).journal_mode;
  for (let tries = 1;; tries++) {
    try {
      const found = mode("PRAGMA journal_mode = WAL");
      if (found !== "wal") return found;
      db.prepare("SELECT 1 FROM sqlite_schema").get(); // only a read takes the lock
      const held = mode("PRAGMA journal_mode"); // another one if a process has left the log before the read
      if (held === "wal" || tries === MOST_TRIES) return held;
    } catch (error) {
      if (tries === MOST_TRIES || !/database is locked/.test((error as Error).message)) throw error;
      db.exec("BEGIN EXCLUSIVE"); // waits until the file is free, up to the busy timeout
      db.exec("COMMIT");
    }
  }
}
