/**
 * The deep equality of the package, and the few assertions that the kit needs. A failed assertion shows where two values
 * differ first, and both values.
 *
 * Two values are equal if structured clone could have made one of the other: prototypes do not count, an absent property is
 * not equal to one that is `undefined`, and maps and sets are ordered. The order of an object's properties does not count.
 *
 * @module
 */

import { showPath, tagOf } from "../util/show.ts";
import { showError, showValue } from "../util/show_value.ts";

/** Throws an error with this message unless `condition` holds. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

/**
 * Throws if two values differ.
 *
 * @param what What the values are, for the message.
 */
export function assertEquals<T>(actual: T, expected: T, what = "the values"): void {
  const difference = differ(actual, expected);
  if (difference === undefined) return;
  const { path } = difference;
  const lines = [`Expected ${what} to be equal`];
  if (path.length > 0) {
    lines.push(
      `They differ at ${showPath(path)}`,
      `  expected ${difference.expected}`,
      `  got      ${difference.actual}`,
    );
    lines.push("The whole values");
  }
  lines.push(`  expected ${showValue(expected)}`, `  got      ${showValue(actual)}`);
  throw new Error(lines.join("\n"));
}

/**
 * Throws unless a call rejects with an error of a class.
 *
 * @param what What is called, for the message.
 * @returns The error.
 */
export async function assertRejects<E extends Error>(
  call: () => Promise<unknown>,
  // deno-lint-ignore no-explicit-any -- a class with any constructor
  Class: abstract new (...args: any[]) => E,
  what = "the call",
): Promise<E> {
  let result: unknown;
  try {
    result = await call();
  } catch (error) {
    if (error instanceof Class) return error;
    throw new Error(`Expected ${what} to reject with ${Class.name}, but it rejected with ${showError(error)}`);
  }
  throw new Error(`Expected ${what} to reject with ${Class.name}, but it resolved with ${showValue(result)}`);
}

/** Whether two values are deeply equal. */
export function equals(a: unknown, b: unknown): boolean {
  return differ(a, b) === undefined;
}

/** The first difference between two values: where it is, and what is there, as texts. */
export interface Difference {
  readonly path: readonly (string | number)[];
  readonly actual: string;
  readonly expected: string;
}

/**
 * Finds the first difference between two values.
 *
 * @param path Where the values are in what is compared.
 * @param seen Pairs whose comparison has begun, so that cycles end.
 */
export function differ(
  actual: unknown,
  expected: unknown,
  path: readonly (string | number)[] = [],
  seen: Map<unknown, unknown> = new Map(),
): Difference | undefined {
  if (Object.is(actual, expected)) return undefined;
  const here = (): Difference => ({ path, actual: showValue(actual), expected: showValue(expected) });
  if (!isObject(actual) || !isObject(expected) || tagOf(actual) !== tagOf(expected)) return here();
  if (seen.get(actual) === expected) return undefined;
  seen.set(actual, expected);
  const inside = (key: string | number, one: unknown, other: unknown) => differ(one, other, [...path, key], seen);

  const [scalar, wanted] = [actual, expected].map(scalarOf);
  if (scalar !== undefined) return Object.is(scalar, wanted) ? undefined : here();
  const [items, others] = [actual, expected].map(itemsOf);
  if (items !== undefined && others !== undefined) {
    for (let i = 0; i < Math.min(items.length, others.length); i++) {
      const difference = inside(i, items[i], others[i]);
      if (difference !== undefined) return difference;
    }
    return items.length === others.length ? undefined : here();
  }
  const [given, other] = [actual, expected] as Record<string, unknown>[];
  const inherited = actual instanceof Error ? ["name", "message", "cause", "errors", "error", "suppressed"] : []; // or not enumerable
  for (const key of new Set([...inherited, ...Object.keys(other), ...Object.keys(given)])) {
    const [has, had] = [given, other].map((object) => inherited.includes(key) || Object.hasOwn(object, key));
    if (has !== had) {
      const at = (exists: boolean, object: Record<string, unknown>) => exists ? showValue(object[key]) : "nothing";
      return { path: [...path, key], actual: at(has, given), expected: at(had, other) };
    }
    const difference = inside(key, given[key], other[key]);
    if (difference !== undefined) return difference;
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** The primitive that an object stands for: of a `Date`, a `RegExp` and a boxed primitive. */
function scalarOf(value: object): unknown {
  if (value instanceof RegExp) return String(value);
  if (/^(Date|Number|String|Boolean|BigInt)$/.test(tagOf(value))) return value.valueOf();
}

/** The ordered content of a list, a collection or a buffer. */
function itemsOf(value: object): unknown[] | undefined {
  if (Array.isArray(value)) return value;
  if (value instanceof Map || value instanceof Set) return [...value];
  if (value instanceof ArrayBuffer) return [...new Uint8Array(value)];
  if (ArrayBuffer.isView(value)) return [...new Uint8Array(value.buffer, value.byteOffset, value.byteLength)];
}
