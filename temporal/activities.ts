/**
 * How workflows call activities: by functions of a proxy, or by their names.
 *
 * @module
 */

import type {
  ActivityFunction,
  ActivityOptions,
  ActivityTypeInfoMap,
  LocalActivityOptions,
  PayloadTypeInfo,
  UntypedActivities,
} from "./common/mod.ts";
import { composeInterceptors } from "./common/interceptors.ts";
import { type AnyOptions, checkActivityOptions, perform } from "./activity_call.ts";
import type { ActivityInput, LocalActivityInput } from "./interceptors.ts";
import { requireFrame } from "./scope.ts";
import type { Called } from "./types.ts";

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
  return proxy("proxy activities", options, false, scheduleActivity) as ActivityInterfaceFor<A>;
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
  return proxy("proxy local activities", options, true, scheduleLocalActivity) as LocalActivityInterfaceFor<A>;
}

function proxy(
  action: string,
  given: AnyOptions & { activityTypeInfo?: unknown },
  isLocal: boolean,
  schedule: (activityType: string, args: unknown[], options: AnyOptions) => Promise<unknown>,
): unknown {
  checkActivityOptions(action, given, isLocal);
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
  return composeInterceptors(run.outbound, "scheduleActivity", performRemote)(input) as Promise<R>;
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

const performRemote = (input: ActivityInput) => perform(input, false);
const performLocal = (input: LocalActivityInput) => perform(input, true);
