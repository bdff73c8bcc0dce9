/**
 * What user code can do to the process: nothing. Every public method and every callback is walked through bad behaviours.
 * Each case counts unhandled rejections and uncaught errors, and shows that another run of the same executor completes.
 */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  type Clock,
  defineUpdate,
  Executor,
  type ExecutorOptions,
  InMemoryStore,
  systemClock,
  VirtualClock,
  type WorkflowContext,
  WorkflowError,
} from "@rockpool/workflow";
import { schedule } from "@rockpool/workflow/schedule";
import { FaultyStore } from "@rockpool/workflow/testing";
import { harmDuring } from "../harm/outcome.ts";
import { settle, setUp } from "../support/executors.ts";

type Ctx = WorkflowContext;

const DAY_MS = 86_400_000;

/** A run that must complete, whatever happens to the others. */
async function good(ctx: Ctx) {
  const doubled = await ctx.executeActivity((n: number) => 2 * n, 2);
  await ctx.sleep(10);
  return doubled + await ctx.sideEffect(() => 1);
}

/** Makes calls. Each must return a promise that rejects, and must not throw. */
async function assertAllReject(calls: readonly (() => Promise<unknown>)[]): Promise<void> {
  for (const call of calls) {
    const promise = call();
    assert(promise instanceof Promise);
    await assertRejects(() => promise);
  }
}

async function assertHealthy(executor: Executor): Promise<void> {
  const handle = await executor.execute(good, { id: "good" });
  assertEquals(await handle.result(), 5);
}

/** A value that throws whatever is done with it. */
const hostile = () => {
  const fail = () => {
    throw new Error("hostile");
  };
  return new Proxy({}, { get: fail, getPrototypeOf: fail, has: fail, ownKeys: fail, getOwnPropertyDescriptor: fail });
};

// Promises of the context that nobody awaits

async function child(ctx: Ctx) {
  await ctx.waitForSignal("never");
}

