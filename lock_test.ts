/** `RWLock`: who enters when, aborts, permits and errors. The file is longer than 500 lines: it is a list of independent cases, which one searches by name. */

import { assert, assertEquals, assertInstanceOf, assertLess, assertRejects, assertStrictEquals } from "@std/assert";
import { AsyncLocalStorage } from "node:async_hooks";
import { type LockOptions, type Permit, RWLock } from "./lock.ts";

/** Waits a few microtasks: enough for all reactions of the lock. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await null;
}

/** A lock, a log, and calls that log their name when they enter and hold the lock until `leave`. */
function setUp() {
  const lock = new RWLock();
  const log: string[] = [];
  const inside = new Map<string, () => void>();
  const body = (name: string) => () => {
    log.push(name);
    const { promise, resolve } = Promise.withResolvers<void>();
    inside.set(name, resolve);
    return promise;
  };
  /** Calls `read` if `name` starts with R, else `write`. An abort is logged as `name!`. */
  const enter = (name: string, options?: LockOptions): Promise<void> =>
    lock[name.startsWith("R") ? "read" : "write"](body(name), options)
      .catch((reason) => void log.push(`${name}! ${reason}`));
  /** Ends calls, and returns the log since the last time. */
  const leave = async (...names: string[]): Promise<string[]> => {
    for (const name of names) inside.get(name)!();
    await settle();
    return log.splice(0);
  };
  return { lock, log, enter, leave };
}

/** A signal that counts its listeners, and how many were ever added. */
function spy() {
  const controller = new AbortController();
  const { signal } = controller;
  const listeners = new Set<unknown>();
  const seen = {
    options: { signal },
    abort: (reason?: unknown) => controller.abort(reason),
    listeners,
    added: 0,
  };
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (type: string, listener: EventListenerOrEventListenerObject) => {
    seen.added++;
    listeners.add(listener);
    addEventListener.call(signal, type, listener);
  };
  signal.removeEventListener = (type: string, listener: EventListenerOrEventListenerObject) => {
    listeners.delete(listener);
    removeEventListener.call(signal, type, listener);
  };
  return seen;
}

const METHODS = ["read", "write", "acquireRead", "acquireWrite"] as const;

/** Calls one of the four methods. `granted` is called when the lock is held. */
async function call(
  lock: RWLock,
  method: typeof METHODS[number],
  options?: LockOptions,
  granted: () => void = () => {},
): Promise<void> {
  if (method === "read" || method === "write") await lock[method](granted, options);
  else {
    const permit = await lock[method](options);
    granted();
    permit.release();
  }
}

// The callback forms

Deno.test("RWLock.read() runs the body during the call when the lock is free", async () => {
  const lock = new RWLock();
  let readers = 0;
  const result = lock.read(() => readers = lock.readers);
  assertEquals([readers, lock.readers], [1, 0]);
  assertEquals(await result, 1);
});

Deno.test("RWLock.write() runs the body during the call when the lock is free", async () => {
  const lock = new RWLock();
  let writing = false;
  const result = lock.write(() => writing = lock.writing);
  assertEquals([writing, lock.writing], [true, false]);
  assertEquals(await result, true);
});

Deno.test("RWLock.read() runs the body at once when only readers hold the lock", async () => {
  const { enter, leave, log } = setUp();
  enter("R1");
  enter("R2");
  assertEquals(log, ["R1", "R2"]);
  await leave("R1", "R2");
});

Deno.test("RWLock.read() and write() hold the lock until the promise of the body settles", async () => {
  const { lock, enter, leave } = setUp();
  enter("R1");
  await settle();
  assertEquals([lock.readers, lock.writing], [1, false]);
  await leave("R1");
  enter("W2");
  await settle();
  assertEquals([lock.readers, lock.writing], [0, true]);
  await leave("W2");
  assertEquals([lock.readers, lock.writing], [0, false]);
});

Deno.test("RWLock.read() and write() resolve to what the body returns or resolves to", async () => {
  const lock = new RWLock();
  const value = { then: "not a function" };
  for (const method of ["read", "write"] as const) {
    assertStrictEquals(await lock[method](() => value), value);
    assertStrictEquals(await lock[method](() => Promise.resolve(value)), value);
    const permit = lock.tryAcquireWrite()!;
    const waiting = [lock[method](() => value), lock[method](() => Promise.resolve(value))];
    permit.release();
    for (const result of await Promise.all(waiting)) assertStrictEquals(result, value);
  }
});

