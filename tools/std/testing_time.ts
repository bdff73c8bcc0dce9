/**
 * Stands in for `@std/testing/time` where JSR does not answer.
 *
 * It fakes what the real one fakes: `Date`, the timeouts, the intervals and `AbortSignal.timeout`;
 * not microtasks, `setImmediate`, `MessageChannel` or `performance`. It is not built on
 * `@sinonjs/fake-timers`, which moves time otherwise than the real one: a timeout of more than
 * 24.8 days fires after 1 ms, `setTimeout(f, 0)` in a timer's callback is not due until a
 * millisecond later, and an error thrown by a callback does not stop time there.
 *
 * @module
 */

import type { DelayOptions } from "./async.ts";

export type { DelayOptions };

/** Options of {@linkcode FakeTime}. */
export interface FakeTimeOptions {
  /** How fast fake time runs by itself, relative to real time. @default {0} */
  advanceRate: number;
  /** How often, in real milliseconds, it then moves. @default {10} */
  advanceFrequency?: number;
}

/** An operation that the state of fake time does not allow. */
export class TimeError extends Error {
  override name = "TimeError";
}

type Callback = (...args: unknown[]) => unknown;

interface Timer {
  id: number;
  dueAt: number;
  callback: Callback;
  args: unknown[];
  /** The period of an interval. */
  every?: number;
}

const real = {
  Date,
  setTimeout,
  clearTimeout,
  setInterval,
  clearInterval,
  timeout: AbortSignal.timeout,
};

const fakeNow = () => current?.now ?? real.Date.now();

const FakeDate = new Proxy(Date, {
  construct: (target, args, newTarget) => Reflect.construct(target, args.length ? args : [fakeNow()], newTarget),
  apply: () => new real.Date(fakeNow()).toString(),
  get: (target, key, receiver) => key === "now" ? fakeNow : Reflect.get(target, key, receiver),
});

/** The one instance that has time faked now, and its timers in the order in which they fire. */
let current: FakeTime | undefined;
let timers: Timer[] = [];
let nextId = 1;

function schedule(timer: Timer) {
  const later = timers.findIndex((other) => other.dueAt > timer.dueAt);
  timers.splice(later < 0 ? timers.length : later, 0, timer);
}

function set(kind: "Timeout" | "Interval", callback: unknown, ms: number, args: unknown[]) {
  if (typeof callback !== "function") {
    throw new TimeError(`FakeTime does not support non-function callbacks to set${kind}`);
  }
  if (!current) throw new TimeError(`Cannot set ${kind.toLowerCase()}: time is not faked`);
  const repeat = kind === "Interval";
  const wait = Math.max(repeat ? 1 : 0, Math.floor(ms) || 0);
  const timer = { id: nextId++, dueAt: current.now + wait, callback: callback as Callback, args };
  schedule(repeat ? { ...timer, every: wait } : timer);
  return timer.id;
}

function clear(kind: "timeout" | "interval", id?: unknown) {
  if (!current) throw new TimeError(`Cannot clear ${kind}: time is not faked`);
  timers = timers.filter((timer) => timer.id !== id);
}

const fake = {
  Date: FakeDate,
  setTimeout: (callback: unknown, ms = 0, ...args: unknown[]) => set("Timeout", callback, ms, args),
  clearTimeout: (id?: unknown) => clear("timeout", id),
  setInterval: (callback: unknown, ms = 0, ...args: unknown[]) => set("Interval", callback, ms, args),
  clearInterval: (id?: unknown) => clear("interval", id),
  timeout(ms: number): AbortSignal {
    const controller = new AbortController();
    const reason = new DOMException("Signal timed out.", "TimeoutError");
    fake.setTimeout(() => controller.abort(reason), ms);
    return controller.signal;
  },
};

function install({ timeout, ...globals }: typeof real) {
  Object.assign(globalThis, globals);
  AbortSignal.timeout = timeout;
}

/** Takes over the clock and the timers of this process until it is restored or disposed. */
export class FakeTime {
  readonly #start: number;
  readonly #advance: ReturnType<typeof setInterval> | undefined;
  #now: number;

