/**
 * The workflows that the tests of the command line run, query and replay.
 *
 * @module
 */

import type { WorkflowContext } from "@rockpool/workflow";

const charge = (cents: number): string => {
  if (cents > 900) throw new RangeError(`Declined: ${cents}`);
  return `charged ${cents}`;
};

/** Charges, and waits for the approval. */
export async function order(ctx: WorkflowContext, { cents }: { readonly cents: number }): Promise<unknown> {
  let step = "new";
  ctx.handleQuery("step", (prefix = "") => `${prefix}${step}`);
  ctx.handleUpdate("address", (address: string) => `sent to ${address}`);
  ctx.patched("new-tax");
  const paid = await ctx.executeActivity(charge, cents);
  step = "charged";
  const by = await ctx.waitForSignal<string>("approval", { timeoutMs: 7 * 86_400_000 });
  step = "approved";
  return { paid, by };
}
