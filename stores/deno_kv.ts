/**
 * A store in Deno KV: in a file, in a database that `denokv` serves, or on Deno Deploy. Several processes can share it.
 *
 * `Deno.Kv` is unstable: a program that calls `Deno.openKv` needs `deno run --unstable-kv`, or `"unstable": ["kv"]` in its
 * `deno.json`. This module needs no flag.
 *
 * 1. A write is stored as Deno KV promises it when its promise settles. Each is one transaction.
 * 2. `list` shows one moment, and ends beside writers that never stop.
 * 3. Deno KV holds values of at most 64 KiB, and transactions of at most 800 KiB and 1,000 writes. Larger inputs, results, errors
 *    and batches of events are cut into pieces, and may be of any size. The IDs, the name and the labels of a workflow have at most
 *    14,000 characters together.
 * 4. All keys are below a prefix. The database may hold keys of the user.
 *
 * @example
 * ```ts
 * import { Executor, type WorkflowContext } from "@rockpool/workflow";
 * import { DenoKvStore } from "@rockpool/workflow/deno-kv";
 * import { assertEquals } from "@std/assert";
 *
 * using kv = await Deno.openKv(":memory:"); // or Deno.openKv("orders.db")
 * await using store = new DenoKvStore(kv);
 * await using executor = new Executor({ store });
 * const greet = async (ctx: WorkflowContext<string>, name: string) => await ctx.executeActivity(() => `Hello, ${name}`);
 * const handle = await executor.execute(greet, { id: "greet-1", input: "Ada" });
 * assertEquals(await handle.result(), "Hello, Ada");
 * ```
 *
 * @module
 */

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
  checkLease,
  checkLoadSince,
  Listeners,
  messageIds,
  type PayloadCodec,
  Payloads,
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
  toCursor,
  unreadable,
} from "../storage/mod.ts";
import { addListener } from "../storage/listeners.ts";
import { cannot, checkArray, checkFunction, checkNumber, checkObject, checkOptions, invalid } from "../util/check.ts";
import { KEPT_MS, Poll, rowsOf } from "./deno_kv/changes.ts";
import { type DenoKv, type DenoKvKey, Keyspace } from "./deno_kv/keyspace.ts";
import { claim, release, renew } from "./deno_kv/leases.ts";
import type { Row } from "./deno_kv/rows.ts";
import { sweep } from "./deno_kv/values.ts";
import { appendTo, Workflows } from "./deno_kv/workflows.ts";

export type { DenoKv, DenoKvAtomic, DenoKvEntry, DenoKvKey } from "./deno_kv/keyspace.ts";
export type { PruneOptions };

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
   * For how long an executor on this store owns its runs without renewing its lease, in milliseconds, above 0; see
   * {@linkcode WorkflowStore.leaseMs}.
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

const OPTIONS: Readonly<Record<keyof DenoKvStoreOptions, true>> = {
  prefix: true,
  pollMs: true,
  leaseMs: true,
  codec: true,
}; /** What a place looks like. */
const VERSIONSTAMP = /^[0-9a-f]{20}$/;
/** How many workflows `prune` deletes at the same time. */
const PRUNED_AT_ONCE = 50;

/** A store works with `await using`. */
export interface DenoKvStore {
  /** The same as {@linkcode DenoKvStore.close}. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Keeps workflows in Deno KV. Several instances, in one process or in several, can share a database. The database stays the user's:
 * who has opened it closes it, after the store.
 *
 * @category Store
 */
export class DenoKvStore implements WorkflowStore {
  /** For how long executors own their runs; see {@linkcode WorkflowStore.leaseMs}. */
  readonly leaseMs: number;
  readonly #keys: Keyspace;
  readonly #workflows: Workflows;
  readonly #listeners = new Listeners();
  readonly #poll: Poll;
  #closed = false;

  /**
   * Makes a store in an open database. Reads and writes nothing yet.
   *
   * @param kv The database: what `Deno.openKv` returns.
   * @param options The prefix of keys, the poll, and the codec.
   * @throws {TypeError | RangeError} If an argument is of the wrong kind or out of its range, or an option is unknown.
   */
  constructor(kv: DenoKv, options: DenoKvStoreOptions = {}) {
    this[Symbol.asyncDispose] = () => this.close(); // not a method: with a computed name, bundlers cannot drop the class
    const action = "create a store";
    checkObject("kv", kv, action);
    checkFunction("kv.atomic", kv.atomic, action);
    checkFunction("kv.commitVersionstamp", kv.commitVersionstamp, action);
    checkOptions(options, OPTIONS, action);
    const { prefix = ["rockpool"], pollMs = 100, leaseMs = 10_000, codec } = options;
    checkArray("prefix", prefix, action);
    for (const [i, part] of prefix.entries()) {
      if (["string", "number", "bigint", "boolean"].includes(typeof part) || part instanceof Uint8Array) continue;
      throw invalid(`prefix[${i}]`, part, "a part of a key of Deno KV", action);
    }
    if (pollMs !== Infinity) checkNumber("pollMs", pollMs, Number.MIN_VALUE, action);
    checkNumber("leaseMs", leaseMs, Number.MIN_VALUE, action);
    this.leaseMs = leaseMs;
    this.#keys = new Keyspace(kv, structuredClone(prefix));
    const by = crypto.randomUUID();
    this.#workflows = new Workflows(this.#keys, new Payloads(codec), by);
    this.#poll = new Poll(this.#keys, by, pollMs, (id, length) => this.#listeners.call(id, length));
  }

