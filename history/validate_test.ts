/** The checks of events: every field of every type. */

import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { WorkflowError, type WorkflowEvent } from "@rockpool/workflow";
import { validateEvent, validateHistory } from "./validate.ts";

const error = { name: "Error", message: "no", cause: { name: "Error", message: "why" } };
const headers = { traceparent: "00-1" };
const parent = { workflowId: "p", runId: "r", seq: 0, closePolicy: "cancel" } as const;

/** An event of each type with all its fields, and the fields that it may have. */
const EVENTS: {
  [Type in WorkflowEvent["type"]]: [Omit<Extract<WorkflowEvent, { type: Type }>, "type" | "at">, string];
} = {
  workflow_started: [
    {
      workflowName: "w",
      timeoutMs: 1,
      startAt: 1,
      labels: { a: "b" },
      headers,
      workflowVersion: "1",
      maxPayloadBytes: 1,
      firstRunId: "f",
      parent,
      remembered: { signalIds: ["s"], updates: [{ type: "update_completed", at: 5, updateId: "u", error }] },
    },
    "timeoutMs startAt labels headers workflowVersion maxPayloadBytes firstRunId parent remembered",
  ],
  workflow_completed: [{}, ""],
  workflow_failed: [{ error }, ""],
  workflow_canceled: [{ error }, ""],
  cancel_requested: [{ reason: "r", timeoutMs: 1 }, "reason timeoutMs"],
  activity_started: [{ seq: 0, name: "n" }, ""],
  activity_attempt_failed: [{ seq: 0, attempt: 1, error, retryAt: 1 }, ""],
  activity_heartbeat: [{ seq: 0, attempt: 1 }, ""],
  activity_completed: [{ seq: 0, attempt: 1 }, ""],
  activity_failed: [{ seq: 0, attempt: 0, error }, ""],
  timer_started: [{ seq: 0, dueAt: 1, waitsFor: { signal: "n" } }, "waitsFor"],
  timer_fired: [{ seq: 0 }, ""],
  signal_received: [{ name: "n", senderId: "s", headers, signalId: "i" }, "senderId headers"],
  side_effect: [{ seq: 0, error }, "error"],
  compensation_started: [{ seq: 0, name: "n" }, ""],
  labels_changed: [{ seq: 0, labels: { a: "b" } }, ""],
  patched: [{ changeId: "c" }, ""],
  child_started: [
    { seq: 0, name: "n", workflowId: "w", timeoutMs: 1, closePolicy: "abandon", headers },
    "timeoutMs headers",
  ],
  child_begun: [{ seq: 0 }, ""],
  child_attempt_failed: [{ seq: 0, attempt: 1, error, retryAt: 0 }, ""],
  child_completed: [{ seq: 0 }, ""],
  child_failed: [{ seq: 0, error }, ""],
  update_requested: [{ updateId: "u", name: "n", headers }, "headers"],
  update_accepted: [{ updateId: "u", name: "n", headers }, "headers"],
  update_rejected: [{ updateId: "u", error }, ""],
  update_completed: [{ updateId: "u", error }, "error"],
};

/** Both ways: that of a store, and that of an executor, which has a short way for frequent events. */
function check(event: object): void {
  validateEvent(event as WorkflowEvent, "history", 0);
  validateHistory([event as WorkflowEvent], 0, "recover workflow", "a");
}

for (const [type, [fields, optional]] of Object.entries(EVENTS)) {
  Deno.test(`validateEvent() and validateHistory() check every field of ${type}`, () => {
    const event = { type, at: 5, ...fields };
    check(event);
    for (const key of ["at", ...Object.keys(fields)]) {
      const without: Record<string, unknown> = { ...event };
      delete without[key];
      if (optional.split(" ").includes(key)) check(without);
      for (const bad of [...optional.split(" ").includes(key) ? [] : [undefined], null, NaN, true, [5], new Date(5)]) {
        const wrong = { ...event, [key]: bad } as unknown as WorkflowEvent;
        const thrown = assertThrows(() => validateEvent(wrong, "history", 3), TypeError);
        assertStringIncludes(thrown.message, `Cannot store history[3]: "${key}" must be`);
        const error = assertThrows(() => validateHistory([wrong], 0, "recover workflow", "a"), WorkflowError);
        assertEquals(error.code, "invalid_history");
        assertStringIncludes(
          error.message,
          'Cannot recover workflow "a": its history is not valid: Cannot read history[0]',
        );
      }
    }
  });
}

