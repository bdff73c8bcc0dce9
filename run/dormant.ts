/**
 * Parked runs: those for which nothing goes on are dropped from memory, and replayed from the store when something comes.
 *
 * 1. A run is parked only while it waits for its context: for signals, points in time, conditions and children that run
 *    here. What comes back is the same: every wait of its code follows from the history.
 * 2. No timer is set for the parking itself, so that it neither moves a virtual clock nor keeps a process alive: who rests
 *    for long enough is looked for one hop after something has come to rest.
 * 3. What is back knows at first as much of the history as it knew before. What others have added is read after that:
 *    the commands among it are theirs to perform, and what the code says of it is no replay.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Workflow } from "../context.ts";
import type { WorkflowEvent, WorkflowStartedEvent, WorkflowState, WorkflowStatus } from "../types.ts";
import { Deferred } from "../util/deferred.ts";
import type { Chain, LiveRun, Parked, UpdateRequest } from "./live.ts";
import type { Wait } from "./waits.ts";
import { type Host, type Resting, Run } from "./run.ts";
import { isConflict } from "./retrying_store.ts";
import { type Timer, TimerQueue } from "../util/timer_queue.ts";
import type { Turns } from "./turns.ts";
import { whyLost } from "./writer.ts";

/** Parks runs that have rested for a while. */
export class Parking implements Resting {
  readonly #clock: Clock;
  readonly #turns: Turns;
  readonly #afterMs: number;
  readonly #park: (run: Run, parked: Parked) => void;
  /** When each of the resting runs is to be parked. No clock knows of it. */
  readonly #queue = new TimerQueue();
  readonly #timers = new Map<Run, Timer>();
  #looking = false;

  /** @param park Puts a parked run in the place of one that has left. */
  constructor(clock: Clock, turns: Turns, afterMs: number, park: (run: Run, parked: Parked) => void) {
    this.#clock = clock;
    this.#turns = turns;
    this.#afterMs = afterMs;
    this.#park = park;
  }

  rest(run: Run): void {
    this.forget(run);
    const timer = this.#queue.set(this.#clock.now() + this.#afterMs, () => {
      this.#timers.delete(run);
      const parked = run.park();
      if (parked !== undefined) this.#park(run, parked);
    });
    this.#timers.set(run, timer);
    if (this.#looking) return;
    this.#looking = true;
    this.#turns.begin(this); // not at once: whoever has waited for the run to rest may go on with it now
  }

  forget(run: Run): void {
    const timer = this.#timers.get(run);
    if (timer === undefined) return;
    this.#queue.clear(timer);
    this.#timers.delete(run);
  }

  endTurn(): void {
    this.#looking = false;
    const now = this.#clock.now();
    for (let timer = this.#queue.peek(); timer !== undefined && timer.dueAt <= now; timer = this.#queue.peek()) {
      this.#queue.clear(timer);
      timer.callback();
    }
  }
}

/** What a parked run uses of its executor. */
export interface ParkedHost extends Host {
  /** A run takes the place of a parked one. */
  woken(run: Run): void;
}

interface Waking {
  /** Whether the history may have events that the run did not know of. */
  changed: boolean;
  /** What is to be done once it is back, or cannot come back. */
  visits: ((run: Run | undefined) => void)[];
}

/** Stands for a run until it is needed. */
export class ParkedRun implements LiveRun {
  readonly workflowId: string;
  readonly runId: string;
  readonly workflowName: string;
  readonly chain: Chain;
  readonly parent: WorkflowStartedEvent["parent"];
  readonly begun: boolean;
  readonly #host: ParkedHost;
  readonly #workflow: Workflow<never>;
  /** How many events the run knew of. */
  #length: number;
  readonly #children: readonly number[];
  readonly #timer: Timer | undefined;
  /** What has come since the run is on its way back; none before. */
  #waking: Waking | undefined;
  /** Why it cannot go on. */
  #suspended: { readonly error: unknown } | undefined;

  constructor(host: ParkedHost, run: Run, { workflow, historyLength, wakesAt, children }: Parked) {
    this.workflowId = run.workflowId;
    this.runId = run.runId;
    this.workflowName = run.workflowName;
    this.chain = run.chain;
    this.parent = run.parent;
    this.begun = run.begun;
    this.#host = host;
    this.#workflow = workflow;
    this.#length = historyLength;
    this.#children = children;
    this.#timer = wakesAt === Infinity ? undefined : host.timers.set(wakesAt, () => void this.#wake());
    this.chain.latest = this;
  }

