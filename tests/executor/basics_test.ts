/**
 * The basic behaviour of store, lock and executor, which must never change: first what users of a workflow package expect, then
 * guarantees that are easy to lose: nothing is lost, overwritten, blocked or reported before it is stored.
 *
 * @module
 */

import { assert, assertEquals, assertInstanceOf, assertNotEquals, assertRejects } from "@std/assert";
import { applyMiddleware } from "@rockpool/workflow/middleware";
import {
  CanceledError,
  composeHooks,
  defaultRetryPolicy,
  Executor,
  type Hooks,
  InMemoryStore,
  type Middleware,
  type MiddlewareCall,
  retryDelayMs,
  RWLock,
  type WorkflowContext,
  WorkflowError,
} from "@rockpool/workflow";
import { FaultyStore } from "@rockpool/workflow/testing";
import { gate, settle, setUp, typesOf } from "../support/executors.ts";

Deno.test("basics: a store needs no configuration", async () => {
  assertEquals(await new InMemoryStore().list(), []);
});

Deno.test("basics: save() refuses an empty ID and overwrites", async () => {
  const store = new InMemoryStore();
  await assertRejects(() => store.save({ workflowId: "", status: "running" }), TypeError);
  await store.save({ workflowId: "a", status: "running", input: 1 });
  await store.save({ workflowId: "a", status: "completed", result: 2 });
  const state = await store.load("a");
  assertEquals([state?.status, state?.input, state?.result], ["completed", undefined, 2]);
});

Deno.test("basics: load() returns null for an absent workflow", async () => {
  assertEquals(await new InMemoryStore().load("a"), null);
});

Deno.test("basics: list() filters by status and limit", async () => {
  const store = new InMemoryStore();
  for (
    const [workflowId, status] of [["a", "running"], ["b", "failed"], ["c", "running"]] as const
  ) {
    await store.save({ workflowId, status });
  }
  const ids = async (filter: Parameters<typeof store.list>[0]) =>
    (await store.list(filter)).map(({ workflowId }) => workflowId);
  assertEquals(await ids({ status: "running" }), ["a", "c"]);
  assertEquals(await ids({ status: "running", limit: 1 }), ["a"]);
  assertEquals(await ids({ limit: 2 }), ["a", "b"]);
});

Deno.test("basics: delete() of an absent workflow is a no-op", async () => {
  const store = new InMemoryStore();
  await store.delete("a");
  await store.save({ workflowId: "a", status: "running" });
  await store.delete("a");
  assertEquals([await store.load("a"), store.size], [null, 0]);
});

Deno.test("basics: reads share the lock and writes exclude", async () => {
  const lock = new RWLock();
  const [first, second] = [lock.tryAcquireRead(), lock.tryAcquireRead()];
  assertEquals([first === null, second === null, lock.tryAcquireWrite()], [false, false, null]);
  first?.release();
  second?.release();
  const write = await lock.acquireWrite();
  assertEquals([lock.tryAcquireRead(), lock.tryAcquireWrite()], [null, null]);
  write.release();
});

Deno.test("basics: an executor over a store executes by ID, input and timeout", async () => {
  const executor = new Executor({ store: new InMemoryStore() });
  const echo = (_ctx: WorkflowContext, input: string) => input;
  const handle = await executor.execute(echo, { id: "a", input: "x", timeoutMs: 60_000 });
  assertEquals([await handle.result(), handle.id, handle.status], ["x", "a", "completed"]);
  assertEquals(handle.runId, (await executor.describe("a")).runId);
  await assertRejects(
    () => handle.result({ signal: AbortSignal.abort(new Error("ctx done")) }),
    Error,
    "ctx done",
  );
});

