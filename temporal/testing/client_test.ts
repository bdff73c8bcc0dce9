import { assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import * as workflows from "../../tests/temporal/facade_workflows.ts";
import { settle } from "../../tests/support/executors.ts";
import { cancelled } from "../activity/mod.ts";
import { defineSearchAttributeKey } from "../mod.ts";
import {
  ActivityExecutionAlreadyStartedError,
  ActivityExecutionFailedError,
  ApplicationFailure,
  CancelledFailure,
  Client,
  QueryNotRegisteredError,
  TerminatedFailure,
  TestWorkflowEnvironment,
  TimeoutFailure,
  WithStartWorkflowOperation,
  Worker,
  WorkflowContinuedAsNewError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
} from "./mod.ts";

const workflowsPath = import.meta.resolve("../../tests/temporal/facade_workflows.ts");
const at = { taskQueue: "q" };

/** A test with a client, while a worker runs. */
function test(name: string, body: (client: Client, env: TestWorkflowEnvironment) => Promise<void>) {
  Deno.test(name, async () => {
    const env = await TestWorkflowEnvironment.createTimeSkipping();
    try {
      const activities = { charge: (cents: number) => Promise.resolve(`${cents} cents`), hang: () => cancelled() };
      const worker = await Worker.create({ connection: env.nativeConnection, ...at, workflowsPath, activities });
      await worker.runUntil(() => body(env.client, env));
    } finally {
      await env.teardown();
    }
  });
}

test("WorkflowClient.execute() returns the result", async ({ workflow }) => {
  assertEquals(await workflow.execute(workflows.nap, { ...at, workflowId: "w", args: [5] }), 5);
  assertEquals(await workflow.execute("nap", { ...at, workflowId: "by-name", args: [5] }), 5);
});

test("WorkflowClient.start() refuses an ID that is taken", async ({ workflow }) => {
  await workflow.start(workflows.adder, { ...at, workflowId: "w" });
  const error = await assertRejects(
    () => workflow.start(workflows.adder, { ...at, workflowId: "w" }),
    WorkflowExecutionAlreadyStartedError,
  );
  assertEquals([error.workflowId, error.workflowType], ["w", "adder"]);
});

test("WorkflowClient.start() joins or replaces a workflow that runs", async ({ workflow }) => {
  const first = await workflow.start(workflows.adder, { ...at, workflowId: "w" });
  const policy = (workflowIdConflictPolicy: "USE_EXISTING" | "TERMINATE_EXISTING") =>
    workflow.start(workflows.adder, { ...at, workflowId: "w", workflowIdConflictPolicy });
  assertEquals((await policy("USE_EXISTING")).firstExecutionRunId, first.firstExecutionRunId);
  const third = await policy("TERMINATE_EXISTING");
  assertEquals(third.firstExecutionRunId === first.firstExecutionRunId, false);
});

test("WorkflowClient.start() names the workflow that no worker has", async ({ workflow }) => {
  await assertRejects(() => workflow.start("unknown", { ...at, workflowId: "w" }), TypeError, "unknown");
});

test("WorkflowClient.start() refuses what has no counterpart", async ({ workflow }) => {
  const options = { ...at, workflowId: "w", cronSchedule: "* * * * *" };
  await assertRejects(() => workflow.start(workflows.adder, options), TypeError, "cronSchedule");
});

test("WorkflowClient.start() hands memo and search attributes to the workflow", async ({ workflow }) => {
  const searchAttributes = { Team: ["billing"] };
  const memo = { note: "n" };
  const about = await workflow.execute(workflows.about, { ...at, workflowId: "w", memo, searchAttributes });
  assertEquals(about, { workflowId: "w", workflowType: "about", taskQueue: "q", memo, searchAttributes });
});

test("WorkflowHandle.result() says how a workflow failed", async ({ workflow }) => {
  const error = await assertRejects(
    () => workflow.execute(workflows.failing, { ...at, workflowId: "w" }),
    WorkflowFailedError,
    "Workflow execution failed",
  );
  assertInstanceOf(error.cause, ApplicationFailure);
  assertEquals([error.cause.message, error.cause.type, error.cause.details], ["no", "Refused", [{ code: 7 }]]);
});

test("WorkflowHandle.result() says that a workflow was cancelled", async ({ workflow }) => {
  const handle = await workflow.start(workflows.adder, { ...at, workflowId: "w" });
  await handle.cancel();
  const error = await assertRejects(() => handle.result(), WorkflowFailedError, "Workflow execution cancelled");
  assertInstanceOf(error.cause, CancelledFailure);
  assertEquals((await handle.describe()).status, { code: 4, name: "CANCELLED" });
});

test("WorkflowHandle.result() says that a workflow was terminated", async ({ workflow }) => {
  const handle = await workflow.start(workflows.adder, { ...at, workflowId: "w" });
  await handle.terminate("enough");
  const error = await assertRejects(() => handle.result(), WorkflowFailedError, "Workflow execution terminated");
  assertInstanceOf(error.cause, TerminatedFailure);
  assertEquals((await handle.describe()).status.name, "TERMINATED");
});

test("WorkflowHandle.result() says that a workflow took too long", async ({ workflow }) => {
  const options = { ...at, workflowId: "w", workflowExecutionTimeout: "5 minutes" } as const;
  const error = await assertRejects(
    () => workflow.execute(workflows.adder, options),
    WorkflowFailedError,
    "Workflow execution timed out",
  );
  assertInstanceOf(error.cause, TimeoutFailure);
  assertEquals((await workflow.getHandle("w").describe()).status.name, "TIMED_OUT");
});

test("WorkflowHandle.result() follows the runs that continue the first", async ({ workflow }) => {
  assertEquals(await workflow.execute(workflows.looping, { ...at, workflowId: "w" }), 3);
});

test("WorkflowHandle.result() rejects when the first run was continued and followRuns is false", async ({ workflow }) => {
  const options = { ...at, workflowId: "w", followRuns: false };
  await assertRejects(() => workflow.execute(workflows.looping, options), WorkflowContinuedAsNewError);
  assertEquals(await workflow.execute(workflows.nap, { ...options, args: [1] }), 1);
});

test("WorkflowHandle.signalWithOptions() and queryWithOptions() take the arguments by name", async ({ workflow }) => {
  const handle = await workflow.start(workflows.order, { ...at, workflowId: "w", args: [5] });
  await handle.signalWithOptions("approve", { args: [{ by: "eve" }] });
  assertEquals(await handle.queryWithOptions("status", { args: ["is "] }), "is eve");
});

test("WorkflowHandle.result() rejects when there is no such workflow", async ({ workflow }) => {
  await assertRejects(() => workflow.getHandle("none").result(), WorkflowNotFoundError);
  await assertRejects(() => workflow.getHandle("none").signal("s"), WorkflowNotFoundError);
  await assertRejects(() => workflow.getHandle("none").query("q"), WorkflowNotFoundError);
  await assertRejects(() => workflow.getHandle("none").executeUpdate("u"), WorkflowNotFoundError);
  await assertRejects(() => workflow.getHandle("none").cancel(), WorkflowNotFoundError);
  await assertRejects(() => workflow.getHandle("none").describe(), WorkflowNotFoundError);
});

test("WorkflowHandle.signal() and query() reach the handlers", async ({ workflow }) => {
  const handle = await workflow.start(workflows.order, { ...at, workflowId: "w", args: [5] });
  assertEquals(await handle.query(workflows.status, "is "), "is open");
  await handle.signal(workflows.approve, { by: "eve" });
  assertEquals(await handle.result(), "5 cents, approved by eve");
  assertEquals(await handle.query(workflows.status, "is "), "is eve");
});

test("WorkflowHandle.query() rejects when there is no handler", async ({ workflow }) => {
  const handle = await workflow.start(workflows.adder, { ...at, workflowId: "w" });
  await assertRejects(() => handle.query("unknown"), QueryNotRegisteredError);
});

test("WorkflowClient.signalWithStart() starts the workflow once", async ({ workflow }) => {
  const options = { ...at, workflowId: "w", args: [5] as [number], signal: workflows.approve } as const;
  const first = await workflow.signalWithStart(workflows.order, { ...options, signalArgs: [{ by: "eve" }] });
  assertEquals(await first.result(), "5 cents, approved by eve");
});

test("WorkflowHandle.executeUpdate() returns the answer, and says why an update failed", async ({ workflow }) => {
  const handle = await workflow.start(workflows.adder, { ...at, workflowId: "w" });
  assertEquals(await handle.executeUpdate(workflows.add, { args: [3] }), 3);
  const error = await assertRejects(
    () => handle.executeUpdate(workflows.add, { args: [-1] }),
    WorkflowUpdateFailedError,
  );
  assertInstanceOf(error.cause, ApplicationFailure);
  assertEquals(error.cause.message, "a negative number");
});

test("WorkflowHandle.startUpdate() returns when the update is accepted", async ({ workflow }) => {
  const handle = await workflow.start(workflows.adder, { ...at, workflowId: "w" });
  const update = await handle.startUpdate(workflows.add, { args: [12], waitForStage: "ACCEPTED", updateId: "u" });
  assertEquals([update.updateId, update.workflowId], ["u", "w"]);
  assertEquals(await handle.result(), 12);
  assertEquals(await update.result(), 12);
  assertEquals(await handle.getUpdateHandle("u").result(), 12);
});

test("WorkflowHandle.getUpdateHandle() of an update that nobody sent says so", async ({ workflow }) => {
  const handle = await workflow.start(workflows.adder, { ...at, workflowId: "w" });
  await assertRejects(() => handle.getUpdateHandle("other").result(), WorkflowNotFoundError, "Update not found: other");
});

test("WorkflowHandle.startUpdate() refuses a stage other than ACCEPTED", async ({ workflow }) => {
  const handle = await workflow.start(workflows.adder, { ...at, workflowId: "w" });
  const start = () => handle.startUpdate(workflows.add, { args: [1], waitForStage: "COMPLETED" as "ACCEPTED" });
  await assertRejects(start, TypeError, 'waitForStage must be "ACCEPTED"');
});

test("WorkflowClient.executeUpdateWithStart() starts the workflow and updates it", async ({ workflow }) => {
  const start = new WithStartWorkflowOperation(workflows.adder, {
    ...at,
    workflowId: "w",
    workflowIdConflictPolicy: "USE_EXISTING",
  });
  assertEquals(await workflow.executeUpdateWithStart(workflows.add, { args: [4], startWorkflowOperation: start }), 4);
  assertEquals((await start.workflowHandle()).workflowId, "w");
  const again = () => workflow.executeUpdateWithStart(workflows.add, { args: [4], startWorkflowOperation: start });
  await assertRejects(again, TypeError, "executed already");
});

test("WorkflowClient.list() finds workflows by a query", async ({ workflow }) => {
  await workflow.execute(workflows.nap, { ...at, workflowId: "a", args: [1] });
  await workflow.start(workflows.adder, { ...at, workflowId: "b" });
  const ids = async (query?: string) => (await Array.fromAsync(workflow.list({ query }))).map((one) => one.workflowId);
  assertEquals(await ids(), ["a", "b"]);
  assertEquals(await ids('ExecutionStatus = "Running"'), ["b"]);
  assertEquals(await ids("WorkflowType = 'nap' AND TaskQueue = 'q'"), ["a"]);
  assertEquals((await workflow.count('WorkflowId = "a"')).count, 1);
  assertThrows(() => workflow.list({ query: "StartTime > 3" }), TypeError, "WorkflowType");
});

test("WorkflowClient.list() finds workflows by the search attributes that they have now", async ({ workflow }) => {
  const ids = async (query: string) => (await Array.fromAsync(workflow.list({ query }))).map((one) => one.workflowId);
  const searchAttributes = { Team: ["sales"], Size: [7], Tags: ["a", "b"] };
  await workflow.start(workflows.adder, { ...at, workflowId: "a", searchAttributes });
  const handle = await workflow.start(workflows.versatile, { ...at, workflowId: "b", searchAttributes });
  await handle.query(workflows.status, "");
  assertEquals(await ids('Team = "sales"'), ["a"]);
  assertEquals(await ids("Team = 'billing' AND Size = 7"), ["b"]);
  assertEquals([await ids('Tags = "b"'), await ids("Size = 8"), await ids('constructor = "x"')], [["a", "b"], [], []]);
  const [listed] = await Array.fromAsync(workflow.list({ query: 'Team = "billing"' }));
  assertEquals(listed.searchAttributes, { Team: ["billing"], Size: [7], Tags: ["a", "b"] });
  assertThrows(() => workflow.list({ query: 'StartTime = "3"' }), TypeError, "search attributes");
  assertThrows(() => workflow.list({ query: "WorkflowId = 3" }), TypeError, "with quoted texts");
});

test("ActivityClient.execute() runs an activity on its own", async ({ activity }) => {
  const options = { ...at, id: "a", scheduleToCloseTimeout: "10s" } as const;
  assertEquals(await activity.execute("charge", { ...options, args: [7] }), "7 cents");
  assertEquals(await activity.getHandle("a").result(), "7 cents");
  await assertRejects(() => activity.getHandle("none").result());
  assertThrows(() => activity.complete(new Uint8Array(), 1), TypeError, "completion of an activity");
});

test("ActivityClient.start() refuses an ID that is taken", async ({ activity }) => {
  const start = () => activity.start("hang", { ...at, id: "a", startToCloseTimeout: "10s" });
  const handle = await start();
  await assertRejects(start, ActivityExecutionAlreadyStartedError);
  await handle.cancel("enough");
  const error = await assertRejects(() => handle.result(), ActivityExecutionFailedError);
  assertInstanceOf(error.cause, CancelledFailure);
});

test("ActivityClient.execute() says why an activity failed", async ({ activity }) => {
  const error = await assertRejects(
    () => activity.execute("unknown", { ...at, id: "a", scheduleToCloseTimeout: "10s" }),
    ActivityExecutionFailedError,
  );
  assertInstanceOf(error.cause, ApplicationFailure);
});

Deno.test("Client refuses what has no counterpart", () => {
  const client = new Client();
  assertThrows(() => client.schedule, TypeError, "schedules");
  assertThrows(() => client.nexus, TypeError, "Nexus");
  assertThrows(() => new Client({ plugins: [{}] }), TypeError, "plugins");
  assertThrows(() => new Client({ connection: {} as never }), TypeError, "temporal/testing");
});

test("WorkflowHandle.query() and executeUpdate() reach the default handlers", async ({ workflow }) => {
  const handle = await workflow.start(workflows.versatile, { ...at, workflowId: "w" });
  assertEquals(await handle.query(workflows.status, "own"), "own");
  assertEquals(await handle.query("other", 1, 2), ["other", 1, 2]);
  assertEquals(await handle.executeUpdate("change", { args: [7] }), ["change", 7]);
});

test("WorkflowHandle.describe() has the memo and the search attributes as the workflow has changed them", async ({ workflow }) => {
  const handle = await workflow.start(workflows.versatile, { ...at, workflowId: "w", memo: { first: 1 } });
  await handle.query(workflows.status, "");
  const { memo, searchAttributes } = await handle.describe();
  assertEquals([memo, searchAttributes], [{ first: 1, note: "later" }, { Team: ["billing"] }]);
});

test("WorkflowClient.getHandle() refuses a run that the workflow does not have, and takes the first of its chain", async ({ workflow }) => {
  const { firstExecutionRunId } = await workflow.start(workflows.looping, { ...at, workflowId: "w" });
  assertEquals(await workflow.getHandle("w", firstExecutionRunId).result(), 3);
  await assertRejects(() => workflow.getHandle("w", "other").result(), WorkflowNotFoundError, 'no run "other"');
});

test("WorkflowClient.signalWithStart() signals the workflow that runs", async ({ workflow }) => {
  const options = { ...at, workflowId: "w", args: [5] as [number], signal: workflows.approve };
  const first = await workflow.start(workflows.order, { ...at, workflowId: "w", args: [5] });
  const second = await workflow.signalWithStart(workflows.order, { ...options, signalArgs: [{ by: "eve" }] });
  assertEquals(second.signaledRunId, first.firstExecutionRunId);
  assertEquals(await first.result(), "5 cents, approved by eve");
});

test("Client refuses interceptors", (client) => {
  const interceptors = { workflow: [{}] };
  assertThrows(
    () => new Client({ connection: client.connection, interceptors }),
    TypeError,
    '"interceptors" is not supported',
  );
  return Promise.resolve();
});

test("WorkflowClient.start() prefers search attributes with a type", async ({ workflow }) => {
  const typedSearchAttributes = [{ key: defineSearchAttributeKey("Team", "KEYWORD"), value: "typed" }];
  const searchAttributes = { Team: ["untyped"], Size: [7] };
  const options = { ...at, workflowId: "w", searchAttributes, typedSearchAttributes };
  const about = await workflow.execute(workflows.about, options) as { searchAttributes: unknown };
  assertEquals(about.searchAttributes, { Team: ["typed"], Size: [7] });
});

test("WorkflowClient.getHandle() takes the first run of a chain that has gone on", async ({ workflow }) => {
  const { firstExecutionRunId } = await workflow.start(workflows.looping, { ...at, workflowId: "w" });
  await workflow.getHandle("w").result();
  const { status } = await workflow.getHandle("w", firstExecutionRunId).describe();
  assertEquals(status.name, "COMPLETED");
});

test("WorkflowHandle.startUpdate() returns a handle of an update that is refused", async ({ workflow }) => {
  const handle = await workflow.start(workflows.adder, { ...at, workflowId: "w" });
  const update = await handle.startUpdate(workflows.add, { args: [-1], waitForStage: "ACCEPTED" });
  await assertRejects(() => update.result(), WorkflowUpdateFailedError);
});

test("WorkflowHandle.query() rejects with the error of a handler that throws", async ({ workflow }) => {
  const handle = await workflow.start(workflows.order, { ...at, workflowId: "w", args: [5] });
  const noText = { toString: null } as never; // the handler makes a text of it
  const error = await assertRejects(() => handle.query(workflows.status, noText), Error);
  assertEquals(error instanceof QueryNotRegisteredError, false);
});

test("WithStartWorkflowOperation.workflowHandle() rejects when the start fails", async ({ workflow }) => {
  const options = { ...at, workflowId: "w", workflowIdConflictPolicy: "USE_EXISTING" } as const;
  const startWorkflowOperation = new WithStartWorkflowOperation("unknown", { ...options, args: [] });
  const update = () => workflow.executeUpdateWithStart("add", { args: [4], startWorkflowOperation });
  await assertRejects(update, TypeError, "unknown");
  const handle = Promise.race([startWorkflowOperation.workflowHandle(), settle()]);
  await assertRejects(() => handle, TypeError, "unknown");
});

test("WorkflowHandle.describe() has the name of the workflow that the first run has become", async ({ workflow }) => {
  assertEquals(await workflow.execute(workflows.becoming, { ...at, workflowId: "w" }), 1);
  assertEquals((await workflow.getHandle("w").describe()).type, "nap");
});
