/**
 * The leases of a store in memory: which owners live, who owns a run, and from when on a run is due.
 *
 * 1. A run of which nothing is known belongs to nobody, and is due at once.
 * 2. What is known of a run is kept beside its entry, and is gone with it. So a store without leases keeps nothing.
 * 3. A lease whose time is over ends when another owner claims. Until then, its owner can extend it.
 * 4. An owner keeps a run when its lease ends, until another one claims the run.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { checkOwner } from "../history/history.ts";
import type { AppendBatch } from "../types.ts";
import { dueAt, leaseLost } from "./arguments.ts";
import type { Entry } from "./entry.ts";

/** What is known of a run. */
interface Hold {
  owner: string | null;
  dueAt: number;
  fence: number;
}

export class Leases {
  readonly #clock: Clock;
  /** When the leases of the living owners end. One whose time is over lives until another owner claims. */
  readonly #ends = new Map<string, number>();
  readonly #holds = new WeakMap<Entry, Hold>();

  /** @param clock Leases end by it. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws {WorkflowError} With code `lease_lost` if the batch has an owner, and the run belongs to somebody else. */
  check(entry: Entry | undefined, batch: AppendBatch): void {
    checkOwner(entry?.fields ?? null, entry && this.#holds.get(entry)?.owner, batch);
  }

  /** Events were added to a run, or began it. {@linkcode check} has accepted them, so only a new run gets an owner here. */
  appended(entry: Entry, { owner, wakeAt }: AppendBatch): void {
    const hold = this.#hold(entry);
    hold.owner ??= owner ?? null;
    hold.dueAt = dueAt(wakeAt);
  }

  /** A state was saved: it belongs to nobody, and is due at once. */
  saved(entry: Entry): void {
    Object.assign(this.#hold(entry), { owner: null, dueAt: -Infinity });
  }

  /** Ends the leases of others whose time is over. */
  endOthers(owner: string): void {
    const now = this.#clock.now();
    for (const [other, end] of this.#ends) if (end <= now && other !== owner) this.#ends.delete(other);
  }

  /**
   * Gives a run to an owner, if no living owner has it and it is due.
   *
   * @returns The fence; 0 if the owner does not get the run.
   */
  take(entry: Entry, owner: string, dueBefore: number): number {
    const hold = this.#hold(entry);
    if (hold.dueAt > dueBefore || hold.owner !== null && this.#ends.has(hold.owner)) return 0;
    hold.owner = owner;
    return ++hold.fence;
  }

  /** Begins the lease of an owner, unless it has one. */
  begin(owner: string, leaseMs: number): void {
    if (!this.#ends.has(owner)) this.#extend(owner, leaseMs);
  }

  /** @throws {WorkflowError} With code `lease_lost` if the owner has no lease. */
  renew(owner: string, leaseMs: number): void {
    if (!this.#ends.has(owner)) throw leaseLost(owner);
    this.#extend(owner, leaseMs);
  }

  /** Takes a run from its owner, if that is the given one. */
  release(entry: Entry, owner: string): void {
    const hold = this.#holds.get(entry);
    if (hold?.owner === owner) hold.owner = null;
  }

  end(owner: string): void {
    this.#ends.delete(owner);
  }

  #hold(entry: Entry): Hold {
    let hold = this.#holds.get(entry);
    if (hold === undefined) this.#holds.set(entry, hold = { owner: null, dueAt: -Infinity, fence: 0 });
    return hold;
  }

  #extend(owner: string, leaseMs: number): void {
    this.#ends.set(owner, this.#clock.now() + leaseMs);
  }
}