Deno.test("basics: a workflow is signalled, queried and cancelled; it runs activities and sleeps", async () => {
  const { executor } = setUp();
  const double = (n: number) => n * 2;
  const workflow = async (ctx: WorkflowContext) => {
    for await (const n of ctx.receiveSignal<number>("n")) {
      await ctx.sleep(1000);
      if (n > 1) return await ctx.executeActivity(double, n);
    }
  };
  const handle = await executor.execute(workflow, { id: "a" });
  await executor.signal("a", "n", 1, { senderId: "x" });
  assertEquals((await executor.describe("a")).status, "running");
  await executor.signal("a", "n", 2);
  assertEquals(await handle.result(), 4);
  const canceled = await executor.execute(workflow, { id: "b" });
  await executor.cancel("b", "reason");
  await assertRejects(() => canceled.result(), CanceledError, "reason");
  await executor.close();
});

Deno.test("basics: the retry policy has its documented fields and defaults", () => {
  const { maxAttempts, initialIntervalMs, backoffCoefficient, maxIntervalMs, jitter } = defaultRetryPolicy;
  assertEquals([maxAttempts, initialIntervalMs, backoffCoefficient, maxIntervalMs, jitter], [
    3,
    100,
    2,
    10_000,
    [0.5, 1.5],
  ]);
  const delay = (attempt: number, random: number) =>
    retryDelayMs({ maxAttempts: 99 }, { attempt, error: new Error(), random });
  assertEquals([delay(1, 0), delay(1, 0.5), delay(2, 0.5), delay(20, 0.5)], [50, 100, 200, 10_000]);
});

Deno.test("basics: hooks are called with start, completion, failure, activities, signals and retries", async () => {
  const log: string[] = [];
  const note = (name: string) => () => void log.push(name);
  const hooks: Hooks = {
    workflowStarted: note("start"),
    workflowCompleted: note("complete"),
    workflowFailed: note("fail"),
    workflowCanceled: note("canceled"),
    cancelRequested: note("cancel"),
    activityStarted: note("activity start"),
    activityCompleted: note("activity complete"),
    activityFailed: note("activity fail"),
    activityAttemptFailed: note("retry"),
    signalReceived: note("signal"),
  };
  const { executor } = setUp({ hooks: composeHooks(hooks, {}) });
  const workflow = async (ctx: WorkflowContext) => {
    for await (const _ of ctx.receiveSignal("go")) break;
    let attempts = 0;
    await ctx.executeActivity(() => ++attempts < 2 ? Promise.reject(new Error()) : 1, undefined, {
      retry: {},
    });
    await ctx.executeActivity(() => Promise.reject(new Error("final")));
  };
  const failing = await executor.execute(workflow, { id: "a" });
  await executor.signal("a", "go");
  await assertRejects(() => failing.result(), Error, "final");
  assertEquals(log.splice(0), [
    "start",
    "signal",
    "activity start",
    "retry",
    "activity complete",
    "activity start",
    "activity fail",
    "fail",
  ]);
  await (await executor.execute(() => {})).result();
  const canceled = await executor.execute(workflow, { id: "b" });
  await executor.cancel("b");
  await canceled.result().catch(() => {});
  assertEquals(log, ["start", "complete", "start", "cancel", "canceled"]);
  await executor.close();
});

Deno.test("basics: middleware wraps calls and activities", async () => {
  const calls: string[] = [];
  const trace: Middleware = async (call: MiddlewareCall, next) => {
    calls.push(call.kind === "activity" ? `${call.name} ${call.attempt}` : call.kind);
    return await next();
  };
  const addOne: Middleware = async (call, next) => {
    const answer = await next();
    return call.kind === "activity" ? answer as number + 1 : answer;
  };
  const { executor } = setUp({ middleware: [trace, addOne] });
  const handle = await executor.execute(
    (ctx) => ctx.executeActivity(() => 1, undefined, { name: "one" }),
    { id: "a" },
  );
  assertEquals(await handle.result(), 2);
  assertEquals((await executor.describe("a")).status, "completed");
  await executor.cancel("a").catch(() => {});
  await executor.signal("a", "s").catch(() => {});
  assertEquals(calls, ["execute", "visit", "one 1", "describe", "cancel", "signal"]);
  const direct = await applyMiddleware(
    [addOne],
    { kind: "describe", workflowId: "a", history: false },
    () => Promise.resolve(1),
    () => {},
  );
  assertEquals(direct, 1);
  await executor.close();
});

