/** Fakes of activities, and the record of the attempts. */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { activity, type ActivityContext, type WorkflowContext } from "@rockpool/workflow";
import { attempts, fails, type Fake, replace, TestExecutor } from "@rockpool/workflow/testing";
import { gate, settle } from "../tests/support/executors.ts";

type Ctx = WorkflowContext;

// deno-lint-ignore require-await
async function charge(_cents: number): Promise<string> {
  throw new Error("no bank in a test");
}
const retry = { maxAttempts: 5, initialIntervalMs: 1000, jitter: false } as const;
const order = async (ctx: Ctx, cents: number) => await ctx.executeActivity(charge, cents, { retry });

Deno.test("replace() of a function runs the fake in its place, with its input and context", async () => {
  const seen: [number, string][] = [];
  const fake = (cents: number, { workflowId }: ActivityContext) => {
    seen.push([cents, workflowId]);
    return `charged ${cents.toFixed(2)}`;
  };
  await using executor = new TestExecutor({ activities: [replace(charge, fake)] });
  const handle = await executor.execute(order, { id: "a", input: 5 });
  assertEquals(await handle.result(), "charged 5.00");
  assertEquals(seen, [[5, "a"]]);
});

Deno.test("replace() of a name runs the fake in place of all activities of that name; the first replacement counts", async () => {
  const price = (n: number) => 2 * n;
  await using executor = new TestExecutor({
    activities: [replace("charge", (cents: number) => `charged ${cents}`), replace(charge, () => "the second one")],
  });
  const handle = await executor.execute(async (ctx: Ctx) => {
    const cents = await ctx.executeActivity(price, 4);
    return [await ctx.executeActivity(charge, cents), await ctx.executeActivity(() => 0, 9, { name: "charge" })];
  });
  assertEquals<unknown>(await handle.result(), ["charged 8", "charged 9"]);
  assertEquals(executor.calls.map(({ name, replaced }) => [name, replaced]), [
    ["price", false],
    ["charge", true],
    ["charge", true],
  ]);
});

Deno.test("replace() has the types of the activity", () => {
  replace(charge, (cents) => cents.toFixed());
  replace(charge, attempts(fails("busy"), (cents) => cents.toFixed()));
  // @ts-expect-error -- it returns a string
  replace(charge, () => 5);
  // @ts-expect-error -- it gets a number
  replace(charge, (input: string) => input);
});

Deno.test("replace(), attempts() and fails() refuse what they cannot use", () => {
  const messages = [
    () => replace("", () => {}),
    () => replace(5 as never, () => {}),
    () => replace(charge, "charged" as never),
    () => attempts(),
    () => attempts(() => 1, 2 as never),
    () => new TestExecutor({ activities: charge as never }),
  ].map((call) => assertThrows(call, TypeError).message);
  assertEquals(messages, [
    'Cannot replace activity: "activity" must be a function or a non-empty string, got ""',
    'Cannot replace activity: "activity" must be a function or a non-empty string, got 5',
    'Cannot replace activity "charge": "fake" must be a function, got "charged"',
    "Cannot replace attempts: the first attempt needs a function",
    'Cannot replace attempts: "fakes[1]" must be a function, got 2',
    'Cannot create an executor: "activities" must be an array of replacements made by replace(), got a function "charge"',
  ]);
});

Deno.test("attempts() does something else in each attempt, and repeats the last", async () => {
  const busy = new RangeError("very busy");
  for (
    const [fake, outcome] of [
      [attempts(fails("busy"), fails(busy), (cents: number) => `charged ${cents}`), "charged 5"],
      [attempts<number, string>(() => "charged", fails("unreachable")), "charged"],
      [attempts<number, string>(fails("busy"), fails(busy)), "very busy"],
    ] as [Fake<number, string>, string][]
  ) {
    await using executor = new TestExecutor({ activities: [replace(charge, fake)] });
    const handle = await executor.execute(order, { input: 5 });
    assertEquals(await handle.result().catch((error) => error.message), outcome);
  }
});

Deno.test("attempts() counts the attempts of the activity, also over a restart", async () => {
  const activities = [replace(charge, attempts(fails("one"), fails("two"), () => "three"))];
  const first = new TestExecutor({ activities });
  first.clock.hold();
  await first.execute(order, { id: "a", input: 5 });
  await settle();
  await first.close();
  const { store, clock } = first;
  await using second = new TestExecutor({ activities, store, clock, workflows: { order } });
  const [handle] = await second.recover();
  clock.release();
  assertEquals(await handle.result(), "three");
  assertEquals(first.calls.map(({ attempt }) => attempt), [1]);
  assertEquals(second.calls.map(({ attempt, at }) => [attempt, at]), [[2, 1000], [3, 3000]]);
});

