import { assertEquals, assertThrows } from "@std/assert";
import { Executor, InMemoryStore, VirtualClock, type WorkflowContext, type WorkflowState } from "@rockpool/workflow";
import { fork } from "@rockpool/workflow/storage";

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
async function runFork(state: WorkflowState, after: number): Promise<WorkflowState> {
  const clock = new VirtualClock({ startAt: state.history[after - 1].at });
  const store = new InMemoryStore({ clock });
  const { batch, drops } = fork(state, { after, id: "b" });
  await store.append(batch);
  await using executor = new Executor({ store, clock, workflows });
  for (const { at, name, payload } of drops) {
    clock.at(at - clock.now(), () => executor.signal("b", name, payload as never));
  }
  const [handle] = await executor.recover();
  await handle.result();
  return (await store.load("b"))!;
}

Deno.test("fork() comes to the same result from every cut, with other idempotency keys", async () => {
  const state = await source();
  keys.clear();
  let cuts = 0;
  for (let after = 1; after < state.history.length; after++) {
    let forked: WorkflowState;
    try {
      forked = await runFork(state, after);
    } catch (error) {
      if (/child "child" is open there/.test((error as Error).message)) continue;
      throw error;
    }
    cuts++;
    assertEquals([forked.status, forked.result], ["completed", state.result], `after ${after}`);
  }
  assertEquals(cuts > 8, true, `${cuts} cuts`);
  const all = [...keys.values()].flat();
  assertEquals(new Set(all).size, all.length);
  assertEquals(all.filter((key) => key.startsWith(state.runId)), []);
});

Deno.test("fork() says what it repeats and which signals it drops", async () => {
  const state = await source();
  const first = fork(state, { after: 1, id: "b" });
  assertEquals(first.repeats, ["note", "note", "child"]);
  assertEquals(first.drops.map(({ name }) => name), ["note", "approval"]);
  const started = state.history.findIndex(({ type }) => type === "activity_started") + 1;
  assertEquals(fork(state, { after: started, id: "b" }).repeats, ["note", "note", "child"], "what was in flight");
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
});

Deno.test("fork() refuses a cut in which a child is open, and says where to cut", async () => {
  const state = await source();
  const started = state.history.findIndex(({ type }) => type === "child_started") + 1;
  const words = `Cannot fork "a" after event ${started}: child "child" is open there; cut before event ${started}`;
  assertThrows(() => fork(state, { after: started, id: "b" }), Error, words);
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
});
