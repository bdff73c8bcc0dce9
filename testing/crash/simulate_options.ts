/**
 * The scenario, the options, the report and the error of `simulate()`.
 *
 * @module
 */

import type { WorkflowState } from "../../types.ts";
import type { WorkflowFunction } from "../../context.ts";
import type { ActivityCall } from "../fakes.ts";
import { scenarioNames, type ScenarioOptions } from "./scenario.ts";

/**
 * Fault rates. Each is a probability: 0 is never, 1 is always. Omitted rates use their defaults.
 *
 * @category Testing
 */
export interface SimulationRates {
  /**
   * A process dies at a write.
   *
   * @default {0.05}
   */
  readonly crash?: number | undefined;
  /**
   * The store fails at a write, before it is carried out or after; or at a read.
   *
   * @default {0.05}
   */
  readonly storeFailure?: number | undefined;
  /**
   * An attempt of an activity fails, before its function runs or after. With every fourth seed several attempts of one activity fail, so
   * that what follows the last attempt is reached.
   *
   * @default {0.1; 0.5 with the seeds 4, 8, 12 and so on}
   */
  readonly activityFailure?: number | undefined;
  /**
   * An attempt of an activity takes time, before its function runs or after. Most do, so that activities that run at once end in every
   * order.
   *
   * @default {0.8}
   */
  readonly activityDelay?: number | undefined;
  /**
   * A delivery comes late.
   *
   * @default {0.3}
   */
  readonly late?: number | undefined;
  /**
   * A write takes so long that others overtake it. Needs several executors.
   *
   * @default {0.2}
   */
  readonly slowWrite?: number | undefined;
  /**
   * An executor calls `recover()` at a write: another one if there are several.
   *
   * @default {0.2}
   */
  readonly takeover?: number | undefined;
  /**
   * A read takes time. Its answer is the state at the time of the call, so it can be old when it arrives.
   *
   * @default {0.1}
   */
  readonly slowRead?: number | undefined;
  /**
   * A read answers as a copy of the store does that is behind: without the last write, or without the last two or three. It
   * shows workflows as they were while they were running, and never hides one. So a query has an old answer if the executor
   * does not run the workflow.
   *
   * @default {0.1}
   */
  readonly staleRead?: number | undefined;
  /**
   * A process stands still at a write, at a call of `claim`, `renew` or `release`, or at an attempt of an activity: for half a
   * lease to three of them. Needs `leaseMs`.
   *
   * @default {0.05}
   */
  readonly pause?: number | undefined;
}

/** The default of every rate. */
export const defaultRates: Readonly<Record<keyof SimulationRates, number>> = {
  crash: 0.05,
  storeFailure: 0.05,
  activityFailure: 0.1,
  activityDelay: 0.8,
  late: 0.3,
  slowWrite: 0.2,
  takeover: 0.2,
  slowRead: 0.1,
  staleRead: 0.1,
  pause: 0.05,
};

/**
 * What {@linkcode simulate} runs.
 *
 * @category Testing
 */
// deno-lint-ignore no-explicit-any -- signals of any payload
export interface Scenario<Input = unknown, Signals extends readonly unknown[] = readonly any[]>
  extends ScenarioOptions<Signals> {
  /** The workflow. */
  readonly workflow: WorkflowFunction<Input, unknown>;
  /** The workflow's input. */
  readonly input?: NoInfer<Input> | undefined;
  /**
   * An invariant: called after every write to the store and at the end; throws if it does not hold.
   *
   * @default {nothing}
   */
  readonly always?: ((view: SimulationView) => void | Promise<void>) | undefined;
  /**
   * Called when everything has ended; throws if the end is not as it should be.
   *
   * @default {nothing}
   */
  readonly atEnd?: ((view: SimulationView) => void | Promise<void>) | undefined;
  /**
   * How many executors share the store; an integer from 1.
   *
   * @default {1}
   */
  readonly executors?: number | undefined;
  /**
   * How long a lease of an executor lasts, in milliseconds, from 1. With it, executors own their runs by leases and take what is due
   * by `work()`, and processes can also stand still. After each step it is checked that nobody adds an event to a run that he does
   * not own, that no recorded activity runs again, that one in flight runs again only if its owner has died or lost the run, and
   * that each run ends once. Each third of a lease is a step of the simulation, so a workflow that sleeps for long needs a long lease.
   *
   * @default {no leases: one executor runs a workflow until another one calls `recover()`}
   */
  readonly leaseMs?: number | undefined;
  /**
   * Fault rates. Omitted rates use their defaults.
   *
   * @default {the default of every rate}
   */
  readonly rates?: SimulationRates | undefined;
  /**
   * The longest delay, in milliseconds, from 1.
   *
   * @default {1000}
   */
  readonly maxDelayMs?: number | undefined;
}

/** The names of all options in {@linkcode Scenario}. */
export const simulationNames: Readonly<Record<keyof Scenario, true>> = /* @__PURE__ */ Object.assign(
  { workflow: true, input: true } as const,
  scenarioNames,
  { always: true, atEnd: true, executors: true, leaseMs: true, rates: true, maxDelayMs: true } as const,
);

/**
 * What the invariants of a simulation see.
 *
 * @category Testing
 */
export interface SimulationView {
  /** The time, in milliseconds after the start. */
  readonly nowMs: number;
  /** The stored state of the workflow; `undefined` before its start is stored. */
  readonly state: WorkflowState | undefined;
  /** The stored states of all runs of all workflows, in the order in which the runs began. */
  readonly states: readonly WorkflowState[];
  /** All attempts of activities that have begun so far. */
  readonly calls: readonly ActivityCall[];
}

/**
 * Options of {@linkcode simulate}.
 *
 * @category Testing
 */
export interface SimulateOptions {
  /**
   * The seeds, one for each run; or how many seeds, counted from 1.
   *
   * @default {100}
   */
  readonly seeds?: number | readonly number[] | undefined;
}

/**
 * What {@linkcode simulate} did.
 *
 * @category Testing
 */
export interface SimulationReport {
  /** How many runs there were. */
  readonly runs: number;
  /** How many faults there were in all runs together. */
  readonly faults: number;
}

/**
 * A seed whose run breaks an invariant. The message says which faults it needs, and shows the timeline.
 *
 * @category Testing
 */
export class SimulationError extends Error {
  /** The seed. */
  readonly seed: number;
  /** The fewest faults with which the run goes wrong, in words, in the order in which they happened. */
  readonly faults: readonly string[];

  /** Makes an error. */
  constructor(message: string, seed: number, faults: readonly string[], options?: ErrorOptions) {
    super(message, options);
    this.name = "SimulationError";
    this.seed = seed;
    this.faults = faults;
  }
}
