/**
 * `save`, `load`, `list` and `delete` of the in-memory store: error messages, times, the lock. The cases that every store must
 * pass are in `testing/store/`.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { InMemoryStore, VirtualClock, type WorkflowFilter, type WorkflowStateInit } from "@rockpool/workflow";
import { gate, settle } from "./tests/support/executors.ts";

const known = "running, completed, failed, canceled";

async function idsOf(store: InMemoryStore, filter?: WorkflowFilter): Promise<string[]> {
  return (await store.list(filter)).map(({ workflowId }) => workflowId);
}

/** Replaces the finished run of a workflow by a new one. */
async function replace(store: InMemoryStore, workflowId: string, replaces: string, runId: string): Promise<void> {
  const events = [{ type: "workflow_started", at: 50, workflowName: "again" }] as const;
  await store.append({ workflowId, runId, expectedLength: 0, events, replaces });
}

const refused: [what: string, state: unknown, message: string][] = [
  ["no state", undefined, `Cannot save workflow: "state" must be an object, got undefined`],
  ["null", null, `Cannot save workflow: "state" must be an object, got null`],
  ["a string", "a", `Cannot save workflow: "state" must be an object, got "a"`],
  ["an empty ID", { workflowId: "" }, `Cannot save workflow: "workflowId" must be a non-empty string, got ""`],
  ["no ID", {}, `Cannot save workflow: "workflowId" must be a non-empty string, got undefined`],
  ["a number as ID", { workflowId: 7 }, `Cannot save workflow: "workflowId" must be a non-empty string, got 7`],
  [
    "an object that converts to an ID",
    { workflowId: new String("a") },
    `Cannot save workflow: "workflowId" must be a non-empty string, got a String`,
  ],
  ["no status", { status: undefined }, `Cannot save workflow "a": "status" must be one of ${known}, got undefined`],
  ["an unknown status", { status: "done" }, `Cannot save workflow "a": "status" must be one of ${known}, got "done"`],
  [
    "a status that is a property of every object",
    { status: "constructor" },
    `Cannot save workflow "a": "status" must be one of ${known}, got "constructor"`,
  ],
  [
    "an array that converts to a status",
    { status: ["running"] },
    `Cannot save workflow "a": "status" must be one of ${known}, got an Array`,
  ],
  ["a number as run ID", { runId: 1 }, `Cannot save workflow "a": "runId" must be a string, got 1`],
  ["null as name", { workflowName: null }, `Cannot save workflow "a": "workflowName" must be a string, got null`],
  ["an object as history", { history: {} }, `Cannot save workflow "a": "history" must be an array, got an Object`],
  ["NaN as createdAt", { createdAt: NaN }, `Cannot save workflow "a": "createdAt" must be a finite number, got NaN`],
  ["null as createdAt", { createdAt: null }, `Cannot save workflow "a": "createdAt" must be a finite number, got null`],
  [
    "Infinity as updatedAt",
    { updatedAt: Infinity },
    `Cannot save workflow "a": "updatedAt" must be a finite number, got Infinity`,
  ],
  ["no event", { history: [undefined] }, `Cannot store history[0]: "event" must be an object, got undefined`],
  ["a hole", { history: new Array(1) }, `Cannot store history[0]: "event" must be an object, got undefined`],
  ["a string as event", { history: ["x"] }, `Cannot store history[0]: "event" must be an object, got "x"`],
  [
    "an unknown event",
    { history: [{ type: "x", at: 1 }] },
    `Cannot store history[0]: "type" must be the type of an event, got "x"`,
  ],
  [
    "an array that converts to an event type",
    { history: [{ type: ["timer_fired"], at: 1, seq: 0 }] },
    `Cannot store history[0]: "type" must be the type of an event, got an Array`,
  ],
  [
    "an event without a time",
    { history: [{ type: "timer_fired", seq: 0 }] },
    `Cannot store history[0]: "at" must be a finite number, got undefined`,
  ],
];

for (const [what, state, message] of refused) {
  Deno.test(`InMemoryStore.save() rejects ${what}`, async () => {
    const store = new InMemoryStore();
    const whole = typeof state === "object" && state !== null && !("workflowId" in state) && what !== "no ID"
      ? { workflowId: "a", status: "running", ...state }
      : state;
    const error = await assertRejects(() => store.save(whole as WorkflowStateInit), TypeError);
    assertEquals(error.message, message);
    assertEquals(store.size, 0);
  });
}

Deno.test("InMemoryStore.save() takes missing times from its clock", async () => {
  const store = new InMemoryStore({ clock: new VirtualClock({ startAt: 5 }) });
  await store.save({ workflowId: "a", status: "failed" });
  const state = await store.load("a");
  assertEquals([state?.createdAt, state?.updatedAt], [5, 5]);
});

Deno.test("InMemoryStore.save() keeps createdAt in an overwrite, and sets updatedAt", async () => {
  const clock = new VirtualClock();
  const store = new InMemoryStore({ clock });
  await store.save({ workflowId: "a", status: "running", createdAt: -7 });
  clock.advance(10);
  await store.save({ workflowId: "a", status: "completed" });
  const state = await store.load("a");
  assertEquals([state?.createdAt, state?.updatedAt], [-7, 10]);
});

