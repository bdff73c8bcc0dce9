/**
 * What does a run in a Postgres database cost, compared with a bare INSERT and COMMIT?
 *
 * `deno run -A --node-modules-dir=manual bench/postgres_floor.ts [CLIENT] [RELEASE]`. It starts a server of its own, with `fsync` on.
 * CLIENT is `postgres` (postgres.js, the default) or `pg`; RELEASE is `debian` (the default) or `npm`.
 *
 * The floor and the runs alternate, and the ratio is that of the same round. Printed is the median.
 *
 * @module
 */

import { measureRuns } from "./durable_runs.ts";
import { PostgresStore } from "../stores/postgres.ts";
import { connect } from "../tests/postgres/clients.ts";
import { installPackages, PostgresServer, releases } from "../tools/postgres/server.ts";

const ROUNDS = 5;
const [name = "postgres", wanted = "debian"] = Deno.args;
const modules = await installPackages();
await using found = await releases(modules);
const release = found.list.find(({ id }) => id === wanted)!;

/** Measures on one server. */
async function bench(server: PostgresServer): Promise<void> {
  await using connection = await connect({ url: server.url, modules, name: name as "postgres", max: 4 });
  await connection.sql("CREATE TABLE floor (text text)");

  /** The time of one INSERT and COMMIT, in ms. */
  async function floor(): Promise<number> {
    const count = 200;
    const from = performance.now();
    for (let i = 0; i < count; i++) await connection.insert("INSERT INTO floor VALUES ($1)", ["x".repeat(200)]);
    return (performance.now() - from) / count;
  }

  async function measure(name: string, count: number, body: () => Promise<void>): Promise<void> {
    await body();
    const rounds: { ms: number; ratio: number }[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      const floorMs = await floor();
      const from = performance.now();
      await body();
      const ms = (performance.now() - from) / count;
      rounds.push({ ms, ratio: ms / floorMs });
    }
    const { ms, ratio } = rounds.sort((a, b) => a.ratio - b.ratio)[ROUNDS >> 1];
    const floorUs = (1000 * ms) / ratio;
    console.log(
      `${name}: ${(1000 * ms).toFixed(0)} µs each, ${ratio.toFixed(2)} of the floor (${floorUs.toFixed(0)} µs)`,
    );
  }

  await using store = await PostgresStore.open(connection.client);
  await measureRuns(store, ROUNDS, measure);
}

await using server = await PostgresServer.start(release, { fsync: true });
await bench(server);
