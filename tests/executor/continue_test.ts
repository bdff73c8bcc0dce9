/** Runs that continue as new. The file is longer than 500 lines: it is a list of independent cases, which one searches by name. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type AppendBatch,
  applyBatch,
  CanceledError,
  Executor,
  InMemoryStore,
  TimeoutError,
  VirtualClock,
  type WorkflowContext,
  WorkflowError,
  type WorkflowEvent,
  type WorkflowStartedEvent,
} from "@rockpool/workflow";
import { assertReplays, crashTest, FaultyStore } from "@rockpool/workflow/testing";
import { collectGarbage, gate, macrotasks, settle, setUp, typesOf, withoutSubscribe } from "../support/executors.ts";

type Ctx<Input = never> = WorkflowContext<Input>;

async function countdown(ctx: Ctx<number>, n: number): Promise<string> {
  if (n === 0) return "lift-off";
  await ctx.sleep(10);
  return await ctx.continueAsNew(n - 1);
}

/** Adds the numbers that it receives. Continues as new after every second one. */
async function sums(ctx: Ctx<{ sum: number; left: number }>, input: { sum: number; left: number }): Promise<number> {
  let { sum, left } = input;
  for (let i = 0; i < 2 && left > 0; i++, left--) sum += await ctx.waitForSignal<number>("n");
  if (left > 0) return await ctx.continueAsNew({ sum, left });
  return sum;
}

Deno.test("WorkflowContext.continueAsNew() starts a new history, and the handle waits for the end of the chain", async () => {
  const { executor, store, clock } = setUp();
  await store.save({ workflowId: "before", status: "running" });
  const handle = await executor.execute(countdown, { id: "a", input: 3 });
  await store.save({ workflowId: "after", status: "running" });
  assertEquals(await handle.result(), "lift-off");
  const state = (await store.load("a"))!;
  assertEquals(typesOf(state.history), ["workflow_started", "workflow_completed"]);
  assertEquals([state.input, state.createdAt, clock.now(), handle.status], [0, 0, 30, "completed"]);
  assert(state.runId !== handle.runId);
  assertEquals((await store.list()).map(({ workflowId }) => workflowId), ["before", "a", "after"]);
  assertEquals(await (await executor.handle("a")).result(), "lift-off");
  await executor.close();
});

Deno.test("WorkflowContext.continueAsNew() passes unread signals to the next run in order", async () => {
  const { executor, store } = setUp();
  const handle = await executor.execute(sums, { id: "a", input: { sum: 0, left: 7 } });
  await Promise.all([1, 2, 3, 4, 5, 6, 7].map((payload) => executor.signal("a", "n", payload)));
  assertEquals(await handle.result(), 28);
  const { history } = (await store.load("a"))!;
  assertEquals(history.filter(({ type }) => type === "signal_received").length, 1);
  await executor.close();
});

Deno.test("WorkflowContext.continueAsNew() passes on a signal that came after a wait for it had lost a race", async () => {
  const { executor, clock } = setUp();
  const workflow = async (ctx: Ctx<number>, round: number): Promise<unknown> => {
    if (round === 1) return await ctx.waitForSignal("e", { timeoutMs: 1000 });
    await ctx.scope((ctx) => Promise.race([ctx.waitForSignal("e"), ctx.sleep(10)]));
    await ctx.sleep(10); // the signal comes now
    return await ctx.continueAsNew(1);
  };
  clock.at(15, () => executor.signal("a", "e", 7));
  const handle = await executor.execute(workflow, { id: "a", input: 0 });
  assertEquals([await handle.result(), clock.now()], [7, 20]);
  await executor.close();
});

Deno.test("WorkflowContext.continueAsNew() keeps the order of unread signals of several names", async () => {
  async function reads(ctx: Ctx<number>, round: number): Promise<unknown> {
    if (round === 1) {
      const got: unknown[] = [];
      for await (const one of ctx.receiveSignal("b")) if (got.push(one) === 2) break;
      for await (const one of ctx.receiveSignal("a")) if (got.push(one) === 4) break;
      return got;
    }
    for await (const one of ctx.receiveSignal("b")) if (one === "b1") return await ctx.continueAsNew(1);
  }
  const { executor, store, clock } = setUp();
  clock.hold();
  const signals = ["a1", "b1", "a2", "b2", "b3"];
  for (const payload of signals) {
    if (payload === "a1") await executor.execute(reads, { id: "a", input: 0 });
    await executor.signal("a", payload[0], payload);
  }
  clock.release();
  assertEquals(await (await executor.handle("a")).result(), ["b2", "b3", "a1", "a2"]);
  const carried = (await store.load("a"))!.history.filter(({ type }) => type === "signal_received");
  assertEquals(carried.map((event) => (event as { payload: unknown }).payload), ["a1", "a2", "b2", "b3"]);
  await executor.close();
});

Deno.test("WorkflowContext.continueAsNew() leaves no timer that fires in the next run", async () => {
  async function stale(ctx: Ctx<number | string>, round: number | string): Promise<unknown> {
    if (round === 0) {
      void ctx.sleep(50).then(() => ctx.continueAsNew("stale"));
      return await ctx.continueAsNew(1);
    }
    await ctx.sleep(100);
    return ctx.now();
  }
  const { executor, store } = setUp();
  const handle = await executor.execute(stale, { id: "a", input: 0 });
  assertEquals(await handle.result(), 100);
  assertEquals(typesOf((await store.load("a"))!.history), [
    "workflow_started",
    "timer_started",
    "timer_fired",
    "workflow_completed",
  ]);
  await executor.close();
});

Deno.test("WorkflowContext.continueAsNew() ends the run when it is called", async () => {
  let after = false;
  async function ends(ctx: Ctx<number>, round: number): Promise<unknown> {
    if (round === 0) {
      ctx.continueAsNew(1);
      ctx.continueAsNew(2); // ignored: the first call has ended the run
      return "no result of the first run";
    }
    await Promise.resolve().then(() => after = true);
    return round;
  }
  const { executor } = setUp();
  assertEquals(await (await executor.execute(ends, { id: "a", input: 0 })).result(), 1);
  assert(after);
  await executor.close();
});

