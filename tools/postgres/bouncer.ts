/**
 * PgBouncer in transaction mode, in front of a server: each statement may get another connection.
 *
 * @module
 */

import { freePorts } from "../free_ports.ts";
import { installFromDebian, ready, user, withFreePort } from "./server.ts";

const PROGRAM = "/usr/sbin/pgbouncer";

/** A pooler that runs. */
export interface Bouncer extends AsyncDisposable {
  readonly url: string;
}

/** Starts it on a free port; `undefined` if it is not installed and cannot be. `choosePorts` is for tests. */
export async function startBouncer(serverPort: number, choosePorts = freePorts): Promise<Bouncer | undefined> {
  if (!await isThere() && !(await installFromDebian("pgbouncer") && await isThere())) return undefined;
  return await withFreePort((port) => start(serverPort, port), choosePorts);
}

async function start(serverPort: number, port: number): Promise<Bouncer> {
  const folder = await Deno.makeTempDir({ prefix: "rockpool_bouncer_" });
  const { uid, gid } = user();
  if (uid !== undefined) await Deno.chown(folder, uid, gid);
  const settings = {
    listen_addr: "127.0.0.1",
    listen_port: port,
    pidfile: `${folder}/pgbouncer.pid`,
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
    args: [`${folder}/pgbouncer.ini`],
    cwd: "/", // the user may not enter the folder of the project
    stdout: "null",
    stderr: "piped",
    ...user(),
  }).spawn();
  const bouncer = {
    url: `postgres://rockpool@127.0.0.1:${port}/postgres`,
    async [Symbol.asyncDispose]() {
      try {
        child.kill("SIGTERM");
      } catch {
        // it has ended
      }
      await child.status;
      await Deno.remove(folder, { recursive: true });
    },
  };
  try {
    // It writes the file when it listens. A connection could reach the process that has taken its port.
    const isListening = async () => await Deno.stat(settings.pidfile).then(() => true, () => false);
    await ready(child, isListening, `PgBouncer on port ${port}`);
  } catch (error) {
    await bouncer[Symbol.asyncDispose]();
    throw error;
  }
  return bouncer;
}

async function isThere(): Promise<boolean> {
  return await Deno.stat(PROGRAM).then(() => true, () => false);
}
