/** Limits on concurrent workflows, histories and payloads. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  CanceledError,
  InMemoryStore,
  type WorkflowContext,
  WorkflowError,
  type WorkflowHandle,
} from "@rockpool/workflow";
import { FaultyStore } from "@rockpool/workflow/testing";
import { gate, settle, setUp, typesOf } from "../support/executors.ts";

const codeOf = async (call: Promise<unknown>) => (await assertRejects(() => call, WorkflowError)).code;

// ---------------------------------------------------------------------------------------------- maxConcurrentWorkflows

/** A workflow that records its start and waits for the signal "go". */
function waitingWorkflow() {
  const began: string[] = [];
  let running = 0;
  let maxRunning = 0;
  async function work(ctx: WorkflowContext) {
    began.push(ctx.workflowId);
    maxRunning = Math.max(maxRunning, ++running);
    try {
      return await ctx.waitForSignal("go");
    } finally {
      running--;
    }
  }
  return { work, began, maxRunning: () => maxRunning };
}

const go = { name: "go", payload: "done" };

Deno.test("ExecutorOptions.maxConcurrentWorkflows stores queued runs at once and starts them in order of arrival", async () => {
  const { work, began, maxRunning } = waitingWorkflow();
  const { store, executor } = setUp({ maxConcurrentWorkflows: 2 });
  const ids = Array.from({ length: 7 }, (_, i) => `${i}`);
  const handles: WorkflowHandle[] = [];
  for (const id of ids) handles.push(await executor.execute(work, { id }));
  await settle();
  assertEquals([began, await store.count({ status: "running" })], [["0", "1"], 7]);
  for (const id of ["6", "5", "4"]) await executor.signal(id, go.name, go.payload); // stored while they are queued
  for (const id of ["1", "0", "2", "3"]) await executor.signal(id, go.name, go.payload);
  assertEquals(await Promise.all(handles.map((handle) => handle.result())), ids.map(() => "done"));
  assertEquals([began, maxRunning()], [ids, 2]);
  await executor.close();
});

Deno.test("ExecutorOptions.maxConcurrentWorkflows limits recovered runs and starts them in order of creation", async () => {
  const { work, began, maxRunning } = waitingWorkflow();
  const { store, executor } = setUp({ maxConcurrentWorkflows: 2, workflows: { work } });
  for (const id of ["0", "1", "2", "3"]) await executor.execute(work, { id });
  await settle();
  await executor.close();
  assertEquals(began.splice(0), ["0", "1"]);
  const later = setUp({ store, maxConcurrentWorkflows: 1, workflows: { work } }).executor;
  const handles = await later.recover();
  await settle();
  assertEquals(began, ["0"]);
  for (const id of ["3", "2", "1", "0"]) await later.signal(id, go.name, go.payload); // stored at once, although they are queued
  assertEquals(typesOf((await store.load("3"))!.history), ["workflow_started", "signal_received"]);
  assertEquals(await Promise.all(handles.map((handle) => handle.result())), ["done", "done", "done", "done"]);
  assertEquals([began, maxRunning()], [["0", "1", "2", "3"], 3]); // the two suspended runs never reached their finally block
  await later.close();
});

Deno.test("ExecutorOptions.maxConcurrentWorkflows allows a queued run to be cancelled or terminated", async () => {
  const { work, began } = waitingWorkflow();
  const { store, executor } = setUp({ maxConcurrentWorkflows: 1 });
  const handles: Record<string, WorkflowHandle> = {};
  for (const id of ["a", "b", "c", "d"]) handles[id] = await executor.execute(work, { id });
  await executor.cancel("b", "no more");
  await executor.terminate("c");
  assertEquals([await codeOf(handles.b.result()), await codeOf(handles.c.result())], ["canceled", "terminated"]);
  assertEquals(typesOf((await store.load("b"))!.history), [
    "workflow_started",
    "cancel_requested",
    "workflow_canceled",
  ]);
  await executor.signal("a", go.name, go.payload);
  await executor.signal("d", go.name, go.payload);
  assertEquals(await handles.d.result(), "done");
  assertEquals(began, ["a", "d"]);
  await executor.close();
});

