/**
 * The worker: brings workflows and activities to the server in this process.
 *
 * @module
 */

import type { Converter } from "../common/value_converter.ts";
import { macrotask } from "../../util/macrotask.ts";
import { Deferred, isStrayPromise } from "../../util/deferred.ts";
import { assertReplays } from "../../testing/mod.ts";
import type { ActivityInboundCallsInterceptor, ActivityInterceptorsFactory, Context } from "../activity/mod.ts";
import { IllegalStateError } from "../common/mod.ts";
import { TemporalHost } from "../host.ts";
import type { WorkflowInterceptorsFactory } from "../interceptors.ts";
import type { InjectedSinks } from "../types.ts";
import { Client } from "./client.ts";
import { notHere } from "./errors.ts";
import { checkTemporalOptions, type IgnoredWorkerOption } from "../common/option_tables.ts";
import { stateOfHistory } from "./handle.ts";
import { loadWorkflows, sharedVariables } from "./load.ts";
import { Connection, serverOf } from "./connection.ts";
import { runtimeLogger } from "./logger.ts";
import type { Registration } from "./server.ts";

/**
 * The workflows of a worker, as {@linkcode bundleWorkflowCode} returns them: the path of their module.
 *
 * @category Temporal
 */
export interface WorkflowBundle {
  /** One line that names the module. Nothing is bundled. */
  code: string;
  /** Empty. */
  sourceMap: string;
}

/**
 * The workflows of a worker.
 *
 * @category Temporal
 */
export type WorkflowBundleWithSourceMap = WorkflowBundle;

/**
 * Options of {@linkcode bundleWorkflowCode}. Only `workflowsPath` has an effect here.
 *
 * @category Temporal
 */
export interface BundleOptions {
  /** The path of the module. */
  workflowsPath: string;
  /** Accepted, without effect. */
  // deno-lint-ignore no-explicit-any -- options of a bundler that does not run
  [name: string]: any;
}

/**
 * Returns what `workflowBundle` of a worker takes. Nothing is bundled: the loader of the test loads the module.
 *
 * @param options The path of the module.
 *
 * @category Temporal
 */
// deno-lint-ignore require-await -- what it throws is a rejection
export async function bundleWorkflowCode(options: BundleOptions): Promise<WorkflowBundleWithSourceMap> {
  checkTemporalOptions("bundleWorkflowCode", options, "bundle workflows");
  const { workflowsPath } = options;
  return { code: `export * from ${JSON.stringify(workflowsPath)};`, sourceMap: "" };
}

function pathOf(bundle: { code?: string }): string {
  const [, path] = /^export \* from (".*");$/.exec(bundle.code ?? "") ?? [];
  if (path === undefined) {
    throw notHere("a bundle that Temporal made", "pass workflowsPath, or the bundle of bundleWorkflowCode()");
  }
  return JSON.parse(path);
}

/**
 * The interceptors of a worker.
 *
 * @category Temporal
 */
export interface WorkerInterceptors {
  /** The paths of modules that export `interceptors`: a function that makes those of a workflow. */
  workflowModules?: string[] | undefined;
  /** Make the interceptors of each attempt of an activity. */
  activity?: ActivityInterceptorsFactory[] | undefined;
  /** Make the inbound interceptors of each attempt; the earlier form. */
  activityInbound?: ((ctx: Context) => ActivityInboundCallsInterceptor)[] | undefined;
}

/**
 * Options of the bundler that Temporal's worker has. There is none here.
 *
 * @category Temporal
 */
export interface BundlerOptions {
  /** Accepted, without effect. */
  ignoreModules?: string[] | undefined;
  /** It is not called. */
  // deno-lint-ignore no-explicit-any -- a configuration of webpack
  webpackConfigHook?: ((config: any) => any) | undefined;
}

export type { IgnoredWorkerOption };

/**
 * Options of a worker.
 *
 * @category Temporal
 */
