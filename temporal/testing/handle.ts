/**
 * Handles of workflows and of updates: what a client does with a workflow that runs, and which errors come of it.
 *
 * @module
 */

import {
  ApplicationFailure,
  CancelledFailure,
  RetryState,
  type TemporalFailure,
  TerminatedFailure,
  TimeoutFailure,
  WorkflowNotFoundError,
} from "../common/mod.ts";
import { toFailure } from "../common/convert.ts";
import { checkTemporalOptions } from "../common/option_tables.ts";
import { codeOf } from "../../errors.ts";
import type { Executor, WorkflowHandle as Run } from "../../executor.ts";
import type { WorkflowEvent, WorkflowState } from "../../types.ts";
import type { WorkflowHandlers } from "../../options.ts";
import { Deferred } from "../../util/deferred.ts";
import { DEFAULT_QUERY, DEFAULT_UPDATE } from "../message_calls.ts";
import type { WorkflowUpdateOptions } from "./client_options.ts";
import {
  QueryNotRegisteredError,
  WorkflowContinuedAsNewError,
  WorkflowFailedError,
  WorkflowUpdateFailedError,
} from "./errors.ts";
import { described } from "./listing.ts";
import type { InProcessServer } from "./server.ts";

/** What the handles of a client share. */
export interface Access {
  readonly server: InProcessServer;
  readonly client: unknown;
}

/** The workflow of a handle. */
export interface Target {
  readonly workflowId: string;
  readonly runId?: string | undefined;
  readonly followRuns?: boolean | undefined;
  /** Made by the start: it stays with the run that was started. */
  readonly handle?: Run | undefined;
}

/** Access to an update; `WorkflowUpdateHandle` of `client.ts`. */
interface UpdateHandle<Ret> {
  updateId: string;
  workflowId: string;
  result(): Promise<Ret>;
}

/** The name of a signal, a query or an update. */
export function nameOf(definition: string | { readonly name: string }): string {
  return typeof definition === "string" ? definition : definition.name;
}

interface CallOptions extends WorkflowUpdateOptions {
  readonly args?: readonly unknown[] | undefined;
  readonly waitForStage?: unknown;
}

/** Makes a handle of a workflow. */
export function makeHandle(access: Access, target: Target): object {
  const { server, client } = access;
  const { workflowId } = target;
  /** Checks that the run is the one of the handle, and calls the executor in which it is live. */
  const call = async <R>(body: (executor: Executor) => Promise<R>): Promise<R> => {
    await checkRun(access, target);
    return await known(workflowId, () => body(server.executorOf(workflowId)));
  };
  const handle = {
    workflowId,
    client,
    result: () => waitForResult(access, target),
    signal: (definition: string | { readonly name: string }, ...args: unknown[]) =>
      call((executor) => executor.signal(workflowId, nameOf(definition), server.toStored(args))),
    async signalWithOptions(name: string, options: { readonly args?: unknown[] } = {}) {
      checkTemporalOptions("signalWithOptions, queryWithOptions", options, "send signal", name);
      await handle.signal(name, ...options.args ?? []);
    },
    async query(definition: string | { readonly name: string }, ...args: unknown[]) {
      await checkRun(access, target);
      return await query(access, workflowId, nameOf(definition), args);
    },
    async queryWithOptions(name: string, options: { readonly args?: unknown[] } = {}) {
      checkTemporalOptions("signalWithOptions, queryWithOptions", options, "send query", name);
      return await handle.query(name, ...options.args ?? []);
    },
    async executeUpdate(definition: string | { readonly name: string }, options: CallOptions = {}) {
      checkTemporalOptions("executeUpdate, startUpdate", options, "send update", nameOf(definition));
      await checkRun(access, target);
      return await update(access, workflowId, nameOf(definition), options);
    },
    async startUpdate(definition: string | { readonly name: string }, options: CallOptions = {}) {
      checkTemporalOptions("executeUpdate, startUpdate", options, "send update", nameOf(definition));
      await checkRun(access, target);
      return await startedUpdate(access, workflowId, nameOf(definition), options);
    },
    getUpdateHandle: (updateId: string) => makeUpdateHandle(access, workflowId, updateId),
    terminate: (reason?: string) => call((executor) => executor.terminate(workflowId, reason)).then(() => ({})),
    cancel: () => call((executor) => executor.cancel(workflowId)).then(() => ({})),
    describe: () => call(async () => await described(server, await stateOf(access, workflowId))),
    fetchHistory: () =>
      call(async () => {
        const state = await stateOf(access, workflowId);
        return Object.defineProperty({ events: [...state.history] }, STATE, { value: state });
      }),
  };
  return handle;
}

