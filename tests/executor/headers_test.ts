/** Headers travel with runs, signals, updates and children, and are kept over restarts and `continueAsNew`. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type ActivityContext,
  type CallHeaders,
  defineSignal,
  Executor,
  InMemoryStore,
  type RunInfo,
  VirtualClock,
  type WorkflowContext,
  type WorkflowEvent,
} from "@rockpool/workflow";
import { crashTest } from "@rockpool/workflow/testing";
import { ofType, settle, setUp } from "../support/executors.ts";

type Ctx = WorkflowContext;

const trace = { traceparent: "00-1" };
const readHeaders = (_: unknown, { headers }: ActivityContext) => headers;
const ownHeaders = (ctx: Ctx) => ctx.headers;

/** The headers of each event of a type, and whether the field is there. */
const headersOf = (history: readonly WorkflowEvent[], type: WorkflowEvent["type"]) =>
  ofType(history, type).map((event) => "headers" in event ? event.headers : "none");

Deno.test("ExecuteOptions.headers are stored with the start, and read from ctx.headers and in activities", async () => {
  const { executor, store } = setUp();
  const seen: CallHeaders[] = [];
  const headers = { ...trace };
  const start = executor.execute(async (ctx: Ctx) => {
    seen.push(ctx.headers, await ctx.executeActivity(readHeaders, null));
  }, { id: "a", headers, labels: { customer: "7" } });
  headers.traceparent = "changed later"; // has no effect
  await (await start).result();
  assertEquals(seen, [trace, trace]);
  assert(Object.isFrozen(seen[0]));
  const state = (await store.load("a"))!;
  assertEquals(headersOf(state.history, "workflow_started"), [trace]);
  assertEquals(state.labels, { customer: "7" });
  await executor.close();
});

Deno.test("ExecuteOptions.headers are left out of the history when there are none", async () => {
  const { executor, store } = setUp();
  for (const headers of [undefined, {}]) {
    const handle = await executor.execute(ownHeaders, { id: "a", headers });
    assertEquals(await handle.result(), {});
    assertEquals(headersOf((await store.load("a"))!.history, "workflow_started"), ["none"]);
  }
  await executor.close();
});

Deno.test("SignalOptions.headers reach every reader of the signal, and are empty when there are none", async () => {
  const { executor, store } = setUp();
  const seen: CallHeaders[] = [];
  const handle = await executor.execute(async (ctx: Ctx) => {
    seen.push((await ctx.waitForSignal("wait", { withSender: true })).headers);
    seen.push(ctx.takeSignal("take")!.headers);
    ctx.handleSignal("handle", (_, signal) => seen.push(signal.headers));
    ctx.handleOtherSignals((signal) => seen.push(signal.headers));
    for await (const { headers } of ctx.receiveSignal("loop", { withSender: true })) return seen.push(headers);
  }, { id: "a", headers: { of: "the run" } });
  const names = ["take", "wait", "handle", "other", "loop"];
  for (const name of names) await executor.signal("a", name, null, { headers: { name } });
  await handle.result();
  assertEquals(seen.map(({ name }) => name), ["wait", "take", "handle", "other", "loop"]);
  const { history } = (await store.load("a"))!;
  assertEquals(headersOf(history, "signal_received"), names.map((name) => ({ name })));

  const other = await executor.execute((ctx: Ctx) => ctx.waitForSignal("go", { withSender: true }), { id: "b" });
  await other.signal("go");
  assertEquals((await other.result()).headers, {});
  assertEquals(headersOf((await store.load("b"))!.history, "signal_received"), ["none"]);
  await executor.close();
});

Deno.test("ExecuteOptions.signals have the headers of the run, and their own take precedence", async () => {
  const { executor, store } = setUp();
  const note = defineSignal<string>("note");
  const wait = (ctx: Ctx) => ctx.waitForSignal("end");
  const signals = [
    { name: note, payload: "a" },
    { name: "b", headers: { b: "1", traceparent: "own" } },
  ] as const;
  await executor.execute(wait, { id: "a", headers: trace, signals });
  await executor.execute(wait, { id: "a", headers: { traceparent: "00-2" }, onConflict: "join", signals });
  const { history } = (await store.load("a"))!;
  const own = { b: "1", traceparent: "own" };
  assertEquals(headersOf(history, "signal_received"), [trace, own, { traceparent: "00-2" }, own]);
  assertEquals(headersOf(history, "workflow_started"), [trace]);
  await executor.close();
});

