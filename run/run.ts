/**
 * A run that is live in this process, between workflow code and the store.
 *
 * Owns the phase of the run and what must happen in which order: it takes stored events from the writer, hands them to the
 * replay one turn at a time, records the decisions of workflow code, and performs the commands that it has stored.
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
 * called when the microtasks of that turn have drained, and calls it again. A decision goes the other way: the replay calls
 * `issued()`, `answered()`, `patched()` or `codeEnded()`, and `record()` gives an event to the writer.
 *
 * The module is longer than 500 lines: all phases share the same few fields, and a reader follows them in one place. The
 * sections are: the start; events in; decisions out; deliveries and questions; children; the end; idle runs.
 *
 * @module
 */

import { CanceledError, codeOf, type NonDeterminismError, WorkflowError, workflowError } from "../errors.ts";
import { callHook, hookNames, infoOf, type RunKey } from "../hooks.ts";
import type { VisitEnd } from "../middleware.ts";
import type {
  ActivityStartedEvent,
  AppendBatch,
  ChildStartedEvent,
  CommandEvent,
  ErrorRecord,
  SignalReceivedEvent,
  UpdateAcceptedEvent,
  UpdateRequestedEvent,
  WorkflowEvent,
  WorkflowStartedEvent,
  WorkflowStatus,
} from "../types.ts";
import type { Workflow } from "../context.ts";
import { abortable } from "../util/abortable.ts";
import { Deferred, quiet } from "../util/deferred.ts";
import { Fifo } from "../util/fifo.ts";
import { show } from "../util/show.ts";
import type { Ticket } from "../util/slots.ts";
import { fromErrorRecord } from "../history/error_record.ts";
import { finalStatus, firstRunOf, isCommand } from "../history/history.ts";
import { handOut } from "../history/value.ts";
import type { ActivityRun } from "./activity.ts";
import { beginVisit, type CallOf } from "./calls.ts";
import { ChildCommand, type ParentRun } from "./child.ts";
import type { Command } from "./command.ts";
import { ReplayContext, writeLog } from "./context.ts";
import type { RunEnvironment } from "./environment.ts";
import {
  type Answer,
  answerEvent,
  answerOf,
  finalEvent,
  isDelivered,
  isTermination,
  type Outcome,
  rejectionEvent,
  unsureSignal,
  updateEvent,
  type UpdateRequest,
} from "./events.ts";
import type { Chain, DormantState, Lease, LiveRun, StartableRun } from "./live_run.ts";
import { isRemembered, Remembered } from "./remembered.ts";
import { type Ending, Replay, type ReplayOwner } from "./replay.ts";
import { isConflict, isElsewhere } from "./retrying_store.ts";
import type { Timer } from "./timers.ts";
import type { Wait } from "../options.ts";
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

/** For how long the start of an activity may wait for its end, in milliseconds, to be stored with it. */
const DEFER_MS = 100;

/** With more open commands than this, nobody looks at each of them before an append. */
const MANY = 32;

/** Why a run that was continued answers nothing. */
const continued = "it was continued as new";

/** When the time of a chain is up. */
function deadlineOf({ at, startAt = at, timeoutMs, deadlineAt }: WorkflowStartedEvent): number | undefined {
  return deadlineAt ?? (timeoutMs === undefined ? undefined : startAt + timeoutMs);
}

/** How many messages there are of each name. */
function countNames(messages: readonly { readonly name: string }[]): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  for (const { name } of messages) counts.set(name, (counts.get(name) ?? 0) + 1);
  return Object.fromEntries(counts);
}

