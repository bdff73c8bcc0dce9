/** `Executor.recover()` and everything that can be lost: crashes, lost answers, several executors on one store. The file is longer than 500 lines: it is a list of independent cases, which one searches by name. */

import { assert, assertEquals, assertNotEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  type ActivityContext,
  type AppendBatch,
  CanceledError,
  Executor,
  InMemoryStore,
  NonDeterminismError,
  TimeoutError,
  VirtualClock,
  type WorkflowContext,
  WorkflowError,
  type WorkflowEvent,
  type WorkflowState,
} from "@rockpool/workflow";
import { crashTest, FaultyStore } from "@rockpool/workflow/testing";
import {
  countingSubscriptions,
  gate,
  macrotasks,
  settle,
  setUp,
  typesOf,
  withoutSubscribe,
} from "../support/executors.ts";
import { playOnce, type World } from "../support/scenes.ts";

/**
 * The workflow of the crash tests: activities, retries, a race, concurrent branches, a timer and a signal. `runs` counts
 * how often each activity call ran.
 */
function orderWorkflow() {
  const runs = new Map<string, number>();
  function act<T>(name: string, body: (attempt: number) => T | Promise<T>) {
    return {
      [name]: async (_input: unknown, { attempt, idempotencyKey }: ActivityContext) => {
        const call = `${name} ${idempotencyKey.split(":")[1]}`;
        runs.set(call, (runs.get(call) ?? 0) + 1);
        return await body(attempt);
      },
    }[name];
  }
  const reserve = act("reserve", () => "reserved");
  const charge = act("charge", (attempt) => {
    if (attempt < 3) throw new Error(`card failed ${attempt}`);
    return `charged in ${attempt}`;
  });
  const fast = act("fast", () => "fast");
  const slow = act("slow", async () => {
    await settle();
    return "slow";
  });
  const ship = act("ship", () => "shipped");

  async function order(ctx: WorkflowContext, input: string) {
    const trace: unknown[] = [input, ctx.now(), ctx.random(), ctx.uuid()];
    trace.push(await ctx.executeActivity(reserve, 1));
    trace.push(await ctx.executeActivity(charge, 2, { retry: {} }));
    trace.push(await Promise.race([ctx.executeActivity(slow, 3), ctx.executeActivity(fast, 4)]));
    const branch = async (n: number) => {
      await ctx.sleep(n * 100);
      trace.push(`branch ${n} at ${ctx.now()}`, ctx.random());
      return await ctx.executeActivity(ship, n);
    };
    trace.push(await Promise.all([branch(2), branch(1)]));
    for await (const approval of ctx.receiveSignal<string>("approval")) {
      trace.push(approval);
      if (trace.includes("second")) break;
    }
    await ctx.sleep(30 * 86_400_000);
    trace.push(
      await ctx.executeActivity(ship, 5).catch((error) => error.message),
      ctx.now(),
      ctx.uuid(),
    );
    return trace;
  }
  return { order, runs };
}

/** Sends the signals of the order that are not in the history. */
async function approve(executor: Executor, state: WorkflowState | null): Promise<void> {
  const sent = state!.history.filter(({ type }) => type === "signal_received").length;
  for (const payload of ["first", "second"].slice(sent)) {
    await executor.signal("a", "approval", payload);
  }
}

/** The same run ID for every order, so that all draw the same random numbers. */
const newRunId = () => "run";

async function uninterrupted(): Promise<WorkflowState> {
  const { store, executor } = setUp({ newRunId });
  const handle = await executor.execute(orderWorkflow().order, { id: "a", input: "in" });
  await approve(executor, await store.load("a"));
  await handle.result();
  await executor.close();
  return (await store.load("a"))!;
}

/** The parts of events that are the same with and without a restart. Sorted: the order of concurrent events can differ. */
const outcomes = (history: readonly WorkflowEvent[]) =>
  history.map(({ at: _, ...event }) => JSON.stringify({ ...event, signalId: "" }))
    .map((text) =>
      text.replace(/"stack":"(?:[^"\\]|\\.)*"/g, '"stack":""').replace(
        /"(retryAt|dueAt)":\d+/g,
        '"$1":0',
      )
    )
    .sort();

Deno.test("Executor.recover() has the same result from every prefix of a history", async () => {
  const full = await uninterrupted();
  assert(full.history.length > 25);
  for (let length = 1; length < full.history.length; length++) {
    const history = full.history.slice(0, length);
    const { runs, order } = orderWorkflow();
    const { store, executor } = setUp({ workflows: { order }, startAt: history[length - 1].at });
    const { result: _result, ...running } = full;
    await store.save({ ...running, status: "running", history });
    const [handle] = await executor.recover();
    await approve(executor, await store.load("a"));
    const message = `stopped after event ${length}, ${history[length - 1].type}`;
    assertEquals(await handle.result(), full.result, message);
    const state = (await store.load("a"))!;
    assertEquals(state.history.slice(0, length), history, message);
    assertEquals(outcomes(state.history), outcomes(full.history), message);
    for (const event of history) {
      if (event.type !== "activity_completed") continue;
      for (const call of runs.keys()) {
        assertNotEquals(call.split(" ")[1], `${event.seq}`, `${message}: ${call} ran again`);
      }
    }
    await executor.close();
  }
});

