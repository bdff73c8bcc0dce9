/**
 * What the cases of executors on a store are made of.
 *
 * @module
 */

import { VirtualClock } from "../../clock.ts";
import { Executor, type ExecutorOptions } from "../../executor.ts";
import type { WorkflowEvent, WorkflowState, WorkflowStore } from "../../types.ts";
import { macrotask as hop } from "../../util/macrotask.ts";
import { assert } from "../assert.ts";
import type { CaseBody } from "./case.ts";

/** A case of executors. */
export interface ExecutorCase extends CaseBody {
  /** Of which stores it is true. */
  readonly needs?: { readonly subscribe: boolean };
}

/** The time at which every case begins. */
export const START = 1_000_000;

/** A store, a clock that jumps, and executors that are closed when the case is over. */
export class Scene {
  /** The store; another one after a crash if it can be opened again. */
  store: WorkflowStore;
  /** Calls of executors that have not settled: an executor that is closed does not wait for what it reads. */
  readonly #underWay = new Set<Promise<unknown>>();
  /** The clock of all executors. */
  readonly clock: VirtualClock = new VirtualClock({ startAt: START });
  readonly #reopen: (store: WorkflowStore) => Promise<WorkflowStore>;
  readonly #executors: Executor[] = [];

  constructor(store: WorkflowStore, reopen: (store: WorkflowStore) => Promise<WorkflowStore>) {
    this.store = store;
    this.#reopen = reopen;
  }

  /** Makes one more executor, on the store unless the options say otherwise. */
  executor({ store = this.store, ...options }: Partial<ExecutorOptions> = {}): Executor {
    const defaults = { clock: this.clock, random: () => 0.5, onError: () => {} };
    const executor = new Executor({ ...defaults, ...options, store: this.#watched(store) });
    this.#executors.push(executor);
    return executor;
  }

  /** Ends an executor as the end of its process would: its runs stay as they are stored. */
  async crash(executor: Executor): Promise<void> {
    await executor.close();
    this.store = await this.#reopen(this.store);
  }

  /** What is stored of a workflow that must be there. */
  async load(workflowId: string): Promise<WorkflowState> {
    const state = await this.store.load(workflowId);
    assert(state !== null, `Expected workflow "${workflowId}" to be stored, but load() answered null`);
    return state;
  }

  /** Waits until a history has so many events. */
  async grown(workflowId: string, length: number): Promise<void> {
    while ((await this.load(workflowId)).history.length < length) await new Promise<void>((resolve) => hop(resolve));
  }

  /** Closes the executors, and waits until nobody uses the store. */
  async close(): Promise<void> {
    await Promise.all(this.#executors.map((executor) => executor.close()));
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
  }

  #watched(store: WorkflowStore): WorkflowStore {
    const watch = <T>(call: Promise<T>): Promise<T> => {
      this.#underWay.add(call);
      const over = () => void this.#underWay.delete(call);
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
 * @param likely What of the store is probably broken if it is not true.
 * @param run Rejects if it is not true.
 * @param needs Of which stores it is true.
 */
export function executorCase(
  name: string,
  likely: string,
  run: (scene: Scene) => Promise<void>,
  needs?: ExecutorCase["needs"],
): ExecutorCase {
  return {
    name,
    likely,
    needs,
    async run(makeStore, reopen) {
      const scene = new Scene(await makeStore(), reopen);
      try {
        await run(scene);
      } finally {
        await scene.close();
      }
    },
  };
}

/** The types of a history's events. */
export const typesOf = (history: readonly WorkflowEvent[]): string[] => history.map(({ type }) => type);

/** A promise that does not settle. */
export const forever = (): Promise<never> => new Promise<never>(() => {});