// deno-lint-ignore no-explicit-any -- options of a worker that polls a server
export interface WorkerOptions extends Partial<Record<Exclude<IgnoredWorkerOption, "bundlerOptions">, any>> {
  /** The name of the task queue. */
  taskQueue: string;
  /** The connection of a test environment; by default that of the whole process. */
  connection?: Connection | undefined;
  /** The path of the module with workflows: `require.resolve("./workflows")`, or a `file:` URL. */
  workflowsPath?: string | undefined;
  /** The workflows, as {@linkcode bundleWorkflowCode} returns them. */
  workflowBundle?: { code: string } | { codePath: string } | undefined;
  /** The functions, by their names. */
  activities?: object | undefined;
  /** The sinks. */
  // deno-lint-ignore no-explicit-any -- sinks of any functions
  sinks?: InjectedSinks<any> | undefined;
  /** The interceptors. */
  interceptors?: WorkerInterceptors | undefined;
  /** `payloadConverterPath`: the module of a payload converter. */
  dataConverter?:
    | { payloadConverterPath?: string; payloadCodecs?: unknown[]; failureConverterPath?: string }
    | undefined;
  /** Accepted, without effect: nothing is bundled. */
  bundlerOptions?: BundlerOptions | undefined;
  /** Not supported. */
  plugins?: unknown[] | undefined;
  /** Not supported. */
  nexusServices?: unknown[] | undefined;
}

/**
 * The states of a worker.
 *
 * @category Temporal
 */
export type State = "INITIALIZED" | "RUNNING" | "STOPPED" | "STOPPING" | "DRAINING" | "DRAINED" | "FAILED";

/** How values are stored, if a worker says so. */
async function converterOf(options: WorkerOptions): Promise<Converter | undefined> {
  const path = options.dataConverter?.payloadConverterPath;
  return path === undefined ? undefined : (await loadWorkflows(path)).payloadConverter as Converter;
}

/** Refuses options that no worker has, and those that are not supported. */
function checkWorkerOptions(call: "Worker.create" | "Worker.runReplayHistory", options: object, action: string): void {
  checkTemporalOptions(call, options, action);
  const { interceptors, dataConverter } = options as WorkerOptions;
  checkTemporalOptions("interceptors of Worker.create", interceptors, action, undefined, "interceptors");
  checkTemporalOptions("dataConverter of Worker.create", dataConverter, action, undefined, "dataConverter");
}

/** Reads the options of a worker. */
async function registration(options: WorkerOptions): Promise<Registration> {
  const { taskQueue, workflowBundle, activities = {}, sinks = {}, interceptors = {} } = options;
  const workflowsPath = options.workflowsPath ?? (workflowBundle && pathOf(workflowBundle as { code?: string }));
  const workflows = workflowsPath === undefined ? {} : await loadWorkflows(workflowsPath);
  const variables = workflowsPath === undefined ? [] : sharedVariables(workflowsPath);
  if (variables.length > 0) {
    const message = `All workflows share the variables of ${workflowsPath}: ${variables.join(", ")}. ` +
      "In Temporal each workflow has its own. Move them into the function";
    runtimeLogger.warn(message);
  }
  const { workflowModules = [], activity = [], activityInbound = [] } = interceptors;
  const modules = await Promise.all(workflowModules.map((path) => loadWorkflows(path)));
  return {
    taskQueue,
    workflows,
    activities: methodsOf(activities),
    sinks: sinks as Registration["sinks"],
    interceptors: modules.flatMap((module) => module.interceptors as WorkflowInterceptorsFactory ?? []),
    activityInterceptors: [...activity, ...activityInbound.map(withOutbound)],
    client: new Client({ connection: options.connection }),
  };
}

/** The earlier form of an interceptor, in the later one. */
function withOutbound(make: (ctx: Context) => ActivityInboundCallsInterceptor): ActivityInterceptorsFactory {
  return (ctx) => {
    const inbound = make(ctx);
    return isStrayPromise(inbound) ? inbound as never : { inbound }; // a promise is refused later
  };
}

/** Rejects unless what the end of a worker has set off settles at once. */
async function endedBefore(): Promise<never> {
  await new Promise<void>((resolve) => macrotask(resolve));
  throw new IllegalStateError(
    "Cannot run the worker until the promise has settled: the worker was shut down, or its environment torn down, before that",
  );
}

/** The functions of an object. Those of a class are called with it. */
function methodsOf(activities: object): Registration["activities"] {
  const methods: Record<string, (...args: unknown[]) => unknown> = Object.create(null); // no names of Object
  for (let owner = activities; owner !== null && owner !== Object.prototype; owner = Object.getPrototypeOf(owner)) {
    for (const name of Object.getOwnPropertyNames(owner)) {
      if (name === "constructor" || name in methods) continue;
      if (typeof (activities as Record<string, unknown>)[name] !== "function") continue;
      // Looked up at the call: a test may replace it by a spy.
      methods[name] = (...args) => (activities as Record<string, (...args: unknown[]) => unknown>)[name](...args);
    }
  }
  return methods;
}

