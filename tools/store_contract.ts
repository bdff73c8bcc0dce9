/**
 * The contract of `WorkflowStore`, sentence by sentence: what any store must do, and nothing that only one of them does.
 *
 * A case is a name, which is a sentence of the port's doc comment or a part of one, and a function that rejects if the
 * sentence is not true of the stores that it is given the maker of. No case depends on a clock, on a runner or on
 * another case. Two sentences are not here, since no case could tell: what an append costs, and what a listener that throws
 * does to nobody. One long module on purpose: whoever writes a store reads all of it.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type AppendBatch,
  WorkflowError,
  type WorkflowEvent,
  type WorkflowFilter,
  type WorkflowState,
  type WorkflowStateInit,
  type WorkflowStatus,
  type WorkflowStore,
} from "@rockpool/workflow";

/** One sentence of the contract. */
export interface ContractCase {
  /** The sentence. */
  readonly name: string;
  /** Rejects if the sentence is not true. Every call of `makeStore` answers a new, empty store. */
  readonly run: (makeStore: () => WorkflowStore) => Promise<void>;
}

// deno-lint-ignore no-explicit-any
type Anything = any;

const started: WorkflowEvent = { type: "workflow_started", at: 1, workflowName: "w", input: "in" };
const fired = (at: number): WorkflowEvent => ({ type: "timer_fired", at, seq: 0 });
const signal = (payload: unknown): WorkflowEvent => ({
  type: "signal_received",
  at: 2,
  name: "s",
  signalId: "1",
  payload,
});
const error = { name: "Error", message: "late", data: { tags: ["x"] } };
const completed: WorkflowEvent = { type: "workflow_completed", at: 9, result: "out" };
const failed: WorkflowEvent = { type: "workflow_failed", at: 9, error };
const canceled: WorkflowEvent = { type: "workflow_canceled", at: 9, error };

/** A batch that starts run "1" of workflow "a", but for what the case says. */
const batch = (part: Partial<AppendBatch> = {}): AppendBatch => ({
  workflowId: "a",
  runId: "1",
  expectedLength: 0,
  events: [started],
  ...part,
});

const everyField: WorkflowStateInit = {
  workflowId: "a",
  runId: "1",
  workflowName: "w",
  status: "failed",
  input: { list: [{ n: 1 }] },
  labels: { customer: "7", "": "" },
  result: [[1]],
  error,
  history: [started, signal({ list: [1] })],
  createdAt: -1,
  updatedAt: 0.5,
};

/** A state with something in every field, of which every part is new. */
const whole = (part: Partial<WorkflowStateInit> = {}): WorkflowStateInit => ({
  ...structuredClone(everyField),
  ...part,
});

/** Starts run "1" of workflow "a" with these events. */
async function startedIn(makeStore: () => WorkflowStore, ...events: WorkflowEvent[]): Promise<WorkflowStore> {
  const store = makeStore();
  await store.append(batch({ events: [started, ...events] }));
  return store;
}

/** Saves workflows with these IDs, one after the other. */
async function holding(store: WorkflowStore, ...ids: string[]): Promise<WorkflowStore> {
  for (const workflowId of ids) await store.save({ workflowId, runId: "1", status: "completed" });
  return store;
}

async function idsOf(store: WorkflowStore, filter?: WorkflowFilter): Promise<string[]> {
  return (await store.list(filter)).map(({ workflowId }) => workflowId);
}

async function rejectsWithConflict(store: WorkflowStore, part: Partial<AppendBatch>): Promise<void> {
  const before = await store.load("a");
  const { code } = await assertRejects(() => store.append(batch(part)), WorkflowError);
  assertEquals(code, "conflict");
  assertEquals(await store.load("a"), before);
}

/** Changes what it can of a value and of all its parts. */
function change(value: Anything, seen: Set<unknown> = new Set()): void {
  if (typeof value !== "object" || value === null || seen.has(value)) return;
  seen.add(value);
  for (const key of Object.keys(value)) {
    change(value[key], seen);
    try {
      value[key] = "changed";
      delete value[key];
    } catch {
      // frozen
    }
  }
  for (const call of [() => value.push("changed"), () => value.setTime(6), () => value.clear(), () => value.fill(9)]) {
    try {
      call();
    } catch {
      // frozen, or of another kind
    }
  }
}

const everyMethod: Record<string, (store: WorkflowStore, workflowId: string) => Promise<unknown>> = {
  save: (store, workflowId) => store.save({ workflowId, status: "running" }),
  load: (store, workflowId) => store.load(workflowId),
  delete: (store, workflowId) => store.delete(workflowId),
  append: (store, workflowId) => store.append(batch({ workflowId })),
};