/** What a workflow calls and does not await. Each of these promises rejects, at once or when the run is cancelled. */
const FLOATED: Record<string, (ctx: Ctx) => unknown> = {
  "sleep()": (ctx) => ctx.sleep(DAY_MS),
  "sleep(-1)": (ctx) => ctx.sleep(-1),
  "executeActivity()": (ctx) => ctx.executeActivity(() => new Promise<void>(() => {})),
  "executeActivity(fails)": (ctx) => ctx.executeActivity(() => Promise.reject(new Error("no"))),
  "executeActivity(no function)": (ctx) => ctx.executeActivity(null!),
  "executeActivity(unstorable)": (ctx) => ctx.executeActivity((_: unknown) => {}, () => {}),
  "executeActivity(a getter that throws)": (ctx) => ctx.executeActivity((_: unknown) => {}, null, hostile() as never),
  "waitForSignal()": (ctx) => ctx.waitForSignal("never"),
  "waitForSignal(0)": (ctx) => ctx.waitForSignal(0 as never),
  "waitForSignal(timeoutMs)": (ctx) => ctx.waitForSignal("never", { timeoutMs: 5 }),
  "waitForSignal(long timeoutMs)": (ctx) => ctx.waitForSignal("never", { timeoutMs: DAY_MS }),
  "waitForSignal(bad timeoutMs)": (ctx) => ctx.waitForSignal("never", { timeoutMs: -1 }),
  "receiveSignal()": (ctx) => ctx.receiveSignal("never")[Symbol.asyncIterator]().next(),
  "waitUntil()": (ctx) => ctx.waitUntil(() => false),
  "waitUntil(timeoutMs)": (ctx) => ctx.waitUntil(() => false, { timeoutMs: 5 }),
  "waitUntil(no function)": (ctx) => ctx.waitUntil(true as never),
  "waitUntil(throws)": (ctx) =>
    ctx.waitUntil(() => {
      throw new Error("no");
    }),
  "waitUntil(rejects)": (ctx) => ctx.waitUntil((() => Promise.reject(new Error("no"))) as never),
  "sideEffect(throws)": (ctx) =>
    ctx.sideEffect(() => {
      throw new Error("no");
    }),
  "sideEffect(rejects)": (ctx) => ctx.sideEffect(() => Promise.reject(new Error("no"))),
  "sideEffect(no function)": (ctx) => ctx.sideEffect(null!),
  "mapConcurrent()": (ctx) => ctx.mapConcurrent([1, 2], 1, () => ctx.sleep(DAY_MS)),
  "mapConcurrent(throws)": (ctx) =>
    ctx.mapConcurrent([1, 2], 2, () => {
      throw new Error("no");
    }),
  "mapConcurrent(no items)": (ctx) => ctx.mapConcurrent(null!, 1, () => 1),
  "mapConcurrent(bad limit)": (ctx) => ctx.mapConcurrent([], 0, () => 1),
  "shield()": (ctx) => ctx.shield((_ctx) => Promise.reject(new Error("no"))),
  "shield(no function)": (ctx) => ctx.shield(null!),
  "shield(no parameter)": (ctx) => ctx.shield(() => 1),
  "shield(of a wait)": (ctx) => ctx.shield((ctx) => ctx.sleep(5)),
  "scope()": (ctx) => ctx.scope((ctx) => ctx.sleep(DAY_MS)),
  "scope(throws)": (ctx) =>
    ctx.scope(() => {
      throw new Error("no");
    }),
  "scope(no function)": (ctx) => ctx.scope(null!),
  "scope(timeoutMs)": (ctx) => ctx.scope((ctx) => ctx.waitForSignal("never"), { timeoutMs: 5 }),
  "scope(long timeoutMs)": (ctx) => ctx.scope((ctx) => ctx.waitForSignal("never"), { timeoutMs: DAY_MS }),
  "scope(bad timeoutMs)": (ctx) => ctx.scope((ctx) => ctx.sleep(1), { timeoutMs: -1 }),
  "scope(options that cannot be read)": (ctx) => ctx.scope((ctx) => ctx.sleep(1), hostile() as never),
  "scope(waitForCanceled)": (ctx) =>
    ctx.scope((ctx) => ctx.executeActivity((_: unknown, { signal }) => new Promise((_, no) => signal.onabort = no)), {
      waitForCanceled: true,
      timeoutMs: 5,
    }),
  "scope() of floated waits": (ctx) =>
    ctx.scope((ctx) => {
      for (const call of [FLOATED["sleep()"], FLOATED["waitForSignal(timeoutMs)"], FLOATED["receiveSignal()"]]) {
        void call(ctx);
      }
      ctx.spawn((ctx) => ctx.sleep(DAY_MS));
      void ctx.scope((ctx) => ctx.executeActivity(() => new Promise(() => {})));
    }),
  "scope() with a compensation that fails": (ctx) =>
    ctx.scope((ctx) => {
      ctx.addCompensation(() => Promise.reject(new Error("stuck")));
      throw new Error("no");
    }),
  "cancel() of a scope": (ctx) =>
    ctx.scope((ctx) => {
      void ctx.sleep(5);
      ctx.cancel();
      return ctx.sleep(5);
    }),
  "spawn()": (ctx) => ctx.spawn((ctx) => ctx.sleep(DAY_MS)),
  "spawn() of a branch that its own context cancels": (ctx) =>
    ctx.spawn((ctx) => {
      ctx.cancel();
      return ctx.sleep(1);
    }),
  "handleSignal()": (ctx) => ctx.handleSignal("never", () => {}),
  "handleOtherSignals()": (ctx) => ctx.handleOtherSignals(() => {}),
  "calls of a leaked context": (ctx) =>
    ctx.scope((ctx) => ctx).then((ctx) => {
      for (const call of [FLOATED["sleep()"], FLOATED["scope()"], FLOATED["shield()"], FLOATED["spawn()"]]) call(ctx);
      void (ctx.continueAsNew as () => Promise<never>)();
    }),
  "executeChild()": (ctx) => ctx.executeChild(child, undefined, { id: "child" }),
  "executeChild(no function)": (ctx) => ctx.executeChild(null!),
  "ChildHandle.result()": (ctx) => ctx.startChild(child, undefined, { id: "child" }).result(),
  "ChildHandle.signal()": (ctx) => {
    const handle = ctx.startChild(() => {}, undefined, { id: "child" });
    return handle.result().then(() => void handle.signal("too late"));
  },
  "ChildHandle.signal(0)": (ctx) => ctx.startChild(child, undefined, { id: "child" }).signal(0 as never),
  "ChildHandle.signal(unstorable)": (ctx) =>
    ctx.startChild(child, undefined, { id: "child" }).signal("a", (() => {}) as never),
  "ChildHandle.cancel()": (ctx) => {
    const handle = ctx.startChild(() => {}, undefined, { id: "child" });
    return handle.result().then(() => void handle.cancel());
  },
  "ChildHandle.cancel(0)": (ctx) => ctx.startChild(child, undefined, { id: "child" }).cancel(0 as never),
  "signalWorkflow()": (ctx) => ctx.signalWorkflow("nobody", "a"),
  "signalWorkflow(0)": (ctx) => ctx.signalWorkflow(0 as never, "a"),
  "signalWorkflow(unstorable)": (ctx) => ctx.signalWorkflow("nobody", "a", (() => {}) as never),
  "cancelWorkflow()": (ctx) => ctx.cancelWorkflow("nobody"),
  "cancelWorkflow(0)": (ctx) => ctx.cancelWorkflow(0 as never),
  "continueAsNew(unstorable)": (ctx) => ctx.continueAsNew((() => {}) as never),
};

for (const [name, call] of Object.entries(FLOATED)) {
  for (const ends of ["goes on", "is cancelled", "is recovered"]) {
    Deno.test(`WorkflowContext: ${name} that nobody awaits harms nobody when the run ${ends}`, async () => {
      const { executor, store, clock } = setUp({ onError: () => {} });
      async function floating(ctx: Ctx) {
        void call(ctx);
        await ctx.sleep(50);
        await ctx.waitForSignal("end");
        return "done";
      }
      const harm = await harmDuring(async () => {
        const handle = await executor.execute(floating, { id: "a" });
        await clock.advance(100);
        if (ends === "is recovered") {
          await executor.close();
          await using next = new Executor({ store, clock, workflows: { floating, child } });
          const [recovered] = (await next.recover()).filter(({ id }) => id === "a");
          await settle();
          await next.signal("a", "end");
          assertEquals(await recovered.result(), "done");
          return await assertHealthy(next);
        }
        if (ends === "goes on") {
          await executor.signal("a", "end");
          assertEquals(await handle.result(), "done");
        } else {
          await executor.cancel("a");
          await assertRejects(() => handle.result());
        }
        await assertHealthy(executor);
      });
      await executor.close();
      assertEquals(harm, []);
    });
  }
}

