/**
 * The heartbeats of one activity: whether its attempt is silent for too long, and when what it tells is recorded.
 *
 * 1. A beat sets no timer to find silence: the timer that is set looks for beats.
 * 2. What is told is recorded at once or, if that was done less than half of the timeout ago, when that is over: so what
 *    was told last gets into the history although the attempt tells no more.
 * 3. At most one beat is on its way into the store, however slow that is.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Timer, Timers } from "./timers.ts";

export class Heartbeat {
  readonly #host: { readonly clock: Clock; readonly timers: Timers };
  readonly #timeoutMs: number;
  readonly #record: (at: number) => void;
  #beatAt = 0;
  #recordedAt = -Infinity;
  /** Whether a beat is on its way into the store. */
  #waiting = false;
  #silence: Timer | undefined;
  #next: Timer | undefined;

  /** @param record Records what was told last. */
  constructor(
    host: { readonly clock: Clock; readonly timers: Timers },
    timeoutMs = 2000,
    record: (at: number) => void,
  ) {
    this.#host = host;
    this.#timeoutMs = timeoutMs;
    this.#record = record;
  }

  /** An attempt begins: calls `silent` once nothing was heard of it for the timeout. */
  watch(silent: () => void): void {
    const { clock, timers } = this.#host;
    this.#beatAt = clock.now();
    const wait = () => {
      const dueAt = this.#beatAt + this.#timeoutMs;
      this.#silence = timers.set(dueAt, () => clock.now() < this.#beatAt + this.#timeoutMs ? wait() : silent());
    };
    wait();
  }

  /** The attempt is alive. `told` says whether there is something new to record. */
  beat(told: boolean): void {
    this.#beatAt = this.#host.clock.now();
    if (told && this.#next === undefined) this.#tell();
  }

  #tell(): void {
    const { clock, timers } = this.#host;
    const at = clock.now();
    let dueAt = this.#recordedAt + this.#timeoutMs / 2;
    if (this.#waiting && at >= dueAt) dueAt = at + this.#timeoutMs / 2;
    if (at < dueAt) {
      this.#next = timers.set(dueAt, () => {
        this.#next = undefined;
        this.#tell();
      });
      return;
    }
    this.#recordedAt = at;
    this.#waiting = true;
    this.#record(at);
  }

  /** The beat that was on its way is stored. */
  stored(): void {
    this.#waiting = false;
  }

  /** The attempt has ended. */
  end(): void {
    this.#host.timers.clear(this.#silence);
    this.#host.timers.clear(this.#next);
    this.#silence = this.#next = undefined;
    this.#waiting = false;
  }
}
