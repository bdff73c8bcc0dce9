/**
 * What workflow code holds: checks the arguments and turns calls into commands.
 *
 * Owns the deterministic random numbers. Does not know who performs the commands, nor when.
 *
 * @module
 */

import type { Replay } from "./_replay.ts";
import { validateRetryPolicy } from "./retry.ts";
import type { ActivityContext, ActivityOptions, WorkflowContext } from "./types.ts";
import { cannot, checkFunction, checkNumber, checkObject, checkText, invalid } from "./_check.ts";
import { toStored } from "./_value.ts";

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

  receiveSignal<Payload = unknown>(name: string): AsyncIterable<Payload> {
    checkText("name", name, "receive signal");
    const { signals } = this.#replay;
    return { [Symbol.asyncIterator]: () => signals.subscribe(name) as AsyncIterator<Payload> };
  }

  sleep(ms: number): Promise<void> {
    try {
      checkNumber("ms", ms, 0, "sleep");
      return this.#replay.issue({ type: "timer_started", caller: this.sleep, delayMs: ms }) as Promise<void>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  now(): number {
    return this.#replay.now;
  }

  random(): number {
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