Deno.test("ExecutorOptions.maxConcurrentWorkflows lets a cancelled run clean up without a slot after recover()", async () => {
  const cleaned: string[] = [];
  async function tidy(ctx: WorkflowContext) {
    try {
      await ctx.waitForSignal("never");
    } finally {
      await ctx.shield((ctx) => ctx.executeActivity((id: string) => void cleaned.push(id), ctx.workflowId));
    }
  }
  const { store, executor } = setUp();
  for (const id of ["a", "b", "c"]) await executor.execute(tidy, { id });
  await settle();
  await executor.close();
  const later = setUp({ store, maxConcurrentWorkflows: 1, workflows: { tidy } }).executor;
  await later.cancel("c"); // before it is live
  const handles = await later.recover();
  await settle();
  await later.cancel("b"); // while it is queued
  assertEquals(await Promise.all([handles[1], handles[2]].map((handle) => codeOf(handle.result()))), [
    "canceled",
    "canceled",
  ]);
  assertEquals(cleaned.sort(), ["b", "c"]);
  assertEquals(handles[0].status, "running");
  await later.close();
});

/**
 * A run that is queued in `executor` and whose code `other` has called. The end of it by `executor` waits for `end.open()`, and its
 * cleanup for `clean.open()`.
 */
async function queuedHere() {
  const store = new InMemoryStore();
  const [end, clean, cleaned] = [gate(), gate(), [] as string[]];
  const slow = new FaultyStore(store);
  slow.before.append = ({ events }) => events.some(({ type }) => type === "workflow_canceled") && end.promise;
  const cleanUp = async () => {
    cleaned.push("begins");
    await clean.promise;
    cleaned.push("ends");
  };
  const tidy = async (ctx: WorkflowContext) => {
    ctx.handleUpdate("double", (n: number) => 2 * n);
    try {
      await ctx.waitForSignal("never");
    } finally {
      await ctx.shield((ctx) => ctx.executeActivity(cleanUp));
    }
  };
  const workflows = { tidy };
  const { executor } = setUp({ store: slow, workflows, maxConcurrentWorkflows: 1 });
  await executor.execute((ctx) => ctx.waitForSignal("end"), { id: "busy" });
  const handle = await executor.execute(tidy, { id: "a" });
  const other = setUp({ store, workflows }).executor;
  const recovered = (await other.recover()).find(({ id }) => id === "a")!;
  await settle();
  return { store, slow, executor, other, handles: [handle, recovered], end, clean, cleaned };
}

Deno.test("A queued run that is cancelled is cleaned up by the executor that has called its code without a slot", async () => {
  const { store, executor, other, handles, end, clean, cleaned } = await queuedHere();
  await executor.cancel("a");
  await settle();
  assertEquals(cleaned, ["begins"]); // the end by the executor that has not called the code is on its way
  end.open();
  await settle();
  clean.open();
  for (const handle of handles) await assertRejects(() => handle.result(), CanceledError);
  assertEquals(cleaned, ["begins", "ends"]);
  assertEquals(typesOf((await store.load("a"))!.history), [
    "workflow_started",
    "cancel_requested",
    "activity_started",
    "activity_completed",
    "workflow_canceled",
  ]);
  await Promise.all([executor.close(), other.close()]);
});

Deno.test("Executor.update() reaches a queued run that is cancelled and cleaned up elsewhere", async () => {
  const { executor, other, end, clean } = await queuedHere();
  const update = executor.update("a", "double", 4);
  await settle();
  await executor.cancel("a");
  await settle();
  end.open();
  assertEquals(await update, 8);
  clean.open();
  await Promise.all([executor.close(), other.close()]);
});

Deno.test("Executor.signal() reaches a queued run that is cancelled and cleaned up elsewhere", async () => {
  const { store, slow, executor, other, end, clean } = await queuedHere();
  const answered = gate();
  slow.after.append = ({ events }) => events.some(({ type }) => type === "cancel_requested") && answered.promise;
  const canceled = executor.cancel("a");
  await settle();
  const signaled = executor.signal("a", "late"); // it waits for the answer of the store
  await settle();
  answered.open();
  end.open();
  await Promise.all([canceled, signaled]);
  assertEquals(typesOf((await store.load("a"))!.history).filter((type) => type === "signal_received").length, 1);
  clean.open();
  await Promise.all([executor.close(), other.close()]);
});

