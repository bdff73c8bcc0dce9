/**
 * The API of OpenTelemetry, which does nothing, and any function of which can be replaced.
 *
 * @module
 */

import type { OtelApi, OtelContext } from "@rockpool/workflow/otel";

// deno-lint-ignore no-explicit-any -- it stands for functions of every type
type Fn = (...args: any[]) => any;

const active: OtelContext = { getValue: () => undefined, setValue: () => active, deleteValue: () => active };
const spanContext = { traceId: "1".repeat(32), spanId: "2".repeat(16), traceFlags: 1 };

/** What each function does, by its place in the types. */
export const functions = {
  "OtelApi.context": (_context: unknown, fn: () => unknown) => fn(),
  "OtelTracer.startSpan": () => fakeSpan({}),
  "OtelSpan.setAttribute": () => {},
  "OtelSpan.setStatus": () => {},
  "OtelSpan.recordException": () => {},
  "OtelSpan.end": () => {},
  "OtelMeter.createCounter": () => ({ add: () => {} }),
  "OtelCounter.add": () => {},
  "OtelMeter.createUpDownCounter": () => ({ add: () => {} }),
  "OtelMeter.createHistogram": () => ({ record: () => {} }),
  "OtelHistogram.record": () => {},
  "OtelMeter.createObservableGauge": () => ({ addCallback: () => {} }),
  "OtelGauge.addCallback": () => {},
} satisfies Record<string, Fn>;

export type Place = keyof typeof functions;
type Replaced = { readonly [P in Place]?: Fn };

function fakeSpan(replaced: Replaced) {
  const all: Record<Place, Fn> = { ...functions, ...replaced };
  return {
    setAttribute: all["OtelSpan.setAttribute"],
    setStatus: all["OtelSpan.setStatus"],
    recordException: all["OtelSpan.recordException"],
    end: all["OtelSpan.end"],
  };
}

/** @param replaced What replaces functions. */
export function fakeOtel(replaced: Replaced = {}): OtelApi {
  const all: Record<Place, Fn> = {
    ...functions,
    "OtelTracer.startSpan": () => fakeSpan(replaced),
    "OtelMeter.createCounter": () => ({ add: all["OtelCounter.add"] }),
    "OtelMeter.createUpDownCounter": () => ({ add: all["OtelCounter.add"] }),
    "OtelMeter.createHistogram": () => ({ record: all["OtelHistogram.record"] }),
    "OtelMeter.createObservableGauge": () => ({ addCallback: all["OtelGauge.addCallback"] }),
    ...replaced,
  };
  return {
    context: { active: () => active, with: all["OtelApi.context"] },
    propagation: { inject: () => {}, extract: (context) => context, fields: () => ["traceparent"] },
    trace: {
      getTracer: () => ({ startSpan: all["OtelTracer.startSpan"] }),
      setSpan: () => active,
      getSpanContext: () => spanContext,
    },
    metrics: {
      getMeter: () => ({
        createCounter: all["OtelMeter.createCounter"],
        createUpDownCounter: all["OtelMeter.createUpDownCounter"],
        createHistogram: all["OtelMeter.createHistogram"],
        createObservableGauge: all["OtelMeter.createObservableGauge"],
      }),
    },
    ROOT_CONTEXT: active,
  };
}
