/**
 * A shop in an SQLite file. As a program: the process of `sqlite_transactional_kill_test.ts`, `sqlite_ledger.ts FILE ROUND`.
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import { SqliteStore, type SqliteTransaction } from "@rockpool/workflow/sqlite";
import { orderUntilKilled, type Shop } from "./ledger.ts";

/** Opens the file, and makes the ledger in it if it is new. */
export async function openShop(path: string): Promise<Shop> {
  const store = await SqliteStore.open(path);
  const db = new DatabaseSync(path);
  db.exec("CREATE TABLE IF NOT EXISTS ledger (id INTEGER PRIMARY KEY, what TEXT NOT NULL)");
  const charge = store.transactional(function charge(tx: SqliteTransaction, what: string) {
    return Number(tx.prepare("INSERT INTO ledger (what) VALUES (?)").run(what).lastInsertRowid);
  });
  return {
    store,
    charge,
    ledger: () => Promise.resolve(db.prepare("SELECT what FROM ledger").all().map(({ what }) => what as string)),
    async [Symbol.asyncDispose]() {
      db.close();
      await store.close();
    },
  };
}

if (import.meta.main) await orderUntilKilled(await openShop(Deno.args[0]), Deno.args[1]);
