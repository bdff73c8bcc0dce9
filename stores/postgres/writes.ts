/**
 * Group commit: all writes of one macrotask share a statement, so that they share the way to the database and the wait for its disk.
 *
 * 1. Writes to one workflow take effect in the order of the calls: one of them at a time is on its way.
 * 2. A promise settles after the commit.
 * 3. A write that Postgres refuses fails alone: the batch is divided until it is found.
 * 4. A batch that was rolled back because of others is sent again. A batch whose answer is lost is not: nobody knows whether it was
 *    written.
 *
 * @module
 */

import { systemClock, systemRandom } from "../../clock.ts";
import { macrotask } from "../../util/macrotask.ts";
import type { PostgresClient } from "./client.ts";
import { failure, isOfData, isTransient } from "./failure.ts";
import type { Names } from "./schema.ts";
import { type Write, writeStatement } from "./write_statement.ts";

/** One call. */
interface Call {
  readonly id: string;
  /** What is written together with others; or what is done alone. */
  readonly write: Write | undefined;
  readonly alone: (() => Promise<void>) | undefined;
  readonly resolve: (length: number | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** The most writes and characters of one statement. */
const MOST = 512;
const MOST_CHARACTERS = 8_000_000;
/** The most statements at once. While one waits for the disk, the next one is prepared. */
const MOST_STATEMENTS = 3;
/** How often a batch is sent again that was rolled back because of others. */
const MOST_TRIES = 10;

export class Writes {
  readonly #client: PostgresClient;
  readonly #names: Names;
  readonly #writer: string;
  /** Calls that wait, in order. */
  #queue: Call[] = [];
  /** The workflows that are being written. */
  readonly #busy = new Set<string>();
  #statements = 0;
  /** A statement that Postgres has planned for a small table is bad for a large one, so it gets another name as the table grows. */
  #sent = 0;
  #scheduled = false;
  #drained: (() => void)[] = [];

  constructor(client: PostgresClient, names: Names, writer: string) {
    this.#client = client;
    this.#names = names;
    this.#writer = writer;
  }

  /**
   * Adds a write to the next statement.
   *
   * @returns The length of the history afterwards; `undefined` if the write does not fit what is stored.
   */
  add(write: Write): Promise<number | undefined> {
    return this.#enqueue(write.id, write, undefined);
  }

  /** Does something between the other writes of a workflow. */
  async alone<T>(id: string, body: () => Promise<T>): Promise<T> {
    let result: T;
    await this.#enqueue(id, undefined, async () => void (result = await body()));
    return result!;
  }

  /** Waits until everything that was added is settled. */
  drain(): Promise<void> {
    if (this.#queue.length === 0 && this.#busy.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  #enqueue(id: string, write: Call["write"], alone: Call["alone"]): Promise<number | undefined> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ id, write, alone, resolve, reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#statements >= MOST_STATEMENTS) return; // its end schedules
    this.#scheduled = true;
    macrotask(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    const batch: Call[] = [];
    const later: Call[] = [];
    const waiting = new Set<string>();
    let room = MOST_CHARACTERS;
    for (const call of this.#queue) {
      const { id, write, alone } = call;
      const size = write?.events?.length ?? 0;
      const fits = batch.length < MOST && (size <= room || batch.length === 0);
      if (this.#busy.has(id) || waiting.has(id) || !fits) {
        later.push(call);
        waiting.add(id);
        continue;
      }
      this.#busy.add(id);
      if (alone !== undefined) void this.#settle([call], alone().then(() => call.resolve(undefined), call.reject));
      else {
        room -= size;
        batch.push(call);
      }
    }
    this.#queue = later;
    if (batch.length > 0) {
      this.#statements++;
      void this.#settle(batch, this.#send(batch, 1)).then(() => {
        this.#statements--;
        if (this.#queue.length > 0) this.#schedule();
      });
    }
  }

  /** Frees the workflows when all is settled. */
  async #settle(calls: readonly Call[], settled: Promise<void>): Promise<void> {
    await settled;
    for (const { id } of calls) this.#busy.delete(id);
    if (this.#queue.length > 0) this.#schedule();
    else if (this.#busy.size === 0) { for (const resolve of this.#drained.splice(0)) resolve(); }
  }

  async #send(batch: readonly Call[], attempt: number): Promise<void> {
    let rows: readonly object[];
    try {
      const { text, params } = writeStatement(this.#names, batch.map(({ write }) => write!), this.#writer);
      const plan = Math.floor(Math.log2(++this.#sent) / 2);
      rows = await this.#client.query(`${text} -- ${plan}`, params);
    } catch (error) {
      if (isTransient(error) && attempt < MOST_TRIES) {
        await backOff(attempt);
        return await this.#send(batch, attempt + 1);
      }
      if (isOfData(error) && batch.length > 1) {
        const middle = batch.length >> 1;
        await Promise.all([batch.slice(0, middle), batch.slice(middle)].map((part) => this.#send(part, 1)));
        return;
      }
      const failed = failure("write to the store", error);
      for (const { reject } of batch) reject(failed);
      return;
    }
    const lengths: (number | undefined)[] = [];
    for (const row of rows) {
      const [ord, length] = JSON.parse(Object.values(row)[0]) as [number, number];
      lengths[ord] = length;
    }
    batch.forEach(({ resolve }, i) => resolve(lengths[i]));
  }
}

/** Waits for a random time that grows, so that two processes do not meet again. */
export function backOff(attempt: number): Promise<void> {
  const ms = systemRandom() * Math.min(2 ** attempt, 100);
  return new Promise((resolve) => void systemClock.setTimer(systemClock.now() + ms, resolve));
}
