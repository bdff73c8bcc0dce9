/**
 * How much heap does a waiting call take, and how much does an unused lock take?
 *
 * `deno run --v8-flags=--expose-gc bench/lock_heap.ts`. The floors are what the platform needs: a promise with its resolving
 * function, a reaction, a signal with a listener. These are no benches, because bytes do not vary from run to run.
 *
 * @module
 */

import { RWLock } from "@rockpool/workflow";

const COUNT = 100_000;

/** The used bytes, without garbage. */
async function usedBytes(): Promise<number> {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) throw new Error("Cannot measure the heap: run with --v8-flags=--expose-gc");
  for (let i = 0; i < 3; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve)); // some memory is freed only in a later task
  }
  return Deno.memoryUsage().heapUsed;
}

/** Prints the bytes of one object that `make` returns, as the average of many. */
async function measure(name: string, make: () => unknown): Promise<void> {
  const kept = new Array<unknown>(COUNT).fill(null);
  const before = await usedBytes();
  for (let i = 0; i < COUNT; i++) kept[i] = make();
  const bytes = (await usedBytes() - before) / COUNT;
  console.log(`${name.padEnd(45)}${bytes.toFixed(0).padStart(6)}`);
  kept.length = 0;
}

/** As {@linkcode measure}, for calls of a lock that a writer holds. */
async function measureWaiter(name: string, call: (lock: RWLock) => Promise<unknown>): Promise<void> {
  const lock = new RWLock();
  const permit = await lock.acquireWrite();
  await measure(name, () => void call(lock));
  permit.release(); // keeps the lock and its waiters alive until here
}

const body = () => {};
const shared = new AbortController();

console.log("bytes each, of", COUNT);
await measure("floor: a promise and its resolve", () => {
  let resolve: unknown;
  new Promise((take) => resolve = take);
  return resolve;
});
await measure("floor: the same, and a reaction", () => {
  let resolve: unknown;
  const promise = new Promise((take) => resolve = take);
  promise.then(body);
  return resolve;
});
await measure("floor: a signal", () => new AbortController());
await measure("floor: a signal with a listener", () => {
  const controller = new AbortController();
  controller.signal.addEventListener("abort", body);
  return controller;
});
await measureWaiter("callback", (lock) => lock.write(body));
await measureWaiter("permit", (lock) => lock.acquireWrite());
await measureWaiter("callback, one signal for all", (lock) => lock.write(body, shared));
await measureWaiter("permit, one signal for all", (lock) => lock.acquireWrite(shared));
await measureWaiter("callback, a signal each", (lock) => lock.write(body, new AbortController()));
await measureWaiter("permit, a signal each", (lock) => lock.acquireWrite(new AbortController()));
await measure("an idle lock", () => new RWLock());
