/**
 * The store as an executor uses it: a call that fails is tried again, with backoff. The clock is held while the store works,
 * but not while the executor waits for the next try.
 *
 * @module
 */

import { codeOf, WorkflowError } from "../errors.ts";
import { retryDelayMs } from "../retry.ts";
import { FrozenBatch, headOf } from "../history/history.ts";
import { validateState } from "../history/validate.ts";
import { checkArray, checkInteger, checkObject } from "../util/check.ts";
import { callUser } from "../util/deferred.ts";
import type { ErrorReporter } from "../hooks.ts";
import type {
  AppendBatch,
  ClaimOptions,
  Delivery,
  DeliveryReceipt,
  StoreListener,
  WorkflowHead,
  WorkflowState,
  WorkflowStore,
  WorkflowTail,
} from "../types.ts";
import type { RetryPolicy } from "../retry.ts";
import type { Timing } from "./command.ts";
import type { Lease } from "./live_run.ts";
import type { Turns } from "./turns.ts";

/** How often a read contradicts what is known until that counts. */
const MAX_OLD_READS = 5;

/** What decides on retries. */
export interface RetryHost {
  /** For the jitter. */
  readonly random: () => number;
  /** Gets the errors of `isRetryable`, and of calls that have no caller. */
  readonly report: ErrorReporter;
}

/** The delay before the next attempt; `null` if there is none. */
export function nextDelayMs(
  retry: RetryPolicy | undefined,
  attempt: number,
  error: unknown,
  { random, report }: RetryHost,
): number | null {
  if (retry === undefined) return null;
  try {
    return retryDelayMs(retry, { attempt, error, random: random() });
  } catch (thrown) {
    report(thrown); // by `isRetryable`
    return null;
  }
}

/** Counts the old reads in a row. */
export interface OldReads {
  count: number;
  /** How many of the last ones may be current: the store did not say. */
  unproven?: number;
}

/** A running workflow that the store has found. */
export interface Found {
  readonly head: WorkflowHead;
  /** The lease under which it was claimed. */
  readonly lease?: Lease;
  /** Present if the store has answered with the whole state. */
  readonly state?: WorkflowState;
}

export class RetryingStore {
  readonly #port: WorkflowStore;
  readonly #policy: RetryPolicy;
  readonly #timing: Timing;
  /** They decide when a writer begins. */
  declare readonly turns: Turns;
  readonly #host: RetryHost;
  /** Calls that wait for their next try. */
  readonly #waiting = new Set<(error: WorkflowError) => void>();
  #closed: WorkflowError | undefined;
  /** The executor's own listener: a store of this process does not call it for the appends of the executor's runs. */
  listener: StoreListener | undefined;

  constructor(port: WorkflowStore, policy: RetryPolicy, timing: Timing, host: RetryHost) {
    this.#port = port;
    this.#policy = policy;
    this.#timing = timing;
    this.turns = timing.turns;
    this.#host = host;
  }

  load(workflowId: string): Promise<WorkflowState | null> {
    return this.#retry(() => this.#port.load(workflowId));
  }

  /**
   * What is stored from an index on, if the store can read that alone.
   *
   * @returns `null` if the store answers with the whole state only, or another run is stored, or none: the caller loads it.
   */
  async loadSince(workflowId: string, length: number, runId?: string): Promise<WorkflowTail | null> {
    if (this.#port.loadSince === undefined) return null;
    const tail = await this.#retry(() => this.#port.loadSince!(workflowId, length, runId));
    if (tail === null) return null;
    checkObject("head", tail.head, "load workflow", workflowId);
    checkArray("events", tail.events, "load workflow", workflowId);
    return tail;
  }

  /** The head of a workflow; `null` if it is not stored. Reads no history if the store can do so. */
  async loadHead(workflowId: string): Promise<WorkflowHead | null> {
    const tail = await this.loadSince(workflowId, Infinity);
    if (tail !== null) return tail.head;
    const state = await this.load(workflowId);
    return state && headOf(state);
  }

  /**
   * The running workflows: their heads if the store has them, else their states. Reports and leaves out what is none: it harms no
   * other workflow.
   */
  async running(): Promise<Found[]> {
    const port = this.#port;
    if (port.heads === undefined) {
      const states = await this.#retry(() => port.list({ status: "running" }));
      return this.#valid(states, (state) => {
        checkArray("history", state.history, "recover workflow");
        return { head: headOf(state), state };
      });
    }
    const found: Found[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.#retry(() => port.heads!({ status: "running", limit: 1000, cursor }));
      found.push(...this.#valid(page.heads, (head) => ({ head })));
      cursor = page.cursor;
    } while (cursor !== undefined);
    return found;
  }

  /** Whether more workflows run than these, as far as the store can count. */
  async hasMore(count: number): Promise<boolean> {
    const port = this.#port;
    return port.count !== undefined && await this.#retry(() => port.count!({ status: "running" })) > count;
  }

