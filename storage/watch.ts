/**
 * Watches: the changes of a store as an async iterable.
 *
 * 1. A watch holds the IDs of changed workflows, not their states, so a write costs one lookup in a map. The state is read
 *    when the change is handed out: it is the newest.
 * 2. A workflow that changes again before its change was handed out keeps its place in the queue, so that no workflow waits
 *    forever. The change says how many changes were skipped.
 * 3. A change is handed out in a microtask of its own, so that a writer does not pay for the reading.
 *
 * @module
 */

import type { WorkflowState } from "../types.ts";
import { checkOptions, checkText, invalid } from "../util/check.ts";
import { Fifo } from "../util/fifo.ts";

/**
 * A change of a workflow in an `InMemoryStore`.
 *
 * @category Store
 */
export interface StoreChange {
  /** The workflow's ID. */
  readonly workflowId: string;
  /** The stored state; `null` if the workflow was deleted, evicted or has expired. */
  readonly state: WorkflowState | null;
  /** How many earlier changes of this workflow were not handed out, because they were not read in time. */
  readonly skipped: number;
}

/**
 * Options of `InMemoryStore.watch()`.
 *
 * @category Store
 */
export interface WatchOptions {
  /**
   * The ID of the workflow to watch.
   *
   * @default {every workflow}
   */
  readonly id?: string | undefined;
  /**
   * Ends the watch when it aborts, as `break` does.
   *
   * @default {undefined}
   */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The changes of a store after the call of `watch()`, in order.
 *
 * @category Store
 */
export interface StoreWatch extends AsyncIterableIterator<StoreChange, undefined> {
  /** Waits for the next change. Done once the watch has ended. */
  next(): Promise<IteratorResult<StoreChange, undefined>>;
  /** Ends the watch and drops the changes that were not read. `break` calls it. */
  return(): Promise<IteratorResult<StoreChange, undefined>>;
  /** Ends the watch. Earlier changes can still be read. */
  close(): void;
  /** Returns the watch itself. */
  [Symbol.asyncIterator](): StoreWatch;
}

type Result = IteratorResult<StoreChange, undefined>;

/** Reads the stored state of a workflow. */
type Read = (workflowId: string) => WorkflowState | null;

const WATCH: Readonly<Record<keyof WatchOptions, true>> = { id: true, signal: true };

export class Watches {
  /** By the ID that they watch; `undefined` for all workflows. */
  readonly #watches = new Map<string | undefined, Set<Watch>>();
  readonly #read: Read;

  constructor(read: Read) {
    this.#read = read;
  }

  open(options: WatchOptions): StoreWatch {
    checkOptions(options, WATCH, "watch");
    const { id, signal } = options;
    if (id !== undefined) checkText("id", id, "watch");
    if (signal !== undefined && typeof signal?.aborted !== "boolean") {
      throw invalid("signal", signal, "an AbortSignal", "watch");
    }
    const group = this.#watches.get(id) ?? new Set();
    const watch = new Watch(this.#read, () => {
      signal?.removeEventListener("abort", abort);
      group.delete(watch);
      if (group.size === 0 && this.#watches.get(id) === group) this.#watches.delete(id);
    });
    const abort = () => watch.drop();
    this.#watches.set(id, group.add(watch));
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort);
    return handleOf(watch);
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

/** Not a class: a class with a computed key cannot be dropped by bundlers. */
function handleOf(watch: Watch): StoreWatch {
  const handle: StoreWatch = {
    next: () => watch.next(),
    return() {
      watch.drop();
      return Promise.resolve(done());
    },
    close: () => watch.close(),
    [Symbol.asyncIterator]: () => handle,
  };
  return handle;
}

function done(): Result {
  return { done: true, value: undefined };
}

/** A change that was not handed out yet. */
interface Pending {
  readonly workflowId: string;
  skipped: number;
}

class Watch {
  readonly #read: Read;
  #end: (() => void) | undefined;
  readonly #queue = new Fifo<Pending>();
  readonly #byId = new Map<string, Pending>();
  readonly #readers = new Fifo<(result: Result) => void>();

  constructor(read: Read, end: () => void) {
    this.#read = read;
    this.#end = end;
  }

  changed(workflowId: string): void {
    const pending = this.#byId.get(workflowId);
    if (pending !== undefined) return void pending.skipped++;
    const change = { workflowId, skipped: 0 };
    this.#byId.set(workflowId, change);
    this.#queue.push(change);
    if (this.#queue.size === 1 && this.#readers.size > 0) queueMicrotask(this.#serve);
  }

  next(): Promise<Result> {
    if (this.#readers.size === 0 && this.#queue.size > 0) return Promise.resolve(this.#take());
    if (this.#end === undefined) return Promise.resolve(done());
    return new Promise((resolve) => this.#readers.push(resolve));
  }

  /** Ends the watch and drops the changes that were not read. */
  drop(): void {
    this.#queue.clear();
    this.#byId.clear();
    this.close();
  }

  close(): void {
    this.#end?.();
    this.#end = undefined;
    this.#serve();
    while (this.#readers.size > 0) this.#readers.shift()(done());
  }

  readonly #serve = (): void => {
    while (this.#readers.size > 0 && this.#queue.size > 0) this.#readers.shift()(this.#take());
  };

  #take(): Result {
    const { workflowId, skipped } = this.#queue.shift();
    this.#byId.delete(workflowId);
    return { done: false, value: { workflowId, state: this.#read(workflowId), skipped } };
  }
}
