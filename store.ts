/**
 * The in-memory store: a map under a readers-writer lock.
 *
 * Owns the stored states. Does not know what an executor is.
 *
 * 1. What is saved is copied and frozen; what is loaded is shared and cannot be changed.
 * 2. A method reads its argument at the call and does its work in one step under the lock: at the call too, unless
 *    somebody holds the lock.
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
import { checkFunction, checkObject, checkOptionalString, checkText, invalid } from "./_check.ts";
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
import { handOut, needsCopy, toStored } from "./_value.ts";

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

const statuses: readonly WorkflowStatus[] = ["running", "completed", "failed", "canceled"];

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
    return this.#write(() => this.#saving(state));
  }

  /**
   * Answers the stored state or `null`; see {@linkcode WorkflowStore.load}. The same object until the state changes,
   * unless it holds something that freezing cannot protect, such as a `Date`.
   */
  load(workflowId: string): Promise<WorkflowState | null> {
    return this.#lock.read(() => {
      checkText("workflowId", workflowId, "load workflow");
      const entry = this.#entries.get(workflowId);
      return entry === undefined ? null : stateOf(entry);
    });
  }

  /** Answers the states that match, in order of creation; see {@linkcode WorkflowStore.list}. */
  async list(filter: WorkflowFilter = {}): Promise<WorkflowState[]> {
    return await this.#lock.read(this.#listing(filter));
  }

  /** Forgets a workflow; see {@linkcode WorkflowStore.delete}. */
  delete(workflowId: string): Promise<void> {
    return this.#lock.write(() => {
      checkText("workflowId", workflowId, "delete workflow");
      if (this.#entries.delete(workflowId)) this.#changed(workflowId, null);
    });
  }

  /** Adds events to a run if nobody else did; see {@linkcode WorkflowStore.append}. */
  append(batch: AppendBatch): Promise<void> {
    return this.#write(() => this.#appending(batch));
  }

  /** Calls `listener` after each change; see {@linkcode WorkflowStore.subscribe}. */
  subscribe(listener: StoreListener): () => void {
    checkFunction("listener", listener, "subscribe");
    const subscription: StoreListener = (...change) => listener(...change); // the same listener twice is two
    this.#listeners.add(subscription);
    return () => void this.#listeners.delete(subscription);
  }

  /** Copies and checks at the call, then writes under the lock. A plain function: an async one would cost two ticks. */
  #write(prepare: () => () => void): Promise<void> {
    try {
      return this.#lock.write(prepare());
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** What to do under the lock. */
  #saving(state: WorkflowStateInit): () => void {
    const action = "save workflow";
    checkObject("state", state, action);
    const now = this.#clock.now();
    const { workflowId, status, runId = "", workflowName = "", history = [], input, result, error } = state;
    const { createdAt, updatedAt = now } = state;
    checkText("workflowId", workflowId, action);
    checkStatus(status, action, workflowId);
    checkOptionalString("runId", runId, action, workflowId);
    checkOptionalString("workflowName", workflowName, action, workflowId);
    if (!Array.isArray(history)) throw invalid("history", history, "an array", action, workflowId);
    for (const [name, time = now] of [["createdAt", createdAt], ["updatedAt", updatedAt]] as const) {
      if (!Number.isFinite(time)) throw invalid(name, time, "a finite number", action, workflowId);
    }
    const fields: StateFields = { workflowId, runId, workflowName, status, createdAt: now, updatedAt };
    // What was loaded from here is taken as it is: nobody could change it, or it is a copy and another object.
    const before = this.#entries.get(workflowId);
    let opaque = false;
    for (const [name, value] of Object.entries({ input, result, error }) as ["input", unknown][]) {
      if (value === undefined) continue;
      fields[name] = value === before?.fields[name] ? value : toStored(value, name);
      opaque ||= needsCopy(fields[name]);
    }
    const events = Array.from(history, (event: WorkflowEvent, i) => {
      if (event !== undefined && event === before?.events[i]) return event;
      const copy = toStored(event, `history[${i}]`) as WorkflowEvent;
      validateEvent(copy, `history[${i}]`);
      opaque ||= needsCopy(copy);
      return copy;
    });
    return () => {
      fields.createdAt = createdAt ?? this.#entries.get(workflowId)?.fields.createdAt ?? now;
      this.#entries.set(workflowId, { fields, events, state: null, opaque });
      this.#changed(workflowId, null);
    };
  }

  #appending(batch: AppendBatch): () => void {
    if (!(batch instanceof FrozenBatch)) batch = storedBatch(batch);
    const { workflowId, events } = batch;
    const opaque = events.some((event) => needsCopy(event));
    return () => {
      const current = this.#entries.get(workflowId);
      checkBatch(current?.fields ?? null, current?.events.length ?? 0, batch);
      let entry = current!;
      if (events[0].type === "workflow_started") {
        entry = { fields: beginRun(batch), events: [], state: null, opaque: false };
        this.#entries.delete(workflowId); // a new run is a new creation: it goes to the end
        this.#entries.set(workflowId, entry);
      }
      advanceRun(entry.fields, events);
      for (const event of events) entry.events.push(event);
      entry.opaque ||= opaque;
      entry.state = null;
      this.#changed(workflowId, entry.events.length);
    };
  }

  #listing(filter: WorkflowFilter): () => WorkflowState[] {
    checkObject("filter", filter, "list workflows");
    const { status, limit = Infinity } = filter;
    if (limit !== Infinity && !(Number.isInteger(limit) && limit >= 0)) {
      throw invalid("limit", limit, "an integer from 0", "list workflows", undefined, RangeError);
    }
    const wanted = status === undefined ? statuses : [status].flat();
    for (const one of wanted) checkStatus(one, "list workflows");
    return () => {
      const states: WorkflowState[] = [];
      for (const entry of this.#entries.values()) {
        if (states.length >= limit) break;
        if (wanted.includes(entry.fields.status)) states.push(stateOf(entry));
      }
      return states;
    };
  }

  #changed(workflowId: string, historyLength: number | null): void {
    for (const listener of [...this.#listeners]) {
      try {
        if (this.#listeners.has(listener)) listener(workflowId, historyLength);
      } catch (error) {
        queueMicrotask(() => { // its own fault, and none of the caller's
          throw error;
        });
      }
    }
  }
}

function stateOf(entry: Entry): WorkflowState {
  const { fields, events, opaque } = entry;
  if (opaque) {
    return Object.freeze({ ...handOut(fields), history: Object.freeze(events.map((event) => handOut(event))) });
  }
  return entry.state ??= Object.freeze({ ...fields, history: Object.freeze(events.slice()) });
}

/** Copies a batch, and checks the copy: what is read twice can answer twice. */
function storedBatch(batch: AppendBatch): AppendBatch {
  checkObject("batch", batch, "append");
  const { workflowId, runId, expectedLength, events, replaces } = batch;
  const copies = Array.isArray(events) // if not, the check says so
    ? Array.from(events, (event, i) => toStored(event, `events[${i}]`) as WorkflowEvent)
    : events;
  const stored = { workflowId, runId, expectedLength, events: copies, replaces };
  validateBatch(stored);
  return stored;
}

function checkStatus(status: unknown, action: string, workflowId?: string): void {
  if (!statuses.includes(status as WorkflowStatus)) {
    throw invalid("status", status, `one of ${statuses.join(", ")}`, action, workflowId);
  }
}
