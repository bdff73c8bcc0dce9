/** The executor for tests: its defaults, deadlocks, and open runs at the end of a test. */

import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import {
  type ActivityContext,
  Executor,
  InMemoryStore,
  VirtualClock,
  type WorkflowContext,
  WorkflowError,
} from "@rockpool/workflow";
import { DeadlockError, fails, FaultyStore, replace, TestExecutor } from "@rockpool/workflow/testing";
import { gate, settle } from "../tests/support/executors.ts";

type Ctx = WorkflowContext;

const DAY_MS = 86_400_000;
const approve = { name: "approval", payload: "fine" };

/** Waits for an approval, without a deadline. */
async function order(ctx: Ctx) {
  return await ctx.waitForSignal<string>("approval");
}

/** The message of what a promise rejects with. */
const messageOf = (promise: Promise<unknown>) => promise.then(() => "nothing", (error) => error.message);

/** The message of the error that disposal throws. */
const atEnd = (executor: TestExecutor) => messageOf(executor[Symbol.asyncDispose]());

Deno.test("TestExecutor has a store, a clock and random numbers of its own", async () => {
  const flaky = async (ctx: Ctx) => {
    await ctx.executeActivity(fails("busy"), undefined, { name: "flaky", retry: { maxAttempts: 3 } });
  };
  const times: number[] = [];
  for (let i = 0; i < 2; i++) {
    await using executor = new TestExecutor();
    const handle = await executor.execute(flaky, { id: "a" });
    await assertRejects(() => handle.result(), Error, "busy");
    const { updatedAt, status } = (await executor.store.load("a"))!;
    assertEquals([status, updatedAt], ["failed", executor.clock.now()]);
    times.push(executor.clock.now());
  }
  assert(times[0] > 0 && times[0] === times[1], `${times}`);
});

Deno.test("TestExecutor takes a store, a clock, and the options of every executor", async () => {
  const store = new FaultyStore();
  const clock = new VirtualClock({ startAt: 7 });
  const heard: string[] = [];
  await using executor = new TestExecutor({
    store,
    clock,
    hooks: { workflowStarted: (_, { workflowId }) => void heard.push(workflowId) },
  });
  assert(executor.store === store && executor.clock === clock && executor instanceof Executor);
  const handles = await executor.executeMany((ctx: Ctx) => ctx.sleep(3), [{ id: "a" }, { id: "b" }]);
  await Promise.all(handles.map((handle) => handle.result()));
  assertEquals([heard, clock.now()], [["a", "b"], 10]);
  assertThrows(() => new TestExecutor({ store: {} as FaultyStore }), TypeError, '"store" must be a WorkflowStore');
});

Deno.test("TestExecutor reports a deadlock with every open run and what it waits for", async () => {
  const executor = new TestExecutor({ deadlockAfterMs: 0 });
  const handle = await executor.execute(order, { id: "x" });
  const error = await assertRejects(() => handle.result(), DeadlockError);
  assertEquals(
    error.message,
    'Deadlock: run "x" (order) waits for signal "approval"; no timer is set\n' +
      'Send what they wait for before you await the result, or give the wait a "timeoutMs"',
  );
  assertEquals(error.name, "DeadlockError");
  assertEquals(error.runs, executor.openRuns());
  await executor.execute(async function parent(ctx: Ctx) {
    await Promise.all([ctx.executeChild(order, undefined, { id: "y" }), ctx.waitUntil(() => false)]);
  }, { id: "z" });
  await executor.execute(async function own() {
    await new Promise(() => {});
  }, { id: "own" });
  await executor.execute(async function many(ctx: Ctx) {
    await Promise.all(Array.from({ length: 7 }, (_, i) => ctx.waitForSignal(`s${i}`)));
  }, { id: "many" });
  const lines = (await messageOf(handle.result())).split("\n");
  assertEquals(lines.slice(0, -1), [
    "Deadlock: 5 runs wait, and no timer is set",
    '  run "x" (order) waits for signal "approval"',
    '  run "z" (parent) waits for child "y", a condition',
    '  run "own" (own) waits for a promise that is not of its context',
    '  run "y" (order) waits for signal "approval"',
    '  run "many" (many) waits for signal "s0", signal "s1", signal "s2", signal "s3", signal "s4", 2 more',
  ]);
  await executor.close();
});

