import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { CanceledError, type Executor, type WorkflowContext } from "@rockpool/workflow";
import { gate, settle, setUp } from "../support/executors.ts";
import { playEveryWay } from "../support/scenes.ts";

type Ctx = WorkflowContext;

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

Deno.test("WorkflowContext.receiveSignal() does not return unread signals that a wait for one signal has got", async () => {
  const { executor } = setUp();
  const handle = await executor.execute(async (ctx) => {
    const signals = ctx.receiveSignal<number>("s")[Symbol.asyncIterator]();
    const first = await ctx.waitForSignal<number>("s"); // the loop has it too, and never reads it
    await signals.return!();
    return [first, await ctx.waitForSignal<number>("s")];
  }, { id: "a" });
  await send(executor, 1, 2);
  assertEquals(await handle.result(), [1, 2]);
  await executor.close();
});

Deno.test("WorkflowContext.continueAsNew() does not pass on a signal that a wait has got and a loop has not read", async () => {
  const { executor } = setUp();
  const handle = await executor.execute(async (ctx: WorkflowContext<number[]>, got: readonly number[]) => {
    if (got.length > 0) return [...got, await ctx.waitForSignal<number>("s")];
    ctx.receiveSignal<number>("s")[Symbol.asyncIterator]();
    return await ctx.continueAsNew([await ctx.waitForSignal<number>("s")]);
  }, { id: "a", input: [] });
  await send(executor, 1, 2);
  assertEquals(await handle.result(), [1, 2]);
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

// Who gets a signal

Deno.test("WorkflowContext.waitForSignal() in a bare Promise.race loop sees every signal", async () => {
  const { outcome } = await playEveryWay(() => ({
    sent: [1, 2, 3, 4, 5, 6].map((payload) => ({ at: payload * 15, signal: "n", payload })),
    async workflow(ctx: Ctx) {
      const seen: unknown[] = [];
      while (ctx.now() < 100) seen.push(await Promise.race([ctx.waitForSignal("n"), ctx.sleep(10).then(() => 0)]));
      return seen.filter((n) => n !== 0);
    },
  }));
  assertEquals(JSON.parse(outcome), [1, 2, 3, 4, 5, 6]);
});

Deno.test("WorkflowContext.waitForSignal() in a race in a scope takes nothing after it has lost", async () => {
  const { outcome } = await playEveryWay(() => ({
    sent: [{ at: 20, signal: "e", payload: 1 }],
    async workflow(ctx: Ctx) {
      const race = await ctx.scope((ctx) => Promise.race([ctx.waitForSignal("e"), ctx.sleep(10).then(() => "late")]));
      return [race, await ctx.waitForSignal("e")];
    },
  }));
  assertEquals(JSON.parse(outcome), ["late", 1]);
});

Deno.test("WorkflowContext.waitForSignal() of several workers shares no job", async () => {
  const { outcome } = await playEveryWay(() => ({
    sent: [1, 2, 3, 4].map((payload) => ({ at: payload * 5, signal: "job", payload })),
    async workflow(ctx: Ctx) {
      const done: unknown[] = [];
      const worker = async (name: string) => {
        for (let i = 0; i < 2; i++) {
          const job = await ctx.waitForSignal("job");
          await ctx.sleep(7);
          done.push(`${name}${job}`);
        }
      };
      await Promise.all([worker("a"), worker("b")]);
      return done;
    },
  }));
  assertEquals(JSON.parse(outcome), ["b1", "a2", "b3", "a4"]);
});

Deno.test("WorkflowContext.waitForSignal() and a loop both get a signal; of the waits, the newest", async () => {
  const { outcome } = await playEveryWay(() => ({
    sent: [1, 2, 3].map((payload) => ({ at: payload * 5, signal: "n", payload })),
    async workflow(ctx: Ctx) {
      const got: string[] = [];
      ctx.handleSignal("n", (n) => void got.push(`loop ${n}`));
      for (const by of ["oldest", "newest"]) ctx.waitForSignal("n").then((n) => got.push(`${by} ${n}`));
      await ctx.sleep(100);
      return got;
    },
  }));
  assertEquals(JSON.parse(outcome), ["loop 1", "newest 1", "loop 2", "oldest 2", "loop 3"]);
});

Deno.test("WorkflowContext.waitForSignal() that is withdrawn from the middle of the waits leaves the others in order", async () => {
  const { outcome } = await playEveryWay(() => ({
    sent: [1, 2].map((payload) => ({ at: 50 + payload, signal: "n", payload })),
    async workflow(ctx: Ctx) {
      const got: string[] = [];
      const wait = (ctx: Ctx, name: string) => ctx.waitForSignal("n").then((n) => got.push(`${name} ${n}`));
      wait(ctx, "first");
      const middle = ctx.scope(async (ctx) => {
        wait(ctx, "withdrawn").catch(() => {});
        await ctx.sleep(10);
      });
      wait(ctx, "last");
      await middle;
      await ctx.sleep(100);
      return got;
    },
  }));
  assertEquals(JSON.parse(outcome), ["last 1", "first 2"]);
});

Deno.test("WorkflowContext.takeSignal() takes the oldest unread signal of a name, without a wait and without an event", async () => {
  const { outcome, state } = await playEveryWay(() => ({
    sent: [{ at: 1, signal: "n", payload: 1 }, { at: 2, signal: "m", payload: 2 }, { at: 3, signal: "n", payload: 3 }],
    async workflow(ctx: Ctx) {
      const before = ctx.takeSignal("n");
      await ctx.sleep(10);
      const { signalId, ...first } = ctx.takeSignal<number>("n")!;
      return [before ?? "none", first, typeof signalId, ctx.takeSignal("n")!.payload, ctx.takeSignal("n") ?? "none"];
    },
  }));
  const first = { name: "n", payload: 1, sentAt: 1, headers: {} };
  assertEquals(JSON.parse(outcome), ["none", first, "string", 3, "none"]);
  assertEquals(state.history.filter(({ type }) => type === "timer_started").length, 1);
});

Deno.test("WorkflowContext.takeSignal() takes nothing from a loop that is subscribed", async () => {
  const { outcome } = await playEveryWay(() => ({
    sent: [1, 2].map((payload) => ({ at: payload, signal: "n", payload })),
    async workflow(ctx: Ctx) {
      const loop = ctx.receiveSignal("n")[Symbol.asyncIterator]();
      await ctx.sleep(10);
      const taken = ctx.takeSignal("n") ?? "none";
      const first = await loop.next();
      await loop.return?.();
      return [taken, first.value, ctx.takeSignal("n")?.payload];
    },
  }));
  assertEquals(JSON.parse(outcome), ["none", 1, 2]);
});

Deno.test("WorkflowContext.takeSignal() refuses a bad name", async () => {
  const { executor } = setUp();
  const handle = await executor.execute((ctx: Ctx) => String(assertThrows(() => ctx.takeSignal(1 as never))));
  assertEquals(
    await handle.result(),
    'TypeError: Cannot take signal: "name" must be a non-empty string, got 1',
  );
  await executor.close();
});

Deno.test("withSender gives the sender, the time and the ID of a signal, in every way to receive it", async () => {
  const { executor, clock, store } = setUp({ startAt: 1000 });
  const received = async (ctx: Ctx) => {
    const loop = ctx.receiveSignal<string>("s", { withSender: true })[Symbol.asyncIterator]();
    const [first, second] = [await loop.next(), await loop.next()];
    await loop.return?.();
    const third = await ctx.waitForSignal<string>("s", { withSender: true });
    const fourth = await ctx.waitForSignal<string>("s", { withSender: true, timeoutMs: 1e6 });
    return [first.value, second.value, third, fourth, ctx.takeSignal<string>("s")];
  };
  clock.hold();
  const handle = await executor.execute(async (ctx: Ctx) => {
    await ctx.waitForSignal("go");
    return await received(ctx);
  }, { id: "a" });
  for (const payload of ["1", "2", "3", "4", "5"]) {
    await executor.signal("a", "s", payload, payload === "2" ? {} : { senderId: `sender ${payload}` });
  }
  await executor.signal("a", "go");
  clock.release();
  const { history } = (await store.load("a"))!;
  const signalIds = history.flatMap((event) => event.type === "signal_received" ? [event.signalId] : []);
  assertEquals(
    await handle.result(),
    ["1", "2", "3", "4", "5"].map((payload, i) => ({
      name: "s",
      payload,
      senderId: payload === "2" ? undefined : `sender ${payload}`,
      sentAt: 1000,
      signalId: signalIds[i],
      headers: {},
    })) as never,
  );
  await executor.close();
});
