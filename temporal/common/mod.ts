/**
 * The names of `@temporalio/common`, for workflows that run on this package by `@rockpool/workflow/temporal`.
 *
 * @module
 */

export type * from "./activity_options.ts";
export * from "./cancellation_details.ts";
export * from "./choices.ts";
export * from "./definitions.ts";
export type { Duration, LowerUnit, StringValue, Timestamp, Unit } from "./duration.ts";
export {
  CompleteAsyncError,
  IllegalStateError,
  NamespaceNotFoundError,
  PayloadConverterError,
  ValueError,
  WorkflowNotFoundError,
} from "./errors.ts";
export {
  ActivityFailure,
  ApplicationFailure,
  type ApplicationFailureOptions,
  CancelledFailure,
  ChildWorkflowFailure,
  createPayloadValidationError,
  ensureApplicationFailure,
  ensureTemporalFailure,
  NexusOperationFailure,
  type ProtoFailure,
  rootCause,
  ServerFailure,
  TemporalFailure,
  TerminatedFailure,
  TimeoutFailure,
  type WorkflowExecution,
  WorkflowExecutionAlreadyStartedError,
} from "./failures.ts";
export {
  type ActivitySerializationContext,
  arrayFromPayloads,
  BinaryPayloadConverter,
  CompositePayloadConverter,
  type ConverterHint,
  type DataConverter,
  DefaultPayloadConverter,
  defaultPayloadConverter,
  encodingKeys,
  type EncodingType,
  encodingTypes,
  fromPayloadsAtIndex,
  JsonPayloadConverter,
  mapFromPayloads,
  mapToPayloads,
  METADATA_ENCODING_KEY,
  METADATA_MESSAGE_TYPE_KEY,
  type Payload,
  type PayloadCodec,
  type PayloadConverter,
  type PayloadConverterWithEncoding,
  type PayloadTypeInfo,
  type SerializationContext,
  toPayloads,
  type TransferTypeConverter,
  type TypeInfo,
  UndefinedPayloadConverter,
  type WorkflowSerializationContext,
} from "./payload_converter.ts";
export type { RetryPolicy } from "./retry_policy.ts";
export type { Converter } from "./value_converter.ts";
export type { Headers, Next, OmitLast } from "./interceptors.ts";
export { type Logger, type LogLevel, type LogMetadata, SdkComponent } from "./logger.ts";
export * from "./metrics.ts";
export * from "./search_attributes.ts";
export * from "./workflow_options.ts";
