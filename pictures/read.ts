/**
 * Reads a history for a picture.
 *
 * 1. Time never runs backwards: a span that ends before it began, because clocks differ, ends when it began.
 * 2. A history that makes no sense is shown too: an outcome without its command, an event type of a later version.
 * 3. A signal ends the oldest wait for it. A wait that the executor reports goes on, whatever the history says.
 *
 * @module
 */

import type { CompensationStartedEvent, ErrorRecord, TimerStartedEvent, WorkflowEvent } from "../types.ts";
import { checkArray, checkNumber, checkOptions } from "../util/check.ts";
import {
  type Attempt,
  type Instant,
  type InstantKind,
  isSpan,
  isWait,
  type PicturedRun,
  type Point,
  type ReadOptions,
  type ReadRun,
  type Span,
  type SpanKind,
} from "./model.ts";
import { nameOf } from "./text.ts";
import { takeFirst, waitsOf } from "./waits.ts";

/** The options that all pictures have. */
export const READ_OPTIONS = { now: true, waitsFor: true } as const;

/** @throws {TypeError | RangeError} If an option of {@linkcode ReadOptions} is invalid. */
export function checkReadOptions({ now, waitsFor }: ReadOptions, action: string, subject: unknown): void {
  if (now !== undefined) checkNumber("now", now, -Infinity, action, subject);
  if (waitsFor !== undefined) checkArray("waitsFor", waitsFor, action, subject);
}

/**
 * Reads what a picture shows of a run: what took time, what happened at one moment, and what the run waits for. The time is linear in
 * the length of the history.
 *
 * @param run The stored state of the run, or the parts of it that a picture needs.
 * @param options What a picture of a run that goes on needs beyond its history.
 * @throws {TypeError} If an option is unknown, or `waitsFor` is not an array.
 * @throws {RangeError} If `now` is not a finite number.
 *
 * @example
 * ```ts
 * import { describeStatus, describeWaits, isSpan, labelOf, readRun } from "@rockpool/workflow/pictures";
 * import { assertEquals } from "@std/assert";
 *
 * const history = [
 *   { type: "workflow_started", at: 0, workflowName: "order" },
 *   { type: "activity_started", at: 0, seq: 0, name: "charge" },
 *   { type: "activity_completed", at: 900, seq: 0, attempt: 1 },
 *   { type: "timer_started", at: 900, seq: 1, dueAt: 3_600_900, waitsFor: { signal: "approval" } },
 * ] as const;
 * const run = readRun({ workflowId: "a", workflowName: "order", status: "running", history }, { now: 600_900 });
 * assertEquals(describeStatus(run), "running for 10 min 1 s");
 * assertEquals(describeWaits(run.waits, run.to), "waits for signal approval, deadline in 50 min");
 * assertEquals(run.things.map((thing) => [labelOf(thing), isSpan(thing) && thing.outcome]), [
 *   ["charge", "done"],
 *   ["signal approval", "open"],
 * ]);
 * ```
 *
 * @category Pictures
 */
export function readRun(run: PicturedRun, options: ReadOptions = {}): ReadRun {
  const { workflowId, workflowName, status, history } = run;
  checkOptions(options, READ_OPTIONS, "read workflow", workflowId);
  checkReadOptions(options, "read workflow", workflowId);
  const reader = new Reader(history);
  for (let index = 0; index < history.length; index++) reader.next(history[index], index);
  const { things, owners, from, to: lastEventAt, error, startedAt } = reader;
  const isRunning = status === "running";
  const now = isRunning ? options.now : undefined;
  const to = Math.max(lastEventAt, now ?? lastEventAt);
  const waitsFor = isRunning ? options.waitsFor : undefined;
  if (waitsFor !== undefined) reader.compare(waitsFor);
  reader.close(status, to);
  const open = isRunning ? things.filter((thing): thing is OpenSpan => isSpan(thing) && thing.outcome === "open") : [];
  const waits = waitsOf(waitsFor ?? [], open, to);
  reader.dropFuture();
  const [name, id] = [nameOf(workflowName), nameOf(workflowId)];
  return { name, id, status, history, things, owners, waits, startedAt, from, to, lastEventAt, now, error };
}

type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };
type OpenAttempt = Mutable<Attempt>;
/** A span whose end may come. */
type OpenSpan = Omit<Mutable<Span>, "attempts"> & { readonly attempts: OpenAttempt[] };

/** Reads the events one by one. */
class Reader {
  readonly things: (OpenSpan | Instant)[] = [];
  readonly owners: (OpenSpan | Instant | undefined)[] = [];
  startedAt = 0;
  from = 0;
  to = 0;
  error: ErrorRecord | undefined;
  readonly #commands = new Map<number | string, OpenSpan>();
  /** The open waits for each signal, by its name. */
  readonly #signals = new Map<string, OpenSpan[]>();
  /** The spans that the executor reports as waits. */
  readonly #known = new Set<OpenSpan>();
  readonly #history: readonly WorkflowEvent[];
  #undoing: OpenSpan | undefined;
  #compensations = 0;
  #canceled: Point | undefined;
  #last = -1;