/**
 * Runs workflows and activities.
 *
 * @category Temporal
 */
export class Worker {
  /** The options. */
  readonly options: WorkerOptions;
  readonly #registration: Registration;
  readonly #converter: Converter | undefined;
  #state: State = "INITIALIZED";
  readonly #ending = new Deferred<void>();

  private constructor(options: WorkerOptions, registration: Registration, converter: Converter | undefined) {
    this.options = options;
    this.#registration = registration;
    this.#converter = converter;
  }

  /**
   * Makes a worker, and loads its workflows. It does nothing until {@linkcode Worker.run}.
   *
   * @param options The task queue, the workflows, the activities …
   * @throws {TypeError} If an option is missing or not supported.
   */
  static async create(options: WorkerOptions): Promise<Worker> {
    checkWorkerOptions("Worker.create", options, "create a worker");
    const { taskQueue, connection } = options;
    if (typeof taskQueue !== "string" || taskQueue === "") {
      throw new TypeError("Cannot create a worker: taskQueue must be a text that is not empty");
    }
    if (connection !== undefined && !(connection instanceof Connection)) {
      throw new TypeError("Cannot create a worker: the connection is not one of @rockpool/workflow/temporal/testing");
    }
    return new Worker(options, await registration(options), await converterOf(options));
  }

  /** The state of the worker. */
  getState(): State {
    return this.#state;
  }

  /** Runs until {@linkcode Worker.shutdown}, or until the test environment is torn down. */
  async run(): Promise<void> {
    if (this.#state !== "INITIALIZED") throw new TypeError("Poller was already started");
    this.#state = "RUNNING";
    const { connection = Connection.lazy() } = this.options;
    const server = serverOf(connection);
    if (this.#converter !== undefined) server.convertBy(this.#converter);
    try {
      const end = await server.register(this.#registration);
      await Promise.race([this.#ending.promise, server.closed]);
      this.#state = "DRAINING";
      await end();
      this.#state = "STOPPED";
    } catch (error) {
      this.#state = "FAILED";
      throw error;
    }
  }

  /**
   * Runs until a promise has settled, or that of a function.
   *
   * @param fnOrPromise The promise, or the function.
   * @returns What the promise resolves with.
   * @throws {IllegalStateError} If the worker ends before that.
   */
  async runUntil<R>(fnOrPromise: Promise<R> | (() => Promise<R>)): Promise<R> {
    const running = this.run();
    let isSettled = false;
    try {
      const body = typeof fnOrPromise === "function" ? fnOrPromise() : fnOrPromise;
      return await Promise.race([body, running.then(() => isSettled ? body : endedBefore())]);
    } finally {
      isSettled = true;
      if (this.#state === "RUNNING") this.shutdown();
      await running;
    }
  }

  /** Ends the worker. Its workflows are suspended; the next worker of the task queue resumes them. */
  shutdown(): void {
    if (this.#state !== "RUNNING") throw new TypeError(`Not running. Current state: ${this.#state}`);
    this.#state = "STOPPING";
    this.#ending.resolve();
  }

  /**
   * Replays a history that `WorkflowHandle.fetchHistory` returned. One of a Temporal server cannot be replayed here.
   *
   * @param options The workflows.
   * @param history The history.
   * @throws If the code does not do what the history says.
   */
  static async runReplayHistory(
    options: Omit<WorkerOptions, "taskQueue"> & { taskQueue?: string },
    history: unknown,
  ): Promise<void> {
    checkWorkerOptions("Worker.runReplayHistory", options, "replay a history");
    const state = stateOfHistory(history);
    if (state === undefined) {
      throw notHere("the history of a Temporal server", "take one from fetchHistory() of a workflow that ran here");
    }
    const { workflows, activities, sinks, interceptors } = await registration({ taskQueue: "replay", ...options });
    const converter = await converterOf({ taskQueue: "replay", ...options });
    const host = new TemporalHost({ workflows, activities, sinks, converter, interceptors, patchGlobals: true });
    try {
      await assertReplays(host.workflow(state.workflowName) as never, state);
    } finally {
      host.dispose();
    }
  }
}
