/**
 * The page of the documentation that holds the tables.
 *
 * @module
 */

import { type Result, rowNames, tableOfResults, tableOfValues } from "./table.ts";
import { valueNames } from "./values.ts";

const PAGE = new URL("../docs/runtimes.md", import.meta.url);

/** Finds what is between the two comments of a table. */
function between(name: string): RegExp {
  return new RegExp(`(?<=<!-- ${name}, made by .*-->\n)[^]*?(?=<!-- end -->)`);
}

/** Writes both tables into the page. */
export async function write(results: readonly Result[]): Promise<void> {
  let page = await Deno.readTextFile(PAGE);
  for (const [name, table] of Object.entries(tables(results))) page = page.replace(between(name), () => table);
  await Deno.writeTextFile(PAGE, page);
}

/**
 * Whether the page has the table of every case and value, and of these runtimes. With the same versions, the tables must be equal.
 *
 * @param runtimes The names of all runtimes.
 */
export async function isUpToDate(runtimes: readonly string[], results: readonly Result[]): Promise<boolean> {
  const page = await Deno.readTextFile(PAGE);
  const stored = (name: string) => page.match(between(name))?.[0] ?? "";
  const rowsOf = (name: string) => stored(name).trim().split("\n").map(cells);
  const [names, , versions, ...rows] = rowsOf("results");
  const same = (a: readonly unknown[] = [], b: readonly unknown[]) => JSON.stringify(a) === JSON.stringify(b);
  if (!same(names?.slice(1), runtimes)) return false;
  if (!same(rows.map(([row]) => row), rowNames)) return false;
  if (!same(rowsOf("values").slice(2).map(([value]) => value), valueNames)) return false;
  if (!same(versions.slice(1), results.map(({ version }) => version))) {
    console.log("docs/runtimes.md has other versions: what its tables say was not compared");
    return true;
  }
  return Object.entries(tables(results)).every(([name, table]) => stored(name) === table);
}

function tables(results: readonly Result[]): Record<string, string> {
  return { results: `\n${tableOfResults(results)}\n\n`, values: `\n${tableOfValues(results)}\n\n` };
}

/** The cells of a row of Markdown. */
function cells(row: string): string[] {
  return row.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim());
}
