/**
 * What does one more activity in a run cost: on an executor with each store, and on Restate?
 *
 * Started by `main.ts` with the question `steps`: `deno task bench:durable steps`. Its arguments are the URL of a Postgres server, a folder,
 * the URLs of the ingress and of the admin API of a Restate server, and the `node_modules` with Restate's SDK. Runs on Deno. Prints Markdown.
 *
 * Each engine runs workflows of 1, 10 and 50 activities in a row. A step is the time of a run with 50 activities minus that of a run with 1,
 * divided by 49. The engines take turns. A ratio is that of the steps of one round; the tables have the medians. Every database waits for
 * the disk. The worker of Restate is in this process, and the server talks to it over one connection in both directions.
 *
 * @module
 */

import { cpus } from "node:os";
import { createRequire } from "node:module";
import process from "node:process";
import postgres from "postgres";
import { Executor, InMemoryStore, type WorkflowContext, type WorkflowStore } from "../../mod.ts";
import { RestateClient, type RestateSdk, restateServices } from "../../engines/restate.ts";
import { PostgresStore } from "../../stores/postgres.ts";
import { SqliteStore } from "../../stores/sqlite.ts";

const [url, folder, ingress, admin, modules] = process.argv.slice(2);
const LENGTHS = [1, 10, 50] as const;
const ROUNDS = 7;
const AT_ONCE = [1, 20];

/** Runs a workflow to its end. Returns its result, when it is stored. */
type Run = (id: string, activities: number) => Promise<number>;

interface Entry {
  readonly name: string;
  readonly run: Run;
}

let activitiesRun = 0;

function activity(n: number): Promise<number> {
  activitiesRun++;
  return Promise.resolve(n);
}

async function row(ctx: WorkflowContext<number>, activities: number): Promise<number> {
  let sum = 0;
  for (let i = 0; i < activities; i++) sum += await ctx.executeActivity(() => activity(i), undefined, { name: "step" });
  return sum;
}

const onStore = (store: WorkflowStore): Run => {
  const executor = new Executor({ store, workflows: { row } });
  return async (id, activities) => await (await executor.execute(row, { id, input: activities })).result();
};

// Restate: the workflow above, and the same in the words of its SDK.

/** The part of Restate's context that the plain workflow uses. */
interface PlainContext {
  run<T>(name: string, action: () => Promise<T>): Promise<T>;
}

const sdk = createRequire(`${modules}/package.json`)("@restatedev/restate-sdk/fetch") as RestateSdk & {
  createEndpointHandler(options: unknown): Deno.ServeHandler;
};
const plain = sdk.workflow({
  name: "plain",
  handlers: {
    async run(ctx: PlainContext, activities: number): Promise<number> {
      let sum = 0;
      for (let i = 0; i < activities; i++) sum += await ctx.run("step", () => activity(i));
      return sum;
    },
  },
});
const services = [...restateServices(sdk, { workflows: { row } }), plain];
const worker = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen: () => {} },
  sdk.createEndpointHandler({ services, bidirectional: true }),
);
const { port } = worker.addr as Deno.NetAddr;
await post(`${admin}/deployments`, { uri: `http://127.0.0.1:${port}`, force: true });
const client = new RestateClient(ingress, { workflows: { row } });

async function post(url: string, body: unknown): Promise<unknown> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`Cannot measure: ${url} answered ${response.status}: ${await response.text()}`);
  return await response.json();
}

// Stores.

const sql = postgres(url, { max: 4, onnotice: () => {} });
const sqlite = await SqliteStore.open(`${folder}/steps.db`);
const entries: readonly Entry[] = [
  { name: "`InMemoryStore`", run: onStore(new InMemoryStore()) },
  { name: "`SqliteStore`", run: onStore(sqlite) },
  { name: "`PostgresStore`", run: onStore(await PostgresStore.open(sql)) },
  {
    name: "plain handler of Restate's SDK",
    run: async (id, n) => await post(`${ingress}/plain/${id}/run`, n) as number,
  },
  {
    name: "**`./restate`**",
    run: async (id, activities) => await (await client.execute(row, { id, input: activities })).result(),
  },
];
const [, ours, , plainEntry, restate] = entries;

