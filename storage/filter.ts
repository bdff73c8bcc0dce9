/**
 * Filters and pages, checked and ready to be applied.
 *
 * @module
 */

import type { WorkflowFilter, WorkflowStatus } from "../types.ts";
import { checkInteger, checkNumber, checkOptionalString, checkOptions, checkTexts, invalid } from "../util/check.ts";
import type { StateFields } from "../history/history.ts";
import { validateStatus } from "../history/validate.ts";

/**
 * Options of `InMemoryStore.page()`: which workflows, in which order, and where the page starts.
 *
 * @category Store
 */
export interface PageOptions extends WorkflowFilter {
  /**
   * The maximum number of workflows in the page: an integer from 1.
   *
   * @default {100}
   */
  readonly limit?: number | undefined;
  /**
   * The `cursor` of the previous page, which had the same `order`.
   *
   * @default {the first page}
   */
  readonly cursor?: string | undefined;
}

/** Which workflows a caller wants. */
export interface Query {
  /** `undefined` for every status. */
  readonly statuses: readonly WorkflowStatus[] | undefined;
  /** The other conditions, those on times included; `undefined` if there are none. */
  readonly matches: ((fields: StateFields) => boolean) | undefined;
  readonly createdAfter: number;
  readonly createdBefore: number;
  readonly order: "asc" | "desc";
  readonly limit: number;
}

const FILTER: Readonly<Record<keyof WorkflowFilter, true>> = {
  status: true,
  workflowName: true,
  idPrefix: true,
  labels: true,
  createdAfter: true,
  createdBefore: true,
  order: true,
  limit: true,
};
const PAGE: Readonly<Record<keyof PageOptions, true>> = /* @__PURE__ */ Object.assign(
  { cursor: true } as const,
  FILTER,
);

/** @throws {TypeError | RangeError} If the filter is malformed. */
export function toQuery(filter: WorkflowFilter, action: string): Query {
  checkOptions(filter, FILTER, action, undefined, "filter");
  return read(filter, action, 0, Infinity);
}

/** @throws {TypeError | RangeError} If the options are malformed. */
export function toPage(options: PageOptions, action: string): { query: Query; after: number | undefined } {
  checkOptions(options, PAGE, action);
  const query = read(options, action, 1, 100);
  return { query, after: toPlace(options.cursor, query.order, action) };
}

function read(filter: WorkflowFilter, action: string, minLimit: number, defaultLimit: number): Query {
  const { status, workflowName, idPrefix, order = "asc", limit = defaultLimit } = filter;
  const { createdAfter, createdBefore } = filter;
  const statuses = status === undefined ? undefined : toStatuses(status, action);
  checkOptionalString("workflowName", workflowName, action);
  checkOptionalString("idPrefix", idPrefix, action);
  const labels = checkTexts("labels", filter.labels, action);
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
    statuses,
    matches: any ? undefined : matches,
    createdAfter: after,
    createdBefore: before,
    order,
    limit,
  };
}

function toStatuses(status: WorkflowStatus | readonly WorkflowStatus[], action: string): WorkflowStatus[] {
  const statuses: WorkflowStatus[] = [];
  for (const one of Array.isArray(status) ? status : [status]) {
    validateStatus(one, action); // before the next one is read: an array can have billions of holes
    if (!statuses.includes(one)) statuses.push(one);
  }
  return statuses;
}

/** A cursor is a place and the order of its page. */
function toPlace(cursor: string | undefined, order: string, action: string): number | undefined {
  if (cursor === undefined) return undefined;
  const place = typeof cursor === "string" ? parseInt(cursor) : NaN;
  if (place >= 0 && cursor === place + order) return place;
  throw invalid("cursor", cursor, `the cursor of a page with "order" "${order}"`, action);
}