  /** What can be resumed of an answer of the store. */
  #valid<T extends object>(answer: readonly T[], toFound: (one: T) => Found): Found[] {
    const action = "recover workflow";
    checkArray("answer of the store", answer, action);
    return answer.flatMap((one) => {
      try {
        checkObject("state", one, action);
        const found = toFound(one);
        validateState(found.head, [], action);
        checkInteger("historyLength", found.head.historyLength, 0, action);
        return [found];
      } catch (error) {
        this.#host.report(error);
        return [];
      }
    });
  }

  /** Whether an event can be delivered without a read. */
  get delivers(): boolean {
    return this.#port.deliver !== undefined;
  }

  /** Delivers once: before the next try, the caller must find out what became of the first. */
  async deliver(delivery: Delivery): Promise<DeliveryReceipt> {
    return await this.#once(() => this.#port.deliver!(delivery));
  }

  /** Begins the lease of an owner. That it has begun already does no harm. */
  async beginLease(owner: string, leaseMs: number): Promise<void> {
    await this.#retry(async () => await this.#port.claim!({ owner, leaseMs, limit: 0 }));
  }

  /** Claims once: nobody knows what a claim without an answer has taken. */
  async claim(options: ClaimOptions): Promise<Found[]> {
    const { owner } = options;
    const claimed = await this.#once(() => this.#port.claim!(options));
    return this.#valid(claimed, (head) => ({ head, lease: { owner, fence: head.fence } }));
  }

  async renew(owner: string, leaseMs: number): Promise<void> {
    await this.#once(() => this.#port.renew!(owner, leaseMs));
  }

  async release(owner: string, workflowIds?: readonly string[]): Promise<void> {
    await this.#once(() => this.#port.release!(owner, workflowIds));
  }

  /** Appends once: before the next try, the caller must find out what became of the first. */
  append(batch: AppendBatch): Promise<void> {
    try {
      const appended = Promise.resolve(this.#port.append(batch)); // a store may answer with anything
      return this.#timing.clock.hold === undefined ? appended : this.#timing.turns.during(appended);
    } catch (error) {
      return Promise.reject(error); // a store that throws where it should reject
    }
  }

  /** Why a state is not the stored state of a running run, for example because the read was old; `undefined` if it is. */
  whyOld(state: WorkflowState | WorkflowHead): Promise<unknown> {
    const { workflowId, runId } = state;
    const length = "history" in state ? state.history.length : state.historyLength;
    const appended = this.append(new FrozenBatch(workflowId, runId, length, []));
    return appended.then(() => undefined, (error) => error ?? new Error("The store failed"));
  }

  /**
   * Whether a read is to be repeated because it is old, or may be. Waits, with backoff, before it says so. A running run is old
   * if the store refuses its length.
   *
   * @param why Given if the answer counts after a few reads, although it was not confirmed: why it may be old.
   */
  async isOld(state: WorkflowState | WorkflowHead | null, reads: OldReads, why?: unknown): Promise<boolean> {
    const isRunning = state?.status === "running";
    const old = isRunning ? await this.whyOld(state) : why;
    const isProven = why === undefined && isConflict(old);
    reads.unproven = !old || isProven ? 0 : (reads.unproven ?? 0) + 1;
    reads.count = old ? Math.min(reads.count + 1, MAX_OLD_READS - 1) : 0;
    if (!old || reads.unproven === MAX_OLD_READS) return false;
    return await this.backOff(old, reads.count).then(() => true, () => false);
  }

  /** Whether the store reports changes. */
  get reportsChanges(): boolean {
    return this.#port.subscribe !== undefined;
  }

  /** Calls {@linkcode listener} after each change, until the returned function is called. */
  subscribe(): (() => void) | undefined {
    let end: (() => void) | undefined;
    callUser(() => end = this.#port.subscribe?.(this.listener!), this.#host.report); // it may answer with a promise
    return () => end && callUser(end, this.#host.report);
  }

  /** Waits before the next try. Rejects with code `store_failed` after the last one; `capacity_exceeded` is not retried. */
  backOff(error: unknown, attempt: number): Promise<void> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    if (isTooLarge(error)) return Promise.reject(error);
    const delayMs = nextDelayMs(this.#policy, attempt, error, this.#host);
    if (delayMs === null) {
      const message =
        `The store failed ${attempt} times in a row. What is stored is kept: call recover() when the store works`;
      return Promise.reject(new WorkflowError("store_failed", message, { cause: error }));
    }
    const { clock, timers } = this.#timing;
    return new Promise((resolve, reject) => {
      const timer = timers.set(clock.now() + delayMs, () => {
        this.#waiting.delete(giveUp);
        resolve();
      });
      const giveUp = (closed: WorkflowError) => {
        timers.clear(timer);
        reject(closed);
      };
      this.#waiting.add(giveUp);
    });
  }

  /** Calls that wait for their next try reject with `error`. */
  close(error: WorkflowError): void {
    this.#closed = error;
    for (const giveUp of this.#waiting) giveUp(error);
    this.#waiting.clear();
  }

  /** Calls once. Rejects also if the store throws where it should reject. */
  #once<T>(call: () => Promise<T>): Promise<T> {
    return this.#timing.turns.during((async () => await call())());
  }

  async #retry<T>(call: () => Promise<T>): Promise<T> {
    for (let attempt = 1;; attempt++) {
      try {
        return await this.#timing.turns.during(Promise.resolve(call()));
      } catch (error) {
        if (codeOf(error) === "invalid_history") throw error; // what is stored is damaged
        await this.backOff(error, attempt);
      }
    }
  }
}

/** Whether an append failed because another executor wrote first. */
export function isConflict(error: unknown): boolean {
  return codeOf(error) === "conflict";
}

/** Whether an append failed because the run belongs to another executor by now. */
export function isLeaseLost(error: unknown): boolean {
  return codeOf(error) === "lease_lost";
}

/** Whether a run was suspended because another executor runs the workflow, or may do so. */
export function isElsewhere(error: unknown): boolean {
  return isConflict(error) || isLeaseLost(error);
}

/** Whether the store or the executor stopped working: what failed can be done after a recovery. */
export function isUnavailable(error: unknown): boolean {
  return codeOf(error) === "closed" || codeOf(error) === "store_failed";
}

/** Whether the store refused an append for good, because of its limits. */
export function isTooLarge(error: unknown): boolean {
  return codeOf(error) === "capacity_exceeded";
}
