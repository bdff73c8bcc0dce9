/**
 * Recovery: finds the stored runs that are to be resumed in this executor, and makes them live. The supervisor makes one run
 * live (`resume`); this module decides which.
 *
 * 1. Changes that the store reports while runs are made live are remembered for them (`LiveRuns.beginStarting`).
 * 2. The list of the store may be old when a run of it is resumed. A run that is live here is compared with it; any other is
 *    read again, or confirms its length before it performs anything.
 * 3. A run that cannot be resumed keeps no other one from it: its error is reported, and its handle rejects with it.
 *
 * @module
 */

import { codeOf, WorkflowError } from "../errors.ts";
import type { ParentRun, WorkflowHead, WorkflowState } from "../types.ts";
import { quiet } from "../util/deferred.ts";
import { isOutcome } from "../history/history.ts";
import { validateState } from "../history/validate.ts";
import type { Timing } from "./command.ts";
import { type Delivery, executorClosed } from "./delivery.ts";
import type { RunEnvironment } from "./environment.ts";
import type { Handle } from "./handle.ts";
import type { Leases } from "./leases.ts";
import type { Chain, Lease } from "./live_run.ts";
import type { LiveRuns } from "./live_runs.ts";
import type { Found, RetryingStore } from "./retrying_store.ts";
import { loadRun } from "./writer.ts";

/** The parts of an executor that recovery uses. */
export interface RecoveryParts {
  readonly store: RetryingStore;
  readonly timing: Timing;
  readonly liveRuns: LiveRuns;
  readonly delivery: Delivery;
  readonly environment: Pick<RunEnvironment, "runs">;
  readonly leases: Leases | undefined;
  /** Makes a stored run live, or returns why it cannot be. */
  resume(state: WorkflowState, lease: Lease | undefined): Chain | WorkflowError;
  handle(run: WorkflowState | WorkflowHead, origin: Chain | WorkflowError): Handle;
}

/** How many states are read ahead of the run that is resumed. */
const READ_AHEAD = 16;

export class Recovery {
  readonly #parts: RecoveryParts;

  constructor(parts: RecoveryParts) {
    this.#parts = parts;
  }

