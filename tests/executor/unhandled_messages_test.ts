/** Messages that a workflow did not handle before its end: a hook and the log tell about them. */

import { assertEquals, assertRejects } from "@std/assert";
import {
  Executor,
  type ExecutorOptions,
  type InMemoryStore,
  type RunInfo,
  type UnhandledMessages,
  type Workflow,
  type WorkflowContext,
} from "@rockpool/workflow";
import { settle, setUp } from "../support/executors.ts";

type Ctx = WorkflowContext;

const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** An executor, and what its hook and its log were told. */
function setUpTold(options: Partial<ExecutorOptions & { store: InMemoryStore }> = {}) {
  const told: unknown[] = [];
  const lines: unknown[] = [];
  const brief = ({ signals, updates }: UnhandledMessages, { workflowId }: RunInfo) =>
    told.push([workflowId, signals.map(({ payload }) => payload), updates.map(({ type, name }) => `${type} ${name}`)]);
  const world = setUp({
    hooks: { messagesUnhandled: brief },
    logger: { ...silent, warn: (message, { runId: _, ...fields } = {}) => lines.push([message, fields]) },
    ...options,
  });
  return { ...world, told, lines };
}

/** Reads one signal "s", then waits for the signal "end". */
async function one(ctx: Ctx): Promise<unknown> {
  ctx.handleUpdate("slow", () => ctx.waitForSignal("never"));
  const first = await ctx.waitForSignal("s");
  await ctx.waitForSignal("end");
  return first;
}

const workflows = { one: one as Workflow<never> };

Deno.test("Hooks.messagesUnhandled and the log are told once which messages a workflow has not handled", async () => {
  const { executor, told, lines } = setUpTold();
  const handle = await executor.execute(one, { id: "a" });
  for (const payload of [1, 2, 3]) await executor.signal("a", "s", payload);
  await executor.signal("a", "other", 4);
  const update = executor.update("a", "slow");
  update.catch(() => {});
  await settle();
  await executor.signal("a", "end");
  await handle.result();
  await assertRejects(() => update);
  assertEquals(told, [["a", [2, 3, 4], ["update_accepted slow"]]]);
  assertEquals(lines, [[
    'Workflow "a" has ended with unhandled messages',
    { workflowId: "a", workflowName: "one", signals: { s: 2, other: 1 }, updates: { slow: 1 } },
  ]]);
  await executor.close();
});

Deno.test("Hooks.messagesUnhandled is not called when a workflow has handled its messages", async () => {
  const { executor, told, lines } = setUpTold();
  const handle = await executor.execute(async (ctx: Ctx) => {
    ctx.handleUpdate("add", (n: number) => n);
    for await (const s of ctx.receiveSignal("s")) if (s === 3) return;
  }, { id: "a" });
  await executor.update("a", "add", 1);
  await Promise.all([1, 2, 3].map((payload) => executor.signal("a", "s", payload)));
  await handle.result();
  assertEquals([told, lines], [[], []]);
  await executor.close();
});

Deno.test("Hooks.messagesUnhandled is called whichever way a workflow ends", async () => {
  const ends: Record<string, (executor: Executor) => Promise<unknown>> = {
    canceled: (executor) => executor.cancel("a"),
    terminated: (executor) => executor.terminate("a"),
    failed: (executor) => executor.signal("a", "fail"),
  };
  for (const [how, end] of Object.entries(ends)) {
    const { executor, told } = setUpTold();
    const handle = await executor.execute(async (ctx: Ctx) => {
      await ctx.waitForSignal("fail");
      throw new Error("no luck");
    }, { id: "a" });
    await executor.signal("a", "s", 1);
    await end(executor);
    await assertRejects(() => handle.result());
    assertEquals(told, [["a", [1], []]], how);
    await executor.close();
  }
});

Deno.test("Hooks.messagesUnhandled is called for signals to a workflow that is canceled before its begin", async () => {
  const { executor, told, clock } = setUpTold();
  clock.hold();
  const handle = await executor.execute(one, { id: "a", startAfterMs: 100, signals: [{ name: "s", payload: 1 }] });
  await executor.cancel("a");
  await assertRejects(() => handle.result());
  assertEquals(told, [["a", [1], []]]);
  await executor.close();
});

Deno.test("Hooks.messagesUnhandled is called by the executor that runs the workflow, not by the one that sends or terminates", async () => {
  const { executor, told, store, clock } = setUpTold();
  const handle = await executor.execute(one, { id: "a" });
  const others: unknown[] = [];
  const other = new Executor({ store, clock, logger: silent, hooks: { messagesUnhandled: () => others.push(1) } });
  await other.signal("a", "other", 1);
  const update = other.update("a", "none");
  update.catch(() => {});
  await settle();
  await other.terminate("a");
  await assertRejects(() => handle.result());
  await assertRejects(() => update);
  assertEquals([told, others], [[["a", [1], ["update_requested none"]]], []]);
  await Promise.all([executor.close(), other.close()]);
});

Deno.test("Hooks.messagesUnhandled is called once when two executors run the workflow", async () => {
  const { executor, told, store, clock } = setUpTold({ workflows });
  const handle = await executor.execute(one, { id: "a" });
  const second = setUpTold({ workflows, store });
  await second.executor.recover();
  for (const payload of [1, 2]) await executor.signal("a", "s", payload);
  await executor.signal("a", "end");
  await handle.result();
  await settle();
  assertEquals([...told, ...second.told], [["a", [2], []]]);
  await Promise.all([executor.close(), second.executor.close()]);
  assertEquals(clock.now(), 0);
});

Deno.test("Hooks.messagesUnhandled is called after a recovery, and not for what was read before", async () => {
  const { executor, told, store, clock } = setUpTold({ workflows });
  await executor.execute(one, { id: "a" });
  for (const payload of [1, 2]) await executor.signal("a", "s", payload);
  await executor.close();
  const next = setUpTold({ workflows, store, clock });
  const [handle] = await next.executor.recover();
  await next.executor.signal("a", "end");
  await handle.result();
  assertEquals([told, next.told], [[], [["a", [2], []]]]);
  await next.executor.close();
});

Deno.test("Hooks.messagesUnhandled is not called at continueAsNew for what the next run gets", async () => {
  const { executor, told } = setUpTold();
  const handle = await executor.execute(async (ctx: WorkflowContext<number>, run: number): Promise<unknown> => {
    ctx.handleUpdate("slow", () => ctx.waitForSignal("never"));
    await ctx.waitForSignal("next");
    return run < 1 ? await ctx.continueAsNew(run + 1) : run;
  }, { id: "a", input: 0 });
  await executor.signal("a", "s", 1);
  const update = executor.update("a", "slow");
  update.catch(() => {});
  await settle();
  await executor.signal("a", "next");
  await settle();
  // The handler had begun: the next run does not get the update.
  assertEquals(told, [["a", [], ["update_accepted slow"]]]);
  await executor.signal("a", "next");
  await handle.result();
  assertEquals(told.slice(1), [["a", [1], []]]);
  await executor.close();
});

Deno.test("a hook and a logger that throw for unhandled messages do not harm the end of the workflow", async () => {
  const errors: unknown[] = [];
  const fail = () => {
    throw new Error("broken");
  };
  const { executor } = setUp({
    hooks: { messagesUnhandled: fail },
    logger: { ...silent, warn: fail },
    onError: (error) => errors.push((error as Error).message),
  });
  const handle = await executor.execute(() => 1, { id: "a", signals: [{ name: "s" }] });
  assertEquals([await handle.result(), errors], [1, ["broken", "broken"]]);
  await executor.close();
});
