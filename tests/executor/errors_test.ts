/** Errors that pass through a history: where they come from, and that the first run and a replay get the same. */

import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import {
  CanceledError,
  CompensationError,
  failedActivity,
  NonRetryableError,
  RetryAfterError,
  TimeoutError,
  type WorkflowContext,
  WorkflowError,
} from "@rockpool/workflow";
import { settle, setUp } from "../support/executors.ts";

type Ctx = WorkflowContext;

/** The lines of a stack that the executor adds. */
const origins = (error: unknown): string[] =>
  (error as Error).stack!.split("\n").filter((line) => /^ {4}at (child workflow|activity) "/.test(line));

const declined = () => {
  throw Object.assign(new RangeError("Declined", { cause: "why" }), { status: 402 });
};

Deno.test("WorkflowContext.executeActivity() rejects with an error that names activity, workflow and attempt", async () => {
  const { executor } = setUp();
  const seen: unknown[] = [];
  const handle = await executor.execute(async (ctx: Ctx) => {
    await ctx.executeActivity(declined, undefined, { name: "charge" }).catch((error) => seen.push(error));
    await ctx.executeActivity(declined, undefined, { retry: { maxAttempts: 3, initialIntervalMs: 0 } });
  }, { id: "order-7" });
  seen.push(await assertRejects(() => handle.result()));
  const expected = [
    { name: "charge", attempt: 1, workflowId: "order-7" },
    { name: "declined", attempt: 3, workflowId: "order-7" },
  ];
  assertEquals(seen.map(failedActivity), expected);
  assertEquals(seen.map(origins), [
    ['    at activity "charge" of workflow "order-7", attempt 1'],
    ['    at activity "declined" of workflow "order-7", attempt 3 of 3'],
  ]);
  for (const error of seen as (RangeError & { status: number })[]) {
    assertStrictEquals(error.constructor, RangeError);
    assertEquals([error.message, error.cause, { ...error }], ["Declined", "why", { status: 402 }]);
    assert(Deno.inspect(error).includes(origins(error)[0])); // as console.error shows it
  }
  await executor.close();
});

Deno.test("WorkflowContext.executeActivity() names the maximum of the default policy, and none where there is no limit", async () => {
  const { executor } = setUp();
  const fails = () => {
    throw new NonRetryableError("no");
  };
  const handle = await executor.execute(async (ctx: Ctx) => {
    const errors: string[] = [];
    for (const retry of [{}, { maxAttempts: Infinity }]) {
      await ctx.executeActivity(fails, undefined, { retry }).catch((error) => errors.push(...origins(error)));
    }
    return errors;
  }, { id: "a" });
  const line = '    at activity "fails" of workflow "a", attempt 1';
  assertEquals(await handle.result(), [`${line} of 3`, line]);
  await executor.close();
});

Deno.test("WorkflowContext.executeActivity() says where an error comes from when it times out, is interrupted, or is resumed", async () => {
  const never = () => new Promise<never>(() => {});
  async function work(ctx: Ctx, options: { atMostOnce?: boolean; totalTimeoutMs?: number }) {
    await ctx.executeActivity(never, undefined, options);
  }
  const first = setUp();
  await first.executor.execute(work, { id: "once", input: { atMostOnce: true } });
  await first.executor.execute(work, { id: "late", input: { totalTimeoutMs: 10 } });
  await settle();
  await first.executor.close();
  const { executor, clock } = setUp({ store: first.store, workflows: { work } });
  const handles = await executor.recover();
  await clock.advance(10);
  for (const { id, result } of handles.map((handle) => ({ id: handle.id, result: handle.result() }))) {
    const error = await assertRejects(() => result, WorkflowError);
    assertEquals(failedActivity(error), { name: "never", attempt: 1, workflowId: id });
    assertEquals(
      failedActivity(await assertRejects(async () => await (await executor.handle(id)).result()))?.name,
      "never",
    );
  }
  await executor.close();
});

Deno.test("WorkflowContext.executeChild() rejects with an error that names the child and the activity in it", async () => {
  const { executor } = setUp();
  const payment = async (ctx: Ctx) => await ctx.executeActivity(declined);
  const broken = () => {
    throw new TypeError("broken");
  };
  const handle = await executor.execute(async (ctx: Ctx) => {
    const byItself = await ctx.executeChild(broken, undefined, { id: "child-1" }).catch((error) => origins(error));
    return [
      byItself,
      await ctx.executeChild(payment, undefined, { id: "child-2" }).catch((error) => [
        origins(error),
        failedActivity(error),
        error.constructor === RangeError,
      ]),
    ];
  }, { id: "order-7" });
  assertEquals(await handle.result(), [
    ['    at child workflow "broken" of workflow "order-7", ID "child-1"'],
    [
      [
        '    at activity "declined" of workflow "child-2", attempt 1',
        '    at child workflow "payment" of workflow "order-7", ID "child-2"',
      ],
      { name: "declined", attempt: 1, workflowId: "child-2" },
      true,
    ],
  ]);
  await executor.close();
});

Deno.test("failedActivity() finds the activity in the cause of an error that wraps it, and the nearest of several", async () => {
  const { executor } = setUp();
  const inner = async (ctx: Ctx) => await ctx.executeActivity(declined);
  const callsAnother = async () => await (await executor.execute(inner, { id: "inner" })).result();
  const outer = await executor.execute(async (ctx: Ctx) => {
    await ctx.executeActivity(callsAnother).catch((cause) => {
      throw new Error("Cannot pay", { cause });
    });
  }, { id: "outer" });
  const error = await assertRejects(() => outer.result());
  assertEquals(failedActivity(error), undefined);
  const { cause } = error as Error;
  assertEquals(failedActivity(cause), { name: "callsAnother", attempt: 1, workflowId: "outer" });
  assertEquals(origins(cause), [
    '    at activity "declined" of workflow "inner", attempt 1',
    '    at activity "callsAnother" of workflow "outer", attempt 1',
  ]);
  await executor.close();
});

Deno.test("failedActivity() returns undefined for what comes from no activity", async () => {
  const { executor } = setUp();
  const throwsText = () => {
    throw "text";
  };
  const handle = await executor.execute((ctx: Ctx) => ctx.executeActivity(throwsText));
  const thrown = await handle.result().catch((error) => error);
  assertEquals([thrown, ...[thrown, new Error("m"), null, undefined, 7].map(failedActivity)], [
    "text",
    ...new Array(5).fill(undefined),
  ]);
  await executor.close();
});

/** What a workflow can tell about an error. */
function told(error: unknown): unknown {
  if (!(error instanceof Error)) return [error];
  const { name, message, cause, stack } = error;
  const { errors, error: last, suppressed } = error as unknown as Record<string, unknown>;
  const parts = [cause, last, suppressed].map((part) => part === undefined ? undefined : told(part));
  const members = Array.isArray(errors) ? errors.map(told) : errors;
  const origin = failedActivity(error);
  const ours = origin === undefined ? "" : stack!.split("\n").at(-1);
  return [error.constructor.name, name, message, JSON.stringify(error), members, parts, origin, ours];
}

class PaymentError extends Error {
  override name = "PaymentError";
  readonly status = 402;
}

/** What is thrown, and the class in which it comes back. */
const thrown: [Class: string, make: () => unknown][] = [
  ["RangeError", () => new RangeError("m", { cause: new TypeError("c") })],
  ["Error", () => new PaymentError("m", { cause: new PaymentError("c") })],
  ["AggregateError", () => new AggregateError([new RangeError("a"), new PaymentError("b"), "c"], "m")],
  ["SuppressedError", () => new SuppressedError(new RangeError("a"), new TimeoutError("late", 5), "m")],
  ["DOMException", () => new DOMException("m", "AbortError")],
  ["CanceledError", () => new CanceledError("m", "why")],
  ["TimeoutError", () => new TimeoutError("m", 5, { cause: new RangeError("c") })],
  ["RetryAfterError", () => new RetryAfterError("m", 5)],
  [
    "CompensationError",
    () => new CompensationError("m", [new TimeoutError("late", 5)], { cause: new RangeError("c") }),
  ],
  ["WorkflowError", () => new WorkflowError("not_found", "m")],
  ["EvalError", () => {
    const error = new EvalError("it causes itself");
    error.cause = new RangeError("c", { cause: error });
    return error;
  }],
  ["text", () => "text"],
];

for (const [Class, make] of thrown) {
  Deno.test(`Executor hands out the same error on the first run and on replay: ${Deno.inspect(make()).split("\n")[0]}`, async () => {
    const { executor, store } = setUp();
    const fails = () => {
      throw make();
    };
    const live: unknown[][] = [];
    async function work(ctx: Ctx) {
      const seen: unknown[] = [];
      live.push(seen);
      ctx.handleQuery("seen", () => seen);
      const note = (error: unknown) => void seen.push(told(error));
      await ctx.executeActivity(fails).catch(note);
      await ctx.sideEffect(fails).catch(note);
      await ctx.executeChild(fails, undefined, { id: "child" }).catch(note);
      await ctx.executeActivity(fails);
    }
    const handle = await executor.execute(work, { id: "a" });
    const end = await handle.result().catch(told);
    assertEquals(live[0].map((seen) => (seen as unknown[])[0]), [Class, Class, Class]);
    const other = setUp({ store, workflows: { work } }).executor;
    assertEquals(await other.query("a", "seen"), live[0]);
    assertEquals(await (await other.handle("a")).result().catch(told), end);
    await executor.close();
    await other.close();
  });
}

Deno.test("Executor keeps the class of every error in a CompensationError", async () => {
  const { executor } = setUp();
  const handle = await executor.execute((ctx: Ctx) => {
    ctx.addCompensation(async () => await ctx.executeActivity(declined));
    throw new TypeError("m");
  });
  const error = await assertRejects(() => handle.result(), CompensationError) as CompensationError;
  assertInstanceOf(error.errors[0], RangeError);
  assertInstanceOf(error.cause, TypeError);
  assertEquals(failedActivity(error.errors[0])?.name, "declined");
  await executor.close();
});

Deno.test("Executor keeps the members of an AggregateError that is an input or a result", async () => {
  const { executor, store } = setUp();
  const error = new AggregateError([new RangeError("a"), new SuppressedError(new TypeError("b"), 7)], "m");
  error.cause = error;
  const pass = (_ctx: Ctx, error: unknown) => error;
  const handle = await executor.execute(pass, { id: "a", input: error });
  const stored = (await store.load("a"))!;
  for (const one of [await handle.result(), stored.input, stored.result] as AggregateError[]) {
    assertStrictEquals(one.constructor, AggregateError);
    assertStrictEquals(one.cause, one);
    assertInstanceOf(one.errors[0], RangeError);
    assertInstanceOf(one.errors[1].error, TypeError);
  }
  await executor.close();
});