Deno.test("Executor.recover() has the same result when the process crashes at any step, and again during recovery", async () => {
  for (const deaths of [1, 3]) {
    const { points } = await crashTest(orderWorkflow().order, {
      id: "a",
      input: "in",
      deaths,
      signals: ["first", "second"].map((payload) => ({ atMs: 0, name: "approval", payload })),
      check({ calls, crashes }) {
        const counts = new Map<string, number>();
        for (const { idempotencyKey, attempt } of calls) {
          const key = `${idempotencyKey}, attempt ${attempt},`;
          counts.set(key, (counts.get(key) ?? 0) + 1);
        }
        for (const [key, count] of counts) assert(count <= 1 + crashes.length, `${key} ran ${count} times`);
      },
    });
    assert(points > 60, `${points}`);
  }
});

Deno.test("Executor.recover() keeps the due time of a timer", async () => {
  for (const [recoveredAt, firesAt] of [[40, 100], [100, 100], [500, 500]]) {
    const nap = async (ctx: WorkflowContext) => {
      await ctx.sleep(100);
      return ctx.now();
    };
    const { store, executor } = setUp();
    await executor.execute(nap, { id: "a" });
    await executor.close();
    const later = setUp({ store, workflows: { nap }, startAt: recoveredAt });
    const [handle] = await later.executor.recover();
    assertEquals(await handle.result(), firesAt);
    await later.executor.close();
  }
});

Deno.test("Executor.recover() keeps signals that were stored before", async () => {
  const hold = gate();
  const wait = async (ctx: WorkflowContext) => {
    await ctx.executeActivity(() => hold.promise);
    const seen: unknown[] = [];
    for await (const payload of ctx.receiveSignal("s")) if (seen.push(payload) === 2) return seen;
  };
  const { store, executor } = setUp();
  await executor.execute(wait, { id: "a" });
  await executor.signal("a", "s", 1);
  await executor.signal("a", "s", 2);
  await executor.close();
  hold.open();
  const later = setUp({ store, workflows: { wait } });
  const [handle] = await later.executor.recover();
  assertEquals(await handle.result(), [1, 2]);
  await later.executor.close();
});

Deno.test("Executor.recover() runs an unfinished activity again with the same idempotency key", async () => {
  const keys: string[] = [];
  const started = gate();
  const work = (ctx: WorkflowContext) =>
    ctx.executeActivity((_: unknown, { idempotencyKey, attempt }: ActivityContext) => {
      keys.push(`${attempt} ${idempotencyKey}`);
      started.open();
      return keys.length === 1 ? new Promise<string>(() => {}) : "done";
    });
  const { store, executor } = setUp();
  const { runId } = await executor.execute(work, { id: "a" });
  await started.promise;
  await executor.close();
  const later = setUp({ store, workflows: { work } });
  const [handle] = await later.executor.recover();
  assertEquals(await handle.result(), "done");
  assertEquals(keys, [`1 ${runId}:0`, `1 ${runId}:0`]);
  await later.executor.close();
});

Deno.test("Executor.recover() fails an at-most-once activity that had started", async () => {
  let runs = 0;
  const started = gate();
  const pay = (ctx: WorkflowContext) =>
    ctx.executeActivity(
      () => {
        runs++;
        started.open();
        return new Promise<void>(() => {});
      },
      undefined,
      { name: "pay", atMostOnce: true },
    );
  const { store, executor } = setUp();
  await executor.execute(pay, { id: "a" });
  await started.promise;
  await executor.close();
  const later = setUp({ store, workflows: { pay } });
  const [handle] = await later.executor.recover();
  const error = await assertRejects(() => handle.result(), WorkflowError);
  assertEquals([error.code, runs], ["activity_interrupted", 1]);
  assertStringIncludes(error.message, 'Cannot run activity "pay" again');
  await later.executor.close();
});

Deno.test("Executor.recover() continues the count of attempts and keeps the due time of the next one", async () => {
  const attempts: [number, number][] = [];
  let now = () => 0;
  const flaky = (_: unknown, { attempt }: ActivityContext) => {
    attempts.push([attempt, now()]);
    if (attempt < 3) throw new Error("busy");
    return attempt;
  };
  const work = (ctx: WorkflowContext) =>
    ctx.executeActivity(flaky, undefined, { retry: { initialIntervalMs: 1000, jitter: false } });
  const store = new FaultyStore();
  const first = setUp({ store });
  const failed = gate();
  store.after.append = ({ events }) => {
    if (events[0]?.type === "activity_attempt_failed") {
      first.executor.close().then(() => failed.open());
    }
  };
  await first.executor.execute(work, { id: "a" });
  await failed.promise;
  store.after.append = undefined;
  const later = setUp({ store, workflows: { work }, startAt: 10 });
  now = () => later.clock.now();
  const [handle] = await later.executor.recover();
  assertEquals(await handle.result(), 3);
  assertEquals(attempts, [[1, 0], [2, 1000], [3, 3000]]);
  await later.executor.close();
});

Deno.test("Executor.recover() keeps the deadline of a workflow", async () => {
  const wait = (ctx: WorkflowContext) => ctx.sleep(1e6);
  const { store, executor } = setUp();
  await executor.execute(wait, { id: "a", timeoutMs: 100 });
  await executor.close();
  const later = setUp({ store, workflows: { wait }, startAt: 40 });
  const [handle] = await later.executor.recover();
  await assertRejects(() => handle.result(), TimeoutError);
  assertEquals((await store.load("a"))!.updatedAt, 100);
  await later.executor.close();
});

