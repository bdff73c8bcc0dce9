/** Heartbeats of activities: they keep an attempt alive, and their details reach the next one. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type ActivityContext,
  type Clock,
  Executor,
  TimeoutError,
  VirtualClock,
  type WorkflowContext,
} from "@rockpool/workflow";
import { FaultyStore } from "@rockpool/workflow/testing";
import { gate, macrotasks, ofType, runUntilAttemptFailed, settle, setUp, typesOf } from "../tests/support/executors.ts";

type Ctx = WorkflowContext;

/** A clock that cannot be held: it moves although the executor works. */
function withoutHold(clock: VirtualClock): Clock {
  return { now: () => clock.now(), setTimer: (dueAt, callback) => clock.setTimer(dueAt, callback) };
}

Deno.test("ActivityContext.heartbeat() keeps an attempt alive, and the attempt times out without it", async () => {
  const aborted: string[] = [];
  const opened = gate();
  const beats = async (_: unknown, context: ActivityContext) => {
    context.signal.addEventListener("abort", () => aborted.push(context.signal.reason.message));
    if (context.attempt === 2) return context.heartbeatDetails;
    for (let i = 1; i <= 3; i++) {
      await clock.advance(80); // the test's clock stands still while an activity runs
      context.heartbeat({ done: i });
      await settle();
    }
    await clock.advance(100);
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

Deno.test("ActivityContext.heartbeat() records details at most twice per timeout, and always the last ones", async () => {
  const sendHeartbeats = async (_: unknown, context: ActivityContext) => {
    for (let i = 0; i < 500; i++) {
      context.heartbeat(i);
      await macrotasks(1);
      await clock.advance(1);
    }
    context.heartbeat("the last one");
    await macrotasks(1);
    await clock.advance(199);
  };
  const { executor, store, clock } = setUp();
  await (await executor.execute(
    (ctx: Ctx) => ctx.executeActivity(sendHeartbeats, undefined, { heartbeatTimeoutMs: 200 }),
    {
      id: "a",
    },
  )).result();
  const beats = ofType((await store.load("a"))!.history, "activity_heartbeat");
  assertEquals(beats.map(({ details }) => details), [0, 99, 199, 299, 399, 499, "the last one"]);
  assertEquals(beats.map(({ at }) => at), [0, 100, 200, 300, 400, 500, 600]);
  await executor.close();
});

Deno.test("ActivityContext.heartbeat() without a timeout is recorded once a second and fails no attempt", async () => {
  const sendHeartbeats = async (_: unknown, context: ActivityContext) => {
    for (let i = 0; i < 5; i++) {
      context.heartbeat(i);
      await macrotasks(1);
      await clock.advance(400);
    }
    await clock.advance(1e9);
    return "done";
  };
  const { executor, store, clock } = setUp();
  const handle = await executor.execute((ctx: Ctx) => ctx.executeActivity(sendHeartbeats), { id: "a" });
  assertEquals(await handle.result(), "done");
  const beats = ofType((await store.load("a"))!.history, "activity_heartbeat");
  assertEquals(beats.map(({ at, details }) => [at, details]), [[0, 0], [1000, 2], [2000, 4]]);
  await executor.close();
});

Deno.test("ActivityContext.heartbeat() without details records nothing and keeps the earlier details", async () => {
  const seen: unknown[] = [];
  const sendHeartbeats = (_: unknown, context: ActivityContext) => {
    seen.push(context.heartbeatDetails);
    if (context.attempt === 1) context.heartbeat({ page: 1 });
    context.heartbeat();
    if (context.attempt < 3) throw new Error("again");
  };
  const { executor, store } = setUp();
  await (await executor.execute((ctx: Ctx) => ctx.executeActivity(sendHeartbeats, undefined, { retry: {} }), {
    id: "a",
  }))
    .result();
  assertEquals(seen, [undefined, { page: 1 }, { page: 1 }]);
  assertEquals(ofType((await store.load("a"))!.history, "activity_heartbeat").length, 1);
  await executor.close();
});

Deno.test("ActivityContext.heartbeat() has one event in flight when the store is slow", async () => {
  const store = new FaultyStore();
  const opened = gate();
  const sizes: number[] = [];
  store.before.append = async ({ events }) => {
    const beats = ofType(events, "activity_heartbeat");
    if (beats.length === 0) return;
    sizes.push(beats.length);
    await opened.promise;
  };
  const sendHeartbeats = async (_: unknown, context: ActivityContext) => {
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
  const clock = new VirtualClock();
  const { executor } = setUp({ store, clock: withoutHold(clock) });
  await (await executor.execute(
    (ctx: Ctx) => ctx.executeActivity(sendHeartbeats, undefined, { heartbeatTimeoutMs: 1000 }),
    {
      id: "a",
    },
  )).result();
  const beats = ofType((await store.load("a"))!.history, "activity_heartbeat");
  assertEquals([sizes, beats.map(({ details }) => details)], [[1, 1], [0, 10]]);
  await executor.close();
});

Deno.test("ActivityContext.heartbeatDetails are the newest of the failed attempt", async () => {
  const seen: unknown[] = [];
  const sendHeartbeats = async (_: unknown, context: ActivityContext) => {
    seen.push(context.heartbeatDetails);
    if (context.attempt === 3) return;
    context.heartbeat(`first of ${context.attempt}`);
    context.heartbeat(`last of ${context.attempt}`);
    await settle(); // the first is stored and applied meanwhile
    throw new Error("again");
  };
  const { executor } = setUp();
  const options = { heartbeatTimeoutMs: 1000, retry: { initialIntervalMs: 0 } };
  await (await executor.execute((ctx: Ctx) => ctx.executeActivity(sendHeartbeats, undefined, options))).result();
  assertEquals(seen, [undefined, "last of 1", "last of 2"]);
  await executor.close();
});

Deno.test("ActivityContext.heartbeatDetails are the newest when the workflow is behind its history", async () => {
  const seen: unknown[] = [];
  const opened = gate();
  const sendHeartbeats = async (_: unknown, context: ActivityContext) => {
    seen.push(context.heartbeatDetails);
    context.heartbeat(`told in ${context.attempt}`);
    if (context.attempt === 1) await opened.promise;
    else await settle();
    throw new Error("again");
  };
  const clock = new VirtualClock();
  const { executor } = setUp({ clock: withoutHold(clock) });
  const options = { heartbeatTimeoutMs: 1000, retry: { initialIntervalMs: 0 } };
  const handle = await executor.execute((ctx: Ctx) => ctx.executeActivity(sendHeartbeats, undefined, options), {
    id: "a",
  });
  await settle();
  const signals = Array.from({ length: 30 }, () => executor.signal("a", "each takes a turn"));
  opened.open();
  await macrotasks(3);
  clock.advance(0);
  assertEquals(seen.length, 2);
  await Promise.all(signals);
  await macrotasks(100);
  clock.advance(0);
  await assertRejects(() => handle.result(), Error, "again");
  assertEquals(seen, [undefined, "told in 1", "told in 2"]);
  await executor.close();
});

Deno.test("ActivityContext.heartbeatDetails of a failed attempt reach the next one after a restart", async () => {
  const seen: unknown[] = [];
  const sendHeartbeats = (_: unknown, context: ActivityContext) => {
    seen.push([context.attempt, context.heartbeatDetails]);
    if (context.attempt === 2) return;
    context.heartbeat(1);
    context.heartbeat({ last: new Date(7) });
    throw new Error("again");
  };
  const work = (ctx: Ctx) => ctx.executeActivity(sendHeartbeats, undefined, { heartbeatTimeoutMs: 1000, retry: {} });
  const store = await runUntilAttemptFailed(work);
  const { executor } = setUp({ store, workflows: { work } });
  await (await executor.recover())[0].result();
  assertEquals(seen, [[1, undefined], [2, { last: new Date(7) }]]);
  await executor.close();
});

Deno.test("ActivityContext.heartbeatDetails reach the attempt after a crash when they were not recorded at once", async () => {
  const seen: unknown[] = [];
  const sendHeartbeats = async (_: unknown, context: ActivityContext) => {
    seen.push(context.heartbeatDetails);
    if (seen.length === 2) return;
    context.heartbeat(1);
    context.heartbeat(2);
    await new Promise(() => {});
  };
  const work = (ctx: Ctx) => ctx.executeActivity(sendHeartbeats, undefined, { heartbeatTimeoutMs: 1000 });
  const { executor, store, clock } = setUp();
  await executor.execute(work, { id: "a" });
  await settle();
  await clock.advance(500);
  await settle();
  await executor.close();
  const next = new Executor({ store, clock, workflows: { work } });
  await (await next.recover())[0].result();
  assertEquals(seen, [undefined, 2]);
  await next.close();
});

Deno.test("ActivityContext.heartbeat() records nothing for an attempt whose failure another executor stored", async () => {
  const ends = [gate(), gate()];
  const attempts: ActivityContext[] = [];
  const sendHeartbeats = async (_: unknown, context: ActivityContext) => {
    attempts.push(context);
    if (context.attempt > 1) return context.heartbeatDetails;
    context.heartbeat(`first of ${attempts.length}`);
    await ends[attempts.length - 1].promise;
    throw new Error("again");
  };
  const work = (ctx: Ctx) => ctx.executeActivity(sendHeartbeats, undefined, { retry: {} });
  const { store, executor, clock } = setUp();
  const handle = await executor.execute(work, { id: "a" });
  await settle();
  const second = new Executor({ store, clock, workflows: { work } });
  await second.recover(); // although the first executor is still open
  await settle();
  clock.hold(); // no next attempt yet
  ends[0].open();
  await settle();
  await clock.advance(50);
  attempts[1].heartbeat("too late");
  await clock.advance(1000);
  ends[1].open();
  clock.release();
  assertEquals(await handle.result(), "first of 1");
  const { history } = (await store.load("a"))!;
  const types = typesOf(history);
  assert(types.lastIndexOf("activity_heartbeat") < types.indexOf("activity_attempt_failed"), types.join());
  await Promise.all([executor.close(), second.close()]);
});

Deno.test("ActivityContext.heartbeat() leaves no timer when the attempt ends", async () => {
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
  await settle(); // a timer that is left would move the clock
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
  await executor.signal("a", "go");
  await handle.result();
  assertEquals(ofType((await store.load("a"))!.history, "activity_heartbeat"), []);
  await executor.close();
});

Deno.test("ActivityOptions.heartbeatTimeoutMs starts again in the next attempt and after a restart", async () => {
  const never = () => new Promise(() => {});
  const work = (ctx: Ctx) =>
    ctx.executeActivity(never, undefined, {
      heartbeatTimeoutMs: 100,
      retry: { maxAttempts: 2, initialIntervalMs: 10, jitter: false },
    });
  const { executor, store, clock } = setUp();
  await executor.execute(work, { id: "a" });
  await settle();
  await clock.advance(60);
  await executor.close();
  const next = new Executor({ store, clock, workflows: { work }, random: () => 0.5 });
  const [handle] = await next.recover();
  await settle();
  await clock.advance(99);
  await settle();
  await clock.advance(1); // at 160
  await settle();
  await clock.advance(100);
  const message = 'Activity "never" timed out after 100 ms without a heartbeat in attempt 2';
  await assertRejects(() => handle.result(), TimeoutError, message);
  const { history } = (await store.load("a"))!;
  assertEquals(ofType(history, "activity_attempt_failed").map(({ at, retryAt }) => [at, retryAt]), [[160, 170]]);
  assertEquals(ofType(history, "activity_failed").map(({ at }) => at), [270]);
  await next.close();
});

Deno.test("ActivityContext.heartbeatDetails reach the repeated attempt after a restart", async () => {
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

Deno.test("ActivityContext.heartbeat() throws when details cannot be stored and when the attempt was cancelled", async () => {
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

Deno.test("ActivityOptions.heartbeatTimeoutMs fails an activity that never calls heartbeat()", async () => {
  const { executor, clock } = setUp();
  const handle = await executor.execute((ctx: Ctx) =>
    ctx.executeActivity(() => new Promise(() => {}), undefined, { name: "dead", heartbeatTimeoutMs: 50 })
  );
  await settle();
  await clock.advance(50);
  const error = await assertRejects(() => handle.result(), TimeoutError, 'Activity "dead" timed out after 50 ms');
  assertEquals((error as TimeoutError).timeoutMs, 50);
  await executor.close();
});

Deno.test("ActivityContext.heartbeat() refuses details that are too large and keeps the earlier ones", async () => {
  const sendHeartbeats = (_: unknown, context: ActivityContext) => {
    if (context.attempt > 1) return context.heartbeatDetails;
    context.heartbeat("small");
    context.heartbeat("x".repeat(100));
  };
  const { executor } = setUp({ maxPayloadBytes: 50 });
  const retry = { isRetryable: (error: unknown) => error instanceof RangeError };
  const handle = await executor.execute((ctx: Ctx) => ctx.executeActivity(sendHeartbeats, undefined, { retry }));
  assertEquals(await handle.result(), "small");
  await executor.close();
});

Deno.test("TimeoutError.heartbeatDetails are the last ones of an activity that timed out, live and from the store", async () => {
  for (const limit of [{ heartbeatTimeoutMs: 50 }, { timeoutMs: 50 }, { totalTimeoutMs: 50 }]) {
    const beats = async (_: unknown, context: ActivityContext) => {
      context.heartbeat({ row: 1 });
      context.heartbeat({ row: 2 });
      await clock.advance(50);
      await new Promise(() => {});
    };
    const { executor, store, clock } = setUp();
    const handle = await executor.execute((ctx: Ctx) => ctx.executeActivity(beats, undefined, limit), { id: "a" });
    const live = await assertRejects(() => handle.result(), TimeoutError);
    await executor.close();
    await using other = new Executor({ store });
    const stored = await assertRejects(async () => (await other.handle("a")).result(), TimeoutError);
    assertEquals([live.heartbeatDetails, stored.heartbeatDetails], [{ row: 2 }, { row: 2 }]);
  }
});

Deno.test("TimeoutError has no heartbeatDetails when the activity gave none", async () => {
  const { executor, clock } = setUp();
  const handle = await executor.execute((ctx: Ctx) =>
    ctx.executeActivity(
      async () => {
        await clock.advance(50);
        await new Promise(() => {});
      },
      undefined,
      { timeoutMs: 50 },
    )
  );
  assertEquals("heartbeatDetails" in await assertRejects(() => handle.result(), TimeoutError), false);
  await executor.close();
});
