/** Waits for one signal and for the workflow's own variables, with and without a deadline. */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { CanceledError, Executor, TimeoutError, type WorkflowContext } from "@rockpool/workflow";
import { FaultyStore } from "@rockpool/workflow/testing";
import { settle, setUp, typesOf } from "../support/executors.ts";

type Ctx = WorkflowContext;

/** Closes the executor once only timers are pending, and resumes the run in another one. */
async function restart(
  { store, clock, executor }: ReturnType<typeof setUp>,
  workflow: (ctx: Ctx, input: never) => unknown,
) {
  await settle();
  await executor.close();
  clock.release();
  const next = new Executor({ store, clock, workflows: { [workflow.name]: workflow }, random: () => 0.5 });
  const [handle] = await next.recover();
  return { store, clock, executor: next, handle };
}

Deno.test("WorkflowContext.waitForSignal() answers the oldest unread signal", async () => {
  async function waits(ctx: Ctx) {
    await ctx.waitForSignal("go");
    return [await ctx.waitForSignal("n"), await ctx.waitForSignal("n")];
  }
  const { executor } = setUp();
  const handle = await executor.execute(waits, { id: "a" });
  for (const payload of [1, 2, 3]) await executor.signal("a", "n", payload);
  await executor.signal("a", "go");
  assertEquals(await handle.result(), [1, 2]);
  await executor.close();
});

Deno.test("WorkflowContext.waitForSignal() throws at its deadline and does not lose a later signal", async () => {
  async function waits(ctx: Ctx) {
    const late = await ctx.waitForSignal("n", { timeoutMs: 100 }).catch((error) => error.message);
    await ctx.waitForSignal("go");
    return [late, await ctx.waitForSignal("n")];
  }
  const { executor } = setUp();
  const handle = await executor.execute(waits, { id: "a" });
  await settle();
  await executor.signal("a", "n", "late");
  await executor.signal("a", "go");
  assertEquals(await handle.result(), ['Signal "n" did not come within 100 ms', "late"]);
  await executor.close();
});

Deno.test("WorkflowContext.waitForSignal() and waitUntil() record no timer when they end at once", async () => {
  async function waits(ctx: Ctx) {
    await ctx.waitForSignal("go");
    const [got] = [await ctx.waitForSignal("n", { timeoutMs: 10 }), await ctx.waitUntil(() => true, { timeoutMs: 10 })];
    const odd = () => {
      throw new RangeError("odd");
    };
    return [got, await ctx.waitUntil(odd, { timeoutMs: 10 }).catch((error) => error.message)];
  }
  const { executor, store } = setUp();
  const handle = await executor.execute(waits, { id: "a" });
  for (const name of ["n", "go"]) await executor.signal("a", name, 1);
  assertEquals(await handle.result(), [1, "odd"]);
  const history = typesOf((await store.load("a"))!.history);
  assertEquals(history, ["workflow_started", "signal_received", "signal_received", "workflow_completed"]);
  await executor.close();
});

Deno.test("WorkflowContext.waitForSignal() stops its timer when the signal comes first", async () => {
  async function waits(ctx: Ctx) {
    const first = await ctx.waitForSignal("n", { timeoutMs: 1000 });
    await ctx.sleep(5000);
    return [first, ctx.now()];
  }
  const before = setUp();
  before.clock.hold();
  await before.executor.execute(waits, { id: "a" });
  await before.executor.signal("a", "n", 1);
  const { handle, store, executor } = await restart(before, waits);
  assertEquals(await handle.result(), [1, 5000]);
  const { history } = (await store.load("a"))!;
  assertEquals(typesOf(history).filter((type) => type === "timer_fired").length, 1);
  await executor.close();
});

Deno.test("WorkflowContext.waitForSignal() keeps its deadline after a restart", async () => {
  async function waits(ctx: Ctx) {
    await ctx.waitForSignal("go");
    return await ctx.waitForSignal("n", { timeoutMs: 100 });
  }
  const before = setUp();
  before.clock.hold();
  await before.executor.execute(waits, { id: "a" });
  await before.executor.signal("a", "go");
  const { handle, clock, executor } = await restart(before, waits);
  const error = await assertRejects(() => handle.result(), TimeoutError, 'Signal "n" did not come within 100 ms');
  assertEquals([(error as TimeoutError).timeoutMs, clock.now()], [100, 100]);
  await executor.close();
});

