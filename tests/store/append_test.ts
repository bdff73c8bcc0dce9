/**
 * `append` and `subscribe` of the in-memory store: error messages, costs, several listeners. The cases that every store must
 * pass are in `testing/store/`.
 */

import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  type AppendBatch,
  InMemoryStore,
  type StoreListener,
  VirtualClock,
  WorkflowError,
  type WorkflowEvent,
} from "@rockpool/workflow";

const started: WorkflowEvent = { type: "workflow_started", at: 1, workflowName: "w", input: "in" };
const fired = (at: number): WorkflowEvent => ({ type: "timer_fired", at, seq: 0 });
const completed: WorkflowEvent = { type: "workflow_completed", at: 9, result: "out" };
const failed: WorkflowEvent = { type: "workflow_failed", at: 9, error: { name: "Error", message: "late" } };
const canceled: WorkflowEvent = { type: "workflow_canceled", at: 9, error: { name: "CanceledError", message: "no" } };

/** A batch that starts run "1" of workflow "a", changed by the test. */
const batch = (part: Partial<AppendBatch> = {}): AppendBatch => ({
  workflowId: "a",
  runId: "1",
  expectedLength: 0,
  events: [started],
  ...part,
});

/** A store in which run "1" of workflow "a" has these events. */
async function storeWith(...events: WorkflowEvent[]): Promise<InMemoryStore> {
  const store = new InMemoryStore();
  await store.append(batch({ events }));
  return store;
}

const conflicts: [what: string, stored: WorkflowEvent[], part: Partial<AppendBatch>, why: string][] = [
  ["the run is not stored", [], { expectedLength: 1, events: [completed] }, "it is not stored"],
  ["the run to replace is not stored", [], { runId: "2", replaces: "1" }, "it is not stored"],
  ["the workflow is running", [started], { runId: "2" }, 'its status is "running"'],
  [
    "the workflow is finished and the batch does not replace it",
    [started, failed],
    { runId: "2" },
    'its status is "failed"',
  ],
  ["the run to replace is running", [started], { runId: "2", replaces: "1" }, 'its status is "running"'],
  [
    "the run to replace is another one",
    [started, completed],
    { runId: "3", replaces: "2" },
    'the run is "1", the writer expected "2"',
  ],
  ["the same start is repeated", [started], {}, 'its status is "running"'],
  [
    "the run is another one",
    [started],
    { runId: "2", expectedLength: 1, events: [completed] },
    'the run is "1", the writer expected "2"',
  ],
  ["the run is finished", [started, canceled], { expectedLength: 2, events: [fired(10)] }, 'its status is "canceled"'],
  [
    "the history is longer",
    [started, fired(2)],
    { expectedLength: 1, events: [fired(3)] },
    "it has 2 events, the writer expected 1",
  ],
  [
    "the history is shorter",
    [started],
    { expectedLength: 2, events: [fired(3)] },
    "it has 1 events, the writer expected 2",
  ],
];

for (const [what, stored, part, why] of conflicts) {
  Deno.test(`InMemoryStore.append() rejects with a conflict when ${what}`, async () => {
    const store = stored.length > 0 ? await storeWith(...stored) : new InMemoryStore();
    const before = await store.load("a");
    const error = await assertRejects(() => store.append(batch(part)), WorkflowError);
    assertEquals([error.code, error.message], ["conflict", `Cannot append to workflow "a": ${why}`]);
    assertStrictEquals(await store.load("a"), before);
  });
}

const only =
  `"workflow_started" must be the first event if "expectedLength" is 0 or the batch "replaces" a run, and no other event`;
