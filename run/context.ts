/**
 * What workflow code holds: checks the arguments and turns calls into commands.
 *
 * Owns the deterministic random numbers. Does not know who performs the commands, nor when.
 *
 * @module
 */

import type { RunInfo } from "../hooks.ts";
import type { Command, Replay } from "./replay.ts";
import { optionsOf, validateActivity } from "../activity.ts";
import type { QueryDefinition, SignalDefinition, UpdateDefinition } from "../definitions.ts";
import type {
  ActivityContext,
  ActivityOptions,
  ChildHandle,
  ChildOptions,
  CompensationOptions,
  Labels,
  UpdateHandlerOptions,
  WaitOptions,
  Workflow,
  WorkflowContext,
  WorkflowLogger,
} from "../types.ts";
import {
  checkChoice,
  checkFunction,
  checkInteger,
  checkNumber,
  checkObject,
  checkText,
  definedName,
} from "../util/check.ts";
import { hash, seededRandom } from "../util/prng.ts";
import { show } from "../util/show.ts";

const noLabels: Labels = /* @__PURE__ */ Object.freeze({});

/** What a context asks its executor. */
export interface ContextHost {
  /** Where lines go. */
  readonly logger: WorkflowLogger;
  /** Where the errors of a logger go. */
  readonly report: (error: unknown) => void;
  /** The name of a workflow in the history. */
  nameOf(workflow: Workflow<never>): string;
  /** Signals or cancels a child, once for each key; waits for it as long as another executor is about to start it. */
  reachChild(request: ChildRequest, attempt: ActivityContext, isComing: () => boolean): Promise<void>;
}