Deno.test("WorkflowContext.continueAsNew() rejects an input that cannot be stored, and the run continues", async () => {
  const { executor } = setUp();
  const handle = await executor.execute(
    (ctx: Ctx<() => void>) => ctx.continueAsNew(() => {}).catch((error: Error) => error.message),
    { id: "a" },
  );
  assertEquals(await handle.result(), "Cannot store input: a function cannot be stored");
  await executor.close();
});

Deno.test("Executor.cancel() reaches a workflow that continues as new repeatedly", async () => {
  async function forever(ctx: Ctx<number>, n: number): Promise<number> {
    await ctx.sleep(1);
    return await ctx.continueAsNew(n + 1);
  }
  const { executor, store } = setUp();
  const handle = await executor.execute(forever, { id: "a", input: 0 });
  for (let i = 0; i < 20; i++) await settle();
  await executor.cancel("a", "enough");
  await assertRejects(() => handle.result(), CanceledError, "enough");
  const state = (await store.load("a"))!;
  assertEquals(state.status, "canceled");
  assert(state.input as number > 5);
  await executor.close();
});

Deno.test("Executor.execute() starts a new run with no signals of the chain that ended before", async () => {
  const { executor, store } = setUp();
  await (await executor.execute(sums, { id: "a", input: { sum: 0, left: 0 } })).result();
  const handle = await executor.execute(sums, { id: "a", input: { sum: 100, left: 3 } });
  for (const payload of [1, 2, 3]) await executor.signal("a", "n", payload);
  assertEquals(await handle.result(), 106);
  const again = await executor.execute(sums, { id: "a", input: { sum: 0, left: 1 } });
  await executor.signal("a", "n", 5);
  assertEquals([await again.result(), await handle.result()], [5, 106]);
  assertEquals((await store.load("a"))!.history[0].type, "workflow_started");
  await executor.close();
});

Deno.test("WorkflowContext.continueAsNew() survives a process crash at any step", async () => {
  const signals = [1, 2, 3, 4, 5].map((payload) => ({ atMs: payload < 4 ? 0 : 10, name: "n", payload }));
  for (const deaths of [1, 3]) {
    const { points, undisturbed } = await crashTest(sums, { id: "a", input: { sum: 0, left: 5 }, signals, deaths });
    assertEquals([undisturbed.result, undisturbed.states.length], [15, 3]);
    assert(points >= 24, `${points}`);
  }
});

Deno.test("WorkflowContext.continueAsNew() neither loses nor repeats signals of several senders", async () => {
  const { executor, store, clock } = setUp();
  const other = new Executor({ store, clock });
  const handle = await executor.execute(sums, { id: "a", input: { sum: 0, left: 200 } });
  for (let i = 0; i < 200; i += 4) {
    await Promise.all([0, 1, 2, 3].map((k) => (k % 2 ? executor : other).signal("a", "n", i + k)));
  }
  assertEquals(await handle.result(), 199 * 100);
  await Promise.all([executor.close(), other.close()]);
});

/** Reads signals in a separate branch. Continues as new after every number. */
async function listens(ctx: Ctx<readonly number[]>, got: readonly number[]): Promise<readonly number[]> {
  const list = [...got];
  const read = async () => {
    for await (const n of ctx.receiveSignal<number>("n")) list.push(n);
  };
  ctx.handleUpdate("add", (n: number) => list.push(n));
  read().catch(() => {}); // cancelled
  await ctx.waitUntil(() => list.length > got.length);
  return list.length > 4 ? list : await ctx.continueAsNew(list);
}

Deno.test("WorkflowContext.continueAsNew() passes signals that arrive meanwhile to the next run, although a branch still reads", async () => {
  const { executor, store, clock } = setUp({ store: new FaultyStore() });
  const other = new Executor({ store, clock });
  const handle = await executor.execute(listens, { id: "a", input: [] });
  let n = 0;
  store.before.append = async ({ replaces, events }) => {
    // Another executor's signal is stored in between, and this executor has enough turns to see it.
    if (replaces === undefined || events.length > 1 || n === 3) return;
    await other.signal("a", "n", ++n);
    await settle();
  };
  assertEquals(await executor.update("a", "add", 0), 1);
  await executor.signal("a", "n", 4);
  assertEquals((await handle.result()).toSorted(), [0, 1, 2, 3, 4]);
  await Promise.all([executor.close(), other.close()]);
});

Deno.test("Executor.cancel() reaches the next run when a run is being continued as new", async () => {
  const { executor, store, clock } = setUp({ store: new FaultyStore() });
  const other = new Executor({ store, clock });
  const handle = await executor.execute(listens, { id: "a", input: [] });
  store.before.append = async ({ replaces }) => {
    if (replaces !== undefined) await other.cancel("a", "enough");
    await settle();
  };
  await executor.signal("a", "n", 1);
  await assertRejects(() => handle.result(), CanceledError, "enough");
  assertEquals((await store.load("a"))?.input, [1]);
  await Promise.all([executor.close(), other.close()]);
});

for (
  const [verb, last] of [["cancel", "cancel_requested"], ["terminate", "workflow_canceled"], [
    "signal",
    "signal_received",
  ]] as const
) {
  Deno.test(`Executor.${verb}() reaches a run that another executor has continued as new`, async () => {
    const store = withoutSubscribe(); // no executor is notified of the other's appends
    const [first, other] = [0, 1].map(() => setUp({ store, workflows: { sums } }).executor);
    const handle = await first.execute(sums, { id: "a", input: { sum: 0, left: 3 } });
    await other.recover();
    await other.signal("a", "n", 1);
    await other.signal("a", "n", 2);
    await settle();
    // the first executor still has the previous run
    await (verb === "signal" ? first.signal("a", "x") : first[verb]("a", "enough"));
    const { input, history } = (await store.load("a"))!;
    assertEquals([input, typesOf(history)], [{ sum: 3, left: 1 }, ["workflow_started", last]]);
    await assertRejects(() => handle.result(), WorkflowError);
    await Promise.all([first.close(), other.close()]);
  });
}

