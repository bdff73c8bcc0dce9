/**
 * Real Restate servers for tests and benches: installs the server and its SDK from npm, and starts, kills and restarts nodes on free
 * ports of this machine.
 *
 * 1. A node listens on 127.0.0.1 only. Its data are in a temporary folder that is deleted with it. It reports no usage; it asks GitHub once
 *    for the number of the newest release, which no setting prevents.
 * 2. A node does not outlive the process that started it, whatever ends that process: it is killed when its standard input closes.
 * 3. What a node prints is kept, and shown only if it ends by itself or is not ready in time.
 * 4. Another process may take a free port before a node does. Then the nodes are made again, with other ports.
 *
 * @module
 */

import { freePorts } from "../free_ports.ts";
import { tryInstalled } from "../package/npm.ts";

/** The package with the program for this machine. The main package only chooses among these, and brings a package that counts installs. */
const { os, arch } = Deno.build;
const SERVER = `@restatedev/restate-server-${os}-${arch === "aarch64" ? "arm64" : "x64"}`;

/** The packages of npm that the tests use. */
const PACKAGES = {
  [SERVER]: "1.7.12",
  "@restatedev/restate-sdk": "1.17.2",
  "@restatedev/restate-sdk-clients": "1.17.2",
};

/** Returns the path of the npm packages; `undefined` if npm does not answer. */
export function installPackages(): Promise<string | undefined> {
  return tryInstalled(PACKAGES);
}

/** How a node is set up. */
export interface ServerOptions {
  /**
   * How long an invocation may be quiet before the server asks its worker to suspend it, in milliseconds.
   *
   * @default {1000}
   */
  readonly inactivityMs?: number | undefined;
  /**
   * How long the server then waits before it breaks the connection, in milliseconds.
   *
   * @default {60_000}
   */
  readonly abortMs?: number | undefined;
  /**
   * Up to which size the server sends the state of a workflow with a request; it sends the rest only when it is asked.
   *
   * @default {that of the server}
   */
  readonly eagerStateBytes?: number | undefined;
  /** How many partitions a new cluster has. @default {2} */
  readonly partitions?: number | undefined;
  /** Whether a write waits for the disk. Not needed where the machine does not lose power. @default {false} */
  readonly fsync?: boolean | undefined;
}

/** A deployment of services, as the admin API returns it. */
export interface Deployment {
  readonly id: string;
  readonly services: readonly { readonly name: string; readonly revision: number }[];
}

/** For how long a node may take to become ready. */
const READY_MS = 180_000;

/** One node: a process, its ports and its data. It is stopped and deleted by its `Symbol.asyncDispose`. */
export class RestateServer implements AsyncDisposable {
  /** Where clients send requests. */
  readonly ingressUrl: string;
  /** Where deployments are registered, and invocations are listed. */
  readonly adminUrl: string;
  readonly #program: string;
  readonly #folder: string;
  #process: Deno.ChildProcess | undefined;
  /** The process of the server itself, a child of `#process`. */
  #pid: number | undefined;
  #output = "";
  /** Resolves when everything that the processes have printed is read: then all of them have ended. */
  #read: Promise<unknown> = Promise.resolve();

