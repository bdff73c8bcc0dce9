/**
 * What does a page of the inspector cost when a database holds 100,000 runs?
 *
 * `deno run -A --node-modules-dir=manual bench/inspector_pages.ts [sqlite | postgres] [RUNS]`. Postgres: a server of its own, by postgres.js.
 *
 * Each round asks for every page. Printed is the median of the ratios to the first page of the list in the same round. That page is compared with
 * the same page of a store with 1,000 runs, and with `heads()` of 50. The counts of the tabs are measured alone: pages keep
 * them for 200 times as long as they took.
 *
 * @module
 */

import { inspector } from "../inspector/mod.ts";
import type { WorkflowEvent, WorkflowFilter, WorkflowStore } from "../mod.ts";
import { PostgresStore } from "../stores/postgres.ts";
import { SqliteStore } from "../stores/sqlite.ts";
import { connect } from "../tests/postgres/clients.ts";
import { installPackages, PostgresServer, releases } from "../tools/postgres/server.ts";

const ROUNDS = 9;
const [database = "sqlite", runs = "100000"] = Deno.args;
const STARTED_AT = Date.UTC(2026, 0, 1);
const MINUTE_MS = 60_000;

/** A run for each minute. One of 1,000 waits, one of 100 has failed; one of 1,000 has a name of its own, and a label that few have. */
function eventsOf(n: number): WorkflowEvent[] {
  const at = STARTED_AT + n * MINUTE_MS;
  const labels = { region: n % 2 === 0 ? "eu" : "us", ...(n % 1000 === 7 && { vip: "yes" }) };
  const started = { at, workflowName: n % 1000 === 7 ? "audit" : "order", labels, input: { item: "shell", count: n } };
  const work: WorkflowEvent[] = [0, 1, 2].flatMap((seq): WorkflowEvent[] => [
    { type: "activity_started", at: at + 10 * seq, seq, name: "charge", input: n },
    { type: "activity_completed", at: at + 10 * seq + 9, seq, attempt: 1, result: { receipt: n } },
  ]);
  const last: WorkflowEvent[] = n % 1000 === 5
    ? [{ type: "timer_started", at: at + 40, seq: 3, dueAt: 9e14 }]
    : n % 100 === 3
    ? [{ type: "workflow_failed", at: at + 40, error: { name: "RangeError", message: "Declined" } }]
    : [{ type: "workflow_completed", at: at + 40, result: n }];
  return [{ type: "workflow_started", ...started }, ...work, ...last];
}

const idOf = (n: number) => `order-${`${n}`.padStart(7, "0")}`;

async function fill(store: WorkflowStore, count: number): Promise<void> {
  for (let from = 0; from < count; from += 500) {
    const numbers = Array.from({ length: Math.min(500, count - from) }, (_, i) => from + i);
    await Promise.all(
      numbers.map((n) => store.append({ workflowId: idOf(n), runId: `${n}`, expectedLength: 0, events: eventsOf(n) })),
    );
  }
}

type Asks = Readonly<Record<string, () => Promise<unknown>>>;

/** Fills a store, and returns what is asked of it. */
async function filled(store: WorkflowStore, count: number): Promise<Asks> {
  await fill(store, count);
  const handle = inspector({ store });
  const heads = (filter: WorkflowFilter = {}) => store.heads!({ ...filter, order: "desc", limit: 50 });
  const page = async (query: string) => {
    const response = await handle(new Request(`http://localhost/?${query}`));
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${query}: ${response.status} ${text}`);
    return text;
  };
  const cursor = encodeURIComponent((await heads()).cursor!);
  const middle = encodeURIComponent((await store.heads!({ order: "desc", limit: count / 2 })).cursor!);
  const half = idOf(count / 2);
  const [after, before] = [count / 2, count / 2 + 30].map((n) => STARTED_AT + n * MINUTE_MS);
  const range = `after=${after}&before=${before}`;
  const pages: Record<string, string> = {
    "the list": "",
    "its second page": `cursor=${cursor}`,
    "a page from its middle": `cursor=${middle}`,
    "the running": "status=running",
    "the failed": "status=failed",
    "the canceled: none": "status=canceled",
    "a name of nearly all": "q=name:order",
    "a name of few": "q=name:audit",
    "a name of few, as a word": "q=audit",
    "a label of half": "q=region:eu",
    "a label of few": "q=vip:yes",
    "a label of none": "q=vip:no",
    "an ID": `q=${half}`,
    "the beginning of ten IDs": `q=${half.slice(0, -1)}`,
    "the beginning of all IDs": "q=order-",
    "a text that nothing has": "q=nothing",
    "half an hour, long ago": range,
    "a run": `id=${half}`,
    "the list as JSON": "json&limit=50",
  };
  return {
    ...Object.fromEntries(Object.entries(pages).map(([name, query]) => [name, () => page(query)])),
    "`heads()` of 50": () => heads(),
    "the counts of the tabs": () =>
      Promise.all((["running", "completed", "failed", "canceled"] as const).map((status) => store.count!({ status }))),
  };
}

async function compare(few: Asks, many: Asks): Promise<void> {
  const list = Object.keys(many)[0];
  const asks: Asks = { ...many, "the list of 1,000 runs": few[list] };
  const ratios = new Map<string, number[]>(Object.keys(asks).map((name) => [name, []]));
  for (let round = -2; round < ROUNDS; round++) {
    let listMs = 0;
    for (const [name, ask] of Object.entries(asks)) {
      const from = performance.now();
      await ask();
      const ms = performance.now() - from;
      if (name === list) listMs = ms;
      if (round >= 0) ratios.get(name)!.push(ms / listMs); // the first rounds warm up
    }
  }
  console.log(`| ${database}, ${runs} runs | to the list |\n| - | - |`);
  for (const [name, found] of ratios) {
    console.log(`| ${name} | ${found.sort((a, b) => a - b)[ROUNDS >> 1].toFixed(2)} |`);
  }
}

if (database === "sqlite") {
  const folder = Deno.makeTempDirSync({ prefix: "inspector_pages_" });
  try {
    await using few = await SqliteStore.open(`${folder}/few.db`, { durability: "relaxed" });
    await using many = await SqliteStore.open(`${folder}/many.db`, { durability: "relaxed" });
    await compare(await filled(few, 1000), await filled(many, Number(runs)));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
} else {
  const modules = await installPackages();
  await using found = await releases(modules);
  await using server = await PostgresServer.start(found.list.find(({ id }) => id === "debian") ?? found.list[0]);
  await using connection = await connect({ url: server.url, modules, name: "postgres", max: 4 });
  await using few = await PostgresStore.open(connection.client, { schema: "few" });
  await using many = await PostgresStore.open(connection.client, { schema: "many" });
  const both = [await filled(few, 1000), await filled(many, Number(runs))] as const;
  await connection.sql("VACUUM ANALYZE"); // as autovacuum does after some minutes
  await compare(...both);
}
