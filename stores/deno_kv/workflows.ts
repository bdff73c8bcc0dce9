/**
 * Reads and writes workflows: their rows, histories and payloads.
 *
 * 1. A write reads the row, decides, and commits one transaction that compares the versionstamp of the row. If another write was
 *    faster, it begins again. So a write takes effect in one step, and one of several writers is always done.
 * 2. The cost of an append depends on its batch, and on what is in the row: a small input, labels.
 *
 * @module
 */

import { systemClock } from "../../clock.ts";
import {
  applyToHead,
  batchKind,
  checkOwner,
  dueAt,
  incompleteHistory,
  messageIds,
  payloadOf,
  type Payloads,
  toState,
} from "../../storage/mod.ts";
import type { AppendBatch, WorkflowEvent, WorkflowHead, WorkflowState } from "../../types.ts";
import { cannot } from "../../util/check.ts";
import { addChange, KEPT_MS, momentOf } from "./changes.ts";
import { type DenoKvAtomic, type DenoKvEntry, type Keyspace, partsOf } from "./keyspace.ts";
import { indexOf, type NewRow, type Row, rowOf } from "./rows.ts";
import { readValue, type Stored, sweep, ValueWriter } from "./values.ts";

/** What a write does to a workflow. */
export interface Edit {
  /** The next head; `null` if the workflow is deleted. */
  readonly head: WorkflowHead | null;
  /** What listeners get: the length of the history after an append, else `null`. */
  readonly length: number | null;
  /** Whether the events are added to the history. Otherwise they are the history. */
  readonly adds?: boolean;
  /** Whether the workflow becomes the last in the order of creation. */
  readonly moves?: boolean;
  readonly events?: readonly WorkflowEvent[];
  readonly owner?: string | null;
  readonly dueAt?: number;
}

/** The largest input, result or error that is stored in the row, in characters or bytes: each append writes the row again. */
const MAX_IN_ROW = 1_000;
/**
 * The largest head, in characters of JSON. A value has at most 65,536 bytes: the log holds a row and an ID, and a character may have
 * two bytes.
 */
const MAX_HEAD = 14_000;
/** At most so many messages have a key of their own: a transaction writes at most 1,000 keys, of at most 80 KiB. */
const MAX_MESSAGE_KEYS = 20;
/** An instance deletes what is not used at most this often, in milliseconds. */
const SWEEP_MS = 60_000;

export class Workflows {
  readonly #keys: Keyspace;
  readonly #payloads: Payloads;
  readonly #by: string;
  #sweptAt = -Infinity;
  #sweeping: Promise<unknown> = Promise.resolve();

  /** @param by Identifies the instance in the log. */
  constructor(keys: Keyspace, payloads: Payloads, by: string) {
    this.#keys = keys;
    this.#payloads = payloads;
    this.#by = by;
  }

  /** Deletes what is not used. It never rejects: the next one repeats it. */
  get sweeping(): Promise<unknown> {
    return this.#sweeping;
  }

