/**
 * Reads a history for a picture: what took time, what happened at one moment, and where the time went.
 *
 * 1. Time never runs backwards: a span that ends before it began, because clocks differ, ends when it began.
 * 2. A point is a time and the position of an event. Only the position gives the order of events of the same millisecond,
 *    which are nearly all events on a virtual clock.
 * 3. A span without an end is `open` while the run is running, and `left` after the run has ended.
 * 4. A history that makes no sense is shown too: an outcome without its command, an event type of a later version.
 *
 * @module
 */

import type { ErrorRecord, WorkflowEvent, WorkflowState } from "../types.ts";
import { formatDuration, nameOf } from "./text.ts";

/**
 * What a picture shows: a {@linkcode WorkflowState}, or these parts of one.
 *
 * @category Pictures
 */
export type PicturedRun = Pick<WorkflowState, "workflowId" | "workflowName" | "status" | "history">;

/** A moment, and the position of the event that records it. */
export interface Point {
  readonly at: number;
  readonly index: number;
}

/** One attempt of an activity or a child. The history shows only the failed ones and the last one. */
export interface Attempt {
  readonly number: number;
  from: Point;
  to: Point | undefined;
  error: ErrorRecord | undefined;
}

export type SpanKind = "delay" | "activity" | "timer" | "child" | "update" | "compensation";
export type MarkKind = "signal" | "effect" | "patch" | "cancel";
export type SpanOutcome = "done" | "failed" | "open" | "left";

/** Something that took time. */
export interface Span {
  readonly kind: SpanKind;
  /** The name on one line; empty if there is none. */
  readonly name: string;
  readonly from: Point;
  /** The end; without an end of its own, the end of the run. */
  to: Point;
  outcome: SpanOutcome;
  /** The attempts of an activity or a child; empty for all other kinds. */
  readonly attempts: Attempt[];
  error: ErrorRecord | undefined;
  /** When a timer or a start delay is due. */
  readonly dueAt: number | undefined;
}

/** Something that happened at one moment. */
export interface Mark {
  readonly kind: MarkKind;
  readonly name: string;
  readonly from: Point;
}

/** What was read from a history. */
export interface ReadRun {
  readonly name: string;
  readonly id: string;
  readonly status: WorkflowState["status"];
  readonly history: readonly WorkflowEvent[];
  /** All spans and marks in the order in which they began. */
  readonly things: readonly (Span | Mark)[];
  /** The span or mark of the event at each position. */
  readonly owners: readonly (Span | Mark | undefined)[];
  /** The time of the first event. */
  readonly startedAt: number;
  /** The earliest and the latest time of an event. A run that continues another one can have earlier signals. */
  readonly from: number;
  readonly to: number;
  /** The error of a failed or canceled run. */
  readonly error: ErrorRecord | undefined;
}

export function isSpan(thing: Span | Mark): thing is Span {
  return "to" in thing;
}

const LABELS: Record<(Span | Mark)["kind"], string> = {
  activity: "",
  child: "child ",
  update: "update ",
  compensation: "undo ",
  signal: "signal ",
  patch: "patched ",
  delay: "start delay",
  timer: "timer",
  effect: "side effect",
  cancel: "cancel requested",
};

/** The label of a span or a mark in a picture. */
export function labelOf({ kind, name }: Span | Mark): string {
  return LABELS[kind] + name;
}

