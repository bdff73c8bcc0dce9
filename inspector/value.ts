/**
 * Shows values with their types: as a tree that can be opened and closed, and as a text without limits.
 *
 * 1. Every kind of value that can be stored has a form of its own: a Map does not look like an object, nor a bigint like a number.
 * 2. A tree is bounded in texts, items, depth and nodes. What is cut says how much is missing.
 * 3. Nothing here throws: a part that cannot be read is described.
 *
 * @module
 */

import type { ErrorRecord } from "../types.ts";
import { show, tagOf } from "../util/show.ts";
import { grouped } from "../util/show_value.ts";
import { type Content, type Html, markup } from "./html.ts";

/** How much of a value a tree shows. */
const MAX_TEXT = 1_000;
const MAX_ITEMS = 50;
const MAX_DEPTH = 12;
const MAX_NODES = 600;
/** Containers are open down to this depth; inner ones only with this many items at most. */
const OPEN_DEPTH = 2;
const OPEN_ITEMS = 20;

/** How many items of a typed array are in a line. */
const LINE = 64;

/** One level of a value. */
interface Node {
  /** The class of the style: what kind of value it is. */
  readonly kind: "text" | "number" | "word" | "date" | "error" | "box";
  readonly head: string;
  /** Stands behind the head. */
  readonly type?: string;
  readonly items?: Iterable<readonly [key: string, value: unknown]>;
  readonly size?: number;
  readonly isClosed?: boolean;
}

/** A tree, and whether a part of the value is missing in it. */
export interface Tree {
  readonly html: Html;
  readonly isCut: boolean;
}

/** Shows a value as a tree. */
export function valueTree(value: unknown): Tree {
  const writer = new TreeWriter();
  const html = markup`<div class="tree">${writer.item(undefined, value, 0)}</div>`;
  return { html, isCut: writer.isCut };
}

/** Shows an error with its causes, its members and its stack as a tree. */
export function errorTree(error: ErrorRecord): Tree {
  return valueTree(new Recorded(error));
}

class TreeWriter {
  isCut = false;
  #nodes = 0;
  readonly #path: unknown[] = [];

