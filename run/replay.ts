/**
 * The deterministic half of a run: history in, decisions out. It has no store, no clock and no timer.
 *
 * Owns what workflow code can observe, and the cancellation of the run. It calls the workflow function and settles the promises that
 * the code waits for. A live run and a read-only replay use it in the same way; only what is done about the decisions
 * (`ReplayOwner`) differs. Its parts: `Commands`, `Signals`, `Handlers`, `Conditions`, the `Scope` of the workflow function and
 * those in it, and `Refusals`.
 *
 * Each event comes here twice. `stored()` notes it as soon as it is in the history. `apply()` comes when its turn has come, in the
 * order of the history: now workflow code may see it.
 *
 * 1. What workflow code observes is a function of the events that were applied, in their order.
 * 2. `apply()` returns whether workflow code may run because of the event: then a turn has begun. It ends when all
 *    microtasks have drained. What the code does outside of a turn diverges, since no replay could repeat it.
 * 3. After `stop()`, a divergence, or the end of the code (the outermost scope is closed), no decision is reported, and no wait
 *    begins. After the first two, no wait settles either.
 *
 * The module is longer than 500 lines: all that workflow code can wait for shares the turn and the cancellation of the run. The
 * sections are: what is waited for; history in; the workflow function; waits; scopes; changes of the code.
 *
 * @module
 */

import { CanceledError, type NonDeterminismError, TimeoutError } from "../errors.ts";
import type {
  CancelRequestedEvent,
  Labels,
  SignalReceivedEvent,
  UpdateAcceptedEvent,
  UpdateRequestedEvent,
  WorkflowEvent,
  WorkflowStartedEvent,
} from "../types.ts";
import type { Workflow, WorkflowContext } from "../context.ts";
import type { Wait } from "../options.ts";
import { cannot, isA, noTexts } from "../util/check.ts";
import { type Few, members, withMember } from "../util/few.ts";
import { show } from "../util/show.ts";
import { finalStatus, isOfCode, isProgress } from "../history/history.ts";
import { toStored } from "../history/value.ts";
import { type Caller, type Command, CompensationCommand, LabelsCommand, TimerCommand } from "./command.ts";
import { type CommandOwner, Commands, type IssuingCode } from "./commands.ts";
import { Conditions } from "./conditions.ts";
import { describe, foreignWait } from "./divergence.ts";
import { canceledText, type Outcome } from "./events.ts";
import { HANDLERS, Handlers } from "./handlers.ts";
import { changeLabels } from "./headers.ts";
import { never, Refusals, type Refusing } from "./refusals.ts";
import { type Compensation, type Failure, Scope, type ScopeKind, type ScopeOwner } from "./scope.ts";
import { type ReadSignal, Signals } from "./signals.ts";

/** What the workflow continues as. */
export interface Continuation {
  /** The input of the next run. */
  readonly continueWith: unknown;
  /** Its workflow; `undefined` for the same. */
  readonly workflow: Workflow<never> | undefined;
  /** `false` if the next run does not begin cancelled, although this one is. */
  readonly canceled: boolean | undefined;
}

/** How the workflow function ended: it returned or threw, or the workflow continues as new. */
export type Ending = Outcome | Continuation;

/** Gets the decisions of a replay. */
export interface ReplayOwner extends CommandOwner {
  /** The handler of an update ended, and the history does not hold its answer. */
  answered(updateId: string, outcome: Outcome): void;
  /** The run takes the new path of a change in the code. */
  patched(changeId: string): void;
  /** The workflow function ended. */
  codeEnded(ending: Ending): void;
  /** Workflow code and history do not agree. */
  diverged(error: NonDeterminismError): void;
}

const none: readonly never[] = [];

/** The deadline of a scope. */
class Deadline extends TimerCommand {
  override seen(event: WorkflowEvent): void {
    if (event.type !== "timer_fired") return;
    const { name } = this.scope.owner;
    this.scope.cancel(new TimeoutError(`A scope of ${name} did not end within ${this.delayMs} ms`, this.delayMs));
  }
}

