/**
 * A process that writes to a store until it is killed: workflows with activities, and signals to them.
 *
 * It prints what has happened, one line at a time, each written at once: `ran WORKFLOW STEP` when an activity runs, and
 * `stored WORKFLOW RUN LENGTH` and `recorded WORKFLOW STEP` when the store has acknowledged it.
 *
 * @module
 */

import { type AppendBatch, Executor, type WorkflowContext, type WorkflowStore } from "@rockpool/workflow";
import { SqliteStore } from "@rockpool/workflow/sqlite";
import { openSchema } from "../postgres/clients.ts";

const [kind, place, round] = Deno.args;
const store = kind === "sqlite" ? await SqliteStore.open(place) : await openSchema(place);
const print = (...words: unknown[]) => Deno.stdout.writeSync(new TextEncoder().encode(`${words.join(" ")}\n`));

const told: WorkflowStore = {
  save: (state) => store.save(state),
  load: (id) => store.load(id),
  list: (filter) => store.list(filter),
  delete: (id) => store.delete(id),
  subscribe: (listener) => store.subscribe(listener),
  async append(batch: AppendBatch) {
    await store.append(batch);
    const { workflowId, runId, expectedLength, events } = batch;
    if (events.length > 0) print("stored", workflowId, runId, expectedLength + events.length);
    for (const event of events) {
      if (event.type === "activity_completed") print("recorded", workflowId, event.result);
    }
  },
};

async function work(ctx: WorkflowContext): Promise<number> {
  for (let step = 0; step < 5; step++) {
    await ctx.executeActivity(function ran(n: number) {
      print("ran", ctx.workflowId, n);
      return n;
    }, step);
  }
  return await ctx.waitForSignal("end");
}

const executor = new Executor({ store: told, workflows: { work } });
const open = new Set((await executor.recover()).map(({ id }) => id));
print("recovered", open.size);
for (let i = 0;; i++) {
  const ids = Array.from({ length: 10 }, (_, n) => `${round}-${i}-${n}`);
  await Promise.all(ids.map((id) => executor.execute(work, { id })));
  for (const id of ids) open.add(id);
  const ends = [...open].slice(0, 8);
  // A recovered run may have got its signal from the process that was killed.
  await Promise.allSettled(ends.map((id) => executor.signal(id, "end", 1)));
  for (const id of ends) open.delete(id);
}
