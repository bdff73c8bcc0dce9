/** The workflows of `client.ts`. */

import { activity, type WorkflowContext } from "../../mod.ts";
import { restateServices } from "../../engines/restate.ts";
import { type Anything, append } from "./workers.ts";

let path = "";
const note = activity((line: string) => append(path, line), { name: "note" });

class Refused extends Error {
  override name = "Refused";
  code = 7;
}

export const workflows = {
  async child(ctx: WorkflowContext, ms: number) {
    try {
      await ctx.sleep(ms);
    } catch (error) {
      await ctx.shield((ctx) => ctx.executeActivity(note, `${ctx.workflowId} cancelled`));
      throw error;
    }
    return ctx.parent?.workflowId ?? "no parent";
  },
  async parent(ctx: WorkflowContext, mode: string) {
    if (mode === "abandon") {
      ctx.startChild(workflows.child, 5, { id: `${ctx.workflowId}-child`, parentClosePolicy: "abandon" });
      return "gone";
    }
    if (mode === "hurry") {
      ctx.startChild(workflows.child, 60_000, { id: `${ctx.workflowId}-child` });
      return await ctx.sideEffect(() => "left while the child was being started");
    }
    if (mode === "result") return await ctx.executeChild(workflows.child, 5, { id: `${ctx.workflowId}-child` });
    const child = ctx.startChild(workflows.child, 60_000, { id: `${ctx.workflowId}-child` });
    await child.started;
    if (mode === "leave") return "left";
    if (mode === "signal") {
      const other = ctx.startChild(workflows.approval, undefined, { id: `${ctx.workflowId}-other` });
      await other.signal("approve", "bob");
      await child.cancel("enough");
      const ended = await child.result().catch((error: Error) => error.name);
      return [await other.result(), ended];
    }
    return await ctx.scope(async (ctx) => {
      const inner = ctx.startChild(workflows.child, 60_000, { id: `${ctx.workflowId}-inner` });
      await inner.started;
      ctx.cancel("no");
      return await inner.result().catch((error: Error) => error.name);
    }, { waitForCanceled: true });
  },
  becomes: (ctx: WorkflowContext): Promise<unknown> => ctx.continueAsNew(1, { workflow: workflows.child }),
  async fails(ctx: WorkflowContext) {
    await ctx.executeActivity(function refuse() {
      throw new Refused("not today", { cause: new RangeError("why") });
    });
  },
  async counter(ctx: WorkflowContext<number>, n: number): Promise<string> {
    const got: string[] = [];
    while (true) {
      const next = ctx.takeSignal<string>("line");
      if (next === undefined) break;
      got.push(next.payload);
    }
    if (n < 3) {
      await ctx.executeActivity(note, `${ctx.workflowId} run ${n}`);
      await ctx.continueAsNew(n + 1);
    }
    return await ctx.waitForSignal<string>("line");
  },
  async races(ctx: WorkflowContext, n: number) {
    const order: number[] = [];
    await Promise.all(Array.from({ length: n }, async (_, i) => {
      await ctx.executeActivity(() => new Promise((done) => setTimeout(done, Math.random() * 20)), undefined, {
        name: `a${i}`,
      });
      order.push(i);
    }));
    await ctx.sleep(10);
    const kept = await ctx.executeActivity((order: readonly number[]) => order, order);
    return JSON.stringify(kept) === JSON.stringify(order);
  },
  async approval(ctx: WorkflowContext) {
    let state = "waits";
    ctx.handleQuery("state", () => state);
    ctx.handleUpdate("add", (n: number) => (state += `+${n}`));
    const who = await ctx.waitForSignal<string>("approve");
    state = "approved";
    return who;
  },
};

export function services(sdk: Anything, arg: string): Anything[] {
  path = arg;
  return restateServices(sdk, { workflows });
}