Deno.test("RWLock.read() and write() resolve in one microtask when the lock is free and the body returns no promise", async () => {
  const lock = new RWLock();
  for (const method of ["read", "write"] as const) {
    const log: string[] = [];
    const result = lock[method](() => "body").then((value) => log.push(value));
    queueMicrotask(() => log.push("next tick"));
    await result;
    assertEquals(log, ["body", "next tick"]);
  }
});

Deno.test("RWLock.read() and write() release the lock before their result is seen", async () => {
  const lock = new RWLock();
  for (const method of ["read", "write"] as const) {
    for (const body of [() => {}, async () => await null]) {
      await lock[method](body);
      lock.tryAcquireWrite()!.release();
      const permit = lock.tryAcquireWrite()!;
      const waiting = lock[method](body);
      permit.release();
      await waiting;
      lock.tryAcquireWrite()!.release();
    }
  }
});

Deno.test("RWLock.read() and write() release the lock when the body throws or rejects", async () => {
  const lock = new RWLock();
  const error = new Error("no");
  const fail = () => {
    throw error;
  };
  const thrower = Object.defineProperty({}, "then", { get: fail });
  for (const method of ["read", "write"] as const) {
    for (const body of [fail, () => Promise.reject(error), () => ({ then: fail }), () => thrower]) {
      assertStrictEquals(await lock[method](body).catch((reason) => reason), error);
      assertEquals([lock.readers, lock.writing], [0, false]);
      const permit = lock.tryAcquireWrite()!;
      const waiting = lock[method](body).catch((reason) => reason);
      permit.release();
      assertStrictEquals(await waiting, error);
      assertEquals([lock.readers, lock.writing], [0, false]);
    }
  }
});

Deno.test("RWLock.read() releases once when a thenable settles more than once", async () => {
  const { lock, enter, leave } = setUp();
  enter("R1");
  const twice = {
    then(resolve: (value: string) => void, reject: (reason: unknown) => void) {
      resolve("a");
      resolve("b");
      reject("c");
    },
  };
  assertEquals(await lock.read(() => twice as unknown as PromiseLike<string>), "a");
  // A promise with a broken `then` of its own is awaited as by `await`.
  const broken = Object.assign(Promise.resolve("d"), { then: twice.then });
  assertEquals(await lock.read(() => broken), "d");
  assertEquals(lock.readers, 1);
  await leave("R1");
});

Deno.test("RWLock.read() keeps an unhandled rejection of the body unhandled", async () => {
  const lock = new RWLock();
  const reported: unknown[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const report = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    if (reported.push(event.reason) === 3) resolve();
  };
  addEventListener("unhandledrejection", report);
  lock.read(() => Promise.reject("free"));
  const permit = lock.tryAcquireRead()!;
  lock.write(() => Promise.reject("queued"));
  const controller = new AbortController();
  lock.write(() => {}, controller);
  controller.abort("aborted");
  permit.release();
  await promise;
  removeEventListener("unhandledrejection", report);
  assertEquals(reported.sort(), ["aborted", "free", "queued"]);
});

Deno.test("RWLock.read() allows a nested read when no call waits", async () => {
  const lock = new RWLock();
  assertEquals(await lock.read(() => lock.read(() => lock.readers)), 2);
  assertEquals(lock.readers, 0);
});

Deno.test("RWLock.write() inside a read waits for that read to end", async () => {
  const { lock, log } = setUp();
  let inner: Promise<unknown> | undefined;
  await lock.read(async () => {
    inner = lock.write(() => log.push("write"));
    await settle();
    log.push("read ends");
  });
  await inner;
  assertEquals(log, ["read ends", "write"]);
});

Deno.test("RWLock.write() inside a synchronous body runs after that body", async () => {
  const { lock, log } = setUp();
  let inner: Promise<unknown> | undefined;
  lock.write(() => {
    inner = lock.write(() => log.push("inner"));
    log.push("outer");
  });
  log.push("returned");
  await inner;
  assertEquals(log, ["outer", "returned", "inner"]);
});

Deno.test("RWLock.read() runs a body that had to wait in the async context of its call", async () => {
  const lock = new RWLock();
  const context = new AsyncLocalStorage<string>();
  const permit = lock.tryAcquireWrite()!;
  const seen = ["a", "b", "c"].map((name) =>
    context.run(name, () =>
      lock[name === "b" ? "write" : "read"](async () => {
        const before = context.getStore();
        await null;
        return [before, context.getStore()];
      }))
  );
  context.run("releaser", () => permit.release());
  assertEquals(await Promise.all(seen), [["a", "a"], ["b", "b"], ["c", "c"]]);
});

