/**
 * A Durable Object that runs workflows: its executor, its alarm, and its calls.
 *
 * 1. The platform delivers nothing to the object before the runs of the store are live.
 * 2. The alarm belongs to the workflows. A class that has other uses for it overrides `alarm` and calls `super.alarm()`.
 * 3. An object whose code cannot start keeps its alarm, and rejects its calls with the reason. Each call tries again.
 *
 * @module
 */

import { systemClock } from "../../clock.ts";
import { WorkflowError } from "../../errors.ts";
import { Executor } from "../../executor.ts";
import type {
  AnyWorkflow,
  ExecuteOptions,
  ExecutorOptions,
  SignalOptions,
  UpdateOptions,
  WorkflowDescription,
} from "../../options.ts";
import {
  cannot,
  checkArray,
  checkFunction,
  checkInteger,
  checkNumber,
  checkObject,
  checkText,
  invalid,
  isA,
} from "../../util/check.ts";
import { callUser } from "../../util/deferred.ts";
import { logError } from "../../util/log_error.ts";
import { show } from "../../util/show.ts";
import { AlarmClock } from "./alarm_clock.ts";
import { answer } from "./http.ts";
import type { ObjectState } from "./platform.ts";
import { DurableObjectStore, type DurableObjectStoreOptions } from "./store.ts";

/**
 * Options of {@linkcode workflowObject}: those of its executor, which has its store, clock and leases already, and some of its own.
 *
 * @category Durable Object
 */
export interface WorkflowObjectOptions
  extends DurableObjectStoreOptions, Omit<ExecutorOptions, "store" | "clock" | "leaseMs"> {
  /** The workflows that the object runs, by name. */
  readonly workflows: Readonly<Record<string, AnyWorkflow>>;
  /**
   * How soon work is resumed that an eviction has interrupted, an activity for example, in milliseconds, above 0. While work is in
   * progress, the object has an alarm this far ahead: one written row and one call each time.
   *
   * @default {10_000}
   */
  readonly resumeAfterMs?: number | undefined;
  /**
   * The largest body that `fetch` reads, in bytes; a positive integer.
   *
   * @default {1_000_000}
   */
  readonly maxRequestBytes?: number | undefined;
  /**
   * Returns the time, in milliseconds since the epoch, for tests. Alarms are set by the difference to it. After a jump, a test calls
   * `alarm()`.
   *
   * @default {Date.now}
   */
  readonly now?: (() => number) | undefined;
}

/**
 * How {@linkcode WorkflowObject.start} starts a workflow.
 *
 * @category Durable Object
 */
export interface StartOptions extends Omit<ExecuteOptions, "signal"> {
  /** The workflow's ID; a non-empty string. */
  readonly id: string;
}

/**
 * A run that {@linkcode WorkflowObject.start} has started or joined.
 *
 * @category Durable Object
 */
export interface StartedRun {
  /** The workflow's ID. */
  readonly id: string;
  /** The ID of the run. */
  readonly runId: string;
}

/**
 * The methods of a Durable Object that runs workflows. A Worker and other objects call them by RPC: arguments and results are copied
 * by structured clone. Cloudflare's types make `never` of a result that is `unknown`: say which type it has by `as`, or by a method of
 * your class.
 *
 * A promise resolves when its effect is stored in the object; the platform makes it durable before the answer leaves the object.
 *
 * @category Durable Object
 */
