/**
 * The faults of a simulated world. `crashTest()` and `simulate()` decide them through the interface `FaultPlan`; the world
 * carries them out.
 *
 * @module
 */

import type { AppendBatch } from "../../types.ts";
import type { ActivityCall } from "../fakes.ts";
import type { EventPlace } from "./journal.ts";

/** Identifies a process of the world. */
export interface ProcessRef {
  /** Which of the world's executors it runs, counted from 0. */
  readonly index: number;
  /** How many processes of that executor have died before it. */
  readonly life: number;
}

/** When a process dies at a write: before it, after it but before the store answers, or in the turn after the answer. */
export type DeathSide = "before" | "after" | "between";

/** The death of a process, and the event of its write: the last stored one, or the first one that was not stored. */
export interface Death extends EventPlace {
  readonly side: DeathSide;
  /** Whether the next process read the store as it was before the write. */
  oldRead?: boolean;
}

/** A write as it begins. */
export interface Write {
  readonly proc: ProcessRef;
  /** Which write of the process it is, counted from 1. */
  readonly nth: number;
  readonly batch: AppendBatch;
  /** How many runs of the workflow have begun before. */
  readonly begun: number;
  /** Describes the first or the last event of the batch. */
  readonly place: (which: "first" | "last") => EventPlace;
}

/** A process stands still: none of its timers fires, it calls no store, gets no answer, and no activity of it ends. */
export interface Pause {
  /** When: before what is in progress takes effect, or after it, but before the process knows. */
  readonly side: "before" | "after";
  readonly ms: number;
  /** Whether its timers fire before it gets answers of the store, when it continues. */
  readonly timersFirst: boolean;
}

/** The faults of one write. */
export interface WriteFault {
  readonly pause?: Pause;
  readonly die?: DeathSide;
  /** Rejects the write: before it is carried out, or after. */
  readonly fail?: "before" | "after";
  /** How many macrotasks pass before the write reaches the store. */
  readonly delayTurns?: number;
  /** How much later the answer comes than the write, in milliseconds. */
  readonly delayMs?: number;
  /** The index of an executor that calls `recover()` at this moment. */
  readonly takeover?: number;
}

/** A read as it begins. */
export interface Read {
  readonly proc: ProcessRef;
  /** Which read of the process it is, counted from 1. */
  readonly nth: number;
  /** Whether its answer is another one if it does not show the last `lag` writes. */
  readonly differs: (lag: number) => boolean;
}

/** The faults of one read. */
export interface ReadFault {
  readonly fails?: boolean;
  /** How many of the last writes the answer does not show. */
  readonly lag?: number;
  /** How long the answer takes, in milliseconds. It is the state at the time of the call. */
  readonly delayMs?: number;
}

/** A call of `claim`, `renew` or `release` as it begins. */
export interface LeaseCall {
  readonly proc: ProcessRef;
  readonly method: "claim" | "renew" | "release";
  /** Which call of the method in this process it is, counted from 1. */
  readonly nth: number;
}

/** The faults of one such call. */
export interface LeaseFault {
  readonly pause?: Pause;
  /** Rejects the call: before it is carried out, or after. */
  readonly fail?: "before" | "after";
}

/** An attempt of an activity as it begins. */
export interface Attempt {
  readonly proc: ProcessRef & { readonly dead: boolean };
  readonly call: ActivityCall;
  /** Aborted when nobody waits for the attempt any more, or when it is cancelled. */
  readonly signal: AbortSignal;
  /** How many runs of the workflow have begun. */
  readonly begun: number;
  /** Calls the function of the activity. */
  readonly body: () => unknown;
}

/** The faults of one attempt of an activity, before its function runs or after. */
export interface AttemptFault {
  readonly pause?: Pause;
  readonly side: "before" | "after";
  /** The attempt waits for it. The time of the world passes meanwhile. */
  readonly gate?: PromiseLike<unknown>;
  readonly delayMs?: number;
  readonly fails?: boolean;
  /** What it throws. */
  readonly error?: Error;
  /** What it returns in place of the result of its function. */
  readonly answer?: { readonly value: unknown };
}

/** Something that can happen next when all processes are at rest. */
export interface Move {
  readonly kind: "answer" | "delivery" | "cancel" | "time" | "nothing";
  /** In words: `signal approval #0 comes`. */
  readonly text: string;
  /** When it happens by itself; `Infinity` is never. */
  readonly atMs: number;
  /** Lets it happen. Returns whether it did. */
  readonly make: () => boolean;
}

/** Decides the faults of a world. A method that is missing, or returns `undefined`, means no fault. */
export interface FaultPlan {
  write?(write: Write): WriteFault | undefined;
  read?(read: Read): ReadFault | undefined;
  lease?(call: LeaseCall): LeaseFault | undefined;
  attempt?(attempt: Attempt): AttemptFault | undefined;
  /** How many writes a run may make before it counts as endless. */
  readonly maxWrites?: number;
  /** How many cancellations can come at any time. Needs `next`. */
  readonly cancels?: number;
  /**
   * Lets something happen when all processes are at rest. Without this method, it is what is due first.
   *
   * @param moves What can happen, apart from what the plan holds back.
   * @param isOver Whether the workflow under test has ended.
   * @returns Whether something happened.
   */
  next?(moves: readonly Move[], isOver: boolean): boolean;
  /** How much later than planned a delivery is made, in milliseconds. */
  lateMs?(delivery: string): number;
  /** The index of the executor that gets a delivery. */
  executorOf?(delivery: string): number;
}
