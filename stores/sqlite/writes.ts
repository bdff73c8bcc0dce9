/**
 * The writes of a store. Each runs in a transaction of the caller.
 *
 * 1. What a write gets and answers is plain data, so that both can cross threads.
 * 2. A write that refuses answers so, and has changed nothing. A write that throws may have changed something.
 *
 * @module
 */

import { systemClock } from "../../clock.ts";
import { type BatchKind, escapeText, type Payload, type readClaim, unescapeText } from "../../storage/mod.ts";
import type { Columns } from "../../storage/rows.ts";
import type { WorkflowStatus } from "../../types.ts";
import type { ClaimedRow, Leases } from "./leases.ts";
import type { Row, Statements } from "./rows.ts";

/** For how long deletions are remembered for other processes, in milliseconds. */
const DELETIONS_KEPT_MS = 3_600_000;
/** How many workflows `prune` deletes in one transaction. */
export const PRUNED_AT_ONCE = 500;

/** Events that a write adds. */
export interface Added {
  readonly payload: Payload;
  readonly count: number;
  /** The messages that they deliver. */
  readonly messages: readonly string[];
}

/** How a run is after an append. */
export interface Next {
  readonly status: WorkflowStatus;
  readonly updatedAt: number;
  readonly outcome: Payload | null;
  /** As JSON; `undefined` if they do not change. */
  readonly labels: string | undefined;
}

export interface Append {
  readonly kind: BatchKind;
  readonly workflowId: string;
  readonly runId: string;
  readonly expectedLength: number;
  readonly replaces: string | undefined;
  readonly owner: string | undefined;
  /** From then on the run is due. */
  readonly wakeAt: number;
  /** The row of the run that is created or continued. */
  readonly columns: Columns | undefined;
  readonly next: Next;
  /** `undefined` if nothing is added. */
  readonly added: Added | undefined;
}

/** What is stored instead of what an append expected. */
export interface Found {
  readonly row: Row | undefined;
  readonly owner: string | undefined;
}

export interface Deliver {
  readonly workflowId: string;
  readonly firstRunId: string | undefined;
  /** The key of each message; `null` for an event that is none. */
  readonly messages: readonly (string | null)[];
  /** Which of them the run is expected to have. */
  readonly known: readonly boolean[];
  /** The others. */
  readonly added: Added;
  readonly next: Next;
}

export interface Delivered {
  readonly row: Row | undefined;
  /** Which of the messages the run had. */
  readonly known: readonly boolean[];
  /** Whether the run was as expected, so that the others were added. */
  readonly written: boolean;
}

/** What a row must have: escaped ID and ID of the run, length of the history, owner or `null` for anybody. */
type Expected = readonly [id: string, runId: string, length: number, owner: string | null];

export class Writes {
  readonly #sql: Statements;
  readonly #leases: Leases;
  readonly #codec: string | null;
  readonly #version: () => number;

  /**
   * @param codec The name that is stored beside payloads; `null` for JSON texts.
   * @param version Returns the version of the current transaction. Only writes that change something ask for it.
   */
  constructor(sql: Statements, leases: Leases, codec: string | null, version: () => number) {
    this.#sql = sql;
    this.#leases = leases;
    this.#codec = codec;
    this.#version = version;
  }

  /** @param createdAt `null` to keep that of a stored workflow. */
  save(columns: Columns, createdAt: number | null, added: Added | undefined): void {
    const version = this.#version();
    const { place } = this.#sql.save.get(...columns, version, version, createdAt) as { place: number };
    this.#clear(place);
    if (added !== undefined) this.#add(place, 0, added);
  }

