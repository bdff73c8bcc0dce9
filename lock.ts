/**
 * A readers-writer lock: readers share, a writer excludes, and no call overtakes another one.
 *
 * Owns who may enter, in which order, and what an abort does to the calls that wait. Does not own what it protects, nor time
 * (to limit a wait, pass `AbortSignal.timeout(ms)`). Does not reach beyond the process.
 *
 * 1. At any moment the lock is held by nobody, by any number of readers, or by one writer.
 * 2. First come, first served. A call enters at once only if no call waits and the holders allow it; otherwise it is queued. The
 *    head of the queue enters as soon as the holders allow it. Readers that directly follow a reader in the queue enter together
 *    with it. So a reader that comes after a waiting writer waits for that writer, even while others read. Each call waits only
 *    for earlier calls, and neither side starves.
 * 3. An abort removes exactly the calls that wait with that signal, at once, and admits the calls that waited only for them. A
 *    body never starts once its signal has aborted. An abort after the body has started, or after the permit was granted, has
 *    no effect.
 * 4. A free lock costs no microtask: the body runs during the call, and unless it returns a promise, the lock is free again when
 *    the call returns. The body of a call that had to wait runs in a microtask of its own, in the async context of its call. So
 *    `release()` and `abort()` never run the body of another call.
 * 5. The lock is released when a body throws or rejects. A permit releases once; further calls have no effect.
 * 6. Not re-entrant: a holder that waits for its own lock can wait for itself. A write inside a read deadlocks if the read awaits
 *    it. A read inside a read deadlocks too, as soon as a writer waits.
 *
 * @example
 * ```ts
 * import { RWLock } from "@rockpool/workflow";
 * import { assertEquals } from "@std/assert";
 *
 * const lock = new RWLock();
 * const order: string[] = [];
 * await Promise.all([
 *   lock.read(async () => order.push("read 1 starts", await "read 1 ends")),
 *   lock.write(() => order.push("write")),
 *   lock.read(() => order.push("read 2")), // comes after the writer, so it does not join read 1
 * ]);
 * assertEquals(order, ["read 1 starts", "read 1 ends", "write", "read 2"]);
 * ```
 *
 * @module
 */

import { checkFunction, checkObject, checkOptions, checkSignal, invalid } from "./util/check.ts";
import { isThenable } from "./util/deferred.ts";

/**
 * Options of the methods of an {@linkcode RWLock} that can wait.
 *
 * @category Lock
 */
export interface LockOptions {
  /**
   * Ends the wait when it aborts: the call rejects with `signal.reason`. If it has aborted before the call, the call rejects
   * even if the lock is free.
   *
   * @default {no limit}
   */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The right to read or to write, until it is released. Works with `using`.
 *
 * @category Lock
 */
export interface Permit extends Disposable {
  /** Returns the permit to the lock. Further calls have no effect. */
  release(): void;
  /** The same as {@linkcode Permit.release}. */
  [Symbol.dispose](): void;
}

type Body = () => unknown;
type Ticket = Permit | Waiter;
type Admit = (ticket: Ticket) => void;

/** A call that waits. The queue is a ring of these. */
class Waiter {
  prev: Waiter = this;
  next: Waiter = this;
  readonly write: boolean;
  readonly body: Body | null;
  readonly admit: Admit;

  /**
   * @param body `null` if the call wants a permit.
   * @param admit Receives the permit; this waiter if there is a body.
   */
  constructor(write: boolean, body: Body | null, admit: Admit) {
    this.write = write;
    this.body = body;
    this.admit = admit;
  }
}

/** A call that waits with a signal. */
class Abortable extends Waiter {
  /** The next call that came with the same signal. After the newest call comes the oldest: a circle. */
  newer: Abortable = this;
  readonly reject: (reason: unknown) => void;
  readonly signal: AbortSignal;

