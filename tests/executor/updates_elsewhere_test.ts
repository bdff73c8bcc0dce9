/** Updates through an executor that does not run the workflow. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  defineUpdate,
  Executor,
  type Hooks,
  InMemoryStore,
  type Workflow,
  type WorkflowContext,
  WorkflowError,
} from "@rockpool/workflow";
import { crashTest, FaultyStore, seeded, simulate } from "@rockpool/workflow/testing";
import { assertWellFormed } from "../support/well_formed.ts";
import {
  countingSubscriptions,
  gate,
  macrotasks,
  ofType,
  settle,
  setUp,
  typesOf,
  withoutSubscribe,
} from "../support/executors.ts";

type Ctx = WorkflowContext;

const add = defineUpdate<number, number>("add");

let handled: number[] = [];

async function counter(ctx: Ctx): Promise<number> {
  let sum = 0;
  ctx.handleUpdate(add, async (n) => {
    handled.push(n);
    await ctx.sleep(1);
    if (n === 13) throw new TypeError("No luck");
    return sum += n;
  }, {
    validate(n) {
      if (!(n > 0)) throw new RangeError(`Cannot add ${n}`);
    },
  });
  await ctx.waitForSignal("end");
  return sum;
}

/** A chain that continues as new after each update. */
async function chain(ctx: WorkflowContext<number>, sum: number): Promise<number> {
  let next: number | undefined;
  ctx.handleUpdate(add, (n) => next = sum + n);
  const ended = ctx.waitForSignal("end").then(() => true, () => true);
  await Promise.race([ended, ctx.waitUntil(() => next !== undefined)]);
  return next === undefined ? sum : await ctx.continueAsNew(next);
}

const workflows = { counter: counter as Workflow<never>, chain: chain as unknown as Workflow<never> };

/** Workflow "a" runs in `home`; `other` is an executor on the same store. */
async function setUpTwo(options: { hooks?: Hooks } = {}) {
  handled = [];
  const { executor: home, store, clock } = setUp({ workflows });
  const handle = await home.execute(counter, { id: "a" });
  const other = new Executor({ store, clock, workflows, ...options });
  return {
    home,
    other,
    store,
    clock,
    handle,
    types: async () => typesOf((await store.load("a"))!.history).filter((type) => type.startsWith("update_")),
    close: () => Promise.all([home.close(), other.close()]),
  };
}

Deno.test("Executor.update() through another executor returns what the handler returns", async () => {
  const hooks: string[] = [];
  const record = (event: { type: string }) => hooks.push(event.type);
  const world = await setUpTwo({ hooks: { updateRequested: record, updateAccepted: record, updateCompleted: record } });
  const { other, home } = world;
  assertEquals([await other.update("a", add, 5), await home.update("a", add, 1), await other.update("a", add, 2)], [
    5,
    6,
    8,
  ]);
  assertEquals(await (await other.handle("a")).update(add, 2), 10);
  assertEquals((await world.types()).slice(0, 3), ["update_requested", "update_accepted", "update_completed"]);
  assertEquals(hooks, ["update_requested", "update_requested", "update_requested"]);
  await world.close();
});

Deno.test("Executor.update() through another executor is validated: the handler does not run, and the error is recorded", async () => {
  const world = await setUpTwo();
  const ask = () => world.other.update("a", add, -1, { updateId: "u" });
  await assertRejects(ask, RangeError, "Cannot add -1");
  await assertRejects(ask, RangeError, "Cannot add -1");
  await assertRejects(() => world.home.update("a", add, 5, { updateId: "u" }), RangeError, "Cannot add -1");
  assertEquals([await world.types(), handled], [["update_requested", "update_rejected"], []]);
  await world.close();
});

Deno.test("Executor.update() through another executor throws what the handler throws", async () => {
  const world = await setUpTwo();
  await assertRejects(() => world.other.update("a", add, 13), TypeError, "No luck");
  await world.close();
});

Deno.test("Executor.update() with one updateId through several executors runs the handler once", async () => {
  const world = await setUpTwo();
  const third = new Executor({ store: world.store });
  const ask = (executor: Executor) => executor.update("a", add, 4, { updateId: "u" });
  const executors = [world.other, world.home, third, world.other];
  assertEquals(await Promise.all(executors.map(ask)), [4, 4, 4, 4]);
  assertEquals(await Promise.all(executors.map(ask)), [4, 4, 4, 4]);
  await world.home.signal("a", "end");
  assertEquals([await world.handle.result(), handled, await ask(third)], [4, [4], 4]);
  await Promise.all([world.close(), third.close()]);
});

