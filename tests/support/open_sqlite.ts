/**
 * Opens a store in an SQLite file, for processes that share it.
 *
 * @module
 */

import { SqliteStore } from "@rockpool/workflow/sqlite";

/** @param path The path of the file. */
export function openStore(path: string, leaseMs: number): Promise<SqliteStore> {
  return SqliteStore.open(path, { leaseMs, pollMs: 10, busyTimeoutMs: 250 });
}
