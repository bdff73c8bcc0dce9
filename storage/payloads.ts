/**
 * Writes values as texts for a store that outlives its process, and reads them back. A codec of the user may encrypt or compress
 * the texts.
 *
 * 1. A text holds every value that can be stored as text: also `undefined`, `bigint`, `Date`, `Map`, `NaN`, cycles.
 * 2. A value that is read is new and deeply frozen. Nobody else has it.
 * 3. A store keeps the name of the codec beside each payload, so that a payload is never read by another codec.
 * 4. Without a codec nothing waits: `write` and `read` return values, not promises.
 *
 * @module
 */

import { WorkflowError } from "../errors.ts";
import { decode, encode } from "../history/codec.ts";
import { toState } from "../history/history.ts";
import type { WorkflowHead, WorkflowState } from "../types.ts";
import { cannot, checkFunction, checkObject, checkText } from "../util/check.ts";
import { adopt, isThenable } from "../util/deferred.ts";
import { show } from "../util/show.ts";

/**
 * What a store keeps of a value: a text, or bytes if the codec makes bytes.
 *
 * @category Storage
 */
export type Payload = string | Uint8Array;

/**
 * Changes the texts of a store on their way in and out: encrypts or compresses them. Payloads hold inputs, results, errors and
 * events. IDs, names, labels, statuses and times are not payloads: a store must be able to look them up.
 *
 * @category Storage
 */
export interface PayloadCodec {
  /** The name under which its payloads are stored; a non-empty string that never changes. `"json"` is the name of plain texts. */
  readonly name: string;
  /**
   * Returns what is stored of a text.
   *
   * @param text A JSON text.
   */
  encode(text: string): Payload | PromiseLike<Payload>;
  /**
   * Returns the text of a payload.
   *
   * @param payload What `encode` has returned.
   */
  decode(payload: Payload): string | PromiseLike<string>;
}

/** The name of payloads that are JSON texts as they are. */
const PLAIN = "json";

/**
 * Writes values as payloads and reads them back.
 *
 * @category Storage
 *
 * @example
 * ```ts
 * import { Payloads } from "@rockpool/workflow/storage";
 * import { assertEquals } from "@std/assert";
 *
 * const payloads = new Payloads();
 * const payload = await payloads.write({ at: new Date(0) }, "a");
 * assertEquals(await payloads.read(payload, payloads.codec, "a"), { at: new Date(0) });
 * ```
 */
export class Payloads {
  /** The name that a store keeps beside each payload that it writes. */
  readonly codec: string;
  readonly #codec: PayloadCodec | undefined;

  /**
   * Prepares the codec.
   *
   * @param codec Changes the texts; by default they are stored as they are.
   * @throws {TypeError} If `codec` is no codec.
   */
  constructor(codec?: PayloadCodec) {
    const action = "create a store";
    if (codec !== undefined) {
      checkObject("codec", codec, action);
      checkText("codec.name", codec.name, action);
      checkFunction("codec.encode", codec.encode, action);
      checkFunction("codec.decode", codec.decode, action);
      if (codec.name === PLAIN) {
        throw new TypeError(`${cannot(action)}: "codec.name" must not be "${PLAIN}", the name of plain texts`);
      }
    }
    this.#codec = codec;
    this.codec = codec?.name ?? PLAIN;
  }

  /**
   * Returns the payload of a value; a promise of it if the codec returns a promise.
   *
   * @param value The value.
   * @param workflowId Whose value it is, for the message of an error.
   * @throws {TypeError} If a part of the value cannot be written as text, such as a `Blob`. Names its path.
   */
  write(value: unknown, workflowId: string): Payload | Promise<Payload> {
    checkText("workflowId", workflowId, "write a payload");
    const codec = this.#codec;
    const text = JSON.stringify(encode(value, `write workflow ${show(workflowId)}`));
    if (codec === undefined) return text;
    const check = (payload: unknown) => {
      if (typeof payload === "string" || payload instanceof Uint8Array) return payload;
      const why = `its method "encode" must return a string or a Uint8Array, got ${show(payload)}`;
      throw new TypeError(`${cannot("write workflow", workflowId)}: the codec ${show(codec.name)} is wrong: ${why}`);
    };
    const payload = codec.encode(text);
    return isThenable(payload) ? adopt(payload).then(check) : check(payload);
  }

