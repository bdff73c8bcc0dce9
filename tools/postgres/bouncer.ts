/**
 * PgBouncer in transaction mode, in front of a server: each statement may get another connection.
 *
 * @module
 */

import { freePorts } from "../free_ports.ts";
import { installFromDebian, user } from "./server.ts";

const PROGRAM = "/usr/sbin/pgbouncer";

/** A pooler that runs. */
export interface Bouncer extends AsyncDisposable {
  readonly url: string;
}

/** Starts it on a free port; `undefined` if it is not installed and cannot be. */
export async function startBouncer(serverPort: number): Promise<Bouncer | undefined> {
  if (!await isThere() && !(await installFromDebian("pgbouncer") && await isThere())) return undefined;
  const folder = await Deno.makeTempDir({ prefix: "rockpool_bouncer_" });
  await Deno.chmod(folder, 0o755);
  const [port] = freePorts(1);
  const settings = {
    listen_addr: "127.0.0.1",
    listen_port: port,
    unix_socket_dir: "",
    pool_mode: "transaction",
    auth_type: "any",
    default_pool_size: 5,
    max_client_conn: 500,
    ignore_startup_parameters: "extra_float_digits",
  };
  const lines = [
    "[databases]",
    `postgres = host=127.0.0.1 port=${serverPort} dbname=postgres user=rockpool`,
    "[pgbouncer]",
    ...Object.entries(settings).map(([name, value]) => `${name} = ${value}`),
  ];
  await Deno.writeTextFile(`${folder}/pgbouncer.ini`, lines.join("\n"));
  const child = new Deno.Command(PROGRAM, {
    args: ["-q", `${folder}/pgbouncer.ini`],
    cwd: "/", // the user may not enter the folder of the project
    stdout: "null",
    stderr: "null",
    ...user(),
  }).spawn();
  let ended = false;
  child.status.then(() => ended = true);
  while (!await accepts(port)) {
    if (ended) throw new Error(`Cannot start PgBouncer on port ${port}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return {
    url: `postgres://rockpool@127.0.0.1:${port}/postgres`,
    async [Symbol.asyncDispose]() {
      if (!ended) child.kill("SIGTERM");
      await child.status;
      await Deno.remove(folder, { recursive: true });
    },
  };
}

async function isThere(): Promise<boolean> {
  return await Deno.stat(PROGRAM).then(() => true, () => false);
}

async function accepts(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}
