/**
 * The package in the test runners of Node: Jest, Vitest and `node:test`.
 *
 * - A workflow sleeps for 30 days in the time of their fake timers, and of Sinon's: fakes that are installed before the package is
 *   imported, and after. `FakeTime` of `@std/testing` is tested in `tests/fake_time_test.ts`.
 * - The contract of a store is tested by `testStore`.
 * - The project of `docs/coming-from-temporal.md` runs with the settings that the page shows: in Vitest, Jest, mocha and Deno.
 * - The programs of the README and of `docs/getting-started.md` print what the pages say, run by `tsx`. Those that need an SQLite file are
 *   left out: Node 20 has none.
 *
 * The package is packed. Without Node, the check fails.
 *
 * @module
 */

import { printingDocuments } from "../../tests/support/snippets.ts";
import { installed, run } from "../package/npm.ts";
import { pack } from "../package/packed.ts";
import { patient, temporalChecks } from "./temporal.ts";

const modules = await installed({
  "@jest/globals": "30.5.2",
  "@sinonjs/fake-timers": "15.5.0",
  "jest": "30.5.2",
  "mocha": "10.8.2",
  "ts-jest": "29.4.15",
  "ts-node": "10.9.2",
  "tsx": "4.23.15",
  "typescript": "5.9.3",
  "vitest": "4.1.12",
});

const jest = ["--experimental-vm-modules", "node_modules/jest/bin/jest.js", ...patient.jest];
const vitest = ["node_modules/vitest/vitest.mjs", "run", ...patient.vitest];

/** The command line of each check, and the values of `IMPORT` with which it runs. */
const CHECKS: [name: string, args: string[], imports: ("before" | "after")[]][] = [
  ["jest, fake timers", [...jest, "jest_sleep.mjs"], ["before", "after"]],
  ["sinon, fake timers", ["--test", "sinon_sleep.mjs"], ["before", "after"]],
  ["vitest, fake timers", [...vitest, "vitest_sleep.mjs"], ["before", "after"]],
  ["node:test, fake timers", ["--test", "node_sleep.mjs"], ["before", "after"]],
  ["jest, store contract", [...jest, "jest_contract.mjs"], ["before"]],
  ["vitest, store contract", [...vitest, "vitest_contract.mjs"], ["before"]],
  ["node:test, store contract", ["--test", "node_contract.mjs"], ["before"]],
];

await using project = await pack();
const { folder } = project;
for (const name of ["@jest", "@sinonjs", "jest", "mocha", "ts-jest", "ts-node", "tsx", "typescript", "vitest"]) {
  await Deno.symlink(`${modules}/${name}`, `${folder}/node_modules/${name}`);
}
for await (const { name } of Deno.readDir(import.meta.dirname!)) {
  if (name.endsWith(".mjs")) await Deno.copyFile(`${import.meta.dirname}/${name}`, `${folder}/${name}`);
}
const settings = { testMatch: ["<rootDir>/jest_*.mjs"], transform: {} };
await Deno.writeTextFile(`${folder}/package.json`, JSON.stringify({ private: true, type: "module", jest: settings }));
await Deno.writeTextFile(`${folder}/vitest.config.mjs`, 'export default { test: { include: ["vitest_*.mjs"] } };');

/** Runs a check and prints its outcome. */
async function check(name: string, body: () => Promise<unknown>): Promise<void> {
  try {
    await body();
    console.log(`ok: ${name}`);
  } catch (error) {
    console.log(`FAILED: ${name}\n${error instanceof Error ? error.message : error}`);
    Deno.exitCode = 1;
  }
}

/** Runs Node in the project, until it has printed enough characters: then it is killed. */
async function nodeUntil(length: number, args: string[]): Promise<string> {
  const options: Deno.CommandOptions = { args: ["300", "node", ...args], cwd: folder, stdout: "piped" };
  await using process = new Deno.Command("timeout", options).spawn();
  let text = "";
  for await (const part of process.stdout.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (text.length >= length) break;
  }
  process.kill("SIGTERM"); // `timeout` passes it on
  return text;
}

/** Runs Node in the project. */
const node = (args: string[], time = "before"): Promise<string> =>
  run("timeout", ["300", "env", `IMPORT=${time}`, "node", ...args], folder); // broken turns hang

for (const [name, args, imports] of CHECKS) {
  for (const time of imports) {
    await check(imports.length > 1 ? `${name}, imported ${time} them` : name, () => node(args, time));
  }
}

for (const [name, body] of await temporalChecks(folder)) await check(name, body);

for (const path of ["README.md", "docs/getting-started.md"]) {
  const { files, programs } = printingDocuments().get(path)!;
  for (const [name, code] of files) await Deno.writeTextFile(`${folder}/${name}`, code);
  for (const { place, command: [file, ...args], waits, prints } of programs) {
    if (files.get(file)!.includes("@rockpool/workflow/sqlite")) continue;
    await check(`${place}, tsx`, async () => {
      const command = ["node_modules/tsx/dist/cli.mjs", file, ...args];
      const printed = waits ? await nodeUntil(prints.length, command) : await node(command);
      if (printed !== prints) throw new Error(`${file} printed\n${printed}\nand not\n${prints}`);
    });
  }
}
