/**
 * Calls hooks, in the executor that has stored the event.
 *
 * @module
 */

import type { ErrorReporter, Hooks, RunInfo } from "./hooks.ts";
import type { WorkflowEvent } from "./types.ts";
import { hookNames } from "./_hook_names.ts";

/** What is told to whom. */
export interface HookHost {
  readonly hooks: Hooks | undefined;
  readonly report: ErrorReporter;
}

/** Calls a hook if there is one; what it throws is reported. */
export function callHook({ hooks, report }: HookHost, name: keyof Hooks, told: unknown, run: RunInfo): void {
  if (hooks?.[name] === undefined) return;
  const { workflowId, runId, workflowName } = run;
  try {
    // Unhandled, the failure of an async hook would take the process down.
    Promise.resolve(hooks[name](told as never, { workflowId, runId, workflowName })).catch(report);
  } catch (error) {
    report(error);
  }
}

/** Tells the hook of its name of an event that is stored. */
export function tellOf(host: HookHost, event: WorkflowEvent, run: RunInfo): void {
  callHook(host, hookNames[event.type], event, run);
}
