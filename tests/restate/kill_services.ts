/**
 * Workflows whose steps leave lines in a file. A line is `ID STEP TOKEN`; the step returns its token, and the workflow returns the tokens of
 * all of its steps.
 *
 * @module
 */

import { activity, type WorkflowContext } from "@rockpool/workflow";
import { restateServices } from "@rockpool/workflow/restate";
import { type Anything, append, hasLine, until } from "./workers.ts";

let path = "";

/** Leaves a line, and returns its token: after a while, or when the test has left a line. */
const step = activity(async ({ name, ms }: { name: string; ms?: number | "until killed" }, { workflowId }) => {
  const token = crypto.randomUUID();
  append(path, `${workflowId} ${name} ${token}`);
  if (ms === "until killed") await until("somebody was killed", () => hasLine(path, KILLED));
  else if (ms !== undefined) await new Promise((resolve) => setTimeout(resolve, ms));
  return token;
}, { name: "step" });

/** The line of a test that has killed somebody. */
export const KILLED = "killed";

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
async function slow(ctx: WorkflowContext): Promise<string[]> {
  return [
    await ctx.executeActivity(step, { name: "0" }),
    await ctx.executeActivity(step, { name: "1", ms: "until killed" }),
    await ctx.executeActivity(step, { name: "2" }),
  ];
}

/**
 * Two steps race with a timer. The winner is the input of a step, and so it is in the file: a replay that sees another one gives
 * another input. Then the losers are awaited: their order is that of the file as well.
 *
 * @param kill Whether somebody is killed in the race: then the two steps end after that.
 */
async function race(ctx: WorkflowContext, kill: "in" | "after"): Promise<string[]> {
  const timerMs = kill === "in" ? 700 : 200;
  const ms = kill === "in" ? "until killed" : timerMs;
  const order: string[] = [];
  const one = async (name: string, wait: Promise<unknown>) => (await wait, order.push(name), name);
  const all = [
    one("a", ctx.executeActivity(step, { name: "0a", ms })),
    one("b", ctx.executeActivity(step, { name: "0b", ms })),
    one("timer", ctx.sleep(timerMs)),
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
