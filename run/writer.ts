/**
 * The way of a run's events into the store.
 *
 * 1. One append at a time, in the order of recording; what is recorded together is appended together.
 * 2. On a conflict the writer reads what is new, gives it to the run, drops what that made obsolete, and tries again.
 * 3. A failing append is tried again with backoff. It may have been carried out nevertheless: then the retry meets its
 *    own events in the store and takes them for stored.
 *
 * @module
 */

import { WorkflowError } from "../errors.ts";
import type { RunInfo } from "../hooks.ts";
import type { WorkflowEvent, WorkflowState } from "../types.ts";
import { cannot } from "../util/check.ts";
import { Deferred } from "../util/deferred.ts";
import { finalStatus, FrozenBatch } from "../history/history.ts";
import { isConflict, type RetryingStore } from "./retrying_store.ts";

/** The run that a writer writes for. */
export interface WriterRun extends RunInfo {
  readonly live: boolean;
  /** Takes in an event that is stored now, by whomever. */
  takeIn(event: WorkflowEvent): void;
  /** Does what follows from an event that this run has stored. */
  act(event: WorkflowEvent): void;
  /** Whether the stored history has made an event pointless that is not stored. */
  isObsolete(event: WorkflowEvent): boolean;
  /** An event stays out of the store because somebody else's has made it obsolete. */
  dropped(event: WorkflowEvent): void;
  /** The stored run is over. */
  endedElsewhere(state: WorkflowState): void;
  suspend(error: unknown): void;
  /** The first events of the run that is to take this one's place, made of what is known now. */
  successor(): WorkflowEvent[];
  /** The successor is stored. */
  succeeded(runId: string, events: readonly WorkflowEvent[]): void;
  /** Applies what was taken in. */
  pump(): void;
  /** Nothing is on its way any more. */
  rest(): void;
}

/**
 * Why a run cannot go on with what is stored; `undefined` if it can.
 *
 * @param length How many events of it are known to be stored.
 */
export function whyLost(run: RunInfo, state: WorkflowState | null, length: number): WorkflowError | undefined {
  const lost = cannot("go on with workflow", run.workflowId);
  if (state === null) return new WorkflowError("not_found", `${lost}: it was deleted from the store`);
  if (state.runId !== run.runId) return new WorkflowError("conflict", `${lost}: another run has replaced it`);
  if (state.history.length >= length) return undefined;
  const lengths = `the stored history has ${state.history.length} events, ${length} were there before`;
  return new WorkflowError("conflict", `${lost}: ${lengths}`);
}

interface Batch {
  events: WorkflowEvent[];
  /** Told whether the events got into the store; `undefined` if that is not known. */
  waiters: ((stored: boolean | undefined) => void)[] | undefined;
}

export class Writer {
  readonly #store: RetryingStore;
  readonly #run: WriterRun;
  /** How many events of the run are known to be stored. */
  #length: number;
  /** What the store said last of the length; `null` if anything can have changed. */
  #told: number | null | undefined;
  /** What is new is on its way here. */
  #reading = false;
  #outbox: Batch | undefined;
  /** What is on its way into the store. */
  #sending: Batch | undefined;
  #writing = false;
  #paused: boolean;
  /** The ID of the run that is to take this one's place, once all else is stored. */
  #succession: string | undefined;
  #idle: Deferred<void> | undefined;

  /** @param paused Whether to record without writing, and without reading what is new, until {@linkcode resume}. */
  constructor(store: RetryingStore, run: WriterRun, length: number, paused: boolean) {
    this.#store = store;
    this.#run = run;
    this.#length = length;
    this.#paused = paused;
  }

  record(event: WorkflowEvent): void {
    if (this.#outbox === undefined) this.#outbox = { events: [event], waiters: undefined };
    else this.#outbox.events.push(event);
    this.#begin();
  }

  /** Records, and tells whether the event got into the store. */
  post(event: WorkflowEvent, tell: (stored: boolean | undefined) => void): void {
    this.record(event);
    const outbox = this.#outbox!;
    if (outbox.waiters === undefined) outbox.waiters = [tell];
    else outbox.waiters.push(tell);
  }

  /** How many events of the run are stored. */
  get stored(): number {
    return this.#length;
  }

  /** How many events the run has once all that is recorded is stored. */
  get length(): number {
    return this.#length + (this.#sending?.events.length ?? 0) + (this.#outbox?.events.length ?? 0);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#begin();
  }

  /** Stores the run that takes this one's place, when nothing else is left to store. */
  succeed(runId: string): void {
    this.#succession = runId;
    this.#begin();
  }

  /** The store says how long the history is after an append, or that the state was changed otherwise. */
  told(length: number | null): void {
    if (this.#told !== null) this.#told = length;
    this.#begin();
  }

  /** The run is live no more: what is not on its way stays out of the store. */
  close(): void {
    if (this.#outbox !== undefined) this.#tell(this.#outbox, false);
    this.#outbox = undefined;
  }

  /** Whether the store may hold what the run was not given. */
  get behind(): boolean {
    return this.#reading || this.#outdated;
  }

  /** Whether something is on its way, or is to be. */
  get busy(): boolean {
    return this.#writing || this.#outbox !== undefined || this.#succession !== undefined;
  }

  /** Resolves when nothing is on its way. */
  idle(): Promise<void> {
    return this.#writing ? (this.#idle ??= new Deferred()).promise : Promise.resolve();
  }

  /** In a microtask, so that what is recorded together is appended together. */
  #begin(): void {
    if (this.#writing || !this.#run.live || !(this.#behind || this.#ready)) return;
    this.#writing = true;
    queueMicrotask(() => this.#next());
  }

  get #ready(): boolean {
    return !this.#paused && (this.#outbox !== undefined || this.#succession !== undefined);
  }

  get #outdated(): boolean {
    return this.#told !== undefined && this.#told !== this.#length;
  }

  get #behind(): boolean {
    return !this.#paused && this.#outdated;
  }

