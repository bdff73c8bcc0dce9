/** What hooks hear of a run: each of its events once, whoever runs it. */

import { assertEquals } from "@std/assert";
import { Executor, type Hooks, type RunInfo, type WorkflowContext, type WorkflowEvent } from "@rockpool/workflow";
import { hookNames } from "../../hooks.ts";
import { FaultyStore } from "@rockpool/workflow/testing";
import { settle, setUp } from "../support/testing.ts";

type Ctx = WorkflowContext;

/** Hooks that note everything that they are told, by name. */
function noting(told: [name: string, event: unknown, run: RunInfo][]): Hooks {
  const names = [...Object.values(hookNames), "workflowReplayed"];
  return Object.fromEntries(names.map((name) => [name, (...args: [unknown, RunInfo]) => told.push([name, ...args])]));
}

async function child(_: Ctx, fails: boolean) {
  if (fails) throw new Error("lost");
  return await Promise.resolve("found");
}

/** Has every kind of event but the end of a failed and of a cancelled workflow. */
async function everything(ctx: Ctx) {
  ctx.handleUpdate("add", (n: number) => n + 1);
  ctx.addCompensation(() => {});
  ctx.patched("new");
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
  await ctx.executeChild(child, false);
  await ctx.executeChild(child, true).catch(() => {});
  await ctx.sleep(1000);
  await ctx.waitForSignal("go");
  await ctx.waitForSignal("never"); // is cancelled
}

Deno.test("ExecutorOptions.hooks are called once for each kind of event, with the stored event", async () => {
  const told: [string, unknown, RunInfo][] = [];
  const { executor, store } = setUp({ hooks: noting(told) });
  const handle = await executor.execute(everything, { id: "a" });
  await settle();
  await executor.update("a", "add", 1);
  await executor.signal("a", "go");
  await executor.cancel("a");
  await handle.result().catch(() => {});
  const { history, runId } = (await store.load("a"))!;
  const own = told.filter(([, , run]) => run.workflowId === "a");
  assertEquals(own.map(([, event]) => event), history as unknown[]);
  assertEquals(own.map(([name]) => name), history.map(({ type }) => hookNames[type] as string));
  assertEquals(own[0][2], { workflowId: "a", runId, workflowName: "everything" });
  const heard = new Set(told.map(([name]) => name));
  assertEquals(Object.values(hookNames).filter((name) => !heard.has(name)), []);
  await executor.close();
});

Deno.test("Hooks.workflowReplayed is called with the number of replayed events, and no other hook is called", async () => {
  const { executor, store, clock } = setUp();
  await executor.execute(everything, { id: "a" });
  await settle();
  await executor.close();
  const { history } = (await store.load("a"))!;
  const told: [string, unknown, RunInfo][] = [];
  await using next = new Executor({ store, clock, workflows: { everything, child }, hooks: noting(told) });
  await next.recover();
  await settle();
  assertEquals(told.map(([name, event]) => [name, event]), [["workflowReplayed", { events: history.length }]]);
});

Deno.test("Hooks.workflowReplayed is not called when a run starts or does not fit its history", async () => {
  const told: [string, unknown, RunInfo][] = [];
  const { executor, store, clock } = setUp({ hooks: noting(told) });
  await executor.execute(everything, { id: "a" });
  await settle();
  await executor.close();
  assertEquals(told.some(([name]) => name === "workflowReplayed"), false);
  told.length = 0;
  const changed = (ctx: Ctx) => ctx.sleep(5);
  await using next = new Executor({ store, clock, workflows: { everything: changed }, hooks: noting(told) });
  const [handle] = await next.recover();
  await handle.result().catch(() => {});
  assertEquals(told, []);
});

Deno.test("ExecutorOptions.hooks are called in the executor that stored the event when the run is live in another one", async () => {
  const [told, sent]: [string, WorkflowEvent, RunInfo][][] = [[], []];
  const store = new FaultyStore();
  const { executor, clock } = setUp({ store, hooks: noting(told as never) });
  const handle = await executor.execute((ctx: Ctx) => ctx.waitForSignal("go"), { id: "a" });
  await using other = new Executor({ store, clock, hooks: noting(sent as never) });
  store.after.append = ({ events }) => {
    store.after.append = () => {};
    if (events[0].type === "signal_received") throw new Error("the answer is lost");
  };
  await other.signal("a", "go", 7);
  assertEquals(await handle.result(), 7);
  assertEquals(told.map(([name]) => name), ["workflowStarted", "workflowCompleted"]);
  assertEquals(sent, [["signalReceived", (await store.load("a"))!.history[1], told[0][2]]]);
  await executor.close();
});
