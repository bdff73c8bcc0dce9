/**
 * The part of a Deno KV database that belongs to a store: what the store needs of `Deno.Kv`, keys below a prefix, and errors in
 * words.
 *
 * The types are those of `Deno.Kv`, as far as the store needs it. So the package has no types of an unstable API.
 *
 * @module
 */

import { systemClock } from "../../clock.ts";
import { escapeText } from "../../storage/mod.ts";
import { cannot } from "../../util/check.ts";
import { show } from "../../util/show.ts";

/**
 * A key of Deno KV.
 *
 * @category Store
 */
export type DenoKvKey = readonly (Uint8Array | string | number | bigint | boolean | symbol)[];

/**
 * An entry of Deno KV; value and versionstamp are `null` if there is none.
 *
 * @category Store
 */
export interface DenoKvEntry {
  /** Its key. */
  readonly key: DenoKvKey;
  /** Its value. */
  readonly value: unknown;
  /** Says which write has made it. Later writes have greater ones. */
  readonly versionstamp: string | null;
}

/**
 * A transaction of Deno KV, as `Deno.AtomicOperation` is one.
 *
 * @category Store
 */
export interface DenoKvAtomic {
  /** The commit fails unless the entries have these versionstamps. */
  check(...checks: { readonly key: DenoKvKey; readonly versionstamp: string | null }[]): DenoKvAtomic;
  /** Writes a value. It is deleted some time after `expireIn` milliseconds. */
  set(key: DenoKvKey, value: unknown, options?: { readonly expireIn?: number }): DenoKvAtomic;
  /** Deletes an entry. */
  delete(key: DenoKvKey): DenoKvAtomic;
  /** Does all of it or nothing, and returns which. */
  commit(): Promise<{ readonly ok: boolean }>;
}

/**
 * What `DenoKvStore` needs of a database. `Deno.Kv` has it.
 *
 * @category Store
 */
export interface DenoKv {
  /** Reads an entry. */
  get(key: DenoKvKey): Promise<DenoKvEntry>;
  /** Reads at most ten entries of one moment. */
  getMany(keys: readonly DenoKvKey[]): Promise<readonly DenoKvEntry[]>;
  /** Reads the entries from one key up to another one, which is left out. */
  list(
    range: { readonly start: DenoKvKey; readonly end: DenoKvKey },
    options?: { readonly limit?: number; readonly reverse?: boolean; readonly batchSize?: number },
  ): AsyncIterable<DenoKvEntry>;
  /** Begins a transaction. */
  atomic(): DenoKvAtomic;
  /** Stands for the versionstamp of the transaction, as the last part of a key. */
  commitVersionstamp(): symbol;
}

/** Behind every part of a key. */
const LAST = true;
/** At most so many keys a call of `getMany`. */
const READ_AT_ONCE = 10;
/** The longest text that is a part of a key. A key has at most 2,048 bytes, a character at most three. */
const MAX_TEXT = 400;

/** For how long a call waits for a lock of another process, and the longest pause between two tries, in milliseconds. */
const LOCKED_MS = 5_000;
const MAX_WAIT_MS = 20;

export class Keyspace {
  readonly #kv: DenoKv;
  readonly #prefix: DenoKvKey;

  constructor(kv: DenoKv, prefix: DenoKvKey) {
    this.#kv = kv;
    this.#prefix = prefix;
  }

  key(...parts: DenoKvKey): DenoKvKey {
    return [...this.#prefix, ...parts];
  }

  /** The parts of a key of the store that follow `count` others. */
  parts(key: DenoKvKey, count: number): DenoKvKey {
    return key.slice(this.#prefix.length + count);
  }

  atomic(): DenoKvAtomic {
    return this.#kv.atomic();
  }

  /** The versionstamp of a transaction, as the last part of a key that it sets. */
  stamp(): symbol {
    return this.#kv.commitVersionstamp();
  }

  async get(...parts: DenoKvKey): Promise<DenoKvEntry> {
    return await call(() => this.#kv.get(this.key(...parts)));
  }

  /** Reads entries in the order of their keys, ten of one moment. */
  async getMany(keys: readonly DenoKvKey[]): Promise<DenoKvEntry[]> {
    const calls: Promise<readonly DenoKvEntry[]>[] = [];
    for (let i = 0; i < keys.length; i += READ_AT_ONCE) {
      const some = keys.slice(i, i + READ_AT_ONCE);
      calls.push(call(() => this.#kv.getMany(some)));
    }
    return (await Promise.all(calls)).flat();
  }

  /** Reads what is below some parts: from a next part on, up to another one, which is left out. */
  async *list(
    parts: DenoKvKey,
    { from, to = LAST, ...options }: {
      readonly from?: string | number;
      readonly to?: string | number | true;
      readonly limit?: number;
      readonly reverse?: boolean;
    } = {},
  ): AsyncIterable<DenoKvEntry> {
    const start = this.key(...parts, from ?? new Uint8Array(0));
    const range = { start, end: this.key(...parts, to) };
    const batchSize = Math.min(options.limit ?? 200, 500);
    const entries = this.#kv.list(range, { ...options, batchSize })[Symbol.asyncIterator]();
    for (;;) {
      const { done, value } = await call(() => entries.next());
      if (done) return;
      yield value;
    }
  }

  /** Returns whether the transaction was done. */
  async commit(atomic: DenoKvAtomic): Promise<boolean> {
    const result = await call(() => atomic.commit());
    if (typeof result?.ok === "boolean") return result.ok; // a write begins again after `false`
    throw new TypeError(`${cannot("use Deno KV")}: "commit" must return an object with "ok", got ${show(result)}`);
  }
}

/**
 * Calls the database, again for a while if another connection to its file holds the lock: the call had no effect then. Other errors
 * say where they come from.
 */
async function call<T>(body: () => Promise<T>): Promise<T> {
  const begunAt = systemClock.now();
  for (let waitMs = 1;; waitMs = Math.min(2 * waitMs, MAX_WAIT_MS)) {
    try {
      return await body();
    } catch (cause) {
      const { name, message } = cause as Error;
      const isLocked = message.includes("database is locked");
      if (isLocked && systemClock.now() - begunAt < LOCKED_MS) {
        await new Promise<void>((resolve) => systemClock.setTimer(systemClock.now() + waitMs, resolve));
        continue;
      }
      const isTooLarge = message.includes("too large");
      const why = isLocked
        ? "another process holds a lock for too long: "
        : isTooLarge
        ? "an ID, a name or labels have no room in a value, or a key: "
        : name === "BadResource"
        ? 'the "Deno.Kv" is closed: '
        : "";
      throw new (isTooLarge ? TypeError : Error)(`${cannot("use Deno KV")}: ${why}${message}`, { cause });
    }
  }
}

/** The parts of a key that stand for a text. A long one is represented by its hash. */
export async function partsOf(text: string): Promise<string[]> {
  const escaped = escapeText(text);
  if (escaped.length <= MAX_TEXT) return [escaped];
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(escaped));
  const hash = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return ["", hash];
}
