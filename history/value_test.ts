import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertNotStrictEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { runInNewContext } from "node:vm";
import { handOut, needsCopy, toStored } from "./value.ts";
import { show } from "../util/show.ts";

// deno-lint-ignore no-explicit-any
type Anything = any;

const store = (value: unknown): Anything => toStored(value, "input");

for (const value of [undefined, null, true, 0, -0, NaN, Infinity, 1.5, "", "\ud800", 10n ** 30n]) {
  Deno.test(`toStored() and handOut() return the primitive ${Deno.inspect(value)} unchanged`, () => {
    assert(Object.is(store(value), value));
    assert(Object.is(handOut(value), value));
    assert(Object.is(store({ deep: [value] }).deep[0], value));
    assertEquals(needsCopy(value), false);
  });
}

Deno.test("toStored() copies and freezes plain objects and arrays, at every depth", () => {
  const value = { list: [{ n: 1 }, []], empty: {} };
  const stored = store(value);
  assertEquals(stored, value);
  for (const part of [stored, stored.list, stored.list[0], stored.list[1], stored.empty]) assert(Object.isFrozen(part));
  assertNotStrictEquals(stored.list[0], value.list[0]);
  assert(!Object.isFrozen(value.list[0]));
  assertEquals(needsCopy(stored), false);
  assertStrictEquals(handOut(stored), stored);
});

Deno.test("toStored() also copies frozen values, since they can have accessors", () => {
  let n = 1;
  const value = Object.freeze({
    get n() {
      return n;
    },
  });
  const stored = store(value);
  n = 2;
  assertEquals(stored, { n: 1 });
});

Deno.test("toStored() keeps undefined, holes and the length of an array", () => {
  const stored = store({ a: undefined, list: [undefined, , 1, ,] }); // deno-lint-ignore-line no-sparse-arrays
  assertEquals([Object.keys(stored), stored.list.length], [["a", "list"], 4]);
  assertEquals([0, 1, 2, 3].map((i) => i in stored.list), [true, false, true, false]);
});

Deno.test("toStored() copies only the items of an array", () => {
  assertEquals(Object.keys(store(Object.assign([1], { more: 2 }))), ["0"]);
});

Deno.test("toStored() copies own enumerable string keys, as structured clone does", () => {
  const value = Object.create({ inherited: 1 }, { hidden: { value: 1 }, own: { value: 1, enumerable: true } });
  value[Symbol("s")] = 1;
  assertEquals(Reflect.ownKeys(store(value)), ["own"]);
  assertEquals(structuredClone(value), store(value));
});

Deno.test("toStored() makes a plain object of an object without a prototype, of another realm or of a class", () => {
  class Money {
    #secret = 1;
    cents = 5;
    get euros() {
      return this.#secret;
    }
  }
  class Tagged extends Money {
    [Symbol.toStringTag] = "Money";
  }
  const bare = Object.assign(Object.create(null), { cents: 5 });
  for (const value of [bare, runInNewContext("({ cents: 5 })"), new Money(), new Tagged()]) {
    const stored = store([value])[0];
    assertStrictEquals(Object.getPrototypeOf(stored), Object.prototype);
    assertEquals(stored, { cents: 5 });
    assertEquals(needsCopy(stored), false);
  }
});

Deno.test("toStored() accepts arrays, maps and dates of another realm and of a subclass", () => {
  class List extends Array {}
  class Table extends Map<number, object> {}
  const foreign = runInNewContext("[[1], new Map([[1, { n: 1 }]]), new Set([1]), new Date(5)]");
  const stored = store([...foreign, List.of(1), new Table([[1, { n: 1 }]])]);
  assertEquals(stored, [[1], new Map([[1, { n: 1 }]]), new Set([1]), new Date(5), [1], new Map([[1, { n: 1 }]])]);
  assertEquals(stored.map((item: object) => item.constructor), [Array, Map, Set, Date, Array, Map]);
});

