/**
 * The context that workflow code gets: checks the arguments of each call and makes a command of it.
 *
 * Owns the checks and the deterministic random numbers. Does not know who performs a command, nor when.
 *
 * The module is longer than 500 lines: it has a method for each of the port, and most of each is the check of its arguments.
 *
 * Every promise that it returns is quiet: it may reject while nobody awaits it. That of a command is so by itself (`Deferred`),
 * that of a refused call too (`Refusals.refuse`), the others go through `quiet()`.
 *
 * @module
 */

import { CanceledError } from "../errors.ts";
import type { RunKey } from "../hooks.ts";
import {
  type ActivityContext,
  type ActivityFunction,
  type ActivityOptions,
  optionsOf,
  validateActivity,
} from "../activity.ts";
import type { QueryDefinition, SignalDefinition, UpdateDefinition } from "../definitions.ts";
import type { CallHeaders, DeepReadonly, Labels, ParentRun, TimerStartedEvent } from "../types.ts";
import type {
  ChildHandle,
  ChildOptions,
  CompensationOptions,
  ContinueAsNewOptions,
  MessageOptions,
  ReceivedSignal,
  ReceivedUpdate,
  ScopeContext,
  ScopeOptions,
  UpdateHandlerOptions,
  WaitOptions,
  Workflow,
  WorkflowContext,
  WorkflowFunction,
  WorkflowLogger,
} from "../context.ts";
import {
  checkBoolean,
  checkFunction,
  checkInteger,
  checkNumber,
  checkOptionalString,
  checkOptions,
  checkText,
  definedName,
  isA,
  noOptions,
  noTexts,
} from "../util/check.ts";
import type { ActivityCanceler } from "../util/cancel_activity.ts";
import { callUser, quiet } from "../util/deferred.ts";
import { hash, seededRandom, uuid } from "../util/prng.ts";
import { show } from "../util/show.ts";
import { validateChildOptions } from "../history/start.ts";
import { handOut, toStored } from "../history/value.ts";
import { ActivityCommand } from "./activity.ts";
import type { Message } from "./calls.ts";
import { ChildCommand } from "./child.ts";
import { canceledText } from "./events.ts";
import { type Caller, SideEffectCommand, TimerCommand } from "./command.ts";
import { copyTexts, mergeHeaders, withHeaders } from "./headers.ts";
import type { Replay } from "./replay.ts";
import type { Scope, ScopeKind } from "./scope.ts";
import type { ReadSignal, Signals } from "./signals.ts";

const waitOptions = { timeoutMs: true, withSender: true } as const;

/** What the contexts of an executor use. */
export interface ContextSettings {
  /** Gets what workflows write to `ctx.log`. */
  readonly logger: WorkflowLogger;
  /** Gets the errors of the logger. */
  readonly report: (error: unknown) => void;
  /** The name of a workflow in the history. */
  nameOf(workflow: Workflow<never>): string;
  /**
   * Delivers a message of a workflow, once for each idempotency key.
   *
   * @param child The child that has the receiver's ID or will get it: if no run of it is stored, the call waits.
   * @param only Whether the message is for that child, and not for another workflow of the ID.
   */
  deliver(message: Message, attempt: ActivityContext, child: ChildCommand | undefined, only: boolean): Promise<void>;
}

/** Writes a line about a run to the executor's logger. */
export function writeLog(
  { logger, report }: Pick<ContextSettings, "logger" | "report">,
  level: keyof WorkflowLogger,
  { workflowId, runId, workflowName }: RunKey,
  message: string,
  fields?: Readonly<Record<string, unknown>>,
): void {
  callUser(() => logger[level](message, { workflowId, runId, workflowName, ...fields }), report);
}

/** The context of a run, live or replayed. */
export class ReplayContext implements WorkflowContext, ActivityCanceler {
  /** The workflow's ID. */
  declare readonly workflowId: string;
  /** The ID of this run. */
  declare readonly runId: string;
  readonly #replay: Replay;
  readonly #settings: ContextSettings;
  readonly #own: Scope;
  #log: WorkflowLogger | undefined;
  readonly #run: RunKey;