  /**
   * Returns the value of a payload; a promise of it if the codec returns a promise.
   *
   * @param payload What was stored.
   * @param codec The name that was stored beside it.
   * @param workflowId Whose value it is, for the message of an error.
   * @throws {WorkflowError} With code `invalid_history` if the payload was written by another codec, or is damaged.
   */
  read(payload: Payload, codec: string, workflowId: string): unknown {
    const unreadable = (why: string, cause?: unknown) =>
      new WorkflowError("invalid_history", `${cannot("read workflow", workflowId)}: ${why}`, { cause });
    const failed = (cause: unknown): never => {
      const why = (cause as Error)?.message ?? String(cause);
      throw unreadable(`the codec ${show(codec)} cannot decode a stored payload: ${why}`, cause);
    };
    const parse = (text: unknown) => {
      if (typeof text !== "string") failed(new TypeError(`it has ${show(text)}, not a string`));
      try {
        return decode(JSON.parse(text as string), "read it");
      } catch (cause) {
        throw unreadable(`a stored payload is damaged: ${(cause as Error).message}`, cause);
      }
    };
    if (codec === PLAIN) return parse(payload);
    if (codec !== this.codec) {
      const way = `open the store with a "codec" of that name, not with ${show(this.codec)}`;
      throw unreadable(`a stored payload was written by the codec ${show(codec)}; ${way}`);
    }
    let text: unknown;
    try {
      text = this.#codec!.decode(payload);
    } catch (cause) {
      failed(cause);
    }
    return isThenable(text) ? adopt(text).then(undefined, failed).then(parse) : parse(text);
  }

  /**
   * Returns the values of payloads without a codec that a database has joined to one text: faster than each on its own.
   *
   * @param payloads The payloads as a list in JSON: between brackets, with commas.
   * @param workflowId Whose values they are, for the message of an error.
   * @throws {WorkflowError} With code `invalid_history` if one of them is damaged.
   */
  readJoined(payloads: string, workflowId: string): unknown[] {
    try {
      return (JSON.parse(payloads) as unknown[]).map((json) => decode(json, "read it"));
    } catch (cause) {
      const why = `a stored payload is damaged: ${(cause as Error).message}`;
      throw new WorkflowError("invalid_history", `${cannot("read workflow", workflowId)}: ${why}`, { cause });
    }
  }
}

/**
 * The given fields as one value, for a store that writes result and error as one payload.
 *
 * @param fields The fields.
 * @returns The fields that are not `undefined`; `undefined` if there are none.
 *
 * @category Storage
 */
export function payloadOf(fields: Readonly<Record<string, unknown>>): Record<string, unknown> | undefined {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  return given.length === 0 ? undefined : Object.fromEntries(given);
}

/**
 * The error for a history of which a part is not stored.
 *
 * @param workflowId Whose history it is.
 * @param found How many events are stored.
 * @param length How many there should be.
 *
 * @category Storage
 */
export function incompleteHistory(workflowId: string, found: number, length: number): WorkflowError {
  const why = `${found} of its ${length} events are stored`;
  return new WorkflowError("invalid_history", `${cannot("read workflow", workflowId)}: ${why}`);
}

/**
 * A state that stands for one whose payloads cannot be read, in a list: an executor refuses its history, and says why. So one
 * damaged workflow does not keep `recover()` from the others.
 *
 * @param head The head without its payloads.
 * @param error Why they cannot be read.
 *
 * @category Storage
 */
export function unreadable(head: WorkflowHead, error: unknown): WorkflowState {
  const { createdAt, updatedAt, workflowName } = head;
  const why = { type: (error as Error).message.replace(/^Cannot read workflow .*?: /, ""), at: updatedAt };
  return toState(head, [{ type: "workflow_started", at: createdAt, workflowName }, why as never]);
}

/**
 * Writes an ID or a name for a database that keeps texts as UTF-8 without the NUL character. Only a backslash, NUL and halves of
 * surrogate pairs are changed, so two IDs are stored as equal texts only if they are equal.
 *
 * @param text The ID or name.
 *
 * @category Storage
 *
 * @example
 * ```ts
 * import { escapeText, unescapeText } from "@rockpool/workflow/storage";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(escapeText("order 7/é"), "order 7/é");
 * assertEquals(escapeText("a\0\ud83d"), "a\\u0000\\ud83d");
 * assertEquals(unescapeText(escapeText("a\0\ud83d")), "a\0\ud83d");
 * ```
 */
export function escapeText(text: string): string {
  return text.replace(
    /[\\\0\p{Cs}]/gu,
    (part) => part === "\\" ? "\\\\" : `\\u${part.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/**
 * Reads a text that {@linkcode escapeText} has written.
 *
 * @param text The stored text.
 *
 * @category Storage
 */
export function unescapeText(text: string): string {
  if (!text.includes("\\")) return text;
  return text.replace(/\\(?:\\|u([0-9a-f]{4}))/g, (_, hex) => hex ? String.fromCharCode(parseInt(hex, 16)) : "\\");
}
