/** A workflow that catches refusals (of a cancellation, of bad arguments) and tries again ends, and does not keep the event loop. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  CanceledError,
  CompensationError,
  Executor,
  InMemoryStore,
  TimeoutError,
  type Workflow,
  type WorkflowContext,
} from "@rockpool/workflow";
import { macrotasks, setUp, typesOf } from "../support/executors.ts";

type Ctx = WorkflowContext;

const nothing = () => {};

/** Does the same again and again, whatever comes of it. */
async function forEver(body: () => Promise<unknown>): Promise<never> {
  for (;;) {
    try {
      await body();
    } catch {
      // again
    }
  }
}

const waits: Record<string, (ctx: Ctx) => Promise<unknown>> = {
  "a sleep": (ctx) => ctx.sleep(10),
  "an activity": (ctx) => ctx.executeActivity(nothing).then(() => ctx.sleep(10)),
  "a side effect": (ctx) => ctx.sideEffect(() => 1).then(() => ctx.sleep(10)),
  "a child": (ctx) => ctx.executeChild((child: Ctx) => child.sleep(10)),
  "a signal": (ctx) => ctx.waitForSignal("never"),
  "a signal with a deadline": (ctx) => ctx.waitForSignal("never", { timeoutMs: 10 }),
  "a signal loop": async (ctx) => {
    for await (const _ of ctx.receiveSignal("never"));
  },
  "a condition": (ctx) => ctx.waitUntil(() => false),
  "a condition with a deadline": (ctx) => ctx.waitUntil(() => false, { timeoutMs: 10 }),
  "many at once": (ctx) => Promise.all([1, 2, 3].map(() => ctx.sleep(10))),
  "a list": (ctx) => ctx.mapConcurrent([1, 2, 3], 2, () => ctx.sleep(10)),
};

for (const [what, wait] of Object.entries(waits)) {
  Deno.test(`a workflow that waits for ${what} for ever ends when it is cancelled`, async () => {
    const store = new InMemoryStore();
    const log: string[] = [];
    const workflow = async (ctx: Ctx) => {
      ctx.addCompensation(() => ctx.executeActivity(() => void log.push("undone"), undefined, { name: "undo" }));
      await forEver(() => wait(ctx));
    };
    await using executor = new Executor({ store });
    const handle = await executor.execute(workflow, { id: "a" });
    await macrotasks(5);
    await handle.cancel("enough");
    const { reason } = await assertRejects(() => handle.result(), CanceledError);
    assertEquals(reason, "enough");
    assertEquals(log, ["undone"]);
    assertEquals((await store.load("a"))!.status, "canceled");
  });
}

const poll = async (ctx: Ctx) => {
  ctx.handleQuery("state", () => "polling");
  await forEver(() => ctx.executeActivity(nothing).then(() => ctx.sleep(10)));
};

Deno.test("a loop that swallows refusals ends after a recovery too, and its history can be replayed", async () => {
  const { store, executor: first } = setUp();
  const handle = await first.execute((ctx: Ctx) => ctx.waitForSignal("never"), { id: "a" });
  await first.close();
  await using second = new Executor({ store });
  await second.cancel(handle.id);
  const state = (await store.load("a"))!;
  assertEquals(typesOf(state.history), ["workflow_started", "cancel_requested"]);
  await using third = new Executor({ store, workflows: { [state.workflowName]: poll as Workflow<never> } });
  const [recovered] = await third.recover();
  await assertRejects(() => recovered.result(), CanceledError);
  const ended = (await store.load("a"))!;
  assertEquals(typesOf(ended.history).at(-1), "workflow_canceled");
  assertEquals(await third.query("a", "state"), "polling");
});

Deno.test("a loop that swallows refusals fails with the deadline of its run", async () => {
  const { executor } = setUp();
  const handle = await executor.execute(poll, { id: "a", timeoutMs: 100 });
  await assertRejects(() => handle.result(), TimeoutError);
  assertEquals((await executor.describe("a")).status, "failed");
  await executor.close();
});

Deno.test("a run that ends because of refusals compensates, although its function returns meanwhile", async () => {
  const { executor } = setUp();
  const log: string[] = [];
  const handle = await executor.execute(async (ctx: Ctx) => {
    let stop: (value: string) => void;
    const stopped = new Promise<string>((resolve) => stop = resolve);
    ctx.addCompensation(async () => {
      stop("late");
      await ctx.sleep(1000);
      log.push("undone");
    });
    return await Promise.race([stopped, forEver(() => ctx.sleep(1))]);
  }, { id: "a" });
  await executor.cancel("a");
  await assertRejects(() => handle.result(), CanceledError);
  assertEquals(log, ["undone"]);
  await executor.close();
});

Deno.test("100,000 refusals at once are one round: the workflow goes on", async () => {
  const { executor } = setUp();
  const workflow = async (ctx: Ctx) => {
    await ctx.waitForSignal("never").catch(nothing);
    for (let i = 0; i < 3; i++) await Promise.allSettled(Array.from({ length: 100_000 }, () => ctx.sleep(1)));
    return "cleaned up";
  };
  const handle = await executor.execute(workflow, { id: "a" });
  await handle.cancel();
  assertEquals(await handle.result(), "cleaned up");
  await executor.close();
});

