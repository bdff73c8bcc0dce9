/**
 * The contract of `append()`.
 *
 * @module
 */

import type { AppendBatch, Labels, UpdateCompletedEvent, WorkflowEvent, WorkflowStatus } from "../../types.ts";
import { showValue } from "../../util/show_value.ts";
import { assertEquals, assertRejects } from "../assert.ts";
import {
  type Anything,
  batch,
  canceled,
  type CaseBody,
  completed,
  error,
  failed,
  fired,
  fullState,
  idsOf,
  rejectsWithConflict,
  relabeled,
  saveIds,
  signal,
  started,
  storeWithRun,
} from "./fixtures.ts";

const endings: [WorkflowStatus, WorkflowEvent, outcome: object][] = [
  ["completed", completed, { result: "out" }],
  ["completed", { type: "workflow_completed", at: 9 }, {}],
  ["completed", { type: "workflow_completed", at: 9, result: null }, { result: null }],
  ["failed", failed, { error }],
  ["canceled", canceled, { error }],
];

/** The contract of `append()`. */
export const appendCases = (): CaseBody[] => [
  {
    name: "append() creates the run with a first event workflow_started",
    async run(makeStore) {
      assertEquals(await (await storeWithRun(makeStore)).load("a"), {
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
    name: "append() creates the run with the labels of its first event, and later events keep them",
    async run(makeStore) {
      const store = await makeStore();
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
    name: "append() replaces the labels of a run by those of the last labels_changed, and later events keep them",
    likely: "the labels of a run are those of its first event, or are merged",
    async run(makeStore) {
      const store = await makeStore();
      const labels = async () => (await store.load("a"))?.labels;
      const found = async (...all: Labels[]) =>
        (await Promise.all(all.map(async (labels) => (await idsOf(store, { labels })).length > 0 ? 1 : 0))).join("");
      const [first, next, other] = [{ stage: "new" }, { stage: "paid", customer: "7" }, { customer: "8" }];
      await store.append(batch({ events: [{ ...started, labels: first } as WorkflowEvent] }));
      await store.append(batch({ expectedLength: 1, events: [fired(2), relabeled(next), fired(4)] }));
      assertEquals([await labels(), await found(first, next, other)], [next, "010"]);
      await store.append(batch({ expectedLength: 4, events: [fired(5)] }));
      assertEquals([await labels(), await found(first, next, other)], [next, "010"]);
      await store.append(batch({ expectedLength: 5, events: [relabeled(first, 1), relabeled(other, 2), completed] }));
      assertEquals([await labels(), await found(first, next, other)], [other, "001"]);
      await store.append(batch({ runId: "2", replaces: "1", events: [started, relabeled(next), fired(4)] }));
      assertEquals([await labels(), await found(first, next, other)], [next, "010"]);
      await store.append(batch({ runId: "2", expectedLength: 3, events: [relabeled({}, 1)] }));
      assertEquals([await labels(), await found(first, next, other)], [{}, "000"]);
      const events = [{ ...started, labels: first } as WorkflowEvent];
      await store.append(batch({ runId: "3", replaces: "2", expectedLength: 4, events }));
      assertEquals([await labels(), await found(first, next, other)], [first, "100"]);
      await store.delete("a");
      assertEquals(await found(first, next, other, {}), "0000");
    },
  },
  {
    name: "append() creates the run last in the order of creation",
    async run(makeStore) {
      const store = await saveIds(await makeStore(), "b", "c");
      await store.append(batch());
      assertEquals(await idsOf(store), ["b", "c", "a"]);
    },
  },
  {
    name: "append() replaces the finished run that replaces names, and keeps nothing of it",
    async run(makeStore) {
      const store = await storeWithRun(makeStore, fired(2), failed);
      const next: WorkflowEvent = { type: "workflow_started", at: 20, workflowName: "v" };
      await store.append(batch({ runId: "2", events: [next], replaces: "1" }));
      assertEquals(await store.list(), [{
        workflowId: "a",
        runId: "2",
        workflowName: "v",
        status: "running",
        history: [next],
        createdAt: 20,
        updatedAt: 20,
      }]);
    },
  },
  {
    name: "append() creates a run that replaces another one last in the order of creation",
    async run(makeStore) {
      const store = await saveIds(await makeStore(), "a", "b");
      await store.append(batch({ runId: "2", replaces: "1" }));
      assertEquals(await idsOf(store), ["b", "a"]);
    },
  },
  {
    name: "append() adds events to a run, and keeps the rest of it",
    async run(makeStore) {
      const store = await storeWithRun(makeStore);
      await store.append(batch({ expectedLength: 1, events: [fired(2), fired(3)] }));
      await store.append(batch({ expectedLength: 3, events: [signal({ n: 1 })] }));
      const state = await store.load("a");
      assertEquals(state?.history, [started, fired(2), fired(3), signal({ n: 1 })]);
      assertEquals([state?.createdAt, state?.updatedAt, state?.input, state?.status], [1, 2, "in", "running"]);
    },
  },
  {
    name: "append() keeps all events of a long history",
    async run(makeStore) {
      const store = await storeWithRun(makeStore);
      for (let i = 1; i < 300; i++) await store.append(batch({ expectedLength: i, events: [fired(i)] }));
      const expected = [started, ...Array.from({ length: 299 }, (_, i) => fired(i + 1))];
      assertEquals((await store.load("a"))?.history, expected);
      assertEquals((await store.list())[0].history, expected);
    },
  },
  {
    name: "append() adds events to a run that was saved",
    async run(makeStore) {
      const store = await makeStore();
      await store.save(fullState({ status: "running", history: [started] }));
      await store.append(batch({ expectedLength: 1, events: [fired(2)] }));
      const state = await store.load("a");
      assertEquals([state?.history, state?.createdAt], [[started, fired(2)], -1]);
    },
  },
  ...(["completed", "failed", "canceled"] as const).map((status): CaseBody => ({
    name: `append() finishes a run with a last event workflow_${status}`,
    async run(makeStore) {
      for (const [, last, outcome] of endings.filter(([ending]) => ending === status)) {
        const fields = { workflowId: "a", runId: "1", workflowName: "w", input: "in", createdAt: 1, updatedAt: 9 };
        const expected = { ...fields, ...outcome, status, history: [started, fired(2), last] };
        const store = await storeWithRun(makeStore);
        await store.append(batch({ expectedLength: 1, events: [fired(2), last] }));
        assertEquals<unknown>(await store.load("a"), expected, `the state after ${showValue(last)}`);
        assertEquals<unknown>(await (await storeWithRun(makeStore, fired(2), last)).load("a"), expected); // in one batch
      }
    },
  })),
  {
    name: "append() computes the outcome from the events, not from what was saved",
    async run(makeStore) {
      const store = await makeStore();
      await store.save(fullState({ status: "running", history: [started] }));
      await store.append(batch({ expectedLength: 1, events: [{ type: "workflow_completed", at: 9 }] }));
      const state = await store.load("a");
      assertEquals([state?.status, state?.result, state?.error], ["completed", undefined, undefined]);
    },
  },
  {
    name: "append() continues a running run as a new one, and the workflow keeps its createdAt and its place",
    async run(makeStore) {
      const store = await storeWithRun(makeStore, fired(2));
      await saveIds(store, "b");
      const answer: UpdateCompletedEvent = { type: "update_completed", at: 1, updateId: "u", result: [1] };
      const remembered = { signalIds: ["s"], updates: [answer] };
      const next: WorkflowEvent = { type: "workflow_started", at: 20, workflowName: "w", firstRunId: "1", remembered };
      await store.append(batch({ runId: "2", expectedLength: 2, events: [next, signal("carried")], replaces: "1" }));
      assertEquals<unknown>((await store.list())[0], {
        workflowId: "a",
        runId: "2",
        workflowName: "w",
        status: "running",
        history: [next, signal("carried")],
        createdAt: 1,
        updatedAt: 2,
      });
      await store.append(batch({ runId: "2", expectedLength: 2, events: [completed] }));
      assertEquals(await idsOf(store), ["a", "b"]);
    },
  },
  {
    name: "append() continues a run as one of another workflow, which is found by its name",
    async run(makeStore) {
      const store = await storeWithRun(makeStore, fired(2));
      const next: WorkflowEvent = { type: "workflow_started", at: 20, workflowName: "next", firstRunId: "1" };
      await store.append(batch({ runId: "2", expectedLength: 2, events: [next], replaces: "1" }));
      assertEquals((await store.load("a"))?.workflowName, "next");
      assertEquals((await store.list({ workflowName: "next" })).map(({ runId }) => runId), ["2"]);
      assertEquals(await store.list({ workflowName: "w" }), []);
    },
  },
  {
    name: "append() rejects with a conflict if the run to continue is finished, is another run, or has another length",
    async run(makeStore) {
      const next = { runId: "2", events: [started], replaces: "1" };
      const store = await storeWithRun(makeStore, fired(2));
      for (const expectedLength of [1, 3]) await rejectsWithConflict(store, { ...next, expectedLength });
      await rejectsWithConflict(store, { ...next, expectedLength: 2, replaces: "0" });
      await rejectsWithConflict(await storeWithRun(makeStore, completed), { ...next, expectedLength: 2 });
      await rejectsWithConflict(await makeStore(), { ...next, expectedLength: 1 });
    },
  },
  {
    name: "append() rejects with a conflict if the run does not exist",
    async run(makeStore) {
      await rejectsWithConflict(await makeStore(), { expectedLength: 1, events: [fired(2)] });
      await rejectsWithConflict(await makeStore(), { replaces: "0" });
    },
  },
  {
    name: "append() rejects with a conflict if the run is finished",
    async run(makeStore) {
      for (const last of [completed, failed, canceled]) {
        const store = await storeWithRun(makeStore, last);
        await rejectsWithConflict(store, { expectedLength: 2, events: [fired(10)] });
        await rejectsWithConflict(store, { expectedLength: 2, events: [last] });
      }
    },
  },
  {
    name: "append() rejects with a conflict if the run is another run",
    async run(makeStore) {
      const store = await storeWithRun(makeStore);
      await rejectsWithConflict(store, { runId: "2", expectedLength: 1, events: [fired(2)] });
    },
  },
  {
    name: "append() rejects with a conflict if the history has another length",
    async run(makeStore) {
      const store = await storeWithRun(makeStore, fired(2), fired(3));
      for (const expectedLength of [1, 2, 4, 1_000]) {
        await rejectsWithConflict(store, { expectedLength, events: [fired(4)] });
      }
    },
  },
  {
    name:
      "append() rejects with a conflict if it creates a run of a workflow that is running, or finished and not replaced",
    async run(makeStore) {
      const running = await storeWithRun(makeStore);
      await rejectsWithConflict(running, { runId: "2" });
      await rejectsWithConflict(running, { runId: "2", replaces: "1" });
      const finished = await storeWithRun(makeStore, completed);
      await rejectsWithConflict(finished, { runId: "2" });
      await rejectsWithConflict(finished, { runId: "3", replaces: "2" });
    },
  },
  {
    name: "append() changes nothing by a batch without events if the run is running and has the expected length",
    likely: "the store refuses a batch without events, or writes the state anew",
    async run(makeStore) {
      for (const length of [1, 3]) {
        const store = await storeWithRun(makeStore, ...[fired(2), fired(3)].slice(0, length - 1));
        const before = await store.load("a");
        for (let i = 0; i < 2; i++) await store.append(batch({ expectedLength: length, events: [] }));
        assertEquals(await store.load("a"), before);
        await store.append(batch({ expectedLength: length, events: [completed] }));
      }
    },
  },
  {
    name: "append() rejects a batch without events with a conflict as any other batch",
    async run(makeStore) {
      const events: WorkflowEvent[] = [];
      const store = await storeWithRun(makeStore, fired(2));
      for (const expectedLength of [0, 1, 3]) await rejectsWithConflict(store, { expectedLength, events });
      await rejectsWithConflict(store, { runId: "2", expectedLength: 2, events });
      for (const expectedLength of [0, 1]) await rejectsWithConflict(await makeStore(), { expectedLength, events });
      for (const last of [completed, failed, canceled]) {
        await rejectsWithConflict(await storeWithRun(makeStore, last), { expectedLength: 2, events });
      }
    },
  },
  {
    name: "append() rejects a repeated batch with a conflict",
    async run(makeStore) {
      const store = await makeStore();
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
    name: "append() lets one of several writers with the same expected length succeed, and adds no event twice",
    async run(makeStore) {
      const store = await makeStore();
      for (const part of [{}, { expectedLength: 1, events: [fired(2)] }, { expectedLength: 2, events: [completed] }]) {
        const writers = Array.from({ length: 20 }, () => store.append(batch(part)));
        const won = (await Promise.allSettled(writers)).filter(({ status }) => status === "fulfilled");
        assertEquals(won.length, 1, `how many of 20 concurrent calls of append(${showValue(batch(part))}) succeeded`);
      }
      assertEquals((await store.load("a"))?.history, [started, fired(2), completed]);
    },
  },
  {
    name: "append() rejects a malformed batch with a TypeError, and changes nothing",
    async run(makeStore) {
      const parts: Anything[] = [
        { runId: "" },
        { runId: 1 },
        { expectedLength: -1 },
        { expectedLength: 0.5 },
        { expectedLength: undefined },
        { events: undefined },
        { events: [null] },
        { events: [started, { type: "x", at: 1 }] },
        { events: [{ ...started, at: "1" }] },
        { events: [{ type: "workflow_started", at: 1 }] },
        { events: [{ ...started, labels: { customer: 7 } }] },
        { events: [{ ...started, headers: { customer: 7 } }] },
        { events: [started, { ...relabeled({}), labels: undefined }] },
        { events: [started, { ...relabeled({}), labels: { customer: null } }] },
        { events: [fired(1)] },
        { events: [started, started] },
        { events: [started, completed, fired(10)] },
        { expectedLength: 1 },
        { expectedLength: 1, events: [fired(2)], replaces: "0" },
        { expectedLength: 1, events: [], replaces: "0" },
        { replaces: "1" },
        { replaces: null },
      ];
      for (
        const store of [await makeStore(), await storeWithRun(makeStore), await storeWithRun(makeStore, completed)]
      ) {
        const before = await store.load("a");
        await assertRejects(() => store.append(null!), TypeError, "append(null)");
        for (const part of parts) {
          const call = `append(${showValue(batch(part))})`;
          await assertRejects(() => store.append(batch(part)), TypeError, call);
          assertEquals(await store.load("a"), before, `the stored state after ${call} and before it`);
        }
      }
    },
  },
  {
    name: "append() keeps nothing of a batch that it rejects",
    async run(makeStore) {
      const store = await storeWithRun(makeStore);
      const events = [signal("fine"), signal({ on: () => {} })];
      await assertRejects(() => store.append(batch({ expectedLength: 1, events })), TypeError);
      await rejectsWithConflict(store, { expectedLength: 2, events: [signal("fine"), completed] });
      await store.append(batch({ expectedLength: 1, events: [signal("new")] }));
      assertEquals((await store.load("a"))?.history, [started, signal("new")]);
    },
  },
];
