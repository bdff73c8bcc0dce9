/**
 * Workflows under OpenTelemetry, on Deno with its built-in exporter and on Node with the SDK: `program.mjs PART [FILE]`.
 *
 * It prints a line `ready` when it can be killed.
 */

// @ts-ignore -- tools/otel.ts installs it
import * as api from "@opentelemetry/api";
import { Executor, InMemoryStore } from "@rockpool/workflow";
import { otel } from "@rockpool/workflow/otel";

const onDeno = "Deno" in globalThis;
// @ts-ignore -- the same
const sdk = onDeno ? undefined : new (await import("@opentelemetry/sdk-node")).NodeSDK();
sdk?.start();
const fs = await import("node:fs");
const { argv, stdin } = await import("node:process");
const [part, file] = argv.slice(2);

const telemetry = otel({ api });
const { middleware, hooks } = telemetry;
const tracer = api.trace.getTracer("caller");
const logger = telemetry.logger({
  debug() {},
  warn() {},
  error: console.error,
  info: (message, { trace_id, span_id }) => console.log(`log ${message} ${trace_id} ${span_id}`),
});

/** Does something in a span of a caller. */
const inSpan = (name, work) =>
  tracer.startActiveSpan(name, async (span) => {
    try {
      return await work();
    } finally {
      span.end();
    }
  });

async function openStore() {
  if (file === undefined) return new InMemoryStore();
  if (onDeno) return await (await import("@rockpool/workflow/sqlite")).SqliteStore.open(file);
  return fs.existsSync(file) ? InMemoryStore.restore(fs.readFileSync(file, "utf8")) : new InMemoryStore();
}
const store = await openStore();

// Activities

const headersSeen = [];
const charge = (cents, { attempt, headers }) => {
  headersSeen.push(headers.traceparent);
  if (attempt < 3 && cents === 13) throw new RangeError(`declined ${attempt}`);
  if (cents < 0) throw new RangeError("negative");
  return cents;
};
const wrap = (item) => `${item} in paper`;
const refund = () => {};
const hang = (_, { signal }) => new Promise((_resolve, reject) => signal.onabort = () => reject(signal.reason));
const ignore = () => new Promise(() => {});

// Workflows

async function pack(ctx, item) {
  const packed = await ctx.executeActivity(wrap, item);
  await ctx.waitForSignal("ship");
  return packed;
}

async function order(ctx, cents) {
  let approved = "";
  ctx.handleUpdate("price", (price) => {
    ctx.log.info("price");
    return price * 2;
  });
  ctx.handleQuery("approved", () => approved);
  await ctx.executeActivity(charge, cents, { retry: { maxAttempts: 3, initialIntervalMs: 1 } });
  const child = ctx.startChild(pack, "shell", { id: "pack-1" });
  approved = await ctx.waitForSignal("approve");
  ctx.log.info("approved");
  await child.signal("ship");
  return [approved, await child.result()];
}

async function chain(ctx, left) {
  await ctx.executeActivity(charge, left);
  if (left > 0) await ctx.continueAsNew(left - 1);
}

async function trip(ctx) {
  await ctx.executeActivity(charge, 1);
  ctx.addCompensation(async (ctx) => {
    await ctx.executeActivity(refund);
  }, { name: "refund" });
  await ctx.executeActivity(charge, -1);
}

async function stuck(ctx) {
  await ctx.executeActivity(hang);
}

async function late(ctx) {
  await ctx.executeActivity(ignore, undefined, { timeoutMs: 20 });
}

async function sleeper(ctx) {
  await ctx.executeActivity(charge, 1);
  await ctx.waitForSignal("go");
  ctx.log.info("woken");
}

async function tenant(ctx, name) {
  ctx.handleUpdate("change", async () => {
    ctx.log.info(`changed ${name}`);
    await ctx.executeActivity(charge, 1);
  });
  await ctx.waitForSignal("end");
  ctx.log.info(`ended ${name}`);
}

const workflows = { order, pack, chain, trip, stuck, late, sleeper, tenant };
const start = (options = {}) =>
  new Executor({ store: telemetry.store(store), workflows, middleware: [middleware], hooks, logger, ...options });

// Parts

