/** Activities: default options, heartbeats, errors that say when to retry, and how many run at a time. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  activity,
  type ActivityContext,
  Executor,
  RetryAfterError,
  TimeoutError,
  type WorkflowContext,
  type WorkflowEvent,
} from "@rockpool/workflow";
import { FaultyStore, gate, hops, seeded, setUp, settle, typesOf } from "./tools/testing.ts";

type Ctx = WorkflowContext;

const ofType = (history: readonly WorkflowEvent[], type: WorkflowEvent["type"]) =>
  history.filter((event) => event.type === type) as never as Record<string, unknown>[];

Deno.test("activity() gives a function default options, which a call overrides one by one", async () => {
  let calls = 0;
  const flaky = activity(() => {
    throw new Error(`failure ${++calls}`);
  }, { name: "shaky", retry: { maxAttempts: 3, jitter: false }, timeoutMs: 1000 });
  assertEquals(flaky.name, "shaky");
  async function calls3(ctx: Ctx) {
    const first = await ctx.executeActivity(flaky).catch((error) => error.message);
    const second = await ctx.executeActivity(flaky, undefined, { name: "once", retry: { maxAttempts: 1 } })
      .catch((error) => error.message);
    const third = await ctx.executeActivity(flaky, undefined, { name: undefined, retry: { maxAttempts: 2 } })
      .catch((error) => error.message);
    return [first, second, third];
  }
  const { executor, store } = setUp();
  const handle = await executor.execute(calls3, { id: "a" });
  assertEquals(await handle.result(), ["failure 3", "failure 4", "failure 6"]);
  const names = ofType((await store.load("a"))!.history, "activity_started").map(({ name }) => name);
  assertEquals(names, ["shaky", "once", "shaky"]);
  await executor.close();
});

Deno.test("activity() answers a function that can be called as it is, with the same types", async () => {
  const double = activity((n: number) => 2 * n, { timeoutMs: 5 });
  assertEquals([double(4), double.name], [8, "anonymous"]);
  const greet = activity(async function greet(name?: string, context?: ActivityContext) {
    return await Promise.resolve(`hello ${name ?? "you"} ${context?.attempt}`);
  }, {});
  assertEquals([await greet(), greet.name], ["hello you undefined", "greet"]);
  const echo = activity(<T>(value: T) => value, { retry: {} });
  const same: "same" = echo("same");
  const context = activity((_: number, { signal }) => signal.aborted, {}); // its type follows
  // @ts-expect-error -- takes a number
  const wrong = () => double("4");
  // @ts-expect-error -- not called in a workflow, it needs a context
  const missing = () => context(1);
  const { executor } = setUp();
  const handle = await executor.execute(async (ctx: Ctx) => {
    const doubled: number = await ctx.executeActivity(double, 4);
    const aborted: boolean = await ctx.executeActivity(context, 1);
    // @ts-expect-error -- takes a number
    const wrong = () => ctx.executeActivity(double, "4");
    return [doubled, aborted, await ctx.executeActivity(greet), typeof wrong];
  });
  assertEquals(await handle.result(), [8, false, "hello you 1", "function"]);
  assertEquals([same, typeof wrong, typeof missing], ["same", "function", "function"]);
  await executor.close();
});

Deno.test("activity() changes the defaults of an activity that has some, and leaves it as it is", async () => {
  let calls = 0;
  const base = activity(() => {
    throw new Error(`failure ${++calls}`);
  }, { name: "base", retry: { maxAttempts: 3, jitter: false } });
  const other = activity(base, { name: "other" });
  const once = activity(base, { atMostOnce: true });
  const { executor, store } = setUp();
  const handle = await executor.execute(async (ctx: Ctx) => {
    const fails = (error: Error) => error.message;
    return [
      await ctx.executeActivity(other).catch(fails),
      await ctx.executeActivity(once).catch(fails),
      await ctx.executeActivity(base, undefined, { atMostOnce: true }).catch(fails),
      await ctx.executeActivity(base).catch(fails),
      await ctx.executeActivity(once, undefined, { retry: {} }).catch(fails),
    ];
  }, { id: "a" });
  const refused = 'Cannot execute activity "base": "atMostOnce" and "retry" exclude each other';
  assertEquals(await handle.result(), ["failure 3", "failure 4", "failure 5", "failure 8", refused]);
  const names = ofType((await store.load("a"))!.history, "activity_started").map(({ name }) => name);
  assertEquals(names, ["other", "base", "base", "base"]);
  await executor.close();
});

Deno.test("activity() defaults hold after a restart, as the code has them then", async () => {
  let calls = 0;
  const failing = () => {
    calls++;
    throw new Error("again");
  };
  const defaults = { name: "failing", retry: { maxAttempts: 2, initialIntervalMs: 1000, jitter: false } } as const;
  const define = (maxAttempts: number) => activity(failing, { ...defaults, retry: { ...defaults.retry, maxAttempts } });
  let current = define(2);
  const work = (ctx: Ctx) => ctx.executeActivity(current);
  const store = new FaultyStore();
  const first = setUp({ store });
  const failed = gate();
  store.after = ({ events }) => {
    if (events.some(({ type }) => type === "activity_attempt_failed")) first.executor.close().then(failed.open);
  };
  await first.executor.execute(work, { id: "a" });
  await failed.promise;
  store.after = () => {};
  current = define(4);
  const { executor } = setUp({ store, workflows: { work } });
  await assertRejects(async () => await (await executor.recover())[0].result(), Error, "again");
  assertEquals(calls, 4);
  await executor.close();
});

Deno.test("activity() refuses bad options when it is called", () => {
  assertThrows(
    () => activity(() => {}, { timeoutMs: 0 }),
    RangeError,
    'Cannot define activity "anonymous": "timeoutMs" must be a finite number above 0, got 0',
  );
  assertThrows(
    () => activity(7 as never, {}),
    TypeError,
    'Cannot define activity: "activity" must be a function, got 7',
  );
  assertThrows(() => activity(() => {}, { heartbeatTimeoutMs: -1 }), RangeError, '"heartbeatTimeoutMs" must be');
});

Deno.test("RetryAfterError says when the next attempt comes, and counts as a failure does", async () => {
  const at: number[] = [];
  async function busy(ctx: Ctx) {
    const call = (_: unknown, { attempt }: ActivityContext) => {
      at.push(ctx.now());
      throw new RetryAfterError(`busy ${attempt}`, 60_000 * attempt);
    };
    return await ctx.executeActivity(call, undefined, { retry: { maxAttempts: 3 } }).catch((error) => [
      error instanceof RetryAfterError,
      error.message,
      error.delayMs,
    ]);
  }
  const { executor, store, clock } = setUp();
  const handle = await executor.execute(busy, { id: "a" });
  assertEquals(await handle.result(), [true, "busy 3", 180_000]);
  const failed = ofType((await store.load("a"))!.history, "activity_attempt_failed");
  assertEquals(failed.map(({ retryAt }) => retryAt), [60_000, 180_000]);
  assertEquals([clock.now(), at.length], [180_000, 3]);
  await executor.close();
});

Deno.test("RetryAfterError does not retry without a policy, and refuses a bad delay", async () => {
  const { executor } = setUp();
  const call = () => {
    throw new RetryAfterError("later", 5);
  };
  const handle = await executor.execute((ctx: Ctx) => ctx.executeActivity(call));
  await assertRejects(() => handle.result(), RetryAfterError, "later");
  assertThrows(() => new RetryAfterError("x", NaN), RangeError, '"delayMs" must be a finite number from 0, got NaN');
  await executor.close();
});

Deno.test("ActivityContext.heartbeat() keeps an attempt alive, and its silence fails it", async () => {
  const aborted: string[] = [];
  const opened = gate();
  const beats = async (_: unknown, context: ActivityContext) => {
    context.signal.addEventListener("abort", () => aborted.push(context.signal.reason.message));
    if (context.attempt === 2) return context.heartbeatDetails;
    for (let i = 1; i <= 3; i++) {
      clock.advance(80); // the test's clock stands still while an activity runs
      context.heartbeat({ done: i });
      await settle();
    }
    clock.advance(100);
    await opened.promise;
  };
  const { executor, store, clock } = setUp();
  const handle = await executor.execute(
    (ctx: Ctx) =>
      ctx.executeActivity(beats, undefined, {
        heartbeatTimeoutMs: 100,
        retry: { initialIntervalMs: 10, jitter: false },
      }),
    { id: "a" },
  );
  assertEquals(await handle.result(), { done: 3 });
  opened.open();
  assertEquals(aborted, ['Activity "beats" timed out after 100 ms without a heartbeat in attempt 1']);
  const { history } = (await store.load("a"))!;
  const [failed] = ofType(history, "activity_attempt_failed");
  assertEquals([failed.heartbeatDetails, (failed.error as { name: string }).name], [{ done: 3 }, "TimeoutError"]);
  await executor.close();
});

Deno.test("ActivityContext.heartbeat() is recorded at most twice in its timeout, and what was told last always", async () => {
  const talks = async (_: unknown, context: ActivityContext) => {
    for (let i = 0; i < 500; i++) {
      context.heartbeat(i);
      await hops(1);
      clock.advance(1);
    }
    context.heartbeat("the last one");
    await hops(1);
    clock.advance(199);
  };
  const { executor, store, clock } = setUp();
  await (await executor.execute((ctx: Ctx) => ctx.executeActivity(talks, undefined, { heartbeatTimeoutMs: 200 }), {
    id: "a",
  })).result();
  const beats = ofType((await store.load("a"))!.history, "activity_heartbeat");
  assertEquals(beats.map(({ details }) => details), [0, 99, 199, 299, 399, 499, "the last one"]);
  assertEquals(beats.map(({ at }) => at), [0, 100, 200, 300, 400, 500, 600]);
  await executor.close();
});

Deno.test("ActivityContext.heartbeat() without a timeout is recorded once a second, and fails nobody", async () => {
  const talks = async (_: unknown, context: ActivityContext) => {
    for (let i = 0; i < 5; i++) {
      context.heartbeat(i);
      await hops(1);
      clock.advance(400);
    }
    clock.advance(1e9);
    return "done";
  };
  const { executor, store, clock } = setUp();
  const handle = await executor.execute((ctx: Ctx) => ctx.executeActivity(talks), { id: "a" });
  assertEquals(await handle.result(), "done");
  const beats = ofType((await store.load("a"))!.history, "activity_heartbeat");
  assertEquals(beats.map(({ at, details }) => [at, details]), [[0, 0], [1000, 2], [2000, 4]]);
  await executor.close();
});

Deno.test("ActivityContext.heartbeat() records nothing when it has nothing to tell, and keeps what was told", async () => {
  const seen: unknown[] = [];
  const talks = (_: unknown, context: ActivityContext) => {
    seen.push(context.heartbeatDetails);
    if (context.attempt === 1) context.heartbeat({ page: 1 });
    context.heartbeat();
    if (context.attempt < 3) throw new Error("again");
  };
  const { executor, store } = setUp();
  await (await executor.execute((ctx: Ctx) => ctx.executeActivity(talks, undefined, { retry: {} }), { id: "a" }))
    .result();
  assertEquals(seen, [undefined, { page: 1 }, { page: 1 }]);
  assertEquals(ofType((await store.load("a"))!.history, "activity_heartbeat").length, 1);
  await executor.close();
});

Deno.test("ActivityContext.heartbeat() has one beat at a time on its way into a slow store", async () => {
  const store = new FaultyStore();
  const opened = gate();
  const sizes: number[] = [];
  store.before = async ({ events }) => {
    const beats = ofType(events, "activity_heartbeat");
    if (beats.length === 0) return;
    sizes.push(beats.length);
    await opened.promise;
  };
  const talks = async (_: unknown, context: ActivityContext) => {
    for (let i = 0; i <= 10; i++) {
      context.heartbeat(i);
      clock.advance(500);
      await settle();
    }
    opened.open();
    await settle();
    context.heartbeat();
    clock.advance(500);
    await settle();
  };
  const { executor, clock } = setUp({ store });
  await (await executor.execute((ctx: Ctx) => ctx.executeActivity(talks, undefined, { heartbeatTimeoutMs: 1000 }), {
    id: "a",
  })).result();
  const beats = ofType((await store.load("a"))!.history, "activity_heartbeat");
  assertEquals([sizes, beats.map(({ details }) => details)], [[1, 1], [0, 10]]);
  await executor.close();
});

Deno.test("ActivityContext.heartbeatDetails are the newest, whatever of them is stored when", async () => {
  const seen: unknown[] = [];
  const talks = async (_: unknown, context: ActivityContext) => {
    seen.push(context.heartbeatDetails);
    if (context.attempt === 3) return;
    context.heartbeat(`first of ${context.attempt}`);
    context.heartbeat(`last of ${context.attempt}`);
    await settle(); // the first is stored and applied meanwhile
    throw new Error("again");
  };
  const { executor } = setUp();
  const options = { heartbeatTimeoutMs: 1000, retry: { initialIntervalMs: 0 } };
  await (await executor.execute((ctx: Ctx) => ctx.executeActivity(talks, undefined, options))).result();
  assertEquals(seen, [undefined, "last of 1", "last of 2"]);
  await executor.close();
});

Deno.test("ActivityContext.heartbeatDetails are the newest although the workflow is behind with what is stored", async () => {
  const seen: unknown[] = [];
  const opened = gate();
  const talks = async (_: unknown, context: ActivityContext) => {
    seen.push(context.heartbeatDetails);
    context.heartbeat(`told in ${context.attempt}`);
    if (context.attempt === 1) await opened.promise;
    else await settle();
    throw new Error("again");
  };
  const { executor, clock } = setUp();
  const options = { heartbeatTimeoutMs: 1000, retry: { initialIntervalMs: 0 } };
  const handle = await executor.execute((ctx: Ctx) => ctx.executeActivity(talks, undefined, options), { id: "a" });
  await settle();
  const signals = Array.from({ length: 30 }, () => executor.signal("a", { name: "each takes a turn" }));
  opened.open();
  await hops(3);
  clock.advance(0);
  assertEquals(seen.length, 2);
  await Promise.all(signals);
  await assertRejects(() => handle.result(), Error, "again");
  assertEquals(seen, [undefined, "told in 1", "told in 2"]);
  await executor.close();
});

Deno.test("ActivityContext.heartbeatDetails of a failed attempt reach the next one after a restart between them", async () => {
  const seen: unknown[] = [];
  const talks = (_: unknown, context: ActivityContext) => {
    seen.push([context.attempt, context.heartbeatDetails]);
    if (context.attempt === 2) return;
    context.heartbeat(1);
    context.heartbeat({ last: new Date(7) });
    throw new Error("again");
  };
  const work = (ctx: Ctx) => ctx.executeActivity(talks, undefined, { heartbeatTimeoutMs: 1000, retry: {} });
  const store = new FaultyStore();
  const first = setUp({ store });
  const failed = gate();
  store.after = ({ events }) => {
    if (events.some(({ type }) => type === "activity_attempt_failed")) first.executor.close().then(failed.open);
  };
  await first.executor.execute(work, { id: "a" });
  await failed.promise;
  store.after = () => {};
  const { executor } = setUp({ store, workflows: { work } });
  await (await executor.recover())[0].result();
  assertEquals(seen, [[1, undefined], [2, { last: new Date(7) }]]);
  await executor.close();
});

Deno.test("ActivityContext.heartbeatDetails told last reach the attempt after a crash, although they were not recorded at once", async () => {
  const seen: unknown[] = [];
  const talks = async (_: unknown, context: ActivityContext) => {
    seen.push(context.heartbeatDetails);
    if (seen.length === 2) return;
    context.heartbeat(1);
    context.heartbeat(2);
    await new Promise(() => {});
  };
  const work = (ctx: Ctx) => ctx.executeActivity(talks, undefined, { heartbeatTimeoutMs: 1000 });
  const { executor, store, clock } = setUp();
  await executor.execute(work, { id: "a" });
  await settle();
  clock.advance(500);
  await settle();
  await executor.close();
  const next = new Executor({ store, clock, workflows: { work } });
  await (await next.recover())[0].result();
  assertEquals(seen, [undefined, 2]);
  await next.close();
});

Deno.test("ActivityContext.heartbeat() records nothing of an attempt whose failure somebody else has stored", async () => {
  const ends = [gate(), gate()];
  const attempts: ActivityContext[] = [];
  const talks = async (_: unknown, context: ActivityContext) => {
    attempts.push(context);
    if (context.attempt > 1) return context.heartbeatDetails;
    context.heartbeat(`first of ${attempts.length}`);
    await ends[attempts.length - 1].promise;
    throw new Error("again");
  };
  const work = (ctx: Ctx) => ctx.executeActivity(talks, undefined, { retry: {} });
  const { store, executor, clock } = setUp();
  const handle = await executor.execute(work, { id: "a" });
  await settle();
  const second = new Executor({ store, clock, workflows: { work } });
  await second.recover(); // although the first one is still alive
  await settle();
  clock.hold(); // no next attempt yet
  ends[0].open();
  await settle();
  clock.advance(50);
  attempts[1].heartbeat("too late");
  clock.advance(1000);
  ends[1].open();
  clock.release();
  assertEquals(await handle.result(), "first of 1");
  const { history } = (await store.load("a"))!;
  const types = typesOf(history);
  assert(types.lastIndexOf("activity_heartbeat") < types.indexOf("activity_attempt_failed"), types.join());
  await Promise.all([executor.close(), second.close()]);
});

Deno.test("ActivityContext.heartbeat() leaves no timer behind, however the attempt ends", async () => {
  const { executor, clock } = setUp();
  const ends = (fail: boolean) => (_: unknown, context: ActivityContext) => {
    context.heartbeat(1);
    context.heartbeat(2);
    if (fail) throw new Error("no");
  };
  for (const fail of [false, true]) {
    await executor.execute((ctx: Ctx) =>
      ctx.executeActivity(ends(fail), undefined, { heartbeatTimeoutMs: 1000 }).catch(() => {})
    ).then((handle) => handle.result());
  }
  await settle(); // the clock would jump
  assertEquals(clock.now(), 0);
  await executor.close();
});

Deno.test("ActivityContext.heartbeat() does nothing after the attempt has returned", async () => {
  let kept!: ActivityContext;
  const { executor, store } = setUp();
  const handle = await executor.execute(async (ctx: Ctx) => {
    await ctx.executeActivity((_: unknown, context: ActivityContext) => void (kept = context));
    await ctx.waitForSignal("go");
  }, { id: "a" });
  await settle();
  kept.heartbeat(1);
  await executor.signal("a", { name: "go" });
  await handle.result();
  assertEquals(ofType((await store.load("a"))!.history, "activity_heartbeat"), []);
  await executor.close();
});

Deno.test("ActivityOptions.heartbeatTimeoutMs counts anew in the next attempt and after a restart", async () => {
  const never = () => new Promise(() => {});
  const work = (ctx: Ctx) =>
    ctx.executeActivity(never, undefined, {
      heartbeatTimeoutMs: 100,
      retry: { maxAttempts: 2, initialIntervalMs: 10, jitter: false },
    });
  const { executor, store, clock } = setUp();
  await executor.execute(work, { id: "a" });
  await settle();
  clock.advance(60);
  await executor.close();
  const next = new Executor({ store, clock, workflows: { work }, random: () => 0.5 });
  const [handle] = await next.recover();
  await settle();
  clock.advance(99);
  await settle();
  clock.advance(1); // at 160
  await settle();
  clock.advance(100);
  const message = 'Activity "never" timed out after 100 ms without a heartbeat in attempt 2';
  await assertRejects(() => handle.result(), TimeoutError, message);
  const { history } = (await store.load("a"))!;
  assertEquals(ofType(history, "activity_attempt_failed").map(({ at, retryAt }) => [at, retryAt]), [[160, 170]]);
  assertEquals(ofType(history, "activity_failed").map(({ at }) => at), [270]);
  await next.close();
});

Deno.test("ActivityContext.heartbeatDetails reach the attempt after a restart", async () => {
  const never = gate();
  const started: unknown[] = [];
  const copies = async (_: unknown, context: ActivityContext) => {
    started.push([context.attempt, context.heartbeatDetails]);
    if (started.length === 2) return "copied";
    context.heartbeat({ copied: 7 });
    await never.promise;
  };
  const copy = (ctx: Ctx) => ctx.executeActivity(copies, undefined, { heartbeatTimeoutMs: 1000 });
  const { executor, store, clock } = setUp();
  await executor.execute(copy, { id: "a" });
  await settle();
  await executor.close();
  const next = new Executor({ store, clock, workflows: { copy } });
  const [handle] = await next.recover();
  assertEquals([await handle.result(), started], ["copied", [[1, undefined], [1, { copied: 7 }]]]);
  assertEquals(typesOf((await store.load("a"))!.history), [
    "workflow_started",
    "activity_started",
    "activity_heartbeat",
    "activity_completed",
    "workflow_completed",
  ]);
  await next.close();
});

Deno.test("ActivityContext.heartbeat() throws what cannot be stored, and why nobody waits any more", async () => {
  const thrown: string[] = [];
  const opened = gate();
  const late = async (_: unknown, context: ActivityContext) => {
    try {
      context.heartbeat(() => {});
    } catch (error) {
      thrown.push((error as Error).message);
    }
    await opened.promise;
    try {
      context.heartbeat();
    } catch (error) {
      thrown.push((error as Error).message);
    }
  };
  const { executor } = setUp();
  const handle = await executor.execute((ctx: Ctx) => ctx.executeActivity(late), { id: "a" });
  await settle();
  await executor.cancel("a", "enough");
  await assertRejects(() => handle.result());
  opened.open();
  await settle();
  assertEquals(thrown, [
    'Cannot store heartbeat of activity "late": a function cannot be stored',
    'Canceled workflow "a": enough',
  ]);
  await executor.close();
});

Deno.test("ActivityOptions.heartbeatTimeoutMs fails an activity that never beats", async () => {
  const { executor, clock } = setUp();
  const handle = await executor.execute((ctx: Ctx) =>
    ctx.executeActivity(() => new Promise(() => {}), undefined, { name: "dead", heartbeatTimeoutMs: 50 })
  );
  await settle();
  clock.advance(50);
  const error = await assertRejects(() => handle.result(), TimeoutError, 'Activity "dead" timed out after 50 ms');
  assertEquals((error as TimeoutError).timeoutMs, 50);
  await executor.close();
});

Deno.test("ExecutorOptions.maxConcurrentActivities is never exceeded, and everybody is served", async () => {
  const random = seeded(5);
  let running = 0;
  let most = 0;
  const work = async (n: number) => {
    most = Math.max(most, ++running);
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
  assertEquals([most, running], [3, 0]);
  await executor.close();
});

Deno.test("ExecutorOptions.maxConcurrentActivities lets runs take turns, and keeps the order within a run", async () => {
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

Deno.test("ExecutorOptions.maxConcurrentActivities lets who is cancelled leave the line, and frees what times out", async () => {
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
  clock.advance(100);
  await assertRejects(() => stuck.result(), TimeoutError);
  await last.result();
  assertEquals(ran, ["last"]);
  await executor.close();
});

Deno.test("ExecutorOptions.maxConcurrentActivities holds and everybody is served, whatever ends an attempt, restarts included", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = seeded(seed);
    const limit = 1 + Math.floor(random() * 4);
    let running = 0;
    let most = 0;
    const work = async (n: number, { signal }: ActivityContext) => {
      most = Math.max(most, ++running);
      const end = () => void (running -= ended ? 0 : 1, ended = true);
      let ended = false;
      signal.addEventListener("abort", end); // given up, it counts no more
      if (random() < 0.1) await new Promise(() => {}); // until it times out
      for (let ticks = random() * 20; ticks > 0; ticks--) await null;
      if (random() < 0.2) await hops(1 + random() * 5);
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
      await hops(1 + random() * 20);
      if (random() < 0.3) clock.advance(random() * 1000);
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
    assert(most <= limit && running === 0, `seed ${seed}: ${most} of ${limit}, ${running} left`);
    await executor.close();
  }
});

Deno.test("ExecutorOptions.maxConcurrentActivities counts timeoutMs from the attempt's begin, totalTimeoutMs from the call", async () => {
  const opened = gate();
  let runs = 0;
  const quick = () => void runs++;
  const { executor, store, clock } = setUp({ maxConcurrentActivities: 1 });
  const first = await executor.execute((ctx: Ctx) => ctx.executeActivity(() => opened.promise), { id: "first" });
  await settle();
  const patient = await executor.execute((ctx: Ctx) => ctx.executeActivity(quick, undefined, { timeoutMs: 10 }));
  const hurried = await executor.execute((ctx: Ctx) => ctx.executeActivity(quick, undefined, { totalTimeoutMs: 50 }), {
    id: "hurried",
  });
  await settle();
  clock.advance(100);
  await assertRejects(() => hurried.result(), TimeoutError, 'Activity "quick" timed out after 50 ms in all');
  assertEquals(runs, 0);
  opened.open();
  await Promise.all([first.result(), patient.result()]);
  assertEquals([runs, clock.now()], [1, 100]);
  assertEquals(ofType((await store.load("hurried"))!.history, "activity_failed").map(({ attempt }) => attempt), [0]);
  await executor.close();
});

Deno.test("ExecutorOptions.maxConcurrentActivities lets no time pass while somebody in the line could run", async () => {
  const times: number[] = [];
  const { executor, clock } = setUp({ maxConcurrentActivities: 2 });
  const handle = await executor.execute(async (ctx: Ctx) => {
    const work = async () => {
      await hops(3);
      times.push(clock.now());
    };
    const all = Promise.all(Array.from({ length: 20 }, () => ctx.executeActivity(work)));
    return await Promise.race([all.then(() => "all"), ctx.sleep(1)]);
  });
  assertEquals([await handle.result(), times], ["all", new Array(20).fill(0)]);
  await executor.close();
});

Deno.test("ExecutorOptions.maxConcurrentActivities leaves who waits to the next executor, which runs it once", async () => {
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

Deno.test("ExecutorOptions.maxConcurrentActivities takes many that end at once without using up the stack", async () => {
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
