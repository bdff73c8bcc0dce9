/**
 * Workflows whose runs are hard to write as a test, for `testing/test_writer_test.ts`.
 *
 * @module
 */

import { activity, NonRetryableError, RetryAfterError, TimeoutError, type WorkflowContext } from "@rockpool/workflow";

/** An activity that the tests of recorded runs replace: called for real, it fails. */
export const real = { value: (_input: unknown, _attempt: number): unknown => "real" };

const call = (input: unknown, { attempt }: { attempt: number }) => real.value(input, attempt);
const retried = activity(call, { name: "retried", retry: { maxAttempts: 5, initialIntervalMs: 100 } });

/** Returns what its activity returns. */
export async function passing(ctx: WorkflowContext, input: unknown): Promise<unknown> {
  return await ctx.executeActivity(retried, input);
}

/** The winner of a race of activities, signals and a timer. */
export async function racing(ctx: WorkflowContext, names: readonly string[]): Promise<string[]> {
  const order: string[] = [];
  const run = async (name: string) => {
    await ctx.executeActivity(call, name, { name });
    order.push(name);
  };
  ctx.handleSignal<string>("note", (note) => void order.push(note));
  ctx.handleUpdate("stamp", (stamp: string) => void order.push(stamp));
  await Promise.all([...names.map(run), ctx.sleep(20).then(() => order.push("timer"))]);
  return order;
}

/** Fails as its input says. */
export async function failing(ctx: WorkflowContext, how: string): Promise<unknown> {
  await ctx.sleep(5);
  switch (how) {
    case "value":
      throw { code: 7 };
    case "activity":
      return await ctx.executeActivity(retried, how);
    case "timeout":
      return await ctx.executeActivity(call, how, { name: "slow", timeoutMs: 50 });
    case "wait":
      return await ctx.waitForSignal("never");
    default:
      throw new RangeError(`"${how}" isn't known`);
  }
}

/** Starts a child and messages a stranger. */
export async function parent(ctx: WorkflowContext, n: number): Promise<unknown[]> {
  const child = ctx.startChild(racing, ["x", "y"], { id: "child" });
  await ctx.signalWorkflow("stranger", "hello", n);
  return [...await child.result(), ctx.uuid(), ctx.random()];
}

/** Errors of every kind, by name. */
export const errors: Readonly<Record<string, () => unknown>> = {
  plain: () => new Error("no"),
  native: () => new TypeError("a \"quoted\" 'text'", { cause: new Error("cause", { cause: "text" }) }),
  named: () => Object.assign(new Error("declined"), { name: "CardDeclined", code: 5, at: new Date(0) }),
  retryAfter: () => new RetryAfterError("later", 30),
  timeout: () => new TimeoutError("slow", 10),
  aggregate: () => new AggregateError([new Error("a"), "b"], "two"),
  dom: () => new DOMException("gone", "AbortError"),
  thrown: () => ({ reason: "no error" }),
  final: () => new NonRetryableError("final"),
};
