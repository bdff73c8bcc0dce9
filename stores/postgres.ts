/**
 * A store in a Postgres database: workflows survive the end of the process, and processes on many machines share them.
 *
 * The client is an argument: an `sql` of postgres.js, a `Pool` of pg, or an object with a method `query`. The database is Postgres 13
 * or newer. All writes of a macrotask are one statement.
 *
 * (Half of this file is doc comments. What a row means is in `postgres/rows.ts`, how rows are read in `reads.ts`, what is written in
 * `to_write.ts`.)
 *
 * 1. A write is committed when its promise settles. What that is worth is the setting `synchronous_commit` of the database.
 * 2. A conflict, or a write that Postgres refuses, fails its own append only.
 * 3. An append writes one row, whatever the length of the history is. Lists of heads read no history.
 * 4. Nothing belongs to a connection: every call is one statement (a transactional activity: one transaction), so a pooler such as
 *    PgBouncer may give each its own connection.
 *
 * @example
 * ```ts ignore
 * import postgres from "postgres";
 * import { Executor } from "@rockpool/workflow";
 * import { PostgresStore } from "@rockpool/workflow/postgres";
 *
 * const sql = postgres("postgres://localhost/orders");
 * await using store = await PostgresStore.open(sql);
 * await using executor = new Executor({ store, workflows: { order } });
 * await executor.recover();
 * ```
 *
 * @module
 */

import type { ActivityContext } from "../activity.ts";
import type {
  AppendBatch,
  ClaimedRun,
  ClaimOptions,
  Delivery,
  DeliveryReceipt,
  HeadPage,
  PageOptions,
  StoreListener,
  WorkflowFilter,
  WorkflowHead,
  WorkflowState,
  WorkflowStateInit,
  WorkflowStore,
  WorkflowTail,
} from "../types.ts";
import type { WorkflowPage } from "../store.ts";
import {
  applyToHead,
  batchKind,
  checkLease,
  checkLoadSince,
  checkOwner,
  escapeText,
  expectedHead,
  leaseLost,
  Listeners,
  type PayloadCodec,
  type PruneOptions,
  readBatch,
  readClaim,
  readDelivery,
  readFilter,
  readId,
  readPage,
  readPrune,
  readRelease,
  readState,
  unescapeText,
  unreadable,
} from "../storage/mod.ts";
import { addListener } from "../storage/listeners.ts";
import { cannot, checkNumber, checkOptions } from "../util/check.ts";
import { Changes } from "./postgres/changes.ts";
import {
  type PgConnection,
  type PgPool,
  type PgStatement,
  type PostgresClient,
  type PostgresJs,
  type PostgresJsTransaction,
  type PostgresTransaction,
  toClient,
} from "./postgres/client.ts";
import { Columns } from "./postgres/columns.ts";
import { type Deleted, deleteStatement } from "./postgres/delete_statement.ts";
import { Deliveries } from "./postgres/deliveries.ts";
import { failure } from "./postgres/failure.ts";
import { claimStatement, releaseStatement, renewStatement } from "./postgres/leases.ts";
import { Reads } from "./postgres/reads.ts";
import { type Row, stubOf } from "./postgres/rows.ts";
import { checkSchema, migrate, type Names, namesOf } from "./postgres/schema.ts";
import { Transactional } from "./postgres/transactional.ts";
import { writeOfBatch, writesOfState } from "./postgres/to_write.ts";
import { hash } from "./postgres/literal.ts";
import { Writes } from "./postgres/writes.ts";

export type {
  PgConnection,
  PgPool,
  PgStatement,
  PostgresClient,
  PostgresJs,
  PostgresJsTransaction,
  PostgresTransaction,
  PruneOptions,
};

/**
 * Options of {@linkcode PostgresStore.open}.
 *
 * @category Store
 */
