/**
 * The in-memory store: a map under a readers-writer lock.
 *
 * Owns the stored states. Does not know what an executor is.
 *
 * 1. What is saved is copied and frozen; what is loaded is shared and cannot be changed.
 * 2. A method reads its argument at the call and does its work in one step under the lock: at the call too, unless
 *    somebody holds the lock.
 * 3. Appending costs as much as the batch; the frozen history is built when somebody loads it, and then kept.
 * 4. A listing is in order of creation. A new run under an old ID is a new creation; an overwrite is not.
 * 5. Without options it keeps everything. With them it forgets finished workflows, never a running one, and refuses what
 *    does not fit. It sets no timer: what has expired is gone at the next call.
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

import { type Clock, systemClock } from "./clock.ts";
import { WorkflowError } from "./errors.ts";
import { type Permit, RWLock } from "./lock.ts";
import type {
  AppendBatch,
  ErrorRecord,
  StoreListener,
  WorkflowEvent,
  WorkflowFilter,
  WorkflowState,
  WorkflowStateInit,
  WorkflowStore,
} from "./types.ts";
import { cannot, checkFunction, checkInteger, checkNumber, checkObject, checkText, invalid } from "./util/check.ts";
import { isThenable } from "./util/deferred.ts";
import { Entries, Entry } from "./storage/entries.ts";
import {
  advanceRun,
  applyBatch,
  beginRun,
  checkBatch,
  checkState,
  continues,
  finalStatus,
  FrozenBatch,
  listEvents,
  type StateFields,
  validateBatch,
  validateEvent,
} from "./history/history.ts";
import { toQuery } from "./storage/query.ts";
import { readSnapshot, writeSnapshot } from "./storage/snapshot.ts";
import { Copier } from "./history/value.ts";
import { type StoreChange, type StoreWatch, Watches, type WatchOptions } from "./storage/watch.ts";

export { applyBatch };
export type { StoreChange, StoreWatch, WatchOptions };

/** Options of an {@linkcode InMemoryStore}. */
export interface InMemoryStoreOptions {
  /**
   * Gives the times that a saved state leaves out, and the time by which finished workflows expire.
   *
   * @default {systemClock}
   */
  readonly clock?: Clock;
  /**
   * How many workflows may be stored: an integer from 1.
   *
   * @default {no limit}
   */
  readonly maxWorkflows?: number;
  /**
   * How many events a history may have: an integer from 1. Events that end a run or ask it to end always fit, so that
   * a run that has reached the limit can be cancelled.
   *
   * @default {no limit}
   */
  readonly maxHistoryEvents?: number;
  /**
   * How long a finished workflow is kept from the moment at which the store saw it finish, in milliseconds, above 0.
   *
   * @default {no limit}
   */
  readonly finishedTtlMs?: number;
  /**
   * What happens when a workflow is created and there are `maxWorkflows` already: `"reject"` refuses it; `"evict"`
   * forgets the workflow that finished first, and refuses only if all are running.
   *
   * @default {"reject"}
   */
  readonly whenFull?: "reject" | "evict";
}

/** Options of {@linkcode InMemoryStore.page}. */
export interface PageOptions extends WorkflowFilter {
  /**
   * How many workflows a page has at most: an integer from 1.
   *
   * @default {100}
   */
  readonly limit?: number;
  /**
   * The `cursor` of the page before.
   *
   * @default {undefined} the first page
   */
  readonly cursor?: string;
}

/** What {@linkcode InMemoryStore.page} answers. */
export interface WorkflowPage {
  /** The states, in the order that was asked for. */
  readonly states: WorkflowState[];
  /** Where the next page begins; `undefined` if this is the last one. */
  readonly cursor: string | undefined;
}

/** What a state that was given to `save` is once it is checked and copied. */
interface Draft {
  readonly fields: StateFields;
  readonly events: WorkflowEvent[];
  readonly createdAt: number | undefined;
  /** Whether it is known that freezing protects everything. */
  readonly clean: boolean;
}

interface Subscription {
  readonly listener: StoreListener;
}

