/**
 * Runs test files of the samples, unmodified, by the runner that they are written for: mocha with ts-node, or Jest with ts-jest. The names
 * of Temporal's packages are mapped to the packed package, as `docs/coming-from-temporal.md` tells users to do it.
 *
 * @module
 */

import { installed, run } from "../package/npm.ts";
import { pack } from "../package/packed.ts";
import { pageFiles } from "./page.ts";

const PACKAGES = {
  "async-mutex": "0.5.0",
  "axios": "0.28.1",
  "jest": "30.5.2",
  "mocha": "10.8.2",
  "ms": "2.1.3",
  "nanoid": "3.3.20",
  "node-fetch": "2.7.0",
  "sinon": "11.1.2",
  "source-map-support": "0.5.21",
  "ts-jest": "29.4.15",
  "ts-node": "10.9.2",
  "typescript": "5.9.3",
  "uuid": "8.3.2",
};

/** What the settings of a sample in a workspace say, beyond those of the page. */
const OF_A_SAMPLE = ' "^@app/shared$": "<rootDir>/nestjs-exchange-rates/libs/shared/src",';

/** How long a test file may take, in seconds. */
const LIMIT_S = "120";

const COMPILER = {
  module: "commonjs",
  moduleResolution: "node10",
  target: "es2022",
  esModuleInterop: true,
  allowJs: true,
};

/** Runs the test files, and prints what fails. Returns how many failed. */
export async function runTestFiles(folder: string, files: readonly string[]): Promise<number> {
  const modules = await installed(PACKAGES);
  await using project = await pack();
  const root = project.folder;
  for (const name of Object.keys(PACKAGES)) await Deno.symlink(`${modules}/${name}`, `${root}/node_modules/${name}`);
  await Deno.writeTextFile(`${root}/package.json`, JSON.stringify({ private: true }));
  const settings = await pageFiles();
  await Deno.writeTextFile(`${root}/temporal.cjs`, settings.get("temporal.cjs")!);
  await Deno.writeTextFile(
    `${root}/jest.config.cjs`,
    settings.get("jest.config.cjs")!.replace("moduleNameMapper: {", `testTimeout: 20_000, $&${OF_A_SAMPLE}`),
  );
  await Deno.writeTextFile(`${root}/tsconfig.json`, JSON.stringify({ compilerOptions: COMPILER }));
  let failed = 0;
  console.log("");
  for (const file of files) {
    const sample = file.split("/")[0];
    await run("rm", ["-rf", `${root}/${sample}`]);
    await copy(`${folder}/${sample}`, `${root}/${sample}`);
    const isForJest = /\bbeforeAll\(|\bjest\./.test(await Deno.readTextFile(`${root}/${file}`));
    const args = isForJest
      ? ["node_modules/jest/bin/jest.js", "--config", "jest.config.cjs", "--runTestsByPath", file]
      : [
        "node_modules/mocha/bin/mocha.js",
        "--exit",
        "--require",
        "./temporal.cjs",
        "--require",
        "ts-node/register/transpile-only",
        file,
      ];
    try {
      const env = ["TS_NODE_SKIP_PROJECT=1", `TS_NODE_COMPILER_OPTIONS=${JSON.stringify(COMPILER)}`];
      await run("timeout", [LIMIT_S, "env", ...env, "node", ...args], root);
      console.log(`ok: ${file}`);
    } catch (error) {
      failed++;
      console.log(`FAILED: ${file}\n  ${(error as Error).message.slice(-4000).replaceAll("\n", "\n  ")}`);
    }
  }
  console.log(`Test files: ${files.length - failed} of ${files.length} pass`);
  return failed;
}

/** Copies a sample without what is installed or built, and without its settings: it may be in a folder of its own. */
async function copy(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory, isFile } of Deno.readDir(from)) {
    if (name === "node_modules" || name.startsWith(".") || name === "package.json" || name === "tsconfig.json") {
      continue;
    }
    if (isDirectory) await copy(`${from}/${name}`, `${to}/${name}`);
    else if (isFile) await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}