Deno.test("TestExecutor reports a deadlock after some real time in which nothing happened", async () => {
  using time = new FakeTime();
  const executor = new TestExecutor();
  const handle = await executor.execute(order, { id: "x" });
  let message: string | undefined;
  messageOf(handle.result()).then((text) => message = text);
  const pass = async (ms: number) => {
    await settle();
    time.tick(ms);
    await settle();
    return message === undefined;
  };
  assert(await pass(99));
  await executor.signal("x", "other"); // the time counts from here again
  assert(await pass(99));
  assert(await pass(99));
  executor.clock.hold(); // something else is happening
  assert(await pass(1e6));
  executor.clock.release();
  assert(await pass(99));
  assert(!await pass(1));
  assertStringIncludes(message!, 'Deadlock: run "x"');
  await executor.close();
});

Deno.test("TestExecutor reports no deadlock of a result that is not awaited, however long the test takes", async () => {
  using time = new FakeTime();
  await using executor = new TestExecutor();
  const handle = await executor.execute(order, { id: "x" });
  const result = handle.result();
  await settle();
  time.tick(1e6); // such as a fetch
  await settle();
  await executor.signal("x", approve.name, approve.payload);
  assertEquals(await result, "fine");
});

Deno.test("TestExecutor reports no deadlock while the test is about to signal", async () => {
  await using executor = new TestExecutor({ deadlockAfterMs: 0 });
  for (const id of ["a", "b", "c"]) await executor.execute(order, { id });
  const [a, b, c] = await Promise.all(["a", "b", "c"].map((id) => executor.handle<string>(id)));
  const result = a.result();
  await executor.signal("a", approve.name, approve.payload);
  assertEquals(await result, "fine");
  const [first] = await Promise.all([b.result(), executor.signal("b", approve.name, approve.payload)]);
  assertEquals(first, "fine");
  const last = c.result();
  const then = last.then((text) => text + "!");
  for (let i = 0; i < 100; i++) await null;
  await executor.signal("c", approve.name, approve.payload);
  assertEquals(await then, "fine!");
});

Deno.test("TestExecutor reports no deadlock while an activity, the store or a callback of the clock is busy", async () => {
  using time = new FakeTime();
  const store = new FaultyStore();
  await using executor = new TestExecutor({ store });
  const [stored, called, acted] = [gate(), gate(), gate()];
  let slow = false;
  store.before.append = () => slow ? stored.promise : undefined;
  executor.clock.at(DAY_MS, async () => {
    await called.promise;
    slow = true;
    executor.signal("x", approve.name, approve.payload);
  });
  const handle = await executor.execute(async (ctx: Ctx) => {
    await ctx.executeActivity(() => acted.promise, undefined, { name: "act" });
    return await ctx.waitForSignal("approval");
  }, { id: "x" });
  const result = messageOf(handle.result());
  for (const { open } of [acted, called, stored]) {
    await settle();
    time.tick(1e6);
    await settle();
    assertEquals(handle.status, "running");
    open();
  }
  assertEquals(await result, "nothing");
});

/** Lets real time pass in steps, as a test runner would see it. */
async function pass(time: FakeTime, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 100) {
    time.tick(100);
    await settle();
  }
}

