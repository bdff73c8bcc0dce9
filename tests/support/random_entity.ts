/**
 * Random workflows that interact: they answer updates, start children, continue as new, and collect the signals of all their
 * runs. Between these they run steps of a random program.
 *
 * @module
 */

import {
  type ActivityContext,
  defineQuery,
  defineUpdate,
  type ParentClosePolicy,
  type ScopeContext,
  type ScopeOptions,
  type WorkflowContext,
} from "@rockpool/workflow";
import type { Fakes } from "./fakes.ts";
import { randomProgram, randomStep, root, type Step } from "./random_workflow.ts";

/** One thing that a workflow does. It does its parts one after the other. */
export type Part =
  | { readonly do: "step"; readonly step: Step }
  | { readonly do: "renew" }
  | { readonly do: "both"; readonly parts: readonly [Part, Part] }
  | { readonly do: "scope" | "shield" | "branch"; readonly options: ScopeOptions; readonly parts: readonly Part[] }
  | {
    readonly do: "child";
    readonly input: EntityInput;
    readonly policy: ParentClosePolicy;
    readonly timeoutMs: number;
    readonly then: "wait" | "leave" | "cancel" | "signal";
    readonly ms: number;
  };

/** The input of a run, and of the runs that continue it. */
export interface EntityInput {
  readonly parts: readonly Part[];
  /** The number of the run in its chain, counted from 0. */
  readonly runNumber: number;
  /** The payloads of the signals `n` so far, in order. */
  readonly got: readonly number[];
}

/** Returns the payloads of the signals `n` so far. */
export const gotten = defineQuery<readonly number[]>("got");

/** Returns the number of the run that handled the update, and how many it had handled before. Refuses 0; multiples of 5 fail. */
export const take = defineUpdate<string, number>("take", {
  validate(n) {
    if (n === 0) throw new TypeError("0 is nothing");
  },
});

/** Makes a random input. */
export function randomEntity(random: () => number, depth = 0): EntityInput {
  const integer = (below: number) => Math.floor(random() * below);
  const child = (): Part => ({
    do: "child",
    input: randomEntity(random, depth + 1),
    policy: (["cancel", "terminate", "abandon"] as const)[integer(3)],
    timeoutMs: 1 + random() * 3000,
    then: (["wait", "leave", "cancel", "signal"] as const)[integer(4)],
    ms: random() * 300,
  });
  const part = (nesting = 0, endless = true): Part => {
    const roll = random();
    const parts = (inShield = false) =>
      Array.from({ length: 1 + integer(2) }, () => part(nesting + 1, endless && !inShield));
    if (roll < 0.3 && depth < 2) return child();
    if (roll < 0.45 && nesting < 2) return { do: "renew" };
    if (roll < 0.55 && nesting < 1) {
      return { do: "both", parts: [part(nesting + 1, endless), part(nesting + 1, endless)] };
    }
    if (roll < 0.75 && nesting < 2) {
      const timeoutMs = random() < 0.4 ? random() * 600 : undefined;
      const options = { timeoutMs, waitForCanceled: random() < 0.3 };
      const kind = (["scope", "scope", "shield", "branch"] as const)[integer(4)];
      return { do: kind, options, parts: parts(kind === "shield") };
    }
    return { do: "step", step: { do: "sequence", steps: [randomStep(random, { ...root, depth: 2, endless })] } };
  };
  return { parts: Array.from({ length: 1 + integer(5) }, () => part()), runNumber: 0, got: [] };
}

/** The code of the random workflows. Their children run the same code. */
export function randomEntityProgram(fakes: Fakes) {
  const program = randomProgram(fakes);
  const count = (n: number, { idempotencyKey }: ActivityContext) => {
    fakes.calls.push(idempotencyKey);
    if (n % 5 === 0) throw new RangeError(`${n} cannot be taken`);
  };

  return async function entity(
    ctx: WorkflowContext<EntityInput>,
    { parts, runNumber, got }: EntityInput,
  ): Promise<string> {
    const list = [...got];
    let taken = 0;
    let programs = 0;
    ctx.handleQuery(gotten, () => list);
    ctx.handleUpdate(take, async (n) => {
      const answer = `${n} taken by ${runNumber} as ${taken++}`;
      if (n % 2 === 0) await ctx.sleep(n);
      await ctx.executeActivity(count, n);
      return answer;
    });
    ctx.handleSignal<number>("n", (n) => void list.push(n));

    const run = async (ctx: WorkflowContext<EntityInput>, part: Part, rest: readonly Part[]): Promise<void> => {
      switch (part.do) {
        case "step":
          return void await program(ctx, part.step, `${programs++}`);
        case "both":
          return void await Promise.all(part.parts.map((one) => run(ctx, one, rest)));
        case "renew":
          return await ctx.continueAsNew({ parts: rest, runNumber: runNumber + 1, got: list });
        case "scope":
        case "shield":
        case "branch": {
          const body = async (own: ScopeContext<EntityInput>) => {
            for (const one of part.parts) await run(own, one, rest);
          };
          if (part.do === "branch") return ctx.spawn(body, part.options);
          return await ctx[part.do](body, part.options).catch((error) => {
            if (ctx.signal.aborted) throw error;
          });
        }
        case "child": {
          const { input, policy: parentClosePolicy, timeoutMs, then, ms } = part;
          const child = ctx.startChild(entity, input, { parentClosePolicy, timeoutMs });
          if (then === "leave") return;
          if (then === "wait") return void await child.result().catch(() => {});
          await ctx.sleep(ms);
          const reached = then === "cancel" ? child.cancel("enough") : child.signal("n", Math.floor(1000 + ms));
          return await reached.catch(() => {}); // the child has finished
        }
      }
    };
    for (const [i, part] of parts.entries()) await run(ctx, part, parts.slice(i + 1));
    return `done by ${runNumber}`;
  };
}