Deno.test("Executor.signal() says that a signal without an ID may be stored when the answer is lost and another executor continues its run", async () => {
  const inner = withoutSubscribe();
  const store = new FaultyStore(inner);
  const home = setUp({ store, workflows: { sums } }).executor;
  const other = setUp({ store: inner, workflows: { sums } }).executor;
  const handle = await home.execute(sums, { id: "a", input: { sum: 0, left: 3 } });
  handle.result().catch(() => {});
  store.after.append = async () => {
    store.after.append = undefined;
    await other.recover(); // reads the signal
    await other.signal("a", "n", 2);
    await settle();
    throw new Error("the answer is lost");
  };
  const error = await assertRejects(() => home.signal("a", "n", 1), WorkflowError);
  assertEquals([error.code, error.message], [
    "conflict",
    'Cannot signal workflow "a": another run followed before the store answered, so it may be stored; with a "signalId" it ' +
    "can be sent again",
  ]);
  assertEquals((await store.load("a"))!.input, { sum: 3, left: 1 });
  await Promise.all([home.close(), other.close()]);
});

Deno.test("Executor.signal() sends a signal once when the answer of the store is lost and the run is continued as new", async () => {
  const { executor, store, clock } = setUp({ store: new FaultyStore() });
  const other = new Executor({ store, clock });
  await executor.execute(listens, { id: "a", input: [] });
  store.after.append = async ({ events }) => {
    if (events[0]?.type !== "signal_received") return;
    store.after.append = () => {};
    await settle(); // the signal is read, and the run is continued as new
    throw new Error("the answer is lost");
  };
  const error = await assertRejects(() => other.signal("a", "n", 1), WorkflowError);
  assertEquals([error.code, error.message], [
    "conflict",
    'Cannot signal workflow "a": another run followed before the store answered, so it may be stored; with a "signalId" it ' +
    "can be sent again",
  ]);
  await settle();
  assertEquals((await store.load("a"))!.input, [1]);
  await Promise.all([executor.close(), other.close()]);
});

Deno.test("WorkflowContext.continueAsNew() keeps the subscription to the store", async () => {
  const { executor, store, clock } = setUp();
  const other = new Executor({ store, clock });
  const handle = await executor.execute(sums, { id: "a", input: { sum: 0, left: 3 } });
  for (const payload of [1, 2, 3]) {
    await other.signal("a", "n", payload);
    await settle();
  }
  assertEquals(handle.status, "completed");
  assertEquals(await handle.result(), 6);
  await Promise.all([executor.close(), other.close()]);
});

Deno.test("Executor.recover() resumes a run in the middle of a chain", async () => {
  const { executor, store, clock } = setUp();
  await executor.execute(sums, { id: "a", input: { sum: 0, left: 4 } });
  for (const payload of [1, 2, 3]) await executor.signal("a", "n", payload);
  await settle();
  await executor.close();
  const next = new Executor({ store, clock, workflows: { sums } });
  const [handle] = await next.recover();
  await next.signal("a", "n", 4);
  assertEquals(await handle.result(), 10);
  await next.close();
});

Deno.test("WorkflowContext.continueAsNew() keeps receiving signals that other executors send", async () => {
  const { executor, store, clock } = setUp();
  const sender = new Executor({ store, clock });
  const handle = await executor.execute(sums, { id: "a", input: { sum: 0, left: 5 } });
  for (const payload of [1, 2, 3, 4, 5]) {
    await sender.signal("a", "n", payload);
    await settle();
  }
  assertEquals([handle.status, await handle.result()], ["completed", 15]);
  await Promise.all([executor.close(), sender.close()]);
});

Deno.test("WorkflowHandle.result() and Executor.signal() reach the next run when another executor continues the run as new", async () => {
  const store = new FaultyStore();
  const { executor: first, clock } = setUp({ store });
  const second = new Executor({ store, clock, workflows: { sums } });
  const handle = await first.execute(sums, { id: "a", input: { sum: 0, left: 3 } });
  const [other] = await second.recover();
  await settle();
  const slow = gate();
  store.before.append = async ({ events }) => { // the second executor is slow to store a signal and to continue the run
    if (events[0]?.type === "signal_received" && events[0].payload === 4) await slow.promise;
  };
  const late = second.signal("a", "n", 4);
  await first.signal("a", "n", 1);
  await first.signal("a", "n", 2);
  await settle();
  slow.open();
  await late;
  assertEquals([await handle.result(), await other.result()], [7, 7]);
  assertEquals([handle.status, other.status], ["completed", "completed"]);
  await Promise.all([first.close(), second.close()]);
});

Deno.test("Executor.recover() ignores a run that was continued as new after the store had listed it", async () => {
  const store = new FaultyStore();
  const { executor } = setUp({ store });
  const handle = await executor.execute(sums, { id: "a", input: { sum: 0, left: 3 } });
  const slow = gate();
  store.after.list = () => slow.promise;
  const recovered = executor.recover();
  for (const payload of [1, 2]) await executor.signal("a", "n", payload);
  await settle();
  slow.open();
  assertEquals(await recovered, []);
  await settle();
  await executor.signal("a", "n", 4);
  assertEquals(await handle.result(), 7);
  await executor.close();
});

Deno.test("WorkflowHandle.status stays as result() left it when recover() uses an older list", async () => {
  const store = new FaultyStore();
  const { executor } = setUp({ store });
  const handle = await executor.execute(sums, { id: "a", input: { sum: 0, left: 1 } });
  const slow = gate();
  store.after.list = () => slow.promise;
  const recovered = executor.recover();
  await executor.signal("a", "n", 1);
  assertEquals(await handle.result(), 1);
  slow.open();
  const [again] = await recovered;
  assertEquals(handle.status, "completed");
  assertEquals(await again.result(), 1);
  await executor.close();
});

Deno.test("Executor.recover() resumes the next run when another executor has continued the live run as new", async () => {
  const store = new InMemoryStore();
  const options = { workflows: { sums }, maxConcurrentWorkflows: 1 };
  const { executor, clock } = setUp({ ...options, store: withoutSubscribe(store) }); // it is not notified
  const other = new Executor({ store, clock, workflows: { sums } });
  await executor.execute(sums, { id: "a", input: { sum: 0, left: 3 } });
  await other.recover();
  await settle();
  for (const payload of [1, 2]) await other.signal("a", "n", payload);
  await settle();
  await other.close();
  const [handle] = await executor.recover();
  await executor.signal("a", "n", 4);
  assertEquals(await handle.result(), 7);
  await executor.close();
});

