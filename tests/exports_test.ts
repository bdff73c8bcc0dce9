/**
 * Tests what is public: the files, `mod.ts`, the `exports` of `deno.json`, the doc comments and the published files agree.
 *
 * 1. Each top-level module is public, and a subpath of its name.
 * 2. A folder is private, unless it has a `mod.ts`; then it is a subpath. Each module in `stores/` is a subpath of its name.
 * 3. `mod.ts` names its exports, and each is also an export of another public module.
 * 4. Each exported symbol has a `@category`.
 * 5. The package holds the modules that the entries load, and the documents; nothing else.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import config from "../deno.json" with { type: "json" };
import { run } from "../tools/package/npm.ts";
import { publishedFiles } from "../tools/package/packed.ts";

const root = new URL("../", import.meta.url);

/** The modules that users can import. */
const entries = Object.values(config.exports).map((path) => path.slice("./".length));

/** The documents of a folder and of the folders in it, as paths from the root. */
function documents(folder: string): string[] {
  return [...Deno.readDirSync(new URL(folder, root))].flatMap(({ name, isDirectory }) =>
    isDirectory ? documents(`${folder}${name}/`) : name.endsWith(".md") ? [`${folder}${name}`] : []
  );
}

/** The files that are published and are no module. `ARCHITECTURE.md` and `CONTRIBUTING.md` are for contributors. */
const PAPERS = ["deno.json", "README.md", "LICENSE", "CHANGELOG.md", "llms.txt", ...documents("docs/")];

/** Runs `deno` on the tree and returns what it prints. */
const deno = (...args: string[]): Promise<string> => run(Deno.execPath(), args, root.pathname);

/** A part of what `deno doc --json` prints of a symbol. */
interface DocSymbol {
  readonly name: string;
  readonly declarations: readonly Declaration[];
}

interface Declaration {
  /** `export` if the module exports it. */
  readonly declarationKind: string;
  /** `reference` if another documented module declares it. */
  readonly kind: string;
  readonly jsDoc?: { readonly tags?: readonly { readonly kind: string }[] };
}

/** A reference counts: the module that declares the symbol is checked too. An `@internal` symbol needs no category. */
function isCategorized({ kind, jsDoc }: Declaration): boolean {
  return kind === "reference" || jsDoc?.tags?.some(({ kind }) => kind === "category" || kind === "internal") === true;
}

let documented: Promise<Map<string, DocSymbol[]>> | undefined;

/** The symbols that each entry exports, types included. */
function exportedSymbols(): Promise<Map<string, DocSymbol[]>> {
  return documented ??= (async () => {
    const { nodes } = JSON.parse(await deno("doc", "--json", "--quiet", ...entries)) as {
      nodes: Record<string, { symbols: DocSymbol[] }>;
    };
    return new Map(entries.map((entry) => {
      const { symbols } = nodes[new URL(entry, root).href];
      return [entry, symbols.filter((symbol) => symbol.declarations.some((d) => d.declarationKind === "export"))];
    }));
  })();
}

/** The top-level modules, without the tests. */
const topLevel = [...Deno.readDirSync(root)].map(({ name }) => name)
  .filter((name) => name.endsWith(".ts") && !name.endsWith("_test.ts"));

/** The folders that have a `mod.ts`, without those that are not part of the package. */
function publicFolders(folder = ""): string[] {
  return [...Deno.readDirSync(new URL(`./${folder}`, root))].flatMap(({ name, isDirectory, isFile }) => {
    if (isFile && name === "mod.ts" && folder !== "") return [folder.slice(0, -1)];
    if (!isDirectory || name.startsWith(".") || ["bench", "examples", "tests", "tools"].includes(name)) return [];
    return publicFolders(`${folder}${name}/`);
  });
}

Deno.test("exports: each top-level module, store, engine and folder with a mod.ts is a subpath of its name", () => {
  const places = ["stores", "engines"].flatMap((folder) =>
    [...Deno.readDirSync(new URL(folder, root))].map(({ name }) => name)
      .filter((name) => name.endsWith(".ts") && !name.endsWith("_test.ts"))
      .map((name) => [`./${name.replace(/\.ts$/, "").replaceAll("_", "-")}`, `./${folder}/${name}`])
  );
  const modules = topLevel.map((name) => [name === "mod.ts" ? "." : `./${name.replace(/\.ts$/, "")}`, `./${name}`]);
  const folders = publicFolders().map((folder) => [`./${folder}`, `./${folder}/mod.ts`]);
  assertEquals(Object.entries<string>(config.exports).toSorted(), [...modules, ...folders, ...places].toSorted());
});

Deno.test("exports: mod.ts names its exports, which are exports of other public modules", async () => {
  const { "mod.ts": mod, ...others } = Object.fromEntries(await exportedSymbols());
  const known = new Set(Object.values(others).flat().map(({ name }) => name));
  assertEquals(mod.map(({ name }) => name).filter((name) => !known.has(name)), []);
  assert(!Deno.readTextFileSync(new URL("mod.ts", root)).includes("export *"));
});

Deno.test("exports: each exported symbol has a @category", async () => {
  const missing = [...await exportedSymbols()].flatMap(([entry, symbols]) => {
    const names = symbols.filter(({ declarations }) => !declarations.some(isCategorized)).map(({ name }) => name);
    return names.length > 0 ? [{ entry, names }] : [];
  });
  assertEquals(missing, []);
});

Deno.test("exports: the package holds the modules that its entries load, and the documents", async () => {
  const modules = new Set<string>();
  for (const entry of entries) {
    const graph = JSON.parse(await deno("info", "--json", "--quiet", entry)) as {
      modules: { specifier: string; error?: string }[];
    };
    for (const { specifier, error } of graph.modules) {
      if (!specifier.startsWith("node:")) assert(modules.add(specifier) && !error, error);
    }
  }
  const expected = [...modules, ...PAPERS.map((name) => new URL(name, root).href)];
  assertEquals((await publishedFiles()).toSorted(), expected.toSorted());
});

Deno.test("exports: the lock loads at most four modules", async () => {
  const { modules } = JSON.parse(await deno("info", "--json", "--quiet", "./lock.ts")) as {
    modules: { specifier: string }[];
  };
  const names = modules.map(({ specifier }) => specifier);
  assert(names.length <= 4, names.join());
});
