/**
 * The contract of the optional `loadSince()`.
 *
 * @module
 */

import type { WorkflowTail } from "../../types.ts";
import { showValue } from "../../util/show_value.ts";
import { assertEquals, assertRejects } from "../assert.ts";
import {
  type Anything,
  batch,
  type CaseBody,
  completed,
  fired,
  fullState,
  relabeled,
  signal,
  started,
} from "./fixtures.ts";
import { memberCase, startedWith } from "./members.ts";

/** The contract of `loadSince()`, for stores that have it. */
export const loadSinceCases = (): CaseBody[] => [
  memberCase("loadSince", "loadSince() returns the head and the events from an index on", async (make) => {
    const store = await make();
    const events = [started, fired(2), fired(3), signal({ n: 1 }), fired(5)];
    await store.append(batch({ events: events.slice(0, 1) }));
    await store.append(batch({ expectedLength: 1, events: events.slice(1, 4) })); // an index can be inside of a batch
    await store.append(batch({ expectedLength: 4, events: events.slice(4) }));
    const head = {
      workflowId: "a",
      runId: "1",
      firstRunId: "1",
      workflowName: "w",
      status: "running" as const,
      input: "in",
      createdAt: 1,
      updatedAt: 5,
      historyLength: 5,
    };
    for (const length of [0, 1, 2, 3, 4, 5, 6, 1_000, Infinity]) {
      const expected = { head, events: events.slice(length) };
      assertEquals(await store.loadSince("a", length), expected, `loadSince("a", ${length})`);
      assertEquals(await store.loadSince("a", length, "1"), expected, `loadSince("a", ${length}, "1")`);
    }
  }),
  memberCase(
    "loadSince",
    "loadSince() returns the outcome, the first run and the parent with the head",
    async (make) => {
      const store = await make();
      const parent = { workflowId: "p", runId: "0", seq: 3, closePolicy: "cancel" } as const;
      const first = startedWith({ firstRunId: "0", parent, labels: { customer: "7" } });
      await store.append(batch({ events: [first, completed] }));
      const { head, events } = (await store.loadSince("a", 1))!;
      assertEquals(events, [completed], "the events");
      assertEquals([head.status, head.result, head.historyLength], ["completed", "out", 2], "the outcome");
      assertEquals<unknown>(
        [head.firstRunId, head.parent, head.labels],
        ["0", parent, { customer: "7" }],
        "the first event",
      );
    },
  ),
  memberCase("loadSince", "loadSince() returns the labels that the run has now", async (make) => {
    const store = await make();
    const labels = { customer: "9" };
    await store.append(batch({ events: [startedWith({ labels: { customer: "7" } })] }));
    await store.append(batch({ expectedLength: 1, events: [relabeled(labels), fired(4)] }));
    for (const length of [0, 1, 2, 3, Infinity]) {
      assertEquals(
        (await store.loadSince("a", length))?.head.labels,
        labels,
        `the labels of loadSince("a", ${length})`,
      );
    }
  }),
  memberCase(
    "loadSince",
    "loadSince() returns null if there is no such workflow, or it is another run",
    async (make) => {
      const store = await make();
      assertEquals(await store.loadSince("a", 0), null, "what is returned of a workflow that is not stored");
      await store.append(batch());
      assertEquals(await store.loadSince("a", 0, "2"), null, "what is returned of another run");
      const next = startedWith({ firstRunId: "1", at: 5 });
      await store.append(batch({ runId: "2", expectedLength: 1, events: [next, fired(6)], replaces: "1" }));
      assertEquals(await store.loadSince("a", 1, "1"), null, "what is returned of a run that was continued");
      assertEquals((await store.loadSince("a", 1, "2"))?.events, [fired(6)], "the events of the next run");
      assertEquals((await store.loadSince("a", 1))?.head.runId, "2", "the run if none is named");
      await store.delete("a");
      assertEquals(await store.loadSince("a", 0), null, "what is returned of a deleted workflow");
    },
  ),
  memberCase("loadSince", "loadSince() returns what was stored at one moment", async (make, connect) => {
    const store = await make();
    const other = await connect(store);
    await store.append(batch());
    const calls: Promise<unknown>[] = [];
    const whole = (tail: WorkflowTail | null) =>
      assertEquals(
        tail!.events.length,
        Math.max(0, tail!.head.historyLength - 1),
        "the number of events after the first",
      );
    for (let i = 1; i < 40; i += 2) {
      calls.push(store.append(batch({ expectedLength: i, events: [fired(i), fired(i + 1)] })));
      for (const reader of [store, other]) calls.push(reader.loadSince("a", 1).then(whole));
      await calls[calls.length - 3];
    }
    await Promise.all(calls);
    assertEquals((await other.loadSince("a", Infinity))?.head.historyLength, 41, "the length in the end");
  }),
  memberCase("loadSince", "loadSince() returns copies: changes do not reach the store", async (make) => {
    const store = await make();
    const value = () => ({ list: [{ n: 1 }], date: new Date(5) });
    await store.save(fullState({ input: value(), history: [started, signal(value())] }));
    const before = structuredClone(await store.loadSince("a", 1));
    const { head, events }: Anything = await store.loadSince("a", 1);
    const { payload } = events[0];
    const changes = [
      () => head.input.list.push(1),
      () => head.input.date.setTime(6),
      () => payload.list.push(1),
      () => payload.date.setTime(6),
      () => events.push(1),
      () => head.runId = "9",
    ];
    for (const change of changes) {
      try {
        change();
      } catch {
        // frozen
      }
    }
    assertEquals(await store.loadSince("a", 1), before);
  }),
  memberCase("loadSince", "loadSince() rejects arguments that are not of their type, or out of range", async (make) => {
    const store = await make();
    await store.append(batch());
    const bad: [args: Anything[], Class: typeof TypeError | typeof RangeError][] = [
      [["", 0], TypeError],
      [[1, 0], TypeError],
      [[undefined, 0], TypeError],
      [["a", -1], RangeError],
      [["a", 0.5], RangeError],
      [["a", NaN], RangeError],
      [["a", "1"], RangeError],
      [["a"], RangeError],
      [["a", 0, 1], TypeError],
      [["a", 0, null], TypeError],
    ];
    for (const [args, Class] of bad) {
      const call = `loadSince(${args.map((one) => showValue(one)).join(", ")})`;
      await assertRejects(() => store.loadSince(...args as [string, number]), Class, call);
    }
  }),
];
