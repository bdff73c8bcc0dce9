/**
 * The in-memory store: a map under a readers-writer lock.
 *
 * Owns the stored states. Does not know what an executor is.
 *
 * 1. What is saved is copied and frozen; what is loaded is shared and cannot be changed.
 * 2. A method does its work in one step under the lock, and at the call unless somebody holds the lock.
 * 3. Appending costs as much as the batch; the frozen history is built when somebody loads it, and then kept.
 * 4. A listing is in order of creation. A new run under an old ID is a new creation; an overwrite is not.
 *
 * @example
 * ```ts
 * import { InMemoryStore } from "@rockpool/workflow";
 * import { assertEquals } from "@std/assert";
 *
 * const store = new InMemoryStore();
 * await store.save({ workflowId: "a", status: "running", input: { n: 1 } });
 * await store.save({ workflowId: "b", status: "completed" });
 * const running = await store.list({ status: "running", limit: 10 });
 * assertEquals(running.map((state) => state.workflowId), ["a"]);
 * ```
 *
 * @module
 */

import { type Clock, systemClock } from "./clock.ts";
import { RWLock } from "./lock.ts";
import type {
  AppendBatch,
  StoreListener,
  WorkflowEvent,
  WorkflowFilter,
  WorkflowState,
  WorkflowStateInit,
  WorkflowStatus,
  WorkflowStore,
} from "./types.ts";
import {
  advanceRun,
  applyBatch,
  beginRun,
  checkBatch,
  FrozenBatch,
  type StateFields,
  validateBatch,
  validateEvent,
} from "./_history.ts";
import { handOut, needsCopy, show, toStored } from "./_value.ts";

export { applyBatch };

/** Options of an {@linkcode InMemoryStore}. */
export interface InMemoryStoreOptions {
  /**
   * Gives the times that a saved state leaves out.
   *
   * @default {systemClock}
   */
  readonly clock?: Clock;
}

interface Entry {
  readonly fields: StateFields;
  readonly events: WorkflowEvent[];
  /** What `load` answers, until the next append. */
  state: WorkflowState | null;
  /** Whether it holds values that freezing cannot protect, so that every load must copy them. */
  opaque: boolean;
}

const statuses: Record<WorkflowStatus, true> = {
  running: true,
  completed: true,
  failed: true,
  canceled: true,
};

/** Keeps workflows in the memory of the process. */
export class InMemoryStore implements WorkflowStore {
  readonly #lock = new RWLock();
  readonly #clock: Clock;
  /** In order of creation. */
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<StoreListener>();

  /**
   * Makes an empty store.
   *
   * @param options Every one is optional.
   */
  constructor(options: InMemoryStoreOptions = {}) {
    this.#clock = options.clock ?? systemClock;
  }

  /** How many workflows are stored. */
  get size(): number {
    return this.#entries.size;
  }

  /** Writes a whole state; see {@linkcode WorkflowStore.save}. */
  save(state: WorkflowStateInit): Promise<void> {
    return this.#lock.write(() => this.#save(state));
  }

