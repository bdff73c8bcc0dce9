/**
 * `fork()` of each example from each of its events: the second run does the same and comes to the same end. Its services answer by their
 * input and the time alone; messages come at their times, and the children are its own.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { InMemoryStore, VirtualClock, type WorkflowContext, type WorkflowState } from "@rockpool/workflow";
import type { AnyWorkflow } from "@rockpool/workflow/options";
import { triggerSchedule } from "@rockpool/workflow/schedule";
import { type DroppedMessage, fork } from "@rockpool/workflow/storage";
import { fails, replace, type Replacement, takes, TestExecutor } from "@rockpool/workflow/testing";
import { type Answer, createAgent, decide, type Message, stop } from "../examples/agent.ts";
import { decided, expense } from "../examples/approval.ts";
import { account, move } from "../examples/entity.ts";
import { wordCount } from "../examples/fan_out.ts";
import { order as killedOrder, STEPS } from "../examples/killed_orders.ts";
import { mutex, newMutex, printJob } from "../examples/mutex.ts";
import { createOrderWorkflow, type Shop } from "../examples/order_workflow.ts";
import { poll } from "../examples/polling.ts";
import { trip } from "../examples/saga.ts";
import { nightly, report } from "../examples/schedule.ts";
import { subscription } from "../examples/subscription.ts";
import { sampleOrder } from "./support/sample_order.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Something that comes from outside. */
type Sent =
  | { readonly at: number; readonly signal: string | { readonly name: string }; readonly payload?: unknown }
  | { readonly at: number; readonly update: { readonly name: string }; readonly input?: unknown }
  | { readonly at: number; readonly cancel: true };

interface Example {
  readonly name: string;
  readonly workflow: AnyWorkflow;
  readonly input?: unknown;
  /** Its children. */
  readonly workflows?: Readonly<Record<string, AnyWorkflow>>;
  readonly activities?: (now: () => number) => readonly Replacement[];
  readonly sent?: readonly Sent[];
  readonly ends: WorkflowState["status"];
}

const slow = <Input>(name: string, answer: (input: Input) => unknown) => replace(name, takes(10, answer as never));

const model = (transcript: readonly Message[]): Answer => {
  const n = transcript.filter(({ role }) => role === "assistant").length;
  if (n === 2) return { role: "assistant", text: transcript.map(({ text }) => text).join(", "), calls: [] };
  const call = (id: string, tool: string) => ({ id: `${id}${n}`, tool, input: id });
  return { role: "assistant", text: `answer ${n}`, calls: [call("a", "search"), call("b", "remove")] };
};
const tools = {
  search: { run: (place: string) => `searched ${place}` },
  remove: { run: (file: string) => `removed ${file}`, isDangerous: true },
};

const shop: Shop = {
  reserveStock: () => Promise.resolve("reserved"),
  releaseStock: () => Promise.resolve("released"),
  chargeCard: () => Promise.resolve("payment 1"),
  voidPayment: () => Promise.resolve("voided"),
  bookCarrier: () => Promise.resolve("parcel 1"),
};

/** A lock, and jobs that need it at the same time. */
async function office(ctx: WorkflowContext) {
  ctx.startChild(mutex, newMutex, { id: "printer" });
  await ctx.signalWorkflow("printer", "hello"); // the lock has started
  const jobs = ["job-1", "job-2"].map((id) => ctx.startChild(printJob, 2, { id }));
  return (await Promise.allSettled(jobs.map((job) => job.result()))).map(({ status }) => status);
}

