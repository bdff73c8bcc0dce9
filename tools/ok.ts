/**
 * Everything that CI checks, in one command. Every step runs even if one before it failed; the last
 * lines name the steps that failed and count the tests.
 *
 * The last line, `N passed, N failed`, has the counts that `deno test` printed. A test run that ends
 * without printing any, such as one that does not type-check, counts as one failure.
 *
 * @module
 */

import config from "../deno.json" with { type: "json" };
import { chooseStd, withStd } from "./with_std.ts";

const std = await chooseStd();

const STEPS: Record<string, string[]> = {
  format: ["fmt", "--check"],
  lint: ["lint"],
  types: withStd(std, "check", []),
  docs: ["doc", "--lint", ...Object.values(config.exports)],
  test: ["task", "test"], // the README's command
  publish: ["publish", "--dry-run", "--allow-dirty"],
  size: ["task", "size"],
  node: ["run", "--no-prompt", "--allow-run", "tools/node_smoke.ts"],
  demo: ["task", "demo"],
  bench: withStd(std, "run", ["tools/bench_smoke.ts"]),
};

/** Runs `deno`, passing its standard output on as it comes, and answers that output if it is wanted. */
async function run(args: string[]): Promise<{ success: boolean; output: string }> {
  const child = new Deno.Command(Deno.execPath(), {
    args,
    env: { ROCKPOOL_STD: std },
    stdout: "piped",
  }).spawn();
  let output = "";
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    output += chunk;
    await Deno.stdout.write(new TextEncoder().encode(chunk));
  }
  return { success: (await child.status).success, output };
}

/** Reads the counts off the last line of `deno test`, coloured or not. */
function countTests(output: string): { passed: number; failed: number } {
  // deno-lint-ignore no-control-regex
  const plain = output.replaceAll(/\x1b\[[0-9;]*m/g, "");
  const summary = plain.matchAll(/^(?:ok|FAILED) \| (\d+) passed\b.*? \| (\d+) failed\b/gm);
  const last = [...summary].at(-1);
  return last ? { passed: Number(last[1]), failed: Number(last[2]) } : { passed: 0, failed: 1 };
}

const failures: string[] = [];
let tests = { passed: 0, failed: 0 };
for (const [name, args] of Object.entries(STEPS)) {
  console.log(`\n--- ${name}: deno ${args.join(" ")}`);
  const { success, output } = await run(args);
  if (!success) failures.push(name);
  if (name === "test") tests = countTests(output);
}

console.log();
for (const name of failures) console.log(`FAILED step: ${name}`);
console.log(`${tests.passed} passed, ${tests.failed} failed`);
if (failures.length > 0) Deno.exit(1);
