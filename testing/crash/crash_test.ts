/** `crashTest()`: workflows that survive every crash pass, and reports of planted bugs say what to do. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertNotMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { FakeTime } from "@std/testing/time";
import {
  type ActivityContext,
  defineQuery,
  defineSignal,
  defineUpdate,
  Executor,
  InMemoryStore,
  NonDeterminismError,
  type WorkflowContext,
  type WorkflowFilter,
} from "@rockpool/workflow";
import { crashTest, CrashTestError, type CrashTestOptions, replace, simulate, takes } from "@rockpool/workflow/testing";
import { SimulatedProcess } from "./simulated_process.ts";
import { macrotasks } from "../../tests/support/executors.ts";

type Ctx = WorkflowContext;

const DAY_MS = 24 * 60 * 60 * 1000;
const charge = (_cents?: number) => "charged";
const ship = () => "shipped";

/** The error message of a crash test of a workflow without input. */
async function complaint(
  workflow: (ctx: Ctx) => unknown,
  options: CrashTestOptions = {},
): Promise<string> {
  const { message } = await assertRejects(() => crashTest(workflow as (ctx: Ctx) => unknown, options), CrashTestError);
  return message;
}

const lines = (text: string, count: number) => text.split("\n").slice(0, count);

Deno.test("crashTest() tries every point and returns the undisturbed run", async () => {
  const seen: string[] = [];
  const { points, undisturbed } = await crashTest(async function order(ctx: Ctx, cents: number) {
    const charged = await ctx.executeActivity(charge, cents);
    await ctx.sleep(DAY_MS);
    return [charged, await ctx.waitForSignal("go"), ctx.now(), ctx.random() < 1];
  }, {
    input: 5,
    signals: [{ atMs: 3 * DAY_MS, name: "go", payload: { by: "eve" } }],
    check: ({ crashes }) => void seen.push(...crashes),
  });
  assertEquals(undisturbed.result, ["charged", { by: "eve" }, 3 * DAY_MS, true]);
  assertEquals([undisturbed.crashes, undisturbed.state.status, undisturbed.calls.length], [[], "completed", 1]);
  const oldList = "; the next process listed what was stored before it";
  const writes = [
    'event 1, workflow_started "order"',
    'event 2, activity_started "charge"',
    'event 3, activity_completed "charge"',
    "event 4, timer_started",
    "event 5, timer_fired",
    'event 6, signal_received "go"',
    "event 7, workflow_completed",
  ];
  assertEquals(seen, [
    ...writes.map((write) => `died before ${write}, was stored`),
    ...writes.map((write, i) => `died after ${write}, was stored, before the store answered${i > 0 ? oldList : ""}`),
    ...writes.map((write) => `died after ${write}, was stored, in the next turn`),
  ]);
  assertEquals(points, seen.length);
});

Deno.test("crashTest() passes a workflow that fails, compensates and is canceled", async () => {
  async function trip(ctx: Ctx, fails: boolean) {
    const undone: string[] = [];
    for (const what of ["car", "flight"]) {
      ctx.addCompensation(() => ctx.executeActivity(ship, undefined, { name: `undo ${what}` }), { name: what });
      await ctx.executeActivity(charge, 1, { name: what });
    }
    if (fails) throw new RangeError("no seat");
    await ctx.waitForSignal("never").finally(() => undone.push("left"));
  }
  const failed = await crashTest(trip, { input: true });
  assertInstanceOf(failed.undisturbed.error, RangeError);
  const undos = failed.undisturbed.calls.map(({ name }) => name);
  assertEquals(undos, ["car", "flight", "undo flight", "undo car"]);
  const canceled = await crashTest(trip, { input: false, cancel: { atMs: 100, reason: "changed my mind" } });
  assertEquals(canceled.undisturbed.state.status, "canceled");
  assert(canceled.points > 20);
  const late = await crashTest(trip, { input: false, timeoutMs: 50 });
  assertEquals((late.undisturbed.error as Error).name, "TimeoutError");
});