const parts = {
  /** Starts an order and stays. */
  async begin() {
    const executor = start();
    await inSpan("POST /orders", () => executor.execute(order, { id: "order-1", input: 13 }));
    const waits = ({ workflowId, waitsFor }) =>
      waitsFor.some(({ type, name }) => type === "signal" && name === (workflowId === "pack-1" ? "ship" : "approve"));
    while (executor.openRuns().filter(waits).length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    if (!onDeno) fs.writeFileSync(file, await store.snapshot());
    console.log("ready");
    await new Promise((resolve) => setTimeout(resolve, 600_000));
  },

  /** Recovers the order, and ends it. */
  async end() {
    const executor = start();
    if (onDeno) void executor.work();
    while (executor.openRuns().length < 2) {
      await executor.recover();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const handle = await executor.handle("order-1");
    await inSpan("POST /price", () => executor.update("order-1", "price", 4));
    await inSpan("GET /approved", () => executor.query("order-1", "approved"));
    await inSpan("POST /approve", () => executor.signal("order-1", "approve", "yes"));
    console.log(JSON.stringify(await handle.result()));
    await executor.close();
  },

  async others() {
    const executor = start();
    const run = (name, workflow, input, use) =>
      inSpan(name, async () => {
        const handle = await executor.execute(workflow, { id: name, input });
        await use?.(handle);
        await handle.result().catch(() => {});
      });
    await run("chain", chain, 2);
    await run("trip", trip);
    await run("stuck", stuck, undefined, async (handle) => {
      while (!executor.openRuns().some(({ waitsFor }) => waitsFor[0]?.status === "running")) await null;
      await handle.cancel("no time");
    });
    await run("late", late);
    await inSpan("refused", () => executor.query("chain", "nothing")).catch(() => {});
    await executor.close();
  },

  /** Runs that become dormant. */
  async dormant() {
    const executor = start({ dormantAfterMs: 0 });
    await inSpan("sleep", async () => {
      const handle = await executor.execute(sleeper, { id: "s" });
      while (executor.openRuns()[0]?.waitsFor[0]?.type !== "dormant") {
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await handle.signal("go");
      await handle.result();
    });
    await executor.close();
  },

  /** Two callers at the same time. */
  async tenants() {
    const executor = start();
    const names = ["ada", "bob"];
    await Promise.all(names.map((name) =>
      inSpan(`tenant ${name}`, async () => {
        const handle = await executor.execute(tenant, { id: name, input: name });
        await Promise.all([1, 2, 3].map(() => executor.update(name, "change", 1)));
        await executor.signal(name, "end");
        await handle.result();
      })
    ));
    await executor.close();
  },

  /** A client sends to a worker on the same store, and a start sends a signal. */
  async remote() {
    const worker = start();
    const client = new Executor({ store, middleware: [middleware], hooks });
    const input = "ada";
    await inSpan("start", async () => {
      await worker.execute(tenant, { id: "ada", input, signals: [{ name: "early", payload: 1 }] });
    });
    await inSpan("client", async () => {
      await client.update("ada", "change", 1);
      await client.signal("ada", "end");
    });
    await (await client.handle("ada")).result();
    // A caller without a span that hands on the headers of a request.
    const headers = { traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01` };
    await (await worker.execute(chain, { id: "handed", input: 0, headers })).result();
    await client.close();
    await worker.close();
  },

  /** Hooks and middleware of the user that throw, beside those of `otel`. */
  async harm() {
    const { composeHooks } = await import("@rockpool/workflow");
    const fail = () => {
      throw new Error("no");
    };
    const bad = { workflowStarted: fail, activityFailed: fail, activityAttemptFailed: fail, workflowCompleted: fail };
    let reported = 0;
    const executor = start({
      hooks: composeHooks(bad, hooks),
      middleware: [middleware, fail],
      onError: () => void reported++,
    });
    const harm = (ctx) => ctx.executeActivity(charge, 13, { retry: { maxAttempts: 3, initialIntervalMs: 1 } });
    await inSpan("harm", async () => (await executor.execute(harm, { id: "h" })).result());
    if (reported === 0) throw new Error("nothing was reported");
    await executor.close();
  },

  /** A workflow that waits, for the gauge. */
  async gauge() {
    const executor = start();
    const stop = telemetry.observe(executor);
    await executor.execute(sleeper, { id: "s" });
    await executor.execute(stuck, { id: "t" });
    console.log("ready");
    await new Promise((resolve) => stdin.once("data", resolve));
    stop();
    await executor.close();
    stdin.destroy();
  },
};

await parts[part]();
await store.close?.();
await sdk?.shutdown();
