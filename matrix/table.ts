/**
 * The tables of the matrix, in Markdown.
 *
 * @module
 */

import { ABSENT, type Fate, valueNames } from "./values.ts";
import { cases, CONTRACT, EXIT, type Outcome, SQLITE_CONTRACT, TEMPORAL } from "./scenario.ts";

/** What one runtime came to. */
export interface Result {
  /** The name of the runtime. */
  readonly name: string;
  /** Its version. */
  readonly version: string;
  /** What each request came to. */
  readonly outcomes: readonly Outcome[];
}

const contractCases = cases.filter(({ name }) => name.startsWith(CONTRACT)).length;

/** The rows of groups of cases, by what the names of the cases begin with. */
const GROUPS: Readonly<Record<string, string>> = {
  [CONTRACT]: `store contract, ${contractCases} cases`,
  [SQLITE_CONTRACT]: `SqliteStore contract, ${contractCases} cases`,
};

/** The rows that not every runtime has. */
const OPTIONAL: readonly string[] = [GROUPS[SQLITE_CONTRACT], TEMPORAL, EXIT];

/** The rows of the table of results: a group of cases has one row. */
export const rowNames: readonly string[] = [
  ...Object.values(GROUPS),
  ...cases.map(({ name }) => name).filter((name) => !name.startsWith(CONTRACT)),
  TEMPORAL,
  EXIT,
];

function rowOf(name: string): string {
  return Object.entries(GROUPS).find(([begin]) => name.startsWith(begin))?.[1] ?? name;
}

/** A row for each case, a column for each runtime. */
export function tableOfResults(results: readonly Result[]): string {
  const rows = [
    ["", ...results.map(({ name }) => name)],
    ["version", ...results.map(({ version }) => version)],
    ...rowNames.map((row) => [row, ...results.map(({ outcomes }) => cell(row, outcomes))]),
  ];
  return markdown(rows);
}

function cell(row: string, outcomes: readonly Outcome[]): string {
  const own = outcomes.filter(({ name }) => rowOf(name) === row);
  if (own.length === 0) return OPTIONAL.includes(row) ? "–" : "not run";
  const failed = own.filter(({ error }) => error !== undefined).length;
  if (failed === 0) return "✓";
  return Object.values(GROUPS).includes(row) ? `${failed} fail` : "fails";
}

/** A row for each value: what most runtimes do, and which ones differ. */
export function tableOfValues(results: readonly Result[]): string {
  const fates = results.flatMap(({ name, outcomes }) => {
    const values = outcomes.find(({ values }) => values)?.values;
    return values ? [{ name, values }] : [];
  });
  const rows = valueNames.map((value) => {
    const fateOf = (key: keyof Fate) => fates.map(({ name, values }) => ({ name, text: values[value][key] }));
    const [memory, snapshot] = [summary(fateOf("inMemory")), summary(fateOf("inSnapshot"))];
    return [value, memory, snapshot === memory ? "the same" : snapshot];
  });
  return markdown([["Value", "In memory", "In a snapshot"], ...rows]);
}

/** What most runtimes do, followed by the others. */
function summary(fates: readonly { readonly name: string; readonly text: string }[]): string {
  const groups = Object.entries(Object.groupBy(fates, ({ text }) => text)) as [string, typeof fates][];
  groups.sort(([a, { length: x }], [b, { length: y }]) => Number(a === ABSENT) - Number(b === ABSENT) || y - x);
  const [[first], ...others] = groups;
  const all = fates.map(({ name }) => name);
  return [first, ...others.map(([text, of]) => `${text} on ${shortNames(of.map(({ name }) => name), all)}`)].join("; ");
}

/** Names the kind of runtime once if all of its kind are there: "workerd". */
function shortNames(names: readonly string[], all: readonly string[]): string {
  const kindOf = (name: string) => name.split(" ")[0];
  const complete = (kind: string) => all.every((name) => kindOf(name) !== kind || names.includes(name));
  return [...new Set(names.map((name) => complete(kindOf(name)) ? kindOf(name) : name))].join(", ");
}

function markdown(rows: readonly (readonly string[])[]): string {
  const escaped = rows.map((row) => row.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")));
  const widths = escaped[0].map((_, column) => Math.max(3, ...escaped.map((row) => row[column].length)));
  const line = (row: readonly string[]) => `| ${row.map((cell, i) => cell.padEnd(widths[i])).join(" | ")} |`;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [line(escaped[0]), rule, ...escaped.slice(1).map(line)].join("\n");
}
