/**
 * What the query handlers of a workflow answered at some point of a history.
 *
 * @module
 */

import type { WorkflowFunction } from "../context.ts";
import type { QueryDefinition } from "../definitions.ts";
import { Executor } from "../executor.ts";
import { stateAt } from "../history/state_at.ts";
import type { DeepReadonly, WorkflowState } from "../types.ts";
import { checkFunction } from "../util/check.ts";
import { historyFromText } from "./history_text.ts";

/**
 * Asks a workflow as it was after so many events of a history.
 *
 * @param workflow The workflow's code.
 * @param history A stored state, or a text made by `historyToText()`.
 * @param events After how many events, from 1 to the length of the history.
 * @param query The query's name or definition, or `"handlers"`.
 * @param args The arguments of the handler.
 * @returns A copy of what the handler answers.
 * @throws {WorkflowError} With code `not_found` if the code had no such handler then; `non_deterministic` if it does not fit the
 * history.
 * @throws {TypeError | RangeError} If an argument is invalid.
 *
 * @category Testing
 *
 * @example
 * ```ts
 * import type { WorkflowContext } from "@rockpool/workflow";
 * import { at, TestExecutor } from "@rockpool/workflow/testing";
 * import { assertEquals } from "@std/assert";
 *
 * async function counter(ctx: WorkflowContext) {
 *   let count = 0;
 *   ctx.handleQuery("count", () => count);
 *   for (; count < 3; count++) await ctx.sleep(1000);
 * }
 *
 * await using executor = new TestExecutor();
 * await (await executor.execute(counter, { id: "a" })).result();
 * const state = (await executor.store.load("a"))!;
 * assertEquals([await at(counter, state, 2, "count"), await at(counter, state, 5, "count")], [0, 2]);
 * ```
 */
export async function at<Result = unknown, Args extends readonly unknown[] = readonly unknown[]>(
  // deno-lint-ignore no-explicit-any -- a workflow of any input
  workflow: WorkflowFunction<any, unknown>,
  history: string | WorkflowState,
  events: number,
  query: string | QueryDefinition<Result, Args>,
  ...args: Args
): Promise<DeepReadonly<Result>> {
  checkFunction("workflow", workflow, "query a past state");
  const state = typeof history === "string" ? historyFromText(history) : history;
  const executor = new Executor({ workflows: { [state.workflowName]: workflow } });
  try {
    return await executor.queryState(stateAt(state, events), query, ...args);
  } finally {
    await executor.close();
  }
}
