/** `ChildHandle.started`: whether a child has begun. */

import { assert, assertEquals } from "@std/assert";
import {
  type CanceledError,
  Executor,
  type Workflow,
  type WorkflowContext,
  type WorkflowError,
} from "@rockpool/workflow";
import { assertReplays, crashTest, FaultyStore } from "@rockpool/workflow/testing";
import { gate, macrotasks, settle, setUp, typesOf } from "../support/executors.ts";

type Ctx = WorkflowContext;

async function child(ctx: Ctx) {
  return await ctx.waitForSignal<string>("go");
}

const double = (_ctx: Ctx, n: number) => 2 * n;
const fail = () => {
  throw new RangeError("no luck");
};
const workflows = { child, double, fail };
const quiet = { logger: { ...console, warn() {} } };
const reasonOf = (error: unknown) => (error as CanceledError).reason;
const codeOf = (error: unknown) => (error as WorkflowError).code;

Deno.test("ChildHandle.started resolves when the child is stored, before it has ended", async () => {
  const { executor, store } = setUp({ workflows });
  const handle = await executor.execute(async (ctx: Ctx) => {
    const started = ctx.startChild(child, undefined, { id: "child" });
    const answer = await started.started;
    await started.signal("go", "on");
    return [answer, await started.started, await started.result()];
  }, { id: "a" });
  assertEquals(await handle.result(), [undefined, undefined, "on"]);
  const types = typesOf((await store.load("a"))!.history).filter((type) => type.startsWith("child"));
  assertEquals(types, ["child_started", "child_begun", "child_completed"]);
  await executor.close();
});

Deno.test("ChildHandle.started is not recorded when nobody reads it", async () => {
  const { executor, store } = setUp({ workflows });
  await (await executor.execute((ctx: Ctx) => ctx.startChild(double, 1).result(), { id: "a" })).result();
  const types = typesOf((await store.load("a"))!.history);
  assertEquals(types, ["workflow_started", "child_started", "child_completed", "workflow_completed"]);
  await executor.close();
});

Deno.test("ChildHandle.started rejects when another workflow has the ID, also if it is read late or nobody awaits it", async () => {
  const { executor } = setUp({ workflows, ...quiet });
  await executor.execute(child, { id: "taken" });
  const handle = await executor.execute(async (ctx: Ctx) => {
    const [first, second] = [1, 2].map((n) => ctx.startChild(double, n, { id: "taken" }));
    void first.started;
    await ctx.sleep(10);
    return [await first.started.catch(codeOf), await second.started.catch(codeOf)];
  });
  assertEquals(await handle.result(), ["already_running", "already_running"]);
  await executor.close();
});

Deno.test("ChildHandle.started resolves when it is read after the end of the child", async () => {
  const { executor } = setUp({ workflows });
  const handle = await executor.execute(async (ctx: Ctx) => {
    const children = [ctx.startChild(double, 1), ctx.startChild(fail)];
    await ctx.sleep(10);
    return await Promise.all(children.map(({ started }) => started.then(() => "began")));
  });
  assertEquals(await handle.result(), ["began", "began"]);
  await executor.close();
});

Deno.test("ChildHandle.started rejects when the child was cancelled before it began, or the wait is cancelled", async () => {
  const store = new FaultyStore();
  const { executor } = setUp({ store, workflows });
  const slow = gate();
  store.before.append = ({ workflowId }) => workflowId === "slow" ? slow.promise : undefined;
  const handle = await executor.execute(async (ctx: Ctx) => {
    const reasons: unknown[] = [];
    const canceled = ctx.startChild(child, undefined, { id: "canceled" });
    await canceled.cancel("by its handle");
    reasons.push(await canceled.started.catch(reasonOf));
    await ctx.scope(async (ctx) => {
      const { started } = ctx.startChild(child, undefined, { id: "slow" });
      ctx.spawn(async () => {
        await ctx.waitForSignal("cancel");
        ctx.cancel("by its scope");
      });
      reasons.push(await started.catch(reasonOf));
      reasons.push(await ctx.startChild(child).started.catch(reasonOf));
    });
    return reasons;
  }, { id: "a" });
  await executor.signal("a", "cancel");
  assertEquals(await handle.result(), ["by its handle", "by its scope", "by its scope"]);
  slow.open();
  await settle();
  await executor.close();
});