  get status(): WorkflowStatus {
    return "running";
  }

  get open(): boolean {
    return this.chain.latest === this && this.#suspended === undefined;
  }

  get ended(): Promise<LiveRun> {
    return this.open ? (this.chain.ended ??= new Deferred()).promise : Promise.resolve(this);
  }

  post(event: WorkflowEvent): Promise<boolean> {
    return this.#reach((run) => run.post(event), false);
  }

  cancel(event: WorkflowEvent): Promise<boolean> {
    return this.#reach((run) => run.cancel(event), false);
  }

  terminate(event: WorkflowEvent): Promise<boolean> {
    return this.#reach((run) => run.terminate(event), false);
  }

  query(name: string, args: readonly unknown[]): Promise<{ readonly value: unknown } | undefined> {
    return this.#reach((run) => run.query(name, args), undefined);
  }

  update(request: UpdateRequest): Promise<{ readonly value: unknown } | undefined> {
    return this.#reach((run) => run.update(request), undefined);
  }

  told(historyLength: number | null): void {
    if (historyLength === this.#length) return; // what it has written itself
    this.#wake().changed = true;
  }

  childEnded(seq: number, child: LiveRun): void {
    if (!this.#children.includes(seq)) return;
    if (child.status === "running") {
      try {
        child.result();
      } catch (error) {
        if (!isConflict(error)) return this.suspend(error); // as a parent in memory
      }
    }
    this.#wake();
  }

  waits(): Wait[] {
    return [{ type: "parked", ...(this.#timer === undefined ? {} : { wakesAt: this.#timer.dueAt }) }];
  }

  takeOver(historyLength: number): void {
    if (historyLength <= this.#length) return;
    this.#length = historyLength;
    this.#wake();
  }

  result(): never {
    throw this.#suspended!.error;
  }

  suspend(error: unknown): void {
    if (!this.open) return;
    this.#suspended = { error };
    const { chain } = this;
    this.#host.timers.clear(this.#timer);
    if (chain.slot) this.#host.runSlots!.release();
    chain.slot = false;
    this.#host.ended(this);
    chain.ended?.resolve(this);
    chain.ended = undefined;
    for (const visit of this.#waking?.visits ?? []) visit(undefined);
  }

  /** Does something with the run once it is back, or answers `lost` if another executor has continued it. */
  async #reach<T>(use: (run: Run) => Promise<T>, lost: T): Promise<T> {
    try {
      return await this.#visit(use);
    } catch (error) {
      if (this.#suspended?.error === error && isConflict(error)) return lost;
      throw error;
    }
  }

  /** Does something with the run once it is back, in the order of the calls. */
  #visit<T>(use: (run: Run) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#wake().visits.push((run) => run === undefined ? reject(this.#suspended!.error) : resolve(use(run)));
    });
  }

  /** Brings the run back. */
  #wake(): Waking {
    if (this.#waking === undefined) {
      this.#waking = { changed: false, visits: [] };
      this.#host.timers.clear(this.#timer);
      this.#load();
    }
    return this.#waking;
  }

  async #load(): Promise<void> {
    try {
      const state = await this.#host.store.load(this.workflowId);
      if (!this.open) return; // the executor was closed
      const lost = whyLost(this, state, this.#length);
      if (lost === undefined) this.#replay(state!);
      else this.suspend(lost);
    } catch (error) {
      if (this.#suspended !== undefined) return; // the executor was closed
      this.chain.latest = this; // a store can hand out what makes no run
      this.#host.report(error);
      this.suspend(error);
    }
  }

  #replay(state: WorkflowState): void {
    const { history, status } = state;
    this.chain.woken = true;
    const known = status === "running" ? history.slice(0, this.#length) : history;
    const run = new Run(this.#host, this.#workflow, this, known, true, this.chain);
    this.#host.woken(run);
    if (status !== "running") run.endedElsewhere(state);
    else run.start();
    const { changed, visits } = this.#waking!;
    for (const visit of visits) visit(run);
    if (changed || history.length > known.length) run.told(null);
  }
}
