/**
 * Looks for changes of other processes now and then.
 *
 * 1. Without a listener there is no timer.
 * 2. A change that is committed after `start` has returned is reported, also if the database is in a worker that begins to watch
 *    later: if others have written meanwhile, anything may have changed.
 *
 * @module
 */

import { systemClock } from "../../clock.ts";
import type { Database } from "./connection.ts";

/** Reports a change: see `StoreListener`. */
type Report = (workflowId: string | null, historyLength: number | null) => void;

export class Poll {
  readonly #db: Database;
  readonly #intervalMs: number;
  readonly #version: () => number;
  readonly #report: Report;
  #stop: (() => void) | undefined;

  /** @param version Returns the last version that the store knows. */
  constructor(db: Database, intervalMs: number, version: () => number, report: Report) {
    this.#db = db;
    this.#intervalMs = intervalMs;
    this.#version = version;
    this.#report = report;
  }

  /** Begins, unless it has begun. What was committed before is not reported. */
  start(): void {
    if (this.#stop !== undefined || this.#intervalMs === Infinity) return;
    const missed = this.#db.watch(this.#version());
    if (missed instanceof Promise) {
      missed.then((others) => others && this.#stop && this.#report(null, null), () => {}); // a call of the store says what is wrong
    }
    this.#wait();
  }

  stop(): void {
    if (this.#stop === undefined) return;
    this.#stop();
    this.#stop = undefined;
    const ended = this.#db.unwatch();
    if (ended instanceof Promise) ended.catch(() => {});
  }

  #wait(): void {
    const stop = this.#stop = systemClock.setTimer(systemClock.now() + this.#intervalMs, async () => {
      let changes: Awaited<ReturnType<Database["look"]>> = [];
      try {
        changes = await this.#db.look();
      } catch {
        // the next look finds it; a call of the store says what is wrong
      }
      if (this.#stop !== stop) return; // it has ended, and may have begun again
      this.#wait(); // first: a listener can end the last subscription
      for (const [id, length] of changes) this.#report(id, length);
    });
  }
}
