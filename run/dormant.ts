/**
 * Dormant runs: an idle run is dropped from memory, and replayed from the store when something arrives for it.
 *
 * 1. A run becomes dormant only while its code waits for its context: for signals, points in time, conditions, and children
 *    that are live here. Each of these waits follows from the history, so a replay restores them.
 * 2. No timer is set for becoming dormant: it would move a virtual clock and keep a process alive. Idle runs are checked one
 *    macrotask after a run becomes idle.
 * 3. A run that wakes is first replayed up to the events that it knew before. Events that others have stored since are
 *    applied after that, and before the run performs its own commands again. The executors that stored those commands perform
 *    them. The code sees these events live, not in a replay.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Wait } from "../options.ts";
import type { WorkflowEvent, WorkflowStartedEvent, WorkflowState, WorkflowStatus } from "../types.ts";
import type { Workflow } from "../context.ts";
import { Deferred } from "../util/deferred.ts";
import { type Timer, TimerQueue } from "../util/timer_queue.ts";
import type { RunEnvironment } from "./environment.ts";
import { type Answer, endOf, type UpdateRequest } from "./events.ts";
import type { Chain, DormantState, LiveRun, StartableRun } from "./live_run.ts";
import { isElsewhere } from "./retrying_store.ts";
import { Run } from "./run.ts";
import type { Turns } from "./turns.ts";
import { isLost, loadRun } from "./writer.ts";

/** Finds the runs that have been idle for long enough. */
export class Dormancy {
  readonly #clock: Clock;
  readonly #turns: Turns;
  readonly #afterMs: number;
  readonly #becameDormant: (run: LiveRun, state: DormantState) => void;
  /** When each idle run becomes dormant. It is no timer of the clock. */
  readonly #queue = new TimerQueue();
  readonly #entries = new Map<LiveRun, Timer>();
  #checking = false;

  /** @param becameDormant Puts a dormant run in the place of a run that has left memory. */
  constructor(
    clock: Clock,
    turns: Turns,
    afterMs: number,
    becameDormant: (run: LiveRun, state: DormantState) => void,
  ) {
    this.#clock = clock;
    this.#turns = turns;
    this.#afterMs = afterMs;
    this.#becameDormant = becameDormant;
  }

  /** A run is idle from now on. */
  idle(run: StartableRun): void {
    this.forget(run);
    const entry = this.#queue.set(this.#clock.now() + this.#afterMs, () => {
      this.#entries.delete(run);
      const state = run.becomeDormant();
      if (state !== undefined) this.#becameDormant(run, state);
    });
    this.#entries.set(run, entry);
    if (this.#checking) return;
    this.#checking = true;
    this.#turns.later(this); // not at once: a caller that waited for the run to be idle may use it now
  }

  /** A run is not live any more. */
  forget(run: LiveRun): void {
    const entry = this.#entries.get(run);
    if (entry === undefined) return;
    this.#queue.clear(entry);
    this.#entries.delete(run);
  }

  endTurn(): void {
    this.#turns.repeat(() => this.#queue.fire(this.#clock.now()) || (this.#checking = false));
  }
}

/** A call that waits for a dormant run to be brought back into memory. It gets `undefined` if the run cannot wake. */
type Call = (run: Run | undefined) => void;

/** Takes the place of a run until something arrives for it. */
export class DormantRun implements LiveRun {
  declare readonly workflowId: string;
  declare readonly runId: string;
  declare readonly workflowName: string;
  declare readonly chain: Chain;
  declare readonly parent: WorkflowStartedEvent["parent"];
  declare readonly begun: boolean;
  readonly #environment: RunEnvironment;
  readonly #workflow: Workflow<never>;
  declare readonly historyLength: number;
  readonly #children: readonly number[];
  readonly #timer: Timer | undefined;
  /** The calls that wait for the run; set once it is waking. */
  #calls: Call[] | undefined;
  #suspended: { readonly error: unknown } | undefined;

