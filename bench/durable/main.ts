/**
 * Starts a Postgres server that waits for the disk, and asks the questions of `measure.ts`.
 *
 * `deno task bench [deno | node] [QUESTION …]`, with the questions `runs-1`, `runs-100`, `runs-1000`, `signals` and `row`; all by
 * default. `node` is a program on the PATH, of version 24 or later. The temporary folder must be on the disk that is meant.
 *
 * `deno task bench steps` starts a Restate server too, and asks `steps.ts` what a step costs on each engine of this package.
 *
 * @module
 */

import { PostgresServer, releases } from "../../tools/postgres/server.ts";
import { installPackages, RestateServer } from "../../tools/restate/server.ts";

const [runtime, ...questions] = ["deno", "node"].includes(Deno.args[0]) ? Deno.args : ["deno", ...Deno.args];
await using found = await releases(undefined);
const [release] = found.list;
if (release === undefined) throw new Error("Cannot measure: Postgres is not installed");

const folder = await Deno.makeTempDir({ prefix: "rockpool_durable_" });
try {
  await using server = await PostgresServer.start(release, { fsync: true });
  await using cleanup = new AsyncDisposableStack();
  const asked = [...questions];
  if (questions[0] === "steps") {
    const modules = await installPackages();
    if (modules === undefined) throw new Error("Cannot measure: npm does not answer, and so there is no Restate");
    const { ingressUrl, adminUrl } = cleanup.use(await RestateServer.start(modules, { fsync: true }));
    asked.splice(0, Infinity, ingressUrl, adminUrl, modules);
  }
  const script = questions[0] === "steps" ? "steps.ts" : "measure.ts";
  const [program, flags] = runtime === "node" ? ["node", []] : [Deno.execPath(), ["run", "--no-prompt", "--allow-all"]];
  const args = [...flags, new URL(script, import.meta.url).pathname, server.url, folder, ...asked];
  const child = new Deno.Command(program, { args, cwd: import.meta.dirname!, env: { RESTATE_LOGGING: "ERROR" } })
    .spawn();
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, () => child.kill()); // then all is removed
  Deno.exitCode = (await child.status).code;
} finally {
  await Deno.remove(folder, { recursive: true });
}
