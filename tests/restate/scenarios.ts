/**
 * What is done with each workflow of `examples/`, on whatever runs it. A scenario returns everything that its caller has seen.
 *
 * The scenarios run in real time: so a wait of days is ended by a signal or a cancellation.
 *
 * @module
 */

import type { Executor } from "@rockpool/workflow";
import type { RestateClient } from "@rockpool/workflow/restate";
import { pauseSchedule, scheduleInfo, triggerSchedule } from "@rockpool/workflow/schedule";
import { decide, stop, transcriptOf } from "../../examples/agent.ts";
import { decided, expense } from "../../examples/approval.ts";
import { approval } from "../../examples/edge/approval.ts";
import { account, balanceOf, move } from "../../examples/entity.ts";
import { wordCount } from "../../examples/fan_out.ts";
import { order as killedOrder } from "../../examples/killed_orders.ts";
import { mutex, newMutex, printJob } from "../../examples/mutex.ts";
import type { Order } from "../../examples/order.ts";
import { poll } from "../../examples/polling.ts";
import { trip } from "../../examples/saga.ts";
import { subscription } from "../../examples/subscription.ts";
import { agent, nightly, order } from "./example_services.ts";
import { until } from "./workers.ts";

/** The calls that an executor and a client of Restate have in common. */
export type Face = Pick<RestateClient & Executor, "signal" | "update" | "query" | "cancel" | "terminate"> & {
  execute: Executor["execute"];
  // deno-lint-ignore no-explicit-any -- results of any workflow
  handle(id: string): Promise<{ result(): Promise<any> }>;
};

/** What a caller sees of an error. */
interface Seen {
  readonly name: string;
  readonly message: string;
  readonly code?: unknown;
  readonly cause?: Seen | undefined;
}

/** The class, the words, the code and the causes of an error: all that must be the same. */
function seen(error: unknown): Seen {
  const { name, message, code, cause } = error as Error & { code?: unknown };
  return { name, message, ...(code !== undefined && { code }), ...(cause !== undefined && { cause: seen(cause) }) };
}

/** The result of a run, or its error. */
const outcome = (promise: Promise<unknown>) => promise.catch((error) => ({ failed: seen(error) }));

const newOrder = (id: string, token: string): Order => ({
  id,
  customer: { name: "Ada", email: "ada@example.org" },
  currency: "EUR",
  items: [{ sku: "s", name: "stool", quantity: 2, unitCents: 4500 }],
  address: { street: "s", postcode: "1", city: "Porto", country: "PT" },
  card: { token, last4: "1234" },
});

/** Asks a query until the answer is as wanted. */
async function untilAnswer<Answer>(what: string, ask: () => Promise<Answer>, isWanted: (answer: Answer) => boolean) {
  let answer: Answer | undefined;
  await until(what, async () => {
    // Without a first turn of the workflow there is no handler yet.
    answer = await ask().catch(() => undefined);
    return answer !== undefined && isWanted(answer);
  });
  return answer as Answer;
}