Deno.test("crashTest() compares children, continued runs, updates, and ctx.random() in them", async () => {
  const asked: number[] = [];
  const add = defineUpdate<number, number>("add");
  const totalQuery = defineQuery<number>("total");
  async function child(ctx: Ctx, n: number) {
    await ctx.executeActivity(ship, undefined, { name: `ship ${ctx.uuid()}` });
    await ctx.sleep(n);
    return ctx.random();
  }
  async function entity(ctx: WorkflowContext<number>, round: number) {
    let total = 0;
    ctx.handleUpdate(add, async (n) => {
      await ctx.sleep(5);
      return total += n;
    });
    ctx.handleQuery(totalQuery, () => total);
    await ctx.executeActivity(charge, 1, { name: `round ${round} ${ctx.random()}` });
    const randoms = await Promise.all([ctx.executeChild(child, 10), ctx.executeChild(child, 20)]);
    await ctx.waitUntil(() => total === 5);
    if (round < 2) return await ctx.continueAsNew(round + 1);
    return randoms;
  }
  const { undisturbed } = await crashTest(entity, {
    input: 1,
    workflows: { child },
    updates: [1, 50].flatMap((atMs) =>
      [2, 3].map((input) => ({ atMs, name: add, input, check: (total: number) => void asked.push(total) }))
    ),
    queries: [{ atMs: 100, name: totalQuery, check: (total: number) => assertEquals(total, 5) }],
  });
  assertEquals(undisturbed.states.length, 6);
  assertEquals(new Set(undisturbed.result as number[]).size, 2);
  assertEquals(new Set(asked), new Set([2, 5]));
});

Deno.test("crashTest() and simulate() check the type of a payload against the definition of the signal", async () => {
  const [approve, count] = [defineSignal<{ by: string }>("approve"), defineSignal<number>("count")];
  const order = async (ctx: Ctx) => (await ctx.waitForSignal(approve)).by + await ctx.waitForSignal(count);
  const signals = [
    { atMs: 1, name: approve, payload: { by: "eve" } },
    { atMs: 2, name: "count", payload: 7 },
  ] as const;
  const { undisturbed } = await crashTest(order, { signals });
  assertEquals(undisturbed.result, "eve7");
  await simulate({ workflow: order, signals }, { seeds: 3 });
  const _wrong = () => [
    // @ts-expect-error the payload is a number
    crashTest(order, { signals: [{ atMs: 1, name: count, payload: "7" }] }),
    // @ts-expect-error `by` is missing
    simulate({ workflow: order, signals: [{ atMs: 1, name: "count" }, { atMs: 2, name: approve, payload: {} }] }),
    // @ts-expect-error the payloads are numbers
    crashTest(order, { signals: [1, 2].map((atMs) => ({ atMs, name: count, payload: `${atMs}` })) }),
  ];
});

Deno.test("crashTest() takes replacements by function and by name, which fail by attempt", async () => {
  const real = (): string => {
    throw new Error("the real one ran");
  };
  const { undisturbed } = await crashTest(async function order(ctx: Ctx) {
    const charged = await ctx.executeActivity(real, undefined, { retry: { jitter: false } });
    return [charged, await ctx.executeActivity(real, undefined, { name: "ship" }), ctx.now()];
  }, {
    activities: [
      replace("ship", () => "by name"),
      replace(real, (_: unknown, { attempt }: ActivityContext) => {
        if (attempt < 3) throw new Error(`busy ${attempt}`);
        return "by function";
      }),
    ],
  });
  assertEquals(undisturbed.result, ["by function", "by name", 300]);
  assertEquals(undisturbed.calls.map(({ name, attempt }) => [name, attempt]), [
    ["real", 1],
    ["real", 2],
    ["real", 3],
    ["ship", 1],
  ]);
});

Deno.test("crashTest() lets processes die while an activity runs, and again during the recovery", async () => {
  const begun = new Map<string, number>();
  async function slow(_: unknown, { idempotencyKey }: ActivityContext) {
    begun.set(idempotencyKey, (begun.get(idempotencyKey) ?? 0) + 1);
    await macrotasks(5);
    return "done";
  }
  async function order(ctx: Ctx) {
    for (let i = 0; i < 3; i++) await ctx.executeActivity(slow);
    await ctx.sleep(10);
    return await ctx.executeActivity(slow);
  }
  const deaths: number[] = [];
  const { points } = await crashTest(order, {
    deaths: 3,
    setUp: () => begun.clear(),
    check: ({ crashes }) => void deaths.push(crashes.length),
  });
  assert(Math.max(...begun.values()) >= 1);
  assertEquals(Math.max(...deaths), 3);
  assert(deaths.filter((count) => count > 1).length > points / 2);
});

