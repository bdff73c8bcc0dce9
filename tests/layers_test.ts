/**
 * Enforces the structure of the repository: which folder may import from which, no import circles, and nothing but web
 * standards. `ARCHITECTURE.md` states the same rules in short.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";

/**
 * The six rules: what each part may import, apart from itself. A part is a folder or a set of public modules.
 *
 * 1. `util` imports nothing else.
 * 2. The vocabulary (public modules that only describe: types, errors, options …) imports `util`.
 * 3. `history` imports the vocabulary and what it may import.
 * 4. `storage` and `run` import `history` and what it may import, and not each other.
 * 5. The composing modules at the top import everything above: `store.ts` its `storage`, `executor.ts` its `run`. The executor
 *    takes an in-memory store by default; a run knows the port only.
 * 6. The parts outside the core (`testing`, `pictures`, `inspector`, `cli`, `schedule`, `stores`, `engines`, `otel`, `temporal`) import
 *    the public modules and at most `storage`, `history` and `util`, and never `run`. `testing`, `inspector` and `cli` also import
 *    `pictures`, `stores` a database, `temporal` the kit of `testing` and the async contexts and events of Node, `inspector` and `cli`
 *    the texts of histories and tests of `testing`, and `cli`, a program, what it shows and `node:` modules; it may load code of the
 *    user.
 *    The core never imports these parts.
 */
const RULES: Record<string, readonly string[]> = {
  util: [],
  vocabulary: ["util"],
  history: ["vocabulary", "util"],
  storage: ["history", "vocabulary", "util"],
  run: ["history", "vocabulary", "util"],
  "lock.ts": ["util"],
  "store.ts": ["lock.ts", "storage", "history", "vocabulary", "util"],
  "executor.ts": ["store.ts", "run", "history", "vocabulary", "util"],
  "mod.ts": ["executor.ts", "store.ts", "lock.ts", "vocabulary"],
  cli: [
    "public",
    "pictures",
    "inspector",
    "stores",
    "testing/history_text.ts",
    "testing/replay_report.ts",
    "testing/test_writer.ts",
    "history",
    "vocabulary",
    "util",
  ],
  engines: ["public", "history", "vocabulary", "util"],
  inspector: [
    "public",
    "pictures",
    "testing/history_text.ts",
    "testing/test_writer.ts",
    "history",
    "vocabulary",
    "util",
  ],
  otel: ["vocabulary", "util"],
  pictures: ["public", "vocabulary", "util"],
  schedule: ["public", "vocabulary", "util"],
  stores: ["public", "storage", "vocabulary", "util"],
  temporal: ["public", "testing", "vocabulary", "util"],
  testing: ["public", "pictures", "history", "vocabulary", "util"],
};
const VOCABULARY = [
  "activity",
  "clock",
  "context",
  "definitions",
  "errors",
  "hooks",
  "middleware",
  "options",
  "retry",
  "types",
];
/** What a store may import of the runtime: its database, a thread for it, and whether the file is still there. */
const DATABASES = ["node:sqlite", "node:fs", "node:worker_threads"];
/** What the interface of Temporal may import of the runtime: the async context that its functions find their run by, and events. */
const ASYNC_CONTEXT = ["node:async_hooks", "node:events", "node:process"];
/** The modules that import the code of the user. */
const CODE_LOADERS = ["cli/code.ts", "temporal/testing/load.ts"];
const PUBLIC = ["executor.ts", "lock.ts", "mod.ts", "store.ts"];

/** The part that a module belongs to. */
function partOf(file: string): string {
  const [first] = file.split("/");
  return VOCABULARY.includes(file.replace(/\.ts$/, "")) ? "vocabulary" : first;
}

/** Whether the rules let a module import another one. */
function mayImport(file: string, imported: string): boolean {
  const [from, to] = [partOf(file), partOf(imported)];
  const allowed = RULES[from];
  return from === to || allowed.includes(to) || allowed.includes(imported) ||
    allowed.includes("public") && PUBLIC.includes(to);
}

