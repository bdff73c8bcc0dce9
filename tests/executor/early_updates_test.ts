/** Updates that are sent before the workflow has a handler for them. */

import { assertEquals, assertRejects } from "@std/assert";
import { Executor, type WorkflowContext, WorkflowError } from "@rockpool/workflow";
import { crashTest } from "@rockpool/workflow/testing";
import { gate, ofType, settle, setUp, typesOf } from "../support/executors.ts";

type Ctx = WorkflowContext;

/** Handles "add" after the signal "open", and ends with the signal "end". */
async function late(ctx: Ctx): Promise<number> {
  let sum = 0;
  ctx.handleUpdate("other", () => "other");
  await ctx.waitForSignal("open");
  ctx.handleUpdate("add", async (n: number) => {
    await ctx.sleep(1);
    return sum += n;
  }, {
    validate(n) {
      if (!(n > 0)) throw new RangeError(`Cannot add ${n}`);
    },
  });
  await ctx.waitForSignal("end");
  return sum;
}

Deno.test("Executor.update() waits for its handler, is validated, and runs", async () => {
  const { executor, store } = setUp();
  const handle = await executor.execute(late, { id: "a" });
  const updates = [1, -1, 2].map((n) => executor.update("a", "add", n));
  const outcomes = Promise.allSettled(updates);
  await settle();
  assertEquals(typesOf((await store.load("a"))!.history), ["workflow_started"]);
  await executor.signal("a", "open");
  const [one, bad, two] = await outcomes;
  assertEquals([one.status === "fulfilled" && one.value, two.status === "fulfilled" && two.value], [1, 3]);
  assertEquals(bad.status === "rejected" && bad.reason.message, "Cannot add -1");
  await executor.signal("a", "end");
  assertEquals([await handle.result(), ofType((await store.load("a"))!.history, "update_accepted").length], [3, 2]);
  await executor.close();
});

Deno.test("Executor.update() sees what the code sets after it has registered the handler", async () => {
  const { executor } = setUp();
  await executor.execute(async (ctx: Ctx) => {
    let limit = 0;
    await ctx.waitForSignal("open");
    ctx.handleUpdate("add", (n: number) => n, {
      validate(n) {
        if (n > limit) throw new RangeError(`Cannot add ${n}`);
      },
    });
    await null;
    limit = 5;
    await ctx.waitForSignal("end");
  }, { id: "a" });
  const update = executor.update("a", "add", 5);
  await settle();
  await executor.signal("a", "open");
  assertEquals(await update, 5);
  await executor.close();
});

Deno.test("Executor.update() with one updateId runs once when it is sent several times before its handler is registered", async () => {
  const { executor, store } = setUp();
  await executor.execute(late, { id: "a" });
  const updates = [1, 2, 3].map(() => executor.update("a", "add", 4, { updateId: "u" }));
  await settle();
  await executor.signal("a", "open");
  assertEquals([...await Promise.all(updates), await executor.update("a", "add", 4, { updateId: "u" })], [4, 4, 4, 4]);
  assertEquals(ofType((await store.load("a"))!.history, "update_accepted").length, 1);
  await executor.close();
});

Deno.test("Executor.update() rejects with not_found when the workflow ends without a handler, and names the handlers", async () => {
  const ends: [(executor: Executor) => Promise<unknown>, string][] = [
    [(executor) => executor.terminate("a"), "terminate"],
    [(executor) => executor.cancel("a"), "cancel"],
  ];
  for (const [end, how] of ends) {
    const { executor } = setUp();
    await executor.execute(late, { id: "a" });
    const update = executor.update("a", "add", 1);
    update.catch(() => {});
    await settle();
    await end(executor);
    const error = await assertRejects(() => update, WorkflowError);
    assertEquals([error.code, error.message], [
      "not_found",
      'Cannot update workflow "a": it has no handler for "add"; it has "other"',
    ], how);
    await executor.close();
  }
});

Deno.test("Executor.update() rejects with closed when the executor is closed before there is a handler", async () => {
  const { executor } = setUp();
  await executor.execute(late, { id: "a" });
  const update = executor.update("a", "add", 1);
  update.catch(() => {});
  await settle();
  await executor.close();
  const error = await assertRejects(() => update, WorkflowError);
  assertEquals(error.code, "closed");
});

Deno.test("Executor.update() rejects with the error that suspends the run before there is a handler", async () => {
  const { executor, store, clock } = setUp();
  await executor.execute(async (ctx: Ctx) => {
    await ctx.sleep(10);
    await ctx.sleep(10);
  }, { id: "a" });
  const update = executor.update("a", "add", 1);
  update.catch(() => {});
  await store.delete("a");
  await clock.advance(10);
  const error = await assertRejects(() => update, WorkflowError, "it was deleted from the store");
  assertEquals(error.code, "not_found");
  await executor.close();
});

