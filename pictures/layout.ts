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
import { type Axis, type AxisKind, layAxis } from "./axis.ts";
import {
  type Instant,
  isSpan,
  labelOf,
  type Phase,
  phasesOf,
  type Point,
  type ReadRun,
  type Span,
  type TimelineMark,
  timeOf,
} from "./model.ts";
import { formatDuration, formatSince, nameOf, plural } from "./text.ts";

/** The last row is for everything that has no row of its own. */
const MAX_ROWS = 60;
const MAX_LANES = 160;
const MIN_BAR = 3;
/** A difference in pixels that is too small to see. */
const TOLERANCE = 0.01;
/** The minimum width of a bar with failed attempts. */
const MIN_DIVIDED_BAR = 8;
const MARK_WIDTH = 10;
/** How many children of a name have rows of their own. */
const MAX_CHILDREN = 10;
/** The length of an ID in the label of a row. */
const MAX_ID = 12;
const PADDING = 4;
const MIN_HEIGHT = 26;

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
  /** The summary: how many, how long, how many failed. The longest first, then shorter ones for less room. */
  readonly sums: readonly string[];
  readonly y: number;
  readonly height: number;
  /** The top of the first lane. */
  readonly top: number;
  readonly laneHeight: number;
  readonly bars: readonly Bar[];
  readonly spots: readonly Spot[];
}

/** A mark. */
export interface Flag {
  readonly x: number;
  readonly text: string;
}

export interface Layout {
  readonly axis: Axis;
  readonly rows: readonly Row[];
  readonly height: number;
  readonly flags: readonly Flag[];
  /** The positions of cancellations. */
  readonly cancels: readonly number[];
}

interface Group {
  readonly kind: Row["kind"];
  readonly label: string;
  readonly things: (Span | Instant)[];
}

/** Lays out a run between two positions of the horizontal axis. */
export function layOut(
  run: ReadRun,
  kind: AxisKind | undefined,
  marks: readonly TimelineMark[],
  left: number,
  right: number,
): Layout {
  const axis = layAxis(run, kind, marks, left, right);
  const { x } = axis;
  const groups = groupsOf(run);
  const maxLanes = Math.max(1, Math.floor(MAX_LANES / Math.max(1, groups.length)));
  let y = 0;
  const rows = groups.map(({ kind, label, things }): Row => {
    const spans = things.filter(isSpan);
    const lanes = lanesOf(spans, maxLanes, axis.kind !== "events");
    const laneHeight = lanes.length <= 2 ? 17 : lanes.length <= 6 ? 10 : 6;
    const height = Math.max(MIN_HEIGHT, lanes.length * laneHeight + 2 * PADDING);
    const bars = lanes.flatMap((lane, i) => barsOf(lane, i, run, x, right));
    const spots = spotsOf(things.filter((thing): thing is Instant => !isSpan(thing)), run, x);
    const top = y + (height - lanes.length * laneHeight) / 2;
    const row = { kind, label, sums: sumsOf(spans, things), y, height, top, laneHeight, bars, spots };
    y += height;
    return row;
  });
  const cancels = run.things.filter(({ kind }) => kind === "cancel").map(({ from }) => x(from));
  return { axis, rows, height: y, cancels, flags: flagsOf(run, marks, x, left, right) };
}

/** The marks, each where it belongs on the axis. */
function flagsOf(
  run: ReadRun,
  marks: readonly TimelineMark[],
  x: (point: Point) => number,
  left: number,
  right: number,
): Flag[] {
  return marks.map((mark) => {
    const point = { at: timeOf(mark, run), index: Math.min(mark.after, run.history.length) - 0.5 };
    return { x: Math.min(right, Math.max(left, x(point))), text: nameOf(mark.text) };
  });
}

