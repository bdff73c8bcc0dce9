/**
 * Arguments of a hostile or careless caller: IDs, keys and values of every kind, in every place of a state and of a batch.
 * `history/value_test.ts` tests the copying in more detail; `isolation_test.ts` tries to change what is stored.
 *
 * The file is longer than 500 lines: it is a list of independent cases, which one searches by name.
 */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertNotStrictEquals,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { InMemoryStore, type WorkflowEvent, type WorkflowState, type WorkflowStateInit } from "@rockpool/workflow";

// deno-lint-ignore no-explicit-any
type Anything = any;

const started = (input?: unknown): WorkflowEvent => ({ type: "workflow_started", at: 1, workflowName: "w", input });
const signal = (payload: unknown): WorkflowEvent => ({
  type: "signal_received",
  at: 1,
  name: "s",
  signalId: "1",
  payload,
});

/** Shows a value in the name of a test. */
const show = (value: unknown) => {
  const text = Deno.inspect(value, { depth: 0, breakLength: Infinity });
  return text.length > 40 ? `${text.slice(0, 20)}… (${text.length})` : text;
};

// ---------------------------------------------------------------------------------------------------------------- IDs

const ids = [
  "__proto__",
  "constructor",
  "hasOwnProperty",
  "toString",
  "\0",
  "a\0b",
  " ",
  "0",
  "-0",
  "\ud83d",
  "\ude00",
  "\u{1f600}",
  "\u202e",
  "\u00e9",
  "e\u0301",
  "x".repeat(2 ** 20),
];

for (const workflowId of ids) {
  Deno.test(`InMemoryStore accepts the ID ${show(workflowId)}`, async () => {
    const store = new InMemoryStore();
    for (const id of ids) await store.save({ workflowId: id, status: "completed", runId: "1", input: id });
    const others = ids.filter((id) => id !== workflowId);
    const idsOf = (states: readonly WorkflowState[]) => states.map((state) => state.workflowId);

    assertEquals((await store.load(workflowId))?.input, workflowId);
    await store.append({ workflowId, runId: "2", replaces: "1", expectedLength: 0, events: [started("again")] });
    await store.append({ workflowId, runId: "2", expectedLength: 1, events: [signal(workflowId)] });
    await store.update(workflowId, (state) => ({ ...state!, result: state!.workflowId }));
    assertEquals((await store.load(workflowId))?.result, workflowId);

    const filter = { idPrefix: workflowId, status: "running" } as const;
    assertEquals(idsOf(await store.list(filter)), [workflowId]);
    assertEquals(idsOf((await store.page(filter)).states), [workflowId]);
    assertEquals(idsOf(await Array.fromAsync(store.walk(filter))), [workflowId]);
    assertEquals(await store.count(filter), 1);

    const changes = store.watch({ id: workflowId });
    await store.delete(workflowId);
    assertEquals((await changes.next()).value, { workflowId, state: null, skipped: 0 });
    assertEquals([await store.load(workflowId), idsOf(await store.list())], [null, others]);
    changes.close();
  });
}

Deno.test("InMemoryStore.list() compares prefixes by code units, as startsWith() does", async () => {
  const store = new InMemoryStore();
  for (const workflowId of ["\u{1f600}", "\u00e9", "e\u0301"]) await store.save({ workflowId, status: "running" });
  const found = async (idPrefix: string) => (await store.list({ idPrefix })).map(({ workflowId }) => workflowId);
  assertEquals(await found("\ud83d"), ["\u{1f600}"]);
  assertEquals(await found("e"), ["e\u0301"]);
});

Deno.test("InMemoryStore shortens a long ID in a message", async () => {
  const store = new InMemoryStore();
  const workflowId = "x".repeat(2 ** 20);
  const error = await assertRejects(() => store.save({ workflowId, status: "done" as "running" }), TypeError);
  assert(error.message.length < 250, `${error.message.length}`);
});

