/**
 * Runs Temporal's public samples on this package: `deno task temporal -- DIR`, where DIR is a checkout of `samples-typescript`. Nothing is
 * written to DIR. Not in CI: it needs the checkout, npm and Node.
 *
 * 1. Each file with workflow code is run by the scenarios of `temporal/scenarios.ts`: plainly, and under `crashTest`.
 * 2. The test files of the samples run unmodified, by mocha and Jest, with `@temporalio/*` mapped to this package.
 *
 * 3. What needs something that is refused with words is named, and counts as not run. The task fails only if something else does.
 *
 * `--only TEXT` runs the files whose path contains the text. `--workflows` and `--tests` run one half. `--verbose` shows whole timelines.
 *
 * @module
 */

import { run } from "./package/npm.ts";
import { runTestFiles } from "./temporal/test_files.ts";
import { type FileReport, runWorkflowFile } from "./temporal/workflow_files.ts";
import { SCENARIOS } from "./temporal/scenarios.ts";

/** Files in scope that cannot run, and what they need: counted as not run, and no failures. */
const CANNOT_RUN: Readonly<Record<string, string>> = {
  "query-subscriptions/src/workflows/index.ts": "interceptors of internals",
  "query-subscriptions/src/workflows/subscriptions.ts": "interceptors of internals",
};

/** Folders of the samples that need what is not here, and what that is. */
const OUT_OF_SCOPE: Readonly<Record<string, string>> = {
  "ai-sdk": "a plugin",
  "langsmith": "a plugin",
  "nexus-cancellation": "Nexus",
  "nexus-hello": "Nexus",
  "nexus-messaging": "Nexus",
  "nexus-standalone-operations": "Nexus",
  "openai-agents": "a plugin",
  "workflow-streams": "a plugin",
};

const args = [...Deno.args].filter((arg) => arg !== "--");
const flag = (name: string) => {
  const at = args.indexOf(name);
  if (at !== -1) args.splice(at, 1);
  return at !== -1;
};
const only = args.includes("--only") ? args.splice(args.indexOf("--only"), 2)[1] : "";
const [workflowsOnly, testsOnly, verbose] = [flag("--workflows"), flag("--tests"), flag("--verbose")];
const [given] = args;
if (given === undefined || args.length > 1) {
  console.error(
    "Usage: deno task temporal -- DIR [--only TEXT] [--workflows | --tests] [--verbose]\nDIR: a checkout of samples-typescript",
  );
  Deno.exit(2);
}
const folder = await Deno.realPath(given);

/** The files below a folder whose text matches. */
async function* filesWith(pattern: RegExp, path: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(`${folder}/${path}`)) {
    const below = path === "" ? name : `${path}/${name}`;
    if (isDirectory) {
      if (name !== "node_modules" && !name.startsWith(".")) yield* filesWith(pattern, below);
    } else if (/\.[jt]s$/.test(name) && pattern.test(await Deno.readTextFile(`${folder}/${below}`))) yield below;
  }
}

const sorted = async (files: AsyncIterable<string>) => (await Array.fromAsync(files)).sort();
const isInScope = (file: string) => !Object.keys(OUT_OF_SCOPE).includes(file.split("/")[0]);

console.log(
  `Samples: ${(await run("git", ["-C", folder, "log", "-1", "--format=%h of %as"]).catch(() => "no git")).trim()}`,
);
const excluded = Object.entries(OUT_OF_SCOPE).map(([name, why]) => `${name} (${why})`).join(", ");
console.log(`Out of scope: ${excluded}`);

if (!testsOnly) await runWorkflowFiles();
if (!workflowsOnly) {
  const all = (await sorted(filesWith(/^/, ""))).filter((file) => isTest(file) && file.includes(only));
  const of = await sorted(filesWith(/from '@temporalio\//, ""));
  const run = all.filter((file) => of.includes(file) && isInScope(file));
  console.log(`\nTest files: ${all.length}, in scope: ${run.length}`);
  list("out of scope", all.filter((file) => of.includes(file) && !isInScope(file)));
  list("without Temporal", all.filter((file) => !of.includes(file)));
  const failed = await runTestFiles(folder, run);
  if (failed > 0) Deno.exitCode = 1;
}

function isTest(file: string): boolean {
  return /\.(test|spec)\.[jt]s$/.test(file);
}

/** Prints which files are left out. */
function list(why: string, files: readonly string[]): void {
  if (files.length > 0) console.log(`  ${why}: ${files.join(", ")}`);
}

/** Why something failed: the first lines, unless all were asked for. */
function indented(why: string): string {
  const lines = why.split("\n");
  const shown = verbose || lines.length <= 12 ? lines : [...lines.slice(0, 12), "… (--verbose shows all)"];
  return shown.map((line) => `\n  ${line}`).join("");
}

/** Runs the files with workflow code, and prints what fails. */
async function runWorkflowFiles(): Promise<void> {
  const all = await sorted(filesWith(/@temporalio\/workflow['"]/, ""));
  const files = all.filter((file) => !isTest(file));
  const inScope = files.filter(isInScope);
  console.log(`\nFiles with workflow code: ${files.length}, in scope: ${inScope.length}`);
  list("out of scope", files.filter((file) => !isInScope(file)));
  const roots = [...new Set(SCENARIOS.map(({ files: [first] }) => first))].filter((file) => file.includes(only));
  const reports = new Map<string, FileReport>();
  const queue = [...roots];
  const work = async () => {
    for (let file; (file = queue.shift()) !== undefined;) reports.set(file, await runWorkflowFile(folder, file));
  };
  await Promise.all([work(), work()]);
  const scenarios = roots.flatMap((file) => reports.get(file)!.scenarios);
  const refused = roots.filter((file) => file in CANNOT_RUN).flatMap((file) =>
    reports.get(file)!.scenarios.filter(({ plain }) => plain?.includes(`Cannot use ${CANNOT_RUN[file]}`))
  );
  for (const scenario of scenarios) {
    const { name, plain, crash } = scenario;
    if (refused.includes(scenario)) console.log(`Refused: ${name}${indented(plain!)}`);
    else if (plain !== undefined) console.log(`FAILED plainly: ${name}${indented(plain)}`);
    else if (crash !== undefined) console.log(`FAILED in a crash test: ${name}${indented(crash)}`);
  }
  const ran = new Set(
    roots.filter((file) => reports.get(file)!.scenarios.every(({ plain }) => plain === undefined))
      .flatMap((file) => SCENARIOS.filter(({ files: [first] }) => first === file).flatMap(({ files }) => files)),
  );
  const notRun = inScope.filter((file) => !ran.has(file) && file.includes(only));
  const why = notRun.map((file) => file in CANNOT_RUN ? `${file} (refused: ${CANNOT_RUN[file]})` : file);
  if (why.length > 0) console.log(`Files that no scenario ran: ${why.join(", ")}`);
  const counted = inScope.filter((file) => file.includes(only));
  const passed = (key: "plain" | "crash") =>
    scenarios.filter((one) => one.plain === undefined && one[key] === undefined).length;
  const points = scenarios.reduce((sum, { points = 0 }) => sum + points, 0);
  console.log(`Workflow files: ${counted.length - notRun.length} of ${counted.length} run`);
  console.log(
    `Scenarios: ${passed("plain")} of ${scenarios.length} plainly, ${
      passed("crash")
    } of ${scenarios.length} in a crash test (${points} crashes)`,
  );
  const hasFailed = notRun.some((file) => !(file in CANNOT_RUN)) ||
    passed("crash") < scenarios.length - refused.length;
  if (hasFailed) Deno.exitCode = 1;
}