  constructor(run: RunKey, replay: Replay, settings: ContextSettings, scope: Scope = replay.root) {
    this.workflowId = run.workflowId;
    this.runId = run.runId;
    this.#run = run;
    this.#replay = replay;
    this.#settings = settings;
    this.#own = scope;
  }

  /** The scope that calls belong to. */
  get #scope(): Scope {
    return this.#own.current;
  }

  #refuse(error: unknown): Promise<never> {
    return this.#replay.refusals.refuse(this.#scope, error);
  }

  get labels(): Labels {
    return this.#replay.labels;
  }

  get headers(): CallHeaders {
    return this.#replay.started?.headers ?? noTexts;
  }

  get parent(): ParentRun | undefined {
    return this.#replay.started?.parent;
  }

  get startedAt(): number {
    return this.#replay.startedAt;
  }

  get historyLength(): number {
    return this.#replay.applied;
  }

  get startEvents(): number {
    return this.#replay.started?.startEvents ?? 1;
  }

  get isReplaying(): boolean {
    return this.#replay.replaying;
  }

  get workflowVersion(): string | undefined {
    return this.#replay.started?.workflowVersion;
  }

  get signal(): AbortSignal {
    return this.#own.signal;
  }

  get log(): WorkflowLogger {
    return this.#log ??= this.#logger();
  }

  #logger(): WorkflowLogger {
    const write = (level: keyof WorkflowLogger) => (message: string, fields?: Readonly<Record<string, unknown>>) => {
      if (!this.#replay.replaying) writeLog(this.#settings, level, this.#run, message, fields);
    };
    return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
  }

  executeActivity<Input, Returned>(
    activity: ActivityFunction<Input, Returned>,
    input?: unknown,
    options: ActivityOptions = noOptions,
  ): Promise<DeepReadonly<Awaited<Returned>>> {
    try {
      options = optionsOf(activity, options);
      const name = validateActivity(activity, options, "execute activity");
      const stored = toStored(input, "input of activity", name, this.#replay.started?.maxPayloadBytes);
      const command = new ActivityCommand(this.executeActivity, name, stored, activity as never, options);
      return this.#replay.issue(this.#scope, command) as Promise<DeepReadonly<Awaited<Returned>>>;
    } catch (error) {
      return this.#refuse(error);
    }
  }

  cancelActivity(call: Promise<unknown>, reason: Error): void {
    this.#replay.commands.cancelActivity(call, reason);
  }

  receiveSignal(
    signal: string | SignalDefinition<never>,
    options: { withSender?: boolean } = noOptions,
  ): AsyncIterable<never> {
    const name = definedName("signal", signal, "receive signal", undefined, "name");
    checkOptions(options, { withSender: true }, "receive signal", name);
    const read = readerOf(options, "receive signal", name);
    return this.#iterate((signals, scope) => signals.subscribe(name, scope, read));
  }

  #iterate(subscribe: (signals: Signals, scope: Scope) => AsyncIterator<unknown>): AsyncIterable<never> {
    const replay = this.#replay;
    return {
      [Symbol.asyncIterator]: () => {
        replay.assertContextFree();
        return subscribe(replay.signals, this.#scope) as AsyncIterator<never>;
      },
    };
  }

  takeSignal<Payload>(signal: string | SignalDefinition<Payload>): ReceivedSignal<Payload> | undefined {
    const name = definedName("signal", signal, "take signal", undefined, "name");
    const event = this.#replay.takeSignal(this.#scope, name);
    return event && signalOf(event) as ReceivedSignal<Payload>;
  }

  handleQuery<Result, Args extends readonly unknown[]>(
    query: string | QueryDefinition<Result, Args>,
    handler: (...args: { readonly [Index in keyof Args]: DeepReadonly<Args[Index]> }) => DeepReadonly<Result>,
  ): void {
    const name = definedName("query", query, "handle query");
    checkFunction("handler", handler, "handle query", name);
    this.#replay.handlers.setQuery(name, handler as (...args: never[]) => unknown);
  }

  handleUpdate<Result, Input>(
    update: string | UpdateDefinition<Result, Input>,
    handler: (
      input: DeepReadonly<Input>,
      update: ReceivedUpdate,
    ) => DeepReadonly<Result> | PromiseLike<DeepReadonly<Result>>,
    options: UpdateHandlerOptions<Input> = {},
  ): void {
    const action = "handle update";
    const name = definedName("update", update, action);
    checkFunction("handler", handler, action, name);
    checkOptions(options, { validate: true }, action, name);
    const { validate } = options;
    if (validate !== undefined) checkFunction("validate", validate, action, name);
    this.#replay.handlers.setUpdate(name, { handle: handler, validate });
  }

  sleep(ms: number): Promise<void> {
    try {
      checkNumber("ms", ms, 0, "sleep");
      return this.#replay.issue(this.#scope, new TimerCommand(this.sleep, ms)) as Promise<void>;
    } catch (error) {
      return this.#refuse(error);
    }
  }

  waitForSignal(
    signal: string | SignalDefinition<never>,
    options: WaitOptions & { withSender?: boolean } = noOptions,
  ): Promise<never> {
    try {
      const name = definedName("signal", signal, "wait for signal", undefined, "name");
      checkOptions(options, waitOptions, "wait for signal", name);
      const timeout = timeoutOf(options, "wait for signal", name, this.waitForSignal, { signal: name });
      const read = readerOf(options, "wait for signal", name);
      const replay = this.#replay;
      const scope = this.#scope;
      if (timeout === undefined || replay.signals.has(name)) {
        return replay.nextSignal(scope, name, read) as Promise<never>;
      }
      return quiet(replay.within(scope, timeout, `Signal ${show(name)} did not come`, () => {
        const once = replay.signals.once(name, scope, read);
        return { promise: once.promise as Promise<never>, withdraw: () => once.withdraw() };
      }));
    } catch (error) {
      return this.#refuse(error);
    }
  }

  waitUntil(condition: () => boolean, options: WaitOptions = noOptions): Promise<void> {
    try {
      checkFunction("condition", condition, "wait until");
      checkOptions(options, { timeoutMs: true }, "wait until");
      const timeout = timeoutOf(options, "wait until", undefined, this.waitUntil, "condition");
      const replay = this.#replay;
      const scope = this.#scope;
      const begin = () => replay.condition(scope, condition);
      return quiet(replay.within(scope, timeout, "The condition was not true", begin));
    } catch (error) {
      return this.#refuse(error);
    }
  }

  sideEffect<T>(body: () => T): Promise<DeepReadonly<T>> {
    try {
      checkFunction("body", body, "run side effect");
      const { handlers } = this.#replay;
      const readOnly = () => handlers.readOnly("sideEffect", body);
      return this.#replay.issue(this.#scope, new SideEffectCommand(this.sideEffect, readOnly)) as Promise<
        DeepReadonly<T>
      >;
    } catch (error) {
      return this.#refuse(error);
    }
  }

  addCompensation(body: (ctx: WorkflowContext) => unknown, options: CompensationOptions = noOptions): void {
    const action = "add compensation";
    checkFunction("body", body, action);
    checkOptions(options, { name: true }, action);
    const { name = body.name || "anonymous" } = options;
    checkText("name", name, action);
    this.#replay.addCompensation(this.#scope, this.addCompensation, name, async (shield) => {
      await body(this.#within(shield));
    });
  }

  mapConcurrent<Item, Result>(
    items: Iterable<Item>,
    limit: number,
    body: (item: Item, index: number) => Result | PromiseLike<Result>,
  ): Promise<Result[]> {
    try {
      checkInteger("limit", limit, 1, "map items");
      checkFunction("body", body, "map items");
      return quiet(this.#mapConcurrent([...items], limit, body));
    } catch (error) {
      return this.#refuse(error);
    }
  }

  async #mapConcurrent<Item, Result>(
    list: readonly Item[],
    limit: number,
    body: (item: Item, index: number) => Result | PromiseLike<Result>,
  ): Promise<Result[]> {
    const results: Result[] = new Array(list.length);
    let next = 0;
    const failures: unknown[] = [];
    const lane = async () => {
      while (next < list.length && failures.length === 0) {
        const index = next++;
        try {
          results[index] = await body(list[index], index);
        } catch (error) {
          failures.push(error);
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(limit, list.length) }, lane));
    if (failures.length > 0) throw failures[0];
    return results;
  }

  executeChild<Input, Returned>(
    workflow: WorkflowFunction<Input, Returned>,
    input?: unknown,
    options: ChildOptions = noOptions,
  ): Promise<DeepReadonly<Awaited<Returned>>> {
    try {
      const child = this.#childCommand(workflow, input, options, this.executeChild);
      return this.#replay.issue(this.#scope, child) as Promise<never>;
    } catch (error) {
      return this.#refuse(error);
    }
  }

  startChild<Input, Returned>(
    workflow: WorkflowFunction<Input, Returned>,
    input?: unknown,
    options: ChildOptions = noOptions,
  ): ChildHandle<DeepReadonly<Awaited<Returned>>> {
    const child = this.#childCommand(workflow, input, options, this.startChild);
    const id = child.childId;
    const result = this.#replay.issue(this.#scope, child);
    if (child.seq < 0) result.catch((refusal) => child.reject(refusal)); // it was not issued
    const handle: ChildHandle = new OwnChild(
      child,
      () => result,
      (signal, ...[payload, options]: [unknown?, (MessageOptions | undefined)?]) =>
        this.#signal(handle.signal, id, signal, payload, options, child),
      (reason) => this.#cancel(handle.cancel, id, reason, child),
    );
    return handle as ChildHandle<never>;
  }

  #childCommand(workflow: unknown, input: unknown, options: ChildOptions, caller: Caller): ChildCommand {
    const action = "start child workflow";
    checkFunction("workflow", workflow, action);
    const name = this.#settings.nameOf(workflow as Workflow<never>);
    validateChildOptions(options, action, name);
    const { id = `${this.runId}:${this.#replay.commands.next}` } = options;
    const max = this.#replay.started?.maxPayloadBytes;
    const stored = toStored(input, "input of child workflow", name, max);
    const headers = mergeHeaders(this.headers, copyTexts("headers", options.headers, action, name, max), max);
    return new ChildCommand(caller, name, workflow as Workflow<never>, id, stored, options, headers);
  }

  signalWorkflow(
    id: string,
    signal: string | SignalDefinition<never>,
    payload?: unknown,
    options?: MessageOptions,
  ): Promise<void> {
    return this.#signal(this.signalWorkflow, id, signal, payload, options);
  }

  cancelWorkflow(id: string, reason?: string): Promise<void> {
    return this.#cancel(this.cancelWorkflow, id, reason);
  }

  #signal(
    caller: Caller,
    id: string,
    signal: unknown,
    payload: unknown,
    options: MessageOptions = noOptions,
    child?: ChildCommand,
  ): Promise<void> {
    return this.#send(caller, "signal workflow", id, child, (action) => {
      const name = definedName("signal", signal, action, id, "name");
      checkOptions(options, { headers: true }, action, id);
      const own = copyTexts("headers", options.headers, action, id);
      mergeHeaders(this.headers, own, this.#replay.started?.maxPayloadBytes); // refused if they are too large together
      return { name, payload, ...withHeaders(own) };
    });
  }

  #cancel(caller: Caller, id: string, reason: string | undefined, child?: ChildCommand): Promise<void> {
    return this.#send(caller, "cancel workflow", id, child, (action) => {
      checkOptionalString("reason", reason, action, id);
      return reason === undefined ? {} : { reason };
    });
  }

  /** @param child The child whose handle sends the message. */
  #send(
    caller: Caller,
    action: string,
    id: string,
    child: ChildCommand | undefined,
    message: (action: string) => Omit<Message, "workflowId">,
  ): Promise<void> {
    try {
      checkText("id", id, action);
      const content = { workflowId: id, ...message(action) };
      const stored = toStored(content, "input of activity", action, this.#replay.started?.maxPayloadBytes);
      const receiver = child ?? this.#openChild(id);
      const body = (message: Message, attempt: ActivityContext) =>
        this.#settings.deliver(message, attempt, receiver, child !== undefined);
      // A child that ends with the run may never begin.
      const lasts = receiver === undefined || receiver.whenCanceled === "kept";
      const command = new ActivityCommand(caller, action, stored, body as never, {}, true, lasts);
      const sent = this.#replay.issue(this.#scope, command) as Promise<void>;
      if (child !== undefined && !("name" in content) && command.seq >= 0) child.withdraw(content.reason);
      return sent;
    } catch (error) {
      return this.#refuse(error);
    }
  }

  /** The child of an ID that has not ended, as far as the code knows. */
  #openChild(id: string): ChildCommand | undefined {
    for (const command of this.#replay.commands.values()) {
      if (command instanceof ChildCommand && command.childId === id) return command;
    }
  }

  continueAsNew(
    input?: unknown,
    options: ContinueAsNewOptions & { readonly workflow?: unknown } = noOptions,
  ): Promise<never> {
    try {
      const action = "continue as new";
      checkOptions(options, { workflow: true, canceled: true }, action);
      const { workflow, canceled } = options;
      if (workflow !== undefined) checkFunction("workflow", workflow, action);
      checkBoolean("canceled", canceled, action);
      const continueWith = toStored(input, "input", undefined, this.#replay.started?.maxPayloadBytes);
      return this.#replay.continueAsNew(this.#scope, { continueWith, workflow: workflow as Workflow<never>, canceled });
    } catch (error) {
      return this.#refuse(error);
    }
  }

  setLabels(changes: Readonly<Record<string, string | null>>): void {
    this.#replay.setLabels(this.setLabels, changes);
  }

  patched(changeId: string): boolean {
    checkText("changeId", changeId, "check a patch");
    return this.#replay.patched(changeId);
  }

  now(): number {
    return this.#replay.now;
  }

  random(): number {
    this.#replay.assertContextFree(); // a number drawn here would shift the later ones on replay
    this.#replay.random ??= seededRandom(hash(this.#replay.started?.seed ?? this.runId));
    return this.#replay.random();
  }

  uuid(): string {
    return uuid(() => this.random());
  }

  scope<T>(body: (ctx: ScopeContext) => T | PromiseLike<T>, options: ScopeOptions = noOptions): Promise<T> {
    return this.#runScope("run scope", this.scope, {}, body, options);
  }

  shield<T>(body: (ctx: ScopeContext) => T | PromiseLike<T>, options: ScopeOptions = noOptions): Promise<T> {
    return this.#runScope("shield", this.shield, { isShield: true }, body, options);
  }

  spawn(body: (ctx: ScopeContext) => unknown, options: ScopeOptions = noOptions): void {
    checkScope("spawn", body, options);
    const scope = this.#scope;
    let branch: Scope | undefined;
    const failed = (error: unknown) => {
      // Cut off by its own code. A child that it waits for (`waitForCanceled`) ends with a CanceledError of its own.
      if (branch?.ownReason === undefined || !isA(error, CanceledError)) scope.fail(error);
    };
    quiet(this.#begin(scope, this.spawn, { failed }, options, (inner) => body(this.#within(branch = inner))));
  }

  handleSignal<Payload>(
    signal: string | SignalDefinition<Payload>,
    handler: (payload: DeepReadonly<Payload>, signal: ReceivedSignal<Payload>) => unknown,
  ): void {
    const name = definedName("signal", signal, "handle signal");
    checkFunction("handler", handler, "handle signal", name);
    this.spawn(async (ctx) => {
      for await (const signal of ctx.receiveSignal<Payload>(name, { withSender: true })) {
        await handler(signal.payload, signal);
      }
    });
  }

  handleOtherSignals(handler: (signal: ReceivedSignal) => unknown): void {
    checkFunction("handler", handler, "handle other signals");
    this.spawn(async (ctx) => {
      const others = (ctx as ScopedContext).#iterate((signals, scope) => signals.subscribeToOthers(scope, signalOf));
      for await (const signal of others) await handler(signal);
    });
  }

  #runScope<T>(
    action: string,
    caller: Caller,
    kind: ScopeKind,
    body: (ctx: ScopeContext) => T | PromiseLike<T>,
    options: ScopeOptions,
  ): Promise<T> {
    try {
      checkScope(action, body, options);
      if (kind.isShield && body.length === 0) {
        const form = "ctx.shield(async (ctx) => { … }) and the calls of that ctx";
        throw new TypeError(`Cannot shield: "body" takes no context, so its calls would not be protected; use ${form}`);
      }
      return quiet(this.#begin(this.#scope, caller, kind, options, (scope) => body(this.#within(scope))));
    } catch (error) {
      return this.#refuse(error);
    }
  }

  #begin<T>(
    parent: Scope,
    caller: Caller,
    kind: ScopeKind,
    { timeoutMs, waitForCanceled }: ScopeOptions,
    body: (scope: Scope) => T | PromiseLike<T>,
  ): Promise<T> {
    const deadline = timeoutMs === undefined ? undefined : { caller, timeoutMs };
    return this.#replay.scope(parent, { ...kind, waitForCanceled }, deadline, body);
  }

  /** The context of a nested scope. */
  #within(scope: Scope): ScopedContext {
    return new ScopedContext(this.#run, this.#replay, this.#settings, scope);
  }
}