/** Values of every kind that structured clone takes, new ones at every call. */
function storable(): unknown[] {
  const cyclic: Anything = { shared: { n: 1 } };
  cyclic.list = [cyclic, cyclic.shared];
  return [
    undefined,
    null,
    true,
    -1.5,
    Infinity,
    10n ** 20n,
    "\ud800",
    { a: undefined, "": 1, "0": 2, "\0": [] },
    JSON.parse('{"__proto__": {"n": 1}}'),
    [undefined, [null]],
    new Date(5),
    new Map<unknown, unknown>([["k", { n: 1 }], [1, new Set([1n])]]),
    new Uint8Array([1, 2]),
    new Float64Array([0.5]).buffer,
    cyclic,
  ];
}

/** Where a value can stand: how to write it there, and where it is found. */
const places: Record<string, [(store: WorkflowStore, value: unknown) => Promise<void>, (state: Anything) => unknown]> =
  {
    "input": [(store, input) => store.save(whole({ input })), (state) => state.input],
    "result": [(store, result) => store.save(whole({ result })), (state) => state.result],
    "error.data": [
      (store, value) => store.save(whole({ error: { name: "Error", message: "m", data: { value } } })),
      (state) => state.error.data.value,
    ],
    "history": [
      (store, value) => store.save(whole({ history: [started, signal(value)] })),
      (state) => state.history[1].payload,
    ],
    "events[0].input": [
      (store, input) => store.append(batch({ runId: "2", replaces: "1", events: [{ ...started, input }] })),
      (state) => state.input,
    ],
    "events[1]": [
      (store, value) => store.append(batch({ runId: "2", replaces: "1", events: [started, signal(value)] })),
      (state) => state.history[1].payload,
    ],
  };

// -------------------------------------------------------------------------------------------------------- every method

const everyCase: ContractCase[] = [
  {
    name: "every method takes effect as one atomic step",
    async run(makeStore) {
      const store = await startedIn(makeStore);
      const calls: Promise<unknown>[] = [];
      const seen: (WorkflowState | null)[] = [];
      const look = () => {
        calls.push(store.load("a").then((state) => seen.push(state)));
        calls.push(store.list().then(([state]) => seen.push(state)));
      };
      for (let i = 1; i < 20; i += 2) {
        look();
        calls.push(store.append(batch({ expectedLength: i, events: [fired(i), fired(i + 1)] })));
        look();
        await Promise.all(calls);
      }
      calls.push(store.append(batch({ expectedLength: 21, events: [fired(8), completed] })));
      look();
      calls.push(store.append(batch({ runId: "2", events: [{ ...started, workflowName: "v" }], replaces: "1" })));
      look();
      await Promise.all(calls);
      for (const state of seen) {
        assert(state !== null && state.history.length % 2 === 1, "half of a batch");
        assertEquals(
          [state.status, state.result],
          state.history.length === 23 ? ["completed", "out"] : [
            "running",
            undefined,
          ],
        );
        assertEquals(state.workflowName, state.runId === "1" ? "w" : "v");
      }
    },
  },
  {
    name: "every method shows its effect to whoever calls after it has settled",
    async run(makeStore) {
      const store = makeStore();
      for (let i = 0; i < 20; i++) {
        await store.save({ workflowId: "a", status: i % 2 ? "completed" : "running", runId: `${i}`, input: i });
        assertEquals((await store.load("a"))?.input, i);
        assertEquals((await store.list({ status: i % 2 ? "completed" : "running" })).length, 1);
        if (i % 2) await store.append(batch({ runId: `new ${i}`, replaces: `${i}` }));
        assertEquals((await store.load("a"))?.runId, i % 2 ? `new ${i}` : `${i}`);
        await store.delete("a");
        assertEquals([await store.load("a"), await store.list()], [null, []]);
      }
    },
  },
  {
    name: "every method rejects and does not throw",
    async run(makeStore) {
      const store = makeStore();
      const calls = [
        () => store.save(null!),
        () => store.load(""),
        () => store.list({ limit: -1 }),
        () => store.delete(""),
        () => store.append(null!),
      ];
      for (const call of calls) {
        let answer: Promise<unknown> | undefined;
        try {
          answer = call();
        } catch (error) {
          throw new Error("Expected the call to answer a promise, but it threw", { cause: error });
        }
        await assertRejects(() => answer!);
      }
    },
  },
  {
    name: "every method rejects an ID that is empty or no string with a TypeError",
    async run(makeStore) {
      const store = await holding(makeStore(), "a");
      for (const call of Object.values(everyMethod)) {
        for (const id of ["", undefined, null, 1, ["a"], new String("a")]) {
          await assertRejects(() => call(store, id as string), TypeError);
        }
      }
      assertEquals(await idsOf(store), ["a"]);
    },
  },
  {
    name: "every method tells IDs apart as strings are, whatever they contain",
    async run(makeStore) {
      const store = makeStore();
      const ids = [" ", "A", "a", "__proto__", "constructor", "\0", "a\0", "a/b\n", "..", "%00", "\u00e9", "e\u0301"];
      ids.push("\ud83d", "\u{1f600}", "x".repeat(10_000), `${"x".repeat(10_000)}y`);
      for (const workflowId of ids) {
        await store.append(batch({ workflowId, events: [{ ...started, input: workflowId }] }));
      }
      assertEquals(await idsOf(store), ids);
      for (const id of ids) assertEquals((await store.load(id))?.input, id);
      for (const id of ids) await store.save({ workflowId: id, status: "failed", result: id });
      for (const id of ids) {
        assertEquals((await store.load(id))?.result, id);
        await store.delete(id);
        assertEquals(await store.load(id), null);
      }
    },
  },
  ...Object.entries(places).flatMap(([place, [put, take]]): ContractCase[] => [
    {
      name: `values in ${place} are what structured clone takes`,
      async run(makeStore) {
        for (const value of [...storable(), storable()]) {
          const store = makeStore();
          await store.save(whole());
          await put(store, value);
          const stored: Anything = take(await store.load("a"));
          assertEquals(stored, value);
          if (value instanceof Uint8Array) assertEquals([...stored], [...value]);
        }
      },
    },
    {
      name: `a value in ${place} that is none of them is refused with the path to it, and nothing has changed`,
      async run(makeStore) {
        const store = makeStore();
        await store.save(whole());
        const before = await store.load("a");
        const values = [() => {}, Symbol("s"), Promise.resolve(), new WeakMap(), {
          get n() {
            throw new Error("boo");
          },
        }];
        for (const value of values) {
          const { message } = await assertRejects(() => put(store, { deep: [1, value] }), TypeError);
          assert(message.includes(".deep[1]"), message);
          assertEquals(await store.load("a"), before);
        }
      },
    },
    {
      name: `what is given in ${place} is copied at the call: later changes do not reach the store`,
      async run(makeStore) {
        for (let i = 0; i < storable().length; i++) {
          const store = makeStore();
          await store.save(whole());
          const given = { value: storable()[i] };
          const written = put(store, given);
          change(given);
          await written;
          assertEquals(take(await store.load("a")), { value: storable()[i] });
        }
      },
    },
  ]),
  {
    name: "what is given in the fields of a state and of a batch is copied at the call",
    async run(makeStore) {
      const store = makeStore();
      const state: Anything = whole();
      const saved = store.save(state);
      change(state);
      await saved;
      assertEquals(await store.load("a"), whole() as WorkflowState);
      const given: Anything = batch({ workflowId: "b", events: [{ ...started }] });
      const appended = store.append(given);
      change(given);
      await appended;
      assertEquals((await store.load("b"))?.history, [started]);
    },
  },
  {
    name: "what is answered can be changed by nobody: changes do not reach the store",
    async run(makeStore) {
      const store = makeStore();
      const expected = () =>
        whole({ input: { list: [{ n: 1 }], date: new Date(5), map: new Map([["k", { n: 1 }]]) } }) as WorkflowState;
      await store.save(expected());
      for (const answer of [await store.load("a"), ...await store.list()]) {
        change(answer);
        assertEquals([await store.load("a"), await store.list()], [expected(), [expected()]]);
      }
    },
  },
];