const noIds = ["", undefined, null, 0, NaN, true, 1n, Symbol("a"), ["a"], new String("a"), () => "a"];
const takers: Record<string, (store: InMemoryStore, workflowId: string) => Promise<unknown>> = {
  save: (store, workflowId) => store.save({ workflowId, status: "running" }),
  load: (store, workflowId) => store.load(workflowId),
  delete: (store, workflowId) => store.delete(workflowId),
  append: (store, workflowId) => store.append({ workflowId, runId: "1", expectedLength: 0, events: [started()] }),
  update: (store, workflowId) => store.update(workflowId, () => ({ workflowId, status: "running" })),
};

for (const [method, call] of Object.entries(takers)) {
  Deno.test(`InMemoryStore.${method}() rejects a value that is no ID, and does not convert it`, async () => {
    const store = new InMemoryStore();
    let converted = 0;
    const convertible = { toString: () => `${++converted}`, valueOf: () => ++converted };
    for (const id of [...noIds, convertible]) {
      const error = await assertRejects(() => call(store, id as string), TypeError);
      assert(error.message.includes(`"workflowId" must be a non-empty string, got `), error.message);
    }
    assertEquals([store.size, converted], [0, 0]);
  });
}

// -------------------------------------------------------------------------------------------------- places for values

interface Place {
  /** The name of the value in an error's message. */
  readonly path: string;
  readonly put: (store: InMemoryStore, value: unknown) => Promise<unknown>;
  readonly take: (state: Anything) => Anything;
}

const save = (store: InMemoryStore, part: object) =>
  store.save({ workflowId: "a", status: "running", runId: "1", ...part });
const start = (store: InMemoryStore, ...events: WorkflowEvent[]) =>
  store.append({ workflowId: "a", runId: "2", replaces: store.size > 0 ? "1" : undefined, expectedLength: 0, events });
const error = { name: "Error", message: "m" };

const places: Record<string, Place> = {
  "input": {
    path: "input",
    put: (store, input) => save(store, { input }),
    take: (state) => state.input,
  },
  "result": {
    path: "result",
    put: (store, result) => save(store, { result }),
    take: (state) => state.result,
  },
  "the data of an error": {
    path: "error.data.value",
    put: (store, value) => save(store, { error: { ...error, data: { value } } }),
    take: (state) => state.error.data.value,
  },
  "a thrown value": {
    path: "error.thrown.value",
    put: (store, value) => save(store, { error: { ...error, thrown: { value } } }),
    take: (state) => state.error.thrown.value,
  },
  "a saved event": {
    path: "history[1].payload",
    put: (store, value) => save(store, { history: [started(), signal(value)] }),
    take: (state) => state.history[1].payload,
  },
  "an appended input": {
    path: "events[0].input",
    put: (store, value) => start(store, started(value)),
    take: (state) => state.input,
  },
  "an appended event": {
    path: "events[1].payload",
    put: (store, value) => start(store, started(), signal(value)),
    take: (state) => state.history[1].payload,
  },
  "an appended result": {
    path: "events[1].result",
    put: (store, result) => start(store, started(), { type: "workflow_completed", at: 2, result }),
    take: (state) => state.result,
  },
  "a state that update() saves": {
    path: "input",
    put: (store, input) => store.update("a", () => ({ workflowId: "a", status: "running", input })),
    take: (state) => state.input,
  },
};

/** Stores a value in a place and loads it. */
async function throughStore(value: unknown, { put, take }: Place = places.input): Promise<Anything> {
  const store = new InMemoryStore();
  await put(store, value);
  return take(await store.load("a"));
}

const keys = [
  "__proto__",
  "constructor",
  "prototype",
  "hasOwnProperty",
  "toString",
  "",
  "\0",
  "0",
  "-1",
  "4294967295",
  "length",
  "then",
  "\ud800",
  "a.b",
];

