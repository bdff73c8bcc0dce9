/**
 * Activities: functions with side effects, their options, and the context that they receive.
 *
 * Owns the options that belong to an activity itself, so that not every call has to repeat them. The executor runs the
 * activities.
 *
 * @example
 * ```ts
 * import { activity, Executor, type WorkflowContext } from "@rockpool/workflow";
 * import { assertEquals } from "@std/assert";
 *
 * let calls = 0;
 * const charge = activity((cents: number) => {
 *   if (++calls < 3) throw new Error("The bank is busy");
 *   return `charged ${cents}`;
 * }, { name: "charge", retry: { maxAttempts: 5, initialIntervalMs: 1 } });
 *
 * await using executor = new Executor();
 * const order = (ctx: WorkflowContext) => ctx.executeActivity(charge, 500, { timeoutMs: 1000 });
 * assertEquals(await (await executor.execute(order)).result(), "charged 500");
 *
 * assertEquals(charge(7), "charged 7"); // a unit test calls it as the function that it is
 * ```
 *
 * @module
 */

import { type RetryPolicy, validateRetryPolicy } from "./retry.ts";
import type { CallHeaders, DeepReadonly } from "./types.ts";
import { cannot, checkBoolean, checkFunction, checkNumber, checkOptions, checkText, noOptions } from "./util/check.ts";

/**
 * An activity: a function with side effects. Its input and its result are values that structured clone accepts. It may
 * return a promise.
 *
 * The input is deeply readonly, because a value from the history is frozen.
 *
 * @category Workflow code
 */
export type Activity<Input = unknown, Output = unknown> = (
  input: DeepReadonly<Input>,
  context: ActivityContext,
) => Output | PromiseLike<Output>;

/**
 * The parameter of {@linkcode WorkflowContext.executeActivity}: it infers the types of the activity's input and of what it
 * returns.
 *
 * A function whose input type has a mutable array is refused, because it gets a frozen one; declare the array as `readonly`.
 * Where the type is not declared, the input is readonly.
 *
 * An activity cannot call the context of its workflow: no replay would repeat the call. It gets what it needs as its input, and has
 * a context of its own. A call before the first `await` of the activity throws a `TypeError`. A later call cannot be recognized
 * for sure: usually it suspends the run with a `NonDeterminismError`, but if workflow code may run at that moment, it works until
 * the run is resumed by another process.
 *
 * @category Workflow code
 */
export type ActivityFunction<Input, Returned> =
  & ((input: Input, context: ActivityContext) => Returned)
  & (DeepReadonly<Input> extends Input ? unknown : (input: DeepReadonly<Input>, context: ActivityContext) => unknown);

/**
 * The second argument of an activity.
 *
 * @category Workflow code
 */
export interface ActivityContext {
  /**
   * Is aborted when nobody waits for the attempt any more. Its `reason` says why: the `TimeoutError` of the attempt, the activity
   * or the workflow; the `CanceledError` of a cancelled workflow; the error with code `terminated` of a terminated or replaced
   * one; the error of one that failed; a `CanceledError` if the workflow completed or continued as new; the error with code
   * `closed` of a closed executor.
   *
   * A listener must not throw: no library can catch that. Deno and Node report it as an uncaught error, which ends the process.
   */
  readonly signal: AbortSignal;
  /** The number of the attempt, counted from 1. */
  readonly attempt: number;
  /** The ID of the workflow that called the activity. */
  readonly workflowId: string;
  /** The ID of the run that called the activity. */
  readonly runId: string;
  /** The headers of the run, unless middleware changes them; empty if there are none. */
  readonly headers: CallHeaders;
  /** The same for every attempt of this call, also after a restart. No other call has it. */
  readonly idempotencyKey: string;
  /**
   * How often the run was taken over from an executor that died or lost its lease; 0 without leases. An outside system that keeps
   * the largest fence of a run and refuses smaller ones is protected from an executor that stood still and does not know yet that
   * another one has its runs.
   */
  readonly fence: number;
  /**
   * The last details that an earlier attempt gave to {@linkcode ActivityContext.heartbeat}, as they are stored; `undefined`
   * if there are none. After a restart they can be older than the last call: by half of `heartbeatTimeoutMs`, or by one
   * second if that is not given.
   */
  readonly heartbeatDetails: unknown;
  /**
   * Reports that the attempt is alive, and its progress. The next attempt gets the last details, so that it can continue
   * where this attempt stopped. It can be called often: only some calls are recorded.
   *
   * It does nothing after the attempt has returned or thrown.
   *
   * @param details A value that structured clone accepts. If it is omitted, the last details stay.
   * @throws {TypeError} If the details cannot be stored.
   * @throws {RangeError} If they are larger than the executor's `maxPayloadBytes`.
   * @throws The reason of `signal`, if nothing waits for the attempt any more. This ends a loop that does not check `signal`.
   */
  heartbeat(details?: unknown): void;
}

/**
 * Options of {@linkcode WorkflowContext.executeActivity} and {@linkcode activity}.
 *
 * @category Workflow code
 */
