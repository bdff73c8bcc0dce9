/**
 * The contract of `list()`.
 *
 * @module
 */

import type { WorkflowFilter, WorkflowState, WorkflowStore } from "../../types.ts";
import { showValue } from "../../util/show_value.ts";
import { assert, assertEquals, assertRejects } from "../assert.ts";
import {
  type Anything,
  batch,
  type CaseBody,
  completed,
  failed,
  fullState,
  idsOf,
  type MakeStore,
  saveIds,
  storeWithRun,
} from "./fixtures.ts";

/** A store with eight workflows of all statuses and of two names. The last digit of an ID is its place and its time. */
async function assorted(makeStore: MakeStore): Promise<WorkflowStore> {
  const store = await makeStore();
  const statuses = ["running", "completed", "failed", "canceled"] as const;
  for (let i = 0; i < 8; i++) {
    const workflowId = `${i % 2 ? "odd" : "even"}-${i}`;
    const workflowName = i < 4 ? "v" : "w";
    const labels = i === 0 ? {} : { labels: { parity: `${i % 2}`, half: i < 4 ? "first" : "second" } };
    await store.save({ workflowId, status: statuses[i % 4], workflowName, ...labels, createdAt: i });
  }
  return store;
}

const matching: Record<string, [filter: WorkflowFilter, digits: string][]> = {
  "list() returns all states without a filter": [
    [{}, "01234567"],
    [{ status: undefined, limit: undefined, idPrefix: undefined, order: undefined }, "01234567"],
  ],
  "list() returns the states of one status, of several, and of none": [
    [{ status: "failed" }, "26"],
    [{ status: ["canceled", "running", "running"] }, "0347"],
    [{ status: [] }, ""],
  ],
  "list() returns the states with the workflow name": [
    [{ workflowName: "v" }, "0123"],
    [{ workflowName: "" }, ""],
  ],
  "list() returns the states whose ID begins with the prefix": [
    [{ idPrefix: "odd-" }, "1357"],
    [{ idPrefix: "odd-3" }, "3"],
    [{ idPrefix: "" }, "01234567"],
    [{ idPrefix: "ODD" }, ""],
  ],
  "list() returns the states that have all labels": [
    [{ labels: { parity: "1" } }, "1357"],
    [{ labels: { parity: "0", half: "first" } }, "2"],
    [{ labels: { parity: "" } }, ""],
    [{ labels: { parity: "1", other: "1" } }, ""],
    [{ labels: { constructor: "1" } }, ""],
    [{ labels: {} }, "01234567"],
    [{ labels: { half: "second" }, status: "completed" }, "5"],
  ],
  "list() returns the states that were created later or earlier than the times": [
    [{ createdAfter: 4 }, "567"],
    [{ createdBefore: 4 }, "0123"],
    [{ createdAfter: 2, createdBefore: 5 }, "34"],
  ],
  "list() returns the states that match all parts of the filter": [
    [{ status: ["running", "completed"], workflowName: "w", idPrefix: "odd", createdAfter: 0 }, "5"],
    [{ status: "running", idPrefix: "odd" }, ""],
  ],
  'list() returns the states in reverse order with order "desc"': [
    [{ order: "desc" }, "76543210"],
    [{ order: "desc", status: "completed" }, "51"],
    [{ order: "asc" }, "01234567"],
  ],
  "list() returns the first states up to the limit": [
    [{ limit: 2 }, "01"],
    [{ limit: 1, status: "failed" }, "2"],
    [{ limit: 3, order: "desc", workflowName: "v" }, "321"],
    [{ limit: 8 }, "01234567"],
    [{ limit: 9 }, "01234567"],
    [{ limit: Infinity, status: "completed" }, "15"],
  ],
  "list() returns nothing when the limit is 0": [
    [{ limit: 0 }, ""],
    [{ limit: -0, status: "running" }, ""],
  ],
};

