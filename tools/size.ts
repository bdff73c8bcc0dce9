/**
 * Prints the size of what users of the package load, minified and gzipped. Fails if a part is over its budget: people load the
 * package into edge scripts.
 *
 * It measures the JavaScript that `deno pack` makes, as an npm user gets it, and not the sources: the packer rewrites some syntax,
 * and a bundler may then keep modules that nobody uses. `deno bundle` is esbuild; it does not run the code.
 *
 * @module
 */

/**
 * What is imported from which entry, and the most that it may take, in kilobytes of 1,024 bytes.
 *
 * The executor may take 52. Scopes take 4 of them, messages that are stored once and reach every executor 4, headers and
 * middleware that changes calls 3, and reads that may be old 1. The texts of errors that name the way out are a part of each.
 */
const BUDGETS = [
  { names: "*", entry: ".", gzippedKb: 52 },
  { names: "{ Executor }", entry: ".", gzippedKb: 52 },
  { names: "{ InMemoryStore }", entry: ".", gzippedKb: 14 },
  { names: "*", entry: "./store", gzippedKb: 14 },
  { names: "{ RWLock }", entry: ".", gzippedKb: 2, minifiedKb: 5 },
  { names: "*", entry: "./lock", gzippedKb: 2, minifiedKb: 5 },
];

/** Runs a program and returns what it prints; throws if it fails. */
async function run(program: string, ...args: string[]): Promise<Uint8Array<ArrayBuffer>> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args }).output();
  if (!success) throw new Error(`${program} ${args.join(" ")}\n${new TextDecoder().decode(stderr)}`);
  return stdout;
}

const folder = await Deno.makeTempDir({ prefix: "rockpool-size-" });
try {
  await run(Deno.execPath(), "pack", "--allow-dirty", "--output", `${folder}/package.tgz`);
  await run("tar", "-xzf", `${folder}/package.tgz`, "-C", folder);
  const { exports } = JSON.parse(await Deno.readTextFile(`${folder}/package/package.json`));

  for (const { names, entry, gzippedKb, minifiedKb = Infinity } of BUDGETS) {
    const source = `${folder}/entry.js`;
    await Deno.writeTextFile(source, `export ${names} from "./package/${exports[entry].import}";`);
    const code = await run(Deno.execPath(), "bundle", "--quiet", "--minify", "--platform", "browser", source);
    const gzip = new Blob([code]).stream().pipeThrough(new CompressionStream("gzip"));
    const zipped = (await new Response(gzip).arrayBuffer()).byteLength;
    const share = Math.max(zipped / gzippedKb, code.byteLength / minifiedKb) / 1024;
    console.log(
      `export ${names} from "${entry}": ${zipped} bytes gzipped, ${code.byteLength} minified; ` +
        `${Math.round(100 * share)}% of the budget${share > 1 ? ": too much" : ""}`,
    );
    if (share > 1) Deno.exitCode = 1;
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
