/** `ctx.patched()`: code that changes while workflows run. */

import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  Executor,
  NonDeterminismError,
  VirtualClock,
  type WorkflowContext,
  type WorkflowState,
} from "@rockpool/workflow";
import { crashTest, FaultyStore } from "@rockpool/workflow/testing";
import { assertSame, play, playFrom, type Scene, type Stop } from "../support/restarts.ts";
import { gate, settle, setUp, typesOf } from "../support/executors.ts";

type Ctx = WorkflowContext;

const charge = () => "charged";
const reserve = () => "reserved";
const check = () => "checked";
const ship = () => "shipped";

/** The versions of a workflow's code, in order of deployment. */
const versions = {
  async old(ctx: Ctx) {
    const log = [await ctx.executeActivity(charge)];
    await ctx.sleep(100);
    return [...log, await ctx.executeActivity(ship), ctx.now()];
  },
  async patched(ctx: Ctx) {
    const log: string[] = [];
    if (ctx.patched("reserve-first")) log.push(await ctx.executeActivity(reserve));
    log.push(await ctx.executeActivity(charge));
    await ctx.sleep(100);
    return [...log, await ctx.executeActivity(ship), ctx.now()];
  },
  /** Deployed once no run of the old code is left. */
  async clean(ctx: Ctx) {
    const log = [await ctx.executeActivity(reserve), await ctx.executeActivity(charge)];
    await ctx.sleep(100);
    return [...log, await ctx.executeActivity(ship), ctx.now()];
  },
};

/** Runs the code `before` until it is stopped, then resumes with the code `after`. */
function redeploy(before: Scene["workflow"], after: Scene["workflow"], stop: Stop) {
  return play(
    (stops) => ({ workflow: stops === 0 ? before : after }),
    (stops) => stops === 0 ? stop : undefined,
  );
}

Deno.test("WorkflowContext.patched() answers true in a new run, and is recorded before the commands that follow", async () => {
  const { undisturbed: { result, state } } = await crashTest(versions.patched);
  assertEquals(result, ["reserved", "charged", "shipped", 100]);
  assertEquals(typesOf(state.history).slice(0, 3), ["workflow_started", "patched", "activity_started"]);
  assertEquals(state.history[1], { type: "patched", at: 0, changeId: "reserve-first" });
});

Deno.test("WorkflowContext.patched() answers false in a run of the old code that was stopped at any step", async () => {
  const old = await play({ workflow: versions.old });
  const { history } = old.state;
  for (let length = 2; length < history.length; length++) {
    const again = await playFrom({ workflow: versions.patched }, old.state, length);
    assertSame(again, old, `after event ${length}`); // the answer is not recorded either
  }
  for (const side of ["before", "after"] as const) {
    for (let append = 2;; append++) {
      const again = await redeploy(versions.old, versions.patched, { append, side });
      if (again.stops === 0) break;
      assertSame(again, old, `stopped ${side} append ${append}`);
    }
  }
});

Deno.test("WorkflowContext.patched() answers true when the old code has stored nothing", async () => {
  const { outcome } = await redeploy(versions.old, versions.patched, { append: 1, side: "before" });
  assertEquals(outcome, '["reserved","charged","shipped",100]');
});

Deno.test("WorkflowContext.patched() can be removed when no run of the old code is left", async () => {
  const full = await play({ workflow: versions.patched });
  const { history } = full.state;
  for (let length = 2; length < history.length; length++) {
    const again = await playFrom({ workflow: versions.clean }, full.state, length);
    assertSame(again, full, `after event ${length}`);
  }
});

Deno.test("NonDeterminismError names the change when the code changes without patched()", async () => {
  const { state } = await play({ workflow: versions.old });
  const { history } = state;
  for (let length = 3; length < history.length; length++) {
    const { store, clock, executor } = setUp({ startAt: 0, workflows: { scene: versions.clean } });
    clock.hold();
    const stored: WorkflowState = { ...state, result: undefined, status: "running", history: history.slice(0, length) };
    await store.save(stored);
    const before = await store.load("a");
    const [handle] = await executor.recover();
    const error = await assertRejects(() => handle.result(), NonDeterminismError);
    assertEquals([error.expected, error.actual, error.position], ['activity "charge"', 'activity "reserve"', 0]);
    assertStringIncludes(error.message, 'Likely edit: an activity "reserve" was inserted before activity "charge"');
    assertEquals(await store.load("a"), before);
    await executor.close();
  }
});

