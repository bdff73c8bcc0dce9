/**
 * The deterministic half of a run: history in, decisions out. It has no store, no clock and no timer.
 *
 * Owns what workflow code can observe: its commands, signals, handlers, conditions, compensations, and the cancellation. It
 * calls the workflow function and settles the promises that the code waits for. A live run and a read-only replay use it in
 * the same way; only what is done about the decisions (`ReplayOwner`) differs.
 *
 * Each event comes here twice. `stored()` notes it as soon as it is in the history: a command that follows in the code is
 * compared with it, and what it supersedes is stopped. `apply()` comes when its turn has come, in the order of the history:
 * now workflow code may see it.
 *
 * 1. What workflow code observes is a function of the events that were applied, in their order.
 * 2. The n-th command of a run has the position n. If the history holds a command at that position, the code must issue one
 *    of the same kind and name, before the turn of that event comes. Otherwise the run diverges.
 * 3. `apply()` returns whether workflow code may run because of the event: then a turn has begun. It ends when all
 *    microtasks have drained. A command that is issued outside of a turn diverges, since no replay could repeat it.
 * 4. After `stop()`, a divergence, or the end of the workflow function, no decision is reported. After the first two, no
 *    wait of the code settles either. After the end of the function, only `withdrawn()` may be called: when a shield ends.
 * 5. A loop that catches the refusals of a cancellation and tries again would never leave its turn. After `MAX_REFUSALS`
 *    in a turn, no refusal settles any more, and the run ends as if the workflow function had thrown the reason.
 *
 * The module is a little longer than 500 lines: everything that workflow code can wait for shares the cancellation, the
 * shields and the turn.
 *
 * @module
 */

import { CanceledError, CompensationError, type NonDeterminismError, TimeoutError } from "../errors.ts";
import type { CancelRequestedEvent, CommandEvent, WorkflowEvent, WorkflowStartedEvent } from "../types.ts";
import type { Workflow, WorkflowContext } from "../context.ts";
import { cannot } from "../util/check.ts";
import { Deferred, isStrayPromise } from "../util/deferred.ts";
import { LazyAbort } from "../util/lazy_abort.ts";
import { LazyMap } from "../util/lazy_map.ts";
import { show } from "../util/show.ts";
import { finalStatus, isCommand, isOutcome } from "../history/history.ts";
import { toErrorRecord } from "../history/error_record.ts";
import { toStored } from "../history/value.ts";
import { type Command, CompensationCommand, type TimerCommand } from "./command.ts";
import { foreignWait, missingCommand, otherCommand } from "./divergence.ts";
import type { Outcome } from "./events.ts";
import { Handlers } from "./handlers.ts";
import { Signals } from "./signals.ts";
import type { Wait } from "../options.ts";

/** How the workflow function ended: it returned or threw, or the workflow continues as new. */
export type Ending = Outcome | { readonly continueWith: unknown };

/** Gets the decisions of a replay. */
export interface ReplayOwner {
  /** Workflow code issued a command that the history does not hold. */
  issued(command: Command): void;
  /**
   * Workflow code repeated a command that the history holds.
   *
   * @param now The time of the event that was applied last.
   */
  repeated?(command: Command, event: CommandEvent, now: number): void;
  /** A cancellation ended the wait for a command. */
  withdrawn(command: Command): void;
  /** The handler of an update ended, and the history does not hold its answer. */
  answered(updateId: string, outcome: Outcome): void;
  /** The run takes the new path of a change in the code. */
  patched(changeId: string): void;
  /** The workflow function ended. */
  codeEnded(ending: Ending): void;
  /** Workflow code and history do not agree. */
  diverged(error: NonDeterminismError): void;
}

/** A wait until a condition is true. */
class Condition extends Deferred<void> {
  readonly shielded: boolean;
  readonly #check: () => boolean;

  constructor(check: () => boolean, shielded: boolean) {
    super();
    this.#check = check;
    this.shielded = shielded;
  }

  /** Checks again, and returns whether the wait has ended. */
  settle(): boolean {
    try {
      const met = this.#check();
      if (!met) return false;
      if (isStrayPromise(met)) throw new TypeError(`${cannot("wait until")}: the condition returned a promise`);
      this.resolve();
    } catch (error) {
      this.reject(error);
    }
    return true;
  }
}

