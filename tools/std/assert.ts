/**
 * Stands in for `@std/assert` where JSR does not answer: the same checks, types and errors; a
 * failure's message begins the same, its diff comes from Node's.
 *
 * @module
 */

import { AssertionError as NodeAssertionError } from "node:assert";
import { equal } from "./equal.ts";

export { equal };

/** What every failed check throws. */
export class AssertionError extends Error {
  override name = "AssertionError";
}

// deno-lint-ignore no-explicit-any
type Class<T> = abstract new (...args: any[]) => T;
type Falsy = false | 0 | 0n | "" | null | undefined;

function show(value: unknown): string {
  return Deno.inspect(value, {
    depth: 10,
    sorted: true,
    trailingComma: true,
    strAbbreviateSize: 1e4,
  });
}

function reject(what: string, msg: string | undefined, detail = ""): never {
  throw new AssertionError(`${what}${msg ? `: ${msg}` : "."}${detail}`);
}

function diff(actual: unknown, expected: unknown): string {
  return `\n${new NodeAssertionError({ actual, expected, operator: "deepStrictEqual" }).message}`;
}

export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}

export function assertFalse(expr: unknown, msg = ""): asserts expr is Falsy {
  if (expr) throw new AssertionError(msg);
}

export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  if (!equal(actual, expected)) reject("Values are not equal", msg, diff(actual, expected));
}

export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (equal(actual, expected)) {
    reject(`Expected actual: ${show(actual)} not to be: ${show(expected)}`, msg);
  }
}

export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  if (Object.is(actual, expected)) return;
  const same = show(actual) === show(expected);
  if (same) reject("Values have the same structure but are not reference-equal", msg);
  reject("Values are not strictly equal", msg, diff(actual, expected));
}

export function assertNotStrictEquals<T>(actual: T, expected: T, msg?: string): void {
  if (Object.is(actual, expected)) {
    reject(`Expected "actual" to not be strictly equal to: ${show(actual)}`, msg);
  }
}

export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T> {
  if (actual === undefined || actual === null) {
    reject(`Expected actual: "${actual}" to not be null or undefined`, msg);
  }
}

export function assertInstanceOf<T extends Class<unknown>>(
  actual: unknown,
  expectedType: T,
  msg = "",
): asserts actual is InstanceType<T> {
  if (actual instanceof expectedType) return;
  const but = typeof actual === "object" ? actual?.constructor?.name ?? "null" : typeof actual;
  reject(`Expected object to be an instance of "${expectedType.name}" but was "${but}"`, msg);
}

export function assertNotInstanceOf<A, T>(
  actual: A,
  unexpectedType: Class<T>,
  msg?: string,
): asserts actual is Exclude<A, T> {
  if (actual instanceof unexpectedType) {
    reject(`Expected object to not be an instance of "${unexpectedType.name}"`, msg);
  }
}

export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  if (!expected.test(actual)) reject(`Expected actual: "${actual}" to match: "${expected}"`, msg);
}

export function assertNotMatch(actual: string, expected: RegExp, msg?: string): void {
  if (expected.test(actual)) {
    reject(`Expected actual: "${actual}" to not match: "${expected}"`, msg);
  }
}

export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (!actual.includes(expected)) {
    reject(`Expected actual: "${actual}" to contain: "${expected}"`, msg);
  }
}

export function assertArrayIncludes<T>(
  actual: ArrayLike<T> & object,
  expected: ArrayLike<T> & object,
  msg?: string,
): void {
  const held = Array.from(actual);
  const missing = Array.from(expected).filter((item) => !held.some((other) => equal(item, other)));
  if (missing.length === 0) return;
  const what = `Expected actual: "${show(actual)}" to include: "${show(expected)}"`;
  reject(what, msg, `\nmissing: ${show(missing)}`);
}

function compare(holds: boolean, actual: unknown, sign: string, expected: unknown, msg?: string) {
  if (!holds) throw new AssertionError(msg ?? `Expect ${show(actual)} ${sign} ${show(expected)}`);
}

export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  compare(actual > expected, actual, ">", expected, msg);
}

export function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void {
  compare(actual >= expected, actual, ">=", expected, msg);
}

export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  compare(actual < expected, actual, "<", expected, msg);
}

export function assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void {
  compare(actual <= expected, actual, "<=", expected, msg);
}

export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance: number = isFinite(expected) ? Math.abs(expected * 1e-7) : 1e-7,
  msg?: string,
): void {
  const delta = Math.abs(expected - actual);
  if (Object.is(actual, expected) || delta <= tolerance) return;
  reject(
    `Expected actual: "${actual}" to be close to "${expected}": ` +
      `delta "${delta}" is greater than "${tolerance}"`,
    msg,
  );
}

