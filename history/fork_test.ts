import { assert, assertEquals, assertThrows } from "@std/assert";
import { Executor, InMemoryStore, VirtualClock, type WorkflowContext, type WorkflowState } from "@rockpool/workflow";
import { fork, type ForkOptions } from "@rockpool/workflow/storage";

type Ctx = WorkflowContext;

const keys = new Map<string, string[]>();
const note = (name: string, { idempotencyKey }: { idempotencyKey: string }): string => {
  keys.set(name, [...keys.get(name) ?? [], idempotencyKey]);
  return `${name} done`;
};
const child = async (ctx: Ctx, n: number) => {
  await ctx.sleep(n);
  return n;
};

/** Everything that a fork must get right. */
async function shop(ctx: Ctx, input: string) {
  const log: unknown[] = [input, ctx.random()];
  ctx.handleSignal("note", (text: string) => void log.push(text));
  ctx.addCompensation((ctx) => void ctx.executeActivity(note, "undo"));
  log.push(await ctx.executeActivity(note, "reserve"));
  log.push(await ctx.sideEffect(() => 7), ctx.uuid());
  await ctx.sleep(1000);
  log.push(...await Promise.all([ctx.executeActivity(note, "charge"), ctx.executeChild(child, 50)]));
  log.push(ctx.patched("new"), ctx.random());
  log.push(await ctx.waitForSignal("approval", { timeoutMs: 5000 }));
  return log;
}

const workflows = { shop, child };

/** Runs the workflow to its end. */
async function source(): Promise<WorkflowState> {
  const clock = new VirtualClock();
  const store = new InMemoryStore({ clock });
  await using executor = new Executor({ store, clock, workflows });
  clock.at(500, () => executor.signal("a", "note", "early"));
  clock.at(3000, () => executor.signal("a", "approval", "yes"));
  await (await executor.execute(shop, { id: "a", input: "in" })).result();
  return (await store.load("a"))!;
}

/** Runs a fork to its end. Signals that it does not get come at their times. */
async function runFork(
  state: WorkflowState,
  after: number,
  options: Partial<ForkOptions> = {},
): Promise<WorkflowState> {
  const clock = new VirtualClock({ startAt: state.history[after - 1].at });
  const store = new InMemoryStore({ clock });
  const { batch, drops } = fork(state, { after, id: "b", ...options });
  await store.append(batch);
  await using executor = new Executor({ store, clock, workflows });
  for (const message of drops) {
    assert(message.type === "signal_received");
    const { at, name, payload } = message;
    clock.at(at - clock.now(), () => executor.signal("b", name, payload as never).catch(() => {})); // it may have ended
  }
  await (await executor.recover()).find(({ id }) => id === "b")!.result().catch(() => {});
  return (await store.load("b"))!;
}

Deno.test("fork() comes to the same result from every cut, with other idempotency keys", async () => {
  const state = await source();
  keys.clear();
  for (let after = 1; after < state.history.length; after++) {
    const forked = await runFork(state, after, { children: "repeat" });
    assertEquals([forked.status, forked.result], ["completed", state.result], `after ${after}`);
  }
  const all = [...keys.values()].flat();
  assertEquals(new Set(all).size, all.length);
  assertEquals(all.filter((key) => key.startsWith(state.runId)), []);
});

Deno.test("fork() says what it repeats and which signals it drops", async () => {
  const state = await source();
  const first = fork(state, { after: 1, id: "b" });
  assertEquals(first.repeats, ["note", "note", "child"]);
  assertEquals(first.drops.map((message) => message.type === "signal_received" && message.name), ["note", "approval"]);
  const started = state.history.findIndex(({ type }) => type === "activity_started") + 1;
  assertEquals(fork(state, { after: started, id: "b" }).repeats, ["note", "note", "child"], "what was in flight");
  assertEquals(fork(state, { after: started + 1, id: "b" }).repeats, ["note", "child"], "without what was done");
  const kept = fork(state, { after: 1, id: "b", signals: "keep" });
  assertEquals([kept.drops, kept.batch.events.map(({ type }) => type)], [[], [
    "workflow_started",
    "signal_received",
    "signal_received",
  ]]);
});

Deno.test("fork() names its source, also in a fork of a fork", async () => {
  const state = await source();
  const forked = await runFork(state, 3);
  const [started] = forked.history;
  assertEquals(started.type === "workflow_started" && [started.seed, started.forkedFrom], [state.runId, {
    workflowId: "a",
    runId: state.runId,
    events: 3,
  }]);
  const again = fork(forked, { after: 4, id: "c" }).batch.events[0];
  assertEquals(again.type === "workflow_started" && [again.seed, again.forkedFrom?.workflowId], [state.runId, "b"]);
});