/** The state that a history was taken from. */
const STATE = /* @__PURE__ */ Symbol("state");

/** The state that a history was taken from, if a handle of this package returned it. */
export function stateOfHistory(history: unknown): WorkflowState | undefined {
  return (history as { [STATE]?: WorkflowState })[STATE];
}

/** Makes a handle of an update: the same ID gets the same answer. */
export function makeUpdateHandle<Ret>(
  access: Access,
  workflowId: string,
  updateId: string,
  answer?: Promise<unknown>,
): UpdateHandle<Ret> {
  const result = async (): Promise<Ret> => {
    if (answer !== undefined) return await answer as Ret;
    const { history } = await stateOf(access, workflowId);
    const name = history.map((event) => requested(event, updateId)).find((name) => name !== undefined);
    if (name === undefined) throw new WorkflowNotFoundError(`Update not found: ${updateId}`, workflowId, undefined);
    return await update(access, workflowId, name, { updateId }) as Ret;
  };
  return { updateId, workflowId, result };
}

/** The name of the update, if an event requests or accepts it. */
function requested(event: WorkflowEvent, updateId: string): string | undefined {
  const isIt = event.type === "update_accepted" || event.type === "update_requested";
  return isIt && event.updateId === updateId ? event.name : undefined;
}

/** Sends an update, and returns when it is accepted or refused. */
export async function startedUpdate<Ret>(
  access: Access,
  workflowId: string,
  name: string,
  options: CallOptions,
): Promise<UpdateHandle<Ret>> {
  if ((options.waitForStage ?? "ACCEPTED") !== "ACCEPTED") {
    throw new TypeError(`Cannot start update "${name}": waitForStage must be "ACCEPTED"`);
  }
  const { updateId = crypto.randomUUID() } = options;
  const { store } = access.server;
  const accepted = new Deferred<void>();
  const look = async () => {
    const state = await store.load(workflowId);
    if (state?.history.some((event) => event.type === "update_accepted" && event.updateId === updateId)) {
      accepted.resolve();
    }
  };
  const unsubscribe = store.subscribe((id) => {
    if (id === workflowId) look().catch((error) => accepted.reject(error));
  });
  const answer = update(access, workflowId, name, { ...options, updateId });
  answer.then(() => accepted.resolve(), (error) => {
    if (error instanceof WorkflowUpdateFailedError) accepted.resolve();
    else accepted.reject(error);
  });
  try {
    await accepted.promise;
  } finally {
    unsubscribe();
  }
  return makeUpdateHandle<Ret>(access, workflowId, updateId, answer);
}

async function update(access: Access, workflowId: string, name: string, options: CallOptions): Promise<unknown> {
  const { server } = access;
  const { args = [], updateId } = options;
  const input = server.toStored(args);
  const send = async () => {
    const executor = server.executorOf(workflowId);
    const { updates } = await executor.query<WorkflowHandlers>(workflowId, "handlers").catch(() => ({
      updates: [] as string[],
    }));
    const isOther = updates.includes(DEFAULT_UPDATE) && !updates.includes(name);
    const request: [string, unknown] = isOther ? [DEFAULT_UPDATE, [name, ...input]] : [name, input];
    return server.fromStored(await executor.update(workflowId, ...request, { updateId }));
  };
  try {
    return await known(workflowId, send);
  } catch (error) {
    if (error instanceof WorkflowNotFoundError || codeOf(error) === "store_failed" || codeOf(error) === "closed") {
      throw error;
    }
    const cause = codeOf(error) === "update_interrupted"
      ? ApplicationFailure.nonRetryable((error as Error).message, "AcceptedUpdateCompletedWorkflow")
      : toFailure(error, (stored) => server.fromStored(stored));
    throw new WorkflowUpdateFailedError("Workflow Update failed", cause);
  }
}

