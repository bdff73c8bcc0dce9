/**
 * The lease of an executor: that it lives, that it owns its runs, and which runs of dead owners it takes.
 *
 * 1. An owner is one start of an executor: a random ID. An executor that has lost its lease continues as another owner, so a run
 *    of the old one can never be written to by mistake.
 * 2. A lease is a promise to others: until it ends, nobody else takes the runs of the owner. What makes it safe is the store: it
 *    refuses an append of who does not own the run, in the same step.
 * 3. The lease begins before the first run becomes live, and is renewed only while there are live runs or `work()` is in progress.
 *    An idle executor holds no timer. So each run that becomes live sets it: the last look may have found none.
 * 4. A run that was suspended here still belongs to this owner. `work()` gives it back if the store had failed, and takes it again;
 *    `recover()` gives all of them back. Until then no other process repeats what this one could not do.
 * 5. An executor without leases does not have this object.
 *
 * @module
 */

import { WorkflowError } from "../errors.ts";
import type { WorkOptions } from "../options.ts";
import type { ClaimOptions } from "../types.ts";
import { onAbort } from "../util/abortable.ts";
import { Deferred } from "../util/deferred.ts";
import { randomId } from "../util/prng.ts";
import type { Timing } from "./command.ts";
import type { Lease, LiveRun } from "./live_run.ts";
import type { LiveRuns } from "./live_runs.ts";
import { type Found, isLeaseLost, isUnavailable, type RetryingStore } from "./retrying_store.ts";
import type { Timer } from "./timers.ts";

/** What leases use of their executor. */
export interface LeaseHost {
  readonly liveRuns: LiveRuns;
  /** The names of the workflows that can be resumed here. */
  names(): readonly string[];
  /** Makes claimed runs live. */
  resume(claimed: readonly Found[]): Promise<unknown>;
  report(error: unknown): void;
}

/** How many runs `work()` takes at once. */
const BATCH = 64;
/** How soon after a look the next one may follow because of a change, in milliseconds. */
const SOON_MS = 50;

export class Leases {
  readonly #store: RetryingStore;
  readonly #timing: Timing;
  readonly #leaseMs: number;
  readonly #host: LeaseHost;
  #owner: string | undefined;
  /** Until when the lease lives, by the clock of this executor: counted from before the call of the store. */
  #until = -Infinity;
  #beginning: Promise<string> | undefined;
  #renewal: Timer | undefined;
  /** The suspended runs that belong to this owner, by workflow ID; whether `work()` tries them again. */
  readonly #left = new Map<string, boolean>();
  /** The wait of `work()` for its next look. */
  #wait: { timer: Timer; readonly end: () => void } | undefined;
  #lookedAt = -Infinity;
  /** Whether something has changed since then. */
  #isNew = false;
  #works = false;
  /** The last claim, and the end of `work()`. */
  #claiming: Promise<unknown> | undefined;
  #closed = false;

  constructor(store: RetryingStore, timing: Timing, leaseMs: number, host: LeaseHost) {
    this.#store = store;
    this.#timing = timing;
    this.#leaseMs = leaseMs;
    this.#host = host;
  }

  /** The owner, if its lease lives; a promise of it if it must begin or be renewed first. */
  hold(): string | Promise<string> {
    if (this.#owner !== undefined && this.#timing.clock.now() < this.#until) {
      this.#arm();
      return this.#owner;
    }
    return this.#beginning ??= this.#begin().finally(() => this.#beginning = undefined);
  }

  /** A run became live under the lease. */
  keep(): void {
    this.#arm();
  }

  async #begin(): Promise<string> {
    if (this.#owner !== undefined) await this.#renew();
    if (this.#owner !== undefined) return this.#owner; // nobody has claimed anything meanwhile
    const owner = randomId();
    const now = this.#timing.clock.now();
    await this.#store.claim({ owner, leaseMs: this.#leaseMs, limit: 0 });
    this.#owner = owner;
    this.#extend(now);
    return owner;
  }

  #extend(from: number): void {
    this.#until = Math.max(this.#until, from + this.#leaseMs);
    this.#timing.timers.clear(this.#renewal);
    this.#renewal = undefined;
    this.#arm();
  }

  /** Sets the timer of the next renewal. */
  #arm(delayMs = 0): void {
    if (this.#renewal !== undefined || this.#closed) return;
    const { clock, timers } = this.#timing;
    const dueAt = Math.max(this.#until - this.#leaseMs * 2 / 3, clock.now() + delayMs);
    this.#renewal = timers.set(dueAt, () => {
      this.#renewal = undefined;
      if (this.#host.liveRuns.size > 0 || this.#works) void this.#renew();
    });
  }