Deno.test("toStored() copies a Date and a RegExp, also if structured clone returns those of another realm", () => {
  const { structuredClone } = globalThis;
  globalThis.structuredClone = (value: unknown) =>
    runInNewContext(value instanceof RegExp ? `${value}` : `new Date(${Number(value)})`);
  try {
    const [date, pattern] = store([new Date(5), Object.assign(/a/gi, { lastIndex: 1 })]);
    assertEquals([date instanceof Date, +date, pattern instanceof RegExp, `${pattern}`], [true, 5, true, "/a/gi"]);
    assertEquals([+store([new Date(NaN)])[0], pattern.lastIndex], [NaN, 0]);
  } finally {
    globalThis.structuredClone = structuredClone;
  }
});

Deno.test("toStored() refuses an instance of a global class that has no tag and shows nothing", () => {
  const Key = (globalThis as Anything).Key = class Key {};
  try {
    assertThrows(() => store([new Key()]), TypeError, "Cannot store input[0]: a Key cannot be stored");
    assertEquals(store([new (class Key {})()]), [{}]); // a class of the user with that name
  } finally {
    delete (globalThis as Anything).Key;
  }
});

for (
  const tag of ["Map", "Set", "Date", "Error", "Array", "Uint8Array", "ArrayBuffer", "SharedArrayBuffer", "Object"]
) {
  Deno.test(`toStored() makes a plain object of an object that only has the tag ${tag}`, () => {
    class Pretender {
      own = { n: 1 };
      get [Symbol.toStringTag]() {
        return tag;
      }
      *[Symbol.iterator]() {
        yield ["not", "own"];
      }
    }
    const stored = store([new Pretender()])[0];
    assertStrictEquals(Object.getPrototypeOf(stored), Object.prototype);
    assertEquals(stored, { own: { n: 1 } });
    assertEquals(needsCopy(stored), false);
  });
}

for (const tag of ["Object", "Money", "Date", "Map"]) {
  Deno.test(`toStored() recognizes built-in objects that have the tag ${tag}`, () => {
    const values = [new Map([[1, { n: 1 }]]), new Set([1]), new Date(5), new Uint8Array([1]).buffer];
    const stored = store(values.map((value) => tagged(tag, value)));
    assertEquals(stored.map((item: object) => item.constructor), [Map, Set, Date, ArrayBuffer]);
    assertEquals([stored[0].get(1).n, stored[1].has(1), +stored[2], stored[3].byteLength], [1, true, 5, 1]);
    assert(Object.isFrozen(stored[0].get(1)));
  });
}

Deno.test("toStored() recognizes views that have another tag", () => {
  const stored = store([tagged("Date", new Uint8Array([1, 2])), tagged("Int8Array", new DataView(new ArrayBuffer(1)))]);
  assertEquals(stored.map((item: object) => item.constructor), [Uint8Array, DataView]);
  assertEquals([...stored[0]], [1, 2]);
});

Deno.test("toStored() freezes the keys and values of a map of another realm", () => {
  const stored = store(runInNewContext("new Map([[{ k: 1 }, { v: 1 }]])"));
  assertEquals([...stored].flat().map((part) => Object.isFrozen(part)), [true, true]);
});

Deno.test("toStored() keeps cycles and shared parts, through all kinds of containers", () => {
  class Node {
    next: unknown;
  }
  const shared = { n: 1 };
  const node = new Node();
  const root: Anything = { node, list: [shared, node], map: new Map(), set: new Set([shared]) };
  root.map.set(shared, root).set("self", root.map);
  root.list.push(root.list);
  node.next = root;
  const stored = store(root);
  assertStrictEquals(stored.node.next, stored);
  assertStrictEquals(stored.list[1], stored.node);
  assertStrictEquals(stored.list[2], stored.list);
  assertStrictEquals(stored.map.get(stored.list[0]), stored);
  assertStrictEquals(stored.map.get("self"), stored.map);
  assert(stored.set.has(stored.list[0]));
  assertEquals(needsCopy(stored), true);
  const out = handOut(stored);
  assertStrictEquals(out.map.get(out.list[0]), out);
});

Deno.test("toStored() copies a shared part of many class instances once", () => {
  let reads = 0;
  const shared = {
    get n() {
      return ++reads;
    },
  };
  class Holder {
    shared = shared;
  }
  store(Array.from({ length: 100 }, () => new Holder()));
  assertEquals(reads, 1);
});