Deno.test("WorkflowContext.waitForSignal() that has timed out before it is awaited rejects when it is awaited", async () => {
  const { executor } = setUp();
  const handle = await executor.execute(async (ctx: Ctx) => {
    const approval = ctx.waitForSignal("approval", { timeoutMs: 10 });
    await ctx.sleep(50);
    return await approval.catch(() => "expired");
  });
  assertEquals(await handle.result(), "expired");
  await executor.close();
});

// What a workflow throws

const after = <T>(value: T) => ({ then: (resolve: (value: T) => void) => resolve(value) });

const THROWN: Record<string, () => unknown> = {
  "a promise that never settles": () => new Promise(() => {}),
  "a promise that rejects": () => {
    const rejected = Promise.reject(new Error("inner"));
    rejected.catch(() => {});
    return rejected;
  },
  "a thenable": () => after(1),
  "a thenable that throws": () => ({
    get then() {
      throw new Error("no");
    },
  }),
  "a hostile proxy": hostile,
  "an object without a prototype": () => Object.create(null),
  "a symbol": () => Symbol("s"),
  "undefined": () => undefined,
  "an error whose message throws": () =>
    Object.defineProperty(new Error(), "message", {
      get() {
        throw new Error("no");
      },
    }),
};

for (const [name, make] of Object.entries(THROWN)) {
  const places: Record<string, (ctx: Ctx) => unknown> = {
    "a workflow": () => {
      throw make();
    },
    "an async workflow": async () => {
      await null;
      throw make();
    },
    "a workflow with a compensation": async (ctx) => {
      ctx.addCompensation(() => {});
      await ctx.sleep(1);
      throw make();
    },
    "a workflow and its compensation": async (ctx) => {
      ctx.addCompensation(() => {
        throw make();
      });
      await ctx.sleep(1);
      throw make();
    },
    "a workflow that was cancelled": async (ctx) => {
      ctx.signal; // is made
      await ctx.sleep(DAY_MS).catch(() => {});
      throw make();
    },
    "an activity": (ctx) =>
      ctx.executeActivity(
        function bad() {
          throw make();
        },
        undefined,
        { retry: { maxAttempts: 2 } },
      ),
    "an async activity": (ctx) => ctx.executeActivity(() => new Promise((_, reject) => reject(make()))),
    "a side effect": (ctx) =>
      ctx.sideEffect(() => {
        throw make();
      }),
    "a child": (ctx) =>
      ctx.executeChild(async function bad() {
        await null;
        throw make();
      }),
    "a scope": (ctx) =>
      ctx.scope(() => {
        throw make();
      }),
    "an async shield": (ctx) =>
      ctx.shield(async (ctx) => {
        await ctx.sleep(1);
        throw make();
      }),
    "a spawned branch": async (ctx) => {
      ctx.spawn(() => {
        throw make();
      });
      await ctx.sleep(1);
    },
    "an async branch of a scope": (ctx) =>
      ctx.scope(async (ctx) => {
        ctx.spawn(async (ctx) => {
          await ctx.sleep(1);
          throw make();
        });
        await ctx.waitForSignal("never");
      }),
    "a scope and its compensation": (ctx) =>
      ctx.scope((ctx) => {
        ctx.addCompensation(() => {
          throw make();
        });
        throw make();
      }),
    "a handler of signals": async (ctx) => {
      ctx.handleSignal("s", () => {
        throw make();
      });
      await ctx.waitUntil(() => false);
    },
  };
  for (const [where, workflow] of Object.entries(places)) {
    Deno.test(`Executor: ${name} thrown by ${where} fails that run alone`, async () => {
      const { executor, clock } = setUp();
      const harm = await harmDuring(async () => {
        const handle = await executor.execute(workflow as (ctx: Ctx) => unknown, { id: "a" });
        const ended = handle.result().then(() => "completed", () => "rejected");
        if (where.includes("cancelled")) await executor.cancel("a");
        if (where.includes("signals")) await executor.signal("a", "s");
        await clock.runUntilIdle();
        assertEquals([await ended, handle.status], ["rejected", "failed"]);
        await assertHealthy(executor);
      });
      await executor.close();
      assertEquals(harm, []);
    });
  }
}

// What a workflow or an activity returns

const RETURNED: Record<string, [make: () => unknown, result: unknown]> = {
  "a thenable that resolves to a promise": [() => after(Promise.resolve(7)), 7],
  "a thenable that calls back twice": [
    () => ({
      then(resolve: (value: number) => void, reject: (error: unknown) => void) {
        resolve(7);
        resolve(8);
        reject(new Error("no"));
        throw new Error("no");
      },
    }),
    7,
  ],
  "a thenable whose then throws": [
    () => ({
      then() {
        throw new Error("no");
      },
    }),
    "rejected",
  ],
  "a thenable whose then cannot be read": [THROWN["a thenable that throws"], "rejected"],
  "a thenable that rejects with a promise": [
    () => ({ then: (_: unknown, reject: (error: unknown) => void) => reject(new Promise(() => {})) }),
    "rejected",
  ],
  "a hostile proxy": [hostile, "rejected"],
};

