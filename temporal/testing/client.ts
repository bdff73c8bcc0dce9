/**
 * The client: starts workflows of the server in this process, and hands out their handles.
 *
 * 1. Arguments and results are copied in both directions, as a payload converter would do it.
 * 2. Where Temporal's client throws an error of gRPC, this one throws what that error means.
 *
 * @module
 */

import {
  type BaseWorkflowHandle,
  type QueryDefinition,
  type SignalDefinition,
  type UpdateDefinition,
  type WithWorkflowArgs,
  type Workflow,
  WorkflowExecutionAlreadyStartedError,
  type WorkflowIdConflictPolicy,
  type WorkflowResultType,
} from "../common/mod.ts";
import { codeOf } from "../../errors.ts";
import { Deferred } from "../../util/deferred.ts";
import { ActivityClient } from "./activity_client.ts";
import type {
  GetWorkflowHandleOptions,
  Started,
  WorkflowExecutionDescription,
  WorkflowExecutionInfo,
  WorkflowOptions,
  WorkflowResultOptions,
  WorkflowSignalWithStartOptions,
  WorkflowStartOptions,
  WorkflowUpdateOptions,
} from "./client_options.ts";
import { checkTemporalOptions } from "../common/option_tables.ts";
import { notHere } from "./errors.ts";
import { type Access, makeHandle, nameOf, startedUpdate, type Target, waitForResult } from "./handle.ts";
import { listed, parseQuery } from "./listing.ts";
import { Connection, serverOf } from "./connection.ts";
import type { InProcessServer } from "./server.ts";

/**
 * Access to a workflow.
 *
 * @category Temporal
 */
export interface WorkflowHandle<T extends Workflow = Workflow> extends BaseWorkflowHandle<T> {
  /** Sends an update, and returns the answer of its handler. */
  // deno-lint-ignore no-explicit-any -- as Temporal declares it
  executeUpdate<Ret, Args extends [any, ...any[]], Name extends string = string>(
    def: UpdateDefinition<Ret, Args, Name> | string,
    options: WorkflowUpdateOptions & { args: Args },
  ): Promise<Ret>;
  /** Sends an update, and returns the answer of its handler. */
  executeUpdate<Ret, Args extends [], Name extends string = string>(
    def: UpdateDefinition<Ret, Args, Name> | string,
    options?: WorkflowUpdateOptions & { args?: Args },
  ): Promise<Ret>;
  /** Sends an update, and returns when the workflow has accepted it. */
  // deno-lint-ignore no-explicit-any -- as Temporal declares it
  startUpdate<Ret, Args extends [any, ...any[]], Name extends string = string>(
    def: UpdateDefinition<Ret, Args, Name> | string,
    options: WorkflowUpdateOptions & { args: Args; waitForStage: "ACCEPTED" },
  ): Promise<WorkflowUpdateHandle<Ret>>;
  /** Sends an update, and returns when the workflow has accepted it. */
  startUpdate<Ret, Args extends [], Name extends string = string>(
    def: UpdateDefinition<Ret, Args, Name> | string,
    options: WorkflowUpdateOptions & { args?: Args; waitForStage: "ACCEPTED" },
  ): Promise<WorkflowUpdateHandle<Ret>>;
  /** Returns a handle to an update that was sent. */
  getUpdateHandle<Ret>(updateId: string, options?: { workflowRunId?: string }): WorkflowUpdateHandle<Ret>;
  /** Asks the workflow a question. */
  // deno-lint-ignore no-explicit-any -- as Temporal declares it
  query<Ret, Args extends any[] = []>(def: QueryDefinition<Ret, Args> | string, ...args: Args): Promise<Ret>;
  /** Asks the workflow a question. */
  // deno-lint-ignore no-explicit-any -- as Temporal declares it
  queryWithOptions<Ret, Args extends any[] = []>(queryName: string, options: { args: Args }): Promise<Ret>;
  /** Ends the workflow without its consent. */
  terminate(reason?: string): Promise<Record<string, never>>;
  /** Asks the workflow to end. */
  cancel(): Promise<Record<string, never>>;
  /** Describes the workflow. */
  describe(): Promise<WorkflowExecutionDescription>;
  /** Returns the history: events of this package, for `Worker.runReplayHistory`. */
  fetchHistory(): Promise<History>;
  /** The client. */
  readonly client: WorkflowClient;
}

/**
 * The history of a run. Its events are those of this package, and not those of a Temporal server.
 *
 * @category Temporal
 */
export interface History {
  /** The events. */
  events?: unknown[] | null | undefined;
}

