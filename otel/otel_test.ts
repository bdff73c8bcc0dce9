/** What needs no SDK; what is sent is tested by `deno task otel`. */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Executor, InMemoryStore, type WorkflowContext } from "@rockpool/workflow";
import { otel, type OtelApi, type OtelAttributes } from "@rockpool/workflow/otel";
import { SqliteStore } from "@rockpool/workflow/sqlite";
import { testStore } from "@rockpool/workflow/testing/store";
import { fakeOtel } from "../tests/support/fake_otel.ts";
import { gate, settle, silent } from "../tests/support/executors.ts";

Deno.test("otel() throws what it wants when it does not get the module @opentelemetry/api", () => {
  const text = 'Cannot set up OpenTelemetry: "api" must be the module @opentelemetry/api, got undefined; ' +
    'import * as api from "@opentelemetry/api"';
  assertThrows(() => otel({} as never), TypeError, text);
  assertThrows(() => otel({ api: fakeOtel(), tracers: 1 } as never), TypeError, 'has no option "tracers"');
  assertThrows(
    () => otel({ api: fakeOtel(), tracer: {} } as never),
    TypeError,
    '"tracer.startSpan" must be a function',
  );
});

Deno.test("Otel.observe() counts each run once for each type of its waits, until it is ended", async () => {
  const callbacks: Parameters<
    ReturnType<ReturnType<OtelApi["metrics"]["getMeter"]>["createObservableGauge"]>["addCallback"]
  >[0][] = [];
  const { observe } = otel({ api: fakeOtel({ "OtelGauge.addCallback": (callback) => callbacks.push(callback) }) });
  const read = () => {
    const seen: [number, OtelAttributes][] = [];
    callbacks[0]({ observe: (value, attributes) => seen.push([value, attributes]) });
    return Object.fromEntries(seen.map(([value, attributes]) => [attributes["rockpool.wait.type"], value]));
  };
  const waits = (ctx: WorkflowContext) =>
    Promise.all([ctx.waitForSignal("a"), ctx.waitForSignal("b", { timeoutMs: 600_000 })]);
  const executors = [0, 1].map(() => new Executor());
  const [end] = executors.map(observe);
  for (const executor of executors) await executor.execute(waits);
  await settle();
  assertEquals(read(), { signal: 2, timer: 2 });
  end();
  assertEquals(read(), { signal: 1, timer: 1 });
  for (const executor of executors) await executor.close();
  assertThrows(() => observe({} as never), TypeError, '"executor.openRuns" must be a function');
});

Deno.test("Otel.store() measures appends and counts conflicts", async () => {
  const seconds: number[] = [];
  let conflicts = 0;
  const api = fakeOtel({
    "OtelHistogram.record": (value) => seconds.push(value),
    "OtelCounter.add": () => conflicts++,
  });
  const store = otel({ api }).store(new InMemoryStore());
  const event = { type: "workflow_started", at: 1, workflowName: "w" } as const;
  const batch = { workflowId: "a", runId: "1", expectedLength: 0, events: [event] };
  await store.append(batch);
  await assertRejects(() => store.append(batch), Error, 'its status is "running"');
  assertEquals([seconds.length, conflicts], [2, 1]);
});

testStore(Deno.test, async () => otel({ api: fakeOtel() }).store(await SqliteStore.open(":memory:")), {
  name: "Otel.store()",
  members: ["heads", "count", "loadSince", "deliver", "claim"],
});

Deno.test("Otel.logger() adds the active span to each line", () => {
  const lines: unknown[] = [];
  const logger = otel({ api: fakeOtel() }).logger({ ...silent, info: (...line) => lines.push(line) });
  logger.info("hello", { workflowId: "a" });
  assertEquals(lines, [["hello", { workflowId: "a", trace_id: "1".repeat(32), span_id: "2".repeat(16) }]]);
});

Deno.test("Otel.middleware replaces the context in headers and keeps the others", async () => {
  const api = fakeOtel();
  const propagation = {
    ...api.propagation,
    fields: () => ["traceparent", "tracestate"],
    inject: (_: unknown, carrier: Record<string, string>) => void (carrier.traceparent = "new"),
  };
  const { middleware, hooks } = otel({ api: { ...api, propagation } });
  await using executor = new Executor({ middleware: [middleware], hooks });
  const headers = { traceparent: "old", tracestate: "old", tenant: "acme" };
  const handle = await executor.execute((ctx: WorkflowContext) => ctx.headers, { headers });
  assertEquals(await handle.result(), { traceparent: "new", tenant: "acme" });
});

for (const useHooks of [true, false]) {
  Deno.test(`Otel.middleware ends the span of each attempt ${useHooks ? "with" : "without"} hooks, whatever is thrown`, async () => {
    const outcomes: unknown[] = [];
    const errors: unknown[] = [];
    const { middleware, hooks } = otel({
      api: fakeOtel({
        "OtelSpan.setAttribute": (name, value) => name.endsWith("outcome") && outcomes.push(value),
        "OtelSpan.recordException": ({ name, message }) => errors.push(`${name}: ${message}`),
      }),
    });
    await using executor = new Executor({ middleware: [middleware], hooks: useHooks ? hooks : undefined });
    const thrown = [Object.create(null), "text"];
    const handle = await executor.execute((ctx: WorkflowContext) =>
      ctx.executeActivity(
        () => {
          if (thrown.length > 0) throw thrown.shift();
        },
        undefined,
        { name: "a", retry: { maxAttempts: 3, initialIntervalMs: 1 } },
      )
    );
    await handle.result();
    await settle();
    assertEquals(outcomes, ["failed", "failed", "completed"]);
    assertEquals(errors, ["_OTHER: an object", "_OTHER: text"]);
  });
}

Deno.test("Otel.middleware ends the span of an attempt that is in flight when its executor closes", async () => {
  const attributes: unknown[] = [];
  const begun = gate();
  const api = fakeOtel({ "OtelSpan.setAttribute": (name, value) => attributes.push(`${name}=${value}`) });
  const { middleware, hooks } = otel({ api });
  const executor = new Executor({ middleware: [middleware], hooks });
  await executor.execute((ctx: WorkflowContext) =>
    ctx.executeActivity(
      () => {
        begun.open();
        return new Promise(() => {});
      },
      undefined,
      { name: "hang" },
    )
  );
  await begun.promise;
  await executor.close();
  await settle();
  assertEquals(attributes.slice(1), ["rockpool.activity.outcome=abandoned", "rockpool.visit.end=suspended"]);
});

Deno.test("Otel.store() appends when nothing can be measured", async () => {
  const lost = () => {
    throw new Error("The meter is lost");
  };
  const store = otel({ api: fakeOtel({ "OtelHistogram.record": lost, "OtelCounter.add": lost }) })
    .store(new InMemoryStore());
  const event = { type: "workflow_started", at: 1, workflowName: "w" } as const;
  const batch = { workflowId: "a", runId: "1", expectedLength: 0, events: [event] };
  await store.append(batch);
  await assertRejects(() => store.append(batch), Error, 'its status is "running"');
});
