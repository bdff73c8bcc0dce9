/** Reads that are old when they answer: a slow list, a slow load, and a store that reads from a copy that is behind. */

import { assertEquals, assertRejects } from "@std/assert";
import {
  type ActivityContext,
  type AppendBatch,
  type Executor,
  InMemoryStore,
  type WorkflowContext,
  WorkflowError,
  type WorkflowEvent,
  type WorkflowState,
  type WorkflowStore,
} from "@rockpool/workflow";
import type { AnyWorkflow } from "@rockpool/workflow/options";
import { FaultyStore } from "@rockpool/workflow/testing";
import { gate, ofType, settle, setUp, withoutSubscribe } from "../support/executors.ts";

type Ctx = WorkflowContext;

/** A view of a store whose next list answers when `answer()` is called, with the states of the call. */
function slowList(inner: InMemoryStore = new InMemoryStore(), subscribes = true) {
  const store = new FaultyStore(subscribes ? inner : withoutSubscribe(inner));
  const held = gate();
  store.after.list = () => held.promise;
  return { store, inner, answer: () => held.open() };
}

/** A view of a store whose next loads can answer with an earlier state. */
class Copy {
  readonly silent: WorkflowStore;
  readonly reporting: WorkflowStore;
  /** The answers of the next loads. */
  earlier: (WorkflowState | null)[] = [];

  constructor(inner: InMemoryStore) {
    const load = async (id: string) => this.earlier.length > 0 ? this.earlier.shift()! : await inner.load(id);
    this.silent = { ...withoutSubscribe(inner), load };
    this.reporting = { ...this.silent, subscribe: (listener) => inner.subscribe(listener) };
  }
}

/**
 * Recovers what `first` runs, in a view of its store. The list shows the runs as they are at the call, and is answered after
 * `meanwhile`, when `first` is closed.
 */
async function recoverLate(
  { store, answer }: { store: WorkflowStore; answer: () => void },
  first: Executor,
  options: { workflows: Record<string, AnyWorkflow>; startAt?: number },
  meanwhile: () => unknown,
) {
  const { executor } = setUp({ store, ...options });
  const recovering = executor.recover();
  await settle();
  await meanwhile();
  await settle();
  await first.close();
  answer();
  return { executor, handles: await recovering };
}

/** An activity that runs until `end()`. */
function heldActivity() {
  const held = gate<string>();
  const calls: unknown[] = [];
  const charge = (input: unknown) => {
    calls.push(input);
    return held.promise;
  };
  return { charge, calls, end: () => held.open("charged") };
}

for (const subscribes of [true, false]) {
  const how = subscribes ? "reports changes" : "does not report changes";

  Deno.test(`Executor.recover() runs no activity again that ended while the list of a store that ${how} was on its way`, async () => {
    const { store, answer } = slowList(undefined, subscribes);
    const { charge, calls, end } = heldActivity();
    const workflow = async (ctx: Ctx) => {
      const charged = await ctx.executeActivity(charge);
      return [charged, await ctx.waitForSignal("go")];
    };
    const { executor } = setUp({ store, workflows: { workflow } });
    const first = await executor.execute(workflow, { id: "a" });
    await settle();
    const recovering = executor.recover();
    await settle();
    end();
    await executor.signal("a", "go", 1);
    assertEquals(await first.result(), ["charged", 1]);
    answer();
    const [handle] = await recovering;
    assertEquals(await handle.result(), ["charged", 1]);
    assertEquals([handle.status, calls.length], ["completed", 1]);
    await executor.close();
  });

  Deno.test(`Executor.recover() runs no activity again that another executor ended meanwhile, in a store that ${how}`, async () => {
    const view = slowList(undefined, subscribes);
    const { charge, calls, end } = heldActivity();
    const workflow = async (ctx: Ctx) => {
      const charged = await ctx.executeActivity(charge);
      return [charged, await ctx.waitForSignal("go")];
    };
    const workflows = { workflow };
    const first = setUp({ store: view.inner, workflows }).executor;
    await first.execute(workflow, { id: "a" });
    await settle();
    const { executor, handles: [handle] } = await recoverLate(view, first, { workflows }, end);
    await executor.signal("a", "go", 1);
    assertEquals(await handle.result(), ["charged", 1]);
    assertEquals(calls.length, 1);
    await executor.close();
  });
}

