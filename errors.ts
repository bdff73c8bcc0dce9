/**
 * The errors that callers catch.
 *
 * Owns one base class with a `code` to switch on, and the subclasses that carry more than a code. An invalid argument is a
 * built-in `TypeError` or `RangeError` at the call, and not one of these.
 *
 * @example
 * ```ts
 * import { WorkflowError } from "@rockpool/workflow";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new WorkflowError("not_found", 'Cannot signal workflow "a": it does not exist');
 * assertEquals(error.code, "not_found");
 * ```
 *
 * @module
 */

import type { FailedActivity } from "./types.ts";
import { cannot, checkNumber } from "./util/check.ts";

/**
 * The condition that a {@linkcode WorkflowError} reports.
 *
 * | code | meaning |
 * |---|---|
 * | `activity_interrupted` | an at-most-once activity had started when its process died; it does not run again |
 * | `already_finished` | `execute` got the ID of a finished workflow, with `reuse: "reject"` or `"replace-failed"` |
 * | `already_running` | `execute` got the ID of a running workflow, with `onConflict: "reject"` |
 * | `canceled` | the workflow was cancelled |
 * | `capacity_exceeded` | a limit of the store is reached; nothing was changed |
 * | `closed` | the executor was closed; the stored run is unchanged, and `recover()` resumes it |
 * | `compensation_failed` | a workflow failed or was cancelled, and one of its compensations failed too |
 * | `conflict` | another writer changed the run first |
 * | `history_too_long` | a workflow needs more events than the executor's `maxHistoryEvents` allows |
 * | `invalid_history` | the store holds a history with an event that is not valid; the stored run is unchanged |
 * | `invalid_snapshot` | `InMemoryStore.restore()` cannot read the text: it is damaged, from a newer version, or no snapshot |
 * | `lease_lost` | another executor owns the run: the lease of this one had ended; the other one runs the workflow |
 * | `non_deterministic` | workflow code did not do what the history says |
 * | `non_retryable` | an activity failed and must not be retried |
 * | `not_found` | no workflow, or no running workflow, has that ID; or the workflow has no such handler |
 * | `retry_after` | an activity failed and asked for a retry after a certain delay |
 * | `store_failed` | the store failed repeatedly; the stored run stays `running`, and `recover()` resumes it |
 * | `terminated` | `terminate()` ended the workflow |
 * | `timeout` | a workflow or an activity took longer than it was allowed |
 * | `unknown_workflow` | the workflow's name is not registered with the executor |
 * | `unsupported` | the call needs a workflow that is live in this executor, or an optional method that the store does not have |
 * | `update_interrupted` | the workflow ended before an accepted update was answered: its handler may have begun |
 *
 * @category Errors
 */
export type WorkflowErrorCode =
  | "activity_interrupted"
  | "already_finished"
  | "already_running"
  | "canceled"
  | "capacity_exceeded"
  | "closed"
  | "compensation_failed"
  | "conflict"
  | "history_too_long"
  | "invalid_history"
  | "invalid_snapshot"
  | "lease_lost"
  | "non_deterministic"
  | "non_retryable"
  | "not_found"
  | "retry_after"
  | "store_failed"
  | "terminated"
  | "timeout"
  | "unknown_workflow"
  | "unsupported"
  | "update_interrupted";

/**
 * The base class of every error that this package throws for a condition that a caller may handle.
 *
 * @category Errors
 */
export class WorkflowError extends Error {
  /** The condition, to switch on. */
  declare readonly code: WorkflowErrorCode;

  /**
   * Makes an error.
   *
   * @param code The condition.
   * @param message The text.
   * @param options `cause`: the error that caused this one.
   */
  constructor(code: WorkflowErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    setName(this, "WorkflowError");
    this.code = code;
  }
}

/**
 * The waits of a cancelled workflow reject with this error, and so does `handle.result()` afterwards.
 *
 * @category Errors
 */