Deno.test("needsCopy() and handOut() accept cycles and shared parts", () => {
  const value: Anything = { list: [] };
  value.list.push(value, value.list);
  const stored = store(value);
  assertEquals(needsCopy(stored), false);
  assertStrictEquals(handOut(stored), stored);
});

const opaque: [what: string, value: object][] = [
  ["a Date", new Date(5)],
  ["an invalid Date", new Date(NaN)],
  ["a RegExp", /a+/gi],
  ["a Map", new Map([["k", 1]])],
  ["a Set", new Set(["k"])],
  ["an ArrayBuffer", new Uint8Array([1, 2]).buffer],
  ["a Uint8Array", new Uint8Array([1, 2])],
  ["a BigInt64Array", new BigInt64Array([1n, 2n])],
  ["a boxed number", Object(5)],
  ["a boxed bigint", Object(5n)],
];

for (const [what, value] of opaque) {
  Deno.test(`toStored() keeps ${what}, and handOut() returns a new copy each time`, () => {
    const stored = store({ deep: [value] });
    assertEquals(stored, { deep: [value] });
    assertEquals([needsCopy(stored), needsCopy(stored.deep[0])], [true, true]);
    const [a, b] = [handOut(stored), handOut(stored)];
    assertEquals(a, stored);
    assertStrictEquals(new Set([value, stored.deep[0], a.deep[0], b.deep[0]]).size, 4);
    assert(Object.isFrozen(a) && Object.isFrozen(a.deep));
  });
}

Deno.test("toStored() and handOut() keep shared values that cannot be frozen", () => {
  const [date, bytes] = [new Date(5), new Uint8Array(1)];
  const stored = store([date, date, bytes, { bytes }]);
  for (const list of [stored, handOut(stored)]) {
    assertStrictEquals(list[0], list[1]);
    assertStrictEquals(list[2], list[3].bytes);
  }
});

Deno.test("toStored() freezes the contents of a Map and a Set", () => {
  const stored = store([new Map([[{ k: 1 }, { v: 1 }]]), new Set([[1]])]);
  const parts = [...stored[0].keys(), ...stored[0].values(), ...stored[1]];
  assertEquals(parts.map((part) => Object.isFrozen(part)), [true, true, true]);
});

Deno.test("toStored() keeps only the part of a buffer that a view shows", () => {
  const buffer = Uint8Array.from({ length: 8192 }, (_, i) => i).buffer;
  const [bytes, view, tail] = store([
    new Uint8Array(buffer, 2, 2),
    new DataView(buffer, 4, 2),
    new Uint16Array(buffer, 8188),
  ]);
  assertEquals([[...bytes], bytes.buffer.byteLength], [[2, 3], 2]);
  assertEquals([view.getUint8(0), view.byteLength, view.buffer.byteLength], [4, 2, 2]);
  assertEquals([tail.length, tail.buffer.byteLength], [2, 4]);
  assertEquals([bytes, view, tail].map((one) => one.constructor), [Uint8Array, DataView, Uint16Array]);
});

Deno.test("toStored() copies the name, message, stack and cause of an error", () => {
  const error = Object.assign(new RangeError("m", { cause: { n: 1 } }), { extra: 1 });
  const stored = store([error])[0];
  assertInstanceOf(stored, RangeError);
  assertEquals([stored.message, stored.stack, stored.cause], ["m", error.stack, { n: 1 }]);
  assertEquals(Object.keys(stored), []);
});

Deno.test("toStored() and handOut() keep what an AggregateError and a SuppressedError hold", () => {
  const members = [new TypeError("a", { cause: { n: 1 } }), "text", new SuppressedError(new RangeError("b"), [2], "c")];
  const error = new AggregateError(members, "m", { cause: "why" });
  for (const copy of [store([error])[0], handOut(store([error]))[0]]) {
    assertStrictEquals(copy.constructor, AggregateError);
    assertEquals([copy.message, copy.stack, copy.cause, copy.errors.length], ["m", error.stack, "why", 3]);
    assertEquals([copy.errors[0].constructor, copy.errors[0].cause, copy.errors[1]], [TypeError, { n: 1 }, "text"]);
    assertStrictEquals(copy.errors[2].constructor, SuppressedError);
    assertEquals([copy.errors[2].error.constructor, copy.errors[2].suppressed], [RangeError, [2]]);
    assert(Object.isFrozen(copy.errors));
    assertEquals(Object.keys(copy), []);
  }
});

