/**
 * Values on their way into the history and out of it.
 *
 * 1. What goes in is copied once, as structured clone would, and deeply frozen: prototypes and accessors are gone. Of an
 *    array only the items go in, and of a buffer that a view shows only what it shows.
 * 2. What comes out is shared, since nobody can change it. Only a value that holds something that freezing cannot
 *    protect (a Date, Map, Set, buffer, view, error …: "opaque" here) is copied again.
 * 3. What cannot be stored is refused with the path to it, whatever reading it throws.
 *
 * @module
 */

import { isPlain, show, showPath, tagOf } from "../util/show.ts";

/** How deep a value may be nested. Structured clone fails a little deeper, depending on the stack of its caller. */
const MAX_DEPTH = 1000;
/** How many holes its arrays may have. They cost nothing to make, but whoever walks an array walks them too. */
export const MAX_HOLES = 1_000_000;
/** From so many objects on, a map finds one faster than a walk does. */
const MANY = 32;

/**
 * Copies and freezes a value.
 *
 * @param what What the value is, to begin the path in an error's message, such as `input`.
 * @param whose The name of what it belongs to, such as an activity's.
 * @param maxBytes How large it may be, about.
 * @throws {TypeError} If it cannot be stored.
 * @throws {RangeError} If it is too large.
 */
export function toStored(value: unknown, what: string, whose?: string, maxBytes?: number): unknown {
  const stored = isStorablePrimitive(value) ? value : new Copier(whose).run(value, what);
  const bytes = maxBytes === undefined ? 0 : sizeOf(stored, new Set());
  if (maxBytes === undefined || bytes <= maxBytes) return stored;
  const name = whose === undefined ? what : `${what} ${show(whose)}`;
  throw new RangeError(`Cannot store ${name}: it has about ${bytes} bytes, "maxPayloadBytes" is ${maxBytes}`);
}

/** About how many bytes a stored value has as JSON in UTF-8; buffers as they are, shared parts once. */
function sizeOf(value: unknown, seen: Set<unknown>): number {
  if (typeof value === "string") {
    let bytes = value.length + 2;
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i);
      if (code > 0x7f) bytes += code < 0x800 || code >> 11 === 0x1b ? 1 : 2; // half of a pair, of four bytes
    }
    return bytes;
  }
  if (typeof value !== "object" || value === null) return String(value).length;
  if (seen.has(value)) return 0;
  seen.add(value);
  const { byteLength, size } = value as { readonly byteLength?: unknown; readonly size?: unknown };
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return byteLength as number;
  if (isCollection(value)) value = [...value];
  else if (!Array.isArray(value) && !isPlain(value as object)) {
    return typeof size === "number" ? size : `${value}`.length;
  }
  let bytes = 2;
  for (const key in value as object) {
    const item = (value as Record<string, unknown>)[key];
    bytes += 1 + (Array.isArray(value) ? 0 : sizeOf(key, seen) + 1) + sizeOf(item, seen);
  }
  return bytes;
}

/** Answers a stored value in a form that the receiver cannot change the store through. */
export function handOut<T>(value: T): T {
  return needsCopy(value) ? new Copier(undefined, Infinity).run(value, "value") as T : value;
}

/** Whether a value can be changed by whoever holds it: it is not deeply frozen, or holds something opaque. */
export function needsCopy(value: unknown, seen?: Set<object>): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (!Object.isFrozen(value) || !(Array.isArray(value) || isPlain(value))) return true;
  if (seen?.has(value)) return false;
  const mutable = (item: unknown) =>
    typeof item === "object" && item !== null && needsCopy(item, (seen ??= new Set()).add(value));
  if (Array.isArray(value)) return value.some(mutable);
  for (const key in value) if (mutable(value[key as never])) return true; // faster than Object.values
  return false;
}

function isStorablePrimitive(value: unknown): boolean {
  return value === null ||
    (typeof value !== "object" && typeof value !== "function" && typeof value !== "symbol");
}

function copyView(view: ArrayBufferView): ArrayBufferView {
  const { buffer, byteOffset, byteLength } = view;
  // what a typed array is, whatever it pretends; a DataView is none
  const tag = Reflect.get(Object.getPrototypeOf(Int8Array.prototype), Symbol.toStringTag, view) ?? "DataView";
  const View = classOf(tag) as new (part: ArrayBufferLike) => ArrayBufferView;
  return new View(buffer.slice(byteOffset, byteOffset + byteLength));
}

/** The class that the runtime has under this name, if any. */
function classOf(tag: string): (new (...args: never) => object) | undefined {
  return (globalThis as never)[tag];
}

function isCollection(value: object): value is Map<unknown, unknown> | Set<unknown> {
  return value instanceof Map || value instanceof Set;
}

/** Copies and freezes values, one after the other, that belong to one thing. */
export class Copier {
  /** Whether a copy holds something that freezing cannot protect. */
  opaque = false;
  #what = "";
  readonly #whose: string | undefined;
  readonly #maxDepth: number;
  /** Where it is: keys of objects, indexes of arrays, and of a Map or a Set spread into an array. */
  readonly #path: (string | number)[] = [];
  /** Originals and copies already begun, in turn, so that cycles and shared parts keep their shape. */
  #few: object[] = [];
  /** The same once they are many. */
  #many: Map<object, object> | undefined;
  #holes = 0;
  #refused = false;

  /** @param whose The name of what the values belong to, such as an activity's. */
  constructor(whose?: string, maxDepth = MAX_DEPTH) {
    this.#whose = whose;
    this.#maxDepth = maxDepth;
  }

