/**
 * What does a run in Deno KV cost, compared with one in an SQLite file?
 *
 * `deno run --unstable-kv --allow-read --allow-write bench/deno_kv.ts [FOLDER]`. The folder must be on the disk that is meant.
 *
 * Both stores wait for the disk at each commit. They alternate, and the ratio is that of the same round. Printed is the median.
 *
 * @module
 */

import { Executor, type WorkflowContext } from "../mod.ts";
import { DenoKvStore } from "../stores/deno_kv.ts";
import { SqliteStore } from "../stores/sqlite.ts";

const ROUNDS = 5;
const folder = Deno.makeTempDirSync({ dir: Deno.args[0] ?? ".", prefix: "deno_kv_" });

/** What is measured in both stores: how many runs, and what is done. */
const questions: Record<string, [count: number, body: (executor: Executor, id: string) => Promise<unknown>]> = {};
const one = (ctx: WorkflowContext) => ctx.executeActivity(() => 1);
const many = <T>(count: number, body: (n: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, n) => body(n)));

for (const [atOnce, count] of [[1, 50], [100, 400], [1000, 1000]]) {
  questions[`start, one activity and end, ${atOnce} at once`] = [count, async (executor, id) => {
    for (let i = 0; i < count; i += atOnce) {
      await many(atOnce, async (n) => await (await executor.execute(one, { id: `${id}-${i}-${n}` })).result());
    }
  }];
}
questions["1,000 runs are started, get a signal each, and end"] = [1000, async (executor, id) => {
  const handles = await many(1000, (n) => executor.execute((ctx) => ctx.waitForSignal("go"), { id: `${id}-${n}` }));
  await Promise.all(handles.map(async (handle) => {
    await handle.signal("go");
    await handle.result();
  }));
}];

async function timed(count: number, body: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await body();
  return (performance.now() - from) / count;
}

{
  using kv = await Deno.openKv(`${folder}/kv.db`);
  await using inKv = new DenoKvStore(kv);
  await using inSqlite = await SqliteStore.open(`${folder}/sqlite.db`);
  for (const [name, [count, body]] of Object.entries(questions)) {
    const rounds: { ms: number; ratio: number }[] = [];
    for (let round = 0; round <= ROUNDS; round++) {
      const times: number[] = [];
      for (const store of [inSqlite, inKv]) {
        await using executor = new Executor({ store });
        times.push(await timed(count, () => body(executor, `${name} ${round}`)));
      }
      if (round > 0) rounds.push({ ms: times[1], ratio: times[1] / times[0] });
    }
    const { ms, ratio } = rounds.sort((a, b) => a.ratio - b.ratio)[ROUNDS >> 1];
    console.log(`${name}: ${(1000 * ms).toFixed(0)} µs each, ${ratio.toFixed(1)} of SqliteStore`);
  }
  for (const [name, body] of [["heads() of 50", 50], ["list() of 1,000 finished runs", 1000]] as const) {
    const ratios: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const times: number[] = [];
      for (const store of [inSqlite, inKv]) {
        const read = body === 50 ? () => store.heads({ limit: 50 }) : () => store.list({ limit: 1000 });
        times.push(await timed(1, read));
      }
      ratios.push(times[1] / times[0]);
    }
    console.log(`${name}, of many: ${ratios.sort((a, b) => a - b)[ROUNDS >> 1].toFixed(1)} of SqliteStore`);
  }
}
Deno.removeSync(folder, { recursive: true });