  #next(): void {
    if (!this.#run.live || !(this.#behind || this.#ready)) return this.#end();
    if (this.#behind) return void this.#guard(this.#catchUp(undefined, false));
    const batch = this.#outbox;
    if (batch === undefined) return void this.#guard(this.#replace(this.#succession!));
    this.#outbox = undefined;
    this.#sending = batch;
    this.#append(batch).then(() => {
      this.#stored(batch);
      this.#next();
    }, (error) => this.#guard(this.#retry(batch, error)));
  }

  #end(): void {
    this.#writing = false;
    this.#idle?.resolve();
    this.#idle = undefined;
    this.#run.rest();
  }

  async #guard(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#run.suspend(error);
    }
    this.#next();
  }

  /** Appends the successor, made anew whenever something has come between. */
  async #replace(runId: string): Promise<void> {
    const { workflowId, runId: replaces } = this.#run;
    for (let attempt = 1; this.#run.live; attempt++) {
      const events = this.#run.successor();
      try {
        await this.#store.append(new FrozenBatch(workflowId, runId, this.#length, events, replaces));
        this.#succession = undefined;
        return this.#run.succeeded(runId, events);
      } catch (error) {
        const state = isConflict(error) ? await this.#store.load(workflowId) : null;
        if (state?.runId === runId) { // it is stored, only the answer was lost
          this.#succession = undefined;
          return this.#run.succeeded(runId, state.history);
        }
        if (!isConflict(error) || !await this.#catchUp(undefined, false)) await this.#store.backOff(error, attempt);
      }
    }
  }

  #append({ events }: Batch): Promise<void> {
    const { workflowId, runId } = this.#run;
    return this.#store.append(new FrozenBatch(workflowId, runId, this.#length, events));
  }

  #stored(batch: Batch): void {
    this.#length += batch.events.length;
    this.#sending = undefined;
    this.#tell(batch, true);
    if (!this.#run.live) return;
    for (const event of batch.events) this.#run.takeIn(event);
    for (const event of batch.events) this.#run.act(event);
    this.#run.pump();
  }

  async #retry(batch: Batch, error: unknown): Promise<void> {
    let ambiguous = false;
    try {
      for (let attempt = 1; this.#run.live; attempt++) {
        // A conflict that nothing explains is a fault of the store as well.
        if (!isConflict(error) || !await this.#catchUp(batch, ambiguous)) {
          ambiguous ||= !isConflict(error);
          await this.#store.backOff(error, attempt);
        }
        if (!this.#run.live || batch.events.length === 0) break;
        try {
          await this.#append(batch);
          return this.#stored(batch);
        } catch (next) {
          error = next;
        }
      }
    } catch (failure) {
      this.#run.suspend(failure);
    } finally {
      this.#sending = undefined;
      this.#tell(batch, this.#run.live || (ambiguous ? undefined : false)); // what is left of a live run's batch is stored
    }
  }

  /** Reads what somebody else wrote. Resolves to whether there was anything. */
  async #catchUp(batch: Batch | undefined, ambiguous: boolean): Promise<boolean> {
    this.#told = undefined; // what is told from here on may be newer than the answer
    this.#reading = true;
    const state = await this.#store.load(this.#run.workflowId).finally(() => this.#reading = false);
    if (!this.#run.live) return true;
    const lost = whyLost(this.#run, state, this.#length);
    if (lost !== undefined) {
      this.#run.suspend(lost);
      return true;
    }
    const { history, status } = state!;
    const tail = history.slice(this.#length);
    this.#length = history.length;
    for (const event of tail) this.#run.takeIn(event);
    const dropped = batch === undefined ? [] : this.#dropObsolete(batch, tail);
    const outbox = this.#outbox;
    if (outbox !== undefined) {
      for (const event of this.#dropObsolete(outbox, tail)) this.#run.dropped(event);
      if (outbox.events.length === 0) {
        this.#outbox = undefined;
        this.#tell(outbox, true); // the same is stored, by somebody else
      }
    }
    for (const event of dropped) {
      if (ambiguous) this.#run.act(event); // it is ours: the store's answer was lost
      else this.#run.dropped(event);
    }
    if (status !== "running") this.#run.endedElsewhere(state!);
    this.#run.pump();
    return tail.length > 0 || status !== "running";
  }

  #dropObsolete(batch: Batch, tail: readonly WorkflowEvent[]): WorkflowEvent[] {
    const signals = new Set(tail.map((event) => event.type === "signal_received" ? event.signalId : undefined));
    const types = new Set(tail.map((event) => event.type));
    const isObsolete = (event: WorkflowEvent) =>
      event.type === "signal_received"
        ? signals.has(event.signalId)
        : event.type === "cancel_requested" || finalStatus(event) !== undefined
        ? types.has(event.type)
        : this.#run.isObsolete(event);
    const dropped = batch.events.filter(isObsolete);
    if (dropped.length > 0) batch.events = batch.events.filter((event) => !dropped.includes(event));
    return dropped;
  }

  #tell(batch: Batch, stored: boolean | undefined): void {
    const { waiters } = batch;
    batch.waiters = undefined;
    if (waiters !== undefined) { for (const tell of waiters) tell(stored); }
  }
}
