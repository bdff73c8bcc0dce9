/**
 * The options of Temporal's calls, all in one place: which have an effect here, which are accepted without one, and which are refused.
 *
 * An option that is in no table is refused, with the name that was likely meant. `docs/coming-from-temporal.md` shows the tables.
 *
 * @module
 */

import { cannot, checkOptions } from "../../util/check.ts";
import { show } from "../../util/show.ts";

/** An option that is refused. */
export interface Refusal {
  /** What to do instead. */
  readonly way: string;
  /** Whether a value says nothing: then it is accepted. */
  readonly isNothing: (value: object) => boolean;
}

/** What an option does. */
export type Effect = "used" | "ignored" | Refusal;

/** The options of a call. */
export type OptionTable = Readonly<Record<string, Effect>>;

/** Whether lists, also several by name, hold nothing. */
const isEmpty = (value: object): boolean => Object.values(value).flat().length === 0;

const refused = (way: string, isNothing: Refusal["isNothing"] = isEmpty): Refusal => ({ way, isNothing });

/** The same effect for several names. */
const all = <Kind extends Effect>(effect: Kind, names: string): Record<string, Kind> =>
  Object.fromEntries(names.trim().split(/\s+/).map((name) => [name, effect]));

const used = (names: string): OptionTable => all("used", names);
const ignored = (names: string): OptionTable => all("ignored", names);

const noPlugins = refused("pass what they set as options");

/**
 * Options of a worker that are accepted, without effect.
 *
 * @category Temporal
 */
export type IgnoredWorkerOption =
  | "identity"
  | "buildId"
  | "useVersioning"
  | "workerDeploymentOptions"
  | "namespace"
  | "patchActivationCallback"
  | "shutdownGraceTime"
  | "shutdownForceTime"
  | "tuner"
  | "maxConcurrentActivityTaskExecutions"
  | "maxConcurrentLocalActivityExecutions"
  | "maxConcurrentNexusTaskExecutions"
  | "enableNonLocalActivities"
  | "disablePayloadErrorLimit"
  | "maxActivitiesPerSecond"
  | "maxTaskQueueActivitiesPerSecond"
  | "maxEagerActivityReservationsPerWorkflowTask"
  | "maxConcurrentWorkflowTaskExecutions"
  | "nonStickyToStickyPollRatio"
  | "maxConcurrentWorkflowTaskPolls"
  | "workflowTaskPollerBehavior"
  | "activityTaskPollerBehavior"
  | "nexusTaskPollerBehavior"
  | "maxConcurrentActivityTaskPolls"
  | "maxConcurrentNexusTaskPolls"
  | "stickyQueueScheduleToStartTimeout"
  | "maxCachedWorkflows"
  | "workflowThreadPoolSize"
  | "maxHeartbeatThrottleInterval"
  | "defaultHeartbeatThrottleInterval"
  | "workflowFailureErrorTypes"
  | "enableSDKTracing"
  | "showStackTraceSources"
  | "debugMode"
  | "reuseV8Context"
  | "bundlerOptions";

const ignoredByWorker: Readonly<Record<IgnoredWorkerOption, true>> = {
  identity: true,
  buildId: true,
  useVersioning: true,
  workerDeploymentOptions: true,
  namespace: true,
  patchActivationCallback: true,
  shutdownGraceTime: true,
  shutdownForceTime: true,
  tuner: true,
  maxConcurrentActivityTaskExecutions: true,
  maxConcurrentLocalActivityExecutions: true,
  maxConcurrentNexusTaskExecutions: true,
  enableNonLocalActivities: true,
  disablePayloadErrorLimit: true,
  maxActivitiesPerSecond: true,
  maxTaskQueueActivitiesPerSecond: true,
  maxEagerActivityReservationsPerWorkflowTask: true,
  maxConcurrentWorkflowTaskExecutions: true,
  nonStickyToStickyPollRatio: true,
  maxConcurrentWorkflowTaskPolls: true,
  workflowTaskPollerBehavior: true,
  activityTaskPollerBehavior: true,
  nexusTaskPollerBehavior: true,
  maxConcurrentActivityTaskPolls: true,
  maxConcurrentNexusTaskPolls: true,
  stickyQueueScheduleToStartTimeout: true,
  maxCachedWorkflows: true,
  workflowThreadPoolSize: true,
  maxHeartbeatThrottleInterval: true,
  defaultHeartbeatThrottleInterval: true,
  workflowFailureErrorTypes: true,
  enableSDKTracing: true,
  showStackTraceSources: true,
  debugMode: true,
  reuseV8Context: true,
  bundlerOptions: true,
};

const ofWorker: OptionTable = {
  ...used("taskQueue connection workflowsPath workflowBundle activities sinks interceptors dataConverter"),
  plugins: noPlugins,
  nexusServices: refused("test the workflow behind the operation"),
  ...ignored(Object.keys(ignoredByWorker).join(" ")),
};

const ofActivity: OptionTable = {
  ...used(
    "startToCloseTimeout scheduleToCloseTimeout heartbeatTimeout retry cancellationType activityId taskQueue priority",
  ),
  ...ignored("scheduleToStartTimeout allowEagerDispatch versioningIntent summary eventGroups activityTypeInfo"),
};

const ofLocalActivity: OptionTable = {
  ...used("startToCloseTimeout scheduleToCloseTimeout retry cancellationType"),
  ...ignored("scheduleToStartTimeout localRetryThreshold summary eventGroups activityTypeInfo"),
};

const ofAnyStart: OptionTable = {
  ...used(
    "workflowId taskQueue args memo searchAttributes typedSearchAttributes workflowRunTimeout workflowExecutionTimeout",
  ),
  ...ignored("workflowTaskTimeout priority staticSummary staticDetails typeInfo"),
};