/** Keeps workflows in the memory of the process. */
export class InMemoryStore implements WorkflowStore {
  readonly #lock = new RWLock();
  readonly #entries = new Entries(() => this.#clock.now());
  readonly #watches = new Watches((workflowId) => this.#entries.get(workflowId)?.state ?? null);
  #subscriptions: readonly Subscription[] = [];
  readonly #clock: Clock;
  readonly #maxWorkflows: number;
  readonly #maxHistoryEvents: number;
  readonly #finishedTtlMs: number;
  readonly #evicts: boolean;

  /**
   * Makes an empty store.
   *
   * @param options Every one is optional.
   * @throws {TypeError} If `options` is no object, or `whenFull` is not known.
   * @throws {RangeError} If a number is out of its range.
   */
  constructor(options: InMemoryStoreOptions = {}) {
    const action = "create a store";
    checkObject("options", options, action);
    const { clock = systemClock, maxWorkflows, maxHistoryEvents, finishedTtlMs, whenFull = "reject" } = options;
    if (maxWorkflows !== undefined) checkInteger("maxWorkflows", maxWorkflows, 1, action);
    if (maxHistoryEvents !== undefined) checkInteger("maxHistoryEvents", maxHistoryEvents, 1, action);
    if (finishedTtlMs !== undefined) checkNumber("finishedTtlMs", finishedTtlMs, Number.MIN_VALUE, action);
    if (whenFull !== "reject" && whenFull !== "evict") {
      throw invalid("whenFull", whenFull, `"reject" or "evict"`, action);
    }
    this.#clock = clock;
    this.#maxWorkflows = maxWorkflows ?? Infinity;
    this.#maxHistoryEvents = maxHistoryEvents ?? Infinity;
    this.#finishedTtlMs = finishedTtlMs ?? Infinity;
    this.#evicts = whenFull === "evict";
  }

  /** How many workflows are stored. */
  get size(): number {
    if (!this.#lock.writing) this.#expire();
    return this.#entries.size;
  }

  /** Writes a whole state; see {@linkcode WorkflowStore.save}. */
  save(state: WorkflowStateInit): Promise<void> {
    return this.#enter(true, () => this.#draft(state), (draft) => this.#commit(draft));
  }

  /**
   * Answers the stored state or `null`; see {@linkcode WorkflowStore.load}. The same object until the state changes,
   * unless it holds something that freezing cannot protect, such as a `Date`.
   */
  load(workflowId: string): Promise<WorkflowState | null> {
    let permit: Permit | null = null;
    try { // as #enter does, by hand: the closures would be a fifth of the time
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

  /**
   * Answers the states that match, in order of creation; see {@linkcode WorkflowStore.list}. A status is looked up, and
   * so are times, unless states were saved with a `createdAt` out of order; names, prefixes and labels are compared with those
   * of every workflow that is left.
   */
  list(filter: WorkflowFilter = {}): Promise<WorkflowState[]> {
    return this.#enter(false, () => toQuery(filter, "list workflows"), (query) => {
      const states: WorkflowState[] = [];
      if (query.limit > 0) this.#entries.visit(query, undefined, ({ state }) => states.push(state) < query.limit);
      return states;
    });
  }

  /**
   * A page of a list. The cursor outlives the workflow that it points to, and the snapshot of a store: whatever is
   * written between two pages, no workflow is repeated, and none that existed throughout is left out. (A new run under an
   * old ID is a new workflow.)
   *
   * @param options What to list, how much of it, and where to go on.
   * @throws {TypeError | RangeError} As `list` does; if `limit` is not an integer from 1; if `cursor` is no cursor.
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
    const prepare = () => {
      checkObject("options", options, "list workflows");
      const query = toQuery(options, "list workflows", 1);
      return { query, after: toPlace(options.cursor), limit: Math.min(query.limit, options.limit ?? 100) };
    };
    return this.#enter(false, prepare, ({ query, after, limit }) => {
      const states: WorkflowState[] = [];
      let cursor: string | undefined;
      let place = 0;
      this.#entries.visit(query, after, (entry) => {
        if (states.length === limit) cursor = `${place}`; // there is one more
        else states.push(entry.state);
        place = entry.place;
        return cursor === undefined;
      });
      return { states, cursor };
    });
  }

  /**
   * Walks everything that matches, while others write: each state is the one that is stored when it is handed out.
   * Repeats and leaves out as little as {@linkcode InMemoryStore.page} does.
   *
   * @param filter What to walk, and in which order.
   * @throws {TypeError | RangeError} As `list` does, at the call.
   */
  walk(filter: WorkflowFilter = {}): AsyncIterableIterator<WorkflowState> {
    const query = toQuery(filter, "walk workflows");
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
   * How many match; `limit` and `order` are of no account.
   *
   * @param filter What to count. By status alone it is known and not counted.
   * @throws {TypeError | RangeError} As `list` does.
   */
  count(filter: WorkflowFilter = {}): Promise<number> {
    return this.#enter(false, () => toQuery(filter, "count workflows"), (query) => this.#entries.count(query));
  }

  /**
   * Reads a workflow, changes it and writes it, with nobody in between: the store is locked until `change` has settled,
   * so `change` must not wait for a method of the store.
   *
   * @param workflowId The workflow's ID.
   * @param change Gets what is stored, or `null`, and answers what to save, or `null` to leave everything as it is. If it
   * throws or rejects, nothing is changed.
   * @returns What is stored then.
   * @throws {TypeError} If an argument is of the wrong kind, or what `change` answers is, or has another ID.
   * @throws What `change` throws; what `save` throws.
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
        const draft = this.#draft(state);
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

  /** Forgets a workflow; see {@linkcode WorkflowStore.delete}. */
  delete(workflowId: string): Promise<void> {
    return this.#enter(true, () => checkText("workflowId", workflowId, "delete workflow"), () => {
      const entry = this.#entries.get(workflowId);
      if (entry !== undefined) this.#remove(entry);
    });
  }

