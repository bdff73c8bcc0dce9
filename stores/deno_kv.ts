/**
 * A store in Deno KV: in a file, in a database that `denokv` serves, or on Deno Deploy. Several processes can share it.
 *
 * `Deno.Kv` is unstable: a program that calls `Deno.openKv` needs `deno run --unstable-kv`, or `"unstable": ["kv"]` in its
 * `deno.json`. This module needs no flag.
 *
 * 1. A write is stored as Deno KV promises it when its promise settles. Each is one transaction.
 * 2. `list` shows one moment, and ends beside writers that never stop.
 * 3. Deno KV holds values of at most 64 KiB and transactions of at most 800 KiB. Larger inputs, results, errors and batches of events
 *    are cut into pieces, so they have no limit. The ID, the name and the labels of a workflow have: together about 60 KiB.
 * 4. All keys are below a prefix. The database may hold keys of the user.
 *
 * @example
 * ```ts ignore
 * import { Executor, type WorkflowContext } from "@rockpool/workflow";
 * import { DenoKvStore } from "@rockpool/workflow/deno-kv";
 *
 * using kv = await Deno.openKv(); // or Deno.openKv("orders.db")
 * await using store = new DenoKvStore(kv);
 * await using executor = new Executor({ store });
 * const greet = async (ctx: WorkflowContext<string>, name: string) => await ctx.executeActivity(() => `Hello, ${name}`);
 * const handle = await executor.execute(greet, { id: "greet-1", input: "Ada" });
 * console.log(await handle.result()); // Hello, Ada
 * ```
 *
 * @module
 */

import { systemClock } from "../clock.ts";
import { WorkflowError } from "../errors.ts";
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
  leaseLost,
  Listeners,
  messageIds,
  type PayloadCodec,
  payloadOf,
  Payloads,
  readBatch,
  readClaim,
  readDelivery,
  readFilter,
  readId,
  readPage,
  readRelease,
  readState,
  toState,
  unreadable,
} from "../storage/mod.ts";
import { cannot, checkArray, checkFunction, checkNumber, checkObject, checkOptions, invalid } from "../util/check.ts";
import { addChange, KEPT_MS, Poll, rowsOf } from "./deno_kv/changes.ts";
import {
  type DenoKv,
  type DenoKvAtomic,
  type DenoKvEntry,
  type DenoKvKey,
  Keyspace,
  partsOf,
} from "./deno_kv/keyspace.ts";
import { type Index, indexOf, type Lease, type NewRow, type Row, rowOf } from "./deno_kv/rows.ts";
import { readValue, type Stored, sweep, ValueWriter } from "./deno_kv/values.ts";

export type { DenoKv, DenoKvAtomic, DenoKvEntry, DenoKvKey } from "./deno_kv/keyspace.ts";

/**
 * Options of {@linkcode DenoKvStore}.
 *
 * @category Store
 */
export interface DenoKvStoreOptions {
  /**
   * The beginning of all keys of the store. Keys that do not begin with it are left alone, so one database can hold keys of the user,
   * and several stores.
   *
   * @default {["rockpool"]}
   */
  readonly prefix?: DenoKvKey | undefined;
  /**
   * How often the store looks for changes of other processes while it has listeners, in milliseconds, above 0; `Infinity` for
   * never. A look reads one key if nobody has written. On Deno Deploy reads are charged for.
   *
   * @default {100}
   */
  readonly pollMs?: number | undefined;
  /**
   * For how long an executor on this store owns its runs without renewing its lease, in milliseconds, above 0. Several processes
   * need it. See {@linkcode WorkflowStore.leaseMs}.
   *
   * @default {executors use no leases: one executor at a time runs a workflow}
   */
  readonly leaseMs?: number | undefined;
  /**
   * Encrypts or compresses inputs, results, errors and events. IDs, names, labels, statuses and times are not changed.
   *
   * @default {payloads are JSON texts}
   */
  readonly codec?: PayloadCodec | undefined;
}

/**
 * Options of {@linkcode DenoKvStore.prune}.
 *
 * @category Store
 */
export interface DenoKvPruneOptions {
  /** Finished workflows whose last event is earlier than this time are deleted; a finite number. */
  readonly finishedBefore: number;
}

