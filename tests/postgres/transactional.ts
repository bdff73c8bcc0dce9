/** `PostgresStore.transactional()`: one transaction for what an activity writes and its result. Run by `tools/postgres.ts`. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Executor, type WorkflowContext, WorkflowError } from "@rockpool/workflow";
import { type PostgresClient, PostgresStore, type PostgresStoreOptions } from "@rockpool/workflow/postgres";
import { contextOf } from "../support/durable.ts";
import { killBetween, ledgerRounds } from "../support/ledger.ts";
import { clientName, openAgain, type OpenStore, openStore, until } from "./clients.ts";
import { openShop, run, type Tx } from "./ledger.ts";

/** A store with a ledger, and a run "a". */
async function withRun(body: (store: OpenStore) => Promise<void>, options: Partial<PostgresStoreOptions> = {}) {
  await using store = await openStore(options);
  await sql(store, "CREATE TABLE @.ledger (cents int NOT NULL)");
  await store.append({
    workflowId: "a",
    runId: "1",
    expectedLength: 0,
    events: [{ type: "workflow_started", at: 1, workflowName: "w", input: null }],
  });
  await body(store);
}

function txTest(
  name: string,
  body: (store: OpenStore) => Promise<void>,
  options?: Partial<PostgresStoreOptions>,
): void {
  Deno.test(`PostgresStore.transactional() ${name}`, () => withRun(body, options));
}

/** Runs SQL beside the store. `@` stands for the schema. */
const sql = (store: OpenStore, text: string): Promise<unknown[]> =>
  store.connection.sql(text.replaceAll("@", `"${store.schema}"`));
const ledgerOf = (store: OpenStore) => sql(store, "SELECT cents FROM @.ledger ORDER BY cents");
const countResults = async (store: OpenStore) =>
  Number((await sql(store, "SELECT count(*) FROM @.rockpool_results"))[0]);
const insert = (store: OpenStore, tx: Tx, cents: number) =>
  run(tx, `INSERT INTO "${store.schema}".ledger VALUES (${cents})`);
const broken = (message: string) => `Cannot run activity "charge" in a transaction: ${message}`;

/** The activity that tests use most, and how often its function was called. */
function charging(store: OpenStore, meanwhile: (tx: Tx) => unknown = () => {}) {
  const calls: number[] = [];
  const charge = store.transactional(async function charge(tx: Tx, cents: number) {
    calls.push(cents);
    await insert(store, tx, cents);
    await meanwhile(tx);
    return { cents };
  });
  return { calls, charge };
}

txTest("writes the result in the transaction of the function", async (store) => {
  const { charge } = charging(store);
  await using executor = new Executor({ store });
  const handle = await executor.execute((ctx: WorkflowContext) => ctx.executeActivity(charge, 5), { id: "order" });
  assertEquals(await handle.result(), { cents: 5 });
  assertEquals([await ledgerOf(store), await countResults(store)], [[5], 1]);
  const { history } = (await store.load("order"))!;
  assertEquals(history[1].type === "activity_started" && history[1].name, "charge");
});

txTest("returns the stored result to a later attempt, and does not call the function", async (store) => {
  const { charge, calls } = charging(store);
  await charge(5, contextOf());
  assertEquals(await charge(6, contextOf({ attempt: 2 })), { cents: 5 });
  assertEquals([calls, await ledgerOf(store)], [[5], [5]]);
});

txTest("returns a result that is undefined", async (store) => {
  let calls = 0;
  const note = store.transactional(() => void calls++);
  for (let i = 0; i < 2; i++) assertEquals(await note(undefined, contextOf()), undefined);
  assertEquals(calls, 1);
});

txTest("calls one function of many attempts at the same time, in several processes", async (store) => {
  await using other = await openAgain(store);
  const both = [charging(store), charging(other)];
  const attempts = Array.from({ length: 12 }, (_, i) => both[i % 2].charge(5, contextOf()));
  for (const result of await Promise.all(attempts)) assertEquals(result, { cents: 5 });
  assertEquals([both[0].calls.length + both[1].calls.length, await ledgerOf(store)], [1, [5]]);
});

