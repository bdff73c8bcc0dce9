/**
 * The time of a simulated world: one clock for all of its executors. It moves only when the world tells it to. Each process
 * has its own view of the clock, which stops when the process dies.
 *
 * @module
 */

import { type Clock, systemClock, VirtualClock } from "../../clock.ts";
import { macrotask } from "../../util/macrotask.ts";

export class WorldClock extends VirtualClock {
  /** When the timers are due that are set. */
  readonly #due = new Map<() => void, number>();
  #steps = 0;
  #stepped: (() => void) | undefined;

  constructor() {
    super({ autoAdvance: false });
  }

  override setTimer(dueAt: number, callback: () => void): () => void {
    const clear = super.setTimer(dueAt, () => {
      this.#due.delete(clear);
      callback();
    });
    this.#due.set(clear, dueAt);
    return () => {
      this.#due.delete(clear);
      clear();
    };
  }

  /** When the next timer is due; `Infinity` if there is none. */
  get dueAt(): number {
    return Math.min(Infinity, ...this.#due.values());
  }

  /** Moves the time on without a timer: none may be due until then. */
  moveTo(time: number): void {
    if (time <= this.now()) return;
    this.setTimer(time, () => {});
    this.next();
  }

  /** How many steps the executors have made. If it stays the same, nobody has done anything. */
  get steps(): number {
    return this.#steps;
  }

  /** An executor makes a step. */
  step(): void {
    this.#steps++;
    this.#stepped?.();
  }

  /** Resolves at the next step, or after this many milliseconds of real time without one. */
  async nextStep(ms: number): Promise<void> {
    let clear!: () => void;
    await new Promise<void>((resolve) => {
      this.#stepped = resolve;
      clear = systemClock.setTimer(systemClock.now() + ms, resolve);
    });
    this.#stepped = undefined;
    clear();
  }
}

/** The clock as one process sees it. */
export class ProcessClock implements Clock {
  readonly #clock: WorldClock;
  #works = 0;
  #dead = false;
  /** The timers that are due while the process stands still. */
  #late: (() => void)[] | undefined;

  constructor(clock: WorldClock) {
    this.#clock = clock;
  }

  /** Whether the executor works. Activities that run are no work of it. */
  get isWorking(): boolean {
    return this.#works > 0 && !this.#dead;
  }

  now(): number {
    this.#clock.step();
    return this.#clock.now();
  }

  setTimer(dueAt: number, callback: () => void): () => void {
    this.#clock.step();
    let isCleared = false;
    const call = () => {
      if (!this.#dead && !isCleared) callback();
    };
    const clear = this.#clock.setTimer(dueAt, () => this.later(call) || call());
    return () => {
      isCleared = true;
      clear();
    };
  }

  hold(working?: boolean): void {
    if (working) this.#works++;
  }

  release(working?: boolean): void {
    if (working) this.#works--;
    this.#clock.step();
  }

  /** The process stands still: its timers do not fire before {@linkcode resume}. */
  pause(): void {
    this.#late ??= [];
  }

  /** The timers fire that were due meanwhile. */
  resume(): void {
    const late = this.#late ?? [];
    this.#late = undefined;
    for (const call of late) call();
  }

  /** Whether the process stands still; then `call` is called when it resumes. */
  later(call: () => void): boolean {
    this.#late?.push(call);
    return this.#late !== undefined;
  }

  /** Stops the view: none of its timers fires any more, and nothing of its process counts as work. */
  die(): void {
    this.#dead = true;
  }
}

/** Resolves in the next macrotask, after all microtasks. */
export const nextMacrotask = (): Promise<void> => new Promise(macrotask);
