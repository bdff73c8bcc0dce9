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
import { CanceledError, type NonDeterminismError, WorkflowError } from "./errors.ts";
import type { Hooks, RunInfo } from "./hooks.ts";
import type {
  ChildStartedEvent,
  CommandEvent,
  ErrorRecord,
  UpdateCompletedEvent,
  Workflow,
  WorkflowEvent,
  WorkflowStartedEvent,
  WorkflowState,
  WorkflowStatus,
} from "./types.ts";
import { type ActivityHost, ActivityTask } from "./_activity.ts";
import { cannot } from "./_check.ts";
import { type ChildHost, ChildTask } from "./_child.ts";
import { Deferred } from "./_deferred.ts";
import { fromErrorRecord, toErrorRecord } from "./_error_record.ts";
import { Fifo } from "./_fifo.ts";
import { LazyMap } from "./_lazy_map.ts";
import { finalStatus, firstRunOf, isCommand } from "./_history.ts";
import type { Outcome } from "./_handlers.ts";
import { type Command, type Pending, Replay, type ReplayListener } from "./_replay.ts";
import type { Stamp } from "./_options.ts";
import { isConflict, type RetryingStore } from "./_retrying_store.ts";
import type { Slots, Ticket } from "./_slots.ts";
import type { Timer } from "./_timers.ts";
import { handOut, show, toStored } from "./_value.ts";
import { Writer, type WriterRun } from "./_writer.ts";

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
  /** The run is live no more. */
  ended(run: Run): void;
  /** A run that was stored just now goes on where another one has ended. */
  begin(run: Run, started: WorkflowEvent): void;
}

/** Runs that continue each other as new, as far as they were live here. */
export interface Chain {
  readonly firstRunId: string;
  latest: Run;
  /** Whether it has one of the executor's slots. */
  slot?: boolean;
}

