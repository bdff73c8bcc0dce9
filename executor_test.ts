/** The methods of `Executor` and of `WorkflowContext`, each behaviour alone; `tests/executor/` has what spans several. The file is longer than 500 lines: it is a list of independent cases, which one searches by name. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { FakeTime } from "@std/testing/time";
import {
  type ActivityContext,
  CanceledError,
  Executor,
  InMemoryStore,
  NonRetryableError,
  TimeoutError,
  type WorkflowContext,
  WorkflowError,
} from "@rockpool/workflow";

import { countingSubscriptions, gate, settle, setUp, typesOf, withoutSubscribe } from "./tests/support/executors.ts";

Deno.test("Executor.execute() runs the quick start", async () => {
  const store = new InMemoryStore();
  const executor = new Executor({ store });
  const handle = await executor.execute(myWorkflow, { id: "test-wf-1", input: "hello" });
  assertEquals(await handle.result(), "processed: hello");
  assertEquals([handle.id, handle.status], ["test-wf-1", "completed"]);

  // deno-lint-ignore require-await
  async function myWorkflow(_ctx: WorkflowContext, input: string) {
    return `processed: ${input}`;
  }
});

Deno.test("Executor.execute() infers the types of the input and the result", async () => {
  await using executor = setUp().executor;
  const length = (text: string) => text.length;
  async function measure(ctx: WorkflowContext, text: string) {
    // @ts-expect-error the activity takes a string
    const wrong = () => ctx.executeActivity(length, 1);
    assert(typeof wrong === "function");
    return { length: await ctx.executeActivity(length, text) };
  }
  // @ts-expect-error the workflow takes a string
  const wrong = () => executor.execute(measure, { input: 1 });
  // @ts-expect-error the input is missing
  const missing = () => executor.execute(measure, { id: "a" });
  assert(typeof wrong === "function" && typeof missing === "function");
  const handle = await executor.execute(measure, { input: "four" });
  const result: { length: number } = await handle.result();
  assertEquals(result, { length: 4 });
});

Deno.test("Executor.execute() records the whole run in the store", async () => {
  const { store, executor } = setUp();
  const add = (n: number) => n + 1;
  const handle = await executor.execute(async function adder(ctx: WorkflowContext, n: number) {
    await ctx.sleep(5);
    return await ctx.executeActivity(add, n);
  }, { id: "a", input: 1 });
  await handle.result();
  const state = await store.load("a");
  assertEquals(state, {
    workflowId: "a",
    runId: handle.runId,
    workflowName: "adder",
    status: "completed",
    input: 1,
    result: 2,
    createdAt: 0,
    updatedAt: 5,
    history: [
      { type: "workflow_started", at: 0, workflowName: "adder", input: 1 },
      { type: "timer_started", at: 0, seq: 0, dueAt: 5 },
      { type: "timer_fired", at: 5, seq: 0 },
      { type: "activity_started", at: 5, seq: 1, name: "add", input: 1 },
      { type: "activity_completed", at: 5, seq: 1, attempt: 1, result: 2 },
      { type: "workflow_completed", at: 5, result: 2 },
    ],
  });
});

Deno.test("Executor.execute() rejects with already_running when the ID is running", async () => {
  await using executor = setUp().executor;
  const forever = (ctx: WorkflowContext) => ctx.receiveSignal("never")[Symbol.asyncIterator]().next();
  const first = await executor.execute(forever, { id: "a" });
  const error = await assertRejects(() => executor.execute(forever, { id: "a" }), WorkflowError);
  assertEquals(error.code, "already_running");
  assertEquals(
    error.message,
    'Cannot execute workflow "a": it is running already; pass onConflict "join" for its handle',
  );
  assertEquals((await executor.handle("a")).runId, first.runId);
});

Deno.test("Executor.execute() starts one run when two calls come at once", async () => {
  await using executor = setUp().executor;
  const outcomes = await Promise.allSettled(
    [1, 2].map((n) => executor.execute(() => n, { id: "a" })),
  );
  assertEquals(outcomes.map((outcome) => outcome.status), ["fulfilled", "rejected"]);
});

Deno.test("Executor.execute() starts a new run when the ID has finished", async () => {
  const { store, clock, executor } = setUp();
  const first = await executor.execute(() => 1, { id: "a" });
  await first.result();
  await (await executor.execute(() => 0, { id: "b" })).result();
  await clock.advance(10);
  const second = await executor.execute(() => 2, { id: "a" });
  assertEquals([await first.result(), await second.result()], [1, 2]);
  assertNotEquals(first.runId, second.runId);
  assertEquals((await store.list()).map((state) => [state.workflowId, state.createdAt]), [
    ["b", 0],
    ["a", 10],
  ]);
});

Deno.test("Executor.execute() generates an ID by default", async () => {
  await using executor = setUp().executor;
  const [a, b] = [await executor.execute(() => {}), await executor.execute(() => {})];
  assertMatch(a.id, /^[0-9a-f-]{36}$/);
  assertNotEquals(a.id, b.id);
});

Deno.test("Executor.execute() refuses bad arguments and stores nothing", async () => {
  const { store, executor } = setUp();
  // deno-lint-ignore no-explicit-any
  const execute = (workflow: any, options: any) => executor.execute(workflow, options);
  const noop = () => {};
  const cases: [unknown, unknown, typeof TypeError | typeof RangeError, string][] = [
    [
      42,
      { id: "a" },
      TypeError,
      'Cannot execute workflow "a": "workflow" must be a function, got 42',
    ],
    [
      noop,
      { id: "" },
      TypeError,
      'Cannot execute workflow: "id" must be a non-empty string, got ""',
    ],
    [noop, { id: 7 }, TypeError, 'Cannot execute workflow: "id" must be a non-empty string, got 7'],
    [noop, "a", TypeError, 'Cannot execute workflow: "options" must be an object, got "a"'],
    [
      noop,
      { id: "a", input: { f: noop } },
      TypeError,
      'Cannot store input.f: a function "noop" cannot be stored',
    ],
    [
      noop,
      { id: "a", timeoutMs: -1 },
      RangeError,
      'Cannot execute workflow "a": "timeoutMs" must be a finite number above 0, got -1',
    ],
    [
      noop,
      { id: "a", signal: {} },
      TypeError,
      'Cannot execute workflow "a": "signal" must be an AbortSignal, got an Object',
    ],
  ];
  for (const [workflow, options, type, message] of cases) {
    const error = await assertRejects(() => execute(workflow, options), type);
    assertEquals(error.message, message);
  }
  assertEquals(store.size, 0);
});

Deno.test("Executor.execute() cancels the workflow when its signal is aborted", async () => {
  await using executor = setUp().executor;
  const abort = new AbortController();
  const handle = await executor.execute(
    (ctx) => ctx.executeActivity(() => new Promise<void>(() => {})),
    {
      signal: abort.signal,
    },
  );
  abort.abort(new Error("too late"));
  const error = await assertRejects(() => handle.result(), CanceledError);
  assertEquals([error.reason, handle.status], ["too late", "canceled"]);
});

Deno.test("Executor.execute() rejects with the reason when its signal is aborted already", async () => {
  const { store, executor } = setUp();
  const signal = AbortSignal.abort(new Error("no"));
  await assertRejects(() => executor.execute(() => {}, { signal }), Error, "no");
  assertEquals(store.size, 0);
});

Deno.test("Executor.execute() fails the workflow when its timeout is over", async () => {
  const { store, executor } = setUp();
  const handle = await executor.execute((ctx) => ctx.sleep(1000), { id: "a", timeoutMs: 50 });
  const error = await assertRejects(() => handle.result(), TimeoutError);
  assertEquals(error.message, 'Timed out workflow "a" after 50 ms');
  const state = (await store.load("a"))!;
  assertEquals([state.status, state.updatedAt], ["failed", 50]);
  assertEquals(typesOf(state.history).slice(-2), ["cancel_requested", "workflow_failed"]);
});

Deno.test("Executor.execute() clears the timer of its timeout when the workflow ends in time", async () => {
  const { clock, executor } = setUp();
  await (await executor.execute(() => {}, { timeoutMs: 50 })).result();
  await (await executor.execute((ctx) => ctx.sleep(1))).result();
  assertEquals(clock.now(), 1);
  await executor.close();
});

Deno.test("Executor.execute() hands out the stored input", async () => {
  await using executor = setUp().executor;
  class Order {
    readonly items: readonly string[];
    constructor(items: readonly string[]) {
      this.items = items;
    }
  }
  const handle = await executor.execute((_ctx: WorkflowContext, input: Order) => {
    assertThrows(() => (input.items as string[]).push("b"), TypeError);
    return [Object.getPrototypeOf(input) === Object.prototype, input] as const;
  }, { input: new Order(["a"]) });
  assertEquals(await handle.result(), [true, { items: ["a"] } as Order]);
});

Deno.test("Executor.execute() fails the workflow when its result cannot be stored", async () => {
  await using executor = setUp().executor;
  const handle = await executor.execute(() => ({ f: () => {} }));
  const error = await assertRejects(() => handle.result(), TypeError);
  assertEquals(
    error.message,
    'Cannot store result of the workflow.f: a function "f" cannot be stored',
  );
  assertEquals(handle.status, "failed");
});

Deno.test("Executor.execute() keeps class, message, cause and data of the workflow's error", async () => {
  await using executor = setUp().executor;
  const handle = await executor.execute(() => {
    throw Object.assign(new RangeError("too big", { cause: new TypeError("inner") }), { limit: 3 });
  });
  for (let i = 0; i < 2; i++) {
    const error = await assertRejects(() => handle.result(), RangeError, "too big");
    assertInstanceOf(error.cause, TypeError);
    assertEquals((error as RangeError & { limit: number }).limit, 3);
  }
});

Deno.test("Executor.execute() causes no unhandled rejection when a workflow fails", async () => {
  await using executor = setUp().executor;
  const handle = await executor.execute(() => Promise.reject(new Error("nobody listens")));
  await assertRejects(() => handle.result());
});

Deno.test("WorkflowHandle.result() stops waiting when its signal is aborted", async () => {
  await using executor = setUp().executor;
  const hold = gate<number>();
  const handle = await executor.execute((ctx) => ctx.executeActivity(() => hold.promise));
  const abort = new AbortController();
  const waiting = handle.result({ signal: abort.signal });
  abort.abort(new Error("enough"));
  await assertRejects(() => waiting, Error, "enough");
  await assertRejects(
    () => handle.result({ signal: AbortSignal.abort(new Error("before")) }),
    Error,
    "before",
  );
  hold.open(1);
  assertEquals(await handle.result(), 1);
});

Deno.test("WorkflowHandle.result() hands out values that cannot change the store", async () => {
  await using executor = setUp().executor;
  const handle = await executor.execute(() => ({ at: new Date(0), tags: ["a"] }));
  const result = await handle.result();
  result.at.setTime(1);
  assertThrows(() => (result.tags as string[]).push("b"), TypeError);
  assertEquals(await handle.result(), { at: new Date(0), tags: ["a"] });
});

Deno.test("Executor.handle() finds a run of an earlier process", async () => {
  const { store, executor } = setUp();
  await (await executor.execute(() => ({ n: 1 }), { id: "a" })).result();
  await (await executor.execute(() => Promise.reject(new RangeError("no")), { id: "b" })).result()
    .catch(() => {});
  await executor.close();
  await using later = new Executor({ store });
  const [a, b] = [await later.handle<{ n: number }>("a"), await later.handle("b")];
  assertEquals([a.status, b.status], ["completed", "failed"]);
  assertEquals((await a.result()).n, 1);
  await assertRejects(() => b.result(), RangeError, "no");
});

Deno.test("Executor.handle() rejects with not_found when there is no such workflow", async () => {
  await using executor = setUp().executor;
  const error = await assertRejects(() => executor.handle("a"), WorkflowError);
  assertEquals([error.code, error.message], [
    "not_found",
    'Cannot find workflow "a": it does not exist',
  ]);
});

Deno.test("WorkflowHandle.result() waits for a run of another executor", async () => {
  const { store, clock, executor } = setUp();
  const hold = gate<string>();
  await executor.execute((ctx) => ctx.executeActivity(() => hold.promise), { id: "a" });
  await using other = new Executor({ store, clock });
  const handle = await other.handle("a");
  const result = handle.result();
  hold.open("done");
  assertEquals(await result, "done");
  assertEquals(handle.status, "completed");
});

Deno.test("WorkflowHandle.result() rejects with unsupported when the store reports no changes", async () => {
  const store = withoutSubscribe();
  await store.save({ workflowId: "a", status: "running" });
  await using executor = new Executor({ store });
  const handle = await executor.handle("a");
  const error = await assertRejects(() => handle.result(), WorkflowError);
  assertEquals(error.code, "unsupported");
});

Deno.test("Executor.describe() describes running and finished workflows", async () => {
  await using executor = setUp().executor;
  const hold = gate();
  const handle = await executor.execute(async (ctx: WorkflowContext, _input: { n: number }) => {
    await ctx.executeActivity(() => hold.promise);
  }, { id: "a", input: { n: 1 } });
  assertEquals((await executor.describe("a")).status, "running");
  hold.open();
  await handle.result();
  assertEquals((await executor.describe("a")).status, "completed");
  assertEquals((await executor.describe("a")).input, { n: 1 });
  assertEquals((await executor.describe("a", { history: true })).history.length, 4);
  assertEquals((await executor.describe("a")).runId, handle.runId);
});

Deno.test("Executor.query() rejects with not_found when there is no such workflow", async () => {
  await using executor = setUp().executor;
  for (const query of ["status", "unknown"]) {
    const error = await assertRejects(() => executor.query("a", query), WorkflowError);
    assertEquals([error.code, error.message], ["not_found", 'Cannot query workflow "a": it does not exist']);
  }
});

Deno.test("Executor.signal() and cancel() reject with not_found and the status when the workflow is not running", async () => {
  await using executor = setUp().executor;
  await (await executor.execute(() => {}, { id: "a" })).result();
  for (const verb of ["signal", "cancel"] as const) {
    const call = (id: string) => verb === "signal" ? executor.signal(id, "s") : executor.cancel(id);
    const ended = await assertRejects(() => call("a"), WorkflowError);
    assertEquals([ended.code, ended.message], [
      "not_found",
      `Cannot ${verb} workflow "a": its status is "completed"`,
    ]);
    const unknown = await assertRejects(() => call("b"), WorkflowError);
    assertEquals([unknown.code, unknown.message], [
      "not_found",
      `Cannot ${verb} workflow "b": it does not exist`,
    ]);
  }
});

Deno.test("Executor.signal() refuses bad arguments and stores nothing", async () => {
  const { store, executor } = setUp();
  await executor.execute((ctx) => ctx.executeActivity(() => new Promise<void>(() => {})), {
    id: "a",
  });
  await assertRejects(
    () => executor.signal("a", ""),
    TypeError,
    'Cannot signal workflow "a": "signal" must be a non-empty string, got ""',
  );
  await assertRejects(
    () => executor.signal("a", "s", [Symbol("x")]),
    TypeError,
    'Cannot store payload of signal "s"[0]: Symbol(x) cannot be stored',
  );
  await assertRejects(
    () => executor.signal("a", "s", undefined, { senderId: 1 as unknown as string }),
    TypeError,
  );
  assertEquals(typesOf((await store.load("a"))!.history).includes("signal_received"), false);
  await executor.close();
});

Deno.test("Executor.signal() records sender and payload", async () => {
  const { store, executor } = setUp();
  const handle = await executor.execute(async (ctx) => {
    for await (const payload of ctx.receiveSignal<{ ok: boolean }>("approval")) return payload;
  }, { id: "a" });
  await executor.signal("a", "approval", { ok: true }, { senderId: "eve" });
  assertEquals(await handle.result(), { ok: true });
  const signal = (await store.load("a"))!.history.find((event) => event.type === "signal_received")!;
  assertEquals([signal.name, signal.payload, signal.senderId], ["approval", { ok: true }, "eve"]);
});

Deno.test("Executor.signal() reaches a workflow of another executor", async () => {
  const { store, clock, executor } = setUp();
  const handle = await executor.execute(async (ctx) => {
    const seen: unknown[] = [];
    for await (const payload of ctx.receiveSignal("s")) if (seen.push(payload) === 3) return seen;
  }, { id: "a" });
  await using other = new Executor({ store, clock });
  await Promise.all([1, 2, 3].map((payload) => other.signal("a", "s", payload)));
  assertEquals(await handle.result(), [1, 2, 3]);
});

Deno.test("Executor.cancel() throws a CanceledError at the await in progress", async () => {
  const { store, executor } = setUp();
  let aborted: unknown;
  const handle = await executor.execute(
    (ctx) =>
      ctx.executeActivity((_: unknown, { signal }: ActivityContext) =>
        new Promise<void>(() => signal.addEventListener("abort", () => aborted = signal.reason))
      ),
    { id: "a" },
  );
  await settle();
  await executor.cancel("a", "changed my mind");
  const error = await assertRejects(() => handle.result(), CanceledError);
  assertEquals([error.reason, error.message], [
    "changed my mind",
    'Canceled workflow "a": changed my mind',
  ]);
  assertInstanceOf(aborted, CanceledError);
  const { status, history } = (await store.load("a"))!;
  assertEquals([status, ...typesOf(history).slice(-2)], [
    "canceled",
    "cancel_requested",
    "workflow_canceled",
  ]);
});

Deno.test("Executor.cancel() is a no-op the second time", async () => {
  const { store, clock, executor } = setUp();
  const hold = gate();
  const handle = await executor.execute(async (ctx) => {
    try {
      await ctx.sleep(1e9);
    } finally {
      await ctx.shield((ctx) => ctx.executeActivity(() => hold.promise));
    }
  }, { id: "a" });
  await executor.cancel("a", "first");
  await executor.cancel("a", "second");
  await using other = new Executor({ store, clock });
  await other.cancel("a", "third");
  hold.open();
  assertEquals((await assertRejects(() => handle.result(), CanceledError)).reason, "first");
  const { history } = (await store.load("a"))!;
  assertEquals(history.filter((event) => event.type === "cancel_requested").length, 1);
});

Deno.test("Executor.cancel() completes a workflow that catches the error and returns", async () => {
  await using executor = setUp().executor;
  const handle = await executor.execute(async (ctx) => {
    try {
      await ctx.sleep(1e9);
    } catch (error) {
      return error instanceof CanceledError ? `stopped: ${error.reason}` : "?";
    }
  }, { id: "a" });
  await executor.cancel("a", "enough");
  assertEquals([await handle.result(), handle.status], ["stopped: enough", "completed"]);
});

Deno.test("Executor.cancel() rejects further waits when the workflow catches the error", async () => {
  await using executor = setUp().executor;
  const calls: string[] = [];
  const handle = await executor.execute(async (ctx) => {
    await ctx.sleep(1e9).catch(() => calls.push("caught"));
    await ctx.executeActivity(() => calls.push("ran"));
  }, { id: "a" });
  await executor.cancel("a");
  await assertRejects(() => handle.result(), CanceledError);
  assertEquals([calls, handle.status], [["caught"], "canceled"]);
});

Deno.test("Executor.cancel() fails the workflow when its cleanup throws another error", async () => {
  await using executor = setUp().executor;
  const handle = await executor.execute(async (ctx) => {
    await ctx.sleep(1e9).catch(() => {
      throw new RangeError("cleanup");
    });
  }, { id: "a" });
  await executor.cancel("a");
  await assertRejects(() => handle.result(), RangeError, "cleanup");
  assertEquals(handle.status, "failed");
});

Deno.test("WorkflowContext.signal is aborted when the workflow is cancelled", async () => {
  await using executor = setUp().executor;
  const handle = await executor.execute(async (ctx) => {
    const { signal } = ctx;
    await ctx.sleep(1e9).catch(() => {});
    return [signal.aborted, (signal.reason as Error).message];
  }, { id: "a" });
  await executor.cancel("a");
  assertEquals(await handle.result(), [true, 'Canceled workflow "a"']);
});

Deno.test("WorkflowContext.shield() defers a cancellation to its end", async () => {
  await using executor = setUp().executor;
  const hold = gate<string>();
  const log: string[] = [];
  const handle = await executor.execute(async (ctx) => {
    await ctx.shield(async (ctx) => {
      log.push(await ctx.executeActivity(() => hold.promise));
      log.push(await ctx.executeActivity(() => "second"));
    });
    await ctx.sleep(1);
    log.push("not reached");
  }, { id: "a" });
  await executor.cancel("a");
  hold.open("first");
  await assertRejects(() => handle.result(), CanceledError);
  assertEquals(log, ["first", "second"]);
});

Deno.test("WorkflowContext.shield() protects no wait after it has ended", async () => {
  const { executor, clock } = setUp();
  const handle = await executor.execute(async (ctx) => {
    await Promise.all([
      ctx.shield((ctx) => ctx.sleep(10)),
      ctx.sleep(1000), // begins while the previous branch is in its shield
      ctx.waitForSignal("never"),
      ctx.waitUntil(() => false),
    ].map((wait) => wait.catch((error) => errors.push(error.name))));
    return ctx.now();
  }, { id: "a" });
  const errors: string[] = [];
  clock.setTimer(50, () => {
    clock.hold();
    executor.cancel("a").finally(() => clock.release());
  });
  assertEquals(await handle.result(), 50);
  assertEquals(errors, ["CanceledError", "CanceledError", "CanceledError"]);
  await executor.close();
});

Deno.test("WorkflowContext.executeActivity() runs once without a retry policy", async () => {
  await using executor = setUp().executor;
  let runs = 0;
  const handle = await executor.execute((ctx) =>
    ctx.executeActivity(() => {
      runs++;
      throw new TypeError("broken");
    })
  );
  await assertRejects(() => handle.result(), TypeError, "broken");
  assertEquals(runs, 1);
});

Deno.test("WorkflowContext.executeActivity() retries by the default policy when retry is an empty object", async () => {
  const { store, clock, executor } = setUp();
  const attempts: [number, number, string][] = [];
  function flaky(_: unknown, { attempt, idempotencyKey }: ActivityContext) {
    attempts.push([attempt, clock.now(), idempotencyKey]);
    if (attempt < 3) throw new Error(`failure ${attempt}`);
    return "ok";
  }
  const handle = await executor.execute(
    (ctx) => ctx.executeActivity(flaky, undefined, { retry: {} }),
    { id: "a" },
  );
  assertEquals(await handle.result(), "ok");
  const key = `${handle.runId}:0`;
  assertEquals(attempts, [[1, 0, key], [2, 100, key], [3, 300, key]]);
  const failed = (await store.load("a"))!.history.filter((event) => event.type === "activity_attempt_failed");
  assertEquals(failed.map(({ attempt, error, retryAt }) => [attempt, error.message, retryAt]), [
    [1, "failure 1", 100],
    [2, "failure 2", 300],
  ]);
});

Deno.test("WorkflowContext.executeActivity() fails with the last error when all attempts failed", async () => {
  const { store, executor } = setUp();
  const handle = await executor.execute(
    (ctx) =>
      ctx.executeActivity(
        (_: unknown, { attempt }: ActivityContext) => Promise.reject(new Error(`no ${attempt}`)),
        null,
        {
          retry: { maxAttempts: 2 },
        },
      ),
    { id: "a" },
  );
  await assertRejects(() => handle.result(), Error, "no 2");
  const last = (await store.load("a"))!.history.find((event) => event.type === "activity_failed");
  assertEquals(last?.attempt, 2);
});

Deno.test("WorkflowContext.executeActivity() does not retry an error that is not retryable", async () => {
  await using executor = setUp().executor;
  let runs = 0;
  const byClass = await executor.execute((ctx) =>
    ctx.executeActivity(
      () => {
        runs++;
        throw new NonRetryableError("expired");
      },
      undefined,
      { retry: {} },
    )
  );
  await assertRejects(() => byClass.result(), NonRetryableError, "expired");
  const byPolicy = await executor.execute((ctx) =>
    ctx.executeActivity(
      () => {
        runs++;
        throw new TypeError("bug");
      },
      undefined,
      { retry: { isRetryable: (error) => !(error instanceof TypeError) } },
    )
  );
  await assertRejects(() => byPolicy.result(), TypeError, "bug");
  assertEquals(runs, 2);
});

Deno.test("WorkflowContext.executeActivity() retries a timed-out attempt and drops its late result", async () => {
  const { clock, executor } = setUp();
  const late = gate<string>();
  let reason: unknown;
  const handle = await executor.execute(
    (ctx) =>
      ctx.executeActivity(
        (_: unknown, { attempt, signal }: ActivityContext) => {
          signal.addEventListener("abort", () => reason = signal.reason);
          return attempt === 1 ? late.promise : "second";
        },
        undefined,
        { name: "slow", timeoutMs: 50, retry: { maxAttempts: 2 } },
      ),
    { id: "a" },
  );
  await settle();
  await clock.advance(50);
  late.open("late");
  assertEquals(await handle.result(), "second");
  assertInstanceOf(reason, TimeoutError);
  assertEquals(reason.message, 'Activity "slow" timed out after 50 ms in attempt 1');
});

Deno.test("WorkflowContext.executeActivity() fails when totalTimeoutMs is over", async () => {
  const { store, executor } = setUp();
  const handle = await executor.execute(
    (ctx) =>
      ctx.executeActivity(() => Promise.reject(new Error("busy")), undefined, {
        name: "poll",
        totalTimeoutMs: 250,
        retry: { maxAttempts: Infinity, jitter: false },
      }),
    { id: "a" },
  );
  const error = await assertRejects(() => handle.result(), TimeoutError);
  assertEquals(error.message, 'Activity "poll" timed out after 250 ms in total');
  assertEquals((error.cause as Error).message, "busy");
  assertEquals((await store.load("a"))!.updatedAt, 250);
});

Deno.test("WorkflowContext.executeActivity() fails without a retry when the result cannot be stored", async () => {
  await using executor = setUp().executor;
  let runs = 0;
  const handle = await executor.execute((ctx) =>
    ctx.executeActivity(() => (runs++, { when: [new Promise(() => {})] }), undefined, {
      name: "odd",
      retry: {},
    })
  );
  const error = await assertRejects(() => handle.result(), TypeError);
  assertEquals(
    error.message,
    'Cannot store result of activity "odd".when[0]: a Promise cannot be stored',
  );
  assertEquals(runs, 1);
});

Deno.test("WorkflowContext.executeActivity() refuses bad arguments and records nothing", async () => {
  const { store, executor } = setUp();
  // deno-lint-ignore no-explicit-any
  const cases: [any[], typeof TypeError | typeof RangeError, string][] = [
    [[42], TypeError, 'Cannot execute activity: "activity" must be a function, got 42'],
    [
      [() => {}, () => {}],
      TypeError,
      'Cannot store input of activity "anonymous": a function cannot be stored',
    ],
    [[() => {}, 1, 2], TypeError, 'Cannot execute activity: "options" must be an object, got 2'],
    [
      [() => {}, 1, { name: "" }],
      TypeError,
      'Cannot execute activity: "name" must be a non-empty string, got ""',
    ],
    [
      [() => {}, 1, { name: "x", timeoutMs: 0 }],
      RangeError,
      'Cannot execute activity "x": "timeoutMs" must be a finite number above 0, got 0',
    ],
    [
      [() => {}, 1, { retry: { maxAttempts: 0 } }],
      RangeError,
      'Cannot use retry policy: "maxAttempts" must be an integer from 1, or Infinity, got 0',
    ],
    [
      [() => {}, 1, { name: "x", atMostOnce: true, retry: {} }],
      TypeError,
      'Cannot execute activity "x": "atMostOnce" and "retry" exclude each other',
    ],
  ];
  for (const [args, type, message] of cases) {
    // deno-lint-ignore no-explicit-any
    const handle = await executor.execute((ctx) => (ctx.executeActivity as any)(...args), {
      id: "a",
    });
    const error = await assertRejects(() => handle.result(), type);
    assertEquals(error.message, message);
    assertEquals(typesOf((await store.load("a"))!.history), [
      "workflow_started",
      "workflow_failed",
    ]);
  }
});

Deno.test("WorkflowContext.executeActivity() fails and calls onError when isRetryable throws", async () => {
  const reports: unknown[] = [];
  await using executor = setUp({ onError: (error) => reports.push(error) }).executor;
  const handle = await executor.execute((ctx) =>
    ctx.executeActivity(() => Promise.reject(new Error("original")), undefined, {
      retry: {
        isRetryable: () => {
          throw new Error("isRetryable is broken");
        },
      },
    })
  );
  await assertRejects(() => handle.result(), Error, "original");
  assertEquals(reports.map((error) => (error as Error).message), ["isRetryable is broken"]);
});

Deno.test("WorkflowContext.executeActivity() hands out the stored, frozen input", async () => {
  await using executor = setUp().executor;
  const handle = await executor.execute((ctx) =>
    ctx.executeActivity((input: { n: readonly number[] }) => [Object.isFrozen(input.n), input.n], { n: [1] })
  );
  assertEquals(await handle.result(), [true, [1]]);
});

Deno.test("WorkflowContext.sleep() refuses a bad duration", async () => {
  await using executor = setUp().executor;
  for (const ms of [-1, NaN, Infinity, "1" as unknown as number]) {
    const handle = await executor.execute((ctx) => ctx.sleep(ms));
    await assertRejects(
      () => handle.result(),
      RangeError,
      'Cannot sleep: "ms" must be a finite number from 0',
    );
  }
});

Deno.test("WorkflowContext.sleep() of 30 days takes no time on the virtual clock", async () => {
  const { clock, executor } = setUp();
  const handle = await executor.execute(async (ctx) => {
    await ctx.sleep(30 * 86_400_000);
    return ctx.now();
  });
  assertEquals(await handle.result(), 2_592_000_000);
  assertEquals(clock.now(), 2_592_000_000);
});

Deno.test("WorkflowContext.sleep() works with FakeTime on the system clock", async () => {
  using time = new FakeTime(1000);
  const store = new InMemoryStore();
  await using executor = new Executor({ store });
  const handle = await executor.execute(async (ctx) => {
    await ctx.sleep(30 * 86_400_000);
    return ctx.now();
  }, { id: "a" });
  await settle();
  await time.tickAsync(30 * 86_400_000);
  assertEquals(await handle.result(), 1000 + 2_592_000_000);
});

Deno.test("WorkflowContext.now() is the time of the event that the workflow saw last", async () => {
  let now = 0;
  const { executor } = setUp({ clock: { now: () => now, setTimer: () => () => {} } });
  const handle = await executor.execute(async (ctx) => {
    const times = [ctx.now()];
    await ctx.executeActivity(() => void (now += 7));
    times.push(ctx.now());
    now += 5;
    times.push(ctx.now());
    return times;
  });
  assertEquals(await handle.result(), [0, 7, 7]);
});

Deno.test("WorkflowContext.random() and uuid() differ from run to run and within one", async () => {
  await using executor = setUp().executor;
  const draw = (ctx: WorkflowContext) => [ctx.random(), ctx.random(), ctx.uuid(), ctx.uuid()];
  const [a, b] = [
    await (await executor.execute(draw)).result(),
    await (await executor.execute(draw)).result(),
  ];
  assertEquals(new Set([...a, ...b]).size, 8);
  for (const value of [...a, ...b]) {
    if (typeof value === "number") assert(value >= 0 && value < 1);
    else {assertMatch(
        value,
        /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
      );}
  }
});

Deno.test("ExecutorOptions.newRunId makes the IDs of all runs and seeds ctx.random() and ctx.uuid()", async () => {
  const runOf = async () => {
    const draws: unknown[] = [];
    const child = (ctx: WorkflowContext) => draws.push(ctx.runId, ctx.uuid());
    async function parent(ctx: WorkflowContext<boolean>, again: boolean) {
      draws.push(ctx.runId, ctx.random());
      await ctx.executeChild(child, undefined, { id: again ? "b" : "c" });
      if (again) await ctx.continueAsNew(false);
    }
    let runs = 0;
    await using executor = setUp({ newRunId: (workflowId) => `${workflowId}/${++runs}` }).executor;
    await (await executor.execute(parent, { id: "a", input: true })).result();
    return draws;
  };
  const draws = await runOf();
  assertEquals(draws.filter((draw) => `${draw}`.includes("/")), ["a/1", "b/2", "a/3", "c/4"]);
  assertEquals(new Set(draws).size, 8);
  assertEquals(await runOf(), draws);
});

Deno.test("WorkflowContext.random() is distributed evenly", async () => {
  await using executor = setUp().executor;
  const handle = await executor.execute((ctx) => {
    const buckets = new Array(10).fill(0);
    for (let i = 0; i < 10_000; i++) buckets[Math.floor(ctx.random() * 10)]++;
    return buckets as number[];
  });
  for (const count of await handle.result()) {
    assert(count > 800 && count < 1200, `${count} of 10,000 in a tenth`);
  }
});

Deno.test("Executor.close() leaves a running workflow unchanged and rejects its handle", async () => {
  const { store, executor } = setUp();
  let aborted = false;
  const handle = await executor.execute(
    (ctx) =>
      ctx.executeActivity((_: unknown, { signal }: ActivityContext) =>
        new Promise<void>(() => signal.addEventListener("abort", () => aborted = true))
      ),
    { id: "a" },
  );
  await settle();
  await executor.close();
  await executor.close();
  assertEquals((await assertRejects(() => handle.result(), WorkflowError)).code, "closed");
  assertEquals([(await store.load("a"))!.status, aborted], ["running", true]);
});

Deno.test("Executor.close() makes every later call reject with closed", async () => {
  const { executor } = setUp();
  await executor.execute((ctx) => ctx.sleep(1), { id: "a" });
  await executor.close();
  const calls = [
    () => executor.execute(() => {}),
    () => executor.signal("a", "s"),
    () => executor.cancel("a"),
    () => executor.recover(),
  ];
  for (const call of calls) assertEquals((await assertRejects(call, WorkflowError)).code, "closed");
});

Deno.test("Executor.close() rejects the handle of a workflow that runs in another executor", async () => {
  const { store, clock, executor } = setUp();
  await executor.execute((ctx) => ctx.executeActivity(() => new Promise<void>(() => {})), {
    id: "a",
  });
  const other = new Executor({ store, clock });
  const waiting = (await other.handle("a")).result();
  await settle();
  await other.close();
  assertEquals((await assertRejects(() => waiting, WorkflowError)).code, "closed");
  await executor.close();
});

Deno.test("Executor holds no timer and no subscription when it has no live runs", async () => {
  const store = countingSubscriptions();
  const timers = new Set<number>();
  let ids = 0;
  const clock = {
    now: () => 0,
    setTimer() {
      const id = ids++;
      timers.add(id);
      return () => void timers.delete(id);
    },
  };
  const executor = new Executor({ store, clock });
  const handle = await executor.execute(
    (ctx) => ctx.executeActivity(() => 1, undefined, { timeoutMs: 10, totalTimeoutMs: 20 }),
    { timeoutMs: 30 },
  );
  assertEquals([store.subscriptions, timers.size], [1, 1]);
  await handle.result();
  assertEquals([store.subscriptions, timers.size], [0, 0]);
});

Deno.test("Executor() refuses bad options", () => {
  // deno-lint-ignore no-explicit-any
  const create = (options: any) => () => new Executor(options);
  assertThrows(create(null), TypeError, 'Cannot create an executor: "options" must be an object, got null');
  assertThrows(
    create({ store: null }),
    TypeError,
    'Cannot create an executor: "store" must be a WorkflowStore, got null',
  );
  assertThrows(
    create({ storage: new InMemoryStore() }),
    TypeError,
    'Cannot create an executor: "options" has no option "storage"; did you mean "store"?',
  );
  assertThrows(
    create({ store: {} }),
    TypeError,
    'Cannot create an executor: "store" must be a WorkflowStore, got an Obj',
  );
  const store = new InMemoryStore();
  assertThrows(
    create({ hooks: { workflowComplete: () => {} } }),
    TypeError,
    'Cannot create an executor: "hooks" has no option "workflowComplete"; did you mean "workflowCompleted"?',
  );
  assertThrows(
    create({ store, workflows: { a: 1 } }),
    TypeError,
    '"workflows.a" must be a function, got 1',
  );
  assertThrows(
    create({ store, middleware: [1] }),
    TypeError,
    '"middleware[0]" must be a function, got 1',
  );
  assertThrows(create({ store, random: 1 }), TypeError, '"random" must be a function, got 1');
  assertThrows(create({ store, newRunId: 1 }), TypeError, '"newRunId" must be a function, got 1');
  assertThrows(create({ store, storeRetry: { maxAttempts: 0 } }), RangeError);
});

Deno.test("Executor.execute() records the name under which a workflow is registered", async () => {
  const store = new InMemoryStore();
  const workflow = () => {};
  await using executor = new Executor({ store, workflows: { registered: workflow } });
  await (await executor.execute(workflow, { id: "a" })).result();
  assertStrictEquals((await store.load("a"))!.workflowName, "registered");
});

Deno.test("WorkflowContext.executeActivity() causes no unhandled rejection when it fails before it is awaited", async () => {
  await using executor = setUp().executor;
  const handle = await executor.execute(async (ctx) => {
    const early = ctx.executeActivity(() => Promise.reject(new Error("early")));
    await ctx.sleep(10);
    return await early.catch((error: Error) => error.message);
  });
  assertEquals(await handle.result(), "early");
});

Deno.test("WorkflowContext.executeActivity() is stopped when the workflow ends without awaiting it", async () => {
  const { store, executor } = setUp();
  let reason: unknown;
  const handle = await executor.execute(async (ctx) => {
    const work = (_: unknown, { signal }: ActivityContext) =>
      new Promise<void>(() => signal.addEventListener("abort", () => reason = signal.reason));
    const _ = ctx.executeActivity(work);
    await ctx.executeActivity(() => settle());
    const __ = ctx.executeActivity(() => "never begun");
  }, { id: "a" });
  await handle.result();
  assertEquals((reason as Error).message, "The workflow has ended: completed");
  assertEquals(typesOf((await store.load("a"))!.history).slice(-2), ["activity_started", "workflow_completed"]);
  await executor.close();
});

Deno.test("Executor.execute() does not remember an anonymous function for recover()", async () => {
  const { store, executor } = setUp();
  await executor.execute((ctx) => ctx.sleep(1e6), { id: "a", timeoutMs: 1e5 });
  const { executor: other } = setUp({ store, onError: () => {} });
  await executor.close();
  await (await other.execute(() => "another one without a name")).result();
  const [handle] = await other.recover();
  assertEquals((await assertRejects(() => handle.result(), WorkflowError)).code, "unknown_workflow");
  await other.close();
});

Deno.test("Executor.execute() fails a workflow that catches its timeout and returns", async () => {
  await using executor = setUp().executor;
  const handle = await executor.execute(async (ctx) => {
    try {
      await ctx.sleep(1e9);
    } catch (error) {
      return error;
    }
  }, { timeoutMs: 50 });
  const { timeoutMs } = await assertRejects(() => handle.result(), TimeoutError);
  assertEquals([timeoutMs, handle.status], [50, "failed"]);
});
