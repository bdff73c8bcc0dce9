/**
 * Ways to look on: hooks that hear of events, middleware that stands around calls.
 *
 * 1. A hook is called after its event is stored, by the executor that has stored it, and never for an event that is replayed.
 * 2. A hook or a middleware that throws is reported once to `onError`; the run goes on as if it had not been there.
 *
 * @example
 * ```ts
 * import { Executor, InMemoryStore } from "@rockpool/workflow";
 * import { assertEquals } from "@std/assert";
 *
 * const log: string[] = [];
 * await using executor = new Executor({
 *   store: new InMemoryStore(),
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
  CancelRequestedEvent,
  ChildCompletedEvent,
  ChildFailedEvent,
  ChildStartedEvent,
  CompensationStartedEvent,
  PatchedEvent,
  SideEffectEvent,
  SignalReceivedEvent,
  TimerFiredEvent,
  TimerStartedEvent,
  UpdateAcceptedEvent,
  UpdateCompletedEvent,
  WorkflowCanceledEvent,
  WorkflowCompletedEvent,
  WorkflowEvent,
  WorkflowFailedEvent,
  WorkflowStartedEvent,
} from "./types.ts";
import { isThenable } from "./util/deferred.ts";

/** Whose event a hook hears of. */
export interface RunInfo {
  /** The workflow's ID. */
  readonly workflowId: string;
  /** The ID of the run. */
  readonly runId: string;
  /** The name under which the workflow is registered. */
  readonly workflowName: string;
}

/** A replay that has come to the end of what is stored. */
export interface WorkflowReplay {
  /** How many events were replayed. */
  readonly events: number;
}

/**
 * Functions that are called when something has happened, each optional: one for every kind of event, and one for replays.
 * They are not waited for.
 */
export interface Hooks {
  /** A workflow began. */
  readonly workflowStarted?: (event: WorkflowStartedEvent, run: RunInfo) => unknown;
  /** A workflow returned. */
  readonly workflowCompleted?: (event: WorkflowCompletedEvent, run: RunInfo) => unknown;
  /** A workflow threw, or its time was up. */
  readonly workflowFailed?: (event: WorkflowFailedEvent, run: RunInfo) => unknown;
  /** A workflow ended cancelled. */
  readonly workflowCanceled?: (event: WorkflowCanceledEvent, run: RunInfo) => unknown;
  /** Somebody asked for a cancellation. */
  readonly cancelRequested?: (event: CancelRequestedEvent, run: RunInfo) => unknown;
  /** An activity is about to run for the first time. */
  readonly activityStarted?: (event: ActivityStartedEvent, run: RunInfo) => unknown;
  /** An activity returned. */
  readonly activityCompleted?: (event: ActivityCompletedEvent, run: RunInfo) => unknown;
  /** An activity failed for good. */
  readonly activityFailed?: (event: ActivityFailedEvent, run: RunInfo) => unknown;
  /** An attempt failed and another one will follow. */
  readonly activityAttemptFailed?: (event: ActivityAttemptFailedEvent, run: RunInfo) => unknown;
  /** An activity told of itself, as far as that is recorded. */
  readonly activityHeartbeat?: (event: ActivityHeartbeatEvent, run: RunInfo) => unknown;
  /** A sleep or a deadline began. */
  readonly timerStarted?: (event: TimerStartedEvent, run: RunInfo) => unknown;
  /** A sleep or a deadline is over. */
  readonly timerFired?: (event: TimerFiredEvent, run: RunInfo) => unknown;
  /** A signal arrived. */
  readonly signalReceived?: (event: SignalReceivedEvent, run: RunInfo) => unknown;
  /** An update was found valid. */
  readonly updateAccepted?: (event: UpdateAcceptedEvent, run: RunInfo) => unknown;
  /** An update was answered. */
  readonly updateCompleted?: (event: UpdateCompletedEvent, run: RunInfo) => unknown;
  /** A child workflow was asked for. */
  readonly childStarted?: (event: ChildStartedEvent, run: RunInfo) => unknown;
  /** A child workflow returned. */
  readonly childCompleted?: (event: ChildCompletedEvent, run: RunInfo) => unknown;
  /** A child workflow ended otherwise. */
  readonly childFailed?: (event: ChildFailedEvent, run: RunInfo) => unknown;
  /** A value from outside the history was recorded. */
  readonly sideEffect?: (event: SideEffectEvent, run: RunInfo) => unknown;
  /** A compensation began. */
  readonly compensationStarted?: (event: CompensationStartedEvent, run: RunInfo) => unknown;
  /** The workflow went the new way of a change. */
  readonly patched?: (event: PatchedEvent, run: RunInfo) => unknown;
  /** A run that was stored goes on here: its code has seen again what had happened. */
  readonly workflowReplayed?: (replay: WorkflowReplay, run: RunInfo) => unknown;
}

