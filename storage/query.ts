/**
 * A filter, checked and ready to be applied.
 *
 * @module
 */

import type { WorkflowFilter, WorkflowStatus } from "../types.ts";
import { checkInteger, checkLabels, checkNumber, checkObject, checkOptionalString, invalid } from "../util/check.ts";
import { checkStatus, type StateFields } from "../history/history.ts";

/** Which workflows are wanted. */
export interface Query {
  /** `undefined` for every one. */
  readonly statuses: readonly WorkflowStatus[] | undefined;
  /** What else must be true, the times included; `undefined` for nothing. */
  readonly matches: ((fields: StateFields) => boolean) | undefined;
  readonly createdAfter: number;
  readonly createdBefore: number;
  readonly descending: boolean;
  readonly limit: number;
}

/** @throws {TypeError | RangeError} If the filter is malformed. */
export function toQuery(filter: WorkflowFilter, action: string, minLimit = 0): Query {
  checkObject("filter", filter, action);
  const { status, workflowName, idPrefix, order = "asc", limit = Infinity } = filter;
  const { createdAfter, createdBefore } = filter;
  const wanted = new Set<WorkflowStatus>();
  if (status !== undefined) {
    for (const one of Array.isArray(status) ? status : [status]) {
      checkStatus(one, action); // at once: an array can have billions of holes
      wanted.add(one);
    }
  }
  checkOptionalString("workflowName", workflowName, action);
  checkOptionalString("idPrefix", idPrefix, action);
  const labels = checkLabels(filter.labels, action);
  if (createdAfter !== undefined) checkNumber("createdAfter", createdAfter, -Infinity, action);
  if (createdBefore !== undefined) checkNumber("createdBefore", createdBefore, -Infinity, action);
  if (order !== "asc" && order !== "desc") throw invalid("order", order, `"asc" or "desc"`, action);
  if (limit !== Infinity) checkInteger("limit", limit, minLimit, action);
  const after = createdAfter ?? -Infinity;
  const before = createdBefore ?? Infinity;
  const matches = (fields: StateFields) =>
    fields.createdAt > after && fields.createdAt < before &&
    (workflowName === undefined || fields.workflowName === workflowName) &&
    (idPrefix === undefined || fields.workflowId.startsWith(idPrefix)) &&
    labels.every(([name, value]) => fields.labels?.[name] === value);
  const any = workflowName === undefined && idPrefix === undefined && labels.length === 0 && after === -Infinity &&
    before === Infinity;
  return {
    statuses: status === undefined ? undefined : [...wanted],
    matches: any ? undefined : matches,
    createdAfter: after,
    createdBefore: before,
    descending: order === "desc",
    limit,
  };
}
