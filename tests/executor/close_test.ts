/** `close()`, and what the next executor resumes. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type ActivityContext,
  Executor,
  InMemoryStore,
  type WorkflowContext,
  WorkflowError,
  type WorkflowEvent,
} from "@rockpool/workflow";
import { FaultyStore } from "@rockpool/workflow/testing";
import { gate, settle, setUp, typesOf } from "../support/executors.ts";

const codeOf = async (call: Promise<unknown>) => (await assertRejects(() => call, WorkflowError)).code;

/** A workflow of two activities. The first one waits for `hold`. Counts the attempts of both. */
function twoSteps() {
  const hold = gate<string>();
  const attempts = { first: 0, second: 0 };
  let signal: AbortSignal | undefined;
  const first = async (_input: unknown, context: ActivityContext) => {
    attempts.first++;
    signal = context.signal;
    return await hold.promise;
  };
  const second = (input: string) => `${++attempts.second} ${input}`;
  const steps = async (ctx: WorkflowContext) => await ctx.executeActivity(second, await ctx.executeActivity(first));
  return { hold, attempts, steps, signal: () => signal! };
}

Deno.test("Executor.close() with drainMs stores the outcome of a running activity, and the next executor resumes", async () => {
  const { hold, attempts, steps, signal } = twoSteps();
  const { store, clock, executor } = setUp();
  const handle = await executor.execute(steps, { id: "a" });
  await settle();
  let closed = false;
  const closing = executor.close({ drainMs: 1000 }).then(() => closed = true);
  await clock.advance(999);
  await settle();
  assertEquals([closed, signal().aborted, handle.status], [false, false, "running"]);
  hold.open("done");
  await closing;
  assertEquals(signal().aborted, false);
  assertEquals(await codeOf(handle.result()), "closed");
  const state = (await store.load("a"))!;
  assertEquals(typesOf(state.history), ["workflow_started", "activity_started", "activity_completed"]);
  assertEquals([state.status, clock.now(), attempts], ["running", 999, { first: 1, second: 0 }]);

  const later = setUp({ store, workflows: { steps } }).executor;
  const [recovered] = await later.recover();
  assertEquals(await recovered.result(), "1 done");
  assertEquals(attempts, { first: 1, second: 1 });
  await later.close();
});

Deno.test("Executor.close() aborts an activity that takes longer than drainMs, and recover() runs it again", async () => {
  const { hold, attempts, steps, signal } = twoSteps();
  const { store, clock, executor } = setUp();
  const handle = await executor.execute(steps, { id: "a" });
  await settle();
  const closing = executor.close({ drainMs: 1000 });
  await settle();
  await clock.advance(1000);
  await closing;
  assertEquals([signal().aborted, await codeOf(handle.result())], [true, "closed"]);
  hold.open("late");
  await settle();
  assertEquals(typesOf((await store.load("a"))!.history), ["workflow_started", "activity_started"]);
  const later = setUp({ store, workflows: { steps } }).executor;
  const [recovered] = await later.recover();
  assertEquals([await recovered.result(), attempts.first], ["1 late", 2]);
  await later.close();
});

Deno.test("Executor.close() refuses calls while it drains", async () => {
  const { hold, steps } = twoSteps();
  const { executor } = setUp();
  await executor.execute(steps, { id: "a" });
  await settle();
  const closing = executor.close({ drainMs: 1000 });
  const calls = [
    executor.execute(steps, { id: "b" }),
    executor.signal("a", "s"),
    executor.cancel("a"),
    executor.terminate("a"),
    executor.update("a", "u"),
    executor.recover(),
  ];
  assertEquals(await Promise.all(calls.map(codeOf)), Array(calls.length).fill("closed"));
  assertEquals((await executor.describe("a")).status, "running"); // a description is still answered
  hold.open("done");
  await closing;
});

Deno.test("Executor.close() starts no retry and no other activity while it drains", async () => {
  const hold = gate();
  let attempts = 0;
  const flaky = async () => {
    attempts++;
    await hold.promise;
    if (attempts < 3) throw new Error(`attempt ${attempts}`);
    return attempts;
  };
  let others = 0;
  const other = () => ++others;
  const flow = async (ctx: WorkflowContext) => {
    const one = ctx.executeActivity(flaky, undefined, { retry: { jitter: false } });
    await ctx.waitForSignal("more");
    return await Promise.all([one, ctx.executeActivity(other)]);
  };
  const { store, clock, executor } = setUp();
  await executor.execute(flow, { id: "a" });
  await settle();
  const sent = executor.signal("a", "more");
  const closing = executor.close({ drainMs: 60_000 });
  await sent;
  await settle();
  hold.open();
  await closing;
  assertEquals([attempts, others], [1, 0]);
  assert(clock.now() < 60_000);
  const { history } = (await store.load("a"))!;
  assertEquals(typesOf(history).slice(2), ["signal_received", "activity_attempt_failed"]);

  const later = setUp({ store, clock, workflows: { flow } }).executor;
  const [recovered] = await later.recover();
  assertEquals(await recovered.result(), [3, 1]);
  await later.close();
});

Deno.test("Executor.close() with drainMs does not wait for sleeps, signals, retries and start times", async () => {
  const { store, clock, executor } = setUp();
  clock.hold();
  const fail = (): never => {
    throw new Error("no");
  };
  await executor.execute((ctx: WorkflowContext) => ctx.sleep(1e6), { id: "a" });
  await executor.execute((ctx: WorkflowContext) => ctx.waitForSignal("s"), { id: "b" });
  const retry = { initialIntervalMs: 1e6, maxIntervalMs: 1e6 };
  await executor.execute((ctx: WorkflowContext) => ctx.executeActivity(fail, undefined, { retry }), { id: "c" });
  await executor.execute(() => {}, { id: "d", startAfterMs: 1e6 });
  await settle();
  await executor.close({ drainMs: 1e9 });
  assertEquals([clock.now(), await store.count({ status: "running" })], [0, 4]);
  await setUp().executor.close({ drainMs: 10 });
});

