/**
 * The lease of an executor: that it lives, that it owns its runs, and which runs of dead owners it takes.
 *
 * 1. An owner is one start of an executor: a random ID. An executor that has lost its lease continues as another owner, so a run
 *    of the old one can never be written to by mistake.
 * 2. A lease is a promise to others: until it ends, nobody else takes the runs of the owner. What makes it safe is the store: it
 *    refuses an append of who does not own the run, in the same step.
 * 3. The lease begins before the first run becomes live, and is renewed only while there are live runs or `work()` is in progress.
 *    An idle executor holds no timer. So each run that becomes live sets it: the last look may have found none.
 * 4. A run that was suspended here still belongs to this owner. `work()` gives it back if the store had failed or the read was old,
 *    and takes it again; `recover()` gives all of them back. Until then no other process repeats what this one could not do.
 * 5. A claim without an answer may have taken runs. Before the next claim, what belongs to this owner and is not live is given back.
 * 6. No attempt of an activity begins here before it is known that the lease lives: another executor may perform it by now.
 * 7. A store that does not answer for as long as a lease lasts counts as one that has failed.
 * 8. An executor without leases does not have this object.
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
import type { Handle } from "./handle.ts";
import { type Found, isConflict, isLeaseLost, isUnavailable, type RetryingStore } from "./retrying_store.ts";
import type { Timer } from "./timers.ts";

/** What leases use of their executor. */
export interface LeaseHost {
  readonly liveRuns: LiveRuns;
  /** Makes claimed runs live. Resolves to handles for those that were not live here. */
  resume(claimed: readonly Found[]): Promise<Handle[]>;
  /** The names of the workflows that can be resumed here. */
  names(): readonly string[];
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
  /** Whoever waits until it is known that the lease lives, or is lost. */
  #known: Deferred<void> | undefined;
  /** New runs on their way into the store, by workflow ID: how many calls of {@linkcode create}. */
  readonly #creating = new Map<string, number>();
  /** Whether runs may belong to this owner of which nothing is known here. */
  #isUnsure = false;
  /** The suspended runs that belong to this owner, by workflow ID; whether `work()` tries them again. */
  readonly #left = new Map<string, boolean>();
  /** The wait of `work()` for its next look. */
  #wait: { timer: Timer; readonly end: () => void } | undefined;
  #lookedAt = -Infinity;
  /** Whether something has changed since then. */
  #isNew = false;
  #works = false;
  /** The second look of `recover()`. */
  #later: Timer | undefined;
  /** How many claims are on their way, and when the last one was answered. */
  #claims = 0;
  #claimedAt = -Infinity;
  /** The last call of {@linkcode take}. */
  #taking: Promise<unknown> = Promise.resolve();
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
    await this.#store.beginLease(owner, this.#leaseMs);
    this.#owner = owner;
    this.#extend(now);
    return owner;
  }

  /** Calls `body`, which creates a run under the owner. */
  async create<T>(workflowId: string, body: (owner: string) => Promise<T>): Promise<T> {
    const owner = await this.hold();
    const creating = this.#creating;
    creating.set(workflowId, (creating.get(workflowId) ?? 0) + 1);
    try {
      return await body(owner);
    } finally {
      const count = creating.get(workflowId)! - 1;
      if (count > 0) creating.set(workflowId, count);
      else creating.delete(workflowId);
    }
  }

  /**
   * Waits until it is known whether a lease lives. If it is lost, its runs are suspended then.
   *
   * @returns `undefined` if it lives.
   */
  known({ owner }: Lease): Promise<void> | undefined {
    if (owner !== this.#owner) return new Promise(() => {}); // the store refuses the next append: that suspends the run
    if (this.#timing.clock.now() < this.#until) return undefined;
    this.#known ??= new Deferred();
    void this.#renew();
    return this.#known.promise;
  }

  #extend(from: number): void {
    this.#until = Math.max(this.#until, from + this.#leaseMs);
    if (this.#timing.clock.now() < this.#until) this.#resolveKnown();
    this.#timing.timers.clear(this.#renewal);
    this.#renewal = undefined;
    this.#arm();
  }

  /** Sets the timer of the next renewal. */
  #arm(delayMs = 0): void {
    if (this.#renewal !== undefined || this.#closed || this.#isIdle) return;
    const { clock, timers } = this.#timing;
    const dueAt = Math.max(this.#until - this.#leaseMs * 2 / 3, clock.now() + delayMs);
    this.#renewal = timers.set(dueAt, () => {
      this.#renewal = undefined;
      if (!this.#isIdle) void this.#renew();
    });
  }

  /** Whether nothing here needs the lease now. */
  get #isIdle(): boolean {
    return this.#host.liveRuns.size === 0 && !this.#works;
  }

  /** Something that needed the lease has ended: a run that was live, or `work()`. */
  rest(): void {
    if (!this.#isIdle) return;
    this.#timing.timers.clear(this.#renewal);
    this.#renewal = undefined;
  }

  /** Renews the lease. If it is lost, the runs that were live under it are suspended. A store that fails is asked again later. */
  async #renew(): Promise<void> {
    const owner = this.#owner;
    if (owner === undefined || this.#closed) return;
    const now = this.#timing.clock.now();
    try {
      await this.#within(this.#store.renew(owner, this.#leaseMs));
      if (this.#owner !== owner) return;
      if (!this.#isBegunAgain()) return this.#extend(now);
      this.#lose(owner);
      await this.#store.release(owner).catch(() => {}); // else the lease ends by itself
    } catch (error) {
      if (this.#owner !== owner) return;
      if (isLeaseLost(error)) this.#lose(owner);
      else this.#arm(this.#leaseMs / 10);
    }
  }

  /**
   * Whether the lease may be another one than before: it was over, and a claim of this owner was on its way then, which begins a
   * lease if there is none. Somebody else may have taken the runs in between.
   */
  #isBegunAgain(): boolean {
    return this.#timing.clock.now() >= this.#until && (this.#claims > 0 || this.#claimedAt >= this.#until);
  }

  #lose(owner: string): void {
    this.#owner = undefined;
    this.#until = this.#claimedAt = -Infinity;
    this.#claims = 0;
    this.#left.clear();
    this.#isUnsure = false;
    for (const run of [...this.#host.liveRuns.values()]) {
      if (run.chain.lease?.owner === owner) this.check(run);
    }
    this.#resolveKnown();
    this.#wait?.end();
  }

  #resolveKnown(): void {
    this.#known?.resolve();
    this.#known = undefined;
  }

  /** The answer of the store, unless it takes as long as a lease. */
  async #within<T>(answer: Promise<T>): Promise<T> {
    const { clock, timers } = this.#timing;
    const late = new Deferred<never>();
    const message = `The store did not answer within ${this.#leaseMs} ms, the time of a lease`;
    const timer = timers.set(
      clock.now() + this.#leaseMs,
      () => late.reject(new WorkflowError("store_failed", message)),
    );
    try {
      return await Promise.race([answer, late.promise]);
    } finally {
      timers.clear(timer);
    }
  }

  /** Suspends a run whose lease is lost: also one that became live after that. */
  check(run: LiveRun): void {
    const { lease } = run.chain;
    if (lease === undefined || this.has(lease)) return;
    const message = "The lease of this executor has ended, and another one has claimed workflows since. " +
      'Its process stood still, or its store did not answer, for longer than "leaseMs"';
    run.suspend(new WorkflowError("lease_lost", message));
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
      else this.#left.set(run.workflowId, isUnavailable(error) || isConflict(error)); // it was read when it was another run
    }
  }

  /** A claimed run cannot be resumed here. */
  refuse(workflowId: string): void {
    this.#left.set(workflowId, false);
  }

  /** Gives back the runs that were suspended here, so that they can be claimed again: all, or those whose store had failed. */
  async retry(all: boolean): Promise<void> {
    const { liveRuns } = this.#host;
    const ids = [...this.#left.keys()].filter((id) => (all || this.#left.get(id)) && liveRuns.get(id) === undefined);
    if (ids.length === 0 || this.#owner === undefined) return;
    await this.#within(this.#store.release(this.#owner, ids));
    for (const id of ids) this.#left.delete(id);
  }

  /** Gives back what belongs to this owner without being known here. */
  async #giveBackUnknown(owner: string): Promise<void> {
    const { liveRuns } = this.#host;
    this.#isUnsure = false;
    try {
      const ids = (await this.#store.running()).map(({ head }) => head.workflowId)
        .filter((id) => liveRuns.get(id) === undefined && !this.#creating.has(id) && !this.#left.has(id));
      if (ids.length > 0) await this.#within(this.#store.release(owner, ids));
    } catch (error) {
      this.#isUnsure = true;
      throw error;
    }
  }

  /** Claims runs that no living owner has, and makes them live. One call after the other: what is claimed is live, or left. */
  take(options: Omit<ClaimOptions, "owner" | "leaseMs">): Promise<{ claimed: Found[]; handles: Handle[] }> {
    const taken = this.#taking.then(() => this.#take(options));
    this.#taking = taken.catch(() => {});
    return taken;
  }

  async #take(options: Omit<ClaimOptions, "owner" | "leaseMs">): Promise<{ claimed: Found[]; handles: Handle[] }> {
    const owner = await this.hold();
    if (this.#isUnsure) await this.#giveBackUnknown(owner);
    const claim = this.#store.claim({ ...options, owner, leaseMs: this.#leaseMs });
    const unsure = () => void (this.#isUnsure = true);
    const settled = () => {
      if (this.#owner !== owner) return;
      this.#claims--;
      this.#claimedAt = this.#timing.clock.now();
    };
    this.#claims++;
    claim.then(settled, settled);
    let claimed: Found[];
    try {
      claimed = await this.#within(claim);
    } catch (error) {
      unsure();
      claim.then(unsure, unsure); // it can take effect later
      throw error;
    }
    try {
      return { claimed, handles: await this.#host.resume(claimed) };
    } finally {
      for (const { head: { workflowId } } of claimed) {
        if (this.#host.liveRuns.get(workflowId) === undefined && !this.#left.has(workflowId)) {
          this.#left.set(workflowId, true);
        }
      }
    }
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
          if (limit > 0) isMore = (await this.take(options)).handles.length === limit;
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
      this.rest();
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

  /** Calls `look` when every lease of this length has ended or was renewed. */
  afterALease(look: () => void): void {
    const { clock, timers } = this.#timing;
    timers.clear(this.#later);
    if (!this.#closed) this.#later = timers.set(clock.now() + this.#leaseMs, look);
  }

  /** Nothing is claimed or renewed any more. */
  stop(): void {
    this.#closed = true;
    this.#timing.timers.clear(this.#later);
    this.#timing.timers.clear(this.#renewal);
    this.#wait?.end();
  }

  /** Gives everything back, so that others can take it at once. */
  async close(): Promise<void> {
    try {
      await this.#within(Promise.allSettled([this.#beginning, this.#taking]));
      if (this.#owner !== undefined) await this.#within(this.#store.release(this.#owner));
    } catch {
      // the lease ends by itself
    }
  }
}
