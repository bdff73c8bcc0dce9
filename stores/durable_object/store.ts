/**
 * The store on the SQL database of a Durable Object.
 *
 * 1. The platform runs an object once in the world. So the database has one writer: there are no leases, and no changes of others.
 * 2. A write is made in one synchronous step. The platform makes it durable before anything leaves the object that was sent after
 *    it: an answer, a request, a message. If it cannot, it ends the object, and nobody has seen the write.
 * 3. An append to a run writes one row; see `rows.ts`. Lists of heads read no history.
 *
 * @module
 */

import { codeOf } from "../../errors.ts";
import type { WorkflowPage } from "../../store.ts";
import type {
  AppendBatch,
  Delivery,
  DeliveryReceipt,
  HeadPage,
  PageOptions,
  StoreListener,
  WorkflowFilter,
  WorkflowHead,
  WorkflowState,
  WorkflowStateInit,
  WorkflowStore,
  WorkflowTail,
} from "../../types.ts";
import {
  acceptDelivery,
  applyToHead,
  batchKind,
  checkLoadSince,
  escapeText,
  expectedHead,
  Listeners,
  messageIds,
  type Payload,
  type PayloadCodec,
  payloadOf,
  Payloads,
  type PruneOptions,
  type Query,
  readBatch,
  readDelivery,
  readFilter,
  readId,
  readPage,
  readPrune,
  readState,
  toCursor,
  unescapeText,
  unreadable,
} from "../../storage/mod.ts";
import { type PayloadRow, type Raw, stubOf } from "../../storage/rows.ts";
import { Values } from "../../storage/values.ts";
import { cannot, checkFunction, checkObject, checkOptions } from "../../util/check.ts";
import type { ObjectSql, ObjectStorage } from "./platform.ts";
import { type Cell, type EventsRow, fromCell, migrate, type Row, SELECT, toCell, toRow, UPSERT } from "./rows.ts";

/**
 * Options of {@linkcode DurableObjectStore}.
 *
 * @category Durable Object
 */
export interface DurableObjectStoreOptions {
  /**
   * Encrypts or compresses inputs, results, errors and events. IDs, names, labels, statuses and times are not changed.
   *
   * @default {payloads are JSON texts}
   */
  readonly codec?: PayloadCodec | undefined;
}

/** Where the input and the outcome have their pieces, if they are too large for a row. */
const INPUT = -2;
const OUTCOME = -1;

/** How many rows are read at once. */
const READ_AT_ONCE = 256;

/**
 * Keeps workflows in the SQL database of a Durable Object. All tables begin with `rockpool_`; the database may hold tables of the
 * user. One store and one executor at a time work on an object: {@linkcode workflowObject} sees to that.
 *
 * @category Durable Object
 */
export class DurableObjectStore implements WorkflowStore {
  readonly #storage: ObjectStorage;
  readonly #sql: ObjectSql;
  readonly #values: Values;
  readonly #listeners = new Listeners();

  /**
   * Makes the tables, if they are not there.
   *
   * @param storage The storage of the object: `ctx.storage`.
   * @param options The codec.
   * @throws {TypeError} If an argument is of the wrong kind or unknown, or the object has no SQLite.
   * @throws {Error} If the tables are of a later release.
   */
  constructor(storage: ObjectStorage, options: DurableObjectStoreOptions = {}) {
    const action = "create a store";
    checkObject("storage", storage, action);
    checkFunction("storage.transactionSync", storage.transactionSync, action);
    checkOptions(options, { codec: true }, action);
    const { codec } = options;
    const payloads = new Payloads(codec);
    this.#values = new Values(payloads, codec === undefined ? null : payloads.codec);
    this.#storage = storage;
    this.#sql = sqlOf(storage, action);
    migrate(storage, action);
  }

