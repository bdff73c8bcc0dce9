/** `applyBatch`, for stores that write whole states. `tests/store/append_test.ts` tests the append of the in-memory store. */

import { assertEquals, assertNotStrictEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  type AppendBatch,
  applyBatch,
  InMemoryStore,
  WorkflowError,
  type WorkflowEvent,
  type WorkflowState,
} from "@rockpool/workflow";
import { seeded } from "@rockpool/workflow/testing";

const started: WorkflowEvent = { type: "workflow_started", at: 1, workflowName: "w", input: { n: 1 }, timeoutMs: 5 };
const fired = (at: number): WorkflowEvent => ({ type: "timer_fired", at, seq: 0 });
const error = { name: "Error", message: "late" };

const batch = (part: Partial<AppendBatch> = {}): AppendBatch => ({
  workflowId: "a",
  runId: "1",
  expectedLength: 0,
  events: [started],
  ...part,
});

/** Freezes everything, so that a change throws. */
function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(freeze);
  return value;
}

const running = freeze(applyBatch(null, batch()));
const finished = freeze(
  applyBatch(null, batch({ events: [started, { type: "workflow_completed", at: 3, result: 1 }] })),
);

Deno.test("applyBatch() creates a run", () => {
  assertEquals(running, {
    workflowId: "a",
    runId: "1",
    workflowName: "w",
    status: "running",
    input: { n: 1 },
    history: [started],
    createdAt: 1,
    updatedAt: 1,
  });
});

Deno.test("applyBatch() adds no input when there is none", () => {
  const events: WorkflowEvent[] = [{ type: "workflow_started", at: 1, workflowName: "w" }];
  assertEquals("input" in applyBatch(null, batch({ events })), false);
});

Deno.test("applyBatch() adds events and keeps the rest", () => {
  const state = applyBatch(running, batch({ expectedLength: 1, events: [fired(2), fired(7)] }));
  assertEquals(state, { ...running, history: [started, fired(2), fired(7)], updatedAt: 7 });
});

const endings: [WorkflowEvent, Partial<WorkflowState>][] = [
  [{ type: "workflow_completed", at: 9, result: 0 }, { status: "completed", result: 0 }],
  [{ type: "workflow_completed", at: 9 }, { status: "completed" }],
  [{ type: "workflow_failed", at: 9, error }, { status: "failed", error }],
  [{ type: "workflow_canceled", at: 9, error }, { status: "canceled", error }],
];
for (const [last, fields] of endings) {
  Deno.test(`applyBatch() finishes a run with ${JSON.stringify(last)}`, () => {
    const state = applyBatch(running, batch({ expectedLength: 1, events: [last] }));
    assertEquals(state, { ...running, ...fields, history: [started, last], updatedAt: 9 });
  });
}

Deno.test("applyBatch() returns the same state after a batch without events", () => {
  assertStrictEquals(applyBatch(running, batch({ expectedLength: 1, events: [] })), running);
});

Deno.test("applyBatch() replaces a finished run completely", () => {
  const events: WorkflowEvent[] = [{ type: "workflow_started", at: 20, workflowName: "v" }];
  const next = batch({ runId: "2", events, replaces: "1" });
  assertEquals(applyBatch(finished, next), applyBatch(null, { ...next, replaces: undefined }));
});

Deno.test("applyBatch() removes a result or an error that a running state has", () => {
  const state = applyBatch(freeze({ ...running, result: 1, error }), {
    ...batch({ expectedLength: 1, events: [{ type: "workflow_completed", at: 9 }] }),
  });
  assertEquals([state.result, state.error], [undefined, undefined]);
});

Deno.test("applyBatch() does not change its arguments", () => {
  const events = freeze([fired(2)]);
  const state = applyBatch(running, freeze(batch({ expectedLength: 1, events })));
  assertNotStrictEquals(state.history, running.history);
  assertStrictEquals(state.history[0], running.history[0]);
});