Deno.test("TestExecutor reports a deadlock when a fake waits for the clock", async () => {
  const act = () => "done";
  const executor = new TestExecutor({
    activities: [
      replace(
        act,
        () =>
          new Promise<string>((resolve) =>
            executor.clock.setTimer(executor.clock.now() + DAY_MS, () => resolve("late"))
          ),
      ),
    ],
    deadlockAfterMs: 0,
  });
  const handle = await executor.execute(async function order(ctx: Ctx) {
    return await ctx.executeActivity(act);
  }, { id: "x" });
  const { message } = await assertRejects(() => handle.result(), DeadlockError);
  assertEquals(
    message,
    'Deadlock: run "x" (order) waits for activity "act" (attempt 1 is running); time does not pass while an activity runs\n' +
      "Let the activity end without a wait for the clock or for a run that sleeps, or move the clock with advance()",
  );
  await executor.clock.advance(DAY_MS);
  assertEquals(await handle.result(), "late");
  await executor.close();
});

Deno.test("TestExecutor reports a deadlock when an activity waits for a run that sleeps", async () => {
  using time = new FakeTime();
  const executor = new TestExecutor();
  const asks = async () => await (await executor.execute((ctx: Ctx) => ctx.sleep(DAY_MS), { id: "sleeper" })).result();
  const handle = await executor.execute((ctx: Ctx) => ctx.executeActivity(asks), { id: "x" });
  let message: string | undefined;
  const failed = messageOf(handle.result()).then((text) => message = text);
  await settle();
  await pass(time, 9_900);
  assertEquals(message, undefined);
  await pass(time, 200);
  await failed;
  assertStringIncludes(message!, "2 runs wait, and time does not pass while an activity runs");
  assertStringIncludes(message!, 'run "sleeper" (anonymous) waits for a timer due in 86400000 ms');
  await executor.close();
});

Deno.test("TestExecutor reports a deadlock when an activity waits for a callback of the clock, and says to replace it", async () => {
  using time = new FakeTime();
  const executor = new TestExecutor();
  const listen = (_: undefined, { signal }: ActivityContext) =>
    new Promise<void>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const handle = await executor.execute(async function call(ctx: Ctx) {
    ctx.handleSignal("stop", () => {
      throw new Error("stopped");
    });
    await ctx.executeActivity(listen);
  }, { id: "x" });
  executor.clock.at(DAY_MS, () => executor.signal("x", "stop"));
  let message: string | undefined;
  const failed = messageOf(handle.result()).then((text) => message = text);
  await settle();
  await pass(time, 9_900);
  assertEquals(message, undefined);
  await pass(time, 200);
  await failed;
  assertEquals(message!.split("\n"), [
    'Deadlock: run "x" (call) waits for activity "listen" (attempt 1 is running), signal "stop"; time does not pass while an ' +
    "activity runs",
    "Let the activity end without a wait for the clock or for a run that sleeps, replace it with replace(), or move the " +
    "clock with advance()",
  ]);
  await executor.close();
});

Deno.test("TestExecutor reports no deadlock while an activity with a timeout takes real time", async () => {
  using time = new FakeTime();
  await using executor = new TestExecutor();
  const slow = () => new Promise<string>((resolve) => setTimeout(() => resolve("done"), 20_000));
  const handle = await executor.execute((ctx: Ctx) => ctx.executeActivity(slow, undefined, { timeoutMs: DAY_MS }));
  const ended = messageOf(handle.result());
  await settle();
  await pass(time, 20_000);
  assertEquals([await ended, await handle.result()], ["nothing", "done"]);
});

Deno.test("TestExecutor reports no deadlock while an activity or a middleware takes real time", async () => {
  using time = new FakeTime();
  const after = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  const act = () => {};
  await using executor = new TestExecutor({
    activities: [replace(act, () => after(90))],
    middleware: [async (call, next) => {
      if (call.kind === "activity" && call.name === "wrapped") await after(5000);
      return await next();
    }],
  });
  const handle = await executor.execute(async (ctx: Ctx) => {
    const deadline = ctx.sleep(DAY_MS);
    await ctx.executeActivity(act);
    await ctx.executeActivity(() => after(9000), undefined, { name: "slow" });
    await ctx.executeActivity(() => {}, undefined, { name: "wrapped" });
    await deadline;
    return "done";
  });
  let result: unknown;
  const ended = handle.result().then((value) => result = value, (error) => result = error);
  for (let i = 0; i < 200 && result === undefined; i++) await pass(time, 100);
  await ended;
  assertEquals(result, "done");
});