export interface WorkflowObject {
  /**
   * Starts a workflow. A repeated start joins the workflow, running or finished, unless `onConflict` and `reuse` say otherwise.
   *
   * @param workflow The name of the workflow in the options of the object.
   * @param options The ID, the input and more; see {@linkcode Executor.execute}.
   * @throws {WorkflowError} With code `unknown_workflow` if the object knows no workflow of that name; also as `execute` does.
   */
  start(workflow: string, options: StartOptions): Promise<StartedRun>;
  /** Sends a signal; see {@linkcode Executor.signal}. */
  signal(id: string, name: string, payload?: unknown, options?: SignalOptions): Promise<void>;
  /** Asks a workflow a question; see {@linkcode Executor.query}. */
  query(id: string, name: string, args?: readonly unknown[]): Promise<unknown>;
  /** Asks a workflow to do something, and returns its answer; see {@linkcode Executor.update}. */
  update(id: string, name: string, input?: unknown, options?: UpdateOptions): Promise<unknown>;
  /** Asks a workflow to end; see {@linkcode Executor.cancel}. */
  cancel(id: string, reason?: string): Promise<void>;
  /** Ends a workflow without its consent; see {@linkcode Executor.terminate}. */
  terminate(id: string, reason?: string): Promise<void>;
  /** Describes a workflow; see {@linkcode Executor.describe}. */
  // deno-lint-ignore no-explicit-any -- the types of RPC accept no unknown input
  describe(id: string): Promise<WorkflowDescription & { readonly input: any; readonly result?: any }>;
  /**
   * Waits for the result of a workflow; see {@linkcode WorkflowHandle.result}. The call keeps the object in memory: for a workflow
   * that takes long, call `describe` now and then, or let the workflow tell you.
   */
  result(id: string): Promise<unknown>;
  /** Answers a request in JSON; see `docs/runtimes.md`. Who may send one is up to the Worker that passes it on. */
  fetch(request: Request): Promise<Response>;
  /** The platform calls it when the alarm of the object is due: runs continue that wait for that time. */
  alarm(): Promise<void>;
}

/**
 * The class `DurableObject` of `cloudflare:workers`, or a class of yours that extends it.
 *
 * @category Durable Object
 */
// deno-lint-ignore no-explicit-any -- a constructor of a mixin
export type ObjectClass = abstract new (...args: any[]) => object;

/**
 * Makes a class of Durable Objects that run workflows: an object for each workflow, or for a group of some hundred.
 *
 * An object that is evicted is made again by a call or by its alarm, and all of its running workflows are resumed before anything else.
 *
 * @param base `DurableObject` of `cloudflare:workers`.
 * @param options The options, or a function that makes them of the object's `env`.
 * @returns The class to extend, or to export as it is.
 * @throws {TypeError} If an argument is of the wrong kind.
 *
 * @example
 * ```ts ignore
 * import { DurableObject } from "cloudflare:workers";
 * import { workflowObject } from "@rockpool/workflow/durable-object";
 * import { approval } from "./approval.ts";
 *
 * export class Approvals extends workflowObject(DurableObject, { workflows: { approval } }) {}
 * ```
 *
 * @category Durable Object
 */