/** Reads a history, in time that is linear in its length. */
export function readRun({ workflowId, workflowName, status, history }: PicturedRun): ReadRun {
  const things: (Span | Mark)[] = [];
  const owners: (Span | Mark | undefined)[] = [];
  const commands = new Map<number | string, Span>();
  const [first] = history;
  const startedAt = Number.isFinite(first?.at) ? first.at : 0;
  let from = startedAt;
  let to = startedAt;
  let error: ErrorRecord | undefined;
  let undoing: Span | undefined;
  const last = history.length - 1;

  const begin = (kind: SpanKind, name: string, from: Point, key: number | string, dueAt?: number): Span => {
    const span: Span = { kind, name, from, to: from, outcome: "open", attempts: [], error: undefined, dueAt };
    if (kind === "activity" || kind === "child") {
      span.attempts.push({ number: 1, from, to: undefined, error: undefined });
    }
    commands.set(key, span);
    things.push(span);
    return span;
  };
  const end = (span: Span | undefined, at: Point, error?: ErrorRecord): Span | undefined => {
    if (span === undefined) return undefined;
    span.to = { at: Math.max(at.at, span.from.at), index: at.index };
    span.outcome = error ? "failed" : "done";
    span.error = error;
    const attempt = span.attempts.at(-1);
    if (attempt !== undefined && attempt.to === undefined) {
      if (attempt.from.at > span.to.at) attempt.from = span.to;
      close(attempt, span.to, error);
    }
    return span;
  };
  const mark = (kind: MarkKind, name: string, from: Point): Mark => {
    const mark = { kind, name, from };
    things.push(mark);
    return mark;
  };
  const read = (event: WorkflowEvent, point: Point): Span | Mark | undefined => {
    switch (event.type) {
      case "workflow_started":
        if (event.startAt === undefined) return undefined;
        begin("delay", "", point, "delay", event.startAt);
        return undefined;
      case "activity_started":
        return begin("activity", nameOf(event.name), point, event.seq);
      case "timer_started":
        return begin("timer", "", point, event.seq, event.dueAt);
      case "child_started":
        return begin("child", nameOf(event.name), point, event.seq);
      case "update_requested":
      case "update_accepted": {
        const key = `update ${event.updateId}`;
        return commands.get(key) ?? begin("update", nameOf(event.name), point, key);
      }
      case "compensation_started":
        end(undoing, point);
        return undoing = begin("compensation", nameOf(event.name), point, event.seq);
      case "activity_attempt_failed":
      case "child_attempt_failed": {
        const span = commands.get(event.seq);
        const attempt = span?.attempts.at(-1);
        if (span && attempt) {
          close(attempt, point, event.error);
          const due = { at: Math.max(event.retryAt, point.at), index: point.index };
          span.attempts.push({ number: event.attempt + 1, from: due, to: undefined, error: undefined });
        }
        return span;
      }
      case "activity_heartbeat":
      case "child_begun":
        return commands.get(event.seq);
      case "activity_failed": {
        const span = commands.get(event.seq);
        const attempt = span?.attempts.at(-1);
        // The total timeout passed before the next attempt began.
        if (attempt && attempt.number > event.attempt) span!.attempts.pop();
        return end(span, point, event.error);
      }
      case "child_failed": {
        const span = commands.get(event.seq);
        const attempt = span?.attempts.at(-1);
        if (attempt && attempt.number > 1 && attempt.from.at > point.at) span!.attempts.pop(); // cancelled before it began
        return end(span, point, event.error);
      }
      case "activity_completed":
      case "child_completed":
      case "timer_fired":
        return end(commands.get(event.seq), point);
      case "update_rejected":
      case "update_completed":
        return end(commands.get(`update ${event.updateId}`), point, event.error);
      case "signal_received":
        return mark("signal", nameOf(event.name), point);
      case "side_effect":
        return mark("effect", "", point);
      case "patched":
        return mark("patch", nameOf(event.changeId), point);
      case "cancel_requested":
        return mark("cancel", "", point);
      case "workflow_failed":
      case "workflow_canceled":
        error = event.error;
    }
    return undefined;
  };

  history.forEach((event, index) => {
    const point = { at: Number.isFinite(event.at) ? event.at : to, index };
    from = Math.min(from, point.at);
    to = Math.max(to, point.at);
    const delay = commands.get("delay");
    if (delay?.outcome === "open" && "seq" in event) {
      end(delay, { at: Math.min(delay.dueAt!, point.at), index }); // the code is running
    }
    owners.push(read(event, point));
  });

  const final = { at: to, index: last };
  for (const span of things) {
    if (!isSpan(span) || span.outcome !== "open") continue;
    if (span.kind === "compensation" && status !== "running") end(span, final);
    else if (span.kind === "delay" && status === "completed") end(span, { at: Math.min(span.dueAt!, to), index: last });
    else {
      span.to = final;
      if (status !== "running") span.outcome = "left";
      if (span.outcome === "left" && span.dueAt !== undefined) {
        span.to = { at: Math.max(span.from.at, Math.min(span.dueAt, to)), index: last };
      }
      const attempt = span.attempts.at(-1);
      if (attempt && attempt.from.at > to) span.attempts.pop(); // the attempt is not due yet
    }
  }
  const [name, id] = [nameOf(workflowName), nameOf(workflowId)];
  return { name, id, status, history, things, owners, startedAt, from, to, error };
}

