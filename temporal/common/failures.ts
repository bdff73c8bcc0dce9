/**
 * The failures of Temporal: errors that pass from activities to workflows, from children to parents, and to clients.
 *
 * 1. The data of a failure are enumerable properties, because those are what a history keeps of an error.
 * 2. The name of a failure is that of its class in Temporal. It is a literal: a minifier renames classes.
 * 3. `instanceof` works across copies: failures of the real packages are instances of these classes, and the other way round. A
 *    project may use a package that imports the real ones.
 *
 * How they are stored and made again: `convert.ts`. The module is a little longer than 500 lines: it is a list of classes with their
 * documentation.
 *
 * @module
 */

import type { ApplicationFailureCategory, RetryState, TimeoutType } from "./choices.ts";
import type { Duration } from "./duration.ts";

/** Defines the name of an error. It is not enumerable, because it is not the error's data. */
export function setName(error: Error, value: string): void {
  Object.defineProperty(error, "name", { value, writable: true, configurable: true, enumerable: false });
}

/**
 * A failure as Temporal's server sends it. No error has one here.
 *
 * @category Temporal
 */
export interface ProtoFailure {
  /** The text. */
  message?: string | null | undefined;
  /** Which SDK made the failure. */
  source?: string | null | undefined;
  /** The stack. */
  stackTrace?: string | null | undefined;
  /** The failure that caused this one. */
  cause?: ProtoFailure | null | undefined;
}

/**
 * Names a run of a workflow.
 *
 * @category Temporal
 */
export interface WorkflowExecution {
  /** The ID of the workflow. */
  workflowId?: string | null | undefined;
  /** The ID of the run. */
  runId?: string | null | undefined;
}

/**
 * The base class of the failures that pass between activities, workflows and clients.
 *
 * @category Temporal
 */
export class TemporalFailure extends Error {
  /** The failure that caused this one. */
  declare readonly cause?: Error | undefined;
  /** Always `undefined`: there is no server. */
  declare failure?: ProtoFailure | undefined;

  /**
   * Makes a failure.
   *
   * @param message The text.
   * @param cause The error that caused this one.
   */
  constructor(message?: string | undefined | null, cause?: Error | undefined) {
    super(message ?? undefined, cause === undefined ? undefined : { cause });
    setName(this, "TemporalFailure");
  }
}

/**
 * A failure of Temporal's service. It does not occur here, unless code makes one.
 *
 * @category Temporal
 */
export class ServerFailure extends TemporalFailure {
  /** Whether another attempt is useless. */
  declare readonly nonRetryable: boolean;

  /**
   * Makes a failure.
   *
   * @param message The text.
   * @param nonRetryable Whether another attempt is useless.
   * @param cause The error that caused this one.
   */
  constructor(message: string | undefined, nonRetryable: boolean, cause?: Error) {
    super(message, cause);
    setName(this, "ServerFailure");
    this.nonRetryable = nonRetryable;
  }
}

/**
 * The parts of an {@linkcode ApplicationFailure}.
 *
 * @category Temporal
 */
export interface ApplicationFailureOptions {
  /** The text. */
  message?: string | undefined;
  /** The kind of failure, for `nonRetryableErrorTypes`. */
  type?: string | undefined;
  /**
   * Whether no further attempt follows.
   *
   * @default {false}
   */
  nonRetryable?: boolean | undefined;
  /** Values for whoever catches the failure. */
  details?: unknown[] | undefined;
  /** The delay before the next attempt, instead of that of the retry policy. */
  nextRetryDelay?: Duration | undefined;
  /** The error that caused this one. */
  cause?: Error | undefined;
  /** How the failure is shown. */
  category?: ApplicationFailureCategory | undefined;
}

/**
 * The failure that code throws on purpose: an activity fails, and is repeated or not; a workflow fails.
 *
 * @category Temporal
 */
