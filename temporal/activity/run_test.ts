import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import type { ActivityContext } from "../../activity.ts";
import type { ActivityOptions as NativeOptions } from "../../activity.ts";
import type { WorkflowContext } from "../../context.ts";
import { failedActivity, WorkflowError } from "../../errors.ts";
import { crashTest, TestExecutor } from "../../testing/mod.ts";
import { toFailure, toThrown } from "../common/convert.ts";
import {
  ActivityCancellationDetails,
  ApplicationFailure,
  CancelledFailure,
  IllegalStateError,
  type LogMetadata,
} from "../common/mod.ts";
import { toLogger } from "../common/logger.ts";
import { toNativeRetryPolicy } from "../common/retry_policy.ts";
import { valueConverter } from "../common/value_converter.ts";
import {
  activityInfo,
  cancellationDetails,
  cancellationSignal,
  cancelled,
  CompleteAsyncError,
  Context,
  getClient,
  heartbeat,
  log,
  metricMeter,
  sleep,
} from "./mod.ts";
import { type ActivityAttempt, type AnyActivity, runActivity } from "./run.ts";

const { toStored } = valueConverter();

/** What an attempt gets. A signal stands for that of the context. */
type Parts = Partial<ActivityAttempt> & { signal?: () => AbortSignal };

/** A workflow that calls an activity once. */
function calling(fn: AnyActivity, { signal, ...parts }: Parts = {}, native: NativeOptions = {}) {
  return async function workflow(ctx: WorkflowContext): Promise<unknown> {
    const body = async (input: readonly unknown[], context: ActivityContext) => {
      const withSignal = () =>
        new Proxy(context, {
          get: (target, key) => key === "signal" ? signal!() : Reflect.get(target, key, target),
        });
      try {
        return await runActivity(fn, {
          args: [...input],
          context: signal === undefined ? context : withSignal(),
          activityType: "work",
          activityId: "1",
          isLocal: false,
          workflowType: "order",
          options: { startToCloseTimeout: "1 minute" },
          ...parts,
        });
      } catch (error) {
        throw toThrown(error, toStored);
      }
    };
    return await ctx.executeActivity(body, ["a", 2], { name: "work", ...native });
  };
}

/** The result of an activity, or the failure that it ends with. */
async function outcome(fn: AnyActivity, parts?: Parts, native?: NativeOptions): Promise<unknown> {
  await using executor = new TestExecutor();
  const handle = await executor.execute(calling(fn, parts, native), { id: "order-7" });
  return await handle.result().catch(toFailure);
}

Deno.test("runActivity() calls the function with its arguments, and it finds its context after an await", async () => {
  const seen = await outcome(async (...args) => {
    await Promise.resolve();
    const { activityId, activityType, attempt, workflowExecution, workflowType, ...info } = activityInfo();
    const { startToCloseTimeoutMs, scheduleToCloseTimeoutMs, inWorkflow, isLocal } = info;
    assertStrictEquals(Context.current().info, activityInfo());
    assertEquals(new TextDecoder().decode(info.taskToken), `${workflowExecution!.runId}:0`);
    assertEquals(info.base64TaskToken, btoa(`${workflowExecution!.runId}:0`));
    const times = [startToCloseTimeoutMs, scheduleToCloseTimeoutMs];
    return [
      args,
      activityId,
      activityType,
      attempt,
      workflowExecution!.workflowId,
      workflowType,
      times,
      inWorkflow,
      isLocal,
    ];
  });
  assertEquals(seen, [["a", 2], "1", "work", 1, "order-7", "order", [60_000, 0], true, false]);
});

Deno.test("runActivity() gives attempts that run at the same time contexts of their own", async () => {
  const body = (id: string) =>
    calling(async () => {
      await sleep(1);
      return activityInfo().activityId;
    }, { activityId: id });
  await using executor = new TestExecutor();
  const handles = await Promise.all(["a", "b", "c"].map((id) => executor.execute(body(id), { id })));
  assertEquals(await Promise.all(handles.map((handle) => handle.result())), ["a", "b", "c"]);
});

