/** Child workflows. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { CanceledError, Executor, type WorkflowContext, WorkflowError, type WorkflowEvent } from "@rockpool/workflow";
import { crashTest, FaultyStore } from "@rockpool/workflow/testing";
import { settle, setUp, typesOf } from "../support/executors.ts";

type Ctx = WorkflowContext;

const done: string[] = [];
const work = (name: string) => void done.push(name);

async function double(ctx: Ctx, n: number) {
  await ctx.executeActivity(work, `double ${n}`);
  await ctx.sleep(10);
  return 2 * n;
}

async function family(ctx: Ctx, ns: readonly number[]) {
  const children = ns.map((n) => ctx.startChild(double, n, { id: `child-${n}` }));
  const results = [];
  for (const child of children) results.push(await child.result());
  return [...results, await ctx.executeChild(double, 100)];
}

async function waitForGo(ctx: Ctx) {
  try {
    return await ctx.waitForSignal<string>("go");
  } catch (error) {
    await ctx.shield((ctx) => ctx.executeActivity(work, "cleaned up"));
    throw error;
  }
}

const workflows = { double, family, waitForGo };
const types = (history: readonly WorkflowEvent[], prefix: string) =>
  typesOf(history).filter((type) => type.startsWith(prefix));

Deno.test("WorkflowContext.executeChild() runs a workflow with its own history and ID", async () => {
  done.length = 0;
  const { executor, store } = setUp({ workflows });
  const handle = await executor.execute(family, { id: "a", input: [1, 2] });
  assertEquals(await handle.result(), [2, 4, 200]);
  const states = await store.list();
  assertEquals(states.map(({ workflowId, status, result }) => [workflowId, status, result]), [
    ["a", "completed", [2, 4, 200]],
    ["child-1", "completed", 2],
    ["child-2", "completed", 4],
    [`${handle.runId}:2`, "completed", 200],
  ]);
  const [started] = states[1].history;
  assertEquals((started as { parent?: unknown }).parent, {
    workflowId: "a",
    runId: handle.runId,
    seq: 0,
    closePolicy: "cancel",
  });
  assertEquals(types(states[0].history, "child"), [
    "child_started",
    "child_started",
    "child_completed",
    "child_completed",
    "child_started",
    "child_completed",
  ]);
  await executor.close();
});

Deno.test("WorkflowContext.executeChild() throws what the child throws", async () => {
  async function fails() {
    await Promise.resolve();
    throw new RangeError("no child of mine");
  }
  const { executor } = setUp();
  const handle = await executor.execute(async (ctx: Ctx) => {
    const error = await ctx.executeChild(fails).catch((error) => error);
    return [error instanceof RangeError, error.message];
  }, { id: "a" });
  assertEquals(await handle.result(), [true, "no child of mine"]);
  await executor.close();
});

Deno.test("WorkflowContext.executeChild() fails when its ID belongs to a running workflow that is not its child", async () => {
  const { executor } = setUp({ workflows });
  await executor.execute(waitForGo, { id: "taken" });
  const handle = await executor.execute(
    (ctx: Ctx) => ctx.executeChild(double, 1, { id: "taken" }).catch((error) => error.code),
    { id: "a" },
  );
  assertEquals(await handle.result(), "already_running");
  assertEquals((await executor.describe("taken")).status, "running");
  await executor.close();
});

Deno.test("WorkflowContext.startChild() writes to the log when the child cannot start, also if nobody awaits it", async () => {
  const lines: unknown[] = [];
  const note = (message: string, fields?: object) => void lines.push([message, fields]);
  const store = new FaultyStore();
  const logger = { debug: note, info: note, warn: note, error: note };
  const { executor, clock } = setUp({ workflows, logger, store });
  await executor.execute(waitForGo, { id: "taken" });
  const handle = await executor.execute(async function parent(ctx: Ctx) {
    ctx.startChild(double, 1, { id: "taken" });
    ctx.startChild(double, 1, { id: "free" });
    await ctx.sleep(1000);
  }, { id: "a" });
  await handle.result();
  const [[message, fields]] = lines as [string, Record<string, unknown>][];
  const { error, ...where } = fields as { error: WorkflowError };
  assertEquals([lines.length, message, error.code], [1, 'Cannot start child workflow "taken"', "already_running"]);
  assertEquals(where, { workflowId: "a", runId: handle.runId, workflowName: "parent" });
  store.before.append = ({ workflowId }) => {
    if (workflowId === "b child") throw new Error("down");
  };
  await executor.execute((ctx: Ctx) => void ctx.startChild(double, 1, { id: "b child" }), { id: "b" });
  await clock.advance(10_000);
  await executor.close();
  assertEquals(lines.length, 1); // it is started after a recovery
});

/** Lets a parent with a finished child be stored again, with a part of its history and other fields. */
async function copied(id: string | undefined, fields: { workflowId: string; runId?: string }) {
  const { executor, store } = setUp({ workflows, newRunId: (id) => `run of ${id}` });
  const family = async (ctx: Ctx) => {
    const result = await ctx.executeChild(double, 1, { id });
    await ctx.waitForSignal("go");
    return result;
  };
  await executor.execute(family, { id: "a" });
  await settle();
  const state = (await store.load("a"))!;
  const childId = id ?? "run of a:0";
  const child = (await store.load(childId))!;
  assertEquals([state.history.length, child.status], [3, "completed"]);
  await executor.close();
  const { result: _1, error: _2, ...rest } = state;
  await store.save({ ...rest, ...fields, history: state.history.slice(0, 2) }); // the child's end is left out
  if (fields.workflowId !== "a") await store.delete("a");
  const { executor: next } = setUp({ store, workflows: { ...workflows, family } });
  const [handle] = await next.recover();
  const error = await assertRejects(() => handle.result(), WorkflowError);
  assertEquals([error.code, await store.load(childId)], ["conflict", child]);
  await next.close();
  return error.message;
}

