/** Children that are cancelled: before they begin, and while their parent waits for their end. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  CanceledError,
  Executor,
  type ParentClosePolicy,
  VirtualClock,
  type Workflow,
  type WorkflowContext,
} from "@rockpool/workflow";
import { type CrashRun, crashTest, FaultyStore } from "@rockpool/workflow/testing";
import { gate, settle, setUp } from "../support/executors.ts";

type Ctx = WorkflowContext;

/** The IDs of the children whose code was called. */
const called: string[] = [];

async function child(ctx: Ctx) {
  called.push(ctx.workflowId);
  return await ctx.waitForSignal<string>("go");
}

const workflows = { child };
const reasonOf = (error: unknown) => (error as CanceledError).reason;
const isCanceled = (error: unknown) => error instanceof CanceledError;

/** Workflows that cancel a child in the turn in which they start it. */
const atOnce: Record<string, (ctx: Ctx) => Promise<unknown>> = {
  async "its handle"(ctx) {
    const handle = ctx.startChild(child, undefined, { id: "child" });
    await handle.cancel("changed my mind");
    return await handle.result().catch(reasonOf);
  },
  async "the handle of one with parentClosePolicy abandon"(ctx) {
    const handle = ctx.startChild(child, undefined, { id: "child", parentClosePolicy: "abandon" });
    await handle.cancel("changed my mind");
    return await handle.result().catch(reasonOf);
  },
  async "its scope"(ctx) {
    return await ctx.scope(async (ctx) => {
      const result = ctx.executeChild(child, undefined, { id: "child" });
      ctx.cancel("changed my mind");
      return await result.catch(reasonOf);
    });
  },
  async "a scope that waits for it"(ctx) {
    return await ctx.scope(async (ctx) => {
      const result = ctx.executeChild(child, undefined, { id: "child" });
      ctx.cancel("changed my mind");
      return await result.catch(reasonOf);
    }, { waitForCanceled: true });
  },
  async "a scope with a compensation"(ctx) {
    return await ctx.scope(async (ctx) => {
      ctx.addCompensation(() => {});
      const result = ctx.executeChild(child, undefined, { id: "child" });
      ctx.cancel("changed my mind");
      return await result;
    }).catch(reasonOf);
  },
};

for (const [what, parent] of Object.entries(atOnce)) {
  Deno.test(`WorkflowContext.startChild() never calls the code of a child that ${what} cancels at once, after a process crash at any step`, async () => {
    called.length = 0;
    const { undisturbed, points } = await crashTest(parent as Workflow, {
      workflows,
      deaths: 2,
      check({ result, states }) {
        assertEquals([result, states.length], ["changed my mind", 1]); // the child is not stored
      },
    });
    assertEquals([undisturbed.result, called], ["changed my mind", []]);
    assert(points > 6, `${points} points`);
  });
}

Deno.test("Executor.cancel() in the turn in which a workflow starts a child keeps the child from running", async () => {
  for (const shielded of [false, true]) {
    called.length = 0;
    const { executor, store } = setUp({ workflows });
    const handle = await executor.execute(async (ctx: Ctx) => {
      const start = (ctx: Ctx) => ctx.executeChild(child, undefined, { id: "child" });
      await ctx.waitForSignal("start");
      return await (shielded ? ctx.shield(start) : start(ctx));
    }, { id: "a" });
    executor.signal("a", "start");
    executor.cancel("a", "stop");
    await settle();
    if (shielded) await executor.signal("child", "go", "on");
    assertEquals(await handle.result().catch(isCanceled), shielded ? "on" : true);
    assertEquals([called, await store.load("child") !== null], [shielded ? ["child"] : [], shielded]);
    await executor.close();
  }
});

