/**
 * A store in an SQLite file: workflows survive the end of the process, and several processes of one machine can share them.
 *
 * It needs the module `node:sqlite`: Deno, Node from version 22.13, Bun 1.4. The process waits for the disk once for all writes of
 * a macrotask. (This file is long because each method says what it does. What a row means is in `sqlite/rows.ts`.)
 *
 * 1. A write is on the disk when its promise settles, also after a loss of power. With `durability: "relaxed"` it survives the end
 *    of the process, but the last writes before a loss of power may be lost.
 * 2. Writes of one macrotask share a transaction. A conflict fails its own append only.
 * 3. An append writes one row, whatever the length of the history is. Lists of heads read no history.
 * 4. All tables begin with `rockpool_`. The file may hold tables of the user.
 *
 * @example
 * ```ts
 * import { Executor, type WorkflowContext } from "@rockpool/workflow";
 * import { SqliteStore } from "@rockpool/workflow/sqlite";
 * import { assertEquals } from "@std/assert";
 *
 * await using store = await SqliteStore.open(":memory:"); // or "orders.db"
 * await using executor = new Executor({ store });
 * const greet = async (ctx: WorkflowContext<string>, name: string) => await ctx.executeActivity(() => `Hello, ${name}`);
 * const handle = await executor.execute(greet, { id: "greet-1", input: "Ada" });
 * assertEquals(await handle.result(), "Hello, Ada");
 * assertEquals((await store.load("greet-1"))?.status, "completed");
 * ```
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import type { ActivityContext } from "../activity.ts";
import { systemClock } from "../clock.ts";
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
  type BatchKind,
  batchKind,
  checkLease,
  checkLoadSince,
  checkOwner,
  dueAt,
  escapeText,
  expectedHead,
  incompleteHistory,
  Listeners,
  messageIds,
  type Payload,
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
import { cannot, checkChoice, checkInteger, checkNumber, checkOptions, checkText } from "../util/check.ts";
import { Commits } from "./sqlite/commits.ts";
import { backUp, failure, openDatabase, watchFiles } from "./sqlite/database.ts";
import { Leases } from "./sqlite/leases.ts";
import { Poll } from "./sqlite/poll.ts";
import { COLUMNS, conditions, type EventsRow, prepare, type Raw, type Row, stubOf } from "./sqlite/rows.ts";
import {
  type SqliteStatement,
  type SqliteTransaction,
  type SqliteValue,
  Transactional,
} from "./sqlite/transactional.ts";

export type { PruneOptions, SqliteStatement, SqliteTransaction, SqliteValue };

/**
 * Options of {@linkcode SqliteStore.open}.
 *
 * @category Store
 */
export interface SqliteStoreOptions {
  /**
   * When a write counts as stored. `"full"`: it is on the disk, and survives a loss of power. `"relaxed"`: the operating system has
   * it. It survives the end of the process; a loss of power may take the last writes, but leaves the file whole. It is faster,
   * because hundreds of writes wait for the disk once.
   *
   * @default {"full"}
   */
  readonly durability?: "full" | "relaxed" | undefined;
  /**
   * For how long a call waits for a lock of another process, in milliseconds: an integer from 0. The process does nothing else
   * meanwhile.
   *
   * @default {1_000}
   */
  readonly busyTimeoutMs?: number | undefined;
  /**
   * How often the store looks for changes of other processes while it has listeners, in milliseconds, above 0; `Infinity` for
   * never. A look takes some microseconds.
   *
   * @default {50}
   */
  readonly pollMs?: number | undefined;
  /**
   * For how long an executor on this store owns its runs without renewing its lease, in milliseconds, above 0; see
   * {@linkcode WorkflowStore.leaseMs}. A process that opens the file alone, after another one was killed, need not wait for that.
   * For an executor without leases, pass `leaseMs: 0` to the executor.
   *
   * @default {10_000}
   */
  readonly leaseMs?: number | undefined;
  /**
   * Encrypts or compresses inputs, results, errors and events. IDs, names, labels, statuses and times are not changed.
   *
   * @default {payloads are JSON texts}
   */
  readonly codec?: PayloadCodec | undefined;
}