Deno.test("Executor.recover() cancels a workflow whose cancellation was recorded", async () => {
  const store = new FaultyStore();
  const wait = (ctx: WorkflowContext) => ctx.sleep(1e6);
  const first = setUp({ store });
  await first.executor.execute(wait, { id: "a" });
  store.after.append = ({ events }) => {
    if (events[0]?.type === "cancel_requested") first.executor.close();
  };
  await first.executor.cancel("a", "stop").catch(() => {});
  await first.executor.close();
  store.after.append = undefined;
  const later = setUp({ store, workflows: { wait } });
  const [handle] = await later.executor.recover();
  assertEquals((await assertRejects(() => handle.result(), CanceledError)).reason, "stop");
  await later.executor.close();
});

Deno.test("Executor.recover() leaves an unknown workflow unchanged and calls onError", async () => {
  const { store, executor } = setUp();
  const known = (ctx: WorkflowContext) => ctx.sleep(1);
  const stranger = (ctx: WorkflowContext) => ctx.sleep(2);
  await executor.execute(stranger, { id: "s" });
  await executor.execute(known, { id: "k" });
  await executor.close();
  const before = await store.load("s");
  const reports: unknown[] = [];
  const later = setUp({ store, workflows: { known }, onError: (error) => reports.push(error) });
  const [s, k] = await later.executor.recover();
  await k.result();
  const error = await assertRejects(() => s.result(), WorkflowError);
  assertEquals(error.code, "unknown_workflow");
  assertEquals(
    error.message,
    'Cannot recover workflow "s": no workflow is registered as "stranger"; pass it to the executor in "workflows"',
  );
  assertEquals([reports.length, s.status, await store.load("s")], [1, "running", before]);
  await later.executor.close();
  const last = setUp({ store, workflows: { stranger } });
  const [handle] = await last.executor.recover();
  await handle.result();
  await last.executor.close();
});

Deno.test("Executor.recover() does nothing for a workflow that is live already", async () => {
  const { executor } = setUp();
  let runs = 0;
  const hold = gate();
  const handle = await executor.execute(
    (ctx) => ctx.executeActivity(() => (runs++, hold.promise)),
    { id: "a" },
  );
  await settle();
  assertEquals(await executor.recover(), []);
  hold.open();
  await handle.result();
  assertEquals(runs, 1);
  await executor.close();
});

Deno.test("Executor.recover() resolves handles that wait for the workflow already", async () => {
  const nap = async (ctx: WorkflowContext) => (await ctx.sleep(5), "rested");
  const { store, executor } = setUp();
  await executor.execute(nap, { id: "a" });
  await executor.close();
  const later = setUp({ store, workflows: { nap } });
  const waiting = (await later.executor.handle("a")).result();
  await settle();
  await later.executor.recover();
  assertEquals(await waiting, "rested");
  await later.executor.close();
});

Deno.test("Executor.recover() calls no hook for replayed events", async () => {
  const { order } = orderWorkflow();
  const full = await uninterrupted();
  const history = full.history.slice(0, 12);
  const { store, executor } = setUp({
    workflows: { order },
    hooks: {
      workflowStarted: () => log.push("started"),
      activityStarted: ({ seq }) => log.push(`activity ${seq}`),
      activityCompleted: ({ seq }) => log.push(`completed ${seq}`),
      workflowCompleted: () => log.push("workflow"),
    },
  });
  const log: string[] = [];
  await store.save({ ...full, result: undefined, status: "running", history });
  const [handle] = await executor.recover();
  await approve(executor, await store.load("a"));
  await handle.result();
  const recorded = (await store.load("a"))!.history.slice(12).map((event) =>
    event.type === "activity_started"
      ? `activity ${event.seq}`
      : event.type === "activity_completed"
      ? `completed ${event.seq}`
      : event.type === "workflow_completed"
      ? "workflow"
      : ""
  );
  assertEquals(log, recorded.filter((entry) => entry !== ""));
  await executor.close();
});

Deno.test("Executor drops the result of an activity that ends after close()", async () => {
  const hold = gate<string>();
  const work = (ctx: WorkflowContext) => ctx.executeActivity(() => hold.promise);
  const { store, executor } = setUp();
  await executor.execute(work, { id: "a" });
  await settle();
  await executor.close();
  const before = await store.load("a");
  hold.open("late");
  await settle();
  assertEquals(await store.load("a"), before);
});

Deno.test("Executor runs an activity once when two executors have recovered its workflow", async () => {
  const runs = new Map<string, number>();
  const count = (n: number) => {
    runs.set(`${n}`, (runs.get(`${n}`) ?? 0) + 1);
    return n;
  };
  const work = async (ctx: WorkflowContext) => {
    const seen: unknown[] = [];
    for await (const n of ctx.receiveSignal<number>("n")) {
      seen.push(await ctx.executeActivity(count, n), ctx.now(), ctx.random());
      await ctx.sleep(10);
      if (n === 5) return seen;
    }
  };
  const { store, executor, clock } = setUp();
  await executor.execute(work, { id: "a" });
  await executor.close();
  const executors = [1, 2].map(() => new Executor({ store, clock, workflows: { work } }));
  const handles = (await Promise.all(executors.map((one) => one.recover()))).flat();
  assertEquals(handles.length, 2);
  for (let n = 1; n <= 5; n++) await executors[n % 2].signal("a", "n", n);
  const [first, second] = await Promise.all(handles.map((handle) => handle.result()));
  assertEquals(first, second);
  assertEquals([...runs], [1, 2, 3, 4, 5].map((n) => [`${n}`, 1]));
  await Promise.all(executors.map((one) => one.close()));
});

