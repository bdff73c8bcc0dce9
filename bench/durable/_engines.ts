/**
 * One interface for every durable engine of the bench. Each of them waits for the disk before it says that something is stored,
 * except `SqliteStore` with `durability: "relaxed"`.
 *
 * The files of the bench that begin with `_`, and `measure.ts`, run on Deno and on Node, so they use neither's own API.
 *
 * @module
 */

import { DBOS } from "@dbos-inc/dbos-sdk";
import { OpenWorkflow } from "openworkflow";
import { BackendPostgres } from "openworkflow/postgres";
import { BackendSqlite } from "openworkflow/sqlite";
import postgres from "postgres";
import { setTimeout } from "node:timers/promises";
import { Executor, type WorkflowContext, type WorkflowHandle, type WorkflowStore } from "../../mod.ts";
import { PostgresStore } from "../../stores/postgres.ts";
import { SqliteStore, type SqliteStoreOptions } from "../../stores/sqlite.ts";

/** The common interface. */
export interface Engine {
  /** Runs a workflow to its end. Returns its result, when it is stored. */
  run(id: string, activities: number): Promise<number>;
  /** Starts workflows that wait for a signal. Resolves when all of them wait. */
  startWaiting(ids: readonly string[]): Promise<void>;
  /** Sends a waiting workflow its signal. */
  signal(id: string, payload: number): Promise<unknown>;
  /** The result of a workflow that waited. */
  result(id: string): Promise<number>;
  /** How many workflows are stored as completed. */
  completed(): Promise<number>;
  close(): Promise<unknown>;
}

/** Where an engine keeps its workflows: a new, empty place for each sample. */
export interface Place {
  /** The path of an SQLite file that is not there yet. */
  readonly file: string;
  /** The URL of an empty Postgres database. */
  readonly url: string;
}

/** An engine of the bench. */
export interface Entry {
  readonly name: string;
  readonly database: "SQLite" | "Postgres";
  /** The ratios are to ours on the same database. */
  readonly ours?: boolean;
  /** Whether most of a run is a wait for the next poll, so that few runs are measured, in few questions. */
  readonly polls?: boolean;
  /** @param atOnce How many workflows run at once. */
  readonly open: (place: Place, atOnce: number) => Promise<Engine>;
}

/** Counts activities that ran, and workflows that reached their wait. */
export const seen = { activities: 0, waits: 0 };

function activity(n: number): Promise<number> {
  seen.activities++;
  return Promise.resolve(n);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await setTimeout(5);
}

/** The connections of a pool. Each engine has as many as it needs to be at its fastest. */
const CONNECTIONS = { ours: 4, openWorkflow: 20, dbos: 20 };
const quiet = { onnotice: () => {} };

// Ours.

function ours(store: WorkflowStore, close: () => Promise<unknown>): Engine {
  const executor = new Executor({ store });
  const workflow = async (ctx: WorkflowContext<number>, activities: number) => {
    let sum = 0;
    for (let i = 0; i < activities; i++) sum += await ctx.executeActivity(() => activity(i));
    return sum;
  };
  const wait = async (ctx: WorkflowContext) => {
    seen.waits++;
    return await ctx.waitForSignal<number>("go");
  };
  const handles = new Map<string, WorkflowHandle<number>>();
  return {
    run: async (id, activities) => await (await executor.execute(workflow, { id, input: activities })).result(),
    async startWaiting(ids) {
      seen.waits = 0;
      await Promise.all(ids.map(async (id) => handles.set(id, await executor.execute(wait, { id }))));
      await until(() => seen.waits === ids.length);
    },
    signal: (id, payload) => handles.get(id)!.signal("go", payload),
    result: (id) => handles.get(id)!.result(),
    completed: () => store.count!({ status: "completed" }),
    async close() {
      await executor.close();
      await close();
    },
  };
}

const sqlite = (durability: SqliteStoreOptions["durability"]) => async ({ file }: Place) => {
  const store = await SqliteStore.open(file, { durability });
  return ours(store, () => store.close());
};

async function oursOnPostgres({ url }: Place): Promise<Engine> {
  const sql = postgres(url, { ...quiet, max: CONNECTIONS.ours });
  const store = await PostgresStore.open(sql);
  return ours(store, async () => {
    await store.close();
    await sql.end();
  });
}

