/**
 * Fixtures for the cases of executors on a store.
 *
 * @module
 */

import { VirtualClock } from "../../clock.ts";
import { Executor } from "../../executor.ts";
import type { ExecutorOptions } from "../../options.ts";
import type { WorkflowEvent, WorkflowState, WorkflowStore } from "../../types.ts";
import { macrotask } from "../../util/macrotask.ts";
import { assert } from "../assert.ts";
import type { CaseBody } from "./fixtures.ts";

/** A case of executors on a store. */
export interface ExecutorCase extends CaseBody {
  /** Which stores the case is for; all by default. */
  readonly needs?: { readonly subscribe: boolean };
}

/** The time at which every case begins. */
export const START = 1_000_000;

/** A store, a clock that jumps, and executors that are closed at the end of the case. */
export class ExecutorFixture {
  /** The store. After a crash it is another one, if the store can be opened again. */
  store: WorkflowStore;
  /** Store calls in flight: a closed executor does not wait for its reads. */
  readonly #inFlight = new Set<Promise<unknown>>();
  /** The clock of all executors. */
  readonly clock: VirtualClock = new VirtualClock({ startAt: START });
  readonly #reopen: (store: WorkflowStore) => Promise<WorkflowStore>;
  readonly #executors: Executor[] = [];

  constructor(store: WorkflowStore, reopen: (store: WorkflowStore) => Promise<WorkflowStore>) {
    this.store = store;
    this.#reopen = reopen;
  }

  /** Makes another executor, on the store unless the options name one. */
  executor({ store = this.store, ...options }: Partial<ExecutorOptions> = {}): Executor {
    const defaults = { clock: this.clock, random: () => 0.5, onError: () => {} };
    const executor = new Executor({ ...defaults, ...options, store: this.#watched(store) });
    this.#executors.push(executor);
    return executor;
  }

  /** Ends an executor like the end of its process: its runs stay as they are stored. */
  async crash(executor: Executor): Promise<void> {
    await executor.close();
    this.store = await this.#reopen(this.store);
  }

  /** Loads a workflow that must be stored. */
  async load(workflowId: string): Promise<WorkflowState> {
    const state = await this.store.load(workflowId);
    assert(state !== null, `Expected workflow "${workflowId}" to be stored, but load() returned null`);
    return state;
  }

  /** Waits until a history has this many events. */
  async waitForLength(workflowId: string, length: number): Promise<void> {
    while ((await this.load(workflowId)).history.length < length) {
      await new Promise<void>((resolve) => macrotask(resolve));
    }
  }

  /** Closes the executors, and waits until no store call is in flight. */
  async close(): Promise<void> {
    await Promise.all(this.#executors.map((executor) => executor.close()));
    while (this.#inFlight.size > 0) await Promise.allSettled(this.#inFlight);
  }

  #watched(store: WorkflowStore): WorkflowStore {
    const watch = <T>(call: Promise<T>): Promise<T> => {
      this.#inFlight.add(call);
      const over = () => void this.#inFlight.delete(call);
      call.then(over, over);
      return call;
    };
    return {
      save: (state) => watch(store.save(state)),
      load: (workflowId) => watch(store.load(workflowId)),
      list: (filter) => watch(store.list(filter)),
      delete: (workflowId) => watch(store.delete(workflowId)),
      append: (batch) => watch(store.append(batch)),
      ...(store.subscribe === undefined ? {} : { subscribe: (listener) => store.subscribe!(listener) }),
    };
  }
}

/**
 * Makes a case.
 *
 * @param name The sentence.
 * @param likely What the store probably breaks if the sentence is not true.
 * @param run Rejects if the sentence is not true.
 * @param needs Which stores the case is for; all by default.
 */
export function executorCase(
  name: string,
  likely: string,
  run: (fixture: ExecutorFixture) => Promise<void>,
  needs?: ExecutorCase["needs"],
): ExecutorCase {
  return {
    name,
    likely,
    ...(needs === undefined ? {} : { needs }),
    async run(makeStore, reopen) {
      const fixture = new ExecutorFixture(await makeStore(), reopen);
      try {
        await run(fixture);
      } finally {
        await fixture.close();
      }
    },
  };
}

/** The types of a history's events. */
export const typesOf = (history: readonly WorkflowEvent[]): string[] => history.map(({ type }) => type);

/** A promise that never settles. */
export const forever = (): Promise<never> => new Promise<never>(() => {});
