/** How a run starts: with an ID that is in use, later, many at once, with labels. The file is longer than 500 lines: it is a list of independent cases, which one searches by name. */

import { assert, assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import {
  CanceledError,
  type ExecuteOptions,
  Executor,
  InMemoryStore,
  TimeoutError,
  VirtualClock,
  type WorkflowContext,
  WorkflowError,
  type WorkflowHandle,
} from "@rockpool/workflow";
import { assertReplays, FaultyStore } from "@rockpool/workflow/testing";
import { countMacrotasks, gate, settle, setUp, typesOf } from "../support/executors.ts";

/** Answers its input and the payload of a signal. */
const ask = async (ctx: WorkflowContext, input: string) => `${input} ${await ctx.waitForSignal("go")}`;
const echo = (_ctx: WorkflowContext, input: string) => input;

const go = (executor: Executor, id = "a") => executor.signal(id, "go", "went");

async function codeOf(call: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => call, WorkflowError)).code;
}

// ------------------------------------------------------------------------------------------------ onConflict and reuse

Deno.test('Executor.execute() joins a running workflow of any executor when onConflict is "join"', async () => {
  const { store, clock, executor } = setUp();
  const other = setUp({ store, clock }).executor;
  const first = await executor.execute(ask, { id: "a", input: "first" });
  const joined: WorkflowHandle<string>[] = [];
  for (const one of [executor, other]) {
    joined.push(await one.execute(ask, { id: "a", input: "second", onConflict: "join" }));
  }
  assertEquals(joined.map(({ runId }) => runId), [first.runId, first.runId]);
  await go(other);
  assertEquals(await Promise.all(joined.map((handle) => handle.result())), ["first went", "first went"]);
  assertEquals((await store.load("a"))!.input, "first");
  await Promise.all([executor.close(), other.close()]);
});

Deno.test("Executor.execute() joins a workflow that no executor runs, until recover() resumes it", async () => {
  const { store, executor } = setUp();
  await executor.execute(ask, { id: "a", input: "first" });
  await executor.close();
  const later = setUp({ store, workflows: { ask } }).executor;
  const joined = await later.execute(ask, { id: "a", input: "second", onConflict: "join" });
  await later.recover();
  await go(later);
  assertEquals(await joined.result(), "first went");
  await later.close();
});

Deno.test("Executor.execute() joins the first run when several calls come at once", async () => {
  const { store, clock, executor } = setUp();
  const other = setUp({ store, clock }).executor;
  const handles = await Promise.all(
    [executor, other, executor, other].map((one, i) =>
      one.execute(ask, { id: "a", input: `${i}`, onConflict: "join" })
    ),
  );
  assertEquals(new Set(handles.map(({ runId }) => runId)).size, 1);
  await go(other);
  assertEquals(await Promise.all(handles.map((handle) => handle.result())), Array(4).fill("0 went"));
  await Promise.all([executor.close(), other.close()]);
});

Deno.test("Executor.execute() does not cancel a joined workflow when the signal of the caller is aborted", async () => {
  const { executor } = setUp();
  await executor.execute(ask, { id: "a", input: "first" });
  const abort = new AbortController();
  const joined = await executor.execute(ask, { id: "a", input: "", onConflict: "join", signal: abort.signal });
  abort.abort();
  await settle();
  await go(executor);
  assertEquals(await joined.result(), "first went");
  await executor.close();
});

Deno.test('Executor.execute() terminates a running workflow of any executor when onConflict is "replace"', async () => {
  for (const where of ["here", "elsewhere", "nowhere"] as const) {
    const { store, clock, executor } = setUp();
    const other = setUp({ store, clock }).executor;
    const first = await executor.execute(ask, { id: "a", input: "first" });
    if (where === "nowhere") await executor.close();
    const by = where === "here" ? executor : other;
    const second = await by.execute(ask, { id: "a", input: "second", onConflict: "replace" });
    assertNotEquals(first.runId, second.runId);
    if (where === "here") {
      const error = await assertRejects(() => first.result(), WorkflowError);
      assertEquals([error.code, error.message], ["terminated", 'Terminated workflow "a": a new run replaces it']);
    }
    await go(by);
    assertEquals(await second.result(), "second went", where);
    assertEquals(typesOf((await store.load("a"))!.history)[0], "workflow_started");
    await Promise.all([executor.close(), other.close()]);
  }
});

