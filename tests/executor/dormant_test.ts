/** Dormant runs: an idle run is dropped from memory, and becomes live again when something arrives for it. The file is longer than 500 lines: it is a list of independent cases, which one searches by name. */

import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import {
  CanceledError,
  Executor,
  type ExecutorOptions,
  InMemoryStore,
  NonDeterminismError,
  TimeoutError,
  type WorkflowContext,
  WorkflowError,
} from "@rockpool/workflow";
import { crashTest, FaultyStore } from "@rockpool/workflow/testing";
import { countingSubscriptions, gate, settle, setUp, typesOf, withoutSubscribe } from "../support/executors.ts";

type Ctx = WorkflowContext;

const dormantAtOnce = { dormantAfterMs: 0 };

/** A workflow that collects signals until one says "end". `begun` counts how often its code was called. */
function collector() {
  const code = {
    begun: 0,
    async collect(ctx: Ctx): Promise<string[]> {
      code.begun++;
      const got: string[] = [];
      ctx.handleQuery("got", () => [...got]);
      ctx.handleUpdate("add", (item: string) => got.push(item));
      for (;;) {
        const item = await ctx.waitForSignal<string>("item");
        if (item === "end") return got;
        got.push(item);
      }
    },
  };
  return code;
}

/** Starts a collector with the ID "a", which becomes dormant. */
async function dormantCollector<Options extends Partial<ExecutorOptions>>(options: Options = {} as Options) {
  const code = collector();
  const store = new FaultyStore();
  const { executor, clock } = setUp({ ...dormantAtOnce, workflows: { collect: code.collect }, ...options, store });
  const handle = await executor.execute(code.collect, { id: "a" });
  await settle();
  const item = (payload: string) => executor.signal("a", "item", payload);
  return { code, store, executor, clock, handle, item };
}

Deno.test("ExecutorOptions.dormantAfterMs restores the state of a dormant run when a signal arrives", async () => {
  const { code, executor, handle, item, store } = await dormantCollector();
  for (const one of ["x", "y"]) {
    await item(one);
    await settle();
  }
  assertEquals([code.begun, handle.status], [3, "running"]);
  await item("end");
  assertEquals(await handle.result(), ["x", "y"]);
  assertEquals([code.begun, handle.status], [4, "completed"]);
  const { history } = (await store.load("a"))!;
  assertEquals(typesOf(history).filter((type) => type === "signal_received").length, 3);
  await executor.close();
});

Deno.test("ExecutorOptions.dormantAfterMs replays a run once when several signals arrive together", async () => {
  const { code, executor, handle, item, store } = await dormantCollector();
  let loads = 0;
  store.before.load = () => void loads++;
  await Promise.all(["x", "y", "z", "end"].map(item));
  assertEquals(await handle.result(), ["x", "y", "z"]);
  assertEquals([code.begun, loads], [2, 1]);
  await executor.close();
});

Deno.test("ExecutorOptions.dormantAfterMs loses no signal that arrives while a run becomes dormant or live", async () => {
  for (let pause = 0; pause < 40; pause++) {
    const { executor, handle, item } = await dormantCollector();
    const sent = [item("x")];
    for (let i = 0; i < pause; i++) await null;
    sent.push(item("y"));
    if (pause % 2) await settle();
    await item("end");
    await Promise.all(sent);
    assertEquals(await handle.result(), ["x", "y"], `${pause}`);
    await executor.close();
  }
});

Deno.test("ExecutorOptions.dormantAfterMs makes a dormant run live when a query or an update arrives", async () => {
  const { code, executor, handle, item } = await dormantCollector();
  await item("x");
  await settle();
  assertEquals(await executor.query("a", "got"), ["x"]);
  await settle();
  assertEquals(await executor.update("a", "add", "y", { updateId: "u" }), 2);
  await settle();
  assertEquals(await executor.update("a", "add", "y", { updateId: "u" }), 2);
  await settle();
  const begun = code.begun;
  assertEquals([begun, (await executor.describe("a")).status], [5, "running"]);
  const none = executor.update("a", "none");
  none.catch(() => {});
  await settle();
  await item("end");
  const error = await assertRejects(() => none, WorkflowError);
  assertEquals(error.message, 'Cannot update workflow "a": it has no handler for "none"; it has "add"');
  assertEquals(await handle.result(), ["x", "y"]);
  await executor.close();
});

