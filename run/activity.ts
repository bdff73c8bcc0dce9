/**
 * Performs one activity: its attempts, the delays between them, its timeouts.
 *
 * 1. One attempt at a time. An attempt that was given up is forgotten: its late outcome is dropped.
 * 2. Every outcome goes to the history first; the next attempt begins when the failure of the last one is stored.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { TimeoutError, WorkflowError } from "../errors.ts";
import { applyMiddleware, type ErrorReporter, type Middleware, type MiddlewareCall } from "../hooks.ts";
import { retryDelayMs } from "../retry.ts";
import type { ActivityContext } from "../activity.ts";
import type { ActivityStartedEvent, WorkflowEvent } from "../types.ts";
import { fromErrorRecord, toErrorRecord } from "../history/error_record.ts";
import { cannot } from "../util/check.ts";
import { isThenable } from "../util/deferred.ts";
import { Heartbeat } from "./heartbeat.ts";
import { LazyAbort } from "../util/lazy_abort.ts";
import type { ReplaceActivity } from "../options.ts";
import type { Command, Effect, Pending } from "./replay.ts";
import type { Slots, Ticket } from "../util/slots.ts";
import type { Timer, Timers } from "./timers.ts";
import type { Turns } from "./turns.ts";
import { handOut, toStored } from "../history/value.ts";
import { show } from "../util/show.ts";

/** What an activity uses of the executor. */
export interface ActivityHost {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly turns: Turns;
  readonly middleware: readonly Middleware[];
  readonly random: () => number;
  readonly replaceActivity: ReplaceActivity | undefined;
  readonly report: ErrorReporter;
  /** How many attempts may run at a time; no limit if there is none. */
  readonly slots: Slots | undefined;
}

/** The run that an activity belongs to. */
export interface ActivityRun {
  readonly workflowId: string;
  readonly runId: string;
  /** How large a result may be; no limit if there is none. */
  readonly maxPayloadBytes: number | undefined;
  record(event: WorkflowEvent): void;
}

export class ActivityTask implements Effect {
  readonly #host: ActivityHost;
  readonly #run: ActivityRun;
  readonly #pending: Pending;
  readonly #command: Command & { type: "activity_started" };
  /** The attempt that is running. */
  #attempt: Attempt | undefined;
  #attempts: number;
  #done = false;
  #onIdle: (() => void) | undefined;
  #lastError: unknown;
  #attemptTimer: Timer | undefined;
  #totalTimer: Timer | undefined;
  #retryTimer: Timer | undefined;
  /** None while nobody needs one. */
  #heartbeat: Heartbeat | undefined;
  #ticket: Ticket | undefined;