Deno.test('Executor.execute() with onConflict "replace" starts a run when no workflow is running', async () => {
  const { executor } = setUp();
  const options = { id: "a", onConflict: "replace" } as const;
  for (const input of ["first", "second"]) {
    assertEquals(await (await executor.execute(echo, { ...options, input })).result(), input);
  }
  assertEquals(await codeOf(executor.execute(echo, { ...options, input: "x", reuse: "reject" })), "already_finished");
  await executor.close();
});

Deno.test('Executor.execute() with onConflict "replace" replaces the terminated run whatever reuse is', async () => {
  const { executor } = setUp();
  await executor.execute(ask, { id: "a", input: "first" });
  const second = await executor.execute(echo, { id: "a", input: "second", onConflict: "replace", reuse: "reject" });
  assertEquals(await second.result(), "second");
  await executor.close();
});

Deno.test('Executor.execute() with onConflict "replace" follows reuse when the workflow finishes meanwhile', async () => {
  for (const reuse of ["replace", "reject", "join"] as const) {
    const store = new FaultyStore();
    const { clock, executor } = setUp({ store });
    const other = setUp({ store, clock }).executor;
    const first = await executor.execute(ask, { id: "a", input: "first" });
    store.before.append = async ({ events: [{ type }] }) => {
      if (type !== "workflow_canceled") return;
      store.before.append = undefined;
      await go(executor);
      await first.result();
    };
    const second = other.execute(echo, { id: "a", input: "second", onConflict: "replace", reuse });
    if (reuse === "reject") assertEquals(await codeOf(second), "already_finished");
    else assertEquals(await (await second).result(), reuse === "replace" ? "second" : "first went");
    await Promise.all([executor.close(), other.close()]);
  }
});

Deno.test('Executor.execute() with onConflict "replace" leaves one run when several executors call it', async () => {
  for (let seed = 0; seed < 20; seed++) {
    const store = new FaultyStore();
    const storeRetry = { maxAttempts: Infinity };
    const { clock, executor } = setUp({ store, storeRetry });
    const executors = [executor, ...[1, 2].map(() => setUp({ store, clock, storeRetry }).executor)];
    let calls = seed;
    store.before.append = async () => {
      for (let wait = calls++ * 7 % 5; wait > 0; wait--) await null;
      if (calls % 4 === 0) throw new Error("the store failed");
    };
    store.after.append = () => {
      if (calls % 5 === 0) throw new Error("the answer is lost");
    };
    const handles = await Promise.all(
      executors.map((one, i) => one.execute(ask, { id: "a", input: `${i}`, onConflict: "replace" })),
    );
    store.before.append = store.after.append = undefined;
    const { runId } = (await store.load("a"))!;
    const last = handles.findIndex((handle) => handle.runId === runId);
    await go(executors[0]);
    assertEquals(await handles[last].result(), `${last} went`, `seed ${seed}`);
    for (const [i, handle] of handles.entries()) {
      if (i === last) continue;
      const code = await codeOf(handle.result());
      assert(["terminated", "not_found", "conflict"].includes(code), `seed ${seed}: ${code}`);
    }
    await Promise.all(executors.map((one) => one.close()));
  }
});

Deno.test("Executor.execute() rejects or joins a finished workflow as reuse says", async () => {
  const { store, executor } = setUp();
  const first = await executor.execute(echo, { id: "a", input: "first" });
  await first.result();
  const options = { id: "a", input: "second" };
  const error = await assertRejects(() => executor.execute(echo, { ...options, reuse: "reject" }), WorkflowError);
  assertEquals([error.code, error.message], [
    "already_finished",
    'Cannot execute workflow "a": its status is "completed", and "reuse" is "reject"',
  ]);
  await executor.close();

  const later = setUp({ store }).executor;
  const joined = await later.execute(echo, { ...options, reuse: "join" });
  assertEquals([joined.runId, joined.status, await joined.result()], [first.runId, "completed", "first"]);
  const replaced = await later.execute(echo, { ...options, reuse: "replace" });
  assertEquals(await replaced.result(), "second");
  await (await later.execute((): never => {
    throw new RangeError("no");
  }, { id: "b" })).result().catch(() => {});
  const failed = await later.execute(echo, { id: "b", input: "x", reuse: "join" });
  await assertRejects(() => failed.result(), RangeError, "no");
  await later.close();
});