  /** Answers the stored state or `null`; see {@linkcode WorkflowStore.load}. The same object until the state changes. */
  load(workflowId: string): Promise<WorkflowState | null> {
    return this.#lock.read(() => {
      validateId(workflowId, "load");
      const entry = this.#entries.get(workflowId);
      return entry === undefined ? null : stateOf(entry);
    });
  }

  /** Answers the states that match, in order of creation; see {@linkcode WorkflowStore.list}. */
  list(filter: WorkflowFilter = {}): Promise<WorkflowState[]> {
    return this.#lock.read(() => this.#list(filter));
  }

  /** Forgets a workflow; see {@linkcode WorkflowStore.delete}. */
  delete(workflowId: string): Promise<void> {
    return this.#lock.write(() => {
      validateId(workflowId, "delete");
      if (this.#entries.delete(workflowId)) this.#changed(workflowId, null);
    });
  }

  /** Adds events to a run if nobody else did; see {@linkcode WorkflowStore.append}. */
  append(batch: AppendBatch): Promise<void> {
    return this.#lock.write(() => this.#append(batch));
  }

  /** Calls `listener` after each change; see {@linkcode WorkflowStore.subscribe}. */
  subscribe(listener: StoreListener): () => void {
    const subscription: StoreListener = (...change) => listener(...change); // the same listener twice is two
    this.#listeners.add(subscription);
    return () => void this.#listeners.delete(subscription);
  }

  #save(state: WorkflowStateInit): void {
    if (typeof state !== "object" || state === null) {
      throw new TypeError(`Cannot save workflow: "state" must be an object, got ${show(state)}`);
    }
    const { workflowId, status, runId = "", workflowName = "", history = [] } = state;
    validateId(workflowId, "save");
    validateStatus(status, `save workflow ${show(workflowId)}`);
    const fail = (why: string) => new TypeError(`Cannot save workflow ${show(workflowId)}: ${why}`);
    if (typeof runId !== "string") throw fail(`"runId" must be a string, got ${show(runId)}`);
    if (typeof workflowName !== "string") {
      throw fail(`"workflowName" must be a string, got ${show(workflowName)}`);
    }
    if (!Array.isArray(history)) throw fail(`"history" must be an array, got ${show(history)}`);
    const before = this.#entries.get(workflowId);
    const now = this.#clock.now();
    const { createdAt = before?.fields.createdAt ?? now, updatedAt = now } = state;
    for (const [name, time] of [["createdAt", createdAt], ["updatedAt", updatedAt]] as const) {
      if (!Number.isFinite(time)) {
        throw fail(`"${name}" must be a finite number, got ${show(time)}`);
      }
    }
    const fields: StateFields = { workflowId, runId, workflowName, status, createdAt, updatedAt };
    if (state.input !== undefined) fields.input = toStored(state.input, "input");
    if (state.result !== undefined) fields.result = toStored(state.result, "result");
    if (state.error !== undefined) {
      fields.error = toStored(state.error, "error") as WorkflowState["error"];
    }
    const events = Array.from(history, (event: WorkflowEvent, i) => {
      if (event === before?.events[i]) return event; // it came from here, and nobody could change it
      validateEvent(event, `history[${i}]`);
      return toStored(event, `history[${i}]`) as WorkflowEvent;
    });
    const opaque = needsCopy(fields.input) || needsCopy(fields.result) || needsCopy(fields.error) ||
      events.some((event) => needsCopy(event));
    this.#entries.set(workflowId, { fields, events, state: null, opaque });
    this.#changed(workflowId, null);
  }

  #append(batch: AppendBatch): void {
    const { workflowId } = batch;
    validateId(workflowId, "append to");
    const own = batch instanceof FrozenBatch;
    if (!own) validateBatch(batch);
    const current = this.#entries.get(workflowId);
    checkBatch(current?.fields ?? null, current?.events.length ?? 0, batch);
    const events = own
      ? batch.events
      : batch.events.map((event, i) => toStored(event, `events[${i}]`) as WorkflowEvent);
    let entry = current;
    if (events[0].type === "workflow_started") {
      this.#entries.delete(workflowId); // a new run is a new creation: it goes to the end
      entry = { fields: beginRun({ ...batch, events }), events: [], state: null, opaque: false };
      this.#entries.set(workflowId, entry);
    }
    advanceRun(entry!.fields, events);
    for (const event of events) {
      entry!.events.push(event);
      entry!.opaque ||= needsCopy(event);
    }
    entry!.state = null;
    this.#changed(workflowId, entry!.events.length);
  }

  #list(filter: WorkflowFilter): WorkflowState[] {
    if (typeof filter !== "object" || filter === null) {
      throw new TypeError(`Cannot list workflows: "filter" must be an object, got ${show(filter)}`);
    }
    const { status, limit = Infinity } = filter;
    if (limit !== Infinity && !(Number.isInteger(limit) && limit >= 0)) {
      throw new RangeError(
        `Cannot list workflows: "limit" must be an integer from 0, got ${show(limit)}`,
      );
    }
    const wanted: readonly WorkflowStatus[] | undefined = status === undefined || Array.isArray(status)
      ? status as readonly WorkflowStatus[] | undefined
      : [status as WorkflowStatus];
    for (const one of wanted ?? []) validateStatus(one, "list workflows");
    const states: WorkflowState[] = [];
    if (limit === 0) return states;
    for (const entry of this.#entries.values()) {
      if (wanted !== undefined && !wanted.includes(entry.fields.status)) continue;
      if (states.push(stateOf(entry)) >= limit) break;
    }
    return states;
  }

  #changed(workflowId: string, historyLength: number | null): void {
    for (const listener of this.#listeners) listener(workflowId, historyLength);
  }
}

function stateOf(entry: Entry): WorkflowState {
  entry.state ??= Object.freeze({ ...entry.fields, history: Object.freeze(entry.events.slice()) });
  return entry.opaque ? handOut(entry.state) : entry.state;
}

function validateId(workflowId: unknown, verb: string): void {
  if (typeof workflowId !== "string" || workflowId === "") {
    throw new TypeError(
      `Cannot ${verb} workflow: "workflowId" must be a non-empty string, got ${show(workflowId)}`,
    );
  }
}

function validateStatus(status: unknown, action: string): void {
  if (typeof status !== "string" || !Object.hasOwn(statuses, status)) {
    const known = Object.keys(statuses).join(", ");
    throw new TypeError(`Cannot ${action}: "status" must be one of ${known}, got ${show(status)}`);
  }
}
