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

import type { StoreListener } from "../types.ts";
import { callUser } from "../util/deferred.ts";
import { logError } from "../util/log_error.ts";

interface Subscription {
  readonly listener: StoreListener;
}

export class Listeners {
  #subscriptions: readonly Subscription[] = [];

  /** @returns Ends the subscription. */
  add(listener: StoreListener): () => void {
    const subscription = { listener };
    this.#subscriptions = [...this.#subscriptions, subscription];
    return () => void (this.#subscriptions = this.#subscriptions.filter((one) => one !== subscription));
  }

  /** @param author A listener that is not called, since it made the change. */
  call(workflowId: string, historyLength: number | null, author: StoreListener | undefined): void {
    for (const subscription of this.#subscriptions) {
      const { listener } = subscription;
      if (listener === author) continue;
      if (!this.#subscriptions.includes(subscription)) continue;
      callUser(() => listener(workflowId, historyLength), logError);
    }
  }
}