Deno.test("Executor.execute() with onConflict and reuse starts one run when answers of the store are lost", async () => {
  const cases: ExecuteOptions[] = [{ onConflict: "join", reuse: "join" }, { reuse: "reject" }];
  for (const options of [...cases, { onConflict: "replace", reuse: "reject" }] as ExecuteOptions<string>[]) {
    const store = new FaultyStore();
    const { executor } = setUp({ store });
    let failures = 2;
    store.before.append = store.after.append = () => {
      if (failures-- > 0) throw new Error("the store failed");
    };
    const handle = await executor.execute(echo, { ...options, id: "a", input: "first" });
    assertEquals(await handle.result(), "first");
    assertEquals(typesOf((await store.load("a"))!.history), ["workflow_started", "workflow_completed"]);
    await executor.close();
  }
});

Deno.test("Executor.execute() refuses bad values of onConflict and reuse", async () => {
  const { executor } = setUp();
  const cases: [object, string][] = [
    [{ onConflict: "terminate" }, '"onConflict" must be one of "reject", "join", "replace", got "terminate"'],
    [{ reuse: true }, '"reuse" must be one of "replace", "replace-failed", "reject", "join", got true'],
  ];
  for (const [options, message] of cases) {
    await assertRejects(() => executor.execute(echo, { id: "a", input: "", ...options }), TypeError, message);
  }
  await executor.close();
});

// -------------------------------------------------------------------------------------------------------------- labels

Deno.test("Executor.execute() stores labels, which the context, list(), describe() and recovered runs have", async () => {
  const labelled = async (ctx: WorkflowContext) => {
    await ctx.waitForSignal("go");
    return ctx.labels;
  };
  const { store, executor } = setUp();
  const labels: Record<string, string> = { customer: "7" };
  const started = executor.execute(labelled, { id: "a", labels });
  labels.customer = "8"; // has no effect
  await started;
  await executor.execute(labelled, { id: "b" });
  const ids = (await store.list({ labels: { customer: "7" }, status: "running" })).map(({ workflowId }) => workflowId);
  assertEquals([ids, (await executor.describe("a")).labels], [["a"], { customer: "7" }]);
  await executor.close();

  const restored = InMemoryStore.restore(await store.snapshot());
  const later = setUp({ store: restored, workflows: { labelled } }).executor;
  const handles = await later.recover();
  for (const id of ["a", "b"]) await go(later, id);
  assertEquals(await Promise.all(handles.map((handle) => handle.result())), [{ customer: "7" }, {}]);
  assertEquals(await restored.count({ labels: { customer: "7" }, status: "completed" }), 1);
  await later.close();
});

Deno.test("Executor.execute() keeps the labels when a run continues as new", async () => {
  const once = (ctx: WorkflowContext<boolean>, again = true): unknown => again ? ctx.continueAsNew(false) : ctx.labels;
  const { store, executor } = setUp();
  const handle = await executor.execute(once, { id: "a", labels: { customer: "7" } });
  assertEquals(await handle.result(), { customer: "7" });
  assertEquals(await store.count({ labels: { customer: "7" } }), 1);
  await executor.close();
});

Deno.test("Executor.execute() gives workflow code frozen labels", async () => {
  const { store, executor } = setUp();
  for (const labels of [undefined, { customer: "7" }]) {
    const handle = await executor.execute((ctx: WorkflowContext) => {
      (ctx.labels as Record<string, string>).customer = "8";
    }, { id: "a", labels });
    await assertRejects(() => handle.result(), TypeError);
    assertEquals((await store.load("a"))!.labels, labels);
  }
  await executor.close();
});

Deno.test("Executor.execute() refuses bad labels", async () => {
  const { store, executor } = setUp();
  const cases: [unknown, string][] = [
    [null, '"labels" must be an object of strings, got null'],
    [["7"], '"labels" must be an object of strings, got an Array'],
    [{ n: 7 }, 'Cannot execute workflow "a": "labels.n" must be a string, got 7'],
    [{ n: undefined }, '"labels.n" must be a string, got undefined'],
    [{ f: () => {} }, "Cannot store labels.f: a function"],
  ];
  for (const [labels, message] of cases) {
    await assertRejects(() => executor.execute(() => {}, { id: "a", labels: labels as never }), TypeError, message);
  }
  assertEquals(store.size, 0);
  await executor.close();
});

