import { assertEquals, assertRejects } from "@std/assert";
import { CanceledError, Executor, TimeoutError, VirtualClock } from "@rockpool/workflow";
import {
  CancellationScope,
  ContinueAsNew,
  continueAsNew,
  defineSearchAttributeKey,
  executeChild,
  makeContinueAsNewFunc,
  sleep,
  TemporalHost,
  upsertMemo,
  upsertSearchAttributes,
  workflowInfo,
} from "./mod.ts";
import { failure, result, run } from "../tests/temporal/run.ts";

Deno.test("continueAsNew() starts the workflow again with other arguments", async () => {
  async function workflow(n: number, text: string): Promise<string> {
    if (n < 3) await continueAsNew<typeof workflow>(n + 1, `${text}!`);
    return text;
  }
  const { result, states } = await run(workflow, { args: [0, "go"] });
  assertEquals([result, states.length], ["go!!!", 4]);
});

Deno.test("continueAsNew() throws in the workflow, whose code can clean up", async () => {
  let cleanedUp = 0;
  async function workflow(n: number): Promise<string> {
    try {
      if (n === 0) await continueAsNew<typeof workflow>(1);
    } finally {
      cleanedUp++;
    }
    return "done";
  }
  assertEquals(await result(workflow, { args: [0], setUp: () => void (cleanedUp = 0) }), "done");
  assertEquals(cleanedUp > 1, true);
});

Deno.test("makeContinueAsNewFunc() continues as another workflow", async () => {
  const other = (n: number) => Promise.resolve(`${workflowInfo().workflowType} ${n}`);
  const workflow = () => makeContinueAsNewFunc<typeof other>({ workflowType: "other" })(7);
  const { result, states } = await run(workflow, { others: { other } });
  assertEquals([result, states.map(({ workflowName }) => workflowName)], ["other 7", ["workflow", "other"]]);
});

Deno.test("ContinueAsNew that the code makes itself continues as the workflow that it names", async () => {
  const other = (n: number) => Promise.resolve(`other ${n}`);
  const workflow = () => Promise.reject(new ContinueAsNew({ workflowType: "other", arguments: [7] }));
  assertEquals(await result(workflow, { others: { other } }), "other 7");
  const missing = () => Promise.reject(new ContinueAsNew({ workflowType: "missing", arguments: [] }));
  assertEquals(
    (await failure(missing, { expectFailure: true })).message,
    'Cannot run workflow "missing": the host has no such workflow; it has "workflow"',
  );
});

Deno.test("makeContinueAsNewFunc() refuses a workflow that the host has not", async () => {
  const workflow = () => makeContinueAsNewFunc({ workflowType: "other" })();
  assertEquals(
    (await failure(workflow, { expectFailure: true })).message,
    'Cannot run workflow "other": the host has no such workflow; it has "workflow"',
  );
});

Deno.test("continueAsNew() leaves labels to the next run that fit its search attributes", async () => {
  async function workflow(n: number): Promise<unknown> {
    if (n === 0) {
      upsertSearchAttributes({ Team: ["a"], Size: [7] });
      return await continueAsNew<typeof workflow>(1);
    }
    if (n === 1) await makeContinueAsNewFunc<typeof workflow>({ searchAttributes: { Team: ["b"] } })(2);
    return workflowInfo().searchAttributes;
  }
  const { result, states } = await run(workflow, { args: [0] });
  assertEquals<unknown>(result, { Team: ["b"] });
  assertEquals(states.map(({ labels }) => labels), [{ Team: "a", Size: "7" }, { Team: "b" }, { Team: "b" }]);
  const changes = states.map(({ history }) => history.filter(({ type }) => type === "labels_changed").length);
  assertEquals(changes, [1, 1, 0]);
});

Deno.test("continueAsNew() keeps memo and search attributes, unless others are given", async () => {
  const team = defineSearchAttributeKey("Team", "KEYWORD");
  async function workflow(n: number): Promise<unknown> {
    if (n === 0) {
      upsertMemo({ note: "a" });
      upsertSearchAttributes([{ key: team, value: "billing" }]);
      await continueAsNew<typeof workflow>(1);
    }
    const { memo, typedSearchAttributes } = workflowInfo();
    if (n === 1) await makeContinueAsNewFunc<typeof workflow>({ memo: { was: memo } })(2);
    return [memo, typedSearchAttributes.get(team)];
  }
  assertEquals(await result(workflow, { args: [0] }), [{ was: { note: "a" } }, "billing"]);
});

