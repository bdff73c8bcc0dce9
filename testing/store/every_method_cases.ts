/**
 * What holds of every method of a store: one step, IDs, values, copies.
 *
 * @module
 */

import type { WorkflowState, WorkflowStore } from "../../types.ts";
import { assert, assertEquals, assertRejects } from "../assert.ts";
import {
  type Anything,
  batch,
  type CaseBody,
  completed,
  fired,
  holding,
  idsOf,
  signal,
  started,
  startedIn,
  whole,
} from "./fixtures.ts";

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

/** What holds of every method. */
export const everyCases: CaseBody[] = [
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
      await Promise.all(calls);
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
    name: "every method rejects and does not throw",
    async run(makeStore) {
      const store = await makeStore();
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
        await assertRejects(() => answer!, Error);
      }
    },
  },
  {
    name: "every method rejects an ID that is empty or no string with a TypeError",
    async run(makeStore) {
      const store = await holding(await makeStore(), "a");
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
      const store = await makeStore();
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
  ...Object.entries(places).flatMap(([place, [put, take]]): CaseBody[] => [
    {
      name: `values in ${place} are what structured clone takes`,
      async run(makeStore) {
        const store = await makeStore();
        for (const value of [...storable(), storable()]) {
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
        const store = await makeStore();
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
        const store = await makeStore();
        for (let i = 0; i < storable().length; i++) {
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
      const store = await makeStore();
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
      const store = await makeStore();
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
