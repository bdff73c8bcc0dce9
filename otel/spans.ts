/**
 * The spans of workflows.
 *
 * ```
 * start order          PRODUCER, of the caller; its context is in the headers of the run
 *   run order          made at the end, from the times of the history
 *   execute order      a visit: the code is in the memory of a process
 *   activity charge    an attempt
 *   handle signal …    CONSUMER, with a link to the span of the sender
 *   compensation …
 *   start pack         PRODUCER, of a child; what belongs to the child is below it
 * ```
 *
 * 1. The parent of every span of a run is stored with the run. So all of them are in one trace, whichever process makes them, and no
 *    span has a parent that was lost with a process.
 * 2. What a replay repeats makes no span again: hooks are called with new events only, and attempts are made once.
 * 3. A span is open while its call is made, or while code is in memory. The others end as soon as they are made.
 *
 * @module
 */

import type { RunInfo } from "../hooks.ts";
import type { MiddlewareCall, VisitEnd } from "../middleware.ts";
import type { CallHeaders, ErrorRecord } from "../types.ts";
import { systemClock } from "../clock.ts";
import { TimeoutError } from "../errors.ts";
import { isA } from "../util/check.ts";
import type { OtelApi, OtelAttributes, OtelSpan, OtelSpanContext, OtelSpanOptions, OtelTracer } from "./api.ts";
import { Attempt } from "./attempt.ts";
import { Carrier } from "./carrier.ts";
import { asError, fail } from "./failure.ts";
import type { Metrics } from "./metrics.ts";

type CallOf<Kind extends MiddlewareCall["kind"]> = Extract<MiddlewareCall, { readonly kind: Kind }>;
type Next = (changes?: { headers: CallHeaders }) => Promise<unknown>;

type SpanKind = NonNullable<OtelSpanOptions["kind"]>;

/** A run whose code is in memory. */
interface Visit {
  /** When the replay began, if it has not ended. */
  replayBegan: number | undefined;
  /** The attempts in flight, and those whose failure is not stored, by the position of the activity. */
  readonly attempts: Map<number, Attempt>;
}

const INTERNAL = 0;
const CLIENT = 2;
const PRODUCER = 3;
const CONSUMER = 4;

/** The attributes of every span of a run. */
function ofRun({ workflowId, runId, workflowName, workflowVersion }: RunInfo): OtelAttributes {
  return {
    "rockpool.workflow.id": workflowId,
    "rockpool.workflow.run_id": runId,
    "rockpool.workflow.name": workflowName,
    ...(workflowVersion !== undefined && { "rockpool.workflow.version": workflowVersion }),
  };
}

export class Spans {
  readonly #api: OtelApi;
  readonly #tracer: OtelTracer;
  readonly #carrier: Carrier;
  readonly #metrics: Metrics;
  /** By the ID of the run. */
  readonly #visits = new Map<string, Visit>();

  constructor(api: OtelApi, tracer: OtelTracer, metrics: Metrics) {
    this.#api = api;
    this.#tracer = tracer;
    this.#carrier = new Carrier(api);
    this.#metrics = metrics;
  }

  // Calls