Deno.test("Executor.update() through another executor waits until an executor runs the workflow", async () => {
  const world = await setUpTwo();
  await world.home.close();
  const update = world.other.update("a", add, 3);
  await settle();
  const next = new Executor({ store: world.store, clock: world.clock, workflows });
  await next.recover();
  assertEquals(await update, 3);
  await Promise.all([next.close(), world.close()]);
});

Deno.test("Executor.update() is answered when its own executor recovers the workflow meanwhile", async () => {
  const world = await setUpTwo();
  await world.home.close();
  const updates = [1, -1].map((n) => world.other.update("a", add, n));
  const outcomes = Promise.allSettled(updates);
  await settle();
  await world.other.recover();
  const [one, bad] = await outcomes;
  assertEquals([one.status === "fulfilled" && one.value, bad.status === "rejected" && bad.reason.message], [
    1,
    "Cannot add -1",
  ]);
  assertEquals(handled, [1]);
  await world.close();
});

Deno.test("Executor.update() through another executor waits for its handler, over continueAsNew too", async () => {
  const late = async (ctx: WorkflowContext<number>, run: number): Promise<unknown> => {
    await ctx.waitForSignal("next");
    if (run < 2) return await ctx.continueAsNew(run + 1);
    ctx.handleUpdate("run", () => run);
    return await ctx.waitForSignal("end");
  };
  const { executor, store } = setUp();
  await executor.execute(late, { id: "a", input: 0 });
  const other = new Executor({ store });
  const updates = [other.update("a", "run", 0, { updateId: "u" }), other.update("a", "run")];
  for (let i = 0; i < 3; i++) {
    await settle();
    assertEquals(ofType((await store.load("a"))!.history, "update_requested").length, 2);
    await other.signal("a", "next");
  }
  assertEquals(await Promise.all(updates), [2, 2]);
  await Promise.all([executor.close(), other.close()]);
});

Deno.test("Executor.update() through another executor gets its answer when the run continues as new at once", async () => {
  const { executor, store, clock } = setUp({ workflows });
  const handle = await executor.execute(chain, { id: "a", input: 0 });
  const other = new Executor({ store, clock });
  for (let i = 1; i <= 5; i++) assertEquals(await other.update("a", add, 1), i);
  assertEquals(await Promise.all([1, 1, 1].map((n) => other.update("a", add, n))), [6, 7, 8]);
  await executor.signal("a", "end");
  assertEquals(await handle.result(), 8);
  await Promise.all([executor.close(), other.close()]);
});

Deno.test("Executor.update() with one updateId goes on when another executor continues the run before it is accepted", async () => {
  const inner = new InMemoryStore();
  const renewable = async (ctx: WorkflowContext<number>, run: number): Promise<unknown> => {
    ctx.handleUpdate("run", () => run);
    await ctx.waitForSignal("next");
    return run < 1 ? await ctx.continueAsNew(run + 1) : run;
  };
  const options = { workflows: { renewable: renewable as unknown as Workflow<never> } };
  const store = new FaultyStore(inner);
  const home = new Executor({ ...options, store });
  await home.execute(renewable, { id: "a", input: 0 });
  const other = new Executor({ ...options, store: inner });
  await other.recover();
  const stopped = gate();
  store.before.append = () => stopped.promise;
  const updates = [1, 2, 3].map(() => home.update("a", "run", 0, { updateId: "u" }));
  await settle();
  await other.signal("a", "next");
  await settle();
  stopped.open();
  assertEquals(await Promise.all(updates), [1, 1, 1]);
  assertEquals(ofType((await inner.load("a"))!.history, "update_accepted").length, 1);
  await Promise.all([home.close(), other.close()]);
});

Deno.test("Executor.update() through another executor wakes a dormant run", async () => {
  const { executor, store, clock } = setUp({ workflows, dormantAfterMs: 0 });
  await executor.execute(counter, { id: "a" });
  await settle();
  const other = new Executor({ store, clock });
  assertEquals(await other.update("a", add, 2), 2);
  await Promise.all([executor.close(), other.close()]);
});