Deno.test("WorkflowContext.executeChild() does not replace the finished child of the run whose history was copied", async () => {
  const why = 'it is a child of workflow "a", whose history was copied';
  const message = `Cannot start child workflow "run of a:0": ${why}`;
  assertEquals(await copied(undefined, { workflowId: "b" }), message);
  assertEquals(await copied(undefined, { workflowId: "b", runId: "new" }), message);
  assertEquals(await copied(undefined, { workflowId: "a", runId: "new" }), message);
  assertEquals(await copied("report", { workflowId: "b" }), `Cannot start child workflow "report": ${why}`);
  assertEquals(
    await copied("report", { workflowId: "b", runId: "new" }),
    'Cannot start child workflow "report": it is a child of workflow "a", and ended after the command was recorded',
  );
});

Deno.test("WorkflowContext.executeChild() gives the child its own timeout", async () => {
  const { executor } = setUp({ workflows });
  const handle = await executor.execute(
    (ctx: Ctx) => ctx.executeChild(waitForGo, undefined, { timeoutMs: 50 }).catch((error) => [error.name, ctx.now()]),
    { id: "a" },
  );
  assertEquals(await handle.result(), ["TimeoutError", 50]);
  await executor.close();
});

Deno.test("ChildHandle.signal() and cancel() reach the child", async () => {
  done.length = 0;
  async function sendsToChildren(ctx: Ctx) {
    const [one, two] = [ctx.startChild(waitForGo, undefined, { id: "one" }), ctx.startChild(waitForGo)];
    await ctx.sleep(1);
    await one.signal("go", "hello");
    await two.cancel("not needed");
    const error = await two.result().catch((error) => error);
    return [await one.result(), error instanceof CanceledError, error.reason];
  }
  const { executor } = setUp({ workflows });
  const handle = await executor.execute(sendsToChildren, { id: "a" });
  assertEquals(await handle.result(), ["hello", true, "not needed"]);
  assertEquals(done, ["cleaned up"]);
  await executor.close();
});

Deno.test("Executor.cancel() of a parent cancels its children, which can clean up", async () => {
  done.length = 0;
  const { executor, store } = setUp({ workflows });
  const handle = await executor.execute((ctx: Ctx) => ctx.executeChild(waitForGo, undefined, { id: "child" }), {
    id: "a",
  });
  await settle();
  await executor.cancel("a", "stop it");
  await assertRejects(() => handle.result(), CanceledError, "stop it");
  await settle();
  assertEquals([(await store.load("child"))?.status, done], ["canceled", ["cleaned up"]]);
  await executor.close();
});

const policies = [["cancel", "canceled", 1], ["terminate", "canceled", 0], ["abandon", "running", 0]] as const;
for (const [policy, status, cleanUps] of policies) {
  Deno.test(`WorkflowContext.startChild() with parentClosePolicy ${policy} leaves the child ${status}`, async () => {
    done.length = 0;
    const { executor, store } = setUp({ workflows });
    async function leaves(ctx: Ctx) {
      ctx.startChild(waitForGo, undefined, { id: "child", parentClosePolicy: policy });
      await ctx.sleep(5);
    }
    await (await executor.execute(leaves, { id: "a" })).result();
    await settle();
    assertEquals([(await store.load("child"))?.status, done.length], [status, cleanUps]);
    await executor.close();
  });
}

