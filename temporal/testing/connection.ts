/**
 * Connections. There is no server, so most of it only accepts what it gets.
 *
 * @module
 */

import type { LogLevel } from "../common/mod.ts";
import { defaultServer, type InProcessServer } from "./server.ts";

/**
 * Returns the filter of the logs of Temporal's core, which does not exist here.
 *
 * @param options The levels.
 *
 * @category Temporal
 */
export function makeTelemetryFilterString(options: { core: LogLevel; other?: LogLevel }): string {
  return `${options.other ?? "ERROR"},temporal_sdk_core=${options.core}`;
}

/**
 * The options of a connection. Whatever they say, the connection is to this process.
 *
 * @category Temporal
 */
// deno-lint-ignore no-explicit-any -- as Temporal declares parts of it
export type ConnectionOptions = Record<string, any>;

/**
 * A connection to the server in this process. Each test environment has one; `Connection.connect()` gives one to a server that the whole
 * process shares, in real time.
 *
 * @category Temporal
 */
export class Connection {
  /** Returns a connection to the server that the process shares. The address and all else in the options have no effect. */
  static connect(_options?: ConnectionOptions): Promise<Connection> {
    return Promise.resolve(new Connection());
  }

  /** Returns a connection at once. */
  static lazy(_options?: ConnectionOptions): Connection {
    return new Connection();
  }

  /** Does nothing: there is always a connection. */
  async ensureConnected(): Promise<void> {}

  /** Does nothing. */
  async close(): Promise<void> {}

  /** Calls `body`. There are no deadlines in process. */
  withDeadline<T>(_deadline: number | Date, body: () => Promise<T>): Promise<T> {
    return body();
  }

  /** Calls `body`. There are no metadata of calls in process. */
  withMetadata<T>(_metadata: Record<string, unknown>, body: () => Promise<T>): Promise<T> {
    return body();
  }

  /** Calls `body`. */
  withAbortSignal<T>(_abortSignal: AbortSignal, body: () => Promise<T>): Promise<T> {
    return body();
  }
}

/**
 * The connection of a worker: the same as {@linkcode Connection}.
 *
 * @category Temporal
 */
export class NativeConnection extends Connection {
  /** Returns a connection to the server that the process shares. */
  static override connect(_options?: ConnectionOptions): Promise<NativeConnection> {
    return Promise.resolve(new NativeConnection());
  }
}

/** The servers of connections to test environments. */
const servers = /* @__PURE__ */ new WeakMap<Connection, InProcessServer>();

/** Makes a connection to a server. */
export function connectTo(server: InProcessServer): NativeConnection {
  const connection = new NativeConnection();
  servers.set(connection, server);
  return connection;
}

/** The server of a connection. */
export function serverOf(connection: Connection): InProcessServer {
  return servers.get(connection) ?? defaultServer();
}