// Exclusion and order

Deno.test("RWLock.write() excludes readers and writers", async () => {
  const { enter, leave } = setUp();
  enter("W1");
  enter("W2");
  enter("R3");
  assertEquals(await leave(), ["W1"]);
  assertEquals(await leave("W1"), ["W2"]);
  assertEquals(await leave("W2"), ["R3"]);
  await leave("R3");
});

Deno.test("RWLock.read() does not overtake a waiting writer", async () => {
  const { enter, leave } = setUp();
  enter("R1");
  enter("W2");
  enter("R3");
  assertEquals(await leave(), ["R1"]);
  assertEquals(await leave("R1"), ["W2"]);
  assertEquals(await leave("W2"), ["R3"]);
  await leave("R3");
});

Deno.test("RWLock admits the readers between two writers together", async () => {
  const { enter, leave } = setUp();
  for (const name of ["W1", "R2", "R3", "R4", "W5", "R6", "W7"]) enter(name);
  assertEquals(await leave(), ["W1"]);
  assertEquals(await leave("W1"), ["R2", "R3", "R4"]);
  assertEquals(await leave("R3", "R2"), []);
  assertEquals(await leave("R4"), ["W5"]);
  assertEquals(await leave("W5"), ["R6"]);
  assertEquals(await leave("R6"), ["W7"]);
  await leave("W7");
});

Deno.test("RWLock serves permits and bodies in one order", async () => {
  const { lock, log, enter, leave } = setUp();
  enter("W1");
  const permit = lock.acquireWrite().then((permit) => (log.push("permit"), permit));
  enter("W2");
  assertEquals(await leave("W1"), ["W1", "permit"]);
  (await permit).release();
  assertEquals(await leave(), ["W2"]);
  await leave("W2");
});

Deno.test("RWLock runs no body inside release()", async () => {
  const { lock, log } = setUp();
  const permit = lock.tryAcquireWrite()!;
  const waiting = lock.read(() => log.push("body"));
  permit.release();
  log.push("released");
  assertEquals(lock.readers, 1); // it is admitted, and starts in a microtask
  await waiting;
  assertEquals(log, ["released", "body"]);
});

Deno.test("RWLock.readers, writing and waiting count holders and waiting calls", async () => {
  const { lock, enter, leave } = setUp();
  const counts = () => [lock.readers, lock.writing, lock.waiting];
  assertEquals(counts(), [0, false, 0]);
  enter("R1");
  enter("R2");
  enter("W3");
  enter("R4");
  assertEquals(counts(), [2, false, 2]);
  await leave("R1", "R2");
  assertEquals(counts(), [0, true, 1]);
  await leave("W3");
  assertEquals(counts(), [1, false, 0]);
  await leave("R4");
  assertEquals(counts(), [0, false, 0]);
});

// Permits

Deno.test("RWLock.acquireRead() shares and acquireWrite() excludes", async () => {
  const lock = new RWLock();
  const readers = [await lock.acquireRead(), await lock.acquireRead()];
  let writer: Permit | undefined;
  const writing = lock.acquireWrite().then((permit) => writer = permit);
  readers[0].release();
  await settle();
  assertEquals(writer, undefined);
  readers[1].release();
  await writing;
  assertEquals([lock.readers, lock.writing], [0, true]);
  writer?.release();
});

Deno.test("RWLock.tryAcquireRead() returns null when a writer holds the lock or waits", async () => {
  const { lock, enter, leave } = setUp();
  enter("W1");
  assertEquals(lock.tryAcquireRead(), null);
  await leave("W1");
  const permit = lock.tryAcquireRead();
  assertInstanceOf(permit, Object);
  lock.tryAcquireRead()!.release();
  enter("W2");
  assertEquals(lock.tryAcquireRead(), null);
  permit.release();
  await leave();
  await leave("W2");
});

Deno.test("RWLock.tryAcquireWrite() returns null when the lock is held or a call waits", async () => {
  const { lock, enter, leave } = setUp();
  enter("R1");
  assertEquals(lock.tryAcquireWrite(), null);
  await leave("R1");
  enter("W2");
  assertEquals(lock.tryAcquireWrite(), null);
  await leave("W2");
  lock.tryAcquireWrite()!.release();
});

