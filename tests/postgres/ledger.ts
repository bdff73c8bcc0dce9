/**
 * A shop in a schema. As a program: the process that `transactional.ts` kills, `ledger.ts SCHEMA ROUND`.
 *
 * @module
 */

import { orderUntilKilled, type Shop } from "../support/ledger.ts";
import { openSchema } from "./clients.ts";

/** The transaction of postgres.js, or the connection of pg. */
export interface Tx {
  unsafe?(text: string): Promise<object[]>;
  query?(text: string): Promise<{ rows: object[] }>;
}

/** Runs a statement in a transaction. */
export async function run(tx: Tx, text: string): Promise<object[]> {
  return tx.unsafe === undefined ? (await tx.query!(text)).rows : await tx.unsafe(text);
}

/** Opens the schema, and makes the ledger in it if it is new. */
export async function openShop(schema: string): Promise<Shop> {
  const store = await openSchema(schema);
  await store.connection.sql(
    `CREATE TABLE IF NOT EXISTS "${schema}".ledger (id serial PRIMARY KEY, what text NOT NULL)`,
  );
  const charge = store.transactional(async function charge(tx: Tx, what: string) {
    const rows = await run(tx, `INSERT INTO "${schema}".ledger (what) VALUES ('${what}') RETURNING id`);
    return Number(Object.values(rows[0])[0]);
  });
  return {
    store,
    charge,
    ledger: async () => await store.connection.sql(`SELECT what FROM "${schema}".ledger`) as string[],
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

if (import.meta.main) await orderUntilKilled(await openShop(Deno.args[0]), Deno.args[1]);
