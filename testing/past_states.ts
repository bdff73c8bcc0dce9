/**
 * Past states of the workflows in a store, made of what was appended: for reads that answer as a copy of the store does that is
 * behind.
 *
 * 1. A read that is behind shows the store as it was before the last few appends.
 * 2. It shows a workflow as it was only if the workflow was running then, in this run or in an earlier one. It never hides that
 *    a workflow exists, or that it runs: an executor cannot know that without a read.
 *
 * @module
 */

import { applyBatch, finalStatus, headOf } from "../history/history.ts";
import type {
  AppendBatch,
  HeadPage,
  PageOptions,
  WorkflowEvent,
  WorkflowFilter,
  WorkflowState,
  WorkflowStore,
  WorkflowTail,
} from "../types.ts";

/** How many appends a read is behind at most. */
export const MAX_LAG = 3;

interface PastRun {
  readonly runId: string;
  readonly createdAt: number;
  readonly events: WorkflowEvent[];
}

/** What one append has changed. */
interface Change {
  readonly workflowId: string;
  /** The run before, and its length; `undefined` if there was none, or if it is not known. */
  readonly before: { readonly run: PastRun; readonly length: number } | undefined;
}

export class PastStates {
  /** The newest run of each workflow, as far as all of its appends are known. */
  readonly #runs = new Map<string, PastRun>();
  /** The last appends, the newest last. */
  #changes: Change[] = [];

  /** Notes a batch that was appended. Its events must not be changed any more. */
  add({ workflowId, runId, expectedLength, events }: AppendBatch): void {
    if (events.length === 0) return;
    const run = this.#runs.get(workflowId);
    const before = run && { run, length: run.events.length };
    if (events[0].type === "workflow_started") {
      const createdAt = expectedLength > 0 && run !== undefined ? run.createdAt : events[0].at;
      this.#runs.set(workflowId, { runId, createdAt, events: [...events] });
    } else if (run?.runId === runId && run.events.length === expectedLength) run.events.push(...events);
    else this.#runs.delete(workflowId); // somebody else has written, too
    this.#changes = [...this.#changes, { workflowId, before }].slice(-MAX_LAG);
  }

  /** Notes that a workflow was changed in another way than by an append. */
  forget(workflowId: string): void {
    this.#runs.delete(workflowId);
    this.#changes = this.#changes.filter((change) => change.workflowId !== workflowId);
  }

  /** The state of a workflow before the last `lag` appends, if they have changed it. */
  load(lag: number, workflowId: string): WorkflowState | undefined {
    const before = this.#changes.slice(-lag).find((change) => change.workflowId === workflowId)?.before;
    if (before === undefined) return undefined;
    const { run: { runId, createdAt, events }, length } = before;
    if (finalStatus(events[length - 1]) !== undefined) return undefined;
    const batch = { workflowId, runId, expectedLength: 0, events: events.slice(0, length) };
    return { ...applyBatch(null, batch), createdAt };
  }

  /** The states that match a filter before the last `lag` appends. */
  async list(lag: number, store: WorkflowStore, filter: WorkflowFilter = {}): Promise<WorkflowState[]> {
    const { status, limit = Infinity, ...rest } = filter;
    const statuses = status === undefined ? undefined : [status].flat();
    const states = (await store.list(rest)).map((state) => this.load(lag, state.workflowId) ?? state);
    return states.filter((state) => statuses?.includes(state.status) ?? true).slice(0, limit);
  }

  /** The end of a history before the last `lag` appends, as {@linkcode WorkflowStore.loadSince} answers. */
  loadSince(lag: number, workflowId: string, length: number, runId?: string): WorkflowTail | null | undefined {
    const state = this.load(lag, workflowId);
    if (state === undefined) return undefined;
    if (runId !== undefined && state.runId !== runId) return null;
    return { head: headOf(state), events: state.history.slice(length) };
  }

  /** A page of heads before the last `lag` appends. What did not match then is not looked for. */
  async heads(lag: number, store: WorkflowStore, options: PageOptions = {}): Promise<HeadPage> {
    const { heads, ...rest } = await store.heads!(options);
    const statuses = options.status === undefined ? undefined : [options.status].flat();
    const earlier = heads.map((head) => this.loadSince(lag, head.workflowId, Infinity)?.head ?? head);
    return { ...rest, heads: earlier.filter(({ status }) => statuses?.includes(status) ?? true) };
  }

  /** Whether a list differs if it does not show the last `lag` appends. */
  hasChanged(lag: number): boolean {
    return this.#changes.slice(-lag).some(({ workflowId }) => this.load(lag, workflowId) !== undefined);
  }
}
