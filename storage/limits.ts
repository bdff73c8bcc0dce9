/**
 * The limits of a store: how many workflows, how long a history, and for how long finished workflows are kept.
 *
 * Decides which workflow must be removed. The store removes it and calls the listeners.
 *
 * 1. A running workflow is never removed.
 * 2. There is no timer: an expired workflow is removed by the next call of the store.
 *
 * @module
 */

import { type Clock, systemClock } from "../clock.ts";
import { type WorkflowError, workflowError } from "../errors.ts";
import { checkInteger, checkNumber, checkOptions, invalid } from "../util/check.ts";
import type { Entries } from "./entries.ts";
import type { Entry } from "./entry.ts";

/**
 * Options of an `InMemoryStore`.
 *
 * @category Store
 */
export interface InMemoryStoreOptions {
  /**
   * Returns the times that a saved state leaves out, and the time by which finished workflows expire.
   *
   * @default {systemClock}
   */
  readonly clock?: Clock | undefined;
  /**
   * The maximum number of workflows: an integer from 1.
   *
   * @default {no limit}
   */
  readonly maxWorkflows?: number | undefined;
  /**
   * The maximum number of events in a history: an integer from 1. Events that end a run, or request its cancellation, are
   * always accepted, so that a run that has reached the limit can be cancelled.
   *
   * @default {no limit}
   */
  readonly maxEventsPerWorkflow?: number | undefined;
  /**
   * For how long a finished workflow is kept after the store saw it finish, in milliseconds, above 0.
   *
   * @default {no limit}
   */
  readonly finishedTtlMs?: number | undefined;
  /**
   * What happens when a workflow is created and there are already `maxWorkflows`: `"reject"` refuses it; `"evict"`
   * removes the workflow that finished first, and refuses only if all workflows are running.
   *
   * @default {"reject"}
   */
  readonly whenFull?: "reject" | "evict" | undefined;
  /**
   * For how long executors on this store own their runs without renewing their lease, in milliseconds, above 0. Needed only if
   * several executors run the same workflows; see {@linkcode InMemoryStore.claim}.
   *
   * @default {executors use no leases}
   */
  readonly leaseMs?: number | undefined;
}

const OPTIONS: Readonly<Record<keyof InMemoryStoreOptions, true>> = {
  clock: true,
  maxWorkflows: true,
  maxEventsPerWorkflow: true,
  finishedTtlMs: true,
  whenFull: true,
  leaseMs: true,
};

export class Limits {
  declare readonly clock: Clock;
  declare readonly maxEventsPerWorkflow: number;
  declare readonly leaseMs: number | undefined;
  readonly #maxWorkflows: number;
  readonly #finishedTtlMs: number;
  readonly #evicts: boolean;

  /** @throws {TypeError | RangeError} If an option is bad. */
  constructor(options: InMemoryStoreOptions) {
    const action = "create a store";
    checkOptions(options, OPTIONS, action);
    const { clock = systemClock, maxWorkflows, maxEventsPerWorkflow, finishedTtlMs, whenFull = "reject", leaseMs } =
      options;
    if (maxWorkflows !== undefined) checkInteger("maxWorkflows", maxWorkflows, 1, action);
    if (maxEventsPerWorkflow !== undefined) checkInteger("maxEventsPerWorkflow", maxEventsPerWorkflow, 1, action);
    if (finishedTtlMs !== undefined) checkNumber("finishedTtlMs", finishedTtlMs, Number.MIN_VALUE, action);
    if (leaseMs !== undefined) checkNumber("leaseMs", leaseMs, Number.MIN_VALUE, action);
    if (whenFull !== "reject" && whenFull !== "evict") {
      throw invalid("whenFull", whenFull, `"reject" or "evict"`, action);
    }
    this.clock = clock;
    this.leaseMs = leaseMs;
    this.#maxWorkflows = maxWorkflows ?? Infinity;
    this.maxEventsPerWorkflow = maxEventsPerWorkflow ?? Infinity;
    this.#finishedTtlMs = finishedTtlMs ?? Infinity;
    this.#evicts = whenFull === "evict";
  }

  /**
   * The workflow that must be removed before `more` workflows can be added; `undefined` if there is room.
   *
   * @throws {WorkflowError} With code `capacity_exceeded` if none may be removed.
   */
  surplus(entries: Entries, more: number, action: string, workflowId?: string): Entry | undefined {
    if (entries.size + more <= this.#maxWorkflows) return undefined;
    const oldest = entries.firstFinished;
    if (this.#evicts && oldest !== null) return oldest;
    const way = this.#evicts
      ? ", and all are running; let one finish, delete some, or raise it"
      : '; delete some, raise it, or set "whenFull" to "evict"';
    const why = `the store holds "maxWorkflows" workflows, ${this.#maxWorkflows}${way}`;
    throw workflowError("capacity_exceeded", action, workflowId, why);
  }

  /** A finished workflow that has expired; `undefined` if there is none. */
  expired(entries: Entries): Entry | undefined {
    const oldest = entries.firstFinished;
    if (this.#finishedTtlMs === Infinity || oldest === null) return undefined;
    return oldest.finishedAt <= this.clock.now() - this.#finishedTtlMs ? oldest : undefined;
  }

  /** The error for a history that is longer than `maxEventsPerWorkflow`. */
  tooLong(length: number, action: string, workflowId: string): WorkflowError {
    const why = `its history would have ${length} events, "maxEventsPerWorkflow" is ${this.maxEventsPerWorkflow}`;
    return workflowError("capacity_exceeded", action, workflowId, why);
  }
}
