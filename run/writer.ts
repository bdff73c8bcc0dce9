/**
 * Stores the events of a run, and notices appends of other executors.
 *
 * A writer reports two things to its run: events that are stored now, by anybody, in the order of the history; and that the
 * run is lost to this executor, with the reason.
 *
 * It also calls back for each `post()` and `succeed()`: those are answers to calls of the run.
 *
 * 1. One append at a time, in the order of recording. Events that are recorded together are appended together.
 * 2. On a conflict the writer loads what is new, reports it, drops its own events that are superseded, and tries again.
 * 3. A failing append is tried again with backoff. The store may have carried it out and lost the answer: then the next try
 *    finds its own events in the history and reports them as its own.
 * 4. While it is paused (a replay), it records, and neither writes nor reads.
 *
 * @module
 */

import { WorkflowError } from "../errors.ts";
import type { RunInfo } from "../hooks.ts";
import type { WorkflowEvent, WorkflowState } from "../types.ts";
import { cannot } from "../util/check.ts";
import { Deferred } from "../util/deferred.ts";
import { finalStatus, FrozenBatch } from "../history/history.ts";
import { validateHistory } from "../history/validate.ts";
import { TakenPlaces } from "../history/superseded.ts";
import { endOf } from "./events.ts";
import { isConflict, type RetryingStore } from "./retrying_store.ts";

/** The run that a writer writes for. */
export interface WriterOwner extends RunInfo {
  /**
   * Events are in the history now.
   *
   * @param events In the order of the history.
   * @param ours Those that this writer stored.
   */
  stored(events: readonly WorkflowEvent[], ours: readonly WorkflowEvent[]): void;
  /** The run cannot be resumed here. */
  lost(error: unknown): void;
}

/**
 * The reason why a run cannot be resumed from a stored state; `undefined` if it can.
 *
 * @param length How many events of the run are known to be stored.
 * @throws {WorkflowError} With code `invalid_history` if what follows is not valid.
 */
export function whyLost(run: RunInfo, state: WorkflowState | null, length: number): WorkflowError | undefined {
  const lost = cannot("resume workflow", run.workflowId);
  if (state === null) return new WorkflowError("not_found", `${lost}: it was deleted from the store`);
  if (state.runId !== run.runId) return new WorkflowError("conflict", `${lost}: another run has replaced it`);
  if (state.history.length >= length) {
    return void validateHistory(state.history, length, "resume workflow", run.workflowId);
  }
  const lengths = `the stored history has ${state.history.length} events, ${length} were there before`;
  return new WorkflowError("conflict", `${lost}: ${lengths}`);
}

/** Gets whether the event is stored; `undefined` if unknown. */
type Posted = (stored: boolean | undefined) => void;

interface Outgoing {
  events: WorkflowEvent[];
  posted: Posted[] | undefined;
}

/** The next run of the chain, stored after everything else. */
interface Succession {
  readonly runId: string;
  readonly events: () => WorkflowEvent[];
  readonly stored: (events: readonly WorkflowEvent[]) => void;
}

const none: readonly never[] = [];

export class Writer {
  readonly #store: RetryingStore;
  readonly #owner: WriterOwner;
  /** How many events of the run are known to be stored. */
  #length: number;
  /** The length that the store reported last; `null` if anything can have changed. */
  #reported: number | null | undefined;
  #outbox: Outgoing | undefined;
  /** The append in flight. */
  #sending: Outgoing | undefined;
  #succession: Succession | undefined;
  /** Whether a step is scheduled or in flight. */
  #active = false;
  #loading = false;
  #paused: boolean;
  #closed = false;
  #written: Deferred<void> | undefined;

  /** @param paused Whether to begin paused. */
  constructor(store: RetryingStore, owner: WriterOwner, length: number, paused: boolean) {
    this.#store = store;
    this.#owner = owner;
    this.#length = length;
    this.#paused = paused;
  }