Deno.test("WorkflowHandle.result() waits for the end of the chain when another executor runs it", async () => {
  const { executor, store, clock } = setUp();
  const other = new Executor({ store, clock });
  await executor.execute(sums, { id: "a", input: { sum: 0, left: 5 } });
  const watched = (await other.handle("a")).result();
  for (const payload of [1, 2, 3, 4, 5]) {
    await executor.signal("a", "n", payload);
    await settle();
  }
  assertEquals(await watched, 15);
  await Promise.all([executor.close(), other.close()]);
});

Deno.test("WorkflowContext.continueAsNew() does not wait for an abandoned child that a branch starts in the same turn", async () => {
  const { executor, store } = setUp();
  const child = (ctx: Ctx) => ctx.sleep(1000);
  const handle = await executor.execute(async (ctx: Ctx<boolean>, again: boolean) => {
    if (again) return "continued";
    const next = ctx.continueAsNew(true);
    ctx.startChild(child, undefined, { id: "late", parentClosePolicy: "abandon" });
    return await next;
  }, { id: "a", input: false });
  assertEquals(await handle.result(), "continued");
  assertEquals(await store.load("late"), null);
  await executor.close();
});

Deno.test("WorkflowContext.continueAsNew() keeps one run of a long chain in the store", async () => {
  async function long(ctx: Ctx<number>, n: number): Promise<number> {
    return n === 2000 ? n : await ctx.continueAsNew(n + 1);
  }
  const { executor, store } = setUp();
  assertEquals(await (await executor.execute(long, { id: "a", input: 0 })).result(), 2000);
  assertEquals([store.size, (await store.load("a"))!.history.length], [1, 2]);
  await executor.close();
});

Deno.test("WorkflowContext.continueAsNew() releases the memory of earlier runs", async () => {
  const held: WeakRef<number[]>[] = [];
  async function long(ctx: Ctx<number>, n: number): Promise<number> {
    const numbers = [n];
    held.push(new WeakRef(numbers));
    if (n === 3) await ctx.waitForSignal("go");
    else await ctx.continueAsNew(n + 1);
    return numbers.length;
  }
  const { executor } = setUp();
  const handle = await executor.execute(long, { id: "a", input: 0 });
  await settle();
  collectGarbage();
  assertEquals(held.map((ref) => ref.deref()), [undefined, undefined, undefined, [3]]);
  await executor.signal("a", "go");
  await handle.result();
  await executor.close();
});

const started = (input: unknown, firstRunId?: string): WorkflowEvent => ({
  type: "workflow_started",
  at: 50,
  workflowName: "w",
  input,
  ...(firstRunId && { firstRunId }),
});
const batch: AppendBatch = { workflowId: "a", runId: "2", replaces: "1", expectedLength: 2, events: [started(2, "1")] };

async function running(): Promise<InMemoryStore> {
  const store = new InMemoryStore();
  const events = [started(1), { type: "timer_fired", at: 60, seq: 0 }] as const;
  await store.append({ workflowId: "a", runId: "1", expectedLength: 0, events });
  return store;
}

Deno.test("InMemoryStore.append() replaces a running run by its next run in one step", async () => {
  const store = await running();
  const before = (await store.load("a"))!;
  await store.append(batch);
  const after = (await store.load("a"))!;
  assertEquals([after.runId, after.status, after.input, after.history.length], ["2", "running", 2, 1]);
  assertEquals([after.createdAt, before.history.length], [before.createdAt, 2]);
  assertEquals(applyBatch(before, batch), after);
});

const conflicting: [what: string, change: Partial<AppendBatch>][] = [
  ["its history is longer", { expectedLength: 1 }],
  ["its history is shorter", { expectedLength: 3 }],
  ["its run ID differs", { replaces: "0" }],
  ["it is not stored", { workflowId: "b" }],
];
for (const [what, change] of conflicting) {
  Deno.test(`InMemoryStore.append() does not continue a run when ${what}`, async () => {
    const store = await running();
    const before = await store.load("a");
    const error = await assertRejects(() => store.append({ ...batch, ...change }), WorkflowError);
    assertEquals([error.code, await store.load("a") === before], ["conflict", true]);
  });
}

Deno.test("InMemoryStore.append() does not continue a finished run, nor a run twice", async () => {
  const store = await running();
  await store.append(batch);
  assertEquals((await assertRejects(() => store.append(batch), WorkflowError)).code, "conflict");
  const done: WorkflowEvent = { type: "workflow_completed", at: 70 };
  await store.append({ workflowId: "a", runId: "2", expectedLength: 1, events: [done] });
  const next = { ...batch, runId: "3", replaces: "2" };
  assertEquals((await assertRejects(() => store.append(next), WorkflowError)).code, "conflict");
});

Deno.test("Executor.update() is answered once by a workflow that continues as new repeatedly", async () => {
  async function ledger(ctx: Ctx<readonly number[]>, lines: readonly number[]): Promise<readonly number[]> {
    const list = [...lines];
    let last = false;
    ctx.handleUpdate<number, number>("note", (n) => list.push(n));
    ctx.handleUpdate<void, undefined>("end", () => void (last = true));
    await ctx.waitUntil(() => last || list.length > lines.length);
    return last ? list : await ctx.continueAsNew(list);
  }
  const { executor, store } = setUp();
  const handle = await executor.execute(ledger, { id: "a", input: [] });
  const answers: number[] = [];
  for (let i = 0; i < 60; i += 3) {
    answers.push(...await Promise.all([i, i + 1, i + 2].map((n) => executor.update<number, number>("a", "note", n))));
  }
  await executor.update("a", "end");
  assertEquals([...(await handle.result())].sort((a, b) => a - b), Array.from({ length: 60 }, (_, i) => i));
  assertEquals(answers.sort((a, b) => a - b), Array.from({ length: 60 }, (_, i) => i + 1));
  assert((await store.load("a"))!.history.length < 20);
  await executor.close();
});