for (const [name, [make, result]] of Object.entries(RETURNED)) {
  const places: Record<string, (ctx: Ctx) => unknown> = {
    "a workflow": () => make(),
    "an activity": (ctx) => ctx.executeActivity(() => make()),
    "a scope": (ctx) => ctx.scope(() => make()),
    "a shield": (ctx) => ctx.shield((_ctx) => make()),
    "an update handler": async (ctx) => {
      ctx.handleUpdate("u", () => make());
      return await ctx.waitForSignal("end");
    },
  };
  for (const [where, workflow] of Object.entries(places)) {
    Deno.test(`Executor: ${name} returned by ${where} is adopted once, and harms nobody`, async () => {
      const { executor } = setUp();
      const harm = await harmDuring(async () => {
        const handle = await executor.execute(workflow as (ctx: Ctx) => unknown, { id: "a" });
        const answer = where === "an update handler" ? executor.update("a", "u") : handle.result();
        assertEquals(await answer.catch(() => "rejected"), result);
        await assertHealthy(executor);
      });
      await executor.close();
      assertEquals(harm, []);
    });
  }
}

// The callbacks of an executor

const fail = (): never => {
  throw new Error("bad callback");
};
const reject = () => Promise.reject(new Error("bad callback"));
const rejecting = () => ({ then: (_: unknown, reject: (error: unknown) => void) => reject(new Error("bad callback")) });

/** Uses every callback of an executor. */
async function busy(ctx: Ctx) {
  ctx.log.info("hello");
  await ctx.executeActivity(
    function flaky(_: unknown, { attempt }) {
      if (attempt === 1) throw new Error("busy");
    },
    null,
    { retry: { maxAttempts: 2, initialIntervalMs: 1 } },
  );
  await ctx.sleep(5);
  return "done";
}

const logger = (write: () => unknown) => ({ debug: write, info: write, warn: write, error: write }) as never;
/** A virtual clock that can be spread. */
function plainClock(): Clock {
  const clock = new VirtualClock();
  return {
    now: () => clock.now(),
    setTimer: (dueAt, callback) => clock.setTimer(dueAt, callback),
    hold: (working) => clock.hold(working),
    release: (working) => clock.release(working),
  };
}

/** Options of an executor; what becomes of a busy run; and how many errors `onError` gets, if that is certain. */
const OPTIONS: Record<string, [options: () => Partial<ExecutorOptions>, result: unknown, reports?: number]> = {
  "a logger that throws": [() => ({ logger: logger(fail) }), "done", 1],
  "a logger that rejects": [() => ({ logger: logger(reject) }), "done", 1],
  "a logger that answers a rejecting thenable": [() => ({ logger: logger(rejecting) }), "done", 1],
  "a hook that throws": [() => ({ hooks: { activityStarted: fail } }), "done", 1],
  "a hook that rejects": [() => ({ hooks: { activityStarted: reject } }), "done", 1],
  "a hook that answers a rejecting thenable": [() => ({ hooks: { activityStarted: rejecting } }), "done", 1],
  "a hook that never answers": [() => ({ hooks: { workflowStarted: () => new Promise(() => {}) } }), "done", 0],
  "a hook that cannot be read": [
    () => {
      class Bad {
        get activityStarted(): never {
          return fail();
        }
      }
      return { hooks: new Bad() };
    },
    "done",
    1,
  ],
  "a middleware that throws": [
    () => ({ middleware: [(call, next) => call.kind === "activity" ? fail() : next()] }),
    "done",
  ],
  "a middleware that rejects": [
    () => ({ middleware: [(call, next) => call.kind === "activity" ? reject() : next()] }),
    "done",
  ],
  "a middleware that answers a rejecting thenable": [
    () => ({ middleware: [(call, next) => call.kind === "activity" ? rejecting() : next()] }),
    "done",
  ],
  "a middleware that throws after the call": [
    () => ({
      middleware: [async (_, next) => {
        await next();
        fail();
      }],
    }),
    "done",
  ],
  "random numbers that are NaN": [() => ({ random: () => NaN }), "done", 1],
  "random numbers that throw": [() => ({ random: fail }), "done", 1],
  "random numbers that are promises": [() => ({ random: reject as never }), "done", 1],
  "a replaceActivity that throws": [() => ({ replaceActivity: fail }), "bad callback"],
  "a replaceActivity that rejects": [() => ({ replaceActivity: reject as never }), '"replaceActivity()" must be'],
  "a replaceActivity that answers nonsense": [() => ({ replaceActivity: () => 5 as never }), "must be a function"],
  "a newRunId that throws": [() => ({ newRunId: fail }), "bad callback"],
  "a newRunId that answers nonsense": [() => ({ newRunId: () => 5 as never }), '"newRunId()" must be'],
  "a newRunId that rejects": [() => ({ newRunId: reject as never }), '"newRunId()" must be'],
  "a clock whose hold throws": [() => ({ clock: { ...systemClock, hold: fail, release: fail } }), "done", 2],
  "a clock whose setTimer throws once": [
    () => {
      const clock = plainClock();
      let calls = 0;
      return { clock: { ...clock, setTimer: (at, call) => calls++ === 0 ? fail() : clock.setTimer(at, call) } };
    },
    "done",
    1,
  ],
  "a clock that throws": [
    () => {
      const clock = plainClock();
      let calls = 0;
      return { clock: { ...clock, now: () => calls++ % 3 === 1 ? fail() : clock.now() } };
    },
    "done",
  ],
  "a clock that answers NaN": [
    () => {
      const clock = plainClock();
      let calls = 0;
      return { clock: { ...clock, now: () => calls++ % 3 === 1 ? NaN : clock.now() } };
    },
    "done",
  ],
  "a clock that answers no function": [
    () => {
      const clock = plainClock();
      return { clock: { ...clock, setTimer: (at, call) => void clock.setTimer(at, call) as never } };
    },
    "done",
  ],
};

