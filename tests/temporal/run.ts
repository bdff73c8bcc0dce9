/**
 * Runs a Temporal workflow in a test: under `crashTest()`, so that each behaviour holds with a crash at every point, too.
 *
 * @module
 */

import { Executor, type StartSignal, type WorkflowHandle } from "@rockpool/workflow";
import { TemporalHost, type TemporalHostOptions } from "@rockpool/workflow/temporal";
import { crashTest, type CrashTestOptions, type CrashTestReport } from "@rockpool/workflow/testing";
import { silent } from "../support/executors.ts";

// deno-lint-ignore no-explicit-any -- workflows of any type
type Any = (...args: any[]) => any;

/** What a test gives to a workflow, and to the crash test. */
export interface RunOptions extends Omit<CrashTestOptions, "input" | "activities"> {
  readonly args?: readonly unknown[];
  /** Functions that it calls as activities. */
  readonly activities?: Readonly<Record<string, Any>>;
  /** Other workflows. */
  readonly others?: Readonly<Record<string, Any>>;
  /** Further options of the host. */
  readonly host?: Partial<TemporalHostOptions>;
}

/** Crash-tests a workflow, and returns what it does without a crash. */
export async function run(
  workflow: Any,
  { args = [], activities = {}, others = {}, host, executor, ...options }: RunOptions = {} as RunOptions,
): Promise<CrashTestReport["undisturbed"]> {
  const temporal = new TemporalHost({ workflows: { ...others, workflow }, activities, ...host });
  try {
    const { undisturbed } = await crashTest(temporal.workflow("workflow"), {
      input: args,
      ...temporal.crashOptions,
      executor: { logger: silent, ...executor },
      ...options,
    });
    return undisturbed;
  } finally {
    temporal.dispose();
  }
}

/** The same for a workflow that completes: returns its result. */
export async function result(workflow: Any, options?: RunOptions): Promise<unknown> {
  const { result, error } = await run(workflow, options);
  if (error !== undefined) throw error;
  return result;
}

/** The same for a workflow that fails or is canceled: returns its error. */
export async function failure(workflow: Any, options?: RunOptions): Promise<Error> {
  const { error, result } = await run(workflow, options);
  if (error === undefined) throw new Error(`It completed with ${JSON.stringify(result)}`);
  return error as Error;
}

/** Runs a workflow once, in real time: for what takes too long, or needs an activity that runs meanwhile. */
export async function once<T>(
  workflow: Any,
  { args = [], activities = {}, others = {}, host, signals = [] }:
    & Pick<RunOptions, "args" | "activities" | "others" | "host">
    & { signals?: readonly StartSignal[] },
  body: (handle: WorkflowHandle<unknown>, executor: Executor) => Promise<T>,
): Promise<T> {
  const temporal = new TemporalHost({ workflows: { ...others, workflow }, activities, ...host });
  const executor = new Executor({ ...temporal.executorOptions, logger: silent });
  try {
    return await body(
      await executor.execute(temporal.workflow("workflow"), { id: "once", input: args, signals }),
      executor,
    );
  } finally {
    await executor.close();
    temporal.dispose();
  }
}

/** An activity that ends only when it is cancelled. */
export function untilCancelled(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) return reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason));
  });
}
