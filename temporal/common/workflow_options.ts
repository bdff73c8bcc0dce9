/**
 * The options with which a workflow is started, those of a workflow itself, and what every handle of a workflow has.
 *
 * @module
 */

// deno-lint-ignore-file no-explicit-any -- functions of users have any parameters

import type { Priority } from "./activity_options.ts";
import type { VersioningBehavior, WorkflowIdConflictPolicy, WorkflowIdReusePolicy } from "./choices.ts";
import type { SignalDefinition, SignalTypeInfo, Workflow, WorkflowResultType } from "./definitions.ts";
import type { Duration } from "./duration.ts";
import type { PayloadTypeInfo } from "./payload_converter.ts";
import type { RetryPolicy } from "./retry_policy.ts";
import type { SearchAttributePair, SearchAttributes, TypedSearchAttributes } from "./search_attributes.ts";

/**
 * Options of a start, without timeouts.
 *
 * @category Temporal
 */
export interface BaseWorkflowOptions {
  /**
   * What is done if a workflow with the ID has ended.
   *
   * @default {"ALLOW_DUPLICATE"}
   */
  workflowIdReusePolicy?: WorkflowIdReusePolicy | undefined;
  /**
   * What is done if a workflow with the ID runs.
   *
   * @default {"FAIL"}
   */
  workflowIdConflictPolicy?: WorkflowIdConflictPolicy | undefined;
  /**
   * How often and when a workflow that failed is repeated.
   *
   * @default {never}
   */
  retry?: RetryPolicy | undefined;
  /** When the workflow is repeated, as a Cron expression. */
  cronSchedule?: string | undefined;
  /** Values that are kept with the workflow. */
  memo?: Record<string, unknown> | undefined;
  /** Values by which workflows are found. */
  searchAttributes?: SearchAttributes | undefined;
  /** Values by which workflows are found. They take precedence over `searchAttributes`. */
  typedSearchAttributes?: SearchAttributePair[] | TypedSearchAttributes | undefined;
  /** A long text for people. */
  staticDetails?: string | undefined;
  /** A short text for people. */
  staticSummary?: string | undefined;
  /** It changes nothing here. */
  priority?: Priority | undefined;
}

/**
 * Timeouts of a workflow.
 *
 * @category Temporal
 */
export interface WorkflowDurationOptions {
  /**
   * How long one run may take.
   *
   * @default {no limit}
   */
  workflowRunTimeout?: Duration | undefined;
  /**
   * How long all runs of the workflow may take.
   *
   * @default {no limit}
   */
  workflowExecutionTimeout?: Duration | undefined;
  /** It changes nothing here: there are no tasks. */
  workflowTaskTimeout?: Duration | undefined;
}

/**
 * Options of a start.
 *
 * @category Temporal
 */
export type CommonWorkflowOptions = BaseWorkflowOptions & WorkflowDurationOptions;

/**
 * Options with the arguments of a workflow: `args` is required if the workflow has parameters.
 *
 * @category Temporal
 */
export type WithWorkflowArgs<W extends Workflow, T> =
  & T
  & (Parameters<W> extends [any, ...any[]] ? { args: Parameters<W> | Readonly<Parameters<W>> }
    : { args?: Parameters<W> | Readonly<Parameters<W>> | undefined });

/**
 * The name of a workflow, and how its values are converted.
 *
 * @category Temporal
 */
export interface WorkflowTypeOptions {
  /** The name. */
  type: string;
  /** How arguments and result are converted. */
  typeInfo?: PayloadTypeInfo | undefined;
}

/**
 * Returns the name of a workflow.
 *
 * @param workflowTypeOrFunc The name, or the function.
 * @throws {TypeError} If it is no string and no function with a name.
 *
 * @category Temporal
 */
export function extractWorkflowType<T extends Workflow>(workflowTypeOrFunc: string | T): string {
  if (typeof workflowTypeOrFunc === "string" && workflowTypeOrFunc !== "") return workflowTypeOrFunc;
  if (typeof workflowTypeOrFunc === "function" && workflowTypeOrFunc.name !== "") return workflowTypeOrFunc.name;
  throw new TypeError("Cannot name a workflow: it must be a non-empty string or a function with a name");
}

/**
 * A version of a deployment. There are no versions of workers here: it changes nothing.
 *
 * @category Temporal
 */
export interface WorkerDeploymentVersion {
  /** The build. */
  readonly buildId: string;
  /** The deployment. */
  readonly deploymentName: string;
}

/**
 * Returns a version as a text: deployment, dot, build.
 *
 * @param version The version.
 *
 * @category Temporal
 */
export function toCanonicalString(version: WorkerDeploymentVersion): string {
  return `${version.deploymentName}.${version.buildId}`;
}

