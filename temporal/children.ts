/**
 * Children of a workflow.
 *
 * A child is a command of the shield around the whole run, as an activity is. When its scope is cancelled, its handle cancels it;
 * the cancellation type decides when the parent learns of it.
 *
 * @module
 */

import type { ChildHandle } from "../context.ts";
import { codeOf, type WorkflowError } from "../errors.ts";
import { Deferred, quiet } from "../util/deferred.ts";
import {
  type BaseWorkflowHandle,
  type WithWorkflowArgs,
  type Workflow,
  WorkflowExecutionAlreadyStartedError,
  type WorkflowResultType,
  type WorkflowReturnType,
} from "./common/mod.ts";
import { toChildFailure } from "./common/convert.ts";
import { checkChoice, checkTemporalOptions } from "./common/option_tables.ts";
import { optionalDurationMs } from "./common/duration.ts";
import { toNativeRetryPolicy } from "./common/retry_policy.ts";
import { composeInterceptors } from "./common/interceptors.ts";
import { writeHeaders } from "./headers.ts";
import type { StartChildWorkflowExecutionInput } from "./interceptors.ts";
import { attributePairs } from "./attributes.ts";
import { signalsTo } from "./external.ts";
import { type CancellationScope, onCancel, outside, requireFrame, waitIn } from "./scope.ts";
import {
  ChildWorkflowCancellationType,
  type ChildWorkflowOptions,
  type ChildWorkflowOptionsWithDefaults,
  ParentClosePolicy,
  type WorkflowInput,
} from "./types.ts";
import type { Run } from "./run.ts";

/**
 * A child that was started.
 *
 * @category Temporal
 */
export interface ChildWorkflowHandle<T extends Workflow> extends BaseWorkflowHandle<T> {
  /** Always the ID of the child's workflow: a parent does not know the run of its child. */
  readonly firstExecutionRunId: string;
}

/**
 * Options of a child that is given as a function: its `typeInfo` is part of the function.
 *
 * @category Temporal
 */
export type ChildWorkflowDefinitionOptions = Omit<ChildWorkflowOptions, "typeInfo"> & { typeInfo?: never };

/**
 * Starts a child, and waits until it has begun.
 *
 * @param workflowType The workflow, or its name.
 * @param options The arguments and the options.
 * @returns A handle.
 * @throws {WorkflowExecutionAlreadyStartedError} If another workflow has its ID.
 * @throws {CancelledFailure} If the current scope is cancelled already.
 * @throws {TypeError} If the host has no such workflow, or an option is bad.
 *
 * @category Temporal
 */
export function startChild<T extends Workflow>(
  workflowType: string,
  options: WithWorkflowArgs<T, ChildWorkflowOptions>,
): Promise<ChildWorkflowHandle<T>>;
/** Starts a child that is given as a function. */
export function startChild<T extends Workflow>(
  workflowFunc: T,
  options: WithWorkflowArgs<T, ChildWorkflowDefinitionOptions>,
): Promise<ChildWorkflowHandle<T>>;
/** Starts a child without arguments. */
export function startChild<T extends () => WorkflowReturnType>(workflowType: string): Promise<ChildWorkflowHandle<T>>;
/** Starts a child without arguments that is given as a function. */
export function startChild<T extends () => WorkflowReturnType>(workflowFunc: T): Promise<ChildWorkflowHandle<T>>;
export function startChild(workflow: string | Workflow, options?: unknown): Promise<ChildWorkflowHandle<never>> {
  return quiet(start(workflow, options as Given | undefined));
}

async function start(workflow: string | Workflow, options: Given = {}): Promise<ChildWorkflowHandle<never>> {
  const [id, [started, completed]] = await begin("start a child workflow", workflow, options);
  const firstExecutionRunId = await started;
  const result = () => completed as Promise<never>;
  return { workflowId: id, firstExecutionRunId, result, ...signalsTo({ type: "child", childWorkflowId: id }) };
}

/**
 * Runs a child, and returns its result.
 *
 * @param workflowType The workflow, or its name.
 * @param options The arguments and the options.
 * @returns What the child returns.
 * @throws {ChildWorkflowFailure} If the child fails or is cancelled; its `cause` says why.
 * @throws {WorkflowExecutionAlreadyStartedError} If another workflow has its ID.
 * @throws {CancelledFailure} If the current scope is cancelled already.
 * @throws {TypeError} If the host has no such workflow, or an option is bad.
 *
 * @category Temporal
 */
export function executeChild<T extends Workflow>(
  workflowType: string,
  options: WithWorkflowArgs<T, ChildWorkflowOptions>,
): Promise<WorkflowResultType<T>>;
/** Runs a child that is given as a function. */
export function executeChild<T extends Workflow>(
  workflowFunc: T,
  options: WithWorkflowArgs<T, ChildWorkflowDefinitionOptions>,
): Promise<WorkflowResultType<T>>;
/** Runs a child without arguments. */
export function executeChild<T extends () => WorkflowReturnType>(workflowType: string): Promise<WorkflowResultType<T>>;
/** Runs a child without arguments that is given as a function. */
export function executeChild<T extends () => WorkflowReturnType>(workflowFunc: T): Promise<WorkflowResultType<T>>;
export function executeChild(workflow: string | Workflow, options?: unknown): Promise<never> {
  return quiet(execute(workflow, options as Given | undefined));
}

async function execute(workflow: string | Workflow, options: Given = {}): Promise<never> {
  const [, [, completed]] = await begin("execute a child workflow", workflow, options);
  return await completed as never;
}

/**
 * Returns the options of a child with their defaults.
 *
 * @param options The arguments and the options.
 *
 * @category Temporal
 */
