/**
 * Which locks are compared, and how is each used? Ours, those of npm, and a naive one.
 *
 * Each use is a piece of source code, because each is compiled separately: see `compile` in the harness. In it, `lock` is the
 * lock, and `BODY` is replaced by the work: a function for a callback, statements for a permit.
 *
 * "In order" means first come, first served, as in our lock. Another lock may let readers pass while a writer waits: this saves
 * switches when tasks contend, and starves writers. Faults were seen with the pinned version.
 *
 * @module
 */

import { createLock } from "@eight04/read-write-lock";
import { getSemaphore } from "@henrygd/semaphore";
import { RWLock } from "@rockpool/workflow";
import AsyncLock from "async-lock";
import { Mutex } from "async-mutex";
import { RWLock as AsyncRwlock } from "async-rwlock";
import locks from "locks";
import Mutexify from "read-write-mutexify";
import ReadwriteLock from "readwrite-lock";
import Rwlock from "rwlock";
import { compile } from "./_measure.ts";

/** One way to use one lock. */
export interface Way {
  readonly name: string;
  readonly ours?: boolean;
  /** `instant`: no await. `permit`: wait, work, release. `callback`: the lock runs the work. */
  readonly form: "instant" | "permit" | "callback";
  readonly open: () => unknown;
  /** Absent if readers do not share: `write` is used for both. */
  readonly read?: string;
  readonly write: string;
}

/** The simplest lock: a queue in an array. */
class NaiveMutex {
  #held = false;
  readonly #queue: (() => void)[] = [];