Deno.test("Executor.update() rejects when the run continues as new before the handler has ended", async () => {
  async function continuesEarly(ctx: Ctx<number>, round: number): Promise<number> {
    ctx.handleUpdate("slow", () => ctx.sleep(1e6).then(() => 1));
    if (round === 1) return round;
    await ctx.waitForSignal("go");
    return await ctx.continueAsNew(1);
  }
  const { executor, clock } = setUp();
  clock.hold();
  const handle = await executor.execute(continuesEarly, { id: "a", input: 0 });
  const update = executor.update("a", "slow");
  await settle();
  await executor.signal("a", "go");
  const error = await assertRejects(() => update, WorkflowError, "it was continued as new before it had answered");
  assertEquals([error.code, await handle.result()], ["update_interrupted", 1]);
  await executor.close();
});

Deno.test("Executor.update() is answered by the run that accepted it when it is repeated after a crash", async () => {
  async function counter(ctx: Ctx<number>, start: number): Promise<number> {
    let [sum, asked] = [start, 0];
    ctx.handleUpdate<number, number>("add", (n) => {
      asked++;
      return sum += n;
    });
    await ctx.waitUntil(() => asked === 2);
    return sum < 10 ? await ctx.continueAsNew(sum) : sum;
  }
  const updates = [1, 2, 3, 4].map((input) => ({ atMs: 10 * input, name: "add", input, check: () => {} }));
  for (const deaths of [1, 3]) {
    const { undisturbed } = await crashTest(counter, { input: 0, updates, deaths });
    assertEquals([undisturbed.result, undisturbed.states.length], [10, 2]);
  }
});

Deno.test("ExecuteOptions.signal cancels a later run of the chain, and is not listened to after the last one", async () => {
  const { executor } = setUp();
  const abort = new AbortController();
  let listeners = 0;
  const add = abort.signal.addEventListener.bind(abort.signal);
  const remove = abort.signal.removeEventListener.bind(abort.signal);
  abort.signal.addEventListener = (...args: Parameters<typeof add>) => void (listeners++, add(...args));
  abort.signal.removeEventListener = (...args: Parameters<typeof remove>) => void (listeners--, remove(...args));
  const options = { input: { sum: 0, left: 3 }, signal: abort.signal };
  const [first, second] = [
    await executor.execute(sums, { id: "a", ...options }),
    await executor.execute(sums, { id: "b", ...options }),
  ];
  for (const n of [1, 2, 3]) await executor.signal("b", "n", n);
  assertEquals([await second.result(), listeners], [6, 1]);
  for (const n of [1, 2]) await executor.signal("a", "n", n);
  await settle();
  assertEquals((await executor.describe("a")).input, { sum: 3, left: 1 });
  abort.abort(new Error("enough"));
  const error = await assertRejects(() => first.result(), CanceledError);
  assertEquals(error.reason, "enough");
  await executor.close();
});

// The deadline of a chain

/** Continues as new every 30 ms, and never ends by itself. */
async function rounds(ctx: Ctx<number>, round: number): Promise<never> {
  await ctx.sleep(30);
  return await ctx.continueAsNew(round + 1);
}

Deno.test("WorkflowOptions.timeoutMs covers the whole chain: it ends failed at the first deadline", async () => {
  const { undisturbed, points } = await crashTest(rounds, { id: "a", input: 0, timeoutMs: 100 });
  const { state, states, error } = undisturbed;
  assertEquals([`${error}`, state.status], ['TimeoutError: Timed out workflow "a" after 100 ms', "failed"]);
  assertEquals([states.length, state.input, state.updatedAt], [4, 3, 100]);
  const started = states.map(({ history }) => history[0] as WorkflowStartedEvent);
  assertEquals(started.map(({ timeoutMs, deadlineAt }) => [timeoutMs, deadlineAt]), [
    [100, undefined],
    [100, 100],
    [100, 100],
    [100, 100],
  ]);
  assert(points > 10);
});

Deno.test("WorkflowOptions.timeoutMs of a chain counts from startAt", async () => {
  const { executor, clock } = setUp();
  const handle = await executor.execute(rounds, { input: 0, startAt: 1000, timeoutMs: 100 });
  await assertRejects(() => handle.result(), TimeoutError);
  assertEquals(clock.now(), 1100);
  await executor.close();
});

Deno.test("ChildOptions.timeoutMs covers the whole chain of a child", async () => {
  const { undisturbed } = await crashTest(async (ctx: WorkflowContext) => {
    const error = await ctx.executeChild(rounds, 0, { id: "b", timeoutMs: 100 }).catch((error) => error);
    return [error.name, error.message, error.timeoutMs, ctx.now()];
  }, { workflows: { rounds } });
  assertEquals(undisturbed.result, ["TimeoutError", 'Timed out workflow "b" after 100 ms', 100, 100]);
});

Deno.test("WorkflowOptions.timeoutMs that passes while a run is being continued ends the next run at once", async () => {
  const clock = new VirtualClock();
  const store = new FaultyStore(new InMemoryStore(), { latencyMs: [80, 80], clock });
  await using executor = new Executor({ store, clock });
  async function late(ctx: Ctx<number>, round: number): Promise<unknown> {
    if (round === 1) return await ctx.sleep(1000);
    return await ctx.continueAsNew(1);
  }
  const handle = await executor.execute(late, { id: "a", input: 0, timeoutMs: 100 });
  await assertRejects(() => handle.result(), TimeoutError, 'Timed out workflow "a" after 100 ms');
  const types = typesOf((await store.inner.load("a"))!.history);
  assertEquals(types, ["workflow_started", "timer_started", "cancel_requested", "workflow_failed"]);
});