Deno.test("Executor.recover() shows a run the signal that it stored itself while it read the list", async () => {
  const { store, answer } = slowList(undefined, false);
  const workflow = (ctx: Ctx) => ctx.waitForSignal("go");
  const first = setUp({ store, workflows: { workflow } }).executor;
  await first.execute(workflow, { id: "a" });
  await first.close();
  const { executor } = setUp({ store, workflows: { workflow } });
  const recovering = executor.recover();
  await settle();
  await executor.signal("a", "go", "stored");
  answer();
  const [handle] = await recovering;
  assertEquals(await handle.result(), "stored");
  await executor.close();
});

Deno.test("Executor.recover() passes a signal to one call of an activity when the list is older than its end", async () => {
  const { store, inner, answer } = slowList();
  const { charge, calls, end } = heldActivity();
  const workflow = async (ctx: Ctx) => {
    for await (const n of ctx.receiveSignal<number>("n")) {
      if (n === 0) return;
      await ctx.executeActivity(charge, n);
    }
  };
  const workflows = { workflow };
  const first = setUp({ store: inner, workflows }).executor;
  await first.execute(workflow, { id: "a" });
  await first.signal("a", "n", 1);
  await settle();
  const { executor } = setUp({ store, workflows });
  const recovering = executor.recover();
  await first.signal("a", "n", 2);
  end();
  await settle();
  await first.close();
  answer();
  const [handle] = await recovering;
  await executor.signal("a", "n", 0);
  await handle.result();
  assertEquals(calls, [1, 2]);
  await executor.close();
});

Deno.test("Executor.recover() starts no child again that has ended and was deleted while it read the list", async () => {
  const { store, inner, answer } = slowList();
  const child = (ctx: Ctx) => ctx.waitForSignal("end");
  const parent = async (ctx: Ctx) => {
    await ctx.executeChild(child, undefined, { id: "child" });
    return await ctx.waitForSignal("go");
  };
  const workflows = { parent, child };
  const first = setUp({ store: inner, workflows }).executor;
  await first.execute(parent, { id: "p" });
  await settle();
  const { executor } = setUp({ store, workflows });
  const recovering = executor.recover();
  await settle();
  await first.signal("child", "end");
  await settle();
  await first.close();
  await inner.delete("child");
  answer();
  const handles = await recovering;
  await executor.signal("p", "go", "done");
  assertEquals(await handles.find(({ id }) => id === "p")!.result(), "done");
  assertEquals(await inner.load("child"), null);
  await executor.close();
});

Deno.test("Executor.recover() waits for the next attempt of an activity whose failure was stored while it read the list", async () => {
  const { store, inner, answer } = slowList();
  const held = gate();
  const attempts: string[] = [];
  const pay = async (_: unknown, { attempt }: ActivityContext) => {
    attempts.push(`${attempt} at ${clock.now()}`);
    if (attempt > 1) return "paid";
    await held.promise;
    throw new Error("busy");
  };
  const retry = { initialIntervalMs: 1000, jitter: false } as const;
  const workflow = (ctx: Ctx) => ctx.executeActivity(pay, undefined, { retry });
  const workflows = { workflow };
  const first = setUp({ store: inner, workflows });
  const { executor, clock } = setUp({ store, workflows });
  await first.executor.execute(workflow, { id: "a" });
  await settle();
  const recovering = executor.recover();
  await settle();
  first.clock.hold();
  held.open();
  await settle();
  await first.executor.close();
  answer();
  const [handle] = await recovering;
  assertEquals([await handle.result(), attempts], ["paid", ["1 at 0", "2 at 1000"]]);
  await executor.close();
});

Deno.test("Executor.recover() interrupts no at-most-once activity whose result was stored while it read the list", async () => {
  const view = slowList();
  const { charge, calls, end } = heldActivity();
  const workflow = (ctx: Ctx) => ctx.executeActivity(charge, undefined, { atMostOnce: true });
  const workflows = { workflow };
  const first = setUp({ store: view.inner, workflows }).executor;
  await first.execute(workflow, { id: "a" });
  await settle();
  const { executor, handles: [handle] } = await recoverLate(view, first, { workflows }, end);
  assertEquals([await handle.result(), calls.length], ["charged", 1]);
  await executor.close();
});

Deno.test("Executor.recover() records a timer once that fired while it read the list", async () => {
  const view = slowList();
  let calls = 0;
  const workflow = async (ctx: Ctx) => {
    await ctx.sleep(10);
    await ctx.executeActivity(() => void calls++);
    return await ctx.waitForSignal("go");
  };
  const workflows = { workflow };
  const first = setUp({ store: view.inner, workflows });
  first.clock.hold();
  await first.executor.execute(workflow, { id: "a" });
  await settle();
  const fire = () => first.clock.release();
  const late = await recoverLate(view, first.executor, { workflows, startAt: 5 }, fire);
  const { executor, handles: [handle] } = late;
  await settle();
  await executor.signal("a", "go", 1);
  assertEquals(await handle.result(), 1);
  assertEquals([ofType((await view.inner.load("a"))!.history, "timer_fired").length, calls], [1, 1]);
  await executor.close();
});

