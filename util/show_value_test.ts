import { assert, assertEquals } from "@std/assert";
import { printable, showError, showValue } from "./show_value.ts";

const cyclic: Record<string, unknown> = { n: 1 };
cyclic.self = [cyclic];

const SHOWN: [value: unknown, text: string][] = [
  [undefined, "undefined"],
  [null, "null"],
  [-0, "-0"],
  [10n, "10n"],
  [Symbol("s"), "Symbol(s)"],
  ["a\n\0 \u202e  b", '"a\\n\\u0000 \\u202e  b"'],
  [{ a: 1n, "b c": [null, undefined], "": {} }, '{ a: 1n, "b c": [null, undefined], "": {} }'],
  [[[], new Set(), new Map()], "[[], Set {}, Map {}]"],
  [new Map([["k", new Set([1])]]), 'Map { "k" => Set { 1 } }'],
  [/x/g, "/x/g"],
  [assert, 'a function "assert"'],
  [new Date(5), "1970-01-01T00:00:00.005Z"],
  [new Date(NaN), "an invalid date"],
  [new Int16Array([1, -2]), "Int16Array [1, -2]"],
  [new BigInt64Array([1n]), "BigInt64Array [1n]"],
  [new Uint8Array([0, 1, 2]).buffer, "ArrayBuffer [0, 1, 2]"],
  [new DataView(new ArrayBuffer(2), 1), "DataView [0]"],
  [[new RangeError("a", { cause: 5 })], "[RangeError: a, caused by 5]"],
  [cyclic, "{ n: 1, self: [{ n: 1, self: […] }] }"],
  [Array(1000).fill(0), "[0, 0, 0, 0, 0, 0, 0, 0, … 992 more]"],
];

Deno.test("showValue() shows the content of any value on one line", () => {
  for (const [value, text] of SHOWN) assertEquals(showValue(value), text);
});

Deno.test("showValue() bounds its text and its work", () => {
  assertEquals(showValue("x".repeat(1000)).length, 403);
  const wide = (depth: number): unknown => depth === 0 ? "x".repeat(500) : Array(20).fill(wide(depth - 1));
  assert(showValue(wide(6)).length < 500);
  assert(showValue({ ["\0".repeat(1e6)]: "\0".repeat(1e6) }).length < 6000);
  assert(showValue(Array(2 ** 32 - 1)).endsWith("… 4,294,967,287 more]"));
});

Deno.test("showValue() and showError() show a value that cannot be read by its class", () => {
  const broken = {
    get a() {
      throw new Error("not readable");
    },
  };
  assertEquals([showValue([broken]), showValue({ a: broken })], ["an Array", "an Object"]);
  const error = Object.defineProperty(new Error("a"), "message", { value: 5 });
  assertEquals([showError(error), showError(new Proxy({}, { get: () => broken.a }))], ["an Error", "an object"]);
});

Deno.test("showError() shows the causes", () => {
  const cause = { name: "TypeError", message: "", cause: { name: "Error", message: "No luck" } };
  assertEquals(
    showError({ name: "Error", message: "Top", cause }),
    "Error: Top, caused by TypeError, caused by Error: No luck",
  );
  const endless = new Error("again");
  endless.cause = endless;
  assertEquals(showError(endless), `Error: again${", caused by Error: again".repeat(3)}`);
});

Deno.test("showError() shows thrown values, recorded or not", () => {
  const record = { name: "Error", message: "Thrown: an Object", thrown: { value: { code: 5 } } };
  assertEquals([record, { code: 5 }, "no", undefined].map(showError), [
    "{ code: 5 }",
    "{ code: 5 }",
    '"no"',
    "undefined",
  ]);
});

Deno.test("printable() makes one line of a text", () => {
  assertEquals(printable(" a\r\n\tb\0\u2028 \ud800 "), "a b \ufffd");
  assertEquals(printable("x".repeat(500)).length, 401);
});