for (
  const [what, end, outcome] of [
    ["returns", () => "swallowed", 'TimeoutError: Timed out workflow "a" after 50 ms'],
    [
      "throws another error",
      () => {
        throw new RangeError("while it cleaned up");
      },
      'TimeoutError: Timed out workflow "a" after 50 ms <- RangeError: while it cleaned up',
    ],
    [
      "throws its own CanceledError",
      () => {
        throw new CanceledError("mine");
      },
      'TimeoutError: Timed out workflow "a" after 50 ms',
    ],
  ] as const
) {
  Deno.test(`a workflow that ${what} after its timeout ends failed with that TimeoutError, and is compensated`, async () => {
    const { undisturbed: { state, error, calls } } = await crashTest(async (ctx: WorkflowContext) => {
      ctx.addCompensation((ctx) => ctx.executeActivity(function undo() {}), { name: "undo" });
      await ctx.sleep(100).catch(() => {});
      await ctx.shield((ctx) => ctx.sleep(20));
      return end();
    }, { id: "a", timeoutMs: 50 });
    const { cause } = error as Error;
    assertEquals([`${error}${cause === undefined ? "" : ` <- ${cause}`}`, state.status], [outcome, "failed"]);
    assertEquals([calls.map(({ name }) => name), state.updatedAt], [["undo"], 70]);
  });
}

Deno.test("a workflow whose branch fails after its timeout ends failed with that TimeoutError", async () => {
  const { undisturbed: { state, error } } = await crashTest(async (ctx: WorkflowContext) => {
    ctx.spawn(async (ctx) => {
      await ctx.sleep(100).catch(() => {});
      throw new RangeError("the branch");
    });
    await ctx.shield((ctx) => ctx.sleep(80));
    return "late";
  }, { id: "a", timeoutMs: 50 });
  assertEquals([`${error}`, `${(error as Error).cause}`, state.status], [
    'TimeoutError: Timed out workflow "a" after 50 ms',
    "RangeError: the branch",
    "failed",
  ]);
});

Deno.test("a workflow that ends in time and cleans up beyond its timeout keeps its result", async () => {
  const { undisturbed: { state, result } } = await crashTest((ctx: WorkflowContext) => {
    ctx.shield((ctx) => ctx.sleep(100));
    return "in time";
  }, { timeoutMs: 50 });
  assertEquals([result, state.status, state.updatedAt], ["in time", "completed", 100]);
});

// continueAsNew and scopes

Deno.test("WorkflowContext.continueAsNew() in a cancelled run rejects with the reason, also in a scope that is cancelled", async () => {
  const { undisturbed: { state, result, states } } = await crashTest(async (ctx: Ctx<number>, _round: number) => {
    const again = (ctx: Ctx<number>) => ctx.continueAsNew(1, { canceled: false }).catch(String);
    await ctx.sleep(100).catch(() => {});
    const cut = ctx.shield((ctx) => {
      ctx.cancel("not needed");
      return again(ctx);
    });
    return [await again(ctx), await cut];
  }, { id: "a", input: 0, cancel: { atMs: 50, reason: "stop" } });
  const reason = 'CanceledError: Canceled workflow "a": stop';
  const cut = 'CanceledError: Canceled a scope of workflow "a": not needed';
  assertEquals([result, state.status, states.length], [[reason, cut], "completed", 1]);
});

Deno.test("WorkflowContext.continueAsNew() in a shield of a cancelled run is followed by one that begins cancelled", async () => {
  const tidied: number[] = [];
  const tidy = (n: number) => void tidied.push(n);
  const { undisturbed: { state, error, states } } = await crashTest(async (ctx: Ctx<number>, left: number) => {
    try {
      await ctx.sleep(100);
    } finally {
      await ctx.shield(async (ctx) => {
        await ctx.executeActivity(tidy, left);
        if (left > 1) await ctx.continueAsNew(left - 1);
      });
    }
  }, { id: "a", input: 3, cancel: { atMs: 50, reason: "stop" }, setUp: () => void (tidied.length = 0) });
  assertEquals([`${error}`, state.status, states.length, state.updatedAt], [
    'CanceledError: Canceled workflow "a": stop',
    "canceled",
    3,
    50,
  ]);
  assertEquals([...new Set(tidied)], [3, 2, 1]);
});

Deno.test("WorkflowContext.continueAsNew() at once in a run that begins cancelled carries the cancellation over once", async () => {
  const { undisturbed: { state, states } } = await crashTest(async (ctx: Ctx<number>, round: number) => {
    if (round === 0) await ctx.sleep(100).catch(() => {});
    if (round < 3) await ctx.shield((ctx) => ctx.continueAsNew(round + 1));
    await ctx.sleep(100);
  }, { id: "a", input: 0, cancel: { atMs: 50 } });
  const cancels = states.map(({ history }) => history.filter(({ type }) => type === "cancel_requested").length);
  assertEquals([state.status, cancels], ["canceled", [1, 1, 1, 1]]);
});

for (const round of [0, 1]) {
  Deno.test(`WorkflowContext.continueAsNew() with canceled: false in run ${round} ends the cancellation: the next run is not cancelled`, async () => {
    const { undisturbed: { state, result, states } } = await crashTest(async (ctx: Ctx<number>, n: number) => {
      try {
        await ctx.sleep(100);
        return ctx.signal.aborted;
      } catch {
        return await ctx.shield((ctx) => ctx.continueAsNew(n + 1, n === round ? { canceled: false } : {}));
      }
    }, { id: "a", input: 0, cancel: { atMs: 50 } });
    assertEquals([result, state.status, states.length, state.updatedAt], [false, "completed", round + 2, 150]);
  });
}

Deno.test("WorkflowContext.continueAsNew() with canceled: false carries over a cancellation that the run has not seen", async () => {
  const { executor } = setUp();
  let go!: () => void;
  const handle = await executor.execute(async (ctx: Ctx<number>, round: number) => {
    if (round === 1) await ctx.sleep(100);
    else {
      await ctx.executeActivity(() => new Promise<void>((resolve) => go = resolve));
      await ctx.continueAsNew(1, { canceled: false });
    }
  }, { id: "a", input: 0 });
  await settle();
  go();
  const canceled = handle.cancel();
  await assertRejects(() => handle.result(), CanceledError);
  await canceled;
  await executor.close();
});

