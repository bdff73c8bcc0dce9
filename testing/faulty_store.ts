/**
 * A store that fails, is slow, or reads what is old: with probabilities and a seed, by a script, or both.
 *
 * Owns only its counts, and the last appends if reads can be old. Everything is stored in the inner store.
 *
 * 1. The faults of a call follow from the seed, the operation, and the number of earlier calls of that operation. So one
 *    fault can be left out without changing the others.
 * 2. A call that fails "before" has done nothing. A call that fails "after" is done, and only its answer is lost.
 * 3. Without options and script, every call goes straight to the inner store.
 *
 * One long module: a third of it is the documentation of options, and the rest is one class.
 *
 * @module
 */

import { type Clock, VirtualClock } from "../clock.ts";
import { WorkflowError } from "../errors.ts";
import { FrozenBatch } from "../history/history.ts";
import { InMemoryStore } from "../store.ts";
import type {
  AppendBatch,
  ClaimOptions,
  Delivery,
  DeliveryReceipt,
  PageOptions,
  WorkflowFilter,
  WorkflowState,
  WorkflowStateInit,
  WorkflowStore,
} from "../types.ts";
import { checkBoolean, checkFunction, checkInteger, checkObject, checkOptions, invalid } from "../util/check.ts";
import { isStrayPromise } from "../util/deferred.ts";
import { macrotask } from "../util/macrotask.ts";
import { hash, seededRandom } from "../util/prng.ts";
import { MAX_LAG, PastStates } from "./past_states.ts";

/**
 * A method of a store that can fail.
 *
 * @category Testing
 */
export type StoreOperation =
  | "save"
  | "load"
  | "list"
  | "delete"
  | "append"
  | "heads"
  | "count"
  | "loadSince"
  | "deliver"
  | "claim"
  | "renew"
  | "release";

/**
 * A fault that a {@linkcode FaultyStore} caused.
 *
 * @category Testing
 */
export interface StoreFault {
  /** The method that was called. */
  readonly operation: StoreOperation;
  /** Which call of this operation it was, counted from 1. */
  readonly nth: number;
  /**
   * `"before"`: the call failed and did nothing. `"after"`: the call was done, and its answer was lost. `"conflict"`: an append
   * was refused as if another executor had written first. `"delay"`: the call took time. `"slow"`: a read took time, and
   * answered with the state at the time of the call. `"stale"`: a read answered with an earlier state.
   */
  readonly kind: "before" | "after" | "conflict" | "delay" | "slow" | "stale";
  /** How much time the call took, in milliseconds; only for `"delay"` and `"slow"`. */
  readonly delayMs?: number;
  /** How many of the last appends the answer did not show; only for `"stale"`. */
  readonly lag?: number;
}

/**
 * Options of a {@linkcode FaultyStore}. A probability is a number from 0 (never) to 1 (always).
 *
 * @category Testing
 */
export interface FaultyStoreOptions {
  /**
   * The seed of all faults; any integer.
   *
   * @default {0}
   */
  readonly seed?: number | undefined;
  /**
   * The probability that a call fails before it is done.
   *
   * @default {0}
   */
  readonly failBefore?: number | undefined;
  /**
   * The probability that a call is done and its answer is lost.
   *
   * @default {0}
   */
  readonly failAfter?: number | undefined;
  /**
   * The probability that an append is refused with a conflict, although nobody else has written.
   *
   * @default {0}
   */
  readonly conflict?: number | undefined;
  /**
   * The shortest and the longest time that a call takes, in whole milliseconds, from 0. Half of it passes before the call is
   * done, half of it after. Needs `clock`.
   *
   * @default {no time}
   */
  readonly latencyMs?: readonly [min: number, max: number] | undefined;
  /**
   * The shortest and the longest time that the answer of a read takes, in whole milliseconds, from 0. It is the state at the
   * time of the call, so it can be old when it arrives. Needs `clock`.
   *
   * @default {no time}
   */
  readonly slowReadMs?: readonly [min: number, max: number] | undefined;
  /**
   * The probability that a read answers with an earlier state, as a copy of the store does that is behind: as before the last
   * append, or before the last two or three. It shows workflows as they were while they were running, and never hides one.
   * Appends that are not made through a `FaultyStore` with this option are not known.
   *
   * @default {0}
   */
  readonly staleRead?: number | undefined;
  /**
   * The clock of `latencyMs` and `slowReadMs`: that of the executor. A virtual clock stands still while an executor waits for
   * its store. This store moves it on, even if it is held.
   *
   * @default {none}
   */
  readonly clock?: Clock | undefined;
  /**
   * Called before each fault; `true` leaves the fault out. Serves to find out which faults of a seed matter.
   *
   * @default {no fault is left out}
   */
  readonly suppress?: ((fault: StoreFault) => boolean) | undefined;
  /**
   * Whether this store also has the optional methods and the `leaseMs` that the inner store has: `heads`, `count`, `loadSince`,
   * `deliver`, `claim`, `renew`, `release`. They fail as the others do.
   *
   * @default {false: executors do without them}
   */
  readonly members?: boolean | undefined;
}