Deno.test("refusals are counted anew in each turn", async () => {
  const { executor } = setUp();
  const workflow = async (ctx: Ctx) => {
    await ctx.waitForSignal("never").catch(nothing);
    for (let turn = 0; turn < 3; turn++) {
      for (let i = 0; i < 60_000; i++) await ctx.sleep(1).catch(nothing);
      await ctx.shield((ctx) => ctx.sleep(1));
    }
    return "cleaned up";
  };
  const handle = await executor.execute(workflow, { id: "a" });
  await handle.cancel();
  assertEquals(await handle.result(), "cleaned up");
  await executor.close();
});

Deno.test("a branch that swallows refusals after the end does not keep the end out of a slow store", async () => {
  class Slow extends InMemoryStore {
    override async append(batch: Parameters<InMemoryStore["append"]>[0]) {
      await macrotasks(3);
      await super.append(batch);
    }
  }
  await using executor = new Executor({ store: new Slow() });
  const workflow = async (ctx: Ctx) => {
    forEver(() => ctx.sleep(10));
    await ctx.waitForSignal("never").catch(nothing);
    return "done";
  };
  const handle = await executor.execute(workflow, { id: "a" });
  await handle.cancel();
  assertEquals(await handle.result(), "done");
});

Deno.test("a loser that swallows refusals when its scope has ended is stopped, and the run goes on", async () => {
  const { executor } = setUp();
  const log: string[] = [];
  const handle = await executor.execute(async (ctx: Ctx) => {
    const race = await ctx.scope((ctx) => {
      const poller = forEver(() => ctx.executeActivity(nothing).then(() => ctx.sleep(10)));
      return Promise.race([poller, ctx.sleep(100).then(() => "late")]);
    });
    log.push(race);
    await ctx.sleep(1);
    return "done";
  }, { id: "a" });
  assertEquals([await handle.result(), log], ["done", ["late"]]);
  await executor.close();
});

Deno.test("a spawned branch that swallows refusals when the function has returned is stopped, and what it did is undone", async () => {
  const { executor, store } = setUp();
  const log: string[] = [];
  const handle = await executor.execute(async (ctx: Ctx) => {
    ctx.spawn(async (ctx) => {
      ctx.addCompensation(() => void log.push("undone"));
      await forEver(() => ctx.sleep(10));
    });
    ctx.spawn(async (ctx) => {
      await ctx.sleep(1000).catch(nothing);
      await ctx.shield((ctx) => ctx.sleep(500));
      log.push("cleaned up");
    });
    await ctx.sleep(100);
    return "done";
  }, { id: "a" });
  assertEquals([await handle.result(), log], ["done", ["undone", "cleaned up"]]);
  assertEquals((await store.load("a"))!.updatedAt, 600);
  await executor.close();
});

Deno.test("a loop that swallows refusals ends its run after the cleanup of other branches", async () => {
  const { executor } = setUp();
  const log: string[] = [];
  const handle = await executor.execute(async (ctx: Ctx) => {
    ctx.addCompensation(() => void log.push("undone"));
    ctx.shield(async (ctx) => {
      await ctx.sleep(500);
      log.push("cleaned up");
    });
    await ctx.scope((ctx) => forEver(() => ctx.sleep(10)), { timeoutMs: 100 });
  }, { id: "a" });
  await assertRejects(() => handle.result(), TimeoutError, 'A scope of workflow "a" did not end within 100 ms');
  assertEquals(log, ["cleaned up", "undone"]);
  await executor.close();
});

Deno.test("a thousand branches that swallow refusals end in one turn", async () => {
  const { executor } = setUp();
  const handle = await executor.execute(async (ctx: Ctx) => {
    for (let i = 0; i < 1000; i++) ctx.spawn((ctx) => forEver(() => ctx.sleep(10)));
    await ctx.sleep(100);
    return "done";
  }, { id: "a" });
  assertEquals(await handle.result(), "done");
  await executor.close();
});

Deno.test("a loop that opens a scope for each try ends its run", async () => {
  const { executor } = setUp();
  for (const kind of ["scope", "shield"] as const) {
    const handle = await executor.execute((ctx: Ctx) => forEver(() => ctx[kind]((ctx) => ctx.sleep(-1))), { id: kind });
    await assertRejects(() => handle.result(), RangeError, "Cannot sleep");
  }
  await executor.close();
});

Deno.test("a loop over continueAsNew() in a cancelled run ends it", async () => {
  const { executor } = setUp();
  const workflow = async (ctx: WorkflowContext<number>, _round: number) => {
    await ctx.sleep(1000).catch(nothing);
    await forEver(() => ctx.continueAsNew(1));
  };
  const handle = await executor.execute(workflow, { id: "a", input: 0 });
  await handle.cancel("enough");
  await assertRejects(() => handle.result(), CanceledError, "enough");
  await executor.close();
});

