/**
 * Compares two histories event by event.
 *
 * Two events are the same step if their type, their name and their error are the same; values are compared apart. Times, and IDs that
 * are different in every run, are not compared.
 *
 * @module
 */

import type { WorkflowEvent } from "../types.ts";
import { errorOf } from "./events.ts";
import { valueText } from "./value.ts";

/** What was found. Indexes count from 0; `undefined` if there is none. */
export interface Comparison {
  /** The first event that is another step, or that only one history has. */
  readonly step: number | undefined;
  /** The first event with another value, or that is another step. */
  readonly value: number | undefined;
}

/** Compares two histories. */
export function compareHistories(left: readonly WorkflowEvent[], right: readonly WorkflowEvent[]): Comparison {
  const longest = Math.max(left.length, right.length);
  let value: number | undefined;
  for (let i = 0; i < longest; i++) {
    const [a, b] = [left[i], right[i]];
    if (a === undefined || b === undefined || stepOf(a) !== stepOf(b)) return { step: i, value: value ?? i };
    if (value === undefined && textOf(a) !== textOf(b)) value = i;
  }
  return { step: undefined, value };
}

/** Whether two events hold the same values. */
export function haveSameValues(a: WorkflowEvent, b: WorkflowEvent): boolean {
  return textOf(a) === textOf(b);
}

function stepOf(event: WorkflowEvent): string {
  const { name, changeId } = event as { readonly name?: string; readonly changeId?: string };
  const error = errorOf(event);
  return JSON.stringify([event.type, name ?? changeId, error && [error.name, error.message]]);
}

/** Properties that are different in every run. */
const OWN = /* @__PURE__ */ new Set([
  "at",
  "dueAt",
  "retryAt",
  "startAt",
  "deadlineAt",
  "signalId",
  "updateId",
  "error",
]);

function textOf(event: WorkflowEvent): string {
  return valueText(Object.fromEntries(Object.entries(event).filter(([name]) => !OWN.has(name))));
}
