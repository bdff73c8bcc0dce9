/**
 * The contract of `WorkflowStore` as cases for any test runner.
 *
 * The name of a case is a sentence of the port's doc comments, or a part of one. Its function rejects if the sentence is not
 * true of a store. There are two tiers: the store alone, and executors that run workflows on it.
 *
 * 1. A case does not depend on another one, on a test runner, or on the real time, apart from its own timeout.
 * 2. Nothing is demanded that the doc comments of the port do not say.
 * 3. Some sentences have no case, because a case cannot observe them: what a call costs, that a listener that throws does not
 *    affect others, and that a store reports with `null` what it may have missed.
 *
 * @module
 */

import { systemClock } from "../../clock.ts";
import type { WorkflowStore } from "../../types.ts";
import { checkArray, checkBoolean, checkChoice, checkFunction, checkNumber, checkOptions } from "../../util/check.ts";
import { Deferred } from "../../util/deferred.ts";
import type { CaseBody } from "./fixtures.ts";
import { appendCases } from "./append_cases.ts";
import { deliverCases } from "./deliver_cases.ts";
import { everyMethodCases } from "./every_method_cases.ts";
import { countCases, headsCases } from "./heads_cases.ts";
import { deliverLeaseCases, leaseCases } from "./lease_cases.ts";
import { loadSinceCases } from "./load_since_cases.ts";
import { MEMBERS, type StoreMember } from "./members.ts";
import { severalExecutorsCases } from "./several_executors_cases.ts";
import { listCases } from "./list_cases.ts";
import { reopenCases } from "./reopen_cases.ts";
import { oneExecutorCases } from "./one_executor_cases.ts";
import { loadAndDeleteCases, saveCases } from "./save_load_delete_cases.ts";
import { subscribeCases } from "./subscribe_cases.ts";
import { twoInstancesCases, twoListenersCases, twoProcessesCases } from "./two_instances_cases.ts";

/**
 * Makes a new, empty store at every call. The store is disposed of after the case, by its `Symbol.asyncDispose` or
 * `Symbol.dispose` if it has one.
 *
 * @category Store contract
 */
export type StoreFactory = () => WorkflowStore | Promise<WorkflowStore>;

export type { StoreMember };

/**
 * One sentence of the contract.
 *
 * @category Store contract
 */
export interface StoreCase {
  /** The sentence. */
  readonly name: string;
  /** Whether the sentence is about the store alone, or about executors on it. */
  readonly tier: "store" | "executor";
  /**
   * Rejects if the sentence is not true.
   *
   * @param factory Makes the stores. They are disposed of before the promise settles, also if the case fails.
   */
  readonly run: (factory: StoreFactory) => Promise<void>;
}

/**
 * Options of {@linkcode storeCases}.
 *
 * @category Store contract
 */
export interface StoreCasesOptions {
  /**
   * Only the cases of one tier.
   *
   * @default {both tiers}
   */
  readonly tier?: StoreCase["tier"] | undefined;
  /**
   * Whether the store has the optional `subscribe`.
   *
   * @default {true}
   */
  readonly subscribe?: boolean | undefined;
  /**
   * Which of the other optional members the store has. `"claim"` stands for `claim`, `renew` and `release`, and for what `append`
   * does with `owner` and `wakeAt`.
   *
   * @default {none}
   */
  readonly members?: readonly StoreMember[] | undefined;
  /**
   * Opens the content of a store again, as the next process would, while the given store is still open. With it, there are
   * cases that check what survives. Both stores are disposed of after the case.
   *
   * @default {the content does not survive the process}
   */
  readonly reopen?: ((store: WorkflowStore) => WorkflowStore | Promise<WorkflowStore>) | undefined;
  /**
   * Opens another instance on the content of a store, as another process has it: what one writes, the other sees. With it, there
   * are cases of two instances, and of a reader beside a writer. Both stores are disposed of after the case.
   *
   * @default {there is one instance}
   */
  readonly connect?: ((store: WorkflowStore) => WorkflowStore | Promise<WorkflowStore>) | undefined;
  /**
   * How long a case may take, in milliseconds of real time, above 0. Then it fails. The time in which stores are opened does not
   * count: opening may take ten times as long.
   *
   * @default {4_000}
   */
  readonly timeoutMs?: number | undefined;
}

