/**
 * Random workflows with scopes, shields, branches, deadlines, cancellations, compensations and children, whose activities take
 * time, fail, and ignore their signals.
 *
 * No two branches continue at the same time, and no activity is issued in the turn in which its scope may end: a branch sleeps
 * for a time of its own before it does anything. So the outcome and the history follow from the steps, with deaths or without.
 *
 * @module
 */

import type {
  ActivityContext,
  ParentClosePolicy,
  ScopeContext,
  ScopeOptions,
  WorkflowContext,
} from "@rockpool/workflow";
import type { Scene, Sent, World } from "./scenes.ts";

/** A step of a workflow. Times are in milliseconds. */
export type ScopeStep =
  | {
    readonly do: "work";
    readonly ms: number;
    readonly ignores: boolean;
    readonly fails: boolean;
    readonly retry: boolean;
  }
  | { readonly do: "sleep"; readonly ms: number }
  | { readonly do: "signal"; readonly name: string; readonly timeoutMs: number | undefined; readonly gapMs: number }
  | { readonly do: "handle"; readonly name: string; readonly ms: number }
  | { readonly do: "compensation"; readonly ms: number; readonly fails: boolean }
  | { readonly do: "fail" }
  | {
    readonly do: "scope" | "shield" | "spawn";
    readonly gapMs: number;
    readonly options: ScopeOptions;
    readonly cancelAfterMs: number | undefined;
    readonly swallows: boolean;
    readonly steps: readonly ScopeStep[];
  }
  | { readonly do: "all" | "race"; readonly gaps: readonly number[]; readonly steps: readonly ScopeStep[] }
  | { readonly do: "child"; readonly policy: ParentClosePolicy; readonly steps: readonly ScopeStep[] };

/** Makes random steps. */
export function randomScopeSteps(random: () => number, depth = 0): ScopeStep[] {
  const integer = (below: number) => Math.floor(random() * below);
  const ms = (below: number) => random() * below;
  const maybe = <T>(chance: number, make: () => T) => random() < chance ? make() : undefined;
  const list = <T>(most: number, make: () => T) => Array.from({ length: 1 + integer(most) }, make);
  const steps = () => randomScopeSteps(random, depth + 1);
  const scope = (kind: "scope" | "shield" | "spawn"): ScopeStep => ({
    do: kind,
    gapMs: ms(50),
    options: {
      timeoutMs: maybe(0.4, () => ms(150)),
      waitForCanceled: maybe(0.4, () => random() < 0.7),
    },
    cancelAfterMs: maybe(0.3, () => ms(100)),
    swallows: random() < 0.6,
    steps: steps(),
  });
  const leaf = (): ScopeStep => {
    const roll = random();
    if (roll < 0.4) {
      return { do: "work", ms: ms(120), ignores: random() < 0.5, fails: random() < 0.2, retry: random() < 0.5 };
    }
    if (roll < 0.55) return { do: "sleep", ms: ms(100) };
    if (roll < 0.65) return { do: "signal", name: random() < 0.5 ? "s" : "t", timeoutMs: ms(150), gapMs: ms(20) };
    if (roll < 0.72) return { do: "handle", name: random() < 0.5 ? "s" : "t", ms: ms(60) };
    if (roll < 0.93) return { do: "compensation", ms: ms(40), fails: random() < 0.15 };
    return { do: "fail" };
  };
  const step = (): ScopeStep => {
    const roll = random();
    if (depth > 3 || roll < 0.4) return leaf();
    if (roll < 0.62) return scope("scope");
    if (roll < 0.7) return scope("shield");
    if (roll < 0.8) return scope("spawn");
    if (roll < 0.86 && depth < 3) {
      return { do: "child", policy: (["cancel", "terminate", "abandon"] as const)[integer(3)], steps: steps() };
    }
    const branches = list(3, step);
    return { do: random() < 0.5 ? "all" : "race", gaps: branches.map(() => ms(60)), steps: branches };
  };
  return list(depth === 0 ? 5 : 3, step);
}

/** Makes random signals, and sometimes a cancellation. */
export function randomSent(random: () => number): Sent[] {
  const sent: Sent[] = Array.from({ length: Math.floor(random() * 6) }, (_, payload) => {
    return { at: random() * 300, signal: random() < 0.5 ? "s" : "t", payload };
  });
  if (random() < 0.3) sent.push({ at: random() * 300, cancel: "random" });
  return sent;
}

