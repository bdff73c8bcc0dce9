/**
 * The deterministic half of a run: history in, decisions out. No store, no clock, no timer.
 *
 * 1. What workflow code observes is a function of the events that were applied, in their order. Live running and replay
 *    are the same path.
 * 2. The n-th command of a run has sequence number n. A command that the history holds must be issued with the same
 *    kind and name, before any event that stands behind it is applied.
 * 3. After a divergence, or once the run is over here, no wait of the workflow settles any more.
 *
 * @module
 */

import { CanceledError, CompensationError, NonDeterminismError, TimeoutError } from "../errors.ts";
import type {
  ActivityAttemptFailedEvent,
  ActivityOptions,
  CancelRequestedEvent,
  ChildOptions,
  CommandEvent,
  ErrorRecord,
  Workflow,
  WorkflowContext,
  WorkflowEvent,
  WorkflowStartedEvent,
} from "../types.ts";
import { Deferred } from "../util/deferred.ts";
import { fromErrorRecord } from "../history/error_record.ts";
import { finalStatus, isCommand } from "../history/history.ts";
import { LazyAbort } from "../util/lazy_abort.ts";
import { LazyMap } from "../util/lazy_map.ts";
import { Handlers, type Outcome } from "./handlers.ts";
import { Signals } from "./signals.ts";
import { handOut, toStored } from "../history/value.ts";
import { show } from "../util/show.ts";

/** What workflow code asks for. `caller` is the context's method, to find the line that called it. */
export type Command =
  & { readonly caller: (...args: never[]) => unknown }
  & (
    | {
      readonly type: "activity_started";
      readonly name: string;
      readonly input: unknown;
      readonly activity: (input: never, context: never) => unknown;
      readonly options: ActivityOptions;
      /** Whether it is the executor's own, which may wait for the clock. */
      readonly own?: boolean;
    }
    | { readonly type: "timer_started"; readonly delayMs: number }
    | {
      readonly type: "child_started";
      readonly name: string;
      readonly workflow: Workflow<never>;
      readonly workflowId: string;
      readonly input: unknown;
      readonly options: ChildOptions;
    }
    | { readonly type: "side_effect"; readonly body: () => unknown }
    | { readonly type: "compensation_started"; readonly name: string }
  );

/** What goes on outside because of a command. */
export interface Effect {
  /** Ends it: nobody waits for the outcome. */
  stop(reason: unknown): void;
  /** The failure of an attempt is stored: the next one may begin when it is due. */
  retry?(dueAt: number): void;
  /** Nothing more is begun for it. Resolves when what runs has ended. */
  drain?(): Promise<void>;
  /** Whether an attempt of an activity runs. */
  readonly running?: boolean;
  /** A heartbeat is stored: the next one may be recorded. */
  beatStored?(): void;
  /** When it goes on, if nothing but a point in time or the end of a child is waited for; else `undefined`. */
  readonly wakesAt?: number | undefined;
}

/** A command whose outcome the workflow has not seen. */
export class Pending extends Deferred {
  readonly seq: number;
  readonly command: Command;
  /** The command in the history; `undefined` until it is known to be there. */
  event: CommandEvent | undefined;
  /** Whether a shield protects it from a cancellation. */
  readonly shielded: boolean;
  /** Attempts that failed, as far as the history tells, how the last one did, and when the next one is due. */
  failedAttempts = 0;
  lastFailure: ErrorRecord | undefined = undefined;
  retryAt: number | undefined = undefined;
  /** What an attempt told last. */
  heartbeatDetails: unknown = undefined;
  /** Whether the outcome is in the history, although the workflow has not seen it. */
  resolved = false;
  /** What goes on outside because of the command. Set by who performs it. */
  effect: Effect | undefined = undefined;

  constructor(seq: number, command: Command, event: CommandEvent | undefined, shielded: boolean) {
    super();
    this.seq = seq;
    this.command = command;
    this.event = event;
    this.shielded = shielded;
  }
}

/** A wait for the workflow's own variables. */
class Condition extends Deferred<void> {
  constructor(readonly check: () => boolean, readonly shielded: boolean) {
    super();
  }

  /** Looks again. Answers whether the wait is over. */
  settle(): boolean {
    try {
      if (!this.check()) return false;
      this.resolve();
    } catch (error) {
      this.reject(error);
    }
    return true;
  }
}