Deno.test("basics: statuses and event types have their documented names", async () => {
  const { store, executor } = setUp();
  const outcomes: [string, (ctx: WorkflowContext) => unknown][] = [
    ["completed", (ctx) => ctx.executeActivity(() => 1)],
    ["failed", (ctx) => ctx.executeActivity(() => Promise.reject(new Error()))],
    ["canceled", (ctx) => ctx.executeActivity(() => new Promise(() => {}))],
    ["completed", (ctx) => ctx.sleep(1)],
  ];
  const types = new Set<string>();
  for (const [status, workflow] of outcomes) {
    const handle = await executor.execute(workflow, { id: "a" });
    assertEquals((await store.load("a"))!.status, "running");
    if (status !== "failed") await executor.signal("a", "s");
    if (status === "canceled") await executor.cancel("a");
    await handle.result().catch(() => {});
    const state = (await store.load("a"))!;
    assertEquals(state.status, status);
    for (const type of typesOf(state.history)) types.add(type);
  }
  const expected = "workflow_started workflow_completed workflow_failed workflow_canceled activity_started " +
    "activity_completed activity_failed signal_received timer_fired";
  for (const type of expected.split(" ")) assert(types.has(type), type);
  await executor.close();
});

Deno.test("basics: list() is in order of creation, also after overwrites", async () => {
  const store = new InMemoryStore();
  const ids = Array.from({ length: 200 }, (_, i) => `w${(i * 7919) % 200}`);
  for (const workflowId of ids) await store.save({ workflowId, status: "running" });
  for (const workflowId of ids.toReversed()) await store.save({ workflowId, status: "completed" });
  assertEquals((await store.list()).map(({ workflowId }) => workflowId), ids);
});

Deno.test("basics: activities, signals and timers are recorded, and replayed after a restart", async () => {
  const { store, executor } = setUp();
  let runs = 0;
  const workflow = async (ctx: WorkflowContext) => {
    const n = await ctx.executeActivity(() => ++runs);
    await ctx.sleep(10);
    for await (const _ of ctx.receiveSignal("go")) return n;
  };
  await executor.execute(workflow, { id: "a" });
  await settle();
  await executor.close();
  const types = typesOf((await store.load("a"))!.history);
  for (const type of ["activity_completed", "timer_fired"]) assert(types.includes(type), type);
  const later = setUp({ store, workflows: { workflow } });
  const [handle] = await later.executor.recover();
  await later.executor.signal("a", "go");
  assertEquals([await handle.result(), runs], [1, 1]);
  await later.executor.close();
});

Deno.test("basics: a cancelled run ends as canceled", async () => {
  const { store, executor } = setUp();
  const handle = await executor.execute((ctx) => ctx.sleep(1e9), { id: "a" });
  await executor.cancel("a");
  await handle.result().catch(() => {});
  assertEquals([handle.status, (await store.load("a"))!.status], ["canceled", "canceled"]);
  await executor.close();
});

Deno.test("basics: the final state keeps the history and createdAt", async () => {
  const { store, executor } = setUp({ startAt: 1000 });
  const handle = await executor.execute((ctx) => ctx.sleep(50), { id: "a" });
  await handle.result();
  const state = (await store.load("a"))!;
  assertEquals([state.createdAt, state.updatedAt], [1000, 1050]);
  assertEquals(typesOf(state.history), [
    "workflow_started",
    "timer_started",
    "timer_fired",
    "workflow_completed",
  ]);
  await executor.close();
});

