/**
 * What a simulated world with leases knows of owners, from the answers of the store: who lives, and who owns which run. It finds
 * what no store and no executor may do.
 *
 * 1. It does not ask the store: a store that forgets an owner is found, too.
 * 2. An owner lives until its lease ends without being extended, and somebody else has claimed since.
 * 3. Calls are noted in the order in which they took effect. So a world with leases makes them one after the other.
 *
 * @module
 */

import { finalStatus } from "../../history/history.ts";
import type { AppendBatch, ClaimedRun, ClaimOptions, WorkflowEvent } from "../../types.ts";
import { show } from "../../util/show.ts";
import type { ActivityCall } from "../fakes.ts";
import type { ProcessRef } from "./fault_plan.ts";
import type { Journal } from "./journal.ts";

interface Ownership {
  owner: string | undefined;
  /** How often the run was claimed. */
  claims: number;
}

/** What may be added to a run by somebody who does not own it. */
const DELIVERED: ReadonlySet<WorkflowEvent["type"]> = /* @__PURE__ */ new Set([
  "signal_received",
  "update_requested",
  "cancel_requested",
  "workflow_canceled",
]);

export class Owners {
  readonly #journal: Journal;
  readonly #now: () => number;
  readonly #fail: (error: Error) => void;
  readonly #processes = new Map<string, ProcessRef>();
  /** When the leases of the living owners end. */
  readonly #ends = new Map<string, number>();
  readonly #runs = new Map<string, Ownership>();
  /** How often the run had been claimed when an attempt of an activity began. */
  readonly #attempts = new Map<string, number>();

  /** @param fail Called with what must not happen. */
  constructor(journal: Journal, now: () => number, fail: (error: Error) => void) {
    this.#journal = journal;
    this.#now = now;
    this.#fail = fail;
  }

  /** A claim was answered. */
  claimed(proc: ProcessRef, { owner, leaseMs, limit }: ClaimOptions, runs: readonly ClaimedRun[]): void {
    const now = this.#now();
    this.#processes.set(owner, proc);
    if (limit > 0) {
      for (const [other, end] of this.#ends) if (end <= now && other !== owner) this.#ends.delete(other);
    }
    for (const { workflowId } of runs) {
      const run = this.#run(workflowId);
      const before = run.owner;
      run.owner = owner;
      run.claims++;
      if (before === undefined || !this.#ends.has(before)) continue;
      this.#fault(
        `${nameOf(proc)} got workflow ${show(workflowId)} by a claim, although ${
          this.#nameOf(before)
        } lives and owns it`,
      );
    }
    if (!this.#ends.has(owner)) this.#ends.set(owner, now + leaseMs);
  }

  renewed(owner: string, leaseMs: number): void {
    if (!this.#ends.has(owner)) this.#fault(`The store renewed a lease of ${this.#nameOf(owner)} that was lost`);
    else this.#ends.set(owner, this.#now() + leaseMs);
  }

  released(owner: string, workflowIds: readonly string[] | undefined): void {
    for (const id of workflowIds ?? this.#runs.keys()) {
      const run = this.#runs.get(id);
      if (run?.owner === owner) run.owner = undefined;
    }
    if (workflowIds === undefined) this.#ends.delete(owner);
  }

  /** A batch was appended that is not in the journal yet. */
  appended(proc: ProcessRef, { workflowId, runId, expectedLength, events, owner }: AppendBatch): void {
    const run = this.#run(workflowId);
    const latest = this.#journal.latest(workflowId);
    const isFirst = events[0].type === "workflow_started";
    const what = `${nameOf(proc)} stored ${events.map(({ type }) => type).join(", ")} of workflow ${show(workflowId)}`;
    if (isFirst && expectedLength === 0) run.owner = owner;
    else if (owner !== undefined ? owner !== run.owner : !events.every(({ type }) => DELIVERED.has(type))) {
      const whose = run.owner === undefined ? "nobody" : this.#nameOf(run.owner);
      this.#fault(`${what}, which belongs to ${whose}`);
    }
    if (isFirst || latest?.runId !== runId) return;
    const last = latest.events.at(-1)!;
    if (finalStatus(last) !== undefined) this.#fault(`${what}, whose run has ended before`);
    else if (latest.events.length > expectedLength) {
      this.#fault(`${what} after ${expectedLength} events, although ${latest.events.length} are stored`);
    }
  }

  /** An attempt of an activity begins. */
  attemptBegun(proc: ProcessRef, { workflowId, name, attempt, idempotencyKey }: ActivityCall): void {
    const { owner, claims } = this.#run(workflowId);
    const what = `${nameOf(proc)} began attempt ${attempt} of activity ${show(name)} of workflow ${show(workflowId)}`;
    if (owner === undefined || this.#processes.get(owner) !== proc) {
      return this.#fault(`${what}, which belongs to ${owner === undefined ? "nobody" : this.#nameOf(owner)}`);
    }
    const key = JSON.stringify([idempotencyKey, attempt]);
    if (this.#attempts.get(key) === claims) {
      this.#fault(`${what} again, although who began it first has neither died nor lost the run`);
    }
    this.#attempts.set(key, claims);
  }

  #run(workflowId: string): Ownership {
    let run = this.#runs.get(workflowId);
    if (run === undefined) this.#runs.set(workflowId, run = { owner: undefined, claims: 0 });
    return run;
  }

  #nameOf(owner: string): string {
    const proc = this.#processes.get(owner);
    return proc === undefined ? "somebody else" : nameOf(proc).toLowerCase();
  }

  #fault(message: string): void {
    this.#fail(new Error(message));
  }
}

function nameOf({ index, life }: ProcessRef): string {
  return `Executor ${index}${life === 0 ? "" : `, after ${life} deaths`}`;
}
