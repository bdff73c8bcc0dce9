/** `TakenPlaces`: which events a stored history has made pointless. */

import { assertEquals } from "@std/assert";
import type { WorkflowEvent } from "../types.ts";
import { TakenPlaces } from "./superseded.ts";

const error = { name: "Error", message: "no" };
const at = 1;
const started = (seq: number): WorkflowEvent => ({ type: "activity_started", at, seq, name: "a" });
const completed = (seq: number): WorkflowEvent => ({ type: "activity_completed", at, seq, attempt: 1 });
const failed = (seq: number): WorkflowEvent => ({ type: "activity_failed", at, seq, attempt: 1, error });
const fired = (seq: number): WorkflowEvent => ({ type: "timer_fired", at, seq });
const attempt = (seq: number, attempt: number): WorkflowEvent => ({
  type: "activity_attempt_failed",
  at,
  seq,
  attempt,
  error,
  retryAt: 2,
});
const beat = (seq: number, attempt: number): WorkflowEvent => ({ type: "activity_heartbeat", at, seq, attempt });
const signal = (signalId: string): WorkflowEvent => ({ type: "signal_received", at, name: "s", signalId });
const accepted = (updateId: string): WorkflowEvent => ({ type: "update_accepted", at, updateId, name: "u" });
const answered = (updateId: string): WorkflowEvent => ({ type: "update_completed", at, updateId });
const patched = (changeId: string): WorkflowEvent => ({ type: "patched", at, changeId });
const cancel: WorkflowEvent = { type: "cancel_requested", at };
const end: WorkflowEvent = { type: "workflow_completed", at };

Deno.test("TakenPlaces.supersedes() returns true only for an event whose place is taken", () => {
  const cases: [stored: WorkflowEvent, superseded: WorkflowEvent[], others: WorkflowEvent[]][] = [
    [started(3), [started(3)], [started(4), completed(3), attempt(3, 1)]],
    [completed(3), [completed(3), failed(3), fired(3), attempt(3, 9), beat(3, 1)], [completed(4), started(3)]],
    [attempt(3, 2), [attempt(3, 1), attempt(3, 2), beat(3, 1), beat(3, 2)], [attempt(3, 3), beat(3, 3), attempt(4, 1)]],
    [signal("x"), [signal("x")], [signal("y")]],
    [accepted("x"), [accepted("x")], [accepted("y"), answered("x")]],
    [answered("x"), [answered("x")], [answered("y")]],
    [patched("x"), [patched("x")], [patched("y")]],
    [cancel, [{ ...cancel, reason: "another" }], [end]],
    [end, [end], [cancel, { type: "workflow_failed", at, error }]],
  ];
  for (const [stored, superseded, others] of cases) {
    const taken = new TakenPlaces([stored]);
    const events = [...superseded, ...others];
    const expected = events.map((_, i) => i < superseded.length);
    assertEquals(events.map((event) => taken.supersedes(event)), expected, JSON.stringify(stored));
  }
});

Deno.test("TakenPlaces.get() returns the stored event in the place of an event", () => {
  const [stored, other] = [completed(3), signal("x")];
  const taken = new TakenPlaces([stored, other]);
  assertEquals([taken.get(failed(3)), taken.get(signal("x")), taken.get(started(3))], [stored, other, undefined]);
});
