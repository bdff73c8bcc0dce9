/**
 * Stores the events of a run, and notices appends of other executors.
 *
 * A writer reports two things to its run: events that are stored now, by anybody, in the order of the history; and that the
 * run is lost to this executor, with the reason.
 *
 * It also calls back for each `post()` and `succeed()`: those are answers to calls of the run.
 *
 * 1. One append at a time, in the order of recording. Events that are recorded together are appended together.
 * 2. On a conflict the writer loads what is new, reports it, drops its own events that are superseded, and tries again. A read
 *    may be old: if it contradicts what is known, it counts only when it is repeated.
 * 3. A failing append is tried again with backoff. The store may have carried it out and lost the answer: then the next try
 *    finds its own events in the history and reports them as its own.
 * 4. While it is paused (a replay), it records, and neither writes nor reads.
 * 5. After `confirm()`, an append that succeeds confirms that the run is given every stored event: one of its own, or one
 *    without events. Until then the writer is `behind`.
 *
 * @module
 */

import { codeOf, type WorkflowError, workflowError } from "../errors.ts";
import type { RunKey } from "../hooks.ts";
import type { AppendBatch, WorkflowEvent, WorkflowHead, WorkflowState } from "../types.ts";
import { Deferred } from "../util/deferred.ts";
import { finalStatus, FrozenBatch, headOf } from "../history/history.ts";
import { validateHistory } from "../history/validate.ts";
import { TakenPlaces } from "../history/superseded.ts";
import { endOf } from "./events.ts";
import { isConflict, isLeaseLost, type RetryingStore } from "./retrying_store.ts";

/** The run that a writer writes for. */
export interface WriterOwner extends RunKey {
  /**
   * Events are in the history now.
   *
   * @param events In the order of the history.
   * @param ours Those that this writer stored.
   */
  stored(events: readonly WorkflowEvent[], ours: readonly WorkflowEvent[]): void;
  /** The run cannot be resumed here. */
  lost(error: unknown): void;
  /**
   * Performs the commands that `events` ask for, if they need not be stored before that: then they are stored with what follows, or
   * by `flush()`.
   *
   * @returns Whether all of them can wait; if not, none is performed.
   */
  defer(events: readonly WorkflowEvent[]): boolean;
  /** Whether an owner has the run by a lease. */
  readonly leased: boolean;
  /** Who owns the run by a lease, and when it continues by itself after `events`; `undefined` without leases. */
  lease(events: readonly WorkflowEvent[]): Pick<AppendBatch, "owner" | "wakeAt"> | undefined;
}

/** Why a run that is not the stored one any more is lost. */
export const replaced = "another run has replaced it";

/** The error with which a run is lost. */
export function lostError(workflowId: string, why: string, code: "conflict" | "not_found" = "conflict"): WorkflowError {
  return workflowError(code, "resume workflow", workflowId, why);
}

/**
 * Loads a run that is known to be stored. A read that contradicts this may be old, so it is repeated, with backoff.
 *
 * @param length How many events of the run are known to be stored.
 * @param isExpected Whether the store has reported that the workflow was saved or deleted.
 * @param nextId The ID of the next run of the chain, if it may be stored.
 * @throws {WorkflowError} The reason why the run cannot be resumed.
 */
export async function loadRun(
  store: RetryingStore,
  { workflowId, runId }: Pick<RunKey, "workflowId" | "runId">,
  length: number,
  isExpected = false,
  nextId?: string,
): Promise<WorkflowState> {
  for (const reads = { count: 0 };;) {
    const state = await store.load(workflowId);
    const isRun = state?.runId === runId;
    if (state !== null && (isRun ? state.history.length >= length : state.runId === nextId)) return state;
    const why = state === null
      ? "it was deleted from the store"
      : isRun
      ? `the stored history has ${state.history.length} events, ${length} were there before`
      : replaced;
    const lost = lostError(workflowId, why, state === null ? "not_found" : "conflict");
    if (isExpected || !await store.isOld(state, reads, isRun ? undefined : lost)) throw lost;
  }
}

