/** What the context says about its run: parent, start, length of the history, replay; and contexts that leak from a scope. */

import { assertEquals, assertNotEquals } from "@std/assert";
import { Executor, InMemoryStore, type WorkflowContext } from "@rockpool/workflow";
import { crashTest } from "@rockpool/workflow/testing";
import { settle, setUp } from "../support/executors.ts";
import { playEveryWay } from "../support/scenes.ts";

type Ctx = WorkflowContext;

/** The error of a call on the context of a scope that has ended. */
const CLOSED = 'CanceledError: A scope of workflow "a" has ended; use the context around it';

Deno.test("WorkflowContext.parent names the workflow and the run that started a child, in all runs of its chain", async () => {
  async function child(ctx: WorkflowContext<number>, round: number): Promise<unknown> {
    return round === 0 ? await ctx.continueAsNew(1) : await ctx.scope((ctx) => ctx.parent);
  }
  const { undisturbed } = await crashTest(async (ctx: Ctx) => {
    const parent = await ctx.executeChild(child, 0) as { workflowId: string; runId: string };
    return [parent.workflowId, parent.runId === ctx.runId, ctx.parent];
  }, { id: "a", workflows: { child } });
  assertEquals(undisturbed.result, ["a", true, undefined]);
});

Deno.test("WorkflowContext.startedAt is the startAt of the run, or when it was stored", async () => {
  const { executor, clock } = setUp({ startAt: 500 });
  const workflow = async (ctx: Ctx) => {
    const first = ctx.startedAt;
    await ctx.sleep(100);
    return [first, await ctx.scope((ctx) => ctx.startedAt)];
  };
  assertEquals(await (await executor.execute(workflow)).result(), [500, 500]);
  await clock.advance(400);
  assertEquals(await (await executor.execute(workflow, { startAt: 2000 })).result(), [2000, 2000]);
  await executor.close();
});

Deno.test("WorkflowContext.startedAt of a run that continues another one is its own start", async () => {
  const { executor } = setUp();
  const handle = await executor.execute(async (ctx: WorkflowContext<number>, round: number): Promise<unknown> => {
    if (round === 1) return ctx.startedAt;
    await ctx.sleep(100);
    return await ctx.continueAsNew(1);
  }, { input: 0 });
  assertEquals(await handle.result(), 100);
  await executor.close();
});

Deno.test("WorkflowContext.historyLength counts the events that the workflow has seen, the same on replay", async () => {
  const { outcome, state } = await playEveryWay((world) => ({
    sent: [{ at: 5, signal: "s" }],
    async workflow(ctx: Ctx) {
      const lengths = [ctx.historyLength];
      await ctx.executeActivity(world.work("work", { at: 2 }));
      lengths.push(ctx.historyLength);
      await ctx.waitForSignal("s");
      lengths.push(await ctx.scope((ctx) => ctx.historyLength));
      await ctx.sleep(10);
      return [...lengths, ctx.historyLength];
    },
  }));
  assertEquals([JSON.parse(outcome), state.history.length], [[1, 3, 4, 6], 7]);
});

Deno.test("WorkflowContext.isReplaying is true while stored events are repeated, and in a query of a run that is not live", async () => {
  const store = new InMemoryStore();
  let seen: boolean[] = [];
  async function workflow(ctx: Ctx) {
    ctx.handleQuery("seen", () => ctx.isReplaying);
    seen.push(ctx.isReplaying);
    await ctx.waitForSignal("first");
    await ctx.scope((ctx) => seen.push(ctx.isReplaying));
    await ctx.waitForSignal("second");
    seen.push(ctx.isReplaying);
  }
  const first = new Executor({ store });
  await first.execute(workflow, { id: "a" });
  await first.signal("a", "first");
  assertEquals(await first.query("a", "seen"), false);
  await first.close();
  assertEquals(seen, [false, false]);
  seen = [];
  await using second = new Executor({ store, workflows: { workflow } });
  assertEquals(await second.query("a", "seen"), true);
  assertEquals(seen, [true, true]);
  seen = [];
  const [handle] = await second.recover();
  await settle();
  await second.signal("a", "second");
  await handle.result();
  assertEquals(seen, [true, true, false]);
});