// ------------------------------------------------------------------------------------------- startAfterMs and startAt

const day = 86_400_000;

/** Answers when its code began, what signal it received, and when it ended. */
async function timed(ctx: WorkflowContext) {
  const began = ctx.now();
  const sent = await ctx.waitForSignal("s", { timeoutMs: 50 }).catch(() => "nothing");
  return { began, sent, ended: ctx.now() };
}

Deno.test("Executor.execute() stores a run at once and starts its code at the start time", async () => {
  for (const options of [{ startAfterMs: 30 * day }, { startAt: 30 * day + 7 }]) {
    const { store, clock, executor } = setUp({ startAt: 7 });
    clock.hold();
    const handle = await executor.execute(timed, { id: "a", ...options });
    await settle();
    assertEquals([handle.status, clock.now()], ["running", 7]);
    const expected = { type: "workflow_started", at: 7, workflowName: "timed", startAt: 30 * day + 7 };
    assertEquals((await store.load("a"))!.history.map((event) => ({ ...event, input: 1 })), [
      { ...expected, input: 1 } as never,
    ]);
    clock.release(); // the clock moves to the start time
    assertEquals(await handle.result(), { began: 30 * day + 7, sent: "nothing", ended: 30 * day + 57 });
    await executor.close();
  }
});

Deno.test("Executor.execute() starts a run at once and records no start time when startAt is in the past", async () => {
  const { store, executor } = setUp({ startAt: 100 });
  for (const options of [{ startAt: 99 }, { startAt: 100 }, { startAt: -1 }, { startAfterMs: 0 }]) {
    const handle = await executor.execute((ctx) => ctx.now(), { id: "a", ...options });
    assertEquals(await handle.result(), 100);
    assertEquals(Object.keys((await store.load("a"))!.history[0]), ["type", "at", "workflowName", "input"]);
  }
  await executor.close();
});

Deno.test("Executor.execute() keeps signals for a run before its start time, and ctx.now() does not go back", async () => {
  const { store, clock, executor } = setUp();
  clock.hold();
  const handle = await executor.execute(timed, { id: "a", startAt: 100 });
  await clock.advance(40);
  await executor.signal("a", "s", "early");
  clock.release();
  assertEquals(await handle.result(), { began: 100, sent: "early", ended: 100 });
  const { history, ...state } = (await store.load("a"))!;
  assertEquals(typesOf(history).slice(0, 2), ["workflow_started", "signal_received"]);
  await store.save({ ...state, status: "running", history: history.slice(0, -1), result: undefined });
  const later = setUp({ store, startAt: 5000, workflows: { timed } }).executor;
  const [replayed] = await later.recover();
  assertEquals(await replayed.result(), { began: 100, sent: "early", ended: 100 });
  await Promise.all([executor.close(), later.close()]);
});

Deno.test("Executor.recover() keeps the start time of a run before and after that time", async () => {
  for (const [recoveredAt, began] of [[40, 100], [100, 100], [500, 100]]) {
    const { store, clock, executor } = setUp();
    clock.hold();
    await executor.execute(timed, { id: "a", startAfterMs: 100 });
    await executor.close();
    const later = setUp({ store, startAt: recoveredAt, workflows: { timed } });
    later.clock.hold();
    const [handle] = await later.executor.recover();
    await later.executor.signal("a", "s", "after the restart");
    later.clock.release();
    const ended = Math.max(began, recoveredAt);
    assertEquals(await handle.result(), { began, sent: "after the restart", ended }, `at ${recoveredAt}`);
    await later.executor.close();
  }
});

Deno.test("Executor.recover() treats a run before its start time as new: patched() answers true", async () => {
  const asksPatched = (ctx: WorkflowContext) => Promise.resolve(ctx.patched("change"));
  const { store, clock, executor } = setUp();
  clock.hold();
  await executor.execute(asksPatched, { id: "a", startAfterMs: 100 });
  await executor.signal("a", "s");
  await executor.close();
  const later = setUp({ store, workflows: { asksPatched } }).executor;
  const [handle] = await later.recover();
  assertEquals(await handle.result(), true);
  await later.close();
});

