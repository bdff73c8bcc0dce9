/**
 * The functions that a user gives to an executor, made safe: they may throw, reject, answer nonsense or never answer.
 *
 * What an error harms depends on the function. `newRunId` throws, because its caller can refuse one call. The clock and the
 * random numbers belong to all runs, and cannot fail: they have a substitute, and the error is reported.
 *
 * @module
 */

import { type Clock, systemClock } from "../clock.ts";
import type { ErrorReporter } from "../hooks.ts";
import { invalid } from "../util/check.ts";
import { callUser, isStrayPromise } from "../util/deferred.ts";
import { logError } from "../util/log_error.ts";

/** As {@linkcode invalid}, for an answer: it can be a promise that rejects. */
function refuse(...args: Parameters<typeof invalid>): Error {
  isStrayPromise(args[1]);
  return invalid(...args);
}

/** Reports to `onError`; to the console if `onError` fails. */
export function guardReporter(onError: (error: unknown) => unknown): ErrorReporter {
  return (error) => callUser(() => onError(error), (thrown) => logError(thrown, "thrown by onError for", error));
}

/** How long to wait before a clock that has refused a timer is asked again. */
const CLOCK_RETRY_MS = 1000;

/**
 * A clock that cannot fail. Without a time, it has the last one. A timer that it refuses is called early, by the clock of the
 * system: its caller compares the times, and asks again.
 */
export function guardClock(clock: Clock, report: ErrorReporter): Clock {
  if (clock === systemClock) return clock;
  const failing = new Set<keyof Clock>(); // a method that keeps failing is reported once
  const failed = (method: keyof Clock, error: unknown) => {
    if (!failing.has(method)) report(error);
    failing.add(method);
  };
  let last: number | undefined;
  const guarded: Clock = {
    now() {
      try {
        const now = clock.now();
        if (!Number.isFinite(now)) throw refuse("clock.now()", now, "a finite number", "read the clock");
        if (failing.size > 0) failing.delete("now");
        return last = now;
      } catch (error) {
        failed("now", error);
        return last ?? systemClock.now();
      }
    },
    setTimer(dueAt, callback) {
      try {
        const clear = clock.setTimer(dueAt, callback);
        if (typeof clear === "function") {
          failing.delete("setTimer");
          return () => callUser(clear, report);
        }
        failed("setTimer", refuse("clock.setTimer()", clear, "a function", "set a timer"));
        return () => {}; // the timer is set, and cannot be cleared
      } catch (error) {
        failed("setTimer", error);
        return systemClock.setTimer(systemClock.now() + CLOCK_RETRY_MS, callback);
      }
    },
  };
  for (const method of ["hold", "release"] as const) {
    if (clock[method] !== undefined) {
      guarded[method] = (working) => callUser(() => clock[method]!(working), (error) => failed(method, error));
    }
  }
  return guarded;
}

/** Random numbers for the jitter of retries. Without one, the jitter is in the middle of its range. */
export function guardRandom(random: () => number, report: ErrorReporter): () => number {
  return () => {
    try {
      const number = random();
      if (number >= 0 && number <= 1) return number;
      throw refuse("random()", number, "a number from 0 to below 1", "delay a retry");
    } catch (error) {
      report(error);
      return 0.5;
    }
  };
}

/** Makes the IDs of runs. Throws if that is not possible. */
export function guardRunId(newRunId: (workflowId: string) => string): (workflowId: string) => string {
  return (workflowId) => {
    const id: unknown = newRunId(workflowId);
    if (typeof id === "string" && id !== "") return id;
    throw refuse("newRunId()", id, "a non-empty string", "start a run of workflow", workflowId);
  };
}