for (const [name, [make, result, reports]] of Object.entries(OPTIONS)) {
  for (const onErrorIs of ["works", "rejects"]) {
    Deno.test(`Executor: ${name} harms no other run when onError ${onErrorIs}`, async () => {
      const reported: unknown[] = [];
      const real = console.error;
      if (onErrorIs === "rejects") console.error = () => {};
      try {
        const options = make();
        const { executor } = setUp({
          logger: logger(() => {}),
          random: () => 0.5,
          ...options,
          onError: (error) => {
            reported.push(error);
            if (onErrorIs === "rejects") return reject() as never;
          },
        });
        const harm = await harmDuring(async () => {
          const run = async () => await (await executor.execute(busy, { id: "a" })).result();
          const outcome = await run().catch((error) => String(error));
          if (result === "done") assertEquals(outcome, "done");
          else assertStringIncludes(outcome as string, result as string);
          if (reports !== undefined) assertEquals(reported.length, reports);
          if (options.newRunId === undefined && options.replaceActivity === undefined) await assertHealthy(executor);
        });
        await executor.close();
        assertEquals(harm, []);
      } finally {
        console.error = real;
      }
    });
  }
}

Deno.test("Executor: a newRunId that fails suspends the run that continues as new, and no other", async () => {
  const reported: unknown[] = [];
  let calls = 0;
  const { executor } = setUp({
    newRunId: () => ++calls === 2 ? fail() : `run-${calls}`,
    onError: (error) => reported.push(error),
  });
  const harm = await harmDuring(async () => {
    const handle = await executor.execute(async (ctx: Ctx) => {
      await ctx.sleep(1);
      return await ctx.continueAsNew(undefined as never);
    }, { id: "a" });
    await assertRejects(() => handle.result(), Error, "bad callback");
    await assertHealthy(executor);
  });
  await executor.close();
  assertEquals([harm, reported.length], [[], 1]);
});

const RETRYABLE: Record<string, () => unknown> = {
  "throws": fail,
  "rejects": reject,
  "answers a promise": () => Promise.resolve(true),
};

for (const [name, isRetryable] of Object.entries(RETRYABLE)) {
  Deno.test(`RetryPolicy.isRetryable that ${name} ends the retries of its activity, and is reported once`, async () => {
    const reported: unknown[] = [];
    const { executor } = setUp({ onError: (error) => reported.push(error) });
    const harm = await harmDuring(async () => {
      const handle = await executor.execute((ctx: Ctx) =>
        ctx.executeActivity(() => Promise.reject(new Error("busy")), null, {
          retry: { isRetryable: isRetryable as never },
        })
      );
      await assertRejects(() => handle.result(), Error, "busy");
      await assertHealthy(executor);
    });
    await executor.close();
    assertEquals([harm, reported.length], [[], 1]);
  });
}

for (const [name, isRetryable] of Object.entries(RETRYABLE)) {
  Deno.test(`ExecutorOptions.storeRetry: an isRetryable that ${name} ends the retries of its call, and is reported once`, async () => {
    const reported: unknown[] = [];
    const store = new FaultyStore();
    const { executor } = setUp({
      store,
      storeRetry: { maxAttempts: 9, initialIntervalMs: 0, isRetryable: isRetryable as never },
      onError: (error) => reported.push(error),
    });
    const harm = await harmDuring(async () => {
      let times = 1;
      store.before.append = ({ workflowId }) => {
        if (workflowId === "a" && times-- > 0) throw new Error("the disk is full");
      };
      const error = await assertRejects(() => executor.execute(good, { id: "a" }), WorkflowError);
      assertEquals([error.code, (error.cause as Error).message], ["store_failed", "the disk is full"]);
      times = 0;
      const handle = await executor.execute((ctx: Ctx) => ctx.waitForSignal("end"), { id: "a" });
      times = 1;
      await assertRejects(() => executor.signal("a", "end"), WorkflowError, "The store failed");
      await assertRejects(() => handle.result(), WorkflowError, "The store failed");
      await assertHealthy(executor);
    });
    await executor.close();
    assertEquals([harm, reported.length], [[], 2]);
  });
}

Deno.test("Executor: a middleware that never answers holds up its call alone", async () => {
  const { executor } = setUp({
    middleware: [(call, next) => call.workflowId === "a" ? new Promise(() => {}) : next()],
  });
  const harm = await harmDuring(async () => {
    void executor.execute(good, { id: "a" });
    await assertHealthy(executor);
  });
  await executor.close();
  assertEquals(harm, []);
});

// The methods of an executor and its handles