  constructor(history: readonly WorkflowEvent[]) {
    this.#history = history;
  }

  next(event: WorkflowEvent, index: number): void {
    const isTimed = Number.isFinite(event.at);
    if (index === 0) this.startedAt = this.from = this.to = isTimed ? event.at : 0;
    const point = { at: isTimed ? event.at : this.to, index };
    this.#last = index;
    this.from = Math.min(this.from, point.at);
    this.to = Math.max(this.to, point.at);
    const delay = this.#commands.get("delay");
    if (delay?.outcome === "open" && "seq" in event) {
      this.#end(delay, { at: Math.min(delay.dueAt!, point.at), index }); // the code is running
    }
    this.owners.push(this.#read(event, point));
  }

  #read(event: WorkflowEvent, point: Point): OpenSpan | Instant | undefined {
    switch (event.type) {
      case "workflow_started":
        if (event.startAt !== undefined) this.#begin("delay", "", point, "delay", { dueAt: event.startAt });
        return undefined;
      case "activity_started":
        return this.#begin("activity", nameOf(event.name), point, event.seq);
      case "timer_started":
        return this.#timer(event, point);
      case "child_started":
        return this.#begin("child", nameOf(event.name), point, event.seq, { childId: event.workflowId });
      case "update_requested":
      case "update_accepted": {
        const key = `update ${event.updateId}`;
        return this.#commands.get(key) ?? this.#begin("update", nameOf(event.name), point, key);
      }
      case "compensation_started":
        this.#end(this.#undoing, point);
        return this.#undoing = this.#begin("compensation", this.#compensationName(event, point), point, event.seq);
      case "activity_attempt_failed":
      case "child_attempt_failed": {
        const span = this.#commands.get(event.seq);
        const attempt = span?.attempts[span.attempts.length - 1];
        if (span && attempt) {
          closeAttempt(attempt, point, event.error);
          const due = { at: Math.max(event.retryAt, point.at), index: point.index };
          span.attempts.push({ number: event.attempt + 1, from: due, to: undefined, error: undefined });
        }
        return span;
      }
      case "activity_heartbeat":
      case "child_begun":
        return this.#commands.get(event.seq);
      case "activity_failed": {
        const span = this.#commands.get(event.seq);
        const attempt = span?.attempts[span.attempts.length - 1];
        // The total timeout passed before the next attempt began.
        if (attempt && attempt.number > event.attempt) span!.attempts.pop();
        return this.#end(span, point, event.error);
      }
      case "child_failed": {
        const span = this.#commands.get(event.seq);
        const attempt = span?.attempts[span.attempts.length - 1];
        if (attempt && attempt.number > 1 && attempt.from.at > point.at) span!.attempts.pop(); // cancelled before it began
        return this.#end(span, point, event.error);
      }
      case "activity_completed":
      case "child_completed":
        return this.#end(this.#commands.get(event.seq), point);
      case "timer_fired": {
        const span = this.#end(this.#commands.get(event.seq), point);
        if (span !== undefined && span.kind !== "timer") span.outcome = "expired";
        if (span?.kind === "signal") takeFirst(this.#signals.get(span.name)!, (wait) => wait === span);
        return span;
      }
      case "update_rejected":
      case "update_completed":
        return this.#end(this.#commands.get(`update ${event.updateId}`), point, event.error);
      case "signal_received": {
        const name = nameOf(event.name);
        this.#end(this.#signals.get(name)?.shift(), point);
        return this.#instant("signal", name, point);
      }
      case "side_effect":
        return this.#instant("effect", "", point);
      case "labels_changed":
        return this.#instant("labels", "", point);
      case "patched":
        return this.#instant("patch", nameOf(event.changeId), point);
      case "cancel_requested":
        this.#canceled ??= point;
        return this.#instant("cancel", "", point);
      case "workflow_failed":
      case "workflow_canceled":
        this.error = event.error;
    }
    return undefined;
  }

  /** The name of a compensation. An arrow function has none: then that of the activity or child with which it begins, or its number. */
  #compensationName({ name, seq }: CompensationStartedEvent, { index }: Point): string {
    this.#compensations++;
    if (name !== "anonymous") return nameOf(name);
    for (let i = index + 1; i < this.#history.length; i++) {
      const event = this.#history[i];
      if (event.type === "compensation_started") break;
      if (!("seq" in event) || event.seq !== seq + 1) continue;
      if (event.type === "activity_started" || event.type === "child_started") return nameOf(event.name);
      break;
    }
    return `${this.#compensations}`;
  }

