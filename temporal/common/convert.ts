/**
 * What errors become where they pass from an activity to its workflow, from a child to its parent, and from a workflow to a client.
 *
 * 1. A history keeps the name, the message, the stack, the cause and the data of an error, and not its class. {@linkcode toFailure}
 *    makes an instance of the class again, with its whole chain of causes.
 * 2. {@linkcode toThrown} makes what an activity or a workflow throws out of what its code threw: a failure that can be stored.
 * 3. The errors of this package become the failures that mean the same. `RetryAfterError` carries the failure as its cause.
 *
 * @module
 */

import {
  codeOf,
  failedActivity,
  RetryAfterError,
  setFailedActivity,
  type TimeoutError,
  type WorkflowErrorCode,
} from "../../errors.ts";
import { RetryState, type TimeoutType } from "./choices.ts";
import { durationMs } from "./duration.ts";
import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  ChildWorkflowFailure,
  ensureTemporalFailure,
  NexusOperationFailure,
  ServerFailure,
  setStack,
  TemporalFailure,
  TerminatedFailure,
  TimeoutFailure,
  type WorkflowExecution,
  WorkflowExecutionAlreadyStartedError,
} from "./failures.ts";

/** An error that was stored: the data of its class are properties. */
// deno-lint-ignore no-explicit-any
type Stored = Error & Record<string, any>;

/** Makes the failures of each class of their data, by the name of the class. */
const classes: Record<string, (error: Stored, cause: Error | undefined) => TemporalFailure> = {
  ActivityFailure: (e, cause) =>
    new ActivityFailure(e.message, e.activityType, e.activityId, e.retryState, e.identity, cause),
  ApplicationFailure: (e, cause) =>
    new ApplicationFailure(e.message, e.type, e.nonRetryable, e.details, cause, e.nextRetryDelay, e.category),
  CancelledFailure: (e, cause) => new CancelledFailure(e.message, e.details, cause),
  ChildWorkflowFailure: (e, cause) =>
    new ChildWorkflowFailure(e.namespace, e.execution, e.workflowType, e.retryState, cause),
  NexusOperationFailure: (e, cause) =>
    new NexusOperationFailure(
      e.message,
      e.scheduledEventId,
      e.endpoint,
      e.service,
      e.operation,
      e.operationToken,
      cause,
    ),
  ServerFailure: (e, cause) => new ServerFailure(e.message, e.nonRetryable, cause),
  TemporalFailure: (e, cause) => new TemporalFailure(e.message, cause),
  TerminatedFailure: (e, cause) => new TerminatedFailure(e.message, cause),
  TimeoutFailure(e, cause) {
    const failure = new TimeoutFailure(e.message, e.lastHeartbeatDetails, e.timeoutType);
    return cause === undefined ? failure : withCause(failure, cause);
  },
  WorkflowExecutionAlreadyStartedError: (e) =>
    new WorkflowExecutionAlreadyStartedError(e.message, e.workflowId, e.workflowType),
};

/**
 * Returns the failure that an error means. The error is what was thrown, what the history keeps of it, or an error of this package:
 * each gives a failure that is equal in its class, its data and its causes.
 *
 * @param error The error, or any other value that was thrown.
 * @param read Makes the details of a stored failure again, as `ValueConverter.fromStored` does.
 */
export function toFailure(error: unknown, read: Convert = (value) => value): TemporalFailure {
  return convert(error, read, 0);
}

/** Converts a value in one direction. */
type Convert = (value: unknown) => unknown;

/** How deep causes may be nested: deeper than a history keeps them. A chain of causes can be a circle. */
const MAX_DEPTH = 20;

function convert(error: unknown, read: Convert, depth: number): TemporalFailure {
  if (!isError(error)) return ensureTemporalFailure(error);
  const cause = depth < MAX_DEPTH && isError(error.cause) ? convert(error.cause, read, depth + 1) : undefined;
  if (error instanceof TemporalFailure && error.cause === cause) return error; // the causes are failures, too
  const make = Object.hasOwn(classes, error.name) ? classes[error.name] : undefined;
  const isStored = !(error instanceof TemporalFailure);
  const failure = make === undefined
    ? fromNative(error, codeOf(error), cause, read)
    : make(isStored ? withDetails(error as Stored, read) : error as unknown as Stored, cause);
  return sameOrigin(failure, error);
}

