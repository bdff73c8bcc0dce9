/**
 * The pages of the documentation that hold the tables.
 *
 * @module
 */

import { type Result, rowNames, tableOfResults, tableOfValues } from "./table.ts";
import { valueNames } from "./values.ts";

/** The page of each table. */
const PAGES = {
  results: new URL("../docs/runtimes.md", import.meta.url),
  values: new URL("../docs/values.md", import.meta.url),
};

type Table = keyof typeof PAGES;

/** Finds what is between the two comments of a table. */
function between(name: Table): RegExp {
  return new RegExp(`(?<=<!-- ${name}, made by .*-->\n)[^]*?(?=<!-- end -->)`);
}

/** Writes both tables into their pages. */
export async function write(results: readonly Result[]): Promise<void> {
  for (const [name, table] of tables(results)) {
    const page = await Deno.readTextFile(PAGES[name]);
    await Deno.writeTextFile(PAGES[name], page.replace(between(name), () => table));
  }
}

/**
 * Whether the pages have the table of every case and value, and of these runtimes. With the same versions, the tables must be equal.
 *
 * @param runtimes The names of all runtimes.
 */
export async function isUpToDate(runtimes: readonly string[], results: readonly Result[]): Promise<boolean> {
  const pages = { results: await Deno.readTextFile(PAGES.results), values: await Deno.readTextFile(PAGES.values) };
  const stored = (name: Table) => pages[name].match(between(name))?.[0] ?? "";
  const rowsOf = (name: Table) => stored(name).trim().split("\n").map(cells);
  const [names, , versions, ...rows] = rowsOf("results");
  const same = (a: readonly unknown[] = [], b: readonly unknown[]) => JSON.stringify(a) === JSON.stringify(b);
  if (!same(names?.slice(1), runtimes)) return false;
  if (!same(rows.map(([row]) => row), rowNames)) return false;
  if (!same(rowsOf("values").slice(2).map(([value]) => value), valueNames)) return false;
  if (!same(versions.slice(1), results.map(({ version }) => version))) {
    console.log("docs/runtimes.md has other versions: what its tables say was not compared");
    return true;
  }
  return tables(results).every(([name, table]) => stored(name) === table);
}

function tables(results: readonly Result[]): [name: Table, table: string][] {
  return [["results", `\n${tableOfResults(results)}\n\n`], ["values", `\n${tableOfValues(results)}\n\n`]];
}

/** The cells of a row of Markdown. */
function cells(row: string): string[] {
  return row.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim());
}