const optionNames: Readonly<Record<keyof FaultyStoreOptions, true>> = {
  seed: true,
  failBefore: true,
  failAfter: true,
  conflict: true,
  latencyMs: true,
  slowReadMs: true,
  staleRead: true,
  clock: true,
  suppress: true,
  members: true,
};

/**
 * Functions that run around the calls of a store, one for each operation. Each gets the first argument. If one throws or rejects, the call fails.
 *
 * @category Testing
 */
export interface StoreScript {
  /** Called with the state to save. */
  save?: ((state: WorkflowStateInit) => unknown) | undefined;
  /** Called with the ID to load. */
  load?: ((workflowId: string) => unknown) | undefined;
  /** Called with the filter. */
  list?: ((filter?: WorkflowFilter) => unknown) | undefined;
  /** Called with the ID to delete. */
  delete?: ((workflowId: string) => unknown) | undefined;
  /** Called with the batch to append. */
  append?: ((batch: AppendBatch) => unknown) | undefined;
  /** Called with the options. */
  heads?: ((options?: PageOptions) => unknown) | undefined;
  /** Called with the filter. */
  count?: ((filter?: WorkflowFilter) => unknown) | undefined;
  /** Called with the ID to load. */
  loadSince?: ((workflowId: string) => unknown) | undefined;
  /** Called with the delivery. */
  deliver?: ((delivery: Delivery) => unknown) | undefined;
  /** Called with the options. */
  claim?: ((options: ClaimOptions) => unknown) | undefined;
  /** Called with the owner. */
  renew?: ((owner: string) => unknown) | undefined;
  /** Called with the owner. */
  release?: ((owner: string) => unknown) | undefined;
}

/**
 * Wraps any store and lets it fail.
 *
 * The options give the probabilities of faults, and {@linkcode faults} lists what happened. A script is given by
 * {@linkcode before} and {@linkcode after}, whose functions can throw or wait. To read what is stored, use
 * {@linkcode inner}, which does not fail.
 *
 * @example With probabilities
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
 * assertEquals(await handle.result(), "done"); // whatever the faults were
 * ```
 *
 * @example With a script
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
 *
 * @category Testing
 */