/**
 * A handle of a workflow that was started.
 *
 * @category Temporal
 */
export interface WorkflowHandleWithFirstExecutionRunId<T extends Workflow = Workflow> extends WorkflowHandle<T> {
  /** The ID of the first run. */
  readonly firstExecutionRunId: string;
}

/**
 * A handle of a workflow that was started.
 *
 * @category Temporal
 */
export interface WorkflowHandleWithStartDetails<T extends Workflow = Workflow>
  extends WorkflowHandleWithFirstExecutionRunId<T> {
  /** Whether a worker of the same process took the workflow with its start: what `requestEagerStart` said. */
  readonly eagerlyStarted: boolean;
}

/**
 * A handle of a workflow that got a signal with its start.
 *
 * @category Temporal
 */
export interface WorkflowHandleWithSignaledRunId<T extends Workflow = Workflow> extends WorkflowHandle<T> {
  /** The ID of the run that got the signal. */
  readonly signaledRunId: string;
}

/**
 * Access to an update.
 *
 * @category Temporal
 */
export interface WorkflowUpdateHandle<Ret> {
  /** Identifies the update. */
  updateId: string;
  /** The ID of the workflow. */
  workflowId: string;
  /** The ID of the run. */
  workflowRunId?: string | undefined;
  /** Waits for the answer. */
  result(): Promise<Ret>;
}

/**
 * A start that is sent together with an update.
 *
 * @category Temporal
 */
export class WithStartWorkflowOperation<T extends Workflow> {
  /** The workflow. */
  workflowTypeOrFunc: string | T;
  /** The options of the start. */
  options: WorkflowStartOptions<T> & { workflowIdConflictPolicy: WorkflowIdConflictPolicy };
  /** Makes the operation. */
  constructor(
    workflowTypeOrFunc: string | T,
    options: WorkflowStartOptions<T> & { workflowIdConflictPolicy: WorkflowIdConflictPolicy },
  ) {
    this.workflowTypeOrFunc = workflowTypeOrFunc;
    this.options = options;
    operations.set(this, new Deferred());
  }

  /** Waits for the start. */
  workflowHandle(): Promise<WorkflowHandle<T>> {
    return operations.get(this)!.promise as Promise<WorkflowHandle<T>>;
  }
}

/** What operations give their handles to. */
const operations = /* @__PURE__ */ new WeakMap<object, Deferred<unknown>>();
/** Operations that were executed. */
const executed = /* @__PURE__ */ new WeakSet<object>();

/**
 * Options of a client. Only `connection` has an effect here.
 *
 * @category Temporal
 */
export interface ClientOptions {
  /** The connection of a test environment, or of the whole process. */
  connection?: Connection | undefined;
  /** Accepted, without effect: there is one namespace. */
  namespace?: string | undefined;
  /** Accepted, without effect. */
  identity?: string | undefined;
  /** Accepted, without effect: the worker says how values are converted. */
  dataConverter?: object | undefined;
  /** Not supported. */
  interceptors?: object | undefined;
  /** Not supported. */
  plugins?: unknown[] | undefined;
  /** Accepted, without effect. */
  workflow?: object | undefined;
  /** Accepted, without effect. */
  queryRejectCondition?: unknown;
}

function connectionOf(options: ClientOptions): Connection {
  checkTemporalOptions("new Client, new WorkflowClient", options, "create a client");
  const { connection = Connection.lazy() } = options;
  if (!(connection instanceof Connection)) {
    throw new TypeError("Cannot create a client: the connection is not one of @rockpool/workflow/temporal/testing");
  }
  return connection;
}

function typeOf(workflowTypeOrFunc: string | Workflow): string {
  return typeof workflowTypeOrFunc === "string" ? workflowTypeOrFunc : workflowTypeOrFunc.name;
}

function checkUpdateWithStart(definition: string | { readonly name: string }, options: object): void {
  const call = "executeUpdateWithStart, startUpdateWithStart";
  checkTemporalOptions(call, options, "start a workflow with update", nameOf(definition));
}

/**
 * Starts workflows, and hands out their handles.
 *
 * @category Temporal
 */
export class WorkflowClient {
  /** The options. */
  readonly options: ClientOptions;
  /** The connection. */
  readonly connection: Connection;
  readonly #server: InProcessServer;
  readonly #access: Access;

  /**
   * Makes a client.
   *
   * @param options The connection.
   * @throws {TypeError} If an option is not supported.
   */
  constructor(options: ClientOptions = {}) {
    const connection = connectionOf(options);
    const server = serverOf(connection);
    this.options = options;
    this.connection = connection;
    this.#server = server;
    this.#access = { server, client: this };
  }

