/**
 * Copies values into the history, and hands them out of it.
 *
 * 1. A value that goes in is copied once and deeply frozen; see `copier.ts`.
 * 2. A value that comes out is shared, because nobody can change it. It is copied again only if it holds something that
 *    freezing cannot protect, such as a `Date`.
 *
 * @module
 */

import { isPlain, show } from "../util/show.ts";
import { Copier, isCollection, isStorablePrimitive } from "./copier.ts";
import { partsOf } from "./native_error.ts";

/**
 * Copies and freezes a value.
 *
 * @param what The name of the value, such as `input`. It begins the path in an error's message.
 * @param whose The name of its owner, such as an activity's name.
 * @param maxBytes The maximum size; see {@linkcode sizeOf}.
 * @throws {TypeError} If it cannot be stored.
 * @throws {RangeError} If it is too large.
 */
export function toStored(value: unknown, what: string, whose?: string, maxBytes?: number): unknown {
  const stored = isStorablePrimitive(value) ? value : new Copier(whose).run(value, what);
  const bytes = maxBytes === undefined ? 0 : sizeOf(stored, new Set());
  if (maxBytes === undefined || bytes <= maxBytes) return stored;
  const name = whose === undefined ? what : `${what} ${show(whose)}`;
  throw new RangeError(`Cannot store ${name}: it has about ${bytes} bytes, "maxPayloadBytes" is ${maxBytes}`);
}

/** The approximate size of a stored value as JSON in UTF-8, in bytes. Buffers count as they are, shared parts once. */
function sizeOf(value: unknown, seen: Set<unknown>): number {
  if (typeof value === "string") {
    let bytes = value.length + 2;
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i);
      if (code > 0x7f) bytes += code < 0x800 || code >> 11 === 0x1b ? 1 : 2; // half of a surrogate pair, which takes four bytes
    }
    return bytes;
  }
  if (typeof value !== "object" || value === null) return String(value).length;
  if (seen.has(value)) return 0;
  seen.add(value);
  const { byteLength, size } = value as { readonly byteLength?: unknown; readonly size?: unknown };
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return byteLength as number;
  if (isCollection(value)) value = [...value];
  else if (!Array.isArray(value) && !isPlain(value as object)) {
    let bytes = typeof size === "number" ? size : `${value}`.length;
    if (value instanceof Error) {
      for (const [key, part] of partsOf(value)) if (key !== "message") bytes += sizeOf(part, seen);
    }
    return bytes;
  }
  let bytes = 2;
  for (const key in value as object) {
    const item = (value as Record<string, unknown>)[key];
    bytes += 1 + (Array.isArray(value) ? 0 : sizeOf(key, seen) + 1) + sizeOf(item, seen);
  }
  return bytes;
}

/** Returns a stored value in a form that the receiver can keep: changing it does not change the store. */
export function handOut<T>(value: T): T {
  return needsCopy(value) ? new Copier(undefined, Infinity).run(value, "value") as T : value;
}

/** Whether a value can be changed by its holder: it is not deeply frozen, or holds something opaque. */
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
