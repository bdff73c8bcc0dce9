/**
 * The workflows of `examples/`, unchanged, and a worker that serves them on Restate.
 *
 * @module
 */

import { NonRetryableError } from "@rockpool/workflow";
import { restateServices } from "@rockpool/workflow/restate";
import { every, schedule } from "@rockpool/workflow/schedule";
import { type Answer, createAgent, type Message } from "../../examples/agent.ts";
import { expense } from "../../examples/approval.ts";
import { approval } from "../../examples/edge/approval.ts";
import { account } from "../../examples/entity.ts";
import { story as countPoems, wordCount } from "../../examples/fan_out.ts";
import { order as killedOrder } from "../../examples/killed_orders.ts";
import { mutex, printJob } from "../../examples/mutex.ts";
import { createOrderWorkflow } from "../../examples/order_workflow.ts";
import { poll, story as pollJobs } from "../../examples/polling.ts";
import { story as bookPorto, trip } from "../../examples/saga.ts";
import { report } from "../../examples/schedule.ts";
import { subscription } from "../../examples/subscription.ts";
import type { Anything } from "./workers.ts";

/** A shop without a memory: the answers depend on the order alone, and a card "declined" is declined. */
export const order = createOrderWorkflow({
  reserveStock: (id) => Promise.resolve(`stock of ${id}`),
  releaseStock: (id) => Promise.resolve(`released ${id}`),
  chargeCard({ orderId, cents, cardToken }) {
    if (cardToken === "declined") throw new NonRetryableError(`The card of ${orderId} is declined`);
    return Promise.resolve(`payment of ${cents} for ${orderId}`);
  },
  voidPayment: (id) => Promise.resolve(`refunded ${id}`),
  bookCarrier: (id) => Promise.resolve(`parcel of ${id}`),
});

const SCRIPT: readonly Answer[] = [
  {
    role: "assistant",
    text: "I look, and delete",
    calls: [{ id: "look", tool: "search", input: "disk" }, { id: "archive", tool: "search", input: "archive" }, {
      id: "delete",
      tool: "remove",
      input: "draft.txt",
    }, { id: "guess", tool: "no such tool", input: "" }],
  },
  { role: "assistant", text: "done", calls: [] },
];

/** A model with a script, and tools; a search in the archive ends only if it is stopped. */
export const agent = createAgent({
  model: (transcript: readonly Message[]) => SCRIPT[transcript.filter(({ role }) => role === "assistant").length],
  tools: {
    search: {
      run: (place, { signal }) =>
        place === "disk"
          ? "found draft.txt"
          : new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    },
    remove: { run: (file) => `removed ${file}`, isDangerous: true },
  },
});

export const nightly = schedule(report, { rule: every(365 * 24 * 60 * 60 * 1000) });

/** All of them, by name. */
export const workflows = {
  ...{
    account,
    agent,
    approval,
    expense,
    killedOrder,
    mutex,
    nightly,
    order,
    poll,
    printJob,
    report,
    subscription,
    trip,
    wordCount,
  },
};

/** Plays the stories that leave their outside worlds in a state which the scenarios start from. */
export async function prepare(): Promise<void> {
  for (const story of [bookPorto, countPoems, pollJobs]) await story(() => {});
}

/** @param name The name of the services. */
export async function services(sdk: Anything, name: string): Promise<Anything[]> {
  await prepare();
  return restateServices(sdk, { workflows, name });
}