export interface PostgresStoreOptions {
  /**
   * The schema of the tables. It is created if it is missing. Each schema is a store of its own. The tables begin with `rockpool_`, so
   * the schema may hold tables of the user.
   *
   * @default {"rockpool"}
   */
  readonly schema?: string | undefined;
  /**
   * How often the store looks for changes of other processes while it has listeners, in milliseconds, above 0. A client that can
   * `listen` is notified at once; then this only finds changes whose notification was lost.
   *
   * @default {200}
   */
  readonly pollMs?: number | undefined;
  /**
   * For how long an executor on this store owns its runs without renewing its lease, in milliseconds, above 0; see
   * {@linkcode WorkflowStore.leaseMs}.
   * For an executor without leases, pass `leaseMs: 0` to the executor.
   *
   * @default {10_000}
   */
  readonly leaseMs?: number | undefined;
  /**
   * Encrypts or compresses inputs, results, errors and events. IDs, names, labels, statuses and times are not changed. Bytes are
   * stored as base64.
   *
   * @default {payloads are JSON texts}
   */
  readonly codec?: PayloadCodec | undefined;
}

const OPTIONS: Readonly<Record<keyof PostgresStoreOptions, true>> = {
  schema: true,
  pollMs: true,
  leaseMs: true,
  codec: true,
};

/** How many workflows `prune` deletes in one transaction. */
const PRUNED_AT_ONCE = 500;
/** A store works with `await using`. */
export interface PostgresStore {
  /** The same as {@linkcode PostgresStore.close}. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Keeps workflows in a Postgres database.
 *
 * @category Store
 */
export class PostgresStore implements WorkflowStore {
  /** For how long an executor on this store owns its runs without renewing its lease, in milliseconds. */
  declare readonly leaseMs: number;
  readonly #names: Names;
  readonly #columns: Columns;
  readonly #reads: Reads;
  readonly #listeners = new Listeners();
  readonly #writer: string = crypto.randomUUID();
  readonly #writes: Writes;
  readonly #changes: Changes;
  readonly #transactional: Transactional;
  readonly #deliveries: Deliveries;
  #closed = false;

  private constructor(client: PostgresClient, names: Names, columns: Columns, options: PostgresStoreOptions) {
    if (options === undefined) { // from JavaScript
      throw new TypeError("Cannot create a store by new: call await PostgresStore.open(client)");
    }
    // Assigned, not a method: with a computed method name, bundlers cannot drop the class.
    this[Symbol.asyncDispose] = () => this.close();
    this.#names = names;
    this.#columns = columns;
    this.leaseMs = options.leaseMs!;
    this.#transactional = new Transactional(client, names, columns, (action) => this.#check(action));
    this.#reads = new Reads(client, names, columns);
    this.#writes = new Writes(client, names, this.#writer);
    const written = (workflowId: string, length: number) => this.#written(workflowId, length);
    this.#deliveries = new Deliveries(names, columns, this.#reads, this.#writes, written);
    const report: StoreListener = (workflowId, length) => this.#listeners.call(workflowId, length);
    this.#changes = new Changes(client, names, this.#writer, options.pollMs!, report);
  }

  /**
   * Opens a store. Makes its tables, or migrates those of an earlier release; several processes can do it at once.
   *
   * @param client An `sql` of postgres.js or Bun, a `Pool` of pg, or a client of your own. It stays yours: `close` does not end it.
   * @param options Where and how.
   * @throws {TypeError | RangeError} If an argument is of the wrong kind, unknown or out of its range.
   * @throws {Error} If Postgres does not answer, refuses, is older than release 13, or has the schema of a later release. It is left
   * as it is.
   */
  static async open(
    client: PostgresClient | PostgresJs | PgPool,
    options: PostgresStoreOptions = {},
  ): Promise<PostgresStore> {
    await undefined; // an error rejects
    const action = "open a store";
    const usable = toClient(client, action);
    checkOptions(options, OPTIONS, action);
    const { schema = "rockpool", pollMs = 200, leaseMs = 10_000, codec } = options;
    checkSchema(schema, action);
    checkNumber("pollMs", pollMs, Number.MIN_VALUE, action);
    checkNumber("leaseMs", leaseMs, Number.MIN_VALUE, action);
    const columns = new Columns(codec);
    await migrate(usable, schema);
    const store = new PostgresStore(usable, namesOf(schema), columns, { pollMs, leaseMs, codec });
    try {
      await store.#changes.begin();
    } catch (error) {
      throw failure(action, error);
    }
    return store;
  }

