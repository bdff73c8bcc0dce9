/**
 * What a start says in Temporal's words, in the words of this package; and the same back, from a stored workflow.
 *
 * @module
 */

import type { ExecuteOptions } from "../../options.ts";
import type { ParentRun, WorkflowState } from "../../types.ts";
import { WorkflowIdConflictPolicy, WorkflowIdReusePolicy } from "../common/choices.ts";
import { optionalDurationMs } from "../common/duration.ts";
import { checkChoice } from "../common/option_tables.ts";
import { attributePairs, labelsOf } from "../attributes.ts";
import type { WorkflowInput } from "../types.ts";
import type { WorkflowOptions } from "./client_options.ts";

const REUSE = {
  ALLOW_DUPLICATE: "replace",
  ALLOW_DUPLICATE_FAILED_ONLY: "replace-failed",
  REJECT_DUPLICATE: "reject",
  TERMINATE_IF_RUNNING: "replace",
} as const;

const CONFLICT = { FAIL: "reject", USE_EXISTING: "join", TERMINATE_EXISTING: "replace" } as const;

/** Returns the options of a start, without the arguments and the labels. */
export function executeOptions(options: WorkflowOptions): Omit<ExecuteOptions, "input"> {
  const { workflowId, workflowIdReusePolicy: reuse, workflowIdConflictPolicy: conflict } = options;
  checkChoice("workflowIdReusePolicy", reuse, WorkflowIdReusePolicy, "start workflow", workflowId);
  checkChoice("workflowIdConflictPolicy", conflict, WorkflowIdConflictPolicy, "start workflow", workflowId);
  const limits = [options.workflowExecutionTimeout, options.workflowRunTimeout].flatMap((limit) =>
    optionalDurationMs(limit, "workflowExecutionTimeout") ?? []
  ).filter((ms) => ms > 0);
  const terminates = reuse === "TERMINATE_IF_RUNNING" && conflict === undefined;
  return {
    id: workflowId,
    reuse: REUSE[reuse ?? "ALLOW_DUPLICATE"],
    onConflict: CONFLICT[conflict ?? (terminates ? "TERMINATE_EXISTING" : "FAIL")],
    startAfterMs: optionalDurationMs(options.startDelay, "startDelay"),
    timeoutMs: limits.length === 0 ? undefined : Math.min(...limits),
  };
}

/** Returns the labels of a start: its search attributes. */
export function startLabels({ searchAttributes: pairs = [] }: WorkflowInput): Pick<ExecuteOptions, "labels"> {
  return pairs.length === 0 ? {} : { labels: labelsOf(pairs) };
}

/** Returns the input of a start: the arguments, copied already, and what else the workflow can read. */
export function startInput(options: WorkflowOptions, args: readonly unknown[]): WorkflowInput {
  const { taskQueue, memo, typedSearchAttributes } = options;
  const searchAttributes = attributePairs(options.searchAttributes, typedSearchAttributes);
  return {
    args,
    taskQueue,
    ...(memo === undefined ? {} : { memo }),
    ...(searchAttributes.length === 0 ? {} : { searchAttributes }),
  };
}

/** The input of a stored workflow: one that was started without a client has the array of the arguments. */
export function inputOf(state: WorkflowState): Partial<WorkflowInput> {
  const { input } = state;
  return typeof input === "object" && input !== null && !Array.isArray(input) ? input as WorkflowInput : {};
}

/** The run that started a stored workflow. */
export function parentOf({ history: [first] }: WorkflowState): ParentRun | undefined {
  return first?.type === "workflow_started" ? first.parent : undefined;
}