Deno.test("ExecutorOptions.dormantAfterMs keeps a run in memory until its updates are answered", async () => {
  let begun = 0;
  const { executor } = setUp(dormantAtOnce);
  const handle = await executor.execute(async (ctx: Ctx) => {
    begun++;
    ctx.handleUpdate("ask", () => ctx.waitForSignal("answer"));
    await ctx.waitForSignal("end");
  }, { id: "a" });
  await settle();
  const answer = executor.update("a", "ask");
  await settle();
  await executor.signal("a", "answer", 42);
  assertEquals([await answer, begun], [42, 2]);
  await executor.signal("a", "end");
  await handle.result();
  await executor.close();
});

Deno.test("ExecutorOptions.dormantAfterMs delivers a cancellation to a dormant run, whose cleanup can be dormant again", async () => {
  const { executor, clock } = setUp(dormantAtOnce);
  clock.hold();
  const handle = await executor.execute(async (ctx: Ctx) => {
    try {
      await ctx.waitForSignal("never");
    } finally {
      await ctx.shield((ctx) => ctx.sleep(1000));
    }
  }, { id: "a", timeoutMs: 100_000 });
  await settle();
  await Promise.all([executor.cancel("a", "enough"), executor.cancel("a", "twice")]);
  clock.release();
  const error = await assertRejects(() => handle.result(), CanceledError);
  assertEquals([error.message, clock.now()], ['Canceled workflow "a": enough', 1000]);
  await executor.close();
});

Deno.test("ExecuteOptions.signal and timeoutMs reach a dormant run", async () => {
  const abort = new AbortController();
  const { executor, clock } = setUp(dormantAtOnce);
  const wait = (ctx: Ctx) => ctx.waitForSignal("never");
  clock.hold();
  const aborted = await executor.execute(wait, { id: "a", signal: abort.signal });
  const late = await executor.execute(wait, { id: "b", timeoutMs: 50 });
  await settle();
  abort.abort(new Error("gone"));
  assertEquals((await assertRejects(() => aborted.result(), CanceledError)).message, 'Canceled workflow "a": gone');
  assertEquals(clock.now(), 0);
  clock.release();
  await assertRejects(() => late.result(), TimeoutError);
  assertEquals(clock.now(), 50);
  await executor.close();
});

Deno.test("Executor.terminate() ends a dormant run without its cleanup", async () => {
  let cleaned = false;
  const { executor } = setUp(dormantAtOnce);
  const handle = await executor.execute(async (ctx: Ctx) => {
    await ctx.waitForSignal("never").finally(() => cleaned = true);
  }, { id: "a" });
  await settle();
  await executor.terminate("a");
  const { code } = await assertRejects(() => handle.result(), WorkflowError);
  assertEquals([code, handle.status, cleaned], ["terminated", "canceled", false]);
  await executor.close();
});

Deno.test("ExecuteOptions.onConflict joins or replaces a dormant run", async () => {
  const { code, executor, handle, item } = await dormantCollector();
  const joined = await executor.execute(code.collect, { id: "a", onConflict: "join" });
  await item("x");
  await settle();
  assertEquals([joined.runId, joined.status], [handle.runId, "running"]);
  const next = await executor.execute(code.collect, { id: "a", onConflict: "replace" });
  for (const old of [handle, joined]) {
    const { code: why } = await assertRejects(() => old.result(), WorkflowError);
    assertEquals(why, old === handle ? "terminated" : "not_found"); // the joined handle reads the store, which holds the next run
  }
  await item("end");
  assertEquals(await next.result(), []);
  await executor.close();
});