/**
 * Options of {@linkcode testStore}.
 *
 * @category Store contract
 */
export interface TestStoreOptions extends StoreCasesOptions {
  /**
   * The beginning of the name of every test.
   *
   * @default {"WorkflowStore"}
   */
  readonly name?: string | undefined;
}

const optionNames: Readonly<Record<keyof StoreCasesOptions, true>> = {
  tier: true,
  subscribe: true,
  members: true,
  reopen: true,
  connect: true,
  timeoutMs: true,
};

const casesOfMember: Readonly<Record<StoreMember, () => CaseBody[]>> = {
  heads: headsCases,
  count: countCases,
  loadSince: loadSinceCases,
  deliver: deliverCases,
  claim: leaseCases,
};

/**
 * Returns the cases that a store must pass.
 *
 * @param options What the store can do in addition.
 * @returns First the cases of the store alone, then those of executors.
 * @throws {TypeError | RangeError} If an option is unknown, of the wrong type or out of its range.
 *
 * @example
 * ```ts
 * import { InMemoryStore } from "@rockpool/workflow";
 * import { storeCases } from "@rockpool/workflow/testing";
 *
 * for (const { run } of storeCases({ tier: "executor" })) await run(() => new InMemoryStore());
 * ```
 *
 * @category Store contract
 */
export function storeCases(options: StoreCasesOptions = {}): StoreCase[] {
  const action = "make the cases of a store";
  checkOptions(options, optionNames, action);
  const { tier, subscribe = true, members = [], reopen, connect, timeoutMs = 4_000 } = options;
  checkChoice("tier", tier, ["store", "executor"], action);
  checkBoolean("subscribe", subscribe, action);
  checkArray("members", members, action);
  for (let i = 0; i < members.length; i++) checkChoice(`members[${i}]`, members[i] ?? null, MEMBERS, action);
  if (reopen !== undefined) checkFunction("reopen", reopen, action);
  if (connect !== undefined) checkFunction("connect", connect, action);
  checkNumber("timeoutMs", timeoutMs, Number.MIN_VALUE, action);
  const casesOf = (tier: StoreCase["tier"], bodies: readonly CaseBody[]) =>
    bodies.map((body): StoreCase => ({
      name: body.name,
      tier,
      run: (factory) => runCase(body, factory, { reopen, connect, timeoutMs }),
    }));
  const stores = [...everyMethodCases(), ...saveCases(), ...loadAndDeleteCases(), ...listCases(), ...appendCases()];
  if (subscribe) stores.push(...subscribeCases());
  for (const member of MEMBERS) if (members.includes(member)) stores.push(...casesOfMember[member]());
  if (members.includes("claim") && members.includes("deliver")) stores.push(...deliverLeaseCases());
  if (reopen !== undefined) stores.push(...reopenCases());
  if (connect !== undefined) stores.push(...twoInstancesCases(), ...(subscribe ? twoListenersCases() : []));
  const together = connect === undefined ? [] : twoProcessesCases();
  const executors = [...oneExecutorCases(), ...severalExecutorsCases(), ...together].filter((
    { needs = { subscribe } },
  ) => needs.subscribe === subscribe);
  return [
    ...(tier === "executor" ? [] : casesOf("store", stores)),
    ...(tier === "store" ? [] : casesOf("executor", executors)),
  ];
}

