/**
 * What pictures show of a run: spans, which took time, and instants.
 *
 * 1. A point is a time and the position of an event. Only the position gives the order of events of the same millisecond,
 *    which are nearly all events on a virtual clock.
 * 2. A span without an end is `open` while the run is running. After the run has ended it is `canceled` if a cancellation was
 *    requested after it began, else `left`.
 *
 * `readRun` makes the model of a history. All pictures, the inspector and the command line read it, and no history.
 *
 * @module
 */

import type { ErrorRecord, WorkflowEvent, WorkflowState } from "../types.ts";
import type { Wait } from "../options.ts";
import { formatDuration } from "./text.ts";

/**
 * What a picture shows: a {@linkcode WorkflowState}, or these parts of one.
 *
 * @category Pictures
 */
export type PicturedRun = Pick<WorkflowState, "workflowId" | "workflowName" | "status" | "history">;

/**
 * What a picture of a run that goes on needs beyond its history.
 *
 * @category Pictures
 */
export interface ReadOptions {
  /**
   * The present, in milliseconds since the epoch: a running run is shown up to it. A run that has ended ignores it.
   *
   * @default {the time of the last event}
   */
  readonly now?: number | undefined;
  /**
   * What the run waits for now: {@linkcode OpenRun.waitsFor} of `executor.openRuns()`. A wait for a signal without a deadline is
   * in no history, so only the executor knows it. A run that has ended ignores it.
   *
   * @default {what follows from the history}
   */
  readonly waitsFor?: readonly Wait[] | undefined;
}

/**
 * A line between two events, such as `the process dies`.
 *
 * @category Pictures
 */
export interface TimelineMark {
  /** The number of events before the mark. */
  readonly after: number;
  /** The text. */
  readonly text: string;
  /**
   * The time, in milliseconds since the epoch.
   *
   * @default {no time is shown}
   */
  readonly at?: number | undefined;
}

/**
 * A moment, and the position of the event that records it.
 *
 * @category Pictures
 */
export interface Point {
  /** In milliseconds since the epoch. */
  readonly at: number;
  /** The index of the event in the history. */
  readonly index: number;
}

/**
 * One attempt of an activity or a child. The history shows only the failed ones and the last one.
 *
 * @category Pictures
 */
export interface Attempt {
  /** Counted from 1. */
  readonly number: number;
  /** Its begin: of a later attempt, when it was due. */
  readonly from: Point;
  /** Its end; `undefined` if it has none. */
  readonly to: Point | undefined;
  /** Why it failed; `undefined` if it did not. */
  readonly error: ErrorRecord | undefined;
}

/**
 * What took time. `delay` is the delay of the start; `timer` a sleep; `signal` and `condition` waits, and `scope` a scope, with a
 * deadline; `slot` the wait for a slot of `maxConcurrentWorkflows`.
 *
 * @category Pictures
 */
export type SpanKind =
  | "delay"
  | "slot"
  | "activity"
  | "timer"
  | "signal"
  | "condition"
  | "scope"
  | "child"
  | "update"
  | "compensation";

/**
 * What happened at one moment: a signal arrived, a side effect, `ctx.patched`, or the request of a cancellation.
 *
 * @category Pictures
 */
export type InstantKind = "signal" | "effect" | "labels" | "patch" | "cancel";

/**
 * How a span ended. `expired`: its deadline passed. `open`: it goes on. `left`: it has no end in the history, although it does not go
 * on: its code no longer waited for it. For a scope or a condition this is the usual end: only an expired deadline is recorded.
 *
 * @category Pictures
 */
export type SpanOutcome = "done" | "failed" | "canceled" | "expired" | "open" | "left";

/**
 * Something that took time.
 *
 * @category Pictures
 */
export interface Span {
  /** What it is. */
  readonly kind: SpanKind;
  /** The name on one line, of a signal too; empty if there is none. */
  readonly name: string;
  /** The begin. */
  readonly from: Point;
  /** The end; without an end of its own, the end of the run, or the present. */
  readonly to: Point;
  /** How it ended. */
  readonly outcome: SpanOutcome;
  /** The attempts of an activity or a child; empty for all other kinds. */
  readonly attempts: readonly Attempt[];
  /** Why it failed or was canceled, if that is recorded. */
  readonly error: ErrorRecord | undefined;
  /** When a timer, a deadline or a start delay is due, in milliseconds since the epoch. */
  readonly dueAt: number | undefined;
  /** The workflow ID of a child, as it is stored. */
  readonly childId: string | undefined;
  /** Whether the begin is not recorded: it is that of the last event, and the wait began then or earlier. */
  readonly inferred: boolean;
}

/**
 * Something that happened at one moment.
 *
 * @category Pictures
 */
