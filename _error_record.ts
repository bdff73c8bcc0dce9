/**
 * Errors on their way into the history and out of it: the class and the message are the same on every replay.
 *
 * A class that the runtime or this package provides comes back as itself; any other comes back as an `Error` with the
 * same name, message, stack, cause and data. What was thrown without being an `Error` comes back as the value it was.
 *
 * @module
 */

import { CanceledError, NonDeterminismError, NonRetryableError, TimeoutError, WorkflowError } from "./errors.ts";
import type { ErrorRecord } from "./types.ts";
import { handOut, show, toStored } from "./_value.ts";

/** A cause chain longer than this is cut: it may be a cycle. */
const MAX_CAUSES = 16;

/** By the names in the history, which a minifier must not change. */
const classes: Record<string, unknown> = {
  ...{ Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError },
  ...{ CanceledError, NonDeterminismError, NonRetryableError, TimeoutError, WorkflowError },
};

/** Errors that the platform throws as a `DOMException`. */
const domErrors = ["AbortError", "DataCloneError", "TimeoutError"];

/** Records what was thrown. Never throws: what cannot be stored of an error is left out. */
export function toErrorRecord(thrown: unknown, depth = 0): ErrorRecord {
  if (!isError(thrown)) {
    let value: unknown;
    try {
      value = toStored(thrown, "thrown");
    } catch {
      value = show(thrown);
    }
    return Object.freeze({
      name: "Error",
      message: `Thrown: ${show(value)}`,
      thrown: Object.freeze({ value }),
    });
  }
  const { name, message, stack, cause, errors } = thrown as AggregateError;
  const record: { -readonly [K in keyof ErrorRecord]: ErrorRecord[K] } = {
    name: String(name),
    message: String(message),
  };
  if (typeof stack === "string") record.stack = stack;
  if (cause !== undefined && depth < MAX_CAUSES) record.cause = toErrorRecord(cause, depth + 1);
  if (thrown instanceof AggregateError && Array.isArray(errors) && depth < MAX_CAUSES) {
    record.errors = Object.freeze(errors.map((error) => toErrorRecord(error, depth + 1)));
  }
  const data: Record<string, unknown> = {};
  for (const key of Object.keys(thrown)) {
    if (key === "cause" || key === "errors" || key === "__proto__") continue;
    attempt(() => data[key] = toStored((thrown as unknown as Record<string, unknown>)[key], key));
  }
  if (Object.keys(data).length > 0) record.data = Object.freeze(data);
  return Object.freeze(record);
}

/** Makes what {@linkcode toErrorRecord} recorded again, to be thrown. */
export function fromErrorRecord(record: ErrorRecord): unknown {
  if (record.thrown) return handOut(record.thrown.value);
  const { name, message, stack, data } = record;
  const options = record.cause === undefined ? undefined : { cause: fromErrorRecord(record.cause) };
  const error: Error = record.errors
    ? new AggregateError(record.errors.map(fromErrorRecord), message, options)
    : domErrors.includes(name) && data?.code === undefined // ours have a code
    ? new DOMException(message, name)
    // The prototype of the class without its constructor, which may want other arguments.
    : Reflect.construct(
      Error,
      [message, options],
      Object.hasOwn(classes, name) ? classes[name] as typeof Error : Error,
    );
  if (error.name !== name) defineHidden(error, "name", name);
  if (stack !== undefined) defineHidden(error, "stack", stack);
  return Object.assign(error, handOut(data));
}

function isError(value: unknown): value is Error {
  return value instanceof Error || Object.prototype.toString.call(value) === "[object Error]";
}

function defineHidden(error: Error, key: string, value: string): void {
  Object.defineProperty(error, key, {
    value,
    writable: true,
    configurable: true,
    enumerable: false,
  });
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
