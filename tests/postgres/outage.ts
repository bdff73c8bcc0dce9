/** `PostgresStore` and a server that stops: clear errors, nothing is lost, and it goes on by itself. Run by `tools/postgres.ts`. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { Executor, VirtualClock, type WorkflowContext } from "@rockpool/workflow";
import { PostgresServer } from "../../tools/postgres/server.ts";
import { silent } from "../support/executors.ts";
import { openSchema, until } from "./clients.ts";

const startServer = () => PostgresServer.start({ id: "debian", name: "the tests", bin: Deno.env.get("POSTGRES_BIN")! });
const storeRetry = { initialIntervalMs: 5, maxIntervalMs: 20, maxAttempts: 100_000 };

/** postgres.js may keep a timer for its next attempt to connect after it was ended: that is not ours to clear. */
function outageTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}

async function order(ctx: WorkflowContext): Promise<number> {
  let sum = 0;
  for (let step = 0; step < 5; step++) sum += await ctx.executeActivity((n: number) => n, step);
  return sum + await ctx.waitForSignal<number>("end");
}

for (const signal of ["SIGQUIT", "SIGINT"] as const) {
  outageTest(`PostgresStore loses nothing when the server restarts under load (${signal})`, async () => {
    await using server = await startServer();
    await using store = await openSchema("outage", { connect: { url: server.url } });
    await using executor = new Executor({ store, workflows: { order }, storeRetry, logger: silent, onError() {} });
    const runs = Array.from({ length: 60 }, async (_, i) => {
      const handle = await executor.execute(order, { id: `${i}`, onConflict: "join" });
      await handle.signal("end", 100, { signalId: "one" });
      return await handle.result();
    });
    const settled = Promise.allSettled(runs);
    await until(async () => await store.count() > 5);
    await server.stop(signal);
    await server.start();
    const results = await settled;
    const failures = results.flatMap((one) => one.status === "rejected" ? [String(one.reason)] : []);
    assertEquals([failures, new Set(results.map((one) => one.status === "fulfilled" && one.value))], [
      [],
      new Set([110]),
    ]);
    for (const { status, history } of await store.list()) {
      assertEquals([status, history.filter(({ type }) => type === "signal_received").length], ["completed", 1]);
    }
  });
}

outageTest(
  "PostgresStore says that the server is gone, and an executor and listeners go on when it is back",
  async () => {
    await using server = await startServer();
    await using store = await openSchema("outage", { connect: { url: server.url } });
    await using other = await openSchema("outage", { connect: { url: server.url } });
    await using executor = new Executor({ store, workflows: { order }, storeRetry, logger: silent, onError() {} });
    const handle = await executor.execute(order, { id: "a" });
    await until(async () => (await store.load("a"))?.history.length === 11);
    const changes: string[] = [];
    const end = store.subscribe((id) => void changes.push(`${id}`));
    await server.stop("SIGQUIT");
    for (
      const [action, call] of [
        ['load workflow "a"', () => store.load("a")],
        ["write to the store", () => store.save({ workflowId: "b", status: "running" })],
        ["claim workflows", () => store.claim({ owner: "x", leaseMs: 5, limit: 1 })],
      ] as const
    ) {
      const { message } = await assertRejects(call, Error);
      assert(/^Cannot [a-z ]*( "a")?: (Postgres|the connection)/.test(message), `${action}: ${message}`);
    }
    const sent = handle.signal("end", 1);
    await server.start();
    await sent;
    assertEquals(await handle.result(), 11);
    await until(() => other.save({ workflowId: "c", status: "running" }).then(() => true, () => false));
    await until(() => changes.includes("c"));
    const listening = `SELECT count(*)::text FROM pg_stat_activity WHERE lower(query) LIKE 'listen%outage%'`;
    await until(async () => (await store.connection.sql(listening))[0] === "1");
    end();
  },
);

outageTest(
  "PostgresStore lets an executor go on by itself when the server was gone for more than a minute",
  async () => {
    await using server = await startServer();
    await using store = await openSchema("outage", { connect: { url: server.url } });
    const clock = new VirtualClock(); // the minute is that of the executor, which waits between its tries
    const failed = Promise.withResolvers<void>();
    let fails = 0;
    const inner = store.append.bind(store);
    store.append = (batch) =>
      inner(batch).catch((error) => {
        if (++fails >= 5 && clock.now() > 60_000) failed.resolve();
        throw error;
      });
    const called = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<number>();
    let calls = 0;
    const wait = (ctx: WorkflowContext) =>
      ctx.executeActivity(
        () => {
          calls++;
          called.resolve();
          return answer.promise;
        },
        undefined,
        { name: "wait" },
      );
    const quiet = { logger: silent, onError() {} };
    const storeRetry = { initialIntervalMs: 20_000, maxAttempts: Infinity }; // few tries: postgres.js waits seconds before each
    await using executor = new Executor({ store, clock, storeRetry, ...quiet });
    const handle = await executor.execute(wait, { id: "a" });
    await called.promise;
    await server.stop("SIGQUIT");
    answer.resolve(7);
    await failed.promise;
    await server.start();
    assertEquals([await handle.result(), calls], [7, 1]);
    assertEquals((await store.load("a"))?.status, "completed");
  },
);
