/**
 * The in-memory store: workflows in the memory of the process.
 *
 * Owns the stored states. Does not know what an executor is. Its parts are in `storage/`.
 *
 * 1. What is saved is copied and frozen. What is loaded is shared, because nobody can change it.
 * 2. A method reads its argument at the call, and does its work in one step under a readers-writer lock. If the lock is free,
 *    that step is done when the call returns.
 * 3. An append costs as much as the batch. The frozen history is built by the next load, and kept.
 * 4. Lists are in order of creation. A new run under an old ID is a new creation; an overwrite is not.
 * 5. Without options, the store keeps everything. With limits, it removes finished workflows, never running ones, and refuses
 *    what does not fit. It sets no timer: an expired workflow is removed by the next call.
 *
 * A third of this module is doc comments.
 *
 * @example
 * ```ts
 * import { InMemoryStore } from "@rockpool/workflow";
 * import { assertEquals } from "@std/assert";
 *
 * const store = new InMemoryStore();
 * await store.save({ workflowId: "a", status: "running", input: { n: 1 } });
 * await store.save({ workflowId: "b", status: "completed" });
 * const running = await store.list({ status: "running", limit: 10 });
 * assertEquals(running.map((state) => state.workflowId), ["a"]);
 * ```
 *
 * @module
 */

import { type Permit, RWLock } from "./lock.ts";
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
  WorkflowState,
  WorkflowStateInit,
  WorkflowStore,
  WorkflowTail,
} from "./types.ts";
import { advanceRun, applyBatch, batchKind, beginRun, checkConflict, finalStatus, toHead } from "./history/history.ts";
import { acceptDelivery } from "./history/messages.ts";
import { Entries } from "./storage/entries.ts";
import { Entry } from "./storage/entry.ts";
import {
  checkLease,
  checkLoadSince,
  type Draft,
  readBatch,
  readClaim,
  readDelivery,
  readRelease,
  toDraft,
} from "./storage/arguments.ts";
import { Leases } from "./storage/leases.ts";
import { type InMemoryStoreOptions, Limits } from "./storage/limits.ts";
import { Listeners } from "./storage/listeners.ts";
import { readFilter, readPage, toCursor } from "./storage/filter.ts";
import { readSnapshot, writeSnapshot } from "./storage/snapshot.ts";
import { type StoreChange, type StoreWatch, Watches, type WatchOptions } from "./storage/watch.ts";
import { checkFunction, checkText, invalid } from "./util/check.ts";
import { isThenable } from "./util/deferred.ts";

export { applyBatch };
export type { InMemoryStoreOptions, StoreChange, StoreWatch, WatchOptions };

/**
 * A page of {@linkcode InMemoryStore.page}.
 *
 * @category Store
 */
export interface WorkflowPage {
  /** The states, in the order of the request. */
  readonly states: WorkflowState[];
  /** Where the next page starts; `undefined` if this is the last page. */
  readonly cursor: string | undefined;
}

/**
 * Keeps workflows in the memory of the process.
 *
 * @category Store
 */
export class InMemoryStore implements WorkflowStore {
  readonly #lock = new RWLock();
  readonly #limits: Limits;
  readonly #entries: Entries;
  readonly #listeners = new Listeners();
  readonly #watches = new Watches((workflowId) => this.#stored(workflowId));
  /** Made when the first owner comes. */
  #leases: Leases | undefined;

  /**
   * Makes an empty store.
   *
   * @param options The limits and the clock; each is optional.
   * @throws {TypeError} If `options` is no object or has an unknown option, or `whenFull` is not known.
   * @throws {RangeError} If a number is out of its range.
   */
  constructor(options: InMemoryStoreOptions = {}) {
    this.#limits = new Limits(options);
    this.#entries = new Entries(this.#limits.clock);
  }

  /** For how long executors own their runs, as the option says; see {@linkcode WorkflowStore.leaseMs}. */
  get leaseMs(): number | undefined {
    return this.#limits.leaseMs;
  }