Deno.test("crashTest() waits for activities that take real time, and leaves none running", async () => {
  const slow = () => new Promise<string>((resolve) => setTimeout(() => resolve("done"), 2));
  const { undisturbed } = await crashTest(async (ctx: Ctx) => [await ctx.executeActivity(slow), ctx.now()]);
  assertEquals(undisturbed.result, ["done", 0]);
});

Deno.test("crashTest() lets time pass for a fake that never ends, so that it times out", async () => {
  const { undisturbed } = await crashTest(async (ctx: Ctx) => {
    const error = await ctx.executeActivity(charge, 1, { timeoutMs: 1000, retry: { maxAttempts: 2 } }).catch((e) => e);
    await ctx.sleep(10);
    return error.message;
  }, { activities: [replace(charge, () => new Promise<string>(() => {}))] });
  assertEquals(undisturbed.result, 'Activity "charge" timed out after 1000 ms in attempt 2');
});

Deno.test("crashTest() reports an activity and a store that never settle", async () => {
  const never = () => new Promise<never>(() => {});
  const order = (ctx: Ctx) => ctx.executeActivity(charge, 1);
  const activity = await complaint(order, { activities: [replace(charge, never)] });
  assertEquals(lines(activity, 4).slice(1), [
    "It waits forever: no delivery is left, and no timer is set",
    '  run "crash-test" (order) waits for activity "charge" (attempt 1 is running)',
    'Let the activity end, or give it a "timeoutMs"',
  ]);
  using time = new FakeTime();
  class Silent extends InMemoryStore {
    override append() {
      macrotasks(10).then(() => time.tick(3000));
      return never();
    }
  }
  const store = await complaint(order, { store: () => new Silent() });
  assertEquals(lines(store, 2)[1], "A call of the store did not settle within 3000 ms");
});

Deno.test("crashTest() waits for onDeath, however long it takes", async () => {
  using time = new FakeTime();
  const { undisturbed } = await crashTest((ctx: Ctx) => ctx.executeActivity(charge, 1), {
    async onDeath() {
      await macrotasks(10);
      time.tick(1e6);
      await macrotasks(10);
    },
  });
  assertEquals(undisturbed.result, "charged");
});

Deno.test("crashTest() reports a replacement whose name is misspelt", async () => {
  const message = await complaint((ctx) => ctx.executeActivity(charge, 1), {
    activities: [replace("chrage", () => "fake")],
  });
  assertEquals(lines(message, 2), [
    'Workflow "workflow" was tested without one of the replacements',
    'No activity "chrage" ran; without a replacement ran "charge"',
  ]);
  await crashTest(async (ctx: Ctx) => { // the refund runs only after a crash
    await ctx.executeActivity(charge, 1, { atMostOnce: true })
      .catch(() => ctx.executeActivity(() => {}, undefined, { name: "refund" }));
  }, { activities: [replace("refund", () => "refunded")] });
});

Deno.test("crashTest() does not compare runs in which an atMostOnce activity was interrupted", async () => {
  const outcomes = new Set<unknown>();
  await crashTest(
    (ctx: Ctx) => ctx.executeActivity(ship, undefined, { atMostOnce: true }).catch((error) => error.code),
    { check: ({ result }) => void outcomes.add(result) },
  );
  assertEquals([...outcomes].sort(), ["activity_interrupted", "shipped"]);
});

Deno.test("crashTest() finds Math.random, and says what to use instead", async () => {
  const message = await complaint(async function order(ctx) {
    const lucky = Math.random();
    await ctx.executeActivity(charge, lucky);
  });
  assertEquals(lines(message, 2), [
    'Workflow "order" ends differently in two runs without a crash',
    "The histories differ:",
  ]);
  assertStringIncludes(
    message,
    'Line 2 of workflow "order" has `const lucky = Math.random();`: use ctx.random(), which returns the same on replay',
  );
  assertStringIncludes(message, 'Undisturbed:\norder "crash-test" completed in 0 ms');
  assertStringIncludes(message, 'Now:\norder "crash-test" completed in 0 ms');
});

