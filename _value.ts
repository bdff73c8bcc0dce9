/**
 * Values on their way into the history and out of it.
 *
 * 1. What goes in is copied once, as structured clone would, and deeply frozen: prototypes and accessors are gone.
 * 2. What comes out is shared, since nobody can change it. Only a value that holds something that freezing cannot
 *    protect (a Date, Map, Set, buffer, view, error …: "opaque" here) is copied again.
 * 3. What cannot be stored is refused with the path to it.
 *
 * @module
 */

/**
 * Copies and freezes a value.
 *
 * @param what What the value is, to begin the path in an error's message, such as `input`.
 * @param whose The name of what it belongs to, such as an activity's.
 */
export function toStored(value: unknown, what: string, whose?: string): unknown {
  return isStorablePrimitive(value) ? value : new Copier(what, whose).copy(value);
}

/** Answers a stored value in a form that the receiver cannot change the store through. */
export function handOut<T>(value: T): T {
  return needsCopy(value) ? new Copier("value").copy(value) as T : value;
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

/** Whether a value is a finite number from `min`; `Number.MIN_VALUE` stands for "above 0". */
export function isFiniteFrom(value: unknown, min: number): boolean {
  return typeof value === "number" && value >= min && value < Infinity;
}

/** Shows any value in an error message, on one line and not too long. */
export function show(value: unknown): string {
  if (typeof value === "string") {
    return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}…` : value);
  }
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return `a function${value.name ? ` "${value.name}"` : ""}`;
  if (typeof value !== "object" || value === null) return String(value);
  return `${/^[AEIOU]/.test(className(value)) ? "an" : "a"} ${className(value)}`;
}

function className(value: object): string {
  try {
    return value.constructor?.name || "object";
  } catch {
    return "object";
  }
}

function isStorablePrimitive(value: unknown): boolean {
  return value === null ||
    (typeof value !== "object" && typeof value !== "function" && typeof value !== "symbol");
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

class Copier {
  readonly #what: string;
  readonly #whose: string | undefined;
  readonly #path: (string | number)[] = [];
  /** Copies already begun, so that cycles and shared parts keep their shape. */
  readonly #copies = new Map<object, object>();

  constructor(what: string, whose?: string) {
    this.#what = what;
    this.#whose = whose;
  }

  copy(value: unknown): unknown {
    if (isStorablePrimitive(value)) return value;
    if (typeof value !== "object") this.#refuse(`${show(value)} cannot be stored`);
    const object = value as object;
    const begun = this.#copies.get(object);
    if (begun !== undefined) return begun;
    if (Array.isArray(object)) return this.#copyArray(object);
    if (isPlain(object)) return this.#copyObject(object, {});
    return this.#copyOther(object);
  }

  #copyArray(array: readonly unknown[]): object {
    const copy: unknown[] = new Array(array.length);
    this.#copies.set(array, copy);
    for (let i = 0; i < array.length; i++) {
      if (i in array) copy[i] = this.#copyAt(array, i);
    }
    return Object.freeze(copy);
  }

  #copyObject(object: object, copy: Record<string, unknown>): object {
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
    let value: unknown;
    try {
      value = (container as Record<string | number, unknown>)[key];
    } catch (error) {
      this.#refuse("reading it threw", error);
    }
    const copy = this.copy(value);
    this.#path.pop();
    return copy;
  }

  /** A class instance becomes plain; what stays special is opaque and cannot be frozen. */
  #copyOther(object: object): object {
    let clone: object;
    try {
      if (typeof SharedArrayBuffer === "function" && object instanceof SharedArrayBuffer) {
        this.#refuse("shared memory cannot be stored");
      }
      clone = structuredClone(object);
    } catch (error) {
      this.#copyObject(object, {}); // refuses with the whole path if a property is to blame
      this.#refuse(`${show(object)} cannot be stored`, error);
    }
    if (isPlain(clone)) return this.#copyObject(clone, {});
    this.#copies.set(object, clone);
    return clone;
  }

  #refuse(why: string, cause?: unknown): never {
    const name = this.#whose === undefined ? this.#what : `${this.#what} ${show(this.#whose)}`;
    const path = this.#path.map((key) =>
      typeof key === "number" ? `[${key}]` : /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
    );
    throw new TypeError(
      `Cannot store ${name}${path.join("")}: ${why}`,
      cause === undefined ? undefined : { cause },
    );
  }
}