Deno.test("WorkflowHandle.result() reports that another party deleted, replaced or ended the run", async () => {
  const wait = (ctx: WorkflowContext) => ctx.executeActivity(() => new Promise<string>(() => {}));
  const changes: [string, (state: WorkflowState) => unknown, string][] = [
    [
      "not_found",
      () => store.delete("a"),
      'Cannot resume workflow "a": it was deleted from the store',
    ],
    [
      "conflict",
      (state) => store.save({ ...state, runId: "other" }),
      'Cannot resume workflow "a": another run',
    ],
    [
      "conflict",
      (state) => store.save({ ...state, history: [] }),
      "the stored history has 0 events, 2 were there",
    ],
  ];
  const { store, executor } = setUp();
  for (const [code, change, message] of changes) {
    const handle = await executor.execute(wait, { id: "a" });
    await settle();
    await change((await store.load("a"))!);
    const error = await assertRejects(() => handle.result(), WorkflowError);
    assertEquals(error.code, code);
    assertStringIncludes(error.message, message);
    await store.delete("a");
  }
  const handle = await executor.execute(wait, { id: "a" });
  await settle();
  await store.save({ ...(await store.load("a"))!, status: "completed", result: "by hand" });
  assertEquals([await handle.result(), handle.status], ["by hand", "completed"]);
  await executor.close();
});

Deno.test("Executor retries a failing append and loses nothing", async () => {
  for (const side of ["before", "after"] as const) {
    const store = new FaultyStore();
    let calls = 0;
    store[side].append = () => {
      if (++calls % 3 !== 0) throw new Error("store is down");
    };
    const { runs, order } = orderWorkflow();
    const { executor } = setUp({ store, newRunId });
    const handle = await executor.execute(order, { id: "a", input: "in" });
    await approve(executor, await store.load("a"));
    const full = await uninterrupted();
    const events = (history: readonly WorkflowEvent[]) => typesOf(history).sort();
    const masked = (value: unknown) => JSON.stringify(value).replace(/\d{3,}/g, "time");
    assertEquals(masked(await handle.result()), masked(full.result), side);
    assertEquals(events((await store.load("a"))!.history), events(full.history), side);
    for (const [call, count] of runs) {
      assertEquals(count, call.startsWith("charge") ? 3 : 1, `${side} ${call}`);
    }
    await executor.close();
  }
});

Deno.test("Executor suspends a run when the store keeps failing, and recover() resumes it", async () => {
  const store = new FaultyStore();
  const { executor } = setUp({ store });
  const work = async (ctx: WorkflowContext) => {
    for await (const payload of ctx.receiveSignal("s")) {
      return await ctx.executeActivity(() => payload);
    }
  };
  const handle = await executor.execute(work, { id: "a" });
  await executor.signal("a", "s", 1);
  const cause = new Error("disk full");
  store.before.append = () => {
    throw cause;
  };
  const error = await assertRejects(() => handle.result(), WorkflowError);
  assertEquals([error.code, error.cause], ["store_failed", cause]);
  assertStringIncludes(error.message, "The store failed 5 times in a row");
  assertEquals((await store.load("a"))!.status, "running");
  store.before.append = undefined;
  const [again] = await executor.recover();
  assertEquals([await again.result(), await handle.result()], [1, 1]);
  await executor.close();
});

Deno.test("Executor.signal() rejects with store_failed when the signal cannot be stored", async () => {
  const store = new FaultyStore();
  const { executor } = setUp({ store });
  await executor.execute(go, { id: "a" });
  store.before.append = () => {
    throw new Error("down");
  };
  const error = await assertRejects(() => executor.signal("a", "s"), WorkflowError);
  assertEquals(error.code, "store_failed");
  assertEquals(typesOf((await store.load("a"))!.history), ["workflow_started"]);
  await executor.close();
});

Deno.test("Executor.signal() stores a signal once when the answer of the store is lost", async () => {
  for (const live of [true, false]) {
    const store = new FaultyStore();
    const { executor, clock } = setUp({ store });
    await executor.execute(go, { id: "a" });
    const sender = live ? executor : new Executor({ store, clock });
    let lost = 2;
    store.after.append = ({ events }) => {
      if (events[0]?.type === "signal_received" && lost-- > 0) throw new Error("answer lost");
    };
    await sender.signal("a", "s", 1);
    await sender.signal("a", "s", 1);
    const signals = (await store.load("a"))!.history.filter(({ type }) => type === "signal_received");
    assertEquals(signals.length, 2, live ? "live" : "through the store");
    await Promise.all([executor.close(), sender.close()]);
  }
});

Deno.test("Executor.execute() starts one run when the answer of the store is lost", async () => {
  const store = new FaultyStore();
  const { executor } = setUp({ store });
  let lost = true;
  store.after.append = () => {
    if (lost) {
      lost = false;
      throw new Error("answer lost");
    }
  };
  const handle = await executor.execute(() => "once", { id: "a" });
  assertEquals([await handle.result(), (await store.load("a"))!.runId], ["once", handle.runId]);
  await executor.close();
});

