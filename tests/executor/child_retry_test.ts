/** Children with a retry policy. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  Executor,
  type InMemoryStore,
  NonRetryableError,
  RetryAfterError,
  type RetryPolicy,
  TimeoutError,
  VirtualClock,
  type Workflow,
  type WorkflowContext,
  WorkflowError,
  type WorkflowState,
  type WorkflowStore,
} from "@rockpool/workflow";
import { formatTimeline } from "@rockpool/workflow/pictures";
import { assertReplays, crashTest, FaultyStore } from "@rockpool/workflow/testing";
import { gate, ofType, settle, setUp, typesOf } from "../support/executors.ts";

type Ctx = WorkflowContext;

const retry: RetryPolicy = { maxAttempts: 3, initialIntervalMs: 100, jitter: false };
const attemptOf = (ctx: Ctx) => ctx.parent?.attempt ?? 1;

/** Fails until its third attempt. */
async function flaky(ctx: Ctx) {
  await ctx.sleep(10);
  const attempt = attemptOf(ctx);
  if (attempt < 3) throw new RangeError(`no luck in attempt ${attempt}`);
  return `attempt ${attempt}`;
}

/** Fails at a signal. */
async function failsAtSignal(ctx: Ctx) {
  if (await ctx.waitForSignal("go") === "fail") throw new RangeError("no luck");
  return attemptOf(ctx);
}

async function neverEnds(ctx: Ctx) {
  await ctx.waitForSignal("never");
}

const workflows = { flaky, failsAtSignal, neverEnds };
const options = { id: "child", retry };

/** As `setUp`, with a clock that moves by hand. */
function setUpByHand<Store extends WorkflowStore = InMemoryStore>(options: Parameters<typeof setUp<Store>>[0]) {
  const clock = new VirtualClock({ autoAdvance: false });
  return { ...setUp({ ...options, clock }), clock };
}

/** The attempts of the child whose runs are stored or were. */
const attemptsIn = (states: readonly WorkflowState[]) =>
  states.flatMap(({ workflowId, history: [started] }) =>
    workflowId === "child" && started.type === "workflow_started" ? started.parent?.attempt ?? 1 : []
  );

Deno.test("ChildOptions.retry starts a child that failed again as a new run, after the backoff", async () => {
  const hooks: unknown[] = [];
  const { executor, store, clock } = setUp({
    workflows,
    hooks: { childAttemptFailed: ({ attempt, retryAt }) => hooks.push([attempt, retryAt]) },
  });
  const handle = await executor.execute((ctx: Ctx) => ctx.executeChild(flaky, undefined, options), { id: "a" });
  assertEquals([await handle.result(), clock.now()], ["attempt 3", 10 + 100 + 10 + 200 + 10]);
  const { history } = (await store.load("a"))!;
  assertEquals(typesOf(history).filter((type) => type.startsWith("child")), [
    "child_started",
    "child_attempt_failed",
    "child_attempt_failed",
    "child_completed",
  ]);
  const failures = ofType(history, "child_attempt_failed");
  assertEquals(failures.map(({ attempt, at, retryAt }) => [attempt, at, retryAt]), [[1, 10, 110], [2, 120, 320]]);
  assertEquals((failures[0].error as Error).message, "no luck in attempt 1");
  assertEquals(hooks, [[1, 110], [2, 320]]);
  const [started] = (await store.load("child"))!.history;
  assertEquals(started.type === "workflow_started" && started.parent?.attempt, 3);
  await executor.close();
});

Deno.test("ChildOptions.retry runs each attempt once after a process crash at any step", async () => {
  for (const deaths of [1, 3]) {
    const parent = (ctx: Ctx) => ctx.executeChild(flaky, undefined, options);
    const { points } = await crashTest(parent, {
      workflows,
      deaths,
      check({ result, states }) {
        assertEquals([result, attemptsIn(states)], ["attempt 3", [1, 2, 3]]);
      },
    });
    assert(points > 30, `${points} points`);
  }
});

Deno.test("ChildOptions.retry gives up after maxAttempts, with the error of the last attempt", async () => {
  const { executor } = setUp({ workflows });
  const handle = await executor.execute(
    (ctx: Ctx) => ctx.executeChild(flaky, undefined, { id: "child", retry: { ...retry, maxAttempts: 2 } }),
    { id: "a" },
  );
  const error = await assertRejects(() => handle.result(), RangeError, "no luck in attempt 2");
  const line = 'at child workflow "flaky" of workflow "a", ID "child", attempt 2 of 2';
  assert(error.stack!.includes(line), error.stack);
  await executor.close();
});

