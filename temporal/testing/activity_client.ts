/**
 * Activities on their own: a client runs one without a workflow of the user. A workflow of this package runs it.
 *
 * @module
 */

import {
  ActivityFailure,
  type ActivityFunction,
  type Duration,
  type RetryPolicy,
  WorkflowExecutionAlreadyStartedError,
} from "../common/mod.ts";
import { toFailure } from "../common/convert.ts";
import { codeOf } from "../../errors.ts";
import type { WorkflowHandle as Run } from "../../executor.ts";
import { checkTemporalOptions } from "../common/option_tables.ts";
import { ActivityExecutionAlreadyStartedError, ActivityExecutionFailedError, notHere } from "./errors.ts";
import { type InProcessServer, STANDALONE } from "./server.ts";
import { type Connection, serverOf } from "./connection.ts";

/**
 * Options of an activity that runs on its own.
 *
 * @category Temporal
 */
export interface ActivityOptions {
  /** The ID of the activity. */
  id: string;
  /** The workers of this queue run it. */
  taskQueue: string;
  /** Its arguments. */
  // deno-lint-ignore no-explicit-any -- as Temporal declares it
  args?: any[] | Readonly<any[]> | undefined;
  /** How long an attempt may go without a heartbeat. */
  heartbeatTimeout?: Duration | undefined;
  /** How it is repeated. */
  retry?: RetryPolicy | undefined;
  /** How long an attempt may take. */
  startToCloseTimeout?: Duration | undefined;
  /** Accepted, without effect: there is always a worker. */
  scheduleToStartTimeout?: Duration | undefined;
  /** How long all attempts may take together. */
  scheduleToCloseTimeout?: Duration | undefined;
  /** How long after the call the activity begins. */
  startDelay?: Duration | undefined;
  /**
   * What happens if an activity with the ID has ended.
   *
   * @default {"ALLOW_DUPLICATE"}
   */
  idReusePolicy?: "ALLOW_DUPLICATE" | "ALLOW_DUPLICATE_FAILED_ONLY" | "REJECT_DUPLICATE" | undefined;
  /**
   * What happens if an activity with the ID runs.
   *
   * @default {"FAIL"}
   */
  idConflictPolicy?: "FAIL" | "USE_EXISTING" | undefined;
  /** Values to find the activity by. */
  // deno-lint-ignore no-explicit-any -- an object or pairs, as Temporal declares it
  typedSearchAttributes?: any | undefined;
  /** Accepted, without effect. */
  summary?: string | undefined;
  /** Accepted, without effect. */
  priority?: object | undefined;
}

/**
 * Access to an activity that runs on its own.
 *
 * @category Temporal
 */
// deno-lint-ignore no-explicit-any -- as Temporal declares it
export interface ActivityHandle<R = any> {
  /** The ID of the activity. */
  readonly activityId: string;
  /** The ID of the run. */
  readonly runId?: string | undefined;
  /** Waits for the result. */
  result(): Promise<R>;
  /** Asks the activity to end. */
  cancel(reason: string): Promise<void>;
  /** Ends the activity without its consent. */
  terminate(reason: string): Promise<void>;
}

/**
 * The names of the activities among functions.
 *
 * @category Temporal
 */
export type ActivityName<T> = {
  // deno-lint-ignore no-explicit-any -- any activity
  [N in keyof T & string]: T[N] extends ActivityFunction<any, any> ? N : never;
}[keyof T & string];

/**
 * What an activity returns.
 *
 * @category Temporal
 */
// deno-lint-ignore no-explicit-any -- any activity
export type ActivityResult<T, N extends ActivityName<T>> = T[N] extends ActivityFunction<any, infer R> ? R : never;

/**
 * A client that knows the types of activities.
 *
 * @category Temporal
 */
export interface TypedActivityClient<T> {
  /** Starts an activity. */
  start<N extends ActivityName<T>>(
    activity: N,
    options: ActivityOptions,
  ): Promise<ActivityHandle<ActivityResult<T, N>>>;
  /** Starts an activity and waits for its result. */
  execute<N extends ActivityName<T>>(activity: N, options: ActivityOptions): Promise<ActivityResult<T, N>>;
}

