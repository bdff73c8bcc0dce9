/**
 * The horizontal axis of a timeline: from a moment to a place from 0 to 100.
 *
 * Three ways: by time; by events, each as wide as the next; and folded: by time, but long stretches in which the run only waits are
 * narrow.
 *
 * @module
 */

import { chooseFolds, LONG, type Stretch } from "../pictures/axis.ts";
import { isSpan, isWait, type Point, type ReadRun } from "../pictures/mod.ts";
import type { Axis } from "./run_view.ts";
import { duration } from "./times.ts";

/** The width of a folded stretch. */
const FOLDED = 8;
/** The axis needs room. */
const MAX_FOLDS = 6;
const MAX_TICKS = 7;
/** The least distance of two ticks. */
const TICK_DISTANCE = 11;

/** A label on the axis. */
export interface Tick {
  readonly x: number;
  readonly label: string;
}

/** An axis that was laid out. */
export interface LaidAxis {
  readonly kind: Axis;
  /** The place of a moment. */
  readonly x: (point: Point) => number;
  readonly ticks: readonly Tick[];
  /** Where folded stretches begin and end. */
  readonly folds: readonly (readonly [from: number, to: number])[];
}

/** Lays out the axis of a run. Without a kind, the run decides. */
export function layAxis(run: ReadRun, kind: Axis | undefined): LaidAxis {
  const { from, to, history, startedAt } = run;
  const range = to - from;
  const waits = stretches(run);
  const longest = waits.reduce((most, wait) => Math.max(most, wait.to - wait.from), 0); // too many for arguments
  kind ??= !(range > 0) ? "events" : longest > LONG * range ? "folded" : "time";
  if (kind === "events" || !(range > 0)) {
    const count = Math.max(1, history.length);
    const x = ({ index }: Point) => (index + 0.5) / count * 100;
    const step = Math.max(1, niceStep(count / MAX_TICKS));
    const ticks = Array.from({ length: Math.ceil(count / step) }, (_, i) => {
      const index = i === 0 ? 0 : i * step - 1;
      return { x: x({ at: 0, index }), label: String(index + 1) };
    });
    return { kind: "events", x, ticks: apart(ticks), folds: [] };
  }
  const folded = kind === "folded" ? chooseFolds(waits, range, MAX_FOLDS) : [];
  const lengths = folded.reduce((sum, wait) => sum + wait.to - wait.from, 0);
  const scale = range > lengths ? (100 - FOLDED * folded.length) / (range - lengths) : 0; // sums are not exact
  const place = (at: number): number => {
    let x = 0;
    let before = from;
    for (const wait of folded) {
      if (at <= wait.from) break;
      x += (wait.from - before) * scale;
      if (at < wait.to) return x + (at - wait.from) / (wait.to - wait.from) * FOLDED;
      x += FOLDED;
      before = wait.to;
    }
    return Math.min(100, Math.max(0, x + (at - before) * scale));
  };
  const label = (at: number) => ({ x: place(at), label: at === startedAt ? "0" : duration(at - startedAt) });
  const ticks = folded.length === 0
    ? evenTimes(range).map((ms) => label(from + ms))
    : [from, ...folded.flatMap((wait) => [wait.from, wait.to]), to].map(label);
  return {
    kind,
    x: ({ at }) => place(at),
    ticks: apart(ticks),
    folds: folded.map((wait) => [place(wait.from), place(wait.to)]),
  };
}

/** The stretches in which no activity, child, update or compensation is in progress, in order. A retry delay is part of its activity. */
function stretches({ things, from, to }: ReadRun): Stretch[] {
  const busy: [from: number, to: number][] = [];
  for (const thing of things) {
    if (!isSpan(thing) || isWait(thing) || thing.kind === "scope") continue;
    busy.push([thing.from.at, thing.to.at]);
  }
  busy.sort(([a], [b]) => a - b);
  const found: Stretch[] = [];
  let end = from;
  for (const [begins, ends] of [...busy, [to, to]]) {
    if (begins > end) found.push({ from: end, to: begins });
    end = Math.max(end, ends);
  }
  return found;
}

/** Leaves out ticks that are too close to the one before. The last one stays. */
function apart(ticks: readonly Tick[]): Tick[] {
  const kept: Tick[] = [];
  ticks.forEach((tick, i) => {
    if (kept.length > 0 && tick.x - kept[kept.length - 1].x < TICK_DISTANCE) {
      if (i < ticks.length - 1 || kept.length === 1) return;
      kept.pop();
    }
    kept.push(tick);
  });
  return kept;
}

const SECOND = 1000;
const MINUTE = 60_000;
const HOUR = 3_600_000;
const DAY = 86_400_000;

function evenTimes(range: number): number[] {
  const wanted = range / MAX_TICKS;
  const steps = [
    ...[1, 2, 5, 10, 15, 30].flatMap((n) => [n * SECOND, n * MINUTE]),
    ...[1, 2, 3, 6, 12].map((n) => n * HOUR),
    ...[1, 2, 5, 10, 30, 90].map((n) => n * DAY),
  ].sort((a, b) => a - b);
  const step = (wanted < SECOND ? undefined : steps.find((step) => step >= wanted)) ??
    (wanted < SECOND ? niceStep(wanted) : niceStep(wanted / DAY) * DAY);
  return Array.from({ length: Math.floor(range / step) + 1 }, (_, i) => i * step);
}

/** 1, 2 or 5, times a power of ten. */
function niceStep(wanted: number): number {
  const power = 10 ** Math.floor(Math.log10(wanted));
  return power * ([1, 2, 5].find((factor) => power * factor >= wanted) ?? 10);
}
