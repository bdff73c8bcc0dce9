/**
 * The leases of a store: who lives, and which runs are free. `append` compares the owner of a run itself.
 *
 * 1. A lease whose time is over ends when another owner claims. Until then, its owner can extend it.
 * 2. No write here gets a version: listeners do not hear of it.
 * 3. A claim that finds nothing to do writes nothing, and does not wait for the disk.
 *
 * @module
 */

import { systemClock } from "../../clock.ts";
import { escapeText, leaseLost, type readClaim } from "../../storage/mod.ts";
import type { Commits } from "./commits.ts";
import type { prepare, Row } from "./rows.ts";

type Claim = ReturnType<typeof readClaim>;

export class Leases {
  readonly #sql: ReturnType<typeof prepare>;
  readonly #commits: Commits;

  constructor(sql: ReturnType<typeof prepare>, commits: Commits) {
    this.#sql = sql;
    this.#commits = commits;
  }

  /** Whether a claim has a lease to begin or to end, or a run to take. */
  hasWork(claim: Claim): boolean {
    const owner = escapeText(claim.owner);
    if (this.#sql.lease.get(owner) === undefined) return true;
    if (claim.limit === 0) return false;
    return this.#sql.overdue.get(systemClock.now(), owner) !== undefined || this.#free(claim, 1).length > 0;
  }

  /** Claims, and returns the rows as they were before. */
  claim(claim: Claim): Promise<Row[]> {
    const owner = escapeText(claim.owner);
    return this.#commits.add(() => {
      const now = systemClock.now();
      if (claim.limit > 0) this.#sql.endOthers.run(now, owner);
      const rows = claim.limit > 0 ? this.#free(claim, claim.limit) : [];
      for (const { place } of rows) this.#sql.take.run(owner, place);
      this.#sql.beginLease.run(owner, now + claim.leaseMs);
      return rows;
    });
  }

  /** Extends a lease. Rejects with `lease_lost` if there is none. */
  renew(owner: string, leaseMs: number): Promise<void> {
    return this.#commits.add(() => {
      const renewed = this.#sql.renewLease.get(systemClock.now() + leaseMs, escapeText(owner));
      if (renewed === undefined) throw leaseLost(owner);
    });
  }

  /** Gives runs back; all of them if there are no IDs, and the lease ends. */
  release(owner: string, ids: readonly string[] | undefined): Promise<void> {
    const who = escapeText(owner);
    return this.#commits.add(() => {
      for (const id of ids ?? []) this.#sql.give.run(escapeText(id), who);
      if (ids !== undefined) return;
      this.#sql.giveAll.run(who);
      this.#sql.endLease.run(who);
    });
  }

  #free({ dueBefore, names }: Claim, limit: number): Row[] {
    const texts = names === undefined ? null : JSON.stringify(names.map(escapeText));
    return this.#sql.free.all(dueBefore, texts, Math.min(limit, Number.MAX_SAFE_INTEGER)) as unknown as Row[];
  }
}
