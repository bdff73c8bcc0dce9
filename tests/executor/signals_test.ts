import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { CanceledError, type Executor, type WorkflowContext } from "@rockpool/workflow";
import { gate, settle, setUp } from "../support/executors.ts";

const send = async (executor: Executor, ...payloads: unknown[]) => {
  for (const payload of payloads) await executor.signal("a", "s", payload);
};

/** Reads `count` signals in one loop. */
async function take(ctx: WorkflowContext, count: number, name = "s"): Promise<unknown[]> {
  const seen: unknown[] = [];
  if (count === 0) return seen;
  for await (const payload of ctx.receiveSignal(name)) if (seen.push(payload) === count) break;
  return seen;
}

Deno.test("WorkflowContext.receiveSignal() receives signals that arrived before the first wait, in order", async () => {
  const { executor } = setUp();
  const hold = gate();
  const handle = await executor.execute(async (ctx) => {
    await ctx.executeActivity(() => hold.promise);
    return await take(ctx, 3);
  }, { id: "a" });
  await send(executor, 1, 2, 3);
  hold.open();
  assertEquals(await handle.result(), [1, 2, 3]);
  await executor.close();
});

Deno.test("WorkflowContext.receiveSignal() buffers 5,000 signals without blocking the sender", async () => {
  const { executor } = setUp();
  const hold = gate();
  const handle = await executor.execute(async (ctx) => {
    await ctx.executeActivity(() => hold.promise);
    return (await take(ctx, 5000)).every((payload, i) => payload === i);
  }, { id: "a" });
  await Promise.all(
    Array.from({ length: 5000 }, (_, payload) => executor.signal("a", "s", payload)),
  );
  hold.open();
  assertEquals(await handle.result(), true);
  await executor.close();
});

Deno.test("WorkflowContext.receiveSignal() separates signals by name", async () => {
  const { executor } = setUp();
  const handle = await executor.execute(
    (ctx) => Promise.all([take(ctx, 2, "x"), take(ctx, 1, "__proto__")]),
    { id: "a" },
  );
  for (const [name, payload] of [["x", 1], ["__proto__", 2], ["x", 3]] as const) {
    await executor.signal("a", name, payload);
  }
  assertEquals(await handle.result(), [[1, 3], [2]]);
  await executor.close();
});

Deno.test("WorkflowContext.receiveSignal() gives every subscriber every payload that arrives", async () => {
  const { executor } = setUp();
  const handle = await executor.execute(
    (ctx) => Promise.all([take(ctx, 3), take(ctx, 2), take(ctx, 3)]),
    { id: "a" },
  );
  await send(executor, 1, 2, 3);
  assertEquals(await handle.result(), [[1, 2, 3], [1, 2], [1, 2, 3]]);
  await executor.close();
});

Deno.test("WorkflowContext.receiveSignal() gives the buffered signals to the first of two subscribers", async () => {
  const { executor } = setUp();
  const hold = gate();
  const handle = await executor.execute(async (ctx) => {
    await ctx.executeActivity(() => hold.promise);
    return await Promise.all([take(ctx, 3), take(ctx, 1)]);
  }, { id: "a" });
  await send(executor, 1, 2);
  hold.open();
  await settle();
  await send(executor, 3);
  assertEquals(await handle.result(), [[1, 2, 3], [3]]);
  await executor.close();
});

Deno.test("WorkflowContext.receiveSignal() loses no signal between two loops", async () => {
  const { executor } = setUp();
  const hold = gate();
  const handle = await executor.execute(async (ctx) => {
    const first = await take(ctx, 1);
    await ctx.executeActivity(() => hold.promise);
    return [...first, ...await take(ctx, 2), ...await take(ctx, 1)];
  }, { id: "a" });
  await send(executor, 1, 2, 3);
  await settle();
  await send(executor, 4);
  hold.open();
  assertEquals(await handle.result(), [1, 2, 3, 4]);
  await executor.close();
});

Deno.test("WorkflowContext.receiveSignal() returns unread signals of a subscriber to the next one", async () => {
  const { executor } = setUp();
  const hold = gate();
  const handle = await executor.execute(async (ctx) => {
    const signals = ctx.receiveSignal<number>("s")[Symbol.asyncIterator]();
    const first = await signals.next();
    await ctx.executeActivity(() => hold.promise); // 2 and 3 arrive for the open subscription
    await signals.return!();
    return [first.value, ...await take(ctx, 2), (await signals.next()).done];
  }, { id: "a" });
  await send(executor, 1, 2, 3);
  await settle();
  hold.open();
  assertEquals(await handle.result(), [1, 2, 3, true]);
  await executor.close();
});