const finalErrors: Record<string, [thrown: () => unknown, retry: RetryPolicy]> = {
  "a NonRetryableError": [() => new NonRetryableError("final"), retry],
  "an error that isRetryable refuses": [() => new RangeError("final"), {
    ...retry,
    isRetryable: (error) => !(error instanceof RangeError),
  }],
  "an error for which isRetryable throws": [() => new RangeError("final"), {
    ...retry,
    isRetryable: () => {
      throw new Error("reported");
    },
  }],
};
for (const [what, [thrown, retry]] of Object.entries(finalErrors)) {
  Deno.test(`ChildOptions.retry does not start a child again that failed with ${what}`, async () => {
    const reported: unknown[] = [];
    const { executor, store } = setUp({ onError: (error) => reported.push(error) });
    const handle = await executor.execute((ctx: Ctx) =>
      ctx.executeChild(
        () => {
          throw thrown();
        },
        undefined,
        { id: "child", retry },
      ), { id: "a" });
    await assertRejects(() => handle.result(), Error, "final");
    assertEquals(ofType((await store.load("a"))!.history, "child_attempt_failed"), []);
    assertEquals(reported.length, what.includes("throws") ? 1 : 0);
    await executor.close();
  });
}

Deno.test("ChildOptions.retry waits as long as a RetryAfterError says", async () => {
  const { executor, clock } = setUp();
  const handle = await executor.execute((ctx: Ctx) =>
    ctx.executeChild(
      (ctx: Ctx) => {
        if (attemptOf(ctx) === 1) throw new RetryAfterError("later", 5000);
      },
      undefined,
      options,
    )
  );
  await handle.result();
  assertEquals(clock.now(), 5000);
  await executor.close();
});

Deno.test("ChildOptions.timeoutMs limits each attempt of a child with a retry policy", async () => {
  const { executor, clock } = setUp({ workflows });
  const handle = await executor.execute((ctx: Ctx) =>
    ctx.executeChild(neverEnds, undefined, { ...options, timeoutMs: 50 })
  );
  await assertRejects(() => handle.result(), TimeoutError);
  assertEquals(clock.now(), 50 + 100 + 50 + 200 + 50);
  await executor.close();
});

/** How a child ends because of a cancellation: it is not started again. */
const cancellations: Record<string, [child: (ctx: Ctx) => Promise<unknown>, parent: (ctx: Ctx) => Promise<unknown>]> = {
  "its cancellation": [neverEnds, async (ctx) => {
    await ctx.sleep(1);
    await ctx.cancelWorkflow("child", "enough");
  }],
  "its cancellation, with another error": [async (ctx) => {
    await neverEnds(ctx).catch(() => {
      throw new RangeError("enough");
    });
  }, async (ctx) => {
    await ctx.sleep(1);
    await ctx.cancelWorkflow("child");
  }],
};
for (const [what, [child, parent]] of Object.entries(cancellations)) {
  Deno.test(`ChildOptions.retry does not start a child again after ${what}`, async () => {
    const { executor, store } = setUp();
    const handle = await executor.execute(async (ctx: Ctx) => {
      const handle = ctx.startChild(child, undefined, options);
      await parent(ctx);
      return await handle.result();
    }, { id: "a" });
    await assertRejects(() => handle.result(), Error, "enough");
    assertEquals(ofType((await store.load("a"))!.history, "child_attempt_failed"), []);
    await executor.close();
  });
}

Deno.test("ChildOptions.retry does not start a child again after its termination", async () => {
  const { executor, store } = setUp({ workflows });
  const handle = await executor.execute((ctx: Ctx) => ctx.executeChild(neverEnds, undefined, options), { id: "a" });
  await settle();
  await executor.terminate("child");
  assertEquals((await assertRejects(() => handle.result(), WorkflowError)).code, "terminated");
  assertEquals(ofType((await store.load("a"))!.history, "child_attempt_failed"), []);
  await executor.close();
});

/** Workflows that cancel a child between two attempts. */
const betweenAttempts: Record<string, (ctx: Ctx) => Promise<unknown>> = {
  async "its handle"(ctx) {
    const handle = ctx.startChild(flaky, undefined, options);
    await ctx.sleep(50);
    await handle.cancel("enough");
    return await handle.result().catch((error) => error.reason);
  },
  async "its scope"(ctx) {
    return await ctx.scope(async (ctx) => {
      const result = ctx.executeChild(flaky, undefined, options);
      await ctx.sleep(50);
      ctx.cancel("enough");
      return await result;
    }).catch((error) => error.reason);
  },
  async "a scope that waits for it"(ctx) {
    return await ctx.scope(async (ctx) => {
      const result = ctx.executeChild(flaky, undefined, options);
      await ctx.sleep(50);
      ctx.cancel("enough");
      return await result;
    }, { waitForCanceled: true }).catch((error) => error.reason);
  },
};
for (const [what, parent] of Object.entries(betweenAttempts)) {
  Deno.test(`ChildOptions.retry starts no further attempt when ${what} cancels the child before that, after a process crash at any step`, async () => {
    await crashTest(parent as Workflow, {
      workflows,
      deaths: 2,
      check({ result, states }) {
        assertEquals([result, attemptsIn(states)], ["enough", [1]]);
      },
    });
  });
}

