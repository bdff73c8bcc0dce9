/** Signals, cancellations and terminations through an executor that does not run the workflow. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type AppendBatch,
  type Delivery,
  Executor,
  InMemoryStore,
  type InMemoryStoreOptions,
  type Workflow,
  type WorkflowContext,
  WorkflowError,
} from "@rockpool/workflow";
import { FaultyStore, seeded } from "@rockpool/workflow/testing";
import { macrotasks, ofType } from "../support/executors.ts";

type Ctx = WorkflowContext;

/** Collects signals until one of them says "end". */
async function collect(ctx: Ctx): Promise<unknown[]> {
  const got: unknown[] = [];
  for await (const one of ctx.receiveSignal("s")) {
    if (one === "end") break;
    got.push(one);
  }
  return got;
}

const workflows = { collect: collect as Workflow<never> };
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

/** A store as a user writes one: without the optional methods for deliveries. */
class Counting extends InMemoryStore {
  appends: AppendBatch[] = [];
  reads = 0;
  /** Is called before an append of several events. */
  interfere: ((batch: AppendBatch) => Promise<unknown>) | undefined;

  constructor(options?: InMemoryStoreOptions) {
    super(options);
    Object.assign(this, { deliver: undefined, loadSince: undefined });
  }

  override async load(id: string) {
    const state = await super.load(id);
    this.reads += state?.history.length ?? 0;
    return state;
  }

  override async append(batch: AppendBatch) {
    this.appends.push(batch);
    const { interfere } = this;
    if (interfere !== undefined && batch.events.length > 1) {
      this.interfere = undefined;
      await interfere(batch);
    }
    await super.append(batch);
  }
}

/** A workflow "a" that runs in `home`, and an executor on the same store. */
async function setUp(options?: InMemoryStoreOptions) {
  const store = new Counting(options);
  const home = new Executor({ store, workflows });
  const executor = new Executor({ store, storeRetry: { maxAttempts: 3, initialIntervalMs: 1 } });
  const handle = await home.execute(collect, { id: "a" });
  store.appends.length = store.reads = 0;
  return {
    store,
    home,
    executor,
    handle,
    codes: (calls: readonly Promise<void>[]) =>
      Promise.allSettled(calls).then((all) => all.map((one) => one.status === "rejected" ? one.reason.code : "stored")),
    async [Symbol.asyncDispose]() {
      await home.close();
      await executor.close();
    },
  };
}

for (const count of [1000, 10_000]) {
  Deno.test(`${count} signals at once through another executor take a batch for each 1,000`, async () => {
    await using world = await setUp();
    const { executor, store, handle } = world;
    await Promise.all(numbers(count).map((i) => executor.signal("a", "s", i)));
    assertEquals(store.appends.length, count / 1000);
    assert(store.reads < count * 11, `${store.reads} events read`); // and the home executor reads them too
    await executor.signal("a", "s", "end");
    assertEquals(await handle.result(), numbers(count));
  });
}

/** A store that can deliver, and counts what is read. */
class Delivering extends InMemoryStore {
  deliveries: Delivery[] = [];
  reads = 0;
  /** Is called before the next delivery. */
  interfere: ((delivery: Delivery) => Promise<unknown>) | undefined;

  override async load(id: string) {
    const state = await super.load(id);
    this.reads += state?.history.length ?? 0;
    return state;
  }

  override async loadSince(id: string, length: number, runId?: string) {
    const tail = await super.loadSince(id, length, runId);
    this.reads += tail?.events.length ?? 0;
    return tail;
  }

  override async deliver(delivery: Delivery) {
    this.deliveries.push(delivery);
    const { interfere } = this;
    this.interfere = undefined;
    await interfere?.(delivery);
    return await super.deliver(delivery);
  }
}

/** A workflow "a" that runs in `home`, and an executor on the same store, which can deliver. */
async function setUpDelivering() {
  const store = new Delivering();
  const home = new Executor({ store, workflows });
  const executor = new Executor({ store, storeRetry: { maxAttempts: 3, initialIntervalMs: 1 } });
  const handle = await home.execute(collect, { id: "a" });
  return {
    store,
    home,
    executor,
    handle,
    async [Symbol.asyncDispose]() {
      await home.close();
      await executor.close();
    },
  };
}

