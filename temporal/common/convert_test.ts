import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import {
  CanceledError,
  failedActivity,
  NonRetryableError,
  RetryAfterError,
  TimeoutError,
  WorkflowError,
} from "../../errors.ts";
import { Executor } from "../../executor.ts";
import { InMemoryStore } from "../../store.ts";
import type { WorkflowContext } from "../../context.ts";
import { fromErrorRecord, toErrorRecord } from "../../history/error_record.ts";
import { isRetryable, toActivityFailure, toChildFailure, toFailure, toThrown } from "./convert.ts";
import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  ChildWorkflowFailure,
  NexusOperationFailure,
  type Payload,
  RetryState,
  ServerFailure,
  TemporalFailure,
  TerminatedFailure,
  TimeoutFailure,
  WorkflowExecutionAlreadyStartedError,
} from "./mod.ts";
import { valueConverter } from "./value_converter.ts";

const { toStored } = valueConverter("json");

/** An error as a store that keeps JSON hands it out. */
const throughJson = (error: unknown): unknown =>
  fromErrorRecord(JSON.parse(JSON.stringify(toErrorRecord(error), (_, value) => value ?? null)));

/** What equal failures have in common, causes included. */
function parts(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const data = Object.fromEntries(Object.entries(error).filter(([, value]) => value != null));
  const { constructor: { name }, message, cause } = error;
  return { class: name, message, ...data, cause: parts(cause) };
}

const root = new ApplicationFailure("Declined", "Card", true, [{ code: 7 }, "x"], undefined, "1 minute", "BENIGN");
const FAILURES: TemporalFailure[] = [
  root,
  new TemporalFailure("x", root),
  new ServerFailure("x", true, root),
  new CancelledFailure("x", [1, 2], root),
  new TerminatedFailure("x", root),
  new TimeoutFailure("x", { progress: 3 }, "HEARTBEAT"),
  new ActivityFailure("x", "pay", "1", RetryState.TIMEOUT, "me", root),
  new ChildWorkflowFailure("default", { workflowId: "a", runId: "b" }, "child", RetryState.RETRY_POLICY_NOT_SET, root),
  new NexusOperationFailure("x", 1, "endpoint", "service", "operation", "token", root),
  new WorkflowExecutionAlreadyStartedError("x", "a", "child"),
];

for (const failure of FAILURES) {
  Deno.test(`toFailure() makes a stored ${failure.name} again, with its causes`, () => {
    for (const stored of [fromErrorRecord(toErrorRecord(failure)), throughJson(failure)]) {
      assert(!(stored instanceof TemporalFailure));
      const again = toFailure(stored);
      assertEquals(parts(again), parts(failure));
      assertEquals(again.stack, failure.stack);
    }
  });
}

Deno.test("toFailure() returns a failure as it is when its causes are failures", () => {
  for (const failure of FAILURES) assertStrictEquals(toFailure(failure), failure);
});

Deno.test("toFailure() makes application failures of other errors and of their causes", () => {
  const failure = toFailure(new RangeError("Too large", { cause: new TypeError("No number") })) as ApplicationFailure;
  assertEquals([failure.message, failure.type], ["Too large", "RangeError"]);
  assertEquals((failure.cause as ApplicationFailure).type, "TypeError");
  assertEquals(toFailure("text").message, "text");
  const outer = toFailure(ApplicationFailure.create({ message: "outer", cause: new TypeError("inner") }));
  assertInstanceOf(outer.cause, ApplicationFailure);
});

Deno.test("toFailure() keeps the name of a class of the user over the history", () => {
  class Declined extends Error {}
  const error = new Declined("no");
  assertEquals((toFailure(error) as ApplicationFailure).type, "Declined");
  const stored = fromErrorRecord(toErrorRecord(toThrown(error, toStored)));
  assertEquals((toFailure(stored) as ApplicationFailure).type, "Declined");
});

