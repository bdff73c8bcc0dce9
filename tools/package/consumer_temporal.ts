/**
 * A project that uses the interface of Temporal. It needs the types of Node, as its users have them: so it is apart from `consumer.ts`.
 *
 * @module
 */

import { type ActivityOptions, proxyActivities, sleep, TemporalHost } from "@rockpool/workflow/temporal";
import { activityInfo, Context, heartbeat } from "@rockpool/workflow/temporal/activity";
import { ApplicationFailure, type Duration, type RetryPolicy } from "@rockpool/workflow/temporal/common";
import { MockActivityEnvironment, TestWorkflowEnvironment, Worker } from "@rockpool/workflow/temporal/testing";

export async function charge(order: { id: string }): Promise<string> {
  heartbeat(order);
  if (activityInfo().attempt > 1) await Context.current().sleep("1 second");
  if (order.id === "") throw ApplicationFailure.create({ message: "No order", type: undefined, details: undefined });
  return `charge-${order.id}`;
}

const retry: RetryPolicy = { maximumAttempts: 3, initialInterval: undefined };
const options: ActivityOptions = { startToCloseTimeout: "1 minute", retry, heartbeatTimeout: undefined };
const activities = proxyActivities<{ charge: typeof charge }>(options);

export async function order(id: string, delay: Duration = "3 days"): Promise<string> {
  await sleep(delay);
  return await activities.charge({ id });
}

export const host = new TemporalHost({ workflows: { order }, activities: { charge }, converter: undefined });

export async function tests(): Promise<string> {
  await new MockActivityEnvironment({ attempt: 2 }, { logger: undefined }).run(charge, { id: "o7" });
  const env = await TestWorkflowEnvironment.createTimeSkipping();
  const { client, nativeConnection: connection } = env;
  const worker = await Worker.create({
    connection,
    taskQueue: "orders",
    workflowsPath: "./orders.ts",
    activities: { charge },
  });
  const handle = () => client.workflow.execute(order, { workflowId: "o7", taskQueue: "orders", args: ["o7"] });
  const result = await worker.runUntil(handle);
  await env.teardown();
  return result;
}