Deno.test("Executor.execute() rejects with store_failed when a store keeps reporting conflicts without a reason", async () => {
  const store = new FaultyStore();
  store.before.append = (batch: AppendBatch) => {
    if (batch.expectedLength === 0) throw new WorkflowError("conflict", "says the store");
  };
  const { executor } = setUp({ store });
  const error = await assertRejects(() => executor.execute(() => {}, { id: "a" }), WorkflowError);
  assertEquals(error.code, "store_failed");
  await executor.close();
});

Deno.test("Executor hands out a result only after it is stored", async () => {
  const store = new FaultyStore();
  const { executor } = setUp({ store });
  const hold = gate();
  store.before.append = ({ events }) => events.at(-1)!.type === "workflow_completed" ? hold.promise : undefined;
  const handle = await executor.execute(() => 1, { id: "a" });
  let resolved = false;
  const result = handle.result().then(() => resolved = true);
  await settle();
  assertEquals([resolved, handle.status], [false, "running"]);
  hold.open();
  await result;
  assertEquals([(await store.load("a"))!.status, handle.status], ["completed", "completed"]);
  await executor.close();
});

Deno.test("Executor shows workflow code only events that are stored", async () => {
  const store = new FaultyStore();
  const { executor } = setUp({ store });
  const hold = gate();
  const log: string[] = [];
  store.before.append = async ({ events }) => {
    const [{ type }] = events;
    if (type === "activity_completed" || type === "signal_received") await hold.promise;
    log.push(`storing ${type}`);
  };
  const handle = await executor.execute(async (ctx) => {
    await ctx.executeActivity(() => log.push("activity"));
    log.push("workflow saw the result");
  }, { id: "a" });
  await settle();
  assertEquals(log.at(-1), "activity");
  hold.open();
  await handle.result();
  assertEquals(
    log.indexOf("storing activity_completed") < log.indexOf("workflow saw the result"),
    true,
  );
  assertEquals(log.indexOf("storing activity_started") < log.indexOf("activity"), true);
  await executor.close();
});

/** Runs `before` until it waits for the signal "go", then recovers with `after`. */
async function redeploy(
  before: (ctx: WorkflowContext) => Promise<unknown>,
  after: (ctx: WorkflowContext) => Promise<unknown>,
) {
  const first = setUp();
  await first.executor.execute(before, { id: "a" });
  await settle();
  await first.executor.close();
  const stored = await first.store.load("a");
  const second = setUp({ store: first.store, workflows: { [before.name]: after } });
  const [handle] = await second.executor.recover();
  return { stored, handle, ...second };
}

const reserve = () => "reserved";
const charge = () => "charged";
const ship = () => "shipped";
const go = async (ctx: WorkflowContext) => {
  for await (const _ of ctx.receiveSignal("go")) return;
};

Deno.test("NonDeterminismError shows expected, actual, position, line and likely edit when a command was inserted", async () => {
  async function order(ctx: WorkflowContext) {
    await ctx.executeActivity(reserve);
    await go(ctx);
  }
  const { stored, store, handle, executor } = await redeploy(order, async (ctx) => {
    await ctx.executeActivity(charge);
    await ctx.executeActivity(reserve);
    await go(ctx);
  });
  const error = await assertRejects(() => handle.result(), NonDeterminismError);
  assertEquals([error.expected, error.actual, error.position], [
    'activity "reserve"',
    'activity "charge"',
    0,
  ]);
  assertStringIncludes(
    error.message,
    'an activity "charge" was inserted before activity "reserve"',
  );
  assertStringIncludes(error.message, "recovery_test.ts:");
  assertEquals([await store.load("a"), handle.status], [stored, "running"]);

  await executor.close();
  const fixed = setUp({ store, workflows: { order } });
  const [recovered] = await fixed.executor.recover();
  await fixed.executor.signal("a", "go");
  await recovered.result();
  await fixed.executor.close();
});

Deno.test("NonDeterminismError distinguishes a removed command from an inserted one", async () => {
  async function order(ctx: WorkflowContext) {
    await ctx.executeActivity(reserve);
    await ctx.executeActivity(charge);
    await go(ctx);
  }
  const { handle, executor } = await redeploy(order, async (ctx) => {
    await ctx.executeActivity(charge);
    await go(ctx);
  });
  const error = await assertRejects(() => handle.result(), NonDeterminismError);
  assertStringIncludes(
    error.message,
    'activity "reserve" was removed or moved: the history has activity "charge" at',
  );
  await executor.close();
});

Deno.test("NonDeterminismError is thrown when the code does not issue a recorded command", async () => {
  async function order(ctx: WorkflowContext) {
    await ctx.executeActivity(reserve);
    await ctx.sleep(0);
    await ctx.executeActivity(ship);
    await go(ctx);
  }
  for (
    const after of [
      async (ctx: WorkflowContext) => {
        await ctx.executeActivity(reserve);
        await ctx.sleep(0);
        await go(ctx);
      },
      async (ctx: WorkflowContext) => {
        await ctx.executeActivity(reserve);
        await ctx.sleep(0);
        return "short cut";
      },
    ]
  ) {
    const { stored, store, handle, executor } = await redeploy(order, after);
    const error = await assertRejects(() => handle.result(), NonDeterminismError);
    assertEquals([error.expected, error.position], ['activity "ship"', 2]);
    assertStringIncludes(error.message, 'activity "ship" was removed');
    assertEquals(await store.load("a"), stored);
    await executor.close();
  }
});

