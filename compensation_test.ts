/** `ctx.addCompensation()`: what is undone when a workflow fails or is cancelled, in which order, and over restarts. */

import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import {
  type ActivityContext,
  CanceledError,
  CompensationError,
  NonDeterminismError,
  TimeoutError,
  type WorkflowContext,
} from "@rockpool/workflow";
import { assertSurvivesRestarts, noting, play, type Scene, type Visit } from "./tools/restarts.ts";
import { setUp } from "./tools/testing.ts";

type Ctx = WorkflowContext;

/** Books three things and then does `last`; each has a compensation, which fails if it is in `broken`. */
function trip(last: (ctx: Ctx) => unknown, broken: readonly string[] = [], options: Partial<Scene> = {}) {
  const log: string[] = [];
  const scene = (): Scene => {
    const calls: string[] = [];
    const book = noting(calls)("book", (what: string) => void log.push(`book ${what}`));
    const undo = noting(calls)("undo", (what: string) => {
      log.push(`undo ${what}`);
      if (broken.includes(what)) throw new RangeError(`${what} is stuck`);
    });
    async function workflow(ctx: Ctx) {
      for (const what of ["car", "hotel", "flight"]) {
        ctx.addCompensation(() => ctx.executeActivity(undo, what), { name: `undo ${what}` });
        await ctx.executeActivity(book, what);
      }
      return await last(ctx);
    }
    log.length = 0;
    return { workflow, calls, ...options };
  };
  return { scene, log };
}

const fail = () => {
  throw new TypeError("no seat");
};
const undone = ["undo flight", "undo hotel", "undo car"];
const undosOf = (log: readonly string[]) => log.filter((entry) => entry.startsWith("undo"));

Deno.test("WorkflowContext.addCompensation() does nothing when the workflow succeeds", async () => {
  const { scene, log } = trip(() => "gone");
  const { outcome, state } = await assertSurvivesRestarts(scene);
  assertEquals([outcome, undosOf(log)], ['"gone"', []]);
  assertEquals(state.history.filter(({ type }) => type === "compensation_started"), []);
});

Deno.test("WorkflowContext.addCompensation() undoes newest first when the workflow fails, each recorded", async () => {
  const { scene, log } = trip(fail);
  const { outcome, state } = await play(scene());
  assertEquals([outcome, state.status], ["TypeError: no seat", "failed"]);
  assertEquals(undosOf(log), undone);
  const recorded = state.history.flatMap((event) => event.type === "compensation_started" ? [event] : []);
  assertEquals(recorded.map(({ name }) => name), undone);
  assertEquals(recorded[0], { type: "compensation_started", at: 0, seq: 3, name: "undo flight" });
});

