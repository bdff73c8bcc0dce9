/**
 * Starts a Postgres server that waits for the disk, and asks the questions of `measure.ts`.
 *
 * `deno task bench [deno | node] [QUESTION …]`, with the questions `runs-1`, `runs-100`, `runs-1000`, `signals` and `row`; all by
 * default. `node` is a program on the PATH, of version 24 or later. The temporary folder must be on the disk that is meant.
 *
 * @module
 */

import { PostgresServer, releases } from "../../tools/postgres/server.ts";

const [runtime, ...questions] = ["deno", "node"].includes(Deno.args[0]) ? Deno.args : ["deno", ...Deno.args];
await using found = await releases(undefined);
const [release] = found.list;
if (release === undefined) throw new Error("Cannot measure: Postgres is not installed");

const folder = await Deno.makeTempDir({ prefix: "rockpool_durable_" });
try {
  await using server = await PostgresServer.start(release, { fsync: true });
  const [program, flags] = runtime === "node" ? ["node", []] : [Deno.execPath(), ["run", "--no-prompt", "--allow-all"]];
  const args = [...flags, new URL("measure.ts", import.meta.url).pathname, server.url, folder, ...questions];
  const child = new Deno.Command(program, { args, cwd: import.meta.dirname! }).spawn();
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, () => child.kill()); // then all is removed
  Deno.exitCode = (await child.status).code;
} finally {
  await Deno.remove(folder, { recursive: true });
}