  /** Brings an event into the store. */
  record(event: WorkflowEvent): void {
    if (this.#outbox === undefined) this.#outbox = { events: [event], posted: undefined };
    else this.#outbox.events.push(event);
    this.#activate();
  }

  /** Brings an event into the store, and calls `posted` when that is decided. */
  post(event: WorkflowEvent, posted: Posted): void {
    this.record(event);
    const outbox = this.#outbox!;
    if (outbox.posted === undefined) outbox.posted = [posted];
    else outbox.posted.push(posted);
  }

  /**
   * Stores the first events of the next run of the chain, after everything else.
   *
   * @param events Makes the events; called again if something was stored in between.
   * @param stored Is called with the events that are stored.
   */
  succeed(runId: string, events: () => WorkflowEvent[], stored: (events: readonly WorkflowEvent[]) => void): void {
    this.#succession = { runId, events, stored };
    this.#activate();
  }

  /** How many events of the run are stored. */
  get stored(): number {
    return this.#length;
  }

  /** How many events the run has once everything that is recorded is stored. */
  get length(): number {
    return this.#length + (this.#sending?.events.length ?? 0) + (this.#outbox?.events.length ?? 0);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#activate();
  }

  /** The store reports a change: the length of the history after an append, or `null`. */
  changed(length: number | null): void {
    if (this.#reported !== null) this.#reported = length;
    this.#activate();
  }

  /** The run is not live any more. Events that are not in flight stay out of the store. */
  close(): void {
    this.#closed = true;
    if (this.#outbox !== undefined) settle(this.#outbox, false);
    this.#outbox = undefined;
  }

  /** Whether the store may hold events that the run was not given. */
  get behind(): boolean {
    return this.#loading || this.#outdated;
  }

  /** Whether something is to be written, or is in flight. */
  get busy(): boolean {
    return this.#sending !== undefined || this.#loading || this.#outbox !== undefined || this.#succession !== undefined;
  }

  /** Resolves when no event is on its way into the store. */
  whenWritten(): Promise<void> {
    return this.#active ? (this.#written ??= new Deferred()).promise : Promise.resolve();
  }

  get #outdated(): boolean {
    return this.#reported !== undefined && this.#reported !== this.#length;
  }

  get #hasWork(): boolean {
    return !this.#closed && !this.#paused &&
      (this.#outbox !== undefined || this.#succession !== undefined || this.#outdated);
  }

  /** Begins in a microtask, so that events that are recorded together are appended together; later if there is no room. */
  #activate(): void {
    if (this.#active || !this.#hasWork) return;
    this.#active = true;
    queueMicrotask(() => {
      const { turns } = this.#store;
      if (turns.take()) this.#next();
      else turns.later(() => this.#next());
    });
  }

  #next(): void {
    if (!this.#hasWork) {
      this.#active = false;
      this.#written?.resolve();
      this.#written = undefined;
    } else if (this.#outdated) this.#guard(this.#catchUp(undefined, false));
    else if (this.#outbox === undefined) this.#guard(this.#replace(this.#succession!));
    else {
      const batch = this.#sending = this.#outbox;
      this.#outbox = undefined;
      this.#append(batch).then(() => {
        this.#done(batch);
        this.#next();
      }, (error) => this.#guard(this.#retry(batch, error)));
    }
  }

  async #guard(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#owner.lost(error);
    }
    this.#next();
  }

  #append({ events }: Outgoing): Promise<void> {
    const { workflowId, runId } = this.#owner;
    return this.#store.append(
      new FrozenBatch(workflowId, runId, this.#length, events, undefined, this.#store.listener),
    );
  }

  /** An append is carried out. */
  #done(batch: Outgoing): void {
    const { events } = batch;
    this.#length += events.length;
    this.#sending = undefined;
    if (batch.posted !== undefined) settle(batch, true);
    if (this.#closed) this.#reportLate();
    else this.#owner.stored(events, events);
  }

