/**
 * Writes values and errors as source, in the format of `deno fmt`.
 *
 * 1. What JSON does not have is source too: `undefined`, `NaN`, `-0`, bigints, Dates, Maps, Sets, buffers, errors, holes, cycles.
 * 2. A part that fits on its line is on one line. Otherwise each item has a line of its own. The formatter keeps both.
 * 3. A value that no source can make, such as a `Blob`, is refused with a `TypeError`.
 *
 * @module
 */

import { toErrorRecord } from "../history/error_record.ts";
import { nativeClass } from "../history/native_error.ts";
import type { ErrorRecord } from "../types.ts";
import { isPlain, show, tagOf } from "../util/show.ts";

const WIDTH = 80;
/** From this number of parts on, a value that is shared is written once. */
const MANY_PARTS = 2_000;

/** A part of the source: a text, items in brackets, or statements that make a value. */
export type Source = string | Items | Statements;

/** Statements between two texts, such as the body of a function. */
export interface Statements {
  readonly open: string;
  readonly close: string;
  readonly statements: readonly (readonly [before: string, source: Source])[];
}

/** Items in brackets. */
export interface Items {
  readonly open: string;
  readonly items: readonly { readonly label: string; readonly source: Source }[];
  readonly close: string;
  /** Between the brackets and the items on one line. */
  readonly pad?: " ";
}

/** Writes a call: `new Map([…])`. */
export function call(callee: string, ...args: readonly Source[]): Items {
  return { open: `${callee}(`, items: args.map((source) => ({ label: "", source })), close: ")" };
}

/** Writes an array. */
export function array(items: readonly Source[]): Items {
  return { open: "[", items: items.map((source) => ({ label: "", source })), close: "]" };
}

/** Writes an object. */
export function object(properties: readonly (readonly [key: string, source: Source])[]): Source {
  if (properties.length === 0) return "{}";
  const items = properties.map(([key, source]) => ({ label: `${keySource(key)}: `, source }));
  return { open: "{", items, close: "}", pad: " " };
}

/** Writes a statement: the source between two texts, such as `return ` and `;`. */
export function statement(before: string, source: Source, after = ";", indent = ""): string {
  return `${indent}${before}${layOut(source, indent, indent.length + before.length, after.length)}${after}`;
}

/** Whether a source fits on a line. */
export function fits(source: Source, before: string, after: string): boolean {
  const line = flat(source);
  return !line.includes("\n") && before.length + line.length + after.length <= WIDTH;
}

/** Lays a source out: on the rest of the line if it fits, else on several lines. */
function layOut(source: Source, indent: string, used: number, after: number): string {
  if (typeof source === "object" && "statements" in source) {
    const inner = `${indent}  `;
    const lines = source.statements.map(([before, made]) => `${statement(before, made, ";", inner)}\n`);
    return `${source.open}\n${lines.join("")}${indent}${source.close}`;
  }
  const line = flat(source);
  if (typeof source === "string" || source.items.length === 0) return line;
  if (!line.includes("\n") && used + line.length + after <= WIDTH) return line;
  const { open, items, close } = source;
  const [only] = items;
  if (items.length === 1 && open.endsWith("(") && isBox(only.source)) {
    return `${open}${layOut(only.source, indent, used + open.length, after + 1)}${close}`; // foo({ … }) and foo([ … ])
  }
  const inner = `${indent}  `;
  const lines = items.map(({ label, source }) =>
    `${inner}${label}${layOut(source, inner, inner.length + label.length, 1)},\n`
  );
  return `${open}\n${lines.join("")}${indent}${close}`;
}

