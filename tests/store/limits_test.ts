/** The limits of the store. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  Executor,
  InMemoryStore,
  type InMemoryStoreOptions,
  VirtualClock,
  type WorkflowContext,
  WorkflowError,
  type WorkflowEvent,
  type WorkflowStatus,
} from "@rockpool/workflow";
import { setUp, typesOf } from "../support/executors.ts";
import { SettableClock } from "../support/settable_clock.ts";

const save = (store: InMemoryStore, status: WorkflowStatus, ...ids: string[]) =>
  Promise.all(ids.map((workflowId) => store.save({ workflowId, status })));

const idsIn = async (store: InMemoryStore) => (await store.list()).map(({ workflowId }) => workflowId).join(" ");

const started: WorkflowEvent = { type: "workflow_started", at: 0, workflowName: "w" };
const fired = (seq: number): WorkflowEvent => ({ type: "timer_fired", at: seq, seq });

/** Starts a run whose history has `length` events. */
async function begin(store: InMemoryStore, workflowId: string, length: number): Promise<void> {
  const events = [started, ...Array.from({ length: length - 1 }, (_, seq) => fired(seq))];
  await store.append({ workflowId, runId: "1", expectedLength: 0, events });
}

async function assertFull(call: Promise<unknown>, message: string): Promise<void> {
  const error = await assertRejects(() => call, WorkflowError);
  assertEquals([error.code, error.message], ["capacity_exceeded", message]);
}

const malformed: [options: Record<string, unknown>, message: string][] = [
  [{ maxWorkflows: 0 }, `"maxWorkflows" must be an integer from 1, got 0`],
  [{ maxWorkflows: 1.5 }, `"maxWorkflows" must be an integer from 1, got 1.5`],
  [{ maxWorkflows: "9" }, `"maxWorkflows" must be an integer from 1, got "9"`],
  [{ maxEventsPerWorkflow: 0 }, `"maxEventsPerWorkflow" must be an integer from 1, got 0`],
  [{ maxEventsPerWorkflow: NaN }, `"maxEventsPerWorkflow" must be an integer from 1, got NaN`],
  [{ finishedTtlMs: 0 }, `"finishedTtlMs" must be a finite number above 0, got 0`],
  [{ finishedTtlMs: Infinity }, `"finishedTtlMs" must be a finite number above 0, got Infinity`],
  [{ whenFull: "drop" }, `"whenFull" must be "reject" or "evict", got "drop"`],
  [{ leaseMs: 0 }, '"leaseMs" must be a finite number above 0, got 0'],
  [{ whenful: "evict" }, `"options" has no option "whenful"; did you mean "whenFull"?`],
  [
    { maxHistoryEvents: 5 },
    '"options" has no option "maxHistoryEvents"; the options are "clock", "maxWorkflows", "maxEventsPerWorkflow", ' +
    '"finishedTtlMs", "whenFull", "leaseMs"',
  ],
];
for (const [options, message] of malformed) {
  Deno.test(`InMemoryStore() throws when ${message}`, () => {
    const error = assertThrows(() => new InMemoryStore(options as InMemoryStoreOptions));
    assertEquals(error instanceof (/whenFull|options/.test(message) ? TypeError : RangeError), true);
    assertEquals((error as Error).message, `Cannot create a store: ${message}`);
  });
}

Deno.test("InMemoryStore.save() refuses a new workflow when the store is full, and changes nothing", async () => {
  const store = new InMemoryStore({ maxWorkflows: 2 });
  await save(store, "completed", "a", "b");
  const changes: unknown[] = [];
  store.subscribe((...change) => changes.push(change));
  await assertFull(
    store.save({ workflowId: "c", status: "running" }),
    `Cannot save workflow "c": the store holds "maxWorkflows" workflows, 2; delete some, raise it, or set "whenFull" to "evict"`,
  );
  assertEquals([await idsIn(store), store.size, changes], ["a b", 2, []]);
});

Deno.test("InMemoryStore.save() overwrites in a full store", async () => {
  const store = new InMemoryStore({ maxWorkflows: 2 });
  await save(store, "completed", "a", "b", "a", "b");
  assertEquals(await idsIn(store), "a b");
});

Deno.test("InMemoryStore.save() has room again when a workflow was deleted", async () => {
  const store = new InMemoryStore({ maxWorkflows: 1 });
  await save(store, "running", "a");
  await store.delete("a");
  await save(store, "running", "b");
  assertEquals(await idsIn(store), "b");
});

Deno.test("InMemoryStore.append() refuses a new run when the store is full, but replaces a run", async () => {
  const store = new InMemoryStore({ maxWorkflows: 1 });
  await store.save({ workflowId: "a", runId: "1", status: "failed" });
  await assertFull(
    begin(store, "b", 1),
    `Cannot append to workflow "b": the store holds "maxWorkflows" workflows, 1; delete some, raise it, or set "whenFull" to "evict"`,
  );
  await store.append({ workflowId: "a", runId: "2", expectedLength: 0, events: [started], replaces: "1" });
  assertEquals([await idsIn(store), (await store.load("a"))?.runId], ["a", "2"]);
});

