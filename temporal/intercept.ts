/**
 * Calls interceptors, and carries their headers.
 *
 * @module
 */

import type { Headers } from "./common/mod.ts";

/** Returns a function that calls the interceptors of a method, and then `last`. */
export function intercept<Interceptor, Input, Output>(
  interceptors: readonly Interceptor[],
  method: keyof Interceptor,
  last: (input: Input) => Output,
): (input: Input) => Output {
  let next = last;
  for (let i = interceptors.length - 1; i >= 0; i--) {
    const interceptor = interceptors[i];
    if (typeof interceptor[method] !== "function") continue;
    const inner = next;
    next = (input) => (interceptor[method] as (input: Input, next: (input: Input) => Output) => Output)(input, inner);
  }
  return next;
}

/** The name of the header that carries the headers for interceptors. */
export const HEADER = "temporal-headers";

/** Writes headers as a text; `undefined` if there are none. */
export function writeHeaders(headers: Headers): string | undefined {
  const entries = Object.entries(headers);
  if (entries.length === 0) return undefined;
  return JSON.stringify(entries.map(([name, { metadata, data }]) => [name, texts(metadata ?? {}), toText(data)]));
}

const texts = (metadata: Record<string, Uint8Array>) =>
  Object.entries(metadata).map(([name, bytes]) => [name, toText(bytes)]);
const toText = (bytes: Uint8Array | null | undefined) =>
  bytes == null ? null : btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
const toBytes = (text: string) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

/** Reads what {@linkcode writeHeaders} has written. */
export function readHeaders(text: string | undefined): Headers {
  if (text === undefined) return {};
  const entries: [string, [string, string][], string | null][] = JSON.parse(text);
  return Object.fromEntries(entries.map(([name, metadata, data]) => [name, {
    metadata: Object.fromEntries(metadata.map(([name, bytes]) => [name, toBytes(bytes)])),
    ...(data !== null && { data: toBytes(data) }),
  }]));
}
