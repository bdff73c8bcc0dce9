/**
 * Tests the tests of a workflow: changes the workflow in one way at a time, and says which changes no test noticed.
 *
 * The workflow's code stays. Its context does something else: an activity runs twice, a compensation is missing, two signals come in the
 * other order, a heartbeat is lost. All of it can happen in production, or is an edit that somebody makes.
 *
 * @module
 */

import type { ActivityContext } from "../activity.ts";
import type { WorkflowContext, WorkflowFunction } from "../context.ts";
import type { AnyActivity } from "../options.ts";
import { checkFunction } from "../util/check.ts";
import { show } from "../util/show.ts";
import { mutate } from "./mutated_activity.ts";

/**
 * What {@linkcode mutants} found: each change in words.
 *
 * @category Testing
 */
export interface MutantsReport {
  /** The changes with which the test failed, as it should. */
  readonly killed: readonly string[];
  /** The changes that the test did not notice. */
  readonly survived: readonly string[];
  /** The changes with which the workflow waited for ever: the test noticed that, and perhaps nothing else. */
  readonly stuck: readonly string[];
}

/** One way to change a workflow. */
interface Mutant {
  readonly text: string;
  readonly activity?: { readonly name: string; readonly mutation: (run: AnyActivity) => AnyActivity };
  readonly compensation?: { readonly name: string; readonly does: "nothing" | "comes later" };
  /** The name of the signal of which the first two are swapped. */
  readonly signal?: string;
}

/** What a workflow uses: what can be changed. */
interface Uses {
  readonly activities: Set<string>;
  readonly heartbeats: Set<string>;
  /** Names as they are shown; of those without a name, which one it is in its run. */
  readonly compensations: Set<string>;
  /** How many signals of a name its handlers and loops got, at most in one run. */
  readonly signals: Map<string, number>;
}

/**
 * Runs a test with one change of the workflow after the other.
 *
 * - An activity runs twice in an attempt, with the same idempotency key: is its service called so that this does no harm?
 * - A compensation is dropped, or added after the next activity instead of before it: does a test fail at each step?
 * - The first two signals of a name that a loop or a handler gets are swapped.
 * - The heartbeats of an activity are lost, and so are the details that its next attempt gets.
 *
 * @param workflow The workflow.
 * @param test Tests the workflow that it is given, and throws if something is wrong. It makes everything anew in each call.
 * @returns The changes that were noticed, and those that were not.
 * @throws {Error} If the test fails without a change.
 * @throws {TypeError} If an argument is no function.
 *
 * @category Testing
 *
 * @example
 * ```ts
 * import type { WorkflowContext } from "@rockpool/workflow";
 * import { mutants, TestExecutor } from "@rockpool/workflow/testing";
 * import { assertEquals } from "@std/assert";
 *
 * let paid = 0;
 * const pay = () => void paid++;
 * const refund = () => void paid--;
 * async function order(ctx: WorkflowContext) {
 *   ctx.addCompensation((ctx) => ctx.executeActivity(refund), { name: "refund" });
 *   await ctx.executeActivity(pay);
 * }
 *
 * const { survived } = await mutants(order, async (order) => {
 *   paid = 0;
 *   await using executor = new TestExecutor();
 *   await (await executor.execute(order)).result();
 *   assertEquals(paid, 1);
 * });
 * assertEquals(survived, ['compensation "refund" is dropped', 'compensation "refund" is added after the next activity']);
 * ```
 */
