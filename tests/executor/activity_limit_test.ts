/** Limits on the attempts of activities that run at once. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type ActivityContext, Executor, TimeoutError, type WorkflowContext } from "@rockpool/workflow";
import { seeded } from "@rockpool/workflow/testing";
import { gate, macrotasks, ofType, settle, setUp } from "../support/executors.ts";

type Ctx = WorkflowContext;

Deno.test("ExecutorOptions.maxConcurrentActivities limits the attempts that run at once, and every activity runs", async () => {
  const random = seeded(5);
  let running = 0;
  let maxRunning = 0;
  const work = async (n: number) => {
    maxRunning = Math.max(maxRunning, ++running);
    for (let ticks = random() * 20; ticks > 0; ticks--) await null;
    if (random() < 0.3) await settle();
    running--;
    if (random() < 0.2) throw new Error("again");
    return n;
  };
  const fan = (ctx: Ctx, count: number) =>
    Promise.all(
      Array.from({ length: count }, (_, n) =>
        ctx.executeActivity(work, n, { retry: { maxAttempts: 20, initialIntervalMs: 1, jitter: false } })),
    );
  const { executor } = setUp({ maxConcurrentActivities: 3 });
  const handles = await Promise.all([1, 40, 20].map((input, i) => executor.execute(fan, { id: `w${i}`, input })));
  const results = await Promise.all(handles.map((handle) => handle.result()));
  assertEquals(results.map((result) => result.length), [1, 40, 20]);
  assertEquals([maxRunning, running], [3, 0]);
  await executor.close();
});

Deno.test("ExecutorOptions.maxConcurrentActivities alternates between runs and keeps the order within a run", async () => {
  const order: string[] = [];
  const work = (name: string) => void order.push(name);
  const first = gate();
  const many = (ctx: Ctx, name: string) =>
    Promise.all(Array.from({ length: 4 }, (_, n) => ctx.executeActivity(work, `${name}${n}`)));
  const { executor } = setUp({ maxConcurrentActivities: 1 });
  const blocks = await executor.execute((ctx: Ctx) => ctx.executeActivity(() => first.promise), { id: "x" });
  await settle();
  const handles = [];
  for (const name of ["a", "b"]) {
    handles.push(await executor.execute(many, { id: name, input: name }));
    await settle();
  }
  assertEquals(order, []);
  first.open();
  await Promise.all([blocks, ...handles].map((handle) => handle.result()));
  assertEquals(order, ["a0", "b0", "a1", "b1", "a2", "b2", "a3", "b3"]);
  await executor.close();
});

Deno.test("ExecutorOptions.maxConcurrentActivities frees the place of a cancelled activity and the slot of a timed-out attempt", async () => {
  const ran: string[] = [];
  const { executor, clock } = setUp({ maxConcurrentActivities: 1 });
  const stuck = await executor.execute(
    (ctx: Ctx) => ctx.executeActivity(() => new Promise(() => {}), undefined, { timeoutMs: 100 }),
    { id: "stuck" },
  );
  await settle();
  const waits = await executor.execute((ctx: Ctx) => ctx.executeActivity(() => void ran.push("canceled")), { id: "b" });
  const last = await executor.execute((ctx: Ctx) => ctx.executeActivity(() => void ran.push("last")), { id: "c" });
  await settle();
  await executor.cancel("b");
  await assertRejects(() => waits.result());
  await clock.advance(100);
  await assertRejects(() => stuck.result(), TimeoutError);
  await last.result();
  assertEquals(ran, ["last"]);
  await executor.close();
});

Deno.test("ExecutorOptions.maxConcurrentActivities is kept when attempts fail, time out or are cancelled, and after restarts", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = seeded(seed);
    const limit = 1 + Math.floor(random() * 4);
    let running = 0;
    let maxRunning = 0;
    const work = async (n: number, { signal }: ActivityContext) => {
      maxRunning = Math.max(maxRunning, ++running);
      const end = () => void (running -= ended ? 0 : 1, ended = true);
      let ended = false;
      signal.addEventListener("abort", end); // an aborted attempt counts no longer
      if (random() < 0.1) await new Promise(() => {}); // until it times out
      for (let ticks = random() * 20; ticks > 0; ticks--) await null;
      if (random() < 0.2) await macrotasks(1 + random() * 5);
      end();
      if (random() < 0.2) throw new Error("again");
      return n;
    };
    const options = { timeoutMs: 1000, retry: { maxAttempts: 50, initialIntervalMs: 1 } };
    const fan = async (ctx: Ctx, count: number) => {
      const all = Array.from({ length: count }, (_, n) => ctx.executeActivity(work, n, options));
      return (await Promise.all(all)).length;
    };
    const setting = { maxConcurrentActivities: limit, workflows: { fan } };
    let { executor, store, clock } = setUp(setting);
    const inputs = [1, 30, 12, 5];
    for (const [i, input] of inputs.entries()) await executor.execute(fan, { id: `w${i}`, input });
    let unfinished = true;
    for (let step = 0; unfinished; step++) {
      await macrotasks(1 + random() * 20);
      if (random() < 0.3) await clock.advance(random() * 1000);
      if (step === 5) await executor.cancel("w3").catch(() => {});
      if (random() < 0.1 && step < 50) {
        await executor.close();
        assertEquals(running, 0, `seed ${seed}: a closed executor runs something`);
        executor = new Executor({ ...setting, store, clock, random });
        await executor.recover();
      }
      unfinished = (await store.list({ status: "running" })).length > 0;
    }
    const ends = await Promise.all(inputs.map(async (_, i) => (await store.load(`w${i}`))!));
    assertEquals(ends.slice(0, 3).map(({ result }) => result), inputs.slice(0, 3), `seed ${seed}`);
    assert(maxRunning <= limit && running === 0, `seed ${seed}: ${maxRunning} of ${limit}, ${running} left`);
    await executor.close();
  }
});

Deno.test("ExecutorOptions.maxConcurrentActivities counts timeoutMs from the attempt and totalTimeoutMs from the call", async () => {
  const opened = gate();
  let runs = 0;
  const quick = () => void runs++;
  const { executor, store, clock } = setUp({ maxConcurrentActivities: 1 });
  const first = await executor.execute((ctx: Ctx) => ctx.executeActivity(() => opened.promise), { id: "first" });
  await settle();
  const attemptLimited = await executor.execute((ctx: Ctx) => ctx.executeActivity(quick, undefined, { timeoutMs: 10 }));
  const totalLimited = await executor.execute(
    (ctx: Ctx) => ctx.executeActivity(quick, undefined, { totalTimeoutMs: 50 }),
    {
      id: "totalLimited",
    },
  );
  await settle();
  await clock.advance(100);
  await assertRejects(() => totalLimited.result(), TimeoutError, 'Activity "quick" timed out after 50 ms in total');
  assertEquals(runs, 0);
  opened.open();
  await Promise.all([first.result(), attemptLimited.result()]);
  assertEquals([runs, clock.now()], [1, 100]);
  assertEquals(ofType((await store.load("totalLimited"))!.history, "activity_failed").map(({ attempt }) => attempt), [
    0,
  ]);
  await executor.close();
});

Deno.test("ExecutorOptions.maxConcurrentActivities holds a virtual clock while a queued activity can run", async () => {
  const times: number[] = [];
  const { executor, clock } = setUp({ maxConcurrentActivities: 2 });
  const handle = await executor.execute(async (ctx: Ctx) => {
    const work = async () => {
      await macrotasks(3);
      times.push(clock.now());
    };
    const all = Promise.all(Array.from({ length: 20 }, () => ctx.executeActivity(work)));
    return await Promise.race([all.then(() => "all"), ctx.sleep(1)]);
  });
  assertEquals([await handle.result(), times], ["all", new Array(20).fill(0)]);
  await executor.close();
});

Deno.test("ExecutorOptions.maxConcurrentActivities leaves queued activities to the next executor, which runs each once", async () => {
  const ran: number[] = [];
  const work = async (n: number) => {
    ran.push(n);
    if (ran.length === 1) await new Promise(() => {});
    return n;
  };
  const fan = (ctx: Ctx) => Promise.all([1, 2, 3].map((n) => ctx.executeActivity(work, n)));
  const { executor, store } = setUp({ maxConcurrentActivities: 1 });
  await executor.execute(fan, { id: "a" });
  await settle();
  await executor.close();
  await settle();
  assertEquals(ran, [1]);
  const next = setUp({ store, maxConcurrentActivities: 1, workflows: { fan } });
  const [handle] = await next.executor.recover();
  assertEquals([await handle.result(), ran], [[1, 2, 3], [1, 1, 2, 3]]);
  await next.executor.close();
});

Deno.test("ExecutorOptions.maxConcurrentActivities does not overflow the stack when many activities end at once", async () => {
  const { executor } = setUp({ maxConcurrentActivities: 1 });
  const handle = await executor.execute((ctx: Ctx) =>
    Promise.all(Array.from({ length: 20_000 }, (_, n) => ctx.executeActivity((n: number) => n, n)))
  );
  assert((await handle.result()).every((value, n) => value === n));
  await executor.close();
});

Deno.test("Executor() refuses a bad maxConcurrentActivities", () => {
  assertThrows(
    () => setUp({ maxConcurrentActivities: 0 }),
    RangeError,
    'Cannot create an executor: "maxConcurrentActivities" must be an integer from 1, got 0',
  );
});

Deno.test("ExecutorOptions.maxConcurrentActivities starts no queued activity while the executor drains", async () => {
  const opened = gate();
  const ran: number[] = [];
  const work = async (n: number) => {
    ran.push(n);
    if (n === 1) await opened.promise;
  };
  const fan = (ctx: Ctx) => Promise.all([1, 2, 3].map((n) => ctx.executeActivity(work, n)));
  const { executor, store } = setUp({ maxConcurrentActivities: 1 });
  await executor.execute(fan, { id: "a" });
  await settle();
  const closed = executor.close({ drainMs: 1000 });
  opened.open();
  await closed;
  assertEquals(ran, [1]);
  assertEquals(ofType((await store.load("a"))!.history, "activity_completed").length, 1);
  const next = setUp({ store, maxConcurrentActivities: 1, workflows: { fan } });
  await (await next.executor.recover())[0].result();
  assertEquals(ran, [1, 2, 3]);
  await next.executor.close();
});
