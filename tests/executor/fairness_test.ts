/** The event loop is shared: an executor with much to do lets everything else in the process run in between. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  Executor,
  InMemoryStore,
  VirtualClock,
  type Workflow,
  type WorkflowContext,
  WorkflowError,
} from "@rockpool/workflow";
import { setImmediate } from "node:timers/promises";
import { collectGarbage, gate, setUp } from "../support/executors.ts";

type Ctx = WorkflowContext;

const RUNS = 2000;
const ids = Array.from({ length: RUNS }, (_, i) => ({ id: `w${i}` }));

/** Counts how often something happens without another macrotask in between. */
class Observed {
  /** In order of their first occurrence. */
  readonly order: string[] = [];
  most = 0;
  #now = 0;

  count(id: string): void {
    this.order.push(id);
    this.most = Math.max(this.most, ++this.#now);
  }

  /** Calls `body`. Other macrotasks run meanwhile. */
  async during<T>(body: () => Promise<T>): Promise<T> {
    this.#now = this.most = this.order.length = 0;
    let over = false;
    const others = (async () => {
      for (; !over; this.#now = 0) await setImmediate();
    })();
    try {
      return await body();
    } finally {
      over = true;
      await others;
    }
  }

  assertFair(): void {
    assertEquals(this.order, ids.map(({ id }) => id));
    assert(this.most <= 256, `${this.most} at once`);
  }
}

class CountingStore extends InMemoryStore {
  readonly loads = new Observed();
  readonly appends = new Observed();

  override load(id: string) {
    this.loads.count(id);
    return super.load(id);
  }

  override append(batch: Parameters<InMemoryStore["append"]>[0]) {
    this.appends.count(batch.workflowId);
    return super.append(batch);
  }
}

/** Waits for all results. */
const results = (handles: readonly { result(): Promise<unknown> }[]) => Promise.all(handles.map((one) => one.result()));

Deno.test("Executor.executeMany() starts at most 256 runs in a macrotask", async () => {
  const seen = new Observed();
  await using executor = new Executor();
  const workflow = (ctx: Ctx) => Promise.resolve(seen.count(ctx.workflowId));
  await results(await seen.during(() => executor.executeMany(workflow, ids)));
  seen.assertFair();
});

Deno.test("Executor.signal() appends and reads at most 256 signals in a macrotask", async () => {
  const seen = new Observed();
  const store = new CountingStore();
  await using executor = new Executor({ store });
  const handles = await executor.executeMany(async (ctx: Ctx) => {
    await ctx.waitForSignal("go");
    seen.count(ctx.workflowId);
  }, ids);
  const send = () => Promise.all(ids.map(({ id }) => executor.signal(id, "go")));
  await store.appends.during(() => seen.during(() => Promise.all([send(), results(handles)])));
  seen.assertFair();
  assert(store.appends.most <= 256, `${store.appends.most} appends at once`);
  assertEquals(store.appends.order.slice(0, 256), ids.slice(0, 256).map(({ id }) => id));
});

Deno.test("WorkflowContext.executeActivity() continues at most 256 runs in a macrotask", async () => {
  const seen = new Observed();
  const open = gate();
  await using executor = new Executor();
  const wait = () => open.promise;
  const handles = await executor.executeMany(async (ctx: Ctx) => {
    await ctx.executeActivity(wait);
    seen.count(ctx.workflowId);
  }, ids);
  await seen.during(() => {
    open.open();
    return results(handles);
  });
  seen.assertFair();
});

Deno.test("at most 256 timers that are due together fire in a macrotask", async () => {
  const seen = new Observed();
  const { executor, clock } = setUp();
  const workflow = (ctx: Ctx) => Promise.resolve(seen.count(ctx.workflowId));
  const start = () => executor.executeMany(workflow, ids.map((one) => ({ ...one, startAt: 50 })));
  await seen.during(async () => await results(await start()));
  seen.assertFair();
  assertEquals(clock.now(), 50);
  await executor.close();
});

Deno.test("at most 256 dormant runs wake in a macrotask, and all of them become dormant", async () => {
  const store = new CountingStore();
  await using executor = new Executor({ store, dormantAfterMs: 0 });
  const handles = await executor.executeMany((ctx: Ctx) => ctx.waitForSignal("go"), ids);
  while (executor.openRuns().some(({ waitsFor }) => waitsFor[0].type !== "dormant")) await setImmediate();
  await store.loads.during(() => Promise.all(ids.map(({ id }) => executor.signal(id, "go"))));
  store.loads.assertFair();
  await results(handles);
});

Deno.test("Executor.recover() resumes at most 256 runs in a macrotask", async () => {
  const seen = new Observed();
  const store = new InMemoryStore();
  const workflow = async (ctx: Ctx) => {
    seen.count(ctx.workflowId);
    await ctx.waitForSignal("go");
  };
  const first = new Executor({ store });
  await first.executeMany(workflow, ids);
  await first.close();
  await using executor = new Executor({ store, workflows: { workflow: workflow as Workflow<never> } });
  const handles = await seen.during(() => executor.recover());
  assertEquals(handles.map(({ id }) => ({ id })), ids);
  seen.assertFair();
});

Deno.test("Executor.recover() resumes the others when the store fails for one run", async () => {
  const store = new InMemoryStore();
  const workflow = (ctx: Ctx) => ctx.waitForSignal("go");
  const workflows = { workflow: workflow as Workflow<never> };
  const first = new Executor({ store, workflows });
  await first.executeMany(workflow, ids);
  await first.close();
  const append = store.append.bind(store);
  const cause = new Error("a bad row");
  store.append = (batch) => batch.workflowId === "w1000" ? Promise.reject(cause) : append(batch);
  await using executor = new Executor({ store, workflows, storeRetry: { maxAttempts: 1 } });
  const handles = await executor.recover();
  assertEquals((await assertRejects(() => handles[1000].result(), WorkflowError)).cause, cause);
  const others = handles.filter(({ id }) => id !== "w1000");
  await Promise.all(others.map((handle) => handle.signal("go")));
  await results(others);
});

Deno.test("Executor.recover() performs nothing of a run that ended while others were resumed", async () => {
  const store = Object.assign(new InMemoryStore(), { heads: undefined }); // it reads all states at once
  const open = gate();
  let charged = 0;
  const charge = async () => {
    charged++;
    await open.promise;
  };
  const workflow = async (ctx: Ctx) => {
    if (ctx.workflowId === ids.at(-1)!.id) await ctx.executeActivity(charge);
    else await ctx.waitForSignal("go");
  };
  const first = new Executor({ store });
  const handles = await first.executeMany(workflow, ids);
  while (charged === 0) await setImmediate();
  await using second = new Executor({ store, workflows: { workflow: workflow as Workflow<never> } });
  const recovered = second.recover();
  open.open();
  await handles.at(-1)!.result();
  const last = (await recovered).at(-1)!;
  await last.result();
  assertEquals([last.status, charged], ["completed", 1]);
  await first.close();
});

Deno.test("an executor holds the clock while work waits for a later macrotask", async () => {
  const clock = new VirtualClock();
  const { executor } = setUp({ clock });
  const times = new Set<string>();
  const workflow = async (ctx: Ctx) => {
    for (const ms of [50, 1, 1]) {
      await ctx.sleep(ms);
      times.add(`${ctx.now()} at ${clock.now()}`);
    }
  };
  await results(await executor.executeMany(workflow, ids));
  assertEquals([...times], ["50 at 50", "51 at 51", "52 at 52"]);
  await clock.whenIdle();
  await executor.close();
});

Deno.test("a workflow that does nothing but continue as new lets other macrotasks run, and keeps no earlier run", async () => {
  await using executor = new Executor();
  const seen = new Observed();
  let earlier: WeakRef<WorkflowContext> | undefined;
  let kept: boolean | undefined;
  async function circle(ctx: WorkflowContext<number>, n: number): Promise<void> {
    seen.count(`${n}`);
    if (n === 0) earlier = new WeakRef(ctx);
    if (n < 500) return await ctx.continueAsNew(n + 1);
    collectGarbage();
    kept = earlier!.deref() !== undefined;
  }
  const handle = await seen.during(async () => {
    const handle = await executor.execute(circle, { id: "a", input: 0 });
    await handle.result();
    return handle;
  });
  assertEquals(handle.status, "completed");
  assertEquals(seen.order.length, 501);
  assert(seen.most <= 2, `${seen.most} runs at once`);
  assertEquals(kept, false);
});

Deno.test("calls that share an AbortSignal add one listener to it, and remove it after the last", async () => {
  await using executor = new Executor();
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    listeners++;
    addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    listeners--;
    removeEventListener.apply(signal, args);
  };
  const workflow = (ctx: Ctx) => ctx.waitForSignal("go");
  const handles = await executor.executeMany(workflow, ids.map((one) => ({ ...one, signal })));
  const waits = Promise.all(handles.map((handle) => handle.result({ signal })));
  assertEquals(listeners, 1);
  await Promise.all(ids.map(({ id }) => executor.signal(id, "go")));
  await waits;
  assertEquals(listeners, 0);
});

Deno.test("one AbortSignal cancels all runs that were started with it", async () => {
  await using executor = new Executor();
  const controller = new AbortController();
  const { signal } = controller;
  const handles = await executor.executeMany(
    (ctx: Ctx) => ctx.waitForSignal("go"),
    ids.map((one) => ({ ...one, signal })),
  );
  controller.abort(new Error("enough"));
  const ends = await Promise.allSettled(handles.map((handle) => handle.result()));
  assertEquals(new Set(ends.map((end) => end.status === "rejected" && end.reason.reason)), new Set(["enough"]));
});

Deno.test("WorkflowHandle.result() keeps nothing of a wait that was aborted", async () => {
  await using executor = new Executor();
  const handle = await executor.execute((ctx: Ctx) => ctx.waitForSignal("go"), { id: "a" });
  const aborted: WeakRef<AbortSignal>[] = [];
  await Promise.all(Array.from({ length: 10 }, async () => {
    const controller = new AbortController();
    aborted.push(new WeakRef(controller.signal));
    const wait = handle.result({ signal: controller.signal }).catch(() => {});
    controller.abort();
    await wait;
  }));
  await setImmediate();
  collectGarbage();
  assertEquals(aborted.filter((signal) => signal.deref() !== undefined), []);
});
