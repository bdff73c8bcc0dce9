/** When workflow code is in memory, as middleware sees it. */

import { AsyncLocalStorage } from "node:async_hooks";
import { assertEquals } from "@std/assert";
import {
  Executor,
  type ExecutorOptions,
  type Middleware,
  type MiddlewareCall,
  type WorkflowContext,
} from "@rockpool/workflow";
import { gate, settle, setUp } from "../support/executors.ts";

type Ctx = WorkflowContext;

/** An executor whose middleware records the events that each visit replays, and how it ends. */
function setUpVisits(options: Partial<Omit<ExecutorOptions, "store">> = {}) {
  const log: string[] = [];
  const record: Middleware = (call, next) => {
    if (call.kind !== "visit") return next();
    log.push(`${call.workflowId} replays ${call.replayedEvents}`);
    return next().then((end) => log.push(`${call.workflowId} ${end}`));
  };
  return { log, record, ...setUp({ ...options, middleware: [record] }) };
}

const twice = async (ctx: Ctx) => {
  await ctx.waitForSignal("go");
  await ctx.waitForSignal("go");
};

Deno.test("MiddlewareCall of kind visit has the run, and next() resolves to how the run ended", async () => {
  const calls: MiddlewareCall[] = [];
  const { executor } = setUp({ middleware: [(call, next) => (calls.push(call), next())] });
  const order = (ctx: Ctx) => ctx.sleep(1);
  const handle = await executor.execute(order, { id: "a", labels: { customer: "7" }, headers: { tenant: "b" } });
  await handle.result();
  const run = {
    workflowId: "a",
    runId: handle.runId,
    workflowName: "order",
    workflowVersion: undefined,
    startedAt: 0,
    labels: { customer: "7" },
    headers: { tenant: "b" },
    parent: undefined,
  };
  assertEquals(calls[1], { kind: "visit", workflowId: "a", run, replayedEvents: 0 });
  await executor.close();
});

Deno.test("A visit ends with the status of the run, or continued, and each run of a chain has its own", async () => {
  const { log, executor } = setUpVisits();
  await (await executor.execute((_: Ctx, n: number) => n, { id: "a", input: 1 })).result();
  await (await executor.execute(() => {
    throw new Error("no");
  }, { id: "b" })).result().catch(() => {});
  const canceled = await executor.execute(twice, { id: "c" });
  await canceled.cancel();
  await canceled.result().catch(() => {});
  const next = async (ctx: WorkflowContext<number>, n: number): Promise<number> =>
    n > 0 ? await ctx.continueAsNew(n - 1) : n;
  await (await executor.execute(next, { id: "d", input: 1 })).result();
  await settle();
  assertEquals(log, [
    "a replays 0",
    "a completed",
    "b replays 0",
    "b failed",
    "c replays 0",
    "c canceled",
    "d replays 0",
    "d replays 0", // `next()` resolves in a microtask
    "d continued",
    "d completed",
  ]);
  await executor.close();
});

Deno.test("A visit ends when its run becomes dormant, and another one replays the run", async () => {
  const { log, executor } = setUpVisits({ dormantAfterMs: 0 });
  const handle = await executor.execute(twice, { id: "a" });
  for (let i = 0; i < 2; i++) {
    await settle();
    await handle.signal("go");
  }
  await handle.result();
  await settle();
  assertEquals(log, ["a replays 0", "a dormant", "a replays 1", "a dormant", "a replays 2", "a completed"]);
  await executor.close();
});

Deno.test("A visit ends suspended when the executor closes, and recover() begins another one", async () => {
  const { log, record, executor, store, clock } = setUpVisits();
  await executor.execute(twice, { id: "a" });
  await executor.signal("a", "go");
  await executor.close();
  await settle();
  await using next = new Executor({ store, clock, workflows: { twice }, middleware: [record] });
  await next.recover();
  await next.signal("a", "go");
  await (await next.handle("a")).result();
  await settle();
  assertEquals(log, ["a replays 0", "a suspended", "a replays 2", "a completed"]);
});

Deno.test("A visit whose code diverges at once ends suspended", async () => {
  const { log, record, executor, store, clock } = setUpVisits();
  await executor.execute(twice, { id: "a" });
  await executor.execute(function sleeps(ctx: Ctx) {
    return ctx.sleep(10);
  }, { id: "b" });
  await executor.close();
  const sleeps = (ctx: Ctx) => ctx.executeActivity(() => {}, undefined, { name: "another" });
  await using next = new Executor({ store, clock, workflows: { twice, sleeps }, middleware: [record], onError() {} });
  await next.recover();
  await settle();
  assertEquals(log.filter((line) => line.startsWith("b")), [
    "b replays 0",
    "b suspended",
    "b replays 2",
    "b suspended",
  ]);
});

for (
  const [what, middleware] of Object.entries<Middleware>({
    "calls next() later": async (_, next) => {
      await null;
      return next();
    },
    "does not call next()": () => {},
    "never answers": () => new Promise(() => {}),
    "throws": () => {
      throw new Error("no");
    },
    "changes something": (_, next) => next({ headers: { a: "b" } }),
    "calls next() twice": async (_, next) => {
      next();
      await next();
    },
  })
) {
  Deno.test(`Workflow code is called at once and once if a middleware ${what} for its visit`, async () => {
    let calls = 0;
    const { executor } = setUp({
      middleware: [(call, next) => call.kind === "visit" ? middleware(call, next) : next()],
      onError() {},
    });
    const handle = await executor.execute(async (ctx: Ctx) => {
      calls++;
      await ctx.sleep(1);
      return await ctx.executeActivity(() => "done", undefined, { name: "do" });
    });
    assertEquals([await handle.result(), calls], ["done", 1]);
    await executor.close();
  });
}

Deno.test("Workflow code that throws at once is no error of the middleware of its visit", async () => {
  const reported: unknown[] = [];
  const done = gate();
  const { executor } = setUp({
    middleware: [(call, next) => call.kind === "visit" ? next().then(() => done.open()) : next()],
    onError: (error) => reported.push(error),
  });
  const handle = await executor.execute((): never => {
    throw new Error("no");
  });
  await handle.result().catch(() => {});
  await done.promise;
  assertEquals(reported, []);
  await executor.close();
});

Deno.test("Workflow code and its handlers run in the asynchronous context of the visit, whoever calls them", async () => {
  const context = new AsyncLocalStorage<string>();
  const seen: string[] = [];
  const { executor } = setUp({
    middleware: [(call, next) => call.kind === "visit" ? context.run(`visit ${call.workflowId}`, next) : next()],
  });
  const workflow = async (ctx: Ctx, id: string) => {
    const see = (what: string) => seen.push(`${id} ${what}: ${context.getStore()}`);
    ctx.handleUpdate("update", async () => {
      see("update");
      await ctx.sleep(1);
      see("later");
    });
    ctx.handleSignal("signal", () => void see("signal"));
    await ctx.waitForSignal("end");
    see("end");
  };
  const call = (id: string) =>
    context.run(`caller ${id}`, async () => {
      await executor.execute(workflow, { id, input: id });
      await Promise.all([executor.signal(id, "signal"), executor.update(id, "update"), executor.update(id, "update")]);
      await executor.signal(id, "end");
      await (await executor.handle(id)).result();
    });
  await Promise.all([call("a"), call("b")]);
  assertEquals(seen.filter((line) => !/^(.) .*: visit \1$/.test(line)), []);
  assertEquals(seen.length, 12);
  await executor.close();
});
