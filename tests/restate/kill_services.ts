/**
 * Workflows whose steps leave lines in a file. A line is `ID STEP TOKEN`; the step returns its token, and the workflow returns the tokens of
 * all of its steps.
 *
 * @module
 */

import { activity, type WorkflowContext } from "@rockpool/workflow";
import { restateServices } from "@rockpool/workflow/restate";
import { type Anything, append } from "./workers.ts";

let path = "";

/** Leaves a line, and returns its token after a while. */
const step = activity(async ({ name, ms = 0 }: { name: string; ms?: number }, { workflowId }) => {
  const token = crypto.randomUUID();
  append(path, `${workflowId} ${name} ${token}`);
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
  return token;
}, { name: "step" });

/** Steps with a pause after each. */
async function chain(ctx: WorkflowContext, { steps, pauseMs }: { steps: number; pauseMs: number }): Promise<string[]> {
  const tokens: string[] = [];
  for (let i = 0; i < steps; i++) {
    tokens.push(await ctx.executeActivity(step, { name: `${i}` }));
    await ctx.sleep(pauseMs);
  }
  return tokens;
}

/** A step that takes a while, between two others. */
async function slow(ctx: WorkflowContext, ms: number): Promise<string[]> {
  return [
    await ctx.executeActivity(step, { name: "0" }),
    await ctx.executeActivity(step, { name: "1", ms }),
    await ctx.executeActivity(step, { name: "2" }),
  ];
}

/**
 * Two steps race with a timer. The winner is the input of a step, and so it is in the file: a replay that sees another one gives
 * another input. Then the losers are awaited: their order is that of the file as well.
 */
async function race(ctx: WorkflowContext, ms: number): Promise<string[]> {
  const order: string[] = [];
  const one = async (name: string, wait: Promise<unknown>) => (await wait, order.push(name), name);
  const all = [
    one("a", ctx.executeActivity(step, { name: "0a", ms })),
    one("b", ctx.executeActivity(step, { name: "0b", ms })),
    one("timer", ctx.sleep(ms)),
  ];
  const winner = await Promise.race(all);
  await ctx.executeActivity(step, { name: `1 ${winner}` });
  await Promise.all(all);
  await ctx.executeActivity(step, { name: `2 ${order.join()}` });
  await ctx.sleep(10);
  await ctx.executeActivity(step, { name: `3 ${winner} ${order.join()}` });
  return [winner, order.join()];
}

export const workflows = { chain, slow, race };

/** @param journal The path of the file. */
export function services(sdk: Anything, journal: string): Anything[] {
  path = journal;
  return restateServices(sdk, { workflows });
}
