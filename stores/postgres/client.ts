/**
 * The client of a database, as a store sees it, and the clients that fit without an adapter of the user.
 *
 * Every statement of the store takes texts and returns one text for each row. So it does not matter how a client converts types,
 * or whether it changes the names of columns.
 *
 * @module
 */

import { cannot } from "../../util/check.ts";
import { show } from "../../util/show.ts";

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
  /** Its options. With `prepare: false` statements have no names, as a pooler may need it. */
  readonly options?: { readonly prepare?: boolean };
}

/**
 * What the store needs of a `Pool` of the package `pg`.
 *
 * @category Store
 */
export interface PgPool {
  /** Runs a statement. */
  query(text: string, params?: string[]): PromiseLike<{ readonly rows: readonly object[] }>;
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
  query(text: string): PromiseLike<unknown>;
  /** Adds a listener. */
  on(event: "notification" | "error" | "end", listener: (message: { readonly payload?: string }) => void): unknown;
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

function fromPostgresJs(sql: PostgresJs): PostgresClient {
  const prepare = sql.options?.prepare ?? true;
  const query: PostgresClient["query"] = (text, params) =>
    params.length === 0 ? sql.unsafe(text) : sql.unsafe(text, [...params], { prepare });
  if (typeof sql.listen !== "function") return { query };
  return {
    query,
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

function fromPg(pool: PgPool): PostgresClient {
  // Without a listener, an idle connection that breaks ends the process.
  if (pool.listenerCount("error") === 0) pool.on("error", () => {});
  return {
    query: async (text, params) =>
      (params.length === 0 ? await pool.query(text) : await pool.query(text, [...params])).rows,
    async listen(channel, notified, lost) {
      const connection = await pool.connect();
      let open = true;
      const end = () => {
        if (!open) return;
        open = false;
        connection.release(true);
      };
      const broken = () => {
        if (!open) return;
        end();
        lost();
      };
      connection.on("notification", ({ payload = "" }) => notified(payload));
      connection.on("error", broken);
      connection.on("end", broken);
      try {
        await connection.query(`LISTEN ${channel}`);
      } catch (error) {
        end();
        throw error;
      }
      return end;
    },
  };
}
