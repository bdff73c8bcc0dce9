/** The faults of a `FaultyStore`, how it reports them, and that the seed alone decides them. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type AppendBatch,
  Executor,
  InMemoryStore,
  VirtualClock,
  type WorkflowContext,
  WorkflowError,
  type WorkflowFilter,
  type WorkflowStore,
} from "@rockpool/workflow";
import { FaultyStore, type FaultyStoreOptions, type StoreFault } from "@rockpool/workflow/testing";
import { withoutSubscribe } from "../tests/support/executors.ts";

const batch: AppendBatch = {
  workflowId: "a",
  runId: "1",
  expectedLength: 0,
  events: [{ type: "workflow_started", at: 1, workflowName: "w" }],
};

const calls = (store: WorkflowStore) => ({
  save: () => store.save({ workflowId: "a", status: "running" }),
  load: () => store.load("a"),
  list: () => store.list(),
  delete: () => store.delete("b"),
  append: () => store.append({ ...batch, workflowId: crypto.randomUUID() }),
});

/** Calls every method this many times, and returns how each call ended. */
async function outcomes(store: FaultyStore, times = 40): Promise<string[]> {
  const ended: string[] = [];
  for (let i = 0; i < times; i++) {
    for (const call of Object.values(calls(store))) {
      ended.push(await call().then(() => "ok", ({ message }) => message));
    }
  }
  return ended;
}

for (const operation of ["save", "load", "list", "delete", "append"] as const) {
  Deno.test(`FaultyStore.${operation}() fails before it is done, and after`, async () => {
    const before = new FaultyStore(undefined, { seed: 7, failBefore: 1, failAfter: 1 });
    await assertRejects(
      calls(before)[operation],
      Error,
      `FaultyStore: ${operation} 1 failed before it was done (seed 7)`,
    );
    assertEquals([before.faults, await before.inner.list()], [[{ operation, nth: 1, kind: "before" }], []]);
    const after = new FaultyStore(undefined, { failAfter: 1 });
    await assertRejects(
      calls(after)[operation],
      Error,
      `FaultyStore: ${operation} 1 was done, and its answer was lost (seed 0)`,
    );
    assertEquals(after.faults, [{ operation, nth: 1, kind: "after" }]);
    assertEquals((await after.inner.list()).length, operation === "save" || operation === "append" ? 1 : 0);
  });

  Deno.test(`FaultyStore.${operation}() runs the script around the call`, async () => {
    const store = new FaultyStore();
    const log: number[] = [];
    const stored = async () => void log.push((await store.inner.list()).length);
    store.before[operation] = stored;
    store.after[operation] = stored;
    await calls(store)[operation]();
    assertEquals(log, operation === "save" || operation === "append" ? [0, 1] : [0, 0]);
    store.before[operation] = () => {
      throw new Error("not now");
    };
    await assertRejects(calls(store)[operation], Error, "not now");
    assertEquals([log.length, store.faults], [2, []]);
  });
}

Deno.test("FaultyStore.append() refuses with a false conflict", async () => {
  const store = new FaultyStore(undefined, { seed: 7, conflict: 1 });
  const message = "FaultyStore: append 1 was refused with a false conflict (seed 7)";
  const error = await assertRejects(() => store.append(batch), WorkflowError, message);
  assertEquals([error.code, await store.load("a")], ["conflict", null]);
  assertEquals(store.faults, [{ operation: "append", nth: 1, kind: "conflict" }]);
});

Deno.test("FaultyStore fails with the given probabilities, as the seed decides", async () => {
  const options: FaultyStoreOptions = { failBefore: 0.1, failAfter: 0.2, conflict: 0.3 };
  const store = new FaultyStore(undefined, { ...options, seed: 1 });
  const ended = await outcomes(store);
  const count = (kind: string) => store.faults.filter((fault) => fault.kind === kind).length;
  assert(count("before") > 5 && count("before") < 40, `${count("before")} of 200`);
  assert(count("after") > 15 && count("after") < 65, `${count("after")} of 200`);
  assert(count("conflict") > 3 && count("conflict") < 25, `${count("conflict")} of 40`);
  assertEquals(await outcomes(new FaultyStore(undefined, { ...options, seed: 1 })), ended);
  const other = (await outcomes(new FaultyStore(undefined, { ...options, seed: 2 }))).map((text) => text === "ok");
  assert(other.join() !== ended.map((text) => text === "ok").join(), "another seed is another run");
});

Deno.test("FaultyStore leaves out the fault that is suppressed, and no other", async () => {
  const options = { seed: 3, failBefore: 0.2 };
  const all = new FaultyStore(undefined, options);
  await outcomes(all);
  const [, second] = all.faults;
  const suppress = (fault: StoreFault) => fault.operation === second.operation && fault.nth === second.nth;
  const some = new FaultyStore(undefined, { ...options, suppress });
  await outcomes(some);
  assertEquals(some.faults, all.faults.filter((fault) => fault !== second));
});

