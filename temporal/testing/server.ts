/**
 * The server in this process: a store, a time, and an executor for each task queue that has a running worker.
 *
 * 1. A workflow belongs to the task queue of its start. Only the executor of that queue runs it.
 * 2. Without a running worker a start is stored, and messages too. The next worker of the queue resumes what the store holds.
 * 3. A worker that ends suspends the workflows of its queue and aborts their activities, which the next worker repeats.
 * 4. Starts, and beginnings and ends of workers, take turns: no start falls between two workers.
 *
 * @module
 */

import { systemClock } from "../../clock.ts";
import { Executor, type WorkflowHandle as Run } from "../../executor.ts";
import { InMemoryStore } from "../../store.ts";
import type { WorkflowState, WorkflowStore } from "../../types.ts";
import { Deferred } from "../../util/deferred.ts";
import { IllegalStateError } from "../common/mod.ts";
import { describeOpenRuns } from "../../testing/open_runs.ts";
import { show } from "../../util/show.ts";
import { type Converter, type ValueConverter, valueConverter } from "../common/value_converter.ts";
import { scheduleActivity } from "../mod.ts";
import { TemporalHost } from "../host.ts";
import type { ActivityInterceptorsFactory } from "../activity/mod.ts";
import type { WorkflowInterceptorsFactory } from "../interceptors.ts";
import type { InjectedSinks } from "../types.ts";
import type { Started } from "./client_options.ts";
import { runtimeLogger } from "./logger.ts";
import { executeOptions, inputOf, parentOf, startInput, startLabels } from "./start_options.ts";
import { type EnvironmentTime, realTime } from "./time.ts";

/** How long a worker that ends waits for activities that were cancelled, in milliseconds. */
const HEED_MS = 1000;

/** The name of the workflow that runs an activity on its own. */
export const STANDALONE = "standaloneActivity";

// deno-lint-ignore no-explicit-any -- any function of the user
type AnyFunction = (...args: any[]) => unknown;

/** What a worker brings. */
export interface Registration {
  readonly taskQueue: string;
  readonly workflows: Readonly<Record<string, unknown>>;
  readonly activities: Readonly<Record<string, AnyFunction>>;
  // deno-lint-ignore no-explicit-any -- sinks of any functions
  readonly sinks: InjectedSinks<any>;
  readonly interceptors: readonly WorkflowInterceptorsFactory[];
  readonly activityInterceptors: readonly ActivityInterceptorsFactory[];
  /** The client that activities get. */
  readonly client: unknown;
}

/** Runs an activity for a client. */
function standaloneActivity(name: string, args: unknown[], options: object): Promise<unknown> {
  return scheduleActivity(name, args, options as never);
}

/** A task queue that has running workers. */
interface Queue {
  readonly workers: Set<Registration>;
  readonly executor: Executor;
  readonly host: TemporalHost;
}

export class InProcessServer {
  readonly time: EnvironmentTime;
  readonly store: InMemoryStore;
  /** Sends messages to workflows, wherever they run. It runs none. */
  readonly calls: Executor;
  readonly #queues = new Map<string, Queue>();
  #converter: Converter = "json";
  #values: ValueConverter = valueConverter();
  /** The calls of activities that have not ended. */
  readonly #calling = new Set<Promise<unknown>>();
  /** Ends when the last start, or beginning or end of a worker, has ended. */
  #turn: Promise<unknown> = Promise.resolve();
  readonly #closed = new Deferred<void>();
  #isClosed = false;

  constructor(time: EnvironmentTime) {
    this.time = time;
    this.store = new InMemoryStore({ clock: time.clock });
    this.calls = new Executor({ store: this.store, clock: time.clock });
    time.onStuck = (isActivity) => isActivity ? this.#warnOfActivities() : this.#warnOfStandstill();
  }

