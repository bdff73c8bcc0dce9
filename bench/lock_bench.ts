/**
 * What does the lock cost when it is free, when tasks contend, and when very many callers wait?
 *
 * One operation is shorter than the call of a bench's body. Therefore a body does the number of operations that its group's name
 * gives: divide by that. The floor of each group is the same work without a lock.
 *
 * @module
 */

import { type Permit, RWLock } from "@rockpool/workflow";

// Uncontended: one operation after the other. Each has its own loop, so that none is slowed down by the kinds of call of the
// others.

const OPERATIONS = 1_000;

{
  const group = `lock: ${OPERATIONS} operations, uncontended`;
  const lock = new RWLock();
  const { signal } = new AbortController();
  const map = new Map([["key", 1]]);
  const noop = async () => {};
  const bench = (name: string, fn: () => Promise<void> | void, baseline = false) =>
    Deno.bench({ name, group, baseline, fn });

  bench("await an async no-op", async () => {
    for (let i = 0; i < OPERATIONS; i++) await noop();
  }, true);

  // The minimum of any lock: its permit is an object, and it waits for an async body.
  bench("await an async function that makes an object", async () => {
    class Box {}
    // deno-lint-ignore require-await
    const make = async () => new Box();
    for (let i = 0; i < OPERATIONS; i++) await make();
  });

  bench("await an async function that awaits a no-op", async () => {
    const wrapped = async () => await noop();
    for (let i = 0; i < OPERATIONS; i++) await wrapped();
  });

  bench("tryAcquireRead, release", () => {
    for (let i = 0; i < OPERATIONS; i++) lock.tryAcquireRead()!.release();
  });

  bench("tryAcquireWrite, release", () => {
    for (let i = 0; i < OPERATIONS; i++) lock.tryAcquireWrite()!.release();
  });

  bench("await read(() => 1)", async () => {
    for (let i = 0; i < OPERATIONS; i++) await lock.read(() => 1);
  });

  bench("await read(map.get)", async () => {
    for (let i = 0; i < OPERATIONS; i++) await lock.read(() => map.get("key"));
  });

  bench("await write(map.set)", async () => {
    for (let i = 0; i < OPERATIONS; i++) await lock.write(() => void map.set("key", i));
  });

  bench("await read(map.get) with a signal", async () => {
    for (let i = 0; i < OPERATIONS; i++) await lock.read(() => map.get("key"), { signal });
  });

  bench("await read(async no-op)", async () => {
    for (let i = 0; i < OPERATIONS; i++) await lock.read(noop);
  });

  bench("await write(async no-op)", async () => {
    for (let i = 0; i < OPERATIONS; i++) await lock.write(noop);
  });

  bench("await acquireRead, release", async () => {
    for (let i = 0; i < OPERATIONS; i++) (await lock.acquireRead()).release();
  });

  bench("await acquireWrite, release", async () => {
    for (let i = 0; i < OPERATIONS; i++) (await lock.acquireWrite()).release();
  });

  bench("using await acquireRead", async () => {
    for (let i = 0; i < OPERATIONS; i++) {
      using _permit = await lock.acquireRead();
    }
  });
}

// Contended: tasks that start together. Each has one `await` while it holds the lock.

const TASKS = 1_000;

for (const writes of [0, 10, 50]) {
  const group = `lock: ${TASKS} tasks, reads to writes ${100 - writes}/${writes}`;
  const lock = new RWLock();
  const work = async () => {
    await null;
  };
  const tasks = (start: (write: boolean) => Promise<void>) => async () => {
    const all: Promise<void>[] = [];
    for (let i = 0; i < TASKS; i++) all.push(start(i * writes % 100 < writes));
    await Promise.all(all);
  };

  Deno.bench({ name: "no lock", group, baseline: true, fn: tasks(work) });

  Deno.bench({
    name: "read and write",
    group,
    fn: tasks((write) => write ? lock.write(work) : lock.read(work)),
  });

  Deno.bench({
    name: "acquireRead and acquireWrite",
    group,
    fn: tasks(async (write) => {
      const permit: Permit = await (write ? lock.acquireWrite() : lock.acquireRead());
      await null;
      permit.release();
    }),
  });
}

// Very many waiters: the cost of one must not depend on their number.

/** The simplest lock: a queue in an array. */
class NaiveLock {
  #held = false;
  readonly #queue: (() => void)[] = [];

  async write<T>(body: () => T | Promise<T>): Promise<T> {
    if (this.#held) await new Promise<void>((resolve) => this.#queue.push(resolve));
    this.#held = true;
    try {
      return await body();
    } finally {
      const next = this.#queue.shift();
      if (next) next();
      else this.#held = false;
    }
  }
}

for (const count of [10_000, 30_000, 100_000]) {
  const group = `lock: ${count} queued writers`;
  const queue = (write: (body: () => Promise<void>) => Promise<void>) => async () => {
    const all: Promise<void>[] = [];
    const body = async () => {
      await null;
    };
    for (let i = 0; i < count; i++) all.push(write(body));
    await Promise.all(all);
  };
  const lock = new RWLock();
  const naive = new NaiveLock();
  const { signal } = new AbortController();
  const few = { n: 10, warmup: 2 };
  const fewer = { n: 3, warmup: 1 };

  Deno.bench({ name: "write", group, ...few, fn: queue((body) => lock.write(body)) });

  Deno.bench({
    name: "write with one signal for all",
    group,
    ...few,
    fn: queue((body) => lock.write(body, { signal })),
  });

  Deno.bench({
    name: "Array.shift",
    group,
    ignore: count > 30_000, // takes many seconds
    ...fewer,
    fn: queue((body) => naive.write(body)),
  });
}