Deno.test("ExecutorOptions.dormantAfterMs sets one timer for all dormant runs, and each sleep ends at its time", async () => {
  let armed = 0;
  const { clock, store } = setUp();
  const counting = {
    now: () => clock.now(),
    hold: () => clock.hold(),
    release: () => clock.release(),
    setTimer(dueAt: number, callback: () => void) {
      armed++;
      const clear = clock.setTimer(dueAt, () => {
        armed--;
        callback();
      });
      let cleared = false;
      return () => {
        if (!cleared) armed--;
        cleared = true;
        clear();
      };
    },
  };
  const executor = new Executor({ store, clock: counting, ...dormantAtOnce });
  const woke: number[] = [];
  clock.hold();
  const handles = await executor.executeMany(async function nap(ctx: Ctx, ms: number) {
    await Promise.all([ctx.sleep(ms), ctx.sleep(2 * ms)]);
    woke.push(ctx.now());
  }, [300, 100, 200].map((input) => ({ input })));
  await settle();
  assertEquals(armed, 1);
  clock.release();
  for (const handle of handles) await handle.result();
  assertEquals([woke, armed], [[200, 400, 600], 0]);
  await executor.close();
});

Deno.test("ExecutorOptions.dormantAfterMs does not move a virtual clock and leaves no timer", async () => {
  for (const dormantAfterMs of [0, 1000]) {
    const { clock, executor } = setUp({ dormantAfterMs });
    await executor.execute((ctx: Ctx) => ctx.waitForSignal("never"), { id: "a" });
    await settle();
    assertEquals(clock.now(), 0);
    await executor.close();
  }
});

Deno.test("ExecutorOptions.dormantAfterMs makes a run dormant after its idle time when any run becomes idle", async () => {
  const { code, executor, clock, item, handle } = await dormantCollector({ dormantAfterMs: 1000 });
  const other = await executor.execute((ctx: Ctx) => ctx.waitForSignal("never"), { id: "b" });
  const signalAndSettle = async (id: string) => {
    await executor.signal(id, "some");
    await settle();
  };
  clock.advance(999);
  await signalAndSettle("b");
  assertEquals(await executor.query("a", "got"), []);
  assertEquals(code.begun, 1); // it was still live
  await item("x");
  clock.advance(999);
  await signalAndSettle("b");
  await item("y");
  assertEquals(code.begun, 1); // it was idle for 999 ms only since its last signal
  await settle();
  clock.advance(1000);
  await signalAndSettle("b");
  await item("end");
  assertEquals([await handle.result(), code.begun, other.status], [["x", "y"], 2, "running"]);
  await executor.close();
});

Deno.test("ExecutorOptions.dormantAfterMs fires a timer that is due while its run becomes live", async () => {
  const { executor, store, clock } = setUp({ ...dormantAtOnce, store: new FaultyStore() });
  clock.hold();
  const handle = await executor.execute(async (ctx: Ctx) => {
    const first = await Promise.race([ctx.waitForSignal<string>("s"), ctx.sleep(100)]);
    await ctx.sleep(50);
    return [first, ctx.now()];
  }, { id: "a" });
  await settle();
  const read = gate();
  store.after.load = () => read.promise;
  const sent = executor.signal("a", "s", "signal");
  await settle();
  clock.setTimer(120, () => {});
  clock.next(); // moves to 120: the run is not live yet and has set no timer
  store.after.load = () => {};
  read.open();
  await sent;
  clock.release();
  assertEquals(await handle.result(), ["signal", 170]);
  await executor.close();
});

Deno.test("ExecutorOptions.dormantAfterMs makes a run dormant before its start time", async () => {
  const { executor, clock } = setUp(dormantAtOnce);
  clock.hold();
  const staged = async (ctx: Ctx) => [await ctx.waitForSignal("s"), ctx.now()];
  const handle = await executor.execute(staged, { id: "a", startAfterMs: 100 });
  await settle();
  await executor.signal("a", "s", 1);
  await settle();
  const error = await assertRejects(() => executor.query("a", "x"), WorkflowError);
  assertEquals(error.message, 'Cannot query workflow "a": its code begins in 100 ms');
  clock.release();
  assertEquals(await handle.result(), [1, 100]);
  await executor.close();
});

