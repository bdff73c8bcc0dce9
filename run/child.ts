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

import type { Clock } from "../clock.ts";
import { WorkflowError } from "../errors.ts";
import type { RunInfo } from "../hooks.ts";
import type { Workflow } from "../context.ts";
import type { ChildStartedEvent, WorkflowEvent, WorkflowStatus } from "../types.ts";
import { toErrorRecord } from "../history/error_record.ts";
import type { Command, Effect, Pending } from "./replay.ts";
import { toStored } from "../history/value.ts";

/** What a child's task needs of a handle. */
export interface ChildRun {
  readonly id: string;
  readonly status: WorkflowStatus;
  result(): Promise<unknown>;
}

/** What a child uses of the executor. */
export interface ChildHost {
  readonly clock: Clock;
  /** Starts a child workflow, or finds the one that the same command has started before. */
  startChild(parent: RunInfo, event: ChildStartedEvent, workflow: Workflow<never>): Promise<ChildRun>;
  /** Whether a workflow runs here: then its parent hears of its end by `ended()`. */
  isHere(id: string): boolean;
  /** Does to a child what is to be done when nobody waits for it any more. */
  closeChild(parent: RunInfo, event: ChildStartedEvent): void;
}

/** The run that a child belongs to. */
export interface ParentRunHost extends RunInfo {
  record(event: WorkflowEvent): void;
  suspend(error: unknown): void;
  /** A child is there, or cannot be. */
  childStarted(): void;
  /** Something that went on for the run has ended. */
  rest(): void;
}

export class ChildTask implements Effect {
  readonly #host: ChildHost;
  readonly #run: ParentRunHost;
  readonly #pending: Pending;
  /** Whether the child is there, or cannot be. */
  started = false;
  /** The child that is waited for, once it is known to run here. */
  #child: ChildRun | undefined;
  #closed = false;
  #stopped = false;

  constructor(host: ChildHost, run: ParentRunHost, pending: Pending) {
    this.#host = host;
    this.#run = run;
    this.#pending = pending;
    pending.effect = this;
    this.#look();
  }

  /** The end of a child that runs here comes by itself, and no promise holds this run until then. */
  get wakesAt(): number | undefined {
    return this.#child === undefined ? undefined : Infinity;
  }

  /** A child that runs here has ended, or cannot go on. */
  ended(): void {
    const child = this.#child;
    this.#child = undefined;
    if (child !== undefined) this.#take(child);
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
    try {
      const child = await this.#host.startChild(this.#run, event, workflow);
      this.started = true;
      if (this.#closed) this.close();
      this.#run.childStarted();
      if (child.status !== "running" || !this.#host.isHere(child.id)) return await this.#take(child);
      this.#child = child;
      this.#run.rest();
    } catch (error) {
      this.#fail(error, error instanceof WorkflowError && lasting.includes(error.code));
    }
  }

  /** Records how the child has ended, once it has. */
  async #take(child: ChildRun): Promise<void> {
    const { seq, name } = this.#pending.event as ChildStartedEvent;
    try {
      const result = toStored(await child.result(), "result of child workflow", name);
      this.#record({ type: "child_completed", at: this.#host.clock.now(), seq, result });
    } catch (error) {
      this.#fail(error, child.status === "running");
    }
  }

  #fail(error: unknown, waits: boolean): void {
    if (waits) {
      if (!this.#stopped) this.#run.suspend(error); // recover() goes on with both
      return;
    }
    const { seq } = this.#pending.event!;
    this.#record({ type: "child_failed", at: this.#host.clock.now(), seq, error: toErrorRecord(error) });
    this.started = true;
    this.#run.childStarted();
  }

  #record(event: WorkflowEvent): void {
    if (!this.#stopped) this.#run.record(Object.freeze(event));
  }
}

/** Why a child could not be started although it may be later. */
const lasting: readonly string[] = ["closed", "store_failed"];
