/**
 * Random workflows that use everything that the context offers.
 *
 * No two branches continue at the same time: a branch that continues together with others sleeps for a time of its own before
 * it calls an activity. So the result follows from the steps and the deliveries, with restarts or without.
 *
 * @module
 */

import { type ActivityContext, TimeoutError, type WorkflowContext } from "@rockpool/workflow";
import { type Delivery, noting } from "./restarts.ts";
import { settle } from "./executors.ts";

/** A step of a workflow. `gapMs` is how long it sleeps after a wait that can end together with others. */
export type Step =
  | {
    readonly do: "activity";
    readonly failures: number;
    readonly slow: boolean;
    readonly timeoutMs: number | undefined;
  }
  | { readonly do: "sleep"; readonly ms: number }
  | { readonly do: "signal"; readonly name: string; readonly timeoutMs: number | undefined; readonly gapMs: number }
  | { readonly do: "next"; readonly ms: number; readonly gapMs: number }
  | { readonly do: "until"; readonly length: number; readonly timeoutMs: number | undefined; readonly gapMs: number }
  | { readonly do: "effect"; readonly fails: boolean }
  | { readonly do: "compensation"; readonly fails: boolean; readonly ms: number }
  | { readonly do: "patched"; readonly id: string; readonly steps: readonly [was: Step, is: Step] }
  | { readonly do: "map"; readonly limit: number; readonly items: readonly number[] }
  | { readonly do: "shield"; readonly gapMs: number; readonly steps: readonly Step[] }
  | { readonly do: "repeat"; readonly times: number; readonly steps: readonly Step[] }
  | { readonly do: "sequence"; readonly steps: readonly Step[] }
  | { readonly do: "all" | "race"; readonly gaps: readonly number[]; readonly steps: readonly Step[] }
  | { readonly do: "fail" };

/** Draws from a weighted list. */
function draw<T>(random: () => number, weights: readonly (readonly [number, () => T])[]): T {
  let left = random() * weights.reduce((sum, [weight]) => sum + weight, 0);
  for (const [weight, make] of weights) if ((left -= weight) < 0) return make();
  return weights[0][1]();
}

/**
 * Makes a random step.
 *
 * @param endless Whether it may wait without a timeout. In a shield it may not, because a cancellation does not end it.
 */
export function randomStep(random: () => number, depth = 0, endless = true): Step {
  const integer = (below: number) => Math.floor(random() * below);
  const ms = (below: number) => random() * below;
  const list = <T>(most: number, make: () => T) => Array.from({ length: 1 + integer(most) }, make);
  const step = () => randomStep(random, depth + 1, endless);
  const deadline = (below: number) => !endless || random() < 0.7 ? ms(below) : undefined;
  const branches = (): Step => {
    const steps = list(4, step);
    return { do: random() < 0.5 ? "all" : "race", gaps: steps.map(() => ms(200)), steps };
  };
  const deep = depth > 2 ? 0 : 1;
  return draw<Step>(random, [
    [
      30,
      () => {
        const timeoutMs = random() < 0.2 ? 1 + ms(500) : undefined;
        return { do: "activity", failures: integer(4), slow: random() < 0.05, timeoutMs };
      },
    ],
    [12, () => ({ do: "sleep", ms: ms(500) })],
    [6, () => ({ do: "signal", name: random() < 0.5 ? "s" : "t", timeoutMs: deadline(400), gapMs: ms(50) })],
    [4, () => ({ do: "next", ms: ms(400), gapMs: ms(50) })],
    [4, () => ({ do: "until", length: integer(12), timeoutMs: deadline(400), gapMs: ms(50) })],
    [5, () => ({ do: "effect", fails: random() < 0.2 })],
    [6, () => ({ do: "compensation", fails: random() < 0.3, ms: ms(200) })],
    [1, () => ({ do: "fail" })],
    [6 * deep, () => ({ do: "patched", id: `change-${integer(3)}`, steps: [step(), step()] })],
    [4 * deep, () => ({ do: "map", limit: 1 + integer(3), items: list(5, () => ms(200)) })],
    [4 * deep, () => ({ do: "shield", gapMs: ms(50), steps: [randomStep(random, depth + 1, false)] })],
    [4 * deep, () => ({ do: "repeat", times: 1 + integer(3), steps: [step()] })],
    [16 * deep, () => ({ do: "sequence", steps: list(4, step) })],
    [20 * deep, branches],
  ]);
}