Deno.test("fork() refuses a cut in which an update is open, and says where to cut", async () => {
  const clock = new VirtualClock();
  const store = new InMemoryStore({ clock });
  await using executor = new Executor({ store, clock });
  const handle = await executor.execute(async (ctx: Ctx) => {
    ctx.handleUpdate("pay", async () => await ctx.sleep(10));
    await ctx.sleep(100);
  }, { id: "a" });
  await executor.update("a", "pay");
  await handle.result();
  const state = (await store.load("a"))!;
  const accepted = state.history.findIndex(({ type }) => type === "update_accepted") + 1;
  const words = `Cannot fork "a" after event ${accepted}: update "pay" is open there; cut before event ${accepted}`;
  assertThrows(() => fork(state, { after: accepted, id: "b" }), Error, words);
  const completed = state.history.findIndex(({ type }) => type === "update_completed") + 1;
  assertEquals(fork(state, { after: completed, id: "b" }).batch.events.length, completed);
});

/** The source, cut where its child is open. */
async function openChild(): Promise<{ state: WorkflowState; after: number }> {
  const state = await source();
  return { state, after: state.history.findIndex(({ type }) => type === "child_started") + 1 };
}

Deno.test("fork() refuses a cut in which a child is open, and says what to do", async () => {
  const { state, after } = await openChild();
  const words = `Cannot fork "a" after event ${after}: child "child" is open there; cut before event ${after}, ` +
    'after it has ended, or pass "repeat" or "cancel" as "children"';
  assertThrows(() => fork(state, { after, id: "b" }), Error, words);
  assertThrows(() => fork(state, { after, id: "b", children: "refuse" }), Error, words);
});

Deno.test('fork() with children: "repeat" begins a child of its own, and says so', async () => {
  const { state, after } = await openChild();
  const { batch, repeats } = fork(state, { after, id: "b", runId: "run-b", children: "repeat" });
  const [old, own] = [state.history, batch.events].map((events) =>
    events.find(({ type }) => type === "child_started")!
  );
  assert(old.type === "child_started" && own.type === "child_started");
  assertEquals([own.workflowId, old.workflowId], [`run-b:${own.seq}`, `${state.runId}:${own.seq}`]);
  assertEquals(repeats, ["note", "child"]);
});

Deno.test('fork() with children: "repeat" gives a child an ID by which the code of the fork finds it', async () => {
  const parent = async (ctx: Ctx, id: string | undefined) => {
    const handle = ctx.startChild(waiter, undefined, { id: id ?? `${ctx.workflowId}/1` });
    await ctx.sleep(10);
    await handle.signal("go", ctx.workflowId);
    return [handle.id, await handle.result()];
  };
  const waiter = (ctx: Ctx) => ctx.waitForSignal<string>("go");
  for (const [id, own] of [[undefined, "b/1"], ["fixed", "fixed"], ["ab", "ab"]]) {
    const clock = new VirtualClock();
    const store = new InMemoryStore({ clock });
    await using executor = new Executor({ store, clock, workflows: { parent, waiter } });
    await (await executor.execute(parent, { id: "a", input: id })).result();
    const state = (await store.load("a"))!;
    const after = state.history.findIndex(({ type }) => type === "child_started") + 1;
    const empty = new InMemoryStore({ clock });
    await empty.append(fork(state, { after, id: "b", children: "repeat" }).batch);
    await using other = new Executor({ store: empty, clock, workflows: { parent, waiter } });
    const [handle] = await other.recover();
    assertEquals(await handle.result(), [own, "b"]);
  }
});

Deno.test('fork() with children: "cancel" goes on without a child', async () => {
  const { state, after } = await openChild();
  const { repeats } = fork(state, { after, id: "b", children: "cancel" });
  assertEquals(repeats, ["note"]);
  const { status, error, history } = await runFork(state, after, { children: "cancel" });
  assertEquals([status, error!.name], ["failed", "CanceledError"]);
  assertEquals(error!.message, `Canceled workflow "${state.runId}:4": fork "b" does not have it`);
  assertEquals(history.filter(({ type }) => type === "child_failed").length, 1);
});

