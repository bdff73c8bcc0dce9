/** Hooks are called once for each event of a run, whichever executor runs it. */

import { assertEquals, assertRejects } from "@std/assert";
import { Executor, type Hooks, type RunInfo, type WorkflowContext, type WorkflowEvent } from "@rockpool/workflow";
import { hookNames } from "../../hooks.ts";
import { FaultyStore } from "@rockpool/workflow/testing";
import { settle, setUp } from "../support/executors.ts";

type Ctx = WorkflowContext;

/** Hooks that record their calls. */
function recordingHooks(calls: [name: string, event: unknown, run: RunInfo][]): Hooks {
  const names = [...Object.values(hookNames), "workflowReplayed"];
  return Object.fromEntries(names.map((name) => [name, (...args: [unknown, RunInfo]) => calls.push([name, ...args])]));
}

async function child(_: Ctx, fails: boolean) {
  if (fails) throw new Error("lost");
  return await Promise.resolve("found");
}

/** Causes every kind of event when a test sends it an update, a signal and a cancellation. */
async function everything(ctx: Ctx) {
  ctx.handleUpdate("add", (n: number) => n + 1, {
    validate(n) {
      if (n < 0) throw new RangeError("Too small");
    },
  });
  ctx.addCompensation(() => {});
  ctx.patched("new");
  ctx.setLabels({ stage: "new" });
  await ctx.sideEffect(() => 1);
  await ctx.executeActivity(
    function flaky(_: null, { attempt, heartbeat }) {
      heartbeat(1);
      if (attempt === 1) throw new Error("busy");
    },
    null,
    { retry: { maxAttempts: 2 }, heartbeatTimeoutMs: 1000 },
  );
  await ctx.executeActivity(() => Promise.reject(new Error("broken")), null).catch(() => {});
  const found = ctx.startChild(child, false);
  await found.started;
  await found.result();
  await ctx.executeChild(child, true, { retry: { maxAttempts: 2 } }).catch(() => {});
  await ctx.sleep(1000);
  await ctx.waitForSignal("go");
  await ctx.waitForSignal("never"); // until a test cancels it
}

Deno.test("ExecutorOptions.hooks are called once for each kind of event, with the stored event", async () => {
  const calls: [string, unknown, RunInfo][] = [];
  const { executor, store } = setUp({ hooks: recordingHooks(calls) });
  const handle = await executor.execute(everything, { id: "a" });
  await settle();
  await executor.update("a", "add", 1);
  await using other = new Executor({ store, hooks: recordingHooks(calls) });
  await assertRejects(() => other.update("a", "add", -1), RangeError);
  await executor.signal("a", "go");
  await executor.cancel("a");
  await handle.result().catch(() => {});
  const { history, runId } = (await store.load("a"))!;
  const own = calls.filter(([, , run]) => run.workflowId === "a");
  assertEquals(own.map(([, event]) => event), history as unknown[]);
  assertEquals(own.map(([name]) => name), history.map(({ type }) => hookNames[type] as string));
  const info = { workflowId: "a", runId, workflowName: "everything", workflowVersion: undefined };
  assertEquals(own[0][2], { ...info, startedAt: history[0].at, labels: {}, headers: {}, parent: undefined });
  const calledNames = new Set(calls.map(([name]) => name));
  assertEquals(Object.values(hookNames).filter((name) => !calledNames.has(name)), []);
  await executor.close();
});

Deno.test("Hooks.workflowReplayed is called with the number of replayed events, and no other hook is called", async () => {
  const { executor, store, clock } = setUp();
  await executor.execute(everything, { id: "a" });
  await settle();
  await executor.close();
  const { history } = (await store.load("a"))!;
  const calls: [string, unknown, RunInfo][] = [];
  await using next = new Executor({ store, clock, workflows: { everything, child }, hooks: recordingHooks(calls) });
  await next.recover();
  await settle();
  assertEquals(calls.map(([name, event]) => [name, event]), [["workflowReplayed", { events: history.length }]]);
});

Deno.test("Hooks.workflowReplayed is not called when a run starts or does not fit its history", async () => {
  const calls: [string, unknown, RunInfo][] = [];
  const { executor, store, clock } = setUp({ hooks: recordingHooks(calls) });
  await executor.execute(everything, { id: "a" });
  await settle();
  await executor.close();
  assertEquals(calls.some(([name]) => name === "workflowReplayed"), false);
  calls.length = 0;
  const changed = (ctx: Ctx) => ctx.sleep(5);
  await using next = new Executor({ store, clock, workflows: { everything: changed }, hooks: recordingHooks(calls) });
  const [handle] = await next.recover();
  await handle.result().catch(() => {});
  assertEquals(calls, []);
});

Deno.test("ExecutorOptions.hooks are called in the executor that stored the event when the run is live in another one", async () => {
  const [calls, otherCalls]: [string, WorkflowEvent, RunInfo][][] = [[], []];
  const store = new FaultyStore();
  const { executor, clock } = setUp({ store, hooks: recordingHooks(calls as never) });
  const handle = await executor.execute((ctx: Ctx) => ctx.waitForSignal("go"), { id: "a" });
  await using other = new Executor({ store, clock, hooks: recordingHooks(otherCalls as never) });
  store.after.append = ({ events }) => {
    store.after.append = () => {};
    if (events[0].type === "signal_received") throw new Error("the answer is lost");
  };
  await other.signal("a", "go", 7);
  assertEquals(await handle.result(), 7);
  assertEquals(calls.map(([name]) => name), ["workflowStarted", "workflowCompleted"]);
  assertEquals(otherCalls, [["signalReceived", (await store.load("a"))!.history[1], calls[0][2]]]);
  await executor.close();
});