const parents: Record<string, (ctx: Ctx) => Promise<unknown>> = {
  async "reads it at once"(ctx) {
    const handle = ctx.startChild(child, undefined, { id: "child" });
    await handle.started;
    await handle.signal("go", "on");
    return await handle.result();
  },
  async "reads it later"(ctx) {
    const handle = ctx.startChild(child, undefined, { id: "child" });
    await ctx.sleep(10);
    await handle.started;
    await handle.signal("go", "on");
    return await handle.result();
  },
  async "reads it when the child has ended"(ctx) {
    const handle = ctx.startChild(double, 1, { id: "child" });
    const result = await handle.result();
    await handle.started;
    return result;
  },
  async "gets an error of the store"(ctx) {
    const handle = ctx.startChild(double, 1, { id: ctx.workflowId });
    return [await handle.started.catch(codeOf), await handle.result().catch(codeOf)];
  },
};
for (const [what, parent] of Object.entries(parents)) {
  Deno.test(`ChildHandle.started settles in the same way after a process crash at any step when the code ${what}`, async () => {
    const { points } = await crashTest(parent as Workflow, { workflows, deaths: 2, executor: quiet });
    assert(points > 6, `${points} points`);
  });
}

Deno.test("ChildHandle.started that new code reads resolves in a run that began without it", async () => {
  for (const ends of [false, true]) {
    const { executor, store, clock } = setUp({ workflows });
    const parent = (reads: boolean) => async (ctx: Ctx) => {
      const handle = ctx.startChild(child, undefined, { id: "child" });
      if (reads) await handle.started;
      return [await ctx.waitForSignal("end"), await handle.result()];
    };
    await executor.execute(parent(false), { id: "a" });
    await settle();
    if (ends) await executor.signal("child", "go", "on");
    await settle();
    await executor.close();
    const next = new Executor({ store, clock, workflows: { ...workflows, anonymous: parent(true) } });
    await next.recover();
    if (!ends) await next.signal("child", "go", "on");
    await next.signal("a", "end", 7);
    assertEquals(await (await next.handle("a")).result(), [7, "on"]);
    const state = (await store.load("a"))!;
    assertEquals(typesOf(state.history).includes("child_begun"), !ends);
    await assertReplays(parent(true), state, { workflows });
    await assertReplays(parent(false), state, { workflows }); // the event harms no code that does not read it
    await next.close();
  }
});

Deno.test("ChildHandle.started is recorded once when two executors run the parent", async () => {
  const { executor: first, store, clock } = setUp({ workflows });
  async function parent(ctx: Ctx) {
    await ctx.waitForSignal("start");
    const handle = ctx.startChild(child, undefined, { id: "child" });
    await handle.started;
    return await handle.result();
  }
  const second = new Executor({ store, clock, workflows: { ...workflows, parent } });
  const handle = await first.execute(parent, { id: "a" });
  const [other] = await second.recover();
  await first.signal("a", "start");
  await macrotasks(3);
  await second.recover(); // it takes over, too
  await settle();
  await second.signal("child", "go", "on");
  assertEquals([await handle.result(), await other.result()], ["on", "on"]);
  const begun = typesOf((await store.load("a"))!.history).filter((type) => type === "child_begun");
  assertEquals(begun.length, 1);
  await Promise.all([first.close(), second.close()]);
});

Deno.test("ChildHandle.started is known to a run that was dormant", async () => {
  const { executor, clock } = setUp({ workflows, dormantAfterMs: 0 });
  const handle = await executor.execute(async function parent(ctx: Ctx) {
    const handle = ctx.startChild(child, undefined, { id: "child" });
    await handle.started;
    await ctx.waitForSignal("go on");
    await handle.started;
    await handle.signal("go", "on");
    return await handle.result();
  }, { id: "a" });
  await clock.advance(1);
  await settle();
  assertEquals(executor.openRuns().find(({ workflowId }) => workflowId === "a")?.waitsFor, [{ type: "dormant" }]);
  await executor.signal("a", "go on");
  assertEquals(await handle.result(), "on");
  await executor.close();
});

Deno.test("Hooks.childBegun is called when the code waits for the start of a child", async () => {
  const calls: unknown[] = [];
  const { executor } = setUp({
    workflows,
    hooks: { childBegun: ({ seq }, { workflowId }) => calls.push([workflowId, seq]) },
  });
  await (await executor.execute((ctx: Ctx) => ctx.startChild(double, 1).started, { id: "a" })).result();
  assertEquals(calls, [["a", 0]]);
  await executor.close();
});
