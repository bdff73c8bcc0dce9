/**
 * The command of an activity: its attempts, the delays between them, its timeouts and its heartbeats.
 *
 * 1. One attempt runs at a time. An attempt that timed out or was stopped is forgotten: its late result or failure is
 *    dropped, in `#completed` and `#failed`.
 * 2. Every outcome is recorded first. The next attempt starts only after the failure of the last one is stored.
 * 3. Attempts are numbered from 1 through all processes. Numbers continue after the stored failures; an interrupted attempt
 *    runs again with its number.
 * 4. An attempt takes a slot while it runs, if the executor limits attempts.
 *
 * The module is a little longer than 500 lines: the timers, the attempt and its slot end together.
 *
 * @module
 */

import { TimeoutError, WorkflowError } from "../errors.ts";
import type { ReplaceActivity } from "../options.ts";
import { defaultRetryPolicy, type RetryPolicy } from "../retry.ts";
import type {
  ActivityAttemptFailedEvent,
  ActivityStartedEvent,
  CallHeaders,
  ErrorRecord,
  WorkflowEvent,
} from "../types.ts";
import { type ActivityContext, type ActivityOptions, isStoredFirst } from "../activity.ts";
import { cannot, invalid, noTexts } from "../util/check.ts";
import { isStrayPromise, isThenable } from "../util/deferred.ts";
import { LazyAbort } from "../util/lazy_abort.ts";
import { show } from "../util/show.ts";
import type { Slots, Ticket } from "../util/slots.ts";
import { comesFrom, fromErrorRecord, toErrorRecord } from "../history/error_record.ts";
import { handOut, toStored } from "../history/value.ts";
import { attemptCall, callThrough, messageCall, type MiddlewareHost } from "./calls.ts";
import { type Caller, Command, type Performer } from "./command.ts";
import { Heartbeat } from "./heartbeat.ts";
import { isUnavailable, nextDelayMs, type RetryHost } from "./retrying_store.ts";
import type { Lease } from "./live_run.ts";
import type { Timer } from "./timers.ts";
import type { Wait } from "../options.ts";

/** How an executor runs activities. */
export interface ActivitySettings extends MiddlewareHost, RetryHost {
  readonly replaceActivity: ReplaceActivity | undefined;
  /** Limits the attempts that run at a time; no limit if it is absent. */
  readonly slots: Slots | undefined;
}

/** The run that performs an activity. */
export interface ActivityRun extends Performer {
  readonly chain: { readonly lease?: Lease | undefined };
  readonly environment: Performer["environment"] & {
    readonly activities: ActivitySettings;
    readonly lifecycle: { leaseKnown(lease: Lease): Promise<void> | undefined };
  };
  /** Calls the body of an activity, which cannot call the context of the run. */
  callActivity<Input, Context>(
    name: string,
    body: (input: Input, context: Context) => unknown,
    input: Input,
    context: Context,
  ): unknown;
  /** The run cannot be resumed here. */
  suspend(error: unknown): void;
}

/** Names an attempt in an error: `attempt 2 of 3`. */
export function attemptText(attempt: number, retry: RetryPolicy | undefined): string {
  const max = retry && (retry.maxAttempts ?? defaultRetryPolicy.maxAttempts);
  return `attempt ${attempt}${max === undefined || max === Infinity ? "" : ` of ${max}`}`;
}

/** What this executor holds while it performs an activity. */
class Work {
  declare readonly run: ActivityRun;
  /** The attempt that runs. */
  attempt: Attempt | undefined;
  /** The number of the attempt that was started last; before the first one here, the number of stored failures. */
  declare attempts: number;
  /** The attempt whose failure is on its way into the store. */
  failing = 0;
  /** No further attempt starts here. */
  done = false;
  /** Nothing runs here any more. */
  ended = false;
  /** Whether an earlier process may have begun the attempt that starts here next. */
  interrupted = false;
  declare lastError: unknown;
  attemptTimer: Timer | undefined;
  totalTimer: Timer | undefined;
  retryTimer: Timer | undefined;
  heartbeat: Heartbeat | undefined;
  /** The place in the queue for a slot. */
  ticket: Ticket | undefined;
  onDrained: (() => void) | undefined = undefined;

  constructor(run: ActivityRun, attempts: number, lastFailure: ErrorRecord | undefined) {
    this.run = run;
    this.attempts = attempts;
    this.lastError = lastFailure === undefined ? undefined : fromErrorRecord(lastFailure);
  }
}

