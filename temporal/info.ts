/**
 * What a workflow knows about itself: its run, its random numbers, the changes of its code.
 *
 * @module
 */

import { hash, seededRandom, uuid } from "../util/prng.ts";
import {
  TypedSearchAttributes,
  type WorkflowDefinitionConfig,
  type WorkflowDefinitionOptionsOrGetter,
} from "./common/mod.ts";
import { untypedAttributes } from "./attributes.ts";
import { currentFrame, outside, requireFrame } from "./scope.ts";
import type { Run } from "./run.ts";
import type { EventGroupMarker, UnsafeRandomSource, UpdateInfo, WorkflowInfo } from "./types.ts";

/** From this number of events on, a workflow should continue as new. Temporal's server suggests it there, too. */
const MANY_EVENTS = 4096;

/**
 * Returns what is known about the workflow.
 *
 * @throws {IllegalStateError} Outside of a workflow.
 *
 * @category Temporal
 */
export function workflowInfo(): WorkflowInfo {
  return infoOf(requireFrame("ask for the workflow").run);
}

/** Returns what is known about a run. */
export function infoOf(run: Run): WorkflowInfo {
  const { ctx, input, workflowType } = run;
  const { workflowId, runId, parent, historyLength, workflowVersion, isReplaying } = ctx;
  const { continued, root, taskQueue = "default" } = input;
  const namespace = "default";
  const isLong = historyLength > MANY_EVENTS;
  return {
    workflowId,
    runId,
    workflowType,
    searchAttributes: untypedAttributes(run.searchAttributes),
    typedSearchAttributes: new TypedSearchAttributes([...run.searchAttributes]),
    memo: { ...run.memo },
    ...(parent && { parent: { workflowId: parent.workflowId, runId: parent.runId, namespace } }),
    ...(parent && { root: root ?? { workflowId: parent.workflowId, runId: parent.runId } }),
    historyLength,
    historySize: 0,
    continueAsNewSuggested: isLong,
    targetWorkerDeploymentVersionChanged: false,
    ...(isLong && { suggestedContinueAsNewReasons: ["TOO_MANY_HISTORY_EVENTS"] }),
    taskQueue,
    namespace,
    firstExecutionRunId: continued?.firstRunId ?? runId,
    originalExecutionRunId: runId,
    ...(continued && { continuedFromExecutionRunId: continued.runId }),
    startTime: new Date(continued?.startTime ?? ctx.startedAt),
    runStartTime: new Date(ctx.startedAt),
    taskTimeoutMs: 10_000,
    attempt: 1,
    ...(workflowVersion !== undefined && { currentBuildId: workflowVersion }),
    unsafe: { now: () => ctx.now(), isReplaying, isReplayingHistoryEvents: isReplaying, random: randomOf(run) },
  };
}

/**
 * Returns the update whose handler runs; `undefined` elsewhere.
 *
 * @throws {IllegalStateError} Outside of a workflow.
 *
 * @category Temporal
 */
export function currentUpdateInfo(): UpdateInfo | undefined {
  return requireFrame("ask for the update").update;
}

/**
 * Returns whether the code runs in a workflow.
 *
 * @category Temporal
 */
export function inWorkflowContext(): boolean {
  return currentFrame() !== undefined;
}

/**
 * Returns a UUID of version 4. In a workflow it is the same on replay.
 *
 * @category Temporal
 */
export function uuid4(): string {
  const frame = currentFrame();
  return frame === undefined ? crypto.randomUUID() : frame.run.ctx.uuid();
}

function randomOf(run: Run): UnsafeRandomSource {
  return {
    random: () => run.ctx.random(),
    uuid4: () => run.ctx.uuid(),
    fillRandom: (bytes) => filled(bytes, () => run.ctx.random()),
  };
}

function filled(bytes: Uint8Array, random: () => number): Uint8Array {
  return bytes.map((_, i) => bytes[i] = Math.floor(256 * random()));
}