// ---------------------------------------------------------------------------------------------------------------- save

const saveCases: ContractCase[] = [
  {
    name: "save() writes the whole state of a workflow",
    async run(makeStore) {
      const store = makeStore();
      await store.save(whole());
      assertEquals(await store.load("a"), whole() as WorkflowState);
    },
  },
  {
    name: "save() replaces what is stored",
    async run(makeStore) {
      const store = makeStore();
      await store.save(whole());
      await store.save({ workflowId: "a", status: "running", updatedAt: 3 });
      assertEquals(await store.list(), [{
        workflowId: "a",
        runId: "",
        workflowName: "",
        status: "running",
        history: [],
        createdAt: -1,
        updatedAt: 3,
      }]);
    },
  },
  {
    name: "save() gives what the argument leaves out its default",
    async run(makeStore) {
      const store = makeStore();
      await store.save({ workflowId: "a", status: "failed" });
      const { createdAt, updatedAt, ...rest } = (await store.load("a"))!;
      assertEquals(rest, { workflowId: "a", runId: "", workflowName: "", status: "failed", history: [] });
      assert(Number.isFinite(createdAt) && Number.isFinite(updatedAt), `${createdAt}, ${updatedAt}`);
    },
  },
  {
    name: "save() takes undefined for left out",
    async run(makeStore) {
      const store = makeStore();
      const absent = Object.fromEntries(Object.keys(whole()).map((key) => [key, undefined]));
      await store.save({ ...absent, workflowId: "a", status: "running" });
      const keys = ["createdAt", "history", "runId", "status", "updatedAt", "workflowId", "workflowName"];
      assertEquals(Object.keys((await store.load("a"))!).sort(), keys);
    },
  },
  {
    name: "save() lets createdAt survive when the argument leaves it out",
    async run(makeStore) {
      const store = makeStore();
      await store.save({ workflowId: "a", status: "running", createdAt: -7 });
      await store.save({ workflowId: "a", status: "completed" });
      assertEquals((await store.load("a"))?.createdAt, -7);
    },
  },
  {
    name: "save() writes the createdAt that it is given",
    async run(makeStore) {
      const store = makeStore();
      await store.save({ workflowId: "a", status: "running", createdAt: 1 });
      await store.save({ workflowId: "a", status: "running", createdAt: 2 });
      assertEquals((await store.load("a"))?.createdAt, 2);
    },
  },
  {
    name: "save() puts a new workflow last in the order of creation",
    async run(makeStore) {
      const store = await holding(makeStore(), "b", "c");
      await store.save({ workflowId: "a", status: "running", createdAt: -1e9 });
      assertEquals(await idsOf(store), ["b", "c", "a"]);
    },
  },
  {
    name: "save() keeps the place of a workflow that is stored",
    async run(makeStore) {
      const store = await holding(makeStore(), "a", "b", "c");
      await store.save({ workflowId: "a", status: "running", runId: "2", createdAt: 8e15 });
      assertEquals(await idsOf(store), ["a", "b", "c"]);
    },
  },
  {
    name: "save() changes nothing when it saves the same again",
    async run(makeStore) {
      const store = makeStore();
      await store.save(whole());
      const before = (await store.load("a"))!;
      await store.save(whole());
      await store.save(before);
      assertEquals([await store.load("a"), await store.list()], [before, [before]]);
    },
  },
  {
    name: "save() rejects a state that is malformed with a TypeError, and nothing has changed",
    async run(makeStore) {
      const store = makeStore();
      await store.save(whole());
      const parts: Anything[] = [
        { status: undefined },
        { status: "done" },
        { status: "constructor" },
        { runId: 1 },
        { workflowName: null },
        { labels: null },
        { labels: ["7"] },
        { labels: new Map([["customer", "7"]]) },
        { labels: { customer: 7 } },
        { labels: { customer: undefined } },
        { history: {} },
        { history: [undefined] },
        { history: [started, { type: "x", at: 1 }] },
        { history: [{ type: "timer_fired", seq: 0 }] },
        { createdAt: NaN },
        { updatedAt: null },
      ];
      for (const state of [undefined, "a", ...parts.map((part) => whole({ status: "running", ...part }))]) {
        await assertRejects(() => store.save(state as WorkflowStateInit), TypeError);
        assertEquals(await store.list(), [whole() as WorkflowState]);
      }
    },
  },
];