Deno.test("toFailure() makes failures of the errors of this package", () => {
  const timeout = (option?: string) => toFailure(Object.assign(new TimeoutError("late", 5), option && { option }));
  assertEquals((timeout("totalTimeoutMs") as TimeoutFailure).timeoutType, "SCHEDULE_TO_CLOSE");
  assertEquals((timeout("timeoutMs") as TimeoutFailure).timeoutType, "START_TO_CLOSE");
  assertEquals((timeout("heartbeatTimeoutMs") as TimeoutFailure).timeoutType, "HEARTBEAT");
  assertEquals((timeout() as TimeoutFailure).timeoutType, "START_TO_CLOSE"); // of a workflow
  const late = toFailure(new TimeoutError("x", 5, { cause: new RangeError("last") }));
  assertEquals((late.cause as ApplicationFailure).type, "RangeError");
  assertInstanceOf(toFailure(new CanceledError("Canceled run", "bored")), CancelledFailure);
  assertInstanceOf(toFailure(new WorkflowError("terminated", "Terminated")), TerminatedFailure);
  const final = toFailure(new NonRetryableError("final")) as ApplicationFailure;
  assertEquals([final.type, final.nonRetryable], ["NonRetryableError", true]);
  const later = toFailure(new RetryAfterError("later", 5)) as ApplicationFailure;
  assertEquals([later.type, later.nextRetryDelay], ["RetryAfterError", 5]);
  assertEquals((toFailure(new WorkflowError("not_found", "Gone")) as ApplicationFailure).type, "WorkflowError");
});

Deno.test("toFailure() ends with a chain of causes that is a circle", () => {
  const error = new Error("a", { cause: new Error("b") });
  (error.cause as Error).cause = error;
  let depth = 0;
  for (let at: unknown = toFailure(error); at instanceof Error; at = at.cause) depth++;
  assert(depth > 1 && depth < 50);
});

Deno.test("toThrown() copies details into what can be stored", () => {
  const failure = ApplicationFailure.create({
    message: "x",
    details: [{ at: new Date(0), call() {} }],
    cause: ApplicationFailure.nonRetryable("y", "z", { call() {} }),
  });
  const thrown = toThrown(failure, toStored) as ApplicationFailure;
  assertEquals(thrown.details, [{ at: "1970-01-01T00:00:00.000Z" }]);
  assertEquals((thrown.cause as ApplicationFailure).details, [{}]);
  assertEquals(thrown.stack, failure.stack);
});

Deno.test("toThrown() wraps a failure with a delay of its own, and toFailure() unwraps it", () => {
  const failure = ApplicationFailure.create({ message: "busy", type: "Busy", nextRetryDelay: "2s" });
  const thrown = toThrown(failure, toStored) as RetryAfterError;
  assertEquals([thrown.name, thrown.message, thrown.delayMs], ["RetryAfterError", "busy", 2000]);
  assertEquals(parts(toFailure(fromErrorRecord(toErrorRecord(thrown)))), parts(failure));
  const final = ApplicationFailure.create({ nonRetryable: true, nextRetryDelay: "2s" });
  assertStrictEquals(toThrown(final, toStored), final);
});

Deno.test("toActivityFailure() says which activity failed and why it is not repeated", () => {
  const of = (error: unknown, retry = {}) => toActivityFailure(error, { activityType: "pay", activityId: "3", retry });
  const failure = of(root);
  assertEquals([failure.message, failure.activityType, failure.activityId], ["Activity task failed", "pay", "3"]);
  assertStrictEquals(failure.cause, root);
  const timeout = (option: string) => Object.assign(new TimeoutError("late", 5), { option });
  assertEquals(failure.retryState, "NON_RETRYABLE_FAILURE");
  assertEquals(of(new RangeError(), { nonRetryableErrorTypes: ["RangeError"] }).retryState, "NON_RETRYABLE_FAILURE");
  assertEquals(of(new RangeError(), { maximumAttempts: 1 }).retryState, "MAXIMUM_ATTEMPTS_REACHED");
  assertEquals(of(timeout("totalTimeoutMs")).retryState, "TIMEOUT");
  assertEquals(of(timeout("timeoutMs"), { maximumAttempts: 1 }).retryState, "MAXIMUM_ATTEMPTS_REACHED");
  assertEquals(of(new CanceledError("stop")).retryState, "CANCEL_REQUESTED");
  assertEquals(of(timeout("totalTimeoutMs")).message, "Activity task timed out");
});

