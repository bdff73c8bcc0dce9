/**
 * A run that is live in this process, between workflow code and the store.
 *
 * Owns the phase of the run and what must happen in which order: it takes stored events from the writer, and hands them to the
 * replay one turn at a time. Its parts:
 *
 * | part | what it does |
 * | --- | --- |
 * | `Writer` | brings events into the store, and notices those of other executors |
 * | `Replay` | the code: history in, decisions out |
 * | `Decisions` | records what the code decides, up to its end or the next run |
 * | `Dispatcher` | performs the commands of the code, once they are stored |
 * | `Inbox` | the messages of others |
 *
 * ```
 * scheduled ──> queued ────────────────────> running ──> closing ────> ended
 *  (startAt)    (slot) └───> replaying ────────┘  └────> continuing ────┘   (the next run takes its place)
 *                            (a stored run)
 * ```
 *
 * Phases that are not needed are left out: without a start time and slots, a new run begins in `running`, and a stored one in
 * `replaying`. `scheduled` never leads to `replaying`: no code has run. A run can be suspended in every phase.
 *
 * | phase | what happens in it |
 * | --- | --- |
 * | `scheduled` | the start time of the run has not come; delivered events are stored |
 * | `queued` | the run waits for a slot of `maxConcurrentWorkflows`; delivered events are stored |
 * | `replaying` | the code repeats the stored history; the writer is paused, no command is performed |
 * | `running` | events are stored, applied one per turn, and stored commands are performed |
 * | `closing` | the last event is on its way into the store; nothing else can be delivered |
 * | `continuing` | the first events of the next run are on their way into the store |
 * | `ended` | this object is not used any more: the run is finished, suspended or continued, or a `DormantRun` replaces it |
 *
 * 1. An event is applied, and the command it asks for performed, only after it is stored.
 * 2. At most one event that workflow code can notice is applied in a turn.
 * 3. The executor that stored a command performs it. After a replay, the commands that are open in the history are performed
 *    here: they are "taken over". Before that, the store confirms that nothing was stored since the history was read.
 * 4. A run ends once. A suspended one leaves the stored run `running`, for `recover()`.
 *
 * An event takes this way: `stored()` notes it and queues it; `#applyNext()` applies it when its turn has come; `endTurn()` is
 * called when the microtasks of that turn have drained, and calls it again. A decision goes the other way: from the replay to
 * `Decisions`, and from there to the writer.
 *
 * The module is longer than 500 lines: all phases share the same few fields, and a reader follows them in one place. The
 * sections are: what the executor sees; the start; events in; what the parts use; deliveries and questions; the end; idle runs.
 *
 * @module
 */

import { CanceledError, codeOf, workflowError } from "../errors.ts";
import { callHook, hookNames, infoOf, type RunKey } from "../hooks.ts";
import type { VisitEnd } from "../middleware.ts";
import type { Wait } from "../options.ts";
import type { AppendBatch, ErrorRecord, WorkflowEvent, WorkflowStartedEvent, WorkflowStatus } from "../types.ts";
import type { Workflow } from "../context.ts";
import { Deferred } from "../util/deferred.ts";
import { Fifo } from "../util/fifo.ts";
import type { Ticket } from "../util/slots.ts";
import { fromErrorRecord } from "../history/error_record.ts";
import { finalStatus, firstRunOf } from "../history/history.ts";
import { handOut } from "../history/value.ts";
import { beginVisit, type CallOf } from "./calls.ts";
import { ChildCommand } from "./child.ts";
import { ReplayContext } from "./context.ts";
import { deadlineOf, type DecidingRun, Decisions } from "./decisions.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { RunEnvironment } from "./environment.ts";
import { type Answer, isDelivered, isTermination, type UpdateRequest } from "./events.ts";
import { continued, Inbox, type Receiver } from "./inbox.ts";
import type { Chain, DormantState, Lease, LiveRun, StartableRun } from "./live_run.ts";
import type { Replay } from "./replay.ts";
import { isConflict } from "./retrying_store.ts";
import type { Timer } from "./timers.ts";
import { Writer, type WriterOwner } from "./writer.ts";