export function workflowObject<Base extends ObjectClass, Env = unknown>(
  base: Base,
  options: WorkflowObjectOptions | ((env: Env) => WorkflowObjectOptions),
  // deno-lint-ignore no-explicit-any -- a constructor of a mixin
): Base & (new (...args: any[]) => WorkflowObject) {
  const action = "make a class of workflow objects";
  checkFunction("base", base, action);
  if (typeof options !== "function") checkObject("options", options, action);
  // deno-lint-ignore no-explicit-any -- a constructor of a mixin
  abstract class Workflows extends (base as abstract new (...args: any[]) => object) implements WorkflowObject {
    readonly #engine: Engine;

    // deno-lint-ignore no-explicit-any -- a constructor of a mixin
    constructor(...args: any[]) {
      super(...args);
      const [state, env] = args as [ObjectState, Env];
      this.#engine = new Engine(state, () => typeof options === "function" ? options(env) : options);
    }

    async start(workflow: string, options: StartOptions): Promise<StartedRun> {
      const { executor, workflows } = await this.#engine.open();
      checkText("workflow", workflow, "start workflow");
      checkObject("options", options, "start workflow");
      const { id } = options;
      checkText("id", id, "start workflow");
      if (!Object.hasOwn(workflows, workflow)) {
        const known = Object.keys(workflows).map(show).join(", ");
        const why = `the object has no workflow ${show(workflow)}; it has ${known || "none"}`;
        throw new WorkflowError("unknown_workflow", `${cannot("start workflow", id)}: ${why}`);
      }
      const { runId } = await executor.execute(workflows[workflow] as () => unknown, {
        onConflict: "join",
        reuse: "join",
        ...options,
      });
      return { id, runId };
    }

    async signal(id: string, name: string, payload?: unknown, options?: SignalOptions): Promise<void> {
      const { executor } = await this.#engine.open();
      await executor.signal(id, name, payload, options);
    }

    async query(id: string, name: string, args: readonly unknown[] = []): Promise<unknown> {
      const { executor } = await this.#engine.open();
      checkArray("args", args, "query workflow", id);
      return await executor.query(id, name, ...args);
    }

    async update(id: string, name: string, input?: unknown, options?: UpdateOptions): Promise<unknown> {
      const { executor } = await this.#engine.open();
      return await executor.update(id, name, input, options);
    }

    async cancel(id: string, reason?: string): Promise<void> {
      await (await this.#engine.open()).executor.cancel(id, reason);
    }

    async terminate(id: string, reason?: string): Promise<void> {
      await (await this.#engine.open()).executor.terminate(id, reason);
    }

    async describe(id: string): Promise<WorkflowDescription> {
      return await (await this.#engine.open()).executor.describe(id);
    }

    async result(id: string): Promise<unknown> {
      return await (await (await this.#engine.open()).executor.handle(id)).result();
    }

    async fetch(request: Request): Promise<Response> {
      if (!isA(request, Request)) throw invalid("request", request, "a Request", "answer a request");
      return await answer(request, this, this.#engine.maxRequestBytes, (error) => this.#engine.report(error));
    }

    async alarm(): Promise<void> {
      await this.#engine.ring();
    }
  }
  return Workflows as never;
}

/** What an object has in memory. */
interface Opened {
  readonly executor: Executor;
  readonly workflows: Readonly<Record<string, AnyWorkflow>>;
  readonly store: DurableObjectStore;
}

/** The executor of an object, and its alarm. */
class Engine {
  readonly #state: ObjectState;
  readonly #makeOptions: () => WorkflowObjectOptions;
  #opened: Promise<Opened> | undefined;
  #clock: AlarmClock | undefined;
  #report: (error: unknown) => void = logError;
  maxRequestBytes = 1_000_000;

  constructor(state: ObjectState, makeOptions: () => WorkflowObjectOptions) {
    this.#state = state;
    this.#makeOptions = makeOptions;
    // It does not reject: the platform would end the object, and forget its alarm after some such ends.
    void state.blockConcurrencyWhile(() => this.open().then(() => {}, (error) => this.report(error)));
  }

  report(error: unknown): void {
    callUser(() => this.#report(error), logError);
  }

  /** The executor, once every run of the store is live. Tries again after a failure. */
  open(): Promise<Opened> {
    return this.#opened ??= this.#open().catch((error) => {
      this.#opened = undefined;
      throw error;
    });
  }

  async #open(): Promise<Opened> {
    const { storage } = this.#state;
    let now = systemClock.now;
    let resumeAfterMs = 10_000;
    let opened: Opened | undefined;
    const clock = this.#clock = new AlarmClock({
      storage,
      now: () => now(),
      resumeAfterMs: () => resumeAfterMs,
      isStuck: async () => opened !== undefined && await isStuck(opened),
      report: (error) => this.report(error),
    });
    await clock.load();
    try {
      const action = "make a workflow object";
      const { codec, maxRequestBytes = 1_000_000, workflows, ...options } = this.#makeOptions();
      ({ now = systemClock.now, resumeAfterMs = 10_000 } = options);
      checkFunction("now", now, action);
      checkNumber("resumeAfterMs", resumeAfterMs, Number.MIN_VALUE, action);
      checkInteger("maxRequestBytes", maxRequestBytes, 1, action);
      this.maxRequestBytes = maxRequestBytes;
      const { now: _1, resumeAfterMs: _2, onError = logError, ...others } = options;
      const store = new DurableObjectStore(storage, { codec });
      const executor = new Executor({ ...others, onError, workflows, store, clock, leaseMs: 0 });
      this.#report = onError;
      opened = { executor, workflows, store };
      await executor.recover();
      return opened;
    } catch (error) {
      clock.keep();
      throw error;
    }
  }

  /** The alarm is due. */
  async ring(): Promise<void> {
    try {
      const { executor, ...opened } = await this.open();
      if (await isStuck({ executor, ...opened })) await executor.recover();
      await this.#clock!.ring();
    } catch (error) {
      this.report(error);
      this.#clock!.rang();
    }
  }
}

/** Whether a running workflow is not live: its code is not known, it does not fit its history, or the store has failed. */
async function isStuck({ executor, store }: Opened): Promise<boolean> {
  return await store.count({ status: "running" }) > executor.openRuns().length;
}