Deno.test("Permit.release() does nothing when called again", async () => {
  const lock = new RWLock();
  const first = await lock.acquireRead();
  const second = await lock.acquireRead();
  first.release();
  first.release();
  first[Symbol.dispose]();
  assertEquals([lock.readers, lock.tryAcquireWrite()], [1, null]);
  second.release();
  const writer = await lock.acquireWrite();
  second.release();
  first.release();
  assertEquals([lock.writing, lock.tryAcquireRead()], [true, null]);
  writer.release();
  const next = await lock.acquireWrite();
  writer.release();
  assertEquals(lock.writing, true);
  next.release();
});

Deno.test("Permit releases at the end of its block with using", async () => {
  const lock = new RWLock();
  try {
    using _permit = await lock.acquireWrite();
    assertEquals(lock.writing, true);
    throw new Error("thrown in the block");
  } catch {
    assertEquals(lock.writing, false);
  }
  {
    using permit = await lock.acquireRead();
    permit.release();
  }
  assertEquals(lock.readers, 0);
});

Deno.test("Permit is no thenable, even when Object.prototype has a then", async () => {
  const lock = new RWLock();
  const taken: unknown[] = [];
  const then = function (this: unknown) {
    taken.push(this);
  };
  Object.defineProperty(Object.prototype, "then", { value: then, configurable: true });
  const permit = lock.acquireWrite();
  // deno-lint-ignore no-explicit-any
  delete (Object.prototype as any).then;
  (await permit).release();
  assertEquals(taken, []);
});

// Abort

Deno.test("RWLock rejects with the reason when the signal has aborted before the call", async () => {
  const lock = new RWLock();
  const reason = { why: "gone" };
  const signal = AbortSignal.abort(reason);
  for (const method of METHODS) {
    let granted = false;
    const call_ = call(lock, method, { signal }, () => granted = true);
    assertEquals([lock.readers, lock.writing, lock.waiting], [0, false, 0]);
    assertStrictEquals(await call_.catch((reason) => reason), reason);
    assertEquals(granted, false);
  }
});

Deno.test("RWLock rejects with the reason when the signal aborts during the wait", async () => {
  for (const method of METHODS) {
    const lock = new RWLock();
    const permit = lock.tryAcquireWrite()!;
    const controller = new AbortController();
    let granted = false;
    const waiting = call(lock, method, controller, () => granted = true);
    assertEquals(lock.waiting, 1);
    const reason = { why: "gone" };
    controller.abort(reason);
    assertEquals(lock.waiting, 0);
    assertStrictEquals(await waiting.catch((reason) => reason), reason);
    permit.release();
    await settle();
    assertEquals([granted, lock.readers, lock.writing], [false, 0, false]);
  }
});

Deno.test("RWLock removes an aborted call from any position in the queue", async () => {
  for (const aborted of ["W2", "R3", "W4"]) {
    const { enter, leave } = setUp();
    const controller = new AbortController();
    const names = ["W1", "W2", "R3", "W4"];
    for (const name of names) enter(name, name === aborted ? controller : undefined);
    controller.abort("out");
    assertEquals(await leave(), ["W1", `${aborted}! out`]);
    const rest = names.filter((name) => name !== aborted);
    for (const [i, name] of rest.entries()) {
      assertEquals(await leave(name), rest.slice(i + 1, i + 2));
    }
  }
});

Deno.test("RWLock removes all calls that wait with one signal, in order, and no others", async () => {
  const { enter, leave, log } = setUp();
  const controller = new AbortController();
  enter("R1", controller);
  enter("W2", controller);
  enter("R3");
  enter("W4", controller);
  enter("R5");
  controller.abort("out");
  await settle();
  // The order of rejections and starts is not specified.
  const [rejected, started] = [true, false].map((is) => log.filter((x) => x.includes("!") === is));
  assertEquals(rejected, ["W2! out", "W4! out"]);
  assertEquals(started, ["R1", "R3", "R5"]);
  await leave("R1", "R3", "R5");
});

Deno.test("RWLock changes nothing when the signal aborts after the body has started", async () => {
  const { lock, enter, leave } = setUp();
  const controller = new AbortController();
  enter("W1", controller);
  enter("W2", controller);
  assertEquals(await leave("W1"), ["W1", "W2"]);
  controller.abort("late");
  assertEquals([await leave(), lock.writing], [[], true]);
  assertEquals([await leave("W2"), lock.writing], [[], false]);
});