Deno.test("WorkflowContext.waitForSignal() is reached by a cancellation and leaves no timer", async () => {
  async function waits(ctx: Ctx) {
    const error = await ctx.waitForSignal("n", { timeoutMs: 1e6 }).catch((error) => error);
    const name = await ctx.shield((ctx) => ctx.waitForSignal("n"));
    return [error instanceof CanceledError, name];
  }
  const { executor, clock } = setUp();
  clock.hold();
  const handle = await executor.execute(waits, { id: "a" });
  await settle();
  await executor.cancel("a");
  await settle();
  clock.release();
  await executor.signal("a", "n", "later");
  assertEquals([await handle.result(), clock.now()], [[true, "later"], 0]);
  await executor.close();
});

Deno.test("WorkflowContext.waitForSignal() gives each signal to the newest of two concurrent waits", async () => {
  async function waits(ctx: Ctx) {
    return await Promise.all([ctx.waitForSignal("n"), ctx.waitForSignal("n")]);
  }
  const { executor } = setUp();
  const handle = await executor.execute(waits, { id: "a" });
  await settle();
  await executor.signal("a", "n", 1);
  await executor.signal("a", "n", 2);
  assertEquals(await handle.result(), [2, 1]);
  await executor.close();
});

Deno.test("WorkflowContext.waitUntil() ends when a signal makes the condition true", async () => {
  async function counts(ctx: Ctx) {
    let count = 0;
    const counting = (async () => {
      for await (const n of ctx.receiveSignal<number>("add")) if ((count += n) >= 100) return;
    })();
    await ctx.waitUntil(() => count >= 3);
    const seen = count;
    await ctx.waitUntil(() => count >= 6);
    void counting;
    return [seen, count];
  }
  const before = setUp();
  before.clock.hold();
  await before.executor.execute(counts, { id: "a" });
  for (const payload of [1, 1, 2]) await before.executor.signal("a", "add", payload);
  const { executor, handle } = await restart(before, counts);
  await executor.signal("a", "add", 2);
  assertEquals(await handle.result(), [4, 6]);
  await executor.close();
});

Deno.test("WorkflowContext.waitUntil() ends at once when the condition is true already", async () => {
  const { executor } = setUp();
  const handle = await executor.execute((ctx: Ctx) => ctx.waitUntil(() => true, { timeoutMs: 1 }), { id: "a" });
  assertEquals(await handle.result(), undefined);
  await executor.close();
});

Deno.test("WorkflowContext.waitUntil() sees the change of another branch in the same turn", async () => {
  async function branches(ctx: Ctx) {
    let ready = false;
    const waiting = ctx.waitUntil(() => ready).then(() => "seen");
    await Promise.resolve();
    ready = true;
    return await waiting;
  }
  const { executor } = setUp();
  const handle = await executor.execute(branches, { id: "a" });
  assertEquals(await handle.result(), "seen");
  await executor.close();
});

Deno.test("WorkflowContext.waitUntil() throws at its deadline and when the condition throws", async () => {
  async function waits(ctx: Ctx) {
    const late = await ctx.waitUntil(() => false, { timeoutMs: 50 }).catch((error) => error.message);
    const wrong = await ctx.waitUntil(() => {
      throw new RangeError("odd");
    }).catch((error) => error.message);
    return [late, wrong, ctx.now()];
  }
  const { executor } = setUp();
  const handle = await executor.execute(waits, { id: "a" });
  assertEquals(await handle.result(), ["The condition was not true within 50 ms", "odd", 50]);
  await executor.close();
});

Deno.test("WorkflowContext.waitUntil() is reached by a cancellation", async () => {
  const { executor } = setUp();
  const handle = await executor.execute((ctx: Ctx) => ctx.waitUntil(() => false), { id: "a" });
  await settle();
  await executor.cancel("a", "enough");
  await assertRejects(() => handle.result(), CanceledError, "enough");
  await executor.close();
});

