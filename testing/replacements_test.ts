/** Replacements that stop, take time, or answer from a history; and questions about the past. */

import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { type ActivityContext, CanceledError, TimeoutError, type WorkflowContext } from "@rockpool/workflow";
import {
  at,
  attempts,
  crashTest,
  DeadlockError,
  explore,
  fails,
  historyToText,
  pauseAt,
  recorded,
  replace,
  simulate,
  takes,
  TestExecutor,
  whatIf,
} from "@rockpool/workflow/testing";

type Ctx = WorkflowContext;
const charge = (cents: number): string => `charged ${cents}`;
const order = (ctx: Ctx, cents: number) =>
  ctx.executeActivity(charge, cents, { timeoutMs: 1000, retry: { maxAttempts: 2, jitter: false } });

/** An order, and how long it took. */
async function timed(ctx: Ctx, cents: number) {
  const answer = await order(ctx, cents).catch((error) => error.message);
  return [answer, ctx.now()];
}

Deno.test("takes() answers after its time", async () => {
  await using executor = new TestExecutor({ activities: [replace(charge, takes(400, (cents) => `took ${cents}`))] });
  const handle = await executor.execute(timed, { input: 5 });
  assertEquals(await handle.result(), ["took 5", 400]);
});

Deno.test("takes() calls its function when the attempt begins, and heeds a timeout", async () => {
  const called: number[] = [];
  const slow = takes(5000, () => {
    called.push(executor.clock.now());
    return "too late";
  });
  await using executor = new TestExecutor({
    activities: [replace(charge, attempts(slow, (cents) => `second ${cents}`))],
  });
  const handle = await executor.execute(timed, { input: 5 });
  assertEquals([await handle.result(), called], [["second 5", 1100], [0]]);
});

Deno.test("takes() fails after its time", async () => {
  await using executor = new TestExecutor({ activities: [replace(charge, takes(400, fails("busy")))] });
  const handle = await executor.execute(timed, { input: 5 });
  assertEquals(await handle.result(), ["busy", 400 + 100 + 400]);
});

Deno.test("takes(Infinity) does its work and never answers: a timeout or a cancellation ends the attempt", async () => {
  let worked = 0;
  const silent = replace(charge, takes(Infinity, () => `worked ${++worked}`));
  const order = (ctx: WorkflowContext, timeoutMs: number | undefined) =>
    ctx.executeActivity(charge, 5, { timeoutMs, retry: { maxAttempts: 2, jitter: false } });
  await TestExecutor.use(async (executor) => {
    const handle = await executor.execute(order, { input: 1000 });
    await assertRejects(() => handle.result(), TimeoutError);
    assertEquals([worked, executor.clock.now()], [2, 2100]);
    await executor.execute(order, { id: "a" });
    executor.clock.at(5000, () => executor.cancel("a"));
    await assertRejects(async () => await (await executor.handle("a")).result(), CanceledError);
  }, { activities: [silent] });
});

Deno.test("takes(Infinity) is named by the deadlock of a workflow without a timeout", async () => {
  const order = (ctx: WorkflowContext) => ctx.executeActivity(charge, 5);
  await TestExecutor.use(async (executor) => {
    const handle = await executor.execute(order);
    const { message } = await assertRejects(() => handle.result(), DeadlockError);
    assertStringIncludes(message, 'activity "charge" (attempt 1 is running)');
  }, { activities: [replace(charge, takes(Infinity, () => "paid"))] });
});

Deno.test("takes(Infinity) never answers in crashTest(), explore(), whatIf() and simulate()", async () => {
  const order = async (ctx: WorkflowContext) =>
    await ctx.executeActivity(charge, 5, { timeoutMs: 1000 }).catch((error) => (error as Error).name);
  const endless = (ctx: WorkflowContext) => ctx.executeActivity(charge, 5);
  const options = { activities: [replace(charge, takes(Infinity, () => "paid"))] };
  assertEquals((await crashTest(order, options)).undisturbed.result, "TimeoutError");
  assertEquals((await explore(order, options)).plain.result, "TimeoutError");
  assertEquals((await whatIf(order, options)).plain.result, "TimeoutError");
  await simulate({
    workflow: order,
    ...options,
    atEnd: ({ state }) => assertEquals(state?.status, "completed"),
  }, { seeds: 5 });
  for (const tool of [crashTest, explore, whatIf]) {
    await assertRejects(() => tool(endless, options), Error, "It waits forever");
  }
});