const none: readonly never[] = [];
/** How often code may be refused in one turn: 100,000 rounds, or a million refusals in fewer rounds. */
const MAX_REFUSALS = 1_000_000;
const ROUND = 10;
/** A new promise at each call: a shared promise would keep all its waiters in memory. */
const never = () => new Promise<never>(() => {});

export class Replay {
  /** The first event. */
  started: WorkflowStartedEvent | undefined;
  /** Whether the code is being replayed. */
  replaying = false;
  /** Whether workflow code may run now. */
  inTurn = false;
  /** The commands whose outcome workflow code has not seen, by position. */
  readonly commands: LazyMap<number, Command> = new LazyMap();
  readonly signals: Signals = new Signals(this);
  readonly #owner: ReplayOwner;
  readonly #workflowId: string;
  #now = 0;
  /** The position of the next command. */
  #next = 0;
  /** Commands that the history holds and the code has not issued yet, by position. */
  #expected: Map<number, CommandEvent> | undefined;
  #handlers: Handlers | undefined;
  /** Waits until conditions are true, in order. */
  #conditions: readonly Condition[] = none;
  /** What to undo if the workflow fails, oldest first. */
  #compensations: { readonly name: string; readonly body: () => unknown }[] | undefined;
  /** Changes of the code: whether the run takes the new path; `recorded` if it does and the history holds that. */
  #patches: Map<string, "recorded" | boolean> | undefined;
  /** A cancellation that came before the workflow function was called: the function will not be called. */
  #canceledBeforeStart: CancelRequestedEvent | undefined;
  /** The reason of the cancellation, once it was applied. */
  canceled: Error | undefined;
  readonly #abort = new LazyAbort();
  /** How often a wait was refused in this turn. Refusals that no microtask separates, as in a fan-out, are a round. */
  #refusals = 0;
  #inRound = false;
  /** Whether the run ends because its code was refused too often. */
  #gaveUp = false;
  #openShields = 0;
  /** The activity that is being called. */
  #activity: string | undefined;
  /** Whether the history holds how the run ended. */
  #over = false;
  /** Whether the workflow function has ended. */
  #ended = false;
  /** Whether no wait of the code settles any more. */
  stopped = false;
  /** Events that were delivered after the workflow decided to continue as new: they are for the next run. */
  #forNextRun: WorkflowEvent[] | undefined;

  constructor(workflowId: string, owner: ReplayOwner) {
    this.#workflowId = workflowId;
    this.#owner = owner;
  }