// Contexts

Deno.test("a context of a scope is the run's: IDs, labels, time and version are the same, and one random sequence", async () => {
  const { executor } = setUp({ workflowVersion: "v1" });
  const handle = await executor.execute(async (ctx: Ctx) => {
    await ctx.sleep(10);
    const outer = ctx;
    return await ctx.scope((ctx) => {
      const same = (["workflowId", "runId", "labels", "workflowVersion", "startedAt", "historyLength"] as const)
        .filter((name) => ctx[name] !== outer[name]);
      const uuids = [ctx.uuid(), outer.uuid(), ctx.uuid()];
      return [same, ctx.now(), new Set(uuids).size, ctx.random() === outer.random()];
    });
  }, { labels: { team: "a" } });
  assertEquals(await handle.result(), [[], 10, 3, false]);
  await executor.close();
});

Deno.test("a leaked context of an ended scope still knows the time, random numbers and the log; its waits reject", async () => {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  const { executor } = setUp({ logger: { debug: write, info: write, warn: write, error: write } });
  const handle = await executor.execute(async (ctx: Ctx) => {
    const leaked = await ctx.scope((ctx) => ctx);
    await ctx.sleep(10);
    leaked.log.info("hello");
    const wait = await leaked.sleep(1).catch(String);
    assertNotEquals(leaked.uuid(), ctx.uuid());
    return [leaked.now(), leaked.random() < 1, leaked.patched("change"), wait, leaked.takeSignal("s")];
  }, { id: "a" });
  assertEquals(await handle.result(), [10, true, true, CLOSED, undefined]);
  assertEquals(lines, ["hello"]);
  await executor.close();
});

Deno.test("handlers that are set through the context of a scope are the run's, and their calls are the scope's", async () => {
  const { outcome } = await playEveryWay(() => ({
    sent: [{ at: 5, update: "u", input: 1 }, { at: 20, update: "v", input: 2 }],
    async workflow(ctx: Ctx) {
      const handled: unknown[] = [];
      await ctx.scope(async (ctx) => {
        const handle = async (n: unknown) => {
          handled.push(await ctx.sleep(1).then(() => n, String));
        };
        ctx.handleUpdate("u", handle);
        ctx.handleUpdate("v", handle);
        await ctx.sleep(10);
      });
      await ctx.waitUntil(() => handled.length === 2);
      return handled;
    },
  }));
  assertEquals(JSON.parse(outcome), [1, CLOSED]);
});

Deno.test("a scope in an update handler that is in flight when the function returns is cancelled and waited for", async () => {
  const { outcome, state, log } = await playEveryWay((world) => ({
    sent: [{ at: 5, update: "u", input: 1 }],
    async workflow(ctx: Ctx) {
      ctx.handleUpdate("u", () =>
        ctx.scope(async (ctx) => {
          try {
            await ctx.sleep(1000);
          } finally {
            await ctx.shield((ctx) => ctx.executeActivity(world.work("cleanup", { at: 30 })));
          }
        }));
      await ctx.sleep(10);
      return "done";
    },
  }));
  assertEquals([outcome, state.updatedAt, log.at(-1)], ['"done"', 30, "cleanup ends at 30"]);
});

Deno.test("WorkflowContext.mapConcurrent() in a scope ends with it, and scopes in its body end each by itself", async () => {
  const { outcome } = await playEveryWay((world) => ({
    async workflow(ctx: Ctx) {
      const within = (ms: number) => (ctx: Ctx) =>
        ctx.mapConcurrent(
          [5, 15, 25],
          2,
          (at) =>
            ctx.scope((ctx) => ctx.executeActivity(world.work(`${at}`, { at: ctx.now() + at })), { timeoutMs: ms })
              .catch(({ name }) => name),
        );
      const each = await ctx.scope(within(20));
      const begun = ctx.now();
      const all = await ctx.scope(within(1000), { timeoutMs: 10 }).catch(String);
      return [each, all, ctx.now() - begun];
    },
  }), { prefixes: true });
  const late = "TimeoutError";
  assertEquals(JSON.parse(outcome)[0], ["5", "15", late]);
  assertEquals(JSON.parse(outcome).slice(1), [["5", late, late], 10]);
});
