/**
 * A store that fails, for tests of what is written to it: by chance that follows from a seed, by a script, or both.
 *
 * Owns no state but its counts: everything is kept in the store inside.
 *
 * 1. What happens to a call follows from the seed, the operation and how many calls of that operation came before, and
 *    from nothing else. So to leave one fault out does not change the others.
 * 2. A call that fails before has done nothing. A call that fails after is done, and only its answer is lost.
 * 3. Without options and script it is the store inside, with nothing in between.
 *
 * @module
 */

import { type Clock, VirtualClock } from "../../clock.ts";
import { WorkflowError } from "../../errors.ts";
import { InMemoryStore } from "../../store.ts";
import type { AppendBatch, WorkflowFilter, WorkflowState, WorkflowStateInit, WorkflowStore } from "../../types.ts";
import { checkFunction, checkInteger, checkObject, invalid } from "../../util/check.ts";
import { FrozenBatch } from "../../history/history.ts";
import { macrotask as hop } from "../../util/macrotask.ts";
import { seeded } from "../seeded.ts";
import { hash } from "../../util/prng.ts";

/** A method of a store that can fail. */
export type StoreOperation = "save" | "load" | "list" | "delete" | "append";

/** Something that a {@linkcode FaultyStore} did to a call. */
export interface StoreFault {
  /** What was called. */
  readonly operation: StoreOperation;
  /** Which call of this operation it was, counted from 1. */
  readonly nth: number;
  /**
   * `"before"`: it failed and did nothing. `"after"`: it was done, and its answer was lost. `"conflict"`: an append was
   * refused as if somebody else had written first. `"delay"`: it took time.
   */
  readonly kind: "before" | "after" | "conflict" | "delay";
  /** How much time it took, in milliseconds; only of a `"delay"`. */
  readonly delayMs?: number;
}

/** Options of a {@linkcode FaultyStore}. A chance is a number from 0, never, to 1, always. */
export interface FaultyStoreOptions {
  /**
   * What chance follows from: any integer.
   *
   * @default {0}
   */
  readonly seed?: number;
  /**
   * The chance that a call fails before it is done.
   *
   * @default {0}
   */
  readonly failBefore?: number;
  /**
   * The chance that a call is done and fails then: its answer is lost.
   *
   * @default {0}
   */
  readonly failAfter?: number;
  /**
   * The chance that an append is refused with a conflict, although nobody else has written.
   *
   * @default {0}
   */
  readonly conflict?: number;
  /**
   * How long a call takes, from the first to the second, in whole milliseconds from 0: half of it before the call is done,
   * half of it after. Needs `clock`.
   *
   * @default {no time}
   */
  readonly latencyMs?: readonly [min: number, max: number];
  /**
   * What `latencyMs` passes on: the executor's clock. A virtual one stands while an executor waits for its store; this
   * store moves it on, also if it is held.
   *
   * @default {undefined}
   */
  readonly clock?: Clock;
  /**
   * Asked before a fault of chance is done; `true` leaves it out. To find out which faults of a seed matter.
   *
   * @default {every fault is done}
   */
  readonly suppress?: (fault: StoreFault) => boolean;
}

/** Functions that are called around the calls of a store, by operation. One that throws or rejects lets the call fail. */
export interface StoreScript {
  /** Gets what is saved. */
  save?: (state: WorkflowStateInit) => unknown;
  /** Gets the ID of what is loaded. */
  load?: (workflowId: string) => unknown;
  /** Gets the filter of the list. */
  list?: (filter?: WorkflowFilter) => unknown;
  /** Gets the ID of what is deleted. */
  delete?: (workflowId: string) => unknown;
  /** Gets what is appended. */
  append?: (batch: AppendBatch) => unknown;
}

