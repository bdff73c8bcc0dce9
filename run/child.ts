/**
 * The command of a child workflow: starts it or finds it again, and records how it ended.
 *
 * 1. A child belongs to the command that started it (`parent` in its first event). So it is started once, even if a
 *    process crashes, and a command that is performed again finds its child.
 * 2. A child with the policy `abandon` is stored before the run of its parent ends: `ready` says when.
 * 3. A child that was cancelled before its first event was stored does not begin: its code is never called.
 * 4. `child_begun` is recorded only if the code has asked for it (`started`). What follows from it is the same in every replay:
 *    the promise settles when the turn of the event has come, or that of the outcome.
 * 5. Attempts are numbered from 1 through all processes, in the parent's history and in the first event of the child. The next
 *    attempt starts only after the failure of the last one is stored.
 * 6. A child that is suspended here, for example because its store failed, is still stored as running. Then nothing is
 *    recorded, and the parent is suspended as well, unless another executor runs the child.
 *
 * @module
 */

import { CanceledError } from "../errors.ts";
import type { RunKey } from "../hooks.ts";
import type {
  CallHeaders,
  ChildAttemptFailedEvent,
  ChildStartedEvent,
  WorkflowEvent,
  WorkflowStatus,
} from "../types.ts";
import type { ChildOptions, Workflow } from "../context.ts";
import { Deferred } from "../util/deferred.ts";
import { show } from "../util/show.ts";
import { comesFrom, fromErrorRecord, toErrorRecord } from "../history/error_record.ts";
import { handOut, toStored } from "../history/value.ts";
import { attemptText } from "./activity.ts";
import { type Caller, Command, type Performer } from "./command.ts";
import { canceledText } from "./events.ts";
import { withHeaders } from "./headers.ts";
import { isUnavailable, nextDelayMs, type RetryHost } from "./retrying_store.ts";
import type { Timer } from "./timers.ts";
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
   * Starts an attempt of a child, or finds the one that the same command started before.
   *
   * @throws The reason of `canceled`, if the child has not begun.
   */
  start(parent: RunKey, event: ChildStartedEvent, workflow: Workflow<never>, attempt: ChildAttempt): Promise<Child>;
  /**
   * Says what is stored of the child of a command; `undefined` if its ID belongs to another workflow or to none.
   *
   * @param ended The number of an attempt that is known to have ended.
   */
  look(parent: RunKey, event: ChildStartedEvent, ended: number | undefined): Promise<StoredChild | undefined>;
  /** Whether a workflow is live here. Then its parent is notified of its end by `childEnded()`. */
  isLive(id: string): boolean;
  /** Ends a child by its policy, when its parent's run has ended or its wait was cancelled. */
  close(parent: RunKey, event: ChildStartedEvent): void;
}

/** An attempt that is to be started. */
export interface ChildAttempt {
  /** Counted from 1. */
  readonly number: number;
  /** Whether an earlier process may have started it. */
  readonly again: boolean;
  /** Returns why it is not to be started any more; `undefined` if it is. */
  readonly canceled: () => unknown;
}

/** What is stored of a child. */
export interface StoredChild {
  /** The number of its attempt. */
  readonly attempt: number;
  /** Whether somebody has asked for its cancellation. */
  readonly isCanceled: boolean;
}

/** The run that performs the command of a child. */
export interface ParentRun extends Performer {
  readonly environment: Performer["environment"] & {
    readonly children: Children;
    readonly activities: RetryHost;
  };
  /** Resolves when workflow code has seen a cancellation that is on its way to it; `undefined` if none is. */
  readonly unseenCancellation: Promise<void> | undefined;
  /** Resolves when workflow code has seen everything that is stored by now, or the run has left. */
  confirmed(): Promise<void>;
  /** The run cannot be resumed here. */
  suspend(error: unknown): void;
  /** A child is stored, or cannot be started. */
  childReady(): void;
  /** The run may have become idle. */
  reportIdle(): void;
}

const begun = {};

/** Nobody sees this error: the run has ended, or does not wait for the child. */
const closed = /* @__PURE__ */ new CanceledError("The child was closed");

