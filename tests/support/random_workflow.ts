/**
 * Random workflows that use everything that the context offers.
 *
 * No two branches continue at the same time: a branch that continues together with others sleeps for a time of its own before
 * it calls an activity. So the result follows from the steps and the deliveries, with restarts or without. Where an activity
 * is cancelled, that needs more care: see {@linkcode Place.isExact}.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { type ScopeContext, TimeoutError, type WorkflowContext, type WorkflowState } from "@rockpool/workflow";
import type { Fakes, Read, Work } from "./fakes.ts";
import type { Delivery } from "./restarts.ts";

/** The options of a random scope, shield or branch. */
interface RandomScope {
  readonly timeoutMs: number | undefined;
  readonly waitForCanceled: boolean | undefined;
}

/** A step of a workflow. `gapMs` is how long it sleeps after a wait that can end together with others, or before it begins. */
export type Step =
  | ({ readonly do: "activity"; readonly timeoutMs: number | undefined } & Omit<Work, "path" | "issued">)
  | { readonly do: "sleep"; readonly ms: number }
  | { readonly do: "signal"; readonly name: string; readonly timeoutMs: number | undefined; readonly gapMs: number }
  | { readonly do: "next"; readonly ms: number; readonly gapMs: number }
  | { readonly do: "take"; readonly name: string }
  | { readonly do: "handle"; readonly name: string; readonly gapMs: number; readonly steps: readonly Step[] }
  | { readonly do: "until"; readonly length: number; readonly timeoutMs: number | undefined; readonly gapMs: number }
  | { readonly do: "effect"; readonly fails: boolean }
  | { readonly do: "labels"; readonly name: string; readonly text: string | null }
  | {
    readonly do: "compensation";
    readonly fails: boolean;
    readonly ms: number;
    readonly gapMs: number;
    readonly usesOwn: boolean;
  }
  | { readonly do: "patched"; readonly id: string; readonly steps: readonly [was: Step, is: Step] }
  | { readonly do: "map"; readonly limit: number; readonly items: readonly number[] }
  | {
    readonly do: "scope" | "shield";
    readonly gapMs: number;
    readonly catches: boolean;
    readonly usesOuter: boolean;
    readonly options: RandomScope;
    readonly steps: readonly Step[];
  }
  | {
    readonly do: "spawn" | "float";
    readonly gapMs: number;
    readonly options: RandomScope;
    readonly steps: readonly Step[];
  }
  | { readonly do: "finally"; readonly gapMs: number; readonly steps: readonly [body: Step, cleanup: Step] }
  | { readonly do: "cancel" }
  | { readonly do: "repeat"; readonly times: number; readonly steps: readonly Step[] }
  | { readonly do: "sequence"; readonly steps: readonly Step[] }
  | { readonly do: "all" | "race"; readonly gaps: readonly number[]; readonly steps: readonly Step[] }
  | { readonly do: "fail" };

/** Where a step stands. */
export interface Place {
  readonly depth: number;
  /** Whether it may wait without a timeout. In a shield it may not, because a cancellation does not end it. */
  readonly endless: boolean;
  /** Whether a cancelled activity is waited for at once. */
  readonly waitForCanceled: boolean;
  /**
   * Whether the run is compared with one that is stopped at other places. What an executor knew about a cancelled activity is
   * lost when it stops: when the signal was aborted, whether an attempt had begun, and how it ended. So activities end at
   * different times after a cancellation where they are waited for, and at once where compensations may wait for them.
   */
  readonly isExact: boolean;
}

export const root: Place = { depth: 0, endless: true, waitForCanceled: false, isExact: false };

/** Draws from a weighted list. */
function draw<T>(random: () => number, weights: readonly (readonly [number, () => T])[]): T {
  let left = random() * weights.reduce((sum, [weight]) => sum + weight, 0);
  for (const [weight, make] of weights) if ((left -= weight) < 0) return make();
  return weights[0][1]();
}