  /**
   * Resumes every running workflow of the store; with leases, those that no living owner has, and later once more: who died a moment
   * ago is known to be dead when its lease has ended. Returns a handle for each that was not live here.
   */
  recover(again = true): Promise<Handle[]> {
    const { store, liveRuns, leases } = this.#parts;
    if (liveRuns.closed) return Promise.reject(executorClosed("recover"));
    return this.#starting(async () => {
      if (leases === undefined) return await this.#resumeAll(await store.running());
      const handles: Handle[] = [];
      await leases.retry(true);
      const limit = 256;
      for (const seen = new Set<string>();;) {
        const { claimed, handles: more } = await leases.take({ limit });
        handles.push(...more);
        const known = seen.size;
        for (const { head } of claimed) seen.add(head.workflowId);
        if (claimed.length < limit || seen.size === known) break; // a store may answer the same for ever
      }
      if (again && await store.hasMore(liveRuns.size)) leases.afterALease(() => quiet(this.recover(false)));
      return handles;
    });
  }

  /** Resumes workflows that the store has found. Returns a handle for each that was not live here. */
  resume(all: readonly Found[]): Promise<Handle[]> {
    return this.#starting(() => this.#resumeAll(all));
  }

  /** Resumes the run that has taken the place of one that was being recovered. */
  async recoverNext(id: string): Promise<void> {
    const { store, liveRuns, leases, environment } = this.#parts;
    if (leases !== undefined) return; // it belongs to whoever has started it
    liveRuns.beginStarting();
    try {
      const state = await store.load(id);
      const isWanted = !liveRuns.closed && liveRuns.get(id) === undefined;
      if (isWanted && state?.status === "running") this.#parts.resume(state, undefined);
    } catch (error) {
      if (!liveRuns.closed) environment.runs.report(error);
    } finally {
      liveRuns.endStarting();
    }
  }

  /** Makes runs live. Changes that the store reports meanwhile are remembered for them. */
  async #starting<T>(work: () => Promise<T>): Promise<T> {
    const { liveRuns } = this.#parts;
    liveRuns.beginStarting();
    try {
      return await work();
    } finally {
      liveRuns.endStarting();
    }
  }

  async #resumeAll(all: readonly Found[]): Promise<Handle[]> {
    const { timing, liveRuns, delivery, leases, environment } = this.#parts;
    const handles: Handle[] = [];
    const isUnwanted = this.#unwantedChildren();
    const states: (Promise<WorkflowState | null> | undefined)[] = [];
    for (const [i, found] of all.entries()) {
      const { head } = found;
      const room = timing.turns.room();
      if (room) await room;
      if (liveRuns.closed) throw executorClosed("recover");
      for (let next = states.length; next < Math.min(i + READ_AHEAD, all.length); next++) {
        const isLive = liveRuns.get(all[next].head.workflowId) !== undefined;
        states[next] = isLive ? undefined : quiet(this.#stateOf(all[next]));
      }
      try {
        if (liveRuns.get(head.workflowId) === undefined && await isUnwanted(head)) {
          await delivery.endUnbegun(head.workflowId, head.firstRunId);
          continue;
        }
        const handle = await this.#recoverOne(found, states[i]);
        if (handle !== undefined) handles.push(handle);
      } catch (error) {
        if (found.lease !== undefined && !leases!.has(found.lease)) continue; // it belongs to somebody else by now
        environment.runs.report(error); // the state cannot be read: only this run is not resumed
        if (codeOf(error) === "invalid_history") handles.push(this.#refused(found, error as WorkflowError));
      } finally {
        delete states[i];
      }
    }
    for (const { head } of all) void delivery.closeOrphan(head);
    return handles;
  }

  /** The state of a workflow that the store has found; `null` if it does not run any more. */
  async #stateOf({ head, state }: Found): Promise<WorkflowState | null> {
    if (state !== undefined) return state;
    const { store } = this.#parts;
    let read = await store.load(head.workflowId);
    const isOld = read?.runId === head.runId && read.history.length < head.historyLength;
    if (isOld) read = await loadRun(store, head, head.historyLength);
    if (read?.status !== "running") return null;
    validateState(read, read.history, "recover workflow");
    return read;
  }

  /**
   * Finds children that have not begun although their parent has their outcome: they were stored when their parent had been
   * recovered from the process that was starting them, and cancelled.
   */
  #unwantedChildren(): (child: WorkflowHead) => Promise<boolean> {
    const ended = new Map<string, Promise<ReadonlySet<number>>>();
    const positionsOf = async ({ workflowId, runId }: ParentRun) => {
      const parent = await this.#parts.store.load(workflowId);
      const isRunning = parent?.runId === runId && parent.status === "running";
      return new Set(isRunning ? parent.history.flatMap((event) => isOutcome(event) ? event.seq : []) : []);
    };
    return async ({ parent, historyLength }) => {
      if (parent === undefined || historyLength > 1) return false;
      const key = JSON.stringify([parent.workflowId, parent.runId]);
      const positions = ended.get(key) ?? positionsOf(parent);
      ended.set(key, positions);
      return (await positions).has(parent.seq);
    };
  }

  /**
   * Resumes a workflow that the store has found. Returns a handle if it was not live here.
   *
   * @param read Its state; `undefined` if it was live here.
   */
  async #recoverOne(found: Found, read: Promise<WorkflowState | null> | undefined): Promise<Handle | undefined> {
    const { store, liveRuns, leases } = this.#parts;
    const { head, lease } = found;
    const { workflowId, runId, historyLength: length } = head;
    for (let live; (live = liveRuns.get(workflowId)) !== undefined;) {
      // If another run is live here, it is older than the listed run, or the list is older. Or it waits for the answer of the
      // store that the listed run continues it.
      const isKnown = live.runId === runId || live.nextRunId === runId;
      if (isKnown) return void live.takeOver(length);
      if (await store.whyOld(head)) return void liveRuns.get(workflowId)?.takeOver(length); // it may have woken
      if (liveRuns.get(workflowId) === live) break;
    }
    const state = await (read ?? this.#stateOf(found));
    if (state === null || lease !== undefined && !leases!.has(lease)) return undefined;
    const resumed = this.#parts.resume(state, lease);
    return resumed instanceof WorkflowError ? this.#refused(found, resumed) : this.#parts.handle(state, resumed);
  }

  /** A handle to a run that cannot be resumed here. */
  #refused({ head, lease }: Found, error: WorkflowError): Handle {
    if (lease !== undefined) this.#parts.leases!.refuse(head.workflowId);
    return this.#parts.handle(head, error);
  }
}
