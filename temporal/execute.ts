/**
 * Runs a Temporal workflow as a workflow of this package.
 *
 * 1. The whole run is in one shield. Its scopes are those of `scope.ts`: the `abort` event of the run cancels the outermost.
 * 2. The function is called when the signals that were sent with the start have been seen.
 * 3. When the function has ended, no promise of this module settles any more, and the shield ends what is open.
 * 4. A run that is cancelled and whose function throws a cancellation is `canceled`. Any other error fails it.
 *
 * @module
 */

import type { WorkflowContext } from "../context.ts";
import { codeOf, RetryAfterError } from "../errors.ts";
import { Deferred } from "../util/deferred.ts";
import type { SearchAttributePair } from "./common/mod.ts";
import { toThrown } from "./common/convert.ts";
import { setLabels } from "./attributes.ts";
import { ContinueAsNew } from "./continue.ts";
import { isCancellation } from "./errors.ts";
import { composeInterceptors } from "./common/interceptors.ts";
import { readHeaders } from "./headers.ts";
import { setRootFrame } from "./message_calls.ts";
import { guardRejections } from "./rejections.ts";
import { type AnyFunction, type HostParts, Run } from "./run.ts";
import { cancelRoot, enter, type Frame, outside, rootScope } from "./scope.ts";
import type { WorkflowInput } from "./types.ts";

/** The query that every workflow answers with what it handles, its memo and its search attributes. */
export const METADATA = "__temporal_workflow_metadata";

/**
 * Runs a workflow.
 *
 * @param functionOf Returns the function of a workflow by its name.
 */
export function runWorkflow(
  host: HostParts,
  functionOf: (workflowType: string) => AnyFunction,
  workflowType: string,
  ctx: WorkflowContext,
  stored: unknown,
): Promise<unknown> {
  guardRejections();
  const input = readInput(stored);
  return outside(() =>
    ctx.shield(async (context) => {
      const end = new Deferred<never>();
      const run = new Run(ctx, context, host, workflowType, input, (error) => end.reject(error));
      const scope = rootScope(run);
      const frame: Frame = { run, scope, update: undefined };
      setRootFrame(frame);
      const unfollow = followCancellation(frame);
      context.handleQuery(METADATA, () => metadataOf(run));
      try {
        setLabels(run, run.searchAttributes); // those of a child are not set yet
        if (ctx.startEvents > 1) await context.waitUntil(() => ctx.historyLength >= ctx.startEvents);
        if (input.startAfterMs) await context.sleep(input.startAfterMs);
        const result = await Promise.race([end.promise, enter(frame, () => call(run, functionOf(workflowType)))]);
        return host.converter.toStored(result);
      } catch (error) {
        throw await failureOf(run, error);
      } finally {
        close(run);
        unfollow();
      }
    })
  );
}

/** Calls the workflow function, through the interceptors. */
async function call(run: Run, fn: AnyFunction): Promise<unknown> {
  for (const make of run.host.interceptors) {
    const { inbound, outbound } = make();
    run.inbound = [...run.inbound, ...inbound];
    run.outbound = [...run.outbound, ...outbound];
  }
  const input = { args: run.read(run.input.args), headers: readHeaders(run.input.headers) };
  // deno-lint-ignore require-await -- what it throws is a rejection
  return await composeInterceptors(run.inbound, "execute", async ({ args }: { args: unknown[] }) => fn(...args))(input);
}

/** The scope of the run is cancelled when the run is. A run whose time is up ends at once, as in Temporal. */
function followCancellation(frame: Frame): () => void {
  const { run, scope } = frame;
  const { signal } = run.ctx;
  const cancel = () => {
    if (codeOf(signal.reason) === "timeout") run.fail(signal.reason);
    else enter(frame, () => cancelRoot(scope));
  };
  if (signal.aborted) cancel();
  else signal.addEventListener("abort", cancel);
  return () => signal.removeEventListener("abort", cancel);
}

/**
 * What the run ends with, if its function has not returned. It may continue as new: then this does not return. As in Temporal, a
 * workflow that was cancelled and continues has dealt with the cancellation.
 */
async function failureOf(run: Run, error: unknown): Promise<unknown> {
  run.ended = true;
  const { ctx, context, host } = run;
  const next = ContinueAsNew.nextOf(error);
  if (next !== undefined) {
    try {
      const workflow = host.workflow(next.workflowType);
      return await context.continueAsNew(next.input as never, { workflow: workflow as never, canceled: false });
    } catch (refusal) { // the host has no such workflow
      return refusal;
    }
  }
  if (ctx.signal.aborted && (error === ctx.signal.reason || isCancellation(error))) return ctx.signal.reason;
  const thrown = toThrown(error, host.converter.toStored);
  return thrown instanceof RetryAfterError ? thrown.cause : thrown;
}

/** The function has ended. */
function close(run: Run): void {
  run.ended = true;
  const abandoned = [...run.handlers.calls].filter(({ unfinishedPolicy }) => unfinishedPolicy !== "ABANDON");
  for (const { kind, name } of abandoned) {
    run.ctx.log.warn(
      `Workflow finished while a handler of ${kind} "${name}" was running; wait for condition(allHandlersFinished) before it returns`,
    );
  }
  for (const end of [...run.openScopes]) end();
}

/** Reads the input of a workflow: the array of its arguments, or more. A workflow that was started natively has one argument. */
function readInput(stored: unknown): WorkflowInput {
  if (stored === undefined) return { args: [] };
  if (Array.isArray(stored)) return { args: stored };
  const { args } = Object(stored) as Partial<WorkflowInput>;
  return Array.isArray(args) ? stored as WorkflowInput : { args: [stored] };
}

/** The answer to {@linkcode METADATA}; also what Temporal's own SDK answers. */
export interface RunMetadata {
  readonly definition: unknown;
  readonly currentDetails: string;
  readonly memo: Record<string, unknown>;
  readonly searchAttributes: readonly SearchAttributePair[];
}

function metadataOf(run: Run): RunMetadata {
  const { handlers: { queries, signals, updates }, workflowType: type, currentDetails, memo, searchAttributes } = run;
  const list = (handlers: ReadonlyMap<string, { readonly description: string | undefined }>) =>
    Array.from(handlers, ([name, { description }]) => ({ name, ...(description !== undefined && { description }) }));
  return {
    definition: {
      type,
      queryDefinitions: list(queries),
      signalDefinitions: list(signals),
      updateDefinitions: list(updates),
    },
    currentDetails,
    memo,
    searchAttributes,
  };
}