export class FaultyStore implements WorkflowStore {
  /** The wrapped store, which holds everything. */
  readonly inner: WorkflowStore;
  /** Functions that run before a call. If one fails, the call fails and does nothing. */
  readonly before: StoreScript = {};
  /** Functions that run after a call is done. If one fails, the call fails, and its answer is lost. */
  readonly after: StoreScript = {};
  /** Calls `listener` after each change. Exists only if the inner store has it. See {@linkcode WorkflowStore.subscribe}. */
  readonly subscribe?: NonNullable<WorkflowStore["subscribe"]>;
  /** Returns a page of heads. Exists with `members`, if the inner store has it. See {@linkcode WorkflowStore.heads}. */
  heads?: NonNullable<WorkflowStore["heads"]>;
  /** Counts workflows. Exists with `members`, if the inner store has it. See {@linkcode WorkflowStore.count}. */
  count?: NonNullable<WorkflowStore["count"]>;
  /** Returns the end of a history. Exists with `members`, if the inner store has it. See {@linkcode WorkflowStore.loadSince}. */
  loadSince?: NonNullable<WorkflowStore["loadSince"]>;
  /** Adds messages to a run. Exists with `members`, if the inner store has it. See {@linkcode WorkflowStore.deliver}. */
  deliver?: NonNullable<WorkflowStore["deliver"]>;
  /** The length of leases of the inner store; with `members`. See {@linkcode WorkflowStore.leaseMs}. */
  leaseMs?: number | undefined;
  /** Takes runs. Exists with `members`, if the inner store has it. See {@linkcode WorkflowStore.claim}. */
  claim?: NonNullable<WorkflowStore["claim"]>;
  /** Extends a lease. Exists with `members`, if the inner store has it. See {@linkcode WorkflowStore.renew}. */
  renew?: NonNullable<WorkflowStore["renew"]>;
  /** Gives runs back. Exists with `members`, if the inner store has it. See {@linkcode WorkflowStore.release}. */
  release?: NonNullable<WorkflowStore["release"]>;
  readonly #options: FaultyStoreOptions;
  readonly #faults: StoreFault[] = [];
  /** Shared by all stores with stale reads around the same inner store. */
  readonly #past: PastStates | undefined;
  readonly #calls = new Map<StoreOperation, number>();
  /** How many delays are in progress. */
  #waiting = 0;
  /** Whether the virtual clock is being moved. */
  #moving = false;