for (const [name, place] of Object.entries(places)) {
  Deno.test(`InMemoryStore keeps every key of a value in ${name}`, async () => {
    const value = JSON.parse(`{${keys.map((key) => `${JSON.stringify(key)}:{"polluted":true}`).join()}}`);
    const before = Reflect.ownKeys(Object.prototype);
    const stored = await throughStore(value, place);
    assertEquals(Object.keys(stored), Object.keys(value));
    for (const key of keys) {
      const part = Object.getOwnPropertyDescriptor(stored, key)!.value;
      assert(Object.isFrozen(part) && part.polluted);
    }
    assertStrictEquals(Object.getPrototypeOf(stored), Object.prototype);
    assertEquals(Reflect.ownKeys(Object.prototype), before);
  });

  Deno.test(`InMemoryStore rejects a function in ${name}, names the path, and changes nothing`, async () => {
    for (const present of [false, true]) {
      const store = new InMemoryStore();
      if (present) await store.save({ workflowId: "a", status: "completed", runId: "1", input: "old" });
      const before = await store.load("a");
      const error = await assertRejects(() => place.put(store, { deep: [() => {}] }), TypeError);
      assertEquals(error.message, `Cannot store ${place.path}.deep[0]: a function cannot be stored`);
      assertStrictEquals(await store.load("a"), before);
    }
  });

  Deno.test(`InMemoryStore copies nothing from a polluted Object.prototype into ${name}`, async () => {
    const polluted = { n: 1 };
    const prototype: Anything = Object.prototype;
    let stored;
    try {
      prototype.polluted = polluted;
      prototype.alsoPolluted = () => {};
      stored = await throughStore({ list: [{}], map: new Map([[{}, {}]]) }, place);
    } finally {
      delete prototype.polluted;
      delete prototype.alsoPolluted;
    }
    assertEquals(stored, { list: [{}], map: new Map([[{}, {}]]) });
    assertEquals([Object.isFrozen(polluted), polluted], [false, { n: 1 }]);
  });
}

Deno.test("InMemoryStore shows any key in the path to a refused value", async () => {
  const shown: [key: string, path: string][] = [
    ["__proto__", ".__proto__"],
    ["", '[""]'],
    ["\0", '["\\u0000"]'],
    ["\ud800", '["\\ud800"]'],
    ["0", '["0"]'],
    ["a.b", '["a.b"]'],
    ["x".repeat(1000), `.${"x".repeat(99)}…${"x".repeat(100)}`],
  ];
  for (const [key, path] of shown) {
    const value = Object.defineProperty({}, key, { value: boo, enumerable: true });
    const error = await assertRejects(() => throughStore(value), TypeError);
    assertEquals(error.message, `Cannot store input${path}: a function "boo" cannot be stored`);
  }
});

// -------------------------------------------------------------------------------------------------- values that can be stored

class Secret {
  #secret = 1;
  get shown() {
    return this.#secret;
  }
}
class Element {
  readonly tagName = "DIV";
  parent: Element | null = null;
  readonly children: Element[] = [];
  get firstChild() {
    return this.children[0];
  }
  append(child: Element) {
    child.parent = this;
    this.children.push(child);
  }
}
class Failure extends RangeError {
  override name = "Failure";
  code = 5;
}
const symbols = Object.defineProperty({ shown: 1, [Symbol("s")]: () => {} }, Symbol("t"), {
  get: () => ({}),
  enumerable: true,
});
const argumentsOf = function (..._: number[]) {
  return arguments;
};

const taken: [what: string, value: object, stored: unknown][] = [
  ["a class whose state is private", new Secret(), {}],
  ["hidden properties", Object.defineProperty({ shown: 1 }, "hidden", { value: () => {} }), { shown: 1 }],
  ["symbols for keys", symbols, { shown: 1 }],
  ["inherited properties", Object.assign(Object.create({ inherited: 1 }), { own: 1 }), { own: 1 }],
  ["no prototype", Object.assign(Object.create(null), { own: 1 }), { own: 1 }],
  ["a sealed object", Object.seal({ n: [1] }), { n: [1] }],
  ["a frozen object", Object.freeze({ n: [1] }), { n: [1] }],
  ["arguments", argumentsOf(1, 2), { 0: 1, 1: 2 }],
  ["a then that is no function", { then: 1, toJSON: "j" }, { then: 1, toJSON: "j" }],
  ["a boxed string", new String("s"), new String("s")],
  ["a boxed boolean", new Boolean(false), new Boolean(false)],
  ["a proxy of an array", new Proxy([1, [2]], {}), [1, [2]]],
  ["a proxy of an object", new Proxy({ n: [1] }, {}), { n: [1] }],
  ["a regular expression in use", Object.assign(/a/g, { lastIndex: 3 }), /a/g],
];

