/**
 * Compares the histories of two runs of the same code.
 *
 * Times, stacks and IDs that are made at random do not count: they are different in every run.
 *
 * @module
 */

import type { ErrorRecord, WorkflowEvent } from "../types.ts";
import { equals } from "./assert.ts";

/** Removes the stacks from an event's error: they are different on every machine. */
export function withoutStacks(event: WorkflowEvent): WorkflowEvent {
  return "error" in event && event.error !== undefined ? { ...event, error: withoutStack(event.error) } : event;
}

/** Removes the stack from an error, and from the errors that it holds. */
export function withoutStack({ stack: _, ...record }: ErrorRecord): ErrorRecord {
  const without = (error: unknown) => withoutStack(error as ErrorRecord);
  const inner = Object.entries(record).map(([key, part]) => {
    if (key === "errors") return [key, record.errors!.map(without)];
    return [key, /^(cause|error|suppressed)$/.test(key) && part !== undefined ? without(part) : part];
  });
  return Object.fromEntries(inner);
}

/**
 * Finds the events in which two histories differ, in whatever order they are. Heartbeats do not count: how many there are
 * depends on the time.
 *
 * @returns The events that only `a` has, and those that only `b` has.
 */
export function differences(
  a: readonly WorkflowEvent[],
  b: readonly WorkflowEvent[],
): [onlyInA: WorkflowEvent[], onlyInB: WorkflowEvent[]] {
  return [onlyIn(a, b), onlyIn(b, a)];
}

/** The events that `others` does not have, or has less often. */
function onlyIn(events: readonly WorkflowEvent[], others: readonly WorkflowEvent[]): WorkflowEvent[] {
  const unmatched = new Map<string, object[]>(); // by a key that equal events share, so that few are compared with each other
  for (const other of others) {
    const like = unmatched.get(keyOf(other));
    if (like) like.push(comparable(other));
    else unmatched.set(keyOf(other), [comparable(other)]);
  }
  return events.filter((event) => {
    if (event.type === "activity_heartbeat") return false;
    const content = comparable(event);
    const like = unmatched.get(keyOf(event)) ?? [];
    const match = like.findIndex((other) => equals(other, content));
    if (match >= 0) like.splice(match, 1);
    return match < 0;
  });
}

function keyOf(event: WorkflowEvent): string {
  return `${event.type} ${"seq" in event ? event.seq : ""}`;
}

/** What counts of an event. A timer counts with its duration. What a run remembers follows from the runs before it. */
function comparable(event: WorkflowEvent): object {
  const { at, signalId: _1, remembered: _2, retryAt: _3, dueAt, ...rest } = withoutStacks(event) as {
    readonly at: number;
    readonly signalId?: string;
    readonly remembered?: unknown;
    readonly retryAt?: number;
    readonly dueAt?: number;
  };
  return dueAt === undefined ? rest : { ...rest, durationMs: Math.round((dueAt - at) * 1000) / 1000 };
}