Deno.test("NonDeterminismError is thrown when the code issues another kind of command", async () => {
  async function order(ctx: WorkflowContext) {
    await ctx.executeActivity(reserve);
    await go(ctx);
  }
  const { handle, executor } = await redeploy(order, async (ctx) => {
    await ctx.sleep(1);
    await go(ctx);
  });
  const error = await assertRejects(() => handle.result(), NonDeterminismError);
  assertEquals([error.expected, error.actual], ['activity "reserve"', "sleep or timeout"]);
  await executor.close();
});

Deno.test("NonDeterminismError cannot be caught by workflow code", async () => {
  async function order(ctx: WorkflowContext) {
    await ctx.executeActivity(reserve);
    await go(ctx);
  }
  const { stored, store, handle, executor } = await redeploy(order, async (ctx) => {
    await ctx.executeActivity(charge).catch(() => {});
    return "as if nothing had happened";
  });
  await assertRejects(() => handle.result(), NonDeterminismError);
  await settle();
  assertEquals(await store.load("a"), stored);
  await executor.close();
});

Deno.test("Executor works with a store without subscribe()", async () => {
  const store = withoutSubscribe();
  const { executor } = setUp({ store });
  const handle = await executor.execute(orderWorkflow().order, { id: "a", input: "in" });
  await approve(executor, await store.load("a"));
  await handle.result();
  await executor.close();
});

Deno.test("Executor.recover() keeps the result at the time of the return when a branch changes it later", async () => {
  const hold = gate();
  const workflow = async (ctx: WorkflowContext) => {
    const log: string[] = [];
    const late = ctx.executeActivity(() => hold.promise).then(() => log.push("late"));
    await Promise.race([late, ctx.sleep(10)]);
    return log;
  };
  const store = new FaultyStore();
  const first = setUp({ store });
  store.before.append = async ({ events }) => {
    if (events[0]?.type === "workflow_completed") throw new Error("the process is gone");
    if (events[0]?.type === "timer_fired") hold.open();
    await settle();
  };
  await first.executor.execute(workflow, { id: "a" });
  await settle();
  await first.clock.advance(10);
  for (let i = 0; i < 20; i++) await settle();
  await first.executor.close();
  store.before.append = undefined;
  const stored = (await store.load("a"))!;
  assertEquals(typesOf(stored.history).slice(-2), ["timer_fired", "activity_completed"]);
  const later = setUp({ store, workflows: { workflow } });
  const [handle] = await later.executor.recover();
  assertEquals(await handle.result(), []);
  await later.executor.close();
});

Deno.test("Executor loses no signal that arrives while its run is being created or recovered", async () => {
  const first = async (ctx: WorkflowContext) => {
    for await (const payload of ctx.receiveSignal("s")) return payload;
  };
  const store = new FaultyStore();
  const { clock, executor } = setUp({ store, workflows: { first } });
  const other = new Executor({ store, clock });
  const created = gate();
  store.after.append = ({ events }) => events[0]?.type === "workflow_started" ? created.promise : undefined;
  const starting = executor.execute(first, { id: "a" });
  await settle();
  await other.signal("a", "s", 1); // the start is stored, the run is not live yet
  created.open();
  assertEquals(await (await starting).result(), 1);

  await executor.execute(first, { id: "b" });
  await executor.close();
  const later = setUp({ store, workflows: { first } });
  const read = gate();
  store.after.list = () => read.promise;
  const recovering = later.executor.recover();
  await settle();
  await other.signal("b", "s", 2); // the state is read, the run is not live yet
  read.open();
  const [handle] = await recovering;
  assertEquals(await handle.result(), 2);
  await Promise.all([other.close(), later.executor.close()]);
});

Deno.test("Executor records an outcome once when two executors perform the same activity", async () => {
  const gates = [gate<string>(), gate<string>()];
  const signals: AbortSignal[] = [];
  const work = (ctx: WorkflowContext) =>
    ctx.executeActivity((_: unknown, { signal }: ActivityContext) => gates[signals.push(signal) - 1].promise);
  const { store, executor, clock } = setUp({ workflows: { work } });
  const handle = await executor.execute(work, { id: "a" });
  await settle();
  const second = new Executor({ store, clock, workflows: { work } });
  const [other] = await second.recover(); // although the first executor is still open
  await settle();
  gates[1].open("second");
  assertEquals([await handle.result(), await other.result()], ["second", "second"]);
  gates[0].open("first");
  await settle();
  const { history } = (await store.load("a"))!;
  assertEquals(typesOf(history), ["workflow_started", "activity_started", "activity_completed", "workflow_completed"]);
  assertEquals(signals.map(({ aborted }) => aborted), [true, false]);
  await Promise.all([executor.close(), second.close()]);
});

Deno.test("Executor records a failed attempt once when two executors perform the same activity", async () => {
  const ends = [gate(), gate(), gate()];
  let attempts = 0;
  const work = (ctx: WorkflowContext) =>
    ctx.executeActivity(
      async (_: unknown, { attempt }: ActivityContext) => {
        await ends[attempts++].promise;
        if (attempt === 1) throw new Error("first attempt");
        return `attempt ${attempt}`;
      },
      undefined,
      { retry: { jitter: false } },
    );
  const { store, executor, clock } = setUp();
  const handle = await executor.execute(work, { id: "a" });
  await settle();
  const second = new Executor({ store, clock, workflows: { work } });
  await second.recover(); // although the first executor is still open
  await settle();
  ends[0].open();
  await settle();
  ends[1].open();
  ends[2].open();
  assertEquals(await handle.result(), "attempt 2");
  const { history } = (await store.load("a"))!;
  assertEquals(typesOf(history).filter((type) => type === "activity_attempt_failed").length, 1);
  await Promise.all([executor.close(), second.close()]);
});