Deno.test("FaultyStore takes virtual time, in parallel for parallel calls", async () => {
  const clock = new VirtualClock({ startAt: 100 });
  const store = new FaultyStore(undefined, { latencyMs: [10, 10], clock });
  store.before.save = ({ workflowId }) => void log.push(`${workflowId} begins`);
  const log: string[] = [];
  const save = (workflowId: string) =>
    store.save({ workflowId, status: "running" }).then(() => log.push(`${workflowId} at ${clock.now()}`));
  clock.setTimer(103, () => log.push(`timer at ${clock.now()}`));
  await Promise.all([save("a"), save("b")]);
  assertEquals(log, ["a begins", "b begins", "timer at 103", "a at 110", "b at 110"]);
  await save("c");
  assertEquals(log.slice(5), ["c begins", "c at 120"]);
  assertEquals(store.faults.at(-1), { operation: "save", nth: 3, kind: "delay", delayMs: 10 });
});

Deno.test("FaultyStore makes the call in the middle of its latency", async () => {
  const clock = new VirtualClock();
  const inner = new InMemoryStore();
  const at: number[] = [];
  inner.subscribe(() => at.push(clock.now()));
  await new FaultyStore(inner, { latencyMs: [9, 9], clock }).append(batch);
  assertEquals([...at, clock.now()], [4, 9]);
});

Deno.test("FaultyStore delays calls by different times, so that they overtake each other", async () => {
  const clock = new VirtualClock();
  const store = new FaultyStore(undefined, { seed: 1, latencyMs: [0, 50], clock });
  const order: number[] = [];
  await Promise.all([1, 2, 3, 4, 5].map((n) => store.load(`${n}`).then(() => order.push(n))));
  assertEquals([order.toSorted(), order.join() === "1,2,3,4,5"], [[1, 2, 3, 4, 5], false]);
});

Deno.test("FaultyStore.load() and list() that are slow answer with the state at the time of the call", async () => {
  const clock = new VirtualClock();
  const store = new FaultyStore(undefined, { slowReadMs: [20, 20], clock });
  const reads = [store.load("a"), store.list()];
  await store.append(batch); // not slow
  assertEquals(clock.now(), 0);
  assertEquals([await Promise.all(reads), clock.now()], [[null, []], 20]);
  assertEquals(store.faults, [
    { operation: "load", nth: 1, kind: "slow", delayMs: 20 },
    { operation: "list", nth: 1, kind: "slow", delayMs: 20 },
  ]);
});

const fired = (expectedLength: number): AppendBatch => ({
  ...batch,
  expectedLength,
  events: [{ type: "timer_fired", at: expectedLength, seq: 0 }],
});

/** How many events of workflow "a" 40 loads show. */
async function lengthsOf(store: WorkflowStore): Promise<(number | undefined)[]> {
  const lengths = [];
  for (let i = 0; i < 40; i++) lengths.push((await store.load("a"))?.history.length);
  return lengths;
}

Deno.test("FaultyStore.load() and list() that are stale show the store before its last one to three appends", async () => {
  const store = new FaultyStore(undefined, { seed: 1, staleRead: 0.5 });
  await store.append(batch);
  for (let i = 1; i < 8; i++) await store.append(fired(i));
  const lengths = await lengthsOf(store);
  assertEquals([...new Set(lengths)].sort(), [5, 6, 7, 8]);
  assertEquals(store.faults.map(({ nth, lag }) => lengths[nth - 1]! + lag!), Array(store.faults.length).fill(8));
  assertEquals({ ...await store.inner.load("a"), history: [] }.updatedAt, 7);
  const lists = await Promise.all(Array.from({ length: 40 }, () => store.list()));
  assertEquals([...new Set(lists.map(([state]) => state.history.length))].sort(), [5, 6, 7, 8]);
  const again = new FaultyStore(store.inner, { seed: 1, staleRead: 0.5 });
  assertEquals(await lengthsOf(again), lengths); // the seed decides, and the stores around an inner store share what they know
});

Deno.test("FaultyStore.append() is never stale", async () => {
  const store = new FaultyStore(undefined, { staleRead: 1 });
  await store.append(batch);
  await store.append(fired(1));
  const error = await assertRejects(() => store.append({ ...batch, expectedLength: 1, events: [] }), WorkflowError);
  assertEquals(error.code, "conflict");
  await store.append({ ...batch, expectedLength: 2, events: [] });
  assertEquals(store.faults, []);
});

