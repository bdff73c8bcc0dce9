/**
 * The contract of a store under one executor: a run is stored as it happens, and another executor can resume it.
 *
 * @module
 */

import { TimeoutError, WorkflowError } from "../../errors.ts";
import type { WorkflowContext } from "../../context.ts";
import { Deferred } from "../../util/deferred.ts";
import { assert, assertEquals, assertRejects } from "../assert.ts";
import { type ExecutorCase, executorCase, forever, START, typesOf } from "./executor_fixtures.ts";

/** Cases in which one executor at a time runs workflows. */
export const oneExecutorCases = (): ExecutorCase[] => [
  executorCase(
    "a workflow has the result of its run, and its stored state shows what happened",
    "append() adds all events in order; status, result and times follow from them",
    async (fixture) => {
      const labels = { customer: "7" };
      const ship = (what: string) => ({ shipped: what });
      const order = async (ctx: WorkflowContext, input: string) => {
        const { shipped } = await ctx.executeActivity(ship, input, { name: "ship" });
        await ctx.sleep(60_000);
        return shipped;
      };
      const executor = fixture.executor({ workflows: { order } });
      const handle = await executor.execute(order, { id: "a", input: "book", labels });
      assertEquals(await handle.result(), "book", "the result");
      const [at, later] = [START, START + 60_000];
      assertEquals<unknown>(await fixture.load("a"), {
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
    "recover() resumes a run where it stopped, and repeats nothing that is recorded",
    "load() and list() return the whole history that was appended",
    async (fixture) => {
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
      const first = fixture.executor({ workflows: { order } });
      await first.execute(order, { id: "a" });
      await stuck.promise;
      await fixture.crash(first);
      const [handle] = await fixture.executor({ workflows: { order } }).recover();
      assert(handle !== undefined, "Expected recover() to find the run, but it found none");
      assertEquals(await handle.result(), "charged", "the result");
      assertEquals(calls, ["reserve", "charge", "charge"], "the activities that were called");
    },
  ),
  executorCase(
    "values come back from the history unchanged",
    "values can be everything that structured clone can copy, also in events",
    async (fixture) => {
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
      const first = fixture.executor({ workflows: { look } });
      await first.execute(look, { id: "a", input: values() });
      await stuck.promise;
      await fixture.crash(first);
      const second = fixture.executor({ workflows: { look } });
      const [handle] = await second.recover();
      assert(handle !== undefined, "Expected recover() to find the run, but it found none");
      const all = [1, 2, 3, 4].map(values);
      assertEquals<unknown>(
        await handle.result(),
        all,
        "the values that the workflow got before and after it was recovered",
      );
      assertEquals<unknown>(await (await second.handle("a")).result(), all, "the stored result");
    },
  ),
  executorCase(
    "a failed activity is retried, and every attempt is stored",
    "append() keeps errors, and all events of a run",
    async (fixture) => {
      let attempts = 0;
      const flaky = () => {
        if (++attempts < 3) throw new RangeError(`attempt ${attempts}`);
        return attempts;
      };
      const retry = { maxAttempts: 3, initialIntervalMs: 100, jitter: false } as const;
      const handle = await fixture.executor().execute((ctx) => ctx.executeActivity(flaky, undefined, { retry }), {
        id: "a",
      });
      assertEquals(await handle.result(), 3, "the result");
      const failed = (await fixture.load("a")).history.flatMap((event) =>
        event.type === "activity_attempt_failed"
          ? [[event.at, event.attempt, event.retryAt, event.error.name, event.error.message]]
          : []
      );
      assertEquals<unknown>(failed, [
        [START, 1, START + 100, "RangeError", "attempt 1"],
        [START + 100, 2, START + 300, "RangeError", "attempt 2"],
      ], "the failed attempts in the history");
    },
  ),
  executorCase(
    "a failed workflow is stored with its error, and a later handle rejects with the same error",
    "an event workflow_failed finishes the run, and keeps its whole error",
    async (fixture) => {
      const fail = () => {
        throw Object.assign(new RangeError("sold out", { cause: new TypeError("no stock") }), { sku: "x1" });
      };
      const first = fixture.executor();
      const handle = await first.execute(fail, { id: "a" });
      await assertRejects(() => handle.result(), RangeError, "result()");
      const { status, error } = await fixture.load("a");
      assertEquals<unknown>([status, error?.message, error?.data, error?.cause?.message], [
        "failed",
        "sold out",
        { sku: "x1" },
        "no stock",
      ], "the stored state of the failed run");
      await fixture.crash(first);
      const later = await fixture.executor().handle("a");
      const { message } = await assertRejects(() => later.result(), RangeError, "result() of another executor");
      assertEquals(message, "sold out");
    },
  ),
  executorCase(
    "a sleep ends when it is due, also after a restart",
    "events keep their times; a run is found again after an append",
    async (fixture) => {
      const day = 86_400_000;
      const month = async (ctx: WorkflowContext) => {
        await ctx.sleep(30 * day);
        return ctx.now();
      };
      fixture.clock.hold(); // so that the sleep does not end in the first executor
      const first = fixture.executor({ workflows: { month } });
      await first.execute(month, { id: "a" });
      await fixture.waitForLength("a", 2);
      await fixture.crash(first);
      fixture.clock.advance(10 * day);
      const [handle] = await fixture.executor({ workflows: { month } }).recover();
      fixture.clock.release();
      assertEquals(await handle?.result(), START + 30 * day, "the time at which the sleep ended");
      assertEquals(typesOf((await fixture.load("a")).history), [
        "workflow_started",
        "timer_started",
        "timer_fired",
        "workflow_completed",
      ], "the history");
    },
  ),
  executorCase(
    "signals are received in the order in which they were sent, also before the workflow waits for them",
    "append() adds the events in order",
    async (fixture) => {
      const collect = async (ctx: WorkflowContext) => {
        const got: unknown[] = [];
        for await (const payload of ctx.receiveSignal("s")) if (got.push(payload) === 20) return got;
      };
      const executor = fixture.executor();
      const handle = await executor.execute(collect, { id: "a", startAfterMs: 1000 });
      const early = Array.from({ length: 10 }, (_, i) => executor.signal("a", "s", i));
      await Promise.all(early);
      for (let i = 10; i < 20; i++) await executor.signal("a", "s", i);
      const sent = Array.from({ length: 20 }, (_, i) => i);
      assertEquals<unknown>(await handle.result(), sent, "the payloads that the workflow got");
      const { history } = await fixture.load("a");
      const stored = history.flatMap((event) => event.type === "signal_received" ? [event.payload] : []);
      assertEquals<unknown>(stored, sent, "the payloads in the history");
    },
  ),
  executorCase(
    "a signal that is sent while no executor runs the workflow is stored for later",
    "load() and list() of one executor see the append() of another one",
    async (fixture) => {
      const wait = (ctx: WorkflowContext) => ctx.waitForSignal("s");
      const first = fixture.executor({ workflows: { wait } });
      await first.execute(wait, { id: "a" });
      await fixture.crash(first);
      const second = fixture.executor({ workflows: { wait } });
      await second.signal("a", "s", "hello");
      const [handle] = await second.recover();
      assertEquals<unknown>(await handle?.result(), "hello", "the payload");
    },
  ),
  executorCase(
    "a canceled workflow runs its compensations and ends as canceled",
    "an event workflow_canceled finishes the run",
    async (fixture) => {
      const calls: string[] = [];
      const release = () => void calls.push("release");
      const order = async (ctx: WorkflowContext) => {
        ctx.addCompensation(() => ctx.executeActivity(release));
        await ctx.waitForSignal("never");
      };
      const executor = fixture.executor();
      const handle = await executor.execute(order, { id: "a" });
      await executor.cancel("a", "no stock");
      await assertRejects(() => handle.result(), WorkflowError, "result()");
      const { status, error } = await fixture.load("a");
      assertEquals<unknown>([status, error?.data, calls], [
        "canceled",
        { code: "canceled", reason: "no stock" },
        ["release"],
      ], "the status, the error's data, and the activities that were called");
    },
  ),
  executorCase(
    "a workflow ends as failed after its timeout, also after a restart",
    "an event workflow_started is kept unchanged",
    async (fixture) => {
      const wait = (ctx: WorkflowContext) => ctx.waitForSignal("never");
      fixture.clock.hold();
      const first = fixture.executor({ workflows: { wait } });
      await first.execute(wait, { id: "a", timeoutMs: 1000 });
      await fixture.crash(first);
      const [handle] = await fixture.executor({ workflows: { wait } }).recover();
      assert(handle !== undefined, "Expected recover() to find the run, but it found none");
      fixture.clock.release();
      await assertRejects(() => handle.result(), TimeoutError, "result()");
      const { status, updatedAt } = await fixture.load("a");
      assertEquals<unknown>([status, updatedAt], ["failed", START + 1000], "the status, and the time of the end");
    },
  ),
  executorCase(
    "an execution replaces a finished run, and keeps nothing of it",
    "append() replaces the finished run that it names, and makes the new run the last in the order of creation",
    async (fixture) => {
      const executor = fixture.executor();
      const echo = async (ctx: WorkflowContext, input: string) => {
        await ctx.sleep(10);
        return input;
      };
      const first = await executor.execute(echo, { id: "a", input: "old", labels: { old: "yes" } });
      await first.result();
      await (await executor.execute(echo, { id: "b", input: "other" })).result();
      const second = await executor.execute(echo, { id: "a", input: "new" });
      assertEquals(await second.result(), "new", "the result");
      const { runId, input, labels, createdAt, history } = await fixture.load("a");
      assertEquals<unknown>([runId, input, labels, createdAt, history.length], [
        second.runId,
        "new",
        undefined,
        START + 20,
        4,
      ], "the stored state of the new run");
      assertEquals(
        (await fixture.store.list()).map(({ workflowId }) => workflowId),
        ["b", "a"],
        "the order of creation",
      );
      const join = await executor.execute(echo, { id: "a", input: "newer", reuse: "join" });
      assertEquals([join.runId, await join.result()], [second.runId, "new"], "the run that is joined");
    },
  ),
  executorCase(
    "an execution that terminates a running run replaces it",
    "append() finishes a run, and can then replace it",
    async (fixture) => {
      const executor = fixture.executor();
      const first = await executor.execute((ctx) => ctx.waitForSignal("never"), { id: "a" });
      const { code } = await assertRejects(() => executor.execute(() => 2, { id: "a" }), WorkflowError, "execute()");
      assertEquals(code, "already_running");
      const second = await executor.execute(() => 2, { id: "a", onConflict: "replace" });
      const ended = await assertRejects(() => first.result(), WorkflowError, "result() of the terminated run");
      assertEquals([ended.code, await second.result()], ["terminated", 2]);
      assertEquals((await fixture.load("a")).runId, second.runId, "the run that is stored");
    },
  ),
  executorCase(
    "a workflow that continues as new keeps its place, its createdAt, and its signals",
    "append() with replaces and an expectedLength above 0 replaces the old history by the new one",
    async (fixture) => {
      const sum = async (
        ctx: WorkflowContext<readonly [number, number]>,
        [total, left]: readonly [number, number],
      ): Promise<number> => {
        if (left === 0) return total;
        const n = await ctx.waitForSignal<number>("n");
        await ctx.sleep(10);
        return await ctx.continueAsNew([total + n, left - 1]);
      };
      const executor = fixture.executor();
      const handle = await executor.execute(sum, { id: "a", input: [0, 5] });
      await executor.execute((ctx) => ctx.waitForSignal("never"), { id: "b" });
      await Promise.all([1, 2, 3, 4, 5].map((payload) => executor.signal("a", "n", payload)));
      assertEquals(await handle.result(), 15, "the result");
      const [a, b] = await fixture.store.list();
      assertEquals<unknown>([a?.workflowId, b?.workflowId], ["a", "b"], "the order of creation");
      assertEquals<unknown>([a?.input, a?.createdAt, a?.history.length], [[15, 0], START, 2], "the last run");
    },
  ),
  executorCase(
    "a child is stored beside its parent, and the parent gets its result",
    "runs of different IDs do not affect each other",
    async (fixture) => {
      const child = (_ctx: WorkflowContext, n: number) => n * 2;
      const parent = async (ctx: WorkflowContext) => {
        const results = [];
        for (const n of [1, 2]) results.push(await ctx.executeChild(child, n, { id: `child ${n}` }));
        return results;
      };
      const executor = fixture.executor({ workflows: { child } });
      const handle = await executor.execute(parent, { id: "parent" });
      assertEquals(await handle.result(), [2, 4], "the result");
      const states = await fixture.store.list({ workflowName: "child" });
      assertEquals<unknown>(states.map(({ workflowId, result }) => [workflowId, result]), [["child 1", 2], [
        "child 2",
        4,
      ]], "the children that are stored");
    },
  ),
  executorCase(
    "an update is handled once, and a repeated update gets the same answer, also after a restart",
    "append() keeps all events, and load() returns them",
    async (fixture) => {
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
      const first = fixture.executor({ workflows: { counter } });
      await first.execute(counter, { id: "a" });
      assertEquals<unknown>(await first.update("a", "add", 2, { updateId: "1" }), 2, "the answer");
      await fixture.crash(first);
      const second = fixture.executor({ workflows: { counter } });
      const [handle] = await second.recover();
      assertEquals<unknown>(
        await second.update("a", "add", 2, { updateId: "1" }),
        2,
        "the answer to the repeated update",
      );
      assertEquals<unknown>(await second.update("a", "add", 3, { updateId: "2" }), 5, "the answer to another update");
      await second.signal("a", "end");
      assertEquals<unknown>([await handle?.result(), handled], [5, 2], "the result, and how often the handler ran");
    },
  ),
  executorCase(
    "runs are found by their current status, name and labels",
    "list() matches the state that follows from the events",
    async (fixture) => {
      const end = async (ctx: WorkflowContext, how: string) => {
        if (how === "fail") throw new Error("failed");
        if (how === "wait") await ctx.waitForSignal("never");
      };
      const executor = fixture.executor({ workflows: { end } });
      for (const [id, input, city] of [["a", "wait", "Rome"], ["b", "fail", "Oslo"], ["c", "done", "Rome"]]) {
        const handle = await executor.execute(end, { id, input, labels: { city } });
        if (input !== "wait") await handle.result().catch(() => {});
      }
      const found = async (filter: Parameters<typeof fixture.store.list>[0]) =>
        (await fixture.store.list(filter)).map(({ workflowId }) => workflowId).join("");
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
  executorCase(
    "runs are found by the labels that their code has set, also after a restart",
    "append() replaces the labels of a run by those of the last labels_changed, and later events keep them",
    async (fixture) => {
      const asked = new Deferred<void>();
      const ask = () => asked.resolve();
      const order = async (ctx: WorkflowContext) => {
        ctx.setLabels({ stage: "asked", cart: null });
        await ctx.executeActivity(ask);
        await ctx.waitForSignal("go");
        ctx.setLabels({ stage: "done" });
      };
      const find = async (stage: string) => {
        const states = await fixture.store.list({ labels: { stage, customer: "7" } });
        return states.map(({ labels }) => labels);
      };
      const first = fixture.executor({ workflows: { order } });
      await first.execute(order, { id: "a", labels: { customer: "7", cart: "1" } });
      await asked.promise;
      assertEquals(await find("asked"), [{ customer: "7", stage: "asked" }], "the labels of the run that waits");
      await fixture.crash(first);
      const next = fixture.executor({ workflows: { order } });
      const [handle] = await next.recover();
      await next.signal("a", "go");
      await handle.result();
      assertEquals([await find("asked"), await find("done")], [[], [{ customer: "7", stage: "done" }]], "its labels");
    },
  ),
];
