/**
 * How much memory does a stored workflow take? `deno run --v8-flags=--expose-gc bench/store_heap.ts`
 *
 * The floor is a `Map` that holds the caller's own objects. Every row fills a store of its own. It measures the heap before and
 * after, without garbage.
 *
 * @module
 */

import { InMemoryStore, type WorkflowEvent, type WorkflowState } from "../mod.ts";

declare const gc: () => void;

const event = (seq: number): WorkflowEvent => ({
  type: "activity_completed",
  at: seq,
  seq,
  attempt: 1,
  result: { n: seq },
});

function stateOf(n: number, events: number): WorkflowState {
  const workflowId = `workflow-${n}`;
  const history = Array.from({ length: events }, (_, seq) => event(seq));
  const input = { order: n };
  return {
    workflowId,
    runId: "1",
    workflowName: "order",
    status: "running",
    input,
    history,
    createdAt: 0,
    updatedAt: n,
  };
}

async function measure(count: number, fill: () => Promise<unknown>): Promise<number> {
  gc();
  const before = Deno.memoryUsage().heapUsed;
  const filled = await fill();
  await new Promise((resolve) => setTimeout(resolve)); // awaited promises are garbage after that
  gc();
  const bytes = (Deno.memoryUsage().heapUsed - before) / count;
  if (filled === undefined) throw new Error("Nothing was kept");
  return Math.round(bytes);
}

async function filled(count: number, events: number): Promise<InMemoryStore> {
  const store = new InMemoryStore();
  for (let n = 0; n < count; n++) await store.save(stateOf(n, events));
  return store;
}

for (const [events, count] of [[0, 100_000], [1, 100_000], [50, 5_000]]) {
  const rows: Record<string, () => Promise<unknown>> = {
    "Map of the caller's objects": () =>
      Promise.resolve(new Map(Array.from({ length: count }, (_, n) => [`workflow-${n}`, stateOf(n, events)]))),
    "InMemoryStore": () => filled(count, events),
    "InMemoryStore, each loaded once": async () => {
      const store = await filled(count, events);
      for (let n = 0; n < count; n++) await store.load(`workflow-${n}`);
      return store;
    },
  };
  await measure(count, rows.InMemoryStore); // the first run also allocates the compiled code
  console.log(`\nbytes a workflow with ${events} events, of ${count}`);
  for (const [name, fill] of Object.entries(rows)) console.log(name.padEnd(34), await measure(count, fill));
}