Deno.test("ExecutorOptions.dormantAfterMs runs no code of a dormant run that is cancelled before its start time", async () => {
  const { executor, store, clock } = setUp(dormantAtOnce);
  clock.hold();
  let begun = 0;
  const handle = await executor.execute((ctx: Ctx) => (begun++, ctx.sleep(1)), { id: "a", startAfterMs: 100 });
  await settle();
  await executor.cancel("a");
  await assertRejects(() => handle.result(), CanceledError);
  const history = typesOf((await store.load("a"))!.history);
  assertEquals([begun, history], [0, ["workflow_started", "cancel_requested", "workflow_canceled"]]);
  await executor.close();
});

async function waitForGo(ctx: Ctx) {
  return await ctx.waitForSignal<number>("go");
}

Deno.test("ExecutorOptions.dormantAfterMs makes a dormant parent live when its child ends", async () => {
  let begun = 0;
  const { executor, store } = setUp(dormantAtOnce);
  const family = async (ctx: Ctx) => {
    begun++;
    const children = ["c", "d"].map((id) => ctx.startChild(waitForGo, undefined, { id }));
    return await Promise.all(children.map((child) => child.result()));
  };
  const handle = await executor.execute(family, { id: "a" });
  await settle();
  for (const [payload, id] of ["c", "d"].entries()) {
    await executor.signal(id, "go", payload);
    await settle();
  }
  assertEquals([await handle.result(), begun], [[0, 1], 3]);
  assertEquals(typesOf((await store.load("a"))!.history).filter((type) => type.startsWith("child")).length, 4);
  await executor.close();
});

async function again(ctx: WorkflowContext<number>, n: number): Promise<number> {
  await ctx.waitForSignal("go");
  return n > 0 ? await ctx.continueAsNew(n - 1) : 7;
}

Deno.test("ExecutorOptions.dormantAfterMs notifies a dormant parent when a child continues as new or is terminated", async () => {
  const { executor } = setUp(dormantAtOnce);
  const parent = async (ctx: Ctx) => {
    const ends = [again, again].map((child, i) =>
      ctx.executeChild(child, 1, { id: `c${i}` }).catch((error) => (error as WorkflowError).code)
    );
    return await Promise.all(ends);
  };
  const handle = await executor.execute(parent, { id: "a" });
  for (let i = 0; i < 2; i++) {
    await settle();
    await executor.signal("c0", "go");
  }
  await settle();
  await executor.terminate("c1");
  assertEquals(await handle.result(), [7, "terminated"]);
  await executor.close();
});

Deno.test("ExecutorOptions.dormantAfterMs closes the dormant child of a dormant parent when the parent is cancelled", async () => {
  const { executor, store } = setUp(dormantAtOnce);
  const parent = (ctx: Ctx) => ctx.executeChild(waitForGo, undefined, { id: "c" });
  const handle = await executor.execute(parent, { id: "a" });
  await settle();
  await executor.cancel("a");
  await assertRejects(() => handle.result(), CanceledError);
  await settle();
  assertEquals((await store.load("c"))!.status, "canceled");
  await executor.close();
});

Deno.test("ExecutorOptions.dormantAfterMs suspends a dormant parent when its child is suspended, and recover() resumes both", async () => {
  const store = new FaultyStore();
  const family = (ctx: Ctx) => ctx.executeChild(waitForGo, undefined, { id: "c" });
  const reports: unknown[] = [];
  const options = { ...dormantAtOnce, workflows: { family, waitForGo }, storeRetry: { maxAttempts: 2 } };
  const { executor } = setUp({ store, ...options, onError: (error) => reports.push(error) });
  const handle = await executor.execute(family, { id: "a" });
  await settle();
  store.before.load = () => {
    throw new Error("the store failed");
  };
  const error = await assertRejects(() => executor.signal("c", "go", 1), WorkflowError);
  assertEquals([error.code, reports], ["store_failed", [error]]);
  store.before.load = () => {};
  assertEquals(await assertRejects(() => handle.result()), error);
  const [again] = await executor.recover();
  await settle();
  await executor.signal("c", "go", 2);
  assertEquals(await again.result(), 2);
  await executor.close();
});