/** By the name of the example. */
export const scenarios: Readonly<Record<string, (face: Face) => Promise<unknown>>> = {
  async "saga.ts books a trip"(face) {
    const handle = await face.execute(trip, { id: "trip-1", input: ["flight", "hotel"] });
    return await outcome(handle.result());
  },

  async "saga.ts releases what is booked when a part is sold out"(face) {
    const handle = await face.execute(trip, { id: "trip-2", input: ["flight", "hotel", "car"] });
    return await outcome(handle.result());
  },

  async "fan_out.ts counts words"(face) {
    const handle = await face.execute(wordCount, { id: "poems-2", input: ["dawn", "rain", "noon", "dusk", "moon"] });
    return await outcome(handle.result());
  },

  async "approval.ts decides by a signal, and on small sums by itself"(face) {
    const pencils = await face.execute(expense, { id: "pencils", input: { what: "pencils", euros: 12 } });
    const chair = await face.execute(expense, { id: "chair", input: { what: "a chair", euros: 340 } });
    await face.signal("chair", decided, { approved: true, by: "Ada" });
    return [await outcome(pencils.result()), await outcome(chair.result())];
  },

  async "edge/approval.ts decides by a signal with an ID, once"(face) {
    const input = { what: "a lamp", days: 7 };
    await face.execute(approval, { id: "lamp", input, onConflict: "join", reuse: "reject" });
    const again = await face.execute(approval, { id: "lamp", input, onConflict: "join", reuse: "reject" });
    await face.signal("lamp", "decided", { approved: false, by: "Eva" }, { signalId: "1" });
    const results = [await outcome(again.result()), await outcome((await face.handle("lamp")).result())];
    const late = await outcome(face.signal("lamp", "decided", { approved: true, by: "Eva" }, { signalId: "2" }));
    const reused = await outcome(face.execute(approval, { id: "lamp", input, reuse: "reject" }));
    return [...results, late, reused];
  },

  async "order_workflow.ts refunds an order that is refused"(face) {
    const handle = await face.execute(order, { id: "order-1", input: newOrder("order-1", "t") });
    await face.signal("order-1", "approval", { approved: false, by: "Mara", reason: "no oak" });
    return await outcome(handle.result());
  },

  async "order_workflow.ts releases the stock when the card is declined"(face) {
    const handle = await face.execute(order, { id: "order-2", input: newOrder("order-2", "declined") });
    return await outcome(handle.result());
  },

  async "order_workflow.ts refunds an order that is cancelled while it cures"(face) {
    const handle = await face.execute(order, { id: "order-3", input: newOrder("order-3", "t") });
    await face.signal("order-3", "approval", { approved: true, by: "Mara" });
    await face.cancel("order-3", "changed their mind");
    return await outcome(handle.result());
  },

  async "killed_orders.ts runs the steps of an order"(face) {
    return await outcome((await face.execute(killedOrder, { id: "killed-1", input: 5 })).result());
  },

  async "polling.ts sees the end of a job, and gives up on another one"(face) {
    const done = await face.execute(poll, { id: "poll-1", input: { job: "the report", giveUpAfterMs: 60_000 } });
    const open = await face.execute(poll, { id: "poll-2", input: { job: "the archive", giveUpAfterMs: 0 } });
    return [await outcome(done.result()), await outcome(open.result())];
  },

  async "subscription.ts answers a query, takes another plan, and is cancelled"(face) {
    const handle = await face.execute(subscription, { id: "ada", input: { name: "small", euros: 10 } });
    const paid = await untilAnswer("it has paid", () => face.query<number>("ada", "paid"), (paid) => paid > 0);
    await face.signal("ada", "plan", { name: "large", euros: 25 });
    await face.cancel("ada", "moved away");
    return [paid, await outcome(handle.result())];
  },

  async "entity.ts keeps a balance over several runs"(face) {
    await face.execute(account, { id: "account", input: { balance: 0, runs: 0 } });
    const answers: unknown[] = [];
    for (const amount of [500, -120, 75, -1000, 30, -85, 100, 0]) {
      answers.push(await outcome(face.update("account", move, amount)));
    }
    const balance = await untilAnswer("it has a balance", () => face.query("account", balanceOf), () => true);
    const handle = await face.handle("account");
    await face.terminate("account", "enough");
    return [answers, balance, await outcome(handle.result())];
  },

  async "agent.ts asks, runs tools in scopes, waits for an approval, and stops a tool"(face) {
    const input = { transcript: [{ role: "user" as const, text: "Go" }], answersLeft: 3, deadlineAt: 4e12 };
    const handle = await face.execute(agent, { id: "agent", input });
    const { openCalls } = await untilAnswer(
      "two calls are open",
      () => face.query("agent", transcriptOf),
      ({ openCalls }) => Object.keys(openCalls).sort().join() === "archive,delete",
    );
    const refused = await outcome(face.update("agent", decide, { callId: "archive", approval: "given" }));
    await face.update("agent", decide, { callId: "delete", approval: "given" });
    await face.signal("agent", stop, "archive");
    const result = await outcome(handle.result());
    return [openCalls, refused, result, (await face.query("agent", transcriptOf)).transcript];
  },

  async "mutex.ts gives a lock to one workflow after the other"(face) {
    await face.execute(mutex, { id: "printer", input: newMutex });
    const handles = [];
    for (const id of ["job-1", "job-2", "job-3"]) handles.push(await face.execute(printJob, { id, input: 1 }));
    await face.cancel("job-3", "not needed");
    const results = [];
    for (const handle of handles) results.push(await outcome(handle.result()));
    await face.terminate("printer");
    return results;
  },

  async "schedule.ts is paused, and starts a report by hand"(face) {
    await face.execute(nightly, { id: "nightly" });
    await face.signal("nightly", pauseSchedule);
    await face.signal("nightly", triggerSchedule);
    const info = await untilAnswer("it ran", () => face.query("nightly", scheduleInfo), ({ runs }) => runs === 1);
    await face.cancel("nightly");
    return [info.runs, info.paused, await outcome((await face.handle("nightly")).result())];
  },
};
