/**
 * Golden histories: kept as files beside the tests, they show before a deployment whether changed code would break runs that
 * are in flight.
 *
 * Owns the replay of a stored run. Reads and writes no file.
 *
 * @example
 * ```ts
 * import { Executor, InMemoryStore, type WorkflowContext } from "@rockpool/workflow";
 * import { assertReplays, historyToText } from "@rockpool/workflow/testing";
 * import { assertRejects } from "@std/assert";
 *
 * const charge = () => "charged";
 * const reserve = () => "reserved";
 * const order = async (ctx: WorkflowContext) => await ctx.executeActivity(charge);
 *
 * const store = new InMemoryStore();
 * await using executor = new Executor({ store });
 * await (await executor.execute(order, { id: "order-7" })).result();
 * const text = historyToText((await store.load("order-7"))!); // Deno.writeTextFile("order.history", text)
 *
 * await assertReplays(order, text);
 * async function changed(ctx: WorkflowContext) {
 *   await ctx.executeActivity(reserve);
 *   return await ctx.executeActivity(charge);
 * }
 * await assertRejects(() => assertReplays(changed, text), Error, 'an activity "reserve" was inserted before');
 * ```
 *
 * @module
 */

import { NonDeterminismError } from "../errors.ts";
import { type RepeatedCommand, replayHistory } from "../executor.ts";
import { toErrorRecord } from "../history/error_record.ts";
import { finalStatus, isOfCode } from "../history/history.ts";
import type { CommandEvent, ErrorRecord, Labels, WorkflowEvent, WorkflowState } from "../types.ts";
import type { Workflow, WorkflowFunction } from "../context.ts";
import type { AnyWorkflow } from "../options.ts";
import { validateState } from "../history/validate.ts";
import { checkBoolean, checkFunction, checkObject, checkOptions, invalid } from "../util/check.ts";
import { show, showPath } from "../util/show.ts";
import { showError, showValue } from "../util/show_value.ts";
import { differ, equals } from "./assert.ts";
import { withoutStack } from "./compare_histories.ts";
import { historyFromText } from "./history_text.ts";

/**
 * Options of {@linkcode assertReplays}.
 *
 * @category Testing
 */
export interface AssertReplaysOptions {
  /**
   * Workflows that are registered under another name than that of their function, by name. Children have that name in the
   * history.
   *
   * @default {none}
   */
  readonly workflows?: Readonly<Record<string, AnyWorkflow>> | undefined;
  /**
   * Whether what the code passes must be as in the history too: the inputs of activities and children, the options of children,
   * and the times of sleeps and waits. A run that is in flight keeps what is recorded, so a change does not break it.
   *
   * @default {false}
   */
  readonly inputs?: boolean | undefined;
}

/**
 * Replays histories against a workflow's code and performs nothing. An unfinished history must replay to its end; a finished
 * one must also end in the same way.
 *
 * @param workflow The code as it is now.
 * @param histories One history or several: each is a stored state, or a text made by `historyToText()`.
 * @param options How workflows are registered.
 * @throws {Error} If the code does not fit a history. The message contains that of the `NonDeterminismError` for each history,
 * with the likely edit. The first one is the `cause`.
 * @throws {TypeError} If an argument is invalid, or a text is not a history.
 *
 * @category Testing
 */
export async function assertReplays<Input>(
  workflow: WorkflowFunction<Input, unknown>,
  histories: string | WorkflowState | readonly (string | WorkflowState)[],
  options: AssertReplaysOptions = {},
): Promise<void> {
  checkFunction("workflow", workflow, "replay histories");
  checkOptions(options, { workflows: true, inputs: true }, "replay histories");
  const { workflows = {}, inputs = false } = options;
  checkBoolean("inputs", inputs, "replay histories");
  const states = statesOf(histories);
  const failures: { readonly message: string; readonly error: unknown }[] = [];
  for (const [i, state] of states.entries()) {
    try {
      await replay(workflow as Workflow<never>, state, workflows, inputs);
    } catch (error) {
      const which = states.length === 1 ? "" : `History ${i + 1} of ${states.length}: `;
      failures.push({ message: `${which}${(error as Error).message}`, error });
    }
  }
  if (failures.length === 0) return;
  const title = `Workflow ${show(workflow.name || "anonymous")} does not replay`;
  throw new Error([title, ...failures.map(({ message }) => message)].join("\n"), { cause: failures[0].error });
}

