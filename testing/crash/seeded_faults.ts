/**
 * The fault plan of a simulation: a seed decides every fault, each one independent of the others.
 *
 * 1. Whether a fault happens follows from the seed and the fault's key alone, never from other faults. So one can be left
 *    out, and the others stay.
 * 2. A key names what the fault happens to: a position in the history, an attempt of an activity, a delivery. So it stays the
 *    same when other faults change.
 *
 * @module
 */

import { hash, seededRandom } from "../../util/prng.ts";
import { show } from "../../util/show.ts";
import { MAX_LAG } from "../past_states.ts";
import type {
  Attempt,
  AttemptFault,
  FaultPlan,
  LeaseCall,
  LeaseFault,
  Pause,
  ProcessRef,
  Read,
  ReadFault,
  Write,
  WriteFault,
} from "./fault_plan.ts";
import type { SimulationRates } from "./simulate_options.ts";

/** How many macrotasks a slow write takes at most. */
const MAX_WRITE_TURNS = 5;

/** What a plan is made of. */
export interface SeededFaultsOptions {
  readonly seed: number;
  readonly rates: Readonly<Record<keyof SimulationRates, number>>;
  readonly maxDelayMs: number;
  readonly executors: number;
  /** `undefined`: without leases. Processes stand still only with them. */
  readonly leaseMs: number | undefined;
  /** The keys of the faults that may happen; all may if it is `undefined`. */
  readonly allowed: ReadonlySet<string> | undefined;
}

export class SeededFaults implements FaultPlan {
  /** The faults that have happened, in order: their keys, and what they are in words. */
  readonly happened: Map<string, string> = new Map();
  readonly #options: SeededFaultsOptions;
  readonly #counts = new Map<string, number>();

  constructor(options: SeededFaultsOptions) {
    this.#options = options;
  }

