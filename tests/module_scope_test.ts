import { assertEquals } from "@std/assert";

Deno.test("importing the package and constructing an executor and a store uses no timer, random number, time or I/O", async () => {
  const module = new URL("support/module_scope.ts", import.meta.url).pathname;
  const args = ["run", "--no-prompt", "--allow-read", "--no-check", module];
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, env: { NO_COLOR: "1" } }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assertEquals([out, err], ["nothing was used\n", ""]);
});
