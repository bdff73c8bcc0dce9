/**
 * The connection of an `SqliteStore`, for what only the connection tells.
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import { SqliteStore, type SqliteStoreOptions } from "@rockpool/workflow/sqlite";

/** Opens a store, and returns the connection it uses. */
export async function openWithConnection(
  path: string,
  options: SqliteStoreOptions = {},
): Promise<{ store: SqliteStore; db: DatabaseSync }> {
  const { exec } = DatabaseSync.prototype;
  let db: DatabaseSync | undefined;
  DatabaseSync.prototype.exec = function (text) {
    db = this;
    exec.call(this, text);
  };
  try {
    const store = await SqliteStore.open(path, options);
    return { store, db: db! };
  } finally {
    DatabaseSync.prototype.exec = exec;
  }
}
