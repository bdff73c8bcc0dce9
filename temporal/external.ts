/**
 * Messages to other workflows: signals and cancellations.
 *
 * A message is a wait of its scope: it is not sent if the scope is cancelled first.
 *
 * @module
 */

import { codeOf } from "../errors.ts";
import {
  ApplicationFailure,
  type Headers,
  type SignalDefinition,
  type SignalTypeInfo,
  type WorkflowSignalOptions,
} from "./common/mod.ts";
import { composeInterceptors } from "./common/interceptors.ts";
import { HEADER, writeHeaders } from "./headers.ts";
import type { SignalWorkflowInput } from "./interceptors.ts";
import { requireFrame, waitIn } from "./scope.ts";

/**
 * Gives access to another workflow.
 *
 * @category Temporal
 */
export interface ExternalWorkflowHandle {
  /**
   * Sends a signal. It is stored once, also over a restart.
   *
   * @param def The signal.
   * @param args The arguments.
   * @throws {ApplicationFailure} If there is no such workflow, or it has ended.
   * @throws {CancelledFailure} If the current scope is cancelled.
   */
  // deno-lint-ignore no-explicit-any -- as Temporal's users know it
  signal<Args extends any[] = [], Name extends string = string>(
    def: SignalDefinition<Args, Name> | string,
    ...args: Args
  ): Promise<void>;
  /**
   * Sends a signal.
   *
   * @param signalName The name.
   * @param options The arguments.
   */
  // deno-lint-ignore no-explicit-any -- as Temporal's users know it
  signalWithOptions<Args extends any[] = []>(signalName: string, options: WorkflowSignalOptions<Args>): Promise<void>;
  /**
   * Cancels the workflow.
   *
   * @throws {ApplicationFailure} If there is no such workflow, or it has ended.
   * @throws {CancelledFailure} If the current scope is cancelled.
   */
  cancel(): Promise<void>;
  /** The ID of the workflow. */
  readonly workflowId: string;
  /** The ID of the run that was given. The messages go to the run that runs now. */
  readonly runId?: string | undefined;
}

/**
 * Returns a handle of a workflow that this one has not started.
 *
 * @param workflowId The ID.
 * @param runId It is only kept.
 *
 * @category Temporal
 */
export function getExternalWorkflowHandle(workflowId: string, runId?: string): ExternalWorkflowHandle {
  requireFrame("get a handle of another workflow");
  const target = { type: "external", workflowExecution: { workflowId, runId } } as const;
  return {
    workflowId,
    runId,
    ...signalsTo(target),
    cancel: () =>
      waitIn(
        requireFrame("cancel another workflow").scope,
        (context) => withFailure(context.cancelWorkflow(workflowId), "cancel"),
      ),
  };
}

/** The methods of a handle that send signals. */
export function signalsTo(
  target: SignalWorkflowInput["target"],
): Pick<ExternalWorkflowHandle, "signal" | "signalWithOptions"> {
  const signal = (signalName: string, args: unknown[], typeInfo?: SignalTypeInfo): Promise<void> => {
    const { run } = requireFrame("signal another workflow");
    const seq = run.next.message++;
    const input: SignalWorkflowInput = { seq, signalName, args, typeInfo, headers: {}, target };
    return composeInterceptors(run.outbound, "signalWorkflow", signalWorkflow)(input);
  };
  return {
    signal: (def, ...args) => typeof def === "string" ? signal(def, args) : signal(def.name, args, def.typeInfo),
    signalWithOptions: (signalName, { args, typeInfo }) => signal(signalName, args ?? [], typeInfo),
  };
}

function signalWorkflow({ signalName, args, headers, target }: SignalWorkflowInput): Promise<void> {
  const { run, scope } = requireFrame("signal another workflow");
  const id = target.type === "child" ? target.childWorkflowId : target.workflowExecution.workflowId!;
  return waitIn(scope, (context) => {
    const sent = context.signalWorkflow(id, signalName, run.write(args) as never, { headers: textsOf(headers) });
    return withFailure(sent, "signal");
  });
}

/** The headers of a message, as the core carries them. */
function textsOf(headers: Headers): Record<string, string> {
  const text = writeHeaders(headers);
  return text === undefined ? {} : { [HEADER]: text };
}

async function withFailure(sent: Promise<void>, action: string): Promise<void> {
  try {
    await sent;
  } catch (error) {
    if (codeOf(error) !== "not_found") throw error;
    throw ApplicationFailure.create({
      message: `Unable to ${action} external workflow because it was not found`,
      cause: error as Error,
    });
  }
}
