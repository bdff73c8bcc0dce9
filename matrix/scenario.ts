/**
 * Everything that runs on a runtime: the contract of a store, the scenario, and the values. The runtime loads this module.
 *
 * @module
 */

import { InMemoryStore } from "@rockpool/workflow";
import { storeCases } from "@rockpool/workflow/testing/store";
import { type Case, scenario } from "./cases.ts";
import { type Fate, fatesOfValues } from "./values.ts";

/** The name of the case that tries every value. */
export const VALUES = "values of the platform";

/** What the names of the cases of the store contract begin with. */
export const CONTRACT = "store contract: ";

/** The same with `SqliteStore`, where the runtime has `node:sqlite`. */
export const SQLITE_CONTRACT = "SqliteStore contract: ";

/** The name of the case for the runtimes that have `node:async_hooks`. */
export const TEMPORAL = "workflows of Temporal";

/** The name of the case that the runtimes have which are a process. */
export const EXIT = "the process ends by itself";

/** How long a case of the store contract may take, once its stores are open. */
export const CONTRACT_MS = 30_000;

/** How long one request of a case may take. The store contract has limits of its own. */
const TIMEOUT_MS = 60_000;

/** How long a runtime may take to say so. */
const SILENCE_MS = 90_000;

/** What one request of a case came to. */
export interface Outcome {
  /** The name of the case. */
  readonly name: string;
  /** Why it failed. */
  readonly error?: string;
  /** What became of each value, if the case tries them. */
  readonly values?: Record<string, Fate>;
}

/** Every case: first those of the store contract, whose names begin with {@linkcode CONTRACT}. */
export const cases: readonly Case[] = [
  ...storeCases({ timeoutMs: CONTRACT_MS }).map(({ name, run }) => ({
    name: CONTRACT + name,
    requests: [() => run(() => new InMemoryStore())],
  })),
  ...scenario,
  { name: VALUES, requests: [fatesOfValues] },
];

/** Calls one request of a case, on this runtime. Never rejects. */
export async function perform(caseIndex: number, request: number): Promise<Outcome> {
  const { name, requests } = cases[caseIndex];
  try {
    const answer = await within(TIMEOUT_MS, Promise.resolve(requests[request]()));
    return name === VALUES ? { name, values: answer as Record<string, Fate> } : { name };
  } catch (error) {
    return { name, error: textOf(error) };
  }
}

/**
 * Performs every request of every case, in order. Throws if the runtime does not answer any more.
 *
 * @param perform Calls one request, on this runtime or on another one.
 */
export async function* performAll(
  perform: (caseIndex: number, request: number) => Promise<Outcome>,
): AsyncGenerator<Outcome> {
  for (const [index, { name, requests }] of cases.entries()) {
    for (const request of requests.keys()) {
      const failed = (error: unknown): Outcome => ({ name, error: textOf(error) });
      yield await within(SILENCE_MS, perform(index, request).catch(failed));
    }
  }
}

async function within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`It did not end within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The message and the stack of an error. Not every runtime has the message in the stack. */
export function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { message, stack = "" } = error;
  return stack.includes(message) ? stack : `${error.name}: ${message}\n${stack}`;
}