Deno.test("TestExecutor reports no deadlock of a workflow that another executor runs", async () => {
  using time = new FakeTime();
  const store = new InMemoryStore();
  await using here = new TestExecutor({ store });
  await using there = new TestExecutor({ store });
  await there.execute(order, { id: "x" });
  const result = (await here.handle("x")).result();
  const message = messageOf(result);
  await settle();
  time.tick(1e6);
  await settle();
  await there.signal("x", approve.name, approve.payload);
  assertEquals([await result, await message], ["fine", "nothing"]);
});

Deno.test("TestExecutor reports timers that never fire because time passes only by hand", async () => {
  const clock = new VirtualClock({ autoAdvance: false });
  await using executor = new TestExecutor({ clock, deadlockAfterMs: 0, maxConcurrentWorkflows: 2 });
  const handle = await executor.execute(async function reminder(ctx: Ctx) {
    await ctx.sleep(DAY_MS);
    await ctx.executeActivity(fails("busy"), undefined, {
      name: "remind",
      retry: { initialIntervalMs: 50, jitter: false },
    })
      .catch(() => {});
  }, { id: "a" });
  await executor.execute((ctx: Ctx) => ctx.sleep(5), { id: "later", startAfterMs: 2 * DAY_MS });
  assertEquals(
    await messageOf(handle.result()),
    [
      "Deadlock: 2 runs wait, and time passes only by hand",
      '  run "a" (reminder) waits for a timer due in 86400000 ms',
      '  run "later" (anonymous) waits for its start, due in 172800000 ms',
      'Send what they wait for before you await the result, move the clock with advance() or runUntilIdle(), or give the wait a "timeoutMs"',
    ].join("\n"),
  );
  await clock.advance(DAY_MS);
  const [, line] = (await messageOf(handle.result())).split("\n");
  assertEquals(line, '  run "a" (reminder) waits for activity "remind" (attempt 2 is due in 50 ms)');
  await clock.runUntilIdle();
  await handle.result();
});

Deno.test("TestExecutor reports no deadlock with deadlockAfterMs Infinity, and checks the option", async () => {
  using time = new FakeTime();
  const executor = new TestExecutor({ deadlockAfterMs: Infinity });
  const handle = await executor.execute(order, { id: "x" });
  const code = handle.result().catch((error) => error.code);
  await settle();
  time.tick(1e9);
  await settle();
  await executor.close();
  assertEquals(await code, "closed");
  assertThrows(
    () => new TestExecutor({ deadlockAfterMs: -1 }),
    RangeError,
    'Cannot create an executor: "deadlockAfterMs" must be a finite number from 0, got -1',
  );
});

Deno.test("TestExecutor lets a wait for a result be aborted, and leaves no timer behind", async () => {
  const executor = new TestExecutor();
  const handle = await executor.execute(order, { id: "x" });
  const abort = new AbortController();
  const result = messageOf(handle.result({ signal: abort.signal }));
  await settle();
  abort.abort(new Error("enough"));
  assertEquals(await result, "enough");
  await executor.close();
});

Deno.test("TestExecutor rethrows what a callback of the clock throws: at an awaited result, or at its end", async () => {
  const boo = () => {
    throw new Error("boo");
  };
  const executor = new TestExecutor();
  executor.clock.at(DAY_MS, boo);
  const handle = await executor.execute(order, { id: "x" });
  assertEquals(await messageOf(handle.result()), "boo");
  await executor.close();

  const byHand = new TestExecutor({ clock: new VirtualClock({ autoAdvance: false }) });
  byHand.clock.at(0, boo);
  assertEquals(await atEnd(byHand), "boo");

  const late = new TestExecutor();
  late.clock.at(1, async () => {
    await late.signal("x", approve.name, approve.payload);
    await settle();
    boo();
  });
  const approved = await late.execute(order, { id: "x" });
  assertEquals(await approved.result(), "fine");
  await settle();
  assertEquals(await atEnd(late), "boo");
});

