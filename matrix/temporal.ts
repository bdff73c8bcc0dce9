/**
 * A workflow with the interface of Temporal, where the runtime has `node:async_hooks`: a timer, an activity that is repeated, a scope
 * that is cancelled, and a crash at every point.
 *
 * @module
 */

import {
  ApplicationFailure,
  CancellationScope,
  isCancellation,
  proxyActivities,
  sleep,
  TemporalHost,
} from "@rockpool/workflow/temporal";
import { activityInfo } from "@rockpool/workflow/temporal/activity";
import { crashTest } from "@rockpool/workflow/testing";
import { type Outcome, TEMPORAL, textOf } from "./scenario.ts";

const { charge } = proxyActivities<{ charge(cents: number): Promise<string> }>({ startToCloseTimeout: "1 minute" });

async function order(cents: number): Promise<string> {
  await sleep("1 day");
  const late = await CancellationScope.withTimeout("1 hour", () => sleep("1 day")).catch(isCancellation);
  return `${await charge(cents)}, ${late}, ${CancellationScope.current().parent === undefined}`;
}

const activities = {
  charge(cents: number) {
    if (activityInfo().attempt === 1) throw ApplicationFailure.retryable("busy");
    return Promise.resolve(`charged ${cents}`);
  },
};

/** Crash-tests the workflow. */
export async function temporalOutcome(): Promise<Outcome> {
  try {
    const host = new TemporalHost({ workflows: { order }, activities });
    const { undisturbed } = await crashTest(host.workflow("order"), { input: [500], ...host.crashOptions });
    const { result } = undisturbed;
    if (result !== "charged 500, true, true") throw new Error(`It completed with ${JSON.stringify(result)}`);
    return { name: TEMPORAL };
  } catch (error) {
    return { name: TEMPORAL, error: textOf(error) };
  }
}