  async acquire(): Promise<void> {
    if (this.#held) await new Promise<void>((resolve) => this.#queue.push(resolve));
    this.#held = true;
  }

  release(): void {
    const next = this.#queue.shift();
    if (next) next();
    else this.#held = false;
  }
}

export const ways: readonly Way[] = [
  {
    name: "RWLock",
    ours: true,
    form: "instant",
    open: () => new RWLock(),
    read: "lock.tryAcquireRead().release()",
    write: "lock.tryAcquireWrite().release()",
  },
  {
    name: "RWLock",
    ours: true,
    form: "callback",
    open: () => new RWLock(),
    read: "lock.read(BODY)",
    write: "lock.write(BODY)",
  },
  {
    name: "RWLock",
    ours: true,
    form: "permit",
    open: () => new RWLock(),
    read: "const permit = await lock.acquireRead(); BODY; permit.release()",
    write: "const permit = await lock.acquireWrite(); BODY; permit.release()",
  },
  { // Not in order: readers pass a waiting writer, and a waiting writer passes waiting readers.
    name: "read-write-mutexify",
    form: "permit",
    open: () => new Mutexify(),
    read: "await lock.read.lock(); BODY; lock.read.unlock()",
    write: "await lock.write.lock(); BODY; lock.write.unlock()",
  },
  { // Not in order: readers pass a waiting writer; after a writer the order is random. A writer that timed out blocks the lock.
    name: "async-rwlock",
    form: "permit",
    open: () => new AsyncRwlock(),
    read: "await lock.readLock(); BODY; lock.unlock()",
    write: "await lock.writeLock(); BODY; lock.unlock()",
  },
  { // Not in order: readers pass a waiting writer, and go first after a writer.
    name: "locks",
    form: "permit",
    open: () => locks.createReadWriteLock(),
    read: "await new Promise((admit) => lock.readLock(admit)); BODY; lock.unlock()",
    write: "await new Promise((admit) => lock.writeLock(admit)); BODY; lock.unlock()",
  },
  {
    name: "locks, tryLock",
    form: "instant",
    open: () => locks.createReadWriteLock(),
    read: "lock.tryReadLock(); lock.unlock()",
    write: "lock.tryWriteLock(); lock.unlock()",
  },
  {
    name: "locks, callback",
    form: "instant",
    open: () => locks.createReadWriteLock(),
    read: "lock.readLock(() => lock.unlock())",
    write: "lock.writeLock(() => lock.unlock())",
  },
  { // In order. A waiter that times out removes the head of the queue, which may be another waiter.
    name: "rwlock",
    form: "permit",
    open: () => new Rwlock(),
    read: "const release = await new Promise((admit) => lock.readLock(admit)); BODY; release()",
    write: "const release = await new Promise((admit) => lock.writeLock(admit)); BODY; release()",
  },
  {
    name: "rwlock, callback",
    form: "instant",
    open: () => new Rwlock(),
    read: "lock.readLock((release) => release())",
    write: "lock.writeLock((release) => release())",
  },
  { // In order. Without the option at most 1,000 can wait. The body of a call that timed out still runs.
    name: "readwrite-lock",
    form: "callback",
    open: () => new ReadwriteLock({ maxPending: Infinity }),
    read: "lock.acquireRead('key', BODY)",
    write: "lock.acquireWrite('key', BODY)",
  },
  { // In order.
    name: "@eight04/read-write-lock",
    form: "callback",
    open: () => createLock(),
    read: "lock.read(BODY)",
    write: "lock.write(BODY)",
  },
  { // In order.
    name: "async-mutex, a mutex",
    form: "permit",
    open: () => new Mutex(),
    write: "const release = await lock.acquire(); BODY; release()",
  },
  {
    name: "async-mutex, a mutex",
    form: "callback",
    open: () => new Mutex(),
    write: "lock.runExclusive(BODY)",
  },
  { // In order.
    name: "@henrygd/semaphore, a mutex",
    form: "permit",
    open: () => getSemaphore(),
    write: "await lock.acquire(); BODY; lock.release()",
  },
  { // In order. Without the option at most 1,000 can wait.
    name: "async-lock, a mutex",
    form: "callback",
    open: () => new AsyncLock({ maxPending: Infinity }),
    write: "lock.acquire('key', BODY)",
  },
  {
    name: "async-lock, a mutex, callback",
    form: "instant",
    open: () => new AsyncLock({ maxPending: Infinity }),
    write: "lock.acquire('key', (done) => done(), () => {})",
  },
  {
    name: "naive mutex, `Array.shift`",
    form: "permit",
    open: () => new NaiveMutex(),
    write: "await lock.acquire(); BODY; lock.release()",
  },
];

/** The body of a measured task. */
const PLACES = { callback: "body", permit: "await null" };
/** The body of a checked task; it gets whether the task writes. */
const CHECKED_PLACES = { callback: "() => body(write)", permit: "await body(write)" };

/** A task that reads or writes under a new lock, with an `await` inside. */
export function taskOf(
  { form, open, write, read = write }: Way,
  body: (write: boolean) => Promise<void>,
  places = PLACES,
): (write: boolean) => Promise<unknown> {
  if (form === "instant") throw new TypeError("Cannot make a task: this way cannot wait");
  const source = form === "callback"
    ? `return (write) => write ? ${write} : ${read};`
    : `return async (write) => { if (write) { ${write} } else { ${read} } };`;
  return compile({ lock: open(), body }, source.replaceAll("BODY", places[form]));
}

/**
 * Checks that a lock excludes the right tasks and no others, and that every task enters: if one does not, the program ends with an
 * error by itself. A use that cannot wait is not checked; each of these locks has another use that is checked.
 */
export async function check(way: Way): Promise<void> {
  if (way.form === "instant") return;
  const fail = (what: string): never => {
    throw new Error(`Cannot compare ${way.name}, ${way.form}: ${what}`);
  };
  const macrotask = () => new Promise((resolve) => setTimeout(resolve));
  let [readers, writers, most, done] = [0, 0, 0, 0];
  const task = taskOf(way, async (write) => {
    if (writers > 0 || (write && readers > 0)) fail(`a ${write ? "writer" : "reader"} overlaps`);
    if (write) writers++;
    else most = Math.max(most, ++readers);
    for (let turns = done % 4; turns > 0; turns--) await null;
    if (done % 10 === 0) await macrotask();
    if (write) writers--;
    else readers--;
    done++;
  }, CHECKED_PLACES);
  const all: Promise<unknown>[] = [];
  for (let i = 0; i < 500; i++) {
    all.push(task(i % 7 === 3));
    if (i % 20 === 0) await macrotask(); // some tasks start later
  }
  await Promise.all(all);
  if (done !== 500) fail(`${500 - done} tasks did not run`);
  if (most > 1 !== (way.read !== undefined)) fail(`${most} readers at once`);
}
