/**
 * Deep equality by the rules of `@std/assert`. They differ from those of `node:assert`: `0` equals `-0`, an object without a
 * prototype equals a plain object, and two errors with different stacks differ.
 *
 * @module
 */

type Keyed = Map<unknown, unknown> | Set<unknown>;
type Fields = Record<PropertyKey, unknown>;

/** Whether two values are deeply equal. */
export function equal(a: unknown, b: unknown): boolean {
  return new Comparison().equal(a, b);
}

/** One comparison. It remembers the pairs that it is comparing, so that cycles end. */
class Comparison {
  readonly #open = new Map<object, unknown>();

  equal(a: unknown, b: unknown): boolean {
    if (a === b || Object.is(a, b)) return true;
    if (!isObject(a) || !isObject(b)) return false;
    if (a instanceof Date && b instanceof Date) return Object.is(a.getTime(), b.getTime());
    if (prototypeOf(a) !== prototypeOf(b)) return false;
    if (ArrayBuffer.isView(a) && !(a instanceof DataView)) return this.#list(a, b);
    if (a instanceof ArrayBuffer || a instanceof SharedArrayBuffer) {
      return this.#list(new Uint8Array(a), new Uint8Array(b as ArrayBuffer));
    }
    if (this.#open.get(a) === b) return true;
    if (Object.keys(a).length !== Object.keys(b).length) return false;
    this.#open.set(a, b);
    if (a instanceof Map || a instanceof Set) return this.#keyed(a, b as Keyed);
    if (a instanceof RegExp) return String(a) === String(b);
    return this.#fields(a as Fields, b as Fields);
  }

  #list(a: object, b: object): boolean {
    const [left, right] = [a, b] as ArrayLike<unknown>[];
    return left.length === right.length &&
      Array.prototype.every.call(left, (item, i) => item === right[i] || Object.is(item, right[i]));
  }

  /** Keys may be different objects that are equal. */
  #keyed(a: Keyed, b: Keyed): boolean {
    if (a.size !== b.size) return false;
    const entries = [...b.entries()];
    for (const [key, value] of a.entries()) {
      if (!isObject(key)) {
        if (!b.has(key) || a instanceof Map && !this.equal(value, (b as typeof a).get(key))) {
          return false;
        }
      } else if (!entries.some(([k, v]) => this.equal(key, k) && this.equal(value, v))) {
        return false;
      }
    }
    return true;
  }

  #fields(a: Fields, b: Fields): boolean {
    const prototype = prototypeOf(a);
    const plain = prototype === Object.prototype || prototype === Array.prototype;
    const keys = plain ? [...enumerable(a), ...enumerable(b)] : [...visible(a), ...visible(b)];
    return [...new Set(keys)].every((key) => key in a === key in b && this.equal(a[key], b[key]));
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function prototypeOf(value: object): unknown {
  return Object.getPrototypeOf(value) ?? Object.prototype;
}

function enumerable(value: object): PropertyKey[] {
  return Reflect.ownKeys({ ...value });
}

/** Every key of an instance: its own keys, hidden ones included, and the members of its class. */
function visible(value: object): PropertyKey[] {
  const keys: PropertyKey[] = [];
  for (let at = value; at && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    keys.push(...Reflect.ownKeys(at));
  }
  return keys;
}
