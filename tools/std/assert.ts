/**
 * Replaces `@std/assert` where JSR does not answer. It has only what the tests use, with the same types and errors. A failure's
 * message begins with the same words; its diff comes from Node.
 *
 * @module
 */

import { AssertionError as NodeAssertionError } from "node:assert";
import { equal } from "./equal.ts";

/** What every failed check throws. */
export class AssertionError extends Error {
  override name = "AssertionError";
}

// deno-lint-ignore no-explicit-any
type Class<T> = abstract new (...args: any[]) => T;

function reject(what: string, msg: string | undefined, detail = ""): never {
  throw new AssertionError(`${what}${msg ? `: ${msg}` : "."}${detail}`);
}

function show(value: unknown): string {
  return Deno.inspect(value, { depth: 10, sorted: true, trailingComma: true, strAbbreviateSize: 1e4 });
}

function diff(actual: unknown, expected: unknown): string {
  return `\n${new NodeAssertionError({ actual, expected, operator: "deepStrictEqual" }).message}`;
}

export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}

export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  if (!equal(actual, expected)) reject("Values are not equal", msg, diff(actual, expected));
}

export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (equal(actual, expected)) reject(`Expected actual: ${show(actual)} not to be: ${show(expected)}`, msg);
}

export function assertStrictEquals<T>(actual: unknown, expected: T, msg?: string): asserts actual is T {
  if (Object.is(actual, expected)) return;
  if (show(actual) === show(expected)) reject("Values have the same structure but are not reference-equal", msg);
  reject("Values are not strictly equal", msg, diff(actual, expected));
}

export function assertNotStrictEquals<T>(actual: T, expected: T, msg?: string): void {
  if (Object.is(actual, expected)) reject(`Expected "actual" to not be strictly equal to: ${show(actual)}`, msg);
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
  if (expected.test(actual)) reject(`Expected actual: "${actual}" to not match: "${expected}"`, msg);
}

export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (!actual.includes(expected)) reject(`Expected actual: "${actual}" to contain: "${expected}"`, msg);
}

export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual < expected)) throw new AssertionError(msg ?? `Expect ${show(actual)} < ${show(expected)}`);
}

export function fail(msg?: string): never {
  reject("Failed assertion", msg);
}

/** Checks the class of what was thrown, and that its message, without colours, includes a text. */
function checkThrown(error: unknown, verb: string, ErrorClass?: Class<Error>, includes = "", msg?: string): void {
  if (!ErrorClass) return;
  if (!(error instanceof Error)) reject(`A non-Error object was ${verb}`, msg);
  if (!(error instanceof ErrorClass)) {
    const but = (error as Error).constructor?.name;
    reject(`Expected error to be instance of "${ErrorClass.name}", but was "${but}"`, msg);
  }
  // deno-lint-ignore no-control-regex
  const [text, wanted] = [error.message, includes].map((text) => text.replaceAll(/\x1b\[[0-9;]*m/g, ""));
  if (text.includes(wanted)) return;
  reject(`Expected error message to include ${JSON.stringify(includes)}, but got ${JSON.stringify(text)}`, msg);
}

export function assertThrows(fn: () => unknown): unknown;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: Class<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows(fn: () => unknown, ErrorClass?: Class<Error>, includes?: string, msg?: string): unknown {
  try {
    fn();
  } catch (error) {
    checkThrown(error, "thrown", ErrorClass, includes, msg);
    return error;
  }
  reject("Expected function to throw", msg);
}

export function assertRejects(fn: () => PromiseLike<unknown>): Promise<unknown>;
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: Class<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects(
  fn: () => PromiseLike<unknown>,
  ErrorClass?: Class<Error>,
  includes?: string,
  msg?: string,
): Promise<unknown> {
  let promise;
  try {
    promise = fn();
  } catch {
    // reported below: nothing was returned
  }
  if (typeof promise?.then !== "function") reject("Function throws when expected to reject", msg);
  try {
    await promise;
  } catch (error) {
    checkThrown(error, "rejected", ErrorClass, includes, msg);
    return error;
  }
  reject("Expected function to reject", msg);
}