Deno.test("Executor.cancel() while a cancellation is on its way keeps a child from running that is stored before it", async () => {
  called.length = 0;
  const store = new FaultyStore();
  const { executor } = setUp({ store, workflows });
  const slow = gate();
  store.before.append = ({ events }) => {
    if (events.some(({ type }) => type === "child_started")) executor.cancel("a"); // stored by the next append
    return events.some(({ type }) => type === "cancel_requested") ? slow.promise : undefined;
  };
  const handle = await executor.execute((ctx: Ctx) => ctx.executeChild(child, undefined, { id: "child" }), { id: "a" });
  await settle();
  assertEquals(await store.load("child"), null);
  slow.open();
  await assertRejects(() => handle.result(), CanceledError);
  assertEquals([called, await store.load("child")], [[], null]);
  await executor.close();
});

/** A workflow whose child is cancelled after a signal, by a scope of this kind. */
const cancelsLater = (waitForCanceled: boolean) =>
  async function cancelsLater(ctx: Ctx) {
    return await ctx.scope(async (ctx) => {
      const result = ctx.executeChild(child, undefined, { id: "child" });
      ctx.waitForSignal("cancel").then(() => ctx.cancel("too slow"));
      return await result;
    }, { waitForCanceled }).catch(reasonOf);
  };

for (const waitForCanceled of [false, true]) {
  const how = `by a scope${waitForCanceled ? " that waits for it" : ""}`;

  Deno.test(`WorkflowContext.startChild() ends a child without a call of its code when it is cancelled ${how} before it is stored`, async () => {
    called.length = 0;
    const store = new FaultyStore();
    const started: string[] = [];
    const hooks = { workflowStarted: (_: unknown, { workflowId }: { workflowId: string }) => started.push(workflowId) };
    const { executor } = setUp({ store, workflows, hooks });
    const slow = gate();
    store.before.append = ({ workflowId, expectedLength }) => {
      return workflowId === "child" && expectedLength === 0 ? slow.promise : undefined;
    };
    const handle = await executor.execute(cancelsLater(waitForCanceled), { id: "a" });
    await executor.signal("a", "cancel");
    await settle();
    slow.open();
    assertEquals(await handle.result(), "too slow");
    await settle();
    const { status, error } = (await store.load("child"))!;
    const message = 'Terminated workflow "child": it was cancelled before it began';
    assertEquals([status, error?.message, called, started], ["canceled", message, [], ["a", "child"]]);
    await executor.close();
  });

  Deno.test(`WorkflowContext.startChild() does not start a child that is cancelled ${how} while the store fails`, async () => {
    called.length = 0;
    const store = new FaultyStore();
    const { executor, clock } = setUp({ store, workflows, storeRetry: { initialIntervalMs: 50, jitter: false } });
    store.before.append = ({ workflowId }) => {
      if (workflowId === "child" && clock.now() < 50) throw new Error("the store is down");
    };
    const handle = await executor.execute(cancelsLater(waitForCanceled), { id: "a" });
    await executor.signal("a", "cancel");
    await clock.advance(100);
    assertEquals(await handle.result(), "too slow");
    assertEquals([called, await store.load("child")], [[], null]);
    await executor.close();
  });

  Deno.test(`Executor.recover() does not start a child that was cancelled ${how}`, async () => {
    called.length = 0;
    const store = new FaultyStore();
    const code = cancelsLater(waitForCanceled);
    const { executor } = setUp({ store, workflows });
    const never = gate();
    store.before.append = ({ workflowId }) => workflowId === "child" ? never.promise : undefined;
    await executor.execute(code, { id: "a" });
    if (!waitForCanceled) {
      store.before.append = ({ workflowId, events }) => {
        const isLast = events.some(({ type }) => type === "workflow_completed");
        return workflowId === "child" || isLast ? never.promise : undefined;
      };
    }
    await executor.signal("a", "cancel");
    await settle();
    executor.close();
    await settle();
    store.before.append = undefined;
    // The clock of the first executor stands still while its store works.
    const next = new Executor({ store, clock: new VirtualClock(), workflows: { child, cancelsLater: code } });
    const [handle] = await next.recover();
    assertEquals(await handle.result(), "too slow");
    await settle();
    assertEquals([called, await store.load("child")], [[], null]);
    never.open();
    await next.close();
  });
}

