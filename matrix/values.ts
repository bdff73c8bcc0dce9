/**
 * Which values the runtime keeps: as the input and the result of a workflow, and in a snapshot of the store.
 *
 * Each value is made on the runtime, because not every runtime has every class.
 *
 * @module
 */

import { Executor, InMemoryStore } from "@rockpool/workflow";

/** What becomes of one value. */
export interface Fate {
  /** In memory: `kept`, what it becomes, or `refused`. */
  readonly inMemory: string;
  /** The same, after `snapshot()` and `InMemoryStore.restore()`. */
  readonly inSnapshot: string;
}

/** The words for a class that the runtime does not have. */
export const ABSENT = "does not exist";

class Point {
  #secret = 1;
  readonly x = 1;
  get secret(): number {
    return this.#secret;
  }
}

class PaymentError extends Error {
  override readonly name = "PaymentError";
  readonly cents = 7;
}

const bytes = () => new Uint8Array([1, 2, 3]).buffer;

function cycle(): object {
  const object: Record<string, unknown> = {};
  object.self = object;
  return object;
}

function shared(): object {
  const part = { x: 1 };
  return { a: part, b: part };
}

/** The values that a workflow takes and returns, by the names in the table. A function may return a promise. */
const VALUES: Record<string, () => unknown> = {
  "`undefined`": () => undefined,
  "`null`, a string, a number, a boolean": () => [null, "text", 1.5, true],
  "a lone surrogate": () => "\ud800",
  "`-0`": () => -0,
  "`NaN`, `Infinity`": () => [NaN, Infinity, -Infinity],
  "a `bigint`": () => 2n ** 100n,
  "an object": () => ({ a: 1, b: undefined, 2: [{ c: "x" }] }),
  "an object without a prototype": () => Object.assign(Object.create(null), { a: 1 }),
  "an object with a getter": () => ({
    get a() {
      return 1;
    },
  }),
  "an object with a symbol as a key": () => ({ a: 1, [Symbol.for("key")]: 2 }),
  "an instance of your class": () => new Point(),
  "an array": () => [1, [2, [3]]],
  "an array with holes": () => Object.assign(new Array(5), { 3: "x" }),
  "a cycle": cycle,
  "a part that is there twice": shared,
  "a `Map`": () => new Map<unknown, unknown>([["a", 1], [{ b: 2 }, new Map([[NaN, -0]])]]),
  "a `Set`": () => new Set<unknown>(["a", { b: 2 }]),
  "a `Date`": () => new Date(1e12),
  "an invalid `Date`": () => new Date(NaN),
  "a `RegExp`": () => /a(?<b>.)/giu,
  "a boxed value, such as `new Number(1)`": () => Object(1),
  "a boxed `bigint`": () => Object(1n),
  "an `ArrayBuffer`": bytes,
  "a `SharedArrayBuffer`": () => new SharedArrayBuffer(4),
  "a `Uint8Array`": () => new Uint8Array(bytes(), 1),
  "a `Float64Array`": () => new Float64Array([1.5, -0, NaN]),
  "a `BigInt64Array`": () => new BigInt64Array([-1n]),
  "a `Float16Array`": () => new (globalThis as { Float16Array?: Float16ArrayConstructor }).Float16Array!([1.5]),
  "a `DataView`": () => new DataView(bytes(), 1),
  "a `Buffer`": () => (globalThis as unknown as { Buffer: { from(text: string): Uint8Array } }).Buffer.from("abc"),
  "an `Error`": () => new Error("message"),
  "a `RangeError`": () => new RangeError("message"),
  "an `Error` with a cause": () => new Error("outer", { cause: new TypeError("inner", { cause: 7 }) }),
  "an error with data": () => Object.assign(new Error("message"), { cents: 7 }),
  "an error of your class": () => new PaymentError("message"),
  "an `AggregateError`": () => new AggregateError([new RangeError("a"), "b"], "message"),
  "a `SuppressedError`": () => new SuppressedError(new RangeError("a"), new TypeError("b"), "message"),
  "a `DOMException` with a code": () => new DOMException("message", "AbortError"),
  "a `DOMException` without a code": () => new DOMException("message", "OperationError"),
  "a `URL`": () => new URL("https://example.com/?a=1"),
  "a `URLSearchParams`": () => new URLSearchParams("a=1"),
  "a `Blob`": () => new Blob(["abc"], { type: "text/plain" }),
  "a `File`": () => new File(["abc"], "a.txt"),
  "a `FormData`": () => new FormData(),
  "a `Headers`": () => new Headers({ a: "1" }),
  "a `Request`": () => new Request("https://example.com/"),
  "a `Response`": () => new Response("abc"),
  "a `ReadableStream`": () => new ReadableStream(),
  "a `CryptoKey`": () => crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, true, ["sign"]),
  "an `AbortSignal`": () => new AbortController().signal,
  "an `Event`": () => new Event("a"),
  "a `MessagePort`": () => new MessageChannel().port1,
  "a `Temporal.Instant`": () =>
    (globalThis as unknown as { Temporal: { Instant: { from(text: string): object } } }).Temporal.Instant
      .from("2026-01-01T00:00Z"),
  "an `Intl.NumberFormat`": () => new Intl.NumberFormat("en"),
  "a `Promise`": () => [Promise.resolve(1)],
  "a generator": () => (function* () {})(),
  "a `WeakMap`": () => new WeakMap(),
  "a `WeakRef`": () => new WeakRef({}),
  "a function": () => () => 1,
  "a class": () => Point,
  "a symbol": () => Symbol.for("a"),
  "a proxy of an object": () => new Proxy({ a: 1 }, {}),
  "a proxy of a `Date`": () => new Proxy(new Date(0), {}),
};

