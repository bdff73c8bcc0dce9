/**
 * The options, the report and the error of `explore()`.
 *
 * @module
 */

import type { Defined } from "../../context.ts";
import { type CrashRun, crashTestNames, type CrashTestOptions } from "../crash/crash_options.ts";
import type { AttemptFailure } from "./choices.ts";

/**
 * What {@linkcode explore} may let happen. How many of each is at most in one run.
 *
 * @category Testing
 */
export interface ExploreBounds {
  /**
   * Whether things may happen in another order than in the plain run: which answer comes first, when a signal comes, what happens
   * before a timer.
   *
   * @default {true}
   */
  readonly orders?: boolean | undefined;
  /**
   * How many processes may die in a run; an integer from 0.
   *
   * @default {0}
   */
  readonly crashes?: number | undefined;
  /**
   * How many attempts of activities may go wrong in a run, by one of the `failures` or with one of the `edges`; an integer from 0.
   *
   * @default {0}
   */
  readonly faults?: number | undefined;
  /**
   * How often time may pass to the next timer in a run although something is due before: an activity takes so long that it times out,
   * or a signal comes after the deadline of its wait; an integer from 0. Needs `orders`.
   *
   * @default {1}
   */
  readonly delays?: number | undefined;
  /**
   * How many calls of the store may go wrong in a run; an integer from 0. A write fails, its answer is lost, or comes a second late. A
   * read fails, comes a second late, or does not show the last two writes, as from a copy of the store that is behind.
   *
   * @default {0}
   */
  readonly storeFaults?: number | undefined;
  /**
   * How many cancellations may come in a run, at any point; an integer from 0.
   *
   * @default {0}
   */
  readonly cancels?: number | undefined;
  /**
   * Results that activities may return in place of their own, by the name of the activity: each takes one of the `faults`.
   *
   * @default {none}
   */
  readonly edges?: Readonly<Record<string, readonly unknown[]>> | undefined;
  /**
   * How an attempt can go wrong. Leave out what the services never do; add `"works late"` if one may still take effect when nobody waits
   * for it any more.
   *
   * @default {all but "works late"}
   */
  readonly failures?: readonly AttemptFailure[] | undefined;
  /**
   * In how many points a run may differ from the plain run; an integer from 0, or `Infinity`.
   *
   * @default {Infinity}
   */
  readonly maxDeviations?: number | undefined;
  /**
   * How many runs are made at most; an integer from 1. If there are more with one number of deviations than may still be made, those
   * that are made are spread over all of them.
   *
   * @default {2_000}
   */
  readonly maxRuns?: number | undefined;
  /**
   * Makes one run only: that of an `ExplorationError`, by its `replay`.
   *
   * @default {all runs}
   */
  readonly replay?: readonly string[] | undefined;
}

/**
 * Options of {@linkcode explore}: those of `crashTest()` without `deaths` and `compare`, and what may happen.
 *
 * @category Testing
 */
export interface ExploreOptions<
  Input = unknown,
  Output = unknown,
  // deno-lint-ignore no-explicit-any -- signals of any payload
  Signals extends readonly unknown[] = readonly any[],
> extends Omit<CrashTestOptions<Input, Output, Signals>, "deaths" | "compare">, ExploreBounds {}

const ownNames = {
  orders: true,
  crashes: true,
  faults: true,
  cancels: true,
  delays: true,
  storeFaults: true,
  edges: true,
  failures: true,
  maxDeviations: true,
  maxRuns: true,
  replay: true,
} as const;

/** The names of all options in {@linkcode ExploreOptions}. */
export const exploreNames: Readonly<Record<keyof ExploreOptions, true>> = /* @__PURE__ */ (() => {
  const { deaths: _1, compare: _2, ...shared } = crashTestNames;
  return { ...shared, ...ownNames };
})();

/**
 * The arguments of {@linkcode explore} after the workflow. They may be left out if the workflow takes no input.
 *
 * @category Testing
 */
export type ExploreArgs<Input, Output, Signals extends readonly unknown[]> = undefined extends Input
  ? [options?: ExploreOptions<Input & Defined, Output, Signals>]
  : [options: ExploreOptions<Input & Defined, Output, Signals> & { readonly input: Input & Defined }];

/**
 * What {@linkcode explore} found. All runs have passed.
 *
 * @category Testing
 */
export interface ExploreReport<Output = unknown> {
  /** How many runs were made. */
  readonly runs: number;
  /** Whether these are all runs that the options allow, or `maxDeviations` or `maxRuns` left some out. `table()` says which. */
  readonly complete: boolean;
  /** How many runs were made, and how many there are, with 0 deviations from the plain run, with 1, and so on. */
  readonly levels: readonly { readonly made: number; readonly all: number }[];
  /** How the runs ended, in words, and how many ended so: the plain run's end first. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** What was reached, in words, and how many times: `a cancellation while charge is in flight`. */
  readonly reached: ReadonlyMap<string, number>;
  /** What the options allow, or name, and no run has reached: a pass says nothing about it. */
  readonly missing: readonly string[];
  /** The run in which nothing deviates. */
  readonly plain: CrashRun<Output>;
  /** Shows the report as text. */
  table(): string;
}

/**
 * A run of {@linkcode explore} went wrong. No run with fewer deviations did. The message tells the run as a story, and shows both
 * timelines.
 *
 * @category Testing
 */
export class ExplorationError extends Error {
  /** The choices of the run, for the option `replay`; empty for the plain run. */
  readonly replay: readonly string[];
  /** How many runs had passed before. */
  readonly runs: number;

  /** Makes an error. */
  constructor(message: string, replay: readonly string[], runs: number, options?: ErrorOptions) {
    super(message, options);
    this.name = "ExplorationError";
    this.replay = replay;
    this.runs = runs;
  }
}