/** What only some runtimes have. `setImmediate` is not here: it may be used where it exists. */
const FOREIGN = [
  "Deno",
  "Bun",
  "process",
  "Buffer",
  "require",
  "global",
  "__dirname",
  "__filename",
];

/** What only `clock.ts` may call: everywhere else, time and chance are parameters. `otel` measures how long calls really take. */
const CLOCK_ONLY = [
  "Date.now",
  "performance.now",
  "Math.random",
  "setTimeout",
  "setInterval",
];

/** What the oldest runtimes of `docs/runtimes.md` do not have. */
const NEWER = ["Array.fromAsync", "Promise.try", "Promise.withResolvers", "URL.parse"];

/** The folders that are not part of the package. */
const BESIDE = ["bench", "coverage", "examples", "matrix", "node_modules", "tests", "tools"];

const root = new URL("../", import.meta.url);

/** All modules of the package, tests left out. */
function modulesIn(folder: string): string[] {
  return [...Deno.readDirSync(new URL(folder, root))].flatMap(({ name, isDirectory }) => {
    if (isDirectory) return BESIDE.includes(name) || name.startsWith(".") ? [] : modulesIn(`${folder}${name}/`);
    return name.endsWith(".ts") && !name.endsWith("_test.ts") ? [folder + name] : [];
  });
}
const files = modulesIn("");

/** The module that an import names, as a path from the root. */
function resolve(file: string, specifier: string): string {
  return new URL(specifier, new URL(file, "file:///")).pathname.slice(1);
}

/** What each module imports; filled by {@linkcode complaints}. */
const imports = new Map<string, Set<string>>();

