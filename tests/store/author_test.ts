/** `InMemoryStore.append()` of a batch with an author: every listener is called but the author's own. */

import { assertEquals } from "@std/assert";
import { type AppendBatch, InMemoryStore, type StoreListener, type WorkflowEvent } from "@rockpool/workflow";
import { FrozenBatch } from "../../history/history.ts";
import { gate } from "../support/executors.ts";

const started: WorkflowEvent = Object.freeze({ type: "workflow_started", at: 0, workflowName: "w" });
const fired: WorkflowEvent = Object.freeze({ type: "timer_fired", at: 1, seq: 0 });

type Call = [listener: string, ...change: Parameters<StoreListener>];

/** A store with listeners of these names, the calls that they get, and the listeners themselves. */
function listened<Name extends string>(store: InMemoryStore, ...names: Name[]) {
  const calls: Call[] = [];
  const listeners = Object.fromEntries(names.map((name) => {
    const listener = (...change: Parameters<StoreListener>) => void calls.push([name, ...change]);
    store.subscribe(listener);
    return [name, listener];
  })) as Record<Name, StoreListener>;
  return { calls, ...listeners };
}

Deno.test("InMemoryStore.append() does not call the author of the batch, and calls the others in order", async () => {
  const store = new InMemoryStore();
  const { calls, b } = listened(store, "a", "b", "c");
  await store.append(new FrozenBatch("w", "1", 0, [started], undefined, b));
  await store.append(new FrozenBatch("w", "1", 1, [fired, fired], undefined, b));
  assertEquals(calls, [["a", "w", 1], ["c", "w", 1], ["a", "w", 3], ["c", "w", 3]]);
});

Deno.test("InMemoryStore.append() calls every listener if the batch has no author, or one that does not listen", async () => {
  const store = new InMemoryStore();
  const { calls } = listened(store, "a", "b");
  await store.append(new FrozenBatch("w", "1", 0, [started]));
  await store.append(new FrozenBatch("w", "1", 1, [fired], undefined, () => {}));
  assertEquals(calls, [["a", "w", 1], ["b", "w", 1], ["a", "w", 2], ["b", "w", 2]]);
});

Deno.test("InMemoryStore.append() leaves the author out only for that append", async () => {
  const store = new InMemoryStore();
  const { calls, a } = listened(store, "a");
  await store.append(new FrozenBatch("w", "1", 0, [started], undefined, a));
  await store.append({ workflowId: "w", runId: "1", expectedLength: 1, events: [fired] });
  await store.save({ workflowId: "w", status: "running" });
  await store.delete("w");
  assertEquals(calls, [["a", "w", 2], ["a", "w", null], ["a", "w", null]]);
});

Deno.test("InMemoryStore.append() leaves the author out also if it has to wait for the lock", async () => {
  const store = new InMemoryStore();
  const { calls, a } = listened(store, "a", "b");
  const held = gate();
  const updated = store.update("other", () => held.promise.then(() => null));
  const appended = [
    store.append(new FrozenBatch("v", "1", 0, [started], undefined, a)),
    store.append(new FrozenBatch("w", "1", 0, [started])),
  ];
  held.open();
  await Promise.all([updated, ...appended]);
  assertEquals(calls, [["b", "v", 1], ["a", "w", 1], ["b", "w", 1]]);
});

Deno.test("InMemoryStore.append() calls the author for a workflow that is evicted to make room", async () => {
  const store = new InMemoryStore({ maxWorkflows: 1, whenFull: "evict" });
  await store.save({ workflowId: "old", status: "completed" });
  const { calls, a } = listened(store, "a", "b");
  await store.append(new FrozenBatch("new", "1", 0, [started], undefined, a));
  assertEquals(calls, [["a", "old", null], ["b", "old", null], ["b", "new", 1]]);
});

Deno.test("InMemoryStore.append() leaves out every subscription of the author", async () => {
  const store = new InMemoryStore();
  const { calls, a } = listened(store, "a");
  const end = store.subscribe(a);
  await store.append(new FrozenBatch("w", "1", 0, [started], undefined, a));
  assertEquals(calls, []);
  await store.delete("w");
  end();
  await store.save({ workflowId: "w", status: "running" });
  assertEquals(calls, [["a", "w", null], ["a", "w", null], ["a", "w", null]]);
});

Deno.test("InMemoryStore.append() of the author's batch reaches watches", async () => {
  const store = new InMemoryStore();
  const { a } = listened(store, "a");
  const watch = store.watch();
  await store.append(new FrozenBatch("w", "1", 0, [started], undefined, a));
  assertEquals((await watch.next()).value?.state?.history.length, 1);
  watch.close();
});

Deno.test("FrozenBatch can be cloned and spread when it has an author, which is not copied", () => {
  const batch = new FrozenBatch("w", "1", 0, [started], undefined, () => {});
  const plain: AppendBatch = { workflowId: "w", runId: "1", expectedLength: 0, events: [started], replaces: undefined };
  assertEquals(structuredClone(batch) as unknown, plain);
  assertEquals({ ...batch }, plain);
  assertEquals(JSON.stringify(batch), JSON.stringify(plain));
});
