/** Activities: default options, errors that ask for a retry, and the recorded events. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  activity,
  type ActivityContext,
  type ActivityOptions,
  Executor,
  InMemoryStore,
  RetryAfterError,
  type RetryPolicy,
  TimeoutError,
  type WorkflowContext,
} from "@rockpool/workflow";
import { gate, ofType, runUntilAttemptFailed, settle, setUp, typesOf } from "./tests/support/executors.ts";

type Ctx = WorkflowContext;

Deno.test("activity() gives a function default options, and a call overrides them one by one", async () => {
  let calls = 0;
  const flaky = activity(() => {
    throw new Error(`failure ${++calls}`);
  }, { name: "shaky", retry: { maxAttempts: 3, jitter: false }, timeoutMs: 1000 });
  assertEquals(flaky.name, "shaky");
  async function callsThreeTimes(ctx: Ctx) {
    const first = await ctx.executeActivity(flaky).catch((error) => error.message);
    const second = await ctx.executeActivity(flaky, undefined, { name: "once", retry: { maxAttempts: 1 } })
      .catch((error) => error.message);
    const third = await ctx.executeActivity(flaky, undefined, { name: undefined, retry: { maxAttempts: 2 } })
      .catch((error) => error.message);
    return [first, second, third];
  }
  const { executor, store } = setUp();
  const handle = await executor.execute(callsThreeTimes, { id: "a" });
  assertEquals(await handle.result(), ["failure 3", "failure 4", "failure 6"]);
  const names = ofType((await store.load("a"))!.history, "activity_started").map(({ name }) => name);
  assertEquals(names, ["shaky", "once", "shaky"]);
  await executor.close();
});

Deno.test("activity() returns a function that can be called directly, with the same types", async () => {
  const double = activity((n: number) => 2 * n, { timeoutMs: 5 });
  assertEquals([double(4), double.name], [8, "anonymous"]);
  const greet = activity(async function greet(name?: string, context?: ActivityContext) {
    return await Promise.resolve(`hello ${name ?? "you"} ${context?.attempt}`);
  }, {});
  assertEquals([await greet(), greet.name], ["hello you undefined", "greet"]);
  const echo = activity(<T>(value: T) => value, { retry: {} });
  const same: "same" = echo("same");
  const context = activity((_: number, { signal }) => signal.aborted, {}); // the type of the context is inferred
  // @ts-expect-error -- takes a number
  const wrong = () => double("4");
  // @ts-expect-error -- a call outside a workflow needs a context
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

Deno.test("activity() overrides the defaults of an activity, which keeps its own", async () => {
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

Deno.test("activity() defaults of the current code apply after a restart", async () => {
  let calls = 0;
  const failing = () => {
    calls++;
    throw new Error("again");
  };
  const defaults = { name: "failing", retry: { maxAttempts: 2, initialIntervalMs: 1000, jitter: false } } as const;
  const define = (maxAttempts: number) => activity(failing, { ...defaults, retry: { ...defaults.retry, maxAttempts } });
  let current = define(2);
  const work = (ctx: Ctx) => ctx.executeActivity(current);
  const store = await runUntilAttemptFailed(work);
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

/** Options with an unknown name, and the error text. */
const unknownOptions: [options: Record<string, unknown>, complaint: string][] = [
  [{ retries: {} }, '"options" has no option "retries"; did you mean "retry"?'],
  [{ Name: "a" }, '"options" has no option "Name"; did you mean "name"?'],
  [{ timeout: 5 }, '"options" has no option "timeout"; did you mean "timeoutMs"?'],
  [{ heartbeatTimeout: 5 }, '"options" has no option "heartbeatTimeout"; did you mean "heartbeatTimeoutMs"?'],
];

for (const [options, complaint] of unknownOptions) {
  Deno.test(`activity() and executeActivity() refuse an unknown option: ${complaint}`, async () => {
    const charge = () => "charged";
    assertEquals(
      assertThrows(() => activity(charge, options), TypeError).message,
      `Cannot define activity "charge": ${complaint}`,
    );
    await using executor = setUp().executor;
    for (const called of [charge, activity(charge, { timeoutMs: 1000 })]) {
      const handle = await executor.execute((ctx) => ctx.executeActivity(called, undefined, options));
      assertEquals(
        (await assertRejects(() => handle.result(), TypeError)).message,
        `Cannot execute activity "charge": ${complaint}`,
      );
    }
  });
}

Deno.test("WorkflowContext.executeActivity() refuses an unknown name in a retry policy", async () => {
  await using executor = setUp().executor;
  const options = { retry: { attempts: 3 } as RetryPolicy };
  const handle = await executor.execute((ctx) => ctx.executeActivity(() => {}, undefined, options));
  const complaint = '"retry" has no option "attempts"; did you mean "maxAttempts"?';
  await assertRejects(() => handle.result(), TypeError, complaint);
});