/** The values that a workflow also throws. */
const THROWN = [
  "an `Error`",
  "a `RangeError`",
  "an `Error` with a cause",
  "an error with data",
  "an error of your class",
  "an `AggregateError`",
  "a `SuppressedError`",
  "a `DOMException` with a code",
  "a `DOMException` without a code",
  "an object",
  "a symbol",
];

/** The names of the values, in the order of the table. */
export const valueNames: readonly string[] = [...Object.keys(VALUES), ...THROWN.map((name) => `thrown: ${name}`)];

/** Tries every value. */
export async function fatesOfValues(): Promise<Record<string, Fate>> {
  const fates: Record<string, Fate> = {};
  for (const name of valueNames) fates[name] = await fateOf(name);
  return fates;
}

async function fateOf(name: string): Promise<Fate> {
  const thrown = name.startsWith("thrown: ");
  let value: unknown;
  try {
    value = await VALUES[name.replace("thrown: ", "")]();
  } catch {
    return { inMemory: ABSENT, inSnapshot: ABSENT };
  }
  const store = new InMemoryStore();
  const executor = new Executor({ store });
  const workflow = thrown
    ? () => {
      throw value;
    }
    : (_ctx: unknown, input: unknown) => input;
  try {
    const input = thrown ? null : value;
    const id = (await executor.execute(workflow as never, { id: "a", input } as never)).id;
    const inMemory = await compare(value, () => outcome(executor, id, thrown));
    const inSnapshot = await compare(value, async () => {
      const restored = new Executor({ store: InMemoryStore.restore(await store.snapshot()) });
      return await outcome(restored, id, thrown);
    });
    return { inMemory, inSnapshot };
  } catch (error) {
    return { inMemory: refused(error), inSnapshot: refused(error) };
  } finally {
    await executor.close();
  }
}

/** Returns what a workflow has returned, or what it has thrown. */
async function outcome(executor: Executor, id: string, thrown: boolean): Promise<unknown> {
  const handle = await executor.handle(id);
  if (!thrown) return await handle.result();
  let error: unknown;
  await handle.result().catch((reason) => error = reason);
  return error;
}

async function compare(value: unknown, read: () => Promise<unknown>): Promise<string> {
  try {
    const result = await read();
    const sameClass = prototypeOf(value) === prototypeOf(result);
    if (sameClass && await describe(value) === await describe(result)) return "kept";
    if (sameClass) return "kept in part";
    return `becomes ${kindOf(result)}${kindOf(value) === kindOf(result) ? " of another realm" : ""}`;
  } catch (error) {
    return refused(error);
  }
}

function prototypeOf(value: unknown): unknown {
  return value === null || value === undefined ? value : Object.getPrototypeOf(value);
}

function kindOf(value: unknown): string {
  if (typeof value !== "object" || value === null) return `a ${typeof value}`;
  const name = Object.getPrototypeOf(value)?.constructor.name;
  return name === "Object" ? "a plain object" : `\`${name}\``;
}

function refused(error: unknown): string {
  const known = error instanceof TypeError && /^Cannot (store|snapshot)/.test(error.message);
  return known ? "refused" : `fails: ${error}`;
}

/** Members that are no own enumerable properties, by the class. */
const MEMBERS: Record<string, readonly string[]> = {
  Blob: ["type"],
  CryptoKey: ["type", "algorithm", "extractable", "usages"],
  Error: ["name", "message", "cause", "errors", "error", "suppressed"],
  DOMException: ["code"],
  File: ["name"],
  Request: ["url", "method", "headers"],
};

/** Says what a value is and what it holds. Values with equal texts are equal for a workflow. */
async function describe(value: unknown, above: readonly object[] = []): Promise<string> {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (Object.is(value, -0)) return "-0";
  if (typeof value !== "object" || value === null) return String(value);
  if (above.includes(value)) return "itself";

  const inner = (part: unknown) => describe(part, [...above, value]);
  const tag = Object.prototype.toString.call(value).slice(8, -1);
  const parts: string[] = [];
  if (value instanceof Date) parts.push(`${value.getTime()}`);
  else if (tag === "RegExp" || tag === "Number" || tag === "BigInt") parts.push(`${value}`);
  else if (value instanceof Blob) parts.push(await value.text());
  else if (value instanceof Map || value instanceof Set) { for (const item of value) parts.push(await inner(item)); }
  else if (value instanceof ArrayBuffer) parts.push(`${new Uint8Array(value)}`);
  else if (ArrayBuffer.isView(value)) {
    parts.push(`${new Uint8Array(value.buffer, value.byteOffset, value.byteLength)}`);
  } else if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) parts.push(i in value ? await inner(value[i]) : "");
  } else {
    for (const key of Reflect.ownKeys(value)) {
      const { get, enumerable } = Object.getOwnPropertyDescriptor(value, key)!;
      if (!enumerable || isMember(value, key)) continue;
      parts.push(`${String(key)}: ${get ? "a getter" : await inner(value[key as never])}`);
    }
  }
  for (const [name, keys] of Object.entries(MEMBERS)) {
    const Class = globalThis[name as "Error"];
    if (!Class || !(value instanceof Class)) continue;
    for (const key of keys) {
      const part = value[key as never] as unknown;
      if (part !== undefined) parts.push(`${key}: ${await inner(part)}`);
    }
  }
  if (Array.isArray(value)) return `[${parts.join(", ")}]`;
  return `${kindOf(value)} { ${parts.join(", ")} }`;
}

/** Whether a property is what its class says, and no data. Some runtimes have own properties where others have accessors. */
function isMember(value: object, key: string | symbol): boolean {
  if (!(value instanceof Error)) return false;
  return typeof key === "symbol" || [...MEMBERS.Error, ...MEMBERS.DOMException, "stack"].includes(key);
}
