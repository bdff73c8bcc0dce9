/** `ctx.setLabels()`: what is recorded, found, replayed and refused, and what the next run, children and forks begin with. */

import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { Executor, InMemoryStore, type Labels, type WorkflowContext } from "@rockpool/workflow";
import { fork, stateAt } from "@rockpool/workflow/storage";
import { assertReplays, crashTest, historyToText } from "@rockpool/workflow/testing";
import { settle, setUp } from "../support/executors.ts";
import { playEveryWay } from "../support/scenes.ts";

type Ctx = WorkflowContext;

const work = () => "done";

Deno.test("WorkflowContext.setLabels() adds, replaces and removes labels, and ctx.labels has them at once", async () => {
  const { outcome, state } = await playEveryWay((world) => ({
    sent: [],
    async workflow(ctx: Ctx) {
      const seen = [ctx.labels];
      ctx.setLabels({ stage: "asked", customer: "7" });
      seen.push(ctx.labels);
      await ctx.executeActivity(world.work("pay"));
      ctx.setLabels({ stage: "paid", customer: null, absent: null });
      seen.push(ctx.labels);
      await ctx.sleep(5);
      ctx.setLabels({ stage: null });
      return [...seen, ctx.labels];
    },
  }));
  assertEquals(JSON.parse(outcome), [{}, { stage: "asked", customer: "7" }, { stage: "paid" }, {}]);
  assertEquals(state.labels, {});
  const changes = state.history.flatMap((event) => event.type === "labels_changed" ? [[event.seq, event.labels]] : []);
  assertEquals(changes, [[0, { stage: "asked", customer: "7" }], [2, { stage: "paid" }], [4, {}]]);
});

Deno.test("WorkflowContext.setLabels() is stored before what follows is performed, in one append with it", async () => {
  const { executor, store } = setUp();
  const found: unknown[] = [];
  const look = async () => void found.push((await store.list({ labels: { stage: "asked" } })).length);
  const appends: string[][] = [];
  const { append } = store;
  store.append = (batch) => {
    appends.push(batch.events.map(({ type }) => type));
    return append.call(store, batch);
  };
  await (await executor.execute(async (ctx: Ctx) => {
    ctx.setLabels({ stage: "asked" });
    await ctx.executeActivity(look);
  }, { id: "a" })).result();
  assertEquals(found, [1]);
  assertEquals(appends[1], ["labels_changed", "activity_started"]);
  await executor.close();
});

Deno.test("WorkflowContext.setLabels() is seen by describe(), count() and heads() while the run waits and after it", async () => {
  const { executor, store } = setUp();
  const handle = await executor.execute(async (ctx: Ctx) => {
    ctx.setLabels({ stage: "waits" });
    await ctx.waitForSignal("go");
    ctx.setLabels({ stage: "done" });
  }, { id: "a", labels: { customer: "7" } });
  await settle();
  assertEquals((await executor.describe("a")).labels, { customer: "7", stage: "waits" });
  assertEquals([
    await store.count({ labels: { stage: "waits" } }),
    (await store.heads({ labels: { stage: "done" } })).heads,
  ], [
    1,
    [],
  ]);
  await executor.signal("a", "go");
  await handle.result();
  assertEquals((await executor.describe("a")).labels, { customer: "7", stage: "done" });
  assertEquals(await store.count({ labels: { stage: "waits" } }), 0);
  await executor.close();
});

Deno.test("WorkflowContext.setLabels() begins no turn, and waits for nothing", async () => {
  const { executor, store } = setUp();
  const log: string[] = [];
  await (await executor.execute(async (ctx: Ctx) => {
    const [one, other] = [1, 2].map((n) => ctx.executeActivity(() => n, undefined, { name: `${n}` }));
    one.then(() => {
      ctx.setLabels({ one: "x" });
      log.push("one");
    });
    other.then(() => log.push("other"));
    await Promise.all([one, other]);
    log.push("end");
  }, { id: "a" })).result();
  assertEquals(log, ["one", "other", "end"]);
  assertEquals((await store.load("a"))?.history.map(({ type }) => type), [
    "workflow_started",
    "activity_started",
    "activity_started",
    "activity_completed",
    "activity_completed",
    "labels_changed",
    "workflow_completed",
  ]);
  await executor.close();
});

const changes: [what: string, code: (ctx: Ctx) => unknown, words: string][] = [
  [
    "does not change labels any more",
    async (ctx) => await ctx.executeActivity(work),
    "change of labels was removed or moved",
  ],
  ["changes labels later", async (ctx) => {
    await ctx.executeActivity(work);
    ctx.setLabels({ stage: "asked" });
  }, "position 0\n  history  change of labels\n  code     activity"],
];

