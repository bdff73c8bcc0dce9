/**
 * An OTLP receiver on this machine, which decodes what arrives: spans, metrics and lines of logs, sent as JSON.
 *
 * @module
 */

/** A span, with its IDs as hexadecimal digits and its times in milliseconds. */
export interface Span {
  readonly scope: string;
  readonly name: string;
  readonly kind: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly failed: boolean;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly { readonly name: string; readonly attributes: Readonly<Record<string, unknown>> }[];
  /** The IDs of the spans that it is linked to. */
  readonly links: readonly string[];
}

/** A line of a log. */
export interface Line {
  readonly text: string;
  readonly traceId: string;
  readonly spanId: string;
}

/** A value of a metric: what was added, counted or measured since the process began. */
export interface Point {
  readonly attributes: Readonly<Record<string, unknown>>;
  /** The sum; the last value of a gauge. */
  readonly value: number;
  /** How many values a histogram has. */
  readonly count: number | undefined;
}

const KINDS = ["", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];

// deno-lint-ignore no-explicit-any -- the JSON of OTLP
type Json = any;

const valueOf = (value: Json): unknown =>
  value.stringValue ?? value.boolValue ?? Number(value.intValue ?? value.doubleValue);
const attributesOf = (list: Json[] = []) => Object.fromEntries(list.map(({ key, value }) => [key, valueOf(value)]));
const ms = (nanoseconds: string) => Number(BigInt(nanoseconds) / 1000n) / 1000;

function spanOf(scope: string, span: Json): Span {
  return {
    scope,
    name: span.name,
    kind: KINDS[span.kind],
    traceId: span.traceId,
    spanId: span.spanId,
    parentId: span.parentSpanId ?? "",
    startedAt: ms(span.startTimeUnixNano),
    endedAt: ms(span.endTimeUnixNano),
    failed: span.status?.code === 2,
    attributes: attributesOf(span.attributes),
    events: (span.events ?? []).map((event: Json) => ({
      name: event.name,
      attributes: attributesOf(event.attributes),
    })),
    links: (span.links ?? []).map((link: Json) => link.spanId),
  };
}

function pointOf(point: Json): Point {
  return {
    attributes: attributesOf(point.attributes),
    value: Number(point.sum ?? point.asDouble ?? point.asInt),
    count: point.count === undefined ? undefined : Number(point.count),
  };
}

export class Receiver implements AsyncDisposable {
  readonly url: string;
  readonly spans: Span[] = [];
  readonly lines: Line[] = [];
  /** The newest points, by the name of the metric. */
  readonly metrics = new Map<string, Point[]>();
  /** Everything that was sent, as a text. */
  sent = "";
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #waiting = new Set<() => void>();

  constructor() {
    const options = { port: 0, hostname: "127.0.0.1", onListen() {} };
    this.#server = Deno.serve(options, async (request) => {
      const text = await request.text();
      this.sent += text;
      this.#receive(JSON.parse(text));
      for (const look of this.#waiting) look();
      return Response.json({});
    });
    this.url = `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** The environment of a program that sends to this receiver. */
  get env(): Record<string, string> {
    return {
      OTEL_EXPORTER_OTLP_ENDPOINT: this.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_BSP_SCHEDULE_DELAY: "50",
      OTEL_METRIC_EXPORT_INTERVAL: "200",
      OTEL_METRIC_EXPORT_TIMEOUT: "200",
    };
  }

  #receive({ resourceSpans = [], resourceLogs = [], resourceMetrics = [] }: Json): void {
    for (const { scope, spans } of resourceSpans.flatMap((resource: Json) => resource.scopeSpans)) {
      for (const span of spans) this.spans.push(spanOf(scope.name, span));
    }
    for (const { logRecords } of resourceLogs.flatMap((resource: Json) => resource.scopeLogs)) {
      for (const { body, traceId = "", spanId = "" } of logRecords) {
        this.lines.push({ text: body.stringValue, traceId, spanId });
      }
    }
    for (const { metrics } of resourceMetrics.flatMap((resource: Json) => resource.scopeMetrics)) {
      for (const { name, ...metric } of metrics) {
        const { dataPoints } = metric.sum ?? metric.histogram ?? metric.gauge;
        this.metrics.set(name, dataPoints.map(pointOf));
      }
    }
  }

  /** Waits until `find` finds something in what has arrived. */
  async until<T>(find: () => T | undefined | false): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<T>();
    const look = () => {
      const found = find();
      if (found) resolve(found);
    };
    this.#waiting.add(look);
    look();
    try {
      return await promise;
    } finally {
      this.#waiting.delete(look);
    }
  }

  /** The value of a metric for some attributes: `undefined` if there is none. */
  point(name: string, attributes: Record<string, unknown>): Point | undefined {
    return this.metrics.get(name)?.find((point) =>
      Object.entries(attributes).every(([key, value]) => point.attributes[key] === value)
    );
  }

  /**
   * The spans of a trace as a tree, a line each: its name, its kind if it is not internal, `failed`, and the spans that it is linked to.
   * Spans below the same span are in the order of their names, then of their starts.
   */
  tree(traceId: string): string[] {
    const spans = this.spans.filter((span) => span.traceId === traceId);
    const lines: string[] = [];
    const add = (parentId: string, indent: string) => {
      const children = spans.filter((span) => span.parentId === parentId);
      children.sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : a.startedAt - b.startedAt);
      for (const { name, kind, failed, links, spanId } of children) {
        const linked = links.map((id) => ` -> ${this.spans.find(({ spanId }) => spanId === id)?.name}`).join("");
        lines.push(`${indent}${name}${kind === "INTERNAL" ? "" : ` ${kind}`}${failed ? " failed" : ""}${linked}`);
        add(spanId, `${indent}  `);
      }
    };
    add("", "");
    if (lines.length < spans.length) {
      throw new Error(`Spans without a parent: ${JSON.stringify(spans.map(({ name }) => name))}\n${lines.join("\n")}`);
    }
    return lines;
  }

  /** The only span of a name. */
  span(name: string): Span {
    const spans = this.spans.filter((span) => span.name === name);
    if (spans.length !== 1) throw new Error(`There are ${spans.length} spans ${JSON.stringify(name)}`);
    return spans[0];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}