Deno.test("WorkflowContext.patched() distinguishes two changes in runs from before, between and after them", async () => {
  const code = (changes: number) => async (ctx: Ctx) => {
    const log: string[] = [];
    if (changes > 0 && ctx.patched("reserve")) log.push(await ctx.executeActivity(reserve));
    log.push(await ctx.executeActivity(charge));
    if (changes > 1 && ctx.patched("check")) log.push(await ctx.executeActivity(check));
    await ctx.sleep(10);
    return [...log, changes > 0 && ctx.patched("reserve"), changes > 1 && ctx.patched("check")];
  };
  const outcomes = [
    '["charged",false,false]',
    '["reserved","charged",true,false]',
    '["reserved","charged","checked",true,true]',
  ];
  for (const [changes, expected] of outcomes.entries()) {
    const full = await play({ workflow: code(changes) });
    const { history } = full.state;
    const firstTimer = typesOf(history).indexOf("timer_started") + 1;
    for (let length = firstTimer; length < history.length; length++) {
      const again = await playFrom({ workflow: code(2) }, full.state, length);
      assertEquals(again.outcome, expected, `${changes} changes, after event ${length}`);
    }
    if (changes === 2) await crashTest(code(2));
  }
});

Deno.test("WorkflowContext.patched() keeps its first answer within a run", async () => {
  const code = (patched: boolean) => async (ctx: Ctx) => {
    const log: string[] = [];
    for (let i = 0; i < 3; i++) {
      log.push(await (patched && ctx.patched("loop") ? ctx.executeActivity(check) : ctx.executeActivity(charge)));
      await ctx.sleep(10);
    }
    return log;
  };
  const old = await play({ workflow: code(false) });
  const { history } = old.state;
  for (let length = 2; length < history.length; length++) {
    const again = await playFrom({ workflow: code(true) }, old.state, length);
    assertSame(again, old, `after event ${length}`);
  }
  const { undisturbed: { result, state } } = await crashTest(code(true));
  assertEquals(result, ["checked", "checked", "checked"]);
  assertEquals(typesOf(state.history).filter((type) => type === "patched").length, 1);
});

Deno.test("WorkflowContext.patched() answers true in a later round of a loop when the old code has not reached it", async () => {
  const code = (patched: boolean) => async (ctx: Ctx) => {
    const log: string[] = [];
    for (let i = 0; i < 4; i++) {
      log.push(await ctx.executeActivity(patched && ctx.patched(`round-${i}`) ? check : charge));
      await ctx.sleep(10);
    }
    return log;
  };
  const { state } = await play({ workflow: code(false) });
  const second = state.history.findIndex((event) => event.type === "timer_fired" && event.seq === 3);
  const again = await playFrom({ workflow: code(true) }, state, second + 1);
  assertEquals(again.outcome, '["charged","charged","checked","checked"]');
});

Deno.test("WorkflowContext.patched() answers the same in the branches of a race after a process crash at any step", async () => {
  const quick = () => "quick";
  const code = (patched: boolean) => async (ctx: Ctx) => {
    const branch = async (name: string, ms: number) => {
      await ctx.sleep(ms);
      if (patched && ctx.patched("detour")) await ctx.sleep(name === "a" ? 50 : 5);
      await ctx.executeActivity(quick);
      return `${name} at ${ctx.now()}`;
    };
    const winner = await Promise.race([branch("a", 10), branch("b", 20), branch("c", 70)]);
    await ctx.sleep(100);
    return winner;
  };
  const results = [false, true].map(async (patched) => (await crashTest(code(patched))).undisturbed.result);
  assertEquals(await Promise.all(results), ["a at 10", "b at 25"]);
  const old = await play({ workflow: code(false) });
  const { history } = old.state;
  const pastPatch = history.findIndex(({ type }) => type === "activity_started") + 1;
  for (let length = 2; length < history.length; length++) {
    const again = await playFrom({ workflow: code(true) }, old.state, length);
    if (length >= pastPatch) assertSame(again, old, `after event ${length}`);
    else assertEquals(again.outcome, '"b at 25"', `after event ${length}`);
  }
});

Deno.test("WorkflowContext.patched() ignores delivered events when its answer was not stored", async () => {
  async function order(ctx: Ctx) {
    await ctx.executeActivity(charge);
    const way = ctx.patched("new") ? await ctx.executeActivity(check) : "old";
    return [way, await ctx.waitForSignal("go")];
  }
  const store = new FaultyStore();
  const clock = new VirtualClock();
  const first = new Executor({ store, clock });
  const stopped = gate();
  store.before.append = async ({ events }) => {
    if (events[0].type !== "patched") return;
    const state = (await store.inner.load("a"))!; // a signal is stored first, then the process crashes
    await store.inner.append({
      workflowId: "a",
      runId: state.runId,
      expectedLength: state.history.length,
      events: [{ type: "signal_received", at: 0, name: "go", payload: "go", signalId: "1" }],
    });
    first.close().then(() => stopped.open());
    throw new Error("the process is gone");
  };
  await first.execute(order, { id: "a" });
  await stopped.promise;
  store.before.append = undefined;
  assertEquals(typesOf((await store.load("a"))!.history).at(-1), "signal_received");
  const second = new Executor({ store, clock, workflows: { order } });
  const [handle] = await second.recover();
  assertEquals(await handle.result(), ["checked", "go"]);
  await second.close();
});

