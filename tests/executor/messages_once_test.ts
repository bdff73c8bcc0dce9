/** Signals and updates whose sender chose an ID: a repeated one is stored once, whoever runs the workflow. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type AppendBatch,
  Executor,
  InMemoryStore,
  type Workflow,
  type WorkflowContext,
  WorkflowError,
  type WorkflowStartedEvent,
} from "@rockpool/workflow";
import { crashTest, FaultyStore, seeded } from "@rockpool/workflow/testing";
import { gate, macrotasks, ofType, settle, setUp } from "../support/executors.ts";

interface Account {
  readonly payments: readonly number[];
  readonly signals: readonly unknown[];
}

/** An account that continues as new after each payment, and after each signal "renew". */
async function account(
  ctx: WorkflowContext<Account>,
  { payments, signals }: Account = { payments: [], signals: [] },
): Promise<Account> {
  let next = { payments, signals };
  let renew = false;
  ctx.handleUpdate("pay", (cents: number) => {
    if (cents < 0) throw new RangeError(`Cannot pay ${cents}`);
    renew = true;
    next = { ...next, payments: [...next.payments, cents] };
    return `paid ${next.payments.length}`;
  });
  const end = ctx.waitForSignal("end").then(() => renew = true).then(() => "end", () => "end");
  let ended = false;
  end.then(() => ended = true);
  const receive = async () => {
    for await (const one of ctx.receiveSignal("s")) {
      if (one === "renew") return renew = true;
      next = { ...next, signals: [...next.signals, one] };
    }
  };
  receive().catch(() => {});
  await ctx.waitUntil(() => renew);
  return ended ? next : await ctx.continueAsNew(next);
}

const workflows = { account: account as unknown as Workflow<never> };
const input: Account = { payments: [], signals: [] };

async function startedOf(store: InMemoryStore): Promise<WorkflowStartedEvent> {
  return (await store.load("a"))!.history[0] as WorkflowStartedEvent;
}

/** Executors of the ways on which a message reaches workflow "a". */
const ways: Record<string, () => Promise<{ store: InMemoryStore; home: Executor; sender: Executor }>> = {
  "that is live here": async () => {
    const { store, executor } = setUp({ workflows });
    await executor.execute(account, { id: "a", input });
    return { store, home: executor, sender: executor };
  },
  "that another executor runs": async () => {
    const { store, executor } = setUp({ workflows });
    await executor.execute(account, { id: "a", input });
    return { store, home: executor, sender: new Executor({ store }) };
  },
  "that is dormant": async () => {
    const { store, executor } = setUp({ workflows, dormantAfterMs: 0 });
    await executor.execute(account, { id: "a", input });
    await settle();
    return { store, home: executor, sender: executor };
  },
};

for (const [where, start] of Object.entries(ways)) {
  Deno.test(`Executor.signal() with the same signalId stores the signal once, to a workflow ${where}`, async () => {
    const { store, home, sender } = await start();
    const send = () => sender.signal("a", "s", 1, { signalId: "x" });
    await Promise.all([send(), send(), home.signal("a", "s", 1, { signalId: "x" })]);
    await settle();
    await Promise.all([send(), sender.signal("a", "s", 2, { signalId: "y" })]);
    assertEquals(ofType((await store.load("a"))!.history, "signal_received").map(({ signalId }) => signalId), [
      "x",
      "y",
    ]);
    await Promise.all([home.close(), sender.close()]);
  });

  Deno.test(`Executor.signal() with the same signalId stores the signal once over continueAsNew, to a workflow ${where}`, async () => {
    const { store, home, sender } = await start();
    const send = () => sender.signal("a", "s", 1, { signalId: "x", senderId: "office" });
    await send();
    for (let i = 0; i < 3; i++) {
      await sender.signal("a", "s", "renew");
      await settle();
      await send();
    }
    assertEquals((await startedOf(store)).remembered, { signalIds: ["x"], updates: [] });
    await home.signal("a", "end");
    assertEquals(await (await home.handle("a")).result(), { payments: [], signals: [1] });
    await send(); // also after the end
    await Promise.all([home.close(), sender.close()]);
  });
}

Deno.test("Executor.signal() with the same signalId stores the signal once when no executor runs the workflow", async () => {
  const { store, executor, clock } = setUp({ workflows });
  await executor.execute(account, { id: "a", input });
  await executor.signal("a", "s", 1, { signalId: "x" });
  await executor.close();
  const sender = new Executor({ store, clock, workflows });
  for (const [payload, signalId] of [[1, "x"], [2, "y"], [2, "y"]] as const) {
    await Promise.all([1, 2].map(() => sender.signal("a", "s", payload, { signalId })));
  }
  const [handle] = await sender.recover();
  await sender.signal("a", "s", 1, { signalId: "x" });
  await handle.signal("end");
  assertEquals(await handle.result(), { payments: [], signals: [1, 2] });
  await sender.close();
});

