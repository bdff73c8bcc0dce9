/**
 * The runtime of the process and its logger, which takes the lines of workflows, activities and workers.
 *
 * @module
 */

import { systemClock } from "../../clock.ts";
import type { Logger, LogLevel, LogMetadata } from "../common/mod.ts";
import { isStrayPromise } from "../../util/deferred.ts";
import { checkTemporalOptions } from "../common/option_tables.ts";
import { toLogger } from "../common/logger.ts";

/**
 * A line of a log.
 *
 * @category Temporal
 */
export interface LogEntry {
  /** The level. */
  level: LogLevel;
  /** The text. */
  message: string;
  /** When it was written, in nanoseconds since the epoch. */
  timestampNanos: bigint;
  /** Values that belong to the line. */
  meta?: LogMetadata | undefined;
}

const LEVELS: readonly LogLevel[] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"];

/**
 * A logger that leaves out the lines below a level, and gives the others to a function.
 *
 * @category Temporal
 */
export class DefaultLogger implements Logger {
  /** The lowest level that is written. */
  readonly level: LogLevel;
  readonly #write: (entry: LogEntry) => void;

  /**
   * Makes a logger.
   *
   * @param level The lowest level that is written.
   * @param logFunction Gets each line; by default it is written to the console's error stream.
   */
  constructor(level: LogLevel = "INFO", logFunction: (entry: LogEntry) => void = writeToConsole) {
    this.level = level;
    this.#write = logFunction;
  }

  /** Writes a line, if its level is high enough. */
  log(level: LogLevel, message: string, meta?: LogMetadata): void {
    if (LEVELS.indexOf(level) < LEVELS.indexOf(this.level)) return;
    const timestampNanos = BigInt(systemClock.now()) * 1_000_000n;
    const entry = meta === undefined ? { level, message, timestampNanos } : { level, message, timestampNanos, meta };
    isStrayPromise(this.#write(entry)); // its rejection ends no process
  }

  /** Writes a line of level `TRACE`. */
  trace(message: string, meta?: LogMetadata): void {
    this.log("TRACE", message, meta);
  }

  /** Writes a line of level `DEBUG`. */
  debug(message: string, meta?: LogMetadata): void {
    this.log("DEBUG", message, meta);
  }

  /** Writes a line of level `INFO`. */
  info(message: string, meta?: LogMetadata): void {
    this.log("INFO", message, meta);
  }

  /** Writes a line of level `WARN`. */
  warn(message: string, meta?: LogMetadata): void {
    this.log("WARN", message, meta);
  }

  /** Writes a line of level `ERROR`. */
  error(message: string, meta?: LogMetadata): void {
    this.log("ERROR", message, meta);
  }
}

function writeToConsole({ level, message, meta, timestampNanos }: LogEntry): void {
  const at = new Date(Number(timestampNanos / 1_000_000n)).toISOString();
  console.error(`${at} [${level}] ${message}`, ...(meta === undefined ? [] : [meta]));
}

/**
 * Options of {@linkcode Runtime.install}. Only `logger` has an effect here.
 *
 * @category Temporal
 */
export interface RuntimeOptions {
  /** Takes the lines of workflows, activities and workers. */
  logger?: Logger | undefined;
  /** Accepted, without effect. */
  telemetryOptions?: object | undefined;
  /** Accepted, without effect. */
  shutdownSignals?: string[] | undefined;
  /** Accepted, without effect. */
  workerHeartbeatInterval?: unknown;
}

let instance: Runtime | undefined;

/**
 * The runtime of the process: it holds the logger.
 *
 * @category Temporal
 */
export class Runtime {
  /** The options. */
  readonly options: RuntimeOptions;
  /** The logger. */
  readonly logger: Logger;

  /** Makes a runtime. Call {@linkcode Runtime.install}. */
  private constructor(options: RuntimeOptions) {
    this.options = options;
    this.logger = options.logger ?? new DefaultLogger("INFO");
  }

  /** Returns the runtime; makes one without options if there is none. */
  static instance(): Runtime {
    return instance ??= new Runtime({});
  }

  /**
   * Makes the runtime. A later call replaces it; Temporal refuses a second one.
   *
   * @param options The options.
   */
  static install(options: RuntimeOptions): Runtime {
    checkTemporalOptions("Runtime.install", options, "install a runtime");
    return instance = new Runtime(options);
  }

  /** Does nothing: there is nothing to end. */
  async shutdown(): Promise<void> {}
}

/** The logger of the runtime, as it is at each line. */
export const runtimeLogger: Logger = /* @__PURE__ */ toLogger((level, message, meta) =>
  Runtime.instance().logger.log(level, message, meta)
);