Deno.test("TestExecutor reports open runs at its end, and is closed", async () => {
  const executor = new TestExecutor({ maxConcurrentWorkflows: 2 });
  await executor.execute(order, { id: "a" });
  assertEquals(
    await atEnd(executor),
    'A run is still open at the end of the test\n  run "a" (order) waits for signal "approval"\n' +
      "Await the result, cancel the run, or call close() at the end of the test",
  );
  await assertRejects(() => executor.execute(order), WorkflowError, "the executor was closed");

  const several = new TestExecutor({ maxConcurrentWorkflows: 2 });
  let reason: unknown;
  const stuck = (_: unknown, { signal }: ActivityContext) =>
    new Promise(() => signal.addEventListener("abort", () => reason = signal.reason));
  await several.execute(async function charging(ctx: Ctx) {
    await ctx.executeActivity(stuck, undefined, { timeoutMs: DAY_MS });
  }, { id: "b" });
  await several.execute((ctx: Ctx) => ctx.waitForSignal("x", { timeoutMs: DAY_MS }), { id: "c" });
  await several.execute(order, { id: "d" });
  assertEquals((await atEnd(several)).split("\n").slice(0, -1), [
    "Runs are still open at the end of the test",
    '  run "b" (charging) waits for activity "stuck" (attempt 1 is running)',
    '  run "c" (anonymous) waits for a timer due in 86400000 ms, signal "x"',
    '  run "d" (order) waits for a slot of maxConcurrentWorkflows',
  ]);
  assertInstanceOf(reason, WorkflowError);
  assertEquals([several.openRuns(), several.clock.now()], [[], 0]);
});

Deno.test("TestExecutor reports 20 open runs at its end, and how many more there are", async () => {
  const executor = new TestExecutor();
  await executor.executeMany(order, Array.from({ length: 25 }, (_, i) => ({ id: `${i}` })));
  const lines = (await atEnd(executor)).split("\n");
  assertEquals([lines.length, lines[20], lines[21]], [
    23,
    '  run "19" (order) waits for signal "approval"',
    "  and 5 more",
  ]);
});

Deno.test("TestExecutor waits for what is in flight before it reports open runs", async () => {
  const executor = new TestExecutor();
  const handle = await executor.execute(order, { id: "a" });
  await executor.signal("a", approve.name, approve.payload); // the run sees it later
  await executor[Symbol.asyncDispose]();
  assertEquals(handle.status, "completed");
});

Deno.test("TestExecutor does not report open runs when the test has closed it", async () => {
  await using executor = new TestExecutor();
  await executor.execute(order, { id: "a" });
  await executor.close();
});

Deno.test("TestExecutor reports an open run once: as a deadlock, or at its end", async () => {
  const failing = async () => {
    await using executor = new TestExecutor({ deadlockAfterMs: 0 });
    const handle = await executor.execute(order, { id: "a" });
    await handle.result();
  };
  await assertRejects(failing, DeadlockError); // not a SuppressedError, which some runners print without its parts
  const executor = new TestExecutor({ deadlockAfterMs: 0 });
  await messageOf((await executor.execute(order, { id: "a" })).result());
  await executor.execute(order, { id: "b" });
  assertEquals((await atEnd(executor)).split("\n")[1], '  run "b" (order) waits for signal "approval"');
});

