/**
 * Converts errors to records of the history and back. The class and the message are the same on every replay.
 *
 * 1. An error of a built-in class or of a class of this package keeps its class, and so does a `DOMException` with a legacy
 *    code (`AbortError` …). Any other error becomes an `Error` with the same name, message, stack, cause and data.
 * 2. The cause of an error, the members of an `AggregateError` and of a `CompensationError`, and both errors of a
 *    `SuppressedError` are records as well.
 * 3. A thrown value that is no error stays what it is. If it cannot be stored, its description is stored.
 *
 * @module
 */

import {
  CanceledError,
  CompensationError,
  failedActivity,
  NonDeterminismError,
  NonRetryableError,
  RetryAfterError,
  setFailedActivity,
  TimeoutError,
  WorkflowError,
} from "../errors.ts";
import type { ErrorRecord, FailedActivity } from "../types.ts";
import { define, hasPart, nativeClass } from "./native_error.ts";
import { handOut, toStored } from "./value.ts";
import { show } from "../util/show.ts";

/** How deep causes and members may be nested. Deeper ones are left out. */
const MAX_DEPTH = 16;
/** How many errors a record may have; the others are left out. Members that share causes multiply. */
const MAX_ERRORS = 1000;

/**
 * Our classes by the names in the history. The names are written out, because a minifier changes those of the classes. They
 * go with the code, since other packages have errors of the same names.
 */
const classes: Record<string, unknown> = {
  __proto__: null,
  "CanceledError canceled": CanceledError,
  "CompensationError compensation_failed": CompensationError,
  "NonDeterminismError non_deterministic": NonDeterminismError,
  "NonRetryableError non_retryable": NonRetryableError,
  "RetryAfterError retry_after": RetryAfterError,
  "TimeoutError timeout": TimeoutError,
};

/** The parts of an error that are errors. */
const errorParts = ["cause", "error", "suppressed"] as const;

/** Properties that are no data: they have their own place in the record. */
const places = ["name", "message", "stack", "cause", "__proto__"];

/** Says in a text why somebody stopped something: a reason can be anything. */
export function reasonText(reason: unknown): string {
  const { message, thrown } = toErrorRecord(reason);
  if (thrown === undefined) return message;
  return typeof thrown.value === "string" ? thrown.value : show(thrown.value);
}

/** Records a thrown value. Never throws: parts of an error that cannot be read or stored are left out. */
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
    for (const key of errorParts) {
      const part = attempt(() => key === "cause" || hasPart(of, key) ? of[key] : undefined);
      const recorded = part === undefined ? undefined : inner(part, depth + 1);
      if (recorded !== undefined) record[key] = recorded;
    }
    const members = attempt(() => (hasPart(of, "errors") || error instanceof CompensationError) && listOf(of.errors));
    if (members) record.errors = Object.freeze(members.flatMap((member) => inner(member, depth + 1) ?? []));
    const data: Record<string, unknown> = {};
    for (const key of attempt(() => Object.keys(of)) ?? []) {
      if (places.includes(key) || Object.hasOwn(record, key)) continue;
      attempt(() => data[key] = toStored(of[key], key));
    }
    if (attempt(() => error instanceof DOMException && error.code > 0)) data.code = of.code;
    if (Object.keys(data).length > 0) record.data = Object.freeze(data);
    const activity = failedActivity(error);
    if (activity !== undefined) record.activity = activity;
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

/** Adds where an error comes from: to its stack, for people, and the activity that failed, for programs. */
export function comesFrom(record: ErrorRecord, where: string, activity?: FailedActivity): ErrorRecord {
  if (record.thrown) return record;
  return Object.freeze({
    ...record,
    ...(record.stack !== undefined && { stack: `${record.stack}\n    at ${where}` }),
    ...(activity && { activity: Object.freeze(activity) }),
  });
}

/** Makes an error from its record. */
export function fromErrorRecord(record: ErrorRecord): unknown {
  if (record.thrown) return handOut(record.thrown.value);
  const { name, message, stack, data, activity } = record;
  // An instance without a call of the constructor, whose arguments can differ.
  const error: Error = toDOMException(record) ?? Reflect.construct(Error, [message], classOf(record));
  for (const key of errorParts) {
    const part = record[key];
    if (part !== undefined) define(error, key, fromErrorRecord(part));
  }
  const errors = record.errors?.map(fromErrorRecord) ?? (error instanceof AggregateError ? [] : undefined);
  if (errors !== undefined) define(error, "errors", errors, error instanceof CompensationError);
  if (error.name !== name) define(error, "name", name);
  if (stack !== undefined) define(error, "stack", stack);
  for (const [key, value] of Object.entries(handOut(data) ?? {})) define(error, key, value, true);
  if (activity !== undefined) setFailedActivity(error, activity);
  return error;
}

function classOf({ name, data, errors, suppressed }: ErrorRecord): typeof Error {
  const code = data?.code;
  const ours = name === "WorkflowError" && typeof code === "string" ? WorkflowError : classes[`${name} ${code}`];
  const parent = errors ? AggregateError : suppressed && nativeClass("SuppressedError");
  return (ours ?? nativeClass(name) ?? parent ?? Error) as typeof Error;
}

/** `undefined` if the name and the code do not belong together: then the error is of another class of that name. */
function toDOMException({ name, message, data }: ErrorRecord): DOMException | undefined {
  if (typeof data?.code !== "number" || data.code === 0) return undefined;
  const error = new DOMException(message, name);
  return error.code === data.code ? error : undefined;
}

function isError(value: unknown): value is Error {
  return value instanceof Error || Object.prototype.toString.call(value) === "[object Error]";
}

/** The members of an array, as far as they are recorded. */
function listOf(errors: unknown): unknown[] | undefined {
  return Array.isArray(errors) ? errors.slice(0, MAX_ERRORS) : undefined;
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
