/**
 * Errors of Temporal's interface that do not pass between activities and workflows.
 *
 * @module
 */

import { setName } from "./failures.ts";

/**
 * A value is not what the code expects, or cannot be handled.
 *
 * @category Temporal
 */
export class ValueError extends Error {
  /** The error that caused this one. */
  declare readonly cause?: unknown;

  /**
   * Makes an error.
   *
   * @param message The text.
   * @param cause The error that caused this one.
   */
  constructor(message: string | undefined, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    setName(this, "ValueError");
  }
}

/**
 * A payload converter cannot convert a value, or is not configured well.
 *
 * @category Temporal
 */
export class PayloadConverterError extends ValueError {
  /**
   * Makes an error.
   *
   * @param message The text.
   * @param cause The error that caused this one.
   */
  constructor(message: string | undefined, cause?: unknown) {
    super(message, cause);
    setName(this, "PayloadConverterError");
  }
}

/**
 * The state of an object does not allow the call, or the call is made in the wrong place.
 *
 * @category Temporal
 */
export class IllegalStateError extends Error {
  /**
   * Makes an error.
   *
   * @param message The text.
   * @param options `cause`: the error that caused this one.
   */
  constructor(message?: string, options?: ErrorOptions) {
    super(message, options);
    setName(this, "IllegalStateError");
  }
}

/**
 * No workflow, or no running workflow, has the ID.
 *
 * @category Temporal
 */
export class WorkflowNotFoundError extends Error {
  /** The ID of the workflow. */
  declare readonly workflowId: string;
  /** The ID of the run, if the call named one. */
  declare readonly runId: string | undefined;

  /**
   * Makes an error.
   *
   * @param message The text.
   * @param workflowId The ID of the workflow.
   * @param runId The ID of the run.
   */
  constructor(message: string, workflowId: string, runId: string | undefined) {
    super(message);
    setName(this, "WorkflowNotFoundError");
    this.workflowId = workflowId;
    this.runId = runId;
  }
}

/**
 * The namespace does not exist. There are no namespaces here: it does not occur, unless code makes one.
 *
 * @category Temporal
 */
export class NamespaceNotFoundError extends Error {
  /** The namespace. */
  declare readonly namespace: string;

  /**
   * Makes an error.
   *
   * @param namespace The namespace.
   */
  constructor(namespace: string) {
    super(`Namespace not found: '${namespace}'`);
    setName(this, "NamespaceNotFoundError");
    this.namespace = namespace;
  }
}

/**
 * An activity throws this error if another process completes it. This is refused: the activity fails with an error that names the
 * way out.
 *
 * @category Temporal
 */
export class CompleteAsyncError extends Error {
  /**
   * Makes an error.
   *
   * @param message The text.
   * @param options `cause`: the error that caused this one.
   */
  constructor(message?: string, options?: ErrorOptions) {
    super(message, options);
    setName(this, "CompleteAsyncError");
  }
}

/**
 * The error for a name of Temporal's interface that has no counterpart here.
 *
 * @internal
 */
export function notSupported(what: string, why: string): IllegalStateError {
  return new IllegalStateError(`Cannot use ${what} with "@rockpool/workflow/temporal": ${why}`);
}