/** The code of the random workflows. Their children run the same code. */
export function randomScopeScene(
  steps: readonly ScopeStep[],
  { sent, timeoutMs }: { readonly sent: readonly Sent[]; readonly timeoutMs: number | undefined },
): (world: World) => Scene {
  return (world) => {
    async function work(
      { at, ignores, fails }: { at: number; ignores: boolean; fails: boolean },
      context: ActivityContext,
    ): Promise<string> {
      return await world.work("work", { at, ignores, fails: fails && context.attempt < 3 })(undefined, context);
    }

    async function program(ctx: WorkflowContext<never>, input: readonly ScopeStep[]): Promise<string[]> {
      const trace: string[] = [];
      const note = (text: string) => void trace.push(`${ctx.now()} ${text}`);
      let children = 0;

      const run = async (ctx: WorkflowContext, step: ScopeStep, path: string): Promise<void> => {
        switch (step.do) {
          case "work": {
            const { ms, ignores, fails } = step;
            const retry = step.retry ? { initialIntervalMs: 10 + ms / 7 } : undefined;
            const input = { at: ctx.now() + ms, ignores, fails };
            return note(`${path} ${await ctx.executeActivity(work, input, { retry })}`);
          }
          case "sleep":
            await ctx.sleep(step.ms);
            return note(`${path} slept ${ctx.parent ? "in a child" : ctx.random()}`); // the ID of a child's run is random
          case "signal": {
            const { name, timeoutMs, gapMs } = step;
            const got = await ctx.waitForSignal(name, { timeoutMs }).catch((error) => error.name);
            await ctx.sleep(gapMs);
            return note(`${path} got ${got}`);
          }
          case "handle":
            return ctx.handleSignal(step.name, async (n) => {
              await ctx.sleep(step.ms);
              note(`${path} handled ${n}`);
            });
          case "compensation": {
            const { ms, fails } = step;
            return ctx.addCompensation(async (ctx) => {
              await ctx.sleep(ms);
              await ctx.executeActivity(work, { at: ctx.now() + ms, ignores: true, fails: false });
              note(`${path} undone`);
              if (fails) throw new RangeError(`${path} stuck`);
            }, { name: path });
          }
          case "fail":
            throw new RangeError(`${path} failed`);
          case "scope":
          case "shield":
          case "spawn": {
            const { gapMs, options, cancelAfterMs, swallows } = step;
            const body = async (ctx: ScopeContext) => {
              if (cancelAfterMs !== undefined) {
                ctx.spawn((inner) => inner.sleep(cancelAfterMs).then(() => ctx.cancel(path)));
              }
              await ctx.sleep(gapMs);
              await all(ctx, step.steps, path);
              note(`${path} body ends`);
            };
            if (step.do === "spawn") {
              return ctx.spawn((ctx) =>
                body(ctx).catch((error) => {
                  if (!swallows) throw error;
                  note(`${path} swallowed ${error}`);
                }), options);
            }
            try {
              await ctx[step.do](body, options);
            } catch (error) {
              note(`${path} rejected with ${error}`);
              if (!swallows) throw error;
            }
            return note(`${path} ended`);
          }
          case "all":
          case "race": {
            const branches = step.steps.map(async (one, i) => {
              await ctx.sleep(step.gaps[i]);
              await run(ctx, one, `${path}.${i}`);
            });
            for (const branch of branches) branch.catch(() => {});
            await (step.do === "all" ? Promise.all(branches) : Promise.race(branches));
            return note(`${path} ${step.do}`);
          }
          case "child": {
            const id = `child ${path} ${children++} of ${ctx.workflowId}`;
            const end = await ctx.executeChild(program, step.steps, { id, parentClosePolicy: step.policy })
              .catch(({ name }) => name);
            return note(`${path} child ${Array.isArray(end) ? "completed" : end}`);
          }
        }
      };
      const all = async (ctx: WorkflowContext, steps: readonly ScopeStep[], path: string) => {
        for (const [i, step] of steps.entries()) await run(ctx, step, `${path}.${i}`);
      };
      await all(ctx, input, "");
      return trace.sort(); // activities that are cancelled together end in any order
    }
    return {
      workflow: (ctx: WorkflowContext) => program(ctx, steps),
      workflows: { program },
      sent,
      timeoutMs,
    };
  };
}