for (const [reports, store] of [["reports", new InMemoryStore()], ["does not report", withoutSubscribe()]] as const) {
  Deno.test(`Executor.recover() takes over commands of another executor when the store ${reports} changes`, async () => {
    let runs = 0;
    const work = async (ctx: WorkflowContext) => {
      await go(ctx);
      return await ctx.executeActivity(() => ++runs === 1 ? new Promise<string>(() => {}) : "taken over");
    };
    const { executor, clock } = setUp({ store });
    await executor.execute(work, { id: "a" });
    const second = new Executor({ store, clock, workflows: { work } });
    const [handle] = await second.recover();
    await settle();
    await executor.signal("a", "go"); // the first executor stores the activity and performs it
    await settle();
    await executor.close();
    assertEquals(runs, 1);
    assertEquals(await second.recover(), []);
    assertEquals([await handle.result(), runs], ["taken over", 2]);
    await second.close();
  });
}

Deno.test("Executor.signal() stores a signal once when its workflow becomes live between two tries", async () => {
  const store = new FaultyStore();
  const { executor, clock } = setUp({ store });
  await executor.execute(go, { id: "a" });
  await executor.close();
  const later = new Executor({ store, clock, workflows: { go } });
  let lost = true;
  store.after.append = () => {
    if (lost) {
      lost = false;
      throw new Error("answer lost");
    }
  };
  const sending = later.signal("a", "s", 1);
  await later.recover();
  await sending;
  const signals = (await store.load("a"))!.history.filter(({ type }) => type === "signal_received");
  assertEquals(signals.length, 1);
  await later.close();
});

Deno.test("Executor.signal() resolves when the signal is stored although the workflow ended before the answer", async () => {
  const store = new FaultyStore();
  const { executor, clock } = setUp({ store, workflows: { go } });
  await executor.execute(go, { id: "a" });
  const other = new Executor({ store, clock });
  const [ended, lost] = [gate(), gate()];
  store.after.append = async ({ events }) => {
    const [event] = events;
    if (event.type !== "signal_received" || event.name !== "s") return;
    lost.open();
    await ended.promise;
    throw new Error("answer lost");
  };
  const sending = executor.signal("a", "s");
  await lost.promise;
  const { workflowId, runId, history } = (await store.load("a"))!;
  const final = { type: "workflow_completed", at: 0 } as const;
  await store.inner.append({ workflowId, runId, expectedLength: history.length, events: [final] });
  ended.open();
  await sending;
  await Promise.all([executor.close(), other.close()]);
});

Deno.test("WorkflowHandle.result() sees an end that is stored while it reads the state", async () => {
  const store = new FaultyStore();
  const { executor, clock } = setUp({ store });
  await executor.execute(async (ctx) => {
    await go(ctx);
    return "done";
  }, { id: "a" });
  const other = new Executor({ store, clock });
  const handle = await other.handle("a");
  const read = gate();
  store.after.load = () => read.promise;
  const result = handle.result();
  await settle();
  await executor.signal("a", "go");
  await settle(); // the workflow has ended, and the reader holds its older state
  store.after.load = undefined;
  read.open();
  assertEquals(await result, "done");
  await Promise.all([executor.close(), other.close()]);
});

Deno.test("Executor sees events that are stored while it reads earlier ones", async () => {
  const store = new FaultyStore();
  const twice = async (ctx: WorkflowContext) => [await ctx.waitForSignal("s"), await ctx.waitForSignal("s")];
  const { executor } = setUp({ store });
  const handle = await executor.execute(twice, { id: "a" });
  await settle();
  const { runId, history } = (await store.load("a"))!;
  const read = gate();
  store.after.load = () => read.promise;
  const append = (payload: number, expectedLength: number) => {
    const event = { type: "signal_received", at: 0, name: "s", payload, signalId: `${payload}` } as const;
    return store.inner.append({ workflowId: "a", runId, expectedLength, events: [event] });
  };
  await append(1, history.length);
  await settle(); // the executor is reading a state with one signal
  await append(2, history.length + 1);
  store.after.load = undefined;
  read.open();
  assertEquals(await handle.result(), [1, 2]);
  await executor.close();
});

Deno.test("WorkflowHandle.result() leaves no subscription when its signal is aborted", async () => {
  const store = countingSubscriptions();
  await store.save({ workflowId: "a", status: "running" });
  const { executor } = setUp({ store });
  const abort = new AbortController();
  const result = (await executor.handle("a")).result({ signal: abort.signal });
  await settle();
  assertEquals(store.subscriptions, 1);
  abort.abort(new Error("enough"));
  await assertRejects(() => result, Error, "enough");
  assertEquals(store.subscriptions, 0);
  await executor.close();
});

