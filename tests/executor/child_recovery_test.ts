/** Children and their parents after crashes, and in several executors. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { Executor, type Workflow, type WorkflowContext, WorkflowError, type WorkflowEvent } from "@rockpool/workflow";
import type { AnyWorkflow } from "@rockpool/workflow/options";
import { crashTest, FaultyStore } from "@rockpool/workflow/testing";
import { gate, settle, setUp, typesOf } from "../support/executors.ts";

type Ctx = WorkflowContext;

const done: string[] = [];
const work = (name: string) => void done.push(name);

async function double(ctx: Ctx, n: number) {
  await ctx.executeActivity(work, `double ${n}`);
  await ctx.sleep(10);
  return 2 * n;
}

async function waitForGo(ctx: Ctx) {
  try {
    return await ctx.waitForSignal<string>("go");
  } catch (error) {
    await ctx.shield((ctx) => ctx.executeActivity(work, "cleaned up"));
    throw error;
  }
}

const workflows = { double, waitForGo };
const types = (history: readonly WorkflowEvent[], prefix: string) =>
  typesOf(history).filter((type) => type.startsWith(prefix));

Deno.test("Executor.recover() resumes a parent whose child runs in another executor", async () => {
  const { executor, store, clock } = setUp({ workflows });
  const parent = async (ctx: Ctx) => await ctx.executeChild(waitForGo, undefined, { id: "child" });
  await executor.execute(parent, { id: "a" });
  await settle();
  await executor.close();
  const childExecutor = new Executor({ store, clock, workflows: { waitForGo }, onError: () => {} });
  await childExecutor.recover(); // it does not know the parent's code
  const next = new Executor({ store, clock, workflows: { waitForGo, parent } });
  const handles = await next.recover();
  await childExecutor.signal("child", "go", 7);
  assertEquals(await handles[0].result(), 7);
  await Promise.all([next.close(), childExecutor.close()]);
});

Deno.test("Executor.recover() resumes a parent and its child", async () => {
  const { executor, store, clock } = setUp({ workflows });
  const parent = async (ctx: Ctx) => await ctx.executeChild(waitForGo, undefined, { id: "child" });
  const handle = await executor.execute(parent, { id: "a" });
  await settle();
  await executor.close();
  const error = await assertRejects(() => handle.result(), WorkflowError);
  assertEquals(error.code, "closed");
  assertEquals(types((await store.load("a"))!.history, "child"), ["child_started"]);
  const next = new Executor({ store, clock, workflows: { waitForGo, parent } });
  const [recovered] = await next.recover();
  await next.signal("child", "go", "on");
  assertEquals(await recovered.result(), "on");
  await next.close();
});

/** Closes the executor of "a" before it stores an event of this type, and completes the run in another executor. */
async function crashBefore(type: WorkflowEvent["type"], code: Record<string, AnyWorkflow>): Promise<FaultyStore> {
  const store = new FaultyStore();
  const { executor, clock } = setUp({ store, workflows: code });
  const closed = Promise.withResolvers<void>();
  store.before.append = async ({ workflowId, events, expectedLength }) => {
    if (workflowId !== "a" || expectedLength === 0 || !events.some((event) => event.type === type)) return;
    await settle(); // its children continue
    executor.close().then(closed.resolve);
    throw new Error("the process is gone");
  };
  await executor.execute(code.parent as Workflow, { id: "a" });
  await closed.promise;
  store.before.append = () => {};
  const next = new Executor({ store, clock, workflows: code });
  await next.recover();
  await (await next.handle("a")).result();
  await settle();
  await next.close();
  return store;
}

Deno.test("ChildHandle.signal() sends a signal once when the process crashes before the outcome is stored", async () => {
  const store = await crashBefore("activity_completed", {
    waitForGo,
    async parent(ctx: Ctx) {
      const child = ctx.startChild(waitForGo, undefined, { id: "child", parentClosePolicy: "abandon" });
      await ctx.sleep(1);
      await child.signal("other", 1);
    },
  });
  assertEquals(types((await store.load("child"))!.history, "signal"), ["signal_received"]);
});