Deno.test("applyBatch() returns a history that is not the array of the batch", () => {
  const events: WorkflowEvent[] = [started];
  const { history } = applyBatch(null, batch({ events }));
  events.push(fired(2));
  assertEquals(history.length, 1);
});

const conflicts: [state: WorkflowState | null, part: Partial<AppendBatch>, why: string][] = [
  [null, { expectedLength: 1, events: [fired(2)] }, "it is not stored"],
  [null, { runId: "2", replaces: "1" }, "it is not stored"],
  [running, {}, 'its status is "running"'],
  [running, { runId: "2", replaces: "1" }, 'its status is "running"'],
  [finished, {}, 'its status is "completed"'],
  [finished, { runId: "3", replaces: "2" }, 'the run is "1", the writer expected "2"'],
  [running, { runId: "2", expectedLength: 1, events: [fired(2)] }, 'the run is "1", the writer expected "2"'],
  [finished, { expectedLength: 2, events: [fired(2)] }, 'its status is "completed"'],
  [running, { expectedLength: 2, events: [fired(2)] }, "it has 1 events, the writer expected 2"],
  [running, { expectedLength: 2, events: [] }, "it has 1 events, the writer expected 2"],
  [running, { events: [] }, "it has 1 events, the writer expected 0"],
  [finished, { expectedLength: 2, events: [] }, 'its status is "completed"'],
  [null, { events: [] }, "it is not stored"],
];
for (const [state, part, why] of conflicts) {
  Deno.test(`applyBatch() throws a conflict: ${why}, ${JSON.stringify(part)}`, () => {
    const error = assertThrows(() => applyBatch(state, batch(part)), WorkflowError);
    assertEquals([error.code, error.message], ["conflict", `Cannot append to workflow "a": ${why}`]);
  });
}

Deno.test("applyBatch() throws a TypeError when the batch is malformed, before it checks for conflicts", () => {
  const malformed = [
    null,
    batch({ workflowId: "" }),
    batch({ runId: "" }),
    batch({ expectedLength: -1 }),
    batch({ events: [], replaces: "1" }),
    batch({ events: [null as unknown as WorkflowEvent] }),
    batch({ events: [started, started] }),
    batch({ events: [fired(2)] }),
    batch({ replaces: "1" }),
  ];
  for (const state of [null, running, finished]) {
    for (const one of malformed) assertThrows(() => applyBatch(state, one as AppendBatch), TypeError, "Cannot ");
  }
});

for (const seed of [1, 2, 3]) {
  Deno.test(`applyBatch() computes the state that the in-memory store keeps, for 2,000 random batches, seed ${seed}`, async () => {
    const random = seeded(seed);
    const below = (n: number) => Math.floor(random() * n);
    const store = new InMemoryStore();
    let state: WorkflowState | null = null;
    for (let step = 0; step < 2_000; step++) {
      const at = below(100);
      const last: WorkflowEvent[] = [
        { type: "workflow_completed", at, result: [at] },
        { type: "workflow_failed", at, error: { ...error, message: `${at}` } },
      ];
      const starts = state === null || state.status !== "running" || below(20) === 0;
      const events = Array.from({ length: 1 + below(3) }, () => fired(below(100)));
      if (starts) events[0] = { type: "workflow_started", at, workflowName: `${at}` };
      if (below(4) === 0) events.push(last[below(2)]);
      const one: AppendBatch = {
        workflowId: "a",
        runId: starts ? `run ${step}` : state!.runId,
        expectedLength: starts ? 0 : state!.history.length + below(10 / 9),
        events,
        ...(starts && state !== null && below(5) && { replaces: state.runId }),
      };
      const [kept] = await Promise.allSettled([store.append(one)]);
      const [computed] = await Promise.allSettled([Promise.resolve().then(() => applyBatch(state, one))]);
      assertEquals(computed.status, kept.status, `seed ${seed}, step ${step}`);
      if (computed.status === "fulfilled") state = computed.value;
      else assertEquals(computed.reason.message, (kept as PromiseRejectedResult).reason.message);
      assertEquals(await store.load("a"), state, `seed ${seed}, step ${step}`);
    }
  });
}