export class ChildCommand extends Command {
  readonly type = "child_started";
  declare readonly name: string;
  declare readonly childId: string;
  readonly #workflow: Workflow<never>;
  readonly #input: unknown;
  readonly #options: ChildOptions;
  readonly #headers: CallHeaders;
  #run: ParentRun | undefined;
  /** Whether the child is stored, or cannot be started. */
  ready = false;
  /** The child and its attempt, once it is known to be live here. */
  #live: { readonly child: Child; readonly attempt: number } | undefined;
  /** Whether it is being started, or will be by whoever performs the command. */
  #isStarting = true;
  /** How many attempts failed, as far as the history is known here. */
  #failedAttempts = 0;
  /** When the next attempt is due. */
  #retryAt: number | undefined;
  #retryTimer: Timer | undefined;
  #closed = false;
  #stopped = false;
  /** The error of a cancellation by its handle. */
  #withdrawn: CanceledError | undefined;
  /** Whether its outcome was recorded here. */
  #ended = false;
  /** Whether its outcome is a cancellation. */
  wasCanceled = false;
  /** Resolves when the code knows that the child has begun; `undefined` while the code has not asked for that. */
  #started: Deferred<void> | undefined;
  /** What the code can know: whether the child has begun, or why not. */
  #beginning: { readonly error?: unknown } | undefined;
  /** Whether this executor has started or found the child. */
  #hasBegun = false;
  /** Whether `child_begun` is recorded. */
  #begunRecorded = false;
  /** Resolves at the next change; `undefined` while nobody waits for one. */
  #change: Deferred<void> | undefined;

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
    switch (event.type) {
      case "child_begun":
        return this.#begin(begun);
      case "child_attempt_failed":
        return this.#noteFailure(event);
      case "child_completed":
        this.settled = true;
        this.#begin(begun);
        return this.resolve(handOut(event.result));
      case "child_failed": {
        this.settled = true;
        this.wasCanceled = event.error.name === "CanceledError";
        const error = fromErrorRecord(event.error);
        this.#begin(event.notBegun ? { error } : begun);
        return super.reject(error);
      }
    }
  }

  override stored(event: WorkflowEvent): void {
    if (event.type === "child_begun") this.#begunRecorded = true;
    else if (event.type === "child_attempt_failed") this.#noteFailure(event);
  }

  override progressed(event: WorkflowEvent): void {
    if (event.type === "child_attempt_failed" && event.attempt === this.#failedAttempts && this.performed) {
      this.#retry();
    }
  }

  #noteFailure({ attempt, retryAt }: ChildAttemptFailedEvent): void {
    if (this.#failedAttempts >= attempt) return; // noted before its turn
    this.#failedAttempts = attempt;
    this.#retryAt = retryAt;
  }

  /** The wait for the child is cancelled. */
  override reject(reason: unknown): void {
    this.#begin({ error: reason });
    super.reject(reason);
  }

  /** Resolves when the child has begun. */
  get started(): Promise<void> {
    if (this.#started === undefined) {
      this.#started = new Deferred();
      this.#settleStarted();
      this.#recordBegun();
    }
    return this.#started.promise;
  }

  /** The code can know now whether the child has begun. */
  #begin(beginning: { readonly error?: unknown }): void {
    if (this.#beginning !== undefined) return;
    this.#beginning = beginning;
    this.#settleStarted();
  }

  #settleStarted(): void {
    if (this.#started === undefined || this.#beginning === undefined) return;
    if ("error" in this.#beginning) this.#started.reject(this.#beginning.error);
    else this.#started.resolve();
  }

  /** Records that the child has begun, once the code has asked for it and it is true. */
  #recordBegun(): void {
    if (this.#started === undefined || this.#beginning !== undefined || this.#begunRecorded) return;
    if (!this.#hasBegun || this.settled) return;
    this.#begunRecorded = true;
    this.#record({ type: "child_begun", at: this.#now, seq: this.seq });
  }

  override get performed(): boolean {
    return this.#run !== undefined;
  }

  override perform(run: ParentRun, again: boolean): void {
    this.#run = run;
    if (this.#retryAt === undefined) this.#start(again);
    else this.#retry();
  }

  override get whenCanceled(): "followed" | "kept" {
    return this.#options.parentClosePolicy === "abandon" ? "kept" : "followed";
  }

  override cancelWork(): void {
    if (this.#retryTimer !== undefined) this.#giveUp();
    else if (this.performed) this.close();
  }

  override settle(): void {
    super.settle();
    if (this.#live !== undefined) this.close(); // another executor has recorded that it never began
    this.#changed();
  }

  override stop(): void {
    this.#stopped = true;
    this.#clearTimer();
    this.#changed();
  }

  #clearTimer(): void {
    if (this.#retryTimer !== undefined) this.#run!.environment.timing.timers.clear(this.#retryTimer);
    this.#retryTimer = undefined;
  }

  /** Whether a run of the child may be stored later: one is being started or due, perhaps by another executor. */
  get pending(): boolean {
    return this.#isStarting && !this.settled && !this.#stopped && !this.following?.held;
  }

  /** The last attempt that is known to have failed, if another one can follow. */
  get failedAttempt(): number | undefined {
    const isOver = this.settled || this.#stopped || this.#canceled !== undefined;
    return this.#options.retry === undefined || isOver ? undefined : this.#failedAttempts;
  }

  /** Resolves when a run of the child is stored here, or its outcome or the failure of an attempt is known. */
  get change(): Promise<void> {
    return (this.#change ??= new Deferred()).promise;
  }

  #changed(): void {
    this.#change?.resolve();
    this.#change = undefined;
  }

  override get wakesAt(): number {
    if (this.#retryTimer !== undefined) return this.#retryAt!;
    return this.#live !== undefined || this.following?.held && !this.performed ? Infinity : -Infinity;
  }

  override get outlivesRun(): boolean {
    return this.#options.parentClosePolicy === "abandon" && !this.settled;
  }

  override wait(): Wait | undefined {
    if (this.following?.held && this.#live === undefined) return undefined;
    return {
      type: "child",
      workflowId: this.childId,
      ...(this.#retryTimer !== undefined && { retryAt: this.#retryAt! }),
      ...(this.following !== undefined && { canceled: true }),
    };
  }

  /** Ends the child by its policy, if it has not ended: now, or as soon as it is stored. */
  close(): void {
    this.#closed = true;
    if (this.ready) this.#run!.environment.children.close(this.#run!, this.event as ChildStartedEvent);
  }

  /** The child was live here, and has ended or was suspended. */
  childEnded(): void {
    const live = this.#live;
    this.#live = undefined;
    if (live !== undefined) this.#recordEnd(live.child, live.attempt);
  }

  /** Its handle cancels it: no run of it begins from now on. */
  withdraw(reason: string | undefined): void {
    this.#withdrawn ??= new CanceledError(canceledText(`workflow ${show(this.childId)}`, reason), reason);
    if (this.#retryTimer !== undefined) this.#giveUp();
  }

  /** It is cancelled between two attempts. If the next one was due before that, another executor may have started it. */
  #giveUp(): void {
    this.#start(this.#retryAt! <= (this.following?.at ?? this.#now));
  }

  /** Why the child is not to be started any more. */
  get #canceled(): Error | undefined {
    const isOver = this.settled || this.#closed && this.#options.parentClosePolicy !== "abandon";
    return this.#withdrawn ?? this.following?.reason ?? (isOver ? closed : undefined);
  }

  async #start(again: boolean): Promise<void> {
    this.#clearTimer();
    const run = this.#run!;
    const { children } = run.environment;
    try {
      const unseen = run.unseenCancellation;
      if (unseen !== undefined) {
        await unseen; // it may be for the child
        if (this.#stopped) return;
      }
      const attempt = this.#failedAttempts + 1;
      if (attempt > 1) {
        await run.confirmed(); // another executor may have ended the command, or this attempt
        if (this.#stopped || this.#failedAttempts >= attempt) return;
      }
      const canceled = () => this.#canceled;
      if (!again && this.#canceled !== undefined) throw this.#canceled;
      const event = this.event as ChildStartedEvent;
      const child = await children.start(run, event, this.#workflow, { number: attempt, again, canceled });
      if (this.#failedAttempts >= attempt) return; // another executor has stored that it failed
      this.#noteRun();
      this.#isStarting = false;
      this.#changed();
      if (this.#closed || this.settled || this.following !== undefined) this.close();
      if (child.status !== "running" || !children.isLive(child.id)) return await this.#recordEnd(child, attempt);
      this.#live = { child, attempt };
      run.reportIdle();
    } catch (error) {
      this.#failOrSuspend(error, isUnavailable(error)); // then it can be started later
    }
  }

  /** A run of the child is stored, or was. */
  #noteRun(): void {
    this.#hasBegun = true;
    this.#recordBegun();
    this.#becomeReady();
  }

  #becomeReady(): void {
    this.ready = true;
    this.#run!.childReady();
  }

  /** Starts the next attempt when it is due. */
  #retry(): void {
    if (this.#stopped) return;
    this.#clearTimer();
    this.#live = undefined;
    this.#isStarting = true;
    this.#noteRun();
    this.#changed();
    if (this.#canceled !== undefined) return this.#giveUp();
    const run = this.#run!;
    this.#retryTimer = run.environment.timing.timers.set(this.#retryAt!, () => void this.#start(true));
    run.reportIdle();
  }

  /** Records how an attempt of the child ended, once it has. */
  async #recordEnd(child: Child, attempt: number): Promise<void> {
    const { seq, name } = this;
    try {
      const result = toStored(await child.result(), "result of child workflow", name);
      this.#end(() => ({ type: "child_completed", at: this.#now, seq, result }));
    } catch (error) {
      try {
        if (this.#options.retry !== undefined && await this.#failAttempt(child, attempt, error)) return;
        this.#failOrSuspend(error, child.status === "running");
      } catch (failure) {
        this.#failOrSuspend(failure, true); // the store failed
      }
    }
  }

  /** An attempt of the child may have failed. Returns whether another one follows. */
  async #failAttempt(child: Child, attempt: number, error: unknown): Promise<boolean> {
    const { seq } = this;
    const { status } = child;
    const run = this.#run!;
    if (status === "completed" || status === "canceled") return false;
    const ended = status === "running" ? undefined : attempt;
    const stored = await run.environment.children.look(run, this.event as ChildStartedEvent, ended);
    // Another executor has stored the failure, even if the parent does not know it yet.
    if (this.#stopped || this.#failedAttempts >= attempt || stored !== undefined && stored.attempt > attempt) {
      return true;
    }
    if (status === "running" || stored?.isCanceled || this.#canceled !== undefined) return false;
    const delayMs = nextDelayMs(this.#options.retry, attempt, error, run.environment.activities);
    if (delayMs === null) return false;
    const at = this.#now;
    const retryAt = at + Math.ceil(delayMs);
    this.#record({ type: "child_attempt_failed", at, seq, attempt, error: toErrorRecord(error), retryAt });
    return true;
  }

  /** @param stillRuns Whether the child is or may be running: then the parent is suspended as well. */
  #failOrSuspend(error: unknown, stillRuns: boolean): void {
    if (!stillRuns) this.#fail(error);
    else if (!this.#stopped) this.#run!.suspend(error); // recover() resumes both
  }

  #fail(error: unknown): void {
    this.#isStarting = false;
    const { retry } = this.#options;
    const parent = `workflow ${show(this.#run!.workflowId)}`;
    const which = retry === undefined ? "" : `, ${attemptText(this.#failedAttempts + 1, retry)}`;
    const where = `child workflow ${show(this.name)} of ${parent}, ID ${show(this.childId)}${which}`;
    const record = comesFrom(toErrorRecord(error), where);
    this.wasCanceled = record.name === "CanceledError";
    const notBegun = !this.#hasBegun && { notBegun: true as const };
    this.#end(() => ({ type: "child_failed", at: this.#now, seq: this.seq, error: record, ...notBegun }));
    this.#becomeReady();
    this.#changed();
  }

  /** Records the outcome, once: a cancellation can meet an attempt that is being started. */
  #end(event: () => WorkflowEvent): void {
    if (this.#ended) return;
    this.#ended = true;
    this.recordEnd(() => this.#record(event()));
  }

  get #now(): number {
    return this.#run!.environment.timing.clock.now();
  }

  #record(event: WorkflowEvent): void {
    if (!this.#stopped) this.#run!.record(Object.freeze(event));
  }
}
