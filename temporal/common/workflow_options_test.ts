import { assertEquals, assertThrows } from "@std/assert";
import {
  ActivityCancellationDetails,
  extractWorkflowType,
  isActivityFunctionWithOptions,
  isWorkflowFunctionWithOptions,
  isWorkflowFunctionWithStaticOptions,
  noopMetricMeter,
  toCanonicalString,
} from "./mod.ts";

async function order() {}

Deno.test("extractWorkflowType() returns the name of a function, and refuses one without a name", () => {
  assertEquals([extractWorkflowType(order), extractWorkflowType("pay")], ["order", "pay"]);
  assertThrows(() => extractWorkflowType(async () => {}), TypeError, "Cannot name a workflow");
  assertThrows(() => extractWorkflowType(""), TypeError, "Cannot name a workflow");
});

Deno.test("isWorkflowFunctionWithOptions() and its like find options of functions", () => {
  const all = [isWorkflowFunctionWithOptions, isWorkflowFunctionWithStaticOptions, isActivityFunctionWithOptions];
  const options = { workflowDefinitionOptions: {}, staticOptions: {}, activityDefinitionOptions: {} };
  const annotated = Object.assign(async () => {}, options);
  assertEquals(all.map((is) => [is(annotated), is(order), is(options)]), Array(3).fill([true, false, false]));
});

Deno.test("toCanonicalString() joins deployment and build", () => {
  assertEquals(toCanonicalString({ deploymentName: "orders", buildId: "7" }), "orders.7");
});

Deno.test("ActivityCancellationDetails is false in all that is not given", () => {
  assertEquals({ ...new ActivityCancellationDetails({ timedOut: true }) }, {
    notFound: false,
    cancelRequested: false,
    paused: false,
    timedOut: true,
    workerShutdown: false,
    reset: false,
  });
});

Deno.test("noopMetricMeter makes metrics that take values and tags", () => {
  const meter = noopMetricMeter.withTags({ a: 1 });
  const counter = meter.createCounter("orders", "1", "Orders");
  counter.withTags({ b: true }).add(1);
  assertEquals([counter.name, counter.kind, counter.valueType, counter.unit], ["orders", "counter", "int", "1"]);
  meter.createHistogram("ms", "float").record(1.5);
  meter.createGauge("open").set(1);
  noopMetricMeter.createUpDownCounter("live").add(-1);
});
