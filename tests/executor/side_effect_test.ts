/** `ctx.sideEffect()`: the function is called once, and its answer is in the history. */

import { assertEquals, assertRejects } from "@std/assert";
import { NonRetryableError, type WorkflowContext } from "@rockpool/workflow";
import { crashTest } from "@rockpool/workflow/testing";
import { play, playFrom } from "../support/restarts.ts";
import { settle, setUp, typesOf } from "../support/executors.ts";

type Ctx = WorkflowContext;

Deno.test("WorkflowContext.sideEffect() records its value and does not call the function on replay", async () => {
  let calls = 0;
  async function chance(ctx: Ctx) {
    const first = await ctx.sideEffect(() => ++calls);
    await ctx.sleep(10);
    return [first, await ctx.sideEffect(() => ++calls)];
  }
  const { outcome, state } = await play({ workflow: chance });
  assertEquals([outcome, calls], ["[1,2]", 2]);
  assertEquals(state.history.filter(({ type }) => type === "side_effect"), [
    { type: "side_effect", at: 0, seq: 0, value: 1 },
    { type: "side_effect", at: 10, seq: 2, value: 2 },
  ]);
  const replayed = await playFrom({ workflow: chance }, state, -1);
  assertEquals([replayed.outcome, calls], ["[1,2]", 2]);
});

Deno.test("WorkflowContext.sideEffect() calls the function again only when its answer was not stored", async () => {
  let calls = 0;
  async function chance(ctx: Ctx) {
    const value = await ctx.sideEffect(() => ++calls);
    await ctx.sleep(1);
    return value;
  }
  for (const [side, expected] of [["before", "2"], ["after", "1"]] as const) {
    calls = 0;
    const { outcome } = await play(
      { workflow: chance },
      (stops) => stops === 0 ? { append: 1, side } : undefined,
    );
    assertEquals([outcome, `${calls}`], [expected, expected], side);
  }
});

Deno.test("WorkflowContext.sideEffect() has the same result after a process crash at any step", async () => {
  const work = (n: number) => n + 1;
  const { undisturbed } = await crashTest(async (ctx: Ctx) => {
    const n = await ctx.sideEffect(() => 41);
    const sum = await ctx.executeActivity(work, n);
    const error = await ctx.sideEffect(() => {
      throw new RangeError("odd");
    }).catch((error) => error);
    await ctx.sleep(10);
    return [n, sum, `${error}`, await ctx.sideEffect(() => undefined), ctx.now(), ctx.uuid()];
  });
  assertEquals((undisturbed.result as unknown[]).slice(0, 5), [41, 42, "RangeError: odd", undefined, 10]);
});

Deno.test("WorkflowContext.sideEffect() throws what the function throws, the same on replay", async () => {
  async function fails(ctx: Ctx) {
    const errors: unknown[] = [];
    for (const thrown of [new NonRetryableError("no", { cause: new TypeError("why") }), { plain: true }]) {
      await ctx.sideEffect(() => {
        throw thrown;
      }).catch((error) => errors.push(error));
    }
    const [error, plain] = errors as [NonRetryableError, unknown];
    return [error instanceof NonRetryableError, error.message, (error.cause as Error).name, plain];
  }
  const { outcome, state } = await play({ workflow: fails });
  assertEquals(outcome, '[true,"no","TypeError",{"plain":true}]');
  assertEquals((await playFrom({ workflow: fails }, state, -1)).outcome, outcome);
});

Deno.test("WorkflowContext.sideEffect() fails the workflow when its error is not caught", async () => {
  const { executor } = setUp();
  const handle = await executor.execute((ctx) =>
    ctx.sideEffect(() => {
      throw new RangeError("odd");
    })
  );
  await assertRejects(() => handle.result(), RangeError, "odd");
  await executor.close();
});

Deno.test("WorkflowContext.sideEffect() refuses a promise and a value that cannot be stored", async () => {
  async function bad(ctx: Ctx) {
    const messages: string[] = [];
    for (const body of [() => Promise.resolve(1), () => Promise.reject(new Error("lost")), () => ({ f: () => 1 })]) {
      await ctx.sideEffect<unknown>(body).catch((error) => messages.push(`${error.name}: ${error.message}`));
    }
    return messages;
  }
  const { executor } = setUp();
  const handle = await executor.execute(bad);
  const promise = "TypeError: Cannot record a side effect: it returns a promise; use an activity";
  assertEquals(await handle.result(), [
    promise,
    promise,
    'TypeError: Cannot store value of side effect.f: a function "f" cannot be stored',
  ]);
  await settle(); // an unhandled rejection would fail the test
  await executor.close();
});

Deno.test("WorkflowContext.sideEffect() answers the stored, frozen value also the first time", async () => {
  const original = { list: [1], at: new Date(0) };
  async function looks(ctx: Ctx) {
    const value = await ctx.sideEffect(() => original);
    return [value === original, Object.isFrozen(value.list), value.at === original.at];
  }
  const { executor } = setUp();
  assertEquals(await (await executor.execute(looks)).result(), [false, true, false]);
  await executor.close();
});

Deno.test("WorkflowContext.sideEffect() refuses calls of the context in the function", async () => {
  async function draws(ctx: Ctx) {
    const messages: string[] = [];
    for (const body of [() => ctx.uuid(), () => ctx.sleep(1), () => ctx.sideEffect(() => 1), () => ctx.patched("p")]) {
      await ctx.sideEffect<unknown>(body).catch((error) => messages.push(error.message));
    }
    return [messages, ctx.uuid()];
  }
  const { outcome, state } = await play({ workflow: draws });
  const [messages] = JSON.parse(outcome);
  const free = "Cannot call the context in a side effect: it is not called on replay";
  const promise = "Cannot record a side effect: it returns a promise; use an activity";
  assertEquals(messages, [free, promise, promise, free]);
  assertEquals(typesOf(state.history).slice(1, -1), Array(4).fill("side_effect"));
  assertEquals((await playFrom({ workflow: draws }, state, -1)).outcome, outcome);
});

Deno.test("WorkflowContext.sideEffect() does not call the function after a cancellation", async () => {
  let calls = 0;
  async function waits(ctx: Ctx) {
    await ctx.sleep(1000).catch(() => {});
    const outside = await ctx.sideEffect(() => ++calls).catch((error) => error.name);
    return [outside, await ctx.shield((ctx) => ctx.sideEffect(() => ++calls))];
  }
  const { outcome } = await play({ workflow: waits, deliveries: [{ at: 5, cancel: "enough" }] });
  assertEquals([outcome, calls], ['["CanceledError",1]', 1]);
});