Deno.test("Executor.recover() resumes the run that continues a listed one", async () => {
  const view = slowList();
  const workflow = async (ctx: WorkflowContext<number>, n: number) => {
    await ctx.waitForSignal("next");
    return n === 2 ? "end" : await ctx.continueAsNew(n + 1);
  };
  const workflows = { workflow };
  const first = setUp({ store: view.inner, workflows }).executor;
  await first.execute(workflow, { id: "a", input: 1 });
  const next = () => first.signal("a", "next"); // then the next run waits
  const { executor, handles: [handle] } = await recoverLate(view, first, { workflows }, next);
  const result = handle.result();
  await settle();
  assertEquals(executor.openRuns().map(({ waitsFor }) => waitsFor), [[{ type: "signal", name: "next" }]]);
  await executor.signal("a", "next");
  assertEquals(await result, "end");
  await executor.close();
});

Deno.test("Executor.recover() ends the run before the listed one although a copy that is behind still shows it", async () => {
  const inner = new InMemoryStore();
  const copy = new Copy(inner);
  const workflow = async (ctx: WorkflowContext<number>, n: number) => {
    await ctx.waitForSignal("next");
    return n === 2 ? "end" : await ctx.continueAsNew(n + 1);
  };
  const workflows = { workflow };
  const { executor } = setUp({ store: copy.silent, workflows });
  const result = (await executor.execute(workflow, { id: "a", input: 1 })).result();
  await settle();
  const before = await inner.load("a");
  const second = setUp({ store: inner, workflows }).executor;
  await second.recover();
  await second.signal("a", "next"); // the next run waits
  await settle();
  await second.close();
  copy.earlier = [before];
  await executor.recover();
  await settle();
  await executor.signal("a", "next");
  assertEquals(await result, "end");
  await executor.close();
});

Deno.test("Executor.recover() keeps the live run when the list shows the run before", async () => {
  const store = new FaultyStore(new InMemoryStore());
  const workflow = (ctx: Ctx) => ctx.waitForSignal("go");
  const { executor } = setUp({ store, workflows: { workflow } });
  await executor.execute(workflow, { id: "a" });
  const [before] = await store.inner.list();
  const handle = await executor.execute(workflow, { id: "a", onConflict: "replace" });
  store.list = () => Promise.resolve([before]);
  store.load = () => Promise.resolve(before);
  assertEquals(await executor.recover(), []);
  await executor.signal("a", "go", "live");
  assertEquals(await handle.result(), "live");
  await executor.close();
});

Deno.test("ExecutorOptions.dormantAfterMs starts no child again whose end another executor has stored", async () => {
  const inner = new InMemoryStore();
  const store = withoutSubscribe(inner); // the dormant run does not wake at once
  const child = (ctx: Ctx) => ctx.waitForSignal("end");
  const parent = async (ctx: Ctx) => {
    await ctx.executeChild(child, undefined, { id: "child" });
    return await ctx.waitForSignal("go");
  };
  const workflows = { parent, child };
  const { executor } = setUp({ store, workflows, dormantAfterMs: 0 });
  const handle = await executor.execute(parent, { id: "p" });
  await settle();
  assertEquals(executor.openRuns().map(({ waitsFor }) => waitsFor[0].type), ["dormant", "dormant"]);
  const second = setUp({ store: inner, workflows }).executor;
  await second.recover();
  await settle();
  await second.signal("child", "end");
  await settle();
  await second.close();
  await inner.delete("child");
  await executor.signal("p", "go", "done");
  assertEquals(await handle.result(), "done");
  assertEquals(await inner.load("child"), null);
  await executor.close();
});

// Reads of a copy that is behind

Deno.test("Executor.update() elsewhere does not believe a read that was old because the store then fails once", async () => {
  const inner = new InMemoryStore();
  const copy = new Copy(inner);
  const workflow = (ctx: Ctx) => ctx.waitForSignal("end");
  const first = setUp({ store: inner, workflows: { workflow } }).executor;
  await first.execute(workflow, { id: "a" });
  let asked = 0;
  const append = (batch: AppendBatch) => {
    if (batch.events.length === 0 && ++asked === 5) return Promise.reject(new Error("down"));
    return inner.append(batch);
  };
  const { executor } = setUp({ store: { ...copy.reporting, append } });
  const update = assertRejects(() => executor.update("a", "n", 1), WorkflowError, 'its status is "completed"');
  await settle();
  const before = await inner.load("a");
  asked = 0;
  copy.earlier = Array(7).fill(before);
  await first.signal("a", "end");
  await update;
  await Promise.all([executor.close(), first.close()]);
});

