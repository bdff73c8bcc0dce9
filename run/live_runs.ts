/**
 * The runs that are live in an executor, and its subscription to the store.
 *
 * An append of another executor is noticed here: the store calls the listener. The listener notifies the live run, whose
 * writer loads what is new. It also notifies the callers that wait for a workflow that is not live here. Nothing is polled.
 *
 * 1. There is at most one live run for a workflow ID. A new one suspends the older one: nobody would reach that any more.
 * 2. The executor listens only while it needs to: while it has live runs, waits for a workflow, or makes runs live.
 * 3. A change that is reported while a run is being made live is remembered for it. So no event is lost between the reading
 *    of a history and the start of its run.
 * 4. A store of this process does not call the listener for the appends of the executor's own runs. Other stores may call it;
 *    the writer ignores a length that it knows.
 *
 * @module
 */

import { type WorkflowError, workflowError } from "../errors.ts";
import type { WorkflowEvent, WorkflowHead, WorkflowState } from "../types.ts";
import { Deferred, quiet } from "../util/deferred.ts";
import type { LiveRun, StartableRun } from "./live_run.ts";
import type { OldReads, RetryingStore } from "./retrying_store.ts";
import { lostError, replaced } from "./writer.ts";

/** The error for a call that needs the reports of the store. */
export function unsupported(verb: string, id: string): WorkflowError {
  const why = "it is not live in this executor, and the store cannot report changes";
  const way = "ask the executor that runs it, or call recover() if that is gone";
  return workflowError("unsupported", `${verb} workflow`, id, `${why}; ${way}`);
}

/** Waits for changes of a workflow that is not live here. */
export interface ChangeWatch {
  /** Resolves after the next change. Rejects if the store does not report changes, or once the executor is closed. */
  changed(): Promise<void>;
  /**
   * Resolves after the next change, or when the state was found to be old: the change came before.
   *
   * @param state What was read of a running run.
   */
  changedSince(state: WorkflowState | WorkflowHead, reads: OldReads): Promise<void>;
  /** Ends the wait. */
  stop(): void;
}

export class LiveRuns {
  readonly #store: RetryingStore;
  /** By workflow ID. */
  readonly #runs = new Map<string, LiveRun>();
  /** Waits for a change of a workflow that is not live here, by workflow ID. */
  readonly #watches = new Map<string, Set<Deferred<void>>>();
  /** Changes that the store reported while runs are being made live, by workflow ID. */
  #changes: Map<string, number | null> | undefined;
  /** Is called when a workflow has changed that is not live here; set while `work()` is in progress. */
  #changedElsewhere: (() => void) | undefined;
  /** How many calls are making runs live now. */
  #starting = 0;
  #unsubscribe: (() => void) | undefined;
  /** Whether nothing becomes live any more: the executor was closed, or is being closed. */
  closed = false;
  /** The error of all waits, once everything is closed. */
  #closedError: WorkflowError | undefined;

  constructor(store: RetryingStore) {
    this.#store = store;
    store.listener = (id, historyLength) => {
      if (id === null) return this.#changed();
      if (this.#starting > 0) (this.#changes ??= new Map()).set(id, historyLength);
      const run = this.#runs.get(id);
      if (run === undefined) this.#changedElsewhere?.();
      else run.changed(historyLength);
      this.#notify(id);
    };
  }

  /** The store may have missed changes: everything is looked at again. */
  #changed(): void {
    for (const run of [...this.#runs.values()]) run.changed(0);
    for (const id of [...this.#watches.keys()]) this.#notify(id);
    this.#changedElsewhere?.();
  }

  /** Calls `listener` when a workflow changes that is not live here; `undefined` ends that. */
  listenElsewhere(listener: (() => void) | undefined): void {
    this.#changedElsewhere = listener;
    this.#listen();
  }

  /** How many runs are live. */
  get size(): number {
    return this.#runs.size;
  }

  get(id: string): LiveRun | undefined {
    return this.#runs.get(id);
  }

  values(): Iterable<LiveRun> {
    return this.#runs.values();
  }

  /** Replaces a run by its dormant form, or back. */
  set(run: LiveRun): void {
    this.#runs.set(run.workflowId, run);
  }

  /**
   * Adds a run and starts it. It gets the changes that were reported since its history was read. An older run that does not
   * know yet that it was replaced leaves.
   *
   * @param stored The first events, if they were stored just now.
   */
  start(run: StartableRun, stored?: readonly WorkflowEvent[]): void {
    this.#runs.get(run.workflowId)?.suspend(lostError(run.workflowId, replaced));
    this.#runs.set(run.workflowId, run);
    run.start(stored);
    const change = this.#changes?.get(run.workflowId);
    if (change !== undefined) run.changed(change);
    if (this.#watches.size > 0) this.#notify(run.workflowId);
    this.#listen();
  }

  /** Removes a run that is not live any more. */
  delete(run: LiveRun): void {
    if (this.#runs.get(run.workflowId) === run) this.#runs.delete(run.workflowId);
    this.#listen();
  }

  /** Work begins that makes runs live. Changes that the store reports from now on are remembered for them. */
  beginStarting(): void {
    this.#starting++;
    this.#listen();
  }

  /** That work has ended. */
  endStarting(): void {
    if (--this.#starting === 0) this.#changes = undefined;
    this.#listen();
  }

  /** Watches a workflow that is not live here. Must begin before its state is read, so that no change is missed. */
  watch(id: string): ChangeWatch {
    const watch = new Deferred<void>();
    const watches = this.#watches.get(id) ?? new Set();
    this.#watches.set(id, watches.add(watch));
    this.#listen();
    const changed = async () => {
      if (!this.#store.reportsChanges) throw unsupported("wait for", id);
      if (this.#closedError === undefined) await watch.promise;
      if (this.#closedError !== undefined) throw this.#closedError;
    };
    return {
      changed,
      changedSince: (state, reads) => {
        const change = quiet(changed());
        return Promise.race([change, this.#store.isOld(state, reads).then((isOld) => isOld ? undefined : change)]);
      },
      stop: () => {
        watches.delete(watch);
        if (watches.size === 0 && this.#watches.get(id) === watches) this.#watches.delete(id);
        this.#listen();
      },
    };
  }

  /** Rejects all waits with `error`. */
  close(error: WorkflowError): void {
    this.#closedError = error;
    for (const id of [...this.#watches.keys()]) this.#notify(id);
    this.#listen();
  }

  #notify(id: string): void {
    const watches = this.#watches.get(id);
    if (watches === undefined) return;
    this.#watches.delete(id);
    for (const watch of watches) watch.resolve();
    this.#listen();
  }

  #listen(): void {
    const isNeeded = this.#closedError === undefined &&
      (this.#runs.size > 0 || this.#watches.size > 0 || this.#starting > 0 || this.#changedElsewhere !== undefined);
    if (isNeeded === (this.#unsubscribe !== undefined)) return;
    this.#unsubscribe?.();
    this.#unsubscribe = isNeeded ? this.#store.subscribe() : undefined;
  }
}