Deno.test("toStored() and handOut() keep errors that lead back to themselves", () => {
  const self = new Error("self");
  self.cause = self;
  const a = new Error("a", { cause: { list: [new Error("b")] } });
  (a.cause as Anything).list[0].cause = a;
  const all = new AggregateError([], "all");
  all.errors.push(all, new SuppressedError(all, 1));
  for (const copy of [store([self, a, all]), handOut(store([self, a, all]))]) {
    assertStrictEquals(copy[0].cause, copy[0]);
    assertStrictEquals(copy[1].cause.list[0].cause, copy[1]);
    assertStrictEquals(copy[2].errors[0], copy[2]);
    assertStrictEquals(copy[2].errors[1].error, copy[2]);
  }
});

Deno.test("toStored() copies errors of another realm, of a subclass and with a tag of their own", () => {
  class Mine extends RangeError {
    readonly #secret = 1;
    extra = () => this.#secret;
    errors = [boo];
    get [Symbol.toStringTag]() {
      return "Mine";
    }
  }
  const mine = new Mine("m", { cause: { n: 1 } });
  const foreign = runInNewContext('new AggregateError([new TypeError("a")], "m")');
  const [ours, theirs] = store([mine, foreign]);
  assertStrictEquals(Object.getPrototypeOf(ours), RangeError.prototype);
  assertEquals([ours.cause, Object.isFrozen(ours.cause), Object.keys(ours)], [{ n: 1 }, true, []]);
  assertEquals([theirs.constructor, theirs.errors[0].constructor], [AggregateError, TypeError]);
});

Deno.test("toStored() follows the rules of all values in what an error holds", () => {
  const bytes = new Uint8Array([1, 2, 3, 4]).subarray(1, 3);
  const { cause } = store([new Error("m", { cause: { bytes, list: Object.assign([1], { more: 2 }) } })])[0];
  assertEquals([cause.bytes.buffer.byteLength, Object.keys(cause.list)], [2, ["0"]]);
});

const boo = () => {
  throw new Error("boo");
};
const revoked = () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};
const detached = new ArrayBuffer(4);
structuredClone(detached, { transfer: [detached] });
const shared = new SharedArrayBuffer(4);
class Pretender {
  [Symbol.toStringTag] = "Map";
}
class Emitter extends EventTarget {
  listeners = 0;
}
/** Changes the tag of an object. */
const tagged = <T extends object>(tag: string, value: T): T =>
  Object.defineProperty(value, Symbol.toStringTag, { value: tag });
