/**
 * The options, the report and the error of `crashTest()`.
 *
 * @module
 */

import type { Defined } from "../../context.ts";
import type { WorkflowState } from "../../types.ts";
import type { ActivityCall } from "../fakes.ts";
import { scenarioNames, type ScenarioOptions } from "./scenario.ts";

/**
 * Options of {@linkcode crashTest}.
 *
 * @category Testing
 */
export interface CrashTestOptions<
  Input = unknown,
  Output = unknown,
  // deno-lint-ignore no-explicit-any -- signals of any payload
  Signals extends readonly unknown[] = readonly any[],
> extends ScenarioOptions<Signals> {
  /** The workflow's input. */
  readonly input?: Input | undefined;
  /**
   * Called when a process has died, before the next one begins. Resets what only the memory of a process holds, such as
   * module variables: in a test they outlive the crash.
   *
   * @default {nothing}
   */
  readonly onDeath?: (() => void | Promise<void>) | undefined;
  /**
   * Returns what the activities have done, as a value that can be stored. It must be the same after every run.
   *
   * @default {effects are not compared}
   */
  readonly effects?: (() => unknown) | undefined;
  /**
   * Called after every run, also the undisturbed one. Throws if something is wrong.
   *
   * @default {nothing}
   */
  readonly check?: ((run: CrashRun<Output>) => void | Promise<void>) | undefined;
  /**
   * Whether the workflow fails although nothing goes wrong. Without this option, it may fail too, but not with a `TypeError` or a
   * `ReferenceError`: such an error is most likely a mistake in the test, such as an input that is missing.
   *
   * @default {false}
   */
  readonly expectFailure?: boolean | undefined;
  /**
   * How many processes die in a run; an integer from 1. The first death is tried at every point. The deaths that follow hit
   * the recovery, at points that differ from run to run and are the same in every test.
   *
   * @default {1}
   */
  readonly deaths?: number | undefined;
  /**
   * What must be the same after every run: also the histories, or only the result or error and the effects. Choose `"outcomes"` for a
   * workflow that rightly decides by which of two things comes first: a crash can change that.
   *
   * @default {"histories"}
   */
  readonly compare?: "histories" | "outcomes" | undefined;
}

/** The names of all options in {@linkcode CrashTestOptions}. */
export const crashTestNames: Readonly<Record<keyof CrashTestOptions, true>> = /* @__PURE__ */ Object.assign(
  { input: true } as const,
  scenarioNames,
  { onDeath: true, effects: true, check: true, expectFailure: true, deaths: true, compare: true } as const,
);

/**
 * The arguments of {@linkcode crashTest} after the workflow. They may be left out if the workflow takes no input.
 *
 * @category Testing
 */
export type CrashTestArgs<Input, Output, Signals extends readonly unknown[]> = undefined extends Input
  ? [options?: CrashTestOptions<Input & Defined, Output, Signals>]
  : [options: CrashTestOptions<Input & Defined, Output, Signals> & { readonly input: Input & Defined }];

/**
 * A finished run of {@linkcode crashTest}.
 *
 * @category Testing
 */
export interface CrashRun<Output = unknown> {
  /** Where its processes died, in words; empty in the undisturbed run. */
  readonly crashes: readonly string[];
  /** What the workflow returned, if it completed. */
  readonly result?: Output;
  /** What the workflow threw, if it failed or was canceled. */
  readonly error?: unknown;
  /** The stored state of the workflow. */
  readonly state: WorkflowState;
  /** The stored states of all runs of all workflows, in the order in which the runs began. */
  readonly states: readonly WorkflowState[];
  /** All attempts of activities that began, in all processes. */
  readonly calls: readonly ActivityCall[];
}

/**
 * What {@linkcode crashTest} found.
 *
 * @category Testing
 */
export interface CrashTestReport<Output = unknown> {
  /** At how many points a process died. */
  readonly points: number;
  /** The run without a crash. */
  readonly undisturbed: CrashRun<Output>;
}

/**
 * A workflow does not survive a crash. The message says where and why, and shows both timelines.
 *
 * @category Testing
 */
export class CrashTestError extends Error {
  /** Makes an error. */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "CrashTestError";
  }
}