/** The ID of the workflow that runs an activity. */
const workflowIdOf = (activityId: string): string => `activity:${activityId}`;

/**
 * Runs activities on their own.
 *
 * @category Temporal
 */
export class ActivityClient {
  readonly #server: InProcessServer;

  /** Makes a client. Take that of {@linkcode Client.activity}. */
  constructor(connection: Connection) {
    this.#server = serverOf(connection);
  }

  /** Returns the client, with the types of activities. */
  typed<T>(): TypedActivityClient<T> {
    return this as unknown as TypedActivityClient<T>;
  }

  /**
   * Starts an activity.
   *
   * @throws {ActivityExecutionAlreadyStartedError} If the ID is taken.
   */
  // deno-lint-ignore no-explicit-any -- as Temporal declares it
  async start<R = any>(activity: string, options: ActivityOptions): Promise<ActivityHandle<R>> {
    checkTemporalOptions("activity.start, execute", options, "start activity", activity);
    const { id, taskQueue, args = [], startDelay, idReusePolicy, idConflictPolicy, typedSearchAttributes, ...rest } =
      options;
    const workflowId = workflowIdOf(id);
    let run: Run;
    try {
      const started = {
        workflowId,
        taskQueue,
        startDelay,
        typedSearchAttributes,
        workflowIdReusePolicy: idReusePolicy,
        workflowIdConflictPolicy: idConflictPolicy,
        args: [activity, args, { ...rest, activityId: id }],
      };
      run = await this.#server.start(STANDALONE, started);
    } catch (error) {
      const isTaken = codeOf(error) === "already_running" || error instanceof WorkflowExecutionAlreadyStartedError;
      if (!isTaken) throw error;
      throw new ActivityExecutionAlreadyStartedError("Activity execution already started", id, "");
    }
    return this.#handle<R>(id, run);
  }

  /**
   * Returns a handle of an activity that was started.
   *
   * @param activityId The ID of the activity.
   */
  // deno-lint-ignore no-explicit-any -- as Temporal declares it
  getHandle<R = any>(activityId: string): ActivityHandle<R> {
    return this.#handle<R>(activityId);
  }

  #handle<R>(activityId: string, started?: Run): ActivityHandle<R> {
    const server = this.#server;
    const workflowId = workflowIdOf(activityId);
    return {
      activityId,
      runId: started?.runId,
      async result() {
        const run = started ?? await server.calls.handle(workflowId);
        try {
          return server.fromStored(await server.time.skipWhile(() => run.result())) as R;
        } catch (error) {
          const failure = toFailure(error, (stored) => server.fromStored(stored));
          const cause = failure instanceof ActivityFailure ? failure.cause : failure;
          throw new ActivityExecutionFailedError("Activity execution failed", cause, activityId, run.runId);
        }
      },
      cancel: (reason) => server.executorOf(workflowId).cancel(workflowId, reason),
      terminate: (reason) => server.executorOf(workflowId).terminate(workflowId, reason),
    };
  }

  /**
   * Starts an activity and waits for its result.
   *
   * @throws {ActivityExecutionFailedError} If it fails.
   */
  // deno-lint-ignore no-explicit-any -- as Temporal declares it
  async execute<R = any>(activity: string, options: ActivityOptions): Promise<R> {
    return await (await this.start<R>(activity, options)).result();
  }

  /** Not supported: `CompleteAsyncError` is refused too. */
  complete(..._args: unknown[]): never {
    throw notHere("completion of an activity from outside", "let the activity wait, or signal the workflow");
  }

  /** Not supported. */
  fail(..._args: unknown[]): never {
    return this.complete();
  }

  /** Not supported. */
  heartbeat(..._args: unknown[]): never {
    return this.complete();
  }

  /** Not supported. */
  reportCancellation(..._args: unknown[]): never {
    return this.complete();
  }
}
