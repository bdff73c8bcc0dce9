/**
 * The horizontal axis of a timeline: from a moment to a place from 0 to 100.
 *
 * Three ways: by time; by events, each as wide as the next; and folded: by time, but long stretches in which the run only waits are
 * narrow.
 *
 * @module
 */

import { chooseFolds, LONG, placeOn, roundUp, stepOfTime, type Stretch } from "../pictures/axis.ts";
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
    const step = Math.max(1, roundUp(count / MAX_TICKS, 1));
    const ticks = Array.from({ length: Math.ceil(count / step) }, (_, i) => {
      const index = i === 0 ? 0 : i * step - 1;
      return { x: x({ at: 0, index }), label: String(index + 1) };
    });
    return { kind: "events", x, ticks: apart(ticks), folds: [] };
  }
  const folded = kind === "folded" ? chooseFolds(waits, range, MAX_FOLDS) : [];
  const place = placeOn(run, folded, { from: 0, to: 100 }, FOLDED);
  const label = (at: number) => ({ x: place(at), label: at === startedAt ? "0" : duration(at - startedAt) });
  const step = stepOfTime(range, MAX_TICKS);
  const ticks = folded.length === 0
    ? Array.from({ length: Math.floor(range / step) + 1 }, (_, i) => label(from + i * step))
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
