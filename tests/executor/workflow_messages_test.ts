/** Messages from workflow code to other workflows: signals and cancellations, each once and with its sender. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { CanceledError, defineSignal, Executor, type WorkflowContext, WorkflowError } from "@rockpool/workflow";
import type { AnyWorkflow } from "@rockpool/workflow/options";
import { crashTest, FaultyStore } from "@rockpool/workflow/testing";
import { gate, ofType, settle, setUp } from "../support/executors.ts";

type Ctx = WorkflowContext;

const job = defineSignal<number>("job");

/** Collects signals until there are enough, and continues as new after each. */
async function collect(ctx: WorkflowContext<Collected>, { jobs, count }: Collected): Promise<readonly number[]> {
  if (jobs.length === count) return jobs;
  const next = await ctx.waitForSignal(job);
  return await ctx.continueAsNew({ jobs: [...jobs, next], count });
}

interface Collected {
  readonly jobs: readonly number[];
  readonly count: number;
}

/** Waits for a signal, and says who sent it. */
async function receive(ctx: Ctx) {
  const { payload, senderId } = await ctx.waitForSignal("go", { withSender: true });
  return [payload, senderId];
}

async function waitForGo(ctx: Ctx) {
  return await ctx.waitForSignal<string>("go");
}

const workflows = { collect, receive, waitForGo } as unknown as Record<string, AnyWorkflow>;
const codeOf = (error: unknown) => (error as WorkflowError).code;

Deno.test("WorkflowContext.signalWorkflow() sends a signal with the ID of the sender", async () => {
  const { executor } = setUp({ workflows });
  const receiver = await executor.execute(async (ctx: Ctx) => {
    return [await ctx.waitForSignal(job), ...await receive(ctx)];
  }, { id: "b" });
  const sender = await executor.execute(async (ctx: Ctx) => {
    await Promise.all([ctx.signalWorkflow("b", job, 7), ctx.signalWorkflow("b", "go", { n: 1 })]);
  }, { id: "a" });
  assertEquals([await receiver.result(), await sender.result()], [[7, { n: 1 }, "a"], undefined]);
  const signals = ofType((await executor.describe("b", { history: true })).history, "signal_received");
  assertEquals(signals.map(({ name, payload, senderId, signalId }) => [name, payload, senderId, signalId]), [
    ["job", 7, "a", `${sender.runId}:0`],
    ["go", { n: 1 }, "a", `${sender.runId}:1`],
  ]);
  await executor.close();
});

Deno.test("WorkflowContext.signalWorkflow() and cancelWorkflow() reject when there is no such workflow, or it has ended", async () => {
  const { executor } = setUp({ workflows });
  await (await executor.execute(() => "done", { id: "ended" })).result();
  const handle = await executor.execute(async (ctx: Ctx) => [
    await ctx.signalWorkflow("nobody", "go").catch(codeOf),
    await ctx.signalWorkflow("ended", "go").catch(codeOf),
    await ctx.cancelWorkflow("nobody").catch(codeOf),
    await ctx.cancelWorkflow("ended").catch((error) => error.message),
  ]);
  const status = 'Cannot cancel workflow "ended": its status is "completed"';
  assertEquals(await handle.result(), ["not_found", "not_found", "not_found", status]);
  await executor.close();
});

Deno.test("WorkflowContext.signalWorkflow() stores each signal once over continueAsNew and a process crash at any step", async () => {
  const root = async (ctx: Ctx) => {
    const receiver = ctx.startChild(collect, { jobs: [], count: 3 }, { id: "receiver" });
    for (const n of [1, 2, 3]) {
      await ctx.signalWorkflow("receiver", job, n);
      await ctx.sleep(10); // the receiver continues as new
    }
    return await receiver.result();
  };
  for (const deaths of [1, 2]) {
    const { points, undisturbed } = await crashTest(root, { workflows, deaths });
    assertEquals(undisturbed.result, [1, 2, 3]);
    assert(points > 40);
  }
});

