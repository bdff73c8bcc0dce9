/**
 * A model of an `InMemoryStore` in the simplest form: an array in order of creation, with linear search.
 *
 * It is written from the documentation, independently of the store. A test calls `expire` before each call of the store.
 *
 * @module
 */

import type {
  AppendBatch,
  Clock,
  InMemoryStoreOptions,
  WorkflowEvent,
  WorkflowFilter,
  WorkflowState,
  WorkflowStateInit,
  WorkflowStatus,
} from "@rockpool/workflow";

/** The error code of a refused call; empty if it is not refused. */
export type Refusal = "" | "conflict" | "capacity_exceeded";

/** A stored workflow. */
export interface Kept {
  /** The place in the order of creation. */
  readonly place: number;
  readonly state: WorkflowState;
  /** The place in the order in which workflows finished, and when; `undefined` while it is running. */
  readonly finished: { readonly turn: number; readonly at: number } | undefined;
}

const ENDINGS: Partial<Record<WorkflowEvent["type"], WorkflowStatus>> = {
  workflow_completed: "completed",
  workflow_failed: "failed",
  workflow_canceled: "canceled",
};

/** Whether a state matches a filter. */
export function isWanted(state: WorkflowState, filter: WorkflowFilter): boolean {
  const { status, workflowName, idPrefix, labels = {}, createdAfter, createdBefore } = filter;
  return (status === undefined || [status].flat().includes(state.status)) &&
    (workflowName === undefined || state.workflowName === workflowName) &&
    (idPrefix === undefined || state.workflowId.slice(0, idPrefix.length) === idPrefix) &&
    Object.keys(labels).every((name) =>
      Object.hasOwn(state.labels ?? {}, name) && state.labels![name] === labels[name]
    ) &&
    (createdAfter === undefined || state.createdAt > createdAfter) &&
    (createdBefore === undefined || state.createdAt < createdBefore);
}

export class StoreModel {
  /** The changes that listeners were called with. */
  readonly changes: [workflowId: string | null, historyLength: number | null][] = [];
  readonly #clock: Clock;
  readonly #options: InMemoryStoreOptions;
  #kept: Kept[] = [];
  #places = 0;
  #turns = 0;

  constructor(clock: Clock, options: InMemoryStoreOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  get size(): number {
    return this.#kept.length;
  }

  find(workflowId: string): WorkflowState | undefined {
    return this.#find(workflowId)?.state;
  }

  /** The workflows that match a filter, in its order, after the place `after`. */
  select(filter: WorkflowFilter, after?: number): Kept[] {
    const kept = filter.order === "desc" ? this.#kept.toReversed() : this.#kept;
    const start = after === undefined ? -Infinity : filter.order === "desc" ? -after : after;
    const wanted = kept.filter(({ place, state }) => {
      return (filter.order === "desc" ? -place : place) > start && isWanted(state, filter);
    });
    return wanted.slice(0, filter.limit);
  }

  expire(): void {
    const { finishedTtlMs } = this.#options;
    if (finishedTtlMs === undefined) return;
    for (const one of this.#inOrderOfFinish()) {
      if (one.finished!.at + finishedTtlMs <= this.#clock.now()) this.#forget(one);
    }
  }

  save(init: WorkflowStateInit): Refusal {
    const before = this.#find(init.workflowId);
    const { history = [] } = init;
    if (this.#isTooLong(history.length) && history.length > (before?.state.history.length ?? 0)) {
      return "capacity_exceeded";
    }
    const now = this.#clock.now();
    const times = { createdAt: before?.state.createdAt ?? now, updatedAt: now };
    const state = { runId: "", workflowName: "", history, ...times, ...init } as WorkflowState;
    if (before === undefined && !this.#create(state)) return "capacity_exceeded";
    if (before !== undefined) this.#change(before, state);
    this.changes.push([init.workflowId, null]);
    return "";
  }

  append(batch: AppendBatch): Refusal {
    const { workflowId, runId, expectedLength, events, replaces } = batch;
    const [first] = events;
    const last = events.at(-1)!;
    const before = this.#find(workflowId);
    const state = before?.state;
    const starts = first.type === "workflow_started";
    if (starts && state && (state.status === "running" || state.runId !== replaces)) return "conflict";
    if (starts && !state && replaces !== undefined) return "conflict";
    const goesOn = state?.runId === runId && state.status === "running" && state.history.length === expectedLength;
    if (!starts && !goesOn) return "conflict";

    const status = ENDINGS[last.type] ?? "running";
    const history = starts ? events : [...state!.history, ...events];
    const mustFit = status !== "running" || events.some(({ type }) => type === "cancel_requested");
    if (!mustFit && this.#isTooLong(history.length)) return "capacity_exceeded";

    const changed = events.findLast((event) => event.type === "labels_changed");
    const { input, result, error, ...base } = starts
      ? {
        workflowId,
        runId,
        workflowName: first.workflowName,
        createdAt: first.at,
        input: first.input,
        ...(first.labels && { labels: first.labels }),
      } as WorkflowState
      : state!;
    const outcome = status === "running" ? { result, error } : last as Partial<WorkflowState>;
    const after = {
      ...base,
      status,
      history,
      ...(changed && { labels: changed.labels }),
      updatedAt: last.at,
      ...(input !== undefined && { input }),
      ...(outcome.result !== undefined && { result: outcome.result }),
      ...(outcome.error !== undefined && { error: outcome.error }),
    };
    if (!starts) this.#change(before!, after);
    else {
      if (before) this.#kept.splice(this.#kept.indexOf(before), 1);
      if (!this.#create(after)) return "capacity_exceeded"; // there was no `before` then
    }
    this.changes.push([workflowId, history.length]);
    return "";
  }

  delete(workflowId: string): void {
    const kept = this.#find(workflowId);
    if (kept) this.#forget(kept);
  }

  #find(workflowId: string): Kept | undefined {
    return this.#kept.find(({ state }) => state.workflowId === workflowId);
  }

  #isTooLong(length: number): boolean {
    return length > (this.#options.maxEventsPerWorkflow ?? Infinity);
  }

  #inOrderOfFinish(): Kept[] {
    const finished = this.#kept.filter((one) => one.finished !== undefined);
    return finished.sort((a, b) => a.finished!.turn - b.finished!.turn);
  }

  #create(state: WorkflowState): boolean {
    const { maxWorkflows = Infinity, whenFull } = this.#options;
    if (this.#kept.length >= maxWorkflows) {
      const [oldest] = this.#inOrderOfFinish();
      if (whenFull !== "evict" || oldest === undefined) return false;
      this.#forget(oldest);
    }
    this.#kept.push({ place: this.#places++, state, finished: this.#finish(state, undefined) });
    return true;
  }

  #change(before: Kept, state: WorkflowState): void {
    this.#kept[this.#kept.indexOf(before)] = { ...before, state, finished: this.#finish(state, before.finished) };
  }

  #finish({ status }: WorkflowState, before: Kept["finished"]): Kept["finished"] {
    return status === "running" ? undefined : before ?? { turn: this.#turns++, at: this.#clock.now() };
  }

  #forget(kept: Kept): void {
    this.#kept.splice(this.#kept.indexOf(kept), 1);
    this.changes.push([kept.state.workflowId, null]);
  }
}
