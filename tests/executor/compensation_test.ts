/** `ctx.addCompensation()`: which compensations are called when a workflow fails or is cancelled, in which order, and after restarts. */

import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import {
  type ActivityContext,
  CanceledError,
  CompensationError,
  NonDeterminismError,
  TimeoutError,
  type WorkflowContext,
} from "@rockpool/workflow";
import { type CrashRun, crashTest, type CrashTestOptions } from "@rockpool/workflow/testing";
import { play } from "../support/restarts.ts";
import { setUp } from "../support/executors.ts";

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
  const { undisturbed } = await crashTest(trip(fail));
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
  const { undisturbed } = await crashTest(trip(() => ({ seat: () => "12a" })));
  const message = 'Cannot store result of the workflow.seat: a function "seat" cannot be stored';
  assertEquals([undisturbed.state.status, `${undisturbed.error}`], ["failed", `TypeError: ${message}`]);
  assertEquals(undosOf(undisturbed), undone);
});

/** How a run ends: the name of the case, the last step, the options, the expected status and outcome. */
const endings: [string, (ctx: Ctx) => unknown, CrashTestOptions, string, string][] = [
  ["the workflow fails", fail, {}, "failed", "TypeError: no seat"],
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