Deno.test("validateEvent() checks what is inside of errors, parents and remembered messages, to any depth", () => {
  const failed = (error: unknown) => ({ type: "workflow_failed", at: 5, error });
  let deep: Record<string, unknown> = { name: "Error", message: "no" };
  for (let i = 0; i < 20; i++) deep = { name: "Error", message: "no", cause: deep };
  check(failed(deep));
  check(failed({ ...error, errors: [error, deep], stack: "s", data: { code: 5 }, thrown: { value: 5 } }));
  const endless: Record<string, unknown> = { name: "Error", message: "no" };
  endless.cause = endless;
  const bad = [endless, {}, { name: "Error" }, { ...error, cause: 5 }, { ...error, errors: 5 }, {
    ...error,
    errors: [5],
  }];
  for (const error of bad) assertThrows(() => check(failed(error)), TypeError, '"error" must be valid');
  const started = (parent: unknown) => ({ type: "workflow_started", at: 5, workflowName: "w", parent });
  for (const bad of [{}, { ...parent, seq: "0" }, { ...parent, closePolicy: "x" }, { ...parent, runId: 5 }]) {
    assertThrows(() => check(started(bad)), TypeError, '"parent" must be valid');
  }
  const answer = { type: "update_completed", at: 5, updateId: "u" };
  for (
    const [signalIds, updates] of [[["s", 5], []], [[], [{ ...answer, error: {} }]], [[], [null]], ["s", []], [
      new Array(1),
      [],
    ]]
  ) {
    const event = { ...started(parent), remembered: { signalIds, updates } };
    assertThrows(() => check(event), TypeError, '"remembered" must be valid');
  }
});

Deno.test("validateEvent() and validateHistory() check that headers are texts, also of a signal without a sender", () => {
  const signal = { type: "signal_received", at: 5, name: "n", signalId: "i" };
  check({ ...signal, headers });
  const error = assertThrows(() => validateEvent({ ...signal, headers: { n: 7 } } as never, "history", 0), TypeError);
  assertStringIncludes(error.message, '"headers.n" must be a string, got 7');
  assertThrows(() => check({ ...signal, headers: "x" }), TypeError);
  assertThrows(
    () => validateHistory([{ ...signal, headers: "x" } as never], 0, "recover workflow", "a"),
    WorkflowError,
  );
});

Deno.test("validateEvent() and validateHistory() check what a timer is for", () => {
  const timer = { type: "timer_started", at: 5, seq: 0, dueAt: 6 };
  for (const waitsFor of [undefined, { signal: "" }, "condition", "scope"]) check({ ...timer, waitsFor });
  for (const waitsFor of ["signal", "", ["scope"], {}, { signal: 5 }]) {
    assertThrows(() => check({ ...timer, waitsFor }), TypeError, '"waitsFor" must be valid');
    const list = [{ ...timer, waitsFor } as never];
    assertThrows(() => validateHistory(list, 0, "recover workflow", "a"), WorkflowError, '"waitsFor" must be valid');
  }
});

Deno.test("validateHistory() refuses what is no event, and checks from an index on", () => {
  for (const bad of [null, 5, {}, { type: "x", at: 5 }, { type: "toString", at: 5 }]) {
    assertThrows(() => validateHistory([bad as never], 0, "recover workflow", "a"), WorkflowError);
    validateHistory([bad as never], 1, "recover workflow", "a");
  }
});
