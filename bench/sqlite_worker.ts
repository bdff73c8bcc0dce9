/**
 * What does the option `worker` of an `SqliteStore` change: for how long is the thread of the program blocked, and what does a run cost?
 *
 * `deno run --allow-read --allow-write bench/sqlite_worker.ts [FOLDER]`. The folder must be on the disk that is meant. A slow disk:
 * `strace -f -qq -e trace=fsync,fdatasync -e inject=fsync,fdatasync:delay_enter=10000 -o /dev/null deno run …`.
 *
 * A timer fires as often as it can. The thread counts as blocked between two timers that are more than 5 ms apart. Both modes
 * alternate, and what is printed is the median of the rounds.
 *
 * @module
 */

import { Executor, type WorkflowContext } from "../mod.ts";
import { SqliteStore } from "../stores/sqlite.ts";

const ROUNDS = 5;
const folder = Deno.makeTempDirSync({ dir: Deno.args[0] ?? ".", prefix: "sqlite_worker_" });

async function work(ctx: WorkflowContext<number>, n: number): Promise<number> {
  return await ctx.executeActivity(() => n + 1);
}

/** Runs `count` workflows, at most `atOnce` at a time. Returns the time of each, and the part of the time that was blocked. */
async function run(store: SqliteStore, count: number, atOnce: number): Promise<{ ms: number; blocked: number }> {
  await using executor = new Executor({ store });
  let blocked = 0;
  const from = performance.now();
  let last = from;
  const look = () => {
    const now = performance.now();
    if (now - last > 5) blocked += now - last;
    last = now;
  };
  const timer = setInterval(look, 0);
  let next = 0;
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (next++ < count) await (await executor.execute(work, { input: next })).result();
  }));
  look();
  clearInterval(timer);
  const ms = performance.now() - from;
  return { ms: ms / count, blocked: blocked / ms };
}

const median = (numbers: number[]) => numbers.sort((a, b) => a - b)[numbers.length >> 1];

{
  await using here = await SqliteStore.open(`${folder}/here.db`);
  await using worker = await SqliteStore.open(`${folder}/worker.db`, { worker: true });
  for (const [name, count, atOnce] of [["one after the other", 40, 1], ["100 at once", 400, 100]] as const) {
    const rounds = [];
    for (let i = -1; i < ROUNDS; i++) {
      const round = { here: await run(here, count, atOnce), worker: await run(worker, count, atOnce) };
      if (i >= 0) rounds.push(round); // the first one warms up
    }
    const percent = (part: number) => `${(100 * part).toFixed(0)} %`;
    const blocked = [
      median(rounds.map(({ here }) => here.blocked)),
      median(rounds.map(({ worker }) => worker.blocked)),
    ];
    const ratio = median(rounds.map(({ here, worker }) => worker.ms / here.ms));
    console.log(
      `${name}: blocked ${percent(blocked[0])} without a worker, ${percent(blocked[1])} with it; a run takes ${
        ratio.toFixed(2)
      } of the time`,
    );
  }
}
Deno.removeSync(folder, { recursive: true });