/**
 * Wraps any store and lets it fail.
 *
 * By chance, with `options`: {@linkcode faults} tells what was done. By script, with {@linkcode before} and
 * {@linkcode after}, whose functions can throw, wait, or look. Look at what is stored through {@linkcode inner}, which does
 * not fail.
 *
 * @example By chance
 * ```ts
 * import { Executor, VirtualClock, type WorkflowContext } from "@rockpool/workflow";
 * import { FaultyStore } from "@rockpool/workflow/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const clock = new VirtualClock();
 * const store = new FaultyStore(undefined, { seed: 7, failBefore: 0.2, failAfter: 0.2, latencyMs: [0, 20], clock });
 * await using executor = new Executor({ store, clock, storeRetry: { maxAttempts: Infinity } });
 * const handle = await executor.execute(async (ctx: WorkflowContext) => {
 *   await ctx.sleep(1000);
 *   return await ctx.executeActivity(() => "done");
 * });
 * assertEquals(await handle.result(), "done"); // whatever the store did
 * ```
 *
 * @example By script
 * ```ts
 * import { FaultyStore } from "@rockpool/workflow/testing";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const store = new FaultyStore();
 * store.after.save = () => {
 *   throw new Error("The answer is lost");
 * };
 * await assertRejects(() => store.save({ workflowId: "a", status: "running" }), Error, "The answer is lost");
 * assertEquals((await store.load("a"))?.status, "running");
 * ```
 */
export class FaultyStore implements WorkflowStore {
  /** The store that keeps everything. */
  readonly inner: WorkflowStore;
  /** What is called before a call is done: if it fails, so does the call, and nothing is done. */
  readonly before: StoreScript = {};
  /** What is called after a call is done: if it fails, so does the call, and its answer is lost. */
  readonly after: StoreScript = {};
  /** Calls `listener` after each change; only there if the store inside can do it. See {@linkcode WorkflowStore.subscribe}. */
  readonly subscribe?: NonNullable<WorkflowStore["subscribe"]>;
  readonly #options: FaultyStoreOptions;
  readonly #faults: StoreFault[] = [];
  readonly #calls: Record<StoreOperation, number> = { save: 0, load: 0, list: 0, delete: 0, append: 0 };
  /** How many delays last. */
  #waiting = 0;
  #moving = false;

  /**
   * Wraps a store.
   *
   * @param inner The store that keeps everything; a new {@linkcode InMemoryStore} if it is left out.
   * @param options How often what goes wrong; without them, only the script does.
   * @throws {TypeError} If an option is of the wrong kind, or `latencyMs` is given without a clock.
   * @throws {RangeError} If a number is out of its range.
   */
  constructor(inner: WorkflowStore = new InMemoryStore(), options: FaultyStoreOptions = {}) {
    const action = "create a faulty store";
    checkObject("inner", inner, action);
    checkObject("options", options, action);
    const { seed = 0, latencyMs, clock, suppress } = options;
    if (!Number.isInteger(seed)) throw invalid("seed", seed, "an integer", action, undefined, RangeError);
    for (const name of ["failBefore", "failAfter", "conflict"] as const) {
      const { [name]: chance = 0 } = options;
      if (typeof chance !== "number" || !(chance >= 0 && chance <= 1)) {
        throw invalid(name, chance, "a number from 0 to 1", action, undefined, RangeError);
      }
    }
    if (latencyMs !== undefined) {
      checkInteger("latencyMs[0]", latencyMs[0], 0, action);
      checkInteger("latencyMs[1]", latencyMs[1], latencyMs[0], action);
      if (clock === undefined) throw invalid("clock", clock, 'a Clock if "latencyMs" is given', action);
    }
    if (suppress !== undefined) checkFunction("suppress", suppress, action);
    this.inner = inner;
    this.#options = options;
    if (inner.subscribe !== undefined) this.subscribe = (listener) => inner.subscribe!(listener);
  }

  /** What chance has done so far, oldest first. What the script does is not among it. */
  get faults(): readonly StoreFault[] {
    return this.#faults;
  }

  /** Writes a whole state; see {@linkcode WorkflowStore.save}. */
  save(state: WorkflowStateInit): Promise<void> {
    return this.#call("save", state, (state) => this.inner.save(state));
  }

  /** Answers the stored state or `null`; see {@linkcode WorkflowStore.load}. */
  load(workflowId: string): Promise<WorkflowState | null> {
    return this.#call("load", workflowId, (workflowId) => this.inner.load(workflowId));
  }

