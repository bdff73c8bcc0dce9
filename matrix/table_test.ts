import { assertEquals } from "@std/assert";
import type { Outcome } from "./scenario.ts";
import { rowNames, tableOfResults, tableOfValues } from "./table.ts";
import { valueNames } from "./values.ts";

/** The cells of one row. */
function row(table: string, name: string): string[] {
  const line = table.split("\n").find((line) => line.startsWith(`| ${name} `))!;
  return line.split("|").slice(2, -1).map((cell) => cell.trim());
}

const result = (name: string, outcomes: Outcome[]) => ({ name, version: "1.2.3", outcomes });

Deno.test("tableOfResults() shows what passed, what failed in any of its requests, and what was not run", () => {
  const table = tableOfResults([
    result("Node 20", [{ name: "retry" }, { name: "store contract: a" }]),
    result("Bun 1", [{ name: "retry" }, { name: "retry", error: "Error: no" }, {
      name: "store contract: a",
      error: "no",
    }, { name: "SqliteStore contract: a", error: "no" }]),
  ]);
  assertEquals(row(table, "version"), ["1.2.3", "1.2.3"]);
  assertEquals(row(table, "retry"), ["✓", "fails"]);
  assertEquals(row(table, rowNames[0]), ["✓", "1 fail"]);
  assertEquals(row(table, rowNames[1]), ["–", "1 fail"]);
  assertEquals(row(table, "signal"), ["not run", "not run"]);
  assertEquals(row(table, "the process ends by itself"), ["–", "–"]);
});

Deno.test("tableOfValues() shows what most runtimes do, and names the others, a kind of runtime once", () => {
  const values = (inMemory: string, inSnapshot: string) =>
    Object.fromEntries(valueNames.map((name) => [name, { inMemory, inSnapshot }]));
  const of = (name: string, ...fate: [string, string]) =>
    result(name, [{ name: "values of the platform", values: values(...fate) }]);
  const table = tableOfValues([
    of("Deno 2.9", "kept", "kept"),
    of("Bun 1", "kept", "refused"),
    of("Node 20", "kept", "refused"),
    of("Node 22", "kept", "kept"),
    of("Node 24", "kept", "kept"),
    of("Edge (page)", "refused", "kept"),
    of("Edge (worker)", "refused", "kept"),
    of("workerd", "does not exist", "does not exist"),
  ]);
  assertEquals(row(table, "a `Map`"), [
    "kept; refused on Edge; does not exist on workerd",
    "kept; refused on Bun, Node 20; does not exist on workerd",
  ]);
});
