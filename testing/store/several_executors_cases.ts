/**
 * The contract of a store that several executors share: one of several writers succeeds, and the others notice.
 *
 * @module
 */

import { WorkflowError } from "../../errors.ts";
import type { WorkflowHandle } from "../../executor.ts";
import type { WorkflowState } from "../../types.ts";
import type { WorkflowContext } from "../../context.ts";
import { Deferred } from "../../util/deferred.ts";
import { assert, assertEquals, assertRejects } from "../assert.ts";
import { type ExecutorCase, executorCase } from "./executor_fixtures.ts";
import { FaultyStore } from "../faulty_store.ts";

/** Checks a finished history: one start, one end, and each command and outcome only once. */
function assertOneHistory({ history }: WorkflowState): void {
  const seen = new Set<string>();
  for (const [i, event] of history.entries()) {
    assert((event.type === "workflow_started") === (i === 0), `Event ${i} of ${history.length} is ${event.type}`);
    const isLast = ["workflow_completed", "workflow_failed", "workflow_canceled"].includes(event.type);
    assert(isLast === (i === history.length - 1), `Event ${i} of ${history.length} is ${event.type}`);
    const key = "seq" in event
      ? `${event.type} ${event.seq}`
      : event.type === "signal_received"
      ? `${event.type} ${event.signalId}`
      : event.type;
    assert(!seen.has(key), `Event ${i} of ${history.length}, ${key}, is in the history twice`);
    seen.add(key);
  }
}

/** A workflow with activities and sleeps, one after the other and in parallel. */
async function work(ctx: WorkflowContext): Promise<number[]> {
  const results: number[] = [];
  for (let i = 0; i < 3; i++) {
    results.push(await ctx.executeActivity((n: number) => n * 2, i));
    await Promise.all([ctx.sleep(100), ctx.executeActivity(() => "parallel")]);
  }
  return results;
}

