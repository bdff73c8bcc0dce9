/**
 * The errors of calls that are refused.
 *
 * @module
 */

import { type WorkflowError, workflowError } from "../../errors.ts";
import type { Refusal } from "./wire.ts";

/** The error of a message to a workflow that does not run. */
export function notFound(action: string, id: string, { status }: Pick<Refusal, "status">): WorkflowError {
  const why = status === undefined ? "it does not exist" : `its status is "${status}"`;
  return workflowError("not_found", action, id, why);
}

/** The error of what has no counterpart in Restate. */
export function unsupported(action: string, subject: unknown, what: string, way: string): WorkflowError {
  return workflowError("unsupported", action, subject, `Restate has no counterpart of ${what}; ${way}`);
}