Deno.test("WorkflowContext.receiveSignal() ends pending reads when the iterator returns", async () => {
  const { executor } = setUp();
  const handle = await executor.execute(async (ctx) => {
    const signals = ctx.receiveSignal("s")[Symbol.asyncIterator]();
    const pending = [signals.next(), signals.next()];
    await signals.return!();
    return (await Promise.all(pending)).map(({ done }) => done);
  }, { id: "a" });
  assertEquals(await handle.result(), [true, true]);
  await executor.close();
});

Deno.test("WorkflowContext.receiveSignal() consumes nothing when it is never iterated", async () => {
  const { executor } = setUp();
  const handle = await executor.execute((ctx) => {
    ctx.receiveSignal("s");
    return take(ctx, 1);
  }, { id: "a" });
  await send(executor, 1);
  assertEquals(await handle.result(), [1]);
  await executor.close();
});

Deno.test("WorkflowContext.receiveSignal() throws the cancellation and frees its subscription", async () => {
  const { executor } = setUp();
  const handle = await executor.execute(async (ctx) => {
    const caught = await take(ctx, 1).catch((error) => error instanceof CanceledError);
    const again = await take(ctx, 1).catch((error) => error instanceof CanceledError);
    return [caught, again, await ctx.shield((ctx) => take(ctx, 1))];
  }, { id: "a" });
  await executor.cancel("a");
  await send(executor, "after");
  assertEquals(await handle.result(), [true, true, ["after"]]);
  await executor.close();
});

Deno.test("WorkflowContext.receiveSignal() refuses a bad name", async () => {
  const { executor } = setUp();
  const handle = await executor.execute((ctx) => {
    assertThrows(
      () => ctx.receiveSignal(""),
      TypeError,
      'Cannot receive signal: "name" must be a non-empty string, got ""',
    );
  });
  await handle.result();
  await executor.close();
});

Deno.test("WorkflowContext.receiveSignal() gives each subscriber its own copy of values that cannot be frozen", async () => {
  const { executor } = setUp();
  const handle = await executor.execute(async (ctx) => {
    const read = async () => ((await take(ctx, 1))[0] as Date).setTime(5);
    await Promise.all([read(), read()]);
  }, { id: "a" });
  const sent = new Date(0);
  await send(executor, sent);
  sent.setTime(9);
  await handle.result();
  const history = (await executor.describe("a", { history: true })).history;
  const signal = history.find((event) => event.type === "signal_received");
  assertEquals(signal?.payload, new Date(0));
  await executor.close();
});

Deno.test("WorkflowContext.receiveSignal() and sleep() have the same winners of Promise.race() on replay", async () => {
  const workflow = async (ctx: WorkflowContext) => {
    const signals = ctx.receiveSignal<number>("s")[Symbol.asyncIterator]();
    const log: string[] = [];
    let next = signals.next();
    for (let i = 0; i < 6; i++) {
      const winner = await Promise.race([next, ctx.sleep(10).then(() => null)]);
      log.push(
        winner === null ? `timer at ${ctx.now()}` : `signal ${winner.value} at ${ctx.now()}`,
      );
      if (winner !== null) next = signals.next();
    }
    await ctx.sleep(1000);
    return log;
  };
  const { store, clock, executor } = setUp();
  const handle = await executor.execute(workflow, { id: "a" });
  clock.hold(); // advanced by hand, so that signals and timers alternate
  for (let n = 0; n < 3; n++) {
    await send(executor, n);
    await settle();
    await clock.advance(n === 1 ? 25 : 10);
    await settle();
  }
  clock.release();
  const result = await handle.result();
  assertEquals(new Set(result.map((entry) => entry.split(" ")[0])), new Set(["signal", "timer"]));
  await executor.close();
  const { history, ...state } = (await store.load("a"))!;
  for (let length = 1; length < history.length; length++) {
    await store.save({
      ...state,
      status: "running",
      result: undefined,
      history: history.slice(0, length),
    });
    const later = setUp({
      store,
      startAt: clock.now(),
      workflows: { [state.workflowName]: workflow },
    });
    const [again] = await later.executor.recover();
    const known = history.slice(0, length);
    if (known.some((event) => event.type === "timer_started" && event.seq === 6)) { // the log is complete
      assertEquals(await again.result(), result, `recovered after event ${length}`);
    }
    await later.executor.close();
    await assertRejects(() => later.executor.recover());
  }
});