const OPTIONS: Readonly<Record<keyof DenoKvStoreOptions, true>> = {
  prefix: true,
  pollMs: true,
  leaseMs: true,
  codec: true,
};
/** The largest input, result or error that is stored in the row, in characters or bytes: each append writes the row again. */
const MAX_IN_ROW = 1_000;
/** At most so many messages have a key of their own: a transaction writes at most 1,000 keys, of at most 80 KiB. */
const MAX_MESSAGE_KEYS = 20;
/** An instance deletes what is not used at most this often, in milliseconds. */
const SWEEP_MS = 60_000;

/** What a write does to a workflow. */
interface Edit {
  /** The next head; `null` if the workflow is deleted. */
  readonly head: WorkflowHead | null;
  /** What listeners get. */
  readonly length: number | null;
  /** Whether the events are added to the history. Otherwise they are the history. */
  readonly adds?: boolean;
  /** Whether the workflow becomes the last in the order of creation. */
  readonly moves?: boolean;
  readonly events?: readonly WorkflowEvent[];
  readonly owner?: string | null;
  readonly dueAt?: number;
}

/**
 * Keeps workflows in Deno KV. Several instances, in one process or in several, can share a database. The database stays the user's:
 * who has opened it closes it, after the store.
 *
 * @category Store
 */
export class DenoKvStore implements WorkflowStore {
  /** For how long executors own their runs; see {@linkcode WorkflowStore.leaseMs}. */
  readonly leaseMs: number | undefined;
  readonly #keys: Keyspace;
  readonly #payloads: Payloads;
  readonly #listeners = new Listeners();
  readonly #poll: Poll;
  readonly #by = crypto.randomUUID();
  #closed = false;
  #sweptAt = -Infinity;
  /** Deletes what is not used; it never rejects. */
  #sweeping: Promise<unknown> = Promise.resolve();

  /**
   * Makes a store in an open database. Reads and writes nothing yet.
   *
   * @param kv The database: what `Deno.openKv` returns.
   * @param options The prefix of keys, the poll, and the codec.
   * @throws {TypeError | RangeError} If an argument is of the wrong kind or out of its range, or an option is unknown.
   */
  constructor(kv: DenoKv, options: DenoKvStoreOptions = {}) {
    const action = "create a store";
    checkObject("kv", kv, action);
    checkFunction("kv.atomic", kv.atomic, action);
    checkFunction("kv.commitVersionstamp", kv.commitVersionstamp, action);
    checkOptions(options, OPTIONS, action);
    const { prefix = ["rockpool"], pollMs = 100, leaseMs, codec } = options;
    checkArray("prefix", prefix, action);
    for (const [i, part] of prefix.entries()) {
      if (["string", "number", "bigint", "boolean"].includes(typeof part) || part instanceof Uint8Array) continue;
      throw invalid(`prefix[${i}]`, part, "a part of a key of Deno KV", action);
    }
    if (pollMs !== Infinity) checkNumber("pollMs", pollMs, Number.MIN_VALUE, action);
    if (leaseMs !== undefined) checkNumber("leaseMs", leaseMs, Number.MIN_VALUE, action);
    this.leaseMs = leaseMs;
    this.#payloads = new Payloads(codec);
    this.#keys = new Keyspace(kv, structuredClone(prefix));
    this.#poll = new Poll(this.#keys, this.#by, pollMs, (id, length) => this.#listeners.call(id, length));
  }

