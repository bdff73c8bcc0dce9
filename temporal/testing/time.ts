/**
 * The two kinds of time of a test environment: time that skips, and real time.
 *
 * Time that skips:
 *
 * 1. It jumps from timer to timer only while somebody waits for the result of a workflow, and no activity runs.
 * 2. Otherwise it passes as real time does. So a workflow that sleeps for 100 ms wakes although nobody waits for its result.
 * 3. {@linkcode EnvironmentTime.sleep} skips in the same way. Where skipping is allowed already, for a result or for an activity that
 *    sleeps itself, it moves the time at once. Temporal's server counts the same: a sleep outweighs one running activity.
 *
 * @module
 */

import { type Clock, systemClock, VirtualClock } from "../../clock.ts";
import { Deferred } from "../../util/deferred.ts";
import { asyncLocalStorage as activities } from "../activity/context.ts";

/** How long nothing must have been able to happen while a result is awaited, before that is said, in milliseconds of real time. */
const STUCK_AFTER_MS = 1000;

/** How often time that skips follows real time, in milliseconds. */
const PACE_MS = 10;

/** The time of an environment. */
export interface EnvironmentTime {
  /** The clock of the executors. */
  readonly clock: Clock;
  /** Whether it skips. */
  readonly skips: boolean;
  /** Resolves when so many milliseconds have passed. */
  sleep(ms: number): Promise<void>;
  /** Lets time skip until `body` has settled. */
  skipWhile<T>(body: () => Promise<T>): Promise<T>;
  /** Is called once for a wait for a result that cannot come, unless the test sends something. Real time does not know. */
  onStuck: () => void;
  /** Ends the timers of the environment itself. */
  close(): void;
}

/** Makes time that skips. It begins now. */
export function skippingTime(): EnvironmentTime {
  const clock = new VirtualClock({ startAt: systemClock.now() });
  clock.hold();
  let waiting = 0;
  let before = systemClock.now();
  let stuckMs = 0;
  let told = false;
  const pace = async () => {
    const now = systemClock.now();
    const passed = Math.max(0, now - before);
    before = now;
    stuckMs = waiting > 0 && clock.idle ? stuckMs + passed : 0;
    if (stuckMs >= STUCK_AFTER_MS && !told) {
      told = true;
      time.onStuck();
    }
    // Without timers, and while it skips and nobody holds it, nothing waits for real time.
    if (!clock.idle && clock.pendingTimers > 0) await clock.advance(passed);
  };
  let isClosed = false;
  let stop = () => {};
  const next = () => {
    stop = systemClock.setTimer(systemClock.now() + PACE_MS, () => {
      const paced = () => isClosed || next();
      pace().then(paced, paced);
    });
  };
  next();
  const unlock = () => {
    if (waiting++ === 0) clock.release();
  };
  const lock = () => {
    if (--waiting === 0) clock.hold();
  };
  const time: EnvironmentTime = {
    clock,
    skips: true,
    async sleep(ms) {
      if (waiting > 0 || activities.getStore() !== undefined) return await clock.advance(ms);
      const end = new Deferred<void>();
      clock.setTimer(clock.now() + ms, () => {
        lock(); // at once: the clock must not jump further
        end.resolve();
      });
      unlock();
      await end.promise;
      await clock.advance(0); // what is due at the same time
    },
    async skipWhile(body) {
      unlock();
      told = false;
      try {
        return await body();
      } finally {
        lock();
      }
    },
    onStuck() {},
    close() {
      isClosed = true;
      stop();
    },
  };
  return time;
}

/** Real time. */
export function realTime(): EnvironmentTime {
  return {
    clock: systemClock,
    skips: false,
    sleep: (ms) => new Promise((resolve) => void systemClock.setTimer(systemClock.now() + ms, resolve)),
    skipWhile: (body) => body(),
    onStuck() {},
    close() {},
  };
}