async function query(access: Access, workflowId: string, name: string, args: unknown[]): Promise<unknown> {
  const { server } = access;
  const executor = await server.executorFor(await stateOf(access, workflowId));
  const stored = server.toStored(args);
  /** Asks the handler of `setDefaultQueryHandler`, if there is one. */
  const askDefault = (error: unknown) => {
    if (codeOf(error) !== "not_found") throw error;
    return executor.query(workflowId, DEFAULT_QUERY, name, ...stored).catch((other) => {
      throw codeOf(other) === "not_found" ? error : other;
    });
  };
  try {
    return server.fromStored(await executor.query(workflowId, name, ...stored).catch(askDefault));
  } catch (error) {
    if (codeOf(error) !== "not_found") throw error;
    throw new QueryNotRegisteredError((error as Error).message, 3);
  }
}

/** Waits for the result of a workflow, and lets time skip meanwhile. */
export async function waitForResult(access: Access, target: Target): Promise<unknown> {
  const { server } = access;
  const { workflowId, followRuns = true } = target;
  await checkRun(access, target);
  try {
    const run = target.handle ?? await known(workflowId, () => server.calls.handle(workflowId));
    const result = server.fromStored(await server.time.skipWhile(() => run.result()));
    if (followRuns) return result;
    const { runId } = await stateOf(access, workflowId);
    if (runId === (target.runId ?? run.runId)) return result;
    throw new WorkflowContinuedAsNewError("Workflow execution continued as new", runId);
  } catch (error) {
    if (error instanceof WorkflowNotFoundError || error instanceof WorkflowContinuedAsNewError) throw error;
    const code = codeOf(error);
    if (code === "not_found" || code === "conflict" || code === "closed" || code === "store_failed") throw error;
    throw workflowFailed(toFailure(error, (stored) => server.fromStored(stored)));
  }
}

function workflowFailed(cause: TemporalFailure): WorkflowFailedError {
  const [how, retryState] = cause instanceof CancelledFailure
    ? ["cancelled", RetryState.NON_RETRYABLE_FAILURE] as const
    : cause instanceof TerminatedFailure
    ? ["terminated", RetryState.NON_RETRYABLE_FAILURE] as const
    : cause instanceof TimeoutFailure
    ? ["timed out", RetryState.TIMEOUT] as const
    : ["failed", RetryState.RETRY_POLICY_NOT_SET] as const;
  return new WorkflowFailedError(`Workflow execution ${how}`, cause, retryState);
}

/** Refuses a handle of another chain of runs. */
async function checkRun(access: Access, { workflowId, runId, handle }: Target): Promise<void> {
  if (runId === undefined || handle !== undefined) return;
  const state = await stateOf(access, workflowId);
  const [first] = state.history;
  const firstRunId = first?.type === "workflow_started" ? first.firstRunId : undefined;
  if (state.runId === runId || firstRunId === runId) return;
  throw new WorkflowNotFoundError(`Workflow "${workflowId}" has no run "${runId}"`, workflowId, runId);
}

async function stateOf({ server }: Access, workflowId: string): Promise<WorkflowState> {
  const state = await server.store.load(workflowId);
  if (state === null) {
    throw new WorkflowNotFoundError(`Workflow not found for ID: ${workflowId}`, workflowId, undefined);
  }
  return state;
}

/** Turns the error of a workflow that does not exist, or has ended, into Temporal's. */
async function known<R>(workflowId: string, body: () => Promise<R>): Promise<R> {
  try {
    return await body();
  } catch (error) {
    if (codeOf(error) !== "not_found") throw error;
    throw new WorkflowNotFoundError((error as Error).message, workflowId, undefined);
  }
}
