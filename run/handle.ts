/**
 * Handles: ways back to a run, whether it is live here, driven by another executor, or over.
 *
 * Owns the executor's subscription to the store. A result is never polled for.
 *
 * @module
 */

import { WorkflowError } from "../errors.ts";
import type { WorkflowState, WorkflowStatus } from "../types.ts";
import { cannot, checkText } from "../util/check.ts";
import { Deferred } from "../util/deferred.ts";
import { fromErrorRecord } from "../history/error_record.ts";
import { isConflict, type RetryingStore } from "./retrying_store.ts";
import { firstRunOf } from "../history/history.ts";
import type { Chain, LiveRun } from "./live.ts";
import { handOut } from "../history/value.ts";

/** A way back to one run. */
export interface WorkflowHandle<Result = unknown> {
  /** The workflow's ID. */
  readonly id: string;
  /** The ID of the run. */
  readonly runId: string;
  /** Where the run stands, as far as this executor knows. */
  readonly status: WorkflowStatus;
  /**
   * Waits for the end of the run. Can be called any number of times.
   *
   * @param options `signal`: stops the waiting, not the workflow.
   * @returns What the workflow returned, as it is stored.
   * @throws What the workflow threw; `CanceledError`; `TimeoutError`; a `WorkflowError` with code `closed`,
   * `store_failed`, `non_deterministic` or `unknown_workflow` if the run cannot go on here, or with code `not_found` if
   * it was deleted or replaced.
   */
  result(options?: { readonly signal?: AbortSignal }): Promise<Result>;
}

export class Handles {
  readonly #store: RetryingStore;
  readonly #runs: ReadonlyMap<string, LiveRun>;
  /** Who waits for a change of a workflow that is not live here, by workflow ID. */
  readonly #waiting = new Map<string, Set<Deferred<void>>>();
  /** Changes that the store told of while runs are being read or created, by workflow ID; else `undefined`. */
  #changes: Map<string, number | null> | undefined;
  #opening = 0;
  #unsubscribe: (() => void) | undefined;
  #closed: WorkflowError | undefined;

  /** @param runs The live runs, by workflow ID; the executor keeps it up to date. */
  constructor(store: RetryingStore, runs: ReadonlyMap<string, LiveRun>) {
    this.#store = store;
    this.#runs = runs;
  }

  /** @param origin The runs that the handle was made with, or why there are none. */
  create(run: WorkflowState | LiveRun, origin?: Chain | WorkflowError): WorkflowHandle {
    return new Handle(this, run, origin);
  }

  /** The live run of a workflow. */
  live(id: string): LiveRun | undefined {
    return this.#runs.get(id);
  }

  /** The stored state of a workflow, if it is there. */
  find(id: string): Promise<WorkflowState | null> {
    return this.#store.load(id);
  }

  /** The stored state of a workflow that must be there. */
  async load(id: string, verb: string): Promise<WorkflowState> {
    checkText("id", id, `${verb} workflow`);
    const state = await this.find(id);
    if (state !== null) return state;
    throw new WorkflowError("not_found", `${cannot(`${verb} workflow`, id)}: it does not exist`);
  }

  /**
   * Does what makes runs live. The changes that the store tells of meanwhile are remembered for them: nobody's signal
   * gets lost between the reading of a history and its run.
   */
  async opening<T>(work: () => Promise<T>): Promise<T> {
    this.#opening++;
    this.#changes ??= new Map();
    this.listen();
    try {
      return await work();
    } finally {
      if (--this.#opening === 0) this.#changes = undefined;
      this.listen();
    }
  }

  /** A run is live from now on. */
  begun(run: LiveRun): void {
    const change = this.#changes?.get(run.workflowId);
    if (change !== undefined) run.told(change);
    this.wake(run.workflowId);
    this.listen();
  }

  /** Tells whoever waits for a workflow that it has changed. */
  wake(id: string): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    for (const watch of waiting) watch.resolve();
    this.listen();
  }

  /** Listens to the store as long as anybody here needs to hear of it. */
  listen(): void {
    const needed = this.#closed === undefined && (this.#runs.size > 0 || this.#waiting.size > 0 || this.#opening > 0);
    if (needed === (this.#unsubscribe !== undefined)) return;
    if (needed) {
      this.#unsubscribe = this.#store.port.subscribe?.((id, historyLength) => {
        this.#changes?.set(id, historyLength);
        this.#runs.get(id)?.told(historyLength);
        this.wake(id);
      });
    } else {
      this.#unsubscribe?.();
      this.#unsubscribe = undefined;
    }
  }