/** A workflow that was sent a message of each kind, after a sleep. */
async function sentAll(): Promise<WorkflowState> {
  const clock = new VirtualClock();
  const store = new InMemoryStore({ clock });
  await using executor = new Executor({ store, clock });
  const handle = await executor.execute(async (ctx: Ctx) => {
    ctx.handleUpdate("pay", (cents: number) => cents);
    ctx.handleSignal("note", () => {});
    await ctx.sleep(1000);
    await ctx.waitForSignal("never");
  }, { id: "a" });
  clock.at(10, () => executor.update("a", "pay", 1).catch(() => {}));
  clock.at(2000, () => executor.signal("a", "note"));
  clock.at(3000, () => executor.update("a", "pay", 2).catch(() => {}));
  clock.at(4000, () => executor.cancel("a"));
  await handle.result().catch(() => {});
  return (await store.load("a"))!;
}

Deno.test("fork() names the updates and the cancellation that it drops, each once", async () => {
  const state = await sentAll();
  const kinds = (options: Partial<ForkOptions>) =>
    fork(state, { after: 1, id: "b", ...options }).drops.map(({ type }) => type);
  assertEquals(kinds({}), ["update_accepted", "signal_received", "update_accepted", "cancel_requested"]);
  assertEquals(kinds({ signals: "keep" }), ["update_accepted", "update_accepted", "cancel_requested"]);
  const canceled = state.history.findIndex(({ type }) => type === "cancel_requested") + 1;
  assertEquals(kinds({ after: canceled }), [], "the fork begins canceled");
});

Deno.test("fork() drops an update that was asked for before the cut and answered after it", () => {
  const fields = { workflowName: "w", status: "completed", createdAt: 0, updatedAt: 2 } as const;
  const asked = { type: "update_requested", at: 0, updateId: "u", name: "pay" } as const;
  const history = [
    { type: "workflow_started", at: 0, workflowName: "w" },
    asked,
    { type: "update_accepted", at: 1, updateId: "u", name: "pay" },
    { type: "update_completed", at: 1, updateId: "u" },
    { type: "workflow_completed", at: 2, result: 1 },
  ] as const;
  const { drops, batch } = fork({ ...fields, workflowId: "a", runId: "1", result: 1, history }, { after: 2, id: "b" });
  assertEquals([drops, batch.events.map(({ type }) => type)], [[asked], ["workflow_started"]]);
  assertEquals(fork({ ...fields, workflowId: "a", runId: "1", result: 1, history }, { after: 1, id: "b" }).drops, [
    asked,
  ]);
});

Deno.test("fork() does not call the timeout of a workflow a message", () => {
  const fields = { workflowName: "w", status: "failed", createdAt: 0, updatedAt: 2 } as const;
  const error = { name: "TimeoutError", message: "late" };
  const history = [
    { type: "workflow_started", at: 0, workflowName: "w", timeoutMs: 1 },
    { type: "cancel_requested", at: 1, timeoutMs: 1 },
    { type: "workflow_failed", at: 2, error },
  ] as const;
  assertEquals(fork({ ...fields, workflowId: "a", runId: "1", error, history }, { after: 1, id: "b" }).drops, []);
});

Deno.test("fork() makes a run without a parent, and a chain of its own, of a child and of a later run of a chain", () => {
  const started = { type: "workflow_started", at: 0, workflowName: "w" } as const;
  const end = { type: "workflow_completed", at: 1, result: 1 } as const;
  const first = (fields: object) => {
    const state = { workflowId: "a", runId: "1", workflowName: "w", status: "completed", createdAt: 0, updatedAt: 1 };
    const source = { ...state, result: 1, history: [{ ...started, ...fields }, end] } as unknown as WorkflowState;
    return fork(source, { after: 1, id: "b" }).batch.events[0];
  };
  const alone = { ...started, seed: "1", forkedFrom: { workflowId: "a", runId: "1", events: 1 } };
  assertEquals(first({ parent: { workflowId: "p", runId: "2", seq: 0, closePolicy: "cancel" } }), alone);
  assertEquals(first({ firstRunId: "0" }), alone);
});

Deno.test("fork() refuses bad arguments", async () => {
  const state = await source();
  assertThrows(() => fork(state, { after: 0, id: "b" }), RangeError);
  assertThrows(
    () => fork(state, { after: state.history.length, id: "b" }),
    RangeError,
    "the last event is not repeated",
  );
  assertThrows(() => fork(state, { after: 1, id: "a" }), TypeError, "another ID");
  assertThrows(() => fork(state, { after: 1, id: "b", signals: "some" as never }), TypeError);
  assertThrows(() => fork(state, { after: 1, id: "b", children: "share" } as never), TypeError);
  assertThrows(() => fork(null as never, { after: 1, id: "b" }), TypeError);
  assertThrows(
    () => fork({ ...state, history: state.history.slice(1) }, { after: 1, id: "b" }),
    TypeError,
    'Cannot fork workflow "a": its history does not begin with workflow_started',
  );
});