Deno.test("TestExecutor.calls records the input, the begin and the outcome of every attempt", async () => {
  const real = (input: { n: number }) => input.n + 1;
  const opened = gate<string>();
  const busy = new Error("busy");
  const slow = () => opened.promise;
  await using executor = new TestExecutor({
    activities: [replace(charge, attempts(fails(busy), () => Promise.resolve("charged")))],
  });
  const handle = await executor.execute(async (ctx: Ctx) => {
    await ctx.executeActivity(real, { n: 1 });
    await ctx.executeActivity(charge, 5, { retry });
    await ctx.executeActivity(slow);
  }, { id: "a" });
  await settle();
  const { runId } = handle;
  const expected = [
    {
      name: "real",
      input: { n: 1 },
      attempt: 1,
      seq: 0,
      at: 0,
      replaced: false,
      outcome: { status: "completed", result: 2 },
    },
    {
      name: "charge",
      input: 5,
      attempt: 1,
      seq: 1,
      at: 0,
      replaced: true,
      outcome: { status: "failed", error: busy },
    },
    {
      name: "charge",
      input: 5,
      attempt: 2,
      seq: 1,
      at: 1000,
      replaced: true,
      outcome: { status: "completed", result: "charged" },
    },
    { name: "slow", input: undefined, attempt: 1, seq: 2, at: 1000, replaced: false, outcome: undefined },
  ].map(({ seq, ...call }) => ({ ...call, workflowId: "a", idempotencyKey: `${runId}:${seq}` }));
  assertEquals<unknown>(executor.calls, expected);
  opened.open("done");
  await handle.result();
  assertEquals(executor.calls[3].outcome, { status: "completed", result: "done" });
});

Deno.test("TestExecutor.callsOf() finds the calls of a function or a name, with its types", async () => {
  const named = activity(charge, { name: "pay" });
  await using executor = new TestExecutor({
    activities: [replace(charge, () => "charged"), replace(named, () => "paid")],
  });
  await (await executor.execute(async (ctx: Ctx) => {
    await ctx.executeActivity(charge, 1);
    await ctx.executeActivity(named, 2);
    await ctx.executeActivity(charge, 3, { name: "again" });
  })).result();
  const inputs: number[] = executor.callsOf(charge).map(({ input }) => input);
  assertEquals(inputs, [1, 3]);
  const [{ outcome }] = executor.callsOf(named);
  assertEquals(outcome?.status === "completed" ? outcome.result.toUpperCase() : "", "PAID");
  assertEquals(executor.callsOf("again").map(({ input }) => input), [3]);
  assertEquals(executor.callsOf("nobody"), []);
});

Deno.test("TestExecutor.calls does not record signals to children", async () => {
  const child = async (ctx: Ctx) => await ctx.waitForSignal("go");
  await using executor = new TestExecutor({ activities: [replace("unused", () => {})] });
  const handle = await executor.execute(async (ctx: Ctx) => {
    const started = ctx.startChild(child);
    await ctx.sleep(1);
    await started.signal("go", 5);
    return await started.result();
  });
  assertEquals(await handle.result(), 5);
  assertEquals(executor.calls, []);
});

/** The message of the error that disposal throws. */
async function atEnd(executor: TestExecutor): Promise<string> {
  return (await assertRejects(() => executor[Symbol.asyncDispose](), Error)).message;
}

Deno.test("TestExecutor reports at its end a replacement whose name is misspelt", async () => {
  const send = () => "sent";
  const executor = new TestExecutor({ activities: [replace("snd", () => "fake"), replace("other", () => "fake")] });
  const handle = await executor.execute(async (ctx: Ctx) => {
    await ctx.executeActivity(send);
    await ctx.executeActivity(() => {}, undefined, { name: "other" });
  });
  await handle.result();
  assertEquals(await atEnd(executor), 'No activity "snd" ran; without a replacement ran "send"');
});

Deno.test("TestExecutor reports at its end a replaced function that is not the workflow's", async () => {
  const send = () => "sent";
  const wrapped = activity(send, { retry });
  const executor = new TestExecutor({ activities: [replace(send, () => "fake")] });
  assertEquals(await (await executor.execute((ctx: Ctx) => ctx.executeActivity(wrapped))).result(), "sent");
  assertEquals(
    await atEnd(executor),
    'The replacement of the function "send" was never called, but another function of that name ran: ' +
      "replace the function that the workflow passes to executeActivity, or replace by name",
  );
});

Deno.test("TestExecutor does not report a replacement that was not needed", async () => {
  const send = () => "sent";
  await using executor = new TestExecutor({
    activities: [replace(charge, () => "fake"), replace("send", () => "fake")],
  });
  await (await executor.execute((ctx: Ctx) => ctx.executeActivity(send))).result();
  await using _idle = new TestExecutor({ activities: [replace("send", () => "fake")] });
});
