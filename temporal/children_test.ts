import { assertEquals } from "@std/assert";
import {
  ApplicationFailure,
  CancellationScope,
  type ChildWorkflowCancellationType,
  ChildWorkflowFailure,
  condition,
  defineSignal,
  executeChild,
  isCancellation,
  type ParentClosePolicy,
  setHandler,
  sleep,
  startChild,
  WorkflowExecutionAlreadyStartedError,
  workflowInfo,
} from "./mod.ts";
import { failure, once, result, run } from "../tests/temporal/run.ts";

const go = defineSignal<[string]>("go");

const double = (n: number) => Promise.resolve(2 * n);
async function waits(): Promise<string> {
  let text = "";
  setHandler(go, (given) => void (text = given));
  await condition(() => text !== "");
  return text;
}
async function naps(): Promise<string> {
  try {
    await sleep("1 day");
    return "slept";
  } catch (error) {
    await CancellationScope.nonCancellable(() => sleep(100));
    throw error;
  }
}
const others = { double, waits, naps };

Deno.test("executeChild() returns the result of a child that is given as a function or by its name", async () => {
  const workflow = async () => [
    await executeChild(double, { args: [2] }),
    await executeChild("double", { args: [3] }),
  ];
  assertEquals(await result(workflow, { others }), [4, 6]);
});

Deno.test("executeChild() runs children beside each other, under IDs of their own", async () => {
  const workflow = () => Promise.all([1, 2, 3].map((n) => executeChild(double, { args: [n] })));
  const { result, states } = await run(workflow, { others });
  assertEquals([result, new Set(states.map(({ workflowId }) => workflowId)).size], [[2, 4, 6], 4]);
});

Deno.test("executeChild() rejects with a ChildWorkflowFailure whose cause is the failure of the child", async () => {
  const child = () => {
    throw ApplicationFailure.nonRetryable("bad child", "Bad", 1);
  };
  const workflow = async () => {
    const error = await executeChild("child").catch((error) => error);
    const { cause, workflowType, execution } = error as ChildWorkflowFailure & { cause: ApplicationFailure };
    return [
      error instanceof ChildWorkflowFailure,
      cause instanceof ApplicationFailure,
      cause.message,
      cause.type,
      cause.details,
      workflowType,
      execution.workflowId === "c",
    ];
  };
  const withId = () => executeChild("child", { workflowId: "c" });
  assertEquals((await failure(withId, { others: { child } })).name, "ChildWorkflowFailure");
  const expected = [true, true, "bad child", "Bad", [1], "child", false];
  assertEquals(await result(workflow, { others: { child } }), expected);
});

Deno.test("executeChild() repeats a child that fails by its retry policy", async () => {
  let runs = 0;
  const child = () => runs++ < 2 ? Promise.reject(new Error("not yet")) : Promise.resolve("done");
  const workflow = () => executeChild("child", { retry: { maximumAttempts: 3, initialInterval: 10 } });
  await once(workflow, { others: { child } }, async (handle) => assertEquals(await handle.result(), "done"));
});

Deno.test("startChild() waits until the child has begun, and its handle signals it", async () => {
  const workflow = async () => {
    const handle = await startChild(waits, { workflowId: "child" });
    await handle.signal(go, "hello");
    return [handle.workflowId, await handle.result()];
  };
  assertEquals(await result(workflow, { others }), ["child", "hello"]);
});

Deno.test("startChild() rejects if another workflow has the ID", async () => {
  const workflow = async () => {
    const first = await startChild(waits, { workflowId: "child" });
    const error = await startChild(waits, { workflowId: "child" }).catch((error) => error);
    await first.signal(go, "end");
    await first.result();
    return [error instanceof WorkflowExecutionAlreadyStartedError, error.message];
  };
  assertEquals(await result(workflow, { others }), [true, "Workflow execution already started"]);
});

Deno.test("startChild() refuses a workflow that the host has not, and names those that it has", async () => {
  const error = await failure(() => startChild("other"), { others, expectFailure: true });
  assertEquals(
    error.message,
    'Cannot run workflow "other": the host has no such workflow; it has "double", "waits", "naps", "workflow"',
  );
});

/** Cancels a child, and says what happens to the parent and the child. */
const cancelled = (cancellationType: ChildWorkflowCancellationType) => async () => {
  const scope = new CancellationScope();
  const handle = await scope.run(() => startChild(naps, { workflowId: "child", cancellationType }));
  const ends: string[] = [];
  const ended = handle.result().catch((error) => void ends.push(`${isCancellation(error)} ${error.cause.message}`));
  scope.cancel();
  await Promise.all([ended, sleep(50).then(() => ends.push("pause"))]);
  return ends;
};
const early = /^true .*,pause$/;
const late = /^pause,true /;

