/**
 * What the project's tests rely on in `@std`. It imports by the public names only, so that the same
 * cases hold the real packages and the stand-ins to each other.
 *
 * @module
 */

import {
  assert,
  assertAlmostEquals,
  assertArrayIncludes,
  assertEquals,
  assertExists,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  AssertionError,
  assertIsError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertNotStrictEquals,
  assertObjectMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  equal,
  fail,
  unreachable,
} from "@std/assert";
import { abortable, deadline, delay } from "@std/async";
import { FakeTime, TimeError } from "@std/testing/time";

class Point {
  #secret = Math.random();
  constructor(public x: number, public y = 0) {}
  get secret() {
    return this.#secret > 2;
  }
}
class Loud {
  constructor(readonly value: number) {}
  get doubled() {
    return this.value > 1;
  }
}
const key = Symbol("key");
const cycle = (name: string) => {
  const value: Record<string, unknown> = { name };
  value.self = value;
  return value;
};
const sameLine = () => new Error("a");

/** Pairs that are equal, and pairs that are not. */
const PAIRS: Record<"equal" | "different", [string, unknown, unknown][]> = {
  equal: [
    ["primitives", "a", "a"],
    ["NaN", NaN, NaN],
    ["zeros", 0, -0],
    ["key order", { a: 1, b: 2 }, { b: 2, a: 1 }],
    ["no prototype and plain", Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
    ["instances", new Point(1), new Point(1)],
    ["dates", new Date(5), new Date(5)],
    ["invalid dates", new Date(NaN), new Date(NaN)],
    ["sets in any order", new Set([1, { a: 1 }]), new Set([{ a: 1 }, 1])],
    ["maps with object keys", new Map([[{ a: 1 }, [1]]]), new Map([[{ a: 1 }, [1]]])],
    ["typed arrays", new Uint8Array([1, 2]), new Uint8Array([1, 2])],
    ["array buffers", new Uint8Array([1]).buffer, new Uint8Array([1]).buffer],
    ["regular expressions", /a/g, /a/g],
    ["URLs", new URL("http://a/b"), new URL("http://a/b")],
    ["cycles", cycle("a"), cycle("a")],
    ["hidden properties of plain objects", Object.defineProperty({}, "h", { value: 1 }), {}],
    ["symbol keys", { [key]: 1 }, { [key]: 1 }],
    ["promises", Promise.resolve(1), Promise.resolve(2)],
    ["holes of the same array", [1, , 2], [1, , 2]],
  ],
  different: [
    ["types", 1, "1"],
    ["null and undefined", null, undefined],
    ["undefined property and none", { a: undefined }, {}],
    ["undefined property and another", { a: undefined }, { b: undefined }],
    ["hole and undefined", [1, , 2], [1, undefined, 2]],
    ["length", [1], [1, undefined]],
    ["classes", new Point(1), { x: 1, y: 0 }],
    ["accessors of a class", new Loud(1), new Loud(2)],
    ["array and object", [1], { 0: 1 }],
    ["dates", new Date(5), new Date(6)],
    ["sets", new Set([1]), new Set([2])],
    ["maps", new Map([["a", { b: 1 }]]), new Map([["a", { b: 2 }]])],
    ["maps with object keys", new Map([[{ a: 1 }, 1]]), new Map([[{ a: 1 }, 2]])],
    ["typed arrays", new Uint8Array([1]), new Uint8Array([2])],
    ["types of typed arrays", new Uint8Array([1]), new Uint16Array([1])],
    ["regular expressions", /a/g, /a/i],
    ["cycles", cycle("a"), cycle("b")],
    ["symbol keys", { [key]: 1 }, { [key]: 2 }],
    ["functions", () => 1, () => 1],
    ["errors by message", sameLine(), new Error("b")],
    ["errors by stack", sameLine(), new Error("a")],
    ["boxes", Object("a"), Object("b")],
    ["extra property of an array", Object.assign([1], { a: 1 }), [1]],
  ],
};

for (const [verdict, pairs] of Object.entries(PAIRS)) {
  for (const [name, a, b] of pairs) {
    Deno.test(`assertEquals() finds ${verdict}: ${name}`, () => {
      for (const [left, right] of [[a, b], [b, a], [{ in: [a] }, { in: [b] }]]) {
        assert(equal(left, right) === (verdict === "equal"));
        if (verdict === "equal") {
          assertEquals(left, right);
          assertThrows(() => assertNotEquals(left, right), AssertionError);
        } else {
          assertNotEquals(left, right);
          assertThrows(() => assertEquals(left, right), AssertionError, "Values are not equal");
        }
      }
    });
  }
}

/** Checks that hold, each followed by one that does not. */
const CHECKS: Record<string, [() => void, () => void]> = {
  assert: [() => assert(1), () => assert(0)],
  assertFalse: [() => assertFalse(""), () => assertFalse("a")],
  assertStrictEquals: [() => assertStrictEquals(NaN, NaN), () => assertStrictEquals({}, {})],
  "assertStrictEquals, zeros": [() => {}, () => assertStrictEquals(0, -0)],
  assertNotStrictEquals: [() => assertNotStrictEquals({}, {}), () => assertNotStrictEquals(1, 1)],
  assertExists: [() => assertExists(0), () => assertExists(null)],
  assertInstanceOf: [() => assertInstanceOf([], Array), () => assertInstanceOf({}, Array)],
  assertMatch: [() => assertMatch("abc", /b/), () => assertMatch("abc", /d/)],
  assertStringIncludes: [
    () => assertStringIncludes("abc", "b"),
    () => assertStringIncludes("abc", "d"),
  ],
  assertArrayIncludes: [
    () => assertArrayIncludes([1, { a: 1 }], [{ a: 1 }]),
    () => assertArrayIncludes([1, { a: 1 }], [{ a: 2 }]),
  ],
  assertGreater: [() => assertGreater(2, 1), () => assertGreater(1, 1)],
  assertGreaterOrEqual: [() => assertGreaterOrEqual(1, 1), () => assertGreaterOrEqual(0, 1)],
  assertLess: [() => assertLess(1, 2), () => assertLess(1, 1)],
  assertLessOrEqual: [() => assertLessOrEqual(1, 1), () => assertLessOrEqual(2, 1)],
  assertAlmostEquals: [
    () => assertAlmostEquals(1, 1 + 1e-8),
    () => assertAlmostEquals(1, 1 + 1e-6),
  ],
  "assertAlmostEquals with a tolerance": [
    () => assertAlmostEquals(1, 1.1, 0.2),
    () => assertAlmostEquals(1, 1.1, 0.05),
  ],
  assertObjectMatch: [
    () =>
      assertObjectMatch({ a: { b: 1, c: 2 }, d: [1, { e: 2, f: 3 }] }, {
        a: { b: 1 },
        d: [1, { e: 2 }],
      }),
    () => assertObjectMatch({ a: { b: 1, c: 2 } }, { a: { b: 2 } }),
  ],
  "assertObjectMatch, missing key": [
    () => assertObjectMatch({ a: 1 }, {}),
    () => assertObjectMatch({ a: 1 }, { a: 1, b: undefined }),
  ],
  "assertObjectMatch, array lengths": [
    () => assertObjectMatch({ a: [1, 2] }, { a: [1] }),
    () => assertObjectMatch({ a: [1] }, { a: [1, 2] }),
  ],
  "assertObjectMatch, instances": [
    () => assertObjectMatch({ a: new Point(1, 2), b: new Date(5) }, { a: { x: 1 }, b: new Date(5) }),
    () => assertObjectMatch({ a: new Point(1, 2) }, { a: { x: 2 } }),
  ],
  "assertObjectMatch, maps and sets": [
    () =>
      assertObjectMatch({ m: new Map([[1, { a: 1, b: 2 }], [2, {}]]) }, {
        m: new Map([[1, { a: 1 }]]),
      }),
    () => assertObjectMatch({ s: new Set([1]) }, { s: new Set([1, 2]) }),
  ],
  assertIsError: [
    () => assertIsError(new TypeError("no way"), Error, /no/),
    () => assertIsError(new Error("no"), TypeError),
  ],
  "assertIsError of something else": [() => assertIsError(new Error()), () => assertIsError("no")],
  fail: [() => {}, () => fail("no")],
  unreachable: [() => {}, () => unreachable()],
  "assertThrows without a throw": [() => {}, () => assertThrows(() => {})],
  "assertThrows by class": [
    () => assertThrows(() => JSON.parse("{"), SyntaxError),
    () => assertThrows(() => JSON.parse("{"), RangeError),
  ],
  "assertThrows by message": [
    () => assertThrows(() => fail("no way"), Error, "no"),
    () => assertThrows(() => fail("no way"), Error, "yes"),
  ],
  "assertThrows of a non-error": [
    () =>
      assertThrows(() => {
        throw "no";
      }),
    () =>
      assertThrows(() => {
        throw "no";
      }, Error),
  ],
};

for (const [name, [holds, fails]] of Object.entries(CHECKS)) {
  Deno.test(`${name}: one passes, one fails`, () => {
    holds();
    try {
      fails();
    } catch (error) {
      return assertInstanceOf(error, AssertionError);
    }
    throw new Error("It passed");
  });
}

Deno.test("assertThrows() returns what was thrown, and narrows its type", () => {
  const error: RangeError = assertThrows(() => {
    throw new RangeError("out");
  }, RangeError);
  assertEquals(error.message, "out");
  assertEquals(assertThrows(() => fail("no")) instanceof AssertionError, true);
  assertThrows(() => assertEquals(1, 2, "the hint"), AssertionError, "the hint");
});

Deno.test("assertThrows() ignores colours in messages", () => {
  assertThrows(() => fail("\x1b[31mred\x1b[39m cap"), Error, "red cap");
});

Deno.test("assertRejects() returns the reason; a return and a synchronous throw fail it", async () => {
  const error: RangeError = await assertRejects(
    () => Promise.reject(new RangeError("out")),
    RangeError,
    "ou",
  );
  assertEquals(error.message, "out");
  assertEquals(await assertRejects(() => Promise.reject("text")), "text");
  const failing: (() => Promise<unknown>)[] = [
    () => assertRejects(() => Promise.resolve()),
    () => assertRejects(() => fail("in sync")),
    () => assertRejects(() => 1 as unknown as Promise<unknown>),
    () => assertRejects(() => Promise.reject(new Error("a")), RangeError),
    () => assertRejects(() => Promise.reject(new Error("a")), Error, "b"),
    () => assertRejects(() => Promise.reject("text"), Error),
  ];
  for (const run of failing) {
    const reason = await run().then(() => undefined, (error) => error);
    assertInstanceOf(reason, AssertionError);
    assertFalse(reason.message.includes("in sync"));
  }
});

Deno.test("delay() waits, and rejects with the signal's reason", async () => {
  using time = new FakeTime(0);
  const waited = delay(1000).then(() => Date.now());
  await time.tickAsync(1000);
  assertEquals(await waited, 1000);

  const controller = new AbortController();
  const aborted = assertRejects(() => delay(1000, { signal: controller.signal }), Error, "why");
  controller.abort(new Error("why"));
  await aborted;
  await assertRejects(
    () => delay(1, { signal: AbortSignal.abort(new Error("early")) }),
    Error,
    "early",
  );
  assertFalse(time.next());
});

Deno.test("delay() waits for more than 24.8 days", async () => {
  using time = new FakeTime(0);
  let done = false;
  const waited = delay(2 ** 32).then(() => done = true);
  await time.tickAsync(2 ** 31);
  await time.tickAsync(2 ** 31 - 1);
  await time.runMicrotasks();
  assertFalse(done);
  await time.tickAsync(1);
  await waited;
});

Deno.test("deadline() settles as its promise does, or with a TimeoutError", async () => {
  assertEquals(await deadline(Promise.resolve(1), 1000), 1);
  await assertRejects(() => deadline(Promise.reject(new Error("no")), 1000), Error, "no");
  const slow = delay(20);
  assertEquals((await assertRejects(() => deadline(slow, 1), DOMException)).name, "TimeoutError");
  await slow;
  const signal = AbortSignal.abort(new Error("why"));
  await assertRejects(() => deadline(new Promise(() => {}), 1000, { signal }), Error, "why");
});

Deno.test("abortable() follows a promise and an iterable until the abort", async () => {
  const controller = new AbortController();
  assertEquals(await abortable(Promise.resolve(1), controller.signal), 1);
  let closed = false;
  async function* numbers() {
    try {
      yield 1;
      yield await Promise.resolve(2);
      await new Promise(() => {});
    } finally {
      closed = true;
    }
  }
  const seen: number[] = [];
  for await (const n of abortable(numbers(), controller.signal)) {
    seen.push(n);
    if (n === 1) break;
  }
  assert(closed);
  const never = assertRejects(
    () => abortable(new Promise(() => {}), controller.signal),
    Error,
    "why",
  );
  controller.abort(new Error("why"));
  await never;
  await assertRejects(() => abortable(numbers(), controller.signal).next(), Error, "why");
  assertEquals(seen, [1]);
});

Deno.test("FakeTime fakes Date, and gives the real one back", () => {
  const before = [Date, setTimeout, clearTimeout, setInterval, clearInterval, AbortSignal.timeout];
  const others = [queueMicrotask, MessageChannel, performance.now];
  {
    using time = new FakeTime("2026-01-02T03:04:05Z");
    assertEquals(new Date().toISOString(), "2026-01-02T03:04:05.000Z");
    assertEquals(new Date(5).getTime(), 5);
    assertInstanceOf(new Date(), Date);
    assertEquals([queueMicrotask, MessageChannel, performance.now], others);
    time.tick(1500);
    assertEquals([Date.now(), time.now, time.start], [
      time.start + 1500,
      time.start + 1500,
      time.start,
    ]);
    assertThrows(() => new FakeTime(), TimeError);
    assertThrows(() => time.now = 0, RangeError);
  }
  const after = [Date, setTimeout, clearTimeout, setInterval, clearInterval, AbortSignal.timeout];
  after.forEach((global, i) => assertStrictEquals(global, before[i]));
  assertThrows(() => FakeTime.restore(), TimeError);
  assertThrows(() => new FakeTime("never"), TypeError);
});

Deno.test("FakeTime starts at the real time, a number or a date", () => {
  for (const start of [undefined, null]) {
    const now = Date.now();
    using time = new FakeTime(start);
    assert(time.start >= now);
  }
  for (const start of [5.7, new Date(5)]) {
    using _time = new FakeTime(start);
    assertEquals(Date.now(), 5);
  }
});

Deno.test("FakeTime fires timers by due time, then by the order of their setting", () => {
  using time = new FakeTime(0);
  const seen: string[] = [];
  const note = (text: string) => seen.push(`${text}@${Date.now()}`);
  setTimeout(note, 20, "c");
  setTimeout(note, 10, "a");
  setTimeout(note, 10.9, "b");
  clearTimeout(setTimeout(note, 10, "cleared"));
  setTimeout(note, -5, "now");
  time.tick(0);
  assertEquals(seen.splice(0), ["now@0"]);
  time.tick(100);
  assertEquals(seen, ["a@10", "b@10", "c@20"]);
  assertEquals(Date.now(), 100);
});

Deno.test("FakeTime fires what a callback sets, within the same tick", () => {
  using time = new FakeTime(0);
  const seen: number[] = [];
  setTimeout(() => {
    setTimeout(() => seen.push(Date.now()), 0);
    setTimeout(() => seen.push(Date.now()), 5);
    setTimeout(() => seen.push(Date.now()), 6);
  }, 10);
  time.tick(15);
  assertEquals(seen, [10, 15]);
});

Deno.test("FakeTime does not overflow: a timeout of 30 days takes 30 days", () => {
  using time = new FakeTime(0);
  let done = false;
  setTimeout(() => done = true, 30 * 86_400_000);
  time.tick(30 * 86_400_000 - 1);
  assertFalse(done);
  time.tick(1);
  assert(done);
});

Deno.test("FakeTime repeats intervals until they are cleared, by themselves too", () => {
  using time = new FakeTime(0);
  const seen: number[] = [];
  const id = setInterval(() => {
    seen.push(Date.now());
    if (seen.length === 3) clearInterval(id);
  }, 10);
  time.tick(25);
  assertEquals(seen, [10, 20]);
  time.runAll();
  assertEquals(seen, [10, 20, 30]);
});

Deno.test("FakeTime stops at a callback that throws", () => {
  using time = new FakeTime(0);
  let later = false;
  setTimeout(() => fail("no"), 10);
  setTimeout(() => later = true, 20);
  assertThrows(() => time.tick(30), AssertionError);
  assertEquals([time.now, later], [10, false]);
  time.tick(10);
  assertEquals([time.now, later], [20, true]);
});

Deno.test("FakeTime.next() and runAll() move from timer to timer", async () => {
  using time = new FakeTime(0);
  const seen: number[] = [];
  const chain = (left: number) => {
    seen.push(Date.now());
    if (left > 0) setTimeout(chain, 10, left - 1);
  };
  chain(2);
  assert(time.next());
  assertEquals(seen, [0, 10]);
  time.runAll();
  assertEquals(seen, [0, 10, 20]);
  assertFalse(time.next());
  assertFalse(await time.nextAsync());

  Promise.resolve().then(() => setTimeout(() => seen.push(Date.now()), 5));
  assert(await time.nextAsync());
  setTimeout(() => Promise.resolve().then(() => setTimeout(() => seen.push(Date.now()), 5)), 5);
  await time.runAllAsync();
  await time.runMicrotasks();
  await time.runAllAsync();
  assertEquals(seen, [0, 10, 20, 25, 35]);
});

Deno.test("FakeTime lets macrotasks of other kinds run in runMicrotasks()", async () => {
  using time = new FakeTime(0);
  const { port1, port2 } = new MessageChannel();
  let got = 0;
  port1.onmessage = () => got++;
  port2.postMessage(1);
  await time.runMicrotasks();
  await time.delay(1);
  port1.close();
  port2.close();
  assertEquals([got, time.now], [1, 0]);
  const signal = AbortSignal.abort();
  assertEquals(
    (await assertRejects(() => time.delay(1, { signal }), DOMException)).name,
    "AbortError",
  );
});

Deno.test("FakeTime fakes AbortSignal.timeout()", () => {
  using time = new FakeTime(0);
  const signal = AbortSignal.timeout(50);
  time.tick(49);
  assertFalse(signal.aborted);
  time.tick(1);
  assertEquals([signal.aborted, signal.reason.name], [true, "TimeoutError"]);
});

Deno.test("FakeTime.restoreFor() runs with the real timers", async () => {
  const real = setTimeout;
  await assertRejects(() => FakeTime.restoreFor(() => {}), TimeError);
  using _time = new FakeTime(0);
  const faked = setTimeout;
  assertStrictEquals(
    await FakeTime.restoreFor(async (ms: number) => {
      await delay(ms);
      return setTimeout;
    }, 1),
    real,
  );
  assertStrictEquals(setTimeout, faked);
  await assertRejects(() => FakeTime.restoreFor(() => fail("no")), AssertionError);
  assertStrictEquals(setTimeout, faked);
});

Deno.test("FakeTime can advance by itself", async () => {
  using time = new FakeTime(0, { advanceRate: 1000, advanceFrequency: 1 });
  await time.delay(20);
  assertGreater(time.now, 2000);
});
