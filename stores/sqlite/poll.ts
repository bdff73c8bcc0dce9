/**
 * Notices what other processes write to the file.
 *
 * 1. Without a listener there is no timer.
 * 2. A look costs some microseconds while nobody else writes: SQLite says whether another connection has committed.
 * 3. What this store has written is not reported: it was reported at once.
 *
 * @module
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { systemClock } from "../../clock.ts";
import { unescapeText } from "../../storage/mod.ts";

/** Reports a change: the length of the history after an append; `null` if the workflow was saved or deleted. */
type Report = (workflowId: string, historyLength: number | null) => void;

interface Change {
  readonly workflow_id: string;
  readonly length: number | null;
  readonly version: number;
}

export class Poll {
  readonly #intervalMs: number;
  readonly #report: Report;
  readonly #dataVersion: StatementSync;
  readonly #lastVersion: StatementSync;
  readonly #changes: StatementSync;
  #stop: (() => void) | undefined;
  #data = 0;
  /** Everything up to this version was reported. */
  #seen = 0;
  /** Later versions that this store has written. */
  readonly #own = new Set<number>();

  constructor(db: DatabaseSync, intervalMs: number, report: Report) {
    this.#intervalMs = intervalMs;
    this.#report = report;
    this.#dataVersion = db.prepare("PRAGMA data_version");
    this.#lastVersion = db.prepare("SELECT value FROM rockpool_meta WHERE key = 'version'");
    this.#changes = db.prepare(
      `SELECT workflow_id, iif(saved_version > ?1, NULL, length) AS length, version FROM rockpool_workflows WHERE version > ?1
      UNION ALL
      SELECT workflow_id, NULL, version FROM rockpool_deletions WHERE version > ?1
      ORDER BY version`,
    );
  }

  /** Begins, unless it has begun. What was committed before is not reported. */
  start(): void {
    if (this.#stop !== undefined || this.#intervalMs === Infinity) return;
    this.#data = this.#readData(); // first: what is committed after it is found by the next look
    this.#seen = (this.#lastVersion.get() as { value: number }).value;
    this.#own.clear();
    this.#wait();
  }

  stop(): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  /** This store has written a transaction. */
  wrote(version: number): void {
    if (this.#stop !== undefined) this.#own.add(version);
  }

  #wait(): void {
    this.#stop = systemClock.setTimer(systemClock.now() + this.#intervalMs, this.#look);
  }

  readonly #look = (): void => {
    this.#wait(); // first: a listener can end the last subscription
    let changes: readonly Change[];
    try {
      changes = this.#read();
    } catch {
      return; // the next look finds it; a call of the store says what is wrong
    }
    for (const { workflow_id: id, length } of changes) this.#report(unescapeText(id), length);
  };

  #read(): readonly Change[] {
    const data = this.#readData();
    if (data === this.#data) {
      for (const version of this.#own) this.#seen = Math.max(this.#seen, version);
      this.#own.clear();
      return [];
    }
    const changes = this.#changes.all(this.#seen) as unknown as Change[];
    this.#data = data;
    const others = changes.filter(({ version }) => !this.#own.has(version));
    this.#seen = changes.at(-1)?.version ?? this.#seen;
    this.#own.clear();
    return others;
  }

  #readData(): number {
    return (this.#dataVersion.get() as { data_version: number }).data_version;
  }
}