  write({ proc, batch, begun, place }: Write): WriteFault | undefined {
    const { executors } = this.#options;
    const { workflowId, expectedLength } = batch;
    const key = this.#count(`${proc.index} ${workflowId} ${begun} ${expectedLength}`);
    const who = this.#nameOf(proc);
    const at = (which: "first" | "last") => {
      const { number, event } = place(which);
      return `event ${number} of workflow ${show(workflowId)}, ${event}`;
    };
    const side = this.#draw(`side ${key}`);
    const before = side < 1 / 3;
    if (this.#happens("crash", key, () => `${who} died ${before ? `before ${at("first")}` : `after ${at("last")}`}`)) {
      return { die: before ? "before" : side < 2 / 3 ? "after" : "between" };
    }
    const failed = () =>
      before ? `The store failed at ${at("first")}` : `The answer of the store was lost after ${at("last")}`;
    if (this.#happens("storeFailure", key, failed)) return { fail: before ? "before" : "after" };
    const where = () => `${before ? "before" : "after"} ${at(before ? "first" : "last")}`;
    const pause = this.#pause(key, before, () => `${who} stood still`, where);
    if (pause !== undefined) return { pause };
    const other = (proc.index + 1 + Math.floor(this.#draw(`other ${key}`) * (executors - 1))) % executors;
    const recovers = () => `${this.#nameOf({ index: other })} called recover() at ${at("first")}`;
    const takenOver = this.#happens("takeover", key, recovers);
    if (executors === 1) return takenOver ? { takeover: other } : undefined;
    const turns = 1 + Math.floor(this.#draw(`turns ${key}`) * MAX_WRITE_TURNS);
    const slow = this.#happens("slowWrite", key, () => `${who} was slow to store ${at("first")}`);
    return { ...(takenOver ? { takeover: other } : {}), ...(slow ? { delayTurns: turns } : {}) };
  }

  read({ proc, nth, differs }: Read): ReadFault | undefined {
    const key = `read ${proc.index} ${proc.life} ${nth}`;
    const who = this.#nameOf(proc).toLowerCase();
    if (this.#happens("storeFailure", key, () => `The store failed at a read of ${who}`)) return { fails: true };
    const delayMs = this.#delay(key);
    const slow = this.#happens("slowRead", key, () => `A read of ${who} took ${delayMs} ms`);
    const lag = 1 + Math.floor(this.#draw(`lag ${key}`) * MAX_LAG);
    const writes = lag === 1 ? "write" : `${lag} writes`;
    const stale = differs(lag) &&
      this.#happens("staleRead", key, () => `A read of ${who} did not show the last ${writes}`);
    return { ...(slow ? { delayMs } : {}), ...(stale ? { lag } : {}) };
  }

  lease({ proc, method, nth }: LeaseCall): LeaseFault | undefined {
    const key = `${method} ${proc.index} ${proc.life} ${nth}`;
    const before = this.#draw(`side ${key}`) < 0.5;
    const what = `${method}() ${nth} of ${this.#nameOf(proc).toLowerCase()}`;
    const failed = () => before ? `The store failed at ${what}` : `The answer of the store was lost after ${what}`;
    if (this.#happens("storeFailure", key, failed)) return { fail: before ? "before" : "after" };
    const where = () => `${before ? "before" : "after"} ${what}`;
    const pause = this.#pause(key, before, () => `${this.#nameOf(proc)} stood still`, where);
    return pause && { pause };
  }

  attempt({ call, begun }: Attempt): AttemptFault | undefined {
    const { name, attempt, workflowId, idempotencyKey } = call;
    const seq = idempotencyKey.slice(idempotencyKey.lastIndexOf(":"));
    const key = this.#count(`${workflowId} ${begun} ${seq} ${attempt}`);
    const side = this.#draw(`half ${key}`) < 0.5 ? "before" : "after";
    const what = `Attempt ${attempt} of activity ${show(name)} of workflow ${show(workflowId)}`;
    const ms = this.#delay(key);
    const late = this.#happens("activityDelay", key, () => `${what} took ${ms} ms ${side} its work`);
    const fails = this.#happens("activityFailure", key, () => `${what} failed ${side} its work`);
    const where = () =>
      `${side} the work of attempt ${attempt} of activity ${show(name)} of workflow ${show(workflowId)}`;
    const pause = this.#pause(key, side === "before", () => "Its executor stood still", where);
    if (!late && !fails && pause === undefined) return undefined;
    return { side, fails, ...(late ? { delayMs: ms } : {}), ...(pause && { pause }) };
  }

  #pause(key: string, before: boolean, who: () => string, where: () => string): Pause | undefined {
    const { leaseMs } = this.#options;
    if (leaseMs === undefined) return undefined;
    const ms = 1 + Math.floor((0.5 + 2.5 * this.#draw(`pause ms ${key}`)) * leaseMs);
    if (!this.#happens("pause", key, () => `${who()} for ${ms} ms ${where()}`)) return undefined;
    return { side: before ? "before" : "after", ms, timersFirst: this.#draw(`first ${key}`) < 0.5 };
  }

  lateMs(delivery: string): number {
    const ms = this.#delay(delivery);
    return this.#happens("late", delivery, () => `The ${delivery} was delivered ${ms} ms late`) ? ms : 0;
  }

  executorOf(delivery: string): number {
    return Math.floor(this.#draw(`choose ${delivery}`) * this.#options.executors);
  }

  #nameOf({ index }: Pick<ProcessRef, "index">): string {
    return this.#options.executors === 1 ? "The process" : `Executor ${index}`;
  }

  #delay(key: string): number {
    return 1 + Math.floor(this.#draw(`delay ${key}`) * this.#options.maxDelayMs);
  }

  /** Makes a key unique: the same write or attempt can come again. */
  #count(key: string): string {
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    return `${key} #${count}`;
  }

  #happens(kind: keyof SimulationRates, of: string, text: () => string): boolean {
    const { rates, allowed } = this.#options;
    const key = `${kind} ${of}`;
    if (this.#draw(key) >= rates[kind] || allowed?.has(key) === false) return false;
    this.happened.set(key, text());
    return true;
  }

  /** A number from 0 to below 1 that follows from the seed and the key. */
  #draw(key: string): number {
    return seededRandom(hash(key, 0x811c9dc5 ^ this.#options.seed))();
  }
}