Deno.test("WorkflowContext refuses bad arguments of waits at the call", async () => {
  async function bad(ctx: Ctx) {
    const messages: string[] = [];
    const calls = [
      () => ctx.waitForSignal(""),
      () => ctx.waitForSignal("a", { timeoutMs: -1 }),
      () => ctx.waitUntil(7 as never),
      () => ctx.waitUntil(() => true, { timeoutMs: NaN }),
      () => ctx.sideEffect("x" as never),
      () => ctx.mapConcurrent([1], 0, () => 1),
    ];
    for (const call of calls) await call().catch((error) => messages.push(error.message));
    assertThrows(() => ctx.patched(""), TypeError, 'Cannot check a patch: "changeId" must be a non-empty string');
    assertThrows(() => ctx.addCompensation(1 as never), TypeError, '"body" must be a function, got 1');
    return messages;
  }
  const { executor } = setUp();
  const handle = await executor.execute(bad, { id: "a" });
  assertEquals(await handle.result(), [
    'Cannot wait for signal: "name" must be a non-empty string, got ""',
    'Cannot wait for signal "a": "timeoutMs" must be a finite number from 0, got -1',
    'Cannot wait until: "condition" must be a function, got 7',
    'Cannot wait until: "timeoutMs" must be a finite number from 0, got NaN',
    'Cannot run side effect: "body" must be a function, got "x"',
    'Cannot map items: "limit" must be an integer from 1, got 0',
  ]);
  await executor.close();
});

Deno.test("WorkflowContext.waitUntil() records its timer when it ends before the timer is stored", async () => {
  async function waits(ctx: Ctx) {
    let over = false;
    const wait = ctx.waitUntil(() => over, { timeoutMs: 1000 });
    over = true;
    await wait;
    await ctx.sleep(5);
  }
  const store = new FaultyStore();
  const { executor } = setUp({ store });
  store.before.append = async ({ workflowId, runId, expectedLength, events }) => {
    if (events[0].type !== "timer_started") return;
    store.before.append = undefined;
    const signal = { type: "signal_received", at: 0, name: "n", signalId: "1" } as const;
    await store.inner.append({ workflowId, runId, expectedLength, events: [signal] }); // another event is stored first
  };
  const handle = await executor.execute(waits, { id: "a" });
  await handle.result();
  const { history } = (await store.load("a"))!;
  assertEquals(history.flatMap((event) => event.type === "timer_started" ? [event.seq] : []), [0, 1]);
  await executor.close();
});

/** Waits of each kind with a deadline, all at once. */
async function deadlines(ctx: Ctx) {
  const late = (error: Error) => error.name;
  return await Promise.all([
    ctx.sleep(5),
    ctx.waitForSignal("n", { timeoutMs: 5 }).catch(late),
    ctx.waitUntil(() => false, { timeoutMs: 5 }).catch(late),
    ctx.scope((ctx) => ctx.waitForSignal("n"), { timeoutMs: 5 }).catch(late),
    ctx.shield(async (ctx) => await ctx.waitForSignal("n"), { timeoutMs: 5 }).catch(late),
  ]);
}

Deno.test("WorkflowContext records what each timer is for", async () => {
  const { executor, store } = setUp();
  await (await executor.execute(deadlines, { id: "a" })).result();
  const { history } = (await store.load("a"))!;
  assertEquals<unknown>(
    history.flatMap((event) => event.type === "timer_started" ? [event] : []),
    [undefined, { signal: "n" }, "condition", "scope", "scope"].map((waitsFor, seq) => {
      return { type: "timer_started", at: 0, seq, dueAt: 5, ...(waitsFor !== undefined && { waitsFor }) };
    }),
  );
  await executor.close();
});

for (const recorded of [true, false]) {
  Deno.test(`a run resumes if its timers were ${recorded ? "" : "not "}recorded with what they are for`, async () => {
    const first = setUp();
    const handle = await first.executor.execute(deadlines, { id: "a" });
    first.clock.hold();
    await settle();
    await first.executor.close();
    await handle.result().catch(() => {});
    const { runId, history } = (await first.store.load("a"))!;
    assertEquals(typesOf(history).length, 6);
    const events = recorded ? history : history.map((event) => {
      const { waitsFor: _, ...rest } = event as { waitsFor?: unknown };
      return rest as typeof event;
    });
    const { executor, store } = setUp({ workflows: { deadlines } });
    await store.append({ workflowId: "a", runId, expectedLength: 0, events });
    const [resumed] = await executor.recover();
    const late = "TimeoutError";
    assertEquals<unknown>(await resumed.result(), [undefined, late, late, late, late]);
    await executor.close();
  });
}