async function asks(ctx: Ctx) {
  ctx.setLabels({ stage: "asked" });
  await ctx.executeActivity(work, undefined, { name: "work" });
  await ctx.waitForSignal("go");
}

for (const [what, code, words] of changes) {
  Deno.test(`Executor.recover() rejects with a NonDeterminismError when code ${what}`, async () => {
    const { executor, store } = setUp();
    await executor.execute(asks, { id: "a" });
    await settle();
    await executor.close();
    await using next = new Executor({ store, workflows: { asks: code } });
    const [handle] = await next.recover();
    const error = await assertRejects(() => handle.result(), Error);
    assertStringIncludes(error.message, words);
    assertEquals(error.name, "NonDeterminismError");
  });
}

Deno.test("Executor.recover() rejects with a NonDeterminismError when code changes labels that the history does not have", async () => {
  const { executor, store } = setUp();
  await executor.execute(async (ctx: Ctx) => await ctx.waitForSignal(await ctx.executeActivity(work)), { id: "a" });
  await settle();
  await executor.close();
  const workflows = Object.fromEntries([[(await store.load("a"))!.workflowName, asks]]);
  await using next = new Executor({ store, workflows });
  const [handle] = await next.recover();
  const error = await assertRejects(() => handle.result(), Error);
  assertStringIncludes(error.message, "a change of labels was inserted before activity");
});

Deno.test("assertReplays() with inputs names a label that has another value than in the history", async () => {
  const { executor, store } = setUp();
  await executor.execute(asks, { id: "a" });
  await settle();
  await executor.close();
  const text = historyToText((await store.load("a"))!);
  await assertReplays(asks, text, { inputs: true });
  async function changed(ctx: Ctx) {
    ctx.setLabels({ stage: "ordered" });
    await ctx.executeActivity(work, undefined, { name: "work" });
    await ctx.waitForSignal("go");
  }
  await assertReplays(changed, text);
  const { message } = await assertRejects(() => assertReplays(changed, text, { inputs: true }), Error);
  assertStringIncludes(message, 'change of labels, labels.stage: "asked"');
  assertStringIncludes(message, 'change of labels, labels.stage: "ordered"');
});

const bad: [what: string, changes: unknown, words: RegExp][] = [
  ["nothing", undefined, /^Cannot set labels: "labels" must be an object, got undefined$/],
  ["null", null, /^Cannot set labels: "labels" must be an object, got null$/],
  ["a text", "stage", /^Cannot set labels: "labels" must be an object, got "stage"$/],
  ["a list", ["stage"], /^Cannot set labels: "labels" must be an object of strings, got /],
  ["a number", { stage: 7 }, /^Cannot set labels: "labels.stage" must be a string or null, got 7$/],
  ["undefined", { stage: undefined }, /^Cannot set labels: "labels.stage" must be a string or null, got undefined$/],
];

for (const [what, given, words] of bad) {
  Deno.test(`WorkflowContext.setLabels() throws a TypeError for ${what}, and records nothing`, async () => {
    const { executor, store } = setUp();
    const error = await (await executor.execute((ctx: Ctx) => {
      const { name, message } = assertThrows(() => ctx.setLabels(given as Record<string, string>), TypeError);
      return [name, message, ctx.labels];
    }, { id: "a", labels: { customer: "7" } })).result() as [string, string, Labels];
    assert(words.test(error[1]), error[1]);
    assertEquals(error[2], { customer: "7" });
    assertEquals((await store.load("a"))?.history.length, 2);
    await executor.close();
  });
}

Deno.test("WorkflowContext.setLabels() throws a RangeError when all labels together are larger than maxPayloadBytes", async () => {
  const { executor, store } = setUp({ maxPayloadBytes: 100 });
  const message = await (await executor.execute((ctx: Ctx) => {
    ctx.setLabels({ one: "x".repeat(50) });
    return assertThrows(() => ctx.setLabels({ other: "x".repeat(50) }), RangeError).message;
  }, { id: "a", labels: { a: "b" } })).result();
  assertEquals(message, 'Cannot store labels: it has about 130 bytes, "maxPayloadBytes" is 100');
  assertEquals((await store.load("a"))?.labels, { a: "b", one: "x".repeat(50) });
  await executor.close();
});

Deno.test("WorkflowContext.setLabels() throws in a query handler, a validation and a side effect", async () => {
  const { executor, store } = setUp();
  await executor.execute(async (ctx: Ctx) => {
    const set = () => ctx.setLabels({ stage: "x" });
    ctx.handleQuery("set", set);
    ctx.handleUpdate("set", () => {}, { validate: set });
    await assertRejects(() => ctx.sideEffect(set), TypeError, "Cannot call the context in a side effect");
    await ctx.waitForSignal("go");
  }, { id: "a" });
  await settle();
  await assertRejects(() => executor.query("a", "set"), TypeError, "Cannot call the context in a query handler");
  await assertRejects(() => executor.update("a", "set"), TypeError, "Cannot call the context in a query handler");
  assertEquals("labels" in (await store.load("a"))!, false);
  await executor.close();
});