txTest("lets one of two attempts win when the transactions see old snapshots", async (store) => {
  const name = (await sql(store, "SELECT current_database()"))[0];
  await sql(store, `ALTER DATABASE "${name}" SET default_transaction_isolation = 'repeatable read'`);
  try {
    await using first = await openAgain(store);
    await using second = await openAgain(store);
    const results = await Promise.all([first, second].map((one) => charging(one).charge(5, contextOf())));
    assertEquals([results, await ledgerOf(store)], [[{ cents: 5 }, { cents: 5 }], [5]]);
  } finally {
    await sql(store, `ALTER DATABASE "${name}" RESET default_transaction_isolation`);
  }
});

txTest("rolls back when the function throws, and rejects with its error", async (store) => {
  const error = new Error("no");
  const { charge } = charging(store, () => {
    throw error;
  });
  assertEquals(await assertRejects(() => charge(5, contextOf())), error);
  assertEquals([await ledgerOf(store), await countResults(store)], [[], 0]);
});

txTest("rolls back when the result cannot be stored", async (store) => {
  const charge = store.transactional(async function charge(tx: Tx) {
    await insert(store, tx, 5);
    return () => {};
  });
  await assertRejects(() => charge(undefined, contextOf()), TypeError);
  assertEquals([await ledgerOf(store), await countResults(store)], [[], 0]);
});

txTest("rolls back when a statement has failed and the function did not throw", async (store) => {
  const { charge } = charging(store, (tx) => run(tx, "SELECT 1 / 0").catch(() => {}));
  const { message } = await assertRejects(() => charge(5, contextOf()), Error);
  const why = clientName === "postgres" ? "division by zero" : "a statement of the transaction had failed before: ";
  assert(message.startsWith(broken(why)), message);
  assertEquals([await ledgerOf(store), await countResults(store)], [[], 0]);
});

txTest("says that the function has ended the transaction", async (store) => {
  const { charge } = charging(store, (tx) => run(tx, "COMMIT"));
  const why = "the function ended its transaction: what it wrote before is stored, its result is not";
  await assertRejects(() => charge(5, contextOf()), Error, broken(why));
  assertEquals(await countResults(store), 0);
});

txTest("rolls back an attempt that is aborted, and its function can no longer write", async (store) => {
  const timeout = new AbortController();
  const { promise: later, resolve: goOn } = Promise.withResolvers<void>();
  const { promise: refused, resolve: refuse } = Promise.withResolvers<unknown>();
  const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
  const { charge } = charging(store, async (tx) => {
    reach();
    await later;
    try {
      await insert(store, tx, 6);
    } catch (error) {
      refuse(error);
    }
  });
  const attempt = charge(5, contextOf({ signal: timeout.signal }));
  await reached;
  timeout.abort(new Error("late"));
  await assertRejects(() => attempt, Error, "late");
  goOn();
  assertEquals((await refused as Error).message, broken("the transaction is over"));
  assertEquals([await ledgerOf(store), await countResults(store)], [[], 0]);
  assertEquals(await charging(store).charge(7, contextOf()), { cents: 7 });
});

txTest("holds up no write of the run while its function waits", async (store) => {
  const { promise: later, resolve: goOn } = Promise.withResolvers<void>();
  const { charge, calls } = charging(store, () => later);
  const attempt = charge(5, contextOf());
  await until(() => calls.length === 1);
  await store.append({
    workflowId: "a",
    runId: "1",
    expectedLength: 1,
    events: [{ type: "timer_fired", at: 2, seq: 0 }],
  });
  goOn();
  await attempt;
});

for (const how of ["deleted", "completed"]) {
  txTest(`rolls back when the run is ${how} while the function waits`, async (store) => {
    const { charge } = charging(store, async () => {
      if (how === "deleted") return await store.delete("a");
      await store.append({
        workflowId: "a",
        runId: "1",
        expectedLength: 1,
        events: [{ type: "workflow_completed", at: 2, result: null }],
      });
    });
    const { code } = await assertRejects(() => charge(5, contextOf()), WorkflowError);
    assertEquals([code, await ledgerOf(store), await countResults(store)], ["not_found", [], 0]);
  });
}