export class Run implements RunInfo, ReplayListener, WriterRun {
  readonly workflowId: string;
  readonly runId: string;
  readonly workflowName: string;
  readonly chain: Chain;
  /** Where the stored run stands. */
  status: WorkflowStatus = "running";
  /** Whether the run goes on in this process. */
  live = true;
  readonly #host: Host;
  readonly #workflow: Workflow<never>;
  readonly #replay: Replay;
  readonly #writer: Writer;
  readonly #started: WorkflowStartedEvent;
  #ended: Deferred<void> | undefined;
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
  /** The last event, or the next run, is on its way into the store. */
  #closing = false;
  /** The request for a cancellation: whether it got into the store. */
  #cancellation: Promise<boolean> | undefined;
  #deadline: Timer | undefined;
  /** The answers to updates, given or to be given, by the update's ID. */
  readonly #answers = new LazyMap<string, Deferred>();
  #settling: Deferred<void> | undefined;
  /** How many events of the run are known to be stored. */
  #known = 0;
  /** What is open is to be performed once so many events have been applied. */
  #adoptAt: number | undefined;
  /** Child workflows whose end is not stored, by their command's position. */
  readonly #children = new LazyMap<number, ChildStartedEvent>();
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
    this.chain = chain ?? { firstRunId: firstRunOf({ runId: run.runId, history }), latest: this };
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
    if (started !== undefined) this.#callHook(started);
    const { startAt } = this.#started;
    const { clock, timers } = this.#host;
    if (startAt === undefined || startAt <= clock.now() || this.#cancellation) return this.#enter();
    this.#waiting = true;
    this.#replay.replaying = false; // no code has run: there is nothing to replay
    this.#writer.resume();
    this.#startTimer = timers.set(startAt, () => this.#enter());
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

  /** Whether the workflow's code has begun, or is about to. */
  get begun(): boolean {
    return !this.#waiting;
  }

  /** Resolves when the run is live no more. */
  get ended(): Promise<void> {
    return this.live ? (this.#ended ??= new Deferred()).promise : Promise.resolve();
  }

  /** Whether events from outside can still get into the history. */
  get open(): boolean {
    return this.live && !this.#closing;
  }

  /**
   * Stores an event from outside. Resolves to whether it got into the store before the run ended.
   *
   * @throws What suspended the run, if it did.
   */
  post(event: WorkflowEvent): Promise<boolean> {
    if (!this.open || !this.#fits(event)) return Promise.resolve(false);
    return new Promise((resolve, reject) =>
      this.#writer.post(event, (stored) => {
        if (stored || this.status !== "running" || this.chain.latest !== this) return resolve(stored);
        try {
          this.result(); // throws what suspended it
        } catch (error) {
          if (isConflict(error)) resolve(false); // another executor has continued it as new
          else reject(error);
        }
      })
    );
  }

  /** Stores a request for a cancellation like {@linkcode post}, unless there is one. */
  cancel(event: WorkflowEvent): Promise<boolean> {
    return this.#cancellation ??= this.post(event);
  }

  /** Stores a last event from outside like {@linkcode post}. From now on workflow code sees no event. */
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

  /** How large a payload may be. */
  get maxPayloadBytes(): number | undefined {
    return this.#started.maxPayloadBytes;
  }

  /** Answers a query from the workflow's variables, once it has seen all that is stored. */
  async query(name: string, args: readonly unknown[]): Promise<unknown> {
    await this.#settled();
    return this.#replay.handlers.query(this.workflowId, name, args);
  }

  /**
   * Stores an update if it is valid, and answers what its handler answers: once, whoever repeats it. Answers nothing if the
   * run takes no updates any more.
   *
   * @throws What the validation or the handler throws; what ends the run before the answer.
   */
  async update(request: UpdateRequest): Promise<{ readonly value: unknown } | undefined> {
    await this.#settled();
    const { handlers, updates } = this.#replay;
    const { updateId, name, input } = request;
    let answer = this.#answers.get(updateId);
    if (answer === undefined) {
      if (!this.open) return undefined;
      const taken = updates.has(updateId);
      if (!taken && !handlers.hasUpdate(name)) {
        const why = `it has no handler for ${show(name)}`;
        throw new WorkflowError("not_found", `${cannot("update workflow", this.workflowId)}: ${why}`);
      }
      if (!taken) handlers.validate(name, input);
      this.#answers.set(updateId, answer = new Deferred());
      answer.promise.catch(() => {});
      if (!taken && !await this.post(acceptance(request, this.#host.clock.now()))) return undefined;
    }
    return { value: await answer.promise };
  }

  /** Resolves when nothing that is stored is left to be seen by the workflow. */
  #settled(): Promise<void> {
    const busy = this.live && (this.#replay.replaying || this.#replay.inTurn || this.#queue.size > 0);
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
    for (const answer of this.#answers.values()) answer.reject(error);
    this.#answers.clear();
  }

  /** The store says that the workflow has changed, and how long its history is after an append. */
  told(historyLength: number | null): void {
    this.#writer.told(historyLength);
  }

  /** What the run came to: the workflow's result, or a throw. Only once it has ended. */
  result(): unknown {
    return this.#result!();
  }

  /** Leaves the run as it is stored. What goes on for it is aborted and its outcomes are dropped. */
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
    this.record(Object.freeze(commandEvent(command, seq, this.#host.clock.now(), this.maxPayloadBytes)));
  }

  answered(updateId: string, outcome: Outcome): void {
    const at = this.#host.clock.now();
    const fail = (error: unknown) =>
      this.record(Object.freeze({ type: "update_completed", at, updateId, error: toErrorRecord(error) }));
    if (!outcome.ok) return fail(outcome.error);
    try {
      const result = toStored(outcome.value, "answer of update", undefined, this.maxPayloadBytes);
      this.record(Object.freeze({ type: "update_completed", at, updateId, result }));
    } catch (error) {
      fail(error);
    }
  }

  patched(changeId: string): void {
    this.record(Object.freeze({ type: "patched", at: this.#host.clock.now(), changeId }));
  }

  abandoned({ seq, effect }: Pending): void {
    const event = this.#children.get(seq);
    if (event === undefined) return;
    if (this.#replay.replaying) (this.#orphans ??= []).push(event);
    else if (effect instanceof ChildTask) effect.close();
    else this.#host.closeChild(this, event);
  }

  /** What becomes of the children when nobody is left who waits for them. */
  #closeChildren(): void {
    for (const [seq, event] of this.#children.entries()) {
      const effect = this.#replay.pending.get(seq)?.effect;
      if (effect instanceof ChildTask) effect.close();
      else this.#host.closeChild(this, event);
    }
  }

  returned(outcome: Outcome): void {
    this.#final ??= this.#finalEvent(outcome);
    if (!this.#replay.replaying) this.#close(this.#final);
  }

  continuedAsNew(input: unknown): void {
    this.#continuation = { input };
    if (!this.#replay.replaying) this.#continue();
  }

  #continue(): void {
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
    const unseen = [...this.#queue].filter(({ type }) =>
      type === "signal_received" || type === "cancel_requested" || type === "update_accepted"
    );
    return [Object.freeze(started), ...this.#replay.signals.unread(), ...unseen];
  }

  succeeded(runId: string, events: readonly WorkflowEvent[]): void {
    this.#closeChildren();
    const info = { workflowId: this.workflowId, runId, workflowName: this.workflowName };
    const next = new Run(this.#host, this.#workflow, info, events, false, this.chain);
    for (const event of events) {
      if (event.type !== "update_accepted") continue;
      const answer = this.#answers.get(event.updateId);
      if (answer !== undefined) next.#answers.set(event.updateId, answer);
      this.#answers.delete(event.updateId);
    }
    this.#end(() => new CanceledError("The workflow was continued as new"), () => {
      throw new WorkflowError("not_found", `${cannot("wait for workflow", this.workflowId)}: it was continued as new`);
    });
    this.#host.begin(next, events[0]);
  }

  diverged(error: NonDeterminismError): void {
    this.suspend(error);
  }

  takeIn(event: WorkflowEvent): void {
    this.#known++;
    this.#replay.note(event);
    if (event.type === "cancel_requested") {
      this.#cancellation ??= Promise.resolve(true);
      this.#host.timers.clear(this.#deadline);
      if (this.#waiting) {
        // What is replayed may have begun before: its cleanup runs, whether there is a slot or not.
        if (!this.#replay.replaying) this.#replay.refuse(event);
        this.#stopWaiting();
      }
    }
    if (event.type === "update_completed") this.#answer(event);
    else if (event.type === "child_started") this.#children.set(event.seq, event);
    else if (event.type === "child_completed" || event.type === "child_failed") this.#children.delete(event.seq);
    if (this.live) this.#queue.push(event);
  }

  #answer({ updateId, result, error }: UpdateCompletedEvent): void {
    let answer = this.#answers.get(updateId);
    if (answer === undefined) this.#answers.set(updateId, answer = new Deferred());
    if (error === undefined) answer.resolve(handOut(result));
    else answer.reject(fromErrorRecord(error));
  }

  act(event: WorkflowEvent): void {
    if (!this.live) return;
    this.#callHook(event);
    if (finalStatus(event) !== undefined) return this.#finish(event);
    if (!("seq" in event) || this.#closing) return;
    const pending = this.#replay.pending.get(event.seq);
    if (pending === undefined) return; // a cancellation was faster
    if (event.type === "activity_attempt_failed") pending.effect?.retry?.(event.retryAt);
    else if (isCommand(event) && !this.#halted) this.#perform(pending);
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
        else if (this.#adoptAt !== undefined) this.adopt(this.#adoptAt);
        this.#endSettling();
        return;
      }
      const event = this.#queue.shift();
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
    if (this.#final !== undefined) this.#close(this.#final);
    else if (this.#continuation !== undefined) this.#continue();
    else this.adopt(this.#adoptAt ?? 0);
    for (const event of this.#orphans ?? []) {
      if (this.#children.has(event.seq)) this.#host.closeChild(this, event);
    }
    this.#orphans = undefined;
    this.#writer.resume();
  }

  /**
   * Performs what is open in the history and is not performed here.
   *
   * @param length How many events must have been applied first: they may hold the outcomes.
   */
  adopt(length: number): void {
    this.#adoptAt = length;
    if (this.#replay.inTurn || this.#queue.size > 0 || this.#known < length) return;
    this.#adoptAt = undefined;
    if (this.#replay.replaying || !this.open) return;
    for (const pending of this.#replay.pending.values()) {
      if (pending.event !== undefined && pending.effect === undefined && !pending.resolved) {
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
      pending.effect = { stop: () => timers.clear(timer) };
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

  #finalEvent(outcome: Outcome): WorkflowEvent {
    const at = this.#host.clock.now();
    const fail = (error: unknown) =>
      Object.freeze({ type: "workflow_failed", at, error: toErrorRecord(error) } as const);
    if (outcome.ok) return Object.freeze({ type: "workflow_completed", at, result: outcome.value });
    const { error } = outcome;
    const { canceled } = this.#replay;
    if (canceled === undefined || (error !== canceled && !(error instanceof CanceledError))) {
      return fail(error);
    }
    if (!(canceled instanceof CanceledError)) return fail(canceled);
    return Object.freeze({ type: "workflow_canceled", at, error: toErrorRecord(error) });
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
    if (this.#answers.size > 0) this.#endAnswers();
    this.#host.ended(this);
    this.#ended?.resolve();
  }

  #callHook(event: WorkflowEvent): void {
    const { hooks, report } = this.#host;
    const name = hookNames[event.type];
    if (name === undefined || hooks?.[name] === undefined) return;
    const { workflowId, runId, workflowName } = this;
    try {
      // Unhandled, the failure of an async hook would take the process down.
      Promise.resolve(hooks[name](event as never, { workflowId, runId, workflowName })).catch(report);
    } catch (error) {
      report(error);
    }
  }
}

/** An update that somebody asks for; its input is a stored value. */
export interface UpdateRequest {
  readonly updateId: string;
  readonly name: string;
  readonly input: unknown;
}

function acceptance({ updateId, name, input }: UpdateRequest, at: number): WorkflowEvent {
  return Object.freeze({ type: "update_accepted", at, updateId, name, input });
}

/** What is recorded of a command. */
function commandEvent(command: Command, seq: number, at: number, maxBytes: number | undefined): CommandEvent {
  const { type } = command;
  switch (type) {
    case "activity_started":
      return { type, at, seq, name: command.name, input: command.input };
    case "timer_started":
      return { type, at, seq, dueAt: at + command.delayMs };
    case "child_started": {
      const { name, workflowId, input, options: { timeoutMs, parentClosePolicy: closePolicy = "cancel" } } = command;
      const event = { type, at, seq, name, workflowId, input, closePolicy } as const;
      return timeoutMs === undefined ? event : { ...event, timeoutMs };
    }
    case "compensation_started":
      return { type, at, seq, name: command.name };
    case "side_effect":
      try {
        return { type, at, seq, value: toStored(command.body(), "value of side effect", undefined, maxBytes) };
      } catch (error) {
        return { type, at, seq, error: toErrorRecord(error) };
      }
  }
}

const hookNames: { readonly [Type in WorkflowEvent["type"]]?: keyof Hooks } = {
  workflow_started: "workflowStarted",
  workflow_completed: "workflowCompleted",
  workflow_failed: "workflowFailed",
  workflow_canceled: "workflowCanceled",
  cancel_requested: "cancelRequested",
  activity_started: "activityStarted",
  activity_completed: "activityCompleted",
  activity_failed: "activityFailed",
  activity_attempt_failed: "activityAttemptFailed",
  signal_received: "signalReceived",
};