  /**
   * Starts a workflow.
   *
   * @param workflowTypeOrFunc The function, or its name.
   * @param options The ID, the task queue, the arguments …
   * @throws {WorkflowExecutionAlreadyStartedError} If the ID is taken.
   */
  async start<T extends Workflow>(
    workflowTypeOrFunc: string | T,
    options: WorkflowStartOptions<T>,
  ): Promise<WorkflowHandleWithStartDetails<T>> {
    checkTemporalOptions("workflow.start, execute", options, "start workflow", typeOf(workflowTypeOrFunc));
    const { requestEagerStart = false, followRuns } = options as WorkflowOptions;
    const handle = await this.#start(workflowTypeOrFunc, options as Started);
    const { id: workflowId, runId } = handle;
    const details = { firstExecutionRunId: runId, eagerlyStarted: requestEagerStart };
    return Object.assign(this.#handle<T>({ workflowId, handle, followRuns }), details);
  }

  /** Starts a workflow unless it runs, and sends it a signal. */
  // deno-lint-ignore no-explicit-any -- as Temporal declares it
  async signalWithStart<WorkflowFn extends Workflow, SignalArgs extends any[] = []>(
    workflowTypeOrFunc: string | WorkflowFn,
    options: WithWorkflowArgs<WorkflowFn, WorkflowSignalWithStartOptions<SignalArgs>>,
  ): Promise<WorkflowHandleWithSignaledRunId<WorkflowFn>> {
    checkTemporalOptions("workflow.signalWithStart", options, "start workflow", typeOf(workflowTypeOrFunc));
    const { signal, signalArgs = [], ...rest } = options as unknown as Started & {
      signal: SignalDefinition<SignalArgs> | string;
      signalArgs?: unknown[] | undefined;
    };
    const signals = [{ name: nameOf(signal), args: signalArgs }];
    const handle = await this.#start(workflowTypeOrFunc, {
      workflowIdConflictPolicy: "USE_EXISTING",
      ...rest,
      signals,
    });
    const { id: workflowId, runId } = handle;
    return Object.assign(this.#handle<WorkflowFn>({ workflowId, handle }), { signaledRunId: runId });
  }

  /** Starts a workflow, as the operation says, and sends it an update; returns the answer of its handler. */
  // deno-lint-ignore no-explicit-any -- as Temporal declares it
  async executeUpdateWithStart<T extends Workflow, Ret, Args extends any[]>(
    updateDef: UpdateDefinition<Ret, Args> | string,
    updateOptions: WorkflowUpdateOptions & { args?: Args; startWorkflowOperation: WithStartWorkflowOperation<T> },
  ): Promise<Ret> {
    checkUpdateWithStart(updateDef, updateOptions);
    const { startWorkflowOperation, ...options } = updateOptions;
    const handle = await this.#startOperation(startWorkflowOperation);
    return await handle.executeUpdate(updateDef as string, options as WorkflowUpdateOptions) as Ret;
  }

