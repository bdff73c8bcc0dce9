/**
 * Values of workflows in columns: JSON texts, or what the codec of the user makes of them.
 *
 * @module
 */

import { type PayloadCodec, Payloads } from "../../storage/mod.ts";
import { ofCodec, toCodec } from "./rows.ts";

export class Columns {
  /** The name that is stored beside payloads; `null` for JSON texts. */
  declare readonly codec: string | null;
  readonly #payloads: Payloads;

  constructor(codec: PayloadCodec | undefined) {
    this.#payloads = new Payloads(codec);
    this.codec = codec === undefined ? null : this.#payloads.codec;
  }

  /** Returns what is stored of values, `null` for `undefined`; a promise only if the codec returns one. */
  encode(workflowId: string, ...values: unknown[]): (string | null)[] | Promise<(string | null)[]> {
    const plain = this.codec === null;
    const columns = values.map((value) => {
      if (value === undefined) return null;
      const payload = this.#payloads.write(value, workflowId);
      if (payload instanceof Promise) return payload.then(ofCodec);
      return plain ? payload as string : ofCodec(payload);
    });
    return columns.some((one) => one instanceof Promise) ? Promise.all(columns) : columns as (string | null)[];
  }

  decode(stored: string, codec: string | null, workflowId: string): unknown {
    if (codec === null) return this.#payloads.read(stored, "json", workflowId);
    return this.#payloads.read(toCodec(stored), codec, workflowId);
  }
}
