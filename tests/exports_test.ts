/**
 * Polices what is public: the files, `mod.ts`, the `exports` of `deno.json` and what gets published
 * say the same.
 *
 * Every top-level module is public and a subpath; a folder is private, or public by its `mod.ts`.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import config from "../deno.json" with { type: "json" };

const root = new URL("../", import.meta.url);

/** Runs `deno` on the tree and answers what it prints. */
async function deno(...args: string[]): Promise<string> {
  const command = new Deno.Command(Deno.execPath(), { args, cwd: root, env: { NO_COLOR: "1" } });
  const { success, stdout, stderr } = await command.output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert(success, `deno ${args.join(" ")} failed: ${err}`);
  return out + err;
}

/** The names that modules export, types too. */
async function exportsOf(files: string[]): Promise<Map<string, string[]>> {
  const { nodes } = JSON.parse(await deno("doc", "--json", "--quiet", ...files)) as {
    nodes: Record<
      string,
      { symbols: { name: string; declarations: { declarationKind: string }[] }[] }
    >;
  };
  return new Map(files.map((file) => [
    file,
    nodes[new URL(file, root).href].symbols
      .filter((symbol) => symbol.declarations.some((d) => d.declarationKind === "export"))
      .map((symbol) => symbol.name),
  ]));
}

const isModule = (name: string) => name.endsWith(".ts") && !name.endsWith("_test.ts");
const topLevel = [...Deno.readDirSync(root)].map(({ name }) => name).filter(isModule);

Deno.test("exports: mod.ts exports symbols of the public modules, each by its name", async () => {
  const { "mod.ts": mod, ...modules } = Object.fromEntries(await exportsOf(topLevel));
  const known = new Set(Object.values(modules).flat());
  assertEquals(mod.filter((name) => !known.has(name)), []);
  assert(!Deno.readTextFileSync(new URL("mod.ts", root)).includes("export *"));
});

Deno.test("exports: every public module of the top level is a subpath of its name", () => {
  const subpath = (name: string) => name === "mod.ts" ? "." : `./${name.replace(/\.ts$/, "")}`;
  const entries = Object.entries(config.exports).filter(([, path]) => !path.slice(2).includes("/"));
  assertEquals(
    entries.toSorted(),
    topLevel.map((name): [string, string] => [subpath(name), `./${name}`]).toSorted(),
  );
});

Deno.test("exports: every entry exists, and every directory with a mod.ts that is not a tool's is one", () => {
  const entries: string[] = Object.values(config.exports);
  for (const entry of entries) assert(Deno.statSync(new URL(entry, root)).isFile, entry);
  const expected = ["./mod.ts"];
  const search = (folder: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, root))) {
      if (!isDirectory || name.startsWith(".") || ["bench", "examples", "tools"].includes(name)) continue;
      const inside = [...Deno.readDirSync(new URL(`${folder}${name}/`, root))];
      if (inside.some((file) => file.name === "mod.ts")) expected.push(`${folder}${name}/mod.ts`);
      search(`${folder}${name}/`);
    }
  };
  search("./");
  assertEquals(
    entries.filter((entry) => entry.endsWith("/mod.ts")).toSorted(),
    expected.toSorted(),
  );
});

Deno.test("exports: what is published is the module graph and the papers, and it needs nothing else", async () => {
  const graph = new Set<string>();
  for (const entry of Object.values(config.exports)) {
    const { modules } = JSON.parse(await deno("info", "--json", "--quiet", entry)) as {
      modules: { specifier: string; error?: string }[];
    };
    for (const { specifier, error } of modules) assert(graph.add(specifier) && !error, error);
  }
  const printed = await deno("publish", "--dry-run", "--allow-dirty", "--no-check");
  const published = [...printed.matchAll(/^ *(file:\S+) \(/gm)].map(([, url]) => url);
  const papers = ["deno.json", "README.md", "LICENSE", "CHANGELOG.md", "testing/README.md"];
  const expected = [...graph, ...papers.map((name) => new URL(name, root).href)];
  assertEquals(published.toSorted(), expected.toSorted());
});
