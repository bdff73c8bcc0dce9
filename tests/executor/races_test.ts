/** What happens at the same time: a start and a recovery, an append that ends after its run, a process that is gone. */

import { assertEquals, assertRejects } from "@std/assert";
import {
  type ActivityContext,
  type AppendBatch,
  Executor,
  InMemoryStore,
  type StoreListener,
  VirtualClock,
  type WorkflowContext,
  WorkflowError,
} from "@rockpool/workflow";
import { FaultyStore } from "@rockpool/workflow/testing";
import { gate, settle, setUp, typesOf, withoutSubscribe } from "../support/executors.ts";
import { CountingClock } from "../support/fakes.ts";

const waits = (ctx: WorkflowContext) => ctx.waitForSignal("go");
async function naps(ctx: WorkflowContext) {
  await ctx.sleep(50);
  return "done";
}

/** A store that has carried out the first append of an event type, and does not answer until `answer()`. */
function slowAnswer(type: string) {
  const store = new FaultyStore(new InMemoryStore());
  const held = gate();
  let first = true;
  store.after.append = (batch: AppendBatch) => {
    if (!first || batch.events[0]?.type !== type) return;
    first = false;
    return held.promise;
  };
  return { store, answer: () => held.open() };
}

Deno.test("Executor.execute() answers the run that recover() made live while the store was still answering", async () => {
  const held = gate();
  class Slow extends InMemoryStore {
    override async append(batch: AppendBatch): Promise<void> {
      await super.append(batch);
      if (batch.events[0]?.type === "workflow_started") await held.promise;
    }
  }
  const store = new Slow();
  const started: string[] = [];
  const hooks = {
    workflowStarted: (_event: unknown, run: { readonly workflowId: string }) => started.push(run.workflowId),
  };
  const { executor } = setUp({ store, workflows: { naps }, hooks });
  const starting = executor.execute(naps, { id: "a" });
  await settle();
  const recovered = await executor.recover();
  await settle(); // its timer is stored
  held.open();
  const handle = await starting;
  assertEquals(await Promise.all([handle.result(), recovered[0].result()]), ["done", "done"]);
  assertEquals([started, executor.openRuns()], [["a"], []]);
  await executor.close();
});

Deno.test("WorkflowContext.executeChild() gets the result of a child that recover() made live first", async () => {
  const { store, answer } = slowAnswer("workflow_started");
  const parent = (ctx: WorkflowContext) => ctx.executeChild(waits, undefined, { id: "child" });
  const { executor } = setUp({ store, workflows: { waits, parent } });
  answer(); // of the parent's start
  const handle = await executor.execute(parent, { id: "p" });
  const held = gate();
  store.after.append = ({ workflowId }: AppendBatch) => workflowId === "child" ? held.promise : undefined;
  await settle();
  await executor.recover();
  store.after.append = undefined as never;
  held.open();
  await executor.signal("child", "go", "done");
  assertEquals(await handle.result(), "done");
  await executor.close();
});

Deno.test("Executor.recover() shows a run the signal that its suspended predecessor had on its way", async () => {
  const { store, answer } = slowAnswer("signal_received");
  let bug: (() => void) | undefined;
  const workflow = async (ctx: WorkflowContext) => {
    if (bug === undefined) new Promise<void>((resolve) => bug = resolve).then(() => ctx.sleep(1)); // a foreign wait
    return await ctx.waitForSignal("go");
  };
  const held = gate();
  store.before.append = ({ events }: AppendBatch) => events[0]?.type === "signal_received" ? held.promise : undefined;
  const { executor } = setUp({ store, workflows: { workflow } });
  const first = await executor.execute(workflow, { id: "a" });
  await settle();
  const sent = executor.signal("a", "go", "got it");
  await settle();
  bug!();
  assertEquals((await assertRejects(() => first.result(), WorkflowError)).code, "non_deterministic");
  const [handle] = await executor.recover();
  await settle();
  held.open();
  answer();
  await sent;
  assertEquals(await handle.result(), "got it");
  await executor.close();
});