Deno.test("WorkflowContext.signalWorkflow() stores a signal once when the receiver continued before the outcome was stored", async () => {
  const store = new FaultyStore();
  const { executor, clock } = setUp({ store, workflows });
  const root = async (ctx: Ctx) => await ctx.signalWorkflow("receiver", job, 1);
  await executor.execute(collect, { id: "receiver", input: { jobs: [], count: 2 } });
  const closed = gate();
  store.before.append = async ({ workflowId, events }) => {
    if (workflowId !== "a" || !events.some(({ type }) => type === "activity_completed")) return;
    await settle(); // the receiver reads the signal and continues
    executor.close().then(closed.open);
    throw new Error("the process is gone");
  };
  await executor.execute(root, { id: "a" });
  await closed.promise;
  store.before.append = () => {};
  const next = new Executor({ store, clock, workflows: { ...workflows, root } });
  await next.recover();
  await next.handle("a").then((handle) => handle.result());
  await next.signal("receiver", job, 2);
  assertEquals(await next.handle("receiver").then((handle) => handle.result()), [1, 2]);
  await next.close();
});

Deno.test("WorkflowContext.cancelWorkflow() cancels a workflow with a reason, and again without effect", async () => {
  const { executor } = setUp({ workflows });
  const other = await executor.execute(waitForGo, { id: "b" });
  const handle = await executor.execute(async (ctx: Ctx) => {
    await ctx.cancelWorkflow("b", "not needed");
    await ctx.sleep(1);
    return await ctx.cancelWorkflow("b");
  });
  await handle.result();
  const error = await assertRejects(() => other.result(), CanceledError);
  assertEquals(error.reason, "not needed");
  await executor.close();
});

Deno.test("WorkflowContext.cancelWorkflow() has the same outcome after a process crash at any step", async () => {
  const root = async (ctx: Ctx) => {
    const child = ctx.startChild(waitForGo, undefined, { id: "b" });
    await ctx.cancelWorkflow("b", "enough");
    return await child.result().catch((error) => error.reason);
  };
  const { undisturbed, points } = await crashTest(root, { workflows: { waitForGo }, deaths: 2 });
  assertEquals(undisturbed.result, "enough");
  assert(points > 15);
});

Deno.test("WorkflowContext.signalWorkflow() to its own ID reaches the workflow, and cancelWorkflow() cancels it", async () => {
  const { executor } = setUp({ workflows });
  const handle = await executor.execute(async (ctx: Ctx) => {
    ctx.signalWorkflow("a", "go", 1);
    const { payload, senderId } = await ctx.waitForSignal("go", { withSender: true });
    const error = await ctx.cancelWorkflow("a", "myself").catch((error) => error.reason);
    return [payload, senderId, error];
  }, { id: "a" });
  assertEquals(await handle.result(), [1, "a", "myself"]);
  await executor.close();
});

Deno.test("WorkflowContext.signalWorkflow() waits for a child that is being started", async () => {
  const { executor } = setUp({ workflows });
  const handle = await executor.execute(async (ctx: Ctx) => {
    const child = ctx.startChild(receive, undefined, { id: "child" });
    await ctx.signalWorkflow("child", "go", 1);
    return await child.result();
  }, { id: "a" });
  assertEquals(await handle.result(), [1, "a"]);
  await executor.close();
});

Deno.test("WorkflowContext.signalWorkflow() of a scope is cancelled with the scope, and that of a shield is not", async () => {
  const { executor } = setUp({ workflows });
  const other = await executor.execute(receive, { id: "b" });
  const handle = await executor.execute(async (ctx: Ctx) => {
    try {
      return await ctx.scope(async (ctx) => {
        ctx.cancel("changed my mind");
        await ctx.signalWorkflow("b", "go", "from the scope");
      });
    } catch (error) {
      await ctx.shield((ctx) => ctx.signalWorkflow("b", "go", "from the shield"));
      return (error as CanceledError).reason;
    }
  }, { id: "a" });
  assertEquals(await handle.result(), "changed my mind");
  assertEquals(await other.result(), ["from the shield", "a"]);
  await executor.close();
});

Deno.test("WorkflowContext.signalWorkflow() and cancelWorkflow() that nobody awaits do not end the process", async () => {
  const { executor } = setUp({ workflows });
  const handle = await executor.execute(async (ctx: Ctx) => {
    ctx.signalWorkflow("nobody", "go");
    ctx.cancelWorkflow("nobody");
    ctx.signalWorkflow("", "go");
    await ctx.sleep(1);
    return "done";
  });
  assertEquals(await handle.result(), "done");
  await executor.close();
});