Deno.test("signals are delivered without a read, and the executor of the run reads only them", async () => {
  await using world = await setUpDelivering();
  const { executor, store, handle } = world;
  for (let round = 0; round < 5; round++) {
    await Promise.all(numbers(1000).map((i) => executor.signal("a", "s", i)));
  }
  assertEquals(store.deliveries.map(({ events }) => events.length), Array(5).fill(1000));
  await executor.signal("a", "s", "end");
  assertEquals((await handle.result() as unknown[]).length, 5000);
  assert(store.reads < 5100, `${store.reads} events read`);
});

Deno.test("signals whose delivery has no answer are stored once, in order", async () => {
  await using world = await setUpDelivering();
  const { executor, store, handle } = world;
  store.interfere = async (delivery) => {
    await store.deliver(delivery);
    throw new Error("no answer");
  };
  await Promise.all(numbers(100).map((i) => executor.signal("a", "s", i)));
  await executor.signal("a", "s", "end");
  assertEquals(await handle.result(), numbers(100));
});

Deno.test("a delivery for a chain that was replaced is refused, and says so", async () => {
  await using world = await setUpDelivering();
  const { executor, home, handle } = world;
  const older = await executor.handle("a");
  await handle.terminate();
  await home.execute(collect, { id: "a" });
  const { code, message } = await assertRejects(() => older.signal("s", 1), WorkflowError);
  assertEquals([code, message], ["not_found", 'Cannot signal workflow "a": another run has replaced it']);
});

Deno.test("cancel() of a finished workflow that was cancelled before is refused, also by delivery", async () => {
  await using world = await setUpDelivering();
  const { executor, handle } = world;
  await executor.cancel("a");
  await executor.cancel("a");
  await assertRejects(() => handle.result());
  const { code } = await assertRejects(() => executor.cancel("a"), WorkflowError);
  assertEquals(code, "not_found");
});

Deno.test("a signal with an ID that a finished workflow has is no error, also by delivery", async () => {
  await using world = await setUpDelivering();
  const { executor, handle } = world;
  await executor.signal("a", "s", "end", { signalId: "1" });
  await handle.result();
  await executor.signal("a", "s", "end", { signalId: "1" });
  await assertRejects(() => executor.signal("a", "s", "end", { signalId: "2" }), WorkflowError, "completed");
});

Deno.test("signals that another append overtakes are stored once, in the order of their calls", async () => {
  await using world = await setUp();
  const { executor, store, home, handle } = world;
  store.interfere = () => home.signal("a", "s", "other");
  await Promise.all(numbers(100).map((i) => executor.signal("a", "s", i)));
  assertEquals(store.appends.map(({ events }) => events.length), [100, 1, 100]);
  await executor.signal("a", "s", "end");
  assertEquals(await handle.result(), ["other", ...numbers(100)]);
});

Deno.test("signals whose answer is lost are stored once, and are sent with what follows", async () => {
  await using world = await setUp();
  const { executor, store, handle } = world;
  let late: Promise<void> | undefined;
  store.interfere = async (batch) => {
    await store.append(batch);
    late = executor.signal("a", "s", "late");
    throw new Error("no answer");
  };
  await Promise.all(numbers(100).map((i) => executor.signal("a", "s", i)));
  await late;
  await executor.signal("a", "s", "end");
  assertEquals(await handle.result(), [...numbers(100), "late"]);
});

Deno.test("a signal that is refused does not touch those that are sent with it", async () => {
  await using world = await setUp();
  const { executor, home, handle, codes } = world;
  await handle.terminate();
  await home.execute(collect, { id: "a" });
  const older = await executor.handle("a");
  await home.terminate("a");
  const newer = await home.execute(collect, { id: "a" });
  assertEquals(
    await codes([
      executor.signal("a", "s", 1),
      older.signal("s", 2),
      executor.signal("a", "s", () => {}),
      executor.signal("b", "s", 3),
      executor.signal("a", "s", 4),
    ]),
    ["stored", "not_found", undefined, "not_found", "stored"],
  );
  await executor.signal("a", "s", "end");
  assertEquals(await newer.result(), [1, 4]);
});

