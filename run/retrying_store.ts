/**
 * The store as an executor uses it: asked again, with backoff, while it fails. The clock is held while the store works,
 * and not while the executor waits to ask again.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { WorkflowError } from "../errors.ts";
import { retryDelayMs, type RetryPolicy } from "../retry.ts";
import type { AppendBatch, WorkflowState, WorkflowStore } from "../types.ts";
import type { Timers } from "./timers.ts";
import type { Turns } from "./turns.ts";

/** What waiting for the next try needs. */
export interface RetryHost {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly turns: Turns;
  readonly random: () => number;
}

export class RetryingStore {
  /** The store itself. */
  readonly port: WorkflowStore;
  readonly #policy: RetryPolicy;
  readonly #host: RetryHost;
  /** Who waits to ask again. */
  readonly #waiting = new Set<(error: WorkflowError) => void>();
  #closed: WorkflowError | undefined;

  constructor(port: WorkflowStore, policy: RetryPolicy, host: RetryHost) {
    this.port = port;
    this.#policy = policy;
    this.#host = host;
  }

  load(workflowId: string): Promise<WorkflowState | null> {
    return this.#retry(() => this.port.load(workflowId));
  }

  running(): Promise<WorkflowState[]> {
    return this.#retry(() => this.port.list({ status: "running" }));
  }

  /** Appends once: whoever appends must find out what became of it before the next try. */
  append(batch: AppendBatch): Promise<void> {
    try {
      return this.#host.turns.during(this.port.append(batch));
    } catch (error) {
      return Promise.reject(error); // a store that throws where it should reject
    }
  }

  /** Waits before the next try; rejects with code `store_failed` after the last. A limit does not go away by waiting. */
  backOff(error: unknown, attempt: number): Promise<void> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    if (error instanceof WorkflowError && error.code === "capacity_exceeded") return Promise.reject(error);
    const delayMs = retryDelayMs(this.#policy, { attempt, error, random: this.#host.random() });
    if (delayMs === null) {
      const message =
        `The store failed ${attempt} times in a row; what it holds is kept, and recover() goes on with it`;
      return Promise.reject(new WorkflowError("store_failed", message, { cause: error }));
    }
    const { clock, timers } = this.#host;
    return new Promise((resolve, reject) => {
      const timer = timers.set(clock.now() + delayMs, () => {
        this.#waiting.delete(wake);
        resolve();
      });
      const wake = (closed: WorkflowError) => {
        timers.clear(timer);
        reject(closed);
      };
      this.#waiting.add(wake);
    });
  }

  /** Whoever waits to ask again gives up with `error`. */
  close(error: WorkflowError): void {
    this.#closed = error;
    for (const wake of this.#waiting) wake(error);
    this.#waiting.clear();
  }

  async #retry<T>(call: () => Promise<T>): Promise<T> {
    for (let attempt = 1;; attempt++) {
      try {
        return await this.#host.turns.during(call());
      } catch (error) {
        await this.backOff(error, attempt);
      }
    }
  }
}

/** Whether an append failed because somebody else wrote first. */
export function isConflict(error: unknown): boolean {
  return error instanceof WorkflowError && error.code === "conflict";
}