for (const [what, value, expected] of taken) {
  Deno.test(`InMemoryStore.save() stores ${what} as structured clone would copy it`, async () => {
    const [stored] = await throughStore([value]);
    assertEquals(stored, expected);
    assertNotStrictEquals(stored, value);
  });
}

Deno.test("InMemoryStore.save() stores the message, stack, cause and members of an error", async () => {
  const failure = new Failure("m", { cause: new AggregateError([1], "n") });
  const stored = await throughStore(failure);
  assertStrictEquals(Object.getPrototypeOf(stored), Error.prototype); // structured clone does not know "Failure"
  assertEquals([stored.message, stored.stack, stored.cause.message], ["m", failure.stack, "n"]);
  assertEquals([stored.code, stored.cause.errors], [undefined, [1]]);
});

Deno.test("InMemoryStore.save() accepts objects that refer to their parents", async () => {
  const root = new Element();
  root.append(new Element());
  const stored = await throughStore(root);
  assertStrictEquals(stored.children[0].parent, stored);
  assertEquals(Object.keys(stored), ["tagName", "parent", "children"]);
});

Deno.test("InMemoryStore.save() accepts a Blob, a File and a CryptoKey", async () => {
  const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 128 }, true, ["encrypt"]);
  const [blob, file, stored] = await throughStore([new Blob(["abc"], { type: "t" }), new File(["de"], "f"), key]);
  assertEquals([await blob.text(), blob.type, file.name, await file.text()], ["abc", "t", "f", "de"]);
  assertInstanceOf(stored, CryptoKey);
});

// -------------------------------------------------------------------------------------------------------- values that cannot

const boo = () => {
  throw new Error("boo");
};
const revoked = <T extends object>(target: T): T => {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
};
/** A proxy whose only key holds another such proxy. */
const deepProxy = (): object => new Proxy({ deeper: 1 }, { get: deepProxy });
const closedPort = () => {
  const { port1, port2 } = new MessageChannel();
  port1.close();
  port2.close();
  return port1;
};

const refused: Record<string, [make: () => unknown, why: string]> = {
  "a function": [() => () => {}, "a function cannot be stored"],
  "a method": [() => ({ toJSON() {} }).toJSON, 'a function "toJSON" cannot be stored'],
  "a class": [() => Secret, 'a function "Secret" cannot be stored'],
  "an async function": [() => async function f() {}, 'a function "f" cannot be stored'],
  "a bound function": [() => boo.bind(null), 'a function "bound boo" cannot be stored'],
  "a proxy of a function": [() => new Proxy(boo, {}), 'a function "boo" cannot be stored'],
  "a symbol": [() => Symbol.iterator, "Symbol(Symbol.iterator) cannot be stored"],
  "a boxed symbol": [() => Object(Symbol("s")), "a Symbol cannot be stored"],
  "a promise": [() => Promise.resolve(1), "a Promise cannot be stored"],
  "a weak map": [() => new WeakMap(), "a WeakMap cannot be stored"],
  "a weak set": [() => new WeakSet(), "a WeakSet cannot be stored"],
  "a weak reference": [() => new WeakRef({}), "a WeakRef cannot be stored"],
  "a registry": [() => new FinalizationRegistry(() => {}), "a FinalizationRegistry cannot be stored"],
  "a generator": [() => (function* () {})(), "an object cannot be stored"],
  "an iterator": [() => [1].values(), "an Iterator cannot be stored"],
  "a formatter": [() => new Intl.NumberFormat("en"), "a NumberFormat cannot be stored"],
  "a Request": [() => new Request("http://a"), "a Request cannot be stored"],
  "a Response": [() => new Response("text"), "a Response cannot be stored"],
  "Headers": [() => new Headers({ a: "b" }), "a Headers cannot be stored"],
  "a URL": [() => new URL("http://a"), "a URL cannot be stored"],
  "URLSearchParams": [() => new URLSearchParams("a=b"), "a URLSearchParams cannot be stored"],
  "FormData": [() => new FormData(), "a FormData cannot be stored"],
  "an Event": [() => new Event("click"), "an Event cannot be stored"],
  "a CustomEvent": [() => new CustomEvent("c", { detail: 1 }), "a CustomEvent cannot be stored"],
  "an EventTarget": [() => new EventTarget(), "an EventTarget cannot be stored"],
  "an AbortController": [() => new AbortController(), "an AbortController cannot be stored"],
  "an AbortSignal": [() => AbortSignal.abort(), "an AbortSignal cannot be stored"],
  "a stream": [() => new ReadableStream(), "a ReadableStream cannot be stored"],
  "a MessagePort": [closedPort, "a MessagePort cannot be stored"],
  "a TextDecoder": [() => new TextDecoder(), "a TextDecoder cannot be stored"],
  "shared memory": [() => new SharedArrayBuffer(1), "shared memory cannot be stored"],
  "a proxy of a Date": [() => new Proxy(new Date(5), {}), "an object that looks like a Date cannot be stored"],
  "a proxy of a Map": [() => new Proxy(new Map([[1, 2]]), {}), "reading it threw"],
  "a revoked proxy": [() => revoked({}), "reading it threw"],
  "a revoked proxy of an array": [() => revoked([]), "reading it threw"],
  "a proxy without keys": [() => new Proxy({ n: 1 }, { ownKeys: boo }), "reading it threw"],
  "a proxy without descriptors": [() => new Proxy({ n: 1 }, { getOwnPropertyDescriptor: boo }), "reading it threw"],
  "a proxy without values": [() => new Proxy([1], { get: boo }), "reading it threw"],
  "a proxy without a prototype": [() => new Proxy({}, { getPrototypeOf: boo }), "reading it threw"],
  "a proxy without a bottom": [deepProxy, "it is nested more than 1000 levels deep"],
};