export class ApplicationFailure extends TemporalFailure {
  /** The kind of failure, for `nonRetryableErrorTypes`. */
  declare readonly type?: string | undefined | null;
  /** Whether no further attempt follows. */
  declare readonly nonRetryable?: boolean | undefined | null;
  /** Values for whoever catches the failure. */
  declare readonly details?: unknown[] | undefined | null;
  /** The delay before the next attempt, instead of that of the retry policy. */
  declare readonly nextRetryDelay?: Duration | undefined | null;
  /** How the failure is shown. */
  declare readonly category?: ApplicationFailureCategory | undefined | null;

  /**
   * Makes a failure. {@linkcode ApplicationFailure.create} has names for the arguments.
   *
   * @param message The text.
   * @param type The kind of failure.
   * @param nonRetryable Whether no further attempt follows.
   * @param details Values for whoever catches the failure.
   * @param cause The error that caused this one.
   * @param nextRetryDelay The delay before the next attempt.
   * @param category How the failure is shown.
   */
  constructor(
    message?: string | undefined | null,
    type?: string | undefined | null,
    nonRetryable?: boolean | undefined | null,
    details?: unknown[] | undefined | null,
    cause?: Error,
    nextRetryDelay?: Duration | undefined | null,
    category?: ApplicationFailureCategory | undefined | null,
  ) {
    super(message, cause);
    setName(this, "ApplicationFailure");
    this.type = type;
    this.nonRetryable = nonRetryable;
    this.details = details;
    this.nextRetryDelay = nextRetryDelay;
    this.category = category;
  }

  /**
   * Makes a failure of an error, as {@linkcode ensureApplicationFailure} does, with some parts replaced.
   *
   * @param error The error, or any other value that was thrown.
   * @param overrides The parts to replace.
   */
  static fromError(error: Error | unknown, overrides?: ApplicationFailureOptions): ApplicationFailure {
    const failure = ensureApplicationFailure(error);
    const { message, type, nonRetryable, details, cause, nextRetryDelay, category } = { ...overrides };
    const result = new ApplicationFailure(
      message ?? failure.message,
      type ?? failure.type,
      nonRetryable ?? failure.nonRetryable,
      details ?? failure.details,
      cause ?? failure.cause,
      nextRetryDelay ?? failure.nextRetryDelay,
      category ?? failure.category,
    );
    setStack(result, failure.stack);
    return result;
  }

  /**
   * Makes a failure. It can be repeated, unless `nonRetryable` is set.
   *
   * @param options The parts.
   */
  static create(options: ApplicationFailureOptions): ApplicationFailure {
    const { cause, nextRetryDelay, category } = options;
    return new this(
      options.message,
      options.type,
      options.nonRetryable ?? false,
      options.details,
      cause,
      nextRetryDelay,
      category,
    );
  }

  /**
   * Makes a failure after which another attempt may follow.
   *
   * @param message The text.
   * @param type The kind of failure.
   * @param details Values for whoever catches the failure.
   */
  static retryable(message?: string | null, type?: string | null, ...details: unknown[]): ApplicationFailure {
    return new this(message, type ?? "Error", false, details);
  }

  /**
   * Makes a failure after which no further attempt follows.
   *
   * @param message The text.
   * @param type The kind of failure.
   * @param details Values for whoever catches the failure.
   */
  static nonRetryable(message?: string | null, type?: string | null, ...details: unknown[]): ApplicationFailure {
    return new this(message, type ?? "Error", true, details);
  }
}

/**
 * A cancellation: of a workflow, of a scope, or of an activity.
 *
 * @category Temporal
 */
export class CancelledFailure extends TemporalFailure {
  /** Values of whoever cancelled. */
  declare readonly details: unknown[];

  /**
   * Makes a failure.
   *
   * @param message The text.
   * @param details Values of whoever cancelled.
   * @param cause The error that caused this one.
   */
  constructor(message: string | undefined, details: unknown[] = [], cause?: Error) {
    super(message, cause);
    setName(this, "CancelledFailure");
    this.details = details;
  }
}

/**
 * The cause of a failure: a workflow was terminated.
 *
 * @category Temporal
 */
export class TerminatedFailure extends TemporalFailure {
  /**
   * Makes a failure.
   *
   * @param message The text.
   * @param cause The error that caused this one.
   */
  constructor(message: string | undefined, cause?: Error) {
    super(message, cause);
    setName(this, "TerminatedFailure");
  }
}

