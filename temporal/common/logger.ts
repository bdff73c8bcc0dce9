/**
 * The type of Temporal's loggers.
 *
 * @module
 */

// deno-lint-ignore-file no-explicit-any -- data of log messages are anything

import { isStrayPromise } from "../../util/deferred.ts";

/**
 * How important a message is.
 *
 * @category Temporal
 */
export type LogLevel = "TRACE" | "DEBUG" | "INFO" | "WARN" | "ERROR";

/**
 * Data of a message.
 *
 * @category Temporal
 */
export type LogMetadata = Record<string | symbol, any>;

/**
 * Takes messages.
 *
 * @category Temporal
 */
export interface Logger {
  /** Takes a message. */
  log(level: LogLevel, message: string, meta?: LogMetadata): any;
  /** Takes a message of the level `TRACE`. */
  trace(message: string, meta?: LogMetadata): any;
  /** Takes a message of the level `DEBUG`. */
  debug(message: string, meta?: LogMetadata): any;
  /** Takes a message of the level `INFO`. */
  info(message: string, meta?: LogMetadata): any;
  /** Takes a message of the level `WARN`. */
  warn(message: string, meta?: LogMetadata): any;
  /** Takes a message of the level `ERROR`. */
  error(message: string, meta?: LogMetadata): any;
}

/**
 * Which part wrote a message: the value of `sdkComponent` among its data.
 *
 * @category Temporal
 */
export const SdkComponent = {
  /** The code of a workflow. */
  workflow: "workflow",
  /** The code of an activity. */
  activity: "activity",
  /** A handler of Nexus. */
  nexus: "nexus",
  /** A worker. */
  worker: "worker",
  /** The core of Temporal's SDK. */
  core: "core",
} as const;

/**
 * Which part wrote a message.
 *
 * @category Temporal
 */
export type SdkComponent = (typeof SdkComponent)[keyof typeof SdkComponent];

/**
 * Makes a logger of one function.
 *
 * @internal
 */
export function toLogger(log: (level: LogLevel, message: string, meta: LogMetadata) => unknown): Logger {
  return {
    log: (level, message, meta = {}) => log(level, message, meta),
    trace: (message, meta = {}) => log("TRACE", message, meta),
    debug: (message, meta = {}) => log("DEBUG", message, meta),
    info: (message, meta = {}) => log("INFO", message, meta),
    warn: (message, meta = {}) => log("WARN", message, meta),
    error: (message, meta = {}) => log("ERROR", message, meta),
  };
}

/**
 * Returns a logger that adds data to each message.
 *
 * @param logger Takes the messages.
 * @param metadata Returns the data.
 *
 * @internal
 */
export function withMetadata(logger: Logger, metadata: () => LogMetadata): Logger {
  return toLogger((level, message, meta) => {
    const returned = logger.log(level, message, { ...metadata(), ...meta });
    return isStrayPromise(returned) ? undefined : returned;
  });
}

/**
 * Writes messages from the level `INFO` to the error stream of the console.
 *
 * @internal
 */
export const consoleLogger: Logger = /* @__PURE__ */ toLogger((level, message, meta) => {
  if (level === "TRACE" || level === "DEBUG") return;
  console.error(`[${level}] ${message}`, meta);
});
