/** Hooks as pure functions; how an executor uses them is in `tests/executor/hooks_test.ts`. */

import { assertEquals, assertInstanceOf, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { composeHooks, type Hooks, type RunInfo, type WorkflowStartedEvent } from "@rockpool/workflow";

const event: WorkflowStartedEvent = { type: "workflow_started", at: 1, workflowName: "w" };
const run: RunInfo = {
  workflowId: "a",
  runId: "1",
  workflowName: "w",
  workflowVersion: undefined,
  startedAt: 1,
  labels: {},
  headers: {},
  parent: undefined,
};

/** Calls composed hooks with the start of a workflow. */
const tell = (...sets: Hooks[]): unknown => composeHooks(...sets).workflowStarted!(event, run);

const throwing = (error: unknown) => ({
  workflowStarted: () => {
    throw error;
  },
});

Deno.test("composeHooks() calls every set in order, with the event and the run", () => {
  const log: unknown[] = [];
  const set = (name: string): Hooks => ({ workflowStarted: (...told) => log.push(name, told) });
  assertEquals(tell(set("a"), {}, set("b")), undefined);
  assertEquals(log, ["a", [event, run], "b", [event, run]]);
});

Deno.test("composeHooks() has the hooks that any set has, and no others", () => {
  const hooks = composeHooks({ signalReceived() {} }, { activityFailed() {}, signalReceived: undefined }, {});
  assertEquals(Object.keys(hooks).sort(), ["activityFailed", "signalReceived"]);
  assertEquals(composeHooks(), {});
});

Deno.test("composeHooks() knows every hook", () => {
  const names: Record<keyof Hooks, true> = {
    workflowStarted: true,
    workflowCompleted: true,
    workflowFailed: true,
    workflowCanceled: true,
    labelsChanged: true,
    cancelRequested: true,
    activityStarted: true,
    activityCompleted: true,
    activityFailed: true,
    activityAttemptFailed: true,
    activityHeartbeat: true,
    timerStarted: true,
    timerFired: true,
    signalReceived: true,
    updateRequested: true,
    updateAccepted: true,
    updateRejected: true,
    updateCompleted: true,
    childStarted: true,
    childBegun: true,
    childAttemptFailed: true,
    childCompleted: true,
    childFailed: true,
    sideEffect: true,
    compensationStarted: true,
    patched: true,
    workflowReplayed: true,
    messagesUnhandled: true,
  };
  const set = Object.fromEntries(Object.keys(names).map((name) => [name, () => {}]));
  assertEquals(Object.keys(composeHooks(set)).sort(), Object.keys(names).sort());
});

Deno.test("composeHooks() calls the methods of a class, inherited ones too, on their object", () => {
  class Counter implements Hooks {
    count = 0;
    workflowStarted() {
      this.count++;
    }
  }
  class Heir extends Counter {}
  const heir = new Heir();
  tell(heir);
  assertEquals(heir.count, 1);
});

Deno.test("composeHooks() can be composed again", () => {
  const log: string[] = [];
  const set = (name: string): Hooks => ({ workflowStarted: () => log.push(name) });
  tell(composeHooks(set("a"), set("b")), set("c"));
  assertEquals(log, ["a", "b", "c"]);
});

Deno.test("composeHooks() calls the others when one throws, and throws its error", () => {
  const log: string[] = [];
  const error = new Error("boo");
  const thrown = assertThrows(() => tell(throwing(error), { workflowStarted: () => log.push("b") }));
  assertEquals(log, ["b"]);
  assertStrictEquals(thrown, error);
});

Deno.test("composeHooks() throws what is no error as well", () => {
  let thrown: unknown = "nothing";
  try {
    tell(throwing(undefined));
  } catch (error) {
    thrown = error;
  }
  assertEquals(thrown, undefined);
});

Deno.test("composeHooks() throws an AggregateError when several throw", () => {
  const errors = [new Error("a"), "b"];
  const error = assertThrows(() => tell(throwing(errors[0]), {}, throwing(errors[1])), AggregateError);
  assertEquals([error.message, error.errors], ['2 hooks "workflowStarted" threw', errors]);
});

Deno.test("composeHooks() waits for all when one returns a promise, and rejects with the error of the only one that failed", async () => {
  const log: string[] = [];
  const error = new Error("late");
  const slow: Hooks = {
    async workflowStarted() {
      await null;
      log.push("slow");
    },
  };
  const failing: Hooks = { workflowStarted: () => Promise.reject(error) };
  assertStrictEquals(await assertRejects(async () => await tell(failing, slow)), error);
  assertEquals(log, ["slow"]);
  assertEquals(await tell(slow), undefined);
});

Deno.test("composeHooks() rejects with an AggregateError of what was thrown and what was rejected", async () => {
  const told = tell({ workflowStarted: () => Promise.reject("rejected") }, throwing("thrown"));
  const error = await assertRejects(async () => await told, AggregateError);
  assertEquals(error.errors, ["thrown", "rejected"]);
});

Deno.test("composeHooks() waits for promises of others too", async () => {
  const thenable = { then: (_: unknown, reject: (reason: unknown) => void) => reject("foreign") };
  const told = tell({ workflowStarted: () => thenable });
  assertInstanceOf(told, Promise);
  assertEquals(await told.catch((reason) => reason), "foreign");
});

Deno.test("composeHooks() does not wait for a value that is no promise", () => {
  for (const answer of [null, undefined, 5, { then: 5 }, "then"]) {
    assertEquals(tell({ workflowStarted: () => answer }), undefined);
  }
});
