/**
 * A run that is live in this process: between the workflow code and the store.
 *
 * 1. An event is applied, and what it asks for is performed, only after it is stored.
 * 2. At most one event that workflow code can notice is applied in a turn.
 * 3. Whoever stored a command performs it. After a replay, what is open in the history is performed here.
 * 4. A run ends once: finished, as the store says, or suspended with an error while the stored run stays `running`.
 *
 * @module
 */

import { type ContextHost, ReplayContext } from "./context.ts";
import { CanceledError, type NonDeterminismError, WorkflowError } from "../errors.ts";
import type { Hooks, RunInfo } from "../hooks.ts";
import type {
  ChildStartedEvent,
  ErrorRecord,
  Workflow,
  WorkflowEvent,
  WorkflowStartedEvent,
  WorkflowState,
  WorkflowStatus,
} from "../types.ts";
import { type ActivityHost, ActivityTask } from "./activity.ts";
import { Answers } from "./answers.ts";
import { cannot } from "../util/check.ts";
import { type ChildHost, ChildTask } from "./child.ts";
import { Deferred } from "../util/deferred.ts";
import { fromErrorRecord, toErrorRecord } from "../history/error_record.ts";
import { Fifo } from "../util/fifo.ts";
import { callHook, tellOf } from "../hooks.ts";
import { acceptanceEvent, answerEvent, commandEvent, finalEvent } from "./events.ts";
import { finalStatus, firstRunOf, isCommand } from "../history/history.ts";
import type { Outcome } from "./handlers.ts";
import type { Chain, LiveRun, Parked, UpdateRequest } from "./live.ts";
import { type Wait, waitsOf } from "./waits.ts";
import { type Pending, Replay, type ReplayListener } from "./replay.ts";
import type { Stamp } from "./settings.ts";
import { isConflict, type RetryingStore } from "./retrying_store.ts";
import type { Slots, Ticket } from "../util/slots.ts";
import type { Timer } from "./timers.ts";
import { handOut } from "../history/value.ts";
import { show } from "../util/show.ts";
import { Writer, type WriterRun } from "./writer.ts";

/** What a run uses of its executor. */
export interface Host extends ActivityHost, ChildHost, ContextHost {
  readonly store: RetryingStore;
  readonly hooks: Hooks | undefined;
  /** How many workflows may run at a time; no limit if there is none. */
  readonly runSlots: Slots | undefined;
  /** What every run that begins here records. */
  readonly stamp: Stamp;
  /** Gives the ID of a new run. */
  newRunId(workflowId: string): string;
  /** How many events a history may have beside its last one; no limit if there is none. */
  readonly maxHistoryEvents: number | undefined;
  /** Who puts runs that rest out of memory; nobody if there is none. */
  readonly parking: Resting | undefined;
  /** The run is live no more. */
  ended(run: LiveRun): void;
  /** A run that was stored just now goes on where another one has ended. */
  begin(run: Run, started: WorkflowEvent): void;
}

/** Hears of runs for which nothing goes on. */
export interface Resting {
  /** For now nothing goes on for a run. */
  rest(run: Run): void;
  /** It is live no more. */
  forget(run: Run): void;
}

const none: readonly never[] = [];

export class Run implements LiveRun, ReplayListener, WriterRun {
  readonly workflowId: string;
  readonly runId: string;
  readonly workflowName: string;
  readonly chain: Chain;
  status: WorkflowStatus = "running";
  /** Whether the run goes on in this process. */
  live = true;
  readonly #host: Host;
  readonly #workflow: Workflow<never>;
  readonly #replay: Replay;
  readonly #writer: Writer;
  readonly #started: WorkflowStartedEvent;
  /** Stored events that are not applied. */
  readonly #queue = new Fifo<WorkflowEvent>();
  /** Workflow code sees no event any more. */
  #halted = false;
  /** The code does not go on: its time is to come, or there is no slot for it. */
  #waiting = false;
  #startTimer: Timer | undefined;
  #ticket: Ticket | undefined;
  /** The last event, once the workflow function has ended. */
  #final: WorkflowEvent | undefined;
  /** The input of the next run, once the workflow is to begin anew. */
  #continuation: { readonly input: unknown } | undefined;
  /** What has come from outside since then: it is for the next run to see. */
  #unseen: WorkflowEvent[] | undefined;
  /** The last event, or the next run, is on its way into the store. */
  #closing = false;
  /** The request for a cancellation: whether it got into the store. */
  #cancellation: Promise<boolean> | undefined;
  #deadline: Timer | undefined;
  /** None while nobody has asked for an update. */
  #answers: Answers | undefined;
  #settling: Deferred<void> | undefined;
  /** How many events of the run are known to be stored. */
  #known = 0;
  /** What is open is to be performed once so many events have been applied. */
  #adoptAt: number | undefined;
  /** Child workflows whose end is not stored, by their command's position. */
  #children: Map<number, ChildStartedEvent> | undefined;
  /** Those that a replayed cancellation has abandoned. */
  #orphans: ChildStartedEvent[] | undefined;
  /** What `result()` answers or throws, once the run has ended. */
  #result: (() => unknown) | undefined;

