/** Updates that are accepted when the code of their workflow ends, or is cancelled. */

import { assertEquals, assertRejects } from "@std/assert";
import { Executor, type UnhandledMessages, type WorkflowContext, WorkflowError } from "@rockpool/workflow";
import { crashTest, FaultyStore } from "@rockpool/workflow/testing";
import { settle, setUp, silent, typesOf, withoutSubscribe } from "../support/executors.ts";

type Ctx = WorkflowContext;

let began: number[] = [];

/** Ends with the cancellation, or with the signal. */
async function account(ctx: Ctx) {
  ctx.handleUpdate<string, number>("move", (amount) => {
    began.push(amount);
    return `moved ${amount}`;
  });
  ctx.handleUpdate("slow", () => ctx.waitForSignal("never"));
  await ctx.waitForSignal("close");
}

const codeAndMessage = async (promise: Promise<unknown>) => {
  const { code, message } = await assertRejects(() => promise, WorkflowError);
  return [code, message];
};

const ends = {
  "is cancelled": (executor: Executor) => executor.cancel("a"),
  "completes": (executor: Executor) => executor.signal("a", "close"),
};
for (const [how, end] of Object.entries(ends)) {
  Deno.test(`Executor.update() rejects with not_found when the workflow ${how} before the handler is called`, async () => {
    began = [];
    const { executor, store } = setUp();
    const handle = await executor.execute(account, { id: "a" });
    await settle();
    const ended = end(executor);
    const update = executor.update("a", "move", 5, { updateId: "u" });
    await ended;
    const expected = ["not_found", 'Cannot update workflow "a": it ended before a handler began'];
    assertEquals(await codeAndMessage(update), expected);
    await handle.result().catch(() => {});
    const { history } = (await store.load("a"))!;
    assertEquals(typesOf(history).slice(2, 4), ["update_accepted", "update_completed"]);
    const again = executor.update("a", "move", 5, { updateId: "u" });
    assertEquals([await codeAndMessage(again), began], [expected, []]);
    await executor.close();
  });
}

Deno.test("Executor.update() rejects with update_interrupted when the workflow is cancelled after the handler was called", async () => {
  const { executor, store } = setUp();
  const handle = await executor.execute(account, { id: "a" });
  const other = new Executor({ store });
  const send = [executor, other].map((from) => from.update("a", "slow", undefined, { updateId: "u" }));
  const early = Promise.all(send.map(codeAndMessage));
  await settle();
  await executor.signal("a", "close");
  await handle.result();
  const why = "it ended before it had answered, and the handler may have begun";
  const expected = ["update_interrupted", `Cannot update workflow "a": ${why}`];
  assertEquals(await early, [expected, expected]);
  assertEquals(await codeAndMessage(other.update("a", "slow", undefined, { updateId: "u" })), expected);
  await Promise.all([executor.close(), other.close()]);
});

Deno.test("Executor.update() that a workflow was too late for can be sent again, with its ID, to the next workflow", async () => {
  began = [];
  const { executor } = setUp();
  const first = await executor.execute(account, { id: "a" });
  await settle();
  const ended = executor.signal("a", "close");
  const late = codeAndMessage(executor.update("a", "move", 5, { updateId: "u" }));
  await ended;
  await first.result();
  assertEquals((await late)[0], "not_found");
  await executor.execute(account, { id: "a" });
  assertEquals([await executor.update("a", "move", 5, { updateId: "u" }), began], ["moved 5", [5]]);
  await executor.close();
});

Deno.test("Executor.update() whose acceptance is on its way when the code ends rejects with not_found", async () => {
  began = [];
  const { executor, store } = setUp({ store: new FaultyStore() });
  const handle = await executor.execute(account, { id: "a" });
  await settle();
  store.before.append = async ({ events }) => {
    if (events[0].type === "signal_received") await settle();
  };
  const ended = executor.signal("a", "close"); // its append takes a while
  await settle();
  const update = codeAndMessage(executor.update("a", "move", 5));
  await ended;
  await handle.result();
  assertEquals([(await update)[0], began], ["not_found", []]);
  await executor.close();
});

Deno.test("Executor.query() does not call the handler of an update that the code did not see before its end", async () => {
  async function noted(ctx: Ctx) {
    const seen: unknown[] = [];
    ctx.handleQuery("seen", () => seen);
    ctx.handleUpdate("note", (what) => seen.push(what));
    await ctx.waitForSignal("close");
  }
  const { executor } = setUp({ workflows: { noted } });
  const handle = await executor.execute(noted, { id: "a" });
  await settle();
  const sent = executor.signal("a", "close");
  const update = codeAndMessage(executor.update("a", "note", 1));
  await Promise.all([sent, update, handle.result()]);
  assertEquals(await executor.query("a", "seen"), []);
  await executor.close();
});

