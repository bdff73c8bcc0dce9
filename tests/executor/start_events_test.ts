/** `ctx.startEvents`: when a workflow has seen what came with its start. */

import { assertEquals } from "@std/assert";
import type { WorkflowContext } from "@rockpool/workflow";
import { fork } from "../../history/fork.ts";
import { crashTest, TestExecutor } from "@rockpool/workflow/testing";

/** Waits for what came with the start, and returns the payloads of the signals that have arrived by then. */
async function started(ctx: WorkflowContext): Promise<unknown[]> {
  await ctx.waitUntil(() => ctx.historyLength >= ctx.startEvents);
  const payloads: unknown[] = [];
  for (let one; (one = ctx.takeSignal("note")) !== undefined;) payloads.push(one.payload);
  return payloads;
}

const note = (payload: string) => ({ name: "note", payload });

Deno.test("WorkflowContext.startEvents is 1 when nothing came with the start", async () => {
  const { undisturbed } = await crashTest((ctx: WorkflowContext) => Promise.resolve(ctx.startEvents));
  assertEquals(undisturbed.result, 1);
});

Deno.test("WorkflowContext.startEvents counts the signals that were sent with the start, and no later ones", async () => {
  await using executor = new TestExecutor();
  const handle = await executor.execute(async (ctx: WorkflowContext) => {
    const payloads = await started(ctx);
    await ctx.waitForSignal("note");
    return [ctx.startEvents, payloads];
  }, { signals: [note("a"), note("b")] });
  await handle.signal("note", "late");
  assertEquals(await handle.result(), [3, ["a", "b"]]);
});

Deno.test("WorkflowContext.startEvents counts what the run before has not seen", async () => {
  const { undisturbed } = await crashTest(async (ctx: WorkflowContext<number>, round: number): Promise<unknown> => {
    const payloads = await started(ctx);
    if (round > 0) return [ctx.startEvents, payloads];
    await ctx.sleep(10);
    return await ctx.continueAsNew(1);
  }, { input: 0, signals: [{ atMs: 5, ...note("a") }, { atMs: 6, ...note("b") }] });
  assertEquals(undisturbed.result, [3, ["a", "b"]]);
});

Deno.test("fork() gives a fork the startEvents of what it keeps", async () => {
  await using executor = new TestExecutor({ workflows: { started } });
  const handle = await executor.execute(started, { id: "a", signals: [note("a"), note("b")] });
  await handle.result();
  const source = (await executor.store.load("a"))!;
  for (const [after, payloads] of [[1, []], [2, ["a"]], [3, ["a", "b"]]] as const) {
    const { batch } = fork(source, { after, id: `fork ${after}` });
    await executor.store.append(batch);
    await executor.recover();
    assertEquals(await (await executor.handle(`fork ${after}`)).result(), payloads);
  }
});