const refused: [value: unknown, message: string][] = [
  [() => {}, "input: a function cannot be stored"],
  [class Money {}, 'input: a function "Money" cannot be stored'],
  [Symbol("s"), "input: Symbol(s) cannot be stored"],
  [{ a: [{ "b c": { $d: boo } }] }, 'input.a[0]["b c"].$d: a function "boo" cannot be stored'],
  [{ "": boo }, 'input[""]: a function "boo" cannot be stored'],
  [[, boo], 'input[1]: a function "boo" cannot be stored'], // deno-lint-ignore-line no-sparse-arrays
  [new Map([["k", { on: boo }]]), 'input[0][1].on: a function "boo" cannot be stored'],
  [new Map([[boo, 1]]), 'input[0][0]: a function "boo" cannot be stored'],
  [{ tags: new Set([1, boo]) }, 'input.tags[1]: a function "boo" cannot be stored'],
  [{ e: new Error("m", { cause: { boo } }) }, 'input.e.cause.boo: a function "boo" cannot be stored'],
  [
    { boo, [Symbol.toStringTag]: "Custom", __proto__: Pretender.prototype },
    'input.boo: a function "boo" cannot be stored',
  ],
  [{ p: Promise.resolve() }, "input.p: a Promise cannot be stored"],
  [[new WeakMap()], "input[0]: a WeakMap cannot be stored"],
  [[new WeakSet()], "input[0]: a WeakSet cannot be stored"],
  [[new WeakRef({})], "input[0]: a WeakRef cannot be stored"],
  [[(function* () {})()], "input[0]: an object cannot be stored"],
  [[new URL("http://a")], "input[0]: a URL cannot be stored"],
  [[new Request("http://a")], "input[0]: a Request cannot be stored"],
  [[new ReadableStream()], "input[0]: a ReadableStream cannot be stored"],
  [[new FormData()], "input[0]: a FormData cannot be stored"],
  [[new Event("click")], "input[0]: an Event cannot be stored"],
  [[AbortSignal.abort()], "input[0]: an AbortSignal cannot be stored"],
  [[new TextEncoder()], "input[0]: a TextEncoder cannot be stored"],
  [[new Emitter()], "input[0]: an Emitter cannot be stored"],
  [[new Proxy(new Date(5), {})], "input[0]: an object that looks like a Date cannot be stored"],
  [[new Proxy(new RangeError("m"), {})], "input[0]: an object that looks like a RangeError cannot be stored"],
  [[tagged("Object", new URL("http://a"))], "input[0]: an object that looks like a URL cannot be stored"],
  [[tagged("Money", shared)], "input[0]: shared memory cannot be stored"],
  [[runInNewContext("new Map([[1, new SharedArrayBuffer(1)]])")], "input[0][0][1]: shared memory cannot be stored"],
  [[shared], "input[0]: shared memory cannot be stored"],
  [{ v: new Uint8Array(shared) }, "input.v: shared memory cannot be stored"],
  [new Map([["k", new DataView(shared)]]), "input[0][1]: shared memory cannot be stored"],
  [{ e: new Error("m", { cause: shared }) }, "input.e.cause: shared memory cannot be stored"],
  [{ e: new AggregateError([1, { boo }]) }, 'input.e.errors[1].boo: a function "boo" cannot be stored'],
  [{ e: new SuppressedError(1, boo) }, 'input.e.suppressed: a function "boo" cannot be stored'],
  [{ e: Object.defineProperty(new Error("m"), "cause", { get: boo }) }, "input.e: reading it threw"],
  [[detached], "input[0]: an ArrayBuffer cannot be stored"],
  [{ p: revoked() }, "input.p: reading it threw"],
  [{ p: new Proxy({}, { ownKeys: boo }) }, "input.p: reading it threw"],
  [{ p: new Proxy([1], { has: boo }) }, "input.p: reading it threw"],
  [{ p: Object.create(Map.prototype, { own: { value: 1, enumerable: true } }) }, "input.p: reading it threw"],
  [{ p: new Proxy(new Map(), {}) }, "input.p: reading it threw"],
  [{ a: Object.defineProperty([], 0, { get: boo }) }, "input.a[0]: reading it threw"],
];

for (const [value, message] of refused) {
  Deno.test(`toStored() throws "Cannot store ${message}"`, () => {
    const error = assertThrows(() => store(value), TypeError);
    assertEquals(error.message, `Cannot store ${message}`);
    if (message.includes("threw")) assertInstanceOf(error.cause, Error);
  });
}

Deno.test("toStored() names the value and its owner", () => {
  const error = assertThrows(() => toStored({ f() {} }, "result of activity", "charge"), TypeError);
  assertEquals(error.message, 'Cannot store result of activity "charge".f: a function "f" cannot be stored');
});

Deno.test("toStored() copies what a proxy shows", () => {
  const proxy = new Proxy({ n: 1 } as Record<string, number>, { get: (target, key) => target[key as string] + 1 });
  assertEquals(store({ proxy, list: new Proxy([1], {}) }), { proxy: { n: 2 }, list: [1] });
});

