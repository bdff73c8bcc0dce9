/**
 * Errors of clients, in words.
 *
 * @module
 */

import { cannot } from "../../util/check.ts";

interface ClientError {
  /** The SQLSTATE of Postgres, or the code of a client or an operating system. */
  readonly code?: unknown;
  readonly message?: unknown;
}

/** The SQLSTATE of an answer of Postgres; `undefined` if the error is of another kind: the connection is broken, for example. */
export function stateOf(error: unknown): string | undefined {
  const { code } = (error ?? {}) as ClientError;
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) && /\d/.test(code) ? code : undefined;
}

/** Whether Postgres has rolled back because of others: the same statement may succeed now. */
export function isTransient(error: unknown): boolean {
  return ["40001", "40P01"].includes(stateOf(error)!);
}

/** Whether Postgres has refused what was written, and not that it is written at all. */
export function isOfData(error: unknown): boolean {
  const state = stateOf(error);
  return state !== undefined && !/^(08|25|53|55|57|58|28|3D|3F|42)/.test(state);
}

/** The error of a call of a client, in words. */
export function failure(action: string, cause: unknown): Error {
  const { code, message } = (cause ?? {}) as ClientError;
  const state = stateOf(cause);
  const why = state === undefined ? "Postgres does not answer" : reasons[state] ?? reasons[state.slice(0, 2)];
  const words = typeof message === "string" && message !== "" ? message : String(code ?? cause);
  return new Error(`${cannot(action)}: ${why === undefined ? "" : `${why}: `}${words}`, { cause });
}

/** By the SQLSTATE, or by its class. */
const reasons: Readonly<Record<string, string>> = {
  "08": "the connection is broken",
  "25P02": "a statement of the transaction had failed before",
  "25006": "the database is read-only, it may be a copy",
  "28": "Postgres refuses the user",
  "3D000": "the database does not exist",
  "3F000": "the schema is missing",
  "40": "other writers were in the way for too long",
  "42501": "the user has no right to do it",
  "42P01": "a table of the store is missing",
  "53100": "the disk is full",
  "53300": "Postgres has too many connections",
  "53": "Postgres has too little of something",
  "57014": "the statement was ended",
  "57": "Postgres stops or starts",
  "58": "the system of Postgres failed",
};