  /** Adds events to a run if nobody else did; see {@linkcode WorkflowStore.append}. */
  append(batch: AppendBatch): Promise<void> {
    return this.#enter(
      true,
      () => batch instanceof FrozenBatch ? batch : copyBatch(batch),
      (copy) => this.#append(copy),
    );
  }

  /** Calls `listener` after each change; see {@linkcode WorkflowStore.subscribe}. */
  subscribe(listener: StoreListener): () => void {
    checkFunction("listener", listener, "subscribe");
    const subscription = { listener }; // an object of its own: the same listener can subscribe twice
    this.#subscriptions = [...this.#subscriptions, subscription];
    return () => void (this.#subscriptions = this.#subscriptions.filter((one) => one !== subscription));
  }

  /**
   * The changes from now on, as an async iterable: none is missed and none repeated. Whoever reads more slowly than
   * others write gets the newest state of a workflow and how many changes it `skipped`, so what waits to be read is
   * bounded by the number of workflows. Ends with `break`, an abort of `signal`, or `close()` of the watch or the store.
   *
   * @param options What to watch, and how to end it.
   * @throws {TypeError} If an option is of the wrong kind.
   *
   * @example
   * ```ts
   * import { InMemoryStore } from "@rockpool/workflow";
   * import { assertEquals } from "@std/assert";
   *
   * const store = new InMemoryStore();
   * const changes = store.watch({ workflowId: "a" });
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

  /** Ends every watch; what has happened already can still be read. The store can be used on. */
  close(): void {
    this.#watches.close();
  }

  /**
   * Everything that is stored, as a JSON text of one moment: for a fixture, a bug report, or the next process.
   * {@linkcode InMemoryStore.restore} makes a store of it that holds the same, in the same order, what JSON has no words
   * for included (`undefined`, `bigint`, `Date`, `Map`, `Set`, `NaN`, typed arrays, errors, cycles …). One workflow a line.
   *
   * @throws {TypeError} If a value cannot be written as text, such as a `Blob`; names the workflow and the path.
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
   * Makes a store of what {@linkcode InMemoryStore.snapshot} wrote. `recover()` of an executor goes on with what was
   * running. A workflow's place, cursors, and the time at which it finished stay the same.
   *
   * @param text What `snapshot()` answered.
   * @param options Those of the new store. What has expired is left out; beyond `maxWorkflows` the finished are evicted
   * if `whenFull` says so.
   * @throws {TypeError} If `text` is not a string or empty.
   * @throws {WorkflowError} With code `invalid_snapshot` if the text is damaged, is of a newer version, or is no
   * snapshot; with code `capacity_exceeded` if it does not fit.
   */
  static restore(text: string, options?: InMemoryStoreOptions): InMemoryStore {
    const { workflows, nextPlace } = readSnapshot(text);
    const store = new InMemoryStore(options);
    store.#entries.restore(workflows, nextPlace);
    store.#expire();
    while (store.#entries.size > store.#maxWorkflows) store.#evict("restore a store");
    return store;
  }

  /**
   * Prepares at the call, and runs `body` under the lock: at the call too if the lock is free. What runs in one go need
   * not queue for itself.
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

  #stored(workflowId: string): WorkflowState | null {
    return this.#entries.get(workflowId)?.state ?? null;
  }

  /** Checks and copies a state. */
  #draft(state: WorkflowStateInit): Draft {
    const action = "save workflow";
    checkObject("state", state, action);
    const { workflowId, status, runId = "", workflowName = "", history = [], input, labels, result, error } = state;
    const { createdAt, updatedAt } = state;
    const now = createdAt === undefined || updatedAt === undefined ? this.#clock.now() : NaN;
    const fields: StateFields = {
      workflowId,
      runId,
      workflowName,
      status,
      createdAt: createdAt === undefined ? now : createdAt,
      updatedAt: updatedAt === undefined ? now : updatedAt,
    };
    const before = this.#entries.get(workflowId);
    // What was loaded from here is taken as it is: nobody could change it, or it is a copy and another object.
    const copier = new Copier();
    const known = before?.fields;
    if (labels !== undefined) {
      fields.labels = labels === known?.labels ? labels : copier.run(labels, "labels") as WorkflowState["labels"];
    }
    checkState(fields, history, action, workflowId);
    if (input !== undefined) fields.input = input === known?.input ? input : copier.run(input, "input");
    if (result !== undefined) fields.result = result === known?.result ? result : copier.run(result, "result");
    if (error !== undefined) fields.error = error === known?.error ? error : copier.run(error, "error") as ErrorRecord;
    const events = copyHistory(history, before, copier);
    return { fields, events, createdAt, clean: !copier.opaque && (before === undefined || before.clean) };
  }

  #commit({ fields, events, createdAt, clean }: Draft): void {
    const { workflowId } = fields;
    const entry = this.#entries.get(workflowId);
    if (events.length > (entry?.events.length ?? 0)) this.#checkLength(events.length, "save workflow", workflowId);
    fields.createdAt = createdAt ?? entry?.fields.createdAt ?? fields.createdAt;
    if (entry === undefined) this.#add(new Entry(fields, events, clean), "save workflow");
    else this.#entries.change(entry, () => entry.reset(fields, events, clean));
    this.#changed(workflowId, null);
  }

  #append(batch: AppendBatch): void {
    const { workflowId, events } = batch;
    const action = "append to workflow";
    const entry = this.#entries.get(workflowId);
    checkBatch(entry?.fields ?? null, entry?.events.length ?? 0, batch);
    const starts = events[0].type === "workflow_started";
    const length = (starts ? 0 : entry!.events.length) + events.length;
    if (!(events.some(({ type }) => type === "cancel_requested") || finalStatus(events[events.length - 1]))) {
      this.#checkLength(length, action, workflowId);
    }
    if (continues(batch)) {
      this.#entries.change(entry!, () => {
        entry!.reset(beginRun(batch, entry!.fields.createdAt), [], false);
        entry!.append(events);
      });
    } else if (starts) {
      const fields = beginRun(batch);
      advanceRun(fields, events);
      const run = new Entry(fields, [...events]); // no longer than it needs to be: many wait with one event
      if (entry !== undefined) this.#entries.remove(entry);
      this.#add(run, action);
    } else this.#entries.change(entry!, () => entry!.append(events));
    this.#changed(workflowId, length, batch instanceof FrozenBatch ? batch.author : undefined);
  }

  /** Adds a new workflow, and makes room for it if need be. */
  #add(entry: Entry, action: string): void {
    if (this.#entries.size >= this.#maxWorkflows) this.#evict(action, entry.fields.workflowId);
    this.#entries.add(entry);
  }

  /** Forgets the workflow that finished first, if that is allowed. */
  #evict(action: string, workflowId?: string): void {
    const oldest = this.#entries.firstFinished;
    if (this.#evicts && oldest !== null) return this.#remove(oldest);
    const way = this.#evicts
      ? ", and all are running; let one finish, delete some, or raise it"
      : '; delete some, raise it, or set "whenFull" to "evict"';
    const why = `the store holds "maxWorkflows" workflows, ${this.#maxWorkflows}${way}`;
    throw new WorkflowError("capacity_exceeded", `${cannot(action, workflowId)}: ${why}`);
  }

  #checkLength(length: number, action: string, workflowId: string): void {
    if (length <= this.#maxHistoryEvents) return;
    const message = `its history would have ${length} events, "maxHistoryEvents" is ${this.#maxHistoryEvents}`;
    throw new WorkflowError("capacity_exceeded", `${cannot(action, workflowId)}: ${message}`);
  }

  /** Forgets the finished whose time is up. */
  #expire(): void {
    if (this.#finishedTtlMs === Infinity) return;
    const before = this.#clock.now() - this.#finishedTtlMs;
    for (let oldest; (oldest = this.#entries.firstFinished) !== null && oldest.finishedAt <= before;) {
      this.#remove(oldest);
    }
  }

  #remove(entry: Entry): void {
    this.#entries.remove(entry);
    this.#changed(entry.fields.workflowId, null);
  }

  /** @param author The listener that is not called: the change is its own. */
  #changed(workflowId: string, historyLength: number | null, author?: StoreListener): void {
    this.#watches.changed(workflowId);
    for (const subscription of this.#subscriptions) {
      const { listener } = subscription;
      if (listener === author) continue;
      try {
        if (this.#subscriptions.includes(subscription)) listener(workflowId, historyLength);
      } catch (error) {
        queueMicrotask(() => { // its own fault, and none of the caller's
          throw error;
        });
      }
    }
  }
}