for (const [tool, run] of Object.entries({ explore, whatIf, simulate: simulateOnce, crashTest })) {
  Deno.test(`${tool}() refuses a replacement of a function in whose place another one of that name ran`, async () => {
    const original = { charge: (_cents: number) => "another bank" }.charge;
    let real = 0;
    const copy = { charge: (_cents: number) => `${++real} real` }.charge; // of a copy of the file, for example
    const order = (ctx: WorkflowContext) => ctx.executeActivity(copy, 5);
    const { message } = await assertRejects(() => run(order, { activities: [replace(original, () => "fake")] }), Error);
    assertStringIncludes(
      message,
      'The replacement of the function "charge" was never called, but another function of that name ran',
    );
    assertEquals(real, 1); // not again and again
  });
}

function simulateOnce(workflow: (ctx: Ctx) => Promise<string>, options: { activities: ReturnType<typeof replace>[] }) {
  return simulate({ workflow, ...options, rates: noFaults });
}
const noFaults = { activityFailure: 0, crash: 0 };

Deno.test("takes() refuses what is no time", () => {
  assertThrows(() => takes(-1, () => {}), RangeError);
  assertThrows(() => takes(NaN, () => {}), RangeError);
  assertThrows(() => takes(-Infinity, () => {}), RangeError);
  assertThrows(() => takes(1, 5 as never), TypeError);
});

for (const side of ["before", "after"] as const) {
  Deno.test(`pauseAt() stops an attempt ${side} its work`, async () => {
    let worked = 0;
    const work = (cents: number) => ++worked + cents;
    const pause = pauseAt(work, side);
    await using executor = new TestExecutor({ activities: [pause] });
    const handle = await executor.execute((ctx: Ctx) => ctx.executeActivity(work, 10));
    const { input, context } = await pause.reached;
    assertEquals([input, context.attempt, worked], [10, 1, side === "before" ? 0 : 1]);
    pause.resume();
    assertEquals(await handle.result(), 11);
  });
}

Deno.test("pauseAt() lets an attempt fail, and does not stop the next one", async () => {
  const pause = pauseAt(charge, "after");
  await using executor = new TestExecutor({ activities: [pause] });
  const handle = await executor.execute(order, { input: 5 });
  await pause.reached;
  pause.fail(new Error("no answer"));
  assertEquals(await handle.result(), "charged 5");
  assertEquals(executor.callsOf(charge).map(({ outcome }) => outcome?.status), ["failed", "completed"]);
});

/** A history of an order whose first attempt fails. */
async function history() {
  await using executor = new TestExecutor({ activities: [replace(charge, attempts(fails("busy"), () => "recorded"))] });
  await (await executor.execute(order, { id: "a", input: 5 })).result();
  return (await executor.store.load("a"))!;
}

Deno.test("recorded() answers as the history says, attempt by attempt", async () => {
  const state = await history();
  for (const source of [state, historyToText(state)]) {
    await using executor = new TestExecutor({ activities: [recorded(source)] });
    const handle = await executor.execute(order, { id: "b", input: 5 });
    assertEquals(await handle.result(), "recorded");
    assertEquals(executor.calls.map(({ outcome }) => outcome?.status), ["failed", "completed"]);
  }
});

Deno.test("recorded() refuses what the history does not show, and names it", async () => {
  await using executor = new TestExecutor({ activities: [recorded(await history())] });
  const other = await executor.execute(order, { id: "b", input: 6 });
  const words = 'Cannot answer activity "charge" with the input 6: the history of workflow "a" has no such activity';
  await assertRejects(() => other.result(), Error, words);
});

Deno.test("recorded() says that an activity has no outcome", async () => {
  const state = await history();
  await using executor = new TestExecutor({
    activities: [recorded({ ...state, status: "running", history: state.history.slice(0, 2) })],
  });
  const handle = await executor.execute(order, { id: "b", input: 5 });
  await assertRejects(() => handle.result(), Error, "does not say how it ended");
});

