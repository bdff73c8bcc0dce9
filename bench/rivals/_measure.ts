/**
 * Which of several ways to do the same work is faster, on a noisy machine?
 *
 * All contestants of a group take turns in one process, in rounds of alternating order, so that noise affects all of them. The
 * result is the median of a contestant's samples, divided by the number of operations. Before each sample, the young garbage of
 * the previous sample is collected.
 *
 * @module
 */

import { cpus } from "node:os";
import { setImmediate } from "node:timers/promises";
import config from "./deno.json" with { type: "json" };

/** One way to do the work of a group. */
export interface Contestant {
  /** Its name in the table, in Markdown. */
  readonly name: string;
  /** The ratios are to the first contestant with this role. */
  readonly role?: "floor" | "ours";
  /** How many operations one call of `run` does, if it cannot do as many as the group requires. */
  readonly operations?: number;
  /** Prepares the next sample; not measured. Its body runs once per sample, any other body for about 2 ms. */
  prepare?(): unknown;
  /** Does the operations of the group. */
  run(): unknown;
  /** Ends what `prepare` began; not measured. Must stop everything that could run while others are measured. */
  finish?(): unknown;
}

/** The contestants of one table. */
export interface Group {
  readonly title: string;
  /** How many operations one call of `run` does. */
  readonly operations: number;
  readonly contestants: readonly Contestant[];
  /** @default {15} */
  readonly rounds?: number;
}

const SAMPLE_MS = 2;
const WARM_UP_MS = 100;
/** A body that takes longer runs once. */
const SLOW_MS = 2_000;

const { gc } = globalThis as { gc?: (options: { type: "minor" | "major" }) => void };
if (!gc) throw new Error("Cannot measure: want --v8-flags=--expose-gc, as in deno.json");

/** The milliseconds of one call of `run`, as the average of `repeat` calls. */
async function sample({ prepare, run, finish }: Contestant, repeat: number): Promise<number> {
  await prepare?.();
  await setImmediate();
  gc!({ type: "minor" }); // a major collection would drop the optimized code of some contestants
  const start = performance.now();
  for (let i = 0; i < repeat; i++) await run();
  const ms = (performance.now() - start) / repeat;
  await finish?.();
  return ms;
}

/** How often to repeat the body in one sample, or the time of the only call of a slow body. */
async function warmUp(contestant: Contestant): Promise<{ repeat: number; only?: number }> {
  let repeat = 1;
  for (const end = performance.now() + WARM_UP_MS; performance.now() < end;) {
    const ms = await sample(contestant, repeat);
    if (ms > SLOW_MS) return { repeat: 0, only: ms };
    if (!contestant.prepare) repeat = Math.max(1, Math.round(SAMPLE_MS / ms));
  }
  return { repeat };
}

/** Runs a group and prints its table, fastest first. */
export async function measure({ title, operations, contestants, rounds = 15 }: Group): Promise<void> {
  const entries = [];
  for (const contestant of contestants) {
    entries.push({ contestant, ...await warmUp(contestant), samples: [] as number[] });
  }
  for (let round = 0; round < rounds; round++) {
    for (const { contestant, repeat, samples } of round % 2 ? entries.toReversed() : entries) {
      if (repeat > 0) samples.push(await sample(contestant, repeat));
    }
  }
  const results = entries.map(({ contestant, only, samples }) => {
    const ns = 1e6 / (contestant.operations ?? operations);
    return { ...contestant, values: (only === undefined ? samples : [only]).map((ms) => ms * ns) };
  });
  printResults(title, results, time, "fastest to slowest");
}

/** The measurements of one contestant. */
export interface Result extends Pick<Contestant, "name" | "role"> {
  readonly values: readonly number[];
}

/** Prints a table, lowest median first. */
export function printResults(
  title: string,
  results: readonly Result[],
  show: (value: number) => string,
  spread: string,
): void {
  const rows = results.map(({ name, role, values }) => {
    const sorted = values.toSorted((a, b) => a - b);
    return { name, role, sorted, median: sorted[sorted.length >> 1] };
  }).sort((a, b) => a.median - b.median);
  const [floor, ours] = ["floor", "ours"].map((role) => rows.find((row) => row.role === role)!.median);

  console.log(`\n### ${title}\n`);
  printTable([
    ["", "median", "to the floor", "to ours", spread],
    ...rows.map(({ name, role, median, sorted }) => [
      role === "ours" ? `**${name}**` : name,
      show(median),
      ratio(median / floor),
      ratio(median / ours),
      sorted.length > 1 ? `${show(sorted[0])} to ${show(sorted.at(-1)!)}` : "one run",
    ]),
  ]);
}

/** The used bytes without garbage: of the heap, and of memory outside of it that its objects hold. */
export function usedBytes(): number {
  for (let i = 0; i < 2; i++) gc!({ type: "major" });
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

/** Prints a Markdown table in the format of `deno fmt`. */
function printTable(rows: string[][]): void {
  const widths = rows[0].map((_, column) => Math.max(3, ...rows.map((row) => row[column].length)));
  const [head, ...body] = rows.map((row) => `| ${row.map((cell, i) => cell.padEnd(widths[i])).join(" | ")} |`);
  console.log([head, `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...body].join("\n"));
}

const digits = (value: number) => value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en");
const ratio = (value: number) => value < 0.1 ? value.toPrecision(1) : digits(value);
const time = (ns: number) =>
  ns < 1e3 ? `${digits(ns)} ns` : ns < 1e6 ? `${digits(ns / 1e3)} µs` : `${digits(ns / 1e6)} ms`;

/** Prints the machine, the commit that `deno task` passes, and the versions of the rivals. */
export function printConditions(packages: readonly string[]): void {
  const pinned: Record<string, string> = config.imports;
  console.log([
    `${cpus().length} cores of ${cpus()[0].model}, Deno ${Deno.version.deno}, V8 ${Deno.version.v8}, ${Deno.build.os}.`,
    `Commit ${Deno.args[0] ?? "unknown"}, ${new Date().toISOString().slice(0, 10)}.`,
    `${packages.map((name) => pinned[name].replace("npm:", "")).join(", ")}.`,
  ].join("\n"));
}

let compiled = 0;

/**
 * Returns what `source` returns, with `scope` in scope. Each call compiles its own source, so that no contestant is slowed down
 * by the kinds of call that others made at the same place.
 */
export function compile<T>(scope: Record<string, unknown>, source: string): T {
  return new Function(...Object.keys(scope), `${source} // ${compiled++}`)(...Object.values(scope));
}

/** Returns an async function that runs `code` a number of times, with the index as `i`. */
export function loop(operations: number, scope: Record<string, unknown>, code: string): () => Promise<void> {
  return compile(scope, `return async () => { for (let i = 0; i < ${operations}; i++) { ${code} } };`);
}