for (const [what, [make, why]] of Object.entries(refused)) {
  Deno.test(`InMemoryStore.save() rejects ${what}, and changes nothing`, async () => {
    const store = new InMemoryStore();
    await store.save({ workflowId: "a", status: "running", input: "old" });
    const before = await store.load("a");
    const save = () => store.save({ workflowId: "a", status: "failed", result: "new", input: { list: [1, make()] } });
    const error = await assertRejects(save, TypeError);
    assert(error.message.startsWith("Cannot store input.list[1]"), error.message);
    assert(error.message.endsWith(`: ${why}`), error.message);
    assertStrictEquals(await store.load("a"), before);
  });
}

for (const thrown of [undefined, null, "text"]) {
  Deno.test(`InMemoryStore.save() rejects with a TypeError when a getter throws ${show(thrown)}`, async () => {
    const value = Object.defineProperty({}, "n", {
      get() {
        throw thrown;
      },
      enumerable: true,
    });
    const error = await assertRejects(() => throughStore(value), TypeError);
    assertEquals(error.message, "Cannot store input.n: reading it threw");
    assertStrictEquals(error.cause, thrown);
  });
}

Deno.test("InMemoryStore.save() reads the keys of a proxy once, and each value once", async () => {
  const asked: string[] = [];
  const proxy = new Proxy<Record<string, number>>({}, {
    ownKeys: () => asked.length === 0 ? (asked.push("keys"), ["a", "b"]) : ["c"],
    getOwnPropertyDescriptor: () => ({ value: 0, enumerable: true, configurable: true }),
    get: (_, key) => asked.push(String(key)),
  });
  assertEquals(await throughStore({ proxy }), { proxy: { a: 2, b: 3 } });
  assertEquals(asked, ["keys", "a", "b"]);
});

Deno.test("InMemoryStore.save() stores the remaining properties when a getter deletes others", async () => {
  const value: Anything = {
    get first() {
      delete value.second;
      value.third = 3;
      return 1;
    },
    second: 2,
  };
  assertEquals(await throughStore(value), { first: 1 });
});

