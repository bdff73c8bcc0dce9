/**
 * What everybody else sees of a run that goes on in this process, whether it is in memory or parked.
 *
 * @module
 */

import type { RunInfo } from "../hooks.ts";
import type { Workflow } from "../context.ts";
import type { WorkflowEvent, WorkflowStartedEvent, WorkflowStatus } from "../types.ts";
import type { Wait } from "./waits.ts";
import type { Deferred } from "../util/deferred.ts";

/** A run that goes on here. */
export interface LiveRun extends RunInfo {
  readonly chain: Chain;
  readonly parent: WorkflowStartedEvent["parent"];
  /** Where the stored run stands. */
  readonly status: WorkflowStatus;
  /** Whether the workflow's code has begun, or is about to. */
  readonly begun: boolean;
  /** Whether events from outside can still get into the history. */
  readonly open: boolean;
  /** Resolves to what stands for the run then, when it is live no more. */
  readonly ended: Promise<LiveRun>;
  /**
   * Stores an event from outside. Resolves to whether it got into the store before the run ended.
   *
   * @throws What suspended the run, if it did.
   */
  post(event: WorkflowEvent): Promise<boolean>;
  /** Stores a request for a cancellation like {@linkcode post}, unless there is one. */
  cancel(event: WorkflowEvent): Promise<boolean>;
  /** Stores a last event from outside like {@linkcode post}. From now on workflow code sees no event. */
  terminate(event: WorkflowEvent): Promise<boolean>;
  /** Answers a query from the workflow's variables, once it has seen all that is stored; nothing if it is live no more. */
  query(name: string, args: readonly unknown[]): Promise<{ readonly value: unknown } | undefined>;
  /**
   * Stores an update if it is valid, and answers what its handler answers: once, whoever repeats it. Answers nothing if the
   * run takes no updates any more.
   *
   * @throws What the validation or the handler throws; what ends the run before the answer.
   */
  update(request: UpdateRequest): Promise<{ readonly value: unknown } | undefined>;
  /** The store says that the workflow has changed, and how long its history is after an append. */
  told(historyLength: number | null): void;
  /** A child of the run has ended here, or cannot go on: the one of its command at this position. */
  childEnded(seq: number, child: LiveRun): void;
  /** What its code waits for. */
  waits(): Wait[];
  /**
   * Performs what another executor had started and left open, once all of the history is seen, which is so long now: the
   * outcome can be among it.
   */
  takeOver(historyLength: number): void;
  /** What the run came to: the workflow's result, or a throw. Only once it has ended. */
  result(): unknown;
  /** Leaves the run as it is stored. What goes on for it is aborted and its outcomes are dropped. */
  suspend(error: unknown): void;
}

/** Runs that continue each other as new, as far as they were live here. */
export interface Chain {
  readonly firstRunId: string;
  latest: LiveRun;
  /** Whether it has one of the executor's slots. */
  slot: boolean;
  /** Resolves when the latest run is live no more; none while nobody waits for that. */
  ended: Deferred<LiveRun> | undefined;
  /** Whether a run of it was parked and is back. */
  woken: boolean;
}

/** What is left of a run that is put out of memory. */
export interface Parked {
  readonly workflow: Workflow<never>;
  /** How many events the run knows of. */
  readonly historyLength: number;
  /** When it goes on by itself; `Infinity` if never. */
  readonly wakesAt: number;
  /** The commands for whose children it waits. */
  readonly children: readonly number[];
}

/** An update that somebody asks for; its input is a stored value. */
export interface UpdateRequest {
  readonly updateId: string;
  readonly name: string;
  readonly input: unknown;
}
