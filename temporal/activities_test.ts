import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { activityInfo, cancellationSignal, heartbeat } from "./activity/mod.ts";
import {
  type ActivityCancellationType,
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  executeChild,
  IllegalStateError,
  inWorkflowContext,
  proxyActivities,
  proxyLocalActivities,
  rootCause,
  scheduleActivity,
  sleep,
  TimeoutFailure,
} from "./mod.ts";
import { gate } from "../tests/support/executors.ts";
import { failure, once, result, run, untilCancelled } from "../tests/temporal/run.ts";

const MINUTE = { startToCloseTimeout: "1 minute" } as const;

Deno.test("proxyActivities() calls activities by their names, with copies of arguments and results", async () => {
  const { greet } = proxyActivities<{ greet(names: string[]): Promise<string[]> }>(MINUTE);
  const workflow = async () => {
    const answer = await greet(["Ada"]);
    answer.push("and Eve"); // what the history hands out is frozen
    return answer;
  };
  const activities = {
    greet(names: string[]) {
      names.push("Bob");
      return names;
    },
  };
  assertEquals(await result(workflow, { activities }), ["Ada", "Bob", "and Eve"]);
});

Deno.test("proxyActivities() refuses options without a timeout, and calls outside of a workflow", () => {
  assertThrows(() => proxyActivities({}), TypeError, '"startToCloseTimeout" or "scheduleToCloseTimeout" is required');
  const { act } = proxyActivities<{ act(): Promise<void> }>(MINUTE);
  assertThrows(() => act(), IllegalStateError, "Cannot call an activity: the code runs outside of a workflow");
});

Deno.test("proxyActivities() retries without a limit by default, with Temporal's delays", async () => {
  const { act } = proxyActivities<{ act(): Promise<string> }>(MINUTE);
  const activities = {
    act() {
      if (activityInfo().attempt < 4) throw new Error("not yet");
      return "done";
    },
  };
  const { result, state } = await run(() => act(), { activities });
  assertEquals([result, state.updatedAt - state.createdAt], ["done", 1000 + 2000 + 4000]);
});

Deno.test("executeWithOptions() takes precedence, also in the retry policy", async () => {
  const { act } = proxyActivities<{ act(n: number): Promise<string> }>({ ...MINUTE, retry: { maximumAttempts: 9 } });
  const activities = { act: (n: number) => Promise.reject(new Error(`${n} in attempt ${activityInfo().attempt}`)) };
  const workflow = () => act.executeWithOptions({ retry: { maximumAttempts: 2 } }, [7]);
  assertEquals(rootCause((await failure(workflow, { activities })).cause), "7 in attempt 2");
});

Deno.test("ActivityFailure has the failure of the activity as its cause", async () => {
  const { act } = proxyActivities<{ act(): Promise<void> }>(MINUTE);
  const activities = {
    act() {
      throw ApplicationFailure.nonRetryable("Declined", "CardError", { card: 7 });
    },
  };
  const workflow = async () => {
    const error = await act().catch((error) => error);
    assertInstanceOf(error, ActivityFailure);
    assertInstanceOf(error.cause, ApplicationFailure);
    const { type, details, nonRetryable } = error.cause;
    return [error.message, error.activityType, error.retryState, type, details, nonRetryable];
  };
  const retryState = "NON_RETRYABLE_FAILURE";
  assertEquals(await result(workflow, { activities }), [
    "Activity task failed",
    "act",
    retryState,
    "CardError",
    [{ card: 7 }],
    true,
  ]);
});

Deno.test("ApplicationFailure.nextRetryDelay decides when the next attempt begins", async () => {
  const { act } = proxyActivities<{ act(): Promise<number> }>(MINUTE);
  const activities = {
    act() {
      const { attempt } = activityInfo();
      if (attempt === 1) throw ApplicationFailure.create({ message: "busy", nextRetryDelay: "1 hour" });
      return attempt;
    },
  };
  const { result, state } = await run(() => act(), { activities });
  assertEquals([result, state.updatedAt - state.createdAt], [2, 3_600_000]);
});

Deno.test("RetryPolicy.nonRetryableErrorTypes ends the attempts", async () => {
  const retry = { nonRetryableErrorTypes: ["TypeError"] };
  const { act } = proxyActivities<{ act(): Promise<void> }>({ ...MINUTE, retry });
  const activities = { act: () => Promise.reject(new TypeError("bad")) };
  const { calls } = await run(() => act(), { activities, expectFailure: true });
  assertEquals(calls.length, 1);
});

