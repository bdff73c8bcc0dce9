/**
 * Calls of activities from a workflow.
 *
 * A call is a command of the shield around the whole run. When its scope is cancelled, a controller of its own aborts the activity;
 * the cancellation type decides when the call rejects. So a workflow that returns meanwhile does not wait for it.
 *
 * @module
 */

import type { ActivityContext } from "../activity.ts";
import type { ActivityOptions as NativeOptions } from "../activity.ts";
import { NonRetryableError } from "../errors.ts";
import type { RetryPolicy as NativeRetryPolicy } from "../retry.ts";
import { Deferred, quiet } from "../util/deferred.ts";
import { show } from "../util/show.ts";
import {
  ActivityCancellationType,
  type ActivityFunction,
  type ActivityOptions,
  type ActivityTypeInfoMap,
  ApplicationFailure,
  CancelledFailure,
  type Headers,
  type LocalActivityOptions,
  type PayloadTypeInfo,
  type UntypedActivities,
} from "./common/mod.ts";
import { runActivity } from "./activity/run.ts";
import { toActivityFailure, toThrown } from "./common/convert.ts";
import { optionalDurationMs } from "./common/duration.ts";
import { toNativeRetryPolicy } from "./common/retry_policy.ts";
import { composeInterceptors } from "./common/interceptors.ts";
import { readHeaders, writeHeaders } from "./headers.ts";
import type { ActivityInput, LocalActivityInput } from "./interceptors.ts";
import { type CancellationScope, onCancel, outside, requireFrame, waitIn } from "./scope.ts";
import type { Called } from "./types.ts";
import type { AnyFunction, Run } from "./run.ts";

/**
 * Marks what is no activity in the type of `proxyActivities`.
 *
 * @category Temporal
 */
export const NotAnActivityMethod: unique symbol = /* @__PURE__ */ Symbol.for("__TEMPORAL_NOT_AN_ACTIVITY_METHOD");

/**
 * An activity of `proxyActivities`.
 *
 * @category Temporal
 */
export type ActivityFunctionWithOptions<T extends ActivityFunction> = Called<T, ActivityOptions>;

/**
 * An activity of `proxyLocalActivities`.
 *
 * @category Temporal
 */
export type LocalActivityFunctionWithOptions<T extends ActivityFunction> = Called<T, LocalActivityOptions>;

/**
 * What `proxyActivities` returns for an object of functions.
 *
 * @category Temporal
 */
export type ActivityInterfaceFor<T> = {
  [Name in keyof T]: T[Name] extends ActivityFunction ? ActivityFunctionWithOptions<T[Name]>
    : typeof NotAnActivityMethod;
};

/**
 * What `proxyLocalActivities` returns for an object of functions.
 *
 * @category Temporal
 */
export type LocalActivityInterfaceFor<T> = {
  [Name in keyof T]: T[Name] extends ActivityFunction ? LocalActivityFunctionWithOptions<T[Name]>
    : typeof NotAnActivityMethod;
};

/**
 * Options of `proxyActivities`.
 *
 * @category Temporal
 */
export interface ActivityProxyOptions<A = UntypedActivities> extends ActivityOptions {
  /** It changes nothing here: the converter of the host converts all values. */
  activityTypeInfo?: ActivityTypeInfoMap<A> | undefined;
}

/**
 * Options of `proxyLocalActivities`.
 *
 * @category Temporal
 */
export interface LocalActivityProxyOptions<A = UntypedActivities> extends LocalActivityOptions {
  /** It changes nothing here: the converter of the host converts all values. */
  activityTypeInfo?: ActivityTypeInfoMap<A> | undefined;
}

/**
 * Returns functions that call activities by their names. It may be called outside of a workflow.
 *
 * @param options Options of every call. `startToCloseTimeout` or `scheduleToCloseTimeout` is required.
 * @throws {TypeError} If both timeouts are missing.
 *
 * @category Temporal
 */
export function proxyActivities<A = UntypedActivities>(options: ActivityProxyOptions<A>): ActivityInterfaceFor<A> {
  return proxy("proxy activities", options, scheduleActivity) as ActivityInterfaceFor<A>;
}

/**
 * The same for local activities. There is one kind of activity here: only `activityInfo().isLocal` differs.
 *
 * @param options Options of every call. `startToCloseTimeout` or `scheduleToCloseTimeout` is required.
 * @throws {TypeError} If both timeouts are missing.
 *
 * @category Temporal
 */
export function proxyLocalActivities<A = UntypedActivities>(
  options: LocalActivityProxyOptions<A>,
): LocalActivityInterfaceFor<A> {
  return proxy("proxy local activities", options, scheduleLocalActivity) as LocalActivityInterfaceFor<A>;
}

