/**
 * The client of a database, as a store sees it, and the clients that fit without an adapter of the user.
 *
 * Every statement of the store takes texts and returns one text for each row. So it does not matter how a client converts types,
 * or whether it changes the names of columns.
 *
 * @module
 */

import { cannot } from "../../util/check.ts";
import { hash } from "../../util/prng.ts";
import { show } from "../../util/show.ts";
import { stateOf } from "./failure.ts";
import { withLiterals } from "./literal.ts";

/**
 * Runs statements in a Postgres database. Two methods, for a client that {@linkcode PostgresStore.open} does not know.
 *
 * @category Store
 *
 * @example
 * ```ts
 * import type { PostgresClient } from "@rockpool/workflow/postgres";
 *
 * // As the pools of `@db/postgres` on JSR work.
 * interface Pool {
 *   connect(): Promise<
 *     Disposable & { queryObject(text: string, args: unknown[]): Promise<{ rows: Record<string, unknown>[] }> }
 *   >;
 * }
 * const toClient = (pool: Pool): PostgresClient => ({
 *   async query(text, params) {
 *     using connection = await pool.connect();
 *     return (await connection.queryObject(text, [...params])).rows;
 *   },
 * });
 * ```
 */
export interface PostgresClient {
  /**
   * Runs one statement, on any connection. Several calls may run at once. A call rejects if Postgres refuses the statement, with
   * the SQLSTATE as `code` of the error.
   *
   * @param text The statement. Its parameters are `$1`, `$2`, …
   * @param params Texts; none for statements that a client must send without parameters.
   * @returns The rows. The first property of each is a text.
   */
  query(text: string, params: readonly string[]): PromiseLike<readonly object[]>;
  /**
   * Optional. Listens to a channel on a connection of its own. Without it, the store finds the changes of others by looking every
   * `pollMs`. A notification that is lost costs time only: the store looks anyway.
   *
   * @param channel A name of letters, digits and underscores.
   * @param notified Is called with the payload of each notification, and with an empty text after the connection was broken and
   * listens again.
   * @param lost Is called when the connection is broken and does not listen again by itself.
   * @returns Ends it.
   */
  listen?(channel: string, notified: (payload: string) => void, lost: () => void): PromiseLike<() => unknown>;
  /**
   * Optional. Runs `body` in a transaction: commits when its promise resolves; rolls back, and rejects with its error, when it
   * rejects. Without it, there are no {@linkcode PostgresStore.transactional} activities.
   *
   * @param body Must be called once, with a connection that nobody else uses meanwhile.
   * @returns Settles after the commit.
   */
  transaction?(body: (transaction: PostgresTransaction) => Promise<void>): PromiseLike<unknown>;
}

/**
 * A transaction on one connection.
 *
 * @category Store
 */
export interface PostgresTransaction {
  /** Runs a statement in it, as {@linkcode PostgresClient.query} does. */
  query(text: string, params: readonly string[]): PromiseLike<readonly object[]>;
  /** What the function of a transactional activity gets: an object or a function of the client. */
  readonly tx: object;
}

/**
 * What the store needs of an `sql` of postgres.js, or of Bun's `SQL`.
 *
 * @category Store
 */
export interface PostgresJs {
  /** Runs a statement. */
  unsafe(text: string, params?: string[], options?: { prepare?: boolean }): PromiseLike<readonly object[]>;
  /** Listens to a channel. */
  listen?(
    channel: string,
    notified: (payload: string) => void,
    listening?: () => void,
  ): PromiseLike<{ unlisten(): unknown }>;
  /** Runs `body` in a transaction. */
  begin?(body: (sql: PostgresJsTransaction) => Promise<void>): PromiseLike<unknown>;
  /** Its options. With `prepare: false` statements have no names, as a pooler may need it. */
  readonly options?: { readonly prepare?: boolean };
}

/**
 * What the store needs of a transaction of a {@linkcode PostgresJs}.
 *
 * @category Store
 */
export interface PostgresJsTransaction {
  /** Runs a statement. */
  unsafe(text: string, params?: string[], options?: { prepare?: boolean }): PromiseLike<readonly object[]>;
}

/**
 * A statement of a {@linkcode PgPool}.
 *
 * @category Store
 */
export interface PgStatement {
  /** The statement. */
  text: string;
  /** Its parameters. */
  values?: string[];
  /** The name under which a connection keeps it. */
  name?: string;
}

/**
 * What the store needs of a `Pool` of the package `pg`.
 *
 * @category Store
 */
export interface PgPool {
  /** Runs a statement. */
  query(statement: PgStatement): PromiseLike<{ readonly rows: readonly object[] }>;
  /** Takes a connection out of the pool. */
  connect(): PromiseLike<PgConnection>;
  /** Adds a listener for the errors of idle connections. */
  on(event: "error", listener: (error: Error) => void): unknown;
  /** How many listeners an event has. */
  listenerCount(event: "error"): number;
}

/**
 * What the store needs of a connection of a {@linkcode PgPool}.
 *
 * @category Store
 */
