/**
 * Who owns the runs of a file: leases of executors, claims of runs, and the end of the leases of dead processes.
 *
 * 1. A lease is a row of `rockpool_owners`. A run is free if its owner has none. The column says so: nobody looks at every run.
 * 2. A call that finds nothing to do reads only, and waits for no disk.
 * 3. Times are those of the system clock of the processes, which share a machine.
 *
 * @module
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { systemClock } from "../../clock.ts";
import { escapeText, type readClaim } from "../../storage/mod.ts";
import { enterWal } from "./journal.ts";
import { COLUMNS, type Row } from "./rows.ts";

/** A row that was claimed. */
export interface ClaimedRow extends Row {
  readonly fence: number;
}

type Claim = ReturnType<typeof readClaim>;

const toList = (texts: readonly string[] | undefined) =>
  texts === undefined ? null : JSON.stringify(texts.map(escapeText));

export class Leases {
  readonly #sql: Record<
    "find" | "isDue" | "isOver" | "free" | "end" | "begin" | "keep" | "take" | "renew" | "release" | "forget",
    StatementSync
  >;

  constructor(db: DatabaseSync) {
    // Without the name of an index, SQLite looks at every running run.
    const due = (most: string) =>
      `FROM rockpool_workflows INDEXED BY rockpool_workflows_free WHERE status = 'running' AND free AND wake_at <= ?1
      AND (?2 IS NULL OR workflow_name IN (SELECT value FROM json_each(?2))) ${most}`;
    const isOver = "owner <> ?1 AND ends_at <= ?2";
    this.#sql = {
      find: db.prepare("SELECT 1 FROM rockpool_owners WHERE owner = ?"),
      isOver: db.prepare(`SELECT 1 FROM rockpool_owners WHERE ${isOver}`),
      isDue: db.prepare(`SELECT 1 ${due("LIMIT 1")}`),
      free: db.prepare(
        `UPDATE rockpool_workflows INDEXED BY rockpool_workflows_owner SET free = 1 WHERE status = 'running'
        AND owner IN (SELECT owner FROM rockpool_owners WHERE ${isOver})`,
      ),
      end: db.prepare(`DELETE FROM rockpool_owners WHERE ${isOver}`),
      begin: db.prepare("INSERT OR IGNORE INTO rockpool_owners VALUES (?, ?)"),
      keep: db.prepare("UPDATE rockpool_workflows SET free = 0 WHERE status = 'running' AND owner = ?"),
      take: db.prepare(
        `UPDATE rockpool_workflows SET owner = ?4, free = 0, fence = fence + 1 WHERE place IN
        (SELECT place ${due("ORDER BY place LIMIT ?3")})
        RETURNING ${COLUMNS}, fence`,
      ),
      renew: db.prepare("UPDATE rockpool_owners SET ends_at = ? WHERE owner = ? RETURNING owner"),
      release: db.prepare(
        `UPDATE rockpool_workflows SET owner = NULL, free = 1 WHERE status = 'running' AND owner = ?1
        AND (?2 IS NULL OR workflow_id IN (SELECT value FROM json_each(?2)))`,
      ),
      forget: db.prepare("DELETE FROM rockpool_owners WHERE owner = ?"),
    };
  }

  /** Whether a claim has anything to do. */
  isNeeded({ owner, limit, names, dueBefore }: Claim): boolean {
    const { find, isOver, isDue } = this.#sql;
    if (find.get(escapeText(owner)) === undefined) return true;
    if (limit === 0) return false;
    return isOver.get(escapeText(owner), systemClock.now()) !== undefined ||
      isDue.get(dueBefore, toList(names)) !== undefined;
  }

  /** Claims runs, in a transaction of the caller. */
  claim({ owner, leaseMs, limit, names, dueBefore }: Claim): ClaimedRow[] {
    const { free, end, begin, keep, take } = this.#sql;
    const now = systemClock.now();
    const id = escapeText(owner);
    if (limit > 0) {
      free.run(id, now);
      end.run(id, now);
    }
    const begins = begin.run(id, now + leaseMs).changes > 0;
    const rows = take.all(dueBefore, toList(names), limit, id) as unknown as ClaimedRow[];
    if (begins) keep.run(id); // it may have created runs before
    return rows.sort((a, b) => a.place - b.place);
  }

  /** @returns Whether the owner has a lease. */
  renew(owner: string, leaseMs: number): boolean {
    return this.#sql.renew.get(systemClock.now() + leaseMs, escapeText(owner)) !== undefined;
  }

  /** Gives runs back; all, and the lease with them, if no IDs are given. */
  release(owner: string, workflowIds: readonly string[] | undefined): void {
    this.#sql.release.run(escapeText(owner), toList(workflowIds));
    if (workflowIds === undefined) this.#sql.forget.run(escapeText(owner));
  }
}

/**
 * Ends the leases of owners whose processes are gone, if no other connection to the file is open: the first process after a crash
 * need not wait for leases that nobody renews. If others have the file open, leases end by their time.
 *
 * In write-ahead mode, a connection holds a shared lock on the file as long as it is open, and only the system ends it with the
 * process. The journal mode can be changed by a connection that has the file alone. So who changes it was alone at that moment, and
 * every owner that was known before is gone.
 */
export function endLeasesOfTheDead(db: DatabaseSync, busyTimeoutMs: number): void {
  const owners = db.prepare("SELECT owner FROM rockpool_owners").all() as unknown as { owner: string }[];
  if (owners.length === 0) return;
  db.exec("PRAGMA busy_timeout = 0");
  let mode: string | undefined;
  try {
    mode = (db.prepare("PRAGMA journal_mode = DELETE").get() as { journal_mode: string }).journal_mode;
  } catch {
    // another connection is open
  }
  db.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
  if (mode !== "delete") return;
  if (enterWal(db) !== "wal") {
    throw new Error("it cannot use a write-ahead log: another connection has just changed the file");
  }
  db.exec("BEGIN IMMEDIATE");
  const forget = db.prepare("DELETE FROM rockpool_owners WHERE owner = ?");
  const free = db.prepare("UPDATE rockpool_workflows SET free = 1 WHERE status = 'running' AND owner = ?");
  for (const { owner } of owners) {
    free.run(owner);
    forget.run(owner);
  }
  db.exec("COMMIT");
}
