import { assert, assertEquals } from "@std/assert";
import { TempFolder } from "../tests/support/temp_files.ts";
import { SCRIPT } from "./script.ts";

Deno.test("SCRIPT has no type error", async () => {
  await using folder = new TempFolder();
  const file = `${folder.path}/script.js`;
  const types =
    `/// <reference no-default-lib="true" />\n/// <reference lib="dom" />\n/// <reference lib="dom.iterable" />
/// <reference lib="esnext" />\n// @ts-check\n`;
  await Deno.writeTextFile(file, types + SCRIPT);
  const args = ["check", "--quiet", "--no-config", file];
  const { success, stderr } = await new Deno.Command(Deno.execPath(), { args, env: { NO_COLOR: "1" } }).output();
  assertEquals([new TextDecoder().decode(stderr), success], ["", true]);
});

Deno.test("SCRIPT is small", async () => {
  const gzipped = new Blob([SCRIPT]).stream().pipeThrough(new CompressionStream("gzip"));
  const { byteLength } = await new Response(gzipped).arrayBuffer();
  assert(byteLength < 4096, `${byteLength} bytes`);
});
