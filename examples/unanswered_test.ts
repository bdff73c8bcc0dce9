import { assertEquals } from "@std/assert";
import { Executor, InMemoryStore, VirtualClock } from "@rockpool/workflow";
import type { AnyWorkflow } from "@rockpool/workflow/options";
import { sampleOrder } from "../tests/support/sample_order.ts";
import { createAgent } from "./agent.ts";
import { expense } from "./approval.ts";
import { account, move } from "./entity.ts";
import { wordCount } from "./fan_out.ts";
import { createOrderWorkflow } from "./order_workflow.ts";
import { poll } from "./polling.ts";
import { trip } from "./saga.ts";
import { report } from "./schedule.ts";
import { SimulatedShop } from "./simulated_shop.ts";
import { subscription } from "./subscription.ts";

const DAY_MS = 86_400_000;
const model = () => ({ role: "assistant", text: "", calls: [] }) as const;

/** Each example, and how it ends when no service ever answers; "running" if it tries for ever. */
const examples: [name: string, workflow: AnyWorkflow, input: unknown, status: string][] = [
  ["agent.ts", createAgent({ model, tools: {} }), { transcript: [], answersLeft: 5, deadlineAt: DAY_MS }, "failed"],
  ["approval.ts", expense, { what: "a boat", euros: 9000 }, "completed"],
  ["entity.ts", account, { balance: 0, runs: 0 }, "running"],
  ["fan_out.ts", wordCount, ["dawn", "rain"], "failed"],
  ["order_workflow.ts", createOrderWorkflow(new SimulatedShop(new Map())), sampleOrder, "running"],
  ["polling.ts", poll, { job: "the report", giveUpAfterMs: 1000 }, "failed"],
  ["saga.ts", trip, ["flight"], "running"],
  ["schedule.ts", report, { scheduleId: "a", dueAt: 0, triggered: false, input: undefined }, "failed"],
  ["subscription.ts", subscription, { name: "small", euros: 10 }, "failed"],
];

for (const [name, workflow, input, status] of examples) {
  Deno.test(`examples/${name} does not wait for ever for a service that never answers`, async () => {
    const clock = new VirtualClock({ autoAdvance: false });
    const replaceActivity = () => () => new Promise<never>(() => {});
    const executor = new Executor({ store: new InMemoryStore(), clock, replaceActivity });
    const handle = await executor.execute(workflow as () => unknown, { id: "a", input });
    if (name === "entity.ts") executor.update("a", move, 5).catch(() => {});
    await clock.advance(8 * DAY_MS);
    assertEquals(handle.status, status);
    const attempts = executor.openRuns().flatMap((run) =>
      run.waitsFor.flatMap((wait) => wait.type === "activity" ? [wait.attempt > 1] : [])
    );
    assertEquals(attempts, status === "running" ? [true] : []);
    await executor.close();
  });
}
