/**
 * What the project's tests rely on in `@std`. It imports by the public names only, so that the same cases test the real packages
 * and the stand-ins.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  AssertionError,
  assertLess,
  assertMatch,
  assertNotEquals,
  assertNotInstanceOf,
  assertNotMatch,
  assertNotStrictEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  fail,
} from "@std/assert";
import { FakeTime } from "@std/testing/time";

class Point {
  #secret = Math.random();
  x: number;
  y: number;
  constructor(x: number, y = 0) {
    this.x = x;
    this.y = y;
  }
  get secret() {
    return this.#secret > 2;
  }
}
class Loud {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
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

/** Checks that pass, each followed by one that fails. */
const CHECKS: Record<string, [() => void, () => void]> = {
  assert: [() => assert(1), () => assert(0)],
  assertStrictEquals: [() => assertStrictEquals(NaN, NaN), () => assertStrictEquals({}, {})],
  "assertStrictEquals, zeros": [() => {}, () => assertStrictEquals(0, -0)],
  assertNotStrictEquals: [() => assertNotStrictEquals({}, {}), () => assertNotStrictEquals(1, 1)],
  assertInstanceOf: [() => assertInstanceOf([], Array), () => assertInstanceOf({}, Array)],
  assertNotInstanceOf: [() => assertNotInstanceOf({}, Array), () => assertNotInstanceOf([], Array)],
  assertMatch: [() => assertMatch("abc", /b/), () => assertMatch("abc", /d/)],
  assertNotMatch: [() => assertNotMatch("abc", /d/), () => assertNotMatch("abc", /b/)],
  assertStringIncludes: [() => assertStringIncludes("abc", "b"), () => assertStringIncludes("abc", "d")],
  assertLess: [() => assertLess(1, 2), () => assertLess(1, 1)],
  fail: [() => {}, () => fail("no")],
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
    assert(!reason.message.includes("in sync"));
  }
});

Deno.test("FakeTime fakes Date and the timeouts, and restores the real ones", () => {
  const before = [Date, setTimeout, clearTimeout];
  const others = [queueMicrotask, MessageChannel, performance.now];
  {
    using time = new FakeTime(1000);
    assertEquals(new Date().toISOString(), "1970-01-01T00:00:01.000Z");
    assertEquals(new Date(5).getTime(), 5);
    assertInstanceOf(new Date(), Date);
    assertEquals([queueMicrotask, MessageChannel, performance.now], others);
    time.tick(1500);
    assertEquals(Date.now(), 2500);
    assertThrows(() => new FakeTime());
  }
  [Date, setTimeout, clearTimeout].forEach((global, i) => assertStrictEquals(global, before[i]));
});

Deno.test("FakeTime starts at the real time or at a number", () => {
  const now = Date.now();
  {
    using _time = new FakeTime();
    assert(Date.now() >= now);
  }
  using _time = new FakeTime(5.7);
  assertEquals(Date.now(), 5);
});

Deno.test("FakeTime fires timers by due time, then in the order in which they were set", () => {
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
  assert(!done);
  time.tick(1);
  assert(done);
});

Deno.test("FakeTime stops at a callback that throws", () => {
  using time = new FakeTime(0);
  let later = false;
  setTimeout(() => fail("no"), 10);
  setTimeout(() => later = true, 20);
  assertThrows(() => time.tick(30), AssertionError);
  assertEquals([Date.now(), later], [10, false]);
  time.tick(10);
  assertEquals([Date.now(), later], [20, true]);
});

Deno.test("FakeTime.tickAsync() first runs what waits for no timer", async () => {
  using time = new FakeTime(0);
  const seen: string[] = [];
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => seen.push("message");
  port2.postMessage(1);
  Promise.resolve().then(() => setTimeout(() => seen.push("timer"), 5));
  await time.tickAsync(5);
  port1.close();
  port2.close();
  assertEquals(seen, ["message", "timer"]);
});