  /** The number of stored workflows. */
  get size(): number {
    if (!this.#lock.writing) this.#expire();
    return this.#entries.size;
  }

  /** Writes a whole state; see {@linkcode WorkflowStore.save}. */
  save(state: WorkflowStateInit): Promise<void> {
    return this.#enter(true, () => toDraft(state, this.#entries), (draft) => this.#commit(draft));
  }

  /**
   * Reads the stored state; `null` if there is none. See {@linkcode WorkflowStore.load}. Returns the same object until the
   * state changes, unless it holds a value that freezing cannot protect, such as a `Date`.
   */
  load(workflowId: string): Promise<WorkflowState | null> {
    let permit: Permit | null = null;
    try { // #enter by hand: its closures take a fifth of the time
      checkText("workflowId", workflowId, "load workflow");
      permit = this.#lock.tryAcquireRead();
      if (permit === null) return this.#wait(false, () => this.#stored(workflowId));
      this.#expire();
      return Promise.resolve(this.#stored(workflowId));
    } catch (error) {
      return Promise.reject(error);
    } finally {
      permit?.release();
    }
  }

  /** Reads a head, and the events from an index on; see {@linkcode WorkflowStore.loadSince}. */
  loadSince(workflowId: string, length: number, runId?: string): Promise<WorkflowTail | null> {
    return this.#enter(false, () => checkLoadSince(workflowId, length, runId), () => {
      const entry = this.#entries.get(workflowId);
      return entry === undefined || entry.fields.runId !== (runId ?? entry.fields.runId) ? null : entry.tail(length);
    });
  }

