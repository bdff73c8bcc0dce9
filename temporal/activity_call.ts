/**
 * One call of an activity, from the workflow to the attempts.
 *
 * A call is a command of the shield around the whole run, and is cancelled on its own when its scope is: the attempt that runs is aborted,
 * and none follows. The cancellation type decides when the call rejects. A workflow that returns meanwhile does not wait for it.
 *
 * @module
 */

import type { ActivityContext, ActivityOptions as NativeOptions } from "../activity.ts";
import type { ActivityCanceler } from "../util/cancel_activity.ts";
import { cannot } from "../util/check.ts";
import { Deferred, quiet } from "../util/deferred.ts";
import { fakeActivities } from "../util/foreign_source.ts";
import { show } from "../util/show.ts";
import { runActivity } from "./activity/run.ts";
import { type ActivityOptions, ApplicationFailure, CancelledFailure, type LocalActivityOptions } from "./common/mod.ts";
import { toActivityFailure } from "./common/convert.ts";
import { ActivityCancellationType } from "./common/choices.ts";
import { checkChoice, checkTemporalOptions } from "./common/option_tables.ts";
import { optionalDurationMs } from "./common/duration.ts";
import { toNativeRetryPolicy } from "./common/retry_policy.ts";
import { readHeaders, writeHeaders } from "./headers.ts";
import type { ActivityInput, LocalActivityInput } from "./interceptors.ts";
import { onCancel, outside, requireFrame, waitIn } from "./scope.ts";
import type { AnyFunction, Run } from "./run.ts";

const REMOTE = "proxyActivities, scheduleActivity";
const LOCAL = "proxyLocalActivities, scheduleLocalActivity";

/** The options of both kinds. */
export type AnyOptions = ActivityOptions & LocalActivityOptions;

/** Refuses options that are unknown, and those without a timeout. */
export function checkActivityOptions(action: string, options: AnyOptions, isLocal: boolean): void {
  checkTemporalOptions(isLocal ? LOCAL : REMOTE, options, action);
  checkTemporalOptions("retry", options?.retry, action, undefined, "retry");
  checkChoice("cancellationType", options?.cancellationType, ActivityCancellationType, action);
  if (options?.startToCloseTimeout == null && options?.scheduleToCloseTimeout == null) {
    throw new TypeError(`Cannot ${action}: "startToCloseTimeout" or "scheduleToCloseTimeout" is required`);
  }
}

/** The options of a proxy are the same object at each call. */
const prepared = /* @__PURE__ */ new WeakMap<object, Map<string, NativeOptions>>();

function nativeOptions(activityType: string, options: AnyOptions, isLocal: boolean): NativeOptions {
  let byName = prepared.get(options);
  if (byName === undefined) prepared.set(options, byName = new Map());
  let native = byName.get(activityType);
  if (native === undefined) {
    checkActivityOptions(`call activity ${show(activityType)}`, options, isLocal);
    native = Object.freeze({
      name: activityType,
      retry: toNativeRetryPolicy(options.retry),
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

/**
 * Calls an activity.
 *
 * @param isLocal What the activity is told.
 */
export function perform(call: ActivityInput | LocalActivityInput, isLocal: boolean): Promise<unknown> {
  const { run, scope } = requireFrame("call an activity");
  const { activityType, options, seq } = call;
  try {
    const native = nativeOptions(activityType, options, isLocal);
    const fn = activityOf(run, activityType);
    if (scope.consideredCancelled) return waitIn(scope, (context) => context.sleep(0));
    const args = run.write(call.args);
    const headers = writeHeaders(call.headers);
    const stored: unknown = headers === undefined ? args : { args, headers } satisfies InputWithHeaders;
    const activityId = (options as ActivityOptions).activityId ?? `${seq}`;
    let isCancelled = false;
    const scheduledAtMs = run.ctx.now();
    const body = (input: unknown, context: ActivityContext) => {
      if (isCancelled) throw cancelledCall();
      const { args, headers } = (Array.isArray(input) ? { args: input } : input) as Partial<InputWithHeaders>;
      return runActivity(fn, {
        host: run.host.activityHost,
        args: run.read(args),
        headers: readHeaders(headers),
        context,
        workflow: run.ctx,
        activityType,
        activityId,
        isLocal,
        options: run.input.taskQueue === undefined ? options : { taskQueue: run.input.taskQueue, ...options },
        workflowType: run.workflowType,
        scheduledAtMs,
      });
    };
    if (run.host.activityHost.skipSleeps) fakeActivities.add(body);
    const called = outside(() => run.context.executeActivity(body as never, stored as never, native));
    const { fromStored } = run.host.converter;
    const failed = (error: unknown) =>
      toActivityFailure(
        error,
        { activityType, activityId, ...(options.retry && { retry: options.retry }) },
        fromStored,
      );
    const { cancellationType = "WAIT_CANCELLATION_COMPLETED" } = options;
    const cutOff = cancellationType === "WAIT_CANCELLATION_COMPLETED" ? undefined : new Deferred<never>();
    const off = onCancel(scope, () => {
      if (cancellationType !== "ABANDON") {
        isCancelled = true;
        outside(() => (run.context as unknown as ActivityCanceler).cancelActivity(called, cancelledCall()));
      }
      cutOff?.reject(failed(cancelledCall()));
    });
    const result = run.follow(called, (value) => (off(), fromStored(value)), (error) => (off(), failed(error)));
    return cutOff === undefined ? result : quiet(Promise.race([result, cutOff.promise]));
  } catch (error) {
    return Deferred.rejected(error);
  }
}

/** What an attempt throws that heeds its signal. One that does not begin, or not again, fails with the same: a crash changes nothing. */
const cancelledCall = () => new CancelledFailure("CANCELLED");

function activityOf(run: Run, activityType: string): AnyFunction {
  const { activities } = run.host;
  const fn = Object.hasOwn(activities, activityType) ? activities[activityType] : activities.default;
  if (typeof fn === "function") return fn as AnyFunction;
  const names = Object.keys(activities).map((name) => show(name)).join(", ") || "none";
  const reason = `"activities" has no such function; it has ${names}`;
  return () => {
    // As for any code that calls what does not exist: a test of the kit tells it as a mistake.
    throw ApplicationFailure.nonRetryable(`${cannot("call activity", activityType)}: ${reason}`, "TypeError");
  };
}
