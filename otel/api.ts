/**
 * What this package uses of `@opentelemetry/api`, as types of its own: the package has no dependency, and any 1.x version fits.
 *
 * @module
 */

/**
 * A context of OpenTelemetry: what is active.
 *
 * @category Observability
 */
export interface OtelContext {
  /** Returns a value of the context. */
  getValue(key: symbol): unknown;
  /** Returns a context with another value. */
  setValue(key: symbol, value: unknown): OtelContext;
  /** Returns a context without a value. */
  deleteValue(key: symbol): OtelContext;
}

/**
 * What identifies a span.
 *
 * @category Observability
 */
export interface OtelSpanContext {
  /** The ID of the trace: 32 hexadecimal digits. */
  readonly traceId: string;
  /** The ID of the span: 16 hexadecimal digits. */
  readonly spanId: string;
  /** Whether the span is sampled, as a bit. */
  readonly traceFlags: number;
}

/**
 * Attributes of a span, or of a value of a metric.
 *
 * @category Observability
 */
export type OtelAttributes = Record<string, string | number | boolean>;

/**
 * A time: milliseconds since the epoch, or a date.
 *
 * @category Observability
 */
export type OtelTime = number | Date;

/**
 * A span.
 *
 * @category Observability
 */
export interface OtelSpan {
  /** Sets an attribute. */
  setAttribute(name: string, value: string | number | boolean): unknown;
  /** Sets the status: 2 is an error. */
  setStatus(status: { code: 2; message?: string }): unknown;
  /** Adds an error, as an event. */
  recordException(error: { name: string; message: string; stack?: string }, time?: OtelTime): void;
  /** Ends the span, now by default. */
  end(time?: OtelTime): void;
}

/**
 * What a new span is made with.
 *
 * @category Observability
 */
export interface OtelSpanOptions {
  /** The kind: 0 internal, 2 client, 3 producer, 4 consumer. */
  kind?: 0 | 2 | 3 | 4;
  /** The attributes. */
  attributes?: OtelAttributes;
  /** Spans of other traces that belong to it. */
  links?: { context: OtelSpanContext }[];
  /** When it started; now by default. */
  startTime?: OtelTime;
}

/**
 * Makes spans.
 *
 * @category Observability
 */
export interface OtelTracer {
  /** Makes a span below that of a context. */
  startSpan(name: string, options: OtelSpanOptions, context: OtelContext): OtelSpan;
}

/**
 * How a metric is described.
 *
 * @category Observability
 */
export interface OtelMetricOptions {
  /** What it counts or measures. */
  description?: string;
  /** The unit, in the notation of UCUM. */
  unit?: string;
  /** What a histogram is made with. */
  advice?: { explicitBucketBoundaries?: number[] };
}

/**
 * A metric that adds values.
 *
 * @category Observability
 */
export interface OtelCounter {
  /** Adds a value. */
  add(value: number, attributes: OtelAttributes): void;
}

/**
 * A metric of the distribution of values.
 *
 * @category Observability
 */
export interface OtelHistogram {
  /** Adds a value. */
  record(value: number, attributes: OtelAttributes): void;
}

/**
 * A metric that is read from time to time.
 *
 * @category Observability
 */
export interface OtelGauge {
  /** Calls a function when the metric is read. */
  addCallback(callback: (result: { observe(value: number, attributes: OtelAttributes): void }) => void): void;
}

/**
 * Makes metrics.
 *
 * @category Observability
 */
export interface OtelMeter {
  /** Makes a metric whose values are added, and never negative. */
  createCounter(name: string, options: OtelMetricOptions): OtelCounter;
  /** Makes a metric whose values are added. */
  createUpDownCounter(name: string, options: OtelMetricOptions): OtelCounter;
  /** Makes a metric of the distribution of values. */
  createHistogram(name: string, options: OtelMetricOptions): OtelHistogram;
  /** Makes a metric that is read from time to time. */
  createObservableGauge(name: string, options: OtelMetricOptions): OtelGauge;
}

/**
 * The module `@opentelemetry/api`, as far as it is used.
 *
 * @category Observability
 */
export interface OtelApi {
  /** The context that is active. */
  readonly context: {
    /** Returns the context that is active. */
    active(): OtelContext;
    /** Calls a function while a context is active. */
    with<T>(context: OtelContext, fn: () => T): T;
  };
  /** How contexts travel. */
  readonly propagation: {
    /** Writes a context into a carrier. */
    inject(context: OtelContext, carrier: Record<string, string>): void;
    /** Reads a context from a carrier. */
    extract(context: OtelContext, carrier: unknown): OtelContext;
    /** The names that `inject` writes. */
    fields(): string[];
  };
  /** Spans. */
  readonly trace: {
    /** Returns a tracer. */
    getTracer(name: string): OtelTracer;
    /** Returns a context with a span. */
    setSpan(context: OtelContext, span: OtelSpan): OtelContext;
    /** Returns what identifies the span of a context. */
    getSpanContext(context: OtelContext): OtelSpanContext | undefined;
  };
  /** Metrics. */
  readonly metrics: {
    /** Returns a meter. */
    getMeter(name: string): OtelMeter;
  };
  /** A context in which nothing is active. */
  readonly ROOT_CONTEXT: OtelContext;
}
