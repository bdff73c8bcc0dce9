/**
 * The approvals in Durable Objects of a Cloudflare Worker, one object for each approval.
 *
 * An object lives longer than a request: its timers and promises go on, so its requests share one executor. The platform evicts an
 * object that is idle for some seconds. So each change of the store is written to the object's storage, and the next request, or an
 * alarm at the time of the next timer, makes the object again, which resumes its run.
 *
 * `wrangler.jsonc` has what the platform must know.
 *
 * @module
 */

import { Executor, InMemoryStore, type OpenRun } from "@rockpool/workflow";
import { approval, handle } from "./approval.ts";

/** What this example uses of the platform's `DurableObjectState`. */
interface ObjectState {
  readonly storage: {
    get<T>(key: string): Promise<T | undefined>;
    put(key: string, value: string): Promise<void>;
    setAlarm(timeMs: number): Promise<void>;
  };
  blockConcurrencyWhile<T>(body: () => Promise<T>): Promise<T>;
}

/** What this example uses of the platform's `DurableObjectNamespace`. */
interface ObjectNamespace {
  idFromName(name: string): unknown;
  get(id: unknown): { fetch(request: Request): Promise<Response> };
}

/** When the next timer or retry of a run is due; `Infinity` if there is none. */
function nextDueAt({ waitsFor }: OpenRun): number {
  return Math.min(
    ...waitsFor.map((wait) =>
      wait.type === "timer" ? wait.dueAt : wait.type === "activity" ? wait.retryAt ?? Infinity : Infinity
    ),
  );
}

export class Approval {
  readonly #state: ObjectState;
  readonly #executor: Promise<Executor>;
  #saved = Promise.resolve();

  constructor(state: ObjectState) {
    this.#state = state;
    this.#executor = state.blockConcurrencyWhile(() => this.#resume());
  }

  async #resume(): Promise<Executor> {
    const { storage } = this.#state;
    const snapshot = await storage.get<string>("snapshot");
    const store = snapshot === undefined ? new InMemoryStore() : InMemoryStore.restore(snapshot);
    store.subscribe(() => {
      this.#saved = this.#saved.then(async () => storage.put("snapshot", await store.snapshot()));
    });
    const executor = new Executor({ store, workflows: { approval } });
    await executor.recover();
    return executor;
  }

  async fetch(request: Request): Promise<Response> {
    const executor = await this.#executor;
    const response = await handle(executor, request);
    await this.#setAlarm(executor);
    await this.#saved; // the answer says nothing that could be lost
    return response;
  }

  /** A timer is due. The platform has made the object again if it was evicted; its run does what is due. */
  async alarm(): Promise<void> {
    await this.#setAlarm(await this.#executor);
  }

  async #setAlarm(executor: Executor): Promise<void> {
    const dueAt = Math.min(...executor.openRuns().map(nextDueAt));
    if (dueAt < Infinity) await this.#state.storage.setAlarm(dueAt);
  }
}

export default {
  fetch(request: Request, { APPROVALS }: { APPROVALS: ObjectNamespace }): Promise<Response> {
    const id = new URL(request.url).pathname.split("/")[1] ?? "";
    return APPROVALS.get(APPROVALS.idFromName(id)).fetch(request);
  },
};
