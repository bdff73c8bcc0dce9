/**
 * Hooks: functions that are called with events.
 *
 * 1. A hook is called after its event is stored, by the executor that has stored it. It is not called for replayed events.
 * 2. If a hook throws, the error is reported once to `onError`. The run continues as without it.
 *
 * @example
 * ```ts
 * import { Executor } from "@rockpool/workflow";
 * import { assertEquals } from "@std/assert";
 *
 * const log: string[] = [];
 * await using executor = new Executor({
 *   hooks: { workflowCompleted: (event, run) => log.push(`${run.workflowId}: ${event.result}`) },
 * });
 * const handle = await executor.execute(() => "done", { id: "a" });
 * await handle.result();
 * assertEquals(log, ["a: done"]);
 * ```
 *
 * @module
 */

import type {
  ActivityAttemptFailedEvent,
  ActivityCompletedEvent,
  ActivityFailedEvent,
  ActivityHeartbeatEvent,
  ActivityStartedEvent,
  CallHeaders,
  CancelRequestedEvent,
  ChildAttemptFailedEvent,
  ChildBegunEvent,
  ChildCompletedEvent,
  ChildFailedEvent,
  ChildStartedEvent,
  CompensationStartedEvent,
  Labels,
  LabelsChangedEvent,
  ParentRun,
  PatchedEvent,
  SideEffectEvent,
  SignalReceivedEvent,
  TimerFiredEvent,
  TimerStartedEvent,
  UpdateAcceptedEvent,
  UpdateCompletedEvent,
  UpdateRejectedEvent,
  UpdateRequestedEvent,
  WorkflowCanceledEvent,
  WorkflowCompletedEvent,
  WorkflowEvent,
  WorkflowFailedEvent,
  WorkflowStartedEvent,
} from "./types.ts";
import { noTexts } from "./util/check.ts";
import { adopt, callUser, isThenable } from "./util/deferred.ts";

/**
 * The run whose event a hook is called with.
 *
 * @category Observability
 */
export interface RunInfo {
  /** The workflow's ID. */
  readonly workflowId: string;
  /** The ID of the run. */
  readonly runId: string;
  /** The name under which the workflow is registered. */
  readonly workflowName: string;
  /** The version of the code that the run began with, or `undefined`; the same as `ctx.workflowVersion`. */
  readonly workflowVersion: string | undefined;
  /** When the run started, in milliseconds since the epoch; the same as `ctx.startedAt`. */
  readonly startedAt: number;
  /** The labels with which the run began; empty if it had none. */
  readonly labels: Labels;
  /** The run's headers; empty if it has none. */
  readonly headers: CallHeaders;
  /** The workflow and the run that started this one as a child; `undefined` if none did. */
  readonly parent: ParentRun | undefined;
}

/**
 * A replay that has reached the end of the stored history.
 *
 * @category Observability
 */
export interface WorkflowReplay {
  /** How many events were replayed. */
  readonly events: number;
}

/**
 * Messages that a workflow got and did not handle before its end.
 *
 * @category Observability
 */
export interface UnhandledMessages {
  /** The signals that its code did not read, in order of arrival. */
  readonly signals: readonly SignalReceivedEvent[];
  /** The updates that have no answer: their acceptances, or their requests if they were not accepted. */
  readonly updates: readonly (UpdateAcceptedEvent | UpdateRequestedEvent)[];
}

/**
 * Functions that are called with stored events: one for every type of event, one for replays, and one for messages that a
 * workflow did not handle. Each is optional. Nothing waits for what they return.
 *
 * @category Observability
 */