/** What is wrong with a module; every line names the place. */
function complaints(file: string, source: string): string[] {
  const check = (context: Deno.lint.RuleContext): Deno.lint.LintVisitor => {
    const declared = new Set<string>();
    const foreign: [Deno.lint.Node, string][] = [];
    const report = (node: Deno.lint.Node, message: string) => context.report({ node, message });

    const imported = new Set<string>();
    imports.set(file, imported);
    const checkImport = (node: Deno.lint.Node, from: unknown) => {
      const specifier = String(from);
      if (partOf(file) === "stores" && DATABASES.includes(specifier)) return;
      if (partOf(file) === "temporal" && ASYNC_CONTEXT.includes(specifier)) return;
      if (partOf(file) === "cli" && specifier.startsWith("node:")) return; // a program
      if (!/^\.\.?\//.test(specifier)) {
        return report(node, `imports ${specifier}, which is not a module of the package`);
      }
      const path = resolve(file, specifier);
      if (!(partOf(path) in RULES)) return report(node, `imports ${path}, which is not a module of the package`);
      imported.add(path);
      if (!mayImport(file, path)) {
        report(node, `is in ${partOf(file)} and imports ${path}, which is in ${partOf(path)}`);
      }
    };

    return {
      ImportDeclaration: (node) => checkImport(node, node.source.value),
      ExportAllDeclaration: (node) => checkImport(node, node.source.value),
      ExportNamedDeclaration: (node) => node.source && checkImport(node, node.source.value),
      ImportExpression: (node) =>
        CODE_LOADERS.includes(file) || checkImport(
          node,
          node.source.type === "Literal" ? node.source.value : "something computed",
        ),
      TSExternalModuleReference: (node) => report(node, "uses require"),
      TSImportType: (node) => report(node, "has an import inside a type"),

      // A name that the module declares itself is its own.
      ClassDeclaration: (node) => void (node.id && declared.add(node.id.name)),
      FunctionDeclaration: (node) => void (node.id && declared.add(node.id.name)),
      TSInterfaceDeclaration: (node) => void declared.add(node.id.name),

      Identifier(node) {
        const { parent } = node;
        const isKey = "key" in parent && parent.key === node &&
          !("shorthand" in parent && parent.shorthand);
        const isProperty = parent.type === "MemberExpression" && parent.property === node &&
          !parent.computed && !/\b(globalThis|self|window)\b/.test(context.sourceCode.getText(parent.object));
        if (FOREIGN.includes(node.name) && !isKey && !isProperty) foreign.push([node, node.name]);
      },
      Literal(node) {
        if (node.parent.type === "MemberExpression" && FOREIGN.includes(String(node.value))) {
          foreign.push([node, String(node.value)]);
        }
      },
      "Program:exit"() {
        for (const [node, name] of foreign) {
          if (!declared.has(name) && !(name === "Deno" && file === "cli/program.ts")) report(node, `uses ${name}`);
        }
      },
      CallExpression(node) {
        const callee = context.sourceCode.getText(node.callee).replace(/^(globalThis|self|window)\./, "");
        const measures = partOf(file) === "otel" && callee === "performance.now";
        if (CLOCK_ONLY.includes(callee) && file !== "clock.ts" && !measures) report(node, `calls ${callee}`);
      },
      VariableDeclaration(node) {
        // npm users get the source as it is, and Node 20 and 22 do not have the syntax
        if (node.kind.endsWith("using")) report(node, `declares a variable with ${node.kind}`);
      },
      MemberExpression(node) {
        const text = context.sourceCode.getText(node);
        if (NEWER.includes(text)) report(node, `uses ${text}`);
        if (partOf(file) === "temporal" && text.startsWith("import.meta")) report(node, "uses import.meta"); // Jest makes CommonJS of it
        if (text === "Math.random" && node.parent.type !== "CallExpression" && file !== "clock.ts") {
          report(node, "uses Math.random");
        }
      },
      NewExpression(node) {
        const text = context.sourceCode.getText(node);
        if (/^new Date(\(\))?$/.test(text) && file !== "clock.ts") report(node, `calls ${text}`);
      },
      Program(node) {
        if (!/^(\w+\/)*mod\.ts$/.test(file) || file === "cli/mod.ts") return; // that is a program, too
        for (const statement of node.body) {
          const isReExport = statement.type.startsWith("Export") &&
            "source" in statement && statement.source;
          if (!isReExport) {
            report(statement, "has something that is not a re-export");
          }
        }
      },
    };
  };

  const plugin: Deno.lint.Plugin = { name: "layers", rules: { layers: { create: check } } };
  return Deno.lint.runPlugin(plugin, file, source).map(({ range, message }) =>
    `${file}:${source.slice(0, range[0]).split("\n").length} ${message}`
  );
}

/** The modules that a module loads, itself included. */
function loadedBy(entry: string): string[] {
  const loaded = new Set([entry]);
  for (const file of loaded) {
    complaints(file, Deno.readTextFileSync(new URL(file, root)));
    for (const imported of imports.get(file)!) loaded.add(imported);
  }
  return [...loaded];
}

/** A circle of imports, as a text; none if there is none. */
function circleIn(graph: ReadonlyMap<string, ReadonlySet<string>>): string | undefined {
  const done = new Set<string>();
  const walk = (file: string, path: readonly string[]): string | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file].join(" -> ");
    if (done.has(file)) return undefined;
    for (const next of graph.get(file) ?? []) {
      const circle = walk(next, [...path, file]);
      if (circle !== undefined) return circle;
    }
    done.add(file);
  };
  for (const file of graph.keys()) {
    const circle = walk(file, []);
    if (circle !== undefined) return circle;
  }
}

Deno.test("layers: every module belongs to a part", () => {
  assertEquals(files.map(partOf).filter((part) => !(part in RULES)), []);
  for (const part of Object.keys(RULES)) assert(files.some((file) => partOf(file) === part), part);
});

for (const file of files) {
  Deno.test(`layers: ${file} keeps the rules and uses web standards only`, () => {
    assertEquals(complaints(file, Deno.readTextFileSync(new URL(file, root))), []);
  });
}

