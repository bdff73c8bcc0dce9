/** Stored values as JSON: the written form, exact round trips, and texts that are refused. The file is longer than 500 lines: it is a list of independent cases, which one searches by name. */

import { assert, assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import { decode, encode } from "./codec.ts";
import { needsCopy, toStored } from "./value.ts";
import { seeded } from "@rockpool/workflow/testing";

// deno-lint-ignore no-explicit-any
type Anything = any;

const write = (value: unknown): string => JSON.stringify(encode(toStored(value, "value"), "write"));
const read = (text: string): Anything => decode(JSON.parse(text), "read");

/** Encodes and decodes a value, and compares the result with the stored value. */
function roundTrip(value: unknown, stored = toStored(value, "value")): Anything {
  const back = read(JSON.stringify(encode(stored, "write")));
  assertEquals(difference(stored, back), undefined);
  assertEquals(needsCopy(back), needsCopy(stored));
  return back;
}

/** The path to the first difference of two values: a primitive, a prototype, a key, the order, freezing or sharing. */
function difference(a: Anything, b: Anything, path = "value", twins = new Map<object, object>()): string | undefined {
  const isObject = (value: unknown) => typeof value === "object" && value !== null;
  if (!isObject(a) || !isObject(b)) return Object.is(a, b) ? undefined : path;
  if (twins.has(a) || twins.has(b)) return twins.get(a) === b && twins.get(b) === a ? undefined : `${path}, shared`;
  twins.set(a, b).set(b, a);
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return `${path}, its prototype`;
  if (Object.isFrozen(a) && !Object.isFrozen(b)) return `${path}, not frozen`;
  const [ours, theirs] = [partsOf(a), partsOf(b)];
  if (ours.length !== theirs.length) return `${path}, its keys`;
  for (const [i, [key, value]] of ours.entries()) {
    const found = difference(key, theirs[i][0], `${path}, a key`, twins) ??
      difference(value, theirs[i][1], `${path}.${String(key)}`, twins);
    if (found) return found;
  }
}

/** Everything that distinguishes an object, in order. */
function partsOf(object: Anything): [key: unknown, value: unknown][] {
  if (object instanceof Map) return [...object];
  if (object instanceof Set) return [...object].map((item) => [0, item]);
  if (object instanceof Date) return [["time", object.getTime()]];
  if (object instanceof RegExp) return [["text", String(object)], ["lastIndex", object.lastIndex]];
  if (object instanceof DOMException) {
    return ["name", "message", "code", "stack"].map((key) => [key, object[key as "name"]]);
  }
  if (object instanceof ArrayBuffer) {
    const bytes = new Uint8Array(object);
    return [["max", object.maxByteLength], ["resizable", object.resizable], ...bytes.entries()];
  }
  if (ArrayBuffer.isView(object)) {
    return [["buffer", object.buffer], ["offset", object.byteOffset], ["length", object.byteLength]];
  }
  return [
    ["valueOf", isBoxed(object) && object.valueOf()],
    ["enumerable", Object.keys(object).length],
    ...Reflect.ownKeys(object).map((key) => [key, object[key]] as [unknown, unknown]),
  ];
}

const isBoxed = (object: object) => [Number, String, Boolean, BigInt].some((Class) => object instanceof Class);

/** An error with a stack that is the same everywhere. */
const withStack = (error: Error): Error => Object.assign(error, { stack: "s" });

const written: [value: unknown, text: string][] = [
  [null, "null"],
  [[true, 1.5, "a", [], {}], '[true,1.5,"a",[],{}]'],
  [{ 2: "b", 1: "a", z: 1, "": { y: 0 } }, '{"1":"a","2":"b","z":1,"":{"y":0}}'],
  [undefined, '{"$":"undefined"}'],
  [{ a: undefined }, '{"a":{"$":"undefined"}}'],
  [-0, '{"$":"number","value":"-0"}'],
  [[NaN, Infinity], '[{"$":"number","value":"NaN"},{"$":"number","value":"Infinity"}]'],
  [10n ** 20n, '{"$":"bigint","value":"100000000000000000000"}'],
  [new Date(5), '{"$":"Date","value":"1970-01-01T00:00:00.005Z"}'],
  [new Date(NaN), '{"$":"Date","value":null}'],
  [/a\/b/gi, '{"$":"RegExp","value":"/a\\\\/b/gi"}'],
  [new Map([["k", 1]]), '{"$":"Map","value":[["k",1]]}'],
  [new Set([1, [2]]), '{"$":"Set","value":[1,[2]]}'],
  [[1, , 3, ,], '{"$":"Array","value":{"0":1,"2":3,"length":4}}'], // deno-lint-ignore-line no-sparse-arrays
  [{ $: 1 }, '{"$":"Object","value":{"$":1}}'],
  [new Uint8Array([1, 2]).buffer, '{"$":"ArrayBuffer","value":"AQI="}'],
  [new ArrayBuffer(1, { maxByteLength: 8 }), '{"$":"ArrayBuffer","value":"AA== 8"}'],
  [new Uint16Array([1]), '{"$":"Uint16Array","value":[{"$":"ArrayBuffer","value":"AQA="},0,1]}'],
  [withStack(new RangeError("m")), '{"$":"RangeError","value":{"stack":"s","message":"m"}}'],
  [
    withStack(new Error("m", { cause: new Date(5) })),
    '{"$":"Error","value":{"stack":"s","message":"m","cause":{"$":"Date","value":"1970-01-01T00:00:00.005Z"}}}',
  ],
  [Object(1n), '{"$":"BigInt","value":{"$":"bigint","value":"1"}}'],
  [Object("a"), '{"$":"String","value":"a"}'],
  ["\ud800\0", '"\\ud800\\u0000"'],
];

for (const [value, text] of written) {
  Deno.test(`encode() writes ${text}`, () => {
    assertEquals(write(value), text);
    roundTrip(value);
  });
}

Deno.test("encode() writes a repeated value as a reference to its number", () => {
  const shared = { n: undefined };
  const root: Anything = { date: new Date(5), a: shared, list: [] };
  root.list.push(shared, root.date, root);
  // the root is 0, the date 1, `shared` 2, its undefined 3, the list 4
  assertEquals(JSON.parse(write(root)).list, [{ $: "ref", value: 2 }, { $: "ref", value: 1 }, { $: "ref", value: 0 }]);
  roundTrip(root);
});

Deno.test("encode() returns a value that JSON has without a copy", () => {
  const value = toStored({ list: [{ n: 1 }, "a", null], empty: {} }, "value");
  assertStrictEquals(encode(value, "write"), value);
});

function selfCaused(): Error {
  const error = new Error("m");
  error.cause = error;
  return error;
}

function inCircles(): Error {
  const error = new AggregateError([], "m", { cause: new Error("c") });
  error.errors.push(error, { error }, error.cause);
  (error.cause as Error).cause = new SuppressedError(error, error.cause);
  return error;
}

const views = [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array]
  .map((View) => View.of(1, 2)) as ArrayBufferView[];
const errors = [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError];
const values: [what: string, value: unknown][] = [
  ...[0, 5e-324, Number.MAX_VALUE, 2 ** 53, -Infinity, 0n, -(2n ** 64n)].map((n) =>
    [String(n), n] as [string, unknown]
  ),
  ["undefined in every place", [undefined, { a: undefined }, new Map([[undefined, undefined]]), new Set([undefined])]],
  ["dates at both ends of time", [new Date(8.64e15), new Date(-8.64e15), new Date(-1)]],
  // deno-lint-ignore no-invalid-regexp
  ["expressions", [/(?:)/, /a b\n"/dgimsuy, /[a--b]/v, /[/\]]\//]],
  ["an empty Map, Set, buffer and array", [new Map(), new Set(), new ArrayBuffer(), [], new Uint8Array()]],
  ["NaN and objects as keys of a Map", new Map<unknown, unknown>([[NaN, -0], [{ k: 1 }, [2]], [new Set([1]), null]])],
  ["Maps in Sets in Maps", new Map([[new Set([new Map([[1, 2]])]), new Set([new Map()])]])],
  ["an array that has only holes", new Array(5)],
  ["an array with a hole and nested values", Object.assign([], { 3: { a: [,] } })], // deno-lint-ignore-line no-sparse-arrays
  ["a resizable buffer", new ArrayBuffer(2, { maxByteLength: 4 })],
  ["a BigInt64Array", BigInt64Array.of(-1n, 2n)],
  ["a BigUint64Array", BigUint64Array.of(2n ** 64n - 1n)],
  ["a Float64Array", Float64Array.of(NaN, -0, 1.5)],
  ["a Float16Array", Float16Array.of(NaN, -0, 1.5)],
  ["a DataView", new DataView(new ArrayBuffer(16), 4, 2)],
  ...views.map((view) => [`a ${view.constructor.name}`, view] as [string, unknown]),
  ...[1, -0, NaN, "", "ab", true, false, 7n].map((p) => [`a boxed ${Deno.inspect(p)}`, Object(p)] as [string, unknown]),
  ...errors.map((Class) => [`a ${Class.name}`, new Class("m")] as [string, unknown]),
  ["an error without a message", new Error()],
  ["an error with an empty message", new Error("")],
  ["an error without a stack", Object.assign(new Error("m"), { stack: undefined })],
  ["an error whose cause is undefined", new Error("m", { cause: undefined })],
  [
    "an AggregateError",
    new AggregateError([1, new TypeError("a", { cause: new AggregateError([]) })], "m", { cause: 1 }),
  ],
  ["a SuppressedError", new SuppressedError(new RangeError("a"), undefined, "m")],
  ["an error that causes itself", selfCaused()],
  ["an AggregateError that holds itself and its cause", inCircles()],
  ["an error of a class", new (class Mine extends RangeError {})("m")],
  ["a chain of causes", new Error("a", { cause: new TypeError("b", { cause: { c: new Map([[1, new Date(5)]]) } }) })],
  ["a DOMException", new DOMException("m", "AbortError")],
  ["a DOMException with another name", new DOMException("", "Mine")],
  ["strings with special characters", ['\0\u2028\u2029\ud800 \udc00\ud83d\ude00"\\/\b\n', "\uffff"]],
  [
    "unusual keys",
    JSON.parse('{"":1,"__proto__":{"a":[]},"constructor":2,"toJSON":3,"\\ud800":4,"10":5,"9":6,"-1":7}'),
  ],
  ["the key $ at every depth", { $: { $: "Date", value: 5 }, value: [{ $: undefined }], $$: 1, __proto__: { $: 1 } }],
  ["objects that look like references", [{ $: "ref", value: 0 }, { $: "Object", value: { $: 1 } }]],
];

for (const [what, value] of values) {
  Deno.test(`encode() and decode() keep ${what}`, () => {
    roundTrip(value);
    roundTrip({ deep: [value, value] });
  });
}

Deno.test("encode() and decode() keep a cause of an error as structured clone makes it", () => {
  const bytes = Uint8Array.of(1, 2, 3, 4);
  const list: Anything = Object.assign([1, 2], { more: 3, $: 4, __proto__: Array.prototype });
  const holes = [[, 1], Object.assign([, 1], { more: 2 })]; // deno-lint-ignore-line no-sparse-arrays
  const cause: Anything = { list, views: [bytes, new Uint16Array(bytes.buffer, 2, 1), bytes.buffer], holes };
  cause.self = cause;
  const error = new Error("m", { cause });
  cause.error = error;
  const back = roundTrip({ error }, structuredClone({ error })).error.cause; // as a store of somebody else can make it
  assertStrictEquals(back.views[0].buffer, back.views[1].buffer);
  assertStrictEquals(back.error.cause, back);
});

Deno.test("encode() and decode() keep cycles and shared parts, through all kinds of containers", () => {
  const shared = { n: 1 };
  const holes: Anything[] = [, shared]; // deno-lint-ignore-line no-sparse-arrays
  const root: Anything = { $: shared, list: [shared], map: new Map(), set: new Set([shared]), holes };
  root.map.set(root, root.map).set(shared, root.set);
  root.set.add(root.set).add(root);
  root.list.push(root, root.list);
  holes.push(holes, root);
  const date = new Date(5);
  root.dates = [date, date, new Map([[date, date]])];
  const bytes = new Uint8Array(2);
  root.bytes = [bytes, bytes];
  roundTrip(root);
});

Deno.test("encode() and decode() accept 1,000 levels of nesting", () => {
  const nest: ((value: Anything) => unknown)[] = [
    (value) => [value],
    (value) => ({ value }),
    (value) => ({ $: value }),
    (value) => [, value], // deno-lint-ignore-line no-sparse-arrays
    (value) => new Set([value]),
  ];
  for (const wrap of nest) {
    let value: unknown = new Date(5);
    for (let i = 0; i < 1_000; i++) value = wrap(value);
    let depth = 0;
    for (let back = read(write(value)); !(back instanceof Date); depth++) {
      back = back instanceof Set ? [...back][0] : Array.isArray(back) ? back.at(-1) : back.$ ?? back.value;
    }
    assertEquals(depth, 1_000);
  }
});

Deno.test("decode() freezes the arrays and objects, also those in a Map, a Set and a cause", () => {
  const value = [{ a: [] }, new Map([[{ k: 1 }, [1]]]), new Set([[1]]), [, {}], { $: {} }]; // deno-lint-ignore-line no-sparse-arrays
  const [object, map, set, list, escaped] = roundTrip(value) as Anything;
  const { cause } = roundTrip([new Error("m", { cause: [{}] })])[0];
  for (const part of [object, object.a, ...[...map][0], ...set, list, list[1], escaped, escaped.$, cause, cause[0]]) {
    assert(Object.isFrozen(part));
  }
});

Deno.test("encode() and decode() convert a megabyte of bytes in runtimes without base64 methods of Uint8Array", () => {
  const [prototype, constructor]: Anything[] = [Uint8Array.prototype, Uint8Array];
  const { toBase64 } = prototype;
  const { fromBase64 } = constructor;
  const value = Uint8Array.from({ length: 1_000_001 }, (_, i) => i * 7 + (i >> 8));
  const text = write(value);
  delete prototype.toBase64;
  delete constructor.fromBase64;
  try {
    assertStrictEquals(write(value), text);
    assertEquals(difference(value, read(text)), undefined);
    assertThrows(
      () => read('{"$":"ArrayBuffer","value":"A"}'),
      TypeError,
      'Cannot read: "A" is not a valid ArrayBuffer',
    );
    assertThrows(
      () => read('{"$":"ArrayBuffer","value":"AB=="}'),
      TypeError,
      'Cannot read: "AB==" is not a valid ArrayBuffer',
    );
  } finally {
    Object.defineProperty(prototype, "toBase64", { value: toBase64, writable: true, configurable: true });
    Object.defineProperty(constructor, "fromBase64", { value: fromBase64, writable: true, configurable: true });
  }
});

const unwritable: [value: unknown, message: string][] = [
  [{ files: [{ "my file": new Blob(["a"]) }] }, 'a Blob at files[0]["my file"] cannot be written as text'],
  [[new Map([["k", new Blob([])]])], "a Blob at [0][0][1] cannot be written as text"],
  [[new Error("m", { cause: { blob: new Blob([]) } })], "a Blob at [0].cause.blob cannot be written as text"],
  [new Map([[{ k: new Blob([]) }, 1]]), "a Blob at [0][0].k cannot be written as text"],
  [{ $: new File([], "f") }, "a File at $ cannot be written as text"],
];

for (const [value, message] of unwritable) {
  Deno.test(`encode() throws "Cannot write: ${message}"`, () => {
    assertEquals(assertThrows(() => write(value), TypeError).message, `Cannot write: ${message}`);
  });
}

Deno.test("encode() throws on an object that is not plain and has no tag, as a Blob on old dates of workerd", () => {
  const untagged = new (class NoTag {})();
  const error = assertThrows(() => encode({ file: untagged }, "write"), TypeError);
  assertEquals(error.message, "Cannot write: a NoTag at file cannot be written as text");
});

const deep = (open: string, close: string, depth: number) => open.repeat(depth) + "0" + close.repeat(depth);
const refused: [text: string, message: string][] = [
  ['{"a":[{"$":"Nope"}]}', ', a[0]: the tag "Nope" is not known'],
  ['{"$":5}', ": the tag 5 is not known"],
  ['{"$":"__proto__"}', ': the tag "__proto__" is not known'],
  ['{"$":"Function","value":"return 1"}', ': the tag "Function" is not known'],
  ['{"$":"Promise"}', ': the tag "Promise" is not known'],
  ['{"$":"SharedArrayBuffer","value":""}', ': the tag "SharedArrayBuffer" is not known'],
  ['{"$":"Object","value":{"a":1}}', ': the tag "Object" is not known'],
  ['{"$":"Object"}', ': the tag "Object" is not known'],
  ['{"$":"Object","value":[1]}', ': the tag "Object" is not known'],
  ['[{"$":"ref","value":1}]', ", [0]: a reference to 1 has no target"],
  ['[{"$":"ref","value":-1}]', ", [0]: a reference to -1 has no target"],
  ['[{"$":"ref","value":0.5}]', ", [0]: a reference to 0.5 has no target"],
  ['[{"$":"ref","value":"length"}]', ', [0]: a reference to "length" has no target'],
  ['[{"$":"ref"}]', ", [0]: a reference to undefined has no target"],
  ['{"$":"undefined","value":1}', ": 1 is not a valid undefined"],
  ['{"$":"number","value":"five"}', ': "five" is not a valid number'],
  ['{"$":"number","value":"05"}', ': "05" is not a valid number'],
  ['{"$":"number","value":""}', ': "" is not a valid number'],
  ['{"$":"number","value":5}', ": 5 is not a valid number"],
  ['{"$":"number"}', ": undefined is not a valid number"],
  ['{"$":"bigint","value":"1.5"}', ': "1.5" is not a valid bigint'],
  ['{"$":"bigint","value":" 1"}', ': " 1" is not a valid bigint'],
  ['{"$":"bigint","value":1}', ": 1 is not a valid bigint"],
  ['{"$":"Date","value":"yesterday"}', ': "yesterday" is not a valid Date'],
  ['{"$":"Date","value":"2024-02-30T00:00:00.000Z"}', ': "2024-02-30T00:00:00.000Z" is not a valid Date'],
  ['{"$":"Date","value":5}', ": 5 is not a valid Date"],
  ['{"$":"RegExp","value":"/(/"}', ': "/(/" is not a valid RegExp'],
  ['{"$":"RegExp","value":"/a/ig"}', ': "/a/ig" is not a valid RegExp'],
  ['{"$":"RegExp","value":"a"}', ': "a" is not a valid RegExp'],
  ['{"$":"RegExp","value":{}}', ": an Object is not a valid RegExp"],
  ['{"$":"Map","value":{}}', ": an Object is not a valid Map"],
  ['{"$":"Map","value":[1]}', ": an Array is not a valid Map"],
  ['{"$":"Map","value":[["a"]]}', ": an Array is not a valid Map"],
  ['{"$":"Map","value":[["a",1],["a",2]]}', ": an Array is not a valid Map"],
  ['{"$":"Map","value":"ab"}', ': "ab" is not a valid Map'],
  ['{"$":"Map"}', ": undefined is not a valid Map"],
  ['{"$":"Set","value":"ab"}', ': "ab" is not a valid Set'],
  ['{"$":"Set","value":[1,1]}', ": an Array is not a valid Set"],
  ['{"$":"Array","value":{"0":1}}', ": an Object is not a valid Array"],
  ['{"$":"Array","value":{"length":-1}}', ": an Object is not a valid Array"],
  ['{"$":"Array","value":{"length":"1"}}', ": an Object is not a valid Array"],
  ['{"$":"Array","value":{"length":1.5}}', ": an Object is not a valid Array"],
  ['{"$":"Array","value":{"length":4294967296}}', ": an Object is not a valid Array"],
  ['{"$":"Array","value":{"0":1,"length":1000002}}', ": an Object is not a valid Array"], // more holes than a stored value can have
  ['{"$":"Array","value":{"1":1,"length":1}}', ": an Object is not a valid Array"],
  ['{"$":"Array","value":null}', ": null is not a valid Array"],
  ['{"$":"ArrayBuffer","value":"AQ"}', ': "AQ" is not a valid ArrayBuffer'],
  ['{"$":"ArrayBuffer","value":"!!!!"}', ': "!!!!" is not a valid ArrayBuffer'],
  ['{"$":"ArrayBuffer","value":"AB=="}', ': "AB==" is not a valid ArrayBuffer'],
  ['{"$":"ArrayBuffer","value":"AQI= 1"}', ': "AQI= 1" is not a valid ArrayBuffer'],
  ['{"$":"ArrayBuffer","value":"AQI= 1e99"}', ': "AQI= 1e99" is not a valid ArrayBuffer'],
  ['{"$":"ArrayBuffer","value":9}', ": 9 is not a valid ArrayBuffer"],
  ['{"$":"Uint8Array","value":[4000000000,0,4000000000]}', ": an Array is not a valid Uint8Array"],
  ['{"$":"Uint8Array","value":[{"length":4000000000},0,4000000000]}', ": an Array is not a valid Uint8Array"],
  ['{"$":"Uint8Array","value":[{"$":"ArrayBuffer","value":"AQI="},0,3]}', ": an Array is not a valid Uint8Array"],
  ['{"$":"Uint8Array","value":[{"$":"ArrayBuffer","value":"AQI="},0,"2"]}', ": an Array is not a valid Uint8Array"],
  ['{"$":"Uint8Array","value":[{"$":"ArrayBuffer","value":"AQI="}]}', ": an Array is not a valid Uint8Array"],
  ['{"$":"Uint16Array","value":[{"$":"ArrayBuffer","value":"AQID"},1,1]}', ": an Array is not a valid Uint16Array"],
  ['{"$":"DataView","value":[{"$":"ref","value":0},0,0]}', ": an Array is not a valid DataView"],
  ['{"$":"Uint8Array","value":[{"$":"ArrayBuffer","value":"?"},0,1]}', ', [0]: "?" is not a valid ArrayBuffer'],
  ['{"$":"Error","value":{"stack":"s","message":5}}', ": an Object is not a valid Error"],
  ['{"$":"Error","value":{"stack":"s","message":{"toString":1}}}', ": an Object is not a valid Error"],
  ['{"$":"Error","value":{"stack":"s","name":"Mine"}}', ": an Object is not a valid Error"],
  ['{"$":"Error","value":{"stack":"s","__proto__":{}}}', ": an Object is not a valid Error"],
  ['{"$":"Error","value":"m"}', ': "m" is not a valid Error'],
  ['{"$":"Error"}', ": undefined is not a valid Error"],
  ['{"$":"DOMException","value":["m",5,"s"]}', ": an Array is not a valid DOMException"],
  ['{"$":"Number","value":"5"}', ': "5" is not a valid Number'],
  ['{"$":"Boolean","value":{"a":1}}', ": an Object is not a valid Boolean"],
  ['{"$":"BigInt","value":5}', ": 5 is not a valid BigInt"],
  ['{"$":"String","value":{"toString":1}}', ": an Object is not a valid String"],
  [deep("[", "]", 3_000), `, ${"[0]".repeat(33)}[…]${"[0]".repeat(33)}: it is nested more than 1500 levels deep`],
];

for (const [text, message] of refused) {
  Deno.test(`decode() throws "Cannot read${message.slice(0, 80)}" when the text is ${text.slice(0, 80)}`, () => {
    const error = assertThrows(() => read(text), TypeError);
    assertEquals(error.message, `Cannot read${message}`);
    assertInstanceOf(error.cause, Error);
  });
}

for (
  const [what, text] of [
    ["arrays", deep("[", "]", 100_000)],
    ["objects", deep('{"a":', "}", 100_000)],
    ["tags", deep('{"$":"Set","value":', "}", 100_000)],
    ["escapes", deep('{"$":"Object","value":{"$":', "}}", 100_000)],
  ]
) {
  Deno.test(`decode() refuses ${what} nested 100,000 levels deep`, () => {
    assert(assertThrows(() => read(text), TypeError).message.startsWith("Cannot read"));
  });
}

Deno.test("decode() keeps __proto__ as data, and changes no prototype", () => {
  const accessor = {
    configurable: true,
    set(this: object, prototype: object) {
      Object.setPrototypeOf(this, prototype);
    },
  };
  Object.defineProperty(Object.prototype, "__proto__", accessor); // Deno has none
  try {
    const evil = '{"__proto__":{"$":"Map","value":[["polluted",1]]},"constructor":{"prototype":{"polluted":1}}}';
    const back = [
      read(evil),
      read(`{"$":"Object","value":{"$":1,${evil.slice(1)}}`),
      read(`[${evil},{"$":"Map","value":[["__proto__",${evil}]]}]`)[0],
    ];
    for (const object of back) {
      assertStrictEquals(Object.getPrototypeOf(object), Object.prototype);
      assertInstanceOf(Object.getOwnPropertyDescriptor(object, "__proto__")!.value, Map);
    }
    const list = read(`{"$":"Array","value":{"0":1,"__proto__":{"polluted":1},"length":2}}`);
    assertStrictEquals(Object.getPrototypeOf(list), Array.prototype);
    assertEquals([list.polluted, ({} as Anything).polluted], [undefined, undefined]);
    roundTrip(JSON.parse(`[${evil.replaceAll('"$"', '"a"')}]`));
  } finally {
    delete (Object.prototype as Anything)["__proto__"];
  }
});

Deno.test("decode() makes arrays with a million holes without allocating memory for them", () => {
  const one = (length: number) => `{"$":"Array","value":{"0":1,"length":${length}}}`;
  assertEquals(read(one(1_000_001)).length, 1_000_001);
  const lists = read(`[${Array(1000).fill(one(1_000_001))}]`); // would take 8 GB with memory for every item
  assertEquals([lists.length, lists[999].length, lists[999][0]], [1000, 1_000_001, 1]);
});

/** Makes random values of every kind, nested, shared and in cycles. */
class Generator {
  readonly #random: () => number;
  readonly #made: object[] = [];
  #budget = 40;

  constructor(seed: number) {
    this.#random = seeded(seed);
  }

  value(): unknown {
    const kind = this.#int(20);
    if (this.#budget-- < 0 || kind < 8) return this.#leaf();
    if (kind < 11 && this.#made.length > 0) return this.#pick(this.#made); // shared, or a cycle
    return this.#container();
  }

  #leaf(): unknown {
    return this.#pick<() => unknown>([
      () => this.#pick([undefined, null, true, false, NaN, -0, 0, Infinity, -Infinity, "", "$", "\ud800"]),
      () => this.#random() * 10 ** this.#int(30),
      () => BigInt(this.#int(1e9)) ** BigInt(this.#int(5)) * (this.#int(2) ? 1n : -1n),
      () => this.#string(),
      () => this.#keep(new Date(this.#int(5) ? this.#int(2 ** 45) : NaN)),
      () => this.#keep(new RegExp(this.#pick(["a", "[/\\]]", "\\/", ""]), this.#pick(["", "g", "imsu"]))),
      () => this.#keep(Object(this.#pick<unknown>([1, -0, NaN, "a", "", true, false, 5n]))),
      () => this.#keep(this.#bytes().buffer),
      () => this.#keep(new ArrayBuffer(this.#int(5), { maxByteLength: 8 })),
      () => this.#keep(new (this.#pick<Anything>([Uint8Array, Float16Array, DataView]))(this.#bytes().buffer)),
      () => this.#keep(BigInt64Array.of(BigInt(this.#int(1e9)))),
      () => this.#keep(new DOMException(this.#string(), this.#string())),
    ])();
  }

  #container(): unknown {
    const size = this.#int(5);
    const fill = (add: () => unknown) => Array.from({ length: size }, add);
    switch (this.#int(6)) {
      case 0: {
        const object = this.#keep({});
        fill(() => this.#define(object, this.#string(), this.value()));
        return object;
      }
      case 1: {
        const list: unknown[] = this.#keep([]);
        fill(() => list.push(this.value()));
        return list;
      }
      case 2: {
        const holes: unknown[] = this.#keep(new Array(this.#int(9)));
        fill(() => holes[this.#int(9)] = this.value());
        return holes;
      }
      case 3: {
        const map = this.#keep(new Map());
        fill(() => map.set(this.value(), this.value()));
        return map;
      }
      case 4: {
        const set = this.#keep(new Set());
        fill(() => set.add(this.value()));
        return set;
      }
      default: {
        const Class = this.#pick(errors);
        const error = this.#keep(this.#int(4) ? new Class(this.#string()) : new Class());
        if (this.#int(3)) error.stack = this.#string();
        const cause = this.value();
        if (this.#int(2)) this.#define(error, "cause", cause instanceof Error ? [cause] : cause);
        return error;
      }
    }
  }

  #define(object: object, key: string, value: unknown): void {
    Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
  }

  #bytes(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length: 2 * this.#int(20) }, () => this.#int(256));
  }

  #string(): string {
    const parts = [
      "$",
      "__proto__",
      "value",
      "length",
      "ref",
      "7",
      "10",
      "a",
      "é",
      "\0",
      "\ud800",
      "😀",
      '"',
      "\n",
      "",
    ];
    return this.#pick(parts) + (this.#int(3) ? "" : this.#pick(parts));
  }

  #keep<T extends object>(object: T): T {
    this.#made.push(object);
    return object;
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#int(from.length)];
  }

  #int(below: number): number {
    return Math.floor(this.#random() * below);
  }
}

Deno.test("encode() and decode() keep 5,000 random values exactly", () => {
  let tags = 0;
  for (let seed = 0; seed < 5_000; seed++) {
    const stored = toStored(new Generator(seed).value(), `value ${seed}`);
    const text = JSON.stringify(encode(stored, "write"));
    const back = read(text);
    assertEquals(difference(stored, back), undefined, `seed ${seed}: ${text}`);
    assertStrictEquals(JSON.stringify(encode(back, "write")), text, `seed ${seed}`);
    tags += text.split('"$":').length - 1;
  }
  assert(tags > 20_000, `only ${tags} tags`);
});
