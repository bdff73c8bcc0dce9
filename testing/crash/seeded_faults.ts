/**
 * What goes wrong in a simulation: decided by a seed, one disturbance independent of the other.
 *
 * 1. Whether a disturbance happens follows from the seed and its key alone, never from what was drawn before. So one can be
 *    left out without moving the others.
 * 2. A key says what is disturbed: an event's place in the history, an attempt of an activity. It outlives what else changes.
 *
 * @module
 */

import { show } from "../../util/show.ts";
import type { FaultPlan, World } from "./world.ts";
import type { ActivityCall } from "../fakes.ts";
import type { AttemptFault, SimulatedProcess, Write, WriteFault } from "./simulated_process.ts";
import { hash, seededRandom } from "../../util/prng.ts";

/** How often what is disturbed, from 0 for never to 1 for always. */
export interface SimulationRates {
  /**
   * A process dies at a write.
   *
   * @default {0.05}
   */
  readonly crash?: number;
  /**
   * The store fails at a write, before it is carried out or after; or at a read.
   *
   * @default {0.05}
   */
  readonly storeFailure?: number;
  /**
   * An attempt of an activity fails, before its work is done or after.
   *
   * @default {0.1}
   */
  readonly activityFailure?: number;
  /**
   * An attempt of an activity takes time, before its work is done or after.
   *
   * @default {0.3}
   */
  readonly activityDelay?: number;
  /**
   * What comes from outside comes late.
   *
   * @default {0.3}
   */
  readonly late?: number;
  /**
   * A write takes so long that others can be faster. Only with several executors.
   *
   * @default {0.2}
   */
  readonly slowWrite?: number;
  /**
   * After a write, another executor calls `recover()`. Only with several executors.
   *
   * @default {0.2}
   */
  readonly takeover?: number;
}

/** The rates that hold where a scenario does not say otherwise. */
export const defaultRates: Required<SimulationRates> = {
  crash: 0.05,
  storeFailure: 0.05,
  activityFailure: 0.1,
  activityDelay: 0.3,
  late: 0.3,
  slowWrite: 0.2,
  takeover: 0.2,
};

/** A write is on its way for so many turns of the event loop at most. */
const MAX_HOPS = 5;

/** The fate of a simulation's run. */
export class SeededFaults implements FaultPlan {
  /** What has happened, in order: its key, and in words. */
  readonly happened: Map<string, string> = new Map();
  world: World | undefined;
  readonly #seed: number;
  readonly #rates: Required<SimulationRates>;
  readonly #maxDelayMs: number;
  /** What may happen; everything if it is not given. */
  readonly #allowed: ReadonlySet<string> | undefined;
  readonly #counts = new Map<string, number>();

  constructor(
    seed: number,
    rates: Required<SimulationRates>,
    maxDelayMs: number,
    allowed: ReadonlySet<string> | undefined,
  ) {
    this.#seed = seed;
    this.#rates = rates;
    this.#maxDelayMs = maxDelayMs;
    this.#allowed = allowed;
  }