// OpenWorkflow.

type Input = { readonly id: string; readonly activities: number; readonly waits: boolean };

function defined(backend: BackendSqlite | BackendPostgres) {
  const client = new OpenWorkflow({ backend });
  const workflow = client.defineWorkflow<Input, number>({ name: "workflow" }, async ({ input, step }) => {
    let sum = 0;
    for (let i = 0; i < input.activities; i++) sum += await step.run({ name: `activity-${i}` }, () => activity(i));
    return input.waits ? (await step.waitForSignal<number>({ signal: `go:${input.id}` }))!.data : sum;
  });
  return { client, workflow };
}

/** Its benchmark has the same. Fewer slots are enough for fewer workflows. */
const MOST_SLOTS = 100;

/** Its worker sleeps when it finds no work, and its handle polls every second: as a user gets it. */
function openWorkflowStarted(backend: BackendSqlite | BackendPostgres, close: () => unknown, atOnce: number): Engine {
  const { client, workflow } = defined(backend);
  const worker = client.newWorker({ concurrency: Math.min(atOnce, MOST_SLOTS) });
  const started = worker.start();
  const unused = () => Promise.reject(new Error("Not measured"));
  return {
    async run(id, activities) {
      await started;
      return await (await workflow.run({ id, activities, waits: false })).result() as number;
    },
    startWaiting: unused,
    signal: unused,
    result: unused,
    completed: async () => (await backend.countWorkflowRuns()).completed,
    async close() {
      await worker.stop();
      await close();
    },
  };
}

/**
 * Neither of the waits can be set, so this drives the worker with its API for tests as soon as there is work, and hears of a result
 * from the call that stores it. It is what the engine could do at best.
 */
function openWorkflowDriven(backend: BackendSqlite | BackendPostgres, close: () => unknown, atOnce: number): Engine {
  const { client, workflow } = defined(backend);
  const worker = client.newWorker({ concurrency: Math.min(atOnce, MOST_SLOTS) });
  const results = new Map<string, { promise: Promise<number>; resolve: (result: number) => void }>();
  const resultOf = (runId: string) => {
    if (!results.has(runId)) results.set(runId, Promise.withResolvers<number>());
    return results.get(runId)!;
  };
  const complete = backend.completeWorkflowRun.bind(backend);
  backend.completeWorkflowRun = async (params) => {
    const run = await complete(params);
    resultOf(run.id).resolve(run.output as number);
    return run;
  };
  let parked = 0;
  const park = backend.sleepWorkflowRun.bind(backend);
  backend.sleepWorkflowRun = async (params) => {
    const run = await park(params);
    parked++;
    return run;
  };

  let open = true;
  let work = 0;
  let wake = () => {};
  const add = (count: number) => {
    work += count;
    wake();
  };
  const driven = (async () => {
    while (open) {
      if (work === 0) await new Promise<void>((resolve) => wake = resolve);
      const claimed = open ? await worker.tick() : 0;
      work -= claimed;
      if (claimed === 0) await setTimeout(1); // all slots are taken
    }
  })();

  const runIds = new Map<string, string>();
  const start = async (id: string, activities: number, waits: boolean) => {
    const { workflowRun } = await workflow.run({ id, activities, waits });
    runIds.set(id, workflowRun.id);
    add(1);
    return workflowRun.id;
  };
  return {
    run: async (id, activities) => await resultOf(await start(id, activities, false)).promise,
    async startWaiting(ids) {
      parked = 0;
      await Promise.all(ids.map((id) => start(id, 0, true)));
      await until(() => parked === ids.length);
    },
    async signal(id, payload) {
      const { workflowRunIds } = await client.sendSignal({ signal: `go:${id}`, data: payload });
      if (workflowRunIds.length !== 1) throw new Error(`Cannot measure: the signal to "${id}" was dropped`);
      add(1);
    },
    result: (id) => resultOf(runIds.get(id)!).promise,
    completed: async () => (await backend.countWorkflowRuns()).completed,
    async close() {
      open = false;
      add(1);
      await driven;
      await worker.stop();
      await close();
    },
  };
}

type OpenWorkflowEngine = typeof openWorkflowStarted;