// ------------------------------------------------------------------------------------------------------ load and delete

const loadAndDeleteCases: ContractCase[] = [
  {
    name: "load() answers the stored state",
    async run(makeStore) {
      const store = await holding(makeStore(), "b");
      await store.save(whole());
      assertEquals(await store.load("a"), whole() as WorkflowState);
    },
  },
  {
    name: "load() answers null if there is none",
    async run(makeStore) {
      assertEquals(await (await holding(makeStore(), "b")).load("a"), null);
    },
  },
  {
    name: "load() and list() do not change anything",
    async run(makeStore) {
      const store = await startedIn(makeStore, fired(2));
      const before = structuredClone((await store.load("a"))!);
      for (let i = 0; i < 3; i++) assertEquals([await store.load("a"), await store.list()], [before, [before]]);
      await store.append(batch({ expectedLength: 2, events: [completed] }));
    },
  },
  {
    name: "delete() forgets a workflow",
    async run(makeStore) {
      const store = await holding(makeStore(), "a", "b");
      await store.delete("a");
      assertEquals([await store.load("a"), await idsOf(store)], [null, ["b"]]);
      assertEquals(await idsOf(store, { status: "completed" }), ["b"]);
    },
  },
  {
    name: "delete() forgets a workflow's place in the order of creation",
    async run(makeStore) {
      const store = await holding(makeStore(), "a", "b");
      await store.delete("a");
      await holding(store, "a");
      assertEquals(await idsOf(store), ["b", "a"]);
    },
  },
  {
    name: "delete() forgets a workflow's createdAt",
    async run(makeStore) {
      const store = makeStore();
      await store.save({ workflowId: "a", status: "running", createdAt: -7 });
      await store.delete("a");
      await store.save({ workflowId: "a", status: "running" });
      assert((await store.load("a"))?.createdAt !== -7);
    },
  },
  {
    name: "delete() does nothing if the workflow is not stored",
    async run(makeStore) {
      const store = await holding(makeStore(), "b");
      await store.delete("a");
      await store.delete("a");
      assertEquals(await idsOf(store), ["b"]);
    },
  },
  {
    name: "delete() leaves what was answered before as it was",
    async run(makeStore) {
      const store = makeStore();
      await store.save(whole());
      const state = await store.load("a");
      await store.delete("a");
      assertEquals(state, whole() as WorkflowState);
    },
  },
];

// ---------------------------------------------------------------------------------------------------------------- list