  /** Resolves when the server is closed. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  #checkOpen(action: string): void {
    if (!this.#isClosed) return;
    throw new IllegalStateError(`Cannot ${action}: the test environment is torn down; make another one`);
  }

  /** Says which activities run: if one of them does not end, a test would hang. */
  #warnOfActivities(): void {
    const runs = [...this.#queues.values()].flatMap(({ executor }) => executor.openRuns()).map((run) => ({
      ...run,
      waitsFor: run.waitsFor.filter((wait) => wait.type === "activity" && wait.status === "running"),
    })).filter(({ waitsFor }) => waitsFor.length > 0);
    const what = describeOpenRuns(runs, this.time.clock.now()).join("; ");
    runtimeLogger.warn(`A result is awaited, and time does not skip while an activity runs: ${what}`);
  }

  /** Says what the workflows wait for, where a test would hang. */
  #warnOfStandstill(): void {
    this.#standstill().then((what) => {
      runtimeLogger.warn(`A result is awaited that cannot come unless something is sent: ${what}`);
    });
  }

  async #standstill(): Promise<string> {
    const runs = [...this.#queues.values()].flatMap(({ executor }) => executor.openRuns());
    const lines = describeOpenRuns(runs, this.time.clock.now());
    const live = new Set(runs.map(({ workflowId }) => workflowId));
    for (const state of await this.store.list()) {
      if (state.status !== "running" || live.has(state.workflowId)) continue;
      lines.push(`workflow ${show(state.workflowId)} does not run: ${await this.#whyNot(state)}`);
    }
    return lines.join("; ") || "no workflow runs";
  }

  /** Why a workflow that has not ended does not run. */
  async #whyNot(state: WorkflowState): Promise<string> {
    const taskQueue = await taskQueueOf(this.store, state);
    const queue = this.#queues.get(taskQueue);
    const all = (names: Iterable<string>) => Array.from(names, (name) => show(name)).join(", ") || "none";
    if (queue === undefined) {
      return `no worker of task queue ${show(taskQueue)} runs; there are workers of ${all(this.#queues.keys())}`;
    }
    const { workflowName } = state;
    const names = Object.keys(queue.host.executorOptions.workflows ?? {}).filter((name) => name !== STANDALONE);
    if (names.includes(workflowName)) return "its code does not do what its history says: see the lines above";
    return `the worker of task queue ${show(taskQueue)} has no workflow ${show(workflowName)}; it has ${all(names)}`;
  }

  /** Sets how values are stored, for workers that begin from now on. */
  convertBy(converter: Converter): void {
    this.#values = valueConverter(converter);
    this.#converter = converter;
  }

  /** Copies arguments into what is stored. */
  toStored(args: readonly unknown[]): unknown[] {
    return args.map((arg) => this.#values.toStored(arg));
  }

  /** Copies what is stored into a value. */
  fromStored(stored: unknown): unknown {
    return this.#values.fromStored(stored);
  }

  /** Starts a workflow. */
  start(type: string, started: Started): Promise<Run> {
    return this.#next(async () => {
      this.#checkOpen(`start workflow "${type}"`);
      const { taskQueue, args = [], signals = [] } = started;
      const input = startInput(started, this.toStored(args));
      const options = {
        ...executeOptions(started),
        input,
        ...startLabels(input),
        signals: signals.map(({ name, args }) => ({ name, payload: this.toStored(args) })),
      };
      const queue = this.#queues.get(taskQueue);
      if (queue !== undefined) await queue.executor.execute(queue.host.workflow(type) as never, options as never);
      else await this.#store(type, options);
      return await this.calls.handle(started.workflowId);
    });
  }

  /** Stores a start. An executor that is closed at once makes it: the function never gets further. */
  async #store(type: string, options: object): Promise<void> {
    const waiting = () => new Promise(() => {});
    const { store } = this;
    const executor = new Executor({ store, clock: this.time.clock, workflows: { [type]: waiting } });
    try {
      await executor.execute(waiting, options as never);
    } finally {
      await executor.close();
    }
  }

  /** Begins a worker. Returns a function that ends it. */
  async register(worker: Registration): Promise<() => Promise<void>> {
    const { taskQueue } = worker;
    await this.#next(() => {
      this.#checkOpen("run a worker");
      return this.#change(taskQueue, (workers) => workers.add(worker));
    });
    return () => this.#next(() => this.#change(taskQueue, (workers) => workers.delete(worker)));
  }

  /** Replaces the executor of a queue by one that knows other workers. */
  async #change(taskQueue: string, change: (workers: Set<Registration>) => void): Promise<void> {
    const before = this.#queues.get(taskQueue);
    const workers = before?.workers ?? new Set();
    change(workers);
    this.#queues.delete(taskQueue);
    if (before !== undefined) {
      await before.executor.close();
      await this.#activitiesEnd();
      before.host.dispose();
    }
    const [worker] = workers;
    if (worker === undefined) return;
    const all = <Key extends "workflows" | "sinks">(key: Key) =>
      Object.assign({}, ...[...workers].map((one) => one[key]));
    const host = new TemporalHost({
      workflows: { ...all("workflows"), [STANDALONE]: standaloneActivity },
      activities: this.#activitiesFor(taskQueue),
      sinks: all("sinks"),
      converter: this.#converter,
      interceptors: [...workers].flatMap((one) => one.interceptors),
      activityEnvironment: {
        logger: runtimeLogger,
        interceptors: [...workers].flatMap((one) => one.activityInterceptors),
        client: worker.client,
      },
      patchGlobals: true,
    });
    const store = viewOf(this.store, taskQueue);
    const { clock } = this.time;
    const executor = new Executor({ store, clock, logger: runtimeLogger, ...host.executorOptions });
    this.#queues.set(taskQueue, { workers, executor, host });
    await executor.recover();
  }

  /** The activities of all running workers, looked up at the call: those of the queue first. */
  #activitiesFor(taskQueue: string): Record<string, AnyFunction> {
    const find = (name: string): AnyFunction | undefined => {
      const own = this.#queues.get(taskQueue);
      const others = [...this.#queues.values()].filter((queue) => queue !== own);
      for (const queue of own === undefined ? others : [own, ...others]) {
        for (const { activities } of queue.workers) {
          const found = activities[name] ?? activities.default;
          if (found !== undefined) return this.#counted(found);
        }
      }
    };
    return new Proxy({}, {
      get: (_, name) => typeof name === "string" ? find(name) : undefined,
      has: (_, name) => typeof name === "string" && find(name) !== undefined,
      ownKeys: () => [
        ...new Set(
          [...this.#queues.values()].flatMap(({ workers }) =>
            [...workers].flatMap(({ activities }) => Object.keys(activities))
          ),
        ),
      ],
      getOwnPropertyDescriptor: (_, name) => {
        const value = typeof name === "string" ? find(name) : undefined;
        return value && { value, configurable: true, enumerable: true, writable: true };
      },
    });
  }

  /** Counts the calls of an activity. */
  #counted(activity: AnyFunction): AnyFunction {
    return (...args) => {
      const answer = activity(...args);
      if (!(answer instanceof Promise)) return answer;
      const ended = answer.then(() => {}, () => {});
      this.#calling.add(ended);
      ended.then(() => this.#calling.delete(ended));
      return answer;
    };
  }

  /** Resolves when the activities have heeded their cancellation, or after a while. */
  async #activitiesEnd(): Promise<void> {
    if (this.#calling.size === 0) return;
    let stop = () => {};
    const late = new Promise<void>((resolve) => {
      stop = systemClock.setTimer(systemClock.now() + HEED_MS, resolve);
    });
    await Promise.race([Promise.all(this.#calling), late]);
    stop();
  }

  /** The executor in which a workflow is live; else the one that only sends messages. */
  executorOf(workflowId: string): Executor {
    for (const { executor } of this.#queues.values()) {
      if (executor.openRuns().some((run) => run.workflowId === workflowId)) return executor;
    }
    return this.calls;
  }

  /** The executor that knows the code of a workflow. */
  async executorFor(state: WorkflowState): Promise<Executor> {
    const taskQueue = await taskQueueOf(this.store, state);
    const queue = this.#queues.get(taskQueue);
    if (queue !== undefined) return queue.executor;
    const way = "query it while the worker runs, for example in worker.runUntil()";
    throw new TypeError(
      `Cannot query workflow "${state.workflowId}": no worker of task queue "${taskQueue}" runs; ${way}`,
    );
  }

  /** Ends all workers, and the time. */
  async close(): Promise<void> {
    await this.#next(async () => {
      this.#isClosed = true;
      const queues = [...this.#queues.values()];
      this.#queues.clear();
      await Promise.all([this.calls, ...queues.map(({ executor }) => executor)].map((executor) => executor.close()));
      for (const { host } of queues) host.dispose();
    });
    this.time.close();
    this.#closed.resolve();
  }

  #next<T>(body: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(body, body);
    this.#turn = turn.catch(() => {});
    return turn;
  }
}

/** The task queue of a workflow. A child that names none has that of its parent. */
export async function taskQueueOf(store: WorkflowStore, state: WorkflowState): Promise<string> {
  for (let at: WorkflowState | null = state; at !== null;) {
    const { taskQueue } = inputOf(at);
    if (taskQueue !== undefined) return taskQueue;
    const parent = parentOf(at);
    at = parent === undefined ? null : await store.load(parent.workflowId);
  }
  return "default";
}

/** The store as the executor of a task queue sees it: it finds only the workflows of its queue to resume. */
function viewOf(store: InMemoryStore, taskQueue: string): WorkflowStore {
  const list: WorkflowStore["list"] = async (filter) => {
    const states = await store.list(filter);
    const queues = await Promise.all(states.map((state) => taskQueueOf(store, state)));
    return states.filter((_, i) => queues[i] === taskQueue);
  };
  return new Proxy(store, {
    get(target, key) {
      if (key === "list") return list;
      if (key === "heads") return undefined; // heads do not say what the task queue is
      const value = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

let shared: InProcessServer | undefined;

/** The server of connections that belong to no test environment: one for the process, in real time. */
export function defaultServer(): InProcessServer {
  return shared ??= new InProcessServer(realTime());
}
