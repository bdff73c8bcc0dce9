/** Workflow code that waits for something other than its context: reported at once, not at the first replay. */

import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { NonDeterminismError, type WorkflowContext } from "@rockpool/workflow";
import { macrotasks, setUp, typesOf } from "../support/executors.ts";

const charge = () => "charged";

Deno.test("Executor suspends a run when its code calls the context after a wait for something else", async () => {
  const { executor, store } = setUp();
  const handle = await executor.execute(async function order(ctx: WorkflowContext) {
    await macrotasks(3); // for example a fetch
    return await ctx.executeActivity(charge);
  }, { id: "a" });
  const { message, position } = await assertRejects(() => handle.result(), NonDeterminismError);
  assertEquals(position, 0);
  assertStringIncludes(
    message,
    'workflow "a": its code asked for an activity "charge" after it waited for something other than its context',
  );
  assertStringIncludes(message, "foreign_wait_test.ts:13");
  assertStringIncludes(message, "put it into an activity");
  const state = (await store.load("a"))!;
  assertEquals([state.status, ...typesOf(state.history)], ["running", "workflow_started"]);
  await executor.close();
});

Deno.test("Executor allows calls of the context after promises that settle in the same turn", async () => {
  const { executor } = setUp();
  const handle = await executor.execute(async function order(ctx: WorkflowContext) {
    for (let i = 0; i < 100; i++) await null;
    const charged = await ctx.executeActivity(charge);
    await new Promise<void>((resolve) => queueMicrotask(resolve));
    return charged + await ctx.executeActivity(charge);
  });
  assertEquals(await handle.result(), "chargedcharged");
  await executor.close();
});

Deno.test("Executor allows calls of the context in listeners of ctx.signal and handlers of updates", async () => {
  const { executor } = setUp();
  let cleaned: Promise<string> | undefined;
  const handle = await executor.execute(async function order(ctx: WorkflowContext) {
    ctx.signal.addEventListener("abort", () => void (cleaned = ctx.shield((ctx) => ctx.executeActivity(charge))));
    await ctx.waitForSignal("never").catch(() => {});
    return await cleaned;
  }, { id: "a" });
  await executor.cancel("a");
  assertEquals(await handle.result(), "charged");
  await executor.close();
});

const calls: Record<string, (ctx: WorkflowContext) => unknown> = {
  executeActivity: (ctx) => ctx.executeActivity(charge),
  sleep: (ctx) => ctx.sleep(1),
  waitForSignal: (ctx) => ctx.waitForSignal("go"),
  "waitForSignal with a deadline": (ctx) => ctx.waitForSignal("go", { timeoutMs: 5 }),
  waitUntil: (ctx) => ctx.waitUntil(() => true),
  receiveSignal: (ctx) => ctx.receiveSignal("go")[Symbol.asyncIterator](),
  sideEffect: (ctx) => ctx.sideEffect(() => 7),
  executeChild: (ctx) => ctx.executeChild(charge),
  addCompensation: (ctx) => ctx.addCompensation(() => {}),
  patched: (ctx) => ctx.patched("a"),
  random: (ctx) => ctx.random(),
  uuid: (ctx) => ctx.uuid(),
};

for (const [name, call] of Object.entries(calls)) {
  Deno.test(`WorkflowContext.${name} is refused at once when an activity calls it`, async () => {
    for (const middleware of [[], [(_call: unknown, next: () => Promise<unknown>) => next()]]) {
      const { executor, store } = setUp({ maxConcurrentActivities: 1, middleware });
      const handle = await executor.execute(async function order(ctx: WorkflowContext) {
        const failed = await ctx.executeActivity(async () => await call(ctx), undefined, { name: "leak" }).catch(
          String,
        );
        return [failed, await ctx.executeActivity(charge)]; // afterwards the context works
      }, { id: "a" });
      const why = "no replay would repeat the call; make it in the workflow";
      const message = `TypeError: Cannot call the context of the workflow in activity "leak": ${why}`;
      assertEquals(await handle.result(), [message, "charged"]);
      const { history } = (await store.load("a"))!;
      assertEquals(typesOf(history).filter((type) => type === "activity_started").length, 2);
      await executor.close();
    }
  });
}

Deno.test("Executor suspends a run and says why when an activity calls its context after a wait", async () => {
  for (const maxConcurrentActivities of [undefined, 1]) { // with one slot, the inner activity could never begin
    const { executor } = setUp({ maxConcurrentActivities });
    const handle = await executor.execute(async function order(ctx: WorkflowContext) {
      return await ctx.executeActivity(async () => {
        await macrotasks(3);
        return await ctx.executeActivity(charge);
      });
    }, { id: "a" });
    const { message } = await assertRejects(() => handle.result(), NonDeterminismError);
    assertStringIncludes(message, "An activity cannot call the context of its workflow");
    await executor.close();
  }
});