export function addDefaultWorkflowOptions<T extends Workflow>(
  options: WithWorkflowArgs<T, ChildWorkflowOptions>,
): ChildWorkflowOptionsWithDefaults {
  return withDefaults(requireFrame("start a child workflow").run, options as Given);
}

/** The arguments and the options of a child. */
type Given = ChildWorkflowOptions & { args?: readonly unknown[] };

type Begun = readonly [workflowId: string, promises: readonly [started: Promise<string>, completed: Promise<unknown>]];

async function begin(
  action: string,
  workflow: string | Workflow,
  given: Given,
): Promise<Begun> {
  const { run } = requireFrame(action);
  const workflowType = run.host.typeOf(workflow);
  checkTemporalOptions("startChild, executeChild", given, action, workflowType);
  checkTemporalOptions("retry", given.retry, action, workflowType, "retry");
  checkChoice("parentClosePolicy", given.parentClosePolicy, ParentClosePolicy, action, workflowType);
  checkChoice("cancellationType", given.cancellationType, ChildWorkflowCancellationType, action, workflowType);
  const options = withDefaults(run, given);
  const input = { workflowType, options, headers: {}, seq: run.next.child++ };
  const promises = composeInterceptors(run.outbound, "startChildWorkflowExecution", beginChild)(input);
  return [options.workflowId, await promises];
}

function withDefaults(
  run: Run,
  { args = [], workflowId, ...others }: Given,
): ChildWorkflowOptionsWithDefaults {
  return {
    ...others,
    workflowId: workflowId ?? outside(() => run.ctx.uuid()),
    args: [...args],
    cancellationType: others.cancellationType ?? "WAIT_CANCELLATION_COMPLETED",
  };
}

const policies = { TERMINATE: "terminate", ABANDON: "abandon", REQUEST_CANCEL: "cancel" } as const;

// deno-lint-ignore require-await -- what it throws is a rejection
async function beginChild(
  { workflowType, options, headers }: StartChildWorkflowExecutionInput,
): Promise<[Promise<string>, Promise<unknown>]> {
  const { run, scope } = requireFrame("start a child workflow");
  const workflow = run.host.workflow(workflowType);
  const { workflowId: id, parentClosePolicy = ParentClosePolicy.TERMINATE, retry } = options;
  if (scope.consideredCancelled) {
    const refused = waitIn(scope, (context) => context.sleep(0));
    return [refused as never, refused];
  }
  const native = {
    id,
    parentClosePolicy: policies[parentClosePolicy],
    timeoutMs: optionalDurationMs(options.workflowRunTimeout ?? options.workflowExecutionTimeout, "workflowRunTimeout"),
    ...(retry && { retry: toNativeRetryPolicy(retry) }),
  };
  const input = inputOf(run, options, writeHeaders(headers));
  const handle = outside(() => run.context.startChild(workflow as never, input as never, native)) as ChildHandle;
  const execution = { workflowId: id, runId: undefined };
  const failed = (error: unknown) =>
    codeOf(error) === "already_running" && (error as WorkflowError).name === "WorkflowError"
      ? new WorkflowExecutionAlreadyStartedError("Workflow execution already started", id, workflowType)
      : toChildFailure(error, { workflowType, execution, retry }, run.host.converter.fromStored);
  const completed = outside(() => handle.result());
  const result = run.follow(completed, run.host.converter.fromStored, failed);
  const type = options.cancellationType;
  return [
    lazy(() => run.follow(outside(() => handle.started), () => id, failed)),
    scope.cancellable ? cancelWith(scope, handle, type, result, failed) : result,
  ];
}

/** What is stored as the input of a child: the array of its arguments, if there is nothing else. */
function inputOf(run: Run, options: ChildWorkflowOptionsWithDefaults, headers: string | undefined): unknown {
  const args = run.write(options.args);
  const { memo, taskQueue } = options;
  const searchAttributes = attributePairs(options.searchAttributes, options.typedSearchAttributes);
  const { parent } = run.ctx;
  const input: WorkflowInput = {
    args,
    ...(memo && { memo: run.host.converter.toStored(memo) as Record<string, unknown> }),
    ...(searchAttributes.length > 0 && { searchAttributes }),
    ...(taskQueue !== undefined && { taskQueue }),
    ...(headers !== undefined && { headers }),
    ...(parent && { root: run.input.root ?? { workflowId: parent.workflowId, runId: parent.runId } }),
  };
  return Object.keys(input).length === 1 ? args : input;
}

/** Cancels a child when its scope is cancelled. */
function cancelWith(
  scope: CancellationScope,
  handle: ChildHandle,
  type: ChildWorkflowCancellationType,
  result: Promise<unknown>,
  failed: (error: unknown) => unknown,
): Promise<unknown> {
  const settled = new Deferred();
  const off = onCancel(scope, (reason) => {
    const cancelled = type === "ABANDON" ? Promise.resolve() : quiet(outside(() => handle.cancel()));
    if (type === "WAIT_CANCELLATION_COMPLETED") return;
    if (type !== "WAIT_CANCELLATION_REQUESTED") return settled.reject(failed(reason));
    const requested = () => settled.reject(failed(reason));
    cancelled.then(requested, requested);
  });
  result.then((value) => (off(), settled.resolve(value)), (error) => (off(), settled.reject(error)));
  return settled.promise;
}

/** A promise that is made when somebody waits for it. */
function lazy<T>(make: () => Promise<T>): Promise<T> {
  let made: Promise<T> | undefined;
  const promise = () => made ??= make();
  return {
    then: (...args) => promise().then(...args),
    catch: (...args) => promise().catch(...args),
    finally: (...args) => promise().finally(...args),
    [Symbol.toStringTag]: "Promise",
  };
}