Deno.test("WorkflowContext.patched() is recorded once when the answer of the store is lost", async () => {
  const store = new FaultyStore();
  const { executor } = setUp({ store });
  store.after.append = ({ events }) => {
    if (events[0].type !== "patched") return;
    store.after.append = undefined;
    throw new Error("no answer");
  };
  const handle = await executor.execute(versions.patched, { id: "a" });
  assertEquals(await handle.result(), ["reserved", "charged", "shipped", 150]);
  assertEquals(typesOf((await store.load("a"))!.history).filter((type) => type === "patched").length, 1);
  await executor.close();
});

Deno.test("WorkflowContext.patched() answers false in an update that the old code has answered", async () => {
  const code = (patched: boolean) => async (ctx: Ctx) => {
    ctx.handleUpdate("add", async (n: number) => {
      if (patched && ctx.patched("check")) await ctx.executeActivity(check);
      return n + 1;
    });
    await ctx.waitForSignal("end");
    return patched && ctx.patched("check");
  };
  const { store } = setUp();
  const events = [{ type: "workflow_started", at: 0, workflowName: "order" }] as const;
  await store.append({ workflowId: "a", runId: "run", expectedLength: 0, events });
  const run = async (version: boolean, act: (executor: Executor) => Promise<unknown>) => {
    const { executor } = setUp({ store, workflows: { order: code(version) } });
    await executor.recover();
    await act(executor);
    await executor.close();
  };
  await run(false, (executor) => executor.update("a", "add", 1));
  await run(true, (executor) => executor.signal("a", "end").then(settle));
  const { status, result, history } = (await store.load("a"))!;
  assertEquals([status, result, typesOf(history)], ["completed", false, [
    "workflow_started",
    "update_accepted",
    "update_completed",
    "signal_received",
    "workflow_completed",
  ]]);
});

Deno.test("WorkflowContext.patched() answers false in the query of a run that the old code has completed", async () => {
  const code = (patched: boolean) => async (ctx: Ctx) => {
    let checked = false;
    ctx.handleQuery("checked", () => checked);
    await ctx.executeActivity(charge);
    checked = patched && ctx.patched("check");
  };
  for (const [before, expected] of [[false, false], [true, true]]) {
    const { store } = setUp();
    const first = new Executor({ store, workflows: { order: code(before) } });
    const events = [{ type: "workflow_started", at: 0, workflowName: "order" }] as const;
    await store.append({ workflowId: "a", runId: "run", expectedLength: 0, events });
    for (const handle of await first.recover()) await handle.result();
    await first.close();
    const second = new Executor({ store, workflows: { order: code(true) } });
    assertEquals(await second.query("a", "checked"), expected);
    await second.close();
  }
});

Deno.test("WorkflowContext.patched() answers the same in two executors that run one workflow, and is recorded once", async () => {
  async function order(ctx: Ctx) {
    await ctx.executeActivity(charge);
    const way = ctx.patched("new") ? await ctx.executeActivity(check) : "old";
    return [way, await ctx.waitForSignal("go"), ctx.patched("new")];
  }
  const store = new FaultyStore();
  const clock = new VirtualClock();
  const [first, second, sender] = [1, 2, 3].map(() => new Executor({ store, clock, workflows: { order } }));
  const held = gate();
  const reached = gate();
  store.before.append = async ({ events }) => {
    if (events[0].type !== "patched") return;
    store.before.append = undefined;
    reached.open();
    await held.promise;
  };
  const handle = await first.execute(order, { id: "a" });
  await reached.promise; // the first executor has decided, and has stored nothing
  await sender.signal("a", "go", 1);
  const [other] = await second.recover();
  await settle();
  held.open();
  assertEquals(await handle.result(), ["checked", 1, true]);
  assertEquals(await other.result(), ["checked", 1, true]);
  const { history } = (await store.load("a"))!;
  assertEquals(typesOf(history).filter((type) => type === "patched").length, 1);
  await Promise.all([first, second, sender].map((executor) => executor.close()));
});