Deno.test("heartbeat() keeps its details for the next attempt", async () => {
  const seen: unknown[] = [];
  const result = await outcome(
    () => {
      seen.push(activityInfo().heartbeatDetails);
      if (activityInfo().attempt === 3) return "done";
      heartbeat({ row: activityInfo().attempt, at: new Date(0) });
      throw new Error("busy");
    },
    {},
    { retry: toNativeRetryPolicy() },
  );
  assertEquals(result, "done");
  const at = "1970-01-01T00:00:00.000Z";
  assertEquals(seen, [undefined, { row: 1, at }, { row: 2, at }]);
});

Deno.test("heartbeat() does nothing in a local activity, and throws when details cannot be converted", async () => {
  const failure = await outcome(() => heartbeat(1n)) as ApplicationFailure;
  assertEquals(failure.type, "ValueError");
  assertEquals(await outcome(() => heartbeat(1n), { isLocal: true }), undefined);
});

Deno.test("runActivity() makes application failures of errors, with the name of their class", async () => {
  class Declined extends Error {}
  const failure = await outcome(() => {
    throw new Declined("no", { cause: new RangeError("limit") });
  }) as ApplicationFailure;
  assertEquals([failure.message, failure.type, failure.nonRetryable], ["no", "Declined", false]);
  assertEquals((failure.cause as ApplicationFailure).type, "RangeError");
  assertEquals(failedActivity(failure), { name: "work", attempt: 1, workflowId: "order-7" });
});

Deno.test("runActivity() repeats attempts by the retry policy, the delay of a failure, and types that are not retryable", async () => {
  const delays = async (failure: (attempt: number) => Error) => {
    await using executor = new TestExecutor();
    const times: number[] = [];
    const fn = () => {
      times.push(executor.clock.now());
      throw failure(activityInfo().attempt);
    };
    const retry = toNativeRetryPolicy({ maximumAttempts: 4, nonRetryableErrorTypes: ["Fatal"] });
    const handle = await executor.execute(calling(fn, {}, { retry }));
    await handle.result().catch(() => {});
    return times;
  };
  assertEquals(await delays(() => new Error("busy")), [0, 1000, 3000, 7000]);
  assertEquals(await delays(() => ApplicationFailure.create({ nextRetryDelay: "10 s" })), [0, 10_000, 20_000, 30_000]);
  assertEquals(await delays((n) => n < 2 ? new Error("busy") : ApplicationFailure.create({ type: "Fatal" })), [
    0,
    1000,
  ]);
  assertEquals(await delays(() => ApplicationFailure.nonRetryable("final")), [0]);
});

/** Cancels a workflow as soon as its activity has begun, and returns what the activity made of it. */
async function whenCanceled(fn: (begun: () => void) => unknown): Promise<unknown> {
  await using executor = new TestExecutor();
  const { promise: begun, resolve } = Promise.withResolvers<void>();
  const { promise: seen, resolve: end } = Promise.withResolvers<unknown>();
  const handle = await executor.execute(calling(async () => {
    try {
      end(await fn(resolve));
    } catch (error) {
      end(error);
      throw error;
    }
  }));
  await begun;
  await executor.cancel(handle.id, "bored");
  await handle.result().catch(() => {});
  return await seen;
}

Deno.test("cancelled(), sleep() and cancellationSignal() tell of a cancellation, each with a CancelledFailure", async () => {
  const waits: (() => Promise<unknown>)[] = [
    cancelled,
    () => sleep("1 hour"),
    () => {
      const signal = cancellationSignal();
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    },
  ];
  for (const wait of waits) {
    const failure = await whenCanceled((begun) => {
      const waiting = wait();
      begun();
      return waiting;
    });
    assertInstanceOf(failure, CancelledFailure);
    assertEquals(failure.message, "CANCELLED");
  }
});

Deno.test("cancellationDetails() says why an attempt was cancelled, and sleep() rejects at once afterwards", async () => {
  const seen = await whenCanceled(async (begun) => {
    assertEquals(cancellationDetails(), undefined);
    const context = Context.current();
    begun();
    await context.cancelled.catch(() => {});
    await assertRejects(() => sleep(1), CancelledFailure);
    return context.cancellationDetails;
  });
  assertEquals(seen, new ActivityCancellationDetails({ cancelRequested: true }));
});

