/** `WorkflowHandle`: its calls reach the run of the handle, in any executor, and no other run. */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { defineQuery, defineSignal, defineUpdate, Executor, WorkflowError } from "@rockpool/workflow";
import type { WorkflowContext, WorkflowHandle } from "@rockpool/workflow";
import { settle, setUp } from "../support/executors.ts";

const add = defineSignal<number>("add");
const total = defineQuery<number, [factor: number]>("total");
const take = defineUpdate<number, number>("take");

/** Counts by signals and updates, until it gets a signal `done`. */
async function counter(ctx: WorkflowContext): Promise<number> {
  let sum = 0;
  ctx.handleQuery(total, (factor) => factor * sum);
  ctx.handleUpdate(take, (n) => sum -= n);
  ctx.handleQuery("status", () => "counting");
  const adding = async () => {
    for await (const n of ctx.receiveSignal(add)) sum += n;
  };
  adding().catch(() => {});
  await ctx.waitForSignal("done");
  return sum;
}

async function codeOf(call: Promise<unknown>): Promise<unknown> {
  return (await assertRejects(() => call, WorkflowError)).code;
}

Deno.test("WorkflowHandle.signal(), query(), update() and describe() reach its run", async () => {
  const { executor, store } = setUp();
  const handle = await executor.execute(counter, { id: "a" });
  await handle.signal(add, 5, { senderId: "Ada" });
  assertEquals(await handle.query(total, 2), 10);
  assertEquals(await handle.update(take, 3, { updateId: "u" }), 2);
  assertEquals(await handle.update(take, 3, { updateId: "u" }), 2);
  const { id, status, workflowName, historyLength } = await handle.describe();
  const { history } = (await store.load("a"))!;
  assertEquals([id, status, workflowName, historyLength], ["a", "running", "counter", history.length]);
  const sent = history.find((event) => event.type === "signal_received");
  assertEquals([sent?.payload, sent?.senderId], [5, "Ada"]);
  await handle.signal("done");
  assertEquals([await handle.result(), handle.status], [2, "completed"]);
  assertEquals(await handle.query(total, 1), 2);
  await executor.close();
});

Deno.test("WorkflowHandle.cancel() and terminate() end its run", async () => {
  const { executor } = setUp();
  const handles = [await executor.execute(counter, { id: "a" }), await executor.execute(counter, { id: "b" })];
  await handles[0].cancel("enough");
  await handles[1].terminate("now");
  assertEquals(await Promise.all(handles.map((handle) => codeOf(handle.result()))), ["canceled", "terminated"]);
  await executor.close();
});

Deno.test("WorkflowHandle reaches a run of another executor and a run that no executor has live", async () => {
  const { executor, store } = setUp();
  await executor.execute(counter, { id: "a" });
  const other = new Executor({ store, workflows: { counter } });
  const handle: WorkflowHandle = await other.handle("a");
  await handle.signal(add, 1);
  await settle();
  assertEquals(await executor.query("a", total, 1), 1);
  await executor.close();
  await handle.signal(add, 1);
  assertEquals(await handle.query(total, 1), 2);
  await handle.cancel();
  assertEquals((await store.load("a"))!.history.filter(({ type }) => type === "cancel_requested").length, 1);
  await other.close();
});

Deno.test("WorkflowHandle rejects with not_found when another run has replaced its run", async () => {
  for (const executors of [1, 2]) {
    const { executor, store } = setUp();
    const old = await executor.execute(counter, { id: "a" });
    await old.terminate();
    const by = executors === 1 ? executor : new Executor({ store });
    const replacing = await by.execute(counter, { id: "a" });
    const calls = {
      signal: () => old.signal(add, 1),
      query: () => old.query(total, 1),
      update: () => old.update(take, 1),
      cancel: () => old.cancel(),
      terminate: () => old.terminate(),
      describe: () => old.describe(),
    };
    for (const [verb, call] of Object.entries(calls)) {
      const { code, message } = await assertRejects(call, WorkflowError);
      assertEquals([code, message], ["not_found", `Cannot ${verb} workflow "a": another run has replaced it`]);
    }
    assertEquals(replacing.status, "running");
    assertEquals((await store.load("a"))!.history.length, 1);
    await by.close();
    await executor.close();
  }
});

Deno.test("WorkflowHandle follows its run when the run continues as new", async () => {
  async function counting(ctx: WorkflowContext<number>, sum: number): Promise<number> {
    ctx.handleQuery("sum", () => sum);
    const n = await ctx.waitForSignal<number>("n");
    return n === 0 ? sum : await ctx.continueAsNew(sum + n);
  }
  const { executor } = setUp();
  const handle = await executor.execute(counting, { id: "a", input: 0 });
  for (const n of [1, 2, 3]) await handle.signal("n", n);
  await settle();
  assertEquals(await handle.query("sum"), 6);
  await handle.signal("n", 0);
  assertEquals(await handle.result(), 6);
  await executor.close();
});

Deno.test("Executor.signal(), update(), describe(), execute() and close() refuse unknown and wrong options", async () => {
  const { executor } = setUp();
  await executor.execute(counter, { id: "a" });
  const messageOf = async (call: () => Promise<unknown>) => (await assertRejects(call, TypeError)).message;
  assertEquals([
    await messageOf(() => executor.signal("a", "x", 1, { sender: "Ada" } as object)),
    await messageOf(() => executor.update("a", take, 1, { updateID: "u" } as object)),
    await messageOf(() => executor.describe("a", { historyy: true } as object)),
    await messageOf(() => executor.describe("a", { history: "yes" } as object)),
    await messageOf(() => executor.execute(counter, { id: "b", timeout: 3 } as object)),
    await messageOf(() => executor.close({ drain: 3 } as object)),
  ], [
    'Cannot signal workflow "a": "options" has no option "sender"; did you mean "senderId"?',
    'Cannot update workflow "a": "options" has no option "updateID"; did you mean "updateId"?',
    'Cannot describe workflow "a": "options" has no option "historyy"; did you mean "history"?',
    'Cannot describe workflow "a": "history" must be a boolean, got "yes"',
    'Cannot execute workflow "b": "options" has no option "timeout"; did you mean "timeoutMs"?',
    'Cannot close executor: "options" has no option "drain"; did you mean "drainMs"?',
  ]);
  await executor.close();
});

Deno.test("Executor() uses a new InMemoryStore when no store is given", async () => {
  const executors = [new Executor(), new Executor({})];
  const handles = await Promise.all(executors.map((executor, i) => executor.execute(() => i, { id: "a" })));
  assertEquals(await Promise.all(handles.map((handle) => handle.result())), [0, 1]);
  await Promise.all(executors.map((executor) => executor.close()));
  assertThrows(() => new Executor({ storee: 1 } as object), TypeError, 'did you mean "store"?');
  const middleware = new Array(1);
  assertThrows(() => new Executor({ middleware }), TypeError, '"middleware[0]" must be a function, got undefined');
});