for (const [what, parent] of Object.entries(betweenAttempts)) {
  Deno.test(`ChildOptions.retry: a child that ${what} cancels between two attempts fails at once`, async () => {
    const { undisturbed: { result } } = await crashTest(async (ctx: Ctx) => {
      await parent(ctx);
      return ctx.now() - ctx.startedAt;
    }, { workflows });
    assertEquals(result, 50);
  });
}

Deno.test("ChildOptions.retry starts no further attempt once the parent has ended", async () => {
  const { executor, store, clock } = setUp({ workflows });
  const handle = await executor.execute(async (ctx: Ctx) => {
    ctx.startChild(flaky, undefined, { ...options, parentClosePolicy: "abandon" });
    await ctx.sleep(50);
  });
  await handle.result();
  await clock.advance(1000);
  const { status, history } = (await store.load("child"))!;
  assertEquals([status, attemptsIn([{ workflowId: "child", history } as WorkflowState])], ["failed", [1]]);
  await executor.close();
});

Deno.test("ChildOptions.retry does not replace a workflow that took the child's ID between two attempts", async () => {
  for (const ends of [false, true]) {
    const { executor, store, clock } = setUpByHand({ workflows, logger: { ...console, warn() {} } });
    const handle = await executor.execute((ctx: Ctx) => ctx.executeChild(flaky, undefined, options), { id: "a" });
    await settle();
    await clock.advance(10); // the first attempt has failed
    const other = async (ctx: Ctx) => ends ? undefined : await neverEnds(ctx);
    const child = await executor.execute(other, { id: "child", reuse: "replace-failed" });
    await settle();
    await clock.advance(100);
    const error = await assertRejects(() => handle.result(), WorkflowError);
    const why = 'Cannot start child workflow "child": another workflow has its ID since an attempt failed';
    assertEquals([error.code, error.message], ["conflict", why]);
    assertEquals((await store.load("child"))!.runId, child.runId);
    await executor.close();
  }
});

Deno.test("ChildHandle.signal() waits for the next attempt of a child, and openRuns() says when it is due", async () => {
  const { executor, clock } = setUpByHand({ workflows });
  const handle = await executor.execute(async function parent(ctx: Ctx) {
    const handle = ctx.startChild(failsAtSignal, undefined, options);
    await handle.signal("go", "fail");
    await ctx.waitForSignal("again");
    await handle.signal("go", "on");
    return await handle.result();
  }, { id: "a" });
  await settle();
  await executor.signal("a", "again");
  await settle();
  const { waitsFor } = executor.openRuns().find(({ workflowId }) => workflowId === "a")!;
  assertEquals(waitsFor[0], { type: "child", workflowId: "child", retryAt: 100 });
  await clock.advance(100);
  assertEquals(await handle.result(), 2);
  await executor.close();
});

Deno.test("ChildHandle.signal() goes to one attempt of a child, after a process crash at any step", async () => {
  const parent = async (ctx: Ctx) => {
    const handle = ctx.startChild(failsAtSignal, undefined, { id: "child", retry: { ...retry, maxAttempts: 2 } });
    await handle.signal("go", "fail");
    await ctx.sleep(50); // the next attempt waits for its time
    await handle.signal("go", "on");
    return await handle.result();
  };
  const { undisturbed } = await crashTest(parent, {
    workflows,
    deaths: 2,
    check({ states }) {
      const payloads = states.map(({ history }) => ofType(history, "signal_received").map(({ payload }) => payload));
      assertEquals(payloads.filter(({ length }) => length > 0), [["fail"], ["on"]]);
    },
  });
  assertEquals(undisturbed.result, 2);
});

Deno.test("ChildHandle.started resolves at the first attempt of a child", async () => {
  const { executor, store } = setUp({ workflows });
  const handle = await executor.execute(async (ctx: Ctx) => {
    const handle = ctx.startChild(flaky, undefined, options);
    await ctx.sleep(50); // the next attempt waits for its time
    await handle.started;
    return [ctx.now(), await handle.result(), await handle.started];
  }, { id: "a" });
  assertEquals(await handle.result(), [50, "attempt 3", undefined]);
  assertEquals(ofType((await store.load("a"))!.history, "child_begun").length, 1);
  await executor.close();
});