for (
  const [type, order, status] of [
    ["TRY_CANCEL", early, "canceled"],
    ["WAIT_CANCELLATION_REQUESTED", early, "canceled"],
    ["WAIT_CANCELLATION_COMPLETED", late, "canceled"],
    ["ABANDON", early, "canceled"], // terminated with the parent
  ] as const
) {
  Deno.test(`ChildWorkflowCancellationType.${type} decides when the parent learns of the end`, async () => {
    const { result, states } = await run(cancelled(type), { others, compare: "outcomes" });
    const child = states.find(({ workflowId }) => workflowId === "child");
    assertEquals([order.test(`${result}`), child?.status], [true, status], `${result}`);
  });
}

Deno.test("a cancellation of the parent reaches its children", async () => {
  const workflow = () => executeChild(naps, { workflowId: "child" });
  const { state, states } = await run(workflow, { others, cancel: { atMs: 5 } });
  assertEquals([state.status, ...states.map(({ status }) => status)], ["canceled", "canceled", "canceled"]);
});

Deno.test("ParentClosePolicy decides what becomes of a child when its parent ends", async () => {
  const workflow = async (parentClosePolicy: ParentClosePolicy | undefined) => {
    await startChild(naps, { workflowId: "child", ...(parentClosePolicy && { parentClosePolicy }) });
    return "done";
  };
  const end = async (policy?: ParentClosePolicy) => {
    const { states } = await run(workflow, { others, args: [policy ?? null], compare: "outcomes" });
    const { status, error, result } = states.find(({ workflowId }) => workflowId === "child")!;
    return [status, error?.message ?? result];
  };
  assertEquals((await end())[1], 'Terminated workflow "child": its parent "crash-test" does not need it any more');
  assertEquals((await end("REQUEST_CANCEL"))[0], "canceled");
  assertEquals(await end("ABANDON"), ["completed", "slept"]);
});

Deno.test("a child knows its parent and its root", async () => {
  const leaf = () => {
    const { parent, root } = workflowInfo();
    return Promise.resolve([parent?.workflowId, root?.workflowId]);
  };
  const middle = () => executeChild("leaf");
  const workflow = async () => [
    await executeChild("leaf"),
    await executeChild("middle", { workflowId: "middle" }),
  ];
  const expected = [["crash-test", "crash-test"], ["middle", "crash-test"]];
  assertEquals(await result(workflow, { others: { leaf, middle } }), expected);
});

Deno.test("startChild(): nobody need await what it returns", async () => {
  const workflow = async () => {
    void startChild("missing");
    void executeChild("missing");
    await sleep(1);
    return "done";
  };
  await once(workflow, {}, async (handle) => assertEquals(await handle.result(), "done"));
});

Deno.test("ChildWorkflowCancellationType.ABANDON leaves the child alone", async () => {
  const workflow = async () => {
    const scope = new CancellationScope();
    const options = { workflowId: "child", cancellationType: "ABANDON", parentClosePolicy: "ABANDON" } as const;
    const handle = await scope.run(() => startChild(naps, options));
    scope.cancel();
    return await handle.result().catch((error) => `${error.cause}`);
  };
  const { result, states } = await run(workflow, { others, compare: "outcomes" });
  const child = states.find(({ workflowId }) => workflowId === "child");
  assertEquals([result, child?.status], ["CancelledFailure: Cancellation scope cancelled", "completed"]);
});

Deno.test("startChild() in a cancelled scope rejects, and starts nothing", async () => {
  const workflow = async () => {
    CancellationScope.current().cancel();
    return [
      await startChild(double, { args: [1] }).catch(String),
      await executeChild(double, { args: [1] }).catch(String),
    ];
  };
  const { result, states } = await run(workflow, { others });
  const reason = "CancelledFailure: Cancellation scope cancelled";
  assertEquals([result, states.length], [[reason, reason], 1]);
});

Deno.test("ChildWorkflowOptions.workflowRunTimeout ends a child that takes too long", async () => {
  const workflow = () =>
    executeChild(naps, { workflowRunTimeout: "1 hour" }).catch(({ cause }) => [cause.name, cause.timeoutType]);
  const { result, state } = await run(workflow, { others });
  assertEquals([result, state.updatedAt - state.createdAt], [["TimeoutFailure", "START_TO_CLOSE"], 3_600_000]);
});

Deno.test("ChildWorkflowCancellationType.TRY_CANCEL does not wait until the child has the request", async () => {
  const workflow = async () => {
    const scope = new CancellationScope();
    const options = { workflowId: "child", cancellationType: "TRY_CANCEL" } as const;
    const handle = await scope.run(() => startChild(naps, options));
    const ends: string[] = [];
    const ended = handle.result().catch(() => void ends.push("child"));
    scope.cancel();
    for (let i = 0; i < 20; i++) await Promise.resolve(); // the code that runs next, and no further event
    ends.push("code");
    await ended;
    return ends;
  };
  assertEquals(await result(workflow, { others, compare: "outcomes" }), ["child", "code"]);
});