  /** An append ended after its run: whoever has taken its place here was not told of it by the store. */
  #reportLate(): void {
    this.#store.listener?.(this.#owner.workflowId, null);
  }

  async #retry(batch: Outgoing, error: unknown): Promise<void> {
    let ambiguous = false; // whether the store may hold the events, although it did not answer so
    try {
      for (let attempt = 1; !this.#closed; attempt++) {
        // A conflict without new events is a failure of the store.
        if (!isConflict(error) || !await this.#catchUp(batch, ambiguous)) {
          ambiguous ||= !isConflict(error);
          await this.#store.backOff(error, attempt);
        }
        if (this.#closed || batch.events.length === 0) break;
        try {
          await this.#append(batch);
          return this.#done(batch);
        } catch (next) {
          error = next;
        }
      }
    } catch (failure) {
      this.#owner.lost(failure);
    } finally {
      this.#sending = undefined;
      settle(batch, !this.#closed || (ambiguous ? undefined : false)); // what is left of a live run's batch is stored
      if (this.#closed && ambiguous) this.#reportLate();
    }
  }

  /** Appends the successor. Its events are made anew whenever something was stored in between. */
  async #replace({ runId, events: make, stored }: Succession): Promise<void> {
    const { workflowId, runId: replaces } = this.#owner;
    for (let attempt = 1; !this.#closed; attempt++) {
      const events = make();
      try {
        await this.#store.append(
          new FrozenBatch(workflowId, runId, this.#length, events, replaces, this.#store.listener),
        );
        this.#succession = undefined;
        return stored(events);
      } catch (error) {
        const state = isConflict(error) ? await this.#store.load(workflowId) : null;
        if (state?.runId === runId) { // it is stored, only the answer was lost
          this.#succession = undefined;
          return stored(state.history);
        }
        if (!isConflict(error) || !await this.#catchUp(undefined, false)) await this.#store.backOff(error, attempt);
      }
    }
  }

  /**
   * Loads what other executors have stored, and reports it. Takes the events that are superseded out of the outbox and of
   * `batch`.
   *
   * @param batch The append that failed.
   * @param ambiguous Whether the store may hold events of `batch`.
   * @returns Whether there was anything new.
   */
  async #catchUp(batch: Outgoing | undefined, ambiguous: boolean): Promise<boolean> {
    this.#reported = undefined; // what is reported from here on may be newer than the answer
    this.#loading = true;
    const state = await this.#store.load(this.#owner.workflowId).finally(() => this.#loading = false);
    if (this.#closed) return true;
    const lost = whyLost(this.#owner, state, this.#length);
    if (lost !== undefined) {
      this.#owner.lost(lost);
      return true;
    }
    const { history, status } = state!;
    const news = history.slice(this.#length);
    this.#length = history.length;
    if (status !== "running" && !news.some(finalStatus)) news.push(endOf(state!));
    const taken = new TakenPlaces(batch || this.#outbox ? news : none); // often there is nothing of our own
    const ours = batch === undefined || !ambiguous ? none : batch.events.flatMap((event) => taken.get(event) ?? []);
    for (const outgoing of [batch, this.#outbox]) {
      if (outgoing !== undefined) outgoing.events = outgoing.events.filter((event) => !taken.supersedes(event));
    }
    if (batch?.events.length === 0) this.#sending = undefined; // nothing of it is left to send
    const outbox = this.#outbox;
    if (outbox?.events.length === 0) {
      this.#outbox = undefined;
      settle(outbox, true); // another executor stored the same
    }
    this.#owner.stored(news, ours);
    return news.length > 0;
  }
}

function settle(outgoing: Outgoing, stored: boolean | undefined): void {
  const { posted } = outgoing;
  outgoing.posted = undefined;
  if (posted !== undefined) { for (const call of posted) call(stored); }
}