Deno.test("layers: no module imports itself by way of others, types included", () => {
  const graph = new Map<string, Set<string>>();
  for (const file of files) {
    complaints(file, Deno.readTextFileSync(new URL(file, root)));
    graph.set(file, imports.get(file)!);
  }
  assertEquals(circleIn(graph), undefined);
  graph.set("util/show.ts", new Set(["run/run.ts"]));
  assert(circleIn(graph)?.includes("util/show.ts"));
});

Deno.test("layers: the workflow interface of Temporal loads neither its test environment nor the test kit", () => {
  const loaded = loadedBy("temporal/mod.ts");
  const beside = loaded.filter((file) => partOf(file) === "testing" || file.startsWith("temporal/testing/"));
  assertEquals(beside, []);
  assert(loadedBy("temporal/testing/mod.ts").some((file) => partOf(file) === "testing"));
});

Deno.test("layers: the test kit and forks add two fields to what mod.ts loads: seed and forkedFrom", () => {
  const loaded = loadedBy("mod.ts");
  const beside = loaded.filter((file) => partOf(file) === "testing" || file === "history/fork.ts");
  assertEquals(beside, []);
  const fields = loaded.flatMap((file) =>
    Deno.readTextFileSync(new URL(file, root)).split("\n").flatMap((line) =>
      /^\s*(\/\/|\/?\*)/.test(line)
        ? []
        : (line.match(/\bseed\?|\.seed\b|\bforkedFrom\b/g) ?? []).map((field) => `${file} ${field}`)
    )
  );
  assertEquals(fields.sort(), [
    "history/validate.ts forkedFrom", // its fields
    "history/validate.ts forkedFrom",
    "history/validate.ts seed?",
    "run/context.ts .seed", // the random numbers
    "types.ts forkedFrom",
    "types.ts seed?",
  ]);
});

