/** Scopes that are nested deeper than the stack of the runtime. */

import { assertEquals } from "@std/assert";
import type { ScopeContext, WorkflowContext } from "@rockpool/workflow";
import { macrotasks, setUp } from "../support/executors.ts";
import { harmDuring } from "./outcome.ts";

const DEPTH = 10_000;

/** Opens a scope in a scope, and so on. Returns the contexts; the innermost is the last. */
async function nested(ctx: WorkflowContext): Promise<WorkflowContext[]> {
  const contexts: WorkflowContext[] = [ctx];
  for (let i = 0; i < DEPTH; i++) {
    const outer = contexts[i];
    await new Promise<void>((opened) => {
      void outer.scope(async (ctx: ScopeContext) => {
        contexts.push(ctx);
        opened();
        await ctx.waitForSignal("never");
      });
    });
  }
  return contexts;
}

/** How a workflow with nested scopes ends: the message of its result's error, or its result. */
const ENDS: Record<string, [end: (contexts: WorkflowContext[]) => unknown, expected: string]> = {
  "is cancelled": [(contexts) => contexts[0].waitForSignal("never"), "canceled"],
  "returns": [() => 1, "completed"],
  "throws and has something to undo": [(contexts) => {
    contexts[DEPTH].addCompensation(() => {});
    throw new Error("no");
  }, "failed"],
};

for (const [how, [end, expected]] of Object.entries(ENDS)) {
  Deno.test(`WorkflowContext.scope() in ${DEPTH} scopes ends when the workflow ${how}, and harms nobody`, async () => {
    const { executor } = setUp();
    let contexts: WorkflowContext[] = [];
    const harm = await harmDuring(async () => {
      const handle = await executor.execute(async (ctx: WorkflowContext) => end(contexts = await nested(ctx)), {
        id: "a",
      });
      while (contexts.length === 0) await macrotasks(10);
      if (expected === "canceled") await executor.cancel("a");
      await handle.result().catch(() => {});
      assertEquals(handle.status, expected);
      void contexts[DEPTH].sleep(1); // it is closed, and so are all around it
      assertEquals(await (await executor.execute(() => 1)).result(), 1);
    });
    await executor.close();
    assertEquals(harm, []);
  });
}