export class Replay implements ScopeOwner, IssuingCode, Refusing {
  declare readonly workflowId: string;
  /** The first event. */
  started: WorkflowStartedEvent | undefined;
  /** Whether the code is being replayed. */
  replaying = false;
  /** Whether workflow code may run now. */
  inTurn = false;
  declare readonly commands: Commands;
  /** The scope of the workflow function. */
  readonly root: Scope = new Scope(this);
  #refusals: Refusals | undefined;
  /** Gives the random numbers of the run. */
  random: (() => number) | undefined;
  #labels: Labels | undefined;
  readonly #owner: ReplayOwner;
  #now = -Infinity;
  /** How many events were applied. */
  applied = 0;
  #handlers: Handlers | undefined;
  #signals: Signals | undefined;
  #conditions: Conditions | undefined;
  /** Scopes that wait until nothing is open in them. */
  #closing: Few<Scope>;
  /** Changes of the code: whether the run takes the new path; `recorded` if it does and the history holds that. */
  #patches: Map<string, "recorded" | boolean> | undefined;
  /** A cancellation that came before the workflow function was called: the function will not be called. */
  #canceledBeforeStart: CancelRequestedEvent | undefined;
  /** The cancellation of an earlier run of the chain, which that run has not seen. */
  #canceledEarlier: CancelRequestedEvent | undefined;
  /** Whether the workflow function was called, or will be. */
  isCalled = true;
  /** Whether the history shows that some executor has called the function. */
  wasCalled = false;
  /** The cancellation, once it was applied. */
  cancellation: CancelRequestedEvent | undefined;
  /** Its reason. */
  canceled: Error | undefined;
  /** The activity that is being called. */
  #activity: string | undefined;
  /** Whether the history holds how the run ended. */
  #over = false;
  /** Whether the workflow function has ended. */
  ended = false;
  /** Whether no wait of the code settles any more. */
  stopped = false;
  /** Delivered events whose turn came after the end of the code: it does not see them. */
  #afterEnd: WorkflowEvent[] | undefined;

  constructor(workflowId: string, owner: ReplayOwner) {
    this.workflowId = workflowId;
    this.#owner = owner;
    this.commands = new Commands(this, owner);
  }

