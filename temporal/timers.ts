/**
 * Timers, conditions and triggers of a workflow.
 *
 * @module
 */

import { TimeoutError } from "../errors.ts";
import { cannot, checkFunction } from "../util/check.ts";
import { isStrayPromise, quiet } from "../util/deferred.ts";
import type { Duration } from "./common/mod.ts";
import { checkTemporalOptions } from "./common/option_tables.ts";
import { durationMs } from "./common/duration.ts";
import { composeInterceptors } from "./common/interceptors.ts";
import type { TimerInput, TimerOptions } from "./interceptors.ts";
import { CancellationScope, enter, onCancel, requireFrame, waitIn } from "./scope.ts";

/**
 * Waits. A cancellation of the current scope ends it.
 *
 * @param ms How long: a number of milliseconds, or a text such as `"1 day"`; at least 1 ms.
 * @param options For a user interface: they change nothing here.
 * @throws {CancelledFailure} If the scope is cancelled.
 * @throws {TypeError} If `ms` is no duration.
 *
 * @category Temporal
 */
export function sleep(ms: Duration, options?: TimerOptions): Promise<void> {
  const { run } = requireFrame("sleep");
  checkTemporalOptions("sleep, condition", options, "sleep");
  const input: TimerInput = { durationMs: Math.max(1, durationMs(ms, "ms")), seq: run.next.timer++, options };
  return composeInterceptors(run.outbound, "startTimer", startTimer)(input);
}

function startTimer({ durationMs }: TimerInput): Promise<void> {
  return waitIn(requireFrame("sleep").scope, (context) => context.sleep(durationMs));
}

/**
 * Waits until a function of the workflow's variables returns `true`. It is called now, and after everything that the workflow sees.
 *
 * @param fn Returns whether the wait ends. It must not change anything.
 * @param timeout How long to wait at most.
 * @param options For a user interface: they change nothing here.
 * @returns `false` if the time was exceeded, else `true`; nothing without a timeout.
 * @throws {CancelledFailure} If the current scope is cancelled.
 *
 * @category Temporal
 */
export function condition(fn: () => boolean, timeout: Duration, options?: TimerOptions): Promise<boolean>;
/** Waits without a timeout. */
export function condition(fn: () => boolean): Promise<void>;
export function condition(fn: () => boolean, timeout?: Duration, options?: TimerOptions): Promise<never> {
  checkTemporalOptions("sleep, condition", options, "wait for a condition");
  return quiet(waitFor(fn, timeout)) as Promise<never>;
}

async function waitFor(fn: () => boolean, timeout: Duration | undefined): Promise<boolean | void> {
  const frame = requireFrame("wait for a condition");
  checkFunction("fn", fn, "wait for a condition");
  const check = () => {
    const met: unknown = enter(frame, fn);
    if (isStrayPromise(met)) throw new TypeError(`${cannot("wait for a condition")}: "fn" returned a promise`);
    return Boolean(met);
  };
  if (timeout === undefined) return await waitIn(frame.scope, (context) => context.waitUntil(check));
  const timeoutMs = Math.max(0, durationMs(timeout, "timeout"));
  try {
    await waitIn(frame.scope, (context) => context.waitUntil(check, { timeoutMs }));
    return true;
  } catch (error) {
    if (error instanceof TimeoutError) return false;
    throw error;
  }
}

/**
 * A promise that the workflow's code settles. A cancellation of the scope that it was made in rejects it.
 *
 * @category Temporal
 */
export class Trigger<T> implements PromiseLike<T> {
  /** Resolves it. */
  declare readonly resolve: (value: T | PromiseLike<T>) => void;
  /** Rejects it. */
  declare readonly reject: (reason?: unknown) => void;
  /** The promise. */
  protected readonly promise: Promise<T>;

  /**
   * Makes a trigger.
   *
   * @throws {IllegalStateError} Outside of a workflow.
   */
  constructor() {
    const scope = CancellationScope.current();
    const own = this as { -readonly [Key in "resolve" | "reject"]: Trigger<T>[Key] };
    this.promise = quiet(
      new Promise<T>((resolve, reject) => {
        own.resolve = resolve;
        own.reject = reject;
      }),
    );
    if (scope.consideredCancelled) {
      scope.cancelRequested.catch(own.reject);
      return;
    }
    const off = onCancel(scope, own.reject);
    this.promise.then(off, off);
  }

  /**
   * Waits for it.
   *
   * @param onfulfilled Gets the value.
   * @param onrejected Gets the reason.
   */
  then<Value = T, Other = never>(
    onfulfilled?: ((value: T) => Value | PromiseLike<Value>) | undefined | null,
    onrejected?: ((reason: unknown) => Other | PromiseLike<Other>) | undefined | null,
  ): PromiseLike<Value | Other> {
    return this.promise.then(onfulfilled, onrejected);
  }
}