Deno.test("TestExecutor keeps the error of a failed test together with its own", async () => {
  const failing = async () => {
    await using executor = new TestExecutor();
    await executor.execute(order, { id: "a" });
    throw new Error("the test failed");
  };
  const error = await failing().catch((error) => error);
  assertEquals(error.suppressed.message, "the test failed");
  assertEquals(error.error.message.split("\n")[1], '  run "a" (order) waits for signal "approval"');
});

Deno.test("TestExecutor.use() runs a test, and reports problems at its end unless the test has failed", async () => {
  let used: TestExecutor | undefined;
  const open = (executor: TestExecutor) => executor.execute(order, { id: "a" });
  assertEquals(await TestExecutor.use((executor) => (used = executor).clock.now()), 0);
  await assertRejects(() => used!.execute(order), WorkflowError, "the executor was closed");
  const clock = new VirtualClock({ startAt: 5 });
  assertEquals(await TestExecutor.use(({ clock }) => clock.now(), { clock }), 5);
  await assertRejects(() => TestExecutor.use(open), Error, "A run is still open at the end of the test");
  const failing = TestExecutor.use(async (executor) => {
    used = executor;
    await open(executor);
    throw new Error("the test failed");
  });
  await assertRejects(() => failing, Error, "the test failed");
  assertEquals(used!.openRuns(), []);
});

Deno.test("TestExecutor: two that run at the same time share nothing", async () => {
  const send = (text: string) => text;
  const late = async (ctx: Ctx, ms: number) => {
    await ctx.sleep(ms);
    return await ctx.executeActivity(send, "real");
  };
  await using one = new TestExecutor({ activities: [replace(send, () => "fake")] });
  await using two = new TestExecutor();
  const [a, b] = [await one.execute(late, { id: "a", input: 5 }), await two.execute(late, { id: "a", input: 9 })];
  assertEquals(await Promise.all([a.result(), b.result()]), ["fake", "real"]);
  assertEquals([one.clock.now(), two.clock.now()], [5, 9]);
  assertEquals([one.calls.length, two.calls.length], [1, 1]);
  assertEquals((await one.store.list()).length, 1);
});

Deno.test("TestExecutor: one continues where another one has stopped, with its store and its clock", async () => {
  const sent: string[] = [];
  const send = (text: string) => void sent.push(text);
  async function billing(ctx: Ctx) {
    for (let month = 1; month <= 3; month++) {
      await ctx.executeActivity(send, `month ${month}`);
      await ctx.sleep(30 * DAY_MS);
    }
    await ctx.waitForSignal("approval");
  }
  const clock = new VirtualClock({ autoAdvance: false });
  const first = new TestExecutor({ clock });
  await first.execute(billing, { id: "ada" });
  await clock.advance(45 * DAY_MS);
  await first.close();
  assertEquals(sent, ["month 1", "month 2"]);
  await clock.advance(30 * DAY_MS); // no executor is running
  await using second = new TestExecutor({ store: first.store, clock, workflows: { billing }, deadlockAfterMs: 0 });
  const [handle] = await second.recover();
  await clock.runUntilIdle();
  assertEquals(sent, ["month 1", "month 2", "month 3"]);
  assertEquals(clock.now(), (75 + 30) * DAY_MS);
  assertStringIncludes(await messageOf(handle.result()), 'run "ada" (billing) waits for signal "approval"');
  await second.signal("ada", approve.name, approve.payload);
  await handle.result();
});

Deno.test("TestExecutor: two of them on one clock report a deadlock only when both are idle", async () => {
  const clock = new VirtualClock();
  await using one = new TestExecutor({ clock, deadlockAfterMs: 0 });
  await using two = new TestExecutor({ clock, deadlockAfterMs: 0 });
  const waits = await one.execute(order, { id: "waits" });
  const helper = await two.execute(async (ctx: Ctx) => {
    await ctx.sleep(DAY_MS);
    await ctx.executeActivity(() => one.signal("waits", approve.name, approve.payload), undefined, { name: "approve" });
  });
  assertEquals(await Promise.all([waits.result(), helper.result()]), ["fine", undefined]);
});
