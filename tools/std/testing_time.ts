/**
 * Replaces `@std/testing/time` where JSR does not answer. It has only what the tests use.
 *
 * It fakes `Date`, `setTimeout` and `clearTimeout`. The real one also fakes the intervals and `AbortSignal.timeout`, and nothing
 * else: no microtasks, `setImmediate`, `MessageChannel` or `performance`. `@sinonjs/fake-timers` is no base for it: there a timeout
 * of more than 24.8 days fires after 1 ms, `setTimeout(f, 0)` in a timer's callback is due a millisecond later, and an error that
 * a callback throws does not stop time.
 *
 * @module
 */

interface Timer {
  readonly id: number;
  readonly dueAt: number;
  readonly callback: (...args: unknown[]) => unknown;
  readonly args: unknown[];
}

const real = { Date, setTimeout, clearTimeout };

const FakeDate = new Proxy(Date, {
  construct: (target, args, newTarget) => Reflect.construct(target, args.length ? args : [now], newTarget),
  apply: () => new real.Date(now).toString(),
  get: (target, key, receiver) => key === "now" ? () => now : Reflect.get(target, key, receiver),
});

/** Whether time is faked; the fake time; and the timers in the order in which they fire. */
let faked = false;
let now = 0;
let timers: Timer[] = [];
let nextId = 1;

const fake = {
  Date: FakeDate,
  setTimeout(callback: Timer["callback"], ms = 0, ...args: unknown[]): number {
    const timer = { id: nextId++, dueAt: now + Math.max(0, Math.floor(ms) || 0), callback, args };
    const later = timers.findIndex((other) => other.dueAt > timer.dueAt);
    timers.splice(later < 0 ? timers.length : later, 0, timer);
    return timer.id;
  },
  clearTimeout(id?: unknown): void {
    if (!faked) throw new Error("Cannot clear timeout: time is not faked");
    timers = timers.filter((timer) => timer.id !== id);
  },
};

/** Replaces the clock and the timers of this process until it is disposed. */
export class FakeTime {
  /** @param start The time to begin at, in milliseconds since the epoch; the real time by default. */
  constructor(start: number = real.Date.now()) {
    if (faked) throw new Error("Cannot construct FakeTime: time is already faked");
    faked = true;
    now = Math.floor(start);
    Object.assign(globalThis, fake);
  }

  /** Moves time by `ms`; fires the timers that are due up to then, those that a callback sets included. */
  tick(ms = 0): void {
    const end = now + ms;
    while (timers.length > 0 && timers[0].dueAt <= end) {
      const { dueAt, callback, args } = timers.shift()!;
      now = dueAt;
      callback(...args);
    }
    now = end;
  }

  /** Runs everything that waits for no timer, then moves time by `ms`. */
  async tickAsync(ms = 0): Promise<void> {
    await new Promise((resolve) => real.setTimeout(resolve));
    this.tick(ms);
  }

  /** Restores real time. */
  [Symbol.dispose](): void {
    faked = false;
    timers = [];
    Object.assign(globalThis, real);
  }
}