/** Whether `loadRun()` found that the run is not there any more. */
export function isLost(error: unknown): boolean {
  return isConflict(error) || codeOf(error) === "not_found";
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

/** What was read: of the run, the events that were not known; of the next run of the chain, all. */
interface Read {
  readonly head: WorkflowHead;
  readonly news: readonly WorkflowEvent[];
}

const none: readonly never[] = [];

export class Writer {
  readonly #store: RetryingStore;
  readonly #owner: WriterOwner;
  /** How many events of the run are known to be stored. */
  #length: number;
  /** What was reported last, if the store has not confirmed the history since. */
  reported: number | null | undefined;
  /** How often it was asked to confirm the length, and how many of these the append in flight and the last one answer. */
  #asked = 0;
  #answering = 0;
  #answered = 0;
  #outbox: Outgoing | undefined;
  /** How many events at the beginning of the outbox wait until another event follows. */
  #deferred = 0;
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

  /** Stores what waits for another event. */
  flush(): void {
    if (this.#deferred > 0) this.#deferred = -1;
    this.#activate();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#activate();
  }

  /** The store reports a change; see `LiveRun.changed()`. */
  changed(length: number | null): void {
    // While it is continued, the length may be that of the next run.
    const known = Math.max(this.#succession === undefined ? this.#length : 0, this.reported ?? 0);
    if (length === known) return;
    this.reported = length;
    if (length === null || length < known) this.#asked++; // a smaller one is that of another run, or comes late
    this.#activate();
  }

  /** Makes sure that the run is given every event that is stored by now. */
  confirm(): void {
    this.#asked++;
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
    return this.#loading || this.#outdated || this.unconfirmed;
  }

  /** Whether something is to be written, or is in flight. */
  get busy(): boolean {
    return this.#sending !== undefined || this.behind || this.#outbox !== undefined || this.#succession !== undefined;
  }

  /** Resolves when no event is on its way into the store. */
  whenWritten(): Promise<void> {
    return this.#active ? (this.#written ??= new Deferred()).promise : Promise.resolve();
  }

  get #outdated(): boolean {
    return typeof this.reported === "number" && this.reported !== this.#length;
  }

  /** Whether it was asked to confirm the length, and has not done so. */
  get unconfirmed(): boolean {
    return this.#answered !== this.#asked;
  }

  get #hasWork(): boolean {
    return !this.#closed && !this.#paused &&
      (this.#outbox !== undefined && this.#outbox.events.length !== this.#deferred || this.#succession !== undefined ||
        this.#outdated || this.unconfirmed);
  }

  /** Begins in a microtask, so that events that are recorded together are appended together; later if there is no room. */
  #activate(): void {
    if (this.#active || !this.#hasWork) return;
    this.#active = true;
    Promise.resolve().then(() => {
      const { turns } = this.#store;
      // With a lease, the code comes to rest first: then it is known when it continues.
      if (!this.#owner.leased && turns.take()) this.#next();
      else turns.later(() => this.#next());
    });
  }

  #next(): void {
    if (!this.#hasWork) {
      this.#active = false;
      this.#written?.resolve();
      this.#written = undefined;
    } else if (this.#outdated) this.#guard(this.#catchUp(undefined, false));
    else if (this.#outbox === undefined && this.#succession) this.#guard(this.#replace(this.#succession));
    else if (this.#defer()) this.#next();
    else {
      this.#deferred = 0;
      const batch = this.#sending = this.#outbox ?? { events: [], posted: undefined };
      this.#outbox = undefined;
      this.#append(batch.events).then(() => {
        this.#done(batch);
        this.#next();
      }, (error) => this.#guard(this.#retry(batch, error)));
    }
  }

  /** Whether everything in the outbox waits for another event. */
  #defer(): boolean {
    const outbox = this.#outbox;
    if (!this.#owner.leased || outbox === undefined || this.#deferred < 0) return false;
    if (outbox.posted !== undefined || this.#succession !== undefined || this.unconfirmed) return false;
    const { length } = outbox.events;
    if (length === this.#deferred || !this.#owner.defer(outbox.events.slice(this.#deferred))) return false;
    this.#deferred = length; // an activity may have ended meanwhile, and recorded that
    return true;
  }

  async #guard(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#owner.lost(error);
    }
    this.#next();
  }

  /** @param replaces The run that the one with the ID `runId` continues. */
  #append(events: readonly WorkflowEvent[], runId = this.#owner.runId, replaces?: string): Promise<void> {
    this.#answering = this.#asked;
    return this.#store.append(
      new FrozenBatch(
        this.#owner.workflowId,
        runId,
        this.#length,
        events,
        replaces,
        this.#store.listener,
        this.#owner.lease(events),
      ),
    );
  }

  /** An append is carried out. */
  #done(batch: Outgoing): void {
    const { events } = batch;
    this.#length += events.length;
    this.#answered = this.#answering;
    if (!this.behind) this.reported = undefined;
    this.#sending = undefined;
    if (batch.posted !== undefined) settle(batch, true);
    if (this.#closed) this.#reportLate(0);
    else this.#owner.stored(events, events);
  }

  /** An append ended after its run: whoever has taken its place here was not told of it by the store. */
  #reportLate(more: number): void {
    this.#store.listener?.(this.#owner.workflowId, this.#length + more);
  }

  async #retry(batch: Outgoing, error: unknown): Promise<void> {
    let ambiguous = false; // whether the store may hold the events, although it did not answer so
    try {
      for (let failures = 0; !this.#closed;) {
        if (isLeaseLost(error)) throw error;
        // A conflict without new events is a failure of the store, or the read was old.
        if (isConflict(error) && await this.#catchUp(batch, ambiguous)) failures = 0;
        else {
          ambiguous ||= !isConflict(error);
          await this.#store.backOff(error, ++failures);
        }
        if (this.#closed || batch.events.length === 0 && !(this.unconfirmed && this.#outbox === undefined)) break;
        try {
          await this.#append(batch.events);
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
      if (this.#closed && ambiguous) this.#reportLate(batch.events.length);
    }
  }

  /** Appends the successor. Its events are made anew whenever something was stored in between. */
  async #replace({ runId, events: make, stored }: Succession): Promise<void> {
    for (let attempt = 1; !this.#closed; attempt++) {
      const events = make();
      try {
        await this.#append(events, runId, this.#owner.runId);
        this.#succession = undefined;
        this.#answered = this.#answering;
        return stored(events);
      } catch (error) {
        if (isLeaseLost(error)) throw error;
        const read = isConflict(error) ? await this.#load(runId) : undefined;
        if (this.#closed) return;
        if (read?.head.runId === runId) { // it is stored, only the answer was lost
          this.#succession = undefined;
          this.#asked++; // others may have written to it, and the read may be old
          return stored(read.news);
        }
        if (read === undefined || !this.#learn(read, undefined, false)) await this.#store.backOff(error, attempt);
      }
    }
  }

  /** Loads and reports what other executors have stored; see {@linkcode #learn}. */
  async #catchUp(batch: Outgoing | undefined, ambiguous: boolean): Promise<boolean> {
    const read = await this.#load();
    return this.#closed || this.#learn(read, batch, ambiguous);
  }

  /** @param nextId The ID of the next run of the chain, if it may be stored. */
  async #load(nextId?: string): Promise<Read> {
    const { workflowId, runId } = this.#owner;
    const { reported } = this;
    this.reported = undefined; // what is reported from here on may be newer than the answer
    this.#loading = true;
    try {
      const known = this.#length;
      const tail = await this.#store.loadSince(workflowId, known, runId);
      let read: Read;
      if (tail?.head.runId === runId && tail.events.length === tail.head.historyLength - known) {
        read = { head: tail.head, news: tail.events };
      } else { // the read is old, or the run has left: that is found out
        const state = await loadRun(this.#store, this.#owner, known, reported === null, nextId);
        read = { head: headOf(state), news: state.runId === runId ? state.history.slice(known) : state.history };
      }
      validateHistory(read.news, 0, "resume workflow", workflowId);
      if (read.head.historyLength < (reported ?? 0)) this.#asked++; // the read is old
      return read;
    } finally {
      this.#loading = false;
    }
  }

  /**
   * Reports what other executors have stored. Takes the events that are superseded out of the outbox and of `batch`.
   *
   * @param batch The append that failed.
   * @param ambiguous Whether the store may hold events of `batch`.
   * @returns Whether there was anything new.
   */
  #learn({ head, news: read }: Read, batch: Outgoing | undefined, ambiguous: boolean): boolean {
    const news = [...read];
    this.#length = head.historyLength;
    if (head.status !== "running" && !news.some(finalStatus)) news.push(endOf(head));
    const taken = new TakenPlaces(batch || this.#outbox ? news : none); // often there is nothing of our own
    const ours = batch === undefined || !ambiguous ? none : batch.events.flatMap((event) => taken.get(event) ?? []);
    for (const outgoing of [batch, this.#outbox]) {
      if (outgoing !== undefined) outgoing.events = outgoing.events.filter((event) => !taken.supersedes(event));
    }
    if (batch?.events.length === 0) this.#sending = undefined; // nothing of it is left to send
    const outbox = this.#outbox;
    this.#deferred = 0;
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
