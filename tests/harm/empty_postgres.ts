/**
 * Clients that answer as a database with the schema of a store, in which nothing is stored: the walks need no server.
 *
 * @module
 */

import type { PgConnection, PgPool, PostgresClient, PostgresJs } from "@rockpool/workflow/postgres";

/** What the database answers to a statement. */
export function answer(text: string): Promise<{ row: string }[]> {
  const rows = text.includes("server_version_num")
    ? [`{"release":18,"encoding":"UTF8","has":true}`]
    : text.includes("SELECT version::text")
    ? ["1"]
    : text.includes("pg_current_snapshot()")
    ? [`["1:1:",1,null]`]
    : text.includes("'transaction', pg_current_xact_id()")
    ? [`{"transaction":"1","status":"running","fence":0,"has":false,"result":null,"codec":null}`]
    : text.includes("json_build_array(EXISTS")
    ? ["[true,true,true]"]
    : text.includes("UPDATE") || text.includes("json_to_recordset")
    ? ["[0,1]"]
    : [];
  return Promise.resolve(rows.map((row) => ({ row })));
}

export const emptyClient = (part: Partial<PostgresClient> = {}): PostgresClient => ({ query: answer, ...part });

export const emptyPostgresJs = (part: Partial<PostgresJs>): PostgresJs => ({ unsafe: answer, ...part });

export const emptyPool = (part: Partial<PgPool>): PgPool => ({
  query: async ({ text }) => ({ rows: await answer(text) }),
  connect: () => Promise.resolve(emptyConnection({})),
  on() {},
  listenerCount: () => 0,
  ...part,
});

export const emptyConnection = (part: Partial<PgConnection>): PgConnection => ({
  query: () => Promise.resolve(),
  on() {},
  removeListener() {},
  release() {},
  ...part,
});
