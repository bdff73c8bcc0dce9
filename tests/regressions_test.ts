/**
 * Faults that users of other workflow engines reported. Each test shows that the fault does not exist here: its name says what
 * holds. Two more tests, about runs that continue each other, are in `tests/executor/continue_test.ts`.
 */

import { assert, assertEquals } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { Executor, InMemoryStore, TimeoutError, VirtualClock, type WorkflowContext } from "@rockpool/workflow";
import { crashTest, FaultyStore } from "@rockpool/workflow/testing";
import { countMacrotasks, gate, settle, setUp, typesOf } from "./support/executors.ts";

type Ctx = WorkflowContext;

const DAY_MS = 24 * 60 * 60 * 1000;

Deno.test("reported fault: a wait that has timed out does not take the next signal", async () => {
  const { undisturbed } = await crashTest(async (ctx: Ctx) => {
    const seen: unknown[] = [];
    for (let i = 0; i < 2; i++) {
      await ctx.waitForSignal("n", { timeoutMs: 50 }).catch((error) => seen.push(error instanceof TimeoutError));
    }
    await ctx.sleep(200); // one signal comes while there is no wait
    seen.push(await ctx.waitForSignal("n", { timeoutMs: 50 }), ctx.now());
    return [...seen, await ctx.waitForSignal("n"), ctx.now()];
  }, { signals: [{ atMs: 150, name: "n", payload: "late" }, { atMs: 500, name: "n", payload: "next" }] });
  assertEquals(undisturbed.result, [true, true, "late", 300, "next", 500]);
});

Deno.test("reported fault: Promise.race of many signals and a sleep has the same winner on replay", async () => {
  const signals = Array.from({ length: 12 }, (_, n) => {
    return { atMs: 4 * n + 25 * Math.floor(n / 3), name: `s${n * 5 % 4}`, payload: n }; // in bursts
  });
  const { undisturbed } = await crashTest(async (ctx: Ctx) => {
    const won: unknown[] = [];
    while (won.length < 10) {
      const signals = [0, 1, 2, 3].map((n) => ctx.waitForSignal(`s${n}`));
      won.push(await Promise.race([...signals, ctx.sleep(10).then(() => `slept until ${ctx.now()}`)]));
    }
    return won;
  }, { signals });
  const slept = [18, 28, 55, 65].map((until) => `slept until ${until}`);
  assertEquals(undisturbed.result, [0, 1, 2, ...slept.slice(0, 2), 3, 4, 5, ...slept.slice(2)]);
});

Deno.test("reported fault: the workflow's clock advances together with the event that advances it", async () => {
  const { undisturbed } = await crashTest(async (ctx: Ctx) => {
    const log: unknown[] = [];
    const watch = async (name: string) => log.push(await ctx.waitForSignal(name), ctx.now());
    const waits = [watch("b"), watch("a")];
    await waits[1];
    // On replay, the other signal is in the history already, but has not happened yet.
    for (let i = 0; i < 20; i++) await null;
    log.push("still", ctx.now());
    await waits[0];
    return log;
  }, { signals: [{ atMs: 10, name: "a", payload: 1 }, { atMs: 20, name: "b", payload: 2 }] });
  assertEquals(undisturbed.result, [1, 10, "still", 10, 2, 20]);
});

Deno.test("reported fault: many long sleeps end soon on the virtual clock", async () => {
  async function naps(ctx: Ctx) {
    await Promise.all([ctx.sleep(365 * DAY_MS), ctx.sleep(DAY_MS), ctx.sleep(0)]);
    for (let i = 0; i < 100; i++) await ctx.sleep(DAY_MS);
    return ctx.now() / DAY_MS;
  }
  const { executor } = setUp();
  const handles = await Promise.all(Array.from({ length: 20 }, () => executor.execute(naps)));
  const results = Promise.all(handles.map((handle) => handle.result()));
  const count = await countMacrotasks(results);
  assertEquals(await results, Array(20).fill(465));
  assert(count < 1000, `${count} macrotasks`); // about two for each time at which a run wakes
  await executor.close();
});