/** The data of a failure, with its details converted. */
function withDetails(failure: Error, convert: Convert): Stored {
  const { details } = failure as Stored;
  const { message, name } = failure;
  return { ...failure, name, message, ...(Array.isArray(details) && { details: details.map(convert) }) } as Stored;
}

/** Gives an error the stack of the one that it stands for, and the activity that it comes from. */
function sameOrigin<Failure extends TemporalFailure>(failure: Failure, origin: Error): Failure {
  setStack(failure, origin.stack);
  const activity = failedActivity(origin);
  if (activity !== undefined) setFailedActivity(failure, activity);
  return failure;
}

/** The failure of an error of this package, or of any other error. */
function fromNative(
  error: Error,
  code: WorkflowErrorCode | undefined,
  cause: TemporalFailure | undefined,
  read: Convert,
): TemporalFailure {
  const { message, name } = error;
  switch (code) {
    case "retry_after":
      if (cause instanceof ApplicationFailure && cause.message === message) return cause; // see toThrown()
      return new ApplicationFailure(message, name, false, undefined, cause, (error as RetryAfterError).delayMs);
    case "non_retryable":
      return new ApplicationFailure(message, name, true, undefined, cause);
    case "canceled":
      return new CancelledFailure(message, [], cause);
    case "timeout":
      return timedOut(error as TimeoutError, cause, read);
    case "terminated":
      return new TerminatedFailure(message, cause);
  }
  const { name: className } = error.constructor;
  return new ApplicationFailure(message, className === "Error" ? name : className, false, undefined, cause);
}

function timedOut(
  { message, option, heartbeatDetails }: TimeoutError,
  cause: Error | undefined,
  read: Convert,
): TimeoutFailure {
  const last = heartbeatDetails === undefined ? undefined : read(heartbeatDetails);
  return withCause(new TimeoutFailure(message, last, timeoutTypes[option!] ?? "START_TO_CLOSE"), cause);
}

const timeoutTypes = {
  timeoutMs: "START_TO_CLOSE",
  totalTimeoutMs: "SCHEDULE_TO_CLOSE",
  heartbeatTimeoutMs: "HEARTBEAT",
} as const satisfies Record<NonNullable<TimeoutError["option"]>, TimeoutType>;

function withCause<Failure extends TemporalFailure>(failure: Failure, cause: Error | undefined): Failure {
  if (cause !== undefined) {
    Object.defineProperty(failure, "cause", { value: cause, writable: true, configurable: true, enumerable: false });
  }
  return failure;
}

function isError(value: unknown): value is Error {
  return value instanceof Error || Object.prototype.toString.call(value) === "[object Error]";
}

/**
 * Returns what an activity or a workflow throws, in place of what its code threw: a failure whose details can be stored. A failure
 * that asks for its own delay is wrapped in a `RetryAfterError`.
 *
 * @param error What the code threw.
 * @param copy Copies a detail into a value that can be stored, as `ValueConverter.toStored` does.
 */
export function toThrown(error: unknown, copy: Convert): Error {
  const failure = stored(toFailure(error), copy);
  if (!(failure instanceof ApplicationFailure) || failure.nonRetryable || failure.nextRetryDelay == null) {
    return failure;
  }
  const delayMs = Math.max(durationMs(failure.nextRetryDelay, "nextRetryDelay"), 0);
  const carrier = new RetryAfterError(failure.message, delayMs, { cause: failure });
  setStack(carrier, failure.stack);
  return carrier;
}

/** Copies the details of a failure and of its causes. */
function stored(failure: TemporalFailure, copy: Convert): TemporalFailure {
  const cause = failure.cause instanceof TemporalFailure ? stored(failure.cause, copy) : failure.cause;
  const { details } = failure as { details?: unknown[] | null };
  const hasDetails = Array.isArray(details) && details.length > 0;
  if (cause === failure.cause && !hasDetails) return failure;
  const { name } = failure;
  const kind = Object.hasOwn(classes, name) ? name : details === undefined ? "TemporalFailure" : "ApplicationFailure";
  return sameOrigin(classes[kind](withDetails(failure, copy), cause), failure);
}

