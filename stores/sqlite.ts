/**
 * A store in an SQLite file: workflows survive the end of the process, and several processes of one machine can share them.
 *
 * It needs the module `node:sqlite`: Deno, Node from version 22.13, Bun 1.4. The process waits for the disk once for all writes of
 * a macrotask. What needs the database is in `sqlite/connection.ts`.
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
  expectedHead,
  leaseLost,
  Listeners,
  messageIds,
  type Payload,
  payloadOf,
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
  unreadable,
} from "../storage/mod.ts";
import { addListener } from "../storage/listeners.ts";
import { type Raw, stubOf } from "../storage/rows.ts";
import type { Values } from "../storage/values.ts";
import type { QueryData } from "../storage/filter.ts";
import { cannot, checkText } from "../util/check.ts";
import { Commits } from "./sqlite/commits.ts";
import type { Database } from "./sqlite/connection.ts";
import { open, type Opened, type SqliteStoreOptions } from "./sqlite/open.ts";
import { Poll } from "./sqlite/poll.ts";
import type { Row } from "./sqlite/rows.ts";
import {
  type SqliteStatement,
  type SqliteTransaction,
  type SqliteValue,
  Transactional,
} from "./sqlite/transactional.ts";
import { type Added, type Found, PRUNED_AT_ONCE } from "./sqlite/writes.ts";

export type { PruneOptions, SqliteStatement, SqliteStoreOptions, SqliteTransaction, SqliteValue };

/**
 * Keeps workflows in an SQLite file.
 *
 * @category Store
 */
export class SqliteStore implements WorkflowStore {
  /** For how long an executor on this store owns its runs without renewing its lease, in milliseconds. */
  declare readonly leaseMs: number;
  readonly #db: Database;
  readonly #values: Values;
  readonly #listeners = new Listeners();
  readonly #commits: Commits;
  readonly #poll: Poll;
  readonly #transactional: Transactional;
  #closing: Promise<void> | undefined;

