/**
 * Prints the size of what users of the package load, minified and gzipped. Fails if a part is over its budget: people load the
 * package into edge scripts. `package/bundlers.ts` has more bundlers, and takes longer.
 *
 * It measures the JavaScript that `deno pack` makes, as an npm user gets it, and not the sources: the packer rewrites some syntax,
 * and a bundler may then keep modules that nobody uses. `deno bundle` is esbuild; it does not run the code.
 *
 * @module
 */

import { run } from "./package/npm.ts";
import { pack } from "./package/packed.ts";

/**
 * What is imported from which entry, and the most that it may take, in kilobytes of 1,024 bytes.
 *
 * The executor may take 60. Scopes take 4 of them, messages that are stored once and reach every executor 5, headers and
 * middleware that changes calls 3, reads that may be old 2, leases, `work()` and deliveries 2.5, and what a store in memory has
 * for several executors 1.8, visits and the queries of past states 0.6, labels that change, chains of several workflows, the cancellation
 * of one activity and what the caller of an interrupted update is told 0.9. The texts of errors that name the way out are a part of each.
 */
const BUDGETS = [
  { names: "*", entry: ".", gzippedKb: 61 },
  { names: "{ Executor }", entry: ".", gzippedKb: 60 },
  { names: "{ InMemoryStore }", entry: ".", gzippedKb: 16 },
  { names: "*", entry: "./store", gzippedKb: 16 },
  { names: "{ RWLock }", entry: ".", gzippedKb: 2.1, minifiedKb: 5 },
  { names: "*", entry: "./lock", gzippedKb: 2, minifiedKb: 5 },
];

await using project = await pack();
for (const { names, entry, gzippedKb, minifiedKb = Infinity } of BUDGETS) {
  const source = `${project.folder}/entry.js`;
  await Deno.writeTextFile(source, `export ${names} from "@rockpool/workflow${entry.slice(1)}";`);
  const args = ["bundle", "--quiet", "--minify", "--platform=browser", "--node-modules-dir=manual", source];
  const code = new Blob([await run(Deno.execPath(), args, project.folder)]);
  const gzip = code.stream().pipeThrough(new CompressionStream("gzip"));
  const zipped = (await new Response(gzip).arrayBuffer()).byteLength;
  const share = Math.max(zipped / gzippedKb, code.size / minifiedKb) / 1024;
  console.log(
    `export ${names} from "${entry}": ${zipped} bytes gzipped, ${code.size} minified; ` +
      `${Math.round(100 * share)}% of the budget${share > 1 ? ": too much" : ""}`,
  );
  if (share > 1) Deno.exitCode = 1;
}