Deno.test("Executor.update() with the same updateId returns the recorded answer over continueAsNew, also when another executor asks", async () => {
  const { store, executor, clock } = setUp({ workflows });
  await executor.execute(account, { id: "a", input });
  const other = new Executor({ store, clock });
  const pay = (by: Executor, cents: number, updateId: string) => by.update("a", "pay", cents, { updateId });
  assertEquals(await Promise.all([pay(executor, 100, "o7"), pay(executor, 100, "o7")]), ["paid 1", "paid 1"]);
  await assertRejects(() => pay(executor, -1, "bad"), RangeError, "Cannot pay -1");
  await settle();
  assertEquals([await pay(executor, 100, "o7"), await pay(other, 100, "o7")], ["paid 1", "paid 1"]);
  assertEquals(await pay(executor, 50, "o8"), "paid 2");
  await settle();
  for (const by of [executor, other]) {
    assertEquals([await pay(by, 100, "o7"), await pay(by, 50, "o8")], ["paid 1", "paid 2"]);
    await assertRejects(() => pay(by, 5, "bad"), RangeError, "Cannot pay -1");
  }
  await executor.close();
  const next = new Executor({ store, clock, workflows });
  const [handle] = await next.recover();
  assertEquals(await pay(next, 100, "o7"), "paid 1");
  await next.signal("a", "end");
  assertEquals(await handle.result(), { payments: [100, 50], signals: [] });
  assertEquals(await pay(other, 100, "o7"), "paid 1");
  await Promise.all([next.close(), other.close()]);
});

Deno.test("a chain remembers nothing of messages without a chosen ID", async () => {
  const { store, executor } = setUp({ workflows });
  await executor.execute(account, { id: "a", input });
  await executor.signal("a", "s", 1);
  await executor.update("a", "pay", 1);
  await settle();
  const started = await startedOf(store);
  assertEquals([started.input, "remembered" in started], [{ payments: [1], signals: [1] }, false]);
  await executor.close();
});

Deno.test("a chain remembers the newest 1,000 signals and the newest 1,000 answers", async () => {
  const many = async (ctx: WorkflowContext<number>, run: number): Promise<void> => {
    ctx.handleUpdate("u", (n: number) => n);
    let count = 0;
    for await (const _ of ctx.receiveSignal("s")) if (++count === 600) break;
    await ctx.waitForSignal("renew");
    return run === 2 ? undefined : await ctx.continueAsNew(run + 1);
  };
  const { store, executor } = setUp();
  await executor.execute(many, { id: "a", input: 0 });
  for (let run = 0; run < 2; run++) {
    const ids = Array.from({ length: 600 }, (_, i) => `${run}:${i}`);
    await Promise.all(ids.map((signalId) => executor.signal("a", "s", 0, { signalId })));
    await Promise.all(ids.map((updateId, i) => executor.update("a", "u", i, { updateId })));
    await executor.signal("a", "renew");
    await settle();
  }
  const { signalIds, updates } = (await startedOf(store)).remembered!;
  const expected = Array.from({ length: 1200 }, (_, i) => `${Math.floor(i / 600)}:${i % 600}`).slice(-1000);
  assertEquals([signalIds, updates.map(({ updateId }) => updateId)], [expected, expected]);
  assertEquals(await executor.update("a", "u", 7, { updateId: "0:300" }), 300);
  await executor.close();
});

Deno.test("a signal that is not read before continueAsNew keeps its ID, its sender and its time, also in a restored store", async () => {
  const { store, executor, clock } = setUp({ workflows });
  const later = async (ctx: WorkflowContext<number>, run: number): Promise<unknown> => {
    await ctx.waitForSignal("renew");
    return run < 2 ? await ctx.continueAsNew(run + 1) : await ctx.waitForSignal("s");
  };
  await executor.execute(later, { id: "a", input: 0 });
  await clock.advance(5);
  await executor.signal("a", "s", "paper", { signalId: "x", senderId: "office" });
  await clock.advance(5);
  await executor.signal("a", "renew");
  await settle();
  const [signal] = ofType((await store.load("a"))!.history, "signal_received");
  assertEquals(signal, {
    type: "signal_received",
    at: 5,
    name: "s",
    payload: "paper",
    senderId: "office",
    signalId: "x",
  });
  const restored = InMemoryStore.restore(await store.snapshot());
  assertEquals(await restored.load("a"), await store.load("a"));
  await executor.close();
  const next = new Executor({ store: restored, clock, workflows: { later: later as unknown as Workflow<never> } });
  const [handle] = await next.recover();
  await next.signal("a", "s", "other paper", { signalId: "x" });
  for (let i = 0; i < 2; i++) await next.signal("a", "renew");
  assertEquals(await handle.result(), "paper");
  await next.close();
});

