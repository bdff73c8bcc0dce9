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
import { isFiniteFrom, show, toStored } from "./_value.ts";

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
    if (typeof name !== "string" || name === "") {
      throw new TypeError(
        `Cannot receive signal: "name" must be a non-empty string, got ${show(name)}`,
      );
    }
    const { signals } = this.#replay;
    return { [Symbol.asyncIterator]: () => signals.subscribe(name) as AsyncIterator<Payload> };
  }

  sleep(ms: number): Promise<void> {
    if (!isFiniteFrom(ms, 0)) {
      return Promise.reject(
        new RangeError(`Cannot sleep: "ms" must be a finite number from 0, got ${show(ms)}`),
      );
    }
    return this.#replay.issue({
      type: "timer_started",
      caller: this.sleep,
      delayMs: ms,
    }) as Promise<void>;
  }

  now(): number {
    return this.#replay.now;
  }

  random(): number {
    this.#random ??= seededRandom(this.runId);
    return this.#random();
  }

  uuid(): string {
    const bytes = Array.from({ length: 16 }, () => Math.floor(this.random() * 256));
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    const hex = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return hex.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5");
  }

  shield<T>(body: () => T | PromiseLike<T>): Promise<T> {
    if (typeof body !== "function") {
      return Promise.reject(
        new TypeError(`Cannot shield: "body" must be a function, got ${show(body)}`),
      );
    }
    return this.#replay.shield(body);
  }
}

/** @returns The activity's name in the history. */
function validateActivity(activity: unknown, options: ActivityOptions): string {
  if (typeof activity !== "function") {
    throw new TypeError(
      `Cannot execute activity: "activity" must be a function, got ${show(activity)}`,
    );
  }
  if (typeof options !== "object" || options === null) {
    throw new TypeError(
      `Cannot execute activity: "options" must be an object, got ${show(options)}`,
    );
  }
  const {
    name = activity.name || "anonymous",
    retry,
    timeoutMs,
    totalTimeoutMs,
    atMostOnce = false,
  } = options;
  if (typeof name !== "string" || name === "") {
    throw new TypeError(
      `Cannot execute activity: "name" must be a non-empty string, got ${show(name)}`,
    );
  }
  if (retry !== undefined) validateRetryPolicy(retry);
  if (typeof atMostOnce !== "boolean") {
    throw new TypeError(
      `Cannot execute activity ${show(name)}: "atMostOnce" must be a boolean, got ${show(atMostOnce)}`,
    );
  }
  if (atMostOnce && retry !== undefined) {
    throw new TypeError(
      `Cannot execute activity ${show(name)}: "atMostOnce" and "retry" exclude each other`,
    );
  }
  for (
    const [option, value] of [["timeoutMs", timeoutMs], ["totalTimeoutMs", totalTimeoutMs]] as const
  ) {
    if (value !== undefined && !isFiniteFrom(value, Number.MIN_VALUE)) {
      throw new RangeError(
        `Cannot execute activity ${show(name)}: "${option}" must be a finite number above 0, got ${show(value)}`,
      );
    }
  }
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
