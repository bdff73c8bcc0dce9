/**
 * The names of Temporal's packages that we do not have, or have with another type, and why.
 *
 * @module
 */

type Reasons = Readonly<Record<string, string>>;

/** The same reason for several names. */
const all = (reason: string, names: string): Reasons =>
  Object.fromEntries(names.trim().split(/\s+/).map((name) => [name, reason]));

const wire = "failures and payloads do not pass over a wire here";
const common: Reasons = {
  ...all(
    wire,
    `LoadedDataConverter defaultFailureConverter defaultDataConverter cutoffStackTrace FailureConverter
     DefaultEncodedFailureAttributes DefaultFailureConverterOptions DefaultFailureConverter FAILURE_SOURCE
     toPayloadWithTypeInfo fromPayloadWithTypeInfo convertOptionalToPayload rawPayloadTypeBrand RawValue rawValueTypeInfo
     compilePriority compileRetryPolicy decompileRetryPolicy`,
  ),
  ...all(
    "payloads are not stored outside of the history",
    `StorageDriverClaim StorageDriverWorkflowInfo StorageDriverActivityInfo StorageDriverTargetInfo StorageDriverStoreContext
     StorageDriverSelectContext StorageDriverRetrieveContext StorageDriver StorageDriverSelector ExternalStorage
     ExternalStorageNotConfiguredError`,
  ),
  ActivityCancellationDetails: "without `fromProto`: there are no messages of a server",
  TypedSearchAttributes: "without its functions for messages of a server",
  SdkComponent: "no enum: an object of texts",
  MetricTagsOrFunc: "a type of Temporal's own meters",
  extractWorkflowTypeAndConfig: "a function of Temporal's own client",
};

/** The reasons, by package and name. */
export const EXPECTED: Readonly<Record<string, Reasons>> = {
  "@temporalio/common": common,
  "@temporalio/activity": { Context: "its constructor takes other arguments: users do not call it" },
  "@temporalio/workflow": {
    ...all(
      "no Nexus",
      `createNexusServiceClient NexusServiceClientOptions NexusServiceClient NexusOperationHandle StartNexusOperationInput
       StartNexusOperationOptions StartNexusOperationOutput`,
    ),
    ...all(
      "stacks of workflows are not asked for by a query here",
      `EnhancedStackTrace StackTraceFileLocation StackTraceFileSlice StackTraceSDKInfo StackTrace stackTraceQuery
       enhancedStackTraceQuery`,
    ),
    ...all("no activations", "ActivateInput DisposeInput ConcludeActivationInput ConcludeActivationOutput"),
    AsyncLocalStorage: "the one of the runtime, with the type of what workflows use",
    CancellationScopeOptions: "without a mark for the scope of the workflow: users do not make that one",
    ContinueAsNew: "its constructor takes other arguments: users do not call it",
    LocalActivityDoBackoff: "an error between Temporal's server and its SDK",
    workflowMetadataQuery: "handlers are listed by the inspector",
    ExternalStorageNotConfiguredError: common.ExternalStorageNotConfiguredError,
    extractWorkflowTypeAndConfig: common.extractWorkflowTypeAndConfig,
  },
};