/** Makes a random step. */
export function randomStep(random: () => number, place: Place = root): Step {
  const { depth, endless, isExact } = place;
  const integer = (below: number) => Math.floor(random() * below);
  const ms = (below: number) => random() * below;
  const list = <T>(most: number, make: () => T) => Array.from({ length: 1 + integer(most) }, make);
  const step = (changed: Partial<Place> = {}) => randomStep(random, { ...place, depth: depth + 1, ...changed });
  const deadline = (below: number) => !endless || random() < 0.7 ? ms(below) : undefined;
  const signal = () => "stu"[integer(3)];
  const options = (): RandomScope => ({
    timeoutMs: random() < 0.3 ? ms(600) : undefined,
    waitForCanceled: random() < 0.4 ? random() < 0.7 : undefined,
  });
  const inScope = (make: (options: RandomScope, inner: (changed?: Partial<Place>) => Step) => Step): Step => {
    const given = options();
    const { waitForCanceled = place.waitForCanceled } = given;
    return make(given, (changed) => step({ waitForCanceled, ...changed }));
  };
  const branches = (): Step => {
    const steps = list(4, step);
    return { do: random() < 0.5 ? "all" : "race", gaps: steps.map(() => ms(200)), steps };
  };
  const isHeld = isExact && !place.waitForCanceled; // its outcome may be recorded later than it ends
  const deep = depth > 2 ? 0 : 1;
  const oftenDeep = depth > 3 ? 0 : 1;
  return draw<Step>(random, [
    [
      20,
      () => {
        const timeoutMs = random() < 0.2 ? 1 + ms(500) : undefined;
        const failures = isExact && place.waitForCanceled ? 0 : integer(4);
        return { do: "activity", failures, slow: random() < 0.05, timeoutMs };
      },
    ],
    [
      14,
      () => ({
        do: "activity",
        failures: 0,
        timeoutMs: random() < 0.1 && !isHeld ? 1 + ms(500) : undefined,
        takesMs: ms(400),
        onAbort: ([undefined, "throw", "return"] as const)[integer(3)],
        lateMs: isHeld ? 0 : ms(200),
      }),
    ],
    [12, () => ({ do: "sleep", ms: ms(500) })],
    [6, () => ({ do: "signal", name: signal(), timeoutMs: deadline(400), gapMs: ms(50) })],
    [4, () => ({ do: "next", ms: ms(400), gapMs: ms(50) })],
    [2, () => ({ do: "take", name: signal() })],
    [4, () => ({ do: "until", length: integer(12), timeoutMs: deadline(400), gapMs: ms(50) })],
    [5, () => ({ do: "effect", fails: random() < 0.2 })],
    [3, () => ({ do: "labels", name: signal(), text: random() < 0.3 ? null : `${integer(9)}` })],
    [
      8,
      () => ({ do: "compensation", fails: random() < 0.2, ms: ms(200), gapMs: ms(50), usesOwn: random() < 0.5 }),
    ],
    [2, () => ({ do: "fail" })],
    [4, () => ({ do: "cancel" })],
    [4 * deep, () => ({ do: "handle", name: signal(), gapMs: ms(50), steps: [step()] })],
    [6 * deep, () => ({ do: "patched", id: `change-${integer(3)}`, steps: [step(), step()] })],
    [4 * deep, () => ({ do: "map", limit: 1 + integer(3), items: list(5, () => ms(200)) })],
    [
      16 * oftenDeep,
      () =>
        inScope((options, inner) => ({
          do: "scope",
          gapMs: ms(50),
          catches: random() < 0.7,
          usesOuter: random() < 0.1,
          options,
          steps: [inner()],
        })),
    ],
    [
      5 * deep,
      () =>
        inScope((options, inner) => ({
          do: "shield",
          gapMs: ms(50),
          catches: random() < 0.5,
          usesOuter: random() < 0.1,
          options,
          steps: [inner({ endless: false })],
        })),
    ],
    [6 * deep, () => inScope((options, inner) => ({ do: "spawn", gapMs: ms(200), options, steps: [inner()] }))],
    [2 * deep, () => inScope((options, inner) => ({ do: "float", gapMs: ms(200), options, steps: [inner()] }))],
    [5 * deep, () => ({ do: "finally", gapMs: ms(50), steps: [step(), step({ endless: false })] })],
    [4 * deep, () => ({ do: "repeat", times: 1 + integer(3), steps: [step()] })],
    [16 * deep, () => ({ do: "sequence", steps: list(4, step) })],
    [20 * deep, branches],
  ]);
}