  constructor(start?: number | string | Date | null, options?: FakeTimeOptions) {
    if (current) throw new TimeError("Cannot construct FakeTime: time is already faked");
    this.#start = typeof start === "number" ? Math.floor(start) : new real.Date(start ?? real.Date.now()).valueOf();
    if (Number.isNaN(this.#start)) {
      throw new TypeError(`Cannot construct FakeTime: invalid start time ${this.#start}`);
    }
    this.#now = this.#start;
    const { advanceRate = 0, advanceFrequency = 10 } = options ?? {};
    if (advanceRate > 0) {
      const step = () => this.tick(advanceRate * advanceFrequency);
      this.#advance = real.setInterval(step, advanceFrequency);
    }
    current = this;
    timers = [];
    nextId = 1;
    install(fake as unknown as typeof real);
  }

  /** Gives real time back, whichever instance has it faked. */
  static restore(): void {
    if (!current) throw new TimeError("Cannot restore time: time is already restored");
    current.restore();
  }

  /** Gives real time back until the callback returns, or what it returned settles. */
  static async restoreFor<T>(
    // deno-lint-ignore no-explicit-any
    callback: (...args: any[]) => Promise<T> | T,
    // deno-lint-ignore no-explicit-any
    ...args: any[]
  ): Promise<T> {
    if (!current) throw new TimeError("Cannot restore time: time is not faked");
    install(real);
    let result;
    try {
      result = callback(...args);
      if (result instanceof Promise) result = await result;
    } finally {
      install(fake as unknown as typeof real);
    }
    return result;
  }

  /** The time that this instance began with, in milliseconds since the epoch. */
  get start(): number {
    return this.#start;
  }

  /** The fake time, in milliseconds since the epoch. Setting it fires what falls due up to then. */
  get now(): number {
    return this.#now;
  }

  set now(value: number) {
    if (value < this.#now) {
      throw new RangeError(
        `Cannot set current time in the past, time must be >= ${this.#now}: received ${value}`,
      );
    }
    while (timers.length > 0 && timers[0].dueAt <= value) {
      const timer = timers.shift()!;
      this.#now = timer.dueAt;
      if (timer.every) schedule({ ...timer, dueAt: timer.dueAt + timer.every });
      timer.callback.apply(null, timer.args); // not with the timer as `this`
    }
    this.#now = value;
  }

  /** Waits in real time. */
  async delay(ms: number, options: DelayOptions = {}): Promise<void> {
    const { signal } = options;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const abort = () => reject(new DOMException("Delay was aborted.", "AbortError"));
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort, { once: true });
    const id = real.setTimeout(resolve, ms);
    try {
      await promise;
    } finally {
      real.clearTimeout(id);
      signal?.removeEventListener("abort", abort);
    }
  }

  /** Lets everything run that waits for no timer. */
  async runMicrotasks(): Promise<void> {
    await this.delay(0);
  }

  /** Moves time by `ms`, firing what falls due. */
  tick(ms = 0): void {
    this.now += ms;
  }

  /** Runs microtasks, then moves time by `ms`. */
  async tickAsync(ms = 0): Promise<void> {
    await this.runMicrotasks();
    this.tick(ms);
  }

  /** Moves time to the next timer, if there is one. */
  next(): boolean {
    if (timers.length === 0) return false;
    this.now = timers[0].dueAt;
    return true;
  }

  /** Runs microtasks, then moves time to the next timer, if there is one. */
  async nextAsync(): Promise<boolean> {
    await this.runMicrotasks();
    return this.next();
  }

  /** Moves time until no timer is left. */
  runAll(): void {
    while (this.next());
  }

  /** Moves time until no timer is left, running microtasks before each. */
  async runAllAsync(): Promise<void> {
    while (timers.length > 0) await this.nextAsync();
  }

  /** Gives real time back. */
  restore(): void {
    if (!current) throw new TimeError("Cannot restore time: time is already restored");
    current = undefined;
    timers = [];
    install(real);
    real.clearInterval(this.#advance);
  }

  /** Gives real time back. */
  [Symbol.dispose](): void {
    this.restore();
  }
}