  constructor(host: ActivityHost, run: ActivityRun, pending: Pending) {
    this.#host = host;
    this.#run = run;
    this.#pending = pending;
    this.#command = pending.command as Command & { type: "activity_started" };
    this.#attempts = pending.failedAttempts;
    if (pending.lastFailure !== undefined) this.#lastError = fromErrorRecord(pending.lastFailure);
    pending.effect = this;
    const { totalTimeoutMs } = this.#command.options;
    if (totalTimeoutMs === undefined) return;
    this.#totalTimer = host.timers.set(pending.event!.at + totalTimeoutMs, () => {
      const error = this.#timeout(totalTimeoutMs, "in all");
      this.#giveUp(error);
      this.#fail(error);
    });
  }

  get atMostOnce(): boolean {
    return this.#command.options.atMostOnce === true;
  }

  get running(): boolean {
    return this.#attempt !== undefined;
  }

  /** Begins the next attempt when it is due. */
  retry(dueAt: number): void {
    if (!this.#done) this.#retryTimer = this.#host.timers.set(dueAt, () => this.begin());
  }

  /** Begins no other attempt. Resolves when the one that runs has ended. */
  drain(): Promise<void> {
    this.#done = true;
    this.#host.timers.clear(this.#retryTimer);
    this.#ticket?.cancel();
    return this.#attempt === undefined ? Promise.resolve() : new Promise((resolve) => this.#onIdle = resolve);
  }

  /** Nobody waits for the outcome any more. */
  stop(reason: unknown): void {
    this.#giveUp(reason);
    this.#finish();
  }

  /** The process of the only attempt died. */
  interrupt(): void {
    const why = "it had started when its executor stopped, and it was asked to run at most once";
    const error = new WorkflowError(
      "activity_interrupted",
      `${cannot("run activity", this.#command.name)} again: ${why}`,
    );
    this.#attempts++;
    this.#fail(error);
  }

  /** Begins an attempt, when there is room for it. */
  begin(): void {
    const { slots } = this.#host;
    if (slots === undefined) return this.#begin();
    this.#ticket = slots.take(this.#run.runId, () => {
      this.#ticket = undefined;
      this.#begin();
    });
    if (this.#ticket === undefined) this.#begin();
  }

  #begin(): void {
    const { name, options } = this.#command;
    const attempt = this.#attempt = new Attempt(++this.#attempts, this, this.#run, this.#pending);
    if (!this.#command.own) this.#host.turns.beginActivity();
    const { timeoutMs, heartbeatTimeoutMs } = options;
    if (heartbeatTimeoutMs !== undefined) {
      this.#beats.watch(() => {
        const error = this.#timeout(heartbeatTimeoutMs, `without a heartbeat in attempt ${attempt.attempt}`);
        this.#giveUp(error);
        this.#failAttempt(error);
      });
    }
    if (timeoutMs !== undefined) {
      this.#attemptTimer = this.#host.timers.set(this.#host.clock.now() + timeoutMs, () => {
        const error = this.#timeout(timeoutMs, `in attempt ${attempt.attempt}`);
        this.#giveUp(error);
        this.#failAttempt(error);
      });
    }
    const input = handOut((this.#pending.event as ActivityStartedEvent).input);
    const { middleware, replaceActivity, report } = this.#host;
    try {
      const { own, activity: asked } = this.#command;
      const activity = (own ? undefined : replaceActivity?.(asked as never, name)) ?? asked;
      let answer: unknown;
      if (middleware.length === 0) answer = activity(input as never, attempt as never);
      else {
        const call: MiddlewareCall = {
          kind: "activity",
          workflowId: this.#run.workflowId,
          name,
          input,
          attempt: attempt.attempt,
        };
        const body = async () => await activity(input as never, attempt as never);
        answer = applyMiddleware(middleware, call, body, report);
      }
      if (isThenable(answer)) {
        answer.then((result) => this.#ok(attempt, result), (error) => this.#ko(attempt, error));
      } else this.#ok(attempt, answer);
    } catch (error) {
      this.#ko(attempt, error);
    }
  }

  get #beats(): Heartbeat {
    const { heartbeatTimeoutMs } = this.#command.options;
    return this.#heartbeat ??= new Heartbeat(this.#host, heartbeatTimeoutMs, (at) => {
      const { seq, heartbeatDetails: details } = this.#pending;
      this.#run.record(Object.freeze({ type: "activity_heartbeat", at, seq, attempt: this.#attempts, details }));
    });
  }

  /** An attempt tells of itself. */
  beat(attempt: Attempt, details: unknown): void {
    if (attempt !== this.#attempt) return attempt.signal.throwIfAborted();
    const told = details !== undefined;
    if (told) this.#pending.heartbeatDetails = this.#toStored(details, "heartbeat of activity");
    this.#beats.beat(told);
  }

  beatStored(): void {
    this.#heartbeat?.stored();
  }

  #toStored(value: unknown, what: string): unknown {
    return toStored(value, what, this.#command.name, this.#run.maxPayloadBytes);
  }

  #ok(attempt: Attempt, result: unknown): void {
    if (attempt !== this.#attempt) return;
    this.#giveUp();
    let stored: unknown;
    try {
      stored = this.#toStored(result, "result of activity");
    } catch (refusal) {
      return this.#fail(refusal); // the next attempt would answer the same
    }
    this.#finish();
    const at = this.#host.clock.now();
    const { seq } = this.#pending;
    this.#run.record(
      Object.freeze({
        type: "activity_completed",
        at,
        seq,
        attempt: this.#attempts,
        result: stored,
      }),
    );
  }

  #ko(attempt: Attempt, error: unknown): void {
    if (attempt !== this.#attempt) return;
    this.#giveUp();
    this.#failAttempt(error);
  }

  #failAttempt(error: unknown): void {
    this.#lastError = error;
    const delayMs = this.#delayMs(error);
    if (delayMs === null) return this.#fail(error);
    const at = this.#host.clock.now();
    const { seq } = this.#pending;
    const event = {
      seq,
      attempt: this.#attempts,
      error: toErrorRecord(error),
      retryAt: at + Math.ceil(delayMs),
      ...(this.#pending.heartbeatDetails === undefined ? {} : { heartbeatDetails: this.#pending.heartbeatDetails }),
    };
    this.#run.record(Object.freeze({ type: "activity_attempt_failed", at, ...event }));
  }

  #fail(error: unknown): void {
    this.#finish();
    const event = { seq: this.#pending.seq, attempt: this.#attempts, error: toErrorRecord(error) };
    this.#run.record(
      Object.freeze({ type: "activity_failed", at: this.#host.clock.now(), ...event }),
    );
  }

  #delayMs(error: unknown): number | null {
    const { retry } = this.#command.options;
    if (retry === undefined) return null;
    try {
      return retryDelayMs(retry, { attempt: this.#attempts, error, random: this.#host.random() });
    } catch (thrown) {
      this.#host.report(thrown); // by `isRetryable`
      return null;
    }
  }

  #timeout(timeoutMs: number, where: string): TimeoutError {
    const message = `Activity ${show(this.#command.name)} timed out after ${timeoutMs} ms ${where}`;
    return new TimeoutError(
      message,
      timeoutMs,
      this.#lastError === undefined ? undefined : { cause: this.#lastError },
    );
  }

  /** The running attempt, if there is one, counts no more. */
  #giveUp(reason?: unknown): void {
    this.#host.timers.clear(this.#attemptTimer);
    this.#attemptTimer = undefined;
    this.#heartbeat?.end();
    this.#ticket?.cancel();
    this.#ticket = undefined;
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    this.#attempt = undefined;
    this.#host.slots?.release();
    if (!this.#command.own) this.#host.turns.endActivity();
    this.#onIdle?.();
    if (reason !== undefined) attempt.abort(reason);
  }

  /** There will be no other attempt. */
  #finish(): void {
    this.#done = true;
    this.#host.timers.clear(this.#totalTimer);
    this.#host.timers.clear(this.#retryTimer);
  }
}

class Attempt extends LazyAbort implements ActivityContext {
  readonly attempt: number;
  readonly #run: ActivityRun;
  readonly #pending: Pending;
  readonly heartbeatDetails: unknown;
  readonly #task: ActivityTask;

  constructor(attempt: number, task: ActivityTask, run: ActivityRun, pending: Pending) {
    super();
    this.attempt = attempt;
    this.heartbeatDetails = handOut(pending.heartbeatDetails);
    this.#task = task;
    this.#run = run;
    this.#pending = pending;
  }

  get workflowId(): string {
    return this.#run.workflowId;
  }

  get runId(): string {
    return this.#run.runId;
  }

  get idempotencyKey(): string {
    return `${this.#run.runId}:${this.#pending.seq}`;
  }

  /** A function of its own, so that an activity may take its context apart. */
  get heartbeat(): (details?: unknown) => void {
    return (details) => this.#task.beat(this, details);
  }
}
