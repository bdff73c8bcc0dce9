/**
 * Runs `runtime_smoke.ts` and `kit_smoke.ts` on Node, if Node is installed: the core and the kit work on every runtime.
 *
 * @module
 */

/** Bundles a module and runs it; ends the process if that fails. */
async function runOnNode(module: string): Promise<void> {
  const entry = new URL(module, import.meta.url).pathname;
  const bundle = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--platform", "browser", "--external=node:test", entry],
    stderr: "inherit",
  }).output();
  if (!bundle.success) Deno.exit(1);
  const args = ["--test-reporter=dot", "--input-type=module", "-"];
  const node = new Deno.Command("node", { args, stdin: "piped" }).spawn();
  await new Blob([bundle.stdout]).stream().pipeTo(node.stdin);
  const { code } = await node.status;
  if (code !== 0) Deno.exit(code);
}

try {
  for (const module of ["runtime_smoke.ts", "kit_smoke.ts"]) await runOnNode(module);
} catch (error) {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
  console.log("Node is not installed: the core and the kit were not tested on it");
}