Deno.test("crashTest() finds Date.now, and says what to use instead", async () => {
  let time = 0; // so that the test need not wait for a millisecond
  const { now } = Date;
  Date.now = () => ++time;
  try {
    const message = await complaint(async function order(ctx) {
      await ctx.executeActivity(charge, 1);
      return Date.now();
    });
    assertStringIncludes(message, "has `return Date.now();`: use ctx.now(), which returns the same on replay");
  } finally {
    Date.now = now;
  }
});

let moduleVariable = 0;

Deno.test("crashTest() finds a workflow that branches on a module variable", async () => {
  async function order(ctx: Ctx) {
    if (++moduleVariable === 1) await ctx.executeActivity(charge, 1);
    await ctx.executeActivity(ship);
  }
  const twice = await complaint(order);
  assertEquals(lines(twice, 3), [
    'Workflow "order" ends differently in two runs without a crash',
    "The histories differ:",
    '  undisturbed  activity_started "charge"  1',
  ]);
  assertStringIncludes(
    twice,
    "it depends on something that is not in the history: a module variable, a closure, the environment",
  );
  assertStringIncludes(twice, "Keep the workflow's state in variables inside its function");
  const replayed = await complaint(order, { setUp: () => void (moduleVariable = 0) });
  assertEquals(lines(replayed, 3), [
    'Workflow "order" does not replay its own history, without a crash',
    'Cannot replay workflow "crash-test": its code does not do what its history says',
    "  position 0",
  ]);
  assertStringIncludes(replayed, "something that is not in the history");
  assertNotMatch(replayed, /Likely edit|Deploy code/); // the code was not edited
});

/** A race that an activity wins, or the timer if the process dies before the answer is stored. */
const race = (ctx: Ctx) =>
  Promise.race([ctx.executeActivity(() => "", undefined, { name: "a" }), ctx.sleep(1000).then(() => "timer")]);
const activities = [replace("a", takes(900, () => "activity"))];

Deno.test('crashTest() names compare: "outcomes" when a crash changes which of two things comes first', async () => {
  const text = await complaint(race, { activities });
  assertStringIncludes(
    text,
    'Event 4 was activity_completed "a", and is now timer_fired: something came in another order',
  );
  assertStringIncludes(text, 'If both orders are right, pass compare: "outcomes"');
  const note = (name: string) => name;
  const child = (ctx: Ctx) => ctx.executeActivity(note, "child");
  const withChild = await complaint(async function race(ctx) {
    return await Promise.race([ctx.executeActivity(note, "activity"), ctx.executeChild(child)]);
  }, { workflows: { child } });
  assertStringIncludes(withChild, "Event 4 was workflow_completed, and is now cancel_requested");
});

Deno.test('crashTest() with compare: "outcomes" compares results and effects alone', async () => {
  const winners = new Set<unknown>();
  const done: string[] = [];
  const options = {
    activities,
    compare: "outcomes",
    setUp: () => void (done.length = 0),
    effects: () => [...new Set(done)].sort(),
  } as const;
  const same = async (ctx: Ctx) => {
    winners.add(await race(ctx));
    await ctx.executeActivity(() => void done.push("same"), undefined, { name: "end" });
    return "same";
  };
  await crashTest(same, options);
  assertEquals(winners, new Set(["activity", "timer"]));
  const text = await complaint(race, options);
  assertStringIncludes(text, 'The outcomes differ at .result:\n  undisturbed  "activity"\n  now          "timer"');
  const other = await complaint(
    async (ctx) => {
      const winner = await race(ctx);
      await ctx.executeActivity(() => void done.push(winner), undefined, { name: "end" });
    },
    options,
  );
  assertStringIncludes(other, "The effects differ at ");
});

Deno.test('crashTest() with compare: "outcomes" still finds code that does not replay', async () => {
  const text = await complaint(async (ctx) => {
    await ctx.executeActivity(++moduleVariable % 2 === 0 ? charge : ship, 1);
  }, { compare: "outcomes" });
  assertStringIncludes(text, "its code does not do what its history says");
});

