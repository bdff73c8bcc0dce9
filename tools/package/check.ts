/**
 * Checks the packed package as its users get it. Fails if a check fails.
 *
 * 1. publint and attw (`@arethetypeswrong/cli`) find nothing. The package has no CommonJS: the profile of attw is `esm-only`.
 * 2. The declarations check in a strict project, without DOM, with every TypeScript since {@linkcode TYPESCRIPT}'s first.
 * 3. Node strips the types of every source: no syntax needs a transformation.
 * 4. The command line runs in the Node that is installed.
 * 5. No file names the machine that packed it.
 *
 * `consumer.ts` is the project; `consumer_temporal.ts` is for Node only. The declarations need the library `ES2022`, and two global names: `Symbol.asyncDispose` (library
 * `ESNext.Disposable`), and `AbortSignal`, which each platform declares in its own types: `DOM`, `WebWorker`, `@types/node`,
 * `@cloudflare/workers-types`, `@types/bun`. `@types/node` declares both.
 *
 * @module
 */

import { installed, run } from "./npm.ts";
import { pack, type PackedProject, publishedFiles, ROOT } from "./packed.ts";

/** The last version of each minor. */
const TYPESCRIPT = ["5.6.3", "5.7.3", "5.8.3", "5.9.3", "6.0.3", "7.0.2"];

const TOOLS = {
  "publint": "0.3.25",
  "@arethetypeswrong/cli": "0.18.5",
  "amaro": "1.2.1",
  "@types/node": "22.20.5",
  ...Object.fromEntries(TYPESCRIPT.map((version) => [`typescript-${version}`, `npm:typescript@${version}`])),
};

/** The two projects: one that is bundled for browsers or workers, one for Node. */
const PROJECTS: Record<string, { readonly types: readonly string[]; readonly [option: string]: unknown }> = {
  bundler: {
    module: "ESNext",
    moduleResolution: "bundler",
    lib: ["ES2022", "ESNext.Disposable", "WebWorker"],
    types: [],
  },
  nodenext: { module: "NodeNext", moduleResolution: "nodenext", lib: ["ES2022"], types: ["node"] },
};

const STRICT = {
  target: "ES2022",
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
  noEmit: true,
};

const modules = await installed(TOOLS);
await using project = await pack();

/** Runs a program from npm. */
function npm(path: string, ...args: string[]): Promise<string> {
  const flags = ["run", "--no-prompt", "--allow-all", "--node-modules-dir=manual"];
  return run(Deno.execPath(), [...flags, `${modules}/${path}`, ...args], project.folder);
}

async function writeProjects({ folder, entries }: PackedProject): Promise<void> {
  const files = ["consumer.ts", "consumer_temporal.ts"];
  const sources = await Promise.all(files.map((file) => Deno.readTextFile(new URL(file, import.meta.url))));
  for (const entry of entries) {
    if (!sources.some((source) => source.includes(`from "@rockpool/workflow${entry.slice(1)}"`))) {
      throw new Error(`No consumer uses ${entry}`);
    }
  }
  for (const [i, file] of files.entries()) await Deno.writeTextFile(`${folder}/${file}`, sources[i]);
  await Deno.symlink(`${modules}/@types`, `${folder}/node_modules/@types`);
  for (const [name, options] of Object.entries(PROJECTS)) {
    const hasNode = options.types.length > 0;
    const config = { compilerOptions: { ...STRICT, ...options }, files: hasNode ? files : files.slice(0, 1) };
    await Deno.writeTextFile(`${folder}/tsconfig.${name}.json`, JSON.stringify(config));
  }
}

/** Strips the types of the sources with the code that Node has for it. */
async function stripTypes(): Promise<void> {
  const { transformSync } = await import(`file://${modules}/amaro/dist/index.js`);
  const sources = (await publishedFiles()).filter((url) => url.endsWith(".ts")).map((url) => new URL(url));
  if (sources.length === 0) throw new Error("Found no sources");
  for (const source of sources) {
    try {
      transformSync(await Deno.readTextFile(source), { mode: "strip-only" });
    } catch (error) {
      throw new Error(`Cannot strip the types of ${source.pathname}`, { cause: error });
    }
  }
}

/** Lists the run of a history file. */
async function runCommandLine(): Promise<void> {
  const events = [
    { format: "rockpool-history", version: 1, workflowId: "order-1", runId: "1" },
    { type: "workflow_started", at: 0, workflowName: "order" },
    { type: "workflow_completed", at: 1 },
  ];
  const file = `${project.folder}/order-1.history`;
  await Deno.writeTextFile(file, events.map((event) => `${JSON.stringify(event)}\n`).join(""));
  const listed = await run("node", ["node_modules/@rockpool/workflow/cli/mod.js", "list", file], project.folder);
  if (!/^completed +order-1 /m.test(listed)) throw new Error(`It printed ${listed}`);
}

/** Looks for the path of the checkout. A source map would hold it in base64, and Node shows it with `--enable-source-maps`. */
async function findPathsOfThisMachine(): Promise<void> {
  const packed = `${project.folder}/node_modules/@rockpool/workflow`;
  const files = (await run("tar", ["-tzf", project.tarball])).trim().split("\n");
  if (files.length < 300) throw new Error(`The package has ${files.length} files`);
  const checkout = await Deno.realPath(ROOT);
  for (const file of files.map((name) => name.replace(/^[^/]*\//, ""))) {
    const text = await Deno.readTextFile(`${packed}/${file}`);
    if (text.includes(checkout)) throw new Error(`${file} has the path of the checkout, ${checkout}`);
    if (/\/[/*][#@] sourceMappingURL=/.test(text)) throw new Error(`${file} has a source map`);
  }
}

await writeProjects(project);
const checks: Record<string, () => Promise<unknown>> = {
  "publint": () => npm("publint/src/cli.js", project.tarball, "--strict"),
  "attw, ESM only": () => npm("@arethetypeswrong/cli/dist/index.js", project.tarball, "--profile", "esm-only"),
  "type stripping of Node": stripTypes,
  "the command line in Node": runCommandLine,
  "no path of this machine": findPathsOfThisMachine,
};
for (const name of Object.keys(PROJECTS)) {
  for (const version of TYPESCRIPT) {
    const args = ["--project", `tsconfig.${name}.json`];
    checks[`TypeScript ${version}, ${name}`] = () => npm(`typescript-${version}/bin/tsc`, ...args);
  }
}

/** Two at a time: most machines have more than one core, and few have much memory. */
const waiting = Object.entries(checks);
await Promise.all([1, 2].map(async () => {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const [name, check] = next;
    try {
      await check();
      console.log(`ok: ${name}`);
    } catch (error) {
      console.log(`FAILED: ${name}\n${error instanceof Error ? error.message : error}`);
      Deno.exitCode = 1;
    }
  }
}));
