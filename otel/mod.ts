/**
 * OpenTelemetry: traces and metrics of workflows. One trace follows a workflow from its caller over restarts to its children, and
 * signals and updates are linked to their senders.
 *
 * The package `@opentelemetry/api` is an argument: this module imports nothing of it. `docs/observability.md` shows how to set it up.
 *
 * @example
 * ```ts
 * import { Executor } from "@rockpool/workflow";
 * import { otel, type OtelApi } from "@rockpool/workflow/otel";
 *
 * function start(api: OtelApi): Executor { // import * as api from "@opentelemetry/api";
 *   const { middleware, hooks, observe } = otel({ api });
 *   const executor = new Executor({ hooks, middleware: [middleware] });
 *   observe(executor);
 *   return executor;
 * }
 * ```
 *
 * @module
 */

export * from "./api.ts";
export * from "./otel.ts";