/** The content of each row, in the order in which the rows begin. Of a few children of a name, each has a row with its ID. */
function groupsOf(run: ReadRun): Group[] {
  const { things } = run;
  const groups = new Map<string, Group>();
  const children = new Map<string, number>();
  for (const { kind, name } of things) if (kind === "child") children.set(name, (children.get(name) ?? 0) + 1);
  for (const thing of things) {
    const id = isSpan(thing) && children.get(thing.name)! <= MAX_CHILDREN ? thing.childId : undefined;
    const label = id === undefined ? labelOf(thing) : `${labelOf(thing)} ${shortId(id, run.id)}`;
    const key = `${thing.kind} ${labelOf(thing)} ${id ?? ""}`;
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

/** What tells an ID from those of others: that of a child often begins with that of its parent. */
function shortId(id: string, parent: string): string {
  const name = nameOf(id);
  const rest = name.startsWith(parent) && name !== parent ? [..."…", ...name.slice(parent.length)] : [...name];
  return rest.length <= MAX_ID ? rest.join("") : `…${rest.slice(1 - MAX_ID).join("").trimStart()}`;
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

/** The phases of a span, each as wide as it can be seen. */
function partsOf(span: Span, from: number, to: number, x: (point: Point) => number): Part[] {
  const phases = phasesOf(span);
  if (phases.length === 1 && phases[0].outcome !== "failed") return [{ from, to, look: span.outcome }];
  const attempts = phases.filter(({ outcome }) => outcome !== "retry");
  if (to - from < 2 * MIN_BAR * attempts.length) return mergedParts([span], from, to);
  let at = from;
  let left = attempts.length;
  return phases.flatMap((phase, i): Part[] => {
    const isAttempt = phase.outcome !== "retry";
    const isLast = i === phases.length - 1;
    if (isAttempt) left--;
    const least = at + (isAttempt ? MIN_BAR : 0);
    const end = isLast ? to : Math.min(Math.max(x(phase.to), least), to - MIN_BAR * left);
    const part = { from: at, to: end, look: phase.outcome };
    at = end;
    return end > part.from ? [part] : [];
  });
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
  const id = things.length === 1 && isSpan(first) && first.childId !== undefined ? ` ${nameOf(first.childId)}` : "";
  const label = labelOf(first) + id;
  const since = formatSince(first.from.at - run.startedAt);
  if (things.length > 1) {
    const what = things.every((thing) => labelOf(thing) === label) ? label : `${label} and others`;
    return `${grouped(things.length)} × ${what} from ${since}`;
  }
  if (!isSpan(first)) return `${label} at ${since}`;
  const error = first.error ?? first.attempts.findLast(({ error }) => error)?.error;
  return [
    `${/^(signal|condition|slot)$/.test(first.kind) ? "wait for " : ""}${label} at ${since}: ${
      formatDuration(first.to.at - first.from.at)
    }`,
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

function sumsOf(spans: readonly Span[], things: readonly (Span | Instant)[]): string[] {
  const count = (outcome: Span["outcome"]) => spans.filter((span) => span.outcome === outcome).length;
  const ms = spans.reduce((sum, { from, to }) => sum + (to.at - from.at), 0);
  const retries = spans.reduce((sum, { attempts }) => sum + Math.max(0, attempts.length - 1), 0);
  // A wait and the signal that it was for are one thing.
  const times = spans.length > 1 || spans.length === 0 && things.length > 1
    ? `${grouped(spans.length || things.length)} ×`
    : "";
  const took = spans.length === 0 ? "" : formatDuration(ms);
  const again = retries === 0 ? "" : retries === 1 ? "1 retry" : `${grouped(retries)} retries`;
  const ends = (["failed", "canceled", "expired", "open", "left"] as const).map((outcome) => {
    const times = count(outcome);
    const text = times === 0 ? "" : endOf(spans.find((span) => span.outcome === outcome)!);
    return text === "" || spans.length === 1 ? text : `${grouped(times)} ${text}`;
  });
  const join = (...parts: string[]) => parts.filter((part) => part !== "").join(" · ");
  const end = join(...ends);
  return [join(times, took, again, end), join(times, took, end), join(took, end), end || took || times];
}