const openWorkflowSqlite = (engine: OpenWorkflowEngine) => ({ file }: Place, atOnce: number) => {
  const backend = BackendSqlite.connect(file);
  const { db } = backend as unknown as { db: { prepare(sql: string): { get(): Record<string, unknown> } } };
  const [{ synchronous }, { journal_mode: mode }] = ["synchronous", "journal_mode"]
    .map((name) => db.prepare(`PRAGMA ${name}`).get());
  if (synchronous !== 2 || mode !== "wal") throw new Error(`Cannot measure: ${mode}, synchronous=${synchronous}`);
  return Promise.resolve(engine(backend, () => backend.stop(), atOnce));
};

const openWorkflowPostgres = (engine: OpenWorkflowEngine) => async ({ url }: Place, atOnce: number) => {
  await (await BackendPostgres.connect(url)).stop(); // makes its tables
  const transform = { column: { from: postgres.toCamel } }; // as its own connections
  const sql = postgres(url, { ...quiet, transform, max: CONNECTIONS.openWorkflow });
  return engine(BackendPostgres.fromPool(sql as never), () => sql.end(), atOnce);
};

// DBOS. It is one per process.

const dbosWorkflow = DBOS.registerWorkflow(async (activities: number) => {
  let sum = 0;
  for (let i = 0; i < activities; i++) sum += await DBOS.runStep(() => activity(i), { name: `activity-${i}` });
  return sum;
}, { name: "workflow" });
const dbosWait = DBOS.registerWorkflow(async () => {
  seen.waits++;
  return (await DBOS.recv<number>("go", { timeoutSeconds: 3_600 }))!;
}, { name: "wait" });

async function dbos({ url }: Place): Promise<Engine> {
  DBOS.setConfig({
    name: "bench",
    systemDatabaseUrl: url,
    systemDatabasePoolSize: CONNECTIONS.dbos,
    applicationVersion: "1",
    logLevel: "error",
  });
  await DBOS.launch();
  const handles = new Map<string, { getResult(): Promise<number> }>();
  return {
    run: async (id, activities) =>
      await (await DBOS.startWorkflow(dbosWorkflow, { workflowID: id })(activities)).getResult(),
    async startWaiting(ids) {
      seen.waits = 0;
      await Promise.all(ids.map(async (id) => {
        handles.set(id, await DBOS.startWorkflow(dbosWait, { workflowID: id })());
      }));
      await until(() => seen.waits === ids.length);
      const sql = postgres(url, { ...quiet, max: 1 });
      while (true) { // the deadline of each wait is stored before it listens
        const [{ count }] = await sql`
          SELECT count(*)::int AS count FROM dbos.operation_outputs o JOIN dbos.workflow_status USING (workflow_uuid)
          WHERE status = 'PENDING'`;
        if (count === ids.length) break;
        await setTimeout(20);
      }
      await sql.end();
      await setTimeout(200);
    },
    signal: (id, payload) => DBOS.send(id, payload, "go"),
    result: (id) => handles.get(id)!.getResult(),
    async completed() {
      const sql = postgres(url, { ...quiet, max: 1 });
      const [{ count }] = await sql`SELECT count(*)::int AS count FROM dbos.workflow_status WHERE status = 'SUCCESS'`;
      await sql.end();
      return count;
    },
    close: () => DBOS.shutdown(),
  };
}

/** Ours first on each database. */
export const entries: readonly Entry[] = [
  { name: "SqliteStore", database: "SQLite", ours: true, open: sqlite("full") },
  { name: 'SqliteStore, `"relaxed"`', database: "SQLite", open: sqlite("relaxed") },
  { name: "OpenWorkflow on SQLite, driven", database: "SQLite", open: openWorkflowSqlite(openWorkflowDriven) },
  { name: "the same, started", database: "SQLite", polls: true, open: openWorkflowSqlite(openWorkflowStarted) },
  { name: "PostgresStore", database: "Postgres", ours: true, open: oursOnPostgres },
  { name: "OpenWorkflow on Postgres, driven", database: "Postgres", open: openWorkflowPostgres(openWorkflowDriven) },
  { name: "the same, started", database: "Postgres", polls: true, open: openWorkflowPostgres(openWorkflowStarted) },
  { name: "DBOS", database: "Postgres", open: dbos },
];
