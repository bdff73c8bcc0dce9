/**
 * The span of an attempt of an activity.
 *
 * An attempt that fails ends when its failure is stored: only then is it known whether another one follows. The time of its end is
 * that of the failure. A cancelled attempt ends when its function does, or else with the visit of its run.
 *
 * @module
 */

import { CanceledError } from "../errors.ts";
import { isA } from "../util/check.ts";
import type { OtelAttributes, OtelSpan } from "./api.ts";
import { asError, type ErrorLike, fail } from "./failure.ts";
import type { Metrics } from "./metrics.ts";

/** How an attempt ended. An abandoned one was in flight when its run left this process. */
type Outcome = "completed" | "failed" | "canceled" | "abandoned";

export class Attempt {
  readonly span: OtelSpan;
  readonly #metrics: Metrics;
  readonly #attributes: OtelAttributes;
  /** Milliseconds since the epoch. */
  readonly #startedAt: number;
  readonly #begin = performance.now();
  /** How long it took, and its error, if it has failed. */
  #failure: { readonly ms: number; readonly error: ErrorLike } | undefined;
  #ended = false;

  /** @param attributes Those of the metrics. */
  constructor(span: OtelSpan, startedAt: number, metrics: Metrics, attributes: OtelAttributes) {
    this.span = span;
    this.#startedAt = startedAt;
    this.#metrics = metrics;
    this.#attributes = attributes;
  }

  completed(): void {
    this.#end("completed", this.#ms);
  }

  /** The function has thrown, and its failure is not stored yet. */
  failed(error: unknown): void {
    this.#fail(asError(error));
  }

  /** The function has thrown after its signal was aborted, for another reason than a timeout. */
  aborted(error: unknown, reason: unknown): void {
    this.failed(error);
    this.#end(isA(reason, CanceledError) ? "canceled" : "abandoned", this.#failure!.ms);
  }

  /** The failure is stored. */
  stored(error: ErrorLike, willRetry: boolean): void {
    if (this.#ended) return;
    this.span.setAttribute("rockpool.activity.will_retry", willRetry);
    this.#fail(error); // a timeout: the function may still run
    this.#end("failed", this.#failure!.ms);
  }

  /** The run leaves this process. */
  abandon(): void {
    this.#end(this.#failure === undefined ? "abandoned" : "failed", this.#failure?.ms ?? this.#ms);
  }

  #fail(error: ErrorLike): void {
    this.#failure ??= { ms: this.#ms, error };
  }

  get #ms(): number {
    return performance.now() - this.#begin;
  }

  #end(outcome: Outcome, ms: number): void {
    if (this.#ended) return;
    this.#ended = true;
    const attributes: OtelAttributes = { ...this.#attributes, "rockpool.activity.outcome": outcome };
    const endedAt = this.#startedAt + ms;
    this.span.setAttribute("rockpool.activity.outcome", outcome);
    // A cancellation is no failure, as in the span of a run.
    if (outcome === "failed") attributes["error.type"] = fail(this.span, this.#failure!.error, endedAt);
    this.span.end(endedAt);
    this.#metrics.attempts.add(1, attributes);
    this.#metrics.attemptSeconds.record(ms / 1000, attributes);
  }
}