Deno.test("Executor.cancel() ends a run before its start time without running its code", async () => {
  for (const where of ["here", "elsewhere", "before recover()", "too late for its executor"] as const) {
    let ran = 0;
    const never = () => void ran++;
    const store = new FaultyStore();
    const { clock, executor } = setUp({ store });
    clock.hold();
    let handle: WorkflowHandle = await executor.execute(never, { id: "a", startAfterMs: 100 });
    const other = setUp({ store, clock, workflows: { never } }).executor;
    if (where === "too late for its executor") {
      store.before.append = ({ events: [{ type }] }) => {
        if (type === "workflow_canceled") throw new Error("the process is gone");
      };
      await executor.cancel("a", "changed my mind");
    }
    if (where === "before recover()" || where === "too late for its executor") await executor.close();
    store.before.append = undefined;
    if (where === "before recover()") await other.cancel("a", "changed my mind");
    if (where === "before recover()" || where === "too late for its executor") {
      await clock.advance(1000);
      [handle] = await other.recover();
    } else await (where === "here" ? executor : other).cancel("a", "changed my mind");
    const error = await assertRejects(() => handle.result(), CanceledError, 'Canceled workflow "a": changed my mind');
    assertEquals([error.reason, handle.status, ran], ["changed my mind", "canceled", 0], where);
    const { history } = (await store.load("a"))!;
    assertEquals(typesOf(history), ["workflow_started", "cancel_requested", "workflow_canceled"]);
    await assertRejects(() => other.query("a", "x"), WorkflowError, 'it has no handler for "x"');
    assertEquals(ran, 0);
    await Promise.all([executor.close(), other.close()]);
    clock.release();
  }
});

Deno.test("Executor.cancel() before the start time that is stored after it is seen by code that has begun, also on replay", async () => {
  const inner = new InMemoryStore();
  const clock = new VirtualClock({ autoAdvance: false });
  const slow = new FaultyStore(inner);
  const begins = async (ctx: WorkflowContext) => {
    await ctx.sleep(1000).catch(() => {});
    return "cleaned up";
  };
  const executor = new Executor({ store: inner, clock });
  const sender = new Executor({ store: slow, clock: new VirtualClock({ startAt: 99 }) });
  const hold = gate();
  slow.before.append = () => hold.promise;
  const handle = await executor.execute(begins, { id: "a", startAfterMs: 100 });
  const sent = sender.cancel("a");
  await clock.advance(100);
  hold.open();
  await sent;
  assertEquals(await handle.result(), "cleaned up");
  const history = (await inner.load("a"))!.history;
  assertEquals(typesOf(history).slice(1), ["timer_started", "cancel_requested", "workflow_completed"]);
  await assertReplays(begins, (await inner.load("a"))!);
  await Promise.all([executor.close(), sender.close()]);
});

Deno.test("Executor.cancel() at the start time is seen by the code, live as on replay", async () => {
  const { executor, clock, store } = setUp();
  clock.at(100, () => executor.cancel("a")); // before the timer of the run
  const begins = async (ctx: WorkflowContext) => {
    await ctx.sleep(1000).catch(() => {});
    return "cleaned up";
  };
  const handle = await executor.execute(begins, { id: "a", startAfterMs: 100 });
  assertEquals(await handle.result(), "cleaned up");
  await assertReplays(begins, (await store.load("a"))!);
  await executor.close();
});

Deno.test("Executor.cancel() before the start time lets a run clean up that another executor, whose clock is ahead, has begun", async () => {
  const inner = new InMemoryStore();
  const slow = new FaultyStore(inner);
  const clock = new VirtualClock({ autoAdvance: false });
  const ahead = new VirtualClock({ autoAdvance: false });
  const begins = async (ctx: WorkflowContext) => {
    await ctx.sleep(1000).catch(() => {});
    await ctx.shield((ctx) => ctx.sleep(1000));
    return "cleaned up";
  };
  const executor = new Executor({ store: slow, clock, workflows: { begins } });
  const other = new Executor({ store: inner, clock: ahead, workflows: { begins } });
  const handle = await executor.execute(begins, { id: "a", startAfterMs: 100 });
  await other.recover();
  const hold = gate();
  slow.before.append = ({ events }) => events[0].type === "workflow_canceled" ? hold.promise : undefined;
  inner.append = ((append) => async (batch) => {
    const isTimer = batch.events[0]?.type === "timer_started";
    if (isTimer) await executor.cancel("a");
    await append.call(inner, batch);
    if (isTimer) settle().then(hold.open);
  })(inner.append);
  await ahead.advance(100); // the timer is stored after the cancellation, and before the end
  await ahead.advance(1000);
  assertEquals(await handle.result(), "cleaned up");
  const { history } = (await inner.load("a"))!;
  assertEquals(typesOf(history).slice(0, 3), ["workflow_started", "cancel_requested", "timer_started"]);
  await assertReplays(begins, (await inner.load("a"))!);
  await Promise.all([executor.close(), other.close()]);
});

