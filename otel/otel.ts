/**
 * Hooks and middleware that make traces and metrics.
 *
 * @module
 */

import type { Hooks } from "../hooks.ts";
import type { Middleware } from "../middleware.ts";
import type { WorkflowLogger } from "../context.ts";
import type { OpenRun } from "../options.ts";
import type { WorkflowStore } from "../types.ts";
import { cannot, checkFunction, checkObject, checkOptions } from "../util/check.ts";
import { show } from "../util/show.ts";
import type { OtelApi, OtelMeter, OtelTracer } from "./api.ts";
import { Metrics } from "./metrics.ts";
import { Spans } from "./spans.ts";
import { measured } from "./store.ts";

/** What the tracer and the meter are called. */
const NAME = "@rockpool/workflow";

/**
 * Options of {@linkcode otel}.
 *
 * @category Observability
 */
export interface OtelOptions {
  /** The module `@opentelemetry/api`: `import * as api from "@opentelemetry/api"`. */
  readonly api: OtelApi;
  /**
   * Makes the spans.
   *
   * @default {api.trace.getTracer("@rockpool/workflow")}
   */
  readonly tracer?: OtelTracer | undefined;
  /**
   * Makes the metrics.
   *
   * @default {api.metrics.getMeter("@rockpool/workflow")}
   */
  readonly meter?: OtelMeter | undefined;
}

/**
 * What {@linkcode otel} returns. Its functions need no `this`.
 *
 * @category Observability
 */
export interface Otel {
  /** Makes the spans of calls, attempts and visits, and writes contexts into headers. It should be the first of an executor. */
  readonly middleware: Middleware;
  /** Makes the spans of runs and of what arrives for them, and counts. */
  readonly hooks: Hooks;
  /**
   * Counts the runs of an executor in `rockpool.runs.waiting`.
   *
   * @param executor The executor.
   * @returns A function that ends that.
   */
  readonly observe: (executor: { openRuns(): readonly OpenRun[] }) => () => void;
  /**
   * Measures the appends of a store.
   *
   * @param store The store.
   * @returns What stands for the store: the executor gets it.
   */
  readonly store: <Store extends WorkflowStore>(store: Store) => Store;
  /**
   * Adds `trace_id` and `span_id` of the active span to each line of a log. Needless where the SDK does so by itself.
   *
   * @param logger Writes the lines.
   * @returns A logger for an executor.
   */
  readonly logger: (logger: WorkflowLogger) => WorkflowLogger;
}

/**
 * Makes hooks and middleware for traces and metrics. Both are needed. One call serves all executors of a process.
 *
 * @param options The API of OpenTelemetry.
 * @throws {TypeError} If `api` is not the module, or an option is unknown.
 *
 * @category Observability
 */
export function otel(options: OtelOptions): Otel {
  const action = "set up OpenTelemetry";
  checkOptions(options, { api: true, tracer: true, meter: true }, action);
  const { api } = options;
  if (typeof api?.trace?.getTracer !== "function" || typeof api.propagation?.extract !== "function") {
    const way = 'import * as api from "@opentelemetry/api"';
    throw new TypeError(`${cannot(action)}: "api" must be the module @opentelemetry/api, got ${show(api)}; ${way}`);
  }
  const { tracer = api.trace.getTracer(NAME), meter = api.metrics.getMeter(NAME) } = options;
  checkFunction("tracer.startSpan", tracer?.startSpan, action);
  checkFunction("meter.createCounter", meter?.createCounter, action);
  const metrics = new Metrics(meter);
  const spans = new Spans(api, tracer, metrics);
  return {
    middleware: (call, next) => {
      switch (call.kind) {
        case "execute":
        case "startChild":
          return spans.start(call, next);
        case "signal":
        case "update":
          return spans.message(call, next);
        case "query":
          return spans.query(call, next);
        case "cancel":
        case "terminate":
          return spans.end(call, next);
        case "activity":
          return spans.attempt(call, next);
        case "visit":
          return spans.visit(call, next);
        default:
          return next();
      }
    },
    hooks: {
      workflowStarted: (_, run) => metrics.started.add(1, { "rockpool.workflow.name": run.workflowName }),
      workflowCompleted: ({ at }, run) => spans.runEnded(run, "completed", at),
      workflowFailed: ({ at, error }, run) => spans.runEnded(run, "failed", at, error),
      workflowCanceled: ({ at }, run) => spans.runEnded(run, "canceled", at),
      workflowReplayed: ({ events }, run) => spans.replayed(events, run),
      activityAttemptFailed: ({ seq, error }, run) => spans.attemptFailed(seq, error, true, run),
      activityFailed: ({ seq, error }, run) => spans.attemptFailed(seq, error, false, run),
      signalReceived: ({ at, name, headers }, run) => spans.arrived("signal", name, headers, at, run),
      updateAccepted: ({ at, name, headers }, run) => spans.arrived("update", name, headers, at, run),
      compensationStarted: ({ at, name }, run) => spans.compensation(name, at, run),
    },
    observe: (executor) => {
      checkFunction("executor.openRuns", executor?.openRuns, "observe executor");
      metrics.observed.add(executor);
      return () => void metrics.observed.delete(executor);
    },
    store: (store) => {
      checkObject("store", store, "measure store");
      return measured(store, metrics);
    },
    logger: (logger) => traced(api, logger),
  };
}

/** A logger that adds the active span. */
function traced({ context, trace }: OtelApi, logger: WorkflowLogger): WorkflowLogger {
  checkObject("logger", logger, "trace logger");
  const write = (level: keyof WorkflowLogger): WorkflowLogger["info"] => (message, fields) => {
    const span = trace.getSpanContext(context.active());
    logger[level](message, span ? { ...fields, trace_id: span.traceId, span_id: span.spanId } : fields);
  };
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}
