/** What the kit's checks take for equal, and what they tell when it is not. */

import { assertEquals as same, assertRejects as rejects, assertThrows } from "@std/assert";
import { assert, assertEquals, assertRejects, inspect } from "./assert.ts";

const cyclic = (n: number) => {
  const value: Record<string, unknown> = { n };
  value.self = [value];
  return value;
};

Deno.test("assertEquals() takes values for equal that structured clone makes of each other", () => {
  const make = () => [
    undefined,
    NaN,
    -0,
    1n,
    "a",
    { a: undefined, "": [[]], "__proto__x": 1 },
    JSON.parse('{"__proto__": {"n": 1}}'),
    new Date(5),
    new Date(NaN),
    new Map<unknown, unknown>([[{ k: 1 }, new Set([1n, NaN])]]),
    new Uint8Array([1, 2]),
    new Uint8Array([0, 1, 2]).subarray(1),
    new Float64Array([0.5]).buffer,
    new RangeError("a", { cause: new Error("b") }),
    cyclic(1),
  ];
  for (const [i, value] of make().entries()) assertEquals(value, make()[i]);
  assertEquals(Object.assign(Object.create(null), { a: 1 }), { a: 1 });
});

Deno.test("assertEquals() tells apart what is not the same, and names the first place", () => {
  const pairs: [actual: unknown, expected: unknown, ...lines: string[]][] = [
    [1, 2, "expected 2", "got      1"],
    [0, -0, "expected -0", "got      0"],
    ["1", 1, "expected 1", 'got      "1"'],
    [null, {}, "expected {}", "got      null"],
    [{ a: undefined }, {}, "they differ at .a:", "expected nothing", "got      undefined"],
    [{}, { a: undefined }, "they differ at .a:", "expected undefined", "got      nothing"],
    [[1, [2, { b: 3 }]], [1, [2, { b: 4 }]], "they differ at [1][1].b:", "expected 4", "got      3"],
    [[1], [1, 2], "expected [1, 2]", "got      [1]"],
    [{ a: 1, b: [] }, { b: [], c: 1 }, "they differ at .c:", "expected 1", "got      nothing"],
    [new Date(1), new Date(2), "expected Date(2)", "got      Date(1)"],
    [new Map([["a", 1]]), new Map([["a", 2]]), "they differ at [0][1]:", "expected 2"],
    [new Set([1, 2]), new Set([2, 1]), "they differ at [0]:", "expected 2"],
    [[], {}, "expected {}", "got      []"],
    [new Uint8Array([1]), new Int8Array([1]), "expected Int8Array(1)", "got      Uint8Array(1)"],
    [new Uint8Array([1]), new Uint8Array([2]), "they differ at [0]:", "expected 2"],
    [new ArrayBuffer(1), new ArrayBuffer(2), "expected ArrayBuffer(0, 0)", "got      ArrayBuffer(0)"],
    [new Error("a"), new Error("b"), "they differ at .message:", 'expected "b"'],
    [new Error("a"), new RangeError("a"), "they differ at .name:", 'expected "RangeError"'],
    [cyclic(1), cyclic(2), "they differ at .n:", "expected 2", "{ n: 1, self: [(itself)] }"],
    [JSON.parse('{"__proto__": 1}'), {}, "they differ at .__proto__:", "expected nothing", "got      1"],
  ];
  for (const [actual, expected, ...lines] of pairs) {
    const { message } = assertThrows(() => assertEquals(actual, expected, "this")) as Error;
    for (const line of ["Expected this to be equal", ...lines]) {
      same(message.includes(line), true, `${message}\n-- lacks ${line}`);
    }
  }
});

Deno.test("assert() throws its message", () => {
  assert(1, "fine");
  assertThrows(() => assert(0, "Expected one"), Error, "Expected one");
});

Deno.test("assertRejects() answers the error, and tells what came instead", async () => {
  const error = new RangeError("a");
  same(await assertRejects(() => Promise.reject(error), RangeError), error);
  same(
    await assertRejects(() => {
      throw error;
    }, Error),
    error,
  );
  await rejects(
    () => assertRejects(() => Promise.resolve([1]), TypeError, "load()"),
    Error,
    "Expected load() to reject with a TypeError, but it answered [1]",
  );
  await rejects(
    () => assertRejects(() => Promise.reject(error), TypeError, "load()"),
    Error,
    "Expected load() to reject with a TypeError, but it rejected with RangeError: a",
  );
});

Deno.test("inspect() writes any value on one line, and not too long a one", () => {
  same(
    inspect([{ a: 1n, "b c": [null, undefined] }, new Map([["k", new Set()]]), /x/g, assert]),
    '[{ a: 1n, "b c": [null, undefined] }, Map(["k", Set()]), /x/g, function assert]',
  );
  same(inspect("x".repeat(1000)).length, 403);
});
