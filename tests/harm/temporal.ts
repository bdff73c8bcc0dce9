/**
 * Every function that callers give to the interface of Temporal, and what calls it. It reports to its caller, as the test kit does.
 *
 * @module
 */

import { CompositePayloadConverter, type Payload } from "@rockpool/workflow/temporal/common";
import { valueConverter } from "../../temporal/common/value_converter.ts";
import type { Bad } from "./callbacks.ts";

const payload: Payload = { metadata: { encoding: new TextEncoder().encode("bad") } };

/** What calls each callback. */
export const TEMPORAL: Readonly<Record<string, (bad: Bad) => unknown>> = {
  "PayloadConverter.toPayload": (bad) => valueConverter({ toPayload: bad, fromPayload: bad }).toStored(1),
  "PayloadConverter.fromPayload": (bad) => valueConverter({ toPayload: bad, fromPayload: bad }).fromStored(payload),
  "PayloadConverterWithEncoding.toPayload": (bad) =>
    new CompositePayloadConverter({ encodingType: "bad", toPayload: bad, fromPayload: bad }).toPayload(1),
  "PayloadConverterWithEncoding.fromPayload": (bad) =>
    new CompositePayloadConverter({ encodingType: "bad", toPayload: bad, fromPayload: bad }).fromPayload(payload),
};

/** What hands out a promise, and why it harms nobody. */
export const TEMPORAL_METHODS: Readonly<Record<string, string>> = {};

/** Functions of Temporal's types that nothing here calls. */
export const TEMPORAL_NOT_CALLED: readonly string[] = [
  "PayloadConverter.validateConverterHint",
  "PayloadConverterWithEncoding.validateConverterHint",
  "TransferTypeConverter.fromTransferType",
  "TransferTypeConverter.toTransferType",
  "WorkflowDefinitionOptions.failureExceptionTypes", // classes
  "WorkflowFunctionWithOptions.workflowDefinitionOptions",
  "extractWorkflowType(workflowTypeOrFunc)", // only its name is read
];