Deno.test("basics: a store error rejects the call, or the result; the stored run stays running", async () => {
  const store = new FaultyStore();
  const { executor } = setUp({ store });
  store.before.append = () => {
    throw new Error("disk full");
  };
  const refused = await assertRejects(() => executor.execute(() => 1, { id: "a" }), WorkflowError);
  assertEquals(refused.code, "store_failed");
  store.before.append = ({ expectedLength }) => {
    if (expectedLength > 0) throw new Error("disk full");
  };
  const handle = await executor.execute(() => 1, { id: "b" });
  const failed = await assertRejects(() => handle.result(), WorkflowError);
  assertEquals([failed.code, (failed.cause as Error).message], ["store_failed", "disk full"]);
  assertEquals((await store.load("b"))!.status, "running");
  await executor.close();
});

Deno.test("basics: the result is stored before it is handed out", async () => {
  const store = new FaultyStore();
  const { executor } = setUp({ store });
  const hold = gate();
  store.before.append = ({ events }) => events[0].type === "workflow_completed" ? hold.promise : undefined;
  const handle = await executor.execute(() => 1, { id: "a" });
  let handedOut = false;
  const result = handle.result().finally(() => handedOut = true);
  await settle();
  assertEquals(handedOut, false);
  hold.open();
  assertEquals(await result, 1);
  await executor.close();
});

Deno.test("basics: an ID that is running cannot be started again, and is not overwritten", async () => {
  const { store, executor } = setUp();
  const first = await executor.execute((ctx) => ctx.executeActivity(() => new Promise(() => {})), {
    id: "a",
  });
  const error = await assertRejects(() => executor.execute(() => 2, { id: "a" }), WorkflowError);
  assertEquals([error.code, (await store.load("a"))!.runId], ["already_running", first.runId]);
  await executor.close();
});

Deno.test("basics: a hundred unread signals block no sender", async () => {
  const { store, executor } = setUp();
  await executor.execute((ctx) => ctx.executeActivity(() => new Promise(() => {})), { id: "a" });
  for (let i = 0; i < 100; i++) await executor.signal("a", "s", i);
  const signals = (await store.load("a"))!.history.filter(({ type }) => type === "signal_received");
  assertEquals(signals.length, 100);
  await executor.close();
});

Deno.test("basics: two open loops both get a signal", async () => {
  const { executor } = setUp();
  const handle = await executor.execute((ctx) => {
    const read = async () => {
      for await (const payload of ctx.receiveSignal("s")) return payload;
    };
    return Promise.all([read(), read()]);
  }, { id: "a" });
  await executor.signal("a", "s", "both");
  assertEquals(await handle.result(), ["both", "both"]);
  await executor.close();
});

Deno.test("basics: a hook that throws is reported and harms neither the run nor the process", async () => {
  const reports: string[] = [];
  const fail = () => {
    throw new Error("hook");
  };
  const { executor } = setUp({
    hooks: {
      workflowStarted: fail,
      activityStarted: () => Promise.reject(new Error("async hook")),
      workflowCompleted: fail,
    },
    onError: (error) => {
      assertInstanceOf(error, Error);
      reports.push(error.message);
      throw new Error("onError is broken, too");
    },
  });
  const consoleError = console.error;
  console.error = () => {};
  try {
    const handle = await executor.execute((ctx) => ctx.executeActivity(() => 1));
    assertEquals(await handle.result(), 1);
    await settle();
  } finally {
    console.error = consoleError;
  }
  assertEquals(reports.sort(), ["async hook", "hook", "hook"]);
  await executor.close();
});

Deno.test("basics: a middleware that throws is reported and does not harm the run", async () => {
  const reports: string[] = [];
  let runs = 0;
  const { executor } = setUp({
    middleware: [
      () => Promise.reject(new Error("before")),
      async (_call, next) => {
        await next();
        throw new Error("after");
      },
    ],
    onError: (error) => reports.push((error as Error).message),
  });
  const handle = await executor.execute((ctx) => ctx.executeActivity(() => ++runs), { id: "a" });
  assertEquals([await handle.result(), runs], [1, 1]);
  assertEquals(reports, ["after", "before", "after", "before"]);
  assertNotEquals(handle.status, "failed");
  await executor.close();
});