  /** Starts a workflow, as the operation says, and sends it an update; returns when the workflow has accepted it. */
  // deno-lint-ignore no-explicit-any -- as Temporal declares it
  async startUpdateWithStart<T extends Workflow, Ret, Args extends any[]>(
    updateDef: UpdateDefinition<Ret, Args> | string,
    updateOptions: WorkflowUpdateOptions & {
      args?: Args | undefined;
      waitForStage: "ACCEPTED";
      startWorkflowOperation: WithStartWorkflowOperation<T>;
    },
  ): Promise<WorkflowUpdateHandle<Ret>> {
    checkUpdateWithStart(updateDef, updateOptions);
    const { startWorkflowOperation, ...options } = updateOptions;
    const { workflowId } = await this.#startOperation(startWorkflowOperation);
    return await startedUpdate<Ret>(this.#access, workflowId, nameOf(updateDef), options);
  }

  /** Starts a workflow and waits for its result. */
  async execute<T extends Workflow>(
    workflowTypeOrFunc: string | T,
    options: WorkflowStartOptions<T>,
  ): Promise<WorkflowResultType<T>> {
    return await (await this.start(workflowTypeOrFunc, options)).result();
  }

  /**
   * Waits for the result of a workflow.
   *
   * @throws {WorkflowFailedError} If it did not complete.
   * @throws {WorkflowNotFoundError} If there is no such workflow.
   */
  result<T extends Workflow>(
    workflowId: string,
    runId?: string,
    options?: WorkflowResultOptions,
  ): Promise<WorkflowResultType<T>> {
    checkTemporalOptions("workflow.getHandle, result", options, "wait for workflow", workflowId);
    return waitForResult(this.#access, { workflowId, runId, ...options }) as Promise<WorkflowResultType<T>>;
  }

  /** Returns a handle of a workflow. Whether there is one shows at the first call. */
  getHandle<T extends Workflow>(
    workflowId: string,
    runId?: string,
    options: GetWorkflowHandleOptions = {},
  ): WorkflowHandle<T> {
    checkTemporalOptions("workflow.getHandle, result", options, "get a handle of workflow", workflowId);
    const { firstExecutionRunId, followRuns } = options;
    return this.#handle<T>({ workflowId, runId: runId ?? firstExecutionRunId, followRuns });
  }

  /**
   * Lists the workflows that match, in the order of their start.
   *
   * @param options `query`: terms such as `WorkflowType = "order"`, `WorkflowId`, `RunId`, `TaskQueue`, `ExecutionStatus`, and search
   * attributes as they are now, such as `CustomerId = "7"`, joined by `AND`; all workflows by default.
   */
  list(
    options: { pageSize?: number | undefined; query?: string | undefined } = {},
  ): AsyncIterable<WorkflowExecutionInfo> {
    checkTemporalOptions("workflow.list", options, "list workflows");
    const matches = parseQuery(options.query);
    return listed(this.#server, matches);
  }

  /** Counts the workflows that match. */
  async count(query?: string): Promise<{ count: number; groups: never[] }> {
    let count = 0;
    for await (const _ of this.list(query === undefined ? {} : { query })) count++;
    return { count, groups: [] };
  }

  #handle<T extends Workflow>(target: Target): WorkflowHandle<T> {
    return makeHandle(this.#access, target) as WorkflowHandle<T>;
  }

  /** Starts a workflow as an operation says, once. */
  async #startOperation<T extends Workflow>(operation: WithStartWorkflowOperation<T>): Promise<WorkflowHandle<T>> {
    const handle = operations.get(operation);
    if (handle === undefined) throw new TypeError("Cannot start with an update: startWorkflowOperation is missing");
    if (executed.has(operation)) throw new TypeError("Cannot start with an update: the operation was executed already");
    if (operation.options.workflowIdConflictPolicy === undefined) {
      throw new TypeError("Cannot start with an update: workflowIdConflictPolicy is missing");
    }
    executed.add(operation);
    try {
      const started = await this.start(operation.workflowTypeOrFunc, operation.options);
      handle.resolve(started);
      return started;
    } catch (error) {
      handle.reject(error);
      throw error;
    }
  }

  async #start(workflowTypeOrFunc: string | Workflow, options: Started) {
    const type = typeOf(workflowTypeOrFunc);
    const { workflowId, taskQueue } = options;
    for (const [name, value] of Object.entries({ workflowId, taskQueue })) {
      if (typeof value !== "string" || value === "") {
        throw new TypeError(`Cannot start workflow "${type}": ${name} must be a text that is not empty`);
      }
    }
    try {
      return await this.#server.start(type, options);
    } catch (error) {
      const code = codeOf(error);
      if (code !== "already_running" && code !== "already_finished") throw error;
      throw new WorkflowExecutionAlreadyStartedError("Workflow execution already started", workflowId, type);
    }
  }
}

/**
 * The client of a test environment, or of the whole process.
 *
 * @category Temporal
 */
export class Client {
  /** The options. */
  readonly options: ClientOptions;
  /** The connection. */
  readonly connection: Connection;
  /** Starts workflows, and hands out their handles. */
  readonly workflow: WorkflowClient;
  /** Runs activities on their own. */
  readonly activity: ActivityClient;

  /**
   * Makes a client.
   *
   * @param options The connection.
   * @throws {TypeError} If an option is not supported.
   */
  constructor(options: ClientOptions = {}) {
    this.options = options;
    this.workflow = new WorkflowClient(options);
    this.connection = this.workflow.connection;
    this.activity = new ActivityClient(this.connection);
  }

  /** Not supported: `schedule` of `@rockpool/workflow/schedule` is tested on its own. */
  get schedule(): never {
    throw notHere("schedules of a client", "start the workflow that the schedule would start");
  }

  /** Not supported. */
  get taskQueue(): never {
    throw notHere("task queues of a client", "a test needs no versions of workers");
  }

  /** Not supported. */
  get nexus(): never {
    throw notHere("Nexus", "test the workflow behind the operation");
  }
}
