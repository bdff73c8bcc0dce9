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
import { onAbort } from "../util/abortable.ts";
import { checkOptions, checkSignal, checkText } from "../util/check.ts";

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
    checkSignal(signal, "watch");
    const group = this.#watches.get(id) ?? new Set();
    let forget: (() => void) | undefined;
    const watch = new Watch(this.#read, () => {
      forget?.();
      group.delete(watch);
      if (group.size === 0 && this.#watches.get(id) === group) this.#watches.delete(id);
    });
    this.#watches.set(id, group.add(watch));
    if (signal?.aborted) watch.drop();
    else forget = signal && onAbort(signal, () => watch.drop());
    return handleOf(watch);
  }

  changed(workflowId: string): void {
    if (this.#watches.size === 0) return;
    for (const key of [undefined, workflowId]) {
      for (const watch of this.#watches.get(key) ?? []) watch.changed(workflowId);
    }
  }

  close(): void {
    for (const group of this.#watches.values()) for (const watch of group) watch.close();
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

class Watch {
  readonly #read: Read;
  #end: (() => void) | undefined;
  /** The workflows that have changed, in order, and how many of their changes are skipped. */
  readonly #changed = new Map<string, number>();
  /** One iterator for the whole life of the map: a new one would skip all deleted entries at each step. */
  readonly #next = this.#changed.entries();
  readonly #readers: ((result: Result) => void)[] = [];

  constructor(read: Read, end: () => void) {
    this.#read = read;
    this.#end = end;
  }

  changed(workflowId: string): void {
    const skipped = this.#changed.get(workflowId) ?? -1;
    this.#changed.set(workflowId, skipped + 1); // it keeps its place
    if (skipped < 0 && this.#changed.size === 1 && this.#readers.length > 0) Promise.resolve().then(this.#serve);
  }

  next(): Promise<Result> {
    if (this.#readers.length === 0 && this.#changed.size > 0) return Promise.resolve(this.#take());
    if (this.#end === undefined) return Promise.resolve(done());
    return new Promise((resolve) => this.#readers.push(resolve));
  }

  /** Ends the watch and drops the changes that were not read. */
  drop(): void {
    this.#changed.clear();
    this.close();
  }

  close(): void {
    this.#end?.();
    this.#end = undefined;
    this.#serve();
    for (const resolve of this.#readers.splice(0)) resolve(done());
  }

  readonly #serve = (): void => {
    while (this.#readers.length > 0 && this.#changed.size > 0) this.#readers.shift()!(this.#take());
  };

  #take(): Result {
    const [workflowId, skipped] = this.#next.next().value!;
    this.#changed.delete(workflowId);
    return { done: false, value: { workflowId, state: this.#read(workflowId), skipped } };
  }
}