Deno.test("signals that do not fit into the store do not keep out those before them", async () => {
  await using world = await setUp({ maxEventsPerWorkflow: 70 });
  const { executor, store, codes } = world;
  const answers = await codes(numbers(100).map((i) => executor.signal("a", "s", i)));
  assertEquals(answers, numbers(100).map((i) => i < 69 ? "stored" : "capacity_exceeded"));
  const { history } = (await store.load("a"))!;
  assertEquals(ofType(history, "signal_received").map(({ payload }) => payload), numbers(69));
});

Deno.test("an event that the store refuses again and again does not keep out the others", async () => {
  class Picky extends Counting {
    override append(batch: AppendBatch) {
      const isBad = batch.events.some((event) => event.type === "signal_received" && event.payload === 13);
      return isBad ? Promise.reject(new Error("13 is bad luck")) : super.append(batch);
    }
  }
  const store = new Picky();
  await using home = new Executor({ store });
  await using executor = new Executor({ store, storeRetry: { maxAttempts: 3, initialIntervalMs: 1 } });
  const handle = await home.execute(collect, { id: "a" });
  const sent = await Promise.allSettled(numbers(20).map((i) => executor.signal("a", "s", i)));
  assertEquals(sent.flatMap(({ status }, i) => status === "rejected" ? [i] : []), [13]);
  assertEquals((sent[13] as PromiseRejectedResult).reason.code, "store_failed");
  await executor.signal("a", "s", "end");
  assertEquals(await handle.result(), numbers(20).filter((i) => i !== 13));
});

Deno.test("a termination and a cancellation keep their place among signals", async () => {
  await using world = await setUp();
  const { executor, store, handle, codes } = world;
  const answers = await codes([
    executor.signal("a", "s", 1),
    executor.cancel("a", "first"),
    executor.cancel("a", "second"),
    executor.signal("a", "s", 2),
    executor.terminate("a", "enough"),
    executor.signal("a", "s", 3),
    executor.cancel("a"),
    executor.terminate("a"),
  ]);
  const refused = ["not_found", "not_found", "not_found"];
  // The code of the workflow ends because of the cancellation, before or after the termination.
  assertEquals([...answers.slice(0, 3), ...answers.slice(5)], ["stored", "stored", "stored", ...refused]);
  await assertRejects(() => handle.result());
  const { history } = (await store.load("a"))!;
  assertEquals(ofType(history, "cancel_requested").map(({ reason }) => reason), ["first"]);
  assertEquals(ofType(history, "signal_received")[0].payload, 1);
});

Deno.test("a termination is the last event that is stored of those sent at once", async () => {
  await using world = await setUp();
  const { executor, home, store, codes } = world;
  await home.close();
  const calls = [
    ...numbers(3).map((i) => executor.signal("a", "s", i)),
    executor.terminate("a"),
    executor.signal("a", "s", 3),
    executor.terminate("a"),
  ];
  assertEquals(await codes(calls), ["stored", "stored", "stored", "stored", "not_found", "not_found"]);
  assertEquals((await store.load("a"))!.history.at(-1)!.type, "workflow_canceled");
});

Deno.test("signals keep their order when the workflow becomes live in the executor meanwhile", async () => {
  for (let pause = 0; pause < 6; pause++) {
    const { store, home, handle } = await setUp();
    await home.close();
    await assertRejects(() => handle.result(), WorkflowError, "closed");
    await using executor = new Executor({ store, workflows });
    const sent: Promise<void>[] = [];
    const send = (from: number) => sent.push(...numbers(10).map((i) => executor.signal("a", "s", from + i)));
    send(0);
    for (let i = 0; i < pause; i++) await null;
    const recovered = executor.recover();
    send(10);
    await null;
    send(20);
    const [live] = await recovered;
    send(30);
    await Promise.all(sent);
    await live.signal("s", "end");
    assertEquals(await live.result(), numbers(40), `pause ${pause}`);
  }
});

