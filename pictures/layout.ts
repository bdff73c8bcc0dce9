/**
 * The layout of a picture of a run, in pixels: rows, lanes, bars, marks and the axis.
 *
 * 1. Everything of one kind and name is one row. Spans that overlap are in different lanes of the row; spans that do not
 *    overlap share a lane. The order of the events decides what overlaps, not the clock.
 * 2. Everything is visible: a bar has a minimum width. Bars of a lane that would overlap because of it become one bar.
 * 3. There are at most {@linkcode MAX_ROWS} rows and about {@linkcode MAX_LANES} lanes. A lane has only as many bars as fit.
 *
 * @module
 */

import { grouped, showError } from "../util/show_value.ts";
import { type Instant, isSpan, labelOf, type Phase, type Point, type ReadRun, type Span } from "./model.ts";
import { formatDuration, formatSince, plural } from "./text.ts";

/** The last row is for everything that has no row of its own. */
const MAX_ROWS = 60;
const MAX_LANES = 160;
const MAX_TICKS = 6;
/** The width for open spans after the last event. */
const OPEN_WIDTH = 28;
const MIN_BAR = 3;
/** A difference in pixels that is too small to see. */
const TOLERANCE = 0.01;
/** The minimum width of a bar with failed attempts. */
const MIN_DIVIDED_BAR = 8;
const MARK_WIDTH = 10;
const PADDING = 4;
const MIN_HEIGHT = 22;

/** How a part of a bar looks. */
export type Look = Phase["outcome"];

/** A part of a bar. */
export interface Part {
  readonly from: number;
  readonly to: number;
  readonly look: Look;
}

/** One span, or several that are too close to each other. */
export interface Bar {
  readonly lane: number;
  readonly from: number;
  readonly to: number;
  readonly parts: readonly Part[];
  readonly title: string;
}

/** One mark, or several that are too close to each other. */
export interface Spot {
  readonly x: number;
  readonly title: string;
}

export interface Row {
  readonly kind: (Span | Instant)["kind"] | "other";
  readonly label: string;
  /** The summary: how many, how long, how many failed. */
  readonly sum: string;
  readonly y: number;
  readonly height: number;
  /** The top of the first lane. */
  readonly top: number;
  readonly laneHeight: number;
  readonly bars: readonly Bar[];
  readonly spots: readonly Spot[];
}

export interface Layout {
  readonly rows: readonly Row[];
  readonly height: number;
  readonly ticks: readonly { readonly x: number; readonly label: string }[];
  /** The positions of cancellations. */
  readonly cancels: readonly number[];
}

interface Group {
  readonly kind: Row["kind"];
  readonly label: string;
  readonly things: (Span | Instant)[];
}

/** Lays out a run between two positions of the horizontal axis. */
export function layOut(run: ReadRun, axis: "time" | "events" | undefined, left: number, right: number): Layout {
  const byTime = axis === undefined ? run.to > run.from : axis === "time";
  const end = run.status === "running" ? right - OPEN_WIDTH : right;
  const x = ({ at, index }: Point): number => {
    const share = byTime
      ? (Math.min(at, run.to) - run.from) / (run.to - run.from || 1)
      : (index + 0.5) / Math.max(1, run.history.length);
    return left + share * (end - left);
  };
  const groups = groupsOf(run);
  const maxLanes = Math.max(1, Math.floor(MAX_LANES / Math.max(1, groups.length)));
  let y = 0;
  const rows = groups.map(({ kind, label, things }): Row => {
    const spans = things.filter(isSpan);
    const lanes = lanesOf(spans, maxLanes, byTime);
    const laneHeight = lanes.length <= 2 ? 14 : lanes.length <= 6 ? 10 : 6;
    const height = Math.max(MIN_HEIGHT, lanes.length * laneHeight + 2 * PADDING);
    const bars = lanes.flatMap((lane, i) => barsOf(lane, i, run, x, right));
    const spots = spotsOf(things.filter((thing): thing is Instant => !isSpan(thing)), run, x);
    const top = y + (height - lanes.length * laneHeight) / 2;
    const row = { kind, label, sum: sumOf(spans, things), y, height, top, laneHeight, bars, spots };
    y += height;
    return row;
  });
  const cancels = run.things.filter(({ kind }) => kind === "cancel").map(({ from }) => x(from));
  return { rows, height: y, ticks: byTime ? timeTicks(run, x) : eventTicks(run, x), cancels };
}

