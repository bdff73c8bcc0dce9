/**
 * Tests the code in the documents. `deno test --doc` runs each snippet that is not marked `ignore`, and `deno fmt` formats it.
 *
 * 1. `deno lint` accepts each snippet, also those that do not run.
 * 2. Programs print what their documents say: see `support/snippets.ts`. Snippets without a name of a file run without a permission.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { printingDocuments, type Program, snippets } from "./support/snippets.ts";

const root = new URL("../", import.meta.url);

/** Runs `deno` in the root of the repository. */
async function deno(...args: string[]): Promise<{ success: boolean; stdout: string; stderr: string }> {
  const command = new Deno.Command(Deno.execPath(), { args, cwd: root.pathname, env: { NO_COLOR: "1" } });
  const { success, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { success, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

Deno.test("snippets: deno lint accepts each one", async () => {
  const folder = await Deno.makeTempDir({ prefix: "rockpool-snippets-" });
  try {
    for (const kind of ["whole", "part"]) await Deno.mkdir(`${folder}/${kind}`);
    for (const { place, runs, code } of snippets()) {
      await Deno.writeTextFile(`${folder}/${runs ? "whole" : "part"}/${place.replaceAll(/[/:]/g, "_")}.ts`, code);
    }
    const reports = await Promise.all([
      deno("lint", "--quiet", `${folder}/whole`),
      deno("lint", "--quiet", "--rules-exclude=no-unused-vars", `${folder}/part`),
    ]);
    for (const { success, stderr } of reports) assert(success, stderr);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** Runs a program of a document in the folder of its files, until it ends; or until it has printed what it should, if it waits. */
async function outputOf({ command: [file, ...args], waits, prints }: Program, folder: string): Promise<string> {
  const access = file.startsWith("snippet") ? [] : [`--allow-read=${folder}`, `--allow-write=${folder}`];
  const config = `${root.pathname}deno.json`;
  const run = ["run", "--quiet", "--no-prompt", "--no-check", "--config", config, ...access, file, ...args];
  const options = { args: run, cwd: folder, stdout: "piped", env: { NO_COLOR: "1" } } as const;
  await using process = new Deno.Command(Deno.execPath(), options).spawn();
  let text = "";
  for await (const part of process.stdout.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (waits && text.length >= prints.length) {
      process.kill("SIGKILL");
      break;
    }
  }
  const { success } = await process.status;
  assert(success || waits, `${file} failed after it had printed: ${text}`);
  return text;
}

Deno.test("snippets: programs print what their documents say", async () => {
  for (const { files, programs } of printingDocuments().values()) {
    const folder = await Deno.makeTempDir({ prefix: "rockpool-snippets-" });
    try {
      for (const [name, code] of files) await Deno.writeTextFile(`${folder}/${name}`, code);
      for (const program of programs) {
        assertEquals(await outputOf(program, folder), program.prints, program.place);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }
});
