/**
 * What the errors of JavaScript are made of: their classes, and the parts that a copy of an error keeps.
 *
 * @module
 */

/** The names of the classes, without their end. A runtime can be without the last one. */
export const errorKinds = ["", "Eval", "Range", "Reference", "Syntax", "Type", "URI", "Aggregate", "Suppressed"];

/** The class with this name; `undefined` if JavaScript, or this runtime, has none. */
export function nativeClass(name: unknown): typeof Error | undefined {
  return isNative(name) ? globalThis[name as "Error"] : undefined;
}

function isNative(name: unknown): boolean {
  return errorKinds.some((kind) => name === `${kind}Error`);
}

/** Makes an error without parts, of the class with this name if JavaScript has one, or else an `Error`. */
export function newError(name: unknown): Error {
  const error = Reflect.construct(Error, [], nativeClass(name) ?? Error);
  if (error.name !== name && isNative(name)) define(error, "name", name);
  return error;
}

/** Whether an object is an error, whatever its tag is. A runtime that cannot tell leaves other realms to structured clone. */
export function isError(object: object, tag: string): object is Error {
  const { isError } = Error as { readonly isError?: (object: object) => boolean };
  return isError?.(object) ?? (tag === "Error" && object instanceof Error);
}

/** Whether an error holds a part. Data that a class of the user gives its errors under the same name is no part. */
export function hasPart(error: Error, key: string): boolean {
  const own = Object.getOwnPropertyDescriptor(error, key);
  return own !== undefined &&
    (!own.enumerable || key === "message" || key === "cause" || error instanceof AggregateError ||
      error.name === "SuppressedError");
}

/** What an error holds apart from its name, its stack and data. */
export function partsOf(error: Error): [key: string, part: unknown][] {
  const keys = ["message", "cause", "errors", "error", "suppressed"].filter((key) => hasPart(error, key));
  return keys.map((key) => [key, key === "message" ? `${error.message}` : error[key as "cause"]]);
}

/** Defines a property, of an error for example. It is not enumerable, unless it is data. */
export function define(object: object, key: string, value: unknown, enumerable = false): void {
  Object.defineProperty(object, key, { value, writable: true, configurable: true, enumerable });
}