type Phase =
  | { readonly name: "scheduled"; readonly timer: Timer }
  | { readonly name: "queued"; readonly ticket: Ticket; readonly replays: boolean }
  | { readonly name: "replaying" | "running" | "closing" | "continuing" }
  | { readonly name: "ended"; readonly result: () => unknown };

const replaying: Phase = { name: "replaying" };
const running: Phase = { name: "running" };
const closing: Phase = { name: "closing" };
const continuing: Phase = { name: "continuing" };

const none: readonly never[] = [];

export class Run implements StartableRun, WriterOwner, DecidingRun, Receiver {
  declare readonly workflowId: string;
  declare readonly runId: string;
  declare readonly workflowName: string;
  declare readonly chain: Chain;
  status: WorkflowStatus = "running";
  nextRunId: string | undefined;
  declare readonly environment: RunEnvironment;
  readonly #workflow: Workflow<never>;
  declare readonly started: WorkflowStartedEvent;
  readonly #writer: Writer;
  readonly #decisions: Decisions;
  readonly #replay: Replay;
  readonly #dispatcher: Dispatcher;
  #inbox: Inbox | undefined;
  #phase: Phase;
  /** Whether an earlier process may have called the code. */
  readonly #resumed: boolean;
  /** Stored events whose turn has not come. */
  readonly #queue = new Fifo<WorkflowEvent>();
  /** The requested cancellation; resolves to whether it is stored. */
  #cancellation: Promise<boolean> | undefined;
  #deadline: Timer | undefined;
  /** Resolves when the code has seen everything that is known to be stored; `undefined` while nobody waits for that. */
  #settling: Deferred<void> | undefined;
  /** Ends the visit, if there is middleware. */
  #endVisit: ((end: VisitEnd) => void) | undefined;

