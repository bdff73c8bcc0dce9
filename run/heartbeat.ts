/**
 * The heartbeats of one activity: finds an attempt that is silent for too long, and decides when details are recorded.
 *
 * 1. A heartbeat sets no timer. One timer is set for the attempt; when it is due, it checks when the last heartbeat came.
 * 2. Details are recorded at once. If the last ones were recorded less than half of the timeout ago, they are recorded when
 *    that time is over. So the last details get into the history without a further heartbeat, unless the attempt ends first.
 * 3. At most one heartbeat is on its way into the store, however slow the store is.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Timer, Timers } from "./timers.ts";

export class Heartbeat {
  readonly #timing: { readonly clock: Clock; readonly timers: Timers };
  readonly #timeoutMs: number;
  readonly #record: (at: number) => void;
  #beatAt = 0;
  #recordedAt = -Infinity;
  /** Whether a heartbeat is on its way into the store. */
  #waiting = false;
  #silence: Timer | undefined;
  #next: Timer | undefined;

  /**
   * @param timeoutMs The timeout for heartbeats. Without one, the default only limits how often details are recorded: once a
   * second.
   * @param record Records the last details.
   */
  constructor(
    timing: { readonly clock: Clock; readonly timers: Timers },
    timeoutMs = 2000,
    record: (at: number) => void,
  ) {
    this.#timing = timing;
    this.#timeoutMs = timeoutMs;
    this.#record = record;
  }

  /** An attempt begins. Calls `silent` once no heartbeat came for the timeout. */
  watch(silent: () => void): void {
    const { clock, timers } = this.#timing;
    this.#beatAt = clock.now();
    const wait = () => {
      const dueAt = this.#beatAt + this.#timeoutMs;
      this.#silence = timers.set(dueAt, () => clock.now() < this.#beatAt + this.#timeoutMs ? wait() : silent());
    };
    wait();
  }

  /**
   * The attempt is alive.
   *
   * @param hasDetails Whether there are new details to record.
   */
  beat(hasDetails: boolean): void {
    this.#beatAt = this.#timing.clock.now();
    if (hasDetails && this.#next === undefined) this.#recordDetails();
  }

  #recordDetails(): void {
    const { clock, timers } = this.#timing;
    const at = clock.now();
    this.#recordedAt = Math.min(this.#recordedAt, at); // the clock may have been set back
    let dueAt = this.#recordedAt + this.#timeoutMs / 2;
    if (this.#waiting && at >= dueAt) dueAt = at + this.#timeoutMs / 2;
    if (at < dueAt) {
      this.#next = timers.set(dueAt, () => {
        this.#next = undefined;
        this.#recordDetails();
      });
      return;
    }
    this.#recordedAt = at;
    this.#waiting = true;
    this.#record(at);
  }

  /** The heartbeat that was on its way is stored. */
  stored(): void {
    this.#waiting = false;
  }

  /** The attempt has ended. */
  end(): void {
    this.#timing.timers.clear(this.#silence);
    this.#timing.timers.clear(this.#next);
    this.#silence = this.#next = undefined;
    this.#waiting = false;
  }
}