/** The content of each row, in the order in which the rows begin. */
function groupsOf({ things }: ReadRun): Group[] {
  const groups = new Map<string, Group>();
  for (const thing of things) {
    const label = labelOf(thing);
    const key = `${thing.kind} ${label}`;
    let group = groups.get(key);
    if (!group) groups.set(key, group = { kind: thing.kind, label, things: [] });
    group.things.push(thing);
  }
  const all = [...groups.values()];
  if (all.length <= MAX_ROWS) return all;
  const rest = all.splice(MAX_ROWS - 1);
  const others = rest.flatMap(({ things }) => things).sort((a, b) => a.from.index - b.from.index);
  return [...all, { kind: "other", label: `… ${grouped(rest.length)} more`, things: others }];
}

/** Puts spans that do not overlap into the same lane. If there is no room for more lanes, the last one takes the rest. */
function lanesOf(spans: readonly Span[], most: number, byTime: boolean): Span[][] {
  const lanes: Span[][] = [];
  for (const span of spans) {
    const isFree = (lane: Span[]) => {
      const before = lane.at(-1)!;
      return byTime && before.outcome === "left" ? before.to.at <= span.from.at : before.to.index <= span.from.index;
    };
    const lane = lanes.find(isFree) ?? (lanes.length < most ? undefined : lanes.at(-1));
    if (lane) lane.push(span);
    else lanes.push([span]);
  }
  return lanes;
}

/** The bars of a lane from left to right. */
function barsOf(spans: readonly Span[], lane: number, run: ReadRun, x: (point: Point) => number, right: number): Bar[] {
  const clusters: { from: number; to: number; spans: Span[] }[] = [];
  for (const span of spans) {
    const from = Math.min(x(span.from), right - MIN_BAR);
    const to = span.outcome === "open" ? right : x(span.to);
    const before = clusters.at(-1);
    if (before && from < before.to - TOLERANCE) {
      before.to = Math.max(before.to, to);
      before.spans.push(span);
    } else clusters.push({ from, to: Math.max(to, from + MIN_BAR), spans: [span] });
  }
  return clusters.map(({ from, to, spans }, i) => {
    if (spans.some(hasFailed)) { // the bar needs room to show it
      const next = clusters[i + 1]?.from ?? right;
      to = Math.max(to, Math.min(from + MIN_DIVIDED_BAR, next));
    }
    const parts = spans.length === 1 ? partsOf(spans[0], from, to, x) : mergedParts(spans, from, to);
    return { lane, from, to, parts, title: titleOf(spans, run) };
  });
}

function hasFailed({ outcome, attempts }: Span): boolean {
  return outcome === "failed" || attempts.some(({ error }) => error);
}

function partsOf(span: Span, from: number, to: number, x: (point: Point) => number): Part[] {
  const { attempts, outcome } = span;
  if (attempts.length === 0 || !attempts[0].error) return [{ from, to, look: outcome }];
  if (to - from < 2 * MIN_BAR * attempts.length) return mergedParts([span], from, to);
  const parts: Part[] = [];
  let at = from;
  attempts.forEach((attempt, i) => {
    const isLast = i === attempts.length - 1;
    const latest = to - MIN_BAR * (attempts.length - i);
    const start = Math.min(Math.max(x(attempt.from), at), latest);
    if (start > at) parts.push({ from: at, to: start, look: "retry" });
    const end = Math.min(Math.max(x(attempt.to ?? span.to), start + MIN_BAR), latest + MIN_BAR);
    at = isLast && !attempt.error ? to : end;
    parts.push({ from: start, to: at, look: attempt.error ? "failed" : outcome });
  });
  if (at < to - TOLERANCE) parts.push({ from: at, to, look: "retry" }); // the next attempt is not due yet
  return parts;
}

/** The parts of a bar without room for every attempt: the failed part, then the rest. */
function mergedParts(spans: readonly Span[], from: number, to: number): Part[] {
  const look = spans.at(-1)!.outcome;
  if (!spans.some(hasFailed)) return [{ from, to, look }];
  if (spans.every(({ outcome }) => outcome === "failed") || to - from < 2 * MIN_BAR) {
    return [{ from, to, look: "failed" }];
  }
  const middle = (from + to) / 2;
  return [{ from, to: middle, look: "failed" }, { from: middle, to, look: look === "failed" ? "done" : look }];
}

function spotsOf(marks: readonly Instant[], run: ReadRun, x: (point: Point) => number): Spot[] {
  const clusters: { x: number; marks: Instant[] }[] = [];
  for (const mark of marks) {
    const at = x(mark.from);
    const before = clusters.at(-1);
    if (before && at < before.x + MARK_WIDTH) before.marks.push(mark);
    else clusters.push({ x: at, marks: [mark] });
  }
  return clusters.map(({ x, marks }) => ({ x, title: titleOf(marks, run) }));
}

