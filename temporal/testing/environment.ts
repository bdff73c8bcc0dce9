/**
 * The test environment: a server in this process, with time that skips or real time.
 *
 * @module
 */

import type { Duration } from "../common/mod.ts";
import { durationMs } from "../common/duration.ts";
import { Client, type ClientOptions, type WorkflowClient } from "./client.ts";
import { checkTemporalOptions } from "../common/option_tables.ts";
import { notHere } from "./errors.ts";
import { type Connection, connectTo, type NativeConnection } from "./connection.ts";
import { InProcessServer } from "./server.ts";
import { type EnvironmentTime, realTime, skippingTime } from "./time.ts";

/**
 * Options of {@linkcode TestWorkflowEnvironment.createLocal}. No server is downloaded or started.
 *
 * @category Temporal
 */
export interface LocalTestWorkflowEnvironmentOptions {
  /** Accepted, without effect. */
  server?: object | undefined;
  /** The options of the client. */
  client?: Omit<ClientOptions, "connection" | "namespace"> | undefined;
  /** Not supported. */
  plugins?: unknown[] | undefined;
}

/**
 * Options of {@linkcode TestWorkflowEnvironment.createTimeSkipping}.
 *
 * @category Temporal
 */
export type TimeSkippingTestWorkflowEnvironmentOptions = LocalTestWorkflowEnvironmentOptions;

/** An environment works with `await using`. */
export interface TestWorkflowEnvironment {
  /** The same as {@linkcode TestWorkflowEnvironment.teardown}. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * A server in this process, for tests.
 *
 * @category Temporal
 */
export class TestWorkflowEnvironment {
  /** Whether time skips. */
  readonly supportsTimeSkipping: boolean;
  /** There is no address. */
  readonly address: string = "in process";
  /** The namespace. */
  readonly namespace: string = "default";
  /** The connection of clients. */
  readonly connection: Connection;
  /** The connection of workers: the same one. */
  readonly nativeConnection: NativeConnection;
  /** The client. */
  readonly client: Client;
  readonly #server: InProcessServer;

  private constructor(time: EnvironmentTime, options: LocalTestWorkflowEnvironmentOptions) {
    this.#server = new InProcessServer(time);
    this.supportsTimeSkipping = time.skips;
    this.connection = this.nativeConnection = connectTo(this.#server);
    this.client = new Client({ ...options.client, connection: this.connection });
    this[Symbol.asyncDispose] = () => this.teardown();
  }

  static async #create(
    makeTime: () => EnvironmentTime,
    options: LocalTestWorkflowEnvironmentOptions,
  ): Promise<TestWorkflowEnvironment> {
    const action = "create a test environment";
    checkTemporalOptions("TestWorkflowEnvironment.createTimeSkipping, createLocal", options, action);
    checkTemporalOptions("new Client, new WorkflowClient", options.client, "create a client", undefined, "client");
    return await Promise.resolve(new TestWorkflowEnvironment(makeTime(), options));
  }

  /** Makes an environment whose time skips while somebody waits for the result of a workflow. It needs no time to begin. */
  static createTimeSkipping(
    options: TimeSkippingTestWorkflowEnvironmentOptions = {},
  ): Promise<TestWorkflowEnvironment> {
    return TestWorkflowEnvironment.#create(skippingTime, options);
  }

  /** Makes an environment in real time. */
  static createLocal(options: LocalTestWorkflowEnvironmentOptions = {}): Promise<TestWorkflowEnvironment> {
    return TestWorkflowEnvironment.#create(realTime, options);
  }

  /** Not supported: it would need a server. */
  static createFromExistingServer(): Promise<never> {
    return Promise.reject(notHere("an existing server", "call createLocal() or createTimeSkipping()"));
  }

  /** The client of workflows: `client.workflow`. */
  get workflowClient(): WorkflowClient {
    return this.client.workflow;
  }

  /** Resolves when so much time has passed. Time that skips is moved at once. A property: it can be passed on. */
  readonly sleep = (duration: Duration): Promise<void> => this.#server.time.sleep(durationMs(duration, "durationMs"));

  /** Returns the time, in milliseconds since the epoch. */
  currentTimeMs(): Promise<number> {
    return Promise.resolve(this.#server.time.clock.now());
  }

  /** Ends all workers of the environment. Workflows that run are suspended. */
  teardown(): Promise<void> {
    return this.#server.close();
  }

  /** Not supported. */
  createNexusEndpoint(): Promise<never> {
    return Promise.reject(notHere("Nexus", "test the workflow behind the operation"));
  }
}