Deno.test("cancellationDetails() says that an attempt timed out", async () => {
  await using executor = new TestExecutor();
  const { promise: seen, resolve } = Promise.withResolvers<unknown>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const handle = await executor.execute(calling(
    async () => {
      const { cancelled } = Context.current();
      begin();
      await cancelled.catch((failure) => resolve([failure.message, cancellationDetails()?.timedOut]));
    },
    {},
    { timeoutMs: 5 },
  ));
  await begun;
  await executor.clock.advance(5);
  await handle.result().catch(() => {});
  assertEquals(await seen, ["TIMED_OUT", true]);
});

Deno.test("runActivity() is cancelled by the signal of the call, and takes an AbortError for the cancellation then", async () => {
  const controller = new AbortController();
  const failure = await outcome(async () => {
    const signal = cancellationSignal();
    controller.abort(new CancelledFailure("scope"));
    await Promise.resolve();
    if (signal.aborted) throw new DOMException("The operation was aborted", "AbortError");
  }, { signal: () => controller.signal });
  assertInstanceOf(failure, CancelledFailure);
  assertEquals(failure.message, "CANCELLED");
});

Deno.test("runActivity() makes application failures of a CancelledFailure and an AbortError without a cancellation", async () => {
  for (const error of [new CancelledFailure("mine"), new DOMException("mine", "AbortError")]) {
    const failure = await outcome(() => {
      throw error;
    });
    assertInstanceOf(failure, ApplicationFailure);
    assertEquals([failure.message, failure.nonRetryable], ["mine", false]);
  }
});

Deno.test("runActivity() refuses CompleteAsyncError with the way out", async () => {
  const failure = await outcome(() => {
    throw new CompleteAsyncError();
  }) as ApplicationFailure;
  assertEquals([failure.type, failure.nonRetryable], ["CompleteAsyncError", true]);
  assert(failure.message.startsWith('Cannot complete activity "work" later: '), failure.message);
});

Deno.test("log adds data that name the attempt, and interceptors change arguments, data and tags", async () => {
  const lines: [string, string, LogMetadata][] = [];
  const order: string[] = [];
  const result = await outcome((...args) => {
    log.info("hello", { own: 1 });
    metricMeter.createCounter("calls").add(1);
    return args;
  }, {
    host: {
      logger: toLogger((...line) => void lines.push(line)),
      interceptors: [
        (context) => ({
          inbound: {
            async execute(input, next) {
              order.push(`first ${context.info.activityType}`);
              return ["wrapped", await next({ ...input, args: [...input.args, "more"] })];
            },
          },
          outbound: { getLogAttributes: (data, next) => next({ ...data, tenant: "t" }) },
        }),
        () => ({ inbound: { execute: (input, next) => (order.push("second"), next(input)) } }),
      ],
    },
  });
  assertEquals(result, ["wrapped", ["a", 2, "more"]]);
  assertEquals(order, ["first work", "second"]);
  const [level, message, { sdkComponent, activityType, workflowId, tenant, own }] = lines[0];
  assertEquals([level, message, sdkComponent, activityType, workflowId, tenant, own], [
    "INFO",
    "hello",
    "activity",
    "work",
    "order-7",
    "t",
    1,
  ]);
});

Deno.test("the functions of an activity throw an IllegalStateError outside of one", async () => {
  const calls = [activityInfo, cancelled, cancellationSignal, cancellationDetails, heartbeat, getClient];
  const more = [() => sleep(1), () => log.info("x"), () => metricMeter.createCounter("x")];
  for (const call of [...calls, ...more]) {
    await assertRejects(async () => await call(), IllegalStateError, "the code runs outside of an activity");
  }
});

Deno.test("Context.client is that of the host, or throws", async () => {
  assertEquals(await outcome(() => getClient().name, { host: { client: { name: "mine" } } }), "mine");
  const failure = await outcome(() => getClient()) as ApplicationFailure;
  assertEquals(failure.type, "IllegalStateError");
});