  /** Writes a whole state; see {@linkcode WorkflowStore.save}. */
  async save(state: WorkflowStateInit): Promise<void> {
    const { head, events, createdAt } = readState(state);
    const { workflowId, input, result, error } = head;
    const history = events.length === 0 ? undefined : events;
    const written = this.#values.write(workflowId, payloadOf({ input }), payloadOf({ result, error }), history);
    const [inputs, outcome, batch] = written instanceof Promise ? await written : written;
    this.#change("save workflow", workflowId, () => {
      const known = this.#row(workflowId);
      const place = known?.place ?? this.#newPlace();
      const saved = { ...head, createdAt: createdAt ?? known?.created_at ?? head.createdAt };
      this.#clear(place);
      this.#put(place, saved, inputs, outcome);
      if (events.length > 0) this.#add(place, 0, events.length, head.updatedAt, batch!);
    });
    this.#listeners.call(workflowId, null);
  }

  /** Reads the stored state; `null` if there is none. See {@linkcode WorkflowStore.load}. */
  async load(workflowId: string): Promise<WorkflowState | null> {
    await undefined; // an error rejects
    const row = this.#row(readId(workflowId, "load workflow"));
    return row === undefined ? null : await this.#values.state(this.#raw(row, 0));
  }

  /**
   * Lists the states that match, in order of creation; see {@linkcode WorkflowStore.list}. The histories of all of them are read:
   * `page` and `heads` read less at a time. With the status `running`, finished workflows are not read.
   *
   * A workflow whose payloads cannot be read (damaged, or of another codec) is listed without input and result, and with a history
   * that is not valid: `recover()` refuses it alone.
   */
  async list(filter: WorkflowFilter = {}): Promise<WorkflowState[]> {
    await undefined; // an error rejects
    const query = readFilter(filter);
    const raws = Array.from(this.#rows(query, undefined, query.limit), (row) => this.#raw(row, 0));
    const states: WorkflowState[] = [];
    for (const raw of raws) {
      states.push(await this.#values.state(raw).catch((error) => unreadable(stubOf(raw.row), error)));
    }
    return states;
  }

  /**
   * Lists one page of the states that match, as they were at one moment. Writes between two pages do not matter: no workflow is
   * repeated, and no workflow that was stored all the time is left out.
   *
   * @param options Which workflows, how many, and where the page starts.
   * @throws {TypeError | RangeError} As `list` does; also if `limit` is not an integer from 1, or `cursor` is not that of a page
   * with the same `order`.
   */
  async page(options: PageOptions = {}): Promise<WorkflowPage> {
    const { items, cursor } = await this.#page(options, 0, (raw) => this.#values.state(raw));
    return { states: items, cursor };
  }

  /**
   * As {@linkcode DurableObjectStore.page}, but without the histories: the cost depends on the size of the page.
   *
   * @param options Which workflows, how many, and where the page starts.
   * @throws {TypeError | RangeError} As `page` does.
   */
  async heads(options: PageOptions = {}): Promise<HeadPage> {
    const { items, cursor } = await this.#page(options, Infinity, (raw) => this.#values.head(raw.row));
    return { heads: items, cursor };
  }

  /**
   * Counts the workflows that match. `limit` and `order` have no effect. Reads no history.
   *
   * @param filter Which workflows.
   * @throws {TypeError | RangeError} As `list` does.
   */
  async count(filter: WorkflowFilter = {}): Promise<number> {
    await undefined; // an error rejects
    const query = readFilter(filter, "count workflows");
    let count = 0;
    for (const _ of this.#rows(query, undefined, Infinity)) count++;
    return count;
  }

  /** Removes a workflow; see {@linkcode WorkflowStore.delete}. */
  async delete(workflowId: string): Promise<void> {
    await undefined; // an error rejects
    const action = "delete workflow";
    readId(workflowId, action);
    const deleted = this.#change(action, workflowId, () => {
      const row = this.#row(workflowId);
      if (row !== undefined) this.#delete(row.place);
      return row !== undefined;
    });
    if (deleted) this.#listeners.call(workflowId, null);
  }

  /** Adds events to a run if its history has the expected length; see {@linkcode WorkflowStore.append}. */
  async append(batch: AppendBatch): Promise<void> {
    const copy = readBatch(batch);
    const { workflowId, events } = copy;
    const kind = batchKind(copy);
    const { input, status, result, error } = applyToHead(expectedHead(copy, kind), copy); // also of a head that is not known
    const written = this.#values.write(
      workflowId,
      kind === "create" || kind === "continue" ? payloadOf({ input }) : undefined,
      status === "running" ? undefined : payloadOf({ result, error }),
      kind === "confirm" ? undefined : events,
    );
    const [inputs, outcome, history] = written instanceof Promise ? await written : written;
    const length = this.#change("append to workflow", workflowId, () => {
      const row = this.#row(workflowId);
      const head = row === undefined ? null : stubOf(row);
      const next = applyToHead(head, copy);
      const { historyLength, updatedAt, labels } = next;
      if (kind === "confirm") return historyLength;
      if (kind === "create" && row !== undefined) this.#delete(row.place);
      const place = kind === "create" ? this.#newPlace() : row!.place;
      if (kind === "continue") this.#clear(place);
      if (kind !== "append") this.#put(place, next, inputs, outcome);
      else if (next.status !== "running") {
        this.#sql.exec(
          `UPDATE rockpool_workflows SET status = ?, length = ?, updated_at = ?, outcome = ?, outcome_codec = ?
          WHERE place = ?`,
          next.status,
          historyLength,
          updatedAt,
          toCell(this.#sql, place, OUTCOME, outcome),
          this.#values.codec,
          place,
        );
      }
      if (kind === "append" && labels !== head!.labels) {
        this.#sql.exec("UPDATE rockpool_workflows SET labels = ? WHERE place = ?", JSON.stringify(labels), place);
      }
      this.#add(place, historyLength - events.length, historyLength, updatedAt, history!);
      return historyLength;
    });
    if (kind !== "confirm") this.#listeners.call(workflowId, length, copy);
  }

  /** Reads the end of a history; see {@linkcode WorkflowStore.loadSince}. */
  async loadSince(workflowId: string, length: number, runId?: string): Promise<WorkflowTail | null> {
    await undefined; // an error rejects
    checkLoadSince(workflowId, length, runId);
    const row = this.#row(workflowId);
    if (row === undefined || runId !== undefined && row.run_id !== escapeText(runId)) return null;
    return await this.#values.tail(this.#raw(row, length), length);
  }

  /**
   * Adds messages to the end of a running run; see {@linkcode WorkflowStore.deliver}. It reads the history. An executor that runs the
   * workflow does not call it.
   */
  async deliver(delivery: Delivery): Promise<DeliveryReceipt> {
    const copy = readDelivery(delivery);
    for (;;) {
      const tail = await this.loadSince(copy.workflowId, 0);
      const known = new Set(messageIds(tail?.events ?? []));
      const { added, batch } = acceptDelivery(tail && tail.head, copy, (id) => known.has(id));
      const { runId, historyLength } = tail!.head;
      if (batch === undefined) return { runId, historyLength, added };
      try {
        await this.append(batch);
        return { runId, historyLength: historyLength + batch.events.length, added };
      } catch (error) {
        if (codeOf(error) !== "conflict") throw error; // else something was stored while a codec worked
      }
    }
  }

  /** Calls `listener` after each change; see {@linkcode WorkflowStore.subscribe}. */
  subscribe(listener: StoreListener): () => void {
    return this.#listeners.add(listener);
  }

  /**
   * Deletes finished workflows. The space is used again by later writes.
   *
   * @param options Which workflows.
   * @returns How many were deleted.
   * @throws {TypeError | RangeError} If an option is unknown, or `finishedBefore` is not a finite number.
   */
  async prune(options: PruneOptions): Promise<number> {
    await undefined; // an error rejects
    const action = "prune the store";
    const finishedBefore = readPrune(options, action);
    const query = "SELECT place, workflow_id FROM rockpool_workflows WHERE status <> 'running' AND updated_at < ?";
    const found = this.#change(action, undefined, () => {
      const rows = this.#sql.exec(query, finishedBefore).toArray() as unknown as Pick<Row, "place" | "workflow_id">[];
      for (const { place } of rows) this.#delete(place);
      return rows;
    });
    for (const row of found) this.#listeners.call(unescapeText(row.workflow_id), null);
    return found.length;
  }

  // Writing

  /** Changes the database in one step, which takes effect as a whole or not at all. */
  #change<T>(action: string, workflowId: string | undefined, body: () => T): T {
    try {
      return this.#storage.transactionSync(body);
    } catch (error) {
      if (codeOf(error) !== undefined) throw error;
      throw new Error(`${cannot(action, workflowId)}: ${(error as Error).message}`, { cause: error });
    }
  }

  #newPlace(): number {
    const [{ last }] = this.#sql.exec("SELECT max(place) AS last FROM rockpool_workflows").toArray();
    return Number(last ?? 0) + 1;
  }

  /** Writes the row of a workflow. */
  #put(place: number, head: WorkflowHead, input: Payload | null, outcome: Payload | null): void {
    const cells = [toCell(this.#sql, place, INPUT, input), toCell(this.#sql, place, OUTCOME, outcome)] as const;
    this.#sql.exec(UPSERT, place, ...this.#values.columns(head, ...cells));
  }

  /** Writes the row of a batch of events. */
  #add(place: number, first: number, ends: number, at: number, batch: Payload): void {
    const cell = toCell(this.#sql, place, first, batch);
    this.#sql.exec(
      "INSERT INTO rockpool_events VALUES (?, ?, ?, ?, ?, ?)",
      place,
      first,
      ends,
      at,
      cell,
      this.#values.codec,
    );
  }

  /** Deletes what belongs to a run. */
  #clear(place: number): void {
    this.#sql.exec("DELETE FROM rockpool_events WHERE workflow = ?", place);
    this.#sql.exec("DELETE FROM rockpool_pieces WHERE workflow = ?", place);
  }

  #delete(place: number): void {
    this.#clear(place);
    this.#sql.exec("DELETE FROM rockpool_workflows WHERE place = ?", place);
  }

  // Reading

  #row(workflowId: string): Row | undefined {
    const [found] = this.#sql.exec(`${SELECT} WHERE w.workflow_id = ?`, escapeText(workflowId)).toArray();
    return found && toRow(found);
  }

  /** The rows of a query, in order. Read some at a time: a cursor that is not read to its end keeps its tables locked. */
  *#rows({ statuses, matches, order }: Query, after: number | undefined, limit: number): Iterable<Row> {
    const isRunning = statuses?.every((status) => status === "running") ? "AND w.status = 'running'" : ""; // has an index
    const query = `${SELECT} WHERE w.place ${
      order === "asc" ? ">" : "<"
    } ? ${isRunning} ORDER BY w.place ${order} LIMIT ?`;
    let last = after ?? (order === "asc" ? 0 : Number.MAX_SAFE_INTEGER);
    for (let count = 0; count < limit;) {
      const most = Math.min(limit - count, READ_AT_ONCE);
      const found = this.#sql.exec(query, last, most).toArray().map(toRow);
      for (const row of found) {
        last = row.place;
        if (statuses?.includes(row.status) === false || matches?.(stubOf(row)) === false) continue;
        count++;
        yield row;
      }
      if (found.length < most) return;
    }
  }

  async #page<T>(
    options: PageOptions,
    length: number,
    read: (raw: Raw) => Promise<T>,
  ): Promise<{ items: T[]; cursor: string | undefined }> {
    await undefined; // an error rejects
    const { query, after } = readPage(options);
    const rows = [...this.#rows(query, after, query.limit + 1)];
    const hasNext = rows.length > query.limit;
    if (hasNext) rows.pop();
    const raws = rows.map((row) => this.#raw(row, length)); // all of them at one moment
    const items: T[] = [];
    for (const raw of raws) items.push(await read(raw));
    return { items, cursor: hasNext ? toCursor(rows.at(-1)!.place, query.order) : undefined };
  }

  /** Reads the payloads of a workflow; of its events, the batches that have some of those after `length`. */
  #raw(row: Row, length: number): Raw<PayloadRow & Pick<Row, "place">> {
    const { place } = row;
    const payload = (first: number, cell: Cell) => cell === null ? null : fromCell(this.#sql, place, first, cell);
    const query = "SELECT first, events, codec FROM rockpool_events WHERE workflow = ? AND ends > ? ORDER BY first";
    const rows = length < row.length ? this.#sql.exec(query, place, length).toArray() as unknown as EventsRow[] : [];
    const events = rows.map(({ first, events, codec }) => ({ events: payload(first, events)!, codec }));
    return { row: { ...row, input: payload(INPUT, row.input), outcome: payload(OUTCOME, row.outcome) }, events };
  }
}

/** The database of an object. */
function sqlOf(storage: ObjectStorage, action: string): ObjectSql {
  let cause: unknown;
  try {
    if (typeof storage.sql?.exec === "function") return storage.sql;
  } catch (error) { // the platform throws for an object without SQLite
    cause = error;
  }
  const way = 'declare its class in "new_sqlite_classes" of a migration in the file of wrangler';
  throw new TypeError(`${cannot(action)}: the Durable Object has no SQLite: ${way}`, { cause });
}
