/**
 * The storage of a Durable Object on `node:sqlite`, for tests outside of workerd. It has no alarm.
 *
 * @module
 */

import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import type { ObjectStorage } from "@rockpool/workflow/durable-object";

/** What the platform gives for a row: bytes are an `ArrayBuffer`. */
const toPlatform = (row: Record<string, unknown>) =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, value instanceof Uint8Array ? value.slice().buffer : value]),
  );

/** Makes an empty storage. */
export function objectStorage(): ObjectStorage {
  const db = new DatabaseSync(":memory:");
  return {
    sql: {
      exec(query, ...bindings) {
        const isScript = bindings.length === 0 && !/^\s*SELECT/.test(query);
        if (isScript) db.exec(query);
        const rows = isScript ? [] : db.prepare(query).all(...bindings as SQLInputValue[]).map(toPlatform);
        return { toArray: () => rows };
      },
    },
    transactionSync<T>(closure: () => T): T {
      db.exec("BEGIN");
      try {
        const result = closure();
        db.exec("COMMIT");
        return result;
      } catch (error) {
        db.exec("ROLLBACK");
        throw error;
      }
    },
  };
}