/**
 * Whether another attempt may follow a failure, if the numbers of the policy allow it.
 *
 * @param failure The failure.
 * @param nonRetryableErrorTypes The `type` of each application failure after which none follows.
 */
export function isRetryable(failure: TemporalFailure, nonRetryableErrorTypes: readonly string[] = []): boolean {
  if (failure instanceof CancelledFailure || failure instanceof TerminatedFailure) return false;
  if (failure instanceof TimeoutFailure) {
    return failure.timeoutType === "START_TO_CLOSE" || failure.timeoutType === "HEARTBEAT";
  }
  if (failure instanceof ServerFailure) return !failure.nonRetryable;
  if (!(failure instanceof ApplicationFailure)) return true;
  return !failure.nonRetryable && !nonRetryableErrorTypes.includes(failure.type ?? "");
}

/** What is known where an activity is called. */
export interface CalledActivity {
  /** The name of the activity. */
  readonly activityType: string;
  /** The ID of the call. */
  readonly activityId: string | undefined;
  /** The policy of the call, as Temporal's code gave it. */
  readonly retry?: {
    readonly maximumAttempts?: number | undefined;
    readonly nonRetryableErrorTypes?: string[] | undefined;
  };
}

/**
 * Returns what the call of an activity rejects with in a workflow.
 *
 * @param error What the context rejected with.
 * @param activity The call.
 * @param read As that of {@linkcode toFailure}.
 */
export function toActivityFailure(error: unknown, activity: CalledActivity, read?: Convert): ActivityFailure {
  const cause = toFailure(error, read);
  const { activityType, activityId, retry } = activity;
  const failed = failedActivity(error);
  const failure = new ActivityFailure(
    activityMessage(cause),
    activityType,
    activityId,
    retryStateOf(cause, failed?.attempt ?? 1, retry),
    undefined,
    cause,
  );
  if (failed !== undefined) setFailedActivity(failure, failed);
  return failure;
}

function activityMessage(cause: TemporalFailure): string {
  if (cause instanceof CancelledFailure) return "Activity cancelled";
  return cause instanceof TimeoutFailure ? "Activity task timed out" : "Activity task failed";
}

function retryStateOf(cause: TemporalFailure, attempt: number, retry: CalledActivity["retry"] = {}): RetryState {
  if (cause instanceof CancelledFailure) return RetryState.CANCEL_REQUESTED;
  if (cause instanceof TimeoutFailure && cause.timeoutType === "SCHEDULE_TO_CLOSE") return RetryState.TIMEOUT;
  if (!isRetryable(cause, retry.nonRetryableErrorTypes)) return RetryState.NON_RETRYABLE_FAILURE;
  return attempt >= (retry.maximumAttempts ?? Infinity) ? RetryState.MAXIMUM_ATTEMPTS_REACHED : RetryState.TIMEOUT;
}

/** What is known where a child workflow is called. */
export interface CalledChild {
  /** The name of the child's workflow. */
  readonly workflowType: string;
  /** The run of the child. */
  readonly execution: WorkflowExecution;
  /**
   * The namespace.
   *
   * @default {"default"}
   */
  readonly namespace?: string | undefined;
  /** The policy of the call, as Temporal's code gave it. */
  readonly retry?: CalledActivity["retry"] | undefined;
}

/**
 * Returns what the result of a child workflow rejects with in its parent.
 *
 * @param error What the context rejected with.
 * @param child The child.
 * @param read As that of {@linkcode toFailure}.
 */
export function toChildFailure(error: unknown, child: CalledChild, read?: Convert): ChildWorkflowFailure {
  const { workflowType, execution, namespace = "default", retry } = child;
  const cause = toFailure(error, read);
  const retryState = retry !== undefined
    ? retryStateOf(cause, retry.maximumAttempts ?? 1, retry) // it was the last attempt
    : cause instanceof CancelledFailure
    ? RetryState.CANCEL_REQUESTED
    : RetryState.RETRY_POLICY_NOT_SET;
  return new ChildWorkflowFailure(namespace, execution, workflowType, retryState, cause);
}