export interface Instant {
  /** What it is. */
  readonly kind: InstantKind;
  /** The name on one line; empty if there is none. */
  readonly name: string;
  /** When. */
  readonly from: Point;
}

/**
 * A part of a span: an attempt, or the delay before the next one. A span without attempts is one part.
 *
 * @category Pictures
 */
export interface Phase {
  /** The begin. */
  readonly from: Point;
  /** The end. */
  readonly to: Point;
  /** How it ended, or `retry` for the delay before the next attempt. */
  readonly outcome: SpanOutcome | "retry";
}

/**
 * A wait, and when it ends at the latest, in milliseconds since the epoch, if it has a deadline.
 *
 * @category Pictures
 */
export type OpenWait = Wait & { readonly until?: number | undefined };

/**
 * What `readRun` reads of a history.
 *
 * @category Pictures
 */
export interface ReadRun {
  /** The name of the workflow, on one line. */
  readonly name: string;
  /** The workflow ID, on one line. */
  readonly id: string;
  /** The status. */
  readonly status: WorkflowState["status"];
  /** The events. */
  readonly history: readonly WorkflowEvent[];
  /** All spans and instants in the order in which they began. */
  readonly things: readonly (Span | Instant)[];
  /** The span or instant of the event at each position. */
  readonly owners: readonly (Span | Instant | undefined)[];
  /** What a running run waits for; empty for one that has ended. The timer of a deadline is no wait of its own. */
  readonly waits: readonly OpenWait[];
  /** The time of the first event, in milliseconds since the epoch. */
  readonly startedAt: number;
  /** The earliest time of an event. A run that continues another one can have earlier signals. */
  readonly from: number;
  /** The latest time of an event, or the present of a running run. */
  readonly to: number;
  /** The latest time of an event. */
  readonly lastEventAt: number;
  /** The present, if it was given and the run is running. */
  readonly now: number | undefined;
  /** The error of a failed or canceled run. */
  readonly error: ErrorRecord | undefined;
}

/** The time of a mark; that of the event before it if it has none. */
export function timeOf(
  { at = NaN, after }: TimelineMark,
  { history, startedAt }: Pick<ReadRun, "history" | "startedAt">,
): number {
  const before = history[Math.min(after, history.length) - 1]?.at ?? startedAt;
  return Number.isFinite(at) ? at : Number.isFinite(before) ? before : startedAt;
}

/**
 * Whether something took time.
 *
 * @param thing What happened.
 *
 * @category Pictures
 */
export function isSpan(thing: Span | Instant): thing is Span {
  return "to" in thing;
}

/**
 * Whether a span is a wait of the code, and not work. A scope is neither, because what happens in it has spans of its own.
 *
 * @param span The span.
 *
 * @category Pictures
 */
export function isWait({ kind }: Span): boolean {
  return waits.includes(kind);
}

const waits: readonly SpanKind[] = ["delay", "slot", "timer", "signal", "condition"];

const LABELS: Record<SpanKind | InstantKind, string> = {
  activity: "",
  child: "child ",
  update: "update ",
  compensation: "undo ",
  signal: "signal ",
  patch: "patched ",
  delay: "start delay",
  slot: "slot",
  timer: "timer",
  condition: "condition",
  scope: "scope with deadline",
  effect: "side effect",
  labels: "labels changed",
  cancel: "cancel requested",
};

/**
 * The label of a span or an instant: `signal approval`. A wait for a signal has that of the signals that it waits for.
 *
 * @param thing What happened.
 *
 * @category Pictures
 */
export function labelOf({ kind, name }: Span | Instant): string {
  return LABELS[kind] + name;
}

/**
 * The phases of a span, in order. They join without a gap.
 *
 * @param span The span.
 *
 * @category Pictures
 */
export function phasesOf({ from, to, outcome, attempts }: Span): Phase[] {
  const phases: Phase[] = [];
  let end = from;
  const add = (until: Point, outcome: Phase["outcome"]) => {
    phases.push({ from: end, to: until, outcome });
    end = until;
  };
  for (const attempt of attempts) {
    if (attempt.from.at > end.at) add(attempt.from, "retry");
    add(attempt.to ?? to, attempt.error ? "failed" : outcome);
  }
  if (attempts.length === 0) add(to, outcome);
  else if (end.at < to.at) add(to, "retry"); // the next attempt is not due yet
  return phases;
}

/**
 * Describes the status of a run: `completed in 30 d 20 min`, `running for 3 d`.
 *
 * @param run What was read of it.
 *
 * @category Pictures
 */
export function describeStatus({ status, from, to, now, history }: ReadRun): string {
  if (history.length === 0) return status;
  const took = formatDuration(to - from);
  if (status === "running") return `running for ${took}${now === undefined ? " at the last event" : ""}`;
  return `${status} ${status === "completed" ? "in" : "after"} ${took}`;
}
