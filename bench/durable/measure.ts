/**
 * What does a durable run cost, compared with a bare INSERT and COMMIT of the same database, and with other engines?
 *
 * Started by `main.ts`, with the URL of a Postgres server, a folder, and the questions to ask (all by default). Runs on Deno and on
 * Node. Prints Markdown.
 *
 * The engines take turns, each in a new database. The floor is measured just before and just after each sample, because the time of
 * the disk varies. A ratio to the floor is that of one sample; a ratio to ours is that of the times of one round. The tables have
 * the medians.
 *
 * @module
 */

import { rmSync } from "node:fs";
import { cpus, platform } from "node:os";
import { DatabaseSync } from "node:sqlite";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import postgres from "postgres";
import { type Engine, entries, type Entry, type Place, seen } from "./_engines.ts";
import config from "./deno.json" with { type: "json" };

const [url, folder, ...asked] = process.argv.slice(2);
const server = postgres(url, { max: 1, onnotice: () => {} });

interface Question {
  /** What an argument of the bench calls it. */
  readonly id: string;
  readonly title: string;
  readonly atOnce: number;
  /** How many operations a sample has. */
  readonly operations: number;
  readonly rounds: number;
  /** Whether it is asked of engines that wait for their next poll, and with how many operations. */
  readonly polled?: number;
  prepare?(engine: Engine, operations: number): Promise<void>;
  run(engine: Engine, operations: number): Promise<void>;
  /** How many workflows complete, and how many activities run. */
  expected(operations: number): readonly [workflows: number, activities: number];
}

/** Throws if an engine computes a wrong result, or runs something twice. */
function want(actual: number, expected: number, what: string): void {
  if (actual !== expected) throw new Error(`Cannot measure: ${what}: ${actual}, want ${expected}`);
}

const sumTo = (count: number) => count * (count - 1) / 2;
const inWords = (count: number) => count.toLocaleString("en");
const idsOf = (count: number, name = "workflow") => Array.from({ length: count }, (_, n) => `${name}-${n}`);
const IN_A_ROW = 20;

const runs = (atOnce: number, operations: number, rounds: number, polled?: number): Question => ({
  id: `runs-${atOnce}`,
  title: `Start, one activity, end: ${atOnce === 1 ? "one at a time" : `${inWords(atOnce)} at once, each`}`,
  atOnce,
  operations,
  rounds,
  ...polled === undefined ? {} : { polled },
  async run(engine, operations) {
    const ids = idsOf(operations);
    while (ids.length > 0) {
      const results = await Promise.all(ids.splice(0, atOnce).map((id) => engine.run(id, 1)));
      for (const result of results) want(result, 0, "result");
    }
  },
  expected: (operations) => [operations, operations],
});

const questions: Question[] = [
  runs(1, 20, 5, 2),
  runs(100, 100, 5, 100),
  runs(1_000, 1_000, 3),
  {
    id: "signals",
    title: "1,000 waiting runs: a signal to each, all at once, and their end, each",
    atOnce: 1_000,
    operations: 1_000,
    rounds: 3,
    prepare: (engine, operations) => engine.startWaiting(idsOf(operations)),
    async run(engine, operations) {
      await Promise.all(
        idsOf(operations).map(async (id, n) => {
          await engine.signal(id, n);
          want(await engine.result(id), n, "result");
        }),
      );
    },
    expected: (operations) => [operations, 0],
  },
  {
    id: "row",
    title: `${IN_A_ROW} activities in a row, each, with start and end`,
    atOnce: 1,
    operations: 2 * IN_A_ROW,
    rounds: 5,
    async run(engine, operations) {
      for (const id of idsOf(operations / IN_A_ROW)) want(await engine.run(id, IN_A_ROW), sumTo(IN_A_ROW), "result");
    },
    expected: (operations) => [operations / IN_A_ROW, operations],
  },
];

// The floors: one connection to the database of the engine, one row of 200 characters a transaction.

const FLOOR_ROWS = 40;
const text = "x".repeat(200);

interface Floor {
  /** Commits one row. */
  readonly insert: () => unknown;
  readonly close: () => unknown;
}

const floors: Record<Entry["database"], (place: Place) => Floor | Promise<Floor>> = {
  SQLite({ file }) {
    const db = new DatabaseSync(file);
    db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE floor (text TEXT)");
    const statement = db.prepare("INSERT INTO floor VALUES (?)");
    const insert = () => {
      db.exec("BEGIN");
      statement.run(text);
      db.exec("COMMIT");
    };
    return { insert, close: () => db.close() };
  },
  async Postgres({ url }) {
    const sql = postgres(url, { max: 1 });
    await sql`CREATE TABLE floor (text text)`;
    return { insert: () => sql`INSERT INTO floor VALUES (${text})`, close: () => sql.end() };
  },
};

/** The milliseconds of one INSERT and COMMIT. */
async function timeOf({ insert }: Floor): Promise<number> {
  const from = performance.now();
  for (let i = 0; i < FLOOR_ROWS; i++) await insert();
  return (performance.now() - from) / FLOOR_ROWS;
}

// Samples.

interface Sample {
  readonly ms: number;
  readonly floorMs: number;
}

let places = 0;

