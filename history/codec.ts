/**
 * Writes stored values as JSON and reads them back. A snapshot holds inputs, results and errors in this form.
 *
 * 1. A value that JSON can hold stays as it is. Any other value is an object with the key `$`, which holds a tag, and with
 *    the parts of the value, encoded in turn: `{"$":"Map","value":[["k",1]]}`. The tag is the value's class or `typeof`.
 * 2. Arrays, objects and tagged values are counted from 0 in the order of the text. A value that occurs again is written
 *    as a `ref` to its number, so that cycles and shared parts keep their shape.
 * 3. A decoded value is accepted only if its parts are equal to those in the text. So no value is adapted silently, and no
 *    codec has to check what it reads.
 *
 * @module
 */

import { MAX_HOLES } from "./copier.ts";
import { define, errorKinds, newError, partsOf } from "./native_error.ts";
import { fromBase64, toBase64 } from "../util/base64.ts";
import { isPlain, show, showPath, tagOf } from "../util/show.ts";

/** How deep a text may be nested: deeper than any stored value, but not too deep for the stack. */
const MAX_DEPTH = 1500;

// deno-lint-ignore no-explicit-any
type Anything = any;
type Container = Record<string | number, unknown>;
type Path = (string | number)[];

/** Writes and reads the values of one tag. */
interface Codec {
  /** Returns the parts of a value, which are simpler than the value. */
  readonly parts: (value: Anything) => unknown;
  /** Makes a value of its parts. If there is `fill`, makes an empty one. */
  readonly make: (parts: Anything) => unknown;
  /** Puts the parts into the empty value. A part can be the value itself. */
  readonly fill?: (value: Anything, parts: Anything) => void;
}

/** The codecs by tag. Made at the first use, so that the import of this module has no side effects. */
let codecs: ReadonlyMap<string, Codec> | undefined;

function codecFor(tag: string): Codec | undefined {
  return (codecs ??= makeCodecs()).get(tag);
}

function makeCodecs(): ReadonlyMap<string, Codec> {
  const codecs = new Map<string, Codec>(Object.entries({
    undefined: { parts: () => undefined, make: () => undefined },
    number: { parts: (number) => Object.is(number, -0) ? "-0" : `${number}`, make: Number },
    bigint: { parts: String, make: BigInt },
    Date: { parts: (date) => date.toJSON(), make: (text) => new Date(text ?? NaN) },
    RegExp: {
      parts: String,
      make(text) {
        const end = text.lastIndexOf("/");
        return new RegExp(text.slice(1, end), text.slice(end + 1));
      },
    },
    Map: {
      parts: (map) => [...map],
      make: () => new Map(),
      fill(map, pairs) {
        for (const [key, value] of pairs) map.set(key, value);
      },
    },
    Set: {
      parts: (set) => [...set],
      make: () => new Set(),
      fill(set, items) {
        for (const item of items) set.add(item);
      },
    },
    Array: { // an array with holes or with other properties, as it can stand in an error's cause
      parts: (list) => ({ ...list, length: list.length }),
      make() {
        const list: unknown[] = [];
        list.length = 2 ** 32 - 1; // too long for a block of memory: from now on its length costs nothing
        return list;
      },
      fill(list, { length, ...items }) {
        if (length - Object.keys(items).length > MAX_HOLES) throw new RangeError(`more than ${MAX_HOLES} holes`);
        list.length = length;
        for (const [key, item] of Object.entries(items)) define(list, key, item, true);
        Object.freeze(list);
      },
    },
    ArrayBuffer: {
      parts: (buffer) => toBase64(new Uint8Array(buffer)) + (buffer.resizable ? ` ${buffer.maxByteLength}` : ""),
      make(text) {
        const [base64, maxByteLength] = text.split(" ");
        const bytes = fromBase64(base64);
        const buffer = new ArrayBuffer(bytes.length, maxByteLength && { maxByteLength });
        new Uint8Array(buffer).set(bytes);
        return buffer;
      },
    },
    DOMException: {
      parts: ({ message, name, stack }) => [message, name, stack],
      make: ([message, name, stack]) => Object.assign(new DOMException(message, name), { stack }),
    },
  } as Record<string, Codec>));

  for (const Class of [Number, String, Boolean, BigInt]) {
    codecs.set(Class.name, { parts: (boxed) => boxed.valueOf(), make: (value) => Object(Class(value)) });
  }

  for (const kind of errorKinds) {
    const name = `${kind}Error`;
    codecs.set(name, {
      parts: (error) => ({ stack: error.stack, ...Object.fromEntries(partsOf(error)) }),
      make: () => newError(name),
      fill(error, parts) {
        for (const [key, value] of Object.entries(parts)) define(error, key, value);
      },
    });
  }

  const numeric = "Int8 Uint8 Uint8Clamped Int16 Uint16 Int32 Uint32 BigInt64 BigUint64 Float16 Float32 Float64";
  for (const name of [...numeric.split(" ").map((kind) => `${kind}Array`), "DataView"]) {
    const View = (globalThis as Anything)[name]; // some runtimes have no Float16Array
    const lengthOf = (view: Anything) => view.length ?? view.byteLength;
    codecs.set(name, {
      parts: (view) => [view.buffer, view.byteOffset, lengthOf(view)],
      make: ([buffer, offset, length]) => new View(new DataView(buffer).buffer, offset, length), // `new View(5)` would be accepted as well; `new DataView(5)` throws
    });
  }
  return codecs;
}

