/**
 * Vercel's edge runtime: a script in a realm of its own, in a process of Node, without `setImmediate` and `MessageChannel`.
 *
 * @module
 */

import type { Build } from "../build.ts";
import { cacheFolder, findBinary, load, versionOf } from "../install.ts";
import { performAll } from "../scenario.ts";
import type { Runtime } from "./runtime.ts";

/** What Node runs: a server of the script on loopback, which prints its URL. */
const SERVER = `
  const { EdgeRuntime, runServer } = require("edge-runtime");
  const initialCode = require("node:fs").readFileSync(process.argv[1], "utf8");
  runServer({ runtime: new EdgeRuntime({ initialCode }), host: "127.0.0.1", port: 0 })
    .then(({ url }) => console.log(url));`;

export const edgeRuntime: Runtime = {
  name: "edge-runtime",
  async version() {
    if (load("edge-runtime") !== undefined && await findBinary("node-24")) return versionOf("edge-runtime");
  },
  async *run(build: Build) {
    const script = await build.bundle("fetch_event", true);
    const args = ["--eval", SERVER, script];
    const server = new Deno.Command((await findBinary("node-24"))!, { args, cwd: cacheFolder(), stdout: "piped" })
      .spawn();
    try {
      const { value: url } = await server.stdout.pipeThrough(new TextDecoderStream()).getReader().read();
      if (url === undefined) throw new Error("The server did not start");
      yield* performAll(async (index, request) =>
        await (await fetch(new URL(`/${index}/${request}`, url.trim()))).json()
      );
    } finally {
      server.kill();
      await server.status;
    }
  },
};
