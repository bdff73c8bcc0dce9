/** What the assertions of the kit treat as equal, and how a failed one reads. */

import { assertEquals as same, assertRejects as rejects, assertThrows } from "@std/assert";
import { assert, assertEquals, assertRejects, equals } from "./assert.ts";

const cyclic = (n: number) => {
  const value: Record<string, unknown> = { n };
  value.self = [value];
  return value;
};

Deno.test("assertEquals() treats values as equal that structured clone makes of each other", () => {
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
    /x/g,
    Object(5),
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

Deno.test("assertEquals() throws when values differ, and names the first difference", () => {
  const pairs: [actual: unknown, expected: unknown, ...lines: string[]][] = [
    [1, 2, "expected 2", "got      1"],
    [0, -0, "expected -0", "got      0"],
    ["1", 1, "expected 1", 'got      "1"'],
    [null, {}, "expected {}", "got      null"],
    [{ a: undefined }, {}, "They differ at .a", "expected nothing", "got      undefined"],
    [{}, { a: undefined }, "They differ at .a", "expected undefined", "got      nothing"],
    [[1, [2, { b: 3 }]], [1, [2, { b: 4 }]], "They differ at [1][1].b", "expected 4", "got      3"],
    [[1], [1, 2], "expected [1, 2]", "got      [1]"],
    [{ a: 1, b: [] }, { b: [], c: 1 }, "They differ at .c", "expected 1", "got      nothing"],
    [new Date(1), new Date(2), "expected 1970-01-01T00:00:00.002Z", "got      1970-01-01T00:00:00.001Z"],
    [new Map([["a", 1]]), new Map([["a", 2]]), "They differ at [0][1]", "expected 2"],
    [new Set([1, 2]), new Set([2, 1]), "They differ at [0]", "expected 2"],
    [[], {}, "expected {}", "got      []"],
    [new Uint8Array([1]), new Int8Array([1]), "expected Int8Array [1]", "got      Uint8Array [1]"],
    [new Uint8Array([1]), new Uint8Array([2]), "They differ at [0]", "expected 2"],
    [new ArrayBuffer(1), new ArrayBuffer(2), "expected ArrayBuffer [0, 0]", "got      ArrayBuffer [0]"],
    [new Error("a"), new Error("b"), "They differ at .message", 'expected "b"'],
    [new Error("a"), new RangeError("a"), "They differ at .name", 'expected "RangeError"'],
    [cyclic(1), cyclic(2), "They differ at .n", "expected 2", "{ n: 1, self: [{ n: 1, self: […] }] }"],
    [/x/, /x/g, "expected /x/g", "got      /x/"],
    [Object(5), Object(6), "got      "],
    [JSON.parse('{"__proto__": 1}'), {}, "They differ at .__proto__", "expected nothing", "got      1"],
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

Deno.test("assertRejects() returns the error, and says what happened instead", async () => {
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
    "Expected load() to reject with TypeError, but it resolved with [1]",
  );
  await rejects(
    () => assertRejects(() => Promise.reject(error), TypeError, "load()"),
    Error,
    "Expected load() to reject with TypeError, but it rejected with RangeError: a",
  );
});

Deno.test("equals() is the same comparison without an error", () => {
  same([equals([1, { a: [2] }], [1, { a: [2] }]), equals({ a: 1, b: 2 }, { b: 2, a: 1 }), equals([1], [2])], [
    true,
    true,
    false,
  ]);
});
