/** What an executor does not do at once, or not at all: limits on workflows, histories and payloads. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type WorkflowContext, WorkflowError, type WorkflowHandle } from "@rockpool/workflow";
import { gate, settle, setUp, typesOf } from "./tools/testing.ts";

const codeOf = async (call: Promise<unknown>) => (await assertRejects(() => call, WorkflowError)).code;

// ---------------------------------------------------------------------------------------------- maxConcurrentWorkflows

/** A workflow that says when it begins and waits to be let go. */
function watched() {
  const began: string[] = [];
  let running = 0;
  let most = 0;
  async function work(ctx: WorkflowContext) {
    began.push(ctx.workflowId);
    most = Math.max(most, ++running);
    try {
      return await ctx.waitForSignal("go");
    } finally {
      running--;
    }
  }
  return { work, began, most: () => most };
}

const go = { name: "go", payload: "done" };

Deno.test("ExecutorOptions.maxConcurrentWorkflows stores the others at once, and begins them in order of arrival", async () => {
  const { work, began, most } = watched();
  const { store, executor } = setUp({ maxConcurrentWorkflows: 2 });
  const ids = Array.from({ length: 7 }, (_, i) => `${i}`);
  const handles: WorkflowHandle[] = [];
  for (const id of ids) handles.push(await executor.execute(work, { id }));
  await settle();
  assertEquals([began, await store.count({ status: "running" })], [["0", "1"], 7]);
  for (const id of ["6", "5", "4"]) await executor.signal(id, go); // they wait for it
  for (const id of ["1", "0", "2", "3"]) await executor.signal(id, go);
  assertEquals(await Promise.all(handles.map((handle) => handle.result())), ids.map(() => "done"));
  assertEquals([began, most()], [ids, 2]);
  await executor.close();
});

Deno.test("ExecutorOptions.maxConcurrentWorkflows counts what recover() finds, in order of creation", async () => {
  const { work, began, most } = watched();
  const { store, executor } = setUp({ maxConcurrentWorkflows: 2, workflows: { work } });
  for (const id of ["0", "1", "2", "3"]) await executor.execute(work, { id });
  await settle();
  await executor.close();
  assertEquals(began.splice(0), ["0", "1"]);
  const later = setUp({ store, maxConcurrentWorkflows: 1, workflows: { work } }).executor;
  const handles = await later.recover();
  await settle();
  assertEquals(began, ["0"]);
  for (const id of ["3", "2", "1", "0"]) await later.signal(id, go); // stored at once, although they wait
  assertEquals(typesOf((await store.load("3"))!.history), ["workflow_started", "signal_received"]);
  assertEquals(await Promise.all(handles.map((handle) => handle.result())), ["done", "done", "done", "done"]);
  assertEquals([began, most()], [["0", "1", "2", "3"], 3]); // two that were suspended never came to their finally
  await later.close();
});

Deno.test("ExecutorOptions.maxConcurrentWorkflows lets a run that waits be cancelled and terminated", async () => {
  const { work, began } = watched();
  const { store, executor } = setUp({ maxConcurrentWorkflows: 1 });
  const handles: Record<string, WorkflowHandle> = {};
  for (const id of ["a", "b", "c", "d"]) handles[id] = await executor.execute(work, { id });
  await executor.cancel("b", "no more");
  await executor.terminate("c");
  assertEquals([await codeOf(handles.b.result()), await codeOf(handles.c.result())], ["canceled", "terminated"]);
  assertEquals(typesOf((await store.load("b"))!.history), [
    "workflow_started",
    "cancel_requested",
    "workflow_canceled",
  ]);
  await executor.signal("a", go);
  await executor.signal("d", go);
  assertEquals(await handles.d.result(), "done");
  assertEquals(began, ["a", "d"]);
  await executor.close();
});

Deno.test("ExecutorOptions.maxConcurrentWorkflows lets a recovered run that is cancelled clean up at once", async () => {
  const cleaned: string[] = [];
  async function tidy(ctx: WorkflowContext) {
    try {
      await ctx.waitForSignal("never");
    } finally {
      await ctx.shield(() => ctx.executeActivity((id: string) => void cleaned.push(id), ctx.workflowId));
    }
  }
  const { store, executor } = setUp();
  for (const id of ["a", "b", "c"]) await executor.execute(tidy, { id });
  await settle();
  await executor.close();
  const later = setUp({ store, maxConcurrentWorkflows: 1, workflows: { tidy } }).executor;
  await later.cancel("c"); // before it is live
  const handles = await later.recover();
  await settle();
  await later.cancel("b"); // while it waits
  assertEquals(await Promise.all([handles[1], handles[2]].map((handle) => codeOf(handle.result()))), [
    "canceled",
    "canceled",
  ]);
  assertEquals(cleaned.sort(), ["b", "c"]);
  assertEquals(handles[0].status, "running");
  await later.close();
});

