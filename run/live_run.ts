/**
 * What an executor sees of a run that is live in it, whether its code is in memory (`Run`) or not (`DormantRun`).
 *
 * @module
 */

import type { RunKey } from "../hooks.ts";
import type { WorkflowEvent, WorkflowStartedEvent, WorkflowStatus } from "../types.ts";
import type { Workflow } from "../context.ts";
import type { Deferred } from "../util/deferred.ts";
import type { Answer, UpdateRequest } from "./events.ts";
import type { Wait } from "../options.ts";
import type { Remembered } from "./remembered.ts";

/** A run that is live in this executor. */
export interface LiveRun extends RunKey {
  readonly chain: Chain;
  readonly parent: WorkflowStartedEvent["parent"];
  /** The status of the stored run. */
  readonly status: WorkflowStatus;
  /** Whether the workflow's code has begun, or is about to. */
  readonly begun: boolean;
  /** The ID of the run that continues it, once that is on its way into the store. */
  readonly nextRunId?: string | undefined;
  /** Whether events can still be delivered to it. */
  readonly acceptsEvents: boolean;
  /**
   * Resolves to the run that has left: it ended, was suspended, or was continued as new. Becoming dormant does not resolve it.
   */
  readonly ended: Promise<LiveRun>;
  /**
   * Stores a delivered event. Resolves to whether it got into the store before the run ended. A cancellation is stored unless
   * there is one. From a termination on, workflow code sees no event.
   *
   * @param once Whether the event is a signal that can be sent again: then it is stored once.
   * @throws The error that suspended the run, if one did.
   */
  post(event: WorkflowEvent, once?: boolean): Promise<boolean>;
  /**
   * Calls a query handler, once the code has seen everything that this executor knows to be stored. Returns `undefined` if the
   * run is not live any more.
   */
  query(name: string, args: readonly unknown[]): Promise<Answer>;
  /**
   * Stores an update if it is valid, once it has a handler, and returns what the handler returns. The same `updateId` gets the
   * same answer. Returns `undefined` if the run takes no updates any more.
   *
   * @param signal Ends the wait. What is not stored then is withdrawn.
   * @throws What the validation or the handler throws; the error with which the run ended before the answer.
   */
  update(request: UpdateRequest, signal?: AbortSignal): Promise<Answer>;
  /**
   * The store changed: another executor wrote to the workflow.
   *
   * @param historyLength The length of the history after an append; 0 if it is not known; `null` if the store reports that
   * the workflow was saved or deleted.
   */
  changed(historyLength: number | null): void;
  /** How many events the run knows to be stored. */
  readonly historyLength: number;
  /** The child of the command at this position was live here, and has ended or was suspended. */
  childEnded(seq: number, child: LiveRun): void;
  /** What it waits for. */
  waitsFor(): Wait[];
  /**
   * Performs what another executor started and left open, once the code has seen every stored event: the outcome may be among
   * them.
   *
   * @param historyLength The length of the stored history, as far as it is known.
   */
  takeOver(historyLength: number): void;
  /** The result of the run, or a throw. Only once it is not live any more. */
  result(): unknown;
  /** Leaves the run as it is stored. Its activities are aborted and their outcomes are dropped. */
  suspend(error: unknown): void;
}

/** A live run whose code is in memory, or is about to be. */
export interface StartableRun extends LiveRun {
  /**
   * Starts a new run, or resumes a stored one.
   *
   * @param stored The first events, if they were stored just now: hooks are called with them.
   */
  start(stored?: readonly WorkflowEvent[]): void;
  /**
   * Leaves memory if nothing is in flight for the run.
   *
   * @returns What remains of it; `undefined` if it stays.
   */
  becomeDormant(): DormantState | undefined;
  /** Lets the activities in flight end, starts no further ones, and resolves when their outcomes are stored. */
  drain(): Promise<void>;
  /** Resolves when no event of the run is on its way into the store. */
  written(): Promise<void>;
}

/** The lease under which a run is live. */
export interface Lease {
  readonly owner: string;
  /** How often the run was claimed before it became live here. */
  readonly fence: number;
}

/** Runs that continue each other as new, as far as they were live here. */
export interface Chain {
  readonly firstRunId: string;
  latest: LiveRun;
  /** Whether it has one of the executor's slots for workflows. */
  hasSlot: boolean;
  /** Resolves to the run that has left, see {@linkcode LiveRun.ended}; `undefined` while nobody waits for that. */
  ended: Deferred<LiveRun> | undefined;
  /** The lease under which it is live here; absent without leases. */
  readonly lease?: Lease | undefined;
  /** Messages whose sender chose an ID; `undefined` until it is needed. */
  remembered?: Remembered | undefined;
  /** Whether a run of it was dormant and has woken. */
  wasDormant: boolean;
}

/** What remains of a run that becomes dormant. */
export interface DormantState {
  readonly workflow: Workflow<never>;
  /** Whether its code has begun. */
  readonly begun: boolean;
  /** When it wakes by itself; `Infinity` if never. */
  readonly wakesAt: number;
  /** The positions of the commands whose children it waits for. */
  readonly children: readonly number[];
}