Deno.test("InMemoryStore reads every field of a state and of a batch once", async () => {
  const store = new InMemoryStore();
  const reads: Record<string, number> = {};
  const once = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(target, key) {
        reads[String(key)] = (reads[String(key)] ?? 0) + 1;
        return reads[String(key)] === 1 ? Reflect.get(target, key) : "another answer";
      },
    });
  await store.save(once<WorkflowStateInit>({ workflowId: "a", status: "running", runId: "1", updatedAt: 1 }));
  assertEquals([...new Set(Object.values(reads))], [1]);
  for (const key of Object.keys(reads)) delete reads[key];
  await store.append(once({ workflowId: "b", runId: "1", expectedLength: 0, events: [started()] }));
  assertEquals([...new Set(Object.values(reads))], [1]);
  assertEquals((await store.list()).map(({ workflowId, status }) => workflowId + status), ["arunning", "brunning"]);
});

// ------------------------------------------------------------------------------------------------ cycles and depth

for (const [name, place] of Object.entries(places)) {
  Deno.test(`InMemoryStore keeps the cycles of a value in ${name}`, async () => {
    const root: Anything = { list: [], map: new Map(), set: new Set() };
    root.self = root;
    root.list.push(root.list, root);
    root.map.set(root, root.map).set("list", root.list);
    root.set.add(root).add(root.set);
    const stored = await throughStore(root, place);
    assertStrictEquals(stored.self, stored);
    assertStrictEquals(stored.list[0], stored.list);
    assertStrictEquals(stored.map.get(stored), stored.map);
    assertStrictEquals(stored.map.get("list")[1], stored);
    assert(stored.set.has(stored) && stored.set.has(stored.set));
    assertNotStrictEquals(stored, root);
  });

  Deno.test(`InMemoryStore accepts 990 levels of nesting in ${name}, and rejects 1,001 and 100,000`, async () => {
    assertEquals(depthOf(await throughStore(nested(990), place)), 990);
    for (const depth of [1_001, 100_000]) {
      const error = await assertRejects(() => throughStore(nested(depth), place), TypeError);
      assert(error.message.endsWith(": it is nested more than 1000 levels deep"), error.message.slice(-100));
    }
  });
}

/** An object inside this number of others. */
function nested(depth: number): object {
  let value = {};
  for (let i = 0; i < depth; i++) value = { value };
  return value;
}

function depthOf(value: Anything): number {
  let depth = 0;
  for (; "value" in value; value = value.value) depth++;
  return depth;
}

Deno.test("InMemoryStore.save() accepts an input that is nested 1,000 levels deep", async () => {
  assertEquals(depthOf(await throughStore(nested(1_000))), 1_000);
});

Deno.test("InMemoryStore.save() accepts a cycle through the input and the history", async () => {
  const store = new InMemoryStore();
  const input: Anything = { history: [] };
  input.history.push(signal(input));
  await store.save({ workflowId: "a", status: "running", input, history: input.history });
  const state = (await store.load("a")) as Anything;
  assertStrictEquals(state.input.history[0].payload, state.input);
  assertStrictEquals(state.history[0].payload.history[0], state.history[0]);
});

const wraps: Record<string, (value: unknown) => unknown> = {
  "arrays": (value) => [value],
  "keys of maps": (value) => new Map([[value, 1]]),
  "sets": (value) => new Set([value]),
  "causes": (value) => new Error("m", { cause: value }),
  "instances of a class with a tag": (value) => ({ value, __proto__: { [Symbol.toStringTag]: "Tagged" } }),
};

for (const [what, wrap] of Object.entries(wraps)) {
  Deno.test(`InMemoryStore.save() rejects 100,000 levels of ${what}`, async () => {
    let value: unknown = 1;
    for (let i = 0; i < 100_000; i++) value = wrap(value);
    const error = await assertRejects(() => throughStore(value), TypeError);
    assert(error.message.endsWith(": it is nested more than 1000 levels deep"), error.message.slice(-100));
  });
}

Deno.test("InMemoryStore.save() stores an error that is its own cause", async () => {
  const error = new Error("m");
  error.cause = error;
  const stored = await throughStore({ error });
  assertStrictEquals(stored.error.cause, stored.error);
});

// ------------------------------------------------------------------------------------------------ large amounts

Deno.test("InMemoryStore keeps a string of 10 MB", async () => {
  const text = "\ud800x".repeat(5 * 2 ** 20);
  assert(await throughStore(text) === text);
});

