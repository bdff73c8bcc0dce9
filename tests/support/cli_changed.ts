/**
 * The workflow `order` of `cli_workflows.ts` after changes that break runs which are in flight, or change what they pass.
 *
 * @module
 */

import type { WorkflowContext } from "@rockpool/workflow";

const reserve = () => "reserved";
const charge = (cents: number): string => `charged ${cents}`;

/** By name: how it was changed. */
export const changes: Readonly<
  Record<string, (ctx: WorkflowContext, input: { readonly cents: number }) => Promise<unknown>>
> = {
  async inserted(ctx, { cents }) {
    ctx.patched("new-tax");
    await ctx.executeActivity(reserve);
    const paid = await ctx.executeActivity(charge, cents);
    return { paid, by: await ctx.waitForSignal("approval", { timeoutMs: 7 * 86_400_000 }) };
  },
  async argument(ctx, { cents }) {
    ctx.patched("new-tax");
    const paid = await ctx.executeActivity(charge, cents + 1);
    return { paid, by: await ctx.waitForSignal("approval", { timeoutMs: 7 * 86_400_000 }) };
  },
};