const EXAMPLES: readonly Example[] = [
  {
    name: "agent.ts",
    workflow: createAgent({ model, tools }),
    input: { transcript: [{ role: "user", text: "go" }], answersLeft: 5, deadlineAt: HOUR_MS },
    activities: () => [replace("search", takes(500, (place) => `searched ${place}`))],
    sent: [
      { at: 1000, update: decide, input: { callId: "b0", approval: "given" } },
      { at: 1200, signal: stop, payload: "a1" },
      { at: 3000, update: decide, input: { callId: "b1", approval: "refused" } },
    ],
    ends: "completed",
  },
  {
    name: "approval.ts",
    workflow: expense,
    input: { what: "a boat", euros: 9000 },
    activities: () => [slow("sendMail", () => {})],
    sent: [{ at: 4 * DAY_MS, signal: decided, payload: { approved: true, by: "Ada" } }],
    ends: "completed",
  },
  {
    name: "approval.ts, nobody decides",
    workflow: expense,
    input: { what: "a boat", euros: 9000 },
    activities: () => [slow("sendMail", () => {})],
    ends: "completed",
  },
  {
    name: "entity.ts",
    workflow: account,
    input: { balance: 100, runs: 0 },
    activities: () => [slow("audit", () => {})],
    sent: [
      { at: 1000, update: move, input: 500 },
      { at: 2000, update: move, input: -120 },
      { at: 3000, cancel: true },
    ],
    ends: "canceled",
  },
  { name: "fan_out.ts", workflow: wordCount, input: ["dawn", "rain", "noon", "wind"], ends: "completed" },
  {
    name: "killed_orders.ts",
    workflow: killedOrder,
    input: 10,
    activities: () => STEPS.map((step) => slow(step, () => {})),
    ends: "completed",
  },
  {
    name: "mutex.ts",
    workflow: office,
    workflows: { mutex, printJob },
    activities: () => [slow("print", () => {})],
    ends: "completed",
  },
  {
    name: "order_workflow.ts",
    workflow: createOrderWorkflow(shop),
    input: sampleOrder,
    sent: [{ at: 1000, signal: "approval", payload: { approved: true, by: "Ada" } }],
    ends: "completed",
  },
  {
    name: "order_workflow.ts, refused",
    workflow: createOrderWorkflow(shop),
    input: sampleOrder,
    sent: [{ at: 1000, signal: "approval", payload: { approved: false, by: "Ada" } }],
    ends: "completed",
  },
  {
    name: "order_workflow.ts, cancelled",
    workflow: createOrderWorkflow(shop),
    input: sampleOrder,
    sent: [{ at: 1000, cancel: true }],
    ends: "canceled",
  },
  {
    name: "polling.ts",
    workflow: poll,
    input: { job: "the report", giveUpAfterMs: HOUR_MS },
    activities: (now) => [slow("statusOf", () => now() < 20 * MINUTE_MS ? "running" : "done")],
    ends: "completed",
  },
  {
    name: "saga.ts",
    workflow: trip,
    input: ["flight", "hotel", "car"],
    activities: () => [
      slow("book", (part) => part === "car" ? fails("sold out")() : `${part} booked`),
      slow("release", () => {}),
    ],
    ends: "failed",
  },
  {
    name: "schedule.ts",
    workflow: nightly,
    workflows: { report },
    activities: () => [slow("countSales", () => 100)],
    sent: [{ at: 30 * HOUR_MS, signal: triggerSchedule }, { at: 60 * HOUR_MS, cancel: true }],
    ends: "canceled",
  },
  {
    name: "subscription.ts",
    workflow: subscription,
    input: { name: "small", euros: 10 },
    activities: (now) => [slow("charge", () => new Date(now()).toISOString().slice(0, 10))],
    sent: [{ at: 100 * DAY_MS, signal: "plan", payload: { name: "large", euros: 25 } }],
    ends: "completed",
  },
];

/** Sends a message at its time. One that its receiver refuses, or that finds it ended, has been sent as well. */
function sendAt(executor: TestExecutor, id: string, message: Sent): void {
  const text = (name: string | { readonly name: string }) => typeof name === "string" ? name : name.name;
  const send = () =>
    "signal" in message
      ? executor.signal(id, text(message.signal), message.payload)
      : "update" in message
      ? executor.update(id, text(message.update), message.input)
      : executor.cancel(id);
  // The time passes while an update is handled.
  executor.clock.at(Math.max(0, message.at - executor.clock.now()), () => void send().catch(() => {}));
}

