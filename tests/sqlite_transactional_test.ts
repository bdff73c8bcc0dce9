/** `SqliteStore.transactional()`: one transaction for what an activity writes and its result. Kills: `sqlite_transactional_kill_test.ts`. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { activity, Executor, type WorkflowContext, WorkflowError } from "@rockpool/workflow";
import { SqliteStore, type SqliteStoreOptions, type SqliteTransaction } from "@rockpool/workflow/sqlite";
import { replace, TestExecutor } from "@rockpool/workflow/testing";
import { contextOf } from "./support/durable.ts";
import { silent } from "./support/executors.ts";
import { TempFolder } from "./support/temp_files.ts";

/** A store with a ledger, a run "a" of it, and the context of an activity of the run. */
class World implements AsyncDisposable {
  readonly path: string;
  readonly store: SqliteStore;
  /** Calls of `charge`. */
  calls = 0;
  readonly #folder: TempFolder;

  private constructor(folder: TempFolder, path: string, store: SqliteStore) {
    this.#folder = folder;
    this.path = path;
    this.store = store;
  }

  static async open(options: SqliteStoreOptions = {}): Promise<World> {
    const folder = new TempFolder();
    const path = `${folder.path}/workflows.db`;
    const store = await SqliteStore.open(path, options);
    const world = new World(folder, path, store);
    world.sql("CREATE TABLE ledger (cents INTEGER NOT NULL)");
    await store.append({
      workflowId: "a",
      runId: "1",
      expectedLength: 0,
      events: [{ type: "workflow_started", at: 1, workflowName: "w", input: null }],
    });
    return world;
  }

  /** Runs SQL beside the store. */
  sql(text: string): unknown[] {
    const db = new DatabaseSync(this.path);
    try {
      return db.prepare(text).all().map((row) => Object.values(row as object)[0]);
    } finally {
      db.close();
    }
  }

  /** The activity that tests use most. */
  charge(store = this.store) {
    return store.transactional((tx: SqliteTransaction, cents: number) => {
      this.calls++;
      return { row: Number(tx.prepare("INSERT INTO ledger VALUES (?)").run(cents).lastInsertRowid) };
    });
  }

  get ledger(): unknown[] {
    return this.sql("SELECT cents FROM ledger");
  }

  get results(): unknown[] {
    return this.sql("SELECT key FROM rockpool_results");
  }

  async [Symbol.asyncDispose]() {
    await this.store.close();
    await this.#folder[Symbol.asyncDispose]();
  }
}

function txTest(name: string, body: (world: World) => Promise<void>, options?: SqliteStoreOptions): void {
  Deno.test(`SqliteStore.transactional() ${name}`, async () => {
    await using world = await World.open(options);
    await body(world);
  });
}

const broken = (message: string) => `Cannot run activity "charge" in a transaction: ${message}`;

txTest("writes the result in the transaction of the function", async (world) => {
  const { store } = world;
  const charge = store.transactional(function charge(tx: SqliteTransaction, cents: number, { attempt }) {
    tx.prepare("INSERT INTO ledger VALUES (?)").run(cents);
    return { attempt, at: new Date(0) };
  });
  await using executor = new Executor({ store });
  const order = async (ctx: WorkflowContext) => await ctx.executeActivity(charge, 5);
  const handle = await executor.execute(order, { id: "order" });
  assertEquals(await handle.result(), { attempt: 1, at: new Date(0) });
  assertEquals(world.ledger, [5]);
  const { runId, history } = (await store.load("order"))!;
  assertEquals(world.results, [`${runId}:0`]);
  assertEquals(history[1].type === "activity_started" && history[1].name, "charge");
});

txTest("begins only after its start is stored: no later code gives its key to another one", async (world) => {
  const { store } = world;
  const stored: unknown[] = [];
  const note = store.transactional(function note() {
    stored.push(...world.sql("SELECT length FROM rockpool_workflows WHERE workflow_id = 'order'"));
  });
  await using executor = new Executor({ store });
  const order = async (ctx: WorkflowContext) => {
    await ctx.executeActivity(note);
    await ctx.executeActivity(activity(note, { timeoutMs: 60_000 }));
  };
  await (await executor.execute(order, { id: "order" })).result();
  assertEquals(stored, [2, 4]);
});

txTest("returns the stored result to a later attempt, and does not call the function", async (world) => {
  const charge = world.charge();
  const first = await charge(5, contextOf());
  await using other = await SqliteStore.open(world.path);
  assertEquals(await world.charge(other)(5, contextOf({ attempt: 2 })), first);
  assertEquals([world.calls, world.ledger], [1, [5]]);
});

txTest("returns a result that is undefined", async (world) => {
  let calls = 0;
  const note = world.store.transactional(() => void calls++);
  for (let i = 0; i < 2; i++) assertEquals(await note(undefined, contextOf()), undefined);
  assertEquals(calls, 1);
});

