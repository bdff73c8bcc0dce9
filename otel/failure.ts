/**
 * Errors in spans.
 *
 * @module
 */

import { isA } from "../util/check.ts";
import { show } from "../util/show.ts";
import type { OtelSpan, OtelTime } from "./api.ts";

/** An error, or what the history has of one. */
export interface ErrorLike {
  readonly name: string;
  readonly message: string;
  readonly stack?: string | undefined;
}

/** What was thrown, as an error. */
export function asError(thrown: unknown): ErrorLike {
  if (isA(thrown, Error)) return thrown;
  return { name: "_OTHER", message: typeof thrown === "string" ? thrown : show(thrown) };
}

/** Marks a span as failed. Returns its `error.type`. */
export function fail(span: OtelSpan, { name, message, stack }: ErrorLike, time?: OtelTime): string {
  span.recordException({ name, message, ...(stack !== undefined && { stack }) }, time);
  span.setStatus({ code: 2, message });
  span.setAttribute("error.type", name);
  return name;
}
