/**
 * Errors on their way into the history and out of it: the class and the message are the same on every replay.
 *
 * A built-in class, a class of this package and a `DOMException` with a legacy code (`AbortError` …) come back as
 * themselves; any other comes back as an `Error` with the same name, message, stack, cause and data. What was thrown
 * without being an `Error` comes back as the value it was, or as a description if it cannot be stored.
 *
 * @module
 */

import {
  CanceledError,
  CompensationError,
  NonDeterminismError,
  NonRetryableError,
  RetryAfterError,
  TimeoutError,
  WorkflowError,
} from "../errors.ts";
import type { ErrorRecord } from "../types.ts";
import { handOut, toStored } from "./value.ts";
import { show } from "../util/show.ts";

/** Causes and members that are nested deeper are left out. */
const MAX_DEPTH = 16;
/** Errors beyond so many are left out of a record: members that share causes multiply. */
const MAX_ERRORS = 1000;

/** By the names in the history, which a minifier must not change; ours with the code, since others have such names. */
const classes: Record<string, unknown> = {
  __proto__: null,
  ...{ Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError },
  "CanceledError canceled": CanceledError,
  "CompensationError compensation_failed": CompensationError,
  "NonDeterminismError non_deterministic": NonDeterminismError,
  "NonRetryableError non_retryable": NonRetryableError,
  "RetryAfterError retry_after": RetryAfterError,
  "TimeoutError timeout": TimeoutError,
};

/** What is no data: it has its own place in the record. */
const places = ["name", "message", "stack", "cause", "__proto__"];

/** Records what was thrown. Never throws: what cannot be read or stored of an error is left out. */
export function toErrorRecord(thrown: unknown): ErrorRecord {
  let count = 0;

  const inner = (error: unknown, depth: number): ErrorRecord | undefined =>
    depth > MAX_DEPTH || count > MAX_ERRORS ? undefined : record(error, depth);

  const record = (error: unknown, depth: number): ErrorRecord => {
    count++;
    if (!attempt(() => isError(error))) return recordValue(error);
    const of = error as Error & Record<string, unknown>;
    const name: unknown = attempt(() => of.name);
    const stack = attempt(() => of.stack);
    const record: { -readonly [K in keyof ErrorRecord]: ErrorRecord[K] } = {
      name: typeof name === "string" ? name : "Error",
      message: attempt(() => String(of.message)) ?? "",
    };
    if (typeof stack === "string") record.stack = stack;
    const cause = attempt(() => of.cause);
    const recorded = cause === undefined ? undefined : inner(cause, depth + 1);
    if (recorded !== undefined) record.cause = recorded;
    const members = attempt(() => error instanceof AggregateError && Array.from(error.errors));
    if (members) record.errors = Object.freeze(members.flatMap((member) => inner(member, depth + 1) ?? []));
    const data: Record<string, unknown> = {};
    for (const key of attempt(() => Object.keys(of)) ?? []) {
      if (places.includes(key) || (key === "errors" && members)) continue;
      attempt(() => data[key] = toStored(of[key], key));
    }
    if (attempt(() => error instanceof DOMException && error.code > 0)) data.code = of.code;
    if (Object.keys(data).length > 0) record.data = Object.freeze(data);
    return Object.freeze(record);
  };
  return record(thrown, 0);
}

function recordValue(thrown: unknown): ErrorRecord {
  let value: unknown;
  try {
    value = toStored(thrown, "thrown");
  } catch {
    value = show(thrown);
  }
  return Object.freeze({ name: "Error", message: `Thrown: ${show(thrown)}`, thrown: Object.freeze({ value }) });
}

/** Makes what {@linkcode toErrorRecord} recorded again, to be thrown. */
export function fromErrorRecord(record: ErrorRecord): unknown {
  if (record.thrown) return handOut(record.thrown.value);
  const { name, message, stack, data } = record;
  const options = record.cause === undefined ? undefined : { cause: fromErrorRecord(record.cause) };
  const error: Error = record.errors
    ? new AggregateError(record.errors.map(fromErrorRecord), message, options)
    : toDOMException(record) ??
      // The prototype of the class without its constructor, which may want other arguments.
      Reflect.construct(Error, [message, options], classOf(name, data?.code));
  if (options && !Object.hasOwn(error, "cause")) define(error, "cause", options.cause);
  if (error.name !== name) define(error, "name", name);
  if (stack !== undefined) define(error, "stack", stack);
  for (const [key, value] of Object.entries(handOut(data) ?? {})) define(error, key, value, true);
  return error;
}

function classOf(name: string, code: unknown): typeof Error {
  const ours = name === "WorkflowError" && typeof code === "string" ? WorkflowError : classes[`${name} ${code}`];
  return (ours ?? classes[name] ?? Error) as typeof Error;
}

/** Another class can have the name, but hardly the number that goes with it. */
function toDOMException({ name, message, data }: ErrorRecord): DOMException | undefined {
  if (typeof data?.code !== "number" || data.code === 0) return undefined;
  const error = new DOMException(message, name);
  return error.code === data.code ? error : undefined;
}

function isError(value: unknown): value is Error {
  return value instanceof Error || Object.prototype.toString.call(value) === "[object Error]";
}

function define(error: Error, key: string, value: unknown, enumerable = false): void {
  Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable });
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