/** Copies a history; what is known of it is taken as it is. */
function copyHistory(
  history: readonly WorkflowEvent[],
  before: Entry | undefined,
  copier: Copier,
): WorkflowEvent[] {
  if (history === before?.history) return history as WorkflowEvent[];
  const known = before?.events ?? [];
  const events = listEvents(history, "history");
  for (let i = 0; i < events.length; i++) {
    if (i < known.length && events[i] === known[i]) continue;
    events[i] = copier.run(events[i], "history", i) as WorkflowEvent;
    validateEvent(events[i], "history", i);
  }
  return events;
}

/** Copies a batch, and checks the copy: what is read twice can answer twice. */
function copyBatch(batch: AppendBatch): AppendBatch {
  checkObject("batch", batch, "append");
  const { workflowId, runId, expectedLength, events, replaces } = batch;
  const copies: unknown = Array.isArray(events) ? listEvents(events, "events") : events; // if it is none, the check says so
  const copier = new Copier();
  if (Array.isArray(copies)) {
    for (let i = 0; i < copies.length; i++) copies[i] = copier.run(copies[i], "events", i);
  }
  const copy = { workflowId, runId, expectedLength, events: copies as WorkflowEvent[], replaces };
  validateBatch(copy);
  return copy;
}

function toPlace(cursor: string | undefined): number | undefined {
  if (cursor === undefined) return undefined;
  if (typeof cursor !== "string" || !/^\d{1,15}$/.test(cursor)) {
    throw invalid("cursor", cursor, "the cursor of a page", "list workflows");
  }
  return Number(cursor);
}
