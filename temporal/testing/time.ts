/**
 * The two kinds of time of a test environment: time that skips, and real time.
 *
 * Time that skips:
 *
 * 1. It jumps from timer to timer only while the test waits for the result of a workflow, and no activity runs.
 * 2. Otherwise it passes as real time does. So a workflow that sleeps for 100 ms wakes although nobody waits for its result.
 * 3. An activity that waits for the result of a workflow by a client does not count as one that runs: time must pass for that result.
 * 4. {@linkcode EnvironmentTime.sleep} skips in the same way. Where skipping is allowed already, for a result or for an activity that
 *    sleeps itself, it moves the time at once. Temporal's server counts the same: a sleep outweighs one running activity.
 *
 * @module
 */

import { type Clock, systemClock, VirtualClock } from "../../clock.ts";
import { Deferred } from "../../util/deferred.ts";
import { asyncLocalStorage as activities, type Context } from "../activity/context.ts";

/** How long nothing must have happened while a result is awaited, before that is said, in milliseconds of real time. */
const STUCK_AFTER_MS = 1000;

/** How often time that skips follows real time, in milliseconds. */
const PACE_MS = 10;

/** The time of an environment. */
export interface EnvironmentTime {
  /** The clock of the executors: an activity that runs holds it, and nobody else does so for longer than a turn. */
  readonly clock: Clock;
  /** Whether it skips. */
  readonly skips: boolean;
  /** Resolves when so many milliseconds have passed. */
  sleep(ms: number): Promise<void>;
  /** Lets time skip until `body` has settled. */
  skipWhile<T>(body: () => Promise<T>): Promise<T>;
  /**
   * Is called once for a wait for a result that does not come. `true`: because an activity runs, during which time does not skip. Else
   * it cannot come, unless the test sends something. Real time does not know.
   */
  onStuck: (isActivity: boolean) => void;
  /** Ends the timers of the environment itself. */
  close(): void;
}

/** Makes time that skips. It begins now. */
export function skippingTime(): EnvironmentTime {
  const virtual = new VirtualClock({ startAt: systemClock.now() });
  /** How many results, and sleeps, the test waits for. */
  let waiting = 0;
  /** How many activities run. */
  let running = 0;
  /** The activities that wait for results, and for how many. */
  const waitingActivities = new Map<Context, number>();
  let isHeld = false;
  let stuckMs = 0;
  const hold = () => {
    stuckMs = 0;
    const mustHold = waiting === 0 || running > [...waitingActivities.keys()].filter(runs).length;
    if (mustHold === isHeld) return;
    isHeld = mustHold;
    if (mustHold) virtual.hold();
    else virtual.release();
  };
  const clock: Clock = {
    now: () => virtual.now(),
    setTimer: (dueAt, callback) => virtual.setTimer(dueAt, callback),
    hold(working) {
      if (working) return virtual.hold(true);
      running++;
      hold();
    },
    release(working) {
      if (working) return virtual.release(true);
      running--;
      hold();
    },
  };
  hold();
  let before = systemClock.now();
  let told = false;
  const pace = async () => {
    const now = systemClock.now();
    const passed = Math.max(0, now - before);
    before = now;
    stuckMs = waiting > 0 && (isHeld || virtual.idle) ? stuckMs + passed : 0;
    if (stuckMs >= STUCK_AFTER_MS && !told) {
      told = true;
      time.onStuck(isHeld);
    }
    // Without timers, and while it skips and nobody holds it, nothing waits for real time.
    if (!virtual.idle && virtual.pendingTimers > 0) await virtual.advance(passed);
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
  /** Somebody begins or ends to wait. */
  const count = (by: 1 | -1) => {
    waiting += by;
    hold();
  };
  const countActivity = (activity: Context, by: 1 | -1) => {
    const left = (waitingActivities.get(activity) ?? 0) + by;
    if (left === 0) waitingActivities.delete(activity);
    else waitingActivities.set(activity, left);
    hold();
  };
  const time: EnvironmentTime = {
    clock,
    skips: true,
    async sleep(ms) {
      if (waiting > 0 || activities.getStore() !== undefined) return await virtual.advance(ms);
      const end = new Deferred<void>();
      virtual.setTimer(virtual.now() + ms, () => {
        count(-1); // at once: the clock must not jump further
        end.resolve();
      });
      count(1);
      await end.promise;
      await virtual.advance(0); // what is due at the same time
    },
    async skipWhile(body) {
      const activity = activities.getStore();
      const begin = (by: 1 | -1) => activity === undefined ? count(by) : countActivity(activity, by);
      begin(1);
      told = false;
      try {
        return await body();
      } finally {
        begin(-1);
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

/** Whether the attempt has not ended. One whose cancellation is requested goes on. */
function runs({ cancellationDetails }: Context): boolean {
  return cancellationDetails === undefined || cancellationDetails.cancelRequested;
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