Deno.test("FaultyStore.list() that is stale shows finished and continued runs as they were, and hides no workflow", async () => {
  const store = new FaultyStore(undefined, { seed: 2, staleRead: 1, suppress: ({ lag }) => lag !== 3 });
  const of = (workflowId: string, part: Partial<AppendBatch> = {}) => store.append({ ...batch, workflowId, ...part });
  await of("done");
  await of("continued");
  await of("gone");
  await store.delete("gone");
  await of("done", { expectedLength: 1, events: [{ type: "workflow_completed", at: 9, result: "out" }] });
  await of("continued", { runId: "2", expectedLength: 1, replaces: "1" });
  await of("new");
  const list = async (filter?: WorkflowFilter) => {
    const seen = store.faults.length;
    for (;;) {
      const states = await store.list(filter);
      if (store.faults.length > seen) {
        return states.map((state) => `${state.workflowId} ${state.runId} ${state.status}`);
      }
    }
  };
  assertEquals(await list(), ["done 1 running", "continued 1 running", "new 1 running"]);
  assertEquals(await list({ status: "completed" }), []);
  assertEquals(await list({ status: ["running"], limit: 1, order: "desc" }), ["new 1 running"]);
  assertEquals((await store.inner.load("done"))?.status, "completed");
});

Deno.test("FaultyStore.load() is not stale after a workflow was saved", async () => {
  const store = new FaultyStore(undefined, { staleRead: 1 });
  await store.append(batch);
  await store.append(fired(1));
  await store.save((await store.inner.load("a"))!);
  await store.append(fired(2));
  assertEquals((await store.load("a"))?.history.length, 3);
});

Deno.test("FaultyStore takes time although the executor holds its clock while it waits for the store", async () => {
  const clock = new VirtualClock();
  const store = new FaultyStore(undefined, { latencyMs: [20, 20], clock });
  await using executor = new Executor({ store, clock });
  const handle = await executor.execute(async (ctx: WorkflowContext) => {
    await ctx.sleep(1000);
    return ctx.now();
  }, { id: "a", timeoutMs: 2000 });
  assertEquals(await handle.result(), 1020); // the event was written at 1020
  assertEquals(store.faults.map(({ kind }) => kind), Array(store.faults.length).fill("delay"));
});

Deno.test("FaultyStore.subscribe() exists if the inner store has it", async () => {
  const store = new FaultyStore();
  const changes: unknown[] = [];
  const end = store.subscribe!((...change) => changes.push(change));
  await store.append(batch);
  end();
  await store.delete("a");
  assertEquals(changes, [["a", 1]]);
  assertEquals(new FaultyStore(withoutSubscribe()).subscribe, undefined);
});

Deno.test("FaultyStore refuses bad options", () => {
  // deno-lint-ignore no-explicit-any
  const create = (options: any) => () => new FaultyStore(undefined, options);
  const clock = new VirtualClock();
  const beginning = "Cannot create a faulty store: ";
  for (
    const [options, type, message] of [
      [null, TypeError, '"options" must be an object, got null'],
      [{ seed: 0.5 }, RangeError, '"seed" must be an integer, got 0.5'],
      [{ failBefore: 1.1 }, RangeError, '"failBefore" must be a number from 0 to 1, got 1.1'],
      [{ failAfter: -1 }, RangeError, '"failAfter" must be a number from 0 to 1, got -1'],
      [{ conflict: "1" }, RangeError, '"conflict" must be a number from 0 to 1, got "1"'],
      [{ latencyMs: [2, 1], clock }, RangeError, '"latencyMs[1]" must be an integer from 2, got 1'],
      [{ slowReadMs: [-1, 1], clock }, RangeError, '"slowReadMs[0]" must be an integer from 0, got -1'],
      [{ slowReadMs: [0, 1] }, TypeError, '"clock" must be a Clock if "slowReadMs" is given, got undefined'],
      [{ staleRead: 2 }, RangeError, '"staleRead" must be a number from 0 to 1, got 2'],
      [{ latencyMs: [0, 1] }, TypeError, '"clock" must be a Clock if "latencyMs" is given, got undefined'],
      [{ suppress: 1 }, TypeError, '"suppress" must be a function, got 1'],
    ] as const
  ) assertThrows(create(options), type, beginning + message);
  // deno-lint-ignore no-explicit-any
  assertThrows(() => new FaultyStore(null as any), TypeError, `${beginning}"inner" must be an object, got null`);
});

Deno.test("FaultyStore with members has the optional methods of the inner store, which fail as the others do", async () => {
  const plain = new FaultyStore();
  assertEquals([plain.heads, plain.claim, plain.deliver], [undefined, undefined, undefined]);
  const store = new FaultyStore(undefined, { members: true, failAfter: 1, seed: 3 });
  await assertRejects(
    () => store.claim!({ owner: "x", leaseMs: 5, limit: 0 }),
    Error,
    "claim 1 was done, and its answer was lost",
  );
  await store.inner.renew!("x", 5); // the lease has begun
  store.before.renew = () => {
    throw new Error("refused");
  };
  await assertRejects(() => store.renew!("x", 5), Error, "refused");
  for (
    const call of [
      () => store.heads!(),
      () => store.count!(),
      () => store.loadSince!("a", 0),
      () => store.release!("x"),
    ]
  ) {
    await assertRejects(call, Error, "its answer was lost");
  }
  await assertRejects(() => store.inner.renew!("x", 5), Error); // released
});