Deno.test("WorkflowContext.executeActivity() refuses a function whose name is not a string", async () => {
  await using executor = setUp().executor;
  const named = activity(() => {}, { name: "from the defaults" });
  const strange = Object.defineProperty(() => {}, "name", { value: 7 });
  const handle = await executor.execute(async (ctx) => {
    await ctx.executeActivity(named);
    await ctx.executeActivity(strange);
  }, { id: "a" });
  await assertRejects(() => handle.result(), TypeError, '"name" must be a non-empty string, got 7');
});

Deno.test("RetryAfterError sets the time of the next attempt and counts as a failure", async () => {
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

Deno.test("RetryAfterError keeps the time of the next attempt after a restart", async () => {
  const at: [number, number][] = [];
  let now = () => 0;
  const busy = (_: unknown, { attempt }: ActivityContext) => {
    at.push([attempt, now()]);
    if (attempt === 1) throw new RetryAfterError("busy", 90_000);
    return "done";
  };
  const work = (ctx: Ctx) => ctx.executeActivity(busy, undefined, { retry: { initialIntervalMs: 1 } });
  const store = await runUntilAttemptFailed(work);
  const { executor, clock } = setUp({ store, workflows: { work }, startAt: 30_000 });
  now = () => clock.now();
  assertEquals(await (await executor.recover())[0].result(), "done");
  assertEquals(at, [[1, 0], [2, 90_000]]);
  await executor.close();
});

Deno.test("RetryAfterError does not extend totalTimeoutMs, and is the cause of the TimeoutError", async () => {
  const { executor, clock } = setUp();
  const busy = () => {
    throw new RetryAfterError("busy", 60_000);
  };
  const handle = await executor.execute((ctx: Ctx) =>
    ctx.executeActivity(busy, undefined, { totalTimeoutMs: 1000, retry: {} })
  );
  const error = await assertRejects(() => handle.result(), TimeoutError, "timed out after 1000 ms in total");
  assert((error as TimeoutError).cause instanceof RetryAfterError);
  assertEquals(clock.now(), 1000);
  await executor.close();
});

Deno.test("ActivityContext.signal is aborted with the reason that ended the attempt", async () => {
  const reasons: Record<string, Error> = {};
  const stuck = (name: string, { signal }: ActivityContext) =>
    new Promise<void>(() => signal.addEventListener("abort", () => reasons[name] = signal.reason));
  const { executor, clock, store } = setUp();
  const run = (id: string, options: ActivityOptions = {}, timeoutMs?: number) =>
    executor.execute((ctx: Ctx) => ctx.executeActivity(stuck, id, options), { id, timeoutMs });
  await run("timed out", { timeoutMs: 10 });
  await run("silent", { heartbeatTimeoutMs: 20 });
  await run("timed out in total", { totalTimeoutMs: 30 });
  await run("over its time", {}, 30);
  for (const id of ["canceled", "terminated", "terminated elsewhere", "replaced", "closed"]) await run(id);
  const ends: Record<string, (ctx: WorkflowContext<void>) => unknown> = {
    completed: () => 7,
    failed: () => {
      throw new RangeError("no luck");
    },
    continued: (ctx) => ctx.continueAsNew(),
  };
  for (const [id, end] of Object.entries(ends)) {
    const work = async (ctx: WorkflowContext<void>) => {
      if (reasons[id] !== undefined) return; // the next run
      void ctx.executeActivity(stuck, id, { name: "unawaited" });
      await ctx.waitForSignal("go");
      await end(ctx);
    };
    await executor.execute(work, { id });
  }
  await settle();
  await clock.advance(30);
  for (const id of Object.keys(ends)) await executor.signal(id, "go");
  await executor.cancel("canceled", "enough");
  await executor.terminate("terminated", "it hangs");
  await setUp({ store }).executor.terminate("terminated elsewhere");
  await executor.execute(() => 7, { id: "replaced", onConflict: "replace" });
  await settle();
  await executor.close();
  assertEquals(Object.fromEntries(Object.entries(reasons).map(([name, reason]) => [name, String(reason)])), {
    "timed out": 'TimeoutError: Activity "stuck" timed out after 10 ms in attempt 1',
    "silent": 'TimeoutError: Activity "stuck" timed out after 20 ms without a heartbeat in attempt 1',
    "timed out in total": 'TimeoutError: Activity "stuck" timed out after 30 ms in total',
    "over its time": 'TimeoutError: Timed out workflow "over its time" after 30 ms',
    "completed": "CanceledError: The workflow has ended: completed",
    "failed": "RangeError: no luck",
    "continued": "CanceledError: The workflow was continued as new",
    "canceled": 'CanceledError: Canceled workflow "canceled": enough',
    "terminated": 'WorkflowError: Terminated workflow "terminated": it hangs',
    "terminated elsewhere": 'WorkflowError: Terminated workflow "terminated elsewhere"',
    "replaced": 'WorkflowError: Terminated workflow "replaced": a new run replaces it',
    "closed": "WorkflowError: The executor was closed; recover() resumes what is stored",
  });
});

Deno.test("ActivityOptions.atMostOnce runs an activity once when it fails or times out", async () => {
  let runs = 0;
  const { executor, store, clock } = setUp();
  const fails = (slow: boolean) => {
    runs++;
    if (slow) return new Promise<never>(() => {});
    throw new RetryAfterError("later", 0);
  };
  const once = (ctx: Ctx, slow: boolean) => ctx.executeActivity(fails, slow, { atMostOnce: true, timeoutMs: 100 });
  const thrown = await executor.execute(once, { id: "thrown", input: false });
  await assertRejects(() => thrown.result(), RetryAfterError);
  const slow = await executor.execute(once, { id: "slow", input: true });
  await settle();
  await clock.advance(100);
  await assertRejects(() => slow.result(), TimeoutError);
  assertEquals(runs, 2);
  for (const id of ["thrown", "slow"]) {
    const types = ["workflow_started", "activity_started", "activity_failed", "workflow_failed"];
    assertEquals(typesOf((await store.load(id))!.history), types);
  }
  await executor.close();
});

Deno.test("WorkflowContext.executeActivity() drops a late result after a restart", async () => {
  const late = gate<string>();
  let runs = 0;
  const slow = () => ++runs === 1 ? late.promise : "second";
  const work = (ctx: Ctx) => ctx.executeActivity(slow);
  const { executor, store } = setUp();
  await executor.execute(work, { id: "a" });
  await settle();
  await executor.close();
  const next = setUp({ store, workflows: { work } });
  const [handle] = await next.executor.recover();
  late.open("first");
  assertEquals([await handle.result(), runs], ["second", 2]);
  await settle();
  const completed = ofType((await store.load("a"))!.history, "activity_completed");
  assertEquals(completed.map(({ result }) => result), ["second"]);
  await next.executor.close();
});

Deno.test("WorkflowContext.executeActivity() records error and retry time of every failed attempt", async () => {
  const errors = [
    new TypeError("first", { cause: new Error("why") }),
    new RetryAfterError("second", 5),
    { plain: "third" },
  ];
  const fails = (_: unknown, { attempt }: ActivityContext) => {
    throw errors[attempt - 1];
  };
  const { executor, store } = setUp();
  const retry = { maxAttempts: 3, initialIntervalMs: 10, backoffCoefficient: 3, maxIntervalMs: 20, jitter: false };
  const handle = await executor.execute(
    (ctx: Ctx) => ctx.executeActivity(fails, undefined, { retry: retry as RetryPolicy }),
    { id: "a" },
  );
  await handle.result().then(() => assert(false), (error) => assertEquals(error, { plain: "third" }));
  const { history } = (await store.load("a"))!;
  const failed = history.filter((event) => event.type === "activity_attempt_failed");
  assertEquals(failed.map(({ seq, attempt, at, retryAt }) => ({ seq, attempt, at, retryAt })), [
    { seq: 0, attempt: 1, at: 0, retryAt: 10 },
    { seq: 0, attempt: 2, at: 10, retryAt: 15 },
  ]);
  assertEquals(failed.map(({ error: { name, message, cause, data } }) => [name, message, cause?.message, data]), [
    ["TypeError", "first", "why", undefined],
    ["RetryAfterError", "second", undefined, { code: "retry_after", delayMs: 5 }],
  ]);
  await executor.close();
});

Deno.test("ExecutorOptions.replaceActivity runs another function with the options and the name of the activity", async () => {
  const send = activity(function send(to: string) {
    return `sent to ${to}`;
  }, { retry: { maxAttempts: 2, initialIntervalMs: 1 } });
  const charge = (amount: number) => amount;
  const asked: string[] = [];
  const { executor, store } = setUp({
    replaceActivity(activity, name) {
      asked.push(name);
      if (activity !== send) return undefined;
      return (to: never, { attempt }) => {
        if (attempt === 1) throw new Error("busy");
        return `faked to ${to}`;
      };
    },
  });
  const handle = await executor.execute(async function order(ctx: WorkflowContext) {
    return [await ctx.executeActivity(send, "ann"), await ctx.executeActivity(charge, 5)];
  }, { id: "a" });
  assertEquals(await handle.result(), ["faked to ann", 5]);
  assertEquals(asked, ["send", "send", "charge"]);
  const names = (await store.load("a"))!.history.flatMap((event) =>
    event.type === "activity_started" ? event.name : []
  );
  assertEquals(names, ["send", "charge"]);
  await executor.close();
});

Deno.test("Executor() refuses a bad replaceActivity", () => {
  assertThrows(
    () => new Executor({ store: new InMemoryStore(), replaceActivity: {} as never }),
    TypeError,
    '"replaceActivity" must be a function',
  );
});

Deno.test("ActivityContext.heartbeat() can be called without its context", async () => {
  const { executor } = setUp();
  const handle = await executor.execute((ctx: Ctx) =>
    ctx.executeActivity(
      (_: null, { attempt, heartbeat, heartbeatDetails }: ActivityContext) => {
        heartbeat(`at ${attempt}`);
        if (attempt === 1) throw new Error("busy");
        return heartbeatDetails;
      },
      null,
      { retry: { maxAttempts: 2 } },
    )
  );
  assertEquals(await handle.result(), "at 1");
  await executor.close();
});