type TimeoutOption = NonNullable<TimeoutError["option"]>;

/** A function that runs as an activity. */
type Body = (input: never, context: ActivityContext) => unknown;

export class ActivityCommand extends Command {
  readonly type = "activity_started";
  declare readonly name: string;
  declare readonly input: unknown;
  readonly #body: Body;
  readonly #options: ActivityOptions;
  /**
   * Whether it delivers a message: it takes no slot and does not hold the clock, and `replaceActivity` is not called. If the
   * store fails, the run is suspended, because nobody knows whether the message is stored.
   */
  readonly #internal: boolean;
  /** Whether the run ends only after it, although no code waits for it. */
  readonly #lasts: boolean;
  /** How many attempts failed, as far as the history is known here. */
  #failedAttempts = 0;
  /** How the last of them failed. */
  #lastFailure: ErrorRecord | undefined;
  /** When the next attempt is due. */
  #retryAt: number | undefined;
  /** The details of the last heartbeat. */
  heartbeatDetails: unknown;
  /** `undefined` while this executor does not perform the activity. */
  #work: Work | undefined;

  constructor(
    caller: Caller,
    name: string,
    input: unknown,
    body: Body,
    options: ActivityOptions,
    internal = false,
    lasts = false,
  ) {
    super(caller, name);
    this.input = input;
    this.#body = body;
    this.#options = options;
    this.#internal = internal;
    this.#lasts = lasts;
  }

  toEvent(at: number): ActivityStartedEvent {
    return { type: "activity_started", at, seq: this.seq, name: this.name, input: this.input };
  }

  override stored(event: WorkflowEvent): void {
    if (event.type === "activity_attempt_failed") this.#noteFailure(event);
  }

  override progressed(event: WorkflowEvent, ours: boolean): void {
    if (event.type === "activity_heartbeat") return this.#work?.heartbeat?.stored();
    if (event.type !== "activity_attempt_failed") return;
    const work = this.#work;
    if (work === undefined || work.attempt !== undefined || work.done) return; // done: its outcome is on its way
    if (ours) this.#retry(event.retryAt);
    // Our own failure of this attempt is not stored: the executor that stored it starts the next attempt.
    else if (work.failing === event.attempt) this.#leave();
    // The failure of an attempt of a process that is gone arrived late: the next attempt comes after it.
    else if (work.failing === 0 && work.attempts < event.attempt) this.#goOn();
  }

  override takeOver(): void {
    // The failure of the attempt that runs here is stored, by an executor that starts no further attempt.
    const work = this.#work!;
    if (work.attempt !== undefined && work.attempts <= this.#failedAttempts) this.#goOn();
  }

  /** Drops the running attempt, and goes on after the last failure that is stored. */
  #goOn(): void {
    this.#work!.attempts = this.#failedAttempts;
    this.#endAttempt();
    if (this.following === undefined) this.#retry(this.#retryAt!);
    else this.#fail(fromErrorRecord(this.#lastFailure!));
  }

  override seen(event: WorkflowEvent): void {
    switch (event.type) {
      case "activity_attempt_failed":
        return this.#noteFailure(event);
      case "activity_heartbeat":
        if (!this.performed) this.heartbeatDetails = event.details; // newer details may be known here
        return;
      case "activity_completed":
        return this.resolve(handOut(event.result));
      case "activity_failed": {
        // One that rejects with the reason of its cancellation was cut off: a copy of it would be an error of its own.
        const reason = this.following?.reason;
        const { name, message } = event.error;
        return this.reject(reason?.name === name && reason.message === message ? reason : fromErrorRecord(event.error));
      }
    }
  }

  #noteFailure(event: ActivityAttemptFailedEvent): void {
    if (this.#failedAttempts >= event.attempt) return; // noted before its turn
    this.#failedAttempts = event.attempt;
    this.#lastFailure = event.error;
    this.#retryAt = event.retryAt;
    if ("heartbeatDetails" in event) this.heartbeatDetails = event.heartbeatDetails;
  }

  override get performed(): boolean {
    return this.#work !== undefined;
  }

  override get deferrable(): boolean {
    return !this.#options.atMostOnce && !this.#internal && !isStoredFirst(this.#body);
  }