Deno.test("startToCloseTimeout makes an attempt fail with a TimeoutFailure", async () => {
  const { hang } = proxyActivities<{ hang(): Promise<void> }>({
    startToCloseTimeout: 5,
    retry: { maximumAttempts: 1 },
  });
  const workflow = async () => {
    const { cause } = await hang().catch((error) => error);
    return [cause instanceof TimeoutFailure, cause.timeoutType];
  };
  const activities = { hang: () => untilCancelled(cancellationSignal()) };
  await once(workflow, { activities }, async (handle) => {
    assertEquals(await handle.result(), [true, "START_TO_CLOSE"]);
  });
});

Deno.test("proxyLocalActivities() calls activities that know that they are local", async () => {
  const { act } = proxyLocalActivities<{ act(): Promise<boolean> }>(MINUTE);
  assertEquals(await result(() => act(), { activities: { act: () => activityInfo().isLocal } }), true);
});

Deno.test("scheduleActivity() calls an activity by its name, and default stands for those that are missing", async () => {
  const workflow = () => scheduleActivity("missing", [1], MINUTE);
  const activities = { default: (n: number) => [activityInfo().activityType, n] };
  assertEquals(await result(workflow, { activities }), ["missing", 1]);
});

Deno.test("scheduleActivity() fails once if the host has no such activity, and says what it has", async () => {
  const options = { activities: { act: () => 1 }, expectFailure: true };
  const error = await failure(() => scheduleActivity("missing", [], MINUTE), options);
  const message = 'Cannot call activity "missing": "activities" has no such function; it has "act"';
  assertEquals((error.cause as Error).message, message);
});

Deno.test("scheduleActivity() in a cancelled scope rejects with the cancellation, and does not begin", async () => {
  const workflow = async () => {
    CancellationScope.current().cancel();
    return await scheduleActivity("act", [], MINUTE).then(() => "", String);
  };
  const { result, calls } = await run(workflow, { activities: { act: () => 1 } });
  assertEquals([result, calls.length], ["CancelledFailure: Cancellation scope cancelled", 0]);
});

/** Cancels an activity that runs, and cleans up before it ends. Returns what ended in which order. */
const cancelled = (cancellationType: ActivityCancellationType) => async () => {
  const { hang, act, open } = proxyActivities<Record<"hang" | "act" | "open", () => Promise<void>>>({
    ...MINUTE,
    cancellationType,
    retry: { maximumAttempts: 1 },
  });
  const ends: string[] = [];
  const scope = new CancellationScope();
  const call = scope.run(() => hang()).catch((error) => ends.push(`${error.message}: ${error.cause.message}`));
  await act();
  scope.cancel();
  await sleep(1);
  ends.push("open");
  await open();
  await call;
  return ends;
};
/** Stops when the test has opened its gate. */
function slowToStop() {
  const { promise, open } = gate();
  const hang = async () => {
    await untilCancelled(cancellationSignal()).catch(() => {});
    await promise;
    throw cancellationSignal().reason;
  };
  return { activities: { hang, act() {}, open: () => open() } };
}

Deno.test("ActivityCancellationType.TRY_CANCEL rejects at once", async () => {
  await once(cancelled("TRY_CANCEL"), slowToStop(), async (handle) => {
    assertEquals(await handle.result(), ["Activity cancelled: CANCELLED", "open"]);
  });
});

Deno.test("ActivityCancellationType.WAIT_CANCELLATION_COMPLETED waits for the end of the activity", async () => {
  await once(cancelled("WAIT_CANCELLATION_COMPLETED"), slowToStop(), async (handle) => {
    assertEquals(await handle.result(), ["open", "Activity cancelled: CANCELLED"]);
  });
});

Deno.test("ActivityCancellationType.ABANDON rejects at once, and the activity goes on", async () => {
  let isAborted: boolean | undefined;
  let signal: AbortSignal | undefined;
  const hang = () => untilCancelled(signal = cancellationSignal());
  const activities = { hang, act() {}, open: () => void (isAborted = signal?.aborted) };
  await once(cancelled("ABANDON"), { activities }, async (handle) => {
    assertEquals([await handle.result(), isAborted], [["Activity cancelled: CANCELLED", "open"], false]);
  });
});

Deno.test("an activity that a cancelled scope waits for may still complete", async () => {
  const { finish, act } = proxyActivities<{ finish(): Promise<string>; act(): Promise<void> }>(MINUTE);
  const workflow = async () => {
    const scope = new CancellationScope();
    const call = scope.run(() => finish());
    await act();
    scope.cancel();
    return await call;
  };
  const activities = {
    finish: () => new Promise((resolve) => cancellationSignal().addEventListener("abort", () => resolve("finished"))),
    act: () => {},
  };
  await once(workflow, { activities }, async (handle) => assertEquals(await handle.result(), "finished"));
});