Deno.test("WorkflowContext.startChild() starts a child with parentClosePolicy abandon although its scope is cancelled", async () => {
  called.length = 0;
  const { executor, store } = setUp({ workflows });
  const handle = await executor.execute((ctx: Ctx) =>
    ctx.scope(async (ctx) => {
      const child1 = ctx.startChild(child, undefined, { id: "child", parentClosePolicy: "abandon" });
      ctx.cancel("not needed here");
      return await child1.result().catch(reasonOf);
    }), { id: "a" });
  assertEquals(await handle.result(), "not needed here");
  await settle();
  assertEquals([called, (await store.load("child"))?.status], [["child"], "running"]);
  await executor.close();
});

// A parent that waits for the ends of its cancelled children

const clean = (what: string) => what;
const undo = (what: string) => what;

/** Takes 100 ms to clean up when it is cancelled. */
async function cleansUp(ctx: Ctx, what: string) {
  try {
    return await ctx.waitForSignal<string>("go");
  } catch (error) {
    await ctx.shield(async (ctx) => {
      await ctx.sleep(100);
      await ctx.executeActivity(clean, what);
    });
    throw error;
  }
}

/** What was cleaned up and undone, each once, in order. */
const effectsOf = ({ calls }: CrashRun) => [...new Set(calls.map(({ name, input }) => `${name} ${input}`))];

const closed: [policy: ParentClosePolicy, result: unknown, status: string, effects: string[]][] = [
  ["cancel", ["canceled", 110], "canceled", ["clean child"]],
  ["terminate", ["terminated", 10], "canceled", []],
  ["abandon", ["canceled", 10], "running", []],
];
for (const [parentClosePolicy, expected, status, effects] of closed) {
  Deno.test(`ScopeOptions.waitForCanceled waits for the end of a child with parentClosePolicy ${parentClosePolicy}, after a process crash at any step`, async () => {
    const parent = async (ctx: Ctx) => {
      const code = await ctx.scope(async (ctx) => {
        const handle = ctx.startChild(cleansUp, "child", { id: "child", parentClosePolicy });
        await ctx.sleep(10);
        ctx.cancel("enough");
        return await handle.result().catch((error) => error.code);
      }, { waitForCanceled: true });
      return [code, ctx.now()];
    };
    const { points } = await crashTest(parent, {
      workflows: { cleansUp },
      deaths: 2,
      check(run) {
        const child = run.states.find(({ workflowId }) => workflowId === "child")!;
        assertEquals([run.result, child.status, effectsOf(run)], [expected, status, effects]);
      },
    });
    assert(points > 10, `${points} points`);
  });
}

Deno.test("ScopeOptions.waitForCanceled gets the result of a child that goes on, and the errors of the others", async () => {
  const goesOn = async (ctx: Ctx) => {
    await ctx.waitForSignal("never").catch(() => {});
    return await ctx.shield((ctx) => ctx.sleep(50).then(() => "all the same"));
  };
  const fails = async (ctx: Ctx) => {
    await ctx.waitForSignal("never").catch(() => {
      throw new RangeError("in the cleanup");
    });
  };
  const parent = (ctx: Ctx) =>
    ctx.scope(async (ctx) => {
      const children = [ctx.startChild(goesOn), ctx.startChild(fails), ctx.startChild(cleansUp, "third")];
      await ctx.sleep(10);
      ctx.cancel();
      return await Promise.all(children.map((child) => child.result().catch((error) => error.message as string)));
    }, { waitForCanceled: true });
  const { undisturbed } = await crashTest(parent, { workflows: { goesOn, fails, cleansUp } });
  const [first, second, third] = undisturbed.result as string[];
  assertEquals([first, second], ["all the same", "in the cleanup"]);
  assert(third.startsWith("Canceled workflow"), third);
});