Deno.test("Executor.update() waits for the next run when the run continues as new without a handler", async () => {
  const chain = async (ctx: WorkflowContext<number>, run: number): Promise<unknown> => {
    if (run < 3) {
      await ctx.waitForSignal("next");
      return await ctx.continueAsNew(run + 1);
    }
    ctx.handleUpdate("run", () => run);
    return await ctx.waitForSignal("end");
  };
  const { executor } = setUp();
  await executor.execute(chain, { id: "a", input: 0 });
  const update = executor.update("a", "run");
  for (let i = 0; i < 3; i++) {
    await settle();
    await executor.signal("a", "next");
  }
  assertEquals(await update, 3);
  await executor.close();
});

for (
  const [what, options, start] of [
    ["scheduled", {}, { startAfterMs: 1000 }],
    ["queued", { maxConcurrentWorkflows: 1 }, {}],
  ] as const
) {
  Deno.test(`Executor.update() of a ${what} workflow waits for its begin and for its handler`, async () => {
    const { executor, clock } = setUp({ ...options });
    clock.hold();
    await executor.execute(late, { id: "other" });
    await executor.execute(late, { id: "a", ...start });
    const update = executor.update("a", "add", 5);
    await settle();
    await executor.terminate("other");
    clock.release();
    await settle();
    await executor.signal("a", "open");
    assertEquals(await update, 5);
    await executor.close();
  });
}

Deno.test("UpdateOptions.signal ends the wait, and withdraws an update that waits for its handler", async () => {
  const { executor, store } = setUp();
  await executor.execute(late, { id: "a" });
  const controller = new AbortController();
  const update = executor.update("a", "add", 1, { signal: controller.signal });
  update.catch(() => {});
  await settle();
  const reason = new Error("too long");
  controller.abort(reason);
  assertEquals(await update.catch((error) => error), reason);
  await executor.signal("a", "open");
  await settle();
  assertEquals(ofType((await store.load("a"))!.history, "update_accepted"), []);
  assertEquals(await executor.update("a", "add", 1, { signal: controller.signal }).catch((error) => error), reason);
  await executor.close();
});

Deno.test("UpdateOptions.signal ends the wait, and an update that is stored is handled all the same", async () => {
  const opened = gate();
  const slow = () => opened.promise;
  const { executor } = setUp();
  await executor.execute(async (ctx: Ctx) => {
    ctx.handleUpdate("slow", () => ctx.executeActivity(slow).then(() => "done"));
    await ctx.waitForSignal("end");
  }, { id: "a" });
  const controller = new AbortController();
  const update = executor.update("a", "slow", undefined, { updateId: "u", signal: controller.signal });
  update.catch(() => {});
  await settle();
  controller.abort("too long");
  assertEquals(await update.catch((error) => error), "too long");
  opened.open();
  assertEquals(await executor.update("a", "slow", undefined, { updateId: "u" }), "done");
  await executor.close();
});

Deno.test("UpdateOptions.signal is refused when it is no AbortSignal", async () => {
  const executor = new Executor();
  await assertRejects(
    () => executor.update("a", "add", 1, { signal: {} as never }),
    TypeError,
    'Cannot update workflow "a": "signal" must be an AbortSignal, got an Object',
  );
});

Deno.test("ExecutorOptions.dormantAfterMs keeps a run in memory while an update waits for its handler, and no longer", async () => {
  const { executor } = setUp({ dormantAfterMs: 0 });
  await executor.execute(late, { id: "a" });
  await settle();
  const dormant = () => executor.openRuns()[0].waitsFor.some(({ type }) => type === "dormant");
  const before = dormant();
  const controller = new AbortController();
  const updates = [
    executor.update("a", "add", 1, { signal: controller.signal }),
    executor.update("a", "add", 2),
  ];
  updates[0].catch(() => {});
  await settle();
  assertEquals([before, dormant()], [true, false]);
  controller.abort();
  await executor.signal("a", "open");
  assertEquals(await updates[1], 2);
  await settle();
  const without = new AbortController();
  const never = executor.update("a", "nothing", 1, { signal: without.signal });
  never.catch(() => {});
  await settle();
  assertEquals(dormant(), false);
  without.abort();
  await settle();
  assertEquals(dormant(), true);
  await executor.close();
});

Deno.test("Executor.update() while a virtual clock moves to the time of its handler", async () => {
  const { executor, clock } = setUp();
  await executor.execute(async (ctx: Ctx) => {
    await ctx.sleep(1000);
    ctx.handleUpdate("now", () => ctx.now());
    await ctx.waitForSignal("end");
  }, { id: "a" });
  assertEquals([await executor.update("a", "now"), clock.now()], [1000, 1000]);
  await executor.close();
});

Deno.test("an update that waits for its handler is handled once, wherever the process dies", async () => {
  await crashTest(late, {
    signals: [{ atMs: 20, name: "open" }, { atMs: 40, name: "end" }],
    updates: [{ atMs: 5, name: "add", input: 7, check: (answer: number) => assertEquals(answer, 7) }],
    check: ({ result }) => assertEquals(result, 7),
  });
});