  write({ proc, batch }: Write): WriteFault | undefined {
    const { journal, scene: { executors } } = this.world!;
    const { workflowId, expectedLength } = batch;
    const key = this.#count(`${proc.index} ${workflowId} ${journal.begun(workflowId)} ${expectedLength}`);
    const who = nameOf(proc, executors);
    const at = (which: "first" | "last") => {
      const { number, event } = journal.place(batch, which);
      return `event ${number} of workflow ${show(workflowId)}, ${event}`;
    };
    const side = this.#draw(`side ${key}`);
    const before = side < 1 / 3;
    if (this.#happens("crash", key, () => `${who} died ${before ? `before ${at("first")}` : `after ${at("last")}`}`)) {
      return { die: before ? "before" : side < 2 / 3 ? "after" : "between" };
    }
    const fail = before ? "before" : "after";
    const failed = () =>
      before ? `The store failed at ${at("first")}` : `The store's answer was lost after ${at("last")}`;
    if (this.#happens("storeFailure", key, failed)) return { fail };
    if (executors === 1) return undefined;
    const other = (proc.index + 1 + Math.floor(this.#draw(`other ${key}`) * (executors - 1))) % executors;
    if (this.#happens("takeover", key, () => `Executor ${other} called recover() at ${at("first")}`)) {
      queueMicrotask(() => this.world!.recover(other));
    }
    const hops = 1 + Math.floor(this.#draw(`hops ${key}`) * MAX_HOPS);
    return this.#happens("slowWrite", key, () => `${who} was slow to store ${at("first")}`) ? { hops } : undefined;
  }

  read(proc: SimulatedProcess, nth: number): boolean {
    const { executors } = this.world!.scene;
    const text = () => `The store failed when ${nameOf(proc, executors).toLowerCase()} read`;
    return this.#happens("storeFailure", `read ${proc.index} ${proc.life} ${nth}`, text);
  }

  attempt({ name, attempt, workflowId, idempotencyKey }: ActivityCall): AttemptFault | undefined {
    const { journal } = this.world!;
    const seq = idempotencyKey.slice(idempotencyKey.lastIndexOf(":"));
    const key = this.#count(`${workflowId} ${journal.begun(workflowId)} ${seq} ${attempt}`);
    const side = this.#draw(`half ${key}`) < 0.5 ? "before" : "after";
    const what = `Attempt ${attempt} of activity ${show(name)} of workflow ${show(workflowId)}`;
    const ms = this.#delay(key);
    const late = this.#happens("activityDelay", key, () => `${what} took ${ms} ms ${side} its work`);
    const fails = this.#happens("activityFailure", key, () => `${what} failed ${side} its work`);
    if (!late && !fails) return undefined;
    return { side, fails, ...(late ? { delayMs: ms } : {}) };
  }

  lateMs(visit: string): number {
    const ms = this.#delay(visit);
    return this.#happens("late", visit, () => `The ${visit} came ${ms} ms late`) ? ms : 0;
  }

  choose(visit: string): number {
    return Math.floor(this.#draw(`choose ${visit}`) * this.world!.scene.executors);
  }

  #delay(key: string): number {
    return 1 + Math.floor(this.#draw(`delay ${key}`) * this.#maxDelayMs);
  }

  /** Tells the same thing, done again, from the first time. */
  #count(key: string): string {
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    return `${key} #${count}`;
  }

  #happens(kind: keyof SimulationRates, of: string, text: () => string): boolean {
    const key = `${kind} ${of}`;
    if (this.#draw(key) >= this.#rates[kind] || this.#allowed?.has(key) === false) return false;
    this.happened.set(key, text());
    return true;
  }

  /** A number from 0 to below 1 that follows from the seed and the key. */
  #draw(key: string): number {
    return seededRandom(hash(key, 0x811c9dc5 ^ this.#seed))();
  }
}

function nameOf(proc: SimulatedProcess, executors: number): string {
  return executors === 1 ? "The process" : `Executor ${proc.index}`;
}

/**
 * The fewest of `items` with which `fails` still answers true: none of them can be left out alone. Delta debugging.
 *
 * @param fails Answers true for all items.
 */
export async function fewest(
  items: readonly string[],
  fails: (items: readonly string[]) => Promise<boolean>,
): Promise<readonly string[]> {
  let rest = items;
  if (rest.length === 0 || await fails([])) return [];
  for (let parts = 2; rest.length > 1;) {
    const size = Math.ceil(rest.length / parts);
    let smaller: readonly string[] | undefined;
    for (let from = 0; from < rest.length && smaller === undefined; from += size) {
      const without = [...rest.slice(0, from), ...rest.slice(from + size)];
      if (await fails(without)) smaller = without;
    }
    if (smaller !== undefined) {
      rest = smaller;
      parts = Math.max(parts - 1, 2);
    } else if (size === 1) break;
    else parts = Math.min(parts * 2, rest.length);
  }
  return rest;
}