Deno.test("Executor.close() with drainMs suspends a queued run that begins again meanwhile", async () => {
  const { executor, other, handles: [handle], end, clean } = await queuedHere();
  const result = assertRejects(() => handle.result(), WorkflowError);
  await executor.cancel("a");
  await settle();
  const closed = executor.close({ drainMs: 1000 });
  await settle();
  end.open();
  await closed;
  assertEquals((await result).code, "closed");
  assertEquals(executor.openRuns(), []);
  clean.open();
  await other.close();
});

Deno.test("ExecutorOptions.maxConcurrentWorkflows allows a run to be terminated when it gets its slot", async () => {
  for (const recovered of [false, true]) {
    const { work } = waitingWorkflow();
    const options = { maxConcurrentWorkflows: 1, workflows: { work } };
    let terminated: Promise<void> | undefined;
    const workflowCompleted = () => queueMicrotask(() => terminated = last.executor.terminate("b")); // before it gets the slot
    const { store, executor } = setUp(recovered ? options : { ...options, hooks: { workflowCompleted } });
    for (const id of ["a", "b"]) await executor.execute(work, { id });
    if (recovered) await executor.close();
    const last = recovered ? setUp({ ...options, store, hooks: { workflowCompleted } }) : { executor };
    await last.executor.recover();
    const handle = await last.executor.handle("b");
    await settle();
    await last.executor.signal("a", go.name, go.payload);
    assertEquals(await codeOf(handle.result()), "terminated");
    await terminated;
    await last.executor.close();
  }
});

Deno.test("ExecutorOptions.maxConcurrentWorkflows queues a run at its start time and counts timeoutMs while it is queued", async () => {
  const { work, began } = waitingWorkflow();
  const { clock, executor } = setUp({ maxConcurrentWorkflows: 1 });
  clock.hold();
  const late = await executor.execute(work, { id: "late", startAfterMs: 100 });
  const first = await executor.execute(work, { id: "first" });
  const timedOut = await executor.execute(work, { id: "timedOut", timeoutMs: 50 });
  clock.release(); // the queued run times out, and the start time of "late" comes
  assertEquals(await codeOf(timedOut.result()), "timeout");
  await settle();
  assertEquals([began, clock.now()], [["first"], 100]);
  for (const id of ["late", "first"]) await executor.signal(id, go.name, go.payload);
  assertEquals([await first.result(), await late.result(), began], ["done", "done", ["first", "late"]]);
  await executor.close();
});

Deno.test("ExecutorOptions.maxConcurrentWorkflows lets a workflow keep its slot when it continues as new", async () => {
  const { work, began } = waitingWorkflow();
  const order: string[] = [];
  async function chain(ctx: WorkflowContext<number>, n = 0): Promise<unknown> {
    order.push(`${n}`);
    await ctx.sleep(1);
    return n < 3 ? await ctx.continueAsNew(n + 1) : began.length;
  }
  const { executor } = setUp({ maxConcurrentWorkflows: 1 });
  const handle = await executor.execute(chain, { id: "chain" });
  const other = await executor.execute(work, { id: "other" });
  assertEquals([await handle.result(), order], [0, ["0", "1", "2", "3"]]);
  await executor.signal("other", go.name, go.payload);
  assertEquals(await other.result(), "done");
  const last = await executor.execute(() => "a slot is free", { id: "last" });
  assertEquals(await last.result(), "a slot is free");
  await executor.close();
});

Deno.test("ExecutorOptions.maxConcurrentWorkflows starts children without a slot", async () => {
  const child = (_ctx: WorkflowContext, n: number) => n;
  const parent = (ctx: WorkflowContext) => Promise.all([1, 2, 3].map((n) => ctx.executeChild(child, n)));
  const { executor } = setUp({ maxConcurrentWorkflows: 1 });
  const handles = await Promise.all(["a", "b"].map((id) => executor.execute(parent, { id })));
  assertEquals(await Promise.all(handles.map((handle) => handle.result())), [[1, 2, 3], [1, 2, 3]]);
  await executor.close();
});