Deno.test("recorded() gives a place to replacements before it", async () => {
  const own = replace(charge, (_: number, { attempt }: ActivityContext) => `own ${attempt}`);
  await using executor = new TestExecutor({ activities: [own, recorded(await history())] });
  assertEquals(await (await executor.execute(order, { input: 9 })).result(), "own 1");
});

Deno.test("at() answers a query as of any event, and refuses what is none", async () => {
  async function counter(ctx: Ctx) {
    let count = 0;
    ctx.handleQuery("count", () => count);
    for (; count < 2; count++) await ctx.sleep(10);
  }
  await using executor = new TestExecutor();
  await (await executor.execute(counter, { id: "a" })).result();
  const state = (await executor.store.load("a"))!;
  const answers = [];
  for (let i = 1; i <= state.history.length; i++) answers.push(await at(counter, state, i, "count"));
  assertEquals(answers, [0, 0, 1, 1, 2, 2]);
  assertEquals(await at(counter, historyToText(state), 3, "count"), 1);
  await assertRejects(() => at(counter, state, 7, "count"), RangeError);
  await assertRejects(() => at(counter, state, 1, "other"), Error);
});

Deno.test("takes() adds its time to that of a fake that takes time", async () => {
  await using executor = new TestExecutor({ activities: [replace(charge, takes(100, takes(200, () => "paid")))] });
  const handle = await executor.execute(order, { input: 1 });
  assertEquals([await handle.result(), executor.clock.now()], ["paid", 300]);
});

/** A replacement by what two calls of one activity returned. */
async function recordedCalls(...activities: (() => unknown)[]) {
  await using executor = new TestExecutor();
  const all = async (ctx: Ctx) => {
    for (const activity of activities) await ctx.executeActivity(activity);
  };
  await (await executor.execute(all, { id: "source" })).result();
  return recorded((await executor.store.load("source"))!);
}

Deno.test("recorded() answers each run from the beginning", async () => {
  let count = 0;
  const next = () => ++count;
  const twice = async (ctx: Ctx) => [await ctx.executeActivity(next), await ctx.executeActivity(next)];
  await using executor = new TestExecutor({ activities: [await recordedCalls(next, next)] });
  for (let i = 0; i < 2; i++) assertEquals(await (await executor.execute(twice)).result(), [1, 2]);
});

Deno.test("recorded() answers the activity that is called when explore() makes runs with other branches", async () => {
  const pay = () => "paid";
  const ship = () => "shipped";
  const order = async (ctx: Ctx) => {
    const isPaid = await ctx.waitForSignal("paid", { timeoutMs: 100 }).then(() => true, () => false);
    return await ctx.executeActivity(isPaid ? ship : pay);
  };
  const activities = [await recordedCalls(pay, ship)];
  const { outcomes } = await explore(order, { signals: [{ atMs: 50, name: "paid" }], activities });
  assertEquals([...outcomes.keys()], ['completed: "shipped"', 'completed: "paid"']);
});

Deno.test("recorded() answers a further call like the last one that is alike", async () => {
  let count = 0;
  const next = () => ++count;
  const thrice = async (ctx: Ctx) => {
    const answers: number[] = [];
    for (let i = 0; i < 3; i++) answers.push(await ctx.executeActivity(next));
    return answers;
  };
  await using executor = new TestExecutor({ activities: [await recordedCalls(next, next)] });
  assertEquals(await (await executor.execute(thrice)).result(), [1, 2, 2]);
});

Deno.test("recorded() answers a further attempt like the last one, and one without an answer once", async () => {
  const pay = (): string => {
    throw new Error("busy");
  };
  const order = (maxAttempts: number, input?: number) => (ctx: Ctx) =>
    ctx.executeActivity(pay, input as never, { retry: { maxAttempts, jitter: false } });
  await using source = new TestExecutor();
  await assertRejects(async () => await (await source.execute(order(2), { id: "a" })).result(), Error, "busy");
  await using executor = new TestExecutor({ activities: [recorded((await source.store.load("a"))!)] });
  await assertRejects(async () => await (await executor.execute(order(3))).result(), Error, "busy");
  assertEquals(executor.calls.length, 3);
  await assertRejects(async () => await (await executor.execute(order(3, 7))).result(), Error, "has no such activity");
  assertEquals(executor.calls.length, 4);
});