/** A store with workflows of every status and two names, created one after the other; the last digits are the times. */
async function assorted(makeStore: () => WorkflowStore): Promise<WorkflowStore> {
  const store = makeStore();
  const statuses = ["running", "completed", "failed", "canceled"] as const;
  for (let i = 0; i < 8; i++) {
    const workflowId = `${i % 2 ? "odd" : "even"}-${i}`;
    const labels = i === 0 ? undefined : { parity: `${i % 2}`, half: i < 4 ? "first" : "second" };
    await store.save({ workflowId, status: statuses[i % 4], workflowName: i < 4 ? "v" : "w", labels, createdAt: i });
  }
  return store;
}

const matching: Record<string, [filter: WorkflowFilter, digits: string][]> = {
  "list() answers every state without a filter": [
    [{}, "01234567"],
    [{ status: undefined, limit: undefined, idPrefix: undefined, order: undefined }, "01234567"],
  ],
  "list() answers the states of one status, of several, and of none": [
    [{ status: "failed" }, "26"],
    [{ status: ["canceled", "running", "running"] }, "0347"],
    [{ status: [] }, ""],
  ],
  "list() answers the states that are registered under the name": [
    [{ workflowName: "v" }, "0123"],
    [{ workflowName: "" }, ""],
  ],
  "list() answers the states whose ID begins with the prefix": [
    [{ idPrefix: "odd-" }, "1357"],
    [{ idPrefix: "odd-3" }, "3"],
    [{ idPrefix: "" }, "01234567"],
    [{ idPrefix: "ODD" }, ""],
  ],
  "list() answers the states that have all labels": [
    [{ labels: { parity: "1" } }, "1357"],
    [{ labels: { parity: "0", half: "first" } }, "2"],
    [{ labels: { parity: "" } }, ""],
    [{ labels: { parity: "1", other: "1" } }, ""],
    [{ labels: { constructor: "1" } }, ""],
    [{ labels: {} }, "01234567"],
    [{ labels: { half: "second" }, status: "completed" }, "5"],
  ],
  "list() answers the states that were created later and earlier than the times": [
    [{ createdAfter: 4 }, "567"],
    [{ createdBefore: 4 }, "0123"],
    [{ createdAfter: 2, createdBefore: 5 }, "34"],
  ],
  "list() answers the states that have everything that is given": [
    [{ status: ["running", "completed"], workflowName: "w", idPrefix: "odd", createdAfter: 0 }, "5"],
    [{ status: "running", idPrefix: "odd" }, ""],
  ],
  "list() answers the states the other way round if the filter says so": [
    [{ order: "desc" }, "76543210"],
    [{ order: "desc", status: "completed" }, "51"],
    [{ order: "asc" }, "01234567"],
  ],
  "list() answers the first of what matches, as many as the limit says": [
    [{ limit: 2 }, "01"],
    [{ limit: 1, status: "failed" }, "2"],
    [{ limit: 3, order: "desc", workflowName: "v" }, "321"],
    [{ limit: 8 }, "01234567"],
    [{ limit: 9 }, "01234567"],
    [{ limit: Infinity, status: "completed" }, "15"],
  ],
  "list() answers nothing when the limit is 0": [
    [{ limit: 0 }, ""],
    [{ limit: -0, status: "running" }, ""],
  ],
};

