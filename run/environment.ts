/**
 * What the runs of an executor share, grouped by who uses it.
 *
 * @module
 */

import type { ErrorReporter, Hooks } from "../hooks.ts";
import type { Workflow } from "../context.ts";
import type { WorkflowStartedEvent } from "../types.ts";
import type { Slots } from "../util/slots.ts";
import type { ActivitySettings } from "./activity.ts";
import type { Children } from "./child.ts";
import type { Timing } from "./command.ts";
import type { ContextSettings } from "./context.ts";
import type { DormantState, Lease, LiveRun, StartableRun } from "./live_run.ts";
import type { RetryingStore } from "./retrying_store.ts";

/** What every run that begins in an executor records. */
export type Stamp = Pick<WorkflowStartedEvent, "workflowVersion" | "maxPayloadBytes">;

/** How an executor runs workflows. */
export interface RunSettings {
  readonly hooks: Hooks | undefined;
  readonly report: ErrorReporter;
  /** Limits the workflows that run at a time; no limit if it is absent. */
  readonly slots: Slots | undefined;
  /** What every run that begins here records. */
  readonly stamp: Stamp;
  /** Makes the ID of a new run. */
  newRunId(workflowId: string): string;
  /** The largest number of events in a history, apart from its last one; no limit if it is absent. */
  readonly maxHistoryEvents: number | undefined;
}

/** What the runs of an executor share. */
export interface RunEnvironment {
  readonly store: RetryingStore;
  readonly timing: Timing;
  readonly runs: RunSettings;
  readonly activities: ActivitySettings;
  readonly context: ContextSettings;
  readonly children: Children;
  readonly lifecycle: Lifecycle;
}

/** Callbacks for changes of runs. */
export interface Lifecycle {
  /** Nothing is in flight in a run for now. Absent if idle runs stay in memory. */
  readonly idle: ((run: StartableRun) => void) | undefined;
  /** Waits until it is known whether a lease lives; `undefined` if it does. A run whose lease is lost is suspended by then. */
  leaseKnown(lease: Lease): Promise<void> | undefined;
  /** A run has left memory: a dormant run takes its place. */
  dormant(run: LiveRun, state: DormantState): LiveRun;
  /** A dormant run has woken: its code is in memory again. */
  woke(run: LiveRun): void;
  /** A run is not live any more. */
  ended(run: LiveRun): void;
  /** A run that was being recovered has ended, because another run has its place. */
  replaced(workflowId: string): void;
  /** A run that was stored just now takes the place of one that ended. */
  continued(run: StartableRun, started: WorkflowStartedEvent, workflow: Workflow<never>): void;
}