const unawaited: [what: string, end: (ctx: WorkflowContext<number>, n: number) => unknown][] = [
  ["returns", () => {}],
  ["throws", () => {
    throw new Error("failed");
  }],
  ["continues as new", (ctx, n) => n < 2 ? ctx.continueAsNew(n + 1) : undefined],
  ["returns while a handler of signals is open", (ctx) => ctx.handleSignal("s", () => {})],
  ["has sent them in a scope that has ended", (ctx) => ctx.sleep(10)],
];

for (const [what, end] of unawaited) {
  Deno.test(`WorkflowContext.signalWorkflow() and cancelWorkflow() that nobody awaits are sent when the run ${what}`, async () => {
    const root = async (ctx: WorkflowContext<number>, n: number) => {
      if (n === 1) ctx.startChild(waitForGo, undefined, { id: "b", parentClosePolicy: "abandon" });
      await ctx.scope((inner) => {
        const sender = what.includes("scope") ? inner : ctx;
        if (n === 1) void sender.cancelWorkflow("b", "by a");
        void sender.signalWorkflow("receiver", job, n);
      });
      return await end(ctx, n);
    };
    const { executor } = setUp({ workflows });
    const count = what.startsWith("continues") ? 2 : 1;
    const receiver = await executor.execute(collect, { id: "receiver", input: { jobs: [], count } });
    const sender = await executor.execute(root as never, { id: "a", input: 1 as never });
    await sender.result().catch(() => {});
    assertEquals(await receiver.result(), [1, 2].slice(0, count));
    await assertRejects(() => executor.handle("b").then((handle) => handle.result()), CanceledError, "by a");
    await executor.close();
  });
}

Deno.test("WorkflowContext.signalWorkflow() that nobody awaits is sent once over continueAsNew and a process crash at any step", async () => {
  const sender = async (ctx: WorkflowContext<number>, n: number) => {
    void ctx.signalWorkflow("receiver", job, n);
    if (n < 3) await ctx.continueAsNew(n + 1);
  };
  const root = async (ctx: Ctx) => {
    const receiver = ctx.startChild(collect, { jobs: [], count: 3 }, { id: "receiver" });
    await receiver.started;
    await ctx.executeChild(sender as never, 1, { id: "sender" });
    return await receiver.result();
  };
  const { undisturbed } = await crashTest(root, { workflows: { ...workflows, sender: sender as never } });
  assertEquals(undisturbed.result, [1, 2, 3]);
});

Deno.test("WorkflowContext.signalWorkflow() to a child that ends with the run does not keep the run from its end", async () => {
  const { executor, store } = setUp({ workflows });
  const handle = await executor.execute((ctx: Ctx) => {
    void ctx.startChild(waitForGo, undefined, { id: "b" }).signal("go", "x");
    void ctx.signalWorkflow("b", "go", "y");
    return "done";
  });
  assertEquals([await handle.result(), await store.load("b")], ["done", null]);
  await executor.close();
});

Deno.test("WorkflowContext.signalWorkflow() needs no slot of maxConcurrentActivities", async () => {
  const { executor } = setUp({ workflows, maxConcurrentActivities: 1 });
  const answered = gate<unknown>();
  const other = await executor.execute(async (ctx: Ctx) => {
    const signal = await ctx.waitForSignal("go");
    answered.open(signal);
  }, { id: "b" });
  const handle = await executor.execute(async (ctx: Ctx) => {
    const asked = ctx.executeActivity(async function ask() {
      return await answered.promise;
    });
    await ctx.signalWorkflow("b", "go", "hello");
    return await asked;
  });
  assertEquals([await handle.result(), await other.result()], ["hello", undefined]);
  await executor.close();
});

Deno.test("WorkflowContext.signalWorkflow() is tried again when the store fails", async () => {
  const store = new FaultyStore();
  const { executor } = setUp({ store, workflows });
  const other = await executor.execute(receive, { id: "b" });
  let failures = 3;
  store.before.append = ({ workflowId }) => {
    if (workflowId === "b" && failures-- > 0) throw new Error("the store is down");
  };
  const handle = await executor.execute((ctx: Ctx) => ctx.signalWorkflow("b", "go", 1), { id: "a" });
  assertEquals([await handle.result(), await other.result()], [undefined, [1, "a"]]);
  assert(failures < 0);
  await executor.close();
});