type AnyOptions = ActivityOptions & LocalActivityOptions;

function proxy(
  action: string,
  given: AnyOptions & { activityTypeInfo?: unknown },
  schedule: (activityType: string, args: unknown[], options: AnyOptions) => Promise<unknown>,
): unknown {
  checkTimeouts(action, given);
  const { activityTypeInfo: _, ...options } = given;
  const functions: Record<string, unknown> = {};
  return new Proxy(functions, {
    get(_, name) {
      if (typeof name !== "string") {
        throw new TypeError(`Cannot ${action}: the name of an activity must be a text, got ${String(name)}`);
      }
      return functions[name] ??= Object.assign((...args: unknown[]) => schedule(name, args, options), {
        executeWithOptions: (own: AnyOptions, args: unknown[]) => schedule(name, args, merge(options, own)),
      });
    },
  });
}

/** Options that take precedence, also those of the retry policy one by one. */
function merge(options: AnyOptions, own: AnyOptions): AnyOptions {
  const retry = { ...options.retry, ...own.retry };
  return { ...options, ...own, ...((options.retry ?? own.retry) && { retry }) };
}

function checkTimeouts(action: string, options: AnyOptions): void {
  if (options?.startToCloseTimeout == null && options?.scheduleToCloseTimeout == null) {
    throw new TypeError(`Cannot ${action}: "startToCloseTimeout" or "scheduleToCloseTimeout" is required`);
  }
}

/**
 * Calls an activity by its name.
 *
 * @param activityType The name.
 * @param args The arguments.
 * @param options The options. `startToCloseTimeout` or `scheduleToCloseTimeout` is required.
 * @param typeInfo It changes nothing here.
 * @returns What the activity returns.
 * @throws {ActivityFailure} If the activity fails or is cancelled; its `cause` says why.
 * @throws {CancelledFailure} If the scope is cancelled already.
 * @throws {TypeError} If both timeouts are missing, or an option is bad.
 *
 * @category Temporal
 */
export function scheduleActivity<R>(
  activityType: string,
  // deno-lint-ignore no-explicit-any -- as Temporal's users know it
  args: any[],
  options: ActivityOptions,
  typeInfo?: PayloadTypeInfo,
): Promise<R> {
  const { run } = requireFrame("call an activity");
  const input: ActivityInput = { activityType, args, options, headers: {}, seq: run.next.activity++, typeInfo };
  return composeInterceptors(run.outbound, "scheduleActivity", performActivity)(input) as Promise<R>;
}

/**
 * Calls a local activity by its name.
 *
 * @param activityType The name.
 * @param args The arguments.
 * @param options The options. `startToCloseTimeout` or `scheduleToCloseTimeout` is required.
 * @param typeInfo It changes nothing here.
 * @returns What the activity returns.
 * @throws {ActivityFailure} If the activity fails or is cancelled; its `cause` says why.
 * @throws {CancelledFailure} If the scope is cancelled already.
 *
 * @category Temporal
 */
export function scheduleLocalActivity<R>(
  activityType: string,
  // deno-lint-ignore no-explicit-any -- as Temporal's users know it
  args: any[],
  options: LocalActivityOptions,
  typeInfo?: PayloadTypeInfo,
): Promise<R> {
  const { run } = requireFrame("call a local activity");
  const seq = run.next.activity++;
  const input: LocalActivityInput = { activityType, args, options, headers: {}, seq, attempt: 1, typeInfo };
  return composeInterceptors(run.outbound, "scheduleLocalActivity", performLocal)(input) as Promise<R>;
}

const performActivity = (input: ActivityInput) => perform(input, false);
const performLocal = (input: LocalActivityInput) => perform(input, true);

/** What the options of a call mean for the context. */
interface Prepared {
  readonly native: NativeOptions;
  readonly heartbeatTimeoutMs: number | undefined;
}

/** The options of a proxy are the same object at each call. */
const prepared = /* @__PURE__ */ new WeakMap<object, Map<string, NativeOptions>>();

function nativeOptions(activityType: string, options: AnyOptions): NativeOptions {
  let byName = prepared.get(options);
  if (byName === undefined) prepared.set(options, byName = new Map());
  let native = byName.get(activityType);
  if (native === undefined) {
    checkTimeouts(`call activity ${show(activityType)}`, options);
    native = Object.freeze({
      name: activityType,
      retry: toNativeRetryPolicy(options.retry) as NativeRetryPolicy,
      timeoutMs: optionalDurationMs(options.startToCloseTimeout, "startToCloseTimeout"),
      totalTimeoutMs: optionalDurationMs(options.scheduleToCloseTimeout, "scheduleToCloseTimeout"),
      heartbeatTimeoutMs: optionalDurationMs(options.heartbeatTimeout, "heartbeatTimeout"),
    });
    byName.set(activityType, native);
  }
  return native;
}