  /** Whoever waits gives up with `error`. */
  close(error: WorkflowError): void {
    this.#closed = error;
    for (const id of [...this.#waiting.keys()]) this.wake(id);
    this.listen();
  }

  /** Watches a workflow that is not live here until it is stopped; to be begun before its state is read. */
  watch(id: string): { changed(): Promise<void>; stop(): void } {
    const watch = new Deferred<void>();
    const waiting = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiting.add(watch));
    this.listen();
    return {
      changed: async () => {
        if (this.#store.port.subscribe === undefined) {
          const why = "it is not running in this executor, and the store cannot tell of changes; call recover() first";
          throw new WorkflowError("unsupported", `${cannot("wait for workflow", id)}: ${why}`);
        }
        if (this.#closed === undefined) await watch.promise;
        if (this.#closed !== undefined) throw this.#closed;
      },
      stop: () => {
        waiting.delete(watch);
        if (waiting.size === 0 && this.#waiting.get(id) === waiting) this.#waiting.delete(id);
        this.listen();
      },
    };
  }
}

class Handle implements WorkflowHandle<never> {
  readonly id: string;
  readonly runId: string;
  readonly #firstRunId: string;
  readonly #handles: Handles;
  readonly #origin: Chain | WorkflowError | undefined;
  /** What the store or the end of the run here said last. */
  #status: WorkflowStatus;

  constructor(handles: Handles, run: WorkflowState | LiveRun, origin: Chain | WorkflowError | undefined) {
    this.id = run.workflowId;
    this.runId = run.runId;
    this.#firstRunId = "chain" in run ? run.chain.firstRunId : firstRunOf(run);
    this.#handles = handles;
    this.#origin = origin;
    this.#status = run.status;
  }

  get status(): WorkflowStatus {
    if (this.#status !== "running") return this.#status; // what is or was live here may lag behind
    const run = this.#run();
    return run === undefined || run instanceof WorkflowError ? this.#status : run.status;
  }

  result(options?: { readonly signal?: AbortSignal }): Promise<never> {
    return this.#result(options?.signal) as Promise<never>;
  }

  /** The run as it is live here, or as it was. */
  #run(): LiveRun | WorkflowError | undefined {
    const live = this.#handles.live(this.id);
    if (live?.chain.firstRunId === this.#firstRunId) return live;
    return this.#origin instanceof WorkflowError ? this.#origin : this.#origin?.latest;
  }

  /** The end of the run, if it is or was live here. */
  #ended(): Promise<LiveRun> | undefined {
    const run = this.#run();
    if (run instanceof WorkflowError) throw run;
    return run?.ended;
  }

  async #result(signal: AbortSignal | undefined): Promise<unknown> {
    for (;;) {
      const ended = this.#ended(); // and not the run: who waits would hold it in memory
      const run = ended === undefined ? undefined : await abortable(ended, signal);
      if (run !== undefined) {
        this.#status = run.status;
        if (run.status !== "running") return run.result();
        if (this.#run() !== run) continue; // it was recovered after it had been suspended
      }
      const watch = this.#handles.watch(this.id);
      try {
        const state = await abortable(this.#handles.find(this.id), signal);
        const same = state !== null && firstRunOf(state) === this.#firstRunId;
        if (run !== undefined && !(same && state.status !== "running")) {
          try {
            return run.result(); // throws what suspended it
          } catch (error) {
            // Unless another executor has continued it as new: then the chain goes on.
            if (!(same && state.runId !== run.runId && isConflict(error))) throw error;
          }
        }
        if (!same) {
          const why = state === null ? "it does not exist" : "another run has replaced it";
          throw new WorkflowError("not_found", `${cannot("wait for workflow", this.id)}: ${why}`);
        }
        this.#status = state.status;
        if (state.status === "completed") return handOut(state.result);
        if (state.status !== "running") throw state.error ? fromErrorRecord(state.error) : new Error(state.status);
        if (this.#run() === run) await abortable(watch.changed(), signal);
      } finally {
        watch.stop();
      }
    }
  }
}

/** Waits for `promise`, or until `signal` is aborted. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
