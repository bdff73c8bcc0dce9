/**
 * An executor that requests share on a runtime like workerd, which drops the macrotasks and timers of a request when that ends.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { AsyncLocalStorage } from "node:async_hooks";
import { Executor, InMemoryStore, VirtualClock, type WorkflowContext } from "../../mod.ts";
import { macrotasks } from "../support/executors.ts";
import { replaceGlobals } from "../support/globals.ts";

/** The request in which code runs. What it has requested does not come once it has ended. */
const current = new AsyncLocalStorage<{ ended: boolean }>();
let dropped = 0;

const real = { setImmediate, setTimeout };

/** Calls back unless the request has ended. */
function unlessEnded(callback: () => void): () => void {
  const request = current.getStore();
  return () => request?.ended ? void dropped++ : callback();
}

/** Makes this runtime drop what is pending, until it is disposed. The engine finds its macrotask at its first use: in a test. */
function dropping() {
  dropped = 0;
  const immediate = (callback: () => void) => real.setImmediate(unlessEnded(callback));
  return replaceGlobals({
    navigator: { userAgent: "Cloudflare-Workers" },
    setImmediate: Object.defineProperty(immediate, "name", { value: "setImmediate" }), // it is the runtime's own
    setTimeout: (callback: () => void, ms?: number) => real.setTimeout(unlessEnded(callback), ms),
  });
}

/** Runs a request. */
async function request<T>(body: () => Promise<T>): Promise<T> {
  const own = { ended: false };
  return await current.run(own, async () => {
    try {
      return await body();
    } finally {
      own.ended = true;
    }
  });
}

/** Lets pass what the last request left: it is dropped. */
const rest = () => macrotasks(5);

const step = (n: number) => n + 1;

async function steps(ctx: WorkflowContext, sleepMs = 0) {
  let n = 0;
  for (let i = 0; i < 4; i++) n = await ctx.executeActivity(step, n);
  if (sleepMs > 0) await ctx.sleep(sleepMs);
  return n;
}

/** Begins a run in a request that ends some microtasks later. */
const leave = (executor: Executor, microtasks: number) =>
  request(async () => {
    executor.execute(steps).then((handle) => handle.result()).catch(() => {});
    for (let i = 0; i < microtasks; i++) await null;
  });

Deno.test("Executor.execute() works in a request after one that ended with a turn open", async () => {
  using _runtime = dropping();
  const executor = new Executor();
  for (let microtasks = 0; microtasks < 60; microtasks++) {
    await leave(executor, microtasks);
    await rest();
    const result = await request(async () => await (await executor.execute(steps)).result());
    assertEquals(result, 4, `after ${microtasks} microtasks`);
  }
  assertEquals(dropped > 20, true);
  await executor.close();
});

Deno.test("Executor.recover() works in a request after one that ended with a turn open", async () => {
  using _runtime = dropping();
  for (let microtasks = 0; microtasks < 60; microtasks += 5) {
    const store = new InMemoryStore();
    await store.append({
      workflowId: "a",
      runId: "r",
      expectedLength: 0,
      events: [{ type: "workflow_started", at: 0, workflowName: "steps", input: undefined }],
    });
    const executor = new Executor({ store, workflows: { steps } });
    await leave(executor, microtasks);
    await rest();
    const handles = await request(async () => {
      const handles = await executor.recover();
      await Promise.all(handles.map((handle) => handle.result()));
      return handles;
    });
    assertEquals(handles.some(({ id }) => id === "a"), true);
    await executor.close();
  }
});

Deno.test("WorkflowContext.sleep() works in a request after one that ended while a workflow slept", async () => {
  using _runtime = dropping();
  const executor = new Executor();
  await request(async () => {
    await executor.execute(steps, { input: 20 });
    while (executor.openRuns()[0].waitsFor[0]?.type !== "timer") await new Promise((resolve) => setTimeout(resolve));
  });
  const result = await request(async () => await (await executor.execute(steps, { input: 30 })).result());
  assertEquals(result, 4);
  await executor.close();
});

Deno.test("a virtual clock moves in a request after one that ended while the clock was held", async () => {
  using _runtime = dropping();
  const executor = new Executor({ clock: new VirtualClock() });
  for (let microtasks = 0; microtasks < 60; microtasks++) {
    await leave(executor, microtasks);
    await rest();
    const result = await request(async () => await (await executor.execute(steps, { input: 86_400_000 })).result());
    assertEquals(result, 4, `after ${microtasks} microtasks`);
  }
  await executor.close();
});
