import { Executor } from "@rockpool/workflow";
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import {
  addDefaultWorkflowOptions,
  condition,
  createEventGroup,
  createNexusServiceClient,
  defineSearchAttributeKey,
  defineSignal,
  deprecatePatch,
  executeChild,
  getCurrentDetails,
  getRandomStream,
  IllegalStateError,
  inWorkflowContext,
  patched,
  setHandler,
  setWorkflowOptions,
  sleep,
  TemporalHost,
  upsertMemo,
  upsertSearchAttributes,
  uuid4,
  workflowInfo,
  workflowRandom,
} from "./mod.ts";
import { setUp } from "../tests/support/executors.ts";
import { once, result, run } from "../tests/temporal/run.ts";

Deno.test("workflowInfo() describes the workflow", async () => {
  const workflow = async () => {
    await sleep(5);
    const { workflowId, workflowType, attempt, historyLength, namespace, taskQueue, parent, runStartTime } =
      workflowInfo();
    const { now, isReplaying } = workflowInfo().unsafe;
    const passed = now() - runStartTime.getTime();
    return [
      workflowId,
      workflowType,
      attempt,
      historyLength,
      namespace,
      taskQueue,
      parent ?? null,
      passed,
      typeof isReplaying,
    ];
  };
  assertEquals(await result(workflow), ["crash-test", "workflow", 1, 3, "default", "default", null, 5, "boolean"]);
});

Deno.test("inWorkflowContext() is true in a workflow, and in what it calls later", async () => {
  const workflow = async () => {
    const before = inWorkflowContext();
    await sleep(1);
    return [before, inWorkflowContext(), await sleep(1).then(inWorkflowContext)];
  };
  assertEquals([inWorkflowContext(), await result(workflow)], [false, [true, true, true]]);
  assertThrows(() => workflowInfo(), IllegalStateError, "Cannot ask for the workflow: the code runs outside");
});