const listCases: ContractCase[] = [
  ...Object.entries(matching).map(([name, filters]): ContractCase => ({
    name,
    async run(makeStore) {
      const store = await assorted(makeStore);
      for (const [filter, digits] of filters) {
        assertEquals((await idsOf(store, filter)).map((id) => id.at(-1)).join(""), digits, JSON.stringify(filter));
      }
    },
  })),
  {
    name: "list() answers an empty array when nothing is stored",
    async run(makeStore) {
      assertEquals(await makeStore().list(), []);
    },
  },
  {
    name: "list() answers whole states",
    async run(makeStore) {
      const store = makeStore();
      await store.save(whole());
      assertEquals(await store.list(), [whole() as WorkflowState]);
    },
  },
  {
    name: "list() answers in order of creation, whatever the IDs and the times",
    async run(makeStore) {
      const store = makeStore();
      const ids = Array.from({ length: 100 }, (_, i) => `${i * 79 % 100}`); // no order of keys is this one
      for (const [i, workflowId] of ids.entries()) {
        await store.save({ workflowId, status: "running", createdAt: -i, updatedAt: -i });
      }
      for (let i = 0; i < 3; i++) assertEquals(await idsOf(store), ids);
      assertEquals(await idsOf(store, { order: "desc" }), ids.toReversed());
    },
  },
  {
    name: "list() keeps the order of creation when workflows finish in another one",
    async run(makeStore) {
      const store = makeStore();
      for (const workflowId of ["a", "b", "c"]) await store.append(batch({ workflowId }));
      for (const workflowId of ["c", "a", "b"]) {
        await store.append(batch({ workflowId, expectedLength: 1, events: [completed] }));
      }
      assertEquals(await idsOf(store, { status: "completed" }), ["a", "b", "c"]);
    },
  },
  {
    name: "list() matches the status that a workflow has now",
    async run(makeStore) {
      const store = await startedIn(makeStore);
      await store.append(batch({ expectedLength: 1, events: [failed] }));
      assertEquals([await idsOf(store, { status: "running" }), await idsOf(store, { status: "failed" })], [[], ["a"]]);
      await store.save({ workflowId: "a", status: "running" });
      assertEquals([await idsOf(store, { status: "running" }), await idsOf(store, { status: "failed" })], [["a"], []]);
    },
  },
  {
    name: "list() answers states that are all of one moment",
    async run(makeStore) {
      const store = await holding(makeStore(), "a", "b");
      const calls: Promise<unknown>[] = [];
      for (let i = 0; i < 20; i++) {
        const written = store.save({ workflowId: "a", status: "running", input: i })
          .then(() => store.save({ workflowId: "b", status: "running", input: i }));
        for (let j = 0; j < 3; j++) {
          calls.push(
            store.list().then(([a, b]) => {
              const lead = Number(a.input ?? -1) - Number(b.input ?? -1);
              assert(lead === 0 || lead === 1, `one is ${lead} ahead`);
            }),
          );
        }
        await written;
      }
      await Promise.all(calls);
    },
  },
  {
    name: "list() answers an array that is the caller's own",
    async run(makeStore) {
      const store = await holding(makeStore(), "a", "b");
      (await store.list()).reverse().pop();
      assertEquals(await idsOf(store), ["a", "b"]);
    },
  },
  {
    name: "list() rejects a filter that is malformed with a TypeError, also when nothing is stored",
    async run(makeStore) {
      const filters: Anything[] = [
        null,
        "running",
        { status: "done" },
        { status: ["running", "done"] },
        { status: null },
        { status: "toString" },
        { order: "up" },
        { workflowName: 1 },
        { idPrefix: null },
        { labels: null },
        { labels: "customer" },
        { labels: { customer: 7 } },
        { labels: { customer: undefined } },
      ];
      for (const filter of filters) await assertRejects(() => makeStore().list(filter), TypeError);
    },
  },
  {
    name: "list() rejects a limit that is no integer from 0, and a time that is no finite number, with a RangeError",
    async run(makeStore) {
      const filters: Anything[] = [-1, 0.5, NaN, -Infinity, "2", null, 1n].map((limit) => ({ limit }));
      for (const time of [NaN, Infinity, "1", null]) filters.push({ createdAfter: time }, { createdBefore: time });
      for (const filter of filters) await assertRejects(() => makeStore().list(filter), RangeError);
    },
  },
];

// -------------------------------------------------------------------------------------------------------------- append

const endings: [WorkflowStatus, WorkflowEvent, outcome: object][] = [
  ["completed", completed, { result: "out" }],
  ["completed", { type: "workflow_completed", at: 9 }, {}],
  ["completed", { type: "workflow_completed", at: 9, result: null }, { result: null }],
  ["failed", failed, { error }],
  ["canceled", canceled, { error }],
];

