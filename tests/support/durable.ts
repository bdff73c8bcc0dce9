/**
 * What the tests of several durable stores share.
 *
 * @module
 */

import type { ActivityContext, StoreListener, WorkflowStore } from "@rockpool/workflow";

/** Collects changes until there are enough. */
export function listen(store: WorkflowStore, count: number): Promise<Parameters<StoreListener>[]> {
  const changes: Parameters<StoreListener>[] = [];
  return new Promise((resolve) => {
    const end = store.subscribe!((...change) => {
      if (changes.push(change) < count) return;
      end();
      resolve(changes);
    });
  });
}

/** What an executor passes to an activity. */
export function contextOf(changes: Partial<ActivityContext> = {}): ActivityContext {
  return {
    signal: new AbortController().signal,
    attempt: 1,
    workflowId: "a",
    runId: "1",
    headers: {},
    idempotencyKey: "1:0",
    fence: 0,
    heartbeatDetails: undefined,
    heartbeat() {},
    ...changes,
  };
}
