/**
 * Where the time of a run went.
 *
 * @module
 */

import { isSpan, type ReadRun, type SpanKind } from "./model.ts";

/**
 * What a run did in a part of its time.
 *
 * @category Pictures
 */
export type ShareKind =
  | "activities"
  | "children"
  | "retry delays"
  | "start delay"
  | "waits for signals"
  | "waits for conditions"
  | "timers"
  | "other waits";

/** The kinds in the order in which they take precedence. */
const SHARES: readonly ShareKind[] = [
  "activities",
  "children",
  "retry delays",
  "start delay",
  "waits for signals",
  "waits for conditions",
  "timers",
  "other waits",
];

/** The places in {@linkcode SHARES}. What has none is no time of its own: a scope, an update, a compensation. */
const PLACES: Partial<Record<SpanKind, number>> = {
  activity: 0,
  child: 1,
  delay: 3,
  signal: 4,
  condition: 5,
  timer: 6,
};
const RETRY = 2;

/**
 * A part of the time of a run.
 *
 * @category Pictures
 */
export interface Share {
  /** What the run did meanwhile. */
  readonly what: ShareKind;
  /** How long, in milliseconds. */
  readonly ms: number;
  /** The percentage of the run's time as a text; empty below 1 %. */
  readonly percent: string;
}

/**
 * Divides the time of a run into shares. Each moment counts once: if several things happen at the same time, work comes before
 * waits, and waits for signals before timers. Waits that are not recorded are "other waits", such as one for a signal without a
 * deadline that has ended. So are timers that never fired, because nothing shows how long the code waited for them.
 *
 * @param run What was read of the run.
 * @returns The shares above 0, the longest first.
 *
 * @category Pictures
 */
export function sharesOf({ things, from, to }: ReadRun): Share[] {
  const steps: [at: number, share: number, by: 1 | -1][] = [];
  const add = (share: number, from: number, to: number) => {
    if (to > from) steps.push([from, share, 1], [to, share, -1]);
  };
  for (const span of things) {
    if (!isSpan(span)) continue;
    const place = PLACES[span.kind];
    if (place === undefined) continue;
    if (span.kind === "activity" || span.kind === "child") {
      for (const attempt of span.attempts) add(place, attempt.from.at, (attempt.to ?? span.to).at);
      add(RETRY, span.from.at, span.to.at); // a retry delay where no attempt runs
    } else if (span.outcome !== "left") add(place, span.from.at, span.to.at);
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