/** The handle of a child. A class, because an object literal with a getter is slow; its methods can be taken from it. */
class OwnChild implements ChildHandle {
  declare readonly id: string;
  readonly #child: ChildCommand;
  declare readonly result: ChildHandle["result"];
  declare readonly signal: ChildHandle["signal"];
  declare readonly cancel: ChildHandle["cancel"];

  constructor(
    child: ChildCommand,
    result: ChildHandle["result"],
    signal: ChildHandle["signal"],
    cancel: ChildHandle["cancel"],
  ) {
    this.id = child.childId;
    this.#child = child;
    this.result = result;
    this.signal = signal;
    this.cancel = cancel;
  }

  get started(): Promise<void> {
    return this.#child.started;
  }
}

/** The context of a scope that its own code can cancel. */
class ScopedContext extends ReplayContext implements ScopeContext {
  readonly #scope: Scope;
  readonly #replay: Replay;

  constructor(run: RunKey, replay: Replay, settings: ContextSettings, scope: Scope) {
    super(run, replay, settings, scope);
    this.#scope = scope;
    this.#replay = replay;
  }

  cancel(reason?: string): void {
    checkOptionalString("reason", reason, "cancel scope");
    if (this.#scope.canceled !== undefined) return;
    const message = canceledText(`a scope of ${this.#replay.name}`, reason);
    this.#replay.cancelScope(this.#scope, this.#scope.ownReason = new CanceledError(message, reason));
  }
}

const payloadOf: ReadSignal = ({ payload }) => handOut(payload);
const signalOf: ReadSignal = ({ name, payload, senderId, at: sentAt, signalId, headers = noTexts }) =>
  Object.freeze({ name, payload: handOut(payload), senderId, sentAt, signalId, headers });
const readerOf = ({ withSender }: { withSender?: boolean }, action: string, name: string): ReadSignal => {
  checkBoolean("withSender", withSender, action, name);
  return withSender ? signalOf : payloadOf;
};

const scopeOptions: Readonly<Record<keyof ScopeOptions, true>> = { timeoutMs: true, waitForCanceled: true };

function checkScope(action: string, body: unknown, options: ScopeOptions): void {
  checkFunction("body", body, action);
  checkOptions(options, scopeOptions, action);
  const { timeoutMs, waitForCanceled } = options;
  if (timeoutMs !== undefined) checkNumber("timeoutMs", timeoutMs, 0, action);
  checkBoolean("waitForCanceled", waitForCanceled, action);
}

/** The timer of a wait with a deadline; `undefined` for a wait without one. */
function timeoutOf(
  { timeoutMs }: WaitOptions,
  action: string,
  subject: unknown,
  caller: Caller,
  waitsFor: TimerStartedEvent["waitsFor"],
): TimerCommand | undefined {
  if (timeoutMs === undefined) return undefined;
  checkNumber("timeoutMs", timeoutMs, 0, action, subject);
  return new TimerCommand(caller, timeoutMs, waitsFor);
}
