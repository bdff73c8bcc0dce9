/**
 * The project of `docs/coming-from-temporal.md` in Vitest, Jest, mocha and Deno, with the settings of the page.
 *
 * @module
 */

import { run } from "../package/npm.ts";
import { ROOT } from "../package/packed.ts";
import { pageFiles } from "../temporal/page.ts";

const TESTS = ["crash.test.ts", "worker.test.ts"];

/** What lets the runners wait for a test on a machine that is busy: by default it fails after 2 or 5 seconds. */
export const patient = { vitest: ["--testTimeout=60000"], jest: ["--testTimeout=60000"], mocha: ["--timeout=60000"] };

/** Returns the checks: each writes a project into a folder in which Node finds the package and the runners, and runs its tests. */
export async function temporalChecks(folder: string): Promise<[name: string, body: () => Promise<unknown>][]> {
  const files = await pageFiles();
  const project = async (name: string, settings: string, edit: (code: string) => string = (code) => code) => {
    const path = `${folder}/temporal-${name}`;
    await Deno.mkdir(path);
    for (const file of ["workflows.ts", settings, ...TESTS]) {
      await Deno.writeTextFile(`${path}/${file}`, edit(files.get(file)!));
    }
    await Deno.writeTextFile(`${path}/package.json`, JSON.stringify({ private: true }));
    return path;
  };
  const modules = "../node_modules";
  const node = (path: string, args: string[]) => run("timeout", ["300", "node", ...args], path);
  return [
    ["temporal, vitest", async () => {
      // The page says so: a module that Vitest loads has no `require`.
      const path = 'fileURLToPath(new URL("./workflows.ts", import.meta.url))';
      const edit = (code: string) =>
        `import { fileURLToPath } from "node:url";\n${code.replace('require.resolve("./workflows")', path)}`;
      await node(await project("vitest", "vitest.config.mjs", edit), [
        `${modules}/vitest/vitest.mjs`,
        "run",
        ...patient.vitest,
      ]);
    }],
    ["temporal, jest", async () => {
      await node(await project("jest", "jest.config.cjs"), [`${modules}/jest/bin/jest.js`, ...patient.jest]);
    }],
    ["temporal, mocha", async () => {
      const typescript = ["--require", "ts-node/register/transpile-only"];
      const path = await project("mocha", "temporal.cjs");
      const compilerOptions = { module: "commonjs", esModuleInterop: true, target: "es2022" };
      await Deno.writeTextFile(`${path}/tsconfig.json`, JSON.stringify({ compilerOptions }));
      await node(path, [
        `${modules}/mocha/bin/mocha.js`,
        ...patient.mocha,
        "--require",
        "./temporal.cjs",
        ...typescript,
        ...TESTS,
      ]);
    }],
    ["temporal, deno", async () => {
      const path = await project("deno", "deno.json", (code) => {
        const bdd = code.includes("it(") ? "const it = Deno.test;\n" : "";
        return bdd + code.replace('require.resolve("./workflows")', 'import.meta.resolve("./workflows.ts")');
      });
      const { imports, ...settings } = JSON.parse(files.get("deno.json")!);
      const { exports } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
      const local = (name: string) => `file://${ROOT}${exports[name.replace("jsr:@rockpool/workflow", ".")].slice(2)}`;
      // A package of JSR brings its entries along; those of the checkout are named one by one.
      const entries = Object.keys(exports).map((entry) => [`@rockpool/workflow${entry.slice(1)}`, entry]);
      const mapped = Object.entries(imports).map(([name, target]) => [name, local(target as string)]);
      const all = Object.fromEntries([...entries.map(([name, entry]) => [name, local(entry)]), ...mapped]);
      await Deno.writeTextFile(`${path}/deno.json`, JSON.stringify({ ...settings, imports: all }));
      await run(Deno.execPath(), ["test", "--no-check", "--no-lock", "--allow-env", "--allow-read", ...TESTS], path);
    }],
  ];
}
