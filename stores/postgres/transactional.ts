/**
 * Transactional activities: what the function of a user writes to the database and its result are one transaction.
 *
 * 1. A result is stored under its idempotency key if and only if the transaction of its function was committed. The unique key
 *    guarantees it. A lock lets a second attempt wait, so that it does not work in vain.
 * 2. The row of the run is locked after the function, and only until the commit: a function that never ends holds up nothing but
 *    its own call and one connection. With the lock nobody can end, replace or delete the run before the commit.
 * 3. A function that goes on after its transaction is over cannot write: the client that it has throws.
 *
 * @module
 */

import type { ActivityContext } from "../../activity.ts";
import { escapeText } from "../../storage/mod.ts";
import {
  checkTransactionRun,
  inTransaction,
  storedResult,
  transactionalActivity,
  type TransactionRun,
} from "../../storage/transactional.ts";
import { abortable } from "../../util/abortable.ts";
import { cannot } from "../../util/check.ts";
import { adopt, isThenable } from "../../util/deferred.ts";
import type { PostgresClient, PostgresTransaction } from "./client.ts";
import type { Columns } from "./columns.ts";
import { failure, isTransient } from "./failure.ts";
import type { Names } from "./schema.ts";
import { hash } from "./literal.ts";
import { backOff } from "./writes.ts";

/** A run, and the result if it is stored. */
interface Found extends TransactionRun {
  /** The transaction that has read it. */
  readonly transaction: string;
  readonly has: boolean;
  readonly result: string | null;
  readonly codec: string | null;
}

/** How often a transaction is repeated that was rolled back because of others. */
const MOST_TRIES = 10;

/** An error that the caller gets as it is. */
class Own {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

/** Another attempt has stored a result meanwhile. */
const OVERTAKEN = /* @__PURE__ */ new Error("another attempt has stored a result");

export class Transactional {
  readonly #client: PostgresClient;
  readonly #columns: Columns;
  /** Throws if the store is closed. */
  readonly #check: (action: string) => void;
  readonly #find: string;
  readonly #insert: string;

