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
      const { Miniflare } = load("miniflare");
      const script = await Deno.readTextFile(await build.bundle("fetch", true));
      let stderr = "";
      const worker = new Miniflare({
        modules: true,
        script,
        compatibilityDate: compatibilityDate(),
        compatibilityFlags,
        host: "127.0.0.1",
        handleRuntimeStdio: (_stdout: Readable, errors: Readable) => errors.on("data", (text) => stderr += text),
      });
      try {
        const url: URL = await worker.ready;
        yield* performAll(async (index, request): Promise<Outcome> => {
          const response = await fetch(new URL(`/${index}/${request}`, url));
          const text = await response.text();
          if (!response.ok) throw new Error(`${text}\n${stderr}`);
          return JSON.parse(text);
        });
      } finally {
        await worker.dispose();
      }
    },
  };
}

const newest = () => load("workerd").compatibilityDate;

export const workerdOldest: Runtime = workerd("workerd (oldest date)", () => OLDEST);
export const workerdNewest: Runtime = workerd("workerd (newest date)", newest);
export const workerdNode: Runtime = workerd("workerd (nodejs_compat)", newest, ["nodejs_compat"]);