/** The text of the tooltip. */
function titleOf(things: readonly (Span | Instant)[], run: ReadRun): string {
  const [first] = things;
  const label = labelOf(first);
  const since = formatSince(first.from.at - run.startedAt);
  if (things.length > 1) {
    const what = things.every((thing) => labelOf(thing) === label) ? label : `${label} and others`;
    return `${grouped(things.length)} × ${what} from ${since}`;
  }
  if (!isSpan(first)) return `${label} at ${since}`;
  const error = first.error ?? first.attempts.findLast(({ error }) => error)?.error;
  return [
    `${label} at ${since}: ${formatDuration(first.to.at - first.from.at)}`,
    first.attempts.length > 1 ? plural(first.attempts.length, "attempt") : "",
    endOf(first),
    first.outcome === "open" && first.dueAt !== undefined ? `due at ${formatSince(first.dueAt - run.startedAt)}` : "",
    error ? showError(error) : "",
  ].filter((part) => part !== "").join(", ");
}

const ENDS: Record<Span["outcome"], string> = {
  done: "",
  failed: "failed",
  canceled: "canceled",
  expired: "expired",
  open: "not over yet",
  left: "never ended",
};

/** How a span ended, in words. A scope or a condition without an end is the usual case: its deadline has not passed. */
function endOf({ kind, outcome }: Span): string {
  return outcome === "left" && (kind === "scope" || kind === "condition") ? "not expired" : ENDS[outcome];
}

function sumOf(spans: readonly Span[], things: readonly (Span | Instant)[]): string {
  const count = (outcome: Span["outcome"]) => spans.filter((span) => span.outcome === outcome).length;
  const ms = spans.reduce((sum, { from, to }) => sum + (to.at - from.at), 0);
  const retries = spans.reduce((sum, { attempts }) => sum + Math.max(0, attempts.length - 1), 0);
  return [
    // A wait and the signal that it was for are one thing.
    spans.length > 1 || spans.length === 0 && things.length > 1 ? `${grouped(spans.length || things.length)} ×` : "",
    spans.length === 0 ? "" : formatDuration(ms),
    retries === 0 ? "" : retries === 1 ? "1 retry" : `${grouped(retries)} retries`,
    ...(["failed", "canceled", "expired", "open", "left"] as const).map((outcome) => {
      const times = count(outcome);
      const text = times === 0 ? "" : endOf(spans.find((span) => span.outcome === outcome)!);
      return text === "" || spans.length === 1 ? text : `${grouped(times)} ${text}`;
    }),
  ].filter((part) => part !== "").join(" · ");
}

const DAY = 86_400_000;

/** Round durations, up to 180 days. */
function steps(): number[] {
  return [
    ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
    ...[1, 2, 5, 10, 15, 30].map((count) => count * 1000),
    ...[1, 2, 5, 10, 15, 30].map((count) => count * 60_000),
    ...[1, 2, 3, 6, 12].map((count) => count * 3_600_000),
    ...[1, 2, 5, 10, 20, 30, 60, 90, 180].map((count) => count * DAY),
  ];
}

/** The smallest step with at most {@linkcode MAX_TICKS} ticks; outside the range of the steps, a round number of units. */
function stepOf(range: number, steps: readonly number[], unit: number): number {
  const wanted = range / MAX_TICKS;
  const isBelow = wanted < steps[0];
  const step = isBelow ? undefined : steps.find((step) => step >= wanted);
  if (step !== undefined) return step;
  const base = isBelow ? 1 : unit;
  const power = base * 10 ** Math.floor(Math.log10(wanted / base));
  return power * ([1, 2, 5].find((factor) => power * factor >= wanted) ?? 10);
}

function timeTicks({ from, to, startedAt }: ReadRun, x: (point: Point) => number): { x: number; label: string }[] {
  if (!(to > from)) return [];
  const step = stepOf(to - from, steps(), DAY);
  const first = Math.ceil((from - startedAt) / step);
  const count = Math.floor((to - startedAt) / step) - first + 1;
  return Array.from({ length: Math.min(count, MAX_TICKS + 1) }, (_, i) => {
    const ms = (first + i) * step;
    const label = ms === 0 ? "0" : `${ms < 0 ? "-" : ""}${formatDuration(Math.abs(ms))}`;
    return { x: x({ at: startedAt + ms, index: 0 }), label };
  });
}

function eventTicks({ history }: ReadRun, x: (point: Point) => number): { x: number; label: string }[] {
  if (history.length === 0) return [];
  const step = Math.ceil(stepOf(history.length, [], 1));
  return Array.from({ length: Math.floor((history.length - 1) / step) + 1 }, (_, i) => {
    return { x: x({ at: 0, index: i * step }), label: `event ${grouped(i * step + 1)}` };
  });
}