Deno.test("InMemoryStore keeps 10 MB of bytes", async () => {
  const bytes = Uint8Array.from({ length: 10 * 2 ** 20 }, (_, i) => i);
  const stored = await throughStore(bytes);
  assert(stored.length === bytes.length && stored.every((byte: number, i: number) => byte === bytes[i]));
});

Deno.test("InMemoryStore keeps an array of a million numbers", async () => {
  const numbers = Array.from({ length: 1_000_000 }, (_, i) => i / 2);
  const stored = await throughStore(numbers);
  assert(stored.length === numbers.length && stored.every((n: number, i: number) => n === numbers[i]));
});

Deno.test("InMemoryStore keeps an object of 100,000 keys", async () => {
  const value = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`key ${i}`, { i }]));
  const stored = await throughStore(value);
  assertEquals(Object.keys(stored), Object.keys(value));
  assert(Object.values(stored).every((part, i) => (part as Anything).i === i));
});

/** An array of the maximum length, with one item. */
const sparse = (...items: unknown[]): Anything => Object.assign(items, { 4294967294: items[0] });

for (const [name, place] of Object.entries(places)) {
  Deno.test(`InMemoryStore rejects billions of holes in ${name}`, async () => {
    const error = await assertRejects(() => throughStore({ list: sparse(1) }, place), TypeError);
    assertEquals(error.message, `Cannot store ${place.path}.list: it has more than 1000000 holes`);
  });
}

Deno.test("InMemoryStore rejects billions of holes among events", async () => {
  const store = new InMemoryStore();
  const why = `"event" must be an object, got undefined`;
  const saved = await assertRejects(() =>
    store.save({ workflowId: "a", status: "running", history: sparse(signal(1)) })
  );
  assertEquals((saved as Error).message, `Cannot store history[1]: ${why}`);
  const batch = { workflowId: "a", runId: "1", expectedLength: 0, events: sparse(started()) };
  const appended = await assertRejects(() => store.append(batch), TypeError);
  assertEquals([appended.message, store.size], [`Cannot store events[1]: ${why}`, 0]);
});

Deno.test("InMemoryStore.list() rejects billions of holes among statuses", async () => {
  const error = await assertRejects(() => new InMemoryStore().list({ status: sparse("running") }), TypeError);
  assert(error.message.endsWith("got undefined"), error.message);
});

const MANY = 1_000_000;

Deno.test("InMemoryStore keeps, finds and deletes a million workflows", async () => {
  const store = new InMemoryStore();
  const every = MANY / 10;
  for (let i = 0; i < MANY; i++) {
    const saved = store.save({ workflowId: `w${i}`, status: i % every === 5 ? "running" : "completed", input: i });
    if (i % 1_000 === 0) await saved;
  }
  const running = Array.from({ length: 10 }, (_, i) => `w${i * every + 5}`);
  const idsOf = (states: readonly WorkflowState[]) => states.map(({ workflowId }) => workflowId);
  assertEquals(idsOf(await store.list({ status: "running" })), running);
  assertEquals(await store.count({ status: "completed" }), MANY - 10);
  assertEquals(await store.count({ idPrefix: "w1" }), countFrom1(MANY));

  const walk = store.walk({ order: "desc" });
  assertEquals((await walk.next()).value?.workflowId, `w${MANY - 1}`);
  let { states, cursor } = await store.page({ limit: MANY / 2 });
  ({ states, cursor } = await store.page({ limit: 3, cursor }));
  assertEquals(states.map(({ input }) => input), [MANY / 2, MANY / 2 + 1, MANY / 2 + 2]);

  for (let i = 0; i < MANY; i++) {
    const deleted = i % every === 5 ? undefined : store.delete(`w${i}`);
    if (i % 1_000 === 0) await deleted;
  }
  assertEquals(idsOf(await store.list()), running);
  assertEquals(idsOf((await store.page({ limit: 3, cursor })).states), running.slice(5, 8));
  assertEquals(idsOf(await Array.fromAsync(walk)), running.toReversed());
  assertEquals([store.size, await store.count({ status: "completed" })], [10, 0]);
});

/** The number of integers below `limit` that begin with 1. */
function countFrom1(limit: number): number {
  let count = 0;
  for (let i = 0; i < limit; i++) if (`${i}`.startsWith("1")) count++;
  return count;
}