/** Calls `body` with a new place, and removes it. */
async function inPlace<T>(body: (place: Place) => Promise<T>): Promise<T> {
  const name = `place_${places++}`;
  await server.unsafe(`CREATE DATABASE ${name}`);
  const placeUrl = new URL(url);
  placeUrl.pathname = name;
  const file = `${folder}/${name}.db`;
  try {
    return await body({ file, url: placeUrl.href });
  } finally {
    await server.unsafe(`DROP DATABASE ${name} WITH (FORCE)`);
    for (const suffix of ["", "-wal", "-shm"]) rmSync(file + suffix, { force: true });
  }
}

const operationsOf = (question: Question, entry: Entry) => entry.polls ? question.polled! : question.operations;

function sample(question: Question, entry: Entry): Promise<Sample> {
  return inPlace(async (place) => {
    const operations = operationsOf(question, entry);
    const engine = await entry.open(place, question.atOnce);
    const floor = await floors[entry.database](place);
    try {
      const warm = Math.min(question.atOnce, 100); // every connection is open, and every statement prepared
      await Promise.all(idsOf(warm, "warm").map((id) => engine.run(id, 1)));
      await question.prepare?.(engine, operations);
      seen.activities = 0;
      await floor.insert();
      const before = await timeOf(floor);
      const from = performance.now();
      await question.run(engine, operations);
      const ms = (performance.now() - from) / operations;
      const floorMs = (before + await timeOf(floor)) / 2;
      const [workflows, activities] = question.expected(operations);
      want(seen.activities, activities, `activities of ${entry.name}`);
      want(await engine.completed(), warm + workflows, `completed workflows of ${entry.name}`);
      return { ms, floorMs };
    } finally {
      await floor.close();
      await engine.close();
      await setTimeout(50); // for timers that are left
    }
  });
}

// Tables.

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1];
const digits = (value: number) =>
  value < 0.1
    ? value.toPrecision(1)
    : value < 1
    ? value.toFixed(2)
    : value < 10
    ? value.toFixed(1)
    : inWords(Math.round(value));
const time = (ms: number) => ms < 1 ? `${digits(1e3 * ms)} µs` : `${digits(ms)} ms`;

/** Prints a Markdown table in the format of `deno fmt`. */
function printTable(rows: string[][]): void {
  const widths = rows[0].map((_, column) => Math.max(3, ...rows.map((row) => row[column].length)));
  const [head, ...body] = rows.map((row) => `| ${row.map((cell, i) => cell.padEnd(widths[i])).join(" | ")} |`);
  console.log([head, `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...body].join("\n"));
}

async function ask(question: Question): Promise<void> {
  const asked = entries.filter((entry) => !entry.polls || question.polled !== undefined);
  const samples = new Map<Entry, Sample[]>(asked.map((entry) => [entry, []]));
  for (const entry of asked) if (!entry.polls) await sample(question, entry); // not counted: code that has run is faster
  for (let round = 0; round < question.rounds; round++) {
    for (const entry of round % 2 ? asked.toReversed() : asked) samples.get(entry)!.push(await sample(question, entry));
  }
  const ratios = (entry: Entry) => samples.get(entry)!.map(({ ms, floorMs }) => ms / floorMs);
  const rows = [["", "median", "to the floor", "lowest to highest", "to ours"]];
  for (const database of ["SQLite", "Postgres"] as const) {
    const here = asked.filter((entry) => entry.database === database);
    const floorMs = here.flatMap((entry) => samples.get(entry)!.map((one) => one.floorMs));
    rows.push([`${database}: INSERT and COMMIT`, time(median(floorMs)), "1", "", ""]);
    const ours = here.find((entry) => entry.ours)!;
    for (const entry of here) {
      const own = ratios(entry);
      const sorted = own.toSorted((a, b) => a - b);
      rows.push([
        entry.name.startsWith("PostgresStore") || entry.name.startsWith("SqliteStore")
          ? `**${entry.name}**`
          : entry.name,
        time(median(samples.get(entry)!.map(({ ms }) => ms))),
        digits(median(own)),
        `${digits(sorted[0])} to ${digits(sorted.at(-1)!)}`,
        digits(median(samples.get(entry)!.map(({ ms }, round) => ms / samples.get(ours)![round].ms))),
      ]);
    }
  }
  console.log(`\n### ${question.title}\n`);
  printTable(rows);
}

const settings = ["server_version", "fsync", "synchronous_commit", "full_page_writes", "wal_sync_method"];
const values: string[] = [];
for (const name of settings) values.push((await server.unsafe(`SHOW ${name}`))[0][name]);
const [version, ...set] = values;
if (set[0] !== "on" || set[1] !== "on") throw new Error("Cannot measure: Postgres does not wait for the disk");
const memory = new DatabaseSync(":memory:");
const { version: sqliteVersion } = memory.prepare("SELECT sqlite_version() AS version").get() as { version: string };
const { deno, node, v8 } = process.versions as Record<string, string>;

console.log([
  `## Durable runs, on ${deno ? `Deno ${deno}` : `Node ${node}`}\n`,
  `${cpus().length} cores of ${cpus()[0].model}, V8 ${v8}, ${platform()}, ${new Date().toISOString().slice(0, 10)}.`,
  `SQLite ${sqliteVersion}: journal_mode=wal, synchronous=full.`,
  `Postgres ${version}: ${settings.slice(1).map((name, i) => `${name}=${set[i]}`).join(", ")}.`,
  `${Object.values(config.imports).map((name) => name.replace("npm:", "")).join(", ")}.`,
].join("\n"));

for (const question of questions) {
  if (asked.length === 0 || asked.includes(question.id)) await ask(question);
}
await server.end();
process.exit(); // DBOS leaves timers
