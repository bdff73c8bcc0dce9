/** The store's compare and append, and how it tells of changes. */

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

/** A batch that starts run "1" of workflow "a", but for what the test says. */
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

Deno.test("InMemoryStore.append() creates a run with everything that its first event says", async () => {
  assertEquals(await (await storeWith(started)).load("a"), {
    workflowId: "a",
    runId: "1",
    workflowName: "w",
    status: "running",
    input: "in",
    history: [started],
    createdAt: 1,
    updatedAt: 1,
  });
});

Deno.test("InMemoryStore.append() creates and finishes a run in one batch", async () => {
  const state = await (await storeWith(started, fired(4), completed)).load("a");
  assertEquals([state?.status, state?.result, state?.updatedAt], ["completed", "out", 9]);
});

Deno.test("InMemoryStore.append() adds to the history and keeps createdAt, input and the rest", async () => {
  const store = await storeWith(started);
  await store.append(batch({ expectedLength: 1, events: [fired(2), fired(3)] }));
  await store.append(batch({ expectedLength: 3, events: [fired(4)] }));
  const state = await store.load("a");
  assertEquals(state?.history, [started, fired(2), fired(3), fired(4)]);
  assertEquals([state?.createdAt, state?.updatedAt, state?.input, state?.status], [1, 4, "in", "running"]);
});

const endings: [WorkflowEvent, object][] = [
  [completed, { status: "completed", result: "out" }],
  [{ type: "workflow_completed", at: 9 }, { status: "completed" }],
  [{ type: "workflow_completed", at: 9, result: null }, { status: "completed", result: null }],
  [failed, { status: "failed", error: { name: "Error", message: "late" } }],
  [canceled, { status: "canceled", error: { name: "CanceledError", message: "no" } }],
];

for (const [last, fields] of endings) {
  Deno.test(`InMemoryStore.append() finishes a run with ${JSON.stringify(last)}`, async () => {
    const store = await storeWith(started);
    await store.append(batch({ expectedLength: 1, events: [fired(2), last] }));
    const { status, result, error, history, createdAt, updatedAt } = (await store.load("a"))!;
    const outcome = { status, ...(result !== undefined && { result }), ...(error !== undefined && { error }) };
    assertEquals<object>(outcome, fields);
    assertEquals([history.length, createdAt, updatedAt], [3, 1, 9]);
  });
}

Deno.test("InMemoryStore.append() sets the outcome anew when a running state was saved with one", async () => {
  const store = new InMemoryStore();
  const error = { name: "Error", message: "old" };
  await store.save({ workflowId: "a", runId: "1", status: "running", history: [started], result: 1, error });
  await store.append(batch({ expectedLength: 1, events: [{ type: "workflow_completed", at: 9 }] }));
  const state = await store.load("a");
  assertEquals([state?.status, state?.result, state?.error], ["completed", undefined, undefined]);
});

Deno.test("InMemoryStore.append() replaces a finished run with a new one, and keeps nothing of it", async () => {
  const store = await storeWith(started, failed);
  const anew: WorkflowEvent = { type: "workflow_started", at: 20, workflowName: "v" };
  await store.append(batch({ runId: "2", events: [anew], replaces: "1" }));
  assertEquals(await store.load("a"), {
    workflowId: "a",
    runId: "2",
    workflowName: "v",
    status: "running",
    history: [anew],
    createdAt: 20,
    updatedAt: 20,
  });
});

