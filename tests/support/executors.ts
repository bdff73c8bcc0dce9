/**
 * What many tests share: executors with a virtual clock, stores with and without subscriptions, and waits without a clock.
 *
 * @module
 */

import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  Executor,
  type ExecutorOptions,
  InMemoryStore,
  type StoreListener,
  VirtualClock,
  type WorkflowContext,
  type WorkflowEvent,
  type WorkflowLogger,
  type WorkflowStore,
} from "@rockpool/workflow";
import { FaultyStore } from "@rockpool/workflow/testing";

/** Makes an executor with a virtual clock and without jitter. */
export function setUp<Store extends WorkflowStore = InMemoryStore>(
  { startAt, ...options }: Partial<Omit<ExecutorOptions, "store">> & {
    store?: Store | undefined;
    startAt?: number | undefined;
  } = {},
): { store: Store; clock: VirtualClock; executor: Executor } {
  const store = options.store ?? new InMemoryStore() as unknown as Store;
  const clock = new VirtualClock({ startAt });
  const executor = new Executor({ clock, random: () => 0.5, ...options, store });
  return { store, clock, executor };
}

/** Runs workflow "a" until its process ends, as soon as the first failed attempt of an activity is stored. Returns the store. */
export async function runUntilAttemptFailed(work: (ctx: WorkflowContext) => Promise<unknown>): Promise<FaultyStore> {
  const store = new FaultyStore();
  const { executor } = setUp({ store });
  const failed = gate();
  store.after.append = ({ events }) => {
    if (events.some(({ type }) => type === "activity_attempt_failed")) executor.close().then(failed.open);
  };
  await executor.execute(work, { id: "a" });
  await failed.promise;
  store.after.append = undefined;
  return store;
}

/** Makes a store without the optional `subscribe`. */
export function withoutSubscribe(inner: InMemoryStore = new InMemoryStore()): WorkflowStore {
  return {
    save: (state) => inner.save(state),
    load: (id) => inner.load(id),
    list: (filter) => inner.list(filter),
    delete: (id) => inner.delete(id),
    append: (batch) => inner.append(batch),
  };
}

/** Makes a store that counts its subscriptions. */
export function countingSubscriptions(inner: InMemoryStore = new InMemoryStore()) {
  const store = {
    ...withoutSubscribe(inner),
    subscriptions: 0,
    subscribe(listener: StoreListener): () => void {
      store.subscriptions++;
      const end = inner.subscribe(listener);
      return () => {
        store.subscriptions--;
        end();
      };
    },
  };
  return store;
}

/** A logger that writes nothing. */
export const silent: WorkflowLogger = { debug() {}, info() {}, warn() {}, error() {} };

/** The types of a history's events. */
export const typesOf = (history: readonly WorkflowEvent[]): string[] => history.map(({ type }) => type);

/** The events of one type, loosely typed. */
export const ofType = (history: readonly WorkflowEvent[], type: WorkflowEvent["type"]): Record<string, unknown>[] =>
  history.filter((event) => event.type === type) as never;

/** Lets all microtasks and some macrotasks pass. */
export const settle = (): Promise<void> => macrotasks(50);

/** Lets all microtasks and this many macrotasks pass. */
export async function macrotasks(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await setImmediate();
}

/** Counts the macrotasks until a promise settles: how long it takes on a machine of any speed. */
export async function countMacrotasks(work: Promise<unknown>): Promise<number> {
  let isOver = false;
  const ended = work.finally(() => isOver = true);
  let count = 0;
  for (; !isOver; count++) await setImmediate();
  await ended;
  return count;
}

/** Makes a promise that a test resolves with `open`. */
export function gate<T = void>(): { promise: Promise<T>; open: (value: T) => void } {
  let open!: (value: T) => void;
  const promise = new Promise<T>((resolve) => open = resolve);
  return { promise, open };
}

/** Runs the garbage collector. */
export function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
}