Deno.test("ExecutorOptions.dormantAfterMs makes a run live when another executor writes to it", async () => {
  const { code, executor, clock, store, handle } = await dormantCollector();
  const other = new Executor({ store, clock });
  for (const payload of ["x", "end"]) {
    await other.signal("a", "item", payload);
    await settle();
  }
  assertEquals([await handle.result(), code.begun], [["x"], 3]);
  await Promise.all([executor.close(), other.close()]);
});

Deno.test("ExecutorOptions.dormantAfterMs keeps a dormant parent waiting when another executor continues its child as new", async () => {
  const parent = (ctx: Ctx) => ctx.executeChild(again, 1, { id: "c" });
  const { executor, store, clock } = setUp({ ...dormantAtOnce, workflows: { again, parent } });
  const handle = await executor.execute(parent, { id: "a" });
  await settle();
  const other = new Executor({ store, clock, workflows: { again }, onError() {} }); // it does not know the parent
  await other.recover();
  await settle();
  for (let i = 0; i < 2; i++) {
    await other.signal("c", "go");
    await settle();
  }
  assertEquals(await handle.result(), 7);
  await Promise.all([executor.close(), other.close()]);
});

Deno.test("Executor.signal(), cancel() and terminate() of a dormant run reach the run that another executor continued as new", async () => {
  const sends: [send: (executor: Executor) => Promise<void>, status: string][] = [
    [(executor) => executor.signal("a", "go"), "completed"],
    [(executor) => executor.cancel("a"), "canceled"],
    [(executor) => executor.terminate("a"), "canceled"],
  ];
  for (const [send, status] of sends) {
    const store = new InMemoryStore();
    const { executor, clock } = setUp({ ...dormantAtOnce, store: withoutSubscribe(store) }); // it is not notified
    const other = new Executor({ store, clock, workflows: { again } });
    await executor.execute(again, { id: "a", input: 1 });
    await settle();
    await other.recover();
    await settle();
    await other.signal("a", "go");
    await settle();
    await send(executor);
    await settle();
    assertEquals((await store.load("a"))!.status, status);
    await Promise.all([executor.close(), other.close()]);
  }
});

Deno.test("Executor.query() of a dormant run sees the signals that another executor sent", async () => {
  const { code, executor, clock, store } = await dormantCollector();
  const other = new Executor({ store, clock, workflows: { collect: code.collect } });
  await other.signal("a", "item", "x");
  assertEquals(await executor.query("a", "got"), ["x"]);
  await Promise.all([executor.close(), other.close()]);
});

Deno.test("Executor.query() and update() of a dormant run read the store when another executor has ended or continued the run", async () => {
  for (const payloads of [["end"], ["renew"], ["renew", "x"]]) {
    const collect = async (ctx: WorkflowContext<readonly string[]>, before: readonly string[]): Promise<string[]> => {
      const got = [...before];
      ctx.handleQuery("got", () => [...got]);
      ctx.handleUpdate("add", (item: string) => got.push(item));
      for (;;) {
        const item = await ctx.waitForSignal<string>("item");
        got.push(item);
        if (item === "end") return got;
        if (item === "renew") return await ctx.continueAsNew(got);
      }
    };
    const store = new InMemoryStore();
    const options = { ...dormantAtOnce, workflows: { collect } };
    const { executor, clock } = setUp({ ...options, store: withoutSubscribe(store) }); // it is not notified
    const other = new Executor({ store, clock, workflows: { collect } });
    await executor.execute(collect, { id: "a", input: [] });
    await settle();
    await other.recover();
    await other.update("a", "add", "added", { updateId: "1" });
    for (const payload of payloads) await other.signal("a", "item", payload);
    await settle();
    const answer = executor.update("a", "add", "added", { updateId: "1" });
    assertEquals(await executor.query("a", "got"), ["added", ...payloads]);
    assertEquals(await answer, 1);
    await Promise.all([executor.close(), other.close()]);
  }
});