// The leak checks of the test runner are on: a timer, a port or a promise that is left over fails these tests.
Deno.test("reported fault: no timer is left at the end of a test", async (t) => {
  const waits = async (ctx: Ctx) => {
    const slow = (): Promise<void> => new Promise(() => {});
    await Promise.race([
      ctx.sleep(1e6),
      ctx.waitForSignal("never", { timeoutMs: 1e6 }),
      ctx.executeActivity(slow, undefined, { timeoutMs: 1e6, totalTimeoutMs: 1e7 }),
      ctx.waitForSignal("end"),
    ]);
  };
  for (const clock of [undefined, new VirtualClock()]) {
    const name = clock === undefined ? "system clock" : "virtual clock";
    await t.step(`a workflow that ends before its timers, on the ${name}`, async () => {
      const executor = new Executor({ store: new InMemoryStore(), clock });
      clock?.hold();
      const handle = await executor.execute(waits, { id: "a", timeoutMs: 1e8 });
      await settle();
      await executor.signal("a", "end");
      await handle.result(); // the executor is not closed
    });
    await t.step(`a workflow that still waits when the executor is closed, on the ${name}`, async () => {
      const executor = new Executor({ store: new InMemoryStore(), clock });
      await executor.execute(waits, { id: "a", timeoutMs: 1e8 });
      await settle();
      await executor.close();
    });
  }
});

Deno.test("reported fault: a timer of 30 days fires after 30 days, although setTimeout overflows", async () => {
  using time = new FakeTime(0);
  const executor = new Executor({ store: new InMemoryStore() }); // on the system clock; more in clock_test.ts
  const handle = await executor.execute(async (ctx) => {
    await ctx.sleep(30 * DAY_MS);
    return ctx.now();
  });
  for (let i = 0; i < 3; i++) await settle();
  await time.tickAsync(30 * DAY_MS - 1);
  await settle();
  assertEquals(handle.status, "running");
  await time.tickAsync(1);
  assertEquals(await handle.result(), 30 * DAY_MS);
  await executor.close();
});

Deno.test("reported fault: a result is found without polling", async () => {
  const store = new FaultyStore();
  let loads = 0;
  store.before.load = () => loads++;
  const hold = gate<string>();
  const clock = new VirtualClock();
  const timers: number[] = [];
  const setTimer = clock.setTimer.bind(clock);
  clock.setTimer = (dueAt, callback) => (timers.push(dueAt), setTimer(dueAt, callback));
  const [driver, waiter] = [1, 2].map(() => new Executor({ store, clock }));
  const handle = await driver.execute((ctx) => ctx.executeActivity(() => hold.promise), { id: "a" });
  const elsewhere = await waiter.handle("a");
  const results = Promise.all([handle.result(), elsewhere.result()]);
  for (let i = 0; i < 5; i++) await settle();
  const loadsWhileWaiting = loads;
  for (let i = 0; i < 5; i++) await settle();
  assertEquals([loads, timers], [loadsWhileWaiting, []]); // no load and no timer while both wait
  hold.open("done");
  assertEquals(await results, ["done", "done"]);
  await Promise.all([driver.close(), waiter.close()]);
});

Deno.test("reported fault: two activities of one name have results of their own", async () => {
  const { undisturbed } = await crashTest(async (ctx: Ctx) => {
    const named = (answer: number) => ({ work: () => answer }).work;
    const other = { name: "work" };
    return [
      await ctx.executeActivity(named(1), "same"),
      await ctx.executeActivity(named(2), "same"),
      ...await Promise.all([3, 4].map((answer) => ctx.executeActivity(() => answer, "same", other))),
    ];
  });
  assertEquals(undisturbed.result, [1, 2, 3, 4]);
});

Deno.test("reported fault: two activities of one name have idempotency keys and failures of their own", async () => {
  const { executor } = setUp();
  const keys: string[] = [];
  const handle = await executor.execute(async (ctx) => {
    const work = (fails: boolean, { idempotencyKey }: { idempotencyKey: string }) => {
      keys.push(idempotencyKey);
      if (fails) throw new RangeError("once");
      return "fine";
    };
    const [failed, fine] = await Promise.allSettled([true, false].map((fails) => ctx.executeActivity(work, fails)));
    return [failed.status, fine.status];
  }, { id: "a" });
  assertEquals(await handle.result(), ["rejected", "fulfilled"]);
  assertEquals(new Set(keys).size, 2);
  const history = (await executor.describe("a", { history: true })).history;
  assertEquals(typesOf(history).filter((type) => type === "activity_failed").length, 1);
  await executor.close();
});
