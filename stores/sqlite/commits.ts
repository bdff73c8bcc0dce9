/**
 * Group commit: all writes of one macrotask are committed together, and so are those that are made while a commit is in flight.
 *
 * 1. Writes take effect in the order of the calls.
 * 2. A promise settles after the commit. Until then nobody sees its write.
 * 3. At most one commit is in flight. Without a worker, none is when other code runs.
 *
 * @module
 */

import { macrotask } from "../../util/macrotask.ts";
import type { Committed, Database, Outcome, Write } from "./connection.ts";
import type { Writes } from "./writes.ts";

interface Waiting {
  readonly write: Write;
  readonly settle: (outcome: Outcome) => void;
}

/** The most writes of one transaction: other work of the process must not wait for too many. */
const MOST = 512;

export class Commits {
  readonly #db: Database;
  #queue: Waiting[] = [];
  /** Never rejects. */
  #inFlight: Promise<void> | undefined;
  #version: number;

  /** @param version The version of the last transaction. */
  constructor(db: Database, version: number) {
    this.#db = db;
    this.#version = version;
  }

  /** The version of the last transaction that the store knows. */
  get version(): number {
    return this.#version;
  }

  /**
   * Adds a write to the next commit.
   *
   * @param seen Is called once the write is visible. It gets what the write answers. What it returns or throws, the promise has.
   */
  add<K extends keyof Writes, T>(
    write: readonly [name: K, ...args: Parameters<Writes[K]>],
    seen: (answer: ReturnType<Writes[K]>) => T,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#queue.length === 0) macrotask(this.#flush);
      this.#queue.push({
        write: write as unknown as Write,
        settle(outcome) {
          if ("error" in outcome) return reject(outcome.error);
          try {
            resolve(seen(outcome.answer as ReturnType<Writes[K]>));
          } catch (error) {
            reject(error);
          }
        },
      });
    });
  }

  /** Commits everything that waits. */
  async drain(): Promise<void> {
    while (this.#queue.length > 0 || this.#inFlight !== undefined) {
      this.#flush();
      await this.#inFlight;
    }
  }

  /** Waits until no commit is in flight. None is until the caller awaits something. */
  async idle(): Promise<void> {
    while (this.#inFlight !== undefined) await this.#inFlight;
  }

  readonly #flush = (): void => {
    if (this.#inFlight !== undefined) return; // its end calls this again
    const waiting = this.#queue.splice(0, MOST);
    if (waiting.length === 0) return; // drain() was faster
    const committed = this.#db.commit(waiting.map(({ write }) => write));
    if (!(committed instanceof Promise)) return this.#settle(waiting, committed);
    const failed = (error: unknown) =>
      this.#settle(waiting, { outcomes: waiting.map(() => ({ error })), version: undefined });
    this.#inFlight = committed.then((committed) => this.#settle(waiting, committed), failed);
  };

  #settle(waiting: readonly Waiting[], { outcomes, version }: Committed): void {
    this.#inFlight = undefined;
    this.#version = version ?? this.#version;
    if (this.#queue.length > 0) macrotask(this.#flush); // what follows from this commit is part of the next one
    waiting.forEach(({ settle }, i) => settle(outcomes[i]));
  }
}
