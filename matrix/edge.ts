/**
 * Runs the examples in `examples/edge/` on the platforms that they name: real servers, on loopback. Then the tests of Durable Objects.
 *
 * `deno task edge`
 *
 * It runs on what is installed (`deno task matrix --install` installs it), and says what it left out.
 *
 * @module
 */

import { Build } from "./build.ts";
import { cacheFolder, findBinary, load, output, versionOf } from "./install.ts";
import { testObjects } from "./durable_objects.ts";
import { endsUncalled } from "./stored.ts";

/** A server that runs. */
interface Server {
  readonly url: URL;
  stop(): Promise<void>;
}

/** A platform, or a way to run the example there. */
interface Platform {
  readonly name: string;
  /** Returns its version; `undefined` if it is not installed. */
  version(): Promise<string | undefined>;
  /**
   * Starts the example.
   *
   * @param folder A project with the package and the examples.
   * @param laterMs How far ahead its clock is, if its state outlives the server.
   */
  start(folder: string, laterMs: number): Promise<Server>;
  /** Whether the state outlives the server. */
  readonly isDurable?: boolean;
}

/** For how long anything may take that takes a second on a machine with nothing else to do. */
const SILENCE_MS = 120_000;
const DAY_MS = 24 * 60 * 60 * 1000;

/** Starts a process, and waits until it prints its port. */
async function startProcess(program: string, args: string[], cwd: string, env = {}): Promise<Server> {
  const process = new Deno.Command(program, { args, cwd, env, stdout: "piped", stderr: "piped" }).spawn();
  const stop = async () => {
    process.kill("SIGKILL");
    await process.status;
  };
  const timer = setTimeout(stop, SILENCE_MS);
  let printed = "";
  const port = Promise.withResolvers<string>();
  const read = async (stream: ReadableStream<Uint8Array>) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      const found = /:(\d+)/.exec(printed += text);
      if (found !== null) port.resolve(found[1]);
    }
  };
  Promise.all([read(process.stdout), read(process.stderr)]).then(() => port.reject(new Error(`It ended\n${printed}`)));
  try {
    return { url: new URL(`http://127.0.0.1:${await port.promise}`), stop };
  } finally {
    clearTimeout(timer);
  }
}

const deno: Platform = {
  name: "deno serve, server.ts",
  version: () => Promise.resolve(Deno.version.deno),
  start: (folder) =>
    startProcess(Deno.execPath(), ["serve", "--no-prompt", "--host=127.0.0.1", "--port=0", "edge/server.ts"], folder),
};

function bun(binary: "bun-1.2" | "bun-1.4"): Platform {
  const path = () => findBinary(binary);
  return {
    name: `bun run, server.ts`,
    version: async () => (await path()) && await output((await path())!, "--version"),
    start: async (folder) => startProcess((await path())!, ["run", "edge/server.ts"], folder, { BUN_PORT: "0" }),
  };
}

const node: Platform = {
  name: "Node with @hono/node-server, server.ts",
  version: async () => {
    const path = await findBinary("node-24");
    const adapter = load("@hono/node-server") && versionOf("@hono/node-server");
    return path && adapter && `${await output(path, "--version")}, ${adapter}`;
  },
  async start(folder) {
    const source = `import { serve } from "@hono/node-server";
import server from "./edge/server.ts";
serve({ ...server, port: 0 }, ({ port }) => console.log(\`listens on :\${port}\`));`;
    await Deno.writeTextFile(`${folder}/node.mjs`, source);
    await Deno.symlink(`${cacheFolder()}/node_modules/@hono`, `${folder}/node_modules/@hono`);
    return startProcess((await findBinary("node-24"))!, ["node.mjs"], folder);
  },
};