const conflicts: [what: string, stored: WorkflowEvent[], part: Partial<AppendBatch>, why: string][] = [
  ["the run is not there", [], { expectedLength: 1, events: [completed] }, "it is not there"],
  ["the run to replace is not there", [], { runId: "2", replaces: "1" }, "it is not there"],
  ["the workflow is running", [started], { runId: "2" }, "it is running already"],
  ["the workflow is finished and is not to be replaced", [started, failed], { runId: "2" }, "it is failed already"],
  ["the run to replace is running", [started], { runId: "2", replaces: "1" }, "it is running already"],
  [
    "the run to replace is another one",
    [started, completed],
    { runId: "3", replaces: "2" },
    'the run is "1", the writer expected "2"',
  ],
  ["the same start is repeated", [started], {}, "it is running already"],
  [
    "the run is another one",
    [started],
    { runId: "2", expectedLength: 1, events: [completed] },
    'the run is "1", the writer expected "2"',
  ],
  ["the run is finished", [started, canceled], { expectedLength: 2, events: [fired(10)] }, "it is canceled"],
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

Deno.test("InMemoryStore.append() rejects every repetition of a batch with a conflict", async () => {
  const store = new InMemoryStore();
  const batches = [
    batch(),
    batch({ expectedLength: 1, events: [fired(2)] }),
    batch({ expectedLength: 2, events: [completed] }),
    batch({ runId: "2", events: [started, completed], replaces: "1" }),
  ];
  for (const one of batches) {
    await store.append(one);
    const before = await store.load("a");
    const { code } = await assertRejects(() => store.append(one), WorkflowError);
    assertEquals(code, "conflict");
    assertStrictEquals(await store.load("a"), before);
  }
});

Deno.test("InMemoryStore.append() lets one of many writers win", async () => {
  const store = await storeWith(started);
  const writers = Array.from(
    { length: 20 },
    (_, i) => store.append(batch({ expectedLength: 1, events: [fired(i + 2)] })),
  );
  const won = (await Promise.allSettled(writers)).filter(({ status }) => status === "fulfilled");
  assertEquals([won.length, (await store.load("a"))?.history.length], [1, 2]);
});

const only = `"workflow_started" must be the first event, and "expectedLength" 0 with it alone`;
const other = `"replaces" must be the ID of another run, and only a batch that starts a run has it`;
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
  ["no events", { events: undefined }, `"events" must be a non-empty array, got undefined`],
  ["an empty array of events", { events: [] }, `"events" must be a non-empty array, got an Array`],
  ["a set of events", { events: new Set([started]) }, `"events" must be a non-empty array, got a Set`],
  ["null for an event", { events: [null] }, `Cannot store events[0]: "event" must be an object, got null`],
  ["holes for events", { events: new Array(2) }, `Cannot store events[0]: "event" must be an object, got undefined`],
  [
    "an unknown event",
    { events: [started, { type: "x", at: 1 }] },
    `Cannot store events[1]: "type" must be the type of an event, got "x"`,
  ],
  [
    "a time that is none",
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
  ["null as what it replaces", { replaces: null }, other],
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

Deno.test("InMemoryStore.append() checks what it stores, not what an accessor answers first", async () => {
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

Deno.test("InMemoryStore.append() keeps the stored events as they are, however many follow", async () => {
  const store = await storeWith(started, fired(1));
  const [, event] = (await store.load("a"))!.history;
  for (let i = 2; i < 1_000; i++) await store.append(batch({ expectedLength: i, events: [fired(i)] }));
  const { history } = (await store.load("a"))!;
  assertEquals(history.length, 1_000);
  assertStrictEquals(history[1], event);
});

Deno.test("InMemoryStore.append() reads each new event once, and no stored one", async () => {
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

Deno.test("InMemoryStore.save() takes over the events that it stored, however often", async () => {
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

Deno.test("InMemoryStore.load() answers the same object until the state changes", async () => {
  const store = await storeWith(started);
  const first = await store.load("a");
  assertStrictEquals(await store.load("a"), first);
  assertStrictEquals((await store.list())[0], first);
  await store.append(batch({ expectedLength: 1, events: [fired(2)] }));
  const second = await store.load("a");
  assertEquals([first?.history.length, second?.history.length], [1, 2]);
  assertStrictEquals(await store.load("a"), second);
});

/** A store, and what its listeners were told. */
function heard() {
  const store = new InMemoryStore({ clock: new VirtualClock() });
  const told: [string, number | null][] = [];
  const listener: StoreListener = (...change) => told.push(change);
  return { store, told, listener };
}

Deno.test("InMemoryStore.subscribe() tells of every change, and the length after an append", async () => {
  const { store, told, listener } = heard();
  store.subscribe(listener);
  await store.append(batch());
  await store.append(batch({ expectedLength: 1, events: [fired(2), completed] }));
  await store.append(batch({ runId: "2", replaces: "1" }));
  await store.save({ workflowId: "b", status: "running", history: [fired(1)] });
  await store.delete("b");
  assertEquals(told, [["a", 1], ["a", 3], ["a", 1], ["b", null], ["b", null]]);
});

Deno.test("InMemoryStore.subscribe() tells nothing of reads, of failures and of the absent", async () => {
  const { store, told, listener } = heard();
  store.subscribe(listener);
  await store.load("a");
  await store.list();
  await store.delete("a");
  await assertRejects(() => store.append(batch({ expectedLength: 1, events: [completed] })));
  await assertRejects(() => store.append(batch({ events: [] })));
  await assertRejects(() => store.save({ workflowId: "a", status: "running", input: () => {} }));
  assertEquals(told, []);
});

Deno.test("InMemoryStore.subscribe() tells each subscription of one listener, until it is ended", async () => {
  const { store, told, listener } = heard();
  const first = store.subscribe(listener);
  const second = store.subscribe(listener);
  await store.append(batch());
  first();
  first();
  await store.append(batch({ expectedLength: 1, events: [fired(2)] }));
  second();
  await store.append(batch({ expectedLength: 2, events: [fired(3)] }));
  assertEquals(told, [["a", 1], ["a", 1], ["a", 2]]);
});

Deno.test("InMemoryStore.subscribe() lets listeners come and go while they are told", async () => {
  const { store, told, listener } = heard();
  let end = store.subscribe(function again() {
    told.push(["again", null]);
    end(); // and anew, behind itself
    end = store.subscribe(again);
    last();
  });
  const last = store.subscribe(listener);
  await store.append(batch());
  await store.append(batch({ expectedLength: 1, events: [fired(2)] }));
  assertEquals(told, [["again", null], ["again", null]]);
});

Deno.test("InMemoryStore.subscribe() lets a listener call the store", async () => {
  const { store } = heard();
  const seen: Promise<unknown>[] = [];
  const end = store.subscribe((workflowId) => {
    end();
    seen.push(store.load(workflowId).then((state) => state?.history.length));
    seen.push(store.append(batch({ expectedLength: 1, events: [completed] })));
    seen.push(store.load(workflowId).then((state) => state?.status));
  });
  await store.append(batch());
  assertEquals(await Promise.all(seen), [1, undefined, "completed"]);
});

Deno.test("InMemoryStore.subscribe() harms nobody when a listener throws", async () => {
  const { store, told, listener } = heard();
  const thrown = new Error("from a listener");
  store.subscribe(() => {
    throw thrown;
  });
  store.subscribe(listener);
  const reported = new Promise((resolve) => {
    addEventListener("error", (event) => {
      event.preventDefault();
      resolve(event.error);
    }, { once: true });
  });
  await store.append(batch());
  assertEquals(told, [["a", 1]]);
  assertStrictEquals(await reported, thrown);
});

Deno.test("InMemoryStore.subscribe() throws when it gets no function", () => {
  const error = assertThrows(() => new InMemoryStore().subscribe(null!));
  assertInstanceOf(error, TypeError);
  assertEquals(error.message, `Cannot subscribe: "listener" must be a function, got null`);
});