/** Makes random deliveries to a random workflow. */
export function randomDeliveries(random: () => number): Delivery[] {
  const times = Array.from({ length: Math.floor(random() * 8) }, () => random() * 1200).sort((a, b) => a - b);
  const deliveries: Delivery[] = times.map((at, payload) => {
    return { at, signal: "stu"[Math.floor(random() * 3)], payload };
  });
  if (random() < 0.25) deliveries.push({ at: random() * 1500, cancel: "random" });
  return deliveries;
}

/**
 * The code of the random workflows.
 *
 * @param fakes The activities.
 * @param version The version of the code: 1 before the changes of the steps `patched`, 2 after them.
 * @returns The workflow function. Its third parameter tells apart the programs that one run executes.
 */
export function randomProgram(fakes: Fakes, version: 1 | 2 = 2) {
  const { work } = fakes;

  return async function program(ctx: WorkflowContext, root: Step, place = ""): Promise<unknown[]> {
    const trace: unknown[] = [];
    const note = (text: string) => void trace.push(`${text} at ${ctx.now()}`);
    const read = (name: string, payload: number, loop?: string) =>
      void fakes.reads.push({ by: trace, name, payload, ...(loop === undefined ? {} : { loop }) });
    let issued = 0;
    const signals = ctx.receiveSignal<number>("s")[Symbol.asyncIterator]();
    const unlessLate = (error: unknown) => {
      if (error instanceof TimeoutError && error.message.includes("did not come")) return undefined;
      throw error;
    };
    /** Runs a step in a context. `scope` is the path of the scope of that context. */
    const run = async (ctx: WorkflowContext, step: Step, path: string, scope: string): Promise<void> => {
      switch (step.do) {
        case "activity":
          try {
            const { do: _, timeoutMs: totalTimeoutMs, ...given } = step;
            const options = { retry: { maxAttempts: 3 }, totalTimeoutMs };
            const attempts = await ctx.executeActivity(work, { path, issued: issued++, ...given }, options);
            return note(`${path} took ${attempts} ${ctx.random()}`);
          } catch (error) {
            return note(`${path} failed: ${error}`);
          }
        case "sleep":
          await ctx.sleep(step.ms);
          return note(`${path} slept ${ctx.uuid()}`);
        case "signal": {
          const { name, timeoutMs, gapMs } = step;
          const got = await ctx.waitForSignal<number>(name, { timeoutMs }).catch(unlessLate);
          if (got !== undefined) read(name, got);
          note(`${path} got ${got}`);
          return await ctx.sleep(gapMs);
        }
        case "next": {
          const next = await Promise.race([signals.next(), ctx.sleep(step.ms)]);
          if (next && !next.done) read("s", next.value, "next");
          note(`${path} got next ${next && next.value}`);
          return await ctx.sleep(step.gapMs);
        }
        case "take": {
          const taken = ctx.takeSignal<number>(step.name);
          if (taken !== undefined) read(step.name, taken.payload);
          return note(`${path} took signal ${taken?.payload}`);
        }
        case "handle":
          return ctx.handleSignal<number>(step.name, async (payload) => {
            read(step.name, payload, path);
            note(`${path} handles ${payload}`);
            await ctx.sleep(step.gapMs);
            await run(ctx, step.steps[0], `${path}.h${payload}`, scope);
          });
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
        case "labels":
          ctx.setLabels({ [step.name]: step.text });
          return note(`${path} has labels ${JSON.stringify(ctx.labels)}`);
        case "compensation": {
          const undoes = { scope, since: issued };
          return ctx.addCompensation(async (own) => {
            const shield = step.usesOwn ? own : ctx;
            await shield.sleep(step.gapMs);
            const given = { path, issued: issued++, failures: step.fails ? 1 : 0, undoes };
            await shield.executeActivity(work, given);
            await shield.sleep(step.ms);
          }, { name: path });
        }
        case "patched":
          return await run(ctx, step.steps[version > 1 && ctx.patched(step.id) ? 1 : 0], `${path}.p`, scope);
        case "map": {
          const squares = await ctx.mapConcurrent(step.items, step.limit, async (ms, index) => {
            await ctx.sleep(ms);
            const given = { path, issued: issued++, failures: ms < 3 ? 1 : 0 };
            return await ctx.executeActivity(work, given) + index;
          });
          return note(`${path} mapped ${squares}`);
        }
        case "scope":
        case "shield": {
          const { catches, gapMs, usesOuter, options } = step;
          const inner = `${path}.${step.do[1]}`;
          const body = async (own: ScopeContext) => {
            if (step.do === "shield") await own.sleep(gapMs);
            await (usesOuter ? run(ctx, step.steps[0], inner, scope) : run(own, step.steps[0], inner, inner));
            return "its end";
          };
          const ended = ctx[step.do](body, options);
          note(`${path} came to ${await (catches ? ended.catch((error) => error) : ended)}`);
          return await ctx.sleep(gapMs);
        }
        case "spawn":
        case "float": {
          const { gapMs, options, steps } = step;
          const body = async (own: ScopeContext) => {
            await own.sleep(gapMs);
            await run(own, steps[0], `${path}.b`, `${path}.b`);
          };
          if (step.do === "spawn") ctx.spawn(body, options);
          else ctx.scope(body, options);
          return;
        }
        case "finally":
          try {
            return await run(ctx, step.steps[0], `${path}.t`, scope);
          } finally {
            await ctx.shield(async (ctx) => {
              await ctx.sleep(step.gapMs);
              await run(ctx, step.steps[1], `${path}.f`, `${path}.f`);
            });
          }
        case "cancel":
          return (ctx as Partial<ScopeContext>).cancel?.(`by ${path}`);
        case "repeat":
          for (let i = 0; i < step.times; i++) await run(ctx, step.steps[0], `${path}.${i}`, scope);
          return;
        case "sequence":
          for (const [i, one] of step.steps.entries()) await run(ctx, one, `${path}.${i}`, scope);
          return;
        case "fail":
          throw new RangeError(`${path} failed the workflow`);
        default: {
          const branches = step.steps.map(async (one, i) => {
            await ctx.sleep(step.gaps[i]);
            await run(ctx, one, `${path}.${i}`, scope);
          });
          await (step.do === "all" ? Promise.all(branches) : Promise.race(branches));
          return note(`${path} ${step.do}`);
        }
      }
    };
    await run(ctx, root, place, place);
    await signals.return!();
    return trace;
  };
}

