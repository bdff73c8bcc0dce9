/**
 * Notices what other processes write to the database.
 *
 * 1. Every statement that changes something notes it in a table, in its own transaction. A look reads what was noted by transactions
 *    that have committed since the last look: those that the snapshot of the last look did not see. So a transaction that commits
 *    late is not missed, and nothing is reported twice.
 * 2. A notification says only that there is something to look for. One that is lost costs time: a look is made every `pollMs`.
 * 3. If a look finds what no notification has announced, the connection that listens is taken for broken, and a new one listens. If
 *    that does not help, the store no longer listens: a pooler does not pass on notifications, for example.
 * 4. A second after the last listener is gone, there is no timer and no connection. What was noted since the last look is reported when there is one again.
 * 5. Notes are kept for some minutes. A store that has not looked for so long reports that anything may have changed.
 *
 * @module
 */

import { systemClock } from "../../clock.ts";
import { unescapeText } from "../../storage/mod.ts";
import type { PostgresClient } from "./client.ts";
import type { Names } from "./schema.ts";

/** Reports a change: see `StoreListener`. */
type Report = (workflowId: string | null, historyLength: number | null) => void;

/** For how long notes are kept, and how old the last look may be, in milliseconds. */
const KEPT_MS = 600_000;
const OLDEST_LOOK_MS = 300_000; // half of it
/** How often a writer deletes old notes. */
const TRIM_MS = 60_000;
/** For how long the store looks and listens after the last listener is gone. */
const LINGER_MS = 1_000;
const TRIMMED_AT_ONCE = 100_000;
/** How often a new connection is tried in a row that hears nothing. */
const MOST_DEAF = 3;

export class Changes {
  readonly #client: PostgresClient;
  readonly #names: Names;
  readonly #writer: string;
  readonly #pollMs: number;
  readonly #report: Report;
  #active = false;
  #stopTimer: (() => void) | undefined;
  #cancelEnd: (() => void) | undefined;
  /** What the last look has seen, and when it was, on the clock of the database. */
  #snapshot = "";
  #lookedAt = NaN;
  #looking: Promise<void> | undefined;
  #lookAgain = false;
  /** Ends listening; a promise while it begins. */
  #listening: Promise<(() => unknown) | undefined> | undefined;
  /** A look has found what was not announced, and nothing was heard since. */
  #isDoubtful = false;
  #deaf = 0;
  #trimmedAt = systemClock.now();
  #trimming: Promise<unknown> | undefined;

  constructor(client: PostgresClient, names: Names, writer: string, pollMs: number, report: Report) {
    this.#client = client;
    this.#names = names;
    this.#writer = writer;
    this.#pollMs = pollMs;
    this.#report = report;
  }