export interface Hooks {
  /** A workflow began. */
  readonly workflowStarted?: ((event: WorkflowStartedEvent, run: RunInfo) => unknown) | undefined;
  /** A workflow returned. */
  readonly workflowCompleted?: ((event: WorkflowCompletedEvent, run: RunInfo) => unknown) | undefined;
  /** A workflow threw, or exceeded its `timeoutMs`. */
  readonly workflowFailed?: ((event: WorkflowFailedEvent, run: RunInfo) => unknown) | undefined;
  /** A workflow was cancelled or terminated, and has ended. */
  readonly workflowCanceled?: ((event: WorkflowCanceledEvent, run: RunInfo) => unknown) | undefined;
  /** A caller cancelled a workflow, or it exceeded its `timeoutMs`. */
  readonly cancelRequested?: ((event: CancelRequestedEvent, run: RunInfo) => unknown) | undefined;
  /** An activity was called. Its first attempt has not begun. */
  readonly activityStarted?: ((event: ActivityStartedEvent, run: RunInfo) => unknown) | undefined;
  /** An activity returned. */
  readonly activityCompleted?: ((event: ActivityCompletedEvent, run: RunInfo) => unknown) | undefined;
  /** An activity failed, and no attempt follows. */
  readonly activityFailed?: ((event: ActivityFailedEvent, run: RunInfo) => unknown) | undefined;
  /** An attempt failed, and another attempt follows. */
  readonly activityAttemptFailed?: ((event: ActivityAttemptFailedEvent, run: RunInfo) => unknown) | undefined;
  /** A heartbeat of an activity was recorded. */
  readonly activityHeartbeat?: ((event: ActivityHeartbeatEvent, run: RunInfo) => unknown) | undefined;
  /** A timer started, for a sleep or for the `timeoutMs` of a wait or of a scope. */
  readonly timerStarted?: ((event: TimerStartedEvent, run: RunInfo) => unknown) | undefined;
  /** A timer fired. */
  readonly timerFired?: ((event: TimerFiredEvent, run: RunInfo) => unknown) | undefined;
  /** A signal arrived. */
  readonly signalReceived?: ((event: SignalReceivedEvent, run: RunInfo) => unknown) | undefined;
  /** This executor asked for an update of a workflow that another executor runs. */
  readonly updateRequested?: ((event: UpdateRequestedEvent, run: RunInfo) => unknown) | undefined;
  /** An update that another executor asked for was refused by its validation. */
  readonly updateRejected?: ((event: UpdateRejectedEvent, run: RunInfo) => unknown) | undefined;
  /** An update was accepted. */
  readonly updateAccepted?: ((event: UpdateAcceptedEvent, run: RunInfo) => unknown) | undefined;
  /** The handler of an update returned or threw. */
  readonly updateCompleted?: ((event: UpdateCompletedEvent, run: RunInfo) => unknown) | undefined;
  /** A child workflow was started. */
  readonly childStarted?: ((event: ChildStartedEvent, run: RunInfo) => unknown) | undefined;
  /** The first event of a child workflow is stored, and the parent's code waits for that. */
  readonly childBegun?: ((event: ChildBegunEvent, run: RunInfo) => unknown) | undefined;
  /** An attempt of a child workflow failed, and another attempt follows. */
  readonly childAttemptFailed?: ((event: ChildAttemptFailedEvent, run: RunInfo) => unknown) | undefined;
  /** A child workflow completed. */
  readonly childCompleted?: ((event: ChildCompletedEvent, run: RunInfo) => unknown) | undefined;
  /** A child workflow failed, was cancelled, or could not be started. */
  readonly childFailed?: ((event: ChildFailedEvent, run: RunInfo) => unknown) | undefined;
  /** The outcome of a side effect was recorded. */
  readonly sideEffect?: ((event: SideEffectEvent, run: RunInfo) => unknown) | undefined;
  /** A compensation began. */
  readonly compensationStarted?: ((event: CompensationStartedEvent, run: RunInfo) => unknown) | undefined;
  /** A workflow changed its labels. */
  readonly labelsChanged?: ((event: LabelsChangedEvent, run: RunInfo) => unknown) | undefined;
  /** A run takes the new path of a change in the workflow's code. */
  readonly patched?: ((event: PatchedEvent, run: RunInfo) => unknown) | undefined;
  /** A stored run was resumed here: its history was replayed. */
  readonly workflowReplayed?: ((replay: WorkflowReplay, run: RunInfo) => unknown) | undefined;
  /**
   * A run has ended with messages that it had got and not handled. Called once, by the executor that has stored the end of the
   * run, or that ran it when it was terminated from elsewhere. The executor's logger gets a warning too. Not called for what
   * the next run of a chain gets, nor for a run that was terminated while it was dormant or being replayed.
   */
  readonly messagesUnhandled?: ((messages: UnhandledMessages, run: RunInfo) => unknown) | undefined;
}