Deno.test("UpdateOptions.headers reach the handler, from the executor of the run and from another one", async () => {
  const { executor, store } = setUp();
  const seen: unknown[] = [];
  await executor.execute(async (ctx: Ctx) => {
    ctx.handleUpdate("add", (n: number, update) => {
      seen.push(update);
      return n + 1;
    });
    await ctx.waitForSignal("end");
  }, { id: "a" });
  await executor.update("a", "add", 1, { updateId: "1", headers: trace });
  await executor.update("a", "add", 1, { updateId: "2" });
  await using other = new Executor({ store });
  await other.update("a", "add", 1, { updateId: "3", headers: trace });
  assertEquals(seen, [
    { name: "add", updateId: "1", headers: trace },
    { name: "add", updateId: "2", headers: {} },
    { name: "add", updateId: "3", headers: trace },
  ]);
  const { history } = (await store.load("a"))!;
  assertEquals(headersOf(history, "update_requested"), [trace]);
  assertEquals(headersOf(history, "update_accepted"), [trace, "none", trace]);
  await executor.close();
});

Deno.test("ChildOptions.headers complete those of the parent's run, which children and grandchildren inherit", async () => {
  const { executor, store } = setUp();
  const child = (ctx: Ctx) => ctx.executeChild(ownHeaders, undefined, { id: `${ctx.workflowId}/c` });
  const parent = async (ctx: Ctx) => [
    await ctx.executeChild(child, undefined, { id: "b" }),
    await ctx.executeChild(child, undefined, { id: "c", headers: { tenant: "acme", traceparent: "own" } }),
    await ctx.startChild(child, undefined, { id: "d", headers: {} }).result(),
  ];
  const own = { tenant: "acme", traceparent: "own" };
  const handle = await executor.execute(parent, { id: "a", headers: trace });
  assertEquals(await handle.result(), [trace, own, trace]);
  assertEquals(headersOf((await store.load("a"))!.history, "child_started"), [trace, own, trace]);
  assertEquals(headersOf((await store.load("c/c"))!.history, "workflow_started"), [own]);

  await (await executor.execute(child, { id: "e" })).result();
  assertEquals(headersOf((await store.load("e"))!.history, "child_started"), ["none"]);
  assertEquals(headersOf((await store.load("e/c"))!.history, "workflow_started"), ["none"]);
  await executor.close();
});

Deno.test("ChildHandle.signal() passes on the headers of the parent's run", async () => {
  const { executor } = setUp();
  const child = (ctx: Ctx) => ctx.waitForSignal("go", { withSender: true });
  const parent = async (ctx: Ctx) => {
    const handle = ctx.startChild(child, undefined, { headers: { traceparent: "the child's" } });
    await handle.signal("go");
    return (await handle.result()).headers;
  };
  const handle = await executor.execute(parent, { id: "a", headers: trace });
  assertEquals(await handle.result(), trace);
  await executor.close();
});

Deno.test("WorkflowContext.signalWorkflow() and ChildHandle.signal() take headers, which complete those of the run", async () => {
  const { executor, store } = setUp();
  const child = (ctx: Ctx) => ctx.waitForSignal("go", { withSender: true });
  const own = { tenant: "acme", traceparent: "own" };
  const parent = async (ctx: Ctx) => {
    const handle = ctx.startChild(child);
    await handle.signal("go", null, { headers: own });
    for (const headers of [own, {}, undefined]) await ctx.signalWorkflow("b", "go", null, { headers });
    return (await handle.result()).headers;
  };
  await executor.execute((ctx: Ctx) => ctx.waitForSignal("end"), { id: "b" });
  const handle = await executor.execute(parent, { id: "a", headers: trace });
  assertEquals(await handle.result(), own);
  assertEquals(headersOf((await store.load("b"))!.history, "signal_received"), [own, trace, trace]);
  await executor.close();
});

