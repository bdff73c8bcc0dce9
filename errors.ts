/**
 * The errors that callers catch.
 *
 * Owns one base class with a `code` to switch on, and the few subclasses that carry more than a code.
 * Bad arguments are not here: they are the built-in `TypeError` and `RangeError`, thrown at the call.
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

import { checkNumber } from "./util/check.ts";

/**
 * What a {@linkcode WorkflowError} is about.
 *
 * | code | meaning |
 * |---|---|
 * | `activity_interrupted` | an at-most-once activity had started when its process died; it was not run again |
 * | `already_finished` | `execute` was given the ID of a workflow that has finished, and asked to reject that |
 * | `already_running` | `execute` was given the ID of a workflow that is running |
 * | `canceled` | the workflow was cancelled |
 * | `capacity_exceeded` | a limit of the store is reached; nothing was changed |
 * | `closed` | the executor was closed; the run is kept and `recover()` carries it on |
 * | `compensation_failed` | a workflow failed, and so did what was to undo its work |
 * | `conflict` | somebody else changed the run first |
 * | `history_too_long` | a workflow needs more events than the executor's `maxHistoryEvents` allows |
 * | `invalid_snapshot` | a text that `InMemoryStore.restore()` cannot read: damaged, newer, or no snapshot |
 * | `non_deterministic` | workflow code no longer does what the history says it did |
 * | `non_retryable` | an activity asked not to be retried |
 * | `not_found` | no running workflow has that ID |
 * | `retry_after` | an activity asked to be retried at a certain time |
 * | `store_failed` | the store kept failing; the run is kept as `running` and `recover()` carries it on |
 * | `terminated` | `terminate()` ended the workflow without its consent |
 * | `timeout` | a workflow or an activity took longer than it was allowed |
 * | `unknown_workflow` | `recover()` met a workflow name that is not registered |
 * | `unsupported` | the store lacks an optional ability that the call needs |
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
  | "invalid_snapshot"
  | "non_deterministic"
  | "non_retryable"
  | "not_found"
  | "retry_after"
  | "store_failed"
  | "terminated"
  | "timeout"
  | "unknown_workflow"
  | "unsupported";

/** The base of every error that this package throws for a condition that a caller may handle. */
export class WorkflowError extends Error {
  /** What happened, to switch on. */
  readonly code: WorkflowErrorCode;

  /**
   * Makes an error.
   *
   * @param code What happened.
   * @param message The text for the person who reads it.
   * @param options `cause`: the error underneath.
   */
  constructor(code: WorkflowErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    setName(this, "WorkflowError");
    this.code = code;
  }
}

/** Thrown at the `await` in progress when a workflow is cancelled, and by `handle.result()` afterwards. */
export class CanceledError extends WorkflowError {
  /** Why, as given to `cancel()`; `undefined` if no reason was given. */
  readonly reason: string | undefined;

  /**
   * Makes an error.
   *
   * @param message The text.
   * @param reason Why the workflow was cancelled.
   */
  constructor(message: string, reason?: string) {
    super("canceled", message);
    setName(this, "CanceledError");
    this.reason = reason;
  }
}

/** A workflow or an activity took longer than its `timeoutMs` or `totalTimeoutMs`, or gave no heartbeat for too long. */
export class TimeoutError extends WorkflowError {
  /** The time that was allowed, in milliseconds. */
  readonly timeoutMs: number;

  /**
   * Makes an error.
   *
   * @param message The text.
   * @param timeoutMs The time that was allowed, in milliseconds.
   * @param options `cause`: the last failure before the time was up.
   */
  constructor(message: string, timeoutMs: number, options?: ErrorOptions) {
    super("timeout", message, options);
    setName(this, "TimeoutError");
    this.timeoutMs = timeoutMs;
  }
}

/**
 * Thrown by an activity that must not be retried, whatever its retry policy says.
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
   * @param options `cause`: the error underneath.
   */
  constructor(message: string, options?: ErrorOptions) {
    super("non_retryable", message, options);
    setName(this, "NonRetryableError");
  }
}

/** A workflow failed or was cancelled, and so did something that was to undo its work. */
export class CompensationError extends WorkflowError {
  /** What the compensations threw, newest compensation first. */
  readonly errors: readonly unknown[];

  /**
   * Makes an error.
   *
   * @param message The text.
   * @param errors What the compensations threw.
   * @param options `cause`: what the workflow itself failed with.
   */
  constructor(message: string, errors: readonly unknown[], options?: ErrorOptions) {
    super("compensation_failed", message, options);
    setName(this, "CompensationError");
    this.errors = errors;
  }
}

/**
 * Thrown by an activity that knows when it is worth another attempt, such as one that was told so by a server. The next
 * attempt comes after `delayMs`, whatever interval, backoff and jitter of the retry policy are. All else is as with any
 * failure: it counts for `maxAttempts`, `isRetryable` is asked, `totalTimeoutMs` goes on, and without a retry policy there
 * is no other attempt.
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
  readonly delayMs: number;

  /**
   * Makes an error.
   *
   * @param message The text.
   * @param delayMs The delay before the next attempt, in milliseconds, from 0.
   * @param options `cause`: the error underneath.
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
 * Workflow code did not do what the history says it did: it was changed while the run was in flight, or it is not
 * deterministic. The stored run is left as it is, so that corrected code can recover it.
 */
export class NonDeterminismError extends WorkflowError {
  /** What the history holds at this position, such as `activity "reserve"`. */
  readonly expected: string;
  /** What the workflow code did instead, such as `activity "charge"`. */
  readonly actual: string;
  /** The command's position in the run, counted from 0. */
  readonly position: number;

  /**
   * Makes an error.
   *
   * @param message The whole text, with the likely edit.
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

/** Spelled out, since a minifier renames classes; not enumerable, since a class's name is not the error's data. */
function setName(error: Error, value: string): void {
  Object.defineProperty(error, "name", {
    value,
    writable: true,
    configurable: true,
    enumerable: false,
  });
}