Deno.test("ExecutorOptions.maxConcurrentWorkflows frees the slot when a run is suspended or fails", async () => {
  const { store, executor } = setUp({ maxConcurrentWorkflows: 1 });
  const lost = await executor.execute((ctx: WorkflowContext) => ctx.waitForSignal("never"), { id: "lost" });
  const broken = await executor.execute((): never => {
    throw new RangeError("no");
  }, { id: "broken" });
  const fine = await executor.execute(() => "fine", { id: "fine" });
  await store.delete("lost"); // its run is notified
  assertEquals(await codeOf(lost.result()), "not_found");
  await assertRejects(() => broken.result(), RangeError, "no");
  assertEquals(await fine.result(), "fine");
  await executor.close();
});

Deno.test("ExecutorOptions.maxConcurrentWorkflows starts no queued run when the executor closes", async () => {
  for (const drainMs of [0, 100]) {
    const { work, began } = waitingWorkflow();
    const hold = gate();
    const { store, executor } = setUp({ maxConcurrentWorkflows: 1 });
    await executor.execute((ctx: WorkflowContext) => ctx.executeActivity(() => hold.promise), { id: "a" });
    const handle = await executor.execute(work, { id: "b" });
    await settle();
    const closing = executor.close({ drainMs });
    hold.open();
    await closing;
    await settle();
    assertEquals([began, await codeOf(handle.result()), (await store.load("b"))!.status], [[], "closed", "running"]);
  }
});

Deno.test("ExecutorOptions.maxConcurrentWorkflows answers queries of a queued run from a replay, and its updates once it starts", async () => {
  const staged = (ctx: WorkflowContext) => {
    ctx.handleQuery("stage", () => "first");
    ctx.handleUpdate("add", (n: number) => n + 1);
    return ctx.waitForSignal("go");
  };
  const { executor } = setUp({ maxConcurrentWorkflows: 1, workflows: { staged } });
  await executor.execute(staged, { id: "a" });
  await executor.execute(staged, { id: "b" });
  await settle();
  assertEquals([await executor.query("b", "stage"), (await executor.describe("b")).status], ["first", "running"]);
  const updated = executor.update("b", "add", 1);
  await executor.signal("a", go.name, go.payload);
  assertEquals(await updated, 2);
  await executor.close();
});

Deno.test("ExecutorOptions.maxConcurrentWorkflows completes thousands of runs that end at once", async () => {
  const { store, executor } = setUp({ maxConcurrentWorkflows: 3 });
  const handles = await Promise.all(Array.from({ length: 3000 }, (_, i) => executor.execute(() => i, { id: `${i}` })));
  const results = await Promise.all(handles.map((handle) => handle.result()));
  assert(results.every((result, i) => result === i));
  assertEquals(await store.count({ status: "completed" }), 3000);
  await executor.close();
});

Deno.test("Executor() refuses a bad maxConcurrentWorkflows", () => {
  for (const [maxConcurrentWorkflows, got] of [[0, "0"], [1.5, "1.5"], [null, "null"]] as [never, string][]) {
    assertThrows(
      () => setUp({ maxConcurrentWorkflows }),
      RangeError,
      `Cannot create an executor: "maxConcurrentWorkflows" must be an integer from 1, got ${got}`,
    );
  }
});

// ---------------------------------------------------------------------------------------------------- maxHistoryEvents

const one = (n: number) => n;

/** Calls activities one after another, and answers how many it has called. */
async function counting(ctx: WorkflowContext, count: number) {
  let done = 0;
  ctx.handleQuery("done", () => done);
  for (; done < count; done++) await ctx.executeActivity(one, done);
  return done;
}

Deno.test("ExecutorOptions.maxHistoryEvents limits the events before the last one", async () => {
  const { store, executor } = setUp({ maxHistoryEvents: 5 });
  const fits = await executor.execute(counting, { id: "fits", input: 2 });
  assertEquals([await fits.result(), (await store.load("fits"))!.history.length], [2, 6]);
  const handle = await executor.execute(counting, { id: "a", input: 3 });
  const error = await assertRejects(() => handle.result(), WorkflowError);
  assertEquals([error.code, error.message], [
    "history_too_long",
    'Workflow "a" needs more than 5 events, the "maxHistoryEvents" of its executor: ' +
    "continue it with a new history by ctx.continueAsNew() before that",
  ]);
  const { history, status } = (await store.load("a"))!;
  assertEquals([history.length, status, history[5].type], [6, "failed", "workflow_failed"]);
  await executor.close();
});

