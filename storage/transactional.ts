/**
 * What transactional activities of every store say and check: a result is stored in the transaction of what the activity writes.
 *
 * @module
 */

import { type ActivityContext, storeFirst } from "../activity.ts";
import { WorkflowError } from "../errors.ts";
import { toStored } from "../history/value.ts";
import type { WorkflowStatus } from "../types.ts";
import { cannot, checkFunction } from "../util/check.ts";
import { show } from "../util/show.ts";

/** What a store has of a run when an activity wants to write. */
export interface TransactionRun {
  readonly status: WorkflowStatus;
  readonly fence: number;
}

/** Which transactional function an attempt has called: a second one would find the result of the first. */
const calledBy = /* @__PURE__ */ new WeakMap<ActivityContext, unknown>();

/** What an activity does in a transaction, for messages. */
export const inTransaction = (name: string): string => `run activity ${show(name)} in a transaction`;

/**
 * Makes the activity of a function. It has the name of the function, because that is its name in the history.
 *
 * @param fn The function of the user.
 * @param run Calls it in a transaction, unless its result is stored.
 * @throws {TypeError} If `fn` is no function.
 */
export function transactionalActivity<Input, Output>(
  fn: (...args: never[]) => unknown,
  run: (name: string, input: Input, context: ActivityContext) => Promise<Output>,
): (input: Input, context: ActivityContext) => Promise<Output> {
  checkFunction("fn", fn, "make a transactional activity");
  const name = fn.name || "anonymous";
  const made = async (input: Input, context: ActivityContext) => {
    if (typeof context?.idempotencyKey !== "string" || typeof context.runId !== "string") {
      const way = "it must be called by an executor; a test of a workflow replaces it";
      throw new TypeError(`${cannot(inTransaction(name))}: it got no context of an activity: ${way}`);
    }
    const called = calledBy.get(context) ?? fn;
    if (called !== fn) {
      const way = "an attempt has one idempotency key, so it can call one: make each of them an activity of its own";
      throw new TypeError(`${cannot(inTransaction(name))}: its activity has called another one before it; ${way}`);
    }
    calledBy.set(context, fn);
    return await run(name, input, context);
  };
  storeFirst(made); // else another activity could find its result
  return Object.defineProperty(made, "name", { value: fn.name });
}

/**
 * Checks that a run may still write: it runs, and no later owner has it. Its result would be lost with a run that is gone, and then
 * another attempt would write again.
 *
 * @param run `undefined` if it is not in the store.
 * @throws {WorkflowError} With code `not_found` or `lease_lost`.
 */
export function checkTransactionRun(run: TransactionRun | undefined, name: string, context: ActivityContext): void {
  const { workflowId, runId, fence } = context;
  const refused = cannot(inTransaction(name));
  if (run?.status !== "running") {
    const why = run === undefined ? "is not in this store" : `is over: its status is ${show(run.status)}`;
    const way = run === undefined ? "; the executor must use the store that made the activity" : "";
    throw new WorkflowError("not_found", `${refused}: run ${show(runId)} of workflow ${show(workflowId)} ${why}${way}`);
  }
  if (run.fence > fence) {
    const why = `another executor owns workflow ${
      show(workflowId)
    }: its fence is ${run.fence}, that of the activity ${fence}`;
    throw new WorkflowError("lease_lost", `${refused}: ${why}`);
  }
}

/**
 * The result as it is stored.
 *
 * @throws {DOMException | TypeError} If it cannot be stored.
 */
export function storedResult(value: unknown, name: string): unknown {
  return toStored(value, "result of activity", name);
}