  /**
   * Wraps a store.
   *
   * @param inner The store to wrap; a new {@linkcode InMemoryStore} by default.
   * @param options The probabilities of faults.
   * @throws {TypeError} If an option is unknown or of the wrong type, or `latencyMs` or `slowReadMs` is given without a clock.
   * @throws {RangeError} If a number is out of its range.
   */
  constructor(inner: WorkflowStore = new InMemoryStore(), options: FaultyStoreOptions = {}) {
    const action = "create a faulty store";
    checkObject("inner", inner, action);
    checkOptions(options, optionNames, action);
    const { seed = 0, clock, suppress, staleRead, members = false } = options;
    checkBoolean("members", members, action);
    if (!Number.isInteger(seed)) throw invalid("seed", seed, "an integer", action, undefined, RangeError);
    for (const name of ["failBefore", "failAfter", "conflict", "staleRead"] as const) {
      const { [name]: chance = 0 } = options;
      if (typeof chance !== "number" || !(chance >= 0 && chance <= 1)) {
        throw invalid(name, chance, "a number from 0 to 1", action, undefined, RangeError);
      }
    }
    for (const name of ["latencyMs", "slowReadMs"] as const) {
      const { [name]: range } = options;
      if (range === undefined) continue;
      checkInteger(`${name}[0]`, range[0], 0, action);
      checkInteger(`${name}[1]`, range[1], range[0], action);
      if (clock === undefined) throw invalid("clock", clock, `a Clock if "${name}" is given`, action);
    }
    if (suppress !== undefined) checkFunction("suppress", suppress, action);
    this.inner = inner;
    this.#options = options;
    if (staleRead) pastStates.set(inner, this.#past = pastStates.get(inner) ?? new PastStates());
    if (inner.subscribe !== undefined) this.subscribe = (listener) => inner.subscribe!(listener);
    if (members) this.#addMembers();
  }

  /** The faults so far, oldest first. What the script does is not in the list. */
  get faults(): readonly StoreFault[] {
    return this.#faults;
  }

  /** Writes a whole state; see {@linkcode WorkflowStore.save}. */
  save(state: WorkflowStateInit): Promise<void> {
    return this.#call("save", state, async (state) => {
      await this.inner.save(state);
      this.#past?.forget(state.workflowId);
    });
  }

  /** Returns the stored state or `null`; see {@linkcode WorkflowStore.load}. */
  load(workflowId: string): Promise<WorkflowState | null> {
    const earlier = (lag: number, id: string) => this.#past?.load(lag, id);
    return this.#call("load", workflowId, (workflowId) => this.inner.load(workflowId), earlier);
  }

  /** Returns the states that match; see {@linkcode WorkflowStore.list}. */
  list(filter?: WorkflowFilter): Promise<WorkflowState[]> {
    const earlier = (lag: number, filter?: WorkflowFilter) =>
      this.#past?.hasChanged(lag) ? this.#past.list(lag, this.inner, filter) : undefined;
    return this.#call("list", filter, (filter) => this.inner.list(filter), earlier);
  }

  /** Deletes a workflow; see {@linkcode WorkflowStore.delete}. */
  delete(workflowId: string): Promise<void> {
    return this.#call("delete", workflowId, async (workflowId) => {
      await this.inner.delete(workflowId);
      this.#past?.forget(workflowId);
    });
  }

  /** Appends events to a run, or refuses with a conflict; see {@linkcode WorkflowStore.append}. */
  append(batch: AppendBatch): Promise<void> {
    const past = this.#past;
    return this.#call("append", batch, async (batch) => {
      const copy = past === undefined ? batch : copyOf(batch);
      await this.inner.append(batch);
      past?.add(copy);
    });
  }

  /** The optional methods that the inner store has. */
  #addMembers(): void {
    const { inner } = this;
    if (inner.leaseMs !== undefined) this.leaseMs = inner.leaseMs;
    if (inner.heads !== undefined) {
      this.heads = (options) =>
        this.#call(
          "heads",
          options,
          (given) => inner.heads!(given),
          (lag, given) => this.#past?.hasChanged(lag) ? this.#past.heads(lag, inner, given) : undefined,
        );
    }
    if (inner.count !== undefined) this.count = (filter) => this.#call("count", filter, (given) => inner.count!(given));
    if (inner.loadSince !== undefined) {
      this.loadSince = (id, ...rest) =>
        this.#call(
          "loadSince",
          id,
          (id) => inner.loadSince!(id, ...rest),
          (lag, id) => this.#past?.loadSince(lag, id, ...rest),
        );
    }
    if (inner.deliver !== undefined) {
      this.deliver = (delivery) => this.#call("deliver", delivery, (given) => this.#deliver(given));
    }
    if (inner.claim !== undefined) {
      this.claim = (options) => this.#call("claim", options, (given) => inner.claim!(given));
    }
    if (inner.renew !== undefined) {
      this.renew = (owner, ...rest) => this.#call("renew", owner, (owner) => inner.renew!(owner, ...rest));
    }
    if (inner.release !== undefined) {
      this.release = async (owner, ids) => {
        const copy = copyOf(ids);
        return await this.#call("release", owner, (owner) => inner.release!(owner, copy));
      };
    }
  }

  async #deliver(delivery: Delivery): Promise<DeliveryReceipt> {
    const events = this.#past === undefined ? [] : copyOf(delivery).events;
    const receipt = await this.inner.deliver!(delivery);
    const { runId, historyLength } = receipt;
    const added = events.filter((_, i) => receipt.added[i]);
    this.#past?.add({
      workflowId: delivery.workflowId,
      runId,
      expectedLength: historyLength - added.length,
      events: added,
    });
    return receipt;
  }

  /**
   * Carries out one call. Without a wait, `body` is called at once: the inner store copies the argument at the call.
   *
   * @param earlier Returns the earlier answer of a read that does not show the last `lag` appends, if it is another one.
   */
  async #call<Given, T>(
    operation: StoreOperation,
    given: Given,
    body: (given: Given) => Promise<T>,
    earlier?: (lag: number, given: Given) => T | Promise<T> | undefined,
  ): Promise<T> {
    const nth = (this.#calls.get(operation) ?? 0) + 1;
    this.#calls.set(operation, nth);
    const scripted = runScript(this.before, operation, given);
    const { drawn, draw } = this.#drawFaults(operation, nth);
    const delayMs = draw("delay");
    if (scripted !== undefined || delayMs > 0) {
      given = copyOf(given);
      await scripted;
    }
    if (delayMs > 0) await this.#wait(Math.floor(delayMs / 2));
    if (draw("conflict")) {
      throw new WorkflowError("conflict", this.#message(operation, nth, "was refused with a false conflict"));
    }
    if (draw("before")) throw new Error(this.#message(operation, nth, "failed before it was done"));
    const old = drawn.stale > 0 ? earlier?.(drawn.stale, given) : undefined;
    const answer = await (old !== undefined && draw("stale") ? old : body(given));
    const slowMs = draw("slow");
    if (slowMs > 0) await this.#wait(slowMs);
    if (delayMs > 0) await this.#wait(Math.ceil(delayMs / 2));
    if (draw("after")) throw new Error(this.#message(operation, nth, "was done, and its answer was lost"));
    await runScript(this.after, operation, given);
    return answer;
  }

  #message(operation: StoreOperation, nth: number, what: string): string {
    return `FaultyStore: ${operation} ${nth} ${what} (seed ${this.#options.seed ?? 0})`;
  }

  /**
   * Decides the faults of one call.
   *
   * @returns What was drawn; and a function that says whether a fault happens, and records it. For a delay these are the
   * milliseconds, for a stale read the lag.
   */
  #drawFaults(operation: StoreOperation, nth: number) {
    const { seed = 0, failBefore = 0, failAfter = 0, conflict = 0, staleRead = 0, suppress } = this.#options;
    const { latencyMs = [0, 0], slowReadMs = [0, 0] } = this.#options;
    const random = seededRandom(hash(`${seed} ${operation} ${nth}`));
    const within = ([min, max]: readonly [number, number]) => min + Math.floor(random() * (max - min + 1));
    const isRead = READS.has(operation);
    const drawn: Record<StoreFault["kind"], number> = {
      before: Number(random() < failBefore),
      after: Number(random() < failAfter),
      conflict: Number(random() < conflict && operation === "append"),
      delay: within(latencyMs),
      slow: within(slowReadMs) * Number(isRead),
      stale: within([1, MAX_LAG]) * Number(random() < staleRead && isRead),
    };
    const draw = (kind: StoreFault["kind"]): number => {
      const amount = drawn[kind];
      if (amount === 0) return 0;
      const detail = kind === "stale"
        ? { lag: amount }
        : kind === "delay" || kind === "slow"
        ? { delayMs: amount }
        : {};
      const fault: StoreFault = { operation, nth, kind, ...detail };
      const suppressed = suppress?.(fault);
      if (isStrayPromise(suppressed)) {
        throw invalid("suppress()", suppressed, "true or false", "decide a fault");
      }
      if (suppressed) return 0;
      this.#faults.push(fault);
      return amount;
    };
    return { drawn, draw };
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

  /** Moves a clock from timer to timer while a delay is in progress: an executor that waits for its store holds it. */
  #move(clock: VirtualClock): void {
    this.#moving = this.#waiting > 0;
    if (!this.#moving) return;
    macrotask(() => {
      if (this.#waiting > 0) clock.next();
      this.#move(clock);
    });
  }
}

/** The operations that can be slow or old. */
const READS: ReadonlySet<StoreOperation> = /* @__PURE__ */ new Set(["load", "list", "heads", "count", "loadSince"]);

/** The appends of each inner store whose reads can be old. */
const pastStates = /* @__PURE__ */ new WeakMap<WorkflowStore, PastStates>();

/** Calls the script's function for an operation. */
function runScript(script: StoreScript, operation: StoreOperation, given: unknown): unknown {
  return (script[operation] as ((given: unknown) => unknown) | undefined)?.(given);
}

/** Copies an argument, so that the caller may change its own during a wait. */
function copyOf<T>(given: T): T {
  if (given instanceof FrozenBatch) return given;
  try {
    return structuredClone(given);
  } catch {
    return given; // it cannot be copied: the store refuses it
  }
}