Deno.test("WorkflowContext.signalWorkflow() refuses bad options", async () => {
  const { executor } = setUp();
  const bad: [unknown, string][] = [
    [{ headers: { n: 7 } }, '"headers.n" must be a string, got 7'],
    [{ header: {} }, '"options" has no option "header"; did you mean "headers"?'],
    [7, '"options" must be an object, got 7'],
  ];
  for (const [options, why] of bad as [never, string][]) {
    const handle = await executor.execute((ctx: Ctx) => ctx.signalWorkflow("b", "go", null, options), { id: "a" });
    await assertRejects(() => handle.result(), TypeError, `Cannot signal workflow "b": ${why}`);
  }
  await executor.close();
});

Deno.test("WorkflowContext.continueAsNew() keeps the headers of the run and of what nobody has read", async () => {
  const { executor, store } = setUp();
  const again = async (ctx: WorkflowContext<number>, n: number) => {
    if (n === 0) await ctx.executeActivity(() => executor.signal("a", "go", null, { headers: { of: "the signal" } }));
    if (n < 2) await ctx.continueAsNew(n + 1);
    return [ctx.headers, (await ctx.waitForSignal("go", { withSender: true })).headers];
  };
  const handle = await executor.execute(again, { id: "a", headers: trace, input: 0 });
  assertEquals(await handle.result(), [trace, { of: "the signal" }]);
  assertEquals(headersOf((await store.load("a"))!.history, "workflow_started"), [trace]);
  await executor.close();
});

/** Reads headers in every way, before and after a signal. */
async function everything(ctx: Ctx) {
  ctx.handleUpdate("update", (_: null, { headers }) => headers);
  const before = [ctx.headers, await ctx.executeActivity(readHeaders, null)];
  const go = await ctx.waitForSignal("go", { withSender: true });
  const child = await ctx.executeChild(ownHeaders, undefined, { headers: { child: "1" } });
  return [...before, go.headers, ctx.headers, await ctx.executeActivity(readHeaders, null), child];
}
const seenByEverything = [trace, trace, { go: "1" }, trace, trace, { ...trace, child: "1" }];

Deno.test("Headers survive a restart on a store that was restored from a snapshot", async () => {
  const { executor, store } = setUp();
  await executor.execute(everything, { id: "a", headers: trace });
  await settle();
  await executor.update("a", "update", null, { updateId: "1", headers: { update: "1" } });
  await executor.signal("a", "go", null, { headers: { go: "1" } });
  await executor.close();
  const restored = InMemoryStore.restore(await store.snapshot());
  const workflows = { everything, ownHeaders };
  await using next = new Executor({ store: restored, clock: new VirtualClock(), workflows });
  const [handle] = await next.recover();
  assertEquals(await handle.result() as unknown, seenByEverything);
  assertEquals(await next.update<unknown>("a", "update", null, { updateId: "1" }), { update: "1" });
});

Deno.test("Headers survive a dormant run", async () => {
  const { executor } = setUp({ dormantAfterMs: 0 });
  const handle = await executor.execute(everything, { id: "a", headers: trace });
  await settle();
  assertEquals(executor.openRuns()[0].waitsFor, [{ type: "dormant" }]);
  await handle.signal("go", null, { headers: { go: "1" } });
  assertEquals(await handle.result() as unknown, seenByEverything);
  await executor.close();
});

Deno.test("Headers of children and their signals are the same after a crash at every point", async () => {
  const child = async (ctx: Ctx) => [ctx.headers, (await ctx.waitForSignal("go", { withSender: true })).headers];
  const parent = async (ctx: Ctx) => {
    const handle = ctx.startChild(child, undefined, { id: "child", headers: { child: "1" } });
    await handle.signal("go");
    return await handle.result();
  };
  const { undisturbed, points } = await crashTest(
    (ctx: Ctx) => ctx.executeChild(parent, undefined, { id: "parent", headers: trace }),
    { workflows: { child, parent } },
  );
  assertEquals(undisturbed.result, [{ ...trace, child: "1" }, trace]);
  assert(points > 10);
});

