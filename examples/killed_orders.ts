/**
 * The process that `deno task demo --store FILE` kills, and the one that resumes its orders: one program, on an SQLite file.
 *
 * `deno run --allow-read --allow-write examples/killed_orders.ts FILE [new]` resumes the orders in the file, and
 * then starts new ones if it is told to. It prints what happens, one line each: `recorded ORDER STEP` for what the file has at the start,
 * `resumed ORDER`, `runs ORDER STEP`, `finished ORDER`. It knows nothing of another process.
 *
 * @module
 */

import { Executor, type WorkflowContext } from "@rockpool/workflow";
import { SqliteStore } from "@rockpool/workflow/sqlite";

/** What the workflow of an order calls, one after the other. */
export const STEPS = ["reserve", "charge", "ship"] as const;

/** How long each step of an order takes: one entry for each new order. A kill finds them at different steps. */
const STEP_MS = [60, 130, 170, 250, 500];

/** An order: its steps, one after the other. */
export async function order(ctx: WorkflowContext<number>, stepMs: number): Promise<void> {
  for (const step of STEPS) await ctx.executeActivity(run, { id: ctx.workflowId, step, stepMs }, { name: step });
}

async function run({ id, step, stepMs }: { id: string; step: string; stepMs: number }): Promise<void> {
  console.log(`runs ${id} ${step}`);
  await new Promise((resolve) => setTimeout(resolve, stepMs));
}

if (import.meta.main) {
  const [file, start] = Deno.args;
  await using store = await SqliteStore.open(file);
  for (const { workflowId, history } of await store.list({ status: "running" })) {
    const names = new Map(
      history.flatMap((event) => event.type === "activity_started" ? [[event.seq, event.name]] : []),
    );
    for (const event of history) {
      if (event.type === "activity_completed") console.log(`recorded ${workflowId} ${names.get(event.seq)}`);
    }
  }
  await using executor = new Executor({ store, workflows: { order } });
  const handles = await executor.recover();
  for (const { id } of handles) console.log(`resumed ${id}`);
  const known = await store.count();
  for (const [i, input] of start === "new" ? STEP_MS.entries() : []) {
    handles.push(await executor.execute(order, { id: `order-${known + i + 1}`, input }));
  }
  await Promise.all(handles.map(async (handle) => {
    await handle.result();
    console.log(`finished ${handle.id}`);
  }));
}