Deno.test("WorkflowHandle reaches its run although the copy shows the run before", async () => {
  const inner = new InMemoryStore();
  const copy = new Copy(inner);
  const workflow = async (ctx: Ctx) => {
    ctx.handleQuery("run", () => ctx.runId);
    ctx.handleUpdate("run", () => ctx.runId);
    return await ctx.waitForSignal("go");
  };
  const first = setUp({ store: inner, workflows: { workflow } }).executor;
  await first.execute(workflow, { id: "a" });
  const before = await inner.load("a");
  const { runId } = await first.execute(workflow, { id: "a", onConflict: "replace" });
  const { executor } = setUp({ store: copy.reporting, workflows: { workflow } });
  const handle = await executor.handle("a");
  const calls = [() => handle.query("run"), () => handle.update("run"), async () => (await handle.describe()).runId];
  for (const call of calls) {
    copy.earlier = [before];
    assertEquals(await call(), runId);
  }
  copy.earlier = [before];
  await handle.signal("go", "done");
  assertEquals(await handle.result(), "done");
  await Promise.all([executor.close(), first.close()]);
});

const retry = { maxAttempts: 3, initialIntervalMs: 100, jitter: false } as const;

Deno.test("ChildOptions.retry starts no child again that was cancelled, although the copy does not show it yet", async () => {
  const inner = new InMemoryStore();
  const copy = new Copy(inner);
  const stubborn = async (ctx: Ctx) => {
    await ctx.waitForSignal("never").catch(() => {});
    throw new RangeError("no luck");
  };
  const parent = (ctx: Ctx) => ctx.executeChild(stubborn, undefined, { id: "child", retry });
  const { executor } = setUp({ store: copy.reporting });
  const handle = await executor.execute(parent, { id: "p" });
  await settle();
  copy.earlier = [await inner.load("child")];
  await executor.cancel("child");
  await assertRejects(() => handle.result(), RangeError, "no luck");
  assertEquals(ofType((await inner.load("p"))!.history, "child_attempt_failed"), []);
  await executor.close();
});

Deno.test("ChildOptions.retry starts no child again that has ended and was deleted, although the copy shows the parent before", async () => {
  const inner = new InMemoryStore();
  const copy = new Copy(inner);
  const child = async (ctx: Ctx) => {
    await ctx.waitForSignal("go");
    if (ctx.parent?.attempt === undefined) throw new RangeError("no luck");
  };
  const parent = async (ctx: Ctx) => {
    await ctx.executeChild(child, undefined, { id: "child", retry });
    return await ctx.waitForSignal("end");
  };
  const workflows = { parent, child };
  const { executor, clock } = setUp({ store: copy.silent, workflows });
  clock.hold();
  const handle = await executor.execute(parent, { id: "p" });
  await settle();
  await executor.signal("child", "go");
  await settle();
  const before = await inner.load("p");
  assertEquals(before!.history.at(-1)!.type, "child_attempt_failed");
  const second = setUp({ store: inner, workflows, startAt: 1000 }).executor;
  await second.recover();
  await settle();
  await second.signal("child", "go");
  await settle();
  assertEquals((await inner.load("p"))!.history.at(-1)!.type, "child_completed");
  await second.close();
  await inner.delete("child");
  copy.earlier = [before];
  await clock.advance(100);
  await settle();
  assertEquals(await inner.load("child"), null);
  clock.release();
  await executor.signal("p", "end", "done");
  assertEquals(await handle.result(), "done");
  await executor.close();
});

Deno.test("Executor.update() elsewhere gives a repeated update its answer although the copy does not show it yet", async () => {
  const inner = new InMemoryStore();
  const copy = new Copy(inner);
  const held = gate();
  const workflow = async (ctx: Ctx) => {
    ctx.handleUpdate("n", async (n: number) => {
      if (n === 0) await ctx.executeActivity(() => held.promise);
      return n;
    });
    await ctx.waitForSignal("end");
  };
  const first = setUp({ store: inner, workflows: { workflow } }).executor;
  await first.execute(workflow, { id: "a" });
  await settle();
  const before = await inner.load("a");
  const { executor } = setUp({ store: copy.reporting });
  const slow = executor.update("a", "n", 0, { updateId: "slow" });
  assertEquals(await executor.update("a", "n", 1, { updateId: "one" }), 1);
  await settle();
  copy.earlier = [before];
  assertEquals(await executor.update("a", "n", 1, { updateId: "one" }), 1);
  held.open();
  assertEquals(await slow, 0);
  await Promise.all([executor.close(), first.close()]);
});