export interface ActivityOptions {
  /**
   * The name in the history; a non-empty string.
   *
   * @default {the function's name, or "anonymous"}
   */
  readonly name?: string | undefined;
  /**
   * When a failed attempt is repeated; `{}` for the default policy.
   *
   * @default {one attempt}
   */
  readonly retry?: RetryPolicy | undefined;
  /**
   * How long one attempt may take, in milliseconds, above 0. An attempt that timed out can be retried.
   *
   * @default {no limit}
   */
  readonly timeoutMs?: number | undefined;
  /**
   * How long all attempts and the delays between them may take, in milliseconds, above 0.
   *
   * @default {no limit}
   */
  readonly totalTimeoutMs?: number | undefined;
  /**
   * How long an attempt may take between two heartbeats, in milliseconds, above 0. Then it fails with a `TimeoutError` and
   * can be retried.
   *
   * @default {no limit}
   */
  readonly heartbeatTimeoutMs?: number | undefined;
  /**
   * Whether the activity never runs a second time. It has no retries. If the process dies while it runs, it fails on
   * recovery with code `activity_interrupted`.
   *
   * @default {false}
   */
  readonly atMostOnce?: boolean | undefined;
}

/**
 * Gives an activity default options. The options of a call of `executeActivity` take precedence, one by one; `undefined`
 * leaves the default. A call with `atMostOnce` ignores a default `retry`.
 *
 * An arrow function that is written as the argument has no name: its name in the history is `"anonymous"`, unless `name` is
 * given.
 *
 * @param fn The activity. If it already has defaults, `defaults` override them one by one.
 * @param defaults Its options.
 * @returns A function that does the same as `fn`, for `executeActivity` or for a call in a unit test. `fn` itself does not
 * get the defaults.
 * @throws {TypeError} If an argument is invalid or an option is unknown.
 * @throws {RangeError} If a number among the options is out of its range.
 *
 * @category Workflow code
 */
export function activity<Fn extends (input: never, context: ActivityContext) => unknown>(
  fn: Fn,
  defaults: ActivityOptions,
): Fn {
  const options = optionsOf(fn, defaults);
  const value = validateActivity(fn, options, "define activity");
  const wrapped = (...args: never[]) => (fn as (...args: never[]) => unknown)(...args);
  Object.defineProperty(wrapped, "name", { value });
  Object.defineProperty(wrapped, ownOptions, { value: Object.freeze({ ...options }) });
  if (isStoredFirst(fn)) storeFirst(wrapped);
  return wrapped as unknown as Fn;
}

/** The property in which a function keeps its own options. */
const ownOptions: unique symbol = /* @__PURE__ */ Symbol("options");

/** The property of an activity whose start is always stored before it runs. */
const storedFirst: unique symbol = /* @__PURE__ */ Symbol("storedFirst");

/**
 * The start of an activity is always stored before it runs. Without that, a later version of the workflow may ask for another
 * activity at its position, which gets its idempotency key.
 *
 * @internal
 */
export function storeFirst(activity: AnyFunction): void {
  Object.defineProperty(activity, storedFirst, { value: true });
}

/**
 * Whether {@linkcode storeFirst} was called for an activity.
 *
 * @internal
 */
export function isStoredFirst(activity: AnyFunction): boolean {
  return activity[storedFirst] === true;
}

/** Any function. It has options of its own if {@linkcode activity} made it. */
type AnyFunction = ((...args: never[]) => unknown) & {
  readonly [ownOptions]?: ActivityOptions;
  readonly [storedFirst]?: true;
};

/**
 * The options that apply to a call: those of the call, and the activity's own for the others.
 *
 * @internal
 */
export function optionsOf(activity: AnyFunction, options: ActivityOptions): ActivityOptions {
  const own = activity?.[ownOptions];
  if (own === undefined || typeof options !== "object" || options === null) return options;
  if (options === noOptions) return own;
  const all: Record<string, unknown> = { ...own };
  if (options.atMostOnce) delete all.retry;
  for (const [name, value] of Object.entries(options)) if (value !== undefined) all[name] = value;
  return all;
}

/** The names of all options. */
const optionNames: Readonly<Record<keyof ActivityOptions, true>> = {
  name: true,
  retry: true,
  timeoutMs: true,
  totalTimeoutMs: true,
  heartbeatTimeoutMs: true,
  atMostOnce: true,
};

/**
 * Checks an activity and its options, and returns its name in the history.
 *
 * @internal
 */
export function validateActivity(activity: AnyFunction, options: ActivityOptions, action: string): string {
  checkFunction("activity", activity, action);
  // Frozen options were checked before, and their names cannot change.
  if (options !== activity[ownOptions]) checkOptions(options, optionNames, action, activity.name || undefined);
  const { name = activity.name || "anonymous", retry, atMostOnce = false } = options;
  checkText("name", name, action);
  if (options === noOptions) return name;
  if (retry !== undefined) validateRetryPolicy(retry);
  checkBoolean("atMostOnce", atMostOnce, action, name);
  if (atMostOnce && retry) throw new TypeError(`${cannot(action, name)}: "atMostOnce" and "retry" exclude each other`);
  const { timeoutMs, totalTimeoutMs, heartbeatTimeoutMs } = options;
  if (timeoutMs !== undefined) checkNumber("timeoutMs", timeoutMs, Number.MIN_VALUE, action, name);
  if (totalTimeoutMs !== undefined) checkNumber("totalTimeoutMs", totalTimeoutMs, Number.MIN_VALUE, action, name);
  if (heartbeatTimeoutMs !== undefined) {
    checkNumber("heartbeatTimeoutMs", heartbeatTimeoutMs, Number.MIN_VALUE, action, name);
  }
  return name;
}
