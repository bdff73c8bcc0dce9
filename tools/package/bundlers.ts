/**
 * Bundles the packed package with the bundlers that its users have, and prints the sizes. Fails if a part is over its budget, or if
 * a bundler keeps code that nobody uses.
 *
 * `deno task size` is quick, and has the exact budgets. This one shows that other bundlers drop as much as esbuild does: rollup
 * with terser, Vite (rolldown), webpack (terser) and Bun.
 *
 * @module
 */

import { installed, run } from "./npm.ts";
import { pack } from "./packed.ts";

const VERSIONS = {
  "esbuild": "0.28.2",
  "rollup": "4.68.8",
  "@rollup/plugin-node-resolve": "16.0.3",
  "terser": "5.51.4",
  "vite": "8.3.8",
  "webpack": "5.113.0",
  "bun": "1.4.5",
};

/** What is imported from the package, and the most that it may take, in kilobytes of 1,024 bytes. */
const BUDGETS = [
  { name: "RWLock", minifiedKb: 5, gzippedKb: 2.1 },
  { name: "InMemoryStore", minifiedKb: 46, gzippedKb: 16.5 },
  { name: "Executor", minifiedKb: 183, gzippedKb: 60.5 },
];

/** What may be left of entries that are imported and not used. webpack reads `Error`, because a dropped class extends it. */
const HARMLESS = /^(Error[,;]?)*$/;

/** Bundles a module for browsers, as one minified module. */
type Bundle = (entry: string, out: string) => Promise<string>;

/** Loads the bundlers. Their types are not known here: they are no dependencies of this project. */
async function loadBundlers(modules: string): Promise<Record<string, Bundle>> {
  const load = (path: string) => import(new URL(path, `file://${modules}/`).href);
  const [esbuild, { rollup }, { default: nodeResolve }, { minify }, vite, { default: webpack }] = await Promise.all([
    load("esbuild/lib/main.js"),
    load("rollup/dist/es/rollup.js"),
    load("@rollup/plugin-node-resolve/dist/es/index.js"),
    load("terser/main.js"),
    load("vite/dist/node/index.js"),
    load("webpack/lib/index.js"),
  ]);
  return {
    async esbuild(entry) {
      const options = { entryPoints: [entry], bundle: true, minify: true, format: "esm", write: false };
      return (await esbuild.build(options)).outputFiles[0].text;
    },

    async rollup(entry) {
      const onwarn = ({ code, message }: { code: string; message: string }) => {
        if (code !== "EMPTY_BUNDLE") console.warn(message);
      };
      const bundle = await rollup({ input: entry, plugins: [nodeResolve()], onwarn });
      const { output } = await bundle.generate({ format: "es" });
      return (await minify(output[0].code, { module: true })).code;
    },

    async vite(entry) {
      const rolldownOptions = { input: entry, preserveEntrySignatures: "strict" };
      const build = { write: false, modulePreload: false, rolldownOptions };
      const root = new URL(".", `file://${entry}`).pathname;
      const { output } = await vite.build({ root, configFile: false, logLevel: "error", build });
      return output[0].code;
    },

    async webpack(entry, out) {
      await new Promise<void>((resolve, reject) => {
        const output = { path: out, filename: "webpack.js", module: true, library: { type: "module" } };
        const options = { mode: "production", entry, output, target: "web", experiments: { outputModule: true } };
        webpack({ ...options, performance: false }, (error: unknown, stats: { hasErrors(): boolean }) => {
          if (error || stats.hasErrors()) reject(error ?? new Error(`${stats}`));
          else resolve();
        });
      });
      return await Deno.readTextFile(`${out}/webpack.js`);
    },

    async bun(entry, out) {
      await run(`${modules}/bun/bin/bun.exe`, [
        "build",
        entry,
        "--minify",
        "--target=browser",
        `--outfile=${out}/bun.js`,
      ]);
      return await Deno.readTextFile(`${out}/bun.js`);
    },
  };
}

async function gzippedBytes(code: string): Promise<number> {
  const gzip = new Blob([code]).stream().pipeThrough(new CompressionStream("gzip"));
  return (await new Response(gzip).arrayBuffer()).byteLength;
}

const bundlers = await loadBundlers(await installed(VERSIONS));
await using project = await pack();
// ./sqlite and ./temporal import modules of Node, which programs for browsers do not have, and ./cli is a program.
const unused = project.entries.filter((entry) => !/^\.\/(sqlite|temporal|cli)\b/.test(entry)).map((entry) =>
  `import "@rockpool/workflow${entry.slice(1)}";`
).join("\n");
const source = `${project.folder}/entry.js`;
for (const [bundler, bundle] of Object.entries(bundlers)) {
  const sizes: string[] = [];
  for (const { name, minifiedKb, gzippedKb } of BUDGETS) {
    await Deno.writeTextFile(source, `export { ${name} } from "@rockpool/workflow";`);
    const code = await bundle(source, project.folder);
    const [minified, gzipped] = [new Blob([code]).size, await gzippedBytes(code)];
    const isTooMuch = minified > minifiedKb * 1024 || gzipped > gzippedKb * 1024;
    sizes.push(`${name} ${minified}, gzipped ${gzipped}${isTooMuch ? " (too much)" : ""}`);
    if (isTooMuch) Deno.exitCode = 1;
  }
  console.log(`${bundler}: ${sizes.join("; ")}`);
  await Deno.writeTextFile(source, unused);
  const left = (await bundle(source, project.folder)).trim();
  if (HARMLESS.test(left)) continue;
  console.log(`${bundler} keeps code of modules that are imported and not used: ${left.slice(0, 300)}`);
  Deno.exitCode = 1;
}