Deno.test("InMemoryStore evicts the workflow that finished first, not the one that was created or saved first", async () => {
  const store = new InMemoryStore({ maxWorkflows: 4, whenFull: "evict" });
  await save(store, "running", "a", "b", "c", "d");
  for (const id of ["c", "a", "b"]) await save(store, "completed", id);
  await save(store, "failed", "c"); // it has already finished
  await save(store, "running", "e");
  assertEquals(await idsIn(store), "a b d e");
  await save(store, "running", "f");
  assertEquals(await idsIn(store), "b d e f");
});

Deno.test("InMemoryStore takes the last finish of a workflow that ran in between", async () => {
  const store = new InMemoryStore({ maxWorkflows: 2, whenFull: "evict" });
  await save(store, "completed", "a", "b");
  await save(store, "running", "a");
  await save(store, "canceled", "a");
  await save(store, "running", "c");
  assertEquals(await idsIn(store), "a c");
});

Deno.test("InMemoryStore never evicts a running workflow: it refuses the new one when all are running", async () => {
  const store = new InMemoryStore({ maxWorkflows: 2, whenFull: "evict" });
  await save(store, "running", "a", "b");
  await assertFull(
    begin(store, "c", 1),
    `Cannot append to workflow "c": the store holds "maxWorkflows" workflows, 2, and all are running; let one finish, delete some, or raise it`,
  );
  assertEquals(await idsIn(store), "a b");
});

Deno.test("InMemoryStore calls listeners for the evicted workflow before the new one", async () => {
  const store = new InMemoryStore({ maxWorkflows: 1, whenFull: "evict" });
  await save(store, "completed", "a");
  const changes: unknown[] = [];
  store.subscribe((...change) => changes.push(change));
  await begin(store, "b", 2);
  assertEquals(changes, [["a", null], ["b", 2]]);
});

Deno.test("InMemoryStore.save() refuses a history that is too long, and changes nothing", async () => {
  const store = new InMemoryStore({ maxEventsPerWorkflow: 2 });
  await store.save({ workflowId: "a", status: "running", history: [started, fired(1)] });
  const before = await store.load("a");
  await assertFull(
    store.save({ workflowId: "a", status: "completed", history: [started, fired(1), fired(2)] }),
    `Cannot save workflow "a": its history would have 3 events, "maxEventsPerWorkflow" is 2`,
  );
  assertEquals(await store.load("a") === before, true);
});

Deno.test("InMemoryStore.append() refuses events that make a history too long, and changes nothing", async () => {
  const store = new InMemoryStore({ maxEventsPerWorkflow: 3 });
  await begin(store, "a", 2);
  await assertFull(
    store.append({ workflowId: "a", runId: "1", expectedLength: 2, events: [fired(2), fired(3)] }),
    `Cannot append to workflow "a": its history would have 4 events, "maxEventsPerWorkflow" is 3`,
  );
  assertEquals((await store.load("a"))?.history.length, 2);
  await store.append({ workflowId: "a", runId: "1", expectedLength: 2, events: [fired(2)] });
  await assertFull(
    begin(store, "b", 4),
    `Cannot append to workflow "b": its history would have 4 events, "maxEventsPerWorkflow" is 3`,
  );
  assertEquals(await store.load("b"), null);
});

Deno.test("InMemoryStore.append() accepts the end of a run and a request to cancel it, however long its history is", async () => {
  const store = new InMemoryStore({ maxEventsPerWorkflow: 2 });
  await begin(store, "a", 2);
  const append = (expectedLength: number, event: WorkflowEvent) =>
    store.append({ workflowId: "a", runId: "1", expectedLength, events: [event] });
  await append(2, { type: "cancel_requested", at: 1 });
  await store.append({ workflowId: "a", runId: "1", expectedLength: 3, events: [] }); // it makes nothing longer
  await append(3, { type: "workflow_canceled", at: 2, error: { name: "CanceledError", message: "" } });
  const state = (await store.load("a"))!;
  assertEquals([state.status, state.history.length], ["canceled", 4]);
  await store.save({ ...state, updatedAt: 5 }); // a stored state can be saved again
});

Deno.test("InMemoryStore removes a finished workflow when it expires, and not before", async () => {
  const clock = new VirtualClock();
  const store = new InMemoryStore({ clock, finishedTtlMs: 100 });
  await save(store, "running", "a", "b");
  clock.advance(50);
  await save(store, "completed", "a");
  clock.advance(99);
  assertEquals([await idsIn(store), store.size], ["a b", 2]);
  clock.advance(1);
  assertEquals([store.size, await idsIn(store), await store.load("a")], [1, "b", null]);
});