Deno.test("uuid4() and workflowRandom are the same on replay", async () => {
  const workflow = async () => {
    const values = [uuid4(), workflowRandom.random(), workflowRandom.uuid4(), [
      ...workflowRandom.fill(new Uint8Array(4)),
    ]];
    await sleep(1);
    return [...values, uuid4()];
  };
  const [first, , , bytes, last] = await result(workflow) as [string, number, string, number[], string];
  assertMatch(first, /^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  assertEquals([first === last, bytes.length], [false, 4]);
  assertMatch(uuid4(), /^[0-9a-f]{8}-[0-9a-f]{4}-4/); // also outside of a workflow
});

Deno.test("getRandomStream() does not change the other random numbers", async () => {
  const workflow = (draws: number) => {
    const stream = getRandomStream("a");
    for (let i = 0; i < draws; i++) stream.random();
    return Promise.resolve([workflowInfo().unsafe.random.random(), getRandomStream("b").random()]);
  };
  const [none, some] = [await result(workflow, { args: [0] }), await result(workflow, { args: [5] })];
  assertEquals(none, some);
});

Deno.test("patched() is true in a new run, and deprecatePatch() changes nothing", async () => {
  const workflow = async () => {
    const first = patched("a");
    deprecatePatch("b");
    await sleep(1);
    return [first, patched("a"), patched("b")];
  };
  assertEquals(await result(workflow), [true, true, true]);
});

Deno.test("upsertSearchAttributes() takes typed and untyped ones, and removes some", async () => {
  const [team, size, day] = [
    defineSearchAttributeKey("Team", "KEYWORD"),
    defineSearchAttributeKey("Size", "INT"),
    defineSearchAttributeKey("Day", "DATETIME"),
  ];
  const workflow = async () => {
    upsertSearchAttributes([{ key: team, value: "a" }, { key: day, value: new Date(0) }]);
    upsertSearchAttributes({ Size: [7], Tags: ["x", "y"], Ratio: [0.5], Big: [true] });
    await sleep(1);
    upsertSearchAttributes([{ key: team, value: null }]);
    upsertSearchAttributes({ Tags: [] });
    const { searchAttributes, typedSearchAttributes } = workflowInfo();
    return [searchAttributes, typedSearchAttributes.get(size), typedSearchAttributes.get(day)?.getTime()];
  };
  const day0 = ["1970-01-01T00:00:00.000Z"];
  assertEquals(await result(workflow), [{ Day: day0, Size: [7], Ratio: [0.5], Big: [true] }, 7, 0]);
});

Deno.test("upsertSearchAttributes() changes the labels of the run", async () => {
  const workflow = async () => {
    const day = defineSearchAttributeKey("Day", "DATETIME");
    upsertSearchAttributes([{ key: day, value: new Date(0) }]);
    upsertSearchAttributes({ Team: ["a"], Size: [7], Tags: ["x", "y"], Ratio: [0.5], Big: [true] });
    await sleep(1);
    upsertSearchAttributes({ Team: [], Size: [8], Tags: ["x", "y"] });
  };
  const { state } = await run(workflow);
  const day = "1970-01-01T00:00:00.000Z";
  assertEquals(state.labels, { Day: day, Size: "8", Tags: '["x","y"]', Ratio: "0.5", Big: "true" });
  assertEquals(state.history.filter(({ type }) => type === "labels_changed").length, 3);
});

Deno.test("upsertSearchAttributes() changes nothing when a value cannot be a label", async () => {
  const workflow = () => {
    upsertSearchAttributes({ Team: ["a"] });
    assertThrows(() => upsertSearchAttributes({ Team: ["x".repeat(100)] }), RangeError, "Cannot store labels");
    return Promise.resolve(workflowInfo().searchAttributes);
  };
  const { result, state } = await run(workflow, { executor: { maxPayloadBytes: 90 } });
  assertEquals<unknown>([result, state.labels], [{ Team: ["a"] }, { Team: "a" }]);
});

Deno.test("a child with search attributes has them as labels", async () => {
  const child = () => sleep(1);
  const workflow = async () => {
    const searchAttributes = { Team: ["a"], constructor: ["b"] };
    await executeChild(child, { args: [], workflowId: "the child", searchAttributes });
  };
  const { states } = await run(workflow, { others: { child } });
  const labels = states.find(({ workflowId }) => workflowId === "the child")?.labels;
  assertEquals(labels, { Team: "a", constructor: "b" });
});

Deno.test("upsertMemo() changes entries, and removes those that are null", async () => {
  const workflow = async () => {
    upsertMemo({ a: 1, b: { c: [2] } });
    await sleep(1);
    upsertMemo({ a: null, d: 3 });
    return workflowInfo().memo;
  };
  assertEquals(await result(workflow), { b: { c: [2] }, d: 3 });
});

Deno.test("a query answers the memo and the search attributes", async () => {
  const workflow = async () => {
    upsertMemo({ a: 1 });
    upsertSearchAttributes({ Team: ["x"] });
    await sleep("1 day");
  };
  await once(workflow, {}, async (handle) => {
    const { memo, searchAttributes } = await handle.query("__temporal_workflow_metadata") as never;
    assertEquals([memo, searchAttributes], [{ a: 1 }, [{ key: { name: "Team", type: "KEYWORD" }, value: "x" }]]);
  });
});

Deno.test("setWorkflowOptions(), createEventGroup() and getCurrentDetails() change nothing", async () => {
  const workflow = async () => {
    const inGroup = await createEventGroup("group").withScope(() => Promise.resolve(1));
    return [inGroup, getCurrentDetails(), addDefaultWorkflowOptions({ args: [] }).cancellationType];
  };
  setWorkflowOptions({ versioningBehavior: "PINNED" }, workflow);
  assertEquals(await result(workflow), [1, "", "WAIT_CANCELLATION_COMPLETED"]);
});

Deno.test("createNexusServiceClient() refuses with words", () => {
  assertThrows(() => createNexusServiceClient({}), IllegalStateError, "Cannot use Nexus");
});

Deno.test("getRandomStream() has other numbers for each name", async () => {
  const workflow = () => Promise.resolve(["a", "b", "a"].map((name) => getRandomStream(name).random()));
  const [a, b, next] = await result(workflow) as number[];
  assertEquals(new Set([a, b, next]).size, 3);
});

Deno.test("patched() is false in a run that began before the change", async () => {
  const { store, executor, clock } = setUp();
  const go = defineSignal("go");
  const waitForGo = async () => {
    let gone = false;
    setHandler(go, () => void (gone = true));
    await sleep("1 ms");
    await condition(() => gone);
  };
  const before = new TemporalHost({ workflows: { workflow: waitForGo } });
  await executor.execute(before.workflow("workflow"), { id: "a", input: [] });
  await clock.whenIdle();
  await executor.close();

  const workflow = async () => {
    const path = patched("change") ? "new" : "old";
    await waitForGo();
    return path;
  };
  const after = new TemporalHost({ workflows: { workflow } });
  const second = new Executor({ store, ...after.executorOptions });
  await second.recover();
  await second.signal("a", "go", []);
  assertEquals(await (await second.handle("a")).result(), "old");
  await second.close();
});

Deno.test("workflowInfo().memo is a copy", async () => {
  const workflow = () => {
    upsertMemo({ note: "a" });
    (workflowInfo().memo as Record<string, unknown>).note = "b";
    return Promise.resolve(workflowInfo().memo);
  };
  assertEquals(await result(workflow), { note: "a" });
});

Deno.test("workflowInfo().continueAsNewSuggested is true when the history is long", async () => {
  const { executor } = setUp();
  const workflow = async () => {
    const early = workflowInfo();
    await Promise.all(Array.from({ length: 2100 }, () => sleep(1)));
    return [early, workflowInfo()].map(({ continueAsNewSuggested }) => continueAsNewSuggested);
  };
  const host = new TemporalHost({ workflows: { workflow } });
  const handle = await executor.execute(host.workflow("workflow"), { input: [] });
  assertEquals(await handle.result(), [false, true]);
  await executor.close();
});