  async row(workflowId: string): Promise<Row | undefined> {
    return rowOf(await this.#entry(await partsOf(workflowId)));
  }

  /**
   * Compares and writes: calls `edit` with the row, and again if another write was faster.
   *
   * @param edit Adds to the transaction, and returns what is returned; `undefined` if there is nothing to do.
   */
  async edit<T>(
    workflowId: string,
    edit: (row: Row | undefined, atomic: DenoKvAtomic) => T | undefined | Promise<T | undefined>,
  ): Promise<T | undefined> {
    const parts = await partsOf(workflowId);
    for (;;) {
      const entry = await this.#entry(parts);
      const atomic = this.#keys.atomic().check(entry);
      const edited = await edit(rowOf(entry), atomic);
      if (edited === undefined || await this.#keys.commit(atomic)) return edited;
    }
  }

  /** As {@linkcode edit}, for a change that others see. */
  async change(
    workflowId: string,
    edit: (row: Row | undefined) => Edit | undefined | Promise<Edit | undefined>,
  ): Promise<Edit | undefined> {
    const keys = this.#keys;
    const changed = await this.edit(workflowId, async (row, atomic) => {
      const change = await edit(row);
      if (change === undefined) return undefined;
      const { head, length, moves } = change;
      if (row !== undefined && !change.adds) atomic.set(keys.key("unused", row.data), systemClock.now());
      if (row !== undefined && (head === null || moves)) {
        for (const index of ["order", "running"]) atomic.delete(keys.key(index, row.place));
      }
      if (head === null) atomic.delete(keys.key("workflow", ...await partsOf(workflowId)));
      else await this.put(atomic, await this.#write(atomic, row, head, change));
      addChange(keys, atomic, { id: workflowId, length, by: this.#by, before: row });
      return change;
    });
    const now = systemClock.now();
    if (now - this.#sweptAt > SWEEP_MS) {
      this.#sweptAt = now;
      this.#sweeping = sweep(keys, now - KEPT_MS).catch(() => {});
    }
    return changed;
  }

  /** Writes a row, and what it is looked up by. */
  async put<T extends NewRow>(atomic: DenoKvAtomic, row: T): Promise<T> {
    const { head: { workflowId, status }, place = this.#keys.stamp() } = row;
    atomic.set(this.#keys.key("workflow", ...await partsOf(workflowId)), row);
    if (row.place === undefined) atomic.set(this.#keys.key("order", place), workflowId);
    if (status === "running") atomic.set(this.#keys.key("running", place), indexOf(row));
    else if (row.place !== undefined) atomic.delete(this.#keys.key("running", place));
    return row;
  }

  async head(row: Row): Promise<WorkflowHead> {
    const head = { ...row.head };
    if (row.input !== undefined) Object.assign(head, { input: await this.#read(row, row.input) });
    if (row.outcome !== undefined) Object.assign(head, await this.#read(row, row.outcome));
    return head;
  }

  async state(row: Row): Promise<WorkflowState> {
    const [head, history] = await Promise.all([this.head(row), this.events(row, 0)]);
    return toState(head, history);
  }

  /** The events from an index on. */
  async events(row: Row, from: number): Promise<WorkflowEvent[]> {
    const { workflowId, historyLength } = row.head;
    if (from >= historyLength) return [];
    const parts = ["data", row.data];
    let first = from; // the first event of the append that wrote this one
    if (from > 0) {
      for await (const { key } of this.#keys.list(parts, { from: 0, to: from + 1, reverse: true, limit: 1 })) {
        first = key.at(-1) as number;
      }
    }
    const events: WorkflowEvent[] = [];
    for await (const { value } of this.#keys.list(parts, { from: first, to: historyLength })) {
      events.push(...await this.#read(row, value as Stored) as WorkflowEvent[]);
    }
    if (first + events.length === historyLength) return first === from ? events : events.slice(from - first);
    throw incompleteHistory(workflowId, events.length, historyLength - first);
  }

  /** Which of some messages a run has. */
  async messages(row: Row, ids: readonly string[]): Promise<Set<string>> {
    const keys = this.#keys;
    const parts = ["data", row.data] as const;
    const wanted = ids.map(async (id) => keys.key(...parts, "message", ...await partsOf(id)));
    const entries = await keys.getMany(await Promise.all(wanted));
    const known = new Set(ids.filter((_, i) => entries[i].value !== null));
    for await (const { value } of keys.list([...parts, "messages"])) {
      for (const id of await this.#read(row, value as Stored) as string[]) known.add(id);
    }
    return known;
  }

  /** Writes events and payloads. Returns the next row. */
  async #write(
    atomic: DenoKvAtomic,
    row: Row | undefined,
    { input, result, error, ...head }: WorkflowHead,
    { adds, moves, events = [], owner = null, dueAt = -Infinity }: Edit,
  ): Promise<NewRow> {
    const keys = this.#keys;
    if (!adds || head.labels !== row!.head.labels) checkSize(head);
    const data = adds ? row!.data : crypto.randomUUID();
    const first = adds ? row!.head.historyLength : 0;
    const values = new ValueWriter(keys, this.#payloads, head.workflowId, data);
    if (events.length > 0) atomic.set(keys.key("data", data, first), await values.write(events));
    const messages = [...new Set(messageIds(events))];
    if (messages.length > MAX_MESSAGE_KEYS) {
      atomic.set(keys.key("data", data, "messages", first), await values.write(messages));
    } else {
      for (const id of messages) atomic.set(keys.key("data", data, "message", ...await partsOf(id)), 1);
    }
    const outcome = payloadOf({ result, error });
    const next = {
      head,
      input: adds ? row!.input : input === undefined ? undefined : await values.write(input, MAX_IN_ROW),
      outcome: adds && head.status === "running" ? row!.outcome : outcome && await values.write(outcome, MAX_IN_ROW),
      data,
      place: moves ? undefined : row?.place,
      owner,
      fence: moves ? 0 : row?.fence ?? 0,
      dueAt,
    };
    await values.finish(atomic);
    return next;
  }

  /** @throws {Error} If a later release has written. */
  async #entry(parts: readonly string[]): Promise<DenoKvEntry> {
    const [entry, last] = await this.#keys.getMany([this.#keys.key("workflow", ...parts), this.#keys.key("last")]);
    momentOf(last);
    return entry;
  }

  #read({ head, data }: Row, stored: Stored): Promise<unknown> {
    return readValue(this.#keys, this.#payloads, head.workflowId, data, stored);
  }
}

/** @throws {TypeError} If a row has no room for a head, or the log has none for its row. */
function checkSize(head: WorkflowHead): void {
  const { length } = JSON.stringify(head);
  if (length <= MAX_HEAD) return;
  const why = `its IDs, name and labels have ${length} characters, Deno KV has room for ${MAX_HEAD}`;
  throw new TypeError(`${cannot("write workflow", head.workflowId)}: ${why}`);
}

/**
 * What an append does to a workflow; `undefined` for nothing.
 *
 * @throws {WorkflowError} With code `conflict` or `lease_lost` if it does not fit.
 */
export function appendTo(row: Row | undefined, batch: AppendBatch): Edit | undefined {
  const head = row?.head ?? null;
  checkOwner(head, row?.owner, batch);
  const next = applyToHead(head, batch);
  const kind = batchKind(batch);
  if (kind === "confirm") return undefined;
  return {
    head: next,
    length: next.historyLength,
    adds: kind === "append",
    moves: kind === "create",
    events: batch.events,
    owner: kind === "create" ? batch.owner ?? null : row!.owner,
    dueAt: dueAt(batch.wakeAt),
  };
}
