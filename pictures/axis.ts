/**
 * The horizontal axis of a picture, in pixels.
 *
 * There are three kinds. `time`: as far apart as the times are. `events`: each event is as wide as the next one. `folded`: by time,
 * but long stretches in which nothing happened are narrow: the run only waited, or no process ran it between two marks.
 *
 * @module
 */

import { grouped } from "../util/show_value.ts";
import { isSpan, isWait, phasesOf, type Point, type ReadRun, type TimelineMark, timeOf } from "./model.ts";
import { pixelsOf, SMALL } from "./paint.ts";
import { formatDuration } from "./text.ts";

/** What an axis shows. */
export type AxisKind = "time" | "folded" | "events";

/** A label on the axis. */
export interface Tick {
  readonly x: number;
  readonly label: string;
  readonly width: number;
}

/** A folded stretch: where it is, and how long it took. */
export interface Fold extends Stretch {
  readonly ms: number;
}

/** A stretch of the axis, or of the time. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** An axis between two positions. */
export interface Axis {
  readonly kind: AxisKind;
  readonly x: (point: Point) => number;
  readonly ticks: readonly Tick[];
  readonly folds: readonly Fold[];
}

const MAX_TICKS = 6;
/** The width for open spans after the last event, if the present is not known. */
const OPEN_WIDTH = 28;
/** The width of a folded stretch, as a share of the axis. */
const FOLD_WIDTH = 0.15;
const MAX_FOLDS = 4;
/** A stretch is folded if it is longer than this share of the time that is not folded. By default so is the axis. */
export const LONG = 0.4;
/** The least distance between the labels of two ticks. */
const TICK_GAP = 10;

/** Lays out the axis. Without a kind, the run decides. */
export function layAxis(
  run: ReadRun,
  kind: AxisKind | undefined,
  marks: readonly TimelineMark[],
  left: number,
  right: number,
): Axis {
  const { history, from } = run;
  const to = marks.reduce((to, mark) => Math.max(to, timeOf(mark, run)), run.to);
  const range = to - from;
  const end = run.status === "running" && run.now === undefined ? right - OPEN_WIDTH : right;
  const width = end - left;
  if (kind === "events" || kind === undefined && !(range > 0)) {
    const x = ({ index }: Point) => left + (index + 0.5) / Math.max(1, history.length) * width;
    return { kind: "events", x, ticks: apart(eventTicks(run, x)), folds: [] };
  }
  const quiet = range > 0 && kind !== "time" ? quietStretches(run, to, marks) : [];
  const folded = chooseFolds(quiet, range, MAX_FOLDS);
  const place = placeOn({ from, to }, folded, { from: left, to: end }, FOLD_WIDTH * width);
  const x = ({ at }: Point) => place(at);
  const folds = folded.map(({ from, to }) => ({ from: place(from), to: place(to), ms: to - from }));
  if (folds.length === 0) return { kind: "time", x, ticks: apart(timeTicks(run, to, x)), folds };
  const times = [from, ...folded.flatMap(({ from, to }) => [from, to]), to];
  return { kind: "folded", x, ticks: apart(times.map((at) => tickAt(place(at), since(at, run)))), folds };
}

/** The stretches in which nothing happened and between which something did, in order. */
function quietStretches(run: ReadRun, to: number, marks: readonly TimelineMark[]): Stretch[] {
  const times = [
    ...run.history.flatMap(({ at }) => Number.isFinite(at) ? [at] : []),
    ...marks.map((mark) => timeOf(mark, run)),
  ].sort((a, b) => a - b);
  let next = 0;
  return idleStretches(run, to, marks).flatMap((stretch) => {
    const parts: Stretch[] = [];
    let { from } = stretch;
    while (next < times.length && times[next] <= from) next++;
    for (; next < times.length && times[next] < stretch.to; next++) {
      if (times[next] > from) {
        parts.push({ from, to: times[next] });
        from = times[next];
      }
    }
    return [...parts, { from, to: stretch.to }];
  });
}

/** The stretches in which the run only waited, or no process ran it, in order. */
function idleStretches(run: ReadRun, to: number, marks: readonly TimelineMark[]): Stretch[] {
  const busy: Stretch[] = [];
  for (const thing of run.things) {
    if (!isSpan(thing) || isWait(thing) || thing.kind === "scope") continue;
    for (const { from, to, outcome } of phasesOf(thing)) {
      // Since the last event nothing is recorded, whatever goes on.
      const until = Math.min(to.at, run.lastEventAt);
      if (outcome !== "retry" && outcome !== "left" && from.at <= until) busy.push({ from: from.at, to: until });
    }
  }
  busy.sort((a, b) => a.from - b.from);
  const quiet: { from: number; to: number }[] = [];
  let end = run.from;
  for (const { from, to: until } of [...busy, { from: to, to }]) {
    if (from > end) quiet.push({ from: end, to: from });
    end = Math.max(end, until);
  }
  marks.forEach((mark, i) => {
    const next = marks[i + 1];
    if (next?.after !== mark.after) return;
    const [from, to] = [Math.max(timeOf(mark, run), run.from), timeOf(next, run)];
    if (to > from) quiet.push({ from, to });
  });
  quiet.sort((a, b) => a.from - b.from);
  const joined: { from: number; to: number }[] = [];
  for (const { from, to } of quiet) {
    const before = joined[joined.length - 1];
    if (before !== undefined && from < before.to) before.to = Math.max(before.to, to);
    else joined.push({ from, to });
  }
  return joined;
}

