/**
 * Runs `program.mjs` on Deno with its built-in exporter, and on Node with the SDK.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { pack, type PackedProject, ROOT } from "../../tools/package/packed.ts";
import type { Receiver } from "./receiver.ts";

const program = fileURLToPath(new URL("program.mjs", import.meta.url));
/** The `node_modules` with the SDK. */
export const modules = Deno.env.get("OTEL_MODULES")!;

/** What makes a program of the page: a workflow runs, and everything is closed. */
const WORKFLOW = `
const charge = () => "paid";
const order = (ctx) => ctx.executeActivity(charge);
await (await executor.execute(order)).result();
`;

/** The program of the page for a runtime. */
function page(runtime: string): string {
  const text = Deno.readTextFileSync(`${ROOT}docs/observability.md`);
  return new RegExp(`### ${runtime}\n.*?\n\`\`\`.. ignore\n(.*?)\`\`\``, "s").exec(text)![1] + WORKFLOW;
}

/** A program that runs. It is killed when it is disposed of. */
export class Running implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  #stdout = "";
  readonly #read: Promise<void>;
  readonly #stderr: Promise<string>;

  constructor(child: Deno.ChildProcess, onOutput: () => void) {
    this.#child = child;
    this.#stderr = new Response(child.stderr).text();
    this.#read = (async () => {
      for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
        this.#stdout += text;
        onOutput();
      }
    })();
  }

  /** The lines that it has printed. */
  get lines(): string[] {
    return this.#stdout.split("\n").filter((line) => line !== "");
  }

  /** Sends it a line. */
  async send(line: string): Promise<void> {
    const writer = this.#child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(`${line}\n`));
    await writer.close();
  }

  /** Waits for its end. Throws if it has failed. */
  async ended(): Promise<string[]> {
    const [{ success }, stderr] = await Promise.all([this.#child.status, this.#stderr, this.#read]);
    if (!success) throw new Error(`The program has failed:\n${this.#stdout}\n${stderr}`);
    return this.lines;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch { /* it has ended */ }
    await Promise.all([this.#child.status, this.#stderr, this.#read]);
    await this.#child.stdin.close().catch(() => {});
  }
}

/** Where the program runs. */
export interface Runtime extends AsyncDisposable {
  readonly name: string;
  /** Starts a part of the program. */
  start(receiver: Receiver, ...args: string[]): Running;
  /** Starts the program of `docs/observability.md`, completed by a workflow. */
  startPage(receiver: Receiver): Running;
}

function spawn(name: string, args: string[], env: Record<string, string>, cwd?: string): Running {
  const options = { args, env: { NO_COLOR: "1", ...env }, stdin: "piped", stdout: "piped", stderr: "piped" } as const;
  return new Running(new Deno.Command(name, { ...options, ...(cwd !== undefined && { cwd }) }).spawn(), () => {});
}

/** Deno, whose exporter is switched on by its environment. */
export async function onDeno(): Promise<Runtime> {
  const map = await Deno.makeTempFile({ suffix: ".json" });
  await Deno.writeTextFile(map, JSON.stringify({ imports: { "@opentelemetry/api": "npm:@opentelemetry/api@1.10.0" } }));
  const start = (receiver: Receiver, ...args: string[]) => {
    const flags = ["--quiet", "--allow-all", "--config", `${ROOT}deno.json`, "--import-map", map];
    return spawn(Deno.execPath(), ["run", ...flags, ...args], { ...receiver.env, OTEL_DENO: "true" });
  };
  const pagePath = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(pagePath, `${page("Deno")}await executor.close();`);
  return {
    name: "Deno",
    start: (receiver, ...args) => start(receiver, program, ...args),
    startPage: (receiver) => start(receiver, "--no-check", pagePath),
    async [Symbol.asyncDispose]() {
      for (const path of [map, pagePath]) await Deno.remove(path);
    },
  };
}

/** Node, with the package as npm users get it. */
export async function onNode(): Promise<Runtime> {
  const project: PackedProject = await pack();
  await Deno.symlink(`${modules}/@opentelemetry`, `${project.folder}/node_modules/@opentelemetry`);
  await Deno.copyFile(program, `${project.folder}/program.mjs`);
  await Deno.writeTextFile(`${project.folder}/page.mjs`, `${page("Node")}process.kill(process.pid, "SIGTERM");`);
  const start = (receiver: Receiver, ...args: string[]) => {
    const env = { ...receiver.env, OTEL_METRICS_EXPORTER: "otlp", OTEL_LOGS_EXPORTER: "none" };
    return spawn("node", args, env, project.folder);
  };
  return {
    name: "Node",
    start: (receiver, ...args) => start(receiver, "program.mjs", ...args),
    startPage: (receiver) => start(receiver, "page.mjs"),
    [Symbol.asyncDispose]: () => project[Symbol.asyncDispose](),
  };
}