Deno.test("Executor.recover() records no command of a branch after the workflow function has ended", async () => {
  const { undisturbed } = await crashTest(async (ctx: WorkflowContext) => {
    let ended = false;
    const asks = async () => {
      await ctx.waitUntil(() => ended);
      ctx.patched("late");
      await Promise.all([ctx.sideEffect(() => assert(false, "called")), ctx.executeActivity(() => {}), ctx.sleep(1)]);
    };
    void asks();
    await ctx.sleep(5);
    ended = true;
    return "ended";
  });
  assertEquals(typesOf(undisturbed.state.history), [
    "workflow_started",
    "timer_started",
    "timer_fired",
    "workflow_completed",
  ]);
});

Deno.test("Executor.recover() keeps the last failure as the cause of an activity's TimeoutError", async () => {
  const busy = () => {
    throw new RangeError("busy");
  };
  const { undisturbed } = await crashTest((ctx: WorkflowContext) =>
    ctx.executeActivity(busy, null, { totalTimeoutMs: 250, retry: { maxAttempts: 9, jitter: false } })
  );
  const error = undisturbed.error as Error;
  assertEquals([`${error}`, `${error.cause}`], [
    'TimeoutError: Activity "busy" timed out after 250 ms in total',
    "RangeError: busy",
  ]);
});

Deno.test("Executor.recover() performs only open commands in a live run that is behind its history", async () => {
  for (let wait = 0; wait < 40; wait++) {
    const inner = new InMemoryStore();
    const stores = [new FaultyStore(inner), new FaultyStore(inner)];
    const calls: string[] = [];
    const never = new Promise(() => {});
    const steps = async (ctx: WorkflowContext) => {
      for (const name of ["a", "b", "c"]) {
        const work = () => calls.push(name) && name === "c" && calls.indexOf("c") === calls.length - 1 ? never : name;
        await ctx.executeActivity(work, null, { name });
      }
      return "end";
    };
    const clock = new VirtualClock();
    const [first, second] = stores.map((store) => new Executor({ store, clock, workflows: { steps } }));
    const gates = stores.map((store) => {
      const held = gate();
      store.before.append = ({ events }) => events[0]?.type === "activity_completed" ? held.promise : undefined;
      return held;
    });
    await first.execute(steps, { id: "x" });
    await settle();
    const [handle] = await second.recover(); // runs the first activity as well, and is slow to store its outcome
    await settle();
    calls.length = 0;
    gates[0].open();
    await settle();
    await first.close(); // while the last activity runs
    assertEquals(calls, ["b", "c"]);
    gates[1].open();
    for (let i = 0; i < wait; i++) await null;
    await second.recover();
    assertEquals(await handle.result(), "end");
    assertEquals(calls, ["b", "c", "c"], `after ${wait} microtasks`);
    await second.close();
  }
});

Deno.test("Executor.recover() counts a sleep from its call when the sleep was not stored", async () => {
  async function deadline(ctx: WorkflowContext) {
    await ctx.sideEffect(() => "the process dies when this is stored");
    await ctx.sleep(1000);
    return ctx.now();
  }
  const { executor, store, clock } = setUp({ workflows: { deadline } });
  const events = [
    { type: "workflow_started", at: 0, workflowName: "deadline" },
    { type: "side_effect", at: 50, seq: 0, value: "" },
  ] as const;
  await store.append({ workflowId: "a", runId: "run", expectedLength: 0, events });
  clock.advance(600); // no executor runs the workflow
  const [handle] = await executor.recover();
  assertEquals(await handle.result(), 1050);
  await executor.close();
});

Deno.test("Executor.recover() performs no command whose outcome is stored when the live run has not seen it", async () => {
  let runs = 0;
  const work = () => runs++;
  async function waits(ctx: WorkflowContext) {
    await ctx.waitForSignal("go");
    await ctx.waitForSignal("go");
    return await ctx.executeActivity(work);
  }
  const { executor, store } = setUp({ workflows: { waits } });
  const handle = await executor.execute(waits, { id: "a" });
  const go = (signalId: string) => ({ type: "signal_received", at: 0, name: "go", signalId }) as const;
  const { runId } = handle;
  const events: WorkflowEvent[] = [
    go("1"),
    go("2"),
    { type: "activity_started", at: 0, seq: 0, name: "work" },
    { type: "activity_completed", at: 0, seq: 0, attempt: 1, result: "by another executor" },
  ];
  await store.append({ workflowId: "a", runId, expectedLength: 1, events });
  for (let i = 0; i < 50; i++) {
    await macrotasks(i % 5 === 0 ? 1 : 0);
    await executor.recover();
  }
  assertEquals([await handle.result(), runs], ["by another executor", 0]);
  await executor.close();
});

Deno.test("Executor.recover() continues an activity that runs here when the failure of this attempt is stored already", async () => {
  const scene = (world: World) => ({
    async workflow(ctx: WorkflowContext) {
      const work = world.work("work", { at: 10, ignores: true });
      const flaky = async (input: unknown, context: ActivityContext) => {
        const answer = await work(input, context);
        if (context.attempt === 1) throw new Error("busy");
        return answer;
      };
      return [await ctx.executeActivity(flaky, undefined, { retry: { initialIntervalMs: 10 } }), ctx.now()];
    },
  });
  // Two executors run the first attempt. One stores its failure and dies. The other one recovers before its own attempt has failed.
  for (const append of [2, 3]) {
    for (const side of ["before", "after"] as const) {
      const { outcome } = await playOnce(scene, { joins: 1, deaths: [{ append, side }] });
      assertEquals(outcome, '["work",20]');
    }
  }
});
