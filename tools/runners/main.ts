/**
 * A workflow sleeps for 30 days in the time of Jest's, Sinon's, Vitest's and `node:test`'s fake timers: fakes that are installed
 * before the package is imported, and after. `FakeTime` of `@std/testing` is tested in `executor_test.ts`.
 *
 * The package is packed, and runs on Node. Without Node, the check is left out.
 *
 * @module
 */

import { installed, run } from "../package/npm.ts";
import { pack } from "../package/packed.ts";

const modules = await installed({
  "@jest/globals": "30.5.2",
  "@sinonjs/fake-timers": "15.5.0",
  "jest": "30.5.2",
  "vitest": "4.1.12",
});

const COMMANDS: Record<string, string[]> = {
  jest: ["--experimental-vm-modules", "node_modules/jest/bin/jest.js"],
  sinon: ["--test", "sinon.mjs"],
  vitest: ["node_modules/vitest/vitest.mjs", "run"],
  "node:test": ["--test", "node.mjs"],
};

await using project = await pack();
const { folder } = project;
for (const name of ["@jest", "@sinonjs", "jest", "vitest"]) {
  await Deno.symlink(`${modules}/${name}`, `${folder}/node_modules/${name}`);
}
for (const name of ["jest", "node", "sinon", "sleep", "vitest"]) {
  await Deno.copyFile(`${import.meta.dirname}/${name}.mjs`, `${folder}/${name}.mjs`);
}
const jest = { testMatch: ["<rootDir>/jest.mjs"], transform: {} };
await Deno.writeTextFile(`${folder}/package.json`, JSON.stringify({ private: true, type: "module", jest }));
await Deno.writeTextFile(`${folder}/vitest.config.mjs`, 'export default { test: { include: ["vitest.mjs"] } };');

for (const [name, args] of Object.entries(COMMANDS)) {
  for (const time of ["before", "after"]) {
    try {
      await run("env", [`IMPORT=${time}`, "node", ...args], folder);
      console.log(`${name}: ok, imported ${time} the fakes`);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) throw error;
      console.log(`${name}: FAILED, imported ${time} the fakes\n${error instanceof Error ? error.message : error}`);
      Deno.exitCode = 1;
    }
  }
}
