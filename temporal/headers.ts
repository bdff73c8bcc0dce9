/**
 * The headers for interceptors, as texts: a run, a message or an activity carries them.
 *
 * @module
 */

import type { Headers } from "./common/mod.ts";

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
