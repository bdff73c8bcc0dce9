/**
 * The command of a child workflow: starts it or finds it again, and records how it ended.
 *
 * 1. A child belongs to the command that started it (`parent` in its first event). So it is started once, even if a
 *    process crashes, and a command that is performed again finds its child.
 * 2. A child with the policy `abandon` is stored before the run of its parent ends: `ready` says when.
 * 3. A child that is suspended here, for example because its store failed, is still stored as running. Then nothing is
 *    recorded, and the parent is suspended as well, unless another executor runs the child.
 *
 * @module
 */

import type { RunKey } from "../hooks.ts";
import type { CallHeaders, ChildStartedEvent, WorkflowEvent, WorkflowStatus } from "../types.ts";
import type { ChildOptions, Workflow } from "../context.ts";
import { Deferred } from "../util/deferred.ts";
import { show } from "../util/show.ts";
import { comesFrom, fromErrorRecord, toErrorRecord } from "../history/error_record.ts";
import { handOut, toStored } from "../history/value.ts";
import { type Caller, Command, type Performer } from "./command.ts";
import { withHeaders } from "./headers.ts";
import { isUnavailable } from "./retrying_store.ts";
import type { Wait } from "../options.ts";

/** What a parent uses of the handle of its child. */
export interface Child {
  readonly id: string;
  readonly status: WorkflowStatus;
  result(): Promise<unknown>;
}

/** What an executor does for the parents among its runs. */
export interface Children {
  /**
   * Starts a child, or finds the one that the same command started before.
   *
   * @param again Whether it may be stored already.
   */
  start(parent: RunKey, event: ChildStartedEvent, workflow: Workflow<never>, again: boolean): Promise<Child>;
  /** Whether a workflow is live here. Then its parent is notified of its end by `childEnded()`. */
  isLive(id: string): boolean;
  /** Ends a child by its policy, when its parent's run has ended or its wait was cancelled. */
  close(parent: RunKey, event: ChildStartedEvent): void;
}

/** The run that performs the command of a child. */
export interface ParentRun extends Performer {
  readonly environment: Performer["environment"] & { readonly children: Children };
  /** The run cannot be resumed here. */
  suspend(error: unknown): void;
  /** A child is stored, or cannot be started. */
  childReady(): void;
  /** The run may have become idle. */
  reportIdle(): void;
}

export class ChildCommand extends Command {
  readonly type = "child_started";
  declare readonly name: string;
  readonly childId: string;
  readonly #workflow: Workflow<never>;
  readonly #input: unknown;
  readonly #options: ChildOptions;
  readonly #headers: CallHeaders;
  #run: ParentRun | undefined;
  /** Whether the child is stored, or cannot be started. */
  ready = false;
  /** The child, once it is known to be live here. */
  #live: Child | undefined;
  #closed = false;
  #stopped = false;
  /** Resolves when the child is not pending any more; `undefined` while nobody waits for that. */
  #decided: Deferred<void> | undefined;

  constructor(
    caller: Caller,
    name: string,
    workflow: Workflow<never>,
    childId: string,
    input: unknown,
    options: ChildOptions,
    headers: CallHeaders,
  ) {
    super(caller, name);
    this.#workflow = workflow;
    this.childId = childId;
    this.#input = input;
    this.#options = options;
    this.#headers = headers;
  }

  toEvent(at: number): ChildStartedEvent {
    const { timeoutMs, parentClosePolicy: closePolicy = "cancel" } = this.#options;
    const { type, seq, name, childId: workflowId } = this;
    const event = {
      type,
      at,
      seq,
      name,
      workflowId,
      input: this.#input,
      closePolicy,
      ...withHeaders(this.#headers),
    } as const;
    return timeoutMs === undefined ? event : { ...event, timeoutMs };
  }

  override seen(event: WorkflowEvent): void {
    if (event.type === "child_completed") this.resolve(handOut(event.result));
    else if (event.type === "child_failed") this.reject(fromErrorRecord(event.error));
  }

  override get performed(): boolean {
    return this.#run !== undefined;
  }

  override perform(run: ParentRun, again: boolean): void {
    this.#run = run;
    if (this.following !== undefined && !again) this.#fail(this.following.reason, false); // it was never started
    else this.#start(run, again);
  }

  override get whenCanceled(): "followed" | "kept" {
    return this.#options.parentClosePolicy === "abandon" ? "kept" : "followed";
  }

  override cancelWork(): void {
    if (this.performed) this.close();
  }

  override settle(): void {
    super.settle();
    this.#decided?.resolve();
  }

  override stop(): void {
    this.#stopped = true;
    this.#decided?.resolve();
  }

  /** Whether the child may be stored later: it is being started, or another executor is about to do that. */
  get pending(): boolean {
    return !(this.ready || this.settled || this.#stopped);
  }

  /** Resolves when the child is not pending any more, as far as is known here. */
  get decided(): Promise<void> {
    return (this.#decided ??= new Deferred()).promise;
  }

  override get wakesAt(): number {
    return this.#live !== undefined || this.following?.held && !this.performed ? Infinity : -Infinity;
  }

  override get outlivesRun(): boolean {
    return this.#options.parentClosePolicy === "abandon" && !this.settled;
  }

  override wait(): Wait | undefined {
    if (this.following?.held && this.#live === undefined) return undefined;
    return { type: "child", workflowId: this.childId, ...(this.following === undefined ? {} : { canceled: true }) };
  }

  /** Ends the child by its policy: now, or as soon as it is stored. */
  close(): void {
    this.#closed = true;
    if (this.ready) this.#run!.environment.children.close(this.#run!, this.event as ChildStartedEvent);
  }

  /** The child was live here, and has ended or was suspended. */
  childEnded(): void {
    const child = this.#live;
    this.#live = undefined;
    if (child !== undefined) this.#recordEnd(child);
  }

  async #start(run: ParentRun, again: boolean): Promise<void> {
    const event = this.event as ChildStartedEvent;
    const { children } = run.environment;
    try {
      const child = await children.start(run, event, this.#workflow, again);
      this.#becomeReady();
      if (this.#closed || this.following !== undefined) this.close();
      if (child.status !== "running" || !children.isLive(child.id)) return await this.#recordEnd(child);
      this.#live = child;
      run.reportIdle();
    } catch (error) {
      this.#fail(error, isUnavailable(error)); // then it can be started later
    }
  }

  #becomeReady(): void {
    this.ready = true;
    this.#decided?.resolve();
    this.#run!.childReady();
  }

  /** Records how the child ended, once it has. */
  async #recordEnd(child: Child): Promise<void> {
    const { seq, name } = this;
    try {
      const result = toStored(await child.result(), "result of child workflow", name);
      this.recordEnd(() => this.#record({ type: "child_completed", at: this.#now, seq, result }));
    } catch (error) {
      this.#fail(error, child.status === "running");
    }
  }

  #fail(error: unknown, stillRuns: boolean): void {
    if (stillRuns) {
      if (!this.#stopped) this.#run!.suspend(error); // recover() resumes both
      return;
    }
    const parent = `workflow ${show(this.#run!.workflowId)}`;
    const where = `child workflow ${show(this.name)} of ${parent}, ID ${show(this.childId)}`;
    const record = comesFrom(toErrorRecord(error), where);
    this.recordEnd(() => this.#record({ type: "child_failed", at: this.#now, seq: this.seq, error: record }));
    this.#becomeReady();
  }

  get #now(): number {
    return this.#run!.environment.timing.clock.now();
  }

  #record(event: WorkflowEvent): void {
    if (!this.#stopped) this.#run!.record(Object.freeze(event));
  }
}