  /** Writes a whole state; see {@linkcode WorkflowStore.save}. */
  async save(state: WorkflowStateInit): Promise<void> {
    const read = readState(state);
    const { workflowId } = read.head;
    this.#check("save workflow", workflowId);
    const { change, create } = await writesOfState(this.#columns, read);
    // Whether it is stored already is not known: one of the two fits, unless another writer comes in between.
    while (await this.#writes.add(change) === undefined && await this.#writes.add(create) === undefined);
    this.#written(workflowId, null);
  }

  /** Reads the stored state; `null` if there is none. See {@linkcode WorkflowStore.load}. */
  async load(workflowId: string): Promise<WorkflowState | null> {
    const action = "load workflow";
    readId(workflowId, action);
    this.#check(action, workflowId);
    return await this.#reads.load(action, workflowId);
  }

  /**
   * Lists the states that match, in order of creation; see {@linkcode WorkflowStore.list}. The histories of all of them are read:
   * `page` and `heads` read less at a time.
   *
   * A workflow whose payloads cannot be read (damaged, or of another codec) is listed without input and result, and with a history
   * that is not valid: `recover()` refuses it alone.
   */
  async list(filter: WorkflowFilter = {}): Promise<WorkflowState[]> {
    const action = "list workflows";
    const query = readFilter(filter, action);
    this.#check(action);
    const states: WorkflowState[] = [];
    for (const row of await this.#reads.matching(action, query, undefined, query.limit, true)) {
      states.push(await this.#reads.state(row).catch((error) => unreadable(stubOf(row), error)));
    }
    return states;
  }

  /**
   * Lists one page of the states that match, as they were at one moment. Writes between two pages do not matter: no workflow is
   * repeated, and no workflow that was stored all the time is left out.
   *
   * @param options Which workflows, how many, and where the page starts.
   * @throws {TypeError | RangeError} As `list` does; also if `limit` is not an integer from 1, or `cursor` is not that of a page
   * with the same `order`.
   */
  async page(options: PageOptions = {}): Promise<WorkflowPage> {
    const { rows, cursor } = await this.#page(options, true);
    const states: WorkflowState[] = [];
    for (const row of rows) states.push(await this.#reads.state(row));
    return { states, cursor };
  }

  /**
   * As {@linkcode PostgresStore.page}, but without the histories; see {@linkcode WorkflowStore.heads}.
   *
   * @param options Which workflows, how many, and where the page starts.
   * @throws {TypeError | RangeError} As `page` does.
   */
  async heads(options: PageOptions = {}): Promise<HeadPage> {
    const { rows, cursor } = await this.#page(options, false);
    const heads: WorkflowHead[] = [];
    for (const row of rows) heads.push(await this.#reads.head(row));
    return { heads, cursor };
  }

  /**
   * Counts the workflows that match. `limit` and `order` have no effect. Reads no history.
   *
   * @param filter Which workflows.
   * @throws {TypeError | RangeError} As `list` does.
   */
  async count(filter: WorkflowFilter = {}): Promise<number> {
    const action = "count workflows";
    const query = readFilter(filter, action);
    this.#check(action);
    return await this.#reads.count(action, query);
  }

  /** Reads the end of a history; see {@linkcode WorkflowStore.loadSince}. */
  async loadSince(workflowId: string, length: number, runId?: string): Promise<WorkflowTail | null> {
    checkLoadSince(workflowId, length, runId);
    const action = "load workflow";
    this.#check(action, workflowId);
    return await this.#reads.tail(action, workflowId, length, runId);
  }

  /** Removes a workflow; see {@linkcode WorkflowStore.delete}. */
  async delete(workflowId: string): Promise<void> {
    const action = "delete workflow";
    const id = escapeText(readId(workflowId, action));
    this.#check(action, workflowId);
    const deleted = await this.#writes.alone(id, async () => {
      for (;;) {
        const [found] = await this.#delete(action, `w.key = ${hash("$2::text")}`, [id]);
        if (found?.gone !== false) return found !== undefined;
      }
    });
    if (deleted) this.#written(workflowId, null);
  }

  /** Adds events to a run if its history has the expected length; see {@linkcode WorkflowStore.append}. */
  async append(batch: AppendBatch): Promise<void> {
    const copy = readBatch(batch);
    this.#check("append to workflow", copy.workflowId);
    const kind = batchKind(copy);
    const next = applyToHead(expectedHead(copy, kind), copy);
    const made = writeOfBatch(this.#columns, copy, next);
    const write = made instanceof Promise ? await made : made;
    let length: number | undefined;
    while ((length = await this.#writes.add(write)) === undefined) await this.#conflict(copy);
    if (kind !== "confirm") this.#written(copy.workflowId, length, copy);
  }

  /** Adds events to the end of the running run, whatever its length is; see {@linkcode WorkflowStore.deliver}. */
  async deliver(delivery: Delivery): Promise<DeliveryReceipt> {
    const copy = readDelivery(delivery);
    this.#check("deliver to workflow", copy.workflowId);
    return await this.#deliveries.add(copy);
  }

  /** Takes running runs that no living owner has; see {@linkcode WorkflowStore.claim}. The times are those of the database. */
  async claim(options: ClaimOptions): Promise<ClaimedRun[]> {
    await undefined; // an error rejects
    const { owner, leaseMs, limit, names, dueBefore } = readClaim(options);
    const action = "claim workflows";
    this.#check(action);
    const params = [escapeText(owner), `${leaseMs}`, `${limit}`, `${dueBefore}`];
    if (names !== undefined) params.push(JSON.stringify(names.map(escapeText)));
    const rows = await this.#reads.query<Row>(action, claimStatement(this.#names, names !== undefined), params);
    const runs: ClaimedRun[] = [];
    for (const row of rows) {
      const stub = stubOf(row);
      // One that cannot be read belongs to the owner, too: its load says what is wrong.
      runs.push({ ...await this.#reads.head(row).catch(() => stub), fence: row.fence });
    }
    return runs;
  }

  /** Extends the lease of an owner; see {@linkcode WorkflowStore.renew}. */
  async renew(owner: string, leaseMs: number): Promise<void> {
    await undefined; // an error rejects
    checkLease(owner, leaseMs);
    const action = "renew a lease";
    this.#check(action);
    const rows = await this.#reads.query(action, renewStatement(this.#names), [escapeText(owner), `${leaseMs}`]);
    if (rows.length === 0) throw leaseLost(owner);
  }

  /** Gives runs back; see {@linkcode WorkflowStore.release}. */
  async release(owner: string, workflowIds?: readonly string[]): Promise<void> {
    await undefined; // an error rejects
    const ids = readRelease(owner, workflowIds);
    const action = "release workflows";
    this.#check(action);
    const params = [escapeText(owner)];
    if (ids !== undefined) params.push(JSON.stringify(ids.map(escapeText)));
    await this.#reads.query(action, releaseStatement(this.#names, ids !== undefined), params);
  }

  /**
   * Makes an activity of a function that writes to the tables of the user in this database. What it writes and its result are stored
   * in one transaction, under the idempotency key of the call. An attempt that finds a result returns it, and does not call the
   * function: a process that dies before the run has recorded the result leaves one row in a ledger, and the next process no second
   * one. Of two attempts at the same time, one waits for the other.
   *
   * If the function throws, its attempt is aborted, or its run is over by then or belongs to another executor, everything that it
   * wrote is rolled back. The function must not end the transaction. It takes a connection of the client for as long as it runs.
   *
   * A result is kept as long as its run: until the workflow is deleted, pruned, replaced or saved, or continues as new.
   *
   * @param fn The function. Its name is that of the activity. It gets the transaction as the client has it, and what every activity
   * gets. Declare the type of the transaction: a `TransactionSql` of postgres.js, a `PoolClient` of pg, or what your own client
   * passes as {@linkcode PostgresTransaction.tx}.
   * @returns The activity, for `executeActivity` in an executor on this store.
   * @throws {TypeError} If `fn` is no function, or the client has no method `transaction`.
   *
   * @example
   * ```ts ignore
   * const charge = store.transactional(async function charge(tx: TransactionSql, cents: number) {
   *   const [{ id }] = await tx`INSERT INTO ledger (cents) VALUES (${cents}) RETURNING id`;
   *   return id;
   * });
   * const order = async (ctx: WorkflowContext) => await ctx.executeActivity(charge, 500);
   * ```
   */
  transactional<Tx, Input, Output>(
    fn: (tx: Tx, input: Input, context: ActivityContext) => Output | PromiseLike<Output>,
  ): (input: Input, context: ActivityContext) => Promise<Output> {
    return this.#transactional.activity(fn);
  }

  /**
   * Calls `listener` after each change; see {@linkcode WorkflowStore.subscribe}. Changes of other processes are heard at once if the
   * client can listen, and found within `pollMs` otherwise.
   */
  subscribe(listener: StoreListener): () => void {
    this.#check("subscribe");
    return addListener(this.#listeners, listener, this.#changes);
  }

  /**
   * Deletes finished workflows, some hundreds at a time, so that others can write meanwhile. Postgres uses their space again.
   *
   * @param options Which workflows.
   * @returns How many were deleted.
   * @throws {TypeError | RangeError} If an option is unknown, or `finishedBefore` is not a finite number.
   */
  async prune(options: PruneOptions): Promise<number> {
    await undefined; // an error rejects
    const action = "prune the store";
    const finishedBefore = readPrune(options, action);
    let count = 0;
    let last = -1;
    for (;;) {
      this.#check(action);
      const finished = `w.place IN (SELECT place FROM ${this.#names.of("workflows")}
        WHERE status IN ('completed', 'failed', 'canceled') AND updated_at < $2::text::float8 AND place > $3::text::bigint
        ORDER BY place LIMIT ${PRUNED_AT_ONCE})`;
      const found = await this.#delete(action, finished, [`${finishedBefore}`, `${last}`]);
      for (const { id, gone } of found) {
        if (!gone) continue;
        count++;
        this.#written(unescapeText(id), null);
      }
      if (found.length < PRUNED_AT_ONCE) return count;
      last = Math.max(...found.map(({ place }) => place));
    }
  }

  /** Waits for what was begun. Does not end the client. Does nothing if it is closed. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([this.#changes.close(), this.#writes.drain(), this.#deliveries.drain()]);
  }

  async #page(options: PageOptions, histories: boolean): Promise<{ rows: Row[]; cursor: string | undefined }> {
    const action = "list workflows";
    const page = readPage(options, action);
    this.#check(action);
    return await this.#reads.page(action, page, histories);
  }

  /** Throws why a batch does not fit; returns if it fits now. */
  async #conflict(batch: AppendBatch): Promise<void> {
    const row = await this.#reads.row("append to workflow", batch.workflowId);
    const head = row === undefined ? null : stubOf(row);
    checkOwner(head, row?.owner ? unescapeText(row.owner) : null, batch);
    applyToHead(head, batch);
  }

  /** Deletes the workflows of a condition; see {@linkcode deleteStatement}. */
  #delete(action: string, condition: string, params: readonly string[]): Promise<Deleted[]> {
    return this.#reads.query(action, deleteStatement(this.#names, condition), [this.#writer, ...params]);
  }

  #check(action: string, workflowId?: string): void {
    if (this.#closed) throw new Error(`${cannot(action, workflowId)}: the store is closed`);
  }

  /** Something was written: tells the listeners of this process. */
  #written(workflowId: string, length: number | null, batch?: AppendBatch): void {
    this.#listeners.call(workflowId, length, batch);
    this.#changes.trim();
  }
}
