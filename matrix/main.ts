/**
 * Runs the scenario on the runtimes that people use, and prints what works.
 *
 * `deno task matrix [--install] [--write] [RUNTIME …]`
 *
 * - It runs on what is installed, and says what it left out. `--install` installs the rest first.
 * - `--write` writes the tables into `docs/runtimes.md` and `docs/values.md`. Without it, the tables there must name the same runtimes, cases and values.
 * - With names, such as `bun` or `workerd`, only the runtimes whose names contain one of them.
 *
 * Deno runs the sources. The other runtimes run what npm users get. Each case is in `cases.ts`; a failed one is printed with its
 * error and the version of the runtime, and the exit code is 1.
 *
 * @module
 */

import { Build } from "./build.ts";
import { isUpToDate, write } from "./document.ts";
import { install } from "./install.ts";
import { chromiumPage, chromiumWorker } from "./runtimes/chromium.ts";
import { edgeRuntime } from "./runtimes/edge_runtime.ts";
import { bunNewest, bunOldest, deno, node20, node22, node24 } from "./runtimes/process.ts";
import type { Runtime } from "./runtimes/runtime.ts";
import { workerdNewest, workerdNode, workerdOldest } from "./runtimes/workerd.ts";
import type { Outcome } from "./scenario.ts";
import { type Result, tableOfResults } from "./table.ts";

/** The runtimes, in the order of the table. */
export const RUNTIMES: readonly Runtime[] = [
  deno,
  node20,
  node22,
  node24,
  bunOldest,
  bunNewest,
  workerdOldest,
  workerdNewest,
  workerdNode,
  edgeRuntime,
  chromiumPage,
  chromiumWorker,
];

/** How many runtimes run at a time. More would disturb the cases with real time. */
const AT_ONCE = 2;

/** Runs every case on one runtime, and prints how it went. */
async function run(runtime: Runtime, version: string, build: Build): Promise<Result> {
  const { name } = runtime;
  const outcomes: Outcome[] = [];
  const begin = performance.now();
  try {
    for await (const outcome of runtime.run(build)) outcomes.push(outcome);
  } catch (error) {
    outcomes.push({ name: "the runtime", error: `${error instanceof Error ? error.stack : error}` });
  }
  const failed = outcomes.filter(({ error }) => error !== undefined);
  const seconds = ((performance.now() - begin) / 1000).toFixed(1);
  console.log(`${name} (${version}): ${outcomes.length - failed.length} passed, ${failed.length} failed, ${seconds} s`);
  for (const { name: of, error } of failed) console.log(`FAILED on ${name} (${version}): ${of}\n${indent(error!)}`);
  return { name, version, outcomes };
}

function indent(text: string): string {
  return text.trimEnd().replaceAll(/^/gm, "    ");
}

async function main(args: readonly string[]): Promise<void> {
  const unknown = args.find((arg) => arg.startsWith("-") && arg !== "--install" && arg !== "--write");
  if (unknown !== undefined) throw new RangeError(`Cannot use the option ${unknown}: want --install or --write`);
  const names = args.filter((arg) => !arg.startsWith("-"));
  if (args.includes("--install")) await install();
  const wanted = RUNTIMES.filter(({ name }) =>
    names.length === 0 || names.some((part) => name.toLowerCase().includes(part.toLowerCase()))
  );
  if (wanted.length === 0) {
    throw new RangeError(`No runtime has a name like ${names}: want ${RUNTIMES.map(({ name }) => name).join("; ")}`);
  }
  const build = await Build.make();
  const results: Result[] = [];
  const leftOut: string[] = [];
  try {
    const waiting = [...wanted.entries()];
    const work = async () => {
      for (let next; (next = waiting.shift());) {
        const [index, runtime] = next;
        const version = await runtime.version();
        if (version === undefined) leftOut.push(runtime.name);
        else results[index] = await run(runtime, version, build);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  } finally {
    await build[Symbol.asyncDispose]();
  }
  const ran = results.filter(() => true);
  console.log(`\n${tableOfResults(ran)}`);
  if (leftOut.length > 0) {
    console.log(`Left out, because not installed: ${leftOut.join("; ")} (--install installs them)`);
  }
  let failed = ran.some(({ outcomes }) => outcomes.some(({ error }) => error !== undefined));
  if (args.includes("--write")) {
    if (ran.length < RUNTIMES.length) throw new Error("Cannot write the tables: not every runtime has run");
    await write(ran);
  } else if (!await isUpToDate(RUNTIMES.map(({ name }) => name), ran)) {
    console.log("FAILED: docs/runtimes.md or docs/values.md is out of date; run deno task matrix --write");
    failed = true;
  }
  Deno.exit(failed ? 1 : 0); // without waiting for the timers of a case that hangs
}

if (import.meta.main) await main(Deno.args);