  private constructor(modules: string, node: Node, options: ServerOptions) {
    this.#program = `${modules}/${SERVER}/bin/restate-server`;
    this.#folder = Deno.makeTempDirSync({ prefix: "rockpool_restate_" });
    this.ingressUrl = `http://127.0.0.1:${node.ingressPort}`;
    this.adminUrl = `http://127.0.0.1:${node.adminPort}`;
    Deno.writeTextFileSync(`${this.#folder}/restate.toml`, config(this.#folder, node, options));
  }

  /**
   * Makes a new server of one node, and starts it.
   *
   * @param modules The path of the npm packages.
   */
  static async start(modules: string, options: ServerOptions = {}): Promise<RestateServer> {
    return (await RestateServer.startNodes(modules, 1, options))[0];
  }

  /** Makes the nodes of a new cluster, and starts them. `choosePorts` is for tests. */
  static async startNodes(
    modules: string,
    count: number,
    options: ServerOptions = {},
    choosePorts = freePorts,
  ): Promise<RestateServer[]> {
    for (let attempt = 1;; attempt++) {
      const ports = choosePorts(3 * count);
      const addresses = ports.slice(0, count).map((port) => `http://127.0.0.1:${port}/`);
      const nodes = addresses.map((_, i) => {
        const [port, adminPort, ingressPort] = [0, 1, 2].map((kind) => ports[kind * count + i]);
        return new RestateServer(modules, { name: `n${i + 1}`, port, adminPort, ingressPort, addresses }, options);
      });
      const starts = nodes.map((node) => node.start());
      try {
        await Promise.all(starts);
        return nodes;
      } catch (error) {
        for (const node of nodes) await node[Symbol.asyncDispose]();
        await Promise.allSettled(starts);
        if (attempt === 5 || !nodes.some(({ output }) => output.includes("Address in use"))) throw error;
      }
    }
  }

  /** Starts the server, on the data that it has. It accepts requests when the promise settles. */
  async start(): Promise<void> {
    const child = new Deno.Command("sh", {
      args: ["-c", GUARD, "sh", this.#program, "--no-logo", "--config-file", `${this.#folder}/restate.toml`],
      cwd: this.#folder,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#process = child;
    this.#output = "";
    this.#pid = undefined;
    let hasEnded = false;
    child.status.then(() => hasEnded = true);
    this.#read = Promise.all([
      read(child.stderr, (text) => this.#output = (this.#output + text).slice(-100_000)),
      read(child.stdout, (text) => this.#pid ??= Number.parseInt(text)),
    ]);
    for (const end = performance.now() + READY_MS; hasEnded || !await this.#isReady();) {
      if (hasEnded || performance.now() > end) {
        const reason = hasEnded ? "it has ended" : "it is not ready after three minutes";
        await this.kill();
        throw new Error(`Cannot start Restate: ${reason}\n${this.#output}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Whether the ingress and the admin API answer, and each partition has a leader. */
  async #isReady(): Promise<boolean> {
    return await answers(`${this.adminUrl}/health`) && await answers(`${this.ingressUrl}/restate/health`) &&
      await this.query("select count(*) from sys_invocation").then(() => true, () => false);
  }

  /** The last lines that it has printed. */
  get output(): string {
    return this.#output;
  }

  /** Kills the server; its connections break at once. Its data stay. */
  kill(): Promise<void> {
    return this.stop("SIGKILL");
  }

  /** Stops the server. Its data stay. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined) return;
    try {
      if (this.#pid !== undefined) Deno.kill(this.#pid, signal);
      else child.kill("SIGKILL");
    } catch {
      // it has ended
    }
    await child.stdin.close().catch(() => {});
    await child.status;
    await this.#read;
  }

  /** Kills the server and starts it again on its data. */
  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  /**
   * Registers the services of a worker. A worker that comes back under its URL needs no other registration.
   *
   * @param url Where the worker listens.
   */
  async registerDeployment(url: string): Promise<Deployment> {
    return await this.admin("deployments", { uri: url, force: true }) as Deployment;
  }

  /** Calls the admin API, with POST if there is a body. */
  async admin(path: string, body?: unknown): Promise<unknown> {
    const json = { "content-type": "application/json", "accept": "application/json" };
    const post = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
    const response = await fetch(`${this.adminUrl}/${path}`, { headers: json, ...post });
    const text = await response.text();
    if (!response.ok) throw new Error(`Restate answers ${path} with ${response.status}: ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  }

  /** Asks the server about its invocations, in SQL. */
  async query<Row>(sql: string): Promise<Row[]> {
    return (await this.admin("query", { query: sql }) as { rows: Row[] }).rows;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** Nodes that replicate their data: each write is on two of them. They are stopped and deleted by `Symbol.asyncDispose`. */
export class RestateCluster implements AsyncDisposable {
  readonly nodes: readonly RestateServer[];

  private constructor(nodes: readonly RestateServer[]) {
    this.nodes = nodes;
  }

  /**
   * Makes a new cluster, and starts it.
   *
   * @param modules The path of the npm packages.
   * @param count How many nodes. Three survive the death of one.
   */
  static async start(modules: string, count = 3, options: ServerOptions = {}): Promise<RestateCluster> {
    return new RestateCluster(await RestateServer.startNodes(modules, count, options));
  }

  /** Registers the services of a worker. Every node knows them when the promise settles. */
  async registerDeployment(url: string): Promise<Deployment> {
    const deployment = await this.nodes[0].registerDeployment(url);
    for (const node of this.nodes) {
      while (!await answers(`${node.adminUrl}/deployments/${deployment.id}`)) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
    return deployment;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.nodes) await node[Symbol.asyncDispose]();
  }
}

/** The name and the ports of a node. */
interface Node {
  readonly name: string;
  /** For the other nodes. */
  readonly port: number;
  readonly adminPort: number;
  readonly ingressPort: number;
  /** The addresses of all nodes. */
  readonly addresses: readonly string[];
}

/** The configuration file of a node. */
function config(folder: string, node: Node, options: ServerOptions): string {
  const { inactivityMs = 1000, abortMs = 60_000, partitions = 2, fsync = false, eagerStateBytes } = options;
  const { name, port, adminPort, ingressPort, addresses } = node;
  const text = JSON.stringify; // a string of JSON is one of TOML
  const disk = `rocksdb-disable-wal-fsync = ${!fsync}`;
  return `
node-name = ${text(name)}
cluster-name = "rockpool"
base-dir = ${text(`${folder}/data`)}
listen-mode = "tcp"
bind-address = "127.0.0.1:${port}"
advertised-address = "http://127.0.0.1:${port}/"
auto-provision = ${name === "n1"}
default-num-partitions = ${partitions}
default-replication = ${Math.min(addresses.length, 2)}
metadata-update-interval = "200ms"
disable-telemetry = true
disable-prometheus = true
log-disable-ansi-codes = true
log-filter = "warn"
rocksdb-total-memory-size = "256 MiB"

[metadata-client]
addresses = ${text(addresses)}

[default-retry-policy]
initial-interval = "50ms"
exponentiation-factor = 2.0
max-interval = "500ms"

[worker.invoker]
inactivity-timeout = "${inactivityMs}ms"
abort-timeout = "${abortMs}ms"
${eagerStateBytes === undefined ? "" : `eager-state-size-limit = "${eagerStateBytes}"`}

[admin]
bind-address = "127.0.0.1:${adminPort}"
disable-web-ui = true

[admin.query-engine]
memory-size = "64 MiB"

[ingress]
bind-address = "127.0.0.1:${ingressPort}"

[bifrost]
record-cache-memory-size = "32 MiB"

[bifrost.local]
${disk}

[log-server]
${disk}
`;
}

/** Starts a program, and kills it when the standard input closes, whatever its process group is told. Prints the ID of its process. */
const GUARD = `exec 3<&0
"$@" </dev/null >&2 3<&- &
server=$!
echo $server
{ trap '' HUP INT TERM; cat <&3 >/dev/null; kill -9 $server 2>/dev/null; } &
exec 3<&-
wait $server`;

/** Reads what a process prints. */
async function read(stream: ReadableStream<Uint8Array>, hear: (text: string) => void): Promise<void> {
  for await (const text of stream.pipeThrough(new TextDecoderStream())) hear(text);
}

/** Whether a URL answers with success. */
async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}