txTest("returns a frozen copy of the result", async (world) => {
  const own = { list: [1] };
  const make = world.store.transactional(() => own);
  const made = await make(undefined, contextOf());
  assert(made !== own && Object.isFrozen(made.list) && !Object.isFrozen(own));
  assertEquals(await make(undefined, contextOf()), made);
});

txTest("rolls back when the function throws, and rejects with its error", async (world) => {
  const error = new Error("no");
  const charge = world.store.transactional((tx: SqliteTransaction) => {
    tx.exec("INSERT INTO ledger VALUES (5)");
    throw error;
  });
  assertEquals(await assertRejects(() => charge(undefined, contextOf())), error);
  assertEquals([world.ledger, world.results], [[], []]);
});

txTest("lets a failed attempt be retried", async (world) => {
  const { store } = world;
  const charge = activity(
    store.transactional(function charge(tx: SqliteTransaction, cents: number, { attempt }) {
      tx.prepare("INSERT INTO ledger VALUES (?)").run(cents * attempt);
      if (attempt < 3) throw new Error("busy");
      return attempt;
    }),
    { retry: { maxAttempts: 3, initialIntervalMs: 1 } },
  );
  await using executor = new Executor({ store });
  const handle = await executor.execute((ctx: WorkflowContext) => ctx.executeActivity(charge, 5));
  assertEquals(await handle.result(), 3);
  assertEquals(world.ledger, [15]);
});

txTest("refuses a function that returns a promise, and rolls back", async (world) => {
  const charge = world.store.transactional(async function charge(tx: SqliteTransaction) {
    tx.exec("INSERT INTO ledger VALUES (5)");
    await undefined;
    tx.exec("INSERT INTO ledger VALUES (6)"); // rejects: nobody hears of it
  });
  const way = "it must be synchronous; do what takes time in an activity before it";
  await assertRejects(
    () => charge(undefined, contextOf()),
    TypeError,
    broken(`the function "charge" returned a promise: ${way}`),
  );
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals([world.ledger, world.results], [[], []]);
});

txTest("rolls back when the result cannot be stored", async (world) => {
  for (const result of [() => {}, new Blob()]) {
    const charge = world.store.transactional(function charge(tx: SqliteTransaction) {
      tx.exec("INSERT INTO ledger VALUES (5)");
      return result;
    });
    await assertRejects(() => charge(undefined, contextOf()), TypeError);
  }
  assertEquals([world.ledger, world.results], [[], []]);
});

for (
  const [sql, shown] of [
    ["COMMIT", "COMMIT"],
    [" /* now */ commit", "commit"],
    ["INSERT INTO ledger VALUES (6); -- and\n END", "END"],
    ["ROLLBACK", "ROLLBACK"],
    ["rollback transaction", "rollback"],
    ["BEGIN", "BEGIN"],
    ["INSERT OR ROLLBACK INTO ledger VALUES (6)", "OR ROLLBACK"],
  ]
) {
  txTest(`refuses the statement ${JSON.stringify(sql)} in exec and prepare`, async (world) => {
    const charge = world.store.transactional(function charge(tx: SqliteTransaction) {
      tx.exec("INSERT INTO ledger VALUES (5)");
      const way = "the store commits when the function returns, and rolls back when it throws";
      const message = broken(`the statement "${shown}" would end its transaction: ${way}`);
      assertThrows(() => tx.exec(sql), TypeError, message);
      assertThrows(() => tx.prepare(sql), TypeError, message);
    });
    await charge(undefined, contextOf());
    assertEquals(world.ledger, [5]);
  });
}

txTest("takes savepoints, and words of transactions in texts, names and comments", async (world) => {
  const fill = world.store.transactional((tx: SqliteTransaction) => {
    tx.exec(`-- COMMIT
      CREATE TABLE "commit" ([end] TEXT, begin_at TEXT); INSERT INTO "commit" VALUES ('; COMMIT', 'it''s; END');
      SAVEPOINT mine; INSERT INTO ledger VALUES (5); ROLLBACK TO mine; RELEASE mine`);
    return tx.prepare('SELECT * FROM "commit"').all().map((row) => ({ ...row }));
  });
  assertEquals(await fill(undefined, contextOf()), [{ end: "; COMMIT", begin_at: "it's; END" }]);
  assertEquals(world.ledger, []);
});

