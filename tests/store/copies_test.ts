/** The store keeps copies: changes of saved or loaded values do not reach it. */

import {
  assert,
  assertEquals,
  assertNotStrictEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { InMemoryStore, type WorkflowEvent, type WorkflowState } from "@rockpool/workflow";

/** Saves an input and loads it. */
async function roundTrip(input: unknown): Promise<unknown> {
  const store = new InMemoryStore();
  await store.save({ workflowId: "a", status: "running", input });
  return (await store.load("a"))!.input;
}

// deno-lint-ignore no-explicit-any
type Anything = any;

/** Defines the accessor `__proto__` until it is disposed. Deno has none. */
function protoAccessor(): Disposable {
  Object.defineProperty(Object.prototype, "__proto__", {
    configurable: true,
    set(prototype) {
      Object.setPrototypeOf(this, prototype);
    },
  });
  return { [Symbol.dispose]: () => delete (Object.prototype as Anything)["__proto__"] };
}

Deno.test("InMemoryStore.save() copies its argument, at every depth", async () => {
  const store = new InMemoryStore();
  const signal = { type: "signal_received", at: 1, name: "s", signalId: "1", payload: { list: [1] } };
  const error = { name: "Error", message: "m", data: { tags: ["x"] } };
  const state: Anything = {
    workflowId: "a",
    status: "running",
    input: { list: [{ n: 1 }] },
    result: [[1]],
    error,
    history: [signal],
  };
  await store.save(state);
  const before = structuredClone(await store.load("a"));
  state.input.list[0].n = 2;
  state.input.list.push(3);
  state.result[0][0] = 2;
  error.data.tags.pop();
  signal.payload.list.push(2);
  state.history.push(signal);
  state.status = "failed";
  assertEquals(await store.load("a"), before);
});

Deno.test("InMemoryStore.append() copies its argument, at every depth", async () => {
  const store = new InMemoryStore();
  const started: Anything = { type: "workflow_started", at: 1, workflowName: "w", input: { list: [1] } };
  const events: WorkflowEvent[] = [started];
  await store.append({ workflowId: "a", runId: "1", expectedLength: 0, events });
  started.input.list.push(2);
  started.workflowName = "v";
  events.push(started);
  const { input, workflowName, history } = (await store.load("a"))!;
  assertEquals([input, workflowName, history.length], [{ list: [1] }, "w", 1]);
  assertEquals(history[0], { type: "workflow_started", at: 1, workflowName: "w", input: { list: [1] } });
});

Deno.test("InMemoryStore copies at the call, also when it waits for the lock", async () => {
  const store = new InMemoryStore();
  const payload = { n: 1 };
  const later: Promise<void>[] = [];
  const end = store.subscribe(() => { // called under the lock
    end();
    later.push(store.save({ workflowId: "b", status: "running", input: payload }));
    const event: WorkflowEvent = { type: "workflow_started", at: 1, workflowName: "w", input: payload };
    later.push(store.append({ workflowId: "c", runId: "1", expectedLength: 0, events: [event] }));
    payload.n = 2;
  });
  await store.save({ workflowId: "a", status: "running" });
  await Promise.all(later);
  assertEquals([(await store.load("b"))?.input, (await store.load("c"))?.input], [{ n: 1 }, { n: 1 }]);
});

Deno.test("InMemoryStore.load() returns a deeply frozen state", async () => {
  const store = new InMemoryStore();
  const event: WorkflowEvent = { type: "signal_received", at: 1, name: "s", signalId: "1", payload: [{ n: 1 }] };
  await store.save({ workflowId: "a", status: "running", input: { list: [{ n: 1 }] }, history: [event] });
  const [state] = await store.list() as Anything[];
  const changes: (() => void)[] = [
    () => state.status = "failed",
    () => state.history.push(event),
    () => state.history[0].at = 2,
    () => state.history[0].payload[0].n = 2,
    () => state.input.list.push(2),
    () => delete state.input.list[0].n,
    () => state.input.more = 1,
  ];
  for (const change of changes) assertThrows(change, TypeError);
  assertStrictEquals(await store.load("a"), state as WorkflowState);
});

const opaque: [what: string, value: object, change: (value: Anything) => void][] = [
  ["a Date", new Date(5), (date) => date.setTime(6)],
  ["a Map", new Map([["k", 1]]), (map) => map.set("k", 2)],
  ["a Set", new Set([1]), (set) => set.add(2)],
  ["an ArrayBuffer", new ArrayBuffer(4), (buffer) => new Uint8Array(buffer)[0] = 1],
  ["a Uint8Array", new Uint8Array(4), (bytes) => bytes[0] = 1],
  ["a DataView", new DataView(new ArrayBuffer(4)), (view) => view.setInt8(0, 1)],
  ["a RegExp", /a/g, (expression) => expression.lastIndex = 1],
  ["an Error", new RangeError("m"), (error) => error.message = "n"],
];

for (const [what, value, change] of opaque) {
  Deno.test(`InMemoryStore keeps ${what} unchanged when a copy is changed`, async () => {
    const store = new InMemoryStore();
    const saved = { deep: [structuredClone(value)] };
    const started: WorkflowEvent = { type: "workflow_started", at: 1, workflowName: "w", input: saved };
    const completed: WorkflowEvent = { type: "workflow_completed", at: 2, result: saved };
    await store.append({ workflowId: "a", runId: "1", expectedLength: 0, events: [started, completed] });
    change(saved.deep[0]);
    for (let i = 0; i < 2; i++) {
      const state = (await store.load("a")) as Anything;
      const copies = [state.input, state.result, state.history[0].input, state.history[1].result];
      for (const { deep } of copies) {
        assertEquals(deep, [value]);
        change(deep[0]);
      }
      for (const { deep } of copies) assertEquals(new Set([deep[0], value]).size, 2);
    }
    const [listed] = await store.list() as Anything[];
    assertEquals(listed.input.deep, [value]);
  });
}

for (const part of ["input", "result", "error", "history"] as const) {
  Deno.test(`InMemoryStore keeps a value that cannot be frozen when only ${part} holds it`, async () => {
    const store = new InMemoryStore();
    const error = { name: "Error", message: "m", data: { date: new Date(5) } };
    const failed: WorkflowEvent = { type: "workflow_failed", at: 1, error };
    const parts = { input: error, result: error, error, history: [failed] };
    await store.save({ workflowId: "a", status: "failed", [part]: parts[part] });
    const saved = (await store.load("a"))![part];
    for (const one of [saved].flat() as Anything[]) (one.data ?? one.error.data).date.setTime(6);
    assertEquals<unknown>((await store.load("a"))![part], parts[part]);
  });
}

Deno.test("InMemoryStore.save() does not copy values that it has already stored", async () => {
  const store = new InMemoryStore();
  const error = { name: "Error", message: "m" };
  await store.save({ workflowId: "a", status: "failed", input: { n: 1 }, result: [1], error });
  const first = (await store.load("a"))!;
  await store.save({ ...first, status: "running" });
  const second = (await store.load("a"))!;
  for (const part of ["input", "result", "error"] as const) assertStrictEquals(second[part], first[part]);
});

Deno.test("InMemoryStore keeps a value that cannot be frozen when a loaded state is saved again", async () => {
  const store = new InMemoryStore();
  const plain: WorkflowEvent = { type: "timer_fired", at: 1, seq: 0 };
  const event: WorkflowEvent = { type: "activity_completed", at: 1, seq: 0, attempt: 1, result: new Date(5) };
  await store.save({ workflowId: "a", status: "running", input: new Date(5), history: [plain, event] });
  const loaded = (await store.load("a")) as Anything;
  await store.save(loaded);
  loaded.input.setTime(6);
  loaded.history[1].result.setTime(6);
  const again = (await store.load("a")) as Anything;
  assertEquals([again.input, again.history[1].result], [new Date(5), new Date(5)]);
  assertStrictEquals(again.history[0], loaded.history[0]); // the rest is not copied
});

Deno.test("InMemoryStore.load() returns the same object again once every stored value can be frozen", async () => {
  const store = new InMemoryStore();
  await store.save({ workflowId: "a", status: "running", input: new Date(0) });
  assert(await store.load("a") !== await store.load("a"));
  await store.save({ workflowId: "a", status: "running", input: 0 });
  assertStrictEquals(await store.load("a"), await store.load("a"));
});

Deno.test("InMemoryStore.load() copies a value that cannot be frozen inside a frozen state", async () => {
  const date = new Date(5);
  const frozen = Object.freeze({ list: Object.freeze([date]) });
  const loaded = await roundTrip(frozen) as typeof frozen;
  date.setTime(6);
  assertEquals(loaded, { list: [new Date(5)] });
});

Deno.test("InMemoryStore.save() accepts frozen input, and stores class instances as plain objects", async () => {
  class Money {
    #secret = 1;
    readonly cents: number;
    readonly next: Money | null;
    constructor(cents: number, next: Money | null = null) {
      this.cents = cents;
      this.next = next;
    }
    get euros() {
      return this.#secret * this.cents / 100;
    }
  }
  const loaded = await roundTrip(Object.freeze([new Money(100, new Money(1))])) as Anything[];
  assertEquals(loaded, [{ cents: 100, next: { cents: 1, next: null } }]);
  assertStrictEquals(Object.getPrototypeOf(loaded[0].next), Object.prototype);
});

Deno.test("InMemoryStore.save() replaces accessors by their values", async () => {
  let reads = 0;
  const loaded = await roundTrip({
    get n() {
      return ++reads;
    },
  }) as Anything;
  assertEquals([loaded.n, loaded.n, reads], [1, 1, 1]);
});

Deno.test("InMemoryStore.save() keeps a key __proto__ as data", async () => {
  using _accessor = protoAccessor(); // as in browsers and Node
  const loaded = await roundTrip(JSON.parse('{"__proto__": {"admin": true}, "n": 1}')) as Anything;
  assertEquals(Object.keys(loaded), ["__proto__", "n"]);
  assertEquals([loaded.admin, Object.getPrototypeOf(loaded) === Object.prototype], [undefined, true]);
  assert(Object.isFrozen(Object.getOwnPropertyDescriptor(loaded, "__proto__")!.value));
});

Deno.test("InMemoryStore.save() keeps cycles and shared parts", async () => {
  const shared = { n: 1 };
  const input: Anything = { a: shared, b: [shared] };
  input.self = input;
  const loaded = await roundTrip(input) as Anything;
  assertStrictEquals(loaded.self, loaded);
  assertStrictEquals(loaded.a, loaded.b[0]);
  assertNotStrictEquals(loaded.a, shared);
});

Deno.test("InMemoryStore.save() copies an event that is only equal to a stored one", async () => {
  const store = new InMemoryStore();
  const event: Anything = { type: "timer_fired", at: 1, seq: 0 };
  await store.save({ workflowId: "a", status: "running", history: [event] });
  await store.save({ workflowId: "a", status: "running", history: [event] });
  event.at = 2;
  assertEquals((await store.load("a"))?.history, [{ type: "timer_fired", at: 1, seq: 0 }]);
});

Deno.test("InMemoryStore.save() copies an event that another workflow has", async () => {
  const store = new InMemoryStore();
  const history: WorkflowEvent[] = [{ type: "timer_fired", at: 1, seq: 0 }];
  await store.save({ workflowId: "a", status: "running", history });
  await store.save({ ...(await store.load("a"))!, workflowId: "b" });
  await store.delete("a");
  assertEquals((await store.load("b"))?.history, history);
});

const event = (part: object): Anything => ({ type: "signal_received", at: 1, name: "s", signalId: "1", ...part });
const throwing = {
  get list() {
    throw new Error("boo");
  },
};
const unstorable: [what: string, part: object, message: string][] = [
  ["a function", { input: { on: [() => {}] } }, "Cannot store input.on[0]: a function cannot be stored"],
  ["a class", { input: class Money {} }, 'Cannot store input: a function "Money" cannot be stored'],
  ["a symbol", { result: { "a b": Symbol("s") } }, 'Cannot store result["a b"]: Symbol(s) cannot be stored'],
  [
    "a method in an event",
    { history: [event({}), event({ payload: { go() {} } })] },
    'Cannot store history[1].payload.go: a function "go" cannot be stored',
  ],
  [
    "a promise in an error",
    { error: { data: { p: Promise.resolve() } } },
    "Cannot store error.data.p: a Promise cannot be stored",
  ],
  ["a WeakMap", { input: [new WeakMap()] }, "Cannot store input[0]: a WeakMap cannot be stored"],
  ["shared memory", { input: [new SharedArrayBuffer(1)] }, "Cannot store input[0]: shared memory cannot be stored"],
  ["a getter that throws", { input: { a: throwing } }, "Cannot store input.a.list: reading it threw"],
];

for (const [what, part, message] of unstorable) {
  Deno.test(`InMemoryStore.save() rejects ${what} and changes nothing`, async () => {
    const store = new InMemoryStore();
    const whole = { workflowId: "a", status: "completed", history: [event({ payload: "new" })], ...part } as const;
    const fresh = await assertRejects(() => store.save(whole as Anything), TypeError);
    assertEquals([fresh.message, store.size], [message, 0]);

    const history = [event({ payload: new Date(5) })];
    await store.save({ workflowId: "a", status: "running", input: "old", history });
    const before = await store.load("a");
    const error = await assertRejects(() => store.save(whole as Anything), TypeError);
    assertEquals(error.message, message);
    assertEquals(await store.load("a"), before);
  });
}

Deno.test("InMemoryStore.append() rejects a value that cannot be stored, and stores nothing of the batch", async () => {
  const store = new InMemoryStore();
  const started: WorkflowEvent = { type: "workflow_started", at: 1, workflowName: "w" };
  await store.append({ workflowId: "a", runId: "1", expectedLength: 0, events: [started] });
  const before = await store.load("a");
  const events = [event({ payload: "fine" }), event({ payload: throwing })];
  const batch = { workflowId: "a", runId: "1", expectedLength: 1, events };
  const error = await assertRejects(() => store.append(batch), TypeError);
  assertEquals(error.message, "Cannot store events[1].payload.list: reading it threw");
  assertEquals((error.cause as Error).message, "boo");
  assertStrictEquals(await store.load("a"), before);
  await store.append({ ...batch, events: [events[0]] });
  assertEquals((await store.load("a"))?.history.length, 2);
});

Deno.test("InMemoryStore.append() replaces nothing when the new run cannot be stored", async () => {
  const store = new InMemoryStore();
  await store.save({ workflowId: "a", runId: "1", status: "completed" });
  await store.save({ workflowId: "b", runId: "1", status: "completed" });
  const events: WorkflowEvent[] = [{ type: "workflow_started", at: 1, workflowName: "w", input: Symbol("s") }];
  await assertRejects(() => store.append({ workflowId: "a", runId: "2", expectedLength: 0, events, replaces: "1" }));
  assertEquals((await store.list()).map(({ workflowId, runId }) => workflowId + runId), ["a1", "b1"]);
});

Deno.test("InMemoryStore.save() rejects with the error of an accessor of the state, and changes nothing", async () => {
  const store = new InMemoryStore();
  const state: Anything = {
    workflowId: "a",
    status: "running",
    get input() {
      throw new RangeError("boo");
    },
  };
  await assertRejects(() => store.save(state), RangeError, "boo");
  assertEquals(store.size, 0);
});

Deno.test("InMemoryStore.save() lets an accessor call the store", async () => {
  const store = new InMemoryStore();
  const inner: Promise<void>[] = [];
  const input = {
    get n() {
      inner.push(store.save({ workflowId: "a", status: "running", input: "inner" }));
      return 1;
    },
  };
  await store.save({ workflowId: "a", status: "running", input });
  await Promise.all(inner);
  assertEquals([(await store.load("a"))?.input, inner.length], [{ n: 1 }, 1]);
});
