/**
 * The contract of two instances on one database, as two processes have them: what one writes, the other sees.
 *
 * @module
 */

import type { WorkflowContext } from "../../context.ts";
import type { AppendBatch, WorkflowState } from "../../types.ts";
import { macrotask } from "../../util/macrotask.ts";
import { showValue } from "../../util/show_value.ts";
import { assert, assertEquals } from "../assert.ts";
import { type ExecutorCase, ExecutorFixture } from "./executor_fixtures.ts";
import { batch, type CaseBody, completed, fired, fullState, idsOf, rejectsWithConflict, saveIds } from "./fixtures.ts";
import { listenTo } from "./subscribe_cases.ts";

/** Lets the other side run: one that only reads or writes in microtasks would keep it from that. */
const pause = (): Promise<void> => new Promise((resolve) => macrotask(resolve));

/** The contract of two instances. */
export const twoInstancesCases = (): CaseBody[] => [
  {
    name: "another instance sees the effect of every method once it has settled",
    async run(makeStore, _reopen, connect) {
      const store = await makeStore();
      const other = await connect(store);
      for (const [writer, reader] of [[store, other], [other, store]]) {
        await writer.append(batch());
        assertEquals(
          (await reader.load("a"))?.history,
          batch().events,
          "what load() of the other returns after append()",
        );
        await writer.append(batch({ expectedLength: 1, events: [fired(2), completed] }));
        assertEquals(await idsOf(reader, { status: "completed" }), ["a"], "what list() of the other returns");
        await writer.save(fullState());
        assertEquals(
          await reader.load("a"),
          fullState() as WorkflowState,
          "what load() of the other returns after save()",
        );
        await writer.delete("a");
        assertEquals(
          [await reader.load("a"), await reader.list()],
          [null, []],
          "what the other returns after delete()",
        );
      }
    },
  },
  {
    name: "another instance refuses what does not fit what was written",
    async run(makeStore, _reopen, connect) {
      const store = await makeStore();
      const other = await connect(store);
      await store.append(batch());
      await rejectsWithConflict(other, {});
      await other.append(batch({ expectedLength: 1, events: [fired(2)] }));
      await rejectsWithConflict(store, { expectedLength: 1, events: [fired(3)] });
      await store.append(batch({ expectedLength: 2, events: [completed] }));
      await rejectsWithConflict(other, { expectedLength: 3, events: [] });
    },
  },
  {
    name: "append() lets one of several writers on two instances succeed, and adds no event twice",
    async run(makeStore, _reopen, connect) {
      const store = await makeStore();
      const other = await connect(store);
      const parts: Partial<AppendBatch>[] = [
        {},
        { expectedLength: 1, events: [fired(2)] },
        { expectedLength: 2, events: [completed] },
        { runId: "2", replaces: "1" },
      ];
      for (const part of parts) {
        const writers = Array.from({ length: 10 }, (_, i) => (i % 2 ? store : other).append(batch(part)));
        const won = (await Promise.allSettled(writers)).filter(({ status }) => status === "fulfilled");
        assertEquals(won.length, 1, `how many of 10 concurrent calls of append(${showValue(batch(part))}) succeeded`);
      }
      assertEquals((await other.load("a"))?.history, batch().events);
    },
  },
  {
    name: "the order of creation is the same in all instances, also for concurrent writers",
    async run(makeStore, _reopen, connect) {
      const store = await makeStore();
      const other = await connect(store);
      const writes = Array.from({ length: 10 }, (_, i) => saveIds(i % 2 ? store : other, `${i}`));
      await Promise.all(writes);
      await saveIds(store, "y");
      await saveIds(other, "x");
      const ids = await idsOf(store);
      assertEquals(ids.slice(10), ["y", "x"]);
      assertEquals(ids.slice(0, 10).sort(), Array.from({ length: 10 }, (_, i) => `${i}`));
      assertEquals(await idsOf(other), ids, "the IDs in the other instance");
      assertEquals(await idsOf(other, { order: "desc" }), ids.toReversed(), "the IDs in reverse order");
    },
  },
  {
    name: "a reader beside a writer of another instance sees whole steps only",
    async run(makeStore, _reopen, connect) {
      const writer = await makeStore();
      const reader = await connect(writer);
      for (const workflowId of ["a", "b"]) await writer.append(batch({ workflowId }));
      let done = false;
      const write = async () => {
        for (let i = 1; i < 40; i += 2) {
          for (const workflowId of ["a", "b"]) {
            await writer.append(batch({ workflowId, expectedLength: i, events: [fired(i), fired(i + 1)] }));
            await pause();
          }
        }
        done = true;
      };
      const written = write();
      while (!done) {
        await pause();
        const [a, b] = (await reader.list()).map(({ history }) => history.length);
        const whole = await reader.load("b");
        for (const length of [a, b, whole!.history.length]) {
          assert(length % 2 === 1, `Expected a history of whole batches, but it has ${length} events`);
        }
        assert(a === b || a === b + 2, `Expected list() of one moment, but "a" has ${a} events and "b" has ${b}`);
      }
      await written;
    },
  },
];

/** The contract of `subscribe()` of two instances. */
export const twoListenersCases = (): CaseBody[] => [
  {
    name: "subscribe() calls the listener after each change of another instance, and the change is visible",
    async run(makeStore, _reopen, connect) {
      const store = await makeStore();
      const other = await connect(store);
      const seen: unknown[] = [];
      const { until, end } = listenTo(other);
      const changes: [() => Promise<void>, seen: unknown][] = [
        [() => store.append(batch()), 1],
        [() => store.append(batch({ expectedLength: 1, events: [fired(2), completed] })), 3],
        [() => store.append(batch({ runId: "2", replaces: "1" })), 1],
        [() => store.save(fullState()), 2],
        [() => store.delete("a"), undefined],
      ];
      let count = 0;
      for (const [change] of changes) {
        await change();
        const calls = await until(count + 1);
        count = calls.length;
        seen.push((await other.load("a"))?.history.length);
      }
      end();
      assertEquals(seen, changes.map(([, length]) => length), "the lengths that were visible after each call");
    },
  },
];

/** Executors on two instances. */
export const twoProcessesCases = (): ExecutorCase[] => [
  {
    name: "executors on two instances notice each other's signals, and the end of each other's runs",
    likely: "subscribe() calls every listener after each change, also of another instance",
    needs: { subscribe: true },
    async run(makeStore, reopen, connect) {
      const store = await makeStore();
      const [one, two] = [new ExecutorFixture(store, reopen), new ExecutorFixture(await connect(store), reopen)];
      try {
        const wait = async (ctx: WorkflowContext) => [await ctx.waitForSignal("s"), await ctx.waitForSignal("s")];
        await one.executor().execute(wait, { id: "a" });
        const other = two.executor();
        const result = (await other.handle("a")).result();
        for (const text of ["hello", "again"]) await other.signal("a", "s", text);
        assertEquals<unknown>(await result, ["hello", "again"], "the result at the executor that does not run it");
        assertEquals((await one.load("a")).status, "completed");
      } finally {
        await Promise.all([one.close(), two.close()]);
      }
    },
  },
];