Deno.test("ExecutorOptions.dormantAfterMs runs no code of a dormant run that another executor has ended", async () => {
  const { code, executor, clock, store, handle } = await dormantCollector();
  const other = new Executor({ store, clock });
  await other.terminate("a");
  const error = await assertRejects(() => handle.result(), WorkflowError);
  assertEquals([error.code, handle.status, code.begun], ["terminated", "canceled", 1]);
  await Promise.all([executor.close(), other.close()]);
});

Deno.test("ExecutorOptions.dormantAfterMs leaves activities to the executor that started them while the run was dormant", async () => {
  const calls: string[] = [];
  const charged = gate<string>();
  async function order(ctx: Ctx) {
    await ctx.waitForSignal("go");
    return await ctx.executeActivity(function charge() {
      calls.push("charge");
      return charged.promise;
    });
  }
  const store = new FaultyStore();
  const { executor, clock } = setUp({ store, ...dormantAtOnce });
  const handle = await executor.execute(order, { id: "a" });
  await settle();
  const { executor: other } = setUp({ store, clock, workflows: { order } });
  await other.recover();
  await other.signal("a", "go");
  await settle();
  assertEquals(calls, ["charge"]);
  charged.open("paid");
  assertEquals([await handle.result(), calls.length], ["paid", 1]);
  await Promise.all([executor.close(), other.close()]);
});

Deno.test("Executor.recover() makes a dormant run live when another executor has resumed it and the store reports no changes", async () => {
  let calls = 0;
  const { promise: never } = gate();
  async function order(ctx: Ctx) {
    await ctx.waitForSignal("go");
    return await ctx.executeActivity(function charge() {
      return ++calls === 1 ? never : "paid";
    });
  }
  const store = new InMemoryStore();
  const { executor, clock } = setUp({ store: withoutSubscribe(store), ...dormantAtOnce });
  const handle = await executor.execute(order, { id: "a" });
  await settle();
  const { executor: other } = setUp({ store, clock, workflows: { order } });
  await other.recover();
  await other.signal("a", "go");
  await settle();
  await other.close();
  assertEquals([await executor.recover(), calls], [[], 1]);
  assertEquals([await handle.result(), calls], ["paid", 2]);
  await executor.close();
});

Deno.test("ExecutorOptions.dormantAfterMs calls hooks once per event and writes each log line once", async () => {
  const log: string[] = [];
  const silent = () => {};
  const logger = { debug: silent, info: (text: string) => log.push(text), warn: silent, error: silent };
  const hooks = {
    workflowStarted: () => log.push("started"),
    signalReceived: () => log.push("signal"),
    workflowCompleted: () => log.push("completed"),
  };
  const { executor } = setUp({ ...dormantAtOnce, hooks, logger });
  const handle = await executor.execute(async (ctx: Ctx) => {
    ctx.log.info("begins");
    for (let i = 0; i < 2; i++) {
      await ctx.waitForSignal("go");
      ctx.log.info(`got ${i}`);
    }
  }, { id: "a" });
  for (let i = 0; i < 2; i++) {
    await settle();
    await executor.signal("a", "go");
  }
  await handle.result();
  assertEquals(log, ["started", "begins", "signal", "got 0", "signal", "got 1", "completed"]);
  await executor.close();
});

Deno.test("ExecutorOptions.dormantAfterMs suspends a run and calls onError when its code no longer fits the history", async () => {
  let edited = false;
  const reports: unknown[] = [];
  const { executor, store } = setUp({ ...dormantAtOnce, onError: (error) => reports.push(error) });
  const handle = await executor.execute(async function order(ctx: Ctx) {
    await ctx.sleep(edited ? 10 : 0);
    if (edited) return;
    await ctx.sideEffect(() => 1);
    await ctx.waitForSignal("go");
  }, { id: "a" });
  await settle();
  const before = await store.load("a");
  edited = true;
  const error = await assertRejects(() => executor.signal("a", "go"), NonDeterminismError);
  assertEquals(await assertRejects(() => handle.result()), error);
  assertEquals([reports, await store.load("a") === before, handle.status], [[error], true, "running"]);
  edited = false;
  const [again] = await executor.recover();
  await executor.signal("a", "go");
  await again.result();
  await executor.close();
});