Deno.test("Executor.update() elsewhere rejects when the run ends although the copy still shows it running", async () => {
  const inner = new InMemoryStore();
  const copy = new Copy(inner);
  const workflow = (ctx: Ctx) => ctx.waitForSignal("end");
  let before: WorkflowState | undefined;
  const first = setUp({ store: inner, workflows: { workflow } }).executor;
  await first.execute(workflow, { id: "a" });
  const load = async (id: string) => {
    const state = await copy.reporting.load(id);
    if (state?.status === "completed" && before !== undefined) {
      copy.earlier = [before, before]; // for the next two reads
      before = undefined;
    }
    return state;
  };
  const { executor } = setUp({ store: { ...copy.reporting, load } });
  const updates = [1, 2].map((n) => executor.update("a", "n", n, { updateId: `${n}` }));
  for (const update of updates) update.catch(() => {});
  await settle();
  before = (await inner.load("a"))!;
  await first.signal("a", "end");
  for (const update of updates) {
    assertEquals((await assertRejects(() => update, WorkflowError)).code, "not_found");
  }
  await Promise.all([executor.close(), first.close()]);
});

/** Takes signals until one of them says "end". */
async function collect(ctx: Ctx) {
  const got: unknown[] = [];
  for await (const one of ctx.receiveSignal("s")) {
    if (one === "end") break;
    got.push(one);
  }
  return got;
}

const olds: Record<string, (state: WorkflowState) => WorkflowState | null> = {
  "the run as it was": (state) => state,
  "a shorter history than it knows": (state) => ({ ...state, history: state.history.slice(0, 1) }),
  "nothing": () => null,
  "an earlier run that was finished": (state) => ({ ...state, runId: "earlier", status: "completed" }),
  "an earlier run that was running": (state) => ({ ...state, runId: "earlier" }),
};

/** A signal that another executor stores. */
async function storeSignal(store: InMemoryStore, state: WorkflowState, payload: unknown): Promise<void> {
  const { workflowId, runId, history } = state;
  const event: WorkflowEvent = { type: "signal_received", at: 0, name: "s", payload, signalId: `signal ${payload}` };
  await store.append({ workflowId, runId, expectedLength: history.length, events: [event] });
}

for (const [what, make] of Object.entries(olds)) {
  for (const isReported of [true, false]) {
    const how = isReported ? "reported" : "noticed by a conflict";

    Deno.test(`Executor sees a signal of another executor, ${how}, although the first loads return ${what}`, async () => {
      const inner = new InMemoryStore();
      const copy = new Copy(inner);
      const { executor } = setUp({ store: isReported ? copy.reporting : copy.silent });
      const handle = await executor.execute(collect, { id: "a" });
      await executor.signal("a", "s", 1);
      const state = (await inner.load("a"))!;
      copy.earlier = [make(state), make(state), make(state)];
      await storeSignal(inner, state, 2);
      await settle();
      if (isReported) assertEquals(copy.earlier, []);
      await executor.signal("a", "s", "end");
      assertEquals([await handle.result(), copy.earlier], [[1, 2], []]);
      await executor.close();
    });
  }

  Deno.test(`ExecutorOptions.dormantAfterMs wakes a run although the first loads return ${what}`, async () => {
    const inner = new InMemoryStore();
    const copy = new Copy(inner);
    const { executor } = setUp({ store: copy.reporting, dormantAfterMs: 0 });
    const handle = await executor.execute(collect, { id: "a" });
    await executor.signal("a", "s", 1);
    await settle();
    assertEquals(executor.openRuns()[0].waitsFor[0].type, "dormant");
    const old = make((await inner.load("a"))!);
    copy.earlier = [old, old, old];
    await executor.signal("a", "s", "end");
    assertEquals(await handle.result(), [1]);
    await executor.close();
  });
}

Deno.test("Executor.recover() cancels no child whose parent the first load does not return", async () => {
  const inner = new InMemoryStore();
  const copy = new Copy(inner);
  const child = (ctx: Ctx) => ctx.waitForSignal("go");
  const parent = (ctx: Ctx) => ctx.executeChild(child, undefined, { id: "child" });
  const workflows = { parent, child };
  const first = setUp({ store: inner, workflows }).executor;
  await first.execute(parent, { id: "p" });
  await settle();
  await first.close();
  const { executor } = setUp({ store: copy.reporting, workflows });
  copy.earlier = [null]; // for the parent of the child
  const [handle] = await executor.recover();
  await settle();
  await executor.signal("child", "go", "done");
  assertEquals(await handle.result(), "done");
  await executor.close();
});