/**
 * A sequence of random numbers.
 *
 * @category Temporal
 */
export interface WorkflowRandomStream {
  /** Returns a number from 0 to below 1. */
  random(): number;
  /** Returns a UUID of version 4. */
  uuid4(): string;
  /**
   * Fills bytes.
   *
   * @param bytes The bytes.
   */
  fill(bytes: Uint8Array): Uint8Array;
  /**
   * Calls a function. `Math.random()` in it does not use the stream: unlike in Temporal.
   *
   * @param fn The function.
   */
  with<T>(fn: () => T): T;
}

/**
 * The random numbers of the workflow.
 *
 * @category Temporal
 */
export const workflowRandom: WorkflowRandomStream = streamOf(() =>
  requireFrame("draw a random number").run.ctx.random()
);

const streams = /* @__PURE__ */ new WeakMap<Run, Map<string, () => number>>();

/**
 * Returns the random numbers of a name. They do not change those of the workflow, nor those of other names.
 *
 * @param name The name.
 *
 * @category Temporal
 */
export function getRandomStream(name: string): WorkflowRandomStream {
  return streamOf(() => {
    const { run } = requireFrame("draw a random number");
    let byName = streams.get(run);
    if (byName === undefined) streams.set(run, byName = new Map());
    let random = byName.get(name);
    if (random === undefined) byName.set(name, random = seededRandom(hash(`${run.ctx.runId} ${name}`)));
    return random();
  });
}

function streamOf(random: () => number): WorkflowRandomStream {
  return { random, uuid4: () => uuid(random), fill: (bytes) => filled(bytes, random), with: (fn) => fn() };
}

/**
 * Returns whether the run takes the new path of a change in the code: see `WorkflowContext.patched`.
 *
 * @param patchId Names the change.
 *
 * @category Temporal
 */
export function patched(patchId: string): boolean {
  const { run } = requireFrame("check a patch");
  return outside(() => run.ctx.patched(patchId));
}

/**
 * Marks a change whose old path is gone. It is the same as a call of {@linkcode patched} whose answer is ignored, so a history without
 * the change replays, too: unlike in Temporal.
 *
 * @param patchId Names the change.
 *
 * @category Temporal
 */
export function deprecatePatch(patchId: string): void {
  patched(patchId);
}

/**
 * Keeps options with a workflow function. They change nothing here.
 *
 * @param options The options.
 * @param fn The function.
 *
 * @category Temporal
 */
// deno-lint-ignore no-explicit-any -- as Temporal's users know it
export function setWorkflowOptions<A extends any[], RT>(
  options: WorkflowDefinitionOptionsOrGetter,
  fn: (...args: A) => Promise<RT>,
): void {
  defineWorkflowOptions(fn, { workflowDefinitionOptions: options });
}

/**
 * Keeps options with a workflow function. They change nothing here.
 *
 * @param fn The function.
 * @param config The options.
 *
 * @category Temporal
 */
// deno-lint-ignore no-explicit-any -- as Temporal's users know it
export function defineWorkflowOptions<A extends any[], RT>(
  fn: (...args: A) => Promise<RT>,
  config: WorkflowDefinitionConfig,
): void {
  Object.assign(fn, config);
}

/**
 * Returns the text of the last {@linkcode setCurrentDetails}; empty before.
 *
 * @category Temporal
 */
export function getCurrentDetails(): string {
  return requireFrame("ask for the details").run.currentDetails;
}

/**
 * Sets a text that the query `__temporal_workflow_metadata` answers.
 *
 * @param details The text.
 *
 * @category Temporal
 */
export function setCurrentDetails(details: string): void {
  requireFrame("set the details").run.currentDetails = details;
}

/**
 * Returns a group of events. It changes nothing here.
 *
 * @param _label The name of the group.
 * @param _options Its ID.
 *
 * @category Temporal
 */
export function createEventGroup(_label: string, _options?: { id?: string | undefined }): EventGroupMarker {
  return { withScope: (fn) => fn() };
}