Deno.test("RWLock changes nothing when the signal aborts after the permit was granted", async () => {
  const lock = new RWLock();
  const first = await lock.acquireWrite();
  const controller = new AbortController();
  const waiting = lock.acquireWrite(controller);
  first.release();
  controller.abort("late"); // before `waiting` is seen to resolve
  const second = await waiting;
  assertEquals(lock.writing, true);
  second.release();
  assertEquals(lock.writing, false);
});

Deno.test("RWLock grants nothing when another listener of the signal releases the lock first", async () => {
  for (const method of METHODS) {
    const lock = new RWLock();
    const controller = new AbortController();
    const permit = lock.tryAcquireWrite()!;
    controller.signal.addEventListener("abort", () => permit.release());
    let granted = false;
    const waiting = [1, 2, 3].map(() => call(lock, method, controller, () => granted = true));
    const next = lock.acquireWrite();
    controller.abort("out");
    for (const result of waiting) assertEquals(await result.catch((reason) => reason), "out");
    assertEquals(granted, false);
    (await next).release();
    assertEquals([lock.readers, lock.writing, lock.waiting], [0, false, 0]);
  }
});

Deno.test("RWLock uses one listener for all calls that wait with one signal", async () => {
  const { enter, leave } = setUp();
  const signal = spy();
  for (const name of ["W1", "W2", "R3", "R4"]) enter(name, signal.options);
  assertEquals([signal.added, signal.listeners.size], [1, 1]);
  await leave("W1");
  await leave("W2");
  assertEquals([signal.added, signal.listeners.size], [1, 0]);
  enter("W5", signal.options);
  assertEquals([signal.added, signal.listeners.size], [2, 1]);
  await leave("R3", "R4");
  assertEquals(signal.listeners.size, 0);
  await leave("W5");
});

Deno.test("RWLock removes its listener when the call is admitted, rejected or fails", async () => {
  for (const method of METHODS) {
    const lock = new RWLock();
    const unused = spy();
    await call(lock, method, unused.options);
    assertEquals(unused.added, 0);
    for (const end of ["admit", "abort", "throw"]) {
      const signal = spy();
      const permit = lock.tryAcquireWrite()!;
      const waiting = call(lock, method, signal.options, () => {
        assertEquals(signal.listeners.size, 0);
        if (end === "throw") throw new Error("no");
      }).catch(() => {});
      assertEquals(signal.listeners.size, 1);
      if (end === "abort") signal.abort();
      permit.release();
      assertEquals(signal.listeners.size, 0);
      await waiting;
      lock.tryAcquireWrite()?.release();
    }
  }
});

Deno.test("RWLock does not mix up two locks that wait with one signal", async () => {
  const [a, b] = [setUp(), setUp()];
  const controller = new AbortController();
  a.enter("W1", controller);
  b.enter("W1");
  b.enter("W2", controller);
  controller.abort("out");
  assertEquals([await a.leave(), await b.leave()], [["W1"], ["W1", "W2! out"]]);
  await a.leave("W1");
  await b.leave("W1");
  assertEquals([a.lock.writing, b.lock.writing], [false, false]);
});

// Arguments

Deno.test("RWLock rejects with a TypeError when an argument is of the wrong kind", async () => {
  const lock = new RWLock();
  // deno-lint-ignore no-explicit-any
  const any = lock as any;
  const body = () => {};
  const cases: [() => Promise<unknown>, string][] = [
    [() => any.read(42), 'Cannot read: "body" must be a function, got 42'],
    [() => any.write(), 'Cannot write: "body" must be a function, got undefined'],
    [() => any.read(body, null), 'Cannot read: "options" must be an object, got null'],
    [() => any.write(body, "a"), 'Cannot write: "options" must be an object, got "a"'],
    [
      () => any.read(body, { timeoutMs: 5 }),
      'Cannot read: "options" has no option "timeoutMs"; the options are "signal"',
    ],
    [
      () => any.acquireWrite({ sginal: undefined }),
      'Cannot acquire a write permit: "options" has no option "sginal"; did you mean "signal"?',
    ],
    [() => any.acquireRead(1), 'Cannot acquire a read permit: "options" must be an object, got 1'],
    [
      () => any.acquireWrite({ signal: null }),
      'Cannot acquire a write permit: "signal" must be an AbortSignal, got null',
    ],
    [
      () => any.read(body, { signal: "a" }),
      'Cannot read: "signal" must be an AbortSignal, got "a"',
    ],
    [
      () => any.write(body, { signal: new AbortController() }),
      'Cannot write: "signal" must be an AbortSignal, got an AbortController',
    ],
  ];
  for (const [wrong, message] of cases) {
    const promise = wrong(); // does not throw
    const error = await assertRejects(() => promise, TypeError);
    assertEquals(error.message, message);
    assertEquals([lock.readers, lock.writing, lock.waiting], [0, false, 0]);
  }
});