  /** Answers the states that match; see {@linkcode WorkflowStore.list}. */
  list(filter?: WorkflowFilter): Promise<WorkflowState[]> {
    return this.#call("list", filter, (filter) => this.inner.list(filter));
  }

  /** Forgets a workflow; see {@linkcode WorkflowStore.delete}. */
  delete(workflowId: string): Promise<void> {
    return this.#call("delete", workflowId, (workflowId) => this.inner.delete(workflowId));
  }

  /** Adds events to a run if nobody else did; see {@linkcode WorkflowStore.append}. */
  append(batch: AppendBatch): Promise<void> {
    return this.#call("append", batch, (batch) => this.inner.append(batch));
  }

  /** One call. Where nothing is to be waited for, `body` is called at once: it copies what it is given. */
  async #call<Given, T>(operation: StoreOperation, given: Given, body: (given: Given) => Promise<T>): Promise<T> {
    const nth = ++this.#calls[operation];
    const scripted = play(this.before, operation, given);
    const does = this.#chances(operation, nth);
    const delayMs = does("delay");
    if (scripted !== undefined || delayMs > 0) {
      given = copyOf(given);
      await scripted;
    }
    if (delayMs > 0) await this.#wait(Math.floor(delayMs / 2));
    if (does("conflict")) {
      throw new WorkflowError("conflict", this.#tell(operation, nth, "was refused with a conflict that is none"));
    }
    if (does("before")) throw new Error(this.#tell(operation, nth, "failed before it was done"));
    const answer = await body(given);
    if (delayMs > 0) await this.#wait(Math.ceil(delayMs / 2));
    if (does("after")) throw new Error(this.#tell(operation, nth, "was done, and its answer was lost"));
    await play(this.after, operation, given);
    return answer;
  }

  #tell(operation: StoreOperation, nth: number, what: string): string {
    return `FaultyStore: ${operation} ${nth} ${what} (seed ${this.#options.seed ?? 0})`;
  }

  /** Decides on the faults of one call, each of which is done if it is asked for. A delay is answered in milliseconds. */
  #chances(operation: StoreOperation, nth: number): (kind: StoreFault["kind"]) => number {
    const { seed = 0, failBefore = 0, failAfter = 0, conflict = 0, latencyMs = [0, 0], suppress } = this.#options;
    const random = seeded(hash(`${seed} ${operation} ${nth}`));
    const [min, max] = latencyMs;
    const drawn: Record<StoreFault["kind"], number> = {
      before: Number(random() < failBefore),
      after: Number(random() < failAfter),
      conflict: Number(random() < conflict && operation === "append"),
      delay: min + Math.floor(random() * (max - min + 1)),
    };
    return (kind) => {
      if (drawn[kind] === 0) return 0;
      const fault: StoreFault = { operation, nth, kind, ...(kind === "delay" ? { delayMs: drawn.delay } : {}) };
      if (suppress?.(fault)) return 0;
      this.#faults.push(fault);
      return drawn[kind];
    };
  }

  #wait(ms: number): Promise<void> {
    const clock = this.#options.clock!;
    return new Promise((resolve) => {
      clock.setTimer(clock.now() + ms, () => {
        this.#waiting--;
        resolve();
      });
      this.#waiting++;
      if (clock instanceof VirtualClock && !this.#moving) this.#move(clock);
    });
  }

  /** Moves a clock from timer to timer while a delay lasts: an executor that waits for its store holds it. */
  #move(clock: VirtualClock): void {
    this.#moving = this.#waiting > 0;
    if (!this.#moving) return;
    hop(() => {
      if (this.#waiting > 0) clock.next();
      this.#move(clock);
    });
  }
}

/** Calls what the script has for an operation, if anything. */
function play(script: StoreScript, operation: StoreOperation, given: unknown): unknown {
  return (script[operation] as ((given: unknown) => unknown) | undefined)?.(given);
}

/** What a caller gave, so that it can change its own. */
function copyOf<T>(given: T): T {
  if (given instanceof FrozenBatch) return given;
  try {
    return structuredClone(given);
  } catch {
    return given; // the store refuses it
  }
}