  /** The number of the last attempt that was started, as far as this executor knows. */
  get #attempts(): number {
    return this.#work?.attempts ?? this.#failedAttempts;
  }

  override perform(run: ActivityRun, again: boolean): void {
    const work = this.#work = new Work(run, this.#failedAttempts, this.#lastFailure);
    const { totalTimeoutMs, atMostOnce } = this.#options;
    if (totalTimeoutMs !== undefined) {
      work.totalTimer = run.environment.timing.timers.set(this.event!.at + totalTimeoutMs, () => {
        const error = this.#timeout(totalTimeoutMs, "totalTimeoutMs", "in total");
        this.#endAttempt(error);
        this.#fail(error);
      });
    }
    const { following } = this;
    work.interrupted = again && (this.#retryAt ?? -Infinity) <= (following?.at ?? this.#now);
    if (following !== undefined && !work.interrupted) this.#fail(following.reason);
    else if (this.#retryAt !== undefined) this.#retry(this.#retryAt);
    else if (again && atMostOnce) this.#interrupt();
    else this.#start();
  }

  override get whenCanceled(): "followed" | "kept" {
    const { bodyEnded, failure } = this.scope;
    return this.#lasts && bodyEnded && failure === undefined ? "kept" : "followed"; // its scope has ended, and is not cut off
  }

  override get outlivesRun(): boolean {
    return this.#lasts && !this.settled && !this.following?.held;
  }

  override cancelWork(): void {
    const work = this.#work;
    if (work === undefined) return;
    const { reason } = this.following!;
    if (work.attempt !== undefined) return work.attempt.abort(reason);
    if (work.done) return; // its outcome is on its way
    if (work.interrupted) return; // it may have taken effect: it runs again, and its signal is aborted from the start
    this.#endAttempt();
    this.#fail(reason);
  }

  override stop(reason: unknown): void {
    if (this.#work === undefined || this.#work.ended) return;
    this.#endAttempt(reason);
    this.#finish();
  }

  /** Another executor performs the activity from now on. */
  #leave(): void {
    this.stop(undefined);
    this.#work = undefined;
  }

  override drain(): Promise<void> | undefined {
    const work = this.#work;
    if (work === undefined) return undefined;
    if (this.following?.held) this.release();
    work.done = true;
    work.run.environment.timing.timers.clear(work.retryTimer);
    work.ticket?.cancel();
    return work.attempt === undefined ? undefined : new Promise((resolve) => work.onDrained = resolve);
  }

  override get wakesAt(): number {
    return this.following?.held && !this.performed ? Infinity : -Infinity;
  }

  override wait(now: number): Wait | undefined {
    const { name, following } = this;
    if (following?.held && this.#work?.attempt === undefined) return undefined;
    const wait = {
      type: "activity",
      name,
      attempt: this.#failedAttempts + 1,
      ...(following !== undefined && { canceled: true as const }),
    } as const;
    if (this.#work?.attempt !== undefined) return { ...wait, status: "running" };
    const retryAt = this.#retryAt ?? now;
    return retryAt <= now ? { ...wait, status: "queued" } : { ...wait, status: "retrying", retryAt };
  }

  /** Starts the next attempt when it is due. */
  #retry(dueAt: number): void {
    const work = this.#work;
    if (work === undefined || work.done) return;
    work.failing = 0;
    const { timers } = work.run.environment.timing;
    timers.clear(work.retryTimer);
    work.retryTimer = timers.set(dueAt, () => this.#start());
  }

  /** The process of the only attempt died. */
  #interrupt(): void {
    const why = 'it had started when its executor stopped, and "atMostOnce" is set';
    this.#work!.attempts++;
    this.#fail(new WorkflowError("activity_interrupted", `${cannot("run activity", this.name)} again: ${why}`));
  }

  /** Starts an attempt as soon as there is a slot for it. */
  #start(): void {
    const work = this.#work!;
    const { environment: { activities: { slots } }, runId } = work.run;
    if (slots !== undefined && !this.#internal) {
      work.ticket = slots.take(runId, () => {
        work.ticket = undefined;
        this.#startLeased();
      });
      if (work.ticket !== undefined) return;
    }
    this.#startLeased();
  }

  /** Starts an attempt once it is known that the run belongs to this executor: a process may have stood still for long. */
  #startLeased(): void {
    const work = this.#work!;
    const { chain: { lease }, environment: { activities: { slots }, lifecycle } } = work.run;
    const known = lease && !this.#internal ? lifecycle.leaseKnown(lease) : undefined;
    if (known === undefined) return this.#startAttempt();
    let isCanceled = false;
    work.ticket = {
      cancel() {
        isCanceled = true;
        slots?.release();
      },
    };
    known.then(() => {
      if (isCanceled) return;
      work.ticket = undefined;
      this.#startAttempt();
    });
  }

  #startAttempt(): void {
    const work = this.#work!;
    const { run } = work;
    const attempt = work.attempt = new Attempt(++work.attempts, this, run);
    work.interrupted = false;
    if (!this.#internal) run.environment.timing.turns.beginActivity();
    this.#limit(work, attempt);
    if (this.following !== undefined) attempt.abort(this.following.reason);
    try {
      const answer = this.#call(run, attempt);
      if (!isThenable(answer)) return this.#completed(attempt, answer);
      Promise.resolve(answer).then(
        (result) => this.#completed(attempt, result),
        (error) => this.#failed(attempt, error),
      );
    } catch (error) {
      this.#failed(attempt, error);
    }
  }

  /** Sets the timers that end an attempt. */
  #limit(work: Work, { attempt }: Attempt): void {
    const { timeoutMs, heartbeatTimeoutMs } = this.#options;
    if (heartbeatTimeoutMs !== undefined) {
      this.#beats.watch(() =>
        this.#attemptTimedOut(heartbeatTimeoutMs, "heartbeatTimeoutMs", `without a heartbeat in attempt ${attempt}`)
      );
    }
    if (timeoutMs === undefined) return;
    const { clock, timers } = work.run.environment.timing;
    work.attemptTimer = timers.set(clock.now() + timeoutMs, () => {
      this.#attemptTimedOut(timeoutMs, "timeoutMs", `in attempt ${attempt}`);
    });
  }

  /** Calls the function, through the middleware if there is any. */
  #call(run: ActivityRun, attempt: Attempt): unknown {
    const { activities } = run.environment;
    const { name } = this;
    const event = this.event as ActivityStartedEvent;
    const body = (this.#internal ? undefined : activities.replaceActivity?.(this.#body, name)) ?? this.#body;
    if (typeof body !== "function") {
      isStrayPromise(body);
      throw invalid("replaceActivity()", body, "a function or undefined", "run activity", name);
    }
    if (activities.middleware.length === 0) return run.callActivity(name, body, handOut(event.input) as never, attempt);
    return this.#callWrapped(run, attempt, body);
  }

  #callWrapped(run: ActivityRun, attempt: Attempt, body: Body): unknown {
    const event = this.event as ActivityStartedEvent;
    const toCall = this.#internal ? messageCall : attemptCall;
    return callThrough(run.environment.activities, (changes) => toCall(run, event, attempt, changes), (call) => {
      if ("headers" in call) attempt.headers = call.headers;
      const input = call.kind === "activity" ? handOut(call.input) : call;
      return run.callActivity(this.name, body, input as never, attempt);
    });
  }

  get #beats(): Heartbeat {
    const work = this.#work!;
    return work.heartbeat ??= new Heartbeat(work.run.environment.timing, this.#options.heartbeatTimeoutMs, (at) => {
      const { seq, heartbeatDetails: details } = this;
      this.#record({ type: "activity_heartbeat", at, seq, attempt: work.attempts, details });
    });
  }

  /** A heartbeat of an attempt. */
  beat(attempt: Attempt, details: unknown): void {
    if (attempt !== this.#work?.attempt) return attempt.signal.throwIfAborted();
    const hasDetails = details !== undefined;
    if (hasDetails) this.heartbeatDetails = this.#toStored(details, "heartbeat of activity");
    this.#beats.beat(hasDetails);
  }

  #toStored(value: unknown, what: string): unknown {
    return toStored(value, what, this.name, this.#work!.run.started.maxPayloadBytes);
  }

  /** An attempt returned. A late result is dropped. */
  #completed(attempt: Attempt, value: unknown): void {
    if (attempt !== this.#work?.attempt) return;
    this.#endAttempt();
    let result: unknown;
    try {
      result = this.#toStored(value, "result of activity");
    } catch (error) {
      return this.#fail(error); // the next attempt would return the same
    }
    this.#finish();
    const { seq } = this;
    this.recordEnd(() => {
      this.#record({ type: "activity_completed", at: this.#now, seq, attempt: this.#attempts, result });
    });
  }

  /** An attempt threw. A late failure is dropped. */
  #failed(attempt: Attempt, error: unknown): void {
    if (attempt !== this.#work?.attempt) return;
    this.#endAttempt();
    if (this.#internal && isUnavailable(error)) return this.#work!.run.suspend(error);
    this.#failAttempt(error);
  }

  #attemptTimedOut(timeoutMs: number, option: TimeoutOption, where: string): void {
    const error = this.#timeout(timeoutMs, option, where);
    this.#endAttempt(error);
    this.#failAttempt(error);
  }

  /** An attempt failed and has ended: another one follows if the retry policy says so. */
  #failAttempt(error: unknown): void {
    this.#work!.lastError = error;
    const { retry } = this.#options;
    const delayMs = this.following === undefined
      ? nextDelayMs(retry, this.#attempts, error, this.#work!.run.environment.activities)
      : null;
    if (delayMs === null) return this.#fail(error);
    if (this.#failedAttempts >= this.#attempts) return this.#leave(); // another executor stored this failure
    const at = this.#now;
    const { seq, heartbeatDetails } = this;
    this.#work!.failing = this.#attempts;
    this.#record({
      type: "activity_attempt_failed",
      at,
      seq,
      attempt: this.#attempts,
      error: toErrorRecord(error),
      retryAt: at + Math.ceil(delayMs),
      ...(heartbeatDetails !== undefined && { heartbeatDetails }),
    });
  }

  /** Ends the activity as failed. */
  #fail(thrown: unknown): void {
    this.#finish();
    const attempt = this.#attempts;
    const { seq, name } = this;
    const { workflowId } = this.#work!.run;
    const which = attemptText(attempt, this.#options.retry);
    const where = `activity ${show(name)} of workflow ${show(workflowId)}, ${which}`;
    const error = comesFrom(toErrorRecord(thrown), where, { name, attempt, workflowId });
    this.recordEnd(() => this.#record({ type: "activity_failed", at: this.#now, seq, attempt, error }));
  }

  get #now(): number {
    return this.#work!.run.environment.timing.clock.now();
  }

  #record(event: WorkflowEvent): void {
    this.#work!.run.record(Object.freeze(event));
  }

  #timeout(timeoutMs: number, option: TimeoutOption, where: string): TimeoutError {
    const message = `Activity ${show(this.name)} timed out after ${timeoutMs} ms ${where}`;
    const { lastError } = this.#work!;
    const error = new TimeoutError(message, timeoutMs, lastError === undefined ? undefined : { cause: lastError });
    const { heartbeatDetails } = this;
    return Object.assign(error, { option, ...(heartbeatDetails !== undefined && { heartbeatDetails }) });
  }

  /** Ends the running attempt, if there is one, or its wait for a slot. */
  #endAttempt(abortReason?: unknown): void {
    const work = this.#work!;
    const { timing: { timers, turns }, activities: { slots } } = work.run.environment;
    timers.clear(work.attemptTimer);
    work.attemptTimer = undefined;
    work.heartbeat?.end();
    work.ticket?.cancel();
    work.ticket = undefined;
    const { attempt } = work;
    if (attempt === undefined) return;
    work.attempt = undefined;
    if (!this.#internal) {
      slots?.release();
      turns.endActivity();
    }
    work.onDrained?.();
    if (abortReason !== undefined) attempt.abort(abortReason);
  }

  /** No further attempt starts. */
  #finish(): void {
    const work = this.#work!;
    work.done = work.ended = true;
    const { timers } = work.run.environment.timing;
    timers.clear(work.totalTimer);
    timers.clear(work.retryTimer);
  }
}

/** The context of one attempt. */
class Attempt extends LazyAbort implements ActivityContext {
  declare readonly attempt: number;
  declare readonly heartbeatDetails: unknown;
  declare headers: CallHeaders;
  readonly #command: ActivityCommand;
  readonly #run: ActivityRun;

  constructor(attempt: number, command: ActivityCommand, run: ActivityRun) {
    super();
    this.attempt = attempt;
    this.heartbeatDetails = handOut(command.heartbeatDetails);
    this.headers = run.started.headers ?? noTexts;
    this.#command = command;
    this.#run = run;
  }

  get workflowId(): string {
    return this.#run.workflowId;
  }

  get runId(): string {
    return this.#run.runId;
  }

  get idempotencyKey(): string {
    return `${this.#run.runId}:${this.#command.seq}`;
  }

  get fence(): number {
    return this.#run.chain.lease?.fence ?? 0;
  }

  /** A function of its own, so that an activity may destructure its context. */
  get heartbeat(): (details?: unknown) => void {
    return (details) => this.#command.beat(this, details);
  }
}