Deno.test("ExecutorOptions.maxHistoryEvents starts no activity when many commands at once exceed it", async () => {
  const { store, executor } = setUp({ maxHistoryEvents: 10 });
  let ran = 0;
  const handle = await executor.execute(
    (ctx: WorkflowContext) => Promise.all(Array.from({ length: 100 }, () => ctx.executeActivity(() => void ran++))),
    { id: "a" },
  );
  assertEquals(await codeOf(handle.result()), "history_too_long");
  assertEquals([(await store.load("a"))!.history.length, ran], [11, 0]);
  await executor.close();
});

Deno.test("ExecutorOptions.maxHistoryEvents fails a run that gets too many signals, and rejects the signal", async () => {
  for (const options of [{}, { startAfterMs: 1000 }]) {
    const { store, clock, executor } = setUp({ maxHistoryEvents: 3 });
    clock.hold();
    const handle = await executor.execute((ctx: WorkflowContext) => ctx.waitForSignal("never"), {
      id: "a",
      ...options,
    });
    for (let i = 0; i < 2; i++) await executor.signal("a", go.name, go.payload);
    const { message } = await assertRejects(() => executor.signal("a", go.name, go.payload), WorkflowError);
    assertEquals(message, 'Cannot signal workflow "a": its status is "failed"');
    assertEquals(await codeOf(handle.result()), "history_too_long");
    assertEquals((await store.load("a"))!.history.length, 4);
    clock.release();
    await executor.close();
  }
});

Deno.test("ExecutorOptions.maxHistoryEvents leaves room to cancel, to terminate and to continue as new", async () => {
  const { store, executor } = setUp({ maxHistoryEvents: 3 });
  const full = async (ctx: WorkflowContext<boolean>, again = false): Promise<unknown> => {
    await ctx.executeActivity(one, 1); // now the history is full
    if (again) return await ctx.continueAsNew(false);
    return await ctx.receiveSignal("never")[Symbol.asyncIterator]().next();
  };
  const handles = await executor.executeMany(full, [{ id: "a" }, { id: "b" }, { id: "c", input: true }]);
  await settle();
  await executor.cancel("a");
  await executor.terminate("b");
  assertEquals(await Promise.all(handles.slice(0, 2).map((handle) => codeOf(handle.result()))), [
    "canceled",
    "terminated",
  ]);
  assertEquals((await store.load("c"))!.history.length, 3);
  await executor.cancel("c");
  assertEquals(await codeOf(handles[2].result()), "canceled");
  await executor.close();
});

Deno.test("ExecutorOptions.maxHistoryEvents fails a recovered run when its code exceeds the limit", async () => {
  const { store, executor } = setUp({ workflows: { counting } });
  const handle = await executor.execute(counting, { id: "a", input: 5 });
  await handle.result();
  const { history, ...state } = (await store.load("a"))!;
  for (let length = 1; length < history.length; length++) {
    await store.save({ ...state, status: "running", result: undefined, history: history.slice(0, length) });
    const later = setUp({ store, maxHistoryEvents: 4, workflows: { counting } }).executor;
    const [recovered] = await later.recover();
    if (length === 11) assertEquals(await recovered.result(), 5); // it needs only its last event
    else assertEquals(await codeOf(recovered.result()), "history_too_long");
    assertEquals((await store.load("a"))!.history.length, Math.max(length, 4) + 1);
    await later.close();
  }
  await executor.close();
});

Deno.test("ExecutorOptions.maxHistoryEvents does not fail a recovered run whose code does not fit its history", async () => {
  const { store, executor } = setUp();
  await executor.execute(async function changed(ctx: WorkflowContext) {
    await ctx.executeActivity(one, 1);
    await ctx.waitForSignal("never");
  }, { id: "a" });
  await settle();
  await executor.close();
  const before = await store.load("a");
  const changed = (ctx: WorkflowContext) => Promise.all([ctx.sleep(1), ctx.sleep(2), ctx.sleep(3)]);
  const later = setUp({ store, maxHistoryEvents: 3, workflows: { changed } }).executor;
  const [recovered] = await later.recover();
  assertEquals(await codeOf(recovered.result()), "non_deterministic");
  assertEquals(await store.load("a"), before);
  await later.close();
});

