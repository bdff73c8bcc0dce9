/** `snapshot()` and `restore()` of the store. `storage/snapshot_test.ts` tests the format. */

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  Executor,
  InMemoryStore,
  type InMemoryStoreOptions,
  VirtualClock,
  type WorkflowContext,
  WorkflowError,
} from "@rockpool/workflow";
import { seeded } from "@rockpool/workflow/testing";
import { gate, settle, setUp } from "../support/executors.ts";

/** Saves workflows. The first letter of an ID determines the status: r, c, f or x (canceled). */
async function saveAll(store: InMemoryStore, ...ids: string[]): Promise<void> {
  const statuses = { r: "running", c: "completed", f: "failed", x: "canceled" } as const;
  for (const workflowId of ids) {
    await store.save({ workflowId, status: statuses[workflowId[0] as keyof typeof statuses] });
  }
}

const idsIn = async (store: InMemoryStore) => (await store.list()).map(({ workflowId }) => workflowId).join(" ");

Deno.test("InMemoryStore.restore() makes a store with the same workflows in the same order", async () => {
  const store = new InMemoryStore();
  await saveAll(store, "r2", "c1", "f3", "x0", "r1");
  await store.save({ workflowId: "c1", status: "completed", result: { big: 7n, at: new Date(3), none: undefined } });
  const restored = InMemoryStore.restore(await store.snapshot());
  assertEquals(await restored.list(), await store.list());
  assertEquals(await restored.count({ status: ["failed", "canceled"] }), 2);
});

Deno.test("InMemoryStore.restore() makes an empty store of the snapshot of an empty store", async () => {
  const restored = InMemoryStore.restore(await new InMemoryStore().snapshot());
  assertEquals([restored.size, await restored.list()], [0, []]);
  await saveAll(restored, "r");
  assertEquals(restored.size, 1);
});

Deno.test("InMemoryStore.snapshot() does not contain later writes", async () => {
  const store = new InMemoryStore();
  await saveAll(store, "r1");
  const [text] = await Promise.all([store.snapshot(), saveAll(store, "r2")]);
  assertEquals(await idsIn(InMemoryStore.restore(text)), "r1");
});

Deno.test("InMemoryStore.snapshot() waits for an update in progress", async () => {
  const store = new InMemoryStore();
  const held = gate();
  const updated = store.update("r", () => held.promise.then(() => ({ workflowId: "r", status: "running" })));
  const snapshot = store.snapshot();
  await settle();
  held.open();
  await updated;
  assertEquals(InMemoryStore.restore(await snapshot).size, 1);
});

Deno.test("InMemoryStore.snapshot() is the same text again after a restore", async () => {
  const store = new InMemoryStore();
  await saveAll(store, "c2", "r", "c1");
  await store.delete("r");
  const text = await store.snapshot();
  assertEquals(await InMemoryStore.restore(text).snapshot(), text);
});

Deno.test("InMemoryStore.restore() keeps the places, so that a cursor stays valid", async () => {
  const store = new InMemoryStore();
  await saveAll(store, "r1", "r2", "r3");
  const { cursor } = await store.page({ limit: 1 });
  await store.delete("r1");
  await store.delete("r3");
  const restored = InMemoryStore.restore(await store.snapshot());
  await saveAll(restored, "r4");
  const { states } = await restored.page({ cursor });
  assertEquals(states.map(({ workflowId }) => workflowId), ["r2", "r4"]);
});

Deno.test("InMemoryStore.restore() keeps the order in which workflows finished, and when", async () => {
  const clock = new VirtualClock();
  const store = new InMemoryStore({ clock });
  await saveAll(store, "r", "a", "b", "c").catch(() => {});
  for (const workflowId of ["b", "c", "a"]) {
    await store.save({ workflowId, status: "running" });
  }
  for (const workflowId of ["c", "a", "b"]) await store.save({ workflowId, status: "completed" });
  const text = await store.snapshot();
  const full = InMemoryStore.restore(text, { clock, maxWorkflows: 4, whenFull: "evict" });
  await saveAll(full, "r2");
  assertEquals(await idsIn(full), "r b a r2");
  clock.advance(100);
  assertEquals(await idsIn(InMemoryStore.restore(text, { clock, finishedTtlMs: 100 })), "r");
  assertEquals(InMemoryStore.restore(text, { clock, finishedTtlMs: 101 }).size, 4);
});

Deno.test("InMemoryStore.restore() evicts workflows that do not fit, or refuses the text", async () => {
  const store = new InMemoryStore();
  await saveAll(store, "r1", "c1", "c2", "r2");
  const text = await store.snapshot();
  const restore = (options: InMemoryStoreOptions) => InMemoryStore.restore(text, options);
  assertEquals(await idsIn(restore({ maxWorkflows: 3, whenFull: "evict" })), "r1 c2 r2");
  for (const options of [{ maxWorkflows: 3 }, { maxWorkflows: 1, whenFull: "evict" }] as const) {
    const error = assertThrows(() => restore(options), WorkflowError, "Cannot restore a store: the store holds");
    assertEquals((error as WorkflowError).code, "capacity_exceeded");
  }
});