export class Run implements StartableRun, ReplayOwner, WriterOwner, ActivityRun, ParentRun {
  declare readonly workflowId: string;
  declare readonly runId: string;
  declare readonly workflowName: string;
  declare readonly chain: Chain;
  status: WorkflowStatus = "running";
  nextRunId: string | undefined;
  declare readonly environment: RunEnvironment;
  readonly #workflow: Workflow<never>;
  declare readonly started: WorkflowStartedEvent;
  readonly #replay: Replay;
  readonly #writer: Writer;
  #phase: Phase;
  /** Whether an earlier process may have called the code. */
  readonly #resumed: boolean;
  /** Stored events whose turn has not come. */
  readonly #queue = new Fifo<WorkflowEvent>();
  /** How the workflow function ended, once it has: the last event, or the input of the next run. */
  #ending: { readonly final: WorkflowEvent } | { readonly continueWith: unknown } | undefined;
  /** The requested cancellation; resolves to whether it is stored. */
  #cancellation: Promise<boolean> | undefined;
  #deadline: Timer | undefined;
  /** Set while events may wait for another one. */
  #flush: Timer | undefined;
  /** Resolves when the code has seen everything that is known to be stored; `undefined` while nobody waits for that. */
  #settling: Deferred<void> | undefined;
  /**
   * Open commands with a position below this are taken over, once the store has confirmed that the code has seen every event;
   * `undefined` if there is nothing to take over.
   */
  #takeOverBelow: number | undefined;
  /** Commands below this that are stored here may have begun before: an earlier owner need not have stored their start. */
  #unsureBelow = 0;
  /** Whether the history holds a signal or an update. Most runs have none. */
  #gotMessages = false;
  /** Updates that other executors ask for, and that were not looked at. */
  #requests: UpdateRequestedEvent[] | undefined;
  /** Ends the visit, if there is middleware. */
  #endVisit: ((end: VisitEnd) => void) | undefined;
  /** Children whose end is not stored, by the position of their command. */
  #children: Map<number, ChildStartedEvent> | undefined;

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
    this.#replay = new Replay(run.workflowId, this);
    this.#replay.replaying = replays;
    this.#writer = new Writer(environment.store, this, history.length, replays);
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