const appendCases: ContractCase[] = [
  {
    name: "append() creates the run with a first event workflow_started",
    async run(makeStore) {
      assertEquals(await (await startedIn(makeStore)).load("a"), {
        workflowId: "a",
        runId: "1",
        workflowName: "w",
        status: "running",
        input: "in",
        history: [started],
        createdAt: 1,
        updatedAt: 1,
      });
    },
  },
  {
    name: "append() creates the run with the labels of its first event, and the events that follow leave them",
    async run(makeStore) {
      const store = makeStore();
      const labels = { customer: "7" };
      await store.append(batch({ events: [{ ...started, labels } as WorkflowEvent] }));
      assertEquals((await store.load("a"))?.labels, labels);
      await store.append(batch({ expectedLength: 1, events: [fired(2), completed] }));
      assertEquals((await store.load("a"))?.labels, labels);
      assertEquals([await idsOf(store, { labels }), await idsOf(store, { labels: { customer: "8" } })], [["a"], []]);
      await store.append(batch({ runId: "2", replaces: "1" }));
      assertEquals([await idsOf(store, { labels }), "labels" in (await store.load("a"))!], [[], false]);
    },
  },
  {
    name: "append() creates the run last in the order of creation",
    async run(makeStore) {
      const store = await holding(makeStore(), "b", "c");
      await store.append(batch());
      assertEquals(await idsOf(store), ["b", "c", "a"]);
    },
  },
  {
    name: "append() creates the run in the place of the finished one that replaces names, and keeps nothing of it",
    async run(makeStore) {
      const store = await startedIn(makeStore, fired(2), failed);
      const anew: WorkflowEvent = { type: "workflow_started", at: 20, workflowName: "v" };
      await store.append(batch({ runId: "2", events: [anew], replaces: "1" }));
      assertEquals(await store.list(), [{
        workflowId: "a",
        runId: "2",
        workflowName: "v",
        status: "running",
        history: [anew],
        createdAt: 20,
        updatedAt: 20,
      }]);
    },
  },
  {
    name: "append() creates a run that replaces another last in the order of creation, too",
    async run(makeStore) {
      const store = await holding(makeStore(), "a", "b");
      await store.append(batch({ runId: "2", replaces: "1" }));
      assertEquals(await idsOf(store), ["b", "a"]);
    },
  },
  {
    name: "append() adds events to a run, and leaves the rest of it as it is",
    async run(makeStore) {
      const store = await startedIn(makeStore);
      await store.append(batch({ expectedLength: 1, events: [fired(2), fired(3)] }));
      await store.append(batch({ expectedLength: 3, events: [signal({ n: 1 })] }));
      const state = await store.load("a");
      assertEquals(state?.history, [started, fired(2), fired(3), signal({ n: 1 })]);
      assertEquals([state?.createdAt, state?.updatedAt, state?.input, state?.status], [1, 2, "in", "running"]);
    },
  },
  {
    name: "append() keeps every event, however many there are",
    async run(makeStore) {
      const store = await startedIn(makeStore);
      for (let i = 1; i < 300; i++) await store.append(batch({ expectedLength: i, events: [fired(i)] }));
      const expected = [started, ...Array.from({ length: 299 }, (_, i) => fired(i + 1))];
      assertEquals((await store.load("a"))?.history, expected);
      assertEquals((await store.list())[0].history, expected);
    },
  },
  {
    name: "append() adds events to a run that was saved",
    async run(makeStore) {
      const store = makeStore();
      await store.save(whole({ status: "running", history: [started] }));
      await store.append(batch({ expectedLength: 1, events: [fired(2)] }));
      const state = await store.load("a");
      assertEquals([state?.history, state?.createdAt], [[started, fired(2)], -1]);
    },
  },
  ...(["completed", "failed", "canceled"] as const).map((status): ContractCase => ({
    name: `append() finishes a run with a last event workflow_${status}`,
    async run(makeStore) {
      for (const [, last, outcome] of endings.filter(([ending]) => ending === status)) {
        const fields = { workflowId: "a", runId: "1", workflowName: "w", input: "in", createdAt: 1, updatedAt: 9 };
        const expected = { ...fields, ...outcome, status, history: [started, fired(2), last] };
        const store = await startedIn(makeStore);
        await store.append(batch({ expectedLength: 1, events: [fired(2), last] }));
        assertEquals<unknown>(await store.load("a"), expected);
        assertEquals<unknown>(await (await startedIn(makeStore, fired(2), last)).load("a"), expected); // in one batch
      }
    },
  })),
  {
    name: "append() lets the outcome follow from the events, whatever was saved",
    async run(makeStore) {
      const store = makeStore();
      await store.save(whole({ status: "running", history: [started] }));
      await store.append(batch({ expectedLength: 1, events: [{ type: "workflow_completed", at: 9 }] }));
      const state = await store.load("a");
      assertEquals([state?.status, state?.result, state?.error], ["completed", undefined, undefined]);
    },
  },
  {
    name: "append() rejects with a conflict if the run is not there",
    async run(makeStore) {
      await rejectsWithConflict(makeStore(), { expectedLength: 1, events: [fired(2)] });
      await rejectsWithConflict(makeStore(), { replaces: "0" });
    },
  },
  {
    name: "append() rejects with a conflict if the run is finished",
    async run(makeStore) {
      for (const last of [completed, failed, canceled]) {
        const store = await startedIn(makeStore, last);
        await rejectsWithConflict(store, { expectedLength: 2, events: [fired(10)] });
        await rejectsWithConflict(store, { expectedLength: 2, events: [last] });
      }
    },
  },
  {
    name: "append() rejects with a conflict if the run is another run",
    async run(makeStore) {
      const store = await startedIn(makeStore);
      await rejectsWithConflict(store, { runId: "2", expectedLength: 1, events: [fired(2)] });
    },
  },
  {
    name: "append() rejects with a conflict if the history has another length",
    async run(makeStore) {
      const store = await startedIn(makeStore, fired(2), fired(3));
      for (const expectedLength of [1, 2, 4, 1_000]) {
        await rejectsWithConflict(store, { expectedLength, events: [fired(4)] });
      }
    },
  },
  {
    name: "append() rejects with a conflict if it creates a run where one is, running or not to be replaced",
    async run(makeStore) {
      const running = await startedIn(makeStore);
      await rejectsWithConflict(running, { runId: "2" });
      await rejectsWithConflict(running, { runId: "2", replaces: "1" });
      const finished = await startedIn(makeStore, completed);
      await rejectsWithConflict(finished, { runId: "2" });
      await rejectsWithConflict(finished, { runId: "3", replaces: "2" });
    },
  },
  {
    name: "append() rejects every repetition of a batch with a conflict",
    async run(makeStore) {
      const store = makeStore();
      const batches: Partial<AppendBatch>[] = [
        {},
        { expectedLength: 1, events: [fired(2)] },
        { expectedLength: 2, events: [completed] },
        { runId: "2", events: [started, completed], replaces: "1" },
      ];
      for (const part of batches) {
        await store.append(batch(part));
        await rejectsWithConflict(store, part);
      }
    },
  },
  {
    name: "append() lets one succeed of several writers who believe the same, and adds nobody's events twice",
    async run(makeStore) {
      const store = makeStore();
      for (const part of [{}, { expectedLength: 1, events: [fired(2)] }, { expectedLength: 2, events: [completed] }]) {
        const writers = Array.from({ length: 20 }, () => store.append(batch(part)));
        const won = (await Promise.allSettled(writers)).filter(({ status }) => status === "fulfilled");
        assertEquals(won.length, 1);
      }
      assertEquals((await store.load("a"))?.history, [started, fired(2), completed]);
    },
  },
  {
    name: "append() rejects a batch that is malformed with a TypeError, and nothing has changed",
    async run(makeStore) {
      const parts: Anything[] = [
        { runId: "" },
        { runId: 1 },
        { expectedLength: -1 },
        { expectedLength: 0.5 },
        { expectedLength: undefined },
        { events: undefined },
        { events: [] },
        { events: [null] },
        { events: [started, { type: "x", at: 1 }] },
        { events: [{ ...started, at: "1" }] },
        { events: [{ type: "workflow_started", at: 1 }] },
        { events: [{ ...started, labels: { customer: 7 } }] },
        { events: [fired(1)] },
        { events: [started, started] },
        { events: [started, completed, fired(10)] },
        { expectedLength: 1 },
        { expectedLength: 1, events: [fired(2)], replaces: "0" },
        { replaces: "1" },
        { replaces: null },
      ];
      for (const store of [makeStore(), await startedIn(makeStore), await startedIn(makeStore, completed)]) {
        const before = await store.load("a");
        await assertRejects(() => store.append(null!), TypeError);
        for (const part of parts) {
          await assertRejects(() => store.append(batch(part)), TypeError);
          assertEquals(await store.load("a"), before);
        }
      }
    },
  },
  {
    name: "append() keeps nothing of a batch that it rejects",
    async run(makeStore) {
      const store = await startedIn(makeStore);
      const events = [signal("fine"), signal({ on: () => {} })];
      await assertRejects(() => store.append(batch({ expectedLength: 1, events })), TypeError);
      await rejectsWithConflict(store, { expectedLength: 2, events: [signal("fine"), completed] });
      await store.append(batch({ expectedLength: 1, events: [signal("new")] }));
      assertEquals((await store.load("a"))?.history, [started, signal("new")]);
    },
  },
];

