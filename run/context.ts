/**
 * The context that workflow code gets: checks the arguments of each call and makes a command of it.
 *
 * Owns the checks and the deterministic random numbers. Does not know who performs a command, nor when.
 *
 * Every promise that it returns is quiet: it may reject while nobody awaits it. That of a command is so by itself (`Deferred`),
 * that of a refused call too (`Replay.refuse`), the others go through `quiet()`.
 *
 * @module
 */

import type { RunInfo } from "../hooks.ts";
import {
  type ActivityContext,
  type ActivityFunction,
  type ActivityOptions,
  noOptions,
  optionsOf,
  validateActivity,
} from "../activity.ts";
import type { QueryDefinition, SignalDefinition, UpdateDefinition } from "../definitions.ts";
import type { DeepReadonly, Labels } from "../types.ts";
import type {
  ChildHandle,
  ChildOptions,
  CompensationOptions,
  UpdateHandlerOptions,
  WaitOptions,
  Workflow,
  WorkflowContext,
  WorkflowFunction,
  WorkflowLogger,
} from "../context.ts";
import {
  checkChoice,
  checkFunction,
  checkInteger,
  checkNumber,
  checkOptionalString,
  checkOptions,
  checkText,
  definedName,
} from "../util/check.ts";
import { callUser, quiet } from "../util/deferred.ts";
import { hash, seededRandom } from "../util/prng.ts";
import { show } from "../util/show.ts";
import { toStored } from "../history/value.ts";
import { ActivityCommand } from "./activity.ts";
import { ChildCommand } from "./child.ts";
import { type Caller, SideEffectCommand, TimerCommand } from "./command.ts";
import type { Replay } from "./replay.ts";

const childOptions: Readonly<Record<keyof ChildOptions, true>> = { id: true, timeoutMs: true, parentClosePolicy: true };

const noLabels: Labels = /* @__PURE__ */ Object.freeze({});

/** What the contexts of an executor use. */
export interface ContextSettings {
  /** Gets what workflows write to `ctx.log`. */
  readonly logger: WorkflowLogger;
  /** Gets the errors of the logger. */
  readonly report: (error: unknown) => void;
  /** The name of a workflow in the history. */
  nameOf(workflow: Workflow<never>): string;
  /**
   * Delivers a signal or a cancellation to a child, once for each idempotency key.
   *
   * @param isStarting Whether another executor is about to start the child: then the call waits for it.
   */
  deliverToChild(request: ChildRequest, attempt: ActivityContext, isStarting: () => boolean): Promise<void>;
}

/** A message of a workflow to its child: a signal if it has a name, else a cancellation. */
export interface ChildRequest {
  /** The child's ID. */
  readonly workflowId: string;
  /** The name of the signal. */
  readonly name?: string;
  /** The payload of the signal. */
  readonly payload?: unknown;
  /** The reason of the cancellation. */
  readonly reason?: string;
}

/** The context of a run, live or replayed. */
export class ReplayContext implements WorkflowContext {
  /** The workflow's ID. */
  readonly workflowId: string;
  /** The ID of this run. */
  readonly runId: string;
  readonly #replay: Replay;
  readonly #settings: ContextSettings;
  #random: (() => number) | undefined;
  #log: WorkflowLogger | undefined;
  readonly #run: RunInfo;

  constructor(run: RunInfo, replay: Replay, settings: ContextSettings) {
    this.workflowId = run.workflowId;
    this.runId = run.runId;
    this.#run = run;
    this.#replay = replay;
    this.#settings = settings;
  }

  get labels(): Labels {
    return this.#replay.started?.labels ?? noLabels;
  }

  get workflowVersion(): string | undefined {
    return this.#replay.started?.workflowVersion;
  }

  get signal(): AbortSignal {
    return this.#replay.signal;
  }

  get log(): WorkflowLogger {
    return this.#log ??= this.#logger();
  }

  #logger(): WorkflowLogger {
    const { workflowId, runId, workflowName } = this.#run;
    const { logger, report } = this.#settings;
    const write = (level: keyof WorkflowLogger) => (message: string, fields?: Readonly<Record<string, unknown>>) => {
      if (this.#replay.replaying) return;
      callUser(() => logger[level](message, { workflowId, runId, workflowName, ...fields }), report);
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
      return this.#replay.issue(command) as Promise<DeepReadonly<Awaited<Returned>>>;
    } catch (error) {
      return this.#replay.refuse(error);
    }
  }