/**
 * The hook of each type of event.
 *
 * @internal
 */
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
  labels_changed: "labelsChanged",
  patched: "patched",
  child_started: "childStarted",
  child_begun: "childBegun",
  child_attempt_failed: "childAttemptFailed",
  child_completed: "childCompleted",
  child_failed: "childFailed",
  update_requested: "updateRequested",
  update_accepted: "updateAccepted",
  update_rejected: "updateRejected",
  update_completed: "updateCompleted",
} as const satisfies Record<WorkflowEvent["type"], string>;

/**
 * The names of all hooks. The keys of an object do not contain the methods of its class.
 *
 * @internal
 */
export const allHooks: readonly (keyof Hooks)[] = /* @__PURE__ */ Object.values<keyof Hooks>(hookNames)
  .concat("workflowReplayed", "messagesUnhandled");

/**
 * Takes the errors of hooks and middleware.
 *
 * @category Observability
 */
export type ErrorReporter = (error: unknown) => void;

/**
 * Combines several sets of hooks into one: each is called with every event, in order, even if one throws.
 *
 * @param sets The sets.
 * @returns The hooks. After all were called, they throw the error of the hook that threw, or an `AggregateError` if several
 * threw.
 *
 * @category Observability
 *
 * @example
 * ```ts
 * import { composeHooks, Executor } from "@rockpool/workflow";
 * import { assertEquals } from "@std/assert";
 *
 * const log: string[] = [];
 * const hooks = composeHooks(
 *   { workflowStarted: () => log.push("metrics") },
 *   { workflowStarted: () => log.push("audit") },
 * );
 * await using executor = new Executor({ hooks });
 * await (await executor.execute(() => {}, { id: "a" })).result();
 * assertEquals(log, ["metrics", "audit"]);
 * ```
 */
export function composeHooks(...sets: readonly Hooks[]): Hooks {
  type AnyHook = (event: unknown, run: RunInfo) => unknown;
  const composed: Record<string, AnyHook> = {};
  for (const name of allHooks) {
    if (sets.every((hooks) => hooks[name] === undefined)) continue;
    composed[name] = (event, run) => {
      const errors: unknown[] = [];
      const pending: Promise<unknown>[] = [];
      for (const hooks of sets) {
        try {
          const answer = (hooks as Record<string, AnyHook | undefined>)[name]?.(event, run);
          if (isThenable(answer)) pending.push(adopt(answer).catch((error) => errors.push(error)));
        } catch (error) {
          errors.push(error);
        }
      }
      const settle = () => {
        if (errors.length === 1) throw errors[0];
        if (errors.length > 1) {
          throw new AggregateError(errors, `${errors.length} hooks "${name}" threw`);
        }
      };
      return pending.length > 0 ? Promise.all(pending).then(settle) : settle();
    };
  }
  return composed;
}

/**
 * The hooks, and where their errors go.
 *
 * @internal
 */
export interface HookHost {
  readonly hooks: Hooks | undefined;
  readonly report: ErrorReporter;
}

/**
 * Says which run it is.
 *
 * @internal
 */
export type RunKey = Pick<RunInfo, "workflowId" | "runId" | "workflowName">;

/**
 * Calls a hook if there is one. Its errors are reported.
 *
 * @param started The first event of the run.
 *
 * @internal
 */
export function callHook(
  { hooks, report }: HookHost,
  name: keyof Hooks,
  event: unknown,
  run: RunKey,
  started: WorkflowStartedEvent,
): void {
  if (hooks === undefined) return;
  callUser(() => hooks[name]?.(event as never, infoOf(run, started)), report);
}

/**
 * What hooks and middleware get of a run.
 *
 * @param started The first event of the run.
 *
 * @internal
 */
export function infoOf({ workflowId, runId, workflowName }: RunKey, started: WorkflowStartedEvent): RunInfo {
  const { labels = noTexts, headers = noTexts, parent, workflowVersion, startAt: startedAt = started.at } = started;
  return { workflowId, runId, workflowName, workflowVersion, startedAt, labels, headers, parent };
}