// ----------------------------------------------------------------------------------------------------------- subscribe

/** What a listener was told, in order, and how to wait until it was told so much. */
function listenTo(store: WorkflowStore) {
  const told: [workflowId: string, historyLength: number | null][] = [];
  let wake = () => {};
  const end = store.subscribe!((...change) => {
    told.push(change);
    wake();
  });
  const until = async (count: number) => {
    while (told.length < count) await new Promise<void>((resolve) => wake = resolve);
    return told;
  };
  return { told, end, until };
}

/** A case for stores that have the optional `subscribe`. */
function subscribeCase(name: string, run: (store: WorkflowStore) => Promise<void>): ContractCase {
  return {
    name,
    async run(makeStore) {
      const store = makeStore();
      if (store.subscribe !== undefined) await run(store);
    },
  };
}

const subscribeCases: ContractCase[] = [
  subscribeCase(
    "subscribe() calls the listener after each change: with the length after an append, with null otherwise",
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
    assertEquals([await other.until(2), ended.told], [[["a", 1], ["a", 2]], [["a", 1]]]);
  }),
  subscribeCase("subscribe() tells nothing of calls that change nothing", async (store) => {
    const { until } = listenTo(store);
    await store.load("a");
    await store.list();
    await store.delete("a");
    await assertRejects(() => store.append(batch({ expectedLength: 1, events: [completed] })));
    await assertRejects(() => store.append(batch({ events: [] })));
    await assertRejects(() => store.save({ workflowId: "a", status: "running", input: () => {} }));
    await store.save({ workflowId: "b", status: "running" });
    assertEquals(await until(1), [["b", null]]);
  }),
  subscribeCase("subscribe() lets the listener call the store, which finds the change made", async (store) => {
    const called = new Promise<unknown[]>((resolve) => {
      const end = store.subscribe!((workflowId) => {
        end();
        const length = store.load(workflowId).then((state) => state?.history.length);
        const answers = Promise.all([length, store.append(batch({ expectedLength: 1, events: [completed] }))]);
        answers.catch(() => {}); // who is called a second time has nobody to tell
        resolve(answers);
      });
    });
    const [answers] = await Promise.all([called, store.append(batch())]);
    assertEquals(answers, [1, undefined]);
    assertEquals((await store.load("a"))?.status, "completed");
  }),
];

/** The whole contract. */
export const storeContract: readonly ContractCase[] = [
  ...everyCase,
  ...saveCases,
  ...loadAndDeleteCases,
  ...listCases,
  ...appendCases,
  ...subscribeCases,
];
