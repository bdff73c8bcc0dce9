/**
 * workerd, the runtime of Cloudflare Workers, in Miniflare. Each request of a case is an HTTP request on loopback.
 *
 * @module
 */

import type { Readable } from "node:stream";
import type { Build } from "../build.ts";
import { load } from "../install.ts";
import { type Outcome, performAll } from "../scenario.ts";
import type { Runtime } from "./runtime.ts";

/**
 * The oldest compatibility date that the package claims. It has no `MessageChannel`, `setImmediate` and `navigator`. Everything but
 * values also works with the dates before, where the runtime's own objects have properties that look like data.
 */
const OLDEST = "2022-01-31";

function workerd(name: string, compatibilityDate: () => string, compatibilityFlags: string[] = []): Runtime {
  return {
    name,
    version() {
      const workerd = load("workerd");
      return Promise.resolve(workerd && `${workerd.version}, ${compatibilityDate()}`);
    },
    async *run(build: Build) {
      const settings = { compatibilityDate: compatibilityDate(), compatibilityFlags };
      const worker = await Worker.start(await build.bundle("fetch", true), settings);
      try {
        yield* performAll((index, request) => worker.ask(`/${index}/${request}`));
      } finally {
        await worker.dispose();
      }
      if (!compatibilityFlags.includes("nodejs_compat")) return;
      const temporal = await Worker.start(await build.bundle("temporal", true), settings);
      try {
        yield await temporal.ask("/");
      } finally {
        await temporal.dispose();
      }
    },
  };
}

/** A worker that answers with outcomes. */
class Worker {
  // deno-lint-ignore no-explicit-any -- its types are not there when this module is checked
  readonly #miniflare: any;
  readonly #url: URL;
  readonly #stderr: string[];

  // deno-lint-ignore no-explicit-any -- its types are not there when this module is checked
  private constructor(miniflare: any, url: URL, stderr: string[]) {
    this.#miniflare = miniflare;
    this.#url = url;
    this.#stderr = stderr;
  }

  static async start(path: string, settings: object): Promise<Worker> {
    const { Miniflare } = load("miniflare");
    const stderr: string[] = [];
    const miniflare = new Miniflare({
      modules: true,
      script: await Deno.readTextFile(path),
      ...settings,
      host: "127.0.0.1",
      handleRuntimeStdio: (_stdout: Readable, errors: Readable) => errors.on("data", (text) => stderr.push(text)),
    });
    return new Worker(miniflare, await miniflare.ready, stderr);
  }

  async ask(path: string): Promise<Outcome> {
    const response = await fetch(new URL(path, this.#url));
    const text = await response.text();
    if (!response.ok) throw new Error(`${text}\n${this.#stderr.join("")}`);
    return JSON.parse(text);
  }

  dispose(): Promise<void> {
    return this.#miniflare.dispose();
  }
}

const newest = () => load("workerd").compatibilityDate;

export const workerdOldest: Runtime = workerd("workerd (oldest date)", () => OLDEST);
export const workerdNewest: Runtime = workerd("workerd (newest date)", newest);
export const workerdNode: Runtime = workerd("workerd (nodejs_compat)", newest, ["nodejs_compat"]);
