/** What live runs wait for, as `Executor.openRuns()` lists it. */

import { assertEquals } from "@std/assert";
import type { Executor, Wait, WorkflowContext } from "@rockpool/workflow";
import { gate, settle, setUp } from "../support/executors.ts";

type Ctx = WorkflowContext;

/** What the runs wait for, by workflow ID. */
const waitsOf = (executor: Executor): Record<string, readonly Wait[]> =>
  Object.fromEntries(executor.openRuns().map(({ workflowId, waitsFor }) => [workflowId, waitsFor]));

const stuck = () => new Promise<never>(() => {});

Deno.test("Executor.openRuns() lists live runs and no ended ones", async () => {
  const { executor } = setUp();
  const idle = async function idle(ctx: Ctx) {
    await ctx.waitForSignal("go");
  };
  const first = await executor.execute(idle, { id: "a" });
  const second = await executor.execute(idle, { id: "b" });
  await settle();
  const waitsFor = [{ type: "signal", name: "go" }] as const;
  assertEquals(executor.openRuns(), [
    { workflowId: "a", runId: first.runId, workflowName: "idle", waitsFor },
    { workflowId: "b", runId: second.runId, workflowName: "idle", waitsFor },
  ]);
  await executor.signal("a", "go");
  await first.result();
  assertEquals(Object.keys(waitsOf(executor)), ["b"]);
  await executor.close();
  assertEquals(executor.openRuns(), []);
});

Deno.test("Executor.openRuns() lists waits for signals, with and without a timeout, and in loops", async () => {
  const { executor, clock } = setUp({ startAt: 100 });
  clock.hold();
  await executor.execute((ctx: Ctx) => ctx.waitForSignal("s", { timeoutMs: 50 }), { id: "within" });
  await executor.execute(async (ctx: Ctx) => {
    for await (const _ of ctx.receiveSignal("letter")) await ctx.sleep(10);
  }, { id: "loop" });
  await settle();
  assertEquals(waitsOf(executor), {
    within: [{ type: "timer", dueAt: 150 }, { type: "signal", name: "s" }],
    loop: [{ type: "signal", name: "letter" }],
  });
  await executor.signal("loop", "letter");
  await settle();
  assertEquals(waitsOf(executor).loop, [{ type: "timer", dueAt: 110 }]); // the loop is subscribed, and does not wait for a signal
  await executor.close();
});

Deno.test("Executor.openRuns() lists activities that are running, retrying and queued", async () => {
  const { executor, clock } = setUp({ maxConcurrentActivities: 1 });
  const flaky = (_: unknown, { attempt }: { attempt: number }) => {
    if (attempt === 1) throw new Error("busy");
    return stuck();
  };
  clock.hold();
  const retry = { initialIntervalMs: 1000, jitter: false } as const;
  await executor.execute((ctx: Ctx) => ctx.executeActivity(flaky, undefined, { retry }), { id: "flaky" });
  await settle();
  assertEquals(waitsOf(executor).flaky, [
    { type: "activity", name: "flaky", attempt: 2, status: "retrying", retryAt: 1000 },
  ]);
  await executor.execute((ctx: Ctx) => ctx.executeActivity(stuck), { id: "stuck" });
  await settle();
  await clock.advance(1000);
  assertEquals(waitsOf(executor), {
    flaky: [{ type: "activity", name: "flaky", attempt: 2, status: "queued" }],
    stuck: [{ type: "activity", name: "stuck", attempt: 1, status: "running" }],
  });
  await executor.cancel("stuck");
  await settle();
  assertEquals(waitsOf(executor), {
    flaky: [{ type: "activity", name: "flaky", attempt: 2, status: "running" }],
  });
  await executor.close();
});

Deno.test("Executor.openRuns() lists waits for children and conditions, and several waits of one run", async () => {
  const { executor } = setUp();
  const child = async (ctx: Ctx) => await ctx.waitForSignal("go");
  await executor.execute(async (ctx: Ctx) => {
    const waits = [ctx.waitUntil(() => false), ctx.executeChild(child, undefined, { id: "child" })];
    await Promise.all([...waits, ctx.waitForSignal("x"), ctx.executeActivity(stuck)]);
  }, { id: "parent" });
  await settle();
  assertEquals(waitsOf(executor), {
    parent: [
      { type: "child", workflowId: "child" },
      { type: "activity", name: "stuck", attempt: 1, status: "running" },
      { type: "signal", name: "x" },
      { type: "condition" },
    ],
    child: [{ type: "signal", name: "go" }],
  });
  await executor.close();
});

Deno.test("Executor.openRuns() lists runs that wait for their start time or for a slot", async () => {
  const { executor, clock } = setUp({ maxConcurrentWorkflows: 1 });
  clock.hold();
  const go = (ctx: Ctx) => ctx.waitForSignal("go");
  await executor.execute(go, { id: "first" });
  await executor.execute(go, { id: "second" });
  await executor.execute(go, { id: "later", startAt: 500 });
  await settle();
  assertEquals(waitsOf(executor), {
    first: [{ type: "signal", name: "go" }],
    second: [{ type: "slot" }],
    later: [{ type: "start", startAt: 500 }],
  });
  await clock.advance(500);
  assertEquals(waitsOf(executor).later, [{ type: "slot" }]);
  await executor.close();
});

Deno.test("Executor.openRuns() lists no wait when a run waits for a promise of its own", async () => {
  const { executor } = setUp();
  const opened = gate();
  await executor.execute(() => opened.promise, { id: "a" });
  await settle();
  assertEquals(waitsOf(executor), { a: [] });
  opened.open();
  await executor.close();
});

Deno.test("Executor.openRuns() lists the same waits after a restart", async () => {
  const order = async (ctx: Ctx) => {
    await ctx.executeActivity(() => "charged", undefined, { name: "charge" });
    await Promise.all([ctx.sleep(1000), ctx.waitForSignal("approval"), ctx.waitUntil(() => false)]);
  };
  const first = setUp();
  first.clock.hold();
  await first.executor.execute(order, { id: "a" });
  await settle();
  const before = first.executor.openRuns();
  await first.executor.close();
  const later = setUp({ store: first.store, workflows: { order } });
  later.clock.hold();
  await later.executor.recover();
  await settle();
  assertEquals(later.executor.openRuns(), before);
  assertEquals(waitsOf(later.executor), {
    a: [{ type: "timer", dueAt: 1000 }, { type: "signal", name: "approval" }, { type: "condition" }],
  });
  await later.executor.close();
});

Deno.test("Executor.openRuns() omits activities whose outcome is stored and not seen yet", async () => {
  const { executor } = setUp();
  let seen: readonly Wait[] | undefined;
  const handle = await executor.execute(async (ctx: Ctx) => {
    const both = ["a", "b"].map((name) => ctx.executeActivity(() => name, undefined, { name }));
    await both[0];
    seen = executor.openRuns()[0].waitsFor;
    await both[1];
  }, { id: "a" });
  await handle.result();
  assertEquals(seen, []);
  await executor.close();
});