Deno.test("a workflow that returns does not wait for an activity that it has not awaited", async () => {
  const { hang } = proxyActivities<{ hang(): Promise<void> }>(MINUTE);
  const workflow = async () => {
    void hang();
    await sleep(1);
    return "done";
  };
  await once(workflow, { activities: { hang: () => new Promise(() => {}) } }, async (handle) => {
    assertEquals(await handle.result(), "done");
  });
});

Deno.test("an activity that is cancelled while it waits for its next attempt has no further attempt", async () => {
  const { act } = proxyActivities<{ act(): Promise<void> }>({ ...MINUTE, retry: { initialInterval: "1 day" } });
  const workflow = async () => {
    const scope = new CancellationScope();
    const call = scope.run(() => act()).catch((error) => `${error.cause}`);
    await sleep("1 hour");
    scope.cancel();
    return await call;
  };
  const { result, calls, state } = await run(workflow, { activities: { act: () => Promise.reject(new Error("no")) } });
  assertEquals([result, calls.map(({ attempt }) => attempt)], ["CancelledFailure: CANCELLED", [1]]);
  assertEquals(state.updatedAt - state.createdAt, 3_600_000); // not when the attempt would be due
});

Deno.test("an activity that is cancelled before it begins fails at once", async () => {
  const { act, hold } = proxyActivities<Record<"act" | "hold", () => Promise<void>>>(MINUTE);
  const workflow = async () => {
    const first = hold();
    const scope = new CancellationScope();
    const call = scope.run(() => act()).catch((error) => `${error.message}: ${error.cause}`);
    scope.cancel();
    const ended = await call;
    await first;
    return ended;
  };
  const { result, calls } = await run(workflow, {
    activities: { act: () => 1, hold: () => {} },
    executor: { maxConcurrentActivities: 1 },
    compare: "outcomes", // after a crash it may have begun
  });
  assertEquals([result, calls.map(({ name }) => name)], ["Activity cancelled: CancelledFailure: CANCELLED", ["hold"]]);
});

Deno.test("activities of a cancelled scope that wait for their next attempts, and others, have the same outcome after a crash", async () => {
  const { act, other } = proxyActivities<Record<"act" | "other", () => Promise<string>>>({
    ...MINUTE,
    retry: { initialInterval: "1 hour" },
  });
  const workflow = async () => {
    const scope = new CancellationScope();
    const calls = scope.run(() => Promise.allSettled([act(), act()]));
    const kept = other();
    await sleep("10 minutes");
    scope.cancel();
    return [(await calls).map((call) => `${(call as PromiseRejectedResult).reason.cause}`), await kept];
  };
  const { result } = await run(workflow, {
    activities: {
      act: () => Promise.reject(new Error("no")),
      other: () => activityInfo().attempt > 1 ? Promise.resolve("done") : Promise.reject(new Error("no")),
    },
  });
  const cancelled = "CancelledFailure: CANCELLED";
  assertEquals(result, [[cancelled, cancelled], "done"]);
});

Deno.test("cancellationSignal() is aborted if an activity asks for it after its cancellation", async () => {
  const { late, act, open } = proxyActivities<Record<"late" | "act" | "open", () => Promise<unknown>>>(MINUTE);
  const workflow = async () => {
    const scope = new CancellationScope();
    const call = scope.run(() => late());
    await act();
    scope.cancel();
    await open();
    return await call;
  };
  const { promise, open: opened } = gate();
  const activities = {
    late: () => promise.then(() => [cancellationSignal().aborted, `${cancellationSignal().reason}`]),
    act: () => {},
    open: () => opened(),
  };
  await once(workflow, { activities }, async (handle) => {
    assertEquals(await handle.result(), [true, "CancelledFailure: CANCELLED"]);
  });
});

Deno.test("activityInfo().activityId is the number of the call, or the option activityId", async () => {
  const { act, fail } = proxyActivities<Record<"act" | "fail", () => Promise<string>>>(MINUTE);
  const workflow = async () => [
    await act(),
    await act(),
    await scheduleActivity("act", [], { ...MINUTE, activityId: "mine" }),
    await fail().catch((error) => error.activityId),
  ];
  const activities = {
    act: () => activityInfo().activityId,
    fail() {
      throw ApplicationFailure.nonRetryable("no");
    },
  };
  assertEquals(await result(workflow, { activities }), ["1", "2", "mine", "4"]);
});

