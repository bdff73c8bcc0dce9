/**
 * What live runs wait for, as plain data: for a health page, a debugger, or a test that hangs.
 *
 * @module
 */

/** A run that is live in an executor. */
export interface OpenRun {
  /** The workflow's ID. */
  readonly workflowId: string;
  /** The ID of this run. */
  readonly runId: string;
  /** The name under which the workflow is recorded. */
  readonly workflowName: string;
  /**
   * What its code has asked for and not received. Empty while the code or the store works, and while the code waits for a
   * promise that its context did not make.
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
    /** When it ends, in milliseconds since the epoch. */
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
     * `running`; `retrying` at `retryAt`, after a failure; `queued` while it waits for a slot, or while this executor does not
     * perform it.
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
    /** A slot for its code to begin, by `maxConcurrentWorkflows`. */
    readonly type: "slot";
  }
  | {
    /** It was idle, so it was dropped from memory (`dormantAfterMs`): only the store knows what its code waits for. */
    readonly type: "dormant";
    /** When it resumes by itself, in milliseconds since the epoch, if ever. */
    readonly wakesAt?: number;
  }
  | {
    /** The time at which its code begins. */
    readonly type: "start";
    /** In milliseconds since the epoch. */
    readonly startAt: number;
  };
