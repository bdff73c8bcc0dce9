/**
 * Which hook hears of which event: the one of the same name.
 *
 * @module
 */

import type { WorkflowEvent } from "./types.ts";

export const hookNames = {
  workflow_started: "workflowStarted",
  workflow_completed: "workflowCompleted",
  workflow_failed: "workflowFailed",
  workflow_canceled: "workflowCanceled",
  cancel_requested: "cancelRequested",
  activity_started: "activityStarted",
  activity_attempt_failed: "activityAttemptFailed",
  activity_heartbeat: "activityHeartbeat",
  activity_completed: "activityCompleted",
  activity_failed: "activityFailed",
  timer_started: "timerStarted",
  timer_fired: "timerFired",
  signal_received: "signalReceived",
  side_effect: "sideEffect",
  compensation_started: "compensationStarted",
  patched: "patched",
  child_started: "childStarted",
  child_completed: "childCompleted",
  child_failed: "childFailed",
  update_accepted: "updateAccepted",
  update_completed: "updateCompleted",
} as const satisfies Record<WorkflowEvent["type"], string>;