/** What is stored as the input of an activity: the arguments, and the headers if there are some. */
interface InputWithHeaders {
  readonly args: unknown[];
  readonly headers: string;
}

function perform(call: ActivityInput | LocalActivityInput, isLocal: boolean): Promise<unknown> {
  const { run, scope } = requireFrame("call an activity");
  const { activityType, options, seq } = call;
  try {
    const native = nativeOptions(activityType, options);
    const fn = activityOf(run, activityType);
    if (scope.consideredCancelled) return waitIn(scope, (context) => context.sleep(0));
    const args = run.write(call.args);
    const headers = writeHeaders(call.headers);
    const stored: unknown = headers === undefined ? args : { args, headers } satisfies InputWithHeaders;
    const activityId = (options as ActivityOptions).activityId ?? `${seq}`;
    const controller = new Cancellation();
    const scheduledAtMs = run.ctx.now();
    const body = (input: unknown, context: ActivityContext) =>
      controller.run(run, (signal) => {
        const { args, headers } = (Array.isArray(input) ? { args: input } : input) as Partial<InputWithHeaders>;
        return runActivity(fn, {
          host: run.host.activityHost,
          args: run.read(args),
          headers: readHeaders(headers),
          context,
          signal,
          activityType,
          activityId,
          isLocal,
          options: run.input.taskQueue === undefined ? options : { taskQueue: run.input.taskQueue, ...options },
          workflowType: run.workflowType,
          scheduledAtMs,
        });
      });
    const called = outside(() => run.context.executeActivity(body as never, stored as never, native));
    const failed = (error: unknown) =>
      toActivityFailure(
        error,
        { activityType, activityId, ...(options.retry && { retry: options.retry }) },
        run.host.converter.fromStored,
      );
    const result = run.follow(called, run.host.converter.fromStored, failed);
    return scope.cancellable ? cancelWith(scope, result, controller, options.cancellationType, failed) : result;
  } catch (error) {
    return Deferred.rejected(error);
  }
}

/** Ends a call when its scope is cancelled. */
function cancelWith(
  scope: CancellationScope,
  result: Promise<unknown>,
  controller: Cancellation,
  type: ActivityCancellationType = "WAIT_CANCELLATION_COMPLETED",
  failed: (error: unknown) => unknown,
): Promise<unknown> {
  let reject: ((error: unknown) => void) | undefined;
  const off = onCancel(scope, (reason) => {
    if (type !== "ABANDON") outside(() => controller.cancel(reason));
    if (type !== "WAIT_CANCELLATION_COMPLETED") reject!(failed(cancelledCall()));
  });
  if (type === "WAIT_CANCELLATION_COMPLETED") {
    result.then(off, off);
    return result;
  }
  return quiet(
    new Promise((resolve, rejectCall) => {
      reject = rejectCall;
      result.then((value) => (off(), resolve(value)), (error) => (off(), rejectCall(error)));
    }),
  );
}

/** What an attempt throws that heeds its signal: one that did not begin throws the same, so a crash changes nothing. */
const cancelledCall = () => new CancelledFailure("CANCELLED");

/** Aborts the attempts of one call. Made without an `AbortController`, which costs more than the call. */
class Cancellation {
  #reason: Error | undefined;
  #controller: AbortController | undefined;

  cancel(reason: Error): void {
    this.#reason = reason;
    this.#controller?.abort(reason);
  }

  /** Runs an attempt. After the cancellation it does not begin, and none follows. */
  async run(run: Run, attempt: (signal: () => AbortSignal) => unknown): Promise<unknown> {
    const { converter } = run.host;
    try {
      if (this.#reason !== undefined) throw cancelledCall();
      return converter.toStored(await attempt(() => this.#signal));
    } catch (error) {
      const thrown = toThrown(error, converter.toStored);
      if (this.#reason === undefined || thrown.name === "CancelledFailure") throw thrown;
      throw new NonRetryableError(thrown.message, { cause: thrown });
    }
  }

  /** Is aborted by the cancellation. */
  get #signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }
}

function activityOf(run: Run, activityType: string): AnyFunction {
  const { activities } = run.host;
  const fn = Object.hasOwn(activities, activityType) ? activities[activityType] : activities.default;
  if (typeof fn === "function") return fn as AnyFunction;
  const names = Object.keys(activities).map((name) => show(name)).join(", ") || "none";
  return () => {
    throw ApplicationFailure.nonRetryable(
      `Activity function ${activityType} is not registered: the host has ${names}`,
      "NotFoundError",
    );
  };
}

export { ActivityCancellationType };
export type { ActivityOptions, Headers, LocalActivityOptions };