Deno.test("Executor.update() through another executor tells, when the workflow ends or is replaced before the answer, whether a handler may have begun", async () => {
  const wait = async (ctx: Ctx) => {
    ctx.handleUpdate("slow", () => ctx.waitForSignal("never"));
    await ctx.waitForSignal("end");
  };
  for (const name of ["slow", "none"]) {
    const { executor, store } = setUp();
    const handle = await executor.execute(wait, { id: "a" });
    const other = new Executor({ store });
    const ended = other.update("a", name);
    ended.catch(() => {});
    await settle();
    await executor.signal("a", "end");
    await handle.result();
    const error = await assertRejects(() => ended, WorkflowError);
    const [code, why] = name === "slow" // accepted or not
      ? ["update_interrupted", "it ended before it had answered, and the handler may have begun"]
      : ["not_found", 'its status is "completed"'];
    assertEquals([error.code, error.message], [code, `Cannot update workflow "a": ${why}`]);
    await executor.execute(wait, { id: "a" });
    const replaced = other.update("a", name);
    replaced.catch(() => {});
    await settle();
    await executor.execute(wait, { id: "a", onConflict: "replace" });
    const next = await assertRejects(() => replaced, WorkflowError);
    assertEquals(next.code, code);
    assertEquals(typesOf((await store.load("a"))!.history), ["workflow_started"]);
    await Promise.all([executor.close(), other.close()]);
  }
});

Deno.test("Executor.update() rejects with closed when its executor is closed before the answer, and the request stays", async () => {
  const world = await setUpTwo();
  await world.home.close();
  const update = world.other.update("a", add, 3, { updateId: "u" });
  update.catch(() => {});
  await settle();
  await world.other.close();
  const error = await assertRejects(() => update, WorkflowError);
  assertEquals(error.code, "closed");
  const next = new Executor({ store: world.store, clock: world.clock, workflows });
  await next.recover();
  assertEquals([await next.update("a", add, 3, { updateId: "u" }), handled], [3, [3]]);
  await next.close();
});

Deno.test("Executor.update() holds no subscription after its answer, an abort or a refusal", async () => {
  const store = countingSubscriptions();
  const home = new Executor({ store, workflows });
  await home.execute(counter, { id: "a" });
  const before = store.subscriptions;
  const other = new Executor({ store });
  assertEquals([await other.update("a", add, 1), store.subscriptions], [1, before]);
  await home.close();
  const controllers = [new AbortController(), new AbortController()];
  const updates = controllers.map(({ signal }) => other.update("a", add, 1, { signal }));
  updates.forEach((update) => update.catch(() => {}));
  await settle();
  assertEquals(store.subscriptions, 1);
  for (const controller of controllers) controller.abort();
  await settle();
  assertEquals(store.subscriptions, 0);
  await other.terminate("a");
  await assertRejects(() => other.update("a", add, 1), WorkflowError, 'its status is "canceled"');
  assertEquals(store.subscriptions, 0);
  await other.close();
});

Deno.test("Executor.update() rejects with unsupported when the workflow is not live here and the store reports no changes", async () => {
  const inner = new InMemoryStore();
  const { executor } = setUp({ store: inner, workflows });
  await executor.execute(counter, { id: "a" });
  const other = new Executor({ store: withoutSubscribe(inner) });
  const error = await assertRejects(() => other.update("a", add, 1), WorkflowError);
  assertEquals([error.code, error.message], [
    "unsupported",
    'Cannot update workflow "a": it is not live in this executor, and the store cannot report changes; ' +
    "ask the executor that runs it, or call recover() if that is gone",
  ]);
  assertEquals((await inner.load("a"))!.history.length, 1);
  await Promise.all([executor.close(), other.close()]);
});

Deno.test("Executor.update() through another executor is answered before a virtual clock moves, though nobody awaits it", async () => {
  const { executor, store, clock } = setUp();
  const handle = await executor.execute(async (ctx: Ctx) => {
    const log: number[] = [];
    ctx.handleUpdate("u", () => log.push(ctx.now()));
    for (const ms of [3, 4, 5]) await ctx.sleep(ms);
    return log;
  }, { id: "a" });
  const other = new Executor({ store, clock });
  const answers: number[] = [];
  clock.at(5, () => void other.update("a", "u").then(() => answers.push(clock.now())));
  assertEquals([await handle.result(), answers], [[5], [5]]);
  await Promise.all([executor.close(), other.close()]);
});

Deno.test("1,000 updates at once through another executor load the history in proportion to the appends", async () => {
  class Counting extends InMemoryStore {
    loads = 0;
    appends = 0;
    override load(id: string) {
      this.loads++;
      return super.load(id);
    }
    override append(...args: Parameters<InMemoryStore["append"]>) {
      this.appends++;
      return super.append(...args);
    }
  }
  const { executor, store } = setUp({ store: new Counting() });
  await executor.execute(async (ctx: Ctx) => {
    let sum = 0;
    ctx.handleUpdate(add, (n) => sum += n);
    await ctx.waitForSignal("end");
  }, { id: "a" });
  const other = new Executor({ store });
  store.loads = store.appends = 0;
  const answers = await Promise.all(Array.from({ length: 1000 }, () => other.update("a", add, 1)));
  assertEquals(answers, Array.from({ length: 1000 }, (_, i) => i + 1));
  assert(store.loads < 1000 + 2 * store.appends, `${store.loads} loads, ${store.appends} appends`);
  await Promise.all([executor.close(), other.close()]);
});