/** Makes random deliveries to a random workflow. */
export function randomDeliveries(random: () => number): Delivery[] {
  const deliveries: Delivery[] = Array.from({ length: Math.floor(random() * 6) }, (_, payload) => {
    return { at: random() * 1200, signal: random() < 0.5 ? "s" : "t", payload };
  });
  if (random() < 0.15) deliveries.push({ at: random() * 1500, cancel: "random" });
  return deliveries;
}

/**
 * The code of the random workflows.
 *
 * @param calls Collects the calls of activities.
 * @param version The version of the code: 1 before the changes of the steps `patched`, 2 after them.
 */
export function randomProgram(calls: string[], version: 1 | 2 = 2) {
  const work = noting(calls)("work", async (step: { failures: number; slow: boolean }, context: ActivityContext) => {
    if (step.slow) await settle();
    if (context.attempt <= step.failures) throw new RangeError(`attempt ${context.attempt}`);
    return context.attempt;
  });

  return async function program(ctx: WorkflowContext, root: Step): Promise<unknown[]> {
    const trace: unknown[] = [];
    const note = (text: string) => void trace.push(`${text} at ${ctx.now()}`);
    const signals = ctx.receiveSignal<number>("s")[Symbol.asyncIterator]();
    const unlessLate = (error: unknown) => {
      if (error instanceof TimeoutError && error.message.includes("did not come")) return "nothing";
      throw error;
    };
    const run = async (step: Step, path: string): Promise<void> => {
      switch (step.do) {
        case "activity":
          try {
            const { failures, slow, timeoutMs: totalTimeoutMs } = step;
            const options = { retry: { maxAttempts: 3 }, totalTimeoutMs };
            const attempts = await ctx.executeActivity(work, { failures, slow }, options);
            return note(`${path} took ${attempts} ${ctx.random()}`);
          } catch (error) {
            return note(`${path} failed: ${error}`);
          }
        case "sleep":
          await ctx.sleep(step.ms);
          return note(`${path} slept ${ctx.uuid()}`);
        case "signal": {
          const { name, timeoutMs, gapMs } = step;
          note(`${path} got ${await ctx.waitForSignal(name, { timeoutMs }).catch(unlessLate)}`);
          return await ctx.sleep(gapMs);
        }
        case "next": {
          const next = await Promise.race([signals.next(), ctx.sleep(step.ms)]);
          note(`${path} got next ${next && next.value}`);
          return await ctx.sleep(step.gapMs);
        }
        case "until": {
          const { length, timeoutMs, gapMs } = step;
          await ctx.waitUntil(() => trace.length >= length, { timeoutMs }).catch(unlessLate);
          await ctx.sleep(gapMs);
          return note(`${path} goes on`);
        }
        case "effect": {
          const effect = ctx.sideEffect(() => {
            if (step.fails) throw new RangeError(`effect of ${path}`);
            return `effect of ${path}`;
          });
          return note(`${path} had ${await effect.catch((error) => error)}`);
        }
        case "compensation":
          return ctx.addCompensation(async () => {
            await ctx.executeActivity(work, { failures: step.fails ? 1 : 0, slow: false });
            await ctx.sleep(step.ms);
          }, { name: path });
        case "patched":
          return await run(step.steps[version > 1 && ctx.patched(step.id) ? 1 : 0], `${path}.p`);
        case "map": {
          const squares = await ctx.mapConcurrent(step.items, step.limit, async (ms, index) => {
            await ctx.sleep(ms);
            return await ctx.executeActivity(work, { failures: ms < 3 ? 1 : 0, slow: false }) + index;
          });
          return note(`${path} mapped ${squares}`);
        }
        case "shield":
          return await ctx.shield(async (ctx) => {
            await ctx.sleep(step.gapMs);
            await run(step.steps[0], `${path}.s`);
          });
        case "repeat":
          for (let i = 0; i < step.times; i++) await run(step.steps[0], `${path}.${i}`);
          return;
        case "sequence":
          for (const [i, one] of step.steps.entries()) await run(one, `${path}.${i}`);
          return;
        case "fail":
          throw new RangeError(`${path} failed the workflow`);
        default: {
          const branches = step.steps.map(async (one, i) => {
            await ctx.sleep(step.gaps[i]);
            await run(one, `${path}.${i}`);
          });
          await (step.do === "all" ? Promise.all(branches) : Promise.race(branches));
          return note(`${path} ${step.do}`);
        }
      }
    };
    await run(root, "");
    await signals.return!();
    return trace;
  };
}
