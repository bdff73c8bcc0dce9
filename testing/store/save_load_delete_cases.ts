/**
 * The contract of `save()`, `load()` and `delete()`.
 *
 * @module
 */

import type { WorkflowState, WorkflowStateInit } from "../../types.ts";
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
  started,
  storeWithRun,
} from "./fixtures.ts";

/** The contract of `save()`. */
export const saveCases = (): CaseBody[] => [
  {
    name: "save() writes the whole state of a workflow",
    async run(makeStore) {
      const store = await makeStore();
      await store.save(fullState());
      assertEquals(await store.load("a"), fullState() as WorkflowState);
    },
  },
  {
    name: "save() replaces the stored state",
    async run(makeStore) {
      const store = await makeStore();
      await store.save(fullState());
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
    name: "save() gives omitted properties their defaults",
    async run(makeStore) {
      const store = await makeStore();
      await store.save({ workflowId: "a", status: "failed" });
      const { createdAt, updatedAt, ...rest } = (await store.load("a"))!;
      assertEquals(rest, { workflowId: "a", runId: "", workflowName: "", status: "failed", history: [] });
      assert(Number.isFinite(createdAt) && Number.isFinite(updatedAt), `${createdAt}, ${updatedAt}`);
    },
  },
  {
    name: "save() treats a property that is undefined as omitted",
    async run(makeStore) {
      const store = await makeStore();
      const absent = Object.fromEntries(Object.keys(fullState()).map((key) => [key, undefined]));
      await store.save({ ...absent, workflowId: "a", status: "running" });
      const keys = ["createdAt", "history", "runId", "status", "updatedAt", "workflowId", "workflowName"];
      assertEquals(Object.keys((await store.load("a"))!).sort(), keys);
    },
  },
  {
    name: "save() preserves createdAt if it is omitted",
    async run(makeStore) {
      const store = await makeStore();
      await store.save({ workflowId: "a", status: "running", createdAt: -7 });
      await store.save({ workflowId: "a", status: "completed" });
      assertEquals((await store.load("a"))?.createdAt, -7);
    },
  },
  {
    name: "save() writes the given createdAt",
    async run(makeStore) {
      const store = await makeStore();
      await store.save({ workflowId: "a", status: "running", createdAt: 1 });
      await store.save({ workflowId: "a", status: "running", createdAt: 2 });
      assertEquals((await store.load("a"))?.createdAt, 2);
    },
  },
  {
    name: "save() puts a new workflow last in the order of creation",
    async run(makeStore) {
      const store = await saveIds(await makeStore(), "b", "c");
      await store.save({ workflowId: "a", status: "running", createdAt: -1e9 });
      assertEquals(await idsOf(store), ["b", "c", "a"]);
    },
  },
  {
    name: "save() keeps the place of a stored workflow",
    async run(makeStore) {
      const store = await saveIds(await makeStore(), "a", "b", "c");
      await store.save({ workflowId: "a", status: "running", runId: "2", createdAt: 8e15 });
      assertEquals(await idsOf(store), ["a", "b", "c"]);
    },
  },
  {
    name: "save() changes nothing when it saves the same state again",
    async run(makeStore) {
      const store = await makeStore();
      await store.save(fullState());
      const before = (await store.load("a"))!;
      await store.save(fullState());
      await store.save(before);
      assertEquals([await store.load("a"), await store.list()], [before, [before]]);
    },
  },
  {
    name: "save() rejects a malformed state with a TypeError, and changes nothing",
    async run(makeStore) {
      const store = await makeStore();
      await store.save(fullState());
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
      const states: [unknown, call: string][] = [[undefined, "save(undefined)"], ["a", 'save("a")']];
      for (const part of parts) {
        states.push([fullState({ status: "running", ...part }), `save() of a state with ${showValue(part)}`]);
      }
      for (const [state, call] of states) {
        await assertRejects(() => store.save(state as WorkflowStateInit), TypeError, call);
        assertEquals(await store.list(), [fullState() as WorkflowState], `the stored states after ${call}`);
      }
    },
  },
];

/** The contract of `load()` and `delete()`. */
export const loadAndDeleteCases = (): CaseBody[] => [
  {
    name: "load() returns the stored state",
    async run(makeStore) {
      const store = await saveIds(await makeStore(), "b");
      await store.save(fullState());
      assertEquals(await store.load("a"), fullState() as WorkflowState);
    },
  },
  {
    name: "load() returns null if there is none",
    async run(makeStore) {
      assertEquals(await (await saveIds(await makeStore(), "b")).load("a"), null);
    },
  },
  {
    name: "load() and list() change nothing",
    async run(makeStore) {
      const store = await storeWithRun(makeStore, fired(2));
      const before = structuredClone((await store.load("a"))!);
      for (let i = 0; i < 3; i++) assertEquals([await store.load("a"), await store.list()], [before, [before]]);
      await store.append(batch({ expectedLength: 2, events: [completed] }));
    },
  },
  {
    name: "delete() deletes a workflow",
    async run(makeStore) {
      const store = await saveIds(await makeStore(), "a", "b");
      await store.delete("a");
      assertEquals([await store.load("a"), await idsOf(store)], [null, ["b"]]);
      assertEquals(await idsOf(store, { status: "completed" }), ["b"]);
    },
  },
  {
    name: "delete() deletes a workflow's place in the order of creation",
    async run(makeStore) {
      const store = await saveIds(await makeStore(), "a", "b");
      await store.delete("a");
      await saveIds(store, "a");
      assertEquals(await idsOf(store), ["b", "a"]);
    },
  },
  {
    name: "delete() deletes a workflow's createdAt",
    async run(makeStore) {
      const store = await makeStore();
      await store.save({ workflowId: "a", status: "running", createdAt: -7 });
      await store.delete("a");
      await store.save({ workflowId: "a", status: "running" });
      assert(
        (await store.load("a"))?.createdAt !== -7,
        "Expected a new createdAt, but that of the deleted workflow came back",
      );
    },
  },
  {
    name: "delete() does nothing if the workflow is not stored",
    async run(makeStore) {
      const store = await saveIds(await makeStore(), "b");
      await store.delete("a");
      await store.delete("a");
      assertEquals(await idsOf(store), ["b"]);
    },
  },
  {
    name: "delete() does not change states that were returned before",
    async run(makeStore) {
      const store = await makeStore();
      await store.save(fullState());
      const state = await store.load("a");
      await store.delete("a");
      assertEquals(state, fullState() as WorkflowState);
    },
  },
];