Deno.test("Executor: the methods reject, and do not throw, when an argument cannot be read", async () => {
  const { executor } = setUp();
  const bad = () => hostile() as never;
  const harm = await harmDuring(async () => {
    const handle = await executor.execute((ctx: Ctx) => ctx.waitForSignal("end"), { id: "a" });
    const getter = (name: string) => Object.defineProperty({}, name, { enumerable: true, get: fail }) as never;
    const calls: (() => Promise<unknown>)[] = [
      () => executor.execute(good, getter("id")),
      ...["input", "labels", "timeoutMs", "startAt", "startAfterMs", "onConflict", "reuse", "signal"].map(
        (name) => () => executor.execute(good, getter(name)),
      ),
      () => executor.execute(good, bad()),
      () => executor.executeMany(good, [getter("id")]),
      () => executor.executeMany(good, bad()),
      () => executor.signal("a", bad()),
      () => executor.signal("a", "s", bad()),
      () => executor.signal("a", "s", 1, getter("senderId")),
      () => executor.query("a", bad()),
      () => executor.query("a", "q", bad()),
      () => executor.update("a", bad()),
      () => executor.update("a", "u", bad()),
      () => executor.update("a", "u", 1, getter("updateId")),
      () => executor.cancel("a", bad()),
      () => executor.terminate("a", bad()),
      () => executor.describe("a", getter("history")),
      () => executor.handle(bad()),
      () => executor.close(getter("drainMs")),
      () => handle.signal(bad()),
      () => handle.signal("s", 1, getter("senderId")),
      () => handle.query(bad()),
      () => handle.update("u", 1, getter("updateId")),
      () => handle.terminate(bad()),
      () => handle.describe(getter("history")),
      () => handle.update(bad()),
      () => handle.cancel(bad()),
      () => handle.result(getter("signal")),
      () => handle.result({ signal: { aborted: false, addEventListener() {} } as never }),
    ];
    await assertAllReject(calls);
    await assertHealthy(executor);
  });
  await executor.close();
  assertEquals(harm, []);
});

Deno.test("WorkflowContext: the methods reject, and do not throw, when an argument cannot be read", async () => {
  const { executor } = setUp();
  const harm = await harmDuring(async () => {
    const getter = (name: string) => Object.defineProperty({}, name, { enumerable: true, get: fail }) as never;
    const handle = await executor.execute(async (ctx: Ctx) => {
      const calls: (() => Promise<unknown>)[] = [
        ...["name", "retry", "timeoutMs", "totalTimeoutMs", "heartbeatTimeoutMs", "atMostOnce"].map((name) => () =>
          ctx.executeActivity(() => 7, undefined, getter(name))
        ),
        () => ctx.executeActivity((n: never) => n, getter("x")),
        ...["id", "timeoutMs", "parentClosePolicy"].map((name) => () =>
          ctx.executeChild(good, undefined, getter(name))
        ),
        () => ctx.executeChild((_ctx, n: never) => n, getter("x")),
        () => ctx.waitForSignal("s", getter("timeoutMs")),
        () => ctx.waitForSignal(hostile() as never),
        () => ctx.waitUntil(() => true, getter("timeoutMs")),
        () => ctx.mapConcurrent(hostile() as never, 1, good),
        () => ctx.continueAsNew(getter("x") as never),
        () => ctx.signalWorkflow("a", hostile() as never),
        () => ctx.signalWorkflow(hostile() as never, "a"),
        () => ctx.cancelWorkflow(hostile() as never),
        () => ctx.startChild(good).signal(hostile() as never),
        () => ctx.startChild(good).cancel(hostile() as never),
      ];
      await assertAllReject(calls);
    });
    await handle.result();
    await assertHealthy(executor);
  });
  await executor.close();
  assertEquals(harm, []);
});

const REASONS: Record<string, [make: () => unknown, text: string]> = {
  "an error": [() => new Error("enough"), "enough"],
  "a text": [() => "enough", "enough"],
  "an object without a prototype": [() => Object.create(null), "an Object"],
  "a symbol": [() => Symbol("s"), "Symbol(s)"],
  "a hostile proxy": [hostile, "an object"],
  "an object whose toString throws": [() => ({ toString: fail }), "an Object"],
  "an error whose message throws": [THROWN["an error whose message throws"], ""],
  "an error whose message is no text": [() => Object.assign(new Error(), { message: 5 }), "5"],
};

for (const [name, [make, text]] of Object.entries(REASONS)) {
  Deno.test(`Executor.execute() cancels the run when its signal is aborted with ${name}`, async () => {
    const { executor, store } = setUp();
    const harm = await harmDuring(async () => {
      const controller = new AbortController();
      const handle = await executor.execute((ctx: Ctx) => ctx.waitForSignal("end"), {
        id: "a",
        signal: controller.signal,
      });
      controller.abort(make());
      await assertRejects(() => handle.result());
      const { status, history } = (await store.load("a"))!;
      assertEquals([status, (history[1] as { reason?: string }).reason], ["canceled", text]);
      await assertHealthy(executor);
    });
    await executor.close();
    assertEquals(harm, []);
  });
}

// Handlers

Deno.test("Executor: handlers and validations that throw or reject harm their caller alone", async () => {
  const { executor } = setUp();
  const harm = await harmDuring(async () => {
    await executor.execute(async (ctx: Ctx) => {
      ctx.handleQuery("throws", fail);
      ctx.handleQuery("rejects", reject as never);
      ctx.handleQuery("answers a proxy", hostile as never);
      ctx.handleUpdate("throws", fail);
      ctx.handleUpdate("rejects", reject);
      ctx.handleUpdate("throws a promise", () => {
        throw new Promise(() => {});
      });
      ctx.handleUpdate("validates", () => 1, { validate: reject as never });
      ctx.handleUpdate("fine", () => 1);
      await ctx.waitForSignal("end");
    }, { id: "a" });
    await settle();
    for (const name of ["throws", "rejects", "answers a proxy"]) await executor.query("a", name).catch(() => {});
    for (const name of ["throws", "rejects", "throws a promise", "validates"]) {
      let failed = false;
      await executor.update("a", name).catch(() => failed = true);
      assert(failed, name);
    }
    const definition = defineUpdate<number>("fine", { validate: reject as never });
    await assertRejects(() => executor.update("a", definition, undefined), TypeError, "promise");
    assertEquals(await executor.update("a", "fine"), 1);
    await assertHealthy(executor);
  });
  await executor.close();
  assertEquals(harm, []);
});

