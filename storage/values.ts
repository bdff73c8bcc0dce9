/**
 * What the rows of the stores on SQLite mean: writes values as the columns of rows, and reads heads, events and states of them. It needs no database.
 *
 * @module
 */

import { toState } from "../history/history.ts";
import type { WorkflowEvent, WorkflowHead, WorkflowState, WorkflowTail } from "../types.ts";
import { escapeText, incompleteHistory, type Payload, type Payloads, unescapeText } from "./payloads.ts";
import { type Columns, type EventsRow, type PayloadRow, type Raw, stubOf } from "./rows.ts";

export class Values {
  readonly #payloads: Payloads;
  /** The name that is stored beside payloads; `null` for JSON texts. */
  readonly codec: string | null;

  constructor(payloads: Payloads, codec: string | null) {
    this.#payloads = payloads;
    this.codec = codec;
  }

  /** Returns the payloads of values, `null` for `undefined`; a promise only if the codec returns one. */
  write(workflowId: string, ...values: unknown[]): (Payload | null)[] | Promise<(Payload | null)[]> {
    // A codec may return characters that SQLite does not keep.
    const toColumn = (payload: Payload) => typeof payload === "string" && this.codec ? escapeText(payload) : payload;
    const written = values.map((value) => value === undefined ? null : this.#payloads.write(value, workflowId));
    const columns = written.map((one) =>
      one instanceof Promise ? one.then(toColumn) : one === null ? null : toColumn(one)
    );
    return columns.some((one) => one instanceof Promise) ? Promise.all(columns) : columns as (Payload | null)[];
  }

  read(payload: Payload, codec: string | null, workflowId: string): unknown {
    if (codec === null) return this.#payloads.read(payload, "json", workflowId);
    return this.#payloads.read(typeof payload === "string" ? unescapeText(payload) : payload, codec, workflowId);
  }

  /** The values of the first columns of a row. */
  columns(head: WorkflowHead, input: Columns[number], outcome: Columns[number]): Columns {
    const { workflowId, runId, firstRunId, parent, workflowName, status, historyLength, createdAt, updatedAt } = head;
    const toText = (value: object | undefined) => value === undefined ? null : JSON.stringify(value);
    const ids = [
      escapeText(workflowId),
      escapeText(runId),
      escapeText(firstRunId),
      toText(parent),
      escapeText(workflowName),
    ];
    const text = toText(head.labels);
    const { codec } = this;
    return [...ids, status, historyLength, createdAt, updatedAt, text, input, codec, outcome, codec];
  }

  async head(row: PayloadRow): Promise<WorkflowHead> {
    const head = stubOf(row);
    for (const [payload, codec] of [[row.input, row.input_codec], [row.outcome, row.outcome_codec]] as const) {
      if (payload !== null) Object.assign(head, await this.read(payload, codec, head.workflowId));
    }
    return head;
  }

  /** The head of a row; without input and outcome if they cannot be read: a damaged run must not keep others from being claimed. */
  async headOrStub(row: PayloadRow): Promise<WorkflowHead> {
    try {
      return await this.head(row);
    } catch {
      return stubOf(row);
    }
  }

  async state({ row, events }: Raw): Promise<WorkflowState> {
    const head = await this.head(row);
    const history = await this.events(events!, head.workflowId);
    if (history.length !== head.historyLength) {
      throw incompleteHistory(head.workflowId, history.length, head.historyLength);
    }
    return toState(head, history);
  }

  /** @param raw With the events from `length` on, and perhaps some before. */
  async tail({ row, events }: Raw, length: number): Promise<WorkflowTail> {
    const head = await this.head(row);
    const found = await this.events(events!, head.workflowId);
    const wanted = Math.max(0, head.historyLength - length);
    if (found.length < wanted) {
      const missing = wanted - found.length;
      throw incompleteHistory(head.workflowId, head.historyLength - missing, head.historyLength);
    }
    return { head, events: Object.freeze(found.slice(found.length - wanted)) };
  }

  async events(rows: readonly EventsRow[], workflowId: string): Promise<WorkflowEvent[]> {
    const events: WorkflowEvent[] = [];
    for (const { events: payload, codec, isWhole } of rows) {
      const read = isWhole
        ? this.#payloads.readJoined(payload as string, workflowId).flat()
        : this.read(payload, codec, workflowId);
      for (const event of (read instanceof Promise ? await read : read) as WorkflowEvent[]) events.push(event);
    }
    return events;
  }
}
