/**
 * Values of any size in a database whose values are small, and how what is not used any more is deleted.
 *
 * 1. A payload that is too large for its place is cut into pieces. Few pieces are written by the transaction that refers to them.
 * 2. Many pieces are written before it. First a mark says that nobody uses them; the transaction that refers to them deletes the
 *    mark. So each piece has a mark or is referred to, whenever the process ends.
 * 3. A sweep changes a mark before it deletes what the mark names, and a writer compares its mark in every transaction. So a
 *    sweep deletes no piece of a write that succeeds.
 *
 * @module
 */

import { systemClock } from "../../clock.ts";
import { WorkflowError } from "../../errors.ts";
import type { Payload, Payloads } from "../../storage/mod.ts";
import { cannot } from "../../util/check.ts";
import type { DenoKvAtomic, DenoKvEntry, DenoKvKey, Keyspace } from "./keyspace.ts";

/** A payload as it is stored, with the name of its codec. */
export interface Stored {
  readonly codec: string;
  readonly payload?: Payload;
  /** Where its pieces are, if it is cut. */
  readonly pieces?: { readonly set: string; readonly from: number; readonly count: number };
}

/** The largest parts of a payload, in characters and in bytes: a value of Deno KV has at most 65,536 bytes, a character two. */
const MAX_CHARACTERS = 32_000;
const MAX_BYTES = 64_000;
/** How many pieces a transaction writes beside other values: it has at most 800 KiB. */
const PIECES_AT_ONCE = 6;
/** How many entries a transaction deletes: its keys have at most 80 KiB, one at most 2. */
const DELETED_AT_ONCE = 40;

/** Writes the payloads of one transaction. */
export class ValueWriter {
  readonly #keys: Keyspace;
  readonly #payloads: Payloads;
  readonly #workflowId: string;
  readonly #data: string;
  readonly #set = crypto.randomUUID();
  readonly #pieces: Payload[] = [];

  constructor(keys: Keyspace, payloads: Payloads, workflowId: string, data: string) {
    this.#keys = keys;
    this.#payloads = payloads;
    this.#workflowId = workflowId;
    this.#data = data;
  }

  /**
   * Returns what is stored for a value.
   *
   * @param inPlace The largest payload that is not cut, in characters or bytes.
   */
  async write(value: unknown, inPlace: number = Infinity): Promise<Stored> {
    const { codec } = this.#payloads;
    const written = await this.#payloads.write(value, this.#workflowId);
    const payload = typeof written === "string" ? written : new Uint8Array(written); // not a view of a large buffer
    const size = typeof payload === "string" ? MAX_CHARACTERS : MAX_BYTES;
    if (payload.length <= Math.min(size, inPlace)) return { codec, payload };
    const from = this.#pieces.length;
    for (let i = 0; i < payload.length; i += size) this.#pieces.push(payload.slice(i, i + size));
    return { codec, pieces: { set: this.#set, from, count: this.#pieces.length - from } };
  }

  /** Writes the pieces. If there are few, the transaction does it. */
  async finish(atomic: DenoKvAtomic): Promise<void> {
    const pieces = this.#pieces;
    if (pieces.length <= PIECES_AT_ONCE) return this.#add(atomic, 0);
    const parts = ["unused", this.#data, "piece", this.#set] as const;
    await this.#keys.commit(this.#keys.atomic().set(this.#keys.key(...parts), systemClock.now()));
    const mark = await this.#keys.get(...parts);
    for (let i = 0; i < pieces.length; i += PIECES_AT_ONCE) {
      const part = this.#keys.atomic().check(mark);
      this.#add(part, i);
      if (!await this.#keys.commit(part)) break; // a sweep has deleted some: the transaction will fail, too
    }
    atomic.check(mark).delete(mark.key);
  }

  #add(atomic: DenoKvAtomic, from: number): void {
    for (const [i, piece] of this.#pieces.slice(from, from + PIECES_AT_ONCE).entries()) {
      atomic.set(this.#keys.key("data", this.#data, "piece", this.#set, from + i), piece);
    }
  }
}

/** Reads a payload, and its value. */
export async function readValue(
  keys: Keyspace,
  payloads: Payloads,
  workflowId: string,
  data: string,
  { codec, payload, pieces }: Stored,
): Promise<unknown> {
  if (pieces === undefined) return await payloads.read(payload!, codec, workflowId);
  const { set, from, count } = pieces;
  const parts: Payload[] = [];
  for await (const { value } of keys.list(["data", data, "piece", set], { from, to: from + count })) {
    parts.push(value as Payload);
  }
  if (parts.length === count) return await payloads.read(join(parts), codec, workflowId);
  const why = `${parts.length} of the ${count} pieces of a stored payload are left`;
  throw new WorkflowError("invalid_history", `${cannot("read workflow", workflowId)}: ${why}`);
}

function join(parts: readonly Payload[]): Payload {
  if (typeof parts[0] === "string") return parts.join("");
  const bytes = parts as readonly Uint8Array[];
  const whole = new Uint8Array(bytes.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of bytes) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/**
 * Deletes what is not used since a time.
 *
 * @returns How many marks it has dealt with.
 */
export async function sweep(keys: Keyspace, before: number): Promise<number> {
  let count = 0;
  for await (const mark of keys.list(["unused"])) {
    if (mark.value as number > before) continue;
    // A writer that still lives is refused from now on.
    if (!await keys.commit(keys.atomic().check(mark).set(mark.key, 0))) continue;
    const parts = keys.parts(mark.key, 1);
    await deleteAll(keys, ["data", ...parts]);
    await keys.commit(keys.atomic().delete(mark.key));
    count++;
  }
  return count;
}

/** Deletes what is below some parts. */
async function deleteAll(keys: Keyspace, parts: DenoKvKey): Promise<void> {
  let some: DenoKvEntry[] = [];
  const flush = async () => {
    const atomic = keys.atomic();
    for (const { key } of some) atomic.delete(key);
    if (some.length > 0) await keys.commit(atomic);
    some = [];
  };
  for await (const entry of keys.list(parts)) if (some.push(entry) === DELETED_AT_ONCE) await flush();
  await flush();
}