txTest("notices that a trigger has rolled back the transaction, and stores nothing", async (world) => {
  world.sql("CREATE TRIGGER no BEFORE INSERT ON ledger WHEN new.cents < 0 BEGIN SELECT RAISE(ROLLBACK, 'no'); END");
  const charge = world.store.transactional(function charge(tx: SqliteTransaction) {
    tx.exec("INSERT INTO ledger VALUES (5)");
    assertThrows(() => tx.exec("INSERT INTO ledger VALUES (-1)"));
    try {
      tx.exec("INSERT INTO ledger VALUES (6)");
    } catch {
      // a runtime that can tell refuses it
    }
  });
  const why = "its transaction was rolled back while the function ran, and the function did not throw";
  await assertRejects(() => charge(undefined, contextOf()), Error, broken(why));
  assertEquals([world.ledger, world.results], [[], []]);
  await world.charge()(7, contextOf());
  assertEquals(world.ledger, [7]);
});

txTest("refuses the transaction after the end of the function", async (world) => {
  let kept: (() => unknown)[] = [];
  const keep = world.store.transactional(function charge(tx: SqliteTransaction) {
    const statement = tx.prepare("INSERT INTO ledger VALUES (6)");
    kept = [() => tx.exec("INSERT INTO ledger VALUES (6)"), () => tx.prepare("SELECT 1"), () => statement.run()];
  });
  await keep(undefined, contextOf());
  for (const use of kept) assertThrows(use, Error, broken("the transaction is over"));
  assertEquals(world.ledger, []);
});

txTest("refuses an activity within the transaction of another one", async (world) => {
  const inner = world.charge();
  let within: Promise<unknown>;
  const outer = world.store.transactional((tx: SqliteTransaction) => {
    tx.exec("INSERT INTO ledger VALUES (5)");
    within = inner(6, contextOf({ idempotencyKey: "1:1" }));
    within.catch(() => {});
  });
  await outer(undefined, contextOf());
  await assertRejects(() => within, TypeError, "it is called within the transaction of another activity");
  assertEquals(world.ledger, [5]);
});

txTest("refuses a run that is not in the store", async (world) => {
  const charge = world.store.transactional(function charge() {});
  const error = await assertRejects(() => charge(undefined, contextOf({ runId: "2" })), WorkflowError);
  const way = "the executor must use the store that made the activity";
  assertEquals(error.message, broken(`run "2" of workflow "a" is not in this store; ${way}`));
  assertEquals(error.code, "not_found");
});

txTest("refuses a run that is over", async (world) => {
  await world.store.append({
    workflowId: "a",
    runId: "1",
    expectedLength: 1,
    events: [{ type: "workflow_completed", at: 2, result: null }],
  });
  const charge = world.store.transactional(function charge() {});
  const error = await assertRejects(() => charge(undefined, contextOf()), WorkflowError);
  assertEquals(error.message, broken('run "1" of workflow "a" is over: its status is "completed"'));
});

txTest("refuses an executor that has lost its lease, but gives it the result of its successor", async (world) => {
  const { store } = world;
  const charge = world.charge();
  const [{ fence }] = await store.claim({ owner: "B", leaseMs: 60_000, limit: 1 });
  const { code } = await assertRejects(() => charge(5, contextOf()), WorkflowError);
  assertEquals(code, "lease_lost");
  const { row } = await charge(5, contextOf({ fence }));
  assertEquals(await charge(5, contextOf()), { row });
  assertEquals([world.calls, world.ledger], [1, [5]]);
});

txTest("does not call the function for an attempt that is aborted, but returns a stored result", async (world) => {
  const charge = world.charge();
  const signal = AbortSignal.abort(new Error("canceled"));
  await assertRejects(() => charge(5, contextOf({ signal })), Error, "canceled");
  const first = await charge(5, contextOf());
  assertEquals(await charge(5, contextOf({ signal })), first);
  assertEquals(world.calls, 1);
});

const ends: Record<string, (store: SqliteStore) => Promise<unknown>> = {
  "is deleted": (store) => store.delete("a"),
  "is saved": (store) => store.save({ workflowId: "a", runId: "2", status: "completed" }),
  "continues as new": (store) =>
    store.append({
      workflowId: "a",
      runId: "2",
      replaces: "1",
      expectedLength: 1,
      events: [{ type: "workflow_started", at: 1, workflowName: "w", input: null, firstRunId: "1" }],
    }),
  "is pruned": async (store) => {
    await finish(store);
    await store.prune({ finishedBefore: 100 });
  },
  "is replaced": async (store) => {
    await finish(store);
    await store.append({
      workflowId: "a",
      runId: "2",
      replaces: "1",
      expectedLength: 0,
      events: [{ type: "workflow_started", at: 1, workflowName: "w", input: null }],
    });
  },
};
const finish = (store: SqliteStore) =>
  store.append({
    workflowId: "a",
    runId: "1",
    expectedLength: 1,
    events: [{ type: "workflow_completed", at: 2, result: null }],
  });