Deno.test("ChildOptions.retry lets its parent be dormant between two attempts", async () => {
  const { executor, clock } = setUpByHand({ workflows, dormantAfterMs: 0 });
  const handle = await executor.execute(async function parent(ctx: Ctx) {
    return await ctx.executeChild(flaky, undefined, options);
  }, { id: "a" });
  await clock.advance(10);
  await settle();
  await executor.execute(() => {}); // idle runs are checked when a run becomes idle
  await settle();
  const { waitsFor } = executor.openRuns().find(({ workflowId }) => workflowId === "a")!;
  assertEquals(waitsFor, [{ type: "dormant", wakesAt: 110 }]);
  await clock.runUntilIdle();
  assertEquals([await handle.result(), clock.now()], ["attempt 3", 330]);
  await executor.close();
});

Deno.test("ChildOptions.retry runs each attempt once when two executors run the parent and the child", async () => {
  for (const crash of [false, true]) {
    const { executor: first, store, clock } = setUpByHand({ store: new FaultyStore(), workflows });
    const parent = async (ctx: Ctx) => await ctx.executeChild(flaky, undefined, options);
    await first.execute(parent, { id: "a" });
    await settle();
    const second = new Executor({ store, clock, workflows: { ...workflows, parent } });
    const handles = await second.recover();
    const handle = handles.find(({ id }) => id === "a")!;
    await settle();
    const attempts: unknown[] = [];
    store.after.append = ({ workflowId, events: [event] }) => {
      if (workflowId === "child" && event.type === "workflow_started") attempts.push(event.parent?.attempt);
    };
    for (let i = 0; i < 10; i++) {
      await clock.advance(40);
      await settle();
      if (crash && i === 3) await first.close();
    }
    assertEquals([await handle.result(), attempts], ["attempt 3", [2, 3]]);
    await Promise.all([first.close(), second.close()]);
  }
});

Deno.test("ChildOptions.retry continues in the executor that has not seen the end of an attempt", async () => {
  const store = new FaultyStore();
  const { executor: first, clock } = setUp({ store, workflows });
  const parent = async (ctx: Ctx) =>
    await ctx.executeChild(failsAtSignal, undefined, { ...options, retry: { ...retry, initialIntervalMs: 0 } });
  await first.execute(parent, { id: "a" });
  await settle();
  const second = new Executor({ store, clock, workflows: { parent }, onError: () => {} }); // not the child
  await second.recover();
  const handle = await second.handle("a");
  const slow = gate();
  store.before.load = (id) => id === "child" ? slow.promise : undefined;
  first.signal("child", "go", "fail");
  await settle();
  store.before.load = undefined;
  slow.open();
  await settle();
  await first.signal("child", "go", "on");
  assertEquals(await handle.result(), 2);
  await Promise.all([first.close(), second.close()]);
});

Deno.test("ChildOptions.retry is checked at the call", async () => {
  const { executor } = setUp({ workflows });
  const handle = await executor.execute(async (ctx: Ctx) => [
    await ctx.executeChild(flaky, undefined, { retry: { maxAttempts: 0 } }).catch((error) => error.message),
    await ctx.executeChild(flaky, undefined, { retry: { tries: 3 } as never }).catch((error) => error.message),
  ]);
  const [first, second] = await handle.result() as string[];
  assert(first.includes('"maxAttempts" must be an integer from 1'), first);
  assert(second.includes('"tries"'), second);
  await executor.close();
});

Deno.test("a history with attempts of a child replays, and is shown", async () => {
  const { executor, store } = setUp({ workflows });
  const parent = (ctx: Ctx) => ctx.executeChild(flaky, undefined, options);
  await (await executor.execute(parent, { id: "a" })).result();
  const state = (await store.load("a"))!;
  await assertReplays(parent, state, { workflows });
  const lines = formatTimeline(state).split("\n").filter((line) => line.includes("attempt 1 failed"));
  assertEquals(lines, [
    "3  +00:00:00.010  attempt 1 failed    flaky: RangeError: no luck in attempt 1; next in 100 ms",
  ]);
  await executor.close();
});

Deno.test("ChildOptions.retry starts a child again that failed with a CanceledError of its own", async () => {
  const { executor } = setUp();
  const handle = await executor.execute((ctx: Ctx) =>
    ctx.executeChild(
      (ctx: Ctx) =>
        ctx.scope((ctx) => {
          if (attemptOf(ctx) === 2) return "done";
          ctx.cancel("in the first attempt");
          return ctx.sleep(1).then(() => "never");
        }),
      undefined,
      options,
    )
  );
  assertEquals(await handle.result(), "done");
  await executor.close();
});