/**
 * The cause of a failure: an activity or a workflow took too long.
 *
 * @category Temporal
 */
export class TimeoutFailure extends TemporalFailure {
  /** What the activity gave to its last `heartbeat()`, as far as it is known where the timeout is seen. */
  declare readonly lastHeartbeatDetails: unknown;
  /** Which timeout was exceeded. */
  declare readonly timeoutType: TimeoutType;

  /**
   * Makes a failure.
   *
   * @param message The text.
   * @param lastHeartbeatDetails What the activity gave to its last `heartbeat()`.
   * @param timeoutType Which timeout was exceeded.
   */
  constructor(message: string | undefined, lastHeartbeatDetails: unknown, timeoutType: TimeoutType) {
    super(message);
    setName(this, "TimeoutFailure");
    this.lastHeartbeatDetails = lastHeartbeatDetails;
    this.timeoutType = timeoutType;
  }
}

/**
 * An activity failed. The `cause` says why.
 *
 * @category Temporal
 */
export class ActivityFailure extends TemporalFailure {
  /** The name of the activity. */
  declare readonly activityType: string;
  /** The ID of the call. */
  declare readonly activityId: string | undefined;
  /** Why it is not repeated. */
  declare readonly retryState: RetryState;
  /** Which worker ran it. Always `undefined` here. */
  declare readonly identity: string | undefined;

  /**
   * Makes a failure.
   *
   * @param message The text.
   * @param activityType The name of the activity.
   * @param activityId The ID of the call.
   * @param retryState Why it is not repeated.
   * @param identity Which worker ran it.
   * @param cause Why it failed.
   */
  constructor(
    message: string | undefined,
    activityType: string,
    activityId: string | undefined,
    retryState: RetryState,
    identity: string | undefined,
    cause?: Error,
  ) {
    super(message, cause);
    setName(this, "ActivityFailure");
    this.activityType = activityType;
    this.activityId = activityId;
    this.retryState = retryState;
    this.identity = identity;
  }
}

/**
 * A child workflow failed. The `cause` says why.
 *
 * @category Temporal
 */
export class ChildWorkflowFailure extends TemporalFailure {
  /** The namespace of the child. */
  declare readonly namespace: string | undefined;
  /** The run of the child. */
  declare readonly execution: WorkflowExecution;
  /** The name of the child's workflow. */
  declare readonly workflowType: string;
  /** Why it is not repeated. */
  declare readonly retryState: RetryState;

  /**
   * Makes a failure.
   *
   * @param namespace The namespace of the child.
   * @param execution The run of the child.
   * @param workflowType The name of the child's workflow.
   * @param retryState Why it is not repeated.
   * @param cause Why it failed.
   */
  constructor(
    namespace: string | undefined,
    execution: WorkflowExecution,
    workflowType: string,
    retryState: RetryState,
    cause?: Error,
  ) {
    super("Child Workflow execution failed", cause);
    setName(this, "ChildWorkflowFailure");
    this.namespace = namespace;
    this.execution = execution;
    this.workflowType = workflowType;
    this.retryState = retryState;
  }
}

/**
 * An operation of Nexus failed. There is no Nexus here: it does not occur, unless code makes one.
 *
 * @category Temporal
 */
export class NexusOperationFailure extends TemporalFailure {
  /** The event that scheduled the operation. */
  declare readonly scheduledEventId: number | undefined;
  /** The endpoint. */
  declare readonly endpoint: string;
  /** The service. */
  declare readonly service: string;
  /** The operation. */
  declare readonly operation: string;
  /** The token of the operation. */
  declare readonly operationToken: string | undefined;

  /**
   * Makes a failure.
   *
   * @param message The text.
   * @param scheduledEventId The event that scheduled the operation.
   * @param endpoint The endpoint.
   * @param service The service.
   * @param operation The operation.
   * @param operationToken The token of the operation.
   * @param cause Why it failed.
   */
  constructor(
    message: string | undefined,
    scheduledEventId: number | undefined,
    endpoint: string,
    service: string,
    operation: string,
    operationToken: string | undefined,
    cause?: Error,
  ) {
    super(message, cause);
    setName(this, "NexusOperationFailure");
    this.scheduledEventId = scheduledEventId;
    this.endpoint = endpoint;
    this.service = service;
    this.operation = operation;
    this.operationToken = operationToken;
  }
}

