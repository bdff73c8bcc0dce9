/**
 * The code in the documents, and what the documents say that it prints.
 *
 * A program prints what the document says, in a block of `text` after a line such as `It prints:`, which means the snippet above. After
 * "`main.ts Ada` prints:" it is the snippet that begins with `// main.ts`, with an argument; the files of a document are in one folder.
 * After "prints, and waits:" the program is killed once it has printed that.
 *
 * @module
 */

const root = new URL("../../", import.meta.url);

/** A snippet of TypeScript in a document. */
export interface Snippet {
  /** The document and the number of the line, such as `docs/time.md:12`. */
  readonly place: string;
  /** Whether `deno test --doc` runs it. One that it does not run is often a part of a program: its variables are used elsewhere. */
  readonly runs: boolean;
  readonly code: string;
}

/** A program that a document runs. */
export interface Program {
  readonly place: string;
  /** The name of the file, and the arguments. */
  readonly command: readonly string[];
  /** Whether it waits when it has printed that. */
  readonly waits: boolean;
  readonly prints: string;
}

/** A document that says what programs print. */
export interface PrintingDocument {
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

/** All snippets. */
export function snippets(): Snippet[] {
  return [...texts].flatMap(([path, text]) =>
    [...text.matchAll(/^```ts( ignore)?\n(.*?)^```$/gms)].map(({ index, 1: ignore, 2: code }) => ({
      place: `${path}:${lineAt(text, index)}`,
      runs: ignore === undefined,
      code,
    }))
  );
}

/** The documents that say what programs print, by their paths. */
export function printingDocuments(): Map<string, PrintingDocument> {
  const found = new Map<string, PrintingDocument>();
  for (const [path, text] of texts) {
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
    if (programs.length > 0) found.set(path, { files, programs });
  }
  return found;
}