/**
 * Encodes a stored value for `JSON.stringify`. Parts that need no change are shared with the value.
 *
 * @param action Begins the message of the error for a value that cannot be encoded.
 */
export function encode(value: unknown, action: string): unknown {
  const path: Path = [];
  const numbers = new Map<unknown, number>();
  let count = 0;

  const visit = (value: unknown): unknown => {
    const tag = tagFor(value);
    if (tag === undefined) return value;
    const number = numbers.get(value);
    if (number !== undefined) return { $: "ref", value: number };
    if (isObject(value)) numbers.set(value, count);
    count++;
    if (tag === "") return walk(value as Container, path, visit, false);
    if (tag === "Object") return { $: tag, value: walk(value as Container, path, visit, false) };
    if (tag === "undefined") return { $: tag };
    const codec = codecFor(tag);
    if (!codec) {
      const where = path.length > 0 ? ` at ${place(path)}` : "";
      throw new TypeError(`Cannot ${action}: ${show(value)}${where} cannot be written as text`);
    }
    return { $: tag, value: visit(codec.parts(value)) };
  };
  return visit(value);
}

/**
 * Decodes a value from parsed JSON, which it changes and freezes.
 *
 * @param action Begins the message of the error for JSON that is no encoded value.
 */
export function decode(json: unknown, action: string): unknown {
  const path: Path = [];
  const values: unknown[] = [];

  const visit = (json: unknown): unknown => {
    if (!isObject(json)) return json;
    if (path.length > MAX_DEPTH) throw new TypeError(`it is nested more than ${MAX_DEPTH} levels deep`);
    const { $: tag, value } = json as Anything;
    const plain = !Object.hasOwn(json, "$") ? json : tag === "Object" && tagFor(value) === tag && value;
    if (plain) {
      values.push(plain);
      return walk(plain, path, visit, true);
    }
    if (tag === "ref") {
      if (Number.isInteger(value) && value in values) return values[value];
      throw new TypeError(`a reference to ${show(value)} has no target`);
    }
    const codec = codecFor(tag);
    if (!codec) throw new TypeError(`the tag ${show(tag)} is not known`);
    const number = values.push(codec.fill && codec.make(undefined)) - 1;
    return values[number] = build(codec, values[number], visit(value), tag);
  };

  try {
    return visit(json);
  } catch (error) {
    const { message, cause = error } = error as Error;
    throw new TypeError(`Cannot ${action}${path.length > 0 ? `, ${place(path)}` : ""}: ${message}`, { cause });
  }
}

function place(path: Path): string {
  return showPath(path).replace(/^\./, "");
}

/** The tag of a value; `""` for an array or object that needs no tag, `undefined` for a value that JSON has. */
function tagFor(value: unknown): string | undefined {
  const type = typeof value;
  if (type === "number") return Number.isFinite(value) && !Object.is(value, -0) ? undefined : type;
  if (type === "string" || type === "boolean" || value === null) return undefined;
  if (type !== "object") return type;
  if (isPlain(value as object)) return Object.hasOwn(value as object, "$") ? "Object" : "";
  const tag = tagOf(value as object);
  if (tag === "Object") return "opaque"; // a runtime's own object without a tag: no codec knows what it holds
  if (tag === "Array") return isDense(value as unknown[]) ? "" : tag;
  return tag === "Error" ? (value as Error).name : tag;
}

/** Whether an array has no holes and no other properties. Indexes come first among its keys, in order. */
function isDense(list: unknown[]): boolean {
  const keys = Object.keys(list);
  return keys.length === list.length && (list.length === 0 || keys.at(-1) === `${list.length - 1}`);
}

/**
 * Replaces every item by the result of `visit`.
 *
 * @param inPlace Whether to change and freeze `from`. If not, it is copied once an item differs.
 */
function walk(from: Container, path: Path, visit: (item: unknown) => unknown, inPlace: boolean): Container {
  let into = from;
  const keys = Array.isArray(from) ? undefined : Object.keys(from);
  const { length } = keys ?? from as unknown as unknown[];
  for (let i = 0; i < length; i++) {
    const key = keys ? keys[i] : i;
    const item = from[key];
    path.push(key);
    const other = visit(item);
    path.pop();
    if (Object.is(item, other)) continue;
    if (into === from && !inPlace) into = (Array.isArray(from) ? [...from] : { ...from }) as Container;
    into[key] = other; // an own property already, so "__proto__" is safe
  }
  return inPlace ? Object.freeze(into) : into;
}

/** Makes or fills a value, and refuses one whose parts then differ from `parts`. */
function build(codec: Codec, value: unknown, parts: unknown, tag: string): unknown {
  let cause: unknown;
  try {
    if (codec.fill) codec.fill(value, parts);
    else value = codec.make(parts);
    if (same(codec.parts(value), parts)) return value;
  } catch (error) {
    cause = error;
  }
  throw new TypeError(`${show(parts)} is not a valid ${tag}`, { cause });
}

/** Whether two values are the same, or containers of the same values. */
function same(a: Anything, b: Anything): boolean {
  if (Object.is(a, b)) return true;
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => same(a[key], b[key]));
}

function isObject(value: unknown): value is Anything {
  return typeof value === "object" && value !== null;
}
