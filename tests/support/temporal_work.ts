/**
 * A workflow with Temporal's interface, for processes that are killed: activities, a child, a scope that is cancelled, handlers.
 *
 * @module
 */

import {
  CancellationScope,
  condition,
  defineQuery,
  defineSignal,
  executeChild,
  isCancellation,
  proxyActivities,
  setHandler,
  sleep,
  TemporalHost,
  uuid4,
  workflowInfo,
} from "@rockpool/workflow/temporal";
import { activityInfo } from "@rockpool/workflow/temporal/activity";

const { ran: step } = proxyActivities<{ ran(step: string): Promise<string> }>({ startToCloseTimeout: "1 minute" });

const end = defineSignal<[number]>("end");
const steps = defineQuery<string[]>("steps");

/** Its second step has an ID that a replay must draw again. */
async function part(): Promise<string> {
  await step("c0");
  return await step(`c1:${uuid4()}`);
}

/** Returns its steps when it gets the signal. */
async function work(_: string): Promise<string[]> {
  const done: string[] = [];
  let ended: number | undefined;
  setHandler(end, (how) => void (ended = how));
  setHandler(steps, () => done);
  const ofChild = executeChild(part, { workflowId: `${workflowInfo().workflowId}/part` });
  for (const name of ["s0", "s1", "s2"]) done.push(await step(name));
  const scope = new CancellationScope();
  const cancelled = scope.run(() => sleep("1 day")).catch((error) => isCancellation(error));
  done.push(await CancellationScope.nonCancellable(() => step("s3")));
  scope.cancel();
  done.push(`cancelled ${await cancelled}`, (await ofChild).slice(0, 3));
  await condition(() => ended !== undefined);
  return [...done, `end ${ended}`];
}

/** What {@linkcode work} returns, whatever has happened to its processes. */
export const worked: readonly string[] = ["s0", "s1", "s2", "s3", "cancelled true", "c1:", "end 1"];

/**
 * Makes the host of the workflows.
 *
 * @param onRun Is called when a step runs.
 */
export function workHost(onRun: (workflowId: string, step: string) => void): TemporalHost {
  const ran = (step: string) => {
    onRun(activityInfo().workflowExecution!.workflowId, step);
    return step;
  };
  return new TemporalHost({ workflows: { work, part }, activities: { ran } });
}