  constructor(client: PostgresClient, { of }: Names, columns: Columns, check: (action: string) => void) {
    this.#client = client;
    this.#columns = columns;
    this.#check = check;
    const run = `w.key = ${hash("$1::text")} AND w.run_id = $2::text`;
    this.#find =
      `SELECT json_build_object('transaction', pg_current_xact_id()::text, 'status', w.status, 'fence', w.fence,
      'has', r.key IS NOT NULL, 'result', r.result, 'codec', r.codec)::text AS row
      FROM ${of("workflows")} w LEFT JOIN ${of("results")} r ON r.history = w.history AND r.key = ${hash("$3::text")}
      WHERE ${run}`;
    this.#insert = `WITH
      same AS (SELECT FROM (SELECT pg_current_xact_id()::text AS id) t WHERE id = $7::text),
      run AS (SELECT w.history FROM ${
      of("workflows")
    } w WHERE ${run} AND w.status = 'running' AND w.fence <= $4::text::bigint
        FOR SHARE),
      added AS (INSERT INTO ${of("results")} (history, key, result, codec)
        SELECT history, ${
      hash("$3::text")
    }, nullif($5::text, ''), nullif($6::text, '') FROM run WHERE EXISTS (SELECT FROM same)
        ON CONFLICT DO NOTHING RETURNING 1)
      SELECT json_build_array(EXISTS (SELECT FROM same), EXISTS (SELECT FROM run), EXISTS (SELECT FROM added))::text AS row`;
  }

  activity<Tx, Input, Output>(
    fn: (tx: Tx, input: Input, context: ActivityContext) => Output | PromiseLike<Output>,
  ): (input: Input, context: ActivityContext) => Promise<Output> {
    const made = transactionalActivity(fn, async (name, input: Input, context) => {
      this.#check(inTransaction(name));
      return await this.#run(name, context, (tx) => fn(tx as Tx, input, context)) as Output;
    });
    if (typeof this.#client.transaction === "function") return made;
    const way = 'open the store with an sql of postgres.js, a Pool of pg, or a client with a method "transaction"';
    throw new TypeError(
      `${cannot("make a transactional activity")}: the client of the store has no transactions; ${way}`,
    );
  }

  async #run(name: string, context: ActivityContext, call: (tx: object) => unknown): Promise<unknown> {
    for (let attempt = 1;; attempt++) {
      let own: Own | undefined;
      let result: unknown;
      try {
        await this.#client.transaction!(async (transaction) => {
          try {
            result = await this.#inTransaction(transaction, name, context, call);
          } catch (error) {
            if (error instanceof Own) own = error;
            throw own === undefined ? error : own.error;
          }
        });
        return result;
      } catch (error) {
        if (own !== undefined) throw own.error;
        const isOfOthers = error === OVERTAKEN || isTransient(error);
        if (!isOfOthers || attempt === MOST_TRIES) throw failure(inTransaction(name), error);
        await backOff(attempt);
      }
    }
  }

  /** Returns the stored result, or calls the function and stores its result. */
  async #inTransaction(
    { query, tx }: PostgresTransaction,
    name: string,
    context: ActivityContext,
    call: (tx: object) => unknown,
  ): Promise<unknown> {
    const { idempotencyKey, workflowId, runId, fence, signal } = context;
    const key = escapeText(idempotencyKey);
    const ids = [escapeText(workflowId), escapeText(runId), key];
    const find = async () => (await read<Found>(query(this.#find, ids)))[0];
    // A statement of its own: the next one must see what the one who had the lock has committed.
    await query("SELECT pg_advisory_xact_lock(hashtextextended($1::text, 0))::text AS row", [key]);
    const found = await find();
    if (found?.has) {
      if (found.result === null) return undefined;
      return await own(() => this.#columns.decode(found.result!, found.codec, workflowId));
    }
    await own(() => {
      checkTransactionRun(found, name, context);
      signal.throwIfAborted();
    });
    const stored = await own(async () => {
      const guard = new Guard(inTransaction(name));
      try {
        const answer = call(guard.of(tx));
        return storedResult(isThenable(answer) ? await abortable(adopt(answer), signal) : answer, name);
      } finally {
        guard.isOver = true;
      }
    });
    const [payload] = await own(async () => await this.#columns.encode(workflowId, stored));
    await own(() => signal.throwIfAborted());
    const values = [...ids, `${fence}`, payload ?? "", this.#columns.codec ?? "", found.transaction];
    const [[isSame, runs, added]] = await read<[boolean, boolean, boolean]>(query(this.#insert, values));
    if (added) return stored;
    if (!isSame) {
      const why = "the function ended its transaction: what it wrote before is stored, its result is not";
      throw new Own(new Error(`${cannot(inTransaction(name))}: ${why}`));
    }
    if (!runs) {
      const now = await find();
      await own(() => checkTransactionRun(now, name, context));
    }
    throw OVERTAKEN;
  }
}

/** The rows of a statement. */
async function read<T>(rows: PromiseLike<readonly object[]>): Promise<T[]> {
  return (await rows).map((row) => JSON.parse(Object.values(row)[0]));
}

/** Does what throws errors for the caller. */
async function own<T>(body: () => T): Promise<Awaited<T>> {
  try {
    return await body();
  } catch (error) {
    throw new Own(error);
  }
}

/** Hands out the client of a transaction as long as the transaction lasts. */
class Guard {
  readonly #action: string;
  isOver = false;

  constructor(action: string) {
    this.#action = action;
  }

  of(tx: object): object {
    const open = <T>(value: T): T => {
      if (this.isOver) throw new Error(`${cannot(this.#action)}: the transaction is over`);
      return value;
    };
    const bound = new Map<unknown, unknown>();
    // A proxy must return the properties of a frozen target as they are, so the target has none of its own.
    return new Proxy(typeof tx === "function" ? tx : Object.create(tx), {
      apply: (_, __, args) => Reflect.apply(open(tx as () => unknown), undefined, args),
      get(_, name) {
        const value = Reflect.get(open(tx), name, tx);
        if (typeof value !== "function" || name === "constructor") return value;
        // A method that is kept must not outlast the transaction either. They are called on the client itself: it may have private fields.
        const method = bound.get(value) ?? ((...args: unknown[]) => Reflect.apply(open(value), tx, args));
        bound.set(value, method);
        return method;
      },
    });
  }
}