  /** The workflow's query and update handlers. Made at first use: most runs need none. */
  get handlers(): Handlers {
    return this.#handlers ??= new Handlers((updateId, outcome) => {
      if (!this.#silent) this.#owner.answered(updateId, outcome);
    });
  }

  /** Whether decisions are not reported any more. */
  get #silent(): boolean {
    return this.stopped || this.#ended;
  }

  /** Throws while a query handler, a validation or a side effect runs, which may only read, or the first part of an activity. */
  assertContextFree(): void {
    this.#handlers?.assertContextFree();
    if (this.#activity === undefined) return;
    const action = cannot("call the context of the workflow in activity", this.#activity);
    throw new TypeError(`${action}: no replay would repeat the call; make it in the workflow`);
  }

  /** Calls an activity, which cannot call the context: up to its first `await`, that is noticed here. */
  callActivity(name: string, body: () => unknown): unknown {
    this.#activity = name;
    try {
      return body();
    } finally {
      this.#activity = undefined;
    }
  }

  /** The time of the event that was applied last, and never before the start time of the run. */
  get now(): number {
    return this.#now;
  }

  set #time(at: number) {
    this.#now = Math.max(at, this.started?.startAt ?? at);
  }

  /** Aborted when a cancellation is applied. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** The position of the next command. */
  get position(): number {
    return this.#next;
  }

  /** Whether waits that begin now are protected from a cancellation. */
  get shielded(): boolean {
    return this.#openShields > 0;
  }

  /** The answer to a wait that begins now, if a cancellation reaches it: a promise that rejects, or never settles. */
  refusal(): Promise<never> | undefined {
    if (this.canceled === undefined || this.shielded) return undefined;
    if (!this.#inRound) {
      this.#inRound = true;
      queueMicrotask(() => this.#inRound = false);
      this.#refusals += ROUND - 1;
    }
    this.#refusals++;
    if (!this.#gaveUp && this.#refusals <= MAX_REFUSALS) return Deferred.rejected(this.canceled);
    if (!this.#gaveUp) {
      this.#gaveUp = true;
      this.#fail(this.canceled);
    }
    return never();
  }

  /** Whether the code waits for something of its context. */
  get waits(): boolean {
    return this.commands.size > 0 || this.#conditions.length > 0 || this.signals.awaited().length > 0;
  }

  /** What the code waits for: commands in the order of their issue, then signals and conditions. */
  waitsFor(now: number): Wait[] {
    const waits: Wait[] = [];
    for (const command of this.commands.values()) {
      const wait = command.settled ? undefined : command.wait(now);
      if (wait !== undefined) waits.push(wait);
    }
    for (const name of this.signals.awaited()) waits.push({ type: "signal", name });
    for (const _ of this.#conditions) waits.push({ type: "condition" });
    return waits;
  }

  /** How many updates were accepted and are not answered. */
  get unansweredUpdates(): number {
    return this.#handlers?.unanswered ?? 0;
  }

  // History in

  /**
   * Notes an event that is in the history now.
   *
   * @param ours Whether this executor stored it just now.
   */
  stored(event: WorkflowEvent, ours = false): void {
    if ("seq" in event) {
      const command = this.commands.get(event.seq);
      if (!isCommand(event)) {
        if (command === undefined) return; // the code has not issued it, or does not wait for it any more
        if (isOutcome(event)) command.settle();
        else command.stored(event, ours);
      } else if (command === undefined) {
        if (event.seq >= this.#next) (this.#expected ??= new Map()).set(event.seq, event);
      } else if (command.matches(event)) command.event = event;
      else this.#diverge(otherCommand(this.#workflowId, event, command, this.#expected?.values() ?? []));
      return;
    }
    switch (event.type) {
      case "workflow_started":
        this.started = event;
        return;
      case "cancel_requested":
        if (event.at < (this.started?.startAt ?? event.at)) this.cancelBeforeStart(event);
        return;
      case "patched":
        (this.#patches ??= new Map()).set(event.changeId, "recorded");
        return;
      case "update_accepted":
      case "update_completed":
        return this.handlers.stored(event);
      default:
        this.#over ||= finalStatus(event) !== undefined;
    }
  }

  /** The workflow is cancelled before its function was called: it will not be called. */
  cancelBeforeStart(event: CancelRequestedEvent): void {
    this.#canceledBeforeStart ??= event;
  }

  /**
   * Applies the next event of the history: its turn has come.
   *
   * @returns Whether a turn has begun: workflow code may run in a microtask because of the event.
   */
  apply(event: WorkflowEvent): boolean {
    this.inTurn = true;
    this.#refusals = 0;
    return this.inTurn = this.#apply(event);
  }

  #apply(event: WorkflowEvent): boolean {
    if ("seq" in event) return this.#applyToCommand(event);
    switch (event.type) {
      case "update_completed":
      case "patched":
        return false;
      case "update_accepted":
      case "signal_received":
      case "cancel_requested":
        if (this.#forNextRun !== undefined) {
          this.#forNextRun.push(event);
          return false;
        }
        this.#time = event.at;
        if (event.type === "update_accepted") this.handlers.seen(event);
        else if (event.type === "signal_received") this.signals.deliver(event);
        else this.#cancel(event);
        return true;
      default:
        this.#time = event.at;
        return true;
    }
  }

  #applyToCommand(event: WorkflowEvent & { readonly seq: number }): boolean {
    if (event.seq >= this.#next) {
      this.#diverge(missingCommand(this.#workflowId, event));
      return false;
    }
    const command = this.commands.get(event.seq); // none if a cancellation has ended the wait
    if (!isOutcome(event)) {
      command?.seen(event);
      return false;
    }
    this.#time = event.at;
    this.commands.delete(event.seq);
    command?.seen(event);
    return true;
  }

  #cancel({ timeoutMs, reason }: CancelRequestedEvent): void {
    if (this.canceled !== undefined || this.#ended) return; // after the end there is nobody to cancel
    const error = timeoutMs === undefined
      ? new CanceledError(`Canceled ${this.#name}${reason ? `: ${reason}` : ""}`, reason)
      : new TimeoutError(`Timed out ${this.#name} after ${timeoutMs} ms`, timeoutMs);
    this.canceled = error;
    this.#rejectWaits(error, !this.shielded); // without an open shield also those that began in one
    this.#abort.abort(error);
  }

  #rejectWaits(reason: Error, shieldedToo: boolean): void {
    for (const command of this.commands.values()) {
      if (command.shielded && !shieldedToo) continue;
      this.commands.delete(command.seq);
      command.stop(reason);
      command.reject(reason);
      this.#owner.withdrawn(command);
    }
    for (const condition of this.#conditions) {
      if (condition.shielded && !shieldedToo) continue;
      this.#dropCondition(condition);
      condition.reject(reason);
    }
    this.signals.cancel(reason, shieldedToo);
  }

  /**
   * Checks the conditions after workflow code has seen an event.
   *
   * @returns Whether workflow code will run because of one: the turn continues.
   */
  settleConditions(): boolean {
    let settled = false;
    for (const condition of this.#conditions) {
      if (this.stopped || !condition.settle()) continue;
      this.#dropCondition(condition);
      settled = true;
    }
    return settled;
  }

  /**
   * No wait of the code settles from now on, and no decision is reported.
   *
   * @param unanswered Makes the error for the callers of updates, if there will be no answer.
   */
  stop(unanswered?: () => unknown): void {
    this.stopped = true;
    if (unanswered !== undefined) this.#handlers?.end(unanswered);
  }

  /** What the next run of the chain gets: delivered events that this run has not seen, in order. */
  unread(): WorkflowEvent[] {
    return [...this.signals.unread(), ...this.#forNextRun ?? none];
  }

  // The workflow function

  /** Calls the workflow function, unless the run was cancelled before. */
  start(workflow: Workflow<never>, ctx: WorkflowContext, input: unknown): void {
    if (this.#canceledBeforeStart !== undefined) {
      this.apply(this.#canceledBeforeStart);
      return this.#end({ ok: false, error: this.canceled });
    }
    const fail = (error: unknown) => {
      if (!this.#gaveUp) this.#fail(error);
    };
    const succeed = (result: unknown) => {
      if (this.#gaveUp) return;
      let value: unknown;
      try {
        // At once: branches that still run can change it.
        value = toStored(result, "result of the workflow", undefined, this.started?.maxPayloadBytes);
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

  /** Ends the run with an error, once the compensations have run. */
  #fail(error: unknown): void {
    if (this.#compensations === undefined) this.#end({ ok: false, error });
    else this.#compensate(error);
  }

  #end(ending: Ending): void {
    if (this.#silent) return;
    this.#ended = true;
    this.#owner.codeEnded(ending);
  }

  /** Ends the run; the next run continues the workflow. The returned promise never settles. */
  continueAsNew(input: unknown): Promise<never> {
    this.assertContextFree();
    if (this.#gaveUp) return never();
    if (!this.#silent) this.#forNextRun = [];
    this.#end({ continueWith: input });
    return never();
  }

  // Waits of workflow code

  /** Issues a command, and returns its outcome. */
  issue(command: Command): Promise<unknown> {
    this.assertContextFree();
    if (this.stopped) return never();
    const refusal = this.refusal();
    if (refusal !== undefined) return refusal;
    return this.#issue(command) ? command.promise : never();
  }

  /** Gives a command its position, unless the history has another one there. */
  #issue(command: Command): boolean {
    const seq = this.#next++;
    command.seq = seq;
    command.shielded = this.shielded;
    const event = this.#expected?.get(seq);
    if (event !== undefined) {
      this.#expected!.delete(seq);
      if (!command.matches(event)) {
        return this.#diverge(otherCommand(this.#workflowId, event, command, this.#expected!.values()));
      }
      command.event = event;
      this.#owner.repeated?.(command, event, this.#now);
    }
    if (!this.inTurn && !this.#ended) return this.#diverge(foreignWait(this.#workflowId, seq, command));
    this.commands.set(seq, command);
    if (event === undefined && !this.#ended) this.#owner.issued(command);
    return true;
  }

  /**
   * Waits for what `begin` begins, or until the time is up. The part that ends first withdraws the other.
   *
   * @param timer Limits the wait; no limit if it is absent.
   * @param what The beginning of the error message.
   * @param begin Begins the wait. Returns its promise, how to withdraw it, and whether it has ended already: then no timer is
   * needed.
   */
  async within<T>(
    timer: TimerCommand | undefined,
    what: string,
    begin: () => { promise: Promise<T>; withdraw: () => void; over?: boolean },
  ): Promise<T> {
    this.assertContextFree();
    if (this.stopped) return never();
    const refusal = this.refusal();
    if (refusal !== undefined) return refusal;
    const { promise, withdraw, over } = begin();
    if (timer === undefined || over) return promise.finally(withdraw);
    if (!this.#issue(timer)) return never();
    const timedOut = timer.promise.then(() => {
      throw new TimeoutError(`${what} within ${timer.delayMs} ms`, timer.delayMs);
    });
    timedOut.catch(() => {});
    try {
      return await Promise.race([promise, timedOut]);
    } finally {
      withdraw();
      this.commands.delete(timer.seq);
      timer.stop();
    }
  }

  /** Waits for the payload of the next signal. */
  nextSignal(name: string): Promise<unknown> {
    this.assertContextFree();
    if (this.stopped) return never();
    return this.refusal() ?? this.signals.once(name);
  }

  /** Waits until `check` returns true. */
  condition(check: () => boolean): { promise: Promise<void>; withdraw: () => void; over: boolean } {
    const condition = new Condition(check, this.shielded);
    const over = condition.settle();
    if (!over) this.#conditions = [...this.#conditions, condition];
    return { promise: condition.promise, withdraw: () => this.#dropCondition(condition), over };
  }

  #dropCondition(condition: Condition): void {
    this.#conditions = this.#conditions.filter((one) => one !== condition);
  }

  /** Runs `body`. A cancellation does not reach the waits that begin meanwhile. */
  async shield<T>(body: () => T | PromiseLike<T>): Promise<T> {
    this.assertContextFree();
    this.#openShields++;
    try {
      return await body();
    } finally {
      this.#openShields--;
      if (!this.shielded && this.canceled !== undefined && !this.stopped) this.#rejectWaits(this.canceled, true);
    }
  }

  // Compensations and changes of the code

  addCompensation(name: string, body: () => unknown): void {
    this.assertContextFree();
    (this.#compensations ??= []).push({ name, body });
  }

  /** Calls the compensations, newest first, and ends. It does not return the error: that can be a promise. */
  async #compensate(error: unknown): Promise<void> {
    const errors: unknown[] = [];
    for (let one; (one = this.#compensations!.pop()) !== undefined;) {
      const { name, body } = one;
      try {
        await this.shield(async () => {
          await this.issue(new CompensationCommand(this.addCompensation, name));
          await body();
        });
      } catch (failure) {
        errors.push(failure);
      }
    }
    if (errors.length === 0) return this.#end({ ok: false, error });
    const { message: text, thrown } = toErrorRecord(error);
    const message = `${errors.length} of the compensations of ${this.#name} failed; the workflow had failed${
      thrown === undefined ? ` with: ${text}` : ""
    }`;
    this.#end({ ok: false, error: new CompensationError(message, errors, { cause: error }) });
  }

  /**
   * Whether the run takes the new path of a change in the code. It takes the old one if the old code went beyond this point:
   * then the history holds commands or answers that the code has not repeated yet. Delivered events prove nothing: they can
   * get into the history at any time.
   */
  patched(changeId: string): boolean {
    this.assertContextFree();
    let patched = this.#patches?.get(changeId);
    if (patched === undefined) {
      patched = !this.#expected?.size && !this.#handlers?.answeredAhead && !this.#over;
      (this.#patches ??= new Map()).set(changeId, patched);
      if (patched && !this.#silent) this.#owner.patched(changeId);
    }
    return patched !== false;
  }

  #diverge(error: NonDeterminismError): false {
    if (!this.stopped) {
      this.stopped = true;
      this.#owner.diverged(error);
    }
    return false;
  }

  get #name(): string {
    return `workflow ${show(this.#workflowId)}`;
  }
}
