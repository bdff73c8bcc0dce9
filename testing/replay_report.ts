/**
 * How many stored runs fit a workflow's code, for CI before a deployment.
 *
 * Owns the verdict on each history, and which paths of a change no history takes. The replay itself is in `replays.ts`.
 *
 * @module
 */

import type { Workflow, WorkflowFunction } from "../context.ts";
import { replayHistory } from "../executor.ts";
import type { AnyWorkflow } from "../options.ts";
import type { WorkflowState } from "../types.ts";
import { checkFunction, checkOptions } from "../util/check.ts";
import { show } from "../util/show.ts";
import { replay, statesOf } from "./replays.ts";

/**
 * How a history and the code fit: the same; the code passes something else, which runs in flight do not notice; or it does something
 * else, so that a run in flight could not be resumed.
 *
 * @category Testing
 */
export type ReplayVerdict = "same" | "argument changed" | "diverges";

/**
 * What {@linkcode replayReport} found for one history.
 *
 * @category Testing
 */
export interface ReplayedHistory {
  /** The ID of the workflow. */
  readonly workflowId: string;
  /** The ID of the run. */
  readonly runId: string;
  /** How it fits. */
  readonly verdict: ReplayVerdict;
  /** Why, if it is not the same: usually a `NonDeterminismError`. */
  readonly error?: Error;
}

/**
 * How many histories take each path of a change: of a `ctx.patched(changeId)`.
 *
 * @category Testing
 */
export interface PatchPaths {
  /** How many take the new path, for which `patched` returns true. */
  readonly new: number;
  /** How many take the old path. */
  readonly old: number;
}

/**
 * What {@linkcode replayReport} found.
 *
 * @category Testing
 */
export interface ReplayReport {
  /** The histories, in the order in which they were given. */
  readonly histories: readonly ReplayedHistory[];
  /** The changes that the code has asked for, by ID. */
  readonly patches: ReadonlyMap<string, PatchPaths>;
  /** The paths of changes that no history takes, in words: nothing is known about them. */
  readonly uncovered: readonly string[];
  /** Shows the report as text. */
  table(): string;
}

/**
 * Options of {@linkcode replayReport}.
 *
 * @category Testing
 */
export interface ReplayReportOptions {
  /**
   * Workflows that are registered under another name than that of their function, by name. Children have that name in the history.
   *
   * @default {none}
   */
  readonly workflows?: Readonly<Record<string, AnyWorkflow>> | undefined;
}

/**
 * Replays histories against a workflow's code, performs nothing, and says for each whether it fits. `assertReplays()` throws in their
 * place.
 *
 * What it cannot see: a path that no history takes, apart from those of `ctx.patched`; and a `ctx.patched` that no history reaches.
 *
 * @param workflow The code as it is now.
 * @param histories One history or several: each is a stored state, or a text made by `historyToText()`.
 * @param options How workflows are registered.
 * @throws {TypeError} If an argument is invalid, or a text is not a history.
 *
 * @category Testing
 *
 * @example
 * ```ts
 * import type { WorkflowContext } from "@rockpool/workflow";
 * import { replayReport, TestExecutor } from "@rockpool/workflow/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const charge = (_cents: number) => "charged";
 * const order = (ctx: WorkflowContext) => ctx.executeActivity(charge, 500);
 *
 * await using executor = new TestExecutor();
 * await (await executor.execute(order, { id: "a" })).result();
 * const state = (await executor.store.load("a"))!;
 *
 * async function changed(ctx: WorkflowContext) {
 *   if (ctx.patched("wait")) await ctx.sleep(1000);
 *   return await ctx.executeActivity(charge, 600);
 * }
 * const { histories, uncovered } = await replayReport(changed, [state]);
 * assertEquals(histories.map(({ verdict }) => verdict), ["argument changed"]);
 * assertEquals(uncovered, ['patched("wait"): no history takes the new path']);
 * ```
 */
export async function replayReport<Input>(
  workflow: WorkflowFunction<Input, unknown>,
  histories: string | WorkflowState | readonly (string | WorkflowState)[],
  options: ReplayReportOptions = {},
): Promise<ReplayReport> {
  checkFunction("workflow", workflow, "replay histories");
  checkOptions(options, { workflows: true }, "replay histories");
  const { workflows = {} } = options;
  const patches = new Map<string, PatchPaths>();
  const replayed: ReplayedHistory[] = [];
  for (const state of statesOf(histories)) {
    replayed.push(await judge(workflow as Workflow<never>, state, workflows, patches));
  }
  const uncovered = uncoveredOf(patches);
  return { histories: replayed, patches, uncovered, table: () => formatReport(replayed, uncovered) };
}

async function judge(
  workflow: Workflow<never>,
  state: WorkflowState,
  workflows: Readonly<Record<string, AnyWorkflow>>,
  patches: Map<string, PatchPaths>,
): Promise<ReplayedHistory> {
  const { workflowId, runId } = state;
  const as = (verdict: ReplayVerdict, error?: unknown): ReplayedHistory => ({
    workflowId,
    runId,
    verdict,
    ...(error === undefined ? {} : { error: error as Error }),
  });
  try {
    await replay(workflow, state, workflows);
    const { patched } = await replayHistory(workflow, state, workflows);
    for (const [changeId, isNew] of Object.entries(patched)) {
      const { new: taken, old } = patches.get(changeId) ?? { new: 0, old: 0 };
      patches.set(changeId, isNew ? { new: taken + 1, old } : { new: taken, old: old + 1 });
    }
  } catch (error) {
    return as("diverges", error);
  }
  try {
    await replay(workflow, state, workflows, true);
    return as("same");
  } catch (error) {
    return as("argument changed", error);
  }
}

function uncoveredOf(patches: ReadonlyMap<string, PatchPaths>): string[] {
  return [...patches].flatMap(([changeId, taken]) =>
    (["new", "old"] as const).filter((path) => taken[path] === 0).map((path) =>
      `patched(${show(changeId)}): no history takes the ${path} path`
    )
  );
}

function formatReport(histories: readonly ReplayedHistory[], uncovered: readonly string[]): string {
  const width = Math.max(...histories.map(({ verdict }) => verdict.length));
  return [
    ...histories.flatMap(({ verdict, workflowId, error }) => [
      `${verdict.padEnd(width)}  ${workflowId}`,
      ...(error === undefined ? [] : [error.message.replace(/^/gm, "  ")]),
    ]),
    ...uncovered,
  ].join("\n");
}
