/**
 * Tests the code in the documents. `deno test --doc` runs each snippet that is not marked `ignore`, and `deno fmt` formats it.
 *
 * 1. `deno lint` accepts each snippet, also those that do not run.
 * 2. A program prints what the document says, in a block of `text` after a line such as `It prints:`, which means the snippet above,
 *    and runs without a permission. After "`main.ts Ada` prints:" it is the snippet that begins with `// main.ts`, with an argument;
 *    the files of a document are in one folder. After "prints, and waits:" the program is killed once it has printed that.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";

const root = new URL("../", import.meta.url);

/** A snippet of TypeScript in a document. */
interface Snippet {
  /** The document and the number of the line, such as `docs/time.md:12`. */
  readonly place: string;
  /** Whether `deno test --doc` runs it. One that it does not run is often a part of a program: its variables are used elsewhere. */
  readonly runs: boolean;
  readonly code: string;
}

/** A program that a document runs. */
interface Program {
  readonly place: string;
  /** The name of the file, and the arguments. */
  readonly command: readonly string[];
  /** Whether it waits when it has printed that. */
  readonly waits: boolean;
  readonly prints: string;
}

/** A document that says what programs print. */
interface PrintingDocument {
  /** The code of its files by their names. */
  readonly files: ReadonlyMap<string, string>;
  readonly programs: readonly Program[];
}

/** The Markdown files of the repository, as paths from its root. */
function documents(folder = ""): string[] {
  return [...Deno.readDirSync(new URL(`./${folder}`, root))].flatMap(({ name, isDirectory }) => {
    if (isDirectory) return /^\.|^coverage$|^node_modules$/.test(name) ? [] : documents(`${folder}${name}/`);
    return name.endsWith(".md") ? [`${folder}${name}`] : [];
  });
}

const texts = new Map(documents().map((path) => [path, Deno.readTextFileSync(new URL(path, root))]));

/** The number of the line at an index. */
const lineAt = (text: string, index: number): number => text.slice(0, index).split("\n").length;

function snippets(): Snippet[] {
  return [...texts].flatMap(([path, text]) =>
    [...text.matchAll(/^```ts( ignore)?\n(.*?)^```$/gms)].map(({ index, 1: ignore, 2: code }) => ({
      place: `${path}:${lineAt(text, index)}`,
      runs: ignore === undefined,
      code,
    }))
  );
}

function printingDocuments(): PrintingDocument[] {
  return [...texts].map(([path, text]) => {
    const files = new Map<string, string>();
    const programs: Program[] = [];
    const block =
      /^```ts[ a-z]*\n(?<code>.*?)^```$|^(?<line>[^\n]*\bprints(?<waits>, and waits)?:)\n\n```text\n(?<prints>.*?)^```$/gms;
    let above = "";
    for (const { index, groups = {} } of text.matchAll(block)) {
      const { code, line, waits, prints } = groups;
      if (code !== undefined) {
        above = /^\/\/ (\S+\.ts)\n/.exec(code)?.[1] ?? "snippet.ts";
        files.set(above, code);
        continue;
      }
      const place = `${path}:${lineAt(text, index)}`;
      const command = /`(\S+\.ts[^`]*)` prints/.exec(line)?.[1].split(" ") ?? [above];
      // The code at this place: a later snippet without a name is another one.
      if (command[0] === "snippet.ts") files.set(command[0] = `snippet${index}.ts`, files.get("snippet.ts")!);
      programs.push({ place, command, waits: waits !== undefined, prints });
    }
    return { files, programs };
  }).filter(({ programs }) => programs.length > 0);
}

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
  for (const { files, programs } of printingDocuments()) {
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
