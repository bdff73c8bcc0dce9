/** The workflows of `engine_faults.ts`, as services. */

import type { WorkflowContext } from "../../mod.ts";
import { restateServices } from "../../engines/restate.ts";
import type { Anything } from "./workers.ts";

export const workflows = {
  async errorAsValue(ctx: WorkflowContext) {
    const error = new TypeError("made here");
    await ctx.sleep(5); // the code runs again after it
    return { error, data: { message: "no error", stack: "a pile", parts: { stack: 5 } } };
  },
  async failedActivity(ctx: WorkflowContext) {
    function breaks() {
      throw new TypeError("broken");
    }
    const error: Error = await ctx.executeActivity(breaks).catch((error) => error);
    await ctx.sleep(5);
    throw new Error("outer", { cause: error });
  },
  async answersLater(ctx: WorkflowContext<number>, run: number): Promise<string> {
    if (run > 0) ctx.handleUpdate("ask", (question: string) => `${question} in run ${run}`);
    await ctx.waitForSignal("next");
    if (run < 2) await ctx.continueAsNew(run + 1);
    return "done";
  },
  async draws(ctx: WorkflowContext) {
    const drawn: unknown[] = [];
    ctx.handleQuery("drawn", () => drawn);
    for (let i = 0; i < 3; i++) {
      drawn.push([ctx.random(), ctx.uuid()]);
      await ctx.executeActivity((_: unknown) => {}, drawn);
    }
    return drawn;
  },
  async waits(ctx: WorkflowContext) {
    ctx.handleQuery("id", () => ctx.workflowId);
    await ctx.waitForSignal("go");
  },
  async cleansUp(ctx: WorkflowContext) {
    try {
      await ctx.sleep(30 * 24 * 60 * 60 * 1000);
    } finally {
      await ctx.shield((ctx) => ctx.waitForSignal("go"));
    }
  },
  async naps(ctx: WorkflowContext, times: number): Promise<number> {
    for (let i = 0; i < times; i++) await ctx.sleep(100);
    return times;
  },
  async hasNappingChild(ctx: WorkflowContext): Promise<number> {
    return await ctx.executeChild(workflows.naps, 20);
  },
  async leaves(ctx: WorkflowContext, { policy, again }: { policy?: "cancel" | "terminate"; again: boolean }) {
    if (policy === undefined) return;
    const id = `${ctx.workflowId}-child`;
    await ctx.startChild(workflows.waits, undefined, { id, parentClosePolicy: policy }).started;
    if (again) await ctx.continueAsNew({ again: false } as never);
  },
  async restarts(ctx: WorkflowContext<number>, run: number): Promise<void> {
    ctx.handleUpdate("run", () => run);
    await ctx.continueAsNew(run + 1);
  },
};

export function services(sdk: Anything): Anything[] {
  return restateServices(sdk, { workflows });
}
