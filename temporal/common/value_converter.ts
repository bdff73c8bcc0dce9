/**
 * How the arguments and the results of workflows, activities and messages are stored.
 *
 * @module
 */

import { checkFunction, invalid } from "../../util/check.ts";
import { isStrayPromise } from "../../util/deferred.ts";
import { ValueError } from "./errors.ts";
import type { Payload, PayloadConverter } from "./payload_converter.ts";

/**
 * How values are stored: `"json"` as Temporal's default converter does it, `"clone"` by structured clone, which keeps dates, maps and
 * sets, or a payload converter of your own.
 *
 * @category Temporal
 */
export type Converter = "json" | "clone" | PayloadConverter;

/** Converts values to what a history keeps, and back. Each call returns a copy: what a history hands out is frozen. */
export interface ValueConverter {
  /**
   * Returns what is stored for a value.
   *
   * @throws If the value cannot be converted.
   */
  toStored(value: unknown): unknown;
  /** Returns the value again. */
  fromStored(stored: unknown): unknown;
}

/**
 * Returns the functions of a converter.
 *
 * @param converter The converter.
 * @throws {TypeError} If it is no converter.
 */
export function valueConverter(converter: Converter = "json"): ValueConverter {
  if (converter === "json") return { toStored: jsonCopy, fromStored: jsonCopy };
  if (converter === "clone") return { toStored: clone, fromStored: clone };
  if (typeof converter !== "object" || converter === null) {
    throw invalid("converter", converter, '"json", "clone" or a payload converter', "convert values");
  }
  checkFunction("converter.toPayload", converter.toPayload, "convert values");
  checkFunction("converter.fromPayload", converter.fromPayload, "convert values");
  return {
    toStored(value) {
      const { metadata, data } = atOnce(converter.toPayload(value), "toPayload()");
      return { metadata: { ...metadata }, ...(data != null && { data: new Uint8Array(data) }) };
    },
    // A workflow that was started without the shim has values that are no payloads.
    fromStored: (stored) =>
      isPayload(stored) ? atOnce(converter.fromPayload(thawed(stored)), "fromPayload()") : jsonCopy(stored),
  };
}

/** What a converter returns: no promise, which nobody would wait for. */
function atOnce<T>(returned: T, name: string): T {
  if (isStrayPromise(returned)) throw invalid(name, returned, "no promise", "convert a value");
  return returned;
}

/** Takes one argument: it is given to `map()`, too. */
const clone = (value: unknown): unknown => structuredClone(value);

/** As Temporal's default converter: bytes and `undefined` stay what they are, anything else passes through JSON. */
function jsonCopy(value: unknown): unknown {
  switch (typeof value) { // what needs no copy
    case "undefined":
    case "string":
    case "boolean":
      return value;
    case "number":
      if (Number.isFinite(value)) return value + 0; // JSON has no -0
  }
  if (value instanceof Uint8Array) return new Uint8Array(value);
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw new ValueError(`Cannot convert a value to JSON: ${(error as Error).message}`, error);
  }
  if (text === undefined) throw new ValueError(`Cannot convert a value to JSON: it is a ${typeof value}`);
  return JSON.parse(text);
}

function isPayload(stored: unknown): stored is Payload {
  const { metadata } = Object(stored) as Payload;
  return typeof metadata === "object" && metadata !== null && metadata.encoding instanceof Uint8Array;
}

function thawed({ metadata, data }: Payload): Payload {
  return { metadata: { ...metadata }, data: data == null ? data : new Uint8Array(data) };
}
