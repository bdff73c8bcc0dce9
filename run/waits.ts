/**
 * What live runs wait for: to be looked at, by a health page, a debugger, or a test that hangs.
 *
 * @module
 */

import type { Replay } from "./replay.ts";

/** A run that is live in an executor. */
export interface OpenRun {
  /** The workflow's ID. */
  readonly workflowId: string;
  /** The ID of this run. */
  readonly runId: string;
  /** The name under which the workflow is recorded. */
  readonly workflowName: string;
  /**
   * What it has asked for and not got yet, whether its code awaits it just now or later. Empty while its code or the store
   * works, and as long as its code waits for a promise that is none of its context's.
   */
  readonly waitsFor: readonly Wait[];
}

/** What a run waits for. */
export type Wait =
  | {
    /** A signal. One with a `timeoutMs` has a `timer` beside it. */
    readonly type: "signal";
    /** The signal's name. */
    readonly name: string;
  }
  | {
    /** A sleep or a timeout. */
    readonly type: "timer";
    /** When it is over, in milliseconds since the epoch. */
    readonly dueAt: number;
  }
  | {
    /** The outcome of an activity. */
    readonly type: "activity";
    /** The activity's name. */
    readonly name: string;
    /** The number of the attempt that runs or comes next, from 1. */
    readonly attempt: number;
    /**
     * `running`; `retrying` at `retryAt`, after a failure; `queued` while there is no slot for it, or nobody here performs it
     * yet.
     */
    readonly status: "running" | "retrying" | "queued";
    /** When the attempt is due, in milliseconds since the epoch, if it is `retrying`. */
    readonly retryAt?: number;
  }
  | {
    /** The end of a child workflow. */
    readonly type: "child";
    /** The child's ID. */
    readonly workflowId: string;
  }
  | {
    /** A condition, by `ctx.waitUntil`. One with a `timeoutMs` has a `timer` beside it. */
    readonly type: "condition";
  }
  | {
    /** Room for its code to begin, by `maxConcurrentWorkflows`. */
    readonly type: "slot";
  }
  | {
    /** Nothing goes on for it, so it was put out of memory (`parkAfterMs`): only the store knows more. */
    readonly type: "parked";
    /** When it goes on by itself, in milliseconds since the epoch, if ever. */
    readonly wakesAt?: number;
  }
  | {
    /** The time at which its code is to begin. */
    readonly type: "start";
    /** In milliseconds since the epoch. */
    readonly startAt: number;
  };

/** What the code of a run that has begun waits for: commands in the order of their issue, then signals and conditions. */
export function waitsOf({ pending, signals, conditions }: Replay, now: number): Wait[] {
  const waits: Wait[] = [];
  for (const { command, event, effect, resolved, failedAttempts, retryAt = now } of pending.values()) {
    if (resolved) continue;
    if (event?.type === "timer_started") waits.push({ type: "timer", dueAt: event.dueAt });
    else if (command.type === "child_started") waits.push({ type: "child", workflowId: command.workflowId });
    else if (command.type === "activity_started") {
      const activity = { type: "activity", name: command.name, attempt: failedAttempts + 1 } as const;
      waits.push(
        effect?.running || retryAt <= now
          ? { ...activity, status: effect?.running ? "running" : "queued" }
          : { ...activity, status: "retrying", retryAt },
      );
    }
  }
  for (const name of signals.awaited()) waits.push({ type: "signal", name });
  for (let i = 0; i < conditions; i++) waits.push({ type: "condition" });
  return waits;
}