  /**
   * @param run Whose run this is.
   * @param history What is stored of it.
   * @param replay Whether the history was made by an earlier run of the code, in this process or another.
   * @param chain The runs that this one continues.
   */
  constructor(
    host: Host,
    workflow: Workflow<never>,
    run: RunInfo,
    history: readonly WorkflowEvent[],
    replay: boolean,
    chain?: Chain,
  ) {
    this.workflowId = run.workflowId;
    this.runId = run.runId;
    this.workflowName = run.workflowName;
    this.#host = host;
    this.#workflow = workflow;
    this.#replay = new Replay(run.workflowId, this);
    this.#replay.replaying = replay;
    this.#writer = new Writer(host.store, this, history.length, replay);
    this.#started = history[0] as WorkflowStartedEvent;
    const firstRunId = chain?.firstRunId ?? firstRunOf({ runId: run.runId, history });
    this.chain = chain ?? { firstRunId, latest: this, slot: false, ended: undefined, woken: false };
    this.chain.latest = this;
    for (const event of history) this.takeIn(event);
    const { at, timeoutMs, startAt = at } = this.#started;
    if (timeoutMs === undefined || this.#cancellation) return;
    this.#deadline = host.timers.set(startAt + timeoutMs, () => {
      const event = { type: "cancel_requested", at: host.clock.now(), timeoutMs } as const;
      this.cancel(Object.freeze(event)).catch(() => {}); // the run was suspended
    });
  }

  /** Begins with the event that was stored just now, or goes on where the history ends. */
  start(started?: WorkflowEvent): void {
    if (started !== undefined) tellOf(this.#host, started, this);
    const { startAt } = this.#started;
    const { clock, timers } = this.#host;
    if (startAt === undefined || startAt <= clock.now() || this.#cancellation) return this.#enter();
    this.#waiting = true;
    this.#replay.replaying = false; // no code has run: there is nothing to replay
    this.#writer.resume();
    this.#startTimer = timers.set(startAt, () => this.#enter());
    this.rest();
  }

  /**
   * Lets the code go on as soon as there is a slot. A run that continues another one has its slot; a child needs none, nor
   * does what only has to clean up.
   */
  #enter(): void {
    const { runSlots } = this.#host;
    const { chain } = this;
    if (runSlots !== undefined && !chain.slot && !this.#cancellation && this.#started.parent === undefined) {
      this.#ticket = runSlots.take("", () => {
        chain.slot = true;
        this.#begin();
      });
      if (this.#ticket !== undefined) {
        this.#waiting = true;
        return this.#writer.resume(); // what comes from outside is stored meanwhile
      }
      chain.slot = true;
    }
    this.#begin();
  }

  #begin(): void {
    this.#stopWaiting();
    this.pump();
  }

  #stopWaiting(): void {
    this.#host.timers.clear(this.#startTimer);
    this.#ticket?.cancel();
    if (this.#waiting && this.#replay.replaying && !this.#halted) this.#writer.pause();
    this.#waiting = false;
  }

  get begun(): boolean {
    return !this.#waiting;
  }

  waits(): Wait[] {
    if (!this.#waiting) return waitsOf(this.#replay, this.#host.clock.now());
    return [this.#ticket === undefined ? { type: "start", startAt: this.#started.startAt! } : { type: "slot" }];
  }

  get ended(): Promise<LiveRun> {
    return this.live ? (this.chain.ended ??= new Deferred()).promise : Promise.resolve(this);
  }

  get open(): boolean {
    return this.live && !this.#closing;
  }

  post(event: WorkflowEvent): Promise<boolean> {
    if (!this.open || !this.#fits(event)) return Promise.resolve(false);
    return new Promise((resolve, reject) =>
      this.#writer.post(event, (stored) => {
        if (stored || this.status !== "running" || this.chain.latest !== this) return resolve(stored === true);
        try {
          this.result(); // throws what suspended it
        } catch (error) {
          // Another executor has continued the run: the next one can be asked. But a signal may be stored already, and read.
          const again = isConflict(error) && (stored === false || event.type !== "signal_received");
          if (again) resolve(false);
          else reject(error);
        }
      })
    );
  }

  cancel(event: WorkflowEvent): Promise<boolean> {
    return this.#cancellation ??= this.post(event);
  }

  terminate(event: WorkflowEvent): Promise<boolean> {
    if (!this.open) return Promise.resolve(false);
    this.#halt();
    this.#writer.resume(); // a replay would have done so at its end
    const stored = this.post(event);
    this.#closing = true;
    return stored;
  }

  /**
   * Workflow code sees no event any more, and no attempt of an activity begins. Resolves when those that run have ended and
   * their outcomes are stored.
   */
  async drain(): Promise<void> {
    this.#halt();
    await Promise.all(Array.from(this.#replay.pending.values(), ({ effect }) => effect?.drain?.()));
    await this.written();
  }

  #halt(): void {
    this.#halted = true;
    this.#replay.stop();
  }

  /** Puts an event on its way into the store. */
  record(event: WorkflowEvent): void {
    if (!this.open) return;
    if (this.isObsolete(event)) this.dropped(event);
    else if (this.#fits(event)) this.#writer.record(event);
  }

  /** Whether there is room for an event in the history; if not, the run fails. What ends it, or asks it to end, has room. */
  #fits({ type }: WorkflowEvent): boolean {
    const { maxHistoryEvents, clock } = this.#host;
    if (maxHistoryEvents === undefined || this.#writer.length < maxHistoryEvents) return true;
    if (type === "cancel_requested" || type.startsWith("workflow_")) return true;
    const message = `Workflow ${show(this.workflowId)} needs more than ${maxHistoryEvents} events, ` +
      'the "maxHistoryEvents" of its executor: let it go on with a new history by ctx.continueAsNew() before that';
    const error = toErrorRecord(new WorkflowError("history_too_long", message));
    this.#final ??= Object.freeze({ type: "workflow_failed", at: clock.now(), error });
    if (!this.#replay.replaying) {
      this.#halt();
      this.#close(this.#final);
    }
    return false;
  }

  get parent(): WorkflowStartedEvent["parent"] {
    return this.#started.parent;
  }

  /** How large a payload may be. */
  get maxPayloadBytes(): number | undefined {
    return this.#started.maxPayloadBytes;
  }

  async query(name: string, args: readonly unknown[]): Promise<{ readonly value: unknown } | undefined> {
    await this.#settled();
    if (!this.live) return undefined; // its code may not have seen the end of the history
    return { value: this.#replay.handlers.query(this.workflowId, name, args) };
  }

  async update(request: UpdateRequest): Promise<{ readonly value: unknown } | undefined> {
    const { updateId, name, input } = request;
    // One that it has is waited for at once: when it is settled, it may have continued as new, and that run would take it anew.
    if (!this.#replay.updates?.has(updateId)) await this.#settled();
    const { handlers, updates } = this.#replay;
    let answer = this.#answers?.get(updateId);
    if (answer === undefined) {
      if (!this.open) return undefined;
      const taken = updates?.has(updateId) === true;
      if (!taken && !handlers.hasUpdate(name)) {
        const why = `it has no handler for ${show(name)}`;
        throw new WorkflowError("not_found", `${cannot("update workflow", this.workflowId)}: ${why}`);
      }
      if (!taken) handlers.validate(name, input);
      answer = (this.#answers ??= new Answers()).expect(updateId);
      if (!taken && !await this.post(acceptanceEvent(request, this.#host.clock.now()))) return undefined;
    }
    return { value: await answer };
  }

  /** Resolves when nothing that is stored is left to be seen by the workflow. */
  #settled(): Promise<void> {
    const { replaying, inTurn } = this.#replay;
    const busy = this.live && (replaying || inTurn || this.#queue.size > 0 || this.#writer.behind);
    return busy ? (this.#settling ??= new Deferred()).promise : Promise.resolve();
  }

  #endSettling(): void {
    this.#settling?.resolve();
    this.#settling = undefined;
  }

  /** Whoever waits for an update hears that there will be no answer. */
  #endAnswers(): void {
    const why = this.#continuation === undefined ? "it ended" : "it was continued as new";
    let error: unknown = new WorkflowError(
      "not_found",
      `${cannot("update workflow", this.workflowId)}: ${why} before it had answered`,
    );
    if (this.status === "running" && this.#continuation === undefined) {
      try {
        this.result();
      } catch (suspended) {
        error = suspended;
      }
    }
    this.#answers!.end(error);
  }

  told(historyLength: number | null): void {
    this.#writer.told(historyLength);
  }

  result(): unknown {
    return this.#result!();
  }

  suspend(error: unknown): void {
    this.#end(() => error, () => {
      throw error;
    });
  }

  /** Resolves when nothing of the run is on its way into the store. */
  written(): Promise<void> {
    return this.#writer.idle();
  }

  issued({ command, seq }: Pending): void {
    const at = this.#host.clock.now();
    // What an earlier run of the code had asked for, but not stored, counts from then on.
    const from = this.#replay.replaying ? Math.min(this.#replay.now, at) : at;
    this.record(commandEvent(command, seq, at, from, this.maxPayloadBytes));
  }

  answered(updateId: string, outcome: Outcome): void {
    this.record(answerEvent(updateId, outcome, this.#host.clock.now(), this.maxPayloadBytes));
  }

  patched(changeId: string): void {
    this.record(Object.freeze({ type: "patched", at: this.#host.clock.now(), changeId }));
  }

  abandoned({ seq, effect }: Pending): void {
    const event = this.#children?.get(seq);
    if (event === undefined) return;
    if (this.#replay.replaying) (this.#orphans ??= []).push(event);
    else if (effect instanceof ChildTask) effect.close();
    else this.#host.closeChild(this, event);
  }

  /** What becomes of the children when nobody is left who waits for them. */
  #closeChildren(): void {
    for (const [seq, event] of this.#children ?? []) {
      const effect = this.#replay.pending.get(seq)?.effect;
      if (effect instanceof ChildTask) effect.close();
      else this.#host.closeChild(this, event);
    }
  }

  returned(outcome: Outcome): void {
    this.#final ??= finalEvent(outcome, this.#replay.canceled, this.#host.clock.now());
    this.#conclude();
  }

  continuedAsNew(input: unknown): void {
    this.#continuation = { input };
    this.#conclude();
  }

  childStarted(): void {
    this.#conclude();
  }

  /** Ends the run if its code has ended, once every child is there that is to outlive it. */
  #conclude(): void {
    if ((this.#final ?? this.#continuation) === undefined || this.#replay.replaying || !this.open) return;
    for (const pending of this.#replay.pending.values()) {
      if (outlives(pending) && !(pending.effect instanceof ChildTask && pending.effect.started)) return;
    }
    if (this.#final !== undefined) return this.#close(this.#final);
    this.#writer.succeed(this.#host.newRunId(this.workflowId));
    this.#closing = true;
  }

  successor(): WorkflowEvent[] {
    const { startAt: _1, workflowVersion: _2, maxPayloadBytes: _3, ...first } = this.#started;
    const started: WorkflowStartedEvent = {
      ...first,
      ...this.#host.stamp,
      at: this.#host.clock.now(),
      input: this.#continuation!.input,
      firstRunId: this.chain.firstRunId,
    };
    const queued = this.#queue.toArray().filter(isFromOutside);
    return [Object.freeze(started), ...this.#replay.signals.unread(), ...this.#unseen ?? none, ...queued];
  }

  succeeded(runId: string, events: readonly WorkflowEvent[]): void {
    this.#closeChildren();
    const info = { workflowId: this.workflowId, runId, workflowName: this.workflowName };
    const next = new Run(this.#host, this.#workflow, info, events, false, this.chain);
    for (const event of events) {
      if (event.type === "update_accepted") this.#answers?.leave(event.updateId, next.#answers ??= new Answers());
    }
    this.#end(() => new CanceledError("The workflow was continued as new"), () => {
      throw new WorkflowError("not_found", `${cannot("wait for workflow", this.workflowId)}: it was continued as new`);
    });
    this.#host.begin(next, events[0]);
  }

  diverged(error: NonDeterminismError): void {
    if (this.chain.woken && this.#replay.replaying) this.#host.report(error); // nobody need have asked for it
    this.suspend(error);
  }

  takeIn(event: WorkflowEvent): void {
    this.#known++;
    this.#replay.note(event);
    if (event.type === "cancel_requested") {
      this.#cancellation ??= Promise.resolve(true);
      this.#host.timers.clear(this.#deadline);
      this.#deadline = undefined;
      if (this.#waiting) {
        // What is replayed may have begun before: its cleanup runs, whether there is a slot or not.
        if (!this.#replay.replaying) this.#replay.refuse(event);
        this.#stopWaiting();
      }
    }
    if (event.type === "update_completed") (this.#answers ??= new Answers()).give(event);
    else if (event.type === "child_started") (this.#children ??= new Map()).set(event.seq, event);
    else if (event.type === "child_completed" || event.type === "child_failed") this.#children?.delete(event.seq);
    if (this.live) this.#queue.push(event);
  }

  act(event: WorkflowEvent): void {
    if (!this.live) return;
    tellOf(this.#host, event, this);
    if (finalStatus(event) !== undefined) return this.#finish(event);
    if (!("seq" in event) || this.#closing) return;
    const pending = this.#replay.pending.get(event.seq);
    if (pending === undefined) return; // a cancellation was faster
    if (event.type === "activity_attempt_failed") pending.effect?.retry?.(event.retryAt);
    else if (isCommand(event) && !this.#halted && this.#isWanted(pending)) this.#perform(pending);
  }

  /** Whether a command is still to be performed, also if the code has ended. */
  #isWanted(pending: Pending): boolean {
    return (this.#final ?? this.#continuation) === undefined || outlives(pending);
  }

  isObsolete(event: WorkflowEvent): boolean {
    return this.#replay.isObsolete(event);
  }

  dropped(event: WorkflowEvent): void {
    if (event.type !== "activity_attempt_failed") return;
    const pending = this.#replay.pending.get(event.seq);
    if (pending === undefined) return;
    pending.effect?.stop(undefined); // whoever has stored the failure goes on with the next attempt
    pending.effect = undefined;
  }

  endedElsewhere(state: WorkflowState): void {
    const { status, result, error, updatedAt: at } = state;
    if (status === "completed") this.#finish({ type: "workflow_completed", at, result });
    else this.#finish({ type: `workflow_${status as "failed"}`, at, error: error ?? toErrorRecord(status) });
  }

  endTurn(): void {
    if (this.#replay.settleConditions()) return this.#host.turns.begin(this);
    this.#replay.inTurn = false;
    this.pump();
  }

  pump(): void {
    try {
      this.#pump();
    } catch (error) {
      this.suspend(error); // a store handed out what is no event; the other runs go on
    }
  }

  /** Applies what is stored, up to the next event that workflow code can notice. */
  #pump(): void {
    while (this.live && !this.#replay.inTurn && !this.#halted && !this.#waiting) {
      if (this.#queue.size === 0) {
        if (this.#replay.replaying) this.#endReplay();
        else this.#adopt();
        this.#conclude();
        if (!this.#writer.behind) this.#endSettling();
        return this.rest();
      }
      const event = this.#queue.shift();
      if (this.#continuation !== undefined && isFromOutside(event)) {
        (this.#unseen ??= []).push(event);
        continue;
      }
      this.#replay.apply(event);
      if (event.type === "workflow_started") {
        const ctx = new ReplayContext(this, this.#replay, this.#host);
        this.#replay.start(this.#workflow, ctx, handOut(event.input));
      }
      if (this.#replay.inTurn) this.#host.turns.begin(this);
    }
  }

  #endReplay(): void {
    this.#replay.replaying = false;
    callHook(this.#host, "workflowReplayed", { events: this.#writer.stored }, this);
    this.#adoptAt ??= 0;
    this.#adopt();
    for (const event of this.#orphans ?? []) {
      if (this.#children?.has(event.seq)) this.#host.closeChild(this, event);
    }
    this.#orphans = undefined;
    this.#writer.resume();
  }

  takeOver(historyLength: number): void {
    this.#adoptAt = historyLength;
    this.told(historyLength);
    this.#adopt();
  }

  /** Performs what is open in the history and is not performed here, if that is to be done and its time has come. */
  #adopt(): void {
    if (this.#adoptAt === undefined || this.#known < this.#adoptAt) return;
    if (this.#replay.replaying || this.#replay.inTurn || this.#queue.size > 0) return;
    this.#adoptAt = undefined;
    if (!this.open) return;
    for (const pending of this.#replay.pending.values()) {
      const { event, effect, resolved } = pending;
      if (event !== undefined && effect === undefined && !resolved && this.#isWanted(pending)) {
        this.#perform(pending, true);
      }
    }
  }

  #perform(pending: Pending, again = false): void {
    const { event, seq } = pending;
    if (event?.type === "timer_started") {
      const { clock, timers } = this.#host;
      const timer = timers.set(event.dueAt, () => {
        this.record(Object.freeze({ type: "timer_fired", at: clock.now(), seq }));
      });
      pending.effect = { stop: () => timers.clear(timer), wakesAt: event.dueAt };
    } else if (event?.type === "activity_started") {
      const task = new ActivityTask(this.#host, this, pending);
      if (pending.retryAt !== undefined) task.retry(pending.retryAt);
      else if (again && task.atMostOnce) task.interrupt();
      else task.begin();
    } else if (event?.type === "child_started") new ChildTask(this.#host, this, pending);
  }

  /** Puts the last event on its way. */
  #close(event: WorkflowEvent): void {
    this.record(event);
    this.#closing = true;
  }

  #finish(event: WorkflowEvent): void {
    this.status = finalStatus(event)!;
    if (this.live) this.#closeChildren();
    const reason = () => new CanceledError(`The workflow has ended: ${this.status}`);
    this.#end(reason, () => {
      if (event.type === "workflow_completed") return handOut(event.result);
      throw fromErrorRecord((event as { readonly error: ErrorRecord }).error);
    });
  }

  #end(reason: () => unknown, result: () => unknown): void {
    if (!this.live) return;
    this.live = false;
    this.#result = result;
    this.#replay.stop();
    this.#host.timers.clear(this.#deadline);
    this.#stopWaiting();
    if (this.chain.slot && this.chain.latest === this) {
      this.chain.slot = false;
      this.#host.runSlots!.release();
    }
    for (const { effect } of this.#replay.pending.values()) effect?.stop(reason());
    this.#queue.clear();
    this.#writer.close();
    this.#endSettling();
    if (this.#answers !== undefined) this.#endAnswers();
    this.#host.parking?.forget(this);
    this.#host.ended(this);
    const { chain } = this;
    const { ended } = chain;
    chain.ended = undefined;
    ended?.resolve(this);
  }

  childEnded(seq: number): void {
    const effect = this.#replay.pending.get(seq)?.effect;
    if (effect instanceof ChildTask) effect.ended();
  }

  rest(): void {
    const { parking } = this.#host;
    if (parking !== undefined && this.#rests()) parking.rest(this);
  }

  /** Whether nothing goes on in the run itself. What goes on for its commands is another matter. */
  #rests(): boolean {
    if (!this.open || this.#halted || this.#replay.replaying) return false;
    if (this.#writer.busy || this.#settling !== undefined) return false;
    if (this.#waiting) return this.#ticket === undefined; // who stands in line keeps its place
    return !this.#replay.inTurn && this.#queue.size === 0;
  }

  /**
   * Leaves memory, if nothing goes on for the run. Its code is dropped where it waits: it sees nothing any more. Answers what
   * is to be kept of it, or nothing if it stays.
   */
  park(): Parked | undefined {
    if (!this.#rests() || this.#replay.openUpdates > 0 || !(this.#waiting || this.#replay.waits)) return undefined;
    const { clock, timers } = this.#host;
    const pendings = [...this.#replay.pending.values()];
    let wakesAt = Math.min(this.#deadline?.dueAt ?? Infinity, this.#waiting ? this.#startTimer!.dueAt : Infinity);
    for (const { effect } of pendings) wakesAt = Math.min(wakesAt, effect?.wakesAt ?? -Infinity);
    if (wakesAt <= clock.now()) return undefined; // something goes on, or is about to
    this.live = false;
    this.#replay.stop();
    timers.clear(this.#deadline);
    timers.clear(this.#startTimer);
    for (const { effect } of pendings) effect!.stop(undefined);
    const children = pendings.filter(({ effect }) => effect instanceof ChildTask).map(({ seq }) => seq);
    const historyLength = this.#writer.length;
    return { workflow: this.#workflow, historyLength, wakesAt, children: children.length > 0 ? children : none };
  }
}

/** Whether a command has started a child that is left alone when the run ends. */
function outlives({ command, resolved }: Pending): boolean {
  return command.type === "child_started" && command.options.parentClosePolicy === "abandon" && !resolved;
}

/** What is seen by the next run if this one has not seen it. */
function isFromOutside({ type }: WorkflowEvent): boolean {
  return type === "signal_received" || type === "cancel_requested" || type === "update_accepted";
}
