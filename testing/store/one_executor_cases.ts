/**
 * What an executor needs of its store: a run is stored as it happens, and another executor can go on with it.
 *
 * @module
 */

import { TimeoutError, WorkflowError } from "../../errors.ts";
import type { WorkflowContext } from "../../types.ts";
import { Deferred } from "../../util/deferred.ts";
import { assert, assertEquals, assertRejects } from "../assert.ts";
import { type ExecutorCase, executorCase, forever, START, typesOf } from "./executor_fixtures.ts";

/** Cases in which one executor at a time runs workflows. */
export const runCases: ExecutorCase[] = [
  executorCase(
    "a workflow's result is that of its run, and what is stored of it is what happened",
    "append() adds the events in order and leaves none out; state, result and times follow from them",
    async (scene) => {
      const labels = { customer: "7" };
      const ship = (what: string) => ({ shipped: what });
      const order = async (ctx: WorkflowContext, input: string) => {
        const { shipped } = await ctx.executeActivity(ship, input, { name: "ship" });
        await ctx.sleep(60_000);
        return shipped;
      };
      const executor = scene.executor({ workflows: { order } });
      const handle = await executor.execute(order, { id: "a", input: "book", labels });
      assertEquals(await handle.result(), "book", "the result");
      const [at, later] = [START, START + 60_000];
      assertEquals<unknown>(await scene.load("a"), {
        workflowId: "a",
        runId: handle.runId,
        workflowName: "order",
        status: "completed",
        input: "book",
        labels,
        result: "book",
        history: [
          { type: "workflow_started", at, workflowName: "order", input: "book", labels },
          { type: "activity_started", at, seq: 0, name: "ship", input: "book" },
          { type: "activity_completed", at, seq: 0, attempt: 1, result: { shipped: "book" } },
          { type: "timer_started", at, seq: 1, dueAt: later },
          { type: "timer_fired", at: later, seq: 1 },
          { type: "workflow_completed", at: later, result: "book" },
        ],
        createdAt: at,
        updatedAt: later,
      }, "what is stored");
    },
  ),
  executorCase(
    "recover() goes on where the run stopped, and what was recorded is not done again",
    "load() and list() answer the whole history that was appended",
    async (scene) => {
      const calls: string[] = [];
      const stuck = new Deferred<void>();
      const reserve = () => void calls.push("reserve");
      const charge = () => {
        if (calls.push("charge") > 2) return "charged";
        stuck.resolve();
        return forever();
      };
      const order = async (ctx: WorkflowContext) => {
        await ctx.executeActivity(reserve);
        return await ctx.executeActivity(charge);
      };
      const first = scene.executor({ workflows: { order } });
      await first.execute(order, { id: "a" });
      await stuck.promise;
      await scene.crash(first);
      const [handle] = await scene.executor({ workflows: { order } }).recover();
      assert(handle !== undefined, "Expected recover() to find the run, but it found none");
      assertEquals(await handle.result(), "charged", "the result");
      assertEquals(calls, ["reserve", "charge", "charge"], "the activities that were called");
    },
  ),
  executorCase(
    "values come back from the history as they were given",
    "values are what structured clone takes, in events as well",
    async (scene) => {
      const values = () => ({
        dates: [new Date(5)],
        map: new Map<unknown, unknown>([["k", new Set([1n])]]),
        bytes: new Uint8Array([1, 255]),
        absent: undefined,
        odd: [NaN, Infinity, null, "\0"],
      });
      const seen: unknown[] = [];
      const stuck = new Deferred<void>();
      const pause = () => {
        if (seen.length > 2) return;
        stuck.resolve();
        return forever();
      };
      const look = async (ctx: WorkflowContext, input: unknown) => {
        seen.push(input, await ctx.executeActivity(values));
        await ctx.executeActivity(pause);
        return seen;
      };
      const first = scene.executor({ workflows: { look } });
      await first.execute(look, { id: "a", input: values() });
      await stuck.promise;
      await scene.crash(first);
      const second = scene.executor({ workflows: { look } });
      const [handle] = await second.recover();
      assert(handle !== undefined, "Expected recover() to find the run, but it found none");
      const all = [1, 2, 3, 4].map(values);
      assertEquals<unknown>(
        await handle.result(),
        all,
        "what the workflow was given before and after it was recovered",
      );
      assertEquals<unknown>(await (await second.handle("a")).result(), all, "the result, from the store");
    },
  ),
  executorCase(
    "an activity that fails is tried again, and every attempt is stored",
    "append() keeps errors and every event of a run",
    async (scene) => {
      let attempts = 0;
      const flaky = () => {
        if (++attempts < 3) throw new RangeError(`attempt ${attempts}`);
        return attempts;
      };
      const retry = { maxAttempts: 3, initialIntervalMs: 100, jitter: false } as const;
      const handle = await scene.executor().execute((ctx) => ctx.executeActivity(flaky, undefined, { retry }), {
        id: "a",
      });
      assertEquals(await handle.result(), 3, "the result");
      const failed = (await scene.load("a")).history.flatMap((event) =>
        event.type === "activity_attempt_failed"
          ? [[event.at, event.attempt, event.retryAt, event.error.name, event.error.message]]
          : []
      );
      assertEquals<unknown>(failed, [
        [START, 1, START + 100, "RangeError", "attempt 1"],
        [START + 100, 2, START + 300, "RangeError", "attempt 2"],
      ], "the attempts that failed, in the history");
    },
  ),
  executorCase(
    "a workflow that fails is stored with its error, and whoever asks later gets the same",
    "an event workflow_failed finishes the run, and its error is kept whole",
    async (scene) => {
      const fail = () => {
        throw Object.assign(new RangeError("sold out", { cause: new TypeError("no stock") }), { sku: "x1" });
      };
      const first = scene.executor();
      const handle = await first.execute(fail, { id: "a" });
      await assertRejects(() => handle.result(), RangeError, "result()");
      const { status, error } = await scene.load("a");
      assertEquals<unknown>([status, error?.message, error?.data, error?.cause?.message], [
        "failed",
        "sold out",
        { sku: "x1" },
        "no stock",
      ], "what is stored of the failed run");
      await scene.crash(first);
      const later = await scene.executor().handle("a");
      const { message } = await assertRejects(() => later.result(), RangeError, "result() of another executor");
      assertEquals(message, "sold out");
    },
  ),
  executorCase(
    "a sleep ends when it is due, also over a restart",
    "events keep their times; the run that was appended to is found again",
    async (scene) => {
      const day = 86_400_000;
      const month = async (ctx: WorkflowContext) => {
        await ctx.sleep(30 * day);
        return ctx.now();
      };
      scene.clock.hold(); // the first executor does not see the end
      const first = scene.executor({ workflows: { month } });
      await first.execute(month, { id: "a" });
      await scene.grown("a", 2);
      await scene.crash(first);
      scene.clock.advance(10 * day);
      const [handle] = await scene.executor({ workflows: { month } }).recover();
      scene.clock.release();
      assertEquals(await handle?.result(), START + 30 * day, "the time at which the sleep ended");
      assertEquals(typesOf((await scene.load("a")).history), [
        "workflow_started",
        "timer_started",
        "timer_fired",
        "workflow_completed",
      ], "the history");
    },
  ),
  executorCase(
    "signals are read in the order in which they were sent, whether or not somebody waits for them",
    "append() adds the events in order, one after the other",
    async (scene) => {
      const collect = async (ctx: WorkflowContext) => {
        const got: unknown[] = [];
        for await (const payload of ctx.receiveSignal("s")) if (got.push(payload) === 20) return got;
      };
      const executor = scene.executor();
      const handle = await executor.execute(collect, { id: "a", startAfterMs: 1000 });
      const early = Array.from({ length: 10 }, (_, i) => executor.signal("a", { name: "s", payload: i }));
      await Promise.all(early);
      for (let i = 10; i < 20; i++) await executor.signal("a", { name: "s", payload: i });
      const sent = Array.from({ length: 20 }, (_, i) => i);
      assertEquals<unknown>(await handle.result(), sent, "the payloads that the workflow got");
      const { history } = await scene.load("a");
      const stored = history.flatMap((event) => event.type === "signal_received" ? [event.payload] : []);
      assertEquals<unknown>(stored, sent, "the payloads in the history");
    },
  ),
  executorCase(
    "a signal that is sent while nobody drives the run waits in the store",
    "append() of one executor is seen by load() and list() of the next",
    async (scene) => {
      const wait = (ctx: WorkflowContext) => ctx.waitForSignal("s");
      const first = scene.executor({ workflows: { wait } });
      await first.execute(wait, { id: "a" });
      await scene.crash(first);
      const second = scene.executor({ workflows: { wait } });
      await second.signal("a", { name: "s", payload: "hello" });
      const [handle] = await second.recover();
      assertEquals<unknown>(await handle?.result(), "hello", "the payload");
    },
  ),
  executorCase(
    "a workflow that is cancelled undoes what it did and ends as canceled",
    "an event workflow_canceled finishes the run",
    async (scene) => {
      const calls: string[] = [];
      const release = () => void calls.push("release");
      const order = async (ctx: WorkflowContext) => {
        ctx.addCompensation(() => ctx.executeActivity(release));
        await ctx.waitForSignal("never");
      };
      const executor = scene.executor();
      const handle = await executor.execute(order, { id: "a" });
      await executor.cancel("a", "no stock");
      await assertRejects(() => handle.result(), WorkflowError, "result()");
      const { status, error } = await scene.load("a");
      assertEquals<unknown>([status, error?.data, calls], [
        "canceled",
        { code: "canceled", reason: "no stock" },
        ["release"],
      ], "the status, the error's data and the activities that were called");
    },
  ),
  executorCase(
    "a workflow whose time is up ends as failed, also over a restart",
    "an event workflow_started is kept as it was given",
    async (scene) => {
      const wait = (ctx: WorkflowContext) => ctx.waitForSignal("never");
      scene.clock.hold();
      const first = scene.executor({ workflows: { wait } });
      await first.execute(wait, { id: "a", timeoutMs: 1000 });
      await scene.crash(first);
      const [handle] = await scene.executor({ workflows: { wait } }).recover();
      assert(handle !== undefined, "Expected recover() to find the run, but it found none");
      scene.clock.release();
      await assertRejects(() => handle.result(), TimeoutError, "result()");
      const { status, updatedAt } = await scene.load("a");
      assertEquals<unknown>([status, updatedAt], ["failed", START + 1000], "the status, and when the run ended");
    },
  ),
  executorCase(
    "an execution in the place of a finished run is a new one, and nothing of the old one is left",
    "append() replaces the finished run that it names, last in the order of creation",
    async (scene) => {
      const executor = scene.executor();
      const echo = async (ctx: WorkflowContext, input: string) => {
        await ctx.sleep(10);
        return input;
      };
      const first = await executor.execute(echo, { id: "a", input: "old", labels: { old: "yes" } });
      await first.result();
      await (await executor.execute(echo, { id: "b", input: "other" })).result();
      const second = await executor.execute(echo, { id: "a", input: "new" });
      assertEquals(await second.result(), "new", "the result");
      const { runId, input, labels, createdAt, history } = await scene.load("a");
      assertEquals<unknown>([runId, input, labels, createdAt, history.length], [
        second.runId,
        "new",
        undefined,
        START + 20,
        4,
      ], "what is stored of the new run");
      assertEquals((await scene.store.list()).map(({ workflowId }) => workflowId), ["b", "a"], "the order of creation");
      const join = await executor.execute(echo, { id: "a", input: "newer", reuse: "join" });
      assertEquals([join.runId, await join.result()], [second.runId, "new"], "the run that is joined");
    },
  ),
  executorCase(
    "an execution that terminates a running one takes its place",
    "append() finishes a run, and then replaces it",
    async (scene) => {
      const executor = scene.executor();
      const first = await executor.execute((ctx) => ctx.waitForSignal("never"), { id: "a" });
      const { code } = await assertRejects(() => executor.execute(() => 2, { id: "a" }), WorkflowError, "execute()");
      assertEquals(code, "already_running");
      const second = await executor.execute(() => 2, { id: "a", onConflict: "terminate" });
      const ended = await assertRejects(() => first.result(), WorkflowError, "result() of the terminated run");
      assertEquals([ended.code, await second.result()], ["terminated", 2]);
      assertEquals((await scene.load("a")).runId, second.runId, "the run that is stored");
    },
  ),
  executorCase(
    "a workflow that continues as new keeps its place and its createdAt, and loses no signal",
    "append() with replaces and an expectedLength above 0 puts the new history in the place of the old one",
    async (scene) => {
      const sum = async (ctx: WorkflowContext, [total, left]: readonly [number, number]): Promise<number> => {
        if (left === 0) return total;
        const n = await ctx.waitForSignal<number>("n");
        await ctx.sleep(10);
        return await ctx.continueAsNew([total + n, left - 1]);
      };
      const executor = scene.executor();
      const handle = await executor.execute(sum, { id: "a", input: [0, 5] });
      await executor.execute((ctx) => ctx.waitForSignal("never"), { id: "b" });
      await Promise.all([1, 2, 3, 4, 5].map((payload) => executor.signal("a", { name: "n", payload })));
      assertEquals(await handle.result(), 15, "the result");
      const [a, b] = await scene.store.list();
      assertEquals<unknown>([a?.workflowId, b?.workflowId], ["a", "b"], "the order of creation");
      assertEquals<unknown>([a?.input, a?.createdAt, a?.history.length], [[15, 0], START, 2], "the last run");
    },
  ),
  executorCase(
    "a child is stored beside its parent, and its result reaches it",
    "runs of different IDs do not touch each other",
    async (scene) => {
      const child = (_ctx: WorkflowContext, n: number) => n * 2;
      const parent = async (ctx: WorkflowContext) => {
        const results = [];
        for (const n of [1, 2]) results.push(await ctx.executeChild(child, n, { id: `child ${n}` }));
        return results;
      };
      const executor = scene.executor({ workflows: { child } });
      const handle = await executor.execute(parent, { id: "parent" });
      assertEquals(await handle.result(), [2, 4], "the result");
      const states = await scene.store.list({ workflowName: "child" });
      assertEquals<unknown>(states.map(({ workflowId, result }) => [workflowId, result]), [["child 1", 2], [
        "child 2",
        4,
      ]], "the children that are stored");
    },
  ),
  executorCase(
    "an update is answered once, and a repetition gets the same answer, also over a restart",
    "append() keeps every event, and load() answers what was appended",
    async (scene) => {
      let handled = 0;
      const counter = async (ctx: WorkflowContext) => {
        let count = 0;
        ctx.handleUpdate("add", async (n: number) => {
          await ctx.executeActivity(() => void handled++);
          return count += n;
        });
        await ctx.waitForSignal("end");
        return count;
      };
      const first = scene.executor({ workflows: { counter } });
      await first.execute(counter, { id: "a" });
      assertEquals<unknown>(await first.update("a", "add", 2, { updateId: "1" }), 2, "the answer");
      await scene.crash(first);
      const second = scene.executor({ workflows: { counter } });
      const [handle] = await second.recover();
      assertEquals<unknown>(await second.update("a", "add", 2, { updateId: "1" }), 2, "the answer to the repetition");
      assertEquals<unknown>(await second.update("a", "add", 3, { updateId: "2" }), 5, "the answer to another update");
      await second.signal("a", { name: "end" });
      assertEquals<unknown>([await handle?.result(), handled], [5, 2], "the result, and how often the handler ran");
    },
  ),
  executorCase(
    "runs are found by status, name and labels as they are now",
    "list() matches the state that follows from the events",
    async (scene) => {
      const end = async (ctx: WorkflowContext, how: string) => {
        if (how === "fail") throw new Error("failed");
        if (how === "wait") await ctx.waitForSignal("never");
      };
      const executor = scene.executor({ workflows: { end } });
      for (const [id, input, city] of [["a", "wait", "Rome"], ["b", "fail", "Oslo"], ["c", "done", "Rome"]]) {
        const handle = await executor.execute(end, { id, input, labels: { city } });
        if (input !== "wait") await handle.result().catch(() => {});
      }
      const found = async (filter: Parameters<typeof scene.store.list>[0]) =>
        (await scene.store.list(filter)).map(({ workflowId }) => workflowId).join("");
      assertEquals(
        [
          await found({ status: "running" }),
          await found({ status: ["failed", "completed"] }),
          await found({ labels: { city: "Rome" } }),
          await found({ workflowName: "end", order: "desc", limit: 2 }),
          await found({ workflowName: "other" }),
        ],
        ["a", "bc", "ac", "cb", ""],
        "the IDs by status, statuses, label, name, and another name",
      );
    },
  ),
];
