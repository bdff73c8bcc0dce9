/**
 * The rows of a store: how they are read, and what follows from a row alone.
 *
 * Each row is read as one JSON text; see `client.ts`.
 *
 * @module
 */

import { escapeText, type Payload, type Query, unescapeText } from "../../storage/mod.ts";
import { behind } from "../../storage/filter.ts";
import { type HeadRow, stubOf as readHead } from "../../storage/rows.ts";
import type { Labels, WorkflowHead } from "../../types.ts";
import { fromBase64, toBase64 } from "../../util/base64.ts";
import { withLiterals } from "./literal.ts";
import type { Names } from "./schema.ts";

/** A row of `rockpool_workflows`, and the rows of its events if they were asked for. */
export interface Row extends HeadRow {
  readonly place: number;
  readonly input: string | null;
  readonly input_codec: string | null;
  readonly outcome: string | null;
  readonly outcome_codec: string | null;
  readonly mail: number;
  readonly owner: string | null;
  readonly fence: number;
  /** In order; `null` for none. Each is a payload, its codec, and the index of its first event. */
  readonly events?: readonly (readonly [events: string, codec: string | null, first: number])[] | null;
}

const COLUMNS =
  "place workflow_id run_id first_run_id parent workflow_name status length created_at updated_at labels input input_codec outcome " +
  "outcome_codec mail owner fence";

/**
 * The expression of a row of the table `w`.
 *
 * @param more More properties, as `'name', expression`.
 */
export function rowExpression(...more: string[]): string {
  return `json_build_object(${
    [...COLUMNS.split(" ").map((name) => `'${name}', w.${name}`), ...more].join()
  })::text AS row`;
}

/**
 * The events of a row, for {@linkcode rowExpression}.
 *
 * @param since Only those from this index on, and some before it.
 */
export function eventsExpression({ of }: Names, since?: string): string {
  const events = `SELECT json_agg(json_build_array(e.events, e.codec, e.first) ORDER BY e.first)
    FROM ${of("events")} e WHERE e.history = w.history`;
  if (since === undefined) return `'events', (${events})`;
  const first = `SELECT max(b.first) FROM ${of("events")} b WHERE b.history = w.history AND b.first <= ${since}`;
  return `'events', CASE WHEN w.length > ${since} THEN (${events} AND e.first >= (${first})) END`;
}

/** The head of a row, without input and outcome. */
export function stubOf(row: Row): WorkflowHead {
  return readHead(row, fromTexts);
}

/** Writes names and texts, so that Postgres can look them up in the JSON text. */
export function toTexts(texts: Iterable<readonly [string, string]>): string {
  return JSON.stringify(Object.fromEntries(Array.from(texts, (pair) => pair.map(escapeText))));
}

function fromTexts(json: string): Labels {
  return Object.fromEntries(Object.entries<string>(JSON.parse(json)).map((pair) => pair.map(unescapeText)));
}

/** What is stored of a payload of a codec: a text or bytes. Plain JSON texts are stored as they are. */
export function ofCodec(payload: Payload): string {
  return typeof payload === "string" ? `t${escapeText(payload)}` : `b${toBase64(payload)}`;
}

/** What {@linkcode ofCodec} has written. */
export function toCodec(stored: string): Payload {
  return stored.startsWith("b") ? fromBase64(stored.slice(1)) : unescapeText(stored.slice(1));
}

/** How many characters of an ID or a name an index holds. */
const INDEXED = 100;

/**
 * The conditions of a query, and whether rows that fit them must be compared once more.
 *
 * What is searched for is written as literals, without parameters: a plan that Postgres keeps for every text fits none that is rare.
 */
export function conditions(
  { of }: Names,
  query: Query,
  after: number | undefined,
): { readonly where: string; readonly params: string[]; readonly exact: boolean } {
  const { statuses, workflowName, createdAfter, createdBefore, order, idPrefix, labels } = query;
  const parts: string[] = [];
  const params: string[] = [];
  const add = (before: string, value: string | number, behind = "") =>
    void parts.push(`${before} $${params.push(String(value))}::text${behind}`);
  if (after !== undefined) add(`w.place ${order === "asc" ? ">" : "<"}`, after, "::bigint");
  const paged = params.length;
  if (statuses !== undefined) parts.push(`w.status IN (${["", ...statuses].map((status) => `'${status}'`).join()})`);
  if (workflowName !== undefined) {
    const name = escapeText(workflowName);
    add(`left(w.workflow_name, ${INDEXED}) =`, first(name));
    add("w.workflow_name =", name);
  }
  if (createdAfter > -Infinity) add("w.created_at >", createdAfter, "::float8");
  if (createdBefore < Infinity) add("w.created_at <", createdBefore, "::float8");
  for (const label of labels) {
    const [name, value] = label.map(escapeText);
    const found = `w.place IN (SELECT l.workflow FROM ${of("labels")} l WHERE l.label =`;
    add(`${found} sha256(convert_to(`, `${[...name].length}:${name}${value}`, ", 'UTF8')))");
  }
  // A prefix can end between the halves of a pair.
  const whole = idPrefix.replace(/[\ud800-\udbff]$/, "");
  if (whole !== "") {
    const prefix = escapeText(whole);
    const end = behind(first(prefix));
    add(`left(w.workflow_id, ${INDEXED}) >=`, first(prefix));
    if (end !== undefined) add(`left(w.workflow_id, ${INDEXED}) <`, end);
    add("starts_with(w.workflow_id,", prefix, ")");
  }
  const where = parts.length === 0 ? "" : `WHERE ${parts.join(" AND ")}`;
  const exact = whole === idPrefix;
  return params.length > paged ? { where: withLiterals(where, params), params: [], exact } : { where, params, exact };
}

function first(text: string): string {
  return [...text].slice(0, INDEXED).join("");
}