Deno.test("Executor.signal() with a signalId is stored once when the store gives no answer and the run is continued meanwhile", async () => {
  for (const signalId of ["x", undefined]) {
    const inner = new InMemoryStore();
    const home = new Executor({ store: inner, workflows });
    await home.execute(account, { id: "a", input });
    const store = new FaultyStore(inner);
    const sender = new Executor({ store, storeRetry: { maxAttempts: 3, initialIntervalMs: 1 } });
    store.after.append = async () => {
      store.after.append = undefined;
      await home.signal("a", "s", "renew");
      await settle();
      throw new Error("no answer");
    };
    const sent = sender.signal("a", "s", 1, { signalId });
    if (signalId === undefined) {
      const error = await assertRejects(() => sent, WorkflowError);
      assertEquals(error.code, "conflict");
    } else await sent;
    await home.signal("a", "end");
    assertEquals((await (await home.handle("a")).result() as Account).signals, [1]);
    await Promise.all([home.close(), sender.close()]);
  }
});

Deno.test("Executor.signal() with a signalId goes to the next run when the run does not store it", async () => {
  class Stopped extends InMemoryStore {
    stop: Promise<void> | undefined;
    override async append(batch: AppendBatch) {
      await this.stop;
      await super.append(batch);
    }
  }
  const { store, executor } = setUp({ workflows, store: new Stopped() });
  const handle = await executor.execute(account, { id: "a", input });
  await executor.signal("a", "s", "renew");
  const stopped = gate();
  store.stop = stopped.promise;
  await macrotasks(5);
  const sent = [1, 2].map(() => executor.signal("a", "s", 1, { signalId: "x" })); // the next run is on its way
  await macrotasks(5);
  stopped.open();
  await Promise.all(sent);
  await executor.signal("a", "end");
  assertEquals(await handle.result(), { payments: [], signals: [1] });
  await executor.close();
});

Deno.test("messages with IDs are stored once in a chain that crashes anywhere", async () => {
  const signals = [0, 1, 2, 3, 4, 5].flatMap((i) => [
    { atMs: 10 * i, name: "s", payload: i % 3, signalId: `s${i % 3}` },
    { atMs: 10 * i + 5, name: "s", payload: "renew", signalId: `renew ${i}` },
  ]);
  const { points } = await crashTest(account, {
    input,
    signals: [...signals, { atMs: 100, name: "end" }],
    updates: [{ atMs: 12, name: "pay", input: 7 }, { atMs: 32, name: "pay", input: 8 }],
    deaths: 2,
    check: ({ result }) => assertEquals(result, { payments: [7, 8], signals: [0, 1, 2] }),
  });
  assert(points > 50, `${points} points`);
});

Deno.test("messages with IDs are stored once, whatever the store does and whoever sends them", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = seeded(seed);
    const inner = new InMemoryStore();
    const faults = { failBefore: 0.1, failAfter: 0.1, conflict: 0.1 };
    const options = { workflows, storeRetry: { maxAttempts: 50, initialIntervalMs: 0 } };
    const executors = [0, 1].map((i) =>
      new Executor({ ...options, store: new FaultyStore(inner, { seed: 2 * seed + i, ...faults }) })
    );
    await executors[0].execute(account, { id: "a", input });
    const sent: Promise<unknown>[] = [];
    for (let i = 0; i < 30; i++) {
      const one = Math.floor(random() * 10);
      const executor = executors[Math.floor(random() * 2)];
      sent.push(executor.signal("a", "s", one, { signalId: `${one}` }));
      if (random() < 0.2) sent.push(executor.signal("a", "s", "renew", { signalId: `renew ${i}` }));
      if (random() < 0.3) await macrotasks(random() * 6);
    }
    await Promise.all(sent);
    await executors[1].signal("a", "end", 0, { signalId: "end" });
    const { signals } = await (await executors[0].handle("a")).result() as Account;
    assertEquals(signals.length, new Set(signals).size, `seed ${seed}: ${signals}`);
    await Promise.all(executors.map((executor) => executor.close()));
  }
});

Deno.test("Executor.signal() and update() refuse an ID that is no text, empty or like those that they make", async () => {
  const executor = new Executor();
  await executor.execute(account, { id: "a", input });
  for (const bad of ["", 7, null, "~x"]) {
    const rule = bad === "~x" ? 'a string that does not begin with "~"' : "a non-empty string";
    await assertRejects(
      () => executor.signal("a", "s", 1, { signalId: bad as never }),
      TypeError,
      `Cannot signal workflow "a": "signalId" must be ${rule}, got `,
    );
    await assertRejects(
      () => executor.update("a", "pay", 1, { updateId: bad as never }),
      TypeError,
      `Cannot update workflow "a": "updateId" must be ${rule}, got `,
    );
  }
  await executor.close();
});
