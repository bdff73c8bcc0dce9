/**
 * Named choices of Temporal's interface. Each is an object of texts, and the type of these texts.
 *
 * The names with a prefix are those of earlier versions of Temporal's SDK.
 *
 * @module
 */

/**
 * Which timeout of an activity or of a workflow was exceeded.
 *
 * @category Temporal
 */
export const TimeoutType = {
  /** One attempt took too long. */
  START_TO_CLOSE: "START_TO_CLOSE",
  /** No worker took the activity in time. It does not occur here. */
  SCHEDULE_TO_START: "SCHEDULE_TO_START",
  /** All attempts together took too long. */
  SCHEDULE_TO_CLOSE: "SCHEDULE_TO_CLOSE",
  /** An attempt did not call `heartbeat()` in time. */
  HEARTBEAT: "HEARTBEAT",
  /** The earlier name of `START_TO_CLOSE`. */
  TIMEOUT_TYPE_START_TO_CLOSE: "START_TO_CLOSE",
  /** The earlier name of `SCHEDULE_TO_START`. */
  TIMEOUT_TYPE_SCHEDULE_TO_START: "SCHEDULE_TO_START",
  /** The earlier name of `SCHEDULE_TO_CLOSE`. */
  TIMEOUT_TYPE_SCHEDULE_TO_CLOSE: "SCHEDULE_TO_CLOSE",
  /** The earlier name of `HEARTBEAT`. */
  TIMEOUT_TYPE_HEARTBEAT: "HEARTBEAT",
  /** Not known. */
  TIMEOUT_TYPE_UNSPECIFIED: undefined,
} as const;

/**
 * Which timeout of an activity or of a workflow was exceeded.
 *
 * @category Temporal
 */
export type TimeoutType = (typeof TimeoutType)[keyof typeof TimeoutType];

/**
 * Why an activity or a child workflow that failed is not repeated.
 *
 * @category Temporal
 */
export const RetryState = {
  /** Another attempt follows. */
  IN_PROGRESS: "IN_PROGRESS",
  /** The failure must not be repeated. */
  NON_RETRYABLE_FAILURE: "NON_RETRYABLE_FAILURE",
  /** The time for all attempts is over. */
  TIMEOUT: "TIMEOUT",
  /** The last attempt that the retry policy allows has failed. */
  MAXIMUM_ATTEMPTS_REACHED: "MAXIMUM_ATTEMPTS_REACHED",
  /** There is no retry policy. */
  RETRY_POLICY_NOT_SET: "RETRY_POLICY_NOT_SET",
  /** A server failed. It does not occur here. */
  INTERNAL_SERVER_ERROR: "INTERNAL_SERVER_ERROR",
  /** It was cancelled. */
  CANCEL_REQUESTED: "CANCEL_REQUESTED",
  /** The earlier name of `IN_PROGRESS`. */
  RETRY_STATE_IN_PROGRESS: "IN_PROGRESS",
  /** The earlier name of `NON_RETRYABLE_FAILURE`. */
  RETRY_STATE_NON_RETRYABLE_FAILURE: "NON_RETRYABLE_FAILURE",
  /** The earlier name of `TIMEOUT`. */
  RETRY_STATE_TIMEOUT: "TIMEOUT",
  /** The earlier name of `MAXIMUM_ATTEMPTS_REACHED`. */
  RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED: "MAXIMUM_ATTEMPTS_REACHED",
  /** The earlier name of `RETRY_POLICY_NOT_SET`. */
  RETRY_STATE_RETRY_POLICY_NOT_SET: "RETRY_POLICY_NOT_SET",
  /** The earlier name of `INTERNAL_SERVER_ERROR`. */
  RETRY_STATE_INTERNAL_SERVER_ERROR: "INTERNAL_SERVER_ERROR",
  /** The earlier name of `CANCEL_REQUESTED`. */
  RETRY_STATE_CANCEL_REQUESTED: "CANCEL_REQUESTED",
  /** Not known. */
  RETRY_STATE_UNSPECIFIED: undefined,
} as const;

/**
 * Why an activity or a child workflow that failed is not repeated.
 *
 * @category Temporal
 */
export type RetryState = (typeof RetryState)[keyof typeof RetryState];

/**
 * How an application failure is shown. It changes nothing here.
 *
 * @category Temporal
 */
export const ApplicationFailureCategory = {
  /** An expected failure, which is logged at a low level. */
  BENIGN: "BENIGN",
} as const;

/**
 * How an application failure is shown. It changes nothing here.
 *
 * @category Temporal
 */
export type ApplicationFailureCategory = (typeof ApplicationFailureCategory)[keyof typeof ApplicationFailureCategory];

/**
 * Whether a cancelled activity is told, and when its caller is told.
 *
 * @category Temporal
 */
export const ActivityCancellationType = {
  /** The activity is not told. Its call rejects at once. */
  ABANDON: "ABANDON",
  /** The activity is told. Its call rejects at once. */
  TRY_CANCEL: "TRY_CANCEL",
  /** The activity is told. Its call settles when the activity has ended. */
  WAIT_CANCELLATION_COMPLETED: "WAIT_CANCELLATION_COMPLETED",
} as const;