Deno.test("Executor.close() with drainMs stores the outcome of an at-most-once activity", async () => {
  const { hold, attempts } = twoSteps();
  const pay = async () => {
    attempts.first++;
    return await hold.promise;
  };
  const once = (ctx: WorkflowContext) => ctx.executeActivity(pay, undefined, { atMostOnce: true });
  const { store, executor } = setUp();
  await executor.execute(once, { id: "a" });
  await settle();
  const closing = executor.close({ drainMs: 10 });
  hold.open("paid");
  await closing;
  const later = setUp({ store, workflows: { once } }).executor;
  const [recovered] = await later.recover();
  assertEquals([await recovered.result(), attempts.first], ["paid", 1]);
  await later.close();
});

Deno.test("Executor.close() with drainMs retries a failing store until the time is over", async () => {
  for (const storeRecovers of [true, false]) {
    const { hold, steps } = twoSteps();
    const store = new FaultyStore();
    const { clock, executor } = setUp({ store, storeRetry: { maxAttempts: Infinity, maxIntervalMs: 100 } });
    await executor.execute(steps, { id: "a" });
    await settle();
    let failures = storeRecovers ? 3 : Infinity;
    store.before.append = () => {
      if (failures-- > 0) throw new Error("down");
    };
    const closing = executor.close({ drainMs: 10_000 });
    hold.open("done");
    await closing;
    assertEquals((await store.load("a"))!.history.length, storeRecovers ? 3 : 2);
    assertEquals(clock.now() < 10_000, storeRecovers);
  }
});

Deno.test("Executor.close() with drainMs leaves a workflow unchanged in the middle of its replay", async () => {
  const { hold, steps } = twoSteps();
  hold.open("done");
  const { store, executor } = setUp();
  const manySleeps = async (ctx: WorkflowContext) => {
    for (let i = 0; i < 20; i++) await ctx.sleep(1);
    return await steps(ctx);
  };
  await (await executor.execute(manySleeps, { id: "a" })).result();
  const { history, ...state } = (await store.load("a"))!;
  const prefix = history.slice(0, -3);
  await store.save({ ...state, status: "running", result: undefined, history: prefix });
  const later = setUp({ store, workflows: { manySleeps }, startAt: 20 }).executor;
  await later.recover();
  await later.close({ drainMs: 10 });
  assertEquals((await store.load("a"))!.history as WorkflowEvent[], prefix);
  await executor.close();
});

Deno.test("Executor.close() with drainMs leaves no timer on the system clock", async () => {
  const { hold, steps } = twoSteps();
  const executor = new Executor({ store: new InMemoryStore() });
  await executor.execute(steps, { id: "a" });
  await settle();
  const closing = executor.close({ drainMs: 60_000 });
  setTimeout(() => hold.open("done"), 5);
  await closing;
});

Deno.test("Executor.close() answers the same promise to every call, and refuses bad options", async () => {
  const { hold, steps } = twoSteps();
  const { executor } = setUp();
  const cases: [unknown, typeof RangeError | typeof TypeError, string][] = [
    [{ drainMs: -1 }, RangeError, '"drainMs" must be a finite number from 0, got -1'],
    [{ drainMs: Infinity }, RangeError, '"drainMs" must be a finite number from 0, got Infinity'],
    [5, TypeError, '"options" must be an object, got 5'],
  ];
  for (const [options, type, message] of cases) {
    await assertRejects(() => executor.close(options as never), type, message);
  }
  const handle = await executor.execute(steps, { id: "a" }); // the executor is still open
  await settle();
  const first = executor.close({ drainMs: 1000 });
  assert(executor.close() === first); // two promises are always equal
  hold.open("done");
  await first;
  assertEquals(await codeOf(handle.result()), "closed");
});

Deno.test("Executor.close() starts no run that continues another one as new", async () => {
  for (const drainMs of [0, 10]) {
    let began = 0;
    const again = (ctx: WorkflowContext<void>) => ++began < 5 ? ctx.continueAsNew() : "done";
    const store = new FaultyStore();
    const { executor } = setUp({ store, workflows: { again } });
    let closing: Promise<void> | undefined;
    store.after.append = async ({ replaces }) => {
      if (replaces === undefined || closing) return;
      closing = executor.close({ drainMs });
      await settle();
    };
    const handle = await executor.execute(again, { id: "a" });
    assertEquals(await codeOf(handle.result()), "closed");
    await closing;
    assertEquals([began, (await store.load("a"))!.status], [1, "running"]);
    const later = setUp({ store, workflows: { again } }).executor;
    const [recovered] = await later.recover();
    assertEquals([await recovered.result(), began], ["done", 5]);
    await later.close();
  }
});

Deno.test("Executor.close() starts no activity that waits for a slot while it drains", async () => {
  const hold = gate();
  const ran: number[] = [];
  const work = async (n: number) => {
    ran.push(n);
    await hold.promise;
  };
  const both = (ctx: WorkflowContext) => Promise.all([1, 2].map((n) => ctx.executeActivity(work, n)));
  const { store, executor } = setUp({ maxConcurrentActivities: 1 });
  await executor.execute(both, { id: "a" });
  await settle();
  const closing = executor.close({ drainMs: 100 });
  hold.open();
  await closing;
  await settle();
  assertEquals(ran, [1]);
  assertEquals(typesOf((await store.load("a"))!.history).slice(-2), ["activity_started", "activity_completed"]);
});