  private constructor(opened: Opened) {
    if (opened?.db === undefined) { // from JavaScript
      throw new TypeError("Cannot create a store by new: call await SqliteStore.open(path)");
    }
    const { db, version, values, pollMs, leaseMs, connect } = opened;
    this.leaseMs = leaseMs;
    this.#db = db;
    this.#values = values;
    this.#commits = new Commits(db, version);
    const report = (workflowId: string | null, length: number | null) => this.#listeners.call(workflowId, length);
    this.#poll = new Poll(db, pollMs, () => this.#commits.version, report);
    this.#transactional = new Transactional({
      check: (action) => this.#check(action),
      connect,
      idle: () => this.#commits.idle(),
      values,
    });
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
    return new SqliteStore(await open(path, options));
  }

  /** Writes a whole state; see {@linkcode WorkflowStore.save}. */
  async save(state: WorkflowStateInit): Promise<void> {
    const { head, events, createdAt } = readState(state);
    const { workflowId, input, result, error } = head;
    this.#check("save workflow", workflowId);
    const written = this.#values.write(workflowId, payloadOf({ input }), payloadOf({ result, error }), events);
    const [inputs, outcome, history] = written instanceof Promise ? await written : written;
    const columns = this.#values.columns(head, inputs, outcome);
    const added = events.length > 0 ? addedOf(events, history) : undefined;
    await this.#commits.add(
      ["save", columns, createdAt ?? null, added],
      () => this.#listeners.call(workflowId, null),
    );
  }

  /** Reads the stored state; `null` if there is none. See {@linkcode WorkflowStore.load}. */
  async load(workflowId: string): Promise<WorkflowState | null> {
    const action = "load workflow";
    const id = readId(workflowId, action);
    this.#check(action, id);
    const raw = await this.#db.load(id);
    return raw === undefined ? null : await this.#values.state(raw);
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
    const raws = await this.#db.list(dataOf(query), undefined, query.limit, true);
    const states: WorkflowState[] = [];
    for (const raw of raws) {
      states.push(await this.#values.state(raw).catch((error) => unreadable(stubOf(raw.row), error)));
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
    const { raws, cursor } = await this.#page(options, true);
    const states: WorkflowState[] = [];
    for (const raw of raws) states.push(await this.#values.state(raw));
    return { states, cursor };
  }

  /**
   * As {@linkcode SqliteStore.page}, but without the histories: the cost depends on the size of the page.
   *
   * @param options Which workflows, how many, and where the page starts.
   * @throws {TypeError | RangeError} As `page` does.
   */
  async heads(options: PageOptions = {}): Promise<HeadPage> {
    const { raws, cursor } = await this.#page(options, false);
    const heads: WorkflowHead[] = [];
    for (const { row } of raws) heads.push(await this.#values.head(row));
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
    return await this.#db.count(dataOf(query));
  }

  /** Removes a workflow; see {@linkcode WorkflowStore.delete}. */
  async delete(workflowId: string): Promise<void> {
    const action = "delete workflow";
    const id = readId(workflowId, action);
    this.#check(action, id);
    await this.#commits.add(["delete", id], (changed) => changed && this.#listeners.call(id, null));
  }

  /** Adds events to a run if its history has the expected length; see {@linkcode WorkflowStore.append}. */
  async append(batch: AppendBatch): Promise<void> {
    const copy = readBatch(batch);
    const { workflowId, events } = copy;
    this.#check("append to workflow", workflowId);
    const kind = batchKind(copy);
    const head = applyToHead(expectedHead(copy, kind), copy);
    const { input, result, error, status, updatedAt, historyLength, labels } = head;
    const begins = kind === "create" || kind === "continue";
    const written = this.#values.write(
      workflowId,
      begins ? payloadOf({ input }) : undefined,
      status === "running" ? undefined : payloadOf({ result, error }),
      kind === "confirm" ? undefined : events,
    );
    const [inputs, outcome, history] = written instanceof Promise ? await written : written;
    const { runId, expectedLength, replaces, owner, wakeAt } = copy;
    await this.#commits.add(["append", {
      kind,
      workflowId,
      runId,
      expectedLength,
      replaces,
      owner,
      wakeAt: dueAt(wakeAt),
      columns: begins ? this.#values.columns(head, inputs, outcome) : undefined,
      next: { status, updatedAt, outcome, labels: begins ? undefined : labels && JSON.stringify(labels) },
      added: kind === "confirm" ? undefined : addedOf(events, history),
    }], (found) => {
      if (found !== undefined) throw conflict(copy, found);
      if (kind !== "confirm") this.#listeners.call(workflowId, historyLength, copy);
    });
  }

  /** Reads the end of a history; see {@linkcode WorkflowStore.loadSince}. */
  async loadSince(workflowId: string, length: number, runId?: string): Promise<WorkflowTail | null> {
    checkLoadSince(workflowId, length, runId);
    const action = "load workflow";
    this.#check(action, workflowId);
    const raw = await this.#db.loadSince(workflowId, length, runId);
    if (raw === undefined) return null;
    return await this.#values.tail(raw, length);
  }

  /** Adds messages to the end of a running run; see {@linkcode WorkflowStore.deliver}. */
  async deliver(delivery: Delivery): Promise<DeliveryReceipt> {
    const copy = readDelivery(delivery);
    const { workflowId, firstRunId } = copy;
    this.#check("deliver to workflow", workflowId);
    const messages = copy.events.map((event) => messageIds([event])[0] ?? null);
    const accept = (head: Parameters<typeof acceptDelivery>[0], known: readonly boolean[]) =>
      acceptDelivery(head, copy, (message) => known[messages.indexOf(message)]);
    const expected = { runId: "expected", firstRunId: firstRunId ?? "", status: "running", historyLength: 0 } as const;
    for (let known: readonly boolean[] = messages.map(() => false);;) {
      const batch = accept(expected, known).batch!; // what is added, if the run has the known messages only
      const { error, status, updatedAt } = applyToHead(expectedHead(batch, "append"), batch);
      const ending = status === "running" ? undefined : payloadOf({ error });
      const written = this.#values.write(workflowId, ending, batch.events);
      const [outcome, history] = written instanceof Promise ? await written : written;
      const added = addedOf(batch.events, history);
      const next = { status, updatedAt, outcome, labels: undefined };
      const answer = await this.#commits.add(
        ["deliver", { workflowId, firstRunId, messages, known, added, next }],
        ({ row, known, written }): DeliveryReceipt | readonly boolean[] => {
          const head = row === undefined ? null : stubOf(row);
          const accepted = accept(head, known);
          if (accepted.batch !== undefined && !written) return known;
          const { runId, historyLength: length } = head!;
          const historyLength = written ? length + added.count : length;
          if (written) this.#listeners.call(workflowId, historyLength);
          return { runId, historyLength, added: accepted.added };
        },
      );
      if ("added" in answer) return answer;
      known = answer;
    }
  }

  /** Takes running runs that no living owner has, and that are due; see {@linkcode WorkflowStore.claim}. */
  async claim(options: ClaimOptions): Promise<ClaimedRun[]> {
    const claim = readClaim(options);
    const action = "claim workflows";
    this.#check(action);
    if (!await this.#db.needsClaim(claim)) return [];
    const rows = await this.#commits.add(["claim", claim], (rows) => rows);
    return await Promise.all(rows.map(async (row) => ({ ...await this.#values.headOrStub(row), fence: row.fence })));
  }

  /** Extends the lease of an owner; see {@linkcode WorkflowStore.renew}. */
  async renew(owner: string, leaseMs: number): Promise<void> {
    checkLease(owner, leaseMs);
    this.#check("renew a lease");
    await this.#commits.add(["renew", owner, leaseMs], (has) => {
      if (!has) throw leaseLost(owner);
    });
  }

  /** Gives runs back; see {@linkcode WorkflowStore.release}. */
  async release(owner: string, workflowIds?: readonly string[]): Promise<void> {
    const ids = readRelease(owner, workflowIds);
    this.#check("release workflows");
    await this.#commits.add(["release", owner, ids], () => {});
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
    return addListener(this.#listeners, listener, this.#poll);
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
      const deleted = await this.#commits.add(["prune", finishedBefore], (ids) => {
        for (const id of ids) this.#listeners.call(id, null);
        return ids;
      });
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
    await this.#db.backup(path);
  }

  /** Writes what was begun, and closes the file. Does nothing if it is closed. */
  async close(): Promise<void> {
    return await (this.#closing ??= this.#close());
  }

  /** Closes the store; see {@linkcode SqliteStore.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #check(action: string, workflowId?: string): void {
    if (this.#closing !== undefined) throw new Error(`${cannot(action, workflowId)}: the store is closed`);
  }

  async #close(): Promise<void> {
    this.#poll.stop();
    await this.#commits.drain();
    await undefined; // those who wrote hear of it first
    await this.#db.close();
  }

  async #page(options: PageOptions, histories: boolean): Promise<{ raws: Raw<Row>[]; cursor: string | undefined }> {
    const action = "list workflows";
    const { query, after } = readPage(options, action);
    this.#check(action);
    const raws = await this.#db.list(dataOf(query), after, query.limit + 1, histories);
    const hasNext = raws.length > query.limit;
    if (hasNext) raws.pop();
    return { raws, cursor: hasNext ? toCursor(raws.at(-1)!.row.place, query.order) : undefined };
  }
}

/** Events as a write adds them. */
function addedOf(events: readonly WorkflowEvent[], payload: Payload | null): Added {
  return { payload: payload!, count: events.length, messages: messageIds(events) };
}

/** A query as plain data. */
function dataOf({ matches: _, ...data }: Query): QueryData {
  return data;
}

/** Why a batch does not fit. */
function conflict(batch: AppendBatch, { row, owner }: Found): unknown {
  try {
    const head = row === undefined ? null : stubOf(row);
    checkOwner(head, owner, batch);
    applyToHead(head, batch);
  } catch (error) {
    return error;
  }
  return new Error(`${cannot("append to workflow", batch.workflowId)}: SQLite and the comparison do not agree`);
}
