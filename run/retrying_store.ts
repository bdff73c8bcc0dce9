/**
 * The store as an executor uses it: a call that fails is tried again, with backoff. The clock is held while the store works,
 * but not while the executor waits for the next try.
 *
 * @module
 */

import { WorkflowError } from "../errors.ts";
import { retryDelayMs } from "../retry.ts";
import type { AppendBatch, StoreListener, WorkflowState, WorkflowStore } from "../types.ts";
import type { RetryPolicy } from "../retry.ts";
import type { Timing } from "./command.ts";

export class RetryingStore {
  readonly #port: WorkflowStore;
  readonly #policy: RetryPolicy;
  readonly #timing: Timing;
  readonly #random: () => number;
  /** Calls that wait for their next try. */
  readonly #waiting = new Set<(error: WorkflowError) => void>();
  #closed: WorkflowError | undefined;
  /** The executor's own listener: a store of this process does not call it for the appends of the executor's runs. */
  listener: StoreListener | undefined;

  constructor(port: WorkflowStore, policy: RetryPolicy, timing: Timing, random: () => number) {
    this.#port = port;
    this.#policy = policy;
    this.#timing = timing;
    this.#random = random;
  }

  load(workflowId: string): Promise<WorkflowState | null> {
    return this.#retry(() => this.#port.load(workflowId));
  }

  running(): Promise<WorkflowState[]> {
    return this.#retry(() => this.#port.list({ status: "running" }));
  }

  /** Appends once: before the next try, the caller must find out what became of the first. */
  append(batch: AppendBatch): Promise<void> {
    try {
      const appended = this.#port.append(batch);
      return this.#timing.clock.hold === undefined ? appended : this.#timing.turns.during(appended);
    } catch (error) {
      return Promise.reject(error); // a store that throws where it should reject
    }
  }

  /** Whether the store reports changes. */
  get reportsChanges(): boolean {
    return this.#port.subscribe !== undefined;
  }

  /** Calls {@linkcode listener} after each change, until the returned function is called. */
  subscribe(): (() => void) | undefined {
    return this.#port.subscribe?.(this.listener!);
  }

  /** Waits before the next try. Rejects with code `store_failed` after the last one; `capacity_exceeded` is not retried. */
  backOff(error: unknown, attempt: number): Promise<void> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    if (error instanceof WorkflowError && error.code === "capacity_exceeded") return Promise.reject(error);
    const delayMs = retryDelayMs(this.#policy, { attempt, error, random: this.#random() });
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

  async #retry<T>(call: () => Promise<T>): Promise<T> {
    for (let attempt = 1;; attempt++) {
      try {
        return await this.#timing.turns.during(call());
      } catch (error) {
        await this.backOff(error, attempt);
      }
    }
  }
}

/** Whether an append failed because another executor wrote first. */
export function isConflict(error: unknown): boolean {
  return error instanceof WorkflowError && error.code === "conflict";
}