Deno.test("an update that two executors run is decided once, also if their validations disagree", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = seeded(seed);
    const inner = new InMemoryStore();
    let accepts = 0;
    const picky = async (ctx: Ctx): Promise<number> => {
      let runs = 0;
      ctx.handleUpdate("u", () => ++runs, {
        validate() {
          if (random() < 0.5) throw new RangeError("Not now");
          accepts++;
        },
      });
      await ctx.waitForSignal("end");
      return runs;
    };
    const options = {
      workflows: { picky: picky as Workflow<never> },
      storeRetry: { maxAttempts: 50, initialIntervalMs: 0 },
    };
    const faults = { failBefore: 0.1, failAfter: 0.1, conflict: 0.1 };
    const [home, second, other] = [0, 1, 2].map((i) =>
      new Executor({ ...options, store: new FaultyStore(inner, { seed: 3 * seed + i, ...faults }) })
    );
    await home.execute(picky, { id: "a" });
    await second.recover();
    const outcome = await other.update("a", "u", 0, { updateId: "u" }).catch((error) => error.message);
    await macrotasks(20);
    const { history } = (await inner.load("a"))!;
    const decisions = typesOf(history).filter((type) => /update_(accepted|rejected)/.test(type));
    assertEquals(decisions.length, 1, `seed ${seed}`);
    assertEquals(outcome, decisions[0] === "update_accepted" ? 1 : "Not now", `seed ${seed}, ${accepts} acceptances`);
    await other.signal("a", "end");
    const result = await (await home.handle("a")).result();
    assertEquals(result, decisions[0] === "update_accepted" ? 1 : 0);
    await Promise.all([home, second, other].map((executor) => executor.close()));
  }
});

Deno.test("updates through several executors run once, whatever the store does and whoever runs the workflow", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    handled = [];
    const random = seeded(seed);
    const inner = new InMemoryStore();
    const faults = { failBefore: 0.1, failAfter: 0.1, conflict: 0.1 };
    const options = { workflows, storeRetry: { maxAttempts: 50, initialIntervalMs: 0 } };
    const executors = [0, 1, 2].map((i) =>
      new Executor({ ...options, store: new FaultyStore(inner, { seed: 3 * seed + i, ...faults }) })
    );
    const [home, second, other] = executors;
    await home.execute(chain, { id: "a", input: 0 });
    const asked: Promise<unknown>[] = [];
    const movesAt = Math.floor(random() * 20);
    for (let i = 0; i < 20; i++) {
      const by = i < movesAt ? executors[Math.floor(random() * 3)] : random() < 0.5 ? second : other;
      const ask = (executor: Executor) => executor.update("a", add, 1, { updateId: `${i}` });
      asked.push(
        ask(by).catch((error) => {
          if (error.code !== "closed") throw error;
          return ask(other);
        }),
      );
      if (random() < 0.5) await macrotasks(random() * 5);
      if (i === movesAt) {
        await home.close();
        void second.recover();
      }
    }
    const answers = await Promise.all(asked) as number[];
    assertEquals(answers.toSorted((a, b) => a - b), Array.from({ length: 20 }, (_, i) => i + 1), `seed ${seed}`);
    await other.signal("a", "end", 0, { signalId: "end" });
    assertEquals(await (await second.handle("a")).result(), 20);
    await Promise.all(executors.map((executor) => executor.close()));
  }
});

Deno.test("an update through the store is answered once, wherever the process of the workflow dies", async () => {
  const answers = new Set<unknown>();
  const store = new InMemoryStore();
  // An activity asks another workflow for an update through an executor of its own.
  const opened = gate();
  opened.open();
  const ask = async () => {
    const other = new Executor({ store: current });
    try {
      return await other.update("crash-test", add, 4, { updateId: "u" });
    } finally {
      await other.close();
    }
  };
  let current = store;
  await crashTest(async function asked(ctx: Ctx) {
    let sum = 0;
    ctx.handleUpdate(add, (n) => sum += n);
    const answer = await ctx.executeActivity(ask);
    answers.add(answer);
    return [answer, sum];
  }, {
    store: () => current = new InMemoryStore(),
    check: ({ result }) => assertEquals<unknown>(result, [4, 4]),
  });
  assertEquals([...answers], [4]);
});