Deno.test("heartbeatTimeout makes an attempt without a heartbeat fail with a TimeoutFailure", async () => {
  const { hang } = proxyActivities<{ hang(): Promise<void> }>({
    ...MINUTE,
    heartbeatTimeout: 5,
    retry: { maximumAttempts: 1 },
  });
  const workflow = () => hang().catch(({ cause }) => [cause.timeoutType, cause.lastHeartbeatDetails]);
  const activities = {
    hang() {
      heartbeat({ row: 7 });
      return untilCancelled(cancellationSignal());
    },
  };
  await once(workflow, { activities }, async (handle) => {
    assertEquals(await handle.result(), ["HEARTBEAT", { row: 7 }]);
  });
});

Deno.test("scheduleToCloseTimeout ends the attempts", async () => {
  const { act } = proxyActivities<{ act(): Promise<void> }>({ scheduleToCloseTimeout: "10 seconds" });
  const workflow = () => act().catch((error) => [error.retryState, error.cause.timeoutType]);
  const { result, calls, state } = await run(workflow, { activities: { act: () => Promise.reject(new Error("no")) } });
  assertEquals([result, calls.length], [["TIMEOUT", "SCHEDULE_TO_CLOSE"], 4]); // at 0, 1, 3 and 7 seconds
  assertEquals(state.updatedAt - state.createdAt, 10_000);
});

Deno.test("ActivityFailure.retryState is MAXIMUM_ATTEMPTS_REACHED after the last attempt of the policy", async () => {
  const { act } = proxyActivities<{ act(): Promise<void> }>({ ...MINUTE, retry: { maximumAttempts: 2 } });
  const activities = { act: () => Promise.reject(new Error("no")) };
  assertEquals(
    await result(() => act().catch((error) => error.retryState), { activities }),
    "MAXIMUM_ATTEMPTS_REACHED",
  );
});

Deno.test("scheduleActivity() does not find what every object has", async () => {
  const workflow = () => scheduleActivity("toString", [], MINUTE).catch((error) => error.cause.type);
  assertEquals(await result(workflow, { activities: { act: () => 1 } }), "TypeError");
});

Deno.test("an activity runs outside of its workflow, and gets the task queue of it", async () => {
  const { act } = proxyActivities<{ act(): Promise<unknown> }>(MINUTE);
  const activities = { act: () => [inWorkflowContext(), activityInfo().taskQueue] };
  const workflow = async () => [await act(), await executeChild("child", { taskQueue: "other" })];
  const others = { child: () => act() };
  assertEquals(await result(workflow, { activities, others }), [[false, "default"], [false, "other"]]);
});

Deno.test("executeWithOptions() keeps what its retry policy does not say", async () => {
  const { act } = proxyActivities<{ act(): Promise<void> }>({ ...MINUTE, retry: { maximumAttempts: 2 } });
  const activities = { act: () => Promise.reject(new Error("no")) };
  const workflow = () => act.executeWithOptions({ retry: { initialInterval: "1 hour" } }, []).catch(String);
  const { calls, state } = await run(workflow, { activities });
  assertEquals([calls.length, state.updatedAt - state.createdAt], [2, 3_600_000]);
});

Deno.test("activityInfo() has the timeouts of the call, and when it was scheduled", async () => {
  const { act } = proxyActivities<{ act(): Promise<unknown> }>({ scheduleToCloseTimeout: "1 minute" });
  const activities = {
    act() {
      const { startToCloseTimeoutMs, scheduleToCloseTimeoutMs, scheduledTimestampMs } = activityInfo();
      return [startToCloseTimeoutMs, scheduleToCloseTimeoutMs, scheduledTimestampMs];
    },
  };
  const { result, state } = await run(() => act(), { activities });
  assertEquals(result, [60_000, 60_000, state.createdAt]);
});

Deno.test("an activity that fails for another reason when it is cancelled has no further attempt", async () => {
  let attempts = 0;
  const hang = async () => {
    attempts++;
    await untilCancelled(cancellationSignal()).catch(() => {
      throw new Error("cannot clean up");
    });
  };
  const calls = proxyActivities<{ hang(): Promise<void>; act(): Promise<void> }>({ startToCloseTimeout: "1 hour" });
  const workflow = async () => {
    const scope = new CancellationScope();
    const call = scope.run(() => calls.hang());
    await calls.act();
    scope.cancel();
    return await call.catch(({ cause }) => cause.message);
  };
  await once(workflow, { activities: { hang, act: () => {} } }, async (handle) => {
    assertEquals([await handle.result(), attempts], ["cannot clean up", 1]);
  });
});