Deno.test("ChildHandle.signal() and cancel() reach the child on a virtual clock when the store fails", async () => {
  const { executor, store, clock } = setUp({ store: new FaultyStore() });
  const handle = await executor.execute(async (ctx: Ctx) => {
    const child = ctx.startChild(waitForGo, undefined, { id: "child" });
    await ctx.sleep(1000); // the child is stored
    await child.signal("other", 1);
    await child.cancel("enough");
  }, { id: "a" });
  let appends = 0;
  store.before.append = () => {
    if (appends++ % 2 === 0) throw new Error("the store failed");
  };
  await handle.result();
  assert(clock.now() > 1000, "it was asked again at once");
  await executor.close();
});

Deno.test("ChildHandle.cancel() has the same outcome when the process crashes after the child was cancelled", async () => {
  const store = await crashBefore("activity_completed", {
    double,
    async parent(ctx: Ctx) {
      const child = ctx.startChild(double, 1, { id: "child" });
      await ctx.sleep(1);
      await child.cancel("enough"); // throws if the child ended for another reason
    },
  });
  assertEquals([(await store.load("child"))!.status, (await store.load("a"))!.status], ["canceled", "completed"]);
});

const endings: [what: string, last: (ctx: WorkflowContext<number | undefined>) => unknown][] = [
  ["returns", () => "done"],
  ["continues as new", (ctx) => ctx.continueAsNew(1)],
];
for (const [what, last] of endings) {
  const code = {
    waitForGo,
    async parent(ctx: WorkflowContext<number | undefined>, round?: number) {
      if (round === 1) return;
      ctx.startChild(waitForGo, undefined, { id: "left", parentClosePolicy: "abandon" });
      ctx.startChild(waitForGo, undefined, { id: "closed" });
      ctx.executeActivity(work, "in vain");
      return await last(ctx);
    },
  } as Record<string, AnyWorkflow>;

  Deno.test(`WorkflowContext.startChild() starts a child with the policy abandon when its parent ${what} at once`, async () => {
    done.length = 0;
    const { executor, store } = setUp();
    await (await executor.execute(code.parent as Workflow, { id: "a" })).result();
    const statuses = (await store.list()).map(({ workflowId, status }) => [workflowId, status]);
    assertEquals(statuses, [["a", "completed"], ["left", "running"]]);
    assertEquals(done, []);
    await executor.close();
  });

  Deno.test(`WorkflowContext.startChild() starts a child with the policy abandon when the process crashes before its parent ${what}`, async () => {
    const type = what === "returns" ? "workflow_completed" : "workflow_started";
    const store = await crashBefore(type, code);
    assertEquals((await store.load("left"))!.status, "running");
  });
}

/** A workflow that starts a child with the policy `abandon`, and two executors that run it. */
async function twoExecutors() {
  async function leaving(ctx: Ctx) {
    await ctx.waitForSignal("start");
    ctx.startChild(waitForGo, undefined, { id: "child", parentClosePolicy: "abandon" });
    await ctx.waitForSignal("leave");
    return "left";
  }
  const store = new FaultyStore();
  const { executor: first, clock } = setUp({ store });
  const second = new Executor({ store, clock, workflows: { leaving, waitForGo } });
  await first.execute(leaving, { id: "a" });
  const [handle] = await second.recover();
  await settle();
  return { store, first, second, handle };
}

/** Holds the first append to "child", until the returned gate is opened. */
function holdStartOfChild(store: FaultyStore) {
  const held = gate();
  store.before.append = ({ workflowId }) => {
    if (workflowId !== "child") return;
    store.before.append = () => {};
    return held.promise;
  };
  return held;
}

Deno.test("Executor.recover() starts the child of a workflow that was cancelled after its code had ended", async () => {
  const { store, first, second, handle } = await twoExecutors();
  const never = holdStartOfChild(store);
  await first.signal("a", "start");
  await first.signal("a", "leave");
  await settle();
  await second.cancel("a");
  await settle();
  await second.recover();
  assertEquals(await handle.result(), "left");
  assertEquals((await store.load("child"))!.status, "running");
  never.open();
  await Promise.all([first.close(), second.close()]);
});