Deno.test("toStored() accepts 1,000 levels of nesting, and handOut() accepts more", () => {
  let value: Anything = new Date(5);
  for (let i = 0; i < 1_000; i++) value = i % 2 ? [value] : { value };
  const stored = store(value);
  assertEquals(needsCopy(Object.freeze({ stored })), true);
  handOut(Object.freeze({ stored }));
});

for (const depth of [1_001, 1_000_000]) {
  Deno.test(`toStored() throws when a value is nested ${depth} levels deep`, () => {
    let value: Anything = {};
    for (let i = 0; i < depth; i++) value = { v: value };
    const error = assertThrows(() => store(value), TypeError);
    assert(error.message.startsWith("Cannot store input.v.v.v.v"));
    assert(error.message.endsWith(".v.v: it is nested more than 1000 levels deep"));
    assert(error.message.length < 300);
  });
}

/** An array that has only holes. */
const holes = (length: number) => Object.assign([] as unknown[], { length });

Deno.test("toStored() keeps a million holes", () => {
  const stored = store([holes(999_999), [, 1]]); // deno-lint-ignore-line no-sparse-arrays
  assertEquals([stored[0].length, 0 in stored[0], stored[1]], [999_999, false, [, 1]]); // deno-lint-ignore-line no-sparse-arrays
});

const sparse: [what: string, value: unknown, path: string][] = [
  ["at the end", { list: holes(2 ** 32 - 1) }, ".list"],
  ["before the last item", Object.assign([], { 4294967294: 1 }), ""],
  ["in several arrays", [holes(500_000), { list: holes(500_001) }], "[1].list"],
  ["of a proxy", [new Proxy([], { get: (target, key) => key === "length" ? 1e300 : Reflect.get(target, key) })], "[0]"],
];

for (const [where, value, path] of sparse) {
  Deno.test(`toStored() throws when there are more than a million holes ${where}`, () => {
    const error = assertThrows(() => store(value), TypeError);
    assertEquals(error.message, `Cannot store input${path}: it has more than 1000000 holes`);
  });
}

for (const length of [-1, 0.5, NaN, "many", {}, 2 ** 32 - 1, boo]) {
  Deno.test(`toStored() throws when a proxy of an array has the length ${Deno.inspect(length)}`, () => {
    const items = new Proxy([1], { get: (target, key) => key === "length" ? length : Reflect.get(target, key) });
    assertThrows(() => store([items]), TypeError, "Cannot store input[0]: ");
  });
}

Deno.test("toStored() stores no part of a proxy's length", () => {
  const length = { valueOf: () => 1 };
  const items = new Proxy([1], { get: (target, key) => key === "length" ? length : Reflect.get(target, key) });
  assertEquals(store(items), [1]);
});

Deno.test("toStored() copies an array up to its length at the start, even if it grows", () => {
  const list: unknown[] = [];
  const grow = () => {
    Object.defineProperty(list, list.length, { get: grow, enumerable: true });
    return list.length;
  };
  grow();
  assertEquals(store(list), [2]);
});

const shown: [value: unknown, text: string][] = [
  ['a\n"b"', '"a\\n\\"b\\""'],
  ["x".repeat(101), `"${"x".repeat(100)}…"`],
  [10n, "10n"],
  [10n ** 200n, `1${"0".repeat(99)}…n`],
  [-0, "0"],
  [NaN, "NaN"],
  [undefined, "undefined"],
  [null, "null"],
  [Symbol("s"), "Symbol(s)"],
  [Symbol("s".repeat(200)), `Symbol(${"s".repeat(93)}…`],
  [[], "an Array"],
  [{}, "an Object"],
  [new Uint8Array(), "a Uint8Array"],
  [Object.create(null), "an object"],
  [{ constructor: undefined }, "an object"],
  [{ constructor: { name: Symbol("s") } }, "an object"],
  [revoked(), "an object"],
  [new (class {})(), "an object"],
  [boo, 'a function "boo"'],
  [() => {}, "a function"],
  [Object.defineProperty(() => {}, "name", { get: boo }), "a function"],
  [
    class {
      static name = () => {};
    } as unknown,
    "a function",
  ],
];

for (const [value, text] of shown) {
  Deno.test(`show() returns ${text}`, () => assertEquals(show(value), text));
}