const cronSchedule = refused("start the workflow without it");

const ofStart: OptionTable = {
  ...ofAnyStart,
  ...used("workflowIdReusePolicy workflowIdConflictPolicy followRuns startDelay requestEagerStart"),
  ...ignored("versioningOverride"),
  cronSchedule,
  retry: refused(
    "start the workflow without it",
    (policy) => (policy as { maximumAttempts?: unknown }).maximumAttempts === 1,
  ),
};

/** The tables, by the call. */
export const optionTables = {
  "Worker.create": ofWorker,
  "Worker.runReplayHistory": { ...ofWorker, replayName: "ignored" },
  "interceptors of Worker.create": {
    ...used("workflowModules activity activityInbound"),
    client: refused("test them without the client"),
    nexus: refused("test the workflow behind the operation"),
  },
  "dataConverter of Worker.create": {
    ...used("payloadConverterPath"),
    ...ignored("payloadCodecs failureConverterPath externalStorage"),
  },
  "bundleWorkflowCode": {
    ...used("workflowsPath"),
    workflowInterceptorModules: refused("pass them to Worker.create as interceptors.workflowModules"),
    plugins: noPlugins,
    ...ignored("logger payloadConverterPath failureConverterPath ignoreModules preloadModules webpackConfigHook"),
  },
  "Runtime.install": {
    ...used("logger"),
    ...ignored("telemetryOptions shutdownSignals workerHeartbeatInterval"),
    plugins: noPlugins,
  },
  "TestWorkflowEnvironment.createTimeSkipping, createLocal": {
    ...used("client"),
    ...ignored("server"),
    plugins: noPlugins,
  },
  "new MockActivityEnvironment": used("interceptors logger metricMeter client skipSleeps"),
  "new Client, new WorkflowClient": {
    ...used("connection"),
    interceptors: refused("test them without the client"),
    plugins: noPlugins,
    ...ignored("namespace identity dataConverter workflow queryRejectCondition"),
  },
  "workflow.start, execute": ofStart,
  "workflow.signalWithStart": { ...ofStart, ...used("signal signalArgs") },
  "workflow.getHandle, result": used("followRuns firstExecutionRunId"),
  "workflow.list": { ...used("query"), ...ignored("pageSize") },
  "executeUpdate, startUpdate": used("args updateId waitForStage"),
  "executeUpdateWithStart, startUpdateWithStart": used("args updateId waitForStage startWorkflowOperation"),
  "signalWithOptions, queryWithOptions": { ...used("args"), ...ignored("typeInfo") },
  "activity.start, execute": {
    ...used(
      `id taskQueue args heartbeatTimeout retry startToCloseTimeout scheduleToCloseTimeout startDelay idReusePolicy idConflictPolicy
       typedSearchAttributes`,
    ),
    ...ignored("scheduleToStartTimeout summary priority"),
  },
  "proxyActivities, scheduleActivity": ofActivity,
  "proxyLocalActivities, scheduleLocalActivity": ofLocalActivity,
  "retry": used("backoffCoefficient initialInterval maximumAttempts maximumInterval nonRetryableErrorTypes"),
  "startChild, executeChild": {
    ...ofAnyStart,
    ...used("cancellationType parentClosePolicy retry"),
    ...ignored("workflowIdReusePolicy versioningIntent eventGroups"),
    cronSchedule,
  },
  "makeContinueAsNewFunc": {
    ...used("workflowType taskQueue memo searchAttributes typedSearchAttributes backoffStartInterval"),
    ...ignored(
      "workflowRunTimeout workflowTaskTimeout versioningIntent initialVersioningBehavior typeInfo eventGroups",
    ),
  },
  "setHandler of a query": { ...used("description"), ...ignored("typeInfo") },
  "setHandler of a signal": { ...used("description unfinishedPolicy"), ...ignored("typeInfo") },
  "setHandler of an update": { ...used("description unfinishedPolicy validator"), ...ignored("typeInfo") },
  "new CancellationScope": used("cancellable timeout parent"),
  "sleep, condition": ignored("summary eventGroups"),
} satisfies Readonly<Record<string, OptionTable>>;

/**
 * Checks the options of a call of Temporal's interface.
 *
 * @param call Names the table.
 * @param name What the options are called.
 * @throws {TypeError} If an option is unknown, or refused.
 */
export function checkTemporalOptions(
  call: keyof typeof optionTables,
  options: unknown,
  action: string,
  subject?: unknown,
  name = "options",
): void {
  if (options === undefined) return;
  const table: OptionTable = optionTables[call];
  checkOptions(options, table, action, subject, name);
  for (const [option, value] of Object.entries(options as object)) {
    const effect = table[option];
    if (typeof effect === "string" || value === undefined || value === null) continue;
    if (typeof value === "object" && effect.isNothing(value)) continue;
    throw new TypeError(`${cannot(action, subject)}: "${option}" is not supported; ${effect.way}`);
  }
}

/**
 * Checks for a value of a choice, such as `WorkflowIdConflictPolicy`.
 *
 * @param choices The object of its values.
 * @throws {TypeError} If it is another value, and not `undefined`.
 */
export function checkChoice(
  name: string,
  value: unknown,
  choices: Readonly<Record<string, string | undefined>>,
  action: string,
  subject?: unknown,
): void {
  const known = [...new Set(Object.values(choices))].filter((one) => one !== undefined);
  if (value === undefined || known.includes(value as string)) return;
  const names = known.map(show);
  const rule = `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
  throw new TypeError(`${cannot(action, subject)}: "${name}" must be ${rule}, got ${show(value)}`);
}