/** The contract of `list()`. */
export const listCases = (): CaseBody[] => [
  ...Object.entries(matching).map(([name, filters]): CaseBody => ({
    name,
    async run(makeStore) {
      const store = await assorted(makeStore);
      for (const [filter, digits] of filters) {
        assertEquals(
          (await idsOf(store, filter)).map((id) => id.at(-1)).join(""),
          digits,
          `the last digits of list(${showValue(filter)})`,
        );
      }
    },
  })),
  {
    name: "list() returns an empty array when nothing is stored",
    async run(makeStore) {
      assertEquals(await (await makeStore()).list(), []);
    },
  },
  {
    name: "list() returns whole states",
    async run(makeStore) {
      const store = await makeStore();
      await store.save(fullState());
      assertEquals(await store.list(), [fullState() as WorkflowState]);
    },
  },
  {
    name: "list() returns the order of creation, whatever the IDs and the times are",
    async run(makeStore) {
      const store = await makeStore();
      const ids = Array.from({ length: 100 }, (_, i) => `${i * 79 % 100}`); // neither sorted nor numeric
      for (const [i, workflowId] of ids.entries()) {
        await store.save({ workflowId, status: "running", createdAt: -i, updatedAt: -i });
      }
      for (let i = 0; i < 3; i++) assertEquals(await idsOf(store), ids);
      assertEquals(await idsOf(store, { order: "desc" }), ids.toReversed());
    },
  },
  {
    name: "list() keeps the order of creation when workflows finish in another order",
    async run(makeStore) {
      const store = await makeStore();
      for (const workflowId of ["a", "b", "c"]) await store.append(batch({ workflowId }));
      for (const workflowId of ["c", "a", "b"]) {
        await store.append(batch({ workflowId, expectedLength: 1, events: [completed] }));
      }
      assertEquals(await idsOf(store, { status: "completed" }), ["a", "b", "c"]);
    },
  },
  {
    name: "list() matches the current status of a workflow",
    async run(makeStore) {
      const store = await storeWithRun(makeStore);
      await store.append(batch({ expectedLength: 1, events: [failed] }));
      assertEquals([await idsOf(store, { status: "running" }), await idsOf(store, { status: "failed" })], [[], ["a"]]);
      await store.save({ workflowId: "a", status: "running" });
      assertEquals([await idsOf(store, { status: "running" }), await idsOf(store, { status: "failed" })], [["a"], []]);
    },
  },
  {
    name: "list() returns states as they were at one moment",
    async run(makeStore) {
      const store = await saveIds(await makeStore(), "a", "b");
      const calls: Promise<unknown>[] = [];
      for (let i = 0; i < 20; i++) {
        const written = store.save({ workflowId: "a", status: "running", input: i })
          .then(() => store.save({ workflowId: "b", status: "running", input: i }));
        for (let j = 0; j < 3; j++) {
          calls.push(
            store.list().then(([a, b]) => {
              const lead = Number(a.input ?? -1) - Number(b.input ?? -1);
              assert(
                lead === 0 || lead === 1,
                `Expected "a" to be 0 or 1 writes ahead of "b", but it is ${lead} ahead`,
              );
            }),
          );
        }
        await written;
      }
      await Promise.all(calls);
    },
  },
  {
    name: "list() returns an array that belongs to the caller",
    async run(makeStore) {
      const store = await saveIds(await makeStore(), "a", "b");
      (await store.list()).reverse().pop();
      assertEquals(await idsOf(store), ["a", "b"]);
    },
  },
  {
    name: "list() rejects a malformed filter with a TypeError, also when nothing is stored",
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
      const store = await makeStore();
      for (const filter of filters) {
        await assertRejects(() => store.list(filter), TypeError, `list(${showValue(filter)})`);
      }
    },
  },
  {
    name: "list() rejects a limit that is not an integer from 0, and a time that is not finite, with a RangeError",
    async run(makeStore) {
      const filters: Anything[] = [-1, 0.5, NaN, -Infinity, "2", null, 1n].map((limit) => ({ limit }));
      for (const time of [NaN, Infinity, "1", null]) filters.push({ createdAfter: time }, { createdBefore: time });
      const store = await makeStore();
      for (const filter of filters) {
        await assertRejects(() => store.list(filter), RangeError, `list(${showValue(filter)})`);
      }
    },
  },
];