  /** Renews the lease. If it is lost, the runs that were live under it are suspended. A store that fails is asked again later. */
  async #renew(): Promise<void> {
    const owner = this.#owner;
    if (owner === undefined || this.#closed) return;
    const now = this.#timing.clock.now();
    try {
      await this.#store.renew(owner, this.#leaseMs);
      if (this.#owner === owner) this.#extend(now);
    } catch (error) {
      if (this.#owner !== owner) return;
      if (isLeaseLost(error)) this.#lose(owner);
      else this.#arm(this.#leaseMs / 10);
    }
  }

  #lose(owner: string): void {
    this.#owner = undefined;
    this.#until = -Infinity;
    this.#left.clear();
    const message = "The lease of this executor has ended, and another one has claimed workflows since. " +
      'Its process stood still, or its store did not answer, for longer than "leaseMs"';
    for (const run of [...this.#host.liveRuns.values()]) {
      if (run.chain.lease?.owner === owner) run.suspend(new WorkflowError("lease_lost", message));
    }
    this.#wait?.end();
  }

  /** Whether a lease is that of this executor now. */
  has({ owner }: Lease): boolean {
    return owner === this.#owner;
  }

  /** A run was suspended: it is not live any more, and the stored run is still running. */
  left(run: LiveRun): void {
    const { lease } = run.chain;
    if (lease === undefined || !this.has(lease) || this.#closed) return;
    try {
      run.result();
    } catch (error) {
      if (isLeaseLost(error)) void this.#renew(); // another one has claimed it: perhaps all are lost
      else this.#left.set(run.workflowId, isUnavailable(error));
    }
  }

  /** A claimed run cannot be resumed here. */
  refuse(workflowId: string): void {
    this.#left.set(workflowId, false);
  }

  /** Gives back the runs that were suspended here, so that they can be claimed again: all, or those whose store had failed. */
  async retry(all: boolean): Promise<void> {
    const ids = [...this.#left.keys()].filter((id) => all || this.#left.get(id));
    if (ids.length === 0 || this.#owner === undefined) return;
    await this.#store.release(this.#owner, ids);
    for (const id of ids) this.#left.delete(id);
  }

  /** Claims runs that no living owner has. */
  async claim(options: Omit<ClaimOptions, "owner" | "leaseMs">): Promise<Found[]> {
    const owner = await this.hold();
    return await (this.#claiming = this.#store.claim({ ...options, owner, leaseMs: this.#leaseMs }));
  }

  /** Takes runs that are due until the executor is closed, or `signal` is aborted. */
  async work({ pollMs = 1000, maxRuns = Infinity, signal }: WorkOptions): Promise<void> {
    if (this.#works) throw new TypeError('Cannot work: "work()" is in progress already');
    const forget = signal && onAbort(signal, () => this.#wait?.end());
    const { clock } = this.#timing;
    let isFailing = false;
    this.#works = true;
    this.#host.liveRuns.listenElsewhere(() => this.changed());
    try {
      while (!this.#closed && !signal?.aborted) {
        let isMore = false;
        this.#isNew = false;
        this.#lookedAt = clock.now();
        try {
          const limit = Math.max(0, Math.min(maxRuns - this.#host.liveRuns.size, BATCH));
          const options = { limit, names: this.#host.names(), dueBefore: this.#lookedAt };
          await this.retry(false);
          const claimed = limit === 0 ? [] : await this.claim(options);
          await this.#host.resume(claimed);
          isMore = claimed.length === limit && limit > 0;
          isFailing = false;
        } catch (error) {
          if (!isFailing && !this.#closed) this.#host.report(error); // once for a store that keeps failing
          isFailing = true;
        }
        if (!isMore && !this.#closed && !signal?.aborted) await this.#untilNextLook(pollMs);
      }
    } finally {
      forget?.();
      this.#works = false;
      this.#host.liveRuns.listenElsewhere(undefined);
    }
  }

  async #untilNextLook(pollMs: number): Promise<void> {
    const { clock, timers } = this.#timing;
    const ended = new Deferred<void>();
    const end = () => ended.resolve();
    this.#wait = { timer: timers.set(this.#isNew ? this.#lookedAt + SOON_MS : clock.now() + pollMs, end), end };
    await ended.promise;
    timers.clear(this.#wait.timer);
    this.#wait = undefined;
  }

  /** A workflow has changed that is not live here: it may be due. */
  changed(): void {
    this.#isNew = true;
    const { timers } = this.#timing;
    const soonest = this.#lookedAt + SOON_MS;
    if (this.#wait === undefined || this.#wait.timer.dueAt <= soonest) return;
    timers.clear(this.#wait.timer);
    this.#wait.timer = timers.set(soonest, this.#wait.end);
  }

  /** Nothing is claimed or renewed any more. */
  stop(): void {
    this.#closed = true;
    this.#timing.timers.clear(this.#renewal);
    this.#wait?.end();
  }

  /** Gives everything back, so that others can take it at once. */
  async close(): Promise<void> {
    try {
      await Promise.allSettled([this.#beginning, this.#claiming]);
      if (this.#owner !== undefined) await this.#store.release(this.#owner);
    } catch {
      // the lease ends by itself
    }
  }
}