  get #live(): boolean {
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
    return this.#live ? (this.chain.ended ??= new Deferred()).promise : Promise.resolve(this);
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
    if (!this.#live) return;
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
    // If older commands are to be taken over, they begin first.
    if (this.#takeOverBelow === undefined) { for (const event of ours) if (isCommand(event)) this.#perform(event); }
    if (this.begun) this.#applyNext();
    else this.reportIdle();
  }

  /** Notes an event that is in the history now. */
  #note(event: WorkflowEvent, isOurs: boolean): void {
    this.#replay.stored(event, isOurs && this.acceptsEvents);
    this.#queue.push(event);
    switch (event.type) {
      case "signal_received":
        this.#gotMessages = true;
        if (!isOurs && isRemembered(event.signalId)) this.#remembered.signals.set(event.signalId, true); // `post` notes ours
        return;
      case "update_rejected":
      case "update_completed":
        if (isRemembered(event.updateId)) this.#remembered.answers.set(event.updateId, event);
        return;
      case "update_accepted":
        this.#gotMessages = true;
        return;
      case "update_requested":
        this.#gotMessages = true;
        (this.#requests ??= []).push(event);
        return;
      case "cancel_requested":
        return this.#noteCancellation(event);
      case "child_started":
        (this.#children ??= new Map()).set(event.seq, event);
        return;
      case "child_completed":
      case "child_failed":
        this.#children?.delete(event.seq);
    }
  }

  /** The messages whose sender chose an ID: those of this run, and those that are remembered of earlier ones. */
  get #remembered(): Remembered {
    return this.chain.remembered ??= new Remembered(this.started.remembered);
  }

  /** Performs a command that was stored here. */
  #perform({ seq }: CommandEvent): void {
    const command = this.#replay.commands.get(seq); // none if a cancellation was faster
    if (command === undefined || command.settled || command.performed || this.#replay.stopped) return;
    if (this.#isWanted(command)) command.perform(this, false);
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

  /** Whether a command is still to be performed: after the end of the code, only what outlives the run. */
  #isWanted(command: Command): boolean {
    return this.acceptsEvents && (this.#ending === undefined || command.outlivesRun);
  }

  /**
   * Applies stored events, up to the next one that workflow code can notice: then a turn has begun, and `endTurn()` continues.
   * Does nothing while the run waits for its start, while a turn is open, or after the replay was stopped.
   */
  #applyNext(): void {
    try {
      while (this.#live && this.begun && !this.#replay.inTurn && !this.#replay.stopped) {
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
    else this.#takeOver();
    this.#conclude();
    if (!this.#writer.behind) this.#endSettling();
    if (this.#requests !== undefined) this.#serve(this.#requests);
    this.reportIdle();
  }

  /** Accepts or rejects the updates that other executors ask for, each once it has a handler. */
  #serve(requests: readonly UpdateRequestedEvent[]): void {
    this.#requests = undefined;
    for (const request of requests) {
      if (this.#replay.handlers.open(request.updateId) === request) quiet(this.update(request)); // the store has the outcome
    }
  }

  /** The code is where the history ends. From now on the run writes, and performs commands. */
  #endReplay(): void {
    this.#replay.replaying = false;
    this.#phase = running;
    callHook(this.environment.runs, "workflowReplayed", { events: this.#writer.stored }, this, this.started);
    // Nothing else was open when the run became dormant: the executors that stored other commands perform them.
    this.#takeOverBelow ??= this.chain.wasDormant ? this.#replay.position : Infinity;
    if (this.leased && !this.chain.wasDormant) this.#unsureBelow = this.#replay.position;
    // A cancellation that was replayed has ended the waits for these children, and an earlier process may not have closed them.
    for (const [seq, event] of this.#children ?? none) {
      if (this.#replay.commands.get(seq) === undefined) this.environment.children.close(this, event);
    }
    this.#writer.confirm();
    this.#writer.resume();
  }

  takeOver(): void {
    this.#takeOverBelow = Infinity;
    this.#writer.confirm();
  }

  /** Performs open commands, once the store has confirmed the history and the code has caught up with it. */
  #takeOver(): void {
    const below = this.#takeOverBelow;
    if (below === undefined || this.#writer.behind) return;
    if (this.#replay.replaying || this.#replay.inTurn || this.#queue.size > 0) return;
    this.#takeOverBelow = undefined;
    if (!this.acceptsEvents) return;
    for (const command of this.#replay.commands.values()) {
      const { event, ours, seq, following } = command;
      const isOpen = event !== undefined && (ours || seq < below) && !command.settled;
      if (!isOpen || !this.#isWanted(command)) continue;
      const isNew = ours && !(seq < this.#unsureBelow && command.deferrable);
      if (command.performed) command.takeOver();
      else if (isNew || !following?.held) command.perform(this, !isNew);
      else {
        following.takenOver = true; // it is performed when somebody waits for it
        const child = this.#children?.get(seq);
        if (child !== undefined) this.#closeChild(child, command);
      }
    }
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
    if (this.#phase.name !== "running" || this.#takeOverBelow !== undefined || this.#replay.stopped) return false;
    const { commands } = this.#replay;
    const canWait = (event: WorkflowEvent) => {
      const command = event.type === "activity_started" ? commands.get(event.seq) : undefined;
      return command?.deferrable === true && command.following === undefined;
    };
    if (!events.every(canWait)) return false;
    const { clock, timers } = this.environment.timing;
    this.#flush ??= timers.set(clock.now() + DEFER_MS, () => {
      this.#flush = undefined;
      this.#writer.flush();
    });
    for (const event of events as ActivityStartedEvent[]) {
      const command = commands.get(event.seq)!;
      command.event = event;
      command.ours = true;
      this.#perform(event);
    }
    return true;
  }

  lease(events: readonly WorkflowEvent[]): Pick<AppendBatch, "owner" | "wakeAt"> | undefined {
    const { lease } = this.chain;
    return lease && { owner: lease.owner, wakeAt: this.#wakesAfter(events) };
  }

  /**
   * When the run continues by itself after `events`, if it only waits for timers; `undefined` for at once. A time that is too early
   * does no harm: if the owner dies, another one takes the run early and waits itself.
   */
  #wakesAfter(events: readonly WorkflowEvent[]): number | undefined {
    const { commands, inTurn, replaying } = this.#replay;
    if (commands.size > MANY || inTurn || replaying || this.#queue.size > 0 || this.#ending !== undefined) {
      return undefined;
    }
    if (this.#phase.name !== "running" || this.#replay.unansweredUpdates > 0) return undefined;
    if (this.#children?.size) return undefined; // perhaps one is not needed any more, and was not closed
    let wakesAt = this.#deadline?.dueAt ?? Infinity;
    const begins = new Set<number>();
    for (const event of events) {
      if (event.type !== "timer_started") return undefined;
      begins.add(event.seq);
      wakesAt = Math.min(wakesAt, event.dueAt);
    }
    for (const command of commands.values()) {
      if (command instanceof ChildCommand) return undefined; // nobody tells the next owner that the child has ended
      if (!begins.has(command.seq)) wakesAt = Math.min(wakesAt, command.wakesAt);
    }
    return Number.isFinite(wakesAt) ? wakesAt : undefined;
  }

  lost(error: unknown): void {
    const isRecovered = this.#takeOverBelow === Infinity;
    // Nobody may wait for the run, and recover() does not help.
    if (codeOf(error) === "invalid_history") this.environment.runs.report(error);
    this.suspend(error);
    if (isRecovered && isConflict(error)) this.environment.lifecycle.replaced(this.workflowId);
  }

  #callHook(event: WorkflowEvent): void {
    const { runs } = this.environment;
    if (runs.hooks !== undefined) callHook(runs, hookNames[event.type], event, this, this.started);
  }

  // Decisions out: from workflow code to the store

  /** Brings an event into the store, unless the run takes no further events or its history is full. */
  record(event: WorkflowEvent): void {
    if (this.acceptsEvents && this.#fits(event)) this.#writer.record(event);
  }

  /** Whether the history has room for an event; if not, the run fails. There is always room for its end and a cancellation. */
  #fits({ type }: WorkflowEvent): boolean {
    const { maxHistoryEvents } = this.environment.runs;
    if (maxHistoryEvents === undefined || this.#writer.length < maxHistoryEvents) return true;
    if (type === "cancel_requested" || type.startsWith("workflow_")) return true;
    const message = `Workflow ${show(this.workflowId)} needs more than ${maxHistoryEvents} events, ` +
      'the "maxHistoryEvents" of its executor: continue it with a new history by ctx.continueAsNew() before that';
    const error = new WorkflowError("history_too_long", message);
    const final = finalEvent({ ok: false, error }, undefined, this.environment.timing.clock.now());
    if (this.#ending === undefined || "continueWith" in this.#ending) this.#ending = { final };
    if (!this.#replay.replaying) {
      this.#replay.stop();
      this.#close((this.#ending as { final: WorkflowEvent }).final);
    }
    return false;
  }

  issued(command: Command): void {
    const at = this.environment.timing.clock.now();
    // A sleep that an earlier process issued and did not store counts from its call.
    const from = this.#replay.replaying ? Math.min(this.#replay.now, at) : at;
    this.record(Object.freeze(command.toEvent(at, from, this.started.maxPayloadBytes)));
  }

  callActivity<Input, Context>(
    name: string,
    body: (input: Input, context: Context) => unknown,
    input: Input,
    context: Context,
  ): unknown {
    return this.#replay.callActivity(name, body, input, context);
  }

  answered(updateId: string, outcome: Outcome): void {
    this.record(answerEvent(updateId, outcome, this.environment.timing.clock.now(), this.started.maxPayloadBytes));
  }

  patched(changeId: string): void {
    this.record(Object.freeze({ type: "patched", at: this.environment.timing.clock.now(), changeId }));
  }

  withdrawn(command: Command): void {
    const child = this.#children?.get(command.seq);
    if (child !== undefined && !this.#replay.replaying) this.#closeChild(child, command); // else the end of the replay does it
  }

  awaited(command: Command): void {
    const isOpen = command.following!.takenOver && !command.performed && !command.settled;
    if (isOpen && this.#isWanted(command)) command.perform(this, true);
  }

  diverged(error: NonDeterminismError): void {
    // A run that resumes by itself has no caller who would see the error.
    if (this.chain.wasDormant && this.#replay.replaying) this.environment.runs.report(error);
    this.suspend(error);
  }

  // Deliveries and questions

  post(event: WorkflowEvent, once = false): Promise<boolean> {
    if (event.type === "cancel_requested") return this.#cancellation ??= this.#post(event, false);
    if (!isTermination(event)) return this.#post(event, once);
    if (!this.acceptsEvents) return Promise.resolve(false);
    this.#replay.stop();
    this.#writer.resume(); // a replay would do so at its end
    const stored = this.#post(event, false);
    this.#endWait();
    this.#phase = closing;
    return stored;
  }

  /** A signal that is stored, or on its way into the store, is not stored again: it has the outcome of the first. */
  #post(event: WorkflowEvent, once: boolean): Promise<boolean> {
    const id = once ? (event as SignalReceivedEvent).signalId : undefined;
    const sent = id && this.#remembered.signals.get(id);
    if (sent) return Promise.resolve(sent);
    if (!this.acceptsEvents || !this.#fits(event)) return Promise.resolve(false);
    const posted = new Deferred<boolean>();
    this.#writer.post(event, (stored) => {
      if (id && stored) this.#remembered.signals.set(id, true);
      else if (id) this.#remembered.signals.delete(id);
      if (stored || this.status !== "running" || this.chain.latest !== this) return posted.resolve(stored === true);
      try {
        this.result(); // throws the error that suspended the run
        posted.resolve(false); // it begins again
      } catch (error) {
        // Another executor has continued the run. The event can go to the next run, unless it is a signal that may be stored
        // and read already, and the next run does not remember it.
        if (!isElsewhere(error)) posted.reject(error);
        else if (stored === false || id || event.type !== "signal_received") posted.resolve(false);
        else posted.reject(unsureSignal(this.workflowId));
      }
    });
    if (id) this.#remembered.signals.set(id, posted.promise);
    return posted.promise;
  }

  async query(name: string, args: readonly unknown[]): Promise<Answer> {
    await this.#settled();
    if (!this.#live) return undefined; // its code may not have seen the end of the history
    return { value: this.#replay.query(name, args) };
  }

  async update(request: UpdateRequest, signal?: AbortSignal): Promise<Answer> {
    const { updateId, name, input } = request;
    const { handlers } = this.#replay;
    if (isRemembered(updateId)) {
      const answer = this.#remembered.answers.get(updateId);
      if (answer !== undefined) return { value: answerOf(answer) };
    }
    for (;;) {
      // An accepted update is awaited at once: later the run may have continued as new, and the next run would accept it again.
      const isKnown = () => handlers.answer(updateId) !== undefined;
      if (!handlers.isAccepted(updateId) && !isKnown()) await abortable(this.#settled(), signal);
      if (isKnown()) break;
      if (!this.acceptsEvents) {
        const error = this.#live || handlers.hasUpdate(name)
          ? undefined
          : this.#unanswered(handlers.without(name), false);
        if (error !== undefined) throw error;
        return undefined;
      }
      if (handlers.isAccepted(updateId)) break;
      if (handlers.hasUpdate(name)) {
        const { clock } = this.environment.timing;
        try {
          handlers.validate(name, input);
        } catch (error) {
          if (handlers.open(updateId) === undefined) throw error;
          handlers.expect(updateId);
          this.record(rejectionEvent(updateId, error, clock.now())); // the executor that asked for it reads it from the store
          break;
        }
        handlers.expect(updateId);
        if (await this.post(updateEvent("update_accepted", request, clock.now()))) break;
        return undefined;
      }
      await handlers.registration(name, signal).finally(() => this.reportIdle());
    }
    return await abortable(handlers.expect(updateId), signal);
  }

  /** Resolves when the code has seen everything that this executor knows to be stored. */
  #settled(): Promise<void> {
    const { replaying, inTurn } = this.#replay;
    const busy = this.#live && (replaying || inTurn || this.#queue.size > 0 || this.#writer.behind);
    return busy ? (this.#settling ??= new Deferred()).promise : Promise.resolve();
  }

  #endSettling(): void {
    this.#settling?.resolve();
    this.#settling = undefined;
  }

  // Children

  get unseenCancellation(): Promise<void> | undefined {
    if (this.#cancellation === undefined || this.#replay.canceled !== undefined) return undefined;
    const seen = () => this.#settled();
    return this.#cancellation.then(seen, seen);
  }

  confirmed(): Promise<void> {
    this.#writer.confirm();
    return this.#settled();
  }

  childReady(): void {
    this.#conclude();
  }

  childEnded(seq: number): void {
    const command = this.#replay.commands.get(seq);
    if (command instanceof ChildCommand) command.childEnded();
  }

  #closeChild(child: ChildStartedEvent, command: Command | undefined): void {
    if (command instanceof ChildCommand && command.performed) command.close();
    else this.environment.children.close(this, child);
  }

  /** Closes the children by their policies: nobody waits for them any more. */
  #closeChildren(): void {
    for (const [seq, child] of this.#children ?? none) this.#closeChild(child, this.#replay.commands.get(seq));
  }

  // The end

  /** The workflow function ended. */
  codeEnded(ending: Ending): void {
    this.#ending ??= "continueWith" in ending
      ? ending
      : { final: finalEvent(ending, this.#replay.canceled, this.environment.timing.clock.now()) };
    this.#conclude();
  }

  /** Ends the run if its code has ended, once its messages are sent and every child that outlives it is stored. */
  #conclude(): void {
    if (this.#ending === undefined || this.#replay.replaying || !this.acceptsEvents) return;
    // Its turn ends first: a chain of runs that continue at once would not yield to the event loop, and would stay in memory.
    if ("continueWith" in this.#ending && this.#replay.inTurn) return;
    for (const command of this.#replay.commands.values()) {
      if (command.outlivesRun && !(command instanceof ChildCommand && command.ready)) return;
    }
    if ("final" in this.#ending) return this.#close(this.#ending.final);
    let runId: string;
    try {
      runId = this.nextRunId = this.environment.runs.newRunId(this.workflowId);
    } catch (error) {
      this.environment.runs.report(error); // a run that continues as new may have no caller who would see it
      return this.suspend(error);
    }
    this.#writer.succeed(runId, () => this.#successor(), (events) => this.#succeeded(runId, events));
    this.#phase = continuing;
  }

  #close(final: WorkflowEvent): void {
    this.#endWait(); // a run that was never begun can fail as well
    this.record(final);
    this.#phase = closing;
  }

  /** The first events of the next run: its start, and the delivered events that this run has not seen. */
  #successor(): WorkflowEvent[] {
    const at = Math.max(this.environment.timing.clock.now(), this.#replay.now); // the clock may have been set back
    const delivered = [
      ...this.#delivered(),
      ...this.#replay.openUpdates.filter(({ type }) => type === "update_requested"),
    ];
    this.#rememberUnanswered(delivered, at);
    const { startAt: _1, workflowVersion: _2, maxPayloadBytes: _3, remembered: _4, canceled: _5, ...first } =
      this.started;
    const remembered = this.chain.remembered === undefined
      ? this.started.remembered
      : this.chain.remembered.toMessages();
    const started: WorkflowStartedEvent = {
      ...first,
      ...this.environment.runs.stamp,
      at,
      input: (this.#ending as { continueWith: unknown }).continueWith,
      firstRunId: this.chain.firstRunId,
      ...(first.timeoutMs === undefined ? {} : { deadlineAt: deadlineOf(this.started)! }),
      ...(delivered.some(({ type }) => type === "cancel_requested") && { canceled: true }),
      ...(remembered === undefined ? {} : { remembered }),
    };
    return [Object.freeze(started), ...delivered];
  }

  /** An update that this run has accepted and not answered is over: the next run does not accept it again. */
  #rememberUnanswered(delivered: readonly WorkflowEvent[], at: number): void {
    for (const { updateId } of this.#unhandledUpdates(delivered)) {
      if (!isRemembered(updateId)) continue;
      const error = workflowError(
        "not_found",
        "update workflow",
        this.workflowId,
        `${continued} before it had answered`,
      );
      this.#remembered.answers.set(updateId, rejectionEvent(updateId, error, at));
    }
  }

  /** The updates without an answer that the next run does not handle. */
  #unhandledUpdates(next: readonly WorkflowEvent[] = none): (UpdateAcceptedEvent | UpdateRequestedEvent)[] {
    return this.#replay.openUpdates.filter(({ updateId }) =>
      !next.some((event) => "updateId" in event && event.updateId === updateId)
    );
  }

  /** The delivered events that workflow code has not seen, in order. */
  #delivered(): WorkflowEvent[] {
    return [...this.#replay.unread(), ...this.#queue.toArray().filter(isDelivered)];
  }

  /** The next run is stored. */
  #succeeded(runId: string, events: readonly WorkflowEvent[]): void {
    if (!this.#live) return; // recover() resumes the next run
    this.#closeChildren();
    if (this.#gotMessages) this.#reportUnhandled(events);
    this.chain.remembered?.trim();
    const info = { workflowId: this.workflowId, runId, workflowName: this.workflowName };
    const next = new Run(this.environment, this.#workflow, info, events, false, this.chain);
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
    this.environment.lifecycle.continued(next, events[0]);
    const { reported, unconfirmed } = this.#writer; // others may have written to the next run already
    if (reported !== undefined) next.changed(reported);
    if (unconfirmed) next.confirmed();
  }

  /**
   * Tells the hook and the log which messages the run has not handled.
   *
   * @param next The first events of the next run, which handles the others; absent if there is none.
   */
  #reportUnhandled(next?: readonly WorkflowEvent[]): void {
    const updates = this.#unhandledUpdates(next);
    const signals = next === undefined ? this.#delivered().filter((event) => event.type === "signal_received") : none;
    if (signals.length + updates.length === 0) return;
    callHook(this.environment.runs, "messagesUnhandled", Object.freeze({ signals, updates }), this, this.started);
    const fields = { signals: countNames(signals), updates: countNames(updates) };
    const message = `Workflow ${show(this.workflowId)} has ended with unhandled messages`;
    writeLog(this.environment.context, "warn", this, message, fields);
  }

  /** The last event is stored, by this executor or another one. */
  #finish(event: WorkflowEvent, isOurs: boolean): void {
    this.status = finalStatus(event)!;
    // Only the executor whose code has ended knows what it has read, or all of them if nobody's code has.
    const knows = (isOurs || isTermination(event)) && !this.#replay.replaying;
    if (this.#gotMessages && knows) this.#reportUnhandled();
    this.#closeChildren();
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
    if (!this.#live) return;
    const unanswered = (isAccepted: boolean) => this.#unanswered(`${why} before it had answered`, isAccepted);
    this.#stop(abortReason, result, unanswered, visitEnd);
    this.environment.lifecycle.ended(this);
  }

  /** Nothing of the run happens in this object any more. */
  #stop(
    abortReason: () => unknown,
    result: () => unknown,
    unanswered: (isAccepted: boolean) => unknown,
    visitEnd: VisitEnd,
  ): void {
    this.#endVisit?.(visitEnd);
    this.#endWait();
    this.#phase = { name: "ended", result };
    this.#replay.stop(unanswered);
    this.environment.timing.timers.clear(this.#deadline);
    this.environment.timing.timers.clear(this.#flush);
    for (const command of this.#replay.commands.values()) command.stop(abortReason());
    this.#queue.clear();
    this.#writer.close();
    this.#endSettling();
  }

  /**
   * The error for the callers of an update that has no answer; `undefined` if they look for the run that takes the update.
   *
   * @param isAccepted Whether the history holds its acceptance: no other run may accept it then.
   */
  #unanswered(why: string, isAccepted: boolean): unknown {
    if (this.chain.latest !== this) {
      if (!isAccepted) return undefined;
    } else if (this.status === "running") {
      try {
        this.result();
      } catch (suspended) { // a conflict: another executor has continued the run
        return isElsewhere(suspended) && !isAccepted ? undefined : suspended;
      }
    }
    return workflowError("not_found", "update workflow", this.workflowId, why);
  }

  /**
   * Workflow code sees no event any more, and no attempt of an activity starts. Resolves when the attempts in flight have
   * ended and their outcomes are stored.
   */
  async drain(): Promise<void> {
    this.#replay.stop();
    await Promise.all(Array.from(this.#replay.commands.values(), (command) => command.drain()));
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
