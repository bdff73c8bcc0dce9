/**
 * Polices the core's layers: who may import whom, and that nothing but web standards is used.
 *
 * A new module of the core is registered in `ROWS`. A private module may sit between two rows: a
 * helper of the executor that uses the context has row 2.5.
 *
 * @module
 */

import { assertEquals } from "@std/assert";

/** The core's modules, and the row of the design's table in which each one stands. */
const ROWS: Record<string, number> = {
  "errors.ts": 0,
  "types.ts": 0,
  "definitions.ts": 0,
  "clock.ts": 0,
  "_value.ts": 0,
  "_check.ts": 0,
  "_hook_names.ts": 0,
  "_deferred.ts": 0,
  "_fifo.ts": 0,
  "_hop.ts": 0,
  "_lazy_map.ts": 0,
  "_lazy_abort.ts": 0,
  "_error_record.ts": 0,
  "_timer_queue.ts": 0,
  "_signals.ts": 0,
  "_bit_set.ts": 0,
  "_watch.ts": 0,
  "_codec.ts": 1,
  "lock.ts": 1,
  "retry.ts": 1,
  "hooks.ts": 1,
  "_history.ts": 1,
  "_handlers.ts": 1,
  "_query.ts": 1.25,
  "_entries.ts": 1.75,
  "_replay.ts": 1.25,
  "_turns.ts": 1,
  "_timers.ts": 1.25,
  "_activity_options.ts": 1.25,
  "activity.ts": 1.5,
  "_hooks.ts": 1.25,
  "_slots.ts": 1,
  "_heartbeat.ts": 1.5,
  "_options.ts": 1.5,
  "_snapshot.ts": 1.5,
  "_retrying_store.ts": 1.5,
  "store.ts": 2,
  "context.ts": 2,
  "_activity.ts": 2,
  "_writer.ts": 2,
  "_run.ts": 2.5,
  "_open_runs.ts": 1.5,
  "_handles.ts": 2.75,
  "_answers.ts": 1,
  "_live.ts": 2,
  "_events.ts": 2.25,
  "_child.ts": 2,
  "_create.ts": 2.9,
  "_outside.ts": 2.85,
  "_parked.ts": 2.75,
  "_look.ts": 2.5,
  "executor.ts": 3,
  "mod.ts": 4,
};

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

/** What only `clock.ts` may call: everywhere else, time and chance are parameters. */
const CLOCK_ONLY = [
  "Date.now",
  "performance.now",
  "Math.random",
  "setTimeout",
  "setInterval",
];

const root = new URL("./", import.meta.url);
const modulesIn = (folder: string) =>
  [...Deno.readDirSync(new URL(folder, root))].map(({ name }) => folder + name)
    .filter((name) => name.endsWith(".ts") && !name.endsWith("_test.ts"));
const files = modulesIn("");
/** What stands beside, by folder: it may know all of the core, but the core and the others nothing of it. */
const BESIDE: Record<string, string[]> = { schedule: modulesIn("schedule/"), testing: modulesIn("testing/") };

