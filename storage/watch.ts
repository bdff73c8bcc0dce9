/**
 * Watches: changes of the store as an async iterable.
 *
 * 1. A watch holds IDs of what changed and not states: a write costs it one look into a map. The state is read when the
 *    change is handed out, so it is the newest.
 * 2. A workflow that changes again before its change was handed out keeps its place in the line, so that none starves;
 *    the change says how many it stands for.
 *
 * @module
 */

import type { WorkflowState } from "../types.ts";
import { checkObject, checkText, invalid } from "../util/check.ts";
import { Fifo } from "../util/fifo.ts";

/** A change of a workflow in an `InMemoryStore`. */
export interface StoreChange {
  /** The workflow's ID. */
  readonly workflowId: string;
  /** What is stored now; `null` if the workflow was deleted, evicted or has expired. */
  readonly state: WorkflowState | null;
  /** How many changes of this workflow before this one were not handed out, because nobody had asked for them yet. */
  readonly skipped: number;
}

/** Options of `InMemoryStore.watch()`. */
export interface WatchOptions {
  /**
   * The only workflow to watch.
   *
   * @default {every workflow}
   */
  readonly workflowId?: string;
  /**
   * Ends the watch when it aborts, as `break` does.
   *
   * @default {undefined}
   */
  readonly signal?: AbortSignal;
}

/** The changes of a store from the call of `watch()` on, in order. */
export interface StoreWatch extends AsyncIterableIterator<StoreChange, undefined> {
  /** The next change; waits for it. Done once the watch has ended. */
  next(): Promise<IteratorResult<StoreChange, undefined>>;
  /** Ends the watch and forgets what was not read yet; `break` calls it. */
  return(): Promise<IteratorResult<StoreChange, undefined>>;
  /** Ends the watch: what has happened already can still be read. */
  close(): void;
  /** The watch itself. */
  [Symbol.asyncIterator](): StoreWatch;
}

type Result = IteratorResult<StoreChange, undefined>;

/** Reads what is stored of a workflow. */
type Read = (workflowId: string) => WorkflowState | null;

const done: Result = /* @__PURE__ */ Object.freeze({ done: true, value: undefined });

export class Watches {
  /** By the ID they watch; `undefined` for all. */
  readonly #watches = new Map<string | undefined, Set<Watch>>();
  readonly #read: Read;

  constructor(read: Read) {
    this.#read = read;
  }

  open(options: WatchOptions): StoreWatch {
    checkObject("options", options, "watch");
    const { workflowId, signal } = options;
    if (workflowId !== undefined) checkText("workflowId", workflowId, "watch");
    if (signal !== undefined && typeof signal?.aborted !== "boolean") {
      throw invalid("signal", signal, "an AbortSignal", "watch");
    }
    const group = this.#watches.get(workflowId) ?? new Set();
    const abort = () => void watch.return();
    const watch = new Watch(this.#read, () => {
      signal?.removeEventListener("abort", abort);
      group.delete(watch);
      if (group.size === 0 && this.#watches.get(workflowId) === group) this.#watches.delete(workflowId);
    });
    this.#watches.set(workflowId, group.add(watch));
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort);
    return watch;
  }

  changed(workflowId: string): void {
    if (this.#watches.size === 0) return;
    for (const key of [undefined, workflowId]) {
      const group = this.#watches.get(key);
      if (group !== undefined) { for (const watch of group) watch.changed(workflowId); }
    }
  }

  close(): void {
    for (const group of [...this.#watches.values()]) for (const watch of group) watch.close();
  }
}

/** A change that was not handed out yet. */
interface Pending {
  readonly workflowId: string;
  skipped: number;
}

class Watch implements StoreWatch {
  // Set in the constructor: a packer moves a computed method's key out of the class, and bundlers keep that class.
  declare readonly [Symbol.asyncIterator]: () => StoreWatch;
  readonly #read: Read;
  #end: (() => void) | undefined;
  readonly #line = new Fifo<Pending>();
  readonly #byId = new Map<string, Pending>();
  readonly #readers = new Fifo<(result: Result) => void>();

  constructor(read: Read, end: () => void) {
    this.#read = read;
    this.#end = end;
    this[Symbol.asyncIterator] = () => this;
  }

  changed(workflowId: string): void {
    const pending = this.#byId.get(workflowId);
    if (pending !== undefined) return void pending.skipped++;
    const change = { workflowId, skipped: 0 };
    this.#byId.set(workflowId, change);
    this.#line.push(change);
    if (this.#line.size === 1 && this.#readers.size > 0) queueMicrotask(this.#serve);
  }

  next(): Promise<Result> {
    if (this.#readers.size === 0 && this.#line.size > 0) return Promise.resolve(this.#take());
    if (this.#end === undefined) return Promise.resolve(done);
    return new Promise((resolve) => this.#readers.push(resolve));
  }

  return(): Promise<Result> {
    this.#line.clear();
    this.#byId.clear();
    this.close();
    return Promise.resolve(done);
  }

  close(): void {
    this.#end?.();
    this.#end = undefined;
    this.#serve();
    while (this.#readers.size > 0) this.#readers.shift()(done);
  }

  /** Hands out in a microtask of its own: a writer does not pay for the reading. */
  readonly #serve = (): void => {
    while (this.#readers.size > 0 && this.#line.size > 0) this.#readers.shift()(this.#take());
  };

  #take(): Result {
    const { workflowId, skipped } = this.#line.shift();
    this.#byId.delete(workflowId);
    return { done: false, value: { workflowId, state: this.#read(workflowId), skipped } };
  }
}
