/**
 * Workers for a Restate server: real processes that serve the services of a module, and can be killed and started again.
 *
 * `tools/restate.ts` sets the environment: `RESTATE_MODULES` is the `node_modules` with the server and its SDK.
 *
 * @module
 */

import { freePorts } from "../../tools/free_ports.ts";

// deno-lint-ignore no-explicit-any -- the types of the SDK are not there when this module is checked
export type Anything = any;

/** The `node_modules` with the server and its SDK. */
export const modules = Deno.env.get("RESTATE_MODULES")!;

/** A module with services. */
export interface ServiceModule {
  /**
   * Makes the services of a worker.
   *
   * @param sdk The module `@restatedev/restate-sdk/fetch`.
   * @param arg What the test passes.
   */
  services(sdk: Anything, arg: string): Promise<Anything[]> | Anything[];
}

/**
 * How the server talks to a worker: on a connection that stays open while a handler waits, or by requests that each end at a wait. After
 * that the handler starts again and replays, so that each step is a replay.
 */
export type Mode = "bidirectional" | "request-response";

/** How a worker is started. */
export interface WorkerOptions {
  /** The URL of a {@linkcode ServiceModule}. */
  readonly module: string;
  readonly modules: string;
  readonly port: number;
  readonly mode: Mode;
  readonly arg: string;
}

/** For how long anything may take that takes seconds on a machine with nothing else to do. */
const PATIENCE_MS = 180_000;

/** A worker. It is killed by its `Symbol.asyncDispose`. */
export class Worker implements AsyncDisposable {
  readonly #options: WorkerOptions;
  #process: Deno.ChildProcess | undefined;
  /** Resolves when everything that the process has printed is read. */
  #read: Promise<unknown> = Promise.resolve();

  private constructor(options: WorkerOptions) {
    this.#options = options;
  }

  /**
   * Starts a worker. It accepts requests when the promise settles.
   *
   * @param module The URL of a {@linkcode ServiceModule}.
   */
  static async start(module: string | URL, { mode = "bidirectional" as Mode, arg = "" } = {}): Promise<Worker> {
    const worker = new Worker({ module: `${module}`, modules, port: freePorts(1)[0], mode, arg });
    await worker.start();
    return worker;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#options.port}`;
  }

  /** Starts it again, under the same URL. */
  async start(): Promise<void> {
    const program = new URL("worker_program.ts", import.meta.url).href;
    const importMap = new URL("../../tools/std/import_map.json", import.meta.url).pathname;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "--quiet", "--import-map", importMap, "-A", program, JSON.stringify(this.#options)],
      env: { RESTATE_LOGGING: "ERROR" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#process = child;
    let output = "";
    const ready = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => ready.resolve(false), PATIENCE_MS);
    const read = async (stream: ReadableStream<Uint8Array>) => {
      for await (const text of stream.pipeThrough(new TextDecoderStream())) {
        output = (output + text).slice(-10_000);
        if (/^ready\n/m.test(output)) ready.resolve(true);
      }
      ready.resolve(false); // it has ended
    };
    this.#read = Promise.all([read(child.stdout), read(child.stderr)]);
    const isReady = await ready.promise;
    clearTimeout(timer);
    if (!isReady) {
      await this.kill();
      throw new Error(`Cannot start the worker of ${this.#options.module}\n${output}`);
    }
  }

  /** Kills it; its connections break at once. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined) return;
    try {
      child.kill("SIGKILL");
    } catch {
      // it has ended
    }
    await child.stdin.close().catch(() => {});
    await child.status;
    await this.#read;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

/** A file to which processes append lines; it survives the death of each of them. */
export class Journal implements Disposable {
  readonly path: string = Deno.makeTempFileSync({ prefix: "rockpool_restate_" });

  lines(): string[] {
    return Deno.readTextFileSync(this.path).split("\n").slice(0, -1);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path);
  }
}

/** Appends a line in one piece. */
export function append(path: string, line: string): void {
  Deno.writeTextFileSync(path, `${line}\n`, { append: true });
}

/** Whether a file has a line. */
export function hasLine(path: string, line: string): boolean {
  return Deno.readTextFileSync(path).split("\n").slice(0, -1).includes(line);
}

/** Waits until something is true. Fails after three minutes. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = performance.now() + PATIENCE_MS; !await condition();) {
    if (performance.now() > end) throw new Error(`Three minutes have passed, and it is not true that ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
