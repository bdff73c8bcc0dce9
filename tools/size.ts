/**
 * Prints the size of the core, bundled and minified, and fails when it is over budget: people load
 * it into edge scripts. The bundler is the one built into `deno`, which has its version pinned.
 *
 * @module
 */

const BUDGET_BYTES = 16 * 1024;

const entry = new URL("../mod.ts", import.meta.url).pathname;
const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
  args: ["bundle", "--quiet", "--minify", "--platform", "browser", entry],
}).output();
if (code !== 0) {
  console.error(new TextDecoder().decode(stderr));
  Deno.exit(code);
}

const gzip = new Blob([stdout]).stream().pipeThrough(new CompressionStream("gzip"));
const zipped = (await new Response(gzip).arrayBuffer()).byteLength;
console.log(
  `mod.ts: ${stdout.byteLength} bytes minified, ${zipped} gzipped; budget ${BUDGET_BYTES}, ` +
    `${Math.round(100 * zipped / BUDGET_BYTES)}% used`,
);
if (zipped > BUDGET_BYTES) {
  console.error(`Over budget by ${zipped - BUDGET_BYTES} bytes`);
  Deno.exit(1);
}