  constructor(
    write: boolean,
    body: Body | null,
    admit: Admit,
    reject: (reason: unknown) => void,
    signal: AbortSignal,
  ) {
    super(write, body, admit);
    this.reject = reject;
    this.signal = signal;
  }
}

/** One function for all locks. */
const admitNobody: Admit = () => {};

/** As `promise.then`, even if the promise of a caller has a `then` of its own: it could call back twice. */
function react(promise: Promise<unknown>, resolved: (value: never) => unknown, rejected?: (reason: unknown) => never) {
  return Promise.prototype.then.call(promise, resolved as (value: unknown) => unknown, rejected);
}

/** A promise of a value that is no thenable. As `Promise.resolve`, but V8 inlines it: it saves 5 ns per call. */
// deno-lint-ignore require-await
const fulfilled = async <T>(value: T): Promise<T> => value;

/** Calls the lock's private method. */
let leave: (lock: RWLock, write: boolean) => void;

/** A class made by a function, because a class with a computed key has a side effect at import once it is packed. */
const LockPermit = /* @__PURE__ */ (() => {
  class LockPermit implements Permit {
    /** If no permit is alive, a garbage collection removes their hidden class and the code that is optimized for it. */
    static readonly kept = new LockPermit(null, false);
    #lock: RWLock | null;
    readonly #write: boolean;

    constructor(lock: RWLock | null, write: boolean) {
      this.#lock = lock;
      this.#write = write;
    }

    release(): void {
      const lock = this.#lock;
      if (lock === null) return;
      this.#lock = null;
      leave(lock, this.#write);
    }

    [Symbol.dispose](): void {
      this.release();
    }
  }
  // `await` looks for `then` on every object. Here it is found early, which saves 6 ns of 40.
  Object.defineProperty(LockPermit.prototype, "then", { value: undefined });
  return LockPermit;
})();

/**
 * A readers-writer lock for async code: any number of readers, or one writer.
 *
 * Prefer {@linkcode RWLock.read} and {@linkcode RWLock.write}, which always release. The module's documentation describes order,
 * abort and re-entrancy.
 *
 * @category Lock
 *
 * @example Permits, where a callback does not fit
 * ```ts
 * import { RWLock } from "@rockpool/workflow";
 * import { assertEquals } from "@std/assert";
 *
 * const lock = new RWLock();
 * {
 *   using _permit = await lock.acquireWrite();
 *   assertEquals(lock.tryAcquireRead(), null);
 * }
 * assertEquals(lock.writing, false);
 * ```
 */
export class RWLock {
  /** -1: a writer; 0: nobody; n: that many readers. */
  #held = 0;
  #waiting = 0;
  /** Closes the ring: its `next` is the head of the queue, its `prev` the tail. */
  readonly #ring = new Waiter(false, null, admitNobody);
  /**
   * The newest waiter of each signal. One listener of a signal serves all its waiters, because adding the n-th listener to a
   * signal costs O(n).
   */
  readonly #newest = new Map<AbortSignal, Abortable>();

  /** Makes a lock that nobody holds. */
  constructor() {
    leave ??= (lock, write) => lock.#leave(write); // a static block would be a side effect of the import
  }

  /** The number of readers that hold the lock. */
  get readers(): number {
    return this.#held > 0 ? this.#held : 0;
  }

  /** Whether a writer holds the lock. */
  get writing(): boolean {
    return this.#held < 0;
  }

  /** The number of calls that wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Runs `body` while no writer holds the lock: before this call returns, if it need not wait.
   *
   * @param body Holds the lock until its result has settled.
   * @param options How to wait.
   * @returns What `body` returns or resolves to.
   * @throws {TypeError} (rejects) If an argument is of the wrong kind, or an option is unknown.
   * @throws (rejects) What `body` throws or rejects with, or `signal.reason`.
   *
   * @example
   * ```ts
   * import { RWLock } from "@rockpool/workflow";
   * import { assertEquals } from "@std/assert";
   *
   * const lock = new RWLock();
   * const stock = new Map([["apple", 3]]);
   * assertEquals(await lock.read(() => stock.get("apple")), 3);
   * ```
   */
  read<T>(body: () => T | PromiseLike<T>, options?: LockOptions): Promise<T> {
    return this.#run("read", false, body, options);
  }

  /**
   * Runs `body` while nobody else holds the lock: before this call returns, if it need not wait.
   *
   * @param body Holds the lock until its result has settled.
   * @param options How to wait.
   * @returns What `body` returns or resolves to.
   * @throws {TypeError} (rejects) If an argument is of the wrong kind, or an option is unknown.
   * @throws (rejects) What `body` throws or rejects with, or `signal.reason`.
   */
  write<T>(body: () => T | PromiseLike<T>, options?: LockOptions): Promise<T> {
    return this.#run("write", true, body, options);
  }

  /**
   * Enters as a reader. Until the permit is released, no writer can enter.
   *
   * @param options How to wait.
   * @returns The permit.
   * @throws {TypeError} (rejects) If an argument is of the wrong kind, or an option is unknown.
   * @throws (rejects) `signal.reason`.
   */
  acquireRead(options?: LockOptions): Promise<Permit> {
    return this.#acquire("acquire a read permit", false, options);
  }

  /**
   * Enters as a writer. Until the permit is released, nobody else can enter.
   *
   * @param options How to wait.
   * @returns The permit.
   * @throws {TypeError} (rejects) If an argument is of the wrong kind, or an option is unknown.
   * @throws (rejects) `signal.reason`.
   */
  acquireWrite(options?: LockOptions): Promise<Permit> {
    return this.#acquire("acquire a write permit", true, options);
  }

  /**
   * Enters as a reader if that is possible without a wait.
   *
   * @returns The permit; `null` if a writer holds the lock or a call waits.
   */
  tryAcquireRead(): Permit | null {
    return this.#tryAcquire(false);
  }

  /**
   * Enters as a writer if that is possible without a wait.
   *
   * @returns The permit; `null` if the lock is held or a call waits.
   */
  tryAcquireWrite(): Permit | null {
    return this.#tryAcquire(true);
  }

  #run<T>(
    action: string,
    write: boolean,
    body: () => T | PromiseLike<T>,
    options: LockOptions | undefined,
  ): Promise<T> {
    try {
      checkFunction("body", body, action);
      const signal = options === undefined ? undefined : liveSignal(action, options);
      if (!this.#isOpen(write)) {
        return react(this.#queue(write, body, signal), this.#resume) as Promise<T>;
      }
      return this.#start(write, body, false) as Promise<T>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #acquire(action: string, write: boolean, options: LockOptions | undefined): Promise<Permit> {
    try {
      const signal = options === undefined ? undefined : liveSignal(action, options);
      const permit = this.#tryAcquire(write);
      if (permit === null) return this.#queue(write, null, signal) as Promise<Permit>;
      return fulfilled(permit);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #tryAcquire(write: boolean): Permit | null {
    if (!this.#isOpen(write)) return null;
    const permit = new LockPermit(this, write);
    this.#held = write ? -1 : this.#held + 1;
    return permit;
  }

  /** Whether a call need not wait now. */
  #isOpen(write: boolean): boolean {
    return this.#waiting === 0 && (write ? this.#held === 0 : this.#held >= 0);
  }

  #leave(write: boolean): void {
    this.#held = write ? 0 : this.#held - 1;
    if (this.#waiting !== 0) this.#next();
  }

  /**
   * Enters unless it is `inside`, runs `body`, and leaves. Returns a promise, or the bare result if it is `inside`: then the
   * caller makes the promise.
   *
   * It does not enter or leave by a call: nested reads can exhaust the stack at any call. It leaves in two places, because
   * `finally` would take 5 ns of 20.
   */
  #start(write: boolean, body: Body, inside: boolean): unknown {
    if (!inside) this.#held = write ? -1 : this.#held + 1;
    let result: unknown;
    try {
      result = body();
      if (isThenable(result)) {
        const promise = Promise.resolve(result);
        return write
          ? react(promise, this.#written, this.#writeFailed)
          : react(promise, this.#hasRead, this.#readFailed);
      }
    } catch (error) {
      this.#held = write ? 0 : this.#held - 1;
      if (this.#waiting !== 0) this.#next();
      throw error;
    }
    this.#held = write ? 0 : this.#held - 1;
    if (this.#waiting !== 0) this.#next();
    return inside ? result : fulfilled(result);
  }

  // Made once per lock, not once per call.
  readonly #resume = (ticket: Ticket): unknown => {
    const waiter = ticket as Waiter;
    if (waiter instanceof Abortable && waiter.signal.aborted) { // after its admission
      this.#leave(waiter.write);
      throw waiter.signal.reason;
    }
    return this.#start(waiter.write, waiter.body!, true);
  };
  readonly #hasRead = (value: unknown): unknown => (this.#leave(false), value);
  readonly #written = (value: unknown): unknown => (this.#leave(true), value);
  readonly #readFailed = (reason: unknown): never => {
    this.#leave(false);
    throw reason;
  };
  readonly #writeFailed = (reason: unknown): never => {
    this.#leave(true);
    throw reason;
  };

  #queue(
    write: boolean,
    body: Body | null,
    signal: AbortSignal | undefined,
  ): Promise<Ticket> {
    return new Promise((admit, reject) => {
      let waiter: Waiter;
      if (signal === undefined) waiter = new Waiter(write, body, admit);
      else this.#watch(waiter = new Abortable(write, body, admit, reject, signal));
      const last = this.#ring.prev;
      waiter.prev = last;
      waiter.next = this.#ring;
      last.next = this.#ring.prev = waiter;
      this.#waiting++;
    });
  }

  /** Admits calls from the head of the queue. It runs no body, so it does not recurse. */
  #next(): void {
    const ring = this.#ring;
    for (let waiter = ring.next; waiter !== ring; waiter = ring.next) {
      const { write } = waiter;
      if (write ? this.#held !== 0 : this.#held < 0) return;
      this.#unlink(waiter);
      if (waiter instanceof Abortable && waiter.signal.aborted) {
        waiter.reject(waiter.signal.reason); // another listener of the signal has released, and ours is not called yet
        continue;
      }
      this.#held = write ? -1 : this.#held + 1;
      waiter.admit(waiter.body === null ? new LockPermit(this, write) : waiter);
    }
  }

  #unlink(waiter: Waiter): void {
    waiter.prev.next = waiter.next;
    waiter.next.prev = waiter.prev;
    this.#waiting--;
    if (waiter instanceof Abortable) this.#unwatch(waiter);
  }

  #watch(waiter: Abortable): void {
    const { signal } = waiter;
    const newest = this.#newest.get(signal);
    if (newest === undefined) signal.addEventListener("abort", this.#abort);
    else {
      waiter.newer = newest.newer;
      newest.newer = waiter;
    }
    this.#newest.set(signal, waiter);
  }

  /** `waiter` is the oldest of its signal: waiters are admitted and aborted in the order in which they came. */
  #unwatch(waiter: Abortable): void {
    const { signal } = waiter;
    const newest = this.#newest.get(signal)!;
    if (newest !== waiter) newest.newer = waiter.newer;
    else {
      this.#newest.delete(signal);
      signal.removeEventListener("abort", this.#abort);
    }
  }

  readonly #abort = (event: Event): void => {
    const signal = event.currentTarget as AbortSignal;
    for (let newest; (newest = this.#newest.get(signal)) !== undefined;) {
      const waiter = newest.newer;
      this.#unlink(waiter);
      waiter.reject(signal.reason);
    }
    this.#next();
  };
}

const OPTIONS: Readonly<Record<keyof LockOptions, true>> = { signal: true };

/** Returns the signal of the options. Throws its reason if it has aborted. */
function liveSignal(action: string, options: LockOptions): AbortSignal | undefined {
  checkObject("options", options, action);
  if (Array.isArray(options)) throw invalid("options", options, "an object", action);
  for (const key in options) if (key !== "signal") checkOptions(options, OPTIONS, action); // rare: it takes 15 ns of 50
  const { signal } = options;
  checkSignal(signal, action);
  if (signal?.aborted) throw signal.reason;
  return signal;
}
