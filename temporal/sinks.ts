/**
 * What a workflow writes: lines of the log, and calls of sinks. Neither happens on replay.
 *
 * @module
 */

import { callUser, isStrayPromise } from "../util/deferred.ts";
import { type MetricMeter, noopMetricMeter } from "./common/mod.ts";
import { infoOf } from "./info.ts";
import { composeInterceptors } from "./common/interceptors.ts";
import { outside, requireFrame } from "./scope.ts";
import type { Sink, Sinks } from "./types.ts";

/**
 * Returns the sinks of the host. A call does nothing if the host has no such function.
 *
 * @category Temporal
 */
export function proxySinks<T extends Sinks>(): T {
  return byName((sink) => byName((name) => (...args: unknown[]) => callSink(sink, name, args))) as T;
}

/** An object that has a value for each name. */
function byName<T>(make: (name: string) => T): Record<string, T> {
  return new Proxy({}, { get: (_, name) => typeof name === "string" ? make(name) : undefined });
}

function callSink(sink: string, name: string, args: unknown[]): void {
  const { run } = requireFrame("call a sink");
  const found = run.host.sinks[sink]?.[name];
  if (found === undefined || run.ctx.isReplaying && !found.callDuringReplay) return;
  const info = infoOf(run);
  const failed = (error: unknown) => run.ctx.log.error(`Sink ${sink}.${name} failed`, { error });
  // Copied: what a sink changes must not reach the workflow, whose replay does not call the sink.
  outside(() => callUser(() => found.fn(info, ...structuredClone(args)), failed));
}

/**
 * Writes lines to a log.
 *
 * @category Temporal
 */
export interface WorkflowLogger extends Sink {
  /** Logs details of a function: with the level `debug`, because the executor's logger has no lower one. */
  trace(message: string, attrs?: Record<string, unknown>): void;
  /** Logs details for debugging. */
  debug(message: string, attrs?: Record<string, unknown>): void;
  /** Logs normal operation. */
  info(message: string, attrs?: Record<string, unknown>): void;
  /** Logs a possible problem. */
  warn(message: string, attrs?: Record<string, unknown>): void;
  /** Logs an error. */
  error(message: string, attrs?: Record<string, unknown>): void;
}

/**
 * Sinks with a logger. In Temporal it replaces the logger of the worker.
 *
 * @category Temporal
 */
export interface LoggerSinks extends Sinks {
  /** The logger. */
  defaultWorkerLogger: WorkflowLogger;
}

/**
 * Writes lines to the executor's logger, once: not on replay.
 *
 * @category Temporal
 */
export const log: WorkflowLogger = {
  trace: (message, attrs) => write("debug", message, attrs),
  debug: (message, attrs) => write("debug", message, attrs),
  info: (message, attrs) => write("info", message, attrs),
  warn: (message, attrs) => write("warn", message, attrs),
  error: (message, attrs) => write("error", message, attrs),
};

function write(level: "debug" | "info" | "warn" | "error", message: string, attrs?: Record<string, unknown>): void {
  const { run, update } = requireFrame("write to the log");
  const { input, workflowType } = run;
  const own = {
    sdkComponent: "workflow",
    namespace: "default",
    taskQueue: input.taskQueue ?? "default",
    workflowType,
    ...(update && { updateId: update.id, updateName: update.name }),
  };
  const fields = composeInterceptors(
    run.outbound,
    "getLogAttributes",
    (attributes: Record<string, unknown>) => attributes,
  )(own);
  const added = isStrayPromise(fields) ? own : fields;
  outside(() => run.ctx.log[level](message, { ...added, ...attrs }));
}

/**
 * Makes metrics that record nothing. Metrics of this package: `@rockpool/workflow/otel`.
 *
 * @category Temporal
 */
export const metricMeter: MetricMeter = noopMetricMeter;