Deno.test("InMemoryStore removes finished workflows after finishedTtlMs although the clock was set back meanwhile", async () => {
  const clock = new SettableClock(1000);
  const store = new InMemoryStore({ clock, finishedTtlMs: 100 });
  await save(store, "completed", "a", "b");
  clock.step(-500);
  await save(store, "completed", "c");
  clock.elapsed.advance(50);
  await save(store, "completed", "d");
  clock.elapsed.advance(49);
  assertEquals(await idsIn(store), "a b c d");
  clock.elapsed.advance(1);
  assertEquals(await idsIn(store), "d");
  clock.elapsed.advance(50);
  assertEquals(store.size, 0);
});

const methods: [name: string, call: (store: InMemoryStore) => unknown][] = [
  ["load", (store) => store.load("b")],
  ["list", (store) => store.list()],
  ["page", (store) => store.page()],
  ["walk", (store) => store.walk().next()],
  ["count", (store) => store.count()],
  ["save", (store) => store.save({ workflowId: "b", status: "running" })],
  ["append", (store) => begin(store, "c", 1)],
  ["update", (store) => store.update("b", () => null)],
  ["delete", (store) => store.delete("c")],
  ["size", (store) => store.size],
];
for (const [name, call] of methods) {
  Deno.test(`InMemoryStore.${name} removes expired workflows first, and calls the listeners`, async () => {
    const clock = new VirtualClock();
    const store = new InMemoryStore({ clock, finishedTtlMs: 100 });
    await save(store, "completed", "a");
    await save(store, "running", "b");
    clock.advance(100);
    const changes: unknown[] = [];
    store.subscribe((id) => changes.push(id));
    await call(store);
    assertEquals(changes[0], "a");
    assertEquals((await store.list()).some(({ workflowId }) => workflowId === "a"), false);
  });
}

Deno.test("InMemoryStore has room for a new workflow after one has expired", async () => {
  const clock = new VirtualClock();
  const store = new InMemoryStore({ clock, finishedTtlMs: 100, maxWorkflows: 1 });
  await save(store, "completed", "a");
  clock.advance(100);
  await save(store, "running", "b");
  assertEquals(await idsIn(store), "b");
});

Deno.test("InMemoryStore keeps the time of the first finish when a finished workflow is overwritten", async () => {
  const clock = new VirtualClock();
  const store = new InMemoryStore({ clock, finishedTtlMs: 100 });
  await save(store, "completed", "a");
  clock.advance(60);
  await save(store, "failed", "a");
  clock.advance(40);
  assertEquals(store.size, 0);
});

Deno.test("InMemoryStore keeps a workflow that runs again after it had finished", async () => {
  const clock = new VirtualClock();
  const store = new InMemoryStore({ clock, finishedTtlMs: 100 });
  await save(store, "completed", "a");
  await save(store, "running", "a");
  clock.advance(1000);
  assertEquals(store.size, 1);
});

Deno.test("InMemoryStore treats an expired ID as a new creation", async () => {
  const clock = new VirtualClock();
  const store = new InMemoryStore({ clock, finishedTtlMs: 100 });
  await save(store, "completed", "a");
  await save(store, "running", "b");
  clock.advance(100);
  await save(store, "running", "a");
  assertEquals([await idsIn(store), (await store.load("a"))?.createdAt], ["b a", 100]);
});

async function twoTimers(ctx: WorkflowContext) {
  await ctx.sleep(10);
  await ctx.sleep(10);
}

Deno.test("Executor.execute() rejects at once when the store is full", async () => {
  const store = new InMemoryStore({ maxWorkflows: 1 });
  await save(store, "running", "a");
  const { executor } = setUp({ store });
  await assertFull(
    executor.execute(twoTimers, { id: "b" }),
    `Cannot append to workflow "b": the store holds "maxWorkflows" workflows, 1; delete some, raise it, or set "whenFull" to "evict"`,
  );
  await executor.close();
});

Deno.test("Executor suspends a run whose history is full, and the run can still be cancelled", async () => {
  const store = new InMemoryStore({ maxEventsPerWorkflow: 3 });
  const { executor, clock } = setUp({ store });
  const handle = await executor.execute(twoTimers, { id: "a" });
  await assertFull(
    handle.result(),
    `Cannot append to workflow "a": its history would have 4 events, "maxEventsPerWorkflow" is 3`,
  );
  const suspended = (await store.load("a"))!;
  assertEquals([suspended.status, typesOf(suspended.history)], [
    "running",
    ["workflow_started", "timer_started", "timer_fired"],
  ]);
  await executor.cancel("a", "too long");
  await executor.close();

  await using after = new Executor({ store, clock, workflows: { twoTimers } });
  const [recovered] = await after.recover();
  const error = await assertRejects(() => recovered.result(), WorkflowError);
  assert(error.code === "canceled");
  assertEquals((await store.load("a"))?.status, "canceled");
});
