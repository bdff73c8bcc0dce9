/**
 * Everything that CI checks, in one command. Every step runs, even if an earlier step failed.
 *
 * 1. Two steps run at a time, because many of them mostly wait for servers, browsers and other processes. What a step prints is printed in
 *    one piece when it ends.
 * 2. The end of what a failed step has printed is printed again after the last step: often only the end of a log is kept. The last
 *    lines say how long each step took, name the steps that failed, and count the tests: `N passed, N failed`.
 *
 * The counts come from the JUnit report that `deno test` writes.
 *
 * @module
 */

import config from "../deno.json" with { type: "json" };
import { chooseStd, type Std, withStd } from "./with_std.ts";

/**
 * The `deno` command line of every step, in the order in which they begin. Long steps come early, so that both ends of the run are near
 * each other. "matrix" is the first, because it installs the runtimes and the browser of other steps.
 */
function stepsOf(std: Std, reportPath: string, matrixArgs: string[]): Record<string, string[]> {
  return {
    matrix: ["task", "matrix", ...matrixArgs],
    format: ["fmt", "--check"],
    lint: ["lint"],
    types: withStd(std, "check", []),
    docs: ["doc", "--lint", ...Object.values(config.exports)],
    test: ["task", "test", `--junit-path=${reportPath}`], // the README's command
    postgres: ["task", "postgres"],
    restate: ["task", "restate"],
    inspector: ["task", "inspector"],
    edge: ["task", "edge"],
    runners: ["task", "runners"],
    package: ["task", "package"],
    bundlers: ["task", "bundlers"],
    publish: ["publish", "--dry-run", "--allow-dirty"],
    otel: ["task", "otel"],
    "temporal types": ["task", "temporal-types"],
    bench: withStd(std, "run", ["tools/bench_smoke.ts"]),
    demo: ["task", "demo"],
    size: ["task", "size"],
    score: ["task", "score"],
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
  const lines = plain(output).split("\n").filter((line) => line.trim() !== "");
  const errors = lines.filter((line) => /\bFAILED\b|^\s*(error|Uncaught)\b|^\w*Error\b/.test(line));
  return [...lines.slice(-LAST_LINES), ...[...new Set(errors)].slice(0, ERROR_LINES)];
}

/** A text without colours. */
function plain(text: string): string {
  // deno-lint-ignore no-control-regex -- that is what is removed
  return text.replaceAll(/\x1b\[[0-9;]*m/g, "");
}

/** What became of a step. */
export interface StepResult {
  readonly name: string;
  readonly success: boolean;
  /** Everything that it has printed. */
  readonly output: string;
  readonly seconds: number;
}

/** A step that runs. */
interface Running {
  readonly name: string;
  readonly begunAt: number;
  output: string;
}

/**
 * Runs steps, two at a time. Prints each step in one piece when it ends.
 *
 * @param steps The `deno` command line of every step.
 * @param options `env` of the steps; `print` replaces the standard output; `quietMs`: after each of these times, it says which steps run.
 * @returns The results, in the order of the steps.
 */
export async function runSteps(
  steps: Readonly<Record<string, string[]>>,
  options: { env?: Record<string, string>; print?: (text: string) => void; quietMs?: number } = {},
): Promise<StepResult[]> {
  const { env = {}, print = console.log, quietMs = 30_000 } = options;
  const waiting = [...Object.entries(steps).entries()];
  const running = new Set<Running>();
  const results: StepResult[] = [];
  const timer = setInterval(() => {
    for (const { name, begunAt, output } of running) {
      const last = plain(output).trimEnd().split("\n").at(-1)!.slice(0, 120);
      print(`... ${name} runs for ${secondsSince(begunAt).toFixed(0)} s: ${last}`);
    }
  }, quietMs);
  const work = async () => {
    for (let next; (next = waiting.shift());) {
      const [index, [name, command]] = next;
      const step: Running = { name, begunAt: performance.now(), output: "" };
      running.add(step);
      const success = await runStep(command, env, (text) => step.output += text);
      running.delete(step);
      const { output } = step;
      const seconds = secondsSince(step.begunAt);
      print(`\n--- ${name}: deno ${command.join(" ")}\n${output}--- ${name}: ${seconds.toFixed(1)} s`);
      results[index] = { name, success, output, seconds };
    }
  };
  try {
    await Promise.all([work(), work()]);
  } finally {
    clearInterval(timer);
  }
  return results;
}

const secondsSince = (begunAt: number) => (performance.now() - begunAt) / 1000;

/** Runs a step, and hands over what it prints. A process that the step leaves behind does not hold it. Returns whether it succeeded. */
async function runStep(command: string[], env: Record<string, string>, hear: (text: string) => void): Promise<boolean> {
  const child = new Deno.Command(Deno.execPath(), { args: command, env, stdout: "piped", stderr: "piped" }).spawn();
  const ended = new AbortController();
  const read = (from: ReadableStream<Uint8Array<ArrayBuffer>>) =>
    from.pipeThrough(new TextDecoderStream()).pipeTo(new WritableStream({ write: hear }), { signal: ended.signal })
      .catch(() => {}); // ended: what is missing is of no interest
  const allRead = Promise.all([read(child.stdout), read(child.stderr)]);
  const { success } = await child.status;
  const timer = setTimeout(() => ended.abort(), 5000);
  await allRead;
  clearTimeout(timer);
  return success;
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
  const begunAt = performance.now();
  const folder = await Deno.makeTempDir({ prefix: "rockpool-ok-" });
  let results: StepResult[];
  let tests: TestCounts;
  try {
    const reportPath = `${folder}/report.xml`;
    results = await runSteps(stepsOf(std, reportPath, args), { env: { ROCKPOOL_STD: std } });
    tests = countTests(await readReport(reportPath), results.find(({ name }) => name === "test")!.success);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  const failures = results.filter(({ success }) => !success);
  console.log();
  for (const { name, output } of failures) {
    console.log(`--- the end of ${name}`);
    for (const line of summarizeFailure(output)) console.log(line);
  }
  const times = results.map(({ name, seconds }) => `${name} ${seconds.toFixed(0)}`);
  console.log(`Seconds: ${times.join(", ")}; ${secondsSince(begunAt).toFixed(0)} in all`);
  for (const { name } of failures) console.log(`FAILED step: ${name}`);
  console.log(`${tests.passed} passed, ${tests.failed} failed`);
  if (failures.length > 0 || tests.failed > 0) Deno.exit(1);
}

if (import.meta.main) await main(Deno.args);