/** Sources with something wrong, by the module that they are planted in, and the complaint. */
const PLANTED: [string, string, string][] = [
  ["lock.ts", `import { InMemoryStore } from "./store.ts";`, "which is in store.ts"],
  ["lock.ts", `import type { RetryPolicy } from "./retry.ts";`, "which is in vocabulary"],
  ["types.ts", `export * from "./lock.ts";`, "which is in lock.ts"],
  ["run/x.ts", `import { InMemoryStore } from "../store.ts";`, "which is in store.ts"],
  ["store.ts", `import { Executor } from "./executor.ts";`, "which is in executor.ts"],
  ["executor.ts", `await import("./mod.ts");`, "which is in mod.ts"],
  ["executor.ts", `await import(name);`, "something computed"],
  ["executor.ts", `import { x } from "./testing/mod.ts";`, "which is in testing"],
  ["executor.ts", `import { sleep } from "./temporal/mod.ts";`, "which is in temporal"],
  ["run/x.ts", `import { AsyncLocalStorage } from "node:async_hooks";`, "not a module of the package"],
  ["temporal/x.ts", `import { Run } from "../run/run.ts";`, "which is in run"],
  ["temporal/x.ts", `import "node:fs";`, "not a module of the package"],
  ["temporal/x.ts", "const here = import.meta.url;", "uses import.meta"],
  ["executor.ts", `import "npm:left-pad";`, "not a module of the package"],
  ["executor.ts", `import assert from "node:assert";`, "not a module of the package"],
  ["executor.ts", `import { delay } from "@std/async";`, "not a module of the package"],
  ["executor.ts", `import "https://example.com/x.ts";`, "not a module of the package"],
  ["executor.ts", `import fs = require("fs");`, "uses require"],
  ["executor.ts", `type Store = import("./store.ts").InMemoryStore;`, "inside a type"],
  ["clock.ts", "const pid = Deno.pid;", "uses Deno"],
  ["clock.ts", "const { Deno } = globalThis as any;", "uses Deno"],
  ["clock.ts", "(globalThis as any).process;", "uses process"],
  ["clock.ts", "globalThis.process.hrtime();", "uses process"],
  ["clock.ts", `globalThis["process"].hrtime();`, "uses process"],
  ["clock.ts", "const text = `${process.pid}`;", "uses process"],
  ["clock.ts", `Buffer.from("a");`, "uses Buffer"],
  ["retry.ts", "const now = Date.now();", "calls Date.now"],
  ["retry.ts", "const now = +new Date();", "calls new Date()"],
  ["retry.ts", "const jitter = Math.random();", "calls Math.random"],
  ["retry.ts", "globalThis.setTimeout(retry, 1);", "calls setTimeout"],
  ["retry.ts", "self.setTimeout(retry, 1);", "calls setTimeout"],
  ["retry.ts", "const random = Math.random;", "uses Math.random"],
  ["retry.ts", "const pid = self.Deno.pid;", "uses Deno"],
  ["engines/x.ts", "await using executor = new Executor();", "declares a variable with await using"],
  ["engines/x.ts", "{ using lock = take(); }", "declares a variable with using"],
  ["engines/x.ts", "const url = URL.parse(text);", "uses URL.parse"],
  ["cli/x.ts", `import { Run } from "../run/run.ts";`, "which is in run"],
  ["cli/x.ts", `import { crashTest } from "../testing/mod.ts";`, "which is in testing"],
  ["cli/x.ts", "await import(name);", "something computed"],
  ["cli/x.ts", "Deno.exit();", "uses Deno"],
  ["testing/x.ts", `import { x } from "../tools/ok.ts";`, "not a module of the package"],
  ["testing/x.ts", `import { Run } from "../run/run.ts";`, "which is in run"],
  ["run/x.ts", `import { Executor } from "../executor.ts";`, "which is in executor.ts"],
  ["run/x.ts", `import { Entries } from "../storage/entries.ts";`, "which is in storage"],
  ["util/x.ts", `import type { WorkflowEvent } from "../types.ts";`, "which is in vocabulary"],
  ["testing/x.ts", `import { assert } from "@std/assert";`, "not a module of the package"],
  ["testing/x.ts", "Deno.test();", "uses Deno"],
  ["testing/x.ts", "const now = Date.now();", "calls Date.now"],
  ["testing/mod.ts", "export const version = 1;", "not a re-export"],
  ["schedule/x.ts", `import { Cron } from "npm:croner";`, "not a module of the package"],
  ["schedule/x.ts", `import { seeded } from "../testing/seeded.ts";`, "which is in testing"],
  ["stores/x.ts", `import { Entry } from "../history/history.ts";`, "which is in history"],
  ["stores/x.ts", `import { Client } from "npm:pg";`, "not a module of the package"],
  ["storage/x.ts", `import { DatabaseSync } from "node:sqlite";`, "not a module of the package"],
  ["store.ts", `import { SqliteStore } from "./stores/sqlite.ts";`, "which is in stores"],
  ["temporal/x.ts", `import { Run } from "../run/run.ts";`, "which is in run"],
  ["temporal/x.ts", `import fs from "node:fs";`, "not a module of the package"],
  ["executor.ts", `import { x } from "./temporal/mod.ts";`, "which is in temporal"],
  ["mod.ts", "export const version = 1;", "not a re-export"],
];

Deno.test("layers: planted faults are found, and what only looks like one is not", () => {
  for (const [file, source, complaint] of PLANTED) {
    const found = complaints(file, source).join();
    assertEquals(found.includes(complaint) && found !== "", true, `${file}: ${source}: ${found}`);
  }
  const innocent = `
    import { show } from "./util/show.ts"; // Deno.pid
    const text = "Deno.pid and process.env"; /* Buffer */
    const copy = new Date(date.getTime());
    interface Step { process: string; readonly global: boolean }
    class Buffer {} new Buffer(); step.process(); state.require.Deno; type Id = ReturnType<typeof setTimeout>;`;
  assertEquals(complaints("retry.ts", innocent), []);
  assertEquals(complaints("errors.ts", `import type { X } from "./types.ts";`), []);
});