/**
 * Makes one test of every case.
 *
 * @param test A function that makes a test of a name and a function: `Deno.test`, `test` of `node:test`, or `test` of Vitest.
 * @param factory Makes the stores.
 * @param options What the store can do in addition, and the name of the tests.
 * @throws {TypeError | RangeError} If an argument is invalid.
 *
 * @example
 * ```ts ignore
 * import { InMemoryStore } from "@rockpool/workflow";
 * import { testStore } from "@rockpool/workflow/testing";
 *
 * testStore(Deno.test, () => new InMemoryStore(), { name: "InMemoryStore" });
 * ```
 *
 * @category Store contract
 */
export function testStore(
  test: (name: string, body: () => Promise<void>) => unknown,
  factory: StoreFactory,
  options: TestStoreOptions = {},
): void {
  checkFunction("test", test, "test a store");
  checkFunction("factory", factory, "test a store");
  checkOptions(options, { ...optionNames, name: true }, "test a store");
  const { name: prefix = "WorkflowStore", ...rest } = options;
  for (const { name, run } of storeCases(rest)) test(`${prefix}: ${name}`, () => run(factory));
}

/** Runs one case with a timeout, and disposes of its stores, the last one first. Throws the first error. */
async function runCase(
  { run, likely }: CaseBody,
  factory: StoreFactory,
  { reopen, connect, timeoutMs }: Pick<StoreCasesOptions, "reopen" | "connect"> & { readonly timeoutMs: number },
): Promise<void> {
  const stores = new Set<WorkflowStore>();
  const keep = (store: WorkflowStore) => {
    stores.add(store);
    return store;
  };
  const errors: unknown[] = [];
  const limit = new Limit(timeoutMs);
  const again = (open: StoreCasesOptions["reopen"]) => async (store: WorkflowStore) =>
    open ? keep(await limit.opening(() => open(store))) : store;
  const work = run(async () => keep(await limit.opening(factory)), again(reopen), again(connect));
  await limit.over(work).catch((error) => {
    const explains = likely !== undefined && stores.size > 0; // without a store, the factory has failed
    errors.push(
      explains ? new Error(`${error?.message ?? error}\nProbably broken: ${likely}`, { cause: error }) : error,
    );
  });
  for (const store of [...stores].reverse()) {
    const { [Symbol.asyncDispose]: asyncDispose, [Symbol.dispose]: dispose } = store as Partial<
      AsyncDisposable & Disposable
    >;
    try {
      await (asyncDispose ?? dispose)?.call(store);
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}

/** The time of a case. It stands still while stores are opened: some start a thread or a server, which takes long on a busy machine. */
class Limit {
  readonly #ms: number;
  readonly #late = new Deferred<never>();
  #left: number;
  /** How many stores are being opened. */
  #openings = 0;
  #since = 0;
  #clear = () => {};

  constructor(ms: number) {
    this.#ms = ms;
    this.#left = ms;
    this.#late.promise.catch(() => {});
    this.#run();
  }

  /** Opens a store. */
  async opening<T>(open: () => T | PromiseLike<T>): Promise<T> {
    if (this.#openings++ === 0) {
      this.#left -= systemClock.now() - this.#since;
      this.#set(10 * this.#ms, `The store was not opened within ${10 * this.#ms} ms`);
    }
    try {
      return await open();
    } finally {
      if (--this.#openings === 0) this.#run();
    }
  }

  /** Settles as `work` does; rejects if it takes longer. */
  async over(work: Promise<void>): Promise<void> {
    try {
      await Promise.race([work, this.#late.promise]);
    } finally {
      this.#openings = Infinity; // a case that is late may still open stores
      this.#clear();
    }
  }

  #run(): void {
    this.#since = systemClock.now();
    const why = "a call of the store did not settle, or a listener was not called";
    this.#set(this.#left, `The case did not end within ${this.#ms} ms: ${why}`);
  }

  #set(ms: number, message: string): void {
    this.#clear();
    this.#clear = systemClock.setTimer(systemClock.now() + ms, () => this.#late.reject(new Error(message)));
  }
}