Deno.test("signals are stored once and in order, whatever the store does and whoever runs the workflow", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = seeded(seed);
    const inner = new InMemoryStore();
    const faults = { failBefore: 0.15, failAfter: 0.15, conflict: 0.15 };
    const options = { workflows, storeRetry: { maxAttempts: 50, initialIntervalMs: 0 } };
    const home = new Executor({ ...options, store: new FaultyStore(inner, { seed, ...faults }) });
    const executor = new Executor({ ...options, store: new FaultyStore(inner, { seed: seed + 1000, ...faults }) });
    await home.execute(collect, { id: "a" });
    const sent: Promise<void>[] = [];
    const movesAt = random() * 20;
    for (let i = 0; i < 20; i++) {
      for (const sender of ["x", "y"]) sent.push(executor.signal("a", "s", [sender, i]));
      if (random() < 0.3) await macrotasks(random() * 4);
      if (i === Math.floor(movesAt)) {
        await home.close();
        void executor.recover();
      }
    }
    await Promise.all(sent);
    await executor.signal("a", "s", "end");
    const got = await (await executor.handle("a")).result() as [string, number][];
    for (const sender of ["x", "y"]) {
      assertEquals(
        got.flatMap(([from, i]) => from === sender ? [i] : []),
        numbers(20),
        `seed ${seed}, sender ${sender}`,
      );
    }
    await executor.close();
  }
});

Deno.test("signals of one caller stay in order when the runs continue as new, become dormant or are recovered", async () => {
  for (const dormant of [true, false]) {
    for (let seed = 1; seed <= 20; seed++) {
      const random = seeded(seed);
      class Slow extends InMemoryStore {
        override async append(batch: AppendBatch) {
          await macrotasks(random() * 3);
          await super.append(batch);
        }
        override async load(id: string) {
          const state = await super.load(id);
          await macrotasks(random() * 3);
          return state;
        }
      }
      const three = async (ctx: WorkflowContext<unknown[]>, seen: readonly unknown[] = []): Promise<unknown> => {
        let count = 0;
        for await (const one of ctx.receiveSignal("s")) {
          if (one === "end") return seen;
          seen = [...seen, one];
          if (++count === 3) return await ctx.continueAsNew([...seen]);
        }
      };
      const options = { store: new Slow(), workflows: { three: three as unknown as Workflow<never> } };
      const first = new Executor(options);
      await first.execute(three, { id: "a" });
      await first.close();
      await using executor = new Executor({ ...options, ...(dormant ? { dormantAfterMs: 0 } : {}) });
      if (dormant) await executor.recover();
      const sent: Promise<unknown>[] = [];
      for (let i = 0; i < 40; i++) {
        sent.push(executor.signal("a", "s", i));
        if (random() < 0.6) await macrotasks(random() * 4);
        if (i === 5 && !dormant) sent.push(executor.recover());
      }
      await Promise.all(sent);
      await executor.signal("a", "s", "end");
      assertEquals(await (await executor.handle("a")).result(), numbers(40), `seed ${seed}, dormant ${dormant}`);
    }
  }
});

Deno.test("Executor.signal() reaches the next run when the store refused a batch as too large", async () => {
  const store = new Counting({ maxEventsPerWorkflow: 10 });
  const next = async (ctx: WorkflowContext<unknown>): Promise<unknown> => {
    for await (const one of ctx.receiveSignal("s")) if (one === "next") return await ctx.continueAsNew(1);
  };
  await using home = new Executor({ store, workflows: { next: next as unknown as Workflow<never> } });
  await home.execute(next, { id: "a" });
  await using executor = new Executor({ store });
  const refused = store.append.bind(store);
  store.append = async (batch) => {
    try {
      await refused(batch);
    } catch (error) {
      store.append = refused;
      await home.signal("a", "s", "next");
      await macrotasks(20);
      throw error;
    }
  };
  const outcomes = await Promise.allSettled(numbers(12).map((i) => executor.signal("a", "s", i)));
  assertEquals(outcomes.filter(({ status }) => status === "fulfilled").length, 9);
  const codes = outcomes.flatMap((outcome) => outcome.status === "rejected" ? [outcome.reason.code] : []);
  assertEquals(codes, ["capacity_exceeded", "capacity_exceeded", "capacity_exceeded"]);
});
