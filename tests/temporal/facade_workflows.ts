/** Workflows for the tests of `temporal/testing`, as a user of Temporal writes them. */

import {
  ApplicationFailure,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  executeChild,
  makeContinueAsNewFunc,
  proxyActivities,
  scheduleActivity,
  setDefaultQueryHandler,
  setDefaultUpdateHandler,
  setHandler,
  sleep,
  upsertMemo,
  upsertSearchAttributes,
  workflowInfo,
} from "../../temporal/mod.ts";

/** The activities of the workflows. */
export interface Activities {
  charge(cents: number): Promise<string>;
  slow(): Promise<string>;
}

const { charge, slow } = proxyActivities<Activities>({
  startToCloseTimeout: "10 days",
  retry: { maximumAttempts: 3 },
});

export const approve = defineSignal<[{ by: string }]>("approve");
export const status = defineQuery<string, [string]>("status");
export const add = defineUpdate<number, [number]>("add");

/** Charges, and waits for an approval. */
export async function order(cents: number): Promise<string> {
  let by: string | undefined;
  setHandler(approve, (approval) => void (by = approval.by));
  setHandler(status, (prefix) => `${prefix}${by ?? "open"}`);
  const receipt = await charge(cents);
  await condition(() => by !== undefined);
  return `${receipt}, approved by ${by}`;
}

/** Sleeps, and returns how long. */
export async function nap(ms: number): Promise<number> {
  const before = Date.now();
  await sleep(ms);
  return Date.now() - before;
}

/** Adds numbers until the sum is at least 10. */
export async function adder(): Promise<number> {
  let sum = 0;
  setHandler(add, async (n) => {
    await sleep(1);
    return sum += n;
  }, {
    validator: (n) => {
      if (n < 0) throw new ApplicationFailure("a negative number");
    },
  });
  await condition(() => sum >= 10);
  return sum;
}

/** Fails. */
export function failing(): Promise<never> {
  return Promise.reject(ApplicationFailure.nonRetryable("no", "Refused", { code: 7 }));
}

/** Returns what it knows about itself. */
export function about(..._args: unknown[]): Promise<unknown> {
  const { workflowId, workflowType, taskQueue, memo, searchAttributes } = workflowInfo();
  return Promise.resolve({ workflowId, workflowType, taskQueue, memo, searchAttributes });
}

/** Continues three times. */
export async function looping(round = 0): Promise<number> {
  if (round < 3) await continueAsNew<typeof looping>(round + 1);
  return round;
}

/** Continues as another workflow. */
export function becoming(): Promise<never> {
  return makeContinueAsNewFunc<typeof nap>({ workflowType: "nap" })(1);
}

/** Lets a child sleep. */
export function parent(): Promise<number> {
  return executeChild(nap, { args: [1000] });
}

/** Waits for a slow activity. */
export function patient(): Promise<string> {
  return slow();
}

/** Calls an activity with the name of a method that every object has. */
export function inWords(): Promise<string> {
  return scheduleActivity("toString", [], { startToCloseTimeout: "1 minute" });
}

/** Answers any query and any update, and says about itself what it was not started with. */
export async function versatile(): Promise<void> {
  setDefaultQueryHandler((name, ...args) => [name, ...args]);
  setDefaultUpdateHandler((name, ...args) => [name, ...args]);
  setHandler(status, (text) => text);
  upsertMemo({ note: "later" });
  upsertSearchAttributes({ Team: ["billing"] });
  await sleep("1 day");
}

const { slow: slowForADay } = proxyActivities<Activities>({
  startToCloseTimeout: "1 day",
  retry: { maximumAttempts: 1 },
});

/** Waits for a slow activity, for a day at most. */
export function timedOutAfterADay(): Promise<string> {
  return slowForADay();
}
