/**
 * Crash tests of a workflow that is also cancelled: at its start, and between every two moments of its history.
 *
 * @module
 */

import type { AnyWorkflow } from "@rockpool/workflow/options";
import type { WorkflowFunction } from "@rockpool/workflow";
import { type CrashRun, crashTest, type CrashTestOptions, simulate } from "@rockpool/workflow/testing";

/** The runs without a crash. */
export interface CanceledEverywhere {
  /** The run that is not cancelled. */
  readonly undisturbed: CrashRun;
  /** The runs that are cancelled, each at a later moment than the one before. */
  readonly canceled: readonly CrashRun[];
}

/**
 * Runs `crashTest` without a cancellation, and then with one at each moment.
 *
 * Fakes take no time. So give an activity a fake that fails at its first attempt: then there are moments in which it has begun and
 * has not ended.
 */
export async function crashAndCancelEverywhere(
  workflow: AnyWorkflow,
  options: CrashTestOptions,
): Promise<CanceledEverywhere> {
  const crash = async (options: CrashTestOptions) =>
    (await crashTest(workflow as WorkflowFunction<unknown, unknown>, options)).undisturbed;
  const undisturbed = await crash(options);
  const times = [...new Set(undisturbed.state.history.map(({ at }) => at))];
  // Not at a time at which something else is due: after a crash, either one can be first.
  const moments = times.map((at, i) => i === 0 ? at : (times[i - 1] + at) / 2);
  const canceled = [];
  for (const atMs of moments) canceled.push(await crash({ ...options, cancel: { atMs } }));
  return { undisturbed, canceled };
}

/**
 * Simulates a workflow in which each attempt takes time, with a cancellation at a random moment. So the cancellation often comes
 * while an activity is in flight.
 *
 * @param atEnd Throws if the end is not as it should be.
 */
export async function cancelInFlight(
  workflow: AnyWorkflow,
  { effects: _, check: __, onDeath: ___, deaths: ____, compare: _____, ...options }: CrashTestOptions,
  atEnd: () => void,
): Promise<void> {
  await simulate({
    workflow: workflow as WorkflowFunction<unknown, unknown>,
    ...options,
    cancel: { atMs: 0 },
    rates: { activityDelay: 1, late: 1 },
    maxDelayMs: 5000,
    atEnd,
  }, { seeds: 100 });
}