  /** Writes the whole state of a workflow; see {@linkcode WorkflowStore.save}. */
  async save(state: WorkflowStateInit): Promise<void> {
    const { head, events, createdAt } = readState(state);
    const { workflowId } = head;
    this.#check("save workflow", workflowId);
    await this.#change(workflowId, (row) => {
      const saved = { ...head, createdAt: createdAt ?? row?.head.createdAt ?? head.createdAt };
      return { head: saved, length: null, events };
    });
    this.#listeners.call(workflowId, null);
  }

  /** Reads the stored state; `null` if there is none. See {@linkcode WorkflowStore.load}. */
  async load(workflowId: string): Promise<WorkflowState | null> {
    const action = "load workflow";
    readId(workflowId, action);
    this.#check(action, workflowId);
    const row = await this.#row(workflowId);
    return row === undefined ? null : await this.#state(row);
  }

  /** Reads a head and the last events; see {@linkcode WorkflowStore.loadSince}. */
  async loadSince(workflowId: string, length: number, runId?: string): Promise<WorkflowTail | null> {
    checkLoadSince(workflowId, length, runId);
    this.#check("load workflow", workflowId);
    const row = await this.#row(workflowId);
    if (row === undefined || runId !== undefined && runId !== row.head.runId) return null;
    return { head: await this.#head(row), events: await this.#events(row, length) };
  }

  /**
   * Lists the states that match, in order of creation; see {@linkcode WorkflowStore.list}. The histories of all of them are read:
   * `page` and `heads` read less at a time. With the status `running`, finished workflows are not read.
   *
   * A workflow whose payloads cannot be read (damaged, or of another codec) is listed without input and result, and with a history
   * that is not valid: `recover()` refuses it alone.
   *
   * @throws {Error} Also if it takes longer than ten minutes: what others delete is kept for that long.
   */
  async list(filter: WorkflowFilter = {}): Promise<WorkflowState[]> {
    const action = "list workflows";
    const query = readFilter(filter, action);
    this.#check(action);
    const states: WorkflowState[] = [];
    if (query.limit === 0) return states;
    for await (const row of rowsOf(this.#keys, query)) {
      states.push(await this.#state(row).catch((error) => unreadable(row.head, error)));
      if (states.length >= query.limit) break;
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
    const { items, cursor } = await this.#page(options, (row) => this.#state(row));
    return { states: items, cursor };
  }

  /**
   * As {@linkcode DenoKvStore.page}, but without the histories; see {@linkcode WorkflowStore.heads}. With a filter, all workflows up
   * to the end of the page are read.
   *
   * @param options Which workflows, how many, and where the page starts.
   * @throws {TypeError | RangeError} As `page` does.
   */
  async heads(options: PageOptions = {}): Promise<HeadPage> {
    const { items, cursor } = await this.#page(options, (row) => this.#head(row));
    return { heads: items, cursor };
  }

  /**
   * Counts the workflows that match; see {@linkcode WorkflowStore.count}. All of them are read, without their histories.
   *
   * @param filter Which workflows.
   * @throws {TypeError | RangeError} As `list` does.
   */
  async count(filter: WorkflowFilter = {}): Promise<number> {
    const action = "count workflows";
    const query = readFilter(filter, action);
    this.#check(action);
    let count = 0;
    for await (const _ of rowsOf(this.#keys, query)) count++;
    return count;
  }

  /** Removes a workflow; see {@linkcode WorkflowStore.delete}. */
  async delete(workflowId: string): Promise<void> {
    const action = "delete workflow";
    readId(workflowId, action);
    this.#check(action, workflowId);
    await this.#delete(workflowId);
  }

  /** Adds events to a run if its history has the expected length; see {@linkcode WorkflowStore.append}. */
  async append(batch: AppendBatch): Promise<void> {
    const copy = readBatch(batch);
    const { workflowId } = copy;
    this.#check("append to workflow", workflowId);
    const edit = await this.#change(workflowId, (row) => appendTo(row, copy));
    if (edit !== undefined) this.#listeners.call(workflowId, edit.length, copy);
  }

  /** Adds messages to the end of a running run; see {@linkcode WorkflowStore.deliver}. */
  async deliver(delivery: Delivery): Promise<DeliveryReceipt> {
    const copy = readDelivery(delivery);
    const { workflowId, events } = copy;
    this.#check("deliver to workflow", workflowId);
    let receipt: DeliveryReceipt | undefined;
    const edit = await this.#change(workflowId, async (row) => {
      const known = row === undefined ? [] : await this.#messages(row, messageIds(events));
      const { added, batch } = acceptDelivery(row?.head ?? null, copy, (id) => known.includes(id));
      const edit = batch && appendTo(row, batch);
      const { runId, historyLength } = edit?.head ?? row!.head;
      receipt = { runId, historyLength, added };
      return edit;
    });
    if (edit !== undefined) this.#listeners.call(workflowId, edit.length);
    return receipt!;
  }

  /**
   * Takes running runs that no living owner has, and that are due; see {@linkcode WorkflowStore.claim}. Looks at all running runs,
   * 200 with one read.
   */
  async claim(options: ClaimOptions): Promise<ClaimedRun[]> {
    const { owner, leaseMs, limit, names, dueBefore } = readClaim(options);
    this.#check("claim workflows");
    const keys = this.#keys;
    const lease = await this.#lease(owner);
    const value: Lease = { owner, endsAt: systemClock.now() + leaseMs };
    if (lease.value === null) await keys.commit(keys.atomic().check(lease).set(lease.key, value));
    const runs: ClaimedRun[] = [];
    if (limit === 0) return runs;
    const living = new Set<string | null>([owner]);
    for await (const entry of keys.list(["lease"])) {
      const other = entry.value as Lease;
      const isOver = other.endsAt <= systemClock.now() && other.owner !== owner;
      if (!isOver || !await keys.commit(keys.atomic().check(entry).delete(entry.key))) living.add(other.owner);
    }
    const matches = (run: Omit<Index, "id">) =>
      !living.has(run.owner) && run.dueAt <= dueBefore && names?.includes(run.name) !== false;
    for await (const { value } of keys.list(["running"])) {
      const run = value as Index;
      if (!matches(run)) continue;
      const row = await this.#edit(run.id, async (row, atomic) => {
        if (row?.head.status !== "running" || !matches(indexOf(row))) return undefined;
        if (row.owner !== null) atomic.check({ ...await this.#lease(row.owner), versionstamp: null }); // it has not begun again
        return this.#put(atomic, { ...row, owner, fence: row.fence + 1 });
      });
      if (row !== undefined) runs.push({ ...await this.#head(row), fence: row.fence });
      if (runs.length >= limit) break;
    }
    return runs;
  }

  /** Extends the lease of an owner; see {@linkcode WorkflowStore.renew}. */
  async renew(owner: string, leaseMs: number): Promise<void> {
    checkLease(owner, leaseMs);
    this.#check("renew a lease");
    for (;;) {
      const lease = await this.#lease(owner);
      if (lease.value === null) throw leaseLost(owner);
      const value: Lease = { owner, endsAt: systemClock.now() + leaseMs };
      if (await this.#keys.commit(this.#keys.atomic().check(lease).set(lease.key, value))) return;
    }
  }

  /** Gives runs back; see {@linkcode WorkflowStore.release}. */
  async release(owner: string, workflowIds?: readonly string[]): Promise<void> {
    const ids = readRelease(owner, workflowIds);
    this.#check("release workflows");
    const give = (id: string) =>
      this.#edit(id, (row, atomic) => row?.owner === owner ? this.#put(atomic, { ...row, owner: null }) : undefined);
    if (ids !== undefined) return void await Promise.all(ids.map(give));
    await this.#keys.commit(this.#keys.atomic().delete((await this.#lease(owner)).key));
    for await (const { value } of this.#keys.list(["running"])) {
      if ((value as Index).owner === owner) await give((value as Index).id);
    }
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
   * Deletes finished workflows. Their histories are deleted by a later {@linkcode DenoKvStore.sweep}, for those who read them now.
   *
   * @param options Which workflows.
   * @returns How many were deleted.
   * @throws {TypeError | RangeError} If an option is unknown, or `finishedBefore` is not a finite number.
   */
  async prune(options: DenoKvPruneOptions): Promise<number> {
    const action = "prune the store";
    checkOptions(options, { finishedBefore: true }, action);
    const { finishedBefore } = options;
    checkNumber("finishedBefore", finishedBefore, -Infinity, action);
    this.#check(action);
    const isOld = ({ head }: Row) => head.status !== "running" && head.updatedAt < finishedBefore;
    let count = 0;
    for await (const row of rowsOf(this.#keys, readFilter())) {
      if (isOld(row) && await this.#delete(row.head.workflowId, isOld)) count++;
    }
    return count;
  }

  /**
   * Deletes what is not used for ten minutes: histories of deleted and replaced workflows, and what processes have left that ended
   * in the middle of a large write. A write that is in flight is not harmed. The store calls it once a minute at most, when it
   * writes.
   *
   * @returns How many histories and unfinished writes it has deleted.
   */
  async sweep(): Promise<number> {
    this.#check("sweep the store");
    return await sweep(this.#keys, systemClock.now() - KEPT_MS);
  }

  /** Ends the poll, and waits until nothing is read any more. Does nothing if it is closed. The database stays open. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([this.#poll.stop(), this.#sweeping]);
  }

  /** Closes the store; see {@linkcode DenoKvStore.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #check(action: string, workflowId?: string): void {
    if (this.#closed) throw new Error(`${cannot(action, workflowId)}: the store is closed`);
  }

  async #row(workflowId: string): Promise<Row | undefined> {
    return rowOf(await this.#keys.get("workflow", ...await partsOf(workflowId)));
  }

  async #lease(owner: string): Promise<DenoKvEntry> {
    return await this.#keys.get("lease", ...await partsOf(owner));
  }

  /**
   * Compares and writes: calls `edit` with the row, and again if another write was faster.
   *
   * @param edit Adds to the transaction, and returns what is returned; `undefined` if there is nothing to do.
   */
  async #edit<T>(
    workflowId: string,
    edit: (row: Row | undefined, atomic: DenoKvAtomic) => T | undefined | Promise<T | undefined>,
  ): Promise<T | undefined> {
    for (;;) {
      const entry = await this.#keys.get("workflow", ...await partsOf(workflowId));
      const atomic = this.#keys.atomic().check(entry);
      const edited = await edit(rowOf(entry), atomic);
      if (edited === undefined || await this.#keys.commit(atomic)) return edited;
    }
  }

  /** As {@linkcode #edit}, for a change that others see. */
  async #change(
    workflowId: string,
    edit: (row: Row | undefined) => Edit | undefined | Promise<Edit | undefined>,
  ): Promise<Edit | undefined> {
    const keys = this.#keys;
    const changed = await this.#edit(workflowId, async (row, atomic) => {
      const change = await edit(row);
      if (change === undefined) return undefined;
      const { head, length, moves } = change;
      if (row !== undefined && !change.adds) atomic.set(keys.key("unused", row.data), systemClock.now());
      if (row !== undefined && (head === null || moves)) {
        for (const index of ["order", "running"]) atomic.delete(keys.key(index, row.place));
      }
      if (head === null) atomic.delete(keys.key("workflow", ...await partsOf(workflowId)));
      else await this.#put(atomic, await this.#write(atomic, row, head, change));
      addChange(keys, atomic, { id: workflowId, length, by: this.#by, before: row });
      return change;
    });
    const now = systemClock.now();
    if (now - this.#sweptAt > SWEEP_MS) {
      this.#sweptAt = now;
      this.#sweeping = sweep(keys, now - KEPT_MS).catch(() => {}); // the next one repeats it
    }
    return changed;
  }

  /** Writes events and payloads. Returns the next row. */
  async #write(
    atomic: DenoKvAtomic,
    row: Row | undefined,
    { input, result, error, ...head }: WorkflowHead,
    { adds, moves, events = [], owner = null, dueAt = -Infinity }: Edit,
  ): Promise<NewRow> {
    const keys = this.#keys;
    const data = adds ? row!.data : crypto.randomUUID();
    const first = adds ? row!.head.historyLength : 0;
    const values = new ValueWriter(keys, this.#payloads, head.workflowId, data);
    if (events.length > 0) atomic.set(keys.key("data", data, first), await values.write(events));
    const messages = [...new Set(messageIds(events))];
    if (messages.length > MAX_MESSAGE_KEYS) {
      atomic.set(keys.key("data", data, "messages", first), await values.write(messages));
    } else {
      for (const id of messages) atomic.set(keys.key("data", data, "message", ...await partsOf(id)), 1);
    }
    const outcome = payloadOf({ result, error });
    const next = {
      head,
      input: adds ? row!.input : input === undefined ? undefined : await values.write(input, MAX_IN_ROW),
      outcome: adds && head.status === "running" ? row!.outcome : outcome && await values.write(outcome, MAX_IN_ROW),
      data,
      place: moves ? undefined : row?.place,
      owner,
      fence: moves ? 0 : row?.fence ?? 0,
      dueAt,
    };
    await values.finish(atomic);
    return next;
  }

  /** Writes a row, and what it is looked up by. */
  async #put<T extends NewRow>(atomic: DenoKvAtomic, row: T): Promise<T> {
    const { head: { workflowId, status }, place = this.#keys.stamp() } = row;
    atomic.set(this.#keys.key("workflow", ...await partsOf(workflowId)), row);
    if (row.place === undefined) atomic.set(this.#keys.key("order", place), workflowId);
    if (status === "running") atomic.set(this.#keys.key("running", place), indexOf(row));
    else if (row.place !== undefined) atomic.delete(this.#keys.key("running", place));
    return row;
  }

  /** @param isMeant Whether it is deleted; always by default. */
  async #delete(workflowId: string, isMeant: (row: Row) => boolean = () => true): Promise<boolean> {
    const edit = await this.#change(
      workflowId,
      (row) => row !== undefined && isMeant(row) ? { head: null, length: null } : undefined,
    );
    if (edit !== undefined) this.#listeners.call(workflowId, null);
    return edit !== undefined;
  }

  async #page<T>(
    options: PageOptions,
    read: (row: Row) => Promise<T>,
  ): Promise<{ items: T[]; cursor: string | undefined }> {
    const action = "list workflows";
    checkObject("options", options, action);
    const { cursor, ...rest } = options; // a place is a text here
    const { query: { limit, ...query } } = readPage(rest, action);
    const { order } = query;
    const [, after, of] = /^([0-9a-f]{20})(asc|desc)$/.exec(cursor ?? "") ?? [];
    if (cursor !== undefined && order !== of) {
      throw invalid("cursor", cursor, `the cursor of a page with "order" "${order}"`, action);
    }
    this.#check(action);
    const rows: Row[] = [];
    for await (const row of rowsOf(this.#keys, { ...query, limit }, after)) if (rows.push(row) > limit) break;
    const hasNext = rows.length > limit;
    if (hasNext) rows.pop();
    return { items: await Promise.all(rows.map(read)), cursor: hasNext ? rows.at(-1)!.place + order : undefined };
  }

  #read({ head, data }: Row, stored: Stored): Promise<unknown> {
    return readValue(this.#keys, this.#payloads, head.workflowId, data, stored);
  }

  async #head(row: Row): Promise<WorkflowHead> {
    const head = { ...row.head };
    if (row.input !== undefined) Object.assign(head, { input: await this.#read(row, row.input) });
    if (row.outcome !== undefined) Object.assign(head, await this.#read(row, row.outcome));
    return head;
  }

  async #state(row: Row): Promise<WorkflowState> {
    const [head, history] = await Promise.all([this.#head(row), this.#events(row, 0)]);
    return toState(head, history);
  }

  /** The events from an index on. */
  async #events(row: Row, from: number): Promise<WorkflowEvent[]> {
    const { workflowId, historyLength } = row.head;
    if (from >= historyLength) return [];
    const parts = ["data", row.data];
    let first = from; // of an append
    for await (const { key } of this.#keys.list(parts, { from: 0, to: from + 1, reverse: true, limit: 1 })) {
      first = key.at(-1) as number;
    }
    const events: WorkflowEvent[] = [];
    for await (const { value } of this.#keys.list(parts, { from: first, to: historyLength })) {
      events.push(...await this.#read(row, value as Stored) as WorkflowEvent[]);
    }
    if (first + events.length === historyLength) return first === from ? events : events.slice(from - first);
    const why = `${events.length} of its ${historyLength - first} events are stored`;
    throw new WorkflowError("invalid_history", `${cannot("read workflow", workflowId)}: ${why}`);
  }

  /** Which of some messages a run has. */
  async #messages(row: Row, ids: readonly string[]): Promise<string[]> {
    const keys = this.#keys;
    const parts = ["data", row.data] as const;
    const entries = await keys.getMany(
      await Promise.all(ids.map(async (id) => keys.key(...parts, "message", ...await partsOf(id)))),
    );
    const known = ids.filter((_, i) => entries[i].value !== null);
    for await (const { value } of keys.list([...parts, "messages"])) {
      known.push(...await this.#read(row, value as Stored) as string[]);
    }
    return known;
  }
}

/** What an append does to a workflow; `undefined` for nothing. */
function appendTo(row: Row | undefined, batch: AppendBatch): Edit | undefined {
  const head = row?.head ?? null;
  checkOwner(head, row?.owner, batch);
  const next = applyToHead(head, batch);
  const kind = batchKind(batch);
  if (kind === "confirm") return undefined;
  const moves = kind === "create";
  const owner = moves ? batch.owner ?? null : row!.owner;
  const { events } = batch;
  return {
    head: next,
    length: next.historyLength,
    adds: kind === "append",
    moves,
    events,
    owner,
    dueAt: dueAt(batch.wakeAt),
  };
}