Deno.test("crashTest() finds state that a closure keeps over a restart, and state that is lost", async () => {
  const seen: string[] = [];
  async function collect(ctx: Ctx) {
    for (const name of ["a", "b"]) seen.push(await ctx.executeActivity(charge, 1, { name }));
    return seen.length;
  }
  const kept = await complaint(collect, { setUp: () => void (seen.length = 0) });
  assertEquals(lines(kept, 5).slice(2), [
    "  history  the result 2",
    "  code     the result 4",
    '  Runs that are in flight would end differently: if that is intended, branch on ctx.patched("a-name-for-the-change")',
  ]);
  let cached: string | undefined;
  async function remember(ctx: Ctx) {
    await ctx.executeActivity(() => void (cached = "rate"), undefined, { name: "fetch rate" });
    await ctx.sleep(10);
    await ctx.executeActivity(charge, 1);
    return cached;
  }
  const setUp = () => void (cached = undefined);
  await crashTest(remember, { setUp }); // the real process of the test lives on, and keeps the variable
  const lost = await complaint(remember, { setUp, onDeath: setUp });
  assertEquals(lines(lost, 5), [
    'Workflow "remember" does not survive a crash',
    "  died before event 4, timer_started, was stored",
    "The histories differ:",
    '  undisturbed  workflow_completed  "rate"',
    "  now          workflow_completed",
  ]);
  assertStringIncludes(lost, "a module variable, a closure");
});

Deno.test("crashTest() finds a side effect outside an activity", async () => {
  const outbox: string[] = [];
  const message = await complaint(async function order(ctx) {
    await ctx.executeActivity(charge, 1);
    outbox.push("mail");
    await ctx.executeActivity(ship);
  }, { setUp: () => void (outbox.length = 0), effects: () => outbox });
  assertEquals(message.match(/ "crash-test" completed/g)!.length, 1); // one timeline, because the other one is the same
  assertEquals(lines(message, 5), [
    'Workflow "order" has effects when it is only replayed',
    "The effects differ:",
    '  undisturbed  ["mail"]',
    '  now          ["mail", "mail"]',
    "No activity ran again, so the workflow code itself has the effect, and repeats it on every replay: move it into " +
    "an activity",
  ]);
});

Deno.test("crashTest() finds an await of a promise that is not of the context", async () => {
  const fetch = (_url: string) => macrotasks(3);
  const message = await complaint(async function order(ctx) {
    await fetch("https://example.com");
    await ctx.executeActivity(charge, 1);
  });
  assertEquals(lines(message, 2), [
    'Workflow "order" cannot be crash-tested',
    'Cannot resume workflow "crash-test": its code asked for an activity "charge" after it waited for something other ' +
    "than its context",
  ]);
  assertStringIncludes(message, 'has `await fetch("https://example.com");`: move it into an activity');
});

Deno.test("crashTest() finds a workflow that waits forever for a promise that is not of the context", async () => {
  const fetch = (_url: string) => new Promise(() => {});
  const message = await complaint(async function order(_ctx) {
    await fetch("https://example.com");
  });
  assertEquals(lines(message, 4), [
    'Workflow "order" cannot be crash-tested',
    "It waits forever: no delivery is left, and no timer is set",
    '  run "crash-test" (order) waits for a promise that is not of its context',
    'Line 2 of workflow "order" has `await fetch("https://example.com");`: move it into an activity, whose result is recorded',
  ]);
});

Deno.test("crashTest() finds a store that loses events, because an activity runs again", async () => {
  class Forgetful extends InMemoryStore {
    override async list(filter?: WorkflowFilter) {
      for (const state of await super.list(filter)) await super.save({ ...state, history: state.history.slice(0, 2) });
      return await super.list(filter);
    }
  }
  const message = await complaint(async function order(ctx) {
    await ctx.executeActivity(charge, 1);
    await ctx.sleep(10);
  }, { store: () => new Forgetful() });
  assertEquals(lines(message, 3), [
    'Workflow "order" does not survive a crash',
    "  died before event 4, timer_started, was stored",
    'The activity "charge" ran again although its outcome was stored',
  ]);
});

