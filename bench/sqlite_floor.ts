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
import { measureRuns } from "./durable_runs.ts";
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
  await measureRuns(store, ROUNDS, measure);
}
db.close();
Deno.removeSync(folder, { recursive: true });