const other = `"replaces" must be the ID of another run, and the first event "workflow_started"`;
const malformed: [what: string, part: object, message: string][] = [
  ["an empty ID", { workflowId: "" }, `Cannot append to workflow: "workflowId" must be a non-empty string, got ""`],
  [
    "no ID",
    { workflowId: undefined },
    `Cannot append to workflow: "workflowId" must be a non-empty string, got undefined`,
  ],
  ["an empty run ID", { runId: "" }, `"runId" must be a non-empty string, got ""`],
  ["a number as run ID", { runId: 1 }, `"runId" must be a non-empty string, got 1`],
  ["a negative length", { expectedLength: -1 }, `"expectedLength" must be an integer from 0, got -1`],
  ["a fractional length", { expectedLength: 0.5 }, `"expectedLength" must be an integer from 0, got 0.5`],
  ["NaN as length", { expectedLength: NaN }, `"expectedLength" must be an integer from 0, got NaN`],
  ["no length", { expectedLength: undefined }, `"expectedLength" must be an integer from 0, got undefined`],
  ["no events", { events: undefined }, `"events" must be an array, got undefined`],
  ["a set of events", { events: new Set([started]) }, `"events" must be an array, got a Set`],
  ["null for an event", { events: [null] }, `Cannot store events[0]: "event" must be an object, got null`],
  ["holes for events", { events: new Array(2) }, `Cannot store events[0]: "event" must be an object, got undefined`],
  [
    "an unknown event",
    { events: [started, { type: "x", at: 1 }] },
    `Cannot store events[1]: "type" must be the type of an event, got "x"`,
  ],
  [
    "an invalid time",
    { events: [{ ...started, at: "1" }] },
    `Cannot store events[0]: "at" must be a finite number, got "1"`,
  ],
  [
    "a start without a name",
    { events: [{ type: "workflow_started", at: 1 }] },
    `Cannot store events[0]: "workflowName" must be a string, got undefined`,
  ],
  ["a first batch that does not start the run", { events: [fired(1)] }, only],
  ["a start in the middle of a run", { expectedLength: 1 }, only],
  ["two starts", { events: [started, started] }, only],
  [
    "an event after the last one",
    { events: [started, completed, fired(10)] },
    `"workflow_completed" must be the last event`,
  ],
  ["two last events", { events: [started, failed, canceled] }, `"workflow_failed" must be the last event`],
  ["replaces without a start", { expectedLength: 1, events: [fired(2)], replaces: "0" }, other],
  ["a run that replaces itself", { replaces: "1" }, other],
  ["null for replaces", { replaces: null }, other],
  [
    "a function in an event",
    { events: [{ ...started, input: { f() {} } }] },
    'Cannot store events[0].input.f: a function "f" cannot be stored',
  ],
];

for (const [what, part, message] of malformed) {
  Deno.test(`InMemoryStore.append() rejects ${what}`, async () => {
    for (const store of [new InMemoryStore(), await storeWith(started), await storeWith(started, completed)]) {
      const before = await store.load("a");
      const error = await assertRejects(() => store.append(batch(part)), TypeError);
      assertEquals(
        error.message,
        message.startsWith("Cannot ") ? message : `Cannot append to workflow "a": ${message}`,
      );
      assertStrictEquals(await store.load("a"), before);
    }
  });
}

Deno.test("InMemoryStore.append() rejects a batch that is no object", async () => {
  for (const [what, shown] of [[null, "null"], [undefined, "undefined"], ["a", '"a"']]) {
    const error = await assertRejects(() => new InMemoryStore().append(what as unknown as AppendBatch), TypeError);
    assertEquals(error.message, `Cannot append: "batch" must be an object, got ${shown}`);
  }
});

Deno.test("InMemoryStore.append() checks the stored copy, not what an accessor returns first", async () => {
  class Event {
    at = 1;
    workflowName = "w";
    get type() { // an accessor of the class is not stored
      return "workflow_started";
    }
  }
  const error = await assertRejects(
    () => new InMemoryStore().append(batch({ events: [new Event() as WorkflowEvent] })),
    TypeError,
  );
  assertEquals(error.message, `Cannot store events[0]: "type" must be the type of an event, got undefined`);
});

Deno.test("InMemoryStore.append() keeps the stored events unchanged, however many follow", async () => {
  const store = await storeWith(started, fired(1));
  const [, event] = (await store.load("a"))!.history;
  for (let i = 2; i < 1_000; i++) await store.append(batch({ expectedLength: i, events: [fired(i)] }));
  const { history } = (await store.load("a"))!;
  assertEquals(history.length, 1_000);
  assertStrictEquals(history[1], event);
});

