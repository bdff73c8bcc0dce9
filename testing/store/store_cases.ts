/**
 * The contract of `WorkflowStore`, sentence by sentence, as cases that any test runner can run: is this a store?
 *
 * A case has a name, which is a sentence of the port's doc comment or a part of one, and a function that rejects if the
 * sentence is not true of the stores that it is given the maker of. There are two tiers: the store alone, and executors
 * that run workflows on it. No case depends on another one, on a runner, or on the time of the machine, but for its own
 * time limit.
 *
 * Two sentences are not here, since no case could tell: what an append costs, and that a listener that throws harms nobody.
 *
 * @module
 */

import { systemClock } from "../../clock.ts";
import type { WorkflowStore } from "../../types.ts";
import { checkChoice, checkFunction, checkNumber, checkObject } from "../../util/check.ts";
import type { CaseBody } from "./fixtures.ts";
import { appendCases } from "./append_cases.ts";
import { everyCases } from "./every_method_cases.ts";
import { executorsCases } from "./several_executors_cases.ts";
import { listCases } from "./list_cases.ts";
import { reopenCases } from "./reopen_cases.ts";
import { runCases } from "./one_executor_cases.ts";
import { loadAndDeleteCases, saveCases } from "./save_load_delete_cases.ts";
import { subscribeCases } from "./subscribe_cases.ts";

/**
 * Makes a new, empty store at every call. What it answers is disposed of after the case, by its `Symbol.asyncDispose` or
 * `Symbol.dispose` if it has one.
 */
export type StoreFactory = () => WorkflowStore | Promise<WorkflowStore>;

/** One sentence of the contract. */
export interface StoreCase {
  /** The sentence. */
  readonly name: string;
  /** Whether it is about the store alone, or about executors on it. */
  readonly tier: "store" | "executor";
  /**
   * Rejects if the sentence is not true of the stores that `factory` makes.
   *
   * @param factory Makes the stores; they are disposed of before this settles, also if the case fails.
   */
  readonly run: (factory: StoreFactory) => Promise<void>;
}

/** Options of {@linkcode storeCases}. */
export interface StoreCasesOptions {
  /**
   * Only the cases of one tier.
   *
   * @default {both tiers}
   */
  readonly tier?: StoreCase["tier"];
  /**
   * Whether the store has the optional `subscribe`.
   *
   * @default {true}
   */
  readonly subscribe?: boolean;
  /**
   * Opens a store over what another one holds, as the process after it would; the other one is still open. With it, there
   * are cases that everything survives. Both are disposed of after the case.
   *
   * @default {the store holds nothing for the next process}
   */
  readonly reopen?: (store: WorkflowStore) => WorkflowStore | Promise<WorkflowStore>;
  /**
   * How long a case may take, in milliseconds of the machine's time, above 0: a case that waits in vain fails then.
   *
   * @default {4_000}
   */
  readonly timeoutMs?: number;
}

/** Options of {@linkcode testStore}. */
export interface TestStoreOptions extends StoreCasesOptions {
  /**
   * What the name of every test begins with.
   *
   * @default {"WorkflowStore"}
   */
  readonly name?: string;
}

/**
 * The cases that a store must pass.
 *
 * @param options What the store can do beyond what every store must do.
 * @returns The cases of the store alone first.
 * @throws {TypeError | RangeError} If an option is of the wrong kind or out of its range.
 *
 * @example
 * ```ts
 * import { InMemoryStore } from "@rockpool/workflow";
 * import { storeCases } from "@rockpool/workflow/testing";
 *
 * for (const { run } of storeCases({ tier: "executor" })) await run(() => new InMemoryStore());
 * ```
 */
export function storeCases(options: StoreCasesOptions = {}): StoreCase[] {
  const action = "make the cases of a store";
  checkObject("options", options, action);
  const { tier, subscribe = true, reopen, timeoutMs = 4_000 } = options;
  checkChoice("tier", tier, ["store", "executor"], action);
  if (reopen !== undefined) checkFunction("reopen", reopen, action);
  checkNumber("timeoutMs", timeoutMs, Number.MIN_VALUE, action);
  const casesOf = (tier: StoreCase["tier"], bodies: readonly CaseBody[]) =>
    bodies.map((body): StoreCase => ({
      name: body.name,
      tier,
      run: (factory) => runCase(body, factory, reopen, timeoutMs),
    }));
  const stores = [...everyCases, ...saveCases, ...loadAndDeleteCases, ...listCases, ...appendCases];
  if (subscribe) stores.push(...subscribeCases);
  if (reopen !== undefined) stores.push(...reopenCases);
  const executors = [...runCases, ...executorsCases].filter(({ needs = { subscribe } }) =>
    needs.subscribe === subscribe
  );
  const cases = [...casesOf("store", stores), ...casesOf("executor", executors)];
  return tier === undefined ? cases : cases.filter((one) => one.tier === tier);
}

/**
 * Makes one test of every case: for any runner whose tests are made by a call with a name and a function.
 *
 * @param test `Deno.test`, `test` of `node:test`, or `test` of Vitest.
 * @param factory Makes the stores.
 * @param options What the store can do, and what the tests are called.
 * @throws {TypeError | RangeError} If an argument is of the wrong kind or out of its range.
 *
 * @example
 * ```ts ignore
 * import { InMemoryStore } from "@rockpool/workflow";
 * import { testStore } from "@rockpool/workflow/testing";
 *
 * testStore(Deno.test, () => new InMemoryStore(), { name: "InMemoryStore" });
 * ```
 */
export function testStore(
  test: (name: string, body: () => Promise<void>) => unknown,
  factory: StoreFactory,
  options: TestStoreOptions = {},
): void {
  checkFunction("test", test, "test a store");
  checkFunction("factory", factory, "test a store");
  for (const { name, run } of storeCases(options)) {
    test(`${options.name ?? "WorkflowStore"}: ${name}`, () => run(factory));
  }
}

/** Runs one case within its time, and disposes of its stores, the last one first. What fails first is thrown. */
async function runCase(
  { run, likely }: CaseBody,
  factory: StoreFactory,
  reopen: StoreCasesOptions["reopen"],
  timeoutMs: number,
): Promise<void> {
  const stores = new Set<WorkflowStore>();
  const keep = (store: WorkflowStore) => {
    stores.add(store);
    return store;
  };
  const errors: unknown[] = [];
  const work = run(async () => keep(await factory()), async (store) => reopen ? keep(await reopen(store)) : store);
  await within(timeoutMs, work).catch((error) => {
    const explains = likely !== undefined && stores.size > 0; // without a store, it is the factory that failed
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

/** Rejects if `work` takes longer. */
function within(timeoutMs: number, work: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const why = "a call of the store did not settle, or a listener was not called";
    const late = () => reject(new Error(`The case did not end within ${timeoutMs} ms: ${why}`));
    const clear = systemClock.setTimer(systemClock.now() + timeoutMs, late);
    work.then(resolve, reject).finally(clear);
  });
}