Deno.test("an activity with heartbeats and retries survives a crash at every point", async () => {
  await crashTest(
    calling(
      (name: string) => {
        const { attempt } = activityInfo();
        heartbeat(attempt);
        if (attempt < 3) throw ApplicationFailure.create({ message: "busy", nextRetryDelay: "1 day" });
        return name;
      },
      {},
      { retry: toNativeRetryPolicy() },
    ),
    { check: ({ result }) => assertEquals(result, "a") },
  );
});

Deno.test("an activity that sleeps takes no time in a crash test when the host skips sleeps", async () => {
  const fn = async (name: string) => {
    await sleep("1 day");
    return name;
  };
  const workflow = calling(fn, { host: { skipSleeps: true } });
  await crashTest(workflow, { check: ({ result }) => assertEquals(result, "a") });
});

Deno.test("heartbeat() does not throw in an attempt that has timed out: its signal says so", async () => {
  await using executor = new TestExecutor();
  const { promise: seen, resolve } = Promise.withResolvers<unknown>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const activity = async () => {
    const { cancelled } = Context.current();
    begin();
    await cancelled.catch(() => {});
    try {
      resolve(heartbeat(1));
    } catch (error) {
      resolve(error);
    }
  };
  const handle = await executor.execute(calling(activity, {}, { timeoutMs: 5 }));
  await begun;
  await executor.clock.advance(5);
  await handle.result().catch(() => {});
  assertEquals(await seen, undefined);
});

Deno.test("runActivity() keeps a CancelledFailure of the activity itself when it is cancelled", async () => {
  const failure = await outcome(() => {
    throw new CancelledFailure("cleaned up", [7]);
  }, { signal: () => AbortSignal.abort(new CancelledFailure("scope")) }) as CancelledFailure;
  assertInstanceOf(failure, CancelledFailure);
  assertEquals([failure.message, failure.details], ["cleaned up", [7]]);
});

Deno.test("cancellationDetails() says that the worker ends when it has lost its lease, or is closed", async () => {
  for (const code of ["lease_lost", "closed"] as const) {
    const details = await outcome(() => ({ ...cancellationDetails() }), {
      signal: () => AbortSignal.abort(new WorkflowError(code, "of the test")),
    });
    assertEquals(details, { ...new ActivityCancellationDetails({ workerShutdown: true }) });
  }
});

Deno.test("cancellationDetails() says that the workflow is not found when it has ended, or was continued", async () => {
  const ends = [
    () => Promise.resolve(),
    (ctx: WorkflowContext, runs: number) => runs === 0 ? ctx.continueAsNew(1 as never) : Promise.resolve(),
  ];
  for (const end of ends) {
    await using executor = new TestExecutor();
    const { promise: seen, resolve } = Promise.withResolvers<unknown>();
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const activity = async () => {
      const { cancelled } = Context.current();
      begin();
      await cancelled.catch(() => resolve(cancellationDetails()));
    };
    const workflow = async (ctx: WorkflowContext, runs: number) => {
      if (runs === 0) {
        calling(activity)(ctx).catch(() => {});
        await ctx.sleep(5);
      }
      await end(ctx, runs);
    };
    await executor.execute(workflow, { input: 0 });
    await begun;
    await executor.clock.advance(5);
    assertEquals(await seen, new ActivityCancellationDetails({ notFound: true }));
  }
});

Deno.test("activityInfo() has the timeout of the whole call for an attempt that has none, and the time of the call", async () => {
  const times = await outcome(() => {
    const { scheduleToCloseTimeoutMs, startToCloseTimeoutMs, scheduledTimestampMs } = activityInfo();
    return [scheduleToCloseTimeoutMs, startToCloseTimeoutMs, scheduledTimestampMs];
  }, { options: { scheduleToCloseTimeout: "1 hour" }, scheduledAtMs: 7 });
  assertEquals(times, [3_600_000, 3_600_000, 7]);
});

Deno.test("cancellationSignal() is the same signal each time", async () => {
  assertEquals(await outcome(() => cancellationSignal() === cancellationSignal()), true);
});
