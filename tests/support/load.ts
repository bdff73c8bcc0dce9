/**
 * What a process does that is killed by `kill_rounds.ts`: workflows with activities, and signals to them, until it ends.
 *
 * It prints what has happened, one line at a time, each written at once: `ran WORKFLOW STEP` when an activity runs, and
 * `stored WORKFLOW RUN LENGTH` and `recorded WORKFLOW STEP` when the store has acknowledged it.
 *
 * @module
 */

import { type AppendBatch, Executor, type WorkflowContext, type WorkflowStore } from "@rockpool/workflow";
import type { AnyWorkflow } from "../../options.ts";
import { silent } from "./executors.ts";

/** Writes a line at once. */
export function print(...words: unknown[]): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${words.join(" ")}\n`));
}

/** The same store, which prints what it has stored. */
function reporting(store: WorkflowStore): WorkflowStore {
  const append = store.append.bind(store);
  store.append = async (batch: AppendBatch) => {
    await append(batch);
    const { workflowId, runId, expectedLength, events } = batch;
    if (events.length > 0) print("stored", workflowId, runId, expectedLength + events.length);
    for (const event of events) {
      if (event.type === "activity_completed") print("recorded", workflowId, event.result);
    }
  };
  return store;
}

async function work(ctx: WorkflowContext<string>): Promise<number> {
  for (let step = 0; step < 5; step++) {
    await ctx.executeActivity(function ran(n: number) {
      print("ran", ctx.workflowId, n);
      return n;
    }, step);
  }
  return await ctx.waitForSignal("end");
}

/**
 * Works until the process is killed.
 *
 * @param store The store, which a killed process may have used.
 * @param round Is in the IDs of the new workflows.
 * @param options `leaseMs` of the executor; `large`: the input of some workflows; `workflow`: what runs instead of the one of this module,
 * and `workflows`: its children.
 */
export async function loadUntilKilled(
  store: WorkflowStore,
  round: string,
  { leaseMs, large = "", workflow = work as AnyWorkflow, workflows = { work } }: {
    readonly leaseMs?: number;
    readonly large?: string;
    readonly workflow?: AnyWorkflow;
    readonly workflows?: Readonly<Record<string, AnyWorkflow>>;
  } = {},
): Promise<never> {
  const executor = new Executor({ store: reporting(store), workflows, logger: silent, leaseMs });
  const open = new Set((await executor.recover()).map(({ id }) => id));
  print("recovered", open.size);
  for (let i = 0;; i++) {
    const ids = Array.from({ length: 10 }, (_, n) => `${round}-${i}-${n}`);
    await Promise.all(
      ids.map((id, n) => executor.execute(workflow as typeof work, { id, input: n === 0 ? large : "" })),
    );
    for (const id of ids) open.add(id);
    const ends = [...open].slice(0, 8);
    // A recovered run may have got its signal from the process that was killed.
    await Promise.allSettled(ends.map((id) => executor.signal(id, "end", 1)));
    for (const id of ends) open.delete(id);
  }
}