Deno.test("WorkflowContext.startChild() replaces a finished child although the first load returns it as running", async () => {
  const inner = new InMemoryStore();
  const copy = new Copy(inner);
  const { executor } = setUp({ store: copy.reporting });
  const child = (ctx: Ctx) => ctx.waitForSignal("go");
  const parent = async (ctx: Ctx) => [
    await ctx.executeChild(child, undefined, { id: "child" }),
    await ctx.executeChild(child, undefined, { id: "child" }),
  ];
  const handle = await executor.execute(parent, { id: "p" });
  await settle();
  copy.earlier = [await inner.load("child")];
  await executor.signal("child", "go", 1);
  await settle();
  assertEquals(copy.earlier, []);
  await executor.signal("child", "go", 2);
  assertEquals(await handle.result(), [1, 2]);
  await executor.close();
});

Deno.test("Executor closes a live child of a run that ends although the first load does not return it", async () => {
  const inner = new InMemoryStore();
  const copy = new Copy(inner);
  const { executor } = setUp({ store: copy.reporting });
  const child = (ctx: Ctx) => ctx.waitForSignal("never");
  const parent = async (ctx: Ctx) => {
    ctx.startChild(child, undefined, { id: "child" });
    await ctx.waitForSignal("go");
  };
  const handle = await executor.execute(parent, { id: "p" });
  await settle();
  copy.earlier = [null];
  await executor.signal("p", "go");
  await handle.result();
  copy.earlier = [];
  await settle();
  assertEquals((await inner.load("child"))!.status, "canceled");
  await executor.close();
});

Deno.test("ChildHandle.signal() reaches a live child that a load does not return", async () => {
  const inner = new InMemoryStore();
  const copy = new Copy(inner);
  const { executor } = setUp({ store: copy.reporting });
  const child = (ctx: Ctx) => ctx.waitForSignal("m");
  const parent = async (ctx: Ctx) => {
    const started = ctx.startChild(child, undefined, { id: "child" });
    await ctx.waitForSignal("go");
    await started.signal("m", "hello");
    return await started.result();
  };
  const handle = await executor.execute(parent, { id: "p" });
  await settle();
  copy.earlier = [null];
  await executor.signal("p", "go");
  assertEquals(await handle.result(), "hello");
  await executor.close();
});

Deno.test("Executor.recover() shows a run the signal that its executor was slow to store", async () => {
  const store = new FaultyStore(withoutSubscribe());
  const workflow = (ctx: Ctx) => ctx.waitForSignal("go");
  const first = setUp({ store, workflows: { workflow } }).executor;
  await first.execute(workflow, { id: "a" });
  await first.close();
  const { executor } = setUp({ store, workflows: { workflow } });
  const held = gate();
  store.before.append = ({ events }) => events.length > 0 ? held.promise : undefined;
  const sent = executor.signal("a", "go", "slow");
  await settle();
  const [handle] = await executor.recover();
  await settle();
  held.open();
  await sent;
  assertEquals(await handle.result(), "slow");
  await executor.close();
});

// Reads of a workflow that runs elsewhere

/** Workflow "a" that runs in one executor, and another executor that reads from a copy. */
async function elsewhere(workflow: (ctx: Ctx) => Promise<unknown>) {
  const inner = new InMemoryStore();
  const copy = new Copy(inner);
  const home = setUp({ store: inner }).executor;
  await home.execute(workflow, { id: "a" });
  await settle();
  const { executor } = setUp({ store: copy.reporting });
  return { inner, copy, home, executor };
}

Deno.test("WorkflowHandle.result() returns the result of a run elsewhere although the loads after its end return it as running", async () => {
  const { inner, copy, home, executor } = await elsewhere((ctx) => ctx.waitForSignal("go"));
  const result = (await executor.handle("a")).result();
  await settle();
  const state = await inner.load("a");
  copy.earlier = Array(8).fill(state);
  await home.signal("a", "go", "done");
  assertEquals(await result, "done");
  await Promise.all([home.close(), executor.close()]);
});

/** Continues as new once. */
async function continues(ctx: WorkflowContext<number>, round: number): Promise<string> {
  await ctx.waitForSignal("go");
  return round === 1 ? "done" : await ctx.continueAsNew(1);
}