/** Who hears of the decisions. */
export interface ReplayListener {
  /** The workflow issued a command that the history does not hold. */
  issued(pending: Pending): void;
  /** A cancellation has ended the wait for a command, whose outcome the history does not hold. */
  abandoned(pending: Pending): void;
  /** The workflow function returned, what can be stored, or threw. */
  returned(outcome: Outcome): void;
  /** The workflow is to begin anew. */
  continuedAsNew(input: unknown): void;
  /** Workflow code and history do not agree. */
  diverged(error: NonDeterminismError): void;
  /** The handler of an update ended, and the history does not hold how. */
  answered(updateId: string, outcome: Outcome): void;
  /** The workflow goes the new way of a change. */
  patched(changeId: string): void;
}

const none: readonly never[] = [];
/** A promise of its own each time: one for all would hold everything that has ever waited for it. */
const never = () => new Promise<never>(() => {});
const resolved = /* @__PURE__ */ new CanceledError("The outcome is in the history already");

export class Replay {
  #now = 0;
  /** The first event. */
  started: WorkflowStartedEvent | undefined;
  /** The cancellation that came before the code could begin. */
  #refusal: CancelRequestedEvent | undefined;
  /** Whether the code does again what an earlier run of it did. */
  replaying = false;
  /** Whether the workflow's code may run now: an event was applied, and its microtasks have not drained. */
  inTurn = false;
  /** In order of their sequence numbers. */
  readonly pending: LazyMap<number, Pending> = new LazyMap();
  readonly signals: Signals = new Signals(this);
  /** What the history holds of each update; `answered` if its handler has ended, and the history does not hold how. */
  updates: Map<string, "accepted" | "answered" | "completed"> | undefined;
  /** How many updates were accepted that the history holds no answer to. */
  openUpdates = 0;
  #handlers: Handlers | undefined;
  readonly #listener: ReplayListener;
  readonly #workflowId: string;
  /** Commands that the history holds and the workflow has not issued yet. */
  #expected: Map<number, CommandEvent> | undefined;
  /** Updates whose answer the history holds, and whose handler has not ended here. */
  #unanswered: Set<string> | undefined;
  /** Whether the history holds how the run ended. */
  #over = false;
  #next = 0;
  /** How many commands the history holds. */
  #recorded = 0;
  #shields = 0;
  /** Waits for the workflow's own variables, in order. */
  #conditions: readonly Condition[] = none;
  /** What to undo if the workflow fails, oldest first. */
  #compensations: { readonly name: string; readonly body: () => unknown }[] | undefined;
  /** Changes of the code, and whether the run goes the new way; `recorded` if it does and the history says so. */
  #patches: Map<string, "recorded" | boolean> | undefined;
  #canceled: Error | undefined;
  readonly #abort = new LazyAbort();
  #stopped = false;
  /** Whether the workflow function has ended: what its branches ask for from now on is not recorded. */
  #ended = false;

  constructor(workflowId: string, listener: ReplayListener) {
    this.#workflowId = workflowId;
    this.#listener = listener;
  }