  constructor(environment: RunEnvironment, run: LiveRun, state: DormantState) {
    this.workflowId = run.workflowId;
    this.runId = run.runId;
    this.workflowName = run.workflowName;
    this.chain = run.chain;
    this.parent = run.parent;
    this.begun = state.begun;
    this.#environment = environment;
    this.#workflow = state.workflow;
    this.historyLength = run.historyLength;
    this.#children = state.children;
    const { wakesAt } = state;
    if (wakesAt !== Infinity) this.#timer = environment.timing.timers.set(wakesAt, () => void this.#wake());
    this.chain.latest = this;
  }

  get status(): WorkflowStatus {
    return "running";
  }

  get acceptsEvents(): boolean {
    return this.chain.latest === this && this.#suspended === undefined;
  }

  get ended(): Promise<LiveRun> {
    return this.acceptsEvents ? (this.chain.ended ??= new Deferred()).promise : Promise.resolve(this);
  }

  post(event: WorkflowEvent, once?: boolean): Promise<boolean> {
    return this.#call((run) => run.post(event, once), false);
  }

  query(name: string, args: readonly unknown[]): Promise<Answer> {
    return this.#call((run) => run.query(name, args), undefined);
  }

  update(request: UpdateRequest, signal?: AbortSignal): Promise<Answer> {
    return this.#call((run) => run.update(request, signal), undefined);
  }

  changed(historyLength: number | null): void {
    if (historyLength === this.historyLength) return; // the run wrote that itself
    this.#wake().push((run) => run?.changed(historyLength));
  }

  childEnded(seq: number, child: LiveRun): void {
    if (!this.#children.includes(seq)) return;
    if (child.status === "running") {
      try {
        child.result();
      } catch (error) {
        if (!isElsewhere(error)) return this.suspend(error); // as `ChildCommand` does
      }
    }
    this.#wake();
  }

  waitsFor(): Wait[] {
    return [{ type: "dormant", ...(this.#timer !== undefined && { wakesAt: this.#timer.dueAt }) }];
  }

  takeOver(historyLength: number): void {
    if (historyLength > this.historyLength) this.#wake().push((run) => run?.takeOver());
  }

  result(): never {
    throw this.#suspended!.error;
  }

  suspend(error: unknown): void {
    if (!this.acceptsEvents) return;
    this.#suspended = { error };
    const { timing, lifecycle } = this.#environment;
    timing.timers.clear(this.#timer);
    lifecycle.ended(this);
    for (const call of this.#calls ?? []) call(undefined);
  }

  /** Calls the run once it has woken. Returns `lost` if another executor has continued it. */
  async #call<T>(use: (run: Run) => Promise<T>, lost: T): Promise<T> {
    try {
      return await new Promise((resolve, reject) => {
        this.#wake().push((run) => run === undefined ? reject(this.#suspended!.error) : resolve(use(run)));
      });
    } catch (error) {
      if (this.#suspended?.error === error && isElsewhere(error)) return lost;
      throw error;
    }
  }

  /** Begins to bring the run back into memory. */
  #wake(): Call[] {
    if (this.#calls === undefined) {
      this.#calls = [];
      this.#environment.timing.timers.clear(this.#timer);
      this.#load();
    }
    return this.#calls;
  }

  async #load(): Promise<void> {
    try {
      await this.#environment.timing.turns.room();
      const state = await loadRun(this.#environment.store, this, this.historyLength);
      if (this.acceptsEvents) this.#replay(state); // else the executor was closed
    } catch (error) {
      if (this.#suspended !== undefined) return; // the executor was closed
      this.chain.latest = this; // the stored state is not valid
      if (!isLost(error)) this.#environment.runs.report(error);
      this.suspend(error);
    }
  }

  #replay(state: WorkflowState): void {
    const { history, status } = state;
    this.chain.wasDormant = true;
    const known = status === "running" ? history.slice(0, this.historyLength) : history;
    // Without a start of its code there is nothing to replay.
    const run = new Run(this.#environment, this.#workflow, this, known, this.begun, this.chain);
    this.#environment.lifecycle.woke(run);
    if (status !== "running") run.stored([endOf(state)], []);
    else run.start();
    for (const call of this.#calls!) call(run);
    run.changed(history.length);
  }
}