Deno.test("toChildFailure() says which child failed, with its failure as the cause", () => {
  const execution = { workflowId: "a", runId: "b" };
  const failure = toChildFailure(new WorkflowError("terminated", "x"), { workflowType: "child", execution });
  assertEquals(failure.message, "Child Workflow execution failed");
  assertEquals([failure.workflowType, failure.namespace, failure.execution], ["child", "default", execution]);
  assertInstanceOf(failure.cause, TerminatedFailure);
});

Deno.test("toChildFailure() says why a child with a retry policy was not repeated", () => {
  const retryState = (error: Error, retry: { maximumAttempts?: number; nonRetryableErrorTypes?: string[] }) =>
    toChildFailure(error, { workflowType: "child", execution: { workflowId: "a", runId: "b" }, retry }).retryState;
  const failure = ApplicationFailure.retryable("no", "Down");
  assertEquals(retryState(failure, { maximumAttempts: 3 }), RetryState.MAXIMUM_ATTEMPTS_REACHED);
  assertEquals(retryState(failure, { nonRetryableErrorTypes: ["Down"] }), RetryState.NON_RETRYABLE_FAILURE);
  assertEquals(retryState(ApplicationFailure.nonRetryable("no"), {}), RetryState.NON_RETRYABLE_FAILURE);
  assertEquals(retryState(new CancelledFailure("no"), { maximumAttempts: 3 }), RetryState.CANCEL_REQUESTED);
});

Deno.test("failures pass from an activity over a child and its parent to a client, live and from the store", async () => {
  async function pay() {
    await Promise.resolve();
    throw toThrown(ApplicationFailure.nonRetryable("Declined", "Card", { code: 7 }), toStored);
  }
  async function child(ctx: WorkflowContext) {
    try {
      await ctx.executeActivity(pay);
    } catch (error) {
      throw toThrown(toActivityFailure(error, { activityType: "pay", activityId: "1" }), toStored);
    }
  }
  async function parent(ctx: WorkflowContext) {
    try {
      await ctx.executeChild(child, { id: "child" });
    } catch (error) {
      throw toThrown(
        toChildFailure(error, { workflowType: "child", execution: { workflowId: "child", runId: "r" } }),
        toStored,
      );
    }
  }
  const store = new InMemoryStore();
  await using executor = new Executor({ store });
  const handle = await executor.execute(parent, { id: "parent" });
  const live = toFailure(await handle.result().catch((error) => error));
  await using other = new Executor({ store: InMemoryStore.restore(await store.snapshot()) });
  const stored = toFailure(await (await other.handle("parent")).result().catch((error: unknown) => error));
  for (const failure of [live, stored]) {
    assertInstanceOf(failure, ChildWorkflowFailure);
    const activity = failure.cause as ActivityFailure;
    assertInstanceOf(activity, ActivityFailure);
    assertEquals([activity.activityType, activity.retryState], ["pay", "NON_RETRYABLE_FAILURE"]);
    const cause = activity.cause as ApplicationFailure;
    assertInstanceOf(cause, ApplicationFailure);
    assertEquals([cause.message, cause.type, cause.details], ["Declined", "Card", [{ code: 7 }]]);
    assertEquals(failedActivity(activity)?.name, "pay");
  }
});

