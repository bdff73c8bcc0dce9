/**
 * Runs `runtime_smoke.ts` on Node, where Node is installed: the core is for every runtime.
 *
 * @module
 */

const entry = new URL("runtime_smoke.ts", import.meta.url).pathname;
const bundle = await new Deno.Command(Deno.execPath(), {
  args: ["bundle", "--quiet", "--platform", "browser", entry],
  stderr: "inherit",
}).output();
if (!bundle.success) Deno.exit(1);

try {
  const node = new Deno.Command("node", { args: ["--input-type=module", "-"], stdin: "piped" }).spawn();
  await new Blob([bundle.stdout]).stream().pipeTo(node.stdin);
  Deno.exit((await node.status).code);
} catch (error) {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
  console.log("Node is not installed: the core was not tried on it");
}
