/**
 * How a workflow may be started: the checks of an executor, and of an engine.
 *
 * @module
 */

import type { ChildOptions } from "../context.ts";
import type { ExecuteOptions } from "../options.ts";
import { validateRetryPolicy } from "../retry.ts";
import { cannot, checkArray, checkChoice, checkNumber, checkOptions, checkSignal, checkText } from "../util/check.ts";

const executeOptions: Readonly<Record<keyof ExecuteOptions, true>> = {
  id: true,
  input: true,
  labels: true,
  headers: true,
  timeoutMs: true,
  startAfterMs: true,
  startAt: true,
  onConflict: true,
  reuse: true,
  signal: true,
  signals: true,
};

const childOptions: Readonly<Record<keyof ChildOptions, true>> = {
  id: true,
  timeoutMs: true,
  retry: true,
  parentClosePolicy: true,
  headers: true,
};

/** Checks the options of `execute`, apart from the ID, and from what is copied: input, labels, headers and signals. */
export function validateExecuteOptions(options: ExecuteOptions, action: string, id: unknown): void {
  checkOptions(options, executeOptions, action, id);
  validateStart(options, action, id);
  checkSignal(options.signal, action, id);
}

/** When a workflow is started, for how long it may run, and what happens if there is one of its ID. */
export type Start =
  & Pick<
    ExecuteOptions,
    "timeoutMs" | "startAfterMs" | "startAt" | "onConflict" | "reuse"
  >
  & { readonly signals?: readonly unknown[] | undefined };

/** Checks when and how a workflow is started. */
export function validateStart(start: Start, action: string, subject: unknown): void {
  const { timeoutMs, signals, onConflict, reuse, startAfterMs, startAt } = start;
  if (signals !== undefined) checkArray("signals", signals, action, subject);
  if (timeoutMs !== undefined) checkNumber("timeoutMs", timeoutMs, Number.MIN_VALUE, action, subject);
  if (startAfterMs !== undefined) checkNumber("startAfterMs", startAfterMs, 0, action, subject);
  if (startAt !== undefined) checkNumber("startAt", startAt, -Infinity, action, subject);
  if (startAfterMs !== undefined && startAt !== undefined) {
    throw new TypeError(`${cannot(action, subject)}: "startAfterMs" and "startAt" exclude each other`);
  }
  checkChoice("onConflict", onConflict, ["reject", "join", "replace"], action, subject);
  checkChoice("reuse", reuse, ["replace", "replace-failed", "reject", "join"], action, subject);
}

/** Checks the options of a child, apart from its headers, which are copied. */
export function validateChildOptions(options: ChildOptions, action: string, name: string): void {
  checkOptions(options, childOptions, action, name);
  const { id, timeoutMs, retry, parentClosePolicy } = options;
  if (id !== undefined) checkText("id", id, action, name);
  if (retry !== undefined) validateRetryPolicy(retry);
  if (timeoutMs !== undefined) checkNumber("timeoutMs", timeoutMs, Number.MIN_VALUE, action, name);
  checkChoice("parentClosePolicy", parentClosePolicy, ["cancel", "terminate", "abandon"], action, name);
}