Deno.test("WorkflowContext.continueAsNew() with canceled: false does not extend the timeout of the workflow", async () => {
  const { undisturbed: { state, error } } = await crashTest(async (ctx: Ctx<number>, round: number) => {
    try {
      await ctx.sleep(100);
    } catch {
      if (round < 2) await ctx.shield((ctx) => ctx.continueAsNew(round + 1, { canceled: false }));
    }
  }, { id: "a", input: 0, timeoutMs: 50 });
  assertEquals([`${error}`, state.status, state.updatedAt], [
    'TimeoutError: Timed out workflow "a" after 50 ms',
    "failed",
    50,
  ]);
});

Deno.test("WorkflowContext.continueAsNew() with canceled: false rejects when the time of the workflow is up: a loop that continues whatever happens ends", async () => {
  const { undisturbed: { error, states } } = await crashTest(
    async (ctx: Ctx<number>, round: number): Promise<never> => {
      await ctx.sleep(100).catch(() => {});
      return await ctx.shield((ctx) => ctx.continueAsNew(round + 1, { canceled: false }));
    },
    { id: "a", input: 0, timeoutMs: 250 },
  );
  assertEquals([`${error}`, states.length], ['TimeoutError: Timed out workflow "a" after 250 ms', 3]);
});

Deno.test("Executor.cancel() reaches the next run when the run is being continued as new with canceled: false", async () => {
  const { executor, store } = setUp({ store: new FaultyStore() });
  const handle = await executor.execute(async (ctx: Ctx<number>, round: number) => {
    const slept = await ctx.waitForSignal("never").catch((error) => error);
    if (round === 1) throw slept;
    await ctx.shield((ctx) => ctx.continueAsNew(1, { canceled: false }));
  }, { id: "a", input: 0 });
  let second: Promise<void> | undefined;
  store.before.append = ({ replaces }) => {
    if (replaces !== undefined) second ??= executor.cancel("a", "again");
  };
  await executor.cancel("a", "once");
  await assertRejects(() => handle.result(), CanceledError, "again");
  await second;
  await executor.close();
});

Deno.test("a child that continues as new with canceled: false is cancelled again after a recovery, once its parent has ended", async () => {
  const child = async (ctx: Ctx<number>, round: number) => {
    try {
      await ctx.waitForSignal("never");
    } catch (error) {
      if (round === 1) throw error;
      await ctx.shield((ctx) => ctx.continueAsNew(1, { canceled: false }));
    }
  };
  const parent = async (ctx: WorkflowContext) => await ctx.startChild(child, 0, { id: "child" }).started;
  const { executor, store, clock } = setUp({ workflows: { parent, child } });
  await (await executor.execute(parent, { id: "a" })).result();
  await settle();
  assertEquals((await store.load("child"))!.status, "running");
  await executor.close();
  const next = new Executor({ store, clock, workflows: { parent, child } });
  await next.recover();
  await assertRejects(() => next.handle("child").then((handle) => handle.result()), CanceledError);
  await next.close();
});

// Another workflow

const second = async (ctx: Ctx<string>, text: string) => {
  await ctx.sleep(10);
  return `${text}, ${await ctx.waitForSignal("s")}`;
};
const first = async (ctx: WorkflowContext): Promise<string> => {
  await ctx.waitForSignal("go");
  return await ctx.continueAsNew("from first", { workflow: second });
};

Deno.test("WorkflowContext.continueAsNew() with another workflow runs that, under its name, also after a crash", async () => {
  const { undisturbed: { result, states } } = await crashTest(first, {
    id: "a",
    workflows: { first, second },
    signals: [{ atMs: 1, name: "s", payload: "kept" }, { atMs: 2, name: "go" }],
  });
  assertEquals(result, "from first, kept");
  assertEquals(states.map(({ workflowName, input }) => [workflowName, input]), [["first", undefined], [
    "second",
    "from first",
  ]]);
});

Deno.test("Executor.describe(), openRuns() and a list by name know a chain by the workflow that it continues as", async () => {
  const { executor, store } = setUp();
  const handle = await executor.execute(first, { id: "a" });
  await handle.signal("go");
  await settle();
  assertEquals((await executor.describe("a")).workflowName, "second");
  assertEquals(executor.openRuns().map(({ workflowName }) => workflowName), ["second"]);
  assertEquals((await store.list({ workflowName: "second" })).length, 1);
  assertEquals(await store.list({ workflowName: "first" }), []);
  await handle.signal("s", "x");
  assertEquals(await handle.result(), "from first, x");
  await executor.close();
});

Deno.test("WorkflowContext.continueAsNew() with a workflow that the executor was not given: its run can be queried after its end", async () => {
  const { executor } = setUp({ workflows: { first } });
  function answering(ctx: WorkflowContext) {
    ctx.handleQuery("n", () => 7);
  }
  const start = (ctx: WorkflowContext) => ctx.continueAsNew(undefined, { workflow: answering });
  await (await executor.execute(start, { id: "a" })).result();
  assertEquals(await executor.query("a", "n"), 7);
  await executor.close();
});

for (
  const [options, message] of [
    [{ workflow: "second" }, 'Cannot continue as new: "workflow" must be a function, got "second"'],
    [{ canceled: "no" }, 'Cannot continue as new: "canceled" must be a boolean, got "no"'],
    [{ cancelled: false }, "cancelled"],
  ] as const
) {
  Deno.test(`WorkflowContext.continueAsNew() refuses ${JSON.stringify(options)}`, async () => {
    const { executor } = setUp();
    const handle = await executor.execute((ctx: Ctx<number>) => ctx.continueAsNew(1, options as never), { input: 0 });
    await assertRejects(() => handle.result(), TypeError, message);
    await executor.close();
  });
}

Deno.test("a cancellation is not lost in a loop that continues as new whatever happens", async () => {
  const { undisturbed: { state, error } } = await crashTest(async (ctx: Ctx<number>, round: number): Promise<never> => {
    try {
      await ctx.sleep(30);
    } catch {
      // goes on
    }
    return await ctx.continueAsNew(round + 1);
  }, { id: "a", input: 0, cancel: { atMs: 50, reason: "stop" } });
  assertEquals([`${error}`, state.status], ['CanceledError: Canceled workflow "a": stop', "canceled"]);
});