Deno.test("Executor.recover() cleans a run up whose process stored that late, after a cancellation before the start time", async () => {
  const inner = new InMemoryStore();
  const [late, slow] = [new FaultyStore(inner), new FaultyStore(inner)];
  const [landing, ending] = [gate(), gate()];
  late.before.append = ({ events }) => events[0].type === "activity_started" ? landing.promise : undefined;
  slow.before.append = ({ events }) => events[0]?.type === "workflow_canceled" ? ending.promise : undefined;
  let cleaned = 0;
  const begins = async (ctx: WorkflowContext) => {
    await ctx.waitForSignal("never").catch(() => {});
    await ctx.shield((ctx) => ctx.executeActivity(() => void cleaned++, undefined, { name: "clean" }));
  };
  const clock = new VirtualClock({ autoAdvance: false });
  const gone = new Executor({ store: late, clock });
  const sender = new Executor({ store: inner, clock: new VirtualClock({ startAt: 99 }) });
  await gone.execute(begins, { id: "a", startAfterMs: 100 });
  await clock.advance(100);
  await sender.cancel("a");
  await settle();
  const closing = gone.close(); // with an append on its way
  const { executor } = setUp({ store: slow, startAt: 200, workflows: { begins } });
  const [handle] = await executor.recover();
  await settle();
  landing.open();
  await closing;
  ending.open();
  assertEquals([await handle.result(), cleaned], [undefined, 1]);
  await Promise.all([executor.close(), sender.close()]);
});

Deno.test("Executor.terminate() and ExecuteOptions.signal end a run before its start time", async () => {
  const { clock, executor } = setUp();
  clock.hold();
  const abort = new AbortController();
  const options = { startAfterMs: 100, signal: abort.signal };
  const handles = await Promise.all(["a", "b"].map((id) => executor.execute(() => "ran", { id, ...options })));
  await executor.terminate("a");
  abort.abort(new Error("enough"));
  const codes = handles.map((handle) => codeOf(handle.result()));
  assertEquals(await Promise.all(codes), ["terminated", "canceled"]);
  clock.release();
  assertEquals(clock.now(), 0); // no timer is left that would move the clock
  await executor.close();
});

Deno.test("Executor.execute() counts timeoutMs from the start time", async () => {
  const { clock, executor } = setUp();
  const handle = await executor.execute(ask, { id: "a", input: "", startAfterMs: 100, timeoutMs: 30 });
  await assertRejects(() => handle.result(), TimeoutError, 'Timed out workflow "a" after 30 ms');
  assertEquals(clock.now(), 130);
  await executor.close();
});

Deno.test("Executor.execute() does not repeat the start delay when the workflow continues as new", async () => {
  const twice = async (
    ctx: WorkflowContext<readonly number[]>,
    began: readonly number[] = [],
  ): Promise<readonly number[]> => {
    const all = [...began, ctx.now()];
    return all.length === 2 ? all : await ctx.continueAsNew(all);
  };
  const { store, executor } = setUp();
  const handle = await executor.execute(twice, { id: "a", startAfterMs: 100, timeoutMs: 30 });
  assertEquals(await handle.result(), [100, 100]);
  assertEquals("startAt" in (await store.load("a"))!.history[0], false);
  await executor.close();
});

Deno.test("Executor.query() finds no handler in a run before its start time", async () => {
  const { clock, executor } = setUp();
  clock.hold();
  const started = await executor.execute(function staged(ctx: WorkflowContext) {
    ctx.handleQuery("stage", () => 1);
    return ctx.waitForSignal("go");
  }, { id: "a", startAfterMs: 100 });
  const error = await assertRejects(() => executor.query("a", "stage"), WorkflowError);
  assertEquals([error.code, error.message], [
    "not_found",
    'Cannot query workflow "a": its code begins in 100 ms',
  ]);
  assertEquals((await executor.describe("a")).status, "running");
  clock.release();
  await settle();
  assertEquals(await executor.query("a", "stage"), 1);
  await go(executor);
  await started.result();
  await executor.close();
});