for (const [what, end] of Object.entries(ends)) {
  txTest(`keeps a result until the workflow ${what}`, async (world) => {
    await world.charge()(5, contextOf());
    assertEquals(world.results, ["1:0"]);
    await end(world.store);
    assertEquals([world.results, world.ledger], [[], [5]]);
    const { code } = await assertRejects(() => world.charge()(5, contextOf()), WorkflowError);
    assertEquals(code, "not_found");
  });
}

txTest("writes results through the codec", async (world) => {
  const { row } = await world.charge()(5, contextOf());
  assertEquals(world.sql("SELECT result FROM rockpool_results"), [[...JSON.stringify({ row })].reverse().join("")]);
  assertEquals(world.sql("SELECT codec FROM rockpool_results"), ["reverse"]);
  assertEquals(await world.charge()(5, contextOf()), { row });
}, { codec: { name: "reverse", encode: reverse, decode: (payload) => reverse(payload as string) } });

function reverse(text: string): string {
  return [...text].reverse().join("");
}

txTest("refuses a result that a codec writes later, but not an undefined one", async (world) => {
  const error = await assertRejects(() => world.charge()(5, contextOf()), TypeError);
  assert(error.message.includes('the codec "late" returns promises'), error.message);
  assertEquals(world.ledger, []);
  const note = world.store.transactional((tx: SqliteTransaction) => tx.exec("INSERT INTO ledger VALUES (6)"));
  await note(undefined, contextOf());
  assertEquals(world.ledger, [6]);
}, { codec: { name: "late", encode: (text) => Promise.resolve(text), decode: (payload) => payload as string } });

txTest("rejects with the reason while another process holds the lock, and works afterwards", async (world) => {
  const other = new DatabaseSync(world.path);
  other.exec("BEGIN IMMEDIATE");
  const charge = world.charge();
  const { message } = await assertRejects(() => charge(5, contextOf()), Error);
  assert(message.includes("another process holds a lock for too long"), message);
  other.close();
  await charge(5, contextOf());
  assertEquals(world.ledger, [5]);
}, { busyTimeoutMs: 0 });

txTest("rejects when the store is closed", async (world) => {
  const charge = world.store.transactional(function charge() {});
  await world.store.close();
  await assertRejects(() => charge(undefined, contextOf()), Error, broken("the store is closed"));
});

txTest("refuses a call without the context of an activity", async (world) => {
  const charge = world.store.transactional(function charge() {});
  await assertRejects(
    () => charge(undefined, undefined as never),
    TypeError,
    broken("it got no context of an activity"),
  );
});

txTest("refuses what is no function", async (world) => {
  for (const fn of [undefined, null, "charge", {}]) {
    assertThrows(
      () => world.store.transactional(fn as never),
      TypeError,
      'Cannot make a transactional activity: "fn" must be',
    );
  }
  await undefined;
});

txTest("makes an activity that a test can replace, by itself or by its name", async (world) => {
  const charge = world.store.transactional(function charge(_tx: SqliteTransaction, cents: number) {
    return cents;
  });
  const order = async (ctx: WorkflowContext) => await ctx.executeActivity(charge, 5);
  for (const activity of [charge, "charge"] as const) {
    await TestExecutor.use(async (executor) => {
      const handle = await executor.execute(order);
      assertEquals(await handle.result(), 7);
    }, { activities: [replace(activity as typeof charge, () => Promise.resolve(7))] });
  }
});

txTest("reports its name to hooks", async (world) => {
  const names: string[] = [];
  const hooks = { activityStarted: ({ name }: { name: string }) => void names.push(name) };
  await using executor = new Executor({ store: world.store, hooks, logger: silent });
  const charge = world.store.transactional(function charge() {});
  await (await executor.execute((ctx: WorkflowContext) => ctx.executeActivity(charge))).result();
  assertEquals(names, ["charge"]);
});

txTest("is refused in an activity that has called another one: it would get the result of that", async (world) => {
  const note = world.store.transactional(function note() {
    return "noted";
  });
  const charge = world.charge();
  await using executor = new Executor({ store: world.store });
  const handle = await executor.execute(async (ctx: WorkflowContext) =>
    await ctx.executeActivity(async function both(_: null, context) {
      await charge(5, context);
      return await note(undefined, context);
    }, null)
  );
  await assertRejects(
    () => handle.result(),
    Error,
    'Cannot run activity "note" in a transaction: its activity has called another one before it; ' +
      "an attempt has one idempotency key, so it can call one: make each of them an activity of its own",
  );
});

txTest("gives two calls of one workflow two results", async (world) => {
  await using executor = new Executor({ store: world.store });
  const charge = world.charge();
  const order = async (ctx: WorkflowContext) =>
    await Promise.all([1, 2, 3].map((cents) => ctx.executeActivity(charge, cents)));
  const handle = await executor.execute(order);
  assertEquals(await handle.result(), [{ row: 1 }, { row: 2 }, { row: 3 }]);
  assertEquals([world.ledger.length, world.results.length], [3, 3]);
});
