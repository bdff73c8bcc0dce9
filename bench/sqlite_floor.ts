/**
 * What does a run in an SQLite file cost, compared with a bare INSERT and COMMIT?
 *
 * `deno run --allow-read --allow-write bench/sqlite_floor.ts [FOLDER]`. The folder must be on the disk that is meant.
 *
 * The floor and the runs alternate, each with `synchronous=FULL`, and the ratio is that of the same round. Printed is the round with the median ratio.
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import { Executor, type WorkflowContext } from "../mod.ts";
import { SqliteStore } from "../stores/sqlite.ts";

const ROUNDS = 5;
const folder = Deno.makeTempDirSync({ dir: Deno.args[0] ?? ".", prefix: "sqlite_floor_" });

const db = new DatabaseSync(`${folder}/floor.db`);
db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE floor (text TEXT)");
const insert = db.prepare("INSERT INTO floor VALUES (?)");

/** The time of one INSERT and COMMIT, in ms. */
function floor(): number {
  const count = 200;
  const from = performance.now();
  for (let i = 0; i < count; i++) {
    db.exec("BEGIN");
    insert.run("x".repeat(200));
    db.exec("COMMIT");
  }
  return (performance.now() - from) / count;
}

async function measure(name: string, count: number, body: () => Promise<void>): Promise<void> {
  await body();
  const rounds: { ms: number; floorMs: number; ratio: number }[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const floorMs = floor();
    const from = performance.now();
    await body();
    const ms = (performance.now() - from) / count;
    rounds.push({ ms, floorMs, ratio: ms / floorMs });
  }
  const { ms, floorMs, ratio } = rounds.sort((a, b) => a.ratio - b.ratio)[ROUNDS >> 1];
  const [us, floorUs] = [ms, floorMs].map((time) => `${(1000 * time).toFixed(0)} µs`);
  console.log(`${name}: ${us} each, ${ratio.toFixed(2)} of the floor of ${floorUs}`);
}

{
  await using store = await SqliteStore.open(`${folder}/workflows.db`);
  await using executor = new Executor({ store });
  let runs = 0;
  const start = <T>(workflow: (ctx: WorkflowContext) => Promise<T>) => executor.execute(workflow, { id: `${runs++}` });
  const one = (ctx: WorkflowContext) => ctx.executeActivity(() => 1);
  const many = <T>(count: number, body: () => Promise<T>) => Promise.all(Array.from({ length: count }, body));
  for (const [atOnce, count] of [[1, 100], [100, 1000], [1000, 2000]]) {
    await measure(`start, one activity and end, ${atOnce} at once`, count, async () => {
      for (let i = 0; i < count; i += atOnce) await many(atOnce, async () => await (await start(one)).result());
    });
  }
  const waiting = await many(1000 * (ROUNDS + 1), () => start((ctx) => ctx.waitForSignal("go")));
  await measure("a signal to each of 1,000 runs, and their end", 1000, async () => {
    const handles = waiting.splice(0, 1000);
    await Promise.all(handles.map(async (handle) => {
      await handle.signal("go");
      await handle.result();
    }));
  });
}
db.close();
Deno.removeSync(folder, { recursive: true });