Deno.test("Executor.recover() leaves a run to the one here that continues as it and waits for the answer of the store", async () => {
  const store = new FaultyStore(new InMemoryStore());
  const held = gate();
  store.after.append = ({ replaces }: AppendBatch) => replaces === undefined ? undefined : held.promise;
  const workflow = (ctx: WorkflowContext<number>, n: number) => n > 0 ? ctx.sleep(60_000) : ctx.continueAsNew(n + 1);
  const virtual = new VirtualClock();
  const clock = new CountingClock(virtual);
  const { executor } = setUp({ store, clock, workflows: { workflow } });
  await executor.execute(workflow, { id: "a", input: 0 });
  await settle(); // the next run is stored
  virtual.hold();
  assertEquals(await executor.recover(), []);
  await settle();
  held.open();
  await settle();
  assertEquals(executor.openRuns().map(({ waitsFor }) => waitsFor), [[{ type: "timer", dueAt: 60_000 }]]);
  await executor.close();
  assertEquals(clock.timers, 0);
});

Deno.test("A workflow that fails before it begins leaves the queue for a slot, and clears its start timer", async () => {
  const { executor, clock } = setUp({ maxConcurrentWorkflows: 1, maxHistoryEvents: 2 });
  const first = await executor.execute(waits, { id: "first" });
  clock.hold();
  const full = [
    await executor.execute(waits, { id: "queued" }),
    await executor.execute(waits, { id: "scheduled", startAfterMs: 60_000 }),
  ];
  for (const { id } of full) {
    await executor.signal(id, "x", 1);
    assertEquals((await assertRejects(() => executor.signal(id, "x", 2), WorkflowError)).code, "not_found");
  }
  for (const handle of full) {
    assertEquals((await assertRejects(() => handle.result(), WorkflowError)).code, "history_too_long");
  }
  await executor.signal("first", "go", "done");
  assertEquals(await first.result(), "done");
  assertEquals(await (await executor.execute(() => "third", { id: "third" })).result(), "third");
  clock.release();
  await settle();
  assertEquals(clock.now(), 0); // no timer is left that would move it
  await executor.close();
});

/** A view of a store that reports changes late while `held`: when `report()` is called. */
function lateReports(inner: InMemoryStore) {
  const late: (() => void)[] = [];
  const view = {
    ...withoutSubscribe(inner),
    held: false,
    subscribe: (listener: StoreListener) =>
      inner.subscribe((...change) => view.held ? void late.push(() => listener(...change)) : listener(...change)),
    report() {
      view.held = false;
      for (const report of late.splice(0)) report();
    },
  };
  return view;
}

Deno.test("An activity that was taken over is not ended again when its last failure and its end are found together", async () => {
  const store = new InMemoryStore();
  const [first, second] = [lateReports(store), lateReports(store)];
  const held = gate();
  const pay = ({ attempt }: ActivityContext) =>
    (attempt === 1 ? Promise.resolve() : held.promise).then(() => Promise.reject(new Error("no")));
  const retry = { maxAttempts: 9, initialIntervalMs: 40, jitter: false } as const;
  const workflow = async (ctx: WorkflowContext) => {
    const paying = ctx.scope((ctx) => ctx.executeActivity((_, context) => pay(context), 0, { name: "pay", retry }), {
      waitForCanceled: true,
    });
    await paying.catch(() => {});
    return await ctx.shield((ctx) => ctx.waitForSignal("go"));
  };
  const started = setUp({ store: first, workflows: { workflow } });
  await started.executor.execute(workflow, { id: "a" });
  await settle(); // the second attempt runs
  const { executor } = setUp({ store: second, workflows: { workflow }, maxConcurrentActivities: 1, startAt: 100 });
  const free = gate();
  const other = await executor.execute((ctx) => ctx.executeActivity(() => free.promise), { id: "other" });
  const [handle] = await executor.recover();
  await settle(); // it has taken the activity over, which waits for a slot
  first.held = true;
  await executor.cancel("a");
  await settle();
  second.held = true;
  held.open();
  await settle();
  assertEquals(typesOf((await store.load("a"))!.history).slice(-3), [
    "cancel_requested",
    "activity_attempt_failed",
    "activity_failed",
  ]);
  for (const view of [first, second]) view.report();
  await settle();
  free.open();
  await other.result();
  await executor.signal("a", "go", "done");
  assertEquals(await handle.result(), "done");
  const types = typesOf((await store.load("a"))!.history);
  assertEquals(types.filter((type) => type === "activity_failed").length, 1);
  await executor.close();
  await started.executor.close();
});