Deno.test("Headers that are no texts by name are refused at the call", async () => {
  const { executor, store } = setUp();
  await executor.execute((ctx: Ctx) => ctx.waitForSignal("end"), { id: "a" });
  const bad: [unknown, string][] = [
    [{ n: 7 }, '"headers.n" must be a string, got 7'],
    [{ n: undefined }, '"headers.n" must be a string, got undefined'],
    [["a"], '"headers" must be an object of strings, got an Array'],
    [new Map(), '"headers" must be an object of strings, got a Map'],
    ["a", '"headers" must be an object of strings, got "a"'],
    [null, '"headers" must be an object of strings, got null'],
    [{ f: () => {} }, "Cannot store headers.f: a function"],
  ];
  for (const [headers, why] of bad as [never, string][]) {
    const calls: [string, () => Promise<unknown>][] = [
      ["execute", () => executor.execute(ownHeaders, { id: "a", headers })],
      ["execute", () => executor.execute(ownHeaders, { id: "a", signals: [{ name: "s", headers }] })],
      ["signal", () => executor.signal("a", "s", null, { headers })],
      ["update", () => executor.update("a", "u", null, { headers })],
    ];
    for (const [verb, call] of calls) {
      const { message } = await assertRejects(call, TypeError, why);
      if (!why.startsWith("Cannot")) assertEquals(message, `Cannot ${verb} workflow "a": ${why}`);
    }
    const message = why.startsWith("Cannot") ? why : `Cannot start child workflow "ownHeaders": ${why}`;
    const handle = await executor.execute((ctx: Ctx) => {
      assertThrows(() => ctx.startChild(ownHeaders, undefined, { headers }), TypeError, message);
      return ctx.executeChild(ownHeaders, undefined, { headers });
    }, { id: "b" });
    await assertRejects(() => handle.result(), TypeError, message);
  }
  assertEquals((await store.load("a"))!.history.length, 1);
  await executor.close();
});

Deno.test("RunInfo has the start, the labels, the headers and the parent of the run", async () => {
  const seen: Record<string, [RunInfo, number]> = {};
  const { executor, store, clock } = setUp({
    startAt: 1000,
    workflowVersion: "v7",
    hooks: {
      workflowStarted: ({ at }, run) => seen[`${run.workflowId} started`] = [run, at],
      workflowCompleted: ({ at }, run) => seen[`${run.workflowId} completed`] = [run, at],
    },
  });
  const child = (ctx: Ctx) => ctx.sleep(5);
  const parent = (ctx: Ctx) => ctx.executeChild(child, undefined, { id: "child" });
  const labels = { customer: "7" };
  const handle = await executor.execute(parent, { id: "a", startAfterMs: 100, labels, headers: trace });
  const { runId } = handle;
  await handle.result();
  const ids = { workflowId: "a", runId, workflowName: "parent", workflowVersion: "v7" };
  const info = { ...ids, startedAt: 1100, labels, headers: trace };
  assertEquals(seen["a started"], [{ ...info, parent: undefined }, 1000]);
  assertEquals(seen["a completed"], [{ ...info, parent: undefined }, 1105]);
  const [run, at] = seen["child completed"];
  assertEquals([run.labels, run.headers, run.startedAt, at], [{}, trace, 1100, 1105]);
  assertEquals(run.parent, { workflowId: "a", runId, seq: 0, closePolicy: "cancel" });

  const signaled: RunInfo[] = [];
  await using other = new Executor({ store, clock, hooks: { signalReceived: (_, run) => signaled.push(run) } });
  const { runId: next } = await executor.execute((ctx: Ctx) => ctx.waitForSignal("end"), { id: "a", headers: trace });
  await other.signal("a", "go");
  assertEquals(signaled, [
    {
      workflowId: "a",
      runId: next,
      workflowName: "anonymous",
      workflowVersion: "v7",
      startedAt: 1105,
      labels: {},
      headers: trace,
      parent: undefined,
    },
  ]);
  await executor.close();
});

Deno.test("RunInfo of a state that was saved without events has no labels, no headers and its time of creation", async () => {
  const { executor, store } = setUp();
  await executor.close();
  await store.save({ workflowId: "a", runId: "r", workflowName: "w", status: "running", createdAt: 7 });
  const signaled: RunInfo[] = [];
  await using other = new Executor({ store, hooks: { signalReceived: (_, run) => signaled.push(run) } });
  await other.signal("a", "go");
  assertEquals(signaled, [
    {
      workflowId: "a",
      runId: "r",
      workflowName: "w",
      workflowVersion: undefined,
      startedAt: 7,
      labels: {},
      headers: {},
      parent: undefined,
    },
  ]);
});
