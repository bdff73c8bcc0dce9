/**
 * Looks after one child workflow: starts it or finds it again, and records how it ended.
 *
 * 1. A child is known by the command that started it, so that it is started once, whoever dies when.
 * 2. A child that is to outlive its parent is there before the parent's run ends.
 * 3. A child that cannot go on here, since its store failed, say, is running still: nothing is recorded, and its parent
 *    cannot go on either, unless another executor drives the child.
 *
 * @module
 */

import type { Clock } from "./clock.ts";
import { WorkflowError } from "./errors.ts";
import type { RunInfo } from "./hooks.ts";
import type { ChildStartedEvent, Workflow, WorkflowEvent, WorkflowStatus } from "./types.ts";
import { toErrorRecord } from "./_error_record.ts";
import type { Command, Effect, Pending } from "./_replay.ts";
import { toStored } from "./_value.ts";

/** What a child's task needs of a handle. */
export interface ChildRun {
  readonly status: WorkflowStatus;
  result(): Promise<unknown>;
}

/** What a child uses of the executor. */
export interface ChildHost {
  readonly clock: Clock;
  /** Starts a child workflow, or finds the one that the same command has started before. */
  startChild(parent: RunInfo, event: ChildStartedEvent, workflow: Workflow<never>): Promise<ChildRun>;
  /** Does to a child what is to be done when nobody waits for it any more. */
  closeChild(parent: RunInfo, event: ChildStartedEvent): void;
}

/** The run that a child belongs to. */
export interface ParentRunHost extends RunInfo {
  record(event: WorkflowEvent): void;
  suspend(error: unknown): void;
  /** A child is there, or cannot be. */
  childStarted(): void;
}

export class ChildTask implements Effect {
  readonly #host: ChildHost;
  readonly #run: ParentRunHost;
  readonly #pending: Pending;
  /** Whether the child is there, or cannot be. */
  started = false;
  #closed = false;
  #stopped = false;

  constructor(host: ChildHost, run: ParentRunHost, pending: Pending) {
    this.#host = host;
    this.#run = run;
    this.#pending = pending;
    pending.effect = this;
    this.#look();
  }

  /** Nobody waits for the outcome any more. */
  stop(): void {
    this.#stopped = true;
  }

  /** The child is to be closed, now or when it is there. */
  close(): void {
    this.#closed = true;
    if (this.started) this.#host.closeChild(this.#run, this.#pending.event as ChildStartedEvent);
  }

  async #look(): Promise<void> {
    const event = this.#pending.event as ChildStartedEvent;
    const { workflow } = this.#pending.command as Command & { type: "child_started" };
    let handle: ChildRun | undefined;
    try {
      handle = await this.#host.startChild(this.#run, event, workflow);
      this.started = true;
      if (this.#closed) this.close();
      this.#run.childStarted();
      const result = toStored(await handle.result(), "result of child workflow", event.name);
      this.#record({ type: "child_completed", at: this.#host.clock.now(), seq: event.seq, result });
    } catch (error) {
      const waits = handle === undefined
        ? error instanceof WorkflowError && lasting.includes(error.code)
        : handle.status === "running";
      if (waits) {
        if (!this.#stopped) this.#run.suspend(error); // recover() goes on with both
      } else {
        this.#record({ type: "child_failed", at: this.#host.clock.now(), seq: event.seq, error: toErrorRecord(error) });
        this.started = true;
        this.#run.childStarted();
      }
    }
  }

  #record(event: WorkflowEvent): void {
    if (!this.#stopped) this.#run.record(Object.freeze(event));
  }
}

/** Why a child could not be started although it may be later. */
const lasting: readonly string[] = ["closed", "store_failed"];