/**
 * Which version one workflow runs on. It changes nothing here.
 *
 * @category Temporal
 */
export type VersioningOverride = PinnedVersioningOverride | AutoUpgradeVersioningOverride;

/**
 * One version.
 *
 * @category Temporal
 */
export interface PinnedVersioningOverride {
  /** The version. */
  pinnedTo: WorkerDeploymentVersion;
}

/**
 * The current version.
 *
 * @category Temporal
 */
export type AutoUpgradeVersioningOverride = "AUTO_UPGRADE";

/**
 * Options of a workflow itself.
 *
 * @category Temporal
 */
export interface WorkflowDefinitionOptions {
  /** It changes nothing here: there are no versions of workers. */
  versioningBehavior?: VersioningBehavior | undefined;
  /** Which errors fail the workflow. It changes nothing here: every error does. */
  failureExceptionTypes?: Array<new (...args: any[]) => Error> | undefined;
}

/**
 * Options of a workflow that do not depend on its input.
 *
 * @category Temporal
 */
export interface WorkflowStaticOptions {
  /** How arguments and result are converted. */
  typeInfo?: PayloadTypeInfo | undefined;
}

/**
 * Options of a workflow, or a function that returns them.
 *
 * @category Temporal
 */
export type WorkflowDefinitionOptionsOrGetter = WorkflowDefinitionOptions | (() => WorkflowDefinitionOptions);

/**
 * All options of a workflow.
 *
 * @category Temporal
 */
export interface WorkflowDefinitionConfig {
  /** The options. */
  workflowDefinitionOptions?: WorkflowDefinitionOptionsOrGetter | undefined;
  /** Those that do not depend on its input. */
  staticOptions?: WorkflowStaticOptions | undefined;
}

/**
 * A workflow with options.
 *
 * @category Temporal
 */
export interface WorkflowFunctionWithOptions<Args extends any[], ReturnType> {
  (...args: Args): Promise<ReturnType>;
  /** The options. */
  workflowDefinitionOptions: WorkflowDefinitionOptionsOrGetter;
}

/**
 * A workflow with options that do not depend on its input.
 *
 * @category Temporal
 */
export interface WorkflowFunctionWithStaticOptions<Args extends any[], ReturnType> {
  (...args: Args): Promise<ReturnType>;
  /** The options. */
  staticOptions: WorkflowStaticOptions;
}

/**
 * Whether a value is a workflow with options.
 *
 * @param obj Any value.
 *
 * @category Temporal
 */
export function isWorkflowFunctionWithOptions(obj: unknown): obj is WorkflowFunctionWithOptions<any[], any> {
  return typeof obj === "function" && Object.hasOwn(obj, "workflowDefinitionOptions");
}

/**
 * Whether a value is a workflow with options that do not depend on its input.
 *
 * @param obj Any value.
 *
 * @category Temporal
 */
export function isWorkflowFunctionWithStaticOptions(
  obj: unknown,
): obj is WorkflowFunctionWithStaticOptions<any[], any> {
  return typeof obj === "function" && Object.hasOwn(obj, "staticOptions");
}

/**
 * Options of a signal by name.
 *
 * @category Temporal
 */
export interface WorkflowSignalOptions<Args extends any[] = []> {
  /** The arguments. */
  args?: Args | undefined;
  /** How they are converted. */
  typeInfo?: SignalTypeInfo | undefined;
}

/**
 * Options of a query by name.
 *
 * @category Temporal
 */
export interface WorkflowQueryOptions<Args extends any[] = []> {
  /** The arguments. */
  args?: Args | undefined;
  /** How arguments and result are converted. */
  typeInfo?: PayloadTypeInfo | undefined;
}

/**
 * What every handle of a workflow has.
 *
 * @category Temporal
 */
export interface BaseWorkflowHandle<T extends Workflow> {
  /** Resolves with the result of the workflow. */
  result(): Promise<WorkflowResultType<T>>;
  /**
   * Sends a signal.
   *
   * @param def The definition of the signal, or its name.
   * @param args The arguments.
   */
  signal<Args extends any[] = [], Name extends string = string>(
    def: SignalDefinition<Args, Name> | string,
    ...args: Args
  ): Promise<void>;
  /**
   * Sends a signal by name, with options.
   *
   * @param signalName The name.
   * @param options The options.
   */
  signalWithOptions<Args extends any[] = []>(signalName: string, options: WorkflowSignalOptions<Args>): Promise<void>;
  /** The ID of the workflow. */
  readonly workflowId: string;
}

/**
 * The history of a workflow, and its ID.
 *
 * @category Temporal
 */
export interface HistoryAndWorkflowId {
  /** The ID. */
  workflowId: string;
  /** The history. */
  history: unknown;
}
