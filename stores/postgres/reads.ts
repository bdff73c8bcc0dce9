/**
 * Reads of a store: the statements, and what their rows hold.
 *
 * 1. Each read is one statement, so what it finds was stored at one moment.
 * 2. Histories are read only where they are asked for.
 *
 * @module
 */

import {
  escapeText,
  incompleteHistory,
  type Query,
  type readPage,
  toCursor,
  toState,
  unescapeText,
} from "../../storage/mod.ts";
import type { WorkflowEvent, WorkflowHead, WorkflowState, WorkflowTail } from "../../types.ts";
import type { PostgresClient } from "./client.ts";
import type { Columns } from "./columns.ts";
import { failure, isTransient } from "./failure.ts";
import { conditions, eventsExpression, type Row, rowExpression, stubOf } from "./rows.ts";
import type { Names } from "./schema.ts";
import { hash } from "./literal.ts";
import { backOff } from "./writes.ts";

/** How often a statement is sent again that was rolled back because of others. */
const MOST_TRIES = 10;

export class Reads {
  readonly #client: PostgresClient;
  readonly #names: Names;
  readonly #columns: Columns;

  constructor(client: PostgresClient, names: Names, columns: Columns) {
    this.#client = client;
    this.#names = names;
    this.#columns = columns;
  }

  /** Returns the rows of a statement. It is sent again if Postgres has rolled it back because of others. */
  async query<T>(action: string, text: string, params: readonly string[]): Promise<T[]> {
    for (let attempt = 1;; attempt++) {
      try {
        return (await this.#client.query(text, params)).map((row) => JSON.parse(Object.values(row)[0]));
      } catch (error) {
        if (!isTransient(error) || attempt === MOST_TRIES) throw failure(action, error);
        await backOff(attempt);
      }
    }
  }

  /**
   * The row of a workflow.
   *
   * @param more More properties, as for `rowExpression`; `$2` and what follows are `params`.
   */
  async row(action: string, workflowId: string, more = "", params: readonly string[] = []): Promise<Row | undefined> {
    const where = `WHERE w.key = ${hash("$1::text")}`;
    return (await this.#rows(action, where, [escapeText(workflowId), ...params], more))[0];
  }

  /** The state of a workflow; `null` if there is none. */
  async load(action: string, workflowId: string): Promise<WorkflowState | null> {
    const row = await this.row(action, workflowId, eventsExpression(this.#names));
    return row === undefined ? null : await this.state(row);
  }

  /** The head of a workflow, and its events from an index on. */
  async tail(action: string, workflowId: string, length: number, runId?: string): Promise<WorkflowTail | null> {
    const params = [escapeText(workflowId)];
    let events = "";
    if (length < Number.MAX_SAFE_INTEGER) {
      events = eventsExpression(this.#names, `$${params.push(`${length}`)}::text::bigint`);
    }
    let where = `WHERE w.key = ${hash("$1::text")}`;
    if (runId !== undefined) where += ` AND w.run_id = $${params.push(escapeText(runId))}::text`;
    const [row] = await this.#rows(action, where, params, events);
    if (row === undefined) return null;
    const first = row.events?.[0]?.[2] ?? row.length;
    const found = await this.#history(row, first);
    return { head: await this.head(row), events: Object.freeze(found.slice(Math.max(0, length - first))) };
  }

  #rows(action: string, rest: string, params: readonly string[], more: string): Promise<Row[]> {
    const row = rowExpression(...(more === "" ? [] : [more]));
    return this.query(action, `SELECT ${row} FROM ${this.#names.of("workflows")} w ${rest}`, params);
  }

  /** The rows of a query, in order. */
  async matching(
    action: string,
    query: Query,
    after: number | undefined,
    limit: number,
    histories: boolean,
  ): Promise<Row[]> {
    if (limit === 0) return [];
    const { where, params, exact } = conditions(this.#names, query, after);
    const most = exact && limit < Number.MAX_SAFE_INTEGER ? `LIMIT ${limit}` : "";
    const rest = `${where} ORDER BY w.place ${query.order} ${most}`;
    const rows = await this.#rows(action, rest, params, histories ? eventsExpression(this.#names) : "");
    return exact ? rows : rows.filter((row) => query.matches!(stubOf(row))).slice(0, limit);
  }

  async page(
    action: string,
    { query, after }: ReturnType<typeof readPage>,
    histories: boolean,
  ): Promise<{ rows: Row[]; cursor: string | undefined }> {
    const rows = await this.matching(action, query, after, query.limit + 1, histories);
    const hasNext = rows.length > query.limit;
    if (hasNext) rows.pop();
    return { rows, cursor: hasNext ? toCursor(rows.at(-1)!.place, query.order) : undefined };
  }

  /** How many workflows match a query. */
  async count(action: string, query: Query): Promise<number> {
    const { where, params, exact } = conditions(this.#names, query, undefined);
    if (!exact) return (await this.matching(action, query, undefined, Infinity, false)).length;
    const sql = `SELECT count(*)::text AS row FROM ${this.#names.of("workflows")} w ${where}`;
    return (await this.query<number>(action, sql, params))[0];
  }

  async head(row: Row): Promise<WorkflowHead> {
    const head = stubOf(row);
    for (const [payload, codec] of [[row.input, row.input_codec], [row.outcome, row.outcome_codec]] as const) {
      if (payload !== null) Object.assign(head, await this.#columns.decode(payload, codec, head.workflowId));
    }
    return head;
  }

  async state(row: Row): Promise<WorkflowState> {
    return toState(await this.head(row), await this.#history(row, 0));
  }

  /** The events of a row from an index on: all that were read. */
  async #history(row: Row, first: number): Promise<WorkflowEvent[]> {
    const workflowId = unescapeText(row.workflow_id);
    const history: WorkflowEvent[] = [];
    for (const [payload, codec] of row.events ?? []) {
      const part = this.#columns.decode(payload, codec, workflowId);
      history.push(...(part instanceof Promise ? await part : part) as WorkflowEvent[]);
    }
    if (history.length !== row.length - first) throw incompleteHistory(workflowId, first + history.length, row.length);
    return history;
  }
}
