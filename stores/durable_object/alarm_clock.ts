/**
 * The clock of an executor in a Durable Object: its timers are the alarm of the object.
 *
 * The executor says when work is in progress (`hold`, `release`), and sets one timer for everything that is due later. The alarm
 * follows from these two:
 *
 * 1. While work is in progress, an alarm is due soon: if the object is evicted in the middle, it is made again and resumes. It is
 *    set before the work begins, so it is stored before anything of the work is. It also shows the platform that the object is in use.
 * 2. While everything waits, the alarm is due with the first timer. Without a timer there is none. Nothing polls.
 * 3. A timer that is due within {@linkcode NEAR_MS} is also set in memory. A longer one is not: it would keep the object from leaving
 *    memory, for which Cloudflare charges.
 * 4. The handler of an alarm sets the next one before it is done. So there is no moment without an alarm while one is needed.
 * 5. Each change of the alarm is a written row. So it is moved to its place for rest only after a pause.
 *
 * @module
 */

import { type Clock, systemClock } from "../../clock.ts";
import { TimerQueue } from "../../util/timer_queue.ts";
import type { ObjectAlarmStorage } from "./platform.ts";

/** Up to which time a timer is set in memory. The platform keeps an object for about as long. */
const NEAR_MS = 10_000;
/** For how long nothing must be in progress before the alarm is moved to its place for rest. */
const REST_MS = 500;
/** When what cannot be resumed is tried again. */
const STUCK_MS = 600_000;
/** An alarm that was due longer ago than this is not expected any more: the platform gives up an alarm that fails again and again. */
const LOST_MS = 60_000;

/** What a clock needs to know. */
export interface AlarmClockOptions {
  readonly storage: ObjectAlarmStorage;
  readonly now: () => number;
  readonly resumeAfterMs: () => number;
  /** Whether the store has a running workflow that is not live. */
  readonly isStuck: () => Promise<boolean>;
  readonly report: (error: unknown) => void;
}

export class AlarmClock implements Clock {
  readonly now: () => number;
  readonly #options: AlarmClockOptions;
  readonly #timers = new TimerQueue();
  #holds = 0;
  /** When the alarm is due, in real time; `Infinity` if there is none. */
  #alarmAt = Infinity;
  /** The timer in memory. */
  #near: { readonly dueAt: number; readonly clear: () => void } | undefined;
  #isResting = false;
  #restsAt = 0;

  constructor(options: AlarmClockOptions) {
    this.now = options.now;
    this.#options = options;
  }

  /** Learns which alarm is set. */
  async load(): Promise<void> {
    this.#alarmAt = await this.#options.storage.getAlarm() ?? Infinity;
  }

  setTimer(dueAt: number, callback: () => void): () => void {
    const timer = this.#timers.set(dueAt, callback);
    this.#update();
    return () => {
      this.#timers.clear(timer);
      this.#update();
    };
  }

  hold(): void {
    if (this.#holds++ === 0) this.#update();
  }

  release(): void {
    if (--this.#holds === 0) this.#update();
  }

  /** The alarm is due. */
  async ring(): Promise<void> {
    this.#alarmAt = Infinity; // the platform has cleared it
    this.#fire();
    if (!this.#isLive) await this.#rest();
  }

  /** The alarm is due, and nothing can be resumed now. */
  rang(): void {
    this.#set(systemClock.now() + STUCK_MS);
  }

  /** Keeps the alarm, if there is one: nothing can be resumed now. */
  keep(): void {
    if (this.#alarmAt < systemClock.now() - LOST_MS) this.rang();
  }

  get #first(): number {
    return this.#timers.peek()?.dueAt ?? Infinity;
  }

  /** Whether something is in progress, or due soon. */
  get #isLive(): boolean {
    return this.#holds > 0 || this.#first - this.now() < NEAR_MS;
  }

  #update(): void {
    const now = systemClock.now();
    const dueAt = now + Math.max(0, this.#first - this.now());
    const isNear = dueAt - now < NEAR_MS;
    if (this.#near !== undefined && this.#near.dueAt !== this.#first) {
      this.#near.clear();
      this.#near = undefined;
    }
    if (isNear && this.#near === undefined) {
      this.#near = { dueAt: this.#first, clear: systemClock.setTimer(dueAt, () => this.#fire()) };
    }
    if (this.#isLive) {
      const resumeAfterMs = this.#options.resumeAfterMs();
      const latest = this.#holds === 0
        ? dueAt + resumeAfterMs
        : Math.min(now + resumeAfterMs, isNear ? Infinity : dueAt);
      if (this.#alarmAt > latest || this.#alarmAt < now - LOST_MS) this.#set(latest);
      return;
    }
    this.#restsAt = now + REST_MS;
    if (this.#isResting) return;
    this.#isResting = true;
    this.#restLater();
  }

  #restLater(): void {
    systemClock.setTimer(this.#restsAt, () => {
      if (!this.#isLive && systemClock.now() < this.#restsAt) return this.#restLater();
      this.#isResting = false;
      if (!this.#isLive) void this.#rest().catch(this.#options.report);
    });
  }

  /** Moves the alarm to the first timer. */
  async #rest(): Promise<void> {
    const isStuck = await this.#options.isStuck();
    if (this.#isLive) return this.#update();
    const now = systemClock.now();
    let at = now + Math.max(0, this.#first - this.now());
    if (isStuck) at = Math.min(at, now + STUCK_MS);
    if (at !== this.#alarmAt) this.#set(at);
  }

  #fire(): void {
    this.#near?.clear();
    this.#near = undefined;
    while (this.#timers.fire(this.now()));
    this.#update();
  }

  #set(at: number): void {
    const { storage, report } = this.#options;
    this.#alarmAt = at;
    (at === Infinity ? storage.deleteAlarm() : storage.setAlarm(at)).catch(report);
  }
}