Deno.test("Executor ends a workflow when another executor stored the end of its child and then crashed", async () => {
  const { store, first, second, handle } = await twoExecutors();
  await first.signal("a", "start");
  await settle();
  const [slow, never] = [gate(), gate()];
  const delays: [type: string, gate: Promise<void>][] = [
    ["child_completed", slow.promise],
    ["workflow_completed", never.promise],
  ];
  store.before.append = ({ workflowId, events }) => {
    const held = workflowId === "a" && events.some(({ type }) => type === delays[0]?.[0]);
    return held ? delays.shift()![1] : undefined;
  };
  await first.signal("child", "go");
  await settle();
  await second.signal("a", "leave");
  await settle();
  slow.open();
  assertEquals(await handle.result(), "left");
  never.open();
  await Promise.all([first.close(), second.close()]);
});

Deno.test("ChildHandle.signal() waits for the child when the executor that was starting it crashes", async () => {
  async function parent(ctx: Ctx) {
    await ctx.waitForSignal("start");
    const child = ctx.startChild(waitForGo, undefined, { id: "child" });
    await ctx.waitForSignal("send");
    await child.signal("go", "gone");
    return await child.result();
  }
  const store = new FaultyStore();
  const { executor: first, clock } = setUp({ store });
  const second = new Executor({ store, clock, workflows: { parent, waitForGo } });
  await first.execute(parent, { id: "a" });
  const [handle] = await second.recover();
  await settle();
  const never = holdStartOfChild(store);
  await first.signal("a", "start");
  await settle();
  await second.signal("a", "send");
  await settle();
  await second.recover();
  assertEquals(await handle.result(), "gone");
  never.open();
  await Promise.all([first.close(), second.close()]);
});

Deno.test("WorkflowContext.executeChild() starts a child once when two executors run its parent", async () => {
  for (const childEnds of [true, false]) {
    const store = new FaultyStore();
    const { executor: first, clock } = setUp({ store });
    let runs = 0;
    const child = (ctx: Ctx) => (++runs, childEnds ? "done" : ctx.waitForSignal<string>("go"));
    const parent = (ctx: Ctx) => ctx.executeChild(child, undefined, { id: "child" });
    const second = new Executor({ store, clock, workflows: { parent, child } });
    const slow = gate();
    store.before.append = async ({ workflowId }) => {
      if (workflowId !== "child") return;
      store.before.append = () => {};
      await slow.promise; // the first executor has seen that there is no child
    };
    const handle = await first.execute(parent, { id: "parent" });
    await settle();
    const [other] = await second.recover();
    await settle();
    slow.open();
    await settle();
    if (!childEnds) await second.signal("child", "go", "done");
    assertEquals([await handle.result(), await other.result()], ["done", "done"]);
    assertEquals(runs, childEnds ? 1 : 2); // both executors run an unfinished child, like its parent
    const { history } = (await store.load("parent"))!;
    assertEquals(typesOf(history), ["workflow_started", "child_started", "child_completed", "workflow_completed"]);
    await Promise.all([first.close(), second.close()]);
  }
});

Deno.test("ChildHandle.signal() and cancel() reach a child that is being started once after a process crash at any step", async () => {
  const sum = async (ctx: Ctx) => {
    let sum = 0;
    for (let i = 0; i < 3; i++) sum += await ctx.waitForSignal<number>("n");
    await ctx.sleep(10);
    return sum;
  };
  const parent = async (ctx: Ctx) => {
    const [child, canceled] = [ctx.startChild(sum, undefined, { id: "child" }), ctx.startChild(waitForGo)];
    for (const n of [1, 2, 3]) await child.signal("n", n);
    await canceled.cancel("enough");
    return [await child.result(), await canceled.result().catch((error) => error.reason)];
  };
  const { undisturbed } = await crashTest(parent, { workflows: { sum, waitForGo }, deaths: 2 });
  assertEquals(undisturbed.result, [6, "enough"]);
});

Deno.test("ChildHandle.signal() waits until the child is stored, and the clock moves when the store fails", async () => {
  const store = new FaultyStore();
  const { executor } = setUp({ store, workflows });
  let failures = 3;
  store.before.append = ({ workflowId }) => {
    if (workflowId === "child" && failures-- > 0) throw new Error("the store is down");
  };
  const handle = await executor.execute(async (ctx: Ctx) => {
    const child = ctx.startChild(waitForGo, undefined, { id: "child" });
    await child.signal("go", "gone");
    return await child.result();
  });
  assertEquals(await handle.result(), "gone");
  assert(failures <= 0);
  await executor.close();
});