/**
 * Which hook hears of which event: the one of the same name.
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
  patched: "patched",
  child_started: "childStarted",
  child_completed: "childCompleted",
  child_failed: "childFailed",
  update_accepted: "updateAccepted",
  update_completed: "updateCompleted",
} as const satisfies Record<WorkflowEvent["type"], string>;

/** All of them, since those of a class are not among its instance's keys. */
const allHooks: readonly (keyof Hooks)[] = /* @__PURE__ */ Object.values<keyof Hooks>(hookNames)
  .concat("workflowReplayed");

/** A call that middleware stands around. */
export type MiddlewareCall =
  | {
    /** A call of the executor's method of that name. */
    readonly kind: "execute" | "signal" | "query" | "update" | "cancel" | "terminate";
    /** The ID of the workflow that it is about. */
    readonly workflowId: string;
  }
  | {
    /** An attempt of an activity. */
    readonly kind: "activity";
    /** The ID of the workflow that called the activity. */
    readonly workflowId: string;
    /** The activity's name. */
    readonly name: string;
    /** The activity's input. */
    readonly input: unknown;
    /** Which attempt, counted from 1. */
    readonly attempt: number;
  };

/**
 * Stands around a call: does something before, calls `next()`, does something after, and answers what `next()` answered
 * or something else. The failure of `next()` may be passed on.
 */
export type Middleware = (call: MiddlewareCall, next: () => Promise<unknown>) => unknown;

/** Where the errors of hooks and middleware go. */
export type ErrorReporter = (error: unknown) => void;

/**
 * Makes one set of hooks of several: each event is told to all of them, in order, even if one throws.
 *
 * @param sets The sets.
 * @returns Hooks that throw an `AggregateError` after all were called, if several threw, or the error of the only one.
 *
 * @example
 * ```ts
 * import { composeHooks, Executor, InMemoryStore } from "@rockpool/workflow";
 * import { assertEquals } from "@std/assert";
 *
 * const log: string[] = [];
 * const hooks = composeHooks(
 *   { workflowStarted: () => log.push("metrics") },
 *   { workflowStarted: () => log.push("audit") },
 * );
 * await using executor = new Executor({ store: new InMemoryStore(), hooks });
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
          if (isThenable(answer)) pending.push(Promise.resolve(answer).catch((error) => errors.push(error)));
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
 * Makes a call with middleware around it, the first outermost. A middleware that throws an error of its own is reported
 * and left out: the call is made once, and its outcome is the answer.
 *
 * @param middleware The middleware.
 * @param call What is called, for the middleware to know.
 * @param body Makes the call. It is called at most once.
 * @param report Gets the errors that the middleware threw itself.
 * @returns What the outermost middleware answered.
 *
 * @example
 * ```ts
 * import { applyMiddleware, type Middleware } from "@rockpool/workflow/hooks";
 * import { assertEquals } from "@std/assert";
 *
 * const shout: Middleware = async (_call, next) => `${await next()}!`;
 * const call = { kind: "query", workflowId: "a" } as const;
 * assertEquals(await applyMiddleware([shout, shout], call, async () => "hi", console.error), "hi!!");
 * ```
 */
export async function applyMiddleware(
  middleware: readonly Middleware[],
  call: MiddlewareCall,
  body: () => Promise<unknown>,
  report: ErrorReporter,
): Promise<unknown> {
  if (middleware.length === 0) return await body();
  const [outermost, ...inner] = middleware;
  let inside: Promise<unknown> | undefined;
  const next = () => {
    if (inside === undefined) {
      inside = applyMiddleware(inner, call, body, report);
      inside.catch(() => {}); // a middleware may leave it alone: that must not take the process down
    }
    return inside;
  };
  try {
    return await outermost(call, next);
  } catch (error) {
    const called = inside !== undefined;
    let answer: unknown;
    try {
      answer = await next();
    } catch (failure) {
      if (!called || failure !== error) report(error);
      throw failure;
    }
    report(error);
    return answer;
  }
}

/**
 * What is told to whom.
 *
 * @internal
 */
export interface HookHost {
  readonly hooks: Hooks | undefined;
  readonly report: ErrorReporter;
}

/**
 * Calls a hook if there is one; what it throws is reported.
 *
 * @internal
 */
export function callHook({ hooks, report }: HookHost, name: keyof Hooks, told: unknown, run: RunInfo): void {
  if (hooks?.[name] === undefined) return;
  const { workflowId, runId, workflowName } = run;
  try {
    // Unhandled, the failure of an async hook would take the process down.
    Promise.resolve(hooks[name](told as never, { workflowId, runId, workflowName })).catch(report);
  } catch (error) {
    report(error);
  }
}

/**
 * Tells the hook of its name of an event that is stored.
 *
 * @internal
 */
export function tellOf(host: HookHost, event: WorkflowEvent, run: RunInfo): void {
  callHook(host, hookNames[event.type], event, run);
}
