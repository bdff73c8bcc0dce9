/**
 * Finds what other connections have written to the file.
 *
 * 1. A look costs some microseconds while nobody else writes: SQLite says whether another connection has committed.
 * 2. What this connection has written is not found: the store has reported it at once.
 *
 * @module
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { unescapeText } from "../../storage/mod.ts";

/** The length of the history after an append; `null` if the workflow was saved or deleted. */
export type Change = readonly [workflowId: string, historyLength: number | null];

interface ChangedRow {
  readonly workflow_id: string;
  readonly length: number | null;
  readonly version: number;
}

export class Changes {
  readonly #dataVersion: StatementSync;
  readonly #lastVersion: StatementSync;
  readonly #changes: StatementSync;
  #isWatching = false;
  #data = 0;
  /** Everything up to this version was found. */
  #seen = 0;
  /** Versions that this connection has written: the later ones while it watches, those of the last commit otherwise. */
  readonly #own = new Set<number>();

  constructor(db: DatabaseSync) {
    this.#dataVersion = db.prepare("PRAGMA data_version");
    this.#lastVersion = db.prepare("SELECT value FROM rockpool_meta WHERE key = 'version'");
    this.#changes = db.prepare(
      `SELECT workflow_id, iif(saved_version > ?1, NULL, length) AS length, version FROM rockpool_workflows WHERE version > ?1
      UNION ALL
      SELECT workflow_id, NULL, version FROM rockpool_deletions WHERE version > ?1
      ORDER BY version`,
    );
  }

  /** The version of the last transaction. */
  version(): number {
    return (this.#lastVersion.get() as { value: number }).value;
  }

  /**
   * Begins to watch. What was committed before is not found.
   *
   * @param since The last version that the store knows.
   * @returns Whether others have written between that version and now.
   */
  watch(since: number): boolean {
    this.#data = this.#readData(); // first: what is committed after it is found by the next look
    this.#seen = this.version();
    const own = [...this.#own].filter((version) => version > since).length;
    this.#own.clear();
    this.#isWatching = true;
    return this.#seen - since > own;
  }

  unwatch(): void {
    this.#isWatching = false;
  }

  /** A commit begins: one or several transactions. */
  begins(): void {
    if (!this.#isWatching) this.#own.clear();
  }

  /** This connection has written a transaction. */
  wrote(version: number): void {
    this.#own.add(version);
  }

  /** What was written since the last look. */
  look(): Change[] {
    const data = this.#readData();
    if (data === this.#data) {
      for (const version of this.#own) this.#seen = Math.max(this.#seen, version);
      this.#own.clear();
      return [];
    }
    const changes = this.#changes.all(this.#seen) as unknown as ChangedRow[];
    this.#data = data;
    const others = changes.filter(({ version }) => !this.#own.has(version));
    this.#seen = changes.at(-1)?.version ?? this.#seen;
    this.#own.clear();
    return others.map(({ workflow_id: id, length }) => [unescapeText(id), length]);
  }

  #readData(): number {
    return (this.#dataVersion.get() as { data_version: number }).data_version;
  }
}