Deno.test("Executor.execute() keeps a start time that exceeds the limit of a system timer", async () => {
  const executor = new Executor({ store: new InMemoryStore() });
  let ran = false;
  const handle = await executor.execute(() => void (ran = true), { id: "a", startAfterMs: 30 * day });
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals([ran, handle.status], [false, "running"]);
  await executor.close(); // the test runner checks that no timer is left
});

Deno.test("Executor.execute() refuses bad start times", async () => {
  const { executor } = setUp();
  const cases: [object, typeof RangeError | typeof TypeError, string][] = [
    [{ startAfterMs: -1 }, RangeError, '"startAfterMs" must be a finite number from 0, got -1'],
    [{ startAt: Infinity }, RangeError, '"startAt" must be a finite number, got Infinity'],
    [{ startAt: "noon" }, RangeError, '"startAt" must be a finite number, got "noon"'],
    [{ startAt: 1, startAfterMs: 1 }, TypeError, '"startAfterMs" and "startAt" exclude each other'],
  ];
  for (const [options, type, message] of cases) {
    await assertRejects(() => executor.execute(echo, { id: "a", input: "", ...options }), type, message);
  }
  await executor.close();
});

// --------------------------------------------------------------------------------------------------------- executeMany

Deno.test("Executor.executeMany() starts all workflows and answers handles in order", async () => {
  const { store, executor } = setUp();
  const options = Array.from({ length: 50 }, (_, i) => ({ id: `${i}`, input: `in ${i}`, startAfterMs: 50 - i }));
  const handles = await executor.executeMany(echo, options);
  assertEquals(handles.map(({ id }) => id), options.map(({ id }) => id));
  assertEquals(await store.count(), 50);
  const results: string[] = await Promise.all(handles.map((handle) => handle.result()));
  assertEquals(results, options.map(({ input }) => input));
  assertEquals(await executor.executeMany(echo, []), []);
  const [unnamed] = await executor.executeMany(echo, [{ input: "x" }]);
  assertEquals([unnamed.id.length, await unnamed.result()], [36, "x"]);
  // @ts-expect-error the input is missing
  const wrong = () => executor.executeMany(echo, [{ id: "a" }]);
  assert(typeof wrong === "function");
  await executor.close();
});

Deno.test("Executor.executeMany() refuses a hole in its list, and starts the others", async () => {
  const { executor, store } = setUp();
  const options = [{ id: "a", input: "in" }, { id: "b", input: "in" }, { id: "c", input: "in" }];
  delete options[1];
  const { errors } = await assertRejects(() => executor.executeMany(echo, options), AggregateError);
  assertEquals(errors.map(String), [
    'TypeError: Cannot execute workflow: "options[1]" must be an object, got undefined',
  ]);
  assertEquals((await store.list()).map(({ workflowId }) => workflowId), ["a", "c"]);
  await executor.close();
});

Deno.test("Executor.executeMany() starts the others when some fail, and its error names those", async () => {
  const { executor } = setUp();
  await executor.execute(ask, { id: "taken", input: "" });
  const error = await assertRejects(() =>
    executor.executeMany((_ctx: WorkflowContext, input: unknown) => input, [
      { id: "first", input: 1 },
      { id: "taken", input: 2 },
      { id: "bad", input: { f: () => {} } },
      { id: "twice", input: 3 },
      { id: "twice", input: 4 },
      { id: "late", input: 5, timeoutMs: -1 },
      { id: "last", input: 6 },
    ]), AggregateError);
  assertEquals(error.message, 'Cannot execute 4 of 7 workflows; see "errors"');
  assertEquals(error.errors.map(({ name, message }) => `${name}: ${message}`), [
    'WorkflowError: Cannot execute workflow "taken": it is running already; pass onConflict "join" for its handle',
    'TypeError: Cannot execute workflow "bad": Cannot store input.f: a function "f" cannot be stored',
    'WorkflowError: Cannot execute workflow "twice": it is running already; pass onConflict "join" for its handle',
    'RangeError: Cannot execute workflow "late": "timeoutMs" must be a finite number above 0, got -1',
  ]);
  for (const [id, result] of Object.entries({ first: 1, twice: 3, last: 6 })) {
    assertEquals(await (await executor.handle(id)).result(), result);
  }
  assertEquals((await executor.describe("taken")).status, "running");
  await assertRejects(() => executor.executeMany(echo, 5 as never), TypeError, '"options" must be an array, got 5');
  await assertRejects(() => executor.executeMany(echo, [5 as never]), AggregateError);
  await executor.close();
  const { errors } = await assertRejects(() => executor.executeMany(echo, [{ id: "x", input: "" }]), AggregateError);
  assertEquals([errors[0] instanceof WorkflowError, errors[0].code, errors[0].message], [
    true,
    "closed",
    'Cannot execute workflow "x": the executor was closed',
  ]);
});