function workerd(module: string, isDurable: boolean): Platform {
  return {
    name: `workerd, ${module}.ts`,
    isDurable,
    version: () => Promise.resolve(load("workerd")?.version),
    async start(folder, laterMs) {
      const { Miniflare } = load("miniflare");
      const settings = await Deno.readTextFile(new URL("../examples/edge/wrangler.jsonc", import.meta.url));
      const { compatibility_date, compatibility_flags, durable_objects, migrations } = JSON.parse(settings);
      const [{ name, class_name: className }] = durable_objects.bindings;
      const useSQLite = migrations[0].new_sqlite_classes.includes(className);
      const scriptPath = `${folder}/${module}.js`;
      const args = [
        "bundle",
        "--quiet",
        "--platform=browser",
        "--external=cloudflare:workers",
        `--output=${scriptPath}`,
        `edge/${module}.ts`,
      ];
      const { success, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: folder }).output();
      if (!success) throw new Error(new TextDecoder().decode(stderr));
      const worker = new Miniflare({
        modules: true,
        script: `const now = Date.now; Date.now = () => now() + ${laterMs};\n${await Deno.readTextFile(scriptPath)}`,
        compatibilityDate: compatibility_date,
        compatibilityFlags: compatibility_flags,
        host: "127.0.0.1",
        ...(isDurable
          ? { durableObjects: { [name]: { className, useSQLite } }, durableObjectsPersist: `${folder}/state` }
          : {}),
      });
      return { url: await worker.ready, stop: () => worker.dispose() };
    },
  };
}

const PLATFORMS: readonly Platform[] = [
  deno,
  node,
  bun("bun-1.4"),
  workerd("worker", false),
  workerd("approval_object", true),
];

/** Sends a request, and returns the text of the answer. */
async function ask({ url }: Server, method: string, path: string, body?: string): Promise<string> {
  const response = await fetch(new URL(path, url), {
    method,
    signal: AbortSignal.timeout(SILENCE_MS),
    ...body && { body },
  });
  return `${response.status} ${(await response.text()).trim()}`;
}

function expect(actual: string, expected: string): void {
  if (actual !== expected) throw new Error(`Expected "${expected}", got "${actual}"`);
}

/** Asks for the workflow until it has ended, and returns its state. */
async function ended(server: Server, id: string): Promise<{ result: string; createdAt: number; updatedAt: number }> {
  for (const end = Date.now() + SILENCE_MS; Date.now() < end;) {
    const text = await ask(server, "GET", `/${id}`);
    if (text.includes('"completed"')) return JSON.parse(text.slice(text.indexOf("{")));
  }
  throw new Error(`Workflow "${id}" has not ended`);
}

/**
 * An approval, and one that nobody decides. If the state is durable, everything between them happens in another process, and the decision
 * comes a day later by its clock.
 */
async function approve({ start, isDurable }: Platform, folder: string): Promise<void> {
  let server = await start(folder, 0);
  const restart = async () => {
    if (!isDurable) return;
    await server.stop();
    server = await start(folder, DAY_MS);
  };
  try {
    const shortDays = 1.5 * 1000 / DAY_MS;
    expect(await ask(server, "PUT", "/chair", "a chair"), "202 chair is waiting");
    expect(await ask(server, "PUT", `/lamp?days=${shortDays}`, "a lamp"), "202 lamp is waiting");
    await restart();
    const decision = JSON.stringify({ approved: true, by: "Ada" });
    expect(await ask(server, "POST", "/chair/decision", decision), "200 a chair: approved by Ada");
    const chair = await ended(server, "chair");
    expect(chair.result, "a chair: approved by Ada");
    if (isDurable && chair.updatedAt - chair.createdAt < DAY_MS) throw new Error("The decision came too early");
    // The alarm comes without a request.
    if (isDurable) await endsUncalled(`${folder}/state`, "lamp");
    await restart();
    const lamp = await ended(server, "lamp");
    expect(lamp.result, "a lamp: refused, nobody has decided");
  } finally {
    await server.stop();
  }
}

async function main(): Promise<void> {
  const build = await Build.make();
  let failed = false;
  try {
    const { folder } = build;
    await Deno.mkdir(`${folder}/edge`);
    for (const module of ["approval", "server", "worker", "approval_object"]) {
      await Deno.copyFile(new URL(`../examples/edge/${module}.ts`, import.meta.url), `${folder}/edge/${module}.ts`);
    }
    for (const platform of PLATFORMS) {
      const version = await platform.version();
      if (version === undefined) {
        console.log(`${platform.name}: left out, because not installed (deno task matrix --install installs it)`);
        continue;
      }
      const name = `${platform.name} (${version})`;
      try {
        await approve(platform, folder);
        console.log(`${name}: approved by a second request`);
      } catch (error) {
        failed = true;
        console.log(`FAILED on ${name}: ${error instanceof Error ? error.stack : error}`);
      }
    }
    if (!await testObjects(build)) failed = true;
  } finally {
    await build[Symbol.asyncDispose]();
  }
  Deno.exit(failed ? 1 : 0);
}

if (import.meta.main) await main();