Deno.test("ExecutorOptions.maxHistoryEvents counts events of other executors and events in flight", async () => {
  const store = new FaultyStore();
  const { clock, executor } = setUp({ store, maxHistoryEvents: 6 });
  const other = setUp({ store, clock }).executor;
  const handle = await executor.execute(counting, { id: "a", input: 100 });
  let sent = 0;
  store.before.append = async ({ events: [{ type }] }) => {
    if (type === "activity_completed" && sent++ < 2) await other.signal("a", go.name, go.payload);
  };
  assertEquals(await codeOf(handle.result()), "history_too_long");
  assertEquals((await store.load("a"))!.history.length, 7);
  await Promise.all([executor.close(), other.close()]);
});

// ----------------------------------------------------------------------------------------------------- maxPayloadBytes

const text = (length: number) => "x".repeat(length);

Deno.test("ExecutorOptions.maxPayloadBytes refuses larger payloads at the call, with size and limit", async () => {
  const { store, executor } = setUp({ maxPayloadBytes: 100 });
  const large = { list: [text(60), text(60)] };
  await assertRejects(
    () => executor.execute(() => {}, { id: "a", input: large }),
    RangeError,
    'Cannot store input: it has about 138 bytes, "maxPayloadBytes" is 100',
  );
  assertEquals(store.size, 0);
  const waiting = async (ctx: WorkflowContext) => {
    ctx.handleUpdate("u", (input: unknown) => input);
    return await ctx.waitForSignal("go");
  };
  const handle = await executor.execute(waiting, { id: "a", input: text(98) });
  const calls: [() => Promise<unknown>, string][] = [
    [() => executor.signal("a", "go", text(99)), 'payload of signal "go": it has about 101 bytes'],
    [() => executor.update("a", "u", text(99)), 'input of update "u": it has about 101 bytes'],
  ];
  for (const [call, message] of calls) await assertRejects(call, RangeError, message);
  await executor.signal("a", "go", text(98));
  assertEquals(await handle.result(), text(98));
  await executor.close();
});

Deno.test("ExecutorOptions.maxPayloadBytes fails activities, side effects, updates and workflows with larger values", async () => {
  const { store, executor } = setUp({ maxPayloadBytes: 100 });
  let attempts = 0;
  const answer = (n: number) => (attempts++, text(n));
  const messages: string[] = [];
  const collect = (error: Error) => void messages.push(`${error.name}: ${error.message.split(", ")[0]}`);
  const largeValues = async (ctx: WorkflowContext<string>) => {
    ctx.handleUpdate("u", () => text(200));
    await ctx.executeActivity(answer, 200, { retry: {} }).catch(collect);
    await ctx.executeActivity((input: string) => input, text(200), { name: "echo" }).catch(collect);
    await ctx.sideEffect(() => text(200)).catch(collect);
    await ctx.executeChild((_ctx, input: string) => input, text(200), { id: "child" }).catch(collect);
    await ctx.continueAsNew(text(200)).catch(collect);
    await ctx.waitForSignal("go");
    return text(200);
  };
  const handle = await executor.execute(largeValues, { id: "a" });
  await executor.update("a", "u").catch(collect);
  await executor.signal("a", go.name, go.payload);
  await handle.result().catch(collect);
  const size = "it has about 202 bytes";
  assertEquals(messages.sort(), [
    `RangeError: Cannot store answer of update: ${size}`,
    `RangeError: Cannot store input of activity "echo": ${size}`,
    `RangeError: Cannot store input of child workflow "anonymous": ${size}`,
    `RangeError: Cannot store input: ${size}`,
    `RangeError: Cannot store result of activity "answer": ${size}`,
    `RangeError: Cannot store result of the workflow: ${size}`,
    `RangeError: Cannot store value of side effect: ${size}`,
  ]);
  assertEquals([attempts, (await store.load("a"))!.status], [1, "failed"]);
  await executor.close();
});

Deno.test("ExecutorOptions.maxPayloadBytes decides the same on replay when the executor has another limit", async () => {
  const sendsSmaller = async (ctx: WorkflowContext) => {
    const sent = await ctx.executeActivity((input: string) => input.length, text(200))
      .catch(() => ctx.executeActivity((input: string) => input.length, text(20)));
    await ctx.waitForSignal("go");
    return [sent, await ctx.executeActivity((n: number) => text(n).length, sent)];
  };
  for (const [first, then, sent] of [[100, undefined, 20], [undefined, 100, 200], [100, 1000, 20]]) {
    const { store, executor } = setUp({ maxPayloadBytes: first, workflows: { sendsSmaller } });
    await executor.execute(sendsSmaller, { id: "a" });
    await settle();
    await executor.close();
    const later = setUp({ store, maxPayloadBytes: then, workflows: { sendsSmaller } }).executor;
    const [recovered] = await later.recover();
    await later.signal("a", go.name, go.payload);
    assertEquals(await recovered.result(), [sent, sent]);
    await later.close();
  }
});

