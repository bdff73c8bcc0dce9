/**
 * A process that writes to the file of a store until it is killed: workflows with activities, and signals to them.
 *
 * It prints what has happened, one line at a time, each written at once: `ran WORKFLOW STEP` when an activity runs, and
 * `stored WORKFLOW RUN LENGTH` and `recorded WORKFLOW STEP` when the store has acknowledged it.
 *
 * Arguments: the kind of the store, the path of the file, the number of the process.
 *
 * @module
 */

import { type AppendBatch, Executor, type WorkflowContext, type WorkflowStore } from "@rockpool/workflow";
import { OPEN, type StoreKind } from "./killed.ts";

const [kind, path, round] = Deno.args;
const { store } = await OPEN[kind as StoreKind](path);
const print = (...words: unknown[]) => Deno.stdout.writeSync(new TextEncoder().encode(`${words.join(" ")}\n`));

const told: WorkflowStore = {
  save: (state) => store.save(state),
  load: (id) => store.load(id),
  list: (filter) => store.list(filter),
  delete: (id) => store.delete(id),
  subscribe: (listener) => store.subscribe!(listener),
  async append(batch: AppendBatch) {
    await store.append(batch);
    const { workflowId, runId, expectedLength, events } = batch;
    if (events.length > 0) print("stored", workflowId, runId, expectedLength + events.length);
    for (const event of events) {
      if (event.type === "activity_completed") print("recorded", workflowId, event.result);
    }
  },
};

async function work(ctx: WorkflowContext<string>): Promise<number> {
  for (let step = 0; step < 5; step++) {
    await ctx.executeActivity(function ran(n: number) {
      print("ran", ctx.workflowId, n);
      return n;
    }, step);
  }
  return await ctx.waitForSignal("end");
}

/** Larger than what Deno KV writes in one transaction. */
const large = "large".repeat(100_000);
const executor = new Executor({ store: told, workflows: { work } });
const open = new Set((await executor.recover()).map(({ id }) => id));
print("recovered", open.size);
for (let i = 0;; i++) {
  const ids = Array.from({ length: 10 }, (_, n) => `${round}-${i}-${n}`);
  await Promise.all(ids.map((id, n) => executor.execute(work, { id, input: n === 0 ? large : "" })));
  for (const id of ids) open.add(id);
  const ends = [...open].slice(0, 8);
  // A recovered run may have got its signal from the process that was killed.
  await Promise.allSettled(ends.map((id) => executor.signal(id, "end", 1)));
  for (const id of ends) open.delete(id);
}