function close(attempt: Attempt, to: Point, error: ErrorRecord | undefined): void {
  attempt.to = { at: Math.max(to.at, attempt.from.at), index: to.index };
  attempt.error = error;
}

/** A part of the time of a run. */
export interface Share {
  readonly what: "activities" | "children" | "retry delays" | "start delay" | "timers" | "other waits";
  readonly ms: number;
  /** The percentage of the run's time as a text; empty below 1 %. */
  readonly percent: string;
}

const SHARES = ["activities", "children", "retry delays", "start delay", "timers", "other waits"] as const;

/**
 * Divides the time of a run into shares. Each moment counts once: if several things happen at the same time, the first one in
 * the order of {@linkcode SHARES} counts, so that work comes before waits. Waits that are not recorded, such as waits for a
 * signal, are "other waits". So are timers that never fired, because nothing shows how long the code waited for them.
 *
 * @returns The shares above 0, the longest first.
 */
export function sharesOf({ things, from, to }: ReadRun): Share[] {
  const steps: [at: number, share: number, by: 1 | -1][] = [];
  const add = (share: number, from: number, to: number) => {
    if (to > from) steps.push([from, share, 1], [to, share, -1]);
  };
  for (const span of things) {
    if (!isSpan(span)) continue;
    if (span.kind === "activity" || span.kind === "child") {
      const share = span.kind === "activity" ? 0 : 1;
      for (const attempt of span.attempts) add(share, attempt.from.at, (attempt.to ?? span.to).at);
      add(2, span.from.at, span.to.at); // a retry delay where no attempt runs
    } else if (span.kind === "delay") add(3, span.from.at, span.to.at);
    else if (span.kind === "timer" && span.outcome !== "left") add(4, span.from.at, span.to.at);
  }
  steps.sort(([a], [b]) => a - b);
  const sums = SHARES.map(() => 0);
  const counts = SHARES.map(() => 0);
  let before = from;
  for (const [at, share, by] of [...steps, [to, 0, 1] as const]) {
    const busy = counts.findIndex((count) => count > 0);
    sums[busy < 0 ? SHARES.length - 1 : busy] += at - before;
    before = at;
    counts[share] += by;
  }
  const percentOf = (ms: number) => {
    const percent = Math.floor(ms / (to - from) * 100);
    return percent < 1 ? "" : `${percent} %`;
  };
  return SHARES.map((what, i) => ({ what, ms: sums[i], percent: percentOf(sums[i]) }))
    .filter(({ ms }) => ms > 0).sort((a, b) => b.ms - a.ms);
}

/** Describes the status of a run: `completed in 30 d 20 min`. */
export function describeStatus({ status, from, to, history }: ReadRun): string {
  if (history.length === 0) return status;
  return `${status} ${status === "running" ? "for" : status === "completed" ? "in" : "after"} ${
    formatDuration(to - from)
  }`;
}