  /**
   * @param what What the value is, to begin the path in an error's message, such as `input`.
   * @param index Which one of several it is.
   */
  run(value: unknown, what: string, index?: number): unknown {
    if (isStorablePrimitive(value)) return value;
    this.#what = what;
    this.#path.length = 0;
    if (index !== undefined) this.#path.push(index);
    if (this.#few.length > 0) this.#few = [];
    this.#many = undefined;
    this.#holes = 0;
    try {
      return this.#copy(value);
    } catch (error) {
      if (this.#refused) throw error;
      this.#refuse("reading it threw", error);
    }
  }

  #copy(value: unknown): unknown {
    if (isStorablePrimitive(value)) return value;
    if (typeof value !== "object") this.#refuse(`${show(value)} cannot be stored`);
    const object = value as object;
    const begun = this.#begun(object);
    if (begun !== undefined) return begun;
    if (this.#path.length > this.#maxDepth) {
      this.#refuse(`it is nested more than ${MAX_DEPTH} levels deep`);
    }
    if (Array.isArray(object)) return this.#copyArray(object);
    if (isPlain(object)) return this.#copyObject(object);
    if (isCollection(object)) return this.#copyCollection(object);
    const tag = tagOf(object);
    // of a class; without a key it may be a proxy of something that keeps its state elsewhere
    if (tag === "Object" && Object.keys(object).length > 0) return this.#copyObject(object);
    return this.#copyOther(object, tag);
  }

  #begun(object: object): object | undefined {
    if (this.#many !== undefined) return this.#many.get(object);
    const few = this.#few;
    for (let i = 0; i < few.length; i += 2) if (few[i] === object) return few[i + 1];
  }

  #begin(object: object, copy: object): void {
    if (this.#many !== undefined) return void this.#many.set(object, copy);
    this.#few.push(object, copy);
    if (this.#few.length <= MANY) return;
    this.#many = new Map();
    for (let i = 0; i < this.#few.length; i += 2) this.#many.set(this.#few[i], this.#few[i + 1]);
  }

  #copyArray(array: readonly unknown[]): readonly unknown[] {
    const length = Number(array.length); // a proxy can show anything
    const copy: unknown[] = new Array(Math.min(length, MAX_HOLES));
    this.#begin(array, copy);
    for (let i = 0; i < length; i++) {
      if (i in array) copy[i] = this.#copyAt(array, i);
      else if (++this.#holes > MAX_HOLES) this.#refuse(`it has more than ${MAX_HOLES} holes`);
    }
    copy.length = length;
    return Object.freeze(copy);
  }

  /** A spread is far faster than key by key, and takes symbols along. */
  #copyObject(object: object): object {
    let copy: Record<string, unknown>;
    try {
      copy = { ...object };
    } catch (error) {
      for (const key of Object.keys(object)) this.#copyAt(object, key); // refuses with the path to the one that throws
      throw error;
    }
    this.#begin(object, copy);
    for (const key in copy) {
      const value = copy[key];
      if (isStorablePrimitive(value) || !Object.hasOwn(copy, key)) continue;
      this.#path.push(key);
      copy[key] = this.#copy(value);
      this.#path.pop();
    }
    const symbols = Object.getOwnPropertySymbols(copy);
    if (symbols.length > 0) { for (const symbol of symbols) delete copy[symbol as never]; }
    return Object.freeze(copy);
  }

  #copyAt(container: object, key: string | number): unknown {
    this.#path.push(key);
    const copy = this.#copy((container as Record<string | number, unknown>)[key]);
    this.#path.pop();
    return copy;
  }

  #copyCollection(collection: Map<unknown, unknown> | Set<unknown>): object {
    const copy = collection instanceof Map ? new Map() : new Set();
    this.#begin(collection, copy);
    this.opaque = true;
    for (const item of this.#copyArray([...collection])) {
      if (copy instanceof Set) copy.add(item);
      else copy.set(...item as [unknown, unknown]);
    }
    return copy;
  }

  /** What is left cannot be frozen, or is not what it looks like. */
  #copyOther(object: object, tag: string): object {
    const view = ArrayBuffer.isView(object) ? copyView(object) : undefined;
    const copy = view ?? this.#clone(object, tag);
    if (tagOf(view?.buffer ?? copy) === "SharedArrayBuffer") this.#refuse("shared memory cannot be stored");
    this.#begin(object, copy);
    this.opaque ||= !isPlain(copy);
    return copy;
  }

  #clone(object: object, tag: string): object {
    if (Object.hasOwn(object, "cause")) this.#copyAt(object, "cause"); // refuses what a clone would share
    let clone: object;
    try {
      clone = structuredClone(object);
    } catch (error) {
      this.#copyObject(object); // refuses with the whole path if a property is to blame
      this.#refuse(`${tag === "Object" ? "what looks like " : ""}${show(object)} cannot be stored`, error);
    }
    if (isPlain(clone) && tag !== "Object") {
      // of a class that has a tag; some runtimes answer an empty object for one of theirs too
      const Class = classOf(tag);
      if (typeof Class === "function" && object instanceof Class) this.#refuse(`${show(object)} cannot be stored`);
    }
    return isPlain(clone) || isCollection(clone) ? this.#copy(clone) as object : clone;
  }

  #refuse(why: string, cause?: unknown): never {
    this.#refused = true;
    const name = this.#whose === undefined ? this.#what : `${this.#what} ${show(this.#whose)}`;
    throw new TypeError(
      `Cannot store ${name}${showPath(this.#path)}: ${why}`,
      cause === undefined ? undefined : { cause },
    );
  }
}