  /** What the workflow answers. */
  get handlers(): Handlers {
    return this.#handlers ??= new Handlers((updateId, outcome) => {
      this.#unanswered?.delete(updateId);
      if (this.#stopped || this.#ended || this.updates?.get(updateId) !== "accepted") return;
      this.updates.set(updateId, "answered");
      this.#listener.answered(updateId, outcome);
    });
  }

  /** Throws while a query or a validation only looks at the workflow. */
  assertFree(): void {
    this.#handlers?.assertFree();
  }

  /** The time of the event that was applied last, or of the beginning if the event came before that. */
  get now(): number {
    return this.#now;
  }

  set now(at: number) {
    this.#now = Math.max(at, this.started?.startAt ?? at);
  }

  /** Aborted when a cancellation is applied. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** What a new wait is rejected with, if a cancellation reaches it. */
  refusal(): Error | undefined {
    return this.#shields > 0 ? undefined : this.#canceled;
  }

  /** Whether the workflow waits for something of its context. */
  get waits(): boolean {
    return this.pending.size > 0 || this.#conditions.length > 0 || this.signals.awaited().length > 0;
  }

  /** The position of the next command. */
  get position(): number {
    return this.#next;
  }

  /** Whether waits that begin now are protected from a cancellation. */
  get shielded(): boolean {
    return this.#shields > 0;
  }

  /** The reason of the cancellation that was applied. */
  get canceled(): Error | undefined {
    return this.#canceled;
  }

  /** The workflow is cancelled before its code could begin. */
  refuse(event: CancelRequestedEvent): void {
    this.#refusal ??= event;
  }

  /** Calls the workflow function, unless that is refused. */
  start(workflow: Workflow<never>, ctx: WorkflowContext, input: unknown): void {
    if (this.#refusal !== undefined) {
      this.apply(this.#refusal);
      return this.#end({ ok: false, error: this.#canceled });
    }
    const fail = (error: unknown) => {
      if (this.#compensations === undefined) this.#end({ ok: false, error });
      else this.#compensate(error).then((error) => this.#end({ ok: false, error }));
    };
    const succeed = (result: unknown) => {
      let value: unknown;
      try {
        value = this.toStored(result, "result of the workflow"); // at once: branches that go on can still change it
      } catch (error) {
        return fail(error);
      }
      this.#end({ ok: true, value });
    };
    try {
      Promise.resolve(workflow(ctx, input as never)).then(succeed, fail);
    } catch (error) {
      fail(error);
    }
  }

  /** Copies a value of the workflow's, unless it is larger than the run allows: on replay as it was at first. */
  toStored(value: unknown, what: string, whose?: string): unknown {
    return toStored(value, what, whose, this.started?.maxPayloadBytes);
  }

  /** Nothing that the workflow waits for settles from now on. */
  stop(): void {
    this.#stopped = true;
  }

  /** Takes the next position for a command and answers its outcome when it is applied. */
  issue(command: Command): Promise<unknown> {
    this.assertFree();
    if (this.#stopped) return never();
    const refusal = this.refusal();
    if (refusal !== undefined) return Deferred.rejected(refusal);
    return this.#open(command)?.promise ?? never();
  }

  /** Takes the next position for a command; none if that is not what the history holds. */
  #open(command: Command): Pending | undefined {
    const seq = this.#next++;
    const event = this.#expected?.get(seq);
    if (event !== undefined) {
      this.#expected!.delete(seq);
      if (!matches(event, command)) return void this.#diverge(this.#mismatch(event, command));
    }
    if (!this.inTurn && !this.#ended) return void this.#diverge(this.#foreign(seq, command));
    const pending = new Pending(seq, command, event, this.#shields > 0);
    this.pending.set(seq, pending);
    if (event === undefined && !this.#ended) this.#listener.issued(pending);
    return pending;
  }

  /**
   * Waits for whatever `begin` begins, or until the time is up. Whichever comes first in the history ends the other one.
   *
   * @param what What is waited for, for the error.
   * @param begin Answers the wait, how to end it, and whether it is over already: then no timer is needed.
   */
  async within<T>(
    timeout: Extract<Command, { type: "timer_started" }> | undefined,
    what: string,
    begin: () => { promise: Promise<T>; stop: () => void; over?: boolean },
  ): Promise<T> {
    this.assertFree();
    if (this.#stopped) return never();
    const refusal = this.refusal();
    if (refusal !== undefined) throw refusal;
    const { promise, stop, over } = begin();
    if (timeout === undefined || over) return promise.finally(stop);
    const timer = this.#open(timeout);
    if (timer === undefined) return never();
    const timedOut = timer.promise.then(() => {
      throw new TimeoutError(`${what} did not come within ${timeout.delayMs} ms`, timeout.delayMs);
    });
    timedOut.catch(() => {});
    try {
      return await Promise.race([promise, timedOut]);
    } finally {
      stop();
      this.pending.delete(timer.seq);
      timer.effect?.stop(resolved);
    }
  }

  /** The payload of the next signal. */
  nextSignal(name: string): Promise<unknown> {
    this.assertFree();
    if (this.#stopped) return never();
    const refusal = this.refusal();
    return refusal === undefined ? this.signals.once(name) : Deferred.rejected(refusal);
  }

  /** Waits until `check` answers true. */
  condition(check: () => boolean): { promise: Promise<void>; stop: () => void; over: boolean } {
    const condition = new Condition(check, this.#shields > 0);
    const over = condition.settle();
    if (!over) this.#conditions = [...this.#conditions, condition];
    return { promise: condition.promise, stop: () => this.#dropCondition(condition), over };
  }

  /** How many conditions the workflow waits for. */
  get conditions(): number {
    return this.#conditions.length;
  }

  /** Looks at the conditions, once the workflow has seen an event. Answers whether it will go on because of one. */
  settleConditions(): boolean {
    let settled = false;
    for (const condition of this.#conditions) {
      if (this.#stopped || !condition.settle()) continue;
      this.#dropCondition(condition);
      settled = true;
    }
    return settled;
  }

  #dropCondition(condition: Condition): void {
    this.#conditions = this.#conditions.filter((one) => one !== condition);
  }

  addCompensation(name: string, body: () => unknown): void {
    this.assertFree();
    (this.#compensations ??= []).push({ name, body });
  }

  /**
   * Whether the run goes the new way of a change: not if the old code has gone on beyond this point, which shows in what
   * it has recorded. What came from outside since does not count: that can get into the history at any time.
   */
  patched(changeId: string): boolean {
    this.assertFree();
    let patched = this.#patches?.get(changeId);
    if (patched === undefined) {
      patched = !this.#expected?.size && !this.#unanswered?.size && !this.#over;
      (this.#patches ??= new Map()).set(changeId, patched);
      if (patched && !this.#stopped && !this.#ended) this.#listener.patched(changeId);
    }
    return patched !== false;
  }

  /** Undoes everything, newest first. Answers what the workflow fails with. */
  async #compensate(error: unknown): Promise<unknown> {
    const errors: unknown[] = [];
    for (let one; (one = this.#compensations!.pop()) !== undefined;) {
      const { name, body } = one;
      const started: Command = { type: "compensation_started", caller: this.addCompensation, name };
      try {
        await this.shield(async () => {
          await this.issue(started);
          await body();
        });
      } catch (failure) {
        errors.push(failure);
      }
    }
    if (errors.length === 0) return error;
    const message = `${errors.length} of the compensations of ${this.#describe} failed; ${
      error instanceof Error ? `the workflow had failed with: ${error.message}` : "the workflow had failed"
    }`;
    return new CompensationError(message, errors, { cause: error });
  }

  /** Begins the workflow anew; nothing that it waits for settles from now on. */
  continueAsNew(input: unknown): Promise<never> {
    this.assertFree();
    if (!this.#stopped && !this.#ended) {
      this.#ended = true;
      this.#listener.continuedAsNew(input);
    }
    return never();
  }

  /** Runs `body` with every wait that begins meanwhile protected from a cancellation. */
  async shield<T>(body: () => T | PromiseLike<T>): Promise<T> {
    this.assertFree();
    this.#shields++;
    try {
      return await body();
    } finally {
      this.#shields--;
      if (this.#shields === 0 && this.#canceled !== undefined && !this.#stopped) {
        this.#rejectWaits(this.#canceled, true);
      }
    }
  }

  /** Notes an event that is in the history now, before its turn has come. */
  note(event: WorkflowEvent): void {
    switch (event.type) {
      case "workflow_started":
        this.started = event;
        return;
      case "cancel_requested":
        if (event.at < (this.started?.startAt ?? event.at)) this.refuse(event);
        return;
      case "activity_started":
      case "timer_started":
      case "child_started":
      case "side_effect":
      case "compensation_started": {
        this.#recorded = Math.max(this.#recorded, event.seq + 1);
        const pending = this.pending.get(event.seq);
        if (pending === undefined) {
          if (event.seq >= this.#next) (this.#expected ??= new Map()).set(event.seq, event);
        } else if (matches(event, pending.command)) pending.event = event;
        else this.#diverge(this.#mismatch(event, pending.command));
        return;
      }
      case "activity_attempt_failed":
        return this.#noteAttempt(event);
      case "activity_heartbeat":
        return this.pending.get(event.seq)?.effect?.beatStored?.();
      case "activity_completed":
      case "activity_failed":
      case "child_completed":
      case "child_failed":
      case "timer_fired": {
        const pending = this.pending.get(event.seq);
        if (pending === undefined) return;
        pending.resolved = true;
        pending.effect?.stop(resolved); // what goes on for it here has lost against another executor
        return;
      }
      case "patched":
        (this.#patches ??= new Map()).set(event.changeId, "recorded");
        return;
      case "update_accepted":
        if (this.updates?.has(event.updateId)) return;
        (this.updates ??= new Map()).set(event.updateId, "accepted");
        this.openUpdates++;
        return;
      case "update_completed":
        if (this.updates?.get(event.updateId) !== "completed") this.openUpdates--;
        if (this.updates?.get(event.updateId) !== "answered") (this.#unanswered ??= new Set()).add(event.updateId);
        (this.updates ??= new Map()).set(event.updateId, "completed");
        return;
      default:
        this.#over ||= finalStatus(event) !== undefined;
    }
  }

  /** Whether the history has made an event obsolete that was to be recorded. */
  isObsolete(event: WorkflowEvent): boolean {
    if (event.type === "update_accepted") return this.updates?.has(event.updateId) === true;
    if (event.type === "update_completed") return this.updates?.get(event.updateId) === "completed";
    if (event.type === "patched") return this.#patches?.get(event.changeId) === "recorded";
    if (!("seq" in event)) return false;
    const pending = this.pending.get(event.seq);
    // A command has its place in the history, although nobody may wait for it any more.
    if (isCommand(event)) return pending === undefined ? event.seq < this.#recorded : pending.event !== undefined;
    if (pending === undefined || pending.resolved) return true;
    if (event.type !== "activity_attempt_failed" && event.type !== "activity_heartbeat") return false;
    return pending.failedAttempts >= event.attempt;
  }

  /**
   * Applies the next event of the history.
   *
   * @returns Whether workflow code may have run or will run in a microtask because of it.
   */
  apply(event: WorkflowEvent): boolean {
    this.inTurn = true;
    return this.inTurn = this.#apply(event);
  }

  #apply(event: WorkflowEvent): boolean {
    switch (event.type) {
      case "activity_started":
      case "timer_started":
      case "child_started":
        if (event.seq >= this.#next) this.#diverge(this.#missing(event));
        return false;
      case "side_effect":
      case "compensation_started": {
        if (event.seq >= this.#next) return void this.#diverge(this.#missing(event)), false;
        this.now = event.at;
        const pending = this.#take(event);
        if (event.type === "side_effect" && event.error !== undefined) pending?.reject(fromErrorRecord(event.error));
        else pending?.resolve(event.type === "side_effect" ? handOut(event.value) : undefined);
        return true;
      }
      case "update_accepted":
        this.now = event.at;
        this.handlers.accept(event);
        return true;
      case "update_completed":
      case "patched":
        return false;
      case "activity_attempt_failed":
        this.#noteAttempt(event);
        return false;
      case "activity_heartbeat": {
        const pending = this.pending.get(event.seq);
        // Who performs the activity here knows better: this can be older.
        if (pending !== undefined && pending.effect === undefined) pending.heartbeatDetails = event.details;
        return false;
      }
      case "activity_completed":
      case "child_completed":
        this.now = event.at;
        this.#take(event)?.resolve(handOut(event.result));
        return true;
      case "activity_failed":
      case "child_failed":
        this.now = event.at;
        this.#take(event)?.reject(fromErrorRecord(event.error));
        return true;
      case "timer_fired":
        this.now = event.at;
        this.#take(event)?.resolve(undefined);
        return true;
      case "signal_received":
        this.now = event.at;
        this.signals.deliver(event);
        return true;
      case "cancel_requested":
        this.now = event.at;
        this.#cancel(
          event.timeoutMs === undefined
            ? new CanceledError(`Canceled ${this.#describe}${event.reason ? `: ${event.reason}` : ""}`, event.reason)
            : new TimeoutError(`Timed out ${this.#describe} after ${event.timeoutMs} ms`, event.timeoutMs),
        );
        return true;
      default:
        this.now = event.at;
        return true;
    }
  }

  get #describe(): string {
    return `workflow ${show(this.#workflowId)}`;
  }

  #end(outcome: Outcome): void {
    if (this.#stopped || this.#ended) return;
    this.#ended = true;
    this.#listener.returned(outcome);
  }

  #noteAttempt(event: ActivityAttemptFailedEvent): void {
    const pending = this.pending.get(event.seq);
    if (pending === undefined || pending.failedAttempts >= event.attempt) return; // noted before its turn
    pending.failedAttempts = event.attempt;
    pending.lastFailure = event.error;
    pending.retryAt = event.retryAt;
    if ("heartbeatDetails" in event) pending.heartbeatDetails = event.heartbeatDetails;
  }

  #cancel(reason: Error): void {
    if (this.#canceled !== undefined || this.#ended) return; // what is left goes on without the code
    this.#canceled = reason;
    this.#rejectWaits(reason, this.#shields === 0); // all, also those that began in a shield that has ended
    this.#abort.abort(reason);
  }

  #rejectWaits(reason: Error, shieldedToo: boolean): void {
    for (const pending of this.pending.values()) {
      if (pending.shielded && !shieldedToo) continue;
      this.pending.delete(pending.seq);
      pending.effect?.stop(reason);
      pending.reject(reason);
      this.#listener.abandoned(pending);
    }
    for (const condition of this.#conditions) {
      if (condition.shielded && !shieldedToo) continue;
      this.#dropCondition(condition);
      condition.reject(reason);
    }
    this.signals.cancel(reason, shieldedToo);
  }

  /** The command that an outcome belongs to; none if a cancellation has settled it already. */
  #take(event: { readonly seq: number; readonly type: string }): Pending | undefined {
    if (event.seq >= this.#next) {
      this.#diverge(this.#divergence(event.seq, `${event.type} of a command`, "no command at this position", ""));
    }
    const pending = this.pending.get(event.seq);
    this.pending.delete(event.seq);
    return pending;
  }

  #diverge(error: NonDeterminismError): Promise<never> {
    if (!this.#stopped) {
      this.#stopped = true;
      this.#listener.diverged(error);
    }
    return never();
  }

  #missing(event: CommandEvent): NonDeterminismError {
    return this.#divergence(
      event.seq,
      describe(event),
      "no command at this position",
      `Likely edit: ${describe(event)} was removed, or a condition before it now decides otherwise`,
    );
  }

  #mismatch(event: CommandEvent, command: Command): NonDeterminismError {
    const later = [...this.#expected?.values() ?? []].find((expected) => matches(expected, command));
    const edit = later === undefined
      ? `${article(describe(command))} was inserted before ${describe(event)}, or replaced it`
      : `${describe(event)} was removed or moved: the history has ${describe(command)} at position ${later.seq}`;
    const line = sourceLine(command.caller);
    return this.#divergence(
      event.seq,
      describe(event),
      describe(command),
      `Likely edit: ${edit}${line === undefined ? "" : `\n  called ${line}`}`,
    );
  }

  /** What cannot be replayed, although the history has nothing against it: nothing in it says when the command is issued. */
  #foreign(position: number, command: Command): NonDeterminismError {
    const actual = describe(command);
    const line = sourceLine(command.caller);
    const message = `Cannot go on with ${this.#describe}: its code asked for ${
      article(actual)
    } after it had waited for something else than its context
  position ${position}${line === undefined ? "" : `\n  called ${line}`}
  A fetch, a timer or a promise of another library is in no history, so it cannot be replayed: put it into an activity,
  and wait with ctx.sleep(), ctx.waitUntil() or ctx.waitForSignal()
  The stored run is unchanged. Deploy code that waits for its context only and call recover()`;
    return new NonDeterminismError(message, { expected: "a wait for the context", actual, position });
  }

  #divergence(position: number, expected: string, actual: string, hint: string): NonDeterminismError {
    const message = `Cannot replay ${this.#describe}: its code does not do what its history says
  position ${position}
  history  ${expected}
  code     ${actual}
  ${hint}
  The stored run is unchanged. Deploy code that agrees with the history and call recover()`;
    return new NonDeterminismError(message, { expected, actual, position });
  }
}

function matches(event: CommandEvent, command: Command): boolean {
  return event.type === command.type && nameOf(event) === nameOf(command);
}

function nameOf(command: CommandEvent | Command): string | undefined {
  return "name" in command ? command.name : undefined;
}

const nouns = {
  activity_started: "activity",
  timer_started: "sleep",
  child_started: "child workflow",
  side_effect: "side effect",
  compensation_started: "compensation",
};

function describe(command: CommandEvent | Command): string {
  const name = nameOf(command);
  return name === undefined ? nouns[command.type] : `${nouns[command.type]} ${show(name)}`;
}

function article(noun: string): string {
  return `${/^[aeiou]/.test(noun) ? "an" : "a"} ${noun}`;
}

/** Where workflow code called the context, if the runtime can say. */
function sourceLine(caller: (...args: never[]) => unknown): string | undefined {
  const trace: { stack?: string } = {};
  (Error as { captureStackTrace?: (target: object, above: unknown) => void }).captureStackTrace?.(
    trace,
    caller,
  );
  return trace.stack?.split("\n").map((line) => line.trim()).find((line) => line.startsWith("at "));
}