  /** The workflow's query and update handlers. Made at first use: most runs need none. */
  get handlers(): Handlers {
    return this.#handlers ??= new Handlers((updateId, outcome) => {
      if (!this.silent) this.#owner.answered(updateId, outcome);
    });
  }

  /** Answers a query: `"handlers"` itself, any other one by its handler. */
  query(name: string, args: readonly unknown[]): unknown {
    const { handlers } = this;
    if (name !== HANDLERS) return handlers.query(this.workflowId, name, args);
    const { queries, updates } = handlers.names();
    return this.ended
      ? { queries, updates: [], signals: [] }
      : { queries, updates, signals: this.#signals?.read() ?? [] };
  }

  /** Made at first use, too. */
  get signals(): Signals {
    return this.#signals ??= new Signals(this);
  }

  /** The names of the signals that the code waits for. */
  get #awaited(): readonly string[] {
    return this.#signals?.awaited() ?? none;
  }

  /** Whether decisions are not reported any more. */
  get silent(): boolean {
    return this.stopped || this.ended;
  }

  /** Throws while a query handler, a validation or a side effect runs, which may only read, or the first part of an activity. */
  assertContextFree(): void {
    this.#handlers?.assertContextFree();
    if (this.#activity === undefined) return;
    const action = cannot("call the context of the workflow in activity", this.#activity);
    throw new TypeError(`${action}: no replay would repeat the call; make it in the workflow`);
  }

  /** Calls an activity, which cannot call the context: up to its first `await`, that is noticed here. */
  callActivity<Input, Context>(
    name: string,
    body: (input: Input, context: Context) => unknown,
    input: Input,
    context: Context,
  ): unknown {
    this.#activity = name;
    try {
      return body(input, context);
    } finally {
      this.#activity = undefined;
    }
  }

  /** The latest time of the events that were applied: a clock can be set back. Never before the start time of the run. */
  get now(): number {
    return this.#now;
  }

  set now(at: number) {
    this.#now = Math.max(this.#now, at, this.started?.startAt ?? at);
  }

  /** The labels of the run, as its code has set them. */
  get labels(): Labels {
    return this.#labels ?? this.started?.labels ?? noTexts;
  }

  /** When the run started. */
  get startedAt(): number {
    return this.started!.startAt ?? this.started!.at;
  }

  /** What answers the calls that are refused. */
  get refusals(): Refusals {
    return this.#refusals ??= new Refusals(this);
  }

  /** The answer to a wait of a scope that begins now, if it is refused. */
  refusal(scope: Scope): Promise<never> | undefined {
    const mayBegin = !this.silent && scope.canceled === undefined && !scope.bodyEnded;
    return mayBegin ? undefined : this.refusals.refusal(scope);
  }

  /** Whether the code waits for something of its context. */
  get waits(): boolean {
    return this.commands.size > 0 || (this.#conditions?.size ?? 0) > 0 || this.#awaited.length > 0;
  }

  /** What the code waits for: commands in the order of their issue, then signals and conditions. */
  waitsFor(now: number): Wait[] {
    const waits: Wait[] = [];
    for (const command of this.commands.values()) {
      const wait = command.settled ? undefined : command.wait(now);
      if (wait !== undefined) waits.push(wait);
    }
    for (const name of this.#awaited) waits.push({ type: "signal", name });
    for (let n = this.#conditions?.size ?? 0; n > 0; n--) waits.push({ type: "condition" });
    return waits;
  }

  /** The updates in the history that have no answer. */
  get openUpdates(): readonly (UpdateRequestedEvent | UpdateAcceptedEvent)[] {
    return this.#handlers?.all("open") ?? none;
  }

  /** The accepted updates that no handler sees, because the code has ended: that is the same for every executor. */
  get uncalledUpdates(): readonly UpdateAcceptedEvent[] {
    return this.ended && this.#handlers?.all("uncalled") || none;
  }

  /** How many updates are not answered. */
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
      this.wasCalled = true;
      return this.commands.stored(event, ours);
    }
    this.wasCalled ||= isOfCode(event);
    switch (event.type) {
      case "workflow_started":
        this.started = event;
        return;
      case "cancel_requested":
        if (event.at < (this.started?.startAt ?? event.at)) this.cancelBeforeStart(event);
        if (this.started?.canceled) this.#canceledEarlier ??= event;
        return;
      case "patched":
        (this.#patches ??= new Map()).set(event.changeId, "recorded");
        return;
      case "update_requested":
      case "update_accepted":
      case "update_rejected":
      case "update_completed":
        return this.handlers.stored(event);
      default:
        this.#over ||= finalStatus(event) !== undefined;
    }
  }

  /** Acts on an event that reports progress, once every event that was found together with it is noted. */
  progressed(event: WorkflowEvent, ours: boolean): void {
    if (isProgress(event)) this.commands.get(event.seq)?.progressed(event, ours);
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
    this.applied++;
    return this.inTurn = this.#apply(event);
  }

  #apply(event: WorkflowEvent): boolean {
    if ("seq" in event) return this.commands.apply(event);
    switch (event.type) {
      case "update_requested":
      case "update_rejected":
      case "update_completed":
      case "patched":
        return false;
      case "update_accepted":
      case "signal_received":
      case "cancel_requested":
        if (this.ended) {
          (this.#afterEnd ??= []).push(event);
          return false;
        }
        this.now = event.at;
        if (event.type === "update_accepted") this.handlers.seen(event);
        else if (event.type === "signal_received") this.signals.deliver(event);
        else this.#cancel(event);
        return true;
      default:
        this.now = event.at;
        return true;
    }
  }

  #cancel(event: CancelRequestedEvent): void {
    if (this.canceled !== undefined || this.root.bodyEnded) return; // after the end there is nobody to cancel
    const { timeoutMs, reason } = this.cancellation = event;
    this.canceled = timeoutMs === undefined
      ? new CanceledError(canceledText(this.name, reason), reason)
      : new TimeoutError(`Timed out ${this.name} after ${timeoutMs} ms`, timeoutMs);
    this.root.cancel(this.canceled);
  }

  /**
   * Checks the conditions, and the scopes that are closing, after workflow code has seen an event.
   *
   * @returns Whether workflow code runs because of one: the turn continues.
   */
  settleConditions(): boolean {
    if (this.#refusals !== undefined) this.#refusals.count = 0;
    let settled = this.#conditions?.settle(this) ?? false;
    const closing = members(this.#closing);
    this.#closing = undefined;
    for (const scope of closing) {
      if (this.stopped) break;
      settled = scope.settleQuiet() || settled;
    }
    return settled;
  }

  /**
   * No wait of the code settles from now on, and no decision is reported.
   *
   * @param unanswered Makes the error for the callers of updates, if there will be no answer; see `Handlers.end`.
   */
  stop(unanswered?: (isAccepted: boolean, updateId: string) => unknown): void {
    this.stopped = true;
    if (unanswered !== undefined) this.#handlers?.end(unanswered);
  }

  /** The delivered events that the code has not seen, in order: the next run of the chain gets them. */
  unread(): readonly WorkflowEvent[] {
    return [...this.#signals?.unread() ?? none, ...this.#afterEnd ?? none];
  }

  // The workflow function

  /** Calls the workflow function, unless the run was cancelled before. */
  start(workflow: Workflow<never>, ctx: WorkflowContext, input: unknown): void {
    // Another executor may have called it: its clock was ahead of that of the canceller, or it had a slot.
    if (this.#canceledBeforeStart !== undefined && !this.wasCalled) {
      this.apply(this.#canceledBeforeStart);
      this.isCalled = false;
      return this.#end({ ok: false, error: this.canceled });
    }
    // Not in its turn: code that continues as new at once would never see it.
    if (this.#canceledEarlier !== undefined) this.#cancel(this.#canceledEarlier);
    try {
      Promise.resolve(workflow(ctx, input as never)).then(
        (result) => this.#codeReturned(result),
        (error) => this.rootEnded({ error }),
      );
    } catch (error) {
      this.rootEnded({ error });
    }
  }

  #codeReturned(result: unknown): void {
    let value: unknown;
    try {
      // At once: branches that still run can change it.
      value = toStored(result, "result of the workflow", undefined, this.started?.maxPayloadBytes);
    } catch (error) {
      return this.rootEnded({ error });
    }
    this.rootEnded(undefined, value);
  }

  /** The workflow function has ended. */
  rootEnded(failure: Failure | undefined, value?: unknown): void {
    const { root } = this;
    if (root.bodyEnded) return;
    const closing = root.end(this.#inTime(root.failure ?? failure));
    const end = () => this.#end(root.failure === undefined ? { ok: true, value } : { ok: false, ...root.failure });
    if (closing === undefined) end();
    else closing.then(end);
  }

  /** A run whose time is up fails with that error, whatever its code returns or throws. */
  #inTime(failure: Failure | undefined): Failure | undefined {
    const { canceled } = this;
    if (!(canceled instanceof TimeoutError)) return failure;
    const cause = failure?.error;
    if (failure === undefined || cause === canceled || isA(cause, CanceledError)) return { error: canceled };
    return { error: new TimeoutError(canceled.message, canceled.timeoutMs, { cause }) };
  }

  #end(ending: Ending): void {
    if (this.silent) return;
    this.ended = true;
    this.#owner.codeEnded(ending);
  }

  /** Ends the run; the next run continues the workflow. The returned promise never settles, unless the call is refused. */
  continueAsNew(scope: Scope, next: Continuation): Promise<never> {
    this.assertContextFree();
    const { root } = this;
    const isTimeUp = next.canceled === false && this.canceled instanceof TimeoutError;
    // What has failed is not continued. A cancelled run is, from a shield; but no code can make up for a time that is up.
    const reason = root.failure === undefined && !isTimeUp ? this.canceled && scope.canceled : root.canceled;
    if (reason !== undefined && !this.silent) return this.refusals.refuse(scope, reason);
    if (scope.bodyEnded) return this.refusal(scope)!;
    this.#end(next);
    return never();
  }

  // Waits of workflow code

  /** Issues a command, and returns its outcome. */
  issue(scope: Scope, command: Command): Promise<unknown> {
    this.assertContextFree();
    return this.refusal(scope) ?? (this.commands.issue(scope, command) ? command.promise : never());
  }

  /** Whether workflow code may run now. If not, it has waited for something that no history holds. */
  mayRun(position: number, asksFor: Command | string): boolean {
    if (this.inTurn || this.silent) return true;
    const [actual, caller] = typeof asksFor === "string" ? [asksFor] : [describe(asksFor), asksFor.caller];
    return this.diverge(foreignWait(this.workflowId, position, actual, caller));
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
    scope: Scope,
    timer: TimerCommand | undefined,
    what: string,
    begin: () => { promise: Promise<T>; withdraw: () => void; over?: boolean },
  ): Promise<T> {
    this.assertContextFree();
    const refusal = this.refusal(scope);
    if (refusal !== undefined) return refusal;
    const { promise, withdraw, over } = begin();
    if (over) return promise.catch((error) => this.refusals.refuse(scope, error));
    if (timer === undefined) return promise.finally(withdraw);
    if (!this.commands.issue(scope, timer)) return never();
    const timedOut = timer.promise.then(() => {
      throw new TimeoutError(`${what} within ${timer.delayMs} ms`, timer.delayMs);
    });
    timedOut.catch(() => {});
    try {
      return await Promise.race([promise, timedOut]);
    } finally {
      withdraw();
      this.commands.drop(timer);
    }
  }

  /** Takes a signal that has arrived. */
  takeSignal(scope: Scope, name: string): SignalReceivedEvent | undefined {
    this.assertContextFree();
    return this.silent || scope.bodyEnded || scope.canceled !== undefined ? undefined : this.signals.take(name);
  }

  /** Waits for the next signal. */
  nextSignal(scope: Scope, name: string, read: ReadSignal): Promise<unknown> {
    this.assertContextFree();
    const refusal = this.refusal(scope);
    if (refusal !== undefined) return refusal;
    const event = this.signals.take(name);
    return event === undefined ? this.signals.once(name, scope, read).promise : Promise.resolve(read(event));
  }

  /** Waits until `check` returns true. */
  condition(scope: Scope, check: () => boolean): ReturnType<Conditions["wait"]> {
    return (this.#conditions ??= new Conditions()).wait(scope, check);
  }

  /** Changes labels. It belongs to no scope: it is no wait. */
  setLabels(caller: Caller, changes: Readonly<Record<string, string | null>>): void {
    this.assertContextFree();
    const labels = changeLabels(this.labels, changes, this.started?.maxPayloadBytes);
    if (!this.silent && this.commands.issue(this.root, new LabelsCommand(caller, labels))) this.#labels = labels;
  }

  // Scopes

  /**
   * Runs `body` in a new scope.
   *
   * @param deadline Limits how long the scope may take.
   */
  scope<T>(
    parent: Scope,
    kind: ScopeKind,
    deadline: { readonly caller: Caller; readonly timeoutMs: number } | undefined,
    body: (scope: Scope) => T | PromiseLike<T>,
  ): Promise<T> {
    this.assertContextFree();
    const refusal = kind.isShield && !parent.closed && !this.stopped ? undefined : this.refusal(parent);
    if (refusal !== undefined) return refusal;
    const scope = new Scope(this, parent, kind);
    if (deadline !== undefined) {
      const timer = new Deadline(deadline.caller, deadline.timeoutMs, "scope");
      if (!this.commands.issue(scope, timer)) return never();
      scope.delete(timer); // the scope does not wait for it
      scope.stopDeadline = () => this.commands.drop(timer);
    }
    return scope.run(() => body(scope));
  }

  /** Its own code cancels a scope. */
  cancelScope(scope: Scope, reason: Error): void {
    this.assertContextFree();
    if (this.mayRun(this.commands.next, "cancellation of a scope")) scope.cancel(reason);
  }

  checkAtEndOfTurn(scope: Scope): void {
    if (this.mayRun(this.commands.next, "end of a scope")) this.#closing = withMember(this.#closing, scope);
  }

  /** Adds a compensation. Its start is a command. */
  addCompensation(scope: Scope, caller: Caller, name: string, body: Compensation): void {
    this.assertContextFree();
    scope.addCompensation(async (shield) => {
      await this.issue(shield, new CompensationCommand(caller, name));
      await body(shield);
    });
  }

  // Changes of the code

  /**
   * Whether the run takes the new path of a change in the code. It takes the old one if the old code went beyond this point:
   * then the history holds commands or answers that the code has not repeated yet. Delivered events prove nothing: they can
   * get into the history at any time.
   */
  patched(changeId: string): boolean {
    this.assertContextFree();
    let patched = this.#patches?.get(changeId);
    if (patched === undefined) {
      patched = !this.commands.areExpected && !this.#handlers?.answeredAhead && !this.#over;
      (this.#patches ??= new Map()).set(changeId, patched);
      if (patched && !this.silent) this.#owner.patched(changeId);
    }
    return patched !== false;
  }

  /** The changes that the code or the history names: whether the run takes the new path. */
  get patches(): Record<string, boolean> {
    return Object.fromEntries(Array.from(this.#patches ?? [], ([changeId, patched]) => [changeId, patched !== false]));
  }

  diverge(error: NonDeterminismError): false {
    if (!this.stopped) {
      this.stopped = true;
      this.#owner.diverged(error);
    }
    return false;
  }

  get name(): string {
    return `workflow ${show(this.workflowId)}`;
  }
}