Deno.test("WorkflowContext.addCompensation() undoes when the function throws before it waits for anything", async () => {
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

Deno.test("WorkflowContext.addCompensation() undoes when the result cannot be stored", async () => {
  const { scene, log } = trip(() => ({ seat: () => "12a" }));
  const { outcome, state } = await play(scene());
  assertEquals(outcome, 'TypeError: Cannot store result of the workflow.seat: a function "seat" cannot be stored');
  assertEquals([state.status, undosOf(log)], ["failed", undone]);
  await assertSurvivesRestarts(scene);
});

/** How a run ends, beside its own failure: the visit or the timeout, the status, the outcome. */
const ends: [string, (ctx: Ctx) => unknown, Partial<Scene>, string, string][] = [
  ["it fails", fail, {}, "failed", "TypeError: no seat"],
  [
    "it is cancelled",
    (ctx) => ctx.sleep(100),
    { visits: [{ at: 50, cancel: "changed my mind" }] },
    "canceled",
    'CanceledError: Canceled workflow "a": changed my mind',
  ],
  [
    "its time is up",
    (ctx) => ctx.sleep(100),
    { timeoutMs: 50 },
    "failed",
    'TimeoutError: Timed out workflow "a" after 50 ms',
  ],
];

for (const [how, last, options, status, outcome] of ends) {
  Deno.test(`WorkflowContext.addCompensation() undoes over a restart anywhere when ${how}`, async () => {
    const { scene } = trip(last, [], options);
    const full = await assertSurvivesRestarts(scene);
    assertEquals([full.state.status, full.outcome], [status, outcome]);
    const names = full.state.history.flatMap((event) => event.type === "compensation_started" ? [event.name] : []);
    assertEquals(names, undone);
  });

  Deno.test(`WorkflowContext.addCompensation() keeps all errors, over a restart anywhere, when ${how}`, async () => {
    const { scene } = trip(last, ["car", "flight"], options);
    const full = await assertSurvivesRestarts(scene);
    const [, message] = outcome.split(/: (.*)/);
    assertEquals(full.state.status, "failed");
    assertEquals(
      full.outcome,
      'CompensationError: 2 of the compensations of workflow "a" failed; the workflow had failed with: ' +
        `${message} [RangeError: flight is stuck,RangeError: car is stuck] <- ${outcome}`,
    );
  });
}

Deno.test("CompensationError comes back with its class, its errors and its cause", async () => {
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

Deno.test("WorkflowContext.addCompensation() goes on when a cancellation comes while it undoes", async () => {
  const log: string[] = [];
  const visits: Visit[] = [{ at: 50, cancel: "too late" }];
  const { outcome, state } = await assertSurvivesRestarts(() => {
    log.length = 0;
    async function workflow(ctx: Ctx) {
      for (const n of [1, 2]) {
        ctx.addCompensation(async () => {
          await ctx.sleep(40);
          log.push(`undone ${n} at ${ctx.now()}`);
        });
      }
      await ctx.executeActivity(fail);
    }
    return { workflow, visits };
  });
  assertEquals([state.status, outcome], ["failed", "TypeError: no seat"]);
  assertEquals(log, ["undone 2 at 40", "undone 1 at 80"]);
});

Deno.test("WorkflowContext.addCompensation() goes on when the time is up while it undoes", async () => {
  const { outcome, state } = await assertSurvivesRestarts(() => ({
    timeoutMs: 50,
    async workflow(ctx: Ctx) {
      for (const _ of [1, 2]) ctx.addCompensation(() => ctx.sleep(40));
      await ctx.executeActivity(fail);
    },
  }));
  assertEquals([state.updatedAt, outcome], [80, "TypeError: no seat"]);
});

Deno.test("WorkflowContext.addCompensation() can be called by a compensation, which is undone next", async () => {
  const log: string[] = [];
  await assertSurvivesRestarts(() => {
    log.length = 0;
    async function workflow(ctx: Ctx) {
      ctx.addCompensation(() => log.push("first"));
      ctx.addCompensation(async () => {
        log.push("second");
        ctx.addCompensation(() => log.push("added"));
        await ctx.sleep(10);
      });
      await ctx.executeActivity(fail);
    }
    return { workflow };
  });
  assertEquals(log, ["second", "added", "first"]);
});

Deno.test("WorkflowContext.addCompensation() undoes what a branch that goes on has added meanwhile", async () => {
  const log: string[] = [];
  const { state } = await assertSurvivesRestarts(() => {
    log.length = 0;
    async function workflow(ctx: Ctx) {
      const late = async () => {
        await ctx.sleep(15);
        ctx.addCompensation(() => log.push("late"), { name: "late" });
      };
      ctx.addCompensation(() => ctx.sleep(20));
      await Promise.all([late(), ctx.executeActivity(fail)]);
    }
    return { workflow };
  });
  assertEquals([log, state.updatedAt], [["late"], 20]);
});

Deno.test("WorkflowContext.addCompensation() retries as its activities ask, and runs what is recorded once", async () => {
  await assertSurvivesRestarts(() => {
    const calls: string[] = [];
    const undo = noting(calls)("undo", (_: unknown, { attempt }: ActivityContext) => {
      if (attempt < 3) throw new Error(`busy ${attempt}`);
      return attempt;
    });
    async function workflow(ctx: Ctx) {
      for (const _ of [1, 2]) ctx.addCompensation(() => ctx.executeActivity(undo, null, { retry: {} }));
      await ctx.executeActivity(fail);
    }
    return { workflow, calls };
  });
});

Deno.test("WorkflowContext.addCompensation() leaves it to a workflow that catches its cancellation", async () => {
  const { outcome } = await play({
    visits: [{ at: 5, cancel: "stop" }],
    async workflow(ctx: Ctx) {
      ctx.addCompensation(() => log.push("undone"));
      const error = await ctx.sleep(10).catch((error) => error);
      return error instanceof CanceledError;
    },
  });
  const log: string[] = [];
  assertEquals([outcome, log], ["true", []]);
});

Deno.test("NonDeterminismError tells that a compensation was renamed or left out", async () => {
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
    // Without its compensation the workflow is over before the history is.
    await store.save({ ...rest, status: "running", history: history.slice(0, at) });
    const [handle] = await executor.recover();
    const error = await assertRejects(() => handle.result(), NonDeterminismError);
    assertEquals([error.expected, error.actual], ['compensation "undo"', actual]);
    await executor.close();
  }
});