/** What a workflow asks of a child: a signal if it has a name, else to be cancelled. */
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
  readonly #host: ContextHost;
  #random: (() => number) | undefined;
  #log: WorkflowLogger | undefined;
  readonly #run: RunInfo;

  constructor(run: RunInfo, replay: Replay, host: ContextHost) {
    this.workflowId = run.workflowId;
    this.runId = run.runId;
    this.#run = run;
    this.#replay = replay;
    this.#host = host;
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
    const { logger, report } = this.#host;
    const write = (level: keyof WorkflowLogger) => (message: string, fields?: Readonly<Record<string, unknown>>) => {
      if (this.#replay.replaying) return;
      try {
        logger[level](message, { workflowId, runId, workflowName, ...fields });
      } catch (error) {
        report(error); // none of the workflow's
      }
    };
    return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
  }

  executeActivity<Input, Output>(
    activity: (input: Input, context: ActivityContext) => Output,
    input?: Input,
    options: ActivityOptions = {},
  ): Promise<Awaited<Output>> {
    try {
      options = optionsOf(activity, options);
      const name = validateActivity(activity, options, "execute activity");
      return this.#replay.issue({
        type: "activity_started",
        caller: this.executeActivity,
        name,
        input: this.#replay.toStored(input, "input of activity", name),
        activity: activity as (input: never, context: never) => unknown,
        options,
      }) as Promise<Awaited<Output>>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  receiveSignal<Payload = unknown>(signal: string | SignalDefinition<Payload>): AsyncIterable<Payload> {
    const name = definedName("name", signal, "receive signal");
    const replay = this.#replay;
    return {
      [Symbol.asyncIterator]: () => {
        replay.assertFree();
        return replay.signals.subscribe(name) as AsyncIterator<Payload>;
      },
    };
  }

  handleQuery<Result, Args extends readonly unknown[]>(
    query: string | QueryDefinition<Result, Args>,
    handler: (...args: Args) => Result,
  ): void {
    const name = definedName("query", query, "handle query");
    checkFunction("handler", handler, "handle query", name);
    this.#replay.handlers.setQuery(name, handler as (...args: never[]) => unknown);
  }

  handleUpdate<Result, Input>(
    update: string | UpdateDefinition<Result, Input>,
    handler: (input: Input) => Result | PromiseLike<Result>,
    options: UpdateHandlerOptions<Input> = {},
  ): void {
    const action = "handle update";
    const name = definedName("update", update, action);
    checkFunction("handler", handler, action, name);
    checkObject("options", options, action, name);
    const { validate } = options;
    if (validate !== undefined) checkFunction("validate", validate, action, name);
    this.#replay.handlers.setUpdate(name, { handle: handler, validate });
  }

  sleep(ms: number): Promise<void> {
    try {
      checkNumber("ms", ms, 0, "sleep");
      return this.#replay.issue({ type: "timer_started", caller: this.sleep, delayMs: ms }) as Promise<void>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  waitForSignal<Payload = unknown>(
    signal: string | SignalDefinition<Payload>,
    options: WaitOptions = {},
  ): Promise<Payload> {
    try {
      const name = definedName("name", signal, "wait for signal");
      const timeout = timeoutOf(options, "wait for signal", name, this.waitForSignal);
      const { signals } = this.#replay;
      if (timeout === undefined || signals.has(name)) return this.#replay.nextSignal(name) as Promise<Payload>;
      return this.#replay.within(timeout, `Signal ${show(name)}`, () => {
        const subscription = signals.subscribe(name);
        const promise = subscription.next().then(({ value }) => value as Payload);
        return { promise, stop: () => void subscription.return!() };
      });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async waitUntil(condition: () => boolean, options: WaitOptions = {}): Promise<void> {
    checkFunction("condition", condition, "wait until");
    const timeout = timeoutOf(options, "wait until", undefined, this.waitUntil);
    await this.#replay.within(timeout, "The condition", () => this.#replay.condition(condition));
  }

  sideEffect<T>(body: () => T): Promise<T> {
    try {
      checkFunction("body", body, "run side effect");
      const { handlers } = this.#replay;
      const look = () => handlers.look("sideEffect", body);
      return this.#replay.issue({ type: "side_effect", caller: this.sideEffect, body: look }) as Promise<T>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  addCompensation(body: () => unknown, options: CompensationOptions = {}): void {
    const action = "add compensation";
    checkFunction("body", body, action);
    checkObject("options", options, action);
    const { name = body.name || "anonymous" } = options;
    checkText("name", name, action);
    this.#replay.addCompensation(name, body);
  }

  async mapConcurrent<Item, Result>(
    items: Iterable<Item>,
    limit: number,
    body: (item: Item, index: number) => Result | PromiseLike<Result>,
  ): Promise<Result[]> {
    checkInteger("limit", limit, 1, "map items");
    checkFunction("body", body, "map items");
    const list = [...items];
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

  executeChild<Input, Output>(
    workflow: (ctx: WorkflowContext, input: Input) => Output,
    input?: Input,
    options: ChildOptions = {},
  ): Promise<Awaited<Output>> {
    try {
      return this.#startChild(workflow, input, options, this.executeChild).result() as Promise<Awaited<Output>>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  startChild<Input, Output>(
    workflow: (ctx: WorkflowContext, input: Input) => Output,
    input?: Input,
    options: ChildOptions = {},
  ): ChildHandle<Awaited<Output>> {
    return this.#startChild(workflow, input, options, this.startChild) as ChildHandle<Awaited<Output>>;
  }

  #startChild(workflow: unknown, input: unknown, options: ChildOptions, caller: Command["caller"]): ChildHandle {
    const action = "start child workflow";
    checkFunction("workflow", workflow, action);
    const name = this.#host.nameOf(workflow as Workflow<never>);
    checkObject("options", options, action, name);
    const { id = `${this.runId}:${this.#replay.position}`, timeoutMs, parentClosePolicy = "cancel" } = options;
    checkText("id", id, action, name);
    if (timeoutMs !== undefined) checkNumber("timeoutMs", timeoutMs, Number.MIN_VALUE, action, name);
    checkChoice("parentClosePolicy", parentClosePolicy, ["cancel", "terminate", "abandon"], action, name);
    const { pending, position } = this.#replay;
    const isComing = () => {
      const start = pending.get(position);
      return start?.resolved === false && start.effect === undefined;
    };
    const result = this.#replay.issue({
      type: "child_started",
      caller,
      name,
      workflow: workflow as Workflow<never>,
      workflowId: id,
      input: this.#replay.toStored(input, "input of child workflow", name),
      options,
    });
    result.catch(() => {}); // whoever only starts it need not wait for it
    const reach = (verb: string, request: Omit<ChildRequest, "workflowId">) => {
      const name = `${verb} child workflow`;
      return this.#replay.issue({
        type: "activity_started",
        caller: this.executeActivity,
        name,
        input: this.#replay.toStored({ workflowId: id, ...request }, "input of activity", name),
        activity: (request: ChildRequest, attempt: ActivityContext) =>
          this.#host.reachChild(request, attempt, isComing),
        options: {},
        own: true,
      });
    };
    return {
      workflowId: id,
      result: () => result,
      signal: async (signal, payload) =>
        void await reach("signal", { name: definedName("name", signal, "signal child workflow"), payload }),
      cancel: async (reason) => void await reach("cancel", reason === undefined ? {} : { reason }),
    };
  }

  continueAsNew(input?: unknown): Promise<never> {
    try {
      return this.#replay.continueAsNew(this.#replay.toStored(input, "input"));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  patched(changeId: string): boolean {
    checkText("changeId", changeId, "ask for a change");
    return this.#replay.patched(changeId);
  }

  now(): number {
    return this.#replay.now;
  }

  random(): number {
    this.#replay.assertFree(); // the next one would be another
    this.#random ??= seededRandom(hash(this.runId));
    return this.#random();
  }

  uuid(): string {
    return "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx".replace(/[xy]/g, (place) => {
      const digit = Math.floor(this.random() * 16);
      return (place === "x" ? digit : digit & 3 | 8).toString(16);
    });
  }

  // deno-lint-ignore require-await -- so that a bad argument rejects
  async shield<T>(body: () => T | PromiseLike<T>): Promise<T> {
    checkFunction("body", body, "shield");
    return this.#replay.shield(body);
  }
}

/** The command of a timeout, if there is one. */
function timeoutOf(options: WaitOptions, action: string, subject: unknown, caller: Command["caller"]) {
  checkObject("options", options, action, subject);
  const { timeoutMs } = options;
  if (timeoutMs === undefined) return undefined;
  checkNumber("timeoutMs", timeoutMs, 0, action, subject);
  return { type: "timer_started", caller, delayMs: timeoutMs } as const;
}