Deno.test("ExecutorOptions.dormantAfterMs retries a failing store, and suspends the run when the store keeps failing", async () => {
  const reports: unknown[] = [];
  const { executor, handle, item, store } = await dormantCollector({
    storeRetry: { maxAttempts: 3, initialIntervalMs: 5 },
    onError: (error) => reports.push(error),
  });
  let failures = 2;
  store.before.load = () => {
    if (failures-- > 0) throw new Error("the store failed");
  };
  await item("x");
  await settle();
  failures = Infinity;
  const error = await assertRejects(() => item("y"), WorkflowError);
  assertEquals(error.code, "store_failed");
  failures = 0;
  assertEquals([await assertRejects(() => handle.result()), reports], [error, [error]]);
  const [again] = await executor.recover();
  await item("end");
  assertEquals(await again.result(), ["x"]);
  await executor.close();
});

Deno.test("WorkflowHandle.result() of a dormant run rejects when the workflow is deleted", async () => {
  const { executor, handle, store } = await dormantCollector();
  await store.delete("a");
  const error = await assertRejects(() => handle.result(), WorkflowError);
  assertEquals(error.message, 'Cannot resume workflow "a": it was deleted from the store');
  await executor.close();
});

Deno.test("Executor.close() leaves dormant runs to recover(), also while they become live", async () => {
  for (const becomesLive of [false, true]) {
    const { code, executor, handle, item, store, clock } = await dormantCollector();
    await item("x");
    await settle();
    const read = gate();
    store.after.load = () => read.promise;
    const sent = becomesLive ? item("y").catch((error) => error.code) : undefined;
    await settle();
    await executor.close();
    store.after.load = () => {};
    read.open();
    const { code: why } = await assertRejects(() => handle.result(), WorkflowError);
    assertEquals([why, await sent], ["closed", becomesLive ? "closed" : undefined]);
    const { executor: next } = setUp({ store, clock, ...dormantAtOnce, workflows: { collect: code.collect } });
    const [again] = await next.recover();
    await settle();
    await next.signal("a", "item", "end");
    assertEquals(await again.result(), ["x"]);
    await next.close();
  }
});

Deno.test("Executor.close() with drainMs makes no dormant run live", async () => {
  const { clock, executor } = setUp(dormantAtOnce);
  const release = gate();
  let begun = 0;
  await executor.execute(async (ctx: Ctx) => {
    begun++;
    await ctx.sleep(10);
  }, { id: "a" });
  clock.hold();
  await executor.execute((ctx: Ctx) => ctx.executeActivity(() => release.promise), { id: "b" });
  await executor.execute(async (ctx: Ctx) => {
    begun++;
    await ctx.sleep(10);
  }, { id: "c" });
  await settle();
  const before = begun;
  const closed = executor.close({ drainMs: 100 });
  await settle();
  clock.advance(50);
  await settle();
  release.open();
  await closed;
  assertEquals(begun, before);
  clock.release();
});

Deno.test("Executor.close() with drainMs waits for the activities of a parent whose child is dormant", async () => {
  const { executor, store } = setUp(dormantAtOnce);
  const worked = gate<number>();
  await executor.execute(async (ctx: Ctx) => {
    const child = ctx.executeChild(waitForGo, undefined, { id: "c" });
    return await Promise.all([child, ctx.executeActivity(() => worked.promise)]);
  }, { id: "a" });
  await settle();
  const closed = executor.close({ drainMs: 100 });
  await settle();
  worked.open(1);
  await closed;
  assertEquals(typesOf((await store.load("a"))!.history).at(-1), "activity_completed");
});

Deno.test("ExecutorOptions.dormantAfterMs keeps the subscription while a run is dormant, and none after its end", async () => {
  const store = countingSubscriptions();
  const { executor } = setUp({ ...dormantAtOnce, store });
  const handle = await executor.execute(waitForGo, { id: "a" });
  await settle();
  assertEquals(store.subscriptions, 1);
  await executor.signal("a", "go", 1);
  await handle.result();
  assertEquals(store.subscriptions, 0);
  await executor.close();
});

