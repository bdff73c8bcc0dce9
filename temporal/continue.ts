/**
 * Continuing as new: the run ends, and the workflow starts again with other arguments, or another workflow does.
 *
 * @module
 */

import type { Workflow } from "./common/mod.ts";
import { optionalDurationMs } from "./common/duration.ts";
import { checkTemporalOptions } from "./common/option_tables.ts";
import { attributePairs, setLabels } from "./attributes.ts";
import { composeInterceptors } from "./common/interceptors.ts";
import { writeHeaders } from "./headers.ts";
import type { ContinueAsNewInput } from "./interceptors.ts";
import { requireFrame } from "./scope.ts";
import type { Run } from "./run.ts";
import type { ContinueAsNewOptions, WorkflowInput } from "./types.ts";

/**
 * What `continueAsNew` throws. It ends the run when it leaves the workflow function.
 *
 * @category Temporal
 */
export class ContinueAsNew extends Error {
  /** The next run: its workflow, and its arguments. */
  declare readonly command: { readonly workflowType: string; readonly arguments: unknown[] };
  /** The input of the next run. */
  readonly #input: WorkflowInput;

  /**
   * Makes an error.
   *
   * @param command The next run.
   * @param input Its input.
   */
  constructor(command: { readonly workflowType: string; readonly arguments: unknown[] }, input?: WorkflowInput) {
    super("Workflow continued as new");
    Object.defineProperty(this, "name", { value: "ContinueAsNew", configurable: true, writable: true });
    this.command = command;
    this.#input = input ?? { args: command.arguments };
  }

  /**
   * Returns the name and the input of the next run; `undefined` for another error.
   *
   * @internal
   */
  static nextOf(error: unknown): { readonly workflowType: string; readonly input: WorkflowInput } | undefined {
    // Not `instanceof`: it would call the code of a proxy that was thrown.
    const isOne = typeof error === "object" && error !== null && #input in error;
    return isOne ? { workflowType: error.command.workflowType, input: error.#input } : undefined;
  }
}

/**
 * Ends the run, and starts the workflow again with other arguments.
 *
 * @param args The arguments.
 * @throws {ContinueAsNew} Always: code that catches it lets the run go on.
 *
 * @category Temporal
 */
export function continueAsNew<F extends Workflow>(...args: Parameters<F>): Promise<never> {
  return makeContinueAsNewFunc<F>()(...args);
}

/**
 * Returns a function that continues as new with options.
 *
 * @param options The options; also the name of another workflow.
 * @throws {IllegalStateError} Outside of a workflow.
 *
 * @category Temporal
 */
export function makeContinueAsNewFunc<F extends Workflow>(
  options: ContinueAsNewOptions = {},
): (...args: Parameters<F>) => Promise<never> {
  const { run } = requireFrame("continue as new");
  checkTemporalOptions("makeContinueAsNewFunc", options, "continue as new");
  const all = { ...options, workflowType: options.workflowType ?? run.workflowType };
  return (...args) =>
    composeInterceptors(run.outbound, "continueAsNew", (input: ContinueAsNewInput) => next(run, input))({
      args,
      headers: {},
      options: all,
    });
}

// deno-lint-ignore require-await -- what it throws is a rejection
async function next(run: Run, { args: given, headers, options }: ContinueAsNewInput): Promise<never> {
  const { ctx, input } = run;
  const { workflowType, memo, searchAttributes, typedSearchAttributes, taskQueue = input.taskQueue } = options;
  if (workflowType !== run.workflowType) run.host.workflow(workflowType);
  const args = run.write(given);
  const pairs = searchAttributes || typedSearchAttributes
    ? attributePairs(searchAttributes, typedSearchAttributes)
    : run.searchAttributes;
  setLabels(run, pairs, run.searchAttributes); // the next run begins with them
  const startAfterMs = optionalDurationMs(options.backoffStartInterval, "backoffStartInterval");
  const headerText = writeHeaders(headers);
  const kept = memo === undefined ? run.memo : run.host.converter.toStored(memo) as Record<string, unknown>;
  throw new ContinueAsNew({ workflowType, arguments: args }, {
    args,
    ...(Object.keys(kept).length > 0 && { memo: kept }),
    ...(pairs.length > 0 && { searchAttributes: pairs }),
    ...(taskQueue !== undefined && { taskQueue }),
    ...(headerText !== undefined && { headers: headerText }),
    ...(startAfterMs !== undefined && { startAfterMs }),
    ...(input.root && { root: input.root }),
    continued: {
      runId: ctx.runId,
      firstRunId: input.continued?.firstRunId ?? ctx.runId,
      startTime: input.continued?.startTime ?? ctx.startedAt,
    },
  });
}
