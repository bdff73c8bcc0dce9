/**
 * A store in a Postgres database: workflows survive the end of the process, and processes on many machines share them.
 *
 * The client is an argument: an `sql` of postgres.js, a `Pool` of pg, or an object with a method `query`. The database is Postgres 13
 * or newer. All writes of a macrotask are one statement. (This file is long because each method says what it does. What a row means is
 * in `postgres/rows.ts`.)
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
  WorkflowEvent,
  WorkflowFilter,
  WorkflowHead,
  WorkflowState,
  WorkflowStateInit,
  WorkflowStore,
  WorkflowTail,
} from "../types.ts";
import type { WorkflowPage } from "../store.ts";
import {
  acceptDelivery,
  applyToHead,
  batchKind,
  checkLease,
  checkLoadSince,
  checkOwner,
  dueAt,
  escapeText,
  expectedHead,
  incompleteHistory,
  leaseLost,
  Listeners,
  messageIds,
  type PayloadCodec,
  payloadOf,
  Payloads,
  type PruneOptions,
  type Query,
  readBatch,
  readClaim,
  readDelivery,
  readFilter,
  readId,
  readPage,
  readPrune,
  readRelease,
  readState,
  toCursor,
  toState,
  unescapeText,
  unreadable,
} from "../storage/mod.ts";
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
import { failure, isTransient } from "./postgres/failure.ts";
import { claimStatement, releaseStatement, renewStatement } from "./postgres/leases.ts";
import {
  conditions,
  eventsExpression,
  ofCodec,
  type Row,
  rowExpression,
  stubOf,
  toCodec,
  toTexts,
} from "./postgres/rows.ts";
import { checkSchema, migrate, type Names, namesOf } from "./postgres/schema.ts";
import { Transactional } from "./postgres/transactional.ts";
import { hash, noteChanges, type Write } from "./postgres/write_statement.ts";
import { backOff, Writes } from "./postgres/writes.ts";

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
/** How often a statement is sent again that was rolled back because of others. */
const MOST_TRIES = 10;

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
  readonly #client: PostgresClient;
  readonly #names: Names;
  readonly #payloads: Payloads;
  /** The name that is stored beside payloads; `null` for JSON texts. */
  readonly #codec: string | null;
  readonly #listeners = new Listeners();
  readonly #writer: string = crypto.randomUUID();
  readonly #writes: Writes;
  readonly #changes: Changes;
  readonly #transactional: Transactional;
  /** The last delivery to each workflow that is on its way. */
  readonly #deliveries = new Map<string, Promise<unknown>>();
  #closed = false;

  private constructor(client: PostgresClient, names: Names, payloads: Payloads, options: PostgresStoreOptions) {
    if (options === undefined) { // from JavaScript
      throw new TypeError("Cannot create a store by new: call await PostgresStore.open(client)");
    }
    // Assigned, not a method: with a computed method name, bundlers cannot drop the class.
    this[Symbol.asyncDispose] = () => this.close();
    this.#client = client;
    this.#names = names;
    this.#payloads = payloads;
    this.#codec = options.codec === undefined ? null : payloads.codec;
    this.leaseMs = options.leaseMs!;
    this.#transactional = new Transactional(client, names, {
      check: (action) => this.#check(action),
      codec: this.#codec,
      encode: (workflowId, value) => this.#encode(workflowId, value),
      decode: (stored, codec, workflowId) => this.#decode(stored, codec, workflowId),
    });
    this.#writes = new Writes(client, names, this.#writer);
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
    const payloads = new Payloads(codec);
    await migrate(usable, schema);
    const store = new PostgresStore(usable, namesOf(schema), payloads, { pollMs, leaseMs, codec });
    try {
      await store.#changes.begin();
    } catch (error) {
      throw failure(action, error);
    }
    return store;
  }

  /** Writes a whole state; see {@linkcode WorkflowStore.save}. */
  async save(state: WorkflowStateInit): Promise<void> {
    const { head, events, createdAt } = readState(state);
    const { workflowId, input, result, error } = head;
    this.#check("save workflow", workflowId);
    const written = this.#encode(workflowId, payloadOf({ input }), payloadOf({ result, error }), events);
    const [inputs, outcome, history] = written instanceof Promise ? await written : written;
    const row = this.#row(head, inputs, outcome, events, history);
    const create: Write = { ...row, kind: "create", claims: true, saved: true };
    const change: Write = { ...create, kind: "change", fresh: true, created_at: createdAt ?? null };
    // Whether it is stored already is not known: one of the two fits, unless another writer comes in between.
    while (await this.#writes.add(change) === undefined && await this.#writes.add(create) === undefined);
    this.#written(workflowId, null);
  }

  /** Reads the stored state; `null` if there is none. See {@linkcode WorkflowStore.load}. */
  async load(workflowId: string): Promise<WorkflowState | null> {
    const action = "load workflow";
    const id = escapeText(readId(workflowId, action));
    this.#check(action, workflowId);
    const [row] = await this.#rows(action, `WHERE w.key = ${hash("$1::text")}`, [id], eventsExpression(this.#names));
    return row === undefined ? null : await this.#state(row);
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
    for (const row of await this.#matching(action, query, undefined, query.limit, true)) {
      try {
        states.push(await this.#state(row));
      } catch (error) {
        states.push(unreadable(stubOf(row), error));
      }
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
    for (const row of rows) states.push(await this.#state(row));
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
    for (const row of rows) heads.push(await this.#head(row));
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
    const { where, params, exact } = conditions(query, undefined);
    if (!exact) return (await this.#matching(action, query, undefined, Infinity, false)).length;
    const sql = `SELECT count(*)::text AS row FROM ${this.#names.of("workflows")} w ${where}`;
    return (await this.#query<number>(action, sql, params))[0];
  }

  /** Reads the end of a history; see {@linkcode WorkflowStore.loadSince}. */
  async loadSince(workflowId: string, length: number, runId?: string): Promise<WorkflowTail | null> {
    checkLoadSince(workflowId, length, runId);
    const action = "load workflow";
    this.#check(action, workflowId);
    const params = [escapeText(workflowId)];
    let events = "";
    if (length < Number.MAX_SAFE_INTEGER) {
      events = eventsExpression(this.#names, `$${params.push(`${length}`)}::text::bigint`);
    }
    let where = `WHERE w.key = ${hash("$1::text")}`;
    if (runId !== undefined) where += ` AND w.run_id = $${params.push(escapeText(runId))}::text`;
    const [row] = await this.#rows(action, where, params, events);
    if (row === undefined) return null;
    const first = row.events?.[0]?.[2] ?? row.length;
    const found = await this.#history(row, first);
    return { head: await this.#head(row), events: Object.freeze(found.slice(Math.max(0, length - first))) };
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
    const made = this.#batch(copy, next);
    const write = made instanceof Promise ? await made : made;
    let length: number | undefined;
    while ((length = await this.#writes.add(write)) === undefined) await this.#conflict(copy);
    if (kind !== "confirm") this.#written(copy.workflowId, length, copy);
  }

  /** Adds events to the end of the running run, whatever its length is; see {@linkcode WorkflowStore.deliver}. */
  async deliver(delivery: Delivery): Promise<DeliveryReceipt> {
    const copy = readDelivery(delivery);
    const { workflowId } = copy;
    this.#check("deliver to workflow", workflowId);
    const before = this.#deliveries.get(workflowId);
    const delivered = before === undefined ? this.#deliver(copy) : before.then(() => this.#deliver(copy));
    const settled = delivered.then(() => {}, () => {});
    this.#deliveries.set(workflowId, settled);
    try {
      return await delivered;
    } finally {
      if (this.#deliveries.get(workflowId) === settled) this.#deliveries.delete(workflowId);
    }
  }

  /** Takes running runs that no living owner has; see {@linkcode WorkflowStore.claim}. The times are those of the database. */
  async claim(options: ClaimOptions): Promise<ClaimedRun[]> {
    await undefined; // an error rejects
    const { owner, leaseMs, limit, names, dueBefore } = readClaim(options);
    const action = "claim workflows";
    this.#check(action);
    const params = [escapeText(owner), `${leaseMs}`, `${limit}`, `${dueBefore}`];
    if (names !== undefined) params.push(JSON.stringify(names.map(escapeText)));
    const rows = await this.#query<Row>(action, claimStatement(this.#names, names !== undefined), params);
    const runs: ClaimedRun[] = [];
    for (const row of rows) {
      const stub = stubOf(row);
      // One that cannot be read belongs to the owner, too: its load says what is wrong.
      runs.push({ ...await this.#head(row).catch(() => stub), fence: row.fence });
    }
    return runs;
  }

  /** Extends the lease of an owner; see {@linkcode WorkflowStore.renew}. */
  async renew(owner: string, leaseMs: number): Promise<void> {
    await undefined; // an error rejects
    checkLease(owner, leaseMs);
    const action = "renew a lease";
    this.#check(action);
    const rows = await this.#query(action, renewStatement(this.#names), [escapeText(owner), `${leaseMs}`]);
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
    await this.#query(action, releaseStatement(this.#names, ids !== undefined), params);
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
    const end = this.#listeners.add(listener);
    this.#changes.start();
    return () => {
      end();
      if (this.#listeners.size === 0) this.#changes.stop();
    };
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
    await Promise.all([this.#changes.close(), this.#writes.drain(), ...this.#deliveries.values()]);
  }

  #check(action: string, workflowId?: string): void {
    if (this.#closed) throw new Error(`${cannot(action, workflowId)}: the store is closed`);
  }

  /** Something was written: tells the listeners of this process. */
  #written(workflowId: string, length: number | null, batch?: AppendBatch): void {
    this.#listeners.call(workflowId, length, batch);
    this.#changes.trim();
  }

  /** Returns the rows of a statement. It is sent again if Postgres has rolled it back because of others. */
  async #query<T>(action: string, text: string, params: readonly string[]): Promise<T[]> {
    for (let attempt = 1;; attempt++) {
      try {
        return (await this.#client.query(text, params)).map((row) => JSON.parse(Object.values(row)[0]));
      } catch (error) {
        if (!isTransient(error) || attempt === MOST_TRIES) throw failure(action, error);
        await backOff(attempt);
      }
    }
  }

  #rows(action: string, rest: string, params: readonly string[], more: string): Promise<Row[]> {
    const row = rowExpression(...(more === "" ? [] : [more]));
    return this.#query(action, `SELECT ${row} FROM ${this.#names.of("workflows")} w ${rest}`, params);
  }

  /** The rows of a query, in order. */
  async #matching(
    action: string,
    query: Query,
    after: number | undefined,
    limit: number,
    histories: boolean,
  ): Promise<Row[]> {
    if (limit === 0) return [];
    const { where, params, exact } = conditions(query, after);
    const most = exact && limit < Number.MAX_SAFE_INTEGER ? `LIMIT ${limit}` : "";
    const rest = `${where} ORDER BY w.place ${query.order} ${most}`;
    const rows = await this.#rows(action, rest, params, histories ? eventsExpression(this.#names) : "");
    return exact ? rows : rows.filter((row) => query.matches!(stubOf(row))).slice(0, limit);
  }

  async #page(options: PageOptions, histories: boolean): Promise<{ rows: Row[]; cursor: string | undefined }> {
    const action = "list workflows";
    const { query, after } = readPage(options, action);
    this.#check(action);
    const rows = await this.#matching(action, query, after, query.limit + 1, histories);
    const hasNext = rows.length > query.limit;
    if (hasNext) rows.pop();
    return { rows, cursor: hasNext ? toCursor(rows.at(-1)!.place, query.order) : undefined };
  }

  async #head(row: Row): Promise<WorkflowHead> {
    const head = stubOf(row);
    for (const [payload, codec] of [[row.input, row.input_codec], [row.outcome, row.outcome_codec]] as const) {
      if (payload !== null) Object.assign(head, await this.#decode(payload, codec, head.workflowId));
    }
    return head;
  }

  async #state(row: Row): Promise<WorkflowState> {
    return toState(await this.#head(row), await this.#history(row, 0));
  }

  /** The events of a row from an index on: all that were read. */
  async #history(row: Row, first: number): Promise<WorkflowEvent[]> {
    const workflowId = unescapeText(row.workflow_id);
    const history: WorkflowEvent[] = [];
    for (const [payload, codec] of row.events ?? []) {
      const part = this.#decode(payload, codec, workflowId);
      history.push(...(part instanceof Promise ? await part : part) as WorkflowEvent[]);
    }
    if (history.length !== row.length - first) throw incompleteHistory(workflowId, first + history.length, row.length);
    return history;
  }

  #decode(stored: string, codec: string | null, workflowId: string): unknown {
    if (codec === null) return this.#payloads.read(stored, "json", workflowId);
    return this.#payloads.read(toCodec(stored), codec, workflowId);
  }

  /** Returns what is stored of values, `null` for `undefined`; a promise only if the codec returns one. */
  #encode(workflowId: string, ...values: unknown[]): (string | null)[] | Promise<(string | null)[]> {
    const plain = this.#codec === null;
    const columns = values.map((value) => {
      if (value === undefined) return null;
      const payload = this.#payloads.write(value, workflowId);
      if (payload instanceof Promise) return payload.then(ofCodec);
      return plain ? payload as string : ofCodec(payload);
    });
    return columns.some((one) => one instanceof Promise) ? Promise.all(columns) : columns as (string | null)[];
  }

  /** A write that replaces everything. */
  #row(
    head: WorkflowHead,
    input: string | null,
    outcome: string | null,
    events: readonly WorkflowEvent[],
    history: string | null,
  ): Write {
    const { labels, parent } = head;
    return {
      ...nothing,
      kind: "create",
      id: escapeText(head.workflowId),
      run_id: escapeText(head.runId),
      first_run_id: escapeText(head.firstRunId),
      parent: parent === undefined ? null : JSON.stringify(parent),
      workflow_name: escapeText(head.workflowName),
      created_at: head.createdAt,
      labels: labels === undefined ? null : toTexts(Object.entries(labels)),
      input,
      status: head.status,
      updated_at: head.updatedAt,
      outcome,
      codec: this.#codec,
      count: events.length,
      events: events.length === 0 ? null : history,
      messages: messageIds(events).map(escapeText),
    };
  }

  /**
   * The write of a batch.
   *
   * @param next The head that it leads to.
   */
  #batch(batch: AppendBatch, next: WorkflowHead): Write | Promise<Write> {
    const { workflowId, runId, expectedLength, events, replaces, owner } = batch;
    const { input, result, error, status, updatedAt } = next;
    const kind = batchKind(batch);
    const begins = kind === "create" || kind === "continue";
    const expected = {
      expected_run: escapeText(replaces ?? runId),
      expected_running: true,
      expected_length: expectedLength,
      expected_owner: owner === undefined ? null : escapeText(owner),
    };
    const id = escapeText(workflowId);
    if (kind === "confirm") return { ...nothing, ...expected, kind, id };
    const time = dueAt(batch.wakeAt);
    const due_at = Number.isFinite(time) ? time : `${time}` as Write["due_at"];
    const make = ([inputs, outcome, history]: (string | null)[]): Write => {
      if (!begins) {
        const messages = messageIds(events).map(escapeText);
        const added = { status, updated_at: updatedAt, count: events.length, events: history, messages, due_at };
        return { ...nothing, ...expected, ...added, kind: "change", id, outcome, codec: this.#codec };
      }
      const row = { ...this.#row(next, inputs, outcome, events, history), due_at };
      if (kind === "continue") return { ...row, ...expected, kind: "change", fresh: true, created_at: null };
      const owned = { ...row, owner: expected.expected_owner, claims: true };
      if (replaces === undefined) return owned;
      const replaced = { ...expected, expected_running: false, expected_length: null, expected_owner: null };
      return { ...owned, ...replaced, kind: "change", fresh: true, moved: true };
    };
    const written = this.#encode(
      workflowId,
      begins ? payloadOf({ input }) : undefined,
      status === "running" ? undefined : payloadOf({ result, error }),
      events,
    );
    return written instanceof Promise ? written.then(make) : make(written);
  }

  /** Throws why a batch does not fit; returns if it fits now. */
  async #conflict(batch: AppendBatch): Promise<void> {
    const id = escapeText(batch.workflowId);
    const [row] = await this.#rows("append to workflow", `WHERE w.key = ${hash("$1::text")}`, [id], "");
    const head = row === undefined ? null : stubOf(row);
    checkOwner(head, row?.owner ? unescapeText(row.owner) : null, batch);
    applyToHead(head, batch);
  }

  /** Reads what the run has, and adds the rest; again if it has got something else meanwhile. */
  async #deliver(delivery: Delivery): Promise<DeliveryReceipt> {
    const { workflowId, events } = delivery;
    const action = "deliver to workflow";
    const known =
      `'known', (SELECT json_agg(m.message) FROM json_array_elements_text($2::text::json) AS m (message) WHERE EXISTS (
      SELECT FROM ${this.#names.of("messages")} k WHERE k.history = w.history AND k.message = ${hash("m.message")}))`;
    const params = [escapeText(workflowId), JSON.stringify(messageIds(events).map(escapeText))];
    for (;;) {
      const [row] = await this.#rows(action, `WHERE w.key = ${hash("$1::text")}`, params, known) as KnownRow[];
      const head = row === undefined ? null : stubOf(row);
      const { added, batch } = acceptDelivery(head, delivery, (id) => row.known?.includes(escapeText(id)) === true);
      if (batch === undefined) return { runId: head!.runId, historyLength: head!.historyLength, added };
      const write = await this.#batch(batch, applyToHead(head, batch));
      // Others may append meanwhile, but no messages: then it would not be known whether these are new.
      const length = await this.#writes.add({ ...write, expected_length: null, expected_mail: `${row.mail}` });
      if (length === undefined) continue;
      this.#written(workflowId, length);
      return { runId: head!.runId, historyLength: length, added };
    }
  }

  /**
   * Deletes the workflows of a condition; `$1` is the writer. One that another writer changes meanwhile is not deleted: what belongs
   * to the change is not seen.
   */
  #delete(action: string, condition: string, params: readonly string[]): Promise<Deleted[]> {
    const { of } = this.#names;
    const told = noteChanges(this.#names, "$1::text", "SELECT workflow_id AS id, NULL::bigint AS length FROM gone");
    const text = `WITH seen AS MATERIALIZED (SELECT place, history, length, workflow_id FROM ${
      of("workflows")
    } w WHERE ${condition}),
      gone AS (DELETE FROM ${of("workflows")} w USING seen s
        WHERE w.place = s.place AND w.history = s.history AND w.length = s.length RETURNING w.place, w.history, w.workflow_id),
      events AS (DELETE FROM ${of("events")} e USING gone WHERE e.history = gone.history),
      messages AS (DELETE FROM ${of("messages")} m USING gone WHERE m.history = gone.history),
      results AS (DELETE FROM ${of("results")} r USING gone WHERE r.history = gone.history),
      told AS (${told})
      SELECT json_build_object('id', s.workflow_id, 'place', s.place, 'gone', g.place IS NOT NULL)::text AS row
      FROM seen s LEFT JOIN gone g USING (place)`;
    return this.#query(action, text, [this.#writer, ...params]);
  }
}

/** A workflow that was to be deleted. */
interface Deleted {
  readonly id: string;
  readonly place: number;
  readonly gone: boolean;
}

type KnownRow = Row & { readonly known: readonly string[] | null };

/** A write that compares nothing and changes nothing. */
const nothing: Omit<Write, "kind" | "id"> = {
  expected_run: null,
  expected_running: null,
  expected_length: null,
  expected_mail: null,
  expected_owner: null,
  fresh: false,
  moved: false,
  run_id: null,
  first_run_id: null,
  parent: null,
  workflow_name: null,
  created_at: null,
  labels: null,
  input: null,
  status: "running",
  updated_at: 0,
  outcome: null,
  codec: null,
  owner: null,
  claims: false,
  due_at: "-Infinity",
  count: 0,
  events: null,
  messages: [],
  saved: false,
};