export async function mutants<Input, Returned>(
  workflow: WorkflowFunction<Input, Returned>,
  test: (workflow: WorkflowFunction<Input, Returned>) => unknown,
): Promise<MutantsReport> {
  checkFunction("workflow", workflow, "test mutants");
  checkFunction("test", test, "test mutants");
  const uses: Uses = { activities: new Set(), heartbeats: new Set(), compensations: new Set(), signals: new Map() };
  try {
    await test(changed(workflow, {}, uses));
  } catch (cause) {
    const message = (cause as Error | undefined)?.message ?? show(cause);
    throw new Error(
      `Cannot test mutants of workflow ${show(workflow.name)}: the test fails without a change: ${message}`,
      {
        cause,
      },
    );
  }
  const report = { killed: [] as string[], survived: [] as string[], stuck: [] as string[] };
  for (const mutant of mutantsOf(uses)) {
    let end: keyof MutantsReport = "survived";
    try {
      await test(changed(workflow, mutant));
    } catch (error) {
      end = isStuck(error) ? "stuck" : "killed";
    }
    report[end].push(mutant.text);
  }
  return report;
}

/** Whether an error says that a workflow waits for ever, or one that it has come from, or that it hides (`SuppressedError`). */
function isStuck(error: unknown, depth = 0): boolean {
  if (!(error instanceof Error) || depth === 10) return false;
  if (error.name === "DeadlockError" || /waits forever/.test(error.message)) return true;
  const { cause, error: first } = error as { readonly cause?: unknown; readonly error?: unknown };
  return isStuck(cause, depth + 1) || isStuck(first, depth + 1);
}

function mutantsOf({ activities, heartbeats, compensations, signals }: Uses): Mutant[] {
  type Run = (input: unknown, context: ActivityContext) => unknown;
  const twice = (run: AnyActivity): AnyActivity => async (input: unknown, context: ActivityContext) => {
    await (run as Run)(input, context);
    return await (run as Run)(input, context);
  };
  const silent = (run: AnyActivity): AnyActivity => (input: unknown, context: ActivityContext) =>
    (run as Run)(input, silentContext(context));
  return [
    ...Array.from(activities, (name): Mutant => ({
      text: `activity ${show(name)} runs twice`,
      activity: { name, mutation: twice },
    })),
    ...Array.from(heartbeats, (name): Mutant => ({
      text: `the heartbeats of activity ${show(name)} are lost`,
      activity: { name, mutation: silent },
    })),
    ...Array.from(compensations, (name) =>
      [
        { text: `compensation ${name} is dropped`, compensation: { name, does: "nothing" } },
        {
          text: `compensation ${name} is added after the next activity`,
          compensation: { name, does: "comes later" },
        },
      ] as const).flat(),
    ...[...signals].filter(([, count]) => count > 1).map(([name]): Mutant => ({
      text: `the first two signals ${show(name)} are swapped`,
      signal: name,
    })),
  ];
}

function silentContext(context: ActivityContext): ActivityContext {
  return new Proxy(context, {
    get: (target, key) => key === "heartbeat" ? () => {} : Reflect.get(target, key, target),
  });
}

/** The workflow with a changed context. With `uses`, it notes what the code uses. */
function changed<Input, Returned>(
  workflow: WorkflowFunction<Input, Returned>,
  mutant: Partial<Mutant>,
  uses?: Uses,
): WorkflowFunction<Input, Returned> {
  const run = (ctx: object, input: unknown) =>
    (workflow as (ctx: unknown, input: unknown) => unknown)(new ChangedContext(mutant, uses).wrap(ctx), input);
  Object.defineProperty(run, "name", { value: workflow.name });
  return run as unknown as WorkflowFunction<Input, Returned>;
}

type Method = (...args: unknown[]) => unknown;

/** The context of one run, changed. */
class ChangedContext {
  readonly #mutant: Partial<Mutant>;
  readonly #uses: Uses | undefined;
  /** Compensations that wait for the next activity. */
  #later: (() => void)[] = [];
  /** The first signal of a swapped pair, and whether the pair has passed. */
  #held: { readonly value: unknown } | "none" | "passed" = "none";
  readonly #signals = new Map<string, number>();
  /** How many compensations were added. */
  #compensations = 0;

  constructor(mutant: Partial<Mutant>, uses: Uses | undefined) {
    this.#mutant = mutant;
    this.#uses = uses;
  }