  item(key: string | undefined, value: unknown, depth: number): Html {
    const label = key === undefined || key === "" && value instanceof Lines
      ? ""
      : markup`<span class="key">${shorten(key, 80)}:</span> `;
    if (++this.#nodes > MAX_NODES) {
      this.isCut = true;
      return markup``;
    }
    if (this.#path.includes(value)) return markup`<div>${label}<span class="dim">the value around it</span></div>`;
    const node = nodeOf(value);
    const { kind, type, items, size = 0 } = node;
    const isLong = node.head.length > MAX_TEXT;
    if (isLong) this.isCut = true;
    const head = isLong ? `${node.head.slice(0, MAX_TEXT)}…` : node.head;
    const note = type ?? (isLong && `${grouped(node.head.length)} characters`);
    const line = markup`${label}<span class="v-${kind}">${head}</span>${
      note && markup` <span class="dim">${note}</span>`
    }`;
    if (items === undefined || size === 0) return markup`<div>${line}</div>`;
    if (depth === MAX_DEPTH) {
      this.isCut = true;
      return markup`<div>${line} <span class="dim">…</span></div>`;
    }
    this.#path.push(value);
    const shown: Content[] = [];
    try {
      let i = 0;
      for (const [key, item] of items) {
        if (i++ === MAX_ITEMS) break;
        shown.push(this.item(key, item, depth + 1));
      }
      if (size > MAX_ITEMS) {
        this.isCut = true;
        shown.push(markup`<div class="dim">… ${grouped(size - MAX_ITEMS)} more</div>`);
      }
    } catch {
      shown.push(markup`<div class="dim">cannot be read</div>`);
    }
    this.#path.pop();
    const open = depth < OPEN_DEPTH && (depth === 0 || size <= OPEN_ITEMS) && !node.isClosed && markup` open`;
    return markup`<details${open}><summary>${line}</summary><div class="items">${shown}</div></details>`;
  }
}

/** Shows a whole value as a text. */
export function valueText(value: unknown): string {
  const path: unknown[] = [];
  const lines: string[] = [];
  const write = (key: string | undefined, value: unknown) => {
    const indent = "  ".repeat(path.length);
    const label = key === undefined || key === "" && value instanceof Lines ? "" : `${key}: `;
    if (path.includes(value)) return void lines.push(`${indent}${label}the value around it`);
    const { head, type, items } = nodeOf(value);
    lines.push(`${indent}${label}${head}${type === undefined ? "" : ` ${type}`}`);
    if (items === undefined) return;
    path.push(value);
    try {
      for (const [key, item] of items) write(key, item);
    } catch {
      lines.push(`${indent}  cannot be read`);
    }
    path.pop();
  };
  write(undefined, value);
  return `${lines.join("\n")}\n`;
}

/** Shows a whole error as a text. */
export function errorText(error: ErrorRecord): string {
  return valueText(new Recorded(error));
}

/** An error record: values and error records are both plain objects. */
class Recorded {
  readonly record: ErrorRecord;
  constructor(record: ErrorRecord) {
    this.record = record;
  }
}

/** A text that is shown as it is. */
class Lines {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** A text of many lines, which is closed at first. */
class Folded extends Lines {}

/** A pair of a Map whose key is no simple value. */
class Pair {
  readonly key: unknown;
  readonly value: unknown;
  constructor(key: unknown, value: unknown) {
    this.key = key;
    this.value = value;
  }
}

function nodeOf(value: unknown): Node {
  try {
    return read(value);
  } catch {
    return { kind: "word", head: show(value) };
  }
}

function read(value: unknown): Node {
  switch (typeof value) {
    case "string":
      return { kind: "text", head: JSON.stringify(value) };
    case "number":
      return { kind: "number", head: Object.is(value, -0) ? "-0" : String(value) };
    case "bigint":
      return { kind: "number", head: `${value}n`, type: "bigint" };
    case "function":
    case "symbol":
      return { kind: "word", head: show(value) };
  }
  if (typeof value !== "object" || value === null) return { kind: "word", head: String(value) };
  if (value instanceof Recorded) return readError(value.record, fieldsOfRecord(value.record));
  if (value instanceof Folded) {
    return { kind: "box", head: "…", items: [["", new Lines(value.text)]], size: 1, isClosed: true };
  }
  if (value instanceof Lines) return { kind: "word", head: value.text };
  if (value instanceof Pair) return { kind: "box", head: "", items: Object.entries({ ...value }), size: 2 };
  if (value instanceof Date) {
    return { kind: "date", head: Number.isNaN(+value) ? "invalid" : value.toISOString(), type: "Date" };
  }
  if (value instanceof RegExp) return { kind: "date", head: String(value), type: "RegExp" };
  if (value instanceof Error) return readError(value, fieldsOfError(value));
  if (Array.isArray(value)) return box(`[${grouped(value.length)}]`, numbered(value), value.length);
  if (value instanceof Set) return box(`Set(${grouped(value.size)})`, unnamed(value), value.size);
  if (value instanceof Map) return box(`Map(${grouped(value.size)})`, pairsOf(value), value.size);
  const bytes = value instanceof ArrayBuffer || value instanceof DataView
    ? new Uint8Array(value instanceof DataView ? value.buffer : value, ...viewOf(value))
    : ArrayBuffer.isView(value)
    ? value as Uint8Array
    : undefined;
  if (bytes !== undefined) {
    const size = Math.ceil(bytes.length / LINE);
    return box(`${tagOf(value)}(${grouped(bytes.length)})`, linesOf(bytes, value instanceof Int8Array), size);
  }
  const keys = Object.keys(value);
  const tag = tagOf(value);
  return box(`${tag === "Object" ? "" : `${tag} `}{${grouped(keys.length)}}`, propertiesOf(value, keys), keys.length);
}

function box(head: string, items: Iterable<readonly [string, unknown]>, size: number): Node {
  return { kind: "box", head, items, size };
}

function viewOf(value: ArrayBuffer | DataView): [offset: number, length: number] {
  return value instanceof DataView ? [value.byteOffset, value.byteLength] : [0, value.byteLength];
}

function* numbered(list: ArrayLike<unknown>): Generator<[string, unknown]> {
  for (let i = 0; i < list.length; i++) yield [String(i), list[i]];
}

/** The items of a typed array in lines; unsigned bytes as hexadecimal numbers. */
function* linesOf(list: Uint8Array, isSigned: boolean): Generator<[string, unknown]> {
  const hex = list.BYTES_PER_ELEMENT === 1 && !isSigned;
  for (let i = 0; i < list.length; i += LINE) {
    const items = Array.from<unknown, string>(list.subarray(i, i + LINE), (item) => {
      return hex ? (item as number).toString(16).padStart(2, "0") : nodeOf(item).head;
    });
    yield ["", new Lines(items.join(hex ? " " : ", "))];
  }
}

function* unnamed(set: Set<unknown>): Generator<[string, unknown]> {
  let i = 0;
  for (const item of set) yield [String(i++), item];
}

function* pairsOf(map: Map<unknown, unknown>): Generator<[string, unknown]> {
  let i = 0;
  for (const [key, value] of map) {
    if (typeof key === "object" && key !== null) yield [`entry ${i}`, new Pair(key, value)];
    else yield [`${nodeOf(key).head} =>`.replace(/ =>$/, " =>"), value];
    i++;
  }
}

function* propertiesOf(value: object, keys: readonly string[]): Generator<[string, unknown]> {
  for (const key of keys) {
    yield [/^[A-Za-z_$][\w$]*$/.test(key) ? key : JSON.stringify(key), (value as Record<string, unknown>)[key]];
  }
}

function readError({ name, message }: { name: unknown; message: unknown }, fields: [string, unknown][]): Node {
  const head = message === "" ? String(name) : `${name}: ${message}`;
  return { kind: "error", head, items: fields, size: fields.length };
}

function fieldsOfRecord(record: ErrorRecord): [string, unknown][] {
  const { stack, cause, errors, error, suppressed, data, activity, thrown } = record;
  return present({
    ...data,
    thrown: thrown && thrown.value,
    activity: activity && new Lines(`${activity.name}, attempt ${activity.attempt}, of ${activity.workflowId}`),
    cause: cause && new Recorded(cause),
    errors: errors?.map((one) => new Recorded(one)),
    error: error && new Recorded(error),
    suppressed: suppressed && new Recorded(suppressed),
    stack: stack === undefined ? undefined : new Folded(stack),
  });
}

function fieldsOfError(
  error: Error & { errors?: unknown; error?: unknown; suppressed?: unknown },
): [string, unknown][] {
  const { cause, errors, error: last, suppressed, stack } = error;
  return present({
    ...error,
    cause,
    errors,
    error: last,
    suppressed,
    stack: stack === undefined ? undefined : new Folded(stack),
  });
}

function present(fields: Readonly<Record<string, unknown>>): [string, unknown][] {
  return Object.entries(fields).filter(([, value]) => value !== undefined);
}

function shorten(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}