Deno.test("WorkflowContext.signalWorkflow() suspends the run when the store keeps failing, and sends the signal once after a recovery", async () => {
  const store = new FaultyStore();
  const { executor, clock } = setUp({ store, workflows });
  const elsewhere = new Executor({ store, clock, workflows });
  const other = await elsewhere.execute(receive, { id: "b" });
  const send = async (ctx: Ctx) => await ctx.signalWorkflow("b", "go", 1);
  store.after.append = ({ workflowId }) => {
    if (workflowId === "b") throw new Error("the answer is lost"); // the signal is stored
  };
  store.before.load = (id) => {
    if (id === "b") throw new Error("the store is down");
  };
  const handle = await executor.execute(send, { id: "a" });
  assertEquals((await assertRejects(() => handle.result(), WorkflowError)).code, "store_failed");
  await executor.close();
  assertEquals((await store.load("a"))?.status, "running");
  store.before.load = store.after.append = undefined;
  const next = new Executor({ store, clock, workflows: { send }, onError: () => {} }); // "b" runs elsewhere
  await next.recover();
  const recovered = await next.handle("a");
  assertEquals([await recovered.result(), await other.result()], [undefined, [1, "a"]]);
  assertEquals(ofType((await store.load("b"))!.history, "signal_received").length, 1);
  await Promise.all([next.close(), elsewhere.close()]);
});

Deno.test("ChildHandle.signal() and cancel() reach no other workflow of the child's ID", async () => {
  const { executor } = setUp({ workflows, logger: { ...console, warn() {} } });
  const taken = await executor.execute(waitForGo, { id: "taken" });
  const handle = await executor.execute(async (ctx: Ctx) => {
    const child = ctx.startChild(waitForGo, undefined, { id: "taken" });
    const early = child.signal("go", "early").catch((error) => error.message);
    const taken = await child.result().catch(codeOf);
    return [await early, taken, await child.signal("go", "late").catch(codeOf), await child.cancel().catch(codeOf)];
  }, { id: "a" });
  const why = 'Cannot signal workflow "taken": another workflow has its ID';
  assertEquals(await handle.result(), [why, "already_running", "not_found", "not_found"]);
  assertEquals(taken.status, "running");
  await executor.signal("taken", "go", "from outside");
  assertEquals(await taken.result(), "from outside");
  await executor.close();
});

Deno.test("WorkflowContext.signalWorkflow() and cancelWorkflow() refuse bad arguments at the call", async () => {
  const { executor } = setUp({ workflows, maxPayloadBytes: 1000 });
  const calls: [call: (ctx: Ctx) => unknown, message: string][] = [
    [(ctx) => ctx.signalWorkflow(7 as never, "go"), 'Cannot signal workflow: "id" must be a non-empty string, got 7'],
    [(ctx) => ctx.signalWorkflow("b", "" as never), 'Cannot signal workflow "b": "name" must be a non-empty string'],
    [(ctx) => ctx.signalWorkflow("b", "go", (() => {}) as never), 'input of activity "signal workflow"'],
    [(ctx) => ctx.signalWorkflow("b", "go", "x".repeat(1000)), '"maxPayloadBytes" is 1000'],
    [(ctx) => ctx.cancelWorkflow(""), 'Cannot cancel workflow: "id" must be a non-empty string, got ""'],
    [(ctx) => ctx.cancelWorkflow("b", 7 as never), 'Cannot cancel workflow "b": "reason" must be'],
  ];
  for (const [call, message] of calls) {
    const handle = await executor.execute(async (ctx: Ctx) => void await call(ctx));
    const error = await assertRejects(() => handle.result());
    assert((error as Error).message.includes(message), (error as Error).message);
  }
  await executor.close();
});

Deno.test("A message that was cancelled and that no compensation waits for does not hold up the end of its run", async () => {
  const { executor } = setUp();
  await executor.execute(async (ctx) => void await ctx.waitForSignal("never"), { id: "receiver" });
  const handle = await executor.execute(async (ctx) => {
    ctx.addCompensation(() => {}, { name: "undo" });
    const sending = ctx.scope((ctx) => {
      ctx.signalWorkflow("receiver", "s").catch(() => {});
      ctx.cancel();
    });
    await sending.catch(() => {});
    return "done";
  }, { id: "a" });
  assertEquals(await handle.result(), "done");
  await executor.close();
});