/**
 * A start was refused: the ID is taken.
 *
 * @category Temporal
 */
export class WorkflowExecutionAlreadyStartedError extends TemporalFailure {
  /** The ID. */
  declare readonly workflowId: string;
  /** The name of the workflow that was to start. */
  declare readonly workflowType: string;

  /**
   * Makes a failure.
   *
   * @param message The text.
   * @param workflowId The ID.
   * @param workflowType The name of the workflow that was to start.
   */
  constructor(message: string, workflowId: string, workflowType: string) {
    super(message);
    setName(this, "WorkflowExecutionAlreadyStartedError");
    this.workflowId = workflowId;
    this.workflowType = workflowType;
  }
}

/**
 * Returns an error as an application failure: itself if it is one, else a new one with the message, the stack and the cause of the
 * error. The `type` is the name of the error's class.
 *
 * @param error The error, or any other value that was thrown.
 *
 * @category Temporal
 */
export function ensureApplicationFailure(error: unknown): ApplicationFailure {
  if (error instanceof ApplicationFailure) return error;
  if (typeof error !== "object" || error === null) return new ApplicationFailure(String(error), undefined, false);
  const { constructor, name, message, stack, cause } = error as Partial<Error>;
  const failure = new ApplicationFailure(
    message === undefined ? String(error) : `${message}`,
    constructor?.name ?? name,
    false,
    undefined,
    cause instanceof Error ? cause : undefined,
  );
  setStack(failure, stack);
  return failure;
}

/**
 * Returns an error as a failure: itself if it is one, else what {@linkcode ensureApplicationFailure} returns.
 *
 * @param error The error, or any other value that was thrown.
 *
 * @category Temporal
 */
export function ensureTemporalFailure(error: unknown): TemporalFailure {
  return error instanceof TemporalFailure ? error : ensureApplicationFailure(error);
}

/**
 * Returns the message of the last cause of a failure, or the message of any other error.
 *
 * @param error The error.
 * @returns `undefined` if it is no error.
 *
 * @category Temporal
 */
export function rootCause(error: unknown): string | undefined {
  let root = error;
  while (root instanceof TemporalFailure && root.cause !== undefined) root = root.cause;
  if (typeof root === "string") return root;
  return root instanceof Error ? root.message : undefined;
}

/**
 * Makes a failure for a payload that a converter refuses. No further attempt follows.
 *
 * @param details What is wrong; `null` and `undefined` are no details.
 *
 * @category Temporal
 */
export function createPayloadValidationError(details: unknown): ApplicationFailure {
  const list = details === undefined || details === null ? [] : [details];
  return new ApplicationFailure("Payload validation failed", "PayloadValidationError", true, list);
}

/** Gives an error the stack of the one that it stands for. */
export function setStack(error: Error, stack: string | undefined): void {
  if (stack === undefined) return;
  Object.defineProperty(error, "stack", { value: stack, writable: true, configurable: true, enumerable: false });
}

const FAILURES = {
  TemporalFailure,
  ServerFailure,
  ApplicationFailure,
  CancelledFailure,
  TerminatedFailure,
  TimeoutFailure,
  ActivityFailure,
  ChildWorkflowFailure,
  NexusOperationFailure,
  WorkflowExecutionAlreadyStartedError,
};
// Each copy of the SDK marks its failures by the same symbols, and looks for them. A subclass has no symbol of its own.
for (const [name, failure] of Object.entries(FAILURES)) {
  const marker = Symbol.for(`__temporal_is${name}`);
  Object.defineProperty(failure.prototype, marker, { value: true });
  Object.defineProperty(failure, Symbol.hasInstance, {
    value(this: unknown, value: unknown): boolean {
      if (this !== failure) return Function.prototype[Symbol.hasInstance].call(this as typeof failure, value);
      return typeof value === "object" && value !== null && marker in value;
    },
  });
}