/** What is wrong with a module; every line names the place. */
function complaints(file: string, source: string): string[] {
  const [folder] = file.split("/");
  const siblings = BESIDE[folder];
  const check = (context: Deno.lint.RuleContext): Deno.lint.LintVisitor => {
    const declared = new Set<string>();
    const foreign: [Deno.lint.Node, string][] = [];
    const report = (node: Deno.lint.Node, message: string) => context.report({ node, message });

    const checkImport = (node: Deno.lint.Node, from: unknown) => {
      if (siblings !== undefined) {
        const sibling = String(from).replace(/^\.\//, `${folder}/`);
        const core = String(from).replace(/^\.\.\//, "");
        if (!siblings.includes(sibling) && !(core in ROWS)) {
          report(node, `imports ${from}, which is not a module of ${folder} or of the core`);
        }
        return;
      }
      const row = ROWS[String(from).replace(/^\.\//, "")];
      if (!String(from).startsWith("./") || row === undefined) {
        report(node, `imports ${from}, which is not a module of the core`);
      } else if (row >= ROWS[file] && row > 0) {
        report(node, `is in row ${ROWS[file]} and imports ${from}, which is in row ${row}`);
      } else if (row >= ROWS[file] && ROWS[file] > 0) {
        report(node, `is in row ${ROWS[file]} and imports ${from}`);
      } else if (from === "./store.ts" && file !== "mod.ts") {
        report(node, "imports a store; it may know the port only");
      }
    };

    return {
      ImportDeclaration: (node) => checkImport(node, node.source.value),
      ExportAllDeclaration: (node) => checkImport(node, node.source.value),
      ExportNamedDeclaration: (node) => node.source && checkImport(node, node.source.value),
      ImportExpression: (node) =>
        checkImport(
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
          !parent.computed && !/\bglobalThis\b/.test(context.sourceCode.getText(parent.object));
        if (FOREIGN.includes(node.name) && !isKey && !isProperty) foreign.push([node, node.name]);
      },
      Literal(node) {
        if (node.parent.type === "MemberExpression" && FOREIGN.includes(String(node.value))) {
          foreign.push([node, String(node.value)]);
        }
      },
      "Program:exit"() {
        for (const [node, name] of foreign) {
          if (!declared.has(name)) report(node, `uses ${name}`);
        }
      },
      CallExpression(node) {
        const callee = context.sourceCode.getText(node.callee).replace(/^globalThis\./, "");
        if (CLOCK_ONLY.includes(callee) && file !== "clock.ts") report(node, `calls ${callee}`);
      },
      NewExpression(node) {
        const text = context.sourceCode.getText(node);
        if (/^new Date(\(\))?$/.test(text) && file !== "clock.ts") report(node, `calls ${text}`);
      },
      Program(node) {
        if (!/^(\w+\/)?mod.ts$/.test(file)) return;
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

Deno.test("layers: every module of the core has a row", () => {
  assertEquals(files.toSorted(), Object.keys(ROWS).toSorted());
});

for (const file of files.filter((name) => name in ROWS)) {
  Deno.test(`layers: ${file} imports from rows above only, and uses web standards only`, () => {
    assertEquals(complaints(file, Deno.readTextFileSync(new URL(file, root))), []);
  });
}

for (const file of Object.values(BESIDE).flat()) {
  Deno.test(`layers: ${file} imports its folder and the core only, and uses web standards only`, () => {
    assertEquals(complaints(file, Deno.readTextFileSync(new URL(file, root))), []);
  });
}

/** Sources with something wrong, by the module that they are planted in, and the complaint. */
const PLANTED: [string, string, string][] = [
  ["lock.ts", `import { InMemoryStore } from "./store.ts";`, "which is in row 2"],
  ["lock.ts", `import type { RetryPolicy } from "./retry.ts";`, "which is in row 1"],
  ["types.ts", `export * from "./lock.ts";`, "which is in row 1"],
  ["executor.ts", `export { InMemoryStore } from "./store.ts";`, "may know the port only"],
  ["executor.ts", `await import("./mod.ts");`, "which is in row 4"],
  ["executor.ts", `await import(name);`, "something computed"],
  ["executor.ts", `import { x } from "./testing/mod.ts";`, "not a module of the core"],
  ["executor.ts", `import "npm:left-pad";`, "not a module of the core"],
  ["executor.ts", `import assert from "node:assert";`, "not a module of the core"],
  ["executor.ts", `import { delay } from "@std/async";`, "not a module of the core"],
  ["executor.ts", `import "https://example.com/x.ts";`, "not a module of the core"],
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
  ["testing/x.ts", `import { x } from "../tools/testing.ts";`, "not a module of testing or of the core"],
  ["testing/x.ts", `import { assert } from "@std/assert";`, "not a module of testing or of the core"],
  ["testing/x.ts", "Deno.test();", "uses Deno"],
  ["testing/x.ts", "const now = Date.now();", "calls Date.now"],
  ["testing/mod.ts", "export const version = 1;", "not a re-export"],
  ["schedule/x.ts", `import { Cron } from "npm:croner";`, "not a module of schedule or of the core"],
  ["schedule/x.ts", `import { seeded } from "../testing/seeded.ts";`, "not a module of schedule or of the core"],
  ["mod.ts", "export const version = 1;", "not a re-export"],
];

Deno.test("layers: planted faults are found, and what only looks like one is not", () => {
  for (const [file, source, complaint] of PLANTED) {
    const found = complaints(file, source).join();
    assertEquals(found.includes(complaint) && found !== "", true, `${file}: ${source}: ${found}`);
  }
  const innocent = `
    import { show } from "./_value.ts"; // Deno.pid
    const text = "Deno.pid and process.env"; /* Buffer */
    const copy = new Date(date.getTime());
    interface Step { process: string; readonly global: boolean }
    class Buffer {} new Buffer(); step.process(); state.require.Deno; type Id = ReturnType<typeof setTimeout>;`;
  assertEquals(complaints("retry.ts", innocent), []);
  assertEquals(complaints("errors.ts", `import type { X } from "./types.ts";`), []);
});