Deno.test("ContinueAsNewOptions.backoffStartInterval delays the next run", async () => {
  const workflow = async (n: number): Promise<void> => {
    if (n === 0) await makeContinueAsNewFunc({ backoffStartInterval: "1 hour" })(1);
  };
  const { states } = await run(workflow, { args: [0] });
  assertEquals(states.at(-1)!.updatedAt - states[0].createdAt, 3_600_000);
});

Deno.test("workflowInfo() knows the chain of runs", async () => {
  async function workflow(n: number, first: string): Promise<unknown> {
    const { runId, firstExecutionRunId, continuedFromExecutionRunId, startTime, runStartTime } = workflowInfo();
    await sleep(1000);
    if (n < 2) await continueAsNew<typeof workflow>(n + 1, n === 0 ? runId : first);
    return [
      firstExecutionRunId === first,
      continuedFromExecutionRunId !== undefined,
      runStartTime.getTime() - startTime.getTime(),
    ];
  }
  assertEquals(await result(workflow, { args: [0, ""], compare: "outcomes" }), [true, true, 2000]);
});

Deno.test("continueAsNew() of a workflow that catches its cancellation begins a run that is not cancelled", async () => {
  async function workflow(n: number): Promise<string> {
    const slept = await sleep("1 day").then(() => "slept", () => "cancelled");
    if (n < 2) await continueAsNew<typeof workflow>(n + 1);
    return slept;
  }
  const { result, state, states } = await run(workflow, { args: [0], cancel: { atMs: 5 } });
  const tookMs = state.updatedAt - states[0].createdAt;
  assertEquals([result, state.status, states.length, tookMs], ["slept", "completed", 3, 5 + 2 * 86_400_000]);
});

Deno.test("continueAsNew() of a workflow whose time is up fails it, although the workflow catches its cancellation", async () => {
  async function workflow(n: number): Promise<string> {
    await sleep("1 day").catch(() => {});
    return await continueAsNew<typeof workflow>(n + 1);
  }
  const temporal = new TemporalHost({ workflows: { workflow } });
  const executor = new Executor({ ...temporal.executorOptions, clock: new VirtualClock() });
  const handle = await executor.execute(temporal.workflow("workflow"), { id: "a", input: [0], timeoutMs: 1000 });
  await assertRejects(() => handle.result(), TimeoutError);
  await executor.close();
});

Deno.test("continueAsNew() in a nonCancellable cleanup begins a run that can be cancelled itself", async () => {
  async function workflow(n: number): Promise<void> {
    if (n === 1) return await sleep("1 day");
    try {
      await sleep("1 day");
    } catch {
      await CancellationScope.nonCancellable(() => sleep(10));
      await continueAsNew<typeof workflow>(1);
    }
  }
  const temporal = new TemporalHost({ workflows: { workflow } });
  const clock = new VirtualClock();
  const executor = new Executor({ ...temporal.executorOptions, clock });
  const handle = await executor.execute(temporal.workflow("workflow"), { id: "a", input: [0] });
  await handle.cancel();
  clock.at(60, () => handle.cancel());
  await assertRejects(() => handle.result(), CanceledError);
  assertEquals([(await handle.describe()).status, clock.now()], ["canceled", 60]);
  await executor.close();
});

Deno.test("continueAsNew() keeps the root and the task queue of a child", async () => {
  async function leaf(n: number): Promise<unknown> {
    if (n === 0) await continueAsNew<typeof leaf>(1);
    const { root, taskQueue } = workflowInfo();
    return [root?.workflowId, taskQueue];
  }
  const middle = () => executeChild(leaf, { args: [0], taskQueue: "leaves" });
  const workflow = () => executeChild(middle);
  assertEquals(await result(workflow, { others: { leaf, middle } }), ["crash-test", "leaves"]);
});

Deno.test("a child of a child of a child knows the root", async () => {
  const leaf = () => Promise.resolve(workflowInfo().root?.workflowId);
  const third = () => executeChild("leaf");
  const second = () => executeChild("third");
  assertEquals(await result(() => executeChild("second"), { others: { leaf, third, second } }), "crash-test");
});
