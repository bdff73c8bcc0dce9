/**
 * Shows the content of a value or an error on one line, for pictures, failed assertions and reports.
 *
 * 1. The line has no line break, no control character, and no character that changes the direction of writing.
 * 2. Length and work are bounded, whatever the value is: deep, long and wide values are cut.
 * 3. Nothing here throws: a value that cannot be read is shown by `show()`.
 *
 * @module
 */

import { show, tagOf } from "./show.ts";

/** How many characters of a text are read. More than any line of a picture shows. */
const MAX_LENGTH = 400;
const MAX_DEPTH = 3;
const MAX_ITEMS = 8;

/** Control characters, and characters that have no width or change the direction of writing. */
const INVISIBLE = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff]/gu;

/** Shows a value: `{ id: "a", items: [1, 2, … 98 more] }`. */
export function showValue(value: unknown): string {
  try {
    return write(value, 0);
  } catch {
    return show(value);
  }
}

/** Shows an error, its record in a history, or any other thrown value, with the chain of causes. */
export function showError(error: unknown): string {
  try {
    return writeError(error, 0);
  } catch {
    return show(error);
  }
}

/** Makes one line of a text: without invisible characters, and cut if it is long. */
export function printable(text: string): string {
  return cut(text).replace(/\s+/gu, " ").replace(INVISIBLE, "").replace(/\p{Cs}/gu, "\ufffd").trim();
}

/** Shows a whole number with a comma between thousands, the same in every locale. */
export function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

function cut(text: string): string {
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text;
}

/** A text in quotes. What {@linkcode printable} would remove is escaped, so that different texts look different. */
function quoted(text: string): string {
  const escape = (char: string) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(cut(text)).replace(INVISIBLE, escape);
}

function write(value: unknown, depth: number): string {
  if (typeof value === "string") return quoted(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return show(value);
  if (typeof value !== "object" || value === null) return Object.is(value, -0) ? "-0" : printable(String(value));
  if (value instanceof Date) return Number.isNaN(+value) ? "an invalid date" : value.toISOString();
  if (value instanceof RegExp) return printable(String(value));
  if (value instanceof Error) return writeError(value, depth);

  const inner = (item: unknown) => write(item, depth + 1);
  const list = (brackets: "[]" | "{}", items: Iterable<unknown>, size: number, each: (item: never) => string) => {
    if (size === 0) return brackets;
    if (depth === MAX_DEPTH) return `${brackets[0]}…${brackets[1]}`;
    const shown: string[] = [];
    for (const item of items) {
      if (shown.length === MAX_ITEMS) break;
      shown.push(each(item as never));
    }
    if (size > MAX_ITEMS) shown.push(`… ${grouped(size - MAX_ITEMS)} more`);
    const space = brackets === "{}" ? " " : "";
    return printable(`${brackets[0]}${space}${shown.join(", ")}${space}${brackets[1]}`);
  };
  if (Array.isArray(value)) return list("[]", value, value.length, inner);
  if (value instanceof Set) return `Set ${list("{}", value, value.size, inner)}`;
  if (value instanceof Map) {
    const pair = ([key, item]: [unknown, unknown]) => `${inner(key)} => ${inner(item)}`;
    return `Map ${list("{}", value, value.size, pair)}`;
  }
  const numbers = numbersOf(value);
  if (numbers !== undefined) return `${tagOf(value)} ${list("[]", numbers, numbers.length, inner)}`;
  const keys = Object.keys(value);
  const property = (key: string) => {
    const name = /^[A-Za-z_$][\w$]*$/.test(key) ? cut(key) : quoted(key);
    return `${name}: ${inner((value as Record<string, unknown>)[key])}`;
  };
  return list("{}", keys, keys.length, property);
}

/** The numbers in a typed array; the bytes of a buffer and of a `DataView`. */
function numbersOf(value: object): ArrayLike<number> & Iterable<number> | undefined {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (value instanceof DataView) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (ArrayBuffer.isView(value)) return value as Uint8Array;
}

function writeError(error: unknown, depth: number): string {
  const { name, message, cause, thrown } = Object(error) as Record<string, unknown>;
  if (typeof name !== "string" || typeof message !== "string") {
    return error instanceof Error ? show(error) : write(error, depth);
  }
  const text = typeof thrown === "object" && thrown !== null && "value" in thrown
    ? write(thrown.value, depth) // the record of a thrown value that is not an `Error`
    : message === ""
    ? printable(name) || "Error"
    : `${name}: ${message}`;
  const causes = cause === undefined || depth >= MAX_DEPTH ? "" : `, caused by ${writeError(cause, depth + 1)}`;
  return printable(text + causes);
}