  /** A workflow or a child is started. */
  start(call: CallOf<"execute" | "startChild">, next: Next): Promise<unknown> {
    const attributes: OtelAttributes = {
      "rockpool.workflow.id": call.workflowId,
      "rockpool.workflow.name": call.name,
      ...(call.kind === "startChild" && { "rockpool.workflow.parent.id": call.parent.workflowId }),
    };
    return this.#send(`start ${call.name}`, PRODUCER, attributes, call.headers, async (span, headers) => {
      const run = await next({ headers }) as { readonly runId?: unknown } | undefined;
      if (typeof run?.runId === "string") span.setAttribute("rockpool.workflow.run_id", run.runId);
      return run;
    });
  }

  /** A signal or an update is sent. */
  message(call: CallOf<"signal" | "update">, next: Next): Promise<unknown> {
    const { kind, name } = call;
    const attributes = { "rockpool.workflow.id": call.workflowId, [`rockpool.${kind}.name`]: name };
    return this.#send(`${kind} ${name}`, PRODUCER, attributes, call.headers, (_, headers) => next({ headers }));
  }

  query({ workflowId, name }: CallOf<"query">, next: Next): Promise<unknown> {
    const attributes = { "rockpool.workflow.id": workflowId, "rockpool.query.name": name };
    return this.#send(`query ${name}`, CLIENT, attributes, {}, () => next());
  }

  end({ kind, workflowId }: CallOf<"cancel" | "terminate">, next: Next): Promise<unknown> {
    return this.#send(`${kind} workflow`, PRODUCER, { "rockpool.workflow.id": workflowId }, {}, () => next());
  }

  /** Makes a call in a span. */
  async #send(
    name: string,
    kind: SpanKind,
    attributes: OtelAttributes,
    headers: CallHeaders,
    make: (span: OtelSpan, headers: CallHeaders) => Promise<unknown>,
  ): Promise<unknown> {
    const { context, trace } = this.#api;
    const parent = this.#carrier.ofCall(headers);
    const span = this.#tracer.startSpan(name, { kind, attributes }, parent);
    const inside = trace.setSpan(parent, span);
    try {
      return await context.with(inside, () => make(span, this.#carrier.write(inside, headers)));
    } catch (error) {
      fail(span, asError(error));
      throw error;
    } finally {
      span.end();
    }
  }

  // What happens in a run

  /** The code of a run is called. It is called at once, in the same task. */
  async visit({ run, replayedEvents }: CallOf<"visit">, next: Next): Promise<void> {
    const { context, trace } = this.#api;
    const parent = this.#carrier.read(run.headers);
    const name = { "rockpool.workflow.name": run.workflowName };
    const attributes = { ...ofRun(run), "rockpool.replay.events": replayedEvents };
    const span = this.#tracer.startSpan(`execute ${run.workflowName}`, { kind: INTERNAL, attributes }, parent);
    const visit: Visit = { replayBegan: replayedEvents > 0 ? performance.now() : undefined, attempts: new Map() };
    this.#visits.set(run.runId, visit);
    this.#metrics.active.add(1, name);
    let end: VisitEnd = "suspended";
    try {
      end = await context.with(trace.setSpan(parent, span), () => next()) as VisitEnd;
    } finally {
      if (this.#visits.get(run.runId) === visit) this.#visits.delete(run.runId);
      for (const attempt of visit.attempts.values()) attempt.abandon();
      this.#metrics.active.add(-1, name);
      span.setAttribute("rockpool.visit.end", end);
      span.end();
    }
    if (end === "continued") this.runEnded(run, end, systemClock.now());
  }

  /** The replay of a run has ended. */
  replayed(events: number, run: RunInfo): void {
    const visit = this.#visits.get(run.runId);
    if (visit?.replayBegan === undefined) return;
    const attributes = { "rockpool.workflow.name": run.workflowName };
    this.#metrics.replaySeconds.record((performance.now() - visit.replayBegan) / 1000, attributes);
    this.#metrics.replayedEvents.record(events, attributes);
    visit.replayBegan = undefined;
  }

  async attempt(call: CallOf<"activity">, next: Next): Promise<unknown> {
    const { context, trace } = this.#api;
    const { name, runId, seq } = call;
    const startTime = systemClock.now();
    const parent = this.#carrier.read(call.headers);
    const span = this.#tracer.startSpan(`activity ${name}`, {
      kind: INTERNAL,
      startTime,
      attributes: {
        "rockpool.workflow.id": call.workflowId,
        "rockpool.workflow.run_id": runId,
        "rockpool.workflow.name": call.workflowName,
        "rockpool.activity.name": name,
        "rockpool.activity.attempt": call.attempt,
        "code.function.name": name,
      },
    }, parent);
    const labels = { "rockpool.activity.name": name };
    if (call.attempt === 1) this.#metrics.queueSeconds.record(Math.max(0, startTime - call.calledAt) / 1000, labels);
    const attempt = new Attempt(span, startTime, this.#metrics, labels);
    const visit = this.#visits.get(runId);
    visit?.attempts.get(seq)?.abandon(); // without the hooks, nobody has ended it
    visit?.attempts.set(seq, attempt);
    const inside = trace.setSpan(parent, span);
    let result: unknown;
    try {
      result = await context.with(inside, () => next({ headers: this.#carrier.write(inside, call.headers) }));
    } catch (error) {
      const { signal } = call.context;
      if (signal.aborted && !isA(signal.reason, TimeoutError)) attempt.aborted(error, signal.reason);
      else attempt.failed(error);
      if (visit === undefined) attempt.abandon(); // nobody else ends it
      throw error;
    }
    attempt.completed();
    if (visit?.attempts.get(seq) === attempt) visit.attempts.delete(seq);
    return result;
  }

  /** A failure of an activity is stored. */
  attemptFailed(seq: number, error: ErrorRecord, willRetry: boolean, { runId }: RunInfo): void {
    const attempts = this.#visits.get(runId)?.attempts;
    attempts?.get(seq)?.stored(error, willRetry);
    attempts?.delete(seq);
  }

  /** A signal or an update is stored. */
  arrived(kind: "signal" | "update", name: string, headers: CallHeaders | undefined, at: number, run: RunInfo): void {
    const sender = headers && this.#carrier.spanOf(headers);
    this.#moment(`handle ${kind} ${name}`, CONSUMER, { [`rockpool.${kind}.name`]: name }, at, run, sender);
  }

  /** A compensation begins. */
  compensation(name: string, at: number, run: RunInfo): void {
    this.#moment(`compensation ${name}`, INTERNAL, { "rockpool.compensation.name": name }, at, run);
  }

  /** Makes a span that ends at once. */
  #moment(
    name: string,
    kind: SpanKind,
    attributes: OtelAttributes,
    at: number,
    run: RunInfo,
    sender?: OtelSpanContext,
  ): void {
    const startTime = new Date(at);
    this.#tracer.startSpan(name, {
      kind,
      startTime,
      attributes: { ...ofRun(run), ...attributes },
      ...(sender !== undefined && { links: [{ context: sender }] }),
    }, this.#carrier.read(run.headers)).end(startTime);
  }

  /** The end of a run is stored. */
  runEnded(run: RunInfo, status: string, at: number, error?: ErrorRecord): void {
    this.#metrics.runEnded({ "rockpool.workflow.name": run.workflowName }, status, at - run.startedAt);
    const attributes: OtelAttributes = {
      ...ofRun(run),
      "rockpool.workflow.status": status,
      ...(run.parent !== undefined && { "rockpool.workflow.parent.id": run.parent.workflowId }),
    };
    // A run that was cancelled before its start time has ended before it.
    const options = { kind: INTERNAL, startTime: new Date(Math.min(run.startedAt, at)), attributes } as const;
    const span = this.#tracer.startSpan(`run ${run.workflowName}`, options, this.#carrier.read(run.headers));
    const end = new Date(at);
    if (error !== undefined) fail(span, error, end);
    span.end(end);
  }
}