Deno.test("WorkflowContext.setLabels() works in a run and a scope that were canceled, and in one that has ended", async () => {
  const { outcome, state } = await playEveryWay(() => ({
    sent: [{ at: 5, cancel: "enough" }],
    async workflow(ctx: Ctx) {
      let inner: Ctx | undefined;
      await ctx.scope((ctx) => {
        inner = ctx;
        ctx.cancel();
        ctx.setLabels({ scope: "canceled" });
      });
      inner!.setLabels({ scope: "ended" });
      try {
        await ctx.sleep(100);
      } catch {
        ctx.setLabels({ stage: "canceled" });
      }
      return "cleaned up";
    },
  }));
  assertEquals([outcome, state.labels], ['"cleaned up"', { scope: "ended", stage: "canceled" }]);
});

Deno.test("WorkflowContext.setLabels() right before the end of the run and in a compensation is stored", async () => {
  const { undisturbed } = await crashTest(async (ctx: Ctx) => {
    ctx.addCompensation(() => ctx.setLabels({ stage: "undone" }));
    await ctx.executeActivity(work);
    ctx.setLabels({ stage: "fails" });
    throw new Error("no");
  });
  assertEquals(undisturbed.state.labels, { stage: "undone" });
});

Deno.test("WorkflowContext.continueAsNew() hands on the labels that the run has at its end", async () => {
  const { undisturbed } = await crashTest(async (ctx: WorkflowContext<number>, round: number): Promise<unknown> => {
    if (round === 3) return ctx.labels;
    ctx.setLabels(round === 0 ? { customer: "7", first: "x" } : { round: `${round}`, first: null });
    return await ctx.continueAsNew(round + 1);
  }, { input: 0 });
  assertEquals<unknown>(undisturbed.result, { customer: "7", round: "2" });
  assertEquals<unknown>(undisturbed.state.labels, undisturbed.result);
});

Deno.test("WorkflowContext.setLabels() of a parent does not reach a child, which has labels of its own", async () => {
  const child = (ctx: Ctx) => {
    const before = ctx.labels;
    ctx.setLabels({ who: "child" });
    return [before, ctx.labels];
  };
  const { undisturbed } = await crashTest(async (ctx: Ctx) => {
    ctx.setLabels({ who: "parent" });
    return [await ctx.executeChild(child), ctx.labels];
  }, { workflows: { child } });
  assertEquals(undisturbed.result, [[{}, { who: "child" }], { who: "parent" }]);
});

Deno.test("fork() and stateAt() have the labels of the run at the cut", async () => {
  const store = new InMemoryStore();
  await using executor = new Executor({ store });
  await (await executor.execute(async (ctx: Ctx) => {
    for (const stage of ["one", "two", "three"]) {
      ctx.setLabels({ stage });
      await ctx.executeActivity(work);
    }
  }, { id: "a", labels: { customer: "7" } })).result();
  const state = (await store.load("a"))!;
  const labelsAt = (events: number) => stateAt(state, events).labels;
  assertEquals([1, 2, 4, 5, 8, 11].map(labelsAt).map((labels) => labels?.stage), [
    undefined,
    "one",
    "one",
    "two",
    "three",
    "three",
  ]);
  await store.append(fork(state, { after: 5, id: "b" }).batch);
  assertEquals((await store.load("b"))?.labels, { customer: "7", stage: "two" });
});

Deno.test("WorkflowContext.setLabels() is found by a query of a run that is not live, and by a dormant run that wakes", async () => {
  const { executor, store, clock } = setUp({ dormantAfterMs: 10 });
  async function waits(ctx: Ctx) {
    ctx.handleQuery("labels", () => ({ ...ctx.labels }));
    ctx.setLabels({ stage: "waits" });
    await ctx.waitForSignal("go");
    ctx.setLabels({ next: "x" });
  }
  const handle = await executor.execute(waits, { id: "a" });
  await settle();
  await clock.advance(50);
  assertEquals(await executor.query("a", "labels"), { stage: "waits" });
  await clock.advance(50);
  await executor.signal("a", "go");
  await handle.result();
  assertEquals((await store.load("a"))?.labels, { stage: "waits", next: "x" });
  await executor.close();
  await using other = new Executor({ store, workflows: { waits } });
  assertEquals(await other.query("a", "labels"), { stage: "waits", next: "x" });
});
