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
  type WorkflowContext,
} from "@rockpool/workflow";
import { randomProgram, randomStep, type Step } from "./random_workflow.ts";

/** One thing that a workflow does. It does its parts one after the other. */
export type Part =
  | { readonly do: "step"; readonly step: Step }
  | { readonly do: "renew" }
  | { readonly do: "both"; readonly parts: readonly [Part, Part] }
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
  const part = (nested: boolean): Part => {
    const roll = random();
    if (roll < 0.4 && depth < 2) return child();
    if (roll < 0.55 && !nested) return { do: "renew" };
    if (roll < 0.7 && !nested) return { do: "both", parts: [part(true), part(true)] };
    return { do: "step", step: { do: "sequence", steps: [randomStep(random, 1)] } };
  };
  return { parts: Array.from({ length: 1 + integer(5) }, () => part(false)), runNumber: 0, got: [] };
}

/** The code of the random workflows. Their children run the same code. */
export function randomEntityProgram(calls: string[] = []) {
  const program = randomProgram(calls);
  const count = (n: number, { idempotencyKey }: ActivityContext) => {
    calls.push(idempotencyKey);
    if (n % 5 === 0) throw new RangeError(`${n} cannot be taken`);
  };

  return async function entity(
    ctx: WorkflowContext<EntityInput>,
    { parts, runNumber, got }: EntityInput,
  ): Promise<string> {
    const list = [...got];
    let taken = 0;
    ctx.handleQuery(gotten, () => list);
    ctx.handleUpdate(take, async (n) => {
      const answer = `${n} taken by ${runNumber} as ${taken++}`;
      if (n % 2 === 0) await ctx.sleep(n);
      await ctx.executeActivity(count, n);
      return answer;
    });
    const listen = async () => {
      for await (const n of ctx.receiveSignal<number>("n")) list.push(n);
    };
    listen().catch(() => {}); // the run was canceled

    const run = async (part: Part): Promise<void> => {
      switch (part.do) {
        case "step":
          return void await program(ctx, part.step);
        case "both":
          return void await Promise.all(part.parts.map(run));
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
    for (const [i, part] of parts.entries()) {
      if (part.do !== "renew") await run(part);
      else return await ctx.continueAsNew({ parts: parts.slice(i + 1), runNumber: runNumber + 1, got: list });
    }
    return `done by ${runNumber}`;
  };
}
