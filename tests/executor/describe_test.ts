/** `Executor.describe()`: describes a running or finished workflow without the help of its code. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { Executor, type WorkflowContext, WorkflowError } from "@rockpool/workflow";
import { settle, setUp } from "../support/executors.ts";

Deno.test("Executor.describe() describes a running workflow and its waits", async () => {
  const { executor, store, clock } = setUp();
  clock.hold();
  async function order(ctx: WorkflowContext, _item: string) {
    ctx.handleQuery("status", () => "a handler of this name is in nobody's way");
    await Promise.all([ctx.waitForSignal("paid"), ctx.sleep(50)]);
    return "sent";
  }
  const handle = await executor.execute(order, { id: "a", input: "book", labels: { shop: "x" } });
  await settle();
  const description = await executor.describe("a");
  const { runId, createdAt, updatedAt, history } = (await store.load("a"))!;
  assertEquals(description, {
    id: "a",
    runId,
    workflowName: "order",
    status: "running",
    input: "book",
    labels: { shop: "x" },
    createdAt,
    updatedAt,
    historyLength: history.length,
    waitsFor: [{ type: "timer", dueAt: 50 }, { type: "signal", name: "paid" }],
  });
  assertEquals(await executor.query("a", "status"), "a handler of this name is in nobody's way");
  await executor.signal("a", "paid");
  clock.release();
  await handle.result();
  await executor.close();
});

Deno.test("Executor.describe() answers the result, the error and the history of a finished workflow", async () => {
  const { executor, store } = setUp();
  await (await executor.execute(() => 7, { id: "a" })).result(); // an anonymous function
  const fails = () => {
    throw new RangeError("no");
  };
  await (await executor.execute(fails, { id: "b" })).result().catch(() => {});
  const a = await executor.describe("a", { history: true });
  assertEquals([a.status, a.result, a.input, a.labels], ["completed", 7, undefined, {}]);
  assertEquals(a.history, (await store.load("a"))!.history);
  const b = await executor.describe("b");
  assertEquals([b.status, b.error?.name, b.error?.message, "history" in b], ["failed", "RangeError", "no", false]);
  assertEquals("waitsFor" in b, false);
  await executor.close();
});

Deno.test("Executor.describe() leaves a dormant run dormant, and omits its waits in another executor", async () => {
  const wait = (ctx: WorkflowContext) => ctx.waitForSignal("go");
  const { executor, store } = setUp({ dormantAfterMs: 0 });
  await executor.execute(wait, { id: "a" });
  await settle();
  assertEquals((await executor.describe("a")).waitsFor, [{ type: "dormant" }]);
  const other = new Executor({ store });
  assertEquals((await other.describe("a")).waitsFor, undefined);
  assertEquals((await executor.describe("a")).waitsFor, [{ type: "dormant" }]); // it is still dormant
  await executor.close();
  await other.close();
});

Deno.test("Executor.describe() rejects with not_found when there is no such workflow, and refuses bad arguments", async () => {
  const { executor } = setUp();
  const { code, message } = await assertRejects(() => executor.describe("a"), WorkflowError);
  assertEquals([code, message], ["not_found", 'Cannot describe workflow "a": it does not exist']);
  await assertRejects(() => executor.describe(""), TypeError, '"id" must be a non-empty string');
  await assertRejects(() => executor.describe("a", 1 as never), TypeError, '"options" must be an object, got 1');
  await executor.close();
});

Deno.test("Executor.describe() passes through middleware", async () => {
  const kinds: string[] = [];
  const { executor } = setUp({ middleware: [(call, next) => (kinds.push(call.kind), next())] });
  await executor.execute((ctx) => ctx.waitForSignal("go"), { id: "a" });
  await executor.describe("a");
  assert(kinds.includes("describe"));
  await executor.close();
});
