/**
 * The errors of Temporal's workflow interface that are no failures, and how a cancellation is recognized.
 *
 * @module
 */

import { ActivityFailure, CancelledFailure, ChildWorkflowFailure, NexusOperationFailure } from "./common/mod.ts";
import { setName } from "./common/failures.ts";

/**
 * The base class of errors of workflow code.
 *
 * @category Temporal
 */
export class WorkflowError extends Error {
  /**
   * Makes an error.
   *
   * @param message The text.
   * @param options `cause`: the error that caused this one.
   */
  constructor(message?: string, options?: ErrorOptions) {
    super(message, options);
    setName(this, "WorkflowError");
  }
}

/**
 * Workflow code did something that no replay would repeat.
 *
 * @category Temporal
 */
export class DeterminismViolationError extends WorkflowError {
  /**
   * Makes an error.
   *
   * @param message The text.
   * @param options `cause`: the error that caused this one.
   */
  constructor(message?: string, options?: ErrorOptions) {
    super(message, options);
    setName(this, "DeterminismViolationError");
  }
}

/**
 * Returns whether an error comes from a cancellation: it is a `CancelledFailure`, or the failure of an activity or a child that was
 * cancelled.
 *
 * @param error The error.
 *
 * @category Temporal
 */
export function isCancellation(error: unknown): boolean {
  if (error instanceof CancelledFailure) return true;
  const isCall = error instanceof ActivityFailure || error instanceof ChildWorkflowFailure ||
    error instanceof NexusOperationFailure;
  return isCall && error.cause instanceof CancelledFailure;
}
