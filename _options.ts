/**
 * What an executor's methods take, and the checks at the call.
 *
 * @module
 */

import { type Clock, systemClock, systemRandom } from "./clock.ts";
import type { ErrorReporter, Hooks, Middleware } from "./hooks.ts";
import { validateRetryPolicy } from "./retry.ts";
import type {
  RetryPolicy,
  WorkflowContext,
  WorkflowEvent,
  WorkflowState,
  WorkflowStatus,
  WorkflowStore,
} from "./types.ts";
import { isFiniteFrom, show } from "./_value.ts";

/** Options of an {@linkcode Executor}. */
export interface ExecutorOptions {
  /** Where the runs are kept. */
  readonly store: WorkflowStore;
  /**
   * Gives the time and the timers.
   *
   * @default {systemClock}
   */
  readonly clock?: Clock;
  /** The workflows that `recover()` can go on with, by name. A workflow that was executed here is known as well. */
  readonly workflows?: Readonly<Record<string, (ctx: WorkflowContext, input: never) => unknown>>;
  /**
   * Functions that hear of events.
   *
   * @default {none}
   */
  readonly hooks?: Hooks;
  /**
   * Functions that stand around calls, the first outermost.
   *
   * @default {none}
   */
  readonly middleware?: readonly Middleware[];
  /**
   * Gets what hooks and middleware throw, and what `recover()` cannot go on with.
   *
   * @default {console.error}
   */
  readonly onError?: (error: unknown) => void;
  /**
   * When a failing store is asked again.
   *
   * @default {5 attempts, from 50 ms}
   */
  readonly storeRetry?: RetryPolicy;
  /**
   * Gives numbers from 0 to below 1, for the jitter of delays.
   *
   * @default {Math.random}
   */
  readonly random?: () => number;
}

/** Options of {@linkcode Executor.execute}. */
export interface ExecuteOptions<Input = unknown> {
  /**
   * The workflow's ID: any string but the empty one.
   *
   * @default {a random UUID}
   */
  readonly id?: string;
  /** The workflow's input. */
  readonly input?: Input;
  /**
   * How long the workflow may take, in milliseconds, above 0; then it fails with a `TimeoutError`.
   *
   * @default {forever}
   */
  readonly timeoutMs?: number;
  /**
   * Cancels the workflow when it is aborted.
   *
   * @default {none}
   */
  readonly signal?: AbortSignal;
}

/** The options of {@linkcode Executor.execute}: to be left out where the workflow takes no input. */
export type ExecuteArgs<Input> = undefined extends Input ? [options?: ExecuteOptions<Input>]
  : [options: ExecuteOptions<Input> & { readonly input: Input }];

/** A signal to send. */
export interface Signal {
  /** The name that the workflow receives it under. */
  readonly name: string;
  /**
   * What to attach.
   *
   * @default {undefined}
   */
  readonly payload?: unknown;
  /**
   * Who sends it, for the history.
   *
   * @default {undefined}
   */
  readonly senderId?: string;
}

/** What {@linkcode Executor.query} answers, by type of query. */
export interface QueryAnswers {
  /** Where the workflow stands. */
  readonly status: WorkflowStatus;
  /** The workflow's input. */
  readonly input: unknown;
  /** What happened so far. */
  readonly history: readonly WorkflowEvent[];
  /** All that is stored. */
  readonly state: WorkflowState;
}

const defaultStoreRetry: RetryPolicy = { maxAttempts: 5, initialIntervalMs: 50 };

/** Checks the options of an executor and fills in what they leave out. */
export function completeOptions(options: ExecutorOptions) {
  const { store, clock = systemClock, workflows = {}, hooks, middleware = [] } = options ?? {};
  const { random = systemRandom, storeRetry = defaultStoreRetry, onError = console.error } = options ?? {};
  const fail = (why: string, value: unknown) => new TypeError(`Cannot create an executor: ${why}, got ${show(value)}`);
  if (typeof store?.append !== "function" || typeof store.load !== "function") {
    throw fail(`"store" must be a WorkflowStore`, store);
  }
  for (const [name, value] of Object.entries({ "clock.now": clock?.now, random, onError })) {
    if (typeof value !== "function") throw fail(`"${name}" must be a function`, value);
  }
  if (!Array.isArray(middleware)) throw fail(`"middleware" must be an array`, middleware);
  for (const one of middleware) {
    if (typeof one !== "function") throw fail(`"middleware" must hold functions`, one);
  }
  for (const [name, workflow] of Object.entries(workflows)) {
    if (typeof workflow !== "function") throw fail(`workflow ${show(name)} must be a function`, workflow);
  }
  validateRetryPolicy(storeRetry);
  const report: ErrorReporter = (error) => {
    try {
      onError(error);
    } catch (thrown) {
      console.error(thrown, "thrown by onError for", error);
    }
  };
  return { store, clock, workflows, hooks, middleware, random, storeRetry, report };
}

/** Checks the arguments of `execute`. */
export function validateExecution(workflow: unknown, id: unknown, options: ExecuteOptions): void {
  const { timeoutMs, signal } = options;
  const cannot = () => `Cannot execute workflow ${show(id)}`;
  if (typeof workflow !== "function") {
    throw new TypeError(`${cannot()}: "workflow" must be a function, got ${show(workflow)}`);
  }
  validateId(id, "execute");
  if (timeoutMs !== undefined && !isFiniteFrom(timeoutMs, Number.MIN_VALUE)) {
    throw new RangeError(`${cannot()}: "timeoutMs" must be a finite number above 0, got ${show(timeoutMs)}`);
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError(`${cannot()}: "signal" must be an AbortSignal, got ${show(signal)}`);
  }
}

/** Checks a workflow's ID at the call that takes it. */
export function validateId(id: unknown, verb: string): void {
  if (typeof id !== "string" || id === "") {
    throw new TypeError(`Cannot ${verb} workflow: "id" must be a non-empty string, got ${show(id)}`);
  }
}
