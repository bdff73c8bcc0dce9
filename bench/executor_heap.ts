/**
 * How much memory does a waiting workflow take? `deno run --v8-flags=--expose-gc bench/executor_heap.ts`
 *
 * The floors are the stored state without an executor, and the workflow's own code that waits for a bare promise. Every row
 * starts workflows in an executor of its own. It measures the heap before and after, without garbage. No handle is kept.
 *
 * @module
 */

import { Executor, InMemoryStore, type WorkflowContext } from "../mod.ts";

declare const gc: () => void;

const COUNT = 100_000;

async function onSignal(ctx: WorkflowContext): Promise<void> {
  await ctx.waitForSignal("go");
}

async function inLoop(ctx: WorkflowContext): Promise<void> {
  for await (const _ of ctx.receiveSignal("go"));
}

async function onSleep(ctx: WorkflowContext): Promise<void> {
  await ctx.sleep(86_400_000);
}

const executors: Executor[] = [];

async function measure(fill: () => Promise<unknown>): Promise<number> {
  gc();
  const before = Deno.memoryUsage().heapUsed;
  const filled = await fill();
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setTimeout(resolve)); // awaited promises are garbage after that
  gc();
  const bytes = Deno.memoryUsage().heapUsed - before;
  if (filled === undefined) throw new Error("Nothing was kept");
  return Math.round(bytes / COUNT);
}

const ids = Array.from({ length: COUNT }, (_, n) => `workflow-${n}`); // the callers hold the IDs

async function started(workflow: (ctx: WorkflowContext) => Promise<void>, dormantAfterMs?: number) {
  const executor = new Executor({ store: new InMemoryStore(), dormantAfterMs });
  for (const id of ids) await executor.execute(workflow, { id });
  return executors.push(executor);
}

const rows: Record<string, () => Promise<unknown>> = {
  "floor: the stored state alone": async () => {
    const store = new InMemoryStore();
    for (const id of ids) {
      const event = { type: "workflow_started", at: Date.now(), workflowName: "onSignal", input: undefined } as const;
      await store.append({ workflowId: id, runId: crypto.randomUUID(), expectedLength: 0, events: [event] });
    }
    return store;
  },
  "floor: code that waits for a promise": async () => {
    const waits: ((value: unknown) => void)[] = [];
    const waitForSignal = () => new Promise((resolve) => waits.push(resolve));
    for (const _ of ids) onSignal({ waitForSignal } as unknown as WorkflowContext);
    await null;
    return waits;
  },
  "waits for a signal": () => started(onSignal),
  "waits for a signal in a loop": () => started(inLoop),
  "sleeps": () => started(onSleep),
  "waits for a signal, dormant": () => started(onSignal, 0),
  "sleeps, dormant": () => started(onSleep, 0),
};

for (const fill of Object.values(rows)) await measure(fill); // the first run also allocates the compiled code
console.log(`bytes a workflow, of ${COUNT}`);
for (const [name, fill] of Object.entries(rows)) {
  console.log(name.padEnd(38), await measure(fill));
  for (const executor of executors.splice(0)) await executor.close();
}
