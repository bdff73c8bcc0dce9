/**
 * Runtimes that are a process: Deno, Node and Bun.
 *
 * @module
 */

import type { Build } from "../build.ts";
import { type Binary, findBinary, output } from "../install.ts";
import { EXIT, type Outcome } from "../scenario.ts";
import type { Runtime } from "./runtime.ts";

/** How long a process may take to end after its last line. */
const EXIT_MS = 60_000;

/** How long a process may take between two lines. */
const SILENCE_MS = 120_000;

/** Runs the sources, without any permission. */
export const deno: Runtime = {
  name: "Deno 2",
  version: () => Promise.resolve(Deno.version.deno),
  run() {
    const entry = `${import.meta.dirname}/../entries/process.ts`;
    return outcomes(Deno.execPath(), ["run", "--no-prompt", "--quiet", entry], new URL("../../", import.meta.url));
  },
};

/** Runs the package. */
function fromNpm(name: string, binary: Binary): Runtime {
  return {
    name,
    async version() {
      const path = await findBinary(binary);
      return path === undefined ? undefined : (await output(path, "--version"))?.replace("v", "");
    },
    async *run(build: Build) {
      const entry = await build.bundle("process", false);
      yield* outcomes((await findBinary(binary))!, [entry], build.folder);
    },
  };
}

export const node20: Runtime = fromNpm("Node 20", "node-20");
export const node22: Runtime = fromNpm("Node 22", "node-22");
export const node24: Runtime = fromNpm("Node 24", "node-24");
export const bunOldest: Runtime = fromNpm("Bun 1.2", "bun-1.2");
export const bunNewest: Runtime = fromNpm("Bun 1.4", "bun-1.4");

/** Starts a process, and reads an outcome of each line. The last line says that everything is done. */
async function* outcomes(program: string, args: string[], cwd: string | URL): AsyncGenerator<Outcome> {
  const process = new Deno.Command(program, { args, cwd, stdout: "piped", stderr: "piped" }).spawn();
  const stderr = new Response(process.stderr).text();
  let done = false;
  let killed = false;
  const kill = () => {
    killed = true;
    process.kill("SIGKILL");
  };
  let timer = setTimeout(kill, SILENCE_MS);
  let rest = "";
  for await (const text of process.stdout.pipeThrough(new TextDecoderStream())) {
    clearTimeout(timer);
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      const outcome: Outcome = JSON.parse(line);
      if (outcome.name === EXIT) done = true;
      else yield outcome;
    }
    timer = setTimeout(kill, done ? EXIT_MS : SILENCE_MS);
  }
  const { code } = await process.status;
  clearTimeout(timer);
  if (done && code === 0) return yield { name: EXIT };
  const why = killed ? "It was still running, and was killed" : `It ended with code ${code}`;
  yield { name: EXIT, error: `${why}${done ? "" : " before the last case"}\n${await stderr}` };
}