/** A trip whose parts are children, each with a compensation. Its own children do the same, down to this depth. */
async function trip(ctx: Ctx, depth: number): Promise<void> {
  ctx.addCompensation((ctx) => ctx.executeActivity(undo, `level ${depth}`));
  ctx.spawn((ctx) => ctx.executeChild(cleansUp, `level ${depth}`, { id: `part ${depth}` }));
  if (depth < 2) await ctx.executeChild(trip, depth + 1, { id: `trip ${depth + 1}` });
  else await ctx.waitForSignal("never");
}
const undone = [2, 1, 0].flatMap((depth) => [`clean level ${depth}`, `undo level ${depth}`]);

for (
  const [what, deliveries] of [["is cancelled", { cancel: { atMs: 10 } }], ["times out", { timeoutMs: 10 }]] as const
) {
  Deno.test(`WorkflowContext.addCompensation() undoes after the children of all levels have ended when a workflow ${what}, after a process crash at any step`, async () => {
    const { points, undisturbed } = await crashTest(trip, {
      input: 0,
      workflows: { cleansUp, trip },
      ...deliveries,
      check(run) {
        const effects = effectsOf(run);
        for (const depth of [0, 1, 2]) {
          assert(effects.indexOf(`clean level ${depth}`) < effects.indexOf(`undo level ${depth}`), `${effects}`);
        }
        assert(effects.indexOf("undo level 1") < effects.indexOf("undo level 0"), `${effects}`);
        assertEquals([...effects].sort(), [...undone].sort());
        assertEquals(run.states.filter(({ status }) => status === "running"), []);
      },
    });
    assertEquals(undisturbed.state.status, what === "times out" ? "failed" : "canceled");
    assert(points > 60, `${points} points`);
  });
}

Deno.test("ScopeOptions.waitForCanceled waits for a child that another executor runs", async () => {
  for (const crash of [false, true]) {
    const { executor: first, store, clock } = setUp({ store: new FaultyStore(), onError: () => {} });
    const parent = async (ctx: Ctx) => {
      ctx.addCompensation((ctx) => ctx.executeActivity(undo, "parent"));
      await ctx.executeChild(cleansUp, "child", { id: "child" });
    };
    const order: string[] = [];
    store.after.append = ({ workflowId, events }) => {
      for (const event of events) {
        if (/compensation_started|workflow_canceled/.test(event.type)) order.push(`${workflowId} ${event.type}`);
      }
    };
    await first.execute(parent, { id: "a" });
    await settle();
    await first.close();
    const elsewhere = new Executor({ store, clock, workflows: { cleansUp }, onError: () => {} });
    await elsewhere.recover();
    let executor = new Executor({ store, clock, workflows: { parent }, onError: () => {} }); // it does not know the child
    await executor.recover();
    await executor.cancel("a");
    await settle();
    if (crash) {
      await executor.close();
      executor = new Executor({ store, clock, workflows: { parent }, onError: () => {} });
      await executor.recover();
    }
    await assertRejects(async () => (await executor.handle("a")).result(), CanceledError);
    assertEquals(order, ["child workflow_canceled", "a compensation_started", "a workflow_canceled"]);
    await Promise.all([executor.close(), elsewhere.close()]);
  }
});

Deno.test("Executor.openRuns() names a cancelled child for which its parent waits", async () => {
  const { executor } = setUp();
  const stubborn = async (ctx: Ctx) => {
    for (;;) await ctx.shield((ctx) => ctx.waitForSignal("go"));
  };
  await executor.execute(
    (ctx: Ctx) => ctx.scope((ctx) => ctx.executeChild(stubborn, undefined, { id: "child" }), { waitForCanceled: true }),
    { id: "a" },
  );
  await settle();
  await executor.cancel("a");
  await settle();
  const { waitsFor } = executor.openRuns().find(({ workflowId }) => workflowId === "a")!;
  assertEquals(waitsFor, [{ type: "child", workflowId: "child", canceled: true }]);
  await executor.close();
});