// The store

for (const [name, listener] of Object.entries({ throws: fail, rejects: reject, "answers a bad thenable": rejecting })) {
  Deno.test(`InMemoryStore.subscribe(): a listener that ${name} is written to the console, and harms nobody`, async () => {
    const { executor, store } = setUp();
    const real = console.error;
    const written: unknown[] = [];
    console.error = (error) => written.push(error);
    try {
      store.subscribe(listener as never);
      assertEquals(await harmDuring(() => assertHealthy(executor)), []);
    } finally {
      console.error = real;
    }
    assert(written.length > 0 && written.every((error) => (error as Error).message === "bad callback"));
    await executor.close();
  });
}

for (
  const [name, bad] of Object.entries<Partial<Record<keyof InMemoryStore, unknown>>>({
    "a subscribe that throws": { subscribe: fail },
    "a subscribe that answers nothing": { subscribe: () => {} },
    "a subscription that cannot be ended": { subscribe: () => fail },
  })
) {
  Deno.test(`Executor: a store with ${name} harms no run`, async () => {
    const inner = new InMemoryStore();
    const store = new Proxy(inner, {
      get(target, key) {
        if (key in bad) return bad[key as keyof InMemoryStore];
        const value = target[key as keyof InMemoryStore];
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const { executor } = setUp({ store, onError: () => {} });
    assertEquals(await harmDuring(() => assertHealthy(executor)), []);
    await executor.close();
  });
}

// Schedules

const RULES: Record<string, unknown> = {
  "throws": { nextRun: fail },
  "rejects": { nextRun: reject },
  "answers nonsense": { nextRun: () => 5 },
  "is made by a function that rejects": reject,
  "is made by a function that throws": fail,
};

for (const [name, rule] of Object.entries(RULES)) {
  Deno.test(`schedule(): a rule that ${name} fails its schedule alone`, async () => {
    const { executor } = setUp();
    const harm = await harmDuring(async () => {
      const handle = await executor.execute(schedule(good, { rule: rule as never }), { id: "a" });
      await assertRejects(() => handle.result());
      await assertHealthy(executor);
    });
    await executor.close();
    assertEquals(harm, []);
  });
}

// Stored nonsense

/** A store whose running workflow "bad" has a history in which one field was replaced. */
async function storeWith(type: string, field: string, value: unknown): Promise<{ store: InMemoryStore; text: string }> {
  const { executor, store, clock } = setUp();
  async function patient(ctx: Ctx) {
    await ctx.executeActivity(
      function pay(_: null, { attempt }) {
        if (attempt === 1) throw new Error("busy");
      },
      null,
      { retry: { maxAttempts: 2, initialIntervalMs: 1 } },
    );
    await ctx.waitForSignal("end", { timeoutMs: DAY_MS });
  }
  await executor.execute(patient, { id: "bad", timeoutMs: 2 * DAY_MS });
  await executor.execute(patient, { id: "fine" });
  await clock.advance(100);
  await executor.close();
  const parsed = JSON.parse(await store.snapshot());
  delete parsed.checksum;
  const bad = parsed.workflows.find((one: { state: { workflowId: string } }) => one.state.workflowId === "bad");
  const event = bad.state.history.find((event: { type: string }) => event.type === type);
  event[field] = value;
  return { store, text: JSON.stringify(parsed) };
}

const recoverTest = (name: string, body: () => Promise<void>) => Deno.test(`Executor.recover() leaves ${name}`, body);

const NONSENSE: [type: string, field: string, value: unknown, message: string][] = [
  ["timer_started", "dueAt", "soon", '"dueAt" must be a finite number, got "soon"'],
  ["timer_started", "seq", -1, '"seq" must be an integer from 0, got -1'],
  ["workflow_started", "startAt", "soon", '"startAt" must be a finite number, got "soon"'],
  ["workflow_started", "timeoutMs", "1h", '"timeoutMs" must be a finite number, got "1h"'],
  ["activity_attempt_failed", "retryAt", "soon", '"retryAt" must be a finite number, got "soon"'],
  ["activity_attempt_failed", "error", "busy", '"error" must be valid, got "busy"'],
];

for (const [type, field, value, message] of NONSENSE) {
  Deno.test(`InMemoryStore.restore() refuses a text in which ${field} of ${type} is ${JSON.stringify(value)}`, async () => {
    const { text } = await storeWith(type, field, value);
    let error: unknown;
    try {
      InMemoryStore.restore(text);
    } catch (thrown) {
      error = thrown;
    }
    assert(error instanceof WorkflowError && error.code === "invalid_snapshot");
    assertStringIncludes(error.message, message);
  });

  for (const by of ["heads", "list"]) {
    recoverTest(`a run unchanged in which ${field} of ${type} is ${JSON.stringify(value)}, by ${by}()`, async () => {
      const { store } = await storeWith(type, field, value);
      if (by === "list") {
        Object.assign(store, { heads: undefined });
      }
      const isBad = (id: string) => id === "bad";
      const spoil = (state: { workflowId: string; history: readonly { type: string }[] }) => ({
        ...state,
        history: state.history.map((event) => event.type === type ? { ...event, [field]: value } : event),
      });
      const list = store.list.bind(store);
      const load = store.load.bind(store);
      store.list = async (filter) =>
        (await list(filter)).map((state) => isBad(state.workflowId) ? spoil(state) as never : state);
      store.load = async (id) => isBad(id) ? spoil((await load(id))!) as never : await load(id);
      const reported: unknown[] = [];
      const before = await load("bad");
      const { executor } = setUp({
        store,
        startAt: 100,
        workflows: { patient: (ctx: Ctx) => recovered(ctx) },
        onError: (error) => reported.push(error),
      });
      const harm = await harmDuring(async () => {
        const handles = await executor.recover();
        const error = await assertRejects(() => handles.find(({ id }) => isBad(id))!.result(), WorkflowError, message);
        assertEquals([error.code, reported], ["invalid_history", [error]]);
        await executor.signal("fine", "end");
        await handles.find(({ id }) => id === "fine")!.result();
        await assertHealthy(executor);
      });
      await executor.close();
      assertEquals([harm, await load("bad")], [[], before]);
    });
  }
}

/** The code of `storeWith`. */
async function recovered(ctx: Ctx) {
  await ctx.executeActivity(function pay() {}, null);
  await ctx.waitForSignal("end", { timeoutMs: DAY_MS });
}

for (const dormantAfterMs of [undefined, 0]) {
  Deno.test(
    `Executor: nonsense that another writer appends is reported once, and suspends a run that is ${
      dormantAfterMs === 0 ? "dormant" : "live"
    }`,
    async () => {
      const reported: unknown[] = [];
      const { executor, store } = setUp({ dormantAfterMs, onError: (error) => reported.push(error) });
      const harm = await harmDuring(async () => {
        await executor.execute((ctx: Ctx) => ctx.waitForSignal("end"), { id: "a" });
        await settle();
        const load = store.load.bind(store);
        Object.assign(store, { loadSince: undefined });
        store.load = async (id) => {
          const state = (await load(id))!;
          if (id !== "a") return state;
          return {
            ...state,
            history: state.history.map((event, i) => i === 0 ? event : { ...event, at: "soon" }) as never,
          };
        };
        const { runId } = (await load("a"))!;
        const event = { type: "signal_received", at: 0, name: "s", payload: null, signalId: "1" } as const;
        await store.append({ workflowId: "a", runId, expectedLength: 1, events: [event] });
        await settle();
        assertEquals(executor.openRuns(), []);
        await assertHealthy(executor);
      });
      await executor.close();
      assertEquals([harm, reported.map((error) => (error as WorkflowError).code)], [[], ["invalid_history"]]);
    },
  );
}

for (const by of ["heads", "list"]) {
  recoverTest(`what is no state unchanged, reports it, and resumes the others, by ${by}()`, async () => {
    const { store } = await storeWith("timer_started", "dueAt", 5);
    const list = store.list.bind(store);
    const heads = store.heads.bind(store);
    const nothing = [null, 5, { workflowId: "x" }];
    store.list = async (filter) => [...nothing, ...await list(filter)] as never;
    store.heads = async (options) => ({
      heads: [...nothing, ...(await heads(options)).heads] as never,
      cursor: undefined,
    });
    if (by === "list") Object.assign(store, { heads: undefined });
    const reported: unknown[] = [];
    const { executor } = setUp({
      store,
      startAt: 100,
      workflows: { patient: (ctx: Ctx) => recovered(ctx) },
      onError: (error) => reported.push(error),
    });
    const harm = await harmDuring(async () => {
      assertEquals((await executor.recover()).map(({ id }) => id), ["bad", "fine"]);
      await assertHealthy(executor);
    });
    await executor.close();
    assertEquals([harm, reported.length], [[], 3]);
  });
}

// What no library can catch

Deno.test("WorkflowContext.signal: a listener that throws is reported by the runtime, and the run ends canceled", async () => {
  const { executor } = setUp();
  const error = new Error("no connection");
  const handle = await executor.execute(async (ctx: Ctx) => {
    ctx.signal.addEventListener("abort", () => {
      throw error;
    });
    await ctx.waitForSignal("done");
  }, { id: "a" });
  const harm = await harmDuring(async () => {
    await executor.cancel("a");
    await assertRejects(() => handle.result(), Error, 'Canceled workflow "a"');
  });
  assertEquals([harm, handle.status], [[error], "canceled"]);
  await assertHealthy(executor);
  await executor.close();
});

Deno.test("WorkflowContext.scope() that nobody awaits loses its error, and the run completes", async () => {
  const { executor } = setUp();
  const handle = await executor.execute(async (ctx: Ctx) => {
    ctx.scope(() => Promise.reject(new RangeError("no")));
    await ctx.waitForSignal("done");
    return "done";
  }, { id: "a" });
  const harm = await harmDuring(() => executor.signal("a", "done"));
  assertEquals([harm, await handle.result()], [[], "done"]);
  await executor.close();
});
