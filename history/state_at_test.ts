/** `stateAt()`: the state of a run in the past. */

import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { applyBatch, type WorkflowContext, type WorkflowEvent, type WorkflowState } from "@rockpool/workflow";
import { stateAt } from "@rockpool/workflow/storage";
import { TestExecutor } from "@rockpool/workflow/testing";

const events: readonly WorkflowEvent[] = [
  { type: "workflow_started", at: 1, workflowName: "w", input: 7, labels: { shop: "x" } },
  { type: "timer_started", at: 2, seq: 0, dueAt: 5 },
  { type: "timer_fired", at: 5, seq: 0 },
  { type: "workflow_failed", at: 6, error: { name: "Error", message: "no" } },
];
const stateOf = (events: readonly WorkflowEvent[]) =>
  applyBatch(null, { workflowId: "a", runId: "1", expectedLength: 0, events });

Deno.test("stateAt() returns what the store held after each event", () => {
  const state = stateOf(events);
  for (let n = 1; n < events.length; n++) assertEquals(stateAt(state, n), stateOf(events.slice(0, n)));
  assertStrictEquals(stateAt(state, events.length), state);
});

Deno.test("stateAt() keeps the time of creation of a chain", async () => {
  await using executor = new TestExecutor();
  const twice = async (ctx: WorkflowContext<number>, n: number): Promise<number> => {
    await ctx.sleep(10);
    return n > 0 ? await ctx.continueAsNew(n - 1) : n;
  };
  const handle = await executor.execute(twice, { id: "a", input: 1 });
  await handle.result();
  const state = (await executor.store.load("a"))!;
  const { createdAt, updatedAt, status } = stateAt(state, 1);
  assertEquals([createdAt, updatedAt, status], [state.createdAt, state.history[0].at, "running"]);
  assertEquals(createdAt < updatedAt, true);
});

Deno.test("stateAt() takes a state that was saved with a history of its own", () => {
  const history = events.slice(1, 3);
  const saved: WorkflowState = { ...stateOf(events.slice(0, 1)), status: "completed", result: 1, history };
  const { result: _, ...rest } = saved;
  assertEquals(stateAt(saved, 1), { ...rest, status: "running", updatedAt: 2, history: [history[0]] });
});

Deno.test("stateAt() refuses bad arguments", () => {
  const state = stateOf(events);
  const cases: [unknown, unknown, string][] = [
    [null, 1, '"state" must be an object, got null'],
    [{ ...state, history: "x" }, 1, '"history" must be an array, got "x"'],
    [state, 0, 'Cannot return a past state "a": "events" must be an integer from 1, got 0'],
    [state, 1.5, '"events" must be an integer from 1, got 1.5'],
    [state, 5, 'Cannot return a past state "a": "events" must be at most 4, got 5'],
  ];
  for (const [given, count, message] of cases) {
    assertThrows(() => stateAt(given as WorkflowState, count as number), Error, message);
  }
});
