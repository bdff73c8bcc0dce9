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

/** How deep a value may be nested. Structured clone fails a little deeper, depending on the stack of its caller. */
const MAX_DEPTH = 1000;

/**
 * Copies and freezes a value.
 *
 * @param what What the value is, to begin the path in an error's message, such as `input`.
 * @param whose The name of what it belongs to, such as an activity's.
 */
export function toStored(value: unknown, what: string, whose?: string): unknown {
  return isStorablePrimitive(value) ? value : new Copier(what, whose).run(value);
}

/** Answers a stored value in a form that the receiver cannot change the store through. */
export function handOut<T>(value: T): T {
  return needsCopy(value) ? new Copier("value", undefined, Infinity).run(value) as T : value;
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

/** Shows any value in an error message, on one line and not too long. Never throws. */
export function show(value: unknown): string {
  const type = typeof value;
  if (type === "string") return JSON.stringify(short(value as string));
  if (value === null || (type !== "object" && type !== "function")) {
    return short(String(value)) + (type === "bigint" ? "n" : "");
  }
  let name = "";
  try {
    const named = (type === "function" ? value : (value as object).constructor) as { name: unknown };
    if (typeof named.name === "string") name = short(named.name);
  } catch {
    // anything can be in the place of a constructor and of its name
  }
  if (type === "function") return name ? `a function "${name}"` : "a function";
  return `${/^([aeio]|$)/i.test(name) ? "an" : "a"} ${name || "object"}`;
}

/** Shows where in a value something is, such as `.items[0]["a b"]`, not too long. */
export function showPath(path: readonly (string | number)[]): string {
  const text = path.map((key) =>
    typeof key === "number" ? `[${key}]` : /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
  ).join("");
  return text.length > 200 ? `${text.slice(0, 100)}…${text.slice(-100)}` : text;
}

function short(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

function isStorablePrimitive(value: unknown): boolean {
  return value === null ||
    (typeof value !== "object" && typeof value !== "function" && typeof value !== "symbol");
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** What an object is by birth, as far as it does not pretend: "Object" for one of a class too, "Map", "Date" … */
export function tagOf(value: object): string {
  return isPlain(value) ? "Object" : Object.prototype.toString.call(value).slice(8, -1);
}

function copyView({ buffer, byteOffset, byteLength }: ArrayBufferView, tag: string): object {
  const View = (globalThis as unknown as Record<string, new (part: ArrayBufferLike) => object>)[tag];
  return new View(buffer.slice(byteOffset, byteOffset + byteLength));
}

class Copier {
  readonly #what: string;
  readonly #whose: string | undefined;
  readonly #maxDepth: number;
  /** Where it is: keys of objects, indexes of arrays, and of a Map or a Set spread into an array. */
  readonly #path: (string | number)[] = [];
  /** Copies already begun, so that cycles and shared parts keep their shape. */
  readonly #copies = new Map<object, object>();
  #refused = false;

  constructor(what: string, whose?: string, maxDepth = MAX_DEPTH) {
    this.#what = what;
    this.#whose = whose;
    this.#maxDepth = maxDepth;
  }

  run(value: unknown): unknown {
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
    const begun = this.#copies.get(object);
    if (begun !== undefined) return begun;
    if (this.#path.length > this.#maxDepth) {
      this.#refuse(`it is nested more than ${MAX_DEPTH} levels deep`);
    }
    if (Array.isArray(object)) return this.#copyArray(object);
    const tag = tagOf(object);
    if (tag === "Object") return this.#copyObject(object);
    if (tag === "Map" || tag === "Set") return this.#copyCollection(object as Iterable<unknown>, tag);
    return this.#copyOther(object, tag);
  }

  #copyArray(array: readonly unknown[]): readonly unknown[] {
    const copy: unknown[] = new Array(array.length);
    this.#copies.set(array, copy);
    for (let i = 0; i < array.length; i++) {
      if (i in array) copy[i] = this.#copyAt(array, i);
    }
    return Object.freeze(copy);
  }

  #copyObject(object: object): object {
    const copy: Record<string, unknown> = {};
    this.#copies.set(object, copy);
    for (const key of Object.keys(object)) {
      const value = this.#copyAt(object, key);
      if (key !== "__proto__") copy[key] = value;
      else Object.defineProperty(copy, key, { value, enumerable: true });
    }
    return Object.freeze(copy);
  }

  #copyAt(container: object, key: string | number): unknown {
    this.#path.push(key);
    const copy = this.#copy((container as Record<string | number, unknown>)[key]);
    this.#path.pop();
    return copy;
  }

  #copyCollection(collection: Iterable<unknown>, tag: "Map" | "Set"): object {
    const copy = tag === "Map" ? new Map() : new Set();
    this.#copies.set(collection, copy);
    for (const item of this.#copyArray([...collection])) {
      if (copy instanceof Set) copy.add(item);
      else copy.set(...item as [unknown, unknown]);
    }
    return copy;
  }

  /** What is left cannot be frozen. */
  #copyOther(object: object, tag: string): object {
    const view = ArrayBuffer.isView(object) ? object : undefined;
    if ((view ? tagOf(view.buffer) : tag) === "SharedArrayBuffer") this.#refuse("shared memory cannot be stored");
    const copy = view ? copyView(view, tag) : this.#clone(object);
    this.#copies.set(object, copy);
    return copy;
  }

  #clone(object: object): object {
    if (Object.hasOwn(object, "cause")) this.#copyAt(object, "cause"); // refuses what a clone would share
    let clone: object;
    try {
      clone = structuredClone(object);
    } catch (error) {
      this.#copyObject(object); // refuses with the whole path if a property is to blame
      this.#refuse(`${show(object)} cannot be stored`, error);
    }
    return isPlain(clone) ? this.#copyObject(clone) : clone; // plain: a class that has a tag
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