Deno.test("InMemoryStore.append() reads each new event once, and no stored event", async () => {
  let reads = 0;
  const counted = (at: number): WorkflowEvent => ({
    type: "signal_received",
    at,
    name: "s",
    signalId: `${at}`,
    get payload() {
      reads++;
      return at;
    },
  });
  const store = await storeWith(started);
  for (let i = 1; i <= 1_000; i++) await store.append(batch({ expectedLength: i, events: [counted(i)] }));
  assertEquals(reads, 1_000);
});

Deno.test("InMemoryStore.save() does not copy events that it has already stored", async () => {
  const store = await storeWith(started);
  let state = (await store.load("a"))!;
  const input = state.history[0];
  for (let i = 1; i < 1_000; i++) {
    await store.save({ ...state, history: [...state.history, fired(i)] });
    const before = state;
    state = (await store.load("a"))!;
    assert(before.history.every((event, i) => event === state.history[i]));
  }
  assertEquals(state.history.length, 1_000);
  assertStrictEquals(state.history[0], input);
});

Deno.test("InMemoryStore.load() returns the same object until the state changes", async () => {
  const store = await storeWith(started);
  const first = await store.load("a");
  assertStrictEquals(await store.load("a"), first);
  assertStrictEquals((await store.list())[0], first);
  await store.append(batch({ expectedLength: 1, events: [fired(2)] }));
  const second = await store.load("a");
  assertEquals([first?.history.length, second?.history.length], [1, 2]);
  assertStrictEquals(await store.load("a"), second);
});

/** A store, and the calls of its listeners. */
function listened() {
  const store = new InMemoryStore({ clock: new VirtualClock() });
  const changes: Parameters<StoreListener>[] = [];
  const listener: StoreListener = (...change) => changes.push(change);
  return { store, changes, listener };
}

Deno.test("InMemoryStore.subscribe() calls a listener once for each of its subscriptions, until the subscription ends", async () => {
  const { store, changes, listener } = listened();
  const first = store.subscribe(listener);
  const second = store.subscribe(listener);
  await store.append(batch());
  first();
  first();
  await store.append(batch({ expectedLength: 1, events: [fired(2)] }));
  second();
  await store.append(batch({ expectedLength: 2, events: [fired(3)] }));
  assertEquals(changes, [["a", 1], ["a", 1], ["a", 2]]);
});

Deno.test("InMemoryStore.subscribe() lets listeners subscribe and unsubscribe while they are called", async () => {
  const { store, changes, listener } = listened();
  let end = store.subscribe(function again() {
    changes.push(["again", null]);
    end(); // and subscribe again, at the end
    end = store.subscribe(again);
    last();
  });
  const last = store.subscribe(listener);
  await store.append(batch());
  await store.append(batch({ expectedLength: 1, events: [fired(2)] }));
  assertEquals(changes, [["again", null], ["again", null]]);
});

Deno.test("InMemoryStore.subscribe() lets a listener call the store", async () => {
  const { store } = listened();
  const seen: Promise<unknown>[] = [];
  const end = store.subscribe((workflowId) => {
    end();
    seen.push(store.load(workflowId!).then((state) => state?.history.length));
    seen.push(store.append(batch({ expectedLength: 1, events: [completed] })));
    seen.push(store.load(workflowId!).then((state) => state?.status));
  });
  await store.append(batch());
  assertEquals(await Promise.all(seen), [1, undefined, "completed"]);
});

Deno.test("InMemoryStore.subscribe() harms no caller and no other listener when a listener throws", async () => {
  const { store, changes, listener } = listened();
  const thrown = new Error("from a listener");
  store.subscribe(() => {
    throw thrown;
  });
  store.subscribe(listener);
  const real = console.error;
  const written: unknown[] = [];
  console.error = (...values) => written.push(...values);
  try {
    await store.append(batch());
  } finally {
    console.error = real;
  }
  assertEquals(changes, [["a", 1]]);
  assertStrictEquals(written[0], thrown);
});

Deno.test("InMemoryStore.subscribe() throws when the listener is no function", () => {
  const error = assertThrows(() => new InMemoryStore().subscribe(null!));
  assertInstanceOf(error, TypeError);
  assertEquals(error.message, `Cannot subscribe: "listener" must be a function, got null`);
});