Deno.test("crashTest() finds an activity that is not idempotent", async () => {
  const outbox: string[] = [];
  const message = await complaint(async function order(ctx) {
    await ctx.executeActivity(() => void outbox.push("mail"), undefined, { name: "mail" });
  }, { setUp: () => void (outbox.length = 0), effects: () => outbox });
  assertEquals(lines(message, 7), [
    'Workflow "order" does not survive a crash',
    '  died before event 3, activity_completed "mail", was stored',
    "The effects differ:",
    '  undisturbed  ["mail"]',
    '  now          ["mail", "mail"]',
    '"mail" ran again, because its outcome was not stored when the process died: an activity can run more than once',
    "Use the idempotencyKey to do nothing the second time",
  ]);
});

Deno.test("crashTest() finds a fake that counts its calls", async () => {
  let calls = 0;
  const message = await complaint(
    (ctx) => ctx.executeActivity(charge, 1),
    { setUp: () => void (calls = 0), activities: [replace(charge, () => `${++calls}`)] },
  );
  const never = await complaint((ctx) => ctx.executeActivity(charge, 1), {
    activities: [replace("charge", () => ++calls)],
  });
  assertStringIncludes(
    never,
    '"charge" returned something else for the same input: return the same in every run',
  );
  assertStringIncludes(message, '"charge" ran again, because its outcome was not stored when the process died');
  assertStringIncludes(message, "a fake must decide by context.attempt, not by the number of its calls");
});

Deno.test("crashTest() reports a workflow that waits forever, and a child that is not registered", async () => {
  const waiting = await complaint((ctx) => ctx.waitForSignal("approval"));
  assertEquals(lines(waiting, 4).slice(1), [
    "It waits forever: no delivery is left, and no timer is set",
    '  run "crash-test" (workflow) waits for signal "approval"',
    'Pass what it waits for in "signals" or "updates", or give the wait a "timeoutMs"',
  ]);
  const child = (ctx: Ctx) => ctx.sleep(10);
  const unknown = await complaint((ctx) => ctx.executeChild(child));
  assertStringIncludes(unknown, 'A recovery does not know its child: pass "child" in "workflows"');
});

Deno.test("crashTest() names the point when check throws, with both timelines and the cause", async () => {
  const why = new Error("no receipt");
  const error = await assertRejects(() =>
    crashTest((ctx: Ctx) => ctx.executeActivity(charge), {
      check({ crashes: [crash] }) {
        if (crash?.startsWith("died after event 3")) throw why;
      },
    }), CrashTestError);
  assertEquals(lines(error.message, 3), [
    'Workflow "workflow" does not survive a crash',
    '  died after event 3, activity_completed "charge", was stored, before the store answered; ' +
    "the next process listed what was stored before it",
    "A check threw: Error: no receipt",
  ]);
  assertEquals(error.cause, why);
  assertStringIncludes(error.message, 'Crashed and recovered:\nworkflow "crash-test" completed');
});

Deno.test("crashTest() has the NonDeterminismError as its cause", async () => {
  let calls = 0;
  const { cause } = await assertRejects(() =>
    crashTest((ctx: Ctx) => ctx.executeActivity(charge, 1, { name: `${++calls}` }), { setUp: () => void (calls = 0) })
  ) as Error;
  assertInstanceOf(cause, NonDeterminismError);
});

Deno.test("crashTest() refuses bad arguments", async () => {
  await assertRejects(() => crashTest(1 as never), TypeError, '"workflow" must be a function, got 1');
  await assertRejects(() => crashTest(ship, 1 as never), TypeError, '"options" must be an object, got 1');
  await assertRejects(() => crashTest(ship, { deaths: 0 }), RangeError, '"deaths" must be an integer from 1, got 0');
  const compare = () => crashTest(ship, { compare: "results" as never });
  await assertRejects(compare, TypeError, '"compare" must be "histories" or "outcomes", got "results"');
});