txTest("refuses an executor that has lost its lease, but gives it the result of its successor", async (store) => {
  const { charge, calls } = charging(store);
  const [{ fence }] = await store.claim({ owner: "B", leaseMs: 60_000, limit: 1 });
  const { code } = await assertRejects(() => charge(5, contextOf()), WorkflowError);
  assertEquals(code, "lease_lost");
  await charge(5, contextOf({ fence }));
  assertEquals(await charge(6, contextOf()), { cents: 5 });
  assertEquals(calls, [5]);
});

txTest("does not call the function for an attempt that is aborted, but returns a stored result", async (store) => {
  const { charge, calls } = charging(store);
  const signal = AbortSignal.abort(new Error("canceled"));
  await assertRejects(() => charge(5, contextOf({ signal })), Error, "canceled");
  await charge(6, contextOf());
  assertEquals(await charge(7, contextOf({ signal })), { cents: 6 });
  assertEquals(calls, [6]);
});

const begin = { type: "workflow_started", at: 1, workflowName: "w", input: null } as const;
const finish = (store: PostgresStore) =>
  store.append({
    workflowId: "a",
    runId: "1",
    expectedLength: 1,
    events: [{ type: "workflow_completed", at: 2, result: null }],
  });
const ends: Record<string, (store: PostgresStore) => Promise<unknown>> = {
  "is deleted": (store) => store.delete("a"),
  "is saved": (store) => store.save({ workflowId: "a", runId: "2", status: "completed" }),
  "continues as new": (store) =>
    store.append({
      workflowId: "a",
      runId: "2",
      replaces: "1",
      expectedLength: 1,
      events: [{ ...begin, firstRunId: "1" }],
    }),
  "is pruned": async (store) => {
    await finish(store);
    await store.prune({ finishedBefore: 100 });
  },
  "is replaced": async (store) => {
    await finish(store);
    await store.append({ workflowId: "a", runId: "2", replaces: "1", expectedLength: 0, events: [begin] });
  },
};
for (const [what, end] of Object.entries(ends)) {
  txTest(`keeps a result until the workflow ${what}`, async (store) => {
    await charging(store).charge(5, contextOf());
    assertEquals(await countResults(store), 1);
    await end(store);
    assertEquals([await countResults(store), await ledgerOf(store)], [0, [5]]);
  });
}

txTest("writes results through a codec that answers later", async (store) => {
  await charging(store).charge(5, contextOf());
  assertEquals(await sql(store, "SELECT codec FROM @.rockpool_results"), ["late"]);
  assertEquals(await charging(store).charge(6, contextOf()), { cents: 5 });
}, {
  codec: {
    name: "late",
    encode: (text) => Promise.resolve(new TextEncoder().encode(text)),
    decode: (payload) => Promise.resolve(new TextDecoder().decode(payload as Uint8Array)),
  },
});

txTest("refuses a client without transactions", async (store) => {
  const { client } = store.connection;
  const plain: PostgresClient = {
    query: async (text, params) =>
      clientName === "pg" ? (await client.query(text, [...params])).rows : await client.unsafe(text, [...params]),
  };
  await using other = await PostgresStore.open(plain, { schema: store.schema });
  const { message } = assertThrows(() => other.transactional(() => {}), TypeError);
  assert(
    message.startsWith("Cannot make a transactional activity: the client of the store has no transactions"),
    message,
  );
});

const program = new URL("ledger.ts", import.meta.url);

Deno.test("PostgresStore.transactional() writes once when its process is killed between the commit and the append", async () => {
  await killBetween(program, `shop_${crypto.randomUUID()}`, openShop);
});

Deno.test("PostgresStore.transactional() writes each row once when its process is killed 10 times at random", async () => {
  await ledgerRounds(program, ["a", "b"].map((name) => `shop_${name}_${crypto.randomUUID()}`), openShop, 10);
});
