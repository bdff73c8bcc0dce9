/**
 * Prints the size of the core, bundled, minified and gzipped, and fails when it is over budget: people load it into edge
 * scripts. The bundler is the one built into `deno`, which has its version pinned.
 *
 * Beside the whole it measures what somebody pays who uses one part of it: nothing of the executor comes along with the
 * store, and nothing of the store with the lock.
 *
 * @module
 */

/** In kilobytes of 1,024 bytes. The executor is to do what the best engines do, so the whole has room for it. */
const BUDGETS = { "mod.ts": 36, "store.ts": 12, "lock.ts": 3 };

/** The gzipped and the minified size of a bundle, in bytes. */
async function measure(module: string): Promise<[zipped: number, minified: number]> {
  const entry = new URL(`../${module}`, import.meta.url).pathname;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--minify", "--platform", "browser", entry],
  }).output();
  if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
  const gzip = new Blob([stdout]).stream().pipeThrough(new CompressionStream("gzip"));
  return [(await new Response(gzip).arrayBuffer()).byteLength, stdout.byteLength];
}

let over = false;
for (const [module, kilobytes] of Object.entries(BUDGETS)) {
  const [zipped, minified] = await measure(module);
  const budget = kilobytes * 1024;
  over ||= zipped > budget;
  const share = `${Math.round(100 * zipped / budget)}% of the budget of ${budget}`;
  console.log(
    `${module}: ${zipped} bytes gzipped, ${minified} minified; ${share}${zipped > budget ? ": too much" : ""}`,
  );
}
if (over) Deno.exit(1);
