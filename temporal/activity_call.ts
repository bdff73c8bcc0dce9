/**
 * One call of an activity, from the workflow to the attempts.
 *
 * A call is a command of the shield around the whole run. When its scope is cancelled, a controller of its own aborts the attempt that
 * runs, and none follows; the cancellation type decides when the call rejects. So a workflow that returns meanwhile does not wait for it.
 *
 * @module
 */

import type { ActivityContext, ActivityOptions as NativeOptions } from "../activity.ts";
import { NonRetryableError } from "../errors.ts";
import { cannot } from "../util/check.ts";
import { Deferred, quiet } from "../util/deferred.ts";
import { show } from "../util/show.ts";
import { runActivity } from "./activity/run.ts";
import {
  type ActivityCancellationType,
  type ActivityOptions,
  ApplicationFailure,
  CancelledFailure,
  type LocalActivityOptions,
} from "./common/mod.ts";
import { toActivityFailure, toThrown } from "./common/convert.ts";
import { optionalDurationMs } from "./common/duration.ts";
import { toNativeRetryPolicy } from "./common/retry_policy.ts";
import { readHeaders, writeHeaders } from "./headers.ts";
import type { ActivityInput, LocalActivityInput } from "./interceptors.ts";
import { type CancellationScope, onCancel, outside, requireFrame, waitIn } from "./scope.ts";
import type { AnyFunction, Run } from "./run.ts";

/** The options of both kinds. */
export type AnyOptions = ActivityOptions & LocalActivityOptions;

/** Refuses options without a timeout. */
export function checkTimeouts(action: string, options: AnyOptions): void {
  if (options?.startToCloseTimeout == null && options?.scheduleToCloseTimeout == null) {
    throw new TypeError(`Cannot ${action}: "startToCloseTimeout" or "scheduleToCloseTimeout" is required`);
  }
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
  const reason = `"activities" has no such function; it has ${names}`;
  return () => {
    // As for any code that calls what does not exist: a test of the kit tells it as a mistake.
    throw ApplicationFailure.nonRetryable(`${cannot("call activity", activityType)}: ${reason}`, "TypeError");
  };
}