/** The longest stretches, as long as they are long in comparison with the rest: at most `most`. */
export function chooseFolds(quiet: readonly Stretch[], range: number, most: number): Stretch[] {
  let rest = range;
  const folds: Stretch[] = [];
  for (const stretch of [...quiet].sort((a, b) => b.to - b.from - (a.to - a.from)).slice(0, most)) {
    const ms = stretch.to - stretch.from;
    if (ms <= LONG * rest || ms >= rest) break;
    folds.push(stretch);
    rest -= ms;
  }
  return folds.sort((a, b) => a.from - b.from);
}

/**
 * Returns the place of each moment on a line: by time, but folded stretches are narrow.
 *
 * @param time From when to when.
 * @param folds In order.
 * @param line From where to where.
 * @param foldWidth The width of a folded stretch on the line.
 */
export function placeOn(
  time: Stretch,
  folds: readonly Stretch[],
  line: Stretch,
  foldWidth: number,
): (at: number) => number {
  const rest = folds.reduce((rest, { from, to }) => rest - (to - from), time.to - time.from);
  const scale = rest > 0 ? (line.to - line.from - foldWidth * folds.length) / rest : 0; // sums are not exact
  return (at) => {
    let x = line.from;
    let before = time.from;
    for (const { from, to } of folds) {
      if (at <= from) break;
      x += (from - before) * scale;
      if (at < to) return x + (at - from) / (to - from) * foldWidth;
      x += foldWidth;
      before = to;
    }
    return Math.min(line.to, Math.max(line.from, x + (at - before) * scale));
  };
}

/** Leaves out ticks whose labels would be too close to the one before, or say the same. The last one stays. */
function apart(ticks: readonly Tick[]): Tick[] {
  const kept: Tick[] = [];
  const isApart = (a: Tick | undefined, b: Tick) =>
    a === undefined || a.x + (a.width + b.width) / 2 + TICK_GAP <= b.x && a.label !== b.label;
  ticks.forEach((tick, i) => {
    const isLast = i === ticks.length - 1;
    while (isLast && kept.length > 1 && !isApart(kept[kept.length - 1], tick)) kept.pop();
    if (isApart(kept[kept.length - 1], tick)) kept.push(tick);
  });
  return kept;
}

function tickAt(x: number, label: string): Tick {
  return { x, label, width: pixelsOf(label, SMALL) + 1 };
}

function since(at: number, { startedAt }: ReadRun): string {
  return at === startedAt ? "0" : formatDuration(at - startedAt);
}

const DAY = 86_400_000;

/** The distance of at most `count` ticks in a time: a round duration. */
export function stepOfTime(range: number, count: number): number {
  const steps = [
    ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
    ...[1, 2, 5, 10, 15, 30].map((count) => count * 1000),
    ...[1, 2, 5, 10, 15, 30].map((count) => count * 60_000),
    ...[1, 2, 3, 6, 12].map((count) => count * 3_600_000),
    ...[1, 2, 5, 10, 20, 30, 60, 90, 180].map((count) => count * DAY),
  ];
  const wanted = range / count;
  if (wanted < steps[0]) return roundUp(wanted, 1);
  return steps.find((step) => step >= wanted) ?? roundUp(wanted, DAY);
}

/** 1, 2 or 5, times a power of ten, of a unit: not below what is wanted. */
export function roundUp(wanted: number, unit: number): number {
  const power = unit * 10 ** Math.floor(Math.log10(wanted / unit));
  return power * ([1, 2, 5].find((factor) => power * factor >= wanted) ?? 10);
}

function timeTicks(run: ReadRun, to: number, x: (point: Point) => number): Tick[] {
  const { from, startedAt } = run;
  if (!(to > from)) return [];
  const step = stepOfTime(to - from, MAX_TICKS);
  const first = Math.ceil((from - startedAt) / step);
  const count = Math.floor((to - startedAt) / step) - first + 1;
  return Array.from({ length: Math.min(count, MAX_TICKS + 1) }, (_, i) => {
    const at = startedAt + (first + i) * step;
    return tickAt(x({ at, index: 0 }), since(at, run));
  });
}

function eventTicks({ history }: ReadRun, x: (point: Point) => number): Tick[] {
  if (history.length === 0) return [];
  const step = Math.ceil(roundUp(history.length / MAX_TICKS, 1));
  return Array.from({ length: Math.floor((history.length - 1) / step) + 1 }, (_, i) => {
    return tickAt(x({ at: 0, index: i * step }), `event ${grouped(i * step + 1)}`);
  });
}