const asSent = (message: DroppedMessage): Sent =>
  message.type === "signal_received"
    ? { at: message.at, signal: message.name, payload: message.payload }
    : message.type === "cancel_requested"
    ? { at: message.at, cancel: true }
    : { at: message.at, update: message, input: message.input };

function executorOf({ workflow, workflows, activities }: Example, startAt: number): TestExecutor {
  const clock = new VirtualClock({ startAt });
  return new TestExecutor({
    clock,
    store: new InMemoryStore({ clock }),
    workflows: { ...workflows, [workflow.name]: workflow },
    activities: activities?.(() => clock.now()) ?? [],
  });
}

/** Runs the example. */
async function sourceOf(example: Example): Promise<WorkflowState> {
  const executor = executorOf(example, 0);
  const handle = await executor.execute(example.workflow as () => unknown, { id: "a", input: example.input } as never);
  for (const message of example.sent ?? []) sendAt(executor, "a", message);
  await handle.result().catch(() => {});
  await executor.close();
  return (await executor.store.load("a"))!;
}

/** Runs a fork of a run. */
async function forkOf(example: Example, source: WorkflowState, after: number): Promise<WorkflowState> {
  const { batch, drops } = fork(source, { after, id: "b", children: "repeat" });
  const executor = executorOf(example, source.history[after - 1].at);
  await executor.store.append(batch);
  for (const message of drops) sendAt(executor, "b", asSent(message));
  await Promise.all((await executor.recover()).map((handle) => handle.result().catch(() => {})));
  await executor.close();
  return (await executor.store.load("b"))!;
}

/** What a run did and how it ended, without IDs. What comes from before the cut has those of the source. */
function outline({ runId, status, result, error, history }: WorkflowState): string[] {
  const commands = history.flatMap((event) =>
    "seq" in event && "name" in event ? [`${event.seq} ${event.type} ${event.name}`] : []
  );
  const end = `${status} ${JSON.stringify(error?.message ?? result)}`;
  return [...commands, end.replaceAll(runId, "RUN").replaceAll(/\\"[ab]\\"/g, "ID")];
}

/** Whether an update was accepted and not answered in the first events of a run. */
function hasOpenUpdate({ history }: WorkflowState, after: number): boolean {
  const kept = history.slice(0, after).map(({ type }) => type);
  const count = (wanted: string) => kept.filter((type) => type === wanted).length;
  return count("update_accepted") > count("update_completed");
}

for (const example of EXAMPLES) {
  Deno.test(`fork() of examples/${example.name} comes to the same end from every cut`, async () => {
    const source = await sourceOf(example);
    assertEquals(source.status, example.ends);
    let cuts = 0;
    for (let after = 1; after < source.history.length; after++) {
      if (hasOpenUpdate(source, after)) {
        assertThrows(() => fork(source, { after, id: "b", children: "repeat" }), Error, "is open there");
        continue;
      }
      assertEquals(outline(await forkOf(example, source, after)), outline(source), `after event ${after}`);
      cuts++;
    }
    assert(cuts > 0);
  });
}

Deno.test("fork() is tested with each example that has a workflow", async () => {
  const folder = new URL("../examples/", import.meta.url);
  const tested = new Set(EXAMPLES.map(({ name }) => name.split(",")[0]));
  tested.add("own_store.ts"); // it is about a store
  const missing: string[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    if (!/^[a-z_]+\.ts$/.test(name) || name.endsWith("_test.ts") || tested.has(name)) continue;
    if ((await Deno.readTextFile(new URL(name, folder))).includes("ctx: WorkflowContext")) missing.push(name);
  }
  assertEquals(missing, []);
});