Deno.test("InMemoryStore.save() does not keep createdAt of a deleted workflow", async () => {
  const clock = new VirtualClock();
  const store = new InMemoryStore({ clock });
  await store.save({ workflowId: "a", status: "running" });
  await store.delete("a");
  clock.advance(3);
  await store.save({ workflowId: "a", status: "running" });
  assertEquals((await store.load("a"))?.createdAt, 3);
});

Deno.test("InMemoryStore.save() takes the time of the system when there is no clock", async () => {
  using time = new FakeTime(1_000);
  const store = new InMemoryStore();
  time.tick(234);
  await store.save({ workflowId: "a", status: "running" });
  assertEquals((await store.load("a"))?.createdAt, 1_234);
});

for (const method of ["load", "delete"] as const) {
  Deno.test(`InMemoryStore.${method}() rejects a value that is no ID`, async () => {
    const store = new InMemoryStore();
    for (const [id, shown] of [["", '""'], [undefined, "undefined"], [null, "null"], [1, "1"], [{}, "an Object"]]) {
      const error = await assertRejects(() => store[method](id as string) as Promise<unknown>, TypeError);
      assertEquals(error.message, `Cannot ${method} workflow: "workflowId" must be a non-empty string, got ${shown}`);
    }
  });
}

for (const limit of [-1, 0.5, NaN, -Infinity, "2", null, 1n]) {
  Deno.test(`InMemoryStore.list() rejects the limit ${typeof limit} ${limit}`, async () => {
    const error = await assertRejects(() => new InMemoryStore().list({ limit: limit as number }), RangeError);
    const shown = typeof limit === "string" ? `"${limit}"` : typeof limit === "bigint" ? `${limit}n` : limit;
    assertEquals(error.message, `Cannot list workflows: "limit" must be an integer from 0, got ${shown}`);
  });
}

Deno.test("InMemoryStore.list() rejects an unknown status, also among known ones, and when nothing is stored", async () => {
  const store = new InMemoryStore();
  for (const status of ["done", ["running", "done"], [["running"]], null, "", "toString"]) {
    const error = await assertRejects(() => store.list({ status } as WorkflowFilter), TypeError);
    assert(error.message.startsWith(`Cannot list workflows: "status" must be one of ${known}, got `), error.message);
  }
});

Deno.test("InMemoryStore.list() rejects a filter that is no object", async () => {
  for (const [filter, shown] of [[null, "null"], ["running", '"running"'], [3, "3"]]) {
    const error = await assertRejects(() => new InMemoryStore().list(filter as WorkflowFilter), TypeError);
    assertEquals(error.message, `Cannot list workflows: "filter" must be an object, got ${shown}`);
  }
});

Deno.test("InMemoryStore.list() reads its filter at the call", async () => {
  const store = new InMemoryStore();
  await store.save({ workflowId: "a", status: "running" });
  const filter = { status: ["running" as const], limit: 1 };
  let listed: Promise<string[]> | undefined;
  store.subscribe(() => listed = idsOf(store, filter)); // called under the lock, so the list waits
  const saved = store.save({ workflowId: "b", status: "running" });
  filter.status.pop();
  filter.limit = 0;
  await saved;
  assertEquals(await listed, ["a"]);
});

Deno.test("InMemoryStore carries out calls in their order, awaited or not", async () => {
  const store = new InMemoryStore();
  const all = await Promise.all([
    store.load("a"),
    store.save({ workflowId: "a", status: "running", input: 1 }),
    store.load("a"),
    store.save({ workflowId: "a", status: "running", input: 2 }),
    store.list(),
    store.delete("a"),
    store.load("a"),
  ]);
  const [before, , first, , listed, , after] = all;
  assertEquals([before, first?.input, listed.map(({ input }) => input), after], [null, 1, [2], null]);
});

Deno.test("InMemoryStore needs no options", () => {
  assertEquals([new InMemoryStore().size, new InMemoryStore({}).size], [0, 0]);
  assertThrows(() => new InMemoryStore(null!), TypeError);
});

Deno.test("InMemoryStore makes all calls wait while its lock is held, and then carries them out in order", async () => {
  const store = new InMemoryStore();
  await store.save({ workflowId: "a", status: "completed", runId: "1" });
  const held = gate();
  const writes: unknown[] = [];
  store.subscribe((...change) => writes.push(change));
  let settled = 0;
  const calls = [
    store.update("a", (state) => held.promise.then(() => ({ ...state!, input: 1 }))),
    store.load("a").then((state) => state?.input),
    store.list().then(([state]) => state.input),
    store.page().then(({ states: [state] }) => state.input),
    store.walk().next().then(({ value }) => value?.input),
    store.count(),
    store.save({ workflowId: "b", status: "running" }),
    replace(store, "a", "1", "2"),
    store.delete("a"),
    store.load("a"),
  ];
  for (const call of calls) call.then(() => settled++);
  await settle();
  assertEquals([settled, writes], [0, []]);
  held.open();
  assertEquals((await Promise.all(calls)).slice(1), [1, 1, 1, 1, 1, undefined, undefined, undefined, null]);
  assertEquals(writes, [["a", null], ["b", null], ["a", 1], ["a", null]]);
});
