/**
 * The contract of the optional `subscribe()`.
 *
 * @module
 */

import type { StoreListener, WorkflowStore } from "../../types.ts";
import { assert, assertEquals, assertRejects } from "../assert.ts";
import { batch, type CaseBody, completed, fired } from "./fixtures.ts";

/** Subscribes, and collects the reported changes. `until` waits for a number of them. */
export function listenTo(store: WorkflowStore) {
  const changes: Parameters<StoreListener>[] = [];
  let wake = () => {};
  const end = store.subscribe!((...change) => {
    changes.push(change);
    wake();
  });
  const until = async (count: number) => {
    while (changes.length < count) await new Promise<void>((resolve) => wake = resolve);
    return changes;
  };
  return { changes, end, until };
}

function subscribeCase(name: string, run: (store: WorkflowStore) => Promise<void>): CaseBody {
  return {
    name,
    async run(makeStore) {
      const store = await makeStore();
      assert(store.subscribe !== undefined, "The store has no subscribe(): pass { subscribe: false }");
      await run(store);
    },
  };
}

/** The contract of `subscribe()`, for stores that have it. */
export const subscribeCases = (): CaseBody[] => [
  subscribeCase(
    "subscribe() calls the listener after each change: with the length after an append, else with null",
    async (store) => {
      const { until } = listenTo(store);
      await store.append(batch());
      await until(1);
      await store.append(batch({ expectedLength: 1, events: [fired(2), completed] }));
      await until(2);
      await store.append(batch({ runId: "2", replaces: "1" }));
      await until(3);
      await store.save({ workflowId: "b", status: "running", history: [fired(1)] });
      await until(4);
      await store.delete("b");
      assertEquals(await until(5), [["a", 1], ["a", 3], ["a", 1], ["b", null], ["b", null]]);
    },
  ),
  subscribeCase("subscribe() calls every listener", async (store) => {
    const listeners = [listenTo(store), listenTo(store)];
    await store.append(batch());
    for (const { until } of listeners) assertEquals(await until(1), [["a", 1]]);
  }),
  subscribeCase("subscribe() calls the listener until the returned function is called", async (store) => {
    const [ended, other] = [listenTo(store), listenTo(store)];
    await store.append(batch());
    await ended.until(1);
    await other.until(1);
    ended.end();
    ended.end();
    await store.append(batch({ expectedLength: 1, events: [fired(2)] }));
    assertEquals([await other.until(2), ended.changes], [[["a", 1], ["a", 2]], [["a", 1]]]);
  }),
  subscribeCase("subscribe() does not report calls that change nothing", async (store) => {
    const { until } = listenTo(store);
    await store.load("a");
    await store.list();
    await store.delete("a");
    await assertRejects(() => store.append(batch({ expectedLength: 1, events: [completed] })), Error);
    await assertRejects(() => store.append(batch({ events: [] })), Error);
    await assertRejects(() => store.save({ workflowId: "a", status: "running", input: () => {} }), Error);
    await store.append(batch());
    await store.append(batch({ expectedLength: 1, events: [] }));
    await store.save({ workflowId: "b", status: "running" });
    assertEquals(await until(2), [["a", 1], ["b", null]]);
  }),
  subscribeCase("subscribe() lets the listener call the store, and the change is visible", async (store) => {
    const found = new Promise<unknown>((resolve) => {
      const end = store.subscribe!((workflowId) => {
        end();
        const look = async () => {
          const length = (await store.load(workflowId!))?.history.length;
          await store.append(batch({ expectedLength: 1, events: [completed] }));
          return length;
        };
        resolve(look());
      });
    });
    const [length] = await Promise.all([found, store.append(batch())]);
    assertEquals(length, 1, "the length of the history that the listener found");
    assertEquals((await store.load("a"))?.status, "completed");
  }),
];