  receiveSignal<Payload = unknown>(signal: string | SignalDefinition<Payload>): AsyncIterable<DeepReadonly<Payload>> {
    const name = definedName("signal", signal, "receive signal", undefined, "name");
    const replay = this.#replay;
    return {
      [Symbol.asyncIterator]: () => {
        replay.assertContextFree();
        return replay.signals.subscribe(name) as AsyncIterator<DeepReadonly<Payload>>;
      },
    };
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
    handler: (input: DeepReadonly<Input>) => DeepReadonly<Result> | PromiseLike<DeepReadonly<Result>>,
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
      return this.#replay.issue(new TimerCommand(this.sleep, ms)) as Promise<void>;
    } catch (error) {
      return this.#replay.refuse(error);
    }
  }

  waitForSignal<Payload = unknown>(
    signal: string | SignalDefinition<Payload>,
    options: WaitOptions = {},
  ): Promise<DeepReadonly<Payload>> {
    try {
      const name = definedName("signal", signal, "wait for signal", undefined, "name");
      const timeout = timeoutOf(options, "wait for signal", name, this.waitForSignal);
      const { signals } = this.#replay;
      if (timeout === undefined || signals.has(name)) {
        return this.#replay.nextSignal(name) as Promise<DeepReadonly<Payload>>;
      }
      return quiet(this.#replay.within(timeout, `Signal ${show(name)} did not come`, () => {
        const subscription = signals.subscribe(name);
        const promise = subscription.next().then(({ value }) => value as DeepReadonly<Payload>);
        return { promise, withdraw: () => void subscription.return!() };
      }));
    } catch (error) {
      return this.#replay.refuse(error);
    }
  }

  waitUntil(condition: () => boolean, options: WaitOptions = {}): Promise<void> {
    try {
      checkFunction("condition", condition, "wait until");
      const timeout = timeoutOf(options, "wait until", undefined, this.waitUntil);
      const replay = this.#replay;
      return quiet(replay.within(timeout, "The condition was not true", () => replay.condition(condition)));
    } catch (error) {
      return this.#replay.refuse(error);
    }
  }

  sideEffect<T>(body: () => T): Promise<DeepReadonly<T>> {
    try {
      checkFunction("body", body, "run side effect");
      const { handlers } = this.#replay;
      const readOnly = () => handlers.readOnly("sideEffect", body);
      return this.#replay.issue(new SideEffectCommand(this.sideEffect, readOnly)) as Promise<DeepReadonly<T>>;
    } catch (error) {
      return this.#replay.refuse(error);
    }
  }

  addCompensation(body: () => unknown, options: CompensationOptions = {}): void {
    const action = "add compensation";
    checkFunction("body", body, action);
    checkOptions(options, { name: true }, action);
    const { name = body.name || "anonymous" } = options;
    checkText("name", name, action);
    this.#replay.addCompensation(name, body);
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
      return this.#replay.refuse(error);
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
    options: ChildOptions = {},
  ): Promise<DeepReadonly<Awaited<Returned>>> {
    try {
      return this.#startChild(workflow, input, options, this.executeChild).result() as Promise<never>;
    } catch (error) {
      return this.#replay.refuse(error);
    }
  }

  startChild<Input, Returned>(
    workflow: WorkflowFunction<Input, Returned>,
    input?: unknown,
    options: ChildOptions = {},
  ): ChildHandle<DeepReadonly<Awaited<Returned>>> {
    return this.#startChild(workflow, input, options, this.startChild) as ChildHandle<never>;
  }

  #startChild(workflow: unknown, input: unknown, options: ChildOptions, caller: Caller): ChildHandle {
    const action = "start child workflow";
    checkFunction("workflow", workflow, action);
    const name = this.#settings.nameOf(workflow as Workflow<never>);
    checkOptions(options, childOptions, action, name);
    const { id = `${this.runId}:${this.#replay.position}`, timeoutMs, parentClosePolicy } = options;
    checkText("id", id, action, name);
    if (timeoutMs !== undefined) checkNumber("timeoutMs", timeoutMs, Number.MIN_VALUE, action, name);
    checkChoice("parentClosePolicy", parentClosePolicy, ["cancel", "terminate", "abandon"], action, name);
    const stored = toStored(input, "input of child workflow", name, this.#replay.started?.maxPayloadBytes);
    const child = new ChildCommand(caller, name, workflow as Workflow<never>, id, stored, options);
    const result = this.#replay.issue(child);
    const { commands } = this.#replay;
    const isStarting = () => !child.settled && !child.performed && commands.get(child.seq) === child;
    const deliver = (verb: string, message: () => Omit<ChildRequest, "workflowId">): Promise<void> => {
      try {
        const name = `${verb} child workflow`;
        const stored = toStored(
          { workflowId: id, ...message() },
          "input of activity",
          name,
          this.#replay.started?.maxPayloadBytes,
        );
        const body = (request: ChildRequest, attempt: ActivityContext) =>
          this.#settings.deliverToChild(request, attempt, isStarting);
        const command = new ActivityCommand(this.executeActivity, name, stored, body as never, {}, true);
        return this.#replay.issue(command) as Promise<void>;
      } catch (error) {
        return this.#replay.refuse(error);
      }
    };
    return {
      id,
      result: () => result,
      signal: (signal, payload?: unknown) =>
        deliver("signal", () => ({
          name: definedName("signal", signal, "signal child workflow", undefined, "name"),
          payload,
        })),
      cancel: (reason) =>
        deliver("cancel", () => {
          checkOptionalString("reason", reason, "cancel child workflow", id);
          return reason === undefined ? {} : { reason };
        }),
    };
  }

  continueAsNew(input?: unknown): Promise<never> {
    try {
      return this.#replay.continueAsNew(toStored(input, "input", undefined, this.#replay.started?.maxPayloadBytes));
    } catch (error) {
      return this.#replay.refuse(error);
    }
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
    this.#random ??= seededRandom(hash(this.runId));
    return this.#random();
  }

  uuid(): string {
    return "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx".replace(/[xy]/g, (place) => {
      const digit = Math.floor(this.random() * 16);
      return (place === "x" ? digit : digit & 3 | 8).toString(16);
    });
  }

  shield<T>(body: () => T | PromiseLike<T>): Promise<T> {
    try {
      checkFunction("body", body, "shield");
      return quiet(this.#replay.shield(body));
    } catch (error) {
      return this.#replay.refuse(error);
    }
  }
}

/** The timer of a wait with a deadline; `undefined` for a wait without one. */
function timeoutOf(options: WaitOptions, action: string, subject: unknown, caller: Caller): TimerCommand | undefined {
  checkOptions(options, { timeoutMs: true }, action, subject);
  const { timeoutMs } = options;
  if (timeoutMs === undefined) return undefined;
  checkNumber("timeoutMs", timeoutMs, 0, action, subject);
  return new TimerCommand(caller, timeoutMs);
}
