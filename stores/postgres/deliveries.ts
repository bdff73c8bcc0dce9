/**
 * Brings messages into the histories of running runs.
 *
 * 1. The deliveries of this process to one workflow follow each other: each sees what the last one has stored.
 * 2. Others may append meanwhile, but store no message: then it would not be known which messages are new, so it is found out again.
 *
 * @module
 */

import { acceptDelivery, applyToHead, escapeText, messageIds } from "../../storage/mod.ts";
import type { Delivery, DeliveryReceipt } from "../../types.ts";
import type { Columns } from "./columns.ts";
import type { Reads } from "./reads.ts";
import { type Row, stubOf } from "./rows.ts";
import type { Names } from "./schema.ts";
import { writeOfBatch } from "./to_write.ts";
import { hash } from "./literal.ts";
import type { Writes } from "./writes.ts";

type KnownRow = Row & { readonly known: readonly string[] | null };

export class Deliveries {
  readonly #known: string;
  readonly #columns: Columns;
  readonly #reads: Reads;
  readonly #writes: Writes;
  readonly #written: (workflowId: string, length: number) => void;
  /** The last delivery to each workflow that is on its way. */
  readonly #last = new Map<string, Promise<unknown>>();

  /** @param written Is called when something was written. */
  constructor(
    { of }: Names,
    columns: Columns,
    reads: Reads,
    writes: Writes,
    written: (workflowId: string, length: number) => void,
  ) {
    this.#known =
      `'known', (SELECT json_agg(m.message) FROM json_array_elements_text($2::text::json) AS m (message) WHERE EXISTS (
      SELECT FROM ${of("messages")} k WHERE k.history = w.history AND k.message = ${hash("m.message")}))`;
    this.#columns = columns;
    this.#reads = reads;
    this.#writes = writes;
    this.#written = written;
  }

  /** Delivers after everything that was added for the workflow before. */
  async add(delivery: Delivery): Promise<DeliveryReceipt> {
    const { workflowId } = delivery;
    const before = this.#last.get(workflowId);
    const delivered = before === undefined ? this.#deliver(delivery) : before.then(() => this.#deliver(delivery));
    const settled = delivered.then(() => {}, () => {});
    this.#last.set(workflowId, settled);
    try {
      return await delivered;
    } finally {
      if (this.#last.get(workflowId) === settled) this.#last.delete(workflowId);
    }
  }

  /** Resolves when nothing is on its way. */
  async drain(): Promise<void> {
    await Promise.all(this.#last.values());
  }

  /** Reads what the run has, and adds the rest; again if it has got something else meanwhile. */
  async #deliver(delivery: Delivery): Promise<DeliveryReceipt> {
    const { workflowId, events } = delivery;
    const messages = JSON.stringify(messageIds(events).map(escapeText));
    for (;;) {
      const row = await this.#reads.row("deliver to workflow", workflowId, this.#known, [messages]) as KnownRow;
      const head = row === undefined ? null : stubOf(row);
      const { added, batch } = acceptDelivery(head, delivery, (id) => row.known?.includes(escapeText(id)) === true);
      const { runId, historyLength } = head!;
      if (batch === undefined) return { runId, historyLength, added };
      const write = await writeOfBatch(this.#columns, batch, applyToHead(head, batch));
      const length = await this.#writes.add({ ...write, expected_length: null, expected_mail: `${row.mail}` });
      if (length === undefined) continue;
      this.#written(workflowId, length);
      return { runId, historyLength: length, added };
    }
  }
}