const OPTIONS: Readonly<Record<keyof SqliteStoreOptions, true>> = {
  durability: true,
  busyTimeoutMs: true,
  pollMs: true,
  leaseMs: true,
  codec: true,
};

/** How many workflows `prune` deletes in one transaction. */
const PRUNED_AT_ONCE = 500;
/** For how long deletions are remembered for other processes, in milliseconds. */
const DELETIONS_KEPT_MS = 3_600_000;

/**
 * Keeps workflows in an SQLite file.
 *
 * @category Store
 */
export class SqliteStore implements WorkflowStore {
  /** For how long an executor on this store owns its runs without renewing its lease, in milliseconds. */
  declare readonly leaseMs: number;
  readonly #db: DatabaseSync;
  readonly #payloads: Payloads;
  /** The name that is stored beside payloads; `null` for JSON texts. */
  readonly #codec: string | null;
  readonly #listeners = new Listeners();
  readonly #checkFiles: () => void;
  readonly #commits: Commits;
  readonly #poll: Poll;
  readonly #leases: Leases;
  readonly #transactional: Transactional;
  readonly #sql: ReturnType<typeof prepare>;
  #closed = false;

  private constructor(db: DatabaseSync, payloads: Payloads, options: SqliteStoreOptions) {
    if (options === undefined) { // from JavaScript
      throw new TypeError("Cannot create a store by new: call await SqliteStore.open(path)");
    }
    const { codec, pollMs, leaseMs } = options;
    this.leaseMs = leaseMs!;
    this.#db = db;
    this.#payloads = payloads;
    this.#codec = codec === undefined ? null : payloads.codec;
    this.#poll = new Poll(db, pollMs!, (workflowId, length) => this.#listeners.call(workflowId, length));
    this.#checkFiles = watchFiles(db);
    this.#commits = new Commits(db, this.#checkFiles, (version) => this.#poll.wrote(version));
    this.#leases = new Leases(db);
    this.#transactional = new Transactional(db, {
      check: (action) => this.#check(action),
      checkFiles: this.#checkFiles,
      codec: this.#codec,
      write: (workflowId, value) => this.#write(workflowId, value),
      read: (payload, codec, workflowId) => this.#read(payload, codec, workflowId),
    });
    this.#sql = prepare(db);
  }

  /**
   * Opens a file, or makes it. Earlier schemas are migrated.
   *
   * @param path The path of the file; `":memory:"` for a store that ends with the process.
   * @param options How to open it.
   * @throws {TypeError | RangeError} If an argument is of the wrong kind, unknown or out of its range.
   * @throws {Error} If the file cannot be opened, is damaged, or has the schema of a later release. It is left as it is.
   */
  static async open(path: string, options: SqliteStoreOptions = {}): Promise<SqliteStore> {
    await undefined; // an error rejects
    const action = "open a store";
    checkText("path", path, action);
    checkOptions(options, OPTIONS, action);
    const { durability = "full", busyTimeoutMs = 1_000, pollMs = 50, leaseMs = 10_000, codec } = options;
    checkChoice("durability", durability, ["full", "relaxed"], action);
    checkInteger("busyTimeoutMs", busyTimeoutMs, 0, action);
    if (pollMs !== Infinity) checkNumber("pollMs", pollMs, Number.MIN_VALUE, action);
    checkNumber("leaseMs", leaseMs, Number.MIN_VALUE, action);
    const payloads = new Payloads(codec);
    const db = openDatabase(path, { durability, busyTimeoutMs });
    return new SqliteStore(db, payloads, { codec, pollMs, leaseMs });
  }

  /** Writes a whole state; see {@linkcode WorkflowStore.save}. */
  async save(state: WorkflowStateInit): Promise<void> {
    const { head, events, createdAt } = readState(state);
    const { workflowId, input, result, error } = head;
    this.#check("save workflow", workflowId);
    const written = this.#write(workflowId, payloadOf({ input }), payloadOf({ result, error }), events);
    const [inputs, outcome, history] = written instanceof Promise ? await written : written;
    const columns = this.#columns(head, inputs, outcome);
    await this.#commits.add(() => {
      const { version } = this.#commits;
      const { place } = this.#sql.save.get(...columns, version, version, createdAt ?? null) as { place: number };
      this.#clear(place);
      if (events.length > 0) this.#addEvents(place, 0, events, history!);
    }, () => this.#listeners.call(workflowId, null));
  }

  /** Reads the stored state; `null` if there is none. See {@linkcode WorkflowStore.load}. */
  async load(workflowId: string): Promise<WorkflowState | null> {
    const action = "load workflow";
    const id = escapeText(readId(workflowId, action));
    this.#check(action, workflowId);
    const raw = this.#reading(action, () => {
      const row = this.#sql.row.get(id) as unknown as Row | undefined;
      return row && this.#raw(row);
    });
    return raw === undefined ? null : await this.#state(raw);
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
    const raws = this.#reading(action, () => {
      this.#checkFiles();
      return [...this.#rows(query, undefined, query.limit)].map((row) => this.#raw(row));
    });
    const states: WorkflowState[] = [];
    for (const raw of raws) {
      try {
        states.push(await this.#state(raw));
      } catch (error) {
        states.push(unreadable(stubOf(raw.row), error));
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
    const { raws, cursor } = this.#page(options, true);
    const states: WorkflowState[] = [];
    for (const raw of raws) states.push(await this.#state(raw));
    return { states, cursor };
  }

  /**
   * As {@linkcode SqliteStore.page}, but without the histories: the cost depends on the size of the page.
   *
   * @param options Which workflows, how many, and where the page starts.
   * @throws {TypeError | RangeError} As `page` does.
   */
  async heads(options: PageOptions = {}): Promise<HeadPage> {
    const { raws, cursor } = this.#page(options, false);
    const heads: WorkflowHead[] = [];
    for (const { row } of raws) heads.push(await this.#head(row));
    return { heads, cursor };
  }

  /**
   * Counts the workflows that match. `limit` and `order` have no effect. Reads no history.
   *
   * @param filter Which workflows.
   * @throws {TypeError | RangeError} As `list` does.
   */
  async count(filter: WorkflowFilter = {}): Promise<number> {
    await undefined; // an error rejects
    const action = "count workflows";
    const query = readFilter(filter, action);
    this.#check(action);
    return this.#reading(action, () => {
      this.#checkFiles();
      if (query.matches === undefined) {
        const { where, values } = conditions(query, undefined);
        const counted = this.#db.prepare(`SELECT count(*) AS count FROM rockpool_workflows ${where}`).get(...values);
        return (counted as { count: number }).count;
      }
      let count = 0;
      for (const _ of this.#rows(query, undefined, Infinity)) count++;
      return count;
    });
  }

  /** Removes a workflow; see {@linkcode WorkflowStore.delete}. */
  async delete(workflowId: string): Promise<void> {
    const action = "delete workflow";
    const id = escapeText(readId(workflowId, action));
    this.#check(action, workflowId);
    await this.#commits.add(() => {
      const row = this.#sql.delete.get(id) as { place: number } | undefined;
      if (row !== undefined) this.#deleted(row.place, id);
      return row !== undefined;
    }, (changed) => changed && this.#listeners.call(workflowId, null));
  }

  /** Adds events to a run if its history has the expected length; see {@linkcode WorkflowStore.append}. */
  async append(batch: AppendBatch): Promise<void> {
    const copy = readBatch(batch);
    const { workflowId, events } = copy;
    this.#check("append to workflow", workflowId);
    const kind = batchKind(copy);
    const next = applyToHead(expectedHead(copy, kind), copy);
    const { input, result, error, status } = next;
    const written = this.#write(
      workflowId,
      kind === "create" || kind === "continue" ? payloadOf({ input }) : undefined,
      status === "running" ? undefined : payloadOf({ result, error }),
      kind === "confirm" ? undefined : events,
    );
    const [inputs, outcome, history] = written instanceof Promise ? await written : written;
    await this.#commits.add(() => {
      const place = this.#place(kind, copy, next, inputs, outcome);
      if (place === undefined) throw this.#conflict(copy);
      if (kind === "confirm") return;
      if (kind === "continue") this.#clear(place);
      this.#addEvents(place, next.historyLength - events.length, events, history!);
    }, () => kind !== "confirm" && this.#listeners.call(workflowId, next.historyLength, copy));
  }

  /** Reads the end of a history; see {@linkcode WorkflowStore.loadSince}. */
  async loadSince(workflowId: string, length: number, runId?: string): Promise<WorkflowTail | null> {
    checkLoadSince(workflowId, length, runId);
    const action = "load workflow";
    this.#check(action, workflowId);
    const raw = this.#reading(action, (): Raw | undefined => {
      const row = this.#sql.row.get(escapeText(workflowId)) as unknown as Row | undefined;
      if (row === undefined || runId !== undefined && row.run_id !== escapeText(runId)) return undefined;
      if (length <= 0) return this.#raw(row);
      const events = length < row.length ? this.#sql.eventsSince.all(row.place, length) as unknown as EventsRow[] : [];
      return { row, events };
    });
    if (raw === undefined) return null;
    const head = await this.#head(raw.row);
    const found = await this.#events(raw.events!, workflowId);
    const wanted = Math.max(0, head.historyLength - length);
    if (found.length < wanted) {
      throw incompleteHistory(workflowId, head.historyLength - wanted + found.length, head.historyLength);
    }
    return { head, events: Object.freeze(found.slice(found.length - wanted)) };
  }

  /** Adds messages to the end of a running run; see {@linkcode WorkflowStore.deliver}. */
  async deliver(delivery: Delivery): Promise<DeliveryReceipt> {
    const copy = readDelivery(delivery);
    const { workflowId } = copy;
    this.#check("deliver to workflow", workflowId);
    const id = escapeText(workflowId);
    let events: readonly WorkflowEvent[] = copy.events; // those that are added, if the run has none of them
    for (;;) {
      const last = events.at(-1)!;
      const outcome = last.type === "workflow_canceled" ? payloadOf({ error: last.error }) : undefined;
      const written = this.#write(workflowId, outcome, events);
      const [ending, history] = written instanceof Promise ? await written : written;
      const answer = await this.#commits.add((): DeliveryReceipt | readonly WorkflowEvent[] => {
        const row = this.#sql.row.get(id) as unknown as Row | undefined;
        const has = (message: string) => this.#sql.hasMessage.get(row!.place, escapeText(message)) !== undefined;
        const { added, batch } = acceptDelivery(row === undefined ? null : stubOf(row), copy, has);
        const { run_id: runId, length, place } = row!;
        if (batch === undefined) return { runId: unescapeText(runId), historyLength: length, added };
        if (batch.events.some((event, i) => event !== events[i]) || batch.events.length < events.length) {
          return batch.events;
        }
        const next = applyToHead(stubOf(row!), batch);
        this.#place("append", batch, next, null, ending);
        this.#addEvents(place, length, events, history!);
        return { runId: unescapeText(runId), historyLength: next.historyLength, added };
      }, (answer) => {
        if ("added" in answer && answer.added.includes(true)) this.#listeners.call(workflowId, answer.historyLength);
      });
      if ("added" in answer) return answer;
      events = answer;
    }
  }

  /** Takes running runs that no living owner has, and that are due; see {@linkcode WorkflowStore.claim}. */
  async claim(options: ClaimOptions): Promise<ClaimedRun[]> {
    const claim = readClaim(options);
    const action = "claim workflows";
    this.#check(action);
    if (!this.#reading(action, () => this.#leases.isNeeded(claim))) return [];
    const rows = await this.#commits.add(() => this.#leases.claim(claim));
    return await Promise.all(rows.map(async (row) => ({ ...await this.#headOrStub(row), fence: row.fence })));
  }

  /** Extends the lease of an owner; see {@linkcode WorkflowStore.renew}. */
  async renew(owner: string, leaseMs: number): Promise<void> {
    checkLease(owner, leaseMs);
    this.#check("renew a lease");
    await this.#commits.add(() => this.#leases.renew(owner, leaseMs));
  }

  /** Gives runs back; see {@linkcode WorkflowStore.release}. */
  async release(owner: string, workflowIds?: readonly string[]): Promise<void> {
    const ids = readRelease(owner, workflowIds);
    this.#check("release workflows");
    await this.#commits.add(() => this.#leases.release(this.#db, owner, ids));
  }

  /**
   * Makes an activity of a function that writes to the tables of the user in this file. What it writes and its result are stored in
   * one transaction, under the idempotency key of the call. An attempt that finds a result returns it, and does not call the function:
   * a process that dies before the run has recorded the result leaves one row in a ledger, and the next process no second one.
   *
   * The function must be synchronous. If it throws, or its run is over by then or belongs to another executor, everything that it
   * wrote is rolled back. A `codec` that returns promises cannot store its result, unless the result is `undefined`.
   *
   * A result is kept as long as its run: until the workflow is deleted, pruned, replaced or saved, or continues as new.
   *
   * @param fn The function. Its name is that of the activity. It gets the transaction, and what every activity gets.
   * @returns The activity, for `executeActivity` in an executor on this store.
   * @throws {TypeError} If `fn` is no function.
   *
   * @example
   * ```ts
   * import { Executor, type WorkflowContext } from "@rockpool/workflow";
   * import { SqliteStore, type SqliteTransaction } from "@rockpool/workflow/sqlite";
   * import { assertEquals } from "@std/assert";
   *
   * await using store = await SqliteStore.open(":memory:");
   * const prepare = store.transactional(function prepare(tx: SqliteTransaction) {
   *   tx.exec("CREATE TABLE IF NOT EXISTS ledger (cents INTEGER NOT NULL)");
   * });
   * const charge = store.transactional(function charge(tx: SqliteTransaction, cents: number) {
   *   return Number(tx.prepare("INSERT INTO ledger VALUES (?)").run(cents).lastInsertRowid);
   * });
   * await using executor = new Executor({ store });
   * const order = async (ctx: WorkflowContext) => {
   *   await ctx.executeActivity(prepare);
   *   return await ctx.executeActivity(charge, 500);
   * };
   * assertEquals(await (await executor.execute(order)).result(), 1);
   * ```
   */
  transactional<Input, Output>(
    fn: (tx: SqliteTransaction, input: Input, context: ActivityContext) => Output,
  ): (input: Input, context: ActivityContext) => Promise<Output> {
    return this.#transactional.activity(fn);
  }

  /**
   * Calls `listener` after each change; see {@linkcode WorkflowStore.subscribe}. Changes of other processes are found within
   * `pollMs`.
   */
  subscribe(listener: StoreListener): () => void {
    this.#check("subscribe");
    const end = this.#listeners.add(listener);
    this.#poll.start();
    return () => {
      end();
      if (this.#listeners.size === 0) this.#poll.stop();
    };
  }

  /**
   * Deletes finished workflows, some hundreds at a time, so that others can write meanwhile. The space is used again by later
   * writes; the file does not shrink.
   *
   * @param options Which workflows.
   * @returns How many were deleted.
   * @throws {TypeError | RangeError} If an option is unknown, or `finishedBefore` is not a finite number.
   */
  async prune(options: PruneOptions): Promise<number> {
    const action = "prune the store";
    const finishedBefore = readPrune(options, action);
    let count = 0;
    for (let last = PRUNED_AT_ONCE; last === PRUNED_AT_ONCE; count += last) {
      this.#check(action);
      const deleted = await this.#commits.add(() => {
        const rows = this.#sql.prune.all(finishedBefore, PRUNED_AT_ONCE) as unknown as Row[];
        for (const { place, workflow_id: id } of rows) this.#deleted(place, id);
        this.#sql.forgetDeletions.run(systemClock.now() - DELETIONS_KEPT_MS);
        return rows.map(({ workflow_id: id }) => unescapeText(id));
      }, (ids) => ids.forEach((id) => this.#listeners.call(id, null)));
      last = deleted.length;
    }
    return count;
  }

  /**
   * Writes a copy of the store to a new file, while this process and others read and write. The copy has everything that was
   * stored before the call.
   *
   * @param path The path of the copy.
   * @throws {TypeError} If `path` is no text.
   * @throws {Error} If the file exists and is not empty, or cannot be written.
   */
  async backup(path: string): Promise<void> {
    await undefined; // an error rejects
    const action = "back up the store";
    checkText("path", path, action);
    this.#check(action);
    await backUp(this.#db, path);
  }

  /** Writes what was begun, and closes the file. Does nothing if it is closed. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#poll.stop();
    this.#commits.drain();
    await undefined; // those who wrote hear of it first
    this.#db.close();
  }

  /** Closes the store; see {@linkcode SqliteStore.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #check(action: string, workflowId?: string): void {
    if (this.#closed) throw new Error(`${cannot(action, workflowId)}: the store is closed`);
  }

  /** Reads in one transaction, so that all is of one moment. */
  #reading<T>(action: string, read: () => T): T {
    try {
      this.#sql.begin.run();
      try {
        return read();
      } finally {
        this.#sql.commit.run();
      }
    } catch (error) {
      throw failure(action, error);
    }
  }

  #page(options: PageOptions, histories: boolean): { raws: Raw[]; cursor: string | undefined } {
    const action = "list workflows";
    const { query, after } = readPage(options, action);
    this.#check(action);
    return this.#reading(action, () => {
      this.#checkFiles();
      const rows = [...this.#rows(query, after, query.limit + 1)];
      const hasNext = rows.length > query.limit;
      if (hasNext) rows.pop();
      const raws = rows.map((row): Raw => histories ? this.#raw(row) : { row, events: undefined });
      return { raws, cursor: hasNext ? toCursor(rows.at(-1)!.place, query.order) : undefined };
    });
  }

  /** The rows of a query, in order. */
  *#rows(query: Query, after: number | undefined, limit: number): Iterable<Row> {
    if (limit === 0) return;
    const { where, values } = conditions(query, after);
    const sql = `SELECT ${COLUMNS} FROM rockpool_workflows ${where} ORDER BY place ${query.order}`;
    let count = 0;
    for (const row of this.#db.prepare(sql).iterate(...values) as Iterable<unknown> as Iterable<Row>) {
      if (query.matches?.(stubOf(row)) === false) continue;
      yield row;
      if (++count >= limit) return;
    }
  }

  #raw(row: Row): Raw {
    if (this.#codec === null) { // one text for the whole history: half the time of a row each
      const { events, coded } = this.#sql.history.get(row.place) as { events: string | null; coded: number };
      if (coded === 0) return { row, events: events === null ? [] : [{ events, codec: null, isWhole: true }] };
    }
    return { row, events: this.#sql.events.all(row.place) as unknown as EventsRow[] };
  }

  async #head(row: Row): Promise<WorkflowHead> {
    const head = stubOf(row);
    for (const [payload, codec] of [[row.input, row.input_codec], [row.outcome, row.outcome_codec]] as const) {
      if (payload !== null) Object.assign(head, await this.#read(payload, codec, head.workflowId));
    }
    return head;
  }

  /** The head of a row; without input and outcome if they cannot be read: a damaged run must not keep others from being claimed. */
  async #headOrStub(row: Row): Promise<WorkflowHead> {
    try {
      return await this.#head(row);
    } catch {
      return stubOf(row);
    }
  }

  async #state({ row, events }: Raw): Promise<WorkflowState> {
    const head = await this.#head(row);
    const history = await this.#events(events!, head.workflowId);
    if (history.length !== head.historyLength) {
      throw incompleteHistory(head.workflowId, history.length, head.historyLength);
    }
    return toState(head, history);
  }

  async #events(rows: readonly EventsRow[], workflowId: string): Promise<WorkflowEvent[]> {
    const events: WorkflowEvent[] = [];
    for (const { events: payload, codec, isWhole } of rows) {
      const read = isWhole
        ? this.#payloads.readJoined(payload as string, workflowId).flat()
        : this.#read(payload, codec, workflowId);
      for (const event of (read instanceof Promise ? await read : read) as WorkflowEvent[]) events.push(event);
    }
    return events;
  }

  /** Writes the row of a batch, and notes its messages. */
  #addEvents(place: number, first: number, events: readonly WorkflowEvent[], payload: Payload): void {
    this.#sql.insertEvents.run(place, first, payload, this.#codec);
    for (const id of messageIds(events)) this.#sql.insertMessage.run(place, escapeText(id));
  }

  /** Deletes what belongs to a run. */
  #clear(place: number): void {
    this.#sql.deleteEvents.run(place);
    this.#sql.deleteMessages.run(place);
    this.#sql.deleteResults.run(place);
  }

  #read(payload: Payload, codec: string | null, workflowId: string): unknown {
    if (codec === null) return this.#payloads.read(payload, "json", workflowId);
    return this.#payloads.read(typeof payload === "string" ? unescapeText(payload) : payload, codec, workflowId);
  }

  /** Returns the payloads of values, `null` for `undefined`; a promise only if the codec returns one. */
  #write(workflowId: string, ...values: unknown[]): (Payload | null)[] | Promise<(Payload | null)[]> {
    // A codec may return characters that SQLite does not keep.
    const toColumn = (payload: Payload) => typeof payload === "string" && this.#codec ? escapeText(payload) : payload;
    const written = values.map((value) => value === undefined ? null : this.#payloads.write(value, workflowId));
    const columns = written.map((one) =>
      one instanceof Promise ? one.then(toColumn) : one === null ? null : toColumn(one)
    );
    return columns.some((one) => one instanceof Promise) ? Promise.all(columns) : columns as (Payload | null)[];
  }

  /** The values of the first columns of a row. */
  #columns(
    head: WorkflowHead,
    input: Payload | null,
    outcome: Payload | null,
  ): (string | number | Uint8Array | null)[] {
    const { workflowId, runId, firstRunId, parent, workflowName, status, historyLength, createdAt, updatedAt } = head;
    const toText = (value: object | undefined) => value === undefined ? null : JSON.stringify(value);
    const ids = [
      escapeText(workflowId),
      escapeText(runId),
      escapeText(firstRunId),
      toText(parent),
      escapeText(workflowName),
    ];
    const text = toText(head.labels);
    const codec = this.#codec;
    return [...ids, status, historyLength, createdAt, updatedAt, text, input, codec, outcome, codec];
  }

  /** Compares and writes the row of a workflow. Returns its place; `undefined` if the batch does not fit. */
  #place(
    kind: BatchKind,
    batch: AppendBatch,
    next: WorkflowHead,
    input: Payload | null,
    outcome: Payload | null,
  ): number | undefined {
    const { expectedLength, replaces } = batch;
    const owner = batch.owner === undefined ? null : escapeText(batch.owner);
    const wakeAt = dueAt(batch.wakeAt);
    const [id, runId] = [escapeText(batch.workflowId), escapeText(batch.runId)];
    const { status, historyLength, updatedAt } = next;
    let row: unknown;
    if (kind === "confirm") row = this.#sql.confirm.get(id, runId, expectedLength, owner);
    else if (kind === "append" && status === "running") {
      const advanced = [historyLength, updatedAt, this.#commits.version, wakeAt];
      row = this.#sql.advance.get(...advanced, id, runId, expectedLength, owner);
    } else if (kind === "append") {
      const { version } = this.#commits;
      const ended = [historyLength, updatedAt, version, status, outcome, this.#codec];
      row = this.#sql.finish.get(...ended, id, runId, expectedLength, owner);
    } else {
      const columns = this.#columns(next, input, outcome);
      const { version } = this.#commits;
      if (kind === "continue") {
        row = this.#sql.continue.get(...columns, version, wakeAt, id, escapeText(replaces!), expectedLength, owner);
      } else {
        if (replaces !== undefined) {
          const replaced = this.#sql.replace.get(id, escapeText(replaces)) as { place: number } | undefined;
          if (replaced === undefined) return undefined;
          this.#clear(replaced.place);
        }
        row = this.#sql.create.get(...columns, version, wakeAt, owner);
      }
    }
    return (row as { place: number } | undefined)?.place;
  }

  /** Why a batch does not fit. */
  #conflict(batch: AppendBatch): unknown {
    const row = this.#sql.row.get(escapeText(batch.workflowId)) as unknown as Row | undefined;
    const { owner } = (this.#sql.ownerOf.get(escapeText(batch.workflowId)) ?? {}) as { owner?: string };
    try {
      const head = row === undefined ? null : stubOf(row);
      checkOwner(head, owner && unescapeText(owner), batch);
      applyToHead(head, batch);
    } catch (error) {
      return error;
    }
    return new Error(`${cannot("append to workflow", batch.workflowId)}: SQLite and the comparison do not agree`);
  }

  /** Deletes what belongs to a deleted row, and notes it for other processes. */
  #deleted(place: number, id: string): void {
    this.#clear(place);
    this.#sql.noteDeletion.run(id, this.#commits.version, systemClock.now());
  }
}