/** The states of one history or several. */
export function statesOf(histories: string | WorkflowState | readonly (string | WorkflowState)[]): WorkflowState[] {
  const list = (Array.isArray(histories) ? histories : [histories]) as readonly (string | WorkflowState)[];
  if (list.length === 0) throw invalid("histories", histories, "at least one", "replay histories");
  return Array.from(list, (history, i) => {
    if (typeof history === "string") return historyFromText(history);
    checkObject(`histories[${i}]`, history, "replay histories");
    const { history: events, ...fields } = history;
    validateState(fields, events, "replay histories");
    return history;
  });
}

/**
 * Replays a stored run, and compares how the code and the history end.
 *
 * @param workflows Finds the names of children.
 * @param inputs Whether to compare what the code passes, too.
 * @throws {NonDeterminismError} If the code does not do what the history says.
 */
export async function replay(
  workflow: Workflow<never>,
  state: WorkflowState,
  workflows: Readonly<Record<string, unknown>>,
  inputs = false,
): Promise<void> {
  const { outcome, beyond, canceled, repeated } = await replayHistory(workflow, state, workflows);
  if (inputs) { for (const command of repeated) compareInputs(state, command); }
  const last = state.history.at(-1)!;
  if (finalStatus(last) === undefined) return; // the run is not finished
  const { error, result } = last as { readonly error?: ErrorRecord; readonly result?: unknown };
  // These ends are not made by the code.
  if (error?.data?.code === "terminated" || error?.data?.code === "history_too_long") return;
  if (mayBeUncalled(state.history, error)) return;
  const recorded = error === undefined ? `the result ${showValue(result)}` : showError(error);
  if (outcome === undefined) {
    throw divergence(state, recorded, beyond ?? "a wait for more than the history holds");
  }
  if (!outcome.ok) {
    const thrown = toErrorRecord(outcome.error);
    if (error !== undefined && equals(withoutStack(thrown), withoutStack(error))) return;
  } else if (error === undefined && equals(outcome.value, result)) return;
  // A run whose timeout has passed fails with it, whatever the code does.
  if (canceled !== undefined && error !== undefined && error.message === canceled.message) return;
  throw divergence(state, recorded, outcome.ok ? `the result ${showValue(outcome.value)}` : showError(outcome.error));
}

/** Whether a run may have been cancelled before its code was called: while it waited for its start time or for a slot. */
function mayBeUncalled(history: readonly WorkflowEvent[], error: ErrorRecord | undefined): boolean {
  const request = history.find((event) => event.type === "cancel_requested");
  if (request === undefined || history.some(isOfCode)) return false;
  return error?.name === (request.timeoutMs === undefined ? "CanceledError" : "TimeoutError");
}

/** @throws {NonDeterminismError} If the code passes something else than the history says. */
function compareInputs({ workflowId }: WorkflowState, { what, stored, issued }: RepeatedCommand): void {
  const difference = differ(passed(issued), passed(stored));
  if (difference === undefined) return;
  const name = showPath(difference.path).slice(1);
  const [expected, actual] = [difference.expected, difference.actual].map((value) => `${what}, ${name}: ${value}`);
  const message = `Cannot replay workflow ${show(workflowId)}: its code passes something else than its history says
  position ${stored.seq}
  history  ${expected}
  code     ${actual}
  Runs that are in flight keep what is recorded. If the change is intended, record the history again`;
  throw new NonDeterminismError(message, { expected, actual, position: stored.seq });
}

/** What workflow code passes to a command, by the names of the arguments. */
function passed(event: CommandEvent): object {
  const { at, dueAt, input, workflowId: id, timeoutMs, closePolicy: parentClosePolicy, labels } = event as {
    readonly at: number;
    readonly dueAt?: number;
    readonly input?: unknown;
    readonly workflowId?: string;
    readonly timeoutMs?: number;
    readonly closePolicy?: string;
    readonly labels?: Labels;
  };
  const ms = dueAt === undefined ? undefined : Math.round((dueAt - at) * 1000) / 1000; // a sum of times is not exact
  return { ms, input, id, timeoutMs, parentClosePolicy, labels };
}

function divergence({ workflowId, history }: WorkflowState, expected: string, actual: string): NonDeterminismError {
  const position = history.filter((event) => "seq" in event).length;
  const message = `Cannot replay workflow "${workflowId}": its code does not end as its history says
  history  ${expected}
  code     ${actual}
  Runs that are in flight would end differently: if that is intended, branch on ctx.patched("a-name-for-the-change")`;
  return new NonDeterminismError(message, { expected, actual, position });
}