function isBox(source: Source): boolean {
  return typeof source === "object" && "items" in source && source.items.length > 0 && /^[[{]/.test(source.open);
}

const flatTexts = /* @__PURE__ */ new WeakMap<Items, string>();

function flat(source: Source): string {
  if (typeof source === "string") return source;
  if ("statements" in source) return "\n"; // never on one line
  let text = flatTexts.get(source);
  if (text === undefined) {
    const { open, items, close, pad = "" } = source;
    text = `${open}${pad}${items.map(({ label, source }) => label + flat(source)).join(", ")}${pad}${close}`;
    flatTexts.set(source, text);
  }
  return text;
}

/** Control characters, and those that have no width or change the direction of writing. */
const INVISIBLE = /[\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff]/g;

/** Writes a text, in the quotes that need fewer escapes. */
export function text(value: string): string {
  const inner = JSON.stringify(value).slice(1, -1)
    .replace(INVISIBLE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
  const count = (quote: string) => value.split(quote).length;
  return count('"') > count("'") ? `'${inner.replaceAll('\\"', '"').replaceAll("'", "\\'")}'` : `"${inner}"`;
}

/** Whether a text is an identifier, and no reserved word. */
export function isIdentifier(value: string): boolean {
  if (!/^[A-Za-z_$][\w$]*$/.test(value)) return false;
  return !/^(arguments|await|break|case|catch|class|const|continue|debugger|default|delete|do|else|enum|eval|export|extends|false|finally|for|function|if|implements|import|in|instanceof|interface|let|new|null|package|private|protected|public|return|static|super|switch|this|throw|true|try|typeof|var|void|while|with|yield)$/
    .test(value);
}

function keySource(key: string): string {
  if (key === "__proto__") return '["__proto__"]';
  return /^[A-Za-z_$][\w$]*$/.test(key) ? key : text(key);
}

/** Writes values that belong to one source. Collects the names that the source imports from the package. */
export class SourceWriter {
  /** The names to import from `@rockpool/workflow`. */
  readonly imports: Set<string> = new Set();
  /** The names of the objects that are written once, and the statements that make them. */
  #hoisted: Map<object, string> | undefined;

  /** Writes a value. */
  value(value: unknown): Source {
    if (typeof value !== "object" || value === null || !this.#needsNames(value)) return this.#write(value);
    return this.#withNames(value);
  }

  /** Writes an error, or what was thrown. */
  error(record: ErrorRecord): Source {
    if (record.thrown !== undefined) return this.value(record.thrown.value);
    const { name, message, cause, errors, error, suppressed, data = {} } = record;
    const { code, ...rest } = data as Record<string, unknown>;
    const options: Source[] = cause === undefined ? [] : [object([["cause", this.error(cause)]])];
    const members = array((errors ?? []).map((one) => this.error(one)));
    const ours = (className: string, args: readonly Source[], ...taken: readonly string[]) => {
      this.imports.add(className);
      return withData(call(`new ${className}`, ...args), without(rest, taken));
    };
    const withData = (made: Source, data: Record<string, unknown>): Source => {
      const properties = Object.entries(data);
      if (properties.length === 0) return made;
      return call("Object.assign", made, object(properties.map(([key, item]) => [key, this.value(item)])));
    };
    switch (`${name} ${code}`) {
      case "CanceledError canceled":
        return ours(name, [text(message), ...(rest.reason === undefined ? [] : [this.value(rest.reason)])], "reason");
      case "TimeoutError timeout":
        return ours(name, [text(message), this.value(rest.timeoutMs), ...options], "timeoutMs");
      case "RetryAfterError retry_after":
        return ours(name, [text(message), this.value(rest.delayMs), ...options], "delayMs");
      case "NonRetryableError non_retryable":
        return ours(name, [text(message), ...options]);
      case "CompensationError compensation_failed":
        return ours(name, [text(message), members, ...options]);
    }
    if (name === "WorkflowError" && typeof code === "string") {
      return ours(name, [text(code), text(message), ...options]);
    }
    if (typeof code === "number" && code > 0 && new DOMException(message, name).code === code) {
      return withData(call("new DOMException", text(message), text(name)), rest);
    }
    const isNative = nativeClass(name) !== undefined && name !== "SuppressedError";
    const own: Record<string, unknown> = isNative ? { ...data } : { name, ...data };
    const made = errors !== undefined || name === "AggregateError"
      ? call("new AggregateError", members, text(message), ...options)
      : call(
        `new ${isNative ? name : "Error"}`,
        ...(message === "" && cause === undefined ? [] : [text(message)]),
        ...options,
      );
    const parts = Object.entries({ error, suppressed }).filter(([, part]) => part !== undefined);
    if (parts.length === 0) return withData(made, own);
    return call(
      "Object.assign",
      made,
      object([
        ...Object.entries(own).map(([key, item]) => [key, this.value(item)] as const),
        ...parts.map(([key, part]) => [key, this.error(part!)] as const),
      ]),
    );
  }

  #write(value: unknown): Source {
    switch (typeof value) {
      case "string":
        return text(value);
      case "bigint":
        return `${value}n`;
      case "number":
        return Object.is(value, -0) ? "-0" : String(value);
      case "function":
      case "symbol":
        throw refused(value);
    }
    if (typeof value !== "object" || value === null) return String(value);
    return this.#hoisted?.get(value) ?? this.#writeObject(value);
  }

  #writeObject(value: object): Source {
    if (Array.isArray(value)) return this.#writeArray(value);
    if (value instanceof Error) {
      return value instanceof DOMException
        ? call("new DOMException", text(value.message), text(value.name))
        : this.error(toErrorRecord(value));
    }
    switch (tagOf(value)) {
      case "Date":
        return call("new Date", Number.isNaN(+(value as Date)) ? "NaN" : text((value as Date).toISOString()));
      case "RegExp":
        return call("new RegExp", text((value as RegExp).source), text((value as RegExp).flags));
      case "Map": {
        const pairs = [...value as Map<unknown, unknown>];
        const isMixed = [0, 1].some((i) => new Set(pairs.map((pair) => kindOf(pair[i]))).size > 1);
        const items = pairs.map((pair) => array(pair.map((one) => this.#write(one))));
        return call(`new Map${isMixed ? "<unknown, unknown>" : ""}`, ...listed(items));
      }
      case "Set":
        return call("new Set", ...listed([...value as Set<unknown>].map((one) => this.#write(one))));
      case "ArrayBuffer":
        return { ...bytes(new Uint8Array(value as ArrayBuffer)), close: ").buffer" };
      case "DataView": {
        const { buffer, byteOffset, byteLength } = value as DataView;
        const inner = bytes(new Uint8Array(buffer, byteOffset, byteLength));
        return call("new DataView", { ...inner, close: ").buffer" });
      }
      case "Number":
      case "String":
      case "Boolean":
      case "BigInt":
        return call("Object", this.#write((value as { valueOf(): unknown }).valueOf()));
    }
    if (ArrayBuffer.isView(value)) return bytes(value as Uint8Array);
    if (!isPlain(value) && tagOf(value) !== "Object") throw refused(value);
    return object(Object.entries(value).map(([key, item]) => [key, this.#write(item)]));
  }

  #writeArray(value: readonly unknown[]): Source {
    const keys = Object.keys(value);
    if (keys.length === value.length) return array(value.map((item) => this.#write(item)));
    const items = keys.map((key) => [key, this.#write(value[Number(key)])] as const);
    return call("Object.assign", `new Array(${value.length})`, object(items)); // with holes
  }

  /** Whether a value holds itself, or shares so much that its parts must not be written twice. */
  #needsNames(value: object): boolean {
    const path = new Set<object>();
    let parts = 0;
    let isTree: boolean | undefined;
    const visit = (part: unknown): boolean => {
      if (typeof part !== "object" || part === null) return false;
      if (path.has(part) || ++parts > MANY_PARTS && !(isTree ??= !shares(value))) return true;
      path.add(part);
      const found = partsOf(part).some(visit);
      path.delete(part);
      return found;
    };
    return visit(value);
  }

  /** Writes a value by statements that make its shared parts first, and fill them then. */
  #withNames(value: object): Source {
    const seen = new Set<object>();
    const shared = new Set<object>([value]);
    const visit = (part: unknown): void => {
      if (typeof part !== "object" || part === null) return;
      if (seen.size === seen.add(part).size) return void shared.add(part);
      partsOf(part).forEach(visit);
    };
    visit(value);
    const fillable = [...shared].filter((part) =>
      isPlain(part) || Array.isArray(part) || part instanceof Map || part instanceof Set
    );
    if (fillable.length < shared.size) throw refused(value);
    this.#hoisted = new Map(fillable.map((part, i) => [part, i === 0 ? "value" : `part${i}`]));
    const statements: [before: string, source: Source][] = [];
    for (const [part, name] of this.#hoisted) {
      const [type, empty] = Array.isArray(part)
        ? ["unknown[]", "[]"]
        : part instanceof Map
        ? ["Map<unknown, unknown>", "new Map()"]
        : part instanceof Set
        ? ["Set<unknown>", "new Set()"]
        : ["Record<string, unknown>", "{}"];
      statements.push([`const ${name}: ${type} = `, empty]);
    }
    for (const [part, name] of this.#hoisted) {
      if (part instanceof Map) {
        for (const pair of part) statements.push(["", call(`${name}.set`, ...pair.map((one) => this.#write(one)))]);
      } else if (part instanceof Set) {
        for (const item of part) statements.push(["", call(`${name}.add`, this.#write(item))]);
      } else {
        for (const [key, item] of Object.entries(part)) {
          const isKey = Array.isArray(part) || !isIdentifier(key);
          const place = isKey ? `[${Array.isArray(part) ? key : text(key)}]` : `.${key}`;
          statements.push([`${name}${place} = `, this.#write(item)]);
        }
      }
    }
    this.#hoisted = undefined;
    statements.push(["return value as never", ""]);
    return { open: "(() => {", statements, close: "})()" };
  }
}

/** What kind of type the compiler infers of a value. */
function kindOf(value: unknown): string {
  return typeof value === "object" && value !== null ? tagOf(value) : typeof value;
}

function listed(items: readonly Source[]): Source[] {
  return items.length === 0 ? [] : [array(items)];
}

function bytes(view: Uint8Array): Items {
  return call(
    `new ${tagOf(view)}`,
    ...listed(
      Array.from(
        view as ArrayLike<unknown>,
        (item) => Object.is(item, -0) ? "-0" : `${item}${typeof item === "bigint" ? "n" : ""}`,
      ),
    ),
  );
}

function partsOf(value: object): unknown[] {
  if (value instanceof Map) return [...value].flat();
  if (value instanceof Set) return [...value];
  return Array.isArray(value) || isPlain(value) ? Object.values(value) : [];
}

/** Whether a value holds a part twice. */
function shares(value: object): boolean {
  const seen = new Set<object>();
  const visit = (part: unknown): boolean => {
    if (typeof part !== "object" || part === null) return false;
    return seen.size === seen.add(part).size || partsOf(part).some(visit);
  };
  return visit(value);
}

function without(data: Record<string, unknown>, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(data).filter(([key]) => !keys.includes(key)));
}

function refused(value: unknown): TypeError {
  return new TypeError(`Cannot write ${show(value)} as source: no expression makes it`);
}