// Faults of other locks

// asyncutil
Deno.test("RWLock lets no reader overlap a writer when the first reader releases", async () => {
  const { lock, enter, leave } = setUp();
  enter("R1"); // holds
  enter("W2"); // queues
  enter("R3"); // queues
  assertEquals(await leave("R1"), ["R1", "W2"]);
  assertEquals([lock.readers, lock.writing, lock.waiting], [0, true, 1]);
  assertEquals(await leave("W2"), ["R3"]);
  await leave("R3");
});

// async-rwlock
Deno.test("RWLock is not blocked by an aborted writer", async () => {
  const { lock, enter, leave } = setUp();
  const controller = new AbortController();
  enter("R1");
  enter("W2", controller);
  controller.abort(new DOMException("Timed out", "TimeoutError"));
  assertEquals(await leave("R1"), ["R1", "W2! TimeoutError: Timed out"]);
  lock.tryAcquireWrite()!.release();
  enter("W3");
  assertEquals(await leave("W3"), ["W3"]);
});

// rwlock
Deno.test("RWLock removes the newest waiter and not the oldest when the newest aborts", async () => {
  const { enter, leave } = setUp();
  const controllers = [new AbortController(), new AbortController()];
  enter("W1");
  enter("W2", controllers[0]);
  enter("W3", controllers[1]);
  controllers[1].abort("out");
  assertEquals(await leave("W1"), ["W1", "W3! out", "W2"]);
  await leave("W2");
});

// readwrite-lock
Deno.test("RWLock never runs a body whose signal has aborted", async () => {
  const { lock, log, leave } = setUp();
  // Once during the wait, and once in the microtask between admission and start.
  for (const late of [false, true]) {
    const controller = new AbortController();
    const permit = lock.tryAcquireWrite()!;
    const write = lock.write(() => log.push("body"), controller).catch((reason) => reason);
    const next = lock.write(() => log.push("next"));
    if (late) permit.release();
    controller.abort("out");
    permit.release();
    assertEquals(await write, "out");
    await next;
    assertEquals([await leave(), lock.writing], [["next"], false]);
  }
});

// @eight04/read-write-lock, at 4,000
Deno.test("RWLock does not overflow the stack when 100,000 readers wait", async () => {
  const lock = new RWLock();
  const writer = lock.tryAcquireWrite()!;
  const bodies = Array.from({ length: 100_000 }, (_, i) => lock.read(() => i));
  const permits = Array.from({ length: 100_000 }, () => lock.acquireRead());
  writer.release();
  assertEquals(lock.readers, 200_000);
  let sum = 0;
  for (const value of await Promise.all(bodies)) sum += value;
  assertEquals(sum, 4_999_950_000);
  for (const permit of await Promise.all(permits)) permit.release();
  assertEquals(lock.readers, 0);
});

Deno.test("RWLock does not overflow the stack when 100,000 writers wait", async () => {
  const lock = new RWLock();
  const first = lock.tryAcquireWrite()!;
  let count = 0;
  const bodies = Array.from({ length: 100_000 }, (_, i) => lock.write(() => assert(i === count++)));
  const permits = Array.from(
    { length: 100_000 },
    () => lock.acquireWrite().then((permit) => permit.release()),
  );
  first.release();
  await Promise.all([...bodies, ...permits]);
  assertEquals([count, lock.writing], [100_000, false]);
});

Deno.test("RWLock does not overflow the stack when 100,000 waiters abort", async () => {
  const { lock, enter, leave } = setUp();
  enter("R1");
  const shared = new AbortController();
  let aborted = 0;
  for (let i = 0; i < 100_000; i++) lock.write(() => {}, shared).catch(() => aborted++);
  enter("R2");
  shared.abort();
  assertEquals(await leave(), ["R1", "R2"]);
  await leave("R1", "R2");
  assertEquals([aborted, lock.readers, lock.waiting], [100_000, 0, 0]);
});