/**
 * Whether a cancelled activity is told, and when its caller is told.
 *
 * @category Temporal
 */
export type ActivityCancellationType = (typeof ActivityCancellationType)[keyof typeof ActivityCancellationType];

/**
 * What is done about a handler of a signal or an update that still runs when its workflow ends.
 *
 * @category Temporal
 */
export const HandlerUnfinishedPolicy = {
  /** A warning is logged, and the handler is abandoned. */
  WARN_AND_ABANDON: "WARN_AND_ABANDON",
  /** The handler is abandoned. */
  ABANDON: "ABANDON",
} as const;

/**
 * What is done about a handler of a signal or an update that still runs when its workflow ends.
 *
 * @category Temporal
 */
export type HandlerUnfinishedPolicy = (typeof HandlerUnfinishedPolicy)[keyof typeof HandlerUnfinishedPolicy];

/**
 * What a start does if a workflow with the ID has ended.
 *
 * @category Temporal
 */
export const WorkflowIdReusePolicy = {
  /** The new workflow starts. */
  ALLOW_DUPLICATE: "ALLOW_DUPLICATE",
  /** The new workflow starts if the earlier one did not complete. */
  ALLOW_DUPLICATE_FAILED_ONLY: "ALLOW_DUPLICATE_FAILED_ONLY",
  /** The start is refused. */
  REJECT_DUPLICATE: "REJECT_DUPLICATE",
  /** The new workflow starts; an earlier one that runs is terminated. */
  TERMINATE_IF_RUNNING: "TERMINATE_IF_RUNNING",
  /** The default. */
  WORKFLOW_ID_REUSE_POLICY_UNSPECIFIED: undefined,
  /** The earlier name of `ALLOW_DUPLICATE`. */
  WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE: "ALLOW_DUPLICATE",
  /** The earlier name of `ALLOW_DUPLICATE_FAILED_ONLY`. */
  WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY: "ALLOW_DUPLICATE_FAILED_ONLY",
  /** The earlier name of `REJECT_DUPLICATE`. */
  WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE: "REJECT_DUPLICATE",
  /** The earlier name of `TERMINATE_IF_RUNNING`. */
  WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING: "TERMINATE_IF_RUNNING",
} as const;

/**
 * What a start does if a workflow with the ID has ended.
 *
 * @category Temporal
 */
export type WorkflowIdReusePolicy = (typeof WorkflowIdReusePolicy)[keyof typeof WorkflowIdReusePolicy];

/**
 * What a start does if a workflow with the ID runs.
 *
 * @category Temporal
 */
export const WorkflowIdConflictPolicy = {
  /** The start is refused. */
  FAIL: "FAIL",
  /** The start returns a handle of the workflow that runs. */
  USE_EXISTING: "USE_EXISTING",
  /** The workflow that runs is terminated, and the new one starts. */
  TERMINATE_EXISTING: "TERMINATE_EXISTING",
} as const;

/**
 * What a start does if a workflow with the ID runs.
 *
 * @category Temporal
 */
export type WorkflowIdConflictPolicy = (typeof WorkflowIdConflictPolicy)[keyof typeof WorkflowIdConflictPolicy];

/**
 * Why a workflow should continue as new.
 *
 * @category Temporal
 */
export const SuggestContinueAsNewReason = {
  /** The history has too many bytes. */
  HISTORY_SIZE_TOO_LARGE: "HISTORY_SIZE_TOO_LARGE",
  /** The history has too many events. */
  TOO_MANY_HISTORY_EVENTS: "TOO_MANY_HISTORY_EVENTS",
  /** The history has too many updates. */
  TOO_MANY_UPDATES: "TOO_MANY_UPDATES",
} as const;

/**
 * Why a workflow should continue as new.
 *
 * @category Temporal
 */
export type SuggestContinueAsNewReason = (typeof SuggestContinueAsNewReason)[keyof typeof SuggestContinueAsNewReason];

/**
 * Which version of the code a workflow runs on. There are no versions of workers here: it changes nothing.
 *
 * @category Temporal
 */
export const VersioningBehavior = {
  /** The version that it began with. */
  PINNED: "PINNED",
  /** The current version. */
  AUTO_UPGRADE: "AUTO_UPGRADE",
} as const;

/**
 * Which version of the code a workflow runs on. There are no versions of workers here: it changes nothing.
 *
 * @category Temporal
 */
export type VersioningBehavior = (typeof VersioningBehavior)[keyof typeof VersioningBehavior];

/**
 * Which version of the code a run that continues another one begins on. It changes nothing here.
 *
 * @category Temporal
 */
export const InitialVersioningBehavior = {
  /** The current version. */
  AUTO_UPGRADE: "AUTO_UPGRADE",
  /** The version that is introduced step by step. */
  USE_RAMPING_VERSION: "USE_RAMPING_VERSION",
} as const;

/**
 * Which version of the code a run that continues another one begins on. It changes nothing here.
 *
 * @category Temporal
 */
export type InitialVersioningBehavior = (typeof InitialVersioningBehavior)[keyof typeof InitialVersioningBehavior];

/**
 * Which workers take a task. There are no versions of workers here: it changes nothing.
 *
 * @category Temporal
 */
export type VersioningIntent = "COMPATIBLE" | "DEFAULT";