for (
  const [what, earlier] of Object.entries({
    "the run before": "same",
    "nothing": "none",
    "an earlier workflow": "other",
  })
) {
  Deno.test(`WorkflowHandle.result() waits for the end of a chain that another executor continues although a load shows ${what}`, async () => {
    for (let nth = 0; nth < 6; nth++) {
      const inner = new InMemoryStore();
      const copy = new Copy(inner);
      const older = setUp({ store: inner }).executor;
      await (await older.execute(async () => {}, { id: "a" })).result();
      const other = await inner.load("a");
      const home = setUp({ store: inner }).executor;
      await home.execute(continues, { id: "a", input: 0 });
      await settle();
      const held = gate();
      const append = async (batch: AppendBatch) => {
        await held.promise;
        await inner.append(batch);
      };
      const view = { ...copy.reporting, append };
      const { executor, clock } = setUp({ store: view, workflows: { continues } });
      const [handle] = await executor.recover();
      const result = handle.result();
      await settle();
      const state = await inner.load("a");
      const load = copy.reporting.load;
      let loads = 0;
      view.load = (id) =>
        loads++ === nth ? Promise.resolve({ same: state, none: null, other }[earlier] ?? null) : load(id);
      await home.signal("a", "go"); // it is the first to continue the workflow
      await settle();
      held.open();
      await clock.advance(10_000);
      await home.signal("a", "go");
      assertEquals(await result, "done");
      await Promise.all([older.close(), home.close(), executor.close()]);
    }
  });
}

for (const [what, state] of [["nothing", null], ["an earlier workflow", "older"]] as const) {
  Deno.test(`WorkflowHandle.result() waits for a run elsewhere although the first loads show ${what}`, async () => {
    const inner = new InMemoryStore();
    const copy = new Copy(inner);
    const home = setUp({ store: inner }).executor;
    await (await home.execute(async () => {}, { id: "a" })).result();
    const older = await inner.load("a");
    await home.execute((ctx) => ctx.waitForSignal("go"), { id: "a" });
    const { executor } = setUp({ store: copy.reporting });
    const handle = await executor.handle("a");
    copy.earlier = Array(3).fill(state === null ? null : older);
    const result = handle.result();
    await settle();
    await home.signal("a", "go", "done");
    assertEquals(await result, "done");
    await Promise.all([home.close(), executor.close()]);
  });
}

Deno.test("Executor.update() gets the answer of a run elsewhere although the loads after it return an earlier state", async () => {
  const { inner, copy, home, executor } = await elsewhere(async (ctx) => {
    ctx.handleUpdate("add", async (n: number) => {
      await ctx.waitForSignal("go");
      return n + 1;
    });
    await ctx.waitForSignal("never");
  });
  const answer = executor.update("a", "add", 1);
  await settle();
  const state = await inner.load("a");
  copy.earlier = Array(8).fill(state);
  await home.signal("a", "go");
  assertEquals(await answer, 2);
  await Promise.all([home.close(), executor.close()]);
});

Deno.test("Executor.signal() stores a signal once whose answer was lost, although the loads after it do not show it to the run", async () => {
  const inner = new InMemoryStore();
  const copy = new Copy(inner);
  const store = new FaultyStore(copy.reporting);
  const first = setUp({ store: inner, workflows: { collect } }).executor;
  await first.execute(collect, { id: "a" });
  await first.close();
  const { executor } = setUp({ store, workflows: { collect } });
  const held = gate();
  store.after.append = async ({ events }) => {
    if (events.length === 0) return;
    store.after.append = undefined;
    await held.promise;
    throw new Error("The answer is lost");
  };
  const old = await inner.load("a");
  const sent = executor.signal("a", "s", 1);
  await settle();
  const [handle] = await executor.recover(); // its run loads the signal
  await settle();
  copy.earlier = Array(8).fill(old);
  held.open();
  await sent;
  await executor.signal("a", "s", "end");
  assertEquals(await handle.result(), [1]);
  await executor.close();
});

Deno.test("Executor.execute() returns a handle to its own run although its answer was lost and another executor has continued it", async () => {
  const inner = new InMemoryStore();
  const other = setUp({ store: inner, workflows: { continues } }).executor;
  let isFirst = true;
  async function append(batch: AppendBatch) {
    await inner.append(batch);
    if (!isFirst) return;
    isFirst = false;
    await other.recover();
    await other.signal("a", "go");
    await settle();
    throw new Error("the answer was lost");
  }
  const { executor, clock } = setUp({ store: { ...new Copy(inner).reporting, append } });
  const starting = executor.execute(continues, { id: "a", input: 0 });
  await settle();
  await clock.advance(1000);
  const handle = await starting;
  await other.signal("a", "go");
  assertEquals(await handle.result(), "done");
  assertEquals((await inner.list()).length, 1);
  await Promise.all([other.close(), executor.close()]);
});