Deno.test("RWLock is free again after a body has exhausted the stack", async () => {
  const lock = new RWLock();
  const ignore = (event: Event) => event.preventDefault();
  addEventListener("unhandledrejection", ignore); // of nested reads that the overflow interrupted
  const deep = (): number => 1 + deep();
  await assertRejects(() => lock.write(deep), RangeError);
  assertEquals(lock.writing, false);
  const nested = (): Promise<number> => lock.read(nested);
  await assertRejects(() => Promise.try(nested), RangeError);
  await settle();
  assertEquals(lock.readers, 0);
  await new Promise((resolve) => setTimeout(resolve)); // by then, rejections are reported
  removeEventListener("unhandledrejection", ignore);
});

// four locks
Deno.test("RWLock does not admit a writer when a reader releases twice", async () => {
  const lock = new RWLock();
  const twice = await lock.acquireRead();
  const other = await lock.acquireRead();
  let wrote = false;
  const writing = lock.write(() => wrote = true);
  twice.release();
  twice.release();
  await settle();
  assertEquals([wrote, lock.readers], [false, 1]);
  other.release();
  await writing;
});

// The second release would admit a writer while the next one holds the lock.
Deno.test("RWLock does not admit two writers when a writer releases twice", async () => {
  const { lock, log, enter, leave } = setUp();
  const twice = await lock.acquireWrite();
  enter("W1");
  enter("W2");
  twice.release();
  twice.release();
  await settle();
  assertEquals([log.splice(0), lock.waiting], [["W1"], 1]);
  twice.release();
  assertEquals(await leave("W1"), ["W2"]);
  await leave("W2");
});

// three locks
Deno.test("RWLock admits the readers behind an aborted writer", async () => {
  const { lock, enter, leave } = setUp();
  const controller = new AbortController();
  enter("R1");
  enter("W2", controller);
  enter("R3");
  enter("R4");
  enter("W5");
  enter("R6");
  controller.abort("out");
  assertEquals(lock.readers, 3);
  assertEquals((await leave()).sort(), ["R1", "R3", "R4", "W2! out"]);
  assertEquals(await leave("R1", "R3", "R4"), ["W5"]);
  assertEquals(await leave("W5"), ["R6"]);
  await leave("R6");
});

// Cost

/** Each queues writers behind a permit. The returned function adds one more and removes one. */
const TURNS: Record<string, (lock: RWLock, length: number) => () => Promise<void>> = {
  "admitted": (lock, length) => {
    let permit = lock.tryAcquireWrite()!;
    const queue = () => void lock.acquireWrite().then((next) => permit = next);
    for (let i = 0; i < length; i++) queue();
    return async () => {
      queue();
      permit.release();
      await null;
    };
  },
  "admitted with a shared signal": (lock, length) => {
    const options = new AbortController();
    let permit = lock.tryAcquireWrite()!;
    const queue = () => void lock.acquireWrite(options).then((next) => permit = next);
    for (let i = 0; i < length; i++) queue();
    return async () => {
      queue();
      permit.release();
      await null;
    };
  },
  "aborted in the middle": (lock, length) => {
    lock.tryAcquireWrite();
    const controllers: AbortController[] = [];
    const queue = () => {
      const controller = new AbortController();
      controllers.push(controller);
      lock.write(() => {}, controller).catch(() => {});
    };
    for (let i = 0; i < length; i++) queue();
    let next = length >> 2;
    return async () => {
      queue();
      controllers[next++].abort(null);
      await null;
    };
  },
};

/** The time of 10,000 turns at a length of the queue, in milliseconds: the minimum of five. */
async function turnoverMs(name: string, length: number): Promise<number> {
  const lock = new RWLock();
  const turn = TURNS[name](lock, length);
  let best = Infinity;
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    for (let i = 0; i < 10_000; i++) await turn();
    best = Math.min(best, performance.now() - start);
    assertEquals(lock.waiting, length);
  }
  return best;
}

for (const name of Object.keys(TURNS)) {
  // So emptying the queue takes linear time. With a queue that is searched or shifted, the factor is 100.
  Deno.test(`RWLock takes as long for a waiter ${name} when 100,000 wait as when 1,000 wait`, async () => {
    await turnoverMs(name, 1000); // warms up
    assertLess(await turnoverMs(name, 100_000), 20 * await turnoverMs(name, 1000));
  });
}