/** Cases in which several executors share a store, or one executor has a store that fails. */
export const severalExecutorsCases = (): ExecutorCase[] => [
  executorCase(
    "one of several executors that start the same ID succeeds",
    "append() rejects with a conflict if the run exists, also for concurrent appends",
    async (fixture) => {
      const wait = (ctx: WorkflowContext) => ctx.waitForSignal("s");
      const executors = Array.from({ length: 5 }, () => fixture.executor());
      const started = await Promise.allSettled(executors.map((executor) => executor.execute(wait, { id: "a" })));
      const won = started.flatMap((one) => one.status === "fulfilled" ? [one.value.runId] : []);
      assertEquals(won, [(await fixture.load("a")).runId], "the started runs and the stored run");
      const codes = started.flatMap((one) => one.status === "rejected" ? [one.reason.code] : []);
      assertEquals<unknown>(codes, Array(4).fill("already_running"), "the error codes of the other executors");
    },
  ),
  executorCase(
    "executors that run the same workflow write one history, and get the same result",
    "append() compares the length and appends in one atomic step, and rejects the second writer",
    async (fixture) => {
      const { clock } = fixture;
      const executors = [1, 2, 3].map((seed) =>
        fixture.executor({
          workflows: { work },
          store: new FaultyStore(fixture.store, { seed, latencyMs: [0, 20], clock }),
        })
      );
      const [first, ...others] = executors;
      const handles: WorkflowHandle[] = [await first.execute(work, { id: "a" })];
      for (const executor of others) handles.push(...await executor.recover());
      assertEquals(handles.length, 3, "how many executors run the workflow");
      const results = handles.map((handle) => handle.result());
      // Without subscribe(), an executor does not notice the writes of others, and only the last writer is sure to end.
      const ended = fixture.store.subscribe ? await Promise.all(results) : [await Promise.race(results)];
      assertOneHistory(await fixture.load("a"));
      for (const result of ended) assertEquals<unknown>(result, [0, 2, 4], "the result of an executor");
    },
  ),
  executorCase(
    "concurrent runs have separate histories",
    "IDs are compared exactly, and appends to one workflow do not affect another",
    async (fixture) => {
      const executor = fixture.executor();
      const ids = Array.from({ length: 20 }, (_, i) => `run ${i}`);
      const echo = async (ctx: WorkflowContext, input: string) => {
        for (let i = 0; i < 3; i++) await ctx.executeActivity((text: string) => text, `${input}, ${i}`);
        return await ctx.waitForSignal("s");
      };
      const results = await Promise.all(ids.map(async (id) => {
        const handle = await executor.execute(echo, { id, input: id });
        await executor.signal(id, "s", `signal of ${id}`);
        return await handle.result();
      }));
      assertEquals<unknown>(results, ids.map((id) => `signal of ${id}`), "the results");
      for (const id of ids) {
        const state = await fixture.load(id);
        assertOneHistory(state);
        const given = state.history.flatMap((event) => event.type === "activity_started" ? [event.input] : []);
        assertEquals<unknown>(given, [0, 1, 2].map((i) => `${id}, ${i}`), `the inputs of the activities of "${id}"`);
      }
    },
  ),
  executorCase(
    "recover() resumes all running runs, in order of creation, and no others",
    'list({ status: "running" }) returns the running runs of one moment, in order of creation',
    async (fixture) => {
      const wait = async (ctx: WorkflowContext, ends: boolean) => {
        if (!ends) await ctx.waitForSignal("never");
      };
      const first = fixture.executor({ workflows: { wait } });
      for (const id of ["c", "x", "a", "y", "b"]) {
        const handle = await first.execute(wait, { id, input: id > "m" });
        if (id > "m") await handle.result();
      }
      await fixture.crash(first);
      const handles = await fixture.executor({ workflows: { wait } }).recover();
      assertEquals(handles.map(({ id }) => id), ["c", "a", "b"], "the runs that recover() resumed");
    },
  ),
  ...(["failBefore", "failAfter", "conflict"] as const).map((fault) =>
    executorCase(
      {
        failBefore: "an executor whose store sometimes fails gets the same result",
        failAfter: "an executor whose store sometimes loses its answers writes nothing twice",
        conflict: "an executor that gets false conflicts gets the same result",
      }[fault],
      "append() rejects a repeated batch with a conflict, and a rejected call changes nothing",
      async (fixture) => {
        for (const seed of [1, 2, 3]) {
          const { clock } = fixture;
          const store = new FaultyStore(fixture.store, { seed, [fault]: 0.3, latencyMs: [0, 5], clock });
          const executor = fixture.executor({ store, storeRetry: { maxAttempts: 50 } });
          const id = `seed ${seed}`;
          const busy = async (ctx: WorkflowContext) => [...await work(ctx), await ctx.waitForSignal("s")];
          const handle = await executor.execute(busy, { id });
          await executor.signal(id, "s", "signal");
          assertEquals<unknown>(await handle.result(), [0, 2, 4, "signal"], `the result with seed ${seed}`);
          assertOneHistory(await fixture.load(id));
        }
      },
    )
  ),
  executorCase(
    "an executor answers queries of a workflow that another one runs, from the store",
    "load() returns the whole state, with everything that was appended before",
    async (fixture) => {
      const ask = async (ctx: WorkflowContext, input: string) => {
        const parts = [input];
        ctx.handleQuery("parts", () => parts);
        parts.push(await ctx.executeActivity(() => "result"));
        await ctx.waitForSignal("end");
      };
      const executor = fixture.executor({ workflows: { ask } });
      const handle = await executor.execute(ask, { id: "a", input: "input" });
      await fixture.waitForLength("a", 3);
      const other = fixture.executor({ workflows: { ask } });
      assertEquals<unknown>(await other.query("a", "parts"), ["input", "result"], "the answer while it runs");
      assertEquals((await other.describe("a")).status, "running");
      await executor.signal("a", "end");
      await handle.result();
      assertEquals<unknown>(await other.query("a", "parts"), ["input", "result"], "the answer when it is over");
      assertEquals((await other.describe("a")).status, "completed");
    },
  ),
  executorCase(
    "an executor notices signals that another one sent, and the end of runs of another one",
    "subscribe() calls every listener after each change, whoever made it",
    async (fixture) => {
      const waits = new Deferred<void>();
      const wait = async (ctx: WorkflowContext) => {
        await ctx.executeActivity(() => waits.resolve());
        return await ctx.waitForSignal("s");
      };
      const executor = fixture.executor();
      await executor.execute(wait, { id: "a" });
      await waits.promise;
      const other = fixture.executor();
      const result = (await other.handle("a")).result();
      await other.signal("a", "s", "hello");
      assertEquals<unknown>(await result, "hello", "the result at the executor that does not run the workflow");
    },
    { subscribe: true },
  ),
  executorCase(
    "an executor without notifications refuses to wait for runs of another one",
    "in a store without subscribe(), the property is absent or undefined",
    async (fixture) => {
      await fixture.executor().execute((ctx) => ctx.waitForSignal("never"), { id: "a" });
      const handle = await fixture.executor().handle("a");
      const { code } = await assertRejects(() => handle.result(), WorkflowError, "result()");
      assertEquals(code, "unsupported");
    },
    { subscribe: false },
  ),
];