  /** Writes the whole state of a workflow; see {@linkcode WorkflowStore.save}. */
  async save(state: WorkflowStateInit): Promise<void> {
    const { head, events, createdAt } = readState(state);
    const { workflowId } = head;
    this.#check("save workflow", workflowId);
    await this.#workflows.change(workflowId, (row) => {
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
    const row = await this.#workflows.row(workflowId);
    return row === undefined ? null : await this.#workflows.state(row);
  }

  /** Reads a head and the last events; see {@linkcode WorkflowStore.loadSince}. */
  async loadSince(workflowId: string, length: number, runId?: string): Promise<WorkflowTail | null> {
    checkLoadSince(workflowId, length, runId);
    this.#check("load workflow", workflowId);
    const row = await this.#workflows.row(workflowId);
    if (row === undefined || runId !== undefined && runId !== row.head.runId) return null;
    return { head: await this.#workflows.head(row), events: await this.#workflows.events(row, length) };
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
      states.push(await this.#workflows.state(row).catch((error) => unreadable(row.head, error)));
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
    const { items, cursor } = await this.#page(options, (row) => this.#workflows.state(row));
    return { states: items, cursor };
  }

  /**
   * As {@linkcode DenoKvStore.page}, but without the histories; see {@linkcode WorkflowStore.heads}. With a filter, all heads up to
   * the end of the page are read. A payload that cannot be read is left out.
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
    const edit = await this.#workflows.change(workflowId, (row) => appendTo(row, copy));
    if (edit !== undefined) this.#listeners.call(workflowId, edit.length, copy);
  }

  /** Adds messages to the end of a running run; see {@linkcode WorkflowStore.deliver}. */
  async deliver(delivery: Delivery): Promise<DeliveryReceipt> {
    const copy = readDelivery(delivery);
    const { workflowId, events } = copy;
    this.#check("deliver to workflow", workflowId);
    let receipt: DeliveryReceipt | undefined;
    const edit = await this.#workflows.change(workflowId, async (row) => {
      const known = row === undefined ? undefined : await this.#workflows.messages(row, messageIds(events));
      const { added, batch } = acceptDelivery(row?.head ?? null, copy, (id) => known!.has(id));
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
    const copy = readClaim(options);
    this.#check("claim workflows");
    const rows = await claim(this.#keys, this.#workflows, copy);
    return await Promise.all(rows.map(async (row) => ({ ...await this.#head(row), fence: row.fence })));
  }

  /** Extends the lease of an owner; see {@linkcode WorkflowStore.renew}. */
  async renew(owner: string, leaseMs: number): Promise<void> {
    checkLease(owner, leaseMs);
    this.#check("renew a lease");
    await renew(this.#keys, owner, leaseMs);
  }

  /** Gives runs back; see {@linkcode WorkflowStore.release}. */
  async release(owner: string, workflowIds?: readonly string[]): Promise<void> {
    const ids = readRelease(owner, workflowIds);
    this.#check("release workflows");
    await release(this.#keys, this.#workflows, owner, ids);
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
   * Deletes finished workflows. Their histories are deleted by a later {@linkcode DenoKvStore.sweep}, for those who read them now.
   *
   * @param options Which workflows.
   * @returns How many were deleted.
   * @throws {TypeError | RangeError} If an option is unknown, or `finishedBefore` is not a finite number.
   */
  async prune(options: PruneOptions): Promise<number> {
    const action = "prune the store";
    const finishedBefore = readPrune(options, action);
    this.#check(action);
    const isOld = ({ head }: Row) => head.status !== "running" && head.updatedAt < finishedBefore;
    let count = 0;
    let deleting: Promise<boolean>[] = [];
    const settle = async () => {
      for (const deleted of await Promise.all(deleting)) if (deleted) count++;
      deleting = [];
    };
    for await (const row of rowsOf(this.#keys, readFilter())) {
      if (isOld(row) && deleting.push(this.#delete(row.head.workflowId, isOld)) === PRUNED_AT_ONCE) await settle();
    }
    await settle();
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
    await Promise.all([this.#poll.stop(), this.#workflows.sweeping]);
  }

  #check(action: string, workflowId?: string): void {
    if (this.#closed) throw new Error(`${cannot(action, workflowId)}: the store is closed`);
  }

  /** A head for a list: without input and result if they cannot be read. */
  #head(row: Row): Promise<WorkflowHead> {
    return this.#workflows.head(row).catch(() => row.head);
  }

  /** @param isMeant Whether it is deleted; always by default. */
  async #delete(workflowId: string, isMeant: (row: Row) => boolean = () => true): Promise<boolean> {
    const edit = await this.#workflows.change(
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
    const { query, place } = readPage(options, action, VERSIONSTAMP);
    const { limit, order } = query;
    this.#check(action);
    const rows: Row[] = [];
    for await (const row of rowsOf(this.#keys, query, place)) if (rows.push(row) > limit) break;
    const hasNext = rows.length > limit;
    if (hasNext) rows.pop();
    return {
      items: await Promise.all(rows.map(read)),
      cursor: hasNext ? toCursor(rows.at(-1)!.place, order) : undefined,
    };
  }
}