/** Checks the part of `actual` that `expected` names, at every depth. */
export function assertObjectMatch(
  // deno-lint-ignore no-explicit-any
  actual: Record<PropertyKey, any>,
  expected: Record<PropertyKey, unknown>,
  msg?: string,
): void {
  assertEquals(common(actual, expected), common(expected, expected), msg);
}

/** What `value` has of what `wanted` has; everything if they share no key, for a telling diff. */
function common(value: unknown, wanted: unknown, open = new Map<unknown, unknown>()): unknown {
  if (typeof value !== "object" || typeof wanted !== "object" || !value || !wanted) return value;
  if (value instanceof RegExp || value instanceof Date) return value;
  if (open.get(value) === wanted) return value;
  open.set(value, wanted);
  if (Array.isArray(value) && Array.isArray(wanted)) {
    return value.slice(0, wanted.length).map((item, i) => common(item, wanted[i], open));
  }
  if (value instanceof Set && wanted instanceof Set) return value.intersection(wanted);
  if (value instanceof Map && wanted instanceof Map) {
    const shared = [...value].filter(([key]) => wanted.has(key));
    return new Map(shared.map(([key, item]) => [key, common(item, wanted.get(key), open)]));
  }
  const [has, wants] = [Reflect.ownKeys(value), Reflect.ownKeys(wanted)];
  const keys = has.filter((key) => wants.includes(key));
  const fields = value as Record<PropertyKey, unknown>;
  if (keys.length === 0 && wants.length > 0) {
    return Object.fromEntries(has.map((key) => [key, fields[key]]));
  }
  const other = wanted as Record<PropertyKey, unknown>;
  return Object.fromEntries(keys.map((key) => [key, common(fields[key], other[key], open)]));
}

export function assertIsError<E extends Error = Error>(
  error: unknown,
  ErrorClass?: Class<E>,
  msgMatches?: string | RegExp,
  msg?: string,
): asserts error is E {
  if (!(error instanceof Error)) reject(`Expected "error" to be an Error object`, msg);
  if (ErrorClass && !(error instanceof ErrorClass)) {
    const but = (error as Error).constructor?.name;
    reject(`Expected error to be instance of "${ErrorClass.name}", but was "${but}"`, msg);
  }
  // deno-lint-ignore no-control-regex
  const plain = (text: string) => text.replaceAll(/\x1b\[[0-9;]*m/g, "");
  const text = plain(error.message);
  const fits = typeof msgMatches === "string" ? text.includes(plain(msgMatches)) : msgMatches?.test(text) ?? true;
  if (fits) return;
  const wanted = typeof msgMatches === "string" ? JSON.stringify(msgMatches) : msgMatches;
  reject(`Expected error message to include ${wanted}, but got ${JSON.stringify(text)}`, msg);
}

/** The arguments after `fn` of `assertThrows` and `assertRejects`, told apart. */
function wantedError(rest: [(Class<Error> | string)?, string?, string?]) {
  const [first, second, third] = rest;
  if (typeof first === "string") return { msg: first };
  return { ErrorClass: first, includes: second, msg: third };
}

function checkThrown(error: unknown, wanted: ReturnType<typeof wantedError>, verb: string) {
  const { ErrorClass, includes, msg } = wanted;
  if (!ErrorClass) return;
  if (!(error instanceof Error)) reject(`A non-Error object was ${verb}`, msg);
  assertIsError(error, ErrorClass, includes, msg);
}

export function assertThrows(fn: () => unknown, msg?: string): unknown;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: Class<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows(
  fn: () => unknown,
  ...rest: [(Class<Error> | string)?, string?, string?]
): unknown {
  const wanted = wantedError(rest);
  try {
    fn();
  } catch (error) {
    checkThrown(error, wanted, "thrown");
    return error;
  }
  reject("Expected function to throw", wanted.msg);
}

export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: Class<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects(
  fn: () => PromiseLike<unknown>,
  ...rest: [(Class<Error> | string)?, string?, string?]
): Promise<unknown> {
  const wanted = wantedError(rest);
  let promise;
  try {
    promise = fn();
  } catch {
    reject("Function throws when expected to reject", wanted.msg);
  }
  if (typeof promise?.then !== "function") {
    reject("Function throws when expected to reject", wanted.msg);
  }
  try {
    await promise;
  } catch (error) {
    checkThrown(error, wanted, "rejected");
    return error;
  }
  reject("Expected function to reject", wanted.msg);
}

export function fail(msg?: string): never {
  reject("Failed assertion", msg);
}

export function unreachable(msg?: string): never {
  reject("Unreachable", msg);
}
