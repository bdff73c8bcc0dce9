/**
 * What workflow code holds: checks the arguments and turns calls into commands.
 *
 * Owns the deterministic random numbers. Does not know who performs the commands, nor when.
 *
 * @module
 */

import type { Command, Replay } from "./_replay.ts";
import { validateRetryPolicy } from "./retry.ts";
import type { QueryDefinition, SignalDefinition, UpdateDefinition } from "./definitions.ts";
import type {
  ActivityContext,
  ActivityOptions,
  CompensationOptions,
  Labels,
  UpdateHandlerOptions,
  WaitOptions,
  WorkflowContext,
} from "./types.ts";
import {
  cannot,
  checkFunction,
  checkInteger,
  checkNumber,
  checkObject,
  checkText,
  definedName,
  invalid,
} from "./_check.ts";
import { show, toStored } from "./_value.ts";

const noLabels: Labels = Object.freeze({});

/** The context of a run, live or replayed. */
export class ReplayContext implements WorkflowContext {
  /** The workflow's ID. */
  readonly workflowId: string;
  /** The ID of this run. */
  readonly runId: string;
  readonly #replay: Replay;
  #random: (() => number) | undefined;

  constructor(workflowId: string, runId: string, replay: Replay) {
    this.workflowId = workflowId;
    this.runId = runId;
    this.#replay = replay;
  }

  get labels(): Labels {
    return this.#replay.started?.labels ?? noLabels;
  }

  get signal(): AbortSignal {
    return this.#replay.signal;
  }

  executeActivity<Input, Output>(
    activity: (input: Input, context: ActivityContext) => Output,
    input?: Input,
    options: ActivityOptions = {},
  ): Promise<Awaited<Output>> {
    try {
      const name = validateActivity(activity, options);
      return this.#replay.issue({
        type: "activity_started",
        caller: this.executeActivity,
        name,
        input: toStored(input, "input of activity", name),
        activity: activity as (input: never, context: never) => unknown,
        options,
      }) as Promise<Awaited<Output>>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  receiveSignal<Payload = unknown>(signal: string | SignalDefinition<Payload>): AsyncIterable<Payload> {
    const name = definedName("name", signal, "receive signal");
    const { signals, handlers } = this.#replay;
    return {
      [Symbol.asyncIterator]: () => {
        handlers.assertFree();
        return signals.subscribe(name) as AsyncIterator<Payload>;
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

  async waitForSignal<Payload = unknown>(
    signal: string | SignalDefinition<Payload>,
    options: WaitOptions = {},
  ): Promise<Payload> {
    const name = definedName("name", signal, "wait for signal");
    const timeout = timeoutOf(options, "wait for signal", name, this.waitForSignal);
    return await this.#replay.within(timeout, `Signal ${show(name)}`, () => {
      const subscription = this.#replay.signals.subscribe(name);
      const promise = subscription.next().then(({ value }) => value as Payload);
      return { promise, stop: () => void subscription.return!() };
    });
  }

  async waitUntil(condition: () => boolean, options: WaitOptions = {}): Promise<void> {
    checkFunction("condition", condition, "wait until");
    const timeout = timeoutOf(options, "wait until", undefined, this.waitUntil);
    await this.#replay.within(timeout, "The condition", () => this.#replay.condition(condition));
  }

  sideEffect<T>(body: () => T): Promise<T> {
    try {
      checkFunction("body", body, "run side effect");
      return this.#replay.issue({ type: "side_effect", caller: this.sideEffect, body }) as Promise<T>;
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
    let failed = false;
    const lane = async () => {
      while (next < list.length && !failed) {
        const index = next++;
        try {
          results[index] = await body(list[index], index);
        } catch (error) {
          failed = true;
          throw error;
        }
      }
    };
    const lanes = await Promise.allSettled(Array.from({ length: Math.min(limit, list.length) }, lane));
    const failure = lanes.find((one) => one.status === "rejected");
    if (failure !== undefined) throw failure.reason;
    return results;
  }

  continueAsNew(input?: unknown): Promise<never> {
    try {
      return this.#replay.continueAsNew(toStored(input, "input"));
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
    this.#replay.handlers.assertFree(); // the next one would be another
    this.#random ??= seededRandom(this.runId);
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

/** @returns The activity's name in the history. */
function validateActivity(activity: (...args: never[]) => unknown, options: ActivityOptions): string {
  const action = "execute activity";
  checkFunction("activity", activity, action);
  checkObject("options", options, action);
  const { name = activity.name || "anonymous", retry, timeoutMs, totalTimeoutMs, atMostOnce = false } = options;
  checkText("name", name, action);
  if (retry !== undefined) validateRetryPolicy(retry);
  if (typeof atMostOnce !== "boolean") throw invalid("atMostOnce", atMostOnce, "a boolean", action, name);
  if (atMostOnce && retry) throw new TypeError(`${cannot(action, name)}: "atMostOnce" and "retry" exclude each other`);
  if (timeoutMs !== undefined) checkNumber("timeoutMs", timeoutMs, Number.MIN_VALUE, action, name);
  if (totalTimeoutMs !== undefined) checkNumber("totalTimeoutMs", totalTimeoutMs, Number.MIN_VALUE, action, name);
  return name;
}

/** Numbers from 0 to below 1 that follow from `seed` alone: FNV-1a seeds mulberry32. */
function seededRandom(seed: string): () => number {
  let state = 0x811c9dc5;
  for (let i = 0; i < seed.length; i++) state = Math.imul(state ^ seed.charCodeAt(i), 0x01000193);
  return () => {
    state = state + 0x6d2b79f5 | 0;
    let mixed = Math.imul(state ^ state >>> 15, state | 1);
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  };
}