  /** @returns What is stored, if the batch does not fit; nothing if it was written. */
  append(batch: Append): Found | undefined {
    const { kind, workflowId, expectedLength, added } = batch;
    const place = this.#place(batch);
    if (place === undefined) {
      const id = escapeText(workflowId);
      const row = this.#sql.row.get(id) as unknown as Row | undefined;
      const { owner } = (this.#sql.ownerOf.get(id) ?? {}) as { owner?: string };
      return { row, owner: owner && unescapeText(owner) };
    }
    if (kind === "continue") this.#clear(place);
    if (added !== undefined) this.#add(place, kind === "append" ? expectedLength : 0, added);
  }

  deliver({ workflowId, firstRunId, messages, known, added, next }: Deliver): Delivered {
    const row = this.#sql.row.get(escapeText(workflowId)) as unknown as Row | undefined;
    if (row === undefined) return { row, known: [], written: false };
    const has = messages.map((id) => id !== null && this.#sql.hasMessage.get(row.place, escapeText(id)) !== undefined);
    const written = row.status === "running" && has.every((one, i) => one === known[i]) &&
      (firstRunId === undefined || row.first_run_id === escapeText(firstRunId));
    if (written) {
      this.#advance([row.workflow_id, row.run_id, row.length, null], added, -Infinity, next);
      this.#add(row.place, row.length, added);
    }
    return { row, known: has, written };
  }

  /** @returns Whether it was stored. */
  delete(workflowId: string): boolean {
    const id = escapeText(workflowId);
    const row = this.#sql.delete.get(id) as { place: number } | undefined;
    if (row !== undefined) this.#deleted(row.place, id);
    return row !== undefined;
  }

  claim(claim: ReturnType<typeof readClaim>): ClaimedRow[] {
    return this.#leases.claim(claim);
  }

  /** @returns Whether the owner has a lease. */
  renew(owner: string, leaseMs: number): boolean {
    return this.#leases.renew(owner, leaseMs);
  }

  release(owner: string, workflowIds: readonly string[] | undefined): void {
    this.#leases.release(owner, workflowIds);
  }

  /** @returns The IDs of the workflows that it has deleted: at most `PRUNED_AT_ONCE`. */
  prune(finishedBefore: number): string[] {
    const rows = this.#sql.prune.all(finishedBefore, PRUNED_AT_ONCE) as unknown as Row[];
    for (const { place, workflow_id: id } of rows) this.#deleted(place, id);
    this.#sql.forgetDeletions.run(systemClock.now() - DELETIONS_KEPT_MS);
    return rows.map(({ workflow_id: id }) => unescapeText(id));
  }

  /** Compares and writes the row of a workflow. Returns its place; `undefined` if the batch does not fit. */
  #place({ kind, expectedLength, wakeAt, columns, next, added, ...batch }: Append): number | undefined {
    const [id, runId] = [escapeText(batch.workflowId), escapeText(batch.runId)];
    const owner = batch.owner === undefined ? null : escapeText(batch.owner);
    const replaces = batch.replaces === undefined ? undefined : escapeText(batch.replaces);
    let row: unknown;
    if (kind === "confirm") row = this.#sql.confirm.get(id, runId, expectedLength, owner);
    else if (kind === "append") {
      return this.#advance([id, runId, expectedLength, owner], added!, wakeAt, next);
    } else if (kind === "continue") {
      row = this.#sql.continue.get(...columns!, this.#version(), wakeAt, id, replaces!, expectedLength, owner);
    } else {
      if (replaces !== undefined) {
        const replaced = this.#sql.replace.get(id, replaces) as { place: number } | undefined;
        if (replaced === undefined) return undefined;
        this.#clear(replaced.place);
      }
      row = this.#sql.create.get(...columns!, this.#version(), wakeAt, owner);
    }
    return (row as { place: number } | undefined)?.place;
  }

  /** Writes the row of a run to which events are added. Returns its place; `undefined` if it is not as expected. */
  #advance(expected: Expected, { count }: Added, wakeAt: number, next: Next): number | undefined {
    const [, , length] = expected;
    const { status, updatedAt, outcome, labels } = next;
    const version = this.#version();
    const row = status === "running"
      ? this.#sql.advance.get(length + count, updatedAt, version, wakeAt, ...expected)
      : this.#sql.finish.get(length + count, updatedAt, version, status, outcome, this.#codec, ...expected);
    const place = (row as { place: number } | undefined)?.place;
    if (place !== undefined && labels !== undefined) this.#sql.relabel.run(labels, place);
    return place;
  }

  /** Writes the row of events, and notes their messages. */
  #add(place: number, first: number, { payload, messages }: Added): void {
    this.#sql.insertEvents.run(place, first, payload, this.#codec);
    for (const id of messages) this.#sql.insertMessage.run(place, escapeText(id));
  }

  /** Deletes what belongs to a run. */
  #clear(place: number): void {
    this.#sql.deleteEvents.run(place);
    this.#sql.deleteMessages.run(place);
    this.#sql.deleteResults.run(place);
  }

  /** Deletes what belongs to a deleted row, and notes it for other processes. */
  #deleted(place: number, id: string): void {
    this.#clear(place);
    this.#sql.noteDeletion.run(id, this.#version(), systemClock.now());
  }
}
