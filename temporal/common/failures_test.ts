import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  ChildWorkflowFailure,
  createPayloadValidationError,
  ensureApplicationFailure,
  ensureTemporalFailure,
  RetryState,
  rootCause,
  TemporalFailure,
  TerminatedFailure,
  TimeoutFailure,
} from "./mod.ts";

Deno.test("ApplicationFailure.create() sets each part, and nonRetryable to false when it is left out", () => {
  const cause = new Error("Offline");
  const failure = ApplicationFailure.create({
    message: "Declined",
    type: "Card",
    details: [7],
    nextRetryDelay: "1 minute",
    cause,
    category: "BENIGN",
  });
  const { message, type, nonRetryable, details, nextRetryDelay, category } = failure;
  assertEquals({ message, type, nonRetryable, details, nextRetryDelay, category }, {
    message: "Declined",
    type: "Card",
    nonRetryable: false,
    details: [7],
    nextRetryDelay: "1 minute",
    category: "BENIGN",
  });
  assertStrictEquals(failure.cause, cause);
  assertEquals(`${failure}`, "ApplicationFailure: Declined");
});

Deno.test("ApplicationFailure.retryable() and nonRetryable() take details one by one, and have the type Error when none is given", () => {
  const retryable = ApplicationFailure.retryable("busy", undefined, 1, "two");
  assertEquals([retryable.type, retryable.nonRetryable, retryable.details], ["Error", false, [1, "two"]]);
  const final = ApplicationFailure.nonRetryable("gone", "Gone");
  assertEquals([final.type, final.nonRetryable, final.details], ["Gone", true, []]);
});

Deno.test("ApplicationFailure.fromError() keeps message, class, stack and cause of the error, except what is replaced", () => {
  const error = new RangeError("Too large", { cause: new Error("Root") });
  const failure = ApplicationFailure.fromError(error, { nonRetryable: true, details: ["x"] });
  assertEquals([failure.message, failure.type, failure.nonRetryable], ["Too large", "RangeError", true]);
  assertEquals([failure.details, failure.stack, failure.cause], [["x"], error.stack, error.cause as Error]);
});

Deno.test("ensureApplicationFailure() makes failures of errors, objects and other values, and returns failures as they are", () => {
  class Declined extends Error {}
  assertEquals(ensureApplicationFailure(new Declined("no")).type, "Declined");
  assertEquals(ensureApplicationFailure({ message: "plain" }).message, "plain");
  const text = ensureApplicationFailure("text");
  assertEquals([text.message, text.type ?? undefined], ["text", undefined]);
  assertStrictEquals(ensureApplicationFailure(text), text);
});

Deno.test("ensureTemporalFailure() returns any failure as it is", () => {
  const failure = new CancelledFailure("stop");
  assertStrictEquals(ensureTemporalFailure(failure), failure);
  assertInstanceOf(ensureTemporalFailure(new Error("x")), ApplicationFailure);
});

Deno.test("rootCause() returns the message of the last cause of a failure, and of other errors their own", () => {
  const root = ApplicationFailure.create({ message: "root" });
  const activity = new ActivityFailure("failed", "pay", "1", RetryState.TIMEOUT, undefined, root);
  assertEquals(rootCause(new ChildWorkflowFailure("default", {}, "child", RetryState.TIMEOUT, activity)), "root");
  assertEquals(rootCause(new Error("own", { cause: root })), "own");
  assertEquals(rootCause("text"), "text");
  assertEquals(rootCause(undefined), undefined);
});

Deno.test("createPayloadValidationError() has one detail, or none for null and undefined", () => {
  assertEquals(createPayloadValidationError("bad").details, ["bad"]);
  assertEquals(createPayloadValidationError(null).details, []);
  assertEquals(createPayloadValidationError("bad").nonRetryable, true);
});

Deno.test("failures have the name of their class, which is no data of theirs", () => {
  const failures = [
    new TemporalFailure("x"),
    new CancelledFailure("x"),
    new TerminatedFailure("x"),
    new TimeoutFailure("x", undefined, "HEARTBEAT"),
  ];
  assertEquals(failures.map(({ name }) => name), [
    "TemporalFailure",
    "CancelledFailure",
    "TerminatedFailure",
    "TimeoutFailure",
  ]);
  assertEquals(Object.keys(failures[3]), ["lastHeartbeatDetails", "timeoutType"]);
  assert(!("cause" in failures[0]));
});

/** A failure of another copy of the SDK. */
function otherCopy(kinds: string[], data: object): Error {
  const marks = kinds.map((kind) => [Symbol.for(`__temporal_is${kind}`), true]);
  return Object.assign(new Error("declined"), { name: kinds[0], ...Object.fromEntries(marks) }, data);
}

Deno.test("failures of another copy of the SDK are instances of the classes, and keep their data", () => {
  const failure = otherCopy(["ApplicationFailure", "TemporalFailure"], { type: "Declined", nonRetryable: true });
  assert(failure instanceof ApplicationFailure);
  assert(failure instanceof TemporalFailure);
  assertEquals(failure instanceof CancelledFailure, false);
  assertEquals(ensureApplicationFailure(failure), failure);
});

Deno.test("a subclass of a failure has its own instances only", () => {
  class Declined extends ApplicationFailure {}
  assert(new Declined("no") instanceof ApplicationFailure);
  assert(new Declined("no") instanceof Declined);
  assertEquals(new ApplicationFailure("no") instanceof Declined, false);
  assertEquals((null as unknown as object) instanceof ApplicationFailure, false);
});
