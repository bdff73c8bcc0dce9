/**
 * The errors of clients.
 *
 * @module
 */

import type { RetryState } from "../common/mod.ts";
import { setName } from "../common/failures.ts";

/**
 * A workflow failed, was cancelled or terminated, or took too long. The `cause` says which: an `ApplicationFailure`, a
 * `CancelledFailure`, a `TerminatedFailure` or a `TimeoutFailure`.
 *
 * @category Temporal
 */
export class WorkflowFailedError extends Error {
  /** Why it failed. */
  declare readonly cause: Error | undefined;
  /** Why it is not repeated. */
  declare readonly retryState: RetryState;

  /** Makes an error. */
  constructor(message: string, cause: Error | undefined, retryState: RetryState) {
    super(message, { cause });
    setName(this, "WorkflowFailedError");
    this.retryState = retryState;
  }
}

/**
 * An update was refused by its validator, or its handler failed. The `cause` says why.
 *
 * @category Temporal
 */
export class WorkflowUpdateFailedError extends Error {
  /** Why it failed. */
  declare readonly cause: Error | undefined;

  /** Makes an error. */
  constructor(message: string, cause: Error | undefined) {
    super(message, { cause });
    setName(this, "WorkflowUpdateFailedError");
  }
}

/**
 * A call of a client failed for another reason.
 *
 * @category Temporal
 */
export class ServiceError extends Error {
  /** Why it failed. */
  declare readonly cause?: Error;

  /** Makes an error. */
  constructor(message: string, options?: { cause: Error }) {
    super(message, options);
    setName(this, "ServiceError");
  }
}

/**
 * A query was refused because of the status of the workflow. It does not occur here, unless code makes one.
 *
 * @category Temporal
 */
export class QueryRejectedError extends Error {
  /** The status of the workflow. */
  readonly status: number;

  /** Makes an error. */
  constructor(status: number) {
    super("Query rejected");
    setName(this, "QueryRejectedError");
    this.status = status;
  }
}

/**
 * The workflow has no handler for a query.
 *
 * @category Temporal
 */
export class QueryNotRegisteredError extends Error {
  /** The code of the error in gRPC: `3`, an invalid argument. */
  readonly code: number;

  /** Makes an error. */
  constructor(message: string, code: number) {
    super(message);
    setName(this, "QueryNotRegisteredError");
    this.code = code;
  }
}

/**
 * A workflow went on as another run, and `followRuns` is `false`.
 *
 * @category Temporal
 */
export class WorkflowContinuedAsNewError extends Error {
  /** The ID of the run that continues it. */
  readonly newExecutionRunId: string;

  /** Makes an error. */
  constructor(message: string, newExecutionRunId: string) {
    super(message);
    setName(this, "WorkflowContinuedAsNewError");
    this.newExecutionRunId = newExecutionRunId;
  }
}

/**
 * An update was not answered in time, or the call was cancelled.
 *
 * @category Temporal
 */
export class WorkflowUpdateRPCTimeoutOrCancelledError extends Error {
  /** Why. */
  declare readonly cause?: Error;

  /** Makes an error. */
  constructor(message: string, options?: { cause: Error }) {
    super(message, options);
    setName(this, "WorkflowUpdateRPCTimeoutOrCancelledError");
  }
}

/**
 * An activity that a client started failed. The `cause` says why.
 *
 * @category Temporal
 */
export class ActivityExecutionFailedError extends Error {
  /** Why it failed. */
  declare readonly cause: Error | undefined;
  /** The ID of the activity. */
  readonly activityId: string;
  /** The ID of the run. */
  readonly runId?: string | undefined;

  /** Makes an error. */
  constructor(message: string, cause: Error | undefined, activityId: string, runId?: string | undefined) {
    super(message, { cause });
    setName(this, "ActivityExecutionFailedError");
    this.activityId = activityId;
    this.runId = runId;
  }
}

/**
 * A client started an activity whose ID is taken.
 *
 * @category Temporal
 */
export class ActivityExecutionAlreadyStartedError extends Error {
  /** The ID of the activity. */
  readonly activityId: string;
  /** The ID of the run. */
  readonly runId: string;

  /** Makes an error. */
  constructor(message: string, activityId: string, runId: string) {
    super(message);
    setName(this, "ActivityExecutionAlreadyStartedError");
    this.activityId = activityId;
    this.runId = runId;
  }
}

/**
 * Whether an error is one of gRPC. None is here.
 *
 * @category Temporal
 */
export function isGrpcServiceError(_error: unknown): boolean {
  return false;
}

/** Refuses what is not here, with the way out. */
export function notHere(what: string, way: string): Error {
  return new TypeError(`Cannot use ${what}: it does not exist in process; ${way}`);
}