/** Throws if a loop did not get the signals in their order, or two waits for one signal got the same one. */
export function assertReads(what: string, reads: readonly Read[], { history }: WorkflowState): void {
  const order = new Map<string, number>();
  for (const event of history) {
    if (event.type === "signal_received") order.set(`${event.name} ${event.payload}`, order.size);
  }
  const last = new Map<unknown, Map<string, number>>();
  for (const { by, name, payload, loop } of reads) {
    const signal = `${name} ${payload}`;
    const ofRun = last.get(by) ?? new Map();
    last.set(by, ofRun);
    const place = order.get(signal);
    assert(place !== undefined, `${what}: signal ${signal} is not stored`);
    const reader = loop ?? `wait for ${signal}`;
    assert(place > (ofRun.get(reader) ?? -1), `${what}: ${reader} got ${signal} after ${ofRun.get(reader)}`);
    ofRun.set(reader, place);
  }
}

/**
 * Throws if something was undone while an activity of the same scope was in flight, among those that were issued after the
 * compensation was added.
 */
export function assertUndoneLast(what: string, { history }: WorkflowState): void {
  const open = new Map<number, Work>();
  for (const event of history) {
    if (event.type === "activity_completed" || event.type === "activity_failed") open.delete(event.seq);
    if (event.type !== "activity_started" || event.name !== "work") continue;
    const { undoes, path } = event.input as Work;
    if (undoes !== undefined) {
      const late = [...open.values()].filter(({ path, issued, undoes: other }) =>
        other === undefined && issued >= undoes.since && `${path}.`.startsWith(`${undoes.scope}.`)
      );
      assertEquals(late.map(({ path }) => path), [], `${what}: ${path} was undone before these had ended`);
    }
    open.set(event.seq, event.input as Work);
  }
}