  #timer({ seq, dueAt, waitsFor }: TimerStartedEvent, point: Point): OpenSpan {
    if (typeof waitsFor !== "object") return this.#begin(waitsFor ?? "timer", "", point, seq, { dueAt });
    const name = nameOf(waitsFor.signal);
    const span = this.#begin("signal", name, point, seq, { dueAt });
    const open = this.#signals.get(name);
    if (open === undefined) this.#signals.set(name, [span]);
    else open.push(span);
    return span;
  }

  #begin(
    kind: SpanKind,
    name: string,
    from: Point,
    key: number | string | undefined,
    { dueAt, childId }: { readonly dueAt?: number; readonly childId?: string } = {},
  ): OpenSpan {
    const inferred = key === undefined;
    const outcome = "open";
    const span: OpenSpan = {
      kind,
      name,
      from,
      to: from,
      outcome,
      attempts: [],
      error: undefined,
      dueAt,
      childId,
      inferred,
    };
    if (kind === "activity" || kind === "child") {
      span.attempts.push({ number: 1, from, to: undefined, error: undefined });
    }
    if (key !== undefined) this.#commands.set(key, span);
    this.things.push(span);
    return span;
  }

  #end(span: OpenSpan | undefined, at: Point, error?: ErrorRecord): OpenSpan | undefined {
    if (span === undefined) return undefined;
    span.to = { at: Math.max(at.at, span.from.at), index: at.index };
    span.outcome = error === undefined ? "done" : error.name === "CanceledError" ? "canceled" : "failed";
    span.error = error;
    const attempt = span.attempts[span.attempts.length - 1];
    if (attempt !== undefined && attempt.to === undefined) {
      if (attempt.from.at > span.to.at) attempt.from = span.to;
      closeAttempt(attempt, span.to, span.outcome === "failed" ? error : undefined);
    }
    return span;
  }

  #instant(kind: InstantKind, name: string, from: Point): Instant {
    const instant = { kind, name, from };
    this.things.push(instant);
    return instant;
  }

  /** Compares the history with what the executor says: waits that are over end, those that the history lacks are added. */
  compare(waitsFor: NonNullable<ReadOptions["waitsFor"]>): void {
    // Empty while the code of the run works; a dormant run has no other waits.
    if (!waitsFor.some(({ type }) => type !== "dormant")) return;
    const timers = waitsFor.flatMap((wait) => wait.type === "timer" ? [wait.dueAt] : []);
    const rest = waitsFor.filter(({ type }) => type === "signal" || type === "condition" || type === "slot");
    const spans = this.things.filter((thing): thing is OpenSpan => isSpan(thing) && thing.dueAt !== undefined);
    const open = spans.filter(({ outcome }) => outcome === "open");
    const answered = spans.filter(({ kind, outcome }) => kind === "signal" && outcome === "done");
    for (const span of [...open, ...answered]) {
      if (span.kind === "delay") continue;
      if (takeFirst(timers, (dueAt) => dueAt === span.dueAt) !== undefined) {
        [span.outcome, span.to] = ["open", span.from]; // if a signal came, it was for another wait
        this.#known.add(span);
        takeFirst(
          rest,
          (wait) => wait.type === span.kind && (wait.type !== "signal" || nameOf(wait.name) === span.name),
        );
      } else if (span.outcome === "open") this.#leave(span, this.to);
    }
    const from = { at: this.to, index: this.#last };
    for (const wait of rest) {
      this.#begin(wait.type as SpanKind, wait.type === "signal" ? nameOf(wait.name) : "", from, undefined);
    }
  }

  /** Ends what has no end. */
  close(status: ReadRun["status"], to: number): void {
    const final = { at: to, index: this.#last };
    for (const span of this.things) {
      if (!isSpan(span) || span.outcome !== "open") continue;
      if (status === "running" && !this.#isWithdrawn(span)) span.to = final;
      else if (span.kind === "compensation") this.#end(span, final);
      else if (span.kind === "delay" && status === "completed") {
        this.#end(span, { at: Math.min(span.dueAt!, to), index: this.#last });
      } else this.#leave(span, to);
    }
  }

  /** Removes the attempts that are not due yet. */
  dropFuture(): void {
    for (const thing of this.things) {
      if (!isSpan(thing)) continue;
      const attempt = thing.attempts[thing.attempts.length - 1];
      if (attempt && attempt.from.at > thing.to.at) thing.attempts.pop();
    }
  }

  /** Whether a cancellation ended a wait of a running run. Work may go on: a shield, or a scope that waits for its end. */
  #isWithdrawn(span: OpenSpan): boolean {
    return this.#canceled !== undefined && span.from.index < this.#canceled.index && !this.#known.has(span) &&
      !span.inferred && (isWait(span) || span.kind === "scope");
  }

  /** Ends a span whose end is not recorded. */
  #leave(span: OpenSpan, to: number): void {
    const canceled = this.#canceled;
    if (canceled !== undefined && span.from.index < canceled.index && span.kind !== "update") {
      span.outcome = "canceled";
      span.to = { at: Math.max(canceled.at, span.from.at), index: canceled.index };
    } else {
      span.outcome = "left";
      span.to = { at: Math.max(span.from.at, Math.min(span.dueAt ?? to, to)), index: this.#last };
    }
  }
}

function closeAttempt(attempt: OpenAttempt, to: Point, error: ErrorRecord | undefined): void {
  attempt.to = { at: Math.max(to.at, attempt.from.at), index: to.index };
  attempt.error = error;
}
