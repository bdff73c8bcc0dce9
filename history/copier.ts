/**
 * Copies a value as structured clone would, and freezes the copy deeply.
 *
 * 1. Prototypes and accessors are not copied. Of an array only the items are copied; of a view on a buffer, only the
 *    part that it shows.
 * 2. Cycles and shared parts keep their shape.
 * 3. What cannot be stored is refused with the path to it, also if reading it throws.
 * 4. A Date, Map, Set, buffer, view or error cannot be protected by freezing. Such a value is called opaque here.
 * 5. An error also keeps what an `AggregateError` or a `SuppressedError` holds, which structured clone leaves out.
 *
 * @module
 */

import { isPlain, show, showPath, tagOf } from "../util/show.ts";
import { define, isError, newError, partsOf } from "./native_error.ts";

/** How deep a value may be nested. Structured clone fails a little deeper, depending on the stack of its caller. */
const MAX_DEPTH = 1000;
/** How many holes the arrays of a value may have. A hole costs nothing to make, but every loop visits it. */
export const MAX_HOLES = 1_000_000;
/** From this number of objects on, a map finds an object faster than a loop does. */
const MANY = 32;

/** Whether a value is stored as it is. */
export function isStorablePrimitive(value: unknown): boolean {
  return value === null ||
    (typeof value !== "object" && typeof value !== "function" && typeof value !== "symbol");
}

export function isCollection(value: object): value is Map<unknown, unknown> | Set<unknown> {
  return value instanceof Map || value instanceof Set;
}

/** Copies values that belong together, one after the other. */
export class Copier {
  /** Whether a copy holds an opaque value. */
  opaque = false;
  #what = "";
  readonly #whose: string | undefined;
  readonly #maxDepth: number;
  /** The path to the current value: keys of objects and indexes of arrays. A Map or a Set counts as an array. */
  readonly #path: (string | number)[] = [];
  /** The originals met so far, each followed by its copy. */
  #few: object[] = [];
  /** The same, once there are many. */
  #many: Map<object, object> | undefined;
  #holes = 0;
  #refused = false;

  /** @param whose The name of the owner of the values, such as an activity's name. */
  constructor(whose?: string, maxDepth = MAX_DEPTH) {
    this.#whose = whose;
    this.#maxDepth = maxDepth;
  }

  /**
   * @param what The name of the value, such as `input`. It begins the path in an error's message.
   * @param index The index of the value, if `what` is a list.
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
    if (tag !== "DOMException" && isError(object, tag)) return this.#copyError(object);
    // An instance of a class. One without keys may keep its state elsewhere, so structured clone decides.
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
    const length = Number(array.length); // a proxy can return anything
    const copy: unknown[] = new Array(Math.min(length, MAX_HOLES));
    this.#begin(array, copy);
    for (let i = 0; i < length; i++) {
      if (i in array) copy[i] = this.#copyAt(array, i);
      else if (++this.#holes > MAX_HOLES) this.#refuse(`it has more than ${MAX_HOLES} holes`);
    }
    copy.length = length;
    return Object.freeze(copy);
  }

  /** A spread is far faster than a loop over the keys. It also copies symbol keys, which are deleted afterwards. */
  #copyObject(object: object): object {
    let copy: Record<string, unknown>;
    try {
      copy = { ...object };
    } catch (error) {
      for (const key of Object.keys(object)) this.#copyAt(object, key); // refuses with the path to the getter that throws
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

  #copyError(error: Error): Error {
    const { name, stack } = error;
    const copy = newError(name);
    this.#begin(error, copy); // first: what it holds can lead back to it
    this.opaque = true;
    define(copy, "stack", typeof stack === "string" ? stack : undefined);
    for (const [key, part] of partsOf(error)) define(copy, key, this.#copyAt({ [key]: part }, key));
    return copy;
  }

  /** Copies what cannot be frozen, or is not what it seems to be. */
  #copyOther(object: object, tag: string): object {
    const view = ArrayBuffer.isView(object) ? copyView(object) : undefined;
    const copy = view ?? this.#clone(object, tag);
    if (tagOf(view?.buffer ?? copy) === "SharedArrayBuffer") this.#refuse("shared memory cannot be stored");
    this.#begin(object, copy);
    this.opaque ||= !isPlain(copy);
    return copy;
  }

  #clone(object: object, tag: string): object {
    const Class = classOf(tag === "Object" ? object.constructor?.name : tag); // some runtimes give their classes no tag
    const isBuiltIn = typeof Class === "function" && object instanceof Class;
    let clone: object;
    try {
      // Structured clone can return a Date or a RegExp of another realm, as on Vercel's edge runtime.
      clone = isBuiltIn && (tag === "Date" || tag === "RegExp") ? new Class(object as never) : structuredClone(object);
    } catch (error) {
      this.#copyObject(object); // refuses with the whole path if a property is the reason
      this.#refuse(`${tag === "Object" ? "an object that looks like " : ""}${show(object)} cannot be stored`, error);
    }
    // Some runtimes turn an instance of a built-in class into an empty object.
    if (isPlain(clone) && isBuiltIn) this.#refuse(`${show(object)} cannot be stored`);
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

function copyView(view: ArrayBufferView): ArrayBufferView {
  const { buffer, byteOffset, byteLength } = view;
  // The getter of the prototype returns the true class of a typed array, and undefined for a DataView.
  const tag = Reflect.get(Object.getPrototypeOf(Int8Array.prototype), Symbol.toStringTag, view) ?? "DataView";
  const View = classOf(tag) as new (part: ArrayBufferLike) => ArrayBufferView;
  return new View(buffer.slice(byteOffset, byteOffset + byteLength));
}

/** The built-in class of this name, if there is one. */
function classOf(tag: string): (new (...args: never[]) => object) | undefined {
  return (globalThis as never)[tag];
}