Deno.test("ExecutorOptions.dormantAfterMs counts dormant runs for maxConcurrentWorkflows", async () => {
  const { executor } = setUp({ ...dormantAtOnce, maxConcurrentWorkflows: 1 });
  const handles = [];
  for (const id of ["a", "b"]) handles.push(await executor.execute(waitForGo, { id }));
  await settle();
  for (const [payload, id] of ["b", "a"].entries()) {
    await executor.signal(id, "go", payload);
    await settle();
    assertEquals(handles.map(({ status }) => status)[0], id === "a" ? "completed" : "running");
  }
  assertEquals(await Promise.all(handles.map((handle) => handle.result())), [1, 0]);
  await executor.close();
});

Deno.test("ExecutorOptions.dormantAfterMs keeps a run in memory that waits for an activity or a promise of its own", async () => {
  let begun = 0;
  const { executor } = setUp(dormantAtOnce);
  const [fetched, worked] = [gate<number>(), gate<number>()];
  const handle = await executor.execute(async (ctx: Ctx) => {
    begun++;
    const [one] = await Promise.all([ctx.executeActivity(() => worked.promise), ctx.sleep(0)]);
    return one + await fetched.promise;
  }, { id: "a" });
  await settle();
  worked.open(1);
  await settle();
  fetched.open(2);
  assertEquals([await handle.result(), begun], [3, 1]);
  await executor.close();
});

Deno.test("ExecutorOptions.dormantAfterMs passes unread signals on when a dormant run continues as new", async () => {
  const { executor } = setUp(dormantAtOnce);
  async function count(ctx: WorkflowContext<number>, n: number): Promise<number> {
    const next = await ctx.waitForSignal<number>("n");
    return next < 0 ? n : await ctx.continueAsNew(n + next);
  }
  const handle = await executor.execute(count, { id: "a", input: 0 });
  await settle();
  for (const payload of [1, 2, 3, -1]) void executor.signal("a", "n", payload);
  assertEquals(await handle.result(), 6);
  await executor.close();
});

Deno.test("ExecutorOptions.dormantAfterMs has the same result after a process crash at any step", async () => {
  let begun = 0;
  async function waitForGo(ctx: Ctx) {
    begun++;
    const got = [await ctx.waitForSignal("s"), await ctx.waitForSignal("t", { timeoutMs: 20 }).catch(() => "none")];
    await ctx.sleep(100);
    return [...got, await ctx.waitForSignal("s"), ctx.now()];
  }
  const signals = [{ atMs: 30, name: "s", payload: "x" }, { atMs: 70, name: "s", payload: "y" }];
  const { points, undisturbed } = await crashTest(waitForGo, { executor: dormantAtOnce, signals, timeoutMs: 1000 });
  assertEquals(undisturbed.result, ["x", "none", "y", 150]);
  assert(begun > 3 * points, `${begun}`); // it was dormant, and became live again
});

Deno.test("Executor() refuses a bad dormantAfterMs", () => {
  const error = assertThrows(() => setUp({ dormantAfterMs: -1 }), RangeError);
  assertStringIncludes(error.message, '"dormantAfterMs" must be a finite number from 0, got -1');
  assert(setUp({ dormantAfterMs: 0 }).executor);
});

Deno.test("Executor.openRuns() lists dormant runs, and when they resume by themselves", async () => {
  const { executor, clock } = setUp({ dormantAfterMs: 0, startAt: 100 });
  clock.hold();
  await executor.execute((ctx: Ctx) => ctx.waitForSignal("go"), { id: "a" });
  await executor.execute((ctx: Ctx) => ctx.sleep(1000), { id: "b" });
  await settle();
  assertEquals(executor.openRuns().map(({ workflowId, waitsFor }) => [workflowId, waitsFor]), [
    ["a", [{ type: "dormant" }]],
    ["b", [{ type: "dormant", wakesAt: 1100 }]],
  ]);
  clock.release();
  await executor.close();
});
