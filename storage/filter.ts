/**
 * Filters and pages, checked and ready to be applied.
 *
 * @module
 */

import type { PageOptions, WorkflowFilter, WorkflowState, WorkflowStatus } from "../types.ts";
import { checkInteger, checkNumber, checkOptionalString, checkOptions, checkTexts, invalid } from "../util/check.ts";
import { validateStatus } from "../history/validate.ts";

/**
 * Which workflows a caller wants: a filter that was checked.
 *
 * @category Storage
 */
export interface Query {
  /** The statuses, each once; `undefined` for every status. */
  readonly statuses: readonly WorkflowStatus[] | undefined;
  /**
   * Whether a workflow matches all conditions but `statuses`; `undefined` if there are no others. A store may look up some of
   * the conditions, and leave the rest to this function.
   */
  readonly matches: ((head: Omit<WorkflowState, "history">) => boolean) | undefined;
  /** The name under which the workflow is registered; `undefined` for every name. */
  readonly workflowName: string | undefined;
  /** The beginning of the ID; empty for every ID. */
  readonly idPrefix: string;
  /** The labels that the run has, by name; none for any labels. */
  readonly labels: readonly (readonly [name: string, value: string])[];
  /** Only workflows created later than this time; `-Infinity` for any time. */
  readonly createdAfter: number;
  /** Only workflows created earlier than this time; `Infinity` for any time. */
  readonly createdBefore: number;
  /** In the order of creation, or in the reverse order. */
  readonly order: "asc" | "desc";
  /** The maximum number of results; `Infinity` if there is no limit. */
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

/**
 * Checks the argument of {@linkcode WorkflowStore.list}. It is read once.
 *
 * @param filter The argument.
 * @param action What is done, for the message.
 * @throws {TypeError} If a status or the order is unknown, a text or a label is not a string, or a property is unknown.
 * @throws {RangeError} If `limit` is not a non-negative integer, or a time is not a finite number.
 *
 * @category Storage
 */
export function readFilter(filter: WorkflowFilter = {}, action = "list workflows"): Query {
  checkOptions(filter, FILTER, action, undefined, "filter");
  return read(filter, action, 0, Infinity);
}

/**
 * A page that a caller wants.
 *
 * @category Storage
 */
export interface PageQuery {
  /** Which workflows, how many, and in which order. */
  readonly query: Query;
  /** The page holds only workflows behind this place; `undefined` for the first page, `NaN` if places are no numbers. */
  readonly after: number | undefined;
  /** The same place as it was given to {@linkcode toCursor}, for stores whose places are texts. */
  readonly place: string | undefined;
}

/** The text of an integer from 0. */
const INTEGER = /^(0|[1-9]\d{0,14})$/; // as exact as a number is

/**
 * Checks the options of a page. A store gives each workflow a place: an integer, or a text, that grows with every creation. The
 * cursor of a page is the place of its last workflow and the order, as {@linkcode toCursor} writes them.
 *
 * @param options The argument.
 * @param action What is done, for the message.
 * @param places What a place looks like; an integer from 0 by default.
 * @throws {TypeError | RangeError} As `readFilter` does; also if `cursor` is not that of a page with the same `order`, or
 * `limit` is not an integer from 1.
 *
 * @category Storage
 */
export function readPage(options: PageOptions = {}, action = "list workflows", places: RegExp = INTEGER): PageQuery {
  checkOptions(options, PAGE, action);
  const query = read(options, action, 1, 100);
  const place = toPlace(options.cursor, query.order, action, places);
  return { query, after: place === undefined ? undefined : Number(place), place };
}

/**
 * Returns the cursor of the page that follows.
 *
 * @param place The place of the last workflow of this page: an integer from 0, or a text.
 * @param order The order of this page.
 *
 * @category Storage
 */
export function toCursor(place: number | string, order: "asc" | "desc"): string {
  return place + order;
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
  const data = {
    statuses,
    workflowName,
    idPrefix: idPrefix ?? "",
    labels,
    createdAfter: createdAfter ?? -Infinity,
    createdBefore: createdBefore ?? Infinity,
    order,
    limit,
  };
  return { ...data, matches: matcherOf(data) };
}

/** A query as plain data: what can cross threads. */
export type QueryData = Omit<Query, "matches">;

/** The function `matches` of a query. */
export function matcherOf(
  { workflowName, idPrefix, labels, createdAfter, createdBefore }: QueryData,
): Query["matches"] {
  const any = workflowName === undefined && idPrefix === "" && labels.length === 0 && createdAfter === -Infinity &&
    createdBefore === Infinity;
  if (any) return undefined;
  return (fields) =>
    fields.createdAt > createdAfter && fields.createdAt < createdBefore &&
    (workflowName === undefined || fields.workflowName === workflowName) &&
    fields.workflowId.startsWith(idPrefix) &&
    labels.every(([name, value]) => fields.labels?.[name] === value);
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
function toPlace(cursor: string | undefined, order: string, action: string, places: RegExp): string | undefined {
  if (cursor === undefined) return undefined;
  const place = typeof cursor === "string" && cursor.endsWith(order) ? cursor.slice(0, -order.length) : "";
  if (places.test(place)) return place;
  throw invalid("cursor", cursor, `the cursor of a page with "order" "${order}"`, action);
}

/** The smallest text that is larger than every text that begins with `prefix`, in the order of code points; `undefined` if there is none. */
export function behind(prefix: string): string | undefined {
  const chars = [...prefix];
  while (chars.length > 0) {
    const code = chars.pop()!.codePointAt(0)! + 1;
    if (code <= 0x10ffff) return chars.join("") + String.fromCodePoint(code === 0xd800 ? 0xe000 : code);
  }
  return undefined;
}