Deno.test("Executor.executeMany() starts what a failing store allows, and recover() resumes it", async () => {
  const store = new FaultyStore();
  const { executor } = setUp({ store, storeRetry: { maxAttempts: 2 } });
  store.before.append = ({ workflowId }) => {
    if (workflowId === "b") throw new Error("down");
  };
  const options = ["a", "b", "c"].map((id) => ({ id, input: id }));
  const { errors } = await assertRejects(() => executor.executeMany(ask, options), AggregateError);
  assertEquals(errors.map(({ code, message }) => [code, message.slice(0, 45)]), [
    ["store_failed", 'Cannot execute workflow "b": The store failed'],
  ]);
  await executor.close();
  const later = setUp({ store, workflows: { ask } }).executor;
  assertEquals((await later.recover()).map(({ id }) => id), ["a", "c"]);
  await later.close();
});

Deno.test("Executor.executeMany() starts ten thousand workflows in a few macrotasks", async () => {
  const { executor } = setUp();
  const options = Array.from({ length: 10_000 }, (_, i) => ({ id: `${i}`, input: "x" }));
  const started = executor.executeMany(echo, options);
  const count = await countMacrotasks(started);
  await Promise.all((await started).map((handle) => handle.result()));
  assert(count < 50, `${count} macrotasks`); // 256 runs begin in one
  await executor.close();
});

// ----------------------------------------------------------------------------------------------------- workflowVersion

Deno.test("ExecutorOptions.workflowVersion is recorded at the start and stays when another executor resumes the run", async () => {
  const versions = async (ctx: WorkflowContext) => {
    const child = await ctx.executeChild((ctx) => ctx.workflowVersion ?? "none", undefined, { id: "child" });
    await ctx.waitForSignal("go");
    return [ctx.workflowVersion, child];
  };
  const renewed = async (ctx: WorkflowContext<string | undefined>, before?: string): Promise<unknown> => {
    if (before !== undefined) return [before, ctx.workflowVersion];
    await ctx.waitForSignal("go");
    return await ctx.continueAsNew(ctx.workflowVersion);
  };
  const workflows = { versions, renewed };
  const { store, executor } = setUp({ workflowVersion: "1.0", workflows });
  await executor.execute(versions, { id: "a" });
  await executor.execute(renewed, { id: "b" });
  await settle();
  await executor.close();
  for (const workflowVersion of ["2.0", undefined]) {
    const restored = InMemoryStore.restore(await store.snapshot());
    const later = setUp({ store: restored, workflowVersion, workflows }).executor;
    const handles = await later.recover();
    for (const id of ["a", "b"]) await go(later, id);
    const expected = [["1.0", "1.0"], ["1.0", workflowVersion]]; // the next run records the version of its own executor
    assertEquals(await Promise.all(handles.map((handle) => handle.result())), expected);
    const started = (await restored.load("a"))!.history[0];
    assertEquals(started.type === "workflow_started" && started.workflowVersion, "1.0");
    await later.close();
  }
});

Deno.test("ExecutorOptions.workflowVersion is undefined by default and must be a string", async () => {
  const { store, executor } = setUp();
  const handle = await executor.execute((ctx) => ctx.workflowVersion, { id: "a" });
  assertEquals(await handle.result(), undefined);
  assertEquals("workflowVersion" in (await store.load("a"))!.history[0], false);
  await executor.close();
  assertThrows(() => setUp({ workflowVersion: 2 as never }), TypeError, '"workflowVersion" must be a string, got 2');
});