Deno.test("WorkflowContext.continueAsNew() closes children as the end of a run does", async () => {
  async function again(ctx: WorkflowContext<number>, round: number): Promise<number> {
    if (round === 1) return round;
    ctx.startChild(waitForGo, undefined, { id: "child" });
    await ctx.sleep(5);
    return await ctx.continueAsNew(1);
  }
  const { executor, store } = setUp({ workflows });
  await (await executor.execute(again, { id: "a", input: 0 })).result();
  await settle();
  assertEquals((await store.load("child"))?.status, "canceled");
  await executor.close();
});

Deno.test("Executor.query() does not start children when it replays a run", async () => {
  const { executor, store, clock } = setUp({ workflows });
  async function asks(ctx: Ctx) {
    ctx.handleQuery("x", () => 1);
    return await ctx.executeChild(waitForGo, undefined, { id: "child" });
  }
  await executor.execute(asks, { id: "a" });
  await settle();
  await executor.close();
  const before = await store.load("child");
  const other = new Executor({ store, clock, workflows: { asks } });
  assertEquals(await other.query("a", "x"), 1);
  assert(await store.load("child") === before);
});

Deno.test("WorkflowContext.startChild() survives a process crash at any step", async () => {
  for (const deaths of [1, 3]) {
    const { points, undisturbed } = await crashTest(family, { id: "a", input: [1, 2], workflows: { double }, deaths });
    const { result, state, states } = undisturbed;
    assertEquals([result, states.length, types(state.history, "child_completed").length], [[2, 4, 200], 4, 3]);
    assert(points > 60);
  }
});

Deno.test("Executor.cancel() of a parent cancels its child after a process crash at any step", async () => {
  const parent = async (ctx: Ctx) => await ctx.executeChild(waitForGo, undefined, { id: "child" });
  for (const deaths of [1, 3]) {
    const options = { id: "a", workflows: { waitForGo }, cancel: { atMs: 10 }, deaths };
    const { points, undisturbed } = await crashTest(parent, options);
    assertEquals(undisturbed.states.map(({ status }) => status), ["canceled", "canceled"]);
    assert(points > 20);
  }
});

Deno.test("WorkflowContext.startChild() refuses bad arguments at the call", async () => {
  const { executor } = setUp({ workflows });
  const calls: [call: (ctx: Ctx) => unknown, message: string][] = [
    [(ctx) => ctx.executeChild(7 as never), 'Cannot start child workflow: "workflow" must be a function, got 7'],
    [
      (ctx) => ctx.executeChild(double, 1, { id: "" }),
      'child workflow "double": "id" must be a non-empty string, got ""',
    ],
    [(ctx) => ctx.executeChild(double, 1, { timeoutMs: 0 }), '"timeoutMs" must be a finite number above 0, got 0'],
    [
      (ctx) => ctx.executeChild(double, 1, { parentClosePolicy: "kill" as never }),
      '"parentClosePolicy" must be one of "cancel", "terminate", "abandon", got "kill"',
    ],
    [(ctx) => ctx.executeChild(double, (() => {}) as never), 'input of child workflow "double": a function cannot'],
  ];
  for (const [call, message] of calls) {
    const handle = await executor.execute(async (ctx: Ctx) => void await call(ctx));
    const error = await assertRejects(() => handle.result());
    assert((error as Error).message.includes(message), (error as Error).message);
  }
  await executor.close();
});

Deno.test("ExecutorOptions.maxConcurrentWorkflows does not block a parent that waits for its child", async () => {
  done.length = 0;
  const { executor } = setUp({ workflows, maxConcurrentWorkflows: 1 });
  const handle = await executor.execute(family, { id: "a", input: [1, 2] });
  assertEquals(await handle.result(), [2, 4, 200]);
  await executor.close();
});

Deno.test("WorkflowContext.executeChild() replaces a finished child of the run before that had the same ID, after a process crash at any step", async () => {
  async function again(ctx: WorkflowContext<number>, round: number): Promise<number> {
    if (round === 3) return round;
    await ctx.executeChild(double, round, { id: "child" });
    await ctx.sleep(10);
    return await ctx.continueAsNew(round + 1);
  }
  const { undisturbed } = await crashTest(again, { input: 0, workflows: { double }, deaths: 2 });
  assertEquals(undisturbed.states.filter(({ workflowId }) => workflowId === "child").length, 3);
});
