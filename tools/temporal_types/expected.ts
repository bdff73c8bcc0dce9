/**
 * The names of Temporal's packages that we do not have, or have with another type, and why.
 *
 * @module
 */

type Reasons = Readonly<Record<string, string>>;

/** The same reason for several names. */
const all = (reason: string, names: string): Reasons =>
  Object.fromEntries(names.trim().split(/\s+/).map((name) => [name, reason]));

const facade = "a facade: it has what tests use";
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
  "@temporalio/testing": {
    ...all(
      facade,
      `TestWorkflowEnvironment LocalTestWorkflowEnvironmentOptions TimeSkippingTestWorkflowEnvironmentOptions
      MockActivityEnvironmentOptions`,
    ),
    ...all(
      "no server is started",
      `ExistingServerConnectionOptions ExistingServerTestWorkflowEnvironmentOptions DevServerConfig TimeSkippingServerConfig
       EphemeralServerExecutable ClientOptionsForTestEnv TimeSkippingWorkflowClient`,
    ),
    NexusEndpointIdentifier: "no Nexus",
    workflowInterceptorModules: "an AssertionError fails a workflow without an interceptor",
  },
  "@temporalio/worker": all(
    facade,
    "NativeConnection History Runtime RuntimeOptions Worker WorkerOptions WorkflowBundle",
  ),
  "@temporalio/client": all(
    facade,
    `Connection ActivityClient ActivityHandle ActivityOptions TypedActivityClient ClientOptions Client isGrpcServiceError
     WorkflowExecution WorkflowExecutionInfo WorkflowExecutionDescription WorkflowHandle WorkflowHandleWithFirstExecutionRunId
     WorkflowHandleWithStartDetails WorkflowHandleWithSignaledRunId WithStartWorkflowOperation WorkflowClient WorkflowOptions
     WorkflowSignalWithStartOptions WorkflowStartOptions`,
  ),
};

/** What is missing in the facades, by a pattern of names. The first that matches counts. */
const MISSING: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/Nexus/, "no Nexus"],
  [
    /Schedule|^(Calendar|Interval)Spec|Range$|^(MONTHS?|DAYS?_OF_WEEK|Month|DayOfWeek|Backfill)$/,
    "schedules are in /schedule",
  ],
  [/Slot|Tuner|ResourceBased/, "the activities of a worker are not tuned"],
  [
    /Metrics?[A-Z]|MetricUpdate|Otel|Telemetry|Exporter|LogTimestamp|(Console|Forward)Logger/,
    "no telemetry of Temporal's core",
  ],
  [
    /BuildId|Reachability|Version|MergeSets|^Promote|^AddNew|TaskQueueClient|Deployment|PatchActivation/,
    "no versions of workers",
  ],
  [/Replay|^History|IntoHistories/, "histories of Temporal's server are not replayed"],
  [/Bundle/, "nothing is bundled"],
  [/Plugin/, "no plugins"],
  [/AsyncCompletion|FullActivityId|^Activity\w*Error$/, "activities are not completed from outside"],
  [/Interceptor|Input$|Output$|Sinks$|LogAttributes/, "no interceptors of the client, and none of Temporal's own"],
  [
    /^Activity|ActivityHandle|ActivityExecution|PendingActivity/,
    "of activities on their own, a client starts them and waits for them",
  ],
  [
    /^(Loaded|Compiled|WithCompiled|compile)|ExternalStorage|extractWorkflow/,
    "a part of Temporal's own client or worker",
  ],
  [
    /Connection|Grpc|TLS|DNS|Service$|Re(quest|sponse)$|Raw|Metadata|CallContext|Backoff|LOCAL_TARGET|FromProto|ErrorResponse|isRetryable/,
    "no connection to a server",
  ],
  [/Error$|Cause$|^errors$/, "it does not occur"],
  [
    /List|Count|QueryRejectCondition|Options$|WorkerStatus|Without?Args$|WithArgs$/,
    "a type of a part that the facade does not have",
  ],
];

/** Why a name is missing or different; `undefined` if nobody knows. */
export function reasonFor(module: string, name: string, state: string): string | undefined {
  const reason = EXPECTED[module]?.[name];
  if (reason === facade && state === "missing") return undefined; // a facade differs, and is there
  if (reason !== undefined || state !== "missing" || !/worker$|client$/.test(module)) return reason;
  return MISSING.find(([pattern]) => pattern.test(name))?.[1];
}