export class CanceledError extends WorkflowError {
  /** The reason that was given to `cancel()`, or `undefined`. */
  declare readonly reason: string | undefined;

  /**
   * Makes an error.
   *
   * @param message The text.
   * @param reason The reason of the cancellation.
   */
  constructor(message: string, reason?: string) {
    super("canceled", message);
    setName(this, "CanceledError");
    this.reason = reason;
  }
}

/**
 * A workflow, a wait or an activity exceeded its `timeoutMs`, `totalTimeoutMs` or `heartbeatTimeoutMs`.
 *
 * @category Errors
 */
export class TimeoutError extends WorkflowError {
  /** The time that was allowed, in milliseconds. */
  declare readonly timeoutMs: number;
  /** Which option of an activity was exceeded. It is absent if it was no activity. */
  declare readonly option?: "timeoutMs" | "totalTimeoutMs" | "heartbeatTimeoutMs";
  /** The last details that the activity gave to `heartbeat()`. It is absent if there are none. */
  declare readonly heartbeatDetails?: unknown;

  /**
   * Makes an error.
   *
   * @param message The text.
   * @param timeoutMs The time that was allowed, in milliseconds.
   * @param options `cause`: the last failure before the timeout.
   */
  constructor(message: string, timeoutMs: number, options?: ErrorOptions) {
    super("timeout", message, options);
    setName(this, "TimeoutError");
    this.timeoutMs = timeoutMs;
  }
}

/**
 * An activity throws this error if it must not be retried. Its retry policy does not count then.
 *
 * @category Errors
 *
 * @example
 * ```ts
 * import { NonRetryableError } from "@rockpool/workflow";
 *
 * function charge(card: { expired: boolean }): string {
 *   if (card.expired) throw new NonRetryableError("The card has expired");
 *   return "charged";
 * }
 * charge({ expired: false });
 * ```
 */
export class NonRetryableError extends WorkflowError {
  /**
   * Makes an error.
   *
   * @param message The text.
   * @param options `cause`: the error that caused this one.
   */
  constructor(message: string, options?: ErrorOptions) {
    super("non_retryable", message, options);
    setName(this, "NonRetryableError");
  }
}

/**
 * A workflow failed or was cancelled, and one or more of its compensations failed too. The `cause` is the error of the
 * workflow itself.
 *
 * @category Errors
 */
export class CompensationError extends WorkflowError {
  /** The errors of the compensations, newest compensation first. */
  declare readonly errors: readonly unknown[];

  /**
   * Makes an error.
   *
   * @param message The text.
   * @param errors The errors of the compensations.
   * @param options `cause`: the error of the workflow itself.
   */
  constructor(message: string, errors: readonly unknown[], options?: ErrorOptions) {
    super("compensation_failed", message, options);
    setName(this, "CompensationError");
    this.errors = errors;
  }
}

/**
 * An activity throws this error if it knows when another attempt is useful, for instance from a server's answer. The next
 * attempt begins after `delayMs`, instead of the delay of the retry policy. Otherwise it is a failure like any other: it
 * counts for `maxAttempts`, `isRetryable` is called, `totalTimeoutMs` continues, and without a retry policy no attempt
 * follows.
 *
 * @category Errors
 *
 * @example
 * ```ts
 * import { RetryAfterError } from "@rockpool/workflow";
 *
 * async function send(message: string): Promise<void> {
 *   const response = await post(message);
 *   if (response.status === 429) throw new RetryAfterError("The server is busy", 1000 * response.retryAfter);
 * }
 * const post = (_message: string) => Promise.resolve({ status: 200, retryAfter: 0 });
 * await send("hello");
 * ```
 */
export class RetryAfterError extends WorkflowError {
  /** The delay before the next attempt, in milliseconds. */
  declare readonly delayMs: number;

