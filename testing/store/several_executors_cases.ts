/**
 * What executors that share a store need of it: of several writers one wins, and the others hear of it.
 *
 * @module
 */

import { WorkflowError } from "../../errors.ts";
import type { WorkflowHandle } from "../../executor.ts";
import type { WorkflowContext, WorkflowState } from "../../types.ts";
import { Deferred } from "../../util/deferred.ts";
import { assert, assertEquals, assertRejects } from "../assert.ts";
import { type ExecutorCase, executorCase } from "./executor_fixtures.ts";
import { FaultyStore } from "../faulty_store.ts";

/** What must hold of a history, however many have written it: every command and every outcome once, a beginning, an end. */
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

/** Activities and sleeps, in turn and side by side. */
async function work(ctx: WorkflowContext): Promise<number[]> {
  const results: number[] = [];
  for (let i = 0; i < 3; i++) {
    results.push(await ctx.executeActivity((n: number) => n * 2, i));
    await Promise.all([ctx.sleep(100), ctx.executeActivity(() => "beside")]);
  }
  return results;
}

/** Cases in which several executors work on one store, or one on a store that fails. */
export const executorsCases: ExecutorCase[] = [
  executorCase(
    "of several executors that start the same ID, one does",
    "append() rejects with a conflict if the run exists, however many append at the same time",
    async (scene) => {
      const wait = (ctx: WorkflowContext) => ctx.waitForSignal("s");
      const executors = Array.from({ length: 5 }, () => scene.executor());
      const started = await Promise.allSettled(executors.map((executor) => executor.execute(wait, { id: "a" })));
      const won = started.flatMap((one) => one.status === "fulfilled" ? [one.value.runId] : []);
      assertEquals(won, [(await scene.load("a")).runId], "the runs that were started, and the one that is stored");
      const codes = started.flatMap((one) => one.status === "rejected" ? [one.reason.code] : []);
      assertEquals<unknown>(codes, Array(4).fill("already_running"), "the codes of the others' errors");
    },
  ),
  executorCase(
    "executors that drive the same run write one history, and agree on its result",
    "append() compares the length and appends in one step, and rejects whoever comes second",
    async (scene) => {
      const { clock } = scene;
      const executors = [1, 2, 3].map((seed) =>
        scene.executor({
          workflows: { work },
          store: new FaultyStore(scene.store, { seed, latencyMs: [0, 20], clock }),
        })
      );
      const [first, ...others] = executors;
      const handles: WorkflowHandle[] = [await first.execute(work, { id: "a" })];
      for (const executor of others) handles.push(...await executor.recover());
      assertEquals(handles.length, 3, "how many executors drive the run");
      const results = handles.map((handle) => handle.result());
      // Without subscribe(), an executor does not hear of what another one does, and only the last to write is sure to end.
      const ended = scene.store.subscribe ? await Promise.all(results) : [await Promise.race(results)];
      assertOneHistory(await scene.load("a"));
      for (const result of ended) assertEquals<unknown>(result, [0, 2, 4], "the result that an executor came to");
    },
  ),
  executorCase(
    "runs side by side keep their histories apart",
    "IDs are told apart, and appends to one workflow do not reach another",
    async (scene) => {
      const executor = scene.executor();
      const ids = Array.from({ length: 20 }, (_, i) => `run ${i}`);
      const echo = async (ctx: WorkflowContext, input: string) => {
        for (let i = 0; i < 3; i++) await ctx.executeActivity((text: string) => text, `${input}, ${i}`);
        return await ctx.waitForSignal("s");
      };
      const results = await Promise.all(ids.map(async (id) => {
        const handle = await executor.execute(echo, { id, input: id });
        await executor.signal(id, { name: "s", payload: `signal of ${id}` });
        return await handle.result();
      }));
      assertEquals<unknown>(results, ids.map((id) => `signal of ${id}`), "the results");
      for (const id of ids) {
        const state = await scene.load(id);
        assertOneHistory(state);
        const given = state.history.flatMap((event) => event.type === "activity_started" ? [event.input] : []);
        assertEquals<unknown>(given, [0, 1, 2].map((i) => `${id}, ${i}`), `the inputs of the activities of "${id}"`);
      }
    },
  ),
  executorCase(
    "recover() finds every run that is running, in order of creation, and no other",
    'list({ status: "running" }) answers what is running now, all of one moment, in order of creation',
    async (scene) => {
      const wait = async (ctx: WorkflowContext, ends: boolean) => {
        if (!ends) await ctx.waitForSignal("never");
      };
      const first = scene.executor({ workflows: { wait } });
      for (const id of ["c", "x", "a", "y", "b"]) {
        const handle = await first.execute(wait, { id, input: id > "m" });
        if (id > "m") await handle.result();
      }
      await scene.crash(first);
      const handles = await scene.executor({ workflows: { wait } }).recover();
      assertEquals(handles.map(({ id }) => id), ["c", "a", "b"], "the runs that recover() found");
    },
  ),
  ...(["failBefore", "failAfter", "conflict"] as const).map((fault) =>
    executorCase(
      {
        failBefore: "an executor whose store fails now and then comes to the same result",
        failAfter: "an executor whose store loses its answers now and then writes nothing twice",
        conflict: "an executor that is told of conflicts that are none comes to the same result",
      }[fault],
      "append() rejects every repetition of a batch with a conflict, and a rejected call has changed nothing",
      async (scene) => {
        for (const seed of [1, 2, 3]) {
          const { clock } = scene;
          const store = new FaultyStore(scene.store, { seed, [fault]: 0.3, latencyMs: [0, 5], clock });
          const executor = scene.executor({ store, storeRetry: { maxAttempts: 50 } });
          const id = `seed ${seed}`;
          const busy = async (ctx: WorkflowContext) => [...await work(ctx), await ctx.waitForSignal("s")];
          const handle = await executor.execute(busy, { id });
          await executor.signal(id, { name: "s", payload: "signal" });
          assertEquals<unknown>(await handle.result(), [0, 2, 4, "signal"], `the result with seed ${seed}`);
          assertOneHistory(await scene.load(id));
        }
      },
    )
  ),
  executorCase(
    "any executor answers queries of a run that it does not drive, from what is stored",
    "load() answers the whole state, and what was appended is seen by whoever loads after",
    async (scene) => {
      const ask = async (ctx: WorkflowContext, input: string) => {
        const parts = [input];
        ctx.handleQuery("parts", () => parts);
        parts.push(await ctx.executeActivity(() => "result"));
        await ctx.waitForSignal("end");
      };
      const executor = scene.executor({ workflows: { ask } });
      const handle = await executor.execute(ask, { id: "a", input: "input" });
      await scene.grown("a", 3);
      const other = scene.executor({ workflows: { ask } });
      assertEquals<unknown>(await other.query("a", "parts"), ["input", "result"], "the answer while it runs");
      assertEquals(await other.query("a", "status"), "running");
      await executor.signal("a", { name: "end" });
      await handle.result();
      assertEquals<unknown>(await other.query("a", "parts"), ["input", "result"], "the answer when it is over");
      assertEquals(await other.query("a", "status"), "completed");
    },
  ),
  executorCase(
    "an executor hears of signals that another one sent, and of the end of runs that another one drives",
    "subscribe() calls every listener after each change, by whomever",
    async (scene) => {
      const waits = new Deferred<void>();
      const wait = async (ctx: WorkflowContext) => {
        await ctx.executeActivity(() => waits.resolve());
        return await ctx.waitForSignal("s");
      };
      const executor = scene.executor();
      await executor.execute(wait, { id: "a" });
      await waits.promise;
      const other = scene.executor();
      const result = (await other.handle("a")).result();
      await other.signal("a", { name: "s", payload: "hello" });
      assertEquals<unknown>(await result, "hello", "the result, at the executor that does not drive the run");
    },
    { subscribe: true },
  ),
  executorCase(
    "an executor says that it cannot wait for runs that another one drives",
    "a store without subscribe() has no property of that name but undefined",
    async (scene) => {
      await scene.executor().execute((ctx) => ctx.waitForSignal("never"), { id: "a" });
      const handle = await scene.executor().handle("a");
      const { code } = await assertRejects(() => handle.result(), WorkflowError, "result()");
      assertEquals(code, "unsupported");
    },
    { subscribe: false },
  ),
];
