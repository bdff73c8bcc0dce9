/**
 * The few checks that the kit's cases are made of. A failure tells where two values differ first, and both of them.
 *
 * Two values are equal if structured clone would make one of the other: prototypes do not count, an absent property is
 * not one that is `undefined`, and maps and sets have an order.
 *
 * @module
 */

import { showPath, tagOf } from "../util/show.ts";

/** Throws what `message` says if `condition` does not hold. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

/** Throws if two values differ; `what` says what they are. */
export function assertEquals<T>(actual: T, expected: T, what = "the values"): void {
  const difference = differ(actual, expected, [], new Map());
  if (difference === undefined) return;
  const { path, came, wanted } = difference;
  const lines = [`Expected ${what} to be equal`];
  if (path.length > 0) lines.push(`they differ at ${showPath(path)}:`, `  expected ${wanted}`, `  got      ${came}`);
  lines.push("as a whole:", `  expected ${inspect(expected)}`, `  got      ${inspect(actual)}`);
  throw new Error(lines.join("\n"));
}

/** Throws if `call` does not reject with an error of this class; answers the error. */
export async function assertRejects<E extends Error>(
  call: () => Promise<unknown>,
  // deno-lint-ignore no-explicit-any -- a class whatever it is made of
  Class: abstract new (...args: any[]) => E,
  what = "the call",
): Promise<E> {
  let answer: unknown;
  try {
    answer = await call();
  } catch (error) {
    if (error instanceof Class) return error;
    throw new Error(`Expected ${what} to reject with a ${Class.name}, but it rejected with ${inspect(error)}`);
  }
  throw new Error(`Expected ${what} to reject with a ${Class.name}, but it answered ${inspect(answer)}`);
}

interface Difference {
  readonly path: readonly (string | number)[];
  readonly came: string;
  readonly wanted: string;
}

/** Where two values differ first. */
function differ(
  actual: unknown,
  expected: unknown,
  path: readonly (string | number)[],
  seen: Map<unknown, unknown>,
): Difference | undefined {
  if (Object.is(actual, expected)) return undefined;
  const here: Difference = { path, came: inspect(actual), wanted: inspect(expected) };
  if (!isObject(actual) || !isObject(expected) || tagOf(actual) !== tagOf(expected)) return here;
  if (seen.get(actual) === expected) return undefined; // they are being compared
  seen.set(actual, expected);
  const inside = (key: string | number, one: unknown, other: unknown) => differ(one, other, [...path, key], seen);

  if (actual instanceof Date || actual instanceof RegExp) {
    return inspect(actual) === inspect(expected) ? undefined : here;
  }
  const [items, wanted] = [actual, expected].map(itemsOf);
  if (items !== undefined && wanted !== undefined) {
    for (let i = 0; i < Math.min(items.length, wanted.length); i++) {
      const difference = inside(i, items[i], wanted[i]);
      if (difference !== undefined) return difference;
    }
    return items.length === wanted.length ? undefined : here;
  }
  const [given, other] = [actual, expected] as Record<string, unknown>[];
  const keys = actual instanceof Error ? ["name", "message", "cause"] : []; // they need not be enumerable, or its own
  for (const key of new Set([...keys, ...Object.keys(other), ...Object.keys(given)])) {
    const [has, had] = [given, other].map((object) => keys.includes(key) || Object.hasOwn(object, key));
    if (has !== had) {
      const tell = (is: boolean, object: Record<string, unknown>) => is ? inspect(object[key]) : "nothing";
      return { path: [...path, key], came: tell(has, given), wanted: tell(had, other) };
    }
    const difference = inside(key, given[key], other[key]);
    if (difference !== undefined) return difference;
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** What a value holds in order, if it is of that kind. */
function itemsOf(value: object): unknown[] | undefined {
  if (Array.isArray(value)) return value;
  if (value instanceof Map || value instanceof Set) return [...value];
  if (value instanceof ArrayBuffer) return [...new Uint8Array(value)];
  if (ArrayBuffer.isView(value)) return [...new Uint8Array(value.buffer, value.byteOffset, value.byteLength)];
}

/** Writes a value down for a reader, on one line and not too long. */
export function inspect(value: unknown): string {
  const text = write(value, []);
  return text.length > 400 ? `${text.slice(0, 300)} … ${text.slice(-100)}` : text;
}

function write(value: unknown, around: readonly unknown[]): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return `function ${value.name}`;
  if (!isObject(value)) return Object.is(value, -0) ? "-0" : String(value);
  if (around.includes(value)) return "(itself)";
  const inside = (item: unknown) => write(item, [...around, value]);
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (value instanceof Date) return `Date(${value.getTime()})`;
  if (value instanceof RegExp) return String(value);
  const items = itemsOf(value);
  if (items !== undefined) {
    const list = items.map(inside).join(", ");
    return Array.isArray(value) ? `[${list}]` : `${tagOf(value)}(${list})`;
  }
  const entries = Object.entries(value).map(([key, item]) =>
    `${/^[A-Za-z_$][\w$]*$/.test(key) ? key : JSON.stringify(key)}: ${inside(item)}`
  );
  return entries.length === 0 ? "{}" : `{ ${entries.join(", ")} }`;
}
