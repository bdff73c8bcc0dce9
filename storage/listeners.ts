/**
 * The listeners of a store, called with every change.
 *
 * 1. Listeners are called in the order of their subscriptions. The same listener can subscribe twice.
 * 2. A listener that unsubscribes, or that another listener unsubscribes, is not called any more, also for the same change.
 *    One that is added is called from the next change on.
 * 3. An error of a listener, or of its promise, goes to the console. Neither the caller of the store nor another listener
 *    receives it, and it does not end the process.
 *
 * @module
 */

import type { AppendBatch, StoreListener } from "../types.ts";
import type { FrozenBatch } from "../history/history.ts";
import { checkFunction } from "../util/check.ts";
import { callUser } from "../util/deferred.ts";
import { logError } from "../util/log_error.ts";

interface Subscription {
  readonly listener: StoreListener;
}

/**
 * The listeners of a store, for its `subscribe`. A store calls them after each change that can be seen.
 *
 * @category Storage
 *
 * @example
 * ```ts
 * import { Listeners } from "@rockpool/workflow/storage";
 * import { assertEquals } from "@std/assert";
 *
 * const listeners = new Listeners();
 * const lengths: (number | null)[] = [];
 * const end = listeners.add((_workflowId, length) => lengths.push(length));
 * listeners.call("a", 1);
 * end();
 * listeners.call("a", 2);
 * assertEquals([lengths, listeners.size], [[1], 0]);
 * ```
 */
export class Listeners {
  #subscriptions: readonly Subscription[] = [];

  /** The number of subscriptions. */
  get size(): number {
    return this.#subscriptions.length;
  }

  /**
   * Adds a listener.
   *
   * @param listener Is called with every change.
   * @returns Ends the subscription.
   * @throws {TypeError} If `listener` is no function.
   */
  add(listener: StoreListener): () => void {
    checkFunction("listener", listener, "subscribe");
    const subscription = { listener };
    this.#subscriptions = [...this.#subscriptions, subscription];
    return () => void (this.#subscriptions = this.#subscriptions.filter((one) => one !== subscription));
  }

  /**
   * Calls all listeners. It does not throw if one does.
   *
   * @param workflowId The workflow's ID; `null` if changes of any workflow may have been missed.
   * @param historyLength The length of its history after an append; `null` if it was saved or deleted, or is not known.
   * @param batch The batch of the append, as `readBatch` returned it. The listener of the executor that made it is not called.
   */
  call(workflowId: string | null, historyLength: number | null, batch?: AppendBatch): void {
    const author = (batch as FrozenBatch | undefined)?.author;
    for (const subscription of this.#subscriptions) {
      const { listener } = subscription;
      if (listener === author) continue;
      if (!this.#subscriptions.includes(subscription)) continue;
      callUser(() => listener(workflowId, historyLength), logError);
    }
  }
}

/**
 * Adds a listener to a store that looks for changes of other processes, as long as it has listeners.
 *
 * @param source Looks for changes.
 */
export function addListener(
  listeners: Listeners,
  listener: StoreListener,
  source: { start(): void; stop(): unknown },
): () => void {
  const end = listeners.add(listener);
  source.start();
  return () => {
    end();
    if (listeners.size === 0) source.stop();
  };
}