Deno.test("ExecutorOptions.maxPayloadBytes refuses larger headers and labels at the call", async () => {
  const { store, executor } = setUp({ maxPayloadBytes: 100 });
  const large = { trace: "x".repeat(100) };
  const half = { trace: "x".repeat(50) };
  const other = { span: "x".repeat(50) };
  const attempt: string[] = [];
  await executor.execute(async (ctx: WorkflowContext) => {
    const calls = [
      () => ctx.executeChild(() => {}, undefined, { headers: large }),
      () => ctx.executeChild(() => {}, undefined, { headers: other }), // with those of the run
      () => ctx.signalWorkflow("a", "s", 1, { headers: other }),
    ];
    for (const call of calls) await call().catch((error) => attempt.push(error.message));
    await ctx.waitForSignal("end");
  }, { id: "a", headers: half });
  await settle();
  assertEquals(attempt, [
    'Cannot store headers: it has about 113 bytes, "maxPayloadBytes" is 100',
    'Cannot store headers: it has about 123 bytes, "maxPayloadBytes" is 100',
    'Cannot store headers: it has about 123 bytes, "maxPayloadBytes" is 100',
  ]);
  const before = await store.list();
  const calls = {
    execute: () => executor.execute(() => {}, { headers: large }),
    "execute with labels": () => executor.execute(() => {}, { labels: large }),
    "execute with a signal": () =>
      executor.execute(() => {}, { headers: half, signals: [{ name: "s", headers: other }] }),
    signal: () => executor.signal("a", "s", 1, { headers: large }),
    update: () => executor.update("a", "u", 1, { headers: large }),
  };
  for (const [name, call] of Object.entries(calls)) {
    await assertRejects(call, RangeError, '"maxPayloadBytes" is 100', name);
  }
  assertEquals(await store.list(), before);
  await executor.close();
});

Deno.test("ExecutorOptions.maxPayloadBytes estimates the size of each kind of value", async () => {
  const { executor } = setUp({ maxPayloadBytes: 1 });
  const shared = { n: 1 };
  const cyclic: Record<string, unknown> = {};
  cyclic.self = cyclic;
  const cases: [unknown, number][] = [
    ["aé€\u{1f600}", 2 + 1 + 2 + 3 + 4],
    [-1.5, 4],
    [12345678901234567890n, 20],
    [false, 5],
    [null, 4],
    [{ a: 1, b: [true] }, 2 + (1 + 4 + 1) + (1 + 4 + 2 + 1 + 4)],
    [[shared, shared], 2 + (1 + 2 + 6) + 1],
    [cyclic, 2 + 8],
    [new Uint8Array(1000), 1000],
    [new ArrayBuffer(50), 50],
    [new Blob(["0123456789"]), 10],
    [new Map([["k", 1]]), 2 + 1 + (2 + 4 + 2)],
    [new Set(["abc"]), 2 + 1 + 5],
    [new Date(0), `${new Date(0)}`.length],
    [new RangeError("no"), 14],
    [new RangeError("no", { cause: ["text"] }), 14 + 2 + 1 + 6],
    [new AggregateError([7], "no"), 18 + 2 + 1 + 1],
  ];
  for (const [input, bytes] of cases) {
    const { message } = await assertRejects(() => executor.execute(() => {}, { id: "a", input }), RangeError);
    assertEquals(message, `Cannot store input: it has about ${bytes} bytes, "maxPayloadBytes" is 1`);
  }
  await executor.close();
});

Deno.test("Executor() refuses a bad maxHistoryEvents and a bad maxPayloadBytes", () => {
  for (const name of ["maxHistoryEvents", "maxPayloadBytes"]) {
    assertThrows(() => setUp({ [name]: 0 }), RangeError, `"${name}" must be an integer from 1, got 0`);
  }
});
