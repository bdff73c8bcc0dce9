/**
 * Walks every method that hands out a promise through arguments of every kind. The table is in `methods.ts`.
 *
 * A bad argument is refused with an error that names it, and nothing is stored. Nobody waits for a promise of workflow code, nor for
 * the result of a run: neither may end the process. The others are calls that can fail, as those of any library.
 */

import { assert, assertEquals } from "@std/assert";
import { Executor, InMemoryStore, VirtualClock, type WorkflowContext, WorkflowError } from "@rockpool/workflow";
import { macrotasks, silent } from "../support/executors.ts";
import { type Argument, KINDS, type MethodRow, METHODS, type Target } from "./methods.ts";
import { harmDuring, shown } from "./outcome.ts";

/** The bad values of an argument and of its options, each with the name that the error must have. */
function* badValues({ name, takes, options = {} }: Argument): Generator<[what: string, name: string, value: unknown]> {
  for (const [kind, make] of Object.entries(KINDS)) {
    if (!takes.split(" ").includes(kind)) yield [`${name} = ${kind}`, name, make()];
    for (const [option, taken] of Object.entries(options)) {
      if (!taken.split(" ").includes(kind)) yield [`${name}.${option} = ${kind}`, option, { [option]: make() }];
    }
  }
}

/** Makes one call with one bad argument. Returns what is wrong with the answer. */
async function refusalOf(
  row: MethodRow,
  place: string,
  target: Target,
  args: unknown[],
  name: string,
): Promise<string | undefined> {
  let answer: unknown;
  try {
    answer = callOf(row, place, target, args);
  } catch (error) {
    return row.throws ? wrongIn(row, error, name) : `throws ${shown(error)}`;
  }
  if (row.throws && !(answer instanceof Promise)) {
    const iterate = (answer as AsyncIterable<unknown>)?.[Symbol.asyncIterator];
    if (iterate === undefined) return "is accepted";
    answer = iterate.call(answer).next();
  }
  if (!(answer instanceof Promise)) return "returns no promise";
  if (row.quiet) {
    await macrotasks(2); // nobody awaits it by then
  }
  const late = Symbol();
  try {
    const value = await Promise.race([answer, macrotasks(30).then(() => late)]);
    return value === late ? "is accepted, and waits" : "is accepted";
  } catch (error) {
    return wrongIn(row, error, name);
  }
}

function callOf(row: MethodRow, place: string, target: Target, args: unknown[]): unknown {
  if (row.call !== undefined) return row.call(...args as never[]);
  // deno-lint-ignore no-explicit-any -- a method by name
  const object = (row.of?.(target) ?? target.executor) as any;
  const method = place.slice(place.indexOf(".") + 1).split(" of ")[0];
  const key = method.startsWith("[") ? Symbol[method.slice("[Symbol.".length, -1) as "asyncDispose"] : method;
  return typeof object[key] === "function" ? object[key](...args) : object[key];
}

/** What is wrong with the error about an argument. A value that cannot be read throws an error of its own. */
function wrongIn(row: MethodRow, error: unknown, name: string): string | undefined {
  if (error instanceof AggregateError) error = error.errors[0];
  if (error instanceof Error && error.message.includes("bad callback")) return;
  if (row.reports) return;
  const ok = error instanceof TypeError || error instanceof RangeError ||
    error instanceof WorkflowError && error.code.startsWith("invalid");
  if (!ok) return `rejects with ${shown(error)}`;
  const { message } = error as Error;
  if (!name.split(" or ").some((one) => message.includes(one))) return `does not name ${name}: ${message}`;
}

/** An executor with a workflow "a" that waits, and the context of another one. */
async function withTarget(body: (target: Target) => Promise<void>): Promise<void> {
  const store = new InMemoryStore();
  const clock = new VirtualClock();
  const executor = new Executor({ store, clock, logger: silent, onError() {} });
  const handle = await executor.execute(async (ctx: WorkflowContext) => {
    ctx.handleQuery("x", () => 1);
    ctx.handleUpdate("x", () => 1);
    await ctx.waitForSignal("never");
  }, { id: "a" });
  let failure: unknown;
  const inside = await executor.execute(async (ctx: WorkflowContext) => {
    await body({ executor, store, clock, handle, ctx }).catch((error) => failure = error);
  }, { id: "context" });
  await inside.result().catch(() => {});
  await executor.close();
  if (failure !== undefined) throw failure;
}

for (const [place, row] of Object.entries(METHODS)) {
  Deno.test(`harm: ${place} refuses bad arguments, and stores nothing`, async () => {
    const wrong: string[] = [];
    const harm = await harmDuring(() =>
      withTarget(async (target) => {
        const stored = async () => (await target.store.list()).map(({ history }) => history.length);
        const before = await stored();
        for (const [i, argument] of row.args.entries()) {
          const good = row.args.map(({ good }) => good);
          for (const [what, name, value] of badValues(argument)) {
            const args = good.with(i, value);
            const trouble = await refusalOf(row, place, target, args, name);
            if (trouble !== undefined) wrong.push(`${what}: ${trouble}`);
          }
        }
        await macrotasks(2);
        assert(wrong.length === 0, `\n${wrong.join("\n")}`);
        if (row.of?.name !== "ofChild") assertEquals(await stored(), before, "stored");
      })
    );
    assertEquals(harm.map(shown), []);
  });
}
