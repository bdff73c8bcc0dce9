/**
 * The contract of all methods of a store: atomicity, IDs, values, copies.
 *
 * @module
 */

import type { WorkflowState, WorkflowStore } from "../../types.ts";
import { showValue } from "../../util/show_value.ts";
import { assert, assertEquals, assertRejects } from "../assert.ts";
import {
  type Anything,
  batch,
  type CaseBody,
  completed,
  fired,
  fullState,
  idsOf,
  saveIds,
  signal,
  started,
  storeWithRun,
} from "./fixtures.ts";

/** Changes a value and all of its parts, as far as they can be changed. */
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

/** Values of every kind that structured clone can copy, new ones at every call. */
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

/** The places of values in a state or a batch: how to write a value there, and how to find it in the stored state. */
const places: Record<string, [(store: WorkflowStore, value: unknown) => Promise<void>, (state: Anything) => unknown]> =
  {
    "input": [(store, input) => store.save(fullState({ input })), (state) => state.input],
    "result": [(store, result) => store.save(fullState({ result })), (state) => state.result],
    "error.data": [
      (store, value) => store.save(fullState({ error: { name: "Error", message: "m", data: { value } } })),
      (state) => state.error.data.value,
    ],
    "history": [
      (store, value) => store.save(fullState({ history: [started, signal(value)] })),
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

/** The contract of all methods. */
export const everyMethodCases = (): CaseBody[] => [
  {
    name: "every method takes effect as one atomic step",
    async run(makeStore) {
      const store = await storeWithRun(makeStore);
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
      await Promise.all(calls);
      calls.push(store.append(batch({ runId: "2", events: [{ ...started, workflowName: "v" }], replaces: "1" })));
      look();
      await Promise.all(calls);
      for (const state of seen) {
        assert(
          state !== null && state.history.length % 2 === 1,
          "Expected to load whole batches, but half of a batch was stored",
        );
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
    name: "every method has its effect when it settles: later calls see it",
    async run(makeStore) {
      const store = await makeStore();
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
    name: "every method rejects, and does not throw",
    async run(makeStore) {
      const store = await makeStore();
      const calls = {
        "save(null)": () => store.save(null!),
        'load("")': () => store.load(""),
        "list({ limit: -1 })": () => store.list({ limit: -1 }),
        'delete("")': () => store.delete(""),
        "append(null)": () => store.append(null!),
      };
      for (const [name, call] of Object.entries(calls)) {
        let answer: Promise<unknown> | undefined;
        try {
          answer = call();
        } catch (error) {
          throw new Error(`Expected ${name} to return a promise, but it threw`, { cause: error });
        }
        await assertRejects(() => answer!, Error, name);
      }
    },
  },
  {
    name: "every method rejects an ID that is empty or not a string with a TypeError",
    async run(makeStore) {
      const store = await saveIds(await makeStore(), "a");
      for (const [method, call] of Object.entries(everyMethod)) {
        for (const id of ["", undefined, null, 1, ["a"], new String("a")]) {
          await assertRejects(() => call(store, id as string), TypeError, `${method}() of the ID ${showValue(id)}`);
        }
      }
      assertEquals(await idsOf(store), ["a"]);
    },
  },
  {
    name: "every method compares IDs as strings, whatever they contain",
    async run(makeStore) {
      const store = await makeStore();
      const ids = [" ", "A", "a", "__proto__", "constructor", "\0", "a\0", "a/b\n", "..", "%00", "\u00e9", "e\u0301"];
      ids.push("\ud83d", "\u{1f600}", "x".repeat(10_000), `${"x".repeat(10_000)}y`);
      for (const workflowId of ids) {
        await store.append(batch({ workflowId, events: [{ ...started, input: workflowId }] }));
      }
      assertEquals(await idsOf(store), ids);
      for (const id of ids) assertEquals((await store.load(id))?.input, id, `the input of workflow ${showValue(id)}`);
      for (const id of ids) await store.save({ workflowId: id, status: "failed", result: id });
      for (const id of ids) {
        assertEquals((await store.load(id))?.result, id, `the result of workflow ${showValue(id)}`);
        await store.delete(id);
        assertEquals(await store.load(id), null, `workflow ${showValue(id)} after it was deleted`);
      }
    },
  },
  ...Object.entries(places).flatMap(([place, [put, take]]): CaseBody[] => [
    {
      name: `values in ${place} can be everything that structured clone can copy`,
      async run(makeStore) {
        const store = await makeStore();
        for (const value of [...storable(), storable()]) {
          await store.save(fullState());
          await put(store, value);
          const stored: Anything = take(await store.load("a"));
          const what = `the stored ${showValue(value)}`;
          assertEquals(stored, value, what);
          if (value instanceof Uint8Array) assertEquals([...stored], [...value], what);
        }
      },
    },
    {
      name: `a value in ${place} that cannot be copied is refused with its path, and nothing changes`,
      async run(makeStore) {
        const store = await makeStore();
        await store.save(fullState());
        const before = await store.load("a");
        const values = [() => {}, Symbol("s"), Promise.resolve(), new WeakMap(), {
          get n() {
            throw new Error("boo");
          },
        }];
        for (const value of values) {
          const what = `a write of ${value === values[4] ? "an object with a getter that throws" : showValue(value)}`;
          const { message } = await assertRejects(() => put(store, { deep: [1, value] }), TypeError, what);
          assert(message.includes(".deep[1]"), `Expected the error of ${what} to name .deep[1], got: ${message}`);
          assertEquals(await store.load("a"), before, `the stored state after ${what}`);
        }
      },
    },
    {
      name: `a value in ${place} is copied at the call: later changes do not reach the store`,
      async run(makeStore) {
        const store = await makeStore();
        for (let i = 0; i < storable().length; i++) {
          await store.save(fullState());
          const given = { value: storable()[i] };
          const written = put(store, given);
          change(given);
          await written;
          assertEquals(take(await store.load("a")), { value: storable()[i] }, `the stored ${showValue(storable()[i])}`);
        }
      },
    },
  ]),
  {
    name: "the fields of a state and of a batch are copied at the call",
    async run(makeStore) {
      const store = await makeStore();
      const state: Anything = fullState();
      const saved = store.save(state);
      change(state);
      await saved;
      assertEquals(await store.load("a"), fullState() as WorkflowState);
      const given: Anything = batch({ workflowId: "b", events: [{ ...started }] });
      const appended = store.append(given);
      change(given);
      await appended;
      assertEquals((await store.load("b"))?.history, [started]);
    },
  },
  {
    name: "a returned state is a copy or frozen: changes do not reach the store",
    async run(makeStore) {
      const store = await makeStore();
      const expected = () =>
        fullState({ input: { list: [{ n: 1 }], date: new Date(5), map: new Map([["k", { n: 1 }]]) } }) as WorkflowState;
      await store.save(expected());
      for (const answer of [await store.load("a"), ...await store.list()]) {
        change(answer);
        assertEquals([await store.load("a"), await store.list()], [expected(), [expected()]]);
      }
    },
  },
];
