/** `ctx.addCompensation()`: which compensations are called when a workflow fails or is cancelled, in which order, and after restarts. */

import { assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import {
  type ActivityContext,
  CanceledError,
  CompensationError,
  Executor,
  InMemoryStore,
  NonDeterminismError,
  type ScopeContext,
  TimeoutError,
  VirtualClock,
  type WorkflowContext,
  WorkflowError,
} from "@rockpool/workflow";
import { type CrashRun, crashTest, type CrashTestOptions, FaultyStore } from "@rockpool/workflow/testing";
import { play } from "../support/restarts.ts";
import { gate, settle, setUp } from "../support/executors.ts";
import { type Played, playEveryWay, playOnce, type World } from "../support/scenes.ts";

type Ctx = WorkflowContext;

/** Books three things, each with a compensation, then calls `last`. The compensations named in `broken` fail. */
function trip(last: (ctx: Ctx) => unknown, broken: readonly string[] = []) {
  const book = (what: string) => what;
  const undo = (what: string) => {
    if (broken.includes(what)) throw new RangeError(`${what} is stuck`);
  };
  return async function workflow(ctx: Ctx) {
    for (const what of ["car", "hotel", "flight"]) {
      ctx.addCompensation(() => ctx.executeActivity(undo, what), { name: `undo ${what}` });
      await ctx.executeActivity(book, what);
    }
    return await last(ctx);
  };
}

const fail = () => {
  throw new TypeError("no seat");
};
const undone = ["undo flight", "undo hotel", "undo car"];
/** The calls of the activity `undo`, in order. */
const undosOf = ({ calls }: CrashRun) => calls.flatMap(({ name, input }) => name === "undo" ? [`undo ${input}`] : []);

Deno.test("WorkflowContext.addCompensation() calls no compensation when the workflow succeeds", async () => {
  const { undisturbed } = await crashTest(trip(() => "gone"));
  assertEquals([undisturbed.result, undosOf(undisturbed)], ["gone", []]);
  assertEquals(undisturbed.state.history.filter(({ type }) => type === "compensation_started"), []);
});

Deno.test("WorkflowContext.addCompensation() calls and records compensations newest first when the workflow fails", async () => {
  const { undisturbed } = await crashTest(trip(fail), { expectFailure: true });
  const { state, error } = undisturbed;
  assertEquals([`${error}`, state.status], ["TypeError: no seat", "failed"]);
  assertEquals(undosOf(undisturbed), undone);
  const recorded = state.history.flatMap((event) => event.type === "compensation_started" ? [event] : []);
  assertEquals(recorded.map(({ name }) => name), undone);
  assertEquals(recorded[0], { type: "compensation_started", at: 0, seq: 3, name: "undo flight" });
});

Deno.test("WorkflowContext.addCompensation() calls compensations when the function throws before its first wait", async () => {
  const log: string[] = [];
  function fails(ctx: Ctx): string {
    ctx.addCompensation(() => log.push("undone"));
    throw new TypeError("at once");
  }
  const { executor } = setUp();
  await assertRejects(async () => await (await executor.execute(fails)).result(), TypeError, "at once");
  assertEquals(log, ["undone"]);
  await executor.close();
});

Deno.test("WorkflowContext.addCompensation() calls compensations when the result cannot be stored", async () => {
  const { undisturbed } = await crashTest(trip(() => ({ seat: () => "12a" })), { expectFailure: true });
  const message = 'Cannot store result of the workflow.seat: a function "seat" cannot be stored';
  assertEquals([undisturbed.state.status, `${undisturbed.error}`], ["failed", `TypeError: ${message}`]);
  assertEquals(undosOf(undisturbed), undone);
});

/** How a run ends: the name of the case, the last step, the options, the expected status and outcome. */
const endings: [string, (ctx: Ctx) => unknown, CrashTestOptions, string, string][] = [
  ["the workflow fails", fail, { expectFailure: true }, "failed", "TypeError: no seat"],
  [
    "the workflow is cancelled",
    (ctx) => ctx.sleep(100),
    { cancel: { atMs: 50, reason: "changed my mind" } },
    "canceled",
    'CanceledError: Canceled workflow "a": changed my mind',
  ],
  [
    "the workflow times out",
    (ctx) => ctx.sleep(100),
    { timeoutMs: 50 },
    "failed",
    'TimeoutError: Timed out workflow "a" after 50 ms',
  ],
];

for (const [how, last, options, status, outcome] of endings) {
  Deno.test(`WorkflowContext.addCompensation() calls compensations after a process crash at any step when ${how}`, async () => {
    const { undisturbed } = await crashTest(trip(last), { ...options, id: "a" });
    assertEquals([undisturbed.state.status, `${undisturbed.error}`], [status, outcome]);
    assertEquals(undosOf(undisturbed), undone);
  });

  Deno.test(`WorkflowContext.addCompensation() keeps all errors after a process crash at any step when ${how}`, async () => {
    const { undisturbed } = await crashTest(trip(last, ["car", "flight"]), { ...options, id: "a" });
    const [, message] = outcome.split(/: (.*)/);
    assertEquals(undisturbed.state.status, "failed");
    const error = undisturbed.error as CompensationError;
    assertEquals(
      [`${error}`, error.errors.map(String), `${error.cause}`],
      [
        'CompensationError: 2 of the compensations of workflow "a" failed; the workflow had failed with: ' + message,
        ["RangeError: flight is stuck", "RangeError: car is stuck"],
        outcome,
      ],
    );
  });
}

Deno.test("CompensationError keeps its class, errors and cause in the history", async () => {
  const { executor } = setUp();
  const handle = await executor.execute(async (ctx) => {
    for (const n of [1, 2]) {
      ctx.addCompensation(() => {
        throw new RangeError(`stuck ${n}`);
      });
    }
    await ctx.sleep(1e6);
  }, { id: "a", timeoutMs: 10 });
  const error = await assertRejects(() => handle.result(), CompensationError);
  assertEquals([error.code, error.errors.map((one) => (one as Error).message)], ["compensation_failed", [
    "stuck 2",
    "stuck 1",
  ]]);
  assertInstanceOf(error.errors[0], RangeError);
  assertInstanceOf(error.cause, TimeoutError);
  await executor.close();
});

/** Runs a failing workflow in `crashTest()`. Answers the run without a crash, and what its compensations logged. */
async function logOf(
  compensate: (ctx: Ctx, log: string[]) => unknown,
  options: CrashTestOptions = {},
): Promise<{ readonly logged: readonly string[]; readonly run: CrashRun }> {
  const log: string[] = [];
  let logged: readonly string[] = [];
  const { undisturbed } = await crashTest(async (ctx: Ctx) => {
    await compensate(ctx, log);
    await ctx.executeActivity(fail);
  }, {
    ...options,
    expectFailure: true,
    setUp: () => void (log.length = 0),
    check: ({ crashes }) => void (crashes.length > 0 || (logged = [...log])),
  });
  assertEquals([undisturbed.state.status, `${undisturbed.error}`], ["failed", "TypeError: no seat"]);
  return { logged, run: undisturbed };
}

Deno.test("WorkflowContext.addCompensation() calls all compensations when a cancellation arrives meanwhile", async () => {
  const { logged } = await logOf((ctx, log) => {
    for (const n of [1, 2]) {
      ctx.addCompensation(async () => {
        await ctx.sleep(40);
        log.push(`undone ${n} at ${ctx.now()}`);
      });
    }
  }, { cancel: { atMs: 50, reason: "too late" } });
  assertEquals(logged, ["undone 2 at 40", "undone 1 at 80"]);
});

Deno.test("WorkflowContext.addCompensation() calls all compensations when the workflow times out meanwhile", async () => {
  const { run } = await logOf((ctx) => {
    for (const _ of [1, 2]) ctx.addCompensation(() => ctx.sleep(40));
  }, { timeoutMs: 50 });
  assertEquals(run.state.updatedAt, 80);
});

Deno.test("WorkflowContext.addCompensation() called by a compensation adds the next one to be called", async () => {
  const { logged } = await logOf((ctx, log) => {
    ctx.addCompensation(() => log.push("first"));
    ctx.addCompensation(async () => {
      log.push("second");
      ctx.addCompensation(() => log.push("added"));
      await ctx.sleep(10);
    });
  });
  assertEquals(logged, ["second", "added", "first"]);
});

Deno.test("WorkflowContext.addCompensation() cuts off concurrent branches before the first compensation is called", async () => {
  const { logged, run } = await logOf(async (ctx, log) => {
    const late = async () => {
      await ctx.sleep(15);
      ctx.addCompensation(() => log.push("late"), { name: "late" });
    };
    ctx.addCompensation(() => ctx.sleep(20));
    await Promise.all([late(), ctx.executeActivity(fail)]);
  });
  assertEquals([logged, run.state.updatedAt], [[], 20]);
});

Deno.test("WorkflowContext.addCompensation() calls each compensation once, and its activities are retried by their policy", async () => {
  const undo = (_: unknown, { attempt }: ActivityContext) => {
    if (attempt < 3) throw new Error(`busy ${attempt}`);
    return attempt;
  };
  const { run } = await logOf((ctx) => {
    for (const _ of [1, 2]) ctx.addCompensation(() => ctx.executeActivity(undo, null, { retry: {} }));
  });
  assertEquals(run.calls.map(({ name, attempt }) => name === "undo" ? attempt : name), ["fail", 1, 2, 3, 1, 2, 3]);
});

Deno.test("WorkflowContext.addCompensation() calls no compensation when the workflow catches its cancellation", async () => {
  const { outcome } = await play({
    deliveries: [{ at: 5, cancel: "stop" }],
    async workflow(ctx: Ctx) {
      ctx.addCompensation(() => log.push("undone"));
      const error = await ctx.sleep(10).catch((error) => error);
      return error instanceof CanceledError;
    },
  });
  const log: string[] = [];
  assertEquals([outcome, log], ["true", []]);
});

Deno.test("NonDeterminismError names a compensation that was renamed or removed", async () => {
  const named = (name: string) => async (ctx: Ctx) => {
    ctx.addCompensation(() => ctx.sleep(10), { name });
    await ctx.executeActivity(fail);
  };
  const { state } = await play({ workflow: named("undo") });
  const at = state.history.findIndex(({ type }) => type === "compensation_started") + 1;
  for (
    const [workflow, actual] of [
      [named("revert"), 'compensation "revert"'],
      [(ctx: Ctx) => ctx.executeActivity(fail), "no command at this position"],
    ] as const
  ) {
    const { store, executor } = setUp({ workflows: { scene: workflow } });
    const { history, error: _, ...rest } = state;
    // Without its compensation the workflow ends before its history does.
    await store.save({ ...rest, status: "running", history: history.slice(0, at) });
    const [handle] = await executor.recover();
    const error = await assertRejects(() => handle.result(), NonDeterminismError);
    assertEquals([error.expected, error.actual], ['compensation "undo"', actual]);
    await executor.close();
  }
});

// What is in flight when something is to be undone

const endOf = (promise: Promise<unknown>) => promise.then((value) => value, String);

/** Reserves what `name` says until a time, and releases it. The activities do not heed their signals. */
const reserve = (world: World, ctx: Ctx, name: string, at: number) => {
  ctx.addCompensation((ctx) => ctx.executeActivity(world.work(`release ${name}`)), { name: `release ${name}` });
  return ctx.executeActivity(world.work(`reserve ${name}`, { at, ignores: true }));
};
/** Which activities have ended, in order. */
const ended = ({ log }: Played) =>
  log.filter((line) => line.includes(" ends")).map((line) => line.replace(" ends", ""));

Deno.test("WorkflowContext.addCompensation() undoes nothing before other branches of a failed Promise.all have ended", async () => {
  const played = await playEveryWay((world) => ({
    async workflow(ctx: Ctx) {
      const soldOut = async () => {
        await ctx.sleep(10);
        throw new RangeError("sold out");
      };
      await Promise.all([reserve(world, ctx, "flight", 20), reserve(world, ctx, "hotel", 30), soldOut()]);
    },
  }));
  assertEquals([played.outcome, played.state.status], ["RangeError: sold out", "failed"]);
  assertEquals(ended(played), [
    "reserve flight at 20",
    "reserve hotel at 30",
    "release hotel at 30",
    "release flight at 30",
  ]);
  const results = played.state.history.flatMap((event) => event.type === "activity_completed" ? [event.result] : []);
  assertEquals(results, ["reserve flight", "reserve hotel", "release hotel", "release flight"]);
});

Deno.test("WorkflowContext.addCompensation() undoes nothing before cancelled activities have ended and are recorded", async () => {
  for (const timeoutMs of [undefined, 10]) {
    const played = await playEveryWay((world) => ({
      timeoutMs,
      sent: timeoutMs === undefined ? [{ at: 10, cancel: "stop" }] : [],
      workflow: async (ctx: Ctx) => await reserve(world, ctx, "car", 30),
    }));
    assertEquals(ended(played), ["reserve car at 30", "release car at 30"]);
    assertEquals(played.state.status, timeoutMs === undefined ? "canceled" : "failed");
  }
});

Deno.test("WorkflowContext.addCompensation() waits for an activity that a deadline gave up long before", async () => {
  const played = await playEveryWay((world) => ({
    async workflow(ctx: Ctx) {
      ctx.addCompensation((ctx) => ctx.executeActivity(world.work("undo")), { name: "undo" });
      const charge = world.work("charge", { at: 60, ignores: true });
      const gaveUp = await endOf(ctx.scope((ctx) => ctx.executeActivity(charge), { timeoutMs: 10 }));
      world.note(`goes on: ${gaveUp}`);
      await ctx.sleep(20);
      throw new RangeError("no");
    },
  }));
  assertEquals(ended(played), ["charge at 60", "undo at 60"]);
  assertEquals(played.log[1], 'goes on: TimeoutError: A scope of workflow "a" did not end within 10 ms at 10');
  const types = played.state.history.map((event) => `${event.type} at ${event.at}`);
  assertEquals(types.slice(3), [
    "timer_fired at 10",
    "timer_started at 10",
    "timer_fired at 30",
    "activity_completed at 60",
    "compensation_started at 60",
    "activity_started at 60",
    "activity_completed at 60",
    "workflow_failed at 60",
  ]);
});

Deno.test("WorkflowContext.addCompensation() keeps an outcome until it is waited for, and records it with that time", async () => {
  const { state, log } = await playEveryWay((world) => ({
    async workflow(ctx: Ctx) {
      ctx.addCompensation(() => {}, { name: "undo" });
      const heeds = world.work("heeds", { at: 1000 });
      await endOf(ctx.scope((ctx) => ctx.executeActivity(heeds), { timeoutMs: 10 }));
      await ctx.sleep(20);
      throw new RangeError("no");
    },
  }));
  assertEquals(log, ["heeds begins at 0", "heeds aborted at 10"]);
  const [failed] = state.history.flatMap((event) => event.type === "activity_failed" ? [event] : []);
  assertEquals([failed.at, failed.attempt, failed.error.name], [30, 1, "TimeoutError"]);
});

Deno.test("WorkflowContext.addCompensation() waits for cancelled children and their cleanup", async () => {
  const played = await playEveryWay((world) => {
    async function child(ctx: Ctx) {
      try {
        await ctx.sleep(1000);
      } finally {
        await ctx.shield((ctx) => ctx.executeActivity(world.work("child's cleanup", { at: 50 })));
      }
    }
    return {
      workflows: { child },
      async workflow(ctx: Ctx) {
        ctx.addCompensation((ctx) => ctx.executeActivity(world.work("undo")), { name: "undo" });
        const run = (ctx: Ctx) => ctx.executeChild(child, undefined, { id: "b" });
        await endOf(ctx.scope(run, { timeoutMs: 10 }));
        await ctx.sleep(10);
        throw new RangeError("no");
      },
    };
  }, { prefixes: true });
  assertEquals(ended(played), ["child's cleanup at 50", "undo at 50"]);
  assertEquals(played.states.find(({ workflowId }) => workflowId === "b")?.status, "canceled");
});

Deno.test("WorkflowContext.addCompensation() does not wait for an activity that was cancelled before it", async () => {
  const played = await playEveryWay((world) => ({
    async workflow(ctx: Ctx) {
      const charge = world.work("charge", { at: 60, ignores: true });
      await endOf(ctx.scope((ctx) => ctx.executeActivity(charge), { timeoutMs: 10 }));
      ctx.addCompensation((ctx) => ctx.executeActivity(world.work("undo")), { name: "undo" });
      throw new RangeError("no");
    },
  }));
  assertEquals(ended(played), ["undo at 10"]);
});

Deno.test("a child that is cancelled in a run with compensations is closed at once, also after a crash", async () => {
  const { outcome, states, log } = await playEveryWay((world) => {
    async function child(ctx: Ctx) {
      try {
        await ctx.sleep(50);
      } catch (error) {
        world.note("closed");
        throw error;
      }
    }
    return {
      workflows: { child },
      async workflow(ctx: Ctx) {
        ctx.addCompensation(() => {}, { name: "undo" });
        await endOf(ctx.scope((ctx) => ctx.executeChild(child, undefined, { id: "b" }), { timeoutMs: 10 }));
        await ctx.sleep(100);
        return "done";
      },
    };
  }, { prefixes: true });
  assertEquals([outcome, log], ['"done"', ["closed at 10"]]);
  assertEquals(states.find(({ workflowId }) => workflowId === "b")?.status, "canceled");
});

Deno.test("Executor.openRuns() and describe() name a cancelled activity that holds compensations up", async () => {
  const { executor } = setUp();
  const ignores = () => new Promise(() => {});
  const handle = await executor.execute(async (ctx: Ctx) => {
    ctx.addCompensation(() => {});
    await ctx.executeActivity(ignores);
  }, { id: "a" });
  await settle();
  await handle.cancel();
  await settle();
  const wait = { type: "activity", name: "ignores", attempt: 1, canceled: true, status: "running" } as const;
  assertEquals(executor.openRuns().map(({ waitsFor }) => waitsFor), [[wait]]);
  assertEquals((await executor.describe("a")).waitsFor, [wait]);
  await handle.terminate();
  await assertRejects(() => handle.result(), WorkflowError, "Terminated");
  assertEquals(executor.openRuns(), []);
  await executor.close();
});

Deno.test("Executor.openRuns() names a cancelled child that holds compensations up", async () => {
  const { executor } = setUp();
  const child = (ctx: Ctx) => ctx.shield((ctx) => ctx.waitForSignal("go"));
  const handle = await executor.execute(async (ctx: Ctx) => {
    ctx.addCompensation(() => {});
    await ctx.executeChild(child, undefined, { id: "b" });
  }, { id: "a" });
  await settle();
  await handle.cancel();
  await settle();
  const [run] = executor.openRuns().filter(({ workflowId }) => workflowId === "a");
  assertEquals(run.waitsFor, [{ type: "child", workflowId: "b", canceled: true }]);
  await executor.signal("b", "go");
  await assertRejects(() => handle.result(), CanceledError);
  await executor.close();
});

Deno.test("Executor.openRuns() does not name what has ended and is kept until somebody waits for it", async () => {
  const { executor } = setUp();
  const child = (ctx: Ctx) => ctx.waitForSignal("never");
  await executor.execute(async (ctx: Ctx) => {
    ctx.addCompensation(() => {});
    await ctx.scope(async (ctx) => {
      ctx.executeChild(child, undefined, { id: "b" });
      ctx.executeActivity((_: unknown, { signal }) => new Promise((_, reject) => signal.onabort = reject));
      await ctx.waitForSignal("go");
    });
    await ctx.waitForSignal("end");
  }, { id: "a" });
  await settle();
  await executor.signal("a", "go");
  await settle();
  assertEquals(executor.openRuns().map(({ waitsFor }) => waitsFor), [[{ type: "signal", name: "end" }]]);
  await executor.close();
});

// Compensations of scopes

Deno.test("WorkflowContext.scope() that fails undoes what it did, newest first, and then rejects", async () => {
  const played = await playEveryWay((world) => ({
    async workflow(ctx: Ctx) {
      await reserve(world, ctx, "outer", 0);
      const end = await endOf(ctx.scope(async (ctx) => {
        for (const name of ["car", "hotel"]) await reserve(world, ctx, name, 0);
        throw new RangeError("no flight");
      }));
      world.note(String(end));
      return "train";
    },
  }));
  assertEquals(played.outcome, '"train"');
  assertEquals(ended(played).slice(3), ["release hotel at 0", "release car at 0"]);
  assertEquals(played.log.at(-1), "RangeError: no flight at 0");
});

Deno.test("WorkflowContext.scope() that succeeds passes its compensations on as a block, in order of the scopes' ends", async () => {
  const played = await playEveryWay((world) => ({
    async workflow(ctx: Ctx) {
      const trip = (name: string, ms: number) =>
        ctx.scope(async (ctx) => {
          for (const part of ["a", "b"]) {
            ctx.addCompensation((ctx) => ctx.executeActivity(world.work(`undo ${name}${part}`)));
            await ctx.sleep(ms);
          }
        });
      await Promise.all([trip("slow", 20), trip("fast", 11)]);
      throw new RangeError("no");
    },
  }));
  assertEquals(ended(played), ["undo slowb at 40", "undo slowa at 40", "undo fastb at 40", "undo fasta at 40"]);
});

Deno.test("WorkflowContext.scope() that is cancelled and returns passes its compensations on", async () => {
  const played = await playEveryWay((world) => ({
    async workflow(ctx: Ctx) {
      const kept = await ctx.scope(async (ctx) => {
        ctx.addCompensation((ctx) => ctx.executeActivity(world.work("undo")));
        await ctx.sleep(100).catch(() => {});
        return "kept";
      }, { timeoutMs: 10 });
      world.note(kept);
      throw new RangeError("no");
    },
  }));
  assertEquals(played.log, ["kept at 10", "undo begins at 10", "undo ends at 10"]);
});

Deno.test("WorkflowContext.scope() that fails because of its deadline undoes after what it gave up has ended", async () => {
  const played = await playEveryWay((world) => ({
    async workflow(ctx: Ctx) {
      const order: unknown[] = [];
      order.push(await endOf(ctx.scope((ctx) => reserve(world, ctx, "car", 30), { timeoutMs: 10 })));
      return [...order, ctx.now()];
    },
  }));
  assertEquals(JSON.parse(played.outcome), ['TimeoutError: A scope of workflow "a" did not end within 10 ms', 30]);
  assertEquals(ended(played), ["reserve car at 30", "release car at 30"]);
});

Deno.test("WorkflowContext.scope() whose compensations fail rejects with a CompensationError", async () => {
  const { outcome } = await playEveryWay(() => ({
    workflow: async (ctx: Ctx) => {
      const error = await ctx.scope((ctx) => {
        for (const n of [1, 2]) {
          ctx.addCompensation(() => {
            throw new RangeError(`stuck ${n}`);
          });
        }
        throw new TypeError("no seat");
      }).catch((error) => error);
      return [error.name, error.message, error.errors.map(String), String(error.cause)];
    },
  }));
  assertEquals(JSON.parse(outcome), [
    "CompensationError",
    '2 of the compensations of a scope of workflow "a" failed; it had failed with: no seat',
    ["RangeError: stuck 2", "RangeError: stuck 1"],
    "TypeError: no seat",
  ]);
});

Deno.test("WorkflowContext.addCompensation() gives a context that a cancellation does not reach, and so does its own", async () => {
  const played = await playEveryWay((world) => ({
    sent: [{ at: 10, cancel: "stop" }, { at: 25, cancel: "again" }],
    async workflow(ctx: Ctx) {
      ctx.addCompensation(async (given) => {
        await given.executeActivity(world.work("by the argument", { at: 20 }));
        await given.sleep(10);
        await given.scope((ctx) => ctx.executeActivity(world.work("in a scope of it")));
      }, { name: "argument" });
      await ctx.scope((inner) => {
        inner.addCompensation(async () => {
          await inner.executeActivity(world.work("by the context of its ended scope"));
          await ctx.executeActivity(world.work("by the context around it"));
          await ctx.scope((ctx) => ctx.executeActivity(world.work("in a scope around it")));
        }, { name: "closure" });
      });
      await ctx.sleep(100);
    },
  }));
  assertEquals(played.state.status, "canceled");
  assertEquals(ended(played), [
    "by the context of its ended scope at 10",
    "by the context around it at 10",
    "in a scope around it at 10",
    "by the argument at 20",
    "in a scope of it at 30",
  ]);
});

Deno.test("WorkflowContext.addCompensation() in a scope, a shield and a compensation of a compensation is nested", async () => {
  const played = await playEveryWay((world) => ({
    async workflow(ctx: Ctx) {
      const undo = (name: string) => ({ name, body: (ctx: Ctx) => ctx.executeActivity(world.work(name)) });
      const add = (ctx: Ctx, name: string) => ctx.addCompensation(undo(name).body, { name });
      ctx.addCompensation(async (ctx) => {
        add(ctx, "added by it"); // it succeeds: next
        const end = await endOf(ctx.shield(async (ctx) => {
          add(ctx, "undone in it");
          await ctx.sleep(5);
          throw new RangeError("inner");
        }));
        world.note(String(end));
      }, { name: "nests" });
      await ctx.sleep(10);
      throw new RangeError("outer");
    },
  }));
  assertEquals(played.outcome, "RangeError: outer");
  assertEquals(ended(played), ["undone in it at 15", "added by it at 15"]);
});

Deno.test("WorkflowContext.addCompensation() through the context of an ended scope adds to the scope around it", async () => {
  const played = await playEveryWay((world) => ({
    async workflow(ctx: Ctx) {
      const late = await ctx.scope((ctx) => ctx.scope((ctx) => ctx));
      late.addCompensation((ctx) => ctx.executeActivity(world.work("undo")), { name: "late" });
      throw new RangeError("no");
    },
  }));
  assertEquals(ended(played), ["undo at 0"]);
});

Deno.test("WorkflowContext.addCompensation() waits for the cleanup of losers before it undoes anything", async () => {
  const played = await playEveryWay((world) => ({
    async workflow(ctx: Ctx) {
      ctx.addCompensation((ctx) => ctx.executeActivity(world.work("undo")), { name: "undo" });
      const loser = async () => {
        try {
          await ctx.waitForSignal("never");
        } finally {
          await ctx.shield((ctx) => ctx.executeActivity(world.work("cleanup", { at: 30 })));
        }
      };
      loser().catch(() => {});
      await ctx.sleep(10);
      throw new RangeError("no");
    },
  }));
  assertEquals(ended(played), ["cleanup at 30", "undo at 30"]);
});

Deno.test("WorkflowContext calls between two compensations are refused", async () => {
  const { outcome } = await playEveryWay(() => ({
    async workflow(ctx: Ctx) {
      const seen = new Set<string>();
      const look = async () => {
        for (let i = 0; i < 50; i++) {
          await null;
          const { timeoutMs } = await ctx.scope(() => ({ timeoutMs: "in a compensation" })).catch((error) => error);
          seen.add(timeoutMs ?? "refused");
        }
      };
      await ctx.scope((inner) => {
        ctx = inner;
        for (const _ of [1, 2]) ctx.addCompensation(() => void look());
        throw new RangeError("no");
      }).catch(() => {});
      return [...seen];
    },
  }));
  assertEquals(JSON.parse(outcome), ["in a compensation", "refused"]);
});

Deno.test("WorkflowContext.shield() in flight is waited for before anything is undone", async () => {
  const played = await playEveryWay((world) => ({
    sent: [{ at: 10, cancel: "stop" }],
    async workflow(ctx: Ctx) {
      ctx.addCompensation((ctx) => ctx.executeActivity(world.work("undo")), { name: "undo" });
      ctx.shield((ctx) => ctx.executeActivity(world.work("shielded", { at: 40 })));
      await ctx.sleep(1000);
    },
  }));
  assertEquals(ended(played), ["shielded at 40", "undo at 40"]);
});

Deno.test("Executor.close() with drainMs stores an outcome that was kept, and the activity does not run again", async () => {
  const store = new InMemoryStore();
  const done = gate();
  let runs = 0;
  async function charge() {
    runs++;
    await done.promise;
    return "charged";
  }
  const log: string[] = [];
  async function workflow(ctx: Ctx) {
    ctx.addCompensation(() => void log.push("undone"), { name: "undo" });
    await ctx.scope(async (ctx) => {
      ctx.executeActivity(charge);
      await ctx.waitForSignal("give up");
    });
    await ctx.waitForSignal("go");
    throw new RangeError("no");
  }
  for (const isOver of [true, false]) {
    const id = `over: ${isOver}`;
    runs = 0;
    const first = new Executor({ store });
    await first.execute(workflow, { id });
    await settle();
    await first.signal(id, "give up");
    await settle();
    if (isOver) {
      done.open();
      await settle();
    }
    await first.close({ drainMs: 1000 });
    await using second = new Executor({ store, workflows: { workflow } });
    const [handle] = await second.recover();
    await second.signal(id, "go");
    await assertRejects(() => handle.result(), RangeError);
    const { history } = (await store.load(id))!;
    assertEquals([runs, history.filter(({ type }) => type === "activity_completed").length], [1, 1]);
  }
  assertEquals(log, ["undone", "undone"]);
});

Deno.test("a loop that swallows refusals in a scope with compensations is undone with all that is around it", async () => {
  const again = async (body: () => Promise<unknown>): Promise<never> => {
    for (;;) await body().catch(() => {});
  };
  const played = await playOnce((world) => ({
    sent: [{ at: 10, cancel: "stop" }],
    async workflow(ctx: Ctx) {
      const undo = (ctx: Ctx, name: string) =>
        ctx.addCompensation((ctx) => ctx.executeActivity(world.work(name)), { name });
      undo(ctx, "undo outer");
      ctx.scope(async (ctx) => {
        await ctx.executeActivity(world.work("waited for", { at: 30, ignores: true }));
      }, { waitForCanceled: true });
      await ctx.scope(async (ctx) => {
        undo(ctx, "undo inner");
        ctx.executeActivity(world.work("given up", { at: 40, ignores: true }));
        await again(() => ctx.sleep(1));
      });
    },
  }));
  assertEquals([played.state.status, played.outcome], ["canceled", 'CanceledError: Canceled workflow "a": stop']);
  assertEquals(ended(played), ["waited for at 30", "given up at 40", "undo inner at 40", "undo outer at 40"]);
});

Deno.test("a compensation that loops over refusals is given up, and the others run", async () => {
  const played = await playOnce((world) => ({
    async workflow(ctx: Ctx) {
      ctx.addCompensation((ctx) => ctx.executeActivity(world.work("undo")), { name: "undo" });
      const loop = async (ctx: ScopeContext) => {
        ctx.cancel();
        for (;;) await ctx.sleep(1).catch(() => {});
      };
      ctx.addCompensation((ctx) => ctx.scope(loop), { name: "loops" });
      await ctx.sleep(10);
      throw new RangeError("no");
    },
  }));
  assertStringIncludes(
    played.outcome,
    'CompensationError: 1 of the compensations of workflow "a" failed; the workflow had failed with: no',
  );
  assertStringIncludes(played.outcome, 'Canceled a scope of workflow "a"');
  assertEquals(ended(played), ["undo at 10"]);
});

Deno.test("WorkflowContext.addCompensation() records the end of a cancelled activity once when two executors lose the same attempt", async () => {
  const inner = new InMemoryStore();
  const clock = new VirtualClock({ autoAdvance: false });
  const retry = { maxAttempts: 5, initialIntervalMs: 1000 };
  const workflow = async (ctx: Ctx) => {
    ctx.addCompensation((ctx) => ctx.sleep(1));
    try {
      await ctx.executeActivity(fail, undefined, { retry });
    } finally {
      await ctx.shield((ctx) => ctx.waitForSignal("go"));
    }
  };
  /** An executor whose appends of the second failure wait: each for one gate. */
  const start = (...gates: { promise: Promise<void> }[]) => {
    const store = new FaultyStore(inner);
    store.before.append = ({ events }) =>
      events.some((event) => event.type === "activity_attempt_failed" && event.attempt === 2) && gates.shift()?.promise;
    return new Executor({ store, clock, workflows: { workflow } });
  };
  const [first, second, others] = [gate(), gate(), gate()];
  const executor = start(first, second);
  const other = start(others);
  const handle = await executor.execute(workflow, { id: "a" });
  await settle();
  await other.recover();
  await settle();
  while (clock.now() < 1000 && clock.next()) await settle();
  await settle();
  const sender = new Executor({ store: inner, clock });
  await sender.cancel("a");
  for (const { open } of [first, others, second]) {
    open();
    await settle();
  }
  await executor.signal("a", "go");
  await clock.runUntilIdle();
  assertEquals(handle.status, "canceled");
  const ends = (await inner.load("a"))!.history.filter(({ type }) => type === "activity_failed");
  assertEquals(ends.length, 1);
  await Promise.all([executor, other, sender].map((one) => one.close()));
});