Deno.test("updates of a simulated world are answered once, whichever executor they go through", async () => {
  async function four(ctx: Ctx): Promise<number[]> {
    const got: number[] = [];
    await ctx.sleep(20);
    ctx.handleUpdate(add, async (n) => {
      await ctx.sleep(1);
      return got.push(n);
    });
    await ctx.waitUntil(() => got.length === 4);
    return got;
  }
  await simulate({
    workflow: four,
    executors: 3,
    updates: [1, 2, 4, 8].map((n, i) => ({ atMs: 10 * i, name: "add", input: n, check: () => {} })),
    always: ({ state }) => state && assertWellFormed("four", state),
    atEnd: ({ state }) => assertEquals((state!.result as number[]).toSorted((a, b) => a - b), [1, 2, 4, 8]),
  });
});

Deno.test("Executor.update() through another executor rejects, and is not handled again, when the run continues before the handler has ended", async () => {
  let calls = 0;
  async function continuesEarly(ctx: WorkflowContext<number>, round: number): Promise<number> {
    ctx.handleUpdate("slow", async () => {
      calls++;
      if (round === 0) await ctx.waitForSignal("never");
      return round;
    });
    await ctx.waitForSignal("go");
    return round === 1 ? round : await ctx.continueAsNew(1);
  }
  const { executor: home, store, clock } = setUp();
  const other = new Executor({ store, clock });
  const handle = await home.execute(continuesEarly, { id: "a", input: 0 });
  const why = 'Cannot update workflow "a": it was continued as new before it had answered';
  const update = assertRejects(() => other.update("a", "slow", undefined, { updateId: "u" }), WorkflowError, why);
  await settle();
  await home.signal("a", "go");
  assertEquals((await update).code, "update_interrupted");
  for (const executor of [home, other]) {
    await assertRejects(() => executor.update("a", "slow", undefined, { updateId: "u" }), WorkflowError, why);
  }
  assertEquals([calls, await other.update("a", "slow", undefined, { updateId: "v" })], [1, 1]);
  await home.signal("a", "go");
  await handle.result();
  await Promise.all([home.close(), other.close()]);
});

/**
 * Workflow "a" continues as new at the signal "go". An update of the first run is passed on to the next one. The store loses the
 * answer of the append that begins that, and `other` recovers it before `home` tries again.
 */
async function continuedElsewhere() {
  async function twice(ctx: WorkflowContext<boolean>, isNext: boolean): Promise<void> {
    ctx.handleUpdate(add, (n) => n + 1);
    await ctx.waitForSignal(isNext ? "end" : "go");
    if (!isNext) await ctx.continueAsNew(true);
  }
  const inner = new InMemoryStore();
  const store = new FaultyStore(inner);
  const workflows = { twice };
  const { executor: home, clock } = setUp({ store, workflows });
  const handle = await home.execute(twice, { id: "a", input: false });
  await settle();
  const [signalStored, updateStored, lost] = [gate(), gate(), gate()];
  store.after.append = async ({ events }) => {
    const types = typesOf(events);
    if (types[0] === "signal_received") await signalStored.promise;
    if (types[0] === "update_accepted") await updateStored.promise;
    if (types[0] !== "workflow_started") return;
    await lost.promise;
    throw new Error("The answer is lost");
  };
  const signaled = home.signal("a", "go");
  await settle();
  const answer = home.update("a", add, 1, { updateId: "u" });
  await settle();
  signalStored.open();
  await signaled;
  await settle();
  updateStored.open();
  await settle();
  const other = setUp({ store: inner, workflows }).executor;
  await other.recover();
  await settle();
  return { inner, store, clock, home, other, handle, answer, lost };
}

Deno.test("Executor.update() is answered when another executor has answered it in the next run first", async () => {
  const { inner, home, other, handle, answer, lost } = await continuedElsewhere();
  assertEquals(ofType((await inner.load("a"))!.history, "update_completed").length, 1);
  lost.open();
  assertEquals(await answer, 2);
  await other.signal("a", "end");
  await handle.result();
  await Promise.all([home.close(), other.close()]);
});

Deno.test("WorkflowHandle.result() returns when another executor has ended the next run, and the read that shows that run is old", async () => {
  const { inner, store, home, other, handle, answer, lost } = await continuedElsewhere();
  const old = await inner.load("a");
  await other.signal("a", "end");
  await settle();
  let isOld = true;
  const load = store.load.bind(store);
  store.load = async (id) => {
    const state = await load(id);
    return isOld && !(isOld = false) ? old : state;
  };
  lost.open();
  assertEquals([await answer, await handle.result()], [2, undefined]);
  await Promise.all([home.close(), other.close()]);
});