  /** Methods of a context are called on itself: it has private parts. */
  wrap<Context extends object>(context: Context): Context {
    return new Proxy(context, {
      get: (target, key) => {
        const value = Reflect.get(target, key, target);
        if (typeof value !== "function") return value;
        const call: Method = (...args) => value.apply(target, args);
        if (!Object.hasOwn(this.#methods, key)) return call;
        return (this.#methods as Readonly<Record<PropertyKey, (call: Method) => Method>>)[key](call);
      },
    });
  }

  /** A function with a context of its own. Its length stays: `ctx.shield()` looks whether it takes the context; and its name. */
  readonly #nested = (body: Method): Method => {
    const call: Method = (ctx, ...rest) => body(this.wrap(ctx as object), ...rest);
    return Object.defineProperties(call, { length: { value: body.length }, name: { value: body.name } });
  };

  readonly #methods = {
    executeActivity: (call: Method): Method => async (activity, input, options = {}) => {
      const { name = (activity as AnyActivity).name } = options as { readonly name?: string };
      this.#uses?.activities.add(name);
      let run = activity as AnyActivity;
      if (this.#uses !== undefined) run = this.#noting(run, name);
      if (this.#mutant.activity?.name === name) run = mutate(run, this.#mutant.activity.mutation);
      try {
        return await call(run, input, options);
      } finally {
        for (const add of this.#later.splice(0)) add();
      }
    },
    addCompensation: (call: Method): Method => (body, options = {}) => {
      this.#compensations++;
      const { name: given = (body as Method).name } = options as { readonly name?: string };
      const name = given === "" ? `${this.#compensations}` : show(given); // an arrow function has none
      this.#uses?.compensations.add(name);
      const { compensation } = this.#mutant;
      if (compensation?.name !== name) return call(this.#nested(body as Method), options);
      if (compensation.does === "comes later") this.#later.push(() => call(this.#nested(body as Method), options));
    },
    handleSignal: (call: Method): Method => (signal, handler, ...rest) =>
      call(signal, (...args: unknown[]) => {
        for (const given of this.#pass(nameOf(signal), args)) (handler as Method)(...given);
      }, ...rest),
    receiveSignal: (call: Method): Method => (signal, ...rest) => {
      const pass = (value: unknown) => this.#pass(nameOf(signal), [value]);
      const inner = call(signal, ...rest) as AsyncIterable<unknown>;
      return {
        async *[Symbol.asyncIterator]() {
          for await (const value of inner) for (const [given] of pass(value)) yield given;
        },
      };
    },
    scope: (call: Method): Method => (body, ...rest) => call(this.#nested(body as Method), ...rest),
    shield: (call: Method): Method => (body, ...rest) => call(this.#nested(body as Method), ...rest),
    spawn: (call: Method): Method => (body, ...rest) => call(this.#nested(body as Method), ...rest),
  };

  /** Notes whether an activity reports heartbeats. */
  #noting(activity: AnyActivity, name: string): AnyActivity {
    return mutate(activity, (run) => (input: unknown, context: ActivityContext) => {
      const noted = new Proxy(context, {
        get: (target, key) => {
          if (key === "heartbeat") this.#uses!.heartbeats.add(name);
          const value = Reflect.get(target, key, target);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
      return (run as (input: unknown, context: ActivityContext) => unknown)(input, noted);
    });
  }

  /** The signals to hand on when one arrives. */
  #pass(name: string, args: unknown[]): unknown[][] {
    const count = (this.#signals.get(name) ?? 0) + 1;
    this.#signals.set(name, count);
    this.#uses?.signals.set(name, Math.max(count, this.#uses.signals.get(name) ?? 0));
    if (this.#mutant.signal !== name || this.#held === "passed") return [args];
    if (this.#held === "none") {
      this.#held = { value: args };
      return [];
    }
    const first = this.#held.value as unknown[];
    this.#held = "passed";
    return [args, first];
  }
}

function nameOf(signal: unknown): string {
  return typeof signal === "string" ? signal : (signal as WorkflowContext & { readonly name: string }).name;
}
