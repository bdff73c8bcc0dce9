/**
 * Prints the factors of the package's score on JSR that this repository decides. Fails if a point of them is lost.
 *
 * The factors are those of `api/src/analysis.rs` and `api/src/api/types.rs` in github.com/jsr-io/jsr: 18 points, of which 17 are 100%.
 * Three points are set on the site: see "Release" in `CONTRIBUTING.md`.
 *
 * @module
 */

import config from "../../deno.json" with { type: "json" };
import { run } from "./npm.ts";
import { publishedFiles, ROOT } from "./packed.ts";

/** A part of what `deno doc --json` prints. */
interface Doc {
  readonly nodes: Readonly<Record<string, DocModule>>;
}

interface DocModule {
  readonly module_doc?: { readonly doc?: string; readonly tags?: readonly { readonly kind: string }[] };
  readonly symbols: readonly { readonly name: string; readonly declarations: readonly Declaration[] }[];
}

interface Declaration {
  readonly declarationKind: string;
  readonly kind: string;
  readonly jsDoc?: unknown;
  readonly def?: { readonly hasBody?: boolean };
}

/** The declarations that count: not private ones, not names that another module declares, not the code of an overload. */
function counted(declarations: readonly Declaration[]): Declaration[] {
  const known = declarations.filter(({ declarationKind, kind }) =>
    declarationKind !== "private" && kind !== "reference"
  );
  return known.length === 1 ? known : known.filter(({ kind, def }) => kind !== "function" || !def?.hasBody);
}

/** The names of what the modules export without a doc comment, and how many they export. */
function documentation(modules: readonly DocModule[]): { total: number; missing: string[] } {
  const symbols = modules.flatMap(({ symbols }) =>
    symbols.flatMap(({ name, declarations }) => counted(declarations).map(({ jsDoc }) => ({ name, jsDoc })))
  );
  return { total: symbols.length, missing: symbols.filter(({ jsDoc }) => !jsDoc).map(({ name }) => name) };
}

/** Whether the types of the exports can be read without inference. */
async function hasFastTypes(): Promise<boolean> {
  try {
    return (await publishedFiles()).length > 0;
  } catch (error) {
    console.log(error instanceof Error ? error.message : error);
    return false;
  }
}

const entries = Object.values(config.exports);
const { nodes }: Doc = JSON.parse(await run(Deno.execPath(), ["doc", "--json", "--quiet", ...entries], ROOT));
const readme = await Deno.readTextFile(`${ROOT}README.md`);
const workflow = await Deno.readTextFile(`${ROOT}.github/workflows/publish.yml`);
const hasProvenance = /^ *id-token: write$/m.test(workflow) && /run: deno publish$/m.test(workflow);
const undocumented = Object.entries(nodes).filter(([, { module_doc: doc }]) => !doc?.doc).map(([url]) => url);
const { total, missing } = documentation(Object.values(nodes));
const share = 1 - missing.length / total;

const factors: [name: string, most: number, points: number][] = [
  ["README", 2, readme.trim() === "" ? 0 : 2],
  ["Examples in the README", 1, readme.includes("```") ? 1 : 0],
  [`Module docs in all ${entries.length} entries ${undocumented.join(" ")}`, 1, undocumented.length === 0 ? 1 : 0],
  [
    `Docs of ${total - missing.length} of ${total} symbols ${missing.join(" ")}`,
    5,
    Math.floor(Math.min(share / 0.8, 1) * 5),
  ],
  ["No slow types", 5, await hasFastTypes() ? 5 : 0],
  ["Provenance, by publish.yml", 1, hasProvenance ? 1 : 0],
];
for (const [name, most, points] of factors) console.log(`${points} of ${most}: ${name.trim()}`);
const points = factors.reduce((sum, [, , points]) => sum + points, 0);
const most = factors.reduce((sum, [, most]) => sum + most, 0);
console.log("3, on the site: a description, and two runtimes that are marked as compatible");
console.log(`JSR score: ${points} of ${most} here, and 3 on the site; with them ${Math.min(points + 3, 17)} of 17`);
if (points < most) Deno.exitCode = 1;