Deno.test("a fan-out that swallows refusals ends after a million of them", async () => {
  const { executor } = setUp();
  let refused = 0;
  const handle = await executor.execute((ctx: Ctx) =>
    forEver(async () => {
      await Promise.allSettled(Array.from({ length: 1000 }, () => ctx.sleep(10)));
      refused += 1000;
    }), { id: "a" });
  await handle.cancel();
  await assertRejects(() => handle.result(), CanceledError);
  assert(refused <= 1_000_000, `${refused} refusals`);
  await executor.close();
});

// Bad arguments

const child = (ctx: Ctx) => ctx.waitForSignal("never");

const badCalls: Record<string, (ctx: Ctx) => Promise<unknown>> = {
  "sleep()": (ctx) => ctx.sleep(-1),
  "executeActivity()": (ctx) => ctx.executeActivity(null!),
  "executeActivity() with an input that cannot be stored": (ctx) => ctx.executeActivity((_: unknown) => {}, nothing),
  "waitForSignal()": (ctx) => ctx.waitForSignal(0 as never),
  "waitUntil()": (ctx) => ctx.waitUntil(true as never),
  "waitUntil() with a condition that answers a promise": (ctx) => ctx.waitUntil((() => Promise.resolve(true)) as never),
  "sideEffect()": (ctx) => ctx.sideEffect(null!),
  "mapConcurrent()": (ctx) => ctx.mapConcurrent([], 0, nothing),
  "mapConcurrent() with items that cannot be read": (ctx) => ctx.mapConcurrent(null!, 1, nothing),
  "executeChild()": (ctx) => ctx.executeChild(null!),
  "signalWorkflow()": (ctx) => ctx.signalWorkflow(0 as never, "a"),
  "cancelWorkflow()": (ctx) => ctx.cancelWorkflow(0 as never),
  "continueAsNew()": (ctx) => ctx.continueAsNew(nothing as never),
  "shield()": (ctx) => ctx.shield(null!),
};

for (const [method, call] of Object.entries(badCalls)) {
  Deno.test(`WorkflowContext.${method} that is refused for ever fails its run`, async () => {
    const { executor } = setUp();
    const handle = await executor.execute((ctx: Ctx) => forEver(() => call(ctx)), { id: "a" });
    const error = await assertRejects(() => handle.result());
    assert(/^Cannot |no iterator|not iterable/.test((error as Error).message), (error as Error).message);
    assertEquals((await executor.describe("a")).status, "failed");
    await executor.close();
  });
}

for (const method of ["signal", "cancel"] as const) {
  Deno.test(`ChildHandle.${method}() that is refused for ever fails its run`, async () => {
    const { executor } = setUp();
    const handle = await executor.execute((ctx: Ctx) => {
      const started = ctx.startChild(child);
      return forEver(() => started[method](0 as never));
    }, { id: "a" });
    await assertRejects(() => handle.result(), TypeError, `Cannot ${method} workflow`);
    await executor.close();
  });
}

Deno.test("a loop over bad arguments fails its run after a recovery too, with the same error", async () => {
  const { store, executor: first } = setUp();
  async function patient(ctx: Ctx) {
    await ctx.waitForSignal("go");
    await forEver(() => ctx.sleep(-1));
  }
  await first.execute(patient, { id: "a" });
  await first.close();
  await using second = new Executor({ store, workflows: { patient } });
  const [recovered] = await second.recover();
  await second.signal("a", "go");
  await assertRejects(
    () => recovered.result(),
    RangeError,
    'Cannot sleep: "ms" must be a finite number from 0, got -1',
  );
  assertEquals(typesOf((await store.load("a"))!.history), ["workflow_started", "signal_received", "workflow_failed"]);
});

Deno.test("a run that fails because of bad arguments compensates, also when a compensation loops over bad arguments", async () => {
  const { executor } = setUp();
  const log: string[] = [];
  const handle = await executor.execute((ctx: Ctx) => {
    ctx.addCompensation(() => forEver(() => ctx.sleep(-2)));
    ctx.addCompensation(async () => {
      await ctx.sleep(-1).catch(nothing);
      await ctx.sleep(1000);
      log.push("undone");
    });
    return forEver(() => ctx.sleep(-1));
  });
  const error = await assertRejects(() => handle.result(), CompensationError);
  assertEquals([error.errors.map(String), String(error.cause)], [
    ['RangeError: Cannot sleep: "ms" must be a finite number from 0, got -2'],
    'RangeError: Cannot sleep: "ms" must be a finite number from 0, got -1',
  ]);
  assertEquals(log, ["undone"]);
  await executor.close();
});

Deno.test("100,000 refused arguments at once are one round: the workflow goes on", async () => {
  const { executor } = setUp();
  const handle = await executor.execute(async (ctx: Ctx) => {
    for (let i = 0; i < 2; i++) await Promise.allSettled(Array.from({ length: 100_000 }, () => ctx.sleep(-1)));
    return "done";
  });
  assertEquals(await handle.result(), "done");
  await executor.close();
});