  /**
   * @param run The IDs and the name.
   * @param history What is stored of the run.
   * @param replays Whether the code is to be replayed: an earlier process made the history, or the run was dormant.
   * @param chain The runs that this one continues.
   * @param lease The lease of a run that continues no other; `undefined` without leases.
   */
  constructor(
    environment: RunEnvironment,
    workflow: Workflow<never>,
    run: RunKey,
    history: readonly WorkflowEvent[],
    replays: boolean,
    chain?: Chain,
    lease?: Lease,
  ) {
    this.workflowId = run.workflowId;
    this.runId = run.runId;
    this.workflowName = run.workflowName;
    this.environment = environment;
    this.#workflow = workflow;
    this.#phase = replays ? replaying : running;
    this.#resumed = replays;
    this.#writer = new Writer(environment.store, this, history.length, replays);
    this.#decisions = new Decisions(this, this.#writer);
    this.#replay = this.#decisions.replay;
    this.#dispatcher = this.#decisions.dispatcher;
    this.#replay.replaying = replays;
    this.started = history[0] as WorkflowStartedEvent;
    const firstRunId = chain?.firstRunId ?? firstRunOf({ runId: run.runId, history });
    this.chain = chain ?? { firstRunId, latest: this, hasSlot: false, ended: undefined, wasDormant: false, lease };
    this.chain.latest = this;
    for (const event of history) this.#note(event, false);
    const { timeoutMs } = this.started;
    if (timeoutMs === undefined || this.#cancellation) return;
    const { clock, timers } = environment.timing;
    this.#deadline = timers.set(deadlineOf(this.started)!, () => {
      const event = { type: "cancel_requested", at: clock.now(), timeoutMs } as const;
      this.post(Object.freeze(event)).catch(() => {}); // the run was suspended
    });
  }

  // What the executor sees

  get parent(): WorkflowStartedEvent["parent"] {
    return this.started.parent;
  }

  get live(): boolean {
    return this.#phase.name !== "ended";
  }

  get acceptsEvents(): boolean {
    const { name } = this.#phase;
    return name !== "closing" && name !== "continuing" && name !== "ended";
  }

  get begun(): boolean {
    const { name } = this.#phase;
    return name !== "scheduled" && name !== "queued";
  }

  get ended(): Promise<LiveRun> {
    return this.live ? (this.chain.ended ??= new Deferred()).promise : Promise.resolve(this);
  }

  waitsFor(): Wait[] {
    switch (this.#phase.name) {
      case "scheduled":
        return [{ type: "start", startAt: this.started.startAt! }];
      case "queued":
        return [{ type: "slot" }];
      default:
        return this.#replay.waitsFor(this.environment.timing.clock.now());
    }
  }

  result(): unknown {
    return (this.#phase as Phase & { name: "ended" }).result();
  }

  // The start

  /**
   * Starts a new run, or resumes a stored one.
   *
   * @param stored The first events, if they were stored just now.
   */
  start(stored: readonly WorkflowEvent[] = none): void {
    for (const event of stored) this.#callHook(event);
    const { startAt } = this.started;
    const { clock, timers } = this.environment.timing;
    if (startAt === undefined || startAt <= clock.now() || this.#cancellation) return this.#enter();
    if (this.#replay.replaying) this.takeOver();
    this.#replay.replaying = false; // no code has run: there is nothing to replay
    this.#phase = { name: "scheduled", timer: timers.set(startAt, () => this.#enter()) };
    this.#writer.resume();
    this.reportIdle();
  }

  /**
   * Begins as soon as there is a slot. A continued run keeps its predecessor's slot. Children and cancelled runs need none:
   * parents wait for their children, and a cancelled run only cleans up.
   */
  #enter(): void {
    const { slots } = this.environment.runs;
    const { chain } = this;
    if (slots !== undefined && !chain.hasSlot && !this.#cancellation && this.parent === undefined) {
      const ticket = slots.take("", () => {
        chain.hasSlot = true;
        this.#begin();
      });
      if (ticket !== undefined) {
        this.#phase = { name: "queued", ticket, replays: this.#replay.replaying };
        return this.#writer.resume(); // delivered events are stored meanwhile
      }
      chain.hasSlot = true;
    }
    this.#begin();
  }

  #begin(): void {
    this.#endWait();
    this.#applyNext();
  }

  /** It was to end without a call of its code, but another executor has called that: it is called here as well. */
  #beginAgain(): void {
    const next = this.environment.lifecycle.dormant(this, this.#leave(Infinity, false));
    next.changed(0); // it wakes
    if (this.#resumed) next.takeOver(Infinity); // the other executor may be gone
  }

  /** Ends the wait for the start time or for a slot: the next phase is the one in which the code runs. */
  #endWait(): void {
    const phase = this.#phase;
    if (phase.name === "scheduled") {
      this.environment.timing.timers.clear(phase.timer);
      this.#phase = running;
    } else if (phase.name === "queued") {
      phase.ticket.cancel();
      if (phase.replays && !this.#replay.stopped) this.#writer.pause();
      this.#phase = phase.replays ? replaying : running;
    }
  }

  // Events in: from the store to workflow code

  stored(events: readonly WorkflowEvent[], ours: readonly WorkflowEvent[]): void {
    if (!this.live) return;
    const own = ours === events ? undefined : new Set(ours);
    for (const event of events) this.#note(event, own?.has(event) ?? true);
    for (const event of ours) this.#callHook(event);
    const last = events.at(-1);
    if (last !== undefined && finalStatus(last) !== undefined) {
      return this.#finish(last, own?.has(last) ?? true);
    }
    if (this.#replay.wasCalled && !this.#replay.isCalled) return this.#beginAgain();
    // Only now: another executor may have stored the outcome of a command already, and all outcomes are noted first.
    for (const event of events) this.#replay.progressed(event, (own?.has(event) ?? true) && this.acceptsEvents);
    this.#dispatcher.stored(ours);
    if (this.begun) this.#applyNext();
    else this.reportIdle();
  }

  /** Notes an event that is in the history now. */
  #note(event: WorkflowEvent, isOurs: boolean): void {
    this.#replay.stored(event, isOurs && this.acceptsEvents);
    this.#queue.push(event);
    switch (event.type) {
      case "signal_received":
      case "update_requested":
      case "update_accepted":
      case "update_rejected":
      case "update_completed":
        return this.inbox.note(event, isOurs);
      case "cancel_requested":
        return this.#noteCancellation(event);
      case "child_started":
      case "child_completed":
      case "child_failed":
        return this.#dispatcher.noteChild(event);
    }
  }

  #noteCancellation(event: WorkflowEvent & { readonly type: "cancel_requested" }): void {
    this.#cancellation ??= Promise.resolve(true);
    this.environment.timing.timers.clear(this.#deadline);
    this.#deadline = undefined;
    if (this.begun) return;
    // A run that is replayed may have begun in an earlier process: its cleanup runs.
    if (this.#phase.name === "queued" && !this.#replay.replaying) this.#replay.cancelBeforeStart(event);
    this.#endWait();
  }

  /**
   * Applies stored events, up to the next one that workflow code can notice: then a turn has begun, and `endTurn()` continues.
   * Does nothing while the run waits for its start, while a turn is open, or after the replay was stopped.
   */
  #applyNext(): void {
    try {
      while (this.live && this.begun && !this.#replay.inTurn && !this.#replay.stopped) {
        if (this.#queue.size === 0) return this.#caughtUp();
        const event = this.#queue.shift();
        const inTurn = this.#replay.apply(event);
        if (event.type === "workflow_started") this.#callWorkflow(event);
        if (inTurn) this.environment.timing.turns.later(this);
      }
    } catch (error) {
      this.suspend(error); // the store answered something that is no event; other runs are not affected
    }
  }

  #callWorkflow(started: WorkflowStartedEvent): void {
    const ctx = new ReplayContext(this, this.#replay, this.environment.context);
    const input = handOut(started.input);
    const { activities } = this.environment;
    if (activities.middleware.length === 0) this.#replay.start(this.#workflow, ctx, input);
    else this.#visit(ctx, input);
  }

  /** A function of its own: without middleware, no variables for its closure are made. */
  #visit(ctx: ReplayContext, input: unknown): void {
    const call: CallOf<"visit"> = {
      kind: "visit",
      workflowId: this.workflowId,
      run: infoOf(this, this.started),
      replayedEvents: this.#replay.replaying ? this.#writer.stored : 0,
    };
    const ended = new Deferred<VisitEnd>();
    this.#endVisit = ended.resolve;
    const start = () => this.#replay.start(this.#workflow, ctx, input);
    beginVisit(this.environment.activities, call, start, ended.promise);
  }

  /** All microtasks have drained since an event was applied. */
  endTurn(): void {
    if (this.#replay.settleConditions()) return this.environment.timing.turns.later(this);
    this.#replay.inTurn = false;
    this.#applyNext();
  }

  /** The code has seen every event that is known here: the replay has ended, or the run may be at its end, or idle. */
  #caughtUp(): void {
    if (this.#phase.name === "replaying") this.#endReplay();
    else this.#dispatcher.caughtUp();
    this.#decisions.conclude();
    if (!this.#writer.behind) this.#endSettling();
    this.#inbox?.serve();
    this.reportIdle();
  }

  /** The code is where the history ends. From now on the run writes, and performs commands. */
  #endReplay(): void {
    this.#replay.replaying = false;
    this.#phase = running;
    callHook(this.environment.runs, "workflowReplayed", { events: this.#writer.stored }, this, this.started);
    this.#dispatcher.replayed();
    this.#writer.resume();
  }

  takeOver(): void {
    this.#dispatcher.takeOver();
  }

  changed(historyLength: number | null): void {
    this.#writer.changed(historyLength);
  }

  get historyLength(): number {
    return this.#writer.stored;
  }

  get leased(): boolean {
    return this.chain.lease !== undefined;
  }

  defer(events: readonly WorkflowEvent[]): boolean {
    return this.#phase === running && this.#dispatcher.defer(events);
  }

  lease(events: readonly WorkflowEvent[]): Pick<AppendBatch, "owner" | "wakeAt"> | undefined {
    const { lease } = this.chain;
    if (lease === undefined) return undefined;
    const waits = this.#phase === running && this.#queue.size === 0;
    const deadline = this.#deadline?.dueAt ?? Infinity;
    return { owner: lease.owner, wakeAt: waits ? this.#dispatcher.wakesAfter(events, deadline) : undefined };
  }

  lost(error: unknown): void {
    const isRecovered = this.#dispatcher.takesOverAll;
    // Nobody may wait for the run, and recover() does not help.
    if (codeOf(error) === "invalid_history") this.environment.runs.report(error);
    this.suspend(error);
    if (isRecovered && isConflict(error)) this.environment.lifecycle.replaced(this.workflowId);
  }

  #callHook(event: WorkflowEvent): void {
    const { runs } = this.environment;
    if (runs.hooks !== undefined) callHook(runs, hookNames[event.type], event, this, this.started);
  }

  // What the parts use

  get inbox(): Inbox {
    return this.#inbox ??= new Inbox(this, this.#decisions, this.#writer);
  }

  record(event: WorkflowEvent): void {
    this.#decisions.record(event);
  }

  callActivity<Input, Context>(
    name: string,
    body: (input: Input, context: Context) => unknown,
    input: Input,
    context: Context,
  ): unknown {
    return this.#replay.callActivity(name, body, input, context);
  }

  unseen(): WorkflowEvent[] {
    return [...this.#replay.unread(), ...this.#queue.toArray().filter(isDelivered)];
  }

  get unseenCancellation(): Promise<void> | undefined {
    if (this.#cancellation === undefined || this.#replay.canceled !== undefined) return undefined;
    const seen = () => this.settled();
    return this.#cancellation.then(seen, seen);
  }

  settled(): Promise<void> {
    const { replaying, inTurn } = this.#replay;
    const busy = this.live && (replaying || inTurn || this.#queue.size > 0 || this.#writer.behind);
    return busy ? (this.#settling ??= new Deferred()).promise : Promise.resolve();
  }

  #endSettling(): void {
    this.#settling?.resolve();
    this.#settling = undefined;
  }

  confirmed(): Promise<void> {
    this.#writer.confirm();
    return this.settled();
  }

  childReady(): void {
    this.#decisions.conclude();
  }

  // Deliveries and questions

  post(event: WorkflowEvent, once = false): Promise<boolean> {
    if (event.type === "cancel_requested" && !this.#decisions.hasDealtWithCancellation) {
      return this.#cancellation ??= this.inbox.post(event);
    }
    if (!isTermination(event)) return this.inbox.post(event, once);
    if (!this.acceptsEvents) return Promise.resolve(false);
    this.#replay.stop();
    this.#writer.resume(); // a replay would do so at its end
    const stored = this.inbox.post(event);
    this.close();
    return stored;
  }

  async query(name: string, args: readonly unknown[]): Promise<Answer> {
    await this.settled();
    if (!this.live) return undefined; // its code may not have seen the end of the history
    return { value: this.#replay.query(name, args) };
  }

  update(request: UpdateRequest, signal?: AbortSignal): Promise<Answer> {
    return this.inbox.update(request, signal);
  }

  childEnded(seq: number): void {
    this.#dispatcher.childEnded(seq);
  }

  // The end

  close(): void {
    this.#endWait(); // a run that was never begun can fail, or be terminated
    this.#phase = closing;
  }

  continueAs(runId: string): void {
    this.nextRunId = runId;
    this.#phase = continuing;
  }

  continuedAs(runId: string, events: readonly WorkflowEvent[], workflow = this.#workflow): void {
    if (!this.live) return; // recover() resumes the next run
    this.#dispatcher.closeChildren();
    this.#inbox?.reportUnhandled(events);
    this.chain.remembered?.trim();
    const started = events[0] as WorkflowStartedEvent;
    const info = { workflowId: this.workflowId, runId, workflowName: started.workflowName };
    const next = new Run(this.environment, workflow, info, events, false, this.chain);
    for (const event of events) {
      if (event.type === "update_accepted") this.#replay.handlers.passOn(event.updateId, next.#replay.handlers);
    }
    this.#end(
      () => new CanceledError("The workflow was continued as new"),
      () => {
        throw workflowError("not_found", "wait for workflow", this.workflowId, continued);
      },
      continued,
      "continued",
    );
    this.environment.lifecycle.continued(next, started, workflow);
    const { reported, unconfirmed } = this.#writer; // others may have written to the next run already
    if (reported !== undefined) next.changed(reported);
    if (unconfirmed) next.confirmed();
  }

  /** The last event is stored, by this executor or another one. */
  #finish(event: WorkflowEvent, isOurs: boolean): void {
    this.status = finalStatus(event)!;
    // Only the executor whose code has ended knows what it has read, or all of them if nobody's code has.
    const knows = (isOurs || isTermination(event)) && !this.#replay.replaying;
    if (knows) this.#inbox?.reportUnhandled();
    this.#dispatcher.closeChildren();
    const { error, result } = event as { readonly error?: ErrorRecord; readonly result?: unknown };
    const reason = () => error ? fromErrorRecord(error) : new CanceledError("The workflow has ended: completed");
    this.#end(reason, () => {
      if (error) throw fromErrorRecord(error);
      return handOut(result);
    });
  }

  suspend(error: unknown): void {
    this.#end(() => error, () => {
      throw error;
    });
  }

  /**
   * Ends the run in this process.
   *
   * @param abortReason The reason for activities that are in flight.
   * @param result What `result()` returns or throws from now on.
   * @param why The reason for callers of updates that have no answer.
   * @param visitEnd How the visit ends.
   */
  #end(
    abortReason: () => unknown,
    result: () => unknown,
    why = "it ended",
    visitEnd: VisitEnd = this.status === "running" ? "suspended" : this.status,
  ): void {
    if (!this.live) return;
    const unanswered = (isAccepted: boolean, updateId: string) => this.inbox.unanswered(why, isAccepted, updateId);
    this.#stop(abortReason, result, unanswered, visitEnd);
    this.environment.lifecycle.ended(this);
  }

  /** Nothing of the run happens in this object any more. */
  #stop(
    abortReason: () => unknown,
    result: () => unknown,
    unanswered: (isAccepted: boolean, updateId: string) => unknown,
    visitEnd: VisitEnd,
  ): void {
    this.#endVisit?.(visitEnd);
    this.#endWait();
    this.#phase = { name: "ended", result };
    this.#replay.stop(unanswered);
    this.environment.timing.timers.clear(this.#deadline);
    this.#dispatcher.stop(abortReason);
    this.#queue.clear();
    this.#writer.close();
    this.#endSettling();
  }

  /**
   * Workflow code sees no event any more, and no attempt of an activity starts. Resolves when the attempts in flight have
   * ended and their outcomes are stored.
   */
  async drain(): Promise<void> {
    this.#replay.stop();
    await this.#dispatcher.drain();
    await this.written();
  }

  /** Resolves when no event of the run is on its way into the store. */
  written(): Promise<void> {
    return this.#writer.whenWritten();
  }

  // Idle runs

  /** Tells the executor if the run is idle. */
  reportIdle(): void {
    const { idle } = this.environment.lifecycle;
    if (idle !== undefined && this.#isIdle) idle(this);
  }

  /**
   * Whether the run itself has nothing to do: no event is on its way, none waits for its turn, and no call waits for the code
   * to catch up. Commands may be in flight, an activity for example: `becomeDormant()` asks each of them.
   */
  get #isIdle(): boolean {
    if (!this.acceptsEvents || this.#replay.stopped || this.#replay.replaying) return false;
    if (this.#writer.busy || this.#settling !== undefined) return false;
    switch (this.#phase.name) {
      case "scheduled":
        return true;
      case "queued":
        return false; // it keeps its place in the queue
      default:
        return !this.#replay.inTurn && this.#queue.size === 0;
    }
  }

  /**
   * Leaves memory if nothing is in flight for the run. The code stays at its waits and sees no further event.
   *
   * @returns What remains of it; `undefined` if it stays.
   */
  becomeDormant(): DormantState | undefined {
    const scheduled = this.#phase.name === "scheduled" ? this.#phase.timer.dueAt : undefined;
    if (!this.#isIdle || this.#replay.unansweredUpdates > 0 || !(scheduled !== undefined || this.#replay.waits)) return;
    let wakesAt = Math.min(this.#deadline?.dueAt ?? Infinity, scheduled ?? Infinity);
    for (const command of this.#replay.commands.values()) wakesAt = Math.min(wakesAt, command.wakesAt);
    if (wakesAt <= this.environment.timing.clock.now()) return; // something is in flight, or due
    return this.#leave(wakesAt, scheduled === undefined);
  }

  /** Leaves memory: a dormant run takes its place. */
  #leave(wakesAt: number, begun: boolean): DormantState {
    const nothing = () => undefined; // callers look again, and find the dormant run in the place of this one
    this.#stop(nothing, nothing, nothing, "dormant");
    this.chain.remembered = undefined; // the history has it
    const commands = [...this.#replay.commands.values()];
    const children = commands.filter((command) => command instanceof ChildCommand).map(({ seq }) => seq);
    return { workflow: this.#workflow, begun, wakesAt, children };
  }
}