Deno.test("Executor.execute() refuses an ID that is running elsewhere and busy, and a store that answers appends with nonsense", async () => {
  const inner = new InMemoryStore();
  const home = setUp({ store: inner }).executor;
  await home.execute(collect, { id: "a" });
  for (
    const append of [
      async (batch: AppendBatch) => {
        if (batch.events.length === 0) await home.signal("a", "s", 1); // the run has changed since
        await inner.append(batch);
      },
      (batch: AppendBatch) => inner.append(batch).then(() => "stored"),
      (batch: AppendBatch) => batch.events.length > 0 ? inner.append(batch) : Promise.reject(),
    ]
  ) {
    const { executor } = setUp({ store: { ...withoutSubscribe(inner), append } as WorkflowStore });
    const error = await assertRejects(() => executor.execute(collect, { id: "a" }), WorkflowError);
    assertEquals(error.code, "already_running");
    await executor.close();
  }
  await home.close();
});

/** Workflow "a" is stored. Updates wait for it in `executor`, in which it is not live. */
async function storedWorkflow() {
  const work = async (ctx: WorkflowContext<boolean>, isNext: boolean): Promise<void> => {
    if (isNext) ctx.handleUpdate("add", (n: number) => n + 1);
    if (await ctx.waitForSignal("go") === "on") await ctx.continueAsNew(true);
  };
  const inner = new InMemoryStore();
  const copy = new Copy(inner);
  const held: Record<number, Promise<void>> = {};
  let loads = 0;
  const load = async (id: string) => {
    await held[++loads];
    return await copy.reporting.load(id);
  };
  const first = setUp({ store: inner, workflows: { work } }).executor;
  await first.execute(work, { id: "a", input: false });
  const { executor } = setUp({ store: { ...copy.reporting, load }, workflows: { work } });
  const holdLoad = (nth: number) => {
    const { promise, open } = gate();
    held[loads + nth] = promise;
    return open;
  };
  return { inner, copy, first, executor, holdLoad };
}

Deno.test("Executor.update() rejects when the run has ended in its executor and a read still shows it running", async () => {
  const { inner, copy, first, executor, holdLoad } = await storedWorkflow();
  await first.close();
  const ask = async (updateId: string) => {
    const error = await assertRejects(() => executor.update("a", "add", 1, { updateId }), WorkflowError);
    assertEquals(error.code, "not_found");
  };
  const asked = [ask("1")];
  await settle();
  const readSecond = holdLoad(1);
  asked.push(ask("2")); // its read takes until the run has become live here and has ended
  await settle();
  await executor.recover();
  await settle();
  const running = await inner.load("a");
  await executor.signal("a", "go");
  await settle();
  copy.earlier = [running, running];
  asked.push(ask("1"));
  await settle();
  readSecond();
  await Promise.all(asked);
  await executor.close();
});

Deno.test("Executor.update() is sent again when the run left its executor before the update was given to it", async () => {
  const { first, executor, holdLoad } = await storedWorkflow();
  const [follow, deliver] = [holdLoad(1), holdLoad(3)]; // the second load is that of the call itself
  const answer = executor.update<number>("a", "add", 1);
  await settle();
  await executor.recover();
  await settle();
  deliver(); // the run is live here: the update is not stored
  await first.signal("a", "go", "on"); // the next run is not live here
  await settle();
  assertEquals(executor.openRuns(), []);
  follow();
  assertEquals(await answer, 2);
  await Promise.all([first.close(), executor.close()]);
});

Deno.test("WorkflowHandle.result() returns when the next run, elsewhere, has as many events as a late read of the run before", async () => {
  const work = async (ctx: WorkflowContext<boolean>, isNext: boolean): Promise<void> => {
    if (isNext) return;
    while (await ctx.waitForSignal("go") !== "on");
    await ctx.continueAsNew(true);
  };
  const inner = new InMemoryStore();
  const store = new FaultyStore(inner);
  const { executor } = setUp({ store, workflows: { work } });
  const handle = await executor.execute(work, { id: "a", input: false });
  await settle();
  const other = setUp({ store: inner, workflows: { work } }).executor;
  await other.recover();
  await settle();
  const read = gate();
  store.after.load = () => read.promise;
  await other.signal("a", "go"); // the read that follows shows two events
  await settle();
  await other.signal("a", "go", "on");
  await settle();
  const { status, history } = (await inner.load("a"))!;
  assertEquals([status, history.length], ["completed", 2]);
  read.open();
  assertEquals(await handle.result(), undefined);
  await Promise.all([executor.close(), other.close()]);
});