Deno.test("An activity that was taken over is tried again after the late failure of a process that is gone", async () => {
  for (const slots of [undefined, 1]) {
    const store = new InMemoryStore();
    let arrive: (() => Promise<void>) | undefined;
    const failsLate = slots === undefined ? 2 : 1;
    const dead = withoutSubscribe(store);
    dead.append = (batch) => {
      const [event] = batch.events;
      if (event.type !== "activity_attempt_failed" || event.attempt !== failsLate) return store.append(batch);
      arrive = () => store.append(batch);
      return new Promise<void>(() => {});
    };
    let attempts = 0;
    const pay = () => {
      if (++attempts <= failsLate) throw new Error("no");
      return "paid";
    };
    const retry = { maxAttempts: 9, initialIntervalMs: 40, jitter: false } as const;
    const workflow = (ctx: WorkflowContext) => ctx.executeActivity(pay, undefined, { retry });
    const gone = setUp({ store: dead, workflows: { workflow } });
    await gone.executor.execute(workflow, { id: "a" });
    await settle();
    assertEquals(typeof arrive, "function");
    const { executor, clock } = setUp({
      store,
      workflows: { workflow },
      ...(slots && { maxConcurrentActivities: slots }),
    });
    clock.hold(); // the time of the next attempt has not come here
    const free = gate();
    const other = await executor.execute((ctx) => ctx.executeActivity(() => free.promise), { id: "other" });
    await settle();
    const [handle] = await executor.recover();
    await settle();
    await arrive!();
    await settle();
    free.open();
    clock.release();
    await other.result();
    assertEquals(await handle.result(), "paid");
    await executor.close();
  }
});

Deno.test("WorkflowHandle reaches its run although an older run of the ID is live here and has not noticed it", async () => {
  const inner = new InMemoryStore();
  const store = withoutSubscribe(inner);
  const { executor } = setUp({ store, workflows: { waits } });
  const other = new Executor({ store, workflows: { waits } });
  await executor.execute(waits, { id: "a" });
  const newest = await other.execute(waits, { id: "a", onConflict: "replace" });
  const handle = await executor.handle("a");
  assertEquals(handle.runId, newest.runId);
  await handle.signal("go", "done");
  assertEquals(typesOf((await inner.load("a"))!.history), ["workflow_started", "signal_received"]);
  await other.close();
  await executor.close();
});

Deno.test("ExecutorOptions.dormantAfterMs lets a scheduled run become dormant again after each signal", async () => {
  const store = new FaultyStore(new InMemoryStore());
  store.after.append = () => settle();
  const { executor, clock } = setUp({ store, dormantAfterMs: 0 });
  clock.hold();
  const handle = await executor.execute(waits, { id: "a", startAfterMs: 60_000 });
  const isDormant = async () => {
    for (let i = 0; i < 4; i++) await settle();
    return executor.openRuns()[0].waitsFor;
  };
  assertEquals(await isDormant(), [{ type: "dormant", wakesAt: 60_000 }]);
  await executor.signal("a", "go", 1);
  assertEquals(await isDormant(), [{ type: "dormant", wakesAt: 60_000 }]);
  clock.release();
  assertEquals(await handle.result(), 1);
  await executor.close();
});

Deno.test("WorkflowContext.sleep() counts from the call in a run that woke for its start and waited for a slot", async () => {
  const { executor } = setUp({ dormantAfterMs: 0, maxConcurrentWorkflows: 1 });
  const busy = await executor.execute((ctx: WorkflowContext) => ctx.sleep(1000), { id: "busy" });
  const late = await executor.execute((ctx: WorkflowContext) => ctx.sleep(500), { id: "late", startAfterMs: 100 });
  await Promise.all([busy.result(), late.result()]);
  const { history } = await late.describe({ history: true });
  assertEquals(history.flatMap((event) => event.type === "timer_started" ? [event.dueAt - event.at] : []), [500]);
  await executor.close();
});

Deno.test("WorkflowHandle.result() refuses bad options", async () => {
  const { executor } = setUp();
  const handle = await executor.execute(waits, { id: "a" });
  const messageOf = async (options: unknown) =>
    (await assertRejects(() => handle.result(options as never), TypeError)).message;
  assertEquals([await messageOf({ singal: 1 }), await messageOf({ signal: 5 }), await messageOf(5)], [
    'Cannot wait for workflow "a": "options" has no option "singal"; did you mean "signal"?',
    'Cannot wait for workflow "a": "signal" must be an AbortSignal, got 5',
    'Cannot wait for workflow "a": "options" must be an object, got 5',
  ]);
  await executor.close();
});