  /**
   * Makes an error.
   *
   * @param message The text.
   * @param delayMs The delay before the next attempt, in milliseconds, from 0.
   * @param options `cause`: the error that caused this one.
   * @throws {RangeError} If `delayMs` is not a finite number from 0.
   */
  constructor(message: string, delayMs: number, options?: ErrorOptions) {
    super("retry_after", message, options);
    checkNumber("delayMs", delayMs, 0, "ask for a retry");
    setName(this, "RetryAfterError");
    this.delayMs = delayMs;
  }
}

/**
 * Workflow code did not do what the history says: it was changed while the run was in flight, or it is not deterministic.
 * The stored run is left unchanged, so that corrected code can resume it.
 *
 * @category Errors
 */
export class NonDeterminismError extends WorkflowError {
  /** The command in the history at this position, such as `activity "reserve"`. */
  declare readonly expected: string;
  /** What the workflow code did instead, such as `activity "charge"`. */
  declare readonly actual: string;
  /** The command's position in the run, counted from 0. */
  declare readonly position: number;

  /**
   * Makes an error.
   *
   * @param message The whole text, which names the likely edit.
   * @param details The parts of the message, for tools.
   */
  constructor(message: string, details: { expected: string; actual: string; position: number }) {
    super("non_deterministic", message);
    setName(this, "NonDeterminismError");
    this.expected = details.expected;
    this.actual = details.actual;
    this.position = details.position;
  }
}

export type { FailedActivity };

const failedActivities = /* @__PURE__ */ new WeakMap<object, FailedActivity>();

/**
 * Returns which activity failed, if an error comes from an activity: the error that `ctx.executeActivity` rejects with, or the
 * one of a workflow or a child workflow that did not catch it. The last line of its stack says the same, such as
 * `at activity "charge" of workflow "order-7", attempt 3 of 5`. The class, the message and the cause of the error are those that the
 * activity threw.
 *
 * @param error The error. An error that wraps it comes from no activity, but its `cause` does.
 * @returns `undefined` if the error comes from no activity, or is no `Error`.
 *
 * @category Errors
 *
 * @example
 * ```ts
 * import { Executor, failedActivity, type WorkflowContext } from "@rockpool/workflow";
 * import { assertEquals } from "@std/assert";
 *
 * function charge() {
 *   throw new RangeError("Declined");
 * }
 * await using executor = new Executor();
 * const handle = await executor.execute((ctx: WorkflowContext) => ctx.executeActivity(charge), { id: "order-7" });
 * const error = await handle.result().catch((error) => error);
 * assertEquals(failedActivity(error), { name: "charge", attempt: 1, workflowId: "order-7" });
 * assertEquals(`${error}`, "RangeError: Declined");
 * ```
 */
export function failedActivity(error: unknown): FailedActivity | undefined {
  return failedActivities.get(error as object);
}

/**
 * Notes which activity an error comes from.
 *
 * @internal
 */
export function setFailedActivity(error: object, activity: FailedActivity): void {
  failedActivities.set(error, activity);
}

/**
 * The error for what an action cannot do, and why.
 *
 * @internal
 */
export function workflowError(
  code: WorkflowErrorCode,
  action: string,
  subject: unknown,
  why: string,
  options?: ErrorOptions,
): WorkflowError {
  return new WorkflowError(code, `${cannot(action, subject)}: ${why}`, options);
}

/** The name is a literal because a minifier renames classes. It is not enumerable because it is not the error's data. */
function setName(error: Error, value: string): void {
  Object.defineProperty(error, "name", {
    value,
    writable: true,
    configurable: true,
    enumerable: false,
  });
}

/**
 * Returns the code of an error of this package, also if another copy of the package in the same program made it: that of a store or
 * of activities from npm, for example. `undefined` for any other value.
 *
 * @internal
 */
export function codeOf(error: unknown): WorkflowErrorCode | undefined {
  try {
    const { name, code } = error as WorkflowError;
    return error instanceof WorkflowError || /^(NonRetryable|RetryAfter|Workflow)Error$/.test(name) ? code : undefined;
  } catch { // null, or a proxy that throws
    return undefined;
  }
}
