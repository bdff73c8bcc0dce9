import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { valueText, valueTree } from "./value.ts";

const textOf = (value: unknown) =>
  valueTree(value).html.text.replace(/<[^>]*>/g, "|").replace(/\|+/g, "|").replace(/&#34;/g, '"').replace(
    /&#62;/g,
    ">",
  );

Deno.test("valueTree() shows each kind of value in a form of its own", () => {
  const kinds: [unknown, string][] = [
    [12n, "|12n| |bigint|"],
    [-0, "|-0|"],
    ["12", '|"12"|'],
    [undefined, "|undefined|"],
    [new Date(0), "|1970-01-01T00:00:00.000Z| |Date|"],
    [new Date(NaN), "|invalid| |Date|"],
    [/a</g, "|/a&#60;/g| |RegExp|"],
    [new Map([["a", 1]]), '|Map(1)|"a" =>:| |1|'],
    [new Map([[{ k: 1 }, 2]]), "|Map(1)|entry 0:| |key:| |{1}|k:| |1|value:| |2|"],
    [new Set([1]), "|Set(1)|0:| |1|"],
    [new Uint8Array([7]), "|Uint8Array(1)|07|"],
    [new ArrayBuffer(1), "|ArrayBuffer(1)|00|"],
    [new Float64Array([1.5, -0]), "|Float64Array(2)|1.5, -0|"],
    [new BigInt64Array([2n]), "|BigInt64Array(1)|2n|"],
    [{ "a b": [] }, '|{1}|"a b":| |[0]|'],
  ];
  for (const [value, expected] of kinds) assertEquals(textOf(value), expected);
  assertStringIncludes(
    textOf(new Error("a", { cause: new TypeError("b", { cause: "c" }) })),
    'TypeError: b|cause:| |"c"|',
  );
});

Deno.test("valueTree() cuts texts, items, depth and nodes, and says so", () => {
  let deep: unknown = 1;
  for (let i = 0; i < 900; i++) deep = [deep];
  const wide = Array.from({ length: 300 }, () => Array(300).fill("x"));
  for (const value of ["x".repeat(100_000), new Uint8Array(10_000_000), Array(100_000).fill(1), deep, wide]) {
    const { html, isCut } = valueTree(value);
    assert(isCut && html.text.length < 100_000, html.text.slice(0, 200));
  }
  assertEquals(valueTree([1, [2]]).isCut, false);
  assertEquals(valueText(deep).split("\n").length, 902);
});

Deno.test("valueTree() and valueText() survive cycles, getters that throw, and proxies", () => {
  const cycle: unknown[] = [];
  cycle.push(cycle);
  const fail = () => {
    throw new Error("no");
  };
  const getter = Object.defineProperty({}, "a", { get: fail, enumerable: true });
  const proxy = new Proxy({}, { ownKeys: fail, getPrototypeOf: fail, get: fail });
  for (const value of [cycle, getter, proxy, Symbol("s"), fail]) {
    valueTree(value);
    valueText(value);
  }
  assertStringIncludes(textOf(cycle), "the value around it");
  assertStringIncludes(textOf(getter), "cannot be read");
});