Deno.test("ExecutorOptions.maxConcurrentWorkflows counts a run from its start, and its timeout from the same", async () => {
  const { work, began } = watched();
  const { clock, executor } = setUp({ maxConcurrentWorkflows: 1 });
  clock.hold();
  const late = await executor.execute(work, { id: "late", startAfterMs: 100 });
  const first = await executor.execute(work, { id: "first" });
  const brief = await executor.execute(work, { id: "brief", timeoutMs: 50 });
  clock.release(); // the time of the one that waits is up, and the other one's comes
  assertEquals(await codeOf(brief.result()), "timeout");
  await settle();
  assertEquals([began, clock.now()], [["first"], 100]);
  for (const id of ["late", "first"]) await executor.signal(id, go);
  assertEquals([await first.result(), await late.result(), began], ["done", "done", ["first", "late"]]);
  await executor.close();
});

Deno.test("ExecutorOptions.maxConcurrentWorkflows lets a workflow that continues as new keep its slot", async () => {
  const { work, began } = watched();
  const order: string[] = [];
  async function chain(ctx: WorkflowContext, n = 0): Promise<unknown> {
    order.push(`${n}`);
    await ctx.sleep(1);
    return n < 3 ? await ctx.continueAsNew(n + 1) : began.length;
  }
  const { executor } = setUp({ maxConcurrentWorkflows: 1 });
  const handle = await executor.execute(chain, { id: "chain" });
  const other = await executor.execute(work, { id: "other" });
  assertEquals([await handle.result(), order], [0, ["0", "1", "2", "3"]]);
  await executor.signal("other", go);
  assertEquals(await other.result(), "done");
  const last = await executor.execute(() => "a slot is free", { id: "last" });
  assertEquals(await last.result(), "a slot is free");
  await executor.close();
});

Deno.test("ExecutorOptions.maxConcurrentWorkflows lets a parent have its children, so that nobody waits for ever", async () => {
  const child = (_ctx: WorkflowContext, n: number) => n;
  const parent = (ctx: WorkflowContext) => Promise.all([1, 2, 3].map((n) => ctx.executeChild(child, n)));
  const { executor } = setUp({ maxConcurrentWorkflows: 1 });
  const handles = await Promise.all(["a", "b"].map((id) => executor.execute(parent, { id })));
  assertEquals(await Promise.all(handles.map((handle) => handle.result())), [[1, 2, 3], [1, 2, 3]]);
  await executor.close();
});

Deno.test("ExecutorOptions.maxConcurrentWorkflows frees the slot of a run that is suspended or fails", async () => {
  const { store, executor } = setUp({ maxConcurrentWorkflows: 1 });
  const lost = await executor.execute((ctx: WorkflowContext) => ctx.waitForSignal("never"), { id: "lost" });
  const broken = await executor.execute((): never => {
    throw new RangeError("no");
  }, { id: "broken" });
  const fine = await executor.execute(() => "fine", { id: "fine" });
  await store.delete("lost"); // its run hears of it
  assertEquals(await codeOf(lost.result()), "not_found");
  await assertRejects(() => broken.result(), RangeError, "no");
  assertEquals(await fine.result(), "fine");
  await executor.close();
});

Deno.test("ExecutorOptions.maxConcurrentWorkflows begins nothing that waits when the executor closes", async () => {
  for (const drainMs of [0, 100]) {
    const { work, began } = watched();
    const hold = gate();
    const { store, executor } = setUp({ maxConcurrentWorkflows: 1 });
    await executor.execute((ctx: WorkflowContext) => ctx.executeActivity(() => hold.promise), { id: "a" });
    const handle = await executor.execute(work, { id: "b" });
    await settle();
    const closing = executor.close({ drainMs });
    hold.open();
    await closing;
    await settle();
    assertEquals([began, await codeOf(handle.result()), (await store.load("b"))!.status], [[], "closed", "running"]);
  }
});

Deno.test("ExecutorOptions.maxConcurrentWorkflows lets others ask a run that waits, which answers as it would begin", async () => {
  const staged = (ctx: WorkflowContext) => {
    ctx.handleQuery("stage", () => "first");
    ctx.handleUpdate("add", (n: number) => n + 1);
    return ctx.waitForSignal("go");
  };
  const { executor } = setUp({ maxConcurrentWorkflows: 1, workflows: { staged } });
  await executor.execute(staged, { id: "a" });
  await executor.execute(staged, { id: "b" });
  await settle();
  assertEquals([await executor.query("b", "stage"), await executor.query("b", "status")], ["first", "running"]);
  const updated = executor.update("b", "add", 1);
  await executor.signal("a", go);
  assertEquals(await updated, 2);
  await executor.close();
});

Deno.test("ExecutorOptions.maxConcurrentWorkflows takes thousands that end at once", async () => {
  const { store, executor } = setUp({ maxConcurrentWorkflows: 3 });
  const handles = await Promise.all(Array.from({ length: 3000 }, (_, i) => executor.execute(() => i, { id: `${i}` })));
  const results = await Promise.all(handles.map((handle) => handle.result()));
  assert(results.every((result, i) => result === i));
  assertEquals(await store.count({ status: "completed" }), 3000);
  await executor.close();
});

Deno.test("Executor() refuses a bad maxConcurrentWorkflows", () => {
  for (const [maxConcurrentWorkflows, got] of [[0, "0"], [1.5, "1.5"], [null, "null"]] as [never, string][]) {
    assertThrows(
      () => setUp({ maxConcurrentWorkflows }),
      RangeError,
      `Cannot create an executor: "maxConcurrentWorkflows" must be an integer from 1, got ${got}`,
    );
  }
});