Deno.test("toFailure() reads the details that a payload converter wrote, and those of causes", () => {
  class Money {
    readonly cents: number;
    constructor(cents: number) {
      this.cents = cents;
    }
  }
  const { toStored, fromStored } = valueConverter({
    toPayload: (value) => ({
      metadata: { encoding: new TextEncoder().encode("money") },
      data: new Uint8Array([(value as Money).cents]),
    }),
    fromPayload: <T>({ data }: Payload) => new Money(data![0]) as T,
  });
  const cause = ApplicationFailure.nonRetryable("inner", "Inner", new Money(1));
  const thrown = toThrown(ApplicationFailure.create({ details: [new Money(7)], cause }), toStored);
  const again = toFailure(fromErrorRecord(toErrorRecord(thrown)), fromStored) as ApplicationFailure;
  assertEquals([again.details, (again.cause as ApplicationFailure).details], [[new Money(7)], [new Money(1)]]);
  assertStrictEquals(toFailure(again, fromStored), again);
});

Deno.test("toActivityFailure() has the last details of heartbeats when an activity timed out", () => {
  const error = new TimeoutError('Activity "a" timed out after 5 ms without a heartbeat in attempt 1', 5);
  Object.assign(error, { option: "heartbeatTimeoutMs", heartbeatDetails: { row: 3 } });
  const stored = fromErrorRecord(toErrorRecord(error));
  const cause = toActivityFailure(stored, { activityType: "a", activityId: "1" }).cause as TimeoutFailure;
  assertEquals([cause.timeoutType, cause.lastHeartbeatDetails], ["HEARTBEAT", { row: 3 }]);
});

Deno.test("isRetryable() is false for what another attempt does not change", () => {
  const timeout = (type: "START_TO_CLOSE" | "SCHEDULE_TO_CLOSE" | "HEARTBEAT") =>
    new TimeoutFailure("x", undefined, type);
  assertEquals(
    [timeout("START_TO_CLOSE"), timeout("HEARTBEAT"), timeout("SCHEDULE_TO_CLOSE")].map((f) => isRetryable(f)),
    [
      true,
      true,
      false,
    ],
  );
  assertEquals([new ServerFailure("x", true), new ServerFailure("x", false)].map((f) => isRetryable(f)), [false, true]);
  assertEquals([new CancelledFailure("x"), new TerminatedFailure("x")].map((f) => isRetryable(f)), [false, false]);
});

Deno.test("toThrown() takes a negative nextRetryDelay as none", () => {
  const thrown = toThrown(ApplicationFailure.create({ nextRetryDelay: -5 }), toStored);
  assertInstanceOf(thrown, RetryAfterError);
  assertEquals(thrown.delayMs, 0);
});

Deno.test("toChildFailure() says that a child was cancelled", () => {
  const child = { workflowType: "child", execution: { workflowId: "c" } };
  assertEquals(toChildFailure(new CancelledFailure("x"), child).retryState, RetryState.CANCEL_REQUESTED);
  assertEquals(toChildFailure(new ServerFailure("x", true), child).retryState, RetryState.RETRY_POLICY_NOT_SET);
});

Deno.test("toFailure() keeps the words of a RetryAfterError that has another failure as its cause", () => {
  const cause = ApplicationFailure.nonRetryable("full");
  const failure = toFailure(new RetryAfterError("later", 5, { cause })) as ApplicationFailure;
  assertEquals([failure.message, failure.nextRetryDelay], ["later", 5]);
  assertStrictEquals(failure.cause, cause);
});

Deno.test("toThrown() copies the details of a cause when the failure itself has none", () => {
  const cause = ApplicationFailure.nonRetryable("full", "Full", { at: new Date(0) });
  const thrown = toThrown(ApplicationFailure.create({ message: "failed", cause }), toStored) as ApplicationFailure;
  assertEquals((thrown.cause as ApplicationFailure).details, [{ at: "1970-01-01T00:00:00.000Z" }]);
});

Deno.test("toActivityFailure() says that the activity was cancelled", () => {
  const failure = toActivityFailure(new CanceledError("stop"), { activityType: "pay", activityId: "3" });
  assertEquals(failure.message, "Activity cancelled");
});
