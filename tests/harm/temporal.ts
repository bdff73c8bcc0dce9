/**
 * Every function that callers give to the interface of Temporal, and what calls it. It reports to its caller, as the test kit does.
 *
 * @module
 */

import { log, metricMeter, MockActivityEnvironment } from "@rockpool/workflow/temporal/activity";
import { CompositePayloadConverter, type Payload } from "@rockpool/workflow/temporal/common";
import { valueConverter } from "../../temporal/common/value_converter.ts";
import type { Bad } from "./callbacks.ts";
import { TEMPORAL_TESTING, TEMPORAL_TESTING_METHODS, TEMPORAL_TESTING_NOT_CALLED } from "./temporal_testing.ts";
import { TEMPORAL_WORKFLOW_METHODS, TEMPORAL_WORKFLOWS, TEMPORAL_WORKFLOWS_NOT_CALLED } from "./temporal_workflows.ts";

const payload: Payload = { metadata: { encoding: new TextEncoder().encode("bad") } };

/** Runs an activity that writes to its log and counts. */
function activity(options: Record<string, unknown>): Promise<void> {
  return new MockActivityEnvironment({}, options).run(async () => {
    await Promise.resolve();
    log.debug("hello");
    metricMeter.createCounter("calls").add(1);
  });
}

/** What calls each callback. */
export const TEMPORAL: Readonly<Record<string, (bad: Bad) => unknown>> = {
  ...TEMPORAL_TESTING,
  ...TEMPORAL_WORKFLOWS,
  "PayloadConverter.toPayload": (bad) => valueConverter({ toPayload: bad, fromPayload: bad }).toStored(1),
  "PayloadConverter.fromPayload": (bad) => valueConverter({ toPayload: bad, fromPayload: bad }).fromStored(payload),
  "PayloadConverterWithEncoding.toPayload": (bad) =>
    new CompositePayloadConverter({ encodingType: "bad", toPayload: bad, fromPayload: bad }).toPayload(1),
  "PayloadConverterWithEncoding.fromPayload": (bad) =>
    new CompositePayloadConverter({ encodingType: "bad", toPayload: bad, fromPayload: bad }).fromPayload(payload),
  "Logger.log": (log) => activity({ logger: { log } }),
  "MetricMeter.withTags": (withTags) => activity({ metricMeter: { withTags } }),
  "MockActivityEnvironmentOptions.interceptors": (bad) => activity({ interceptors: [bad] }),
  "ActivityInboundCallsInterceptor.execute": (execute) =>
    activity({ interceptors: [() => ({ inbound: { execute } })] }),
  "ActivityOutboundCallsInterceptor.getLogAttributes": (getLogAttributes) =>
    activity({ interceptors: [() => ({ outbound: { getLogAttributes } })] }),
  "ActivityOutboundCallsInterceptor.getMetricTags": (getMetricTags) =>
    activity({ interceptors: [() => ({ outbound: { getMetricTags } })] }),
};

/** What hands out a promise, and what it rejects with. Nobody need wait for any. */
export const TEMPORAL_METHODS: Readonly<Record<string, string>> = {
  ...TEMPORAL_TESTING_METHODS,
  ...TEMPORAL_WORKFLOW_METHODS,
  "ActivityInboundCallsInterceptor.execute": "the interceptor makes it",
  "Context.cancelled": "a CancelledFailure; it is handled already",
  "Context.current": "it returns a context, which holds them",
  "Context.sleep()": "a CancelledFailure, to the code that sleeps",
  "MockActivityEnvironment.run": "what the activity throws",
  cancelled: "as Context.cancelled",
  sleep: "as Context.sleep()",
};

/** Functions of Temporal's types that nothing here calls. */
export const TEMPORAL_NOT_CALLED: readonly string[] = [
  ...TEMPORAL_TESTING_NOT_CALLED,
  ...TEMPORAL_WORKFLOWS_NOT_CALLED,
  "PayloadConverter.validateConverterHint",
  "PayloadConverterWithEncoding.validateConverterHint",
  "TransferTypeConverter.fromTransferType",
  "TransferTypeConverter.toTransferType",
  "WorkflowDefinitionOptions.failureExceptionTypes", // classes
  "WorkflowFunctionWithOptions.workflowDefinitionOptions",
  "extractWorkflowType(workflowTypeOrFunc)", // only its name is read
  // They are handed out.
  "ActivityInboundCallsInterceptor.execute(next)",
  "ActivityOutboundCallsInterceptor.getLogAttributes(next)",
  "ActivityOutboundCallsInterceptor.getMetricTags(next)",
  // The code of users calls them.
  "Logger.trace",
  "Logger.debug",
  "Logger.info",
  "Logger.warn",
  "Logger.error",
  "MetricMeter.createCounter",
  "MetricCounter.add",
  "MetricCounter.withTags",
  "MetricMeter.createHistogram",
  "MetricHistogram.record",
  "MetricHistogram.withTags",
  "MetricMeter.createGauge",
  "MetricGauge.set",
  "MetricGauge.withTags",
  "MetricMeter.createUpDownCounter",
  "MetricUpDownCounter.add",
  "MetricUpDownCounter.withTags",
];