  /** Notes what has been written until now: it is not reported. */
  async begin(): Promise<void> {
    const text = `SELECT json_build_array(pg_current_snapshot()::text, ${NOW})::text AS row`;
    const [row] = await this.#client.query(text, []);
    [this.#snapshot, this.#lookedAt] = JSON.parse(Object.values(row)[0]);
  }

  /** Begins to look, unless it has begun. */
  start(): void {
    this.#cancelEnd?.();
    this.#cancelEnd = undefined;
    if (this.#active) return;
    this.#active = true;
    this.#listen();
    void this.#look();
    this.#wait();
  }

  /** Ends after a while: an executor subscribes whenever it has a run, and a new connection each time would be slow. */
  stop(): void {
    this.#cancelEnd?.();
    this.#cancelEnd = systemClock.setTimer(systemClock.now() + LINGER_MS, () => this.#end());
  }

  /** Ends now, and waits for what is on its way. */
  async close(): Promise<void> {
    this.#end();
    await Promise.all([this.#looking, this.#trimming]);
  }

  #end(): void {
    this.#active = false;
    this.#cancelEnd?.();
    this.#cancelEnd = undefined;
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    this.#endListening();
  }

  /** Deletes old notes now and then. A writer calls it. */
  trim(): void {
    if (systemClock.now() - this.#trimmedAt < TRIM_MS) return;
    this.#trimmedAt = systemClock.now();
    const changes = this.#names.of("changes");
    const text = `DELETE FROM ${changes} WHERE at < clock_timestamp() - interval '${KEPT_MS} ms'
      AND transaction IN (SELECT transaction FROM ${changes} ORDER BY transaction LIMIT ${TRIMMED_AT_ONCE})`;
    const trim = async () => void await this.#client.query(text, []);
    this.#trimming = trim().catch(() => {}); // the next one finds what is left
  }

  #wait(): void {
    const stop = this.#stopTimer = systemClock.setTimer(systemClock.now() + this.#pollMs, async () => {
      await this.#tick();
      if (this.#stopTimer === stop) this.#wait(); // else it has ended, and may have begun again
    });
  }

  async #tick(): Promise<void> {
    if (this.#isDoubtful && this.#listening !== undefined) {
      this.#endListening();
      this.#deaf++;
    }
    this.#listen();
    this.#isDoubtful = await this.#look() && this.#listening !== undefined;
  }

  readonly #notified = (payload: string): void => {
    this.#isDoubtful = false;
    this.#deaf = 0;
    if (payload !== this.#writer && this.#active) void this.#look();
  };

  #listen(): void {
    if (this.#listening !== undefined || this.#client.listen === undefined || this.#deaf >= MOST_DEAF) return;
    const lost = () => {
      if (this.#listening !== listening) return;
      this.#listening = undefined; // the next tick listens again
    };
    const begin = async () => {
      await undefined; // a client may throw at once
      try {
        const end = await this.#client.listen!(this.#names.channel, this.#notified, lost);
        if (this.#active) void this.#look(); // what was written before it listened
        return end;
      } catch {
        lost();
      }
    };
    const listening: Promise<(() => unknown) | undefined> = begin();
    this.#listening = listening;
  }

  #endListening(): void {
    const listening = this.#listening;
    this.#listening = undefined;
    this.#isDoubtful = false;
    listening?.then((end) => end?.()).catch(() => {}); // it is broken already
  }

  /** Looks now, and once more if it is called meanwhile. Returns whether something was found. */
  async #look(): Promise<boolean> {
    this.#lookAgain = true;
    let found = false;
    const run = async () => {
      while (this.#lookAgain && this.#active) {
        this.#lookAgain = false;
        try {
          if (await this.#lookOnce()) found = true;
        } catch {
          return; // the next look finds it; a call of the store says what is wrong
        }
      }
    };
    if (this.#looking === undefined) {
      this.#looking = run();
      await this.#looking;
      this.#looking = undefined;
    } else await this.#looking;
    return found;
  }

  async #lookOnce(): Promise<boolean> {
    const { of } = this.#names;
    const [row] = await this.#client.query(
      `SELECT json_build_array(pg_current_snapshot()::text, ${NOW}, (
        SELECT json_agg(c.changed ORDER BY c.at) FROM ${of("changes")} c
        WHERE c.transaction >= pg_snapshot_xmin($1::text::pg_snapshot)
          AND NOT pg_visible_in_snapshot(c.transaction, $1::text::pg_snapshot) AND c.writer <> $2::text))::text AS row`,
      [this.#snapshot, this.#writer],
    );
    const [snapshot, now, notes] = JSON.parse(Object.values(row)[0]) as [string, number, string[] | null];
    const missed = now - this.#lookedAt > OLDEST_LOOK_MS || endOf(snapshot) < endOf(this.#snapshot);
    [this.#snapshot, this.#lookedAt] = [snapshot, now];
    if (missed) this.#report(null, null);
    for (const note of missed ? [] : notes ?? []) {
      for (const [id, length] of JSON.parse(note) as [string, number | null][]) this.#report(unescapeText(id), length);
    }
    return notes !== null;
  }
}

/** The time of the database, in milliseconds. */
const NOW = "extract(epoch FROM clock_timestamp())::float8 * 1000";

/** The first transaction that a snapshot does not know. It gets smaller only if an old state of the database was restored. */
function endOf(snapshot: string): bigint {
  return BigInt(snapshot.split(":")[1]);
}