for (
  const [what, fail] of Object.entries({
    "a branch of which has failed": async (ctx: Ctx<number>) => {
      ctx.spawn(() => {
        throw new RangeError("failed");
      });
      await ctx.sleep(10).catch(() => {});
      await ctx.continueAsNew(1);
    },
    "that has failed, from a shield": (ctx: Ctx<number>) => {
      void ctx.shield(async (ctx) => {
        await ctx.sleep(10);
        await ctx.continueAsNew(1);
      });
      throw new RangeError("failed");
    },
    "that has failed, from a compensation": (ctx: Ctx<number>) => {
      ctx.addCompensation(() => ctx.continueAsNew(1).catch(() => {}));
      throw new RangeError("failed");
    },
  })
) {
  Deno.test(`WorkflowContext.continueAsNew() of a run ${what}, rejects: it is undone, and the failure is not lost`, async () => {
    const { undisturbed: { error, states, calls } } = await crashTest(
      async (ctx: Ctx<number>, round: number): Promise<unknown> => {
        if (round === 1) return "continued";
        ctx.addCompensation((ctx) => ctx.executeActivity(function undo() {}));
        return await fail(ctx);
      },
      { input: 0 },
    );
    assertEquals([`${error}`, states.length, calls.length], ["RangeError: failed", 1, 1]);
  });
}

Deno.test("WorkflowContext.continueAsNew() ends the run from any scope, and undoes nothing", async () => {
  const { undisturbed: { result, states, calls } } = await crashTest(
    async (ctx: Ctx<number>, round: number): Promise<unknown> => {
      if (round === 4) return "done";
      ctx.addCompensation((ctx) => ctx.executeActivity(function undo() {}));
      const go = (ctx: Ctx<number>) => ctx.continueAsNew(round + 1);
      ctx.spawn(async (ctx) => {
        await ctx.sleep(10);
        if (round === 0) await go(ctx);
      });
      await ctx.sleep(20);
      if (round === 1) {
        return await ctx.scope((ctx) => {
          ctx.cancel(); // the run is not cancelled
          return go(ctx);
        });
      }
      if (round === 2) return await ctx.shield((ctx) => ctx.scope(go));
      return await ctx.scope((inner) => go(inner), { timeoutMs: 1000 });
    },
    { input: 0 },
  );
  assertEquals([result, states.length, calls.length], ["done", 5, 0]);
});

Deno.test("WorkflowContext.continueAsNew() of a scope that has ended rejects", async () => {
  const { undisturbed: { result } } = await crashTest(async (ctx: Ctx<number>, round: number): Promise<unknown> => {
    if (round === 1) return "continued";
    const late = await ctx.scope((ctx) => ctx);
    return await late.continueAsNew(1).catch(String);
  }, { id: "a", input: 0 });
  assertEquals(result, 'CanceledError: A scope of workflow "a" has ended; use the context around it');
});

Deno.test("WorkflowContext.continueAsNew() ends a run whose shields are waited for", async () => {
  const { undisturbed: { result, states } } = await crashTest(
    async (ctx: Ctx<number>, round: number): Promise<unknown> => {
      if (round === 1) return "continued";
      ctx.shield(async (ctx) => {
        await ctx.sleep(20);
        await ctx.continueAsNew(1);
      });
      await ctx.sleep(10);
      return "returned";
    },
    { input: 0 },
  );
  assertEquals([result, states.length], ["continued", 2]);
});

Deno.test("WorkflowContext.continueAsNew() leaves signals to the next run, whatever branches do in the same turn", async () => {
  const { executor } = setUp();
  const workflow = async (ctx: Ctx<number>, round: number): Promise<unknown> => {
    if (round === 2) return [await ctx.waitForSignal("s"), await ctx.waitForSignal("s")];
    await (round === 0 ? ctx.waitForSignal("go") : ctx.sleep(1));
    const taken: unknown[] = [];
    const loop = ctx.receiveSignal("s")[Symbol.asyncIterator]();
    if (round === 0) loop.return?.(); // else it holds what is unread
    ctx.continueAsNew(round + 1);
    taken.push(ctx.takeSignal("s"));
    void loop.next().then((n) => taken.push(n));
    for (let i = 0; i < 3; i++) {
      void ctx.waitForSignal("s").then((n) => taken.push(n));
      await null;
    }
    await ctx.shield((ctx) => ctx.waitForSignal("s"));
  };
  const handle = await executor.execute(workflow, { id: "a", input: 0 });
  for (const n of [1, 2]) await executor.signal("a", "s", n);
  await executor.signal("a", "go");
  assertEquals(await handle.result(), [1, 2]);
  await executor.close();
});

/** Continues as new at once, for ever. */
async function circle(ctx: Ctx<number>, round: number): Promise<void> {
  try {
    return await ctx.continueAsNew(round + 1);
  } finally {
    await ctx.shield((ctx) => ctx.executeActivity(() => "tidied", undefined, { name: "tidy" }));
  }
}

Deno.test("Executor.cancel() ends a chain that continues as new at once, and lets it clean up", async () => {
  const store = new InMemoryStore();
  await using executor = new Executor({ store });
  const handle = await executor.execute(circle, { id: "a", input: 0 });
  await macrotasks(20);
  await handle.cancel("enough");
  await assertRejects(() => handle.result(), CanceledError, "enough");
  const state = (await store.load("a"))!;
  const types = typesOf(state.history).slice(-4);
  assertEquals(types, ["cancel_requested", "activity_started", "activity_completed", "workflow_canceled"]);
  assertEquals((state.history[0] as WorkflowStartedEvent).canceled, true);
  await assertReplays(circle, state);
});

Deno.test("ExecuteOptions.timeoutMs ends a chain that continues as new at once, and one that then returns", async () => {
  async function thenReturns(ctx: Ctx<number>, round: number): Promise<number> {
    return ctx.signal.aborted ? round : await ctx.continueAsNew(round + 1);
  }
  await using executor = new Executor();
  for (const workflow of [circle, thenReturns]) {
    const handle = await executor.execute(workflow as typeof thenReturns, { input: 0, timeoutMs: 5 });
    await assertRejects(() => handle.result(), TimeoutError);
    assertEquals(handle.status, "failed");
  }
});