export interface PgConnection {
  /** Runs a statement. */
  query(statement: PgStatement): PromiseLike<unknown>;
  /** Adds a listener. */
  on(event: "notification" | "error" | "end", listener: (message: { readonly payload?: string }) => void): unknown;
  /** Removes a listener. */
  removeListener(event: "error", listener: () => void): unknown;
  /** Gives the connection back; with `true` it is closed. */
  release(destroy?: boolean): void;
}

/**
 * Makes a client of what a user passes.
 *
 * @throws {TypeError} If it is none of the clients that are known.
 */
export function toClient(client: PostgresClient | PostgresJs | PgPool, action: string): PostgresClient {
  const given = client as Partial<PostgresJs & PgPool> | null | undefined;
  if (typeof given?.unsafe === "function") return fromPostgresJs(given as PostgresJs);
  if (typeof given?.query === "function") {
    const isPool = typeof given.connect === "function" && typeof given.listenerCount === "function";
    return isPool ? fromPg(given as PgPool) : client as PostgresClient;
  }
  const wanted = `"client" must be an sql of postgres.js, a Pool of pg, or an object with a method "query"`;
  throw new TypeError(`${cannot(action)}: ${wanted}, got ${show(client)}`);
}

/**
 * Statements have names, so that Postgres plans each once for a connection. A pooler may give every statement another connection,
 * where the name is not known, or is known already: then nothing was executed, and statements have no names from then on.
 */
function named(
  run: (text: string, params: string[], name: boolean) => PromiseLike<readonly object[]>,
  name: boolean,
): PostgresClient["query"] {
  return async (text, params) => {
    const tried = name && params.length > 0;
    try {
      return await run(text, [...params], tried);
    } catch (error) {
      if (!tried || !["26000", "42P05"].includes(stateOf(error)!)) throw error;
      name = false;
      return await run(text, [...params], false);
    }
  };
}

function fromPostgresJs(sql: PostgresJs): PostgresClient {
  const query = sql.options?.prepare === false
    // As literals: postgres.js would ask for the types of parameters first, and a pooler loses the question behind another statement.
    ? (text: string, params: readonly string[]) => sql.unsafe(params.length === 0 ? text : withLiterals(text, params))
    : named(
      (text, params, prepare) => params.length === 0 ? sql.unsafe(text) : sql.unsafe(text, params, { prepare }),
      true,
    );
  const transaction: PostgresClient["transaction"] = (body) =>
    sql.begin!((tx) => body({ query: (text, params) => tx.unsafe(text, [...params], { prepare: false }), tx }));
  const client = typeof sql.begin === "function" ? { query, transaction } : { query };
  if (typeof sql.listen !== "function") return client;
  return {
    ...client,
    async listen(channel, notified) {
      let first = true;
      const listening = () => {
        if (!first) notified(""); // it was broken meanwhile
        first = false;
      };
      const { unlisten } = await sql.listen!(channel, notified, listening);
      return unlisten;
    },
  };
}

/** Other processes behind the same pooler may give a name to another text, so it follows from the text. */
function nameOf(text: string): string {
  return `rockpool_${[0x811c9dc5, 0x9e3779b9].map((basis) => hash(text, basis).toString(36)).join("_")}`;
}

function fromPg(pool: PgPool): PostgresClient {
  // Without a listener, an idle connection that breaks ends the process.
  if (pool.listenerCount("error") === 0) pool.on("error", () => {});
  const run = async (text: string, values: string[], name: boolean) =>
    (await pool.query({ text, values, ...(name && { name: nameOf(text) }) })).rows;
  return {
    query: named(run, true),
    transaction: (body) => inTransaction(pool, body),
    async listen(channel, notified, lost) {
      const connection = await pool.connect();
      let open = true;
      const end = () => {
        if (!open) return;
        open = false;
        try {
          connection.release(true);
        } catch {
          // it is broken
        }
      };
      const broken = () => {
        if (!open) return;
        end();
        lost();
      };
      try {
        connection.on("notification", ({ payload = "" }) => notified(payload));
        connection.on("error", broken);
        connection.on("end", broken);
        await connection.query({ text: `LISTEN ${channel}` });
      } catch (error) {
        end();
        throw error;
      }
      return end;
    },
  };
}

/** Runs a transaction on a connection of a pool. A connection whose state is not known is closed. */
async function inTransaction(pool: PgPool, body: (transaction: PostgresTransaction) => Promise<void>): Promise<void> {
  const connection = await pool.connect();
  const ignore = () => {}; // statements reject when the connection breaks; without a listener it would end the process
  connection.on("error", ignore);
  let isUnknown = true;
  try {
    await connection.query({ text: "BEGIN" });
    try {
      const query = async (text: string, values: readonly string[]) =>
        (await connection.query({ text, values: [...values] }) as { readonly rows: readonly object[] }).rows;
      await body({ query, tx: connection });
    } catch (error) {
      await connection.query({ text: "ROLLBACK" }).then(() => isUnknown = false, () => {});
      throw error;
    }
    await connection.query({ text: "COMMIT" });
    isUnknown = false;
  } finally {
    connection.release(isUnknown); // first: whatever happens, the pool gets it back
    connection.removeListener("error", ignore);
  }
}
