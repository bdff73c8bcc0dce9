/**
 * Everything that CI checks, in one command. Every step runs, even if an earlier step failed. The end of what a failed step has
 * printed is printed again after the last step: often only the end of a log is kept. The last lines name the steps that failed and
 * count the tests: `N passed, N failed`.
 *
 * The counts come from the JUnit report that `deno test` writes.
 *
 * @module
 */

import config from "../deno.json" with { type: "json" };
import { chooseStd, type Std, withStd } from "./with_std.ts";

/** The `deno` command line of every step. */
function steps(std: Std, reportPath: string, matrixArgs: string[]): Record<string, string[]> {
  return {
    format: ["fmt", "--check"],
    lint: ["lint"],
    types: withStd(std, "check", []),
    docs: ["doc", "--lint", ...Object.values(config.exports)],
    test: ["task", "test", `--junit-path=${reportPath}`], // the README's command
    publish: ["publish", "--dry-run", "--allow-dirty"],
    size: ["task", "size"],
    package: ["task", "package"],
    bundlers: ["task", "bundlers"],
    score: ["task", "score"],
    runners: ["task", "runners"],
    matrix: ["task", "matrix", ...matrixArgs],
    postgres: ["task", "postgres"],
    restate: ["task", "restate"],
    otel: ["task", "otel"],
    "temporal types": ["task", "temporal-types"],
    edge: ["task", "edge"],
    inspector: ["task", "inspector"],
    demo: ["task", "demo"],
    bench: withStd(std, "run", ["tools/bench_smoke.ts"]),
  };
}

/** How many lines of a failed step are printed again. */
const LAST_LINES = 80;
/** How many of its lines that name an error. They come last. */
const ERROR_LINES = 12;

/**
 * What is printed again of a step that failed: the end of its output, then the lines of the whole output that name an error.
 *
 * @param output Everything that the step has printed.
 */
export function summarizeFailure(output: string): string[] {
  // deno-lint-ignore no-control-regex
  const lines = output.replaceAll(/\x1b\[[0-9;]*m/g, "").split("\n").filter((line) => line.trim() !== "");
  const errors = lines.filter((line) => /\bFAILED\b|^\s*(error|Uncaught)\b|^\w*Error\b/.test(line));
  return [...lines.slice(-LAST_LINES), ...[...new Set(errors)].slice(0, ERROR_LINES)];
}

/** Runs a step, and passes on what it prints. A process that the step leaves behind does not hold it. */
async function runStep(command: string[], std: Std): Promise<{ success: boolean; output: string }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: command,
    env: { ROCKPOOL_STD: std },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const ended = new AbortController();
  let output = "";
  const pass = (from: ReadableStream<Uint8Array>, to: typeof Deno.stdout) => {
    const decoder = new TextDecoder();
    const sink = new WritableStream<Uint8Array>({
      async write(bytes) {
        output += decoder.decode(bytes, { stream: true });
        for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await to.write(rest));
      },
    });
    return from.pipeTo(sink, { signal: ended.signal }).catch(() => {}); // ended: what is missing is of no interest
  };
  const passed = Promise.all([pass(child.stdout, Deno.stdout), pass(child.stderr, Deno.stderr)]);
  const { success } = await child.status;
  const timer = setTimeout(() => ended.abort(), 5000);
  await passed;
  clearTimeout(timer);
  return { success, output };
}

/** How many tests passed and failed. */
export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
}

/**
 * Counts the tests in a JUnit report; test steps count as tests, ignored tests do not count.
 *
 * A run that failed although its report names no failure counts as one failure: a module that did not load, for example.
 *
 * @param report The report, or `undefined` if the run ended without one: it did not type-check, or it crashed.
 * @param success Whether the run succeeded.
 */
export function countTests(report: string | undefined, success: boolean): TestCounts {
  // In XML, a `<` in a name or in a message is written `&lt;`, so these are the elements and nothing else.
  const cases = report?.split("<testcase ").slice(1) ?? [];
  const failed = cases.filter((text) => text.includes("<failure") || text.includes("<error")).length;
  const ignored = cases.filter((text) => text.includes("<skipped")).length;
  const unreported = failed === 0 && (!success || report === undefined) ? 1 : 0;
  return { passed: cases.length - failed - ignored, failed: failed + unreported };
}

async function readReport(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** @param args Arguments of the matrix: `--install` installs its runtimes. */
async function main(args: string[]): Promise<void> {
  const std = await chooseStd();
  const folder = await Deno.makeTempDir({ prefix: "rockpool-ok-" });
  const failures: { name: string; output: string }[] = [];
  let tests = countTests(undefined, false);
  try {
    for (const [name, command] of Object.entries(steps(std, `${folder}/report.xml`, args))) {
      console.log(`\n--- ${name}: deno ${command.join(" ")}`);
      const { success, output } = await runStep(command, std);
      if (!success) failures.push({ name, output });
      if (name === "test") tests = countTests(await readReport(`${folder}/report.xml`), success);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  console.log();
  for (const { name, output } of failures) {
    console.log(`--- the end of ${name}`);
    for (const line of summarizeFailure(output)) console.log(line);
  }
  for (const { name } of failures) console.log(`FAILED step: ${name}`);
  console.log(`${tests.passed} passed, ${tests.failed} failed`);
  if (failures.length > 0 || tests.failed > 0) Deno.exit(1);
}

if (import.meta.main) await main(Deno.args);
