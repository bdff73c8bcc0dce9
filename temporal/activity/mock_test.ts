import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { ActivityCancellationDetails, CancelledFailure, IllegalStateError, type LogMetadata } from "../common/mod.ts";
import { toLogger } from "../common/logger.ts";
import {
  activityInfo,
  cancellationDetails,
  Context,
  defaultActivityInfo,
  getClient,
  heartbeat,
  log,
  MockActivityEnvironment,
  sleep,
} from "./mod.ts";

Deno.test("MockActivityEnvironment.run() calls an activity with its arguments and returns what it returns", async () => {
  const env = new MockActivityEnvironment({ attempt: 2, heartbeatDetails: 7 });
  const sum = async (a: number, b: number) => await Promise.resolve(a + b + activityInfo().heartbeatDetails);
  assertEquals(await env.run(sum, 1, 2), 10);
  assertStrictEquals(await env.run(async () => await Promise.resolve(Context.current())), env.context);
  assertEquals(env.context.info, { ...defaultActivityInfo, attempt: 2, heartbeatDetails: 7 });
});

Deno.test("MockActivityEnvironment.run() rejects with the error of the activity itself", async () => {
  const error = new RangeError("mine");
  const env = new MockActivityEnvironment();
  assertStrictEquals(await env.run(() => Promise.reject(error)).catch((error) => error), error);
});

Deno.test("MockActivityEnvironment emits each heartbeat", async () => {
  const env = new MockActivityEnvironment();
  const beats: unknown[] = [];
  env.on("heartbeat", (details) => beats.push(details));
  await env.run(async () => {
    heartbeat(1);
    await Promise.resolve();
    heartbeat({ two: 2 });
    heartbeat();
  });
  assertEquals(beats, [1, { two: 2 }, undefined]);
});

Deno.test("MockActivityEnvironment.cancel() cancels what runs and what runs later, with the first reason", async () => {
  const env = new MockActivityEnvironment();
  const running = env.run(() => sleep("1 hour"));
  env.cancel("TIMED_OUT", new ActivityCancellationDetails({ timedOut: true }));
  env.cancel();
  await assertRejects(() => running, CancelledFailure, "TIMED_OUT");
  await assertRejects(() => env.run(() => Context.current().cancelled), CancelledFailure, "TIMED_OUT");
  assertEquals(await env.run(async () => await Promise.resolve(cancellationDetails()?.timedOut)), true);
});

Deno.test("MockActivityEnvironment gives activities its logger and its client", async () => {
  const lines: string[] = [];
  const logger = toLogger((level, message, meta) => void lines.push(`${level} ${message} ${meta.activityId}`));
  const env = new MockActivityEnvironment({}, { logger, client: { name: "mine" } });
  assertEquals(
    await env.run(async () => {
      log.warn("careful");
      return await Promise.resolve(getClient().name);
    }),
    "mine",
  );
  assertEquals(lines, ["WARN careful test"]);
  await assertRejects(
    () => new MockActivityEnvironment().run(async () => await getClient()),
    IllegalStateError,
    "Cannot get the client of an activity",
  );
});

Deno.test("MockActivityEnvironment with skipSleeps lets sleep() take no time, and cancels it", async () => {
  const env = new MockActivityEnvironment({}, { skipSleeps: true });
  const poll = async (): Promise<void> => {
    for (let round = 1;; round++) {
      await sleep("1 day");
      heartbeat(round);
    }
  };
  const rounds: number[] = [];
  env.on("heartbeat", (round) => rounds.push(round) === 30 && env.cancel());
  await assertRejects(() => env.run(poll), CancelledFailure, "CANCELLED");
  assertEquals(rounds.length, 30);
});

Deno.test("log names the run of an activity that runs on its own, and no workflow", async () => {
  let data: LogMetadata = {};
  const logger = toLogger((_level, _message, meta) => void (data = meta));
  const env = new MockActivityEnvironment({ inWorkflow: false, activityRunId: "r" }, { logger });
  await env.run(() => Promise.resolve(log.info("hello")));
  assertEquals([data.activityRunId, "workflowId" in data, "workflowType" in data], ["r", false, false]);
});
