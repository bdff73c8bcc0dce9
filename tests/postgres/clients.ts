/**
 * The clients and the server of the tests on Postgres. `tools/postgres.ts` starts the server and sets the environment:
 *
 * - `POSTGRES_URL`: the server.
 * - `POSTGRES_MODULES`: the `node_modules` with postgres.js and pg.
 * - `POSTGRES_CLIENT`: which of them: `postgres` or `pg`.
 *
 * @module
 */

import { createRequire } from "node:module";
import type { WorkflowStore } from "@rockpool/workflow";
import { PostgresStore, type PostgresStoreOptions } from "@rockpool/workflow/postgres";

// deno-lint-ignore no-explicit-any -- the types of the packages are not there when this module is checked
type Anything = any;

export const url = Deno.env.get("POSTGRES_URL")!;
export const clientName = Deno.env.get("POSTGRES_CLIENT") as "postgres" | "pg";
const installed = Deno.env.get("POSTGRES_MODULES")!;

/** A client, and how to end it. */
export interface Client extends AsyncDisposable {
  /** What `PostgresStore.open` takes. */
  readonly client: Anything;
  /** Runs a statement, and returns the first values of its rows. */
  sql(text: string): Promise<unknown[]>;
  /** Runs a statement with parameters, as a program with this client does. */
  insert(text: string, params: string[]): Promise<unknown>;
}

/** How to connect. */
export interface ConnectOptions {
  readonly url?: string | undefined;
  readonly name?: "postgres" | "pg" | undefined;
  readonly modules?: string | undefined;
  /** The most connections. */
  readonly max?: number | undefined;
}

/** Connects with the client that is tested. */
export async function connect(options: ConnectOptions = {}): Promise<Client> {
  const { url: to = url, name = clientName, modules = installed, max = 4 } = options;
  const values = (rows: object[]) => rows.map((row) => Object.values(row)[0]);
  if (name === "postgres") {
    const { default: postgres } = await import(`file://${modules}/postgres/src/index.js`);
    const sql = postgres(to, { max, onnotice() {} });
    return {
      client: sql,
      sql: async (text) => values(await sql.unsafe(text)),
      insert: (text, params) => sql.unsafe(text, params, { prepare: true }),
      [Symbol.asyncDispose]: () => sql.end({ timeout: 1 }),
    };
  }
  const { Pool } = createRequire(`${modules}/package.json`)("pg");
  const pool = new Pool({ connectionString: to, max });
  return {
    client: pool,
    sql: async (text) => values((await pool.query(text)).rows),
    insert: (text, params) => pool.query({ name: "insert", text, values: params }),
    [Symbol.asyncDispose]: () => pool.end(),
  };
}

/** A store with a client of its own, and its schema. They are disposed of together. */
export type OpenStore = PostgresStore & { readonly schema: string; readonly connection: Client };

let count = 0;

/** Opens a store in a new schema. */
export function openStore(options: PostgresStoreOptions & { max?: number } = {}): Promise<OpenStore> {
  return open({ schema: `test_${Deno.pid}_${count++}`, ...options });
}

/** Opens the schema of a store once more, on connections of its own. */
export function openAgain(store: WorkflowStore, options: PostgresStoreOptions = {}): Promise<OpenStore> {
  return open({ schema: (store as OpenStore).schema, ...options });
}

async function open({ schema, max = 4, ...options }: PostgresStoreOptions & { max?: number }): Promise<OpenStore> {
  const connection = await connect({ max });
  try {
    const store = await PostgresStore.open(connection.client, { schema, ...options });
    return Object.assign(store, {
      schema: schema!,
      connection,
      async [Symbol.asyncDispose]() {
        await store.close();
        await connection[Symbol.asyncDispose]();
      },
    });
  } catch (error) {
    await connection[Symbol.asyncDispose]();
    throw error;
  }
}
