/** `InMemoryStore.update()`: read, change and write in one atomic step. */

import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { InMemoryStore, WorkflowError, type WorkflowState, type WorkflowStateInit } from "@rockpool/workflow";
import { seeded } from "@rockpool/workflow/testing";
import { gate, settle } from "../support/executors.ts";

/** The stored number plus one. */
const increment = (state: WorkflowState | null): WorkflowStateInit => ({
  workflowId: "a",
  status: "running",
  input: Number(state?.input ?? 0) + 1,
});

Deno.test("InMemoryStore.update() creates a workflow when there is none, and returns its state", async () => {
  const store = new InMemoryStore();
  const state = await store.update("a", (before) => {
    assertEquals(before, null);
    return increment(before);
  });
  assertEquals([state?.input, state?.history], [1, []]);
  assertStrictEquals(await store.load("a"), state);
});

Deno.test("InMemoryStore.update() changes the stored state, and keeps createdAt and the place", async () => {
  const store = new InMemoryStore();
  await store.save({ workflowId: "a", status: "running", createdAt: 5 });
  await store.save({ workflowId: "b", status: "running" });
  await store.update("a", (state) => ({ ...state!, status: "completed", result: "done" }));
  const [a] = await store.list();
  assertEquals([a.workflowId, a.status, a.result, a.createdAt], ["a", "completed", "done", 5]);
});

for (const nothing of [null, undefined]) {
  Deno.test(`InMemoryStore.update() changes nothing and calls no listener when the change is ${nothing}`, async () => {
    const store = new InMemoryStore();
    await store.save({ workflowId: "a", status: "running" });
    const before = await store.load("a");
    store.subscribe(() => {
      throw new Error("Told");
    });
    assertStrictEquals(await store.update("a", () => nothing), before);
    assertStrictEquals(await store.update("b", () => Promise.resolve(nothing)), null);
    assertEquals(store.size, 1);
  });
}

Deno.test("InMemoryStore.update() loses no change when many run at once", async () => {
  const store = new InMemoryStore();
  const random = seeded(7);
  const slow = async (state: WorkflowState | null) => {
    for (let ticks = random() * 5; ticks > 0; ticks--) await null;
    return increment(state);
  };
  await Promise.all(Array.from({ length: 300 }, (_, i) => store.update("a", i % 2 ? slow : increment)));
  assertEquals((await store.load("a"))?.input, 300);
});

Deno.test("InMemoryStore.update() runs the change at once when the lock is free", () => {
  const store = new InMemoryStore();
  let ran = false;
  store.update("a", () => void (ran = true));
  assertEquals(ran, true);
});

Deno.test("InMemoryStore.update() makes all other calls wait until an async change has settled", async () => {
  const store = new InMemoryStore();
  await store.save({ workflowId: "a", status: "running", input: 1 });
  const held = gate();
  const updated = store.update("a", async (state) => {
    await held.promise;
    return increment(state);
  });
  let loaded: WorkflowState | null | undefined;
  store.load("a").then((state) => loaded = state);
  await settle();
  assertEquals(loaded, undefined);
  held.open();
  await updated;
  await settle();
  assertEquals(loaded?.input, 2);
});

const failing: [how: string, change: () => never | Promise<never>][] = [
  ["throws", () => {
    throw new RangeError("no");
  }],
  ["rejects", () => Promise.reject(new RangeError("no"))],
  ["rejects late", async () => {
    await settle();
    throw new RangeError("no");
  }],
];
for (const [how, change] of failing) {
  Deno.test(`InMemoryStore.update() rejects when the change ${how}, and changes nothing`, async () => {
    const store = new InMemoryStore();
    await store.save({ workflowId: "a", status: "running" });
    const before = await store.load("a");
    await assertRejects(() => store.update("a", change), RangeError, "no");
    assertStrictEquals(await store.load("a"), before);
    assertEquals((await store.update("a", increment))?.input, 1); // the lock is free
  });
}

const wrong: [what: string, change: unknown, message: string][] = [
  [
    "another ID",
    () => ({ workflowId: "b", status: "running" }),
    `Cannot update workflow "a": "workflowId" must be the ID of the workflow, got "b"`,
  ],
  ["no state", () => 7, `Cannot save workflow: "state" must be an object, got 7`],
  ["no status", () => ({ workflowId: "a" }), `Cannot save workflow "a": "status" must be one of`],
  [
    "a value that cannot be stored",
    () => Promise.resolve({ workflowId: "a", status: "running", input: { f() {} } }),
    `Cannot store input.f: a function "f" cannot be stored`,
  ],
  ["no function", "x", `Cannot update workflow "a": "change" must be a function, got "x"`],
];
for (const [what, change, message] of wrong) {
  Deno.test(`InMemoryStore.update() rejects ${what}, and changes nothing`, async () => {
    const store = new InMemoryStore();
    await store.save({ workflowId: "a", status: "running", input: 1 });
    const before = await store.load("a");
    await assertRejects(() => store.update("a", change as typeof increment), TypeError, message);
    assertStrictEquals(await store.load("a"), before);
    assertEquals(store.size, 1);
  });
}

Deno.test("InMemoryStore.update() rejects a value that is no ID", async () => {
  const store = new InMemoryStore();
  for (const id of ["", 7, undefined]) {
    await assertRejects(() => store.update(id as string, increment), TypeError, "Cannot update workflow");
  }
});

Deno.test("InMemoryStore.update() rejects a state that does not fit into the store, and changes nothing", async () => {
  const store = new InMemoryStore({ maxWorkflows: 1 });
  await store.save({ workflowId: "b", status: "running" });
  const error = await assertRejects(() => store.update("a", increment), WorkflowError);
  assertEquals([error.code, store.size], ["capacity_exceeded", 1]);
});

Deno.test("InMemoryStore.update() passes a state that the change cannot modify", async () => {
  const store = new InMemoryStore();
  await store.save({ workflowId: "a", status: "running", input: { list: [1], when: new Date(5) } });
  await store.update("a", (state) => {
    (state!.input as { when: Date }).when.setTime(9);
    return null;
  });
  await assertRejects(() =>
    store.update("a", (state) => {
      (state!.input as { list: number[] }).list.push(2);
      return state;
    }), TypeError);
  assertEquals((await store.load("a"))?.input, { list: [1], when: new Date(5) });
});

Deno.test("InMemoryStore.update() calls the listeners as save does", async () => {
  const store = new InMemoryStore();
  const changes: unknown[] = [];
  store.subscribe((...change) => changes.push(change));
  await store.update("a", increment);
  assertEquals(changes, [["a", null]]);
});
