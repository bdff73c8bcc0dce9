/**
 * What do leases cost? The same work in an SQLite file by an executor with leases, as several processes need them, and by one with
 * `leaseMs: 0`.
 *
 * `deno run --allow-read --allow-write bench/leases.ts [FOLDER]`. The folder must be on the disk that is meant.
 *
 * Both alternate, and the ratio is that of the same round. Printed is the median, and the lowest and the highest ratio.
 *
 * @module
 */

import { Executor, type WorkflowContext } from "../mod.ts";
import { SqliteStore } from "../stores/sqlite.ts";

const ROUNDS = 7;
const folder = Deno.makeTempDirSync({ dir: Deno.args[0] ?? ".", prefix: "leases_" });
let runs = 0;

const many = <T>(count: number, body: () => Promise<T>) => Promise.all(Array.from({ length: count }, body));
const workflows = {
  one: (ctx: WorkflowContext) => ctx.executeActivity(() => 1),
  async row(ctx: WorkflowContext) {
    for (let i = 0; i < 10; i++) await ctx.executeActivity(() => i);
  },
  waits: (ctx: WorkflowContext) => ctx.waitForSignal("go"),
};

async function measure(name: string, body: (executor: Executor) => Promise<unknown>): Promise<void> {
  await using store = await SqliteStore.open(`${folder}/${name}.db`);
  await using leased = new Executor({ store, workflows });
  await using alone = new Executor({ store, workflows, leaseMs: 0 });
  const timed = async (executor: Executor) => {
    const from = performance.now();
    await body(executor);
    return performance.now() - from;
  };
  await timed(leased);
  await timed(alone);
  const ratios: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const [first, second] = i % 2 === 0 ? [leased, alone] : [alone, leased];
    const times = [await timed(first), await timed(second)];
    ratios.push(i % 2 === 0 ? times[0] / times[1] : times[1] / times[0]);
  }
  ratios.sort((a, b) => a - b);
  const [median, low, high] = [ratios[ROUNDS >> 1], ratios[0], ratios.at(-1)!].map((ratio) => ratio.toFixed(2));
  console.log(`${name}: ${median} (${low} to ${high}) of the time without leases`);
}

const start = (executor: Executor, workflow: (ctx: WorkflowContext) => Promise<unknown>) =>
  executor.execute(workflow, { id: `${runs++}` });
const run = async (executor: Executor, workflow: (ctx: WorkflowContext) => Promise<unknown>) =>
  await (await start(executor, workflow)).result();

await measure("a run with one activity, one after the other", async (executor) => {
  for (let i = 0; i < 50; i++) await run(executor, workflows.one);
});
await measure("a run with ten activities, one after the other", async (executor) => {
  for (let i = 0; i < 10; i++) await run(executor, workflows.row);
});
await measure("1,000 runs with one activity at once", (executor) => many(1000, () => run(executor, workflows.one)));
await measure("a signal to each of 500 waiting runs, and their end", async (executor) => {
  const handles = await many(500, () => start(executor, workflows.waits));
  await Promise.all(handles.map(async (handle) => {
    await handle.signal("go");
    await handle.result();
  }));
});
Deno.removeSync(folder, { recursive: true });