// Samples.

let runs = 0;

/** The milliseconds of a run. */
async function sample({ name, run }: Entry, activities: number, atOnce: number): Promise<number> {
  const batches = atOnce > 1 ? 1 : Math.max(3, Math.round(20 / activities));
  activitiesRun = 0;
  const from = performance.now();
  for (let batch = 0; batch < batches; batch++) {
    const results = await Promise.all(Array.from({ length: atOnce }, () => run(`run-${runs++}`, activities)));
    for (const result of results) {
      if (result !== activities * (activities - 1) / 2) throw new Error(`Cannot measure: ${name} returned ${result}`);
    }
  }
  const ms = (performance.now() - from) / (batches * atOnce);
  if (activitiesRun !== batches * atOnce * activities) {
    throw new Error(`Cannot measure: ${name} ran ${activitiesRun} activities, want ${batches * atOnce * activities}`);
  }
  return ms;
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1];
const digits = (value: number) => value < 10 ? `${Number(value.toPrecision(2))}` : `${Math.round(value)}`;

/** Prints a Markdown table in the format of `deno fmt`. */
function printTable(rows: string[][]): void {
  const widths = rows[0].map((_, column) => Math.max(3, ...rows.map((row) => row[column].length)));
  const [head, ...body] = rows.map((row) => `| ${row.map((cell, i) => cell.padEnd(widths[i])).join(" | ")} |`);
  console.log([head, `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...body].join("\n"));
}

async function ask(atOnce: number): Promise<void> {
  const times = new Map(entries.map((entry) => [entry, LENGTHS.map(() => [] as number[])]));
  for (const entry of entries) await sample(entry, 50, atOnce); // not counted: code that has run is faster
  for (let round = 0; round < ROUNDS; round++) {
    for (const entry of round % 2 ? entries.toReversed() : entries) {
      for (const [i, length] of LENGTHS.entries()) times.get(entry)![i].push(await sample(entry, length, atOnce));
    }
  }
  const steps = (entry: Entry) => {
    const [ones, , fifties] = times.get(entry)!;
    return fifties.map((ms, round) => (ms - ones[round]) / 49);
  };
  const ratio = (values: readonly number[], others: readonly number[]) =>
    digits(median(values.map((ms, round) => ms / others[round])));
  const head = [...LENGTHS.map((length) => `a run of ${length}`), "a step", `to ${ours.name}`, "to the plain handler"];
  const rows = [["", ...head]];
  for (const entry of entries) {
    const own = steps(entry);
    rows.push([
      entry.name,
      ...times.get(entry)!.map((values) => `${digits(median(values))} ms`),
      `${digits(median(own))} ms`,
      ratio(own, steps(ours)),
      entry === restate || entry === plainEntry ? ratio(own, steps(plainEntry)) : "",
    ]);
  }
  console.log(`\n### ${atOnce === 1 ? "One run after the other" : `${atOnce} runs at once, each`}\n`);
  printTable(rows);
  const of = (length: number, entry: Entry) => times.get(entry)![LENGTHS.indexOf(length as 1)];
  console.log(`\nA run of 1, \`./restate\` to the plain handler: ${ratio(of(1, restate), of(1, plainEntry))};`);
  console.log(`to ${ours.name}: ${ratio(of(1, restate), of(1, ours))}.`);
}

console.log(`## A step, on Deno ${Deno.version.deno}\n`);
console.log(
  `${cpus().length} cores of ${cpus()[0].model}, ${new Date().toISOString().slice(0, 10)}. All wait for the disk.`,
);
for (const atOnce of AT_ONCE) await ask(atOnce);
process.exit();