  /**
   * Lists the states that match, in order of creation; see {@linkcode WorkflowStore.list}.
   *
   * Statuses are looked up. Times are looked up too, unless states were saved with a `createdAt` out of order. Names, prefixes
   * and labels are compared with those of each remaining workflow.
   *
   * @throws {TypeError} Also if the filter has an unknown property: it would match everything.
   */
  list(filter: WorkflowFilter = {}): Promise<WorkflowState[]> {
    return this.#enter(false, () => readFilter(filter, "list workflows"), (query) => {
      const states: WorkflowState[] = [];
      if (query.limit > 0) this.#entries.visit(query, undefined, ({ state }) => states.push(state) < query.limit);
      return states;
    });
  }

  /**
   * Lists one page of the states that match. Writes between two pages do not matter: no workflow is repeated, and no workflow
   * that was stored all the time is left out. (A new run under an old ID is a new workflow.) A cursor stays valid when its
   * workflow is deleted, and in a restored store.
   *
   * @param options Which workflows, how many, and where the page starts.
   * @throws {TypeError | RangeError} As `list` does; also if `limit` is not an integer from 1, or `cursor` is not that of
   * a page with the same `order`.
   *
   * @example
   * ```ts
   * import { InMemoryStore } from "@rockpool/workflow";
   * import { assertEquals } from "@std/assert";
   *
   * const store = new InMemoryStore();
   * for (const workflowId of ["a", "b", "c"]) await store.save({ workflowId, status: "running" });
   * const first = await store.page({ limit: 2 });
   * await store.delete("b");
   * const second = await store.page({ limit: 2, cursor: first.cursor });
   * assertEquals(second.states.map((state) => state.workflowId), ["c"]);
   * assertEquals(second.cursor, undefined);
   * ```
   */
  page(options: PageOptions = {}): Promise<WorkflowPage> {
    return this.#page(options, ({ state }) => state, (states, cursor) => ({ states, cursor }));
  }

  /** As {@linkcode InMemoryStore.page}, without the histories; see {@linkcode WorkflowStore.heads}. */
  heads(options: PageOptions = {}): Promise<HeadPage> {
    return this.#page(options, ({ head }) => head, (heads, cursor) => ({ heads, cursor }));
  }

  /**
   * Iterates over the states that match, while others write. Each state is read when it is handed out. As with
   * {@linkcode InMemoryStore.page}, no workflow is repeated or left out.
   *
   * @param filter Which workflows, and in which order.
   * @throws {TypeError | RangeError} As `list` does, at the call.
   */
  walk(filter: WorkflowFilter = {}): AsyncIterableIterator<WorkflowState> {
    const query = readFilter(filter, "walk workflows");
    let after: number | undefined;
    const next = () => {
      let found: WorkflowState | undefined;
      this.#entries.visit(query, after, ({ place, state }) => {
        after = place;
        found = state;
        return false;
      });
      return found;
    };
    const enter = () => this.#enter(false, () => {}, next);
    return async function* () {
      for (let count = 0; count < query.limit; count++) {
        const state = await enter();
        if (state === undefined) return;
        yield state;
      }
    }();
  }

  /**
   * Counts the workflows that match. `limit` and `order` have no effect. A count by status alone takes constant time.
   *
   * @param filter Which workflows.
   * @throws {TypeError | RangeError} As `list` does.
   */
  count(filter: WorkflowFilter = {}): Promise<number> {
    return this.#enter(false, () => readFilter(filter, "count workflows"), (query) => this.#entries.count(query));
  }

  /**
   * Reads a workflow, changes it and writes it in one atomic step. The store is locked until `change` has settled, so `change`
   * must not wait for a method of the store.
   *
   * @param workflowId The workflow's ID.
   * @param change Receives the stored state, or `null`, and returns the state to save, or `null` to change nothing. If it
   * throws or rejects, nothing is changed.
   * @returns The state that is stored afterwards.
   * @throws {TypeError} If an argument or the result of `change` is of the wrong kind, or the result has another ID.
   * @throws What `change` throws, and what `save` throws.
   *
   * @example
   * ```ts
   * import { InMemoryStore } from "@rockpool/workflow";
   * import { assertEquals } from "@std/assert";
   *
   * const store = new InMemoryStore();
   * const visit = () =>
   *   store.update("a", (state) => ({
   *     workflowId: "a",
   *     status: "running",
   *     input: (state?.input as number ?? 0) + 1,
   *   }));
   * await Promise.all([visit(), visit(), visit()]);
   * assertEquals((await store.load("a"))?.input, 3);
   * ```
   */
  update(
    workflowId: string,
    change: (
      state: WorkflowState | null,
    ) => WorkflowStateInit | null | undefined | PromiseLike<WorkflowStateInit | null | undefined>,
  ): Promise<WorkflowState | null> {
    const action = "update workflow";
    const save = (state: WorkflowStateInit | null | undefined) => {
      if (state !== null && state !== undefined) {
        const draft = toDraft(state, this.#entries);
        if (draft.fields.workflowId !== workflowId) {
          throw invalid("workflowId", draft.fields.workflowId, "the ID of the workflow", action, workflowId);
        }
        this.#commit(draft);
      }
      return this.#stored(workflowId);
    };
    try {
      checkText("workflowId", workflowId, action);
      checkFunction("change", change, action, workflowId);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#lock.write(() => {
      this.#expire();
      const changed = change(this.#stored(workflowId));
      return isThenable(changed) ? Promise.resolve(changed).then(save) : save(changed);
    });
  }

  /** Removes a workflow; see {@linkcode WorkflowStore.delete}. */
  delete(workflowId: string): Promise<void> {
    return this.#enter(true, () => checkText("workflowId", workflowId, "delete workflow"), () => {
      const entry = this.#entries.get(workflowId);
      if (entry !== undefined) this.#remove(entry);
    });
  }

  /** Adds events to a run if its history has the expected length; see {@linkcode WorkflowStore.append}. */
  append(batch: AppendBatch): Promise<void> {
    let permit: Permit | null = null;
    try { // #enter by hand, as in load
      const copy = readBatch(batch);
      permit = this.#lock.tryAcquireWrite();
      if (permit === null) return this.#wait(true, () => this.#append(copy));
      this.#expire();
      return Promise.resolve(this.#append(copy));
    } catch (error) {
      return Promise.reject(error);
    } finally {
      permit?.release();
    }
  }

  /** Adds messages to the end of a running run; see {@linkcode WorkflowStore.deliver}. */
  deliver(delivery: Delivery): Promise<DeliveryReceipt> {
    return this.#enter(true, () => readDelivery(delivery), (copy) => {
      const entry = this.#entries.get(copy.workflowId);
      const head = entry === undefined ? null : toHead(entry.fields, entry.events);
      const { added, batch } = acceptDelivery(head, copy, (messageId) => entry!.has(messageId));
      if (batch !== undefined) this.#append(batch);
      return { runId: entry!.fields.runId, historyLength: entry!.events.length, added };
    });
  }

  /**
   * Takes running runs that no living owner has, and that are due; see {@linkcode WorkflowStore.claim}. Looks at each running run.
   */
  claim(options: ClaimOptions): Promise<ClaimedRun[]> {
    return this.#enter(true, () => readClaim(options), ({ owner, leaseMs, limit, names, dueBefore }) => {
      const leases = this.#leases ??= new Leases(this.#limits.clock);
      const runs: ClaimedRun[] = [];
      if (limit > 0) leases.endOthers(owner);
      this.#visitRunning((entry) => {
        if (runs.length >= limit) return false;
        const fence = names?.includes(entry.fields.workflowName) === false ? 0 : leases.take(entry, owner, dueBefore);
        if (fence > 0) runs.push({ ...entry.head, fence });
        return true;
      });
      leases.begin(owner, leaseMs);
      return runs;
    });
  }

  /** Extends the lease of an owner; see {@linkcode WorkflowStore.renew}. */
  renew(owner: string, leaseMs: number): Promise<void> {
    const check = () => checkLease(owner, leaseMs);
    return this.#enter(true, check, () => (this.#leases ?? new Leases(this.#limits.clock)).renew(owner, leaseMs));
  }

  /** Gives runs back; see {@linkcode WorkflowStore.release}. */
  release(owner: string, workflowIds?: readonly string[]): Promise<void> {
    return this.#enter(true, () => readRelease(owner, workflowIds), (ids) => {
      const leases = this.#leases;
      if (leases === undefined) return;
      for (const id of ids ?? []) {
        const entry = this.#entries.get(id);
        if (entry !== undefined) leases.release(entry, owner);
      }
      if (ids !== undefined) return;
      leases.end(owner);
      this.#visitRunning((entry) => {
        leases.release(entry, owner);
        return true;
      });
    });
  }

  /** Calls `listener` after each change; see {@linkcode WorkflowStore.subscribe}. */
  subscribe(listener: StoreListener): () => void {
    return this.#listeners.add(listener);
  }

  /**
   * Watches the changes from now on, as an async iterable. No change is missed or repeated. A reader that is slower than the
   * writers gets the newest state of a workflow, and the number of changes that it `skipped`. So there are never more unread
   * changes than workflows.
   *
   * A watch ends with `break`, an abort of `signal`, its own `close()`, or {@linkcode InMemoryStore.closeWatches}.
   *
   * @param options What to watch, and how to end the watch.
   * @throws {TypeError} If an option is unknown or of the wrong kind.
   *
   * @example
   * ```ts
   * import { InMemoryStore } from "@rockpool/workflow";
   * import { assertEquals } from "@std/assert";
   *
   * const store = new InMemoryStore();
   * const changes = store.watch({ id: "a" });
   * await store.save({ workflowId: "a", status: "running" });
   * await store.save({ workflowId: "a", status: "completed" });
   * for await (const { state, skipped } of changes) {
   *   assertEquals([state?.status, skipped], ["completed", 1]);
   *   break;
   * }
   * ```
   */
  watch(options: WatchOptions = {}): StoreWatch {
    return this.#watches.open(options);
  }

  /** Ends every watch. Earlier changes can still be read, and the store can still be used. */
  closeWatches(): void {
    this.#watches.close();
  }

  /**
   * Writes all workflows as a JSON text, for a fixture, a bug report or the next process. Each workflow has a line of its own.
   *
   * {@linkcode InMemoryStore.restore} makes a store of the text that holds the same workflows in the same order. Values that
   * JSON does not have are kept: `undefined`, `bigint`, `Date`, `Map`, `Set`, `NaN`, typed arrays, errors, cycles …
   *
   * @throws {TypeError} If a value cannot be written as text, such as a `Blob`. Names the workflow and the path.
   *
   * @example
   * ```ts
   * import { InMemoryStore } from "@rockpool/workflow";
   * import { assertEquals } from "@std/assert";
   *
   * const store = new InMemoryStore();
   * await store.save({ workflowId: "a", status: "running", input: { since: new Date(0), seen: new Set([1n]) } });
   * const restored = InMemoryStore.restore(await store.snapshot());
   * assertEquals(await restored.load("a"), await store.load("a"));
   * ```
   */
  snapshot(): Promise<string> {
    return this.#enter(false, () => {}, () => writeSnapshot(this.#entries.stored(), this.#entries.nextPlace));
  }

  /**
   * Makes a store of a text of {@linkcode InMemoryStore.snapshot}. The running workflows can be resumed by `recover()` of an
   * executor. The order of creation, cursors, and the times at which workflows finished stay the same.
   *
   * @param text The text.
   * @param options Options of the new store. Expired workflows are left out. If there are more than `maxWorkflows`, finished
   * ones are evicted if `whenFull` allows it.
   * @throws {TypeError} If `text` is no string or is empty, or an option is bad.
   * @throws {WorkflowError} With code `invalid_snapshot` if the text is damaged, of a later version, or no snapshot; with code
   * `capacity_exceeded` if it does not fit.
   */
  static restore(text: string, options?: InMemoryStoreOptions): InMemoryStore {
    const { workflows, nextPlace } = readSnapshot(text);
    const store = new InMemoryStore(options);
    store.#entries.restore(workflows, nextPlace);
    store.#expire();
    store.#makeRoom(0, "restore a store");
    return store;
  }

  /**
   * Prepares at the call, and runs `body` under the lock: also at the call if the lock is free. A synchronous body cannot
   * be interrupted, so it needs no place in the queue.
   */
  #enter<A, T>(write: boolean, prepare: () => A, body: (prepared: A) => T): Promise<T> {
    let permit: Permit | null = null;
    try {
      const prepared = prepare();
      permit = write ? this.#lock.tryAcquireWrite() : this.#lock.tryAcquireRead();
      if (permit === null) return this.#wait(write, () => body(prepared));
      this.#expire();
      return Promise.resolve(body(prepared));
    } catch (error) {
      return Promise.reject(error);
    } finally {
      permit?.release();
    }
  }

  #wait<T>(write: boolean, body: () => T): Promise<T> {
    const enter = () => {
      this.#expire();
      return body();
    };
    return write ? this.#lock.write(enter) : this.#lock.read(enter);
  }

  #page<T, Page>(
    options: PageOptions,
    pick: (entry: Entry) => T,
    toPage: (items: T[], cursor: string | undefined) => Page,
  ): Promise<Page> {
    return this.#enter(false, () => readPage(options, "list workflows"), ({ query, after }) => {
      const items: T[] = [];
      let cursor: string | undefined;
      let place = 0;
      this.#entries.visit(query, after, (entry) => {
        if (items.length === query.limit) cursor = toCursor(place, query.order); // there is a next page
        else items.push(pick(entry));
        place = entry.place;
        return cursor === undefined;
      });
      return toPage(items, cursor);
    });
  }

  #visitRunning(visit: (entry: Entry) => boolean): void {
    this.#entries.visit(readFilter({ status: "running" }), undefined, visit);
  }

  #stored(workflowId: string): WorkflowState | null {
    return this.#entries.get(workflowId)?.state ?? null;
  }

  #commit({ fields, events, createdAt, clean }: Draft): void {
    const { workflowId } = fields;
    const entry = this.#entries.get(workflowId);
    if (events.length > Math.max(this.#limits.maxEventsPerWorkflow, entry?.events.length ?? 0)) {
      throw this.#limits.tooLong(events.length, "save workflow", workflowId);
    }
    fields.createdAt = createdAt ?? entry?.fields.createdAt ?? fields.createdAt;
    if (entry === undefined) this.#add(new Entry(fields, events, clean), "save workflow");
    else {
      this.#entries.change(entry, () => entry.reset(fields, events, clean));
      this.#leases?.saved(entry);
    }
    this.#changed(workflowId, null);
  }

  #append(batch: AppendBatch): void {
    const { workflowId, events } = batch;
    const action = "append to workflow";
    let entry = this.#entries.get(workflowId);
    if (batch.owner !== undefined || batch.wakeAt !== undefined) this.#leases ??= new Leases(this.#limits.clock);
    this.#leases?.check(entry, batch);
    checkConflict(entry?.fields ?? null, entry?.events.length ?? 0, batch);
    const kind = batchKind(batch);
    if (kind === "confirm") return;
    const length = (kind === "append" ? entry!.events.length : 0) + events.length;
    if (length > this.#limits.maxEventsPerWorkflow && !ends(events)) {
      throw this.#limits.tooLong(length, action, workflowId);
    }
    if (kind === "continue") {
      this.#entries.change(entry!, () => {
        entry!.reset(beginRun(batch, entry!.fields.createdAt), [], false);
        entry!.append(events);
      });
    } else if (kind === "create") {
      const fields = beginRun(batch);
      advanceRun(fields, events);
      const run = new Entry(fields, [...events]); // an array of the exact length: many workflows wait with one event
      if (entry !== undefined) this.#entries.remove(entry);
      this.#add(entry = run, action);
    } else this.#entries.change(entry!, () => entry!.append(events));
    this.#leases?.appended(entry!, batch);
    this.#changed(workflowId, length, batch);
  }

  #add(entry: Entry, action: string): void {
    this.#makeRoom(1, action, entry.fields.workflowId);
    this.#entries.add(entry);
  }

  /** Evicts workflows until `more` workflows can be added. */
  #makeRoom(more: number, action: string, workflowId?: string): void {
    for (let entry; (entry = this.#limits.surplus(this.#entries, more, action, workflowId)) !== undefined;) {
      this.#remove(entry);
    }
  }

  #expire(): void {
    for (let entry; (entry = this.#limits.expired(this.#entries)) !== undefined;) this.#remove(entry);
  }

  #remove(entry: Entry): void {
    this.#entries.remove(entry);
    this.#changed(entry.fields.workflowId, null);
  }

  #changed(workflowId: string, historyLength: number | null, batch?: AppendBatch): void {
    this.#watches.changed(workflowId);
    this.#listeners.call(workflowId, historyLength, batch);
  }
}

/** Whether events end a run or request its cancellation. They are accepted beyond the limit. */
function ends(events: readonly WorkflowEvent[]): boolean {
  return events.some(({ type }) => type === "cancel_requested") || finalStatus(events[events.length - 1]) !== undefined;
}