Deno.test("InMemoryStore.restore() accepts the options of the constructor", async () => {
  const text = await new InMemoryStore().snapshot();
  assertThrows(() => InMemoryStore.restore(text, { maxWorkflows: 0 }), RangeError, '"maxWorkflows" must be');
});

Deno.test("InMemoryStore.restore() refuses a text that is no snapshot", () => {
  for (const [text, message] of [["", '"text" must be'], [7, '"text" must be']] as const) {
    assertThrows(() => InMemoryStore.restore(text as string), TypeError, message);
  }
  const error = assertThrows(() => InMemoryStore.restore("{}"), WorkflowError, "Cannot restore a store");
  assertEquals((error as WorkflowError).code, "invalid_snapshot");
});

Deno.test("InMemoryStore.restore() hands out states that nobody can change", async () => {
  const store = new InMemoryStore();
  await store.save({ workflowId: "a", status: "running", input: { list: [1], when: new Date(5) } });
  const restored = InMemoryStore.restore(await store.snapshot());
  const state = (await restored.load("a"))!;
  const input = state.input as { list: number[]; when: Date };
  assert([state, state.history, input, input.list].every(Object.isFrozen));
  input.when.setTime(9);
  assertEquals((await restored.load("a"))?.input, { list: [1], when: new Date(5) });
});

Deno.test("InMemoryStore.restore() makes a store that can be written to", async () => {
  const store = new InMemoryStore();
  const started = { type: "workflow_started", at: 0, workflowName: "w" } as const;
  await store.append({ workflowId: "a", runId: "1", expectedLength: 0, events: [started] });
  const restored = InMemoryStore.restore(await store.snapshot());
  const before = await restored.load("a");
  const event = { type: "timer_fired", at: 1, seq: 0 } as const;
  await restored.append({ workflowId: "a", runId: "1", expectedLength: 1, events: [event] });
  assertEquals([before?.history.length, (await restored.load("a"))?.history], [1, [started, event]]);
  assertStrictEquals((await store.load("a"))?.history.length, 1);
});

const charged: string[] = [];
const charge = (amount: number) => {
  charged.push(`${amount}`);
  return { amount, at: new Date(0) };
};
async function subscription(ctx: WorkflowContext, plan: { prices: Map<string, number> }) {
  const first = await ctx.executeActivity(charge, plan.prices.get("setup")!);
  await ctx.sleep(30 * 24 * 3600 * 1000);
  for await (const name of ctx.receiveSignal<string>("next")) {
    const second = await ctx.executeActivity(charge, plan.prices.get(name)!);
    return [first, second];
  }
}

Deno.test("Executor.recover() resumes the workflows of a snapshot in another process", async () => {
  charged.length = 0;
  const { store, executor, clock } = setUp();
  const input = { prices: new Map([["setup", 5], ["month", 9]]) };
  await executor.execute(subscription, { id: "a", input });
  await settle();
  await executor.signal("a", "next", "month");
  await executor.close();
  const text = await store.snapshot();

  const after = InMemoryStore.restore(text);
  await using next = new Executor({ store: after, clock, workflows: { subscription } });
  const [handle] = await next.recover();
  assertEquals(await handle.result(), [{ amount: 5, at: new Date(0) }, { amount: 9, at: new Date(0) }]);
  assertEquals(charged, ["5", "9"]);
});

Deno.test("InMemoryStore.restore() makes a store that behaves as the original, over random writes", async () => {
  const random = seeded(3);
  const below = (n: number) => Math.floor(random() * n);
  const clock = new VirtualClock();
  const options: InMemoryStoreOptions = { clock, maxWorkflows: 30, finishedTtlMs: 40, whenFull: "evict" };
  let store = new InMemoryStore(options);
  let twin = new InMemoryStore(options);
  for (let step = 0; step < 3000; step++) {
    const workflowId = `w${below(40)}`;
    const status = (["running", "completed", "failed", "canceled"] as const)[below(4)];
    const write = (store: InMemoryStore) =>
      step % 7 === 0 ? store.delete(workflowId) : store.save({ workflowId, status, input: { step } });
    const failures = await Promise.all([store, twin].map((one) => write(one).then(() => "", (error) => error.message)));
    assertEquals(failures[0], failures[1]);
    clock.advance(below(3));
    if (step % 50 === 0) {
      assertEquals(await twin.list(), await store.list());
      twin = InMemoryStore.restore(await twin.snapshot(), options);
      [store, twin] = [twin, store];
    }
  }
});

Deno.test("InMemoryStore.snapshot() rejects a value that cannot be written as text, and names it", async () => {
  const store = new InMemoryStore();
  await store.save({ workflowId: "a", status: "running", input: { file: new Blob(["x"]) } });
  await assertRejects(() => store.snapshot(), TypeError, `Cannot snapshot workflow "a": a Blob at input.file`);
});
