/**
 * The clients and the server of the tests on Postgres. `tools/postgres.ts` starts the server and sets the environment:
 *
 * - `POSTGRES_URL`: the server.
 * - `POSTGRES_MODULES`: the `node_modules` with postgres.js and pg.
 * - `POSTGRES_CLIENT`: which of them: `postgres` or `pg`.
 * - `POSTGRES_BIN`: the folder with the programs of Postgres, for tests that stop a server of their own.
 * - `POSTGRES_POOLER`: present if the server is reached through a pooler.
 *
 * @module
 */

import { createRequire } from "node:module";
import type { WorkflowStore } from "@rockpool/workflow";
import { PostgresStore, type PostgresStoreOptions } from "@rockpool/workflow/postgres";

// A client that has ended may keep a timer for a moment, which is not ours to clear. Deno counts timers as resources.
Deno.test.sanitizer?.({ ops: false, resources: false });

// deno-lint-ignore no-explicit-any -- the types of the packages are not there when this module is checked
type Anything = any;

export const url = Deno.env.get("POSTGRES_URL")!;
export const clientName = Deno.env.get("POSTGRES_CLIENT") as "postgres" | "pg";
const isPooled = Deno.env.get("POSTGRES_POOLER") !== undefined;
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
    // As its documentation says for a pooler: it does not recover when a pooler does not know the name of a statement.
    const prepare = !isPooled;
    const backoff = () => 0.1; // seconds before it connects again; by default up to 20
    const sql = postgres(to, { max, prepare, backoff, onnotice() {} });
    return {
      client: sql,
      sql: async (text) => values(await sql.unsafe(text)),
      insert: (text, params) => sql.unsafe(text, params, { prepare: true }),
      [Symbol.asyncDispose]: () => sql.end({ timeout: 10 }), // seconds: a connection that is destroyed leaves timers
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

/** Opens a store in a new schema. */
export function openStore(options: OpenOptions = {}): Promise<OpenStore> {
  return openSchema(`test_${crypto.randomUUID()}`, options);
}

/** Opens the schema of a store once more, on connections of its own. */
export function openAgain(store: WorkflowStore, options: OpenOptions = {}): Promise<OpenStore> {
  return openSchema((store as OpenStore).schema, options);
}

/** Options of the store, and how to connect. */
export interface OpenOptions extends Omit<PostgresStoreOptions, "schema"> {
  readonly connect?: ConnectOptions | undefined;
}

/** Opens a store in a schema. */
export async function openSchema(schema: string, { connect: to, ...options }: OpenOptions = {}): Promise<OpenStore> {
  const connection = await connect(to);
  try {
    const store = await PostgresStore.open(connection.client, { schema, ...options });
    return Object.assign(store, {
      schema,
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

/** Waits until something is true. Fails after three minutes. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 180_000;
  while (!await condition()) {
    if (Date.now() > end) throw new Error(`Expected within three minutes: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