Deno.test("Hooks.messagesUnhandled is told of an update that was accepted and came too late", async () => {
  const told: string[] = [];
  const messagesUnhandled = ({ updates }: UnhandledMessages) => told.push(...updates.map(({ name }) => name));
  const { executor } = setUp({ hooks: { messagesUnhandled }, logger: silent });
  const handle = await executor.execute(account, { id: "a" });
  await settle();
  const sent = executor.signal("a", "close");
  await Promise.all([sent, codeAndMessage(executor.update("a", "move", 1)), handle.result()]);
  assertEquals(told, ["move"]);
  await executor.close();
});

/** Cleans up for a while. */
async function tidy(ctx: Ctx) {
  let moved = 0;
  ctx.handleUpdate<number, number>("move", async (amount) => {
    await ctx.shield((ctx) => ctx.sleep(1));
    return moved += amount;
  });
  try {
    await ctx.waitForSignal("close");
  } finally {
    await ctx.shield((ctx) => ctx.sleep(5));
  }
  return moved;
}

/** Catches its cancellation. */
async function stubborn(ctx: Ctx) {
  let moved = 0;
  ctx.handleUpdate<number, number>("move", (amount) => moved += amount);
  await ctx.waitForSignal("close").catch(() => {});
  await ctx.shield((ctx) => ctx.waitUntil(() => moved > 0));
  return moved;
}

for (const workflow of [tidy, stubborn]) {
  Deno.test(`Executor.update() in the turn of a cancellation is handled by ${workflow.name}(), which goes on after it`, async () => {
    const { executor } = setUp();
    await executor.execute(workflow, { id: "a" });
    await settle();
    const canceled = executor.cancel("a");
    assertEquals(await executor.update("a", "move", 5), 5);
    await canceled;
    await executor.close();
  });
}

Deno.test("Executor.update() in the turn of a cancellation has the same outcome in a crash at every point", async () => {
  for (const atMs of [4, 5, 6]) {
    await crashTest(account, {
      cancel: { atMs: 5 },
      updates: [{ atMs, name: "move", input: 1, updateId: "u" }],
      compare: "outcomes",
      setUp: () => void (began = []),
    });
  }
});

Deno.test("ctx.continueAsNew() leaves an accepted update without a handler to the next run", async () => {
  /** The code that accepted the update had a handler for it. */
  async function before(ctx: WorkflowContext<number>, _run: number) {
    ctx.handleUpdate("move", () => "moved");
    await ctx.waitForSignal("close");
  }
  async function after(ctx: WorkflowContext<number>, run: number): Promise<void> {
    if (run > 0) ctx.handleUpdate("move", () => `moved by run ${run}`);
    await ctx.waitForSignal("go");
    await ctx.continueAsNew(run + 1);
  }
  const { executor, store, clock } = setUp({ store: new FaultyStore() });
  await executor.execute(before, { id: "a", input: 0 });
  await settle();
  store.after.append = ({ events }) => {
    if (events.some(({ type }) => type === "update_accepted")) executor.close();
  };
  await executor.update("a", "move", undefined, { updateId: "u" }).catch(() => {});
  await executor.close();
  store.after.append = undefined;
  const next = new Executor({ store, clock, workflows: { before: after } });
  await next.recover();
  const answer = next.update("a", "move", undefined, { updateId: "u" });
  await next.signal("a", "go");
  assertEquals(await answer, "moved by run 1");
  await next.close();
});

Deno.test("Executor.update() through another executor rejects with update_interrupted when the workflow is deleted before the answer", async () => {
  const { executor, store } = setUp();
  await executor.execute(account, { id: "a" });
  const other = new Executor({ store });
  const update = codeAndMessage(other.update("a", "slow"));
  await settle();
  await store.delete("a");
  const why = "it was replaced or deleted before it had answered, and the handler may have begun";
  assertEquals(await update, ["update_interrupted", `Cannot update workflow "a": ${why}`]);
  await Promise.all([executor.close(), other.close()]);
});

for (
  const [updateId, why] of [["u", "it was continued as new"], [
    undefined,
    "another executor runs it or has continued it",
  ]]
) {
  Deno.test(`Executor.update() ${updateId ? "with" : "without"} an ID rejects with update_interrupted when another executor has continued the workflow`, async () => {
    async function entity(ctx: WorkflowContext<number>, run: number): Promise<void> {
      ctx.handleUpdate("slow", () => ctx.waitForSignal("never"));
      await ctx.waitForSignal("next");
      await ctx.continueAsNew(run + 1);
    }
    const store = withoutSubscribe(); // no executor is notified of the other's appends
    const [first, other] = [0, 1].map(() => setUp({ store, workflows: { entity }, logger: silent }).executor);
    await first.execute(entity, { id: "a", input: 0 });
    await settle();
    const update = codeAndMessage(first.update("a", "slow", undefined, { updateId }));
    await settle();
    await other.recover();
    await other.signal("a", "next");
    await settle();
    await first.signal("a", "x");
    const message = `Cannot update workflow "a": ${why} before it had answered, and the handler may have begun`;
    assertEquals(await update, ["update_interrupted", message]);
    await Promise.all([first.close(), other.close()]);
  });
}