/** Crash-tests a workflow whose activity sends it a signal through an executor of its own. */
function crashNotified(send: (executor: Executor, store: InMemoryStore, key: string) => Promise<unknown>) {
  let store: InMemoryStore;
  async function notify(_: unknown, { idempotencyKey }: ActivityContext) {
    await using executor = new Executor({ store });
    await send(executor, store, idempotencyKey);
  }
  async function waits(ctx: Ctx) {
    await ctx.executeActivity(notify);
    return await ctx.waitForSignal("ping");
  }
  return crashTest(waits, { store: () => store = new InMemoryStore() });
}

Deno.test("crashTest() sees a signal that an activity sends through another executor on the store", async () => {
  const { undisturbed } = await crashNotified(async (executor, store, key) => {
    const { history } = (await store.load("crash-test"))!;
    if (!history.some((event) => event.type === "signal_received" && event.payload === key)) {
      await executor.signal("crash-test", "ping", key);
    }
  });
  assertEquals(undisturbed.result, "crash-test/1:0");
  assertEquals(undisturbed.state.history.map(({ type }) => type), [
    "workflow_started",
    "activity_started",
    "signal_received",
    "activity_completed",
    "workflow_completed",
  ]);
});

Deno.test("crashTest() names an activity that sends a signal again when it runs again", async () => {
  const { message } = await assertRejects(
    () => crashNotified((executor) => executor.signal("crash-test", "ping", 1)),
    CrashTestError,
  );
  assertEquals(lines(message, 6), [
    'Workflow "waits" does not survive a crash',
    '  died before event 4, activity_completed "notify", was stored',
    "The histories differ:",
    '  now          signal_received "ping"  1',
    '"notify" ran again, because its outcome was not stored when the process died: it may have sent a signal twice',
    "Use the idempotencyKey to send it once",
  ]);
});

Deno.test("crashTest() does not spin while it waits for an activity that heeds its signal only", async () => {
  const { isQuiet } = SimulatedProcess.prototype;
  let looks = 0;
  SimulatedProcess.prototype.isQuiet = function (still) {
    looks++;
    return isQuiet.call(this, still);
  };
  try {
    const heeds = (_: unknown, { signal }: ActivityContext) =>
      new Promise<string>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    const { points, undisturbed } = await crashTest(
      (ctx: Ctx) => ctx.executeActivity(charge, 1, { timeoutMs: 10 }).catch((error) => error.name),
      { activities: [replace(charge, heeds as never)] },
    );
    assertEquals(undisturbed.result, "TimeoutError");
    assert(looks < 100 * points, `${looks} looks at ${points} points`);
  } finally {
    SimulatedProcess.prototype.isQuiet = isQuiet;
  }
});

Deno.test("crashTest() delivers updates with their IDs, and headers", async () => {
  async function counts(ctx: WorkflowContext) {
    const traces: (string | undefined)[] = [];
    ctx.handleUpdate("add", (by: number, { headers }) => (traces.push(headers.trace), by));
    const { headers } = await ctx.waitForSignal("end", { withSender: true });
    return [...traces, headers.trace];
  }
  const check = (answer: number) => assertEquals(answer, 5);
  const { undisturbed } = await crashTest(counts, {
    updates: [
      { atMs: 10, name: "add", input: 5, updateId: "u", headers: { trace: "1" }, check },
      { atMs: 20, name: "add", input: 7, updateId: "u", headers: { trace: "2" }, check }, // repeated: the answer of the first
    ],
    signals: [{ atMs: 30, name: "end", headers: { trace: "3" } }],
  });
  assertEquals(undisturbed.result, ["1", "3"]);
});

Deno.test("crashTest() quotes a part of a line only when a compiler has written the workflow as one line", async () => {
  const steps = Array.from({ length: 20 }, (_, i) => `await ctx.sleep(${i});`).join("");
  const workflow = new Function(`return async function order(ctx){${steps}return Math.random();${steps}}`)();
  const error = await assertRejects(() => crashTest(workflow), CrashTestError);
  const [, quoted] = /workflow "order" has `(.*)`: use ctx\.random/.exec(error.message)!;
  assert(quoted.length < 120 && /^….*return Math\.random\(\);.*…$/.test(quoted), quoted);
});

Deno.test("crashTest() rejects with an error without a cause when there is none: Node would print it", async () => {
  const error = await assertRejects(() => crashTest((): number => Math.random()), CrashTestError);
  assertEquals(Object.hasOwn(error, "cause"), false);
});
